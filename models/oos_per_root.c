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
 * tells, and mostly an option.
 *
 * Why a CR3 write may leave a global table alone. What it holds that is stale was right when it was
 * filled, and a vCPU that could reach it then may go on using it until it flushes global translations.
 * Could it? If its root's shadow has a link at the top-level entry that leads there: processors cache
 * nothing by way of an entry that is not accessed, and links are made when one becomes that. So what must
 * be kept out is a vCPU that comes to see the table later, and these rules do that:
 *
 *  1. A global table is found below one and the same entry of all top-level tables that lead to it ("top"),
 *     or else it does not go.
 *  2. A vCPU that changes roots has the table synced, unless that entry is the same in both, and in the old
 *     root is linked, or nothing has been filled into the table since the vCPU entered it.
 *  3. Linking a table that exists already syncs those below; but at a top-level entry where it is known to
 *     be, only those filled since some vCPU on that root entered it.
 *  4. A write to a top-level table that makes an entry present syncs those below.
 *
 * Tables above the leaves (option levels). A stale link leads where it led at some time since the last
 * flush, like a paging-structure cache, but what is below may not change under it, or the two halves of
 * a translation would be of different ages: whatever changes a table first cuts stale links above.
 */
#include "models/builtin.h"
#include "models/flood.h"
#include "models/oos_globals.h"

#define MAX_GLOBALS 4096
#define CONTEXTS 16 /* at most 12 in use by Linux: 6 PCIDs, a kernel and a user root for each */
#define TOP_NONE 0u
#define TOP_ROOT 0xfffeu /* is a top-level table itself */
#define TOP_MANY 0xffffu
/* What of a top-level entry decides where it leads and what it permits. */
#define LINK_BITS (UT_PTE_P | UT_PTE_W | UT_PTE_U | UT_PTE_NX | UT_PTE_FRAME)

enum { ROOT_NONE, ROOT_ONE, ROOT_MULTI };
enum { AT_NOWHERE, AT_ROOT, AT_GLOBALS };
enum { SYNC_ENTERED, SYNC_LEFT, SYNC_BOTH };
enum { GLOBAL_STICKY, GLOBAL_COUNT };
enum { SHARE_TREE, SHARE_LAZY };
enum { GONE_ZAP, GONE_SYNC };

enum own { SHARED, GLOBALS_LOST, GLOBALS_LOST_UNSYNC, GLOBALS_EVICTED, GLOBALS_EXPOSED, UPPERS };

static const struct um_own_counter counters[] = {
	[SHARED] = { "tables_shared", "tables that became reachable from a second root" },
	[GLOBALS_LOST] = { "globals_lost", "global tables that got an entry which is not" },
	[GLOBALS_LOST_UNSYNC] = { "globals_lost_unsync", "of these, while out of sync" },
	[GLOBALS_EVICTED] = { "globals_evicted",
			      "global tables synced because others wanted their slots" },
	[GLOBALS_EXPOSED] = { "globals_exposed",
			      "global tables synced because a vCPU came to see them" },
	[UPPERS] = { "unsyncs_upper", "tables above the leaves gone out of sync" },
	{ 0 }
};

struct oos {
	unsigned int sync, global, share, root_gone, levels;
	bool reads;
	struct um_globals globals;
	unsigned int uppers_out; /* tables above the leaves that are out of sync */
	uint64_t clock;		 /* ticks at each fill of a global table and each entry to a root */
};

struct oos_page {
	uint64_t root_gfn; /* the root that it belongs to, if ROOT_ONE */
	uint32_t root_role;
	uint8_t roots;	       /* ROOT_* */
	uint8_t at;	       /* AT_*: where it is remembered while out of sync */
	bool global;	       /* GLOBAL_STICKY */
	uint16_t top;	       /* TOP_*, or 1 + the entry of the top-level tables that leads here */
	uint64_t filled;       /* AT_GLOBALS: when an entry was installed last */
	unsigned int slot;     /* AT_GLOBALS */
	struct um_page *owner; /* AT_ROOT: the root whose list it is on */
	struct um_page *prev, *next; /* AT_ROOT: neighbours on the list */
	struct um_page *head;	     /* of a root: first of its list */
};

/* A root that the vCPU may return to without a flush: nothing of this PCID was flushed since. */
struct context {
	struct um_page *root;
	uint16_t pcid;
};

