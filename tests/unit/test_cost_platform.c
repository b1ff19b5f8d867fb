// SPDX-License-Identifier: GPL-2.0-only
/* Platform profiles: those that are built in, those with nonsense in them, and one out of a capture. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cost/platform.h"

static char folder[] = "/tmp/unsync-test-XXXXXX";
static char path[64], error[1024];

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	return snprintf(path, sizeof(path), "%s/p.json", folder) < 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

static void put(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

/* A profile in which each price takes its number in cycles, at 2 GHz. */
static json_t *sample(void)
{
	json_t *top = json_pack("{s:i,s:s,s:s,s:f,s:s}", "unsync-platform", CO_VERSION, "name",
				"sample", "title", "made up", "ghz", 2.0, "ghz_source", "made up");
	json_t *prices = json_object();

	for (int i = 0; i < CO_PRICE_END; i++)
		json_object_set_new(prices, co_price_key((enum co_price)i),
				    json_pack("{s:i,s:[i,i],s:s,s:s}", "value", i + 1, "range", i,
					      2 * i + 2, "unit", "cycles", "source", "made up"));
	json_object_set_new(top, "prices", prices);
	return top;
}

static void put_json(json_t *json)
{
	assert_int_equal(json_dump_file(json, path, 0), 0);
	json_decref(json);
}

/* One line that names the file and holds @what. */
static void refused(const char *name, const char *what)
{
	struct co_platform p;

	error[0] = '\0';
	assert_int_equal(co_platform_get(&p, name, error, sizeof(error)), -1);
	co_platform_free(&p);
	if (strncmp(error, name, strlen(name)) != 0 || !strstr(error, what) || strchr(error, '\n'))
		fail_msg("'%s' where '%s' was due", error, what);
}

static void read_back(void **state)
{
	struct co_platform p;

	(void)state;
	put_json(sample());
	if (co_platform_get(&p, path, error, sizeof(error)))
		fail_msg("%s", error);
	assert_string_equal(p.name, "sample");
	for (int i = 0; i < CO_PRICE_END; i++) {
		assert_true(fabs(p.prices[i].value - (i + 1) / 2.0) < 1e-12);
		assert_true(fabs(p.prices[i].low - i / 2.0) < 1e-12);
		assert_true(fabs(p.prices[i].high - (i + 1)) < 1e-12);
		assert_false(p.prices[i].estimated);
	}
	co_platform_free(&p);
}

static json_t *price(json_t *top, const char *key)
{
	return json_object_get(json_object_get(top, "prices"), key);
}

static void units(void **state)
{
	json_t *top = sample();
	struct co_platform p;

	(void)state;
	json_object_set_new(price(top, "exit"), "unit", json_string("us"));
	json_object_set_new(price(top, "fill"), "unit", json_string("ns"));
	json_object_del(price(top, "fill"), "range");
	json_object_set_new(price(top, "fill"), "estimated", json_true());
	put_json(top);
	if (co_platform_get(&p, path, error, sizeof(error)))
		fail_msg("%s", error);
	assert_true(p.prices[CO_exit].value == 1000 && p.prices[CO_exit].high == 2000);
	assert_true(p.prices[CO_fill].value == 2 && p.prices[CO_fill].low == 2 &&
		    p.prices[CO_fill].high == 2);
	assert_true(p.prices[CO_fill].estimated);
	co_platform_free(&p);
}

static void builtin(void **state)
{
	size_t n = 0;

	(void)state;
	for (; co_builtin(n); n++) {
		struct co_platform p;

		if (co_platform_get(&p, co_builtin(n), error, sizeof(error)))
			fail_msg("%s", error);
		/* A profile is found by the name that it gives itself. */
		assert_string_equal(p.name, co_builtin(n));
		assert_true(p.prices[CO_exit].value > 0);
		co_platform_free(&p);
	}
	assert_true(n >= 4);
	assert_null(co_builtin(n + 1));
	refused("no-such-machine", "--list");
}

/* ---- nonsense ---- */

