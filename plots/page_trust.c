// SPDX-License-Identifier: GPL-2.0-only
#include "plots/page_parts.h"

#include <string.h>

#include "plots/answer.h"
#include "plots/html.h"
#include "plots/text.h"

#define MANY 5 /* warnings; more are folded away */

static double widest_bound(const struct pl_results *r, size_t trace)
{
	double widest = 0;

	for_each_column(r, trace, false, m) {
		const struct pl_run *run = pl_run_of(r, trace, m);
		double share = pl_exits(run) ? (double)pl_count(run, "refaults_max") * 100 /
						       (double)pl_exits(run)
					     : 0;

		widest = share > widest ? share : widest;
	}
	return widest;
}

static void put_trust_row(FILE *out, const struct pl_results *r, size_t trace, bool host)
{
	const struct pl_trace *t = &r->traces[trace];

	fputs("<tr><th scope=\"row\">", out);
	pl_trace_link(out, r, trace);
	fprintf(out, "</th><td>%s</td><td>%s</td>", t->exact ? "exact" : "native",
		t->complete ? "complete" : "cut off");
	pl_count_cell(out, t->lost);
	pl_count_cell(out, t->writes_trapped);
	pl_count_cell(out, t->writes_window);
	pl_count_cell(out, t->writes_walk);
	fprintf(out, "<td data-v=\"%.3f\">+%.1f %%</td>", widest_bound(r, trace),
		widest_bound(r, trace));
	if (host) {
		pl_count_cell(out, t->host_unsync);
		pl_count_cell(out, t->host_sync);
	}
	fputs("</tr>\n", out);
}

static void put_warnings(FILE *out, const struct pl_results *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_contexts; i++)
		n += r->contexts[i].n_warnings;
	if (!n)
		return;
	pl_element(out, "h3", "", "Warnings of the replay");
	fprintf(out, "<details%s><summary>%zu warning%s</summary>\n<ul>\n",
		n <= MANY ? " open" : "", n, n == 1 ? "" : "s");
	for (size_t i = 0; i < r->n_contexts; i++) {
		for (size_t k = 0; k < r->contexts[i].n_warnings; k++)
			pl_element(out, "li", "", r->contexts[i].warnings[k]);
	}
	fputs("</ul></details>\n", out);
}

static void put_failures(FILE *out, const struct pl_results *r)
{
	if (!r->n_failures)
		return;
	pl_element(out, "h3", "", "Replays that failed");
	fputs("<ul>\n", out);
	for (size_t i = 0; i < r->n_failures; i++) {
		fputs("<li>", out);
		pl_html(out, r->failures[i].trace);
		fputs(", ", out);
		pl_html(out, r->failures[i].model);
		fputs(": ", out);
		pl_html(out, r->failures[i].why);
		fputs("</li>\n", out);
	}
	fputs("</ul>\n", out);
}

/* Times of two machines in one chart would be taken for a difference between designs. */
static bool machines_differ(const struct pl_results *r)
{
	const struct pl_context *first = NULL;

	for (size_t i = 0; i < r->n_contexts; i++) {
		const struct pl_context *c = &r->contexts[i];

		if (!c->machine)
			continue;
		if (first &&
		    (strcmp(first->cpu, c->cpu) != 0 || strcmp(first->build, c->build) != 0 ||
		     strcmp(first->compiler, c->compiler) != 0 ||
		     strcmp(first->kernel, c->kernel) != 0))
			return true;
		first = c;
	}
	return false;
}

static bool any_native(const struct pl_results *r)
{
	for (size_t t = 0; t < r->n_traces; t++) {
		if (!r->traces[t].exact)
			return true;
	}
	return false;
}

static void put_traces(FILE *out, const struct pl_results *r)
{
	static const char *const exact[] = { "trace",	    "mode",	      "end",
					     "events lost", "writes trapped", "by comparison",
					     "by a walk",   "widest bound",   NULL };
	static const char *const native[] = {
		"trace",	  "mode",	   "end",	"events lost",
		"writes trapped", "by comparison", "by a walk", "widest bound",
		"host: unsyncs",  "host: syncs",   NULL
	};
	bool host = any_native(r);

	pl_table_begin(out,
		       "What the traces hold, and how wide the widest bound is: further exits that "
		       "cannot be ruled out, against those that are certain.",
		       "sort");
	pl_columns(out, host ? native : exact, 1);
	for (size_t t = 0; t < r->n_traces; t++)
		put_trust_row(out, r, t, host);
	pl_table_end(out);
}

