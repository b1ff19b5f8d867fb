// SPDX-License-Identifier: GPL-2.0-only
#include "replay/exercise.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define WORDS UT_TABLE_ENTRIES
#define VCPUS 2
#define ROOTS 3
#define LEAVES 6
#define PAGES 8		     /* entries in use of each leaf table */
#define FIRST_TABLE 0x100ull /* frame of the first table; they lie side by side */
#define TABLES (ROOTS * 3 + LEAVES + 3)
#define RAM 512 /* frames that the guest has mapped for itself */
#define DIRECT_MAP 0xffff888000000000ull
#define DIRECT_SLOT 273
#define LARGE_SLOT 7 /* of each level-2 table: a large page */
#define LARGE_FRAMES 0x100000ull
#define USER (UT_PTE_P | UT_PTE_W | UT_PTE_U)
#define KERNEL (UT_PTE_P | UT_PTE_W | UT_PTE_A | UT_PTE_D)

struct guest {
	struct ur_exercise *x;
	size_t room, entry_room;
	bool failed; /* out of memory */
	uint64_t rng;
	bool pcid;
	uint64_t table[TABLES][WORDS];
	bool shadowed[TABLES]; /* the host has a shadow page of it */
	uint64_t leaf[LEAVES], middle[ROOTS];
	struct ut_state vcpu[VCPUS];
	unsigned int n_tables;
};

static uint64_t rnd(uint64_t *rng, uint64_t below)
{
	*rng = *rng * 6364136223846793005ull + 1442695040888963407ull;
	return (*rng >> 33) % below;
}

/* ---- the list of events ---- */

/* Entries move when their list grows, so an event holds a position until all are there. */
static void add_entries(struct guest *g, struct ut_event *e, const struct ut_entry *entries,
			uint16_t n)
{
	struct ur_exercise *x = g->x;

	if (x->n_entries + n > g->entry_room) {
		size_t room = 2 * (x->n_entries + n);
		struct ut_entry *grown = realloc(x->entries, room * sizeof(*grown));

		if (!grown) {
			g->failed = true;
			return;
		}
		x->entries = grown;
		g->entry_room = room;
	}
	if (n)
		memcpy(x->entries + x->n_entries, entries, n * sizeof(*entries));
	e->page.n = n;
	x->n_entries += n;
}

static void emit(struct guest *g, unsigned int vcpu, struct ut_event *e)
{
	struct ur_exercise *x = g->x;

	if (x->n == g->room) {
		size_t room = g->room ? 2 * g->room : 4096;
		struct ut_event *grown = realloc(x->events, room * sizeof(*grown));

		if (!grown) {
			g->failed = true;
			return;
		}
		x->events = grown;
		g->room = room;
	}
	e->time = x->n * 100;
	e->vcpu = (uint16_t)vcpu;
	x->events[x->n++] = *e;
}

static int finish(struct guest *g)
{
	struct ur_exercise *x = g->x;
	size_t at = 0;

	for (size_t i = 0; i < x->n && !g->failed; i++) {
		struct ut_event *e = &x->events[i];

		if (e->kind != UT_PAGE_NEW || !e->page.known)
			continue;
		e->page.entries = x->entries + at;
		at += e->page.n;
	}
	return g->failed ? -1 : 0;
}

void ur_exercise_free(struct ur_exercise *x)
{
	free(x->events);
	free(x->entries);
	memset(x, 0, sizeof(*x));
}

/* ---- the guest's tables ---- */

static bool is_table(const struct guest *g, uint64_t gfn)
{
	return gfn >= FIRST_TABLE && gfn < FIRST_TABLE + g->n_tables;
}

static uint64_t *entry(struct guest *g, uint64_t gfn, unsigned int index)
{
	return &g->table[gfn - FIRST_TABLE][index];
}

static uint64_t new_table(struct guest *g)
{
	return FIRST_TABLE + g->n_tables++;
}

