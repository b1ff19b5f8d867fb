// SPDX-License-Identifier: GPL-2.0-only
/* Warnings: each matter once, with the places that it concerns; and what gives reason to note something. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "replay/notes.h"

#define PASSES 7

static const struct ur_clock test_clock = { .source = "tsc",
					    .ns_per_tick = 1,
					    .resolution_ticks = 10 };

/* ---- merging ---- */

static void one_matter_is_one_line(void **state)
{
	struct ur_warnings a = { 0 }, b = { 0 }, all = { 0 };
	const struct ur_warnings *from[] = { &a, &b };

	(void)state;
	ur_warn(&a, "one", "is %s", "native");
	ur_warn(&a, NULL, "busy");
	ur_warn(&b, "two", "lost %d", 5);
	ur_warn(&b, "two", "is native");
	ur_warn(&b, NULL, "busy");
	assert_string_equal(a.of[0].line, "one: is native");
	assert_string_equal(a.of[1].line, "busy");
	ur_warn_merged(&all, from, 2);
	assert_int_equal(all.n, 3);
	assert_string_equal(all.of[0].line, "one, two: is native");
	assert_string_equal(all.of[1].line, "busy");
	assert_string_equal(all.of[2].line, "two: lost 5");
	ur_warnings_free(&a);
	ur_warnings_free(&b);
	ur_warnings_free(&all);
	assert_int_equal(all.n, 0);
}

static void many_places_are_cut(void **state)
{
	struct ur_warnings a = { 0 }, all = { 0 };
	const struct ur_warnings *from = &a;
	static const char letters[] = "abcdefghi";
	char where[2] = "";

	(void)state;
	for (size_t i = 0; letters[i]; i++) {
		where[0] = letters[i];
		ur_warn(&a, where, "hot");
	}
	ur_warn_merged(&all, &from, 1);
	assert_int_equal(all.n, 1);
	assert_string_equal(all.of[0].line, "a, b, c, d, e, f and 3 more: hot");
	ur_warnings_free(&a);
	ur_warnings_free(&all);
}

/* ---- notes ---- */

static char id[] = "trace";
static double wall[PASSES], cpu[PASSES];
static const struct ur_spec specs[] = { { .label = "m0" },
					{ .label = "m1" },
					{ .label = "m2" },
					{ .label = "m3" },
					{ .label = "m4" } };

/* Long, even passes of five models whose resyncs are long: nothing to note. */
static void set_up_trace(struct ur_trace *t, struct ur_run *runs)
{
	memset(runs, 0, 5 * sizeof(*runs));
	*t = (struct ur_trace){ .survey = { .id = id },
				.runs = runs,
				.n_runs = 5,
				.passes = { .n = PASSES, .wall_ns = wall, .cpu_ns = cpu } };
	for (unsigned int p = 0; p < PASSES; p++)
		wall[p] = cpu[p] = 1e9;
	for (int i = 0; i < 5; i++) {
		runs[i].spec = &specs[i];
		runs[i].measured = ur_measured_new(PASSES, false);
		assert_non_null(runs[i].measured);
		for (int p = 0; p < PASSES; p++)
			runs[i].measured->total_ns[p] = 1e7 + 1e4 * p;
		ur_hist_add(&runs[i].measured->resync, 1000);
	}
}

/* The only note that is due, or an empty text. */
static const char *only_note(struct ur_trace *t)
{
	static char line[512];
	struct ur_warnings w = { 0 };

	ur_note_trace(&w, t, &test_clock);
	assert_true(w.n <= 1);
	strncpy(line, w.n ? w.of[0].line : "", sizeof(line) - 1);
	ur_warnings_free(&w);
	for (size_t i = 0; i < t->n_runs; i++)
		ur_measured_free(t->runs[i].measured);
	return line;
}

static void nothing_to_note(void **state)
{
	struct ur_run runs[5];
	struct ur_trace t;

	(void)state;
	set_up_trace(&t, runs);
	assert_string_equal(only_note(&t), "");
}

static void short_passes(void **state)
{
	struct ur_run runs[5];
	struct ur_trace t;

	(void)state;
	set_up_trace(&t, runs);
	for (int i = 0; i < 5; i++) {
		for (int p = 0; p < PASSES; p++)
			runs[i].measured->total_ns[p] = 700000;
	}
	assert_string_equal(only_note(&t),
			    "trace (longest pass 700 us): too short to measure: times mean little");
}

