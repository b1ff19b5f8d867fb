// SPDX-License-Identifier: GPL-2.0-only
#include "replay/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "replay/stats.h"

#define FEW_PAIRS 3 /* of models not told apart, to go on one line */

/* ---- numbers with units ---- */

struct text {
	char s[32];
};

static struct text show(double v, const char *const *units, const double *limits, size_t n)
{
	struct text t;
	size_t i = 0;

	while (i + 1 < n && v >= limits[i + 1])
		i++;
	v /= limits[i];
	snprintf(t.s, sizeof(t.s), "%.*f%s",
		 limits[i] == 1 || v >= 100 ? 0
		 : v >= 10		    ? 1
					    : 2,
		 v, units[i]);
	return t;
}

static struct text show_ns(double ns)
{
	static const char *const units[] = { " ns", " us", " ms", " s" };
	static const double limits[] = { 1, 1e3, 1e6, 1e9 };

	return show(ns, units, limits, 4);
}

static struct text show_rate(double rate)
{
	static const char *const units[] = { "", " k", " M", " G" };
	static const double limits[] = { 1, 1e3, 1e6, 1e9 };

	return show(rate, units, limits, 4);
}

static struct text show_bytes(double bytes)
{
	static const char *const units[] = { " B", " KiB", " MiB", " GiB" };
	static const double limits[] = { 1, 1024, 1048576, 1073741824 };

	return show(bytes, units, limits, 4);
}

/* ---- the table ---- */

static bool shown(const struct ur_run *run)
{
	return !run->failed[0];
}

static int label_width(const struct ur_trace *trace)
{
	int width = 5;

	for (size_t i = 0; i < trace->n_runs; i++) {
		int len = (int)strlen(trace->runs[i].spec->label);

		if (len > width)
			width = len;
	}
	return width;
}

static void print_head(FILE *out, const struct ur_survey *s)
{
	fprintf(out, "%s: %s%s trace, %u VM%s, %u vCPU%s, %" PRIu64 " events over %s%s\n", s->id,
		s->n_synthetic ? "synthetic " : "", s->mode == UT_MODE_EXACT ? "exact" : "native",
		s->vms, s->vms == 1 ? "" : "s", s->vcpus, s->vcpus == 1 ? "" : "s", s->events,
		show_ns((double)(s->last_ns - s->first_ns)).s, s->complete ? "" : "; INCOMPLETE");
	if (s->mode != UT_MODE_EXACT)
		fprintf(out, "native trace: all counts of writes are lower bounds\n");
	if (s->lost)
		fprintf(out, "%" PRIu64 " events were lost in the capture: counts are too low\n",
			s->lost);
}

static void print_exits(FILE *out, const struct ur_trace *trace, int width)
{
	fprintf(out, "\n%-*s %10s %10s %10s %10s %10s %10s %10s %10s\n", width, "exits", "all",
		"at most", "fault", "reflected", "tbl write", "CR3", "INVLPG", "other");
	for (size_t i = 0; i < trace->n_runs; i++) {
		const uint64_t *c = trace->runs[i].counters;
		uint64_t all = ur_exits(c);
		uint64_t main_causes = c[UM_exit_fault] + c[UM_exit_reflect] +
				       c[UM_exit_table_write] + c[UM_exit_cr3] + c[UM_exit_invlpg];

		if (!shown(&trace->runs[i]))
			continue;
		fprintf(out,
			"%-*s %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %10" PRIu64
			" %10" PRIu64 " %10" PRIu64 " %10" PRIu64 "\n",
			width, trace->runs[i].spec->label, all, all + c[UM_refaults_max],
			c[UM_exit_fault], c[UM_exit_reflect], c[UM_exit_table_write],
			c[UM_exit_cr3], c[UM_exit_invlpg], all - main_causes);
	}
}

