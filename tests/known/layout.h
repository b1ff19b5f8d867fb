/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where things lie in the memory of the mini guest, and the operations that its interpreter knows.
 * Read by the assembler, too.
 *
 * The first 2 MiB belong to the interpreter and are never part of an answer: its code, stacks,
 * scripts, and the tables that every address space shares. The second 2 MiB hold the frames that
 * scripts use as tables or data, the third the frames that are only ever data; the fourth is there for
 * pages of 4 MiB. All of it is mapped once, by large pages, in the upper half of every address space.
 */
#ifndef UNSYNC_TESTS_KNOWN_LAYOUT_H
#define UNSYNC_TESTS_KNOWN_LAYOUT_H

#define KNOWN_RAM 0x800000
/* Where physical address 0 is mapped: see struct paging, too. */
#define KNOWN_DIRECT 0xffff800000000000
#define KNOWN_DIRECT_FIVE 0xff00000000000000
#define KNOWN_DIRECT_32 0xc0000000

#define KNOWN_CODE 0x10000
#define KNOWN_IDT 0x11000
#define KNOWN_GDT 0x12000
#define KNOWN_TSS 0x13000
#define KNOWN_STACK 0x14000 /* a page for each vCPU */
#define KNOWN_TURN 0x18000  /* a page for each vCPU, see below */
#define KNOWN_PDPT 0x1a000
#define KNOWN_PD 0x1b000
#define KNOWN_P4D 0x1c000
#define KNOWN_OPS 0x20000 /* for each vCPU KNOWN_OPS_BYTES, or one array for both */
#define KNOWN_OPS_BYTES 0x40000

#define KNOWN_POOL_FRAME 0x200 /* frames that may be tables */
#define KNOWN_POOL 48
#define KNOWN_ROOTS 6 /* the first ones of them: the only ones that CR3 ever names */
/*
 * With PAE CR3 names four entries, and two such tables lie in each of these frames. They are where no
 * address leads if the frame is a table of another level: the accessed bit is reserved in them.
 */
#define KNOWN_PDPT_OFFSET 0xe00
#define KNOWN_PDPT_BYTES 0x20
#define KNOWN_PDPTS 2
#define KNOWN_DATA_FRAME 0x400
#define KNOWN_DATA 16

/* In a page of KNOWN_TURN. */
#define KNOWN_TURN_NEXT 0   /* number of the next operation */
#define KNOWN_TURN_FAULTS 8 /* page faults that this vCPU had */

/* The interpreter of 32-bit modes has too few registers: at the end of a vCPU's stack. */
#define KNOWN_RUN_BYTES 16
#define KNOWN_RUN_TURN 0 /* addresses */
#define KNOWN_RUN_OPS 4
#define KNOWN_RUN_VCPU 8 /* its number */

/* An operation as the interpreter reads it: struct known_op. */
#define KNOWN_OP_SHIFT 5
#define KNOWN_OP_VCPU 1
#define KNOWN_OP_TYPE 2
#define KNOWN_OP_GVA 8
#define KNOWN_OP_VALUE 16
#define KNOWN_OP_EXTRA 24

/*
 * In the order of the interpreter's table. Where the name says nothing else they are 4 bytes wide in
 * 32-bit modes, 8 in the others. 32-bit modes have no KNOWN_WRITE8, but CMPXCHG of type 8 is CMPXCHG8B.
 */
#define KNOWN_NOP 0
#define KNOWN_END 1
#define KNOWN_READ 2
#define KNOWN_WRITE1 3
#define KNOWN_WRITE2 4
#define KNOWN_WRITE4 5
#define KNOWN_WRITE8 6
#define KNOWN_MOVS 7
#define KNOWN_STOS 8 /* extra: how many words */
#define KNOWN_XCHG 9
#define KNOWN_CMPXCHG 10      /* finds what it expects */
#define KNOWN_CMPXCHG_FAIL 11 /* does not, and writes what was there */
#define KNOWN_OR 12
#define KNOWN_AND 13
#define KNOWN_BTS 14 /* value: number of the bit */
#define KNOWN_BTR 15
#define KNOWN_XOR                                                                                  \
	16 /* not an instruction to write tables with: the host takes the table's shadow away */
#define KNOWN_CR0 17
#define KNOWN_CR3 18
#define KNOWN_CR4 19
#define KNOWN_INVLPG 20
#define KNOWN_INVPCID 21 /* type; value: PCID; extra: address */
#define KNOWN_CODES 22

#define KNOWN_PORT_END 0x10
#define KNOWN_PORT_TRAP 0x11 /* an exception that no script causes */

#endif
