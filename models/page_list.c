// SPDX-License-Identifier: GPL-2.0-only
#include "models/page_list.h"

#include <stdlib.h>

static struct um_listed *listed(struct um_page *page)
{
	return page->priv;
}

size_t um_page_list_add(struct um_mmu *mmu, struct um_page_list *list, struct um_page *page)
{
	size_t grown = 0;

	if (listed(page)->place)
		return 0;
	if (list->n == list->cap) {
		uint32_t cap = list->cap ? list->cap * 2 : 64;
		uint32_t *more = realloc(list->ids, cap * sizeof(*more));

		if (!more) {
			um_fail(mmu, "out of memory for a list of tables");
			return 0;
		}
		grown = (cap - list->cap) * sizeof(*more);
		list->ids = more;
		list->cap = cap;
	}
	list->ids[list->n++] = page->id;
	listed(page)->place = list->n;
	return grown;
}

void um_page_list_remove(struct um_mmu *mmu, struct um_page_list *list, struct um_page *page)
{
	uint32_t place = listed(page)->place;
	struct um_page *last;

	if (!place)
		return;
	last = um_page_list_at(mmu, list, --list->n);
	list->ids[place - 1] = last->id;
	listed(last)->place = place;
	listed(page)->place = 0;
}

void um_page_list_free(struct um_page_list *list)
{
	free(list->ids);
	*list = (struct um_page_list){ 0 };
}
