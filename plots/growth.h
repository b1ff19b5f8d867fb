/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What costs grow with: synthetic traces (docs/synthetic.md) that differ in one parameter only are the
 * points of a series. They are no guests, so they stand apart from the traces that designs are compared on.
 */
#ifndef UNSYNC_PLOTS_GROWTH_H
#define UNSYNC_PLOTS_GROWTH_H

#include "plots/results_read.h"

#define PL_SERIES_POINTS 3 /* at least, or it is no series */
#define PL_MAX_SERIES 16

/* Traces of a set that differ in one parameter, by its rising values. */
struct pl_series {
	const char *parameter;
	size_t n, *traces; /* numbers in the set */
};

/* All series of a set, in the order in which the first trace names its parameters. */
struct pl_growth {
	struct pl_series series[PL_MAX_SERIES];
	size_t n;
};

/**
 * pl_parameter() - a parameter of a synthetic trace; 0 if it has none of that name, or no number
 */
uint64_t pl_parameter(const struct pl_trace *t, const char *name);

/**
 * pl_growth_find() - the series among the traces of a set
 * @r: the set
 * @g: result, to be given to pl_growth_free() in any case
 *
 * For each parameter, the largest group of traces that agree in all others; of several traces with
 * the same value, the first. What only decides how long a trace is, or what is drawn by lot, makes no series.
 *
 * Return: 0, or -1 if out of memory.
 */
int pl_growth_find(const struct pl_results *r, struct pl_growth *g);
void pl_growth_free(struct pl_growth *g);

/**
 * pl_growth_apart() - move all traces that are points of a series to a set of their own, r->growth
 * @r: all files have been read
 *
 * If nothing else would be left, the first one stays, too. Return: 0, or -1 if out of memory.
 */
int pl_growth_apart(struct pl_results *r);

#endif