static void nonsense(void **state)
{
	static const struct {
		const char *key, *value, *what;
	} cases[] = {
		{ "value", "-1", "prices.emulate: 'value' is negative" },
		{ "value", "\"many\"", "prices.emulate: 'value' is no number" },
		{ "value", "null", "prices.emulate: 'value' is no number" },
		{ "value", "true", "prices.emulate: 'value' is no number" },
		{ "value", "[1]", "prices.emulate: 'value' is no number" },
		{ "value", "1000", "prices.emulate: value 1000 lies outside of its range" },
		{ "range", "[9, 1]", "prices.emulate: range from 9 to 1 is the wrong way round" },
		{ "range", "[-1, 9]", "prices.emulate: 'range' is negative" },
		{ "range", "[1]", "prices.emulate: 'range' is not [low, high]" },
		{ "range", "[1, 2, 3]", "prices.emulate: 'range' is not [low, high]" },
		{ "range", "7", "prices.emulate: 'range' is not [low, high]" },
		{ "range", "[1, \"x\"]", "prices.emulate: 'range' is no number" },
		{ "range", "[1, 1e12]", "prices.emulate: 5e+11 ns is beyond anything" },
		{ "unit", "\"fortnights\"", "prices.emulate: unit 'fortnights' is not known" },
		{ "unit", "3", "prices.emulate: 'unit' is no text" },
		{ "source", "\"\"", "prices.emulate: 'source' is empty" },
		{ "source", "1", "prices.emulate: 'source' is no text" },
		{ "estimated", "1", "prices.emulate: 'estimated' is neither" },
		{ "guessed", "1", "prices.emulate: no key 'guessed' is known" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *top = sample();

		json_object_set_new(price(top, "emulate"), cases[i].key,
				    json_loads(cases[i].value, JSON_DECODE_ANY, NULL));
		put_json(top);
		refused(path, cases[i].what);
	}
}

static void missing(void **state)
{
	static const char *const keys[] = { "name", "title", "prices", "ghz_source" };
	char what[80];

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		json_t *top = sample();

		json_object_del(top, keys[i]);
		put_json(top);
		refused(path, keys[i]);
	}
	for (int i = 0; i < CO_PRICE_END; i++) {
		json_t *top = sample();
		const char *key = co_price_key((enum co_price)i);

		json_object_del(json_object_get(top, "prices"), key);
		put_json(top);
		snprintf(what, sizeof(what), "prices.%s: is missing", key);
		refused(path, what);
	}
	for (int i = 0; i < 3; i++) {
		static const char *const parts[] = { "value", "unit", "source" };
		json_t *top = sample();

		json_object_del(price(top, "exit"), parts[i]);
		put_json(top);
		snprintf(what, sizeof(what), "prices.exit: '%s' is missing", parts[i]);
		refused(path, what);
	}
}

static void wrong_top(void **state)
{
	static const struct {
		const char *key, *value, *what;
	} cases[] = {
		{ "unsync-platform", "2", "reads version 1" },
		{ "unsync-platform", "\"1\"", "reads version 1" },
		{ "name", "\"../evil\"", "name: must begin" },
		{ "name", "\"a b\"", "name: may hold" },
		{ "name", "\"a\\u001b[2J\"", "name: may hold" },
		{ "ghz", "0", "ghz: 0 is no processor's clock" },
		{ "ghz", "1e9", "ghz: 1e+09 is no processor's clock" },
		{ "ghz", "-2", "ghz: 'ghz' is negative" },
		{ "ghz", "\"fast\"", "ghz: 'ghz' is no number" },
		{ "prices", "[]", "prices: is no object" },
		{ "pricse", "{}", "no key 'pricse' is known" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *top = sample();

		json_object_set_new(top, cases[i].key,
				    json_loads(cases[i].value, JSON_DECODE_ANY, NULL));
		put_json(top);
		refused(path, cases[i].what);
	}
}

static void cycles_need_a_clock(void **state)
{
	json_t *top = sample();

	(void)state;
	json_object_del(top, "ghz");
	put_json(top);
	refused(path, "is in cycles, and the profile has no 'ghz'");
}

static void no_profile(void **state)
{
	static const struct {
		const char *text, *what;
	} cases[] = {
		{ "", "line 1" },
		{ "hello", "line 1" },
		{ "{\"unsync-platform\": 1,\n \"name\": NaN}", "line 2" },
		{ "{\"unsync-platform\": 1, \"name\": \"a\", \"name\": \"b\"}", "duplicate" },
		{ "{\"unsync-platform\": 1, \"ghz\": 1e999}", "line 1" },
		{ "[1, 2]", "is no platform profile" },
		{ "7", "line 1" },
		{ "{\"schema\": \"unsync-results\"}", "'unsync-platform' is missing" },
	};
	char name[80];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put(cases[i].text);
		refused(path, cases[i].what);
	}
	snprintf(name, sizeof(name), "%s/missing.json", folder);
	refused(name, "No such file");
	snprintf(name, sizeof(name), "%s/", folder);
	refused(name, "is a directory");
	snprintf(name, sizeof(name), "%s/pipe", folder);
	assert_int_equal(mkfifo(name, 0600), 0);
	refused(name, "is a device or a pipe");
	unlink(name);
	put("x");
	assert_int_equal(truncate(path, 5 << 20), 0);
	refused(path, "is larger");
}

