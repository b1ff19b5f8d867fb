/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The platform profiles of data/platforms, built into the program (cmake/embed.cmake).
 */
#ifndef UNSYNC_COST_FILES_H
#define UNSYNC_COST_FILES_H

#include <stddef.h>

struct co_file {
	const char *name;
	const unsigned char *data;
	size_t len;
};

/* Ends with a NULL name. */
extern const struct co_file co_files[];

#endif
