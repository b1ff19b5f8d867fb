// SPDX-License-Identifier: GPL-2.0-only
/* Small recordings, with formats and records of the shipped ones. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/recording.h"
#include "tests/fuzz/seeds.h"
#include "tests/fuzz/story_input.h"
#include "tests/unit/perf_make.h"

enum { FEW = 60 };

static const char *const sources[] = { "perf-few.data", "three-pae.perf.data",
				       "three-32-bit.perf.data", "three-6.12.perf.data",
				       "perf-npt.data" };

#define SOURCES (sizeof(sources) / sizeof(sources[0]))

/* ---- stories ---- */

static void put_u8(struct bytes *b, unsigned int v)
{
	put_bytes(b, &(uint8_t){ (uint8_t)v }, 1);
}

static unsigned int format_of(const struct recording *rec, const struct import_record *r)
{
	uint16_t type;

	memcpy(&type, r->data, sizeof(type));
	for (unsigned int i = 0; i < rec->formats; i++) {
		if (story_input_type(rec, i) == type)
			return i;
	}
	die("a record without a format");
}

/* The one of the same name among those that story.c has. */
static unsigned int format_there(const struct recording *rec, unsigned int format,
				 const struct recording *shipped)
{
	const char *text = rec->format[format].text;
	size_t n = strcspn(text, "\n") + 1;

	for (unsigned int i = 0; i < shipped->formats; i++) {
		if (!strncmp(shipped->format[i].text, text, n))
			return i;
	}
	die("a format that the first recording does not have");
}

static void put_sentence(struct bytes *b, const struct recording *rec, size_t i,
			 const struct recording *shipped, uint64_t *time)
{
	const struct import_record *r = &rec->record[i].r;
	uint64_t step = r->time - *time;

	*time = r->time;
	put_u8(b, 'r');
	put_u8(b, format_there(rec, format_of(rec, r), shipped));
	put_u8(b, r->tid % 256);
	put_u8(b, r->cpu);
	put_u8(b, step < 255 ? (unsigned int)step : 255);
	put_u8(b, r->size < 255 ? r->size : 255);
	put_bytes(b, r->data, r->size < 255 ? r->size : 255);
}

static void save_bytes(const char *kind, size_t number, struct bytes *b)
{
	char name[64];

	snprintf(name, sizeof(name), "%s-%zu", kind, number);
	save(name, b->p, b->n);
	b->n = 0;
}

static void story_of(const struct recording *rec, size_t number, const struct recording *shipped,
		     struct bytes *b)
{
	uint64_t time = rec->record[0].r.time;

	for (size_t i = 0; i < rec->records; i++) {
		put_sentence(b, rec, i, shipped, &time);
		if (i % FEW == FEW - 1)
			save_bytes("records", number * 100 + i / FEW, b);
	}
	save_bytes("records", number * 100 + 99, b);
}

static void formats_of(const struct recording *rec, struct bytes *b)
{
	for (unsigned int i = 0; i < rec->formats; i++) {
		put_u8(b, 'f');
		put_u8(b, i);
		put_u16(b, (uint16_t)rec->format[i].size);
		put_bytes(b, rec->format[i].text, rec->format[i].size);
		if (i % 3 == 2)
			save_bytes("formats", i / 3, b);
	}
	save_bytes("formats", 99, b);
}

static void put_others(struct bytes *b)
{
	static const char name[] = "CPU 0/KVM", clock[] = "mono";

	put_u8(b, 'l');
	put_u8(b, 1);
	put_u8(b, 7);
	put_u8(b, 't');
	put_u8(b, 1);
	put_u8(b, 1);
	put_u8(b, sizeof(name) - 1);
	put_bytes(b, name, sizeof(name) - 1);
	put_u8(b, 'w');
	put_u8(b, IMPORT_CLOCK);
	put_u8(b, sizeof(clock) - 1);
	put_bytes(b, clock, sizeof(clock) - 1);
	save_bytes("others", 0, b);
}

void seeds_story(void)
{
	struct recording *shipped = recording_read(sources[0]), *rec;
	struct bytes b = { 0 };

	formats_of(shipped, &b);
	put_others(&b);
	for (size_t i = 0; i < SOURCES; i++) {
		rec = recording_read(sources[i]);
		story_of(rec, i, shipped, &b);
		recording_free(rec);
	}
	recording_free(shipped);
	free(b.p);
}

