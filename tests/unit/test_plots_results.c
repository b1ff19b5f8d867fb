// SPDX-License-Identifier: GPL-2.0-only
/* The reader of results files: what it takes, and one clear line for whatever it does not. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plots/answer.h"
#include "plots/results_read.h"
#include "plots_sample.h"

static char dir[] = "/tmp/unsync-test-XXXXXX";
static char file[64];

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(file, sizeof(file), "%s/R.json", dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(file);
	return rmdir(dir);
}

static void write_text(const char *text)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void write_json(json_t *json)
{
	assert_int_equal(json_dump_file(json, file, JSON_INDENT(1)), 0);
}

/* "runs.0.counted.exit_fault": numbers are places in arrays. The last part goes to @key. */
static json_t *walk(json_t *json, const char *path, char *key, size_t key_len)
{
	const char *dot;

	while ((dot = strchr(path, '.'))) {
		snprintf(key, key_len, "%.*s", (int)(dot - path), path);
		json = json_is_array(json) ? json_array_get(json, (size_t)atoi(key))
					   : json_object_get(json, key);
		assert_non_null(json);
		path = dot + 1;
	}
	snprintf(key, key_len, "%s", path);
	return json;
}

/* Replace a value; NULL: remove it. */
static void damage(json_t *json, const char *path, json_t *value)
{
	char key[64];
	json_t *parent = walk(json, path, key, sizeof(key));

	if (json_is_array(parent))
		assert_int_equal(json_array_set_new(parent, (size_t)atoi(key), value), 0);
	else if (value)
		assert_int_equal(json_object_set_new(parent, key, value), 0);
	else
		assert_int_equal(json_object_del(parent, key), 0);
}

/* The message must be one line that names the file and says @wanted. */
static void expect_refusal(const char *wanted)
{
	struct pl_results r = { 0 };
	char error[512] = "";

	assert_int_equal(pl_read(&r, file, error, sizeof(error)), -1);
	if (strncmp(error, file, strlen(file)) != 0 || !strstr(error, wanted) ||
	    strchr(error, '\n'))
		fail_msg("'%s' does not say '%s'", error, wanted);
	pl_free(&r);
}

/* Names are looked for one by one: a file that is all names would take hours. */
static void too_many_names(void **state)
{
	json_t *json = plots_sample(1, true, 0), *names = json_object();
	char name[32];

	(void)state;
	for (int i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "name%d", i);
		json_object_set_new(names, name, json_string("help"));
	}
	json_object_set_new(json_object_get(json, "glossary"), "counters", names);
	write_json(json);
	expect_refusal("glossary.counters: has 5000 members, at most 4096");
	json_decref(json);
}

static void good_file(void **state)
{
	json_t *json = plots_sample(2, true, 9);
	struct pl_results r = { 0 };
	const struct pl_run *run;
	char error[512];

	(void)state;
	write_json(json);
	assert_int_equal(pl_read(&r, file, error, sizeof(error)), 0);
	assert_int_equal(r.n_traces, 2);
	assert_int_equal(r.n_models, 4);
	assert_int_equal(r.n_runs, 8);
	assert_string_equal(r.traces[1].id, "fork-exact");
	assert_true(r.traces[0].exact);
	assert_string_equal(r.models[1].options, "globals=7");
	assert_true(r.models[3].null);
	run = pl_run_of(&r, 1, 0);
	assert_non_null(run);
	assert_int_equal(pl_count(run, "writes"), 365459);
	assert_int_equal(pl_count(run, "no such counter"), 0);
	assert_int_equal(pl_exits(run),
			 pl_count(run, "exit_fault") + pl_count(run, "exit_reflect") +
				 pl_count(run, "exit_table_write") + pl_count(run, "exit_cr3") +
				 pl_count(run, "exit_cr4") + pl_count(run, "exit_invlpg"));
	assert_int_equal(pl_exits_max(run) - pl_exits(run), pl_count(run, "refaults_max"));
	assert_int_equal(run->measured->passes, 9);
	assert_true(run->measured->resync_total.has_interval);
	assert_int_equal(run->timeline.n, 240);
	pl_free(&r);
	json_decref(json);
}

