/* vfork: clone(CLONE_VM|CLONE_VFORK|SIGCHLD), mostly with CLONE_PIDFD. The return address stays in x30 and the slot for
 * the pidfd, which has the flags at first, in x2: the kernel preserves registers for each of the two, but the child writes over the shared stack. Where the
 * kernel will not give a pidfd (no descriptor left), it is asked again without one. */
#define SYS_clone 220
#define FLAGS 0x4111      /* CLONE_VM | CLONE_VFORK | SIGCHLD */
#define CLONE_PIDFD 0x1000

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
	mov	x2, x0
	mov	x9, #FLAGS
	mov	w10, #-1
	cbz	x2, 1f
	ldr	w9, [x2]
	str	w10, [x2]
1:	mov	x0, x9
	mov	x1, #0
	mov	x3, #0
	mov	x4, #0
	mov	x8, #SYS_clone
	svc	#0
	cbz	x0, 3f
	tbz	x0, #63, 2f
	tbz	x9, #12, 2f
	and	x9, x9, #~CLONE_PIDFD
	str	w10, [x2] /* it may have failed after the number was written, which is somebody else's by now */
	b	1b
2:	mov	x1, x2
	b	pg_vfork_parent
3:	ret
	.cfi_endproc
	.size	vfork, .-vfork

	.globl	__vfork
	.set	__vfork, vfork
	.globl	pg_vfork /* for syscall() */
	.hidden	pg_vfork
	.set	pg_vfork, vfork

	.section .note.GNU-stack, "", %progbits
