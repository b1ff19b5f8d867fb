// SPDX-License-Identifier: GPL-2.0-only
/* Small trace.dat files, with formats and records of the shipped recordings. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "tests/fuzz/recording.h"
#include "tests/fuzz/seeds.h"
#include "tests/fuzz/story_input.h"
#include "tests/unit/perf_make.h"

enum { PAGE = 4096, FEW = 50, MADE_CPUS = 2 };

/* Options, and what version 7 calls its sections. */
enum {
	O_DONE = 0,
	O_STATS = 2,
	O_BUFFER = 3,
	O_CLOCK = 4,
	O_UNAME = 5,
	O_VERSION = 9,
	O_HEADER = 16,
	O_FORMATS = 18,
	O_NAMES = 21,
};

static void put_text(struct bytes *b, const char *text)
{
	put_bytes(b, text, strlen(text) + 1);
}

static void put_counted(struct bytes *b, const char *text)
{
	put_u64(b, strlen(text));
	put_bytes(b, text, strlen(text));
}

/* As events/header_page and events/header_event of tracefs have it. */
static void put_headers(struct bytes *b)
{
	put_text(b, "header_page");
	put_counted(b, "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n"
		       "\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n"
		       "\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n"
		       "\tfield: char data;\toffset:16;\tsize:4080;\tsigned:1;\n");
	put_text(b, "header_event");
	put_counted(b, "# compressed entry header\n\ttype_len    :    5 bits\n"
		       "\ttime_delta  :   27 bits\n\tarray       :   32 bits\n");
}

static bool is_used(const struct recording *rec, unsigned int format)
{
	for (size_t i = 0; i < FEW && i < rec->records; i++) {
		uint16_t type;

		memcpy(&type, rec->record[i].data, sizeof(type));
		if (type == story_input_type(rec, format))
			return true;
	}
	return false;
}

static void put_system(struct bytes *b, const struct recording *rec, const char *system)
{
	uint32_t n = 0;

	for (unsigned int i = 0; i < rec->formats; i++)
		n += !strcmp(rec->format[i].system, system) && is_used(rec, i);
	put_text(b, system);
	put_u32(b, n);
	for (unsigned int i = 0; i < rec->formats; i++) {
		if (strcmp(rec->format[i].system, system) != 0 || !is_used(rec, i))
			continue;
		put_u64(b, rec->format[i].size);
		put_bytes(b, rec->format[i].text, rec->format[i].size);
	}
}

static void put_formats(struct bytes *b, const struct recording *rec)
{
	put_u32(b, 2);
	put_system(b, rec, "kvm");
	put_system(b, rec, "kvmmmu");
}

static void put_names(struct bytes *b, const struct recording *rec)
{
	char text[64];

	snprintf(text, sizeof(text), "%u CPU 0/KVM\n", rec->record[0].r.tid);
	put_counted(b, text);
}

static void put_option(struct bytes *b, unsigned int id, const void *data, size_t n)
{
	put_u16(b, (uint16_t)id);
	put_u32(b, (uint32_t)n);
	put_bytes(b, data, n);
}

static void put_facts(struct bytes *b)
{
	static const char clock[] = "local global [mono] boot", version[] = "3.1.6 (made)";
	static const char name[] = "Linux host 6.1.0-42-amd64 x86_64";
	static const char stats[] = "CPU: 0\nentries: 9\noverrun: 2\ndropped events: 1\n";

	put_option(b, O_CLOCK, clock, sizeof(clock));
	put_option(b, O_UNAME, name, sizeof(name));
	put_option(b, O_VERSION, version, sizeof(version));
	put_option(b, O_STATS, stats, sizeof(stats));
}

/* The records of one CPU, as many as a page has room for. */
static void put_page(struct bytes *b, const struct recording *rec, uint32_t cpu)
{
	uint64_t time = 0;
	size_t at = b->n, used;

	put_u64(b, 0);
	put_u64(b, 0);
	for (size_t i = 0; i < FEW && i < rec->records; i++) {
		const struct import_record *r = &rec->record[i].r;
		uint32_t words = (r->size + 3) / 4, step = (uint32_t)(r->time - time) & 0x7ffffff;

		if (r->cpu % MADE_CPUS != cpu || words > 28 || b->n - at + 4 + 4 * words > PAGE)
			continue;
		if (!time) {
			memcpy(b->p + at, &r->time, sizeof(r->time));
			step = 0;
		}
		time = r->time;
		put_u32(b, step << 5 | words);
		put_bytes(b, r->data, r->size);
		put_padding(b, 4);
	}
	used = b->n - at - 16;
	memcpy(b->p + at + 8, &used, sizeof(used));
	while ((b->n - at) % PAGE)
		put_bytes(b, "", 1);
}

static void put_begin(struct bytes *b, const char *version)
{
	put_bytes(b, "\x17\x08\x44tracing", 10);
	put_text(b, version);
	put_bytes(b, "\0\10", 2);
	put_u32(b, PAGE);
}

