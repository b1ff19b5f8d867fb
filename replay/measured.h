/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the clock said of one model on one trace, and what follows from it: the cost of a resync, of a
 * table, of an entry, and how that compares with only reading the same bytes.
 */
#ifndef UNSYNC_REPLAY_MEASURED_H
#define UNSYNC_REPLAY_MEASURED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/mmu.h"
#include "replay/away.h"
#include "replay/clock.h"
#include "replay/floor.h"
#include "replay/hardware.h"
#include "replay/hist.h"
#include "replay/timeline.h"
#include "trace/trace.h"

/* Resyncs of one kind, counted. */
struct ur_resyncs {
	uint64_t count, tables, compared, changed;
};

/* One finished resync of a measured pass, waiting to be put into the histograms. */
struct ur_sample {
	uint64_t ticks; /* as read; the cost of reading not yet taken off */
	enum um_cause cause;
	bool tables;	  /* at least one was compared in it */
	bool interrupted; /* another process had the processor meanwhile; that time is taken off */
};

/* Events of a block that lie in one bin of the time line. */
struct ur_stretch {
	size_t end; /* the first event behind it */
	unsigned int bin;
	size_t samples; /* resyncs timed when it was over */
};

/* Those of the block in hand, worked out before the clock runs; the same for all models of a trace. */
struct ur_stretches {
	struct ur_stretch *of;
	size_t n, cap;
};

/* Different tables that a model synced in one block of the trace, and how many times it synced any. */
struct ur_visit {
	uint32_t tables, syncs;
};

/* What the clock said. All passes together unless it says otherwise. */
struct ur_measured {
	unsigned int passes;
	double *total_ns;      /* of each pass: the whole work of the model */
	double *resync_ns;     /* of each pass: in resyncs */
	double *table_ns;      /* of each pass: in those that compared at least one table */
	double *away_ns;       /* of each pass: without a processor; not in any of the others */
	uint64_t *interrupted; /* of each pass: resyncs in which that happened */
	double *bin_ns;	       /* in resyncs, by bin of the time line: UR_MAX_BINS for each pass */
	struct ur_hist resync; /* ticks of each resync */
	struct ur_hist by_cause[UM_CAUSE_END];
	double ticks[UM_CAUSE_END]; /* their sums, finer: see ur_clock_net() */
	struct ur_sample *samples;  /* of the block in hand; kept from pass to pass */
	size_t n_samples, cap_samples;
	struct ur_hardware_sum *hardware; /* of each pass; NULL: there are no counters */
	struct ur_visit *visits;	  /* of each block; seen in the warm-up */
	size_t n_visits, cap_visits;
	double *floor_ns;  /* of each pass: reading a table of a set like this model's; or NULL */
	uint64_t floor_at; /* where that goes on */
	struct ur_away *away; /* of the block in hand; NULL: nobody looks */
};

/* What a cost is of; the first of all resyncs, the others of those that compared tables. */
#define UR_COST(X)                                                                                 \
	X(resync)   /* one resync */                                                               \
	X(table)    /* one table compared */                                                       \
	X(compared) /* one present entry compared */                                               \
	X(changed)  /* one entry that was not kept */

enum ur_cost {
#define X(name) UR_COST_##name,
	UR_COST(X)
#undef X
		UR_COST_END
};

/* Resyncs beside the time of only reading the same bytes. */
struct ur_against_floor {
	unsigned int level; /* of the floor: the nearest cache that holds them */
	uint64_t set;	    /* bytes: ur_working_set() */
	uint64_t bytes;	    /* read in a pass, at least */
	double *ns;	    /* what that takes, in each pass */
	double *ratio;	    /* resyncs that compared tables to that */
};

/* Whose turn it is. Always the same at random, so that a run can be done again. */
struct ur_turns {
	size_t n;
	size_t *of;    /* a permutation of 0 to n - 1 */
	uint64_t seed; /* 0 at first */
};

/**
 * ur_turns_next() - another order
 *
 * Each order is as likely as any other, so over many blocks every model comes first equally often, and runs
 * after each of the others, whose leavings it finds in the caches, equally often.
 */
void ur_turns_next(struct ur_turns *t);

