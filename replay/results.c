// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "replay/results.h"

#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "models/plugin.h"
#include "replay/stats.h"

/* Times have one decimal (a tenth of a nanosecond); twelve digits hold that up to a minute. */
#define DIGITS 12
#define TENTH 0.1
#define FINE 0.001 /* of costs of a single entry, and ratios */
#define DUMP_FLAGS (JSON_INDENT(1) | JSON_REAL_PRECISION(DIGITS))

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

/* ---- values ---- */

/* JSON numbers of this library are signed; a count beyond that can only come from a hostile trace. */
static json_t *integer(uint64_t v)
{
	return json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v);
}

/* Rounded to whole units, so that no digits are written that mean nothing. */
static json_t *real(double v, double unit)
{
	return json_real(isfinite(v) ? round(v / unit) * unit : 0);
}

static json_t *time_ns(double ns)
{
	return real(ns, TENTH);
}

/* Text from a trace or a path need not be UTF-8, JSON must be. */
static json_t *text(const char *s)
{
	json_t *json = json_string(s);
	char *ascii;

	if (json)
		return json;
	ascii = strdup(s);
	for (char *c = ascii; c && *c; c++) {
		if (*c & 0x80)
			*c = '?';
	}
	json = ascii ? json_string(ascii) : NULL;
	free(ascii);
	return json;
}

/*
 * Every setter below takes over the value, and a value that could not be made (NULL) fails it. The
 * first failure is remembered here, so that builders need not ask after each key. One thread.
 */
static bool out_of_memory;

static void set(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value))
		out_of_memory = true;
}

static void append(json_t *array, json_t *value)
{
	if (json_array_append_new(array, value))
		out_of_memory = true;
}

static json_t *integers(const uint64_t *v, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		append(array, integer(v[i]));
	return array;
}

static json_t *whole_times(const double *ns, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		append(array, integer((uint64_t)(ns[i] + 0.5)));
	return array;
}

static void add_texts(json_t *array, const struct ur_warnings *w)
{
	for (size_t i = 0; i < w->n; i++)
		append(array, text(w->of[i].line));
}

/* ---- context ---- */

static json_t *cpu_name(void)
{
	FILE *f = fopen("/proc/cpuinfo", "r");
	struct utsname uts;
	char line[256];
	json_t *name = NULL;

	while (f && !name && fgets(line, sizeof(line), f)) {
		char *colon = strchr(line, ':');

		if (strncmp(line, "model name", 10) || !colon)
			continue;
		line[strcspn(line, "\n")] = '\0';
		name = text(colon + 1 + strspn(colon + 1, " \t"));
	}
	if (f)
		fclose(f);
	return name ? name : text(uname(&uts) ? "unknown" : uts.machine);
}

static json_t *created(void)
{
	time_t now = time(NULL);
	struct tm tm;
	char stamp[32];

	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	return text(stamp);
}

static json_t *clock_json(const struct ur_clock *clock)
{
	json_t *o = json_object();

	set(o, "source", text(clock->source));
	set(o, "ns_per_tick", json_real(clock->ns_per_tick));
	set(o, "overhead_ns", real(clock->overhead_ticks * clock->ns_per_tick, 0.01));
	set(o, "resolution_ns", real(clock->resolution_ticks * clock->ns_per_tick, 0.01));
	return o;
}

/* Which of the processor's counters were there, and why the others were not. */
static json_t *hardware_json(const struct ur_hardware *hw)
{
	json_t *o = json_object(), *there = json_object(), *missing = json_object();

	for (unsigned int e = 0; e < UR_HW_END; e++) {
		if (hw->fd[e] >= 0)
			set(there, ur_hardware_name(e), text(ur_hardware_help(e)));
		else
			set(missing, ur_hardware_name(e), text(hw->why[e]));
	}
	set(o, "available", there);
	set(o, "unavailable", missing);
	return o;
}

static json_t *load_json(double load)
{
	return load < 0 ? json_null() : real(load, 0.01);
}

