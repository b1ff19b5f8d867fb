// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "plots/page.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "plots/answer.h"
#include "plots/files.h"
#include "plots/output.h"
#include "plots/svg.h"
#include "plots/text.h"

/* ---- helpers ---- */

/* <tag attributes>escaped text</tag> */
static void element(FILE *out, const char *tag, const char *attributes, const char *text)
{
	fprintf(out, "<%s%s%s>", tag, *attributes ? " " : "", attributes);
	pl_html(out, text);
	fprintf(out, "</%s>\n", tag);
}

static void count_cell(FILE *out, uint64_t n)
{
	char buf[PL_NUMBER];

	fprintf(out, "<td>%s</td>", pl_group(buf, n));
}

static void time_cell(FILE *out, double ns)
{
	char buf[PL_NUMBER];

	fprintf(out, "<td>%s</td>", pl_time(buf, ns));
}

static void put_interval(FILE *out, const struct pl_stat *s)
{
	char a[PL_NUMBER], b[PL_NUMBER];

	if (s->has_interval)
		fprintf(out, "<small>%s to %s</small>", pl_time(a, s->lo), pl_time(b, s->hi));
	else
		fputs("<small>too few passes for an interval</small>", out);
}

/* A swatch and the label, which may be broken where an option begins. */
static void model_label(FILE *out, const struct pl_results *r, size_t model)
{
	fprintf(out, "<span class=\"swatch\" style=\"background:%s\"></span>", pl_colour(r, model));
	for (const char *c = r->models[model].label; *c; c++) {
		pl_html(out, (char[]){ *c, '\0' });
		if (*c == ',' || c[1] == '(')
			fputs("<wbr>", out);
	}
}

static void model_heading(FILE *out, const struct pl_results *r, size_t model)
{
	fputs("<th scope=\"col\" class=\"model\">", out);
	model_label(out, r, model);
	fputs("</th>", out);
}

/* The models that a table shows as columns; null only where times are measured. */
static bool in_table(const struct pl_results *r, size_t trace, size_t model, bool measured)
{
	if (!measured)
		return pl_shown(r, trace, model);
	return pl_run_of(r, trace, model) && pl_run_of(r, trace, model)->measured;
}

#define for_each_column(r, trace, measured, m)                                                     \
	for (size_t m = 0; (m) < (r)->n_models; (m)++)                                             \
		if (in_table(r, trace, m, measured))

static void table_begin(FILE *out, const char *caption)
{
	/* Not a <caption>: that would be as wide as the table, and scroll away with it. */
	element(out, "p", "class=\"caption\"", caption);
	fputs("<div class=\"scroll\"><table aria-label=\"", out);
	pl_html(out, caption);
	fputs("\">\n", out);
}

static void table_end(FILE *out)
{
	fputs("</tbody></table></div>\n", out);
}

static void trace_anchor(FILE *out, const struct pl_results *r, size_t trace)
{
	fprintf(out, "<a href=\"#t%zu\">", trace + 1);
	pl_html(out, r->traces[trace].id);
	fputs("</a>", out);
}

/* ---- head, answer ---- */

static void put_style(FILE *out)
{
	for (const struct pl_file *f = pl_files; f->name; f++) {
		if (!strcmp(f->name, "page.css"))
			fwrite(f->data, 1, f->len, out);
	}
}

static size_t count_designs(const struct pl_results *r)
{
	size_t n = 0;

	for (size_t m = 0; m < r->n_models; m++)
		n += !r->models[m].null && !r->models[m].bound;
	return n;
}

static size_t count_bounds(const struct pl_results *r)
{
	size_t n = 0;

	for (size_t m = 0; m < r->n_models; m++)
		n += r->models[m].bound;
	return n;
}

static void put_head(FILE *out, const struct pl_page *page)
{
	const struct pl_results *r = page->results;
	size_t designs = count_designs(r), bounds = count_bounds(r);

	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n" PL_GENERATOR
	      " ",
	      out);
	pl_html(out, page->version);
	fputs("\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	      "style-src 'unsafe-inline'; img-src data:\">\n"
	      "<link rel=\"icon\" href=\"data:,\">\n"
	      "<title>unsync: what keeping shadow page tables in step costs</title>\n<style>\n",
	      out);
	put_style(out);
	fputs("</style>\n</head>\n<body>\n<header>\n", out);
	element(out, "h1", "", "What keeping shadow page tables in step costs");
	fprintf(out, "<p class=\"soft\">%zu design%s ", designs, designs == 1 ? "" : "s");
	if (bounds)
		fprintf(out, "and %zu bound%s ", bounds, bounds == 1 ? "" : "s");
	fprintf(out, "replayed on %zu recorded trace%s with unsync ", r->n_traces,
		r->n_traces == 1 ? "" : "s");
	pl_html(out, r->n_contexts ? r->contexts[0].tool : page->version);
	fputs(".</p>\n", out);
}

