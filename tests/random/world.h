/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The life of a random guest as an exact capture would hold it, made to go where shadow paging is hard:
 * tables that several roots share, reached with different access, used at two levels, mapping themselves
 * and each other; two or three vCPUs on one address space; PCIDs with and without no-flush; global
 * entries that change; large pages; upper entries that move; tables freed and used as data; writes of
 * every size and alignment; the host giving tables up in between. In five paging modes.
 *
 * Such a guest does what no kernel would, but nothing that the architecture leaves undefined: what its
 * processors may see at each moment is well defined, and that is all that an oracle needs.
 */
#ifndef UNSYNC_TESTS_RANDOM_WORLD_H
#define UNSYNC_TESTS_RANDOM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/event.h"

struct life {
	struct ut_event *events;
	size_t n, cap;
	struct ut_entry **contents; /* what the events' pages point to */
	size_t n_contents, cap_contents;
	const char *mode; /* for people: paging mode and what else is peculiar */
};

/**
 * live() - make up a life
 * @life: filled in; to be freed with life_free()
 * @seed: the same gives the same
 * @steps: things that the guest does; each is a few events
 *
 * Running out of memory ends the program.
 */
void live(struct life *life, uint64_t seed, unsigned int steps);
void life_free(struct life *life);

#endif
