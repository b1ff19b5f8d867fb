/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Takes from a trace what tells the guest's layout: guest frames and guest addresses are renumbered,
 * texts go. A replay of the result counts the same. docs/sharing-traces.md says what is hidden.
 *
 * A trace is gone through twice: the first time to learn which tables stand at the same place of an
 * address space, and which entries of them are walked, the second time to renumber.
 */
#ifndef UNSYNC_TRACE_SCRUB_H
#define UNSYNC_TRACE_SCRUB_H

#include <stdbool.h>
#include <stdint.h>

#include "trace/trace.h"

struct ut_scrub_options {
	uint64_t key[2]; /* secret; the same key and trace give the same result */
	bool keep_texts; /* marks, and the name of the workload */
};

struct ut_scrub_report {
	uint64_t events;  /* written */
	uint64_t dropped; /* of kinds, or statistics, that this version does not know */
	uint64_t
		inexact; /* writes to entries that cannot be told exactly: a part of one, or unseen ones */
	bool leaf_kept; /* a table is used at the last level and above: indices could not change */
	char damage[512]; /* what is wrong with the input, or empty; all before it was scrubbed */
};

/**
 * ut_scrub_file() - write a scrubbed copy of a trace
 * @in: the trace; a file, as it is read twice
 * @out: file to create (mode 0600; an existing one is replaced when all is done), or "-"
 * @options: key and choices
 * @report: filled in
 * @progress: called for every block; may be NULL
 * @ctx: given to @progress
 * @err: set on failure; then @out is as it was
 *
 * Memory: 8 KiB for each guest table that is shadowed at a time, and some hundred bytes for each
 * place of an address space that has a table.
 *
 * Return: 0 or -1.
 */
int ut_scrub_file(const char *in, const char *out, const struct ut_scrub_options *options,
		  struct ut_scrub_report *report,
		  void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx,
		  struct ut_error *err);

#endif
