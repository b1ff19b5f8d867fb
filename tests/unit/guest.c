// SPDX-License-Identifier: GPL-2.0-only
#include "guest.h"

#include <string.h>

#define KERNEL (UT_PTE_P | UT_PTE_W | UT_PTE_A | UT_PTE_D)
#define DIRECT_INDEX 273 /* of GUEST_DIRECT_MAP in a root */

void (*guest_observer)(struct um_mmu *mmu, const struct ut_event *e);

void guest_event(struct guest *g, const struct ut_event *e)
{
	um_mmu_event(g->mmu, e);
	if (guest_observer)
		guest_observer(g->mmu, e);
}

static void emit(struct guest *g, unsigned int vcpu, struct ut_event *e)
{
	e->time = g->time += 100;
	e->vcpu = (uint16_t)vcpu;
	guest_event(g, e);
}

static struct ut_event page_event(uint8_t kind, uint64_t gfn, unsigned int level)
{
	/* Which role the host chose matters only when the host zaps one of several. */
	return (struct ut_event){ .kind = kind,
				  .page = { .gfn = gfn, .role = level | UT_ROLE_PASSTHROUGH } };
}

static unsigned int slot(uint64_t gfn)
{
	return (unsigned int)(gfn - GUEST_FIRST_TABLE);
}

static bool is_table(uint64_t gfn)
{
	return gfn >= GUEST_FIRST_TABLE && gfn < GUEST_FIRST_TABLE + GUEST_TABLES;
}

uint64_t *guest_entry(struct guest *g, uint64_t gfn, unsigned int index)
{
	return &g->table[slot(gfn)][index];
}

static void shadow(struct guest *g, unsigned int vcpu, uint64_t gfn, unsigned int level)
{
	struct ut_entry entries[UM_ENTRIES];
	struct ut_event e = page_event(UT_PAGE_NEW, gfn, level);
	uint16_t n = 0;

	if (!is_table(gfn) || g->shadowed[slot(gfn)])
		return;
	for (unsigned int i = 0; i < UM_ENTRIES; i++) {
		if (g->table[slot(gfn)][i])
			entries[n++] = (struct ut_entry){ (uint16_t)i, g->table[slot(gfn)][i] };
	}
	e.page.known = true;
	e.page.n = n;
	e.page.entries = entries;
	g->shadowed[slot(gfn)] = true;
	emit(g, vcpu, &e);
}

void guest_zap(struct guest *g, uint64_t gfn)
{
	struct ut_event e = page_event(UT_PAGE_ZAP, gfn, 1);

	if (!g->shadowed[slot(gfn)])
		return;
	g->shadowed[slot(gfn)] = false;
	emit(g, UT_NO_VCPU, &e);
}

uint64_t guest_new_table(struct guest *g, unsigned int level)
{
	if (g->n_tables == GUEST_TABLES)
		return 0;
	g->level[g->n_tables] = (uint8_t)level;
	return GUEST_FIRST_TABLE + g->n_tables++;
}

uint64_t guest_root(const struct guest *g, unsigned int n)
{
	(void)g;
	return GUEST_FIRST_TABLE + n;
}

static void map_all(struct guest *g, unsigned int roots)
{
	uint64_t l3 = guest_new_table(g, 3), l2 = guest_new_table(g, 2);
	uint64_t l1 = guest_new_table(g, 1);

	*guest_entry(g, l3, 0) = l2 << 12 | KERNEL;
	*guest_entry(g, l2, 0) = l1 << 12 | KERNEL;
	for (unsigned int i = 0; i < GUEST_RAM_FRAMES; i++)
		*guest_entry(g, l1, i) = (uint64_t)i << 12 | KERNEL | UT_PTE_G;
	for (unsigned int r = 0; r < roots; r++)
		*guest_entry(g, guest_root(g, r), DIRECT_INDEX) = l3 << 12 | KERNEL;
}

void guest_init(struct guest *g, struct um_mmu *mmu, unsigned int roots, unsigned int vcpus)
{
	memset(g, 0, sizeof(*g));
	g->mmu = mmu;
	if (guest_observer)
		guest_observer(mmu, NULL);
	for (unsigned int r = 0; r < roots; r++)
		guest_new_table(g, 4);
	map_all(g, roots);
	for (unsigned int v = 0; v < vcpus; v++) {
		struct ut_event e = { .kind = UT_STATE };

		g->cr3[v] = guest_root(g, 0) << 12;
		g->cr4[v] = UT_CR4_PAE | UT_CR4_PGE;
		e.state.cr0 = UT_CR0_PG | UT_CR0_WP | 1;
		e.state.cr3 = g->cr3[v];
		e.state.cr4 = g->cr4[v];
		e.state.efer = UT_EFER_LME | UT_EFER_LMA | UT_EFER_NX;
		emit(g, v, &e);
	}
}

struct guest_walk guest_walk(struct guest *g, unsigned int vcpu, uint64_t gva)
{
	struct guest_walk w = { .all = ~0ull };
	uint64_t gfn = (g->cr3[vcpu] & UT_PTE_FRAME) >> 12;

