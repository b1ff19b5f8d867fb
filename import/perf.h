/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads perf.data, as perf record writes it: to a file or to a pipe, compressed (-z) or not. The
 * file is described in perf's own documentation (tools/perf/Documentation/perf.data-file-format.txt
 * of the kernel's sources).
 *
 * Records of different CPUs stand in such a file one after the other; they are put in the order of
 * time between the marks that perf leaves for that ("finished round"), so memory is bounded by what
 * lies between these, whatever the size of the file.
 */
#ifndef UNSYNC_IMPORT_PERF_H
#define UNSYNC_IMPORT_PERF_H

#include "import/record.h"

/*
 * Memory for records that wait for their place in time. If more of them wait, the earlier half is
 * handed on; should a record follow whose place was among these, the recording is refused.
 */
#define PERF_WINDOW_BYTES (1ull << 30)

/**
 * perf_recognise() - is this how such a file begins?
 * @head: first bytes of the file
 * @size: how many there are
 */
bool perf_recognise(const void *head, size_t size);

/**
 * perf_read() - hand on all that is in a recording
 * @fd: a file or a pipe, open for reading, at its beginning. Stays open.
 * @path: for messages
 * @sink: takes what is found
 * @err: set on failure: the sink's error if it stopped the reading, else file, place and remedy
 *
 * A file that ends too early is read as far as it goes and is a failure then, so that what was
 * recorded before a crash can be kept by who wants that. Return: 0 or -1.
 */
int perf_read(int fd, const char *path, struct import_sink *sink, struct ut_error *err);

#endif
