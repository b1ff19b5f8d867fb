// SPDX-License-Identifier: GPL-2.0-only
#include "plots/csv.h"

#include <inttypes.h>

#include "plots/answer.h"
#include "plots/charts.h"
#include "plots/csv_parts.h"
#include "plots/growth.h"
#include "plots/text.h"

/* A label as charts show it. gnuplot splits headings at commas, quoted or not: there must be none. */
static const char *chart_label(char *buf, const char *text)
{
	pl_short(buf, text, PL_LABEL_CHARS);
	for (char *c = buf; *c; c++) {
		if (*c == ',')
			*c = ' ';
	}
	return buf;
}

void pl_csv_label(FILE *out, const char *text)
{
	char buf[4 * PL_LABEL_CHARS + 4];

	pl_csv(out, chart_label(buf, text));
}

void pl_csv_heading(FILE *out, const char *label, const char *what)
{
	char buf[4 * PL_LABEL_CHARS + 4], heading[4 * PL_LABEL_CHARS + 64];

	snprintf(heading, sizeof(heading), "%s: %s", chart_label(buf, label), what);
	fputc(',', out);
	pl_csv(out, heading);
}

static void put_count(FILE *out, uint64_t n)
{
	fprintf(out, ",%" PRIu64, n);
}

void pl_csv_cost(FILE *out, const struct pl_results *r, size_t trace)
{
	static const char *const counters[] = { "writes_emulated", "pages_created", "tables_synced",
						"entries_compared" };

	fputs("model,exits_min,exits_max,writes_emulated,pages_created,tables_synced,"
	      "entries_compared,resync_ms_per_pass,resync_ms_ci95_low,resync_ms_ci95_high,passes\n",
	      out);
	for_each_shown(r, trace, m) {
		const struct pl_run *run = pl_run_of(r, trace, m);
		const struct pl_measured *t = run->measured;

		pl_csv_label(out, r->models[m].label);
		put_count(out, pl_exits(run));
		put_count(out, pl_exits_max(run));
		for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
			put_count(out, pl_count(run, counters[i]));
		if (t)
			fprintf(out, ",%.6f", t->resync_total.median / 1e6);
		else
			fputc(',', out);
		if (t && t->resync_total.has_interval)
			fprintf(out, ",%.6f,%.6f", t->resync_total.lo / 1e6,
				t->resync_total.hi / 1e6);
		else
			fputs(",,", out);
		put_count(out, t ? t->passes : 0);
		fputc('\n', out);
	}
}

void pl_csv_exits(FILE *out, const struct pl_results *r, size_t trace)
{
	fputs("model", out);
	for (size_t g = 0; g < PL_EXIT_GROUPS; g++)
		fprintf(out, ",%s", pl_exit_groups[g].name);
	fputs(",further exits that the trace cannot rule out\n", out);
	for_each_shown(r, trace, m) {
		const struct pl_run *run = pl_run_of(r, trace, m);

		pl_csv_label(out, r->models[m].label);
		for (size_t g = 0; g < PL_EXIT_GROUPS; g++)
			put_count(out, pl_exit_group(run, g));
		put_count(out, pl_count(run, "refaults_max"));
		fputc('\n', out);
	}
}

void pl_csv_synced(FILE *out, const struct pl_results *r, size_t trace)
{
	fputs("model,tables that had changed,tables in vain,entries unchanged,"
	      "entries with changed permissions,entries dropped\n",
	      out);
	for_each_shown(r, trace, m) {
		const struct pl_run *run = pl_run_of(r, trace, m);
		uint64_t vain = pl_count(run, "tables_in_vain");
		uint64_t kept = pl_count(run, "entries_kept");
		uint64_t permission = pl_count(run, "entries_permission");

		pl_csv_label(out, r->models[m].label);
		put_count(out, pl_count(run, "tables_synced") - vain);
		put_count(out, vain);
		put_count(out, kept);
		put_count(out, permission);
		put_count(out, pl_count(run, "entries_compared") - kept - permission);
		fputc('\n', out);
	}
}

