// SPDX-License-Identifier: GPL-2.0-only
#include "plots/results_read.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_FILE (256ull << 20)
#define MAX_COUNT 1000000000000000ull /* a count beyond this is no count */
#define MAX_NS 1e18		      /* 31 years */
#define MAX_TRACES 256
#define MAX_PASSES 10000
#define MAX_BUCKETS 65536
#define MAX_TEXT 65536
#define MAX_NAME 200
#define MAX_MEMBERS 4096 /* of an object; names are looked for one by one */

/* What the charts and the page cannot do without. Others are shown if they are there. */
static const char *const required[] = {
	"exit_fault",	    "exit_reflect",	"exit_table_write",
	"exit_cr3",	    "exit_invlpg",	"refaults_max",
	"writes",	    "writes_emulated",	"unsyncs",
	"resyncs",	    "tables_synced",	"tables_in_vain",
	"entries_compared", "entries_kept",	"entries_permission",
	"entries_fixed",    "pages_created",	"unsync_peak",
	"writes_silent",    "bookkeeping_peak",
};

/* A value and the way to it, for messages. Lives on the stack of whoever looks at it. */
struct node {
	const struct node *up;
	const char *key; /* NULL: an element of an array */
	size_t index;
	json_t *json;
};

struct reader {
	const char *file;
	char *error;
	size_t error_len;
	struct pl_results *set;
};

static void print_place(FILE *out, const struct node *n)
{
	if (!n->up)
		return;
	print_place(out, n->up);
	if (n->key)
		fprintf(out, "%s%s", n->up->up ? "." : "", n->key);
	else
		fprintf(out, "[%zu]", n->index);
}

/* File content may stand in a message; it must not drive the terminal. */
static void defuse(char *s)
{
	for (; *s; s++) {
		if (iscntrl((unsigned char)*s))
			*s = '?';
	}
}

__attribute__((format(printf, 3, 4))) static int bad(struct reader *rd, const struct node *n,
						     const char *fmt, ...)
{
	va_list ap;
	FILE *out = fmemopen(rd->error, rd->error_len, "w");

	if (!out)
		return -1;
	fprintf(out, "%s: ", rd->file);
	if (n && n->up) {
		print_place(out, n);
		fputs(": ", out);
	}
	va_start(ap, fmt);
	vfprintf(out, fmt, ap);
	va_end(ap);
	fclose(out);
	rd->error[rd->error_len - 1] = '\0';
	defuse(rd->error);
	return -1;
}

static int no_memory(struct reader *rd)
{
	return bad(rd, NULL, "out of memory");
}

static const char *type_name(json_type t)
{
	switch (t) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "a whole number";
	case JSON_REAL:
		return "a number with a fraction";
	case JSON_NULL:
		return "null";
	default:
		return "true or false";
	}
}

static int wrong_type(struct reader *rd, const struct node *n, const char *wanted)
{
	return bad(rd, n, "is %s where %s should be; not written by 'unsync replay'",
		   type_name(json_typeof(n->json)), wanted);
}

static struct node element(const struct node *array, size_t i)
{
	return (struct node){ array, NULL, i, json_array_get(array->json, i) };
}

static int member(struct reader *rd, const struct node *up, const char *key, struct node *n)
{
	*n = (struct node){ up, key, 0, json_object_get(up->json, key) };
	if (!n->json)
		return bad(rd, n, "is missing; run 'unsync replay' again with this version");
	return 0;
}

static int check_object(struct reader *rd, const struct node *n, const char *wanted)
{
	if (!json_is_object(n->json))
		return wrong_type(rd, n, wanted);
	if (json_object_size(n->json) > MAX_MEMBERS)
		return bad(rd, n, "has %zu members, at most %d make sense",
			   json_object_size(n->json), MAX_MEMBERS);
	return 0;
}

static int get_object(struct reader *rd, const struct node *up, const char *key, struct node *n)
{
	return -(member(rd, up, key, n) || check_object(rd, n, "an object"));
}

static int get_array(struct reader *rd, const struct node *up, const char *key, size_t max,
		     struct node *n)
{
	if (member(rd, up, key, n))
		return -1;
	if (!json_is_array(n->json))
		return wrong_type(rd, n, "an array");
	if (json_array_size(n->json) > max)
		return bad(rd, n, "has %zu elements, at most %zu make sense",
			   json_array_size(n->json), max);
	return 0;
}

static int check_text(struct reader *rd, const struct node *n, size_t max)
{
	if (!json_is_string(n->json))
		return wrong_type(rd, n, "a string");
	if (json_string_length(n->json) > max)
		return bad(rd, n, "is longer than %zu bytes", max);
	return 0;
}

static int get_text(struct reader *rd, const struct node *up, const char *key, size_t max,
		    const char **out)
{
	struct node n;

	if (member(rd, up, key, &n) || check_text(rd, &n, max))
		return -1;
	*out = json_string_value(n.json);
	return 0;
}

static int to_count(struct reader *rd, const struct node *n, uint64_t max, uint64_t *out)
{
	json_int_t v;

	if (!json_is_integer(n->json))
		return wrong_type(rd, n, "a whole number");
	v = json_integer_value(n->json);
	if (v < 0)
		return bad(rd, n, "is negative (%lld)", (long long)v);
	if ((uint64_t)v > max)
		return bad(rd, n, "is %lld, beyond anything that can be (%llu)", (long long)v,
			   (unsigned long long)max);
	*out = (uint64_t)v;
	return 0;
}

