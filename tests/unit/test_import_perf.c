// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is read from a perf.data: facts, formats, records in the order of time, losses and their
 * places, threads; from files and pipes, compressed or not, in every layout of samples.
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

#include "tests/unit/perf_make.h"

static struct make m;
static struct taken t;
static struct bytes file;
static struct ut_error err;

static int setup(void **state)
{
	(void)state;
	make_usual(&m);
	taken_init(&t);
	err.text[0] = '\0';
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	make_free(&m);
	taken_free(&t);
	free(file.p);
	memset(&file, 0, sizeof(file));
	return 0;
}

static void take_again(void)
{
	taken_free(&t);
	taken_init(&t);
}

static void read_made(void)
{
	make_file(&m, &file);
	if (take_file(&t, &file, &err))
		fail_msg("%s", err.text);
	assert_false(t.wrong);
}

static void read_made_piped(size_t step)
{
	make_piped(&m, &file);
	if (step ? take_pipe(&t, &file, step, &err) : take_file(&t, &file, &err))
		fail_msg("%s", err.text);
	assert_false(t.wrong);
}

static uint32_t any(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static void add(uint64_t time, uint32_t cpu, unsigned int event, uint32_t number)
{
	const struct sample s = {
		.time = time,
		.cpu = cpu,
		.pid = 500,
		.tid = 501 + cpu,
		.event = event,
		.number = number,
	};

	add_sample(&m, &s);
}

static void assert_numbers(const uint32_t *numbers, size_t n)
{
	size_t at = 0;

	for (size_t i = 0; i < t.n; i++) {
		if (t.got[i].kind != GOT_RECORD)
			continue;
		assert_true(at < n);
		assert_int_equal(t.got[i].number, numbers[at++]);
	}
	assert_int_equal(at, n);
}

static void assert_ascending(void)
{
	for (size_t i = 1; i < t.n; i++)
		if (t.got[i].kind != GOT_THREAD && t.got[i - 1].kind != GOT_THREAD)
			assert_true(t.got[i - 1].time <= t.got[i].time);
}

/* ---- what a recording says ---- */

static void assert_facts(void)
{
	static const char *const facts[] = {
		[IMPORT_RELEASE] = "6.1.0-test",   [IMPORT_MACHINE] = "x86_64",
		[IMPORT_CPU] = "A Processor",	   [IMPORT_COMMAND] = "/usr/bin/perf record -a",
		[IMPORT_RECORDER] = "perf 6.1.99", [IMPORT_CLOCK] = "mono",
	};
	static const char *const formats[] = { "ftrace:print", "kvm:kvm_exit", "kvm:kvm_entry",
					       "kvmmmu:kvm_mmu_get_page" };

	for (int i = 0; i < IMPORT_FACTS; i++)
		assert_string_equal(t.facts[i], facts[i]);
	assert_int_equal(t.n_formats, 4);
	for (int i = 0; i < 4; i++)
		assert_string_equal(t.formats[i], formats[i]);
}

static void assert_one(uint32_t cpu, uint16_t type)
{
	assert_int_equal(t.n, 1);
	assert_int_equal(t.got[0].kind, GOT_RECORD);
	assert_int_equal(t.got[0].time, 1000);
	assert_int_equal(t.got[0].cpu, cpu);
	assert_int_equal(t.got[0].pid, 500);
	assert_int_equal(t.got[0].tid, 501 + cpu);
	assert_int_equal(t.got[0].type, type);
	assert_int_equal(t.got[0].number, 7);
}

static void says_of_itself(void **state)
{
	(void)state;
	add(1000, 2, 1, 7);
	read_made();
	assert_facts();
	assert_one(2, FIRST_TYPE + 1);
	take_again();
	read_made_piped(0);
	assert_facts();
	assert_one(2, FIRST_TYPE + 1);
	for (size_t step = 1; step < 30; step += 7) {
		take_again();
		read_made_piped(step);
		assert_facts();
		assert_one(2, FIRST_TYPE + 1);
	}
}

static void clocks(void **state)
{
	static const struct {
		int clock;
		const char *name;
	} cases[] = { { -1, "perf" }, { 0, "realtime" }, { 1, "mono" }, { 4, "mono_raw" },
		      { 7, "boot" },  { 11, "tai" },	 { 99, "" } };

	(void)state;
	add(1000, 0, 0, 7);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (int event = 0; event < EVENTS; event++)
			m.shapes[event].clock = cases[i].clock;
		take_again();
		read_made();
		assert_string_equal(t.facts[IMPORT_CLOCK], cases[i].name);
	}
}

