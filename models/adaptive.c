// SPDX-License-Identifier: GPL-2.0-only
/*
 * Adaptive (our own design): each leaf table is emulated or let go out of sync by what its own history
 * says is cheaper, and once it is out of sync it stays so for as long as that pays.
 *
 * 1. Whether to let go is a rental problem. Each emulated write costs more than it would have cost, had
 *    the table been out of sync at that moment: the difference, with the flushes counted at which it
 *    would have been synced for nothing, is added to the table's regret. When the regret reaches the
 *    price of going out of sync, the next write does not wait any longer. So a table that is written
 *    once in a long while is emulated for good, and one that is written in bursts, or a little in each
 *    interval between two flushes, is not.
 * 2. A flush brings a table out of sync up to date, but leaves it writable. Only when that was for
 *    nothing as many times in a row as cost the same as letting it go again is it write-protected. So a
 *    table that is written in every interval pays no fault for it.
 * 3. A table out of sync without a present entry has nothing that could be stale. No flush looks at it,
 *    until a fault fills an entry: a table that is torn down, or filled before its use, costs nothing.
 * 4. INVLPG is intercepted on a vCPU only while its root leads to a table out of sync that holds
 *    something. A vCPU that has to be told by another costs a kick.
 * 5. An entry that a sync or INVLPG finds pointing elsewhere is replaced, not only dropped.
 *
 * What is out of sync and holds something is in one list; at a flush those on it that the vCPU's root
 * leads to, found upward by way of the parents, are brought up to date. That needs no marks.
 *
 * The prices are options, in ns, with the priors of docs/models.md as defaults.
 */
#include "models/builtin.h"
#include "models/flood.h"
#include "models/page_list.h"

#define WORDS (UM_ENTRIES / 64)
#define CR4_RESET_BITS                                                                             \
	(UT_CR4_PSE | UT_CR4_PAE | UT_CR4_LA57 | UT_CR4_SMEP | UT_CR4_SMAP | UT_CR4_PKE)
#define MAX_PATIENCE 6

enum { OWN_refreshed, OWN_protected, OWN_kicks };

struct ad {
	struct um_page_list
		list;	  /* out of sync and holding something, and some that do not any more */
	uint32_t flushes; /* of any root */
	uint32_t
		emulate; /* prices, ns: an emulated write, letting go, comparing a table, an entry */
	uint32_t let_go;
	uint32_t sync, entry;
	bool stay, replace, lazy_invlpg;
	bool entering; /* a root is looked up, and brought up to date right after that */
	bool filled;   /* a table out of sync that held nothing holds something now */
};

struct ad_frame {
	int32_t regret; /* ns */
	uint32_t
		written; /* flushes there had been at the last emulated write, plus 1; 0: there was none */
	uint32_t vain;	  /* ns spent in a row on comparing it for nothing */
	uint8_t patience; /* how much of that is borne: the price of letting go, this often doubled */
	bool again;	  /* it was protected again, and not written since */
	uint32_t changed; /* entries that had changed since it went out of sync, or were filled */
	uint32_t present; /* entries there were when it went, or was compared last */
};

struct ad_page {
	struct um_listed listed;
	uint32_t flushes; /* of it as a root */
	struct um_page_flood flood;
};

struct ad_vcpu {
	bool intercept; /* INVLPG exits */
};

