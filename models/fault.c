// SPDX-License-Identifier: GPL-2.0-only
/*
 * A recorded page fault meets a model's shadow: would it have happened, and what does it fill?
 */
#include "models/history.h"
#include "models/shadow.h"

#define FILL_TRIES 8

static bool permits(uint64_t spte, uint32_t error)
{
	if ((error & UT_PF_WRITE) && !(spte & UM_SPTE_W))
		return false;
	if ((error & UT_PF_USER) && !(spte & UM_SPTE_U))
		return false;
	return !((error & UT_PF_FETCH) && (spte & UM_SPTE_NX));
}

struct um_page *um_leaf_of(const struct um_mmu *mmu, struct um_page *root, uint64_t gva,
			   unsigned int *index)
{
	struct um_page *page = root;

	while (page) {
		unsigned int level = ut_role_level(page->role);

		*index = um_index(gva, level);
		if (level == 1 || (page->spt[*index] & UM_SPTE_LEAF))
			return page;
		page = um_child(mmu, page, *index);
	}
	return NULL;
}

/* Do the guest's own entries permit the access, as far as P, W, U and NX say? */
static bool guest_permits(const struct um_vcpu *vcpu, const struct ut_fault *f)
{
	uint64_t all = ~0ull, any_nx = 0;

	for (unsigned int level = f->top; level >= f->bottom && level; level--) {
		uint64_t gpte = f->walk[level - 1];

		/* Of PAE's top entries only P says something. */
		if (level == UM_TOP_LEVEL && um_is_top(vcpu->root))
			gpte |= ~UT_PTE_P & ~UT_PTE_NX;
		all &= gpte;
		any_nx |= gpte & UT_PTE_NX;
	}
	if (!(all & UT_PTE_P))
		return false;
	if ((f->error & UT_PF_USER) && !(all & UT_PTE_U))
		return false;
	if ((f->error & UT_PF_WRITE) && !(all & UT_PTE_W) &&
	    ((f->error & UT_PF_USER) || (vcpu->cr0 & UT_CR0_WP)))
		return false;
	return !((f->error & UT_PF_FETCH) && any_nx);
}

/*
 * Would this model's shadow have let the access through? A fault that was reflected although P, W, U
 * and NX permit it (SMAP, protection keys, reserved bits) would have been reflected in any design.
 */
static bool spared(struct um_mmu *mmu, const struct um_vcpu *vcpu, const struct ut_fault *f)
{
	unsigned int index;
	struct um_page *page = um_leaf_of(mmu, vcpu->root, f->gva, &index);

	if (!page || !(page->spt[index] & UM_SPTE_P) || !permits(page->spt[index], f->error))
		return false;
	if (f->outcome == UT_OUT_REFLECTED && guest_permits(vcpu, f))
		return false;
	page->spt[index] |= UM_SPTE_A;
	return true;
}

/* May a leaf entry map this frame writable? Asks the model if a shadow page of it is in sync. */
static bool may_write(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t gfn, bool write,
		      bool prefetch)
{
	struct um_frame *frame = um_frame_find(&um_shadow(mmu)->frames, gfn);

	if (!frame || !frame->n_synced)
		return true;
	return um_ask_writable(mmu, vcpu, frame, write, prefetch);
}

bool um_install_entry(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *page,
		      unsigned int index)
{
	uint64_t gpte, bits, gfn;

	if (!page->frame->table)
		return false;
	gpte = um_gpte(page, index);
	if (um_relapsed(UM_RELAPSE_QUADRANT))
		gpte = um_gpte_in(page->frame->table, page->role & ~UT_ROLE_QUADRANT, index);
	if (!(gpte & UT_PTE_P) || !(gpte & UT_PTE_A))
		return false;
	bits = um_leaf_bits(page, gpte, gpte & UT_PTE_D);
	gfn = um_gpte_gfn(page, index, gpte);
	bits |= um_allowed(mmu, bits);
	if ((bits & UM_SPTE_W) && !may_write(mmu, vcpu, gfn, false, true))
		bits &= ~UM_SPTE_W;
	um_set_leaf(mmu, page, index, bits | gfn << UM_FRAME_SHIFT | UM_SPTE_PREFETCH);
	return true;
}