static void add_machine(json_t *o, const struct ur_context *context)
{
	struct utsname uts;

	set(o, "created", created());
	set(o, "cpu", cpu_name());
	set(o, "cores", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
	set(o, "kernel", text(uname(&uts) ? "unknown" : uts.release));
	set(o, "compiler", text(COMPILER));
	set(o, "build", text(UNSYNC_BUILD));
	set(o, "load", load_json(context->load.before));
	set(o, "load_after", load_json(context->load.after));
	set(o, "clock", clock_json(context->clock));
	if (context->hardware)
		set(o, "hardware", hardware_json(context->hardware));
	set(o, "command", text(context->command));
}

/* What holds for several traces is said once. */
static void merge_warnings(struct ur_warnings *w, struct ur_trace *const *traces, size_t n)
{
	const struct ur_warnings **from = calloc(n + 1, sizeof(const struct ur_warnings *));

	if (!from) {
		out_of_memory = true;
		return;
	}
	for (size_t i = 0; i < n; i++)
		from[i] = &traces[i]->warnings;
	ur_warn_merged(w, from, n);
	free(from);
}

static json_t *context_json(const struct ur_context *context, struct ur_trace *const *traces,
			    size_t n)
{
	json_t *o = json_object();
	json_t *warnings = json_array();
	struct ur_warnings merged = { 0 };

	add_texts(warnings, &context->notes);
	merge_warnings(&merged, traces, n);
	add_texts(warnings, &merged);
	ur_warnings_free(&merged);
	set(o, "tool", text(UNSYNC_VERSION));
	if (context->clock)
		add_machine(o, context);
	set(o, "warnings", warnings);
	return o;
}

void ur_context_note(struct ur_context *context, struct ur_trace *const *traces, size_t n)
{
	struct ur_warnings all = { 0 };
	const struct ur_warnings *from = &all;

	if (!context->clock)
		return;
	ur_note_build(&all);
	ur_note_load(&all, &context->load);
	ur_note_passes(&all, n ? traces[0]->passes.n : 0);
	for (size_t i = 0; i < n; i++)
		ur_note_trace(&all, traces[i], context->clock);
	ur_warn_merged(&context->notes, &from, 1);
	ur_warnings_free(&all);
}

/* ---- glossary ---- */

static json_t *own_helps(const struct um_own_counter *c)
{
	json_t *o = json_object();

	for (; c->name; c++)
		set(o, c->name, text(c->help));
	return o;
}

static json_t *glossary_json(struct ur_trace *const *traces, size_t n)
{
	json_t *o = json_object(), *counters = json_object(), *causes = json_object();
	json_t *models = json_object(), *own = json_object();

	for (unsigned int i = 0; i < UM_COUNTER_END; i++)
		set(counters, um_counter_name(i), text(um_counter_help(i)));
	for (unsigned int i = 0; i < UM_CAUSE_END; i++)
		set(causes, um_cause_name(i), text(um_cause_help(i)));
	/* The models are the same for all traces. */
	for (size_t i = 0; n && i < traces[0]->n_runs; i++) {
		const struct um_model *m = traces[0]->runs[i].spec->model;

		set(models, m->name, text(m->summary));
		if (m->counters && m->counters->name)
			set(own, m->name, own_helps(m->counters));
	}
	set(o, "counters", counters);
	set(o, "causes", causes);
	set(o, "models", models);
	if (json_object_size(own))
		set(o, "own", own);
	else
		json_decref(own);
	return o;
}

/* Where there are any: by cause and kind. */
static json_t *losses_json(const struct ur_survey *s)
{
	json_t *list = json_array();

	for (unsigned int c = 0; c < UT_LOST_CAUSE_END; c++) {
		for (unsigned int k = 0; k < UT_KIND_END; k++) {
			json_t *o;

			if (!s->losses[c][k])
				continue;
			o = json_object();
			set(o, "cause", text(ut_cause_name(c)));
			set(o, "kind", text(k ? ut_kind_name(k) : "any"));
			set(o, "count", integer(s->losses[c][k]));
			json_array_append_new(list, o);
		}
	}
	return list;
}

/* ---- traces ---- */

/* "tables=8": the value is a number where it can be one. */
static void set_parameter(json_t *o, const char *parameter)
{
	char *name = strdup(parameter), *value = name ? strchr(name, '=') : NULL;
	size_t digits;

	if (!value) {
		out_of_memory = true;
		free(name);
		return;
	}
	*value++ = '\0';
	digits = strspn(value, "0123456789");
	if (digits && digits < 19 && !value[digits])
		set(o, name, json_integer(strtoll(value, NULL, 10)));
	else
		set(o, name, text(value));
	free(name);
}

static json_t *synthetic_json(const struct ur_survey *s)
{
	json_t *o = json_object();

	for (size_t i = 0; i < s->n_synthetic; i++)
		set_parameter(o, s->synthetic[i]);
	return o;
}

static json_t *outliers_json(const double *v, size_t n, const struct ur_stats *s)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++) {
		if (ur_stats_outlier(v[i], v, n, s))
			append(array, integer(i + 1));
	}
	return array;
}

