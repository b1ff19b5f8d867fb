/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Flood ("fork") detectors: a table that is being filled or torn down in bulk is better not shadowed.
 *
 * The one of 2007 to 2011, which any design that emulates table writes had: each vCPU remembers the
 * table that it wrote last; the third write in a row to the same one, with no sign that the guest used
 * the entry installed before, zaps it. Any ordinary fault begins anew. (Commits 86a5ba025d0,
 * 1b7fcd3263e; kvm_mmu_pte_write() of Linux 2.6.27.)
 *
 * The one since 2011: each non-leaf shadow page counts emulated writes since a fault passed through it,
 * and goes at the third. (detect_write_flooding() of Linux 6.1.)
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

/* State of one shadow page; zeroed to begin with, and by whoever sees a fault pass through it. */
struct um_page_flood {
	unsigned int writes;
};

/**
 * um_page_flood_written() - an emulated write to a shadow page is under way
 *
 * Return: whether the page should be zapped; never for leaf tables.
 */
bool um_page_flood_written(struct um_page_flood *flood, const struct um_page *page);

#endif