static void counted_only(void **state)
{
	json_t *json = plots_sample(1, true, 0);
	struct pl_results r = { 0 };
	char error[512];

	(void)state;
	write_json(json);
	assert_int_equal(pl_read(&r, file, error, sizeof(error)), 0);
	assert_null(r.runs[0].measured);
	assert_false(r.contexts[0].machine);
	pl_free(&r);
	json_decref(json);
}

static void few_passes(void **state)
{
	json_t *json = plots_sample(1, true, 3);
	struct pl_results r = { 0 };
	char error[512];

	(void)state;
	write_json(json);
	assert_int_equal(pl_read(&r, file, error, sizeof(error)), 0);
	assert_false(r.runs[0].measured->total.has_interval);
	pl_free(&r);
	json_decref(json);
}

static void not_json(void **state)
{
	static const char *const texts[] = { "",
					     "UTRACE\1\2",
					     "{",
					     "[1, 2",
					     "{\"schema\": \"unsync-results\", \"version\":",
					     "{\"a\": 1, \"a\": 2}" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		write_text(texts[i]);
		expect_refusal("unsync replay -o");
	}
	write_text("[]");
	expect_refusal("is no results file");
	write_text("{}");
	expect_refusal("schema: is missing");
}

static void deep_json(void **state)
{
	FILE *f = fopen(file, "w");

	(void)state;
	assert_non_null(f);
	for (int i = 0; i < 100000; i++)
		fputc('[', f);
	assert_int_equal(fclose(f), 0);
	expect_refusal("line 1");
}

static void no_file(void **state)
{
	(void)state;
	unlink(file);
	expect_refusal("No such file");
	snprintf(file, sizeof(file), "%s", dir);
	expect_refusal("is a directory");
	snprintf(file, sizeof(file), "%s/R.json", dir);
}

