// SPDX-License-Identifier: GPL-2.0-only
/* The folder with charts and page: what is in it, what becomes of an earlier one, and of a failure. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plots/charts.h"
#include "plots/gnuplot.h"
#include "plots/page.h"
#include "plots/report.h"
#include "plots/results_read.h"
#include "plots/svg.h"
#include "plots_sample.h"

static char dir[] = "/tmp/unsync-test-XXXXXX";
static char out[80];
static bool have_gnuplot;

static char *in(const char *name)
{
	static char path[4][512];
	static int turn;

	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
	return path[turn];
}

static bool exists(const char *name)
{
	return access(in(name), F_OK) == 0;
}

static void write_file(const char *name, const char *text, mode_t mode)
{
	FILE *f = fopen(in(name), "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(in(name), mode), 0);
}

static char *read_file(const char *name)
{
	FILE *f = fopen(in(name), "r");
	char *text = NULL;
	size_t len = 0;

	assert_non_null(f);
	assert_true(getdelim(&text, &len, '\0', f) >= 0);
	fclose(f);
	return text;
}

static size_t entries(const char *name)
{
	DIR *d = opendir(in(name));
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static int set_up(void **state)
{
	char message[256];

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(out, sizeof(out), "%s/out", dir);
	write_file("empty.gp", "", 0644);
	have_gnuplot = !pl_gnuplot("gnuplot", dir, (const char *[]){ "empty.gp", NULL }, 10000,
				   NULL, message, sizeof(message));
	return 0;
}

static void remove_tree(const char *path)
{
	DIR *d = opendir(path);
	const struct dirent *e;

	while (d && (e = readdir(d))) {
		char *child;

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		assert_true(asprintf(&child, "%s/%s", path, e->d_name) > 0);
		if (unlink(child))
			remove_tree(child);
		free(child);
	}
	if (d)
		closedir(d);
	rmdir(path);
}

static int clean(void **state)
{
	(void)state;
	remove_tree(out);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	remove_tree(dir);
	return 0;
}

static void load(struct pl_results *r, json_t *json)
{
	char error[512];

	memset(r, 0, sizeof(*r));
	assert_int_equal(json_dump_file(json, in("R.json"), 0), 0);
	if (pl_read(r, in("R.json"), error, sizeof(error)))
		fail_msg("%s", error);
	json_decref(json);
}

static int draw(json_t *json, const char *gnuplot, bool force, bool png, char *error)
{
	const struct pl_options o = { .dir = out,
				      .force = force,
				      .svg = !png,
				      .png = png,
				      .gnuplot = gnuplot,
				      .command = "unsync plot R.json",
				      .version = "0" };
	struct pl_results r;
	int ret;

	load(&r, json);
	error[0] = '\0';
	ret = pl_report(&r, &o, error, 512);
	pl_free(&r);
	return ret;
}

/* A stand-in for gnuplot that writes what the scripts are asked for. */
static const char stand_in[] =
	"#!/bin/sh\n"
	"case $4 in\n"
	"png) echo picture > \"$5.png\" ;;\n"
	"svg) echo \"<svg id='p'><title>x</title><use href='#p'/></svg>\" > \"$5.svg\" ;;\n"
	"*) echo \"<svg></svg>\" > \"$5.$4.svg\" ;;\n"
	"esac\n";

static void folder(void **state)
{
	char error[512], *page;

	(void)state;
	write_file("fake", stand_in, 0755);
	if (draw(plots_sample(1, true, 7), in("fake"), false, false, error))
		fail_msg("%s", error);
	assert_true(exists("out/index.html"));
	assert_true(exists("out/charts/exits-boot-exact.svg"));
	assert_true(exists("out/charts/exits-boot-exact.csv"));
	assert_true(exists("out/charts/latency-boot-exact.percentiles.csv"));
	assert_true(exists("out/charts/common.gp"));
	assert_true(exists("out/charts/redraw.sh"));
	assert_false(exists("out/charts/exits-boot-exact.png"));
	assert_false(exists("out/charts/exits-boot-exact.narrow.svg"));
	assert_int_equal(entries("out"), 2);
	page = read_file("out/index.html");
	assert_non_null(strstr(page, "id=\"w-exits-boot-exact-p\""));
	assert_non_null(strstr(page, "href=\"#w-exits-boot-exact-p\""));
	assert_null(strstr(page, "<title>x</title>"));
	free(page);
}

