// SPDX-License-Identifier: GPL-2.0-only
/*
 * Virtual TLB (Intel's manual, volume 3B, "VMM emulation of a TLB"; the first KVM, commit 6aa8b732ca0,
 * December 2006): the guest's tables are not protected. The shadow is a cache of translations, filled by
 * faults, and emptied whenever the guest flushes its TLB. A hierarchy belongs to a vCPU, and with PCIDs
 * to one of them, not to a top-level table of the guest's: a CR3 write changes nothing but what is in it.
 *
 * So here a hierarchy has a root of its own, under a frame number that no guest frame has, and is a
 * tree: a page that is found by frame and role was left behind by another walk, and is thrown away. An
 * upper link that the guest's entry no longer bears out is replaced by the next walk that passes; what
 * hangs below until then was filled since the last flush, or is global.
 *
 * What the guest used again after a flush faulted here, but not on the recorded host, and so is not in
 * the trace. The upper bound (refaults_max) knows for each guest table which entries the host's shadow
 * may have held: those that a recorded fault filled, or that came with one, until the guest writes them
 * or the host gives the table up. After a flush each of them that the vCPU's address space reaches may
 * fault once more; leaf entries of a table by the aligned group of eight, as one fault brings in all that
 * is present and accessed in it.
 */
#include "models/builtin.h"

#include <stdlib.h>
#include <string.h>

#define WORDS (UM_ENTRIES / 64)
#define ROOT_GFN (1ull << 40) /* beyond what an entry can hold */
#define KERNEL_HALF (UM_ENTRIES / 2)
#define MAX_OWNERS 65536u
#define GROUP 8u /* entries that one fault brings in */
#define CR4_FLUSH_BITS                                                                             \
	(UT_CR4_PSE | UT_CR4_PAE | UT_CR4_PGE | UT_CR4_LA57 | UT_CR4_PCIDE | UT_CR4_SMEP |         \
	 UT_CR4_SMAP | UT_CR4_PKE)

enum { DROP_PAGES, DROP_ENTRIES, DROP_HIERARCHY };
enum { OWN_hierarchies, OWN_entries_flushed, OWN_pages_flushed };

/* What the recorded host's shadow may hold for one address space, or for what all of them share. */
struct owner {
	uint64_t gfn;	 /* of the top-level table */
	uint64_t local;	 /* units (groups or entries) that a CR3 write takes */
	uint64_t any;	 /* units */
	uint64_t gained; /* units ever added */
};

/* Of one table, or one direct page: what the recorded host's shadow may hold. */
struct used {
	uint64_t local[WORDS], global[WORDS]; /* entries */
	uint32_t local_units, units;	      /* those with an entry that is not global; all */
	uint32_t role;			      /* of the shadow pages that it is of */
	uint32_t owner;			      /* the next free one if this one is free */
	bool single;			      /* a unit is one entry */
};

struct vt_frame {
	/* Numbers in vt.used, plus 1: of each quadrant (most tables have one), and of a direct page. */
	uint32_t table[4], direct;
};

struct list {
	uint32_t *ids;
	uint32_t n, cap;
};

struct hierarchy {
	struct um_vcpu *vcpu;
	uint16_t pcid;
	struct um_page *root; /* NULL: there is none at present */
	struct list pages;    /* all but the root */
	struct list local;    /* those that hold entries which are not global */
	bool all_gone;	      /* flushed since it was last in use */
	uint32_t owner;	      /* of the address space it was last used for */
	uint64_t seen;	      /* units that the owner and all had gained when last counted */
	uint64_t own;	      /* of those gained since, by faults of this hierarchy */
};

struct vt {
	bool pcid, keep_globals;
	unsigned int drop;
	struct hierarchy *hier; /* um_page.space - 1 */
	uint32_t n_hier, cap_hier;
	struct owner *owners; /* [0]: what all address spaces share */
	uint32_t n_owners, cap_owners;
	uint32_t *owner_of; /* by hash of the frame; 0: free */
	uint32_t owner_slots;
	struct used *used;
	uint32_t n_used, cap_used, free_used; /* the last: number of the first free one, plus 1 */
};