/* Every field that is taken away, made of another type, or absurd: what the message must name. */
static void bad_fields(void **state)
{
	static const struct {
		const char *path, *value, *wanted; /* value NULL: removed; else JSON */
	} cases[] = {
		{ "schema", "\"perf\"", "schema: is 'perf'" },
		{ "schema", "5", "schema: is a whole number" },
		{ "version", "2", "version: is 2, this program reads 1" },
		{ "version", "\"1\"", "version: is a string" },
		{ "context", NULL, "context: is missing" },
		{ "context.tool", "null", "context.tool: is null" },
		{ "context.warnings", "{}", "context.warnings: is an object" },
		{ "context.warnings", "[1]", "context.warnings[0]: is a whole number" },
		{ "context.cores", "-2", "context.cores: is negative" },
		{ "context.load", "\"high\"", "context.load: is a string" },
		{ "context.clock", "7", "context.clock: is a whole number" },
		{ "context.clock.ns_per_tick", "-1.5", "context.clock.ns_per_tick: is -1.5" },
		{ "glossary.counters", "[]", "glossary.counters: is an array" },
		{ "glossary.counters.writes", "1", "glossary.counters.writes: is a whole number" },
		{ "traces", "{}", "traces: is an object" },
		{ "traces.0", "[]", "traces[0]: is an array" },
		{ "traces.0.id", "\"\"", "traces[0]: id is empty" },
		{ "traces.0.mode", "\"guess\"", "traces[0]: mode is 'guess'" },
		{ "traces.1.id", "\"boot-exact\"", "traces[1]: 'boot-exact' is there twice" },
		{ "traces.0.events", "1e99", "traces[0].events: is a number with a fraction" },
		{ "traces.0.events", "9000000000000000000",
		  "traces[0].events: is 9000000000000000000" },
		{ "traces.0.complete", "\"yes\"", "traces[0].complete: is a string" },
		{ "traces.0.writes.window", NULL, "traces[0].writes.window: is missing" },
		{ "traces.0.host", "false", "traces[0].host: is true or false" },
		{ "runs", NULL, "runs: is missing" },
		{ "runs.2", "5", "runs[2]: is a whole number" },
		{ "runs.2.trace", "\"other\"", "runs[2]: trace 'other' is not among" },
		{ "runs.1.label", "\"sync-on-write\"", "runs[1]: label 'sync-on-write' is also" },
		{ "runs.1.label", "\"=cmd|x\"", "runs[1].label: must begin with" },
		{ "runs.1.label", "\"a`b`\"", "runs[1].label: holds a character" },
		{ "runs.1.label", "\"a\\nb\"", "runs[1].label: holds a character" },
		{ "runs.0.options", "[]", "runs[0].options: is an array" },
		{ "runs.0.options", "{\"a\": 1}", "runs[0].options.a: is a whole number" },
		{ "runs.0.counted", NULL, "runs[0].counted: is missing" },
		{ "runs.0.counted.exit_fault", NULL, "runs[0].counted.exit_fault: is missing" },
		{ "runs.0.counted.exit_fault", "-1", "runs[0].counted.exit_fault: is negative" },
		{ "runs.0.counted.exit_fault", "1.5",
		  "runs[0].counted.exit_fault: is a number with" },
		{ "runs.0.counted.pages_zapped", "\"9\"",
		  "runs[0].counted.pages_zapped: is a string" },
		{ "runs.0.counted.exit_cr3", "2000000000000000",
		  "runs[0].counted.exit_cr3: is 20000" },
		{ "runs.1.counted.tables_in_vain", "99999999",
		  "runs[1].counted: more tables_in_vain" },
		{ "runs.1.counted.entries_kept", "99999999999",
		  "runs[1].counted: more entries kept" },
		{ "runs.0.resyncs.cr3", "[]", "runs[0].resyncs.cr3: is an array" },
		{ "runs.0.resyncs.cr3.tables", NULL, "runs[0].resyncs.cr3.tables: is missing" },
		{ "runs.0.timeline.exits", "[1]",
		  "runs[0].timeline: has 240 bins of unsync, 1 of exits" },
		{ "runs.0.timeline.unsync.7", "-1", "runs[0].timeline.unsync[7]: is negative" },
		{ "runs.0.timeline.bin_ns", "0", "runs[0].timeline: bin_ns is 0" },
		{ "runs.1.timeline.bin_ns", "77", "runs[1]: timeline has 240 bins of 77 ns" },
		{ "runs.0.measured", "[]", "runs[0].measured: is an array" },
		{ "runs.0.measured", NULL, "runs[0].measured: is missing" },
		{ "runs.0.measured.passes", "0", "runs[0].measured: passes is 0" },
		{ "runs.0.measured.passes", "1000000", "runs[0].measured.passes: is 1000000" },
		{ "runs.0.measured.total_ns", "[1]", "total_ns: has 1 values for 9 passes" },
		{ "runs.0.measured.resync_ns.3", "null", "resync_ns[3]: is null" },
		{ "runs.0.measured.total.median", NULL, "measured.total.median: is missing" },
		{ "runs.0.measured.total.ci95", "[1]", "total.ci95: is an array" },
		{ "runs.0.measured.total.ci95", "[5, 4]", "total.ci95: does not hold the median" },
		{ "runs.0.measured.total.outliers", "[12]", "outliers name pass 12 of 9" },
		{ "runs.0.measured.resync.p50", "1e17",
		  "measured.resync: percentiles do not rise" },
		{ "runs.0.measured.resync.error", "2", "measured.resync.error: is 2" },
		{ "runs.0.measured.resync.max", "1e300", "measured.resync.max: is 1e+300" },
		{ "runs.0.measured.histogram.4", "[1, 2, 3]", "histogram[4]: should be" },
		{ "runs.0.measured.histogram.4", "[1, 2]", "histogram[4]: buckets do not rise" },
		{ "runs.0.measured.resync.count", "1", "resync.count says 1" },
		{ "runs.0.measured.by_cause.write", "1", "by_cause.write: is a whole number" },
		{ "runs.0.measured.timeline_ns", "[1]",
		  "timeline_ns: has 1 bins, the timeline 240" },
		{ "runs.0.measured.cost", "[]", "measured.cost: is an array" },
		{ "runs.0.measured.cost.table", "3", "measured.cost.table: is a whole number" },
		{ "runs.1.measured.floor.ratio", NULL, "measured.floor.ratio: is missing" },
		{ "runs.1.measured.floor.level", "2", "measured.floor.level: is a whole number" },
		{ "runs.0.measured.hardware.cycles", "{}", "hardware.cycles.median: is missing" },
		{ "context.hardware.unavailable", "[]", "hardware.unavailable: is an array" },
		{ "context.hardware.unavailable.llc_misses", "1", "llc_misses: is a whole number" },
		{ "runs.0.agreement", "\"good\"", "runs[0].agreement: is a string" },
		{ "runs.0.agreement", "{\"unsync\": {\"host\": 1, \"model\": 3, \"matched\": 2}}",
		  "agreement.unsync: more matched than there are" },
		{ "runs.0.verified", "null", "runs[0].verified: is null" },
		{ "runs.0.verified.checks", "-1", "runs[0].verified.checks: is negative" },
		{ "failed", "[{\"trace\": \"x\"}]", "failed[0].model: is missing" },
		{ "failed", "[7]", "failed[0]: is a whole number" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *json = plots_sample(2, true, 9);
		json_t *value =
			cases[i].value ? json_loads(cases[i].value, JSON_DECODE_ANY, NULL) : NULL;

		damage(json, cases[i].path, value);
		write_json(json);
		expect_refusal(cases[i].wanted);
		json_decref(json);
	}
}

/* Takes away or replaces every value of a file in turn: refused or read, but never a crash. */
static void mutate(json_t *document, json_t *json)
{
	static const char *const values[] = { "null", "-1", "\"\"", "[]", "{}", "1e308", "true" };
	struct pl_results r;
	const char *key;
	json_t *value;
	void *next;
	char error[512];

	if (!json_is_object(json))
		return;
	json_object_foreach_safe(json, next, key, value) {
		json_t *kept = json_incref(value);

		for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
			json_object_set_new(json, key,
					    json_loads(values[i], JSON_DECODE_ANY, NULL));
			write_json(document);
			memset(&r, 0, sizeof(r));
			if (pl_read(&r, file, error, sizeof(error)))
				assert_null(strchr(error, '\n'));
			pl_free(&r);
		}
		json_object_set_new(json, key, kept);
		if (json_is_object(kept))
			mutate(document, kept);
		if (json_is_array(kept))
			mutate(document, json_array_get(kept, 0));
	}
}