static int put_answer(FILE *out, const struct pl_results *r)
{
	char *sentence[PL_SENTENCES];

	if (pl_answer(r, sentence))
		return -1;
	fputs("<ul class=\"answer\" id=\"answer\">\n", out);
	for (int i = 0; i < PL_SENTENCES; i++) {
		element(out, "li", "", sentence[i]);
		free(sentence[i]);
	}
	fputs("</ul>\n", out);
	return 0;
}

static size_t count_native(const struct pl_results *r)
{
	size_t n = 0;

	for (size_t t = 0; t < r->n_traces; t++)
		n += !r->traces[t].exact;
	return n;
}

/* What must not be left to a footnote. */
static void put_notices(FILE *out, const struct pl_results *r)
{
	size_t native = count_native(r), lossy = 0, warnings = 0;

	for (size_t t = 0; t < r->n_traces; t++)
		lossy += r->traces[t].lost || !r->traces[t].complete;
	for (size_t i = 0; i < r->n_contexts; i++)
		warnings += r->contexts[i].n_warnings;
	if (!native && !lossy && !warnings && !r->n_failures)
		return;
	fputs("<div class=\"note\"><ul>\n", out);
	if (native)
		fprintf(out,
			"<li>%zu of %zu traces %s native: writes to tables that were out of sync "
			"on the "
			"recorded host are known only by their net effect, so write counts, and "
			"exits "
			"because of them, are lower bounds there.%s</li>\n",
			native, r->n_traces, native == 1 ? "is" : "are",
			native < r->n_traces ? " The answer above rests on the exact ones." : "");
	if (lossy)
		fprintf(out,
			"<li>%zu of %zu traces lost events or were cut off: see <a "
			"href=\"#trust\">trust</a>.</li>\n",
			lossy, r->n_traces);
	if (r->n_failures)
		fprintf(out, "<li>%zu replay%s failed: see <a href=\"#trust\">trust</a>.</li>\n",
			r->n_failures, r->n_failures == 1 ? "" : "s");
	if (warnings)
		fprintf(out,
			"<li>The replay gave %zu warning%s: see <a "
			"href=\"#trust\">trust</a>.</li>\n",
			warnings, warnings == 1 ? "" : "s");
	fputs("</ul></div>\n", out);
}

static void put_nav(FILE *out, const struct pl_results *r)
{
	fputs("<nav aria-label=\"Contents\"><a href=\"#matrix\">Overview</a> <a "
	      "href=\"#designs\">Designs</a> ",
	      out);
	for (size_t t = 0; t < r->n_traces; t++) {
		trace_anchor(out, r, t);
		fputc(' ', out);
	}
	fputs("<a href=\"#trust\">Trust</a> <a "
	      "href=\"#reproduce\">Reproduce</a></nav>\n</header>\n<main>\n",
	      out);
}

/* ---- matrix ---- */

static const char *rank_class(enum pl_rank rank)
{
	return rank == PL_BEST ? " class=\"best\"" : rank == PL_TIED ? " class=\"tie\"" : "";
}

static void exits_cell(FILE *out, const struct pl_run *run, bool exact, enum pl_rank rank,
		       bool bound, uint64_t least)
{
	char a[PL_NUMBER];

	if (!run) {
		fputs("<td>no result</td>", out);
		return;
	}
	fprintf(out, "<td%s>%s%s", rank_class(rank),
		rank == PL_BEST ? "✓ "
		: rank		? "≈ "
				: "",
		pl_group(a, pl_exits(run)));
	if (pl_exits_max(run) > pl_exits(run))
		fprintf(out, "<small>up to %s</small>", pl_group(a, pl_exits_max(run)));
	if (rank)
		fprintf(out, "<small>%s</small>", rank == PL_BEST ? "fewest" : "not told apart");
	else if (!exact)
		fputs("<small>without unseen writes</small>", out);
	else if (bound)
		fputs("<small>a bound</small>", out);
	else if (least)
		fprintf(out, "<small>%s × the least</small>",
			pl_factor(a, (double)pl_exits(run) / (double)least));
	fputs("</td>", out);
}

static uint64_t least_exits(const struct pl_results *r, size_t trace)
{
	uint64_t least = UINT64_MAX;

	for_each_column(r, trace, false, m) {
		if (!r->models[m].bound && pl_exits(pl_run_of(r, trace, m)) < least)
			least = pl_exits(pl_run_of(r, trace, m));
	}
	return least;
}

