// SPDX-License-Identifier: GPL-2.0-only
/* Replays of small traces made here: what is counted, what is refused, what is written. */
#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "replay/report.h"
#include "replay/results.h"
#include "replay/stats.h"

#define EVENTS 40000 /* more than two blocks */

static char dir[] = "/tmp/unsync-test-XXXXXX";
static struct ur_clock clk;

/* ---- models for the test ---- */

static unsigned int created;

/* Counts how often it was created: another count in every pass. */
static int create_unsteady(struct um_mmu *mmu)
{
	mmu->count[UM_bitmap_words] = ++created;
	return 0;
}

static int create_failing(struct um_mmu *mmu)
{
	return um_fail(mmu, "has had enough");
}

static const struct um_model steady = { .magic = UM_MAGIC,
					.abi = UM_ABI,
					.size = sizeof(struct um_model),
					.name = "steady",
					.summary = "does nothing",
					.no_shadow = true };
static const struct um_model unsteady = { .magic = UM_MAGIC,
					  .abi = UM_ABI,
					  .size = sizeof(struct um_model),
					  .name = "unsteady",
					  .summary = "counts something else each time",
					  .no_shadow = true,
					  .create = create_unsteady };
static const struct um_model failing = { .magic = UM_MAGIC,
					 .abi = UM_ABI,
					 .size = sizeof(struct um_model),
					 .name = "failing",
					 .summary = "gives up",
					 .no_shadow = true,
					 .create = create_failing };

/* ---- traces for the test ---- */

static const char *path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static struct ut_writer *start(const char *path, enum ut_mode mode)
{
	const struct ut_header header = { .mode = mode };
	struct ut_writer *w = ut_writer_open(path, &header, NULL);

	assert_non_null(w);
	return w;
}

static void add(struct ut_writer *w, struct ut_event e)
{
	struct ut_error err;

	if (ut_writer_add(w, &e, &err))
		fail_msg("%s", err.text);
}

/*
 * A guest with 64-bit tables on two VMs: roots are loaded, tables shadowed, pages mapped by faults,
 * and entries of the leaf tables written.
 */
static void write_guest(struct ut_writer *w, unsigned int events, unsigned int vms)
{
	const uint32_t top = 4 | UT_ROLE_ACCESS;

	for (unsigned int i = 0; i < events; i++) {
		struct ut_event e = { .time = 1000ull * i, .vm = (uint16_t)(i % vms), .vcpu = 0 };
		unsigned int step = i / vms;

		if (step == 0) {
			e.kind = UT_STATE;
			e.state = (struct ut_state){ .cr0 = UT_CR0_PG | UT_CR0_WP | 1,
						     .cr3 = 0x1000,
						     .cr4 = UT_CR4_PAE,
						     .efer = UT_EFER_LMA | 0x100 };
		} else if (step < 5) {
			e.kind = UT_PAGE_NEW;
			e.page = (struct ut_page){ .gfn = step,
						   .role = (top & ~UT_ROLE_LEVEL) | (5 - step),
						   .known = true };
		} else if (step % 16 == 0) {
			e.kind = UT_CR;
			e.cr = (struct ut_cr){ .value = 0x1000, .cr = 3 };
		} else {
			e.kind = UT_WRITE;
			e.write = (struct ut_write){ .gfn = 4,
						     .offset = (uint16_t)(8 * (step % 512)),
						     .size = 8,
						     .val = (step % 3) ? 0x100067ull + 4096 * step
								       : 0,
						     .how = UT_HOW_TRAPPED };
		}
		add(w, e);
	}
}

static const char *make_guest(const char *name, unsigned int events, unsigned int vms)
{
	const char *path = path_of(name);
	struct ut_writer *w = start(path, UT_MODE_EXACT);

	write_guest(w, events, vms);
	assert_int_equal(ut_writer_close(w, NULL), 0);
	return path;
}

static int set_up(void **state)
{
	(void)state;
	ur_clock_init(&clk);
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[300];

	(void)state;
	snprintf(command, sizeof(command), "rm -r '%s'", dir);
	return system(command);
}

