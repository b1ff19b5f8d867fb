/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How `unsync mark` reaches running recorders: a datagram socket for each in a folder that only root
 * can enter. A mark is one datagram of text; the answer is one, too: empty, or what is wrong.
 */
#ifndef UNSYNC_COLLECTOR_CONTROL_H
#define UNSYNC_COLLECTOR_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "trace/trace.h"

#define CONTROL_MARK_BYTES 4096 /* the longest mark */

struct control {
	int fd;	       /* -1: none */
	char path[64]; /* of the socket; whoever may removes it at the end */
};

/**
 * control_check_mark() - is a text fit to be a mark?
 *
 * Return: NULL, or what a mark has to be.
 */
const char *control_check_mark(const char *text, size_t len);

/**
 * control_open() - make this process one that can be given marks
 * @c: filled in; fd is to be closed by the caller, and path to be removed
 * @err: set on failure
 *
 * Removes the sockets of recorders that were killed. Return: 0 or -1.
 */
int control_open(struct control *c, struct ut_error *err);

/**
 * control_serve() - take the marks that have come
 * @c: the socket; nothing happens if it has none
 * @mark: called with each, which is fit to be one; returns 0, or -1 with its error set, which is the
 *	  answer
 * @arg: passed on to @mark
 *
 * Never waits.
 */
void control_serve(const struct control *c,
		   int (*mark)(void *arg, const char *text, size_t len, struct ut_error *err),
		   void *arg);

/**
 * control_send() - put a mark into running captures, and wait until it is in them
 * @pid: of the recorder; 0: of all
 * @text: the mark
 * @len: its bytes
 * @err: set on failure: the first that there was
 *
 * Return: how many captures got it, 0 if there are none; -1 if one of them did not.
 */
int control_send(pid_t pid, const char *text, size_t len, struct ut_error *err);

#endif