static void print_in_step(FILE *out, const struct ur_trace *trace, int width)
{
	fprintf(out, "\n%-*s %10s %10s %10s %10s %10s %10s %10s\n", width, "in step", "emulated",
		"resyncs", "tables", "in vain", "entries", "peak oos", "books");
	for (size_t i = 0; i < trace->n_runs; i++) {
		const uint64_t *c = trace->runs[i].counters;
		char vain[16] = "-";

		if (!shown(&trace->runs[i]))
			continue;
		if (c[UM_tables_synced])
			snprintf(vain, sizeof(vain), "%.1f %%",
				 100 * (double)c[UM_tables_in_vain] / (double)c[UM_tables_synced]);
		fprintf(out,
			"%-*s %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %10s %10" PRIu64
			" %10" PRIu64 " %10s\n",
			width, trace->runs[i].spec->label, c[UM_writes_emulated], c[UM_resyncs],
			c[UM_tables_synced], vain, c[UM_entries_compared], c[UM_unsync_peak],
			show_bytes((double)c[UM_bookkeeping_peak]).s);
	}
}

static void print_deeds(FILE *out, const struct ur_run *run, int width, enum ur_deed deed)
{
	const struct ur_deeds *d = &run->agreement.of[deed];

	fprintf(out,
		"%-*s %10s %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %8.2f %% %8.2f %% %10" PRIu64
		"\n",
		width, run->spec->label, ur_deed_name(deed), d->total[UR_HOST], d->total[UR_MODEL],
		d->matched, 100 * ur_agreement_recall(d), 100 * ur_agreement_precision(d),
		d->other_vcpu);
}

static void print_alone(FILE *out, const struct ur_run *run, int width)
{
	for (unsigned int i = 0; i < UR_DEED_END * UR_SIDE_END * UR_WHY_END; i++) {
		enum ur_deed deed = i / (UR_SIDE_END * UR_WHY_END);
		enum ur_side side = i / UR_WHY_END % UR_SIDE_END;
		enum ur_why why = i % UR_WHY_END;
		uint64_t n = run->agreement.of[deed].alone[side][why];

		if (n)
			fprintf(out, "%-*s %10s %10" PRIu64 " only by the %s: %s\n", width,
				run->spec->label, ur_deed_name(deed), n, ur_side_name(side),
				ur_why_help(why));
	}
}

/* Frames and roles in the words of "unsync dump". */
static void print_mismatches(FILE *out, const struct ur_run *run, int width)
{
	for (size_t i = 0; i < run->agreement.n_list; i++) {
		const struct ur_mismatch *m = &run->agreement.list[i];

		fprintf(out, "%-*s %14.9f %u/%u only the %s: %s gfn %#" PRIx64 " role %#x: %s\n",
			width, run->spec->label, (double)m->time / 1e9, m->vm, m->vcpu,
			ur_side_name(m->side), ur_deed_name(m->deed), m->gfn, m->role,
			ur_why_name(m->why));
	}
}

static void print_agreement(FILE *out, const struct ur_trace *trace, int width)
{
	bool any = false;

	for (size_t i = 0; i < trace->n_runs; i++) {
		const struct ur_run *run = &trace->runs[i];

		if (!shown(run) || !run->has_agreement)
			continue;
		if (!any)
			fprintf(out, "\n%-*s %10s %10s %10s %10s %10s %10s %10s\n", width,
				"as the host", "", "host", "model", "matched", "recall",
				"precision", "other vCPU");
		any = true;
		for (unsigned int deed = 0; deed < UR_DEED_END; deed++)
			print_deeds(out, run, width, deed);
		print_alone(out, run, width);
		print_mismatches(out, run, width);
	}
}

static void print_verified(FILE *out, const struct ur_trace *trace, int width)
{
	bool any = false;

	for (size_t i = 0; i < trace->n_runs; i++) {
		const struct ur_run *run = &trace->runs[i];
		const struct ur_verified *v = &run->verified;

		if (!shown(run) || !run->is_verified)
			continue;
		if (!any)
			fputc('\n', out);
		any = true;
		fprintf(out,
			"%-*s verified: %" PRIu64 " violation%s in %" PRIu64 " events, %" PRIu64
			" checks (%" PRIu64 " not decided)\n",
			width, run->spec->label, v->violations, v->violations == 1 ? "" : "s",
			v->events, v->checks, v->undecided);
	}
}