/* Would an entry be filled unasked? By what the table holds now. */
static bool prefetchable(const struct um_page *page, unsigned int index)
{
	uint64_t gpte = page->frame->table ? um_gpte(page, index) : 0;

	return (gpte & UT_PTE_P) && (gpte & UT_PTE_A);
}

/*
 * The group of entries around one that was just filled, from its beginning to the first that is not
 * present and accessed in the guest's table (FNAME(pte_prefetch) of Linux 6.1). Without prefetching each
 * of them may have cost a fault of its own, of which a host that prefetches knows nothing.
 */
static void prefetch_around(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *page,
			    unsigned int index)
{
	unsigned int first = index & ~(UM_PREFETCH_GROUP - 1u);

	for (unsigned int i = first; i < first + UM_PREFETCH_GROUP; i++) {
		if (page->spt[i] & UM_SPTE_P)
			continue;
		if (!prefetchable(page, i))
			break;
		if (mmu->no_prefetch)
			mmu->count[UM_refaults_max]++;
		else if (um_install_entry(mmu, vcpu, page, i))
			mmu->count[UM_entries_prefetched]++;
	}
}

/* A fault that this design did not take brought the recorded host more than what it was about. */
static void not_prefetched(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_fault *f)
{
	unsigned int index;
	struct um_page *page = um_leaf_of(mmu, vcpu->root, f->gva, &index);

	if (f->outcome == UT_OUT_FILLED && page && ut_role_level(page->role) == 1 &&
	    !(page->role & UT_ROLE_DIRECT))
		prefetch_around(mmu, vcpu, page, index);
}

/* A fault on its way down: the page reached, and what the guest's entries allow so far. */
struct descent {
	struct um_page *page;
	uint32_t mode; /* role bits that do not change along the walk */
	uint32_t access;
	unsigned int level;
};

/*
 * Go down one level to the page (gfn, role), linking it if need be. An entry that leads elsewhere is
 * replaced, as mainline does since 7.1. False: a page on the way went; begin again.
 */
static bool step(struct um_mmu *mmu, struct um_vcpu *vcpu, struct descent *d, uint64_t gva,
		 uint64_t gfn, uint32_t role)
{
	unsigned int index = um_index(gva, d->level);
	struct um_page *child = um_child(mmu, d->page, index);

	/* Direct pages have the quadrant, too, since 5.19. */
	if (role & UT_ROLE_4BYTE)
		role |= um_quadrant(d->level == UM_TOP_LEVEL ? index : index % 2);
	if (child && (child->gfn != gfn || child->role != role) &&
	    !um_relapsed(UM_RELAPSE_KEEP_LINK))
		child = NULL;
	if (!child) {
		um_drop_entry(mmu, d->page, index);
		child = um_get_page(mmu, vcpu, gfn, role);
		if (!child || d->page->gone)
			return false;
		um_link(mmu, vcpu, d->page, index, child);
		if (d->page->gone || child->gone)
			return false;
	}
	d->page = child;
	d->level--;
	return true;
}

/* From a top to the root that the address belongs to. */
static bool descend_top(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_fault *f,
			struct descent *d)
{
	uint32_t role = um_role_below_top(d->page->role);
	uint64_t gfn = (f->walk[UM_TOP_LEVEL - 1] & UT_PTE_FRAME) >> UM_FRAME_SHIFT;

	if (role & UT_ROLE_4BYTE)
		gfn = um_cr3_gfn(vcpu->cr3);
	return step(mmu, vcpu, d, f->gva, gfn, role);
}

