// SPDX-License-Identifier: GPL-2.0-only
#include "import/perf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "import/perf_events.h"
#include "import/perf_tracing.h"
#include "import/perf_window.h"

#define PIPE_HEADER 16u	 /* bytes of the header of a recording that was piped */
#define FILE_HEADER 104u /* and of any other */
#define RECORD_HEADER 8u
#define RECORD_MOST (64u << 10) /* no record is as long */
#define COUNT_MOST                                                                                 \
	(1ull << 48) /* of lost records: more were not made since the machine was started */
#define CPUS_MOST 65536u
#define FACT_BYTES 4096u
#define FEATURES 256u

/* What a file header says is where. */
enum {
	HEADER_SIZE = 8,
	HEADER_ATTR_SIZE = 16,
	HEADER_ATTRS = 24,
	HEADER_DATA = 40,
	HEADER_FEATURES = 72,
};

/* Parts of a file that may be there. */
enum {
	FEATURE_TRACING_DATA = 1,
	FEATURE_OSRELEASE = 4,
	FEATURE_VERSION = 5,
	FEATURE_ARCH = 6,
	FEATURE_CPUDESC = 8,
	FEATURE_CMDLINE = 11,
	FEATURE_DIR_FORMAT = 24,
	FEATURE_COMPRESSED = 27,
};

/* Kinds of records: the kernel's, and from 64 on those that perf adds. */
enum {
	RECORD_LOST = 2,
	RECORD_COMM = 3,
	RECORD_THROTTLE = 5,
	RECORD_FORK = 7,
	RECORD_READ = 8,
	RECORD_SAMPLE = 9,
	RECORD_LOST_SAMPLES = 13,
	RECORD_USER = 64,
	RECORD_ATTR = 64,
	RECORD_TRACING_DATA = 66,
	RECORD_FINISHED_ROUND = 68,
	RECORD_ID_INDEX = 69,
	RECORD_AUXTRACE = 71,
	RECORD_FEATURE = 80,
	RECORD_COMPRESSED = 81,
	RECORD_COMPRESSED2 = 83,
};

#define LOST_SAMPLES_FILTERED (1u << 15) /* in a record's flags: they were not wanted */

/* Records one after the other, as they come from the file or out of the compressor. */
struct feed {
	struct perf_chunk *chunk;
	size_t at, end;	 /* of what is there and was not looked at */
	uint64_t offset; /* in the file: of the chunk's first byte */
};

/* Lost records of a CPU. */
struct cpu_losses {
	uint64_t told;	  /* of which was said where they are missing */
	uint64_t dropped; /* as perf counted them in all */
};

struct losses {
	struct cpu_losses *cpus, nowhere;
	uint32_t n;
	uint64_t told_in_all;
};

struct perf {
	int fd;
	const char *path;
	struct import_sink *sink;
	struct ut_error *err;
	uint64_t size; /* of the file; 0: it cannot seek */
	uint64_t left; /* bytes of the part with the records that were not read yet */

	struct perf_events events;
	uint64_t ids_bytes;
	bool checked; /* the events are as they must be */
	bool has_formats;
	uint32_t told;	     /* facts, as bits */
	struct ut_error cut; /* what is missing at the end; it is told after all else was read */

	struct perf_window window;
	struct feed file, unpacked;
	ZSTD_DCtx *zstd;
	uint64_t lump; /* bytes left of compressed records whose lengths are not to be trusted */

	/* What follows a record but is none. */
	uint64_t payload; /* bytes of it to come */
	uint8_t *tracing; /* it is this; NULL: it is skipped */
	size_t tracing_size, tracing_room;
	uint64_t tracing_offset;

	/* Records are missing in front of the next one. */
	bool gap;
	struct import_record gap_item;
	struct losses losses;
};

static unsigned long long place(const struct perf *p)
{
	return p->file.offset + p->file.at;
}

static int damaged(struct perf *p, unsigned long long offset, const char *what)
{
	return ut_error_set(p->err,
			    "%s: offset %llu: %s; the file is damaged, copy or record it again",
			    p->path, offset, what);
}

/* With a remedy of its own. */
static int refused(struct perf *p, unsigned long long offset, const char *what)
{
	return ut_error_set(p->err, "%s: offset %llu: %s", p->path, offset, what);
}

static int out_of_memory(struct perf *p)
{
	return ut_error_set(p->err, "%s: out of memory", p->path);
}

static int sink_error(struct perf *p)
{
	if (p->err)
		*p->err = p->sink->err;
	return -1;
}

/* The first thing that is found missing is what is told in the end. */
static void cut_short(struct perf *p, unsigned long long offset, const char *what)
{
	if (!*p->cut.text)
		ut_error_set(&p->cut, "%s: offset %llu: %s", p->path, offset, what);
}

/* ---- bytes ---- */