static int get_count(struct reader *rd, const struct node *up, const char *key, uint64_t max,
		     uint64_t *out)
{
	struct node n;

	return -(member(rd, up, key, &n) || to_count(rd, &n, max, out));
}

static int to_real(struct reader *rd, const struct node *n, double max, double *out)
{
	double v;

	if (!json_is_number(n->json))
		return wrong_type(rd, n, "a number");
	v = json_number_value(n->json);
	if (!isfinite(v) || v < 0)
		return bad(rd, n, "is %g; only finite numbers from 0 make sense", v);
	if (v > max)
		return bad(rd, n, "is %g, beyond anything that can be (%g)", v, max);
	*out = v;
	return 0;
}

static int get_real(struct reader *rd, const struct node *up, const char *key, double max,
		    double *out)
{
	struct node n;

	return -(member(rd, up, key, &n) || to_real(rd, &n, max, out));
}

static int get_bool(struct reader *rd, const struct node *up, const char *key, bool *out)
{
	struct node n;

	if (member(rd, up, key, &n))
		return -1;
	if (!json_is_boolean(n.json))
		return wrong_type(rd, &n, "true or false");
	*out = json_is_true(n.json);
	return 0;
}

/* An array of whole numbers; */
static int get_counts(struct reader *rd, const struct node *up, const char *key, size_t max,
		      uint64_t **out, size_t *n)
{
	struct node a;
	size_t size;

	if (get_array(rd, up, key, max, &a))
		return -1;
	size = json_array_size(a.json);
	*out = calloc(size ? size : 1, sizeof(**out));
	if (!*out)
		return no_memory(rd);
	*n = size;
	for (size_t i = 0; i < size; i++) {
		struct node e = element(&a, i);

		if (to_count(rd, &e, MAX_COUNT, &(*out)[i]))
			return -1;
	}
	return 0;
}

static int get_passes(struct reader *rd, const struct node *up, const char *key, size_t wanted,
		      double **out)
{
	struct node a;

	if (get_array(rd, up, key, MAX_PASSES, &a))
		return -1;
	if (json_array_size(a.json) != wanted)
		return bad(rd, &a, "has %zu values for %zu passes", json_array_size(a.json),
			   wanted);
	*out = calloc(wanted ? wanted : 1, sizeof(**out));
	if (!*out)
		return no_memory(rd);
	for (size_t i = 0; i < wanted; i++) {
		struct node e = element(&a, i);

		if (to_real(rd, &e, MAX_NS, &(*out)[i]))
			return -1;
	}
	return 0;
}

/* Room for one more element of an array that grows by one; zeroed. NULL: out of memory. */
static void *grow(void **array, size_t *n, size_t size)
{
	char *bigger = realloc(*array, (*n + 1) * size);

	if (!bigger)
		return NULL;
	*array = bigger;
	memset(bigger + *n * size, 0, size);
	return bigger + (*n)++ * size;
}

#define ADD(array, n) grow((void **)&(array), &(n), sizeof(*(array)))

static int read_clock(struct reader *rd, const struct node *up, struct pl_context *c)
{
	struct node clock;

	return -(get_object(rd, up, "clock", &clock) ||
		 get_text(rd, &clock, "source", MAX_NAME, &c->clock_source) ||
		 get_real(rd, &clock, "ns_per_tick", 1e9, &c->ns_per_tick) ||
		 get_real(rd, &clock, "overhead_ns", 1e9, &c->overhead_ns));
}

static int read_warnings(struct reader *rd, const struct node *up, struct pl_context *c)
{
	struct node a;

	if (get_array(rd, up, "warnings", 1000, &a))
		return -1;
	c->warnings = calloc(json_array_size(a.json) + 1, sizeof(*c->warnings));
	if (!c->warnings)
		return no_memory(rd);
	for (size_t i = 0; i < json_array_size(a.json); i++) {
		struct node e = element(&a, i);

		if (check_text(rd, &e, MAX_TEXT))
			return -1;
		c->warnings[c->n_warnings++] = json_string_value(e.json);
	}
	return 0;
}

/* Why the processor's counters could not be read. */
static int read_unavailable(struct reader *rd, const struct node *n, struct pl_context *c)
{
	struct node h = { n, "hardware", 0, json_object_get(n->json, "hardware") }, u;
	const char *name;
	json_t *value;

	if (!h.json)
		return 0;
	if (check_object(rd, &h, "an object"))
		return -1;
	if (get_object(rd, &h, "unavailable", &u))
		return -1;
	json_object_foreach(u.json, name, value) {
		struct node e = { &u, name, 0, value };

		if (check_text(rd, &e, MAX_TEXT))
			return -1;
	}
	c->unavailable = u.json;
	return 0;
}

