// SPDX-License-Identifier: GPL-2.0-only
/* What is concluded from results: ranks, the three sentences; and text fit for its surroundings. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plots/answer.h"
#include "plots/charts.h"
#include "plots/csv.h"
#include "plots/results_read.h"
#include "plots/text.h"
#include "plots_sample.h"

static char path[] = "/tmp/unsync-test-XXXXXX";

static int set_up(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
	(void)state;
	return unlink(path);
}

static void load(struct pl_results *r, json_t *json)
{
	char error[512];

	memset(r, 0, sizeof(*r));
	assert_int_equal(json_dump_file(json, path, 0), 0);
	if (pl_read(r, path, error, sizeof(error)))
		fail_msg("%s", error);
	json_decref(json);
}

static json_t *run_part(json_t *json, size_t run, const char *part)
{
	return json_object_get(json_array_get(json_object_get(json, "runs"), run), part);
}

static void set_count(json_t *json, size_t run, const char *counter, int n)
{
	json_object_set_new(run_part(json, run, "counted"), counter, json_integer(n));
}

/* All exits of one kind, and the bound. */
static void set_exits(json_t *json, size_t run, int faults, int writes, int invlpg, int more)
{
	set_count(json, run, "exit_fault", faults);
	set_count(json, run, "exit_reflect", 0);
	set_count(json, run, "exit_table_write", writes);
	set_count(json, run, "exit_cr3", 0);
	set_count(json, run, "exit_cr4", 0);
	set_count(json, run, "exit_invlpg", invlpg);
	set_count(json, run, "refaults_max", more);
}

static void set_times(json_t *json, size_t run, double median, double lo, double hi)
{
	json_t *s = json_object_get(run_part(json, run, "measured"), "resync_total");

	json_object_set_new(s, "median", json_real(median));
	json_object_set_new(s, "ci95", json_pack("[f,f]", lo, hi));
}

static void expect_answer(const struct pl_results *r, int number, const char *wanted)
{
	char *sentence[PL_SENTENCES];

	assert_int_equal(pl_answer(r, sentence), 0);
	if (strcmp(sentence[number], wanted) != 0)
		fail_msg("'%s' is not '%s'", sentence[number], wanted);
	for (int i = 0; i < PL_SENTENCES; i++)
		free(sentence[i]);
}

/* Runs come in fours: sync-on-write, oos-per-root, unsync-bitmap, null. */
static void clear_winner(void **state)
{
	json_t *json = plots_sample(2, true, 9);
	struct pl_results r;

	(void)state;
	for (size_t t = 0; t < 8; t += 4) {
		set_exits(json, t, 100, 500, 0, 50);
		set_exits(json, t + 1, 100, 200, 20, 5);
		set_exits(json, t + 2, 100, 80, 20, 5);
	}
	set_exits(json, 4, 100, 300, 0, 50);
	for (size_t t = 0; t < 8; t += 4) {
		set_times(json, t, 3e6, 2.9e6, 3.1e6);
		set_times(json, t + 1, 1e6, 0.9e6, 1.1e6);
		set_times(json, t + 2, 2e6, 1.9e6, 2.1e6);
	}
	set_times(json, 5, 1.2e6, 1.1e6, 1.4e6);
	load(&r, json);
	expect_answer(&r, PL_SAYS_EXITS,
		      "Fewest exits on 2 exact traces: unsync-bitmap on both, by at least 56 %; in "
		      "all, from lower to upper bound: unsync-bitmap 400 to 410, oos-per-root 640 "
		      "to 650, sync-on-write 1,000 to 1,100.");
	expect_answer(
		&r, PL_SAYS_TIME,
		"Least time in resyncs on 2 exact traces: oos-per-root on both, by at least 36 % "
		"(fork-exact) to 73 % (boot-exact); exits not included, medians together: "
		"oos-per-root 2.20 ms, unsync-bitmap 4.00 ms, sync-on-write 6.00 ms a pass.");
	expect_answer(&r, PL_SAYS_CAUSE,
		      "By cause, unsync-bitmap and sync-on-write, which take the fewest and the "
		      "most certain exits in all, differ most in writes to protected tables (160 "
		      "against 800), and the other way round in INVLPG (40 against 0).");
	pl_free(&r);
}

