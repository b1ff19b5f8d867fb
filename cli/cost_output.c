// SPDX-License-Identifier: GPL-2.0-only
/* What unsync cost prints: a table, CSV or JSON. */
#define _GNU_SOURCE
#include "cli/cost.h"

#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/text.h"
#include "plots/answer.h"
#include "plots/cost_text.h"
#include "plots/text.h"

#define SCHEMA "unsync-cost"
#define VERSION 1
#define SUM "sum"
#define MAX_ID 24 /* of a trace's name in the table's heading */

static const char *trace_id(const struct pl_results *r, size_t trace)
{
	return trace == PL_ALL_TRACES ? SUM : r->traces[trace].id;
}

/* The same, fit for a terminal. */
static const char *trace_name(char buf[4 * MAX_ID + 4], const struct cost_sheet *s)
{
	return pl_short(buf, trace_id(s->results, s->trace), MAX_ID);
}

static size_t n_compared(const struct pl_results *r)
{
	size_t n = 0;

	for (size_t t = 0; t < r->n_traces; t++)
		n += pl_compared(r, t);
	return n;
}

typedef int sheet_fn(const struct cost_sheet *sheet, void *arg);

/* Each trace on one platform, then all compared ones together if there are several. */
static int for_each_sheet(const struct pl_results *r, const struct co_platform *platform,
			  sheet_fn *fn, void *arg)
{
	size_t n = r->n_traces + (n_compared(r) > 1);
	int ret = 0;

	for (size_t t = 0; t < n && !ret; t++) {
		struct cost_sheet sheet = {
			.results = r,
			.platform = platform,
			.trace = t < r->n_traces ? t : PL_ALL_TRACES,
		};

		if (pl_bills(r, sheet.trace, &sheet.bills))
			return -1;
		ret = fn(&sheet, arg);
		pl_bills_free(&sheet.bills);
	}
	return ret;
}

/* ---- words ---- */

/* "a costs less than b below 238 ns (595 cycles), b less than a above 615 ns (1,537 cycles)" */
static void put_crossings(FILE *out, const struct cost_sheet *s, const struct co_crossing *c,
			  size_t n, double end)
{
	for (size_t i = 0; i < n && c[i].from < end; i++) {
		const char *below = s->results->models[c[i].below].label;
		const char *above = s->results->models[c[i].above].label;

		fprintf(out, "      %s costs less than %s below ", below, above);
		pl_put_price(out, s->platform, c[i].from);
		fputs(", more above ", out);
		pl_put_price(out, s->platform, c[i].to);
		fputc('\n', out);
	}
}

/* ---- table ---- */

struct table {
	char **cell; /* row by row; NULL: empty */
	size_t rows, columns;
};

static int table_make(struct table *t, size_t rows, size_t columns)
{
	*t = (struct table){ calloc(rows * columns, sizeof(char *)), rows, columns };
	return t->cell ? 0 : -1;
}

static void table_free(struct table *t)
{
	for (size_t i = 0; t->cell && i < t->rows * t->columns; i++)
		free(t->cell[i]);
	free(t->cell);
}

__attribute__((format(printf, 4, 5))) static int table_set(struct table *t, size_t row,
							   size_t column, const char *fmt, ...)
{
	char **cell = &t->cell[row * t->columns + column];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(cell, fmt, ap);
	va_end(ap);
	if (n < 0)
		*cell = NULL;
	return n < 0 ? -1 : 0;
}

/* The first column to the left, the others to the right. */
static void table_put(FILE *out, const struct table *t)
{
	for (size_t r = 0; r < t->rows; r++) {
		for (size_t c = 0; c < t->columns; c++) {
			const char *text = t->cell[r * t->columns + c];
			int width = 0;

			for (size_t i = 0; i < t->rows; i++) {
				const char *other = t->cell[i * t->columns + c];
				int len = other ? (int)strlen(other) : 0;

				width = len > width ? len : width;
			}
			if (c == 0)
				fprintf(out, "  %-*s", width, text ? text : "");
			else
				fprintf(out, "  %*s", width, text ? text : "");
		}
		fputc('\n', out);
	}
}

