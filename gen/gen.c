// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "gen/gen.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen/guest.h"
#include "trace/beside.h"

#define STEP_NS 500 /* between two events: times of such a trace mean nothing */
#define MAX_META 16
#define TEXT 64

/* What was changed on one set of last-level tables in its last round. */
struct changes {
	uint16_t *index; /* for each table, the entries */
	bool any;
};

struct life {
	const char *path;
	const struct ug_options *o;
	struct ug_guest guest;
	uint64_t root;	      /* in CR3: its number */
	struct changes *sets; /* of tables: one, or one for each root if these share none */
	uint64_t *order;      /* of tables */
	uint16_t *candidates; /* entries */
	struct ut_writer *writer;
	uint64_t time, done, work; /* events so far, and in all, roughly */
	const char *tool;
	void (*progress)(void *ctx, uint64_t done, uint64_t total);
	void *ctx;
	struct ut_error *err;
	bool failed;
};

/* ---- events ---- */

static void emit(struct life *l, struct ut_event *e)
{
	if (l->failed)
		return;
	e->time = l->time;
	l->time += STEP_NS;
	if (ut_writer_add(l->writer, e, l->err))
		l->failed = true;
	if (++l->done % 1024 == 0 && l->progress)
		l->progress(l->ctx, l->done < l->work ? l->done : l->work - 1, l->work);
}

static void emit_text(struct life *l, uint8_t kind, const char *text)
{
	struct ut_event e = { .kind = kind,
			      .vcpu = UT_NO_VCPU,
			      .text = { .text = text, .len = (uint16_t)strlen(text) } };

	emit(l, &e);
}

/* ---- the host ---- */

static uint32_t mode_bits(const struct ug_guest *g)
{
	return UT_ROLE_CR0_WP | (g->mode->bits == 10 ? UT_ROLE_4BYTE : UT_ROLE_EFER_NX);
}

/* @part: of a table with 4-byte entries, as a shadow page holds half a last-level table of them. */
static void host_shadows(struct life *l, uint64_t gfn, uint32_t access, unsigned int part)
{
	struct ug_table *t = ug_table_at(&l->guest, gfn);
	struct ut_entry entries[UT_TABLE_ENTRIES];
	struct ut_event e = { .kind = UT_PAGE_NEW,
			      .page = { .gfn = gfn,
					.role = mode_bits(&l->guest) | access | t->level |
						part << UT_ROLE_QUADRANT_SHIFT,
					.known = true,
					.entries = entries } };

	if (t->shadowed & 1u << part)
		return;
	t->shadowed |= 1u << part;
	for (unsigned int i = 0; i < UT_TABLE_ENTRIES; i++) {
		if (t->words[i])
			entries[e.page.n++] = (struct ut_entry){ (uint16_t)i, t->words[i] };
	}
	emit(l, &e);
}

/* Before the guest goes on with another root there are shadow pages of what its entries name. */
static void host_loads(struct life *l)
{
	const struct ug_guest *g = &l->guest;
	uint64_t root = UG_FIRST_TABLE + l->root, entry;

	for (unsigned int i = 0; i < 4 && g->mode->levels == 2; i++)
		host_shadows(l, root, UT_ROLE_ACCESS, i);
	for (unsigned int i = 0; i < 4 && g->mode->levels == 3; i++) {
		entry = ug_entry(g, root, i);
		if (entry & UT_PTE_P)
			host_shadows(l, (entry & UT_PTE_FRAME) >> 12, UT_ROLE_ACCESS, 0);
	}
	if (g->mode->levels > 3)
		host_shadows(l, root, UT_ROLE_ACCESS, 0);
}

static unsigned int part_of(const struct ug_guest *g, unsigned int index, unsigned int level)
{
	if (g->mode->bits != 10)
		return 0;
	return level == 2 ? index / 256 : index / 512;
}

/* An access that faults, and that the guest's own tables permit. */
static void fault(struct life *l, uint64_t gva, uint32_t error, enum ut_outcome outcome)
{
	const struct ug_guest *g = &l->guest;
	uint64_t gfn = UG_FIRST_TABLE + l->root, entry;
	uint32_t access = UT_ROLE_ACCESS;
	struct ut_event e = { .kind = UT_FAULT,
			      .fault = { .gva = gva,
					 .error = error,
					 .top = (uint8_t)g->mode->levels,
					 .outcome = (uint8_t)outcome,
					 .map_level = 1 } };

	for (unsigned int level = g->mode->levels; level; level--) {
		unsigned int index = ug_index(g->mode, gva, level);

		entry = ug_entry(g, gfn, index);
		e.fault.walk[level - 1] = entry;
		e.fault.bottom = (uint8_t)level;
		if (g->mode->levels != 3 || level != 3) {
			host_shadows(l, gfn, access, part_of(g, index, level));
			if (!(entry & UT_PTE_U))
				access &= ~UT_ROLE_USER;
		}
		if (level > 1 && (entry & UT_PTE_PS))
			break;
		gfn = (entry & UT_PTE_FRAME) >> 12;
	}
	emit(l, &e);
}

