// SPDX-License-Identifier: GPL-2.0-only
/* Bills, who costs least, and where that turns: against arithmetic by hand and against brute force. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cost/rank.h"
#include "models/model.h"

static uint64_t seed;

static double draw(double to)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (double)(seed >> 11) / 9007199254740992.0 * to;
}

/* ---- bills ---- */

struct counted {
	const char *name;
	uint64_t n;
};

static bool find(const void *run, const char *name, uint64_t *value)
{
	for (const struct counted *c = run; c->name; c++) {
		if (!strcmp(c->name, name)) {
			*value = c->n;
			return true;
		}
	}
	return false;
}

static double least(const struct co_bill *b, enum co_price p)
{
	return co_amount(b, p).least;
}

static double most(const struct co_bill *b, enum co_price p)
{
	return co_amount(b, p).most;
}

static void what_is_paid_for(void **state)
{
	static const struct counted run[] = {
		{ "exit_fault", 1 },
		{ "exit_reflect", 10 },
		{ "exit_table_write", 100 },
		{ "exit_cr3", 1000 },
		{ "exit_invlpg", 10000 },
		{ "exit_mmio", 7 },
		{ "faults_prefilled", 3 },
		{ "writes_emulated", 90 },
		{ "unsyncs", 5 },
		{ "tables_synced", 6 },
		{ "entries_compared", 70 },
		{ "entries_fixed", 4 },
		{ "entries_reinstalled", 2 },
		{ "pages_created", 8 },
		{ "refs_1d", 40 },
		{ "refs_2d", 240 },
		{ "refaults_max", 20 },
		{ "rewrites_max", 15 },
		{ "flush_remote", 11 },
		{ NULL, 0 },
	};
	struct co_bill b;

	(void)state;
	co_bill(&b, find, run, 1);
	assert_true(least(&b, CO_exit) == 11118 && most(&b, CO_exit) == 11118 + 20);
	/* Filled when a fault exits, and when the design does so unasked. */
	assert_true(least(&b, CO_fill) == 4 && most(&b, CO_fill) == 4 + 5);
	assert_true(least(&b, CO_reflect) == 10 && most(&b, CO_reflect) == 10);
	assert_true(least(&b, CO_emulate) == 90 && most(&b, CO_emulate) == 90 + 15);
	assert_true(least(&b, CO_cr3) == 1000 && least(&b, CO_invlpg) == 10000);
	assert_true(least(&b, CO_unsync) == 5 && least(&b, CO_table) == 6);
	assert_true(least(&b, CO_entry) == 70 && least(&b, CO_fix) == 6);
	assert_true(least(&b, CO_page) == 8 && least(&b, CO_reference) == 200);
	/* One vCPU: nobody else is stopped. */
	assert_true(least(&b, CO_flush) == 11 && least(&b, CO_kick) == 0);
	co_bill(&b, find, run, 3);
	assert_true(least(&b, CO_flush) == 11 && most(&b, CO_flush) == 11);
	assert_true(least(&b, CO_kick) == 22 && most(&b, CO_kick) == 22);
	assert_true(most(&b, CO_exit) == 11118 + 20);
}

/* Results that do not tell writes from faults among what comes on top: each may be either. */
static void older_results(void **state)
{
	static const struct counted run[] = { { "refaults_max", 20 }, { NULL, 0 } };
	struct co_bill b;

	(void)state;
	co_bill(&b, find, run, 1);
	assert_true(most(&b, CO_exit) == 20 && most(&b, CO_fill) == 20);
	assert_true(most(&b, CO_emulate) == 20);
}

/* A counter of exits that the bill forgets would be a cost that nobody sees. */
static void every_exit_is_paid(void **state)
{
	static const char *const names[] = {
#define X(name, help) #name,
		UM_COUNTERS(X)
#undef X
	};
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct counted run[] = { { names[i], 1 }, { NULL, 0 } };
		struct co_bill b;

		co_bill(&b, find, run, 1);
		if (!strncmp(names[i], "exit_", 5)) {
			assert_true(least(&b, CO_exit) == 1);
			n++;
		} else {
			assert_true(least(&b, CO_exit) == 0);
		}
	}
	assert_true(n >= 10);
}

