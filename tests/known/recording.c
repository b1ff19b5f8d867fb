// SPDX-License-Identifier: GPL-2.0-only
#include "compare.h"

#include <stdlib.h>
#include <string.h>

int recording_add(struct recording *r, const struct ut_event *e)
{
	struct ut_event *copy;

	if (r->n == r->room) {
		size_t room = r->room ? 2 * r->room : 1024;

		copy = realloc(r->events, room * sizeof(*copy));
		if (!copy)
			return -1;
		r->events = copy;
		r->room = room;
	}
	copy = &r->events[r->n];
	*copy = *e;
	if (e->kind == UT_PAGE_NEW)
		copy->page.entries = NULL;
	if (e->kind == UT_PAGE_NEW && e->page.n) {
		size_t size = e->page.n * sizeof(*e->page.entries);
		struct ut_entry *entries = malloc(size);

		if (!entries)
			return -1;
		memcpy(entries, e->page.entries, size);
		copy->page.entries = entries;
	} else if (e->kind == UT_VM || e->kind == UT_MARK || e->kind == UT_STAT) {
		char *text = malloc(e->text.len + 1u);

		if (!text)
			return -1;
		memcpy(text, e->text.text, e->text.len);
		text[e->text.len] = '\0';
		copy->text.text = text;
	}
	r->n++;
	return 0;
}

void recording_free(struct recording *r)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct ut_event *e = &r->events[i];

		if (e->kind == UT_PAGE_NEW)
			free((void *)e->page.entries);
		else if (e->kind == UT_VM || e->kind == UT_MARK || e->kind == UT_STAT)
			free((void *)e->text.text);
	}
	free(r->events);
	memset(r, 0, sizeof(*r));
}
