/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Talking to the module unsync_exact (collector/exact/), which makes KVM keep chosen guests in
 * step. It stops doing so when the last descriptor of it is closed, so when this process ends.
 */
#ifndef UNSYNC_COLLECTOR_EXACT_H
#define UNSYNC_COLLECTOR_EXACT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "collector/host.h"
#include "trace/trace.h"

struct exact_counts {
	uint64_t calls;	   /* times KVM asked whether tables may go out of sync */
	uint64_t refusals; /* of these, times it would have let them, had there been any */
	uint64_t denied;   /* of these, times there was one: it stayed write-protected */
	uint64_t missed;   /* times it could not be refused: the capture is not exact */
};

/**
 * exact_loaded() - is the module there?
 */
bool exact_loaded(void);

/**
 * exact_remedy() - what to do if it is not: shell commands, static
 */
const char *exact_remedy(void);

/**
 * exact_open() - make it ready
 * @host: after host_probe(): knows which argument of KVM's function to set
 * @err: set on failure, with a remedy
 *
 * Return: a descriptor, closed by the caller; or -1.
 */
int exact_open(const struct host *host, struct ut_error *err);

/**
 * exact_add() - keep the guests of a process in step; once only for each
 * @err: set unless 0 is returned
 *
 * The module forgets processes that have ended.
 *
 * Return: 0; 1 if there is no such process (any more); or -1.
 */
int exact_add(int fd, pid_t pid, struct ut_error *err);

/**
 * exact_read() - what it has counted. Return: 0 or -1.
 */
int exact_read(int fd, struct exact_counts *counts);

#endif
