/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the mini guest executes: reads operations and does them, one after the other. Runs at any
 * address; the monitor (guest.c) sets the registers:
 *
 *	r15	this vCPU's number
 *	r14	the array of operations
 *	r13	the page with the number of the next one; vCPUs that share it take turns
 *	rbp	the stack
 *
 * An operation that faults has no effect. The interpreter goes on with the next one.
 */
#include "layout.h"

	.section .rodata
	.balign 16
	.globl known_code, known_code_end, known_code_fault, known_code_trap

known_code:
	mov	KNOWN_TURN_NEXT(%r13), %rbx
	shl	$KNOWN_OP_SHIFT, %rbx
	add	%r14, %rbx
	cmp	%r15b, KNOWN_OP_VCPU(%rbx)
	je	1f
	pause
	jmp	known_code
1:
	movzbl	(%rbx), %ecx
	mov	KNOWN_OP_GVA(%rbx), %rdi
	mov	KNOWN_OP_VALUE(%rbx), %rax
	mov	KNOWN_OP_EXTRA(%rbx), %rdx
	lea	table(%rip), %rsi
	movslq	(%rsi,%rcx,4), %rcx
	add	%rsi, %rcx
	jmp	*%rcx

next:
	incq	KNOWN_TURN_NEXT(%r13)
	jmp	known_code

/* The faulting instruction is not tried again, so the frame can stay where it is. */
known_code_fault:
	mov	%rbp, %rsp
	incq	KNOWN_TURN_FAULTS(%r13)
	jmp	next

known_code_trap:
	out	%al, $KNOWN_PORT_TRAP
	jmp	known_code_trap

	.balign 4
table:
	.long	next - table
	.long	do_end - table
	.long	do_read - table
	.long	do_write1 - table
	.long	do_write2 - table
	.long	do_write4 - table
	.long	do_write8 - table
	.long	do_movs - table
	.long	do_stos - table
	.long	do_xchg - table
	.long	do_cmpxchg - table
	.long	do_cmpxchg_fail - table
	.long	do_or - table
	.long	do_and - table
	.long	do_bts - table
	.long	do_btr - table
	.long	do_xor - table
	.long	do_cr0 - table
	.long	do_cr3 - table
	.long	do_cr4 - table
	.long	do_invlpg - table
	.long	do_invpcid - table

/* The monitor may put the number back before it lets the vCPU go on. */
do_end:
	incq	KNOWN_TURN_NEXT(%r13)
	out	%al, $KNOWN_PORT_END
	jmp	known_code
do_read:
	mov	(%rdi), %rax
	jmp	next
do_write1:
	mov	%al, (%rdi)
	jmp	next
do_write2:
	mov	%ax, (%rdi)
	jmp	next
do_write4:
	mov	%eax, (%rdi)
	jmp	next
do_write8:
	mov	%rax, (%rdi)
	jmp	next
do_movs:
	lea	KNOWN_OP_VALUE(%rbx), %rsi
	movsq
	jmp	next
do_stos:
	mov	%rdx, %rcx
	rep stosq
	jmp	next
do_xchg:
	xchg	%rax, (%rdi)
	jmp	next
do_cmpxchg:
	mov	%rax, %rdx
	mov	(%rdi), %rax
	lock cmpxchg %rdx, (%rdi)
	jmp	next
do_cmpxchg_fail:
	mov	%rax, %rdx
	mov	(%rdi), %rax
	not	%rax
	lock cmpxchg %rdx, (%rdi)
	jmp	next
do_or:
	lock or	%rax, (%rdi)
	jmp	next
do_and:
	lock and %rax, (%rdi)
	jmp	next
do_bts:
	lock bts %rax, (%rdi)
	jmp	next
do_btr:
	lock btr %rax, (%rdi)
	jmp	next
do_xor:
	xor	%rax, (%rdi)
	jmp	next
do_cr0:
	mov	%rax, %cr0
	jmp	next
do_cr3:
	mov	%rax, %cr3
	jmp	next
do_cr4:
	mov	%rax, %cr4
	jmp	next
do_invlpg:
	invlpg	(%rdi)
	jmp	next
do_invpcid:
	movzwl	KNOWN_OP_TYPE(%rbx), %eax
	invpcid	KNOWN_OP_VALUE(%rbx), %rax
	jmp	next
known_code_end:

	.section .note.GNU-stack, "", @progbits
