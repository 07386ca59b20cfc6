/* SPDX-License-Identifier: MIT */
/* dlopen(): see dlopen.c. */
	.section .text, "ax", @progbits
	.globl	dlopen
	.type	dlopen, @function
dlopen:
	.cfi_startproc
	endbr64
	movq	pg_dlopen_next(%rip), %rax
	testl	$8, %esi /* RTLD_DEEPBIND */
	jnz	1f
	testq	%rax, %rax
	jz	1f
	jmp	*%rax
1:	pushq	%rdi
	.cfi_adjust_cfa_offset 8
	subq	$16, %rsp
	.cfi_adjust_cfa_offset 16
	call	pg_dlopen_flags
	movl	%eax, %esi
	addq	$16, %rsp
	.cfi_adjust_cfa_offset -16
	popq	%rdi
	.cfi_adjust_cfa_offset -8
	jmp	*pg_dlopen_next(%rip)
	.cfi_endproc
	.size	dlopen, .-dlopen

#include "preload/end.S"