static void facts_are_told_once(void **state)
{
	(void)state;
	add_part(&m, 4);
	add_part(&m, 11);
	add(1000, 0, 0, 7);
	add_part(&m, 6);
	read_made_piped(0);
	for (int i = 0; i < IMPORT_FACTS; i++)
		assert_int_equal(t.told[i], 1);
}

/* Some events have formats of enormous length, none of KVM's. */
static void long_formats(void **state)
{
	(void)state;
	add(1000, 1, 2, 7);
	m.more_formats = 1;
	m.long_format = IMPORT_FORMAT_BYTES + 1;
	read_made();
	assert_facts();
	take_again();
	read_made_piped(30000);
	assert_facts();
	assert_one(1, FIRST_TYPE + 2);
}

/* Parts that are of no interest may be of any length. */
static void long_parts(void **state)
{
	(void)state;
	add(1000, 1, 2, 7);
	m.long_part = 3u << 20;
	read_made();
	assert_one(1, FIRST_TYPE + 2);
}

/* The first version of attributes has no room for a clock. */
static void attributes_of_all_sizes(void **state)
{
	(void)state;
	add(1000, 1, 2, 7);
	for (m.attr_size = 64; m.attr_size <= 192; m.attr_size += 8) {
		take_again();
		read_made();
		assert_one(1, FIRST_TYPE + 2);
		assert_string_equal(t.facts[IMPORT_CLOCK], m.attr_size < 96 ? "perf" : "mono");
		take_again();
		read_made_piped(0);
		assert_one(1, FIRST_TYPE + 2);
	}
}

static void recognises(void **state)
{
	(void)state;
	assert_true(perf_recognise("PERFILE2", 8));
	assert_true(perf_recognise("2ELIFREP", 8));
	assert_true(perf_recognise("PERFFILE", 8));
	assert_false(perf_recognise("PERFILE", 7));
	assert_false(perf_recognise("PERFILE3", 8));
	assert_false(perf_recognise("\x17\x08\x44tracing", 10));
}

/* ---- layouts ---- */

static void one_layout(uint64_t samples, uint64_t values, unsigned int chain)
{
	for (int event = 0; event < EVENTS; event++) {
		m.shapes[event].samples = samples | S_TIME | S_RAW;
		m.shapes[event].values = values;
		m.shapes[event].chain = chain;
	}
	m.records.n = 0;
	add_comm(&m, 900, 500, 502, "CPU 0/KVM");
	add(1000, 1, 2, 7);
	add(1001, 1, 0, 8);
	take_again();
	read_made();
	assert_int_equal(t.n, 3);
	assert_string_equal(t.got[0].name, "CPU 0/KVM");
	assert_int_equal(t.got[1].time, 1000);
	assert_int_equal(t.got[1].number, 7);
	assert_int_equal(t.got[1].cpu, samples & S_CPU ? 1 : IMPORT_NO_CPU);
	/* Without its field, the thread is that of the record's own. */
	assert_int_equal(t.got[1].tid, 502);
	assert_int_equal(t.got[1].pid, samples & S_TID ? 500 : 0);
	assert_int_equal(t.got[2].number, 8);
}

