// SPDX-License-Identifier: GPL-2.0-only
#include "plots/answer.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plots/text.h"

const struct pl_exit_group pl_exit_groups[PL_EXIT_GROUPS] = {
	{ "exit_fault", "page faults that fill the shadow" },
	{ "exit_reflect", "page faults passed on to the guest" },
	{ "exit_table_write", "writes to protected tables" },
	{ "exit_cr3", "CR3 writes" },
	{ "exit_invlpg", "INVLPG" },
	{ NULL, "other exits" },
};

uint64_t pl_exits(const struct pl_run *run)
{
	return pl_count_all(run, "exit_");
}

uint64_t pl_exits_max(const struct pl_run *run)
{
	return pl_exits(run) + pl_count(run, "refaults_max");
}

uint64_t pl_exit_group(const struct pl_run *run, size_t group)
{
	uint64_t rest = pl_exits(run);

	if (pl_exit_groups[group].counter)
		return pl_count(run, pl_exit_groups[group].counter);
	for (size_t i = 0; i < PL_EXIT_GROUPS; i++) {
		if (pl_exit_groups[i].counter)
			rest -= pl_count(run, pl_exit_groups[i].counter);
	}
	return rest;
}

#define MAX_LISTED 5  /* traces in a sentence */
#define MAX_FIGURES 3 /* designs with their figures in one */

/* Where a design may lie; there is false if it takes no part. */
struct span {
	double lo, hi;
	bool there;
};

typedef struct span span_of(const struct pl_run *run);

static struct span exits_span(const struct pl_run *run)
{
	return (struct span){ (double)pl_exits(run), (double)pl_exits_max(run), true };
}

static struct span time_span(const struct pl_run *run)
{
	const struct pl_measured *m = run->measured;

	if (!m || !m->resync_total.has_interval || !m->count)
		return (struct span){ 0 };
	return (struct span){ m->resync_total.lo, m->resync_total.hi, true };
}

static struct span model_span(const struct pl_results *r, size_t trace, size_t model, span_of *of)
{
	const struct pl_run *run = pl_run_of(r, trace, model);

	if (!run || r->models[model].null || r->models[model].bound)
		return (struct span){ 0 };
	return of(run);
}

static void rank_by(const struct pl_results *r, size_t trace, span_of *of, enum pl_rank *rank)
{
	double best = DBL_MAX; /* the least that one of them surely does not exceed */
	size_t n = 0, ahead = 0;

	for (size_t m = 0; m < r->n_models; m++) {
		struct span s = model_span(r, trace, m, of);

		rank[m] = PL_BEHIND;
		n += s.there;
		if (s.there && s.hi < best)
			best = s.hi;
	}
	if (n < 2 || !pl_ranked(&r->traces[trace]))
		return;
	for (size_t m = 0; m < r->n_models; m++) {
		struct span s = model_span(r, trace, m, of);

		if (s.there && s.lo <= best) {
			rank[m] = PL_TIED;
			ahead++;
		}
	}
	for (size_t m = 0; ahead == 1 && m < r->n_models; m++) {
		if (rank[m] == PL_TIED)
			rank[m] = PL_BEST;
	}
}

void pl_rank_exits(const struct pl_results *results, size_t trace, enum pl_rank *rank)
{
	rank_by(results, trace, exits_span, rank);
}

void pl_rank_time(const struct pl_results *results, size_t trace, enum pl_rank *rank)
{
	rank_by(results, trace, time_span, rank);
}

bool pl_ranked(const struct pl_trace *trace)
{
	return trace->exact && !trace->synthetic;
}

/* The kind of traces that counts most: recorded exactly, recorded at all, made up. */
static int weight(const struct pl_trace *trace)
{
	return trace->synthetic ? 0 : trace->exact ? 2 : 1;
}

bool pl_compared(const struct pl_results *results, size_t trace)
{
	for (size_t t = 0; t < results->n_traces; t++) {
		if (weight(&results->traces[t]) > weight(&results->traces[trace]))
			return false;
	}
	return true;
}

