// SPDX-License-Identifier: GPL-2.0-only
/* trace.dat files made here: what is read of good ones, and what is said of bad ones. */
#define _GNU_SOURCE /* memfd_create() */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

#include "import/tracedat.h"

#define PAGE 4096
#define ROOM (1u << 20)
#define NAME "made.dat"

/* ---- making ---- */

static const char header_page[] = "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n"
				  "\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n"
				  "\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n"
				  "\tfield: char data;\toffset:16;\tsize:4080;\tsigned:1;\n";
static const char header_event[] = "# compressed entry header\n";
static const char format[] =
	"name: kvm_test\nID: 77\nformat:\n"
	"\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
	"\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n"
	"\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n"
	"\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"
	"\tfield:u64 gfn;\toffset:8;\tsize:8;\tsigned:0;\n\nprint fmt: \"%llx\", REC->gfn\n";
static const char clocks[] = "local global [mono] boot";
static const char uname_text[] = "Linux host 6.1.0-42-amd64 x86_64";

/* What a file is made of, and what is wrong with it. */
struct plan {
	int version;
	bool zstd;
	bool two_buffers;
	const char *clock, *compression, *stats;
	uint32_t page_bytes;
	uint8_t big;
	bool no_formats, endless, latency;
	uint32_t mult, shift;
};

struct bytes {
	uint8_t *at;
	size_t n;
};

static void put(struct bytes *b, const void *from, size_t n)
{
	assert_true(b->n + n <= ROOM);
	memcpy(b->at + b->n, from, n);
	b->n += n;
}

static void put2(struct bytes *b, uint16_t v)
{
	put(b, &v, sizeof(v));
}

static void put4(struct bytes *b, uint32_t v)
{
	put(b, &v, sizeof(v));
}

static void put8(struct bytes *b, uint64_t v)
{
	put(b, &v, sizeof(v));
}

static void put_text(struct bytes *b, const char *text)
{
	put(b, text, strlen(text) + 1);
}

static void align(struct bytes *b)
{
	while (b->n % PAGE)
		put(b, "", 1);
}

static struct bytes new_bytes(void)
{
	struct bytes b = { .at = malloc(ROOM) };

	assert_non_null(b.at);
	return b;
}

/* A page in the making. */
static size_t begin_page(struct bytes *b, uint64_t time)
{
	size_t at = b->n;

	put8(b, time);
	put8(b, 0);
	return at;
}

static void end_page(struct bytes *b, size_t at, uint32_t flags)
{
	uint32_t used = (uint32_t)(b->n - at - 16) | flags;

	memcpy(b->at + at + 8, &used, sizeof(used));
	while ((b->n - at) % PAGE)
		put(b, "", 1);
}

/* A record of 16 bytes: type and thread, and a number. */
static void put_record(struct bytes *b, uint32_t delta, uint32_t tid, uint64_t number)
{
	put4(b, delta << 5 | 4);
	put4(b, 77);
	put4(b, tid);
	put8(b, number);
}

/* Two pages of one CPU: a record each 10 ns, 4 in a page. */
static void put_pages(struct bytes *b, uint64_t time, uint32_t tid)
{
	for (int page = 0; page < 2; page++) {
		size_t at = begin_page(b, time + (uint64_t)page * 40);

		for (unsigned int i = 0; i < 4; i++)
			put_record(b, i ? 10 : 0, tid, (uint64_t)page * 4 + i);
		end_page(b, at, 0);
	}
}

static void put_formats(struct bytes *b)
{
	put4(b, 1);
	put_text(b, "kvm");
	put4(b, 1);
	put8(b, strlen(format));
	put(b, format, strlen(format));
}

static void put_header_info(struct bytes *b)
{
	put(b, "header_page", 12);
	put8(b, strlen(header_page));
	put(b, header_page, strlen(header_page));
	put(b, "header_event", 13);
	put8(b, strlen(header_event));
	put(b, header_event, strlen(header_event));
}

static void put_cmdlines(struct bytes *b)
{
	static const char names[] = "100 first\n200 second\n";

	put8(b, strlen(names));
	put(b, names, strlen(names));
}

static void put_option(struct bytes *b, unsigned int id, const void *data, size_t n)
{
	put2(b, (uint16_t)id);
	put4(b, (uint32_t)n);
	put(b, data, n);
}

