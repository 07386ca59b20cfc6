/* vfork: clone(CLONE_VM|CLONE_VFORK|SIGCHLD), mostly with CLONE_PIDFD. The child returns first, on the same stack, and may write
 * over our return address: it is kept in %r9 meanwhile, which the kernel preserves for each of the two. The slot for
 * the pidfd is in %rdx for the same reason; it has the flags at first. Where the kernel will not give a pidfd (no descriptor left), it is asked
 * again without one. */
#define SYS_clone 56
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
	movq	%rax, %rdx
	testq	%rdx, %rdx
	jz	1f
	movl	(%rdx), %edi
	movl	$-1, (%rdx)
	xorl	%esi, %esi
	xorl	%r10d, %r10d
	xorl	%r8d, %r8d
	movl	$SYS_clone, %eax
	syscall
	testq	%rax, %rax
	jz	4f
	jns	2f
	movl	$-1, (%rdx) /* it may have failed after the number was written, which is somebody else's by now */
1:	movl	$SYS_vfork, %eax /* as libc does it */
	syscall
	testq	%rax, %rax
	jz	4f
2:	pushq	%r9
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rip, 0
	movq	%rax, %rdi
	movq	%rdx, %rsi
	jmp	pg_vfork_parent
	.cfi_adjust_cfa_offset -8
	.cfi_register %rip, %r9
	/* The child. A shadow stack is shared too: leave its entry for the parent, and go back past it. */
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

	.section .note.gnu.property, "a"
	.p2align 3
	.long	4, 16, 5
	.asciz	"GNU"
	.long	0xc0000002, 4, 3, 0 /* IBT and SHSTK */
	.section .note.GNU-stack, "", @progbits
