/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Warnings: gathered while replaying, shown to the user at once, and kept in the results.
 *
 * A warning says what is the matter and, apart from that, where: what holds for several traces or models
 * can so be said once, with all of them in front.
 */
#ifndef UNSYNC_REPLAY_WARNINGS_H
#define UNSYNC_REPLAY_WARNINGS_H

#include <stddef.h>

struct ur_warning {
	char *where; /* a file, a trace with its models; NULL: everywhere */
	char *what;
	char *line; /* both, for people */
};

struct ur_warnings {
	struct ur_warning *of;
	size_t n;
};

/**
 * ur_warn() - add a line. A list of all zero bytes is empty.
 * @w: the list
 * @where: what it is about, or NULL
 * @fmt: printf format of what is the matter; texts that are equal are one warning to ur_warn_merged()
 *
 * A line that does not fit into memory is left out: a warning is never a reason to fail.
 */
void ur_warn(struct ur_warnings *w, const char *where, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * ur_warn_merged() - add what other lists hold, each text once, with every place where it holds
 * @w: the list
 * @from: the others; may be empty
 * @n: how many lists
 *
 * The order is that of the first of each kind. Of many places only the first are named.
 */
void ur_warn_merged(struct ur_warnings *w, const struct ur_warnings *const *from, size_t n);

/**
 * ur_warnings_free() - free the lines and leave the list empty
 */
void ur_warnings_free(struct ur_warnings *w);

#endif
