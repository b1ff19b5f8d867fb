/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The HTML page: the answer, the matrix, the charts, how far to trust it, how to repeat it. One file
 * that needs no other, no network and no script; light and dark.
 */
#ifndef UNSYNC_PLOTS_PAGE_H
#define UNSYNC_PLOTS_PAGE_H

#include <stdbool.h>
#include <stdio.h>

#include "plots/charts.h"
#include "plots/results_read.h"

struct pl_page {
	const struct pl_results *results;
	const struct pl_chart *charts;
	size_t n_charts;
	const char *charts_dir; /* where the SVG files lie; NULL: a page without charts */
	bool svg, png;		/* which of them stay beside the page, to be linked */
	const char *command;	/* that made this page */
	const char *version;	/* of this program */
};

/**
 * pl_page() - write the page
 * @out: to be checked with ferror() by the caller
 * @page: what goes into it
 * @error: a line for the user if it fails
 * @error_len: bytes there
 *
 * Return: 0, or -1.
 */
int pl_page(FILE *out, const struct pl_page *page, char *error, size_t error_len);

#endif
