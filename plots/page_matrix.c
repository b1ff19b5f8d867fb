// SPDX-License-Identifier: GPL-2.0-only
#include "plots/page_parts.h"

#include <stdlib.h>
#include <string.h>

#include "cost/rank.h"
#include "plots/answer.h"
#include "plots/cost.h"
#include "plots/cost_csv.h"
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
		fprintf(out, "<small>to %s</small> ", pl_group(a, pl_exits_max(run)));
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

static void begin_cell(FILE *out, enum pl_rank rank, double value)
{
	fprintf(out, "<td%s data-v=\"%.1f\">%s",
		rank == PL_BEST	  ? " class=\"best\""
		: rank == PL_TIED ? " class=\"tie\""
				  : "",
		value,
		rank == PL_BEST	  ? "<b>✓</b> "
		: rank == PL_TIED ? "<b>≈</b> "
				  : "");
}

static void begin_row(FILE *out, const struct pl_results *r, size_t model)
{
	fprintf(out, "<tr data-m=\"%zu\"><th scope=\"row\">", model);
	pl_model_label(out, r, model);
	if (r->models[model].bound)
		fputs("<small>a bound</small>", out);
	fputs("</th>", out);
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
	begin_cell(out, rank, v);
	x->figures(out, run);
	if (rank != PL_BEHIND)
		fputs("</td>", out);
	else if (!r->traces[trace].exact)
		fputs("<small>without unseen writes</small></td>", out);
	else if (low > 0)
		fprintf(out, "<small>× %s</small></td>", pl_factor(a, v / low));
	else
		fputs("</td>", out);
}

static void put_row(FILE *out, const struct pl_results *r, const struct matrix *x, size_t model,
		    const enum pl_rank *rank)
{
	begin_row(out, r, model);
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
			r->traces[t].synthetic ? "synthetic"
			: r->traces[t].exact   ? "exact"
					       : "native",
			pl_group(a, r->traces[t].events));
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

/* ---- total cost ---- */

static double least_cost(const struct pl_bills *bills, const struct co_platform *platform)
{
	double low = -1;

	for (size_t m = 0; m < bills->n; m++) {
		double v;

		if (!bills->ranked[m])
			continue;
		v = co_cost(bills->ranked[m], platform, CO_COMPONENT_END).value_least;
		if (low < 0 || v < low)
			low = v;
	}
	return low;
}

static void cost_cell(FILE *out, const struct pl_bills *bills, const struct co_platform *p,
		      size_t model)
{
	uint64_t ahead = co_ahead(bills->ranked, bills->n, p);
	struct co_cost cost = co_cost(&bills->bill[model], p, CO_COMPONENT_END);
	double low = least_cost(bills, p);
	char a[PL_NUMBER], b[PL_NUMBER];

	if (!bills->there[model]) {
		fputs("<td class=\"none\">no result</td>", out);
		return;
	}
	begin_cell(out,
		   !(ahead >> model & 1)    ? PL_BEHIND
		   : ahead == 1ull << model ? PL_BEST
					    : PL_TIED,
		   cost.value_least);
	fputs(pl_time(a, cost.value_least), out);
	if (strcmp(a, pl_time(b, cost.value_most)) != 0)
		fprintf(out, "<small>to %s</small> ", b);
	if (!(ahead >> model & 1) && low > 0)
		fprintf(out, "<small>× %s</small> ", pl_factor(a, cost.value_least / low));
	fprintf(out, "<small class=\"range\">(%s to %s)</small></td>", pl_time(a, cost.low),
		pl_time(b, cost.high));
}

static void put_costs(FILE *out, const struct pl_results *r, const struct pl_bills *bills)
{
	pl_table_begin(
		out,
		"Total cost of all traces together: what was counted, times what it takes on "
		"a platform; in brackets over all that the ranges of its prices allow. "
		"✓ least; ≈ bounds do not tell these apart; × against the least.",
		"sort matrix");
	fputs("<thead><tr><th scope=\"col\" class=\"text\">design</th>", out);
	for (size_t i = 0; i < r->n_platforms; i++) {
		fputs("<th scope=\"col\">", out);
		pl_html(out, r->platforms[i].name);
		fputs("<small>", out);
		pl_html(out, r->platforms[i].title);
		fputs("</small></th>", out);
	}
	fputs("</tr></thead><tbody>\n", out);
	for (int bounds = 0; bounds < 2; bounds++) {
		if (bounds)
			fputs("</tbody><tbody>\n", out);
		for (size_t m = 0; m < r->n_models; m++) {
			if (!pl_shown(r, SIZE_MAX, m) || r->models[m].bound != bounds)
				continue;
			begin_row(out, r, m);
			for (size_t i = 0; i < r->n_platforms; i++)
				cost_cell(out, bills, &r->platforms[i], m);
			fputs("</tr>\n", out);
		}
	}
	pl_table_end(out);
}

/* ---- all of them ---- */

static bool has_figures(const struct pl_results *r, const struct matrix *x)
{
	for (size_t i = 0; i < r->n_runs; i++) {
		if (!r->models[r->runs[i].model].null && pl_compared(r, r->runs[i].trace) &&
		    x->value(&r->runs[i]) >= 0)
			return true;
	}
	return false;
}

static void put_tab(FILE *out, size_t number, const char *name, bool first)
{
	fprintf(out,
		"<input type=\"radio\" name=\"matrix\" id=\"x%zu\"%s><label "
		"for=\"x%zu\">%s</label>\n",
		number, first ? " checked" : "", number, name);
}

static void put_matrices(FILE *out, const struct pl_results *r, const struct pl_bills *bills,
			 enum pl_rank *rank)
{
	bool cost = pl_priced(r, SIZE_MAX), first = !cost;

	fputs("<div class=\"tabs\">\n", out);
	if (cost)
		put_tab(out, N_MATRICES, "Total cost by platform", true);
	for (size_t i = 0; i < N_MATRICES; i++) {
		if (!has_figures(r, &matrices[i]))
			continue;
		put_tab(out, i, matrices[i].tab, first);
		first = false;
	}
	if (cost) {
		fprintf(out, "<div class=\"panel x%zu\">\n", N_MATRICES);
		put_costs(out, r, bills);
		fputs("</div>\n", out);
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
}

int pl_matrix_tables(FILE *out, const struct pl_results *r)
{
	enum pl_rank *rank = calloc(r->n_traces * r->n_models + 1, sizeof(*rank));
	struct pl_bills bills = { .n = 0 };
	int ret = -1;

	if (rank && !pl_bills(r, PL_ALL_TRACES, &bills)) {
		put_matrices(out, r, &bills, rank);
		pl_bills_free(&bills);
		ret = 0;
	}
	free(rank);
	return ret;
}
