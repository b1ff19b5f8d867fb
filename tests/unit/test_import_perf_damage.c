// SPDX-License-Identifier: GPL-2.0-only
/*
 * A perf.data that is cut off anywhere, has any byte changed, absurd numbers in it, or is of a kind
 * that cannot be read: always one line with a place and a remedy, or records that are in order.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "import/perf_window.h"
#include "tests/unit/perf_make.h"
#include "tests/unit/trace_gen.h"

enum { SAMPLES = 24 };

/* Reading takes thirty times as long under AddressSanitizer: not every byte there. */
enum { STEP = SANITIZED ? 5 : 1 };

static struct make m;
static struct taken t;
static struct bytes file;
static struct ut_error err;

static uint64_t time_of(uint32_t number)
{
	return 1000 + 10ull * (number ^ 1);
}

static void add(uint32_t number)
{
	const struct sample s = {
		.time = time_of(number),
		.cpu = number % CPUS,
		.pid = 500,
		.tid = 501,
		.event = number % EVENTS,
		.number = number,
	};

	add_sample(&m, &s);
}

/* Something of everything. */
static void add_all(bool rounds)
{
	const uint64_t aux[5] = { 64 };

	add_comm(&m, 0, 500, 501, "CPU 0/KVM");
	if (rounds)
		add_id_index(&m);
	for (uint32_t i = 0; i < SAMPLES; i++) {
		add(i);
		if (i % 8 == 2)
			add_lost(&m, time_of(i), 1, i);
		if (i % 8 == 7 && rounds)
			add_round(&m);
	}
	add_fork(&m, 1100, 500, 502);
	add_throttle(&m, 1101, id_of(1, 1));
	add_read(&m, 2, 1, 40);
	if (rounds) {
		add_plain(&m, 71, aux, sizeof(aux));
		for (int i = 0; i < 8; i++)
			put_u64(&m.records, UINT64_MAX);
	}
	add_lost_samples(&m, 0, id_of(0, 3), 8, 0);
}

enum variant { IN_FILE, PIPED, COMPRESSED, COMPRESSED2, VARIANTS };

static void make(enum variant v)
{
	make_free(&m);
	make_usual(&m);
	m.shapes[1].samples |= S_CALLCHAIN | S_READ;
	m.shapes[1].values |= V_GROUP;
	m.shapes[1].chain = 2;
	add_all(v <= PIPED);
	if (v > PIPED)
		compress(&m, v == COMPRESSED ? 81 : 83, 500, false);
	if (v == PIPED)
		make_piped(&m, &file);
	else
		make_file(&m, &file);
}

static int take(void)
{
	taken_free(&t);
	taken_init(&t);
	err.text[0] = '\0';
	return take_file(&t, &file, &err);
}

static void assert_in_order(void)
{
	uint64_t last = 0;

	for (size_t i = 0; i < t.n; i++) {
		if (t.got[i].kind == GOT_THREAD)
			continue;
		assert_true(t.got[i].time >= last);
		last = t.got[i].time;
	}
}

static void assert_line(void)
{
	assert_true(!strncmp(err.text, "perf.data: ", 11));
	assert_null(strchr(err.text, '\n'));
}

static size_t count_records(void)
{
	size_t n = 0;

	for (size_t i = 0; i < t.n; i++)
		n += t.got[i].kind == GOT_RECORD;
	return n;
}

/* Whatever was handed on is what was recorded. */
static void assert_true_records(void)
{
	assert_false(t.wrong);
	assert_in_order();
	for (size_t i = 0; i < t.n; i++) {
		if (t.got[i].kind != GOT_RECORD)
			continue;
		assert_true(t.got[i].number < SAMPLES);
		assert_int_equal(t.got[i].time, time_of(t.got[i].number));
		assert_int_equal(t.got[i].type, FIRST_TYPE + t.got[i].number % EVENTS);
	}
}

static void is_whole(void **state)
{
	(void)state;
	for (int v = 0; v < VARIANTS; v++) {
		make(v);
		if (take())
			fail_msg("%s", err.text);
		assert_true_records();
		assert_int_equal(count_records(), SAMPLES);
	}
}

/* Nothing tells a pipe that ends between two records from one that is whole. */
static bool ends_between_records(size_t n)
{
	size_t at = 16;
	uint32_t type, more;
	uint16_t size;

	while (at < n) {
		memcpy(&type, file.p + at, 4);
		memcpy(&size, file.p + at + 6, 2);
		memcpy(&more, file.p + at + 8, 4);
		at += size + (type == 66 || type == 71 ? more : 0);
	}
	return at == n;
}

static void cut_off_anywhere(void **state)
{
	size_t n, most;

	(void)state;
	for (int v = 0; v < VARIANTS; v++) {
		make(v);
		most = 0;
		for (n = file.n - 1; n; n--) {
			file.n = n;
			if (v == PIPED && ends_between_records(n)) {
				/*
				 * If it ends before the formats, there are events without them at
				 * most.
				 */
				if (take())
					fail_msg("%s", err.text);
			} else {
				assert_int_equal(take(), -1);
				assert_line();
			}
			assert_true_records();
			most = count_records() > most ? count_records() : most;
		}
		assert_int_equal(most, SAMPLES);
	}
}