/* Down through the guest's own tables, to the level of the guest's leaf entry. */
static bool descend_guest(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_fault *f,
			  struct descent *d)
{
	while (d->level > f->bottom) {
		uint64_t gpte = f->walk[d->level - 1];

		if (mmu->model->page_used)
			mmu->model->page_used(mmu, d->page);
		d->access = um_narrowed(d->mode, d->access, gpte);
		if (!step(mmu, vcpu, d, f->gva, (gpte & UT_PTE_FRAME) >> UM_FRAME_SHIFT,
			  d->mode | d->access | (d->level - 1)))
			return false;
	}
	if (mmu->model->page_used)
		mmu->model->page_used(mmu, d->page);
	return true;
}

/* Is a table shadowed whose frame a large mapping would hold? */
static bool holds_table(const struct um_mmu *mmu, uint64_t gfn, unsigned int level)
{
	uint64_t n = um_level_frames(level), first = gfn & ~(n - 1);
	const struct um_page *page = um_shadow(mmu)->oldest;

	while (page && ((page->role & UT_ROLE_DIRECT) || page->gfn - first >= n))
		page = page->newer;
	return page;
}

/*
 * As large as the host mapped it, but no larger than what the design shadows allows: a table in a large
 * mapping that is writable would not be protected (KVM lets none hold a table, account_shadowed()).
 */
static unsigned int map_level(const struct um_mmu *mmu, const struct ut_fault *f, uint64_t gfn,
			      uint32_t access)
{
	bool writable = (access & UT_ROLE_WRITE) || (f->error & UT_PF_WRITE);
	unsigned int level = f->map_level ? f->map_level : 1;

	if (!writable || mmu->model->no_protect)
		return level;
	while (level > 1 && holds_table(mmu, gfn, level))
		level--;
	return level;
}

/* Down through direct pages, where the host maps a large guest page in smaller pieces. */
static bool descend_direct(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_fault *f,
			   struct descent *d, uint64_t gfn, uint32_t access)
{
	unsigned int level = map_level(mmu, f, gfn, access);

	while (d->level > level) {
		if (!step(mmu, vcpu, d, f->gva, gfn & ~(um_level_frames(d->level) - 1),
			  d->mode | access | UT_ROLE_DIRECT | (d->level - 1)))
			return false;
	}
	return true;
}

/* The frame that the guest's tables lead to. */
static uint64_t target_gfn(const struct ut_fault *f, uint64_t gpte, uint32_t mode)
{
	uint64_t inside = um_level_frames(f->bottom) - 1;
	uint64_t gfn = (gpte & UT_PTE_FRAME) >> UM_FRAME_SHIFT;

	if ((mode & UT_ROLE_4BYTE) && f->bottom > 1) {
		inside = UM_PSE_FRAMES - 1;
		gfn = um_pse_gfn(gpte);
	}
	return (gfn & ~inside) | ((f->gva >> UM_FRAME_SHIFT) & inside);
}

/* From the root to the page with the guest's leaf entry. */
static bool reach(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_fault *f,
		  struct descent *d)
{
	*d = (struct descent){ .page = vcpu->root,
			       .mode = vcpu->root->role &
				       ~(UT_ROLE_LEVEL | UT_ROLE_ACCESS | UT_ROLE_DIRECT),
			       .access = UT_ROLE_ACCESS,
			       .level = ut_role_level(vcpu->root->role) };
	if (um_is_top(d->page) && !descend_top(mmu, vcpu, f, d))
		return false;
	return descend_guest(mmu, vcpu, f, d);
}

/* A supervisor's write with CR0.WP off, where an entry on the way, not only the last, is read-only. */
static bool overrides(const struct um_vcpu *vcpu, const struct ut_fault *f, uint32_t access)
{
	return (f->error & UT_PF_WRITE) && !(access & UT_ROLE_WRITE) && !(f->error & UT_PF_USER) &&
	       !(vcpu->cr0 & UT_CR0_WP);
}

/* The page becomes the supervisor's: users must not write there, nor may SMEP be got round. */
static uint32_t overridden(const struct um_vcpu *vcpu, uint32_t access)
{
	access = (access | UT_ROLE_WRITE) & ~UT_ROLE_USER;
	return vcpu->cr4 & UT_CR4_SMEP ? access & ~UT_ROLE_EXEC : access;
}