/* One line for all models, the first few by name. */
static void resyncs_as_short_as_the_clock(void **state)
{
	struct ur_run runs[5];
	struct ur_trace t;

	(void)state;
	set_up_trace(&t, runs);
	for (int i = 0; i < 5; i++) {
		if (i == 2)
			continue;
		ur_hist_add(&runs[i].measured->resync, 20);
		ur_hist_add(&runs[i].measured->resync, 20);
	}
	assert_string_equal(only_note(&t),
			    "trace (m0, m1, m3 and 1 more): a resync takes about as long as the "
			    "clock's step of 10 ns; percentiles are rough, sums are not");
}

static void one_slow_pass(void **state)
{
	struct ur_run runs[5];
	struct ur_trace t;

	(void)state;
	set_up_trace(&t, runs);
	runs[1].measured->total_ns[3] *= 2;
	runs[4].measured->total_ns[3] *= 1.5;
	runs[0].measured->total_ns[5] *= 1.1; /* an outlier, but not worth a word */
	assert_string_equal(
		only_note(&t),
		"trace (pass 4: 2 models, up to 2.0 times): single passes took far longer than the "
		"median of their model; they are kept and flagged as outliers");
}

static void without_a_processor(void **state)
{
	struct ur_run runs[5];
	struct ur_trace t;

	(void)state;
	set_up_trace(&t, runs);
	for (int p = 0; p < PASSES; p++)
		cpu[p] = 0.9 * wall[p];
	assert_string_equal(
		only_note(&t),
		"trace (10 %): for part of the time others had the processor; that is not in the "
		"times, but they left caches colder: leave one free");
}

static void no_account_of_the_processor(void **state)
{
	struct ur_run runs[5];
	struct ur_trace t;

	(void)state;
	set_up_trace(&t, runs);
	t.passes.blind = true;
	for (int p = 0; p < PASSES; p++)
		cpu[p] = 0.5 * wall[p];
	assert_string_equal(only_note(&t),
			    "trace: this system does not say how long others had the "
			    "processor; that is in the times");
}

static void failed_models_are_passed_over(void **state)
{
	struct ur_run runs[5];
	struct ur_trace t;

	(void)state;
	set_up_trace(&t, runs);
	runs[1].measured->total_ns[3] *= 2;
	strcpy(runs[1].failed, "gave up");
	assert_string_equal(only_note(&t), "");
}

static void load(void **state)
{
	static const struct {
		struct ur_load load;
		size_t notes;
	} cases[] = {
		{ { .before = 0.1, .after = 1.0, .cores = 4 }, 0 },
		{ { .before = 2.0, .after = 3.0, .cores = 4 }, 0 },
		{ { .before = 2.1, .after = 1.0, .cores = 4 }, 1 },
		{ { .before = 0.1, .after = 3.1, .cores = 4 }, 1 },
		{ { .before = 3.0, .after = 9.0, .cores = 4 }, 1 },
		{ { .before = -1, .after = -1, .cores = 4 }, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ur_warnings w = { 0 };

		ur_note_load(&w, &cases[i].load);
		assert_int_equal(w.n, cases[i].notes);
		if (w.n)
			assert_non_null(strstr(w.of[0].line, "4 cores"));
		ur_warnings_free(&w);
	}
}

static void few_passes(void **state)
{
	struct ur_warnings w = { 0 };

	(void)state;
	ur_note_passes(&w, 0);
	ur_note_passes(&w, 6);
	assert_int_equal(w.n, 0);
	ur_note_passes(&w, 1);
	ur_note_passes(&w, 5);
	assert_int_equal(w.n, 2);
	assert_non_null(strstr(w.of[0].line, "1 pass: fewer than 6 give no"));
	assert_non_null(strstr(w.of[1].line, "5 passes: fewer than 6 give no"));
	ur_warnings_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_matter_is_one_line),
		cmocka_unit_test(many_places_are_cut),
		cmocka_unit_test(nothing_to_note),
		cmocka_unit_test(short_passes),
		cmocka_unit_test(resyncs_as_short_as_the_clock),
		cmocka_unit_test(one_slow_pass),
		cmocka_unit_test(without_a_processor),
		cmocka_unit_test(no_account_of_the_processor),
		cmocka_unit_test(failed_models_are_passed_over),
		cmocka_unit_test(load),
		cmocka_unit_test(few_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
