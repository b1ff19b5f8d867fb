// SPDX-License-Identifier: GPL-2.0-only
/*
 * unsync_children with a bitmap (proposed in the review of September 2008, mainline since 2.6.28; here
 * by default as Linux 6.1 has it): any leaf table may go out of sync. Then all its parents, up to the
 * roots, have the bit of the entry set that leads there, and count their set bits. A CR3 write descends
 * along the bits and brings what it finds in step, in batches of one remote flush. (marks.c)
 *
 * Options switch to what the design was before, and to what its review asked for.
 *
 * Source for the behaviour: arch/x86/kvm/mmu/mmu.c and paging_tmpl.h of Linux 6.1; for what was before,
 * the commits named below.
 */
#include "models/builtin.h"
#include "models/flood.h"
#include "models/history.h"
#include "models/marks.h"
#include "models/roots.h"

#define CR4_RESET_BITS                                                                             \
	(UT_CR4_PSE | UT_CR4_PAE | UT_CR4_LA57 | UT_CR4_SMEP | UT_CR4_SMAP | UT_CR4_PKE)

/* Positions in the options' lists. */
enum roles { ROLES_ONE, ROLES_ALL };
enum parent_zap { ZAP_UNSYNC, ZAP_ALL, ZAP_FORBID, ZAP_ORPHAN };

struct bm {
	struct um_marks marks;
	enum roles roles;
	enum parent_zap parent_zap;
	unsigned int top_level; /* highest that may go out of sync */
	unsigned int prev_roots;
	unsigned int resync_after;
	uint32_t invlpgs; /* so far, to tell one from another */
	bool reads;
};

struct bm_page {
	struct um_page_marks marks; /* first: marks.c finds it there */
	struct um_page_flood flood;
	uint32_t invlpgs;     /* that reached the page since it went out of sync */
	uint32_t last_invlpg; /* bm.invlpgs of the last of them */
};

static const struct um_option options[] = {
	{ .name = "prev_roots",
	  .help = "roots remembered for each vCPU beside the current one",
	  .type = UM_OPT_NUMBER,
	  .min = 0,
	  .max = UM_ROOTS_MAX,
	  .def = "3" },
	{ .name = "reads",
	  .help = "a read fault on a writable page lets its table go out of sync, too",
	  .type = UM_OPT_BOOL,
	  .def = "yes" },
	{ .name = "marks",
	  .help = "how a page remembers children: bitmap in the descriptor, external bitmap, none "
		  "(a "
		  "flag; scan), word (a bit for 8 entries), list",
	  .type = UM_OPT_CHOICE,
	  .choices = UM_MARKS_CHOICES,
	  .def = "bitmap" },
	{ .name = "stop",
	  .help = "marking stops at a parent that is marked; no: every ancestor, each time (to "
		  "2.6.35)",
	  .type = UM_OPT_BOOL,
	  .def = "yes" },
	{ .name = "roles",
	  .help = "one: a table with several shadow pages stays protected (to 2.6.35); all: they "
		  "go "
		  "together",
	  .type = UM_OPT_CHOICE,
	  .choices = "one|all",
	  .def = "all" },
	{ .name = "parent_zap",
	  .help = "the end of a page takes along what is unsync below, or all, or nothing "
		  "(orphan); "
		  "forbid: it waits while children live, unless the recorded host zapped it",
	  .type = UM_OPT_CHOICE,
	  .choices = "unsync|all|forbid|orphan",
	  .def = "unsync" },
	{ .name = "upper",
	  .help = "tables of level 2 may go out of sync, too",
	  .type = UM_OPT_BOOL,
	  .def = "no" },
	{ .name = "resync_after",
	  .help = "INVLPGs of a table out of sync that bring it in step as a whole; 0: none do",
	  .type = UM_OPT_NUMBER,
	  .min = 0,
	  .max = 1000000,
	  .def = "0" },
	{ 0 }
};

static const struct um_own_counter counters[] = {
	{ "entries_scanned", "entries looked at to find those that are marked" }, { 0 }
};

static struct um_marks *marks(const struct um_mmu *mmu)
{
	return &((struct bm *)mmu->state)->marks;
}

static int create(struct um_mmu *mmu)
{
	struct bm *s = mmu->state;

	um_marks_init(&s->marks, (enum um_marks_kind)um_option_choice(mmu, "marks"), &mmu->own[0]);
	s->marks.every_ancestor = !um_option_bool(mmu, "stop");
	s->roles = (enum roles)um_option_choice(mmu, "roles");
	s->parent_zap = (enum parent_zap)um_option_choice(mmu, "parent_zap");
	s->top_level = um_option_bool(mmu, "upper") ? 2 : 1;
	s->prev_roots = (unsigned int)um_option_number(mmu, "prev_roots");
	s->resync_after = (unsigned int)um_option_number(mmu, "resync_after");
	s->reads = um_option_bool(mmu, "reads");
	return 0;
}

