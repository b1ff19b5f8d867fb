// SPDX-License-Identifier: GPL-2.0-only
#include "gen/guest.h"

#include <stdlib.h>
#include <string.h>

#define SHIFT 12
#define UPPER (UT_PTE_P | UT_PTE_W | UT_PTE_U | UT_PTE_A | UT_PTE_D)
#define KERNEL (UT_PTE_P | UT_PTE_W | UT_PTE_A | UT_PTE_D)
#define LARGE (KERNEL | UT_PTE_PS | UT_PTE_G)

static const struct ug_mode modes[] = {
	{ .levels = 2, .bits = 10, .direct = 768, .user = 768 },
	{ .levels = 3, .bits = 9, .direct = 3, .user = 3 },
	{ .levels = 4, .bits = 9, .direct = 273, .user = 256 },
	{ .levels = 5, .bits = 9, .direct = 273, .user = 256 },
};

const struct ug_mode *ug_mode(unsigned int levels)
{
	return &modes[levels - 2];
}

static bool is_pae(const struct ug_mode *m)
{
	return m->levels == 3;
}

static uint64_t at_level(const struct ug_mode *m, unsigned int level, uint64_t index)
{
	return index << (SHIFT + m->bits * (level - 1));
}

uint64_t ug_room(const struct ug_mode *m, unsigned int branch)
{
	return branch > m->levels ? 0 : at_level(m, m->levels, m->user) / at_level(m, branch, 1);
}

/* Tables at a level on the ways to all last-level tables of one root. */
static uint64_t tables_at(const struct ug_options *o, const struct ug_mode *m, unsigned int level)
{
	uint64_t each;

	if (level < o->branch)
		return o->tables;
	each = at_level(m, level, 1ull << m->bits) / at_level(m, (unsigned int)o->branch, 1);
	return (o->tables + each - 1) / each;
}

uint64_t ug_count_tables(const struct ug_options *o)
{
	const struct ug_mode *m = ug_mode((unsigned int)o->levels);
	uint64_t n = o->roots + m->levels - 2;

	for (unsigned int level = 1; level < m->levels; level++)
		n += tables_at(o, m, level) * (level > o->share ? o->roots : 1);
	return n;
}

uint64_t ug_random(struct ug_guest *g, uint64_t below)
{
	uint64_t z = g->rng += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return (z ^ z >> 31) % below;
}

/* ---- entries ---- */

struct ug_table *ug_table_at(const struct ug_guest *g, uint64_t gfn)
{
	return g->tables[gfn - UG_FIRST_TABLE];
}

static bool narrow(const struct ug_guest *g)
{
	return g->mode->bits == 10;
}

unsigned int ug_entry_bytes(const struct ug_guest *g)
{
	return narrow(g) ? 4 : 8;
}

uint64_t ug_entry(const struct ug_guest *g, uint64_t gfn, unsigned int index)
{
	const uint64_t *words = ug_table_at(g, gfn)->words;

	return narrow(g) ? words[index / 2] >> (index % 2 * 32) & 0xffffffffu : words[index];
}

void ug_set_entry(struct ug_guest *g, uint64_t gfn, unsigned int index, uint64_t value)
{
	uint64_t *words = ug_table_at(g, gfn)->words;
	unsigned int shift = index % 2 * 32;

	if (!narrow(g)) {
		words[index] = value;
		return;
	}
	words[index / 2] &= ~(0xffffffffull << shift);
	words[index / 2] |= (value & 0xffffffffu) << shift;
}

unsigned int ug_index(const struct ug_mode *m, uint64_t gva, unsigned int level)
{
	uint64_t index = gva >> (SHIFT + m->bits * (level - 1));

	return (unsigned int)(index & (is_pae(m) && level == 3 ? 3 : (1u << m->bits) - 1));
}

/* ---- addresses ---- */

uint64_t ug_user_address(const struct ug_guest *g, const struct ug_options *o, uint64_t table)
{
	return at_level(g->mode, (unsigned int)o->branch, table);
}

uint64_t ug_direct_address(const struct ug_guest *g, uint64_t gfn)
{
	uint64_t gva = at_level(g->mode, g->mode->levels, g->mode->direct) | gfn << SHIFT;
	unsigned int unused = 64 - (SHIFT + g->mode->levels * g->mode->bits);

	if (g->mode->levels < 4)
		return gva;
	return (uint64_t)((int64_t)(gva << unused) >> unused);
}

/* The table at a level, on the way from a root to an address; 0 if the way ends before. */
static uint64_t table_on_way(const struct ug_guest *g, uint64_t root, uint64_t gva,
			     unsigned int level)
{
	uint64_t gfn = root;

	for (unsigned int l = g->mode->levels; l > level && gfn; l--)
		gfn = (ug_entry(g, gfn, ug_index(g->mode, gva, l)) & UT_PTE_FRAME) >> SHIFT;
	return gfn;
}

