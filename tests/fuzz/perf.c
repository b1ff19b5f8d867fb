// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reader of perf.data, from a file and from a pipe, and the story of what it hands on. What it hands
 * on is in the order of time, and within the limits that import/record.h sets.
 */
#define _GNU_SOURCE
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "import/perf.h"
#include "tests/fuzz/told.h"

static volatile uint64_t sum; /* so that what is added to it is read */

static struct {
	struct import_sink *next; /* NULL: nobody */
	struct import_sink sink;
	uint64_t time, calls;
	unsigned int facts;
} seen;

static void touch(const void *bytes, size_t size)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < size; i++)
		sum += p[i];
}

static int pass_on(int ret)
{
	if (ret)
		seen.sink.err = seen.next->err;
	return ret;
}

static void in_order(uint64_t time)
{
	if (time < seen.time)
		fuzz_broken("time goes back from %llu to %llu", (unsigned long long)seen.time,
			    (unsigned long long)time);
	seen.time = time;
	seen.calls++;
}

static int take_format(void *arg, const char *system, const char *text, size_t size)
{
	(void)arg;
	if (size > IMPORT_FORMAT_BYTES)
		fuzz_broken("a format of %zu bytes", size);
	touch(system, strlen(system));
	touch(text, size);
	return seen.next ? pass_on(seen.next->format(seen.next->arg, system, text, size)) : 0;
}

static int take_record(void *arg, const struct import_record *r)
{
	(void)arg;
	if (r->size > IMPORT_RECORD_BYTES)
		fuzz_broken("a record of %u bytes", r->size);
	touch(r->data, r->size);
	in_order(r->time);
	return seen.next ? pass_on(seen.next->record(seen.next->arg, r)) : 0;
}

static int take_lost(void *arg, uint64_t time, uint32_t cpu, uint64_t count)
{
	(void)arg;
	in_order(time);
	return seen.next ? pass_on(seen.next->lost(seen.next->arg, time, cpu, count)) : 0;
}

static int take_thread(void *arg, uint32_t tid, uint32_t pid, const char *name)
{
	(void)arg;
	if (name)
		touch(name, strlen(name));
	return seen.next ? pass_on(seen.next->thread(seen.next->arg, tid, pid, name)) : 0;
}

static int take_fact(void *arg, enum import_fact fact, const char *value)
{
	(void)arg;
	if (fact >= IMPORT_FACTS || seen.facts >> fact & 1)
		fuzz_broken("fact %u is told twice", (unsigned int)fact);
	seen.facts |= 1u << fact;
	touch(value, strlen(value));
	return seen.next ? pass_on(seen.next->fact(seen.next->arg, fact, value)) : 0;
}

/* Return: how much was handed on. */
static uint64_t read_from(int fd, struct import_sink *next)
{
	struct ut_error err = { "" };

	memset(&seen, 0, sizeof(seen));
	seen.next = next;
	seen.sink =
		(struct import_sink){ take_format, take_record, take_lost, take_thread, take_fact };
	if (perf_read(fd, "recording", &seen.sink, &err))
		fuzz_line(err.text, sizeof(err.text));
	return seen.calls;
}

/* As much as a pipe has room for, which is more than inputs have. */
static void read_piped(const uint8_t *data, size_t size)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) || fcntl(p[1], F_SETPIPE_SZ, 1 << 20) < 0)
		fuzz_broken("no pipe");
	if (write(p[1], data, size) != (ssize_t)size)
		fuzz_broken("the pipe is full");
	close(p[1]);
	read_from(p[0], NULL);
	close(p[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!perf_recognise(data, size))
		return 0;
	fuzz_file(0, data, size);
	read_from(fuzz_descriptor(0), told_begin());
	told_end();
	if (size <= 1 << 20)
		read_piped(data, size);
	return 0;
}
