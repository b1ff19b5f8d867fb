// SPDX-License-Identifier: GPL-2.0-only
/* What is written comes back: every kind of event, in every field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/trace_gen.h"

static const struct ut_meta meta[] = { { "tool", "unsync test" },
				       { "command", "a\\b\nc\x01 \xff\xc3\xa4=" },
				       { "empty", "" } };
static const struct ut_header header = { .mode = UT_MODE_EXACT, .meta = meta, .n_meta = 3 };
static char path[64];
static struct ut_error err;

static int remove_file(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

static int name_file(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "test_trace.%d.utrace", (int)getpid());
	return 0;
}

static struct ut_writer *open_writer(void)
{
	struct ut_writer *w = ut_writer_open(path, &header, &err);

	if (!w)
		fail_msg("%s", err.text);
	return w;
}

static struct ut_reader *open_reader(void)
{
	struct ut_reader *r = ut_reader_open(path, &err);

	if (!r)
		fail_msg("%s", err.text);
	return r;
}

static void close_writer(struct ut_writer *w)
{
	if (ut_writer_close(w, &err))
		fail_msg("%s", err.text);
}

/* ---- arbitrary events ---- */

static void write_any(uint64_t seed, size_t n)
{
	struct ut_writer *w = open_writer();
	struct gen g = { .state = seed };
	struct ut_event e;

	for (size_t i = 0; i < n; i++) {
		gen_any(&g, &e);
		if (ut_writer_add(w, &e, &err))
			fail_msg("event %zu: %s", i, err.text);
		if (i == n / 3)
			assert_int_equal(ut_writer_flush(w, &err), 0);
	}
	close_writer(w);
}

static void compare_any(uint64_t seed, size_t n)
{
	struct ut_reader *r = open_reader();
	struct gen g = { .state = seed };
	struct ut_block b = { 0 };
	struct ut_event e;
	size_t at = 0;
	uint64_t unknown = 0, skipped = 0;
	int ret = 1;

	for (size_t i = 0; i < n; i++) {
		gen_any(&g, &e);
		if (e.kind >= UT_KIND_EXT) {
			skipped++;
			continue;
		}
		while (at == b.n && (ret = ut_reader_next(r, &b, &err)) == 1) {
			at = 0;
			unknown += b.unknown;
		}
		if (ret != 1)
			fail_msg("event %zu: %s", i, err.text);
		if (!gen_same(&e, &b.events[at]))
			fail_msg("event %zu of seed %llu (%s) came back changed", i,
				 (unsigned long long)seed, ut_kind_name(e.kind));
		at++;
	}
	assert_int_equal(at, b.n);
	assert_int_equal(ut_reader_next(r, &b, &err), 0);
	assert_null(ut_reader_warning(r));
	assert_int_equal(unknown, skipped);
	assert_int_equal(ut_reader_summary(r)->events, n);
	ut_reader_close(r);
}

static void any_events_come_back(void **state)
{
	const char *count = getenv("UNSYNC_TEST_EVENTS");
	size_t n = count ? (size_t)atoll(count) : 200000;

	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		write_any(seed, n / 5);
		compare_any(seed, n / 5);
	}
}

/* ---- a guest ---- */

struct guest_events {
	struct ut_writer *w;
	uint64_t n, last_ns;
};

static int write_guest_event(void *arg, const struct ut_event *e)
{
	struct guest_events *g = arg;

	g->n++;
	g->last_ns = e->time;
	return ut_writer_add(g->w, e, &err);
}

/* Several blocks of it. */
static struct guest_events write_guest(int level)
{
	struct guest_events g = { .w = open_writer() };

	ut_writer_set_level(g.w, level);
	if (gen_guest(3, 80, write_guest_event, &g))
		fail_msg("%s", err.text);
	close_writer(g.w);
	return g;
}

/* Not a matter of taste: this is what lets a trace of a million events be kept. */
static void guest_is_small(void **state)
{
	struct guest_events g = write_guest(6);
	struct stat st;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	assert_true((double)st.st_size < 4.0 * (double)g.n);
}

