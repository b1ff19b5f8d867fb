// SPDX-License-Identifier: GPL-2.0-only
#include "replay/hist.h"

#include <math.h>

#define SUB (1u << UR_HIST_SUB_BITS)

unsigned int ur_hist_bucket(uint64_t value)
{
	unsigned int shift;

	if (value < 2 * SUB)
		return (unsigned int)value;
	shift = 63 - (unsigned int)__builtin_clzll(value) - UR_HIST_SUB_BITS;
	return (shift << UR_HIST_SUB_BITS) + (unsigned int)(value >> shift);
}

uint64_t ur_hist_upper(unsigned int bucket)
{
	unsigned int shift;

	if (bucket < 2 * SUB)
		return bucket;
	shift = (bucket >> UR_HIST_SUB_BITS) - 1;
	/* For the very last bucket the shift leaves 0, and 0 - 1 is the greatest value: as wanted. */
	return ((uint64_t)((bucket & (SUB - 1)) + SUB + 1) << shift) - 1;
}

void ur_hist_add(struct ur_hist *h, uint64_t value)
{
	h->count[ur_hist_bucket(value)]++;
	h->n++;
	if (value > h->max)
		h->max = value;
}

void ur_hist_merge(struct ur_hist *to, const struct ur_hist *from)
{
	for (unsigned int i = 0; i < UR_HIST_BUCKETS; i++)
		to->count[i] += from->count[i];
	to->n += from->n;
	if (from->max > to->max)
		to->max = from->max;
}

uint64_t ur_hist_quantile(const struct ur_hist *h, double q)
{
	uint64_t rank = (uint64_t)ceil(q * (double)h->n);
	uint64_t seen = 0;

	if (rank < 1)
		rank = 1;
	for (unsigned int i = 0; i < UR_HIST_BUCKETS; i++) {
		seen += h->count[i];
		if (seen >= rank) {
			uint64_t upper = ur_hist_upper(i);

			return upper < h->max ? upper : h->max;
		}
	}
	return h->max;
}
