// SPDX-License-Identifier: GPL-2.0-only
#include "replay/report_times.h"

#include <inttypes.h>
#include <stdlib.h>

#include "replay/report_text.h"

#define FEW_PAIRS 3 /* of models not told apart, to go on one line */

static bool shown(const struct ur_run *run)
{
	return !run->failed[0];
}

/* ---- worked out ---- */

static int figure(struct ur_figure *f, const double *v, size_t n)
{
	f->any = true;
	return ur_stats_of(v, n, &f->of);
}

static int work_out_costs(struct ur_times *t, const struct ur_run *run, double *v)
{
	const struct ur_measured *m = run->measured;
	struct ur_resyncs all = ur_resyncs_of(run);

	for (unsigned int i = 0; i < UR_COST_END; i++) {
		if (ur_costs(m, i, &all, &run->synced, v) && figure(&t->cost[i], v, m->passes))
			return -1;
	}
	for (unsigned int e = 0; e < UR_HW_END; e++) {
		if (ur_hardware_counts(m, e, v) && figure(&t->hardware[e], v, m->passes))
			return -1;
	}
	return 0;
}

static int work_out_floor(struct ur_times *t, const struct ur_run *run,
			  const struct ur_floor *floor)
{
	const struct ur_measured *m = run->measured;
	struct ur_against_floor f;
	int ret;

	if (!floor || !m->floor_ns || !run->synced.tables)
		return 0;
	if (ur_against_floor(&f, m, &run->synced, floor))
		return -1;
	t->set = f.set;
	ret = figure(&t->read, m->floor_ns, m->passes) || figure(&t->ratio, f.ratio, m->passes);
	ur_against_floor_free(&f);
	return ret ? -1 : 0;
}

static int work_out_above(struct ur_times *t, const struct ur_run *run, const struct ur_run *null,
			  double *v)
{
	const struct ur_measured *m = run->measured;

	if (!null || null == run)
		return 0;
	ur_above_null(m, null->measured, v);
	return figure(&t->above_null, v, m->passes);
}

int ur_times_of(struct ur_times *t, const struct ur_trace *trace, const struct ur_run *run,
		const struct ur_context *context)
{
	const struct ur_measured *m = run->measured;
	double *v = calloc(m->passes, sizeof(*v));
	double *rate = ur_rates(m, trace->survey.events);
	int ret = -1;

	*t = (struct ur_times){ 0 };
	if (v && rate)
		ret = ur_stats_of(rate, m->passes, &t->rate) ||
				      ur_stats_of(m->total_ns, m->passes, &t->total) ||
				      ur_stats_of(m->resync_ns, m->passes, &t->resync) ||
				      work_out_costs(t, run, v) ||
				      work_out_above(t, run, ur_null_run(trace), v) ||
				      work_out_floor(t, run, context->floor)
			      ? -1
			      : 0;
	free(v);
	free(rate);
	return ret;
}

/* ---- cells ---- */

/* "1.2 us - 1.4 us", or "-" if there is no interval */
struct interval {
	char s[72];
};

static struct interval show_interval(const struct ur_stats *s, struct ur_text (*show)(double))
{
	struct interval i = { "-" };

	if (s->has_interval)
		snprintf(i.s, sizeof(i.s), "%s - %s", show(s->lo).s, show(s->hi).s);
	return i;
}

static struct ur_text show_figure(const struct ur_figure *f, struct ur_text (*show)(double))
{
	return f->any ? show(f->of.median) : (struct ur_text){ "-" };
}

static struct ur_text show_ratio(double ratio)
{
	struct ur_text t;

	snprintf(t.s, sizeof(t.s), "%.*f", ratio < 100, ratio);
	return t;
}

static struct ur_text show_share(uint64_t part, uint64_t whole)
{
	struct ur_text t = { "-" };

	if (whole)
		snprintf(t.s, sizeof(t.s), "%.1f %%", 100 * (double)part / (double)whole);
	return t;
}

/* ---- tables ---- */

static void print_totals(FILE *out, const struct ur_trace *trace, const struct ur_times *times,
			 int width)
{
	fprintf(out, "\n%-*s %10s %10s %10s %10s  %s\n", width, "time", "total", "MAD",
		"above null", "events/s", "95 % interval");
	for (size_t i = 0; i < trace->n_runs; i++) {
		const struct ur_times *t = &times[i];

		if (!shown(&trace->runs[i]))
			continue;
		fprintf(out, "%-*s %10s %10s %10s %10s  %s\n", width, trace->runs[i].spec->label,
			ur_show_ns(t->total.median).s, ur_show_ns(t->total.mad).s,
			show_figure(&t->above_null, ur_show_cost).s, ur_show_rate(t->rate.median).s,
			show_interval(&t->rate, ur_show_rate).s);
	}
}