struct vt_page {
	uint64_t local[WORDS]; /* entries that are not global; links to direct pages, too */
	uint32_t place[2];     /* in the lists of the hierarchy, plus 1 */
	bool kernel;	       /* in the upper half of the addresses */
};

struct vt_vcpu {
	uint32_t now; /* hierarchy in use, plus 1 */
};

static const struct um_option options[] = {
	{ .name = "drop",
	  .help = "what a flush of what is not global takes: each leaf page with such an entry "
		  "(2006), the entries, the whole hierarchy (Intel's manual)",
	  .type = UM_OPT_CHOICE,
	  .choices = "pages|entries|hierarchy",
	  .def = "pages" },
	{ .name = "keep_globals",
	  .help = "global entries outlive a CR3 write",
	  .type = UM_OPT_BOOL,
	  .def = "yes" },
	{ .name = "pcid",
	  .help = "a hierarchy for each PCID, so that a CR3 write without flush keeps its entries",
	  .type = UM_OPT_BOOL,
	  .def = "yes" },
	{ 0 }
};

static const struct um_own_counter counters[] = {
	[OWN_hierarchies] = { "hierarchies", "hierarchies made, of a vCPU and PCID each" },
	[OWN_entries_flushed] = { "entries_flushed", "leaf entries cleared by flushes" },
	[OWN_pages_flushed] = { "pages_flushed", "shadow pages thrown away by flushes" },
	{ 0 }
};

/* ---- arrays that only grow ---- */

static bool grow(struct um_mmu *mmu, void **array, uint32_t n, uint32_t *cap, size_t size)
{
	uint32_t more = *cap ? *cap * 2 : 16;
	void *now;

	if (n < *cap)
		return true;
	now = realloc(*array, more * size);
	if (!now) {
		um_fail(mmu, "out of memory for the lists of the virtual TLB");
		return false;
	}
	*array = now;
	*cap = more;
	return true;
}

static void list_add(struct um_mmu *mmu, struct list *l, unsigned int which, struct um_page *page)
{
	struct vt_page *p = page->priv;

	if (p->place[which] || !grow(mmu, (void **)&l->ids, l->n, &l->cap, sizeof(*l->ids)))
		return;
	l->ids[l->n++] = page->id;
	p->place[which] = l->n;
}

static void list_remove(struct um_mmu *mmu, struct list *l, unsigned int which,
			struct um_page *page)
{
	struct vt_page *p = page->priv;
	struct um_page *last;

	if (!p->place[which])
		return;
	last = um_page_by_id(mmu, l->ids[--l->n]);
	l->ids[p->place[which] - 1] = last->id;
	((struct vt_page *)last->priv)->place[which] = p->place[which];
	p->place[which] = 0;
}

/* ---- owners ---- */

static uint32_t owner_slot(const struct vt *s, uint64_t gfn)
{
	uint32_t i = (uint32_t)(gfn * 0x9e3779b97f4a7c15ull >> 32) & (s->owner_slots - 1);

	while (s->owner_of[i] && s->owners[s->owner_of[i]].gfn != gfn)
		i = (i + 1) & (s->owner_slots - 1);
	return i;
}

static bool more_slots(struct um_mmu *mmu)
{
	struct vt *s = mmu->state;
	uint32_t n = s->owner_slots ? s->owner_slots * 2 : 64;
	uint32_t *slots = calloc(n, sizeof(*slots));

	if (!slots) {
		um_fail(mmu, "out of memory for the address spaces of the virtual TLB");
		return false;
	}
	free(s->owner_of);
	s->owner_of = slots;
	s->owner_slots = n;
	for (uint32_t i = 1; i < s->n_owners; i++)
		slots[owner_slot(s, s->owners[i].gfn)] = i;
	return true;
}

