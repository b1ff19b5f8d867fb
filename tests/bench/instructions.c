// SPDX-License-Identifier: GPL-2.0-only
/*
 * What scripts/benchmark runs under callgrind: one trace through models, with instructions collected
 * only where a model works. Callgrind writes a file for each part of each model, named "LABEL PART":
 *
 *   LABEL events    everything that the model does with the events
 *   LABEL resyncs   what it does between begin and end of its resyncs, of those that count as one
 *   LABEL bracket   CALIBRATIONS times a resync in which nothing happens, to be taken off
 *
 * How often each happened is printed, a line for each model. Whether a resync counts is known when it is
 * over, so each model runs over the trace once before to find out; it does the same thing every time.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <valgrind/callgrind.h>

#include "models/mmu.h"
#include "replay/order.h"
#include "replay/survey.h"

#define CALIBRATIONS 1000

/* The clock of the models has no argument. */
static struct {
	bool *counts;	  /* of each resync begun, in order: does it count as one? */
	size_t n, cap;	  /* begun so far; room */
	bool inside;	  /* one is under way */
	bool collecting;  /* look at ->counts and collect */
	bool in_vain;	  /* out of memory */
	uint64_t resyncs; /* that count */
} brackets;

struct bench {
	const char *path, *options;
	char label[256];
	const struct um_model *model;
	struct ut_reader *reader;
	struct um_mmu *mmu[UR_MAX_VMS];
	uint64_t events;
};

static int complain(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	return -1;
}

static int complain_of(const struct ut_error *err)
{
	fprintf(stderr, "%s\n", err->text);
	return -1;
}

/* ---- brackets around resyncs ---- */

static void begin_bracket(void)
{
	if (brackets.n == brackets.cap && !brackets.collecting) {
		size_t cap = brackets.cap ? 2 * brackets.cap : 65536;
		bool *grown = realloc(brackets.counts, cap * sizeof(*grown));

		if (!grown) {
			brackets.in_vain = true;
			return;
		}
		brackets.counts = grown;
		brackets.cap = cap;
	}
	if (!brackets.collecting)
		brackets.counts[brackets.n] = false;
	brackets.n++;
}

/* What is collected of this function itself is the same each time, and calibrated. */
static uint64_t bracket(void)
{
	if (brackets.inside) {
		if (brackets.collecting && brackets.counts[brackets.n - 1])
			CALLGRIND_TOGGLE_COLLECT;
		brackets.inside = false;
		return 0;
	}
	brackets.inside = true;
	begin_bracket();
	if (brackets.collecting && brackets.counts[brackets.n - 1])
		CALLGRIND_TOGGLE_COLLECT;
	return 0;
}

static void count_bracket(void *ctx, const struct um_resync *r)
{
	(void)ctx;
	(void)r;
	if (!brackets.collecting && brackets.n)
		brackets.counts[brackets.n - 1] = true;
	brackets.resyncs++;
}

static void reset_brackets(bool collecting)
{
	brackets.n = 0;
	brackets.resyncs = 0;
	brackets.inside = false;
	brackets.collecting = collecting;
}

static void calibrate(const struct bench *b)
{
	uint64_t (*volatile clock)(void) = bracket;
	bool yes = true, *counts = brackets.counts;
	char name[300];

	brackets.counts = &yes;
	CALLGRIND_START_INSTRUMENTATION;
	for (int i = 0; i < CALIBRATIONS; i++) {
		reset_brackets(true);
		clock();
		clock();
	}
	CALLGRIND_STOP_INSTRUMENTATION;
	brackets.counts = counts;
	snprintf(name, sizeof(name), "%s bracket", b->label);
	CALLGRIND_DUMP_STATS_AT(name);
}

/* ---- passes ---- */

enum part { PART_LOOK, PART_RESYNCS, PART_EVENTS };

static int make_instances(struct bench *b, const struct ut_block *block, enum part part)
{
	char why[256] = "";

	for (size_t i = 0; i < block->n; i++) {
		uint16_t vm = block->events[i].vm;

		if (vm == UT_NO_VM)
			continue;
		if (vm >= UR_MAX_VMS)
			return complain(b->path, "a VM's number is beyond what a capture has");
		if (b->mmu[vm])
			continue;
		b->mmu[vm] = um_mmu_create(b->model, b->options, why, sizeof(why));
		if (!b->mmu[vm])
			return complain(b->label, why);
		if (part != PART_EVENTS)
			um_mmu_observe(b->mmu[vm], bracket, count_bracket, NULL);
	}
	return 0;
}