/* Only a file with measured results names the machine: counts are the same on every one. */
static int read_machine(struct reader *rd, const struct node *n, struct pl_context *c)
{
	struct node load;

	if (get_text(rd, n, "created", MAX_NAME, &c->created) ||
	    get_text(rd, n, "cpu", MAX_NAME, &c->cpu) ||
	    get_count(rd, n, "cores", 1000000, &c->cores) ||
	    get_text(rd, n, "kernel", MAX_NAME, &c->kernel) ||
	    get_text(rd, n, "compiler", MAX_NAME, &c->compiler) ||
	    get_text(rd, n, "build", MAX_NAME, &c->build) || read_clock(rd, n, c) ||
	    get_text(rd, n, "command", MAX_TEXT, &c->command) || read_unavailable(rd, n, c) ||
	    member(rd, n, "load", &load))
		return -1;
	c->machine = true;
	c->load = -1;
	return json_is_null(load.json) ? 0 : to_real(rd, &load, 1e6, &c->load);
}

static int read_context(struct reader *rd, const struct node *top)
{
	struct node n;
	struct pl_context *c;

	if (get_object(rd, top, "context", &n))
		return -1;
	c = ADD(rd->set->contexts, rd->set->n_contexts);
	if (!c)
		return no_memory(rd);
	c->file = rd->file;
	if (get_text(rd, &n, "tool", MAX_NAME, &c->tool) || read_warnings(rd, &n, c))
		return -1;
	return json_object_get(n.json, "clock") ? read_machine(rd, &n, c) : 0;
}

static int read_terms(struct reader *rd, const struct node *glossary, const char *key,
		      struct pl_term **terms, size_t *n_terms)
{
	struct node n;
	const char *name;
	json_t *value;

	if (get_object(rd, glossary, key, &n))
		return -1;
	json_object_foreach(n.json, name, value) {
		struct node e = { &n, name, 0, value };
		struct pl_term *t;
		size_t i = 0;

		if (check_text(rd, &e, MAX_TEXT))
			return -1;
		while (i < *n_terms && strcmp((*terms)[i].name, name) != 0)
			i++;
		if (i < *n_terms)
			continue;
		t = ADD(*terms, *n_terms);
		if (!t)
			return no_memory(rd);
		t->name = name;
		t->help = json_string_value(value);
	}
	return 0;
}

static int read_glossary(struct reader *rd, const struct node *top, struct node *glossary,
			 struct node *models)
{
	return -(get_object(rd, top, "glossary", glossary) ||
		 read_terms(rd, glossary, "counters", &rd->set->counters, &rd->set->n_counters) ||
		 read_terms(rd, glossary, "causes", &rd->set->causes, &rd->set->n_causes) ||
		 get_object(rd, glossary, "models", models));
}

static int read_trace_counts(struct reader *rd, const struct node *n, struct pl_trace *t)
{
	struct node w, h;

	return -(get_count(rd, n, "bytes", MAX_COUNT, &t->bytes) ||
		 get_count(rd, n, "events", MAX_COUNT, &t->events) ||
		 get_count(rd, n, "blocks", MAX_COUNT, &t->blocks) ||
		 get_count(rd, n, "duration_ns", (uint64_t)MAX_NS, &t->duration_ns) ||
		 get_count(rd, n, "vms", 1000000, &t->vms) ||
		 get_count(rd, n, "vcpus", 1000000, &t->vcpus) ||
		 get_count(rd, n, "lost", MAX_COUNT, &t->lost) ||
		 get_bool(rd, n, "complete", &t->complete) || get_object(rd, n, "writes", &w) ||
		 get_count(rd, &w, "trapped", MAX_COUNT, &t->writes_trapped) ||
		 get_count(rd, &w, "window", MAX_COUNT, &t->writes_window) ||
		 get_count(rd, &w, "walk", MAX_COUNT, &t->writes_walk) ||
		 get_object(rd, n, "host", &h) ||
		 get_count(rd, &h, "unsync", MAX_COUNT, &t->host_unsync) ||
		 get_count(rd, &h, "sync", MAX_COUNT, &t->host_sync) ||
		 get_count(rd, &h, "resync_ns", (uint64_t)MAX_NS, &t->host_resync_ns));
}

/* An object of counts by names that are not known here, or nothing. @texts: a value may be a text, too. */
static int read_named(struct reader *rd, const struct node *up, const char *key, bool texts,
		      uint64_t most, json_t **named)
{
	struct node n = { up, key, 0, json_object_get(up->json, key) };
	const char *name;
	json_t *value;
	uint64_t v;

	if (!n.json)
		return 0;
	if (check_object(rd, &n, "an object"))
		return -1;
	json_object_foreach(n.json, name, value) {
		struct node e = { &n, name, 0, value };

		if (texts && json_is_string(value) ? check_text(rd, &e, MAX_NAME)
						   : to_count(rd, &e, most, &v))
			return -1;
	}
	*named = n.json;
	return 0;
}

static struct pl_trace *find_trace(struct pl_results *set, const char *id)
{
	for (size_t i = 0; i < set->n_traces; i++) {
		if (!strcmp(set->traces[i].id, id))
			return &set->traces[i];
	}
	return NULL;
}

