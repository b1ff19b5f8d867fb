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
	return real(ns, 0.1);
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
		append(array, text(w->text[i]));
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

static void add_machine(json_t *o, const struct ur_context *context)
{
	struct utsname uts;

	set(o, "created", created());
	set(o, "cpu", cpu_name());
	set(o, "cores", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
	set(o, "kernel", text(uname(&uts) ? "unknown" : uts.release));
	set(o, "compiler", text(COMPILER));
	set(o, "build", text(UNSYNC_BUILD));
	set(o, "load", context->load < 0 ? json_null() : real(context->load, 0.01));
	set(o, "clock", clock_json(context->clock));
	set(o, "command", text(context->command));
}

static json_t *context_json(const struct ur_context *context, struct ur_trace *const *traces,
			    size_t n)
{
	json_t *o = json_object();
	json_t *warnings = json_array();

	add_texts(warnings, &context->notes);
	for (size_t i = 0; i < n; i++) {
		add_texts(warnings, &traces[i]->warnings);
		add_texts(warnings, &traces[i]->notes);
	}
	set(o, "tool", text(UNSYNC_VERSION));
	if (context->clock)
		add_machine(o, context);
	set(o, "warnings", warnings);
	return o;
}

static void note_build(struct ur_warnings *w)
{
#if defined(__SANITIZE_ADDRESS__) || !defined(__OPTIMIZE__)
	ur_warn(w,
		"this build (%s) is slow by design; times mean nothing, configure a Release build",
		UNSYNC_BUILD);
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
	ur_warn(w,
		"this build (%s) is slow by design; times mean nothing, configure a Release build",
		UNSYNC_BUILD);
#endif
#endif
	(void)w;
}

void ur_context_note(struct ur_context *context)
{
	double cores = (double)sysconf(_SC_NPROCESSORS_ONLN);
	struct ur_warnings *w = &context->notes;

	if (!context->clock)
		return;
	note_build(w);
	if (context->load > cores / 2)
		ur_warn(w, "the machine was busy (load %.1f on %.0f cores); times are less certain",
			context->load, cores);
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

static json_t *trace_json(const struct ur_survey *s, const char *id)
{
	json_t *o = json_object(), *writes = json_object(), *host = json_object();
	char hash[17];

	snprintf(hash, sizeof(hash), "%016" PRIx64, s->xxh64);
	set(o, "id", text(id));
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

static json_t *outliers_json(const double *v, size_t n, const struct ur_stats *s)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++) {
		if (ur_stats_outlier(v[i], v, n, s))
			append(array, integer(i + 1));
	}
	return array;
}

static json_t *stats_json(const double *v, size_t n, bool outliers)
{
	json_t *o = json_object();
	struct ur_stats s;

	if (ur_stats_of(v, n, &s)) {
		json_decref(o);
		return NULL;
	}
	set(o, "median", time_ns(s.median));
	set(o, "mad", time_ns(s.mad));
	set(o, "ci95",
	    s.has_interval ? json_pack("[o,o]", time_ns(s.lo), time_ns(s.hi)) : json_null());
	if (outliers)
		set(o, "outliers", outliers_json(v, n, &s));
	return o;
}

static json_t *rate_json(const struct ur_measured *m, uint64_t events)
{
	double *rate = ur_rates(m, events);
	json_t *o;

	if (!rate)
		return NULL;
	o = stats_json(rate, m->passes, false);
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

static json_t *measured_json(const struct ur_run *run, uint64_t events, double ns)
{
	const struct ur_measured *m = run->measured;
	json_t *o;

	if (!m)
		return json_null();
	o = json_object();
	set(o, "passes", integer(m->passes));
	set(o, "warmup", integer(UR_WARMUP));
	set(o, "total_ns", whole_times(m->total_ns, m->passes));
	set(o, "resync_ns", whole_times(m->resync_ns, m->passes));
	set(o, "total", stats_json(m->total_ns, m->passes, true));
	set(o, "resync_total", stats_json(m->resync_ns, m->passes, true));
	set(o, "events_per_s", rate_json(m, events));
	set(o, "resync", latency_json(m, ns));
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

static json_t *run_json(const struct ur_trace *trace, const struct ur_run *run, const char *id,
			double ns)
{
	json_t *o = json_object();

	set(o, "trace", text(id));
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
	set(o, "measured", measured_json(run, trace->survey.events, ns));
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
	double ns = context->clock ? context->clock->ns_per_tick : 0;
	json_t *o = json_object();
	json_t *about = json_array(), *runs = json_array(), *failures = json_array();

	out_of_memory = false;
	set(o, "schema", text(UR_RESULTS_SCHEMA));
	set(o, "version", integer(UR_RESULTS_VERSION));
	set(o, "context", context_json(context, traces, n));
	set(o, "glossary", glossary_json(traces, n));
	for (size_t i = 0; i < n; i++) {
		const char *id = traces[i]->survey.id;

		append(about, trace_json(&traces[i]->survey, id));
		for (size_t k = 0; k < traces[i]->n_runs; k++) {
			const struct ur_run *run = &traces[i]->runs[k];

			if (run->failed[0])
				append(failures, failed_json(run, id));
			else
				append(runs, run_json(traces[i], run, id, ns));
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
