// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "plots/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plots/charts.h"
#include "plots/files.h"
#include "plots/gnuplot.h"
#include "plots/output.h"
#include "plots/page.h"
#include "plots/text.h"

#define LIMIT_MS 60000 /* for one chart; they take a fraction of a second */

struct job {
	const struct pl_results *results;
	const struct pl_options *options;
	struct pl_output out;
	struct pl_chart *charts;
	size_t n_charts;
	uint64_t drawn;
	bool warned;
	char *error;
	size_t error_len;
};

static int fail(struct job *job, const char *what)
{
	snprintf(job->error, job->error_len, "%s: %s: %s", job->options->dir, what,
		 strerror(errno));
	return -1;
}

/* ---- data and scripts ---- */

static int finish(struct job *job, FILE *f, const char *name)
{
	bool bad = ferror(f);

	return fclose(f) || bad ? fail(job, name) : 0;
}

static int write_csv(struct job *job, const struct pl_chart *c, const char *middle,
		     void (*csv)(FILE *, const struct pl_results *, size_t))
{
	char name[PL_CHART_NAME + 32];
	FILE *f;

	snprintf(name, sizeof(name), "%s%s%s.csv", c->name, *middle ? "." : "", middle);
	f = pl_output_open(&job->out, "charts", name);
	if (!f)
		return fail(job, name);
	csv(f, job->results, c->trace);
	return finish(job, f, name);
}

static int write_data(struct job *job)
{
	for (size_t i = 0; i < job->n_charts; i++) {
		const struct pl_chart *c = &job->charts[i];

		if (write_csv(job, c, "", c->kind->csv))
			return -1;
		if (c->kind->extra && write_csv(job, c, c->kind->extra, c->kind->extra_csv))
			return -1;
	}
	return 0;
}

static int write_scripts(struct job *job)
{
	for (const struct pl_file *s = pl_files; s->name; s++) {
		size_t len = strlen(s->name);
		FILE *f;

		if (len < 3 || strcmp(s->name + len - 3, ".gp") != 0)
			continue;
		f = pl_output_open(&job->out, "charts", s->name);
		if (!f)
			return fail(job, s->name);
		fwrite(s->data, 1, s->len, f);
		if (finish(job, f, s->name))
			return -1;
	}
	return 0;
}

/* ---- drawing ---- */

#define N_ARGS 8

/* What a script is given after its format. To be freed; false: out of memory. */
struct arguments {
	char *title, *note, *colours;
};

typedef void text_of(FILE *out, const struct pl_results *r, const struct pl_chart *c);

static char *text(struct job *job, const struct pl_chart *c, text_of *of)
{
	char *s = NULL;
	size_t len;
	FILE *f = open_memstream(&s, &len);

	if (!f)
		return NULL;
	of(f, job->results, c);
	return fclose(f) ? NULL : s;
}

static void free_arguments(struct arguments *a)
{
	free(a->title);
	free(a->note);
	free(a->colours);
}

static int make_arguments(struct job *job, const struct pl_chart *c, struct arguments *a)
{
	a->title = text(job, c, pl_chart_title);
	a->note = text(job, c, pl_chart_note);
	a->colours = text(job, c, pl_chart_colours);
	if (a->title && a->note && a->colours)
		return 0;
	free_arguments(a);
	return fail(job, c->name);
}

static void script_arguments(const struct pl_chart *c, const struct arguments *a,
			     const char *format, const char *argv[N_ARGS + 1])
{
	argv[0] = c->kind->script;
	argv[1] = format;
	argv[2] = c->name;
	argv[3] = a->title;
	argv[4] = a->note;
	argv[5] = a->colours;
	argv[6] = c->kind->axis; /* NULL ends the list */
	argv[7] = c->kind->line;
	argv[N_ARGS] = NULL;
}

static int draw(struct job *job, const struct pl_chart *c, const struct arguments *a,
		const char *format)
{
	const struct pl_options *o = job->options;
	const char *argv[N_ARGS + 1];
	char message[512];

	script_arguments(c, a, format, argv);
	if (pl_gnuplot(o->gnuplot ? o->gnuplot : "gnuplot", job->out.charts, argv, LIMIT_MS,
		       o->cancelled, message, sizeof(message))) {
		snprintf(job->error, job->error_len, "%s", message);
		return -1;
	}
	if (message[0] && !job->warned && o->warn) {
		o->warn("%s: %s", c->name, message);
		job->warned = true;
	}
	return 0;
}

