// SPDX-License-Identifier: GPL-2.0-only
#include "import/perf_file.h"

#include <stdlib.h>

#define COUNT_MOST (1ull << 48) /* of lost records: no machine has made more */
#define CPUS_MOST 65536u

/* Kinds of records. */
enum {
	RECORD_LOST = 2,
	RECORD_COMM = 3,
	RECORD_THROTTLE = 5,
	RECORD_FORK = 7,
	RECORD_READ = 8,
	RECORD_SAMPLE = 9,
	RECORD_LOST_SAMPLES = 13,
};

#define LOST_SAMPLES_FILTERED (1u << 15) /* in a record's flags: they were not wanted */

/* A record can only be understood once the events are known. */
static int check_events(struct perf *p)
{
	const char *wrong;

	p->checked = true;
	if (!p->events.n)
		return perf_damaged(p, perf_place(p),
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
		return perf_tell_clock(p, &p->events.events[i]);
	}
	return 0;
}

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
	if (!e || PERF_RECORD_HEADER + e->tail > size)
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
		return perf_damaged(p, perf_place(p),
				    "a sample of an event that the file does not describe");
	if (e->fixed > size)
		return perf_damaged(p, perf_place(p), "a sample that is too short");
	if (e->time)
		item.time = perf_u64(record + e->time);
	if (p->gap && put_gap(p, c, item.time))
		return -1;
	if (!e->kept) {
		perf_window_saw(&p->window, item.time);
		return 0;
	}
	if (!perf_event_raw(e, record, size, &raw))
		return perf_damaged(p, perf_place(p), "a sample that is too short");
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

static struct perf_cpu_losses *losses_of(struct perf *p, uint32_t cpu)
{
	struct perf_losses *l = &p->losses;
	struct perf_cpu_losses *cpus;
	uint32_t n;

	if (cpu >= CPUS_MOST)
		return &l->nowhere;
	if (cpu >= l->n) {
		n = cpu < 64 ? 64 : 2 * cpu;
		cpus = realloc(l->cpus, n * sizeof(*cpus));
		if (!cpus) {
			perf_out_of_memory(p);
			return NULL;
		}
		memset(cpus + l->n, 0, (n - l->n) * sizeof(*cpus));
		l->cpus = cpus;
		l->n = n;
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
	struct perf_cpu_losses *at = losses_of(p, cpu);

	if (!at)
		return -1;
	if (size - tail < 24)
		return perf_damaged(p, perf_place(p), "a record of losses that is too short");
	count = perf_u64(record + 16);
	if (count > COUNT_MOST)
		return perf_damaged(p, perf_place(p), "more lost records than there can have been");
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
		return perf_damaged(p, perf_place(p), "a record of losses that is too short");
	count = perf_u64(record + 8);
	if (count > COUNT_MOST)
		return perf_damaged(p, perf_place(p), "more lost samples than there can have been");
	if (e && tail && e->tail_id)
		id = perf_events_id(&p->events, perf_u64(record + size - e->tail_id));
	if (flags & LOST_SAMPLES_FILTERED || !may_be_kept(p, id))
		return 0;
	if (!time) {
		if (!id)
			p->losses.dropped_in_all += count;
		else if (count > id->lost)
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
		return perf_damaged(p, perf_place(p), "a record of throttling that is too short");
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
		return perf_damaged(p, perf_place(p), "a record of a thread that is too short");
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
int perf_read_kernel(struct perf *p, struct perf_chunk *c, const uint8_t *record, uint32_t size,
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

int perf_end_gap(struct perf *p)
{
	return p->gap ? put_gap(p, p->file.chunk, 0) : 0;
}

/* What perf says was dropped, and no record told where. */
int perf_tell_dropped(struct perf *p)
{
	struct perf_losses *l = &p->losses;
	uint64_t left = l->dropped_in_all, n;
	struct perf_cpu_losses *at;

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
			return perf_sink_error(p);
	}
	if (left && p->sink->lost(p->sink->arg, p->window.now, IMPORT_NO_CPU, left))
		return perf_sink_error(p);
	return 0;
}