void pl_csv_latency(FILE *out, const struct pl_results *r, size_t trace)
{
	size_t number = 0;

	fputs("number,model,upper_ns,resyncs,cumulative_percent\n", out);
	for_each_shown(r, trace, m) {
		const struct pl_measured *t = pl_run_of(r, trace, m)->measured;
		uint64_t sum = 0;

		number++;
		for (size_t i = 0; t && i < t->n_buckets; i++) {
			if (!t->bucket[i])
				continue;
			sum += t->bucket[i];
			fprintf(out, "%zu,", number);
			pl_csv_label(out, r->models[m].label);
			fprintf(out, ",%.6g,%" PRIu64 ",%.6f\n", t->upper_ns[i], t->bucket[i],
				100.0 * (double)sum / (double)t->count);
		}
	}
}

void pl_csv_percentiles(FILE *out, const struct pl_results *r, size_t trace)
{
	fputs("model,resyncs,mean_ns,p50_ns,p90_ns,p99_ns,p99.9_ns,max_ns,relative_error\n", out);
	for_each_shown(r, trace, m) {
		const struct pl_measured *t = pl_run_of(r, trace, m)->measured;

		pl_csv_label(out, r->models[m].label);
		if (t && t->count)
			fprintf(out, ",%" PRIu64 ",%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%.4g\n", t->count,
				t->mean, t->p50, t->p90, t->p99, t->p999, t->max, t->error);
		else
			fputs(",0,,,,,,,\n", out);
	}
}

/* A figure of one bin: out of sync, exits, and time in resyncs, which need not be known. */
static void put_bin(FILE *out, const struct pl_run *run, int series, size_t bin)
{
	const struct pl_timeline *t = &run->timeline;

	if (series < 2)
		put_count(out, series ? t->exits[bin] : t->unsync[bin]);
	else if (run->measured && run->measured->bin_ns)
		fprintf(out, ",%.3f", (double)run->measured->bin_ns[bin] / 1e3);
	else
		fputc(',', out);
}

void pl_csv_timeline(FILE *out, const struct pl_results *r, size_t trace)
{
	static const char *const what[] = { "most tables out of sync", "exits", "µs in resyncs" };
	const struct pl_timeline *t = NULL;

	fputs("seconds", out);
	for (int series = 0; series < 3; series++) {
		for_each_shown(r, trace, m) {
			pl_csv_heading(out, r->models[m].label, what[series]);
			t = &pl_run_of(r, trace, m)->timeline;
		}
	}
	fputc('\n', out);
	for (size_t i = 0; t && i < t->n; i++) {
		fprintf(out, "%.9g", (double)i * t->bin_ns / 1e9);
		for (int series = 0; series < 3; series++) {
			for_each_shown(r, trace, m)
				put_bin(out, pl_run_of(r, trace, m), series, i);
		}
		fputc('\n', out);
	}
}

static void put_bins(FILE *out, const uint64_t *v, size_t n)
{
	for (size_t i = 0; v && i < n; i++)
		fprintf(out, "%s%" PRIu64, i ? " " : "", v[i]);
	fputc('\n', out);
}

void pl_hover_timeline(FILE *out, const struct pl_results *r, size_t trace)
{
	bool first = true;

	for_each_shown(r, trace, m) {
		const struct pl_run *run = pl_run_of(r, trace, m);
		const struct pl_timeline *t = &run->timeline;

		if (first)
			fprintf(out, "%.9g\n", t->bin_ns / 1e9);
		first = false;
		put_bins(out, t->unsync, t->n);
		put_bins(out, t->exits, t->n);
		put_bins(out, run->measured ? run->measured->bin_ns : NULL, t->n);
	}
}

void pl_hover_latency(FILE *out, const struct pl_results *r, size_t trace)
{
	for_each_shown(r, trace, m) {
		const struct pl_measured *t = pl_run_of(r, trace, m)->measured;

		for (size_t i = 0; t && i < t->n_buckets; i++)
			fprintf(out, "%s%.6g %" PRIu64, i ? " " : "", t->upper_ns[i], t->bucket[i]);
		fputc('\n', out);
	}
}