static void put_options(struct bytes *b, const struct plan *p)
{
	const char *clock = p->clock ? p->clock : clocks;
	uint32_t tsc[4] = { p->mult, p->shift, 0, 0 };

	put_option(b, 4, clock, strlen(clock) + 1);
	put_option(b, 5, uname_text, sizeof(uname_text));
	put_option(b, 9, "3.1.6 made", 11);
	if (p->stats)
		put_option(b, 2, p->stats, strlen(p->stats) + 1);
	if (p->mult)
		put_option(b, 14, tsc, sizeof(tsc));
}

static void put_begin(struct bytes *b, const struct plan *p)
{
	put(b, "\x17\x08\x44tracing", 10);
	put_text(b, p->version == 6 ? "6" : p->version == 7 ? "7" : "8");
	put(b, &p->big, 1);
	put(b, "\x08", 1);
	put4(b, p->page_bytes ? p->page_bytes : PAGE);
}

static void put_v6(struct bytes *b, const struct plan *p)
{
	uint64_t offset = 0;
	size_t where, buffer = 0;

	put_header_info(b);
	put4(b, 0);
	put_formats(b);
	put4(b, 0);
	put4(b, 0);
	put_cmdlines(b);
	put4(b, 2);
	put(b, "options  ", 10);
	put_options(b, p);
	if (p->two_buffers) {
		buffer = b->n + 6;
		put_option(b, 3, "\0\0\0\0\0\0\0\0extra", 14);
	}
	put2(b, 0);
	put(b, p->latency ? "latency  " : "flyrecord", 10);
	where = b->n;
	for (int i = 0; i < 4; i++)
		put8(b, 0);
	for (int cpu = 0; cpu < 2; cpu++) {
		align(b);
		offset = b->n;
		put_pages(b, 1000 + (uint64_t)cpu * 5, cpu ? 200 : 100);
		memcpy(b->at + where + cpu * 16, &offset, 8);
		offset = b->n - offset;
		memcpy(b->at + where + cpu * 16 + 8, &offset, 8);
	}
	if (!p->two_buffers)
		return;
	offset = b->n;
	memcpy(b->at + buffer, &offset, 8);
	put(b, "flyrecord", 10);
	where = b->n;
	for (int i = 0; i < 4; i++)
		put8(b, 0);
	align(b);
	offset = b->n;
	put_pages(b, 1003, 100);
	memcpy(b->at + where, &offset, 8);
	offset = b->n - offset;
	memcpy(b->at + where + 8, &offset, 8);
}

/* A section of version 7. Returns where it is. */
static uint64_t put_section(struct bytes *b, const struct plan *p, unsigned int id,
			    const struct bytes *content)
{
	uint64_t at = b->n;
	uint8_t *packed;
	size_t n;

	put2(b, (uint16_t)id);
	put2(b, p->zstd);
	put4(b, 0);
	if (!p->zstd) {
		put8(b, content->n);
		put(b, content->at, content->n);
		return at;
	}
	packed = malloc(ZSTD_compressBound(content->n));
	assert_non_null(packed);
	n = ZSTD_compress(packed, ZSTD_compressBound(content->n), content->at, content->n, 1);
	put8(b, n + 8);
	put4(b, (uint32_t)n);
	put4(b, (uint32_t)content->n);
	put(b, packed, n);
	free(packed);
	return at;
}

/* Data of a buffer with one CPU; the option that describes it goes to @option. */
static void put_buffer(struct bytes *b, const struct plan *p, const char *name, uint32_t cpu,
		       const struct bytes *pages, struct bytes *option)
{
	uint64_t at = b->n, data;
	uint32_t chunks = 0, head[2];
	uint8_t packed[2 * PAGE];
	const char *clock = p->clock && *name ? p->clock : "mono";

	put2(b, 3);
	put2(b, p->zstd);
	put4(b, 0);
	put8(b, 0);
	if (!p->zstd)
		align(b);
	data = b->n;
	if (p->zstd) {
		put4(b, (uint32_t)(pages->n / PAGE));
		for (; chunks * PAGE < pages->n; chunks++) {
			head[0] = (uint32_t)ZSTD_compress(packed, sizeof(packed),
							  pages->at + chunks * PAGE, PAGE, 1);
			head[1] = PAGE;
			put(b, head, sizeof(head));
			put(b, packed, head[0]);
		}
	} else {
		put(b, pages->at, pages->n);
	}
	option->n = 0;
	put8(option, at);
	put_text(option, name);
	put_text(option, clock);
	put4(option, p->page_bytes ? p->page_bytes : PAGE);
	put4(option, 1);
	put4(option, cpu);
	put8(option, data);
	put8(option, b->n - data - (p->zstd ? 4 : 0));
	data = b->n - at - 16;
	memcpy(b->at + at + 8, &data, 8);
}

