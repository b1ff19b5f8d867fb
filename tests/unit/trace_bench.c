// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a trace takes on disk and how fast it is written and read: of a file, or of a made-up guest.
 *
 *     trace_bench [-a N] [-l LEVEL] [-k OUT] [FILE | FORKS]
 *
 * -a takes N arbitrary events, -l zstd's level; -k keeps the trace.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/trace_gen.h"
#include "trace/codec.h"

#include <zstd.h>

struct store {
	struct ut_event *events;
	size_t n, room;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void die(const char *what)
{
	fprintf(stderr, "trace_bench: %s\n", what);
	exit(1);
}

static const void *keep_bytes(const void *bytes, size_t len)
{
	void *p = malloc(len + 1);

	if (!p)
		die("out of memory");
	if (len)
		memcpy(p, bytes, len);
	return p;
}

static int keep(void *arg, const struct ut_event *e)
{
	struct store *s = arg;
	struct ut_event *k;

	if (s->n == s->room) {
		s->room = s->room ? s->room * 2 : 1 << 20;
		s->events = realloc(s->events, s->room * sizeof(*s->events));
		if (!s->events)
			die("out of memory");
	}
	k = &s->events[s->n++];
	*k = *e;
	if (e->kind == UT_PAGE_NEW && e->page.known)
		k->page.entries = keep_bytes(e->page.entries, e->page.n * sizeof(*e->page.entries));
	if (e->kind == UT_VM || e->kind == UT_MARK || e->kind == UT_STAT)
		k->text.text = keep_bytes(e->text.text, e->text.len);
	return 0;
}

static void drop(struct store *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct ut_event *e = &s->events[i];

		if (e->kind == UT_PAGE_NEW && e->page.known)
			free((void *)e->page.entries);
		if (e->kind == UT_VM || e->kind == UT_MARK || e->kind == UT_STAT)
			free((void *)e->text.text);
	}
	free(s->events);
}

static void load(struct store *s, const char *path)
{
	struct ut_error err;
	struct ut_block b;
	struct ut_reader *r = ut_reader_open(path, &err);
	int ret;

	if (!r)
		die(err.text);
	while ((ret = ut_reader_next(r, &b, &err)) == 1) {
		for (size_t i = 0; i < b.n; i++)
			keep(s, &b.events[i]);
	}
	if (ret < 0)
		die(err.text);
	ut_reader_close(r);
}

/* Of kinds that a reader knows. */
static void arbitrary(struct store *s, int n)
{
	struct gen g = { .state = 1 };
	struct ut_event e;

	while (n--) {
		do
			gen_any(&g, &e);
		while (e.kind >= UT_KIND_EXT);
		keep(s, &e);
	}
}

/* Bytes of each column, before and after compression. */
static void columns(const struct store *s, int level)
{
	struct ut_codec *c = ut_codec_new();
	size_t raw[COL_COUNT] = { 0 }, packed[COL_COUNT] = { 0 }, len, room = 2u << 20, n;
	const uint8_t *bytes;
	void *out = malloc(room);

	if (!c || !out)
		die("out of memory");
	for (size_t i = 0; i < s->n; i++) {
		if (i % UT_BLOCK_EVENTS == 0)
			ut_encode_begin(c);
		if (ut_encode_event(c, &s->events[i]))
			die("out of memory");
		if (i + 1 != s->n && (i + 1) % UT_BLOCK_EVENTS)
			continue;
		ut_encode_end(c);
		for (unsigned int k = 0; k < COL_COUNT; k++) {
			bytes = ut_encode_column(c, k, &len);
			n = len ? ZSTD_compress(out, room, bytes, len, level) : 0;
			raw[k] += len;
			packed[k] += ZSTD_isError(n) ? len : n;
		}
	}
	for (unsigned int k = 0; k < COL_COUNT; k++)
		printf("column %2u: %8zu bytes, %8zu packed, %.3f an event\n", k, raw[k], packed[k],
		       (double)packed[k] / (double)s->n);
	ut_codec_free(c);
	free(out);
}

int main(int argc, char **argv)
{
	const struct ut_header header = { .mode = UT_MODE_EXACT };
	const char *out = "trace_bench.utrace", *keep_as = NULL;
	struct store s = { 0 };
	struct ut_error err;
	struct ut_block b;
	struct ut_writer *w;
	struct ut_reader *r;
	uint64_t bytes, kinds[UT_KIND_MAX + 1] = { 0 }, words = 0;
	double t0, t1, t2;
	int opt, level = 0, any = 0, ret;
	size_t n = 0;

	while ((opt = getopt(argc, argv, "a:l:k:")) != -1) {
		if (opt == 'l')
			level = atoi(optarg);
		else if (opt == 'a')
			any = atoi(optarg);
		else if (opt == 'k')
			keep_as = optarg;
		else
			return 2;
	}
	if (any)
		arbitrary(&s, any);
	else if (optind < argc && access(argv[optind], R_OK) == 0)
		load(&s, argv[optind]);
	else
		gen_guest(1, optind < argc ? (unsigned int)atoi(argv[optind]) : 300, keep, &s);
	if (!s.n)
		die("no events");

	for (size_t i = 0; i < s.n; i++) {
		kinds[s.events[i].kind]++;
		words += s.events[i].kind == UT_PAGE_NEW ? s.events[i].page.n : 0;
	}
	for (unsigned int k = 0; k < UT_KIND_END; k++) {
		if (kinds[k])
			printf("%-12s %9" PRIu64 "\n", ut_kind_name(k), kinds[k]);
	}
	printf("page words   %9" PRIu64 "\n", words);
	columns(&s, level ? level : 6);

	t0 = now();
	w = ut_writer_open(keep_as ? keep_as : out, &header, &err);
	if (!w)
		die(err.text);
	if (level)
		ut_writer_set_level(w, level);
	for (size_t i = 0; i < s.n; i++) {
		if (ut_writer_add(w, &s.events[i], &err))
			die(err.text);
	}
	if (ut_writer_flush(w, &err))
		die(err.text);
	bytes = ut_writer_bytes(w);
	if (ut_writer_close(w, &err))
		die(err.text);
	t1 = now();
	r = ut_reader_open(keep_as ? keep_as : out, &err);
	if (!r)
		die(err.text);
	while ((ret = ut_reader_next(r, &b, &err)) == 1) {
		for (size_t i = 0; i < b.n; i++) {
			if (!gen_same(&b.events[i], &s.events[n + i]))
				die("an event came back changed");
		}
		n += b.n;
	}
	if (ret < 0 || n != s.n)
		die(ret < 0 ? err.text : "another number of events came back");
	ut_reader_rewind(r, &err);
	t2 = now();
	while (ut_reader_next(r, &b, &err) == 1)
		;
	printf("%zu events, %" PRIu64
	       " bytes: %.2f an event; written at %.2f M/s, read at %.2f M/s\n",
	       s.n, bytes, (double)bytes / (double)s.n, (double)s.n / (t1 - t0) / 1e6,
	       (double)s.n / (now() - t2) / 1e6);
	ut_reader_close(r);
	if (!keep_as)
		unlink(out);
	drop(&s);
	return 0;
}