struct oos_vcpu {
	struct um_flood flood;
	struct um_page *from; /* the root entered last; NULL: not known any more */
	uint64_t entered;     /* when */
	struct context contexts[CONTEXTS];
	unsigned int next_context;
};

static const struct um_option options[] = {
	{ .name = "globals",
	  .help = "slots for global tables out of sync; 0: none go",
	  .type = UM_OPT_NUMBER,
	  .min = 0,
	  .max = MAX_GLOBALS,
	  .def = "7" },
	{ .name = "globals_list",
	  .help = "a list without a bound in place of the slots (2.6.29)",
	  .type = UM_OPT_BOOL,
	  .def = "no" },
	{ .name = "replace",
	  .help = "whom a newcomer to full slots evicts: in turn, the least recently used, in turn "
		  "but those used meanwhile, any",
	  .type = UM_OPT_CHOICE,
	  .choices = "fifo|lru|second-chance|random",
	  .def = "fifo" },
	{ .name = "seed",
	  .help = "of replace=random",
	  .type = UM_OPT_NUMBER,
	  .min = 0,
	  .max = UINT32_MAX,
	  .def = "1" },
	{ .name = "global",
	  .help = "a table is global until it gets an entry that is not (sticky), or whenever all "
		  "its present entries are (count)",
	  .type = UM_OPT_CHOICE,
	  .choices = "sticky|count",
	  .def = "sticky" },
	{ .name = "sync",
	  .help = "whose tables a CR3 write brings in step: of the root entered, left (and of the "
		  "one entered if another vCPU runs on it), or both",
	  .type = UM_OPT_CHOICE,
	  .choices = "entered|left|both",
	  .def = "entered" },
	{ .name = "share",
	  .help = "an upper table that gets a second root: all below it is synced at once (tree), "
		  "or "
		  "unlinked, and synced when it is linked again (lazy)",
	  .type = UM_OPT_CHOICE,
	  .choices = "tree|lazy",
	  .def = "tree" },
	{ .name = "root_gone",
	  .help = "tables on the list of a root that is zapped: zapped with it, or synced",
	  .type = UM_OPT_CHOICE,
	  .choices = "zap|sync",
	  .def = "zap" },
	{ .name = "levels",
	  .help = "tables up to this level may go out of sync; 1: leaf tables only, 4 and 5: "
		  "roots, "
		  "too",
	  .type = UM_OPT_NUMBER,
	  .min = 1,
	  .max = UT_MAX_LEVELS,
	  .def = "1" },
	{ .name = "reads",
	  .help = "a read fault on a writable page lets its table go out of sync, too",
	  .type = UM_OPT_BOOL,
	  .def = "yes" },
	{ 0 }
};

static struct oos_page *oos_page(const struct um_page *page)
{
	return page->priv;
}

static unsigned int level_of(const struct um_page *page)
{
	return ut_role_level(page->role);
}

static int create(struct um_mmu *mmu)
{
	struct oos *s = mmu->state;
	unsigned int slots = (unsigned int)um_option_number(mmu, "globals");
	bool list = um_option_bool(mmu, "globals_list");
	unsigned int replace = um_option_choice(mmu, "replace");

	s->sync = um_option_choice(mmu, "sync");
	s->global = um_option_choice(mmu, "global");
	s->share = um_option_choice(mmu, "share");
	s->root_gone = um_option_choice(mmu, "root_gone");
	s->levels = (unsigned int)um_option_number(mmu, "levels");
	s->reads = um_option_bool(mmu, "reads");
	if (um_globals_init(&s->globals, slots, list, replace, um_option_number(mmu, "seed")))
		return um_fail(mmu, "out of memory for %u global slots", slots);
	/* A pointer each, and a time or a bit; or the head of a list. */
	if (list)
		um_bookkeeping(mmu, 16);
	else
		um_bookkeeping(mmu, slots * (replace == UM_REPLACE_LRU		   ? 16
					     : replace == UM_REPLACE_SECOND_CHANCE ? 9
										   : 8));
	return 0;
}

static void destroy(struct um_mmu *mmu)
{
	um_globals_free(&((struct oos *)mmu->state)->globals);
}

