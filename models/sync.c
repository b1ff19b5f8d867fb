// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bringing shadow entries in step with the guest's: whole tables, and single entries.
 */
#include "models/history.h"
#include "models/shadow.h"

#include <string.h>

void um_mark_unsync(struct um_mmu *mmu, struct um_page *page)
{
	if (page->unsync)
		return;
	page->unsync = true;
	page->frame->n_synced--;
	mmu->unsync_now++;
	mmu->count[UM_unsyncs]++;
	if (mmu->unsync_now > mmu->count[UM_unsync_peak])
		mmu->count[UM_unsync_peak] = mmu->unsync_now;
	um_tell(mmu, UM_WENT_UNSYNC, page);
}

static void mark_sync(struct um_mmu *mmu, struct um_page *page)
{
	if (!page->unsync)
		return;
	page->unsync = false;
	page->frame->n_synced++;
	mmu->unsync_now--;
}

/*
 * Permissions of a leaf entry: what the walk to the page allows, and what the guest entry allows. A
 * clean page is mapped read-only, so that its first write faults and sets dirty.
 */
uint64_t um_leaf_bits(const struct um_page *page, uint64_t gpte, bool dirty)
{
	uint32_t role = um_history_role(page->role);
	uint64_t bits = 0;

	if ((role & UT_ROLE_WRITE) && (gpte & UT_PTE_W) && dirty)
		bits |= UM_SPTE_W;
	if ((role & UT_ROLE_USER) && (gpte & UT_PTE_U))
		bits |= UM_SPTE_U;
	if (!(role & UT_ROLE_EXEC) || ((role & UT_ROLE_EFER_NX) && (gpte & UT_PTE_NX)))
		bits |= UM_SPTE_NX;
	return bits;
}

/* What the walk allows below an entry, given what it allowed so far. */
uint32_t um_narrowed(uint32_t mode, uint32_t access, uint64_t gpte)
{
	if (!(gpte & UT_PTE_W))
		access &= ~UT_ROLE_WRITE;
	if (!(gpte & UT_PTE_U))
		access &= ~UT_ROLE_USER;
	if ((mode & UT_ROLE_EFER_NX) && (gpte & UT_PTE_NX))
		access &= ~UT_ROLE_EXEC;
	return access;
}

/* Does a link still lead where the guest's entry does? */
static bool link_right(const struct um_mmu *mmu, const struct um_page *page, unsigned int index,
		       uint64_t gpte)
{
	const struct um_page *child = um_child(mmu, page, index);
	unsigned int level = ut_role_level(page->role);
	uint32_t access = um_narrowed(page->role, page->role & UT_ROLE_ACCESS, gpte);
	uint64_t gfn = um_gpte_gfn(page, index, gpte);
	bool large = (gpte & UT_PTE_PS) && level < 4;

	if (!child || !(gpte & UT_PTE_P) || !(gpte & UT_PTE_A) ||
	    large != !!(child->role & UT_ROLE_DIRECT))
		return false;
	if (large && !(gpte & UT_PTE_D))
		access &= ~UT_ROLE_WRITE;
	return child->gfn == gfn && (child->role & UT_ROLE_ACCESS) == access;
}

/* May a sync make a frame writable? Not one that has shadow pages, not even if it is writable elsewhere. */
static bool sync_may_write(const struct um_mmu *mmu, uint64_t gfn)
{
	const struct um_frame *target = um_frame_find(&um_shadow(mmu)->frames, gfn);

	if (um_relapsed(UM_RELAPSE_SELF_MAP) || um_relapsed(UM_RELAPSE_MUTUAL_MAP))
		return !target || !target->n_synced;
	return !target || !target->n_pages;
}