static void every_field_once(void **state)
{
	json_t *exact = plots_sample(1, true, 7), *native = plots_sample(1, false, 7);

	(void)state;
	mutate(exact, exact);
	json_decref(exact);
	/* The one that is held to the recorded host. */
	json_array_remove(json_object_get(native, "runs"), 0);
	json_array_remove(json_object_get(native, "runs"), 0);
	mutate(native, json_array_get(json_object_get(native, "runs"), 0));
	json_decref(native);
}

static void several_files(void **state)
{
	json_t *json = plots_sample(1, true, 7), *native = plots_sample(1, false, 7);
	struct pl_results r = { 0 };
	char error[512], *first;

	(void)state;
	write_json(json);
	assert_int_equal(pl_read(&r, file, error, sizeof(error)), 0);
	assert_int_equal(pl_read(&r, file, error, sizeof(error)), -1);
	assert_non_null(strstr(error, "is there already"));
	pl_free(&r);

	assert_int_equal(pl_read(&r, file, error, sizeof(error)), 0);
	write_json(native);
	assert_int_equal(pl_read(&r, file, error, sizeof(error)), 0);
	assert_int_equal(r.n_traces, 2);
	assert_int_equal(r.n_models, 4);
	assert_int_equal(r.n_contexts, 2);
	pl_free(&r);

	/* Another trace of the same name. */
	write_json(json);
	assert_int_equal(pl_read(&r, file, error, sizeof(error)), 0);
	first = strdup(json_string_value(
		json_object_get(json_array_get(json_object_get(json, "traces"), 0), "xxh64")));
	damage(json, "traces.0.xxh64", json_string("0123456789abcdef"));
	write_json(json);
	assert_int_equal(pl_read(&r, file, error, sizeof(error)), -1);
	assert_non_null(strstr(error, "has another content here"));
	assert_non_null(strstr(error, first));
	pl_free(&r);
	free(first);
	json_decref(json);
	json_decref(native);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_file),	    cmocka_unit_test(too_many_names),
		cmocka_unit_test(counted_only),	    cmocka_unit_test(few_passes),
		cmocka_unit_test(not_json),	    cmocka_unit_test(deep_json),
		cmocka_unit_test(no_file),	    cmocka_unit_test(bad_fields),
		cmocka_unit_test(every_field_once), cmocka_unit_test(several_files),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
