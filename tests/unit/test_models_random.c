// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random guests against every model: whatever the model lets through without an exit must be a
 * translation that the architecture allows, that is the current one, or one that was valid at some
 * time since the last flush that covers it. And the structure must hold after each event: no writable
 * mapping of a table that is in step, each present entry of such a table as the guest has it, every
 * count as counted.
 *
 * The seed is fixed; UNSYNC_TEST_SEEDS=N runs N of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guest.h"
#include "models/shadow.h"

#define USER (UT_PTE_P | UT_PTE_W | UT_PTE_U)
#define ROOTS 3
#define VCPUS 2
#define LEAVES 6
#define PAGES 8 /* entries used of each leaf table */
#define STEPS 1500
#define ADDRESSES (LEAVES * PAGES + GUEST_TABLES)
#define HISTORY 64

struct translation {
	uint64_t gfn, all;
	bool global;
};

/* What a vCPU's TLB may hold for an address. */
struct past {
	struct translation t[HISTORY];
	unsigned int n;
};

struct world {
	struct guest g;
	uint64_t rng;
	uint64_t leaf[LEAVES], middle[ROOTS];
	struct past past[VCPUS][ADDRESSES];
	const char *model;
	unsigned int seed;
};

#define SHARED 2 /* leaf tables 0 and 1 */

static uint64_t rnd(struct world *w, uint64_t below)
{
	w->rng = w->rng * 6364136223846793005ull + 1442695040888963407ull;
	return (w->rng >> 33) % below;
}

static uint64_t address(unsigned int i)
{
	if (i < LEAVES * PAGES)
		return ((uint64_t)(i / PAGES) << 21) + ((uint64_t)(i % PAGES) << 12);
	return GUEST_DIRECT_MAP + ((GUEST_FIRST_TABLE + i - LEAVES * PAGES) << 12);
}

/* ---- what the architecture allows ---- */

static void remember(struct world *w, unsigned int vcpu, unsigned int i)
{
	struct guest_walk now = guest_walk(&w->g, vcpu, address(i));
	struct past *p = &w->past[vcpu][i];
	bool global = now.gptes[0] & UT_PTE_G;

	if (!now.present)
		return;
	for (unsigned int n = 0; n < p->n; n++) {
		if (p->t[n].gfn == now.gfn && p->t[n].all == now.all && p->t[n].global == global)
			return;
	}
	assert_true(p->n < HISTORY);
	p->t[p->n++] = (struct translation){ now.gfn, now.all, global };
}

static void remember_all(struct world *w)
{
	for (unsigned int v = 0; v < VCPUS; v++) {
		for (unsigned int i = 0; i < ADDRESSES; i++)
			remember(w, v, i);
	}
}

/* Forget what a flush removes; global translations outlive a CR3 write. */
static void flush(struct world *w, unsigned int vcpu, unsigned int i, bool globals)
{
	struct past *p = &w->past[vcpu][i];
	unsigned int kept = 0;

	for (unsigned int n = 0; n < p->n; n++) {
		if (!globals && p->t[n].global)
			p->t[kept++] = p->t[n];
	}
	p->n = kept;
	remember(w, vcpu, i);
}

static void flush_all(struct world *w, unsigned int vcpu, bool globals)
{
	for (unsigned int i = 0; i < ADDRESSES; i++)
		flush(w, vcpu, i, globals);
}

/* Frame and the permissions that matter; upper entries of the test are never narrower than leaves. */
static bool allowed(const struct past *p, uint64_t gfn, uint32_t error)
{
	for (unsigned int n = 0; n < p->n; n++) {
		if (p->t[n].gfn != gfn)
			continue;
		if ((error & UT_PF_WRITE) && !(p->t[n].all & UT_PTE_W))
			continue;
		if ((error & UT_PF_USER) && !(p->t[n].all & UT_PTE_U))
			continue;
		return true;
	}
	return false;
}

/* The page and index of the shadow's leaf entry for an address; NULL if there is none. */
static struct um_page *shadow_leaf(struct world *w, unsigned int vcpu, uint64_t gva,
				   unsigned int *index)
{
	struct um_vcpu *v;

	for (unsigned int n = 0; (v = um_vcpu_at(w->g.mmu, n)); n++) {
		if (v->id == vcpu)
			return um_leaf_of(w->g.mmu, v->root, gva, index);
	}
	return NULL;
}