static double per_1000(const struct pl_trace *t, double value)
{
	return t->events ? value * 1000 / (double)t->events : 0;
}

void pl_csv_exits_overview(FILE *out, const struct pl_results *r, size_t trace)
{
	(void)trace;
	fputs("trace", out);
	for_each_shown(r, SIZE_MAX, m) {
		pl_csv_heading(out, r->models[m].label, "exits per 1000 events");
		pl_csv_heading(out, r->models[m].label, "least");
		pl_csv_heading(out, r->models[m].label, "most");
	}
	fputc('\n', out);
	for (size_t i = 0; i < r->n_traces; i++) {
		if (!pl_compared(r, i))
			continue;
		pl_csv_label(out, r->traces[i].id);
		for_each_shown(r, SIZE_MAX, m) {
			const struct pl_run *run = pl_run_of(r, i, m);
			double lo, hi;

			if (!run) {
				fputs(",,,", out);
				continue;
			}
			lo = per_1000(&r->traces[i], (double)pl_exits(run));
			hi = per_1000(&r->traces[i], (double)pl_exits_max(run));
			fprintf(out, ",%.6g,%.6g,%.6g", lo, lo, hi);
		}
		fputc('\n', out);
	}
}

void pl_csv_resync_overview(FILE *out, const struct pl_results *r, size_t trace)
{
	(void)trace;
	fputs("trace", out);
	for_each_shown(r, SIZE_MAX, m) {
		pl_csv_heading(out, r->models[m].label, "median µs in resyncs per 1000 events");
		pl_csv_heading(out, r->models[m].label, "95 % interval, low");
		pl_csv_heading(out, r->models[m].label, "95 % interval, high");
	}
	fputc('\n', out);
	for (size_t i = 0; i < r->n_traces; i++) {
		if (!pl_compared(r, i))
			continue;
		pl_csv_label(out, r->traces[i].id);
		for_each_shown(r, SIZE_MAX, m) {
			const struct pl_run *run = pl_run_of(r, i, m);
			const struct pl_stat *s;

			if (!run || !run->measured) {
				fputs(",,,", out);
				continue;
			}
			s = &run->measured->resync_total;
			fprintf(out, ",%.6g", per_1000(&r->traces[i], s->median / 1e3));
			if (s->has_interval)
				fprintf(out, ",%.6g,%.6g", per_1000(&r->traces[i], s->lo / 1e3),
					per_1000(&r->traces[i], s->hi / 1e3));
			else
				fputs(",,", out);
		}
		fputc('\n', out);
	}
}

/* ---- growth ---- */

/* For each CR3 write; the first ones, before the rounds begin, cost nothing that is shown. */
static double each_round(const struct pl_trace *t, double value)
{
	uint64_t rounds = pl_parameter(t, "rounds");

	return rounds ? value / (double)rounds : 0;
}

static void put_time(FILE *out, const struct pl_trace *t, const struct pl_run *run)
{
	const struct pl_stat *s;

	if (!run->measured) {
		fputs(",,,,0", out);
		return;
	}
	s = &run->measured->resync_total;
	fprintf(out, ",%.6g", each_round(t, s->median / 1e3));
	if (s->has_interval)
		fprintf(out, ",%.6g,%.6g", each_round(t, s->lo / 1e3), each_round(t, s->hi / 1e3));
	else
		fputs(",,", out);
	put_count(out, run->measured->passes);
}

static const char *const growth_counters[] = {
	"exit_table_write", "writes_emulated", "resyncs",	 "tables_synced",
	"entries_compared", "nodes_visited",   "parents_marked", "bookkeeping_peak",
};

#define N_GROWTH_COUNTERS (sizeof(growth_counters) / sizeof(growth_counters[0]))