enum fill { FILL_AGAIN, FILL_DONE, FILL_EMULATE };

static enum fill fill(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_fault *f,
		      struct um_frame **target)
{
	bool write = f->error & UT_PF_WRITE;
	uint64_t gpte = f->walk[f->bottom - 1];
	bool dirty = write || (gpte & UT_PTE_D);
	struct descent d;
	uint64_t gfn, bits;
	uint32_t access;
	bool refused = false, override;
	unsigned int index;

	if (!reach(mmu, vcpu, f, &d))
		return FILL_AGAIN;
	gfn = target_gfn(f, gpte, d.mode);
	access = um_narrowed(d.mode, d.access, gpte);
	if (!dirty)
		access &= ~UT_ROLE_WRITE;
	override = overrides(vcpu, f, access);
	if (override)
		access = overridden(vcpu, access);
	if (!descend_direct(mmu, vcpu, f, &d, gfn, access))
		return FILL_AGAIN;

	bits = um_leaf_bits(d.page, gpte, dirty);
	if (override)
		bits = (bits | UM_SPTE_W | (access & UT_ROLE_EXEC ? 0 : UM_SPTE_NX)) & ~UM_SPTE_U;
	bits |= um_allowed(mmu, bits);
	if (um_relapsed(UM_RELAPSE_ENTRY_FIRST) && d.level == 1)
		um_set_leaf(mmu, d.page, um_index(f->gva, 1), bits | gfn << UM_FRAME_SHIFT);
	if ((bits & UM_SPTE_W) && d.level == 1 && !may_write(mmu, vcpu, gfn, write, false)) {
		bits &= ~UM_SPTE_W;
		refused = write;
	}
	/* Asking the model may have cost it pages. */
	if (d.page->gone)
		return FILL_AGAIN;
	index = um_index(f->gva, d.level);
	gfn &= ~(um_level_frames(d.level) - 1);
	um_set_leaf(mmu, d.page, index, bits | UM_SPTE_A | gfn << UM_FRAME_SHIFT);
	mmu->count[UM_entries_filled]++;
	if (d.level == 1 && !(d.page->role & UT_ROLE_DIRECT))
		prefetch_around(mmu, vcpu, d.page, index);
	*target = um_frame_find(&um_shadow(mmu)->frames, gfn);
	return refused ? FILL_EMULATE : FILL_DONE;
}

/* A root that the walk could have started from; loads it if a change of state dropped it. */
static bool root_fits(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_fault *f)
{
	unsigned int level;

	if (!vcpu->root)
		um_load_root(mmu, vcpu);
	if (!vcpu->root)
		return false;
	level = ut_role_level(vcpu->root->role);
	if (!um_is_top(vcpu->root))
		return f->top == level;
	/* No page is as large as an entry of a top. */
	if (f->bottom == UM_TOP_LEVEL && f->outcome != UT_OUT_REFLECTED)
		return false;
	return f->top == (vcpu->root->role & UT_ROLE_4BYTE ? level - 1 : level);
}

/* Fill the shadow. False: the access is a write that must be emulated. */
static bool fault_exit(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_fault *f)
{
	bool prefilled = mmu->model->prefilled && mmu->model->prefilled(mmu, vcpu, f);
	struct um_frame *target = NULL;
	enum fill result = FILL_AGAIN;

	for (int i = 0; i < FILL_TRIES && result == FILL_AGAIN; i++) {
		if (!root_fits(mmu, vcpu, f))
			break;
		result = fill(mmu, vcpu, f, &target);
	}
	if (result == FILL_EMULATE && target) {
		mmu->count[UM_exit_table_write]++;
		target->announced = true;
		return false;
	}
	mmu->count[prefilled ? UM_faults_prefilled : UM_exit_fault]++;
	return true;
}

/*
 * That there is no memory is remembered in a shadow entry, so the tables on the way are shadowed like
 * others'. Later exits there find that entry (the error code says reserved) and walk no table.
 */
