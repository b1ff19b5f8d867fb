// SPDX-License-Identifier: GPL-2.0-only
#include "tests/random/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS UT_TABLE_ENTRIES
#define RAM 0x240   /* frames that may be tables; the kernel maps all of them */
#define HIGH 0x208u /* first table in the next 2 MiB, which hold nothing that is always shadowed */
#define HIGH_TABLES 3
#define FIRST_TABLE 0x10u /* frames below are never used */
#define FIRST_DATA 0x48u
#define DATA 24
#define MAX_VCPUS 3
#define MAX_ROOTS 4
#define MAX_HOST_PAGES 512
#define PAGES 12 /* entries in use of each leaf table: more than one group of eight */
#define MAX_POOL 12
#define SHIFT 12
#define KERNEL (UT_PTE_P | UT_PTE_W | UT_PTE_A | UT_PTE_D)

/* How tables are read. */
struct mode {
	const char *name;
	unsigned int levels, bits;   /* bits of an address that index a table */
	bool pae;		     /* four top entries, read when CR3 is written */
	unsigned int kernel, direct; /* top entries: what all share, and the map of all memory */
};

static const struct mode modes[] = {
	{ "four levels", 4, 9, false, 257, 273 },
	{ "five levels", 5, 9, false, 257, 273 },
	{ "PAE", 3, 9, true, 2, 3 },
	{ "32 bit", 2, 10, false, 512, 768 },
	{ "32 bit", 2, 10, false, 512, 768 },
};

struct vcpu {
	uint64_t cr0, cr3, cr4, efer;
	uint64_t pdpte[4];
};

struct host_page {
	uint64_t gfn;
	uint32_t role;
};

struct world {
	struct life *life;
	const struct mode *m;
	uint64_t rng;
	bool pcid;
	uint64_t *content[RAM]; /* NULL: zeroes */
	unsigned int next_table, n_high;
	struct vcpu vcpu[MAX_VCPUS];
	unsigned int n_vcpus, n_roots;
	uint64_t root[MAX_ROOTS];
	/* Tables by the level that they were made for; leaf tables are pool[1]. */
	uint64_t pool[UT_MAX_LEVELS][MAX_POOL];
	unsigned int n_pool[UT_MAX_LEVELS];
	uint64_t kernel_leaf[2];
	struct host_page host[MAX_HOST_PAGES];
	unsigned int n_host;
};

static void *or_die(void *p)
{
	if (p)
		return p;
	fputs("random-guests: out of memory\n", stderr);
	exit(1);
}

static uint64_t rnd(struct world *w, uint64_t below)
{
	uint64_t z = w->rng += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return (z ^ z >> 31) % below;
}

/* Once in @n times. */
static bool once(struct world *w, unsigned int n)
{
	return !rnd(w, n);
}

/* ---- events ---- */

static void emit(struct world *w, unsigned int vcpu, struct ut_event *e)
{
	struct life *l = w->life;

	if (l->n == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 1024;
		l->events = or_die(realloc(l->events, l->cap * sizeof(*l->events)));
	}
	e->time = 100 * l->n;
	e->vcpu = (uint16_t)vcpu;
	l->events[l->n++] = *e;
}

static struct ut_entry *new_content(struct life *l, size_t n)
{
	struct ut_entry *entries = or_die(malloc((n + 1) * sizeof(*entries)));

	if (l->n_contents == l->cap_contents) {
		l->cap_contents = l->cap_contents ? 2 * l->cap_contents : 64;
		l->contents = or_die(realloc(l->contents, l->cap_contents * sizeof(void *)));
	}
	return l->contents[l->n_contents++] = entries;
}

void life_free(struct life *l)
{
	for (size_t i = 0; i < l->n_contents; i++)
		free(l->contents[i]);
	free(l->contents);
	free(l->events);
	memset(l, 0, sizeof(*l));
}

/* ---- tables ---- */

static bool narrow(const struct world *w)
{
	return w->m->bits == 10;
}

static unsigned int entry_bytes(const struct world *w)
{
	return narrow(w) ? 4 : 8;
}

static uint64_t *words(struct world *w, uint64_t gfn)
{
	if (!w->content[gfn])
		w->content[gfn] = or_die(calloc(WORDS, sizeof(uint64_t)));
	return w->content[gfn];
}

static uint64_t get(struct world *w, uint64_t gfn, unsigned int index)
{
	uint64_t *t = words(w, gfn);

	return narrow(w) ? t[index / 2] >> (index % 2 * 32) & 0xffffffffu : t[index];
}

static void put_bytes(struct world *w, uint64_t gfn, unsigned int offset, unsigned int size,
		      uint64_t value)
{
	unsigned char *t = (unsigned char *)words(w, gfn);

	for (unsigned int i = 0; i < size; i++)
		t[offset + i] = (unsigned char)(value >> (8 * i));
}

/* Before the guest runs. */
static void put(struct world *w, uint64_t gfn, unsigned int index, uint64_t value)
{
	put_bytes(w, gfn, index * entry_bytes(w), entry_bytes(w), value);
}

static uint64_t new_table(struct world *w, unsigned int level)
{
	bool high = level == 1 && w->n_high < HIGH_TABLES;
	uint64_t gfn = high ? HIGH + w->n_high++ : w->next_table++;

	if ((!high && gfn >= FIRST_DATA) || w->n_pool[level - 1] == MAX_POOL) {
		fputs("random-guests: the guest has too many tables\n", stderr);
		exit(1);
	}
	w->pool[level - 1][w->n_pool[level - 1]++] = gfn;
	return gfn;
}

