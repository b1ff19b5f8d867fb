/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What stands where in a trace.dat. Versions 6 (all in one row) and 7 (sections) are described in
 * trace-cmd.dat.v6(5) and trace-cmd.dat.v7(5); numbers are little endian here.
 *
 * Nothing in the file is believed: every offset and size is held against the file's before anything is
 * read there, and before libtracecmd sees the file, which is not as careful.
 */
#ifndef UNSYNC_IMPORT_TRACEDAT_FILE_H
#define UNSYNC_IMPORT_TRACEDAT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/trace.h"

#define TRACEDAT_MAGIC "\x17\x08\x44tracing"
#define TRACEDAT_MAGIC_BYTES 10
#define TRACEDAT_CPUS 8192u  /* in all buffers together */
#define TRACEDAT_TEXT 128    /* room for a text of the head */
#define TRACEDAT_SECTIONS 6  /* of the head: from "header info" to names of threads */
#define TRACEDAT_NS_SHIFT 64 /* the clock needs no conversion */

/* The records of one CPU in one buffer: pages of the kernel's ring buffer, one after the other. */
struct tracedat_cpu {
	uint64_t offset, size; /* in the file */
	uint32_t cpu;
	uint32_t page_bytes;
	bool compressed; /* in chunks */
};

struct tracedat_file {
	int fd;
	const char *path;
	uint64_t size;
	unsigned int version;
	uint32_t page_bytes;
	bool has_zstd; /* sections may be compressed */
	struct tracedat_cpu *cpus;
	size_t n_cpus;
	uint64_t sections[TRACEDAT_SECTIONS]; /* where they begin; 0: there is none */
	uint32_t cpu_count;		      /* as the head says */
	uint32_t clock_mult, clock_shift;     /* ns = ticks * mult >> shift */
	bool has_text;		      /* there is a buffer that holds no records, but text */
	uint64_t lost[TRACEDAT_CPUS]; /* records of each CPU, as the kernel counted in the end */
	char clock[TRACEDAT_TEXT];    /* may be empty, as the three below */
	char release[TRACEDAT_TEXT];  /* of the kernel */
	char machine[TRACEDAT_TEXT];  /* as uname says it */
	char recorder[TRACEDAT_TEXT]; /* version of trace-cmd */
};

/**
 * tracedat_file_open() - find out what stands where
 * @f: filled in; tracedat_file_close() also after a failure
 * @fd: of the file, can seek; its offset does not matter
 * @path: for messages; must stay
 * @err: set on failure: file, place, what is wrong, remedy
 *
 * Return: 0 or -1.
 */
int tracedat_file_open(struct tracedat_file *f, int fd, const char *path, struct ut_error *err);

/**
 * tracedat_file_formats() - hand on the events' formats, as texts
 * @take: returns -1 to stop
 * @arg: for @take
 * @err: set on failure, unless it was @take's
 *
 * Formats longer than IMPORT_FORMAT_BYTES are left out. Return: 0, -1, or 1 if @take stopped it.
 */
int tracedat_file_formats(const struct tracedat_file *f,
			  int (*take)(void *arg, const char *system, const char *text, size_t size),
			  void *arg, struct ut_error *err);

/**
 * tracedat_file_close() - free what belongs to it; the descriptor stays open
 */
void tracedat_file_close(struct tracedat_file *f);

/**
 * tracedat_read_at() - read so many bytes of the file, or fail
 *
 * Return: 0 or -1.
 */
int tracedat_read_at(const struct tracedat_file *f, void *buf, size_t n, uint64_t offset,
		     struct ut_error *err);

#endif
