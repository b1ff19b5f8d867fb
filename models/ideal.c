// SPDX-License-Identifier: GPL-2.0-only
/*
 * A bound: no design that lets tables go stale between flushes can do with less. The guest's tables are
 * never protected, so no write to one exits; and whenever the architecture says that stale entries must
 * be gone, exactly those whose guest entry was written are compared, once each however often they were
 * written, links above the leaves included. Knowing which costs nothing: the trace tells.
 *
 * What must be in step when:
 *   a CR3 write that flushes, INVPCID of a context, a paravirtual flush, a change of mode: everything;
 *   INVLPG, INVPCID of an address: the entries on the way to that address;
 *   a page that is found again and linked where nothing was: all of it and below, as the guest need not
 *   flush an address that did not translate (65855ed8b034).
 *
 * An entry that is synced for one vCPU's flush is in step for all: early is always allowed.
 */
#include "models/builtin.h"
#include "models/page_list.h"

#define WORDS (UM_ENTRIES / 64)

struct ideal {
	bool refill;
	struct um_page_list list; /* with written entries */
};

struct ideal_page {
	struct um_listed listed;
	uint64_t written[WORDS]; /* entries whose guest entry changed while they were present */
};

static const struct um_option options[] = { { .name = "refill",
					      .help = "an entry that the guest wrote is filled at "
						      "once if it is present and accessed, so "
						      "that its use does not fault: a bound for "
						      "designs that reinstall or prefault, too",
					      .type = UM_OPT_BOOL,
					      .def = "no" },
					    { 0 } };

static int create(struct um_mmu *mmu)
{
	((struct ideal *)mmu->state)->refill = um_option_bool(mmu, "refill");
	return 0;
}

static void destroy(struct um_mmu *mmu)
{
	um_page_list_free(&((struct ideal *)mmu->state)->list);
}

/* ---- which entries were written ---- */

/* Is there a written entry on a way down to a page? Then that way may lead where the guest's does not. */
static bool doubtful(const struct um_mmu *mmu, const struct um_page *page)
{
	for (uint32_t i = 0; i < page->n_parents; i++) {
		const struct um_parent *up = &page->parents[i];
		const struct um_page *parent = um_page_by_id(mmu, up->page);
		const struct ideal_page *p;

		if (!parent)
			continue;
		p = parent->priv;
		if (p->written[up->index / 64] >> (up->index & 63) & 1)
			return true;
		if (ut_role_level(parent->role) > ut_role_level(page->role) &&
		    doubtful(mmu, parent))
			return true;
	}
	return false;
}

static void table_changed(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_frame *frame,
			  const struct ut_write *w)
{
	struct ideal *s = mmu->state;

	for (struct um_page *page = frame->pages; page; page = page->next_of_gfn) {
		struct ideal_page *p = page->priv;
		unsigned int first, n;
		bool refill;

		if (page->role & UT_ROLE_DIRECT)
			continue;
		refill = s->refill && ut_role_level(page->role) == 1 && !doubtful(mmu, page);
		n = um_written_entries(page, w->offset, w->size, &first);
		for (unsigned int i = first; i < first + n; i++) {
			if (refill) {
				um_drop_entry(mmu, page, i);
				um_install_entry(mmu, vcpu, page, i);
				continue;
			}
			if (!(page->spt[i] & UM_SPTE_P))
				continue;
			p->written[i / 64] |= 1ull << (i & 63);
			um_page_list_add(mmu, &s->list, page);
		}
	}
}

/* Whatever is filled is filled from the guest's entry as it is. */
static void entry_filled(struct um_mmu *mmu, struct um_page *page, unsigned int index)
{
	struct ideal_page *p = page->priv;

	(void)mmu;
	p->written[index / 64] &= ~(1ull << (index & 63));
}

static void page_linked(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *parent,
			unsigned int index, struct um_page *child)
{
	(void)vcpu;
	(void)child;
	if (parent)
		entry_filled(mmu, parent, index);
}

static void page_zapping(struct um_mmu *mmu, struct um_page *page)
{
	struct ideal *s = mmu->state;

	um_page_list_remove(mmu, &s->list, page);
}

/* ---- syncing ---- */

static void sync_written(struct um_mmu *mmu, struct um_page *page)
{
	struct ideal *s = mmu->state;
	struct ideal_page *p = page->priv;
	bool changed = false;

	um_page_list_remove(mmu, &s->list, page);
	for (unsigned int w = 0; w < WORDS; w++) {
		while (p->written[w]) {
			unsigned int bit = (unsigned int)__builtin_ctzll(p->written[w]);

			p->written[w] &= ~(1ull << bit);
			changed |= um_sync_entry(mmu, page, w * 64 + bit);
		}
	}
	if (changed)
		mmu->count[UM_flush_remote]++;
}

static void sync_all(struct um_mmu *mmu, enum um_cause cause)
{
	struct ideal *s = mmu->state;

	um_resync_begin(mmu, cause);
	while (s->list.n)
		sync_written(mmu, um_page_list_at(mmu, &s->list, s->list.n - 1));
	um_resync_end(mmu);
	mmu->count[UM_flush_local]++;
}

static void sync_one(struct um_mmu *mmu, struct um_page *page, unsigned int index)
{
	struct ideal_page *p = page->priv;
	uint64_t bit = 1ull << (index & 63);

	if (!(p->written[index / 64] & bit))
		return;
	p->written[index / 64] &= ~bit;
	if (um_sync_entry(mmu, page, index))
		mmu->count[UM_flush_remote]++;
}

