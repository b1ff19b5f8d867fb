/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Does the recording of a guest say what its script did?
 *
 * The script's operations are executed once more on a machine without a hypervisor (machine.h), as
 * far as the events of the trace show that the guest had come. Some operations must show: each has
 * its event, with these values, in this order. The others may not: they are executed in silence when
 * an event shows that the guest was beyond them. And all that an event says of tables is compared
 * with the memory of that machine at that moment.
 */
#ifndef UNSYNC_TESTS_KNOWN_COMPARE_H
#define UNSYNC_TESTS_KNOWN_COMPARE_H

#include "script.h"
#include "trace/trace.h"

/* The events of one VM, in order; they own what they point to. */
struct recording {
	struct ut_event *events;
	size_t n, room;
};

/**
 * recording_add() - append a copy of an event
 *
 * Return: 0, or -1 if there is no memory.
 */
int recording_add(struct recording *r, const struct ut_event *e);
void recording_free(struct recording *r);

/* What was compared; summed up over calls. */
struct compare_counts {
	unsigned long scripts;
	unsigned long ops[KNOWN_CODES];		/* operations of the scripts */
	unsigned long trapped[KNOWN_CODES];	/* writes that the host emulated, by operation */
	unsigned long events[UT_KIND_END];	/* of the traces */
	unsigned long how[4];			/* writes, by enum ut_how */
	unsigned long outcome[UT_OUT_FAST + 1]; /* faults, by enum ut_outcome */
	unsigned long silent;			/* writes to tables out of sync */
	unsigned long hidden;			/* other writes, to pages that are not shadowed */
	unsigned long two_levels; /* pages made of tables shadowed at another level, too */
	unsigned long two_roots;  /* walks through a table last seen below another root */
	unsigned long loops;	  /* walks that come through a table twice */
};

/**
 * compare() - compare a recording with a script
 * @r: all events of the VM that ran it
 * @mode: enum ut_mode
 * @counts: added to
 * @err: the first difference: script, event, operation, and what is wrong
 *
 * Return: 0 if there is no difference, -1 if there is one.
 */
int compare(const struct script *s, const struct recording *r, unsigned int mode,
	    struct compare_counts *counts, struct ut_error *err);

#endif
