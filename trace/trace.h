/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writing and reading of trace files. The bytes are described in docs/trace-format.md.
 *
 * Both sides stream: their memory is bounded by one block, whatever the length of the trace.
 */
#ifndef UNSYNC_TRACE_TRACE_H
#define UNSYNC_TRACE_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include "event.h"

#define UT_VERSION_MAJOR 1
#define UT_VERSION_MINOR 0

/* Limits that a writer keeps and a reader enforces. */
#define UT_BLOCK_EVENTS 16384u	    /* events in a block */
#define UT_BLOCK_BYTES (4u << 20)   /* decompressed bytes of a block */
#define UT_BLOCK_WORDS (256u << 10) /* words of page content in a block */
#define UT_HEADER_BYTES (64u << 10) /* the metadata text of the header */

/* One line for the user: names the file, the place in it and what to do. */
struct ut_error {
	char text[512];
};

/**
 * ut_error_set() - format an error line (no trailing newline)
 * @err: where to; may be NULL
 * @fmt: printf format
 *
 * Return: always -1, so that a function can end with `return ut_error_set(...)`.
 */
int ut_error_set(struct ut_error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

enum ut_mode {
	UT_MODE_NATIVE =
		1, /* the host as it is: writes to out-of-sync tables are known by net effect */
	UT_MODE_EXACT = 2, /* out-of-sync refused: every write to a shadowed table is an event */
};

/*
 * Facts about the capture: "key=value" lines, UTF-8, keys of [a-z0-9_.]. Keys in use: tool, created,
 * kernel, cpu, kvm (module and parameters), command, options, start_ns, workload, missing (hooks that
 * the host did not allow), scrubbed, imported (from what kind of recording), recorder (what made that),
 * clock (by which its times were), synthetic.*.
 */
struct ut_meta {
	const char *key;
	const char *value;
};

/* The key of a trace that was made from a recording of perf or trace-cmd. */
#define UT_META_IMPORTED "imported"

/* What the keys of a trace that was made up begin with: one for each parameter of 'unsync gen'. */
#define UT_META_SYNTHETIC "synthetic."

struct ut_header {
	uint16_t major, minor;
	uint32_t mode; /* enum ut_mode */
	const struct ut_meta *meta;
	size_t n_meta;
};

/* What a file says of itself at its end; a capture that was killed has none. */
struct ut_summary {
	uint64_t events;
	uint64_t blocks;
	uint64_t lost; /* sum over UT_LOST events */
	uint64_t first_ns, last_ns;
	uint64_t kinds[UT_KIND_MAX + 1];
};

/* ---- writing ---- */

struct ut_writer;

/**
 * ut_writer_open() - start a trace file
 * @path: file to create (mode 0600; an existing one is replaced), or "-" for standard output
 * @header: mode and metadata (major and minor are filled in by the writer); copied
 * @err: set on failure
 *
 * Return: a writer, or NULL.
 */
struct ut_writer *ut_writer_open(const char *path, const struct ut_header *header,
				 struct ut_error *err);

/**
 * ut_writer_attach() - start a trace in a file that is open
 * @fd: open for writing and empty; belongs to the writer from here on, whatever is returned
 * @name: of the file, for messages; "-" for standard output
 * @header: as in ut_writer_open()
 * @err: set on failure
 *
 * Return: a writer, or NULL.
 */
struct ut_writer *ut_writer_attach(int fd, const char *name, const struct ut_header *header,
				   struct ut_error *err);

/**
 * ut_writer_set_level() - trade the writer's time for bytes
 * @w: the writer
 * @level: zstd's, 1 (fast) to 19 (small); applies from the next block on
 */
void ut_writer_set_level(struct ut_writer *w, int level);

/**
 * ut_writer_add() - append one event
 * @w: the writer
 * @e: the event; a time before the previous event's is allowed but costs bytes. What it points to
 *     is read before the call returns.
 * @err: set on failure
 *
 * Return: 0, or -1 if the event is not well formed or a full block could not be written (disk full).
 * After a failed write every further call fails with the same error.
 */
int ut_writer_add(struct ut_writer *w, const struct ut_event *e, struct ut_error *err);

/**
 * ut_writer_flush() - write the events gathered so far as a block of their own
 *
 * What was flushed can be read even if the process dies. Return: 0 or -1.
 */
int ut_writer_flush(struct ut_writer *w, struct ut_error *err);

/**
 * ut_writer_bytes() - bytes written so far, the block in hand not included
 */
uint64_t ut_writer_bytes(const struct ut_writer *w);

/**
 * ut_writer_bound() - bytes that the file has at most if it is closed now, index and trailer included
 *
 * The block in hand counts as it is before compression: ut_writer_flush() makes this smaller.
 */
uint64_t ut_writer_bound(const struct ut_writer *w);

/**
 * ut_writer_close() - flush, write index and trailer, close; frees the writer in any case
 *
 * Return: 0 or -1.
 */
int ut_writer_close(struct ut_writer *w, struct ut_error *err);

/* ---- reading ---- */

struct ut_reader;

/* One decoded block. Owned by the reader, valid until its next call. */
struct ut_block {
	const struct ut_event *events;
	size_t n;
	uint64_t offset;  /* of the block in the file, bytes */
	uint64_t unknown; /* events in it of kinds that this version does not know */
};

/**
 * ut_reader_open() - open a trace file and check its header
 * @path: file, or "-" for standard input (then no seeking)
 * @err: set on failure
 *
 * Return: a reader, or NULL.
 */
struct ut_reader *ut_reader_open(const char *path, struct ut_error *err);

/**
 * ut_reader_header() - the header; owned by the reader
 */
const struct ut_header *ut_reader_header(const struct ut_reader *r);

/**
 * ut_header_get() - value of a metadata key, or NULL
 */
const char *ut_header_get(const struct ut_header *h, const char *key);

/**
 * ut_reader_next() - decode the next block
 * @r: the reader
 * @block: filled in
 * @err: set on damage, with file and offset
 *
 * Return: 1 a block, 0 the end of the file (see ut_reader_warning()), -1 damage: what came before is
 * good, nothing after it will be read.
 */
int ut_reader_next(struct ut_reader *r, struct ut_block *block, struct ut_error *err);

/**
 * ut_reader_warning() - what is wrong with a file all of whose blocks could be read
 *
 * Known after ut_reader_next() has returned 0. A capture that was killed is cut off, perhaps within a
 * block, of which then nothing is read; an index may be damaged, or its counts not those of the file.
 *
 * Return: one line that names file and offset, or NULL if the file is complete.
 */
const char *ut_reader_warning(const struct ut_reader *r);

/**
 * ut_reader_rewind() - back to the first block
 *
 * Return: 0, or -1 if the input cannot seek.
 */
int ut_reader_rewind(struct ut_reader *r, struct ut_error *err);

/**
 * ut_reader_seek_time() - go to the first block that may hold events at or after a time
 * @r: the reader
 * @ns: since the start of the capture
 *
 * Uses the index; without one (killed capture, pipe) it stays where it is. Return: 0 or -1.
 */
int ut_reader_seek_time(struct ut_reader *r, uint64_t ns, struct ut_error *err);

/**
 * ut_reader_summary() - the summary at the end of the file, or NULL if the capture did not finish
 *
 * For a pipe it is known only after ut_reader_next() has returned 0.
 */
const struct ut_summary *ut_reader_summary(const struct ut_reader *r);

/**
 * ut_reader_progress() - bytes consumed and bytes in all (0: unknown)
 */
void ut_reader_progress(const struct ut_reader *r, uint64_t *done, uint64_t *total);

/**
 * ut_reader_close() - close and free; NULL is allowed
 */
void ut_reader_close(struct ut_reader *r);

/**
 * ut_event_check() - is an event well formed (levels, sizes, indexes, order of entries)?
 *
 * Used by the writer on what it is given and by the reader on what it decoded. Return: NULL, or a
 * static text that says what is wrong.
 */
const char *ut_event_check(const struct ut_event *e);

#endif
