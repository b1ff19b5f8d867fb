// SPDX-License-Identifier: GPL-2.0-only
#include "plots_sample.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/model.h"

#define BINS 240

static uint64_t seed;

static double draw(void)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (double)(seed >> 11) / 9007199254740992.0;
}

/* A guest's behaviour, roughly. */
struct workload {
	const char *name, *title;
	unsigned int vcpus;
	double seconds, faults, writes, cr3, invlpg, in_runs;
};

static const struct workload workloads[] = {
	{ "boot", "boot to user land", 1, 6.1, 70000, 120000, 4000, 2500, 0.5 },
	{ "fork", "fork and exec, 300 times", 1, 45.8, 78160, 365459, 20105, 4541, 0.85 },
	{ "cc", "compile and link C", 1, 31.0, 210000, 480000, 9000, 12000, 0.7 },
	{ "sqlite", "sqlite3: table and index", 1, 9.4, 41000, 52000, 1800, 900, 0.3 },
	{ "messaging", "perf bench sched messaging", 2, 14.7, 66000, 140000, 61000, 7000, 0.6 },
};

enum design { SYNC_ON_WRITE, OOS_PER_ROOT, UNSYNC_BITMAP, NO_SHADOW, N_DESIGNS };

static const char *const labels[] = { "sync-on-write", "oos-per-root", "unsync-bitmap", "null" };

static void set(json_t *o, const char *key, double v)
{
	json_object_set_new(o, key, json_integer((json_int_t)v));
}

static json_t *sample_context(bool measured)
{
	json_t *o = json_object();

	json_object_set_new(o, "tool", json_string("0.1.0"));
	if (measured)
		json_object_update_new(
			o,
			json_pack("{s:s,s:s,s:i,s:s,s:s,s:s,s:f,s:{s:s,s:f,s:f},s:s}", "created",
				  "2026-11-23T05:00:00Z", "cpu", "Sample CPU @ 2.50GHz", "cores", 2,
				  "kernel", "6.1.0-sample", "compiler", "gcc 12.2.0", "build",
				  "Release", "load", 0.41, "clock", "source", "tsc", "ns_per_tick",
				  0.4, "overhead_ns", 11.2, "command",
				  "unsync replay boot-exact.utrace fork-exact.utrace --model all "
				  "-o R.json"));
	json_object_set_new(o, "warnings", json_array());
	if (measured)
		json_object_set_new(o, "hardware",
				    json_pack("{s:{s:s},s:{s:s,s:s}}", "available", "cycles",
					      "of the processor", "unavailable", "llc_misses",
					      "the processor does not show this counter here",
					      "dtlb_misses",
					      "the processor does not show this counter here"));
	return o;
}

static json_t *sample_glossary(void)
{
	json_t *o = json_object(), *counters = json_object(), *causes = json_object(), *models;

#define X(name, help) json_object_set_new(counters, #name, json_string(help));
	UM_COUNTERS(X)
#undef X
#define X(name, help) json_object_set_new(causes, #name, json_string(help));
	UM_CAUSES(X)
#undef X
	models = json_pack("{s:s,s:s,s:s,s:s}", "sync-on-write",
			   "every table write exits and is emulated at once", "oos-per-root",
			   "tables of one root go out of sync; a list for each root",
			   "unsync-bitmap",
			   "any last-level table goes out of sync; bitmaps lead to them", "null",
			   "no shadow paging: what the harness costs");
	json_object_set_new(o, "counters", counters);
	json_object_set_new(o, "causes", causes);
	json_object_set_new(o, "models", models);
	return o;
}