static void put_verified(FILE *out, const struct pl_results *r)
{
	uint64_t checks = 0, undecided = 0, violations = 0;
	char a[PL_NUMBER], b[PL_NUMBER], c[PL_NUMBER];
	size_t n = 0;

	for (size_t i = 0; i < r->n_runs; i++) {
		const struct pl_verified *v = &r->runs[i].verified;

		n += r->runs[i].is_verified;
		checks += v->checks;
		undecided += v->undecided;
		violations += v->violations;
	}
	if (!n) {
		pl_element(out, "p", "",
			   "No replay was verified here: 'unsync replay --verify' holds every "
			   "model to what the processor's TLB may do.");
		return;
	}
	fprintf(out,
		"<p%s>%zu of %zu replays were verified: in %s checks against what the processor's "
		"TLB may hold, %s violation%s; %s could not be decided from the trace.</p>\n",
		violations ? " class=\"note\"" : "", n, r->n_runs, pl_group(a, checks),
		violations ? pl_group(b, violations) : "no", violations == 1 ? "" : "s",
		pl_group(c, undecided));
	if (violations)
		fputs("<p class=\"note\">A model with violations is wrong: its figures say "
		      "nothing.</p>\n",
		      out);
}

static void match_cells(FILE *out, const struct pl_match *m)
{
	pl_count_cell(out, m->host);
	pl_count_cell(out, m->model);
	pl_count_cell(out, m->matched);
	if (m->host + m->model)
		fprintf(out, "<td data-v=\"%.6f\">%.2f %%</td>",
			2.0 * (double)m->matched / (double)(m->host + m->model),
			200.0 * (double)m->matched / (double)(m->host + m->model));
	else
		fputs("<td>none</td>", out);
}

static void put_agreement(FILE *out, const struct pl_results *r)
{
	static const char *const names[] = { "trace and model", "gone out of sync: host",
					     "model",		"matched",
					     "agree",		"synced: host",
					     "model",		"matched",
					     "agree",		NULL };
	bool any = false;

	for (size_t i = 0; i < r->n_runs; i++) {
		const struct pl_run *run = &r->runs[i];

		if (!run->has_agreement)
			continue;
		if (!any) {
			pl_table_begin(
				out,
				"Does the model do what the recorded host did, table by "
				"table? Matched pairs, and their share of all on both sides.",
				"sort");
			pl_columns(out, names, 1);
			any = true;
		}
		fprintf(out, "<tr data-m=\"%zu\"><th scope=\"row\">", run->model);
		pl_trace_link(out, r, run->trace);
		fputs("<br>", out);
		pl_model_label(out, r, run->model);
		fputs("</th>", out);
		match_cells(out, &run->agreement.unsync);
		match_cells(out, &run->agreement.sync);
		fputs("</tr>\n", out);
	}
	if (any)
		pl_table_end(out);
}

void pl_trust_tables(FILE *out, const struct pl_results *r)
{
	put_traces(out, r);
	if (machines_differ(r))
		fputs("<p class=\"note\">The files were measured on different machines or builds: "
		      "their times must not be compared with each other. Counts may.</p>\n",
		      out);
	put_verified(out, r);
	put_agreement(out, r);
}

/* Counters that could not be read, by the reason that they share. */
static void put_unavailable(FILE *out, const struct pl_results *r)
{
	for (size_t i = 0; i < r->n_contexts; i++) {
		const char *name, *why, *before = NULL;

		for (size_t k = 0; (name = pl_unavailable(&r->contexts[i], k, &why)); k++) {
			bool same = before && !strcmp(before, why);

			if (before && !same) {
				fputs(": ", out);
				pl_html(out, before);
				fputs(".</p>\n", out);
			}
			fputs(same ? ", " : "<p>Counters of the processor that could not be read: ",
			      out);
			pl_html(out, name);
			before = why;
		}
		if (before) {
			fputs(": ", out);
			pl_html(out, before);
			fputs(".</p>\n", out);
		}
	}
}