static void check_access(struct world *w, unsigned int vcpu, unsigned int i, uint32_t error)
{
	unsigned int index;
	struct um_page *page;

	if (!guest_access(&w->g, vcpu, address(i), error))
		return;
	page = shadow_leaf(w, vcpu, address(i), &index);
	if (!page) {
		fail_msg("%s, seed %u: an address went through without an entry", w->model,
			 w->seed);
		return;
	}
	if (!allowed(&w->past[vcpu][i], um_spte_gfn(page->spt[index]), error))
		fail_msg("%s, seed %u: address %#llx translates to frame %#llx, which no flush "
			 "since "
			 "allows",
			 w->model, w->seed, (unsigned long long)address(i),
			 (unsigned long long)um_spte_gfn(page->spt[index]));
}

/* ---- structure ---- */

static void check_entry(struct world *w, const struct um_page *page, unsigned int i)
{
	uint64_t spte = page->spt[i];
	uint64_t gpte = page->frame->table ? page->frame->table[i] : 0;
	struct um_page *child = um_child(w->g.mmu, page, i);

	if (spte & UM_SPTE_W && spte & UM_SPTE_LEAF && ut_role_level(page->role) == 1) {
		struct um_frame *target =
			um_frame_find(&um_shadow(w->g.mmu)->frames, um_spte_gfn(spte));

		if (target && target->n_synced)
			fail_msg("%s, seed %u: frame %#llx is a table in step, yet writable",
				 w->model, w->seed, (unsigned long long)target->gfn);
	}
	/* Tables that are never protected are never known to be in step. */
	if (page->unsync || w->g.mmu->model->no_protect || (page->role & UT_ROLE_DIRECT) ||
	    !page->frame->table)
		return;
	if (!(gpte & UT_PTE_P) || (child && child->gfn != (gpte & UT_PTE_FRAME) >> 12) ||
	    (!child && ((gpte ^ spte) & UT_PTE_FRAME)) ||
	    (!child && (spte & UM_SPTE_W) && !(gpte & UT_PTE_W)))
		fail_msg("%s, seed %u: level %u table %#llx entry %u: shadow %#llx, guest %#llx",
			 w->model, w->seed, ut_role_level(page->role),
			 (unsigned long long)page->gfn, i, (unsigned long long)spte,
			 (unsigned long long)gpte);
}

static void check_accounts(struct world *w)
{
	struct um_shadow *s = um_shadow(w->g.mmu);
	uint32_t unsync = 0, pages = 0;

	for (struct um_page *p = s->oldest; p; p = p->newer) {
		uint32_t present = 0;

		pages += !um_is_top(p);
		unsync += p->unsync;
		for (unsigned int i = 0; i < UM_ENTRIES; i++)
			present += p->spt[i] & UM_SPTE_P;
		assert_int_equal(present, p->present);
	}
	assert_int_equal(unsync, w->g.mmu->unsync_now);
	assert_int_equal(pages, s->n_pages);
}

static void check_structure(struct world *w)
{
	check_accounts(w);
	for (struct um_page *p = um_shadow(w->g.mmu)->oldest; p; p = p->newer) {
		for (unsigned int i = 0; i < UM_ENTRIES; i++) {
			if (p->spt[i] & UM_SPTE_P)
				check_entry(w, p, i);
		}
	}
}

/* ---- the guest's life ---- */

static void build(struct world *w)
{
	struct guest *g = &w->g;

	for (unsigned int l = 0; l < LEAVES; l++)
		w->leaf[l] = guest_new_table(g, 1);
	for (unsigned int r = 0; r < ROOTS; r++) {
		uint64_t l3 = guest_new_table(g, 3);

		w->middle[r] = guest_new_table(g, 2);
		*guest_entry(g, guest_root(g, r), 0) = l3 << 12 | USER;
		*guest_entry(g, l3, 0) = w->middle[r] << 12 | USER;
		/* Some are shared by all roots; the others move about. */
		for (unsigned int l = 0; l < LEAVES; l++) {
			if (l < SHARED || l % ROOTS == r)
				*guest_entry(g, w->middle[r], l) = w->leaf[l] << 12 | USER;
		}
	}
}

