// SPDX-License-Identifier: GPL-2.0-only
/* Data of charts over all traces: who is ahead where, memory, agreement with the recorded host. */
#include "plots/csv.h"

#include <inttypes.h>
#include <stdlib.h>

#include "cost/rank.h"
#include "plots/answer.h"
#include "plots/cost.h"
#include "plots/csv_parts.h"
#include "plots/text.h"

/* ---- matrix ---- */

struct panel {
	const char *title;
	void (*rank)(const struct pl_results *r, size_t trace, enum pl_rank *rank);
	bool (*figures)(const struct pl_run *run, double *low, double *high);
};

static bool exits_figures(const struct pl_run *run, double *low, double *high)
{
	*low = (double)pl_exits(run);
	*high = (double)pl_exits_max(run);
	return true;
}

static bool time_figures(const struct pl_run *run, double *low, double *high)
{
	if (!run->measured || !run->measured->count)
		return false;
	*low = *high = run->measured->resync_total.median;
	return true;
}

static const struct panel panels[] = {
	{ "Exits (counted)", pl_rank_exits, exits_figures },
	{ "Time in resyncs (measured medians)", pl_rank_time, time_figures },
};

#define N_PANELS (sizeof(panels) / sizeof(panels[0]))

/* The least that a design surely takes; below 0: none takes part. */
static double least(const struct pl_results *r, size_t trace, const struct panel *p)
{
	double best = -1, low, high;

	for_each_shown(r, trace, m) {
		if (!r->models[m].bound && p->figures(pl_run_of(r, trace, m), &low, &high) &&
		    (best < 0 || low < best))
			best = low;
	}
	return best;
}

/* Nothing is as much as nothing; more than that has no ratio. */
static void put_ratio(FILE *out, double v, double best)
{
	if (best > 0 || v == best)
		fprintf(out, ",%.6g", v > best || v < best ? v / best : 1.0);
	else
		fputc(',', out);
}

/* One cell, but for its figures. */
static void put_place(FILE *out, size_t panel, const char *title, size_t column, const char *name,
		      size_t row, const char *label)
{
	fprintf(out, "%zu,%s,%zu,", panel, title, column);
	pl_csv_label(out, name);
	fprintf(out, ",%zu,", row);
	pl_csv_label(out, label);
}

static void put_cells(FILE *out, const struct pl_results *r, const struct panel *p, size_t trace,
		      size_t column, const enum pl_rank *rank)
{
	double best = least(r, trace, p), low, high;
	size_t row = 0;

	for_each_shown(r, SIZE_MAX, m) {
		const struct pl_run *run = pl_run_of(r, trace, m);

		put_place(out, (size_t)(p - panels) + 1, p->title, column, r->traces[trace].id,
			  ++row, r->models[m].label);
		if (run && best >= 0 && p->figures(run, &low, &high)) {
			put_ratio(out, low, best);
			put_ratio(out, high, best);
		} else {
			fputs(",,", out);
		}
		fprintf(out, ",%d,%d\n", (int)rank[m], r->models[m].bound);
	}
}

static double least_cost(const struct pl_bills *bills, const struct co_platform *platform)
{
	double best = -1;

	for (size_t m = 0; m < bills->n; m++) {
		struct co_cost c;

		if (!bills->ranked[m])
			continue;
		c = co_cost(bills->ranked[m], platform, CO_COMPONENT_END);
		if (best < 0 || c.value_least < best)
			best = c.value_least;
	}
	return best;
}

static void put_platform(FILE *out, const struct pl_results *r, const struct pl_bills *bills,
			 const struct co_platform *platform, size_t column)
{
	uint64_t ahead = co_ahead(bills->ranked, bills->n, platform);
	double best = least_cost(bills, platform);
	size_t row = 0;

	for_each_shown(r, SIZE_MAX, m) {
		int rank = !(ahead >> m & 1) ? PL_BEHIND : ahead == 1ull << m ? PL_BEST : PL_TIED;
		struct co_cost c = co_cost(&bills->bill[m], platform, CO_COMPONENT_END);

		put_place(out, N_PANELS + 1, "Total cost of all traces by platform", column,
			  platform->name, ++row, r->models[m].label);
		if (bills->there[m] && best >= 0) {
			put_ratio(out, c.value_least, best);
			put_ratio(out, c.value_most, best);
		} else {
			fputs(",,", out);
		}
		fprintf(out, ",%d,%d\n", rank, r->models[m].bound);
	}
}