void pl_trust_limits(FILE *out, const struct pl_results *r)
{
	put_unavailable(out, r);
	put_failures(out, r);
	put_warnings(out, r);
	pl_element(out, "h3", "", "Limits");
	fputs("<ul>\n", out);
	pl_element(
		out, "li", "",
		"In an exact trace the recorded host refused to let tables go out of sync, so "
		"every "
		"write to a shadowed table is in it, in order and with its value. In a native one, "
		"writes to a table that was out of sync are known only by comparing it at both "
		"ends of "
		"the window: order and repeats are lost, and counts are lower bounds.");
	pl_element(
		out, "li", "",
		"Accesses that the recorded host's shadow already satisfied are not in a trace. A "
		"design "
		"that drops more of its shadow than the host did would take further exits; how "
		"many at "
		"most is the upper bound.");
	pl_element(out, "li", "",
		   "Each resync is timed on its own, with the clock's cost taken off; values carry "
		   "the "
		   "histogram's relative error, named in each latency chart. Where two intervals "
		   "overlap, "
		   "no winner is named.");
	pl_element(out, "li", "",
		   "A replay runs one model at a time in one thread: contention between vCPUs for "
		   "locks is "
		   "not in these times.");
	fputs("</ul>\n", out);
}

/* ---- reproduce ---- */

static void context_text(FILE *out, const struct pl_context *c)
{
	char a[PL_NUMBER], b[PL_NUMBER];

	fputs("<p>", out);
	if (!c->machine) {
		fputs("Counts only, by unsync ", out);
		pl_html(out, c->tool);
		fputs(": they do not depend on the machine, so nothing of it is recorded. "
		      "<code>unsync "
		      "replay --no-measure</code>, with traces and models as named below and "
		      "options "
		      "as in <a href=\"#designs\">The designs</a>, gives the same file, byte for "
		      "byte.</p>\n",
		      out);
		return;
	}
	fputs("Replayed ", out);
	pl_html(out, c->created);
	fputs(" by unsync ", out);
	pl_html(out, c->tool);
	fputs(" (", out);
	pl_html(out, c->build);
	fputs(", ", out);
	pl_html(out, c->compiler);
	fputs(") on ", out);
	pl_html(out, c->cpu);
	fprintf(out, ", %llu core%s, Linux ", (unsigned long long)c->cores,
		c->cores == 1 ? "" : "s");
	pl_html(out, c->kernel);
	if (c->load >= 0)
		fprintf(out, ", load %.2f", c->load);
	fputs(". Clock: ", out);
	pl_html(out, c->clock_source);
	fprintf(out, ", %s a tick; reading it takes %s, which is taken off.</p>\n<pre>",
		pl_time(a, c->ns_per_tick), pl_time(b, c->overhead_ns));
	pl_html(out, c->command);
	fputs("</pre>\n", out);
}

void pl_reproduce_section(FILE *out, const struct pl_page *page)
{
	static const char *const names[] = {
		"trace", "xxh64", "bytes", "events", "recorded on Linux", "file", NULL
	};
	const struct pl_results *r = page->results;

	fputs("<section id=\"reproduce\">\n", out);
	pl_element(out, "h2", "", "How to reproduce this");
	for (size_t i = 0; i < r->n_contexts; i++) {
		pl_element(out, "h3", "", r->contexts[i].file);
		context_text(out, &r->contexts[i]);
	}
	pl_element(out, "h3", "", "This page");
	fputs("<pre>", out);
	pl_html(out, page->command);
	fputs("</pre>\n<p>Beside it, <code>charts/</code> holds the data of each chart as CSV, the "
	      "gnuplot scripts, and <code>redraw.sh</code>, which draws the charts again.</p>\n",
	      out);
	pl_element(out, "h3", "", "Traces");
	pl_table_begin(out, "xxh64 of the whole file; xxhsum -H1 FILE prints it.", "");
	pl_columns(out, names, 2);
	for (size_t t = 0; t < r->n_traces; t++) {
		fputs("<tr><th scope=\"row\">", out);
		pl_trace_link(out, r, t);
		fputs("</th><td><code>", out);
		pl_html(out, r->traces[t].xxh64);
		fputs("</code></td>", out);
		pl_count_cell(out, r->traces[t].bytes);
		pl_count_cell(out, r->traces[t].events);
		fputs("<td class=\"text\">", out);
		pl_html(out, r->traces[t].kernel[0] ? r->traces[t].kernel : "not said");
		fputs("</td><td class=\"hash\"><code>", out);
		pl_html(out, r->traces[t].path);
		fputs("</code></td></tr>\n", out);
	}
	pl_table_end(out);
	fputs("</section>\n", out);
}
