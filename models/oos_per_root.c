// SPDX-License-Identifier: GPL-2.0-only
/*
 * Out of sync per root (the series reviewed in September 2008). A leaf table may go out of sync if it
 * belongs to a single root and its frame has a single role, or if it is global. Those of a root hang
 * off the root in a list, and are brought in step when its CR3 is written: no tree is walked. Global
 * ones sit in a small array of the VM and are left alone by CR3 writes; CR0 and CR4 writes sync them
 * too. A table that becomes reachable from a second root is synced, with everything below it, and
 * never goes out of sync again.
 *
 * Of this design only the review is known. What it does not say is decided here as docs/models.md
 * tells: which root is synced on a switch (option sync), how a victim is chosen (a FIFO cursor), that
 * a page is global from birth while CR4.PGE is set until a non-global entry is installed in it (as
 * commit 6cffe8ca4a2 has it), that writes which are emulated meet the flood detector of 2007, and that the members of a root that goes are zapped with it.
 */
#include "models/builtin.h"
#include "models/flood.h"

#include <stdlib.h>

#define MAX_GLOBALS 4096

enum { ROOT_NONE, ROOT_ONE, ROOT_MULTI };
enum { AT_NOWHERE, AT_ROOT, AT_GLOBALS };
enum { SYNC_ENTERED, SYNC_LEFT, SYNC_BOTH };

struct oos {
	unsigned int sync;
	unsigned int n_globals; /* slots */
	unsigned int cursor;	/* slot of the next victim */
	struct um_page **globals;
};

struct oos_page {
	uint64_t root_gfn; /* the root that it belongs to, if ROOT_ONE */
	uint32_t root_role;
	uint8_t roots; /* ROOT_* */
	uint8_t at;    /* AT_*: where it is remembered while out of sync */
	bool global;
	unsigned int slot;	     /* AT_GLOBALS */
	struct um_page *owner;	     /* AT_ROOT: the root whose list it is on */
	struct um_page *prev, *next; /* AT_ROOT: neighbours on the list */
	struct um_page *head;	     /* of a root: first of its list */
};

static const struct um_option options[] = {
	{ .name = "globals",
	  .help = "slots for global tables out of sync; 0: none go",
	  .type = UM_OPT_NUMBER,
	  .min = 0,
	  .max = MAX_GLOBALS,
	  .def = "7" },
	{ .name = "sync",
	  .help = "whose tables a CR3 write brings in step: of the root entered, left (and of the "
		  "one "
		  "entered if another vCPU runs on it), or both",
	  .type = UM_OPT_CHOICE,
	  .choices = "entered|left|both",
	  .def = "entered" },
	{ 0 }
};

static struct oos_page *oos_page(const struct um_page *page)
{
	return page->priv;
}

static int create(struct um_mmu *mmu)
{
	struct oos *s = mmu->state;

	s->sync = um_option_choice(mmu, "sync");
	s->n_globals = (unsigned int)um_option_number(mmu, "globals");
	if (!s->n_globals)
		return 0;
	s->globals = calloc(s->n_globals, sizeof(struct um_page *));
	if (!s->globals)
		return um_fail(mmu, "out of memory for %u global slots", s->n_globals);
	um_bookkeeping(mmu, (int64_t)(s->n_globals * sizeof(struct um_page *)));
	return 0;
}

static void destroy(struct um_mmu *mmu)
{
	free(((struct oos *)mmu->state)->globals);
}

static uint32_t page_cost(const struct um_mmu *mmu, const struct um_page *page)
{
	(void)mmu;
	/* Two list heads, root_gfn, flags. */
	return page->role & UT_ROLE_DIRECT ? 0 : 48;
}

/* ---- where tables out of sync are remembered ---- */

static void list_add(struct um_page *root, struct um_page *page)
{
	struct oos_page *r = oos_page(root), *p = oos_page(page);

	p->at = AT_ROOT;
	p->owner = root;
	p->prev = NULL;
	p->next = r->head;
	if (r->head)
		oos_page(r->head)->prev = page;
	r->head = page;
}