/* The address space of a top-level table; 0, what all share, if there are too many to tell apart. */
static uint32_t find_owner(struct um_mmu *mmu, uint64_t gfn)
{
	struct vt *s = mmu->state;
	uint32_t slot;

	if (s->n_owners * 2 >= s->owner_slots && s->n_owners < MAX_OWNERS && !more_slots(mmu))
		return 0;
	slot = owner_slot(s, gfn);
	if (s->owner_of[slot] || s->n_owners == MAX_OWNERS)
		return s->owner_of[slot];
	if (!grow(mmu, (void **)&s->owners, s->n_owners, &s->cap_owners, sizeof(*s->owners)))
		return 0;
	s->owners[s->n_owners] = (struct owner){ .gfn = gfn };
	s->owner_of[slot] = s->n_owners;
	return s->n_owners++;
}

/* ---- what the recorded host may hold ---- */

/* The entries that share a unit with @index, as a mask of its word. */
static uint64_t unit_of(const struct used *u, unsigned int index)
{
	unsigned int bit = index & 63;

	return u->single ? 1ull << bit : 0xffull << (bit & ~(GROUP - 1));
}

/* Units that a flush of what is not global takes. */
static uint64_t flushed_units(const struct vt *s, const struct used *u)
{
	return s->drop == DROP_PAGES && u->local_units && !u->single ? u->units : u->local_units;
}

/* Add (@sign 1) or take away (-1) what a table is worth to its owner. */
static void weigh(struct vt *s, const struct used *u, int sign)
{
	struct owner *o = &s->owners[u->owner];

	o->local += flushed_units(s, u) * (uint64_t)(int64_t)sign;
	o->any += u->units * (uint64_t)(int64_t)sign;
}

static void weigh_unit(struct used *u, unsigned int index, int sign)
{
	uint64_t mask = unit_of(u, index);

	if (u->local[index / 64] & mask)
		u->local_units += (uint32_t)sign;
	if ((u->local[index / 64] | u->global[index / 64]) & mask)
		u->units += (uint32_t)sign;
}

/* The host has an entry, global or not, or has it no more. */
static void set_used(struct vt *s, struct used *u, unsigned int index, bool local, bool global)
{
	uint64_t bit = 1ull << (index & 63);

	weigh(s, u, -1);
	weigh_unit(u, index, -1);
	u->local[index / 64] &= ~bit;
	u->global[index / 64] &= ~bit;
	if (local)
		u->local[index / 64] |= bit;
	if (global)
		u->global[index / 64] |= bit;
	weigh_unit(u, index, 1);
	weigh(s, u, 1);
}

static bool is_used(const struct used *u, unsigned int index, uint64_t mask)
{
	return (u->local[index / 64] | u->global[index / 64]) & mask;
}

static struct used *used_at(struct vt *s, uint32_t number)
{
	return number ? &s->used[number - 1] : NULL;
}

static uint32_t new_used(struct um_mmu *mmu)
{
	struct vt *s = mmu->state;
	uint32_t number = s->free_used;

	if (number) {
		s->free_used = s->used[number - 1].owner;
	} else {
		if (!grow(mmu, (void **)&s->used, s->n_used, &s->cap_used, sizeof(*s->used)))
			return 0;
		number = ++s->n_used;
	}
	memset(&s->used[number - 1], 0, sizeof(*s->used));
	return number;
}

static unsigned int quadrant(uint32_t role)
{
	return (role & UT_ROLE_QUADRANT) >> UT_ROLE_QUADRANT_SHIFT;
}

static struct used *used_of(struct um_mmu *mmu, const struct um_page *page, uint32_t owner)
{
	struct vt *s = mmu->state;
	struct vt_frame *f = page->frame->priv;
	bool direct = page->role & UT_ROLE_DIRECT;
	uint32_t *number = direct ? &f->direct : &f->table[quadrant(page->role)];
	struct used *u;

	if (!*number) {
		*number = new_used(mmu);
		u = used_at(s, *number);
		if (!u)
			return NULL;
		u->owner = owner;
		u->role = page->role;
		u->single = direct || ut_role_level(page->role) > 1;
		return u;
	}
	u = used_at(s, *number);
	if (u->owner && u->owner != owner) {
		weigh(s, u, -1);
		u->owner = 0;
		weigh(s, u, 1);
		s->owners[0].gained += u->units;
	}
	return u;
}

