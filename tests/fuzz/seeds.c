// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes what a fuzzer begins with: small inputs that are right.
 *
 *	fuzz-seeds NAME FOLDER
 */
#define _GNU_SOURCE
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cost/files.h"
#include "models/mmu.h"
#include "tests/fuzz/plugin_image.h"
#include "tests/fuzz/seeds.h"
#include "tests/unit/plots_sample.h"
#include "tests/unit/trace_gen.h"

static const char *folder;

_Noreturn void die(const char *what)
{
	fprintf(stderr, "fuzz-seeds: %s: %s\n", what, strerror(errno));
	exit(1);
}

static char *path_of(const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", folder, name) < 0)
		die("memory");
	return path;
}

void save(const char *name, const void *bytes, size_t len)
{
	char *path = path_of(name);
	FILE *f = fopen(path, "we");

	if (!f || fwrite(bytes, 1, len, f) != len || fclose(f))
		die(path);
	free(path);
}

/* ---- traces ---- */

struct recording {
	struct ut_writer *w;
	unsigned int left; /* events that are still taken */
};

static struct ut_writer *trace_open(const char *name, enum ut_mode mode)
{
	const struct ut_meta meta[] = { { "tool", "fuzz-seeds" },
					{ "kernel", "6.1.0" },
					{ "command", "a \\ and \x01 and \xff and \xc3\xa9" },
					{ UT_META_SYNTHETIC "seed", "1" } };
	const struct ut_header h = { .mode = mode, .meta = meta, .n_meta = 4 };
	char *path = path_of(name);
	struct ut_error err;
	struct ut_writer *w = ut_writer_open(path, &h, &err);

	if (!w)
		die(err.text);
	free(path);
	return w;
}

static void trace_close(struct ut_writer *w)
{
	struct ut_error err;

	if (ut_writer_close(w, &err))
		die(err.text);
}

static void add(struct ut_writer *w, const struct ut_event *e)
{
	struct ut_error err;

	if (ut_writer_add(w, e, &err))
		die(err.text);
}

static int take(void *arg, const struct ut_event *e)
{
	struct recording *rec = arg;

	if (!rec->left)
		return 1;
	rec->left--;
	add(rec->w, e);
	return 0;
}

/* A few events of one kind. */
static void trace_of_kind(unsigned int kind)
{
	struct gen g = { .state = kind };
	struct ut_event e = { 0 };
	unsigned int left = 6;
	struct ut_writer *w;
	char name[40];

	snprintf(name, sizeof(name), "kind-%s", ut_kind_name(kind));
	w = trace_open(name, UT_MODE_EXACT);
	while (left) {
		gen_any(&g, &e);
		if (e.kind != kind)
			continue;
		add(w, &e);
		left--;
	}
	trace_close(w);
}

static void trace_of_any(const char *name, unsigned int events, unsigned int per_block)
{
	struct gen g = { .state = events };
	struct ut_writer *w = trace_open(name, UT_MODE_NATIVE);
	struct ut_event e;

	for (unsigned int i = 0; i < events; i++) {
		gen_any(&g, &e);
		add(w, &e);
		if (i % per_block == per_block - 1)
			ut_writer_flush(w, NULL);
	}
	trace_close(w);
}

static void traces(void)
{
	struct recording rec;

	for (unsigned int kind = UT_STATE; kind < UT_KIND_END; kind++)
		trace_of_kind(kind);
	trace_of_any("empty", 0, 1);
	trace_of_any("blocks", 24, 4);
	trace_of_any("any", 60, 60);
	rec = (struct recording){ trace_open("guest", UT_MODE_EXACT), 300 };
	gen_guest(1, 1, take, &rec);
	trace_close(rec.w);
}

/* ---- JSON ---- */

static json_int_t sum_of(const json_t *histogram)
{
	json_int_t sum = 0;
	json_t *bucket;
	size_t i;

	json_array_foreach(histogram, i, bucket)
		sum += json_integer_value(json_array_get(bucket, 1));
	return sum;
}

/* Long lists cost time and show nothing that short ones do not. */
static void shorten(json_t *json)
{
	const char *key;
	json_t *value;
	size_t i;

	while (json_array_size(json) > 10)
		json_array_remove(json, 10);
	json_array_foreach(json, i, value)
		shorten(value);
	json_object_foreach(json, key, value) {
		if (json_string_length(value) > 30)
			json_object_set_new(json, key, json_string("text"));
		else
			shorten(value);
	}
	value = json_object_get(json, "histogram");
	if (value)
		json_object_set_new(json_object_get(json, "resync"), "count",
				    json_integer(sum_of(value)));
}

static void save_json(const char *name, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);

	if (!text)
		die(name);
	save(name, text, strlen(text));
	free(text);
	json_decref(json);
}

static void sample(const char *name, unsigned int traces, bool exact, unsigned int passes)
{
	json_t *json = plots_sample(traces, exact, passes);

	shorten(json);
	save_json(name, json);
}