/* Adds the statistics of @n values to @o, rounded to @unit. */
static void add_stats(json_t *o, const double *v, size_t n, double unit)
{
	struct ur_stats s;

	if (ur_stats_of(v, n, &s)) {
		out_of_memory = true;
		return;
	}
	set(o, "median", real(s.median, unit));
	set(o, "mad", real(s.mad, unit));
	set(o, "ci95",
	    s.has_interval ? json_pack("[o,o]", real(s.lo, unit), real(s.hi, unit)) : json_null());
	set(o, "outliers", outliers_json(v, n, &s));
}

static json_t *stats_json(const double *v, size_t n, double unit)
{
	json_t *o = json_object();

	add_stats(o, v, n, unit);
	return o;
}

/* The same with the values themselves in front. */
static json_t *values_json(const double *v, size_t n, double unit)
{
	json_t *o = json_object(), *array = json_array();

	for (size_t i = 0; i < n; i++)
		append(array, real(v[i], unit));
	set(o, "values", array);
	add_stats(o, v, n, unit);
	return o;
}

static double *level_of(const struct ur_passes *p, unsigned int level)
{
	double *ns = calloc(p->n, sizeof(*ns));

	for (unsigned int i = 0; ns && i < p->n; i++)
		ns[i] = p->floor_ns[(size_t)i * UR_FLOOR_LEVELS + level];
	return ns;
}

/* What reading a table took, level by level, between the passes of this trace. */
static json_t *floor_json(const struct ur_floor *floor, const struct ur_passes *p)
{
	json_t *levels = json_array();

	for (unsigned int i = 0; i < floor->n; i++) {
		const struct ur_floor_level *l = &floor->level[i];
		double *ns = level_of(p, i);
		json_t *o = json_object();

		set(o, "level", text(l->name));
		set(o, "cache_bytes", l->cache ? integer(l->cache) : json_null());
		set(o, "set_bytes", integer(l->set));
		if (l->assumed)
			set(o, "assumed", json_true());
		set(o, "read_ns", ns ? values_json(ns, p->n, TENTH) : NULL);
		append(levels, o);
		free(ns);
	}
	return levels;
}

static void add_passes(json_t *o, const struct ur_passes *p, const struct ur_floor *floor)
{
	set(o, "pass_wall_ns", whole_times(p->wall_ns, p->n));
	set(o, "pass_cpu_ns", whole_times(p->cpu_ns, p->n));
	if (floor && p->floor_ns)
		set(o, "floor", floor_json(floor, p));
}

static json_t *trace_json(const struct ur_trace *trace, const struct ur_context *context)
{
	const struct ur_survey *s = &trace->survey;
	json_t *o = json_object(), *writes = json_object(), *host = json_object();
	char hash[17];

	snprintf(hash, sizeof(hash), "%016" PRIx64, s->xxh64);
	set(o, "id", text(s->id));
	set(o, "path", text(s->path));
	set(o, "xxh64", text(hash));
	set(o, "bytes", integer(s->bytes));
	set(o, "mode", text(s->mode == UT_MODE_EXACT ? "exact" : "native"));
	set(o, "title", text(s->title));
	set(o, "events", integer(s->events));
	set(o, "blocks", integer(s->blocks));
	set(o, "duration_ns", integer(s->last_ns - s->first_ns));
	set(o, "vms", integer(s->vms));
	set(o, "vcpus", integer(s->vcpus));
	set(o, "lost", integer(s->lost));
	if (s->lost)
		set(o, "losses", losses_json(s));
	set(o, "complete", json_boolean(s->complete));
	set(o, "kernel", text(s->kernel));
	if (s->n_synthetic)
		set(o, "synthetic", synthetic_json(s));
	set(writes, "trapped", integer(s->writes[UT_HOW_TRAPPED]));
	set(writes, "window", integer(s->writes[UT_HOW_WINDOW]));
	set(writes, "walk", integer(s->writes[UT_HOW_WALK]));
	set(o, "writes", writes);
	set(host, "unsync", integer(s->host_unsync));
	set(host, "sync", integer(s->host_sync));
	set(host, "resync_ns", integer(s->host_resync_ns));
	set(o, "host", host);
	if (trace->passes.n)
		add_passes(o, &trace->passes, context->floor);
	return o;
}

