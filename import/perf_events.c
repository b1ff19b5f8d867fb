// SPDX-License-Identifier: GPL-2.0-only
#include "import/perf_events.h"

#include <stdlib.h>

#define EVENTS_MOST 16384u
#define IDS_MOST (4u << 20)
#define FIRST_IDS 256u
#define FARTHEST 256u /* places that an id may be away from its own */

#define HEADER_BYTES 8u
#define WORD 8u /* every field begins at a multiple of this */

/* Fields of samples, in the numbering of the kernel's interface, which is not their order. */
enum {
	SAMPLE_IP = 1u << 0,
	SAMPLE_TID = 1u << 1,
	SAMPLE_TIME = 1u << 2,
	SAMPLE_ADDR = 1u << 3,
	SAMPLE_READ = 1u << 4,
	SAMPLE_CALLCHAIN = 1u << 5,
	SAMPLE_ID = 1u << 6,
	SAMPLE_CPU = 1u << 7,
	SAMPLE_PERIOD = 1u << 8,
	SAMPLE_STREAM_ID = 1u << 9,
	SAMPLE_RAW = 1u << 10,
	SAMPLE_IDENTIFIER = 1u << 16,
};

/* What is there besides a counter's value. */
enum {
	VALUE_TIME_ENABLED = 1u << 0,
	VALUE_TIME_RUNNING = 1u << 1,
	VALUE_ID = 1u << 2,
	VALUE_GROUP = 1u << 3,
	VALUE_LOST = 1u << 4,
};

/* Where things stand in a perf_event_attr, and the bits of its flags. */
enum {
	ATTR_TYPE = 0,
	ATTR_SAMPLE_TYPE = 24,
	ATTR_READ_FORMAT = 32,
	ATTR_FLAGS = 40,
	ATTR_CLOCK = 92,
	FLAG_SAMPLE_ID_ALL = 18,
	FLAG_USE_CLOCKID = 25,
};

const char perf_events_no_memory[] = "out of memory";

/* ---- layout ---- */

static void lay_out_sample(struct perf_event *e)
{
	static const uint32_t order[] = { SAMPLE_IDENTIFIER, SAMPLE_IP,	  SAMPLE_TID,
					  SAMPLE_TIME,	     SAMPLE_ADDR, SAMPLE_ID,
					  SAMPLE_STREAM_ID,  SAMPLE_CPU,  SAMPLE_PERIOD };
	uint16_t at = HEADER_BYTES;

	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++) {
		if (!(e->samples & order[i]))
			continue;
		if (order[i] == SAMPLE_TID)
			e->tid = at;
		else if (order[i] == SAMPLE_TIME)
			e->time = at;
		else if (order[i] == SAMPLE_CPU)
			e->cpu = at;
		else if (order[i] == SAMPLE_IDENTIFIER || (order[i] == SAMPLE_ID && !e->id))
			e->id = at;
		at += WORD;
	}
	e->fixed = at;
}

static void lay_out_tail(struct perf_event *e)
{
	static const uint32_t order[] = { SAMPLE_IDENTIFIER, SAMPLE_CPU,  SAMPLE_STREAM_ID,
					  SAMPLE_ID,	     SAMPLE_TIME, SAMPLE_TID };
	uint16_t at = 0;

	for (size_t i = 0; e->tails && i < sizeof(order) / sizeof(*order); i++) {
		if (!(e->samples & order[i]))
			continue;
		at += WORD;
		if (order[i] == SAMPLE_TIME)
			e->tail_time = at;
		else if (order[i] == SAMPLE_CPU)
			e->tail_cpu = at;
		else if (order[i] == SAMPLE_IDENTIFIER || (order[i] == SAMPLE_ID && !e->tail_id))
			e->tail_id = at;
	}
	e->tail = at;
}