/* Steady models, by default; ends with a NULL model. */
static struct ur_trace *replay(const char *path, const struct ur_spec *specs, unsigned int passes)
{
	struct ur_plan plan = { .specs = specs, .passes = passes, .clock = &clk };
	struct ut_error err = { "" };
	struct ur_trace *trace;

	while (specs[plan.n_specs].model)
		plan.n_specs++;
	if (ur_replay(path, &plan, &trace, &err)) {
		assert_null(trace);
		print_message("refused: %s\n", err.text);
		assert_null(strchr(err.text, '\n'));
		assert_non_null(strstr(err.text, path));
		return NULL;
	}
	return trace;
}

static void all_models(struct ur_spec *specs, size_t max)
{
	size_t n = 0;

	for (const struct um_model *const *m = um_models(); *m; m++) {
		assert_true(n + 1 < max);
		specs[n++] = (struct ur_spec){ .model = *m, .label = (*m)->name };
	}
	specs[n] = (struct ur_spec){ 0 };
}

static char *json_text(struct ur_trace *trace)
{
	const struct ur_context context = { .command = "unsync replay" };
	json_t *json = ur_results_json(&context, &trace, 1);
	char *text = json_dumps(json, 0);

	assert_non_null(text);
	json_decref(json);
	return text;
}

/* ---- tests ---- */

static void counts_are_the_same_every_time(void **state)
{
	const char *path = make_guest("same.utrace", EVENTS, 2);
	struct ur_spec specs[32];
	char *once, *again;

	(void)state;
	all_models(specs, 32);
	for (int i = 0; i < 2; i++) {
		struct ur_trace *trace = replay(path, specs, 0);

		assert_non_null(trace);
		*(i ? &again : &once) = json_text(trace);
		ur_trace_free(trace);
	}
	assert_string_equal(once, again);
	free(once);
	free(again);
}

/* Time in resyncs by bin of the time line. */
static void bins_add_up(const struct ur_run *run, int pass)
{
	const double *bin = run->measured->bin_ns + (size_t)pass * UR_MAX_BINS;
	double sum = 0;

	for (int i = 0; i < UR_MAX_BINS; i++) {
		assert_true(i < (int)run->timeline.n || bin[i] == 0);
		sum += bin[i];
	}
	if (sum > 0)
		assert_float_equal(sum, run->measured->resync_ns[pass], 1e-6 * sum + 1);
}

static void measured_passes_count_the_same(void **state)
{
	const char *path = make_guest("measured.utrace", EVENTS, 1);
	struct ur_spec specs[32];
	struct ur_trace *trace;

	(void)state;
	all_models(specs, 32);
	trace = replay(path, specs, 6);
	assert_non_null(trace);
	for (size_t i = 0; i < trace->n_runs; i++) {
		const struct ur_run *run = &trace->runs[i];

		assert_string_equal(run->failed, "");
		assert_int_equal(run->measured->resync.n, 6 * run->counters[UM_resyncs]);
		for (int p = 0; p < 6; p++) {
			assert_true(run->measured->total_ns[p] > 0);
			assert_true(run->measured->resync_ns[p] <=
				    run->measured->total_ns[p] * 1.05);
			bins_add_up(run, p);
		}
	}
	ur_trace_free(trace);
}

static void timeline_adds_up(void **state)
{
	const char *path = make_guest("timeline.utrace", EVENTS, 2);
	struct ur_spec specs[32];
	struct ur_trace *trace;

	(void)state;
	all_models(specs, 32);
	trace = replay(path, specs, 0);
	assert_non_null(trace);
	for (size_t i = 0; i < trace->n_runs; i++) {
		const struct ur_run *run = &trace->runs[i];
		const struct ur_timeline *t = &run->timeline;
		uint64_t exits = 0, tables = 0, peak = 0;

		assert_in_range(t->n, 200, UR_MAX_BINS);
		for (unsigned int b = 0; b < t->n; b++) {
			exits += t->exits[b];
			tables += t->tables_synced[b];
			if (t->unsync[b] > peak)
				peak = t->unsync[b];
		}
		assert_int_equal(exits, ur_exits(run->counters));
		assert_int_equal(tables, run->counters[UM_tables_synced]);
		/* The VMs' peaks need not come at the same moment. */
		assert_true(peak <= run->counters[UM_unsync_peak]);
		assert_true(2 * peak >= run->counters[UM_unsync_peak]);
	}
	ur_trace_free(trace);
}