/* ---- runs ---- */

static json_t *counted_json(const struct ur_run *run)
{
	json_t *o = json_object();

	for (unsigned int i = 0; i < UM_COUNTER_END; i++)
		set(o, um_counter_name(i), integer(run->counters[i]));
	return o;
}

static json_t *own_json(const struct ur_run *run)
{
	json_t *o = json_object();

	for (size_t i = 0; i < run->n_own; i++)
		set(o, run->spec->model->counters[i].name, integer(run->own[i]));
	return o;
}

static json_t *resyncs_json(const struct ur_run *run)
{
	json_t *o = json_object();

	for (unsigned int i = 0; i < UM_CAUSE_END; i++) {
		json_t *c = json_object();

		set(c, "count", integer(run->resyncs[i].count));
		set(c, "tables", integer(run->resyncs[i].tables));
		set(c, "compared", integer(run->resyncs[i].compared));
		set(c, "changed", integer(run->resyncs[i].changed));
		set(o, um_cause_name(i), c);
	}
	return o;
}

static json_t *alone_json(const uint64_t *n)
{
	json_t *o = json_object();

	for (unsigned int why = 0; why < UR_WHY_END; why++)
		set(o, ur_why_name(why), integer(n[why]));
	return o;
}

static json_t *deeds_json(const struct ur_deeds *d)
{
	json_t *o = json_object();

	set(o, "host", integer(d->total[UR_HOST]));
	set(o, "model", integer(d->total[UR_MODEL]));
	set(o, "matched", integer(d->matched));
	set(o, "other_vcpu", integer(d->other_vcpu));
	set(o, "recall", real(ur_agreement_recall(d), 1e-6));
	set(o, "precision", real(ur_agreement_precision(d), 1e-6));
	set(o, "host_only", alone_json(d->alone[UR_HOST]));
	set(o, "model_only", alone_json(d->alone[UR_MODEL]));
	return o;
}

static json_t *mismatch_json(const struct ur_mismatch *m)
{
	json_t *o = json_object();

	set(o, "time_ns", integer(m->time));
	set(o, "vm", integer(m->vm));
	set(o, "vcpu", integer(m->vcpu));
	set(o, "only", text(ur_side_name(m->side)));
	set(o, "what", text(ur_deed_name(m->deed)));
	set(o, "gfn", integer(m->gfn));
	set(o, "role", integer(m->role));
	set(o, "why", text(ur_why_name(m->why)));
	return o;
}

static json_t *agreement_json(const struct ur_run *run)
{
	const struct ur_agreement *a = &run->agreement;
	json_t *o, *list;

	if (!run->has_agreement)
		return json_null();
	o = json_object();
	for (unsigned int deed = 0; deed < UR_DEED_END; deed++)
		set(o, ur_deed_name(deed), deeds_json(&a->of[deed]));
	if (!a->max_list)
		return o;
	list = json_array();
	for (size_t i = 0; i < a->n_list; i++)
		append(list, mismatch_json(&a->list[i]));
	set(o, "mismatches", list);
	return o;
}

static json_t *timeline_json(const struct ur_timeline *t)
{
	json_t *o = json_object();

	set(o, "bin_ns", integer(t->bin_ns));
	set(o, "unsync", integers(t->unsync, t->n));
	set(o, "exits", integers(t->exits, t->n));
	set(o, "tables_synced", integers(t->tables_synced, t->n));
	return o;
}

static json_t *rate_json(const struct ur_measured *m, uint64_t events)
{
	double *rate = ur_rates(m, events);
	json_t *o;

	if (!rate)
		return NULL;
	o = stats_json(rate, m->passes, TENTH);
	free(rate);
	return o;
}