/* Where the guest's kernel sees all frames that it has. */
static uint64_t build_direct_map(struct guest *g)
{
	uint64_t l3 = new_table(g), l2 = new_table(g), l1 = new_table(g);

	*entry(g, l3, 0) = l2 << 12 | KERNEL;
	*entry(g, l2, 0) = l1 << 12 | KERNEL;
	for (unsigned int i = 0; i < RAM; i++)
		*entry(g, l1, i) = (uint64_t)i << 12 | KERNEL | UT_PTE_G;
	return l3;
}

static void build_tables(struct guest *g)
{
	uint64_t root[ROOTS], direct;

	for (unsigned int r = 0; r < ROOTS; r++)
		root[r] = new_table(g);
	direct = build_direct_map(g);
	for (unsigned int l = 0; l < LEAVES; l++)
		g->leaf[l] = new_table(g);
	for (unsigned int r = 0; r < ROOTS; r++) {
		uint64_t l3 = new_table(g);

		g->middle[r] = new_table(g);
		*entry(g, root[r], 0) = l3 << 12 | USER;
		*entry(g, root[r], DIRECT_SLOT) = direct << 12 | KERNEL;
		*entry(g, l3, 0) = g->middle[r] << 12 | USER;
		*entry(g, g->middle[r], LARGE_SLOT) =
			(LARGE_FRAMES + r * 512) << 12 | USER | UT_PTE_PS;
		/* The first two are everywhere, the others in one space to begin with. */
		for (unsigned int l = 0; l < LEAVES; l++) {
			if (l < 2 || l % ROOTS == r)
				*entry(g, g->middle[r], l) = g->leaf[l] << 12 | USER;
		}
	}
}

static uint64_t user_address(struct guest *g)
{
	if (rnd(&g->rng, 20) == 0)
		return ((uint64_t)LARGE_SLOT << 21) + (rnd(&g->rng, 512) << 12);
	return (rnd(&g->rng, LEAVES) << 21) + (rnd(&g->rng, PAGES) << 12);
}

static uint64_t random_leaf_entry(struct guest *g)
{
	uint64_t value = (0x10 + rnd(&g->rng, 32)) << 12 | UT_PTE_P | UT_PTE_U;

	switch (rnd(&g->rng, 8)) {
	case 0:
	case 1:
		return 0;
	case 2: /* maps a table: this one, or another */
		value = g->leaf[rnd(&g->rng, LEAVES)] << 12 | UT_PTE_P | UT_PTE_U;
		break;
	default:
		break;
	}
	if (rnd(&g->rng, 2))
		value |= UT_PTE_W | UT_PTE_D;
	if (rnd(&g->rng, 2))
		value |= UT_PTE_A;
	if (rnd(&g->rng, 6) == 0)
		value |= UT_PTE_G;
	if (rnd(&g->rng, 6) == 0)
		value |= UT_PTE_NX;
	return value;
}

/* ---- what the guest does, and the host because of it ---- */

static void host_shadows(struct guest *g, unsigned int vcpu, uint64_t gfn, unsigned int level)
{
	struct ut_event e = { .kind = UT_PAGE_NEW,
			      .page = { .gfn = gfn, .role = level | UT_ROLE_ACCESS } };
	struct ut_entry entries[WORDS];
	uint16_t n = 0;

	if (!is_table(g, gfn) || g->shadowed[gfn - FIRST_TABLE])
		return;
	for (unsigned int i = 0; i < WORDS; i++) {
		if (*entry(g, gfn, i))
			entries[n++] = (struct ut_entry){ (uint16_t)i, *entry(g, gfn, i) };
	}
	e.page.known = true;
	add_entries(g, &e, entries, n);
	g->shadowed[gfn - FIRST_TABLE] = true;
	emit(g, vcpu, &e);
}

static void host_zaps(struct guest *g)
{
	uint64_t gfn =
		rnd(&g->rng, 2) ? g->leaf[rnd(&g->rng, LEAVES)] : g->middle[rnd(&g->rng, ROOTS)];
	struct ut_event e = { .kind = UT_PAGE_ZAP, .page = { .gfn = gfn, .role = 1 } };

	if (!g->shadowed[gfn - FIRST_TABLE])
		return;
	g->shadowed[gfn - FIRST_TABLE] = false;
	emit(g, UT_NO_VCPU, &e);
}