static void layouts(void **state)
{
	static const uint64_t fields[] = { S_IP,  S_TID,    S_ADDR,   S_READ,	  S_CALLCHAIN, S_ID,
					   S_CPU, S_PERIOD, S_STREAM, S_BRANCHES, S_IDENTIFIER };
	const unsigned int n = sizeof(fields) / sizeof(*fields);

	(void)state;
	for (unsigned int i = 0; i < 1u << n; i++) {
		uint64_t samples = 0;

		for (unsigned int k = 0; k < n; k++)
			if (i >> k & 1)
				samples |= fields[k];
		one_layout(samples, i % 32, i % 9);
	}
}

/* Other events in the same recording, of other layouts, have no records of tracepoints. */
static void other_events(void **state)
{
	static const uint32_t numbers[] = { 1, 2, 3 };

	(void)state;
	m.shapes[0].type = 0;
	m.shapes[0].samples = S_IDENTIFIER | S_IP | S_TIME | S_CALLCHAIN | S_RAW;
	m.shapes[0].chain = 4;
	m.shapes[1].samples = S_IDENTIFIER | S_TID | S_TIME | S_CPU | S_RAW;
	m.shapes[2].samples = S_IDENTIFIER | S_IP | S_TIME | S_CPU | S_RAW;
	add(1000, 1, 0, 100);
	add(1001, 1, 1, 1);
	add(1002, 1, 2, 2);
	add(1003, 1, 0, 101);
	add(1004, 0, 1, 3);
	read_made();
	assert_numbers(numbers, 3);
	assert_int_equal(t.got[0].tid, 502);
	assert_int_equal(t.got[1].tid, 502);
}

static void thread_of_the_record(void **state)
{
	struct sample s = { .time = 5, .pid = UINT32_MAX, .tid = 444, .number = 5 };
	const uint32_t gone = UINT32_MAX;

	(void)state;
	add_sample(&m, &s);
	/* A thread that is going away has no number for perf any more. */
	memcpy(m.records.p + 8 + 8 + 4, &gone, sizeof(gone));
	read_made();
	assert_int_equal(t.got[0].tid, 444);
	assert_int_equal(t.got[0].pid, 0);
}

/* ---- order ---- */

/* Nobody can say where they belong: at once, with the time of that moment. */
static void records_without_a_time(void **state)
{
	static const uint32_t numbers[] = { 3, 1, 2, 4, 6, 5 };

	(void)state;
	add(1000, 0, 0, 1);
	add(0, 0, 0, 3);
	add(1001, 0, 0, 2);
	add_comm(&m, UINT64_MAX, 1, 1, "x");
	add_round(&m);
	add_round(&m);
	add(UINT64_MAX, 0, 0, 4);
	add_round(&m);
	add(2000, 0, 0, 5);
	add_round(&m);
	add(1999, 0, 0, 6);
	read_made();
	assert_numbers(numbers, 6);
	assert_ascending();
	assert_int_equal(t.got[4].time, 1001);
}

/* What perf does, in the simplest way: a list that is searched for the earliest each time. */
struct item {
	uint64_t time;
	uint32_t number;
	bool gone;
};

struct model {
	struct item *items;
	size_t n, out;
	uint64_t limit, latest;
	uint32_t *numbers;
};

static void model_flush(struct model *o, uint64_t limit)
{
	struct item *first;

	for (;;) {
		first = NULL;
		for (size_t i = 0; i < o->n; i++)
			if (!o->items[i].gone && (!first || o->items[i].time < first->time))
				first = &o->items[i];
		if (!first || first->time > limit)
			return;
		first->gone = true;
		o->numbers[o->out++] = first->number;
	}
}

static void model_add(struct model *o, uint64_t time, uint32_t number)
{
	o->items[o->n++] = (struct item){ time, number, false };
	if (time > o->latest)
		o->latest = time;
}

static void model_round(struct model *o)
{
	uint64_t limit = o->limit;

	o->limit = o->latest;
	model_flush(o, limit);
}