static void put_v7(struct bytes *b, const struct plan *p, const struct bytes *own)
{
	struct bytes content = new_bytes(), options = new_bytes(), option = new_bytes();
	size_t first;
	uint64_t at;

	put_text(b, p->compression ? p->compression : p->zstd ? "zstd" : "none");
	put_text(b, "1");
	first = b->n;
	put8(b, 0);
	put_header_info(&content);
	at = put_section(b, p, 16, &content);
	put_option(&options, 16, &at, 8);
	content.n = 0;
	put_formats(&content);
	at = put_section(b, p, 18, &content);
	if (!p->no_formats)
		put_option(&options, 18, &at, 8);
	content.n = 0;
	put_cmdlines(&content);
	at = put_section(b, p, 21, &content);
	put_option(&options, 21, &at, 8);
	put_options(&options, p);
	for (uint32_t cpu = 0; !p->latency && cpu < 2; cpu++) {
		content.n = 0;
		put_pages(&content, 1000 + cpu * 5, cpu ? 200 : 100);
		put_buffer(b, p, "", cpu, own ? own : &content, &option);
		/* Only one option for each buffer: the second CPU is one of its own. */
		put_option(&options, 3, option.at, option.n);
		if (own)
			break;
	}
	if (p->two_buffers) {
		content.n = 0;
		put_pages(&content, 1003, 100);
		put_buffer(b, p, "extra", 0, &content, &option);
		put_option(&options, 3, option.at, option.n);
	}
	at = p->endless ? b->n : 0;
	put_option(&options, 0, &at, 8);
	at = put_section(b, p, 0, &options);
	memcpy(b->at + first, &at, 8);
	free(content.at);
	free(options.at);
	free(option.at);
}

/* @own: pages of CPU 0, instead of those that are made; version 7 only */
static struct bytes make(const struct plan *p, const struct bytes *own)
{
	struct bytes b = new_bytes();

	put_begin(&b, p);
	if (p->version == 6)
		put_v6(&b, p);
	else
		put_v7(&b, p, own);
	return b;
}

/* ---- reading ---- */

#define MOST 64

struct seen {
	struct import_sink sink;
	struct import_record records[MOST];
	uint64_t numbers[MOST];
	unsigned int n, formats, losses;
	uint64_t lost_time[MOST], lost_count[MOST];
	uint32_t lost_cpu[MOST];
	unsigned int lost_before[MOST]; /* how many records were there */
	char facts[IMPORT_FACTS][64];
	char threads[256];
	unsigned int stop_after;
};

static int take_format(void *arg, const char *system, const char *text, size_t size)
{
	struct seen *s = arg;

	assert_string_equal(system, "kvm");
	assert_int_equal(size, strlen(format));
	assert_memory_equal(text, format, size);
	s->formats++;
	return 0;
}

static int take_record(void *arg, const struct import_record *r)
{
	struct seen *s = arg;

	assert_true(s->n < MOST);
	s->records[s->n] = *r;
	if (r->size >= 16)
		memcpy(&s->numbers[s->n], (const char *)r->data + 8, 8);
	s->n++;
	if (s->stop_after && s->n == s->stop_after)
		return ut_error_set(&s->sink.err, "enough");
	return 0;
}

static int take_lost(void *arg, uint64_t time, uint32_t cpu, uint64_t count)
{
	struct seen *s = arg;

	assert_true(s->losses < MOST);
	s->lost_time[s->losses] = time;
	s->lost_cpu[s->losses] = cpu;
	s->lost_count[s->losses] = count;
	s->lost_before[s->losses++] = s->n;
	return 0;
}

static int take_thread(void *arg, uint32_t tid, uint32_t pid, const char *name)
{
	struct seen *s = arg;
	size_t n = strlen(s->threads);

	assert_int_equal(pid, 0);
	snprintf(s->threads + n, sizeof(s->threads) - n, "%u=%s ", tid, name);
	return 0;
}

