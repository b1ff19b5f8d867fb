// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "compare/compare.h"

#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Results may nest as deep as they do (docs/results.md), not as deep as a file can. */
#define MAX_DEPTH 16

struct work {
	const struct pl_results *a, *b;
	const struct uc_options *options;
	struct uc_comparison *out;
	const char *trace, *model; /* of the run at hand */
	char *error;
	size_t error_len;
};

__attribute__((format(printf, 2, 3))) static int bad(struct work *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w->error, w->error_len, fmt, ap);
	va_end(ap);
	return -1;
}

static int no_memory(struct work *w)
{
	return bad(w, "out of memory");
}

/* Room for one more, zeroed; NULL without memory. */
static void *grow(void **array, size_t *n, size_t size)
{
	char *bigger = realloc(*array, (*n + 1) * size);

	if (!bigger)
		return NULL;
	*array = bigger;
	memset(bigger + *n * size, 0, size);
	return bigger + (*n)++ * size;
}

#define ADD(array, n) grow((void **)&(array), &(n), sizeof(*(array)))

/* Takes @text over; the same text twice is one. */
static int keep_once(struct work *w, char ***list, size_t *n, char *text)
{
	char **slot;

	if (!text)
		return no_memory(w);
	for (size_t i = 0; i < *n; i++) {
		if (!strcmp((*list)[i], text)) {
			free(text);
			return 0;
		}
	}
	slot = grow((void **)list, n, sizeof(**list));
	if (!slot) {
		free(text);
		return no_memory(w);
	}
	*slot = text;
	return 0;
}

/* Takes @what over. */
static int missing(struct work *w, char *what)
{
	return keep_once(w, &w->out->missing, &w->out->n_missing, what);
}

static char *vformat(const char *fmt, va_list ap)
{
	char *text = NULL;

	return vasprintf(&text, fmt, ap) < 0 ? NULL : text;
}

static char *format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static char *format(const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = vformat(fmt, ap);
	va_end(ap);
	return text;
}

__attribute__((format(printf, 2, 3))) static int note(struct work *w, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = vformat(fmt, ap);
	va_end(ap);
	return keep_once(w, &w->out->notes, &w->out->n_notes, text);
}

/* ---- counted ---- */

/* Takes @what over. */
static int differs(struct work *w, char *what, const json_t *a, const json_t *b, size_t bins,
		   size_t differing)
{
	struct uc_difference *d;

	if (!what)
		return no_memory(w);
	d = ADD(w->out->differences, w->out->n_differences);
	if (!d) {
		free(what);
		return no_memory(w);
	}
	*d = (struct uc_difference){ w->trace, w->model, what, a, b, bins, differing };
	return 0;
}

/* 1.0 and 1 are one number: a tool that a file went through may write either. */
static bool same(const json_t *a, const json_t *b)
{
	if (json_is_number(a) && json_is_number(b) && json_typeof(a) != json_typeof(b))
		return json_number_value(a) == json_number_value(b);
	return json_equal(a, b);
}

/* Lists are long; how many of their elements differ says more than all of these. */
static int compare_lists(struct work *w, const char *path, const json_t *a, const json_t *b)
{
	size_t na = json_array_size(a), nb = json_array_size(b), n = na > nb ? na : nb;
	size_t first = n, differing = 0;

	w->out->values += n;
	for (size_t i = 0; i < n; i++) {
		if (i < na && i < nb && same(json_array_get(a, i), json_array_get(b, i)))
			continue;
		if (!differing++)
			first = i;
	}
	if (!differing)
		return 0;
	return differs(w, format("%s[%zu]", path, first), json_array_get(a, first),
		       json_array_get(b, first), n, differing);
}

static int compare_values(struct work *w, const char *path, const json_t *a, const json_t *b,
			  int depth);

/*
 * Keys may be added within a version of the format: one that only one file has says nothing about what
 * the designs did.
 */
static int only_one_has(struct work *w, const char *path, bool a)
{
	return note(w, "only %s has '%s', which is not compared", a ? "A" : "B", path);
}

static int compare_member(struct work *w, const char *path, const char *name, const json_t *a,
			  const json_t *b, int depth)
{
	/* Counters are known by their own names. */
	bool plain = !*path || !strcmp(path, "counted") || !strcmp(path, "own");
	char *place = plain ? strdup(name) : format("%s.%s", path, name);
	int ret;

	if (!place)
		return no_memory(w);
	if (!a || !b)
		ret = only_one_has(w, place, a != NULL);
	else
		ret = compare_values(w, place, a, b, depth + 1);
	free(place);
	return ret;
}

