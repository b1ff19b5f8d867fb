/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tells from the records of KVM's tracepoints what guests did to their page tables, as far as these
 * show it: events of a trace (trace/event.h) come out. docs/importing.md says what cannot be seen.
 */
#ifndef UNSYNC_IMPORT_STORY_H
#define UNSYNC_IMPORT_STORY_H

#include "import/record.h"
#include "trace/event.h"

struct story;

struct story_options {
	/* Takes an event; what it points to is valid during the call. Returns 0, or -1 to stop. */
	int (*emit)(void *arg, const struct ut_event *e);
	void *arg;
};

/* What came of the records. */
struct story_counts {
	uint64_t records; /* that were handed in */
	uint64_t kvm;	  /* of these, those of KVM's tracepoints that are understood */
	uint64_t events;  /* that came out */
	uint64_t lost;	  /* records that the recording says it lost, as far as it knows how many */
	uint64_t astray;  /* of KVM, but of a thread that no VM could be found for */
};

/**
 * story_new() - Return: a story that nothing is known of, or NULL if out of memory
 */
struct story *story_new(const struct story_options *options);

/**
 * story_sink() - what readers hand their finds to; owned by the story
 */
struct import_sink *story_sink(struct story *s);

/**
 * story_end() - the recording is at its end: tell what is left, and judge it
 * @err: set if nothing can be learnt from it: what is missing, and how to record it
 *
 * Return: 0 or -1.
 */
int story_end(struct story *s, struct ut_error *err);

/**
 * story_fact() - what the recording said, or NULL
 */
const char *story_fact(const struct story *s, enum import_fact fact);

const struct story_counts *story_counts(const struct story *s);

/**
 * story_free() - NULL is allowed
 */
void story_free(struct story *s);

#endif