/* What only some models count, a line each; what was 0 is in the results only. */
static void print_own(FILE *out, const struct ur_trace *trace, int width)
{
	bool begun = false;

	for (size_t i = 0; i < trace->n_runs; i++) {
		const struct ur_run *run = &trace->runs[i];
		const struct um_own_counter *c = run->spec->model->counters;

		for (size_t n = 0; n < run->n_own && shown(run); n++) {
			if (!run->own[n])
				continue;
			if (!begun)
				fprintf(out, "\n%-*s %10s  %s\n", width, "of its own", "count",
					"what");
			begun = true;
			fprintf(out, "%-*s %10" PRIu64 "  %s: %s\n", width, run->spec->label,
				run->own[n], c[n].name, c[n].help);
		}
	}
}

/* Times of one run, worked out once for the lines and for the comparison below them. */
struct times {
	struct ur_stats total, resync, rate;
};

static int work_out(const struct ur_trace *trace, struct times *times)
{
	for (size_t i = 0; i < trace->n_runs; i++) {
		const struct ur_measured *m = trace->runs[i].measured;
		double *rate;
		int ret;

		if (!shown(&trace->runs[i]))
			continue;
		rate = ur_rates(m, trace->survey.events);
		if (!rate)
			return -1;
		ret = ur_stats_of(rate, m->passes, &times[i].rate) ||
		      ur_stats_of(m->total_ns, m->passes, &times[i].total) ||
		      ur_stats_of(m->resync_ns, m->passes, &times[i].resync);
		free(rate);
		if (ret)
			return -1;
	}
	return 0;
}

static void print_time_line(FILE *out, const struct ur_run *run, const struct times *t, int width,
			    double ns)
{
	const struct ur_hist *h = &run->measured->resync;
	char interval[72] = "-";

	if (t->rate.has_interval)
		snprintf(interval, sizeof(interval), "%s - %s", show_rate(t->rate.lo).s,
			 show_rate(t->rate.hi).s);
	fprintf(out, "%-*s %10s %10s %10s %10s %10s  %s\n", width, run->spec->label,
		h->n ? show_ns((double)ur_hist_quantile(h, 0.5) * ns).s : "-",
		h->n ? show_ns((double)ur_hist_quantile(h, 0.99) * ns).s : "-",
		h->n ? show_ns(t->resync.median).s : "-", show_ns(t->total.median).s,
		show_rate(t->rate.median).s, interval);
}

static bool overlap(const struct ur_stats *a, const struct ur_stats *b)
{
	return a->lo <= b->hi && b->lo <= a->hi;
}

