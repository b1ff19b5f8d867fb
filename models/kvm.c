// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM as it was released: one model with the behaviour of four mainline versions. unsync-bitmap is the
 * design, with what was proposed for it as options; here nothing can be combined that no kernel had.
 *
 * What differs between the versions stands in one table, `rules`. What is the same in all: leaf tables go
 * out of sync when a writable mapping of them is wanted, every parent entry on the way up is marked in a
 * bitmap of 512, and a flush descends along the bits of the vCPU's root (marks.c).
 *
 * Sources: arch/x86/kvm/mmu.c, paging_tmpl.h and x86.c of Linux 2.6.28 and 2.6.36; the same below
 * arch/x86/kvm/mmu/ of Linux 6.1.20 and 6.12. docs/models.md tells what was read where.
 */
#include "models/builtin.h"
#include "models/flood.h"
#include "models/marks.h"
#include "models/roots.h"

/* Positions in the option's list. */
enum version { V2_6_28, V2_6_36, V6_1, V6_12, VERSIONS };

/* A table is looked up: what becomes of shadow pages of it that are out of sync. */
enum found {
	FOUND_SYNC,	  /* all of them are synced and protected, whatever their role */
	FOUND_SYNC_UPPER, /* the one wanted is compared; if a new upper table is, all are synced */
	FOUND_ZAP_UPPER /* the one wanted is compared; if an upper one is, the others are zapped */
};

/* INVLPG reaches a leaf entry. */
enum invlpg {
	INVLPG_DROP,	   /* it goes, in step or not */
	INVLPG_REFILL_ALL, /* out of sync: filled anew, also in the frame's other shadow pages */
	INVLPG_REFILL,	   /* out of sync: filled anew */
	INVLPG_COMPARE	   /* out of sync: compared, and left alone if nothing differs */
};

struct rules {
	enum found found;
	enum invlpg invlpg;
	uint64_t cr0_reset, cr4_reset; /* bits whose change gives up all roots */
	bool any_cr_resets;	       /* any write to CR0 or CR4 does */
	bool one_role;		       /* a table with several shadow pages is not let go */
	bool every_ancestor;	       /* marking goes on past a marked parent */
	bool one_by_one;	       /* protect and flush for each table, not for a batch */
	bool zap_empty;		       /* a page that a sync leaves empty goes */
	bool keep_same;	  /* sync leaves entries alone whose frame and access are as filled */
	bool link_first;  /* link, sync the root before the guest goes on; else sync first */
	bool vcpu_flood;  /* flood detector of the vCPU, also for leaves; else of each page */
	bool reinstall;	  /* an emulated write installs the new entry */
	bool byte_writes; /* a byte at an entry's start is no reason to zap */
	bool prefetch;	  /* a fault fills up to 8 entries; filling unasked lets nothing go */
	bool prev_roots;  /* previous roots, PCID, INVPCID */
};

#define CR0_NW (1ull << 29)
#define CR0_CD (1ull << 30)
/* With those that it would have let no guest set: where one changes them all the same, that may flush. */
#define RESET_2010                                                                                 \
	(UT_CR4_PGE | UT_CR4_PSE | UT_CR4_PAE | UT_CR4_LA57 | UT_CR4_SMEP | UT_CR4_SMAP |          \
	 UT_CR4_PKE | UT_CR4_PCIDE)
#define RESET_NOW (UT_CR4_PSE | UT_CR4_PAE | UT_CR4_LA57 | UT_CR4_SMEP | UT_CR4_SMAP | UT_CR4_PKE)

