// SPDX-License-Identifier: GPL-2.0-only
#include "models/oos_globals.h"

#include <stdlib.h>

#define FIRST_SLOTS 16 /* of a set without a bound */

static int resize(struct um_globals *g, unsigned int slots)
{
	struct um_global_slot *more = realloc(g->slots, slots * sizeof(*more));

	if (!more)
		return -1;
	for (unsigned int i = g->n_slots; i < slots; i++)
		more[i] = (struct um_global_slot){ 0 };
	g->slots = more;
	g->n_slots = slots;
	return 0;
}

int um_globals_init(struct um_globals *g, unsigned int slots, bool unbounded,
		    enum um_replace replace, uint64_t seed)
{
	g->unbounded = unbounded;
	g->replace = replace;
	g->rng = seed;
	if (unbounded)
		slots = FIRST_SLOTS;
	return slots ? resize(g, slots) : 0;
}

void um_globals_free(struct um_globals *g)
{
	free(g->slots);
}

static unsigned int next_round(struct um_globals *g)
{
	unsigned int slot = g->cursor;

	g->cursor = (g->cursor + 1) % g->n_slots;
	return slot;
}

static unsigned int free_slot(const struct um_globals *g)
{
	unsigned int i = 0;

	while (g->slots[i].page)
		i++;
	return i;
}

static unsigned int least_recent(const struct um_globals *g)
{
	unsigned int best = 0;

	for (unsigned int i = 1; i < g->n_slots; i++) {
		if (g->slots[i].stamp < g->slots[best].stamp)
			best = i;
	}
	return best;
}

/* Pass over those that were used since the hand went by; each is spared once. */
static unsigned int second_chance(struct um_globals *g)
{
	unsigned int slot = next_round(g);

	while (g->slots[slot].used) {
		g->slots[slot].used = false;
		slot = next_round(g);
	}
	return slot;
}

static unsigned int any_slot(struct um_globals *g)
{
	g->rng = g->rng * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned int)((g->rng >> 33) % g->n_slots);
}

int um_globals_place(struct um_globals *g)
{
	if (g->unbounded) {
		if (g->n_pages == g->n_slots && resize(g, g->n_slots * 2))
			return -1;
		return (int)g->n_pages;
	}
	if (g->replace == UM_REPLACE_FIFO)
		return (int)next_round(g);
	if (g->n_pages < g->n_slots)
		return (int)free_slot(g);
	switch (g->replace) {
	case UM_REPLACE_LRU:
		return (int)least_recent(g);
	case UM_REPLACE_SECOND_CHANCE:
		return (int)second_chance(g);
	default:
		return (int)any_slot(g);
	}
}

void um_globals_put(struct um_globals *g, unsigned int slot, struct um_page *page)
{
	g->slots[slot] = (struct um_global_slot){ .page = page, .stamp = ++g->clock };
	g->n_pages++;
}

struct um_page *um_globals_take(struct um_globals *g, unsigned int slot)
{
	g->n_pages--;
	if (g->unbounded && slot != g->n_pages) {
		g->slots[slot] = g->slots[g->n_pages];
		g->slots[g->n_pages].page = NULL;
		return g->slots[slot].page;
	}
	g->slots[slot].page = NULL;
	return NULL;
}

void um_globals_touch(struct um_globals *g, unsigned int slot)
{
	g->slots[slot].used = true;
	g->slots[slot].stamp = ++g->clock;
}