/* One that may lie anywhere hides nobody who surely takes more than another. */
static void wide_bound(void **state)
{
	json_t *json = plots_sample(1, true, 0);
	enum pl_rank rank[4];
	struct pl_results r;

	(void)state;
	set_exits(json, 0, 100, 400, 0, 0);
	set_exits(json, 1, 100, 0, 0, 900);
	set_exits(json, 2, 100, 90, 0, 10);
	load(&r, json);
	pl_rank_exits(&r, 0, rank);
	assert_int_equal(rank[0], PL_BEHIND);
	assert_int_equal(rank[1], PL_TIED);
	assert_int_equal(rank[2], PL_TIED);
	pl_free(&r);
}

/* Neither a yardstick nor what never has anything to bring in step is ahead of a design. */
static void bound_takes_no_part(void **state)
{
	json_t *json = plots_sample(1, true, 9);
	enum pl_rank rank[4];
	struct pl_results r;

	(void)state;
	json_object_set_new(json_array_get(json_object_get(json, "runs"), 2), "bound", json_true());
	set_exits(json, 0, 100, 400, 0, 0);
	set_exits(json, 1, 100, 90, 0, 0);
	set_exits(json, 2, 1, 0, 0, 0);
	set_times(json, 0, 3e6, 2.9e6, 3.1e6);
	set_times(json, 1, 2e6, 1.9e6, 2.1e6);
	set_times(json, 2, 0, 0, 0);
	load(&r, json);
	pl_rank_exits(&r, 0, rank);
	assert_int_equal(rank[1], PL_BEST);
	assert_int_equal(rank[2], PL_BEHIND);
	pl_rank_time(&r, 0, rank);
	assert_int_equal(rank[1], PL_BEST);
	assert_int_equal(rank[2], PL_BEHIND);
	expect_answer(&r, PL_SAYS_EXITS,
		      "Fewest exits on the one exact trace: oos-per-root, by at least 163 %; in "
		      "all, from lower to upper bound: oos-per-root 190, sync-on-write 500.");
	pl_free(&r);
}

static void no_winner(void **state)
{
	json_t *json = plots_sample(2, true, 9);
	enum pl_rank rank[4];
	struct pl_results r;

	(void)state;
	for (size_t t = 0; t < 8; t += 4) {
		set_exits(json, t, 100, 400, 0, 0);
		set_exits(json, t + 1, 100, 100, 0, 0);
		set_exits(json, t + 2, 100, 90, 0,
			  10); /* up to 200, which is what the other takes */
		set_times(json, t, 3e6, 2.9e6, 3.1e6);
		set_times(json, t + 1, 2.0e6, 1.9e6, 2.1e6);
		set_times(json, t + 2, 2.1e6, 2.0e6, 2.2e6);
	}
	set_exits(json, 6, 100, 90, 0, 9);
	load(&r, json);
	pl_rank_exits(&r, 0, rank);
	assert_int_equal(rank[0], PL_BEHIND);
	assert_int_equal(rank[1], PL_TIED);
	assert_int_equal(rank[2], PL_TIED);
	assert_int_equal(rank[3], PL_BEHIND);
	pl_rank_exits(&r, 1, rank);
	assert_int_equal(rank[1], PL_BEHIND);
	assert_int_equal(rank[2], PL_BEST);
	pl_rank_time(&r, 0, rank);
	assert_int_equal(rank[1], PL_TIED);
	assert_int_equal(rank[2], PL_TIED);
	expect_answer(
		&r, PL_SAYS_EXITS,
		"Fewest exits on 2 exact traces: unsync-bitmap on fork-exact, by at least 0.5 %; "
		"oos-per-root or unsync-bitmap on boot-exact; in all, from lower to upper bound: "
		"unsync-bitmap 380 to 399, oos-per-root 400, sync-on-write 1,000.");
	expect_answer(&r, PL_SAYS_TIME,
		      "Least time in resyncs on 2 exact traces: oos-per-root or unsync-bitmap on "
		      "both; exits not included, medians together: oos-per-root 4.00 ms, "
		      "unsync-bitmap 4.20 ms, sync-on-write 6.00 ms a pass.");
	pl_free(&r);
}

