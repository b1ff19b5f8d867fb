/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The clock of measured results: the processor's time-stamp counter where it runs at a constant
 * rate, else CLOCK_MONOTONIC_RAW.
 */
#ifndef UNSYNC_REPLAY_CLOCK_H
#define UNSYNC_REPLAY_CLOCK_H

#include <stdint.h>

struct ur_clock {
	const char *source;	/* "tsc" or "monotonic"; static */
	uint64_t (*read)(void); /* ticks; ordered against the code before and after it */
	double ns_per_tick;
	double overhead_ticks;	 /* cost of one reading */
	double resolution_ticks; /* the step in which it advances, as seen */
};

/**
 * ur_clock_init() - choose a clock, calibrate it and measure its own cost
 * @clock: filled in
 *
 * Takes about 60 ms. The rate is found by reading the chosen clock and CLOCK_MONOTONIC_RAW at both
 * ends of a pause; the cost is the median over many batches of back-to-back readings, each divided
 * by the batch's length, so that it is finer than the counter's own step.
 */
void ur_clock_init(struct ur_clock *clock);

/**
 * ur_clock_net() - ticks between two readings, without what reading cost
 * @clock: the clock
 * @ticks: difference of two readings; one that ran backwards (as a wrapped number) gives 0
 */
uint64_t ur_clock_net(const struct ur_clock *clock, uint64_t ticks);

#endif