static const struct um_option options[] = {
	{ .name = "cost_emulate",
	  .help = "price of an emulated write, exit included, in ns",
	  .type = UM_OPT_NUMBER,
	  .min = 1,
	  .max = 1000000,
	  .def = "3500" },
	{ .name = "cost_unsync",
	  .help = "price of the fault that lets a table go out of sync, exit included, in ns",
	  .type = UM_OPT_NUMBER,
	  .min = 1,
	  .max = 1000000,
	  .def = "2200" },
	{ .name = "cost_sync",
	  .help = "price of comparing a table, without its entries, in ns",
	  .type = UM_OPT_NUMBER,
	  .min = 1,
	  .max = 1000000,
	  .def = "1000" },
	{ .name = "cost_entry",
	  .help = "price of comparing one present entry, in ns",
	  .type = UM_OPT_NUMBER,
	  .min = 0,
	  .max = 1000000,
	  .def = "10" },
	{ .name = "stay",
	  .help = "a table stays out of sync over a flush, until that was in vain too often; no: "
		  "each flush protects it again",
	  .type = UM_OPT_BOOL,
	  .def = "yes" },
	{ .name = "replace",
	  .help = "an entry that a sync finds changed is filled anew at once, if the guest's is "
		  "present and accessed",
	  .type = UM_OPT_BOOL,
	  .def = "yes" },
	{ .name = "lazy_invlpg",
	  .help = "INVLPG is intercepted only while something out of sync can be reached; no: "
		  "always",
	  .type = UM_OPT_BOOL,
	  .def = "yes" },
	{ 0 }
};

static const struct um_own_counter counters[] = {
	[OWN_refreshed] = { "tables_refreshed", "tables compared that stayed out of sync" },
	[OWN_protected] = { "tables_protected", "tables compared and write-protected again" },
	[OWN_kicks] = { "kicks", "vCPUs told by another to intercept INVLPG" },
	{ 0 }
};

static int create(struct um_mmu *mmu)
{
	struct ad *s = mmu->state;

	s->emulate = (uint32_t)um_option_number(mmu, "cost_emulate");
	s->let_go = (uint32_t)um_option_number(mmu, "cost_unsync");
	s->sync = (uint32_t)um_option_number(mmu, "cost_sync");
	s->entry = (uint32_t)um_option_number(mmu, "cost_entry");
	s->stay = um_option_bool(mmu, "stay");
	s->replace = um_option_bool(mmu, "replace");
	s->lazy_invlpg = um_option_bool(mmu, "lazy_invlpg");
	return 0;
}

static void destroy(struct um_mmu *mmu)
{
	um_page_list_free(&((struct ad *)mmu->state)->list);
}

static uint32_t page_cost(const struct um_mmu *mmu, const struct um_page *page)
{
	(void)mmu;
	/* Flag, place and count; and the history, which outlives the page. */
	return page->role & UT_ROLE_DIRECT ? 0 : 12 + sizeof(struct ad_frame);
}

/* ---- who can reach what ---- */

static bool leads_to(struct um_mmu *mmu, const struct um_page *top, const struct um_page *page)
{
	if (page == top)
		return true;
	if (ut_role_level(page->role) >= ut_role_level(top->role))
		return false;
	mmu->count[UM_nodes_visited]++;
	/* The kernel's part hangs off the same entry of every root. */
	if (page->n_parents > 1 && um_child(mmu, top, page->parents[0].index) == page)
		return true;
	for (uint32_t i = 0; i < page->n_parents; i++) {
		const struct um_page *parent = um_page_by_id(mmu, page->parents[i].page);

		if (parent && leads_to(mmu, top, parent))
			return true;
	}
	return false;
}

static bool holds_stale(struct um_mmu *mmu, const struct um_page *top)
{
	const struct ad *s = mmu->state;

	for (uint32_t i = 0; i < s->list.n; i++) {
		const struct um_page *page = um_page_list_at(mmu, &s->list, i);

		if (page->present && leads_to(mmu, top, page))
			return true;
	}
	return false;
}

/*
 * Must INVLPG exit on this vCPU? With PCIDs it reaches global entries of other address spaces, too,
 * which may be entered without a flush.
 */
static bool must_intercept(struct um_mmu *mmu, const struct um_vcpu *vcpu)
{
	const struct ad *s = mmu->state;

	if (!s->lazy_invlpg)
		return true;
	if (!s->list.n || !vcpu->root)
		return false;
	return (vcpu->cr4 & UT_CR4_PCIDE) || holds_stale(mmu, vcpu->root);
}