static int take_fact(void *arg, enum import_fact fact, const char *value)
{
	struct seen *s = arg;

	assert_int_equal(s->facts[fact][0], '\0');
	snprintf(s->facts[fact], sizeof(s->facts[fact]), "%s", value);
	return 0;
}

static int read_bytes(const struct bytes *b, size_t n, struct seen *s, struct ut_error *err)
{
	int fd = memfd_create(NAME, 0), ret;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, b->at, n), n);
	s->sink = (struct import_sink){ .format = take_format,
					.record = take_record,
					.lost = take_lost,
					.thread = take_thread,
					.fact = take_fact,
					.arg = s };
	err->text[0] = '\0';
	ret = tracedat_read(fd, NAME, &s->sink, err);
	assert_true(!ret == !err->text[0]);
	close(fd);
	return ret;
}

static void read_good(const struct plan *p, const struct bytes *own, struct seen *s)
{
	struct bytes b = make(p, own);
	struct ut_error err;

	*s = (struct seen){ .n = 0 };
	if (read_bytes(&b, b.n, s, &err))
		fail_msg("%s", err.text);
	free(b.at);
}

static void expect_error(const struct bytes *b, size_t n, const char *text)
{
	struct seen s = { .n = 0 };
	struct ut_error err;

	if (!read_bytes(b, n, &s, &err))
		fail_msg("read, where it should say '%s'", text);
	if (strncmp(err.text, NAME ": ", strlen(NAME) + 2) != 0 || !strstr(err.text, text))
		fail_msg("'%s' does not say '%s'", err.text, text);
	assert_null(strchr(err.text, '\n'));
}

static void expect_plan_error(const struct plan *p, const char *text)
{
	struct bytes b = make(p, NULL);

	expect_error(&b, b.n, text);
	free(b.at);
}

static void expect_pages_error(const struct bytes *pages, bool zstd, const char *text)
{
	const struct plan p = { .version = 7, .zstd = zstd };
	struct bytes b = make(&p, pages);

	expect_error(&b, b.n, text);
	free(b.at);
}

static const struct plan versions[] = { { .version = 6 },
					{ .version = 7 },
					{ .version = 7, .zstd = true } };

#define N_VERSIONS (sizeof(versions) / sizeof(versions[0]))

static void test_recognise(void **state)
{
	(void)state;
	assert_true(tracedat_recognise("\x17\x08\x44tracing7", 11));
	assert_false(tracedat_recognise("\x17\x08\x44tracing7", 9));
	assert_false(tracedat_recognise("\x17\x08\x44Tracing7", 11));
	assert_false(tracedat_recognise("", 0));
}

/* Two CPUs, the second 5 ns behind the first: their records take turns. */
static void test_order(void **state)
{
	struct seen s;

	(void)state;
	for (size_t v = 0; v < N_VERSIONS; v++) {
		read_good(&versions[v], NULL, &s);
		assert_int_equal(s.formats, 1);
		assert_int_equal(s.n, 16);
		for (unsigned int i = 0; i < s.n; i++) {
			assert_int_equal(s.records[i].cpu, i % 2);
			assert_int_equal(s.records[i].time, 1000 + i * 5);
			assert_int_equal(s.records[i].size, 16);
			assert_int_equal(s.records[i].tid, i % 2 ? 200 : 100);
			assert_int_equal(s.numbers[i], i / 2);
		}
		assert_int_equal(s.losses, 0);
		assert_string_equal(s.threads, "100=first 200=second ");
		assert_string_equal(s.facts[IMPORT_RELEASE], "6.1.0-42-amd64");
		assert_string_equal(s.facts[IMPORT_MACHINE], "x86_64");
		assert_string_equal(s.facts[IMPORT_RECORDER], "trace-cmd 3.1.6");
		assert_string_equal(s.facts[IMPORT_CLOCK], "mono");
	}
}

static void test_two_buffers(void **state)
{
	struct seen s;

	(void)state;
	for (size_t v = 0; v < N_VERSIONS; v++) {
		struct plan p = versions[v];

		p.two_buffers = true;
		read_good(&p, NULL, &s);
		assert_int_equal(s.n, 24);
		for (unsigned int i = 0; i < s.n; i++)
			assert_int_equal(s.records[i].time, 1000 + i / 3 * 10 +
								    (i % 3 == 1	  ? 3
								     : i % 3 == 2 ? 5
										  : 0));
	}
}