static void all_tied(void **state)
{
	json_t *json = plots_sample(1, true, 9);
	struct pl_results r;

	(void)state;
	for (size_t run = 0; run < 3; run++) {
		set_exits(json, run, 100, 0, 0, 10);
		set_times(json, run, 1e6, 1e6, 1e6);
	}
	load(&r, json);
	expect_answer(&r, PL_SAYS_EXITS,
		      "Fewest exits on the one exact trace: any of them; in all, from lower to "
		      "upper bound: sync-on-write 100 to 110, oos-per-root 100 to 110, "
		      "unsync-bitmap 100 to 110.");
	expect_answer(&r, PL_SAYS_CAUSE,
		      "Most of these exits are page faults that fill the shadow (100).");
	pl_free(&r);
}

/* All designs count the same on all traces. */
static json_t *same_counts(void)
{
	json_t *json = plots_sample(2, true, 0);

	for (size_t i = 0; i < 8; i++) {
		const char *key;
		json_t *value;

		json_object_foreach(run_part(json, i, "counted"), key, value)
			json_integer_set(value, strcmp(key, "refaults_max") ? 1000 : 0);
		set_count(json, i, "tables_in_vain", 0);
		set_count(json, i, "entries_kept", 0);
		set_count(json, i, "entries_permission", 0);
	}
	return json;
}

static void expect_cost(json_t *json, const char *begin, const char *end)
{
	char *sentence[PL_SENTENCES];
	struct pl_results r;

	load(&r, json);
	assert_int_equal(pl_answer(&r, sentence), 0);
	if (strncmp(sentence[PL_SAYS_COST], begin, strlen(begin)) != 0 ||
	    strcmp(sentence[PL_SAYS_COST] + strlen(sentence[PL_SAYS_COST]) - strlen(end), end) != 0)
		fail_msg("'%s' does not begin '%s' or end '%s'", sentence[PL_SAYS_COST], begin,
			 end);
	for (int i = 0; i < PL_SENTENCES; i++)
		free(sentence[i]);
	pl_free(&r);
}

/* The nearest price at which another design is ahead is named with its platform. */
static void load_and_find_turn(json_t *json)
{
	char *sentence[PL_SENTENCES];
	struct pl_results r;

	load(&r, json);
	assert_int_equal(pl_answer(&r, sentence), 0);
	if (!strstr(sentence[PL_SAYS_COST], "; that turns first on ") ||
	    !strstr(sentence[PL_SAYS_COST], "): then "))
		fail_msg("'%s' names no turn", sentence[PL_SAYS_COST]);
	for (int i = 0; i < PL_SENTENCES; i++)
		free(sentence[i]);
	pl_free(&r);
}

/* What is paid for everywhere and by everybody decides nothing; what only some pay decides all. */
static void total_cost(void **state)
{
	json_t *json = same_counts();

	(void)state;
	expect_cost(
		json,
		"Least total cost over 2 traces, prices by platform: sync-on-write, "
		"oos-per-root or unsync-bitmap on all ",
		"no exit or emulated write up to ten times as dear or as cheap turns that; over "
		"all that the ranges of the prices allow, nobody is surely ahead on any of "
		"them.");
	json = same_counts();
	set_count(json, 0, "exit_fault", 2000);
	set_count(json, 1, "writes_emulated", 1500);
	expect_cost(json,
		    "Least total cost over 2 traces, prices by platform: unsync-bitmap on all ",
		    "turns that; so over all that the ranges of the prices allow.");
	/* No exits for the one, no emulated writes for the other: it depends. */
	json = same_counts();
	for (size_t t = 0; t < 8; t += 4) {
		set_count(json, t, "writes_emulated", 0);
		set_count(json, t + 1, "exit_table_write", 0);
		set_count(json, t + 2, "exit_fault", 9000);
	}
	load_and_find_turn(json);
	json = plots_sample(1, false, 0);
	expect_cost(json, "Total cost is compared where exact traces were replayed",
		    "here it is not.");
}

static void one_design(void **state)
{
	json_t *json = plots_sample(1, true, 9);
	json_t *runs = json_object_get(json, "runs");
	enum pl_rank rank[1];
	struct pl_results r;

	(void)state;
	while (json_array_size(runs) > 1)
		json_array_remove(runs, 1);
	set_exits(json, 0, 1000, 234, 0, 0);
	load(&r, json);
	pl_rank_exits(&r, 0, rank);
	assert_int_equal(rank[0], PL_BEHIND);
	expect_answer(
		&r, PL_SAYS_EXITS,
		"Only sync-on-write was replayed, with 1,234 exits on 1 exact trace: there is "
		"nothing to compare it with.");
	expect_answer(&r, PL_SAYS_CAUSE,
		      "Most of these exits are page faults that fill the shadow (1,000).");
	pl_free(&r);
}