static void forget(struct oos *s, struct um_page *page)
{
	struct oos_page *p = oos_page(page);

	if (p->at == AT_GLOBALS) {
		s->globals[p->slot] = NULL;
	} else if (p->at == AT_ROOT) {
		if (p->prev)
			oos_page(p->prev)->next = p->next;
		else
			oos_page(p->owner)->head = p->next;
		if (p->next)
			oos_page(p->next)->prev = p->prev;
	}
	p->at = AT_NOWHERE;
}

static void sync_one(struct um_mmu *mmu, struct um_page *page)
{
	forget(mmu->state, page);
	if (um_write_protect(mmu, page->frame))
		mmu->count[UM_flush_remote]++;
	if (um_sync_page(mmu, page, UM_SYNC_PROTECTED))
		mmu->count[UM_flush_local]++;
}

static void sync_list(struct um_mmu *mmu, struct um_page *root)
{
	if (!root)
		return;
	while (oos_page(root)->head)
		sync_one(mmu, oos_page(root)->head);
}

static void sync_globals(struct um_mmu *mmu)
{
	struct oos *s = mmu->state;

	for (unsigned int i = 0; i < s->n_globals; i++) {
		if (s->globals[i])
			sync_one(mmu, s->globals[i]);
	}
}

static void add_global(struct um_mmu *mmu, struct um_page *page)
{
	struct oos *s = mmu->state;
	struct oos_page *p = oos_page(page);
	unsigned int slot = s->cursor;

	s->cursor = (s->cursor + 1) % s->n_globals;
	if (s->globals[slot]) {
		um_resync_begin(mmu, UM_CAUSE_evict);
		sync_one(mmu, s->globals[slot]);
		um_resync_end(mmu);
	}
	s->globals[slot] = page;
	p->slot = slot;
	p->at = AT_GLOBALS;
}

/* ---- to whom a page belongs ---- */

/* Reachable from several roots from now on, and so is all below: in step for good. */
static void share(struct um_mmu *mmu, struct um_page *page)
{
	struct oos_page *p = oos_page(page);

	if (p->roots == ROOT_MULTI)
		return;
	p->roots = ROOT_MULTI;
	if (page->unsync && p->at == AT_ROOT)
		sync_one(mmu, page);
	if (ut_role_level(page->role) == 1)
		return;
	mmu->count[UM_nodes_visited]++;
	for (unsigned int i = 0; i < UM_ENTRIES; i++) {
		struct um_page *child = um_child(mmu, page, i);

		if (child && !(child->role & UT_ROLE_DIRECT))
			share(mmu, child);
	}
}

static void page_linked(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *parent,
			unsigned int index, struct um_page *child)
{
	struct oos_page *c = oos_page(child);
	struct oos_page *from = oos_page(parent ? parent : child);

	(void)vcpu;
	(void)index;
	if (parent && (child->role & UT_ROLE_DIRECT))
		return;
	if (!parent) {
		if (c->roots == ROOT_NONE) {
			c->roots = ROOT_ONE;
			c->root_gfn = child->gfn;
			c->root_role = child->role;
		}
		return;
	}
	if (c->roots == ROOT_NONE) {
		c->roots = from->roots;
		c->root_gfn = from->root_gfn;
		c->root_role = from->root_role;
		return;
	}
	if (c->roots == ROOT_ONE && from->roots == ROOT_ONE && c->root_gfn == from->root_gfn &&
	    c->root_role == from->root_role)
		return;
	um_resync_begin(mmu, UM_CAUSE_link);
	share(mmu, child);
	um_resync_end(mmu);
}

static void page_created(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *page)
{
	(void)mmu;
	oos_page(page)->global = ut_role_level(page->role) == 1 && (vcpu->cr4 & UT_CR4_PGE);
}

static void sync_if_unsync(struct um_mmu *mmu, struct um_page *page, void *unused)
{
	(void)unused;
	if (page->unsync)
		sync_one(mmu, page);
}

/*
 * A table is about to be linked where nothing was. What is out of sync of its frame comes back: a second
 * role would allow no page of it to be out of sync, and an address that the TLB cannot hold must not see
 * old entries (mainline learnt that in 65855ed8b034). Of a table above the leaves it is all that hangs
 * off the root, as nothing tells which of it lies below.
 */