static int read_trace(struct reader *rd, const struct node *n, size_t first)
{
	struct pl_trace t = { 0 }, *known;
	const char *mode;

	if (check_object(rd, n, "an object"))
		return -1;
	if (get_text(rd, n, "id", MAX_NAME, &t.id) || get_text(rd, n, "path", MAX_TEXT, &t.path) ||
	    get_text(rd, n, "xxh64", MAX_NAME, &t.xxh64) ||
	    get_text(rd, n, "mode", MAX_NAME, &mode) ||
	    get_text(rd, n, "title", MAX_TEXT, &t.title) ||
	    get_text(rd, n, "kernel", MAX_NAME, &t.kernel) || read_trace_counts(rd, n, &t) ||
	    read_named(rd, n, "synthetic", true, INT64_MAX, &t.synthetic))
		return -1;
	t.exact = !strcmp(mode, "exact");
	if (!t.exact && strcmp(mode, "native") != 0)
		return bad(rd, n, "mode is '%s'; 'exact' and 'native' are known", mode);
	if (!t.id[0])
		return bad(rd, n, "id is empty");
	known = find_trace(rd->set, t.id);
	if (known) {
		if ((size_t)(known - rd->set->traces) >= first)
			return bad(rd, n, "'%s' is there twice", t.id);
		if (strcmp(known->xxh64, t.xxh64) != 0)
			return bad(
				rd, n,
				"'%s' has another content here (xxh64 %s) than in an earlier file "
				"(%s); plot the files one by one",
				t.id, t.xxh64, known->xxh64);
		return 0;
	}
	known = ADD(rd->set->traces, rd->set->n_traces);
	if (!known)
		return no_memory(rd);
	*known = t;
	return 0;
}

static int read_traces(struct reader *rd, const struct node *top)
{
	struct node a;
	size_t first = rd->set->n_traces;

	if (get_array(rd, top, "traces", MAX_TRACES, &a))
		return -1;
	for (size_t i = 0; i < json_array_size(a.json); i++) {
		struct node e = element(&a, i);

		if (read_trace(rd, &e, first))
			return -1;
	}
	if (rd->set->n_traces > MAX_TRACES)
		return bad(rd, &a, "more than %d traces in all", MAX_TRACES);
	return 0;
}

/* Labels stand in charts, file names and tables: plain text, nothing that a tool could take up. */
static int check_label(struct reader *rd, const struct node *up, const char *key, const char **out)
{
	struct node n;

	if (member(rd, up, key, &n) || check_text(rd, &n, MAX_NAME))
		return -1;
	*out = json_string_value(n.json);
	if (!isalnum((unsigned char)(*out)[0]))
		return bad(rd, &n, "must begin with a letter or a digit");
	for (const char *s = *out; *s; s++) {
		if (!isprint((unsigned char)*s) || strchr("\"'\\`$@", *s))
			return bad(rd, &n, "holds a character that no model's name has");
	}
	return 0;
}

static int options_text(struct reader *rd, const struct node *run, char **out)
{
	struct node n;
	const char *name;
	json_t *value;
	size_t len;
	FILE *f;
	int n_options = 0;

	if (get_object(rd, run, "options", &n))
		return -1;
	f = open_memstream(out, &len);
	if (!f)
		return no_memory(rd);
	json_object_foreach(n.json, name, value) {
		struct node e = { &n, name, 0, value };

		if (check_text(rd, &e, MAX_NAME)) {
			fclose(f);
			return -1;
		}
		fprintf(f, "%s%s=%s", n_options++ ? ", " : "", name, json_string_value(value));
	}
	return fclose(f) ? no_memory(rd) : 0;
}

static int find_model(struct reader *rd, const struct node *n, const struct node *summaries,
		      size_t *number)
{
	struct pl_results *set = rd->set;
	const char *name, *label, *summary;
	struct pl_model *m;

	if (check_label(rd, n, "model", &name) || check_label(rd, n, "label", &label))
		return -1;
	for (size_t i = 0; i < set->n_models; i++) {
		if (!strcmp(set->models[i].label, label)) {
			*number = i;
			return strcmp(set->models[i].name, name) == 0
				       ? 0
				       : bad(rd, n, "label '%s' is also that of the model '%s'",
					     label, set->models[i].name);
		}
	}
	if (set->n_models == PL_MAX_MODELS)
		return bad(rd, n, "more than %d models in all", PL_MAX_MODELS);
	m = ADD(set->models, set->n_models);
	if (!m)
		return no_memory(rd);
	summary = json_string_value(json_object_get(summaries->json, name));
	m->name = name;
	m->label = label;
	m->summary = summary ? summary : "";
	m->null = !strcmp(name, PL_NULL_MODEL);
	m->bound = json_is_true(json_object_get(n->json, "bound"));
	*number = set->n_models - 1;
	return options_text(rd, n, &m->options);
}

static int read_counted(struct reader *rd, const struct node *run, struct pl_run *r)
{
	struct node n;
	const char *name;
	json_t *value;
	uint64_t v;

	if (get_object(rd, run, "counted", &n))
		return -1;
	json_object_foreach(n.json, name, value) {
		struct node e = { &n, name, 0, value };

		if (to_count(rd, &e, MAX_COUNT, &v))
			return -1;
	}
	for (size_t i = 0; i < sizeof(required) / sizeof(required[0]); i++) {
		if (get_count(rd, &n, required[i], MAX_COUNT, &v))
			return -1;
	}
	r->counted = n.json;
	if (pl_count(r, "tables_in_vain") > pl_count(r, "tables_synced"))
		return bad(rd, &n, "more tables_in_vain than tables_synced");
	if (pl_count(r, "entries_kept") + pl_count(r, "entries_permission") >
	    pl_count(r, "entries_compared"))
		return bad(rd, &n, "more entries kept or changed than entries_compared");
	return 0;
}

