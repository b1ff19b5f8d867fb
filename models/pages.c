// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shadow pages: found by frame and role, linked to parents, zapped; and the entries in them.
 */
#include "models/history.h"
#include "models/shadow.h"

#include <stdlib.h>
#include <string.h>

struct um_page *um_page_by_id(const struct um_mmu *mmu, uint32_t id)
{
	const struct um_shadow *s = um_shadow(mmu);

	return id < s->n_ids ? s->pages[id] : NULL;
}

struct um_page *um_child(const struct um_mmu *mmu, const struct um_page *page, unsigned int index)
{
	uint64_t spte = page->spt[index];

	if (!(spte & UM_SPTE_P) || (spte & UM_SPTE_LEAF))
		return NULL;
	return um_page_by_id(mmu, (uint32_t)um_spte_gfn(spte));
}

static struct um_page *find_in(struct um_mmu *mmu, const struct um_frame *frame, uint32_t role,
			       uint32_t space)
{
	mmu->count[UM_hash_lookups]++;
	if (!frame)
		return NULL;
	for (struct um_page *p = frame->pages; p; p = p->next_of_gfn) {
		if (p->role == role && p->space == space)
			return p;
	}
	return NULL;
}

struct um_page *um_find_page(struct um_mmu *mmu, uint64_t gfn, uint32_t role)
{
	return find_in(mmu, um_frame_find(&um_shadow(mmu)->frames, gfn), role, 0);
}

static int new_id(struct um_shadow *s, uint32_t *id)
{
	if (s->n_free_ids) {
		*id = s->free_ids[--s->n_free_ids];
		return 0;
	}
	if (s->n_ids == s->cap_ids) {
		uint32_t cap = s->cap_ids ? s->cap_ids * 2 : 256;
		struct um_page **pages = realloc(s->pages, cap * sizeof(struct um_page *));
		uint32_t *ids;

		if (!pages)
			return -1;
		s->pages = pages;
		ids = realloc(s->free_ids, cap * sizeof(uint32_t));
		if (!ids)
			return -1;
		s->free_ids = ids;
		s->cap_ids = cap;
	}
	*id = s->n_ids++;
	return 0;
}

/*
 * One that was given up, as good as new: its entries were dropped, and so are zero. Its room for parents
 * stays with it.
 */
static struct um_page *reuse_page(struct um_shadow *s)
{
	struct um_page *page = s->spare_pages;
	struct um_parent *parents = page->parents;
	uint32_t cap = page->cap_parents;

	s->spare_pages = page->next_of_gfn;
	memset(page->priv, 0, s->page_bytes);
	memset(page, 0, sizeof(*page));
	page->parents = parents;
	page->cap_parents = cap;
	return page;
}

/* Descriptor, entries and the model's bytes in one piece of memory. */
static struct um_page *alloc_page(struct um_shadow *s)
{
	size_t head = (sizeof(struct um_page) + 63) & ~63ul;
	size_t spt = UM_ENTRIES * sizeof(uint64_t);
	size_t size = head + spt + s->page_bytes;
	struct um_page *page = s->spare_pages ? reuse_page(s) : calloc(1, size);

	if (!page)
		return NULL;
	if (new_id(s, &page->id)) {
		free(page->parents);
		free(page);
		return NULL;
	}
	page->spt = (uint64_t *)((char *)page + head);
	page->priv = (char *)page->spt + spt;
	s->pages[page->id] = page;
	return page;
}

/* Tops are no pages that a host would have to find, or keep. */
static void account_page(struct um_mmu *mmu, struct um_page *page, int sign)
{
	struct um_shadow *s = um_shadow(mmu);

	if (um_is_top(page))
		return;
	if (sign > 0)
		mmu->count[UM_pages_created]++;
	s->n_pages += sign;
	if (s->n_pages > mmu->count[UM_pages_peak])
		mmu->count[UM_pages_peak] = s->n_pages;
	if (mmu->model->page_cost)
		um_bookkeeping(mmu, sign * (int64_t)mmu->model->page_cost(mmu, page));
}

static void push_newest(struct um_shadow *s, struct um_page *page)
{
	page->older = s->newest;
	if (s->newest)
		s->newest->newer = page;
	else
		s->oldest = page;
	s->newest = page;
}

static struct um_page *create_page(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_frame *frame,
				   uint32_t role)
{
	struct um_shadow *s = um_shadow(mmu);
	struct um_page *page;

	if (s->n_pages == UM_MAX_PAGES) {
		um_fail(mmu, "more than %u shadow pages at once", UM_MAX_PAGES);
		return NULL;
	}
	page = alloc_page(s);
	if (!page) {
		um_fail(mmu, "out of memory for shadow pages (%u in use)", s->n_pages);
		return NULL;
	}
	page->gfn = frame->gfn;
	page->role = role;
	page->space = vcpu->space;
	page->frame = frame;
	page->next_of_gfn = frame->pages;
	frame->pages = page;
	push_newest(s, page);
	account_page(mmu, page, 1);
	if (!(role & UT_ROLE_DIRECT)) {
		frame->n_pages++;
		um_bounds_known(frame);
		if (!mmu->model->no_protect) {
			frame->n_synced++;
			if (um_write_protect(mmu, frame))
				mmu->count[UM_flush_remote]++;
		}
	}
	um_tell(mmu, UM_IS_CREATED, page);
	if (mmu->model->page_created)
		mmu->model->page_created(mmu, vcpu, page);
	return page;
}

