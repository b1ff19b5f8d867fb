// SPDX-License-Identifier: GPL-2.0-only
/* Costs of a set of results: who has a bill, who competes, and the data behind the charts. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cost/rank.h"
#include "plots/cost.h"
#include "plots/cost_csv.h"
#include "plots/cost_text.h"
#include "plots/results_read.h"
#include "plots_sample.h"

#define TRACES 3

static char path[] = "/tmp/unsync-test-XXXXXX";
static struct co_platform platforms[2];

static int set_up(void **state)
{
	int fd = mkstemp(path);
	char error[512];

	(void)state;
	if (fd < 0 || close(fd) ||
	    co_platform_get(&platforms[0], "xeon-2023", error, sizeof(error)) ||
	    co_platform_get(&platforms[1], "intel-2007", error, sizeof(error)))
		return -1;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	co_platform_free(&platforms[0]);
	co_platform_free(&platforms[1]);
	return unlink(path);
}

static void load(struct pl_results *r, json_t *json)
{
	char error[512];

	memset(r, 0, sizeof(*r));
	assert_int_equal(json_dump_file(json, path, 0), 0);
	if (pl_read(r, path, error, sizeof(error)))
		fail_msg("%s", error);
	json_decref(json);
	r->platforms = platforms;
	r->n_platforms = 2;
}

static size_t model_of(const struct pl_results *r, const char *label)
{
	for (size_t m = 0; m < r->n_models; m++) {
		if (!strcmp(r->models[m].label, label))
			return m;
	}
	fail_msg("no %s", label);
	return 0;
}

static void who_competes(void **state)
{
	struct pl_results r;
	struct pl_bills b;

	(void)state;
	load(&r, plots_sample(TRACES, true, 0));
	r.models[model_of(&r, "oos-per-root")].bound = true;
	r.models[model_of(&r, "unsync-bitmap")].bystander = true;
	assert_int_equal(pl_bills(&r, 0, &b), 0);
	assert_false(b.there[model_of(&r, "null")]);
	assert_true(b.there[model_of(&r, "oos-per-root")]);
	assert_null(b.ranked[model_of(&r, "oos-per-root")]);
	assert_true(b.there[model_of(&r, "unsync-bitmap")]);
	assert_null(b.ranked[model_of(&r, "unsync-bitmap")]);
	assert_non_null(b.ranked[model_of(&r, "sync-on-write")]);
	pl_bills_free(&b);
	assert_true(pl_priced(&r, 0));
	r.n_platforms = 0;
	assert_false(pl_priced(&r, 0));
	pl_free(&r);
}

static void natives_are_not_ranked(void **state)
{
	struct pl_results r;
	struct pl_bills b;

	(void)state;
	load(&r, plots_sample(1, false, 0));
	assert_int_equal(pl_bills(&r, 0, &b), 0);
	for (size_t m = 0; m < b.n; m++)
		assert_null(b.ranked[m]);
	assert_true(b.there[model_of(&r, "sync-on-write")]);
	assert_false(pl_priced(&r, 0));
	pl_bills_free(&b);
	pl_free(&r);
}

/* All traces together are the sum of each, and only for those that ran on each. */
static void all_together(void **state)
{
	json_t *json = plots_sample(TRACES, true, 0);
	struct pl_bills all, one;
	struct pl_results r;
	size_t m;

	(void)state;
	load(&r, json_deep_copy(json));
	m = model_of(&r, "sync-on-write");
	assert_int_equal(pl_bills(&r, PL_ALL_TRACES, &all), 0);
	for (int p = 0; p < CO_PRICE_END; p++) {
		double sum = 0;

		for (size_t t = 0; t < r.n_traces; t++) {
			assert_int_equal(pl_bills(&r, t, &one), 0);
			sum += co_amount(&one.bill[m], (enum co_price)p).most;
			pl_bills_free(&one);
		}
		assert_true(co_amount(&all.bill[m], (enum co_price)p).most == sum);
	}
	pl_bills_free(&all);
	pl_free(&r);
	json_array_remove(json_object_get(json, "runs"), 0);
	load(&r, json);
	assert_int_equal(pl_bills(&r, PL_ALL_TRACES, &all), 0);
	m = model_of(&r, "sync-on-write");
	assert_false(all.there[m]);
	assert_null(all.ranked[m]);
	assert_true(all.there[model_of(&r, "oos-per-root")]);
	pl_bills_free(&all);
	pl_free(&r);
}

typedef void csv_fn(FILE *out, const struct pl_results *r, size_t trace);

static char *csv(csv_fn *fn, const struct pl_results *r, size_t trace)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	fn(f, r, trace);
	assert_int_equal(fclose(f), 0);
	return text;
}

/* Fields of a line, without quotes; the line is cut up. */
static size_t split(char *line, char *field[32])
{
	size_t n = 0;

	for (char *f = line; f && n < 32; n++) {
		field[n] = f;
		f = strchr(f, ',');
		if (f)
			*f++ = '\0';
	}
	return n;
}