static void set_bit(struct guest *g, unsigned int vcpu, uint64_t gfn, unsigned int index,
		    bool dirty)
{
	struct ut_event e = {
		.kind = UT_AD,
		.ad = { .gfn = gfn, .index = (uint16_t)index, .entry_size = 8, .dirty = dirty }
	};
	uint64_t bit = dirty ? UT_PTE_D : UT_PTE_A;

	if (*entry(g, gfn, index) & bit)
		return;
	*entry(g, gfn, index) |= bit;
	emit(g, vcpu, &e);
}

struct walk {
	uint64_t gpte[UT_MAX_LEVELS], table[UT_MAX_LEVELS]; /* by level - 1 */
	uint64_t all, any;				    /* AND and OR of the entries */
	unsigned int bottom;
};

static struct walk walk(struct guest *g, unsigned int vcpu, uint64_t gva)
{
	uint64_t gfn = (g->vcpu[vcpu].cr3 & UT_PTE_FRAME) >> 12;
	struct walk w = { .all = ~0ull };

	for (unsigned int level = 4; level; level--) {
		unsigned int index = gva >> (12 + 9 * (level - 1)) & (WORDS - 1);
		uint64_t gpte = is_table(g, gfn) ? *entry(g, gfn, index) : 0;

		w.table[level - 1] = gfn;
		w.gpte[level - 1] = gpte;
		w.bottom = level;
		w.all &= gpte;
		w.any |= gpte;
		if (!(gpte & UT_PTE_P) || (level == 2 && (gpte & UT_PTE_PS)))
			break;
		gfn = (gpte & UT_PTE_FRAME) >> 12;
	}
	return w;
}

static bool permits(const struct guest *g, unsigned int vcpu, const struct walk *w, uint32_t error)
{
	bool wp = g->vcpu[vcpu].cr0 & UT_CR0_WP;

	if (!(w->all & UT_PTE_P) || ((error & UT_PF_USER) && !(w->all & UT_PTE_U)))
		return false;
	if ((error & UT_PF_WRITE) && !(w->all & UT_PTE_W) && (wp || (error & UT_PF_USER)))
		return false;
	return !((error & UT_PF_FETCH) && (w->any & UT_PTE_NX));
}

/* The host shadows the tables of the walk, and sets accessed and dirty in them. */
static void host_prepares(struct guest *g, unsigned int vcpu, const struct walk *w, uint64_t gva,
			  bool write)
{
	for (unsigned int level = 4; level >= w->bottom; level--) {
		unsigned int index = gva >> (12 + 9 * (level - 1)) & (WORDS - 1);

		set_bit(g, vcpu, w->table[level - 1], index, false);
		if (level == w->bottom && write)
			set_bit(g, vcpu, w->table[level - 1], index, true);
		host_shadows(g, vcpu, w->table[level - 1], level);
	}
}

static void access_memory(struct guest *g, unsigned int vcpu, uint64_t gva, uint32_t error,
			  enum ut_outcome good)
{
	struct walk w = walk(g, vcpu, gva);
	struct ut_event e = { .kind = UT_FAULT,
			      .fault = { .gva = gva,
					 .error = error,
					 .top = 4,
					 .bottom = (uint8_t)w.bottom,
					 .outcome = UT_OUT_REFLECTED } };

	memcpy(e.fault.walk, w.gpte, sizeof(w.gpte));
	if (permits(g, vcpu, &w, error)) {
		host_prepares(g, vcpu, &w, gva, error & UT_PF_WRITE);
		e.fault.outcome = (uint8_t)good;
		e.fault.map_level = (uint8_t)(w.bottom > 1 ? 1 + rnd(&g->rng, 2) : 1);
	}
	emit(g, vcpu, &e);
}