static uint64_t some_table(struct world *w, unsigned int level)
{
	return w->pool[level - 1][rnd(w, w->n_pool[level - 1])];
}

/* Not the kernel's own: those are in one place in all address spaces. */
static uint64_t any_table(struct world *w)
{
	if (once(w, 6))
		return HIGH + rnd(w, HIGH_TABLES);
	return FIRST_TABLE + rnd(w, w->next_table - FIRST_TABLE);
}

/* Bits that entries have in this mode. */
static uint64_t fit(const struct world *w, uint64_t entry)
{
	return narrow(w) ? entry & 0xffffffffu : entry;
}

static bool kernel_leaf(const struct world *w, uint64_t gfn)
{
	return gfn == w->kernel_leaf[0] || gfn == w->kernel_leaf[1];
}

/* Most of a kernel's entries are global, and of another table, and some elsewhere. */
static bool global_entry(struct world *w, uint64_t table)
{
	if (kernel_leaf(w, table))
		return !once(w, 8);
	return table == HIGH + 1 ? !once(w, 16) : once(w, 4);
}

/* Some entry of a leaf table. */
static uint64_t leaf_entry(struct world *w, uint64_t table)
{
	uint64_t e = (FIRST_DATA + rnd(w, DATA)) << SHIFT | UT_PTE_P;

	if (once(w, 5))
		return once(w, 4) ? rnd(w, 1u << 20) << SHIFT | (rnd(w, 256) << 1 & ~1ull) : 0;
	if (once(w, 6))
		e = any_table(w) << SHIFT | UT_PTE_P;
	if (!once(w, 5))
		e |= UT_PTE_U;
	if (!once(w, 3))
		e |= UT_PTE_W;
	if (!once(w, 3))
		e |= UT_PTE_D;
	if (!once(w, 3))
		e |= UT_PTE_A;
	if (global_entry(w, table))
		e |= UT_PTE_G;
	if (once(w, 6))
		e |= UT_PTE_NX;
	return fit(w, e);
}

static uint64_t upper_entry(struct world *w, unsigned int level)
{
	uint64_t e = some_table(w, level - 1) << SHIFT | UT_PTE_P | UT_PTE_W | UT_PTE_U;

	if (once(w, 6))
		return 0;
	if (once(w, 10))
		e = any_table(w) << SHIFT | UT_PTE_P | UT_PTE_W | UT_PTE_U;
	if (level == 2 && once(w, 8))
		e = rnd(w, 4) << (SHIFT + w->m->bits) | UT_PTE_PS | UT_PTE_P | UT_PTE_W | UT_PTE_U;
	if (once(w, 4))
		e &= ~UT_PTE_W;
	if (once(w, 6))
		e &= ~UT_PTE_U;
	if (once(w, 8))
		e |= UT_PTE_NX;
	if (once(w, 2))
		e |= UT_PTE_A;
	if ((e & UT_PTE_PS) && once(w, 2))
		e |= UT_PTE_D;
	if ((e & UT_PTE_PS) && once(w, 4))
		e |= UT_PTE_G;
	return fit(w, e);
}

/* ---- addresses ---- */

static uint64_t canonical(const struct world *w, uint64_t gva)
{
	unsigned int unused = 64 - (SHIFT + w->m->levels * w->m->bits);

	if (w->m->levels < 4)
		return gva & 0xffffffffu;
	return (uint64_t)((int64_t)(gva << unused) >> unused);
}

static uint64_t at_level(const struct world *w, unsigned int level, uint64_t index)
{
	return index << (SHIFT + w->m->bits * (level - 1));
}

static unsigned int index_at(const struct world *w, uint64_t gva, unsigned int level)
{
	uint64_t index = gva >> (SHIFT + w->m->bits * (level - 1));

	return (unsigned int)(index & (w->m->pae && level == 3 ? 3 : (1u << w->m->bits) - 1));
}

/* Where the kernel sees a frame. */
static uint64_t direct_gva(const struct world *w, uint64_t gfn)
{
	return canonical(w, at_level(w, w->m->levels, w->m->direct) | gfn << SHIFT);
}

/* The entries of leaf tables that are in use; of 1024, some lie in the second half. */
static unsigned int leaf_index(const struct world *w, unsigned int n)
{
	return narrow(w) && n >= PAGES / 2 ? 512 + n : n;
}

static unsigned int some_leaf_index(struct world *w)
{
	return leaf_index(w, (unsigned int)rnd(w, PAGES));
}

/* How many entries of a table at a level the guest uses. */
static unsigned int used(unsigned int level)
{
	if (level == 1)
		return PAGES;
	return level == 2 ? 4 : 2;
}

static uint64_t some_address(struct world *w)
{
	unsigned int top = w->m->levels;
	uint64_t gva = at_level(w, 1, some_leaf_index(w));

	for (unsigned int level = 2; level < top; level++)
		gva |= at_level(w, level, rnd(w, used(level)));
	if (once(w, 4)) { /* the kernel's own, two leaf tables */
		gva &= at_level(w, 2, top > 2 ? 2 : 1) - 1;
		gva |= at_level(w, top, w->m->kernel + (top > 2 ? 0 : rnd(w, 2)));
		return canonical(w, gva);
	}
	if (once(w, 12)) /* through the entry with which a root maps itself, if it does */
		return canonical(w, at_level(w, top, top > 2 && !w->m->pae ? 2 : 4) | gva);
	return canonical(w, gva | at_level(w, top, rnd(w, used(top))));
}

