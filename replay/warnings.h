/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Warnings: gathered while replaying, shown to the user at once, and kept in the results.
 */
#ifndef UNSYNC_REPLAY_WARNINGS_H
#define UNSYNC_REPLAY_WARNINGS_H

#include <stddef.h>

struct ur_warnings {
	char **text;
	size_t n;
};

/**
 * ur_warn() - add a line. A list of all zero bytes is empty.
 *
 * A line that does not fit into memory is left out: a warning is never a reason to fail.
 */
void ur_warn(struct ur_warnings *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/**
 * ur_warnings_free() - free the lines and leave the list empty
 */
void ur_warnings_free(struct ur_warnings *w);

#endif
