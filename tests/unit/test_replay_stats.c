// SPDX-License-Identifier: GPL-2.0-only
/* Median, spread, the exact interval of the median, outliers. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "replay/stats.h"

static bool near(double a, double b)
{
	return fabs(a - b) < 1e-9;
}

static void median_and_mad(void **state)
{
	const double odd[] = { 9, 1, 5, 2, 3 }, even[] = { 4, 1, 3, 2 }, one[] = { 7 };
	struct ur_stats s;

	(void)state;
	assert_int_equal(ur_stats_of(odd, 5, &s), 0);
	assert_true(near(s.median, 3) && near(s.mad, 2));
	assert_int_equal(ur_stats_of(even, 4, &s), 0);
	assert_true(near(s.median, 2.5) && near(s.mad, 1));
	assert_int_equal(ur_stats_of(one, 1, &s), 0);
	assert_true(near(s.median, 7) && near(s.mad, 0));
	assert_false(s.has_interval);
}

/* Worked out by hand from the binomial distribution: 1 - 2 * (sum of the tail) / 2^n. */
static void ranks_are_binomial(void **state)
{
	static const struct {
		size_t n, k;
		double coverage;
	} known[] = {
		{ 1, 0, 0 },
		{ 5, 0, 0 },
		{ 6, 1, 1 - 2.0 / 64 },
		{ 7, 1, 1 - 2.0 / 128 },
		{ 8, 1, 1 - 2.0 / 256 },
		{ 9, 2, 1 - 2.0 * (1 + 9) / 512 },
		{ 10, 2, 1 - 2.0 * (1 + 10) / 1024 },
		{ 12, 3, 1 - 2.0 * (1 + 12 + 66) / 4096 },
		{ 20, 6, 1 - 2.0 * (1 + 20 + 190 + 1140 + 4845 + 15504) / 1048576 },
	};
	double coverage;

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		assert_int_equal(ur_stats_rank(known[i].n, &coverage), known[i].k);
		assert_true(near(coverage, known[i].coverage));
	}
	/* Far beyond where 2^-n underflows, near the normal approximation n/2 - 0.98 sqrt(n). */
	assert_in_range(ur_stats_rank(10000, &coverage), 4900, 4904);
	assert_true(coverage >= 0.95 && coverage < 0.96);
}

static void interval_is_order_statistics(void **state)
{
	const double v[] = { 50, 10, 90, 30, 70, 20, 80, 40, 60 };
	struct ur_stats s;

	(void)state;
	assert_int_equal(ur_stats_of(v, 9, &s), 0);
	assert_true(s.has_interval && near(s.lo, 20) && near(s.hi, 80));
	assert_int_equal(ur_stats_of(v, 7, &s), 0);
	assert_true(s.has_interval && near(s.lo, 10) && near(s.hi, 90));
}

/* The promise itself: over many samples of a skewed distribution the true median is inside. */
static void interval_covers_the_median(void **state)
{
	uint64_t seed = 2463534242u;
	int inside = 0;

	(void)state;
	for (int i = 0; i < 4000; i++) {
		struct ur_stats s;
		double v[11];

		for (int k = 0; k < 11; k++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			v[k] = -log(((double)(seed >> 11) + 1) / 9007199254740993.0);
		}
		assert_int_equal(ur_stats_of(v, 11, &s), 0);
		inside += s.lo <= log(2) && log(2) <= s.hi;
	}
	/* n = 11, k = 2: 98.8 %. */
	assert_in_range(inside, 3920, 3985);
}

static void outliers_are_flagged(void **state)
{
	const double v[] = { 100, 101, 99, 102, 98, 100, 140 };
	const double equal[] = { 5, 5, 5, 5, 5, 5, 5 };
	const double mostly[] = { 5, 5, 5, 5, 5, 5, 5, 5, 5, 50 };
	struct ur_stats s;

	(void)state;
	assert_int_equal(ur_stats_of(v, 7, &s), 0);
	for (int i = 0; i < 6; i++)
		assert_false(ur_stats_outlier(v[i], v, 7, &s));
	assert_true(ur_stats_outlier(v[6], v, 7, &s));
	assert_true(near(s.hi, 140)); /* flagged, not dropped */
	assert_int_equal(ur_stats_of(equal, 7, &s), 0);
	assert_false(ur_stats_outlier(5, equal, 7, &s));
	assert_int_equal(ur_stats_of(mostly, 10, &s), 0);
	assert_true(ur_stats_outlier(50, mostly, 10, &s));
	assert_false(ur_stats_outlier(5, mostly, 10, &s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(median_and_mad),
		cmocka_unit_test(ranks_are_binomial),
		cmocka_unit_test(interval_is_order_statistics),
		cmocka_unit_test(interval_covers_the_median),
		cmocka_unit_test(outliers_are_flagged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
