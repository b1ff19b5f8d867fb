// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reader of traces. Besides coming to no harm: what it hands out is well formed; a file and a pipe of
 * the same bytes give the same events, and so does a second pass; and what was read can be written and
 * read again.
 */
#define _GNU_SOURCE
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/trace_gen.h"
#include "trace/trace.h"

/* Event by event over a trace; NULL at its end. */
struct walk {
	struct ut_reader *r;
	struct ut_block block;
	size_t at;
	int last; /* what the reader said last */
	struct ut_error err;
};

static const struct ut_event *step(struct walk *w)
{
	while (w->at == w->block.n) {
		memset(&w->block, 0, sizeof(w->block));
		w->at = 0;
		w->last = ut_reader_next(w->r, &w->block, &w->err);
		if (w->last != 1)
			return NULL;
	}
	return &w->block.events[w->at++];
}

static volatile uint64_t sum; /* so that what is added to it is read */

/* All that an event points to must be there; the sanitizer tells. */
static void touch(const struct ut_event *e)
{
	const char *wrong = ut_event_check(e);

	if (wrong)
		fuzz_broken("an event of kind %u is handed out that is %s", e->kind, wrong);
	if (e->kind == UT_VM || e->kind == UT_MARK || e->kind == UT_STAT) {
		for (unsigned int i = 0; i < e->text.len; i++)
			sum += (unsigned char)e->text.text[i];
	} else if (e->kind == UT_PAGE_NEW) {
		for (unsigned int i = 0; i < e->page.n; i++)
			sum += e->page.entries[i].value;
	}
}

static void same_events(struct walk *a, struct walk *b, const char *what)
{
	const struct ut_event *x, *y;

	do {
		x = step(a);
		y = step(b);
		if (!x != !y || (x && !gen_same(x, y)))
			fuzz_broken("%s: other events than before", what);
	} while (x);
}

/* Everything in it, touched; then what goes with its end. */
static void read_all(struct ut_reader *r, uint64_t *events)
{
	const struct ut_header *h = ut_reader_header(r);
	struct walk w = { .r = r };
	const struct ut_event *e;
	uint64_t done, total;
	const char *warning;

	for (size_t i = 0; i < h->n_meta; i++) {
		if (!ut_header_get(h, h->meta[i].key))
			fuzz_broken("a key that cannot be looked up");
	}
	while ((e = step(&w))) {
		touch(e);
		++*events;
	}
	if (w.last < 0)
		fuzz_line(w.err.text, sizeof(w.err.text));
	warning = ut_reader_warning(r);
	if (warning)
		fuzz_line(warning, sizeof(struct ut_error));
	ut_reader_progress(r, &done, &total);
	if (total && done > total)
		fuzz_broken("more was read than there is");
}

static void rewound(struct ut_reader *r)
{
	struct ut_error err;

	if (ut_reader_rewind(r, &err))
		fuzz_broken("no way back: %s", err.text);
}

/* The same bytes by a way that cannot seek. */
static void read_as_pipe(struct ut_reader *r)
{
	struct walk a = { .r = r }, b = { 0 };
	int standard = dup(STDIN_FILENO);
	struct ut_error err;

	if (dup2(fuzz_descriptor(0), STDIN_FILENO) < 0)
		fuzz_broken("no standard input");
	b.r = ut_reader_open("-", &err);
	if (!b.r)
		fuzz_broken("a pipe is refused where a file is not: %s", err.text);
	rewound(r);
	same_events(&a, &b, "by a pipe");
	if (!ut_reader_rewind(b.r, &err))
		fuzz_broken("a pipe went back");
	ut_reader_close(b.r);
	if (standard >= 0)
		dup2(standard, STDIN_FILENO);
	close(standard);
}

/* Keys of a file are not restricted, those that are written are; so only the values come along. */
static struct ut_writer *open_copy(const struct ut_header *h, int fd, struct ut_error *err)
{
	struct ut_meta *meta = calloc(h->n_meta + 1, sizeof(*meta));
	struct ut_header copy = { .mode = h->mode, .meta = meta, .n_meta = h->n_meta };
	struct ut_writer *w;

	if (!meta)
		fuzz_broken("out of memory");
	for (size_t i = 0; i < h->n_meta; i++)
		meta[i] = (struct ut_meta){ "key", h->meta[i].value };
	w = ut_writer_attach(fd, "copy", &copy, err);
	free(meta);
	return w;
}

static void same_values(const struct ut_header *a, const struct ut_header *b)
{
	if (a->n_meta != b->n_meta)
		fuzz_broken("metadata got lost");
	for (size_t i = 0; i < a->n_meta; i++) {
		if (strcmp(a->meta[i].value, b->meta[i].value) != 0)
			fuzz_broken("a value was written as another: %s", b->meta[i].value);
	}
}

/* Written and read again, they are the same events. */
static void copy(struct ut_reader *r, const char *path, int fd)
{
	struct walk a = { .r = r }, b = { 0 };
	const struct ut_event *e;
	struct ut_error err;
	struct ut_writer *w = open_copy(ut_reader_header(r), fd, &err);

	if (!w) /* escaping makes the longest values longer than a header may be */
		return;
	ut_writer_set_level(w, 1);
	rewound(r);
	while ((e = step(&a))) {
		if (ut_writer_add(w, e, &err))
			fuzz_broken("what was read cannot be written: %s", err.text);
	}
	if (ut_writer_close(w, &err))
		fuzz_broken("cannot write: %s", err.text);
	b.r = ut_reader_open(path, &err);
	if (!b.r)
		fuzz_broken("what was written cannot be read: %s", err.text);
	same_values(ut_reader_header(r), ut_reader_header(b.r));
	a = (struct walk){ .r = r };
	rewound(r);
	same_events(&a, &b, "written and read again");
	if (b.last || ut_reader_warning(b.r))
		fuzz_broken("what was written is damaged");
	ut_reader_close(b.r);
}

/* The index is the file's: it may lead anywhere, but only to blocks. */
static void seek(struct ut_reader *r)
{
	const struct ut_summary *s = ut_reader_summary(r);
	uint64_t times[] = { 0, s ? s->first_ns : 1, s ? (s->first_ns + s->last_ns) / 2 : 2,
			     s ? s->last_ns : 3, UINT64_MAX };
	const struct ut_event *e;
	struct ut_error err;

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct walk w = { .r = r };

		if (ut_reader_seek_time(r, times[i], &err)) {
			fuzz_line(err.text, sizeof(err.text));
			continue;
		}
		while ((e = step(&w)))
			touch(e);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char name[40];
	uint64_t events = 0;
	struct ut_error err = { "" };
	struct ut_reader *r = ut_reader_open(fuzz_file(0, data, size), &err);
	int fd;

	if (!r) {
		fuzz_line(err.text, sizeof(err.text));
		return 0;
	}
	read_all(r, &events);
	read_as_pipe(r);
	if (events) {
		memcpy(name, fuzz_file(1, "", 0), sizeof(name));
		fd = dup(fuzz_descriptor(1));
		copy(r, name, fd);
	}
	seek(r);
	ut_reader_close(r);
	return 0;
}