static bool has_resyncs(const struct ur_run *run)
{
	return shown(run) && run->measured->resync.n;
}

static void print_resyncs(FILE *out, const struct ur_trace *trace, const struct ur_times *times,
			  int width, double ns)
{
	static const double shares[] = { 0.5, 0.9, 0.99, 0.999 };

	fprintf(out, "\n%-*s %10s %10s %10s %10s %10s %10s %10s  %s\n", width, "resyncs", "count",
		"p50", "p90", "p99", "p99.9", "max", "all of it", "95 % interval");
	for (size_t i = 0; i < trace->n_runs; i++) {
		const struct ur_run *run = &trace->runs[i];
		const struct ur_hist *h;

		if (!has_resyncs(run))
			continue;
		h = &run->measured->resync;
		fprintf(out, "%-*s %10" PRIu64, width, run->spec->label, ur_resyncs_of(run).count);
		for (size_t k = 0; k < sizeof(shares) / sizeof(shares[0]); k++)
			fprintf(out, " %10s",
				ur_show_ns((double)ur_hist_quantile(h, shares[k]) * ns).s);
		fprintf(out, " %10s %10s  %s\n", ur_show_ns((double)h->max * ns).s,
			ur_show_ns(times[i].resync.median).s,
			show_interval(&times[i].resync, ur_show_ns).s);
	}
}

/* What a design without tables out of sync does in a resync has no table in it. */
static void print_costs(FILE *out, const struct ur_trace *trace, const struct ur_times *times,
			int width)
{
	fprintf(out, "\n%-*s %10s %10s %10s %10s %10s %10s %10s %10s  %s\n", width, "cost of",
		"a resync", "a table", "an entry", "a change", "in vain", "tables in", "floor",
		"times it", "95 % interval");
	for (size_t i = 0; i < trace->n_runs; i++) {
		const struct ur_run *run = &trace->runs[i];
		const struct ur_times *t = &times[i];
		struct ur_text set = { "-" };

		if (!has_resyncs(run))
			continue;
		if (t->read.any)
			set = ur_show_bytes((double)t->set);
		fprintf(out, "%-*s", width, run->spec->label);
		for (unsigned int c = 0; c < UR_COST_END; c++)
			fprintf(out, " %10s", show_figure(&t->cost[c], ur_show_cost).s);
		fprintf(out, " %10s %10s %10s %10s  %s\n",
			show_share(run->counters[UM_tables_in_vain],
				   run->counters[UM_tables_synced])
				.s,
			set.s, show_figure(&t->read, ur_show_cost).s,
			show_figure(&t->ratio, show_ratio).s,
			show_interval(&t->ratio.of, show_ratio).s);
	}
}

static int print_levels(FILE *out, const struct ur_trace *trace, const struct ur_floor *floor)
{
	const struct ur_passes *p = &trace->passes;
	double *ns = calloc(p->n, sizeof(*ns));

	if (!ns)
		return -1;
	fputs("reading a table of 4 KiB takes at least:", out);
	for (unsigned int i = 0; i < floor->n; i++) {
		struct ur_stats s;

		for (unsigned int pass = 0; pass < p->n; pass++)
			ns[pass] = p->floor_ns[(size_t)pass * UR_FLOOR_LEVELS + i];
		if (!ur_stats_of(ns, p->n, &s))
			fprintf(out, "%s %s from %s", i ? "," : "", ur_show_cost(s.median).s,
				floor->level[i].name);
	}
	fputc('\n', out);
	free(ns);
	return 0;
}

static void print_hardware(FILE *out, const struct ur_trace *trace, const struct ur_times *times,
			   int width)
{
	fprintf(out, "\n%-*s %12s %12s %12s %12s %12s\n", width, "processor", "cycles",
		"instructions", "per cycle", "LLC misses", "dTLB misses");
	for (size_t i = 0; i < trace->n_runs; i++) {
		const struct ur_figure *f = times[i].hardware;
		const struct ur_figure *cycles = &f[UR_HW_cycles], *done = &f[UR_HW_instructions];
		char rate[32] = "-";

		if (!shown(&trace->runs[i]))
			continue;
		if (cycles->any && done->any && cycles->of.median > 0)
			snprintf(rate, sizeof(rate), "%.2f", done->of.median / cycles->of.median);
		fprintf(out, "%-*s %12s %12s %12s %12s %12s\n", width, trace->runs[i].spec->label,
			show_figure(cycles, ur_show_rate).s, show_figure(done, ur_show_rate).s,
			rate, show_figure(&f[UR_HW_llc_misses], ur_show_rate).s,
			show_figure(&f[UR_HW_dtlb_misses], ur_show_rate).s);
	}
}

