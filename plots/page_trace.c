// SPDX-License-Identifier: GPL-2.0-only
#include "plots/page_parts.h"

#include <string.h>

#include "plots/answer.h"
#include "plots/html.h"
#include "plots/text.h"

/* A line of a table belongs to one model. */
static void row_begin(FILE *out, const struct pl_results *r, size_t model)
{
	fprintf(out, "<tr data-m=\"%zu\"><th scope=\"row\">", model);
	pl_model_label(out, r, model);
	if (r->models[model].bound)
		fputs("<small>a bound</small>", out);
	fputs("</th>", out);
}

/* ---- counted ---- */

static void put_exits(FILE *out, const struct pl_results *r, size_t trace)
{
	const char *names[PL_EXIT_GROUPS + 4] = { "exits by cause", "certain", "at most" };

	for (size_t g = 0; g < PL_EXIT_GROUPS; g++)
		names[3 + g] = pl_exit_groups[g].name;
	pl_table_begin(out, "Counted: exits, the same in every run on every machine.", "sort");
	pl_columns(out, names, 1);
	for_each_column(r, trace, false, m) {
		const struct pl_run *run = pl_run_of(r, trace, m);

		row_begin(out, r, m);
		pl_count_cell(out, pl_exits(run));
		pl_count_cell(out, pl_exits_max(run));
		for (size_t g = 0; g < PL_EXIT_GROUPS; g++)
			pl_count_cell(out, pl_exit_group(run, g));
		fputs("</tr>\n", out);
	}
	pl_table_end(out);
}

static void put_counted(FILE *out, const struct pl_results *r, size_t trace, const char *caption,
			const char *const *names, const char *const *counters)
{
	pl_table_begin(out, caption, "sort");
	pl_columns(out, names, 1);
	for_each_column(r, trace, false, m) {
		row_begin(out, r, m);
		for (size_t i = 0; counters[i]; i++)
			pl_count_cell(out, pl_count(pl_run_of(r, trace, m), counters[i]));
		fputs("</tr>\n", out);
	}
	pl_table_end(out);
}

static void put_work(FILE *out, const struct pl_results *r, size_t trace)
{
	static const char *const writes[] = { "writes and state",
					      "guest writes to tables",
					      "emulated",
					      "not noticed when they happened",
					      "tables gone out of sync",
					      "most at once",
					      "shadow pages built",
					      "bookkeeping at peak, bytes",
					      NULL };
	static const char *const write_counters[] = { "writes",		  "writes_emulated",
						      "writes_silent",	  "unsyncs",
						      "unsync_peak",	  "pages_created",
						      "bookkeeping_peak", NULL };
	static const char *const syncs[] = { "keeping in step",	 "resyncs",
					     "tables synced",	 "in vain",
					     "entries compared", "unchanged",
					     "entries fixed",	 NULL };
	static const char *const sync_counters[] = { "resyncs",
						     "tables_synced",
						     "tables_in_vain",
						     "entries_compared",
						     "entries_kept",
						     "entries_fixed",
						     NULL };

	put_counted(out, r, trace, "Counted: writes to tables, and what is kept of them.", writes,
		    write_counters);
	put_counted(out, r, trace, "Counted: what keeping tables in step took.", syncs,
		    sync_counters);
}

/* Every counter there is, with what it means. */
static void put_all_counters(FILE *out, const struct pl_results *r, size_t trace)
{
	fputs("<details><summary>All counters, with their meaning</summary>\n", out);
	pl_table_begin(out, "Counted.", "");
	pl_model_columns(out, r, trace, false, "counter");
	for (size_t i = 0; i < r->n_counters; i++) {
		fputs("<tr><th scope=\"row\"><code>", out);
		pl_html(out, r->counters[i].name);
		fputs("</code><small>", out);
		pl_html(out, r->counters[i].help);
		fputs("</small></th>", out);
		for_each_column(r, trace, false, m) {
			const struct pl_run *run = pl_run_of(r, trace, m);

			if (pl_has(run, r->counters[i].name))
				pl_count_cell(out, pl_count(run, r->counters[i].name));
			else
				fputs("<td>not in file</td>", out);
		}
		fputs("</tr>\n", out);
	}
	pl_table_end(out);
	fputs("</details>\n", out);
}

/* ---- by cause ---- */

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

static void put_cause_columns(FILE *out, const struct pl_results *r, size_t trace)
{
	fputs("<thead><tr><th scope=\"col\" class=\"text\">resyncs by cause</th>", out);
	for (size_t i = 0; i < r->n_causes; i++) {
		if (!cause_occurs(r, trace, r->causes[i].name))
			continue;
		fputs("<th scope=\"col\"><code>", out);
		pl_html(out, r->causes[i].name);
		fputs("</code><small>", out);
		pl_html(out, r->causes[i].help);
		fputs("</small></th>", out);
	}
	fputs("</tr></thead><tbody>\n", out);
}

