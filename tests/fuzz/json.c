// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is read as JSON: results of a replay and platform profiles. A file that is let through goes all the
 * way on: to the answer, the charts' data, the page, the costs, and into a comparison.
 */
#define _GNU_SOURCE
#include "tests/fuzz/fuzz.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cost.h"
#include "compare/compare.h"
#include "cost/platform.h"
#include "cost/rank.h"
#include "plots/answer.h"
#include "plots/charts.h"
#include "plots/growth.h"
#include "plots/page.h"
#include "plots/results_read.h"
#include "tests/unit/plots_sample.h"

/* Text that is made for somebody else to read. */
struct sink {
	FILE *f;
	char *text;
	size_t len;
};

static FILE *sink_open(struct sink *s)
{
	memset(s, 0, sizeof(*s));
	s->f = open_memstream(&s->text, &s->len);
	if (!s->f)
		fuzz_broken("out of memory");
	return s->f;
}

static void sink_close(struct sink *s)
{
	if (fclose(s->f))
		fuzz_broken("out of memory");
	free(s->text);
}

/* ---- results ---- */

static void chart(const struct pl_results *r, const struct pl_chart *c)
{
	struct sink s;
	FILE *out = sink_open(&s);

	pl_chart_title(out, r, c);
	pl_chart_note(out, r, c);
	pl_chart_colours(out, r, c);
	c->kind->csv(out, r, c->trace);
	if (c->kind->extra)
		c->kind->extra_csv(out, r, c->trace);
	if (c->kind->hover)
		c->kind->hover_data(out, r, c->trace);
	sink_close(&s);
}

static void charts_and_page(const struct pl_results *r)
{
	struct pl_page page = { .results = r, .command = "unsync", .version = "0" };
	struct pl_chart *charts = NULL;
	char error[512] = "";
	struct sink s;

	if (pl_charts(r, &charts, &page.n_charts))
		fuzz_broken("no charts");
	for (size_t i = 0; i < page.n_charts; i++)
		chart(r, &charts[i]);
	page.charts = charts;
	if (pl_page(sink_open(&s), &page, error, sizeof(error)))
		fuzz_broken("no page: %s", error);
	sink_close(&s);
	free(charts);
}

static void answer(const struct pl_results *r)
{
	char *sentence[PL_SENTENCES];

	if (pl_answer(r, sentence))
		fuzz_broken("no answer");
	for (int i = 0; i < PL_SENTENCES; i++) {
		if (!sentence[i])
			fuzz_broken("a sentence is missing");
		free(sentence[i]);
	}
}

static void costs(const struct pl_results *r)
{
	struct cost_request request = { r->platforms, r->n_platforms, false, true, true };
	struct sink s;
	FILE *out = sink_open(&s);

	if (cost_table(out, r, &request) || cost_csv(out, r, &request) ||
	    cost_json(out, r, &request))
		fuzz_broken("no costs");
	request.ranges = true;
	if (cost_table(out, r, &request))
		fuzz_broken("no costs");
	sink_close(&s);
}

/* With itself: it must have all that is counted in common. */
static void compare(const struct pl_results *a, const struct pl_results *b)
{
	struct uc_options options = { .alpha = 0.05, .slower = 0.01 };
	struct uc_comparison c = { 0 };
	char error[1024] = "";

	if (uc_compare(a, b, &options, &c, error, sizeof(error)))
		fuzz_broken("not comparable with itself: %s", error);
	if (c.n_differences || c.differing || c.n_missing || c.runs != a->n_runs)
		fuzz_broken("not the same as itself");
	uc_free(&c);
}

static void results(const char *file, const struct co_platform *platforms, size_t n_platforms)
{
	struct pl_results a = { 0 }, b = { 0 };
	char error[1024] = "";

	if (pl_read(&a, file, error, sizeof(error))) {
		fuzz_line(error, sizeof(error));
		pl_free(&a);
		return;
	}
	if (pl_read(&b, file, error, sizeof(error)))
		fuzz_broken("the same file is refused later: %s", error);
	if (a.n_runs)
		compare(&a, &b);
	pl_free(&b);
	/* Each result may be given once. */
	if (pl_read(&b, file, error, sizeof(error)) ||
	    (b.n_runs && !pl_read(&b, file, error, sizeof(error))))
		fuzz_broken("the same results are taken twice");
	pl_free(&b);
	a.platforms = platforms;
	a.n_platforms = n_platforms;
	if (a.n_runs) {
		costs(&a);
		if (pl_growth_apart(&a))
			fuzz_broken("no series");
		answer(&a);
		charts_and_page(&a);
	}
	pl_free(&a);
}

/* ---- platforms ---- */

static const struct co_platform *built_in(void)
{
	static struct co_platform p;
	char error[512];

	if (!p.json && co_platform_get(&p, co_builtin(0), error, sizeof(error)))
		fuzz_broken("%s", error);
	return &p;
}

/* What is made after its model must be a profile, too. */
static void derive(const struct co_platform *base)
{
	const struct co_capture capture = { .file = "trace",
					    .cpuid = { 100, 150000 },
					    .fault = { 100, 350000 },
					    .cr3 = { 100, 250000 },
					    .synced = 9,
					    .resync_ns = 4000 };
	struct co_platform p;
	char error[1024] = "";
	struct sink s;

	if (co_profile_write(sink_open(&s), "derived", &capture, base, error, sizeof(error))) {
		fuzz_line(error, sizeof(error));
	} else {
		char *path;

		fflush(s.f);
		/* Files that are named profiles end in .json or have a slash in their name. */
		path = strdup(fuzz_file(1, s.text, s.len));
		if (!path)
			fuzz_broken("out of memory");
		if (co_platform_get(&p, path, error, sizeof(error)))
			fuzz_broken("a profile was written that is none: %s", error);
		co_platform_free(&p);
		free(path);
	}
	sink_close(&s);
}

/* Results that stay the same, to be priced by it. */
static const struct pl_results *sample(void)
{
	static struct pl_results r;
	char error[1024], *text;
	json_t *json;

	if (r.n_runs)
		return &r;
	json = plots_sample(2, true, 0);
	text = json_dumps(json, JSON_COMPACT);
	if (!text || pl_read(&r, fuzz_file(1, text, strlen(text)), error, sizeof(error)))
		fuzz_broken("the sample is refused");
	free(text);
	json_decref(json);
	return &r;
}

/* Is it one? */
static bool platform(const char *file)
{
	struct co_platform p;
	struct pl_results r = *sample(); /* what it points to stays with the sample */
	char error[1024] = "";
	bool is;

	is = !co_platform_get(&p, file, error, sizeof(error));
	if (is) {
		r.platforms = &p;
		r.n_platforms = 1;
		costs(&r);
		answer(&r);
		derive(&p);
	} else {
		fuzz_line(error, sizeof(error));
	}
	co_platform_free(&p);
	return is;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *file = fuzz_file(0, data, size);

	if (!platform(file))
		results(file, built_in(), 1);
	return 0;
}
