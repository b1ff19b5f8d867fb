// SPDX-License-Identifier: GPL-2.0-only
/* What follows from the passes: costs, the working set, the floor and how far resyncs lie above it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "replay/measured.h"

static bool near(double a, double b)
{
	return fabs(a - b) < 1e-9 * (1 + fabs(b));
}

/* ---- a clock that runs as the test wants ---- */

static uint64_t now;
static const uint64_t *steps; /* what each stretch takes; the last one again and again */
static unsigned int readings;

/* Every other reading ends a stretch. */
static uint64_t stepping(void)
{
	if (readings++ % 2) {
		now += *steps;
		if (steps[1])
			steps++;
	}
	return now;
}

static const struct ur_clock test_clock = { .source = "tsc", .read = stepping, .ns_per_tick = 0.5 };

/* ---- resyncs ---- */

static struct ur_measured *two_passes(void)
{
	struct ur_measured *m = ur_measured_new(2, false);
	struct ur_stretch stretch[2] = { { .bin = 0, .samples = 2 }, { .bin = 7, .samples = 3 } };
	const struct ur_stretches stretches = { .of = stretch, .n = 2 };

	assert_non_null(m);
	for (unsigned int p = 0; p < 2; p++) {
		const struct um_resync r[] = {
			{ .cause = UM_CAUSE_cr3, .tables = 2, .ticks = 1000 + 200 * p },
			{ .cause = UM_CAUSE_invlpg, .tables = 0, .ticks = 100 },
			{ .cause = UM_CAUSE_cr3, .tables = 1, .ticks = 600 },
		};

		m->n_samples = 0;
		for (size_t i = 0; i < 3; i++)
			assert_int_equal(ur_measured_sample(m, &r[i]), 0);
		ur_measured_block(m, &stretches, &test_clock, p);
	}
	return m;
}

static void resyncs_go_where_they_belong(void **state)
{
	struct ur_measured *m = two_passes();

	(void)state;
	assert_true(near(m->resync_ns[0], 850) && near(m->resync_ns[1], 950));
	assert_true(near(m->table_ns[0], 800) && near(m->table_ns[1], 900));
	assert_true(near(m->bin_ns[0], 550) && near(m->bin_ns[7], 300));
	assert_true(near(m->bin_ns[UR_MAX_BINS], 650) && near(m->bin_ns[UR_MAX_BINS + 7], 300));
	assert_int_equal(m->resync.n, 6);
	assert_int_equal(m->by_cause[UM_CAUSE_cr3].n, 4);
	assert_true(near(m->ticks[UM_CAUSE_invlpg], 200));
	ur_measured_free(m);
}

static void costs_are_per_thing(void **state)
{
	const struct ur_resyncs all = { .count = 3, .tables = 3, .compared = 21, .changed = 5 };
	const struct ur_resyncs synced = { .count = 2, .tables = 3, .compared = 20, .changed = 0 };
	struct ur_measured *m = two_passes();
	double ns[2];

	(void)state;
	assert_true(ur_costs(m, UR_COST_resync, &all, &synced, ns));
	assert_true(near(ns[0], 850.0 / 3) && near(ns[1], 950.0 / 3));
	assert_true(ur_costs(m, UR_COST_table, &all, &synced, ns));
	assert_true(near(ns[0], 800.0 / 3) && near(ns[1], 300));
	assert_true(ur_costs(m, UR_COST_compared, &all, &synced, ns));
	assert_true(near(ns[0], 40) && near(ns[1], 45));
	assert_false(ur_costs(m, UR_COST_changed, &all, &synced, ns));
	ur_measured_free(m);
}

static void above_null_is_pass_by_pass(void **state)
{
	struct ur_measured *m = two_passes(), *null = two_passes();
	double ns[2];

	(void)state;
	m->total_ns[0] = 100;
	m->total_ns[1] = 50;
	null->total_ns[0] = 30;
	null->total_ns[1] = 60;
	ur_above_null(m, null, ns);
	assert_true(near(ns[0], 70) && near(ns[1], -10));
	ur_measured_free(m);
	ur_measured_free(null);
}

