/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The gnuplot scripts, the style sheet and the script of the page, built into the program (embed.cmake).
 */
#ifndef UNSYNC_PLOTS_FILES_H
#define UNSYNC_PLOTS_FILES_H

#include <stddef.h>

struct pl_file {
	const char *name;
	const unsigned char *data;
	size_t len;
};

/* Ends with a NULL name. */
extern const struct pl_file pl_files[];

#endif
