/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What to bear in mind when reading the times of a run: each matter once, with the traces and models that
 * it concerns.
 */
#ifndef UNSYNC_REPLAY_NOTES_H
#define UNSYNC_REPLAY_NOTES_H

#include "replay/replay.h"

/* Load averages over a minute; below 0: unknown. */
struct ur_load {
	double before, after;
	double cores;
};

/**
 * ur_note_build() - is this build too slow by design to measure anything?
 */
void ur_note_build(struct ur_warnings *w);

/**
 * ur_note_load() - was the machine busy with something else?
 *
 * A replay itself keeps one processor busy, which is no reason to worry.
 */
void ur_note_load(struct ur_warnings *w, const struct ur_load *load);

/**
 * ur_note_passes() - are there enough to tell models apart?
 * @passes: how many; 0: nothing was measured
 */
void ur_note_passes(struct ur_warnings *w, unsigned int passes);

/**
 * ur_note_trace() - what one trace's passes give reason to note
 * @w: notes are added
 * @trace: replayed, measured
 * @clock: it was measured with
 */
void ur_note_trace(struct ur_warnings *w, const struct ur_trace *trace,
		   const struct ur_clock *clock);

#endif
