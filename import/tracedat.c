// SPDX-License-Identifier: GPL-2.0-only
#include "import/tracedat.h"

#include <errno.h>
#include <event-parse.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <trace-cmd.h>
#include <unistd.h>

#include "import/tracedat_file.h"
#include "import/tracedat_pages.h"

#define AHEAD (64u << 10) /* bytes to read at a time */
#define AHEAD_CPUS 256	  /* with more of them, a page at a time */
#define TIDS (4u << 20)	  /* the kernel's own limit */
#define BITS_OF(word) (sizeof(word) * 8)

struct reading {
	const char *path;
	struct import_sink *sink;
	struct ut_error *err;
	struct tracedat_file file;
	ZSTD_DCtx *zstd;
	struct tracecmd_input *head; /* as libtracecmd sees it */
	struct tep_handle *tep;
	uint32_t tid_at; /* in each record */
	struct tracedat_pages *pages;
	size_t n_open;
	size_t *heap; /* of pages: the one whose record is the earliest comes first */
	size_t n_heap;
	uint64_t *named; /* bits: threads whose names were handed on */
	unsigned int n_formats;
	uint64_t time;		      /* of the last record, ns */
	uint64_t told[TRACEDAT_CPUS]; /* losses that were handed on */
};

static int sink_failed(struct reading *r)
{
	*r->err = r->sink->err;
	return -1;
}

/* ---- the head ---- */

/*
 * What libtracecmd makes of the head: names of threads, and where records have theirs. It is given the
 * file by a descriptor of its own, and no plug-ins.
 */
static int open_head(struct reading *r)
{
	struct tep_format_field *tid;
	struct tep_event *event;
	char name[32];
	int again;

	tep_set_loglevel(TEP_LOG_NONE);
	tracecmd_set_loglevel(TEP_LOG_NONE);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", r->file.fd);
	again = open(name, O_RDONLY | O_CLOEXEC);
	if (again < 0)
		return ut_error_set(r->err, "%s: cannot be opened a second time: %s", r->path,
				    strerror(errno));
	close(again);
	r->head = tracecmd_open_head(name, TRACECMD_FL_LOAD_NO_PLUGINS);
	r->tep = r->head ? tracecmd_get_tep(r->head) : NULL;
	event = r->tep ? tep_get_first_event(r->tep) : NULL;
	tid = event ? tep_find_common_field(event, "common_pid") : NULL;
	if (!tid || tid->size != 4 || tid->offset < 0)
		return ut_error_set(
			r->err,
			"%s: libtracecmd cannot make out its head; the file is damaged: "
			"record again",
			r->path);
	r->tid_at = (uint32_t)tid->offset;
	if (tep_get_header_page_size(r->tep) != 8 || tep_get_header_timestamp_size(r->tep) != 8 ||
	    tep_is_old_format(r->tep))
		return ut_error_set(
			r->err,
			"%s: recorded on a 32-bit kernel, or on one before Linux 2.6.31; "
			"only recordings of x86-64 hosts can be read",
			r->path);
	return 0;
}

static int take_format(void *arg, const char *system, const char *text, size_t size)
{
	struct reading *r = arg;

	if (++r->n_formats > IMPORT_FORMATS) {
		ut_error_set(r->err, "%s: more than %u formats of events; the file is damaged",
			     r->path, IMPORT_FORMATS);
		return -1;
	}
	return r->sink->format(r->sink->arg, system, text, size) ? sink_failed(r) : 0;
}

static int tell_fact(struct reading *r, enum import_fact fact, const char *value)
{
	if (!*value || !r->sink->fact(r->sink->arg, fact, value))
		return 0;
	return sink_failed(r);
}

static int tell_head(struct reading *r)
{
	const struct tracedat_file *f = &r->file;
	char recorder[TRACEDAT_TEXT + 16], clock[TRACEDAT_TEXT + 16];

	snprintf(recorder, sizeof(recorder), "trace-cmd%s%s", f->recorder[0] ? " " : "",
		 f->recorder);
	snprintf(clock, sizeof(clock), "%s%s", f->clock, f->clock_mult ? ", as ns" : "");
	if (tell_fact(r, IMPORT_RECORDER, recorder) || tell_fact(r, IMPORT_RELEASE, f->release) ||
	    tell_fact(r, IMPORT_MACHINE, f->machine) || tell_fact(r, IMPORT_CLOCK, clock))
		return -1;
	return tracedat_file_formats(f, take_format, r, r->err) ? -1 : 0;
}

/* ---- records, in the order of time ---- */

static bool earlier(const struct reading *r, size_t a, size_t b)
{
	uint64_t at = r->pages[a].time, bt = r->pages[b].time;

	return at != bt ? at < bt : a < b;
}

/* Lets what is at a place of the heap sink to where it belongs. */
static void settle(struct reading *r, size_t i)
{
	size_t child, one = r->heap[i];

	while ((child = 2 * i + 1) < r->n_heap) {
		if (child + 1 < r->n_heap && earlier(r, r->heap[child + 1], r->heap[child]))
			child++;
		if (!earlier(r, r->heap[child], one))
			break;
		r->heap[i] = r->heap[child];
		i = child;
	}
	r->heap[i] = one;
}

