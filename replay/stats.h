/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Statistics of a handful of repeated measurements. Nothing here assumes a normal distribution, and
 * nothing is ever thrown away: an outlier is flagged and still counts.
 */
#ifndef UNSYNC_REPLAY_STATS_H
#define UNSYNC_REPLAY_STATS_H

#include <stdbool.h>
#include <stddef.h>

struct ur_stats {
	double median;
	double mad;	   /* median absolute deviation from the median, not scaled */
	double lo, hi;	   /* interval of the median; only if has_interval */
	double coverage;   /* probability with which it holds the true median, at least 0.95 */
	bool has_interval; /* false below 6 values: even the whole range covers less than 95 % */
};

/**
 * ur_stats_of() - median, spread and 95 % interval of the median
 * @values: as measured, in any order; not changed
 * @n: how many, at least 1
 * @out: filled in
 *
 * The interval lies between two order statistics, the k-th lowest and the k-th highest, with the
 * greatest k that still covers 95 %. The number of values below the true median is binomial with
 * p = 1/2 whatever the distribution, so the coverage is exact for every n (Conover, Practical
 * Nonparametric Statistics, confidence interval for a quantile).
 *
 * Return: 0, or -1 if out of memory.
 */
int ur_stats_of(const double *values, size_t n, struct ur_stats *out);

/**
 * ur_stats_rank() - k of the interval described above
 * @n: number of values
 * @coverage: what the interval from the k-th lowest to the k-th highest covers; may be NULL
 *
 * Return: k from 1, or 0 if not even k = 1 covers 95 %.
 */
size_t ur_stats_rank(size_t n, double *coverage);

/**
 * ur_stats_outlier() - is a value far away from the others?
 * @value: one of the values
 * @values: all of them
 * @n: how many
 * @s: their statistics
 *
 * By the modified z-score (Iglewicz and Hoaglin, 1993): 0.6745 |x - median| / MAD > 3.5. If more than
 * half of the values are equal the MAD is 0, and the mean absolute deviation takes its place, with
 * the factor that goes with it.
 */
bool ur_stats_outlier(double value, const double *values, size_t n, const struct ur_stats *s);

#endif