static void access_some(struct guest *g, unsigned int vcpu)
{
	static const uint32_t errors[] = { UT_PF_USER, UT_PF_USER | UT_PF_WRITE, 0, UT_PF_WRITE,
					   UT_PF_USER | UT_PF_FETCH };

	access_memory(g, vcpu, user_address(g), errors[rnd(&g->rng, 5)], UT_OUT_FILLED);
}

static void write_entry(struct guest *g, unsigned int vcpu, uint64_t gfn, unsigned int index,
			uint64_t value)
{
	bool trapped = g->shadowed[gfn - FIRST_TABLE];
	struct ut_event e = { .kind = UT_WRITE,
			      .write = { .gfn = gfn,
					 .offset = (uint16_t)(index * 8),
					 .size = 8,
					 .how = UT_HOW_TRAPPED,
					 .old = *entry(g, gfn, index),
					 .old_known = true,
					 .val = value } };

	access_memory(g, vcpu, DIRECT_MAP + (gfn << 12) + index * 8ull, UT_PF_WRITE | UT_PF_PRESENT,
		      trapped ? UT_OUT_EMULATED : UT_OUT_FILLED);
	*entry(g, gfn, index) = value;
	if (trapped)
		emit(g, vcpu, &e);
}

static void write_some(struct guest *g, unsigned int vcpu)
{
	uint64_t leaf = g->leaf[rnd(&g->rng, LEAVES)];

	for (uint64_t n = 1 + rnd(&g->rng, 6); n; n--)
		write_entry(g, vcpu, leaf, (unsigned int)rnd(&g->rng, PAGES), random_leaf_entry(g));
}

static void write_cr(struct guest *g, unsigned int vcpu, uint8_t cr, uint64_t value)
{
	struct ut_event e = { .kind = UT_CR, .cr = { .cr = cr, .value = value } };

	emit(g, vcpu, &e);
}

static void switch_space(struct guest *g, unsigned int vcpu)
{
	uint64_t root = rnd(&g->rng, ROOTS), value = (FIRST_TABLE + root) << 12;
	bool keep = g->pcid && rnd(&g->rng, 2);

	if (g->pcid)
		value |= 1 + root;
	g->vcpu[vcpu].cr3 = value;
	write_cr(g, vcpu, 3, value | (keep ? UT_CR3_NOFLUSH : 0));
}

static void flush_everywhere(struct guest *g)
{
	for (unsigned int v = 0; v < VCPUS; v++)
		write_cr(g, v, 3, g->vcpu[v].cr3);
}

/* An upper entry changes; if it was present, as guests must, all flush before the table is reused. */
static void rewire(struct guest *g, unsigned int vcpu)
{
	uint64_t middle = g->middle[rnd(&g->rng, ROOTS)], leaf = g->leaf[rnd(&g->rng, LEAVES)];
	unsigned int slot = (unsigned int)rnd(&g->rng, LEAVES);
	bool was = *entry(g, middle, slot);

	write_entry(g, vcpu, middle, slot, was ? 0 : leaf << 12 | USER);
	if (was)
		flush_everywhere(g);
}

static void change_mode(struct guest *g, unsigned int vcpu)
{
	if (rnd(&g->rng, 2)) {
		g->vcpu[vcpu].cr0 ^= UT_CR0_WP;
		write_cr(g, vcpu, 0, g->vcpu[vcpu].cr0);
	} else {
		g->vcpu[vcpu].cr4 ^= UT_CR4_PGE;
		write_cr(g, vcpu, 4, g->vcpu[vcpu].cr4);
	}
}

static void flush_some(struct guest *g, unsigned int vcpu)
{
	struct ut_event e = { .kind = UT_INVLPG };

	switch (rnd(&g->rng, 6)) {
	case 0:
		e.kind = UT_PV_FLUSH;
		break;
	case 1:
		e.kind = UT_INVPCID;
		e.invpcid =
			(struct ut_invpcid){ user_address(g), (uint16_t)(1 + rnd(&g->rng, ROOTS)),
					     (uint8_t)rnd(&g->rng, 4) };
		break;
	default:
		e.invlpg.gva = user_address(g);
		break;
	}
	emit(g, vcpu, &e);
}