static void resync_cell(FILE *out, const struct pl_run *run, enum pl_rank rank, bool bound)
{
	char a[PL_NUMBER];

	if (!run || !run->measured) {
		fputs("<td>not measured</td>", out);
		return;
	}
	if (!run->measured->count) {
		fputs("<td>no resyncs</td>", out);
		return;
	}
	fprintf(out, "<td%s>%s%s", rank_class(rank),
		rank == PL_BEST ? "✓ "
		: rank		? "≈ "
				: "",
		pl_time(a, run->measured->resync_total.median));
	put_interval(out, &run->measured->resync_total);
	if (rank)
		fprintf(out, "<small>%s</small>", rank == PL_BEST ? "least" : "not told apart");
	else if (bound)
		fputs("<small>a bound</small>", out);
	fputs("</td>", out);
}

static void matrix_row(FILE *out, const struct pl_results *r, size_t trace, bool measured,
		       enum pl_rank *rank)
{
	char a[PL_NUMBER];

	fputs("<tr><th scope=\"row\">", out);
	trace_anchor(out, r, trace);
	fprintf(out, "<small>%s, %s events</small></th>",
		r->traces[trace].exact ? "exact" : "native", pl_group(a, r->traces[trace].events));
	if (measured)
		pl_rank_time(r, trace, rank);
	else
		pl_rank_exits(r, trace, rank);
	for (size_t m = 0; m < r->n_models; m++) {
		const struct pl_run *run = pl_run_of(r, trace, m);

		if (r->models[m].null)
			continue;
		if (measured)
			resync_cell(out, run, rank[m], r->models[m].bound);
		else
			exits_cell(out, run, r->traces[trace].exact, rank[m], r->models[m].bound,
				   least_exits(r, trace));
	}
	fputs("</tr>\n", out);
}

static int put_matrix(FILE *out, const struct pl_results *r, bool measured)
{
	enum pl_rank *rank = calloc(r->n_models + 1, sizeof(*rank));

	if (!rank)
		return -1;
	table_begin(
		out,
		measured ? "Measured: time in resyncs, per pass; median and its 95 % interval. "
			   "✓ least; ≈ the intervals do not tell these apart."
			 : "Counted: exits from guest to host, the same in every run. ✓ fewest; ≈ "
			   "the bounds do not tell these apart.");
	fputs("<thead><tr><th scope=\"col\" class=\"text\">trace</th>", out);
	for (size_t m = 0; m < r->n_models; m++) {
		if (!r->models[m].null)
			model_heading(out, r, m);
	}
	fputs("</tr></thead><tbody>\n", out);
	for (size_t t = 0; t < r->n_traces; t++)
		matrix_row(out, r, t, measured, rank);
	table_end(out);
	free(rank);
	return 0;
}

static bool anything_measured(const struct pl_results *r)
{
	for (size_t i = 0; i < r->n_runs; i++) {
		if (r->runs[i].measured)
			return true;
	}
	return false;
}

/* ---- charts ---- */

static int inline_chart(FILE *out, const struct pl_page *page, const struct pl_chart *chart,
			const char *title, bool narrow, char *error, size_t error_len)
{
	char *path = NULL, *prefix = NULL;
	int ret = -1;

	if (asprintf(&path, "%s/%s%s.svg", page->charts_dir, chart->name, narrow ? ".narrow" : "") <
	    0)
		path = NULL;
	if (asprintf(&prefix, "%s-%s-", narrow ? "n" : "w", chart->name) < 0)
		prefix = NULL;
	fprintf(out, "<div class=\"%s\">", narrow ? "narrow" : "wide");
	if (path && prefix)
		ret = pl_svg_inline(out, path, prefix, title);
	if (ret)
		snprintf(error, error_len, "%s.svg: %s", chart->name, strerror(errno));
	fputs("</div>\n", out);
	free(path);
	free(prefix);
	return ret;
}

static void link_file(FILE *out, const struct pl_chart *chart, const char *suffix, const char *name)
{
	fprintf(out, " <a href=\"charts/%s%s\">%s</a>", chart->name, suffix, name);
}

static int put_chart(FILE *out, const struct pl_page *page, const struct pl_chart *chart,
		     char *error, size_t error_len)
{
	char *title = NULL, *suffix = NULL;
	size_t len;
	FILE *f = open_memstream(&title, &len);
	int ret;

	if (!f) {
		snprintf(error, error_len, "out of memory");
		return -1;
	}
	pl_chart_title(f, page->results, chart);
	fclose(f);
	fprintf(out, "<figure id=\"c-%s\">\n", chart->name);
	ret = -(inline_chart(out, page, chart, title, false, error, error_len) ||
		inline_chart(out, page, chart, title, true, error, error_len));
	fputs("<figcaption>", out);
	pl_html(out, chart->kind->caption);
	link_file(out, chart, ".csv", "Data");
	if (chart->kind->extra && asprintf(&suffix, ".%s.csv", chart->kind->extra) > 0)
		link_file(out, chart, suffix, chart->kind->extra);
	if (page->svg)
		link_file(out, chart, ".svg", "SVG");
	if (page->png)
		link_file(out, chart, ".png", "PNG");
	fputs("</figcaption>\n</figure>\n", out);
	free(suffix);
	free(title);
	return ret;
}

