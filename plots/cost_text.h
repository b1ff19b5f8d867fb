/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What costs come to, in words: who costs least, and from which price on.
 */
#ifndef UNSYNC_PLOTS_COST_TEXT_H
#define UNSYNC_PLOTS_COST_TEXT_H

#include <stdio.h>

#include "cost/rank.h"
#include "plots/results_read.h"

/**
 * pl_put_price() - "740 ns (1,850 cycles)"; without cycles where the platform's clock is not known
 */
void pl_put_price(FILE *out, const struct co_platform *platform, double ns);

/**
 * pl_put_ahead() - "a costs least", "a and b are not told apart"
 * @set: as co_ahead() gives it
 */
void pl_put_ahead(FILE *out, const struct pl_results *results, uint64_t set);

/**
 * pl_swept_to() - how far a sweep is told: ten times the upper end of the price's range
 */
double pl_swept_to(const struct co_platform *platform, enum co_price price);

/**
 * pl_put_regions() - "below 740 ns (1,850 cycles) a costs least; above, b costs least"
 * @regions: as co_sweep() gives them
 * @n: how many
 * @end: beyond this nothing is told
 */
void pl_put_regions(FILE *out, const struct pl_results *results, const struct co_platform *platform,
		    const struct co_region *regions, size_t n, double end);

/**
 * pl_put_sweep() - "exit, 0 to 6.20 µs (15,500 cycles): " and what pl_put_regions() writes
 * @ranked: the designs that compete, as in struct pl_bills
 *
 * Return: 0, or -1 if out of memory.
 */
int pl_put_sweep(FILE *out, const struct pl_results *results, const struct co_platform *platform,
		 const struct co_bill *const *ranked, enum co_price price);

#endif
