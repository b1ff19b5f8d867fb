/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Made-up events to try models with: what an exact capture of a small random guest would hold, and
 * what no guest would cause.
 */
#ifndef UNSYNC_REPLAY_EXERCISE_H
#define UNSYNC_REPLAY_EXERCISE_H

#include <stddef.h>
#include <stdint.h>

#include "trace/event.h"

struct ur_exercise {
	struct ut_event *events;
	size_t n;
	struct ut_entry *entries; /* what the events' pages point into */
	size_t n_entries;
};

/**
 * ur_exercise_guest() - the life of a random guest
 * @x: filled in; to be freed with ur_exercise_free() in any case
 * @seed: the same seed gives the same events
 * @steps: things that the guest does; each is some events
 *
 * Two vCPUs and three address spaces share tables; tables map themselves and each other; entries are
 * global, narrower, large, cleared, moved. The guest writes its tables through a map of its memory,
 * switches spaces (with PCIDs for odd seeds), flushes in every way there is, changes CR0.WP and
 * CR4.PGE; the host gives tables up. The host faults at every access, so that a model has a say
 * whether it would have faulted, too.
 *
 * Return: 0, or -1 if out of memory.
 */
int ur_exercise_guest(struct ur_exercise *x, uint64_t seed, size_t steps);

/**
 * ur_exercise_nonsense() - @n events with fields at random, each in the range that a trace may hold
 *
 * Return: 0, or -1 if out of memory.
 */
int ur_exercise_nonsense(struct ur_exercise *x, uint64_t seed, size_t n);

void ur_exercise_free(struct ur_exercise *x);

#endif
