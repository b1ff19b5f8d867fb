// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "plots/page.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plots/answer.h"
#include "plots/cost_csv.h"
#include "plots/files.h"
#include "plots/html.h"
#include "plots/output.h"
#include "plots/page_parts.h"
#include "plots/svg.h"
#include "plots/text.h"

/* ---- head ---- */

static void put_file(FILE *out, const char *name)
{
	for (const struct pl_file *f = pl_files; f->name; f++) {
		if (!strcmp(f->name, name))
			fwrite(f->data, 1, f->len, out);
	}
}

/* The colour of each model by number, for charts and tables, on a light page and on a dark one. */
static void put_colours(FILE *out, const struct pl_results *r)
{
	fputs(":root {", out);
	for (size_t m = 0; m < r->n_models; m++)
		fprintf(out, " --m%zu: %s;", m, pl_colour(r, m));
	fputs(" }\n@media screen and (prefers-color-scheme: dark) { :root {", out);
	for (size_t m = 0; m < r->n_models; m++)
		fprintf(out, " --m%zu: %s;", m, pl_colour_dark(r, m));
	fputs(" } }\n", out);
	for (size_t m = 0; m < r->n_models; m++)
		fprintf(out, ".m%zu { background: var(--m%zu); }\n", m, m);
}

static size_t count_designs(const struct pl_results *r)
{
	size_t n = 0;

	for (size_t m = 0; m < r->n_models; m++)
		n += !r->models[m].null && !r->models[m].bound;
	return n;
}

static size_t count_bounds(const struct pl_results *r)
{
	size_t n = 0;

	for (size_t m = 0; m < r->n_models; m++)
		n += r->models[m].bound;
	return n;
}

static void put_head(FILE *out, const struct pl_page *page)
{
	const struct pl_results *r = page->results;

	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n" PL_GENERATOR
	      " ",
	      out);
	pl_html(out, page->version);
	fputs("\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	      "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
	      "script-src 'sha256-",
	      out);
	put_file(out, "page.js.sha256");
	fputs("'\">\n<link rel=\"icon\" href=\"data:,\">\n"
	      "<title>unsync: what keeping shadow page tables in step costs</title>\n<style>\n",
	      out);
	put_file(out, "page.css");
	put_colours(out, r);
	fputs("</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#matrix\">Skip to the "
	      "results</a>\n<header>\n",
	      out);
}

/* "replayed on 6 exact and 8 native traces" */
static void put_trace_counts(FILE *out, const struct pl_results *r)
{
	static const char *const kinds[] = { "exact", "native", "synthetic" };
	size_t n[3] = { 0 }, left = 0;
	const char *before = "replayed on";

	for (size_t t = 0; t < r->n_traces; t++)
		n[r->traces[t].synthetic ? 2 : !r->traces[t].exact]++;
	n[2] = r->growth ? r->growth->n_traces : n[2];
	for (size_t i = 0; i < 3; i++)
		left += n[i] > 0;
	for (size_t i = 0; i < 3; i++) {
		if (!n[i])
			continue;
		fprintf(out, "%s %zu %s", before, n[i], kinds[i]);
		before = --left > 1 ? "," : " and";
	}
	fputs(n[0] + n[1] + n[2] == 1 ? " trace" : " traces", out);
}

static void put_title(FILE *out, const struct pl_page *page)
{
	const struct pl_results *r = page->results;
	size_t designs = count_designs(r), bounds = count_bounds(r);

	pl_element(out, "h1", "", "What keeping shadow page tables in step costs");
	fprintf(out, "<p class=\"soft\">%zu design%s ", designs, designs == 1 ? "" : "s");
	if (bounds)
		fprintf(out, "and %zu bound%s ", bounds, bounds == 1 ? "" : "s");
	put_trace_counts(out, r);
	fputs(" with unsync ", out);
	pl_html(out, r->n_contexts ? r->contexts[0].tool : page->version);
	fputs(".</p>\n", out);
}

