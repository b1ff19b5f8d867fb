/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Does a trace hold what KVM itself counted? KVM's statistics of a VM, kept independently of the
 * collector's hooks, are held against the events; docs/capturing.md has the table.
 */
#ifndef UNSYNC_CLI_AGREE_H
#define UNSYNC_CLI_AGREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/event.h"

enum agree_status {
	AGREE_SAME,
	AGREE_EXPLAINED, /* differs, and the trace itself tells why */
	AGREE_LOST,	 /* differs by no more than what the trace says was lost */
	AGREE_DIFFERS,
	AGREE_NO_EVENT, /* nothing in a trace corresponds to this counter */
	AGREE_STATUS_END
};

struct agree_check {
	const char *counter; /* KVM's */
	const char *events;  /* what it is compared with; why it cannot be for AGREE_NO_EVENT */
	const char *why;     /* AGREE_EXPLAINED, else NULL */
	uint64_t kvm, trace;
	enum agree_status status;
	uint16_t vm;	   /* UT_NO_VM: of the whole capture */
	signed char bound; /* 0: they should be equal; 1: KVM's may be higher; -1: lower */
};

struct agree;

/**
 * agree_new() - nothing counted yet. Return: to be freed with agree_free(), or NULL.
 */
struct agree *agree_new(void);
void agree_free(struct agree *a);

/**
 * agree_event() - count an event; in the order of the trace
 */
void agree_event(struct agree *a, const struct ut_event *e);

/**
 * agree_finish() - compare
 * @n: number of checks; 0 if the trace holds none of KVM's counters
 *
 * Return: the checks, VM by VM; owned by @a. NULL if out of memory.
 */
const struct agree_check *agree_finish(struct agree *a, size_t *n);

/**
 * agree_worst() - the verdict: AGREE_SAME to AGREE_DIFFERS, over all checks; AGREE_NO_EVENT if
 * nothing could be compared
 */
enum agree_status agree_worst(const struct agree_check *checks, size_t n);

/**
 * agree_status_name() - "agrees", "explained", "lost", "differs", "no-event"
 */
const char *agree_status_name(enum agree_status status);

#endif
