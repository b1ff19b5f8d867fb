/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A first look through a trace, without any model: what is in it, how much of it can be read.
 */
#ifndef UNSYNC_REPLAY_SURVEY_H
#define UNSYNC_REPLAY_SURVEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "replay/warnings.h"
#include "trace/trace.h"

/* A capture numbers its VMs from 0. More than this is no capture of one host. */
#define UR_MAX_VMS 256

struct ur_survey {
	char *path;   /* as given */
	char *id;     /* file name without folder and .utrace */
	char *title;  /* the recorded workload, or the id */
	char *kernel; /* of the recorded host; empty if the header does not say */
	/* "tables=8" and so on: what 'unsync gen' was asked for; NULL and 0: a recorded trace. */
	char **synthetic;
	size_t n_synthetic;
	uint64_t xxh64; /* of the whole file */
	uint64_t bytes;
	uint32_t mode; /* enum ut_mode */
	uint64_t events, blocks;
	uint64_t first_ns, last_ns; /* lowest and highest time */
	uint64_t unknown; /* events of kinds that this version does not know; not in events */
	uint64_t lost;	  /* while it was captured */
	uint64_t losses[UT_LOST_CAUSE_END]
		       [UT_KIND_END];	  /* of these, by cause and kind; 0: any kind */
	uint64_t writes[UT_HOW_WALK + 1]; /* by enum ut_how */
	uint64_t host_unsync, host_sync, host_resync_ns;
	unsigned int vms, vcpus;
	bool vm[UR_MAX_VMS]; /* which VMs are in it */
	bool complete;	     /* read to its proper end, with the summary of a finished capture */
};

/**
 * ur_survey_run() - read a trace once from its first block to its last
 * @s: filled in; to be freed with ur_survey_free() in any case
 * @path: the file; for its hash and its name
 * @reader: opened on it, at the first block; left at the end
 * @warnings: losses, damage and the like are added
 * @progress: called for every block; may be NULL
 * @ctx: given to @progress
 * @err: set on failure
 *
 * A trace that is damaged is not a failure as long as something before the damage can be read: then
 * @s describes that part. Return: 0 or -1.
 */
int ur_survey_run(struct ur_survey *s, const char *path, struct ut_reader *reader,
		  struct ur_warnings *warnings,
		  void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx,
		  struct ut_error *err);

void ur_survey_free(struct ur_survey *s);

/**
 * ur_hash_file() - what tells one trace from another: XXH64 of all its bytes, seed 0
 * @path: the file
 * @xxh64: result
 * @bytes: its size
 * @err: set on failure
 *
 * Return: 0 or -1.
 */
int ur_hash_file(const char *path, uint64_t *xxh64, uint64_t *bytes, struct ut_error *err);

#endif