#define MAX_LEAD 64 /* characters: longer, it is no heading */

/* What comes before the first colon says what the sentence is about. */
static void put_sentence(FILE *out, const char *sentence)
{
	const char *colon = strstr(sentence, ": ");

	fputs("<li>", out);
	if (colon && colon - sentence <= MAX_LEAD) {
		fputs("<b>", out);
		pl_html_part(out, sentence, (size_t)(colon - sentence));
		fputs("</b> ", out);
		pl_html(out, colon + 2);
	} else {
		pl_html(out, sentence);
	}
	fputs("</li>\n", out);
}

static void put_answer(FILE *out, char *const sentence[PL_SENTENCES])
{
	fputs("<ol class=\"answer\" id=\"answer\" aria-label=\"The answer\">\n", out);
	for (int i = 0; i < PL_SAYS_CAUSE; i++)
		put_sentence(out, sentence[i]);
	fputs("</ol>\n", out);
}

static size_t count_native(const struct pl_results *r)
{
	size_t n = 0;

	for (size_t t = 0; t < r->n_traces; t++)
		n += !r->traces[t].exact;
	return n;
}

/* What must not be left to a footnote. */
static void put_notices(FILE *out, const struct pl_results *r)
{
	size_t native = count_native(r), lossy = 0, warnings = 0;

	for (size_t t = 0; t < r->n_traces; t++)
		lossy += r->traces[t].lost || !r->traces[t].complete;
	for (size_t i = 0; i < r->n_contexts; i++)
		warnings += r->contexts[i].n_warnings;
	if (!native && !lossy && !warnings && !r->n_failures)
		return;
	fputs("<div class=\"note\"><ul>\n", out);
	if (native)
		fprintf(out,
			"<li>%zu of %zu traces %s native: writes to tables that were out of sync "
			"on "
			"the recorded host are known only by their net effect, so counts of "
			"writes, and of exits because of them, are lower bounds there.%s</li>\n",
			native, r->n_traces, native == 1 ? "is" : "are",
			native < r->n_traces ? " The answer above rests on the exact ones." : "");
	if (lossy)
		fprintf(out,
			"<li>%zu of %zu traces lost events or were cut off: see <a "
			"href=\"#trust\">trust</a>.</li>\n",
			lossy, r->n_traces);
	if (r->n_failures)
		fprintf(out, "<li>%zu replay%s failed: see <a href=\"#trust\">trust</a>.</li>\n",
			r->n_failures, r->n_failures == 1 ? "" : "s");
	if (warnings)
		fprintf(out,
			"<li>The replay gave %zu warning%s: see <a "
			"href=\"#trust\">trust</a>.</li>\n",
			warnings, warnings == 1 ? "" : "s");
	fputs("</ul></div>\n", out);
}

static void put_nav(FILE *out, const struct pl_results *r)
{
	fputs("<nav aria-label=\"Contents\"><a href=\"#matrix\">Who wins where</a> ", out);
	if (pl_priced(r, SIZE_MAX))
		fputs("<a href=\"#cost\">Total cost</a> ", out);
	fputs("<a href=\"#charts\">Side by side</a> <a href=\"#traces\">Trace by trace</a> <a "
	      "href=\"#designs\">Designs</a> <a href=\"#trust\">Trust</a> <a "
	      "href=\"#reproduce\">Reproduce</a></nav>\n</header>\n"
	      "<div id=\"tools\" hidden></div>\n<main>\n",
	      out);
}

/* ---- charts ---- */

/* What is needed while the charts are put in. */
struct writer {
	FILE *out;
	const struct pl_page *page;
	struct pl_svg_palette palette;
	unsigned int rgb[PL_MAX_MODELS];
	char *sentence[PL_SENTENCES];
	char *error;
	size_t error_len;
};

static int fail(struct writer *w, const char *name, const char *why)
{
	snprintf(w->error, w->error_len, "%s: %s", name, why);
	return -1;
}