/* ---- turns ---- */

#define MODELS 5
#define ORDERS 6000

static void everybody_comes_after_everybody(void **state)
{
	unsigned int first[MODELS] = { 0 }, after[MODELS][MODELS] = { 0 };
	size_t of[MODELS];
	struct ur_turns t = { .n = MODELS, .of = of };

	(void)state;
	for (int i = 0; i < ORDERS; i++) {
		unsigned int seen = 0;

		ur_turns_next(&t);
		for (size_t k = 0; k < MODELS; k++) {
			assert_true(of[k] < MODELS);
			seen |= 1u << of[k];
			if (k)
				after[of[k - 1]][of[k]]++;
		}
		assert_int_equal(seen, (1u << MODELS) - 1);
		first[of[0]]++;
	}
	for (size_t i = 0; i < MODELS; i++) {
		/* Six standard deviations are 190; pairs: 4 of 20 in each order, 1200 each. */
		assert_in_range(first[i], ORDERS / MODELS - 190, ORDERS / MODELS + 190);
		for (size_t k = 0; k < MODELS; k++) {
			if (i != k)
				assert_in_range(after[i][k], 1010, 1390);
		}
	}
}

/* ---- the working set ---- */

static void working_set_is_that_of_the_median_sync(void **state)
{
	struct ur_measured *m = ur_measured_new(1, false);

	(void)state;
	assert_non_null(m);
	assert_int_equal(ur_working_set(m), 0);
	/* Most blocks sync two tables now and then; most syncs are in one that goes through fifty. */
	for (int i = 0; i < 20; i++)
		assert_int_equal(ur_measured_visit(m, (struct ur_visit){ .tables = 2, .syncs = 3 }),
				 0);
	assert_int_equal(ur_working_set(m), 2 * 8192);
	assert_int_equal(ur_measured_visit(m, (struct ur_visit){ .tables = 50, .syncs = 100 }), 0);
	assert_int_equal(ur_working_set(m), 50 * 8192);
	ur_measured_free(m);
}

static void tables_are_read_once_at_least(void **state)
{
	const struct ur_resyncs synced = { .tables = 3, .compared = 100 };

	(void)state;
	assert_int_equal(ur_floor_bytes(&synced), 3 * 4096 + 100 * 8);
}

/* ---- the floor ---- */

static void levels_rise(void **state)
{
	struct ur_floor *floor = ur_floor_create(&test_clock);

	(void)state;
	assert_non_null(floor);
	assert_true(floor->n >= 1);
	for (unsigned int i = 0; i < floor->n; i++) {
		const struct ur_floor_level *l = &floor->level[i];

		assert_true(l->set <= floor->bytes && l->set % UR_FLOOR_TABLE == 0 && l->set);
		assert_true(!i || l->set > l[-1].set);
		if (l->cache)
			assert_true(l->set <= l->cache / 2);
		else
			assert_true(i + 1 == floor->n && (!i || l->set >= 2 * l[-1].cache));
	}
	assert_string_equal(floor->level[0].name, "L1");
	assert_int_equal(ur_floor_level(floor, 1), 0);
	assert_int_equal(ur_floor_level(floor, floor->level[0].cache), 0);
	assert_int_equal(ur_floor_level(floor, floor->level[0].cache + 1), floor->n > 1);
	assert_int_equal(ur_floor_level(floor, UINT64_MAX), floor->n - 1);
	ur_floor_free(floor);
}

