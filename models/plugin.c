// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "models/plugin.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "models/mmu.h"

#define MAX_ROWS 64  /* of a table of options or counters */
#define MAX_WORD 40  /* bytes of a name */
#define MAX_LINE 240 /* bytes of a summary or help */
#define MAX_PARTS 16 /* readable segments of an object that are looked at */
#define MAX_PRIVATE (16ul << 20)
#define MAX_NUMBER 999999999999999999ull /* what a number of an option can be written with */

static const char word_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
static const char choice_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_-.";

/* Where the pointers of a model's tables may lead; of a built-in one, anywhere. */
struct reach {
	uintptr_t base; /* of the object, as the dynamic linker has it */
	struct {
		uintptr_t from, to;
	} part[MAX_PARTS];
	unsigned int n;
	bool anywhere;
};

struct look {
	const struct um_model *model;
	struct reach reach;
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

static int note_segments(struct dl_phdr_info *info, size_t size, void *ctx)
{
	struct reach *r = ctx;

	(void)size;
	if (info->dlpi_addr != r->base)
		return 0;
	for (unsigned int i = 0; i < info->dlpi_phnum && r->n < MAX_PARTS; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_R))
			continue;
		r->part[r->n].from = r->base + p->p_vaddr;
		r->part[r->n++].to = r->base + p->p_vaddr + p->p_memsz;
	}
	return 1;
}

/* Bytes that can be read from a pointer on; 0 if it leads out of the object. */
static size_t readable(const struct reach *r, const void *pointer)
{
	uintptr_t at = (uintptr_t)pointer;

	if (r->anywhere)
		return pointer ? SIZE_MAX : 0;
	for (unsigned int i = 0; i < r->n; i++) {
		if (at >= r->part[i].from && at < r->part[i].to)
			return r->part[i].to - at;
	}
	return 0;
}

/* A text of 1 to @max bytes that ends within the object. */
static bool is_text(const struct reach *r, const char *s, size_t max)
{
	size_t room = readable(r, s), len;

	if (!room)
		return false;
	len = strnlen(s, room < max + 1 ? room : max + 1);
	return len && len <= max && len < room;
}

static bool is_line(const struct reach *r, const char *s)
{
	return is_text(r, s, MAX_LINE) && !strpbrk(s, "\r\n");
}

static bool is_word(const struct reach *r, const char *s)
{
	return is_text(r, s, MAX_WORD) && !s[strspn(s, word_letters)];
}

/* ---- tables ---- */

static int check_choices(struct look *k, const struct um_option *o)
{
	const char *c = o->choices;

	if (!is_line(&k->reach, c))
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

	if (!is_text(&k->reach, o->def, MAX_WORD))
		return wrong(k, "option %s has no default; set .def to one that it takes", o->name);
	if (um_option_takes(o, o->def, why, sizeof(why)))
		return wrong(k, "the default is not allowed: %s; change .def", why);
	return 0;
}

static int check_option(struct look *k, const struct um_option *o, size_t i)
{
	if (!is_word(&k->reach, o->name))
		return wrong(k,
			     "options[%zu] has no proper name (small letters, digits, - and _, at "
			     "most %d); a table ends with { 0 }",
			     i, MAX_WORD);
	if (o->type != UM_OPT_NUMBER && o->type != UM_OPT_BOOL && o->type != UM_OPT_CHOICE)
		return wrong(k, "option %s is of type %u, which there is not; use UM_OPT_*",
			     o->name, (unsigned int)o->type);
	if (!is_line(&k->reach, o->help))
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
		if (i == MAX_ROWS || readable(&k->reach, &o[i]) < sizeof(*o))
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
	if (!is_word(&k->reach, c->name) || strchr(c->name, '-'))
		return wrong(k,
			     "counters[%zu] has no proper name (small letters, digits and _, at "
			     "most %d); a table ends with { 0 }",
			     i, MAX_WORD);
	if (!is_line(&k->reach, c->help))
		return wrong(k, "counter %s has no help; set .help to one line", c->name);
	if (is_shared_counter(c->name))
		return wrong(k, "counter %s: all models have one of that name; rename it", c->name);
	return 0;
}

