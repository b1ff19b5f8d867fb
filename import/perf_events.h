/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The events of a perf.data: how their samples are laid out, and which samples are theirs.
 *
 * Each event has attributes (perf_event_attr of the kernel's interface) that say which fields its
 * samples have, and what stands at the end of all other records; and one id for each CPU or thread.
 */
#ifndef UNSYNC_IMPORT_PERF_EVENTS_H
#define UNSYNC_IMPORT_PERF_EVENTS_H

#include <string.h>

#include "import/record.h"

#define PERF_ATTR_LEAST 64u /* bytes of attributes, in their first version */

#define PERF_TYPE_TRACEPOINT 2u

/*
 * Places are bytes from the beginning of the record, or, of a tail, from its end; 0: there is no
 * such.
 */
struct perf_event {
	uint64_t samples; /* fields that they have, as bits */
	uint64_t values;  /* layout of counters' values, as bits */
	uint32_t type;
	bool kept;	/* its samples hold records of tracepoints */
	bool tails;	/* records other than samples have the fields that follow */
	bool has_clock; /* one was asked for */
	int32_t clock;
	uint16_t time, tid, cpu, id;
	uint16_t fixed; /* bytes in front of the fields that have no fixed size */
	uint16_t tail, tail_time, tail_cpu, tail_id;
};

/* One event on one CPU, or in one thread. */
struct perf_id {
	uint64_t id;
	uint64_t lost;	/* samples that the kernel says it dropped */
	uint32_t event; /* number of it and 1; 0: this place is free */
	uint32_t cpu;
};

struct perf_events {
	struct perf_event *events;
	size_t n, room;
	struct perf_id *ids; /* a hash table */
	size_t n_ids, ids_room;
	bool alike; /* all have the same layout */
};

/* A tracepoint's record within a sample. */
struct perf_raw {
	const uint8_t *data;
	uint32_t size;
};

static inline uint16_t perf_u16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t perf_u32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t perf_u64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* What is wrong if there is no memory. */
extern const char perf_events_no_memory[];

/**
 * perf_events_add() - one more event
 * @attr: its attributes
 * @size: bytes of them, at least PERF_ATTR_LEAST; what newer versions have more is not needed
 *
 * Return: NULL, or what is wrong.
 */
const char *perf_events_add(struct perf_events *ev, const uint8_t *attr, size_t size);

/**
 * perf_events_add_ids() - ids of the event that was added last
 * @ids: numbers of 8 bytes each
 * @n: how many
 *
 * Return: NULL, or what is wrong.
 */
const char *perf_events_add_ids(struct perf_events *ev, const uint8_t *ids, size_t n);

/**
 * perf_events_check() - can records be told apart?
 *
 * To be called when events have been added. Return: NULL, or what is wrong.
 */
const char *perf_events_check(struct perf_events *ev);

/**
 * perf_events_id() - what is known of an id, or NULL
 */
struct perf_id *perf_events_id(const struct perf_events *ev, uint64_t id);

/**
 * perf_events_of_sample() - whose sample is this?
 * @record: with its header
 * @size: bytes of it
 *
 * Return: the event, or NULL if there is no such.
 */
const struct perf_event *perf_events_of_sample(const struct perf_events *ev, const uint8_t *record,
					       uint32_t size);

/**
 * perf_events_of_tail() - which event laid out the end of a record that is no sample?
 *
 * Return: the event, or NULL if there is no such.
 */
const struct perf_event *perf_events_of_tail(const struct perf_events *ev, const uint8_t *record,
					     uint32_t size);

/**
 * perf_event_raw() - find the tracepoint's record in a sample
 * @e: the sample's event
 * @record: the sample
 * @size: bytes of it, at least those that are fixed
 * @raw: filled in
 *
 * Return: false if the sample is too short for what it should have.
 */
bool perf_event_raw(const struct perf_event *e, const uint8_t *record, uint32_t size,
		    struct perf_raw *raw);

/**
 * perf_events_note_values() - learn from a counter's values how many samples were dropped
 * @e: the counter's event
 * @values: as its layout says
 * @size: bytes of them
 */
void perf_events_note_values(struct perf_events *ev, const struct perf_event *e,
			     const uint8_t *values, uint32_t size);

/**
 * perf_events_free() - give their memory back
 */
void perf_events_free(struct perf_events *ev);

#endif
