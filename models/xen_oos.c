// SPDX-License-Identifier: GPL-2.0-only
/*
 * Xen's out-of-sync leaf tables (3.3, 2008, and since): each vCPU may have three guest tables out of sync
 * at a time, in a small hash: a table is found in its slot or in the next. When a table goes, its content
 * is copied to a snapshot, so that a resync looks only into what has changed. A write fault on a leaf
 * table lets it go at once; all other writes to tables are emulated.
 *
 * Any CR3 write resyncs the tables that this vCPU let go, before it switches. Those of other vCPUs are
 * brought up to date but stay out of sync, unless their parent links prove that they hang below another
 * root. So after a CR3 write nothing stale can be reached, whatever was flushed; global translations and
 * PCIDs need no thought. In between, a table that is linked anew, or becomes another kind of table, is
 * resynced, and a new link above the leaf tables resyncs all of them.
 *
 * Source for the behaviour: xen/arch/x86/mm/shadow/{oos,multi,hvm}.c of 2026.
 */
#include "models/builtin.h"

#include <stdlib.h>
#include <string.h>

#define MAX_SLOTS 1024
#define MAX_FIXUPS 8

enum { SYNC_LEAVE, SYNC_ENTER };
enum { FOREIGN_PROVEN, FOREIGN_UPDATE, FOREIGN_RESYNC };

enum own {
	SLOTS_EVICTED,
	FOREIGN_UPDATED,
	FOREIGN_SKIPPED,
	FIXUPS_EVICTED,
	UNSHADOWED_EARLY,
	UNSHADOWED_USER,
	LOOKED_INTO
};

static const struct um_own_counter counters[] = {
	[SLOTS_EVICTED] = { "slots_evicted", "tables resynced because others wanted their slots" },
	[FOREIGN_UPDATED] = { "foreign_updated",
			      "tables of other vCPUs brought up to date by a CR3 write" },
	[FOREIGN_SKIPPED] = { "foreign_skipped",
			      "tables of other vCPUs that were proven to hang elsewhere" },
	[FIXUPS_EVICTED] = { "fixups_evicted",
			     "writable mappings lost to others of the same table" },
	[UNSHADOWED_EARLY] = { "unshadowed_early", "shadow pages dropped as their table dies" },
	[UNSHADOWED_USER] = { "unshadowed_user",
			      "shadow pages dropped because user mode wrote to the table" },
	[LOOKED_INTO] = { "entries_looked_into",
			  "present entries that a resync or update validated again" },
	{ 0 }
};

struct xen {
	unsigned int slots, fixups, sync_on, foreign;
	bool snapshot, early_unshadow, user_unshadow;
};

/* A shadow entry that maps the table of the slot writable. */
struct fixup {
	uint32_t page;
	uint16_t index;
	bool taken;
};

struct slot {
	struct um_frame *frame; /* out of sync; NULL: free */
	unsigned int home;	/* the slot that is its by right: this one, or the one before */
	uint64_t *snapshot;	/* UM_ENTRIES words, allocated at first use */
	bool snapped;		/* it holds the content of this frame */
	bool late;		/* and with it the write that made the table go */
	struct fixup fixups[MAX_FIXUPS];
	unsigned int next_fixup;
};

struct xen_vcpu {
	struct slot *slots;
	uint64_t zeroed; /* table whose emulated write of a zero was the last thing that happened */
	bool has_zeroed;
};

struct xen_frame {
	struct slot *slot; /* NULL: in step */
};

static const struct um_option options[] = {
	{ .name = "slots",
	  .help = "tables that each vCPU may have out of sync; 0: all writes are emulated",
	  .type = UM_OPT_NUMBER,
	  .min = 0,
	  .max = MAX_SLOTS,
	  .def = "3" },
	{ .name = "snapshot",
	  .help = "a copy of the table tells what has changed; no: each present entry is compared",
	  .type = UM_OPT_BOOL,
	  .def = "yes" },
	{ .name = "fixups",
	  .help = "writable mappings that a table out of sync may have; 0: any number",
	  .type = UM_OPT_NUMBER,
	  .min = 0,
	  .max = MAX_FIXUPS,
	  .def = "2" },
	{ .name = "sync_on",
	  .help = "a CR3 write resyncs the vCPU's tables as it leaves the old root (all), or as it "
		  "enters the new one (those not proven to hang elsewhere)",
	  .type = UM_OPT_CHOICE,
	  .choices = "leave|enter",
	  .def = "leave" },
	{ .name = "foreign",
	  .help = "tables of other vCPUs at a CR3 write: brought up to date unless proven to hang "
		  "elsewhere, always, or resynced",
	  .type = UM_OPT_CHOICE,
	  .choices = "proven|update|resync",
	  .def = "proven" },
	{ .name = "early_unshadow",
	  .help = "two emulated writes of zeros in a row to a table drop its shadow",
	  .type = UM_OPT_BOOL,
	  .def = "yes" },
	{ .name = "user_unshadow",
	  .help = "a write from user mode to a table drops its shadow",
	  .type = UM_OPT_BOOL,
	  .def = "yes" },
	{ 0 }
};

