/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A recorder gives up its privileges once everything is attached, and may be killed at any moment.
 * What still takes privileges then, or must happen in any case, is left to a process of its own: it
 * gives a trace its name, and removes what must not stay.
 */
#ifndef UNSYNC_COLLECTOR_KEEPER_H
#define UNSYNC_COLLECTOR_KEEPER_H

#include <stdbool.h>
#include <sys/types.h>

#include "trace/trace.h"

struct keeper {
	pid_t pid; /* 0: none */
	int fd;
};

/**
 * keeper_start() - start the process; to be called while no BPF object is open
 * @k: filled in
 * @temporary: a file, removed at the end unless keeper_place() gave it its name; NULL: none
 * @final: that name, in the same folder
 * @replace: whether it may replace a file
 * @other: one more file that is removed at the end; NULL: none
 * @err: set on failure
 *
 * The process ends with the caller, however that ends. It holds none of its files open, is in a
 * session of its own and keeps no capability but those to rename and remove files of others.
 *
 * Return: 0 or -1; then both files are removed, at the latest by keeper_end().
 */
int keeper_start(struct keeper *k, const char *temporary, const char *final, bool replace,
		 const char *other, struct ut_error *err);

/**
 * keeper_place() - give the temporary file its name
 *
 * Return: 0 or -1.
 */
int keeper_place(struct keeper *k, struct ut_error *err);

/**
 * keeper_end() - let it remove what must not stay, and wait for that; once only
 */
void keeper_end(struct keeper *k);

#endif