/* Clocks of different CPUs may differ by a little, and a file may say anything: time stands still then. */
static uint64_t time_of(struct reading *r, uint64_t ticks)
{
	const struct tracedat_file *f = &r->file;

	if (f->clock_mult)
		ticks = (uint64_t)(((unsigned __int128)ticks * f->clock_mult) >> f->clock_shift);
	if (ticks > r->time)
		r->time = ticks;
	return r->time;
}

static int tell_lost(struct reading *r, uint32_t cpu, uint64_t count)
{
	if (cpu < TRACEDAT_CPUS)
		r->told[cpu] += count ? count : 1;
	return r->sink->lost(r->sink->arg, r->time, cpu, count) ? sink_failed(r) : 0;
}

/* A thread is named before its first record. */
static int tell_thread(struct reading *r, uint32_t tid)
{
	uint64_t bit = 1ull << tid % BITS_OF(*r->named), *bits;
	const char *name;

	if (tid >= TIDS)
		return 0;
	bits = r->named + tid / BITS_OF(*r->named);
	if (*bits & bit)
		return 0;
	*bits |= bit;
	name = tep_data_comm_from_pid(r->tep, (int)tid);
	if (!name || !strcmp(name, "<...>"))
		return 0;
	return r->sink->thread(r->sink->arg, tid, 0, name) ? sink_failed(r) : 0;
}

static int tell_record(struct reading *r, const struct tracedat_pages *p, uint32_t cpu)
{
	struct import_record record = {
		.time = time_of(r, p->time), .cpu = cpu, .size = p->size, .data = p->data
	};

	if (p->lost_some && tell_lost(r, cpu, p->lost))
		return -1;
	if (record.size >= sizeof(record.tid) && r->tid_at <= record.size - sizeof(record.tid))
		memcpy(&record.tid, p->data + r->tid_at, sizeof(record.tid));
	if (tell_thread(r, record.tid))
		return -1;
	return r->sink->record(r->sink->arg, &record) ? sink_failed(r) : 0;
}

/* Return: 1 there is a record, 0 there is none, -1 failure. */
static int advance(struct reading *r, struct tracedat_pages *p, uint32_t cpu)
{
	int ret = tracedat_pages_next(p, r->err);

	if (!ret && p->lost_some)
		return tell_lost(r, cpu, p->lost);
	return ret;
}

static int open_pages(struct reading *r)
{
	size_t n = r->file.n_cpus, ahead = n > AHEAD_CPUS ? 0 : AHEAD;

	r->pages = calloc(n, sizeof(*r->pages));
	r->heap = calloc(n, sizeof(*r->heap));
	r->named = calloc(TIDS / BITS_OF(*r->named), sizeof(*r->named));
	r->zstd = ZSTD_createDCtx();
	if (!r->pages || !r->heap || !r->named || !r->zstd)
		return ut_error_set(r->err, "%s: out of memory", r->path);
	for (size_t i = 0; i < n; i++) {
		r->n_open++;
		if (tracedat_pages_open(&r->pages[i], &r->file, &r->file.cpus[i], r->zstd, ahead,
					r->err))
			return -1;
	}
	return 0;
}

/* Of some losses pages tell their place, but not how many records it was; of some, nothing. */
static int tell_rest(struct reading *r)
{
	for (uint32_t cpu = 0; cpu < TRACEDAT_CPUS; cpu++) {
		if (r->file.lost[cpu] > r->told[cpu] &&
		    tell_lost(r, cpu, r->file.lost[cpu] - r->told[cpu]))
			return -1;
	}
	return 0;
}

static int tell_records(struct reading *r)
{
	size_t first;
	int ret;

	if (open_pages(r))
		return -1;
	for (size_t i = 0; i < r->n_open; i++) {
		ret = advance(r, &r->pages[i], r->file.cpus[i].cpu);
		if (ret < 0)
			return -1;
		if (ret)
			r->heap[r->n_heap++] = i;
	}
	for (size_t i = r->n_heap / 2; i > 0; i--)
		settle(r, i - 1);
	while (r->n_heap) {
		first = r->heap[0];
		if (tell_record(r, &r->pages[first], r->file.cpus[first].cpu))
			return -1;
		ret = advance(r, &r->pages[first], r->file.cpus[first].cpu);
		if (ret < 0)
			return -1;
		if (!ret)
			r->heap[0] = r->heap[--r->n_heap];
		if (r->n_heap)
			settle(r, 0);
	}
	return tell_rest(r);
}

int tracedat_read(int fd, const char *path, struct import_sink *sink, struct ut_error *err)
{
	struct reading *r = calloc(1, sizeof(*r));
	int ret = -1;

	if (!r)
		return ut_error_set(err, "%s: out of memory", path);
	r->path = path;
	r->sink = sink;
	r->err = err;
	if (!tracedat_file_open(&r->file, fd, path, err) && !open_head(r) && !tell_head(r))
		ret = tell_records(r);
	for (size_t i = 0; i < r->n_open; i++)
		tracedat_pages_close(&r->pages[i]);
	ZSTD_freeDCtx(r->zstd);
	free(r->named);
	free(r->heap);
	free(r->pages);
	if (r->head)
		tracecmd_close(r->head);
	tracedat_file_close(&r->file);
	free(r);
	return ret;
}