static void cause_count_cell(FILE *out, const struct pl_run *run, const char *cause)
{
	uint64_t n = pl_resync_count(run, cause, "count");
	char a[PL_NUMBER], b[PL_NUMBER];

	fprintf(out, "<td data-v=\"%llu\">%s<small>%s tables</small></td>", (unsigned long long)n,
		pl_group(a, n), pl_group(b, pl_resync_count(run, cause, "tables")));
}

static void cause_time_cell(FILE *out, const struct pl_run *run, const char *cause)
{
	const struct pl_cause_time *c = cause_time(run, cause);
	char a[PL_NUMBER], b[PL_NUMBER];

	if (c && c->count > 0)
		fprintf(out, "<td data-v=\"%.1f\">%s<small>p99 %s</small></td>", c->p50,
			pl_time(a, c->p50), pl_time(b, c->p99));
	else
		fputs("<td>none</td>", out);
}

static void put_cause_table(FILE *out, const struct pl_results *r, size_t trace, bool measured)
{
	pl_table_begin(out,
		       measured ? "Measured: median and p99 of one resync, by what made it "
				  "necessary."
				: "Counted: resyncs by what made them necessary; below, the tables "
				  "in them.",
		       "sort");
	put_cause_columns(out, r, trace);
	for_each_column(r, trace, measured, m) {
		row_begin(out, r, m);
		for (size_t i = 0; i < r->n_causes; i++) {
			if (!cause_occurs(r, trace, r->causes[i].name))
				continue;
			(measured ? cause_time_cell : cause_count_cell)(out, pl_run_of(r, trace, m),
									r->causes[i].name);
		}
		fputs("</tr>\n", out);
	}
	pl_table_end(out);
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
	put_cause_table(out, r, trace, false);
	if (trace_measured(r, trace))
		put_cause_table(out, r, trace, true);
	fputs("</details>\n", out);
}

/* ---- measured ---- */

static void stat_cell(FILE *out, const struct pl_stat *s)
{
	char buf[PL_NUMBER];

	fprintf(out, "<td data-v=\"%.1f\">%s", s->median, pl_time(buf, s->median));
	pl_interval(out, s);
	fprintf(out, "<small>MAD %s</small>", pl_time(buf, s->mad));
	if (s->n_outliers)
		fputs("<small>outlier: pass", out);
	for (size_t i = 0; i < s->n_outliers; i++)
		fprintf(out, "%s %llu", i ? "," : "", (unsigned long long)s->outliers[i]);
	fputs(s->n_outliers ? "</small></td>" : "</td>", out);
}

static void latency_cells(FILE *out, const struct pl_measured *t)
{
	const double values[] = { t->mean, t->p50, t->p90, t->p99, t->p999, t->max };

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		if (t->count)
			pl_time_cell(out, values[i]);
		else
			fputs("<td>none</td>", out);
	}
}

static void put_measured(FILE *out, const struct pl_results *r, size_t trace)
{
	static const char *const names[] = { "time",
					     "whole model, per pass",
					     "in resyncs, per pass",
					     "events per second",
					     "passes",
					     "resyncs timed, all passes",
					     "one resync, mean",
					     "median",
					     "p90",
					     "p99",
					     "p99.9",
					     "longest",
					     NULL };

	pl_table_begin(out,
		       "Measured: medians over passes with their 95 % interval. null keeps guest "
		       "memory and nothing else: what it takes is the harness's own cost, which is "
		       "part of every model's time.",
		       "sort");
	pl_columns(out, names, 1);
	for_each_column(r, trace, true, m) {
		const struct pl_measured *t = pl_run_of(r, trace, m)->measured;

		row_begin(out, r, m);
		stat_cell(out, &t->total);
		stat_cell(out, &t->resync_total);
		pl_count_cell(out, (uint64_t)t->events_per_s.median);
		pl_count_cell(out, t->passes);
		pl_count_cell(out, t->count);
		latency_cells(out, t);
		fputs("</tr>\n", out);
	}
	pl_table_end(out);
}

/* ---- what a resync costs, and the floor ---- */

static void plain_stat_cell(FILE *out, const struct pl_stat *s)
{
	char buf[PL_NUMBER];

	fprintf(out, "<td data-v=\"%.3f\">%s", s->median, pl_time(buf, s->median));
	pl_interval(out, s);
	fputs("</td>", out);
}