const char *perf_events_add(struct perf_events *ev, const uint8_t *attr, size_t size)
{
	struct perf_event e = { 0 };
	struct perf_event *events;
	uint64_t flags;
	size_t room;

	if (ev->n == ev->room) {
		if (ev->n >= EVENTS_MOST)
			return "more events than perf can record";
		room = ev->room ? 2 * ev->room : 64;
		events = realloc(ev->events, room * sizeof(*events));
		if (!events)
			return perf_events_no_memory;
		ev->events = events;
		ev->room = room;
	}
	flags = perf_u64(attr + ATTR_FLAGS);
	e.type = perf_u32(attr + ATTR_TYPE);
	e.samples = perf_u64(attr + ATTR_SAMPLE_TYPE);
	e.values = perf_u64(attr + ATTR_READ_FORMAT);
	e.tails = flags >> FLAG_SAMPLE_ID_ALL & 1;
	if (size >= ATTR_CLOCK + sizeof(uint32_t)) {
		e.has_clock = flags >> FLAG_USE_CLOCKID & 1;
		e.clock = (int32_t)perf_u32(attr + ATTR_CLOCK);
	}
	e.kept = e.type == PERF_TYPE_TRACEPOINT && e.samples & SAMPLE_RAW;
	lay_out_sample(&e);
	lay_out_tail(&e);
	ev->events[ev->n++] = e;
	return NULL;
}

static bool are_alike(const struct perf_event *a, const struct perf_event *b)
{
	return a->type == b->type && a->samples == b->samples && a->values == b->values &&
	       a->tails == b->tails;
}

const char *perf_events_check(struct perf_events *ev)
{
	const struct perf_event *first = ev->events;

	ev->alike = true;
	for (size_t i = 0; i < ev->n; i++) {
		const struct perf_event *e = &ev->events[i];

		if (e->type == PERF_TYPE_TRACEPOINT && !(e->samples & SAMPLE_RAW))
			return "tracepoints were recorded without their data; record them with "
			       "perf record -R";
		if (e->type == PERF_TYPE_TRACEPOINT && !e->time)
			return "tracepoints were recorded without the time; record them with "
			       "perf record -T";
		if (are_alike(e, first))
			continue;
		ev->alike = false;
		if (!e->id || e->id != first->id || e->tails != first->tails ||
		    e->tail_id != first->tail_id)
			return "samples of different events cannot be told apart; record the "
			       "events "
			       "of KVM alone: perf record -e 'kvm:*' -e 'kvmmmu:*'";
	}
	return NULL;
}

/* ---- ids ---- */

static size_t own_place_of(const struct perf_events *ev, uint64_t id)
{
	return (id * 0x9e3779b97f4a7c15ull >> 32) & (ev->ids_room - 1);
}

static size_t place_of(const struct perf_events *ev, uint64_t id)
{
	size_t at = own_place_of(ev, id);

	while (ev->ids[at].event && ev->ids[at].id != id)
		at = (at + 1) & (ev->ids_room - 1);
	return at;
}

struct perf_id *perf_events_id(const struct perf_events *ev, uint64_t id)
{
	struct perf_id *p;

	if (!ev->ids_room)
		return NULL;
	p = &ev->ids[place_of(ev, id)];
	return p->event ? p : NULL;
}

static bool make_room_for_ids(struct perf_events *ev, size_t n)
{
	struct perf_events bigger = { .ids_room = ev->ids_room ? ev->ids_room : FIRST_IDS };

	while (bigger.ids_room < 2 * (ev->n_ids + n))
		bigger.ids_room *= 2;
	if (bigger.ids_room == ev->ids_room)
		return true;
	bigger.ids = calloc(bigger.ids_room, sizeof(*bigger.ids));
	if (!bigger.ids)
		return false;
	for (size_t i = 0; i < ev->ids_room; i++)
		if (ev->ids[i].event)
			bigger.ids[place_of(&bigger, ev->ids[i].id)] = ev->ids[i];
	free(ev->ids);
	ev->ids = bigger.ids;
	ev->ids_room = bigger.ids_room;
	return true;
}