/* Traces that differ in a parameter only. */
static void series(void)
{
	json_t *json = plots_sample(3, true, 0), *trace;
	size_t i;

	shorten(json);
	json_array_foreach(json_object_get(json, "traces"), i, trace)
		json_object_set_new(trace, "synthetic",
				    json_pack("{s:I,s:s,s:i}", "processes", (json_int_t)4 << i,
					      "mode", "exact", "seed", 7));
	save_json("series.json", json);
}

static void documents(void)
{
	sample("counted.json", 1, true, 0);
	sample("native.json", 2, false, 0);
	sample("measured.json", 1, true, 3);
	sample("intervals.json", 1, true, 9);
	series();
	for (const struct co_file *f = co_files; f->name; f++)
		save(f->name, f->data, f->len);
	save("none.json", "[]", 2);
}

/* ---- descriptors ---- */

struct image {
	struct image_head head;
	uint8_t bytes[4096];
	size_t len;
};

/* @bytes in the image, at a multiple of 8: where. */
static uint64_t put(struct image *i, const void *bytes, size_t len)
{
	size_t at = i->len;

	memcpy(i->bytes + at, bytes, len);
	i->len = (at + len + 7) & ~(size_t)7;
	return IMAGE_POINTER << 48 | at;
}

static const char *text(struct image *i, const char *s)
{
	return s ? (const char *)(uintptr_t)put(i, s, strlen(s) + 1) : NULL;
}

static uint64_t put_options(struct image *i, const struct um_option *from)
{
	struct um_option row[16] = { { 0 } };
	size_t n = 0;

	for (; from && from[n].name; n++) {
		row[n] = from[n];
		row[n].name = text(i, from[n].name);
		row[n].help = text(i, from[n].help);
		row[n].def = text(i, from[n].def);
		row[n].choices = text(i, from[n].choices);
	}
	return put(i, row, (n + 1) * sizeof(*row));
}

static uint64_t put_counters(struct image *i, const struct um_own_counter *from)
{
	struct um_own_counter row[16] = { { 0 } };
	size_t n = 0;

	for (; from && from[n].name; n++) {
		row[n].name = text(i, from[n].name);
		row[n].help = text(i, from[n].help);
	}
	return put(i, row, (n + 1) * sizeof(*row));
}

/* Where they lie differs from run to run; seeds do not. */
static void hide_hooks(uint8_t *model)
{
	const uint64_t somewhere = 0x1000;

	for (size_t at = offsetof(struct um_model, create); at < sizeof(struct um_model);
	     at += sizeof(somewhere)) {
		uint64_t hook;

		memcpy(&hook, model + at, sizeof(hook));
		if (hook)
			memcpy(model + at, &somewhere, sizeof(somewhere));
	}
}

/* A model that is built in, as if a plug-in had brought it. */
static void descriptor(const char *name, const struct um_model *from)
{
	struct image i = { .head = { .bytes = sizeof(*from) } };
	struct um_model m = *from;

	i.len = (sizeof(m) + 7) & ~(size_t)7;
	m.name = text(&i, m.name);
	m.summary = text(&i, m.summary);
	if (m.options)
		m.options = (const struct um_option *)(uintptr_t)put_options(&i, m.options);
	if (m.counters)
		m.counters = (const struct um_own_counter *)(uintptr_t)put_counters(&i, m.counters);
	memcpy(i.bytes, &m, sizeof(m));
	hide_hooks(i.bytes);
	i.head.first = (uint16_t)i.len;
	save(name, &i, sizeof(i.head) + i.len);
}

static void descriptors(void)
{
	static const struct um_option options[] = {
		{ .name = "limit", .help = "of it", .type = UM_OPT_NUMBER, .max = 9, .def = "3" },
		{ .name = "on", .help = "whether", .type = UM_OPT_BOOL, .def = "no" },
		{ .name = "how",
		  .help = "way",
		  .type = UM_OPT_CHOICE,
		  .choices = "a|b-1",
		  .def = "a" },
		{ 0 }
	};
	static const struct um_own_counter counters[] = { { "one", "first" },
							  { "two", "second" },
							  { 0 } };
	const struct um_model all = { UM_MODEL_HEAD,	    .name = "made-up",
				      .summary = "nothing", .options = options,
				      .counters = counters, .state_bytes = 8,
				      .no_shadow = true };

	for (const struct um_model *const *m = um_models(); *m; m++)
		descriptor((*m)->name, *m);
	descriptor("made-up", &all);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*make)(void);
	} all[] = {
		{ "trace", traces },	{ "json", documents },	  { "plugin", descriptors },
#ifdef UNSYNC_HAVE_IMPORT
		{ "perf", seeds_perf }, { "story", seeds_story }, { "tracedat", seeds_tracedat },
#endif
	};

	if (argc == 3) {
		folder = argv[2];
		if (mkdir(folder, 0777) && errno != EEXIST)
			die(folder);
		for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
			if (strcmp(all[i].name, argv[1]) != 0)
				continue;
			all[i].make();
			return 0;
		}
	}
	fprintf(stderr, "usage: fuzz-seeds NAME FOLDER\n");
	return 2;
}