struct um_page *um_get_page(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t gfn, uint32_t role)
{
	struct um_frame *frame = um_frame_get(mmu, &um_shadow(mmu)->frames, gfn);
	struct um_page *page;

	if (!frame)
		return NULL;
	page = find_in(mmu, frame, role, vcpu->space);
	if (!(role & UT_ROLE_DIRECT) && mmu->model->page_wanted) {
		mmu->model->page_wanted(mmu, vcpu, frame, role, page);
		if (page && page->gone)
			page = NULL;
	}
	if (page) {
		mmu->count[UM_pages_reused] += !um_is_top(page);
		return page;
	}
	return create_page(mmu, vcpu, frame, role);
}

static bool add_parent(struct um_mmu *mmu, struct um_page *child, uint32_t parent,
		       unsigned int index)
{
	if (child->n_parents == child->cap_parents) {
		uint32_t cap = child->cap_parents ? child->cap_parents * 2 : 1;
		struct um_parent *more = realloc(child->parents, cap * sizeof(*more));

		if (!more) {
			um_fail(mmu, "out of memory for parent links");
			return false;
		}
		child->parents = more;
		child->cap_parents = cap;
	}
	child->parents[child->n_parents++] =
		(struct um_parent){ .page = parent, .index = (uint16_t)index };
	return true;
}

static void remove_parent(struct um_page *child, uint32_t parent, unsigned int index)
{
	for (uint32_t i = child->n_parents; i-- > 0;) {
		if (child->parents[i].page == parent && child->parents[i].index == index) {
			child->parents[i] = child->parents[--child->n_parents];
			return;
		}
	}
}

void um_link(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *parent, unsigned int index,
	     struct um_page *child)
{
	if (!add_parent(mmu, child, parent->id, index))
		return;
	parent->spt[index] =
		UM_SPTE_P | UM_SPTE_W | UM_SPTE_U | (uint64_t)child->id << UM_FRAME_SHIFT;
	parent->present++;
	if (mmu->model->page_linked)
		mmu->model->page_linked(mmu, vcpu, parent, index, child);
}

static void clear_entry(struct um_mmu *mmu, struct um_page *page, unsigned int index)
{
	page->spt[index] = 0;
	if (!--page->present && um_is_top(page))
		um_shadow(mmu)->empty_tops = true;
}

void um_drop_entry(struct um_mmu *mmu, struct um_page *page, unsigned int index)
{
	uint64_t spte = page->spt[index];
	struct um_page *child;

	if (!(spte & UM_SPTE_P))
		return;
	child = um_child(mmu, page, index);
	if (child && !um_relapsed(UM_RELAPSE_STALE_PARENT))
		remove_parent(child, page->id, index);
	else if (!child && (spte & UM_SPTE_W))
		um_rmap_remove(mmu, page, index);
	clear_entry(mmu, page, index);
}

void um_set_leaf(struct um_mmu *mmu, struct um_page *page, unsigned int index, uint64_t spte)
{
	uint64_t old = page->spt[index];

	if ((old & UM_SPTE_P) &&
	    (!(old & UM_SPTE_LEAF) || (old & UM_SPTE_FRAME) != (spte & UM_SPTE_FRAME))) {
		um_drop_entry(mmu, page, index);
		old = 0;
	}
	if ((old & UM_SPTE_W) && !(spte & UM_SPTE_W))
		um_rmap_remove(mmu, page, index);
	if (!(old & UM_SPTE_P))
		page->present++;
	page->spt[index] = spte | UM_SPTE_P | UM_SPTE_LEAF;
	if (!(old & UM_SPTE_W) && (spte & UM_SPTE_W))
		um_rmap_add(mmu, page, index);
	if (mmu->model->entry_filled)
		mmu->model->entry_filled(mmu, page, index);
}

static void unlink_parents(struct um_mmu *mmu, struct um_page *page)
{
	while (page->n_parents) {
		struct um_parent up = page->parents[--page->n_parents];
		struct um_page *parent = um_page_by_id(mmu, up.page);

		if (!parent)
			continue;
		clear_entry(mmu, parent, up.index);
		/* Those whose tables are not protected keep their own accounts of what hangs where. */
		if (um_is_top(parent) && !mmu->model->no_protect)
			um_leave_top(mmu, parent);
	}
}

