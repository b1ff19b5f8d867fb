/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The measured part of what people read: times, costs and the floor, worked out from the passes.
 */
#ifndef UNSYNC_REPLAY_REPORT_TIMES_H
#define UNSYNC_REPLAY_REPORT_TIMES_H

#include <stdio.h>

#include "replay/results.h"
#include "replay/stats.h"

/* A figure that there may be none of. */
struct ur_figure {
	bool any;
	struct ur_stats of; /* over the passes */
};

/* Times of one run. */
struct ur_times {
	struct ur_stats total, resync, rate;
	struct ur_figure above_null;
	struct ur_figure cost[UR_COST_END];
	struct ur_figure read, ratio; /* a table of the model's set; table_ns to the floor */
	struct ur_figure hardware[UR_HW_END];
	uint64_t set; /* bytes of the tables that it reads; 0: there is no floor */
};

/**
 * ur_times_of() - work out the times of a run
 * @t: filled in
 * @trace: of the run
 * @run: measured, not failed
 * @context: what it was measured with
 *
 * Return: 0, or -1 if out of memory.
 */
int ur_times_of(struct ur_times *t, const struct ur_trace *trace, const struct ur_run *run,
		const struct ur_context *context);

/**
 * ur_report_times() - print the tables of times of one trace
 * @out: where to
 * @trace: results of ur_replay()
 * @context: what it was measured with
 * @width: of the column of labels
 *
 * Return: 0, or -1 if out of memory.
 */
int ur_report_times(FILE *out, const struct ur_trace *trace, const struct ur_context *context,
		    int width);

#endif