static int compare_objects(struct work *w, const char *path, const json_t *a, const json_t *b,
			   int depth)
{
	const char *name;
	json_t *value;
	int ret = 0;

	json_object_foreach((json_t *)a, name, value) {
		if (!ret)
			ret = compare_member(w, path, name, value, json_object_get(b, name), depth);
	}
	json_object_foreach((json_t *)b, name, value) {
		if (!ret && !json_object_get(a, name))
			ret = compare_member(w, path, name, NULL, value, depth);
	}
	return ret;
}

static int compare_values(struct work *w, const char *path, const json_t *a, const json_t *b,
			  int depth)
{
	if (depth > MAX_DEPTH)
		return bad(w,
			   "%s of %s on %s nests deeper than results do; not written by 'unsync "
			   "replay'",
			   path, w->model, w->trace);
	if (json_is_object(a) && json_is_object(b))
		return compare_objects(w, path, a, b, depth);
	if (json_is_array(a) && json_is_array(b))
		return compare_lists(w, path, a, b);
	w->out->values++;
	if (same(a, b))
		return 0;
	return differs(w, strdup(path), a, b, 0, 0);
}

/* Everything in a run is counted but its name and what was measured. */
static bool is_counted(const char *key)
{
	static const char *const others[] = { "trace",	"model", "label",
					      "plugin", "bound", "measured" };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (!strcmp(key, others[i]))
			return false;
	}
	return true;
}

static int compare_counted(struct work *w, const struct pl_run *a, const struct pl_run *b)
{
	size_t before = w->out->n_differences;
	const char *name;
	json_t *value;
	int ret = 0;

	json_object_foreach(a->json, name, value) {
		if (!ret && is_counted(name))
			ret = compare_member(w, "", name, value, json_object_get(b->json, name), 0);
	}
	json_object_foreach(b->json, name, value) {
		if (!ret && is_counted(name) && !json_object_get(a->json, name))
			ret = only_one_has(w, name, false);
	}
	w->out->runs++;
	w->out->differing += w->out->n_differences > before;
	return ret;
}

/* ---- measured ---- */

static bool all_zero(const double *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (v[i] != 0)
			return false;
	}
	return true;
}

/* One-sided: is b larger than a stretched by so much? Doubled, to be as strict as the other test. */
static int test_slower(struct work *w, const double *a, const double *b, struct uc_measure *m)
{
	double *stretched = malloc(m->n * sizeof(*stretched));
	struct uc_test test;
	int ret;

	if (!stretched)
		return no_memory(w);
	for (size_t i = 0; i < m->n; i++)
		stretched[i] = a[i] * (1 + w->options->slower);
	ret = uc_mann_whitney(stretched, m->n, b, m->m, &test);
	free(stretched);
	if (ret)
		return no_memory(w);
	m->p_slower = fmin(1, 2 * test.more);
	return 0;
}

static int measure(struct work *w, const char *what, bool null, const double *a, size_t n,
		   double median_a, const double *b, size_t n_b, double median_b)
{
	struct uc_measure *m;

	/* A model that never resyncs has no time in resyncs. */
	if (all_zero(a, n) && all_zero(b, n_b))
		return 0;
	m = ADD(w->out->measures, w->out->n_measures);
	if (!m)
		return no_memory(w);
	m->trace = w->trace;
	m->model = w->model;
	m->what = what;
	m->null = null;
	m->n = n;
	m->m = n_b;
	m->median_a = median_a;
	m->median_b = median_b;
	m->p_slower = 1;
	if (uc_mann_whitney(a, n, b, n_b, &m->test) ||
	    uc_ratio(a, n, b, n_b, w->options->alpha, &m->ratio))
		return no_memory(w);
	return w->options->slower < 0 ? 0 : test_slower(w, a, b, m);
}

static int compare_measured(struct work *w, const struct pl_run *ra, const struct pl_run *rb)
{
	const struct pl_measured *a = ra->measured, *b = rb->measured;
	bool null = w->a->models[ra->model].null;

	if (w->options->counted || (!a && !b))
		return 0;
	if (!a || !b)
		return note(w,
			    "only %s has measured times; replay the other one without --no-measure",
			    a ? "A" : "B");
	return -(measure(w, "total_ns", null, a->total_ns, a->passes, a->total.median, b->total_ns,
			 b->passes, b->total.median) ||
		 measure(w, "resync_ns", null, a->resync_ns, a->passes, a->resync_total.median,
			 b->resync_ns, b->passes, b->resync_total.median));
}

