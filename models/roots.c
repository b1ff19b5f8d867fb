// SPDX-License-Identifier: GPL-2.0-only
#include "models/roots.h"

#include <string.h>

#include "models/marks.h"

static void drop(struct um_prev_root *prev)
{
	if (prev->root)
		prev->root->root_count--;
	prev->root = NULL;
}

/* Put the root in front of the previous ones; the oldest of them falls out. */
static void push(struct um_roots *r, unsigned int keep, struct um_page *root, uint64_t cr3)
{
	if (!keep || !root || um_is_top(root))
		return;
	drop(&r->prev[keep - 1]);
	memmove(&r->prev[1], &r->prev[0], (keep - 1) * sizeof(r->prev[0]));
	r->prev[0] = (struct um_prev_root){ .root = root, .cr3 = cr3 };
	root->root_count++;
}

static struct um_page *take(struct um_roots *r, unsigned int keep, uint64_t cr3, uint32_t role)
{
	for (unsigned int i = 0; i < keep; i++) {
		struct um_page *root = r->prev[i].root;

		if (!root || r->prev[i].cr3 != cr3 || root->role != role)
			continue;
		memmove(&r->prev[i], &r->prev[i + 1], (keep - 1 - i) * sizeof(r->prev[0]));
		r->prev[keep - 1].root = NULL;
		root->root_count--;
		return root;
	}
	return NULL;
}

bool um_roots_switch(struct um_mmu *mmu, struct um_vcpu *vcpu, unsigned int keep, uint64_t old_cr3)
{
	struct um_roots *r = um_roots_of(vcpu);
	struct um_page *cached = take(r, keep, vcpu->cr3, um_root_role(vcpu));

	push(r, keep, vcpu->root, old_cr3);
	if (!cached) {
		um_load_root(mmu, vcpu);
		return false;
	}
	mmu->count[UM_roots_cached]++;
	um_set_root(mmu, vcpu, cached);
	return true;
}

void um_roots_drop(struct um_vcpu *vcpu, bool (*which)(const struct um_prev_root *, uint64_t ctx),
		   uint64_t ctx)
{
	struct um_roots *r = um_roots_of(vcpu);

	for (unsigned int i = 0; i < UM_ROOTS_MAX; i++) {
		if (r->prev[i].root && (!which || which(&r->prev[i], ctx)))
			drop(&r->prev[i]);
	}
}

static bool has_pcid(const struct um_prev_root *prev, uint64_t pcid)
{
	return (prev->cr3 & UT_CR3_PCID) == pcid;
}

void um_roots_drop_pcid(struct um_vcpu *vcpu, uint64_t pcid)
{
	um_roots_drop(vcpu, has_pcid, pcid);
}

static bool is_dirty(const struct um_prev_root *prev, uint64_t unused)
{
	(void)unused;
	return um_marks_dirty(prev->root);
}

void um_roots_drop_dirty(struct um_vcpu *vcpu)
{
	um_roots_drop(vcpu, is_dirty, 0);
}

void um_roots_forget(struct um_mmu *mmu, const struct um_page *page)
{
	struct um_vcpu *vcpu;

	for (unsigned int i = 0; page->root_count && (vcpu = um_vcpu_at(mmu, i)); i++) {
		struct um_roots *r = um_roots_of(vcpu);

		for (unsigned int n = 0; n < UM_ROOTS_MAX; n++) {
			if (r->prev[n].root == page)
				r->prev[n].root = NULL;
		}
	}
}
