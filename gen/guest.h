/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tables of a synthetic guest, and the addresses that lead through them.
 *
 * User pages lie at the bottom of an address space; the guest's kernel sees all tables by way of large
 * pages near its top, which all roots share.
 */
#ifndef UNSYNC_GEN_GUEST_H
#define UNSYNC_GEN_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "gen/gen.h"

/* How tables are read. */
struct ug_mode {
	unsigned int levels, bits; /* bits of an address that index a table */
	unsigned int direct;	   /* top entry of the kernel's map of all tables */
	unsigned int user;	   /* top entries below this one are for user pages */
};

struct ug_table {
	uint64_t words[UT_TABLE_ENTRIES];
	unsigned int level;
	unsigned int shadowed; /* a bit for each part of it that the host has a shadow page of */
};

struct ug_guest {
	const struct ug_mode *mode;
	struct ug_table **tables; /* by frame number from UG_FIRST_TABLE on */
	uint32_t n_tables, cap;
	uint64_t rng;
};

#define UG_FIRST_TABLE 0x1000ull
#define UG_FIRST_PAGE 0x40000ull /* user pages are between here */
#define UG_PAGES 0x40000ull	 /* and as many frames later */

/**
 * ug_mode() - how tables are read with that many levels (2 to 5)
 */
const struct ug_mode *ug_mode(unsigned int levels);

/**
 * ug_room() - how many last-level tables an address space can have, if the ways to them part at a level
 */
uint64_t ug_room(const struct ug_mode *m, unsigned int branch);

/**
 * ug_count_tables() - how many tables a guest of these parameters has
 */
uint64_t ug_count_tables(const struct ug_options *o);

/**
 * ug_random() - the next number of a guest, below a bound
 */
uint64_t ug_random(struct ug_guest *g, uint64_t below);

/**
 * ug_build() - make all tables of a guest
 * @g: zeroed; to be given to ug_demolish() in any case
 * @o: parameters that passed ug_check()
 *
 * The roots are the first frames from UG_FIRST_TABLE on. Return: 0, or -1 if out of memory.
 */
int ug_build(struct ug_guest *g, const struct ug_options *o);
void ug_demolish(struct ug_guest *g);

/**
 * ug_table_at() - the table in a frame
 */
struct ug_table *ug_table_at(const struct ug_guest *g, uint64_t gfn);

/**
 * ug_entry() - an entry of a table, of 8 bytes or 4 as the mode has them
 */
uint64_t ug_entry(const struct ug_guest *g, uint64_t gfn, unsigned int index);
void ug_set_entry(struct ug_guest *g, uint64_t gfn, unsigned int index, uint64_t value);
unsigned int ug_entry_bytes(const struct ug_guest *g);

/**
 * ug_index() - which entry of a table at a level translates an address
 */
unsigned int ug_index(const struct ug_mode *m, uint64_t gva, unsigned int level);

/**
 * ug_user_address() - of the first page of a last-level table, by the table's number
 */
uint64_t ug_user_address(const struct ug_guest *g, const struct ug_options *o, uint64_t table);

/**
 * ug_direct_address() - where the guest's kernel sees a frame that is a table
 */
uint64_t ug_direct_address(const struct ug_guest *g, uint64_t gfn);

/**
 * ug_leaf() - frame of the last-level table that translates an address on a root
 */
uint64_t ug_leaf(const struct ug_guest *g, uint64_t root, uint64_t gva);

#endif