/* Overviews: trace SIZE_MAX. */
static int put_charts(FILE *out, const struct pl_page *page, size_t trace, char *error,
		      size_t error_len)
{
	for (size_t i = 0; page->charts_dir && i < page->n_charts; i++) {
		const struct pl_chart *c = &page->charts[i];

		if (c->kind->overview != (trace == SIZE_MAX) ||
		    (!c->kind->overview && c->trace != trace))
			continue;
		if (put_chart(out, page, c, error, error_len))
			return -1;
	}
	return 0;
}

static int put_overview(FILE *out, const struct pl_page *page, char *error, size_t error_len)
{
	const struct pl_results *r = page->results;

	fputs("<section id=\"matrix\">\n", out);
	element(out, "h2", "", "Which design is ahead where");
	element(out, "p", "",
		"The winner is named by exits alone: what the guest is interrupted for. It is not "
		"a "
		"total cost: what an exit, an emulated write and a resync take depends on the "
		"machine. "
		"Exits (counted) and time in resyncs (measured) are therefore never added up. On "
		"native "
		"traces no winner is named: not all writes are in them.");
	if (put_matrix(out, r, false) || (anything_measured(r) && put_matrix(out, r, true))) {
		snprintf(error, error_len, "out of memory");
		return -1;
	}
	if (put_charts(out, page, SIZE_MAX, error, error_len))
		return -1;
	fputs("</section>\n", out);
	return 0;
}

/* ---- designs ---- */

static void put_designs(FILE *out, const struct pl_results *r)
{
	fputs("<section id=\"designs\">\n", out);
	element(out, "h2", "", "The designs");
	table_begin(out,
		    "Each keeps its colour in every chart. A bound is a yardstick, which no design "
		    "is said to be behind.");
	fputs("<thead><tr><th scope=\"col\" class=\"text\">label</th><th scope=\"col\" "
	      "class=\"text\">what it does</th><th scope=\"col\" "
	      "class=\"text\">options</th></tr></thead><tbody>\n",
	      out);
	for (size_t m = 0; m < r->n_models; m++) {
		fprintf(out,
			"<tr><th scope=\"row\"><span class=\"swatch\" "
			"style=\"background:%s\"></span>",
			pl_colour(r, m));
		pl_html(out, r->models[m].label);
		if (r->models[m].bound)
			fputs("<small>a bound</small>", out);
		fputs("</th><td class=\"text\">", out);
		pl_html(out, r->models[m].summary);
		fputs("</td><td class=\"text\">", out);
		pl_html(out, r->models[m].options[0] ? r->models[m].options : "none");
		fputs("</td></tr>\n", out);
	}
	table_end(out);
	fputs("</section>\n", out);
}

/* ---- tables of a trace ---- */

static void row_begin(FILE *out, const char *name)
{
	fputs("<tr>", out);
	element(out, "th", "scope=\"row\"", name);
}

/* A part of the row above. */
static void sub_row_begin(FILE *out, const char *name)
{
	fputs("<tr>", out);
	element(out, "th", "scope=\"row\" class=\"sub\"", name);
}

static void counted_row(FILE *out, const struct pl_results *r, size_t trace, bool sub,
			const char *name, const char *counter)
{
	if (sub)
		sub_row_begin(out, name);
	else
		row_begin(out, name);
	for_each_column(r, trace, false, m)
		count_cell(out, pl_count(pl_run_of(r, trace, m), counter));
	fputs("</tr>\n", out);
}

static void table_head(FILE *out, const struct pl_results *r, size_t trace, bool measured,
		       const char *first)
{
	fputs("<thead><tr>", out);
	element(out, "th", "scope=\"col\" class=\"text\"", first);
	for_each_column(r, trace, measured, m)
		model_heading(out, r, m);
	fputs("</tr></thead><tbody>\n", out);
}