/* ---- the host ---- */

static uint32_t mode_bits(const struct world *w, const struct vcpu *v)
{
	uint32_t role = v->efer & UT_EFER_NX ? UT_ROLE_EFER_NX : 0;

	if (narrow(w))
		role |= UT_ROLE_4BYTE;
	if (v->cr0 & UT_CR0_WP)
		return role | UT_ROLE_CR0_WP;
	if (v->cr4 & UT_CR4_SMEP)
		role |= UT_ROLE_SMEP_NOT_WP;
	if (v->cr4 & UT_CR4_SMAP)
		role |= UT_ROLE_SMAP_NOT_WP;
	return role;
}

static bool shadowed(const struct world *w, uint64_t gfn)
{
	for (unsigned int i = 0; i < w->n_host; i++) {
		if (w->host[i].gfn == gfn)
			return true;
	}
	return false;
}

static void host_zaps(struct world *w, unsigned int i)
{
	struct ut_event e = { .kind = UT_PAGE_ZAP,
			      .page = { .gfn = w->host[i].gfn, .role = w->host[i].role } };

	w->host[i] = w->host[--w->n_host];
	emit(w, once(w, 2) ? 0 : UT_NO_VCPU, &e);
}

static uint64_t cr3_table(const struct world *w, const struct vcpu *v)
{
	return (v->cr3 & (narrow(w) ? 0xfffff000u : UT_PTE_FRAME)) >> SHIFT;
}

static void host_shadows(struct world *w, unsigned int vcpu, uint64_t gfn, uint32_t role);

/* Before a guest goes on there are shadow pages of the tables that its vCPU's root entries name. */
static void host_loads(struct world *w, unsigned int vcpu)
{
	const struct vcpu *v = &w->vcpu[vcpu];
	uint32_t role = mode_bits(w, v) | UT_ROLE_ACCESS;

	for (unsigned int i = 0; i < 4; i++) {
		if (w->m->pae && (v->pdpte[i] & UT_PTE_P))
			host_shadows(w, vcpu, (v->pdpte[i] & UT_PTE_FRAME) >> SHIFT, role | 2);
		else if (narrow(w))
			host_shadows(w, vcpu, cr3_table(w, v),
				     role | 2 | i << UT_ROLE_QUADRANT_SHIFT);
	}
	if (w->m->levels > 3)
		host_shadows(w, vcpu, cr3_table(w, v), role | w->m->levels);
}

static void host_zaps_frame(struct world *w, uint64_t gfn)
{
	for (unsigned int i = w->n_host; i-- > 0;) {
		if (w->host[i].gfn == gfn)
			host_zaps(w, i);
	}
}

static void host_shadows(struct world *w, unsigned int vcpu, uint64_t gfn, uint32_t role)
{
	struct ut_event e = { .kind = UT_PAGE_NEW, .page = { .gfn = gfn, .role = role } };
	struct ut_entry *entries;

	for (unsigned int i = 0; i < w->n_host; i++) {
		if (w->host[i].gfn == gfn && w->host[i].role == role)
			return;
	}
	if (w->n_host == MAX_HOST_PAGES)
		host_zaps(w, (unsigned int)rnd(w, w->n_host));
	w->host[w->n_host++] = (struct host_page){ gfn, role };
	entries = new_content(w->life, WORDS);
	for (unsigned int i = 0; i < WORDS; i++) {
		if (words(w, gfn)[i])
			entries[e.page.n++] = (struct ut_entry){ (uint16_t)i, words(w, gfn)[i] };
	}
	e.page.known = true;
	e.page.entries = entries;
	emit(w, vcpu, &e);
}

/* ---- walks ---- */

struct walk {
	uint64_t gpte[UT_MAX_LEVELS], table[UT_MAX_LEVELS]; /* by level - 1 */
	uint32_t access[UT_MAX_LEVELS]; /* before the entry at the level was read */
	uint32_t allowed;		/* UT_ROLE_* of the whole path */
	unsigned int bottom;
	uint64_t gfn;
	bool present;
	bool odd; /* leads where this guest has no memory for tables: it does not go there */
};

static void finish_walk(struct world *w, struct walk *k, uint64_t gpte, unsigned int level,
			uint64_t gva)
{
	uint64_t inside = (1ull << (w->m->bits * (level - 1))) - 1;
	uint64_t gfn = (gpte & UT_PTE_FRAME) >> SHIFT;

	if (narrow(w) && level == 2)
		gfn = (gpte & 0xffc00000u) >> SHIFT | (gpte & 0x1fe000u) << 7;
	k->present = true;
	k->gfn = (gfn & ~inside) | (gva >> SHIFT & inside);
}

static struct walk walk(struct world *w, const struct vcpu *v, uint64_t gva)
{
	struct walk k = { .allowed = UT_ROLE_ACCESS };
	uint64_t gfn = cr3_table(w, v);

	for (unsigned int level = w->m->levels; level; level--) {
		unsigned int index = index_at(w, gva, level);
		bool top = w->m->pae && level == 3;
		uint64_t gpte;

		if (gfn >= RAM) {
			k.odd = true;
			return k;
		}
		gpte = top ? v->pdpte[index] : get(w, gfn, index);
		k.table[level - 1] = gfn;
		k.gpte[level - 1] = gpte;
		k.access[level - 1] = k.allowed;
		k.bottom = level;
		if (!(gpte & UT_PTE_P))
			return k;
		if (!top && !(gpte & UT_PTE_W))
			k.allowed &= ~UT_ROLE_WRITE;
		if (!top && !(gpte & UT_PTE_U))
			k.allowed &= ~UT_ROLE_USER;
		if (!top && (gpte & UT_PTE_NX))
			k.allowed &= ~UT_ROLE_EXEC;
		if (level == 1 || (!top && level <= 3 && (gpte & UT_PTE_PS))) {
			finish_walk(w, &k, gpte, level, gva);
			return k;
		}
		if (gpte & UT_PTE_PS && !top)
			k.odd = true;
		gfn = (gpte & UT_PTE_FRAME) >> SHIFT;
	}
	return k;
}