static FILE *open_part(const struct writer *w, const struct pl_chart *chart, const char *suffix)
{
	char *path = NULL;
	FILE *f = NULL;

	if (asprintf(&path, "%s/%s%s", w->page->charts_dir, chart->name, suffix) > 0)
		f = fopen(path, "re");
	free(path);
	return f;
}

/* Where the panels lie in the picture and what their axes span, as the script has noted it. */
static void put_panels(struct writer *w, const struct pl_chart *chart, bool narrow)
{
	FILE *f = chart->kind->hover ? open_part(w, chart, narrow ? ".narrow.panels" : ".panels")
				     : NULL;
	char line[256];
	bool first = true;

	if (!f)
		return;
	fputs(" data-panels=\"", w->out);
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (!first)
			fputc(';', w->out);
		pl_html(w->out, line);
		first = false;
	}
	fputc('"', w->out);
	fclose(f);
}

static int put_picture(struct writer *w, const struct pl_chart *chart, const char *title,
		       bool narrow)
{
	char *path = NULL, *prefix = NULL;
	int ret = -1;

	if (asprintf(&path, "%s/%s%s.svg", w->page->charts_dir, chart->name,
		     narrow ? ".narrow" : "") < 0)
		path = NULL;
	if (asprintf(&prefix, "%s-%s-", narrow ? "n" : "w", chart->name) < 0)
		prefix = NULL;
	w->palette.font_px = narrow ? 12 : 15;
	fprintf(w->out, "<div class=\"%s\"", narrow ? "narrow" : "wide");
	put_panels(w, chart, narrow);
	fputc('>', w->out);
	if (path && prefix)
		ret = pl_svg_inline(w->out, path, prefix, title, &w->palette);
	if (ret)
		fail(w, chart->name, strerror(errno));
	fputs("</div>\n", w->out);
	free(path);
	free(prefix);
	return ret;
}

static void put_data(struct writer *w, const struct pl_chart *chart)
{
	if (!chart->kind->hover)
		return;
	fputs("<pre class=\"data\" hidden>\n", w->out);
	chart->kind->hover_data(w->out, w->page->results, chart->trace);
	fputs("</pre>\n", w->out);
}

static void put_figure(struct writer *w, const struct pl_chart *chart)
{
	const struct pl_results *r = w->page->results;
	bool first = true;

	fprintf(w->out, "<figure id=\"c-%s\"", chart->name);
	if (chart->kind->hover) {
		fprintf(w->out, " data-kind=\"%s\" data-models=\"", chart->kind->hover);
		for (size_t m = 0; m < r->n_models; m++) {
			if (!pl_chart_shows(r, chart, m))
				continue;
			fprintf(w->out, "%s%zu", first ? "" : " ", m);
			first = false;
		}
		fputc('"', w->out);
	}
	fputs(">\n", w->out);
}

static void link_file(FILE *out, const struct pl_chart *chart, const char *suffix, const char *name)
{
	fprintf(out, " <a href=\"charts/%s%s\">%s</a>", chart->name, suffix, name);
}

static void put_caption(struct writer *w, const struct pl_chart *chart)
{
	char *suffix = NULL;

	fputs("<figcaption>", w->out);
	pl_html(w->out, chart->kind->caption);
	fputs(" <span class=\"files\">", w->out);
	link_file(w->out, chart, ".csv", "Data");
	if (chart->kind->extra && asprintf(&suffix, ".%s.csv", chart->kind->extra) > 0)
		link_file(w->out, chart, suffix, chart->kind->extra);
	if (w->page->svg)
		link_file(w->out, chart, ".svg", "SVG");
	if (w->page->png)
		link_file(w->out, chart, ".png", "PNG");
	fputs("</span></figcaption>\n", w->out);
	free(suffix);
}