static uint64_t random_leaf_entry(struct world *w)
{
	uint64_t value = (0x10 + rnd(w, 32)) << 12 | UT_PTE_P | UT_PTE_U;

	switch (rnd(w, 8)) {
	case 0:
	case 1:
		return 0;
	case 2: /* maps a table: its own, or another's frame */
		value = w->leaf[rnd(w, LEAVES)] << 12 | UT_PTE_P | UT_PTE_U;
		break;
	default:
		break;
	}
	if (rnd(w, 2))
		value |= UT_PTE_W | UT_PTE_D;
	if (rnd(w, 2))
		value |= UT_PTE_A;
	if (rnd(w, 6) == 0)
		value |= UT_PTE_G;
	return value;
}

static void write_some(struct world *w, unsigned int vcpu)
{
	unsigned int l = (unsigned int)rnd(w, LEAVES), run = 1 + (unsigned int)rnd(w, 5);

	for (unsigned int i = 0; i < run; i++) {
		guest_write(&w->g, vcpu, w->leaf[l], (unsigned int)rnd(w, PAGES),
			    random_leaf_entry(w));
		remember_all(w);
	}
}

static const uint32_t errors[] = { UT_PF_USER, UT_PF_USER | UT_PF_WRITE, 0, UT_PF_WRITE };

static void access_some(struct world *w, unsigned int vcpu, unsigned int i)
{
	check_access(w, vcpu, i, errors[rnd(w, sizeof(errors) / sizeof(errors[0]))]);
}

/*
 * An upper entry changes. If it was present the guest flushes everywhere, as it must before it reuses
 * the table; if not, nothing need be flushed (65855ed8b034 is about that).
 */
static void rewire(struct world *w, unsigned int vcpu)
{
	unsigned int r = (unsigned int)rnd(w, ROOTS);
	unsigned int l = (unsigned int)rnd(w, LEAVES);
	uint64_t table = w->leaf[rnd(w, LEAVES)];
	uint64_t now = *guest_entry(&w->g, w->middle[r], l);

	guest_write(&w->g, vcpu, w->middle[r], l, now ? 0 : table << 12 | USER);
	remember_all(w);
	for (unsigned int v = 0; v < VCPUS && now; v++) {
		guest_cr3(&w->g, v, w->g.cr3[v]);
		flush_all(w, v, false);
	}
	access_some(w, vcpu, l * PAGES + (unsigned int)rnd(w, PAGES));
}

static void toggle_pge(struct world *w, unsigned int vcpu)
{
	guest_cr4(&w->g, vcpu, w->g.cr4[vcpu] ^ UT_CR4_PGE);
	flush_all(w, vcpu, true);
	guest_cr4(&w->g, vcpu, w->g.cr4[vcpu] ^ UT_CR4_PGE);
	flush_all(w, vcpu, true);
	for (unsigned int n = 0; n < PAGES; n++)
		access_some(w, vcpu, (unsigned int)rnd(w, LEAVES * PAGES));
}

/* Change the entry behind an address, invalidate the address, use it: here, or after a switch. */
static void edit(struct world *w, unsigned int vcpu)
{
	unsigned int i = (unsigned int)rnd(w, LEAVES * PAGES);
	struct guest_walk now = guest_walk(&w->g, vcpu, address(i));
	uint64_t table = (now.gptes[1] & UT_PTE_FRAME) >> 12;

	if (now.bottom != 1)
		return;
	access_some(w, vcpu, i);
	guest_write(&w->g, vcpu, table, i % PAGES, random_leaf_entry(w));
	remember_all(w);
	if (rnd(w, 2)) {
		guest_cr3(&w->g, vcpu, guest_root(&w->g, (unsigned int)rnd(w, ROOTS)) << 12);
		flush_all(w, vcpu, false);
	}
	guest_invlpg(&w->g, vcpu, address(i));
	flush(w, vcpu, i, true);
	access_some(w, vcpu, i);
}

