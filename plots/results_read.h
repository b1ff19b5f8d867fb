/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads the results files that 'unsync replay' writes (docs/results.md), one or several, into
 * one set. Everything in a file is checked before anybody sees it: what these functions hand out is of
 * the right type, finite, not negative and not absurd.
 *
 * Counted results (the same in every run) and measured ones (times) are kept apart here as they are in
 * the file.
 */
#ifndef UNSYNC_PLOTS_RESULTS_READ_H
#define UNSYNC_PLOTS_RESULTS_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_SCHEMA "unsync-results"
#define PL_VERSION 1
#define PL_MAX_BINS 4096u
#define PL_MAX_MODELS 64
/* The model that keeps guest memory and nothing else: it shows what the harness costs. */
#define PL_NULL_MODEL "null"

struct json_t;
struct co_platform;

/*
 * The machine and the command behind one file. Strings belong to the set, here and below; they may hold
 * anything, control characters included: text.h makes them fit to be shown.
 */
struct pl_context {
	const char *file; /* as the user named it */
	const char *tool;
	bool machine; /* false: nothing was measured, and what follows up to the warnings is not set */
	const char *created, *cpu, *kernel, *compiler, *build, *command;
	const char *clock_source;
	double ns_per_tick, overhead_ns; /* of the clock */
	double load;			 /* 1-minute load average when it began; -1: unknown */
	uint64_t cores;
	struct json_t *
		unavailable; /* counters of the processor: why each could not be read; may be NULL */
	const char **warnings;
	size_t n_warnings;
};

struct pl_trace {
	const char *id, *path, *xxh64, *title, *kernel;
	bool exact;    /* every guest write is in the trace, in order */
	bool complete; /* not cut off */
	uint64_t bytes, events, blocks, duration_ns, vms, vcpus, lost;
	uint64_t writes_trapped, writes_window, writes_walk; /* how the writes are known */
	uint64_t host_unsync, host_sync, host_resync_ns;     /* what the recorded host did */
	struct json_t *synthetic; /* parameters by name, of a trace that was made up; else NULL */
};

/* A model with one set of options: a column of every table, a colour of every chart. */
struct pl_model {
	const char *name;    /* of the model */
	const char *label;   /* name, and what differs from its defaults */
	const char *summary; /* one line; "" if the files do not say */
	char *options;	     /* "name=value, name=value" */
	bool null;	     /* PL_NULL_MODEL */
	bool bound;	     /* a yardstick: shown, but never ahead */
	bool bystander;	     /* set by whoever compares costs: shown, does not compete in that */
};

struct pl_stat {
	double median, mad;
	double lo, hi;	    /* 95 % interval of the median; only if has_interval */
	bool has_interval;  /* false if there were too few passes for one */
	uint64_t *outliers; /* numbers of passes; empty where outliers are not told */
	size_t n_outliers;
};

struct pl_cause_time {
	const char *cause;
	double count, p50, p99, total; /* ns */
};

/* What one of these costs in resyncs, in ns. */
enum pl_unit_cost {
	PL_COST_RESYNC,	  /* a resync, whatever it did */
	PL_COST_TABLE,	  /* a table compared */
	PL_COST_COMPARED, /* a present entry compared */
	PL_COST_CHANGED,  /* an entry changed */
	PL_UNIT_COSTS
};

/* The physical floor of a run: reading once what the resyncs had to compare. */
struct pl_floor {
	const char *level; /* of the caches, where the tables lie */
	uint64_t working_set;
	struct pl_stat read_ns; /* of one table */
	struct pl_stat ratio;	/* the resyncs' time against that of reading */
};

/* A counter of the processor's, over a pass. */
struct pl_hardware {
	const char *name;
	struct pl_stat value;
};

struct pl_measured {
	uint64_t passes, warmup;
	double *total_ns, *resync_ns;	    /* for each pass */
	struct pl_stat total, resync_total; /* ns per pass */
	struct pl_stat events_per_s;
	uint64_t count;			       /* resyncs in the histogram */
	double mean, p50, p90, p99, p999, max; /* ns per resync */
	double error;			       /* relative bound of the histogram's values */
	double *upper_ns;		       /* histogram: upper end of each bucket, rising */
	uint64_t *bucket;		       /* and how many resyncs fell into it */
	size_t n_buckets;
	struct pl_cause_time *causes;
	size_t n_causes;
	bool has_cost[PL_UNIT_COSTS], has_floor; /* false: there was nothing of the kind */
	struct pl_stat cost[PL_UNIT_COSTS];
	struct pl_floor floor;
	struct pl_hardware *hardware; /* none if no counter was available */
	size_t n_hardware;
	uint64_t *bin_ns; /* in resyncs, by bin of the time line: median of passes; may be NULL */
};

