/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Traces and replays as Trace Event JSON, the format that ui.perfetto.dev and chrome://tracing open.
 * Everything is written as it comes: what is kept is what is open at the moment (tables out of sync, the
 * address space of each vCPU), not what has been.
 */
#ifndef UNSYNC_CLI_PERFETTO_H
#define UNSYNC_CLI_PERFETTO_H

#include <stdio.h>

#include "plots/results_read.h"
#include "trace/trace.h"

struct pf_range {
	uint64_t from,
		to; /* ns since the start of the capture; only what is in between is written */
};

struct pf;

/**
 * pf_begin() - start a document
 * @out: where to; stays the caller's
 * @range: copied
 *
 * Return: a writer, or NULL without memory.
 */
struct pf *pf_begin(FILE *out, const struct pf_range *range);

/**
 * pf_event() - take in an event of a trace, in the order of the file
 * @err: set on failure
 *
 * Return: 0 or -1.
 */
int pf_event(struct pf *pf, const struct ut_event *e, struct ut_error *err);

/**
 * pf_is_past() - would no event like this one or later be written?
 */
bool pf_is_past(const struct pf *pf, const struct ut_event *e);

/**
 * pf_trace_ends() - close what is open
 */
void pf_trace_ends(struct pf *pf);

/**
 * pf_run() - the timeline of one model's run as counters
 * @trace: put in front of the model's name; NULL: nothing
 */
void pf_run(struct pf *pf, const char *trace, const char *model, const struct pl_run *run);

/**
 * pf_end() - finish the document; frees the writer
 * @about: keys and values about the document, NULL at the end; all of them text
 */
void pf_end(struct pf *pf, const char *const *about);

/**
 * pf_abort() - free the writer without finishing; NULL is allowed
 */
void pf_abort(struct pf *pf);

#endif