static int correct(struct work *w)
{
	struct uc_comparison *out = w->out;
	double *p = calloc(2 * out->n_measures + 1, sizeof(*p));
	double *slower = p + out->n_measures;
	int ret;

	if (!p)
		return no_memory(w);
	for (size_t i = 0; i < out->n_measures; i++) {
		p[i] = out->measures[i].test.p;
		slower[i] = out->measures[i].p_slower;
	}
	ret = uc_holm(p, out->n_measures) || uc_holm(slower, out->n_measures);
	for (size_t i = 0; i < out->n_measures; i++) {
		out->measures[i].p_holm = p[i];
		out->measures[i].p_slower = slower[i];
	}
	free(p);
	return ret ? no_memory(w) : 0;
}

/* Notes that a verdict needs beside it: could anything be shown, and did the harness itself change? */
static int judge(struct work *w)
{
	struct uc_comparison *out = w->out;
	double alpha = w->options->alpha, smallest = 1;

	for (size_t i = 0; i < out->n_measures; i++) {
		struct uc_measure *m = &out->measures[i];

		smallest = fmin(smallest, uc_smallest_p(m->n, m->m));
		if (m->p_holm <= alpha)
			m->verdict = m->test.delta > 0 ? UC_SLOWER : UC_FASTER;
		m->too_slow = m->p_slower <= alpha && w->options->slower >= 0;
		out->shown += m->verdict != UC_NOT_SHOWN;
		out->too_slow += m->too_slow;
		if (m->null && m->verdict != UC_NOT_SHOWN &&
		    note(w,
			 "%s: null, which is the harness alone, takes %.3g times as long in B: the "
			 "machine or the program has changed, and a difference of that size says "
			 "nothing of a design",
			 m->trace, m->ratio.estimate))
			return -1;
	}
	out->smallest_p = fmin(1, smallest * (double)out->n_measures);
	if (out->n_measures && out->smallest_p > alpha)
		return note(
			w,
			"with so few passes none of these %zu comparisons can show a difference: "
			"the smallest p that there is, corrected, is %.2g; replay both with more "
			"--passes, or compare less (--trace, --model)",
			out->n_measures, out->smallest_p);
	return 0;
}

/* ---- what belongs together ---- */

static bool wanted(const char *name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(name, list[i]))
			return true;
	}
	return !n;
}

static const struct pl_trace *by_id(const struct pl_results *set, const char *id)
{
	for (size_t i = 0; i < set->n_traces; i++) {
		if (!strcmp(set->traces[i].id, id))
			return &set->traces[i];
	}
	return NULL;
}

/* A file that was renamed is the same trace, if it is not there under its old name too. */
static const struct pl_trace *by_content(const struct work *w, const char *xxh64)
{
	for (size_t i = 0; i < w->b->n_traces; i++) {
		const struct pl_trace *t = &w->b->traces[i];

		if (!strcmp(t->xxh64, xxh64) && !by_id(w->a, t->id))
			return t;
	}
	return NULL;
}

/* Return: 0 with *@other set, NULL if B has no such trace; or -1. */
static int find_other(struct work *w, const struct pl_trace *t, const struct pl_trace **other)
{
	*other = by_id(w->b, t->id);
	if (*other && strcmp((*other)->xxh64, t->xxh64) != 0)
		return bad(w,
			   "%s: trace '%s' has another content (xxh64 %s) than in %s (%s); replay "
			   "one and the same file for both",
			   w->b->contexts[0].file, t->id, (*other)->xxh64, w->a->contexts[0].file,
			   t->xxh64);
	if (*other)
		return 0;
	*other = by_content(w, t->xxh64);
	return *other ? note(w, "trace '%s' is '%s' in B; the content is the same", t->id,
			     (*other)->id)
		      : 0;
}

static const struct pl_run *run_of(const struct pl_results *set, size_t trace, const char *label)
{
	for (size_t i = 0; i < set->n_models; i++) {
		if (!strcmp(set->models[i].label, label))
			return pl_run_of(set, trace, i);
	}
	return NULL;
}

static int compare_run(struct work *w, const struct pl_run *a, const struct pl_run *b)
{
	w->model = w->a->models[a->model].label;
	if (!b)
		return missing(w, format("%s with %s", w->trace, w->model));
	return -(compare_counted(w, a, b) || compare_measured(w, a, b));
}