/* ---- the guest ---- */

static void use(struct life *l, uint64_t gva, uint64_t entry)
{
	if (!(entry & UT_PTE_P))
		return;
	fault(l, gva, UT_PF_USER | (entry & UT_PTE_W ? UT_PF_WRITE : 0), UT_OUT_FILLED);
}

static void write_entry(struct life *l, uint64_t gfn, unsigned int index, uint64_t value)
{
	unsigned int bytes = ug_entry_bytes(&l->guest);
	struct ut_event e = { .kind = UT_WRITE,
			      .write = { .gfn = gfn,
					 .old = ug_entry(&l->guest, gfn, index),
					 .old_known = true,
					 .val = value,
					 .offset = (uint16_t)(index * bytes),
					 .size = (uint8_t)bytes,
					 .how = UT_HOW_TRAPPED } };

	fault(l, ug_direct_address(&l->guest, gfn) + index * bytes, UT_PF_WRITE | UT_PF_PRESENT,
	      UT_OUT_EMULATED);
	ug_set_entry(&l->guest, gfn, index, value);
	emit(l, &e);
}

/* There is always another page to move to. */
static uint64_t other_page(struct life *l, uint64_t entry)
{
	uint64_t was = (entry & UT_PTE_FRAME) >> 12;
	uint64_t gfn = UG_FIRST_PAGE + ug_random(&l->guest, UG_PAGES - 1);

	return (entry & ~UT_PTE_FRAME) | (gfn < was ? gfn : gfn + 1) << 12;
}

static uint64_t changed_entry(struct life *l, uint64_t entry)
{
	switch (l->o->change) {
	case UG_MOVE:
		return other_page(l, entry);
	case UG_UNMAP:
		if (entry)
			return 0;
		return (UG_FIRST_PAGE + ug_random(&l->guest, UG_PAGES)) << 12 | UT_PTE_P |
		       UT_PTE_W | UT_PTE_U | UT_PTE_A | UT_PTE_D;
	default:
		return entry ^ UT_PTE_W;
	}
}

static void switch_root(struct life *l, uint64_t root)
{
	struct ut_event e = { .kind = UT_CR,
			      .cr = { .cr = 3, .value = (UG_FIRST_TABLE + root) << 12 } };

	l->root = root;
	emit(l, &e);
	host_loads(l);
}

static uint64_t address(const struct life *l, uint64_t table, unsigned int index)
{
	return ug_user_address(&l->guest, l->o, table) + (uint64_t)index * 4096;
}

static uint64_t leaf(const struct life *l, uint64_t table)
{
	return ug_leaf(&l->guest, UG_FIRST_TABLE + l->root, address(l, table, 0));
}

static struct changes *current_set(const struct life *l)
{
	return &l->sets[l->o->share ? 0 : l->root];
}

/* The first @n of an array in random order. */
static void shuffle_tables(struct life *l)
{
	for (uint64_t i = 0; i < l->o->tables; i++) {
		uint64_t k = i + ug_random(&l->guest, l->o->tables - i), was = l->order[i];

		l->order[i] = l->order[k];
		l->order[k] = was;
	}
}

static void choose_entries(struct life *l, uint16_t *chosen)
{
	for (uint64_t i = 0; i < l->o->changed; i++) {
		uint64_t k = i + ug_random(&l->guest, l->o->entries - i);
		uint16_t was = l->candidates[i];

		l->candidates[i] = l->candidates[k];
		l->candidates[k] = was;
	}
	memcpy(chosen, l->candidates, l->o->changed * sizeof(*chosen));
}

static void change_tables(struct life *l)
{
	struct changes *set = current_set(l);

	shuffle_tables(l);
	for (uint64_t t = 0; t < l->o->tables && !l->failed; t++) {
		uint16_t *chosen = &set->index[l->order[t] * l->o->changed];
		uint64_t gfn = leaf(l, l->order[t]);

		choose_entries(l, chosen);
		for (uint64_t i = 0; i < l->o->changed; i++)
			write_entry(l, gfn, chosen[i],
				    changed_entry(l, ug_entry(&l->guest, gfn, chosen[i])));
	}
	set->any = true;
}

static void use_changed(struct life *l)
{
	const struct changes *set = current_set(l);

	for (uint64_t t = 0; t < l->o->tables && set->any && !l->failed; t++) {
		for (uint64_t i = 0; i < l->o->changed; i++) {
			unsigned int index = set->index[t * l->o->changed + i];

			use(l, address(l, t, index), ug_entry(&l->guest, leaf(l, t), index));
		}
	}
}

/* All pages of tables that are new on this root; of tables that are not, one, as the way is new. */
static void use_all(struct life *l)
{
	uint64_t n = l->root && l->o->share ? 1 : l->o->entries;

	for (uint64_t t = 0; t < l->o->tables && !l->failed; t++) {
		for (unsigned int i = 0; i < n; i++)
			use(l, address(l, t, i), ug_entry(&l->guest, leaf(l, t), i));
	}
}