/* A fault of @h filled an entry, or brought it in: the recorded host has it now. */
static void learn(struct um_mmu *mmu, struct hierarchy *h, const struct um_page *page,
		  unsigned int index, bool global)
{
	struct vt *s = mmu->state;
	const struct vt_page *p = page->priv;
	struct used *u = used_of(mmu, page, p->kernel ? 0 : h->owner);

	if (!u)
		return;
	if (!is_used(u, index, unit_of(u, index))) {
		s->owners[u->owner].gained++;
		h->own++;
	}
	set_used(s, u, index, !global, global);
}

/* A host in step drops what is written. One out of step may keep it if it is as good as before. */
static void forget_written(struct vt *s, struct used *u, const struct um_frame *frame,
			   const struct ut_write *w)
{
	const struct um_page like = { .role = u->role };
	unsigned int first, n = um_written_entries(&like, w->offset, w->size, &first);

	for (unsigned int i = first; i < first + n; i++) {
		uint64_t gpte = frame->table ? um_gpte_in(frame->table, u->role, i) : 0;

		if (w->how == UT_HOW_TRAPPED || !(gpte & UT_PTE_P) || !(gpte & UT_PTE_A))
			set_used(s, u, i, false, false);
	}
}

static void table_changed(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_frame *frame,
			  const struct ut_write *w)
{
	const struct vt_frame *f = frame->priv;
	struct vt *s = mmu->state;

	(void)vcpu;
	for (unsigned int q = 0; q < 4; q++) {
		if (f->table[q])
			forget_written(s, used_at(s, f->table[q]), frame, w);
	}
}

static bool has_direct(const struct um_frame *frame)
{
	for (const struct um_page *p = frame->pages; p; p = p->next_of_gfn) {
		if (p->role & UT_ROLE_DIRECT)
			return true;
	}
	return false;
}

static void free_used(struct vt *s, uint32_t *number)
{
	if (!*number)
		return;
	weigh(s, used_at(s, *number), -1);
	used_at(s, *number)->owner = s->free_used;
	s->free_used = *number;
	*number = 0;
}

static void host_gave_up(struct um_mmu *mmu, struct um_frame *frame, bool direct)
{
	struct vt_frame *f = frame->priv;

	if (!direct) {
		for (unsigned int q = 0; q < 4; q++)
			free_used(mmu->state, &f->table[q]);
	} else if (!has_direct(frame)) {
		/* Else one of another role lives on. */
		free_used(mmu->state, &f->direct);
	}
}

/*
 * An address is invalidated. If the host may have what leads there it may fault again, unless the
 * guest's entry is gone; of a large page, every piece that the host mapped.
 */
static void count_invalidated(struct um_mmu *mmu, const struct um_vcpu *vcpu, uint64_t gva)
{
	uint64_t gfn = um_root_gfn(vcpu, vcpu->cr3);

	/* Where the roots of a guest without four levels are is not in its tables. */
	mmu->count[UM_refaults_max] += gfn & UM_TOP_GFN ? 1 : 0;
	for (unsigned int level = ut_role_level(um_root_role(vcpu)); level; level--) {
		const struct um_frame *frame = um_mmu_frame(mmu, gfn), *first;
		unsigned int index = um_index(gva, level);
		const struct used *u;
		uint64_t gpte;

		if (!frame || !frame->table)
			return;
		gpte = frame->table[index];
		if (!(gpte & UT_PTE_P))
			return;
		gfn = (gpte & UT_PTE_FRAME) >> 12;
		if (level > 1 && !(gpte & UT_PTE_PS))
			continue;
		u = used_at(mmu->state, ((const struct vt_frame *)frame->priv)->table[0]);
		mmu->count[UM_refaults_max] += u && is_used(u, index, 1ull << (index & 63));
		first = level > 1 ? um_mmu_frame(mmu, gfn) : NULL;
		u = first ? used_at(mmu->state, ((const struct vt_frame *)first->priv)->direct)
			  : NULL;
		mmu->count[UM_refaults_max] += u ? u->units : 0;
		return;
	}
}