/* Milliseconds; whole ones if there are many, so that the two ends of a range are alike. */
static int set_range(struct table *t, size_t row, size_t column, double least, double most,
		     bool first)
{
	int digits = most < 9.95e6 ? 2 : most < 99.5e6 ? 1 : 0;
	char a[32], b[32];

	snprintf(a, sizeof(a), "%.*f", digits, least / 1e6);
	snprintf(b, sizeof(b), "%.*f", digits, most / 1e6);
	return !strcmp(a, b) ? table_set(t, row, column, "%s%s", a, first ? " *" : "  ")
			     : table_set(t, row, column, "%s to %s%s", a, b, first ? " *" : "  ");
}

struct matrix {
	const struct cost_request *request;
	struct table table;
	size_t column;
	FILE *out;
};

static int fill_column(const struct cost_sheet *s, void *arg)
{
	struct matrix *m = arg;
	uint64_t ahead = m->request->ranges
				 ? co_ahead_anyhow(s->bills.ranked, s->bills.n, s->platform)
				 : co_ahead(s->bills.ranked, s->bills.n, s->platform);
	char name[4 * MAX_ID + 4];
	size_t row = 0;
	int ret = table_set(&m->table, row++, ++m->column, "%s  ", trace_name(name, s));

	for (size_t i = 0; i < s->results->n_models && !ret; i++) {
		struct co_cost c;

		if (s->results->models[i].null)
			continue;
		if (s->bills.there[i]) {
			c = co_cost(&s->bills.bill[i], s->platform, CO_COMPONENT_END);
			ret = set_range(&m->table, row, m->column,
					m->request->ranges ? c.low : c.value_least,
					m->request->ranges ? c.high : c.value_most, ahead >> i & 1);
		}
		row++;
	}
	return ret;
}

static int label_rows(struct table *t, const struct pl_results *r)
{
	size_t row = 1;

	for (size_t m = 0; m < r->n_models; m++) {
		if (!r->models[m].null && table_set(t, row++, 0, "%s%s", r->models[m].label,
						    r->models[m].bound ? " (bound)" : ""))
			return -1;
	}
	return 0;
}

static size_t n_rows(const struct pl_results *r)
{
	size_t n = 1;

	for (size_t m = 0; m < r->n_models; m++)
		n += !r->models[m].null;
	return n;
}

static int put_matrix(FILE *out, const struct pl_results *r, const struct co_platform *platform,
		      const struct cost_request *request)
{
	struct matrix m = { .request = request, .out = out };
	int ret = -1;

	if (!table_make(&m.table, n_rows(r), 1 + r->n_traces + (n_compared(r) > 1)) &&
	    !table_set(&m.table, 0, 0, "ms, at least to at most") && !label_rows(&m.table, r) &&
	    !for_each_sheet(r, platform, fill_column, &m)) {
		table_put(out, &m.table);
		ret = 0;
	}
	table_free(&m.table);
	return ret;
}

/* One trace by component. */
static int put_components(const struct cost_sheet *s, void *arg)
{
	struct matrix *m = arg;
	const struct pl_results *r = s->results;
	char name[4 * MAX_ID + 4];
	size_t row = 1;
	int ret;

	ret = table_make(&m->table, n_rows(r), 1 + CO_COMPONENT_END) ||
	      table_set(&m->table, 0, 0, "%s, ms", trace_name(name, s)) || label_rows(&m->table, r);
	for (int c = 0; c < CO_COMPONENT_END && !ret; c++)
		ret = table_set(&m->table, 0, (size_t)c + 1, "%s",
				co_component_name((enum co_component)c));
	for (size_t i = 0; i < r->n_models && !ret; i++) {
		if (r->models[i].null)
			continue;
		for (int c = 0; c < CO_COMPONENT_END && s->bills.there[i] && !ret; c++) {
			struct co_cost cost =
				co_cost(&s->bills.bill[i], s->platform, (enum co_component)c);

			ret = table_set(&m->table, row, (size_t)c + 1, "%.2f",
					(m->request->ranges ? cost.high : cost.value_most) / 1e6);
		}
		row++;
	}
	if (!ret)
		table_put(m->out, &m->table);
	table_free(&m->table);
	return ret ? -1 : 0;
}