static bool permits(const struct vcpu *v, const struct walk *k, uint32_t error)
{
	bool user = error & UT_PF_USER;

	if (!k->present || (user && !(k->allowed & UT_ROLE_USER)))
		return false;
	if ((error & UT_PF_WRITE) && !(k->allowed & UT_ROLE_WRITE) &&
	    (user || (v->cr0 & UT_CR0_WP)))
		return false;
	if ((error & UT_PF_FETCH) && !(k->allowed & UT_ROLE_EXEC))
		return false;
	if (user || !(k->allowed & UT_ROLE_USER))
		return true;
	return !(v->cr4 & (error & UT_PF_FETCH ? UT_CR4_SMEP : UT_CR4_SMAP));
}

static void set_bit(struct world *w, unsigned int vcpu, uint64_t gfn, unsigned int index,
		    uint64_t bit)
{
	struct ut_event e = { .kind = UT_AD,
			      .ad = { .gfn = gfn,
				      .index = (uint16_t)index,
				      .entry_size = (uint8_t)entry_bytes(w),
				      .dirty = bit == UT_PTE_D } };

	if (get(w, gfn, index) & bit)
		return;
	put(w, gfn, index, get(w, gfn, index) | bit);
	emit(w, vcpu, &e);
}

/* What the host does before it fills: sets accessed and dirty, shadows the tables of the walk. */
static void host_prepares(struct world *w, unsigned int vcpu, const struct walk *k, uint64_t gva,
			  bool write)
{
	uint32_t bits = mode_bits(w, &w->vcpu[vcpu]);

	for (unsigned int level = w->m->levels; level >= k->bottom; level--) {
		unsigned int index = index_at(w, gva, level);
		uint32_t part = 0;

		if (w->m->pae && level == 3)
			continue;
		set_bit(w, vcpu, k->table[level - 1], index, UT_PTE_A);
		if (level == k->bottom && write)
			set_bit(w, vcpu, k->table[level - 1], index, UT_PTE_D);
		if (narrow(w))
			part = level == 2 ? index / 256 : index / 512;
		host_shadows(w, vcpu, k->table[level - 1],
			     bits | k->access[level - 1] | level | part << UT_ROLE_QUADRANT_SHIFT);
	}
}

/* As large as the host may map it: not over a table that it shadows. */
static unsigned int map_level(struct world *w, const struct walk *k)
{
	uint64_t first = k->gfn & ~511ull;

	if (k->bottom < 2 || once(w, 2))
		return 1;
	for (unsigned int i = 0; i < w->n_host; i++) {
		if (w->host[i].gfn >= first && w->host[i].gfn < first + 512)
			return 1;
	}
	return 2;
}

struct store {
	unsigned int size;
	uint64_t value;
};

/*
 * An access at an address, which faults, as at every access of this host's guest. @store: what is
 * written; NULL: nothing that matters.
 */
static void access_at(struct world *w, unsigned int vcpu, uint64_t gva, uint32_t error,
		      const struct store *store)
{
	struct vcpu *v = &w->vcpu[vcpu];
	struct walk k = walk(w, v, gva);
	struct ut_event e = { .kind = UT_FAULT,
			      .fault = { .gva = gva,
					 .error = error,
					 .top = (uint8_t)w->m->levels,
					 .bottom = (uint8_t)k.bottom,
					 .outcome = UT_OUT_REFLECTED } };
	unsigned int offset = gva & 0xfff;
	bool trapped;

	if (k.odd)
		return;
	memcpy(e.fault.walk, k.gpte, sizeof(k.gpte));
	if (!permits(v, &k, error)) {
		emit(w, vcpu, &e);
		return;
	}
	host_prepares(w, vcpu, &k, gva, error & UT_PF_WRITE);
	trapped = (error & UT_PF_WRITE) && shadowed(w, k.gfn);
	e.fault.outcome = trapped ? UT_OUT_EMULATED : UT_OUT_FILLED;
	e.fault.map_level = (uint8_t)map_level(w, &k);
	emit(w, vcpu, &e);
	if (!store || k.gfn >= RAM)
		return;
	e = (struct ut_event){ .kind = UT_WRITE,
			       .write = { .gfn = k.gfn,
					  .offset = (uint16_t)offset,
					  .size = (uint8_t)store->size,
					  .how = UT_HOW_TRAPPED,
					  .val = store->value } };
	put_bytes(w, k.gfn, offset, store->size, store->value);
	if (trapped)
		emit(w, vcpu, &e);
	/* A host gives up what is written in an odd way. */
	if (trapped && (store->size < 4 || offset % entry_bytes(w)) && once(w, 2)) {
		host_zaps_frame(w, k.gfn);
		for (unsigned int i = 0; i < w->n_vcpus; i++)
			host_loads(w, i);
	}
}

/* ---- what the guest does ---- */