/* Units that have come by other vCPUs' faults, or while the hierarchy was not in use. */
static void count_gained(struct um_mmu *mmu, struct hierarchy *h)
{
	const struct vt *s = mmu->state;
	uint64_t now = s->owners[0].gained + (h->owner ? s->owners[h->owner].gained : 0);

	mmu->count[UM_refaults_max] += now - h->seen - h->own;
	h->seen = now;
	h->own = 0;
}

/* All that a hierarchy lost may fault again in the address space that it is now used for. */
static void count_lost(struct um_mmu *mmu, struct hierarchy *h, bool globals)
{
	const struct vt *s = mmu->state;

	for (unsigned int i = 0; i < (h->owner ? 2u : 1u); i++) {
		const struct owner *o = &s->owners[i ? h->owner : 0];

		mmu->count[UM_refaults_max] += globals ? o->any : o->local;
	}
	h->seen = s->owners[0].gained + (h->owner ? s->owners[h->owner].gained : 0);
	h->own = 0;
	h->all_gone = false;
}

/* ---- pages and entries ---- */

static struct hierarchy *hierarchy_of(struct um_mmu *mmu, const struct um_page *page)
{
	struct vt *s = mmu->state;

	return page->space && page->space <= s->n_hier ? &s->hier[page->space - 1] : NULL;
}

static bool is_global(const struct hierarchy *h, const struct um_page *page, unsigned int index)
{
	return (h->vcpu->cr4 & UT_CR4_PGE) && page->frame->table &&
	       (um_gpte(page, index) & UT_PTE_G);
}

static void mark(struct um_mmu *mmu, struct hierarchy *h, struct um_page *page, unsigned int index,
		 bool global)
{
	struct vt_page *p = page->priv;
	uint64_t bit = 1ull << (index & 63);

	p->local[index / 64] &= ~bit;
	if (global)
		return;
	p->local[index / 64] |= bit;
	list_add(mmu, &h->local, 1, page);
}

/* Whether what a direct page maps is global stands in the guest's entry above it. */
static bool direct_global(const struct um_mmu *mmu, const struct um_page *page)
{
	const struct um_page *parent =
		page->n_parents ? um_page_by_id(mmu, page->parents[0].page) : NULL;
	unsigned int index = page->n_parents ? page->parents[0].index : 0;

	if (!parent)
		return false;
	if (parent->role & UT_ROLE_DIRECT)
		return direct_global(mmu, parent);
	return !(((const struct vt_page *)parent->priv)->local[index / 64] >> (index & 63) & 1);
}

static void entry_filled(struct um_mmu *mmu, struct um_page *page, unsigned int index)
{
	struct hierarchy *h = hierarchy_of(mmu, page);
	bool global;

	if (!h)
		return;
	if (page->role & UT_ROLE_DIRECT) {
		global = direct_global(mmu, page);
	} else {
		global = is_global(h, page, index);
		mark(mmu, h, page, index, global);
	}
	learn(mmu, h, page, index, global);
}

static void page_created(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *page)
{
	struct hierarchy *h = hierarchy_of(mmu, page);

	(void)vcpu;
	if (h && !(page->gfn & ROOT_GFN))
		list_add(mmu, &h->pages, 0, page);
}

static void page_zapping(struct um_mmu *mmu, struct um_page *page)
{
	struct hierarchy *h = hierarchy_of(mmu, page);

	if (!h)
		return;
	list_remove(mmu, &h->pages, 0, page);
	list_remove(mmu, &h->local, 1, page);
	if (h->root == page)
		h->root = NULL;
}

static void page_linked(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *parent,
			unsigned int index, struct um_page *child)
{
	struct hierarchy *h = hierarchy_of(mmu, child);
	struct vt_page *c = child->priv;

	(void)vcpu;
	if (!h)
		return;
	if (!parent) {
		h->root = child;
		return;
	}
	c->kernel = parent == h->root ? index >= KERNEL_HALF
				      : ((const struct vt_page *)parent->priv)->kernel;
	/* A link to a direct page is what the guest's large entry says, and goes with it. */
	if ((child->role & UT_ROLE_DIRECT) && !(parent->role & UT_ROLE_DIRECT))
		mark(mmu, h, parent, index, is_global(h, parent, index));
}