static void one_step(struct guest *g)
{
	unsigned int vcpu = (unsigned int)rnd(&g->rng, VCPUS);

	switch (rnd(&g->rng, 20)) {
	case 0:
	case 1:
		switch_space(g, vcpu);
		break;
	case 2:
		flush_some(g, vcpu);
		break;
	case 3:
		rewire(g, vcpu);
		break;
	case 4:
		if (rnd(&g->rng, 4) == 0)
			change_mode(g, vcpu);
		break;
	case 5:
		if (rnd(&g->rng, 4) == 0)
			host_zaps(g);
		break;
	case 6:
	case 7:
	case 8:
	case 9:
	case 10:
		write_some(g, vcpu);
		break;
	default:
		access_some(g, vcpu);
		break;
	}
}

static void start(struct guest *g)
{
	build_tables(g);
	for (unsigned int v = 0; v < VCPUS; v++) {
		struct ut_event e = { .kind = UT_STATE };

		e.state = (struct ut_state){ .cr0 = UT_CR0_PG | UT_CR0_WP | 1,
					     .cr3 = FIRST_TABLE << 12,
					     .cr4 = UT_CR4_PAE | UT_CR4_PGE,
					     .efer = UT_EFER_LME | UT_EFER_LMA | UT_EFER_NX };
		if (g->pcid) {
			e.state.cr3 |= 1;
			e.state.cr4 |= UT_CR4_PCIDE;
		}
		g->vcpu[v] = e.state;
		emit(g, v, &e);
	}
}

int ur_exercise_guest(struct ur_exercise *x, uint64_t seed, size_t steps)
{
	struct guest *g = calloc(1, sizeof(*g));
	int ret;

	memset(x, 0, sizeof(*x));
	if (!g)
		return -1;
	g->x = x;
	g->rng = seed * 0x9e3779b97f4a7c15ull + 1;
	g->pcid = seed & 1;
	start(g);
	while (steps-- && !g->failed)
		one_step(g);
	ret = finish(g);
	free(g);
	return ret;
}

/* ---- what no guest would cause ---- */

static uint64_t odd_gfn(struct guest *g)
{
	return rnd(&g->rng, 8) ? FIRST_TABLE + rnd(&g->rng, 12) : rnd(&g->rng, 1ull << 31) << 21;
}

static uint64_t odd_gpte(struct guest *g)
{
	return odd_gfn(g) << 12 | rnd(&g->rng, 512) | (rnd(&g->rng, 2) ? UT_PTE_P | UT_PTE_A : 0) |
	       (rnd(&g->rng, 8) ? 0 : UT_PTE_NX);
}

static void odd_page(struct guest *g, struct ut_event *e)
{
	struct ut_page *p = &e->page;
	struct ut_entry entries[WORDS];
	uint16_t n = 0;

	p->gfn = odd_gfn(g);
	p->role = (uint32_t)(1 + rnd(&g->rng, 5)) | UT_ROLE_ACCESS | UT_ROLE_CR0_WP |
		  UT_ROLE_EFER_NX | (rnd(&g->rng, 4) ? 0 : UT_ROLE_DIRECT);
	if (e->kind != UT_PAGE_NEW || (p->role & UT_ROLE_DIRECT) || !rnd(&g->rng, 4))
		return;
	p->known = true;
	for (unsigned int i = 0; i < WORDS; i += 1 + (unsigned int)rnd(&g->rng, 40))
		entries[n++] = (struct ut_entry){ (uint16_t)i, odd_gpte(g) };
	add_entries(g, e, entries, n);
}