static json_t *latency_json(const struct ur_measured *m, double ns)
{
	const struct ur_hist *h = &m->resync;
	json_t *o = json_object();
	double sum = 0;

	for (unsigned int i = 0; i < UM_CAUSE_END; i++)
		sum += m->ticks[i];

	set(o, "count", integer(h->n));
	set(o, "mean", time_ns(h->n && sum > 0 ? sum * ns / (double)h->n : 0));
	set(o, "p50", time_ns((double)ur_hist_quantile(h, 0.5) * ns));
	set(o, "p90", time_ns((double)ur_hist_quantile(h, 0.9) * ns));
	set(o, "p99", time_ns((double)ur_hist_quantile(h, 0.99) * ns));
	set(o, "p999", time_ns((double)ur_hist_quantile(h, 0.999) * ns));
	set(o, "max", time_ns((double)h->max * ns));
	set(o, "error", json_real(UR_HIST_ERROR));
	return o;
}

/* Finer than other times: the bounds of neighbours, a tick apart, must not become the same. */
static json_t *histogram_json(const struct ur_hist *h, double ns)
{
	json_t *array = json_array();

	for (unsigned int i = 0; i < UR_HIST_BUCKETS; i++) {
		if (h->count[i])
			append(array, json_pack("[o,o]", real((double)ur_hist_upper(i) * ns, 0.01),
						integer(h->count[i])));
	}
	return array;
}

static json_t *cause_times_json(const struct ur_measured *m, double ns)
{
	json_t *o = json_object();

	for (unsigned int i = 0; i < UM_CAUSE_END; i++) {
		const struct ur_hist *h = &m->by_cause[i];
		json_t *c = json_object();

		set(c, "count", integer(h->n));
		set(c, "p50", time_ns((double)ur_hist_quantile(h, 0.5) * ns));
		set(c, "p99", time_ns((double)ur_hist_quantile(h, 0.99) * ns));
		set(c, "total", time_ns(m->ticks[i] > 0 ? m->ticks[i] * ns : 0));
		set(o, um_cause_name(i), c);
	}
	return o;
}

/* Of each bin the median over passes: one interrupted pass must not show as a peak. */
static json_t *bins_json(const struct ur_measured *m, unsigned int n_bins)
{
	double *bin = calloc(m->passes, sizeof(*bin));
	json_t *array = json_array();
	struct ur_stats s;

	for (unsigned int i = 0; bin && i < n_bins; i++) {
		for (unsigned int p = 0; p < m->passes; p++)
			bin[p] = m->bin_ns[(size_t)p * UR_MAX_BINS + i];
		append(array, ur_stats_of(bin, m->passes, &s)
				      ? NULL
				      : integer(s.median > 0 ? (uint64_t)(s.median + 0.5) : 0));
	}
	if (!bin)
		out_of_memory = true;
	free(bin);
	return array;
}

/* Per resync, table and entry; null: there was none. */
static json_t *costs_json(const struct ur_run *run)
{
	const struct ur_measured *m = run->measured;
	struct ur_resyncs all = ur_resyncs_of(run);
	double *ns = calloc(m->passes, sizeof(*ns));
	json_t *o = json_object();

	for (unsigned int i = 0; ns && i < UR_COST_END; i++) {
		bool any = ur_costs(m, i, &all, &run->synced, ns);

		set(o, ur_cost_name(i), any ? stats_json(ns, m->passes, FINE) : json_null());
	}
	if (!ns)
		out_of_memory = true;
	free(ns);
	return o;
}

/* What reading the same bytes takes, and how many times as long the resyncs took. */
static json_t *run_floor_json(const struct ur_run *run, const struct ur_floor *floor)
{
	const struct ur_measured *m = run->measured;
	struct ur_against_floor f;
	json_t *o;

	if (!floor || !m->floor_ns || !run->synced.tables)
		return json_null();
	if (ur_against_floor(&f, m, &run->synced, floor))
		return NULL;
	o = json_object();
	set(o, "level", text(floor->level[f.level].name));
	set(o, "working_set_bytes", integer(f.set));
	set(o, "bytes", integer(f.bytes));
	set(o, "read_ns", values_json(m->floor_ns, m->passes, TENTH));
	set(o, "ns", stats_json(f.ns, m->passes, TENTH));
	set(o, "ratio", stats_json(f.ratio, m->passes, FINE));
	ur_against_floor_free(&f);
	return o;
}