static int create(struct um_mmu *mmu)
{
	struct xen *s = mmu->state;

	s->slots = (unsigned int)um_option_number(mmu, "slots");
	s->snapshot = um_option_bool(mmu, "snapshot");
	s->fixups = (unsigned int)um_option_number(mmu, "fixups");
	s->sync_on = um_option_choice(mmu, "sync_on");
	s->foreign = um_option_choice(mmu, "foreign");
	s->early_unshadow = um_option_bool(mmu, "early_unshadow");
	s->user_unshadow = um_option_bool(mmu, "user_unshadow");
	return 0;
}

static void destroy(struct um_mmu *mmu)
{
	const struct xen *s = mmu->state;
	struct um_vcpu *vcpu;

	for (unsigned int n = 0; (vcpu = um_vcpu_at(mmu, n)); n++) {
		struct xen_vcpu *v = vcpu->priv;

		for (unsigned int i = 0; v->slots && i < s->slots; i++)
			free(v->slots[i].snapshot);
		free(v->slots);
	}
}

/* The slots of a vCPU, made at first sight of it. */
static bool has_slots(struct um_mmu *mmu, struct um_vcpu *vcpu)
{
	const struct xen *s = mmu->state;
	struct xen_vcpu *v = vcpu->priv;
	/* The table; for each mapping a page and an offset, and whose turn it is; the snapshot. */
	int64_t each = 8 + 16 * (int64_t)s->fixups + 8 + (s->snapshot ? 8 + 4096 : 0);

	if (v->slots || !s->slots)
		return v->slots;
	v->slots = calloc(s->slots, sizeof(*v->slots));
	if (!v->slots) {
		um_fail(mmu, "out of memory for %u slots of a vCPU", s->slots);
		return false;
	}
	um_bookkeeping(mmu, s->slots * each);
	return true;
}

static struct slot *slot_of(const struct um_frame *frame)
{
	return ((struct xen_frame *)frame->priv)->slot;
}

static void set_slot(struct um_frame *frame, struct slot *slot)
{
	((struct xen_frame *)frame->priv)->slot = slot;
}

/* ---- bringing tables in step ---- */

/* Where the guest's entry behind a shadow entry of a leaf table lies: word, and the bits of it. */
static uint64_t entry_mask(const struct um_page *page, unsigned int index, unsigned int *word)
{
	unsigned int at;

	*word = index;
	if (!(page->role & UT_ROLE_4BYTE))
		return ~0ull;
	at = ((page->role & UT_ROLE_QUADRANT) >> UT_ROLE_QUADRANT_SHIFT) * UM_ENTRIES + index;
	*word = at / 2 % UM_ENTRIES;
	return 0xffffffffull << (at % 2 * 32);
}

/* What was present and had to go is installed again as the guest has it now, if that can be. */
static void reinstall(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *page,
		      const uint64_t *was_present)
{
	for (unsigned int i = 0; i < UM_ENTRIES; i++) {
		if (!(was_present[i / 64] >> (i % 64) & 1) || (page->spt[i] & UM_SPTE_P))
			continue;
		if (um_install_entry(mmu, vcpu, page, i))
			mmu->count[UM_entries_reinstalled]++;
	}
}

struct refresh {
	struct um_vcpu *vcpu;
	const uint64_t *snapshot; /* or NULL */
	enum um_sync_kind kind;
};

static bool unchanged(const struct um_page *page, unsigned int index, const uint64_t *snapshot)
{
	return snapshot && um_gpte_in(snapshot, page->role, index) == um_gpte(page, index);
}