static void only_null(void **state)
{
	json_t *json = plots_sample(1, true, 9);
	json_t *runs = json_object_get(json, "runs");
	struct pl_results r;

	(void)state;
	while (json_array_size(runs) > 1)
		json_array_remove(runs, 0);
	load(&r, json);
	expect_answer(&r, PL_SAYS_EXITS, "No design has a result here: nothing can be compared.");
	pl_free(&r);
}

static void not_measured(void **state)
{
	json_t *json = plots_sample(1, false, 0);
	char *sentence[PL_SENTENCES];
	struct pl_results r;

	(void)state;
	set_count(json, 0, "entries_fixed", 10);
	set_count(json, 0, "entries_compared", 0);
	load(&r, json);
	assert_int_equal(pl_answer(&r, sentence), 0);
	assert_non_null(strstr(sentence[PL_SAYS_EXITS], "native trace"));
	assert_non_null(strstr(sentence[PL_SAYS_TIME], "Times were not measured"));
	assert_non_null(strstr(sentence[PL_SAYS_TIME], ": sync-on-write 10, "));
	for (int i = 0; i < PL_SENTENCES; i++)
		free(sentence[i]);
	pl_free(&r);
}

/* Not all writes are in a native trace: whoever emulates them all would look good. */
static void native_only(void **state)
{
	json_t *json = plots_sample(1, false, 9);
	enum pl_rank rank[4];
	struct pl_results r;

	(void)state;
	set_exits(json, 0, 100, 10, 0, 0);
	set_exits(json, 1, 100, 400, 20, 0);
	set_exits(json, 2, 1000, 80, 20, 0);
	for (size_t run = 0; run < 3; run++)
		set_times(json, run, 1e6 * (double)(run + 1), 1e6 * (double)(run + 1),
			  1e6 * (double)(run + 1));
	load(&r, json);
	pl_rank_exits(&r, 0, rank);
	for (size_t m = 0; m < 4; m++)
		assert_int_equal(rank[m], PL_BEHIND);
	expect_answer(
		&r, PL_SAYS_EXITS,
		"On native traces no design is named that takes the fewest exits, as not all "
		"writes are in them; exits that are certain, over 1 trace: sync-on-write 110, "
		"oos-per-root 520, unsync-bitmap 1,100.");
	expect_answer(
		&r, PL_SAYS_TIME,
		"Nor is a winner named in time spent in resyncs; together: sync-on-write 1.00 ms, "
		"oos-per-root 2.00 ms, unsync-bitmap 3.00 ms a pass.");
	pl_free(&r);
}

/* What was made up shows what costs grow with, never who is ahead. */
static void synthetic_only(void **state)
{
	json_t *json = plots_sample(2, true, 9), *made_up = plots_sample(1, true, 9);
	json_t *trace = json_array_get(json_object_get(made_up, "traces"), 0);
	enum pl_rank rank[4];
	struct pl_results r;

	(void)state;
	json_object_set_new(trace, "synthetic", json_pack("{s:i}", "tables", 8));
	for (size_t run = 0; run < 3; run++)
		set_exits(made_up, run, 100 * ((int)run + 1), 0, 0, 0);
	load(&r, made_up);
	assert_true(pl_compared(&r, 0));
	pl_rank_exits(&r, 0, rank);
	for (size_t m = 0; m < 4; m++)
		assert_int_equal(rank[m], PL_BEHIND);
	expect_answer(&r, PL_SAYS_EXITS,
		      "On synthetic traces no design is named that takes the fewest exits, as they "
		      "say nothing of guests; exits that are certain, over 1 trace: sync-on-write "
		      "100, oos-per-root 200, unsync-bitmap 300.");
	pl_free(&r);
	/* Beside recorded ones it is not compared at all. */
	trace = json_array_get(json_object_get(json, "traces"), 0);
	json_object_set_new(trace, "synthetic", json_pack("{s:i}", "tables", 8));
	load(&r, json);
	assert_false(pl_compared(&r, 0));
	assert_true(pl_compared(&r, 1));
	pl_free(&r);
}

