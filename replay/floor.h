/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The physical floor of a resync: how long this machine takes to read the bytes that any comparison of
 * two tables has to read, from where they lie in its caches.
 *
 * It is measured in the same run, with the same clock, between the passes of the models: tables of
 * 4 KiB, each read once from its first word to its last, one table after the other in an order that no
 * prefetcher guesses. Where tables come from is a matter of how many are gone through before the first is
 * wanted again, so a model is held against a set as large as that of the tables it syncs. For orientation
 * sets are read, too, that fill half of each cache, and one that no cache holds.
 */
#ifndef UNSYNC_REPLAY_FLOOR_H
#define UNSYNC_REPLAY_FLOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "replay/clock.h"

#define UR_FLOOR_LEVELS 5    /* four of caches and memory, at most */
#define UR_FLOOR_TABLE 4096u /* bytes */

struct ur_floor_level {
	char name[8];	/* "L1", "L2", ..., "memory" */
	uint64_t cache; /* bytes of it; 0 for memory */
	uint64_t set;	/* bytes of the tables read */
	uint64_t at;	/* see ur_floor_read() */
	bool assumed;	/* the system does not tell the size */
};

struct ur_floor {
	const struct ur_clock *clock;
	unsigned int n;
	struct ur_floor_level level[UR_FLOOR_LEVELS]; /* nearest first */
	uint64_t *tables;
	uint64_t bytes; /* of them, as much as the largest set */
	uint64_t sum;	/* of what was read, so that it counts as used */
};

/**
 * ur_floor_create() - find out about the caches and lay out the tables
 * @clock: that of the measured passes
 *
 * Takes memory of several times the last cache, or leaves the level beyond it out where a quarter of the
 * machine's memory does not suffice. Return: NULL if out of memory.
 */
struct ur_floor *ur_floor_create(const struct ur_clock *clock);

void ur_floor_free(struct ur_floor *floor);

/**
 * ur_floor_read() - measure how long reading a table takes if so many are gone through
 * @floor: the tables
 * @set: bytes of all tables; more than there are: all of them
 * @at: where to go on in the set; any number at first
 *
 * A set that fits a cache is read once before, so that it lies there. Return: ns for one table, in the
 * fastest of several stretches.
 */
double ur_floor_read(struct ur_floor *floor, uint64_t set, uint64_t *at);

/**
 * ur_floor_round() - measure each level once; takes a few milliseconds
 * @floor: the tables
 * @ns: set to the time of one table, for each level
 */
void ur_floor_round(struct ur_floor *floor, double *ns);

/**
 * ur_floor_level() - the level where a set of tables lies: the nearest cache that holds all of it
 * @floor: the levels
 * @bytes: of the set
 */
unsigned int ur_floor_level(const struct ur_floor *floor, uint64_t bytes);

#endif