/* ---- out of a capture ---- */

static void from_capture(void **state)
{
	struct co_capture c = {
		.file = "some.utrace",
		.cpuid = { 10, 10 * 600.0 },
		.fault = { 100, 100 * 2600.0 },
		.cr3 = { 50, 50 * 1600.0 },
		.synced = 20,
		.resync_ns = 20 * 1000.0,
	};
	struct co_platform base, p;
	FILE *f;

	(void)state;
	put_json(sample());
	assert_int_equal(co_platform_get(&base, path, error, sizeof(error)), 0);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(co_profile_write(f, "mine", &c, &base, error, sizeof(error)), 0);
	fclose(f);
	if (co_platform_get(&p, path, error, sizeof(error)))
		fail_msg("%s", error);
	assert_string_equal(p.name, "mine");
	assert_true(fabs(p.prices[CO_exit].value - 600) < 1);
	assert_true(fabs(p.prices[CO_fill].value - 2000) < 1);
	assert_true(fabs(p.prices[CO_emulate].value - 2000) < 1);
	/* 1600 each, less what was spent in syncs, less an exit. */
	assert_true(fabs(p.prices[CO_cr3].value - (1600 - 400 - 600)) < 1);
	assert_true(fabs(p.prices[CO_table].value - 1000) < 1);
	assert_true(p.prices[CO_entry].value == 0);
	/* No INVLPG exits, and no exit summary tells of pages: as in the base, as much dearer as exits. */
	assert_true(fabs(p.prices[CO_invlpg].value / base.prices[CO_invlpg].value - 1200) < 2);
	assert_true(fabs(p.prices[CO_page].high / base.prices[CO_page].high - 1200) < 2);
	assert_true(p.prices[CO_page].estimated);
	co_platform_free(&p);
	c.cpuid.count = 0;
	assert_int_equal(co_profile_write(stderr, "mine", &c, &base, error, sizeof(error)), -1);
	assert_non_null(strstr(error, "some.utrace: its summary has no CPUID exits"));
	c.cpuid.count = 10;
	c.fault.count = 0;
	assert_int_equal(co_profile_write(stderr, "mine", &c, &base, error, sizeof(error)), -1);
	assert_non_null(strstr(error, "no page-fault exits"));
	c.fault = (struct co_exits){ 1, 1e15 };
	assert_int_equal(co_profile_write(stderr, "mine", &c, &base, error, sizeof(error)), -1);
	assert_non_null(strstr(error, "no host is as slow"));
	co_platform_free(&base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(read_back),	cmocka_unit_test(units),
		cmocka_unit_test(builtin),	cmocka_unit_test(nonsense),
		cmocka_unit_test(missing),	cmocka_unit_test(wrong_top),
		cmocka_unit_test(no_profile),	cmocka_unit_test(cycles_need_a_clock),
		cmocka_unit_test(from_capture),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