static int read_resyncs(struct reader *rd, const struct node *run, struct pl_run *r)
{
	static const char *const fields[] = { "count", "tables", "compared", "changed" };
	struct node n;
	const char *cause;
	json_t *value;
	uint64_t v;

	if (get_object(rd, run, "resyncs", &n))
		return -1;
	json_object_foreach(n.json, cause, value) {
		struct node e = { &n, cause, 0, value };

		if (check_object(rd, &e, "an object"))
			return -1;
		for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
			if (get_count(rd, &e, fields[i], MAX_COUNT, &v))
				return -1;
		}
	}
	r->resyncs = n.json;
	return 0;
}

static int read_timeline(struct reader *rd, const struct node *run, struct pl_run *r)
{
	struct pl_timeline *t = &r->timeline;
	struct node n;
	size_t n_exits, n_synced;

	if (get_object(rd, run, "timeline", &n) || get_real(rd, &n, "bin_ns", MAX_NS, &t->bin_ns) ||
	    get_counts(rd, &n, "unsync", PL_MAX_BINS, &t->unsync, &t->n) ||
	    get_counts(rd, &n, "exits", PL_MAX_BINS, &t->exits, &n_exits) ||
	    get_counts(rd, &n, "tables_synced", PL_MAX_BINS, &t->tables_synced, &n_synced))
		return -1;
	if (n_exits != t->n || n_synced != t->n)
		return bad(rd, &n, "has %zu bins of unsync, %zu of exits, %zu of tables_synced",
			   t->n, n_exits, n_synced);
	if (t->n && t->bin_ns <= 0)
		return bad(rd, &n, "bin_ns is 0");
	return 0;
}

/* One scale for all models of a trace, or a chart of them would lie. */
static int check_scale(struct reader *rd, const struct node *n, const struct pl_run *r)
{
	for (size_t i = 0; i < rd->set->n_runs; i++) {
		const struct pl_run *o = &rd->set->runs[i];

		if (o == r || o->trace != r->trace)
			continue;
		if (o->timeline.n != r->timeline.n || o->timeline.bin_ns != r->timeline.bin_ns)
			return bad(
				rd, n,
				"timeline has %zu bins of %g ns, that of another run of the same "
				"trace %zu of %g ns; replay them together",
				r->timeline.n, r->timeline.bin_ns, o->timeline.n,
				o->timeline.bin_ns);
		break;
	}
	return 0;
}

/* null stands for "too few passes for an interval". */
static int read_interval(struct reader *rd, const struct node *up, struct pl_stat *s)
{
	struct node ci, lo, hi;

	if (member(rd, up, "ci95", &ci))
		return -1;
	if (json_is_null(ci.json))
		return 0;
	if (!json_is_array(ci.json) || json_array_size(ci.json) != 2)
		return wrong_type(rd, &ci, "[low, high] or null");
	lo = element(&ci, 0);
	hi = element(&ci, 1);
	if (to_real(rd, &lo, MAX_NS, &s->lo) || to_real(rd, &hi, MAX_NS, &s->hi))
		return -1;
	if (s->lo > s->median || s->median > s->hi)
		return bad(rd, &ci, "does not hold the median");
	s->has_interval = true;
	return 0;
}

static int read_stat(struct reader *rd, const struct node *up, const char *key, struct node *n,
		     struct pl_stat *s)
{
	return -(get_object(rd, up, key, n) || get_real(rd, n, "median", MAX_NS, &s->median) ||
		 get_real(rd, n, "mad", MAX_NS, &s->mad) || read_interval(rd, n, s));
}

static int read_times(struct reader *rd, const struct node *up, const char *key, uint64_t passes,
		      struct pl_stat *s)
{
	struct node n;

	if (read_stat(rd, up, key, &n, s) ||
	    get_counts(rd, &n, "outliers", MAX_PASSES, &s->outliers, &s->n_outliers))
		return -1;
	for (size_t i = 0; i < s->n_outliers; i++) {
		if (s->outliers[i] > passes)
			return bad(rd, &n, "outliers name pass %llu of %llu",
				   (unsigned long long)s->outliers[i], (unsigned long long)passes);
	}
	return 0;
}

static int read_distribution(struct reader *rd, const struct node *up, struct pl_measured *m)
{
	struct node n;

	if (get_object(rd, up, "resync", &n) || get_count(rd, &n, "count", MAX_COUNT, &m->count) ||
	    get_real(rd, &n, "mean", MAX_NS, &m->mean) ||
	    get_real(rd, &n, "p50", MAX_NS, &m->p50) || get_real(rd, &n, "p90", MAX_NS, &m->p90) ||
	    get_real(rd, &n, "p99", MAX_NS, &m->p99) ||
	    get_real(rd, &n, "p999", MAX_NS, &m->p999) ||
	    get_real(rd, &n, "max", MAX_NS, &m->max) || get_real(rd, &n, "error", 1, &m->error))
		return -1;
	if (m->p50 > m->p90 || m->p90 > m->p99 || m->p99 > m->p999)
		return bad(rd, &n, "percentiles do not rise");
	return 0;
}

