// SPDX-License-Identifier: GPL-2.0-only
/* The histogram keeps the error bound that its header promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "replay/hist.h"

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void check_value(uint64_t v)
{
	unsigned int b = ur_hist_bucket(v);
	uint64_t upper = ur_hist_upper(b);

	assert_true(b < UR_HIST_BUCKETS);
	assert_true(upper >= v);
	assert_true((double)(upper - v) <= UR_HIST_ERROR * (double)v);
	if (b)
		assert_true(ur_hist_upper(b - 1) < v);
}

static void bound_holds_everywhere(void **state)
{
	uint64_t seed = 88172645463325252u;

	(void)state;
	for (uint64_t v = 0; v < 5000; v++)
		check_value(v);
	for (int e = 0; e < 64; e++) {
		check_value(1ull << e);
		check_value((1ull << e) - 1);
		check_value((1ull << e) + 1);
	}
	check_value(UINT64_MAX);
	for (int i = 0; i < 200000; i++)
		check_value(next_random(&seed) >> (i % 64));
}

static void small_values_are_exact(void **state)
{
	(void)state;
	for (uint64_t v = 0; v < 128; v++)
		assert_int_equal(ur_hist_upper(ur_hist_bucket(v)), v);
}

static void buckets_rise_without_gaps(void **state)
{
	(void)state;
	for (unsigned int b = 1; b < UR_HIST_BUCKETS; b++) {
		assert_true(ur_hist_upper(b) > ur_hist_upper(b - 1));
		assert_int_equal(ur_hist_bucket(ur_hist_upper(b - 1) + 1), b);
	}
	assert_true(ur_hist_upper(UR_HIST_BUCKETS - 1) == UINT64_MAX);
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void quantiles_match_sorted_values(void **state)
{
	static const double q[] = { 0, 0.001, 0.5, 0.9, 0.99, 0.999, 1 };
	static struct ur_hist h;
	static uint64_t v[10007];
	const size_t n = sizeof(v) / sizeof(v[0]);
	uint64_t seed = 1234567;

	(void)state;
	memset(&h, 0, sizeof(h));
	for (size_t i = 0; i < n; i++) {
		v[i] = next_random(&seed) >> (24 + i % 30);
		ur_hist_add(&h, v[i]);
	}
	qsort(v, n, sizeof(v[0]), compare_u64);
	assert_int_equal(h.n, n);
	assert_true(h.max == v[n - 1]);
	for (size_t i = 0; i < sizeof(q) / sizeof(q[0]); i++) {
		size_t rank = (size_t)(q[i] * (double)n + 0.9999999);
		uint64_t exact = v[rank ? rank - 1 : 0];
		uint64_t got = ur_hist_quantile(&h, q[i]);

		assert_true(got >= exact);
		assert_true((double)(got - exact) <= UR_HIST_ERROR * (double)exact);
	}
	assert_true(ur_hist_quantile(&h, 1) == h.max);
}

static void empty_and_single(void **state)
{
	static struct ur_hist h;

	(void)state;
	memset(&h, 0, sizeof(h));
	assert_int_equal(ur_hist_quantile(&h, 0.5), 0);
	ur_hist_add(&h, 1000003);
	assert_int_equal(ur_hist_quantile(&h, 0.01), 1000003);
	assert_int_equal(ur_hist_quantile(&h, 1), 1000003);
}

static void merge_is_adding_both(void **state)
{
	static struct ur_hist a, b, both;
	uint64_t seed = 42;

	(void)state;
	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	memset(&both, 0, sizeof(both));
	for (int i = 0; i < 1000; i++) {
		uint64_t v = next_random(&seed) >> 40;

		ur_hist_add(i % 3 ? &a : &b, v);
		ur_hist_add(&both, v);
	}
	ur_hist_merge(&a, &b);
	assert_memory_equal(&a, &both, sizeof(a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bound_holds_everywhere),
		cmocka_unit_test(small_values_are_exact),
		cmocka_unit_test(buckets_rise_without_gaps),
		cmocka_unit_test(quantiles_match_sorted_values),
		cmocka_unit_test(empty_and_single),
		cmocka_unit_test(merge_is_adding_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