/* Exact traces carry the comparison; native ones do not join in. */
static void mixed_modes(void **state)
{
	char error[512];
	struct pl_results r;

	(void)state;
	load(&r, plots_sample(1, true, 9));
	assert_true(pl_compared(&r, 0));
	json_t *native = plots_sample(1, false, 9);

	assert_int_equal(json_dump_file(native, path, 0), 0);
	assert_int_equal(pl_read(&r, path, error, sizeof(error)), 0);
	assert_true(pl_compared(&r, 0));
	assert_false(pl_compared(&r, 1));
	json_decref(native);
	pl_free(&r);
}

/* ---- CSV ---- */

typedef void csv_of(FILE *out, const struct pl_results *r, size_t trace);

static char *csv(const struct pl_results *r, csv_of *of, size_t trace)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	of(f, r, trace);
	fclose(f);
	return text;
}

static size_t count_char(const char *s, char c)
{
	size_t n = 0;

	for (; *s; s++)
		n += *s == c;
	return n;
}

static void csv_content(void **state)
{
	json_t *json = plots_sample(1, true, 9);
	struct pl_results r;
	char *text;

	(void)state;
	set_exits(json, 0, 11, 22, 0, 5);
	set_count(json, 0, "exit_pv_flush", 7);
	set_exits(json, 1, 1, 2, 3, 0);
	load(&r, json);
	text = csv(&r, pl_csv_exits, 0);
	assert_int_equal(strncmp(text, "model,page faults that fill the shadow,", 39), 0);
	assert_non_null(strstr(text, "\nsync-on-write,11,0,22,0,0,7,5\n"));
	assert_non_null(strstr(text, "\noos-per-root,1,0,2,0,3,0,0\n"));
	assert_null(strstr(text, "null"));
	assert_int_equal(count_char(text, '\n'), 4);
	free(text);

	text = csv(&r, pl_csv_timeline, 0);
	assert_int_equal(count_char(text, '\n'), 241);
	assert_int_equal(count_char(text, ','), 241 * 9);
	free(text);

	/* The distribution ends at all resyncs. */
	text = csv(&r, pl_csv_latency, 0);
	assert_non_null(strstr(text, ",100.000000\n2,oos-per-root,"));
	free(text);
	pl_free(&r);
}

static void csv_without_times(void **state)
{
	struct pl_results r;
	char *text;

	(void)state;
	load(&r, plots_sample(1, true, 0));
	text = csv(&r, pl_csv_cost, 0);
	assert_non_null(strstr(text, ",,,,0\n"));
	free(text);
	pl_free(&r);
}

/* ---- text ---- */

typedef void text_of(FILE *out, const char *text);

static void expect_text(text_of *of, const char *in, const char *wanted)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	of(f, in);
	fclose(f);
	assert_string_equal(text, wanted);
	free(text);
}

static void escaping(void **state)
{
	char buf[512];

	(void)state;
	expect_text(pl_html, "<script>alert('x' & \"y\")</script>",
		    "&lt;script&gt;alert(&#39;x&#39; &amp; &quot;y&quot;)&lt;/script&gt;");
	expect_text(pl_html, "µs\n\033[31m", "µs??[31m");
	expect_text(pl_csv, "plain-1", "plain-1");
	expect_text(pl_csv, "a,b", "\"a,b\"");
	expect_text(pl_csv, "say \"x\"\n", "\"say \"\"x\"\"\n\"");
	expect_text(pl_csv, "=1+1", "\"'=1+1\"");
	expect_text(pl_shell, "boot.json", "boot.json");
	expect_text(pl_shell, "", "''");
	expect_text(pl_shell, "it's $HOME", "'it'\\''s $HOME'");
	assert_string_equal(pl_slug(buf, "../../etc/passwd"), "etc-passwd");
	assert_string_equal(pl_slug(buf, "..."), "x");
	assert_string_equal(pl_slug(buf, "boot exact\n1"), "boot-exact-1");
	assert_string_equal(pl_short(buf, "µµµµ", 4), "µµµµ");
	assert_string_equal(pl_short(buf, "µµµµµ", 4), "µµµ…");
	assert_string_equal(pl_short(buf, "a\"b\t", 9), "a'b?");
}