static int read_histogram(struct reader *rd, const struct node *up, struct pl_measured *m)
{
	struct node a;
	uint64_t sum = 0;

	if (get_array(rd, up, "histogram", MAX_BUCKETS, &a))
		return -1;
	m->n_buckets = json_array_size(a.json);
	m->upper_ns = calloc(m->n_buckets + 1, sizeof(*m->upper_ns));
	m->bucket = calloc(m->n_buckets + 1, sizeof(*m->bucket));
	if (!m->upper_ns || !m->bucket)
		return no_memory(rd);
	for (size_t i = 0; i < m->n_buckets; i++) {
		struct node e = element(&a, i), upper, count;

		if (!json_is_array(e.json) || json_array_size(e.json) != 2)
			return bad(rd, &e, "should be [upper_ns, count]");
		upper = element(&e, 0);
		count = element(&e, 1);
		if (to_real(rd, &upper, MAX_NS, &m->upper_ns[i]) ||
		    to_count(rd, &count, MAX_COUNT, &m->bucket[i]))
			return -1;
		if (i && m->upper_ns[i] <= m->upper_ns[i - 1])
			return bad(rd, &e, "buckets do not rise");
		sum += m->bucket[i];
	}
	if (sum != m->count)
		return bad(rd, &a, "holds %llu resyncs, resync.count says %llu",
			   (unsigned long long)sum, (unsigned long long)m->count);
	return 0;
}

static int read_by_cause(struct reader *rd, const struct node *up, struct pl_measured *m)
{
	struct node n;
	const char *cause;
	json_t *value;

	if (get_object(rd, up, "by_cause", &n))
		return -1;
	json_object_foreach(n.json, cause, value) {
		struct node e = { &n, cause, 0, value };
		struct pl_cause_time *c;

		if (check_object(rd, &e, "an object"))
			return -1;
		c = ADD(m->causes, m->n_causes);
		if (!c)
			return no_memory(rd);
		c->cause = cause;
		if (get_real(rd, &e, "count", (double)MAX_COUNT, &c->count) ||
		    get_real(rd, &e, "p50", MAX_NS, &c->p50) ||
		    get_real(rd, &e, "p99", MAX_NS, &c->p99) ||
		    get_real(rd, &e, "total", MAX_NS, &c->total))
			return -1;
	}
	return 0;
}

/* Not in files of earlier versions. */
static int read_bins(struct reader *rd, const struct node *up, const struct pl_run *r,
		     struct pl_measured *m)
{
	struct node n = { up, "timeline_ns", 0, json_object_get(up->json, "timeline_ns") };
	size_t bins = 0;

	if (!n.json)
		return 0;
	if (get_counts(rd, up, "timeline_ns", PL_MAX_BINS, &m->bin_ns, &bins))
		return -1;
	if (bins != r->timeline.n)
		return bad(rd, &n, "has %zu bins, the timeline %zu", bins, r->timeline.n);
	return 0;
}

/* These came later: a file need not have them, and what is null there was not. */
static struct node optional(const struct node *up, const char *key)
{
	struct node n = { up, key, 0, json_object_get(up->json, key) };

	if (json_is_null(n.json))
		n.json = NULL;
	return n;
}

static int read_costs(struct reader *rd, const struct node *up, struct pl_measured *m)
{
	static const char *const names[PL_UNIT_COSTS] = { "resync", "table", "compared",
							  "changed" };
	struct node costs = optional(up, "cost"), n;

	if (!costs.json)
		return 0;
	if (check_object(rd, &costs, "an object"))
		return -1;
	for (size_t i = 0; i < PL_UNIT_COSTS; i++) {
		if (!optional(&costs, names[i]).json)
			continue;
		if (read_stat(rd, &costs, names[i], &n, &m->cost[i]))
			return -1;
		m->has_cost[i] = true;
	}
	return 0;
}

static int read_floor(struct reader *rd, const struct node *up, struct pl_measured *m)
{
	struct node n = optional(up, "floor"), s;
	struct pl_floor *f = &m->floor;

	if (!n.json)
		return 0;
	if (check_object(rd, &n, "an object or null"))
		return -1;
	m->has_floor = true;
	return -(get_text(rd, &n, "level", MAX_NAME, &f->level) ||
		 get_count(rd, &n, "working_set_bytes", MAX_COUNT, &f->working_set) ||
		 read_stat(rd, &n, "read_ns", &s, &f->read_ns) ||
		 read_stat(rd, &n, "ratio", &s, &f->ratio));
}

static int read_hardware(struct reader *rd, const struct node *up, struct pl_measured *m)
{
	struct node n = optional(up, "hardware"), s;
	const char *name;
	json_t *value;

	if (!n.json)
		return 0;
	if (check_object(rd, &n, "an object"))
		return -1;
	json_object_foreach(n.json, name, value) {
		struct pl_hardware *h = ADD(m->hardware, m->n_hardware);

		if (!h)
			return no_memory(rd);
		h->name = name;
		if (read_stat(rd, &n, name, &s, &h->value))
			return -1;
	}
	return 0;
}

