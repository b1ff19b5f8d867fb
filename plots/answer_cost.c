// SPDX-License-Identifier: GPL-2.0-only
/* The sentence on total cost: who is ahead on which platform, where that turns, and how certain it is. */
#include "plots/answer.h"

#include <stdlib.h>

#include "cost/rank.h"
#include "plots/cost.h"
#include "plots/text.h"

#define MAX_PLATFORMS 16
#define MAX_NAMED 6 /* platforms in a list */

/* Where the sum of all compared traces turns, as one price changes and all others stay. */
struct turn {
	double factor; /* by which the price must change; 0: it turns nowhere */
	enum co_price price;
	double value, at; /* of the price: on the platform, and where it turns */
	uint64_t ahead;	  /* on the other side */
};

struct verdict {
	struct co_platform platform;
	uint64_t ahead, anyhow; /* sets of models */
	struct turn turn;
};

struct verdicts {
	struct verdict of[MAX_PLATFORMS];
	size_t n, n_traces;
};

static int count_set(uint64_t set)
{
	return __builtin_popcountll(set);
}

/* A price that is ten times as high or as low as it is thought to be is no nearby one. */
#define FAR 10.0

static void nearer(struct turn *best, struct turn t)
{
	t.factor = t.at > t.value ? t.at / t.value : t.value / t.at;
	if (t.factor > 1 && t.factor <= FAR && (best->factor <= 0 || t.factor < best->factor))
		*best = t;
}

static int find_turn(const struct pl_bills *bills, const struct co_platform *platform,
		     enum co_price price, struct turn *best)
{
	double value = platform->prices[price].value;
	struct co_region *regions;
	size_t n;

	if (co_sweep(bills->ranked, bills->n, platform, price, &regions, &n))
		return -1;
	for (size_t i = 0; value > 0 && i < n; i++) {
		struct turn t = { .price = price, .value = value };

		if (value < regions[i].from || value >= regions[i].to)
			continue;
		if (i + 1 < n) {
			t.at = regions[i].to;
			t.ahead = regions[i + 1].ahead;
			nearer(best, t);
		}
		if (i && regions[i].from > 0) {
			t.at = regions[i].from;
			t.ahead = regions[i - 1].ahead;
			nearer(best, t);
		}
	}
	free(regions);
	return 0;
}

/* The set's platform, which stays its own, or one that is built in. */
static int get_platform(struct co_platform *p, const struct pl_results *r, size_t i)
{
	char error[256];

	if (!r->n_platforms)
		return co_platform_get(p, co_builtin(i), error, sizeof(error));
	*p = r->platforms[i];
	p->json = NULL;
	return 0;
}

static int judge(struct verdicts *v, const struct pl_results *r, const struct pl_bills *bills)
{
	for (size_t i = 0; r->n_platforms ? i < r->n_platforms : co_builtin(i) != NULL; i++) {
		struct verdict *x = &v->of[v->n];

		if (v->n == MAX_PLATFORMS)
			break;
		*x = (struct verdict){ .ahead = 0 };
		v->n++;
		if (get_platform(&x->platform, r, i))
			return -1;
		x->ahead = co_ahead(bills->ranked, bills->n, &x->platform);
		x->anyhow = co_ahead_anyhow(bills->ranked, bills->n, &x->platform);
		if (find_turn(bills, &x->platform, CO_exit, &x->turn) ||
		    find_turn(bills, &x->platform, CO_emulate, &x->turn))
			return -1;
	}
	return 0;
}

/* "A", "A or B", "A, B or C" */
static void put_set(FILE *out, const struct pl_results *r, uint64_t set)
{
	int n = count_set(set), said = 0;

	for (size_t m = 0; m < r->n_models; m++) {
		if (!(set >> m & 1))
			continue;
		fprintf(out, "%s%s",
			!said		? ""
			: said + 1 == n ? " or "
					: ", ",
			r->models[m].label);
		said++;
	}
}

