/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From results to a folder with charts and a page.
 */
#ifndef UNSYNC_PLOTS_REPORT_H
#define UNSYNC_PLOTS_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plots/results_read.h"

struct pl_options {
	const char *dir;	 /* where to */
	bool force;		 /* even if it holds other files */
	bool svg, png;		 /* formats to leave beside the page */
	const char *gnuplot;	 /* program; NULL: "gnuplot" from PATH */
	const char *command;	 /* that the user gave, for the page */
	const char *version;	 /* of the program */
	bool (*cancelled)(void); /* asked often; true: stop, leave nothing. May be NULL */
	void (*progress)(const char *what, uint64_t done, uint64_t total);	  /* may be NULL */
	void (*warn)(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* may be NULL */
};

/**
 * pl_report() - draw everything and write the page
 * @results: at least one trace
 * @options: what to do
 * @error: a line for the user if it fails
 * @error_len: bytes there
 *
 * On failure nothing is left behind, and an earlier output is as it was.
 *
 * Return: 0, or -1.
 */
int pl_report(const struct pl_results *results, const struct pl_options *options, char *error,
	      size_t error_len);

#endif
