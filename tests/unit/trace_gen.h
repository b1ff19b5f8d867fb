/* SPDX-License-Identifier: GPL-2.0-only */
/* Made-up events for the tests of the trace library: arbitrary ones, and those of a small guest. */
#ifndef UNSYNC_TESTS_TRACE_GEN_H
#define UNSYNC_TESTS_TRACE_GEN_H

#include "trace/trace.h"

/* Memory and time are then not what they are otherwise. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED __has_feature(address_sanitizer)
#else
#define SANITIZED 0
#endif

/* Reproducible numbers. */
struct gen {
	uint64_t state;
	uint64_t time;
	struct ut_entry entries[UT_TABLE_ENTRIES];
	char text[300];
};

uint64_t gen_number(struct gen *g);

/* An arbitrary well-formed event of any kind; what it points to stays until the next call. */
void gen_any(struct gen *g, struct ut_event *e);

/* Takes one event; anything but 0 stops the guest. */
typedef int (*gen_sink)(void *arg, const struct ut_event *e);

/**
 * gen_guest() - what an exact capture of a guest that forks and execs would hold
 * @seed: of the layout and the times
 * @forks: child processes one after the other
 * @sink: gets each event
 * @arg: for the sink
 *
 * The guest has one vCPU, a direct map, an allocator that hands out the page freed last, and processes
 * whose tables are copied, filled by demand, and emptied at exit.
 *
 * Return: 0, or what the sink returned.
 */
int gen_guest(uint64_t seed, unsigned int forks, gen_sink sink, void *arg);

/* Are two events the same in every field that means something? */
int gen_same(const struct ut_event *a, const struct ut_event *b);

#endif