/* ---- told apart? ---- */

static bool overlap(const struct ur_stats *a, const struct ur_stats *b)
{
	return a->lo <= b->hi && b->lo <= a->hi;
}

/* Were two models told apart? Without a resync there is no time of resyncs to compare. */
static bool alike(const struct ur_trace *trace, const struct ur_times *times, size_t i, size_t k,
		  bool resync)
{
	const struct ur_run *a = &trace->runs[i], *b = &trace->runs[k];

	if (!shown(a) || !shown(b))
		return false;
	if (!resync)
		return overlap(&times[i].total, &times[k].total);
	return a->measured->resync.n && b->measured->resync.n &&
	       overlap(&times[i].resync, &times[k].resync);
}

static unsigned int count_alike(const struct ur_trace *trace, const struct ur_times *times,
				size_t i, bool resync)
{
	unsigned int n = 0;

	for (size_t k = i + 1; k < trace->n_runs; k++)
		n += alike(trace, times, i, k, resync);
	return n;
}

static void print_pairs(FILE *out, const struct ur_trace *trace, const struct ur_times *times,
			bool resync)
{
	const char *separator = " ";

	for (size_t i = 0; i < trace->n_runs; i++) {
		for (size_t k = i + 1; k < trace->n_runs; k++) {
			if (!alike(trace, times, i, k, resync))
				continue;
			fprintf(out, "%s%s and %s", separator, trace->runs[i].spec->label,
				trace->runs[k].spec->label);
			separator = ", ";
		}
	}
	fputc('\n', out);
}

/* Each model with those further down that it was not told apart from. */
static void print_crowd(FILE *out, const struct ur_trace *trace, const struct ur_times *times,
			int width, bool resync)
{
	fputc('\n', out);
	for (size_t i = 0; i < trace->n_runs; i++) {
		const char *separator = "";

		if (!count_alike(trace, times, i, resync))
			continue;
		fprintf(out, "  %-*s  ", width, trace->runs[i].spec->label);
		for (size_t k = i + 1; k < trace->n_runs; k++) {
			if (!alike(trace, times, i, k, resync))
				continue;
			fprintf(out, "%s%s", separator, trace->runs[k].spec->label);
			separator = ", ";
		}
		fputc('\n', out);
	}
}

/* Models whose intervals overlap, for each quantity. */
static void print_alike(FILE *out, const struct ur_trace *trace, const struct ur_times *times,
			int width, bool resync)
{
	unsigned int n = 0;

	for (size_t i = 0; i < trace->n_runs; i++)
		n += count_alike(trace, times, i, resync);
	if (!n)
		return;
	fprintf(out, "no difference shown in %s:", resync ? "time in resyncs" : "total time");
	if (n <= FEW_PAIRS)
		print_pairs(out, trace, times, resync);
	else
		print_crowd(out, trace, times, width, resync);
}

static bool any_resyncs(const struct ur_trace *trace)
{
	for (size_t i = 0; i < trace->n_runs; i++) {
		if (has_resyncs(&trace->runs[i]))
			return true;
	}
	return false;
}

static int print_times(FILE *out, const struct ur_trace *trace, const struct ur_times *times,
		       const struct ur_context *context, int width)
{
	print_totals(out, trace, times, width);
	if (any_resyncs(trace)) {
		print_resyncs(out, trace, times, width, context->clock->ns_per_tick);
		print_costs(out, trace, times, width);
		if (context->floor && trace->passes.floor_ns &&
		    print_levels(out, trace, context->floor))
			return -1;
	}
	if (context->hardware && context->hardware->n)
		print_hardware(out, trace, times, width);
	/* With fewer passes there is no interval: a note says so. */
	if (ur_stats_rank(trace->passes.n, NULL)) {
		print_alike(out, trace, times, width, false);
		print_alike(out, trace, times, width, true);
	}
	return 0;
}

int ur_report_times(FILE *out, const struct ur_trace *trace, const struct ur_context *context,
		    int width)
{
	struct ur_times *times = calloc(trace->n_runs, sizeof(*times));
	int ret = times ? 0 : -1;

	for (size_t i = 0; !ret && i < trace->n_runs; i++) {
		if (shown(&trace->runs[i]))
			ret = ur_times_of(&times[i], trace, &trace->runs[i], context);
	}
	if (!ret)
		ret = print_times(out, trace, times, context, width);
	free(times);
	return ret;
}