static void put_counted(FILE *out, const struct pl_results *r, size_t trace)
{
	table_begin(out, "Counted: the same in every run, on every machine.");
	table_head(out, r, trace, false, "count");
	row_begin(out, "exits, certain");
	for_each_column(r, trace, false, m)
		count_cell(out, pl_exits(pl_run_of(r, trace, m)));
	fputs("</tr>\n", out);
	for (size_t g = 0; g < PL_EXIT_GROUPS; g++) {
		sub_row_begin(out, pl_exit_groups[g].name);
		for_each_column(r, trace, false, m)
			count_cell(out, pl_exit_group(pl_run_of(r, trace, m), g));
		fputs("</tr>\n", out);
	}
	row_begin(out, "exits, upper bound");
	for_each_column(r, trace, false, m)
		count_cell(out, pl_exits_max(pl_run_of(r, trace, m)));
	fputs("</tr>\n", out);
	counted_row(out, r, trace, false, "shadow pages built", "pages_created");
	counted_row(out, r, trace, false, "guest writes to tables", "writes");
	counted_row(out, r, trace, true, "emulated", "writes_emulated");
	counted_row(out, r, trace, true, "not noticed when they happened", "writes_silent");
	counted_row(out, r, trace, false, "tables gone out of sync", "unsyncs");
	counted_row(out, r, trace, true, "most at once", "unsync_peak");
	counted_row(out, r, trace, false, "resyncs", "resyncs");
	counted_row(out, r, trace, false, "tables synced", "tables_synced");
	counted_row(out, r, trace, true, "in vain", "tables_in_vain");
	counted_row(out, r, trace, false, "entries compared", "entries_compared");
	counted_row(out, r, trace, true, "unchanged", "entries_kept");
	counted_row(out, r, trace, false, "bytes of bookkeeping at peak", "bookkeeping_peak");
	table_end(out);
}

/* Every counter there is, with what it means. */
static void put_all_counters(FILE *out, const struct pl_results *r, size_t trace)
{
	fputs("<details><summary>All counters, with their meaning</summary>\n", out);
	table_begin(out, "Counted.");
	table_head(out, r, trace, false, "counter");
	for (size_t i = 0; i < r->n_counters; i++) {
		fputs("<tr><th scope=\"row\"><code>", out);
		pl_html(out, r->counters[i].name);
		fputs("</code><small>", out);
		pl_html(out, r->counters[i].help);
		fputs("</small></th>", out);
		for_each_column(r, trace, false, m) {
			const struct pl_run *run = pl_run_of(r, trace, m);

			if (pl_has(run, r->counters[i].name))
				count_cell(out, pl_count(run, r->counters[i].name));
			else
				fputs("<td>not in file</td>", out);
		}
		fputs("</tr>\n", out);
	}
	table_end(out);
	fputs("</details>\n", out);
}

static bool cause_occurs(const struct pl_results *r, size_t trace, const char *cause)
{
	for_each_column(r, trace, false, m) {
		if (pl_resync_count(pl_run_of(r, trace, m), cause, "count"))
			return true;
	}
	return false;
}

static const struct pl_cause_time *cause_time(const struct pl_run *run, const char *cause)
{
	for (size_t i = 0; run->measured && i < run->measured->n_causes; i++) {
		if (!strcmp(run->measured->causes[i].cause, cause))
			return &run->measured->causes[i];
	}
	return NULL;
}

static void cause_heading(FILE *out, const struct pl_term *cause)
{
	fputs("<tr><th scope=\"row\">", out);
	pl_html(out, cause->help);
	fputs("<small><code>", out);
	pl_html(out, cause->name);
	fputs("</code></small></th>", out);
}

static void put_causes_counted(FILE *out, const struct pl_results *r, size_t trace)
{
	char a[PL_NUMBER], b[PL_NUMBER];

	table_begin(out,
		    "Counted: resyncs by what made them necessary; below, the tables in them.");
	table_head(out, r, trace, false, "cause");
	for (size_t i = 0; i < r->n_causes; i++) {
		const char *cause = r->causes[i].name;

		if (!cause_occurs(r, trace, cause))
			continue;
		cause_heading(out, &r->causes[i]);
		for_each_column(r, trace, false, m) {
			const struct pl_run *run = pl_run_of(r, trace, m);

			fprintf(out, "<td>%s<small>%s tables</small></td>",
				pl_group(a, pl_resync_count(run, cause, "count")),
				pl_group(b, pl_resync_count(run, cause, "tables")));
		}
		fputs("</tr>\n", out);
	}
	table_end(out);
}

static void put_causes_measured(FILE *out, const struct pl_results *r, size_t trace)
{
	char a[PL_NUMBER], b[PL_NUMBER];

	table_begin(out, "Measured: median and p99 of one resync, by what made it necessary.");
	table_head(out, r, trace, true, "cause");
	for (size_t i = 0; i < r->n_causes; i++) {
		if (!cause_occurs(r, trace, r->causes[i].name))
			continue;
		cause_heading(out, &r->causes[i]);
		for_each_column(r, trace, true, m) {
			const struct pl_cause_time *c =
				cause_time(pl_run_of(r, trace, m), r->causes[i].name);

			if (c && c->count > 0)
				fprintf(out, "<td>%s<small>p99 %s</small></td>", pl_time(a, c->p50),
					pl_time(b, c->p99));
			else
				fputs("<td>none</td>", out);
		}
		fputs("</tr>\n", out);
	}
	table_end(out);
}