static void refresh_page(struct um_mmu *mmu, struct um_page *page, void *ctx)
{
	const struct refresh *r = ctx;
	uint64_t present[UM_ENTRIES / 64] = { 0 };
	unsigned int changed;

	for (unsigned int i = 0; i < UM_ENTRIES; i++) {
		uint64_t is_present = page->spt[i] & UM_SPTE_P;

		present[i / 64] |= is_present << (i % 64);
		if (is_present && !unchanged(page, i, r->snapshot))
			mmu->own[LOOKED_INTO]++;
	}
	if (r->snapshot)
		changed = um_sync_changed(mmu, page, r->kind, r->snapshot);
	else
		changed = um_sync_page(mmu, page, r->kind);
	if (changed)
		reinstall(mmu, r->vcpu, page, present);
}

static void refresh(struct um_mmu *mmu, struct um_vcpu *vcpu, struct slot *slot,
		    enum um_sync_kind kind)
{
	struct refresh r = { .vcpu = vcpu, .kind = kind };

	if (slot->snapped && slot->frame->table)
		r.snapshot = slot->snapshot;
	um_for_each_page(mmu, slot->frame, refresh_page, &r);
}

static void release(struct slot *slot)
{
	set_slot(slot->frame, NULL);
	slot->frame = NULL;
	slot->snapped = false;
	slot->late = false;
}

/* Xen flushes always: a mapping that was evicted before may still be in a TLB. */
static void resync(struct um_mmu *mmu, struct um_vcpu *vcpu, struct slot *slot)
{
	um_write_protect(mmu, slot->frame);
	mmu->count[UM_flush_remote]++;
	refresh(mmu, vcpu, slot, UM_SYNC_PROTECTED);
	release(slot);
}

/* Do all parent links lead up to one root, and not to this one? */
static bool hangs_elsewhere(const struct um_mmu *mmu, const struct um_frame *frame,
			    const struct um_page *root)
{
	const struct um_page *page = frame->pages;

	if (!root || frame->n_pages != 1)
		return false;
	while (page->role & UT_ROLE_DIRECT)
		page = page->next_of_gfn;
	while (page && ut_role_level(page->role) < ut_role_level(root->role)) {
		if (page->n_parents != 1)
			return false;
		page = um_page_by_id(mmu, page->parents[0].page);
	}
	return page && page != root;
}

static void resync_own(struct um_mmu *mmu, struct um_vcpu *vcpu, bool unless_elsewhere)
{
	const struct xen *s = mmu->state;
	struct xen_vcpu *v = vcpu->priv;

	for (unsigned int i = 0; v->slots && i < s->slots; i++) {
		struct slot *slot = &v->slots[i];

		if (slot->frame &&
		    !(unless_elsewhere && hangs_elsewhere(mmu, slot->frame, vcpu->root)))
			resync(mmu, vcpu, slot);
	}
}

static void update_foreign(struct um_mmu *mmu, struct um_vcpu *vcpu, struct slot *slot)
{
	const struct xen *s = mmu->state;

	if (s->foreign == FOREIGN_RESYNC) {
		resync(mmu, vcpu, slot);
	} else if (s->foreign == FOREIGN_PROVEN && hangs_elsewhere(mmu, slot->frame, vcpu->root)) {
		mmu->own[FOREIGN_SKIPPED]++;
	} else {
		mmu->own[FOREIGN_UPDATED]++;
		refresh(mmu, vcpu, slot, UM_SYNC_TRANSIENT);
	}
}

static void update_others(struct um_mmu *mmu, struct um_vcpu *vcpu)
{
	const struct xen *s = mmu->state;
	struct um_vcpu *other;

	for (unsigned int n = 0; (other = um_vcpu_at(mmu, n)); n++) {
		struct xen_vcpu *v = other->priv;

		for (unsigned int i = 0; other != vcpu && v->slots && i < s->slots; i++) {
			if (v->slots[i].frame)
				update_foreign(mmu, vcpu, &v->slots[i]);
		}
	}
}

static void resync_all(struct um_mmu *mmu, enum um_cause cause)
{
	struct um_vcpu *vcpu;

	if (!mmu->unsync_now)
		return;
	um_resync_begin(mmu, cause);
	for (unsigned int n = 0; (vcpu = um_vcpu_at(mmu, n)); n++)
		resync_own(mmu, vcpu, false);
	um_resync_end(mmu);
}

/* ---- letting a table go ---- */

/* A vCPU whose registers nobody has told of (CR0 is never 0) has not run. */
static bool paging_everywhere(const struct um_mmu *mmu)
{
	const struct um_vcpu *vcpu;

	for (unsigned int n = 0; (vcpu = um_vcpu_at(mmu, n)); n++) {
		if (vcpu->cr0 && !um_root_role(vcpu))
			return false;
	}
	return true;
}