static void levels_change_bytes_only(void **state)
{
	struct guest_events g = write_guest(1);
	struct ut_reader *r = open_reader();
	struct ut_block b;
	uint64_t n = 0;

	(void)state;
	while (ut_reader_next(r, &b, &err) == 1)
		n += b.n;
	assert_int_equal(n, g.n);
	assert_int_equal(ut_reader_summary(r)->events, n);
	ut_reader_close(r);
}

static uint64_t count_from(struct ut_reader *r, uint64_t from, size_t *blocks)
{
	struct ut_block b;
	uint64_t n = 0;

	*blocks = 0;
	while (ut_reader_next(r, &b, &err) == 1) {
		++*blocks;
		for (size_t i = 0; i < b.n; i++)
			n += b.events[i].time >= from;
	}
	return n;
}

static void seeking_misses_nothing(void **state)
{
	struct guest_events g = write_guest(6);
	struct ut_reader *r = open_reader();
	size_t all, some;
	uint64_t from, expect;

	(void)state;
	for (uint64_t part = 0; part <= 20; part++) {
		from = g.last_ns / 20 * part + (part == 20 ? 1000000 : 0);
		assert_int_equal(ut_reader_rewind(r, &err), 0);
		expect = count_from(r, from, &all);
		assert_int_equal(ut_reader_seek_time(r, from, &err), 0);
		assert_int_equal(count_from(r, from, &some), expect);
		assert_null(ut_reader_warning(r));
		assert_true(all > 3);
		assert_true(part < 10 || some <= all / 2 + 1);
		assert_true(part < 20 || some == 0);
	}
	ut_reader_close(r);
}

/* ---- the header ---- */

static void metadata_comes_back(void **state)
{
	struct ut_reader *r;
	const struct ut_header *h;
	struct stat st;

	(void)state;
	close_writer(open_writer());
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	r = open_reader();
	h = ut_reader_header(r);
	assert_int_equal(h->major, UT_VERSION_MAJOR);
	assert_int_equal(h->minor, UT_VERSION_MINOR);
	assert_int_equal(h->mode, UT_MODE_EXACT);
	assert_int_equal(h->n_meta, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(h->meta[i].key, meta[i].key);
		assert_string_equal(h->meta[i].value, meta[i].value);
	}
	assert_null(ut_header_get(h, "none"));
	assert_string_equal(ut_header_get(h, "tool"), "unsync test");
	assert_int_equal(ut_reader_summary(r)->events, 0);
	ut_reader_close(r);
}

/* What stood there, even behind a link, is replaced by a file that nobody else may read. */
static void old_permissions_do_not_stay(void **state)
{
	char file[sizeof(path) + 8], link_text[sizeof(file)] = "";
	struct stat st, old;
	FILE *f;

	(void)state;
	snprintf(file, sizeof(file), "%s.target", path);
	f = fopen(file, "w");
	assert_non_null(f);
	assert_int_equal(fchmod(fileno(f), 0644), 0);
	assert_int_equal(symlink(file, path), 0);
	close_writer(open_writer());
	assert_true(readlink(path, link_text, sizeof(link_text) - 1) > 0);
	assert_string_equal(link_text, file);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_true(st.st_size > 0);
	assert_int_equal(fstat(fileno(f), &old), 0);
	assert_int_equal(old.st_size, 0);
	fclose(f);
	/* A link to nothing yet. */
	assert_int_equal(unlink(file), 0);
	close_writer(open_writer());
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	unlink(file);
}

static void bad_headers_are_refused(void **state)
{
	static char huge[UT_HEADER_BYTES];
	struct ut_meta one = { "Key", "x" };
	struct ut_header h = { .mode = UT_MODE_NATIVE, .meta = &one, .n_meta = 1 };

	(void)state;
	assert_null(ut_writer_open(path, &h, &err));
	memset(huge, 'x', sizeof(huge) - 1);
	one = (struct ut_meta){ "key", huge };
	assert_null(ut_writer_open(path, &h, &err));
	assert_int_equal(access(path, F_OK), -1);
	one.value = "x";
	h.mode = 3;
	assert_null(ut_writer_open(path, &h, &err));
}

