/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Turns the records of the ring (collector/ring.h) into events of a trace (trace/event.h).
 *
 * For every guest table that the host shadows it keeps a mirror: what the table holds as far as the
 * events so far tell. From it come the old values of writes, and the writes that no exit showed:
 * whenever the table is read again, what differs from the mirror was written in between.
 *
 * Needs no kernel: fed with made-up records it can be tested anywhere. Memory: 4 KiB for each guest
 * table that is shadowed at one time, which KVM itself limits to a share of guest memory.
 */
#ifndef UNSYNC_COLLECTOR_ASSEMBLE_H
#define UNSYNC_COLLECTOR_ASSEMBLE_H

#include <stdbool.h>
#include <stddef.h>

#include "collector/ring.h"
#include "collector/role.h"
#include "trace/event.h"

struct assembler_options {
	const struct role_layout *role; /* outlives the assembler */
	uint64_t start;			/* CLOCK_MONOTONIC, ns: time 0 of the trace */
	/* Takes an event; what it points to is valid during the call. Returns 0, or -1 to stop. */
	int (*emit)(void *arg, const struct ut_event *e);
	void *arg;
	/*
	 * What a VM is called: @name of @size bytes is filled in and terminated. @comm, the name of its
	 * process as the kernel has it, need not be terminated after 16 bytes. NULL: by that.
	 */
	void (*vm_name)(uint32_t pid, const char *comm, char *name, size_t size);
	bool learn; /* what walks show of a table that nobody read is to be believed */
};

/* What the events alone do not tell. */
struct assembler_counts {
	uint64_t events;
	uint64_t lost;	      /* sum over UT_LOST */
	uint64_t writes[4];   /* UT_WRITE by enum ut_how */
	uint64_t silent;      /* entries found changed that nothing had announced: see below */
	uint64_t stray;	      /* emulated writes to pages that are no shadowed tables */
	uint64_t unknown;     /* zaps and the like of pages that were never announced */
	uint64_t host_unsync; /* UT_HOST_UNSYNC */
};

struct assembler;

/**
 * assembler_new() - Return: an assembler, or NULL if out of memory. Free with assembler_free().
 */
struct assembler *assembler_new(const struct assembler_options *options);

/**
 * assembler_record() - take one record
 * @a: the assembler
 * @data: a record of collector/ring.h
 * @size: its bytes
 *
 * Return: 0; -1 if emit() returned that or memory ran out.
 */
int assembler_record(struct assembler *a, const void *data, size_t size);

/**
 * assembler_has_page() - is there a shadow page of that name (the sp of records) now?
 */
bool assembler_has_page(const struct assembler *a, uint64_t sp);

/**
 * assembler_touched() - an entry was written, but nobody knows with what
 * @gpa: of the entry
 * @size: its bytes, 4 or 8
 *
 * The next walk that reads it shows that. Does nothing unless walks are to be believed, and for what is
 * no shadowed table. Return: 0, or -1 if out of memory.
 */
int assembler_touched(struct assembler *a, unsigned int vm, uint64_t gpa, unsigned int size);

/**
 * assembler_exits() - add a summary of exits (one UT_EXITS)
 * @now: time of the event, CLOCK_MONOTONIC, ns
 */
int assembler_exits(struct assembler *a, uint64_t now, const struct exit_key *key,
		    const struct exit_sum *sum);

/**
 * assembler_lost() - add a loss that no record carried (one UT_LOST)
 * @now: time of the event, CLOCK_MONOTONIC, ns
 * @cause: enum ut_lost_cause
 * @kind: enum ut_kind of what was lost, 0: any
 * @count: how many
 */
int assembler_lost(struct assembler *a, uint64_t now, unsigned int cause, unsigned int kind,
		   uint64_t count);

/**
 * assembler_stat() - add a number of the capture as a whole (one UT_STAT, final)
 * @now: time of the event, CLOCK_MONOTONIC, ns
 */
int assembler_stat(struct assembler *a, uint64_t now, const char *name, uint64_t value);

/**
 * assembler_mark() - add a text of the user's (one UT_MARK); later records come later
 * @now: time of the event, CLOCK_MONOTONIC, ns
 * @text: not terminated; only used during the call
 * @len: its bytes, as ut_event_check() allows them
 */
int assembler_mark(struct assembler *a, uint64_t now, const char *text, size_t len);

/**
 * assembler_counts() - what was counted so far; owned by the assembler
 *
 * @silent counts words of tables that had changed although none of their shadow pages was out of
 * sync: a device, another process or a race between vCPUs wrote them, or an event was lost.
 */
const struct assembler_counts *assembler_counts(const struct assembler *a);

/**
 * assembler_free() - free it and all mirrors; NULL is allowed
 */
void assembler_free(struct assembler *a);

#endif
