/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of a perf.data that holds the formats of events. It is laid out like the beginning of a
 * trace.dat of the versions before 6: what tracefs said, file by file.
 */
#ifndef UNSYNC_IMPORT_PERF_TRACING_H
#define UNSYNC_IMPORT_PERF_TRACING_H

#include "import/record.h"

#define PERF_TRACING_BYTES (64u << 20) /* the longest that is taken */

/**
 * perf_tracing_read() - hand on the formats of all events
 * @data: the part
 * @size: bytes of it; some may follow that do not belong to it
 * @path: for messages
 * @offset: of the part in the file, for messages
 * @err: set on failure
 *
 * Return: 0 or -1.
 */
int perf_tracing_read(const uint8_t *data, size_t size, const char *path, uint64_t offset,
		      struct import_sink *sink, struct ut_error *err);

#endif