/* Rounds of several CPUs; @mess: in how many of 100 cases a record is earlier than it could be. */
static void random_rounds(uint32_t seed, uint32_t mess, size_t records)
{
	struct model o = { .items = calloc(records, sizeof(*o.items)),
			   .numbers = calloc(records, sizeof(*o.numbers)) };
	uint64_t start = 1000, time, back;
	uint32_t number = 0;

	m.records.n = 0;
	while (number < records) {
		for (uint32_t cpu = 0; cpu < CPUS; cpu++) {
			time = start + any(&seed) % 20;
			for (uint32_t n = any(&seed) % 12; n && number < records; n--) {
				back = any(&seed) % 100 < mess ? any(&seed) % 900 : 0;
				time = time > back ? time - back : 1;
				add(time, cpu, any(&seed) % EVENTS, number);
				model_add(&o, time, number++);
				time += any(&seed) % 4;
			}
		}
		start += any(&seed) % 25;
		add_round(&m);
		model_round(&o);
	}
	model_flush(&o, UINT64_MAX);
	take_again();
	read_made();
	assert_numbers(o.numbers, o.out);
	assert_ascending();
	free(o.items);
	free(o.numbers);
}

static void order(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 200; seed++)
		random_rounds(seed, seed % 2 ? 0 : seed % 30, 100 + seed);
}

static int compare(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return x->number < y->number ? -1 : 1;
}

/* Far more than one buffer of bytes; records stand across the borders of these. */
enum { MANY = 60000 };

static struct item *add_many(uint32_t seed)
{
	struct item *items = calloc(MANY, sizeof(*items));
	uint64_t time;

	for (uint32_t number = 0, round = 0; number < MANY; round++) {
		for (uint32_t cpu = 0; cpu < CPUS; cpu++) {
			time = 1000 + 500ull * round;
			for (uint32_t n = 0; n < 300 && number < MANY; n++) {
				time += any(&seed) % 3;
				add(time, cpu, number % EVENTS, number);
				items[number] = (struct item){ .time = time, .number = number };
				number++;
			}
		}
		add_round(&m);
	}
	qsort(items, MANY, sizeof(*items), compare);
	return items;
}

static void assert_many(const struct item *items)
{
	assert_int_equal(t.n, MANY);
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(t.got[i].time, items[i].time);
		assert_int_equal(t.got[i].number, items[i].number);
	}
}

static void many(void **state)
{
	struct item *items = add_many(3);

	(void)state;
	read_made();
	assert_many(items);
	take_again();
	read_made_piped(0);
	assert_many(items);
	take_again();
	read_made_piped(4097);
	assert_many(items);
	free(items);
}

/* ---- compression ---- */

static void drop_rounds(void)
{
	struct bytes kept = { 0 };
	uint16_t size;

	for (size_t at = 0; at < m.records.n; at += size) {
		memcpy(&size, m.records.p + at + 6, sizeof(size));
		if (m.records.p[at] != 68)
			put_bytes(&kept, m.records.p + at, size);
	}
	free(m.records.p);
	m.records = kept;
}

static void compressed(void **state)
{
	static const size_t steps[] = { 100, 999, 65536, 300000, 10000000 };
	struct item *items;

	(void)state;
	for (uint32_t type = 81; type <= 83; type += 2) {
		for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
			m.records.n = 0;
			items = add_many(9);
			drop_rounds();
			compress(&m, type, steps[i], false);
			take_again();
			read_made();
			assert_many(items);
			take_again();
			read_made_piped(0);
			assert_many(items);
			free(items);
		}
	}
}

/* Compressed and other records may follow each other; a round's mark is never compressed. */
static void compressed_in_part(void **state)
{
	static const uint32_t numbers[] = { 1, 0, 2, 3, 4 };
	struct bytes before = { 0 };

	(void)state;
	add(1000, 0, 0, 0);
	put_bytes(&before, m.records.p, m.records.n);
	m.records.n = 0;
	add(999, 1, 0, 1);
	add(1002, 1, 1, 2);
	compress(&m, 81, 37, false);
	put_bytes(&before, m.records.p, m.records.n);
	free(m.records.p);
	m.records = before;
	add_round(&m);
	add(1003, 0, 0, 3);
	add_round(&m);
	add(1004, 0, 0, 4);
	read_made();
	assert_numbers(numbers, 5);
}