static void one_step(struct world *w)
{
	unsigned int vcpu = (unsigned int)rnd(w, VCPUS);

	switch (rnd(w, 20)) {
	case 0:
	case 1:
		guest_cr3(&w->g, vcpu, guest_root(&w->g, (unsigned int)rnd(w, ROOTS)) << 12);
		flush_all(w, vcpu, false);
		break;
	case 2:
		edit(w, vcpu);
		break;
	case 3:
		rewire(w, vcpu);
		break;
	case 4:
		if (rnd(w, 4) == 0)
			toggle_pge(w, vcpu);
		break;
	case 5:
		if (rnd(w, 4) == 0)
			guest_zap(&w->g,
				  rnd(w, 2) ? w->leaf[rnd(w, LEAVES)] : w->middle[rnd(w, ROOTS)]);
		break;
	case 6:
	case 7:
	case 8:
	case 9:
	case 10:
		write_some(w, vcpu);
		break;
	default:
		access_some(w, vcpu, (unsigned int)rnd(w, LEAVES * PAGES));
		break;
	}
	check_structure(w);
	assert_null(um_mmu_failure(w->g.mmu));
}

static void live(const struct um_model *model, const char *options, unsigned int seed)
{
	static struct world w;
	char error[256];

	memset(&w, 0, sizeof(w));
	w.model = model->name;
	w.seed = seed;
	w.rng = seed * 0x9e3779b97f4a7c15ull + 1;
	guest_init(&w.g, um_mmu_create(model, options, error, sizeof(error)), ROOTS, VCPUS);
	assert_non_null(w.g.mmu);
	build(&w);
	remember_all(&w);
	for (unsigned int i = 0; i < STEPS; i++)
		one_step(&w);
	um_mmu_destroy(w.g.mmu);
}

static void live_all(const char *model, const char *const *options)
{
	const char *text = getenv("UNSYNC_TEST_SEEDS");
	unsigned int seeds = text ? (unsigned int)strtoul(text, NULL, 10) : 20;

	for (; *options; options++) {
		for (unsigned int seed = 1; seed <= seeds; seed++)
			live(um_model_find(model), *options, seed);
	}
}

static void sync_on_write(void **state)
{
	static const char *const options[] = { "flood=vcpu",   "flood=page",	  "flood=off",
					       "reinstall=no", "byte_writes=yes", NULL };

	(void)state;
	live_all("sync-on-write", options);
}

static void oos_per_root(void **state)
{
	static const char *const options[] = { "globals=7",
					       "globals=0",
					       "globals=1",
					       "globals_list=yes",
					       "globals=2,replace=lru",
					       "globals=2,replace=second-chance",
					       "globals=2,replace=random",
					       "global=count",
					       "global=count,globals=2,sync=both",
					       "sync=left",
					       "sync=both",
					       "share=lazy",
					       "share=lazy,levels=4",
					       "root_gone=sync",
					       "root_gone=sync,levels=4",
					       "levels=2",
					       "levels=4",
					       "levels=4,sync=left,globals_list=yes",
					       "reads=no",
					       NULL };

	(void)state;
	live_all("oos-per-root", options);
}

static void unsync_bitmap(void **state)
{
	static const char *const options[] = {
		"prev_roots=3",
		"prev_roots=0",
		"prev_roots=11",
		"reads=no",
		"marks=external",
		"marks=none",
		"marks=word",
		"marks=list",
		"stop=no",
		"roles=one",
		"parent_zap=all",
		"parent_zap=forbid",
		"parent_zap=orphan",
		"upper=yes",
		"resync_after=1",
		"resync_after=3",
		"upper=yes,marks=none,parent_zap=all",
		"upper=yes,marks=word,parent_zap=orphan,resync_after=2",
		"upper=yes,marks=list,parent_zap=forbid,roles=one",
		"upper=yes,marks=external,stop=no,prev_roots=0",
		NULL
	};

	(void)state;
	live_all("unsync-bitmap", options);
}