/* ---- events that are not well formed ---- */

static void expect_refused(struct ut_event e)
{
	static struct ut_writer *w;
	struct ut_event fine = { .kind = UT_PV_FLUSH };

	assert_non_null(ut_event_check(&e));
	w = open_writer();
	assert_int_equal(ut_writer_add(w, &e, &err), -1);
	/* The writer goes on. */
	assert_int_equal(ut_writer_add(w, &fine, &err), 0);
	close_writer(w);
}

static void ill_formed_events_are_refused(void **state)
{
	struct ut_entry twice[2] = { { 5, 1 }, { 5, 1 } }, zero = { 5, 0 }, far = { 512, 1 };

	(void)state;
	expect_refused((struct ut_event){ .kind = 0 });
	expect_refused((struct ut_event){ .kind = UT_KIND_END });
	expect_refused((struct ut_event){ .kind = UT_KIND_EXT - 1 });
	expect_refused((struct ut_event){ .kind = UT_CR, .cr = { 0, 2 } });
	expect_refused((struct ut_event){ .kind = UT_INVPCID, .invpcid = { .type = 4 } });
	expect_refused((struct ut_event){ .kind = UT_FAULT, .fault = { .top = 6, .bottom = 1 } });
	expect_refused((struct ut_event){ .kind = UT_FAULT, .fault = { .top = 4 } });
	expect_refused((struct ut_event){ .kind = UT_FAULT, .fault = { .top = 2, .bottom = 3 } });
	expect_refused((struct ut_event){ .kind = UT_FAULT, .fault = { .outcome = 6 } });
	expect_refused((struct ut_event){ .kind = UT_WRITE, .write = { .size = 0, .how = 1 } });
	expect_refused((struct ut_event){ .kind = UT_WRITE, .write = { .size = 9, .how = 1 } });
	expect_refused((struct ut_event){ .kind = UT_WRITE, .write = { .size = 8 } });
	expect_refused((struct ut_event){ .kind = UT_WRITE,
					  .write = { .size = 8, .how = 1, .offset = 4089 } });
	expect_refused((struct ut_event){ .kind = UT_WRITE,
					  .write = { .size = 1, .how = 1, .val = 256 } });
	expect_refused(
		(struct ut_event){ .kind = UT_WRITE, .write = { .size = 1, .how = 1, .old = 1 } });
	expect_refused((struct ut_event){ .kind = UT_WRITE,
					  .write = { .size = 1, .how = 1, .gfn = 1ull << 52 } });
	expect_refused((struct ut_event){ .kind = UT_AD, .ad = { .entry_size = 7 } });
	expect_refused((struct ut_event){ .kind = UT_AD, .ad = { .entry_size = 8, .index = 512 } });
	expect_refused((struct ut_event){ .kind = UT_PAGE_NEW,
					  .page = { .known = true, .n = 2, .entries = twice } });
	expect_refused((struct ut_event){ .kind = UT_PAGE_NEW,
					  .page = { .known = true, .n = 1, .entries = &zero } });
	expect_refused((struct ut_event){ .kind = UT_PAGE_NEW,
					  .page = { .known = true, .n = 1, .entries = &far } });
	expect_refused((struct ut_event){ .kind = UT_PAGE_NEW,
					  .page = { .known = true, .role = UT_ROLE_DIRECT } });
	expect_refused((struct ut_event){ .kind = UT_PAGE_ZAP, .page = { .known = true } });
	expect_refused((struct ut_event){ .kind = UT_LOST });
	expect_refused((struct ut_event){ .kind = UT_EXITS, .exits = { .isa = 3 } });
}

/* ---- bounds ---- */