/* Bytes that cannot be compressed, so that perf's buffer for them is full. */
static void add_noise(uint32_t *seed, size_t n)
{
	uint8_t noise[60000];

	for (size_t i = 0; i < n; i++)
		noise[i] = (uint8_t)(any(seed) >> 16);
	add_plain(&m, 17, noise, n);
}

/* As long as one record may be, somewhat longer, and several. */
static void lengths_that_do_not_fit(void **state)
{
	static const size_t noises[][4] = { { 60000, 5200 },
					    { 60000, 5280 },
					    { 60000, 5286 },
					    { 60000, 5290 },
					    { 60000, 5294 },
					    { 60000, 9000, 60000 },
					    { 60000, 60000, 60000, 20000 } };
	static const uint32_t numbers[] = { 1, 2, 3, 4, 5, 6 };
	uint32_t seed = 1;
	size_t first;

	(void)state;
	for (size_t i = 0; i < sizeof(noises) / sizeof(*noises); i++) {
		m.records.n = 0;
		for (uint32_t k = 0; k < 4; k++) {
			add(1000 + k, 0, 0, 1 + k);
			if (noises[i][k])
				add_noise(&seed, noises[i][k]);
		}
		/* In a step of their own: what had no room before has room then. */
		first = m.records.n;
		add(2000, 1, 1, 5);
		assert_int_equal(compress(&m, 83, first, true), 0);
		add(2001, 1, 1, 6);
		take_again();
		read_made();
		assert_numbers(numbers, 6);
		take_again();
		read_made_piped(0);
		assert_numbers(numbers, 6);
	}
}

/* perf does not write what its compressor still holds at the end: then that is lost. */
static void compressor_keeps_the_end(void **state)
{
	uint32_t seed = 1;
	size_t kept = 0;

	(void)state;
	/* How much that is depends on the compressor: at some length it must be something. */
	for (size_t more = 1000; more < 60000 && !kept; more += 1000) {
		m.records.n = 0;
		add(1000, 0, 0, 1);
		for (int i = 0; i < 3; i++)
			add_noise(&seed, 60000);
		add_noise(&seed, more);
		add(2000, 0, 0, 2);
		kept = compress(&m, 81, 1u << 20, false);
	}
	assert_true(kept > 0);
	read_made();
	assert_int_equal(t.n, 2);
	assert_int_equal(t.got[0].number, 1);
	assert_int_equal(t.got[1].kind, GOT_LOST);
	assert_int_equal(t.got[1].cpu, IMPORT_NO_CPU);
	assert_int_equal(t.got[1].count, 0);
}

/* ---- losses ---- */

static void assert_loss(size_t i, uint64_t time, uint32_t cpu, uint64_t count)
{
	assert_true(i < t.n);
	assert_int_equal(t.got[i].kind, GOT_LOST);
	assert_int_equal(t.got[i].time, time);
	assert_int_equal(t.got[i].cpu, cpu);
	assert_int_equal(t.got[i].count, count);
}

/* The kernel notes a loss with a time that is later than that of the record after it. */
static void losses_in_their_places(void **state)
{
	static const uint32_t numbers[] = { 1, 2, 3, 5, 4 };

	(void)state;
	add(1000, 0, 0, 1);
	add_lost(&m, 1015, 0, 12);
	add(1010, 0, 0, 3);
	add(1005, 1, 0, 2);
	add_lost(&m, 1020, 1, 3);
	add_round(&m);
	add(1012, 2, 0, 5);
	add(1030, 1, 0, 4);
	read_made();
	assert_numbers(numbers, 5);
	assert_int_equal(t.n, 7);
	assert_loss(2, 1010, 0, 12);
	assert_loss(5, 1020, 1, 3);
}

