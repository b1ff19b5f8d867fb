// SPDX-License-Identifier: GPL-2.0-only
#include "models/descriptor.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "models/mmu.h"
#include "models/plugin.h"

#define MAX_ROWS 64  /* of a table of options or counters */
#define MAX_WORD 40  /* bytes of a name */
#define MAX_LINE 240 /* bytes of a summary or help */
#define MAX_PRIVATE (16ul << 20)
#define MAX_NUMBER 999999999999999999ull /* what a number of an option can be written with */

static const char word_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
static const char choice_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_-.";

struct look {
	const struct um_model *model;
	const struct um_reach *reach; /* NULL: pointers may lead anywhere, as a built-in model's */
	char *error;
	size_t len;
};

static int wrong(struct look *k, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int wrong(struct look *k, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(k->error, k->len, fmt, ap);
	va_end(ap);
	return -1;
}

/* ---- pointers into the object ---- */

size_t um_reach_from(const struct um_reach *r, const void *pointer)
{
	uintptr_t at = (uintptr_t)pointer;

	if (!r)
		return pointer ? SIZE_MAX : 0;
	for (unsigned int i = 0; i < r->n; i++) {
		if (at >= r->part[i].from && at < r->part[i].to)
			return r->part[i].to - at;
	}
	return 0;
}

/* A text of 1 to @max bytes that ends within the object. */
static bool is_text(const struct um_reach *r, const char *s, size_t max)
{
	size_t room = um_reach_from(r, s), len;

	if (!room)
		return false;
	len = strnlen(s, room < max + 1 ? room : max + 1);
	return len && len <= max && len < room;
}

/* It is shown as it is, so nothing in it may drive a terminal. */
static bool is_plain(const struct um_reach *r, const char *s, size_t max)
{
	if (!is_text(r, s, max))
		return false;
	for (; *s; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	}
	return true;
}

static bool is_line(const struct um_reach *r, const char *s)
{
	return is_plain(r, s, MAX_LINE);
}

static bool is_word(const struct um_reach *r, const char *s)
{
	return is_text(r, s, MAX_WORD) && !s[strspn(s, word_letters)];
}

/* A row of a table that can be read. */
static bool is_row(const struct um_reach *r, const void *row, size_t size)
{
	return um_reach_from(r, row) >= size && !((uintptr_t)row % alignof(void *));
}

/* ---- tables ---- */

static int check_choices(struct look *k, const struct um_option *o)
{
	const char *c = o->choices;

	if (!is_line(k->reach, c))
		return wrong(k, "option %s is a choice, but has no .choices; give it \"a|b|c\"",
			     o->name);
	for (;; c++) {
		size_t word = strspn(c, choice_letters);

		c += word;
		if (!word || (*c && *c != '|'))
			return wrong(k,
				     "option %s: choices \"%s\" are not of the form \"a|b|c\" "
				     "(small letters, digits, -, _ and .)",
				     o->name, o->choices);
		if (!*c)
			return 0;
	}
}

static int check_range(struct look *k, const struct um_option *o)
{
	if (o->min <= o->max && o->max <= MAX_NUMBER)
		return 0;
	return wrong(k, "option %s: %llu to %llu is no range; set .min and .max, at most %llu",
		     o->name, (unsigned long long)o->min, (unsigned long long)o->max, MAX_NUMBER);
}

static int check_default(struct look *k, const struct um_option *o)
{
	char why[256];

	if (!is_plain(k->reach, o->def, MAX_WORD))
		return wrong(k, "option %s has no default; set .def to one that it takes", o->name);
	if (um_option_takes(o, o->def, why, sizeof(why)))
		return wrong(k, "the default is not allowed: %s; change .def", why);
	return 0;
}

static int check_option(struct look *k, const struct um_option *o, size_t i)
{
	if (!is_word(k->reach, o->name))
		return wrong(k,
			     "options[%zu] has no proper name (small letters, digits, - and _, at "
			     "most %d); a table ends with { 0 }",
			     i, MAX_WORD);
	if (o->type != UM_OPT_NUMBER && o->type != UM_OPT_BOOL && o->type != UM_OPT_CHOICE)
		return wrong(k, "option %s is of type %u, which there is not; use UM_OPT_*",
			     o->name, (unsigned int)o->type);
	if (!is_line(k->reach, o->help))
		return wrong(k, "option %s has no help; set .help to one line", o->name);
	if (o->type == UM_OPT_CHOICE && check_choices(k, o))
		return -1;
	if (o->type == UM_OPT_NUMBER && check_range(k, o))
		return -1;
	return check_default(k, o);
}

static int check_options(struct look *k)
{
	const struct um_option *o = k->model->options;

	for (size_t i = 0; o; i++) {
		if (i == MAX_ROWS || !is_row(k->reach, &o[i], sizeof(*o)))
			return wrong(k,
				     "no end of the table of options within %zu; end it with { 0 }",
				     i);
		if (!o[i].name)
			break;
		if (check_option(k, &o[i], i))
			return -1;
		for (size_t n = 0; n < i; n++) {
			if (!strcmp(o[n].name, o[i].name))
				return wrong(k, "two options are named %s; rename one", o[i].name);
		}
	}
	return 0;
}

static bool is_shared_counter(const char *name)
{
#define X(counter, help)                                                                           \
	if (!strcmp(name, #counter))                                                               \
		return true;
	UM_COUNTERS(X)
#undef X
	return false;
}

static int check_counter(struct look *k, const struct um_own_counter *c, size_t i)
{
	if (!is_word(k->reach, c->name) || strchr(c->name, '-'))
		return wrong(k,
			     "counters[%zu] has no proper name (small letters, digits and _, at "
			     "most %d); a table ends with { 0 }",
			     i, MAX_WORD);
	if (!is_line(k->reach, c->help))
		return wrong(k, "counter %s has no help; set .help to one line", c->name);
	if (is_shared_counter(c->name))
		return wrong(k, "counter %s: all models have one of that name; rename it", c->name);
	return 0;
}

static int check_counters(struct look *k)
{
	const struct um_own_counter *c = k->model->counters;

	for (size_t i = 0; c; i++) {
		if (i == MAX_ROWS || !is_row(k->reach, &c[i], sizeof(*c)))
			return wrong(k,
				     "no end of the table of counters within %zu; end it with { 0 "
				     "}",
				     i);
		if (!c[i].name)
			break;
		if (check_counter(k, &c[i], i))
			return -1;
		for (size_t n = 0; n < i; n++) {
			if (!strcmp(c[n].name, c[i].name))
				return wrong(k, "two counters are named %s; rename one", c[i].name);
		}
	}
	return 0;
}

/* ---- the model ---- */

static const char *missing_hook(const struct um_model *m)
{
	if (m->no_shadow)
		return NULL;
	if (!m->no_protect && !m->want_writable)
		return "want_writable";
	if (!m->no_protect && !m->table_written)
		return "table_written";
	return m->cr3_written ? NULL : "cr3_written";
}

/* A byte that is neither of the two is not read as a truth value: what comes of that is undefined. */
static const char *odd_flag(const struct um_model *m)
{
	const struct {
		const bool *flag;
		const char *name;
	} flags[] = { { &m->no_shadow, "no_shadow" },
		      { &m->bound, "bound" },
		      { &m->no_protect, "no_protect" },
		      { &m->predicts_host, "predicts_host" },
		      { &m->syncs_root, "syncs_root" } };
	unsigned char byte;

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		memcpy(&byte, flags[i].flag, 1);
		if (byte > 1)
			return flags[i].name;
	}
	return NULL;
}

static int check_model(struct look *k)
{
	const struct um_model *m = k->model;
	const char *hook;

	if (!is_word(k->reach, m->name) || !strcmp(m->name, "all"))
		return wrong(k,
			     "the model has no proper name; set .name (small letters, digits, - "
			     "and _, at most %d, not \"all\")",
			     MAX_WORD);
	if (!is_line(k->reach, m->summary))
		return wrong(k, "the model has no summary; set .summary to one line");
	if (odd_flag(m))
		return wrong(k, ".%s is neither true nor false; set it to one of the two",
			     odd_flag(m));
	hook = missing_hook(m);
	if (hook)
		return wrong(k, "the hook %s is missing; a model that shadows must set .%s", hook,
			     hook);
	if (m->state_bytes > MAX_PRIVATE || m->page_bytes > MAX_PRIVATE ||
	    m->vcpu_bytes > MAX_PRIVATE || m->frame_bytes > MAX_PRIVATE)
		return wrong(k,
			     "the model wants more than %lu MiB of state, or for each page, vCPU "
			     "or frame; set .state_bytes and the others like it",
			     MAX_PRIVATE >> 20);
	return check_options(k) || check_counters(k) ? -1 : 0;
}

static int check_head(struct look *k, size_t bytes)
{
	const struct um_model *m = k->model;

	if (m->magic != UM_MAGIC)
		return wrong(k, "%s is no model (magic %#x, not %#x); begin it with UM_MODEL_HEAD",
			     UM_PLUGIN_SYMBOL, m->magic, UM_MAGIC);
	if (m->abi != UM_ABI)
		return wrong(k,
			     "made for version %u of the interface, this unsync has version %u; "
			     "build it again with this unsync's header",
			     m->abi, UM_ABI);
	if (m->size != sizeof(*m) || bytes < sizeof(*m))
		return wrong(k,
			     "struct um_model has %zu bytes there and %zu here; build it again "
			     "with this unsync's header",
			     m->size < bytes ? (size_t)m->size : bytes, sizeof(*m));
	if (m->layout != UM_LAYOUT)
		return wrong(
			k, "pages, frames or events are laid out in another way there; begin the "
			   "model with UM_MODEL_HEAD and build it again with this unsync's header");
	return 0;
}

int um_tables_check(const struct um_model *model, char *error, size_t error_len)
{
	struct look k = { .model = model, .error = error, .len = error_len };

	return check_model(&k);
}

int um_descriptor_check(const void *at, size_t bytes, const struct um_reach *reach, char *error,
			size_t error_len)
{
	struct look k = { at, reach, error, error_len };

	if ((uintptr_t)at % alignof(struct um_model))
		return wrong(&k, "%s lies where no struct um_model can; define it with UM_MODEL()",
			     UM_PLUGIN_SYMBOL);
	return check_head(&k, bytes) || check_model(&k) ? -1 : 0;
}