static void many_pages_and_texts(void **state)
{
	static struct ut_entry entries[UT_TABLE_ENTRIES];
	static char text[UINT16_MAX];
	struct ut_event page = { .kind = UT_PAGE_NEW }, mark = { .kind = UT_MARK };
	struct ut_writer *w = open_writer();
	struct gen g = { .state = 5 };
	struct ut_reader *r;
	struct ut_block b;
	size_t pages = 0, marks = 0;

	(void)state;
	mark.text = (struct ut_text){ 1, text, sizeof(text), false };
	for (unsigned int i = 0; i < 1500; i++) {
		for (unsigned int k = 0; k < UT_TABLE_ENTRIES; k++)
			entries[k] = (struct ut_entry){ (uint16_t)k, gen_number(&g) | 1 };
		page.page = (struct ut_page){
			.gfn = i, .known = true, .n = UT_TABLE_ENTRIES, .entries = entries
		};
		assert_int_equal(ut_writer_add(w, &page, &err), 0);
		assert_int_equal(ut_writer_add(w, &mark, &err), 0);
	}
	close_writer(w);
	r = open_reader();
	while (ut_reader_next(r, &b, &err) == 1) {
		for (size_t i = 0; i < b.n; i++) {
			pages += b.events[i].kind == UT_PAGE_NEW &&
				 b.events[i].page.n == UT_TABLE_ENTRIES;
			marks += b.events[i].kind == UT_MARK && b.events[i].text.len == UINT16_MAX;
		}
	}
	assert_null(ut_reader_warning(r));
	assert_int_equal(pages, 1500);
	assert_int_equal(marks, 1500);
	ut_reader_close(r);
}

/* More blocks than the index holds: it thins out, and still finds its way. */
static void index_stays_bounded(void **state)
{
	struct ut_event e = { .kind = UT_PV_FLUSH };
	struct ut_writer *w = open_writer();
	struct ut_reader *r;
	size_t blocks;
	const uint64_t n = 40000;

	(void)state;
	for (uint64_t i = 0; i < n; i++) {
		e.time = i;
		assert_int_equal(ut_writer_add(w, &e, &err), 0);
		assert_int_equal(ut_writer_flush(w, &err), 0);
	}
	close_writer(w);
	r = open_reader();
	assert_int_equal(ut_reader_summary(r)->blocks, n);
	assert_int_equal(ut_reader_seek_time(r, n - 5, &err), 0);
	assert_int_equal(count_from(r, n - 5, &blocks), 5);
	assert_int_equal(blocks, 5);
	ut_reader_close(r);
}

static long peak_memory(void)
{
	struct rusage u;

	assert_int_equal(getrusage(RUSAGE_SELF, &u), 0);
	return u.ru_maxrss;
}

static void read_all(void)
{
	struct ut_reader *r = open_reader();
	size_t blocks;

	count_from(r, 0, &blocks);
	ut_reader_close(r);
}

/* Ten times the events, the same memory, for writer and reader. */
static void memory_does_not_grow(void **state)
{
	struct guest_events g;
	long before;

	(void)state;
	if (SANITIZED)
		skip(); /* freed memory is kept for a while */
	write_guest(3);
	read_all();
	before = peak_memory();
	g = (struct guest_events){ .w = open_writer() };
	assert_int_equal(gen_guest(4, 800, write_guest_event, &g), 0);
	close_writer(g.w);
	read_all();
	assert_true(peak_memory() - before < 2048);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(any_events_come_back, remove_file),
		cmocka_unit_test_teardown(guest_is_small, remove_file),
		cmocka_unit_test_teardown(levels_change_bytes_only, remove_file),
		cmocka_unit_test_teardown(seeking_misses_nothing, remove_file),
		cmocka_unit_test_teardown(memory_does_not_grow, remove_file),
		cmocka_unit_test_teardown(metadata_comes_back, remove_file),
		cmocka_unit_test_teardown(old_permissions_do_not_stay, remove_file),
		cmocka_unit_test_teardown(bad_headers_are_refused, remove_file),
		cmocka_unit_test_teardown(ill_formed_events_are_refused, remove_file),
		cmocka_unit_test_teardown(many_pages_and_texts, remove_file),
		cmocka_unit_test_teardown(index_stays_bounded, remove_file),
	};

	return cmocka_run_group_tests(tests, name_file, NULL);
}
