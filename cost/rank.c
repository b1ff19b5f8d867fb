// SPDX-License-Identifier: GPL-2.0-only
#include "cost/rank.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const enum co_price co_swept[CO_SWEPT] = { CO_exit, CO_emulate };

struct line {
	double fixed, slope;
};

/* A design over a price: between its lower and its upper line. */
struct strip {
	size_t design;
	struct line least, most;
};

struct field {
	struct strip strips[CO_MAX_DESIGNS];
	size_t n;
};

static double at(struct line l, double x)
{
	return l.fixed + l.slope * x;
}

/* Beyond all crossings the slopes decide, then what is fixed. */
static int compare_far(struct line a, struct line b)
{
	if (a.slope != b.slope)
		return a.slope < b.slope ? -1 : 1;
	return a.fixed < b.fixed ? -1 : a.fixed > b.fixed;
}

void co_line(const struct co_bill *bill, const struct co_platform *platform, enum co_price price,
	     bool most, double *fixed, double *slope)
{
	*fixed = *slope = 0;
	for (int p = 0; p < CO_PRICE_END; p++) {
		struct co_amount a = co_amount(bill, (enum co_price)p);
		double amount = most ? a.most : a.least;

		if (p == (int)price)
			*slope = amount;
		else
			*fixed += amount * platform->prices[p].value;
	}
}

static void make_field(struct field *field, const struct co_bill *const *bills, size_t n,
		       const struct co_platform *platform, enum co_price price)
{
	field->n = 0;
	for (size_t i = 0; i < n && i < CO_MAX_DESIGNS; i++) {
		struct strip *s = &field->strips[field->n];

		if (!bills[i])
			continue;
		s->design = i;
		co_line(bills[i], platform, price, false, &s->least.fixed, &s->least.slope);
		co_line(bills[i], platform, price, true, &s->most.fixed, &s->most.slope);
		field->n++;
	}
}

static uint64_t ahead_at(const struct field *field, double x)
{
	double best = DBL_MAX;
	uint64_t set = 0;

	for (size_t i = 0; i < field->n; i++)
		best = fmin(best, at(field->strips[i].most, x));
	for (size_t i = 0; i < field->n; i++) {
		if (at(field->strips[i].least, x) <= best)
			set |= 1ull << field->strips[i].design;
	}
	return set;
}

static uint64_t ahead_far(const struct field *field)
{
	struct line best = { DBL_MAX, DBL_MAX };
	uint64_t set = 0;

	for (size_t i = 0; i < field->n; i++) {
		if (compare_far(field->strips[i].most, best) < 0)
			best = field->strips[i].most;
	}
	for (size_t i = 0; i < field->n; i++) {
		if (compare_far(field->strips[i].least, best) <= 0)
			set |= 1ull << field->strips[i].design;
	}
	return set;
}

uint64_t co_ahead(const struct co_bill *const *bills, size_t n, const struct co_platform *platform)
{
	struct field field;

	make_field(&field, bills, n, platform, CO_exit);
	return ahead_at(&field, platform->prices[CO_exit].value);
}

/* The most by which one design can exceed another, over all prices within their ranges. */
static double excess(const struct co_bill *a, const struct co_bill *b,
		     const struct co_platform *platform)
{
	double sum = 0;

	for (int p = 0; p < CO_PRICE_END; p++) {
		double d =
			co_amount(a, (enum co_price)p).most - co_amount(b, (enum co_price)p).least;

		sum += d * (d > 0 ? platform->prices[p].high : platform->prices[p].low);
	}
	return sum;
}

uint64_t co_ahead_anyhow(const struct co_bill *const *bills, size_t n,
			 const struct co_platform *platform)
{
	uint64_t set = 0;

	for (size_t i = 0; i < n && i < CO_MAX_DESIGNS; i++) {
		bool beaten = !bills[i];

		for (size_t k = 0; k < n && k < CO_MAX_DESIGNS && !beaten; k++)
			beaten = k != i && bills[k] && excess(bills[k], bills[i], platform) < 0;
		if (!beaten)
			set |= 1ull << i;
	}
	return set;
}