static void put_counters(FILE *out, const struct pl_trace *t, const struct pl_run *run)
{
	fprintf(out, ",%.6g", each_round(t, (double)pl_count(run, "exit_table_write")));
	put_count(out, pl_parameter(t, "rounds"));
	for (size_t i = 0; i < N_GROWTH_COUNTERS; i++)
		put_count(out, pl_count(run, growth_counters[i]));
}

static void put_series(FILE *out, const struct pl_results *g, const struct pl_series *s,
		       void (*put)(FILE *out, const struct pl_trace *t, const struct pl_run *run))
{
	size_t number = 0;

	for_each_shown(g, SIZE_MAX, m) {
		number++;
		for (size_t i = 0; i < s->n; i++) {
			const struct pl_trace *t = &g->traces[s->traces[i]];
			const struct pl_run *run = pl_run_of(g, s->traces[i], m);

			if (!run)
				continue;
			pl_csv(out, s->parameter);
			fprintf(out, ",%" PRIu64 ",%zu,", pl_parameter(t, s->parameter), number);
			pl_csv_label(out, g->models[m].label);
			put(out, t, run);
			fputc('\n', out);
		}
	}
}

static void put_growth(FILE *out, const struct pl_results *g,
		       void (*put)(FILE *out, const struct pl_trace *t, const struct pl_run *run))
{
	struct pl_growth growth;

	if (!pl_growth_find(g, &growth)) {
		for (size_t i = 0; i < growth.n; i++)
			put_series(out, g, &growth.series[i], put);
	}
	pl_growth_free(&growth);
}

void pl_csv_growth_resync(FILE *out, const struct pl_results *r, size_t trace)
{
	(void)trace;
	fputs("parameter,value,number,model,median_us_per_cr3_write,ci95_low,ci95_high,passes\n",
	      out);
	put_growth(out, r->growth, put_time);
}

void pl_csv_growth_writes(FILE *out, const struct pl_results *r, size_t trace)
{
	(void)trace;
	fputs("parameter,value,number,model,table_write_exits_per_cr3_write,cr3_writes", out);
	for (size_t i = 0; i < N_GROWTH_COUNTERS; i++)
		fprintf(out, ",%s", growth_counters[i]);
	fputc('\n', out);
	put_growth(out, r->growth, put_counters);
}

/* What the page's script reads: for each series its name and values, then a line for each design. */
static void hover_growth(FILE *out, const struct pl_results *g,
			 double (*figure)(const struct pl_trace *t, const struct pl_run *run))
{
	struct pl_growth growth;
	char slug[81];

	if (pl_growth_find(g, &growth))
		growth.n = 0;
	for (size_t k = 0; k < growth.n; k++) {
		const struct pl_series *s = &growth.series[k];

		fputs(pl_slug(slug, s->parameter), out);
		for (size_t i = 0; i < s->n; i++)
			fprintf(out, " %" PRIu64,
				pl_parameter(&g->traces[s->traces[i]], s->parameter));
		fputc('\n', out);
		for_each_shown(g, SIZE_MAX, m) {
			for (size_t i = 0; i < s->n; i++) {
				const struct pl_run *run = pl_run_of(g, s->traces[i], m);

				fprintf(out, "%s%.4g", i ? " " : "",
					run ? figure(&g->traces[s->traces[i]], run) : -1);
			}
			fputc('\n', out);
		}
	}
	pl_growth_free(&growth);
}

static double time_each(const struct pl_trace *t, const struct pl_run *run)
{
	return run->measured ? each_round(t, run->measured->resync_total.median) : -1;
}

static double exits_each(const struct pl_trace *t, const struct pl_run *run)
{
	return each_round(t, (double)pl_count(run, "exit_table_write"));
}

void pl_hover_growth_resync(FILE *out, const struct pl_results *r, size_t trace)
{
	(void)trace;
	hover_growth(out, r->growth, time_each);
}

void pl_hover_growth_writes(FILE *out, const struct pl_results *r, size_t trace)
{
	(void)trace;
	hover_growth(out, r->growth, exits_each);
}