static bool trace_measured(const struct pl_results *r, size_t trace)
{
	for_each_column(r, trace, true, m)
		return true;
	return false;
}

static void put_causes(FILE *out, const struct pl_results *r, size_t trace)
{
	fputs("<details><summary>Resyncs by cause</summary>\n", out);
	put_causes_counted(out, r, trace);
	if (trace_measured(r, trace))
		put_causes_measured(out, r, trace);
	fputs("</details>\n", out);
}

static void latency_row(FILE *out, const struct pl_results *r, size_t trace, const char *name,
			size_t offset)
{
	row_begin(out, name);
	for_each_column(r, trace, true, m) {
		const struct pl_measured *t = pl_run_of(r, trace, m)->measured;

		if (t->count)
			time_cell(out, *(const double *)((const char *)t + offset));
		else
			fputs("<td>none</td>", out);
	}
	fputs("</tr>\n", out);
}

static void stat_row(FILE *out, const struct pl_results *r, size_t trace, const char *name,
		     size_t offset)
{
	char buf[PL_NUMBER];

	row_begin(out, name);
	for_each_column(r, trace, true, m) {
		const struct pl_stat *s =
			(const void *)((const char *)pl_run_of(r, trace, m)->measured + offset);

		fprintf(out, "<td>%s", pl_time(buf, s->median));
		put_interval(out, s);
		fprintf(out, "<small>MAD %s</small>", pl_time(buf, s->mad));
		if (s->n_outliers)
			fputs("<small>outlier: pass", out);
		for (size_t i = 0; i < s->n_outliers; i++)
			fprintf(out, "%s %llu", i ? "," : "", (unsigned long long)s->outliers[i]);
		fputs(s->n_outliers ? "</small></td>" : "</td>", out);
	}
	fputs("</tr>\n", out);
}

static void put_measured(FILE *out, const struct pl_results *r, size_t trace)
{
	table_begin(out, "Measured. null keeps guest memory and nothing else: what it takes is the "
			 "harness's own cost, which is part of every model's time.");
	table_head(out, r, trace, true, "time");
	stat_row(out, r, trace, "whole model, per pass", offsetof(struct pl_measured, total));
	stat_row(out, r, trace, "in resyncs, per pass", offsetof(struct pl_measured, resync_total));
	row_begin(out, "events per second, median");
	for_each_column(r, trace, true, m)
		count_cell(out, (uint64_t)pl_run_of(r, trace, m)->measured->events_per_s.median);
	fputs("</tr>\n", out);
	row_begin(out, "passes");
	for_each_column(r, trace, true, m)
		count_cell(out, pl_run_of(r, trace, m)->measured->passes);
	fputs("</tr>\n", out);
	row_begin(out, "resyncs timed, all passes");
	for_each_column(r, trace, true, m)
		count_cell(out, pl_run_of(r, trace, m)->measured->count);
	fputs("</tr>\n", out);
	latency_row(out, r, trace, "one resync, mean", offsetof(struct pl_measured, mean));
	latency_row(out, r, trace, "one resync, median", offsetof(struct pl_measured, p50));
	latency_row(out, r, trace, "p90", offsetof(struct pl_measured, p90));
	latency_row(out, r, trace, "p99", offsetof(struct pl_measured, p99));
	latency_row(out, r, trace, "p99.9", offsetof(struct pl_measured, p999));
	latency_row(out, r, trace, "longest", offsetof(struct pl_measured, max));
	table_end(out);
}

static int put_trace(FILE *out, const struct pl_page *page, size_t trace, char *error,
		     size_t error_len)
{
	const struct pl_results *r = page->results;
	const struct pl_trace *t = &r->traces[trace];
	char a[PL_NUMBER], b[PL_NUMBER];

	fprintf(out, "<section id=\"t%zu\">\n", trace + 1);
	element(out, "h2", "", t->id);
	fputs("<p>", out);
	if (strcmp(t->title, t->id) != 0) {
		pl_html(out, t->title);
		fputs(". ", out);
	}
	fprintf(out, "%s trace of a guest with %llu vCPU%s: %s events in %s. ",
		t->exact ? "Exact" : "Native", (unsigned long long)t->vcpus,
		t->vcpus == 1 ? "" : "s", pl_group(a, t->events),
		pl_time(b, (double)t->duration_ns));
	fputs(t->exact ? "Every write to a shadowed table is in it, in order."
		       : "Writes are lower bounds.",
	      out);
	fputs("</p>\n", out);
	if (put_charts(out, page, trace, error, error_len))
		return -1;
	put_counted(out, r, trace);
	if (trace_measured(r, trace))
		put_measured(out, r, trace);
	put_all_counters(out, r, trace);
	put_causes(out, r, trace);
	fputs("</section>\n", out);
	return 0;
}

