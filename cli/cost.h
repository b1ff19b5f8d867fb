/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * unsync cost, in parts: what was asked for, what is printed, and profiles out of traces.
 */
#ifndef UNSYNC_CLI_COST_H
#define UNSYNC_CLI_COST_H

#include <stdbool.h>
#include <stdio.h>

#include "cost/rank.h"
#include "plots/cost.h"

/* One trace on one platform. */
struct cost_sheet {
	const struct pl_results *results;
	const struct co_platform *platform;
	size_t trace; /* PL_ALL_TRACES: all compared ones together */
	struct pl_bills bills;
};

struct cost_request {
	const struct co_platform *platforms;
	size_t n_platforms;
	bool ranges;	 /* table: over the ranges of the prices, not by their values */
	bool components; /* table: by component */
	bool crossings;	 /* table: every pair of designs that changes places */
};

/**
 * cost_table() - for people: what each design costs, who costs least, and where that turns
 *
 * Return: 0, or -1 if out of memory. @out is to be checked with ferror() by the caller, here and below.
 */
int cost_table(FILE *out, const struct pl_results *results, const struct cost_request *request);

/**
 * cost_csv() - one line for each trace, platform and design. Return: 0, or -1 if out of memory.
 */
int cost_csv(FILE *out, const struct pl_results *results, const struct cost_request *request);

/**
 * cost_json() - everything. Return: 0, or -1 if out of memory.
 */
int cost_json(FILE *out, const struct pl_results *results, const struct cost_request *request);

/**
 * cost_profile() - write a platform profile made from the exit summary of a trace
 * @trace: the file
 * @base: profile for what such a summary does not tell
 * @name: of the new one
 * @out: where to
 *
 * Return: EXIT_OK, or the exit status if it fails; the user was told.
 */
int cost_profile(const char *trace, const struct co_platform *base, const char *name, FILE *out);

#endif