const char *perf_events_add_ids(struct perf_events *ev, const uint8_t *ids, size_t n)
{
	size_t at;
	uint64_t id;

	if (n > IDS_MOST || ev->n_ids + n > IDS_MOST)
		return "more ids of events than perf can record";
	if (!make_room_for_ids(ev, n))
		return perf_events_no_memory;
	for (size_t i = 0; i < n; i++) {
		id = perf_u64(ids + 8 * i);
		at = place_of(ev, id);
		/* 0 is nobody's: perf writes it into records that it made up itself. */
		if (!id || ev->ids[at].event)
			continue;
		/* The kernel counts ids up: only made up ones can all want the same place. */
		if (((at - own_place_of(ev, id)) & (ev->ids_room - 1)) > FARTHEST)
			return "ids of events that no kernel gives";
		ev->ids[at] = (struct perf_id){ .id = id, .event = ev->n, .cpu = IMPORT_NO_CPU };
		ev->n_ids++;
	}
	return NULL;
}

static const struct perf_event *event_by_id(const struct perf_events *ev, uint64_t id)
{
	const struct perf_id *p;

	if (!id)
		return ev->events;
	p = perf_events_id(ev, id);
	return p ? &ev->events[p->event - 1] : NULL;
}

const struct perf_event *perf_events_of_sample(const struct perf_events *ev, const uint8_t *record,
					       uint32_t size)
{
	uint16_t at;

	if (ev->alike || !ev->n)
		return ev->events;
	at = ev->events->id;
	return at + WORD <= size ? event_by_id(ev, perf_u64(record + at)) : NULL;
}

const struct perf_event *perf_events_of_tail(const struct perf_events *ev, const uint8_t *record,
					     uint32_t size)
{
	uint16_t at;

	if (ev->alike || !ev->n || !ev->events->tails)
		return ev->events;
	at = ev->events->tail_id;
	return HEADER_BYTES + at <= size ? event_by_id(ev, perf_u64(record + size - at)) : NULL;
}

/* ---- what a sample holds ---- */

/* Bytes of a counter's values; 0: there are fewer. */
static uint64_t values_size(const struct perf_event *e, const uint8_t *values, uint32_t size)
{
	uint64_t times = !!(e->values & VALUE_TIME_ENABLED) + !!(e->values & VALUE_TIME_RUNNING);
	uint64_t each = 1 + !!(e->values & VALUE_ID) + !!(e->values & VALUE_LOST);
	uint64_t words = times + each, n;

	if (e->values & VALUE_GROUP) {
		if (size < WORD)
			return 0;
		n = perf_u64(values);
		if (n > size / WORD)
			return 0;
		words = 1 + times + n * each;
	}
	return words <= size / WORD ? words * WORD : 0;
}

void perf_events_note_values(struct perf_events *ev, const struct perf_event *e,
			     const uint8_t *values, uint32_t size)
{
	uint64_t bytes = values_size(e, values, size);
	bool group = e->values & VALUE_GROUP;
	uint64_t each, at;
	struct perf_id *p;

	if (!(e->values & VALUE_ID) || !(e->values & VALUE_LOST))
		return;
	/*
	 * Value, id and lost of each counter of a group, after the times. A single counter's times
	 * stand between the first two of these, which makes no difference to where the others are.
	 */
	each = 3 * WORD;
	at = !!(e->values & VALUE_TIME_ENABLED) + !!(e->values & VALUE_TIME_RUNNING) + group;
	for (at *= WORD; at + each <= bytes; at += each) {
		p = perf_events_id(ev, perf_u64(values + at + WORD));
		if (p && perf_u64(values + at + 2 * WORD) > p->lost)
			p->lost = perf_u64(values + at + 2 * WORD);
	}
}

bool perf_event_raw(const struct perf_event *e, const uint8_t *record, uint32_t size,
		    struct perf_raw *raw)
{
	uint64_t at = e->fixed, n;

	if (e->samples & SAMPLE_READ) {
		n = values_size(e, record + at, size - at);
		if (!n)
			return false;
		at += n;
	}
	if (e->samples & SAMPLE_CALLCHAIN) {
		if (at + WORD > size)
			return false;
		n = perf_u64(record + at);
		if (n > size / WORD)
			return false;
		at += WORD + n * WORD;
	}
	if (at + sizeof(uint32_t) > size)
		return false;
	raw->size = perf_u32(record + at);
	raw->data = record + at + sizeof(uint32_t);
	return raw->size <= size - at - sizeof(uint32_t);
}

void perf_events_free(struct perf_events *ev)
{
	free(ev->events);
	free(ev->ids);
}
