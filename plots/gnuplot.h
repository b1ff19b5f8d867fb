/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs gnuplot: no shell, a time limit, its own words if it fails.
 */
#ifndef UNSYNC_PLOTS_GNUPLOT_H
#define UNSYNC_PLOTS_GNUPLOT_H

#include <stdbool.h>
#include <stddef.h>

/**
 * pl_gnuplot() - run one script to its end
 * @program: what to start: a name looked up in PATH, or a path
 * @dir: folder that it runs in
 * @args: the script and its arguments; ends with NULL
 * @limit_ms: it is killed if it takes longer
 * @cancelled: asked a few times a second; true: kill it and fail; may be NULL
 * @message: gets a line if it fails, or if it warned of something; else empty
 * @message_len: bytes there
 *
 * Return: 0, or -1.
 */
int pl_gnuplot(const char *program, const char *dir, const char *const *args, int limit_ms,
	       bool (*cancelled)(void), char *message, size_t message_len);

#endif
