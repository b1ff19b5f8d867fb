/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sections of the page, one function each; page.c puts them together.
 */
#ifndef UNSYNC_PLOTS_PAGE_PARTS_H
#define UNSYNC_PLOTS_PAGE_PARTS_H

#include <stdio.h>

#include "plots/page.h"

/**
 * pl_matrix_tables() - traces against models, a table for each kind of figure, winners marked
 *
 * Return: 0, or -1 if out of memory.
 */
int pl_matrix_tables(FILE *out, const struct pl_results *r);

/**
 * pl_cost_words() - who costs least on each platform, and where that turns
 *
 * Return: 0, or -1 if out of memory.
 */
int pl_cost_words(FILE *out, const struct pl_results *r);

/**
 * pl_trace_tables() - all figures of one trace
 */
void pl_trace_tables(FILE *out, const struct pl_results *r, size_t trace);

/**
 * pl_trust_tables() - what was lost, how wide bounds are, what was verified, what agrees with the host
 */
void pl_trust_tables(FILE *out, const struct pl_results *r);

/**
 * pl_trust_limits() - failures, warnings, and what a replay cannot tell
 */
void pl_trust_limits(FILE *out, const struct pl_results *r);

/**
 * pl_reproduce_section() - commands, hashes, versions
 */
void pl_reproduce_section(FILE *out, const struct pl_page *page);

#endif