/* What one entry should become; 0: it must go. */
static uint64_t synced_entry(const struct um_mmu *mmu, const struct um_page *page,
			     unsigned int index)
{
	uint64_t spte = page->spt[index], gpte = um_gpte(page, index);
	uint64_t bits;

	if (!(spte & UM_SPTE_LEAF))
		return link_right(mmu, page, index, gpte) ? spte : 0;
	if (!(gpte & UT_PTE_P) || !(gpte & UT_PTE_A) ||
	    um_gpte_gfn(page, index, gpte) != um_spte_gfn(spte))
		return 0;
	if (ut_role_level(page->role) > 1 && !(gpte & UT_PTE_PS))
		return 0;
	bits = um_leaf_bits(page, gpte, gpte & UT_PTE_D);
	bits |= um_allowed(mmu, bits);
	if (mmu->sync_keeps && !((bits ^ spte) & (UM_SPTE_ALLOWED | UM_SPTE_U | UM_SPTE_NX)))
		return spte;
	if ((bits & UM_SPTE_W) && !(spte & UM_SPTE_W) && !mmu->model->no_protect) {
		/* A large page may hold a table that is not its first frame. */
		if (ut_role_level(page->role) > 1 || !sync_may_write(mmu, um_spte_gfn(spte)))
			bits &= ~UM_SPTE_W;
	}
	return bits | (spte & (UM_SPTE_FRAME | UM_SPTE_A | UM_SPTE_PREFETCH)) | UM_SPTE_P |
	       UM_SPTE_LEAF;
}

static bool keep_entry(struct um_mmu *mmu, struct um_page *page, unsigned int index)
{
	mmu->count[UM_entries_kept]++;
	if (mmu->model->entry_filled && (page->spt[index] & UM_SPTE_LEAF))
		mmu->model->entry_filled(mmu, page, index);
	return false;
}

/* The guest frame behind a shadow entry: what it maps, or the table that its child shadows. */
static uint64_t leads_to(const struct um_mmu *mmu, const struct um_page *page, unsigned int index)
{
	const struct um_page *child = um_child(mmu, page, index);

	return child ? child->gfn : um_spte_gfn(page->spt[index]);
}

static bool sync_entry(struct um_mmu *mmu, struct um_page *page, unsigned int index)
{
	uint64_t spte = page->spt[index];
	uint64_t gpte = um_gpte(page, index);
	uint64_t now = synced_entry(mmu, page, index);

	mmu->count[UM_entries_compared]++;
	if (!((now ^ spte) & ~UM_SPTE_ALLOWED)) {
		page->spt[index] = now;
		return keep_entry(mmu, page, index);
	}
	if (now) {
		mmu->count[UM_entries_permission]++;
		if (um_relapsed(UM_RELAPSE_W_TOGGLE))
			page->spt[index] = now;
		else
			um_set_leaf(mmu, page, index, now);
		return true;
	}
	if ((gpte & UT_PTE_P) && um_gpte_gfn(page, index, gpte) != leads_to(mmu, page, index))
		mmu->count[UM_entries_retargeted]++;
	mmu->count[UM_entries_dropped]++;
	um_drop_entry(mmu, page, index);
	return true;
}

bool um_sync_entry(struct um_mmu *mmu, struct um_page *page, unsigned int index)
{
	struct um_shadow *s = um_shadow(mmu);
	bool changed;

	if (!(page->spt[index] & UM_SPTE_P))
		return false;
	s->resync.compared++;
	if (!page->frame->table) {
		mmu->count[UM_entries_compared]++;
		mmu->count[UM_entries_dropped]++;
		s->resync.changed++;
		um_drop_entry(mmu, page, index);
		return true;
	}
	changed = sync_entry(mmu, page, index);
	s->resync.changed += changed;
	return changed;
}

/*
 * Nothing is known of what the guest's table holds now, as the recorded host gave its page up while it
 * was out of sync here: nothing may stay. Whatever the guest uses again faults.
 */
