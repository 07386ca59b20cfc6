/* SPDX-License-Identifier: MIT */
/* The end of every other assembler file, which includes it: what the linker must know of the object. */
#ifdef __x86_64__
	.section .note.gnu.property, "a"
	.p2align 3
	.long	4, 16, 5
	.asciz	"GNU"
	.long	0xc0000002, 4, 3, 0 /* IBT and SHSTK */
#endif
	.section .note.GNU-stack, "", %progbits