static void bins_cover_every_time(void **state)
{
	static const uint64_t ends[] = {
		0, 1, 238, 239, 240, 241, 479, 480, 1000000007, UINT64_MAX
	};
	struct ur_timeline t;

	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		ur_timeline_init(&t, 0, ends[i]);
		assert_in_range(t.n, 1, UR_MAX_BINS);
		assert_int_equal(ur_timeline_bin(&t, 0), 0);
		assert_int_equal(ur_timeline_bin(&t, ends[i]), t.n - 1);
	}
	ur_timeline_init(&t, 500, 1000);
	assert_int_equal(ur_timeline_bin(&t, 3), 0);
	assert_int_equal(ur_timeline_bin(&t, 99999), t.n - 1);
}

static void several_vms_are_summed(void **state)
{
	const struct ur_spec specs[] = { { .model = &steady, .label = "steady" }, { 0 } };
	struct ur_trace *trace = replay(make_guest("vms.utrace", EVENTS, 4), specs, 0);
	struct ur_trace *single;

	(void)state;
	assert_non_null(trace);
	assert_int_equal(trace->survey.vms, 4);
	assert_int_equal(trace->survey.vcpus, 4);
	assert_int_equal(trace->survey.events, EVENTS);
	single = replay(make_guest("vm.utrace", EVENTS / 4, 1), specs, 0);
	assert_non_null(single);
	assert_true(single->runs[0].counters[UM_writes] > 0);
	for (unsigned int i = 0; i < UM_COUNTER_END; i++)
		assert_int_equal(trace->runs[0].counters[i], 4 * single->runs[0].counters[i]);
	ur_trace_free(trace);
	ur_trace_free(single);
}

static void unsteady_model_is_found_out(void **state)
{
	const struct ur_spec specs[] = { { .model = &unsteady, .label = "unsteady" },
					 { .model = &failing, .label = "failing" },
					 { .model = &steady, .label = "steady" },
					 { 0 } };
	struct ur_trace *trace = replay(make_guest("unsteady.utrace", 1000, 1), specs, 2);
	json_t *json;

	(void)state;
	assert_non_null(trace);
	assert_non_null(strstr(trace->runs[0].failed, "not deterministic: bitmap_words"));
	assert_non_null(strstr(trace->runs[1].failed, "has had enough"));
	assert_string_equal(trace->runs[2].failed, "");
	json = ur_results_json(&(struct ur_context){ .clock = &clk, .command = "" }, &trace, 1);
	assert_int_equal(json_array_size(json_object_get(json, "runs")), 1);
	assert_int_equal(json_array_size(json_object_get(json, "failed")), 2);
	json_decref(json);
	ur_trace_free(trace);
}

static void hostile_options_fail_their_run_only(void **state)
{
	static const char *const options[] = { "nothing=1",
					       "=",
					       ",",
					       "globals",
					       "globals=",
					       "globals=-1",
					       "globals=99999999999999999999",
					       "globals=7;x=1" };
	const struct um_model *model = um_model_find("oos-per-root");

	(void)state;
	assert_non_null(model);
	make_guest("options.utrace", 100, 1);
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		const struct ur_spec specs[] = {
			{ .model = model, .options = options[i], .label = options[i] },
			{ .model = &steady, .label = "steady" },
			{ 0 }
		};
		struct ur_trace *trace = replay(path_of("options.utrace"), specs, 0);

		assert_non_null(trace);
		if (!trace->runs[0].failed[0])
			fail_msg("'%s' was taken for options", options[i]);
		assert_null(strchr(trace->runs[0].failed, '\n'));
		assert_string_equal(trace->runs[1].failed, "");
		ur_trace_free(trace);
	}
}

