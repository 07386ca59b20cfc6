/* SPDX-License-Identifier: MIT */
/* vfork, made by clone(CLONE_VM|CLONE_VFORK|SIGCHLD), as glibc makes it. The child writes over the shared stack,
 * but the kernel preserves registers for parent and child. So x30 keeps the return address, and x9 keeps what
 * pg_vfork_prepare returned. */
#define SYS_clone 220
#define FLAGS 0x4111      /* CLONE_VM | CLONE_VFORK | SIGCHLD */

	.section .text.hot, "ax", %progbits
	.globl	vfork
	.type	vfork, %function
vfork:
	.cfi_startproc
	hint	#34 /* bti c */
	stp	x29, x30, [sp, #-16]!
	.cfi_adjust_cfa_offset 16
	.cfi_rel_offset x29, 0
	.cfi_rel_offset x30, 8
	bl	pg_vfork_prepare
	ldp	x29, x30, [sp], #16
	.cfi_adjust_cfa_offset -16
	.cfi_restore x29
	.cfi_restore x30
	mov	w9, w0
	mov	x0, #FLAGS
	mov	x1, #0
	mov	x2, #0
	mov	x3, #0
	mov	x4, #0
	mov	x8, #SYS_clone
	svc	#0
	cbz	x0, 1f
	mov	w1, w9
	b	pg_vfork_parent
1:	ret
	.cfi_endproc
	.size	vfork, .-vfork

	.globl	__vfork
	.set	__vfork, vfork
	.globl	pg_vfork /* for syscall() */
	.hidden	pg_vfork
	.set	pg_vfork, vfork

#include "preload/end.S"