/* What the sentences are made from. Arrays have one element for each model or trace of the set. */
struct tally {
	const struct pl_results *r;
	bool exact;	  /* the compared traces are, and were recorded */
	const char *kind; /* "exact" or "native" */
	bool *design; /* takes part: not null or a bound, and run on at least one compared trace */
	size_t n_designs;
	bool *common; /* compared, and run with every design */
	size_t n_common;
	uint64_t *exits;    /* of each design, over the common traces */
	size_t best, worst; /* by that */
	enum pl_rank *rank; /* n_traces rows of n_models */
	double *margin;	    /* of each trace: per cent by which the best design is ahead at least */
	size_t *group;	    /* of each trace: how many have the same ranks, at the first; else 0 */
};

static void tally_free(struct tally *t)
{
	free(t->design);
	free(t->common);
	free(t->exits);
	free(t->rank);
	free(t->margin);
	free(t->group);
}

static void tally_designs(struct tally *t)
{
	const struct pl_results *r = t->r;

	for (size_t i = 0; i < r->n_runs; i++) {
		size_t m = r->runs[i].model;

		if (!r->models[m].null && !r->models[m].bound && !t->design[m] &&
		    pl_compared(r, r->runs[i].trace)) {
			t->design[m] = true;
			t->n_designs++;
		}
	}
}

static void tally_exits(struct tally *t)
{
	const struct pl_results *r = t->r;

	t->best = t->worst = SIZE_MAX;
	for (size_t m = 0; m < r->n_models; m++) {
		if (!t->design[m])
			continue;
		for (size_t i = 0; i < r->n_traces; i++) {
			if (t->common[i])
				t->exits[m] += pl_exits(pl_run_of(r, i, m));
		}
		if (t->best == SIZE_MAX || t->exits[m] < t->exits[t->best])
			t->best = m;
		if (t->worst == SIZE_MAX || t->exits[m] > t->exits[t->worst])
			t->worst = m;
	}
}

static int tally_init(struct tally *t, const struct pl_results *r)
{
	*t = (struct tally){ .r = r, .exact = true, .kind = "exact" };
	t->design = calloc(r->n_models + 1, sizeof(*t->design));
	t->common = calloc(r->n_traces + 1, sizeof(*t->common));
	t->exits = calloc(r->n_models + 1, sizeof(*t->exits));
	t->rank = calloc(r->n_traces * r->n_models + 1, sizeof(*t->rank));
	t->margin = calloc(r->n_traces + 1, sizeof(*t->margin));
	t->group = calloc(r->n_traces + 1, sizeof(*t->group));
	if (!t->design || !t->common || !t->exits || !t->rank || !t->margin || !t->group) {
		tally_free(t);
		return -1;
	}
	tally_designs(t);
	for (size_t i = 0; i < r->n_traces; i++) {
		size_t runs = 0;

		if (!pl_compared(r, i))
			continue;
		if (!pl_ranked(&r->traces[i])) {
			t->exact = false;
			t->kind = r->traces[i].synthetic ? "synthetic" : "native";
		}
		for (size_t m = 0; m < r->n_models; m++)
			runs += t->design[m] && pl_run_of(r, i, m);
		t->common[i] = t->n_designs && runs == t->n_designs;
		t->n_common += t->common[i];
	}
	tally_exits(t);
	return 0;
}

static const char *label(const struct tally *t, size_t model)
{
	return t->r->models[model].label;
}

/* Those with the same designs ahead are told in one go, by the first of them. */
static bool same_rank(const struct tally *t, size_t a, size_t b)
{
	size_t n = t->r->n_models;

	return !memcmp(t->rank + a * n, t->rank + b * n, n * sizeof(*t->rank));
}

/* Does the trace have one design ahead of all others? */
static bool has_winner(const struct tally *t, size_t trace)
{
	for (size_t m = 0; m < t->r->n_models; m++) {
		if (t->rank[trace * t->r->n_models + m] == PL_BEST)
			return true;
	}
	return false;
}

static void group_traces(struct tally *t)
{
	for (size_t i = 0; i < t->r->n_traces; i++) {
		size_t first = 0;

		t->group[i] = 0;
		if (!t->common[i])
			continue;
		while (!t->group[first] || !same_rank(t, first, i)) {
			if (first == i)
				break;
			first++;
		}
		t->group[first]++;
	}
}

static void put_percent(FILE *out, double percent)
{
	fprintf(out,
		percent >= 9.95	   ? "%.0f %%"
		: percent >= 0.995 ? "%.1f %%"
				   : "%.2g %%",
		percent);
}

