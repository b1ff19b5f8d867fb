/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A model's list of shadow pages, in no order: each knows its place, so that taking one off costs
 * nothing.
 */
#ifndef UNSYNC_MODELS_PAGE_LIST_H
#define UNSYNC_MODELS_PAGE_LIST_H

#include "models/model.h"

/* In a model's state; all zeros is an empty list. */
struct um_page_list {
	uint32_t *ids;
	uint32_t n, cap;
};

/* Must be first in the model's private memory of a page. */
struct um_listed {
	uint32_t place; /* in the list, plus 1; 0: not in it */
};

/**
 * um_page_list_at() - the page at a place
 * @i: less than @list->n. The last one takes the place of one that is taken off: go backwards if that may
 *     happen
 */
static inline struct um_page *um_page_list_at(const struct um_mmu *mmu,
					      const struct um_page_list *list, uint32_t i)
{
	return um_page_by_id(mmu, list->ids[i]);
}

/**
 * um_page_list_add() - put a page on, unless it is there
 *
 * Return: by how many bytes the list has grown. Fails the model if there is no memory.
 */
size_t um_page_list_add(struct um_mmu *mmu, struct um_page_list *list, struct um_page *page);

/**
 * um_page_list_remove() - take a page off, if it is there; a page that goes must not stay
 */
void um_page_list_remove(struct um_mmu *mmu, struct um_page_list *list, struct um_page *page);

/**
 * um_page_list_free() - free its memory
 */
void um_page_list_free(struct um_page_list *list);

#endif