static const struct rules rules[VERSIONS] = {
	[V2_6_28] = { .found = FOUND_SYNC,
		      .invlpg = INVLPG_DROP,
		      .any_cr_resets = true,
		      .one_role = true,
		      .every_ancestor = true,
		      .one_by_one = true,
		      .zap_empty = true,
		      .link_first = true,
		      .vcpu_flood = true,
		      .reinstall = true },
	[V2_6_36] = { .found = FOUND_SYNC_UPPER,
		      .invlpg = INVLPG_REFILL_ALL,
		      .cr0_reset = UT_CR0_PG | UT_CR0_WP | CR0_CD | CR0_NW,
		      .cr4_reset = RESET_2010,
		      .zap_empty = true,
		      .link_first = true,
		      .vcpu_flood = true,
		      .reinstall = true },
	[V6_1] = { .found = FOUND_ZAP_UPPER,
		   .invlpg = INVLPG_REFILL,
		   .cr0_reset = UT_CR0_PG | UT_CR0_WP,
		   .cr4_reset = RESET_NOW,
		   .byte_writes = true,
		   .prefetch = true,
		   .prev_roots = true },
	[V6_12] = { .found = FOUND_ZAP_UPPER,
		    .invlpg = INVLPG_COMPARE,
		    .cr0_reset = UT_CR0_PG | UT_CR0_WP,
		    .cr4_reset = RESET_NOW,
		    .keep_same = true,
		    .byte_writes = true,
		    .prefetch = true,
		    .prev_roots = true },
};

struct kvm {
	struct um_marks marks;
	const struct rules *rules;
	unsigned int prev_roots;
	bool root_sync_due; /* some vCPU has root_sync set */
};

struct kvm_page {
	struct um_page_marks marks; /* first: marks.c finds it there */
	struct um_page_flood flood;
};

struct kvm_vcpu {
	struct um_roots roots; /* first: roots.c finds it there */
	struct um_flood flood;
	bool root_sync; /* its root is to be synced before the guest goes on */
};

static const struct um_option options[] = {
	{ .name = "version",
	  .help = "of Linux, whose behaviour it is",
	  .type = UM_OPT_CHOICE,
	  .choices = "2.6.28|2.6.36|6.1|6.12",
	  .def = "6.1" },
	{ .name = "prev_roots",
	  .help = "roots remembered for each vCPU beside the current one; 2.6.28 and 2.6.36 have "
		  "none, unless old_prev_roots",
	  .type = UM_OPT_NUMBER,
	  .min = 0,
	  .max = UM_ROOTS_MAX,
	  .def = "3" },
	{ .name = "old_prev_roots",
	  .help = "2.6.28 and 2.6.36 remember prev_roots roots, too, as is done since 4.19",
	  .type = UM_OPT_BOOL,
	  .def = "no" },
	{ 0 }
};

static struct um_marks *marks(const struct um_mmu *mmu)
{
	return &((struct kvm *)mmu->state)->marks;
}

static const struct rules *rules_of(const struct um_mmu *mmu)
{
	return ((const struct kvm *)mmu->state)->rules;
}

static int create(struct um_mmu *mmu)
{
	struct kvm *s = mmu->state;
	const struct rules *r = &rules[um_option_choice(mmu, "version")];

	s->rules = r;
	um_marks_init(&s->marks, UM_MARKS_BITMAP, NULL);
	s->marks.every_ancestor = r->every_ancestor;
	s->marks.one_by_one = r->one_by_one;
	s->marks.zap_empty = r->zap_empty;
	mmu->no_prefetch = !r->prefetch;
	mmu->sync_keeps = r->keep_same;
	if (r->prev_roots || um_option_bool(mmu, "old_prev_roots"))
		s->prev_roots = (unsigned int)um_option_number(mmu, "prev_roots");
	return 0;
}

static void destroy(struct um_mmu *mmu)
{
	um_marks_fini(marks(mmu));
}

static uint32_t page_cost(const struct um_mmu *mmu, const struct um_page *page)
{
	return um_marks_cost(marks(mmu), page);
}

static void sync_root(struct um_mmu *mmu, struct um_page *root, enum um_cause cause)
{
	if (!root)
		return;
	um_resync_begin(mmu, cause);
	um_marks_sync_children(mmu, marks(mmu), root);
	um_resync_end(mmu);
}