/* ---- trust ---- */

#define MANY 5 /* warnings; more are folded away */

static double widest_bound(const struct pl_results *r, size_t trace)
{
	double widest = 0;

	for_each_column(r, trace, false, m) {
		const struct pl_run *run = pl_run_of(r, trace, m);
		double share = pl_exits(run) ? (double)pl_count(run, "refaults_max") * 100 /
						       (double)pl_exits(run)
					     : 0;

		widest = share > widest ? share : widest;
	}
	return widest;
}

static void put_trust_row(FILE *out, const struct pl_results *r, size_t trace)
{
	const struct pl_trace *t = &r->traces[trace];

	fputs("<tr><th scope=\"row\">", out);
	trace_anchor(out, r, trace);
	fprintf(out, "</th><td>%s</td><td>%s</td>", t->exact ? "exact" : "native",
		t->complete ? "complete" : "cut off");
	count_cell(out, t->lost);
	count_cell(out, t->writes_trapped);
	count_cell(out, t->writes_window);
	count_cell(out, t->writes_walk);
	fprintf(out, "<td>+%.1f %%</td>", widest_bound(r, trace));
	count_cell(out, t->host_unsync);
	count_cell(out, t->host_sync);
	fputs("</tr>\n", out);
}

static void put_warnings(FILE *out, const struct pl_results *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_contexts; i++)
		n += r->contexts[i].n_warnings;
	if (!n)
		return;
	element(out, "h3", "", "Warnings of the replay");
	fprintf(out, "<details%s><summary>%zu warning%s</summary>\n<ul>\n",
		n <= MANY ? " open" : "", n, n == 1 ? "" : "s");
	for (size_t i = 0; i < r->n_contexts; i++) {
		for (size_t k = 0; k < r->contexts[i].n_warnings; k++)
			element(out, "li", "", r->contexts[i].warnings[k]);
	}
	fputs("</ul></details>\n", out);
}

static void put_failures(FILE *out, const struct pl_results *r)
{
	if (!r->n_failures)
		return;
	element(out, "h3", "", "Replays that failed");
	fputs("<ul>\n", out);
	for (size_t i = 0; i < r->n_failures; i++) {
		fputs("<li>", out);
		pl_html(out, r->failures[i].trace);
		fputs(", ", out);
		pl_html(out, r->failures[i].model);
		fputs(": ", out);
		pl_html(out, r->failures[i].why);
		fputs("</li>\n", out);
	}
	fputs("</ul>\n", out);
}

/* Times of two machines in one chart would be taken for a difference between designs. */
static bool machines_differ(const struct pl_results *r)
{
	const struct pl_context *first = NULL;

	for (size_t i = 0; i < r->n_contexts; i++) {
		const struct pl_context *c = &r->contexts[i];

		if (!c->machine)
			continue;
		if (first &&
		    (strcmp(first->cpu, c->cpu) != 0 || strcmp(first->build, c->build) != 0 ||
		     strcmp(first->compiler, c->compiler) != 0 ||
		     strcmp(first->kernel, c->kernel) != 0))
			return true;
		first = c;
	}
	return false;
}

static void put_trust(FILE *out, const struct pl_results *r)
{
	fputs("<section id=\"trust\">\n", out);
	element(out, "h2", "", "How far to trust this");
	table_begin(out,
		    "What the traces hold, and how wide the widest bound is: further exits that "
		    "cannot be ruled out, against those that are certain.");
	fputs("<thead><tr><th scope=\"col\" class=\"text\">trace</th><th "
	      "scope=\"col\">mode</th><th scope=\"col\">end</th><th scope=\"col\">events "
	      "lost</th><th "
	      "scope=\"col\">writes trapped</th><th scope=\"col\">by comparison</th><th "
	      "scope=\"col\">by a walk</th><th scope=\"col\">widest bound</th><th "
	      "scope=\"col\">host: unsyncs</th><th scope=\"col\">host: "
	      "syncs</th></tr></thead><tbody>\n",
	      out);
	for (size_t t = 0; t < r->n_traces; t++)
		put_trust_row(out, r, t);
	table_end(out);
	if (machines_differ(r))
		fputs("<p class=\"note\">The files were measured on different machines or builds: "
		      "their times must not be compared with each other. Counts may.</p>\n",
		      out);
	put_failures(out, r);
	put_warnings(out, r);
	element(out, "h3", "", "Limits");
	fputs("<ul>\n", out);
	element(out, "li", "",
		"In an exact trace the recorded host refused to let tables go out of sync, so "
		"every "
		"write to a shadowed table is in it, in order and with its value. In a native one, "
		"writes to a table that was out of sync are known only by comparing it at both "
		"ends of "
		"the window: order and repeats are lost, and counts are lower bounds.");
	element(out, "li", "",
		"Accesses that the recorded host's shadow already satisfied are not in a trace. A "
		"design "
		"that drops more of its shadow than the host did would take further exits; how "
		"many at "
		"most is the upper bound.");
	element(out, "li", "",
		"Each resync is timed on its own, with the clock's cost taken off; values carry "
		"the "
		"histogram's relative error, named in each latency chart. Where two intervals "
		"overlap, "
		"no winner is named.");
	element(out, "li", "",
		"A replay runs one model at a time in one thread: contention between vCPUs for "
		"locks is "
		"not in these times.");
	fputs("</ul>\n</section>\n", out);
}

