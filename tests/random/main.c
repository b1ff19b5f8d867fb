// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random guests (world.h) through models under the oracle (replay/oracle.h).
 *
 *	random-guests [--seeds A-B] [--steps N] [--model M]... [--options O] [--stop] [--write FILE]
 *
 * For each seed a life is made up and every model lives it: with its defaults, and once with each value
 * of each of its options, numbers with some. The other options have their defaults with every other seed,
 * and values at random with the rest. --stop: at the first finding. --write: the life of the first seed as
 * a trace, instead.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/mmu.h"
#include "replay/oracle.h"
#include "tests/random/world.h"
#include "trace/trace.h"

#define MAX_VALUES 12 /* of one option */
#define MAX_OPTIONS 32
#define MAX_MODELS 64
#define TEXT 1024
#define MAX_REPORTS 3 /* of one model */

struct request {
	uint64_t first, last;
	unsigned int steps;
	const char *models[MAX_MODELS];
	unsigned int n_models;
	const char *options, *write;
	bool stop;
};

/* One model's account. */
struct account {
	const struct um_model *model;
	uint64_t lives, events, checks, undecided, violations, failures;
	unsigned int reported;
	uint64_t by_rule[UR_RULE_END];
};

/* ---- values of options ---- */

struct values {
	char text[MAX_VALUES][32];
	unsigned int n;
};

static void add_value(struct values *v, const char *text, size_t len)
{
	for (unsigned int i = 0; i < v->n; i++) {
		if (strlen(v->text[i]) == len && !strncmp(v->text[i], text, len))
			return;
	}
	if (v->n < MAX_VALUES && len < sizeof(v->text[0])) {
		memcpy(v->text[v->n], text, len);
		v->text[v->n++][len] = '\0';
	}
}

static void add_number(struct values *v, const struct um_option *o, uint64_t n)
{
	char text[32];

	if (n < o->min || n > o->max)
		return;
	snprintf(text, sizeof(text), "%" PRIu64, n);
	add_value(v, text, strlen(text));
}

static struct values values_of(const struct um_option *o)
{
	struct values v = { .n = 0 };
	const char *c = o->choices;

	switch (o->type) {
	case UM_OPT_BOOL:
		add_value(&v, "yes", 3);
		add_value(&v, "no", 2);
		break;
	case UM_OPT_CHOICE:
		while (c) {
			size_t len = strcspn(c, "|");

			add_value(&v, c, len);
			c = c[len] ? c + len + 1 : NULL;
		}
		break;
	default:
		add_value(&v, o->def, strlen(o->def));
		add_number(&v, o, o->min);
		add_number(&v, o, o->min + 1);
		add_number(&v, o, 3);
		add_number(&v, o, 16);
		add_number(&v, o, o->max);
		break;
	}
	return v;
}

/* ---- one life of one model ---- */

static void tell(struct account *a, uint64_t seed, const char *options, const char *mode,
		 const char *what)
{
	if (a->reported++ < MAX_REPORTS)
		printf("%s:%s seed %" PRIu64 " (%s): %s\n", a->model->name, options, seed, mode,
		       what);
}

static void run_life(struct account *a, const struct life *life, uint64_t seed, const char *options)
{
	struct ur_verified v = { 0 };
	char error[256] = "";
	struct um_mmu *mmu = um_mmu_create(a->model, options, error, sizeof(error));
	/* Most of the time all of it is looked at often, at times always. */
	struct ur_oracle *oracle = mmu ? ur_oracle_create(mmu, seed % 8 ? 24 : 1) : NULL;

	a->lives++;
	if (!oracle) {
		a->failures++;
		tell(a, seed, options, life->mode, error);
		um_mmu_destroy(mmu);
		return;
	}
	for (size_t i = 0; i < life->n; i++) {
		um_mmu_event(mmu, &life->events[i]);
		ur_oracle_event(oracle, &life->events[i]);
	}
	if (ur_oracle_finish(oracle, &v)) {
		a->failures++;
		tell(a, seed, options, life->mode, "out of memory");
	}
	if (um_mmu_failure(mmu)) {
		a->failures++;
		tell(a, seed, options, life->mode, um_mmu_failure(mmu));
	}
	if (v.violations)
		tell(a, seed, options, life->mode, v.n_first ? v.first[0] : "");
	a->events += v.events;
	a->checks += v.checks;
	a->undecided += v.undecided;
	a->violations += v.violations;
	for (unsigned int i = 0; i < UR_RULE_END; i++)
		a->by_rule[i] += v.by_rule[i];
	ur_verified_free(&v);
	um_mmu_destroy(mmu);
}

/* One option with one value, the others as this seed has them. */
static void with_value(struct account *a, const struct life *life, uint64_t seed,
		       const struct values *values, unsigned int n, unsigned int which,
		       unsigned int value)
{
	uint64_t rng = seed * 0x9e3779b97f4a7c15ull + which * 131 + value;
	char text[TEXT] = "";
	size_t len = 0;

	for (unsigned int i = 0; i < n; i++) {
		unsigned int pick = value;

		if (!values[i].n)
			continue;
		if (i != which) {
			if (seed % 2)
				continue;
			rng = rng * 6364136223846793005ull + 1442695040888963407ull;
			pick = (unsigned int)((rng >> 33) % values[i].n);
		}
		len += (size_t)snprintf(text + len, TEXT - len, "%s%s=%s", len ? "," : "",
					a->model->options[i].name, values[i].text[pick]);
	}
	run_life(a, life, seed, text);
}