static void damage_leaves_what_came_before(void **state)
{
	const struct ur_spec specs[] = { { .model = &steady, .label = "steady" }, { 0 } };
	const char *path = make_guest("damaged.utrace", EVENTS, 1);
	struct ut_reader *reader = ut_reader_open(path, NULL);
	struct ur_trace *trace;
	struct ut_block block;
	uint64_t intact;

	(void)state;
	assert_non_null(reader);
	assert_int_equal(ut_reader_next(reader, &block, NULL), 1);
	intact = block.n;
	assert_int_equal(ut_reader_next(reader, &block, NULL), 1);
	assert_int_equal(truncate(path, (off_t)block.offset + 10), 0);
	ut_reader_close(reader);
	trace = replay(path, specs, 2);
	assert_non_null(trace);
	assert_false(trace->survey.complete);
	assert_int_equal(trace->survey.events, intact);
	assert_true(trace->runs[0].counters[UM_writes] > 0);
	assert_true(trace->warnings.n > 0);
	assert_non_null(strstr(trace->warnings.of[0].line, path));
	ur_trace_free(trace);
}

static void warns_of_losses_and_native(void **state)
{
	const struct ur_spec specs[] = { { .model = &steady, .label = "steady" }, { 0 } };
	struct ut_writer *w = start(path_of("native.utrace"), UT_MODE_NATIVE);
	struct ur_trace *trace;

	(void)state;
	write_guest(w, 100, 1);
	add(w, (struct ut_event){ .time = 1,
				  .vm = UT_NO_VM,
				  .vcpu = UT_NO_VCPU,
				  .kind = UT_LOST,
				  .lost = { .count = 17, .cause = UT_LOST_RING_FULL } });
	assert_int_equal(ut_writer_close(w, NULL), 0);
	trace = replay(path_of("native.utrace"), specs, 0);
	assert_non_null(trace);
	assert_true(trace->survey.complete);
	assert_int_equal(trace->survey.lost, 17);
	assert_int_equal(trace->warnings.n, 2);
	assert_non_null(strstr(trace->warnings.of[0].line, "17 events were lost"));
	assert_non_null(strstr(trace->warnings.of[1].line, "lower bounds"));
	ur_trace_free(trace);
}

static void nothing_to_replay_is_refused(void **state)
{
	const struct ur_spec specs[] = { { .model = &steady, .label = "steady" }, { 0 } };
	struct ut_writer *w = start(path_of("empty.utrace"), UT_MODE_EXACT);

	(void)state;
	assert_int_equal(ut_writer_close(w, NULL), 0);
	assert_null(replay(path_of("empty.utrace"), specs, 0));
	assert_null(replay(path_of("missing.utrace"), specs, 0));
	w = start(path_of("many.utrace"), UT_MODE_EXACT);
	add(w, (struct ut_event){ .vm = UR_MAX_VMS, .kind = UT_INVLPG });
	assert_int_equal(ut_writer_close(w, NULL), 0);
	assert_null(replay(path_of("many.utrace"), specs, 0));
}