/* The entries that lead from a root to an address. */
static void sync_path(struct um_mmu *mmu, struct um_page *root, uint64_t gva)
{
	struct um_page *page = root;

	while (page && (um_is_top(page) || !(page->role & UT_ROLE_DIRECT))) {
		unsigned int index = um_index(gva, ut_role_level(page->role));

		sync_one(mmu, page, index);
		/* A large page of 32-bit tables has two shadow entries. */
		if ((page->role & UT_ROLE_4BYTE) && ut_role_level(page->role) == 2)
			sync_one(mmu, page, index ^ 1);
		page = um_child(mmu, page, index);
	}
}

/*
 * INVLPG reaches the global entries for an address whatever their PCID, and so whatever root they are
 * found from.
 */
static void sync_index(struct um_mmu *mmu, uint64_t gva)
{
	const struct ideal *s = mmu->state;
	unsigned int index = um_index(gva, 1);

	for (uint32_t i = 0; i < s->list.n; i++) {
		struct um_page *page = um_page_list_at(mmu, &s->list, i);

		if (ut_role_level(page->role) == 1)
			sync_one(mmu, page, index);
	}
}

/*
 * INVLPG also empties the caches of upper entries, whatever the address: a link that is gone from the guest's
 * table must not lead to what is written below it later.
 */
static void sync_uppers(struct um_mmu *mmu)
{
	const struct ideal *s = mmu->state;

	/* Backwards: a page that is done is replaced by the last. */
	for (uint32_t i = s->list.n; i-- > 0;) {
		struct um_page *page = um_page_list_at(mmu, &s->list, i);

		if (ut_role_level(page->role) > 1)
			sync_written(mmu, page);
	}
}

/* Is a page @top, or does a link lead from @top to it? */
static bool below(const struct um_mmu *mmu, const struct um_page *page, const struct um_page *top)
{
	if (page == top)
		return true;
	if (ut_role_level(page->role) >= ut_role_level(top->role))
		return false;
	for (uint32_t i = 0; i < page->n_parents; i++) {
		const struct um_page *parent = um_page_by_id(mmu, page->parents[i].page);

		if (parent && below(mmu, parent, top))
			return true;
	}
	return false;
}

static void page_wanted(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_frame *frame,
			uint32_t role, struct um_page *match)
{
	struct ideal *s = mmu->state;

	(void)vcpu;
	(void)frame;
	(void)role;
	if (!match || !s->list.n)
		return;
	um_resync_begin(mmu, UM_CAUSE_link);
	/* Backwards: a page that is done is replaced by the last. */
	for (uint32_t i = s->list.n; i-- > 0;) {
		struct um_page *page = um_page_list_at(mmu, &s->list, i);

		if (below(mmu, page, match))
			sync_written(mmu, page);
	}
	um_resync_end(mmu);
}

/* ---- flushes ---- */

static void cr3_written(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t old, uint64_t value)
{
	if (!vcpu->root || um_root_gfn(vcpu, old) != um_root_gfn(vcpu, vcpu->cr3))
		um_load_root(mmu, vcpu);
	/* What is left alone was flushed when the guest last asked for it, by whichever vCPU. */
	if (!((vcpu->cr4 & UT_CR4_PCIDE) && (value & UT_CR3_NOFLUSH)))
		sync_all(mmu, UM_CAUSE_cr3);
}

static void cr0_written(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t old)
{
	if (!um_context_changed(vcpu, old, vcpu->cr4))
		return;
	um_load_root(mmu, vcpu);
	sync_all(mmu, UM_CAUSE_cr0);
}

static void cr4_written(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t old)
{
	if (um_context_changed(vcpu, vcpu->cr0, old))
		um_load_root(mmu, vcpu);
	if (old != vcpu->cr4)
		sync_all(mmu, UM_CAUSE_cr4);
}

static void invlpg(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t gva)
{
	um_resync_begin(mmu, UM_CAUSE_invlpg);
	sync_uppers(mmu);
	sync_path(mmu, vcpu->root, gva);
	if (vcpu->cr4 & UT_CR4_PCIDE)
		sync_index(mmu, gva);
	um_resync_end(mmu);
	mmu->count[UM_flush_local]++;
}

/* The root that another PCID's entries hang from is not known here. */
static void invpcid(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_invpcid *inv)
{
	if (inv->type != 0 || inv->pcid != (vcpu->cr3 & UT_CR3_PCID)) {
		sync_all(mmu, UM_CAUSE_flush);
		return;
	}
	um_resync_begin(mmu, UM_CAUSE_flush);
	sync_path(mmu, vcpu->root, inv->gva);
	um_resync_end(mmu);
	mmu->count[UM_flush_local]++;
}

static void pv_flush(struct um_mmu *mmu, struct um_vcpu *vcpu)
{
	(void)vcpu;
	sync_all(mmu, UM_CAUSE_flush);
}

UM_MODEL(ideal) = {
	UM_MODEL_HEAD,
	.name = "ideal",
	.bound = true,
	.summary = "bound: no write exits, a flush syncs exactly the entries that were written",
	.state_bytes = sizeof(struct ideal),
	.page_bytes = sizeof(struct ideal_page),
	.no_protect = true,
	.options = options,
	.create = create,
	.destroy = destroy,
	.page_zapping = page_zapping,
	.page_wanted = page_wanted,
	.page_linked = page_linked,
	.entry_filled = entry_filled,
	.table_changed = table_changed,
	.cr3_written = cr3_written,
	.cr0_written = cr0_written,
	.cr4_written = cr4_written,
	.invlpg = invlpg,
	.invpcid = invpcid,
	.pv_flush = pv_flush,
};