static void kvm(void **state)
{
	static const char *const options[] = { "version=2.6.28",
					       "version=2.6.36",
					       "version=6.1",
					       "version=6.12",
					       "version=2.6.28,old_prev_roots=yes",
					       "version=2.6.36,old_prev_roots=yes,prev_roots=11",
					       "version=6.1,prev_roots=0",
					       "version=6.1,prev_roots=11",
					       "version=6.12,prev_roots=1",
					       NULL };

	(void)state;
	live_all("kvm", options);
}

static void virtual_tlb(void **state)
{
	static const char *const options[] = { "drop=pages",	  "drop=entries", "drop=hierarchy",
					       "keep_globals=no", "pcid=no",	  NULL };

	(void)state;
	live_all("virtual-tlb", options);
}

static void prefault(void **state)
{
	static const char *const options[] = { "base=write", "base=bitmap", "iret=exit", NULL };

	(void)state;
	live_all("prefault", options);
}

static void adaptive(void **state)
{
	static const char *const options[] = { "stay=yes",
					       "stay=no",
					       "replace=no",
					       "lazy_invlpg=no",
					       "cost_emulate=1",
					       "cost_emulate=1000000",
					       "cost_unsync=1000000",
					       "cost_sync=1,cost_entry=0",
					       NULL };

	(void)state;
	live_all("adaptive", options);
}

static void ideal(void **state)
{
	static const char *const options[] = { "refill=no", "refill=yes", NULL };

	(void)state;
	live_all("ideal", options);
}

static void xen_oos(void **state)
{
	static const char *const options[] = { "slots=3",
					       "slots=0",
					       "slots=1",
					       "slots=2,fixups=1",
					       "slots=64,fixups=0",
					       "snapshot=no",
					       "sync_on=enter",
					       "sync_on=enter,foreign=update,slots=64",
					       "foreign=update",
					       "foreign=resync",
					       "early_unshadow=no,user_unshadow=no",
					       NULL };

	(void)state;
	live_all("xen-oos", options);
}

/* ---- events that no guest would cause ---- */

static uint64_t odd_gfn(struct world *w)
{
	return rnd(w, 8) ? GUEST_FIRST_TABLE + rnd(w, 12) : rnd(w, 1ull << 31) << 21;
}

static uint64_t odd_gpte(struct world *w)
{
	return odd_gfn(w) << 12 | rnd(w, 512) | (rnd(w, 2) ? UT_PTE_P | UT_PTE_A : 0) |
	       (rnd(w, 8) ? 0 : UT_PTE_NX);
}

static void odd_page(struct world *w, struct ut_page *p, struct ut_entry *entries)
{
	p->gfn = odd_gfn(w);
	p->role = (uint32_t)(1 + rnd(w, 5)) | UT_ROLE_ACCESS | UT_ROLE_CR0_WP | UT_ROLE_EFER_NX |
		  (rnd(w, 4) ? 0 : UT_ROLE_DIRECT) |
		  (rnd(w, 2) ? 0 : UT_ROLE_4BYTE | (uint32_t)rnd(w, 4) << UT_ROLE_QUADRANT_SHIFT);
	p->known = !(p->role & UT_ROLE_DIRECT) && rnd(w, 4);
	p->entries = entries;
	for (unsigned int i = 0; p->known && i < UM_ENTRIES; i += 1 + (unsigned int)rnd(w, 40))
		entries[p->n++] = (struct ut_entry){ (uint16_t)i, odd_gpte(w) };
}

static void odd_fault(struct world *w, struct ut_fault *f)
{
	f->gva = rnd(w, 2) ? rnd(w, 1ull << 31) << 12 : rnd(w, 64) << 12;
	f->error = (uint32_t)rnd(w, 32);
	f->top = (uint8_t)(rnd(w, 8) ? 2 + rnd(w, 4) : rnd(w, 6));
	f->bottom = f->top ? (uint8_t)(1 + rnd(w, f->top)) : 0;
	f->outcome = (uint8_t)rnd(w, UT_OUT_FAST + 1);
	f->map_level = f->bottom ? (uint8_t)rnd(w, f->bottom + 1u) : 0;
	for (unsigned int i = 0; i < UT_MAX_LEVELS; i++)
		f->walk[i] = odd_gpte(w);
}

