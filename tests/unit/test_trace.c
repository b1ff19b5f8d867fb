// SPDX-License-Identifier: GPL-2.0-only
/* What is written comes back: every kind of event, in every field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(any_events_come_back, remove_file),
	};

	return cmocka_run_group_tests(tests, name_file, NULL);
}
