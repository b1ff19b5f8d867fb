/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A made-up guest with tables of its own, on a host that is always in step: it turns accesses, table
 * writes and register writes into the events that an exact capture would hold, and feeds them to an
 * instance. It faults at every access (a superset of what any host would see), so that after each
 * access the model must say whether its shadow had let it through, and with which translation.
 */
#ifndef UNSYNC_TESTS_GUEST_H
#define UNSYNC_TESTS_GUEST_H

#include "models/mmu.h"

#define GUEST_TABLES 64
#define GUEST_FIRST_TABLE 0x100ull /* frames of the tables */
#define GUEST_DIRECT_MAP 0xffff888000000000ull
#define GUEST_RAM_FRAMES 512

struct guest {
	struct um_mmu *mmu;
	uint64_t table[GUEST_TABLES][UM_ENTRIES];
	uint8_t level[GUEST_TABLES]; /* 0: not a table now */
	bool shadowed[GUEST_TABLES]; /* the host has a shadow page of it */
	uint64_t cr3[2], cr4[2];
	uint64_t time;
	unsigned int n_tables;
};

struct guest_walk {
	uint64_t gptes[5]; /* by level - 1 */
	unsigned int bottom;
	bool present;
	uint64_t gfn;
	uint64_t all; /* AND of the entries */
};

/* Told of each instance before its first event (NULL), and of each event after it. NULL: nobody is. */
extern void (*guest_observer)(struct um_mmu *mmu, const struct ut_event *e);
/* An event that none of the functions below makes. */
void guest_event(struct guest *g, const struct ut_event *e);

/* A guest with @roots address spaces that share one direct map of all its frames. */
void guest_init(struct guest *g, struct um_mmu *mmu, unsigned int roots, unsigned int vcpus);
uint64_t guest_root(const struct guest *g, unsigned int n);
/* A fresh table of a level; the caller links it. Returns its frame; 0 if there is none left. */
uint64_t guest_new_table(struct guest *g, unsigned int level);
uint64_t *guest_entry(struct guest *g, uint64_t gfn, unsigned int index);
struct guest_walk guest_walk(struct guest *g, unsigned int vcpu, uint64_t gva);
/* Access; returns true if the model's shadow let it through without an exit. */
bool guest_access(struct guest *g, unsigned int vcpu, uint64_t gva, uint32_t error);
/* The guest kernel writes a table entry, through the direct map. */
void guest_write(struct guest *g, unsigned int vcpu, uint64_t gfn, unsigned int index,
		 uint64_t value);
void guest_cr3(struct guest *g, unsigned int vcpu, uint64_t value);
void guest_cr4(struct guest *g, unsigned int vcpu, uint64_t value);
void guest_invlpg(struct guest *g, unsigned int vcpu, uint64_t gva);
/* The host gives up its shadow pages of a table. */
void guest_zap(struct guest *g, uint64_t gfn);

#endif