/* Those with the same designs ahead, in one go: "A on all 5 platforms", "A or B on 2 (x, y)" */
static void put_group(FILE *out, const struct pl_results *r, const struct verdicts *v, size_t first)
{
	size_t n = 0, said = 0;

	for (size_t i = 0; i < v->n; i++)
		n += v->of[i].ahead == v->of[first].ahead;
	put_set(out, r, v->of[first].ahead);
	if (n == v->n)
		fprintf(out, " on %s%zu platforms (", n > 1 ? "all " : "", n);
	else
		fprintf(out, " on %zu of %zu platforms (", n, v->n);
	for (size_t i = 0; i < v->n && said < MAX_NAMED; i++) {
		if (v->of[i].ahead == v->of[first].ahead)
			fprintf(out, "%s%s", said++ ? ", " : "", v->of[i].platform.name);
	}
	if (n > said)
		fprintf(out, " and %zu more", n - said);
	fputc(')', out);
}

static bool said_before(const struct verdicts *v, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (v->of[k].ahead == v->of[i].ahead)
			return true;
	}
	return false;
}

/* One is ahead first, then sets that are not told apart. */
static void put_ahead(FILE *out, const struct pl_results *r, const struct verdicts *v)
{
	const char *between = "";

	for (int tied = 0; tied < 2; tied++) {
		for (size_t i = 0; i < v->n; i++) {
			if (said_before(v, i) || (count_set(v->of[i].ahead) > 1) != tied)
				continue;
			fputs(between, out);
			put_group(out, r, v, i);
			between = ", ";
		}
	}
}

/* Of all platforms, the turn that takes the least change. */
static void put_turn(FILE *out, const struct pl_results *r, const struct verdicts *v)
{
	const struct verdict *best = NULL;
	char a[PL_NUMBER], b[PL_NUMBER];

	for (size_t i = 0; i < v->n; i++) {
		if (v->of[i].turn.factor > 0 && (!best || v->of[i].turn.factor < best->turn.factor))
			best = &v->of[i];
	}
	if (!best) {
		fputs("; no exit or emulated write up to ten times as dear or as cheap turns that",
		      out);
		return;
	}
	fprintf(out, "; that turns first on %s, if %s takes %s than %s (there %s): then ",
		best->platform.name, best->turn.price == CO_exit ? "an exit" : "an emulated write",
		best->turn.at > best->turn.value ? "more" : "less", pl_time(a, best->turn.at),
		pl_time(b, best->turn.value));
	put_set(out, r, best->turn.ahead);
}

/* Prices are known as ranges only. */
static void put_certainty(FILE *out, const struct verdicts *v)
{
	size_t n = 0, said = 0;

	for (size_t i = 0; i < v->n; i++)
		n += count_set(v->of[i].anyhow) == 1;
	if (n == v->n) {
		fputs("; so over all that the ranges of the prices allow.", out);
		return;
	}
	if (!n) {
		fputs("; over all that the ranges of the prices allow, nobody is surely ahead on "
		      "any of them.",
		      out);
		return;
	}
	fprintf(out, "; surely so, over the ranges of the prices, on %zu (", n);
	for (size_t i = 0; i < v->n && said < MAX_NAMED; i++) {
		if (count_set(v->of[i].anyhow) == 1)
			fprintf(out, "%s%s", said++ ? ", " : "", v->of[i].platform.name);
	}
	fputs(n > said ? " and more)." : ").", out);
}

static size_t count_competing(const struct pl_bills *bills)
{
	size_t n = 0;

	for (size_t m = 0; m < bills->n; m++)
		n += bills->ranked[m] != NULL;
	return n;
}

static void put_verdicts(FILE *out, const struct pl_results *r, const struct verdicts *v)
{
	if (v->n_traces == 1)
		fputs("Least total cost, prices of exits and work by platform: ", out);
	else
		fprintf(out, "Least total cost over %zu traces, prices by platform: ", v->n_traces);
	put_ahead(out, r, v);
	put_turn(out, r, v);
	put_certainty(out, v);
}

int pl_answer_cost(FILE *out, const struct pl_results *r)
{
	struct verdicts v = { .n = 0 };
	struct pl_bills bills;
	int ret = -1;

	if (pl_bills(r, PL_ALL_TRACES, &bills))
		return -1;
	for (size_t t = 0; t < r->n_traces; t++)
		v.n_traces += pl_compared(r, t);
	if (count_competing(&bills) < 2) {
		fputs("Total cost is compared where exact traces were replayed with the same "
		      "designs, two at least: here it is not.",
		      out);
		ret = 0;
	} else if (!judge(&v, r, &bills)) {
		put_verdicts(out, r, &v);
		ret = 0;
	}
	for (size_t i = 0; i < v.n; i++)
		co_platform_free(&v.of[i].platform);
	pl_bills_free(&bills);
	return ret;
}