/* At its end perf tells all losses by event: those that were told already are not told again. */
static void losses_at_the_end(void **state)
{
	(void)state;
	add_id_index(&m);
	add(1000, 0, 0, 1);
	add_lost(&m, 1015, 2, 10);
	add(1014, 2, 0, 2);
	add_lost_samples(&m, 0, id_of(1, 2), 8, 0);
	add_lost_samples(&m, 0, id_of(2, 2), 5, 0);
	add_lost_samples(&m, 0, id_of(2, 3), 4, 0);
	add_lost_samples(&m, 0, id_of(2, 1), 9, 1 << 15); /* not wanted, so not lost */
	read_made();
	assert_int_equal(t.n, 5);
	assert_loss(1, 1014, 2, 10);
	assert_loss(3, 1014, 2, 3);
	assert_loss(4, 1014, 3, 4);
}

static void losses_on_unknown_cpus(void **state)
{
	(void)state;
	add(1000, 0, 0, 1);
	add_lost_samples(&m, 0, id_of(1, 2), 8, 0);
	add_lost_samples(&m, 0, 0, 2, 0);
	read_made();
	assert_int_equal(t.n, 2);
	assert_loss(1, 1000, IMPORT_NO_CPU, 10);
}

static void losses_of_other_events(void **state)
{
	(void)state;
	m.shapes[1].type = 0;
	add(1000, 0, 0, 1);
	add_lost_samples(&m, 0, id_of(1, 2), 8, 0);
	add_lost_samples(&m, 1001, id_of(1, 2), 8, 0);
	add_throttle(&m, 1002, id_of(1, 1));
	read_made();
	assert_int_equal(t.n, 1);
}

static void losses_by_a_driver_and_throttling(void **state)
{
	(void)state;
	add(1000, 0, 0, 1);
	add_lost_samples(&m, 1001, id_of(1, 0), 8, 0);
	add_throttle(&m, 1002, id_of(1, 1));
	read_made();
	assert_int_equal(t.n, 3);
	assert_loss(1, 1001, 0, 8);
	assert_loss(2, 1002, 1, 0);
}

static void losses_in_counters(void **state)
{
	(void)state;
	for (uint64_t values = 0; values < 32; values++) {
		if (!(values & V_ID) || !(values & V_LOST))
			continue;
		for (int event = 0; event < EVENTS; event++)
			m.shapes[event].values = values;
		m.records.n = 0;
		add_id_index(&m);
		add(1000, 0, 0, 1);
		add_read(&m, 1, 2, 6);
		add_read(&m, 1, 2, 9);
		add_read(&m, 2, 2, 1);
		take_again();
		read_made();
		assert_int_equal(t.n, 2);
		assert_loss(1, 1000, 2, 10);
	}
}

/* ---- other records ---- */

static void threads(void **state)
{
	(void)state;
	add_comm(&m, 0, 500, 500, "qemu");
	add(1000, 0, 0, 1);
	add_fork(&m, 1001, 500, 501);
	add_comm(&m, 1003, 500, 501, "CPU 0/KVM");
	add(1002, 1, 0, 2);
	read_made();
	assert_int_equal(t.n, 5);
	assert_string_equal(t.got[0].name, "qemu");
	assert_int_equal(t.got[0].tid, 500);
	assert_int_equal(t.got[1].number, 1);
	assert_string_equal(t.got[2].name, "(none)");
	assert_int_equal(t.got[2].tid, 501);
	assert_int_equal(t.got[2].pid, 500);
	assert_int_equal(t.got[3].number, 2);
	assert_string_equal(t.got[4].name, "CPU 0/KVM");
}

/* A processor's trace follows its record and is no record itself. */
static void payload(void **state)
{
	static const uint32_t numbers[] = { 1, 2 };
	const uint64_t aux[5] = { 3000000 };

	(void)state;
	add(1000, 0, 0, 1);
	add_plain(&m, 71, aux, sizeof(aux));
	for (uint64_t i = 0; i < aux[0] / 8; i++)
		put_u64(&m.records, ~i);
	add(1001, 0, 0, 2);
	read_made();
	assert_numbers(numbers, 2);
	take_again();
	read_made_piped(0);
	assert_numbers(numbers, 2);
	take_again();
	read_made_piped(60000);
	assert_numbers(numbers, 2);
}