/* An earlier report is replaced, what it left behind goes, and nothing else does. */
static void replaced(void **state)
{
	char error[512];

	(void)state;
	write_file("fake", stand_in, 0755);
	assert_int_equal(draw(plots_sample(2, true, 7), in("fake"), false, false, error), 0);
	assert_true(exists("out/charts/exits-fork-exact.svg"));
	write_file("out/mine.txt", "keep", 0644);
	write_file("out/charts/mine.svg", "keep", 0644);
	if (draw(plots_sample(1, true, 7), in("fake"), false, false, error))
		fail_msg("%s", error);
	assert_true(exists("out/charts/exits-boot-exact.svg"));
	assert_false(exists("out/charts/exits-fork-exact.svg"));
	assert_true(exists("out/mine.txt"));
	assert_true(exists("out/charts/mine.svg"));
	assert_int_equal(entries("out"), 3);
}

static void other_folder(void **state)
{
	char error[512];

	(void)state;
	write_file("fake", stand_in, 0755);
	assert_int_equal(mkdir(out, 0777), 0);
	write_file("out/thesis.tex", "keep", 0644);
	assert_int_equal(draw(plots_sample(1, true, 7), in("fake"), false, false, error), -1);
	assert_non_null(strstr(error, "holds other files"));
	assert_int_equal(entries("out"), 1);
	if (draw(plots_sample(1, true, 7), in("fake"), true, false, error))
		fail_msg("%s", error);
	assert_true(exists("out/thesis.tex"));
	assert_true(exists("out/index.html"));
}

static void target_is_file(void **state)
{
	char error[512];

	(void)state;
	write_file("out", "keep", 0644);
	assert_int_equal(draw(plots_sample(1, true, 7), in("fake"), true, false, error), -1);
	assert_non_null(strstr(error, "is not a folder"));
	unlink(out);
}

/* Whatever goes wrong with gnuplot: its own words, and no folder. */
static void gnuplot_fails(void **state)
{
	static const struct {
		const char *script, *wanted;
	} cases[] = {
		{ "#!/bin/sh\necho >&2; echo '\"x.gp\" line 7: invalid command' >&2; exit 1\n",
		  "gnuplot failed: \"x.gp\" line 7: invalid command" },
		{ "#!/bin/sh\nexit 3\n", "it did not say why" },
		{ "#!/bin/sh\nkill -9 $$\n", "ended by signal 9" },
		{ "#!/bin/sh\nexit 0\n", "No such file" }, /* says it did, drew nothing */
	};
	char error[512];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_file("fake", cases[i].script, 0755);
		assert_int_equal(draw(plots_sample(1, true, 7), in("fake"), false, false, error),
				 -1);
		if (!strstr(error, cases[i].wanted))
			fail_msg("'%s' does not say '%s'", error, cases[i].wanted);
		assert_false(exists("out"));
	}
	assert_int_equal(draw(plots_sample(1, true, 7), in("missing"), false, false, error), -1);
	assert_non_null(strstr(error, "apt-get install gnuplot-nox"));
	assert_false(exists("out"));
	/* The temporary folder stood beside it. */
	assert_int_equal(entries("."), 3);
}

static bool at_once(void)
{
	return true;
}

static void gnuplot_too_long(void **state)
{
	static const char *const args[] = { "x.gp", NULL };
	char message[256];

	(void)state;
	write_file("fake", "#!/bin/sh\nexec sleep 60\n", 0755);
	assert_int_equal(pl_gnuplot(in("fake"), dir, args, 1000, NULL, message, sizeof(message)),
			 -1);
	assert_string_equal(message, "gnuplot took longer than 1 s for x.gp");
	assert_int_equal(
		pl_gnuplot(in("fake"), dir, args, 60000, at_once, message, sizeof(message)), -1);
	assert_string_equal(message, "interrupted");
}

