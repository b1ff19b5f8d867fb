// SPDX-License-Identifier: GPL-2.0-only
/* Ranks, held to what laying out every possibility gives, and to figures worked out by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compare/rank.h"

#define MAX 12

static uint64_t seed = 1;

static unsigned int draw(unsigned int below)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned int)((seed >> 33) % below);
}

static double u_of(const double *a, size_t n, const double *b, size_t m)
{
	double u = 0;

	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < m; j++)
			u += b[j] > a[i] ? 1 : b[j] == a[i] ? 0.5 : 0;
	}
	return u;
}

/* Every way to call m of the values b: the share of them with a U as small, as large. */
static void by_brute_force(const double *a, size_t n, const double *b, size_t m, double *less,
			   double *more)
{
	double all[MAX], x[MAX], y[MAX], u = u_of(a, n, b, m);
	size_t ways = 0, small = 0, large = 0;

	memcpy(all, a, n * sizeof(*a));
	memcpy(all + n, b, m * sizeof(*b));
	for (unsigned int mask = 0; mask < 1u << (n + m); mask++) {
		size_t nx = 0, ny = 0;
		double v;

		if ((size_t)__builtin_popcount(mask) != m)
			continue;
		for (size_t i = 0; i < n + m; i++) {
			if (mask >> i & 1)
				y[ny++] = all[i];
			else
				x[nx++] = all[i];
		}
		v = u_of(x, nx, y, ny);
		ways++;
		small += v <= u;
		large += v >= u;
	}
	*less = (double)small / (double)ways;
	*more = (double)large / (double)ways;
}

static void close_to(double x, double y, double error)
{
	if (!(fabs(x - y) <= error))
		fail_msg("%.17g is not within %g of %.17g", x, error, y);
}

/* Few different values, so that most samples have ties. */
static void test_exact(void **state)
{
	(void)state;
	for (int round = 0; round < 300; round++) {
		size_t n = 1 + draw(6), m = 1 + draw(6);
		unsigned int values = 1 + draw(round % 2 ? 4 : 1000);
		double a[MAX], b[MAX], less, more;
		struct uc_test t;

		for (size_t i = 0; i < n; i++)
			a[i] = draw(values);
		for (size_t i = 0; i < m; i++)
			b[i] = draw(values);
		by_brute_force(a, n, b, m, &less, &more);
		assert_int_equal(uc_mann_whitney(a, n, b, m, &t), 0);
		assert_true(t.exact);
		close_to(t.u, u_of(a, n, b, m), 0);
		close_to(t.less, less, 1e-12);
		close_to(t.more, more, 1e-12);
		close_to(t.p, fmin(1, 2 * fmin(less, more)), 1e-12);
		close_to(t.delta, 2 * t.u / (double)(n * m) - 1, 1e-12);
	}
}

/* 7 against 7, apart: 2 of C(14,7) = 3432 ways are that far out. */
static void test_apart(void **state)
{
	const double a[] = { 1, 2, 3, 4, 5, 6, 7 }, b[] = { 8, 9, 10, 11, 12, 13, 14 };
	struct uc_test t;

	(void)state;
	assert_int_equal(uc_mann_whitney(a, 7, b, 7, &t), 0);
	close_to(t.p, 2.0 / 3432, 1e-15);
	close_to(t.delta, 1, 0);
	close_to(uc_smallest_p(7, 7), t.p, 1e-15);
	assert_int_equal(uc_mann_whitney(b, 7, a, 7, &t), 0);
	close_to(t.p, 2.0 / 3432, 1e-15);
	close_to(t.delta, -1, 0);
}

static void test_same(void **state)
{
	double a[200];
	struct uc_test t;

	(void)state;
	for (size_t i = 0; i < 200; i++)
		a[i] = 5;
	assert_int_equal(uc_mann_whitney(a, 7, a, 7, &t), 0);
	close_to(t.p, 1, 0);
	close_to(t.delta, 0, 0);
	assert_int_equal(uc_mann_whitney(a, 200, a, 200, &t), 0);
	assert_false(t.exact);
	close_to(t.p, 1, 0);
}