static void destroy(struct um_mmu *mmu)
{
	um_marks_fini(marks(mmu));
}

static uint32_t page_cost(const struct um_mmu *mmu, const struct um_page *page)
{
	const struct bm *s = mmu->state;
	uint32_t cost = um_marks_cost(&s->marks, page);

	if (cost && s->resync_after && ut_role_level(page->role) == 1)
		cost += sizeof(uint32_t);
	return cost;
}

static void sync_root(struct um_mmu *mmu, struct um_page *root, enum um_cause cause)
{
	if (!root)
		return;
	um_resync_begin(mmu, cause);
	um_marks_sync_children(mmu, marks(mmu), root);
	um_resync_end(mmu);
}

/* ---- pages ---- */

static bool shadowed_above(const struct um_frame *frame, unsigned int level)
{
	for (const struct um_page *p = frame->pages; p; p = p->next_of_gfn) {
		if (!(p->role & UT_ROLE_DIRECT) && ut_role_level(p->role) > level)
			return true;
	}
	return false;
}

static enum um_verdict want_writable(struct um_mmu *mmu, struct um_vcpu *vcpu,
				     struct um_frame *frame, bool write, bool prefetch)
{
	const struct bm *s = mmu->state;

	(void)vcpu;
	if (prefetch)
		return UM_EMULATE;
	if ((!write && !s->reads) || shadowed_above(frame, s->top_level) ||
	    (s->roles == ROLES_ONE && frame->n_pages > 1)) {
		mmu->count[UM_unsyncs_refused]++;
		return UM_EMULATE;
	}
	for (struct um_page *p = frame->pages; p; p = p->next_of_gfn) {
		if ((p->role & UT_ROLE_DIRECT) || p->unsync)
			continue;
		((struct bm_page *)p->priv)->invlpgs = 0;
		um_marks_unsync(mmu, marks(mmu), p);
	}
	return UM_WRITABLE;
}

/* Bring one page in step for good. What is marked for it above stays: stale, if nothing is below. */
static void sync_protected(struct um_mmu *mmu, struct um_page *page)
{
	unsigned int lost = um_write_protect(mmu, page->frame);

	if (um_marks_sync_page(mmu, marks(mmu), page, UM_SYNC_PROTECTED) || lost)
		mmu->count[UM_flush_remote]++;
}

static bool children_live(const struct um_mmu *mmu, const struct um_page *page)
{
	if (ut_role_level(page->role) == 1)
		return false;
	for (unsigned int i = 0; i < UM_ENTRIES; i++) {
		if (um_child(mmu, page, i))
			return true;
	}
	return false;
}

/* A page in the way goes, or is brought in step if it must not go. */
static void zap_if_unsync(struct um_mmu *mmu, struct um_page *page, void *match)
{
	const struct bm *s = mmu->state;

	if (page == match || !page->unsync)
		return;
	if (s->parent_zap == ZAP_FORBID && children_live(mmu, page))
		sync_protected(mmu, page);
	else
		um_zap_page(mmu, page, false);
}

static void sync_if_unsync(struct um_mmu *mmu, struct um_page *page, void *match)
{
	if (page != match && page->unsync)
		sync_protected(mmu, page);
}

/*
 * A table that becomes an upper-level one costs its out-of-sync shadows (2021); with one role only, any
 * second one costs the first its freedom. One that is found out of sync is brought up to date but stays
 * writable (f78978aa3a8); one with such children has them synced before it is linked (65855ed8b034). So
 * pages that were orphaned while out of sync come back only after they were looked through.
 */
static void page_wanted(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_frame *frame,
			uint32_t role, struct um_page *match)
{
	const struct bm *s = mmu->state;

	(void)vcpu;
	um_resync_begin(mmu, UM_CAUSE_link);
	if (s->roles == ROLES_ONE)
		um_for_each_page(mmu, frame, sync_if_unsync, match);
	else if (ut_role_level(role) > s->top_level)
		um_for_each_page(mmu, frame, zap_if_unsync, match);
	if (match && !match->gone) {
		if (match->unsync && um_marks_sync_page(mmu, marks(mmu), match, UM_SYNC_TRANSIENT))
			mmu->count[UM_flush_remote]++;
		if (!um_relapsed(UM_RELAPSE_LINK_FIRST))
			um_marks_sync_children(mmu, marks(mmu), match);
		((struct bm_page *)match->priv)->flood.writes = 0;
	}
	um_resync_end(mmu);
}