static void any_byte_changed(void **state)
{
	static const uint8_t flips[] = { 0xff, 0x01, 0x80 };

	(void)state;
	for (int v = 0; v < VARIANTS; v++) {
		make(v);
		for (size_t at = 0; at < file.n; at += STEP) {
			for (size_t i = 0; i < sizeof(flips); i++) {
				file.p[at] ^= flips[i];
				if (take())
					assert_line();
				assert_in_order();
				file.p[at] ^= flips[i];
			}
		}
	}
}

static void absurd_numbers(void **state)
{
	static const uint64_t numbers[] = { 0, 1, 0x7fffffff, 0xffffffff, 1ull << 62, UINT64_MAX };
	uint8_t saved[8];

	(void)state;
	for (int v = 0; v < VARIANTS; v++) {
		make(v);
		for (size_t at = 0; at + 8 <= file.n; at += 4 * STEP) {
			memcpy(saved, file.p + at, 8);
			for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
				memcpy(file.p + at, &numbers[i], 8);
				if (take())
					assert_line();
				assert_in_order();
				memcpy(file.p + at, &numbers[i], 4);
				memcpy(file.p + at + 4, saved + 4, 4);
				if (take())
					assert_line();
				assert_in_order();
			}
			memcpy(file.p + at, saved, 8);
		}
	}
}

/* ---- what cannot be read ---- */

static void assert_refused(const char *with)
{
	assert_int_equal(take(), -1);
	assert_line();
	if (!strstr(err.text, with))
		fail_msg("'%s' does not say '%s'", err.text, with);
}

static void change(size_t at, uint64_t v)
{
	memcpy(file.p + at, &v, 8);
}

static void other_kinds_of_files(void **state)
{
	static const uint8_t swapped[] = { '2', 'E', 'L', 'I', 'F', 'R', 'E', 'P' };

	(void)state;
	make(IN_FILE);
	file.p[7] = 'X';
	assert_refused("is not a recording of perf");
	memcpy(file.p, swapped, 8);
	assert_refused("other byte order");
	memcpy(file.p, "PERFFILE", 8);
	assert_refused("before Linux 3.4");
	make(IN_FILE);
	change(8, 72);
	assert_refused("a header of an impossible size");
	file.n = 0;
	assert_refused("is not a recording of perf");
}

static void killed(void **state)
{
	(void)state;
	make(IN_FILE);
	change(48, 0);
	assert_refused("perf record was killed before it finished");
	/* As perf leaves it: nothing stands behind the records. */
	file.n = 104 + 8 * EVENTS * CPUS + EVENTS * (128 + 16) + m.records.n;
	assert_refused("perf record was killed before it finished");
	assert_int_equal(count_records(), SAMPLES);
	assert_true_records();
}

static void recorded_elsewhere(void **state)
{
	(void)state;
	for (int piped = 0; piped < 2; piped++) {
		make(IN_FILE);
		m.long_is_4 = true;
		piped ? make_piped(&m, &file) : make_file(&m, &file);
		assert_refused("a perf of 32 bits");
		m.long_is_4 = false;
		m.swapped = 1;
		piped ? make_piped(&m, &file) : make_file(&m, &file);
		assert_refused("other byte order");
		m.swapped = 0;
		m.threads = true;
		piped ? make_piped(&m, &file) : make_file(&m, &file);
		assert_refused("record without --threads");
		m.threads = false;
		m.no_formats = true;
		piped ? make_piped(&m, &file) : make_file(&m, &file);
		assert_refused("the formats of its events are missing");
		m.no_formats = false;
		m.compressed = 2;
		piped ? make_piped(&m, &file) : make_file(&m, &file);
		assert_refused("record without -z");
	}
}

static void recorded_without(void **state)
{
	(void)state;
	make(IN_FILE);
	m.shapes[1].samples &= ~(uint64_t)S_RAW;
	make_file(&m, &file);
	assert_refused("perf record -R");
	make(IN_FILE);
	m.shapes[2].samples &= ~(uint64_t)S_TIME;
	make_file(&m, &file);
	assert_refused("perf record -T");
	make(IN_FILE);
	m.shapes[2].samples &= ~(uint64_t)S_ID;
	make_file(&m, &file);
	assert_refused("cannot be told apart");
	make(IN_FILE);
	m.shapes[2].no_tails = true;
	make_file(&m, &file);
	assert_refused("cannot be told apart");
}

static void unknown_event(void **state)
{
	struct sample s = { .time = 5, .cpu = 50, .event = 0 };

	(void)state;
	make(IN_FILE);
	add_sample(&m, &s);
	make_file(&m, &file);
	assert_refused("of an event that the file does not describe");
}

static void ids_in_other_places(void **state)
{
	(void)state;
	make(IN_FILE);
	m.shapes[2].samples &= ~(uint64_t)S_IP;
	make_file(&m, &file);
	assert_refused("cannot be told apart");
}

