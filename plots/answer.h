/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What follows from a set of results: totals, who is ahead where, and the three sentences that open
 * the page. No winner is named where bounds or intervals overlap.
 */
#ifndef UNSYNC_PLOTS_ANSWER_H
#define UNSYNC_PLOTS_ANSWER_H

#include <stdio.h>

#include "plots/results_read.h"

/* Exits by cause, as charts and tables group them. The last group takes every other exit_ counter. */
struct pl_exit_group {
	const char *counter; /* NULL: the rest */
	const char *name;    /* "page faults filled" */
};
#define PL_EXIT_GROUPS 6
extern const struct pl_exit_group pl_exit_groups[PL_EXIT_GROUPS];

enum pl_rank {
	PL_BEHIND, /* or there is nothing to compare with */
	PL_TIED,   /* among the best; bounds or intervals do not tell them apart */
	PL_BEST,
};

/**
 * pl_exits() - all exits that a run surely took (lower bound)
 */
uint64_t pl_exits(const struct pl_run *run);

/**
 * pl_exits_max() - exits with every further fault that the trace cannot rule out (upper bound)
 */
uint64_t pl_exits_max(const struct pl_run *run);

/**
 * pl_exit_group() - exits of one of the pl_exit_groups
 */
uint64_t pl_exit_group(const struct pl_run *run, size_t group);

/**
 * pl_rank_exits() - which design has the fewest exits on a trace
 * @results: the set
 * @trace: number of the trace
 * @rank: one element for each model of the set; filled in
 *
 * The model without shadow paging and those that are bounds take no part. Ahead is every design that
 * may have the fewest: its lower bound is not above the upper bound of any other. Several are tied. On
 * a native trace nobody is ranked: an unknown share of the writes, which the designs differ in, is not
 * in it.
 */
void pl_rank_exits(const struct pl_results *results, size_t trace, enum pl_rank *rank);

/**
 * pl_rank_time() - which design spends the least time in resyncs on a trace
 *
 * As pl_rank_exits(), by the 95 % intervals of the medians. Runs without measurement, without a
 * resync, or with too few passes for an interval, take no part.
 */
void pl_rank_time(const struct pl_results *results, size_t trace, enum pl_rank *rank);

/**
 * pl_ranked() - can anybody be ahead on this trace? On a recorded and exact one.
 */
bool pl_ranked(const struct pl_trace *trace);

/**
 * pl_compared() - does the comparison rest on this trace?
 *
 * On exact traces if there is any in the set, else on native ones; on synthetic ones, of which only one can
 * be left here (plots/growth.h), if there is nothing else.
 */
bool pl_compared(const struct pl_results *results, size_t trace);

/* What pl_answer() says, in this order; the first three are the answer that opens the page. */
enum pl_sentence {
	PL_SAYS_COST,  /* total cost by platform, and where that turns */
	PL_SAYS_EXITS, /* who takes the fewest */
	PL_SAYS_TIME,  /* who spends the least time in resyncs */
	PL_SAYS_CAUSE, /* what the difference in exits consists of */
	PL_SENTENCES
};

/**
 * pl_answer() - what follows from the results, in words
 * @results: the set
 * @sentence: filled in with text (not HTML) to be freed by the caller
 *
 * Return: 0, or -1 if out of memory (then nothing needs to be freed).
 */
int pl_answer(const struct pl_results *results, char *sentence[PL_SENTENCES]);

/**
 * pl_answer_cost() - the first of them
 *
 * Return: 0, or -1 if out of memory.
 */
int pl_answer_cost(FILE *out, const struct pl_results *results);

#endif