static void reset_page_flood(struct um_page *page)
{
	((struct kvm_page *)page->priv)->flood.writes = 0;
}

/* ---- going out of sync ---- */

static bool shadowed_above_leaf(const struct um_frame *frame)
{
	for (const struct um_page *p = frame->pages; p; p = p->next_of_gfn) {
		if (!(p->role & UT_ROLE_DIRECT) && ut_role_level(p->role) > 1)
			return true;
	}
	return false;
}

/* mmu_need_write_protect(), mmu_try_to_unsync_pages(). Reads ask, too: only the entry counts. */
static enum um_verdict want_writable(struct um_mmu *mmu, struct um_vcpu *vcpu,
				     struct um_frame *frame, bool write, bool prefetch)
{
	const struct rules *r = rules_of(mmu);

	(void)vcpu;
	(void)write;
	/* Today what is filled unasked lets nothing go; in 2010 a writable entry was reason enough. */
	if (prefetch && r->prefetch)
		return UM_EMULATE;
	if (shadowed_above_leaf(frame) || (r->one_role && frame->n_pages > 1)) {
		mmu->count[UM_unsyncs_refused]++;
		return UM_EMULATE;
	}
	for (struct um_page *p = frame->pages; p; p = p->next_of_gfn) {
		if (!(p->role & UT_ROLE_DIRECT) && !p->unsync)
			um_marks_unsync(mmu, marks(mmu), p);
	}
	return UM_WRITABLE;
}

/* ---- look-up and linking ---- */

/* kvm_sync_page() of 2010 and before: for good, unless the page is one of another paging mode. */
static void sync_one(struct um_mmu *mmu, struct um_page *page, void *wanted)
{
	const uint32_t *role = wanted;
	unsigned int lost;

	if (!page->unsync)
		return;
	if ((page->role ^ *role) & UT_ROLE_4BYTE) {
		um_zap_page(mmu, page, false);
		return;
	}
	lost = um_write_protect(mmu, page->frame);
	if (lost)
		mmu->count[UM_flush_remote]++;
	um_marks_sync_page(mmu, marks(mmu), page, UM_SYNC_PROTECTED);
	mmu->count[UM_flush_local]++;
}

static void zap_one(struct um_mmu *mmu, struct um_page *page, void *match)
{
	if (page != match && page->unsync)
		um_zap_page(mmu, page, false);
}

/* Compared, but as writable as before: the guest has not flushed. (f78978aa3a8) */
static void refresh(struct um_mmu *mmu, struct um_page *page)
{
	if (!page->unsync)
		return;
	if (um_marks_sync_page(mmu, marks(mmu), page, UM_SYNC_TRANSIENT))
		mmu->count[UM_flush_remote]++;
}

static void make_way(struct um_mmu *mmu, struct um_frame *frame, uint32_t role,
		     struct um_page *match)
{
	bool upper = ut_role_level(role) > 1;

	switch (rules_of(mmu)->found) {
	case FOUND_SYNC:
		um_for_each_page(mmu, frame, sync_one, &role);
		break;
	case FOUND_SYNC_UPPER:
		if (upper && !match)
			um_for_each_page(mmu, frame, sync_one, &role);
		break;
	case FOUND_ZAP_UPPER:
		if (upper)
			um_for_each_page(mmu, frame, zap_one, match);
		break;
	}
}

/*
 * What is below a page that is found must be in step before the guest can use it by the new link, as an
 * entry that was not present needs no flush. Since 65855ed8b034 (5.15) it is synced first; before, the
 * vCPU's root was, after the link and before the guest went on.
 */
static void settle_below(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *match)
{
	struct kvm *s = mmu->state;

	if (!s->rules->link_first) {
		um_marks_sync_children(mmu, &s->marks, match);
	} else if (um_marks_below(match)) {
		((struct kvm_vcpu *)vcpu->priv)->root_sync = true;
		s->root_sync_due = true;
	}
}

