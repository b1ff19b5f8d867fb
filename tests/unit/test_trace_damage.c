// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files cut off anywhere, with any byte changed, with absurd lengths, with content that is wrong although
 * the checksums are right, or that are no traces: always a message with a place, or every event up to the
 * damage, never anything made up.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#include <xxhash.h>
#include <zstd.h>

#include "tests/unit/trace_gen.h"
#include "trace/format.h"

enum { EVENTS = 360, BLOCK = 120 };

/* Opening a file takes twenty times as long under AddressSanitizer: not every byte there. */
enum { STEP = SANITIZED ? 5 : 1 };

/* A file in memory: it is written tens of thousands of times. */
static int memory = -1;
static char path[64];
static struct ut_error err;
static uint8_t *good; /* the undamaged file */
static size_t good_len, header_len, end_at;

static void put_file(const uint8_t *bytes, size_t len)
{
	assert_int_equal(ftruncate(memory, (off_t)len), 0);
	assert_int_equal(pwrite(memory, bytes, len, 0), len);
}

static int write_events(struct ut_writer *w)
{
	struct gen g = { .state = 7 };
	struct ut_event e;

	for (size_t i = 0; i < EVENTS; i++) {
		do
			gen_any(&g, &e);
		while (e.kind >= UT_KIND_EXT || (e.kind == UT_PAGE_NEW && e.page.n > 20));
		if (ut_writer_add(w, &e, &err) ||
		    (i % BLOCK == BLOCK - 1 && ut_writer_flush(w, &err)))
			return -1;
	}
	return 0;
}