static unsigned int drop_entries(struct um_mmu *mmu, struct um_page *page)
{
	unsigned int n = page->present;

	for (unsigned int i = 0; i < UM_ENTRIES && page->present; i++)
		um_drop_entry(mmu, page, i);
	mmu->count[UM_entries_compared] += n;
	mmu->count[UM_entries_dropped] += n;
	um_shadow(mmu)->resync.changed += n;
	return n;
}

/* @snapshot: NULL, or entries that are as there are not looked into. */
static unsigned int sync_table(struct um_mmu *mmu, struct um_page *page, enum um_sync_kind kind,
			       const uint64_t *snapshot)
{
	struct um_shadow *s = um_shadow(mmu);
	unsigned int changed = 0;

	um_tell(mmu, kind == UM_SYNC_PROTECTED ? UM_GETS_SYNCED : UM_IS_REFRESHED, page);
	if (kind == UM_SYNC_PROTECTED && !um_relapsed(UM_RELAPSE_SELF_MAP))
		mark_sync(mmu, page);
	mmu->count[UM_tables_synced]++;
	s->resync.tables++;
	s->resync.compared += page->present;
	if (!page->frame->table) {
		mmu->count[UM_unknown_tables]++;
		return drop_entries(mmu, page);
	}
	/* Every entry is looked at, as in KVM: no design knows where the present ones end. */
	for (unsigned int i = 0; i < UM_ENTRIES; i++) {
		if (!(page->spt[i] & UM_SPTE_P))
			continue;
		if (snapshot && um_gpte_in(snapshot, page->role, i) == um_gpte(page, i)) {
			mmu->count[UM_entries_compared]++;
			keep_entry(mmu, page, i);
		} else {
			changed += sync_entry(mmu, page, i);
		}
	}
	if (kind == UM_SYNC_PROTECTED && um_relapsed(UM_RELAPSE_SELF_MAP))
		mark_sync(mmu, page);
	s->resync.changed += changed;
	if (!changed)
		mmu->count[UM_tables_in_vain]++;
	return changed;
}

unsigned int um_sync_page(struct um_mmu *mmu, struct um_page *page, enum um_sync_kind kind)
{
	return sync_table(mmu, page, kind, NULL);
}

unsigned int um_sync_changed(struct um_mmu *mmu, struct um_page *page, enum um_sync_kind kind,
			     const uint64_t *snapshot)
{
	return sync_table(mmu, page, kind, snapshot);
}

uint64_t um_gpte_gfn(const struct um_page *page, unsigned int index, uint64_t gpte)
{
	unsigned int level = ut_role_level(page->role);
	uint64_t gfn = (gpte & UT_PTE_FRAME) >> UM_FRAME_SHIFT;

	if (level == 1 || level > 3 || !(gpte & UT_PTE_PS))
		return gfn;
	if (!(page->role & UT_ROLE_4BYTE))
		return gfn & ~(um_level_frames(level) - 1);
	return um_pse_gfn(gpte) + index % 2 * um_level_frames(2);
}

/* An entry of 4 bytes: its shadows are numbered through all quadrants. */
static unsigned int written_narrow(const struct um_page *page, unsigned int offset,
				   unsigned int size, unsigned int *first)
{
	unsigned int each = ut_role_level(page->role) > 1 ? 2 : 1;
	unsigned int from = offset / 4 * each, to = ((offset + size - 1) / 4 + 1) * each;
	unsigned int base =
		((page->role & UT_ROLE_QUADRANT) >> UT_ROLE_QUADRANT_SHIFT) * UM_ENTRIES;

	if (from < base)
		from = base;
	if (to > base + UM_ENTRIES)
		to = base + UM_ENTRIES;
	*first = from % UM_ENTRIES;
	return from < to ? to - from : 0;
}

unsigned int um_written_entries(const struct um_page *page, unsigned int offset, unsigned int size,
				unsigned int *first)
{
	unsigned int last = (offset + size - 1) / 8;

	if (page->role & UT_ROLE_4BYTE)
		return written_narrow(page, offset, size, first);
	*first = offset / 8;
	return (last < UM_ENTRIES ? last + 1 : UM_ENTRIES) - *first;
}