/* What the processor counted in the model's whole work. */
static json_t *counters_json(const struct ur_measured *m)
{
	double *v = calloc(m->passes, sizeof(*v));
	json_t *o = json_object();

	for (unsigned int e = 0; v && e < UR_HW_END; e++) {
		if (ur_hardware_counts(m, e, v))
			set(o, ur_hardware_name(e), values_json(v, m->passes, 1));
	}
	if (!v)
		out_of_memory = true;
	free(v);
	return o;
}

/* Pass by pass, as the harness's cost is that of the pass, too. */
static json_t *above_null_json(const struct ur_measured *m, const struct ur_run *null)
{
	double *ns = calloc(m->passes, sizeof(*ns));
	json_t *o;

	if (!ns)
		return NULL;
	ur_above_null(m, null->measured, ns);
	o = stats_json(ns, m->passes, TENTH);
	free(ns);
	return o;
}

static json_t *measured_json(const struct ur_trace *trace, const struct ur_run *run,
			     const struct ur_context *context)
{
	const struct ur_measured *m = run->measured;
	const struct ur_run *null = ur_null_run(trace);
	double ns = context->clock ? context->clock->ns_per_tick : 0;
	json_t *o;

	if (!m)
		return json_null();
	o = json_object();
	set(o, "passes", integer(m->passes));
	set(o, "warmup", integer(UR_WARMUP));
	set(o, "total_ns", whole_times(m->total_ns, m->passes));
	set(o, "resync_ns", whole_times(m->resync_ns, m->passes));
	set(o, "table_ns", whole_times(m->table_ns, m->passes));
	set(o, "away_ns", whole_times(m->away_ns, m->passes));
	set(o, "interrupted", integers(m->interrupted, m->passes));
	set(o, "total", stats_json(m->total_ns, m->passes, TENTH));
	if (null && null != run)
		set(o, "above_null", above_null_json(m, null));
	set(o, "resync_total", stats_json(m->resync_ns, m->passes, TENTH));
	set(o, "events_per_s", rate_json(m, trace->survey.events));
	set(o, "resync", latency_json(m, ns));
	set(o, "cost", costs_json(run));
	set(o, "floor", run_floor_json(run, context->floor));
	if (m->hardware)
		set(o, "hardware", counters_json(m));
	set(o, "histogram", histogram_json(&m->resync, ns));
	set(o, "by_cause", cause_times_json(m, ns));
	set(o, "timeline_ns", bins_json(m, run->timeline.n));
	return o;
}

static json_t *options_json(const struct ur_run *run)
{
	json_t *o = json_object();

	for (size_t i = 0; i < run->n_options; i++)
		set(o, run->spec->model->options[i].name, text(run->options[i]));
	return o;
}

static json_t *verified_json(const struct ur_verified *v)
{
	json_t *o = json_object(), *rules = json_object(), *first = json_array();

	for (unsigned int i = 0; i < UR_RULE_END; i++)
		set(rules, ur_rule_name(i), integer(v->by_rule[i]));
	for (unsigned int i = 0; i < v->n_first; i++)
		append(first, text(v->first[i]));
	set(o, "events", integer(v->events));
	set(o, "checks", integer(v->checks));
	set(o, "undecided", integer(v->undecided));
	set(o, "violations", integer(v->violations));
	set(o, "rules", rules);
	set(o, "first", first);
	return o;
}

static json_t *run_json(const struct ur_trace *trace, const struct ur_run *run,
			const struct ur_context *context)
{
	json_t *o = json_object();

	set(o, "trace", text(trace->survey.id));
	set(o, "model", text(run->spec->model->name));
	set(o, "label", text(run->spec->label));
	if (um_plugin_path(run->spec->model))
		set(o, "plugin", text(um_plugin_path(run->spec->model)));
	if (run->spec->model->bound)
		set(o, "bound", json_true());
	set(o, "options", options_json(run));
	set(o, "counted", counted_json(run));
	if (run->n_own)
		set(o, "own", own_json(run));
	set(o, "resyncs", resyncs_json(run));
	set(o, "timeline", timeline_json(&run->timeline));
	set(o, "agreement", agreement_json(run));
	if (run->is_verified)
		set(o, "verified", verified_json(&run->verified));
	set(o, "measured", measured_json(trace, run, context));
	return o;
}