/* Shadowed as a leaf table only, and once. The quadrants of a table of 4-byte entries are one shadow. */
static bool shadowed_once(const struct um_frame *frame)
{
	const struct um_page *first = NULL;

	for (const struct um_page *p = frame->pages; p; p = p->next_of_gfn) {
		if (p->role & UT_ROLE_DIRECT)
			continue;
		if (!first)
			first = p;
		if (ut_role_level(p->role) > 1 || ((p->role ^ first->role) & ~UT_ROLE_QUADRANT))
			return false;
	}
	return first;
}

static void evict(struct um_mmu *mmu, struct um_vcpu *vcpu, struct slot *slot)
{
	if (!slot->frame)
		return;
	mmu->own[SLOTS_EVICTED]++;
	um_resync_begin(mmu, UM_CAUSE_evict);
	resync(mmu, vcpu, slot);
	um_resync_end(mmu);
}

/*
 * The newcomer takes its own slot. Who is there by right moves on to the next slot, whose occupant is
 * resynced; who had moved there itself is resynced.
 */
static struct slot *make_room(struct um_mmu *mmu, struct um_vcpu *vcpu, unsigned int home)
{
	unsigned int n = ((const struct xen *)mmu->state)->slots;
	struct xen_vcpu *v = vcpu->priv;
	struct slot *slot = &v->slots[home], *next = &v->slots[(home + 1) % n];
	struct slot moving;

	if (!slot->frame || slot->home != home || next == slot) {
		evict(mmu, vcpu, slot);
		return slot;
	}
	evict(mmu, vcpu, next);
	moving = *slot;
	*slot = *next;
	*next = moving;
	set_slot(next->frame, next);
	return slot;
}

static bool take_snapshot(struct um_mmu *mmu, struct slot *slot)
{
	const struct xen *s = mmu->state;

	if (!s->snapshot || !slot->frame->table)
		return true;
	if (!slot->snapshot)
		slot->snapshot = malloc(UM_ENTRIES * sizeof(uint64_t));
	if (!slot->snapshot) {
		um_fail(mmu, "out of memory for a snapshot");
		return false;
	}
	memcpy(slot->snapshot, slot->frame->table, UM_ENTRIES * sizeof(uint64_t));
	slot->snapped = true;
	return true;
}

/*
 * Xen takes the number of the host's frame, which no trace knows, and the guest's is another in a trace
 * that was scrubbed: the number of the shadow page scatters as well.
 */
static unsigned int home_of(const struct um_mmu *mmu, const struct um_frame *frame)
{
	const struct um_page *page = frame->pages;

	while (page->role & UT_ROLE_DIRECT)
		page = page->next_of_gfn;
	return page->id % ((const struct xen *)mmu->state)->slots;
}

static bool let_go(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_frame *frame)
{
	unsigned int home;
	struct slot *slot;

	if (!shadowed_once(frame) || !paging_everywhere(mmu) || !has_slots(mmu, vcpu))
		return false;
	/* One of two quadrants that was made while the other was out of sync brought that back. */
	home = home_of(mmu, frame);
	slot = make_room(mmu, vcpu, home);
	slot->home = home;
	memset(slot->fixups, 0, sizeof(slot->fixups));
	slot->next_fixup = 0;
	slot->frame = frame;
	set_slot(frame, slot);
	if (!take_snapshot(mmu, slot))
		return false;
	slot->late = slot->snapped && !(vcpu->fault_error & UT_PF_WRITE);
	for (struct um_page *p = frame->pages; p; p = p->next_of_gfn) {
		if (!(p->role & UT_ROLE_DIRECT))
			um_mark_unsync(mmu, p);
	}
	return true;
}

/*
 * A write known by its net effect only has no fault of its own: when the table went, it had happened. In
 * the snapshot what it wrote must not look like what it was before.
 */
static void table_changed(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_frame *frame,
			  const struct ut_write *w)
{
	struct slot *slot = slot_of(frame);

	(void)mmu;
	(void)vcpu;
	if (!slot || !slot->late)
		return;
	for (unsigned int i = w->offset; i < w->offset + w->size; i++)
		slot->snapshot[i / 8] ^= 0xffull << (i % 8 * 8);
	slot->late = false;
}

static void unshadow_for_user(struct um_mmu *mmu, struct um_page *page, void *unused)
{
	(void)unused;
	mmu->own[UNSHADOWED_USER]++;
	um_zap_page(mmu, page, false);
}