/* Who costs least over one price, and which pairs of designs change places. */
static int put_sweep(FILE *out, const struct cost_sheet *s, enum co_price price, bool pairs)
{
	struct co_crossing *crossings = NULL;
	size_t n;

	fputs("    ", out);
	if (pl_put_sweep(out, s->results, s->platform, s->bills.ranked, price))
		return -1;
	fputc('\n', out);
	if (!pairs)
		return 0;
	if (co_crossings(s->bills.ranked, s->bills.n, s->platform, price, &crossings, &n))
		return -1;
	put_crossings(out, s, crossings, n, pl_swept_to(s->platform, price));
	free(crossings);
	return 0;
}

/* Who costs least by the profile, anywhere within its ranges, and where that turns. */
static int put_conclusions(const struct cost_sheet *s, void *arg)
{
	const struct matrix *m = arg;
	uint64_t by_value = co_ahead(s->bills.ranked, s->bills.n, s->platform);
	char name[4 * MAX_ID + 4];

	if (!by_value) {
		fprintf(m->out, "  %s: nothing to rank\n", trace_name(name, s));
		return 0;
	}
	fprintf(m->out, "  %s: ", trace_name(name, s));
	pl_put_ahead(m->out, s->results, by_value);
	fputs("\n    over the ranges of all prices: ", m->out);
	pl_put_ahead(m->out, s->results, co_ahead_anyhow(s->bills.ranked, s->bills.n, s->platform));
	fputc('\n', m->out);
	for (size_t i = 0; i < CO_SWEPT; i++) {
		if (put_sweep(m->out, s, co_swept[i], m->request->crossings))
			return -1;
	}
	return 0;
}

static void put_platform(FILE *out, const struct co_platform *p)
{
	fprintf(out, "%s: ", p->name);
	text_plain(out, p->title, strlen(p->title));
	if (p->ghz > 0)
		fprintf(out, ", %.3g GHz", p->ghz);
	fputs("\nan exit takes ", out);
	pl_put_price(out, p, p->prices[CO_exit].value);
	fputs(", an emulated write ", out);
	pl_put_price(out, p, p->prices[CO_emulate].value);
	fputs(" more\n\n", out);
}

int cost_table(FILE *out, const struct pl_results *results, const struct cost_request *request)
{
	for (size_t i = 0; i < request->n_platforms; i++) {
		const struct co_platform *p = &request->platforms[i];
		struct matrix m = { .request = request, .out = out };

		if (i)
			fputc('\n', out);
		put_platform(out, p);
		if (request->components ? for_each_sheet(results, p, put_components, &m)
					: put_matrix(out, results, p, request))
			return -1;
		fputc('\n', out);
		if (for_each_sheet(results, p, put_conclusions, &m))
			return -1;
	}
	fputs("\nCounts times prices; no time measured on this machine is in it. *: costs least, "
	      "or is "
	      "not told apart\nfrom what does. Bounds do not compete. Prices and their sources: "
	      "docs/platforms.md.\n",
	      out);
	return 0;
}

/* ---- CSV ---- */

