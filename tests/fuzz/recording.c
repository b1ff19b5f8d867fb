// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "tests/fuzz/recording.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "import/formats.h"
#include "import/perf.h"

/* Keeps the formats that are understood, without what they say about printing. */
struct taking {
	struct import_sink sink;
	struct recording *rec;
	struct formats *known;
};

static void *copy(const void *from, size_t size)
{
	void *to = malloc(size + 1);

	if (!to)
		abort();
	memcpy(to, from, size);
	((char *)to)[size] = '\0';
	return to;
}

/* The text of a page's role tells how it is laid out. */
static size_t without_print(const char *text, size_t size)
{
	const char *print = memmem(text, size, "\nprint fmt:", 11);

	if (!print || memmem(text, size, "name: kvm_mmu_get_page\n", 23))
		return size;
	return (size_t)(print + 1 - text);
}

static int take_format(void *arg, const char *system, const char *text, size_t size)
{
	struct taking *t = arg;
	struct recording *rec = t->rec;
	bool kvm = !strcmp(system, "kvm") || !strcmp(system, "kvmmmu");
	uint8_t head[65536] = { 0 };
	unsigned int id;
	const char *at;
	char *whole;

	if (!kvm || rec->formats == RECORDING_FORMATS)
		return 0;
	if (formats_add(t->known, system, text, size, &t->sink.err))
		return -1;
	whole = copy(text, size);
	at = strstr(whole, "\nID: ");
	id = at ? (unsigned int)strtoul(at + 5, NULL, 10) : 0;
	memcpy(head, &(uint16_t){ (uint16_t)id }, 2);
	if (formats_find(t->known, head, sizeof(head))) {
		snprintf(rec->format[rec->formats].system, sizeof(rec->format[0].system), "%s",
			 system);
		rec->format[rec->formats].text = whole;
		rec->format[rec->formats++].size = without_print(whole, size);
		return 0;
	}
	free(whole);
	return 0;
}

static int take_record(void *arg, const struct import_record *r)
{
	struct taking *t = arg;
	struct recording *rec = t->rec;

	if (rec->records == RECORDING_RECORDS || !formats_find(t->known, r->data, r->size))
		return 0;
	rec->record[rec->records].r = *r;
	rec->record[rec->records].data = copy(r->data, r->size);
	rec->record[rec->records].r.data = rec->record[rec->records].data;
	rec->records++;
	return 0;
}

static int take_lost(void *arg, uint64_t time, uint32_t cpu, uint64_t count)
{
	(void)arg, (void)time, (void)cpu, (void)count;
	return 0;
}

static int take_thread(void *arg, uint32_t tid, uint32_t pid, const char *name)
{
	(void)arg, (void)tid, (void)pid, (void)name;
	return 0;
}

static int take_fact(void *arg, enum import_fact fact, const char *value)
{
	(void)arg, (void)fact, (void)value;
	return 0;
}

struct recording *recording_read(const char *name)
{
	struct taking t = { .sink = { take_format, take_record, take_lost, take_thread, take_fact,
				      .arg = &t } };
	struct ut_error err = { "" };
	char path[512];
	int fd, ret;

	snprintf(path, sizeof(path), "%s/%s", UNSYNC_RECORDINGS, name);
	t.rec = calloc(1, sizeof(*t.rec));
	t.known = formats_new();
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ret = t.rec && t.known && fd >= 0 ? perf_read(fd, path, &t.sink, &err) : -1;
	if (ret || !t.rec->formats || !t.rec->records) {
		fprintf(stderr, "fuzz: %s: %s\n", path, err.text);
		abort();
	}
	formats_free(t.known);
	close(fd);
	return t.rec;
}

void recording_free(struct recording *rec)
{
	for (size_t i = 0; i < rec->formats; i++)
		free(rec->format[i].text);
	for (size_t i = 0; i < rec->records; i++)
		free(rec->record[i].data);
	free(rec);
}