static void unlist(struct um_shadow *s, struct um_page *page)
{
	struct um_page **link = &page->frame->pages;

	while (*link != page)
		link = &(*link)->next_of_gfn;
	*link = page->next_of_gfn;
	if (page->newer)
		page->newer->older = page->older;
	else
		s->newest = page->older;
	if (page->older)
		page->older->newer = page->newer;
	else
		s->oldest = page->newer;
}

static void drop_roots(struct um_shadow *s, struct um_page *page)
{
	for (unsigned int i = 0; i < s->n_vcpus; i++) {
		if (s->vcpus[i].root == page)
			s->vcpus[i].root = NULL;
	}
}

static void zap(struct um_mmu *mmu, struct um_page *page)
{
	struct um_shadow *s = um_shadow(mmu);

	um_tell(mmu, UM_IS_ZAPPED, page);
	if (mmu->model->page_zapping)
		mmu->model->page_zapping(mmu, page);
	unlink_parents(mmu, page);
	for (unsigned int i = 0; i < UM_ENTRIES && page->present; i++)
		um_drop_entry(mmu, page, i);
	if (!(page->role & UT_ROLE_DIRECT)) {
		page->frame->n_pages--;
		if (page->unsync)
			mmu->unsync_now--;
		else if (!mmu->model->no_protect)
			page->frame->n_synced--;
	}
	drop_roots(s, page);
	unlist(s, page);
	account_page(mmu, page, -1);
	s->pages[page->id] = NULL;
	page->gone = true;
	page->next_of_gfn = s->graveyard;
	s->graveyard = page;
	mmu->count[UM_flush_remote] += !um_is_top(page);
}

/* A top that was left, and all of whose roots went, will hardly be wanted again. */
static void zap_empty_tops(struct um_mmu *mmu)
{
	struct um_shadow *s = um_shadow(mmu);
	struct um_page *page, *newer;

	s->empty_tops = false;
	for (page = s->oldest; page; page = newer) {
		newer = page->newer;
		if (um_is_top(page) && !page->present && !page->root_count)
			zap(mmu, page);
	}
}

void um_bury(struct um_mmu *mmu)
{
	struct um_shadow *s = um_shadow(mmu);

	if (s->empty_tops)
		zap_empty_tops(mmu);
	while (s->graveyard) {
		struct um_page *page = s->graveyard;

		s->graveyard = page->next_of_gfn;
		s->free_ids[s->n_free_ids++] = page->id;
		page->next_of_gfn = s->spare_pages;
		s->spare_pages = page;
	}
}

void um_zap_page(struct um_mmu *mmu, struct um_page *page, bool flood)
{
	if (page->gone)
		return;
	um_bounds_given_up(mmu, page, flood);
	mmu->count[UM_pages_zapped]++;
	if (flood)
		mmu->count[UM_pages_zapped_flood]++;
	zap(mmu, page);
}

void um_discard_page(struct um_mmu *mmu, struct um_page *page)
{
	if (page->gone)
		return;
	mmu->count[UM_pages_zapped]++;
	zap(mmu, page);
}

void um_zap_recorded(struct um_mmu *mmu, struct um_page *page)
{
	if (page->gone)
		return;
	mmu->count[UM_pages_zapped_host]++;
	zap(mmu, page);
}

void um_for_each_page(struct um_mmu *mmu, struct um_frame *frame,
		      void (*fn)(struct um_mmu *mmu, struct um_page *page, void *ctx), void *ctx)
{
	uint64_t visit = ++um_shadow(mmu)->visit;
	struct um_page *page = frame->pages;

	while (page) {
		if (page->visit == visit || (page->role & UT_ROLE_DIRECT)) {
			page = page->next_of_gfn;
			continue;
		}
		page->visit = visit;
		fn(mmu, page, ctx);
		/* Any page may have gone meanwhile. */
		page = frame->pages;
	}
}

void um_set_root(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *root)
{
	if (root)
		root->root_count++;
	if (vcpu->root) {
		vcpu->root->root_count--;
		if (!vcpu->root->present && um_is_top(vcpu->root))
			um_shadow(mmu)->empty_tops = true;
	}
	vcpu->root = root;
}

void um_load_root_at(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t gfn)
{
	uint32_t role = um_root_role(vcpu);
	struct um_page *root;

	if (!role) {
		um_set_root(mmu, vcpu, NULL);
		return;
	}
	root = um_get_page(mmu, vcpu, gfn, role);
	if (!root)
		return;
	um_set_root(mmu, vcpu, root);
	if (mmu->model->page_linked)
		mmu->model->page_linked(mmu, vcpu, NULL, 0, root);
	if (um_is_top(root))
		um_load_below_top(mmu, vcpu, root);
	else
		mmu->count[UM_roots_loaded]++;
}

void um_load_root(struct um_mmu *mmu, struct um_vcpu *vcpu)
{
	um_load_root_at(mmu, vcpu, um_root_gfn(vcpu, vcpu->cr3));
}