static int note_only_in_b(struct work *w, size_t trace_a, size_t trace_b)
{
	for (size_t i = 0; i < w->b->n_models; i++) {
		const char *label = w->b->models[i].label;

		if (wanted(label, w->options->models, w->options->n_models) &&
		    pl_run_of(w->b, trace_b, i) && !run_of(w->a, trace_a, label) &&
		    note(w, "only B has %s with %s", w->trace, label))
			return -1;
	}
	return 0;
}

static int compare_trace(struct work *w, size_t number)
{
	const struct pl_trace *t = &w->a->traces[number], *other;
	int ret;

	w->trace = t->id;
	ret = find_other(w, t, &other);
	if (ret || !other)
		return ret ? ret : missing(w, format("%s with every model", t->id));
	for (size_t i = 0; i < w->a->n_models && !ret; i++) {
		const struct pl_run *run = pl_run_of(w->a, number, i);

		if (run && wanted(w->a->models[i].label, w->options->models, w->options->n_models))
			ret = compare_run(w, run,
					  run_of(w->b, (size_t)(other - w->b->traces),
						 w->a->models[i].label));
	}
	return ret ? ret : note_only_in_b(w, number, (size_t)(other - w->b->traces));
}

/* A name that neither file knows is a slip of the pen, not an empty comparison. */
static int check_names(struct work *w)
{
	const struct uc_options *o = w->options;

	for (size_t i = 0; i < o->n_traces; i++) {
		if (!by_id(w->a, o->traces[i]))
			return bad(w, "%s: has no trace '%s'", w->a->contexts[0].file,
				   o->traces[i]);
	}
	for (size_t i = 0; i < o->n_models; i++) {
		bool known = false;

		for (size_t k = 0; k < w->a->n_models; k++)
			known |= !strcmp(w->a->models[k].label, o->models[i]);
		if (!known)
			return bad(w, "%s: has no model '%s'", w->a->contexts[0].file,
				   o->models[i]);
	}
	return 0;
}

/* ---- where they come from ---- */

static int note_change(struct work *w, const char *what, const char *a, const char *b)
{
	return strcmp(a, b) ? note(w, "measured times: %s was '%s' for A, '%s' for B", what, a, b)
			    : 0;
}

static int compare_contexts(struct work *w)
{
	const struct pl_context *a = &w->a->contexts[0], *b = &w->b->contexts[0];

	if (strcmp(a->tool, b->tool) != 0 &&
	    note(w, "A was written by unsync %s, B by unsync %s", a->tool, b->tool))
		return -1;
	if (!w->out->n_measures || !a->machine || !b->machine)
		return 0;
	return -(note_change(w, "the CPU", a->cpu, b->cpu) ||
		 note_change(w, "the kernel", a->kernel, b->kernel) ||
		 note_change(w, "the compiler", a->compiler, b->compiler) ||
		 note_change(w, "the build", a->build, b->build) ||
		 note_change(w, "the clock", a->clock_source, b->clock_source));
}

/* What B failed at is missing in it already; this says why. */
static int note_failures(struct work *w)
{
	for (size_t i = 0; i < w->b->n_failures; i++) {
		const struct pl_failure *f = &w->b->failures[i];

		if (note(w, "B has no result of %s with %s: %s", f->trace, f->model, f->why))
			return -1;
	}
	return 0;
}

int uc_compare(const struct pl_results *a, const struct pl_results *b,
	       const struct uc_options *options, struct uc_comparison *result, char *error,
	       size_t error_len)
{
	struct work w = { a, b, options, result, "", "", error, error_len };
	int ret;

	memset(result, 0, sizeof(*result));
	ret = check_names(&w);
	for (size_t i = 0; i < a->n_traces && !ret; i++) {
		if (wanted(a->traces[i].id, options->traces, options->n_traces))
			ret = compare_trace(&w, i);
	}
	if (!ret && !result->runs)
		ret = bad(&w,
			  "%s and %s have no result in common: no trace of the same content with "
			  "the same model",
			  a->contexts[0].file, b->contexts[0].file);
	return ret || note_failures(&w) || correct(&w) || judge(&w) || compare_contexts(&w) ? -1
											    : 0;
}

void uc_free(struct uc_comparison *result)
{
	for (size_t i = 0; i < result->n_differences; i++)
		free(result->differences[i].what);
	for (size_t i = 0; i < result->n_notes; i++)
		free(result->notes[i]);
	for (size_t i = 0; i < result->n_missing; i++)
		free(result->missing[i]);
	free(result->differences);
	free(result->measures);
	free(result->notes);
	free(result->missing);
	memset(result, 0, sizeof(*result));
}