static void with_each(struct account *a, const struct life *life, uint64_t seed)
{
	struct values values[MAX_OPTIONS];
	unsigned int n = 0;

	for (; a->model->options && a->model->options[n].name && n < MAX_OPTIONS; n++)
		values[n] = values_of(&a->model->options[n]);
	run_life(a, life, seed, "");
	for (unsigned int i = 0; i < n; i++) {
		for (unsigned int k = 0; k < values[i].n; k++)
			with_value(a, life, seed, values, n, i, k);
	}
}

static void run_seed(const struct request *rq, struct account *accounts, unsigned int n,
		     uint64_t seed)
{
	struct life life;

	live(&life, seed, rq->steps);
	for (unsigned int i = 0; i < n; i++) {
		if (rq->options)
			run_life(&accounts[i], &life, seed, rq->options);
		else
			with_each(&accounts[i], &life, seed);
	}
	life_free(&life);
}

/* ---- all of them ---- */

static unsigned int choose(const struct request *rq, struct account *accounts)
{
	unsigned int n = 0;

	for (const struct um_model *const *m = um_models(); *m && n < MAX_MODELS; m++) {
		bool wanted = !rq->n_models;

		for (unsigned int i = 0; i < rq->n_models; i++)
			wanted |= !strcmp(rq->models[i], (*m)->name);
		if (wanted)
			accounts[n++] = (struct account){ .model = *m };
	}
	return n;
}

static uint64_t print_account(const struct account *a)
{
	printf("%-16s %8" PRIu64 " lives %11" PRIu64 " events %12" PRIu64 " checks %9" PRIu64
	       " not decided %6" PRIu64 " failures %6" PRIu64 " violations",
	       a->model->name, a->lives, a->events, a->checks, a->undecided, a->failures,
	       a->violations);
	for (unsigned int i = 0; i < UR_RULE_END; i++) {
		if (a->by_rule[i])
			printf(" %s %" PRIu64, ur_rule_name(i), a->by_rule[i]);
	}
	putchar('\n');
	return a->violations + a->failures;
}

static bool any_bad(const struct account *accounts, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		if (accounts[i].violations || accounts[i].failures)
			return true;
	}
	return false;
}

static int run(const struct request *rq)
{
	static struct account accounts[MAX_MODELS];
	unsigned int n = choose(rq, accounts);
	uint64_t bad = 0;

	if (!n) {
		fputs("random-guests: no such model\n", stderr);
		return 2;
	}
	for (uint64_t seed = rq->first; seed <= rq->last; seed++) {
		run_seed(rq, accounts, n, seed);
		if (rq->stop && any_bad(accounts, n))
			break;
	}
	for (unsigned int i = 0; i < n; i++)
		bad += print_account(&accounts[i]);
	return bad ? 1 : 0;
}

static int write_life(const struct request *rq)
{
	const struct ut_header header = { .mode = UT_MODE_EXACT };
	struct ut_error err = { "" };
	struct ut_writer *writer;
	struct life life;
	int ret = 0;

	live(&life, rq->first, rq->steps);
	writer = ut_writer_open(rq->write, &header, &err);
	for (size_t i = 0; writer && i < life.n && !ret; i++)
		ret = ut_writer_add(writer, &life.events[i], &err);
	if (!writer || ut_writer_close(writer, ret ? NULL : &err) || ret) {
		fprintf(stderr, "random-guests: %s\n", err.text);
		ret = 1;
	}
	life_free(&life);
	return ret;
}

static int usage(void)
{
	fputs("usage: random-guests [--seeds A-B] [--steps N] [--model M]... [--options O] "
	      "[--stop] [--write FILE]\n",
	      stderr);
	return 2;
}

static int take(struct request *rq, int c)
{
	char *end;

	switch (c) {
	case 's':
		rq->first = rq->last = strtoull(optarg, &end, 10);
		if (*end == '-')
			rq->last = strtoull(end + 1, &end, 10);
		return *end || rq->last < rq->first ? -1 : 0;
	case 'n':
		rq->steps = (unsigned int)strtoul(optarg, &end, 10);
		return *end ? -1 : 0;
	case 'm':
		if (rq->n_models == MAX_MODELS)
			return -1;
		rq->models[rq->n_models++] = optarg;
		return 0;
	case 'o':
		rq->options = optarg;
		return 0;
	case 'S':
		rq->stop = true;
		return 0;
	case 'w':
		rq->write = optarg;
		return 0;
	default:
		return -1;
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "seeds", required_argument, NULL, 's' },
						 { "steps", required_argument, NULL, 'n' },
						 { "model", required_argument, NULL, 'm' },
						 { "options", required_argument, NULL, 'o' },
						 { "stop", no_argument, NULL, 'S' },
						 { "write", required_argument, NULL, 'w' },
						 { 0 } };
	struct request rq = { .first = 1, .last = 100, .steps = 120 };
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (take(&rq, c))
			return usage();
	}
	if (optind < argc)
		return usage();
	return rq.write ? write_life(&rq) : run(&rq);
}