static bool leaf_table(const struct world *w, uint64_t gfn)
{
	for (unsigned int i = 0; i < w->n_pool[0]; i++) {
		if (w->pool[0][i] == gfn)
			return true;
	}
	return false;
}

static unsigned int level_of(const struct world *w, uint64_t gfn)
{
	for (unsigned int r = 0; r < w->n_roots; r++) {
		if (w->root[r] == gfn)
			return w->m->levels;
	}
	for (unsigned int level = 2; level <= UT_MAX_LEVELS; level++) {
		for (unsigned int i = 0; i < w->n_pool[level - 1]; i++) {
			if (w->pool[level - 1][i] == gfn)
				return level;
		}
	}
	return 1;
}

static bool is_table(const struct world *w, uint64_t gfn)
{
	return (gfn >= FIRST_TABLE && gfn < w->next_table) ||
	       (gfn >= HIGH && gfn < HIGH + HIGH_TABLES);
}

static void store_entry(struct world *w, unsigned int vcpu, uint64_t gfn, unsigned int index,
			uint64_t value)
{
	unsigned int bytes = entry_bytes(w), offset = index * bytes;
	struct store s = { bytes, value };

	/* Where bytes land as others than they were meant to be, a kernel's entry may become global. */
	switch (rnd(w, 24)) {
	case 0: /* half of it, or it and its neighbour */
		s.size = bytes == 8 ? 4 : 8;
		offset &= ~(s.size - 1);
		break;
	case 1:
		s.size = 1;
		break;
	case 22: /* its end and the beginning of the next */
		offset += bytes / 2;
		break;
	case 23:
		offset += (unsigned int)rnd(w, bytes);
		s.size = 1 + (unsigned int)rnd(w, 2);
		break;
	default:
		break;
	}
	if (offset + s.size > 4096)
		offset = 4096 - s.size;
	if (s.size < 8)
		s.value &= (1ull << (8 * s.size)) - 1;
	access_at(w, vcpu, direct_gva(w, gfn) + offset, UT_PF_WRITE, &s);
}

static uint64_t some_leaf(struct world *w)
{
	return once(w, 4) ? w->kernel_leaf[rnd(w, 2)] : some_table(w, 1);
}

static void write_leaf(struct world *w, unsigned int vcpu, uint64_t gfn)
{
	store_entry(w, vcpu, gfn, some_leaf_index(w), leaf_entry(w, gfn));
}

static void write_some(struct world *w, unsigned int vcpu)
{
	uint64_t gfn = some_leaf(w);

	for (uint64_t n = 1 + rnd(w, 5); n; n--)
		write_leaf(w, vcpu, gfn);
}

static const uint32_t errors[] = { UT_PF_USER,
				   UT_PF_USER | UT_PF_WRITE,
				   UT_PF_USER | UT_PF_WRITE,
				   UT_PF_USER | UT_PF_FETCH,
				   0,
				   UT_PF_WRITE,
				   UT_PF_FETCH };

static void use(struct world *w, unsigned int vcpu, uint64_t gva)
{
	uint32_t error = errors[rnd(w, sizeof(errors) / sizeof(errors[0]))];
	struct walk k = walk(w, &w->vcpu[vcpu], gva);
	struct store s = { entry_bytes(w), 0 };

	/* A write to a table by way of any mapping of it is a write to a table. */
	if (!k.odd && k.present && (error & UT_PF_WRITE) && is_table(w, k.gfn)) {
		unsigned int level = level_of(w, k.gfn);

		/* The tables by which the kernel sees its memory stay as they are. */
		if (level == 1 && !leaf_table(w, k.gfn) && !kernel_leaf(w, k.gfn))
			return;
		gva = (gva & ~0xfffull) +
		      (level == 1 ? some_leaf_index(w) : rnd(w, used(level))) * s.size;
		s.value = level == 1 ? leaf_entry(w, k.gfn) : upper_entry(w, level);
		access_at(w, vcpu, gva, error, &s);
		return;
	}
	access_at(w, vcpu, gva + rnd(w, 512) * 8, error, NULL);
}

static void write_cr(struct world *w, unsigned int vcpu, uint8_t cr, uint64_t value)
{
	struct ut_event e = { .kind = UT_CR, .cr = { .cr = cr, .value = value } };

	emit(w, vcpu, &e);
}

static void load_pdptes(struct world *w, struct vcpu *v)
{
	for (unsigned int i = 0; w->m->pae && i < 4; i++) {
		v->pdpte[i] = get(w, cr3_table(w, v), i);
		/* A real CPU would not load what leads out of memory. */
		if ((v->pdpte[i] & UT_PTE_FRAME) >> SHIFT >= RAM)
			v->pdpte[i] = 0;
	}
}

static void set_cr3(struct world *w, unsigned int vcpu, uint64_t value, bool keep)
{
	struct vcpu *v = &w->vcpu[vcpu];

	v->cr3 = value;
	load_pdptes(w, v);
	write_cr(w, vcpu, 3, value | (keep ? UT_CR3_NOFLUSH : 0));
	host_loads(w, vcpu);
}

static uint64_t some_cr3(struct world *w, const struct vcpu *v)
{
	uint64_t n = rnd(w, w->n_roots), value = w->root[n] << SHIFT;

	if (v->cr4 & UT_CR4_PCIDE)
		value |= once(w, 4) ? rnd(w, 4) : 1 + n;
	return value;
}

static void switch_space(struct world *w, unsigned int vcpu)
{
	const struct vcpu *v = &w->vcpu[vcpu];
	bool keep = (v->cr4 & UT_CR4_PCIDE) && once(w, 2);

	set_cr3(w, vcpu, once(w, 4) ? v->cr3 : some_cr3(w, v), keep);
}

