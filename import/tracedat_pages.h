/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The records of one CPU of a trace.dat, one after the other: pages of the kernel's ring buffer, as they
 * are or in compressed chunks.
 *
 * libtracecmd could hand out records, too. But it (3.1.6) keeps every chunk that it decompresses until
 * the end, so that memory would grow with the recording, and it believes the lengths within a page.
 */
#ifndef UNSYNC_IMPORT_TRACEDAT_PAGES_H
#define UNSYNC_IMPORT_TRACEDAT_PAGES_H

#include <zstd.h>

#include "import/tracedat_file.h"

struct tracedat_pages {
	const struct tracedat_file *f;
	const struct tracedat_cpu *cpu;
	ZSTD_DCtx *zstd; /* shared by all CPUs; NULL: nothing is compressed */

	/* What was found. */
	uint64_t time; /* by the recording's clock */
	uint64_t lost; /* records missing before this one */
	bool lost_some;
	uint32_t size;
	const uint8_t *data; /* valid until the next call */

	/* Where reading goes on. */
	uint64_t next, end; /* in the file */
	uint32_t chunks;    /* left */
	uint8_t *block;	    /* some pages */
	size_t block_room, block_size, page;
	uint8_t *packed;
	size_t packed_room;
	const uint8_t *at, *page_end;
};

/**
 * tracedat_pages_open() - begin to read
 * @p: filled in; tracedat_pages_close() also after a failure
 * @ahead: bytes to read at a time, if they are not compressed; at least a page
 *
 * Return: 0 or -1.
 */
int tracedat_pages_open(struct tracedat_pages *p, const struct tracedat_file *f,
			const struct tracedat_cpu *cpu, ZSTD_DCtx *zstd, size_t ahead,
			struct ut_error *err);

/**
 * tracedat_pages_next() - go to the next record
 *
 * Return: 1 there is one, 0 there are no more (lost_some may be set: after the last one), -1 failure.
 */
int tracedat_pages_next(struct tracedat_pages *p, struct ut_error *err);

/**
 * tracedat_pages_close() - free what it has
 */
void tracedat_pages_close(struct tracedat_pages *p);

#endif
