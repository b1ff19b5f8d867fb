/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which design costs least, and at which price that turns. Costs are linear in each price, so where two
 * meet is solved, not sampled. Nobody is named ahead where bounds do not tell designs apart: ahead is
 * whose least does not exceed the most of any other.
 */
#ifndef UNSYNC_COST_RANK_H
#define UNSYNC_COST_RANK_H

#include <stddef.h>
#include <stdint.h>

#include "cost/bill.h"

/* The prices that are swept. */
#define CO_SWEPT 2
extern const enum co_price co_swept[CO_SWEPT];

#define CO_MAX_DESIGNS 64 /* a set of designs is a mask of bits */

/* From one price (ns) to another, the set of designs that may cost least. The last one has no end. */
struct co_region {
	double from, to;
	uint64_t ahead;
};

/* Two designs: which costs less, up to one price and from another on. */
struct co_crossing {
	size_t below, above; /* ahead below @from, ahead above @to */
	double from, to;     /* between them, bounds do not tell */
};

/**
 * co_ahead() - who may cost least by a profile's figures
 * @bills: of the designs; NULL: takes no part
 * @n: how many, at most CO_MAX_DESIGNS
 *
 * Return: a set of designs; empty if none takes part.
 */
uint64_t co_ahead(const struct co_bill *const *bills, size_t n, const struct co_platform *platform);

/**
 * co_ahead_anyhow() - who may cost least if every price may be anything within its range
 *
 * A price is the same for all designs, so what counts is their difference at every corner of the ranges.
 *
 * Return: a set of designs; if it holds one, that one is ahead whatever the prices.
 */
uint64_t co_ahead_anyhow(const struct co_bill *const *bills, size_t n,
			 const struct co_platform *platform);

/**
 * co_sweep() - who may cost least at each value of one price, from 0 up, the others as in the profile
 * @regions: result, to be freed by the caller, in rising order without gaps
 * @n_regions: how many; at least 1
 *
 * Return: 0, or -1 if out of memory.
 */
int co_sweep(const struct co_bill *const *bills, size_t n, const struct co_platform *platform,
	     enum co_price price, struct co_region **regions, size_t *n_regions);

/**
 * co_crossings() - each pair of designs of which one is ahead at low values of a price, the other at high
 * @crossings: result, to be freed by the caller, by rising @from
 * @n_crossings: how many
 *
 * Return: 0, or -1 if out of memory.
 */
int co_crossings(const struct co_bill *const *bills, size_t n, const struct co_platform *platform,
		 enum co_price price, struct co_crossing **crossings, size_t *n_crossings);

/**
 * co_line() - what a bill comes to as a function of one price, the others as in the profile
 * @most: the upper bound, else the lower one
 * @fixed: cost in ns without that price
 * @slope: what is added for each ns of it
 */
void co_line(const struct co_bill *bill, const struct co_platform *platform, enum co_price price,
	     bool most, double *fixed, double *slope);

#endif
