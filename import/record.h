/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the readers of recordings (perf.data, trace.dat) have in common: they hand on what they find to
 * a sink, in the order of time. The readers know files, the sink knows KVM; neither knows the other.
 */
#ifndef UNSYNC_IMPORT_RECORD_H
#define UNSYNC_IMPORT_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/trace.h"

#define IMPORT_FORMAT_BYTES (64u << 10) /* the longest text of an event's format that is taken */
#define IMPORT_FORMATS 8192u		/* and how many of them */
#define IMPORT_RECORD_BYTES 65536u	/* the longest record */
#define IMPORT_NO_CPU UINT32_MAX	/* the recording does not say which */

/* One event as the kernel laid it out. */
struct import_record {
	uint64_t time;	  /* ns, by the recording's clock */
	uint32_t cpu;	  /* of the host; or IMPORT_NO_CPU */
	uint32_t tid;	  /* host thread in which it happened */
	uint32_t pid;	  /* its process; 0: the recording does not say */
	uint32_t size;	  /* bytes of data */
	const void *data; /* valid during the call, not aligned; begins with the common fields */
};

/* What a recording says of the host and of itself. A reader tells each at most once. */
enum import_fact {
	IMPORT_RELEASE,	 /* of the kernel: "6.1.0-42-amd64" */
	IMPORT_MACHINE,	 /* as uname says it: "x86_64" */
	IMPORT_CPU,	 /* model of the processor */
	IMPORT_COMMAND,	 /* with which it was recorded */
	IMPORT_RECORDER, /* what recorded it, with its version */
	IMPORT_CLOCK, /* by which its times are, as tracefs calls it: "mono", "local", "perf" ... */
	IMPORT_FACTS
};

/*
 * Each function returns 0, or -1 to stop with the sink's own error. Facts and formats come before the
 * first record, apart from those that stand later in a recording that was piped.
 */
struct import_sink {
	/* @text: of the event's "format" file, not terminated; valid during the call */
	int (*format)(void *arg, const char *system, const char *text, size_t size);
	int (*record)(void *arg, const struct import_record *r);
	/*
	 * Records are missing before the next one of this CPU, or before the end. @time: of the place,
	 * in order with the records; @cpu: IMPORT_NO_CPU: on any; @count: how many, 0: nobody knows.
	 */
	int (*lost)(void *arg, uint64_t time, uint32_t cpu, uint64_t count);
	/*
	 * A thread's name (NULL: not told, it is new) and process (0: unknown), in order with the
	 * records; may be told again.
	 */
	int (*thread)(void *arg, uint32_t tid, uint32_t pid, const char *name);
	/* @value: terminated */
	int (*fact)(void *arg, enum import_fact fact, const char *value);
	void *arg;
	/* Set by a function that returns -1. */
	struct ut_error err;
};

#endif