/* Where the exact test ends, the other one must go on from there. */
static void test_normal(void **state)
{
	(void)state;
	for (int round = 0; round < 50; round++) {
		double a[27], b[27];
		struct uc_test exact, normal;

		/* with some ties; two more in the middle of each change little */
		for (size_t i = 0; i < 25; i++) {
			a[i] = draw(60);
			b[i] = draw(60) + draw(20);
		}
		a[25] = b[25] = 30.25;
		a[26] = b[26] = 30.75;
		assert_int_equal(uc_mann_whitney(a, 25, b, 25, &exact), 0);
		assert_int_equal(uc_mann_whitney(a, 27, b, 27, &normal), 0);
		assert_true(exact.exact);
		assert_false(normal.exact);
		close_to(normal.less, exact.less, 0.04);
		close_to(normal.more, exact.more, 0.04);
	}
}

/* Half of all samples of one kind must not be told apart, whatever the size: p is no smaller than it says. */
static void test_level(void **state)
{
	const size_t sizes[] = { 7, 60 };

	(void)state;
	for (size_t s = 0; s < 2; s++) {
		int rounds = 2000, shown = 0;

		for (int i = 0; i < rounds; i++) {
			double a[60], b[60];
			struct uc_test t;

			for (size_t k = 0; k < sizes[s]; k++) {
				a[k] = draw(1000);
				b[k] = draw(1000);
			}
			assert_int_equal(uc_mann_whitney(a, sizes[s], b, sizes[s], &t), 0);
			shown += t.p <= 0.05;
		}
		/* 5 % of 2000 is 100, give or take four standard deviations of 10 */
		assert_in_range(shown, 40, 140);
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The interval for 7 and 7 at 95 % is from the 9th smallest to the 9th largest ratio (U tables: 8). */
static void test_ratio(void **state)
{
	(void)state;
	for (int round = 0; round < 200; round++) {
		double a[7], b[7], all[49];
		struct uc_ratio r;

		for (size_t i = 0; i < 7; i++) {
			a[i] = 1 + draw(100);
			b[i] = 1 + draw(100);
		}
		for (size_t i = 0; i < 49; i++)
			all[i] = b[i / 7] / a[i % 7];
		qsort(all, 49, sizeof(*all), by_value);
		assert_int_equal(uc_ratio(a, 7, b, 7, 0.05, &r), 0);
		close_to(r.estimate, all[24], 0);
		assert_true(r.has_interval);
		close_to(r.low, all[8], 0);
		close_to(r.high, all[40], 0);
	}
}

static void test_ratio_edges(void **state)
{
	const double zero[] = { 0, 0, 0, 0, 0, 0 }, some[] = { 1, 2, 3, 4, 5, 6 };
	double many[60];
	struct uc_ratio r;

	(void)state;
	assert_int_equal(uc_ratio(some, 1, some + 1, 1, 0.05, &r), 0);
	close_to(r.estimate, 2, 0);
	assert_false(r.has_interval);
	assert_int_equal(uc_ratio(some, 3, some, 3, 0.05, &r), 0);
	assert_false(r.has_interval);
	assert_int_equal(uc_ratio(some, 4, some, 4, 0.05, &r), 0);
	assert_true(r.has_interval);
	assert_int_equal(uc_ratio(zero, 6, some, 6, 0.05, &r), 0);
	assert_true(isinf(r.estimate) && isinf(r.low) && isinf(r.high));
	assert_int_equal(uc_ratio(some, 6, zero, 6, 0.05, &r), 0);
	close_to(r.estimate, 0, 0);
	assert_int_equal(uc_ratio(zero, 6, zero, 6, 0.05, &r), 0);
	close_to(r.estimate, 1, 0);
	for (size_t i = 0; i < 60; i++)
		many[i] = 100 + (double)i;
	assert_int_equal(uc_ratio(many, 60, many, 60, 0.05, &r), 0);
	close_to(r.estimate, 1, 1e-12);
	assert_true(r.has_interval && r.low < 1 && r.low > 0.9 && r.high > 1 && r.high < 1.1);
}

static void test_holm(void **state)
{
	double p[] = { 0.01, 0.04, 0.03, 0.005 }, one = 0.2;

	(void)state;
	assert_int_equal(uc_holm(p, 4), 0);
	close_to(p[3], 0.02, 1e-15);
	close_to(p[0], 0.03, 1e-15);
	close_to(p[2], 0.06, 1e-15);
	close_to(p[1], 0.06, 1e-15);
	assert_int_equal(uc_holm(&one, 1), 0);
	close_to(one, 0.2, 0);
	assert_int_equal(uc_holm(NULL, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact),	    cmocka_unit_test(test_apart),
		cmocka_unit_test(test_same),	    cmocka_unit_test(test_normal),
		cmocka_unit_test(test_level),	    cmocka_unit_test(test_ratio),
		cmocka_unit_test(test_ratio_edges), cmocka_unit_test(test_holm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
