/* SPDX-License-Identifier: GPL-2.0-only */
/* What story.c and its seeds have in common. */
#ifndef UNSYNC_TESTS_FUZZ_STORY_INPUT_H
#define UNSYNC_TESTS_FUZZ_STORY_INPUT_H

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/recording.h"

/* The number of a tracepoint, as its format says. */
static inline uint16_t story_input_type(const struct recording *rec, unsigned int format)
{
	const char *at = strstr(rec->format[format].text, "\nID: ");

	return at ? (uint16_t)strtoul(at + 5, NULL, 10) : 0;
}

/* A record begins with the number of its tracepoint; its thread stands in it, too. */
static inline void story_input_head(uint8_t *data, size_t size, const struct recording *rec,
				    unsigned int format, uint32_t tid)
{
	uint16_t type = story_input_type(rec, format);

	if (size >= sizeof(type))
		memcpy(data, &type, sizeof(type));
	if (size >= 4 + sizeof(tid))
		memcpy(data + 4, &tid, sizeof(tid));
}

#endif