static void page_wanted(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_frame *frame,
			uint32_t role, struct um_page *match)
{
	(void)vcpu;
	(void)frame;
	(void)role;
	if (match && !match->root_count)
		um_discard_page(mmu, match);
}

/* ---- flushes ---- */

/* What hangs below a large guest page's entry goes with it, unless it hangs elsewhere as well. */
static void clear_entry(struct um_mmu *mmu, struct um_page *page, unsigned int index)
{
	struct um_page *child = um_child(mmu, page, index);
	struct vt_page *p = page->priv;

	p->local[index / 64] &= ~(1ull << (index & 63));
	if (!(page->spt[index] & UM_SPTE_P))
		return;
	um_drop_entry(mmu, page, index);
	if (child && !child->n_parents) {
		mmu->own[OWN_entries_flushed] += child->present;
		mmu->own[OWN_pages_flushed]++;
		um_discard_page(mmu, child);
	} else if (!child) {
		mmu->own[OWN_entries_flushed]++;
	}
}

static void flush_page(struct um_mmu *mmu, struct um_page *page, bool whole)
{
	struct vt_page *p = page->priv;

	if (whole && ut_role_level(page->role) == 1) {
		mmu->own[OWN_entries_flushed] += page->present;
		mmu->own[OWN_pages_flushed]++;
		um_discard_page(mmu, page);
		return;
	}
	for (unsigned int w = 0; w < WORDS; w++) {
		while (p->local[w])
			clear_entry(mmu, page, w * 64 + (unsigned int)__builtin_ctzll(p->local[w]));
	}
}

static void flush_everything(struct um_mmu *mmu, struct hierarchy *h)
{
	while (h->pages.n) {
		struct um_page *page = um_page_by_id(mmu, h->pages.ids[h->pages.n - 1]);

		if (ut_role_level(page->role) == 1)
			mmu->own[OWN_entries_flushed] += page->present;
		mmu->own[OWN_pages_flushed]++;
		um_discard_page(mmu, page);
	}
	for (unsigned int i = 0; h->root && h->root->present && i < UM_ENTRIES; i++)
		clear_entry(mmu, h->root, i);
	h->all_gone = true;
}

static void flush_local(struct um_mmu *mmu, struct hierarchy *h)
{
	const struct vt *s = mmu->state;

	if (!s->keep_globals || s->drop == DROP_HIERARCHY) {
		flush_everything(mmu, h);
		return;
	}
	while (h->local.n) {
		struct um_page *page = um_page_by_id(mmu, h->local.ids[h->local.n - 1]);

		list_remove(mmu, &h->local, 1, page);
		flush_page(mmu, page, s->drop == DROP_PAGES);
	}
	h->all_gone = true;
}

/* Do global entries go with the others when what is not global is flushed? */
static bool globals_go(const struct vt *s)
{
	return !s->keep_globals || s->drop == DROP_HIERARCHY;
}

/* ---- hierarchies ---- */

static uint32_t hierarchy_for(struct um_mmu *mmu, struct um_vcpu *vcpu, uint16_t pcid)
{
	struct vt *s = mmu->state;

	for (uint32_t i = 0; i < s->n_hier; i++) {
		if (s->hier[i].vcpu == vcpu && s->hier[i].pcid == pcid)
			return i + 1;
	}
	if (!grow(mmu, (void **)&s->hier, s->n_hier, &s->cap_hier, sizeof(*s->hier)))
		return 0;
	s->hier[s->n_hier++] = (struct hierarchy){ .vcpu = vcpu, .pcid = pcid, .all_gone = true };
	mmu->own[OWN_hierarchies]++;
	return s->n_hier;
}

static uint16_t pcid_of(const struct vt *s, const struct um_vcpu *vcpu)
{
	return s->pcid && (vcpu->cr4 & UT_CR4_PCIDE) ? (uint16_t)(vcpu->cr3 & UT_CR3_PCID) : 0;
}

static struct hierarchy *current_of(struct um_mmu *mmu, const struct um_vcpu *vcpu)
{
	struct vt *s = mmu->state;
	uint32_t now = ((const struct vt_vcpu *)vcpu->priv)->now;

