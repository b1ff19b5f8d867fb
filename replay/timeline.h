/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How counts develop over a trace's time, in a few hundred bins. Counted, so always the same.
 */
#ifndef UNSYNC_REPLAY_TIMELINE_H
#define UNSYNC_REPLAY_TIMELINE_H

#include <stdint.h>

#define UR_MAX_BINS 240

struct ur_timeline {
	uint64_t first_ns;		     /* time at which bin 0 begins */
	uint64_t bin_ns;		     /* width of a bin */
	unsigned int n;			     /* bins */
	uint64_t unsync[UR_MAX_BINS];	     /* most tables out of sync at once in the bin */
	uint64_t exits[UR_MAX_BINS];	     /* exits in the bin */
	uint64_t tables_synced[UR_MAX_BINS]; /* tables synced in the bin */
};

/**
 * ur_timeline_init() - lay out empty bins over the time from @first_ns to @last_ns, both included
 */
void ur_timeline_init(struct ur_timeline *t, uint64_t first_ns, uint64_t last_ns);

/**
 * ur_timeline_bin() - number of the bin that a time falls into; times outside go to the nearest
 */
unsigned int ur_timeline_bin(const struct ur_timeline *t, uint64_t ns);

/**
 * ur_timeline_gauge() - tables out of sync at a moment in a bin; the highest stays
 */
static inline void ur_timeline_gauge(struct ur_timeline *t, unsigned int bin, uint64_t unsync)
{
	if (unsync > t->unsync[bin])
		t->unsync[bin] = unsync;
}

#endif
