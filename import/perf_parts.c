// SPDX-License-Identifier: GPL-2.0-only
#include "import/perf_file.h"

#include <stdlib.h>

#include "import/perf_tracing.h"

#define FACT_BYTES 4096u
#define PARTS 256u	      /* that there could be */
#define PLACE 16u	      /* bytes that say where a part is and how long */
#define TEXTS_ROOM (1u << 20) /* bytes that a part with texts may have */

/* Those that are of interest, by their numbers. */
enum {
	PART_TRACING_DATA = 1,
	PART_OSRELEASE = 4,
	PART_VERSION = 5,
	PART_ARCH = 6,
	PART_CPUDESC = 8,
	PART_CMDLINE = 11,
	PART_DIR_FORMAT = 24,
	PART_COMPRESSED = 27,
};

static int tell(struct perf *p, enum import_fact fact, const char *value)
{
	if (!*value || p->told >> fact & 1)
		return 0;
	p->told |= 1u << fact;
	return p->sink->fact(p->sink->arg, fact, value) ? perf_sink_error(p) : 0;
}

/* Appends a text that has its length in front. Return: bytes of both, 0: it is not whole. */
static size_t add_text(char *to, const uint8_t *data, size_t size)
{
	size_t n, have = strlen(to);

	if (size < sizeof(uint32_t))
		return 0;
	n = perf_u32(data);
	if (n > size - sizeof(uint32_t))
		return 0;
	size = strnlen((const char *)data + sizeof(uint32_t), n);
	if (size > FACT_BYTES - 1 - have)
		size = FACT_BYTES - 1 - have;
	memcpy(to + have, data + sizeof(uint32_t), size);
	to[have + size] = '\0';
	return n + sizeof(uint32_t);
}

static int tell_text(struct perf *p, enum import_fact fact, const char *before, const uint8_t *data,
		     size_t size)
{
	char text[FACT_BYTES];

	strcpy(text, before);
	return add_text(text, data, size) ? tell(p, fact, text) : 0;
}

static int tell_command(struct perf *p, const uint8_t *data, size_t size)
{
	char text[FACT_BYTES] = "";
	size_t at = sizeof(uint32_t), n;
	uint32_t words;

	if (size < at)
		return 0;
	words = perf_u32(data);
	for (uint32_t i = 0; i < words; i++) {
		if (i && strlen(text) < sizeof(text) - 1)
			strcat(text, " ");
		n = add_text(text, data + at, size - at);
		if (!n)
			break;
		at += n;
	}
	return tell(p, IMPORT_COMMAND, text);
}

int perf_tell_clock(struct perf *p, const struct perf_event *e)
{
	static const struct {
		int32_t number;
		const char *name;
	} names[] = {
		{ 0, "realtime" }, { 1, "mono" }, { 4, "mono_raw" }, { 7, "boot" }, { 11, "tai" }
	};

	if (!e->has_clock)
		return tell(p, IMPORT_CLOCK, "perf");
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i].number == e->clock)
			return tell(p, IMPORT_CLOCK, names[i].name);
	return 0;
}

int perf_read_formats(struct perf *p, const uint8_t *data, size_t size, uint64_t offset)
{
	p->has_formats = true;
	return perf_tracing_read(data, size, p->path, offset, p->sink, p->err);
}

/* Parts that are no texts of perf's are not asked for. */
static bool is_wanted(uint64_t part)
{
	switch (part) {
	case PART_TRACING_DATA:
	case PART_OSRELEASE:
	case PART_VERSION:
	case PART_ARCH:
	case PART_CPUDESC:
	case PART_CMDLINE:
	case PART_DIR_FORMAT:
	case PART_COMPRESSED:
		return true;
	default:
		return false;
	}
}

static int read_compression(struct perf *p, const uint8_t *data, size_t size, uint64_t offset)
{
	/* Version, and how: 1 is zstd. */
	if (size >= 8 && perf_u32(data + 4) > 1)
		return perf_refused(
			p, offset,
			"it is compressed in a way that is not known here; record without -z");
	return 0;
}

int perf_read_part(struct perf *p, uint64_t part, const uint8_t *data, size_t size, uint64_t offset)
{
	switch (part) {
	case PART_TRACING_DATA:
		return perf_read_formats(p, data, size, offset);
	case PART_OSRELEASE:
		return tell_text(p, IMPORT_RELEASE, "", data, size);
	case PART_VERSION:
		return tell_text(p, IMPORT_RECORDER, "perf ", data, size);
	case PART_ARCH:
		return tell_text(p, IMPORT_MACHINE, "", data, size);
	case PART_CPUDESC:
		return tell_text(p, IMPORT_CPU, "", data, size);
	case PART_CMDLINE:
		return tell_command(p, data, size);
	case PART_DIR_FORMAT:
		return perf_refused(
			p, offset,
			"it is one of several files of one recording (perf record --threads); "
			"record without --threads");
	case PART_COMPRESSED:
		return read_compression(p, data, size, offset);
	default:
		return 0;
	}
}

static int load_part(struct perf *p, uint64_t part, uint64_t offset, uint64_t size)
{
	uint8_t *data;
	int ret = -1;

	if (size > (part == PART_TRACING_DATA ? PERF_TRACING_BYTES : TEXTS_ROOM))
		return perf_damaged(p, offset, "a part of the header that is too long");
	data = malloc(size + 1);
	if (!data)
		return perf_out_of_memory(p);
	if (!perf_read_at(p, data, size, offset))
		ret = perf_read_part(p, part, data, size, offset);
	free(data);
	return ret;
}

/* Parts other than records: a table of them stands behind these. */
int perf_read_parts(struct perf *p, const uint8_t *parts, uint64_t table)
{
	uint8_t section[PLACE];
	uint64_t offset, size;

	for (uint64_t i = 0; i < PARTS; i++) {
		if (!(perf_u64(parts + i / 64 * 8) >> i % 64 & 1))
			continue;
		if (!perf_is_inside(p, table, PLACE)) {
			perf_cut_short(p, table, PERF_ENDS_EARLY);
			return 0;
		}
		if (perf_read_at(p, section, PLACE, table))
			return -1;
		table += PLACE;
		offset = perf_u64(section);
		size = perf_u64(section + 8);
		if (!perf_is_inside(p, offset, size))
			perf_cut_short(p, offset, PERF_ENDS_EARLY);
		else if (is_wanted(i) && load_part(p, i, offset, size))
			return -1;
	}
	return 0;
}