static int make_good(void **state)
{
	static const struct ut_meta meta[] = { { "tool", "test" }, { "kernel", "6.1" } };
	const struct ut_header header = { .mode = UT_MODE_NATIVE, .meta = meta, .n_meta = 2 };
	struct ut_writer *w;
	ssize_t n;

	(void)state;
	memory = memfd_create("trace", 0);
	if (memory < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", memory);
	w = ut_writer_open(path, &header, &err);
	if (!w)
		return -1;
	header_len = ut_writer_bytes(w);
	if (write_events(w))
		return -1;
	end_at = ut_writer_bytes(w);
	if (ut_writer_close(w, &err))
		return -1;
	good = malloc(1 << 20);
	n = good ? pread(memory, good, 1 << 20, 0) : -1;
	good_len = (size_t)n;
	return n > 0 ? 0 : -1;
}

static int drop_good(void **state)
{
	(void)state;
	free(good);
	return close(memory);
}

/* Events read that are as they were written; fails on any that is not. */
struct outcome {
	bool opened;
	int last; /* of ut_reader_next() */
	bool warned;
	size_t events;
	struct ut_error err;
};

static void compare_block(struct gen *g, const struct ut_block *b)
{
	struct ut_event e;

	for (size_t i = 0; i < b->n; i++) {
		do
			gen_any(g, &e);
		while (e.kind >= UT_KIND_EXT || (e.kind == UT_PAGE_NEW && e.page.n > 20));
		if (!gen_same(&e, &b->events[i]))
			fail_msg("an event was made up");
	}
}

static struct outcome read_file(bool compare)
{
	struct outcome o = { 0 };
	struct gen g = { .state = 7 };
	struct ut_reader *r = ut_reader_open(path, &o.err);
	struct ut_block b;

	if (!r)
		return o;
	o.opened = true;
	while ((o.last = ut_reader_next(r, &b, &o.err)) == 1) {
		if (compare)
			compare_block(&g, &b);
		o.events += b.n;
	}
	if (o.last == 0 && ut_reader_warning(r)) {
		o.warned = true;
		ut_error_set(&o.err, "%s", ut_reader_warning(r));
	}
	/* Asked again, it says the same. */
	assert_int_equal(ut_reader_next(r, &b, NULL), o.last);
	ut_reader_close(r);
	return o;
}

static void assert_place_named(const struct outcome *o)
{
	if (!strstr(o->err.text, path) || !strstr(o->err.text, "offset ") ||
	    strchr(o->err.text, '\n'))
		fail_msg("no place in: %s", o->err.text);
}

static void whole_file_is_good(void **state)
{
	struct outcome o;

	(void)state;
	put_file(good, good_len);
	o = read_file(true);
	assert_true(o.opened && o.last == 0 && !o.warned);
	assert_int_equal(o.events, EVENTS);
}

/* Start of the block after the one that holds a place. */
static size_t blocks_before(size_t len, size_t *events)
{
	size_t at = header_len, next;

	for (*events = 0; at < end_at; at = next, *events += BLOCK) {
		next = at + UT_BLOCK_HEADER_BYTES + ut_get32(good + at + 4);
		if (next > len)
			break;
	}
	return at;
}

static void cut_off_anywhere(void **state)
{
	size_t expect;
	struct outcome o;

	(void)state;
	for (size_t len = 0; len < good_len; len += STEP) {
		put_file(good, len);
		o = read_file(true);
		assert_place_named(&o);
		if (len < header_len) {
			assert_false(o.opened);
			continue;
		}
		blocks_before(len, &expect);
		assert_true(o.opened && o.last == 0 && o.warned);
		assert_int_equal(o.events, expect);
	}
}

static void check_changed(size_t at)
{
	size_t before;
	struct outcome o;

	put_file(good, good_len);
	o = read_file(true);
	assert_place_named(&o);
	if (at < header_len) {
		assert_false(o.opened);
		return;
	}
	blocks_before(at, &before);
	assert_true(o.opened);
	assert_int_equal(o.events, before);
	if (at < end_at)
		assert_int_equal(o.last, -1);
	else
		assert_true(o.last == 0 && o.warned);
}

static void any_byte_changed(void **state)
{
	static const uint8_t masks[] = { 0xff, 1, 2, 4, 8, 16, 32, 64, 128 };
	size_t n = 0, in_block = 0;

	(void)state;
	for (size_t at = 0; at < good_len; at += n == 1 ? STEP : 1) {
		if (at >= header_len && at < end_at)
			in_block = at - blocks_before(at, &n);
		/* Packed bytes are all the same to the checksum; everything else bit by bit. */
		n = at < header_len || at >= good_len - UT_TRAILER_BYTES ||
				    (at < end_at && in_block < UT_BLOCK_HEADER_BYTES)
			    ? sizeof(masks)
			    : 1;
		for (size_t i = 0; i < n; i++) {
			good[at] ^= masks[i];
			check_changed(at);
			good[at] ^= masks[i];
		}
	}
}

/* ---- right checksums, wrong content ---- */

static void sign_block(uint8_t *block)
{
	ut_put64(block + 32, XXH64(block + UT_BLOCK_HEADER_BYTES, ut_get32(block + 4), 0));
	ut_put64(block + 40, XXH64(block, 40, 0));
}

static void wrong_content(void **state)
{
	const char *count = getenv("UNSYNC_TEST_MUTATIONS");
	size_t rounds = count ? (size_t)atoll(count) : 3000 / STEP, raw_len, changes;
	uint8_t *raw = malloc(1 << 20), *file = malloc(1 << 20), *block = file + header_len;
	struct gen g = { .state = 99 };
	size_t damaged = 0;

	(void)state;
	assert_non_null(raw);
	assert_non_null(file);
	for (size_t i = 0; i < rounds; i++) {
		memcpy(file, good, header_len + UT_BLOCK_HEADER_BYTES);
		raw_len = ZSTD_decompress(raw, 1 << 20, good + header_len + UT_BLOCK_HEADER_BYTES,
					  ut_get32(good + header_len + 4));
		assert_false(ZSTD_isError(raw_len));
		for (changes = 1 + gen_number(&g) % 4; changes; changes--)
			raw[gen_number(&g) % (gen_number(&g) % 4 ? raw_len : 120)] ^=
				(uint8_t)(gen_number(&g) >> gen_number(&g) % 8);
		ut_put32(block + 4, (uint32_t)ZSTD_compress(block + UT_BLOCK_HEADER_BYTES, 1 << 18,
							    raw, raw_len, 1));
		sign_block(block);
		put_file(file, header_len + UT_BLOCK_HEADER_BYTES + ut_get32(block + 4));
		damaged += read_file(false).last < 0;
	}
	/* Some changes give other events, which nobody can tell; most do not fit together. */
	assert_true(damaged > rounds / 4);
	free(raw);
	free(file);
}

static void expect_damage(const uint8_t *bytes, size_t len, const char *what)
{
	struct outcome o;

	put_file(bytes, len);
	o = read_file(true);
	assert_place_named(&o);
	if (!strstr(o.err.text, what))
		fail_msg("expected '%s' in: %s", what, o.err.text);
	assert_true(!o.opened || o.last == -1);
}

static void absurd_lengths(void **state)
{
	uint8_t *file = malloc(good_len), *block = file + header_len;

	(void)state;
	assert_non_null(file);
	memcpy(file, good, good_len);
	ut_put32(file + 16, 0xffffffff);
	expect_damage(file, good_len, "4294967295 bytes of metadata");
	for (unsigned int field = 4; field <= 12; field += 4) {
		memcpy(file, good, good_len);
		ut_put32(block + field, 0xffffffff);
		ut_put64(block + 40, XXH64(block, 40, 0));
		expect_damage(file, good_len, "a block larger than allowed");
		ut_put32(block + field, 0);
		ut_put64(block + 40, XXH64(block, 40, 0));
		expect_damage(file, good_len, "a block larger than allowed");
	}
	/* Allowed, but not what the block holds. */
	memcpy(file, good, good_len);
	ut_put32(block + 8, UT_BLOCK_BYTES);
	ut_put64(block + 40, XXH64(block, 40, 0));
	expect_damage(file, good_len, "does not unpack to the size announced");
	memcpy(file, good, good_len);
	ut_put32(block + 12, BLOCK + 1);
	ut_put64(block + 40, XXH64(block, 40, 0));
	expect_damage(file, good_len, "another number of events than announced");
	free(file);
}

/* Kinds that have a number of their own are not spelled out as those that are not known. */
static void known_kind_spelled_out(void **state)
{
	enum { COLUMNS = 23, MISC = 0, KIND = 1, CLOCK = 21 };
	static const uint8_t columns[] = { UT_PV_FLUSH, 0, 0, 5, 1 };
	uint8_t raw[1 + 4 * COLUMNS + sizeof(columns)] = { COLUMNS };
	uint8_t *file = calloc(1, header_len + 4096), *block = file + header_len;

	(void)state;
	assert_non_null(file);
	memcpy(file, good, header_len + UT_BLOCK_HEADER_BYTES);
	ut_put32(raw + 1 + 4 * MISC, 2);
	ut_put32(raw + 1 + 4 * KIND, 1);
	ut_put32(raw + 1 + 4 * CLOCK, 2);
	memcpy(raw + 1 + 4 * COLUMNS, columns, sizeof(columns));
	ut_put32(block + 4,
		 (uint32_t)ZSTD_compress(block + UT_BLOCK_HEADER_BYTES, 2048, raw, sizeof(raw), 1));
	ut_put32(block + 8, sizeof(raw));
	ut_put32(block + 12, 1);
	sign_block(block);
	expect_damage(file, header_len + UT_BLOCK_HEADER_BYTES + ut_get32(block + 4),
		      "an event of a reserved kind");
	free(file);
}

/* A trailer that says that the end is where a block is must not hide that and all after it. */
static void trailer_leads_to_a_block(void **state)
{
	size_t second = header_len + UT_BLOCK_HEADER_BYTES + ut_get32(good + header_len + 4);
	uint8_t *file = malloc(good_len), *trailer = file + good_len - UT_TRAILER_BYTES;
	struct outcome o;

	(void)state;
	assert_non_null(file);
	memcpy(file, good, good_len);
	ut_put64(trailer + 8, second);
	ut_put32(trailer + 4, (uint32_t)(good_len - UT_TRAILER_BYTES - second));
	ut_put64(trailer + 16, XXH64(trailer, 16, 0));
	put_file(file, good_len);
	o = read_file(true);
	assert_true(o.opened && o.last == 0 && o.warned);
	assert_int_equal(o.events, EVENTS);
	free(file);
}

/* A hole in the middle, between two blocks, that no checksum sees. */
static void missing_block(void **state)
{
	size_t n, from = blocks_before(header_len + 1, &n);
	size_t to = from + UT_BLOCK_HEADER_BYTES + ut_get32(good + from + 4);
	uint8_t *file = malloc(good_len);
	struct outcome o;

	(void)state;
	assert_non_null(file);
	memcpy(file, good, from);
	memcpy(file + from, good + to, good_len - to);
	put_file(file, good_len - (to - from));
	o = read_file(false);
	assert_true(o.opened && o.last == 0 && o.warned);
	assert_int_equal(o.events, EVENTS - BLOCK);
	free(file);
}

static void bytes_behind_the_end(void **state)
{
	uint8_t *file = malloc(good_len + 3);
	struct outcome o;

	(void)state;
	assert_non_null(file);
	memcpy(file, good, good_len);
	memset(file + good_len, 'x', 3);
	put_file(file, good_len + 3);
	o = read_file(true);
	assert_true(o.opened && o.last == 0 && o.warned);
	assert_int_equal(o.events, EVENTS);
	assert_place_named(&o);
	free(file);
}

/* ---- versions ---- */

static void set_version(unsigned int major, unsigned int minor)
{
	ut_put16(good + 8, (uint16_t)major);
	ut_put16(good + 10, (uint16_t)minor);
	ut_put64(good + header_len - UT_CHECKSUM_BYTES,
		 XXH64(good, header_len - UT_CHECKSUM_BYTES, 0));
}

static void other_versions(void **state)
{
	struct outcome o;

	(void)state;
	set_version(UT_VERSION_MAJOR, UT_VERSION_MINOR + 7);
	put_file(good, good_len);
	o = read_file(true);
	assert_true(o.opened && o.last == 0 && !o.warned);
	assert_int_equal(o.events, EVENTS);
	set_version(UT_VERSION_MAJOR + 1, 0);
	expect_damage(good, good_len, "is newer than this unsync");
	set_version(UT_VERSION_MAJOR, UT_VERSION_MINOR);
}

/* A later minor version may add columns; they are left alone. */
static void more_columns(void **state)
{
	uint8_t *raw = malloc(1 << 20), *file = malloc(1 << 20), *block = file + header_len;
	size_t len, columns;
	struct outcome o;

	(void)state;
	assert_non_null(raw);
	assert_non_null(file);
	memcpy(file, good, header_len + UT_BLOCK_HEADER_BYTES);
	len = ZSTD_decompress(raw, 1 << 20, good + header_len + UT_BLOCK_HEADER_BYTES,
			      ut_get32(good + header_len + 4));
	assert_false(ZSTD_isError(len));
	columns = raw[0]++;
	memmove(raw + 5 + 4 * columns, raw + 1 + 4 * columns, len - 1 - 4 * columns);
	ut_put32(raw + 1 + 4 * columns, 3);
	memset(raw + len + 4, 'x', 3);
	len += 7;
	ut_put32(block + 8, (uint32_t)len);
	ut_put32(block + 4,
		 (uint32_t)ZSTD_compress(block + UT_BLOCK_HEADER_BYTES, 1 << 18, raw, len, 1));
	sign_block(block);
	put_file(file, header_len + UT_BLOCK_HEADER_BYTES + ut_get32(block + 4));
	o = read_file(true);
	assert_true(o.opened && o.last == 0 && o.warned); /* no end: cut off */
	assert_int_equal(o.events, BLOCK);
	free(raw);
	free(file);
}

/* ---- no traces ---- */

static void expect_refused(const char *file, const char *what)
{
	struct ut_error e;

	assert_null(ut_reader_open(file, &e));
	if (!strstr(e.text, what) || !strstr(e.text, file))
		fail_msg("expected '%s' in: %s", what, e.text);
}

static void not_traces(void **state)
{
	uint8_t *file = malloc(good_len + 1);

	(void)state;
	assert_non_null(file);
	put_file(good, 0);
	expect_refused(path, "offset 0: empty, not an unsync trace");
	put_file((const uint8_t *)"hello, world; this is some text\n", 32);
	expect_refused(path, "offset 0: not an unsync trace; record one with 'unsync record'");
	expect_refused("/dev/null", "not an unsync trace");
	expect_refused(".", "directory");
	expect_refused("/no/such/file", "cannot open");
	/* CR LF to LF, as transfers of text do. */
	memcpy(file, good, 4);
	memcpy(file + 4, good + 5, good_len - 5);
	put_file(file, good_len - 1);
	expect_refused(path, "binary mode");
	free(file);
}

/* ---- the writer's own bad days ---- */

static void killed_capture(void **state)
{
	const struct ut_header header = { .mode = UT_MODE_NATIVE };
	struct ut_writer *w = ut_writer_open(path, &header, &err);
	struct ut_event e = { .kind = UT_PV_FLUSH, .time = 5 };
	struct outcome o;

	(void)state;
	assert_non_null(w);
	assert_int_equal(write_events(w), 0);
	assert_int_equal(ut_writer_add(w, &e, &err), 0); /* never flushed */
	o = read_file(true);
	assert_true(o.opened && o.last == 0 && o.warned);
	assert_int_equal(o.events, EVENTS);
	assert_non_null(strstr(o.err.text, "cut off"));
	ut_writer_close(w, NULL);
}

static void full_disk(void **state)
{
	const struct ut_header header = { .mode = UT_MODE_NATIVE };

	(void)state;
	if (access("/dev/full", W_OK))
		skip();
	assert_null(ut_writer_open("/dev/full", &header, &err));
	assert_non_null(strstr(err.text, "/dev/full"));
	assert_null(ut_writer_open("/no/such/folder/x", &header, &err));
	assert_non_null(strstr(err.text, "cannot create"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_file_is_good),
		cmocka_unit_test(cut_off_anywhere),
		cmocka_unit_test(any_byte_changed),
		cmocka_unit_test(wrong_content),
		cmocka_unit_test(absurd_lengths),
		cmocka_unit_test(missing_block),
		cmocka_unit_test(known_kind_spelled_out),
		cmocka_unit_test(trailer_leads_to_a_block),
		cmocka_unit_test(bytes_behind_the_end),
		cmocka_unit_test(other_versions),
		cmocka_unit_test(more_columns),
		cmocka_unit_test(not_traces),
		cmocka_unit_test(killed_capture),
		cmocka_unit_test(full_disk),
	};

	return cmocka_run_group_tests(tests, make_good, drop_good);
}