/* The vCPU is in the hypervisor: settle what it intercepts. */
static void settle(struct um_mmu *mmu, struct um_vcpu *vcpu)
{
	((struct ad_vcpu *)vcpu->priv)->intercept = must_intercept(mmu, vcpu);
}

/* More may be reached than before: whoever does not intercept yet and should is told. */
static void spread(struct um_mmu *mmu, const struct um_vcpu *here)
{
	struct ad *s = mmu->state;
	struct um_vcpu *vcpu;

	s->filled = false;
	for (unsigned int i = 0; (vcpu = um_vcpu_at(mmu, i)); i++) {
		struct ad_vcpu *v = vcpu->priv;

		if (v->intercept || !must_intercept(mmu, vcpu))
			continue;
		v->intercept = true;
		if (vcpu == here)
			continue;
		mmu->own[OWN_kicks]++;
		mmu->count[UM_flush_remote]++;
	}
}

/* ---- the list ---- */

static void list_add(struct um_mmu *mmu, struct um_page *page)
{
	struct ad *s = mmu->state;

	um_bookkeeping(mmu, (int64_t)um_page_list_add(mmu, &s->list, page));
}

static void list_remove(struct um_mmu *mmu, struct um_page *page)
{
	struct ad *s = mmu->state;

	um_page_list_remove(mmu, &s->list, page);
}

static void page_zapping(struct um_mmu *mmu, struct um_page *page)
{
	list_remove(mmu, page);
}

/* A fault is filling a table out of sync that held nothing. */
static void entry_filled(struct um_mmu *mmu, struct um_page *page, unsigned int index)
{
	struct ad *s = mmu->state;

	(void)index;
	if (!page->unsync || page->present > 1)
		return;
	/* It may be in the list still. */
	list_add(mmu, page);
	s->filled = true;
}

static void fault_done(struct um_mmu *mmu, struct um_vcpu *vcpu)
{
	if (((const struct ad *)mmu->state)->filled)
		spread(mmu, vcpu);
}

/* ---- emulate, or let go? ---- */

static uint32_t sync_price(const struct ad *s, const struct um_page *page)
{
	return s->sync + s->entry * page->present;
}

/* Flushes so far at which a table would have been looked at. */
static uint32_t flushes_of(const struct um_mmu *mmu, const struct um_page *page)
{
	const struct ad *s = mmu->state;

	while (page->n_parents == 1) {
		const struct um_page *parent = um_page_by_id(mmu, page->parents[0].page);

		if (!parent || ut_role_level(parent->role) <= ut_role_level(page->role))
			break;
		page = parent;
	}
	return page->n_parents ? s->flushes : ((const struct ad_page *)page->priv)->flushes;
}

/* Flushes since a table was last written or protected, at most @most. */
static uint32_t flushes_since(const struct ad_frame *f, uint32_t flushes, uint32_t most)
{
	uint32_t since = flushes + 1 - f->written;

	return f->written && since < most ? since : most;
}

/* What this write would have cost, had the table been out of sync since it was last written. */
static uint32_t other_price(const struct ad *s, const struct ad_frame *f,
			    const struct um_page *page, uint32_t flushes)
{
	uint32_t each = sync_price(s, page), most = s->let_go / each + 1;
	uint32_t since = flushes_since(f, flushes, most + 1);

	return since > most ? most * each + s->let_go : since * each;
}

/*
 * The first write since a table was protected again. Would it have been cheaper to leave it? Then next
 * time more is borne before it is given up, else less.
 */
static bool protected_too_soon(const struct ad *s, struct ad_frame *f, const struct um_page *page,
			       uint32_t flushes)
{
	uint32_t each = sync_price(s, page), most = (s->let_go + s->emulate) / each + 1;

	f->again = false;
	if (flushes_since(f, flushes, most) == most) {
		f->patience /= 2;
		return false;
	}
	if (f->patience < MAX_PATIENCE)
		f->patience++;
	return true;
}