static int read_measured(struct reader *rd, const struct node *run, struct pl_run *r)
{
	struct pl_measured *m;
	struct node n, rate;

	if (member(rd, run, "measured", &n))
		return -1;
	if (json_is_null(n.json))
		return 0;
	if (check_object(rd, &n, "an object or null"))
		return -1;
	m = r->measured = calloc(1, sizeof(*m));
	if (!m)
		return no_memory(rd);
	if (get_count(rd, &n, "passes", MAX_PASSES, &m->passes))
		return -1;
	if (!m->passes)
		return bad(rd, &n, "passes is 0");
	return -(get_count(rd, &n, "warmup", MAX_PASSES, &m->warmup) ||
		 get_passes(rd, &n, "total_ns", m->passes, &m->total_ns) ||
		 get_passes(rd, &n, "resync_ns", m->passes, &m->resync_ns) ||
		 read_times(rd, &n, "total", m->passes, &m->total) ||
		 read_times(rd, &n, "resync_total", m->passes, &m->resync_total) ||
		 read_stat(rd, &n, "events_per_s", &rate, &m->events_per_s) ||
		 read_distribution(rd, &n, m) || read_histogram(rd, &n, m) ||
		 read_by_cause(rd, &n, m) || read_bins(rd, &n, r, m) || read_costs(rd, &n, m) ||
		 read_floor(rd, &n, m) || read_hardware(rd, &n, m));
}

static int read_match(struct reader *rd, const struct node *up, const char *key, struct pl_match *m)
{
	struct node n;

	if (get_object(rd, up, key, &n) || get_count(rd, &n, "host", MAX_COUNT, &m->host) ||
	    get_count(rd, &n, "model", MAX_COUNT, &m->model) ||
	    get_count(rd, &n, "matched", MAX_COUNT, &m->matched))
		return -1;
	if (m->matched > m->host || m->matched > m->model)
		return bad(rd, &n, "more matched than there are");
	return 0;
}

static int read_agreement(struct reader *rd, const struct node *run, struct pl_run *r)
{
	struct node n = { run, "agreement", 0, json_object_get(run->json, "agreement") };

	if (!n.json || json_is_null(n.json))
		return 0;
	if (check_object(rd, &n, "an object or null"))
		return -1;
	r->has_agreement = true;
	return -(read_match(rd, &n, "unsync", &r->agreement.unsync) ||
		 read_match(rd, &n, "sync", &r->agreement.sync));
}

static int read_verified(struct reader *rd, const struct node *run, struct pl_run *r)
{
	struct node n = { run, "verified", 0, json_object_get(run->json, "verified") };
	struct pl_verified *v = &r->verified;

	if (!n.json)
		return 0;
	if (check_object(rd, &n, "an object"))
		return -1;
	r->is_verified = true;
	return -(get_count(rd, &n, "events", MAX_COUNT, &v->events) ||
		 get_count(rd, &n, "checks", MAX_COUNT, &v->checks) ||
		 get_count(rd, &n, "undecided", MAX_COUNT, &v->undecided) ||
		 get_count(rd, &n, "violations", MAX_COUNT, &v->violations));
}

static int read_run(struct reader *rd, const struct node *n, const struct node *summaries)
{
	struct pl_results *set = rd->set;
	const struct pl_trace *t;
	const char *id;
	size_t model = 0;
	struct pl_run *r;

	if (check_object(rd, n, "an object"))
		return -1;
	if (get_text(rd, n, "trace", MAX_NAME, &id) || find_model(rd, n, summaries, &model))
		return -1;
	t = find_trace(set, id);
	if (!t)
		return bad(rd, n, "trace '%s' is not among the file's traces", id);
	if (pl_run_of(set, (size_t)(t - set->traces), model))
		return bad(rd, n, "'%s' with %s is there already; give each result once", id,
			   set->models[model].label);
	r = ADD(set->runs, set->n_runs);
	if (!r)
		return no_memory(rd);
	r->trace = (size_t)(t - set->traces);
	r->model = model;
	r->json = n->json;
	return -(read_counted(rd, n, r) || read_named(rd, n, "own", false, MAX_COUNT, &r->own) ||
		 read_resyncs(rd, n, r) || read_timeline(rd, n, r) || check_scale(rd, n, r) ||
		 read_measured(rd, n, r) || read_agreement(rd, n, r) || read_verified(rd, n, r));
}

static int read_runs(struct reader *rd, const struct node *top, const struct node *summaries)
{
	struct node a;

	if (get_array(rd, top, "runs", (size_t)MAX_TRACES * PL_MAX_MODELS, &a))
		return -1;
	for (size_t i = 0; i < json_array_size(a.json); i++) {
		struct node e = element(&a, i);

		if (read_run(rd, &e, summaries))
			return -1;
	}
	return 0;
}

static int read_failures(struct reader *rd, const struct node *top)
{
	struct node a;

	if (get_array(rd, top, "failed", (size_t)MAX_TRACES * PL_MAX_MODELS, &a))
		return -1;
	for (size_t i = 0; i < json_array_size(a.json); i++) {
		struct node e = element(&a, i);
		struct pl_failure *f;

		if (check_object(rd, &e, "an object"))
			return -1;
		f = ADD(rd->set->failures, rd->set->n_failures);
		if (!f)
			return no_memory(rd);
		if (get_text(rd, &e, "trace", MAX_TEXT, &f->trace) ||
		    get_text(rd, &e, "model", MAX_NAME, &f->model) ||
		    get_text(rd, &e, "why", MAX_TEXT, &f->why))
			return -1;
	}
	return 0;
}

