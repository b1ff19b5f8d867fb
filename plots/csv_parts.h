/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files that write CSV share.
 */
#ifndef UNSYNC_PLOTS_CSV_PARTS_H
#define UNSYNC_PLOTS_CSV_PARTS_H

#include <stdio.h>

#include "plots/charts.h"
#include "plots/csv.h"

#define PL_LABEL_CHARS 34 /* what fits beside a bar */

#define for_each_shown(r, trace, m)                                                                \
	for (size_t m = 0; (m) < (r)->n_models; (m)++)                                             \
		if (pl_shown(r, trace, m))

/**
 * pl_csv_heading() - one more heading of a line: a label and what the column holds
 */
void pl_csv_heading(FILE *out, const char *label, const char *what);

#endif
