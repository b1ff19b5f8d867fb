/* SPDX-License-Identifier: GPL-2.0-only */
/* The made-up guest with one leaf table in place: what tests of single events begin with. */
#ifndef UNSYNC_TESTS_BED_H
#define UNSYNC_TESTS_BED_H

#include "guest.h"

#define BED_USER (UT_PTE_P | UT_PTE_W | UT_PTE_U | UT_PTE_A | UT_PTE_D)
#define BED_VA 0x400000ull /* entry 2 of a level-2 table, entry 0 of the leaf table below */
#define BED_ENTRY 2	   /* of the level-2 table */
#define BED_DATA 0x10ull   /* the first of the frames that are no tables */
#define BED_FILLED 16	   /* entries of a leaf table that map something */

struct bed {
	struct guest g;
	uint64_t l3, l2, l1; /* tables on the way to BED_VA in root 0 */
};

/* A guest of two roots and some vCPUs on a model; fails the test if the options are wrong. */
void bed_lay(struct bed *b, const char *model, const char *options, unsigned int vcpus);
void bed_lay_model(struct bed *b, const struct um_model *model, const char *options,
		   unsigned int vcpus);
/* The end of it: the instance must not have failed. */
void bed_lift(struct bed *b);
/* A leaf table that maps BED_FILLED frames. */
uint64_t bed_leaf(struct bed *b);
/* Hang a leaf table at BED_VA below a root by tables of its own; returns the level-2 table. */
uint64_t bed_hang(struct bed *b, uint64_t root, uint64_t l1, uint64_t flags);
/* Address of an entry of the leaf table at BED_VA. */
uint64_t bed_va(unsigned int i);
/* vCPU 0 writes an entry of the leaf table. */
void bed_set(struct bed *b, unsigned int i, uint64_t value);
/* vCPU 0 reads, as a user; true if the shadow let it through. */
bool bed_read(struct bed *b, uint64_t gva);
void bed_switch(struct bed *b, unsigned int root);
uint64_t bed_count(const struct bed *b, enum um_counter c);
/* The shadow page of a table, of whatever role; NULL if there is none. */
struct um_page *bed_page(const struct bed *b, uint64_t gfn);

#endif