static int read_version(struct reader *rd, const struct node *top)
{
	struct node n;
	const char *schema;

	if (get_text(rd, top, "schema", MAX_TEXT, &schema))
		return -1;
	if (strcmp(schema, PL_SCHEMA) != 0) {
		n = (struct node){ top, "schema", 0, NULL };
		return bad(rd, &n,
			   "is '%.60s', not '" PL_SCHEMA "'; give a file of 'unsync replay -o'",
			   schema);
	}
	if (member(rd, top, "version", &n))
		return -1;
	if (!json_is_integer(n.json))
		return wrong_type(rd, &n, "a whole number");
	if (json_integer_value(n.json) != PL_VERSION)
		return bad(rd, &n, "is %lld, this program reads %d; replay the traces with it",
			   (long long)json_integer_value(n.json), PL_VERSION);
	return 0;
}

static int read_document(struct reader *rd, json_t *json)
{
	struct node top = { NULL, NULL, 0, json }, glossary, models;

	if (!json_is_object(json))
		return bad(rd, NULL, "is no results file; give one of 'unsync replay -o'");
	return -(read_version(rd, &top) || read_context(rd, &top) ||
		 read_glossary(rd, &top, &glossary, &models) || read_traces(rd, &top) ||
		 read_runs(rd, &top, &models) || read_failures(rd, &top));
}

static json_t *load(struct reader *rd)
{
	json_error_t why = { 0 };
	struct stat st;
	json_t *json = NULL;
	FILE *f = fopen(rd->file, "re");

	if (!f) {
		bad(rd, NULL, "%s", strerror(errno));
		return NULL;
	}
	if (fstat(fileno(f), &st)) {
		bad(rd, NULL, "%s", strerror(errno));
	} else if (S_ISDIR(st.st_mode)) {
		bad(rd, NULL, "is a directory; give a file of 'unsync replay -o'");
	} else if ((unsigned long long)st.st_size > MAX_FILE) {
		bad(rd, NULL, "is larger than %llu MiB: no results file", MAX_FILE >> 20);
	} else {
		json = json_loadf(f, JSON_REJECT_DUPLICATES, &why);
		if (!json)
			bad(rd, NULL, "line %d, column %d: %s; give a file of 'unsync replay -o'",
			    why.line, why.column, why.text);
	}
	fclose(f);
	return json;
}

int pl_read(struct pl_results *results, const char *file, char *error, size_t error_len)
{
	struct reader rd = { file, error, error_len, results };
	json_t *json = load(&rd);
	struct pl_document *slot;

	if (!json)
		return -1;
	slot = ADD(results->documents, results->n_documents);
	if (!slot) {
		json_decref(json);
		return no_memory(&rd);
	}
	slot->json = json;
	return read_document(&rd, json);
}

static void free_measured(struct pl_measured *m)
{
	if (!m)
		return;
	free(m->total_ns);
	free(m->resync_ns);
	free(m->total.outliers);
	free(m->resync_total.outliers);
	free(m->upper_ns);
	free(m->bucket);
	free(m->causes);
	free(m->bin_ns);
	free(m->hardware);
	free(m);
}

static void free_runs(struct pl_results *r)
{
	for (size_t i = 0; i < r->n_runs; i++) {
		if (r->runs[i].shared)
			continue;
		free(r->runs[i].timeline.unsync);
		free(r->runs[i].timeline.exits);
		free(r->runs[i].timeline.tables_synced);
		free_measured(r->runs[i].measured);
	}
	free(r->runs);
}

void pl_free(struct pl_results *r)
{
	for (size_t i = 0; i < r->n_contexts; i++)
		free(r->contexts[i].warnings);
	for (size_t i = 0; i < r->n_models; i++)
		free(r->models[i].options);
	/* Its models are those of the set. */
	if (r->growth) {
		free_runs(r->growth);
		free(r->growth->traces);
		free(r->growth);
	}
	free_runs(r);
	for (size_t i = 0; i < r->n_documents; i++)
		json_decref(r->documents[i].json);
	free(r->contexts);
	free(r->traces);
	free(r->models);
	free(r->failures);
	free(r->counters);
	free(r->causes);
	free(r->documents);
	memset(r, 0, sizeof(*r));
}

const struct pl_run *pl_run_of(const struct pl_results *results, size_t trace, size_t model)
{
	for (size_t i = 0; i < results->n_runs; i++) {
		if (results->runs[i].trace == trace && results->runs[i].model == model)
			return &results->runs[i];
	}
	return NULL;
}

const char *pl_unavailable(const struct pl_context *context, size_t n, const char **why)
{
	const char *name;
	json_t *value;

	json_object_foreach(context->unavailable, name, value) {
		if (n--)
			continue;
		*why = json_string_value(value);
		return name;
	}
	return NULL;
}

uint64_t pl_count(const struct pl_run *run, const char *counter)
{
	return (uint64_t)json_integer_value(json_object_get(run->counted, counter));
}

uint64_t pl_count_all(const struct pl_run *run, const char *prefix)
{
	const char *name;
	json_t *value;
	uint64_t sum = 0;

	json_object_foreach(run->counted, name, value) {
		if (!strncmp(name, prefix, strlen(prefix)))
			sum += (uint64_t)json_integer_value(value);
	}
	return sum;
}

bool pl_has(const struct pl_run *run, const char *counter)
{
	return json_object_get(run->counted, counter) != NULL;
}

uint64_t pl_resync_count(const struct pl_run *run, const char *cause, const char *what)
{
	return (uint64_t)json_integer_value(
		json_object_get(json_object_get(run->resyncs, cause), what));
}
