/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the mini guest's CPU would do, by the architecture: the memory that scripts use, walks of the
 * page tables in it, and the effect of every operation, step by step.
 *
 * Nothing here knows of a hypervisor. Accessed and dirty bits are not set by walks: that happens
 * when the hypervisor chooses to, and whoever knows when sets them by machine_word().
 */
#ifndef UNSYNC_TESTS_KNOWN_MACHINE_H
#define UNSYNC_TESTS_KNOWN_MACHINE_H

#include "trace/event.h"
#include "vm.h"

#define MACHINE_LOW 16 /* frames from 0 on: what entries name whose third byte is zero */
#define MACHINE_TABLES 3
#define MACHINE_FRAMES (MACHINE_LOW + KNOWN_POOL + KNOWN_DATA + MACHINE_TABLES)

struct machine_cpu {
	uint64_t cr0, cr3, cr4; /* CR3 without no-flush */
	uint64_t pdpte[4];	/* with PAE */
};

struct machine {
	const struct paging *paging;
	uint64_t word[MACHINE_FRAMES][512];
	struct machine_cpu cpu[VM_VCPUS];
};

struct machine_walk {
	uint64_t gva;
	uint64_t entry[VM_LEVELS]; /* by level - 1, as they are in memory, or in a register */
	uint64_t at[VM_LEVELS];	   /* their physical addresses */
	unsigned int bottom;
	bool fault;
	uint64_t gpa; /* unless it faults */
};

/* What one step of an operation does. An operation has one step for each write to a frame's word. */
struct machine_step {
	const struct known_op *op;
	unsigned int part;
	bool access;		  /* the step reads or writes memory by an address of the script */
	bool write;		  /* wants to write */
	struct machine_walk walk; /* of that address */
	/* If it writes and does not fault: */
	uint64_t gpa;
	uint64_t old, value;
	unsigned int size;
};

/**
 * machine_init() - as vm_ram_reset() and vm_create() leave a machine
 */
void machine_init(struct machine *m, const struct paging *paging, uint64_t cr3, uint64_t cr4);

/**
 * machine_frame() - the words of a frame, or NULL if scripts have nothing to do with it
 *
 * The tables that all address spaces share are among them; scripts never write to these.
 */
uint64_t *machine_frame(struct machine *m, uint64_t gfn);

/**
 * machine_gfn() - the other way round: @index is that of struct machine's word[]
 */
uint64_t machine_gfn(unsigned int index);

/* Index of a frame in struct machine's word[]; -1 if there is none. */
int machine_index(uint64_t gfn);

/* May scripts write there? */
bool machine_is_writable(uint64_t gfn);

/**
 * machine_walk() - translate an address
 *
 * As kernel mode does; faults as the CPU with its present registers does.
 */
struct machine_walk machine_walk(const struct machine *m, unsigned int vcpu, uint64_t gva,
				 bool write);

/**
 * machine_steps() - how many steps an operation has; at least one
 */
unsigned int machine_steps(const struct machine *m, const struct known_op *op);

/**
 * machine_look() - what a step would do now
 */
struct machine_step machine_look(const struct machine *m, const struct known_op *op,
				 unsigned int part);

/**
 * machine_do() - do it
 */
void machine_do(struct machine *m, const struct machine_step *step);

/**
 * machine_ad() - the accessed and dirty bits in a word of a table
 */
static inline uint64_t machine_ad(const struct paging *paging)
{
	return (UT_PTE_A | UT_PTE_D) * (paging->entry == 4 ? 0x100000001ull : 1);
}

/**
 * machine_top() - the highest level whose entries are in tables
 */
static inline unsigned int machine_top(const struct machine *m)
{
	return m->paging->levels - (m->paging->registers ? 1 : 0);
}

/* Bytes of physical memory; those of frames that scripts do not use read as zero. */
uint64_t machine_read(const struct machine *m, uint64_t gpa, unsigned int size);

#endif
