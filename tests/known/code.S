/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the mini guest executes: reads operations and does them, one after the other. Runs at any
 * address; the monitor (vm.c) sets the registers:
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

/* ---- the same in 32 bits, for both entry sizes: always at this address ---- */

#define BASE32 (KNOWN_DIRECT_32 + KNOWN_CODE)

	.code32
	.balign 16
	.globl known_code32, known_code32_end, known_code32_fault, known_code32_trap

known_code32:
	mov	KNOWN_RUN_TURN(%ebp), %esi
	mov	KNOWN_TURN_NEXT(%esi), %ebx
	shl	$KNOWN_OP_SHIFT, %ebx
	add	KNOWN_RUN_OPS(%ebp), %ebx
	mov	KNOWN_RUN_VCPU(%ebp), %eax
	cmp	%al, KNOWN_OP_VCPU(%ebx)
	je	1f
	pause
	jmp	known_code32
1:
	movzbl	(%ebx), %ecx
	mov	KNOWN_OP_GVA(%ebx), %edi
	mov	KNOWN_OP_VALUE(%ebx), %eax
	mov	KNOWN_OP_EXTRA(%ebx), %edx
	jmp	*(table32 - known_code32 + BASE32)(,%ecx,4)

next32:
	mov	KNOWN_RUN_TURN(%ebp), %esi
	incl	KNOWN_TURN_NEXT(%esi)
	jmp	known_code32

known_code32_fault:
	mov	%ebp, %esp
	mov	KNOWN_RUN_TURN(%ebp), %esi
	incl	KNOWN_TURN_FAULTS(%esi)
	jmp	next32

known_code32_trap:
	out	%al, $KNOWN_PORT_TRAP
	jmp	known_code32_trap

	.balign 4
table32:
	.long	next32 - known_code32 + BASE32
	.long	end32 - known_code32 + BASE32
	.long	read32 - known_code32 + BASE32
	.long	write1_32 - known_code32 + BASE32
	.long	write2_32 - known_code32 + BASE32
	.long	write4_32 - known_code32 + BASE32
	.long	known_code32_trap - known_code32 + BASE32
	.long	movs32 - known_code32 + BASE32
	.long	stos32 - known_code32 + BASE32
	.long	xchg32 - known_code32 + BASE32
	.long	cmpxchg32 - known_code32 + BASE32
	.long	cmpxchg_fail32 - known_code32 + BASE32
	.long	or32 - known_code32 + BASE32
	.long	and32 - known_code32 + BASE32
	.long	bts32 - known_code32 + BASE32
	.long	btr32 - known_code32 + BASE32
	.long	xor32 - known_code32 + BASE32
	.long	cr0_32 - known_code32 + BASE32
	.long	cr3_32 - known_code32 + BASE32
	.long	cr4_32 - known_code32 + BASE32
	.long	invlpg32 - known_code32 + BASE32
	.long	known_code32_trap - known_code32 + BASE32

end32:
	mov	KNOWN_RUN_TURN(%ebp), %esi
	incl	KNOWN_TURN_NEXT(%esi)
	out	%al, $KNOWN_PORT_END
	jmp	known_code32
read32:
	mov	(%edi), %eax
	jmp	next32
write1_32:
	mov	%al, (%edi)
	jmp	next32
write2_32:
	mov	%ax, (%edi)
	jmp	next32
write4_32:
	mov	%eax, (%edi)
	jmp	next32
movs32:
	lea	KNOWN_OP_VALUE(%ebx), %esi
	movsl
	jmp	next32
stos32:
	mov	%edx, %ecx
	rep stosl
	jmp	next32
xchg32:
	xchg	%eax, (%edi)
	jmp	next32
cmpxchg32:
	cmpw	$8, KNOWN_OP_TYPE(%ebx)
	je	1f
	mov	%eax, %edx
	mov	(%edi), %eax
	lock cmpxchg %edx, (%edi)
	jmp	next32
1:
	mov	KNOWN_OP_VALUE+4(%ebx), %ecx
	mov	%eax, %ebx
	mov	(%edi), %eax
	mov	4(%edi), %edx
	lock cmpxchg8b (%edi)
	jmp	next32
cmpxchg_fail32:
	cmpw	$8, KNOWN_OP_TYPE(%ebx)
	je	1f
	mov	%eax, %edx
	mov	(%edi), %eax
	not	%eax
	lock cmpxchg %edx, (%edi)
	jmp	next32
1:
	mov	KNOWN_OP_VALUE+4(%ebx), %ecx
	mov	%eax, %ebx
	mov	(%edi), %eax
	mov	4(%edi), %edx
	not	%eax
	lock cmpxchg8b (%edi)
	jmp	next32
or32:
	lock or	%eax, (%edi)
	jmp	next32
and32:
	lock and %eax, (%edi)
	jmp	next32
bts32:
	lock bts %eax, (%edi)
	jmp	next32
btr32:
	lock btr %eax, (%edi)
	jmp	next32
xor32:
	xor	%eax, (%edi)
	jmp	next32
cr0_32:
	mov	%eax, %cr0
	jmp	next32
cr3_32:
	mov	%eax, %cr3
	jmp	next32
cr4_32:
	mov	%eax, %cr4
	jmp	next32
invlpg32:
	invlpg	(%edi)
	jmp	next32
known_code32_end:
	.code64

	.section .note.GNU-stack, "", @progbits