/* An emulated write is on its way: is it the last one? */
static bool had_enough(struct um_mmu *mmu, const struct um_page *page)
{
	const struct ad *s = mmu->state;
	struct ad_frame *f = page->frame->priv;
	uint32_t flushes = flushes_of(mmu, page);
	int32_t limit = (int32_t)(s->let_go + sync_price(s, page));

	if ((f->again && protected_too_soon(s, f, page, flushes)) || f->regret >= limit)
		return true;
	f->regret += (int32_t)s->emulate - (int32_t)other_price(s, f, page, flushes);
	f->written = flushes + 1;
	if (f->regret < -limit)
		f->regret = -limit;
	return false;
}

static bool above_leaf(const struct um_frame *frame)
{
	for (const struct um_page *p = frame->pages; p; p = p->next_of_gfn) {
		if (!(p->role & UT_ROLE_DIRECT) && ut_role_level(p->role) > 1)
			return true;
	}
	return false;
}

/* The first leaf page of a frame that is in sync; @unsync: is there one that is not? */
static const struct um_page *in_sync(const struct um_frame *frame, bool *unsync)
{
	const struct um_page *found = NULL;

	*unsync = false;
	for (const struct um_page *p = frame->pages; p; p = p->next_of_gfn) {
		if (p->role & UT_ROLE_DIRECT)
			continue;
		*unsync = *unsync || p->unsync;
		if (!found && !p->unsync)
			found = p;
	}
	return found;
}

static void let_go(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_frame *frame)
{
	struct ad_frame *f = frame->priv;

	for (struct um_page *p = frame->pages; p; p = p->next_of_gfn) {
		if ((p->role & UT_ROLE_DIRECT) || p->unsync)
			continue;
		um_mark_unsync(mmu, p);
		if (p->present)
			list_add(mmu, p);
		f->present = p->present;
	}
	f->vain = 0;
	f->changed = 0;
	spread(mmu, vcpu);
}

static enum um_verdict want_writable(struct um_mmu *mmu, struct um_vcpu *vcpu,
				     struct um_frame *frame, bool write, bool prefetch)
{
	const struct um_page *page;
	bool unsync;

	if (prefetch || !write)
		return UM_EMULATE;
	if (above_leaf(frame)) {
		mmu->count[UM_unsyncs_refused]++;
		return UM_EMULATE;
	}
	page = in_sync(frame, &unsync);
	/* A new role of a table that is out of sync already joins it. */
	if (page && !unsync && !had_enough(mmu, page))
		return UM_EMULATE;
	let_go(mmu, vcpu, frame);
	return UM_WRITABLE;
}

static bool page_flooded(struct um_page *page)
{
	return um_page_flood_written(&((struct ad_page *)page->priv)->flood, page);
}

static void table_written(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_frame *frame,
			  const struct ut_write *w)
{
	static const struct um_write_rule rule = { .byte_ok = true,
						   .reinstall = true,
						   .page_flooded = page_flooded };

	fault_done(mmu, vcpu);
	um_write_frame(mmu, vcpu, frame, w, &rule);
}

static void page_used(struct um_mmu *mmu, struct um_page *page)
{
	(void)mmu;
	((struct ad_page *)page->priv)->flood.writes = 0;
}

/* ---- bringing up to date ---- */

/* Fill what a sync dropped: entries that were present before. */
static void replace(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *page,
		    const uint64_t *before)
{
	for (unsigned int w = 0; w < WORDS; w++) {
		for (uint64_t bits = before[w]; bits; bits &= bits - 1) {
			unsigned int i = w * 64 + (unsigned int)__builtin_ctzll(bits);

			if (!(page->spt[i] & UM_SPTE_P) && um_install_entry(mmu, vcpu, page, i))
				mmu->count[UM_entries_reinstalled]++;
		}
	}
}

static unsigned int compare(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *page,
			    enum um_sync_kind kind)
{
	const struct ad *s = mmu->state;
	uint64_t before[WORDS] = { 0 };
	unsigned int changed;