/* ---- perf.data ---- */

static bool is_used(const struct recording *rec, unsigned int format, size_t records)
{
	for (size_t i = 0; i < records && i < rec->records; i++) {
		if (format_of(rec, &rec->record[i].r) == format)
			return true;
	}
	return false;
}

/* Formats of what the first records are of. */
static void put_system(struct bytes *b, const struct recording *rec, const char *system)
{
	uint32_t n = 0;

	for (unsigned int i = 0; i < rec->formats; i++)
		n += !strcmp(rec->format[i].system, system) && is_used(rec, i, FEW);
	put_bytes(b, system, strlen(system) + 1);
	put_u32(b, n);
	for (unsigned int i = 0; i < rec->formats; i++) {
		if (strcmp(rec->format[i].system, system) != 0 || !is_used(rec, i, FEW))
			continue;
		put_u64(b, rec->format[i].size);
		put_bytes(b, rec->format[i].text, rec->format[i].size);
	}
}

static void put_tracing(struct bytes *b, const struct recording *rec)
{
	put_bytes(b, "\x17\x08\x44tracing0.6", 14);
	put_bytes(b, "\0\10", 2);
	put_u32(b, 4096);
	put_bytes(b, "header_page", 12);
	put_u64(b, 0);
	put_bytes(b, "header_event", 13);
	put_u64(b, 0);
	put_u32(b, 0);
	put_u32(b, 2);
	put_system(b, rec, "kvm");
	put_system(b, rec, "kvmmmu");
	put_u32(b, 0);
	put_u32(b, 0);
	put_u64(b, 0);
}

/* As S_USUAL lays it out. */
static void put_sample(struct make *m, const struct import_record *r)
{
	struct bytes b = { 0 };

	put_u64(&b, 0xffffffff81000000);
	put_u32(&b, r->pid);
	put_u32(&b, r->tid);
	put_u64(&b, r->time);
	put_u64(&b, id_of(r->cpu % EVENTS, r->cpu % CPUS));
	put_u64(&b, r->cpu);
	put_u64(&b, 1);
	put_u32(&b, r->size);
	put_bytes(&b, r->data, r->size);
	put_padding(&b, 8);
	add_plain(m, 9, b.p, b.n);
	free(b.p);
}

static void put_records(struct make *m, const struct recording *rec)
{
	const struct import_record *r = &rec->record[0].r;

	add_id_index(m);
	add_comm(m, r->time - 9, r->pid, r->tid, "CPU 0/KVM");
	add_fork(m, r->time - 8, r->pid, r->tid + 1);
	for (size_t i = 0; i < FEW && i < rec->records; i++) {
		r = &rec->record[i].r;
		put_sample(m, r);
		if (i % 20 == 19)
			add_round(m);
		if (i % 32 == 31)
			add_lost(m, r->time, r->cpu, 3);
	}
	add_read(m, 1, 1, 4);
	add_lost_samples(m, 0, id_of(1, 1), 5, 0);
	add_throttle(m, r->time, id_of(0, 0));
	add_round(m);
}

static void perf_of(const struct recording *rec, size_t number)
{
	static const uint32_t compressions[] = { 0, 81, 83 };
	struct bytes file = { 0 };
	struct make m;

	for (size_t i = 0; i < sizeof(compressions) / sizeof(compressions[0]); i++) {
		make_usual(&m);
		put_tracing(&m.tracing, rec);
		put_records(&m, rec);
		if (compressions[i]) {
			compress(&m, compressions[i], 4000, false);
			m.compressed = 1;
		}
		make_file(&m, &file);
		save_bytes("file", number * 3 + i, &file);
		make_piped(&m, &file);
		save_bytes("pipe", number * 3 + i, &file);
		free(m.tracing.p);
		make_free(&m);
	}
	free(file.p);
}

void seeds_perf(void)
{
	struct recording *rec;

	for (size_t i = 0; i < SOURCES; i++) {
		rec = recording_read(sources[i]);
		perf_of(rec, i);
		recording_free(rec);
	}
}