/* Return: how many were read, fewer only at the end of the file; or -1. */
static ssize_t read_at(struct perf *p, void *to, size_t n, uint64_t offset)
{
	size_t done = 0;
	ssize_t got;

	while (done < n) {
		got = pread(p->fd, (char *)to + done, n - done, (off_t)(offset + done));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return ut_error_set(p->err, "%s: offset %llu: cannot read: %s", p->path,
					    (unsigned long long)offset + done, strerror(errno));
		if (!got)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

/* Whether a part of the file lies in it. */
static bool is_inside(const struct perf *p, uint64_t offset, uint64_t size)
{
	return offset <= p->size && size <= p->size - offset;
}

/* Room for at least one record behind what the feed holds. */
static int feed_room(struct perf *p, struct feed *f)
{
	struct perf_chunk *next = f->chunk;
	size_t rest = f->end - f->at;

	if (f->chunk && PERF_CHUNK_BYTES - f->end >= 2 * RECORD_MOST)
		return 0;
	if (!f->chunk || !perf_chunk_again(f->chunk)) {
		next = perf_window_chunk(&p->window, p->err);
		if (!next)
			return -1;
	}
	if (rest)
		memmove(next->bytes, f->chunk->bytes + f->at, rest);
	if (next != f->chunk)
		perf_window_filled(&p->window, f->chunk);
	f->chunk = next;
	f->offset += f->at;
	f->at = 0;
	f->end = rest;
	return 0;
}

/* Return: 1, 0 at the end, or -1. */
static int feed_read(struct perf *p)
{
	struct feed *f = &p->file;
	uint64_t most;
	ssize_t got;

	if (feed_room(p, f))
		return -1;
	most = PERF_CHUNK_BYTES - f->end;
	if (most > p->left)
		most = p->left;
	do
		got = read(p->fd, f->chunk->bytes + f->end, most);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return ut_error_set(p->err, "%s: offset %llu: cannot read: %s", p->path,
				    (unsigned long long)f->offset + f->end, strerror(errno));
	f->end += (size_t)got;
	p->left -= (uint64_t)got;
	return got > 0;
}

/* ---- what the recording says of itself ---- */

static int tell(struct perf *p, enum import_fact fact, const char *value)
{
	if (!*value || p->told >> fact & 1)
		return 0;
	p->told |= 1u << fact;
	return p->sink->fact(p->sink->arg, fact, value) ? sink_error(p) : 0;
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

static int tell_clock(struct perf *p, const struct perf_event *e)
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

static int read_tracing(struct perf *p, const uint8_t *data, size_t size, uint64_t offset)
{
	p->has_formats = true;
	return perf_tracing_read(data, size, p->path, offset, p->sink, p->err);
}

/* Parts that are no texts of perf's are not asked for. */
static bool is_wanted(uint64_t feature)
{
	switch (feature) {
	case FEATURE_TRACING_DATA:
	case FEATURE_OSRELEASE:
	case FEATURE_VERSION:
	case FEATURE_ARCH:
	case FEATURE_CPUDESC:
	case FEATURE_CMDLINE:
	case FEATURE_DIR_FORMAT:
	case FEATURE_COMPRESSED:
		return true;
	default:
		return false;
	}
}

static int read_compression(struct perf *p, const uint8_t *data, size_t size, uint64_t offset)
{
	/* Version, and how: 1 is zstd. */
	if (size >= 8 && perf_u32(data + 4) > 1)
		return refused(
			p, offset,
			"it is compressed in a way that is not known here; record without -z");
	return 0;
}

static int read_feature(struct perf *p, uint64_t feature, const uint8_t *data, size_t size,
			uint64_t offset)
{
	switch (feature) {
	case FEATURE_TRACING_DATA:
		return read_tracing(p, data, size, offset);
	case FEATURE_OSRELEASE:
		return tell_text(p, IMPORT_RELEASE, "", data, size);
	case FEATURE_VERSION:
		return tell_text(p, IMPORT_RECORDER, "perf ", data, size);
	case FEATURE_ARCH:
		return tell_text(p, IMPORT_MACHINE, "", data, size);
	case FEATURE_CPUDESC:
		return tell_text(p, IMPORT_CPU, "", data, size);
	case FEATURE_CMDLINE:
		return tell_command(p, data, size);
	case FEATURE_DIR_FORMAT:
		return refused(
			p, offset,
			"it is one of several files of one recording (perf record --threads); "
			"record without --threads");
	case FEATURE_COMPRESSED:
		return read_compression(p, data, size, offset);
	default:
		return 0;
	}
}

/* ---- events ---- */

static int add_event(struct perf *p, const uint8_t *attr, size_t size, uint64_t offset)
{
	const char *wrong = perf_events_add(&p->events, attr, size);

	p->checked = false;
	return wrong ? damaged(p, offset, wrong) : 0;
}

/* A record can only be understood once the events are known. */
static int check_events(struct perf *p)
{
	const char *wrong;

	p->checked = true;
	if (!p->events.n)
		return damaged(p, place(p),
			       "there are records, but no events of which they could be");
	wrong = perf_events_check(&p->events);
	if (wrong)
		return ut_error_set(p->err, "%s: %s", p->path, wrong);
	for (size_t i = 0; i < p->events.n; i++) {
		if (!p->events.events[i].kept)
			continue;
		if (!p->has_formats && !*p->cut.text)
			return ut_error_set(
				p->err,
				"%s: the formats of its events are missing; record again with a "
				"perf that was built with libtraceevent",
				p->path);
		return tell_clock(p, &p->events.events[i]);
	}
	return 0;
}

/* ---- records ---- */

static int put(struct perf *p, struct perf_chunk *c, const struct import_record *item)
{
	if (item->time == 0 || item->time == UINT64_MAX)
		return perf_window_now(&p->window, item, p->err);
	return perf_window_add(&p->window, c, item, p->err);
}

/*
 * The kernel notes the time of a loss when it has room again, with a record to write whose time it
 * took before: that record is the first after the loss all the same.
 */
static int put_gap(struct perf *p, struct perf_chunk *c, uint64_t next)
{
	p->gap = false;
	if (next < p->gap_item.time && next)
		p->gap_item.time = next;
	return put(p, c, &p->gap_item);
}

/* Time of a record that is no sample, its CPU; 0: it has none. */
static uint64_t time_of(struct perf *p, const uint8_t *record, uint32_t size, uint32_t *cpu,
			uint32_t *tail)
{
	const struct perf_event *e = perf_events_of_tail(&p->events, record, size);
	uint64_t time = 0;

	*cpu = IMPORT_NO_CPU;
	*tail = 0;
	if (!e || RECORD_HEADER + e->tail > size)
		return 0;
	*tail = e->tail;
	if (e->tail_cpu)
		*cpu = perf_u32(record + size - e->tail_cpu);
	if (e->tail_time)
		time = perf_u64(record + size - e->tail_time);
	perf_window_saw(&p->window, time);
	return time;
}

static int read_sample(struct perf *p, struct perf_chunk *c, const uint8_t *record, uint32_t size)
{
	const struct perf_event *e = perf_events_of_sample(&p->events, record, size);
	struct import_record item = { .cpu = IMPORT_NO_CPU };
	struct perf_raw raw;

	if (!e)
		return damaged(p, place(p), "a sample of an event that the file does not describe");
	if (e->fixed > size)
		return damaged(p, place(p), "a sample that is too short");
	if (e->time)
		item.time = perf_u64(record + e->time);
	if (p->gap && put_gap(p, c, item.time))
		return -1;
	if (!e->kept) {
		perf_window_saw(&p->window, item.time);
		return 0;
	}
	if (!perf_event_raw(e, record, size, &raw))
		return damaged(p, place(p), "a sample that is too short");
	if (e->cpu)
		item.cpu = perf_u32(record + e->cpu);
	if (e->tid) {
		item.pid = perf_u32(record + e->tid);
		item.tid = perf_u32(record + e->tid + 4);
	}
	/* Of a thread that perf had no number for, the record has one: its last common field. */
	if ((item.tid == 0 || item.tid == UINT32_MAX) && raw.size >= 8) {
		item.tid = perf_u32(raw.data + 4);
		item.pid = 0;
	}
	item.data = raw.data;
	item.size = raw.size;
	return put(p, c, &item);
}

static struct cpu_losses *losses_of(struct perf *p, uint32_t cpu)
{
	struct losses *l = &p->losses;
	struct cpu_losses *cpus;

	if (cpu >= CPUS_MOST)
		return &l->nowhere;
	if (cpu >= l->n) {
		cpus = realloc(l->cpus, (cpu + 1) * sizeof(*cpus));
		if (!cpus) {
			out_of_memory(p);
			return NULL;
		}
		memset(cpus + l->n, 0, (cpu + 1 - l->n) * sizeof(*cpus));
		l->cpus = cpus;
		l->n = cpu + 1;
	}
	return &l->cpus[cpu];
}

static struct import_record lost_item(uint64_t time, uint32_t cpu, uint64_t count)
{
	return (struct import_record){
		.time = time,
		.cpu = cpu,
		.pid = count >> 32,
		.tid = (uint32_t)count,
		.size = PERF_ITEM_LOST,
	};
}

static int read_lost(struct perf *p, struct perf_chunk *c, const uint8_t *record, uint32_t size)
{
	uint32_t cpu, tail;
	uint64_t time = time_of(p, record, size, &cpu, &tail), count;
	struct cpu_losses *at = losses_of(p, cpu);

	if (!at)
		return -1;
	if (size - tail < 24)
		return damaged(p, place(p), "a record of losses that is too short");
	count = perf_u64(record + 16);
	if (count > COUNT_MOST)
		return damaged(p, place(p), "more lost records than there can have been");
	at->told += count;
	p->losses.told_in_all += count;
	if (p->gap && put_gap(p, c, time))
		return -1;
	p->gap = true;
	p->gap_item = lost_item(time, cpu, count);
	return 0;
}

/* An event that is of interest? One that is not known may be. */
static bool may_be_kept(const struct perf *p, const struct perf_id *id)
{
	return !id || p->events.events[id->event - 1].kept;
}

/*
 * Either a driver says that its hardware dropped samples, at that moment; or perf says at the end
 * what was dropped in all, of which LOST records may have told already.
 */
static int read_lost_samples(struct perf *p, struct perf_chunk *c, const uint8_t *record,
			     uint32_t size, uint32_t flags)
{
	uint32_t cpu, tail;
	uint64_t time = time_of(p, record, size, &cpu, &tail), count;
	const struct perf_event *e = perf_events_of_tail(&p->events, record, size);
	struct import_record item;
	struct perf_id *id = NULL;

	if (size - tail < 16)
		return damaged(p, place(p), "a record of losses that is too short");
	count = perf_u64(record + 8);
	if (count > COUNT_MOST)
		return damaged(p, place(p), "more lost samples than there can have been");
	if (e && tail && e->tail_id)
		id = perf_events_id(&p->events, perf_u64(record + size - e->tail_id));
	if (flags & LOST_SAMPLES_FILTERED || !may_be_kept(p, id))
		return 0;
	if (!time && id) {
		if (count > id->lost)
			id->lost = count;
		return 0;
	}
	item = lost_item(time, cpu, count);
	return put(p, c, &item);
}

static int read_throttle(struct perf *p, struct perf_chunk *c, const uint8_t *record, uint32_t size)
{
	uint32_t cpu, tail;
	uint64_t time = time_of(p, record, size, &cpu, &tail);
	struct import_record item = lost_item(time, cpu, 0);

	if (size - tail < 32)
		return damaged(p, place(p), "a record of throttling that is too short");
	if (!may_be_kept(p, perf_events_id(&p->events, perf_u64(record + 16))))
		return 0;
	return put(p, c, &item);
}

static int read_thread(struct perf *p, struct perf_chunk *c, const uint8_t *record, uint32_t size,
		       uint32_t type)
{
	struct import_record item = { .size = PERF_ITEM_THREAD };
	uint32_t tail;

	item.time = time_of(p, record, size, &item.cpu, &tail);
	size -= tail;
	if (size < (type == RECORD_COMM ? 16 : 24))
		return damaged(p, place(p), "a record of a thread that is too short");
	item.pid = perf_u32(record + 8);
	item.tid = perf_u32(record + (type == RECORD_COMM ? 12 : 16));
	if (type == RECORD_COMM) {
		item.data = record + 16;
		item.size |= strnlen((const char *)record + 16, size - 16);
	}
	return put(p, c, &item);
}

static int read_values(struct perf *p, const uint8_t *record, uint32_t size)
{
	const struct perf_event *e = perf_events_of_tail(&p->events, record, size);
	uint32_t cpu, tail;

	time_of(p, record, size, &cpu, &tail);
	if (e && size - tail >= 16)
		perf_events_note_values(&p->events, e, record + 16, size - tail - 16);
	return 0;
}

/* Records of the kernel's. */
static int read_kernel(struct perf *p, struct perf_chunk *c, const uint8_t *record, uint32_t size,
		       uint32_t type)
{
	uint32_t cpu, tail;
	uint64_t time;

	if (!p->checked && check_events(p))
		return -1;
	switch (type) {
	case RECORD_SAMPLE:
		return read_sample(p, c, record, size);
	case RECORD_LOST:
		return read_lost(p, c, record, size);
	case RECORD_LOST_SAMPLES:
		return read_lost_samples(p, c, record, size, perf_u16(record + 4));
	case RECORD_THROTTLE:
		return read_throttle(p, c, record, size);
	case RECORD_COMM:
	case RECORD_FORK:
		return read_thread(p, c, record, size, type);
	case RECORD_READ:
		return read_values(p, record, size);
	default:
		time = time_of(p, record, size, &cpu, &tail);
		return p->gap && time ? put_gap(p, c, time) : 0;
	}
}

/* ---- records of perf's own ---- */

static int read_attr(struct perf *p, const uint8_t *record, uint32_t size)
{
	uint32_t attr_size = size >= RECORD_HEADER + PERF_ATTR_LEAST ? perf_u32(record + 12) : 0;
	const char *wrong;

	if (!attr_size)
		attr_size = PERF_ATTR_LEAST;
	if (attr_size < PERF_ATTR_LEAST || attr_size > size - RECORD_HEADER)
		return damaged(p, place(p), "attributes of an event that are too short");
	if (add_event(p, record + RECORD_HEADER, attr_size, place(p)))
		return -1;
	size -= RECORD_HEADER + attr_size;
	wrong = perf_events_add_ids(&p->events, record + RECORD_HEADER + attr_size, size / 8);
	return wrong ? damaged(p, place(p), wrong) : 0;
}

/* On which CPU each event was opened. */
static int read_id_index(struct perf *p, const uint8_t *record, uint32_t size)
{
	uint64_t n = size >= 16 ? perf_u64(record + 8) : UINT64_MAX;
	struct perf_id *id;

	if (n > (size - 16) / 32)
		return damaged(p, place(p), "a table of ids that is too short");
	for (uint64_t i = 0; i < n; i++) {
		id = perf_events_id(&p->events, perf_u64(record + 16 + 32 * i));
		if (id)
			id->cpu = (uint32_t)perf_u64(record + 16 + 32 * i + 16);
	}
	return 0;
}

static int begin_tracing(struct perf *p, const uint8_t *record, uint32_t size)
{
	if (size < 12)
		return damaged(p, place(p), "formats of events without a size");
	p->payload = perf_u32(record + 8);
	if (!p->payload || p->payload > PERF_TRACING_BYTES)
		return damaged(p, place(p), "formats of events of an impossible size");
	/* Its memory grows with what is really there. */
	p->tracing_room = 64u << 10;
	free(p->tracing);
	p->tracing = malloc(p->tracing_room);
	p->tracing_size = 0;
	p->tracing_offset = place(p) + size;
	return p->tracing ? 0 : out_of_memory(p);
}

static int begin_auxtrace(struct perf *p, const uint8_t *record, uint32_t size)
{
	if (size < 16)
		return damaged(p, place(p), "data of a processor's trace without a size");
	p->payload = perf_u64(record + 8);
	return 0;
}

static int finish_tracing(struct perf *p)
{
	int ret = read_tracing(p, p->tracing, p->tracing_size, p->tracing_offset);

	free(p->tracing);
	p->tracing = NULL;
	return ret;
}

static int add_tracing(struct perf *p, const uint8_t *data, size_t n)
{
	size_t room = p->tracing_room;
	uint8_t *bigger;

	while (room - p->tracing_size < n)
		room *= 2;
	if (room > p->tracing_room) {
		bigger = realloc(p->tracing, room);
		if (!bigger)
			return out_of_memory(p);
		p->tracing = bigger;
		p->tracing_room = room;
	}
	memcpy(p->tracing + p->tracing_size, data, n);
	p->tracing_size += n;
	return 0;
}

/* As much as there is of what follows a record. */
static int take_payload(struct perf *p, struct feed *f)
{
	uint64_t n = f->end - f->at;

	if (n > p->payload)
		n = p->payload;
	if (p->tracing && add_tracing(p, f->chunk->bytes + f->at, n))
		return -1;
	f->at += n;
	p->payload -= n;
	return !p->payload && p->tracing ? finish_tracing(p) : 0;
}

static int finish_round(struct perf *p)
{
	if (p->gap && put_gap(p, p->file.chunk, 0))
		return -1;
	return perf_window_round(&p->window, p->err);
}

static int unpack(struct perf *p, const uint8_t *data, size_t size);

static int read_user(struct perf *p, const uint8_t *record, uint32_t size, uint32_t type)
{
	switch (type) {
	case RECORD_ATTR:
		return read_attr(p, record, size);
	case RECORD_TRACING_DATA:
		return begin_tracing(p, record, size);
	case RECORD_FINISHED_ROUND:
		return finish_round(p);
	case RECORD_ID_INDEX:
		return read_id_index(p, record, size);
	case RECORD_AUXTRACE:
		return begin_auxtrace(p, record, size);
	case RECORD_FEATURE:
		if (size < 16)
			return damaged(p, place(p), "a part of the header that is too short");
		return read_feature(p, perf_u64(record + 8), record + 16, size - 16, place(p) + 16);
	case RECORD_COMPRESSED:
		return unpack(p, record + RECORD_HEADER, size - RECORD_HEADER);
	default:
		return 0;
	}
}

/* ---- compressed records ---- */

#define PACKED_HEADER 16u
#define PACKED_MOST 65519u /* bytes that perf compresses to at most at a time */

struct packed {
	uint32_t size; /* in the file */
	uint32_t data; /* bytes of compressed data in it */
	uint64_t lump; /* bytes of the same lump that follow */
};

/*
 * How long a record with compressed data is. perf of Linux 6.16 and some after it wrote lengths
 * that do not fit into their fields: then the first record of a lump says, modulo 65536 and rounded
 * up, how long the lump is; each of the others has its own length, but not that of its data.
 * Return: whether it makes sense.
 */
static bool measure_packed(const struct perf *p, const uint8_t *record, struct packed *k)
{
	uint64_t size = perf_u16(record + 6), data = perf_u64(record + 8), all;

	k->lump = 0;
	k->size = (uint32_t)size;
	if (p->lump) {
		k->data = k->size - PACKED_HEADER;
		k->lump = p->lump - size;
		return perf_u32(record) == RECORD_COMPRESSED2 && size >= PACKED_HEADER &&
		       size <= p->lump;
	}
	if (size >= PACKED_HEADER && data <= size - PACKED_HEADER) {
		k->data = (uint32_t)data;
		return true;
	}
	if (data > UINT32_MAX)
		return false;
	all = PACKED_HEADER + data;
	k->data = data < PACKED_MOST ? (uint32_t)data : PACKED_MOST;
	k->size = PACKED_HEADER + k->data;
	k->lump = all - k->size;
	return (uint16_t)((all + 7) & ~7ull) == size;
}

static int walk_unpacked(struct perf *p)
{
	struct feed *f = &p->unpacked;
	const uint8_t *record;
	uint32_t type, size;

	for (; f->end - f->at >= RECORD_HEADER; f->at += size) {
		record = f->chunk->bytes + f->at;
		type = perf_u32(record);
		size = perf_u16(record + 6);
		if (size < RECORD_HEADER || type >= RECORD_USER)
			return damaged(p, place(p),
				       "compressed data that are no records of the kernel's");
		if (f->end - f->at < size)
			break;
		if (read_kernel(p, f->chunk, record, size, type))
			return -1;
	}
	return 0;
}

static int unpack(struct perf *p, const uint8_t *data, size_t size)
{
	struct feed *f = &p->unpacked;
	ZSTD_inBuffer in = { data, size, 0 };
	ZSTD_outBuffer out;
	size_t rc;

	if (!p->zstd)
		p->zstd = ZSTD_createDCtx();
	if (!p->zstd)
		return out_of_memory(p);
	do {
		if (feed_room(p, f))
			return -1;
		out = (ZSTD_outBuffer){ f->chunk->bytes, PERF_CHUNK_BYTES, f->end };
		rc = ZSTD_decompressStream(p->zstd, &out, &in);
		if (ZSTD_isError(rc))
			return damaged(p, place(p), "compressed records that cannot be unpacked");
		f->end = out.pos;
		if (walk_unpacked(p))
			return -1;
	} while (in.pos < in.size || out.pos == out.size);
	return 0;
}

/* Return: 1 if it was read, 0 if more bytes are needed, or -1. */
static int read_packed(struct perf *p, const uint8_t *record, size_t there)
{
	struct packed k;

	if (there < PACKED_HEADER)
		return 0;
	if (!measure_packed(p, record, &k))
		return damaged(p, place(p), "a length of compressed records that is wrong");
	if (there < k.size)
		return 0;
	if (unpack(p, record + PACKED_HEADER, k.data))
		return -1;
	p->lump = k.lump;
	p->file.at += k.size;
	return 1;
}

/* ---- the records of a file ---- */

static int read_record(struct perf *p, const uint8_t *record, uint32_t size, uint32_t type)
{
	if (type >= RECORD_USER)
		return read_user(p, record, size, type);
	return read_kernel(p, p->file.chunk, record, size, type);
}

/* Return: 0 if more bytes are needed, or -1. */
static int walk_file(struct perf *p)
{
	struct feed *f = &p->file;
	const uint8_t *record;
	uint32_t type, size;
	int rc;

	for (;;) {
		if (p->payload && take_payload(p, f))
			return -1;
		if (p->payload || f->end - f->at < RECORD_HEADER)
			return 0;
		record = f->chunk->bytes + f->at;
		type = perf_u32(record);
		size = perf_u16(record + 6);
		if (type == RECORD_COMPRESSED2 || p->lump) {
			rc = read_packed(p, record, f->end - f->at);
			if (rc <= 0)
				return rc;
			continue;
		}
		if (size < RECORD_HEADER)
			return damaged(p, place(p), "a record that is too short");
		if (f->end - f->at < size)
			return 0;
		if (read_record(p, record, size, type))
			return -1;
		f->at += size;
	}
}

/* What perf says was dropped, and no record told where. */
static int tell_dropped(struct perf *p)
{
	struct losses *l = &p->losses;
	uint64_t left = 0, n;
	struct cpu_losses *at;

	for (size_t i = 0; i < p->events.ids_room; i++) {
		const struct perf_id *id = &p->events.ids[i];

		if (!id->event || !id->lost || !may_be_kept(p, id))
			continue;
		at = losses_of(p, id->cpu);
		if (!at)
			return -1;
		at->dropped += id->lost;
		left += id->lost;
	}
	if (left <= l->told_in_all)
		return 0;
	left -= l->told_in_all;
	for (uint32_t cpu = 0; cpu < l->n && left; cpu++) {
		at = &l->cpus[cpu];
		n = at->dropped > at->told ? at->dropped - at->told : 0;
		n = n < left ? n : left;
		left -= n;
		if (n && p->sink->lost(p->sink->arg, p->window.now, cpu, n))
			return sink_error(p);
	}
	if (left && p->sink->lost(p->sink->arg, p->window.now, IMPORT_NO_CPU, left))
		return sink_error(p);
	return 0;
}

#define ENDS_EARLY                                                                                 \
	"the file ends too early; copy it again, or record again and let perf record finish (end " \
	"it with "                                                                                 \
	"Ctrl-C, not with kill -9)"

static int read_records(struct perf *p)
{
	int rc;

	while ((rc = feed_read(p)) > 0)
		if (walk_file(p))
			return -1;
	if (rc)
		return -1;
	if (p->file.at < p->file.end || p->payload || p->lump || p->unpacked.at < p->unpacked.end)
		cut_short(p, place(p), ENDS_EARLY);
	if (p->gap && put_gap(p, p->file.chunk, 0))
		return -1;
	if (perf_window_end(&p->window, p->err) || tell_dropped(p))
		return -1;
	if (!*p->cut.text)
		return 0;
	if (p->err)
		*p->err = p->cut;
	return -1;
}

/* ---- the header of a file ---- */

#define SECTION 16u	      /* bytes that say where a part is and how long */
#define ATTR_ROOM 4096u	      /* bytes that attributes may have */
#define TEXTS_ROOM (1u << 20) /* and a part with texts */

static int read_ids(struct perf *p, uint64_t offset, uint64_t size)
{
	uint8_t ids[4096];
	const char *wrong;
	uint64_t n;

	if (!is_inside(p, offset, size))
		return refused(p, offset, ENDS_EARLY);
	/* No two events share ids, so all of them take less room than the file has. */
	p->ids_bytes += size;
	if (p->ids_bytes > p->size)
		return damaged(p, offset, "ids of events that overlap");
	for (; size >= 8; offset += n, size -= n) {
		n = size < sizeof(ids) ? size & ~7ull : sizeof(ids);
		if (read_at(p, ids, n, offset) < (ssize_t)n)
			return refused(p, offset, ENDS_EARLY);
		wrong = perf_events_add_ids(&p->events, ids, n / 8);
		if (wrong)
			return damaged(p, offset, wrong);
	}
	return 0;
}

static int read_attrs(struct perf *p, const uint8_t *header)
{
	uint64_t each = perf_u64(header + HEADER_ATTR_SIZE),
		 offset = perf_u64(header + HEADER_ATTRS);
	uint64_t size = perf_u64(header + HEADER_ATTRS + 8);
	uint8_t entry[ATTR_ROOM + SECTION];
	uint32_t attr;

	if (each < PERF_ATTR_LEAST + SECTION || each > sizeof(entry))
		return damaged(p, HEADER_ATTR_SIZE, "attributes of events of an impossible size");
	if (!is_inside(p, offset, size))
		return refused(p, offset, ENDS_EARLY);
	for (; size >= each; offset += each, size -= each) {
		if (read_at(p, entry, each, offset) < (ssize_t)each)
			return refused(p, offset, ENDS_EARLY);
		attr = perf_u32(entry + 4);
		if (attr > each - SECTION)
			attr = each - SECTION;
		if (attr < PERF_ATTR_LEAST)
			attr = PERF_ATTR_LEAST;
		if (add_event(p, entry, attr, offset) ||
		    read_ids(p, perf_u64(entry + each - SECTION), perf_u64(entry + each - 8)))
			return -1;
	}
	return 0;
}

static int read_part(struct perf *p, uint64_t feature, uint64_t offset, uint64_t size)
{
	uint8_t *data;
	int ret = -1;

	if (size > (feature == FEATURE_TRACING_DATA ? PERF_TRACING_BYTES : TEXTS_ROOM))
		return damaged(p, offset, "a part of the header that is too long");
	data = malloc(size + 1);
	if (!data)
		return out_of_memory(p);
	if (read_at(p, data, size, offset) == (ssize_t)size)
		ret = read_feature(p, feature, data, size, offset);
	else
		refused(p, offset, ENDS_EARLY);
	free(data);
	return ret;
}

/* Parts other than records: a table of them stands behind these. */
static int read_parts(struct perf *p, const uint8_t *header, uint64_t table)
{
	uint8_t section[SECTION];
	uint64_t offset, size;

	for (uint64_t i = 0; i < FEATURES; i++) {
		if (!(perf_u64(header + HEADER_FEATURES + i / 64 * 8) >> i % 64 & 1))
			continue;
		if (!is_inside(p, table, SECTION)) {
			cut_short(p, table, ENDS_EARLY);
			return 0;
		}
		if (read_at(p, section, SECTION, table) < (ssize_t)SECTION)
			return refused(p, table, ENDS_EARLY);
		table += SECTION;
		offset = perf_u64(section);
		size = perf_u64(section + 8);
		if (!is_wanted(i))
			continue;
		if (!is_inside(p, offset, size))
			cut_short(p, offset, ENDS_EARLY);
		else if (read_part(p, i, offset, size))
			return -1;
	}
	return 0;
}

static int read_file(struct perf *p)
{
	uint8_t header[FILE_HEADER];
	uint64_t offset, size;
	ssize_t n = read_at(p, header, sizeof(header), 0);

	if (n < (ssize_t)sizeof(header))
		return n < 0 ? -1 : refused(p, (unsigned long long)n, ENDS_EARLY);
	offset = perf_u64(header + HEADER_DATA);
	size = perf_u64(header + HEADER_DATA + 8);
	if (offset < FILE_HEADER)
		return damaged(p, HEADER_DATA, "records in the header");
	if (read_attrs(p, header))
		return -1;
	if (!size)
		cut_short(p, HEADER_DATA,
			  "perf record was killed before it finished, so the formats of the events "
			  "are "
			  "missing; record again and end perf record with Ctrl-C");
	else if (!is_inside(p, offset, size))
		cut_short(p, p->size, ENDS_EARLY);
	else if (read_parts(p, header, offset + size))
		return -1;
	if (*p->cut.text && (!size || !is_inside(p, offset, size)))
		size = offset < p->size ? p->size - offset : 0;
	if (lseek(p->fd, (off_t)offset, SEEK_SET) < 0)
		return ut_error_set(p->err, "%s: cannot seek: %s", p->path, strerror(errno));
	p->file.offset = offset;
	p->left = size;
	return read_records(p);
}

static int read_piped(struct perf *p)
{
	if (p->size && lseek(p->fd, PIPE_HEADER, SEEK_SET) < 0)
		return ut_error_set(p->err, "%s: cannot seek: %s", p->path, strerror(errno));
	p->file.offset = PIPE_HEADER;
	p->left = UINT64_MAX;
	return read_records(p);
}

/* ---- which kind of file ---- */

static const uint8_t magic[] = { 'P', 'E', 'R', 'F', 'I', 'L', 'E', '2' };
static const uint8_t magic_first[] = { 'P', 'E', 'R', 'F', 'F', 'I', 'L', 'E' };

/* On a machine of the other byte order, the same number is written the other way round. */
static bool is_swapped(const uint8_t *head)
{
	for (size_t i = 0; i < sizeof(magic); i++)
		if (head[i] != magic[sizeof(magic) - 1 - i])
			return false;
	return true;
}

bool perf_recognise(const void *head, size_t size)
{
	return size >= sizeof(magic) &&
	       (!memcmp(head, magic, sizeof(magic)) ||
		!memcmp(head, magic_first, sizeof(magic_first)) || is_swapped(head));
}

static int read_any(struct perf *p)
{
	uint8_t head[PIPE_HEADER];
	size_t n = 0;
	ssize_t got = 1;

	while (n < sizeof(head) && got > 0) {
		got = p->size ? pread(p->fd, head + n, sizeof(head) - n, (off_t)n)
			      : read(p->fd, head + n, sizeof(head) - n);
		if (got < 0 && errno != EINTR)
			return ut_error_set(p->err, "%s: cannot read: %s", p->path,
					    strerror(errno));
		n += got < 0 ? 0 : (size_t)got;
		got = got < 0 ? 1 : got;
	}
	if (!perf_recognise(head, n))
		return ut_error_set(p->err, "%s: is not a recording of perf", p->path);
	if (is_swapped(head))
		return refused(p, 0,
			       "it was recorded on a machine with the other byte order, which is "
			       "none that "
			       "is known here; record on x86-64");
	if (memcmp(head, magic, sizeof(magic)) != 0)
		return refused(p, 0,
			       "it is of a perf older than 3.0, which cannot be read; record with "
			       "a newer one");
	if (n < sizeof(head))
		return refused(p, n, ENDS_EARLY);
	if (perf_u64(head + HEADER_SIZE) == PIPE_HEADER)
		return read_piped(p);
	if (perf_u64(head + HEADER_SIZE) != FILE_HEADER)
		return damaged(p, HEADER_SIZE, "a header of an impossible size");
	if (!p->size)
		return refused(p, 0, "such a file cannot be read from a pipe; give its name");
	return read_file(p);
}

int perf_read(int fd, const char *path, struct import_sink *sink, struct ut_error *err)
{
	struct perf p = {
		.fd = fd,
		.path = path,
		.sink = sink,
		.err = err,
		.window = { .path = path, .sink = sink, .most = PERF_WINDOW_BYTES },
	};
	struct stat st;
	int ret;

	if (fstat(fd, &st))
		return ut_error_set(err, "%s: cannot be examined: %s", path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return ut_error_set(
			err,
			"%s: is a folder, as perf record --threads makes it, which cannot be read; "
			"record without --threads",
			path);
	if (S_ISREG(st.st_mode))
		p.size = (uint64_t)st.st_size;
	ret = read_any(&p);
	perf_window_free(&p.window);
	perf_events_free(&p.events);
	ZSTD_freeDCtx(p.zstd);
	free(p.tracing);
	free(p.losses.cpus);
	return ret;
}