/* Table number i holds i + 1 in each word, so the sum tells what was read, and how often. */
static void every_table_is_read_as_often(void **state)
{
	static const uint64_t sizes[] = { 1, 2, 4, 16, 64, 128, 256 };
	static const uint64_t step[] = { 4096, 0 };
	struct ur_floor *floor = ur_floor_create(&test_clock);

	(void)state;
	assert_non_null(floor);
	steps = step;
	for (uint64_t i = 0; i < 256; i++) {
		for (unsigned int k = 0; k < 512; k++)
			floor->tables[i * 512 + k] = i + 1;
	}
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint64_t n = sizes[i], at = 5, before = floor->sum, once = n * (n + 1) / 2 * 512;

		/* Eight stretches of 256 tables, after each was read once. */
		assert_true(near(ur_floor_read(floor, n * 4096, &at), 4096 * 0.5 / 256));
		assert_int_equal(floor->sum - before, once * (1 + 8 * 256 / n));
	}
	ur_floor_free(floor);
}

static void the_fastest_stretch_counts(void **state)
{
	static const uint64_t step[] = { 900, 5120, 800, 512, 700, 600, 2560, 1024, 0 };
	struct ur_floor *floor = ur_floor_create(&test_clock);
	uint64_t at = 0;

	(void)state;
	assert_non_null(floor);
	steps = step;
	assert_true(near(ur_floor_read(floor, 8192, &at), 512 * 0.5 / 256));
	ur_floor_free(floor);
}

static void resyncs_are_held_against_the_floor(void **state)
{
	static const uint64_t step[] = { 51200, 0 }; /* 100 ns for a table */
	const struct ur_resyncs synced = { .count = 2, .tables = 3, .compared = 512 };
	struct ur_floor *floor = ur_floor_create(&test_clock);
	struct ur_measured *m = two_passes();
	struct ur_against_floor f;

	(void)state;
	assert_non_null(floor);
	steps = step;
	assert_int_equal(ur_measure_floor(m, floor, 0), 0);
	assert_null(m->floor_ns); /* it is not known to have synced any table */
	assert_int_equal(ur_measured_visit(m, (struct ur_visit){ .tables = 1, .syncs = 3 }), 0);
	for (unsigned int p = 0; p < 2; p++)
		assert_int_equal(ur_measure_floor(m, floor, p), 0);
	assert_true(near(m->floor_ns[0], 100) && near(m->floor_ns[1], 100));
	assert_int_equal(ur_against_floor(&f, m, &synced, floor), 0);
	assert_int_equal(f.set, 8192);
	assert_int_equal(f.level, 0);
	/* Three tables of shadow entries, and 512 entries of the guest's: four in all. */
	assert_int_equal(f.bytes, 4 * 4096);
	assert_true(near(f.ns[0], 400) && near(f.ns[1], 400));
	assert_true(near(f.ratio[0], 2) && near(f.ratio[1], 2.25));
	ur_against_floor_free(&f);
	ur_measured_free(m);
	ur_floor_free(floor);
}

/* On this machine, with its clock. */
static void the_floor_of_this_machine(void **state)
{
	double ns[UR_FLOOR_LEVELS] = { 0 };
	struct ur_clock clock;
	struct ur_floor *floor;

	(void)state;
	ur_clock_init(&clock);
	floor = ur_floor_create(&clock);
	assert_non_null(floor);
	ur_floor_round(floor, ns);
	for (unsigned int i = 0; i < floor->n; i++) {
		print_message("%s: %.1f ns for a table\n", floor->level[i].name, ns[i]);
		/* From a terabyte a second to forty megabytes. */
		assert_true(ns[i] > 4 && ns[i] < 1e5);
	}
	ur_floor_free(floor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resyncs_go_where_they_belong),
		cmocka_unit_test(costs_are_per_thing),
		cmocka_unit_test(above_null_is_pass_by_pass),
		cmocka_unit_test(everybody_comes_after_everybody),
		cmocka_unit_test(working_set_is_that_of_the_median_sync),
		cmocka_unit_test(tables_are_read_once_at_least),
		cmocka_unit_test(levels_rise),
		cmocka_unit_test(every_table_is_read_as_often),
		cmocka_unit_test(the_fastest_stretch_counts),
		cmocka_unit_test(resyncs_are_held_against_the_floor),
		cmocka_unit_test(the_floor_of_this_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