static int put_chart(struct writer *w, const struct pl_chart *chart)
{
	char *title = NULL;
	size_t len;
	FILE *f = open_memstream(&title, &len);
	int ret;

	if (!f)
		return fail(w, chart->name, "out of memory");
	pl_chart_title(f, w->page->results, chart);
	fclose(f);
	put_figure(w, chart);
	ret = -(put_picture(w, chart, title, false) || put_picture(w, chart, title, true));
	put_data(w, chart);
	put_caption(w, chart);
	fputs("</figure>\n", w->out);
	free(title);
	return ret;
}

/* The charts that belong to a section; those of traces only of the one that is named. */
static int put_charts(struct writer *w, enum pl_place place, size_t trace)
{
	for (size_t i = 0; w->page->charts_dir && i < w->page->n_charts; i++) {
		const struct pl_chart *c = &w->page->charts[i];

		if (c->kind->place != place || (place == PL_TRACE && c->trace != trace))
			continue;
		if (put_chart(w, c))
			return -1;
	}
	return 0;
}

/* ---- sections ---- */

static int put_matrix(struct writer *w)
{
	fputs("<section id=\"matrix\">\n", w->out);
	pl_element(w->out, "h2", "", "Which design wins where");
	pl_element(w->out, "p", "class=\"soft\"",
		   "Total cost is what was counted times what it takes on a platform, as its "
		   "profile says. Exits are counted and say how often the guest is interrupted; "
		   "time in resyncs was measured on this machine. The three are never mixed in one "
		   "figure. Bounds are yardsticks: nobody is said to be behind them.");
	if (put_charts(w, PL_MATRIX, 0))
		return -1;
	if (pl_matrix_tables(w->out, w->page->results))
		return fail(w, "page", "out of memory");
	fputs("</section>\n", w->out);
	return 0;
}

static int put_side_by_side(struct writer *w)
{
	fputs("<section id=\"charts\">\n", w->out);
	pl_element(w->out, "h2", "", "Side by side");
	pl_element(w->out, "p", "", w->sentence[PL_SAYS_CAUSE]);
	if (put_charts(w, PL_SIDE_BY_SIDE, 0))
		return -1;
	fputs("</section>\n", w->out);
	return 0;
}

/* Only if there is anybody to rank. */
static int put_cost(struct writer *w)
{
	if (!pl_priced(w->page->results, SIZE_MAX))
		return 0;
	fputs("<section id=\"cost\">\n", w->out);
	pl_element(w->out, "h2", "", "What it costs in all, and where that turns");
	if (pl_cost_words(w->out, w->page->results))
		return fail(w, "page", "out of memory");
	if (put_charts(w, PL_COST, 0))
		return -1;
	fputs("</section>\n", w->out);
	return 0;
}

static void put_designs(FILE *out, const struct pl_results *r)
{
	static const char *const names[] = { "design", "what it does", "options", NULL };

	fputs("<section id=\"designs\">\n", out);
	pl_element(out, "h2", "", "The designs");
	pl_table_begin(out, "Each keeps its colour in every chart.", "");
	pl_columns(out, names, 3);
	for (size_t m = 0; m < r->n_models; m++) {
		fputs("<tr", out);
		if (!r->models[m].null) {
			fprintf(out, " data-m=\"%zu\" data-label=\"", m);
			pl_html(out, r->models[m].label);
			fputc('"', out);
		}
		fputs("><th scope=\"row\">", out);
		pl_model_label(out, r, m);
		if (r->models[m].bound)
			fputs("<small>a bound</small>", out);
		fputs("</th>", out);
		pl_element(out, "td", "class=\"text\"", r->models[m].summary);
		pl_element(out, "td", "class=\"text\"",
			   r->models[m].options[0] ? r->models[m].options : "none");
		fputs("</tr>\n", out);
	}
	pl_table_end(out);
	fputs("</section>\n", out);
}