static void page_linked(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *parent,
			unsigned int index, struct um_page *child)
{
	(void)vcpu;
	um_marks_linked(mmu, marks(mmu), parent, index, child);
}

static void zap_children(struct um_mmu *mmu, struct um_page *page)
{
	if (ut_role_level(page->role) == 1)
		return;
	for (unsigned int i = 0; i < UM_ENTRIES; i++) {
		struct um_page *child = um_child(mmu, page, i);

		if (child)
			um_zap_page(mmu, child, false);
	}
}

/* A parent does not go without the out-of-sync tables below it (mmu_zap_unsync_children()). */
static void page_zapping(struct um_mmu *mmu, struct um_page *page)
{
	const struct bm *s = mmu->state;

	um_roots_forget(mmu, page);
	if (s->parent_zap == ZAP_ALL)
		zap_children(mmu, page);
	else if (s->parent_zap != ZAP_ORPHAN)
		um_marks_zap_below(mmu, marks(mmu), page);
	um_marks_release(mmu, marks(mmu), page);
}

static bool page_flooded(struct um_page *page)
{
	return um_page_flood_written(&((struct bm_page *)page->priv)->flood, page);
}

static void table_written(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_frame *frame,
			  const struct ut_write *w)
{
	const struct bm *s = mmu->state;
	struct um_write_rule rule = { .byte_ok = true, .page_flooded = page_flooded };

	if (s->parent_zap == ZAP_FORBID)
		rule.must_stay = children_live;

	um_write_frame(mmu, vcpu, frame, w, &rule);
}

static void page_used(struct um_mmu *mmu, struct um_page *page)
{
	(void)mmu;
	((struct bm_page *)page->priv)->flood.writes = 0;
}

/* ---- roots ---- */

/* kvm_mmu_new_pgd(): a cached root needs neither look-up nor lock; another is looked up and synced. */
static void switch_root(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t old)
{
	const struct bm *s = mmu->state;

	if (um_roots_switch(mmu, vcpu, s->prev_roots, old))
		((struct bm_page *)vcpu->root->priv)->flood.writes = 0;
}

static void cr3_written(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t old, uint64_t value)
{
	bool pcid = vcpu->cr4 & UT_CR4_PCIDE;

	um_resync_begin(mmu, UM_CAUSE_cr3);
	if (vcpu->cr3 != old || !vcpu->root)
		switch_root(mmu, vcpu, old);
	if (!(pcid && (value & UT_CR3_NOFLUSH))) {
		if (vcpu->root)
			um_marks_sync_children(mmu, marks(mmu), vcpu->root);
		if (pcid)
			um_roots_drop_pcid(vcpu, vcpu->cr3 & UT_CR3_PCID);
		mmu->count[UM_flush_local]++;
	}
	um_resync_end(mmu);
}

static void reset_context(struct um_mmu *mmu, struct um_vcpu *vcpu, enum um_cause cause)
{
	um_roots_drop(vcpu, NULL, 0);
	um_load_root(mmu, vcpu);
	sync_root(mmu, vcpu->root, cause);
	mmu->count[UM_flush_local]++;
}

/* "Flush the guest": sync the current root, drop the previous ones that are dirty. */
static void flush_guest(struct um_mmu *mmu, struct um_vcpu *vcpu, enum um_cause cause)
{
	sync_root(mmu, vcpu->root, cause);
	um_roots_drop_dirty(vcpu);
	mmu->count[UM_flush_local]++;
}

static void cr0_written(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t old)
{
	if ((old ^ vcpu->cr0) & (UT_CR0_PG | UT_CR0_WP))
		reset_context(mmu, vcpu, UM_CAUSE_cr0);
}

static void cr4_written(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t old)
{
	uint64_t changed = old ^ vcpu->cr4;

	if (changed & CR4_RESET_BITS)
		reset_context(mmu, vcpu, UM_CAUSE_cr4);
	else if ((changed & UT_CR4_PCIDE) && (vcpu->cr4 & UT_CR4_PCIDE))
		reset_context(mmu, vcpu, UM_CAUSE_cr4);
	else if (changed & (UT_CR4_PGE | UT_CR4_PCIDE))
		flush_guest(mmu, vcpu, UM_CAUSE_cr4);
}

/* ---- invalidations ---- */

