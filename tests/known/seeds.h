/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef UNSYNC_TESTS_KNOWN_SEEDS_H
#define UNSYNC_TESTS_KNOWN_SEEDS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* "FIRST-LAST", both from 1 to a million. */
static inline bool seeds_read(const char *text, uint64_t *first, uint64_t *last)
{
	unsigned int from, to;
	char after;

	if (sscanf(text, "%7u-%7u%c", &from, &to, &after) != 2 || !from || from > to ||
	    to > 1000000)
		return false;
	*first = from;
	*last = to;
	return true;
}

#endif
