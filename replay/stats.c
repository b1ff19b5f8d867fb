// SPDX-License-Identifier: GPL-2.0-only
#include "replay/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LEVEL 0.95
#define OUTLIER_Z 3.5

static int compare_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double middle(const double *sorted, size_t n)
{
	return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

size_t ur_stats_rank(size_t n, double *coverage)
{
	double tail = 0, best = 0;
	size_t k = 0;

	/* tail = P(at most i of n values lie below the median); logarithms, as 2^-n may underflow. */
	for (size_t i = 0; i < n / 2; i++) {
		tail += exp(lgamma((double)n + 1) - lgamma((double)i + 1) -
			    lgamma((double)(n - i) + 1) - (double)n * log(2));
		if (1 - 2 * tail < LEVEL)
			break;
		k = i + 1;
		best = 1 - 2 * tail;
	}
	if (coverage)
		*coverage = best;
	return k;
}

int ur_stats_of(const double *values, size_t n, struct ur_stats *out)
{
	double *sorted = malloc(n * sizeof(*sorted));
	size_t k;

	if (!sorted)
		return -1;
	memset(out, 0, sizeof(*out));
	memcpy(sorted, values, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare_double);
	out->median = middle(sorted, n);
	k = ur_stats_rank(n, &out->coverage);
	out->has_interval = k > 0;
	if (k) {
		out->lo = sorted[k - 1];
		out->hi = sorted[n - k];
	}
	for (size_t i = 0; i < n; i++)
		sorted[i] = fabs(values[i] - out->median);
	qsort(sorted, n, sizeof(*sorted), compare_double);
	out->mad = middle(sorted, n);
	free(sorted);
	return 0;
}

bool ur_stats_outlier(double value, const double *values, size_t n, const struct ur_stats *s)
{
	double away = fabs(value - s->median);
	double mean = 0;

	if (s->mad > 0)
		return 0.6745 * away / s->mad > OUTLIER_Z;
	for (size_t i = 0; i < n; i++)
		mean += fabs(values[i] - s->median) / (double)n;
	return mean > 0 && away / (1.253314 * mean) > OUTLIER_Z;
}