	for (unsigned int i = 0; s->replace && i < UM_ENTRIES; i++)
		before[i / 64] |= (page->spt[i] & UM_SPTE_P) << (i & 63);
	changed = um_sync_page(mmu, page, kind);
	if (changed)
		mmu->count[UM_flush_remote]++;
	if (changed && s->replace)
		replace(mmu, vcpu, page, before);
	return changed;
}

/* Protect a table again: it was compared for nothing so often that letting it go anew costs no more. */
static void protect(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *page)
{
	const struct ad *s = mmu->state;
	struct um_frame *frame = page->frame;
	struct ad_frame *f = frame->priv;

	if (um_write_protect(mmu, frame))
		mmu->count[UM_flush_remote]++;
	list_remove(mmu, page);
	mmu->own[OWN_protected]++;
	f->changed += page->present > f->present ? page->present - f->present : 0;
	f->changed += compare(mmu, vcpu, page, UM_SYNC_PROTECTED);
	f->vain = 0;
	f->again = s->stay;
	f->regret = f->changed > 1 ? (int32_t)(s->let_go + sync_price(s, page)) : 0;
	f->written = flushes_of(mmu, page) + 1;
}

static void refresh(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *page)
{
	const struct ad *s = mmu->state;
	struct ad_frame *f = page->frame->priv;
	uint32_t price = sync_price(s, page);
	unsigned int changed;

	if (!s->stay || f->vain + price > s->let_go << f->patience) {
		protect(mmu, vcpu, page);
		return;
	}
	mmu->own[OWN_refreshed]++;
	f->changed += page->present > f->present ? page->present - f->present : 0;
	changed = compare(mmu, vcpu, page, UM_SYNC_TRANSIENT);
	f->changed += changed;
	f->present = page->present;
	f->vain = changed ? 0 : f->vain + price;
}

/* What @top leads to, or is itself. */
static void refresh_below(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *top)
{
	const struct ad *s = mmu->state;

	/* Backwards: one that leaves the list is replaced by the last. */
	for (uint32_t i = s->list.n; i-- > 0;) {
		struct um_page *page;

		if (i >= s->list.n)
			continue;
		page = um_page_list_at(mmu, &s->list, i);
		if (!page->present)
			list_remove(mmu, page);
		else if (leads_to(mmu, top, page))
			refresh(mmu, vcpu, page);
	}
}

static void flush_root(struct um_mmu *mmu, struct um_vcpu *vcpu, enum um_cause cause)
{
	struct ad *s = mmu->state;

	s->flushes++;
	mmu->count[UM_flush_local]++;
	if (!vcpu->root)
		return;
	((struct ad_page *)vcpu->root->priv)->flushes++;
	um_resync_begin(mmu, cause);
	refresh_below(mmu, vcpu, vcpu->root);
	um_resync_end(mmu);
	settle(mmu, vcpu);
}

/* ---- pages ---- */

static void zap_if_unsync(struct um_mmu *mmu, struct um_page *page, void *match)
{
	if (page != match && page->unsync)
		um_zap_page(mmu, page, false);
}

/* As in mainline: a table that becomes an upper one costs its shadows out of sync; see 65855ed8b034. */
static void page_wanted(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_frame *frame,
			uint32_t role, struct um_page *match)
{
	const struct ad *s = mmu->state;

	if (ut_role_level(role) > 1)
		um_for_each_page(mmu, frame, zap_if_unsync, match);
	if (!match || match->gone)
		return;
	((struct ad_page *)match->priv)->flood.writes = 0;
	if (!s->list.n || s->entering)
		return;
	um_resync_begin(mmu, UM_CAUSE_link);
	refresh_below(mmu, vcpu, match);
	um_resync_end(mmu);
}

static void page_linked(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *parent,
			unsigned int index, struct um_page *child)
{
	const struct ad *s = mmu->state;

	(void)parent;
	(void)index;
	(void)child;
	if (s->list.n)
		spread(mmu, vcpu);
}

/* ---- flushes ---- */

static void enter_root(struct um_mmu *mmu, struct um_vcpu *vcpu)
{
	struct ad *s = mmu->state;

	s->entering = true;
	um_load_root(mmu, vcpu);
	s->entering = false;
}

