// SPDX-License-Identifier: GPL-2.0-only
#include "import/perf_window.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ITEMS 8192u
#define FIRST_RUNS 256u

static int out_of_memory(const struct perf_window *w, struct ut_error *err)
{
	return ut_error_set(err, "%s: out of memory", w->path);
}

/* ---- handing on ---- */

static int hand_on_thread(struct perf_window *w, const struct import_record *item)
{
	char name[64];
	size_t size = item->size & 0xffff;

	if (!item->data)
		return w->sink->thread(w->sink->arg, item->tid, item->pid, NULL);
	if (size >= sizeof(name))
		size = sizeof(name) - 1;
	memcpy(name, item->data, size);
	name[size] = '\0';
	return w->sink->thread(w->sink->arg, item->tid, item->pid, name);
}

static int hand_on(struct perf_window *w, struct import_record *item)
{
	uint64_t count;

	/* Only what came too late is earlier than what went before. */
	if (item->time < w->now)
		item->time = w->now;
	w->now = item->time;
	if (item->size < PERF_ITEM_LOST)
		return w->sink->record(w->sink->arg, item);
	if (item->size >= PERF_ITEM_THREAD)
		return hand_on_thread(w, item);
	count = (uint64_t)item->pid << 32 | item->tid;
	return w->sink->lost(w->sink->arg, item->time, item->cpu, count);
}

static int sink_error(const struct perf_window *w, struct ut_error *err)
{
	if (err)
		*err = w->sink->err;
	return -1;
}

int perf_window_now(struct perf_window *w, const struct import_record *item, struct ut_error *err)
{
	struct import_record copy = *item;

	copy.time = w->now;
	return hand_on(w, &copy) ? sink_error(w, err) : 0;
}

/* ---- runs ---- */

static bool before(const struct perf_run *a, const struct perf_run *b)
{
	return a->time < b->time || (a->time == b->time && a->number < b->number);
}

static void sift_down(struct perf_window *w, size_t i)
{
	struct perf_run run = w->heap[i];
	size_t child;

	while ((child = 2 * i + 1) < w->n_runs) {
		if (child + 1 < w->n_runs && before(&w->heap[child + 1], &w->heap[child]))
			child++;
		if (!before(&w->heap[child], &run))
			break;
		w->heap[i] = w->heap[child];
		i = child;
	}
	w->heap[i] = run;
}