static int csv_lines(const struct cost_sheet *s, void *arg)
{
	FILE *out = arg;
	const struct pl_results *r = s->results;
	uint64_t ahead = co_ahead(s->bills.ranked, s->bills.n, s->platform);
	uint64_t anyhow = co_ahead_anyhow(s->bills.ranked, s->bills.n, s->platform);

	for (size_t m = 0; m < r->n_models; m++) {
		struct co_cost c;

		if (!s->bills.there[m])
			continue;
		pl_csv(out, trace_id(r, s->trace));
		fputc(',', out);
		pl_csv(out, s->platform->name);
		fputc(',', out);
		pl_csv(out, r->models[m].label);
		c = co_cost(&s->bills.bill[m], s->platform, CO_COMPONENT_END);
		fprintf(out, ",%d,%d,%d,%.0f,%.0f,%.0f,%.0f", r->models[m].bound,
			(int)(ahead >> m & 1), (int)(anyhow >> m & 1), c.value_least, c.value_most,
			c.low, c.high);
		for (int i = 0; i < CO_COMPONENT_END; i++) {
			c = co_cost(&s->bills.bill[m], s->platform, (enum co_component)i);
			fprintf(out, ",%.0f", i == CO_OF_further ? c.value_most : c.value_least);
		}
		fputc('\n', out);
	}
	return 0;
}

int cost_csv(FILE *out, const struct pl_results *results, const struct cost_request *request)
{
	fputs("trace,platform,model,bound,ahead,ahead_over_ranges,least_ns,most_ns,"
	      "range_low_ns,range_high_ns",
	      out);
	for (int i = 0; i < CO_COMPONENT_END; i++)
		fprintf(out, ",%s_ns", co_component_key((enum co_component)i));
	fputc('\n', out);
	for (size_t i = 0; i < request->n_platforms; i++) {
		if (for_each_sheet(results, &request->platforms[i], csv_lines, out))
			return -1;
	}
	return 0;
}

/* ---- JSON ---- */

struct lists {
	json_t *costs, *ahead, *sweeps;
};

static json_t *set_json(const struct pl_results *r, uint64_t set)
{
	json_t *a = json_array();

	for (size_t m = 0; m < r->n_models; m++) {
		if (set >> m & 1)
			json_array_append_new(a, json_string(r->models[m].label));
	}
	return a;
}

static json_t *cost_object(const struct co_cost *c)
{
	return json_pack("{s:f,s:f,s:f,s:f}", "least_ns", c->value_least, "most_ns", c->value_most,
			 "range_low_ns", c->low, "range_high_ns", c->high);
}

static json_t *components_json(const struct co_bill *bill, const struct co_platform *platform)
{
	json_t *o = json_object();

	for (int i = 0; i < CO_COMPONENT_END; i++) {
		struct co_cost c = co_cost(bill, platform, (enum co_component)i);

		json_object_set_new(o, co_component_key((enum co_component)i), cost_object(&c));
	}
	return o;
}

static void add_costs(json_t *list, const struct cost_sheet *s)
{
	for (size_t m = 0; m < s->results->n_models; m++) {
		const struct pl_model *model = &s->results->models[m];
		struct co_cost c;
		json_t *o;

		if (!s->bills.there[m])
			continue;
		c = co_cost(&s->bills.bill[m], s->platform, CO_COMPONENT_END);
		o = json_pack("{s:s,s:s,s:s,s:b}", "trace", trace_id(s->results, s->trace),
			      "platform", s->platform->name, "model", model->label, "bound",
			      model->bound);
		json_object_set_new(o, "total", cost_object(&c));
		json_object_set_new(o, "components",
				    components_json(&s->bills.bill[m], s->platform));
		json_array_append_new(list, o);
	}
}

static json_t *regions_json(const struct pl_results *r, const struct co_region *regions, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(
			list,
			json_pack("{s:f,s:o,s:o}", "from_ns", regions[i].from, "to_ns",
				  isfinite(regions[i].to) ? json_real(regions[i].to) : json_null(),
				  "ahead", set_json(r, regions[i].ahead)));
	return list;
}

