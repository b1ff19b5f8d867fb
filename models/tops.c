// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tops: what the four root entries of a guest with 32-bit tables or PAE lead to. With 32-bit tables all of
 * them lead to the directory that CR3 names, each to a quarter of it. PAE's are read by the CPU when CR3
 * is written (or some bits of CR0 and CR4), and no trace has them; but it tells of them in three ways:
 *
 *   before   what they were when this CR3 was loaded last: so they are taken to be
 *   told     the host looks its roots up in order, and tells of each. Four are all; with fewer it is not
 *            known which entries are absent, only that none leads elsewhere
 *   walked   a fault tells the entry that its walk began with
 */
#include "models/shadow.h"

static bool is_pae(const struct um_page *top)
{
	return um_is_top(top) && !(top->role & UT_ROLE_4BYTE);
}

static void load(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *top, unsigned int index,
		 uint64_t gfn)
{
	uint32_t role = um_role_below_top(top->role);
	struct um_page *root;

	if (role & UT_ROLE_4BYTE)
		role |= um_quadrant(index);
	root = um_get_page(mmu, vcpu, gfn, role);
	if (!root || top->gone)
		return;
	mmu->count[UM_roots_loaded]++;
	if (root == um_child(mmu, top, index))
		return;
	um_drop_entry(mmu, top, index);
	um_link(mmu, vcpu, top, index, root);
}

void um_load_below_top(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *top)
{
	for (unsigned int i = 0; i < UM_TOP_ENTRIES && vcpu->root == top; i++) {
		const struct um_page *was = um_child(mmu, top, i);

		if (!is_pae(top))
			load(mmu, vcpu, top, i, um_cr3_gfn(vcpu->cr3));
		else if (was)
			load(mmu, vcpu, top, i, was->gfn);
	}
}

static struct um_told *told_by(struct um_mmu *mmu, const struct um_vcpu *vcpu)
{
	struct um_shadow *s = um_shadow(mmu);

	return &s->told[vcpu - s->vcpus];
}

void um_leave_top(struct um_mmu *mmu, struct um_page *top)
{
	struct um_vcpu *vcpu;
	bool used = false;

	for (unsigned int i = 0; (vcpu = um_vcpu_at(mmu, i)); i++)
		used |= vcpu->root == top;
	for (unsigned int i = 0; used && (vcpu = um_vcpu_at(mmu, i)); i++) {
		if (!vcpu->root || !um_is_top(vcpu->root))
			continue;
		um_set_root(mmu, vcpu, NULL);
		told_by(mmu, vcpu)->left = true;
	}
}

static bool leads_to(const struct um_mmu *mmu, const struct um_page *top, unsigned int index,
		     uint64_t gfn)
{
	const struct um_page *child = um_child(mmu, top, index);

	return child && child->gfn == gfn;
}

static bool is_linked(const struct um_mmu *mmu, const struct um_page *top, uint64_t gfn)
{
	bool linked = false;

	for (unsigned int i = 0; i < UM_TOP_ENTRIES; i++)
		linked |= leads_to(mmu, top, i, gfn);
	return linked;
}

void um_learn_top(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_fault *f)
{
	uint64_t pdpte = f->walk[UM_TOP_LEVEL - 1];
	uint64_t gfn = (pdpte & UT_PTE_FRAME) >> UM_FRAME_SHIFT;
	unsigned int index = um_index(f->gva, UM_TOP_LEVEL);
	struct um_page *top = vcpu->root;

	if (!is_pae(top) || ((pdpte & UT_PTE_P) && leads_to(mmu, top, index, gfn)))
		return;
	um_drop_entry(mmu, top, index);
	/* The host had it ready since CR3 was written. */
	if (pdpte & UT_PTE_P)
		load(mmu, vcpu, top, index, gfn);
}

static void take_all(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct um_told *told)
{
	struct um_page *top = vcpu->root;

	for (unsigned int i = 0; i < UM_TOP_ENTRIES && vcpu->root == top; i++) {
		if (!leads_to(mmu, top, i, told->gfn[i]))
			load(mmu, vcpu, top, i, told->gfn[i]);
	}
}

void um_top_told(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_page *p)
{
	struct um_told *told = told_by(mmu, vcpu);
	uint32_t role;

	if (!(um_root_role(vcpu) & UT_ROLE_DIRECT) || !(vcpu->cr4 & UT_CR4_PAE))
		return;
	if (!vcpu->root)
		um_load_root(mmu, vcpu);
	if (!vcpu->root)
		return;
	role = um_role_below_top(vcpu->root->role);
	if ((p->role ^ role) & UM_ROLE_MODELLED)
		return;
	if (told->n == UM_TOP_ENTRIES)
		told->n = 0;
	told->gfn[told->n++] = p->gfn;
	if (told->n == UM_TOP_ENTRIES) {
		take_all(mmu, vcpu, told);
		return;
	}
	/* Wherever it hangs, it is a root. */
	if (!is_linked(mmu, vcpu->root, p->gfn) && um_get_page(mmu, vcpu, p->gfn, role))
		mmu->count[UM_roots_loaded]++;
}

void um_top_unsettle(struct um_mmu *mmu)
{
	struct um_shadow *s = um_shadow(mmu);

	for (unsigned int i = 0; i < s->n_vcpus; i++)
		s->told[i].n = 0;
}

void um_top_reload(struct um_mmu *mmu, struct um_vcpu *vcpu)
{
	struct um_told *told = told_by(mmu, vcpu);

	if (told->left && !vcpu->root)
		um_load_root(mmu, vcpu);
	told->left = false;
}

void um_top_settle(struct um_mmu *mmu, struct um_vcpu *vcpu)
{
	struct um_told *told = told_by(mmu, vcpu);
	struct um_page *top = vcpu->root;

	if (!told->n)
		return;
	for (unsigned int i = 0; i < UM_TOP_ENTRIES && top && is_pae(top); i++) {
		bool known = false;

		for (unsigned int k = 0; k < told->n; k++)
			known |= leads_to(mmu, top, i, told->gfn[k]);
		if (!known)
			um_drop_entry(mmu, top, i);
	}
	told->n = 0;
}
