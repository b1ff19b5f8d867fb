/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Synthetic traces: a guest that does one thing only, so that one can see what the cost of that one
 * thing grows with.
 *
 * In each round the guest, on one of its roots, changes some entries in each of some last-level tables,
 * then writes CR3, and then uses the pages whose entries it had changed. A design that lets tables go out
 * of sync has as many of them out of sync at each CR3 write as the guest changed. Before the first
 * round the guest has used every page by way of one root, and every table by way of each root that
 * leads to it.
 *
 * The trace is an exact one: of a host that shadows all of the guest's tables, emulates every write to
 * them, and drops the entry that was written. Guests of this kind keep to what processors ask of them:
 * nothing that was changed is used before the CR3 write that flushes the TLB.
 *
 * The header of such a trace has a line for each parameter, see UT_META_SYNTHETIC.
 */
#ifndef UNSYNC_GEN_GEN_H
#define UNSYNC_GEN_GEN_H

#include <stdint.h>

#include "trace/trace.h"

/* All tables of the guest together, upper ones included: 128 MiB. */
#define UG_MAX_TABLES 32768u
#define UG_MAX_ROUNDS 1000000u

enum ug_change {
	UG_PROTECT, /* write permission is taken and given back, as fork and its copies do */
	UG_MOVE,    /* the page becomes another one */
	UG_UNMAP,   /* the page goes, and another one comes */
	UG_CHANGE_END
};

struct ug_options {
	uint64_t levels;  /* of paging: 2 (32 bit), 3 (PAE), 4 or 5 */
	uint64_t tables;  /* last-level tables that are changed in each round */
	uint64_t changed; /* entries that are changed in each of them */
	uint64_t entries; /* in use in each last-level table */
	uint64_t roots;	  /* taken in turn */
	uint64_t share;	  /* tables up to this level are the same for all roots; 0: none are */
	uint64_t branch;  /* level of the table in which the ways to the last-level tables part */
	uint64_t rounds;
	uint64_t seed; /* which entries, in which order, and which pages */
	enum ug_change change;
};

/* A parameter as users know it. */
struct ug_parameter {
	const char *name, *help;
	uint64_t min, max, def;
	size_t offset; /* of its uint64_t in struct ug_options */
};

/**
 * ug_parameters() - all parameters that are numbers, in the order in which the header has them; the
 * last one has no name
 */
const struct ug_parameter *ug_parameters(void);

/**
 * ug_change_name() - "protect", "move", "unmap"; NULL if there is no such change
 */
const char *ug_change_name(unsigned int change);

/**
 * ug_defaults() - set every parameter to its default
 */
void ug_defaults(struct ug_options *o);

/**
 * ug_check() - do the parameters go together? Each by itself is within its bounds.
 * @o: the parameters
 * @err: set if not: one line that says what to change
 *
 * Return: 0 or -1.
 */
int ug_check(const struct ug_options *o, struct ut_error *err);

/**
 * ug_write() - write a synthetic trace
 * @path: where to, or "-" for standard output; never half of it
 * @o: parameters that passed ug_check()
 * @tool: name and version of the program, for the header
 * @progress: called often, with what is done of what; may be NULL
 * @ctx: given to @progress
 * @err: set on failure
 *
 * The same parameters give the same bytes. Return: 0 or -1.
 */
int ug_write(const char *path, const struct ug_options *o, const char *tool,
	     void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx,
	     struct ut_error *err);

#endif