static void page_wanted(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_frame *frame,
			uint32_t role, struct um_page *match)
{
	um_resync_begin(mmu, UM_CAUSE_link);
	um_for_each_page(mmu, frame, sync_if_unsync, NULL);
	if (match && ut_role_level(role) > 1 && role != um_root_role(vcpu))
		sync_list(mmu, vcpu->root);
	um_resync_end(mmu);
}

static void page_zapping(struct um_mmu *mmu, struct um_page *page)
{
	struct oos_page *p = oos_page(page);

	forget(mmu->state, page);
	while (p->head)
		um_zap_page(mmu, p->head, false);
}

/*
 * A non-global entry in a page that was global: the page is no longer. If it is out of sync, it joins
 * its root's list; if it has no single root, it is synced.
 */
static void entry_filled(struct um_mmu *mmu, struct um_page *page, unsigned int index)
{
	struct oos_page *p = oos_page(page);
	struct um_page *root = NULL;

	if (!p->global || !page->frame->table || (page->frame->table[index] & UT_PTE_G))
		return;
	p->global = false;
	if (p->at != AT_GLOBALS)
		return;
	if (p->roots == ROOT_ONE)
		root = um_find_page(mmu, p->root_gfn, p->root_role);
	if (root) {
		forget(mmu->state, page);
		list_add(root, page);
		return;
	}
	um_resync_begin(mmu, UM_CAUSE_evict);
	sync_one(mmu, page);
	um_resync_end(mmu);
}

/* ---- may it go? ---- */

static struct um_page *single_page(const struct um_frame *frame)
{
	struct um_page *page = frame->pages;

	if (frame->n_pages != 1)
		return NULL;
	while (page->role & UT_ROLE_DIRECT)
		page = page->next_of_gfn;
	return ut_role_level(page->role) == 1 ? page : NULL;
}

static enum um_verdict want_writable(struct um_mmu *mmu, struct um_vcpu *vcpu,
				     struct um_frame *frame, bool write, bool prefetch)
{
	struct oos *s = mmu->state;
	struct um_page *page = single_page(frame);
	struct um_page *root = NULL;
	bool global;

	(void)write;
	if (prefetch)
		return UM_EMULATE;
	if (!page)
		goto refuse;
	global = oos_page(page)->global && s->n_globals && (vcpu->cr4 & UT_CR4_PGE);
	if (!global) {
		const struct oos_page *p = oos_page(page);

		if (p->roots != ROOT_ONE || !vcpu->root || vcpu->root->gfn != p->root_gfn)
			goto refuse;
		root = um_find_page(mmu, p->root_gfn, p->root_role);
		if (!root)
			goto refuse;
	}
	um_mark_unsync(mmu, page);
	if (global)
		add_global(mmu, page);
	else
		list_add(root, page);
	return UM_WRITABLE;
refuse:
	mmu->count[UM_unsyncs_refused]++;
	return UM_EMULATE;
}

static void table_written(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_frame *frame,
			  const struct ut_write *w)
{
	struct um_write_rule rule = { .reinstall = true };

	rule.flooded = um_flood_written(mmu, vcpu->priv, frame->gfn);
	um_write_frame(mmu, vcpu, frame, w, &rule);
	um_flood_installed(vcpu->priv, frame, w);
}

static void fault_done(struct um_mmu *mmu, struct um_vcpu *vcpu)
{
	(void)mmu;
	um_flood_reset(vcpu->priv);
}

/* ---- registers ---- */

/* Another vCPU may have let tables of this root go since it was left. */
static bool runs_elsewhere(const struct um_mmu *mmu, const struct um_vcpu *vcpu)
{
	const struct um_vcpu *other;

	for (unsigned int i = 0; (other = um_vcpu_at(mmu, i)); i++) {
		if (other != vcpu && other->root == vcpu->root)
			return true;
	}
	return false;
}

static void cr3_written(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t old, uint64_t value)
{
	const struct oos *s = mmu->state;
	bool same = vcpu->root && um_root_gfn(vcpu, old) == um_root_gfn(vcpu, vcpu->cr3);
	bool flush = !((vcpu->cr4 & UT_CR4_PCIDE) && (value & UT_CR3_NOFLUSH));

	um_resync_begin(mmu, UM_CAUSE_cr3);
	if (flush && !(vcpu->cr4 & UT_CR4_PGE))
		sync_globals(mmu);
	if (!same && s->sync != SYNC_ENTERED)
		sync_list(mmu, vcpu->root);
	if (!same)
		um_load_root(mmu, vcpu);
	if (flush && (same || s->sync != SYNC_LEFT || runs_elsewhere(mmu, vcpu)))
		sync_list(mmu, vcpu->root);
	um_resync_end(mmu);
	mmu->count[UM_flush_local]++;
}