/* ---- where it turns ---- */

static int rising(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void add_point(double *points, size_t *n, struct line a, struct line b)
{
	double x;

	if (a.slope == b.slope)
		return;
	x = (b.fixed - a.fixed) / (a.slope - b.slope);
	if (isfinite(x) && x > 0)
		points[(*n)++] = x;
}

/* Every price at which the set of those ahead can change: where two lines meet. */
static double *all_points(const struct field *field, size_t *n)
{
	size_t pairs = field->n * field->n;
	double *points = malloc((2 * pairs + 2) * sizeof(*points));

	if (!points)
		return NULL;
	*n = 0;
	points[(*n)++] = 0;
	for (size_t i = 0; i < field->n; i++) {
		for (size_t k = 0; k < field->n; k++) {
			add_point(points, n, field->strips[i].least, field->strips[k].most);
			if (k > i)
				add_point(points, n, field->strips[i].most, field->strips[k].most);
		}
	}
	qsort(points, *n, sizeof(*points), rising);
	return points;
}

static void add_region(struct co_region *regions, size_t *n, double from, uint64_t ahead)
{
	if (*n && regions[*n - 1].ahead == ahead)
		return;
	if (*n)
		regions[*n - 1].to = from;
	regions[(*n)++] = (struct co_region){ from, INFINITY, ahead };
}

int co_sweep(const struct co_bill *const *bills, size_t n, const struct co_platform *platform,
	     enum co_price price, struct co_region **regions, size_t *n_regions)
{
	struct field field;
	double *points;
	size_t n_points;

	make_field(&field, bills, n, platform, price);
	*n_regions = 0;
	points = all_points(&field, &n_points);
	*regions = points ? malloc((n_points + 1) * sizeof(**regions)) : NULL;
	if (!*regions) {
		free(points);
		return -1;
	}
	for (size_t i = 0; i < n_points; i++) {
		double from = points[i];

		if (i + 1 == n_points)
			add_region(*regions, n_regions, from, ahead_far(&field));
		else if (points[i + 1] > from)
			add_region(*regions, n_regions, from,
				   ahead_at(&field, from + (points[i + 1] - from) / 2));
	}
	free(points);
	return 0;
}

/* ---- pairs ---- */

static double meet(struct line a, struct line b)
{
	return (b.fixed - a.fixed) / (a.slope - b.slope);
}

/* Is a surely ahead of b at low prices, and b of a at high ones? */
static bool pair_turns(const struct strip *a, const struct strip *b, struct co_crossing *c)
{
	if (a->most.fixed >= b->least.fixed || b->most.slope >= a->least.slope)
		return false;
	*c = (struct co_crossing){ a->design, b->design, meet(a->most, b->least),
				   meet(a->least, b->most) };
	return true;
}

static int by_price(const void *a, const void *b)
{
	const struct co_crossing *x = a, *y = b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	if (x->below != y->below)
		return x->below < y->below ? -1 : 1;
	return x->above < y->above ? -1 : x->above > y->above;
}

int co_crossings(const struct co_bill *const *bills, size_t n, const struct co_platform *platform,
		 enum co_price price, struct co_crossing **crossings, size_t *n_crossings)
{
	struct field field;

	make_field(&field, bills, n, platform, price);
	*n_crossings = 0;
	*crossings = malloc((field.n * field.n + 1) * sizeof(**crossings));
	if (!*crossings)
		return -1;
	for (size_t i = 0; i < field.n; i++) {
		for (size_t k = 0; k < field.n; k++) {
			if (i != k && pair_turns(&field.strips[i], &field.strips[k],
						 &(*crossings)[*n_crossings]))
				(*n_crossings)++;
		}
	}
	qsort(*crossings, *n_crossings, sizeof(**crossings), by_price);
	return 0;
}