static void begin(struct life *l)
{
	unsigned int levels = l->guest.mode->levels;
	struct ut_event e = { .kind = UT_STATE,
			      .state = { .cr0 = UT_CR0_PG | UT_CR0_WP | 1,
					 .cr3 = UG_FIRST_TABLE << 12,
					 .cr4 = UT_CR4_PGE |
						(levels == 2 ? UT_CR4_PSE : UT_CR4_PAE) |
						(levels == 5 ? UT_CR4_LA57 : 0),
					 .efer = (levels > 2 ? UT_EFER_NX : 0) |
						 (levels > 3 ? UT_EFER_LME | UT_EFER_LMA : 0) } };

	emit_text(l, UT_VM, "synthetic");
	emit(l, &e);
	host_loads(l);
	use_all(l);
	for (uint64_t r = 1; r < l->o->roots && !l->failed; r++) {
		switch_root(l, r);
		use_all(l);
	}
	if (l->o->roots > 1)
		switch_root(l, 0);
	emit_text(l, UT_MARK, "rounds begin");
}

static void play(struct life *l)
{
	begin(l);
	for (uint64_t round = 0; round < l->o->rounds && !l->failed; round++) {
		change_tables(l);
		switch_root(l, (l->root + 1) % l->o->roots);
		use_changed(l);
	}
}

/* ---- the file ---- */

struct meta {
	struct ut_meta list[MAX_META];
	char keys[MAX_META][TEXT], values[MAX_META][TEXT];
	size_t n;
};

static void add_meta(struct meta *m, const char *prefix, const char *key, const char *value)
{
	snprintf(m->keys[m->n], TEXT, "%s%s", prefix, key);
	snprintf(m->values[m->n], TEXT, "%s", value);
	m->list[m->n] = (struct ut_meta){ m->keys[m->n], m->values[m->n] };
	m->n++;
}

static void describe(struct meta *m, const struct life *l)
{
	char number[TEXT];

	add_meta(m, "", "tool", l->tool);
	add_meta(m, "", "workload", "synthetic");
	for (const struct ug_parameter *p = ug_parameters(); p->name; p++) {
		snprintf(number, sizeof(number), "%" PRIu64,
			 *(const uint64_t *)((const char *)l->o + p->offset));
		add_meta(m, UT_META_SYNTHETIC, p->name, number);
	}
	add_meta(m, UT_META_SYNTHETIC, "change", ug_change_name(l->o->change));
}

static int write_trace(void *ctx, int fd)
{
	struct life *l = ctx;
	struct meta meta = { .n = 0 };
	struct ut_header header = { .mode = UT_MODE_EXACT };

	describe(&meta, l);
	header.meta = meta.list;
	header.n_meta = meta.n;
	l->writer = fd < 0 ? ut_writer_open(l->path, &header, l->err)
			   : ut_writer_attach(fd, l->path, &header, l->err);
	if (!l->writer)
		return -1;
	play(l);
	/* The first thing that went wrong is what is told. */
	if (ut_writer_close(l->writer, l->failed ? NULL : l->err))
		l->failed = true;
	return l->failed ? -1 : 0;
}

static int make_room(struct life *l)
{
	const struct ug_options *o = l->o;
	uint64_t n_sets = o->share ? 1 : o->roots;

	l->sets = calloc(n_sets, sizeof(*l->sets));
	l->order = calloc(o->tables, sizeof(*l->order));
	l->candidates = calloc(o->entries, sizeof(*l->candidates));
	if (!l->sets || !l->order || !l->candidates)
		return -1;
	for (uint64_t i = 0; i < n_sets; i++) {
		l->sets[i].index = calloc(o->tables * o->changed, sizeof(*l->sets[i].index));
		if (!l->sets[i].index)
			return -1;
	}
	for (uint64_t i = 0; i < o->tables; i++)
		l->order[i] = i;
	for (uint64_t i = 0; i < o->entries; i++)
		l->candidates[i] = (uint16_t)i;
	l->work = o->tables * (n_sets * o->entries + 3 * o->rounds * o->changed);
	return 0;
}

int ug_write(const char *path, const struct ug_options *o, const char *tool,
	     void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx,
	     struct ut_error *err)
{
	struct life l = {
		.path = path, .o = o, .tool = tool, .progress = progress, .ctx = ctx, .err = err
	};
	int ret;

	if (make_room(&l) || ug_build(&l.guest, o))
		ret = ut_error_set(err, "%s: out of memory", path);
	else
		ret = ut_write_beside(path, write_trace, &l, err);
	for (uint64_t i = 0; l.sets && i < (o->share ? 1 : o->roots); i++)
		free(l.sets[i].index);
	free(l.sets);
	free(l.order);
	free(l.candidates);
	ug_demolish(&l.guest);
	return ret;
}
