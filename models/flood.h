/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The flood ("fork") detector of 2007 to 2011, which any design that emulates table writes had: each
 * vCPU remembers the table that it wrote last; the third write in a row to the same one, with no sign
 * that the guest used the entry installed before, says that the table is being filled or torn down in
 * bulk and is better not shadowed. Any ordinary fault begins anew. (Commits 86a5ba025d0, 1b7fcd3263e;
 * kvm_mmu_pte_write() of Linux 2.6.27.)
 */
#ifndef UNSYNC_MODELS_FLOOD_H
#define UNSYNC_MODELS_FLOOD_H

#include "models/model.h"

/* State of one vCPU; zeroed to begin with. */
struct um_flood {
	uint64_t gfn;	     /* table written last */
	unsigned int writes; /* to it, in a row */
	uint32_t page;	     /* shadow page of the entry that the last write installed */
	unsigned int index;  /* of that entry */
	bool installed;	     /* page and index are set */
};

/**
 * um_flood_written() - an emulated write to a table is under way
 * @flood: of the vCPU that writes
 * @gfn: the table
 *
 * Return: whether its shadow pages should be zapped.
 */
bool um_flood_written(struct um_mmu *mmu, struct um_flood *flood, uint64_t gfn);

/**
 * um_flood_installed() - the write has been dealt with: remember the entry that it may have installed
 */
void um_flood_installed(struct um_flood *flood, const struct um_frame *frame,
			const struct ut_write *w);

/**
 * um_flood_reset() - the vCPU took an ordinary fault
 */
static inline void um_flood_reset(struct um_flood *flood)
{
	flood->writes = 0;
}

#endif