/* ", by at least 5 %", ", by at least 5 % (x) to 7 % (y)" */
static void put_margins(FILE *out, const struct tally *t, size_t first)
{
	size_t low = first, high = first;

	for (size_t i = first; i < t->r->n_traces; i++) {
		if (!t->common[i] || !same_rank(t, first, i))
			continue;
		low = t->margin[i] < t->margin[low] ? i : low;
		high = t->margin[i] > t->margin[high] ? i : high;
	}
	fputs(", by at least ", out);
	put_percent(out, t->margin[low]);
	if (low == high)
		return;
	fprintf(out, " (%s) to ", t->r->traces[low].id);
	put_percent(out, t->margin[high]);
	fprintf(out, " (%s)", t->r->traces[high].id);
}

/* "A", "A, B or C", "any of them" */
static void put_leaders(FILE *out, const struct tally *t, size_t trace)
{
	const enum pl_rank *rank = t->rank + trace * t->r->n_models;
	size_t n = 0, said = 0;

	for (size_t m = 0; m < t->r->n_models; m++)
		n += rank[m] != PL_BEHIND;
	if (n > 2 && n == t->n_designs) {
		fputs("any of them", out);
		return;
	}
	for (size_t m = 0; m < t->r->n_models; m++) {
		if (rank[m] == PL_BEHIND)
			continue;
		fprintf(out, "%s%s", !said ? "" : said + 1 == n ? " or " : ", ", label(t, m));
		said++;
	}
}

/* "A on both, by at least 5 % (x) to 7 % (y)", "A or B on 7 (v, w and 5 more)" */
static void put_group(FILE *out, const struct tally *t, size_t first)
{
	size_t n = t->group[first], shown = 0;

	put_leaders(out, t, first);
	if (n == t->n_common && n > 1)
		fprintf(out, n == 2 ? " on both" : " on all %zu", n);
	for (size_t i = first; n < t->n_common && i < t->r->n_traces && shown < MAX_LISTED; i++) {
		if (t->common[i] && same_rank(t, first, i))
			fprintf(out, "%s%s", shown++ ? ", " : " on ", t->r->traces[i].id);
	}
	if (shown && n > shown)
		fprintf(out, " and %zu more", n - shown);
	if (has_winner(t, first))
		put_margins(out, t, first);
}

/* "<what> on 5 exact traces: ...": winners first, then those not told apart, most traces first */
static void put_ahead(FILE *out, const struct tally *t, const char *what)
{
	const char *between = "";

	if (t->n_common == 1)
		fprintf(out, "%s on the one %s trace: ", what, t->kind);
	else
		fprintf(out, "%s on %zu %s traces: ", what, t->n_common, t->kind);
	for (int shared = 0; shared < 2; shared++) {
		for (size_t size = t->n_common; size; size--) {
			for (size_t i = 0; i < t->r->n_traces; i++) {
				if (t->group[i] != size || has_winner(t, i) != !shared)
					continue;
				fputs(between, out);
				put_group(out, t, i);
				between = "; ";
			}
		}
	}
}

static void say_alone(FILE *out, const struct tally *t)
{
	char n[PL_NUMBER];

	if (!t->n_designs)
		fputs("No design has a result here: nothing can be compared.", out);
	else if (!t->n_common)
		fprintf(out,
			"No %s trace was replayed with all %zu designs: no overall comparison can "
			"be made.",
			t->kind, t->n_designs);
	else
		fprintf(out,
			"Only %s was replayed, with %s exits on %zu %s trace%s: there is nothing "
			"to "
			"compare it with.",
			label(t, t->best), pl_group(n, t->exits[t->best]), t->n_common, t->kind,
			t->n_common == 1 ? "" : "s");
}

/* Ranks of all traces, and by how much the best is ahead of the next, bounds taken at their worst. */
static void rank_all(struct tally *t, span_of *of)
{
	for (size_t i = 0; i < t->r->n_traces; i++) {
		enum pl_rank *rank = t->rank + i * t->r->n_models;
		double best = 0, next = DBL_MAX;

		rank_by(t->r, i, of, rank);
		for (size_t m = 0; m < t->r->n_models; m++) {
			struct span s = model_span(t->r, i, m, of);

			if (s.there && rank[m] == PL_BEST)
				best = s.hi;
			else if (s.there && s.lo < next)
				next = s.lo;
		}
		t->margin[i] = best > 0 ? (next - best) * 100 / best : 0;
	}
	group_traces(t);
}