uint64_t ug_leaf(const struct ug_guest *g, uint64_t root, uint64_t gva)
{
	return table_on_way(g, root, gva, 1);
}

/* ---- construction ---- */

/* Return: its frame; 0 if out of memory. */
static uint64_t new_table(struct ug_guest *g, unsigned int level)
{
	struct ug_table *t;

	if (g->n_tables == g->cap) {
		uint32_t cap = g->cap ? 2 * g->cap : 64;
		struct ug_table **grown = realloc(g->tables, cap * sizeof(struct ug_table *));

		if (!grown)
			return 0;
		g->tables = grown;
		g->cap = cap;
	}
	t = calloc(1, sizeof(*t));
	if (!t)
		return 0;
	t->level = level;
	g->tables[g->n_tables] = t;
	return UG_FIRST_TABLE + g->n_tables++;
}

static void link_table(struct ug_guest *g, uint64_t parent, unsigned int index, uint64_t child,
		       uint64_t flags)
{
	/* The four top entries of PAE have no permissions. */
	if (is_pae(g->mode) && ug_table_at(g, parent)->level == 3)
		flags = UT_PTE_P;
	ug_set_entry(g, parent, index, child << SHIFT | flags);
}

static void fill_leaf(struct ug_guest *g, const struct ug_options *o, uint64_t gfn)
{
	for (unsigned int i = 0; i < o->entries; i++)
		ug_set_entry(g, gfn, i, (UG_FIRST_PAGE + ug_random(g, UG_PAGES)) << SHIFT | UPPER);
}

/* What is missing on the way from a root to an address; what all roots share comes from the first. */
static int build_way(struct ug_guest *g, const struct ug_options *o, uint64_t root, uint64_t gva)
{
	uint64_t gfn = root, child;

	for (unsigned int level = g->mode->levels; level > 1; level--) {
		child = table_on_way(g, root, gva, level - 1);
		if (!child && root != UG_FIRST_TABLE && level - 1 <= o->share) {
			child = table_on_way(g, UG_FIRST_TABLE, gva, level - 1);
			link_table(g, gfn, ug_index(g->mode, gva, level), child, UPPER);
		} else if (!child) {
			child = new_table(g, level - 1);
			if (!child)
				return -1;
			link_table(g, gfn, ug_index(g->mode, gva, level), child, UPPER);
			if (level == 2)
				fill_leaf(g, o, child);
		}
		gfn = child;
	}
	return 0;
}

/* The kernel's map of all tables, by large pages. */
static int build_direct(struct ug_guest *g, uint64_t roots)
{
	uint64_t top = 0, gfn = 0, end;

	for (unsigned int level = g->mode->levels - 1; level > 1; level--) {
		uint64_t child = new_table(g, level);

		if (!child)
			return -1;
		if (gfn)
			link_table(g, gfn, 0, child, KERNEL);
		else
			top = child;
		gfn = child;
	}
	end = UG_FIRST_TABLE + g->n_tables;
	for (uint64_t r = 0; r < roots && top; r++)
		link_table(g, UG_FIRST_TABLE + r, g->mode->direct, top, KERNEL);
	for (uint64_t r = 0; r < (top ? 1 : roots); r++) {
		uint64_t table = top ? gfn : UG_FIRST_TABLE + r;
		unsigned int first = top ? 0 : g->mode->direct;

		for (uint64_t i = 0; i << g->mode->bits < end; i++)
			ug_set_entry(g, table, first + (unsigned int)i,
				     i << (SHIFT + g->mode->bits) | LARGE);
	}
	return 0;
}

int ug_build(struct ug_guest *g, const struct ug_options *o)
{
	g->mode = ug_mode((unsigned int)o->levels);
	g->rng = o->seed * 0x2545f4914f6cdd1dull + 1;
	for (uint64_t r = 0; r < o->roots; r++) {
		if (!new_table(g, g->mode->levels))
			return -1;
	}
	for (uint64_t r = 0; r < o->roots; r++) {
		for (uint64_t t = 0; t < o->tables; t++) {
			if (build_way(g, o, UG_FIRST_TABLE + r, ug_user_address(g, o, t)))
				return -1;
		}
	}
	return build_direct(g, o->roots);
}

void ug_demolish(struct ug_guest *g)
{
	for (uint32_t i = 0; i < g->n_tables; i++)
		free(g->tables[i]);
	free(g->tables);
	memset(g, 0, sizeof(*g));
}
