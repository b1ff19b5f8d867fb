/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The platforms that a user names with --platform.
 */
#ifndef UNSYNC_CLI_PLATFORMS_H
#define UNSYNC_CLI_PLATFORMS_H

#include "cost/platform.h"

#define MAX_PLATFORMS 32

/* Zero-initialise. */
struct platforms {
	struct co_platform list[MAX_PLATFORMS];
	size_t n;
};

/**
 * platforms_add() - read one more
 * @name: of a built-in profile, or a file
 *
 * Return: EXIT_OK, or EXIT_FAILED: the user was told.
 */
int platforms_add(struct platforms *platforms, const char *name);

/**
 * platforms_get() - those that were named, or all that are built in if none was
 * @names: as the user wrote them
 * @n: how many
 *
 * Return: EXIT_OK, or EXIT_FAILED: the user was told.
 */
int platforms_get(struct platforms *platforms, const char *const *names, size_t n);

/**
 * platforms_free() - give back all of them
 */
void platforms_free(struct platforms *platforms);

#endif
