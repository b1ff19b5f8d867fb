// SPDX-License-Identifier: GPL-2.0-only
#include "plots/page_parts.h"

#include <stdlib.h>

#include "plots/answer.h"
#include "plots/html.h"
#include "plots/text.h"

/* One kind of figure: a table of its own, chosen by a tab. */
struct matrix {
	const char *tab, *caption;
	void (*rank)(const struct pl_results *r, size_t trace, enum pl_rank *rank);
	double (*value)(const struct pl_run *run); /* below 0: there is none */
	void (*figures)(FILE *out, const struct pl_run *run);
};

static double exits_value(const struct pl_run *run)
{
	return (double)pl_exits(run);
}

static void exits_figures(FILE *out, const struct pl_run *run)
{
	char a[PL_NUMBER];

	fputs(pl_group(a, pl_exits(run)), out);
	if (pl_exits_max(run) > pl_exits(run))
		fprintf(out, "<small>to %s</small>", pl_group(a, pl_exits_max(run)));
}

static double time_value(const struct pl_run *run)
{
	return run->measured && run->measured->count ? run->measured->resync_total.median : -1;
}

static void time_figures(FILE *out, const struct pl_run *run)
{
	char a[PL_NUMBER];

	fputs(pl_time(a, run->measured->resync_total.median), out);
	pl_interval(out, &run->measured->resync_total);
}

static const struct matrix matrices[] = {
	{ "Exits, counted",
	  "Exits from guest to host, and the bound where more cannot be ruled out. Counted: the "
	  "same "
	  "in every run. ✓ fewest; ≈ the bounds do not tell these apart; × against the least.",
	  pl_rank_exits, exits_value, exits_figures },
	{ "Time in resyncs, measured",
	  "Time in resyncs per pass: median and its 95 % interval; exits are not in it. ✓ least; ≈ "
	  "the intervals do not tell these apart; × against the least.",
	  pl_rank_time, time_value, time_figures },
};

#define N_MATRICES (sizeof(matrices) / sizeof(matrices[0]))

/* The least of all designs that are compared: bounds and the harness are none. */
static double least(const struct pl_results *r, size_t trace, const struct matrix *x)
{
	double low = -1;

	for_each_column(r, trace, false, m) {
		double v = x->value(pl_run_of(r, trace, m));

		if (!r->models[m].bound && v >= 0 && (low < 0 || v < low))
			low = v;
	}
	return low;
}

static void put_cell(FILE *out, const struct pl_results *r, const struct matrix *x, size_t trace,
		     size_t model, enum pl_rank rank)
{
	const struct pl_run *run = pl_run_of(r, trace, model);
	double v = run ? x->value(run) : -1, low = least(r, trace, x);
	char a[PL_NUMBER];

	if (v < 0) {
		fprintf(out, "<td class=\"none\">%s</td>", run ? "none" : "no result");
		return;
	}
	fprintf(out, "<td%s data-v=\"%.1f\">%s",
		rank == PL_BEST	  ? " class=\"best\""
		: rank == PL_TIED ? " class=\"tie\""
				  : "",
		v,
		rank == PL_BEST	  ? "<b>✓</b> "
		: rank == PL_TIED ? "<b>≈</b> "
				  : "");
	x->figures(out, run);
	if (rank == PL_BEST)
		fputs("<small>least</small>", out);
	else if (rank == PL_TIED)
		fputs("<small>not told apart</small>", out);
	else if (!r->traces[trace].exact)
		fputs("<small>without unseen writes</small>", out);
	else if (low > 0)
		fprintf(out, "<small>× %s</small>", pl_factor(a, v / low));
	fputs("</td>", out);
}

static void put_row(FILE *out, const struct pl_results *r, const struct matrix *x, size_t model,
		    const enum pl_rank *rank)
{
	fprintf(out, "<tr data-m=\"%zu\"><th scope=\"row\">", model);
	pl_model_label(out, r, model);
	if (r->models[model].bound)
		fputs("<small>a bound</small>", out);
	fputs("</th>", out);
	for (size_t t = 0; t < r->n_traces; t++) {
		if (pl_compared(r, t))
			put_cell(out, r, x, t, model, rank[t * r->n_models + model]);
	}
	fputs("</tr>\n", out);
}

static void put_columns(FILE *out, const struct pl_results *r)
{
	char a[PL_NUMBER];

	fputs("<thead><tr><th scope=\"col\" class=\"text\">design</th>", out);
	for (size_t t = 0; t < r->n_traces; t++) {
		if (!pl_compared(r, t))
			continue;
		fprintf(out, "<th scope=\"col\" data-t=\"%zu\">", t + 1);
		pl_trace_link(out, r, t);
		fprintf(out, "<small>%s, %s events</small></th>",
			r->traces[t].exact ? "exact" : "native", pl_group(a, r->traces[t].events));
	}
	fputs("</tr></thead><tbody>\n", out);
}

/* Bounds stand below the designs, in a part of their own that is sorted by itself. */
static void put_table(FILE *out, const struct pl_results *r, const struct matrix *x,
		      const enum pl_rank *rank)
{
	bool any = false;

	pl_table_begin(out, x->caption, "sort matrix");
	put_columns(out, r);
	for (size_t m = 0; m < r->n_models; m++) {
		if (pl_shown(r, SIZE_MAX, m) && !r->models[m].bound)
			put_row(out, r, x, m, rank);
	}
	for (size_t m = 0; m < r->n_models; m++) {
		if (!pl_shown(r, SIZE_MAX, m) || !r->models[m].bound)
			continue;
		if (!any)
			fputs("</tbody><tbody>\n", out);
		any = true;
		put_row(out, r, x, m, rank);
	}
	pl_table_end(out);
}

static bool has_figures(const struct pl_results *r, const struct matrix *x)
{
	for (size_t i = 0; i < r->n_runs; i++) {
		if (!r->models[r->runs[i].model].null && pl_compared(r, r->runs[i].trace) &&
		    x->value(&r->runs[i]) >= 0)
			return true;
	}
	return false;
}

int pl_matrix_tables(FILE *out, const struct pl_results *r)
{
	enum pl_rank *rank = calloc(r->n_traces * r->n_models + 1, sizeof(*rank));

	if (!rank)
		return -1;
	fputs("<div class=\"tabs\">\n", out);
	for (size_t i = 0; i < N_MATRICES; i++) {
		if (has_figures(r, &matrices[i]))
			fprintf(out,
				"<input type=\"radio\" name=\"matrix\" id=\"x%zu\"%s><label "
				"for=\"x%zu\">%s</label>\n",
				i, i ? "" : " checked", i, matrices[i].tab);
	}
	for (size_t i = 0; i < N_MATRICES; i++) {
		if (!has_figures(r, &matrices[i]))
			continue;
		for (size_t t = 0; t < r->n_traces; t++)
			matrices[i].rank(r, t, rank + t * r->n_models);
		fprintf(out, "<div class=\"panel x%zu\">\n", i);
		put_table(out, r, &matrices[i], rank);
		fputs("</div>\n", out);
	}
	fputs("</div>\n", out);
	free(rank);
	return 0;
}