static void vain_cell(FILE *out, const struct pl_run *run)
{
	uint64_t tables = pl_count(run, "tables_synced");
	double share =
		tables ? 100.0 * (double)pl_count(run, "tables_in_vain") / (double)tables : 0;

	if (tables)
		fprintf(out, "<td data-v=\"%.4f\">%.1f %%</td>", share, share);
	else
		fputs("<td>none synced</td>", out);
}

static void floor_cells(FILE *out, const struct pl_measured *t)
{
	const struct pl_floor *f = &t->floor;
	char a[PL_NUMBER], b[PL_NUMBER];

	if (!t->has_floor) {
		fputs("<td>none</td><td>none</td>", out);
		return;
	}
	fprintf(out, "<td data-v=\"%.3f\">%s<small>%s, %s KiB</small></td>", f->read_ns.median,
		pl_time(a, f->read_ns.median), f->level, pl_group(b, f->working_set >> 10));
	fprintf(out, "<td data-v=\"%.3f\"><b>%s ×</b>", f->ratio.median,
		pl_factor(a, f->ratio.median));
	if (f->ratio.has_interval)
		fprintf(out, "<small>%s to %s</small>", pl_factor(a, f->ratio.lo),
			pl_factor(b, f->ratio.hi));
	fputs("</td>", out);
}

static void put_floor(FILE *out, const struct pl_results *r, size_t trace)
{
	static const char *const names[] = {
		"cost in resyncs",	  "of a resync",	 "of a table",
		"of an entry compared",	  "of an entry changed", "tables in vain",
		"floor: reading a table", "times the floor",	 NULL
	};

	pl_table_begin(
		out,
		"Measured: what a resync costs, and each thing in it, on average over a pass: "
		"median and 95 % interval. The floor is what only reading the same bytes once "
		"takes on this machine, from where the tables lie.",
		"sort");
	pl_columns(out, names, 1);
	for_each_column(r, trace, true, m) {
		const struct pl_run *run = pl_run_of(r, trace, m);

		if (!run->measured->count)
			continue;
		row_begin(out, r, m);
		for (size_t i = 0; i < PL_UNIT_COSTS; i++) {
			if (run->measured->has_cost[i])
				plain_stat_cell(out, &run->measured->cost[i]);
			else
				fputs("<td>none</td>", out);
		}
		vain_cell(out, run);
		floor_cells(out, run->measured);
		fputs("</tr>\n", out);
	}
	pl_table_end(out);
}

/* Counters of the processor's have the same names in all runs of a file. */
static const struct pl_measured *with_hardware(const struct pl_results *r, size_t trace)
{
	for_each_column(r, trace, true, m) {
		if (pl_run_of(r, trace, m)->measured->n_hardware)
			return pl_run_of(r, trace, m)->measured;
	}
	return NULL;
}

static void hardware_cell(FILE *out, const struct pl_measured *t, const char *name)
{
	char a[PL_NUMBER], b[PL_NUMBER];

	for (size_t i = 0; i < t->n_hardware; i++) {
		const struct pl_stat *s = &t->hardware[i].value;

		if (strcmp(t->hardware[i].name, name) != 0)
			continue;
		fprintf(out, "<td data-v=\"%.1f\">%s", s->median, pl_group(a, (uint64_t)s->median));
		if (s->has_interval)
			fprintf(out, "<small>%s to %s</small>", pl_group(a, (uint64_t)s->lo),
				pl_group(b, (uint64_t)s->hi));
		fputs("</td>", out);
		return;
	}
	fputs("<td>none</td>", out);
}

static void put_hardware(FILE *out, const struct pl_results *r, size_t trace)
{
	const struct pl_measured *first = with_hardware(r, trace);

	if (!first)
		return;
	pl_table_begin(out,
		       "Measured: the processor's own counters over the whole model, per pass: "
		       "median and 95 % interval.",
		       "sort");
	fputs("<thead><tr><th scope=\"col\" class=\"text\">counter</th>", out);
	for (size_t i = 0; i < first->n_hardware; i++)
		pl_element(out, "th", "scope=\"col\"", first->hardware[i].name);
	fputs("</tr></thead><tbody>\n", out);
	for_each_column(r, trace, true, m) {
		row_begin(out, r, m);
		for (size_t i = 0; i < first->n_hardware; i++)
			hardware_cell(out, pl_run_of(r, trace, m)->measured,
				      first->hardware[i].name);
		fputs("</tr>\n", out);
	}
	pl_table_end(out);
}

void pl_trace_tables(FILE *out, const struct pl_results *r, size_t trace)
{
	put_exits(out, r, trace);
	put_work(out, r, trace);
	if (trace_measured(r, trace)) {
		put_measured(out, r, trace);
		put_floor(out, r, trace);
		put_hardware(out, r, trace);
	}
	put_causes(out, r, trace);
	put_all_counters(out, r, trace);
}