static void reset_context(struct um_mmu *mmu, struct um_vcpu *vcpu, bool role_changed,
			  enum um_cause cause)
{
	um_resync_begin(mmu, cause);
	sync_globals(mmu);
	sync_list(mmu, vcpu->root);
	if (role_changed) {
		um_load_root(mmu, vcpu);
		sync_list(mmu, vcpu->root);
	}
	um_resync_end(mmu);
	mmu->count[UM_flush_local]++;
}

static void cr0_written(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t old)
{
	reset_context(mmu, vcpu, um_context_changed(vcpu, old, vcpu->cr4), UM_CAUSE_cr0);
}

static void cr4_written(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t old)
{
	reset_context(mmu, vcpu, um_context_changed(vcpu, vcpu->cr0, old), UM_CAUSE_cr4);
}

/* ---- invalidations ---- */

/*
 * The entry that the current root leads to; and, as INVLPG removes global translations of every address
 * space, the entry at that position in each global table out of sync, which this root may not lead to.
 */
static void fix_address(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t gva)
{
	const struct oos *s = mmu->state;
	unsigned int index;
	struct um_page *page = um_leaf_of(mmu, vcpu->root, gva, &index);

	if (page && page->unsync)
		um_fix_entry(mmu, vcpu, page, index);
	index = um_index(gva, 1);
	for (unsigned int i = 0; i < s->n_globals; i++) {
		if (s->globals[i] && s->globals[i] != page)
			um_fix_entry(mmu, vcpu, s->globals[i], index);
	}
}

static void invlpg(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t gva)
{
	um_resync_begin(mmu, UM_CAUSE_invlpg);
	fix_address(mmu, vcpu, gva);
	um_resync_end(mmu);
	mmu->count[UM_flush_local]++;
}

static void flush_all(struct um_mmu *mmu, struct um_vcpu *vcpu, bool globals)
{
	um_resync_begin(mmu, UM_CAUSE_flush);
	if (globals)
		sync_globals(mmu);
	sync_list(mmu, vcpu->root);
	um_resync_end(mmu);
	mmu->count[UM_flush_local]++;
}

static void invpcid(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_invpcid *inv)
{
	bool current = (vcpu->cr3 & UT_CR3_PCID) == inv->pcid;

	if (inv->type >= 2)
		flush_all(mmu, vcpu, inv->type == 2);
	else if (inv->type == 1 && current)
		flush_all(mmu, vcpu, false);
	else if (inv->type == 0 && current)
		invlpg(mmu, vcpu, inv->gva);
	else
		mmu->count[UM_flush_local]++;
}

static void pv_flush(struct um_mmu *mmu, struct um_vcpu *vcpu)
{
	flush_all(mmu, vcpu, true);
}

const struct um_model um_oos_per_root = {
	.magic = UM_MAGIC,
	.abi = UM_ABI,
	.size = sizeof(struct um_model),
	.name = "oos-per-root",
	.summary =
		"leaf tables of one root may go out of sync, listed at their root (2008 proposal)",
	.options = options,
	.state_bytes = sizeof(struct oos),
	.page_bytes = sizeof(struct oos_page),
	.vcpu_bytes = sizeof(struct um_flood),
	.create = create,
	.destroy = destroy,
	.page_cost = page_cost,
	.page_created = page_created,
	.page_zapping = page_zapping,
	.page_wanted = page_wanted,
	.page_linked = page_linked,
	.entry_filled = entry_filled,
	.want_writable = want_writable,
	.table_written = table_written,
	.fault_done = fault_done,
	.cr3_written = cr3_written,
	.cr0_written = cr0_written,
	.cr4_written = cr4_written,
	.invlpg = invlpg,
	.invpcid = invpcid,
	.pv_flush = pv_flush,
};
