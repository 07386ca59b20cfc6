/* SPDX-License-Identifier: MIT */
/* dlopen(): see dlopen.c. */
	.text
	.globl	dlopen
	.type	dlopen, %function
dlopen:
	.cfi_startproc
	hint	#34 /* bti c */
	adrp	x9, pg_dlopen_next
	ldr	x9, [x9, #:lo12:pg_dlopen_next]
	tbnz	w1, #3, 1f /* RTLD_DEEPBIND */
	cbz	x9, 1f
	mov	x16, x9
	br	x16
1:	stp	x29, x30, [sp, #-32]!
	.cfi_adjust_cfa_offset 32
	.cfi_rel_offset x29, 0
	.cfi_rel_offset x30, 8
	str	x0, [sp, #16]
	bl	pg_dlopen_flags
	mov	w1, w0
	ldr	x0, [sp, #16]
	ldp	x29, x30, [sp], #32
	.cfi_adjust_cfa_offset -32
	.cfi_restore x29
	.cfi_restore x30
	adrp	x16, pg_dlopen_next
	ldr	x16, [x16, #:lo12:pg_dlopen_next]
	br	x16
	.cfi_endproc
	.size	dlopen, .-dlopen

#include "preload/end.S"
