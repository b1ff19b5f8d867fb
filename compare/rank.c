// SPDX-License-Identifier: GPL-2.0-only
#include "compare/rank.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double *sorted(const double *v, size_t n)
{
	double *copy = malloc(n * sizeof(*copy));

	if (!copy)
		return NULL;
	memcpy(copy, v, n * sizeof(*copy));
	qsort(copy, n, sizeof(*copy), by_value);
	return copy;
}

/* ---- ranks ---- */

/* Both samples as one, in order. Ranks are doubled, so that a tie's is whole too. */
struct pool {
	double *value;
	size_t *rank;
	size_t n;
	double ties; /* sum of t^3 - t over groups of t equal values */
};

static void pool_free(struct pool *pool)
{
	free(pool->value);
	free(pool->rank);
}

static int pool_make(struct pool *pool, const double *a, size_t n, const double *b, size_t m)
{
	size_t end;

	*pool = (struct pool){ .n = n + m };
	pool->value = malloc(pool->n * sizeof(*pool->value));
	pool->rank = malloc(pool->n * sizeof(*pool->rank));
	if (!pool->value || !pool->rank)
		return -1;
	memcpy(pool->value, a, n * sizeof(*a));
	memcpy(pool->value + n, b, m * sizeof(*b));
	qsort(pool->value, pool->n, sizeof(*pool->value), by_value);
	for (size_t i = 0; i < pool->n; i = end) {
		double t;

		for (end = i; end < pool->n && pool->value[end] == pool->value[i];)
			end++;
		for (size_t k = i; k < end; k++)
			pool->rank[k] = i + end + 1; /* the mean of i+1 ... end, doubled */
		t = (double)(end - i);
		pool->ties += t * t * t - t;
	}
	return 0;
}

/* Sum of the doubled ranks that a sample has in the pool. */
static size_t rank_sum(const struct pool *pool, const double *v, size_t n)
{
	size_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		const double *at =
			bsearch(&v[i], pool->value, pool->n, sizeof(*pool->value), by_value);

		sum += pool->rank[at - pool->value];
	}
	return sum;
}

/*
 * In how many ways can @m of the @n ranks be drawn so that their sum is s? One row of counts for each
 * number drawn, grown by one rank at a time. All sums are of positive numbers, so that rounding stays at
 * the last digits even where counts are beyond 2^53.
 */
static double *ways_to_draw(const size_t *rank, size_t n, size_t m, size_t *max_sum)
{
	size_t sum = 0, width;
	double *ways, *last;

	for (size_t i = 0; i < n; i++)
		sum += rank[i];
	width = sum + 1;
	ways = calloc((m + 1) * width, sizeof(*ways));
	if (!ways)
		return NULL;
	ways[0] = 1;
	for (size_t i = 0; i < n; i++) {
		for (size_t k = m; k > 0; k--) {
			for (size_t s = sum; s >= rank[i]; s--)
				ways[k * width + s] += ways[(k - 1) * width + s - rank[i]];
		}
	}
	last = malloc(width * sizeof(*last));
	if (last)
		memcpy(last, ways + m * width, width * sizeof(*last));
	free(ways);
	*max_sum = sum;
	return last;
}

static int exact_tails(const struct pool *pool, size_t m, size_t observed, struct uc_test *test)
{
	double all = 0, less = 0, more = 0;
	size_t max_sum;
	double *ways = ways_to_draw(pool->rank, pool->n, m, &max_sum);

	if (!ways)
		return -1;
	for (size_t s = 0; s <= max_sum; s++) {
		all += ways[s];
		if (s <= observed)
			less += ways[s];
		if (s >= observed)
			more += ways[s];
	}
	free(ways);
	test->less = less / all;
	test->more = more / all;
	test->exact = true;
	return 0;
}

static double below(double z)
{
	return 0.5 * erfc(-z / sqrt(2));
}

static void normal_tails(const struct pool *pool, size_t n, size_t m, struct uc_test *test)
{
	double pairs = (double)n * (double)m, all = (double)pool->n;
	double var = pairs / 12 * (all + 1 - pool->ties / (all * (all - 1)));
	double off = test->u - pairs / 2;

	test->exact = false;
	/* Rounding may leave a trace of what is 0 where all values are equal. */
	if (var <= pairs * 1e-12) {
		test->less = test->more = 1;
		return;
	}
	test->less = below((off + 0.5) / sqrt(var));
	test->more = below((-off + 0.5) / sqrt(var));
}

int uc_mann_whitney(const double *a, size_t n, const double *b, size_t m, struct uc_test *test)
{
	struct pool pool;
	size_t sum;
	int ret = pool_make(&pool, a, n, b, m);

	if (!ret) {
		sum = rank_sum(&pool, b, m);
		test->u = ((double)sum - (double)m * (double)(m + 1)) / 2;
		test->delta = 2 * test->u / ((double)n * (double)m) - 1;
		if (pool.n <= UC_EXACT_MAX)
			ret = exact_tails(&pool, m, sum, test);
		else
			normal_tails(&pool, n, m, test);
		test->p = fmin(1, 2 * fmin(test->less, test->more));
	}
	pool_free(&pool);
	return ret;
}

