/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files that are there as a whole or not at all.
 */
#ifndef UNSYNC_TRACE_BESIDE_H
#define UNSYNC_TRACE_BESIDE_H

#include "trace/trace.h"

/**
 * ut_write_beside() - have a file written beside the place where it shall be, then move it there
 * @out: that place; "-" and devices have no neighbours and are written to as they are
 * @write: writes it; given @ctx and @fd, which is its own from then on, or -1: open @out yourself
 * @ctx: for @write
 * @err: set on failure, by @write where that fails
 *
 * Nobody ever sees half of the file, and after a failure there is none; nor after SIGINT, SIGTERM or
 * SIGHUP, unless the program handles these itself. Return: 0 or -1.
 */
int ut_write_beside(const char *out, int (*write)(void *ctx, int fd), void *ctx,
		    struct ut_error *err);

#endif