static void make_platform(struct co_platform *p)
{
	memset(p, 0, sizeof(*p));
	for (int i = 0; i < CO_PRICE_END; i++) {
		p->prices[i].low = draw(100);
		p->prices[i].value = p->prices[i].low + draw(100);
		p->prices[i].high = p->prices[i].value + draw(100);
	}
}

static void make_bill(struct co_bill *b)
{
	memset(b, 0, sizeof(*b));
	for (int c = 0; c < CO_COMPONENT_END; c++) {
		for (int i = 0; i < CO_PRICE_END; i++) {
			b->amount[c][i].least = floor(draw(4)) * floor(draw(1000));
			b->amount[c][i].most =
				b->amount[c][i].least + (draw(4) < 1 ? floor(draw(200)) : 0);
		}
	}
}

/* By prices of the caller's choice, added up one by one. */
static double add_up(const struct co_bill *b, const double *prices, bool upper)
{
	double sum = 0;

	for (int c = 0; c < CO_COMPONENT_END; c++) {
		for (int i = 0; i < CO_PRICE_END; i++)
			sum += (upper ? b->amount[c][i].most : b->amount[c][i].least) * prices[i];
	}
	return sum;
}

static void components_add_up(void **state)
{
	struct co_platform p;
	struct co_bill b;

	(void)state;
	for (seed = 1; seed < 50;) {
		uint64_t now = seed;
		struct co_cost all, sum = { 0 };
		double values[CO_PRICE_END];

		make_platform(&p);
		make_bill(&b);
		all = co_cost(&b, &p, CO_COMPONENT_END);
		for (int c = 0; c < CO_COMPONENT_END; c++) {
			struct co_cost one = co_cost(&b, &p, (enum co_component)c);

			sum.value_least += one.value_least;
			sum.value_most += one.value_most;
			sum.low += one.low;
			sum.high += one.high;
		}
		for (int i = 0; i < CO_PRICE_END; i++)
			values[i] = p.prices[i].value;
		assert_true(fabs(all.value_most / sum.value_most - 1) < 1e-12);
		assert_true(fabs(all.low / sum.low - 1) < 1e-12);
		assert_true(fabs(all.high / sum.high - 1) < 1e-12);
		assert_true(fabs(all.value_least / add_up(&b, values, false) - 1) < 1e-12);
		assert_true(fabs(all.value_most / add_up(&b, values, true) - 1) < 1e-12);
		assert_true(all.low <= all.value_least && all.value_most <= all.high);
		seed = now + 1;
	}
}

/* ---- who costs least ---- */

#define DESIGNS 6

struct contest {
	struct co_platform platform;
	struct co_bill bill[DESIGNS];
	const struct co_bill *part[DESIGNS];
};

static void make_contest(struct contest *c, uint64_t number)
{
	seed = number * 7919;
	make_platform(&c->platform);
	for (int i = 0; i < DESIGNS; i++) {
		make_bill(&c->bill[i]);
		c->part[i] = draw(8) < 1 ? NULL : &c->bill[i];
	}
	if (!c->part[0] && !c->part[1])
		c->part[0] = &c->bill[0];
	/* Twins: two designs that do the same. */
	if (draw(4) < 1)
		c->bill[2] = c->bill[3];
}

static uint64_t ahead_by_hand(const struct contest *c, const double *prices)
{
	double best = INFINITY;
	uint64_t set = 0;

	for (int i = 0; i < DESIGNS; i++) {
		if (c->part[i])
			best = fmin(best, add_up(c->part[i], prices, true));
	}
	for (int i = 0; i < DESIGNS; i++) {
		if (c->part[i] && add_up(c->part[i], prices, false) <= best * (1 + 1e-12))
			set |= 1ull << i;
	}
	return set;
}

static void values_of(const struct contest *c, double *prices)
{
	for (int i = 0; i < CO_PRICE_END; i++)
		prices[i] = c->platform.prices[i].value;
}