static enum um_verdict want_writable(struct um_mmu *mmu, struct um_vcpu *vcpu,
				     struct um_frame *frame, bool write, bool prefetch)
{
	const struct xen *s = mmu->state;

	(void)prefetch;
	if (!write)
		return UM_EMULATE;
	/* No system lets user mode write its tables: it is none any more. */
	if (s->user_unshadow && (vcpu->fault_error & UT_PF_USER)) {
		um_for_each_page(mmu, frame, unshadow_for_user, NULL);
		return UM_WRITABLE;
	}
	if (let_go(mmu, vcpu, frame))
		return UM_WRITABLE;
	mmu->count[UM_unsyncs_refused]++;
	return UM_EMULATE;
}

/* ---- what happens to tables ---- */

/* A table that is linked anew, or becomes another kind of table. */
static void page_wanted(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_frame *frame,
			uint32_t role, struct um_page *match)
{
	struct slot *slot = slot_of(frame);

	(void)role;
	(void)match;
	if (!slot)
		return;
	um_resync_begin(mmu, UM_CAUSE_link);
	resync(mmu, vcpu, slot);
	um_resync_end(mmu);
}

/* Above the leaf tables: nobody knows what is out of sync below. */
static void page_linked(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *parent,
			unsigned int index, struct um_page *child)
{
	(void)vcpu;
	(void)index;
	if (parent && ut_role_level(child->role) > 1 && !(child->role & UT_ROLE_DIRECT))
		resync_all(mmu, UM_CAUSE_link);
}

static void page_zapping(struct um_mmu *mmu, struct um_page *page)
{
	struct slot *slot;

	(void)mmu;
	if (!page->unsync || page->frame->n_pages > 1)
		return;
	slot = slot_of(page->frame);
	if (slot)
		release(slot);
}

/* The mapping @page, @index of the slot's table is writable: one too many costs another its permission. */
static void fixup_add(struct um_mmu *mmu, struct slot *slot, const struct um_page *page,
		      unsigned int index)
{
	const struct xen *s = mmu->state;
	struct fixup *f = slot->fixups;
	struct um_page *older;

	for (unsigned int i = 0; i < s->fixups; i++) {
		if (f[i].taken && f[i].page == page->id && f[i].index == index)
			return;
	}
	f = &slot->fixups[slot->next_fixup];
	older = f->taken ? um_page_by_id(mmu, f->page) : NULL;
	if (older && (older->spt[f->index] & UM_SPTE_FRAME) >> 12 == slot->frame->gfn &&
	    um_protect_entry(mmu, older, f->index))
		mmu->own[FIXUPS_EVICTED]++;
	*f = (struct fixup){ .page = page->id, .index = (uint16_t)index, .taken = true };
	slot->next_fixup = (slot->next_fixup + 1) % s->fixups;
}

/* An entry is as the guest's now: in the snapshot, too. Or it maps a table that is out of sync. */
static void entry_filled(struct um_mmu *mmu, struct um_page *page, unsigned int index)
{
	const struct xen *s = mmu->state;
	const struct um_frame *target;
	struct slot *slot;
	unsigned int word;

	if (!mmu->unsync_now || ut_role_level(page->role) > 1)
		return;
	slot = page->unsync ? slot_of(page->frame) : NULL;
	if (slot && slot->snapped && page->frame->table) {
		uint64_t mask = entry_mask(page, index, &word);

		slot->snapshot[word] =
			(slot->snapshot[word] & ~mask) | (page->frame->table[word] & mask);
	}
	if (!(page->spt[index] & UM_SPTE_W) || !s->fixups)
		return;
	target = um_mmu_frame(mmu, (page->spt[index] & UM_SPTE_FRAME) >> 12);
	if (target && slot_of(target))
		fixup_add(mmu, slot_of(target), page, index);
}

/* ---- emulated writes ---- */

/* Only what can be unlinked without a search, and is no vCPU's root. */
static void unshadow_early(struct um_mmu *mmu, struct um_page *page, void *unused)
{
	(void)unused;
	if (page->n_parents > 1 || page->root_count)
		return;
	mmu->own[UNSHADOWED_EARLY]++;
	um_zap_page(mmu, page, false);
}