	for (unsigned int level = 4; level; level--) {
		unsigned int index = gva >> (12 + 9 * (level - 1)) & 511;
		uint64_t gpte = is_table(gfn) ? *guest_entry(g, gfn, index) : 0;

		w.gptes[level - 1] = gpte;
		w.bottom = level;
		w.all &= gpte;
		if (!(gpte & UT_PTE_P))
			return w;
		gfn = (gpte & UT_PTE_FRAME) >> 12;
	}
	w.present = true;
	w.gfn = gfn;
	return w;
}

static bool permits(const struct guest_walk *w, uint32_t error)
{
	return w->present && !((error & UT_PF_WRITE) && !(w->all & UT_PTE_W)) &&
	       !((error & UT_PF_USER) && !(w->all & UT_PTE_U));
}

static void set_bit(struct guest *g, unsigned int vcpu, uint64_t gfn, unsigned int index,
		    bool dirty)
{
	struct ut_event e = {
		.kind = UT_AD,
		.ad = { .gfn = gfn, .index = (uint16_t)index, .entry_size = 8, .dirty = dirty }
	};
	uint64_t bit = dirty ? UT_PTE_D : UT_PTE_A;

	if (*guest_entry(g, gfn, index) & bit)
		return;
	*guest_entry(g, gfn, index) |= bit;
	emit(g, vcpu, &e);
}

/* What the host does before it fills: sets accessed and dirty, shadows the tables of the walk. */
static void prepare(struct guest *g, unsigned int vcpu, uint64_t gva, bool write)
{
	uint64_t gfn = (g->cr3[vcpu] & UT_PTE_FRAME) >> 12;

	for (unsigned int level = 4; level; level--) {
		unsigned int index = gva >> (12 + 9 * (level - 1)) & 511;

		set_bit(g, vcpu, gfn, index, false);
		if (level == 1 && write)
			set_bit(g, vcpu, gfn, index, true);
		shadow(g, vcpu, gfn, level);
		gfn = (*guest_entry(g, gfn, index) & UT_PTE_FRAME) >> 12;
	}
}

static bool try_access(struct guest *g, unsigned int vcpu, uint64_t gva, uint32_t error,
		       enum ut_outcome good)
{
	struct guest_walk w = guest_walk(g, vcpu, gva);
	struct ut_event e = { .kind = UT_FAULT,
			      .fault = { .gva = gva,
					 .error = error,
					 .top = 4,
					 .bottom = (uint8_t)w.bottom,
					 .outcome = UT_OUT_REFLECTED } };
	uint64_t before = g->mmu->count[UM_faults_spared];

	memcpy(e.fault.walk, w.gptes, sizeof(w.gptes));
	if (permits(&w, error)) {
		prepare(g, vcpu, gva, error & UT_PF_WRITE);
		e.fault.outcome = (uint8_t)good;
		e.fault.map_level = 1;
	}
	emit(g, vcpu, &e);
	return g->mmu->count[UM_faults_spared] > before;
}

bool guest_access(struct guest *g, unsigned int vcpu, uint64_t gva, uint32_t error)
{
	return try_access(g, vcpu, gva, error, UT_OUT_FILLED);
}

void guest_write(struct guest *g, unsigned int vcpu, uint64_t gfn, unsigned int index,
		 uint64_t value)
{
	bool trapped = g->shadowed[slot(gfn)];
	struct ut_event e = { .kind = UT_WRITE,
			      .write = { .gfn = gfn,
					 .offset = (uint16_t)(index * 8),
					 .size = 8,
					 .how = UT_HOW_TRAPPED,
					 .old = *guest_entry(g, gfn, index),
					 .old_known = true,
					 .val = value } };

	try_access(g, vcpu, GUEST_DIRECT_MAP + (gfn << 12) + index * 8ull,
		   UT_PF_WRITE | UT_PF_PRESENT, trapped ? UT_OUT_EMULATED : UT_OUT_FILLED);
	*guest_entry(g, gfn, index) = value;
	if (trapped)
		emit(g, vcpu, &e);
}

static void write_cr(struct guest *g, unsigned int vcpu, uint8_t cr, uint64_t value)
{
	struct ut_event e = { .kind = UT_CR, .cr = { .cr = cr, .value = value } };

	emit(g, vcpu, &e);
}

void guest_cr3(struct guest *g, unsigned int vcpu, uint64_t value)
{
	g->cr3[vcpu] = value;
	write_cr(g, vcpu, 3, value);
}

void guest_cr4(struct guest *g, unsigned int vcpu, uint64_t value)
{
	g->cr4[vcpu] = value;
	write_cr(g, vcpu, 4, value);
}

void guest_invlpg(struct guest *g, unsigned int vcpu, uint64_t gva)
{
	struct ut_event e = { .kind = UT_INVLPG, .invlpg = { .gva = gva } };

	emit(g, vcpu, &e);
}
