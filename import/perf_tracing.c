// SPDX-License-Identifier: GPL-2.0-only
#include "import/perf_tracing.h"

#include <string.h>

#define REMEDY "; the file is damaged, copy or record it again"

struct cursor {
	const uint8_t *data;
	size_t size, at;
	bool ended; /* it asked for more than there is */
	uint32_t formats;
};

static const uint8_t *take(struct cursor *c, uint64_t n)
{
	const uint8_t *p = c->data + c->at;

	if (c->ended || n > c->size - c->at) {
		c->ended = true;
		return NULL;
	}
	c->at += n;
	return p;
}

static uint8_t take_u8(struct cursor *c)
{
	const uint8_t *p = take(c, 1);

	return p ? *p : 0;
}

static uint32_t take_u32(struct cursor *c)
{
	const uint8_t *p = take(c, sizeof(uint32_t));
	uint32_t v = 0;

	if (p)
		memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t take_u64(struct cursor *c)
{
	const uint8_t *p = take(c, sizeof(uint64_t));
	uint64_t v = 0;

	if (p)
		memcpy(&v, p, sizeof(v));
	return v;
}

/* A terminated text; "" if there is none. */
static const char *take_text(struct cursor *c)
{
	const char *text = (const char *)c->data + c->at;
	const void *end = c->ended ? NULL : memchr(text, '\0', c->size - c->at);

	if (!end) {
		c->ended = true;
		return "";
	}
	c->at += (const char *)end - text + 1;
	return text;
}

/* The formats of a system. Return: NULL, or what is wrong; "": the sink stopped it. */
static const char *take_formats(struct cursor *c, const char *system, struct import_sink *sink)
{
	uint32_t n = take_u32(c);
	const uint8_t *text;
	uint64_t size;

	for (uint32_t i = 0; i < n && !c->ended; i++) {
		if (c->formats++ >= IMPORT_FORMATS)
			return "formats of more events than any kernel has";
		size = take_u64(c);
		text = take(c, size);
		/* None that could be used is this long. */
		if (!text || size > IMPORT_FORMAT_BYTES)
			continue;
		if (sink->format(sink->arg, system, (const char *)text, size))
			return "";
	}
	return NULL;
}

/* The name of a file of tracefs and what it said. */
static bool take_file(struct cursor *c, const char *name)
{
	if (strcmp(take_text(c), name) != 0)
		return false;
	take(c, take_u64(c));
	return true;
}

static const char *take_head(struct cursor *c)
{
	static const uint8_t magic[] = { 0x17, 0x08, 0x44, 't', 'r', 'a', 'c', 'i', 'n', 'g' };
	const uint16_t one = 1;
	const uint8_t *p = take(c, sizeof(magic));

	if (!p || memcmp(p, magic, sizeof(magic)) != 0)
		return "these are no formats of events" REMEDY;
	take_text(c); /* version */
	/* 0: the least significant byte comes first. */
	if (take_u8(c) != !*(const uint8_t *)&one)
		return "the formats of events are of a machine with the other byte order; record "
		       "on x86-64";
	if (take_u8(c) != 8)
		return "it was recorded by a perf of 32 bits, which cannot be read; record with "
		       "one of 64 bits";
	take_u32(c); /* bytes of a page */
	if (!take_file(c, "header_page") || !take_file(c, "header_event"))
		return "the formats of events are damaged" REMEDY;
	return NULL;
}

static const char *take_all(struct cursor *c, struct import_sink *sink)
{
	const char *wrong = take_head(c), *system;
	uint32_t n;

	if (!wrong)
		wrong = take_formats(c, "ftrace", sink);
	n = take_u32(c);
	for (uint32_t i = 0; i < n && !wrong && !c->ended; i++) {
		system = take_text(c);
		if (!c->ended)
			wrong = take_formats(c, system, sink);
	}
	return wrong;
}

int perf_tracing_read(const uint8_t *data, size_t size, const char *path, uint64_t offset,
		      struct import_sink *sink, struct ut_error *err)
{
	struct cursor c = { .data = data, .size = size };
	const char *wrong = take_all(&c, sink);

	if (wrong && !*wrong) {
		if (err)
			*err = sink->err;
		return -1;
	}
	if (c.ended)
		wrong = "the formats of events end too early" REMEDY;
	if (wrong)
		return ut_error_set(err, "%s: offset %llu: %s", path,
				    (unsigned long long)offset + c.at, wrong);
	return 0;
}
