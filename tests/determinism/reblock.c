// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes a trace anew with other blocks.
 *
 *	reblock IN OUT EVENTS
 *
 * Each block has that many events at most; the events are the same.
 */
#include <stdio.h>
#include <stdlib.h>

#include "trace/trace.h"

static int copy(struct ut_reader *r, struct ut_writer *w, unsigned long events,
		struct ut_error *err)
{
	struct ut_block block;
	unsigned long n = 0;
	int got;

	while ((got = ut_reader_next(r, &block, err)) == 1) {
		for (size_t i = 0; i < block.n; i++) {
			if (ut_writer_add(w, &block.events[i], err) ||
			    (++n % events == 0 && ut_writer_flush(w, err)))
				return -1;
		}
	}
	return got;
}

static int reblock(const char *in, const char *out, unsigned long events, struct ut_error *err)
{
	struct ut_reader *r = ut_reader_open(in, err);
	struct ut_writer *w = r ? ut_writer_open(out, ut_reader_header(r), err) : NULL;
	int ret = w ? copy(r, w, events, err) : -1;

	if (w && ut_writer_close(w, ret ? NULL : err))
		ret = -1;
	ut_reader_close(r);
	return ret;
}

int main(int argc, char **argv)
{
	unsigned long events = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
	struct ut_error err = { "" };

	if (!events) {
		fputs("usage: reblock IN OUT EVENTS\n", stderr);
		return 2;
	}
	if (reblock(argv[1], argv[2], events, &err)) {
		fprintf(stderr, "reblock: %s\n", err.text);
		return 1;
	}
	return 0;
}
