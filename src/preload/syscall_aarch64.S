/* SPDX-License-Identifier: MIT */
/* syscall(): passes on all system calls that the shim does not treat. It does so in a few instructions and without a
 * frame, because some of those calls return twice. This architecture has no system call vfork. */
#include "preload/syscall.h"

	.section .text.hot, "ax", %progbits
	.globl	syscall
	.type	syscall, %function
syscall:
	.cfi_startproc
	hint	#34 /* bti c */
	cmp	x0, #PG_SYSCALL_KINDS
	b.hs	1f
	adrp	x9, pg_syscall_kinds
	add	x9, x9, #:lo12:pg_syscall_kinds
	ldrb	w9, [x9, x0]
	cbnz	w9, 2f
1:	mov	x8, x0
	mov	x0, x1
	mov	x1, x2
	mov	x2, x3
	mov	x3, x4
	mov	x4, x5
	mov	x5, x6
	svc	#0
	cmn	x0, #4095
	b.hs	3f
	ret
3:	b	pg_syscall_fail
2:	cmp	w9, #PG_SYSCALL_CLONES
	b.ne	pg_syscall_routed
	stp	x29, x30, [sp, #-80]!
	.cfi_adjust_cfa_offset 80
	.cfi_rel_offset x29, 0
	.cfi_rel_offset x30, 8
	stp	x0, x1, [sp, #16]
	stp	x2, x3, [sp, #32]
	stp	x4, x5, [sp, #48]
	str	x6, [sp, #64]
	bl	pg_syscall_forks_plainly
	mov	w9, w0
	ldp	x0, x1, [sp, #16]
	ldp	x2, x3, [sp, #32]
	ldp	x4, x5, [sp, #48]
	ldr	x6, [sp, #64]
	ldp	x29, x30, [sp], #80
	.cfi_adjust_cfa_offset -80
	.cfi_restore x29
	.cfi_restore x30
	cbz	w9, 1b
	b	pg_syscall_routed
	.cfi_endproc
	.size	syscall, .-syscall

#include "preload/end.S"