static void odd_fault(struct guest *g, struct ut_fault *f)
{
	f->gva = rnd(&g->rng, 2) ? rnd(&g->rng, 1ull << 31) << 12 : rnd(&g->rng, 64) << 12;
	f->error = (uint32_t)rnd(&g->rng, 32);
	f->top = (uint8_t)(rnd(&g->rng, 8) ? 4 : rnd(&g->rng, 6));
	f->bottom = f->top ? (uint8_t)(1 + rnd(&g->rng, f->top)) : 0;
	f->outcome = (uint8_t)rnd(&g->rng, UT_OUT_FAST + 1);
	f->map_level = f->bottom ? (uint8_t)rnd(&g->rng, f->bottom + 1u) : 0;
	for (unsigned int i = 0; i < UT_MAX_LEVELS; i++)
		f->walk[i] = odd_gpte(g);
}

static void odd_state(struct guest *g, struct ut_state *s)
{
	s->cr0 = rnd(&g->rng, 2) ? UT_CR0_PG | UT_CR0_WP : 0;
	s->cr3 = odd_gfn(g) << 12;
	s->cr4 = rnd(&g->rng, 1 << 23) | UT_CR4_PAE;
	s->efer = UT_EFER_LMA | UT_EFER_NX;
}

static void odd_cr(struct guest *g, struct ut_cr *cr)
{
	static const uint8_t numbers[] = { 0, 3, 3, 3, 4 };

	cr->cr = numbers[rnd(&g->rng, sizeof(numbers))];
	cr->value = cr->cr == 3 ? odd_gfn(g) << 12 | rnd(&g->rng, 2) << 63
				: rnd(&g->rng, 1 << 23) | UT_CR0_PG | UT_CR4_PAE;
}

static void odd_write(struct guest *g, struct ut_write *w)
{
	w->gfn = odd_gfn(g);
	w->size = (uint8_t)(1 + rnd(&g->rng, 8));
	w->how = (uint8_t)(1 + rnd(&g->rng, 3));
	w->val = w->size < 8 ? odd_gpte(g) & ((1ull << 8 * w->size) - 1) : odd_gpte(g);
	w->offset = (uint16_t)rnd(&g->rng, 4097u - w->size);
}

static void odd_event(struct guest *g)
{
	static const uint8_t kinds[] = { UT_STATE,    UT_CR,	   UT_INVLPG,	UT_INVPCID,
					 UT_PV_FLUSH, UT_FAULT,	   UT_FAULT,	UT_FAULT,
					 UT_WRITE,    UT_WRITE,	   UT_AD,	UT_MARK,
					 UT_PAGE_NEW, UT_PAGE_NEW, UT_PAGE_ZAP, UT_EXITS };
	struct ut_event e = { .kind = kinds[rnd(&g->rng, sizeof(kinds))] };

	switch (e.kind) {
	case UT_STATE:
		odd_state(g, &e.state);
		break;
	case UT_CR:
		odd_cr(g, &e.cr);
		break;
	case UT_FAULT:
		odd_fault(g, &e.fault);
		break;
	case UT_WRITE:
		odd_write(g, &e.write);
		break;
	case UT_AD:
		e.ad = (struct ut_ad){ odd_gfn(g), (uint16_t)rnd(&g->rng, WORDS), 8,
				       rnd(&g->rng, 2) };
		break;
	case UT_PAGE_NEW:
	case UT_PAGE_ZAP:
		odd_page(g, &e);
		break;
	case UT_INVLPG:
		e.invlpg.gva = rnd(&g->rng, 64) << 12;
		break;
	case UT_INVPCID:
		e.invpcid =
			(struct ut_invpcid){ rnd(&g->rng, 64) << 12, 0, (uint8_t)rnd(&g->rng, 4) };
		break;
	default:
		break;
	}
	emit(g, (unsigned int)(rnd(&g->rng, 1000) ? rnd(&g->rng, 3) : UT_NO_VCPU), &e);
}

int ur_exercise_nonsense(struct ur_exercise *x, uint64_t seed, size_t n)
{
	struct guest *g = calloc(1, sizeof(*g));
	int ret;

	memset(x, 0, sizeof(*x));
	if (!g)
		return -1;
	g->x = x;
	g->rng = seed * 0x9e3779b97f4a7c15ull + 1;
	while (n-- && !g->failed)
		odd_event(g);
	ret = finish(g);
	free(g);
	return ret;
}
