// SPDX-License-Identifier: GPL-2.0-only
#include "plots/cost_csv.h"

#include <math.h>
#include <stdlib.h>

#include "cost/rank.h"
#include "plots/answer.h"
#include "plots/charts.h"
#include "plots/cost.h"
#include "plots/csv.h"
#include "plots/text.h"

/* Place of a model in the colours of a chart, from 1; 0: not shown. */
static size_t number_of(const struct pl_results *r, size_t trace, size_t model)
{
	size_t n = 0;

	for (size_t m = 0; m <= model; m++)
		n += pl_shown(r, trace, m);
	return pl_shown(r, trace, model) ? n : 0;
}

static bool any_ranked(const struct pl_bills *bills)
{
	for (size_t m = 0; m < bills->n; m++) {
		if (bills->ranked[m])
			return true;
	}
	return false;
}

bool pl_priced(const struct pl_results *r, size_t trace)
{
	struct pl_bills bills;
	bool any;

	if (!r->n_platforms || pl_bills(r, trace, &bills))
		return false;
	any = any_ranked(&bills);
	pl_bills_free(&bills);
	return any;
}

/* ---- by component ---- */

static void put_bill(FILE *out, const struct co_bill *bill, const struct co_platform *p)
{
	struct co_cost all = co_cost(bill, p, CO_COMPONENT_END);

	for (int c = 0; c < CO_COMPONENT_END; c++) {
		struct co_cost cost = co_cost(bill, p, (enum co_component)c);

		fprintf(out, ",%.6f", cost.value_most / 1e6);
	}
	fprintf(out, ",%.6f,%.6f", all.low / 1e6, all.high / 1e6);
}

static void put_totals(FILE *out, const struct pl_results *r, size_t trace)
{
	struct pl_bills bills;

	fputs("platform,model", out);
	for (int c = 0; c < CO_COMPONENT_END; c++) {
		fputc(',', out);
		pl_csv_label(out, co_component_name((enum co_component)c));
	}
	fputs(",least over the ranges of the prices,most over them,may cost least\n", out);
	if (pl_bills(r, trace, &bills))
		return;
	for (size_t i = 0; i < r->n_platforms; i++) {
		const struct co_platform *p = &r->platforms[i];
		uint64_t ahead = co_ahead(bills.ranked, bills.n, p);

		for (size_t m = 0; m < r->n_models; m++) {
			if (!pl_shown(r, trace, m))
				continue;
			pl_csv_label(out, p->name);
			fputc(',', out);
			pl_csv_label(out, r->models[m].label);
			if (bills.there[m])
				put_bill(out, &bills.bill[m], p);
			else
				fprintf(out, "%.*s", CO_COMPONENT_END + 2, ",,,,,,,,,,,,,,,,");
			fprintf(out, ",%d\n", (int)(ahead >> m & 1));
		}
	}
	pl_bills_free(&bills);
}

void pl_csv_total(FILE *out, const struct pl_results *r, size_t trace)
{
	put_totals(out, r, trace);
}

void pl_csv_total_overview(FILE *out, const struct pl_results *r, size_t trace)
{
	(void)trace;
	put_totals(out, r, PL_ALL_TRACES);
}

/* ---- over a price ---- */

void pl_csv_crossing(FILE *out, const struct pl_results *r, size_t trace)
{
	const struct co_platform *p = &r->platforms[0];
	struct pl_bills bills;

	fputs("price,value_us,low_us,high_us,number,model,competes,least_ms,least_ms_per_us,most_"
	      "ms,"
	      "most_ms_per_us\n",
	      out);
	if (pl_bills(r, trace, &bills))
		return;
	for (size_t s = 0; s < CO_SWEPT; s++) {
		const struct co_figure *f = &p->prices[co_swept[s]];

		for (size_t m = 0; m < r->n_models; m++) {
			double fixed, slope;

			if (!bills.there[m] || !pl_shown(r, trace, m))
				continue;
			fprintf(out, "%s,%.6f,%.6f,%.6f,%zu,", co_price_name(co_swept[s]),
				f->value / 1e3, f->low / 1e3, f->high / 1e3,
				number_of(r, trace, m));
			pl_csv_label(out, r->models[m].label);
			co_line(&bills.bill[m], p, co_swept[s], false, &fixed, &slope);
			fprintf(out, ",%d,%.6f,%.6f", bills.ranked[m] != NULL, fixed / 1e6,
				slope / 1e3);
			co_line(&bills.bill[m], p, co_swept[s], true, &fixed, &slope);
			fprintf(out, ",%.6f,%.6f\n", fixed / 1e6, slope / 1e3);
		}
	}
	pl_bills_free(&bills);
}

/* A line for each design of each region; where it ends, if it does. */
static void put_regions(FILE *out, const struct pl_results *r, size_t trace, size_t colours,
			const struct co_platform *p, enum co_price price, const char *row)
{
	struct co_region *regions;
	struct pl_bills bills;
	size_t n;

	if (pl_bills(r, trace, &bills))
		return;
	if (co_sweep(bills.ranked, bills.n, p, price, &regions, &n)) {
		pl_bills_free(&bills);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		int k = 0, of = __builtin_popcountll(regions[i].ahead);

		for (size_t m = 0; m < r->n_models; m++) {
			if (!(regions[i].ahead >> m & 1))
				continue;
			fprintf(out, "%s,", co_price_name(price));
			pl_csv_label(out, p->name);
			fputc(',', out);
			pl_csv_label(out, row);
			fprintf(out, ",%.6f,%.6f,%.6f", p->prices[price].value / 1e3,
				p->prices[price].low / 1e3, p->prices[price].high / 1e3);
			fprintf(out, ",%.9g,", regions[i].from / 1e3);
			if (isfinite(regions[i].to))
				fprintf(out, "%.9g", regions[i].to / 1e3);
			fprintf(out, ",%zu,", number_of(r, colours, m));
			pl_csv_label(out, r->models[m].label);
			fprintf(out, ",%d,%d\n", k++, of);
		}
	}
	free(regions);
	pl_bills_free(&bills);
}

#define REGION_HEADINGS                                                                            \
	"price,platform,trace,value_us,low_us,high_us,from_us,to_us,number,model,place,of\n"

void pl_csv_crossing_regions(FILE *out, const struct pl_results *r, size_t trace)
{
	fputs(REGION_HEADINGS, out);
	for (size_t s = 0; s < CO_SWEPT; s++)
		put_regions(out, r, trace, trace, &r->platforms[0], co_swept[s],
			    r->traces[trace].id);
}

void pl_csv_turns(FILE *out, const struct pl_results *r, size_t trace)
{
	size_t n = 0;

	(void)trace;
	for (size_t t = 0; t < r->n_traces; t++)
		n += pl_compared(r, t);
	fputs(REGION_HEADINGS, out);
	for (size_t s = 0; s < CO_SWEPT; s++) {
		for (size_t i = 0; i < r->n_platforms; i++) {
			const struct co_platform *p = &r->platforms[i];

			for (size_t t = 0; t < r->n_traces; t++) {
				if (pl_compared(r, t))
					put_regions(out, r, t, PL_ALL_TRACES, p, co_swept[s],
						    r->traces[t].id);
			}
			if (n > 1)
				put_regions(out, r, PL_ALL_TRACES, PL_ALL_TRACES, p, co_swept[s],
					    "all together");
		}
	}
}