static void fault_mmio(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_fault *f)
{
	bool there = f->error & UT_PF_RESERVED;
	struct descent d;

	mmu->count[UM_exit_mmio]++;
	for (int i = 0; i < FILL_TRIES && !there && root_fits(mmu, vcpu, f); i++)
		there = reach(mmu, vcpu, f, &d);
}

/* The recorded host filled its own shadow, whatever the model had. */
static void host_filled(struct um_mmu *mmu, const struct um_vcpu *vcpu, const struct ut_fault *f)
{
	struct um_frame *table;

	if (f->outcome == UT_OUT_REFLECTED || f->bottom != 1 || f->top < 2)
		return;
	table = um_frame_find(&um_shadow(mmu)->frames,
			      (f->walk[1] & UT_PTE_FRAME) >> UM_FRAME_SHIFT);
	if (table)
		um_host_filled(table, f->gva, !(vcpu->cr4 & UT_CR4_PAE));
}

/* The entry as the walk left it. */
static void learn_entry(struct um_mmu *mmu, struct um_frame *frame, unsigned int offset,
			unsigned int size, uint64_t entry)
{
	if (!frame || !frame->host_pages || (frame->table && !frame->partial))
		return;
	if (!um_frame_know(mmu, frame))
		return;
	frame->partial = true;
	um_frame_write(frame, offset, size, entry);
}

/*
 * Of tables that the trace gives no content of, a walk shows an entry on each level. What has changed
 * since it was last seen is told by writes, so this is none.
 */
static void learn_walk(struct um_mmu *mmu, const struct um_vcpu *vcpu, const struct ut_fault *f)
{
	bool narrow = !(vcpu->cr4 & UT_CR4_PAE), pae = f->top == UM_TOP_LEVEL;
	bool filled = f->outcome != UT_OUT_REFLECTED && f->outcome != UT_OUT_UNKNOWN;
	unsigned int bits = narrow ? 10 : 9, size = narrow ? 4 : 8;
	uint64_t gfn = um_cr3_gfn(vcpu->cr3);

	for (unsigned int level = f->top; level >= f->bottom && level; level--) {
		uint64_t entry = f->walk[level - 1];
		unsigned int index =
			f->gva >> (UM_FRAME_SHIFT + bits * (level - 1)) & ((1u << bits) - 1);

		if (filled)
			entry |= UT_PTE_A;
		if (filled && level == f->bottom && f->error & UT_PF_WRITE)
			entry |= UT_PTE_D;
		/* PAE's four top entries are in no table that is shadowed. */
		if (!pae || level != f->top)
			learn_entry(mmu, um_frame_find(&um_shadow(mmu)->frames, gfn), index * size,
				    size, entry);
		gfn = (entry & UT_PTE_FRAME) >> UM_FRAME_SHIFT;
	}
}

void um_fault(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_fault *f)
{
	if (f->outcome == UT_OUT_MMIO) {
		fault_mmio(mmu, vcpu, f);
		return;
	}
	host_filled(mmu, vcpu, f);
	if (!root_fits(mmu, vcpu, f)) {
		mmu->count[UM_unmodelled_faults]++;
		mmu->count[f->outcome == UT_OUT_REFLECTED ? UM_exit_reflect : UM_exit_fault]++;
		return;
	}
	if (um_shadow(mmu)->partial)
		learn_walk(mmu, vcpu, f);
	if (um_shadow(mmu)->tops)
		um_learn_top(mmu, vcpu, f);
	if (spared(mmu, vcpu, f)) {
		mmu->count[UM_faults_spared]++;
		if (mmu->no_prefetch)
			not_prefetched(mmu, vcpu, f);
		return;
	}
	if (f->outcome == UT_OUT_REFLECTED) {
		mmu->count[UM_exit_reflect]++;
		if (mmu->model->fault_reflected)
			mmu->model->fault_reflected(mmu, vcpu, f);
	} else if (!fault_exit(mmu, vcpu, f)) {
		return;
	}
	if (mmu->model->fault_done)
		mmu->model->fault_done(mmu, vcpu);
}