/* Text of files never becomes markup. */
static void page_escapes(void **state)
{
	json_t *json = plots_sample(1, true, 7), *trace, *context;
	const char *evil = "</title><script>alert(1)</script>\"'&";
	struct pl_page page = { .command = evil, .version = evil };
	struct pl_results r;
	char error[512], *text = NULL;
	size_t len;
	FILE *f;

	(void)state;
	trace = json_array_get(json_object_get(json, "traces"), 0);
	context = json_object_get(json, "context");
	json_object_set_new(trace, "id", json_string(evil));
	json_object_set_new(trace, "title", json_string(evil));
	json_object_set_new(trace, "path", json_string(evil));
	json_object_set_new(trace, "kernel", json_string(evil));
	json_object_set_new(trace, "xxh64", json_string(evil));
	for (size_t i = 0; i < 4; i++)
		json_object_set_new(json_array_get(json_object_get(json, "runs"), i), "trace",
				    json_string(evil));
	json_object_set_new(context, "cpu", json_string(evil));
	json_object_set_new(context, "command", json_string(evil));
	json_array_append_new(json_object_get(context, "warnings"), json_string(evil));
	json_array_append_new(
		json_object_get(json, "failed"),
		json_pack("{s:s,s:s,s:s}", "trace", evil, "model", evil, "why", evil));
	json_object_set_new(json_object_get(json_object_get(json, "glossary"), "counters"),
			    "writes", json_string(evil));
	load(&r, json);
	page.results = &r;
	f = open_memstream(&text, &len);
	assert_non_null(f);
	assert_int_equal(pl_page(f, &page, error, sizeof(error)), 0);
	fclose(f);
	/* One script: the page's own, at its end. */
	assert_non_null(strstr(text, "</main>\n<script>"));
	assert_ptr_equal(strstr(text, "<script"), strstr(text, "</main>\n<script>") + 8);
	assert_null(strstr(strstr(text, "<script") + 1, "<script"));
	assert_null(strstr(text, "alert(1)</"));
	assert_non_null(strstr(text, "&lt;script&gt;alert(1)&lt;/script&gt;"));
	assert_null(strstr(text, "http://"));
	assert_null(strstr(text, "https://"));
	free(text);
	pl_free(&r);
}

/* Order: answer, matrix, charts, trust, reproduce; the winner is marked. */
static void page_content(void **state)
{
	static const char *const order[] = {
		"id=\"answer\"",  "id=\"matrix\"",  "<b>✓</b> ",
		"id=\"t1\"",	  "Counted: exits", "Measured: ",
		"id=\"designs\"", "id=\"trust\"",   "id=\"reproduce\"",
	};
	struct pl_page page = { .command = "unsync plot R.json -o x", .version = "0" };
	struct pl_results r;
	char error[512], *text = NULL;
	const char *at;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	load(&r, plots_sample(1, true, 7));
	page.results = &r;
	assert_int_equal(pl_page(f, &page, error, sizeof(error)), 0);
	fclose(f);
	at = text;
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		at = strstr(at, order[i]);
		if (!at)
			fail_msg("'%s' is missing or too early", order[i]);
	}
	assert_non_null(strstr(text, r.traces[0].xxh64));
	assert_non_null(strstr(text, "unsync plot R.json -o x"));
	assert_non_null(strstr(text, r.contexts[0].command));
	free(text);
	pl_free(&r);
}

/* What came into results files later is on the page where a file has it. */
static void page_trust(void **state)
{
	static const char *const wanted[] = {
		"4 of 4 replays were verified",
		"no violations",
		"Counters of the processor that could not be read: llc_misses, dtlb_misses: the",
		"times the floor",
		"<b>9.5 ×</b><small>8.6 to 10</small>",
		"L2, 64 KiB",
		"800,000,000<small>720,000,000 to 880,000,000</small>",
		"11,400</td><td data-v=\"0.996112\">99.61 %</td>",
	};
	struct pl_page page = { .command = "x", .version = "0" };
	struct pl_results r;
	char error[512], *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	load(&r, plots_sample(1, false, 7));
	page.results = &r;
	assert_int_equal(pl_page(f, &page, error, sizeof(error)), 0);
	fclose(f);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (!strstr(text, wanted[i]))
			fail_msg("'%s' is missing", wanted[i]);
	}
	free(text);
	pl_free(&r);
}

/* A wrong model is not passed over. */
static void page_violations(void **state)
{
	struct pl_page page = { .command = "x", .version = "0" };
	json_t *json = plots_sample(1, true, 7);
	json_t *run = json_array_get(json_object_get(json, "runs"), 1);
	struct pl_results r;
	char error[512], *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	json_object_set_new(json_object_get(run, "verified"), "violations", json_integer(3));
	load(&r, json);
	page.results = &r;
	assert_int_equal(pl_page(f, &page, error, sizeof(error)), 0);
	fclose(f);
	assert_non_null(strstr(text, ", 3 violations;"));
	assert_non_null(strstr(text, "A model with violations is wrong"));
	free(text);
	pl_free(&r);
}