static int check_counters(struct look *k)
{
	const struct um_own_counter *c = k->model->counters;

	for (size_t i = 0; c; i++) {
		if (i == MAX_ROWS || readable(&k->reach, &c[i]) < sizeof(*c))
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

static int check_model(struct look *k)
{
	const struct um_model *m = k->model;
	const char *hook;

	if (!is_word(&k->reach, m->name) || !strcmp(m->name, "all"))
		return wrong(k,
			     "the model has no proper name; set .name (small letters, digits, - "
			     "and _, at most %d, not \"all\")",
			     MAX_WORD);
	if (!is_line(&k->reach, m->summary))
		return wrong(k, "the model has no summary; set .summary to one line");
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

int um_tables_check(const struct um_model *model, char *error, size_t error_len)
{
	struct look k = { .model = model, .error = error, .len = error_len };

	k.reach.anywhere = true;
	return check_model(&k);
}

/* ---- the object ---- */

struct plugin {
	struct plugin *next;
	const struct um_model *model;
	char *path;
	dev_t dev;
	ino_t ino;
};

static struct plugin *plugins; /* in the order of loading, last first; until the process ends */

bool um_plugin_named(const char *name)
{
	size_t len = strlen(name);

	return strchr(name, '/') || (len > 3 && !strcmp(name + len - 3, ".so"));
}

const char *um_plugin_path(const struct um_model *model)
{
	for (const struct plugin *p = plugins; p; p = p->next) {
		if (p->model == model)
			return p->path;
	}
	return NULL;
}

/* What dlerror() says, without the path that we name ourselves. */
static int no_object(struct look *k, const char *path)
{
	static const char undefined[] = "undefined symbol: ";
	const char *said = dlerror(), *symbol;
	size_t len = strlen(path);

	if (!said)
		said = "no reason given";
	symbol = strstr(said, undefined);
	if (symbol)
		return wrong(k,
			     "it needs %s, which this unsync does not offer; build it against the "
			     "installed header, with all its files",
			     symbol + strlen(undefined));
	if (!strncmp(said, path, len) && !strncmp(said + len, ": ", 2))
		said += len + 2;
	return wrong(k, "not a shared object for this program (%s); build it with cc -shared -fPIC",
		     said);
}

/* The symbol, with nothing but its place and size believed. */
static const struct um_model *find_symbol(struct look *k, void *handle, size_t *bytes)
{
	const void *at = dlsym(handle, UM_PLUGIN_SYMBOL);
	const ElfW(Sym) *symbol = NULL;
	struct link_map *map = NULL;
	Dl_info info;

	if (!at) {
		wrong(k, "no symbol %s; define the model with UM_MODEL() of <unsync/model.h>",
		      UM_PLUGIN_SYMBOL);
		return NULL;
	}
	if (dladdr1(at, &info, (void **)&symbol, RTLD_DL_SYMENT) && symbol &&
	    dladdr1(at, &info, (void **)&map, RTLD_DL_LINKMAP) && map) {
		k->reach.base = map->l_addr;
		dl_iterate_phdr(note_segments, &k->reach);
	}
	if (!symbol || ELF64_ST_TYPE(symbol->st_info) != STT_OBJECT ||
	    symbol->st_size < 3 * sizeof(uint32_t) || readable(&k->reach, at) < symbol->st_size) {
		wrong(k, "%s is no struct um_model; define it with UM_MODEL() of <unsync/model.h>",
		      UM_PLUGIN_SYMBOL);
		return NULL;
	}
	*bytes = symbol->st_size;
	return at;
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

static struct plugin *same_file(const struct stat *st)
{
	struct plugin *p = plugins;

	while (p && (p->dev != st->st_dev || p->ino != st->st_ino))
		p = p->next;
	return p;
}

/* Results tell models apart by their names. */
static int check_others(struct look *k)
{
	const char *name = k->model->name;

	for (const struct plugin *p = plugins; p; p = p->next) {
		if (!strcmp(p->model->name, name))
			return wrong(k, "%s has a model named %s, too; rename one", p->path, name);
	}
	if (um_model_find(name))
		return wrong(k, "a built-in model is named %s, too; change .name", name);
	return 0;
}

static int keep(struct look *k, const char *path, const struct stat *st)
{
	struct plugin *p = calloc(1, sizeof(*p));

	if (p)
		p->path = strdup(path);
	if (!p || !p->path) {
		free(p);
		return wrong(k, "out of memory");
	}
	p->model = k->model;
	p->dev = st->st_dev;
	p->ino = st->st_ino;
	p->next = plugins;
	plugins = p;
	return 0;
}

static int look_over(struct look *k, void *handle)
{
	size_t bytes;

	k->model = find_symbol(k, handle, &bytes);
	if (!k->model || check_head(k, bytes) || check_model(k))
		return -1;
	return check_others(k);
}

static int load(struct look *k, const char *path)
{
	char *file = NULL;
	void *handle;
	struct stat st;

	if (stat(path, &st))
		return wrong(k, "%s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return wrong(k, "no file; name a shared object");
	if (same_file(&st)) {
		k->model = same_file(&st)->model;
		return 0;
	}
	/* A name without a slash would be looked for where the system keeps its libraries. */
	if (asprintf(&file, "%s%s", strchr(path, '/') ? "" : "./", path) < 0)
		return wrong(k, "out of memory");
	handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	if (!handle) {
		no_object(k, file);
		free(file);
		return -1;
	}
	free(file);
	if (!look_over(k, handle) && !keep(k, path, &st))
		return 0;
	dlclose(handle);
	return -1;
}

const struct um_model *um_plugin_load(const char *path, char *error, size_t error_len)
{
	char why[768];
	struct look k = { .error = why, .len = sizeof(why) };

	if (!load(&k, path))
		return k.model;
	snprintf(error, error_len, "%s: %s", path, why);
	return NULL;
}