double uc_smallest_p(size_t n, size_t m)
{
	double ways = 1;

	for (size_t i = 1; i <= n; i++)
		ways *= (double)(m + i) / (double)i;
	return fmin(1, 2 / ways);
}

/* ---- ratios ---- */

static double ratio_of(double b, double a)
{
	if (a == 0)
		return b == 0 ? 1 : INFINITY;
	return b / a;
}

/* How many of the n * m ratios are at most @x? Both are sorted: a larger a needs no smaller b. */
static double count_up_to(const double *a, size_t n, const double *b, size_t m, double x)
{
	double count = 0;
	size_t j = 0;

	for (size_t i = 0; i < n; i++) {
		while (j < m && ratio_of(b[j], a[i]) <= x)
			j++;
		count += (double)j;
	}
	return count;
}

/*
 * The ratio of rank @k, from 1, without laying all n * m of them out: positive doubles are in the
 * order of their bits, and those are halved until one value is left.
 */
static double ratio_at(const double *a, size_t n, const double *b, size_t m, double k)
{
	const double most = INFINITY;
	uint64_t low = 0, high, middle;
	double x;

	memcpy(&high, &most, sizeof(high));
	while (low < high) {
		middle = low + (high - low) / 2;
		memcpy(&x, &middle, sizeof(x));
		if (count_up_to(a, n, b, m, x) >= k)
			high = middle;
		else
			low = middle + 1;
	}
	memcpy(&x, &low, sizeof(x));
	return x;
}

/* z with below(-z) = @tail, by halving. */
static double z_of_tail(double tail)
{
	double low = 0, high = 40;

	for (int i = 0; i < 100; i++) {
		double middle = (low + high) / 2;

		if (below(-middle) > tail)
			low = middle;
		else
			high = middle;
	}
	return high;
}

/*
 * How many ratios may be cut off at either end: the most for which a U smaller than that has at
 * most the chance @tail. -1: no memory.
 */
static double cut_exact(size_t n, size_t m, double tail)
{
	double all = 0, sum = 0, cut = 0;
	size_t rank[UC_EXACT_MAX], max_sum, smallest = m * (m + 1);
	double *ways;

	for (size_t i = 0; i < n + m; i++)
		rank[i] = 2 * (i + 1);
	ways = ways_to_draw(rank, n + m, m, &max_sum);
	if (!ways)
		return -1;
	for (size_t s = smallest; s <= max_sum; s++)
		all += ways[s];
	for (size_t s = smallest; s <= max_sum; s += 2) {
		sum += ways[s];
		if (sum > tail * all)
			break;
		cut++;
	}
	free(ways);
	return cut;
}

static double cut_normal(size_t n, size_t m, double tail)
{
	double pairs = (double)n * (double)m;
	double sd = sqrt(pairs * (double)(n + m + 1) / 12);

	return fmax(0, floor(pairs / 2 - z_of_tail(tail) * sd));
}

static int interval(const double *a, size_t n, const double *b, size_t m, double tail,
		    struct uc_ratio *r)
{
	double cut = n + m <= UC_EXACT_MAX ? cut_exact(n, m, tail) : cut_normal(n, m, tail);

	if (cut < 0)
		return -1;
	r->has_interval = cut >= 1;
	if (r->has_interval) {
		r->low = ratio_at(a, n, b, m, cut);
		r->high = ratio_at(a, n, b, m, (double)n * (double)m + 1 - cut);
	}
	return 0;
}

int uc_ratio(const double *a, size_t n, const double *b, size_t m, double alpha,
	     struct uc_ratio *ratio)
{
	double pairs = (double)n * (double)m;
	double *as = sorted(a, n), *bs = sorted(b, m);
	int ret = -1;

	*ratio = (struct uc_ratio){ 0 };
	if (as && bs) {
		double low = ratio_at(as, n, bs, m, floor((pairs + 1) / 2));
		double high = ratio_at(as, n, bs, m, floor(pairs / 2) + 1);

		ratio->estimate = low == high ? low : (low + high) / 2;
		ret = interval(as, n, bs, m, alpha / 2, ratio);
	}
	free(as);
	free(bs);
	return ret;
}

/* ---- several tests ---- */

struct ranked {
	double p;
	size_t at;
};

static int by_p(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	return (x->p > y->p) - (x->p < y->p);
}

int uc_holm(double *p, size_t n)
{
	struct ranked *r = calloc(n ? n : 1, sizeof(*r));
	double floor_p = 0;

	if (!r)
		return -1;
	for (size_t i = 0; i < n; i++)
		r[i] = (struct ranked){ p[i], i };
	qsort(r, n, sizeof(*r), by_p);
	for (size_t i = 0; i < n; i++) {
		floor_p = fmax(floor_p, fmin(1, r[i].p * (double)(n - i)));
		p[r[i].at] = floor_p;
	}
	free(r);
	return 0;
}
