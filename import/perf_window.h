/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Records of a perf.data that wait until nothing earlier can come any more.
 *
 * perf record empties the buffers of all CPUs in rounds and marks the end of each. What a CPU had
 * before the latest time that one round saw is in the file by the end of the next round; so then,
 * all up to that time can be handed on.
 *
 * The bytes of the records stay where they were read to, in chunks that are used again once all of
 * their records are handed on. Records of one CPU come in order already: such runs are merged,
 * nothing is sorted.
 */
#ifndef UNSYNC_IMPORT_PERF_WINDOW_H
#define UNSYNC_IMPORT_PERF_WINDOW_H

#include "import/record.h"

#define PERF_CHUNK_BYTES (1u << 20)

/* What else waits, told by size; only the low half is a size then. */
#define PERF_ITEM_LOST (1u << 16)   /* count: pid in the high half, tid in the low */
#define PERF_ITEM_THREAD (2u << 16) /* data: its name, not terminated; NULL: none */

struct perf_chunk {
	struct perf_chunk *older; /* of all that there are */
	struct perf_chunk *next;  /* of those that are free */
	struct import_record *items;
	uint32_t n_items, room;
	uint32_t waiting; /* of the items */
	bool filling;	  /* somebody still adds bytes and items */
	uint8_t bytes[PERF_CHUNK_BYTES];
};

/* Items of one chunk in the order of time. */
struct perf_run {
	uint64_t time;	 /* of the first */
	uint64_t number; /* of two items of the same time the one that was added first goes first */
	uint32_t at, end;
	struct perf_chunk *chunk;
};

struct perf_window {
	const char *path; /* for messages */
	struct import_sink *sink;
	uint64_t most; /* bytes of memory that may be taken; the rest is 0 at first */

	struct perf_chunk *all, *free;
	uint32_t n_chunks, n_free;
	uint64_t held;	       /* bytes of memory */
	struct perf_run *heap; /* the run with the earliest first item on top */
	size_t n_runs, room;
	uint64_t runs;	      /* that there were */
	struct perf_run open; /* still growing; chunk NULL: there is none */
	uint64_t open_last;   /* time of its last item */
	uint64_t latest;      /* time of all that was added or seen */
	uint64_t limit;	      /* the same, at the end of the last round */
	uint64_t now;	      /* time of what was handed on last */
	uint64_t forced;      /* time up to which was handed on before its turn, for lack of room */
};

/**
 * perf_window_chunk() - memory to read to
 * @w: the window
 * @err: set on failure
 *
 * If there is no more to be had, the earlier half of what waits is handed on before its turn.
 * Return: a chunk that is being filled, until perf_window_filled(); NULL on failure.
 */
struct perf_chunk *perf_window_chunk(struct perf_window *w, struct ut_error *err);

/**
 * perf_window_filled() - nothing more is added to a chunk; NULL is allowed
 */
void perf_window_filled(struct perf_window *w, struct perf_chunk *c);

/**
 * perf_window_add() - one more item
 * @w: the window
 * @c: being filled; holds the item's data
 * @item: copied; its time is not 0
 * @err: set on failure
 *
 * An item that comes too late for its place is handed on as soon as possible, with the time of that
 * moment.
 * Return: 0 or -1.
 */
int perf_window_add(struct perf_window *w, struct perf_chunk *c, const struct import_record *item,
		    struct ut_error *err);

/**
 * perf_window_now() - hand on an item that has no time: with that of this moment
 *
 * Return: 0 or -1.
 */
int perf_window_now(struct perf_window *w, const struct import_record *item, struct ut_error *err);

/**
 * perf_window_saw() - a record that is of no interest shows how late it is
 */
static inline void perf_window_saw(struct perf_window *w, uint64_t time)
{
	if (time > w->latest && time != UINT64_MAX)
		w->latest = time;
}

/**
 * perf_window_round() - a round is finished: hand on what has waited long enough
 *
 * Return: 0 or -1.
 */
int perf_window_round(struct perf_window *w, struct ut_error *err);

/**
 * perf_window_end() - hand on all that waits
 *
 * Return: 0 or -1.
 */
int perf_window_end(struct perf_window *w, struct ut_error *err);

/**
 * perf_window_free() - give its memory back
 */
void perf_window_free(struct perf_window *w);

#endif