static void ids_that_overlap(void **state)
{
	const size_t attrs = 104 + 8 * EVENTS * CPUS, each = 128 + 16;

	(void)state;
	make(IN_FILE);
	for (size_t i = 0; i < EVENTS; i++)
		change(attrs + i * each + 128 + 8, file.n / 2 & ~7ull);
	assert_refused("ids of events that overlap");
}

/* What attributes say of their own size is no reason to read past them. */
static void attributes_that_boast(void **state)
{
	const uint32_t boast = 4000;

	(void)state;
	make(IN_FILE);
	for (int event = 0; event < EVENTS; event++)
		m.shapes[event].clock = 1;
	m.attr_size = 64;
	make_file(&m, &file);
	for (size_t i = 0; i < EVENTS; i++)
		memcpy(file.p + 104 + 8 * EVENTS * CPUS + i * (64 + 16) + 4, &boast, sizeof(boast));
	assert_int_equal(take(), 0);
	assert_string_equal(t.facts[IMPORT_CLOCK], "perf");
	assert_int_equal(count_records(), SAMPLES);
}

static void too_many_formats(void **state)
{
	(void)state;
	make(IN_FILE);
	m.more_formats = IMPORT_FORMATS;
	make_file(&m, &file);
	assert_refused("formats of more events than any kernel has");
}

/* Ids whose places in any table are the same would take forever to look up. */
static void made_up_ids(void **state)
{
	struct bytes record = { 0 };
	uint64_t inverse = 1;

	(void)state;
	/* Multiplied by it, ids become what is wished for: the reader's multiplier's inverse. */
	for (int i = 0; i < 6; i++)
		inverse *= 2 - inverse * 0x9e3779b97f4a7c15ull;
	make(PIPED);
	put_bytes(&record, file.p + 16 + 8, 128);
	for (uint64_t i = 1; i <= 4000; i++)
		put_u64(&record, i * inverse);
	m.records.n = 0;
	add_plain(&m, 64, record.p, record.n);
	make_piped(&m, &file);
	free(record.p);
	assert_refused("ids of events that no kernel gives");
}

static void no_such_pipes(void **state)
{
	(void)state;
	taken_free(&t);
	taken_init(&t);
	make(IN_FILE);
	assert_int_equal(take_pipe(&t, &file, 1000, &err), -1);
	assert_string_equal(err.text,
			    "-: offset 0: such a file cannot be read from a pipe; give its name");
	assert_int_equal(perf_read(-1, "perf.data", &t.sink, &err), -1);
	assert_line();
}

/* ---- memory for what waits ---- */

/* Fills chunks with records; @late: this one is the first, and told last. */
static int fill_window(struct perf_window *w, bool late)
{
	struct import_record item = { .size = 12 };
	struct perf_chunk *c = NULL, *next;
	static const uint8_t data[12] = "";

	item.data = data;
	for (uint64_t i = 0; i < 500000; i++) {
		if (i % 10000 == 0) {
			next = perf_window_chunk(w, &err);
			if (!next)
				return -1;
			perf_window_filled(w, c);
			c = next;
		}
		item.time = late && i == 499999 ? 1 : i + 2;
		if (perf_window_add(w, c, &item, &err))
			return -1;
	}
	perf_window_filled(w, c);
	return perf_window_end(w, &err);
}

static void memory_is_bounded(void **state)
{
	struct perf_window w = { .path = "perf.data", .sink = &t.sink, .most = 20u << 20 };

	(void)state;
	taken_free(&t);
	taken_init(&t);
	assert_int_equal(fill_window(&w, false), 0);
	assert_true(w.held < (22u << 20));
	assert_true(w.forced > 0);
	assert_int_equal(t.n, 500000);
	assert_in_order();
	perf_window_free(&w);

	w = (struct perf_window){ .path = "perf.data", .sink = &t.sink, .most = 20u << 20 };
	taken_free(&t);
	taken_init(&t);
	assert_int_equal(fill_window(&w, true), -1);
	assert_line();
	assert_non_null(strstr(err.text, "more than 20 MiB"));
	assert_true(t.n < 500000);
	perf_window_free(&w);
}

static int teardown(void **state)
{
	(void)state;
	make_free(&m);
	taken_free(&t);
	free(file.p);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_whole),
		cmocka_unit_test(cut_off_anywhere),
		cmocka_unit_test(any_byte_changed),
		cmocka_unit_test(absurd_numbers),
		cmocka_unit_test(other_kinds_of_files),
		cmocka_unit_test(killed),
		cmocka_unit_test(recorded_elsewhere),
		cmocka_unit_test(recorded_without),
		cmocka_unit_test(unknown_event),
		cmocka_unit_test(ids_in_other_places),
		cmocka_unit_test(ids_that_overlap),
		cmocka_unit_test(attributes_that_boast),
		cmocka_unit_test(too_many_formats),
		cmocka_unit_test(made_up_ids),
		cmocka_unit_test(no_such_pipes),
		cmocka_unit_test(memory_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
