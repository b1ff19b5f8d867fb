/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a recording of perf or trace-cmd to a trace.
 *
 * The recording is read in a child process that can do little else (import/confine.h). What becomes of
 * that process, a crash included, is one error line here.
 */
#ifndef UNSYNC_IMPORT_IMPORT_H
#define UNSYNC_IMPORT_IMPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "import/story.h"

enum import_kind {
	IMPORT_UNKNOWN,
	IMPORT_PERF_DATA,
	IMPORT_TRACE_DAT,
};

struct import_options {
	const char *tool; /* name and version, for the trace's header */
	/* Called several times a second; NULL: nobody wants to know. @events: written so far */
	void (*progress)(void *ctx, uint64_t events);
	void *ctx;
};

struct import_result {
	uint32_t kind;	/* enum import_kind */
	uint64_t bytes; /* of the trace */
	struct story_counts counts;
	char clock[64]; /* by which the recording's times are; empty: it does not say */
};

/**
 * import_kind_name() - "perf.data", "trace.dat"
 */
const char *import_kind_name(unsigned int kind);

/**
 * import_run() - make a trace of a recording
 * @in: the recording, open for reading, at its beginning; perf.data may come through a pipe
 * @path: of the recording, for messages
 * @out: the trace, open for writing and empty. Both descriptors stay open.
 * @out_name: of the trace, for messages; "-" for standard output
 * @result: filled in on success
 * @err: set on failure: file, place, what is wrong, remedy
 *
 * Return: 0 or -1. After a failure there may be half a trace in @out.
 */
int import_run(int in, const char *path, int out, const char *out_name,
	       const struct import_options *options, struct import_result *result,
	       struct ut_error *err);

#endif