/* The components of each line add up to what the library says, and the ends are its ends. */
static void totals(void **state)
{
	char *text, *save, *field[32];
	struct pl_results r;
	size_t rows = 0;

	(void)state;
	load(&r, plots_sample(TRACES, true, 0));
	text = csv(pl_csv_total, &r, 1);
	assert_int_equal(split(strtok_r(text, "\n", &save), field), 2 + CO_COMPONENT_END + 3);
	for (char *line; (line = strtok_r(NULL, "\n", &save)); rows++) {
		const struct co_platform *p = &platforms[rows / 3];
		struct pl_bills b;
		struct co_cost c;
		double sum = 0;
		size_t m;

		assert_int_equal(split(line, field), 2 + CO_COMPONENT_END + 3);
		assert_string_equal(field[0], p->name);
		m = model_of(&r, field[1]);
		assert_int_equal(pl_bills(&r, 1, &b), 0);
		c = co_cost(&b.bill[m], p, CO_COMPONENT_END);
		for (int i = 0; i < CO_COMPONENT_END; i++)
			sum += atof(field[2 + i]);
		assert_true(fabs(sum * 1e6 / c.value_most - 1) < 1e-6);
		assert_true(fabs(atof(field[2 + CO_COMPONENT_END]) * 1e6 / c.low - 1) < 1e-6);
		assert_true(fabs(atof(field[3 + CO_COMPONENT_END]) * 1e6 / c.high - 1) < 1e-6);
		assert_int_equal(atoi(field[4 + CO_COMPONENT_END]),
				 co_ahead(b.ranked, b.n, p) >> m & 1);
		pl_bills_free(&b);
	}
	assert_int_equal(rows, 2 * 3);
	free(text);
	pl_free(&r);
}

/* At the platform's own price a line of the crossing chart meets the total. */
static void lines(void **state)
{
	char *text, *save, *field[32];
	struct pl_results r;
	struct pl_bills b;
	size_t rows = 0;

	(void)state;
	load(&r, plots_sample(TRACES, true, 0));
	assert_int_equal(pl_bills(&r, 0, &b), 0);
	text = csv(pl_csv_crossing, &r, 0);
	strtok_r(text, "\n", &save);
	for (char *line; (line = strtok_r(NULL, "\n", &save)); rows++) {
		struct co_cost c;
		double price;

		assert_int_equal(split(line, field), 11);
		c = co_cost(&b.bill[model_of(&r, field[5])], &platforms[0], CO_COMPONENT_END);
		price = atof(field[1]);
		assert_true(fabs((atof(field[7]) + price * atof(field[8])) * 1e6 / c.value_least -
				 1) < 1e-5);
		assert_true(fabs((atof(field[9]) + price * atof(field[10])) * 1e6 / c.value_most -
				 1) < 1e-5);
	}
	assert_int_equal(rows, CO_SWEPT * 3);
	free(text);
	pl_bills_free(&b);
	pl_free(&r);
}

/* Each strip begins at 0, ends nowhere, and has no gap. */
static void regions(void **state)
{
	char *text, *save, *field[32], key[256] = "", end[64] = "";
	struct pl_results r;
	size_t strips = 0;

	(void)state;
	load(&r, plots_sample(TRACES, true, 0));
	text = csv(pl_csv_turns, &r, 0);
	strtok_r(text, "\n", &save);
	for (char *line; (line = strtok_r(NULL, "\n", &save));) {
		char now[256];

		assert_int_equal(split(line, field), 12);
		snprintf(now, sizeof(now), "%s %s %s", field[0], field[1], field[2]);
		if (strcmp(now, key) != 0) {
			assert_string_equal(end, "");
			assert_string_equal(field[6], "0");
			strcpy(key, now);
			strips++;
		} else if (atoi(field[10]) == 0) {
			assert_string_equal(field[6], end);
		}
		assert_true(atoi(field[10]) < atoi(field[11]));
		snprintf(end, sizeof(end), "%s", field[7]);
	}
	assert_string_equal(end, "");
	assert_int_equal(strips, CO_SWEPT * 2 * (TRACES + 1));
	free(text);
	pl_free(&r);
}

static void words(void **state)
{
	static const struct co_region three[] = { { 0, 400, 1 },
						  { 400, 1000, 3 },
						  { 1000, INFINITY, 2 } };
	struct co_platform none = platforms[0];
	struct pl_results r;
	char *text = NULL;
	size_t len;
	FILE *f;

	(void)state;
	load(&r, plots_sample(1, true, 0));
	f = open_memstream(&text, &len);
	pl_put_regions(f, &r, &platforms[0], three, 3, 1e9);
	fclose(f);
	assert_string_equal(text,
			    "below 400 ns (1,000 cycles) sync-on-write costs least; "
			    "up to 1.00 µs (2,500 cycles), sync-on-write and oos-per-root are "
			    "not told apart; above, oos-per-root costs least");
	free(text);
	/* Beyond the end nothing is said; without a clock there are no cycles. */
	none.ghz = 0;
	f = open_memstream(&text, &len);
	pl_put_regions(f, &r, &none, three, 3, 900);
	fputc('/', f);
	pl_put_regions(f, &r, &none, three, 3, 300);
	fclose(f);
	assert_string_equal(text,
			    "below 400 ns sync-on-write costs least; above, sync-on-write and "
			    "oos-per-root are not told apart/sync-on-write costs least "
			    "throughout");
	free(text);
	pl_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_competes), cmocka_unit_test(natives_are_not_ranked),
		cmocka_unit_test(all_together), cmocka_unit_test(totals),
		cmocka_unit_test(lines),	cmocka_unit_test(regions),
		cmocka_unit_test(words),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