static unsigned int entry_bytes(const struct um_page *page)
{
	return page->role & UT_ROLE_4BYTE ? 4 : 8;
}

static bool write_misaligned(const struct um_page *page, const struct ut_write *w, bool byte_ok)
{
	unsigned int mask = ~(entry_bytes(page) - 1);

	if (byte_ok && w->size == 1 && !(w->offset & ~mask))
		return false;
	return ((w->offset ^ (w->offset + w->size - 1)) & mask) || w->size < 4;
}

static void write_entries(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *page,
			  const struct ut_write *w, bool reinstall)
{
	unsigned int first, n = um_written_entries(page, w->offset, w->size, &first);

	for (unsigned int i = first; i < first + n; i++) {
		bool was = page->spt[i] & UM_SPTE_P;

		um_drop_entry(mmu, page, i);
		if (was) {
			mmu->count[UM_entries_fixed]++;
			mmu->count[UM_flush_remote]++;
		}
		um_shadow(mmu)->resync.compared++;
		um_shadow(mmu)->resync.changed += was;
		if (reinstall && ut_role_level(page->role) == 1 &&
		    um_install_entry(mmu, vcpu, page, i))
			mmu->count[UM_entries_reinstalled]++;
	}
}

struct write {
	struct um_vcpu *vcpu;
	const struct ut_write *w;
	const struct um_write_rule *rule;
};

static void write_page(struct um_mmu *mmu, struct um_page *page, void *ctx)
{
	const struct write *c = ctx;
	const struct um_write_rule *rule = c->rule;
	bool flooded = rule->flooded || (rule->page_flooded && rule->page_flooded(page));

	if ((flooded || write_misaligned(page, c->w, rule->byte_ok)) &&
	    !(rule->must_stay && rule->must_stay(mmu, page)))
		um_zap_page(mmu, page, flooded);
	else
		write_entries(mmu, c->vcpu, page, c->w, rule->reinstall);
}

void um_write_frame(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_frame *frame,
		    const struct ut_write *w, const struct um_write_rule *rule)
{
	struct write c = { .vcpu = vcpu, .w = w, .rule = rule };

	um_for_each_page(mmu, frame, write_page, &c);
}

void um_fix_entry(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *page,
		  unsigned int index)
{
	struct um_shadow *s = um_shadow(mmu);
	uint64_t was = page->spt[index];

	um_drop_entry(mmu, page, index);
	if (was & UM_SPTE_P) {
		mmu->count[UM_entries_fixed]++;
		mmu->count[UM_flush_remote]++;
	}
	if (um_install_entry(mmu, vcpu, page, index))
		mmu->count[UM_entries_reinstalled]++;
	s->resync.compared++;
	s->resync.changed += page->spt[index] != was;
}

void um_resync_begin(struct um_mmu *mmu, enum um_cause cause)
{
	struct um_shadow *s = um_shadow(mmu);

	if (s->resync_depth++)
		return;
	memset(&s->resync, 0, sizeof(s->resync));
	s->resync.cause = cause;
	s->resync.unsync = mmu->unsync_now;
	if (s->clock)
		s->resync_start = s->clock();
}

void um_resync_end(struct um_mmu *mmu)
{
	struct um_shadow *s = um_shadow(mmu);

	if (!s->resync_depth) {
		um_fail(mmu, "um_resync_end() without its um_resync_begin()");
		return;
	}
	if (--s->resync_depth)
		return;
	if (s->clock)
		s->resync.ticks = s->clock() - s->resync_start;
	if (!s->resync.tables && !s->resync.compared)
		return;
	mmu->count[UM_resyncs]++;
	if (s->resync_done)
		s->resync_done(s->resync_ctx, &s->resync);
}
