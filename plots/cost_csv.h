/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The data behind the charts of total cost: counts times the prices of the platforms of a set
 * (plots/cost.h). As the others in plots/csv.h; designs are numbered from 1 in the order of the charts'
 * colours.
 */
#ifndef UNSYNC_PLOTS_COST_CSV_H
#define UNSYNC_PLOTS_COST_CSV_H

#include <stdio.h>

#include "plots/results_read.h"

/* By component, in ms: platform by platform, one line for each design. */
void pl_csv_total(FILE *out, const struct pl_results *r, size_t trace);

/* The same for all compared traces together. @trace is not used. */
void pl_csv_total_overview(FILE *out, const struct pl_results *r, size_t trace);

/* On the first platform: each design's cost as a line over a price, for both prices that are swept. */
void pl_csv_crossing(FILE *out, const struct pl_results *r, size_t trace);

/* And who costs least from where to where: one line for each design that is among them. */
void pl_csv_crossing_regions(FILE *out, const struct pl_results *r, size_t trace);

/* Who costs least over both prices, on every platform, trace by trace and for all together. */
void pl_csv_turns(FILE *out, const struct pl_results *r, size_t trace);

/**
 * pl_priced() - are there platforms to tell costs for, and a design to be ranked?
 * @trace: number of the trace, or SIZE_MAX for all compared ones
 */
bool pl_priced(const struct pl_results *r, size_t trace);

#endif