static void invlpg(struct world *w, unsigned int vcpu, uint64_t gva)
{
	struct ut_event e = { .kind = UT_INVLPG, .invlpg = { .gva = gva } };

	emit(w, vcpu, &e);
}

static void flush_some(struct world *w, unsigned int vcpu)
{
	const struct vcpu *v = &w->vcpu[vcpu];
	bool pcid = v->cr4 & UT_CR4_PCIDE;
	struct ut_event e = { .kind = UT_INVPCID,
			      .invpcid = { .gva = some_address(w), .type = (uint8_t)rnd(w, 4) } };

	switch (rnd(w, 8)) {
	case 0:
		e.kind = UT_PV_FLUSH;
		break;
	case 1:
	case 2:
	case 3:
		/* Without PCIDs there is only the one. */
		e.invpcid.pcid = (uint16_t)(pcid ? rnd(w, 5) : 0);
		break;
	case 4:
		set_cr3(w, vcpu, v->cr3, false);
		return;
	default:
		invlpg(w, vcpu, some_address(w));
		return;
	}
	emit(w, vcpu, &e);
}

static void change_mode(struct world *w, unsigned int vcpu)
{
	static const uint64_t bits[] = { UT_CR4_PGE, UT_CR4_PGE, UT_CR4_SMEP, UT_CR4_SMAP };
	struct vcpu *v = &w->vcpu[vcpu];

	if (once(w, 3)) {
		v->cr0 ^= UT_CR0_WP;
		write_cr(w, vcpu, 0, v->cr0);
		host_loads(w, vcpu);
		return;
	}
	if (w->pcid && once(w, 3)) {
		/*
		 * They may be switched on only from PCID 0; off from any, but then what is left of the
		 * number in CR3 means something else, which KVM takes for a PCID all the same.
		 */
		if (v->cr3 & UT_CR3_PCID)
			set_cr3(w, vcpu, v->cr3 & ~UT_CR3_PCID, false);
		v->cr4 ^= UT_CR4_PCIDE;
		write_cr(w, vcpu, 4, v->cr4);
		host_loads(w, vcpu);
		return;
	}
	v->cr4 ^= bits[rnd(w, sizeof(bits) / sizeof(bits[0]))];
	write_cr(w, vcpu, 4, v->cr4);
	/* PAE: that reads the four entries again. */
	load_pdptes(w, v);
	host_loads(w, vcpu);
}

/* A table above the leaves that may be changed, an entry of it, and its level. */
static unsigned int some_upper(struct world *w, uint64_t *gfn, unsigned int *index)
{
	unsigned int level = 2 + (unsigned int)rnd(w, w->m->levels - 1);

	if (level == w->m->levels)
		*gfn = w->root[rnd(w, w->n_roots)];
	else
		*gfn = some_table(w, level);
	*index = (unsigned int)rnd(w, used(level));
	return level;
}

static void rewire(struct world *w, unsigned int vcpu)
{
	unsigned int index, level;
	uint64_t gfn, was;

	level = some_upper(w, &gfn, &index);
	was = get(w, gfn, index);
	if (once(w, 3) && was)
		was &= ~UT_PTE_A; /* aged, or of other access */
	else
		was = upper_entry(w, level);
	if (w->m->pae && level == 3)
		was &= UT_PTE_P | UT_PTE_FRAME;
	store_entry(w, vcpu, gfn, index, was);
	if (once(w, 2))
		use(w, vcpu, some_address(w));
	if (w->m->pae && level == 3 && once(w, 2))
		set_cr3(w, vcpu, w->vcpu[vcpu].cr3, false);
}

/* An entry goes, what is below it changes, it comes back: nobody need flush for that. */
static void relink(struct world *w, unsigned int vcpu)
{
	unsigned int index;
	uint64_t gfn, was, below;

	some_upper(w, &gfn, &index);
	was = get(w, gfn, index);
	below = (was & UT_PTE_FRAME) >> SHIFT;
	if (!(was & UT_PTE_P) || (was & UT_PTE_PS) || !is_table(w, below))
		return;
	store_entry(w, vcpu, gfn, index, 0);
	flush_some(w, vcpu);
	if (leaf_table(w, below))
		write_leaf(w, vcpu, below);
	else
		write_some(w, vcpu);
	store_entry(w, vcpu, gfn, index, was);
	use(w, vcpu, some_address(w));
}

/* The leaf table that an address is mapped by; 0 if there is none to change. */
static uint64_t leaf_behind(struct world *w, unsigned int vcpu, uint64_t gva)
{
	struct walk k = walk(w, &w->vcpu[vcpu], gva);

	return !k.odd && k.bottom == 1 && leaf_table(w, k.table[0]) ? k.table[0] : 0;
}

/* Use an address, change its entry, perhaps move on, flush in some way, use it again. */
static void edit(struct world *w, unsigned int vcpu)
{
	unsigned int other = (unsigned int)rnd(w, w->n_vcpus);
	uint64_t gva = some_address(w), gfn;

	use(w, vcpu, gva);
	if (once(w, 3))
		use(w, other, gva);
	gfn = leaf_behind(w, vcpu, gva);
	if (!gfn)
		return;
	store_entry(w, once(w, 3) ? other : vcpu, gfn, index_at(w, gva, 1), leaf_entry(w, gfn));
	if (once(w, 2))
		switch_space(w, vcpu);
	if (once(w, 2))
		invlpg(w, vcpu, gva);
	else
		flush_some(w, vcpu);
	if (once(w, 3))
		switch_space(w, vcpu);
	use(w, once(w, 3) ? other : vcpu, gva);
}