static void version_6(struct bytes *b, const struct recording *rec)
{
	uint64_t place[2 * MADE_CPUS] = { 0 };
	size_t places;

	put_begin(b, "6");
	put_headers(b);
	put_u32(b, 0);
	put_formats(b, rec);
	put_u32(b, 0);
	put_u32(b, 0);
	put_names(b, rec);
	put_u32(b, MADE_CPUS);
	put_text(b, "options  ");
	put_facts(b);
	put_u16(b, O_DONE);
	put_text(b, "flyrecord");
	places = b->n;
	put_bytes(b, place, sizeof(place));
	for (uint32_t cpu = 0; cpu < MADE_CPUS; cpu++) {
		while (b->n % PAGE)
			put_bytes(b, "", 1);
		place[2 * cpu] = b->n;
		put_page(b, rec, cpu);
		place[2 * cpu + 1] = b->n - place[2 * cpu];
	}
	memcpy(b->p + places, place, sizeof(place));
}

/* With its two lengths; level 1, so that something packed better has room in its place. */
static void put_packed(struct bytes *b, const struct bytes *content)
{
	size_t room = ZSTD_compressBound(content->n), n;
	uint8_t *packed = malloc(room);

	n = packed ? ZSTD_compress(packed, room, content->p, content->n, 1) : 0;
	if (!n || ZSTD_isError(n))
		die("zstd");
	put_u32(b, (uint32_t)n);
	put_u32(b, (uint32_t)content->n);
	put_bytes(b, packed, n);
	free(packed);
}

/* Return: where it is. Its content is used up. */
static uint64_t put_section(struct bytes *b, bool zstd, unsigned int id, struct bytes *content)
{
	uint64_t at = b->n, size;

	put_u16(b, (uint16_t)id);
	put_u16(b, zstd);
	put_u32(b, 0);
	put_u64(b, 0);
	if (zstd)
		put_packed(b, content);
	else
		put_bytes(b, content->p, content->n);
	size = b->n - at - 16;
	memcpy(b->p + at + 8, &size, sizeof(size));
	content->n = 0;
	return at;
}

/* The records of all CPUs; the option that tells where they are goes to @options. */
static void put_buffer(struct bytes *b, bool zstd, const struct recording *rec,
		       struct bytes *options)
{
	struct bytes option = { 0 }, page = { 0 };
	uint64_t at = b->n, size;

	put_u16(b, O_BUFFER);
	put_u16(b, zstd);
	put_u32(b, 0);
	put_u64(b, 0);
	put_u64(&option, at);
	put_text(&option, "");
	put_text(&option, "mono");
	put_u32(&option, PAGE);
	put_u32(&option, MADE_CPUS);
	for (uint32_t cpu = 0; cpu < MADE_CPUS; cpu++) {
		while (!zstd && b->n % PAGE)
			put_bytes(b, "", 1);
		put_u32(&option, cpu);
		put_u64(&option, b->n);
		size = b->n;
		page.n = 0;
		put_page(&page, rec, cpu);
		if (zstd) {
			put_u32(b, 1);
			put_packed(b, &page);
		} else {
			put_bytes(b, page.p, page.n);
		}
		put_u64(&option, b->n - size - (zstd ? 4 : 0));
	}
	size = b->n - at - 16;
	memcpy(b->p + at + 8, &size, sizeof(size));
	put_option(options, O_BUFFER, option.p, option.n);
	free(option.p);
	free(page.p);
}

static void version_7(struct bytes *b, const struct recording *rec, bool zstd)
{
	struct bytes content = { 0 }, options = { 0 };
	size_t first;
	uint64_t at;

	put_begin(b, "7");
	put_text(b, zstd ? "zstd" : "none");
	put_text(b, "1.5.4");
	first = b->n;
	put_u64(b, 0);
	put_headers(&content);
	at = put_section(b, zstd, O_HEADER, &content);
	put_option(&options, O_HEADER, &at, sizeof(at));
	put_formats(&content, rec);
	at = put_section(b, zstd, O_FORMATS, &content);
	put_option(&options, O_FORMATS, &at, sizeof(at));
	put_names(&content, rec);
	at = put_section(b, zstd, O_NAMES, &content);
	put_option(&options, O_NAMES, &at, sizeof(at));
	put_facts(&options);
	put_buffer(b, zstd, rec, &options);
	at = 0;
	put_option(&options, O_DONE, &at, sizeof(at));
	at = put_section(b, zstd, O_DONE, &options);
	memcpy(b->p + first, &at, sizeof(at));
	free(content.p);
	free(options.p);
}

static void save_as(const char *kind, size_t number, struct bytes *b)
{
	char name[64];

	snprintf(name, sizeof(name), "%s-%zu.dat", kind, number);
	save(name, b->p, b->n);
	b->n = 0;
}

void seeds_tracedat(void)
{
	static const char *const sources[] = { "perf-few.data", "three-pae.perf.data",
					       "perf-npt.data" };
	struct bytes b = { 0 };

	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		struct recording *rec = recording_read(sources[i]);

		version_6(&b, rec);
		save_as("v6", i, &b);
		version_7(&b, rec, false);
		save_as("v7-plain", i, &b);
		version_7(&b, rec, true);
		save_as("v7-zstd", i, &b);
		recording_free(rec);
	}
	free(b.p);
}
