// SPDX-License-Identifier: GPL-2.0-only
/* A file is never larger than ut_writer_bound() says, whatever is in it, and seldom much smaller. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/trace_gen.h"

static const struct ut_header header = { .mode = UT_MODE_NATIVE };
static struct ut_error err;

static struct ut_writer *open_in_memory(int *copy)
{
	int fd = memfd_create("bound", MFD_CLOEXEC);
	struct ut_writer *w;

	assert_true(fd >= 0);
	*copy = dup(fd);
	w = ut_writer_attach(fd, "memory", &header, &err);
	assert_non_null(w);
	return w;
}

/* Returns the size of the closed file. */
static uint64_t close_file(struct ut_writer *w, int fd)
{
	struct stat st;

	assert_int_equal(ut_writer_close(w, &err), 0);
	assert_int_equal(fstat(fd, &st), 0);
	close(fd);
	return (uint64_t)st.st_size;
}

static void holds_for_anything(void **state)
{
	(void)state;
	for (unsigned int run = 0; run < 300; run++) {
		struct gen g = { .state = run + 1 };
		struct ut_event e;
		struct ut_writer *w;
		uint64_t bound;
		int fd;

		w = open_in_memory(&fd);
		for (unsigned int i = 0; i < run * run / 20; i++) {
			gen_any(&g, &e);
			assert_int_equal(ut_writer_add(w, &e, &err), 0);
			if (i % 97 == 96)
				assert_int_equal(ut_writer_flush(w, &err), 0);
		}
		bound = ut_writer_bound(w);
		assert_true(close_file(w, fd) <= bound);
	}
}

/* Nothing in it can be compressed. */
static void holds_for_noise(void **state)
{
	static char noise[60000];
	struct gen g = { .state = 5 };
	struct ut_event e = { .kind = UT_MARK, .vm = UT_NO_VM, .vcpu = UT_NO_VCPU };
	struct ut_writer *w;
	uint64_t bound;
	int fd;

	(void)state;
	e.text.text = noise;
	e.text.len = sizeof(noise);
	for (unsigned int n = 1; n < 60; n += 7) {
		w = open_in_memory(&fd);
		for (unsigned int i = 0; i < n; i++) {
			for (size_t k = 0; k < sizeof(noise); k++)
				noise[k] = (char)(gen_number(&g) >> 33);
			assert_int_equal(ut_writer_add(w, &e, &err), 0);
		}
		bound = ut_writer_bound(w);
		assert_true(close_file(w, fd) <= bound);
	}
}

static void is_close_after_a_flush(void **state)
{
	struct gen g = { .state = 9 };
	struct ut_event e;
	struct ut_writer *w;
	uint64_t bound;
	int fd;

	(void)state;
	w = open_in_memory(&fd);
	for (unsigned int i = 0; i < 5000; i++) {
		gen_any(&g, &e);
		assert_int_equal(ut_writer_add(w, &e, &err), 0);
	}
	assert_int_equal(ut_writer_flush(w, &err), 0);
	bound = ut_writer_bound(w);
	assert_in_range(bound - close_file(w, fd), 0, 2048);
}

static void closes_what_it_cannot_use(void **state)
{
	const struct ut_header wrong = { .mode = 7 };
	int fd = memfd_create("wrong", MFD_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_null(ut_writer_attach(fd, "memory", &wrong, &err));
	assert_int_equal(close(fd), -1);
	fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_null(ut_writer_attach(fd, "full", &header, &err));
	assert_int_equal(close(fd), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_for_anything),
		cmocka_unit_test(holds_for_noise),
		cmocka_unit_test(is_close_after_a_flush),
		cmocka_unit_test(closes_what_it_cannot_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
