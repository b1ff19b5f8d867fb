/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pieces of HTML that several parts of the page use: text, cells, tables, links to traces, the colour
 * and name of a model. Everything that is written is escaped.
 */
#ifndef UNSYNC_PLOTS_HTML_H
#define UNSYNC_PLOTS_HTML_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "plots/charts.h"
#include "plots/results_read.h"

/**
 * pl_element() - <tag attributes>escaped text</tag>
 * @attributes: as they are to be written; "" for none
 */
void pl_element(FILE *out, const char *tag, const char *attributes, const char *text);

/**
 * pl_count_cell() - a cell with a count
 */
void pl_count_cell(FILE *out, uint64_t n);

/**
 * pl_time_cell() - a cell with a time
 */
void pl_time_cell(FILE *out, double ns);

/**
 * pl_interval() - the 95 % interval of a time in small print, or why there is none
 */
void pl_interval(FILE *out, const struct pl_stat *s);

/**
 * pl_model_label() - a model's name behind a patch of its colour; may be broken where an option begins
 */
void pl_model_label(FILE *out, const struct pl_results *r, size_t model);

/**
 * pl_trace_link() - a trace's id as a link to its section
 */
void pl_trace_link(FILE *out, const struct pl_results *r, size_t trace);

/**
 * pl_in_table() - has a table of this trace a column for this model?
 * @measured: a table of times, which has one for the harness's own cost, too
 */
bool pl_in_table(const struct pl_results *r, size_t trace, size_t model, bool measured);

#define for_each_column(r, trace, measured, m)                                                     \
	for (size_t m = 0; (m) < (r)->n_models; (m)++)                                             \
		if (pl_in_table(r, trace, m, measured))

/**
 * pl_table_begin() - a table in a box that scrolls if it must, below its caption; ends in <tbody>
 * @caption: what the table shows
 * @class: of the table; "" for none
 */
void pl_table_begin(FILE *out, const char *caption, const char *class);

/**
 * pl_table_end() - closes <tbody> and everything that pl_table_begin() opened
 */
void pl_table_end(FILE *out);

/**
 * pl_columns() - a heading line: one column for each name, the first @n_text of them text
 */
void pl_columns(FILE *out, const char *const *names, size_t n_text);

/**
 * pl_model_columns() - a heading line: @first, then the models of a trace
 */
void pl_model_columns(FILE *out, const struct pl_results *r, size_t trace, bool measured,
		      const char *first);

#endif
