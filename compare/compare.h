/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two sets of results side by side. Counted results are the same or they are not. Of measured ones it is
 * tested whether they differ, and several tests at once are corrected for.
 */
#ifndef UNSYNC_COMPARE_COMPARE_H
#define UNSYNC_COMPARE_COMPARE_H

#include "compare/rank.h"
#include "plots/results_read.h"

struct uc_options {
	const char *const *traces; /* only these ids of A; n_traces 0: all */
	const char *const *models; /* only these labels; n_models 0: all */
	size_t n_traces, n_models;
	bool counted; /* leave measured results alone */
	double alpha; /* chance of calling one difference where there is none */
	double slower; /* by how much B must be proven slower to be called so, 0.05: 5 %; below 0: not asked */
};

/* A counted value that is not the same. */
struct uc_difference {
	const char *trace, *model;
	char *what;		    /* "exit_cr3", "resyncs.cr3.count", "timeline.exits" */
	const struct json_t *a, *b; /* NULL: not there */
	size_t bins,
		differing; /* of a list: elements, and how many differ; a, b are the first such */
};

enum uc_verdict { UC_NOT_SHOWN, UC_FASTER, UC_SLOWER };

/* A measured value, pass by pass. */
struct uc_measure {
	const char *trace, *model, *what; /* what: "total_ns" or "resync_ns" */
	bool null;			  /* the model null: no design, only the harness */
	size_t n, m;			  /* passes in A and B */
	double median_a, median_b;
	struct uc_test test;
	struct uc_ratio ratio;
	double p_holm;
	enum uc_verdict verdict;
	double p_slower; /* that B is not slower by options.slower; corrected; 1 if that was not asked */
	bool too_slow;
};

struct uc_comparison {
	struct uc_difference *differences;
	struct uc_measure *measures;
	char **notes, **missing; /* missing: results of A that B does not have */
	size_t n_differences, n_measures, n_notes, n_missing;
	size_t runs, differing; /* compared, and those of them that differ */
	size_t values;		/* counted values compared */
	size_t shown, too_slow; /* measures */
	double smallest_p;	/* that any of the tests could have given, corrected */
};

/**
 * uc_compare() - compare two sets
 * @a: the one that was there before
 * @b: the one to be judged
 * @options: what to compare and how strictly
 * @result: filled in; strings and values point into the sets; uc_free() gives it back, also after a failure
 * @error: a line for the user if it fails
 * @error_len: bytes there
 *
 * Traces are matched by id and content. The same id with another content is an error, as is having
 * nothing in common.
 *
 * Return: 0, or -1.
 */
int uc_compare(const struct pl_results *a, const struct pl_results *b,
	       const struct uc_options *options, struct uc_comparison *result, char *error,
	       size_t error_len);

/**
 * uc_free() - give back a comparison
 */
void uc_free(struct uc_comparison *result);

#endif