/**
 * ur_measured_new() - room for a number of passes
 * @passes: how many
 * @hardware: with the processor's counters
 *
 * Return: NULL if out of memory.
 */
struct ur_measured *ur_measured_new(unsigned int passes, bool hardware);

void ur_measured_free(struct ur_measured *m);

/**
 * ur_measured_sample() - note a resync that has just ended. Cheap, as it runs inside the model's time.
 *
 * Return: 0, or -1 if out of memory.
 */
int ur_measured_sample(struct ur_measured *m, const struct um_resync *r);

/**
 * ur_stretches_of() - cut a block along the bins of a time line
 * @s: replaced; all zero bytes at first; ->of is to be freed
 * @t: the time line
 * @block: not changed
 *
 * Return: 0, or -1 if out of memory.
 */
int ur_stretches_of(struct ur_stretches *s, const struct ur_timeline *t,
		    const struct ut_block *block);

/**
 * ur_measured_block() - put the resyncs of a block where they belong
 * @m: ->samples are those of the block
 * @stretches: of the block, each with the samples there were at its end
 * @clock: it was measured with
 * @pass: from 0
 */
void ur_measured_block(struct ur_measured *m, const struct ur_stretches *stretches,
		       const struct ur_clock *clock, unsigned int pass);

/**
 * ur_measured_visit() - note how many tables were synced in a block
 *
 * Return: 0, or -1 if out of memory.
 */
int ur_measured_visit(struct ur_measured *m, struct ur_visit v);

/**
 * ur_working_set() - bytes that the tables synced take in a block: each the guest's and its shadow
 *
 * Of the block in which the median sync of the trace takes place. 0: no table was synced.
 */
uint64_t ur_working_set(const struct ur_measured *m);

/**
 * ur_rates() - events per second of each pass
 * @m: the passes
 * @events: in the trace
 *
 * Return: an array of m->passes numbers, to be freed; NULL if out of memory.
 */
double *ur_rates(const struct ur_measured *m, uint64_t events);

/**
 * ur_above_null() - what each pass took above the same pass of the model that does nothing
 * @m: the passes
 * @null: as many passes of it
 * @ns: set, for each pass; may come out below 0
 */
void ur_above_null(const struct ur_measured *m, const struct ur_measured *null, double *ns);

/**
 * ur_costs() - what a thing cost in each pass
 * @m: the passes
 * @what: the thing
 * @all: all resyncs of a pass
 * @synced: those that compared at least one table
 * @ns: set, for each pass
 *
 * Return: false if there was no such thing.
 */
bool ur_costs(const struct ur_measured *m, enum ur_cost what, const struct ur_resyncs *all,
	      const struct ur_resyncs *synced, double *ns);

/**
 * ur_floor_bytes() - what comparing tables must read at least: every entry of the shadow, as no design
 * knows where the present ones end, and the guest's entry behind each present one
 */
uint64_t ur_floor_bytes(const struct ur_resyncs *synced);

/**
 * ur_cost_name() - as results show it
 */
const char *ur_cost_name(enum ur_cost what);

/**
 * ur_measure_floor() - what reading a table takes in a set as large as that of the model's tables
 * @m: the passes; if the model synced no table nothing happens
 * @floor: to measure with
 * @pass: from 0
 *
 * Return: 0, or -1 if out of memory.
 */
int ur_measure_floor(struct ur_measured *m, struct ur_floor *floor, unsigned int pass);

/**
 * ur_against_floor() - hold resyncs against the floor
 * @f: filled in; to be freed with ur_against_floor_free()
 * @m: the passes
 * @synced: resyncs that compared tables, at least one
 * @floor: the levels
 *
 * Return: 0, or -1 if out of memory.
 */
int ur_against_floor(struct ur_against_floor *f, const struct ur_measured *m,
		     const struct ur_resyncs *synced, const struct ur_floor *floor);

void ur_against_floor_free(struct ur_against_floor *f);

/**
 * ur_hardware_counts() - what one of the processor's counters said in each pass
 * @m: the passes
 * @e: the counter
 * @v: set, for each pass
 *
 * Return: false if there is no such counter, or it had no turn in some pass.
 */
bool ur_hardware_counts(const struct ur_measured *m, enum ur_hardware_event e, double *v);

#endif
