/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The set of global tables out of sync that oos-per-root keeps for a VM: an array of a few slots, as
 * reviewed in September 2008, with a choice of whom to evict when it is full; or without a bound, as
 * Linux 2.6.29 had it (a list, commit 6cffe8ca4a2).
 */
#ifndef UNSYNC_MODELS_OOS_GLOBALS_H
#define UNSYNC_MODELS_OOS_GLOBALS_H

#include "models/model.h"

/* In the order of the option's choices. */
enum um_replace { UM_REPLACE_FIFO, UM_REPLACE_LRU, UM_REPLACE_SECOND_CHANCE, UM_REPLACE_RANDOM };

struct um_global_slot {
	struct um_page *page; /* NULL: free */
	uint64_t stamp;	      /* time of the last use */
	bool used;	      /* since the hand of second chance went by */
};

struct um_globals {
	struct um_global_slot *slots;
	unsigned int n_slots;
	unsigned int n_pages;
	unsigned int cursor; /* FIFO: slot of the next newcomer; second chance: the hand */
	enum um_replace replace;
	bool unbounded;
	uint64_t clock, rng;
};

/**
 * um_globals_init() - prepare an empty set
 * @g: zeroed
 * @slots: of a bounded set; may be 0
 * @unbounded: it grows instead
 * @replace: whom a newcomer to a full set evicts
 * @seed: for UM_REPLACE_RANDOM; the same seed gives the same choices
 *
 * Return: 0, or -1 if there is no memory.
 */
int um_globals_init(struct um_globals *g, unsigned int slots, bool unbounded,
		    enum um_replace replace, uint64_t seed);
void um_globals_free(struct um_globals *g);

/**
 * um_globals_has_room() - can the set take a page at all, if need be in another's place?
 */
static inline bool um_globals_has_room(const struct um_globals *g)
{
	return g->n_slots || g->unbounded;
}

/**
 * um_globals_place() - choose the slot of a newcomer
 *
 * If the slot is taken the caller evicts who is there before it calls um_globals_put(). FIFO goes round
 * and does not look for a free slot; the others take one if there is one.
 *
 * Return: the slot, or -1 if an unbounded set found no memory.
 */
int um_globals_place(struct um_globals *g);

/**
 * um_globals_put() - a page takes a free slot that um_globals_place() chose; counts as no use of it
 */
void um_globals_put(struct um_globals *g, unsigned int slot, struct um_page *page);

/**
 * um_globals_take() - empty a slot
 *
 * Return: the page that has moved into it from the end of an unbounded set, or NULL.
 */
struct um_page *um_globals_take(struct um_globals *g, unsigned int slot);

/**
 * um_globals_touch() - the page in a slot was used
 */
void um_globals_touch(struct um_globals *g, unsigned int slot);

#endif