static void ahead(void **state)
{
	double prices[CO_PRICE_END];
	struct contest c;

	(void)state;
	for (uint64_t n = 1; n < 300; n++) {
		make_contest(&c, n);
		values_of(&c, prices);
		assert_int_equal(co_ahead(c.part, DESIGNS, &c.platform), ahead_by_hand(&c, prices));
	}
	memset(c.part, 0, sizeof(c.part));
	assert_int_equal(co_ahead(c.part, DESIGNS, &c.platform), 0);
	assert_int_equal(co_ahead_anyhow(c.part, DESIGNS, &c.platform), 0);
}

/* All corners of the ranges: a design stays in if no other beats it at every one of them. */
static uint64_t anyhow_by_hand(const struct contest *c)
{
	uint64_t set = 0;

	for (int i = 0; i < DESIGNS; i++)
		set |= c->part[i] ? 1ull << i : 0;
	for (int i = 0; i < DESIGNS; i++) {
		for (int k = 0; k < DESIGNS; k++) {
			bool always = i != k && c->part[i] && c->part[k];

			for (unsigned int corner = 0; corner < 1u << CO_PRICE_END && always;
			     corner++) {
				double prices[CO_PRICE_END];

				for (int p = 0; p < CO_PRICE_END; p++)
					prices[p] = corner >> p & 1 ? c->platform.prices[p].high
								    : c->platform.prices[p].low;
				always = add_up(c->part[k], prices, true) <
					 add_up(c->part[i], prices, false);
			}
			if (always)
				set &= ~(1ull << i);
		}
	}
	return set;
}

static void ahead_anyhow(void **state)
{
	unsigned int decided = 0;
	struct contest c;

	(void)state;
	for (uint64_t n = 1; n < 25; n++) {
		uint64_t set;

		make_contest(&c, n);
		/* Differences small enough that some are decided and some are not. */
		for (int i = 0; i < CO_PRICE_END; i++)
			c.platform.prices[i].high = c.platform.prices[i].low * 1.2;
		set = co_ahead_anyhow(c.part, DESIGNS, &c.platform);
		assert_int_equal(set, anyhow_by_hand(&c));
		decided += __builtin_popcountll(set) < 4;
	}
	assert_true(decided > 3);
}

/* ---- where it turns ---- */

static uint64_t ahead_at(const struct contest *c, enum co_price price, double x)
{
	double prices[CO_PRICE_END];

	values_of(c, prices);
	prices[price] = x;
	return ahead_by_hand(c, prices);
}

/* In each region the set is as said, up to its ends; neighbours differ. */
static void sweep(void **state)
{
	unsigned int turns = 0;
	struct contest c;

	(void)state;
	for (uint64_t n = 1; n < 400; n++) {
		enum co_price price = (enum co_price)(n % CO_PRICE_END);
		struct co_region *r;
		size_t n_r;

		make_contest(&c, n);
		assert_int_equal(co_sweep(c.part, DESIGNS, &c.platform, price, &r, &n_r), 0);
		assert_true(n_r >= 1 && r[0].from == 0 && isinf(r[n_r - 1].to));
		for (size_t i = 0; i < n_r; i++) {
			double to = i + 1 < n_r ? r[i].to : r[i].from * 10 + 1e6;

			assert_true(r[i].from < to);
			if (i)
				assert_true(r[i].from == r[i - 1].to &&
					    r[i].ahead != r[i - 1].ahead);
			for (int k = 0; k < 13; k++) {
				double at = r[i].from + (0.001 + k * 0.0832) * (to - r[i].from);

				assert_int_equal(ahead_at(&c, price, at), r[i].ahead);
			}
		}
		turns += n_r > 1;
		free(r);
	}
	assert_true(turns > 100);
}

