// SPDX-License-Identifier: GPL-2.0-only
#include "replay/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "replay/report_text.h"
#include "replay/report_times.h"

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
		ur_show_ns((double)(s->last_ns - s->first_ns)).s,
		s->complete ? "" : "; INCOMPLETE");
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
			ur_show_bytes((double)c[UM_bookkeeping_peak]).s);
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

int ur_report_table(FILE *out, const struct ur_trace *trace, const struct ur_context *context)
{
	int width = label_width(trace);

	print_head(out, &trace->survey);
	print_exits(out, trace, width);
	print_in_step(out, trace, width);
	print_agreement(out, trace, width);
	print_own(out, trace, width);
	print_verified(out, trace, width);
	return context->clock ? ur_report_times(out, trace, context, width) : 0;
}

/* Counters that are missing for one reason are named together. */
static void print_missing(FILE *out, const struct ur_hardware *hw)
{
	for (unsigned int e = 0; e < UR_HW_END; e++) {
		bool said = false;

		for (unsigned int k = 0; k < e; k++)
			said |= hw->fd[k] < 0 && !strcmp(hw->why[k], hw->why[e]);
		if (hw->fd[e] >= 0 || said)
			continue;
		fprintf(out, "note: not counted: %s", ur_hardware_name(e));
		for (unsigned int k = e + 1; k < UR_HW_END; k++) {
			if (hw->fd[k] < 0 && !strcmp(hw->why[k], hw->why[e]))
				fprintf(out, ", %s", ur_hardware_name(k));
		}
		fprintf(out, ": %s\n", hw->why[e]);
	}
}

void ur_report_notes(FILE *out, const struct ur_context *context)
{
	for (size_t i = 0; i < context->notes.n; i++)
		fprintf(out, "note: %s\n", context->notes.of[i].line);
	if (context->hardware)
		print_missing(out, context->hardware);
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

static void print_figure(FILE *out, const struct ur_figure *f, int decimals)
{
	fputc(',', out);
	if (f->any)
		fprintf(out, "%.*f", decimals, f->of.median);
}

static void print_measured_fields(FILE *out, const struct ur_measured *m, const struct ur_times *t,
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
	fprintf(out, ",%.1f,%.1f", (double)ur_hist_quantile(h, 0.9) * ns,
		(double)ur_hist_quantile(h, 0.999) * ns);
	print_figure(out, &t->above_null, 1);
	for (unsigned int c = 0; c < UR_COST_END; c++)
		print_figure(out, &t->cost[c], 3);
	print_figure(out, &t->read, 1);
	print_figure(out, &t->ratio, 3);
	for (unsigned int e = 0; e < UR_HW_END; e++)
		print_figure(out, &t->hardware[e], 0);
}

/* What is measured of the model as a whole, in the order of the fields above. */
static void print_measured_heads(FILE *out)
{
	fputs(",passes,total_ns,total_ns_mad,total_ns_lo,total_ns_hi,events_per_s,resync_ns,"
	      "resync_p50_ns,resync_p99_ns,resync_max_ns,resync_p90_ns,resync_p999_ns,"
	      "above_null_ns",
	      out);
	for (unsigned int c = 0; c < UR_COST_END; c++)
		fprintf(out, ",cost_%s_ns", ur_cost_name(c));
	fputs(",floor_read_ns,floor_ratio", out);
	for (unsigned int e = 0; e < UR_HW_END; e++)
		fprintf(out, ",%s", ur_hardware_name(e));
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

static int print_rows(FILE *out, const struct ur_trace *trace, const struct ur_context *context)
{
	for (size_t i = 0; i < trace->n_runs; i++) {
		const struct ur_run *run = &trace->runs[i];
		struct ur_times times;

		if (!shown(run))
			continue;
		if (context->clock && ur_times_of(&times, trace, run, context))
			return -1;
		print_field(out, trace->survey.id);
		fputc(',', out);
		print_field(out, run->spec->model->name);
		fputc(',', out);
		print_field(out, run->spec->label);
		fprintf(out, ",%" PRIu64, ur_exits(run->counters));
		for (unsigned int c = 0; c < UM_COUNTER_END; c++)
			fprintf(out, ",%" PRIu64, run->counters[c]);
		if (context->clock)
			print_measured_fields(out, run->measured, &times,
					      context->clock->ns_per_tick);
		print_own_fields(out, trace, run);
		fputc('\n', out);
	}
	return 0;
}

int ur_report_csv(FILE *out, struct ur_trace *const *traces, size_t n,
		  const struct ur_context *context)
{
	fputs("trace,model,label,exits", out);
	for (unsigned int c = 0; c < UM_COUNTER_END; c++)
		fprintf(out, ",%s", um_counter_name(c));
	if (context->clock)
		print_measured_heads(out);
	if (n)
		print_own_heads(out, traces[0]);
	fputc('\n', out);
	for (size_t i = 0; i < n; i++) {
		if (print_rows(out, traces[i], context))
			return -1;
	}
	return 0;
}
