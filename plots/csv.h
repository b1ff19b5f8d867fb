/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The data behind each chart, as CSV with a line of headings (RFC 4180, but lines end in LF). Counts
 * are whole numbers, times carry their unit in the heading, a figure that does not exist is an empty
 * field. Models without shadow paging are left out.
 */
#ifndef UNSYNC_PLOTS_CSV_H
#define UNSYNC_PLOTS_CSV_H

#include <stdio.h>

#include "plots/results_read.h"

/* A name as charts show it: short, plain, without commas. */
void pl_csv_label(FILE *out, const char *text);

/* What the guest pays, by component: one line for each design. */
void pl_csv_cost(FILE *out, const struct pl_results *r, size_t trace);

/* Exits by cause: one line for each design. */
void pl_csv_exits(FILE *out, const struct pl_results *r, size_t trace);

/* Tables synced usefully and in vain, entries compared by outcome: one line for each design. */
void pl_csv_synced(FILE *out, const struct pl_results *r, size_t trace);

/* Distribution of resync latency: one line for each design and bucket. */
void pl_csv_latency(FILE *out, const struct pl_results *r, size_t trace);

/* Percentiles of resync latency: one line for each design. */
void pl_csv_percentiles(FILE *out, const struct pl_results *r, size_t trace);

/* Out-of-sync tables, exits and time in resyncs over the trace's time: one line for each bin. */
void pl_csv_timeline(FILE *out, const struct pl_results *r, size_t trace);

/* Each design's exits and time in resyncs against the least, trace by trace, and who is ahead. */
void pl_csv_matrix(FILE *out, const struct pl_results *r, size_t trace);

/* Bytes of bookkeeping at peak, in KiB: one line for each compared trace. */
void pl_csv_bookkeeping(FILE *out, const struct pl_results *r, size_t trace);

/* Shadow pages at peak, in KiB: one line for each compared trace. */
void pl_csv_pages(FILE *out, const struct pl_results *r, size_t trace);

/* Time of the resyncs against the physical floor, with intervals: one line for each compared trace. */
void pl_csv_floor(FILE *out, const struct pl_results *r, size_t trace);

/* What the model and the recorded host did alike, and only one of them: a line for each run. */
void pl_csv_agreement(FILE *out, const struct pl_results *r, size_t trace);

/* For the page's script: width of a bin in s, then the three series of each design, a line each. */
void pl_hover_timeline(FILE *out, const struct pl_results *r, size_t trace);

/* For the page's script: of each design a line of upper ends in ns and resyncs, in turns. */
void pl_hover_latency(FILE *out, const struct pl_results *r, size_t trace);

/* Exits per 1000 events, bounds: one line for each compared trace. @trace is not used. */
void pl_csv_exits_overview(FILE *out, const struct pl_results *r, size_t trace);

/* Time in resyncs per 1000 events, with intervals: one line for each compared trace. */
void pl_csv_resync_overview(FILE *out, const struct pl_results *r, size_t trace);

/*
 * Time in resyncs for each CR3 write, with intervals: one line for each point of a series of synthetic
 * traces and design. @trace is not used, here and below.
 */
void pl_csv_growth_resync(FILE *out, const struct pl_results *r, size_t trace);

void pl_hover_growth_resync(FILE *out, const struct pl_results *r, size_t trace);

/* Exits on table writes for each CR3 write, and what else was counted: as above. */
void pl_csv_growth_writes(FILE *out, const struct pl_results *r, size_t trace);
void pl_hover_growth_writes(FILE *out, const struct pl_results *r, size_t trace);

#endif