	return now ? &s->hier[now - 1] : NULL;
}

/* Make the hierarchy of the vCPU's PCID the one in use, with a root for its mode. */
static struct hierarchy *enter(struct um_mmu *mmu, struct um_vcpu *vcpu)
{
	struct vt *s = mmu->state;
	struct hierarchy *h;
	uint32_t now = hierarchy_for(mmu, vcpu, pcid_of(s, vcpu));
	uint64_t gfn = um_root_gfn(vcpu, vcpu->cr3);
	uint32_t role = um_root_role(vcpu), owner = find_owner(mmu, gfn);

	if (!now)
		return NULL;
	h = &s->hier[now - 1];
	/* A PCID that changes hands without a flush: to be on the safe side. */
	if (h->owner != owner) {
		flush_local(mmu, h);
		h->owner = owner;
	}
	((struct vt_vcpu *)vcpu->priv)->now = now;
	vcpu->space = now;
	if (h->root && role && h->root->role != role) {
		flush_everything(mmu, h);
		um_discard_page(mmu, h->root);
	}
	if (h->root && role)
		um_set_root(mmu, vcpu, h->root);
	else
		um_load_root_at(mmu, vcpu, (ROOT_GFN + now) | (gfn & UM_TOP_GFN));
	return h;
}

static void cr3_written(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t old, uint64_t value)
{
	const struct vt *s = mmu->state;
	bool flush = !s->pcid || !(vcpu->cr4 & UT_CR4_PCIDE) || !(value & UT_CR3_NOFLUSH);
	struct hierarchy *h = current_of(mmu, vcpu);

	(void)old;
	if (h)
		count_gained(mmu, h);
	h = enter(mmu, vcpu);
	if (!h)
		return;
	if (flush)
		flush_local(mmu, h);
	if (h->all_gone)
		count_lost(mmu, h, globals_go(s));
	else
		count_gained(mmu, h);
	mmu->count[UM_flush_local]++;
}

/* Everything of a vCPU's. */
static void flush_vcpu(struct um_mmu *mmu, struct um_vcpu *vcpu, bool globals)
{
	struct vt *s = mmu->state;
	struct hierarchy *now = current_of(mmu, vcpu);

	for (uint32_t i = 0; i < s->n_hier; i++) {
		if (s->hier[i].vcpu != vcpu)
			continue;
		if (globals)
			flush_everything(mmu, &s->hier[i]);
		else
			flush_local(mmu, &s->hier[i]);
	}
	/* Without one it has not run yet. */
	if (!now)
		return;
	count_lost(mmu, now, globals || globals_go(s));
	mmu->count[UM_flush_local]++;
}

static void reset(struct um_mmu *mmu, struct um_vcpu *vcpu)
{
	struct vt *s = mmu->state;

	flush_vcpu(mmu, vcpu, true);
	um_set_root(mmu, vcpu, NULL);
	for (uint32_t i = 0; i < s->n_hier; i++) {
		if (s->hier[i].vcpu == vcpu && s->hier[i].root)
			um_discard_page(mmu, s->hier[i].root);
	}
	enter(mmu, vcpu);
}

static void cr0_written(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t old)
{
	if (um_context_changed(vcpu, old, vcpu->cr4))
		reset(mmu, vcpu);
}

static void cr4_written(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t old)
{
	if ((old ^ vcpu->cr4) & CR4_FLUSH_BITS)
		reset(mmu, vcpu);
}

/* A large page of 32-bit tables has two shadow entries, of 2 MiB each. */
static void clear_other_half(struct um_mmu *mmu, struct um_page *page, unsigned int index)
{
	const struct um_page *child = um_child(mmu, page, index);

	if (!(page->role & UT_ROLE_4BYTE) || ut_role_level(page->role) != 2)
		return;
	if (!child || (child->role & UT_ROLE_DIRECT))
		clear_entry(mmu, page, index);
}

