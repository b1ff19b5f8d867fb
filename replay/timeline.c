// SPDX-License-Identifier: GPL-2.0-only
#include "replay/timeline.h"

#include <string.h>

void ur_timeline_init(struct ur_timeline *t, uint64_t first_ns, uint64_t last_ns)
{
	uint64_t duration = last_ns - first_ns;

	memset(t, 0, sizeof(*t));
	t->first_ns = first_ns;
	/* Wider than a 240th, so the last time of all still falls into the 240th bin or before. */
	t->bin_ns = duration / UR_MAX_BINS + 1;
	t->n = (unsigned int)(duration / t->bin_ns) + 1;
}

unsigned int ur_timeline_bin(const struct ur_timeline *t, uint64_t ns)
{
	uint64_t bin = ns > t->first_ns ? (ns - t->first_ns) / t->bin_ns : 0;

	return bin < t->n ? (unsigned int)bin : t->n - 1;
}