static uint32_t page_cost(const struct um_mmu *mmu, const struct um_page *page)
{
	const struct oos *s = mmu->state;

	if (page->role & UT_ROLE_DIRECT)
		return 0;
	/* Two list heads, root_gfn, flags; two counts. */
	return s->global == GLOBAL_COUNT ? 52 : 48;
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

static void forget_global(struct oos *s, unsigned int slot)
{
	struct um_page *moved = um_globals_take(&s->globals, slot);

	if (moved)
		oos_page(moved)->slot = slot;
}

static void forget(struct oos *s, struct um_page *page)
{
	struct oos_page *p = oos_page(page);

	if (p->at == AT_GLOBALS) {
		forget_global(s, p->slot);
	} else if (p->at == AT_ROOT) {
		if (p->prev)
			oos_page(p->prev)->next = p->next;
		else
			oos_page(p->owner)->head = p->next;
		if (p->next)
			oos_page(p->next)->prev = p->prev;
		s->uppers_out -= level_of(page) > 1;
	}
	p->at = AT_NOWHERE;
}

static void sync_globals(struct um_mmu *mmu);

static void sync_one(struct um_mmu *mmu, struct um_page *page)
{
	/* Nobody saw what became present in it. */
	if (oos_page(page)->top == TOP_ROOT)
		sync_globals(mmu);
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

/* From the last slot to the first: whoever moves into a slot has been there before. */
static void sync_globals(struct um_mmu *mmu)
{
	const struct um_globals *g = &((struct oos *)mmu->state)->globals;

	for (unsigned int i = g->n_slots; i-- > 0 && g->n_pages;) {
		if (g->slots[i].page)
			sync_one(mmu, g->slots[i].page);
	}
}

/*
 * A vCPU may be about to see what is below this entry of the top-level tables, and does not know what was
 * filled after @since.
 */
static void expose(struct um_mmu *mmu, unsigned int top, uint64_t since)
{
	const struct um_globals *g = &((struct oos *)mmu->state)->globals;

	for (unsigned int i = g->n_slots; i-- > 0 && g->n_pages;) {
		struct um_page *page = g->slots[i].page;

		if (!page || oos_page(page)->top != top || oos_page(page)->filled <= since)
			continue;
		mmu->own[GLOBALS_EXPOSED]++;
		sync_one(mmu, page);
	}
}

static bool add_global(struct um_mmu *mmu, struct um_page *page)
{
	struct oos *s = mmu->state;
	int slot = um_globals_place(&s->globals);

	if (slot < 0) {
		um_fail(mmu, "out of memory for %u global tables", s->globals.n_pages);
		return false;
	}
	if (s->globals.slots[slot].page) {
		mmu->own[GLOBALS_EVICTED]++;
		um_resync_begin(mmu, UM_CAUSE_evict);
		sync_one(mmu, s->globals.slots[slot].page);
		um_resync_end(mmu);
	}
	um_globals_put(&s->globals, (unsigned int)slot, page);
	oos_page(page)->slot = (unsigned int)slot;
	oos_page(page)->at = AT_GLOBALS;
	oos_page(page)->filled = ++s->clock;
	return true;
}

static void page_used(struct um_mmu *mmu, struct um_page *page)
{
	struct oos *s = mmu->state;

	if (oos_page(page)->at == AT_GLOBALS)
		um_globals_touch(&s->globals, oos_page(page)->slot);
}

/* ---- stale links above a page ---- */

/* A page has changed: no link that the guest's tables do not hold any more may lead to it. */
static void cut_stale(struct um_mmu *mmu, const struct um_page *page)
{
	for (uint32_t i = page->n_parents; i-- > 0;) {
		struct um_parent up = page->parents[i];
		struct um_page *parent = um_page_by_id(mmu, up.page);

		if (!parent || (parent->unsync && um_sync_entry(mmu, parent, up.index)))
			continue;
		cut_stale(mmu, parent);
	}
}

static void page_changed(struct um_mmu *mmu, const struct um_page *page)
{
	const struct oos *s = mmu->state;

	if (!s->uppers_out)
		return;
	um_resync_begin(mmu, UM_CAUSE_link);
	cut_stale(mmu, page);
	um_resync_end(mmu);
}

/* ---- where a page is found ---- */

/* The page is found below this entry of a top-level table; and so is all below it. */
static void take_top(struct um_mmu *mmu, struct um_page *page, uint16_t top)
{
	struct oos_page *p = oos_page(page);

	if (p->top == top || p->top == TOP_MANY)
		return;
	if (p->top == TOP_NONE) {
		p->top = top;
		return;
	}
	p->top = TOP_MANY;
	if (p->at == AT_GLOBALS)
		sync_one(mmu, page);
	for (unsigned int i = 0; i < UM_ENTRIES && level_of(page) > 1; i++) {
		struct um_page *child = um_child(mmu, page, i);

		if (child && !(child->role & UT_ROLE_DIRECT))
			take_top(mmu, child, TOP_MANY);
	}
}

/*
 * Do two roots lead to the same below this entry? Of tops it is known only if it is the same shadow page;
 * so with 32-bit tables, where each address space has a directory of its own, hardly ever.
 */
static bool same_branch(const struct um_mmu *mmu, const struct um_page *a, const struct um_page *b,
			uint16_t top)
{
	const struct um_page *child;

	if (!a || a->unsync)
		return false;
	if (um_is_top(a) && um_is_top(b)) {
		child = um_child(mmu, a, top - 1u);
		return child && child == um_child(mmu, b, top - 1u);
	}
	if (!a->frame->table || !b->frame->table || level_of(a) != level_of(b))
		return false;
	return !((a->frame->table[top - 1] ^ b->frame->table[top - 1]) & LINK_BITS);
}

/* Has the vCPU known all that is in a global table, on the root that it comes from? */
static bool knows(const struct um_mmu *mmu, const struct oos_vcpu *v, const struct um_page *page)
{
	const struct oos_page *p = oos_page(page);

	return um_child(mmu, v->from, p->top - 1u) || p->filled <= v->entered;
}

static void root_entered(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *root)
{
	struct oos *s = mmu->state;
	const struct um_globals *g = &s->globals;
	struct oos_vcpu *v = vcpu->priv;

	if (v->from == root)
		return;
	for (unsigned int i = g->n_slots; i-- > 0 && g->n_pages;) {
		struct um_page *page = g->slots[i].page;

		if (!page ||
		    (same_branch(mmu, v->from, root, oos_page(page)->top) && knows(mmu, v, page)))
			continue;
		mmu->own[GLOBALS_EXPOSED]++;
		sync_one(mmu, page);
	}
	v->from = root;
	v->entered = ++s->clock;
}

/* Since when have all vCPUs on a root been there? */
static uint64_t all_entered(const struct um_mmu *mmu, const struct um_page *root)
{
	const struct um_vcpu *vcpu;
	uint64_t since = UINT64_MAX;

	for (unsigned int i = 0; (vcpu = um_vcpu_at(mmu, i)); i++) {
		const struct oos_vcpu *v = vcpu->priv;

		if (v->from == root && v->entered < since)
			since = v->entered;
	}
	return since;
}

/* ---- to whom a page belongs ---- */

/* Reachable from several roots from now on, and so is all below: in step for good. */
static void share_tree(struct um_mmu *mmu, struct um_page *page)
{
	struct oos_page *p = oos_page(page);

	if (p->roots == ROOT_MULTI)
		return;
	p->roots = ROOT_MULTI;
	mmu->own[SHARED]++;
	if (page->unsync && p->at == AT_ROOT)
		sync_one(mmu, page);
	if (level_of(page) == 1)
		return;
	mmu->count[UM_nodes_visited]++;
	for (unsigned int i = 0; i < UM_ENTRIES; i++) {
		struct um_page *child = um_child(mmu, page, i);

		if (child && !(child->role & UT_ROLE_DIRECT))
			share_tree(mmu, child);
	}
}

static bool is_below(const struct um_mmu *mmu, const struct um_page *page,
		     const struct um_page *above)
{
	for (uint32_t i = 0; i < page->n_parents; i++) {
		const struct um_page *parent = um_page_by_id(mmu, page->parents[i].page);

		if (parent && (parent == above || is_below(mmu, parent, above)))
			return true;
	}
	return false;
}

static void unlink_everywhere(struct um_mmu *mmu, const struct um_page *page)
{
	while (page->n_parents) {
		struct um_parent up = page->parents[page->n_parents - 1];

		um_drop_entry(mmu, um_page_by_id(mmu, up.page), up.index);
	}
}

/*
 * What is below and in step finds out when it wants to go (is_shared()). What is out of sync stays on its
 * root's list but cannot be reached: page_wanted() syncs it when a fault links it again.
 */
static void share_lazily(struct um_mmu *mmu, struct um_page *page)
{
	struct oos_page *p = oos_page(page);
	struct um_page *root;

	if (p->roots == ROOT_MULTI)
		return;
	root = um_find_page(mmu, p->root_gfn, p->root_role);
	p->roots = ROOT_MULTI;
	mmu->own[SHARED]++;
	if (page->unsync && p->at == AT_ROOT)
		sync_one(mmu, page);
	for (struct um_page *m = root ? oos_page(root)->head : NULL; m; m = oos_page(m)->next) {
		mmu->count[UM_nodes_visited]++;
		if (is_below(mmu, m, page))
			unlink_everywhere(mmu, m);
	}
}

/* Is the page, or one above it, reachable from several roots? */
static bool is_shared(const struct um_mmu *mmu, const struct um_page *page)
{
	const struct oos *s = mmu->state;
	struct oos_page *p = oos_page(page);

	for (uint32_t i = 0; s->share == SHARE_LAZY && p->roots == ROOT_ONE && i < page->n_parents;
	     i++) {
		const struct um_page *parent = um_page_by_id(mmu, page->parents[i].page);

		if (parent && is_shared(mmu, parent))
			p->roots = ROOT_MULTI;
	}
	return p->roots == ROOT_MULTI;
}

static void share(struct um_mmu *mmu, struct um_page *page)
{
	const struct oos *s = mmu->state;

	um_resync_begin(mmu, UM_CAUSE_link);
	if (s->share == SHARE_LAZY)
		share_lazily(mmu, page);
	else
		share_tree(mmu, page);
	um_resync_end(mmu);
}

static void root_linked(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *root)
{
	struct oos_page *r = oos_page(root);

	if (r->roots == ROOT_NONE) {
		r->roots = ROOT_ONE;
		r->root_gfn = root->gfn;
		r->root_role = root->role;
	}
	r->top = TOP_ROOT;
	root_entered(mmu, vcpu, root);
}

/* Below a page that a vCPU runs on, a table is linked at an entry where it was not. */
static void place(struct um_mmu *mmu, struct um_page *parent, unsigned int index,
		  struct um_page *child)
{
	struct oos_page *c = oos_page(child), *from = oos_page(parent);
	uint16_t top = from->top == TOP_ROOT ? (uint16_t)(index + 1) : from->top;
	bool known_there =
		from->top == TOP_ROOT && c->top == top && !parent->unsync && parent->frame->table;

	if (c->top != TOP_NONE && level_of(child) > 1) {
		um_resync_begin(mmu, UM_CAUSE_link);
		expose(mmu, c->top, known_there ? all_entered(mmu, parent) : 0);
		um_resync_end(mmu);
	}
	take_top(mmu, child, top);
}

static void page_linked(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *parent,
			unsigned int index, struct um_page *child)
{
	struct oos_page *c = oos_page(child);
	const struct oos_page *from;

	if (!parent) {
		root_linked(mmu, vcpu, child);
		return;
	}
	page_changed(mmu, parent);
	if (child->role & UT_ROLE_DIRECT)
		return;
	place(mmu, parent, index, child);
	from = oos_page(parent);
	is_shared(mmu, parent);
	if (c->roots == ROOT_NONE) {
		c->roots = from->roots;
		c->root_gfn = from->root_gfn;
		c->root_role = from->root_role;
		return;
	}
	if (c->roots == ROOT_ONE && from->roots == ROOT_ONE && c->root_gfn == from->root_gfn &&
	    c->root_role == from->root_role)
		return;
	share(mmu, child);
}

static void page_created(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *page)
{
	(void)mmu;
	oos_page(page)->global =
		level_of(page) == 1 && !(page->role & UT_ROLE_DIRECT) && (vcpu->cr4 & UT_CR4_PGE);
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

/* The root goes: no vCPU is known to be on it, or may return to it without a flush. */
static void forget_root(const struct um_mmu *mmu, const struct um_page *root)
{
	struct um_vcpu *vcpu;

	for (unsigned int i = 0; (vcpu = um_vcpu_at(mmu, i)); i++) {
		struct oos_vcpu *v = vcpu->priv;

		if (v->from == root)
			v->from = NULL;
		for (unsigned int c = 0; c < CONTEXTS; c++) {
			if (v->contexts[c].root == root)
				v->contexts[c].root = NULL;
		}
	}
}

static void page_zapping(struct um_mmu *mmu, struct um_page *page)
{
	const struct oos *s = mmu->state;
	struct oos_page *p = oos_page(page);

	forget(mmu->state, page);
	if (p->top == TOP_ROOT)
		forget_root(mmu, page);
	um_resync_begin(mmu, UM_CAUSE_evict);
	while (p->head) {
		if (s->root_gone == GONE_SYNC)
			sync_one(mmu, p->head);
		else
			um_zap_page(mmu, p->head, false);
	}
	um_resync_end(mmu);
}

/*
 * A non-global entry in a page that was global: the page is no longer. If it is out of sync, it joins
 * its root's list; if it has no single root, it is synced.
 */
static void lose_global(struct um_mmu *mmu, struct um_page *page)
{
	const struct oos *s = mmu->state;
	struct oos_page *p = oos_page(page);
	struct um_page *root = NULL;

	mmu->own[GLOBALS_LOST]++;
	p->global = false;
	if (p->at != AT_GLOBALS)
		return;
	mmu->own[GLOBALS_LOST_UNSYNC]++;
	if (!is_shared(mmu, page))
		root = um_find_page(mmu, p->root_gfn, p->root_role);
	/* Nobody is there who would sync the list as he leaves. */
	if (root && s->sync == SYNC_LEFT && !root->root_count)
		root = NULL;
	if (root) {
		forget(mmu->state, page);
		list_add(root, page);
		return;
	}
	um_resync_begin(mmu, UM_CAUSE_evict);
	sync_one(mmu, page);
	um_resync_end(mmu);
}

static void entry_filled(struct um_mmu *mmu, struct um_page *page, unsigned int index)
{
	struct oos *s = mmu->state;
	struct oos_page *p = oos_page(page);

	page_changed(mmu, page);
	if (p->at == AT_GLOBALS)
		p->filled = ++s->clock;
	if ((!p->global && p->at != AT_GLOBALS) || !page->frame->table ||
	    (um_gpte(page, index) & UT_PTE_G))
		return;
	lose_global(mmu, page);
}

/* ---- may it go? ---- */

static struct um_page *single_page(const struct oos *s, const struct um_frame *frame)
{
	struct um_page *page = frame->pages;

	if (frame->n_pages != 1)
		return NULL;
	while (page->role & UT_ROLE_DIRECT)
		page = page->next_of_gfn;
	/* To bring links in step takes the guest's table. */
	if (level_of(page) > 1 && !frame->table)
		return NULL;
	return level_of(page) <= s->levels ? page : NULL;
}

/* All that is present in a leaf table in step is global: what two counts in its descriptor would tell. */
static bool counts_equal(const struct um_page *page)
{
	if (!page->frame->table)
		return false;
	for (unsigned int i = 0; i < UM_ENTRIES; i++) {
		if ((page->spt[i] & UM_SPTE_P) && !(um_gpte(page, i) & UT_PTE_G))
			return false;
	}
	return true;
}

static bool may_join_globals(const struct oos *s, const struct um_vcpu *vcpu,
			     const struct um_page *page)
{
	const struct oos_page *p = oos_page(page);

	if (level_of(page) > 1 || !um_globals_has_room(&s->globals) || !(vcpu->cr4 & UT_CR4_PGE) ||
	    p->top == TOP_NONE || p->top == TOP_MANY)
		return false;
	return s->global == GLOBAL_COUNT ? counts_equal(page) : p->global;
}

/* The root on whose list the page may go, which is the one that the vCPU runs on; or NULL. */
static struct um_page *list_for(struct um_mmu *mmu, const struct um_vcpu *vcpu,
				const struct um_page *page)
{
	const struct oos_page *p = oos_page(page);

	if (p->roots != ROOT_ONE || is_shared(mmu, page) || !vcpu->root ||
	    vcpu->root->gfn != p->root_gfn || vcpu->root->role != p->root_role)
		return NULL;
	return um_find_page(mmu, p->root_gfn, p->root_role);
}

static bool let_go(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *page)
{
	struct oos *s = mmu->state;
	struct um_page *root;

	if (may_join_globals(s, vcpu, page)) {
		um_mark_unsync(mmu, page);
		return add_global(mmu, page);
	}
	root = list_for(mmu, vcpu, page);
	if (!root)
		return false;
	um_mark_unsync(mmu, page);
	list_add(root, page);
	if (level_of(page) > 1) {
		s->uppers_out++;
		mmu->own[UPPERS]++;
	}
	return true;
}

static enum um_verdict want_writable(struct um_mmu *mmu, struct um_vcpu *vcpu,
				     struct um_frame *frame, bool write, bool prefetch)
{
	const struct oos *s = mmu->state;
	struct um_page *page = single_page(s, frame);

	if (prefetch)
		return UM_EMULATE;
	if (page && (write || s->reads) && let_go(mmu, vcpu, page))
		return UM_WRITABLE;
	mmu->count[UM_unsyncs_refused]++;
	return UM_EMULATE;
}

/* A vCPU that runs on this root may see from now on what it did not. */
static void expose_written(struct um_mmu *mmu, const struct um_frame *frame,
			   const struct ut_write *w)
{
	const struct um_page *page = frame->pages;

	while (page && oos_page(page)->top != TOP_ROOT)
		page = page->next_of_gfn;
	for (unsigned int i = w->offset / 8; page && i <= (w->offset + w->size - 1u) / 8; i++) {
		if (frame->table[i] & UT_PTE_P)
			expose(mmu, i + 1, 0);
	}
}

static void table_written(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_frame *frame,
			  const struct ut_write *w)
{
	struct um_flood *flood = &((struct oos_vcpu *)vcpu->priv)->flood;
	struct um_write_rule rule = { .reinstall = true };

	expose_written(mmu, frame, w);
	rule.flooded = um_flood_written(mmu, flood, frame->gfn);
	um_write_frame(mmu, vcpu, frame, w, &rule);
	um_flood_installed(flood, frame, w);
}

static void fault_done(struct um_mmu *mmu, struct um_vcpu *vcpu)
{
	(void)mmu;
	um_flood_reset(&((struct oos_vcpu *)vcpu->priv)->flood);
}

/* ---- roots that a vCPU may return to without a flush ---- */

static uint16_t pcid_of(const struct um_vcpu *vcpu)
{
	return vcpu->cr4 & UT_CR4_PCIDE ? vcpu->cr3 & UT_CR3_PCID : 0;
}

static bool is_current(const struct um_vcpu *vcpu, const struct context *c)
{
	return c->root == vcpu->root && c->pcid == pcid_of(vcpu);
}

static bool may_return(const struct um_vcpu *vcpu)
{
	const struct oos_vcpu *v = vcpu->priv;

	for (unsigned int i = 0; i < CONTEXTS; i++) {
		if (v->contexts[i].root && is_current(vcpu, &v->contexts[i]))
			return true;
	}
	return false;
}

/* The vCPU's root is in step: all that may be stale in it from now on is younger than its last flush. */
static void remember_context(struct um_vcpu *vcpu)
{
	struct oos_vcpu *v = vcpu->priv;

	if (!(vcpu->cr4 & UT_CR4_PCIDE) || !vcpu->root || may_return(vcpu))
		return;
	v->contexts[v->next_context] = (struct context){ vcpu->root, pcid_of(vcpu) };
	v->next_context = (v->next_context + 1) % CONTEXTS;
}

static void forget_contexts(struct um_vcpu *vcpu)
{
	struct oos_vcpu *v = vcpu->priv;

	for (unsigned int i = 0; i < CONTEXTS; i++)
		v->contexts[i].root = NULL;
}

static void forget_pcid(struct um_vcpu *vcpu, uint64_t pcid)
{
	struct oos_vcpu *v = vcpu->priv;

	for (unsigned int i = 0; i < CONTEXTS; i++) {
		if (v->contexts[i].pcid == pcid)
			v->contexts[i].root = NULL;
	}
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
	struct oos_vcpu *v = vcpu->priv;
	bool same = vcpu->root && um_root_gfn(vcpu, old) == um_root_gfn(vcpu, vcpu->cr3);
	bool flush = !((vcpu->cr4 & UT_CR4_PCIDE) && (value & UT_CR3_NOFLUSH));

	um_resync_begin(mmu, UM_CAUSE_cr3);
	/* Without a root nobody knows what the vCPU saw meanwhile. */
	if (!(vcpu->cr4 & UT_CR4_PGE) || !vcpu->root)
		sync_globals(mmu);
	if (!same && s->sync != SYNC_ENTERED)
		sync_list(mmu, v->from);
	if (!same)
		um_load_root(mmu, vcpu);
	if (flush)
		forget_pcid(vcpu, pcid_of(vcpu));
	if (!may_return(vcpu) && (same || s->sync != SYNC_LEFT || runs_elsewhere(mmu, vcpu)))
		sync_list(mmu, vcpu->root);
	remember_context(vcpu);
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
	forget_contexts(vcpu);
	remember_context(vcpu);
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

/* Mend what is out of sync on the way down. Return: the page where the way ends, or NULL. */
static struct um_page *fix_path(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *root,
				uint64_t gva)
{
	struct um_page *page = root;

	while (page && level_of(page) > 1) {
		unsigned int index = um_index(gva, level_of(page));

		if (page->unsync)
			um_sync_entry(mmu, page, index);
		page = um_child(mmu, page, index);
	}
	if (page && page->unsync) {
		page_used(mmu, page);
		um_fix_entry(mmu, vcpu, page, um_index(gva, 1));
	}
	return page;
}

/* Does any way down for an address end in this page? One whose way is not known may be meant. */
static bool may_be_for(const struct um_mmu *mmu, const struct um_page *page, uint64_t gva)
{
	for (uint32_t i = 0; i < page->n_parents; i++) {
		const struct um_page *parent = um_page_by_id(mmu, page->parents[i].page);

		/* A table may map itself: go up in levels only. */
		if (parent && level_of(parent) > level_of(page) &&
		    page->parents[i].index == um_index(gva, level_of(parent)) &&
		    may_be_for(mmu, parent, gva))
			return true;
	}
	return !page->n_parents;
}

/*
 * The entry that the current root leads to; and, as INVLPG removes global translations of every address
 * space, what roots of other PCIDs lead to, and the entry in each global table out of sync that the
 * address may have been translated by.
 */
static void fix_address(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t gva)
{
	const struct um_globals *g = &((struct oos *)mmu->state)->globals;
	const struct oos_vcpu *v = vcpu->priv;
	struct um_page *page = fix_path(mmu, vcpu, vcpu->root, gva);

	for (unsigned int i = 0; i < CONTEXTS; i++) {
		if (v->contexts[i].root && v->contexts[i].root != vcpu->root)
			fix_path(mmu, vcpu, v->contexts[i].root, gva);
	}
	for (unsigned int i = g->n_slots; i-- > 0;) {
		if (g->slots[i].page && g->slots[i].page != page &&
		    may_be_for(mmu, g->slots[i].page, gva))
			um_fix_entry(mmu, vcpu, g->slots[i].page, um_index(gva, 1));
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
	if (globals || !(vcpu->cr4 & UT_CR4_PGE))
		sync_globals(mmu);
	sync_list(mmu, vcpu->root);
	remember_context(vcpu);
	um_resync_end(mmu);
	mmu->count[UM_flush_local]++;
}

static void invpcid(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_invpcid *inv)
{
	bool current = pcid_of(vcpu) == inv->pcid;

	if (inv->type >= 2)
		forget_contexts(vcpu);
	else if (inv->type == 1 || !current)
		forget_pcid(vcpu, inv->pcid);
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
	forget_contexts(vcpu);
	flush_all(mmu, vcpu, true);
}

UM_MODEL(oos_per_root) = {
	UM_MODEL_HEAD,
	.name = "oos-per-root",
	.summary =
		"leaf tables of one root may go out of sync, listed at their root (2008 proposal)",
	.options = options,
	.counters = counters,
	.state_bytes = sizeof(struct oos),
	.page_bytes = sizeof(struct oos_page),
	.vcpu_bytes = sizeof(struct oos_vcpu),
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
	.page_used = page_used,
	.fault_done = fault_done,
	.cr3_written = cr3_written,
	.cr0_written = cr0_written,
	.cr4_written = cr4_written,
	.invlpg = invlpg,
	.invpcid = invpcid,
	.pv_flush = pv_flush,
};
