/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the runs of a set of results come to on a platform: from the counted results alone to the bills of
 * cost/bill.h.
 */
#ifndef UNSYNC_PLOTS_COST_H
#define UNSYNC_PLOTS_COST_H

#include <stdbool.h>

#include "cost/bill.h"
#include "cost/platform.h"
#include "plots/results_read.h"

/* Stands for all compared traces together. */
#define PL_ALL_TRACES SIZE_MAX

/* The designs of one trace, or of all compared ones together. */
struct pl_bills {
	size_t n;		       /* as many as the set has models */
	struct co_bill *bill;	       /* for each model of the set */
	bool *there;		       /* does the model have a bill? */
	const struct co_bill **ranked; /* those that compete; NULL: the others */
};

/**
 * pl_bills() - what each model has to pay for
 * @results: the set
 * @trace: number of the trace, or PL_ALL_TRACES: models that have a result for each of them
 * @bills: result, to be given back with pl_bills_free()
 *
 * The model without shadow paging has no bill. Bounds have one and do not compete; on a native trace
 * nobody does, as an unknown share of the writes is not in it.
 *
 * Return: 0, or -1 if out of memory.
 */
int pl_bills(const struct pl_results *results, size_t trace, struct pl_bills *bills);

/**
 * pl_bills_free() - give back what pl_bills() made
 */
void pl_bills_free(struct pl_bills *bills);

#endif