/* One entry of a table out of sync; now and then all of it. */
static void invlpg_leaf(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *page,
			unsigned int index)
{
	const struct bm *s = mmu->state;
	struct bm_page *p = page->priv;

	um_fix_entry(mmu, vcpu, page, index);
	/* Several roots may lead to the page. */
	if (!s->resync_after || p->last_invlpg == s->invlpgs)
		return;
	p->last_invlpg = s->invlpgs;
	if (++p->invlpgs >= s->resync_after)
		sync_protected(mmu, page);
}

/*
 * Down to the leaf entry, as long as the marks say that something is out of sync below. INVLPG of any
 * address also drops what the CPU has cached of upper entries for all of them, so upper tables are brought
 * in step first, wherever they are: a stale link must not lead to what its table has become since.
 */
static void invlpg_root(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *root,
			uint64_t gva)
{
	const struct bm *s = mmu->state;
	struct um_page *page = root;

	if (root && s->top_level > 1)
		um_marks_sync_upper(mmu, marks(mmu), root);
	while (page) {
		unsigned int level = ut_role_level(page->role);
		unsigned int index = um_index(gva, level);

		mmu->count[UM_nodes_visited]++;
		if (level == 1) {
			if (page->unsync)
				invlpg_leaf(mmu, vcpu, page, index);
			return;
		}
		if (!um_marks_below(page))
			return;
		page = um_marks_child(mmu, page, index);
	}
}

static void invlpg(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t gva)
{
	struct bm *s = mmu->state;
	struct um_roots *v = um_roots_of(vcpu);

	s->invlpgs++;
	um_resync_begin(mmu, UM_CAUSE_invlpg);
	invlpg_root(mmu, vcpu, vcpu->root, gva);
	for (unsigned int i = 0; i < UM_ROOTS_MAX; i++)
		invlpg_root(mmu, vcpu, v->prev[i].root, gva);
	um_resync_end(mmu);
	mmu->count[UM_flush_local]++;
}

static void invlpg_pcid(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_invpcid *inv)
{
	struct bm *s = mmu->state;
	struct um_roots *v = um_roots_of(vcpu);

	s->invlpgs++;
	um_resync_begin(mmu, UM_CAUSE_flush);
	if ((vcpu->cr3 & UT_CR3_PCID) == inv->pcid)
		invlpg_root(mmu, vcpu, vcpu->root, inv->gva);
	for (unsigned int i = 0; i < UM_ROOTS_MAX; i++) {
		if ((v->prev[i].cr3 & UT_CR3_PCID) == inv->pcid)
			invlpg_root(mmu, vcpu, v->prev[i].root, inv->gva);
	}
	um_resync_end(mmu);
}

static void invpcid(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_invpcid *inv)
{
	switch (inv->type) {
	case 0:
		invlpg_pcid(mmu, vcpu, inv);
		break;
	case 1:
		if ((vcpu->cr3 & UT_CR3_PCID) == inv->pcid)
			sync_root(mmu, vcpu->root, UM_CAUSE_flush);
		um_roots_drop_pcid(vcpu, inv->pcid);
		break;
	default:
		flush_guest(mmu, vcpu, UM_CAUSE_flush);
		break;
	}
	mmu->count[UM_flush_local]++;
}

/* mmu_sync_children() lets go of the lock now and then, and begins again until nothing is found. */
static void resync_lasts(struct um_mmu *mmu, struct um_vcpu *vcpu)
{
	sync_root(mmu, vcpu->root, UM_CAUSE_flush);
}

static void pv_flush(struct um_mmu *mmu, struct um_vcpu *vcpu)
{
	if (um_relapsed(UM_RELAPSE_PV_FLUSH))
		mmu->count[UM_flush_local]++;
	else
		flush_guest(mmu, vcpu, UM_CAUSE_flush);
}

UM_MODEL(unsync_bitmap) = {
	UM_MODEL_HEAD,
	.name = "unsync-bitmap",
	.summary = "any leaf table may go out of sync, parents keep a bitmap (KVM since 2.6.28)",
	.options = options,
	.counters = counters,
	.state_bytes = sizeof(struct bm),
	.page_bytes = sizeof(struct bm_page),
	.vcpu_bytes = sizeof(struct um_roots),
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
	.page_used = page_used,
	.cr3_written = cr3_written,
	.cr0_written = cr0_written,
	.cr4_written = cr4_written,
	.invlpg = invlpg,
	.invpcid = invpcid,
	.resync_lasts = resync_lasts,
	.pv_flush = pv_flush,
};
