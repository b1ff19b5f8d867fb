// SPDX-License-Identifier: GPL-2.0-only
#include "models/flood.h"

#define FLOODED 3

/* Did the guest use the entry that the last write installed? Then this is no bulk write. */
static bool entry_used(const struct um_mmu *mmu, const struct um_flood *flood)
{
	const struct um_page *page = flood->installed ? um_page_by_id(mmu, flood->page) : NULL;

	return page && (page->spt[flood->index] & UM_SPTE_A);
}

bool um_flood_written(struct um_mmu *mmu, struct um_flood *flood, uint64_t gfn)
{
	if (flood->gfn == gfn && flood->writes && !entry_used(mmu, flood))
		return ++flood->writes >= FLOODED;
	flood->gfn = gfn;
	flood->writes = 1;
	flood->installed = false;
	return false;
}

bool um_page_flood_written(struct um_page_flood *flood, const struct um_page *page)
{
	return ut_role_level(page->role) > 1 && ++flood->writes >= FLOODED;
}

void um_flood_installed(struct um_flood *flood, const struct um_frame *frame,
			const struct ut_write *w)
{
	for (const struct um_page *page = frame->pages; page; page = page->next_of_gfn) {
		if ((page->role & UT_ROLE_DIRECT) ||
		    !um_written_entries(page, w->offset, w->size, &flood->index))
			continue;
		flood->page = page->id;
		flood->installed = true;
		return;
	}
}