static void sift_up(struct perf_window *w, size_t i)
{
	struct perf_run run = w->heap[i];

	while (i && before(&run, &w->heap[(i - 1) / 2])) {
		w->heap[i] = w->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	w->heap[i] = run;
}

/* The run that grows joins the others. */
static int close_run(struct perf_window *w, struct ut_error *err)
{
	struct perf_run *heap;
	size_t room;

	if (!w->open.chunk)
		return 0;
	if (w->n_runs == w->room) {
		room = w->room ? 2 * w->room : FIRST_RUNS;
		heap = realloc(w->heap, room * sizeof(*heap));
		if (!heap)
			return out_of_memory(w, err);
		w->held += (room - w->room) * sizeof(*heap);
		w->heap = heap;
		w->room = room;
	}
	w->heap[w->n_runs++] = w->open;
	w->open.chunk = NULL;
	sift_up(w, w->n_runs - 1);
	return 0;
}

static void release(struct perf_window *w, struct perf_chunk *c)
{
	c->next = w->free;
	w->free = c;
	w->n_free++;
}

/* Items of the first run, as long as no other run has an earlier one. */
static int play_run(struct perf_window *w, uint64_t limit)
{
	struct perf_run *run = w->heap, other = { .time = UINT64_MAX, .number = UINT64_MAX };
	struct perf_chunk *c = run->chunk;
	struct import_record *items = c->items;
	uint32_t at = run->at, end = run->end;

	if (w->n_runs > 1)
		other = w->heap[1];
	if (w->n_runs > 2 && before(&w->heap[2], &other))
		other = w->heap[2];
	/* Of two that are equally late, this run's goes first if this run is the earlier one. */
	if (run->number > other.number)
		other.time--;
	if (other.time < limit)
		limit = other.time;
	do {
		if (hand_on(w, &items[at]))
			return -1;
	} while (++at < end && items[at].time <= limit);
	c->waiting -= at - run->at;
	if (at < end) {
		run->at = at;
		run->time = items[at].time;
	} else {
		w->heap[0] = w->heap[--w->n_runs];
	}
	if (w->n_runs)
		sift_down(w, 0);
	if (!c->waiting && !c->filling)
		release(w, c);
	return 0;
}

static int hand_on_until(struct perf_window *w, uint64_t limit, struct ut_error *err)
{
	if (close_run(w, err))
		return -1;
	while (w->n_runs && w->heap[0].time <= limit)
		if (play_run(w, limit))
			return sink_error(w, err);
	return 0;
}

int perf_window_round(struct perf_window *w, struct ut_error *err)
{
	uint64_t limit = w->limit;

	w->limit = w->latest;
	return hand_on_until(w, limit, err);
}

int perf_window_end(struct perf_window *w, struct ut_error *err)
{
	return hand_on_until(w, UINT64_MAX, err);
}

/* ---- memory ---- */

/*
 * Room for as much again, at the price of an order that is only right if nothing earlier follows.
 */
static int make_room(struct perf_window *w, struct ut_error *err)
{
	uint32_t enough = w->n_chunks / 2;

	if (close_run(w, err))
		return -1;
	while (w->n_runs && w->n_free < enough) {
		if (play_run(w, UINT64_MAX))
			return sink_error(w, err);
		w->forced = w->now;
	}
	return 0;
}

static struct perf_chunk *new_chunk(struct perf_window *w, struct ut_error *err)
{
	struct perf_chunk *c = malloc(sizeof(*c));

	if (!c) {
		out_of_memory(w, err);
		return NULL;
	}
	c->items = NULL;
	c->room = 0;
	c->older = w->all;
	w->all = c;
	w->n_chunks++;
	w->held += sizeof(*c);
	return c;
}

struct perf_chunk *perf_window_chunk(struct perf_window *w, struct ut_error *err)
{
	struct perf_chunk *c;

	if (!w->free && w->held + sizeof(*c) > w->most && make_room(w, err))
		return NULL;
	c = w->free;
	if (c) {
		w->free = c->next;
		w->n_free--;
	} else {
		c = new_chunk(w, err);
		if (!c)
			return NULL;
	}
	c->n_items = 0;
	c->waiting = 0;
	c->filling = true;
	return c;
}

void perf_window_filled(struct perf_window *w, struct perf_chunk *c)
{
	if (!c)
		return;
	c->filling = false;
	if (!c->waiting)
		release(w, c);
}

static int grow_items(struct perf_window *w, struct perf_chunk *c, struct ut_error *err)
{
	uint32_t room = c->room ? 2 * c->room : FIRST_ITEMS;
	struct import_record *items = realloc(c->items, room * sizeof(*items));

	if (!items)
		return out_of_memory(w, err);
	w->held += (room - c->room) * sizeof(*items);
	c->items = items;
	c->room = room;
	return 0;
}

int perf_window_add(struct perf_window *w, struct perf_chunk *c, const struct import_record *item,
		    struct ut_error *err)
{
	if (item->time < w->forced)
		return ut_error_set(
			err,
			"%s: records are too far out of order: more than %llu MiB of them would "
			"have to be "
			"kept in memory; record again with smaller buffers (perf record -m 4M)",
			w->path, (unsigned long long)w->most >> 20);
	perf_window_saw(w, item->time);
	if (c->n_items == c->room && grow_items(w, c, err))
		return -1;
	if (c != w->open.chunk || item->time < w->open_last) {
		if (close_run(w, err))
			return -1;
		w->open = (struct perf_run){
			.time = item->time,
			.number = w->runs++,
			.at = c->n_items,
			.chunk = c,
		};
	}
	c->items[c->n_items++] = *item;
	c->waiting++;
	w->open.end = c->n_items;
	w->open_last = item->time;
	return 0;
}

void perf_window_free(struct perf_window *w)
{
	struct perf_chunk *c;

	while ((c = w->all)) {
		w->all = c->older;
		free(c->items);
		free(c);
	}
	free(w->heap);
}
