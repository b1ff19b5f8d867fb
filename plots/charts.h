/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The charts: what each shows, which gnuplot script draws it, and the CSV file that it is drawn from.
 * A new chart is one more row of the table in charts.c, one function that writes its CSV, one script.
 */
#ifndef UNSYNC_PLOTS_CHARTS_H
#define UNSYNC_PLOTS_CHARTS_H

#include <stdbool.h>
#include <stdio.h>

#include "plots/results_read.h"

#define PL_CHART_NAME 128

/* The section of the page that a chart stands in. */
enum pl_place { PL_MATRIX, PL_SIDE_BY_SIDE, PL_COST, PL_TRACE, PL_TRUST };

/* One kind of chart. */
struct pl_chart_kind {
	const char *name;   /* first part of its files' names */
	const char *script; /* file in plots/, given to gnuplot */
	const char *title;
	const char *caption; /* what is to be seen, for the page; plain text */
	bool overview;	     /* one chart over all compared traces; else one for each trace */
	enum pl_place place;
	bool growth; /* an overview of the traces in results->growth instead */
	bool (*applies)(const struct pl_results *r, size_t trace);
	void (*csv)(FILE *out, const struct pl_results *r, size_t trace);
	const char *axis; /* overview: what the bars' length means */
	const char *line; /* overview: what the line at their end means */
	bool timed;	  /* shows measured times, so the passes are named */
	bool priced;	  /* shows costs on platforms */
	bool one_price;	  /* only those of the first platform */
	/*
	 * What the page's script shows under the pointer: the reader in page.js, and what writes the data
	 * that it reads. NULL: nothing. The chart's script then notes its panels in <name>.panels: x, y,
	 * width, height in pixels, the ends of the x axis, 1 if that is logarithmic,
	 * and 1 if the panel shows something else than the others.
	 */
	const char *hover;
	void (*hover_data)(FILE *out, const struct pl_results *r, size_t trace);
	/* A second file of data, <name>.<extra>.csv; NULL: none. */
	const char *extra;
	void (*extra_csv)(FILE *out, const struct pl_results *r, size_t trace);
};

/* One chart to be drawn. */
struct pl_chart {
	const struct pl_chart_kind *kind;
	size_t trace;		  /* of an overview: 0, and not used */
	char name[PL_CHART_NAME]; /* of its files, without the suffix */
};

/**
 * pl_charts() - every chart that a set of results gives
 * @charts: result, to be freed by the caller: overviews first, then trace by trace
 * @n: how many
 *
 * Return: 0, or -1 if out of memory.
 */
int pl_charts(const struct pl_results *results, struct pl_chart **charts, size_t *n);

/**
 * pl_chart_title() - its title, with the trace that it shows
 */
void pl_chart_title(FILE *out, const struct pl_results *results, const struct pl_chart *chart);

/**
 * pl_chart_note() - the line under the title: how many events, passes, bounds
 */
void pl_chart_note(FILE *out, const struct pl_results *results, const struct pl_chart *chart);

/**
 * pl_chart_shows() - does a chart show this model?
 */
bool pl_chart_shows(const struct pl_results *results, const struct pl_chart *chart, size_t model);

/**
 * pl_chart_colours() - "#rrggbb #rrggbb ...": of each design that the chart shows, in order
 */
void pl_chart_colours(FILE *out, const struct pl_results *results, const struct pl_chart *chart);

/**
 * pl_colour() - the colour of a model, the same in every chart of a set, as "#rrggbb"
 *
 * The palette is that of Okabe and Ito (2008), which people with any colour vision can tell apart.
 */
const char *pl_colour(const struct pl_results *results, size_t model);

/**
 * pl_colour_dark() - the same on a dark page
 */
const char *pl_colour_dark(const struct pl_results *results, size_t model);

/**
 * pl_shown() - do the charts of a trace show this model? (Those of an overview: trace SIZE_MAX.)
 */
bool pl_shown(const struct pl_results *results, size_t trace, size_t model);

#endif