/* All that may stand in a page beside plain records. */
static void test_page(void **state)
{
	struct bytes pages = new_bytes();
	struct seen s;
	size_t at;

	(void)state;
	at = begin_page(&pages, 1000);
	put_record(&pages, 0, 1, 0);
	put4(&pages, 7u << 5 | 30); /* 7 + 3 * 2^27 later */
	put4(&pages, 3);
	put_record(&pages, 1, 1, 1);
	put4(&pages, 4u << 5 | 29); /* a record that was taken back, 4 later */
	put4(&pages, 12);
	put8(&pages, 0);
	put_record(&pages, 2, 1, 2);
	put4(&pages, 5u << 5 | 31); /* a time by itself */
	put4(&pages, 100);
	put_record(&pages, 6, 1, 3);
	put4(&pages, 1u << 5); /* a long record: of 21 bytes, in 24 */
	put4(&pages, 21 + 4);
	put4(&pages, 77);
	put4(&pages, 1);
	put8(&pages, 4);
	put8(&pages, 0);
	put4(&pages, 29); /* the rest is empty */
	put4(&pages, 0);
	put8(&pages, 0);
	end_page(&pages, at, 0);
	for (int zstd = 0; zstd < 2; zstd++) {
		const struct plan p = { .version = 7, .zstd = zstd };

		read_good(&p, &pages, &s);
		assert_int_equal(s.n, 5);
		assert_int_equal(s.records[1].time, 1000 + 7 + (3ull << 27) + 1);
		assert_int_equal(s.records[2].time, s.records[1].time + 4 + 2);
		assert_int_equal(s.records[3].time, 5 + (100ull << 27) + 6);
		assert_int_equal(s.records[4].time, s.records[3].time + 1);
		assert_int_equal(s.records[4].size, 24);
		for (unsigned int i = 0; i < s.n; i++)
			assert_int_equal(s.numbers[i], i);
	}
	free(pages.at);
}

/* Losses stand where they happened, and their sum is what the kernel counted. */
static void test_losses(void **state)
{
	static const char stats[] =
		"CPU: 0\nentries: 0\noverrun: 20\ncommit overrun: 3\nbytes: 9\ndropped events: 2\n";
	const struct plan p = { .version = 7, .stats = stats };
	struct bytes pages = new_bytes();
	struct seen s;
	size_t at;

	(void)state;
	at = begin_page(&pages, 1000);
	put_record(&pages, 0, 1, 0);
	end_page(&pages, at, 0);
	at = begin_page(&pages, 2000);
	put_record(&pages, 5, 1, 1);
	end_page(&pages, at, 1u << 31); /* how many is not said */
	at = begin_page(&pages, 3000);
	put_record(&pages, 0, 1, 2);
	put8(&pages, 7);
	end_page(&pages, at, 3u << 30); /* seven */
	pages.at[at + 8] -= 8;
	read_good(&p, &pages, &s);
	assert_int_equal(s.n, 3);
	assert_int_equal(s.losses, 3);
	assert_int_equal(s.lost_before[0], 1);
	assert_int_equal(s.lost_time[0], 2005);
	assert_int_equal(s.lost_count[0], 0);
	assert_int_equal(s.lost_before[1], 2);
	assert_int_equal(s.lost_count[1], 7);
	assert_int_equal(s.lost_before[2], 3);
	assert_int_equal(s.lost_count[2], 25 - 1 - 7);
	free(pages.at);
}

/* Times never go back, whatever the file says, and a clock of ticks is converted. */
static void test_times(void **state)
{
	const struct plan tsc = { .version = 7, .mult = 3, .shift = 1 }, plain = { .version = 7 };
	struct bytes pages = new_bytes();
	struct seen s;
	size_t at;

	(void)state;
	at = begin_page(&pages, 1000);
	put_record(&pages, 0, 1, 0);
	end_page(&pages, at, 0);
	at = begin_page(&pages, 500);
	put_record(&pages, 0, 1, 1);
	end_page(&pages, at, 0);
	read_good(&plain, &pages, &s);
	assert_int_equal(s.n, 2);
	assert_int_equal(s.records[1].time, 1000);
	read_good(&tsc, &pages, &s);
	assert_int_equal(s.records[0].time, 1500);
	assert_string_equal(s.facts[IMPORT_CLOCK], "mono, as ns");
	free(pages.at);
}