/* Clear what one hierarchy holds for an address: all of a large page. */
static void flush_address(struct um_mmu *mmu, struct hierarchy *h, uint64_t gva)
{
	struct um_page *page = h->root;

	while (page) {
		unsigned int index = um_index(gva, ut_role_level(page->role));
		struct um_page *child = um_child(mmu, page, index);

		/* Where this half leads to a table by now, the other may be of the large page still. */
		clear_other_half(mmu, page, index ^ 1);
		if (!child || (child->role & UT_ROLE_DIRECT)) {
			clear_entry(mmu, page, index);
			return;
		}
		page = child;
	}
}

/* Global entries go whatever their PCID; no harm if others go with them. */
static void invlpg(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t gva)
{
	struct vt *s = mmu->state;

	count_invalidated(mmu, vcpu, gva);
	for (uint32_t i = 0; i < s->n_hier; i++) {
		if (s->hier[i].vcpu == vcpu)
			flush_address(mmu, &s->hier[i], gva);
	}
	mmu->count[UM_flush_local]++;
}

static void invpcid(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_invpcid *inv)
{
	struct vt *s = mmu->state;
	struct hierarchy *now = current_of(mmu, vcpu);

	if (inv->type >= 2) {
		flush_vcpu(mmu, vcpu, inv->type == 2);
		return;
	}
	/* Without hierarchies for PCIDs what is held is of the one in use, or global. */
	if (!s->pcid && inv->pcid != (vcpu->cr3 & UT_CR3_PCID))
		return;
	for (uint32_t i = 0; i < s->n_hier; i++) {
		struct hierarchy *h = &s->hier[i];

		if (h->vcpu != vcpu || (s->pcid && h->pcid != inv->pcid))
			continue;
		if (inv->type == 0) {
			if (h == now)
				count_invalidated(mmu, vcpu, inv->gva);
			else
				mmu->count[UM_refaults_max]++;
			flush_address(mmu, h, inv->gva);
			continue;
		}
		flush_local(mmu, h);
		if (h == now)
			count_lost(mmu, h, globals_go(s));
	}
	mmu->count[UM_flush_local]++;
}

/* Whose entries the guest wants gone is not in the trace. */
static void pv_flush(struct um_mmu *mmu, struct um_vcpu *vcpu)
{
	(void)vcpu;
	for (unsigned int i = 0; (vcpu = um_vcpu_at(mmu, i)); i++)
		flush_vcpu(mmu, vcpu, true);
}

/* ---- life ---- */

static int create(struct um_mmu *mmu)
{
	struct vt *s = mmu->state;

	s->drop = um_option_choice(mmu, "drop");
	s->keep_globals = um_option_bool(mmu, "keep_globals");
	s->pcid = um_option_bool(mmu, "pcid");
	if (!grow(mmu, (void **)&s->owners, 0, &s->cap_owners, sizeof(*s->owners)))
		return -1;
	s->owners[s->n_owners++] = (struct owner){ 0 };
	return 0;
}

static void destroy(struct um_mmu *mmu)
{
	struct vt *s = mmu->state;

	for (uint32_t i = 0; i < s->n_hier; i++) {
		free(s->hier[i].pages.ids);
		free(s->hier[i].local.ids);
	}
	free(s->hier);
	free(s->owners);
	free(s->owner_of);
	free(s->used);
}

UM_MODEL(virtual_tlb) = {
	UM_MODEL_HEAD,
	.name = "virtual-tlb",
	.summary = "tables are never protected, each flush empties the shadow (first KVM, Intel's "
		   "manual)",
	.options = options,
	.counters = counters,
	.state_bytes = sizeof(struct vt),
	.page_bytes = sizeof(struct vt_page),
	.vcpu_bytes = sizeof(struct vt_vcpu),
	.frame_bytes = sizeof(struct vt_frame),
	.no_protect = true,
	.create = create,
	.destroy = destroy,
	.page_created = page_created,
	.page_zapping = page_zapping,
	.page_wanted = page_wanted,
	.page_linked = page_linked,
	.entry_filled = entry_filled,
	.table_changed = table_changed,
	.host_gave_up = host_gave_up,
	.cr3_written = cr3_written,
	.cr0_written = cr0_written,
	.cr4_written = cr4_written,
	.invlpg = invlpg,
	.invpcid = invpcid,
	.pv_flush = pv_flush,
};
