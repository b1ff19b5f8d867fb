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

#include "models/descriptor.h"
#include "models/mmu.h"

struct look {
	const struct um_model *model;
	struct um_reach reach;
	uintptr_t base; /* of the object, as the dynamic linker has it */
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

/* ---- the plug-ins ---- */

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

/* ---- the object ---- */

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

static int note_segments(struct dl_phdr_info *info, size_t size, void *ctx)
{
	struct look *k = ctx;
	struct um_reach *r = &k->reach;

	(void)size;
	if (info->dlpi_addr != k->base)
		return 0;
	for (unsigned int i = 0; i < info->dlpi_phnum && r->n < UM_REACH_PARTS; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_R))
			continue;
		r->part[r->n].from = k->base + p->p_vaddr;
		r->part[r->n++].to = k->base + p->p_vaddr + p->p_memsz;
	}
	return 1;
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
		k->base = map->l_addr;
		dl_iterate_phdr(note_segments, k);
	}
	if (!symbol || ELF64_ST_TYPE(symbol->st_info) != STT_OBJECT ||
	    symbol->st_size < 3 * sizeof(uint32_t) ||
	    um_reach_from(&k->reach, at) < symbol->st_size) {
		wrong(k, "%s is no struct um_model; define it with UM_MODEL() of <unsync/model.h>",
		      UM_PLUGIN_SYMBOL);
		return NULL;
	}
	*bytes = symbol->st_size;
	return at;
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
	if (!k->model || um_descriptor_check(k->model, bytes, &k->reach, k->error, k->len))
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
