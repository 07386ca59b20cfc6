/* SPDX-License-Identifier: MIT */
/* syscall(): passes on all system calls that the shim does not treat. It does so in a few instructions and without a
 * frame, because some of those calls return twice. */
#include "preload/syscall.h"

	.section .text.hot, "ax", @progbits
	.globl	syscall
	.type	syscall, @function
syscall:
	.cfi_startproc
	endbr64
	cmpq	$PG_SYSCALL_KINDS, %rdi
	jae	1f
	leaq	pg_syscall_kinds(%rip), %rax
	movzbl	(%rax,%rdi), %eax
	testl	%eax, %eax
	jnz	2f
1:	movq	%rdi, %rax
	movq	%rsi, %rdi
	movq	%rdx, %rsi
	movq	%rcx, %rdx
	movq	%r8, %r10
	movq	%r9, %r8
	movq	8(%rsp), %r9
	syscall
	cmpq	$-4095, %rax
	jae	3f
	ret
3:	movq	%rax, %rdi
	jmp	pg_syscall_fail
2:	cmpl	$PG_SYSCALL_VFORK, %eax
	je	pg_vfork
	cmpl	$PG_SYSCALL_CLONES, %eax
	jne	pg_syscall_routed
	pushq	%rdi
	pushq	%rsi
	pushq	%rdx
	pushq	%rcx
	pushq	%r8
	pushq	%r9
	subq	$8, %rsp
	.cfi_adjust_cfa_offset 56
	call	pg_syscall_forks_plainly
	addq	$8, %rsp
	popq	%r9
	popq	%r8
	popq	%rcx
	popq	%rdx
	popq	%rsi
	popq	%rdi
	.cfi_adjust_cfa_offset -56
	testl	%eax, %eax
	jz	1b
	jmp	pg_syscall_routed
	.cfi_endproc
	.size	syscall, .-syscall

#include "preload/end.S"
