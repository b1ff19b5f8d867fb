/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * When this thread was not on a processor. On a busy machine another process gets the processor for
 * milliseconds at a time, in the middle of whatever is being timed; a resync takes a microsecond. So the
 * clock of the passes is held against the processor time that the system accounts to this thread, and what
 * the two differ by is taken off.
 *
 * Asking the system costs as much as a resync does, so it is asked only when something took far longer
 * than usual, at the end of each block, and nowhere else: every absence falls into one of those.
 */
#ifndef UNSYNC_REPLAY_AWAY_H
#define UNSYNC_REPLAY_AWAY_H

#include <stdbool.h>
#include <stdint.h>

#include "replay/clock.h"

/* Below this nobody looks: absences are not shorter as a rule, as changing processes takes a while itself. */
#define UR_AWAY_LONG_NS 50000.0
/* What the two clocks may differ by with nobody in between. */
#define UR_AWAY_NOISE_NS 5000.0

struct ur_away {
	const struct ur_clock *clock;
	uint64_t (*cpu_ns)(void);    /* processor time of this thread */
	bool blind;		     /* that is too coarse to tell anything: nobody is ever away */
	double look_ticks;	     /* cost of a look */
	uint64_t long_ticks;	     /* UR_AWAY_LONG_NS */
	uint64_t looked, seen;	     /* when it was looked at, or glanced at, last */
	uint64_t cpu;		     /* processor time at the last look */
	unsigned int looks, glances; /* since ur_away_begin() */
	double sum;		     /* ticks away since then */
};

/**
 * ur_away_init() - set up and calibrate
 * @a: filled in
 * @clock: of the passes
 * @cpu_ns: NULL: the system's
 */
void ur_away_init(struct ur_away *a, const struct ur_clock *clock, uint64_t (*cpu_ns)(void));

/**
 * ur_away_begin() - from now on
 */
void ur_away_begin(struct ur_away *a);

/**
 * ur_away_glance() - has it been long since the last glance or look? If so, look.
 */
void ur_away_glance(struct ur_away *a);

/**
 * ur_away_during() - something has just ended that took long
 * @a: glanced at when it was not under way yet, or a little earlier
 * @ticks: what it took
 *
 * Return: how much of it the thread was away. An absence is taken for one in one piece, so it lies in what
 * has just ended unless the time around that is long enough for it, too.
 */
double ur_away_during(struct ur_away *a, uint64_t ticks);

/**
 * ur_away_end() - look once more
 *
 * Return: ticks away since ur_away_begin().
 */
double ur_away_end(struct ur_away *a);

/**
 * ur_away_cost() - ticks that looking and glancing took since ur_away_begin()
 */
double ur_away_cost(const struct ur_away *a);

#endif