/* Leave an address space, do there what flushes an address here, come back without a flush. */
static void elsewhere(struct world *w, unsigned int vcpu)
{
	const struct vcpu *v = &w->vcpu[vcpu];
	uint64_t back = v->cr3, gva = some_address(w), gfn;
	struct ut_event e = { .kind = UT_INVPCID,
			      .invpcid = { gva, back & UT_CR3_PCID, (uint8_t)rnd(w, 4) } };

	use(w, vcpu, gva);
	gfn = leaf_behind(w, vcpu, gva);
	if (!(v->cr4 & UT_CR4_PCIDE) || !gfn)
		return;
	if (once(w, 2))
		store_entry(w, vcpu, gfn, index_at(w, gva, 1),
			    leaf_entry(w, gfn) | UT_PTE_P | UT_PTE_A);
	use(w, vcpu, gva);
	store_entry(w, vcpu, gfn, index_at(w, gva, 1), leaf_entry(w, gfn));
	set_cr3(w, vcpu, some_cr3(w, v), once(w, 2));
	switch (rnd(w, 3)) {
	case 0:
		emit(w, vcpu, &e);
		break;
	case 1:
		invlpg(w, vcpu, gva);
		break;
	default: /* the PCID's, by way of another root */
		set_cr3(w, vcpu, (some_cr3(w, v) & ~UT_CR3_PCID) | (back & UT_CR3_PCID), false);
		break;
	}
	set_cr3(w, vcpu, back, true);
	use(w, vcpu, gva);
}

/* A large page becomes another one; a flush of any address in it is a flush of all. */
static void move_large(struct world *w, unsigned int vcpu)
{
	uint64_t gva = some_address(w), size = at_level(w, 2, 1);
	struct walk k = walk(w, &w->vcpu[vcpu], gva);

	for (unsigned int i = 0; i < 20 && (!k.present || k.odd || k.bottom != 2); i++) {
		gva = some_address(w);
		k = walk(w, &w->vcpu[vcpu], gva);
	}
	if (!k.present || k.odd || k.bottom != 2)
		return;
	for (unsigned int i = 0; i < 3; i++)
		use(w, vcpu, (gva & ~(size - 1)) | rnd(w, 8) << SHIFT);
	store_entry(w, vcpu, k.table[1], index_at(w, gva, 2), upper_entry(w, 2));
	invlpg(w, vcpu, gva);
	use(w, vcpu, (gva & ~(size - 1)) | rnd(w, 8) << SHIFT);
}

/* No entry leads to the table any more; it becomes data, and a table again somewhere else. */
static void reuse(struct world *w, unsigned int vcpu)
{
	uint64_t gfn = some_table(w, 1 + (unsigned int)rnd(w, w->m->levels - 1));

	for (uint64_t t = FIRST_TABLE; t < w->next_table; t++) {
		unsigned int up = level_of(w, t);

		for (unsigned int i = 0; up > 1 && i < used(up); i++) {
			if ((get(w, t, i) & UT_PTE_P) &&
			    (get(w, t, i) & UT_PTE_FRAME) >> SHIFT == gfn)
				store_entry(w, vcpu, t, i, 0);
		}
	}
	for (unsigned int v = 0; v < w->n_vcpus && once(w, 2); v++)
		set_cr3(w, v, w->vcpu[v].cr3, false);
	if (once(w, 2))
		host_zaps_frame(w, gfn);
	for (unsigned int v = 0; v < w->n_vcpus; v++)
		host_loads(w, v);
	for (unsigned int i = 0; i < 4; i++)
		store_entry(w, vcpu, gfn, some_leaf_index(w),
			    rnd(w, RAM) << SHIFT | (rnd(w, 512) & ~UT_PTE_G));
	rewire(w, vcpu);
}

/* Registers that changed without the trace having told why. */
static void lose_sight(struct world *w, unsigned int vcpu)
{
	struct vcpu *v = &w->vcpu[vcpu];
	struct ut_event e = { .kind = UT_STATE };

	v->cr3 = some_cr3(w, v);
	load_pdptes(w, v);
	e.state = (struct ut_state){ v->cr0, v->cr3, v->cr4, v->efer };
	emit(w, vcpu, &e);
	host_loads(w, vcpu);
}

static void host_gives_up(struct world *w)
{
	if (w->n_host)
		host_zaps(w, (unsigned int)rnd(w, w->n_host));
	for (unsigned int v = 0; v < w->n_vcpus; v++)
		host_loads(w, v);
}

static void one_step(struct world *w)
{
	unsigned int vcpu = (unsigned int)rnd(w, w->n_vcpus);
	uint64_t what = rnd(w, 100);

	if (what < 40)
		use(w, vcpu, some_address(w));
	else if (what < 60)
		write_some(w, vcpu);
	else if (what < 70)
		switch_space(w, vcpu);
	else if (what < 78)
		edit(w, vcpu);
	else if (what < 81)
		elsewhere(w, vcpu);
	else if (what < 82)
		move_large(w, vcpu);
	else if (what < 85)
		flush_some(w, vcpu);
	else if (what < 90)
		rewire(w, vcpu);
	else if (what < 93)
		relink(w, vcpu);
	else if (what < 95)
		change_mode(w, vcpu);
	else if (what < 98)
		host_gives_up(w);
	else if (what < 99)
		reuse(w, vcpu);
	else if (once(w, 4))
		lose_sight(w, vcpu);
}