static json_t *sample_trace(const struct workload *w, bool exact)
{
	const char *mode = exact ? "exact" : "native";
	double events = w->faults * 1.4 + w->writes + w->cr3 + w->invlpg + 9000;
	char id[32], path[80], hash[20];

	snprintf(id, sizeof(id), "%s-%s", w->name, mode);
	snprintf(path, sizeof(path), "data/traces/%s.utrace", id);
	snprintf(hash, sizeof(hash), "%016llx", (unsigned long long)(draw() * 1.8e19));
	return json_pack("{s:s,s:s,s:s,s:I,s:s,s:s,s:I,s:I,s:I,s:i,s:i,s:i,s:b,s:s,s:{s:I,s:i,s:i},"
			 "s:{s:I,s:I,s:I}}",
			 "id", id, "path", path, "xxh64", hash, "bytes", (json_int_t)(events * 3.1),
			 "mode", mode, "title", w->title, "events", (json_int_t)events, "blocks",
			 (json_int_t)(events / 4096 + 1), "duration_ns",
			 (json_int_t)(w->seconds * 1e9), "vms", 1, "vcpus", (int)w->vcpus, "lost",
			 0, "complete", 1, "kernel", "6.1.0-sample-amd64", "writes", "trapped",
			 (json_int_t)w->writes, "window", 0, "walk", 0, "host", "unsync",
			 (json_int_t)(exact ? 0 : 11449), "sync", (json_int_t)(exact ? 0 : 11449),
			 "resync_ns", (json_int_t)(exact ? 0 : 91000000));
}

static json_t *sample_counted(const struct workload *w, enum design d)
{
	/* Share of writes that exit; tables synced per CR3 write; their share in vain. */
	static const double exits[] = { 0.42, 0.13, 0.06, 0 };
	static const double synced[] = { 0, 2.1, 3.4, 0 }, vain[] = { 0, 0.22, 0.41, 0 };
	json_t *o = json_object();
	double writes = w->writes * exits[d], tables = w->cr3 * synced[d] * (0.8 + 0.4 * draw());
	double compared = tables * (40 + 60 * draw()), unsyncs = tables * 0.7;

#define X(name, help) set(o, #name, 0);
	UM_COUNTERS(X)
#undef X
	set(o, "writes", w->writes);
	set(o, "writes_silent", w->writes - writes);
	if (d == NO_SHADOW)
		return o;
	set(o, "exit_fault",
	    w->faults * (1 + 0.1 * draw()) + (d == SYNC_ON_WRITE ? writes / 6 : 0));
	set(o, "exit_reflect", w->faults * 0.35);
	set(o, "exit_table_write", writes);
	set(o, "exit_cr3", w->cr3);
	set(o, "exit_cr4", 60);
	set(o, "exit_invlpg", d == SYNC_ON_WRITE ? 0 : w->invlpg);
	set(o, "refaults_max",
	    d == SYNC_ON_WRITE ? w->faults * w->in_runs * 0.3 : w->faults * 0.02);
	set(o, "writes_emulated", writes);
	set(o, "unsyncs", unsyncs);
	set(o, "resyncs", w->cr3 + writes);
	set(o, "tables_synced", tables);
	set(o, "tables_in_vain", tables * vain[d]);
	set(o, "entries_compared", compared);
	set(o, "entries_kept", compared * 0.88);
	set(o, "entries_permission", compared * 0.04);
	set(o, "entries_dropped", compared * 0.07);
	set(o, "entries_retargeted", compared * 0.01);
	set(o, "entries_fixed", writes);
	set(o, "pages_created", w->faults * (d == SYNC_ON_WRITE ? 0.31 : 0.11));
	set(o, "unsync_peak", d == SYNC_ON_WRITE ? 0 : 60 + 300 * draw());
	set(o, "bookkeeping_peak", 4000 + 90000 * draw());
	return o;
}

static json_t *sample_timeline(const struct workload *w, enum design d, const json_t *counted)
{
	json_t *o = json_object(), *unsync = json_array(), *exits = json_array();
	json_t *synced = json_array();
	double level = 0, per_bin = 0;
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)counted, key, value) {
		if (!strncmp(key, "exit_", 5))
			per_bin += (double)json_integer_value(value) / BINS;
	}
	for (int i = 0; i < BINS; i++) {
		double burst = 0.4 + draw() + (i % 40 < 8 ? 2.2 : 0);

		level += burst * 14 - level * (0.2 + 0.2 * draw());
		json_array_append_new(unsync, json_integer(d == SYNC_ON_WRITE || d == NO_SHADOW
								   ? 0
								   : (int)(level * (1 + d))));
		json_array_append_new(exits, json_integer((json_int_t)(per_bin * burst / 1.34)));
		json_array_append_new(
			synced,
			json_integer((json_int_t)(burst *
						  (double)json_integer_value(json_object_get(
							  counted, "tables_synced")) /
						  BINS / 1.34)));
	}
	set(o, "bin_ns", w->seconds * 1e9 / BINS);
	json_object_set_new(o, "unsync", unsync);
	json_object_set_new(o, "exits", exits);
	json_object_set_new(o, "tables_synced", synced);
	return o;
}