static void odd_event(struct world *w, struct ut_event *e, struct ut_entry *entries)
{
	static const uint8_t kinds[] = { UT_STATE,    UT_CR,	  UT_INVLPG, UT_INVPCID,
					 UT_PV_FLUSH, UT_FAULT,	  UT_FAULT,  UT_FAULT,
					 UT_WRITE,    UT_WRITE,	  UT_AD,     UT_PAGE_NEW,
					 UT_PAGE_NEW, UT_PAGE_ZAP };

	e->kind = kinds[rnd(w, sizeof(kinds))];
	e->vcpu = (uint16_t)(rnd(w, 1000) ? rnd(w, 3) : UT_NO_VCPU);
	switch (e->kind) {
	case UT_STATE:
		e->state = (struct ut_state){ rnd(w, 8) ? UT_CR0_PG | UT_CR0_WP : 0,
					      odd_gfn(w) << 12 | rnd(w, 4) << 5,
					      rnd(w, 1 << 23) | (rnd(w, 2) ? UT_CR4_PAE : 0),
					      (rnd(w, 2) ? UT_EFER_LMA : 0) | UT_EFER_NX };
		break;
	case UT_CR:
		e->cr.cr = (uint8_t[]){ 0, 3, 3, 3, 4 }[rnd(w, 5)];
		e->cr.value = e->cr.cr == 3 ? odd_gfn(w) << 12 | (rnd(w, 2) << 63)
					    : rnd(w, 1 << 23) | UT_CR0_PG;
		break;
	case UT_FAULT:
		odd_fault(w, &e->fault);
		break;
	case UT_WRITE:
		e->write = (struct ut_write){ .gfn = odd_gfn(w),
					      .size = (uint8_t)(1 + rnd(w, 8)),
					      .how = (uint8_t)(1 + rnd(w, 3)),
					      .val = odd_gpte(w) };
		e->write.offset = (uint16_t)rnd(w, 4097u - e->write.size);
		break;
	case UT_AD:
		e->ad = (struct ut_ad){ odd_gfn(w), (uint16_t)rnd(w, 512), rnd(w, 2) ? 8 : 4,
					rnd(w, 2) };
		break;
	case UT_PAGE_NEW:
	case UT_PAGE_ZAP:
		odd_page(w, &e->page, entries);
		break;
	default:
		e->invpcid = (struct ut_invpcid){ rnd(w, 64) << 12, 0, (uint8_t)rnd(w, 4) };
		break;
	}
}

/* Nothing to compare with: it must not crash, and its own accounts must add up. */
static void suffer(const struct um_model *model, const char *options)
{
	static struct world w;
	static struct ut_entry entries[UM_ENTRIES];
	char error[256];

	memset(&w, 0, sizeof(w));
	w.rng = 1;
	w.g.mmu = um_mmu_create(model, options, error, sizeof(error));
	assert_non_null(w.g.mmu);
	for (unsigned int i = 0; i < 60000; i++) {
		struct ut_event e = { .time = i };

		odd_event(&w, &e, entries);
		um_mmu_event(w.g.mmu, &e);
		if (i % 1000 == 0)
			check_accounts(&w);
	}
	assert_null(um_mmu_failure(w.g.mmu));
	um_mmu_destroy(w.g.mmu);
}

static void nonsense(void **state)
{
	/* Options under which pages take others along, or hold on to what is gone. */
	static const char *const options[] = { "parent_zap=all,upper=yes,marks=list",
					       "parent_zap=orphan,upper=yes,marks=word,roles=one",
					       "parent_zap=forbid,upper=yes,marks=external",
					       "marks=none,stop=no,resync_after=1", NULL };

	(void)state;
	for (const struct um_model *const *m = um_models(); *m; m++)
		suffer(*m, NULL);
	for (const char *const *o = options; *o; o++)
		suffer(um_model_find("unsync-bitmap"), *o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sync_on_write), cmocka_unit_test(oos_per_root),
		cmocka_unit_test(unsync_bitmap), cmocka_unit_test(kvm),
		cmocka_unit_test(virtual_tlb),	 cmocka_unit_test(prefault),
		cmocka_unit_test(adaptive),	 cmocka_unit_test(ideal),
		cmocka_unit_test(xen_oos),	 cmocka_unit_test(nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
