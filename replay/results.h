/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Results as JSON. Every field is explained in docs/results.md; docs/results.schema.json is the
 * schema. The order of the keys is fixed, so that counted results are the same bytes in every run.
 */
#ifndef UNSYNC_REPLAY_RESULTS_H
#define UNSYNC_REPLAY_RESULTS_H

#include <jansson.h>

#include "replay/notes.h"
#include "replay/replay.h"

#define UR_RESULTS_SCHEMA "unsync-results"
#define UR_RESULTS_VERSION 1

/* Circumstances of the whole run. */
struct ur_context {
	const struct ur_clock
		*clock;		/* NULL: nothing was measured; then nothing volatile is written */
	struct ur_floor *floor; /* to measure with; NULL: not measured */
	const struct ur_hardware *hardware; /* which counters there were; NULL: not tried */
	const char *command;		    /* as the user typed it */
	struct ur_load load;		    /* of the machine, before and after */
	struct ur_warnings notes;	    /* what to bear in mind when reading the times */
};

/**
 * ur_context_note() - add what the machine, the build and the passes give reason to note
 * @context: clock and load are set; notes are added, each matter once
 * @traces: results of ur_replay()
 * @n: how many
 */
void ur_context_note(struct ur_context *context, struct ur_trace *const *traces, size_t n);

/**
 * ur_results_json() - all results as one JSON object
 * @context: circumstances
 * @traces: results of ur_replay()
 * @n: how many
 *
 * Return: a new reference, or NULL if out of memory.
 */
json_t *ur_results_json(const struct ur_context *context, struct ur_trace *const *traces, size_t n);

/**
 * ur_results_check_path() - could results be written there? Asked before hours of work.
 * @path: file to be, or "-"
 * @err: set if not
 *
 * Return: 0 or -1.
 */
int ur_results_check_path(const char *path, struct ut_error *err);

/**
 * ur_results_write() - write results
 * @results: of ur_results_json()
 * @path: file (written under another name and renamed, mode 0600), or "-" for standard output.
 *        What is not a regular file (a pipe, /dev/null) is written in place.
 * @err: set on failure
 *
 * Return: 0 or -1.
 */
int ur_results_write(const json_t *results, const char *path, struct ut_error *err);

#endif