/* A spread of latencies around two humps: single fixes and whole tables. */
static json_t *sample_histogram(enum design d, double count, double *quantile, double *mean)
{
	static const double share[] = { 0.5, 0.9, 0.99, 0.999, 1 };
	double low = d == SYNC_ON_WRITE ? 95 : 120, high = d == OOS_PER_ROOT ? 900 : 1700;
	double weight[160], sum = 0, seen = 0, total = 0;
	json_t *o = json_array();
	int q = 0;

	for (int i = 0; i < 160; i++) {
		double x = log(40 * pow(1.06, i));
		double a = exp(-pow((x - log(low)) / 0.25, 2)),
		       b = exp(-pow((x - log(high)) / 0.7, 2));

		weight[i] = (d == SYNC_ON_WRITE ? 0.97 : 0.55) * a +
			    (d == SYNC_ON_WRITE ? 0.01 : 0.3) * b + 1e-5;
		sum += weight[i];
	}
	*mean = 0;
	for (int i = 0; i < 160; i++) {
		double upper = 40 * pow(1.06, i), n = floor(count * weight[i] / sum);

		total += n;
		*mean += n * upper;
		json_array_append_new(o, json_pack("[f,I]", upper, (json_int_t)n));
	}
	for (int i = 0; i < 160 && total > 0; i++) {
		seen += floor(count * weight[i] / sum);
		while (q < 5 && seen >= share[q] * total - 0.5)
			quantile[q++] = 40 * pow(1.06, i);
	}
	*mean = total > 0 ? *mean / total : 0;
	quantile[5] = total;
	return o;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static json_t *sample_stat(const double *values, unsigned int n, bool outliers)
{
	double v[64], dev[64];
	json_t *o;

	memcpy(v, values, n * sizeof(*v));
	qsort(v, n, sizeof(*v), ascending);
	for (unsigned int i = 0; i < n; i++)
		dev[i] = fabs(v[i] - v[n / 2]);
	qsort(dev, n, sizeof(*dev), ascending);
	o = json_pack("{s:f,s:f}", "median", v[n / 2], "mad", dev[n / 2]);
	json_object_set_new(o, "ci95", n < 6 ? json_null() : json_pack("[f,f]", v[1], v[n - 2]));
	if (outliers)
		json_object_set_new(o, "outliers", json_array());
	return o;
}

/* A figure and its spread, made up. */
static json_t *figure(double median)
{
	return json_pack("{s:f,s:f,s:[f,f],s:[]}", "median", median, "mad", median / 50, "ci95",
			 median * 0.9, median * 1.1, "outliers");
}

static json_t *sample_bins(double sum)
{
	json_t *o = json_array();

	for (int i = 0; i < BINS; i++)
		json_array_append_new(o, json_integer((json_int_t)(sum / BINS)));
	return o;
}

static void add_costs(json_t *o, enum design d)
{
	json_object_set_new(o, "cost",
			    json_pack("{s:o,s:o,s:o,s:n}", "resync", figure(300), "table",
				      figure(900), "compared", figure(20), "changed"));
	json_object_set_new(o, "floor",
			    d == SYNC_ON_WRITE || d == NO_SHADOW
				    ? json_null()
				    : json_pack("{s:i,s:s,s:o,s:i,s:o,s:o}", "working_set_bytes",
						65536, "level", "L2", "read_ns", figure(40),
						"bytes", 4096000, "ns", figure(40000), "ratio",
						figure(9.5)));
	json_object_set_new(
		o, "hardware",
		json_pack("{s:o,s:o}", "cycles", figure(8e8), "instructions", figure(2e9)));
}

static json_t *sample_measured(enum design d, const json_t *counted, double events,
			       unsigned int passes)
{
	double total[64], resync[64], rate[64], q[6] = { 0 }, mean = 0;
	double resyncs = (double)json_integer_value(json_object_get(counted, "resyncs"));
	json_t *o, *totals, *times, *histogram;

	if (!passes)
		return json_null();
	o = json_object();
	totals = json_array();
	times = json_array();
	histogram = sample_histogram(d, resyncs * passes, q, &mean);
	for (unsigned int i = 0; i < passes; i++) {
		resync[i] = floor(resyncs * mean * (1 + 0.02 * draw()));
		total[i] = resync[i] + floor(events * 35 * (1 + 0.03 * draw()));
		rate[i] = events * 1e9 / total[i];
		json_array_append_new(totals, json_integer((json_int_t)total[i]));
		json_array_append_new(times, json_integer((json_int_t)resync[i]));
	}
	set(o, "passes", passes);
	set(o, "warmup", 1);
	json_object_set_new(o, "total_ns", totals);
	json_object_set_new(o, "resync_ns", times);
	json_object_set_new(o, "total", sample_stat(total, passes, true));
	json_object_set_new(o, "resync_total", sample_stat(resync, passes, true));
	json_object_set_new(o, "events_per_s", sample_stat(rate, passes, false));
	json_object_set_new(o, "resync",
			    json_pack("{s:I,s:f,s:f,s:f,s:f,s:f,s:f,s:f}", "count",
				      (json_int_t)q[5], "mean", mean, "p50", q[0], "p90", q[1],
				      "p99", q[2], "p999", q[3], "max", q[4], "error", 0.0156));
	json_object_set_new(o, "histogram", histogram);
	json_object_set_new(o, "by_cause",
			    json_pack("{s:{s:I,s:f,s:f,s:f}}", "write", "count", (json_int_t)q[5],
				      "p50", q[0], "p99", q[2], "total", q[5] * mean));
	json_object_set_new(o, "timeline_ns", sample_bins(resync[0]));
	add_costs(o, d);
	return o;
}

static json_t *sample_run(const struct workload *w, const json_t *trace, enum design d,
			  unsigned int passes)
{
	json_t *counted = sample_counted(w, d);
	double events = (double)json_integer_value(json_object_get(trace, "events"));
	json_t *o = json_pack("{s:O,s:s,s:s,s:{}}", "trace", json_object_get(trace, "id"), "model",
			      labels[d], "label", labels[d], "options");

	if (d == OOS_PER_ROOT)
		json_object_set_new(json_object_get(o, "options"), "globals", json_string("7"));
	json_object_set_new(o, "counted", counted);
	json_object_set_new(o, "resyncs",
			    json_pack("{s:{s:O,s:O,s:O,s:i}}", "cr3", "count",
				      json_object_get(counted, "resyncs"), "tables",
				      json_object_get(counted, "tables_synced"), "compared",
				      json_object_get(counted, "entries_compared"), "changed", 0));
	json_object_set_new(o, "timeline", sample_timeline(w, d, counted));
	json_object_set_new(o, "measured", sample_measured(d, counted, events, passes));
	if (strcmp(json_string_value(json_object_get(trace, "mode")), "native") == 0 &&
	    d == UNSYNC_BITMAP)
		json_object_set_new(o, "agreement",
				    json_pack("{s:{s:i,s:i,s:i},s:{s:i,s:i,s:i}}", "unsync", "host",
					      11449, "model", 11440, "matched", 11400, "sync",
					      "host", 11449, "model", 11449, "matched", 11449));
	else
		json_object_set_new(o, "agreement", json_null());
	json_object_set_new(o, "verified",
			    json_pack("{s:i,s:i,s:i,s:i}", "events", 1000, "checks", 5000,
				      "undecided", 7, "violations", 0));
	return o;
}

json_t *plots_sample(unsigned int traces, bool exact, unsigned int passes)
{
	json_t *o = json_object(), *about = json_array(), *runs = json_array();

	seed = 42;
	for (unsigned int t = 0; t < traces; t++) {
		json_t *trace = sample_trace(&workloads[t], exact);

		json_array_append_new(about, trace);
		for (int d = 0; d < N_DESIGNS; d++)
			json_array_append_new(runs, sample_run(&workloads[t], trace, d, passes));
	}
	json_object_set_new(o, "schema", json_string("unsync-results"));
	json_object_set_new(o, "version", json_integer(1));
	json_object_set_new(o, "context", sample_context(passes > 0));
	json_object_set_new(o, "glossary", sample_glossary());
	json_object_set_new(o, "traces", about);
	json_object_set_new(o, "runs", runs);
	json_object_set_new(o, "failed", json_array());
	return o;
}