/* ---- how it begins ---- */

/* A chain of tables down to level 1 under an entry that all roots share. */
static uint64_t shared_chain(struct world *w, unsigned int top_index, uint64_t *second)
{
	unsigned int level = w->m->levels - 1;
	uint64_t gfn = w->next_table++;

	for (unsigned int r = 0; r < w->n_roots; r++)
		put(w, w->root[r], top_index,
		    gfn << SHIFT | (w->m->pae ? UT_PTE_P : KERNEL | UT_PTE_U));
	for (; level > 1; level--) {
		uint64_t next = w->next_table++;

		put(w, gfn, 0, next << SHIFT | KERNEL | UT_PTE_U);
		if (level == 2 && second)
			put(w, gfn, 1, *second << SHIFT | KERNEL | UT_PTE_U);
		gfn = next;
	}
	if (w->m->levels == 2 && second) {
		for (unsigned int r = 0; r < w->n_roots; r++)
			put(w, w->root[r], top_index + 1, *second << SHIFT | KERNEL | UT_PTE_U);
	}
	return gfn;
}

static void build_kernel(struct world *w)
{
	uint64_t direct, high;

	w->kernel_leaf[1] = w->next_table++;
	w->kernel_leaf[0] = shared_chain(w, w->m->kernel, &w->kernel_leaf[1]);
	high = w->m->bits == 9 ? w->next_table++ : 0;
	direct = shared_chain(w, w->m->direct, high ? &high : NULL);
	for (uint64_t gfn = 0; gfn < RAM; gfn++)
		put(w, gfn >= 512 && high ? high : direct, (unsigned int)(high ? gfn % 512 : gfn),
		    gfn << SHIFT | KERNEL | UT_PTE_G);
	for (unsigned int k = 0; k < 2; k++) {
		for (unsigned int i = 0; i < PAGES; i++)
			put(w, w->kernel_leaf[k], leaf_index(w, i),
			    leaf_entry(w, w->kernel_leaf[k]));
	}
}

static void fill(struct world *w, uint64_t gfn, unsigned int level)
{
	for (unsigned int i = 0; i < used(level); i++) {
		uint64_t e = level == 1 ? leaf_entry(w, gfn) : upper_entry(w, level);

		put(w, gfn, level == 1 ? leaf_index(w, i) : i,
		    w->m->pae && level == 3 ? e & (UT_PTE_P | UT_PTE_FRAME) : e);
	}
}

static void build_tables(struct world *w)
{
	static const unsigned int each[] = { 7, 4, 3, 2 };
	unsigned int top = w->m->levels;

	for (unsigned int r = 0; r < w->n_roots; r++)
		w->root[r] = w->next_table++;
	for (unsigned int level = 1; level < top; level++) {
		for (unsigned int i = 0; i < each[level - 1]; i++)
			new_table(w, level);
	}
	build_kernel(w);
	for (unsigned int level = 1; level < top; level++) {
		for (unsigned int i = 0; i < w->n_pool[level - 1]; i++)
			fill(w, w->pool[level - 1][i], level);
	}
	for (unsigned int r = 0; r < w->n_roots; r++) {
		fill(w, w->root[r], top);
		if (!w->m->pae && once(w, 3))
			put(w, w->root[r], top > 2 ? 2 : 4,
			    w->root[r] << SHIFT | UT_PTE_P | UT_PTE_W | UT_PTE_U);
	}
}

static void start(struct world *w)
{
	for (unsigned int i = 0; i < w->n_vcpus; i++) {
		struct vcpu *v = &w->vcpu[i];
		struct ut_event e = { .kind = UT_STATE };

		v->cr0 = UT_CR0_PG | UT_CR0_WP | 1;
		v->cr3 = w->root[0] << SHIFT;
		v->cr4 = (narrow(w) ? UT_CR4_PSE : UT_CR4_PAE) | UT_CR4_PGE;
		if (w->m->levels == 5)
			v->cr4 |= UT_CR4_LA57;
		if (w->pcid) {
			v->cr4 |= UT_CR4_PCIDE;
			v->cr3 |= 1;
		}
		if (w->m->levels > 3)
			v->efer = UT_EFER_LME | UT_EFER_LMA;
		if (!narrow(w))
			v->efer |= UT_EFER_NX;
		load_pdptes(w, v);
		e.state = (struct ut_state){ v->cr0, v->cr3, v->cr4, v->efer };
		emit(w, i, &e);
		host_loads(w, i);
	}
}

void live(struct life *life, uint64_t seed, unsigned int steps)
{
	struct world *w = or_die(calloc(1, sizeof(*w)));

	memset(life, 0, sizeof(*life));
	w->life = life;
	w->rng = seed * 0x2545f4914f6cdd1dull + 1;
	/* Most guests have four levels. */
	w->m = &modes[once(w, 3) ? rnd(w, sizeof(modes) / sizeof(modes[0])) : 0];
	life->mode = w->m->name;
	w->pcid = w->m->levels > 3 && once(w, 2);
	w->n_vcpus = 1 + (unsigned int)rnd(w, MAX_VCPUS);
	w->n_roots = 2 + (unsigned int)rnd(w, MAX_ROOTS - 1);
	w->next_table = FIRST_TABLE;
	build_tables(w);
	start(w);
	for (unsigned int i = 0; i < steps; i++)
		one_step(w);
	for (unsigned int i = 0; i < RAM; i++)
		free(w->content[i]);
	free(w);
}
