/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Replays one trace through a set of models, counts and measures.
 *
 * Each block of the trace is decoded once and fed to every model in turn; a model runs over the whole
 * block before the next one does, so that the caches are its own while it runs. Memory holds one
 * block, whatever the length of the trace. A trace with several VMs gets an instance of each model
 * for each VM; the counters of one model are the sums over its VMs. That holds for the peaks as well:
 * the sum of the VMs' peaks is an upper bound of the peak of the sum.
 */
#ifndef UNSYNC_REPLAY_REPLAY_H
#define UNSYNC_REPLAY_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/mmu.h"
#include "replay/clock.h"
#include "replay/floor.h"
#include "replay/hardware.h"
#include "replay/measured.h"
#include "replay/oracle.h"
#include "replay/survey.h"
#include "replay/timeline.h"
#include "replay/truth.h"
#include "replay/warnings.h"

#define UR_MAX_PASSES 1000
#define UR_WARMUP 1 /* passes before the measured ones, not recorded */

/* A model with its options, as chosen by the user. */
struct ur_spec {
	const struct um_model *model;
	const char *options; /* "name=value,name=value", or NULL */
	const char *label;   /* tells this one from the others in tables and charts */
};

struct ur_plan {
	const struct ur_spec *specs; /* to outlive the results */
	size_t n_specs;
	unsigned int passes;		    /* measured ones; 0: count only */
	const struct ur_clock *clock;	    /* needed if passes is not 0 */
	struct ur_floor *floor;		    /* measured between the passes; NULL: not */
	const struct ur_hardware *hardware; /* read around the measured work; NULL: not */
	bool verify; /* hold every model to the TLB contract while it is counted: replay/oracle.h */
	size_t mismatches; /* how many differences from the recorded host to list for each model */
	unsigned int threads; /* that count; 0: one. Measured passes have one, whatever this says */
	/* Called often, by the caller's thread; done == total at the very end only. Or NULL. */
	void (*progress)(void *ctx, const char *what, uint64_t done, uint64_t total);
	void *ctx;
};

/* What was measured beside the models, for each pass. */
struct ur_passes {
	unsigned int n;
	bool blind;		  /* the system does not tell how long others had the processor */
	double *wall_ns, *cpu_ns; /* the whole pass, decoding included; of it, on a processor */
	double *floor_ns; /* of each pass, of each of UR_FLOOR_LEVELS: reading a table; or NULL */
};

/* One model on one trace. */
struct ur_run {
	const struct ur_spec *spec;
	char **options; /* effective values, in the order of the model's option table */
	size_t n_options;
	uint64_t counters[UM_COUNTER_END];
	uint64_t *own; /* n_own of them: the model's own counters, in the order of its table */
	size_t n_own;
	struct ur_resyncs resyncs[UM_CAUSE_END];
	struct ur_resyncs synced; /* of all causes, those that compared at least one table */
	struct ur_timeline timeline;
	struct ur_measured *measured; /* NULL: not measured */
	bool is_verified;	      /* as the plan wants; then: */
	struct ur_verified verified;
	bool has_agreement; /* the model is meant to do what the trace says the host did */
	struct ur_agreement agreement;
	char failed[256]; /* why there is no result; empty: there is */
};

struct ur_trace {
	struct ur_survey survey;
	struct ur_warnings warnings; /* what is wrong with the trace, or missing in it */
	struct ur_run *runs;	     /* one for each of the plan's specs */
	struct ur_passes passes;     /* none if nothing was measured */
	size_t n_runs;
};

/**
 * ur_replay() - survey, count and (if asked to) measure one trace
 * @path: trace file; must be seekable, as it is read once per pass
 * @plan: models and passes
 * @out: the result, to be freed with ur_trace_free(); NULL on failure
 * @err: set on failure
 *
 * A model that gives up fails its run and no other one. Return: 0 or -1.
 */
int ur_replay(const char *path, const struct ur_plan *plan, struct ur_trace **out,
	      struct ut_error *err);

void ur_trace_free(struct ur_trace *trace);

/**
 * ur_exits() - exits in a set of counters: the sum of all whose name begins with "exit_"
 */
uint64_t ur_exits(const uint64_t *counters);

/**
 * ur_resyncs_of() - all resyncs of a run, whatever their cause
 */
struct ur_resyncs ur_resyncs_of(const struct ur_run *run);

/**
 * ur_null_run() - the run that shows what the harness itself costs, or NULL
 */
const struct ur_run *ur_null_run(const struct ur_trace *trace);

#endif
