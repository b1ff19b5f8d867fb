// SPDX-License-Identifier: GPL-2.0-only
/*
 * known-compare --seeds FIRST-LAST [--vcpu FEATURES] [--paging MODE] TRACE
 *
 * Compares a trace of "known-guest --seeds FIRST-LAST --paging MODE" with the scripts. FEATURES is the
 * first line that the guest printed. Prints what was compared; exit status 1 if anything differs.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "seeds.h"

#define MAX_TOLD 10

struct arguments {
	const char *path;
	uint64_t first, last;
	const struct paging *paging;
	struct vm_features features;
};

struct trace {
	struct recording *vms;
	size_t n;
	unsigned int mode;
	uint64_t lost;
};

static int usage(void)
{
	fprintf(stderr, "usage: known-compare --seeds FIRST-LAST [--vcpu FEATURES] "
			"[--paging four|five|pae|two] TRACE\n");
	return 2;
}

static bool read_arguments(int argc, char **argv, struct arguments *a)
{
	static const struct option options[] = { { "seeds", required_argument, NULL, 's' },
						 { "vcpu", required_argument, NULL, 'v' },
						 { "paging", required_argument, NULL, 'p' },
						 {} };
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 's' && seeds_read(optarg, &a->first, &a->last))
			continue;
		if (c == 'p' && (a->paging = paging_find(optarg)))
			continue;
		if (c != 'v')
			return false;
		a->features.invpcid = strstr(optarg, "invpcid");
		a->features.pcid = !strncmp(optarg, "pcid", 4);
	}
	if (optind != argc - 1 || !a->last)
		return false;
	a->path = argv[optind];
	return true;
}

static int take_block(struct trace *t, const struct ut_block *block)
{
	for (size_t i = 0; i < block->n; i++) {
		const struct ut_event *e = &block->events[i];

		if (e->kind == UT_LOST)
			t->lost += e->lost.count;
		if (e->vm == UT_NO_VM)
			continue;
		if (e->vm >= t->n) {
			fprintf(stderr, "known-compare: there are more VMs than scripts\n");
			return -1;
		}
		if (recording_add(&t->vms[e->vm], e)) {
			fprintf(stderr, "known-compare: no memory\n");
			return -1;
		}
	}
	return 0;
}

static int read_trace(struct trace *t, const char *path)
{
	struct ut_reader *reader;
	struct ut_block block;
	struct ut_error err;
	int ret;

	reader = ut_reader_open(path, &err);
	if (!reader)
		goto fail;
	t->mode = ut_reader_header(reader)->mode;
	while ((ret = ut_reader_next(reader, &block, &err)) > 0) {
		if (take_block(t, &block)) {
			ut_reader_close(reader);
			return -1;
		}
	}
	if (!ret && ut_reader_warning(reader)) {
		ret = ut_error_set(&err, "%s", ut_reader_warning(reader));
	}
	ut_reader_close(reader);
	if (!ret)
		return 0;
fail:
	fprintf(stderr, "known-compare: %s\n", err.text);
	return -1;
}

static void free_trace(struct trace *t)
{
	for (size_t i = 0; i < t->n; i++)
		recording_free(&t->vms[i]);
	free(t->vms);
}

static void print_counts(const struct compare_counts *n)
{
	static const char *const outcomes[] = { "unknown",  "filled", "reflected",
						"emulated", "mmio",   "fast" };
	static const char *const hows[] = { "", "trapped", "window", "walk" };

	printf("operations:");
	for (unsigned int i = KNOWN_READ; i < KNOWN_CODES; i++)
		printf(" %s %lu", script_op_name(i), n->ops[i]);
	printf("\nevents:");
	for (unsigned int i = 1; i < UT_KIND_END; i++) {
		if (n->events[i])
			printf(" %s %lu", ut_kind_name(i), n->events[i]);
	}
	printf("\nfaults:");
	for (unsigned int i = 0; i <= UT_OUT_FAST; i++)
		printf(" %s %lu", outcomes[i], n->outcome[i]);
	printf("\nwrites:");
	for (unsigned int i = UT_HOW_TRAPPED; i <= UT_HOW_WALK; i++)
		printf(" %s %lu", hows[i], n->how[i]);
	printf(" out-of-sync %lu not-shadowed %lu\n", n->silent, n->hidden);
	printf("trapped, by operation:");
	for (unsigned int i = KNOWN_READ + 1; i < KNOWN_CR0; i++)
		printf(" %s %lu", script_op_name(i), n->trapped[i]);
	printf("\ntables: at two levels %lu, below two roots %lu, twice in a walk %lu\n",
	       n->two_levels, n->two_roots, n->loops);
}

static unsigned long compare_all(const struct arguments *a, const struct trace *t,
				 struct compare_counts *counts)
{
	unsigned long different = 0;
	struct ut_error err;

	for (uint64_t seed = a->first; seed <= a->last; seed++) {
		struct script *s = script_make(seed, a->paging, a->features);

		if (!s) {
			fprintf(stderr, "known-compare: no memory for a script\n");
			return different + 1;
		}
		if (compare(s, &t->vms[seed - a->first], t->mode, counts, &err)) {
			if (different++ < MAX_TOLD)
				printf("DIFFERENT %s\n", err.text);
		}
		script_free(s);
	}
	return different;
}

int main(int argc, char **argv)
{
	struct compare_counts counts = {};
	struct arguments a = { .paging = &paging_four };
	struct trace t = {};
	unsigned long different;

	if (!read_arguments(argc, argv, &a))
		return usage();
	t.n = (size_t)(a.last - a.first + 1);
	t.vms = calloc(t.n, sizeof(*t.vms));
	if (!t.vms)
		return 1;
	if (read_trace(&t, a.path)) {
		free_trace(&t);
		return 1;
	}
	different = compare_all(&a, &t, &counts);
	printf("%s: %lu scripts, %lu different, %" PRIu64 " events lost\n",
	       t.mode == UT_MODE_EXACT ? "exact" : "native", counts.scripts, different, t.lost);
	print_counts(&counts);
	free_trace(&t);
	return different || t.lost ? 1 : 0;
}
