// SPDX-License-Identifier: GPL-2.0-only
#include "plots/growth.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

uint64_t pl_parameter(const struct pl_trace *t, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(t->synthetic, name));
}

static bool makes_series(const char *name, const json_t *value)
{
	return json_is_integer(value) && strcmp(name, "seed") != 0 && strcmp(name, "rounds") != 0;
}

/* Do two traces agree in all but one parameter, which both have? */
static bool agree(const struct pl_trace *a, const struct pl_trace *b, const char *but)
{
	const char *name;
	json_t *value;

	if (!b->synthetic || !json_is_integer(json_object_get(b->synthetic, but)) ||
	    json_object_size(a->synthetic) != json_object_size(b->synthetic))
		return false;
	json_object_foreach(a->synthetic, name, value) {
		if (strcmp(name, but) != 0 &&
		    !json_equal(value, json_object_get(b->synthetic, name)))
			return false;
	}
	return true;
}

/* Put a trace in its place among those of a series, unless one of its value is there. */
static void add_point(const struct pl_results *r, struct pl_series *s, size_t trace)
{
	uint64_t value = pl_parameter(&r->traces[trace], s->parameter);
	size_t at = s->n;

	for (size_t i = 0; i < s->n; i++) {
		if (pl_parameter(&r->traces[s->traces[i]], s->parameter) == value)
			return;
	}
	for (; at && pl_parameter(&r->traces[s->traces[at - 1]], s->parameter) > value; at--)
		s->traces[at] = s->traces[at - 1];
	s->traces[at] = trace;
	s->n++;
}

/* The traces that agree with one in all but a parameter. */
static void gather(const struct pl_results *r, size_t with, struct pl_series *s)
{
	s->n = 0;
	for (size_t i = 0; i < r->n_traces; i++) {
		if (agree(&r->traces[with], &r->traces[i], s->parameter))
			add_point(r, s, i);
	}
}

/* @best: with room for all traces, and a parameter. */
static int largest_group(const struct pl_results *r, struct pl_series *best)
{
	struct pl_series s = { .parameter = best->parameter };

	s.traces = calloc(r->n_traces + 1, sizeof(*s.traces));
	if (!s.traces)
		return -1;
	for (size_t i = 0; i < r->n_traces; i++) {
		if (!r->traces[i].synthetic)
			continue;
		gather(r, i, &s);
		if (s.n > best->n) {
			memcpy(best->traces, s.traces, s.n * sizeof(*s.traces));
			best->n = s.n;
		}
	}
	free(s.traces);
	return 0;
}

static int add_series(const struct pl_results *r, struct pl_growth *g, const char *parameter)
{
	struct pl_series s = { .parameter = parameter };
	int ret;

	s.traces = calloc(r->n_traces + 1, sizeof(*s.traces));
	if (!s.traces)
		return -1;
	ret = largest_group(r, &s);
	if (!ret && s.n >= PL_SERIES_POINTS)
		g->series[g->n++] = s;
	else
		free(s.traces);
	return ret;
}

int pl_growth_find(const struct pl_results *r, struct pl_growth *g)
{
	const struct pl_trace *first = NULL;
	const char *name;
	json_t *value;

	memset(g, 0, sizeof(*g));
	for (size_t i = 0; i < r->n_traces && !first; i++)
		first = r->traces[i].synthetic ? &r->traces[i] : NULL;
	if (!first)
		return 0;
	json_object_foreach(first->synthetic, name, value) {
		if (g->n < PL_MAX_SERIES && makes_series(name, value) && add_series(r, g, name))
			return -1;
	}
	return 0;
}

void pl_growth_free(struct pl_growth *g)
{
	for (size_t i = 0; i < g->n; i++)
		free(g->series[i].traces);
	memset(g, 0, sizeof(*g));
}

/* ---- apart ---- */

static bool in_series(const struct pl_results *r, const struct pl_series *s, size_t trace)
{
	for (size_t i = 0; i < s->n; i++) {
		if (json_equal(r->traces[s->traces[i]].synthetic, r->traces[trace].synthetic))
			return true;
	}
	return false;
}

/* Which traces are points, or the same as one: a flag for each. Return: how many. */
static size_t mark_points(const struct pl_results *r, const struct pl_growth *g, bool *point)
{
	size_t n = 0;

	for (size_t t = 0; t < r->n_traces; t++) {
		for (size_t s = 0; s < g->n && !point[t]; s++)
			point[t] = in_series(r, &g->series[s], t);
		n += point[t];
	}
	return n;
}

/* @stays: the number of a point that is in both sets, or SIZE_MAX. */
static void split_runs(struct pl_results *r, const bool *point, size_t stays, const size_t *number)
{
	struct pl_results *g = r->growth;
	size_t n = 0;

	for (size_t i = 0; i < r->n_runs; i++) {
		struct pl_run run = r->runs[i];

		if (point[run.trace]) {
			g->runs[g->n_runs] = run;
			g->runs[g->n_runs].trace = number[run.trace];
			g->runs[g->n_runs++].shared = run.trace == stays;
		}
		if (!point[run.trace] || run.trace == stays) {
			run.trace = run.trace == stays ? 0 : number[run.trace];
			r->runs[n++] = run;
		}
	}
	r->n_runs = n;
}

static void split_traces(struct pl_results *r, const bool *point, size_t stays, size_t *number)
{
	struct pl_results *g = r->growth;
	size_t n = 0;

	for (size_t i = 0; i < r->n_traces; i++) {
		number[i] = point[i] ? g->n_traces : n;
		if (point[i])
			g->traces[g->n_traces++] = r->traces[i];
		if (!point[i] || i == stays)
			r->traces[n++] = r->traces[i];
	}
	r->n_traces = n;
}

static int split(struct pl_results *r, const bool *point, size_t n_points, size_t stays)
{
	struct pl_results *g = calloc(1, sizeof(*g));
	size_t *number = calloc(r->n_traces + 1, sizeof(*number));

	if (!g || !number)
		goto fail;
	g->traces = calloc(n_points + 1, sizeof(*g->traces));
	g->runs = calloc(r->n_runs + 1, sizeof(*g->runs));
	if (!g->traces || !g->runs)
		goto fail;
	g->models = r->models;
	g->n_models = r->n_models;
	r->growth = g;
	split_traces(r, point, stays, number);
	split_runs(r, point, stays, number);
	free(number);
	return 0;
fail:
	if (g) {
		free(g->traces);
		free(g->runs);
	}
	free(g);
	free(number);
	return -1;
}

int pl_growth_apart(struct pl_results *r)
{
	bool *point = calloc(r->n_traces + 1, sizeof(*point));
	struct pl_growth g = { .n = 0 };
	size_t n, stays = SIZE_MAX;
	int ret = -1;

	if (!point || pl_growth_find(r, &g))
		goto out;
	ret = 0;
	n = mark_points(r, &g, point);
	if (!n)
		goto out;
	for (size_t i = 0; i < r->n_traces && n == r->n_traces && stays == SIZE_MAX; i++)
		stays = point[i] ? i : SIZE_MAX;
	ret = split(r, point, n, stays);
out:
	pl_growth_free(&g);
	free(point);
	return ret;
}