static void test_stopped(void **state)
{
	struct bytes b = make(&versions[0], NULL);
	struct seen s = { .stop_after = 3 };
	struct ut_error err;

	(void)state;
	assert_int_equal(read_bytes(&b, b.n, &s, &err), -1);
	assert_string_equal(err.text, "enough");
	assert_int_equal(s.n, 3);
	free(b.at);
}

static void test_bad_heads(void **state)
{
	(void)state;
	for (size_t v = 0; v < N_VERSIONS; v++) {
		struct plan p = versions[v];

		p.big = 1;
		expect_plan_error(&p, "big-endian");
		p = versions[v];
		p.page_bytes = 4097;
		expect_plan_error(&p, "pages of 4097 bytes");
		p.page_bytes = 1u << 20;
		expect_plan_error(&p, "pages of 1048576 bytes");
		p = versions[v];
		p.latency = true;
		expect_plan_error(&p, v ? "holds no records; start" : "the text of a tracer");
		p = versions[v];
		p.mult = 1;
		p.shift = 64;
		expect_plan_error(&p, "its clock cannot be converted");
	}
	expect_plan_error(&(struct plan){ .version = 8 }, "version '8'");
	expect_plan_error(&(struct plan){ .version = 7, .compression = "zlib" },
			  "compressed with 'zlib'");
	expect_plan_error(&(struct plan){ .version = 7, .zstd = true, .compression = "none" },
			  "compressed, in a file without compression");
	expect_plan_error(&(struct plan){ .version = 7, .no_formats = true },
			  "no formats of events");
	expect_plan_error(&(struct plan){ .version = 7, .endless = true },
			  "sections of options without an end");
	expect_plan_error(&(struct plan){ .version = 7, .two_buffers = true, .clock = "local" },
			  "different clocks, 'mono' and 'local'");
}

/* Wherever a file is cut off, that is what is said. */
static void test_cut_off(void **state)
{
	(void)state;
	for (size_t v = 0; v < N_VERSIONS; v++) {
		struct bytes b = make(&versions[v], NULL);

		for (size_t n = 10; n < b.n; n += n < 2048 ? 1 : 509)
			expect_error(&b, n, "is cut off");
		free(b.at);
	}
}

static void test_bad_pages(void **state)
{
	struct bytes pages = new_bytes();
	uint32_t used = PAGE - 15;
	size_t at;

	(void)state;
	for (int zstd = 0; zstd < 2; zstd++) {
		pages.n = 0;
		put_pages(&pages, 1000, 1);
		memcpy(pages.at + 8, &used, sizeof(used));
		expect_pages_error(&pages, zstd, "more in it than it has room for");
		pages.n = 0;
		at = begin_page(&pages, 1000);
		put_record(&pages, 0, 1, 0);
		put4(&pages, 10u << 5 | 4);
		put4(&pages, 77);
		end_page(&pages, at, 0);
		expect_pages_error(&pages, zstd, "a record that ends too late");
		for (uint32_t kind = 29; kind <= 32; kind++) {
			pages.n = 0;
			at = begin_page(&pages, 1000);
			put4(&pages, 10u << 5 | kind % 32);
			end_page(&pages, at, 0);
			expect_pages_error(&pages, zstd, "a record that ends too late");
		}
		/* Lengths that are too long, too short, or make a sum run over. */
		for (int i = 0; i < 4; i++) {
			static const uint32_t lengths[] = { 3, 0, 100, 0xffffffff };

			pages.n = 0;
			at = begin_page(&pages, 1000);
			put4(&pages, 10u << 5);
			put4(&pages, lengths[i]);
			put8(&pages, 0);
			end_page(&pages, at, 0);
			expect_pages_error(&pages, zstd, "a record that ends too late");
		}
	}
	free(pages.at);
}

/* What these two do not free is theirs; of us, the sanitizer shall tell. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libtracecmd.so\nleak:libtraceevent.so\nleak:__vfscanf_internal\n";
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recognise),   cmocka_unit_test(test_order),
		cmocka_unit_test(test_two_buffers), cmocka_unit_test(test_page),
		cmocka_unit_test(test_losses),	    cmocka_unit_test(test_times),
		cmocka_unit_test(test_stopped),	    cmocka_unit_test(test_bad_heads),
		cmocka_unit_test(test_cut_off),	    cmocka_unit_test(test_bad_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
