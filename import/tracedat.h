/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads trace.dat, as trace-cmd record writes it (versions 6 and 7, compressed or not).
 *
 * Its head is read by libtracecmd, which is told to load no plug-ins, after all offsets and sizes were
 * checked (import/tracedat_file.h). Records are read here (import/tracedat_pages.h says why), in the
 * order of time, those of all buffers together; memory is bounded by some pages for each CPU.
 */
#ifndef UNSYNC_IMPORT_TRACEDAT_H
#define UNSYNC_IMPORT_TRACEDAT_H

#include "import/record.h"

/**
 * tracedat_recognise() - is this how such a file begins?
 * @head: first bytes of the file
 * @size: how many there are
 */
bool tracedat_recognise(const void *head, size_t size);

/**
 * tracedat_read() - hand on all that is in a recording
 * @fd: open for reading, can seek. Stays open.
 * @path: for messages
 * @sink: takes what is found
 * @err: set on failure: the sink's error if it stopped the reading, else file, place and remedy
 *
 * Return: 0 or -1.
 */
int tracedat_read(int fd, const char *path, struct import_sink *sink, struct ut_error *err);

#endif