static int run_block(struct bench *b, const struct ut_block *block, enum part part)
{
	if (make_instances(b, block, part))
		return -1;
	if (part != PART_LOOK)
		CALLGRIND_START_INSTRUMENTATION;
	if (part == PART_EVENTS)
		CALLGRIND_TOGGLE_COLLECT;
	for (size_t i = 0; i < block->n; i++) {
		const struct ut_event *e = &block->events[i];

		if (e->vm != UT_NO_VM)
			um_mmu_event(b->mmu[e->vm], e);
	}
	if (part == PART_EVENTS)
		CALLGRIND_TOGGLE_COLLECT;
	if (part != PART_LOOK)
		CALLGRIND_STOP_INSTRUMENTATION;
	b->events += block->n;
	return 0;
}

static int run_blocks(struct bench *b, struct ur_order *order, enum part part)
{
	struct ut_error err = { "" };
	struct ut_block block;
	int more;

	while ((more = ut_reader_next(b->reader, &block, &err)) > 0) {
		if (ur_order_block(order, &block, &block))
			return complain(b->path, "out of memory");
		if (run_block(b, &block, part))
			return -1;
	}
	if (more < 0)
		return complain_of(&err);
	if (ur_order_block(order, NULL, &block))
		return complain(b->path, "out of memory");
	return run_block(b, &block, part);
}

static int check_instances(struct bench *b)
{
	for (unsigned int vm = 0; vm < UR_MAX_VMS; vm++) {
		const char *why = b->mmu[vm] ? um_mmu_failure(b->mmu[vm]) : NULL;

		if (why)
			return complain(b->label, why);
	}
	return brackets.in_vain ? complain(b->path, "out of memory") : 0;
}

static int run_pass(struct bench *b, enum part part)
{
	struct ur_order *order = ur_order_create();
	struct ut_error err = { "" };
	int ret;

	reset_brackets(part == PART_RESYNCS);
	b->events = 0;
	if (!order)
		ret = complain(b->path, "out of memory");
	else if (ut_reader_rewind(b->reader, &err))
		ret = complain_of(&err);
	else
		ret = run_blocks(b, order, part);
	if (!ret)
		ret = check_instances(b);
	for (unsigned int vm = 0; vm < UR_MAX_VMS; vm++) {
		if (b->mmu[vm])
			um_mmu_destroy(b->mmu[vm]);
		b->mmu[vm] = NULL;
	}
	ur_order_free(order);
	return ret;
}

static int run_model(struct bench *b)
{
	char name[300];
	uint64_t resyncs;

	if (run_pass(b, PART_LOOK))
		return -1;
	resyncs = brackets.resyncs;
	calibrate(b);
	if (run_pass(b, PART_RESYNCS))
		return -1;
	if (brackets.resyncs != resyncs)
		return complain(b->label, "does something else in every run");
	snprintf(name, sizeof(name), "%s resyncs", b->label);
	CALLGRIND_DUMP_STATS_AT(name);
	if (run_pass(b, PART_EVENTS))
		return -1;
	snprintf(name, sizeof(name), "%s events", b->label);
	CALLGRIND_DUMP_STATS_AT(name);
	printf("%s %" PRIu64 " %" PRIu64 " %d\n", b->label, b->events, resyncs, CALIBRATIONS);
	return 0;
}

/* "name" or "name:option=value,..." */
static int choose(struct bench *b, const char *text)
{
	char name[128];
	size_t len = strcspn(text, ":");

	snprintf(name, sizeof(name), "%.*s", (int)len, text);
	b->model = um_model_find(name);
	b->options = text[len] ? text + len + 1 : NULL;
	snprintf(b->label, sizeof(b->label), "%s", text);
	return b->model ? 0 : complain(text, "no such model; 'unsync models' lists them");
}

int main(int argc, char **argv)
{
	struct bench b = { .path = argc > 1 ? argv[1] : NULL };
	struct ut_error err = { "" };
	int ret = 0;

	if (argc < 3) {
		fprintf(stderr, "usage: %s TRACE MODEL[:OPTIONS]...\n", argv[0]);
		return 2;
	}
	if (!RUNNING_ON_VALGRIND)
		return -complain(argv[0], "counts nothing by itself; use scripts/benchmark");
	b.reader = ut_reader_open(b.path, &err);
	if (!b.reader)
		return -complain_of(&err);
	for (int i = 2; i < argc && !ret; i++) {
		ret = choose(&b, argv[i]);
		if (!ret)
			ret = run_model(&b);
	}
	ut_reader_close(b.reader);
	free(brackets.counts);
	return ret ? 1 : 0;
}