static void records_of_no_interest(void **state)
{
	static const uint32_t numbers[] = { 1, 2 };
	const uint64_t data[9] = { 0 };

	(void)state;
	add(1000, 0, 0, 1);
	for (uint32_t type = 65; type < 90; type++)
		if (type != 66 && type != 68 && type != 69 && type != 71 && type != 80 &&
		    type != 81 && type != 83)
			add_plain(&m, type, data, sizeof(data));
	for (uint32_t type = 10; type < 30; type++)
		add_plain(&m, type, data, sizeof(data));
	add(1001, 0, 0, 2);
	read_made();
	assert_numbers(numbers, 2);
}

/* Whatever the sink is at when it has had enough, its own words are told. */
static void sink_stops(void **state)
{
	int calls;

	(void)state;
	add_comm(&m, 0, 1, 1, "x");
	add_comm(&m, 10, 1, 1, "y");
	add(1000, 0, 0, 1);
	add_lost(&m, 1001, 0, 5);
	add_round(&m);
	add(1002, 0, 0, 2);
	add_round(&m);
	add_round(&m);
	add_lost_samples(&m, 0, id_of(0, 0), 50, 0);
	read_made();
	calls = t.calls;
	assert_int_equal(calls, 6 + 4 + 2 + 2 + 2);
	for (int i = 1; i <= calls; i++) {
		for (int piped = 0; piped < 2; piped++) {
			take_again();
			t.stop_at = i;
			if (piped)
				make_piped(&m, &file);
			else
				make_file(&m, &file);
			assert_int_equal(take_file(&t, &file, &err), -1);
			assert_string_equal(err.text, "the sink has had enough");
			assert_int_equal(t.calls, i);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(says_of_itself, setup, teardown),
		cmocka_unit_test_setup_teardown(clocks, setup, teardown),
		cmocka_unit_test_setup_teardown(facts_are_told_once, setup, teardown),
		cmocka_unit_test_setup_teardown(long_formats, setup, teardown),
		cmocka_unit_test_setup_teardown(long_parts, setup, teardown),
		cmocka_unit_test_setup_teardown(attributes_of_all_sizes, setup, teardown),
		cmocka_unit_test(recognises),
		cmocka_unit_test_setup_teardown(layouts, setup, teardown),
		cmocka_unit_test_setup_teardown(other_events, setup, teardown),
		cmocka_unit_test_setup_teardown(thread_of_the_record, setup, teardown),
		cmocka_unit_test_setup_teardown(records_without_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(order, setup, teardown),
		cmocka_unit_test_setup_teardown(many, setup, teardown),
		cmocka_unit_test_setup_teardown(compressed, setup, teardown),
		cmocka_unit_test_setup_teardown(compressed_in_part, setup, teardown),
		cmocka_unit_test_setup_teardown(lengths_that_do_not_fit, setup, teardown),
		cmocka_unit_test_setup_teardown(compressor_keeps_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(losses_in_their_places, setup, teardown),
		cmocka_unit_test_setup_teardown(losses_at_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(losses_on_unknown_cpus, setup, teardown),
		cmocka_unit_test_setup_teardown(losses_of_other_events, setup, teardown),
		cmocka_unit_test_setup_teardown(losses_by_a_driver_and_throttling, setup, teardown),
		cmocka_unit_test_setup_teardown(losses_in_counters, setup, teardown),
		cmocka_unit_test_setup_teardown(threads, setup, teardown),
		cmocka_unit_test_setup_teardown(payload, setup, teardown),
		cmocka_unit_test_setup_teardown(records_of_no_interest, setup, teardown),
		cmocka_unit_test_setup_teardown(sink_stops, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