/* Timeline: the same bins for all models of a trace. */
struct pl_timeline {
	double bin_ns;
	size_t n;
	uint64_t *unsync;		 /* most tables out of sync at once */
	uint64_t *exits, *tables_synced; /* in the bin */
};

/* How far the model did what the recorded host did: tables gone out of sync, or synced. */
struct pl_match {
	uint64_t host, model, matched;
};

struct pl_agreement {
	struct pl_match unsync, sync;
};

/* What the oracle found, if it watched. */
struct pl_verified {
	uint64_t events, checks, undecided, violations;
};

struct pl_run {
	size_t trace, model; /* numbers in the set */
	struct json_t *json; /* all of it, unchecked but for what is below */
	struct json_t *counted, *resyncs;
	struct json_t *own; /* counters that only this model has; NULL: none */
	struct pl_timeline timeline;
	struct pl_measured *measured; /* NULL: nothing was measured */
	bool has_agreement, is_verified;
	struct pl_agreement agreement;
	struct pl_verified verified;
	bool shared; /* what is allocated belongs to the run of another set */
};

struct pl_failure {
	const char *trace, *model, *why;
};

/* A name and what it means; the order is the files'. */
struct pl_term {
	const char *name, *help;
};

struct pl_document {
	struct json_t *json;
};

/* Zero-initialise; pl_read() adds to it. */
struct pl_results {
	struct pl_context *contexts;
	struct pl_trace *traces;
	struct pl_model *models;
	struct pl_run *runs;
	struct pl_failure *failures;
	struct pl_term *counters, *causes;
	size_t n_contexts, n_traces, n_models, n_runs, n_failures, n_counters, n_causes;
	struct pl_document *documents; /* the strings live in here */
	size_t n_documents;
	/* What costs are told for, set by whoever has the set drawn, and his own; the first is the main one. */
	const struct co_platform *platforms;
	size_t n_platforms;
	/* Traces that were made up to show what costs grow with, see growth.h; NULL: none. */
	struct pl_results *growth;
};

/**
 * pl_read() - add one results file to a set
 * @results: the set; after a failure it may hold part of the file and is only good for pl_free()
 * @file: path
 * @error: a line for the user if it fails: file, field, what, remedy
 * @error_len: bytes there
 *
 * A trace may come from several files if its content was the same; a trace and model may come only once.
 *
 * Return: 0, or -1.
 */
int pl_read(struct pl_results *results, const char *file, char *error, size_t error_len);

/**
 * pl_free() - give back everything in a set and zero it
 */
void pl_free(struct pl_results *results);

/**
 * pl_run_of() - the run of one model on one trace, or NULL if there is none
 * @trace: number of the trace in the set
 * @model: number of the model in the set
 */
const struct pl_run *pl_run_of(const struct pl_results *results, size_t trace, size_t model);

/**
 * pl_unavailable() - the n-th counter of the processor's that could not be read
 * @why: set to the reason
 *
 * Return: its name, or NULL if there are not so many.
 */
const char *pl_unavailable(const struct pl_context *context, size_t n, const char **why);

/**
 * pl_count() - a counter of a run by its name; 0 if the file did not have it
 */
uint64_t pl_count(const struct pl_run *run, const char *counter);

/**
 * pl_count_all() - sum of all counters of a run whose name begins with @prefix
 */
uint64_t pl_count_all(const struct pl_run *run, const char *prefix);

/**
 * pl_has() - does the run have that counter?
 */
bool pl_has(const struct pl_run *run, const char *counter);

/**
 * pl_resync_count() - a figure of the resyncs that one cause made necessary
 * @cause: "cr3" and so on
 * @what: "count", "tables", "compared" or "changed"
 *
 * Return: the figure; 0 if that cause did not occur.
 */
uint64_t pl_resync_count(const struct pl_run *run, const char *cause, const char *what);

#endif
