/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the perf.data reader share: the state of a recording that is being read.
 *
 * perf.c reads what stands in front of the records, perf_parts.c what stands behind them;
 * perf_records.c finds the records one by one, perf_kernel.c knows those of the kernel's.
 */
#ifndef UNSYNC_IMPORT_PERF_FILE_H
#define UNSYNC_IMPORT_PERF_FILE_H

#include <sys/types.h>
#include <zstd.h>

#include "import/perf_events.h"
#include "import/perf_window.h"

#define PERF_RECORD_HEADER 8u

/* Records one after the other, as they come from the file or out of the compressor. */
struct perf_feed {
	struct perf_chunk *chunk;
	size_t at, end;	 /* of what is there and was not looked at */
	uint64_t offset; /* in the file: of the chunk's first byte */
};

/* Lost records of a CPU. */
struct perf_cpu_losses {
	uint64_t told;	  /* of which was said where they are missing */
	uint64_t dropped; /* as perf counted them in all */
};

struct perf_losses {
	struct perf_cpu_losses *cpus, nowhere; /* the latter: CPU unknown */
	uint32_t n;
	uint64_t told_in_all, dropped_in_all;
};

struct perf {
	int fd;
	const char *path;
	struct import_sink *sink;
	struct ut_error *err;
	uint64_t size; /* of the file; 0: it cannot seek */
	uint64_t left; /* bytes of the part with the records that were not read yet */

	struct perf_events events;
	uint64_t ids_bytes;
	bool checked; /* the events are as they must be */
	bool has_formats;
	uint32_t told;	     /* facts, as bits */
	struct ut_error cut; /* what is missing at the end; it is told after all else was read */

	struct perf_window window;
	struct perf_feed file, unpacked;
	ZSTD_DCtx *zstd;
	uint64_t lump; /* bytes left of compressed records whose lengths are not to be trusted */

	/* What follows a record but is none. */
	uint64_t payload; /* bytes of it to come */
	uint8_t *tracing; /* it is this; NULL: it is skipped */
	size_t tracing_size, tracing_room;
	uint64_t tracing_offset;

	/* Records are missing in front of the next one. */
	bool gap;
	struct import_record gap_item;
	struct perf_losses losses;
};

/* What is wrong with a file that ends before its end. */
#define PERF_ENDS_EARLY                                                                            \
	"the file ends too early; copy it again, or record again and let perf record finish "      \
	"(end it with Ctrl-C, not with kill -9)"

/**
 * perf_place() - where in the file the record is that is being read
 */
static inline unsigned long long perf_place(const struct perf *p)
{
	return p->file.offset + p->file.at;
}

/**
 * perf_damaged() - a line that says what no perf writes; the remedy is added. Return: -1.
 */
int perf_damaged(struct perf *p, unsigned long long offset, const char *what);

/**
 * perf_refused() - a line about a place in the file, with its remedy. Return: -1.
 */
int perf_refused(struct perf *p, unsigned long long offset, const char *what);

/**
 * perf_out_of_memory() - a line that says so. Return: -1.
 */
int perf_out_of_memory(struct perf *p);

/**
 * perf_wrong() - a line about what perf_events.h found wrong. Return: -1.
 */
int perf_wrong(struct perf *p, unsigned long long offset, const char *wrong);

/**
 * perf_sink_error() - the sink stopped the reading: its line. Return: -1.
 */
int perf_sink_error(struct perf *p);

/**
 * perf_cut_short() - something is missing: that is told after all else was read
 *
 * Of several such things the first is told.
 */
void perf_cut_short(struct perf *p, unsigned long long offset, const char *what);

/**
 * perf_read_at() - read from anywhere in a file that can seek. Return: 0, or -1: all or nothing.
 */
int perf_read_at(struct perf *p, void *to, size_t n, uint64_t offset);

/**
 * perf_is_inside() - does a part of the file lie in it?
 */
bool perf_is_inside(const struct perf *p, uint64_t offset, uint64_t size);

/**
 * perf_add_event() - one more event
 * @attr: its attributes
 * @size: bytes of them
 * @offset: of them in the file
 *
 * Return: 0 or -1.
 */
int perf_add_event(struct perf *p, const uint8_t *attr, size_t size, uint64_t offset);

/**
 * perf_tell_clock() - by which clock the times of an event are. Return: 0 or -1.
 */
int perf_tell_clock(struct perf *p, const struct perf_event *e);

/**
 * perf_read_formats() - hand on the formats of events
 * @offset: of them in the file
 *
 * Return: 0 or -1.
 */
int perf_read_formats(struct perf *p, const uint8_t *data, size_t size, uint64_t offset);

/**
 * perf_read_part() - something that the recording says of itself
 * @part: number of it, as perf counts its features
 * @offset: of it in the file
 *
 * Return: 0 or -1.
 */
int perf_read_part(struct perf *p, uint64_t part, const uint8_t *data, size_t size,
		   uint64_t offset);

/**
 * perf_read_parts() - all that stands behind the records
 * @parts: which parts there are: four numbers of 64 bits
 * @table: offset of the table that says where they are
 *
 * Return: 0 or -1.
 */
int perf_read_parts(struct perf *p, const uint8_t *parts, uint64_t table);

/**
 * perf_read_kernel() - a record of the kernel's
 * @c: holds it
 * @size: bytes of it, at least those of its header
 * @type: its kind
 *
 * Return: 0 or -1.
 */
int perf_read_kernel(struct perf *p, struct perf_chunk *c, const uint8_t *record, uint32_t size,
		     uint32_t type);

/**
 * perf_end_gap() - no record followed a loss, in this round at least. Return: 0 or -1.
 */
int perf_end_gap(struct perf *p);

/**
 * perf_tell_dropped() - at the end: losses that perf counted, and no record told where
 *
 * Return: 0 or -1.
 */
int perf_tell_dropped(struct perf *p);

/**
 * perf_read_records() - all records, from where the file stands to the end of them
 *
 * Return: 0 or -1.
 */
int perf_read_records(struct perf *p);

#endif