static void page_wanted(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_frame *frame,
			uint32_t role, struct um_page *match)
{
	um_resync_begin(mmu, UM_CAUSE_link);
	make_way(mmu, frame, role, match);
	if (match && !match->gone)
		refresh(mmu, match);
	if (match && !match->gone) {
		settle_below(mmu, vcpu, match);
		reset_page_flood(match);
	}
	um_resync_end(mmu);
}

static void page_linked(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *parent,
			unsigned int index, struct um_page *child)
{
	(void)vcpu;
	um_marks_linked(mmu, marks(mmu), parent, index, child);
}

/* The event is over, the guest is about to go on: KVM_REQ_MMU_SYNC. */
static void event(struct um_mmu *mmu, const struct ut_event *e)
{
	struct kvm *s = mmu->state;
	struct um_vcpu *vcpu;

	(void)e;
	if (!s->root_sync_due)
		return;
	s->root_sync_due = false;
	for (unsigned int i = 0; (vcpu = um_vcpu_at(mmu, i)); i++) {
		struct kvm_vcpu *v = vcpu->priv;

		if (v->root_sync)
			sync_root(mmu, vcpu->root, UM_CAUSE_link);
		v->root_sync = false;
	}
}

/* A parent does not go without the tables out of sync below it (mmu_zap_unsync_children()). */
static void page_zapping(struct um_mmu *mmu, struct um_page *page)
{
	um_roots_forget(mmu, page);
	um_marks_zap_below(mmu, marks(mmu), page);
	um_marks_release(mmu, marks(mmu), page);
}

/* ---- emulated writes ---- */

static bool page_flooded(struct um_page *page)
{
	return um_page_flood_written(&((struct kvm_page *)page->priv)->flood, page);
}

static void table_written(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_frame *frame,
			  const struct ut_write *w)
{
	const struct rules *r = rules_of(mmu);
	struct um_flood *flood = &((struct kvm_vcpu *)vcpu->priv)->flood;
	struct um_write_rule rule = { .byte_ok = r->byte_writes, .reinstall = r->reinstall };

	if (r->vcpu_flood)
		rule.flooded = um_flood_written(mmu, flood, frame->gfn);
	else
		rule.page_flooded = page_flooded;
	um_write_frame(mmu, vcpu, frame, w, &rule);
	if (r->vcpu_flood)
		um_flood_installed(flood, frame, w);
}

static void page_used(struct um_mmu *mmu, struct um_page *page)
{
	(void)mmu;
	reset_page_flood(page);
}

static void fault_done(struct um_mmu *mmu, struct um_vcpu *vcpu)
{
	(void)mmu;
	um_flood_reset(&((struct kvm_vcpu *)vcpu->priv)->flood);
}

/* ---- control registers ---- */

/* kvm_mmu_new_pgd(); before 4.19 mmu_free_roots(), and a look-up before the guest goes on. */
static void switch_root(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t old)
{
	const struct kvm *s = mmu->state;

	if (um_roots_switch(mmu, vcpu, s->prev_roots, old))
		reset_page_flood(vcpu->root);
	else
		sync_root(mmu, vcpu->root, UM_CAUSE_cr3);
}

static void cr3_written(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t old, uint64_t value)
{
	bool pcid = rules_of(mmu)->prev_roots && (vcpu->cr4 & UT_CR4_PCIDE);

	um_resync_begin(mmu, UM_CAUSE_cr3);
	if (vcpu->cr3 != old)
		switch_root(mmu, vcpu, old);
	else if (!vcpu->root)
		um_load_root(mmu, vcpu);
	if (!(pcid && (value & UT_CR3_NOFLUSH))) {
		sync_root(mmu, vcpu->root, UM_CAUSE_cr3);
		if (pcid)
			um_roots_drop_pcid(vcpu, vcpu->cr3 & UT_CR3_PCID);
		mmu->count[UM_flush_local]++;
	}
	um_resync_end(mmu);
}