static void cr3_written(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t old, uint64_t value)
{
	bool other = !vcpu->root || um_root_gfn(vcpu, old) != um_root_gfn(vcpu, vcpu->cr3);

	if (other)
		enter_root(mmu, vcpu);
	/*
	 * A root that is entered is brought up to date in any case, by another PCID, too: nobody kept an
	 * eye on it.
	 */
	if (other || vcpu->cr3 != old || !(vcpu->cr4 & UT_CR4_PCIDE) || !(value & UT_CR3_NOFLUSH))
		flush_root(mmu, vcpu, UM_CAUSE_cr3);
}

static void cr0_written(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t old)
{
	if (!((old ^ vcpu->cr0) & (UT_CR0_PG | UT_CR0_WP)))
		return;
	enter_root(mmu, vcpu);
	flush_root(mmu, vcpu, UM_CAUSE_cr0);
}

static void cr4_written(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t old)
{
	uint64_t changed = old ^ vcpu->cr4;

	if (changed & CR4_RESET_BITS)
		enter_root(mmu, vcpu);
	if (changed & (CR4_RESET_BITS | UT_CR4_PGE | UT_CR4_PCIDE))
		flush_root(mmu, vcpu, UM_CAUSE_cr4);
}

static void fix_entry(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t gva)
{
	const struct ad *s = mmu->state;
	unsigned int index;
	struct um_page *page = um_leaf_of(mmu, vcpu->root, gva, &index);

	if (!page || !page->unsync)
		return;
	if (!um_sync_entry(mmu, page, index))
		return;
	mmu->count[UM_flush_remote]++;
	if (s->replace && !(page->spt[index] & UM_SPTE_P) &&
	    um_install_entry(mmu, vcpu, page, index))
		mmu->count[UM_entries_reinstalled]++;
}

static void invlpg(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t gva)
{
	um_resync_begin(mmu, UM_CAUSE_invlpg);
	fix_entry(mmu, vcpu, gva);
	um_resync_end(mmu);
	mmu->count[UM_flush_local]++;
	settle(mmu, vcpu);
}

static bool invlpg_exits(struct um_mmu *mmu, struct um_vcpu *vcpu)
{
	fault_done(mmu, NULL);
	return ((const struct ad_vcpu *)vcpu->priv)->intercept;
}

/* Other PCIDs' roots are brought up to date when they are entered, flush or not. */
static void invpcid(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_invpcid *inv)
{
	if (inv->type < 2 && inv->pcid != (vcpu->cr3 & UT_CR3_PCID))
		return;
	if (inv->type == 0)
		invlpg(mmu, vcpu, inv->gva);
	else
		flush_root(mmu, vcpu, UM_CAUSE_flush);
}

static void pv_flush(struct um_mmu *mmu, struct um_vcpu *vcpu)
{
	flush_root(mmu, vcpu, UM_CAUSE_flush);
}

UM_MODEL(adaptive) = {
	UM_MODEL_HEAD,
	.name = "adaptive",
	.summary =
		"each table is emulated or out of sync by its history, and stays so while it pays",
	.options = options,
	.counters = counters,
	.state_bytes = sizeof(struct ad),
	.page_bytes = sizeof(struct ad_page),
	.vcpu_bytes = sizeof(struct ad_vcpu),
	.frame_bytes = sizeof(struct ad_frame),
	.create = create,
	.destroy = destroy,
	.page_cost = page_cost,
	.page_zapping = page_zapping,
	.page_wanted = page_wanted,
	.page_linked = page_linked,
	.entry_filled = entry_filled,
	.want_writable = want_writable,
	.table_written = table_written,
	.page_used = page_used,
	.fault_done = fault_done,
	.cr3_written = cr3_written,
	.cr0_written = cr0_written,
	.cr4_written = cr4_written,
	.invlpg = invlpg,
	.invlpg_exits = invlpg_exits,
	.invpcid = invpcid,
	.pv_flush = pv_flush,
};