static void put_trace_summary(FILE *out, const struct pl_trace *t)
{
	char a[PL_NUMBER], b[PL_NUMBER];

	fputs("<summary><h3>", out);
	pl_html(out, t->id);
	fprintf(out, "</h3> <span>%s, %s events in %s, %llu vCPU%s%s</span></summary>\n",
		t->exact ? "exact" : "native", pl_group(a, t->events),
		pl_time(b, (double)t->duration_ns), (unsigned long long)t->vcpus,
		t->vcpus == 1 ? "" : "s", t->complete && !t->lost ? "" : ", incomplete");
}

static int put_trace(struct writer *w, size_t trace)
{
	const struct pl_results *r = w->page->results;
	const struct pl_trace *t = &r->traces[trace];

	fprintf(w->out, "<details class=\"trace\" data-t=\"%zu\" data-id=\"", trace + 1);
	pl_html(w->out, t->id);
	fprintf(w->out, "\"%s>", r->n_traces == 1 ? " open" : "");
	put_trace_summary(w->out, t);
	fprintf(w->out, "<div id=\"t%zu\">\n<p>", trace + 1);
	if (strcmp(t->title, t->id) != 0) {
		pl_html(w->out, t->title);
		fputs(". ", w->out);
	}
	fputs(t->exact ? "Every write to a shadowed table is in it, in order."
		       : "Writes to tables that were out of sync are known by their net effect "
			 "only: "
			 "their counts are lower bounds.",
	      w->out);
	fputs("</p>\n", w->out);
	if (put_charts(w, PL_TRACE, trace))
		return -1;
	pl_trace_tables(w->out, r, trace);
	fputs("</div></details>\n", w->out);
	return 0;
}

static int put_traces(struct writer *w)
{
	const struct pl_results *r = w->page->results;

	fputs("<section id=\"traces\">\n", w->out);
	pl_element(w->out, "h2", "", "Trace by trace");
	for (size_t t = 0; t < r->n_traces; t++) {
		if (put_trace(w, t))
			return -1;
	}
	fputs("</section>\n", w->out);
	return 0;
}

static int put_trust(struct writer *w)
{
	fputs("<section id=\"trust\">\n", w->out);
	pl_element(w->out, "h2", "", "How far to trust this");
	if (put_charts(w, PL_TRUST, 0))
		return -1;
	pl_trust_tables(w->out, w->page->results);
	pl_trust_limits(w->out, w->page->results);
	fputs("</section>\n", w->out);
	return 0;
}

/* Two models may share a colour if there are many: the first of them has its name. */
static void make_palette(struct writer *w)
{
	const struct pl_results *r = w->page->results;

	for (size_t m = 0; m < r->n_models; m++)
		w->rgb[m] = (unsigned int)strtoul(pl_colour(r, m) + 1, NULL, 16);
	w->palette = (struct pl_svg_palette){ .rgb = w->rgb, .n = r->n_models };
}

static int put_page(struct writer *w)
{
	put_head(w->out, w->page);
	put_title(w->out, w->page);
	put_answer(w->out, w->sentence);
	put_notices(w->out, w->page->results);
	put_nav(w->out, w->page->results);
	if (put_matrix(w) || put_cost(w) || put_side_by_side(w) || put_traces(w))
		return -1;
	put_designs(w->out, w->page->results);
	if (put_trust(w))
		return -1;
	pl_reproduce_section(w->out, w->page);
	fputs("</main>\n<script>", w->out);
	put_file(w->out, "page.js");
	fputs("</script>\n</body>\n</html>\n", w->out);
	return 0;
}

int pl_page(FILE *out, const struct pl_page *page, char *error, size_t error_len)
{
	struct writer w = { .out = out, .page = page, .error = error, .error_len = error_len };
	int ret;

	make_palette(&w);
	if (pl_answer(page->results, w.sentence))
		return fail(&w, "page", "out of memory");
	ret = put_page(&w);
	for (int i = 0; i < PL_SENTENCES; i++)
		free(w.sentence[i]);
	return ret;
}