static void results_are_written_whole_or_not_at_all(void **state)
{
	json_t *json = json_pack("{s:f}", "x", 0.1);
	struct ut_error err;
	struct stat st;
	char text[64] = "";
	FILE *f;

	(void)state;
	assert_int_equal(ur_results_check_path(path_of("r.json"), &err), 0);
	assert_int_equal(ur_results_write(json, path_of("r.json"), &err), 0);
	assert_int_equal(stat(path_of("r.json"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	f = fopen(path_of("r.json"), "r");
	assert_non_null(f);
	assert_true(fread(text, 1, sizeof(text) - 1, f) > 0);
	fclose(f);
	assert_string_equal(text, "{\n \"x\": 0.1\n}\n");

	assert_int_equal(ur_results_write(json, path_of("no/r.json"), &err), -1);
	assert_non_null(strstr(err.text, "no/r.json"));
	assert_int_equal(ur_results_check_path(path_of("no/r.json"), &err), -1);
	/* Written in place: replacing it would be the end of /dev/full. */
	assert_int_equal(ur_results_write(json, "/dev/full", &err), -1);
	assert_int_equal(stat("/dev/full", &st), 0);
	assert_true(S_ISCHR(st.st_mode));
	json_decref(json);
}

/* ---- counters of the processor and the floor, on the way into the results ---- */

static unsigned int next_fd, broken; /* handles given out; the event that does not open, from 1 */
static uint64_t asked[8];	     /* readings of each handle */

static int open_counter(const struct perf_event_attr *attr)
{
	(void)attr;
	if (++next_fd == broken) {
		errno = ENOENT;
		return -1;
	}
	return (int)next_fd;
}

/* Between two readings handle 2 comes 2000 further, and so on; it had its turn half of the time. */
static int read_counter(int fd, struct ur_reading *r)
{
	uint64_t n = ++asked[fd];

	*r = (struct ur_reading){ .value = 500 * (uint64_t)fd * n,
				  .enabled = 10 * n,
				  .running = 5 * n };
	return 0;
}

static void close_counter(int fd)
{
	(void)fd;
}

static const struct ur_hardware_ops counters = { open_counter, read_counter, close_counter };

static json_t *measure(const char *path, unsigned int refuse)
{
	const struct ur_spec specs[] = {
		{ .model = um_model_find("null"), .label = "null" },
		{ .model = um_model_find("kvm"), .label = "kvm" },
	};
	struct ur_hardware hw;
	struct ur_context context = { .clock = &clk, .command = "", .hardware = &hw };
	struct ur_plan plan = {
		.specs = specs, .n_specs = 2, .passes = 6, .clock = &clk, .hardware = &hw
	};
	struct ur_trace *trace;
	struct ut_error err;
	json_t *json;

	next_fd = 0;
	broken = refuse;
	ur_hardware_open(&hw, &counters);
	context.floor = plan.floor = ur_floor_create(&clk);
	assert_non_null(plan.floor);
	assert_int_equal(ur_replay(path, &plan, &trace, &err), 0);
	json = ur_results_json(&context, &trace, 1);
	assert_non_null(json);
	ur_trace_free(trace);
	ur_floor_free(plan.floor);
	ur_hardware_close(&hw);
	return json;
}

static json_t *measured_of(json_t *results, const char *model)
{
	json_t *run;
	size_t i;

	json_array_foreach(json_object_get(results, "runs"), i, run) {
		if (!strcmp(json_string_value(json_object_get(run, "model")), model))
			return json_object_get(run, "measured");
	}
	fail_msg("no run of %s", model);
	return NULL;
}

/* 40,000 events are three blocks, and one more holds what was kept back for their order. */
static void processor_counts_are_in_the_results(void **state)
{
	json_t *results = measure(make_guest("counters.utrace", EVENTS, 2), 0);
	json_t *hw = json_object_get(measured_of(results, "kvm"), "hardware");
	json_t *there = json_object_get(json_object_get(results, "context"), "hardware");

	(void)state;
	assert_int_equal(json_object_size(json_object_get(there, "available")), 4);
	assert_int_equal(json_object_size(json_object_get(there, "unavailable")), 0);
	assert_int_equal(json_object_size(hw), 4);
	for (unsigned int e = 0; e < UR_HW_END; e++) {
		json_t *c = json_object_get(hw, ur_hardware_name(e));
		json_t *values = json_object_get(c, "values");

		assert_int_equal(json_array_size(values), 6);
		for (size_t p = 0; p < 6; p++)
			assert_true(json_real_value(json_array_get(values, p)) ==
				    4 * 1000.0 * (e + 1));
		assert_true(json_real_value(json_object_get(c, "median")) == 4 * 1000.0 * (e + 1));
	}
	json_decref(results);
}

static void a_missing_counter_is_said_with_its_reason(void **state)
{
	json_t *results = measure(make_guest("missing.utrace", EVENTS, 1), 3);
	json_t *hw = json_object_get(measured_of(results, "kvm"), "hardware");
	json_t *there = json_object_get(json_object_get(results, "context"), "hardware");
	json_t *why = json_object_get(json_object_get(there, "unavailable"), "llc_misses");

	(void)state;
	assert_int_equal(json_object_size(json_object_get(there, "available")), 3);
	assert_non_null(strstr(json_string_value(why), "ENOENT"));
	assert_int_equal(json_object_size(hw), 3);
	assert_null(json_object_get(hw, "llc_misses"));
	json_decref(results);
}

/* Each figure again from the raw values that are in the results beside it. */
static void costs_and_floor_are_in_the_results(void **state)
{
	json_t *results = measure(UNSYNC_TRACES "/boot-exact.utrace", 0);
	json_t *null = measured_of(results, "null"), *m = measured_of(results, "kvm");
	json_t *floor = json_object_get(m, "floor"), *levels;
	double table_ns[6], bytes, ratio[6];
	struct ur_stats s;

	(void)state;
	levels = json_object_get(json_array_get(json_object_get(results, "traces"), 0), "floor");
	assert_true(json_array_size(levels) >= 1);
	assert_true(json_is_null(json_object_get(null, "floor")));
	assert_true(json_is_null(json_object_get(json_object_get(null, "cost"), "table")));
	assert_null(json_object_get(null, "above_null"));
	assert_non_null(json_object_get(m, "above_null"));
	assert_true(json_is_object(floor));
	bytes = (double)json_integer_value(json_object_get(floor, "bytes"));
	for (size_t p = 0; p < 6; p++) {
		json_t *read = json_object_get(json_object_get(floor, "read_ns"), "values");

		table_ns[p] = (double)json_integer_value(
			json_array_get(json_object_get(m, "table_ns"), p));
		ratio[p] = table_ns[p] * 4096 / bytes / json_real_value(json_array_get(read, p));
	}
	assert_int_equal(ur_stats_of(ratio, 6, &s), 0);
	assert_true(s.median > 0);
	/* Times are written rounded. */
	assert_true(
		fabs(json_real_value(json_object_get(json_object_get(floor, "ratio"), "median")) -
		     s.median) < 0.02 * s.median);
	json_decref(results);
}

static void table_names_every_model(void **state)
{
	const char *path = make_guest("table.utrace", 2000, 1);
	const struct ur_context context = { .clock = &clk };
	struct ur_spec specs[32];
	struct ur_trace *trace;
	char *text = NULL;
	size_t len;
	FILE *f;

	(void)state;
	all_models(specs, 32);
	trace = replay(path, specs, 6);
	assert_non_null(trace);
	f = open_memstream(&text, &len);
	assert_non_null(f);
	assert_int_equal(ur_report_table(f, trace, &context), 0);
	assert_int_equal(ur_report_csv(f, &trace, 1, &context), 0);
	fclose(f);
	for (size_t i = 0; specs[i].model; i++) {
		char row[128];

		assert_non_null(strstr(text, specs[i].label));
		snprintf(row, sizeof(row), "\ntable,%s,%s,", specs[i].model->name, specs[i].label);
		assert_non_null(strstr(text, row));
	}
	free(text);
	ur_trace_free(trace);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_are_the_same_every_time),
		cmocka_unit_test(measured_passes_count_the_same),
		cmocka_unit_test(timeline_adds_up),
		cmocka_unit_test(bins_cover_every_time),
		cmocka_unit_test(several_vms_are_summed),
		cmocka_unit_test(unsteady_model_is_found_out),
		cmocka_unit_test(hostile_options_fail_their_run_only),
		cmocka_unit_test(damage_leaves_what_came_before),
		cmocka_unit_test(warns_of_losses_and_native),
		cmocka_unit_test(nothing_to_replay_is_refused),
		cmocka_unit_test(results_are_written_whole_or_not_at_all),
		cmocka_unit_test(processor_counts_are_in_the_results),
		cmocka_unit_test(a_missing_counter_is_said_with_its_reason),
		cmocka_unit_test(costs_and_floor_are_in_the_results),
		cmocka_unit_test(table_names_every_model),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