/* Said at the top, and nobody is called the winner. */
static void native_page(void **state)
{
	struct pl_page page = { .command = "x", .version = "0" };
	struct pl_results r;
	char error[512], *text = NULL;
	const char *notice;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	load(&r, plots_sample(1, false, 7));
	page.results = &r;
	assert_int_equal(pl_page(f, &page, error, sizeof(error)), 0);
	fclose(f);
	notice = strstr(text, "are lower bounds there");
	assert_non_null(notice);
	assert_true(notice < strstr(text, "id=\"matrix\""));
	assert_null(strstr(text, "class=\"best\""));
	free(text);
	pl_free(&r);
}

/* What the page gets of an SVG file, after <svg ...>; to be freed. */
static char *inlined(const char *svg)
{
	static const unsigned int rgb[] = { 0x0072b2, 0x000000 };
	static const struct pl_svg_palette palette = { rgb, 2, 15 };
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	if (svg)
		write_file("a.svg", svg, 0644);
	if (!pl_svg_inline(f, in("a.svg"), "p-", "a & b", &palette)) {
		fclose(f);
		return text;
	}
	fclose(f);
	free(text);
	return NULL;
}

static void expect_svg(const char *inner, const char *wanted)
{
	char file[1024], page[1024], *text;

	snprintf(file, sizeof(file),
		 "<?xml version='1.0'?>\n<svg width='9' viewBox='0 0 9 9'>%s</svg>", inner);
	snprintf(page, sizeof(page),
		 "<svg role=\"img\" aria-label=\"a &amp; b\" fill=\"none\" stroke=\"currentColor\" "
		 "color=\"var(--fg)\" viewBox=\"0 0 9 9\">%s</svg>",
		 wanted);
	text = inlined(file);
	assert_non_null(text);
	assert_string_equal(text, page);
	free(text);
}

static void svg_in_page(void **state)
{
	(void)state;
	expect_svg("", "");
	/* Colours get the page's names; the same black is a design's in one place and ink in another. */
	expect_svg("<rect fill='#ffffff'/>", "<rect fill=\"var(--card)\"></rect>");
	expect_svg("<rect fill = 'rgb(  0, 114, 178)'/>", "<rect fill=\"var(--m0)\"></rect>");
	expect_svg("<rect fill='rgb(  0,   0,   0)' color='black'/>",
		   "<rect fill=\"var(--m1)\" color=\"var(--fg)\"></rect>");
	expect_svg("<rect stroke='rgb(221, 221, 221)'/>", "<rect stroke=\"var(--rule)\"></rect>");
	expect_svg("<rect fill='rgb(119, 170, 221)'/>", "<rect fill=\"#77aadd\"></rect>");
	expect_svg("<a style='fill:none; stroke:rgb(85,85,85)'/>",
		   "<a style=\"fill:none;stroke:var(--soft);\"></a>");
	/* A line loses the points that lie on it, and no others. */
	expect_svg("<path d='M1.00,2.00 L3.04,2.00 L5.00,2.00 L5.00,7.26 L1.50,9.00 Z '/>",
		   "<path d=\"M1 2h4v5.3l-3.5 1.7z\"></path>");
	expect_svg("<path d='M1,2 L5,2 L3,2 L3,2'/>", "<path d=\"M1 2h4-2\"></path>");
	expect_svg("<path d='M1,2 L5,2 M6,2 L7,2'/>", "<path d=\"M1 2h4M6 2h1\"></path>");
	expect_svg("<path d='M-1,0 h2 M0,-1 v2'/>", "<path d=\"M-1,0 h2 M0,-1 v2\"></path>");
	expect_svg("<polygon points = '1.0,2.0 4.0,2.0 4.0,3.0 1.0,3.0 '/>",
		   "<path d=\"M1 2h3v1h-3z\"></path>");
	/* Names are made unique; what says nothing is left out. */
	expect_svg("<g id='gnuplot_plot_1'><title>x</title>\n<g>\n</g></g>", "");
	expect_svg("<defs><circle id='gpDot' r='1'/><pattern id='q'/></defs><a fill='url(#q)'/>",
		   "<defs><pattern id=\"p-q\"></pattern></defs><a fill=\"url(#p-q)\"></a>");
	expect_svg("<g stroke-linecap=\"butt\" stroke-width='1.00'>\n<text><tspan "
		   "font-family='x'>1 &lt; 2 </tspan></text><g>\n<text></text></g></g>",
		   "<text>1 &lt; 2 </text>");
	expect_svg(
		"<g fill='none' color='black' stroke='currentColor' stroke-width='2.50'><a/></g>",
		"<g stroke-width=\"2.5\"><a></a></g>");
	expect_svg("<g fill='none' color='red' stroke='currentColor'><a/></g>",
		   "<g fill=\"none\" color=\"red\" stroke=\"currentColor\"><a></a></g>");
	expect_svg("<g transform=\"translate(1.25,2.00)\" stroke=\"none\" fill=\"black\" "
		   "font-size=\"15.00\" text-anchor=\"end\"><text>x</text></g>",
		   "<g transform=\"translate(1.3 2)\" text-anchor=\"end\"><text>x</text></g>");
	expect_svg("<g transform=\"translate(1.25,2.00) rotate(-30.00)\" stroke=\"none\" "
		   "fill=\"rgb(51,51,51)\" font-size=\"12.00\"><text>x</text></g>",
		   "<g transform=\"translate(1.3 2) rotate(-30.00)\" fill=\"var(--fg)\" "
		   "font-size=\"12\"><text>x</text></g>");
	expect_svg("<rect x='0' y='0' width='9' height='9' fill='#ffffff'/><rect x='1' width='2'/>",
		   "<rect x=\"1\" width=\"2\"></rect>");
}

