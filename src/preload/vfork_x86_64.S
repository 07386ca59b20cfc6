/* SPDX-License-Identifier: MIT */
/* vfork. The child returns first, on the same stack, and may write over the parent's return address. The kernel
 * preserves registers for parent and child. So %r9 keeps the return address, and %rdx keeps what pg_vfork_prepare
 * returned. */
#define SYS_vfork 58

	.section .text.hot, "ax", @progbits
	.globl	vfork
	.type	vfork, @function
vfork:
	.cfi_startproc
	endbr64
	subq	$8, %rsp
	.cfi_adjust_cfa_offset 8
	call	pg_vfork_prepare
	addq	$8, %rsp
	.cfi_adjust_cfa_offset -8
	popq	%r9
	.cfi_adjust_cfa_offset -8
	.cfi_register %rip, %r9
	movl	%eax, %edx
	movl	$SYS_vfork, %eax
	syscall
	testq	%rax, %rax
	jz	4f
	pushq	%r9
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rip, 0
	movq	%rax, %rdi
	movl	%edx, %esi
	jmp	pg_vfork_parent
	.cfi_adjust_cfa_offset -8
	.cfi_register %rip, %r9
	/* The child. It shares the shadow stack, so it must leave the entry there for the parent. It jumps back instead of
	 * returning. */
4:	xorl	%ecx, %ecx
	rdsspq	%rcx
	testq	%rcx, %rcx
	jnz	5f
	pushq	%r9
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rip, 0
	ret
	.cfi_adjust_cfa_offset -8
	.cfi_register %rip, %r9
5:	notrack jmp *%r9
	.cfi_endproc
	.size	vfork, .-vfork

	.globl	__vfork
	.set	__vfork, vfork
	.globl	pg_vfork /* for syscall() */
	.hidden	pg_vfork
	.set	pg_vfork, vfork

#include "preload/end.S"