static void put_platforms(FILE *out, const struct pl_results *r)
{
	struct pl_bills bills;

	if (pl_bills(r, PL_ALL_TRACES, &bills))
		return;
	for (size_t i = 0; i < r->n_platforms; i++)
		put_platform(out, r, &bills, &r->platforms[i], i + 1);
	pl_bills_free(&bills);
}

void pl_csv_matrix(FILE *out, const struct pl_results *r, size_t trace)
{
	enum pl_rank *rank = calloc(r->n_models + 1, sizeof(*rank));

	(void)trace;
	fputs("panel,what,column,trace or platform,row,model,times the least,up to,"
	      "rank (2: ahead; 1: not told apart),bound\n",
	      out);
	for (size_t i = 0; rank && i < N_PANELS; i++) {
		size_t column = 0;

		for (size_t t = 0; t < r->n_traces; t++) {
			if (!pl_compared(r, t))
				continue;
			panels[i].rank(r, t, rank);
			put_cells(out, r, &panels[i], t, ++column, rank);
		}
	}
	free(rank);
	put_platforms(out, r);
}

/* ---- memory ---- */

/* The first line: three columns for each design. */
static void put_headings(FILE *out, const struct pl_results *r, const char *what, const char *least,
			 const char *most)
{
	fputs("trace", out);
	for_each_shown(r, SIZE_MAX, m) {
		pl_csv_heading(out, r->models[m].label, what);
		pl_csv_heading(out, r->models[m].label, least);
		pl_csv_heading(out, r->models[m].label, most);
	}
	fputc('\n', out);
}

static void put_peaks(FILE *out, const struct pl_results *r, const char *counter, double unit,
		      const char *what)
{
	put_headings(out, r, what, "least", "most");
	for (size_t t = 0; t < r->n_traces; t++) {
		if (!pl_compared(r, t))
			continue;
		pl_csv_label(out, r->traces[t].id);
		for_each_shown(r, SIZE_MAX, m) {
			const struct pl_run *run = pl_run_of(r, t, m);
			double v = run ? (double)pl_count(run, counter) / unit : 0;

			/* Several VMs need not reach their peaks at once: their sum is the most. */
			if (run && pl_has(run, counter))
				fprintf(out, ",%.6g,%.6g,%.6g", v, v, v);
			else
				fputs(",,,", out);
		}
		fputc('\n', out);
	}
}

void pl_csv_bookkeeping(FILE *out, const struct pl_results *r, size_t trace)
{
	(void)trace;
	put_peaks(out, r, "bookkeeping_peak", 1024, "KiB of bookkeeping at peak");
}

void pl_csv_pages(FILE *out, const struct pl_results *r, size_t trace)
{
	(void)trace;
	put_peaks(out, r, "pages_peak", 1.0 / 4, "KiB of shadow pages at peak");
}

/* ---- floor ---- */

void pl_csv_floor(FILE *out, const struct pl_results *r, size_t trace)
{
	(void)trace;
	put_headings(out, r, "times the floor, median", "95 % interval, low",
		     "95 % interval, high");
	for (size_t t = 0; t < r->n_traces; t++) {
		if (!pl_compared(r, t))
			continue;
		pl_csv_label(out, r->traces[t].id);
		for_each_shown(r, SIZE_MAX, m) {
			const struct pl_run *run = pl_run_of(r, t, m);
			const struct pl_measured *x = run ? run->measured : NULL;

			if (!x || !x->has_floor)
				fputs(",,,", out);
			else if (x->floor.ratio.has_interval)
				fprintf(out, ",%.6g,%.6g,%.6g", x->floor.ratio.median,
					x->floor.ratio.lo, x->floor.ratio.hi);
			else
				fprintf(out, ",%.6g,,", x->floor.ratio.median);
		}
		fputc('\n', out);
	}
}

/* ---- agreement ---- */

static void put_match(FILE *out, const struct pl_match *m)
{
	fprintf(out, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64, m->matched, m->host - m->matched,
		m->model - m->matched);
}

void pl_csv_agreement(FILE *out, const struct pl_results *r, size_t trace)
{
	(void)trace;
	fputs("trace,model,unsync matched,unsync host only,unsync model only,sync matched,"
	      "sync host only,sync model only\n",
	      out);
	for (size_t i = 0; i < r->n_runs; i++) {
		const struct pl_run *run = &r->runs[i];

		if (!run->has_agreement)
			continue;
		pl_csv_label(out, r->traces[run->trace].id);
		fputc(',', out);
		pl_csv_label(out, r->models[run->model].label);
		put_match(out, &run->agreement.unsync);
		put_match(out, &run->agreement.sync);
		fputc('\n', out);
	}
}