/* kvm_mmu_reset_context(): no root outlives it; the next one is synced when it is loaded. */
static void reset_context(struct um_mmu *mmu, struct um_vcpu *vcpu, enum um_cause cause)
{
	um_resync_begin(mmu, cause);
	um_roots_drop(vcpu, NULL, 0);
	um_load_root(mmu, vcpu);
	sync_root(mmu, vcpu->root, cause);
	um_resync_end(mmu);
	mmu->count[UM_flush_local]++;
}

/* A flush of everything, on the guest's behalf: sync the current root, free the dirty previous ones. */
static void flush_guest(struct um_mmu *mmu, struct um_vcpu *vcpu, enum um_cause cause)
{
	sync_root(mmu, vcpu->root, cause);
	um_roots_drop_dirty(vcpu);
	mmu->count[UM_flush_local]++;
}

static void cr0_written(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t old)
{
	const struct rules *r = rules_of(mmu);

	if (r->any_cr_resets || ((old ^ vcpu->cr0) & r->cr0_reset))
		reset_context(mmu, vcpu, UM_CAUSE_cr0);
}

/* PCIDE going on flushes nothing, but may not leave roots that a no-flush CR3 write could go back to. */
static void cr4_written(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t old)
{
	const struct rules *r = rules_of(mmu);
	uint64_t changed = old ^ vcpu->cr4, pcide = r->prev_roots ? UT_CR4_PCIDE : 0;

	if (r->any_cr_resets || (changed & r->cr4_reset) || (changed & pcide & vcpu->cr4))
		reset_context(mmu, vcpu, UM_CAUSE_cr4);
	else if (changed & (UT_CR4_PGE | pcide))
		flush_guest(mmu, vcpu, UM_CAUSE_cr4);
}

/* ---- invalidations ---- */

static void refill_one(struct um_mmu *mmu, struct um_page *page, void *ctx)
{
	const struct {
		struct um_vcpu *vcpu;
		const struct um_page *met;
		unsigned int index;
	} *c = ctx;

	if (ut_role_level(page->role) != 1 || ((page->role ^ c->met->role) & UT_ROLE_QUADRANT))
		return;
	um_fix_entry(mmu, c->vcpu, page, c->index);
}

/* Until 2011 the entry was refilled by what also handles emulated writes: in all pages of the frame. */
static void refill_all(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *page,
		       unsigned int index)
{
	struct {
		struct um_vcpu *vcpu;
		const struct um_page *met;
		unsigned int index;
	} ctx = { .vcpu = vcpu, .met = page, .index = index };

	um_for_each_page(mmu, page->frame, refill_one, &ctx);
}

/* Whoever keeps or refills the entry, as the recorded host may have, takes no fault there afterwards. */
static void drop_entry(struct um_mmu *mmu, struct um_page *page, unsigned int index)
{
	if (!(page->spt[index] & UM_SPTE_P))
		return;
	um_drop_entry(mmu, page, index);
	mmu->count[UM_entries_fixed]++;
	mmu->count[UM_refaults_max]++;
}

static void invlpg_leaf(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *page,
			unsigned int index)
{
	enum invlpg what = rules_of(mmu)->invlpg;

	if (what == INVLPG_DROP) {
		drop_entry(mmu, page, index);
		return;
	}
	if (!page->unsync)
		return;
	if (what == INVLPG_REFILL_ALL)
		refill_all(mmu, vcpu, page, index);
	else if (what == INVLPG_REFILL)
		um_fix_entry(mmu, vcpu, page, index);
	else if (um_sync_entry(mmu, page, index))
		mmu->count[UM_flush_remote]++;
}