static void numbers(void **state)
{
	char buf[PL_NUMBER];

	(void)state;
	assert_string_equal(pl_group(buf, 0), "0");
	assert_string_equal(pl_group(buf, 999), "999");
	assert_string_equal(pl_group(buf, 1000), "1,000");
	assert_string_equal(pl_group(buf, UINT64_MAX), "18,446,744,073,709,551,615");
	assert_string_equal(pl_time(buf, 0), "0 ns");
	assert_string_equal(pl_time(buf, 7), "7 ns");
	assert_string_equal(pl_time(buf, 95.86), "95.9 ns");
	assert_string_equal(pl_time(buf, 999.4), "999 ns");
	assert_string_equal(pl_time(buf, 999.6), "1.00 µs");
	assert_string_equal(pl_time(buf, 12345), "12.3 µs");
	assert_string_equal(pl_time(buf, 45.8e9), "45.8 s");
	assert_string_equal(pl_factor(buf, 1), "1.00");
	assert_string_equal(pl_factor(buf, 1.04), "1.04");
	assert_string_equal(pl_factor(buf, 1.00033), "1.0003");
	assert_string_equal(pl_factor(buf, 0.88), "0.88");
	assert_string_equal(pl_factor(buf, 1.96), "2.0");
	assert_string_equal(pl_factor(buf, 14.2), "14");
}

/* ---- charts ---- */

static void colours(void **state)
{
	struct pl_results r;

	(void)state;
	load(&r, plots_sample(1, true, 0));
	assert_string_equal(pl_colour(&r, 0), "#D55E00");
	assert_string_equal(pl_colour(&r, 2), "#009E73");
	for (size_t a = 0; a < r.n_models; a++) {
		for (size_t b = 0; b < a; b++)
			assert_string_not_equal(pl_colour(&r, a), pl_colour(&r, b));
	}
	pl_free(&r);
}

/* All built-in designs and some variants: a colour each as long as there are any, then again. */
static void many_colours(void **state)
{
	static const char *const labels[] = { "sync-on-write", "oos-per-root",	  "unsync-bitmap",
					      "kvm",	       "virtual-tlb",	  "xen-oos",
					      "prefault",      "ideal",		  "nested",
					      "adaptive",      "kvm(version=61)", "mine",
					      "kvm(version=2)" };
	enum { N = sizeof(labels) / sizeof(labels[0]) };
	struct pl_model models[N] = { 0 };
	struct pl_results r = { .models = models, .n_models = N };

	(void)state;
	for (size_t a = 0; a < N; a++)
		models[a].label = labels[a];
	for (size_t a = 0; a < 12; a++) {
		for (size_t b = 0; b < a; b++)
			assert_string_not_equal(pl_colour(&r, a), pl_colour(&r, b));
	}
	assert_non_null(pl_colour(&r, 12));
}

/* Two traces whose names look the same as file names get files of their own. */
static void chart_names(void **state)
{
	json_t *json = plots_sample(2, true, 9);
	json_t *traces = json_object_get(json, "traces");
	struct pl_chart *charts;
	struct pl_results r;
	size_t n;

	(void)state;
	json_object_set_new(json_array_get(traces, 0), "id", json_string("a/b"));
	json_object_set_new(json_array_get(traces, 1), "id", json_string("a b"));
	for (size_t i = 0; i < 8; i++)
		json_object_set_new(json_array_get(json_object_get(json, "runs"), i), "trace",
				    json_string(i < 4 ? "a/b" : "a b"));
	load(&r, json);
	assert_int_equal(pl_charts(&r, &charts, &n), 0);
	assert_int_equal(n, 6 + 2 * 5);
	for (size_t a = 0; a < n; a++) {
		assert_null(strchr(charts[a].name, '/'));
		for (size_t b = 0; b < a; b++)
			assert_string_not_equal(charts[a].name, charts[b].name);
	}
	free(charts);
	pl_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clear_winner),	  cmocka_unit_test(no_winner),
		cmocka_unit_test(all_tied),	  cmocka_unit_test(one_design),
		cmocka_unit_test(total_cost),	  cmocka_unit_test(only_null),
		cmocka_unit_test(not_measured),	  cmocka_unit_test(native_only),
		cmocka_unit_test(synthetic_only), cmocka_unit_test(mixed_modes),
		cmocka_unit_test(csv_content),	  cmocka_unit_test(csv_without_times),
		cmocka_unit_test(escaping),	  cmocka_unit_test(numbers),
		cmocka_unit_test(colours),	  cmocka_unit_test(many_colours),
		cmocka_unit_test(wide_bound),	  cmocka_unit_test(bound_takes_no_part),
		cmocka_unit_test(chart_names),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