/* ---- reproduce ---- */

static void context_text(FILE *out, const struct pl_context *c)
{
	char a[PL_NUMBER], b[PL_NUMBER];

	fputs("<p>", out);
	if (!c->machine) {
		fputs("Counts only, by unsync ", out);
		pl_html(out, c->tool);
		fputs(": they do not depend on the machine, which is not recorded.</p>\n", out);
		return;
	}
	fputs("Replayed ", out);
	pl_html(out, c->created);
	fputs(" by unsync ", out);
	pl_html(out, c->tool);
	fputs(" (", out);
	pl_html(out, c->build);
	fputs(", ", out);
	pl_html(out, c->compiler);
	fputs(") on ", out);
	pl_html(out, c->cpu);
	fprintf(out, ", %llu core%s, Linux ", (unsigned long long)c->cores,
		c->cores == 1 ? "" : "s");
	pl_html(out, c->kernel);
	if (c->load >= 0)
		fprintf(out, ", load %.2f", c->load);
	fputs(". Clock: ", out);
	pl_html(out, c->clock_source);
	fprintf(out, ", %s a tick; reading it takes %s, which is taken off.</p>\n<pre>",
		pl_time(a, c->ns_per_tick), pl_time(b, c->overhead_ns));
	pl_html(out, c->command);
	fputs("</pre>\n", out);
}

static void put_reproduce(FILE *out, const struct pl_page *page)
{
	const struct pl_results *r = page->results;

	fputs("<section id=\"reproduce\">\n", out);
	element(out, "h2", "", "How to reproduce this");
	for (size_t i = 0; i < r->n_contexts; i++) {
		element(out, "h3", "", r->contexts[i].file);
		context_text(out, &r->contexts[i]);
	}
	element(out, "h3", "", "This page");
	fputs("<pre>", out);
	pl_html(out, page->command);
	fputs("</pre>\n<p>Beside it, <code>charts/</code> holds the data of each chart as CSV, the "
	      "gnuplot scripts, and <code>redraw.sh</code>, which draws the charts again.</p>\n",
	      out);
	element(out, "h3", "", "Traces");
	table_begin(out, "xxh64 of the whole file; xxhsum -H1 FILE prints it.");
	fputs("<thead><tr><th scope=\"col\" class=\"text\">trace</th><th scope=\"col\" "
	      "class=\"text\">xxh64</th><th scope=\"col\">bytes</th><th "
	      "scope=\"col\">events</th><th scope=\"col\" class=\"text\">recorded on "
	      "Linux</th><th scope=\"col\" class=\"text\">file</th></tr></thead><tbody>\n",
	      out);
	for (size_t t = 0; t < r->n_traces; t++) {
		fputs("<tr><th scope=\"row\">", out);
		trace_anchor(out, r, t);
		fputs("</th><td><code>", out);
		pl_html(out, r->traces[t].xxh64);
		fputs("</code></td>", out);
		count_cell(out, r->traces[t].bytes);
		count_cell(out, r->traces[t].events);
		fputs("<td class=\"text\">", out);
		pl_html(out, r->traces[t].kernel);
		fputs("</td><td class=\"hash\"><code>", out);
		pl_html(out, r->traces[t].path);
		fputs("</code></td></tr>\n", out);
	}
	table_end(out);
	fputs("</section>\n", out);
}

int pl_page(FILE *out, const struct pl_page *page, char *error, size_t error_len)
{
	const struct pl_results *r = page->results;

	put_head(out, page);
	if (put_answer(out, r)) {
		snprintf(error, error_len, "out of memory");
		return -1;
	}
	put_notices(out, r);
	put_nav(out, r);
	if (put_overview(out, page, error, error_len))
		return -1;
	put_designs(out, r);
	for (size_t t = 0; t < r->n_traces; t++) {
		if (put_trace(out, page, t, error, error_len))
			return -1;
	}
	put_trust(out, r);
	put_reproduce(out, page);
	fputs("</main>\n</body>\n</html>\n", out);
	return 0;
}