/* Down to the leaf entry; since 2.6.36 as long as the bits say that something is out of sync below. */
static void invlpg_root(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *page,
			uint64_t gva)
{
	bool all = rules_of(mmu)->invlpg == INVLPG_DROP;

	while (page) {
		unsigned int level = ut_role_level(page->role);
		unsigned int index = um_index(gva, level);

		mmu->count[UM_nodes_visited]++;
		if (level == 1) {
			invlpg_leaf(mmu, vcpu, page, index);
			return;
		}
		if (!all && !um_marks_below(page))
			return;
		page = um_child(mmu, page, index);
	}
}

/* @pcid: only roots with it; -1: all. (INVLPG also drops global entries, whose PCID does not matter.) */
static void invlpg_roots(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t gva, int pcid,
			 enum um_cause cause)
{
	const struct kvm *s = mmu->state;
	struct um_roots *r = um_roots_of(vcpu);

	um_resync_begin(mmu, cause);
	if (pcid < 0 || (int)(vcpu->cr3 & UT_CR3_PCID) == pcid)
		invlpg_root(mmu, vcpu, vcpu->root, gva);
	for (unsigned int i = 0; i < s->prev_roots; i++) {
		if (pcid < 0 || (int)(r->prev[i].cr3 & UT_CR3_PCID) == pcid)
			invlpg_root(mmu, vcpu, r->prev[i].root, gva);
	}
	um_resync_end(mmu);
	mmu->count[UM_flush_local]++;
}

static void invlpg(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t gva)
{
	invlpg_roots(mmu, vcpu, gva, -1, UM_CAUSE_invlpg);
}

/* Of one PCID: a no-flush CR3 write must not go back to a root of it that was not synced since. */
static void invpcid_context(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t pcid)
{
	if ((vcpu->cr3 & UT_CR3_PCID) == pcid)
		sync_root(mmu, vcpu->root, UM_CAUSE_flush);
	if (vcpu->cr4 & UT_CR4_PCIDE)
		um_roots_drop_pcid(vcpu, pcid);
	mmu->count[UM_flush_local]++;
}

/* The old versions know no PCID and would offer the guest none: there it is a flush of everything. */
static void invpcid(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_invpcid *inv)
{
	if (!rules_of(mmu)->prev_roots || inv->type > 1)
		flush_guest(mmu, vcpu, UM_CAUSE_flush);
	else if (inv->type == 1)
		invpcid_context(mmu, vcpu, inv->pcid);
	else
		invlpg_roots(mmu, vcpu, inv->gva, inv->pcid, UM_CAUSE_flush);
}

static void pv_flush(struct um_mmu *mmu, struct um_vcpu *vcpu)
{
	flush_guest(mmu, vcpu, UM_CAUSE_flush);
}

/* mmu_sync_children() lets go of the lock now and then, and begins again until nothing is found. */
static void resync_lasts(struct um_mmu *mmu, struct um_vcpu *vcpu)
{
	sync_root(mmu, vcpu->root, UM_CAUSE_flush);
}

UM_MODEL(kvm) = {
	UM_MODEL_HEAD,
	.name = "kvm",
	.summary = "KVM as released, by version: unsync_children with a bitmap",
	.options = options,
	.state_bytes = sizeof(struct kvm),
	.page_bytes = sizeof(struct kvm_page),
	.vcpu_bytes = sizeof(struct kvm_vcpu),
	.predicts_host = true,
	.syncs_root = true,
	.create = create,
	.destroy = destroy,
	.page_cost = page_cost,
	.page_zapping = page_zapping,
	.page_wanted = page_wanted,
	.page_linked = page_linked,
	.want_writable = want_writable,
	.table_written = table_written,
	.event = event,
	.page_used = page_used,
	.fault_done = fault_done,
	.cr3_written = cr3_written,
	.cr0_written = cr0_written,
	.cr4_written = cr4_written,
	.invlpg = invlpg,
	.invpcid = invpcid,
	.resync_lasts = resync_lasts,
	.pv_flush = pv_flush,
};
