/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Results for people (a table on the terminal) and for spreadsheets (CSV).
 */
#ifndef UNSYNC_REPLAY_REPORT_H
#define UNSYNC_REPLAY_REPORT_H

#include <stdio.h>

#include "replay/results.h"

/**
 * ur_report_table() - print one trace's results as tables: exits, keeping in step, time
 * @out: where to
 * @trace: results of ur_replay()
 * @context: what it was measured with; without a clock nothing was
 *
 * Return: 0, or -1 if out of memory. Whether printing succeeded is for the owner of @out to ask.
 */
int ur_report_table(FILE *out, const struct ur_trace *trace, const struct ur_context *context);

/**
 * ur_report_csv() - print results as CSV, a line for each trace and model
 * @out: where to
 * @traces: results of ur_replay()
 * @n: how many
 * @context: as above; without a clock the measured columns are left out
 *
 * Return: 0, or -1 if out of memory.
 */
int ur_report_csv(FILE *out, struct ur_trace *const *traces, size_t n,
		  const struct ur_context *context);

/**
 * ur_report_notes() - print what to bear in mind when reading the times, and what could not be measured
 * @out: where to
 * @context: of the whole run
 */
void ur_report_notes(FILE *out, const struct ur_context *context);

#endif
