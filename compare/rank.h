/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two samples of times, told apart by ranks: nothing is assumed about how times are distributed, and
 * an outlier counts for no more than its rank.
 */
#ifndef UNSYNC_COMPARE_RANK_H
#define UNSYNC_COMPARE_RANK_H

#include <stdbool.h>
#include <stddef.h>

/* Up to this many values in both samples together p is exact, ties included. */
#define UC_EXACT_MAX 50

/* Mann-Whitney U of b against a. */
struct uc_test {
	double u;	   /* pairs in which b is the larger, ties counted half */
	double delta;	   /* Cliff's delta: -1 every b is below every a, +1 every b is above */
	double less, more; /* chance of a U this small, this large, if nothing differs */
	double p;	   /* of one this far out on either side */
	bool exact; /* false: normal approximation with corrections for ties and continuity */
};

/* How many times as long b takes as a. */
struct uc_ratio {
	double estimate; /* Hodges-Lehmann: the median of all ratios of one b to one a */
	double low, high;
	bool has_interval; /* false if the samples are too small for one */
};

/**
 * uc_mann_whitney() - do two samples come from one distribution?
 * @a: values, finite
 * @n: how many, at least 1
 * @b: the other ones
 * @m: how many, at least 1
 * @test: result
 *
 * Return: 0, or -1 without memory.
 */
int uc_mann_whitney(const double *a, size_t n, const double *b, size_t m, struct uc_test *test);

/**
 * uc_ratio() - the ratio of b to a, with its interval
 * @a: times, none negative
 * @n: how many, at least 1
 * @b: the other ones
 * @m: how many, at least 1
 * @alpha: the interval misses the true ratio with at most this chance
 * @ratio: result; a ratio to 0 is infinite, 0 to 0 is 1
 *
 * Return: 0, or -1 without memory.
 */
int uc_ratio(const double *a, size_t n, const double *b, size_t m, double alpha,
	     struct uc_ratio *ratio);

/**
 * uc_smallest_p() - the smallest p that uc_mann_whitney() can give for samples of @n and @m values
 */
double uc_smallest_p(size_t n, size_t m);

/**
 * uc_holm() - p values of several tests, corrected for there being several (Holm)
 * @p: replaced by the corrected ones
 * @n: how many
 *
 * Return: 0, or -1 without memory.
 */
int uc_holm(double *p, size_t n);

#endif