static int draw_chart(struct job *job, const struct pl_chart *c, FILE *redraw)
{
	const char *formats[] = { "svg", "narrow", job->options->png ? "png" : NULL };
	const char *argv[N_ARGS + 1];
	struct arguments a;
	int ret = 0;

	if (make_arguments(job, c, &a))
		return -1;
	for (size_t i = 0; !ret && i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (!formats[i])
			continue;
		ret = draw(job, c, &a, formats[i]);
		if (!strcmp(formats[i], "narrow"))
			continue;
		fputs("gnuplot -d -c", redraw);
		script_arguments(c, &a, formats[i], argv);
		for (int k = 0; argv[k]; k++) {
			fputc(' ', redraw);
			pl_shell(redraw, argv[k]);
		}
		fputc('\n', redraw);
	}
	free_arguments(&a);
	job->drawn++;
	if (!ret && job->options->progress)
		job->options->progress("charts", job->drawn, job->n_charts);
	return ret;
}

static int draw_all(struct job *job)
{
	FILE *redraw = pl_output_open(&job->out, "charts", "redraw.sh");
	int ret = 0;

	if (!redraw)
		return fail(job, "redraw.sh");
	fputs("#!/bin/sh\n# Draws the charts again from the data beside it. Usage: sh redraw.sh\n"
	      "set -e\ncd \"$(dirname \"$0\")\"\nexport LC_ALL=C.UTF-8\n",
	      redraw);
	for (size_t i = 0; !ret && i < job->n_charts; i++)
		ret = draw_chart(job, &job->charts[i], redraw);
	if (ret) {
		fclose(redraw);
		return ret;
	}
	fputs("rm -f ./*.panels\n", redraw);
	return finish(job, redraw, "redraw.sh");
}

/* ---- page ---- */

static int write_page(struct job *job)
{
	const struct pl_page page = {
		.results = job->results,
		.charts = job->charts,
		.n_charts = job->n_charts,
		.charts_dir = job->out.charts,
		.svg = job->options->svg,
		.png = job->options->png,
		.command = job->options->command,
		.version = job->options->version,
	};
	FILE *f = pl_output_open(&job->out, "", "index.html");

	if (!f)
		return fail(job, "index.html");
	if (pl_page(f, &page, job->error, job->error_len)) {
		fclose(f);
		return -1;
	}
	return finish(job, f, "index.html");
}

/* The page has them inside. */
static void remove_parts(struct job *job)
{
	static const char *const parts[] = { ".narrow.svg", ".panels", ".narrow.panels" };
	int dir = open(job->out.charts, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[PL_CHART_NAME + 32];

	if (dir < 0)
		return;
	for (size_t i = 0; i < job->n_charts; i++) {
		for (size_t k = 0; k < sizeof(parts) / sizeof(parts[0]); k++) {
			snprintf(name, sizeof(name), "%s%s", job->charts[i].name, parts[k]);
			unlinkat(dir, name, 0);
		}
		snprintf(name, sizeof(name), "%s.svg", job->charts[i].name);
		if (!job->options->svg)
			unlinkat(dir, name, 0);
	}
	close(dir);
}

int pl_report(const struct pl_results *results, const struct pl_options *options, char *error,
	      size_t error_len)
{
	struct job job = {
		.results = results, .options = options, .error = error, .error_len = error_len
	};
	int ret = -1;

	if (pl_output_begin(&job.out, options->dir, options->force, error, error_len))
		return -1;
	if (pl_charts(results, &job.charts, &job.n_charts))
		snprintf(error, error_len, "out of memory");
	else if (!write_data(&job) && !write_scripts(&job) && !draw_all(&job) && !write_page(&job))
		ret = 0;
	if (!ret && options->cancelled && options->cancelled()) {
		snprintf(error, error_len, "interrupted");
		ret = -1;
	}
	if (ret) {
		pl_output_abort(&job.out);
	} else {
		remove_parts(&job);
		ret = pl_output_publish(&job.out, error, error_len);
	}
	free(job.charts);
	return ret;
}