static void bad_svg(void **state)
{
	static const char *const bad[] = {
		"<svg><script>alert(1)</script></svg>",
		"<svg>cut o",
		"",
		"<html></html>",
		"<svg><g></svg>",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_null(inlined(bad[i]));
	unlink(in("a.svg"));
	assert_null(inlined(NULL));
}

/* The real thing, if it is installed: every script draws every kind of result without a word. */
static unsigned int warnings;

__attribute__((format(printf, 1, 2))) static void on_warning(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	warnings++;
}

static json_t *all_zero(void)
{
	json_t *json = plots_sample(1, true, 0);

	for (size_t i = 0; i < 4; i++) {
		json_t *run = json_array_get(json_object_get(json, "runs"), i);
		json_t *counted = json_object_get(run, "counted");
		const char *key;
		json_t *value;

		json_object_foreach(counted, key, value)
			json_object_set_new(counted, key, json_integer(0));
		json_object_set_new(run, "timeline",
				    json_pack("{s:i,s:[i],s:[i],s:[i]}", "bin_ns", 1, "unsync", 0,
					      "exits", 0, "tables_synced", 0));
	}
	return json;
}

static json_t *odd_names(void)
{
	json_t *json = plots_sample(1, true, 2);
	const char *id = "a_b^{c} @home & \\x `ls` \"q\" 'q' % 100$";

	json_object_set_new(json_array_get(json_object_get(json, "traces"), 0), "id",
			    json_string(id));
	for (size_t i = 0; i < 4; i++)
		json_object_set_new(json_array_get(json_object_get(json, "runs"), i), "trace",
				    json_string(id));
	json_object_set_new(
		json_array_get(json_object_get(json, "runs"), 0), "label",
		json_string("sync-on-write(flood=3,x_y^2={a},and=more,and=still-more)"));
	return json;
}

static void real_gnuplot(void **state)
{
	json_t *samples[] = { plots_sample(2, true, 7), plots_sample(1, false, 0), all_zero(),
			      odd_names() };
	char error[512];

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		const struct pl_options o = { .dir = out,
					      .svg = true,
					      .png = true,
					      .command = "x",
					      .version = "0",
					      .warn = on_warning };
		struct pl_results r;

		if (!have_gnuplot) {
			json_decref(samples[i]);
			continue;
		}
		load(&r, samples[i]);
		if (pl_report(&r, &o, error, sizeof(error)))
			fail_msg("sample %zu: %s", i, error);
		assert_true(exists("out/charts/exits-overview.png"));
		assert_true(exists("out/charts/exits-overview.svg"));
		pl_free(&r);
	}
	assert_int_equal(warnings, 0);
	if (!have_gnuplot)
		skip();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(folder, clean),
		cmocka_unit_test_teardown(replaced, clean),
		cmocka_unit_test_teardown(other_folder, clean),
		cmocka_unit_test_teardown(target_is_file, clean),
		cmocka_unit_test_teardown(gnuplot_fails, clean),
		cmocka_unit_test(gnuplot_too_long),
		cmocka_unit_test(page_escapes),
		cmocka_unit_test(page_content),
		cmocka_unit_test(native_page),
		cmocka_unit_test(svg_in_page),
		cmocka_unit_test(page_trust),
		cmocka_unit_test(page_violations),
		cmocka_unit_test(bad_svg),
		cmocka_unit_test_teardown(real_gnuplot, clean),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
