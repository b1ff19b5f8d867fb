// SPDX-License-Identifier: GPL-2.0-only
/*
 * From records of KVM's tracepoints to events. The input says in a language of its own what a reader hands
 * on: numbers of 2 bytes are little endian, and a byte that begins no sentence is stepped over.
 *
 *	r TRACEPOINT THREAD CPU TICKS SIZE BYTES	a record; its first 8 bytes are put in their place
 *	f TRACEPOINT SIZE2 TEXT				a format, in place of the shipped one of that number
 *	l CPU COUNT					records were lost
 *	t THREAD PROCESS SIZE TEXT			a thread's name
 *	w FACT SIZE TEXT				a fact
 *	n						no shipped format, from here on
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/recording.h"
#include "tests/fuzz/story_input.h"
#include "tests/fuzz/told.h"

struct input {
	const uint8_t *p, *end;
	struct import_sink *sink;
	const struct recording *shipped;
	bool given[RECORDING_FORMATS]; /* formats of its own */
	bool only_own;		       /* the shipped ones are given, or not wanted */
	uint64_t time;
};

static unsigned int byte(struct input *in)
{
	return in->p < in->end ? *in->p++ : 0;
}

/* @n bytes, or as many as there are. */
static const uint8_t *bytes(struct input *in, size_t *n)
{
	const uint8_t *p = in->p;

	if (*n > (size_t)(in->end - p))
		*n = (size_t)(in->end - p);
	in->p += *n;
	return p;
}

static char *text(struct input *in, size_t n)
{
	const uint8_t *p = bytes(in, &n);
	char *s = malloc(n + 1);

	if (!s)
		fuzz_broken("out of memory");
	memcpy(s, p, n);
	s[n] = '\0';
	return s;
}

/* All that the input has not given by itself; they come before the first record. */
static int shipped_formats(struct input *in)
{
	const struct recording *rec = in->shipped;

	for (unsigned int i = 0; i < rec->formats && !in->only_own; i++) {
		if (!in->given[i] && in->sink->format(in->sink->arg, rec->format[i].system,
						      rec->format[i].text, rec->format[i].size))
			return -1;
	}
	in->only_own = true;
	return 0;
}

static int record(struct input *in)
{
	unsigned int format = byte(in) % (unsigned int)in->shipped->formats;
	unsigned int thread = byte(in), cpu = byte(in);
	struct import_record r = { .cpu = cpu % 8, .tid = 1000 + thread, .pid = 1000 + thread / 4 };
	uint8_t *data;
	size_t n;
	int ret;

	in->time += byte(in);
	n = byte(in);
	r.time = in->time;
	r.data = bytes(in, &n);
	r.size = (uint32_t)n;
	data = malloc(n ? n : 1);
	if (!data)
		fuzz_broken("out of memory");
	memcpy(data, r.data, n);
	story_input_head(data, n, in->shipped, format, r.tid);
	r.data = data;
	ret = shipped_formats(in) || in->sink->record(in->sink->arg, &r);
	free(data);
	return ret;
}

static int own_format(struct input *in)
{
	unsigned int i = byte(in) % (unsigned int)in->shipped->formats;
	size_t n = byte(in);
	char *s;
	int ret;

	n |= (size_t)byte(in) << 8;
	s = text(in, n);
	in->given[i] = true;
	ret = in->sink->format(in->sink->arg, in->shipped->format[i].system, s, strlen(s));
	free(s);
	return ret;
}

static int sentence(struct input *in)
{
	struct import_sink *sink = in->sink;
	unsigned int a, b;
	char *s = NULL;
	int ret = 0;

	switch (byte(in)) {
	case 'r':
		return record(in);
	case 'f':
		return own_format(in);
	case 'l':
		a = byte(in);
		return sink->lost(sink->arg, in->time, a == 255 ? IMPORT_NO_CPU : a, byte(in));
	case 't':
		a = byte(in);
		b = byte(in);
		s = text(in, byte(in));
		ret = sink->thread(sink->arg, 1000 + a, b ? 999 + b : 0, s);
		break;
	case 'w':
		a = byte(in) % IMPORT_FACTS;
		s = text(in, byte(in));
		ret = sink->fact(sink->arg, (enum import_fact)a, s);
		break;
	case 'n':
		in->only_own = true;
		break;
	}
	free(s);
	return ret;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct recording *shipped;
	struct input in = { .p = data, .end = data + size, .time = 1000 };
	int ret = 0;

	if (!shipped)
		shipped = recording_read("perf-few.data");
	in.shipped = shipped;
	in.sink = told_begin();
	while (!ret && in.p < in.end)
		ret = sentence(&in);
	if (ret)
		fuzz_line(in.sink->err.text, sizeof(in.sink->err.text));
	told_end();
	return 0;
}