/* What can be summed over traces: counts, without and with bounds; ns; entries compared or fixed. */
enum work { EXITS, EXITS_BOUNDED, TIME, ENTRIES };

static double total_work(const struct tally *t, size_t model, enum work work)
{
	double sum = 0;

	for (size_t i = 0; i < t->r->n_traces; i++) {
		const struct pl_run *run = pl_run_of(t->r, i, model);

		if (!t->common[i] || !run)
			continue;
		if (work == EXITS || work == EXITS_BOUNDED)
			sum += (double)pl_exits(run);
		else if (work == TIME)
			sum += run->measured->resync_total.median;
		else
			sum += (double)(pl_count(run, "entries_compared") +
					pl_count(run, "entries_fixed"));
	}
	return sum;
}

static uint64_t total_exits_max(const struct tally *t, size_t model)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < t->r->n_traces; i++) {
		if (t->common[i])
			sum += pl_exits_max(pl_run_of(t->r, i, model));
	}
	return sum;
}

/* A design that never had to bring anything in step has no time for that. */
static bool takes_part(const struct tally *t, size_t model, enum work work)
{
	if (!t->design[model])
		return false;
	for (size_t i = 0; i < t->r->n_traces; i++) {
		if (work != TIME || (t->common[i] && pl_run_of(t->r, i, model)->measured->count))
			return true;
	}
	return false;
}

/* "A 1.2 ms, B 3 ms, C 7 ms", "A 3 to 4, B 7": lowest first; of many, the first few */
static void put_work(FILE *out, const struct tally *t, enum work work)
{
	char buf[PL_NUMBER];
	double last = -1;
	size_t said = 0;

	while (said < t->n_designs) {
		double least = DBL_MAX;

		for (size_t m = 0; m < t->r->n_models; m++) {
			if (takes_part(t, m, work) && total_work(t, m, work) > last &&
			    total_work(t, m, work) < least)
				least = total_work(t, m, work);
		}
		for (size_t m = 0; m < t->r->n_models; m++) {
			if (!takes_part(t, m, work) || total_work(t, m, work) != least)
				continue;
			if (said++ >= MAX_FIGURES)
				continue;
			fprintf(out, "%s%s %s", said > 1 ? ", " : "", label(t, m),
				work == TIME ? pl_time(buf, least)
					     : pl_group(buf, (uint64_t)least));
			if (work == EXITS_BOUNDED && total_exits_max(t, m) > (uint64_t)least)
				fprintf(out, " to %s", pl_group(buf, total_exits_max(t, m)));
		}
		if (least == DBL_MAX)
			break;
		last = least;
	}
	if (said > MAX_FIGURES)
		fprintf(out, " and %zu more, up to %s", said - MAX_FIGURES,
			work == TIME ? pl_time(buf, last) : pl_group(buf, (uint64_t)last));
}

static void say_unranked_exits(FILE *out, const struct tally *t)
{
	fprintf(out,
		"On %s traces no design is named that takes the fewest exits, as %s; exits that "
		"are certain, over %zu trace%s: ",
		t->kind,
		!strcmp(t->kind, "native") ? "not all writes are in them"
					   : "they say nothing of guests",
		t->n_common, t->n_common == 1 ? "" : "s");
	put_work(out, t, EXITS);
	fputs(".", out);
}

static void say_exits(FILE *out, struct tally *t)
{
	if (t->n_designs < 2 || !t->n_common) {
		say_alone(out, t);
		return;
	}
	if (!t->exact) {
		say_unranked_exits(out, t);
		return;
	}
	rank_all(t, exits_span);
	put_ahead(out, t, "Fewest exits");
	fputs("; in all, from lower to upper bound: ", out);
	put_work(out, t, EXITS_BOUNDED);
	fputs(".", out);
}

static bool timed(const struct pl_run *run)
{
	return run->measured && run->measured->resync_total.has_interval;
}

static bool all_timed(const struct tally *t)
{
	for (size_t i = 0; i < t->r->n_traces; i++) {
		for (size_t m = 0; t->common[i] && m < t->r->n_models; m++) {
			if (t->design[m] && !timed(pl_run_of(t->r, i, m)))
				return false;
		}
	}
	return t->n_common > 0;
}