/* Two designs by hand: 10 exits and 100 emulations against 30 exits and 20 emulations. */
static void crossing_by_hand(void **state)
{
	struct contest c = { 0 };
	struct co_region *r;
	struct co_crossing *x;
	size_t n;

	(void)state;
	c.part[0] = &c.bill[0];
	c.part[1] = &c.bill[1];
	c.bill[0].amount[0][CO_exit] = (struct co_amount){ 10, 10 };
	c.bill[0].amount[1][CO_emulate] = (struct co_amount){ 100, 100 };
	c.bill[1].amount[0][CO_exit] = (struct co_amount){ 30, 30 };
	c.bill[1].amount[1][CO_emulate] = (struct co_amount){ 20, 20 };
	c.platform.prices[CO_emulate].value = 3;
	assert_int_equal(co_sweep(c.part, DESIGNS, &c.platform, CO_exit, &r, &n), 0);
	assert_int_equal(n, 2);
	assert_true(r[0].to == 12 && r[0].ahead == 2 && r[1].ahead == 1);
	free(r);
	assert_int_equal(co_crossings(c.part, DESIGNS, &c.platform, CO_exit, &x, &n), 0);
	assert_int_equal(n, 1);
	assert_true(x[0].below == 1 && x[0].above == 0 && x[0].from == 12 && x[0].to == 12);
	free(x);
	/* With five more exits that may be, it is open between the two meetings. */
	c.bill[1].amount[0][CO_exit].most = 35;
	assert_int_equal(co_sweep(c.part, DESIGNS, &c.platform, CO_exit, &r, &n), 0);
	assert_int_equal(n, 3);
	assert_true(fabs(r[0].to - 240.0 / 25) < 1e-12 && r[1].ahead == 3 && r[1].to == 12);
	free(r);
	assert_int_equal(co_crossings(c.part, DESIGNS, &c.platform, CO_exit, &x, &n), 0);
	assert_int_equal(n, 1);
	assert_true(fabs(x[0].from - 240.0 / 25) < 1e-12 && x[0].to == 12);
	free(x);
}

/* A pair is listed if, and only if, one is surely ahead at 0 and the other far out; and where is right. */
static void crossings(void **state)
{
	unsigned int found = 0;
	struct contest c;

	(void)state;
	for (uint64_t n = 1; n < 200; n++) {
		enum co_price price = (enum co_price)(n % CO_PRICE_END);
		struct co_crossing *x;
		size_t n_x, expected = 0;

		make_contest(&c, n);
		for (int i = 0; i < DESIGNS; i++) {
			for (int k = 0; k < DESIGNS; k++) {
				struct contest pair = c;

				memset(pair.part, 0, sizeof(pair.part));
				pair.part[i] = c.part[i];
				pair.part[k] = c.part[k];
				expected += i != k && c.part[i] && c.part[k] &&
					    ahead_at(&pair, price, 0) == 1ull << i &&
					    ahead_at(&pair, price, 1e9) == 1ull << k;
			}
		}
		assert_int_equal(co_crossings(c.part, DESIGNS, &c.platform, price, &x, &n_x), 0);
		assert_int_equal(n_x, expected);
		for (size_t i = 0; i < n_x; i++) {
			struct contest pair = c;

			memset(pair.part, 0, sizeof(pair.part));
			pair.part[x[i].below] = c.part[x[i].below];
			pair.part[x[i].above] = c.part[x[i].above];
			assert_true(x[i].from > 0 && x[i].from <= x[i].to);
			assert_int_equal(ahead_at(&pair, price, x[i].from * 0.999),
					 1ull << x[i].below);
			assert_int_equal(ahead_at(&pair, price, x[i].to * 1.001),
					 1ull << x[i].above);
			assert_true(!i || x[i - 1].from <= x[i].from);
		}
		found += n_x > 0;
		free(x);
	}
	assert_true(found > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_paid_for),
		cmocka_unit_test(older_results),
		cmocka_unit_test(every_exit_is_paid),
		cmocka_unit_test(components_add_up),
		cmocka_unit_test(ahead),
		cmocka_unit_test(ahead_anyhow),
		cmocka_unit_test(sweep),
		cmocka_unit_test(crossing_by_hand),
		cmocka_unit_test(crossings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