static json_t *failed_json(const struct ur_run *run, const char *id)
{
	json_t *o = json_object();

	set(o, "trace", text(id));
	set(o, "model", text(run->spec->label));
	set(o, "why", text(run->failed));
	return o;
}

json_t *ur_results_json(const struct ur_context *context, struct ur_trace *const *traces, size_t n)
{
	json_t *o = json_object();
	json_t *about = json_array(), *runs = json_array(), *failures = json_array();

	out_of_memory = false;
	set(o, "schema", text(UR_RESULTS_SCHEMA));
	set(o, "version", integer(UR_RESULTS_VERSION));
	set(o, "context", context_json(context, traces, n));
	set(o, "glossary", glossary_json(traces, n));
	for (size_t i = 0; i < n; i++) {
		const char *id = traces[i]->survey.id;

		append(about, trace_json(traces[i], context));
		for (size_t k = 0; k < traces[i]->n_runs; k++) {
			const struct ur_run *run = &traces[i]->runs[k];

			if (run->failed[0])
				append(failures, failed_json(run, id));
			else
				append(runs, run_json(traces[i], run, context));
		}
	}
	set(o, "traces", about);
	set(o, "runs", runs);
	set(o, "failed", failures);
	if (!out_of_memory)
		return o;
	json_decref(o);
	return NULL;
}

/* ---- output ---- */

static bool special(const char *path)
{
	struct stat st;

	return !stat(path, &st) && !S_ISREG(st.st_mode);
}

static bool is_folder(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

int ur_results_check_path(const char *path, struct ut_error *err)
{
	char *copy, *dir;
	int ret = 0;

	if (!strcmp(path, "-"))
		return 0;
	if (!*path)
		return ut_error_set(err, "the results file needs a name");
	if (is_folder(path))
		return ut_error_set(err, "%s: is a folder; name a file in it", path);
	if (special(path)) {
		if (access(path, W_OK))
			ret = ut_error_set(err, "%s: %s", path, strerror(errno));
		return ret;
	}
	copy = strdup(path);
	dir = copy ? dirname(copy) : NULL;
	if (!dir)
		ret = ut_error_set(err, "%s: out of memory", path);
	else if (access(dir, W_OK | X_OK))
		ret = ut_error_set(err, "%s: cannot write to folder %s: %s", path, dir,
				   strerror(errno));
	free(copy);
	return ret;
}

static int dump(const json_t *results, FILE *f)
{
	return json_dumpf(results, f, DUMP_FLAGS) || fputc('\n', f) == EOF || fflush(f) ? -1 : 0;
}

static int write_in_place(const json_t *results, const char *path, struct ut_error *err)
{
	FILE *f = fopen(path, "w");
	int ret = 0;

	if (!f)
		return ut_error_set(err, "%s: %s", path, strerror(errno));
	if (dump(results, f))
		ret = ut_error_set(err, "%s: %s", path, strerror(errno));
	fclose(f);
	return ret;
}

static int write_and_rename(const json_t *results, const char *path, struct ut_error *err)
{
	char *temp = NULL;
	FILE *f = NULL;
	int fd, ret = -1;

	if (asprintf(&temp, "%s.XXXXXX", path) < 0)
		return ut_error_set(err, "%s: out of memory", path);
	fd = mkstemp(temp); /* creates with mode 0600 */
	if (fd >= 0) {
		f = fdopen(fd, "w");
		if (!f)
			close(fd);
	}
	if (!f || dump(results, f) || rename(temp, path))
		ut_error_set(err, "%s: %s; nothing was written", path, strerror(errno));
	else
		ret = 0;
	if (f)
		fclose(f);
	if (ret && fd >= 0)
		unlink(temp);
	free(temp);
	return ret;
}

int ur_results_write(const json_t *results, const char *path, struct ut_error *err)
{
	if (!strcmp(path, "-"))
		return dump(results, stdout)
			       ? ut_error_set(err, "standard output: %s", strerror(errno))
			       : 0;
	return special(path) ? write_in_place(results, path, err)
			     : write_and_rename(results, path, err);
}