/* Zeros, twice in a row to one table: probably a process that dies. */
static void look_for_death(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_frame *frame,
			   const struct ut_write *w)
{
	const struct um_page *page = frame->pages;
	struct xen_vcpu *v = vcpu->priv;

	if (w->size < 4 || (uint32_t)w->val) {
		v->has_zeroed = false;
		return;
	}
	while (page && (page->role & UT_ROLE_DIRECT))
		page = page->next_of_gfn;
	if (w->offset % (page && (page->role & UT_ROLE_4BYTE) ? 4 : 8))
		return;
	if (v->has_zeroed && v->zeroed == frame->gfn)
		um_for_each_page(mmu, frame, unshadow_early, NULL);
	v->zeroed = frame->gfn;
	v->has_zeroed = true;
}

static void table_written(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_frame *frame,
			  const struct ut_write *w)
{
	static const struct um_write_rule rule = { .byte_ok = true, .reinstall = true };
	const struct xen *s = mmu->state;

	if (s->early_unshadow)
		look_for_death(mmu, vcpu, frame, w);
	um_write_frame(mmu, vcpu, frame, w, &rule);
}

static void fault_done(struct um_mmu *mmu, struct um_vcpu *vcpu)
{
	(void)mmu;
	((struct xen_vcpu *)vcpu->priv)->has_zeroed = false;
}

/* ---- registers and invalidations ---- */

/* All that may be reached from the root is as the guest has it after this. */
static void flush(struct um_mmu *mmu, struct um_vcpu *vcpu, bool load, enum um_cause cause)
{
	const struct xen *s = mmu->state;

	has_slots(mmu, vcpu);
	um_resync_begin(mmu, cause);
	if (s->sync_on == SYNC_LEAVE)
		resync_own(mmu, vcpu, false);
	if (load)
		um_load_root(mmu, vcpu);
	if (s->sync_on == SYNC_ENTER)
		resync_own(mmu, vcpu, true);
	update_others(mmu, vcpu);
	um_resync_end(mmu);
	mmu->count[UM_flush_local]++;
}

static void cr3_written(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t old, uint64_t value)
{
	bool same = vcpu->root && um_root_gfn(vcpu, old) == um_root_gfn(vcpu, vcpu->cr3);

	(void)value;
	flush(mmu, vcpu, !same, UM_CAUSE_cr3);
}

static void cr0_written(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t old)
{
	flush(mmu, vcpu, um_context_changed(vcpu, old, vcpu->cr4), UM_CAUSE_cr0);
}

static void cr4_written(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t old)
{
	flush(mmu, vcpu, um_context_changed(vcpu, vcpu->cr0, old), UM_CAUSE_cr4);
}

/* The entry goes; the table stays out of sync. */
static void invlpg(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t gva)
{
	unsigned int index;
	struct um_page *page = um_leaf_of(mmu, vcpu->root, gva, &index);

	mmu->count[UM_flush_local]++;
	if (!page || !page->unsync || !(page->spt[index] & UM_SPTE_P))
		return;
	um_drop_entry(mmu, page, index);
	mmu->count[UM_entries_fixed]++;
}

/* What is flushed of other address spaces needs nothing: to enter one brings it up to date. */
static void invpcid(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_invpcid *inv)
{
	uint64_t pcid = vcpu->cr4 & UT_CR4_PCIDE ? vcpu->cr3 & UT_CR3_PCID : 0;

	if (inv->type < 2 && inv->pcid != pcid)
		mmu->count[UM_flush_local]++;
	else if (inv->type == 0)
		invlpg(mmu, vcpu, inv->gva);
	else
		flush(mmu, vcpu, false, UM_CAUSE_flush);
}

static void pv_flush(struct um_mmu *mmu, struct um_vcpu *vcpu)
{
	flush(mmu, vcpu, false, UM_CAUSE_flush);
}

UM_MODEL(xen_oos) = {
	UM_MODEL_HEAD,
	.name = "xen-oos",
	.summary = "each vCPU has a few leaf tables out of sync, with snapshots (Xen since 3.3)",
	.options = options,
	.counters = counters,
	.state_bytes = sizeof(struct xen),
	.vcpu_bytes = sizeof(struct xen_vcpu),
	.frame_bytes = sizeof(struct xen_frame),
	.create = create,
	.destroy = destroy,
	.page_wanted = page_wanted,
	.page_linked = page_linked,
	.page_zapping = page_zapping,
	.entry_filled = entry_filled,
	.want_writable = want_writable,
	.table_written = table_written,
	.table_changed = table_changed,
	.fault_done = fault_done,
	.cr3_written = cr3_written,
	.cr0_written = cr0_written,
	.cr4_written = cr4_written,
	.invlpg = invlpg,
	.invpcid = invpcid,
	.pv_flush = pv_flush,
};
