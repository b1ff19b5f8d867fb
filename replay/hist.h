/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A histogram of 64-bit values with a bounded relative error and constant size.
 *
 * Debian packages no C library of this kind, so this is one of our own; log-linear buckets are the
 * usual form for latencies.
 *
 * The error bound. Values under 2^(S+1), with S = UR_HIST_SUB_BITS, have a bucket each and are exact.
 * Above that, every power of two [2^e, 2^(e+1)) is cut into 2^S buckets of the same width 2^(e-S). A
 * value v >= 2^e is reported as the highest value of its bucket, which is at most 2^(e-S) - 1 above
 * it: less than v / 2^S. With S = 6 that is 1/64 = 1.5625 %, always upwards, never downwards. The
 * greatest value is kept exactly beside the buckets.
 *
 * The size. One group of 2^S buckets for each exponent from S to 63, and one for the values under
 * 2^S: (64 - S + 1) * 2^S buckets.
 */
#ifndef UNSYNC_REPLAY_HIST_H
#define UNSYNC_REPLAY_HIST_H

#include <stdint.h>

#define UR_HIST_SUB_BITS 6
#define UR_HIST_BUCKETS ((64 - UR_HIST_SUB_BITS + 1) << UR_HIST_SUB_BITS)
#define UR_HIST_ERROR (1.0 / (1 << UR_HIST_SUB_BITS))

struct ur_hist {
	uint64_t n; /* values added */
	uint64_t max;
	uint64_t count[UR_HIST_BUCKETS];
};

/**
 * ur_hist_add() - add one value. A histogram of all zero bytes is empty.
 */
void ur_hist_add(struct ur_hist *h, uint64_t value);

/**
 * ur_hist_merge() - add all that @from holds to @to
 */
void ur_hist_merge(struct ur_hist *to, const struct ur_hist *from);

/**
 * ur_hist_quantile() - the value that a share @q of all values does not exceed
 * @h: the histogram
 * @q: 0 to 1; 0.5 is the median
 *
 * Return: nearest rank, at most UR_HIST_ERROR too high; 0 if the histogram is empty.
 */
uint64_t ur_hist_quantile(const struct ur_hist *h, double q);

/**
 * ur_hist_bucket() - number of the bucket that a value falls into
 */
unsigned int ur_hist_bucket(uint64_t value);

/**
 * ur_hist_upper() - highest value of a bucket
 */
uint64_t ur_hist_upper(unsigned int bucket);

#endif