/* Were two models told apart? Without a resync there is no time of resyncs to compare. */
static bool alike(const struct ur_trace *trace, const struct times *times, size_t i, size_t k,
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

static unsigned int count_alike(const struct ur_trace *trace, const struct times *times, size_t i,
				bool resync)
{
	unsigned int n = 0;

	for (size_t k = i + 1; k < trace->n_runs; k++)
		n += alike(trace, times, i, k, resync);
	return n;
}

static void print_pairs(FILE *out, const struct ur_trace *trace, const struct times *times,
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
static void print_crowd(FILE *out, const struct ur_trace *trace, const struct times *times,
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
static void print_alike(FILE *out, const struct ur_trace *trace, const struct times *times,
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

static int print_times(FILE *out, const struct ur_trace *trace, int width, double ns)
{
	struct times *times = calloc(trace->n_runs, sizeof(*times));
	bool intervals = false;
	unsigned int passes = 0;

	if (!times || work_out(trace, times)) {
		free(times);
		return -1;
	}
	fprintf(out, "\n%-*s %10s %10s %10s %10s %10s  %s\n", width, "time", "resync p50", "p99",
		"all of it", "total", "events/s", "95 % interval");
	for (size_t i = 0; i < trace->n_runs; i++) {
		if (!shown(&trace->runs[i]))
			continue;
		passes = trace->runs[i].measured->passes;
		intervals = times[i].total.has_interval;
		print_time_line(out, &trace->runs[i], &times[i], width, ns);
	}
	if (intervals) {
		print_alike(out, trace, times, width, false);
		print_alike(out, trace, times, width, true);
	} else if (passes) {
		fprintf(out,
			"%u pass%s: fewer than 6 give no 95 %% interval, so no two models are "
			"told apart\n",
			passes, passes == 1 ? "" : "es");
	}
	free(times);
	return 0;
}

int ur_report_table(FILE *out, const struct ur_trace *trace, const struct ur_clock *clock)
{
	int width = label_width(trace);

	print_head(out, &trace->survey);
	print_exits(out, trace, width);
	print_in_step(out, trace, width);
	print_agreement(out, trace, width);
	print_own(out, trace, width);
	print_verified(out, trace, width);
	if (clock && print_times(out, trace, width, clock->ns_per_tick))
		return -1;
	return 0;
}

/* ---- CSV ---- */

static void print_field(FILE *out, const char *s)
{
	if (!strpbrk(s, ",\"\r\n")) {
		fputs(s, out);
		return;
	}
	fputc('"', out);
	for (; *s; s++) {
		if (*s == '"')
			fputc('"', out);
		fputc(*s, out);
	}
	fputc('"', out);
}

static void print_measured_fields(FILE *out, const struct ur_measured *m, const struct times *t,
				  double ns)
{
	const struct ur_hist *h = &m->resync;

	fprintf(out, ",%u,%.1f,%.1f", m->passes, t->total.median, t->total.mad);
	if (t->total.has_interval)
		fprintf(out, ",%.1f,%.1f", t->total.lo, t->total.hi);
	else
		fputs(",,", out);
	fprintf(out, ",%.1f,%.1f,%.1f,%.1f,%.1f", t->rate.median, t->resync.median,
		(double)ur_hist_quantile(h, 0.5) * ns, (double)ur_hist_quantile(h, 0.99) * ns,
		(double)h->max * ns);
}

/*
 * Own counters have a column each, after all others: "model.counter", empty in the lines of other
 * models. The runs of all traces are of the same specs.
 */
static bool first_of_model(const struct ur_trace *trace, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (trace->runs[k].spec->model == trace->runs[i].spec->model)
			return false;
	}
	return true;
}

static void print_own_heads(FILE *out, const struct ur_trace *trace)
{
	for (size_t i = 0; i < trace->n_runs; i++) {
		const struct um_model *m = trace->runs[i].spec->model;

		for (size_t n = 0; n < trace->runs[i].n_own && first_of_model(trace, i); n++)
			fprintf(out, ",%s.%s", m->name, m->counters[n].name);
	}
}

static void print_own_fields(FILE *out, const struct ur_trace *trace, const struct ur_run *run)
{
	for (size_t i = 0; i < trace->n_runs; i++) {
		const struct ur_run *of = &trace->runs[i];

		if (!first_of_model(trace, i))
			continue;
		for (size_t n = 0; n < of->n_own; n++) {
			fputc(',', out);
			if (of->spec->model == run->spec->model)
				fprintf(out, "%" PRIu64, run->own[n]);
		}
	}
}

static int print_rows(FILE *out, const struct ur_trace *trace, const struct ur_clock *clock)
{
	struct times *times = calloc(trace->n_runs, sizeof(*times));

	if (!times || (clock && work_out(trace, times))) {
		free(times);
		return -1;
	}
	for (size_t i = 0; i < trace->n_runs; i++) {
		const struct ur_run *run = &trace->runs[i];

		if (!shown(run))
			continue;
		print_field(out, trace->survey.id);
		fputc(',', out);
		print_field(out, run->spec->model->name);
		fputc(',', out);
		print_field(out, run->spec->label);
		fprintf(out, ",%" PRIu64, ur_exits(run->counters));
		for (unsigned int c = 0; c < UM_COUNTER_END; c++)
			fprintf(out, ",%" PRIu64, run->counters[c]);
		if (clock)
			print_measured_fields(out, run->measured, &times[i], clock->ns_per_tick);
		print_own_fields(out, trace, run);
		fputc('\n', out);
	}
	free(times);
	return 0;
}

int ur_report_csv(FILE *out, struct ur_trace *const *traces, size_t n, const struct ur_clock *clock)
{
	fputs("trace,model,label,exits", out);
	for (unsigned int c = 0; c < UM_COUNTER_END; c++)
		fprintf(out, ",%s", um_counter_name(c));
	if (clock)
		fputs(",passes,total_ns,total_ns_mad,total_ns_lo,total_ns_hi,events_per_s,resync_"
		      "ns,"
		      "resync_p50_ns,resync_p99_ns,resync_max_ns",
		      out);
	if (n)
		print_own_heads(out, traces[0]);
	fputc('\n', out);
	for (size_t i = 0; i < n; i++) {
		if (print_rows(out, traces[i], clock))
			return -1;
	}
	return 0;
}