static void say_work(FILE *out, struct tally *t)
{
	if (!t->n_common) {
		fputs("No work of bringing tables in step can be compared either.", out);
		return;
	}
	if (!all_timed(t)) {
		fputs("Times were not measured, or in too few passes to compare them; entries "
		      "compared "
		      "or fixed to keep tables in step, over ",
		      out);
		fprintf(out, "%s: ", t->n_common == 1 ? "this trace" : "these traces");
		put_work(out, t, ENTRIES);
		fputs(".", out);
		return;
	}
	rank_all(t, time_span);
	if (!t->exact) {
		fputs("Nor is a winner named in time spent in resyncs; together", out);
	} else if (t->n_designs > 1) {
		put_ahead(out, t, "Least time in resyncs");
		fputs("; exits not included, medians together", out);
	} else {
		fputs("Measured", out);
	}
	fputs(": ", out);
	put_work(out, t, TIME);
	fputs(" a pass.", out);
}

/* The groups in which one design takes most more exits than another; -1: none. */
static int greatest_gap(const uint64_t *more, const uint64_t *less)
{
	int group = -1;
	uint64_t gap = 0;

	for (int g = 0; g < PL_EXIT_GROUPS; g++) {
		if (more[g] > less[g] && more[g] - less[g] > gap) {
			gap = more[g] - less[g];
			group = g;
		}
	}
	return group;
}

static void sum_groups(const struct tally *t, size_t model, uint64_t *sum)
{
	memset(sum, 0, PL_EXIT_GROUPS * sizeof(*sum));
	for (size_t i = 0; i < t->r->n_traces; i++) {
		for (size_t g = 0; t->common[i] && g < PL_EXIT_GROUPS; g++)
			sum[g] += pl_exit_group(pl_run_of(t->r, i, model), g);
	}
}

static void say_difference(FILE *out, const struct tally *t)
{
	uint64_t best[PL_EXIT_GROUPS], worst[PL_EXIT_GROUPS];
	char a[PL_NUMBER], b[PL_NUMBER];
	int saved, paid;

	if (!t->n_common) {
		fputs("What differs between the designs cannot be said.", out);
		return;
	}
	sum_groups(t, t->best, best);
	sum_groups(t, t->worst, worst);
	if (t->best == t->worst) {
		saved = greatest_gap(best, (uint64_t[PL_EXIT_GROUPS]){ 0 });
		if (saved >= 0)
			fprintf(out, "Most of these exits are %s (%s).", pl_exit_groups[saved].name,
				pl_group(a, best[saved]));
		else
			fputs("None of them takes an exit.", out);
		return;
	}
	saved = greatest_gap(worst, best);
	paid = greatest_gap(best, worst);
	if (saved < 0) {
		fputs("In exits by cause the designs do not differ.", out);
		return;
	}
	fprintf(out,
		"By cause, %s and %s, which take the fewest and the most certain exits in all, "
		"differ most in %s (%s against %s)",
		label(t, t->best), label(t, t->worst), pl_exit_groups[saved].name,
		pl_group(a, best[saved]), pl_group(b, worst[saved]));
	if (paid >= 0)
		fprintf(out, ", and the other way round in %s (%s against %s)",
			pl_exit_groups[paid].name, pl_group(a, best[paid]),
			pl_group(b, worst[paid]));
	fputs(".", out);
}

int pl_answer(const struct pl_results *results, char *sentence[PL_SENTENCES])
{
	struct tally t;
	FILE *out[PL_SENTENCES] = { NULL };
	size_t len[PL_SENTENCES];
	int ret = 0;

	if (tally_init(&t, results))
		return -1;
	for (int i = 0; i < PL_SENTENCES; i++) {
		sentence[i] = NULL;
		out[i] = open_memstream(&sentence[i], &len[i]);
		if (!out[i])
			ret = -1;
	}
	if (!ret) {
		ret = pl_answer_cost(out[PL_SAYS_COST], results);
		say_exits(out[PL_SAYS_EXITS], &t);
		say_work(out[PL_SAYS_TIME], &t);
		say_difference(out[PL_SAYS_CAUSE], &t);
	}
	for (int i = 0; i < PL_SENTENCES; i++) {
		if (out[i] && fclose(out[i]))
			ret = -1;
	}
	for (int i = 0; ret && i < PL_SENTENCES; i++)
		free(sentence[i]);
	tally_free(&t);
	return ret;
}