static json_t *crossings_json(const struct pl_results *r, const struct co_crossing *c, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_pack("{s:s,s:s,s:f,s:f}", "below",
						      r->models[c[i].below].label, "above",
						      r->models[c[i].above].label, "from_ns",
						      c[i].from, "to_ns", c[i].to));
	return list;
}

static int add_sweep(json_t *list, const struct cost_sheet *s, enum co_price price)
{
	struct co_region *regions = NULL;
	struct co_crossing *crossings = NULL;
	size_t n_regions, n_crossings;
	int ret = -1;

	if (!co_sweep(s->bills.ranked, s->bills.n, s->platform, price, &regions, &n_regions) &&
	    !co_crossings(s->bills.ranked, s->bills.n, s->platform, price, &crossings,
			  &n_crossings)) {
		json_array_append_new(
			list,
			json_pack("{s:s,s:s,s:s,s:o,s:o}", "trace", trace_id(s->results, s->trace),
				  "platform", s->platform->name, "price", co_price_key(price),
				  "regions", regions_json(s->results, regions, n_regions),
				  "crossings", crossings_json(s->results, crossings, n_crossings)));
		ret = 0;
	}
	free(regions);
	free(crossings);
	return ret;
}

static int add_sheet(const struct cost_sheet *s, void *arg)
{
	struct lists *l = arg;

	add_costs(l->costs, s);
	json_array_append_new(
		l->ahead,
		json_pack("{s:s,s:s,s:o,s:o}", "trace", trace_id(s->results, s->trace), "platform",
			  s->platform->name, "by_value",
			  set_json(s->results, co_ahead(s->bills.ranked, s->bills.n, s->platform)),
			  "over_ranges",
			  set_json(s->results,
				   co_ahead_anyhow(s->bills.ranked, s->bills.n, s->platform))));
	for (size_t i = 0; i < CO_SWEPT; i++) {
		if (add_sweep(l->sweeps, s, co_swept[i]))
			return -1;
	}
	return 0;
}

static json_t *platform_json(const struct co_platform *p)
{
	json_t *prices = json_object(), *o;

	for (int i = 0; i < CO_PRICE_END; i++) {
		const struct co_figure *f = &p->prices[i];

		json_object_set_new(prices, co_price_key((enum co_price)i),
				    json_pack("{s:f,s:f,s:f,s:b,s:s}", "value_ns", f->value,
					      "low_ns", f->low, "high_ns", f->high, "estimated",
					      f->estimated, "source", f->source));
	}
	o = json_pack("{s:s,s:s}", "name", p->name, "title", p->title);
	json_object_set_new(o, "ghz", p->ghz > 0 ? json_real(p->ghz) : json_null());
	json_object_set_new(o, "ghz_source",
			    p->ghz_source ? json_string(p->ghz_source) : json_null());
	json_object_set_new(o, "prices", prices);
	return o;
}

int cost_json(FILE *out, const struct pl_results *results, const struct cost_request *request)
{
	struct lists l = { json_array(), json_array(), json_array() };
	json_t *platforms = json_array(), *files = json_array(), *top;
	int ret = 0;

	for (size_t i = 0; i < results->n_contexts; i++)
		json_array_append_new(files, json_string(results->contexts[i].file));
	for (size_t i = 0; i < request->n_platforms && !ret; i++) {
		json_array_append_new(platforms, platform_json(&request->platforms[i]));
		ret = for_each_sheet(results, &request->platforms[i], add_sheet, &l);
	}
	top = json_pack("{s:s,s:i,s:o,s:o,s:o,s:o,s:o}", "schema", SCHEMA, "version", VERSION,
			"results", files, "platforms", platforms, "costs", l.costs, "ahead",
			l.ahead, "sweeps", l.sweeps);
	if (!ret && top)
		ret = json_dumpf(top, out, JSON_INDENT(1) | JSON_REAL_PRECISION(12));
	fputc('\n', out);
	json_decref(top);
	return ret || !top ? -1 : 0;
}
