// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prefault, the idea of PVM ("PVM: Efficient Shadow Paging for Deploying Secure Containers in Cloud-native
 * Environment", SOSP 2023): a page fault of the guest's own costs two under shadow paging, one that is
 * reflected and, when the handler has made the entry and returned, one that fills the shadow. A
 * hypervisor that sees the return can fill that entry at once, and spare the second.
 *
 * Nothing in this depends on how tables are kept in step, so it rests on one of two designs and hands
 * them everything else: sync-on-write, or unsync-bitmap.
 *
 * The return is not in a trace. It lies between the reflected fault and the next access to the address,
 * which is recorded only if it faults again. That fault is taken as spared if it comes
 *   - on the vCPU whose fault was the last to be reflected there, and in the same address space;
 *   - at the same page;
 *   - asking for nothing that the reflected one did not ask for, as the hypervisor walks for that;
 *   - once: a later fault at the page is another matter.
 * What the guest flushed in between does not count against it, as its handler did so before it
 * returned. If the vCPU took another fault of its own in between, the address is forgotten: one is kept.
 *
 * PVM switches to the guest by itself and sees each return (iret=free). On hardware that must be asked
 * for it costs an exit (iret=exit), at least one for each reflected fault.
 */
#include "models/base.h"
#include "models/builtin.h"

#define PAGE_ROOM 256
#define VCPU_ROOM 4096
#define ASKED (UT_PF_WRITE | UT_PF_USER | UT_PF_FETCH)

enum { BASE_WRITE, BASE_BITMAP };
enum { OWN_fault_returns };

struct pf {
	struct um_base base;
	bool iret_exits;
};

struct pf_page {
	char base[PAGE_ROOM];
};

struct pf_vcpu {
	_Alignas(8) char base[VCPU_ROOM];
	uint64_t gva, root; /* of the fault reflected last: address of the page, top-level table */
	uint32_t asked;	    /* UT_PF_* */
	bool waiting;	    /* its address was not accessed again so far */
};

static const struct um_option options[] = {
	{ .name = "base",
	  .help = "what keeps tables in step: sync-on-write or unsync-bitmap, each by its defaults",
	  .type = UM_OPT_CHOICE,
	  .choices = "write|bitmap",
	  .def = "write" },
	{ .name = "iret",
	  .help = "the return of the guest's handler: seen anyway (PVM), or an exit of its own",
	  .type = UM_OPT_CHOICE,
	  .choices = "free|exit",
	  .def = "free" },
	{ 0 }
};

static const struct um_own_counter counters[] = {
	[OWN_fault_returns] = { "fault_returns", "returns from the guest's fault handler, one for "
						 "each reflected fault" },
	{ 0 }
};

static int create(struct um_mmu *mmu)
{
	struct pf *s = mmu->state;
	bool bitmap = um_option_choice(mmu, "base") == BASE_BITMAP;
	const struct um_model *base = bitmap ? &um_unsync_bitmap : &um_sync_on_write;

	if (base->table_changed || base->event || base->host_gave_up || base->prefilled)
		return um_fail(mmu, "%s has hooks that prefault does not pass on", base->name);
	s->iret_exits = um_option_choice(mmu, "iret");
	return um_base_create(mmu, &s->base, base, PAGE_ROOM, VCPU_ROOM);
}

static void destroy(struct um_mmu *mmu)
{
	um_base_destroy(mmu, &((struct pf *)mmu->state)->base);
}

/* ---- what this design adds ---- */

static void reflected(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_fault *f)
{
	const struct pf *s = mmu->state;
	struct pf_vcpu *v = vcpu->priv;

	mmu->own[OWN_fault_returns]++;
	if (s->iret_exits)
		mmu->count[UM_exit_other]++;
	v->gva = f->gva >> 12;
	v->root = um_root_gfn(vcpu, vcpu->cr3);
	v->asked = f->error & ASKED;
	v->waiting = true;
}

static bool prefilled(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_fault *f)
{
	struct pf_vcpu *v = vcpu->priv;

	(void)mmu;
	if (!v->waiting || v->gva != f->gva >> 12 || v->root != um_root_gfn(vcpu, vcpu->cr3))
		return false;
	v->waiting = false;
	return !(f->error & ASKED & ~v->asked);
}

/* ---- the base's hooks ---- */

/* Call one of them, if there is one. */
#define BASE(mmu, hook, ...)                                                                       \
	do {                                                                                       \
		struct um_base *base_ = &((struct pf *)(mmu)->state)->base;                        \
                                                                                                   \
		if (!base_->model->hook)                                                           \
			break;                                                                     \
		um_base_swap(mmu, base_);                                                          \
		(mmu)->model->hook(mmu, __VA_ARGS__);                                              \
		um_base_swap(mmu, base_);                                                          \
	} while (0)

static uint32_t page_cost(const struct um_mmu *mmu, const struct um_page *page)
{
	struct um_base *base = &((struct pf *)mmu->state)->base;
	struct um_mmu *m = (struct um_mmu *)mmu;
	uint32_t bytes = 0;

	if (base->model->page_cost) {
		um_base_swap(m, base);
		bytes = mmu->model->page_cost(mmu, page);
		um_base_swap(m, base);
	}
	return bytes;
}

static void page_created(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *page)
{
	BASE(mmu, page_created, vcpu, page);
}

static void page_zapping(struct um_mmu *mmu, struct um_page *page)
{
	BASE(mmu, page_zapping, page);
}

static void page_wanted(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_frame *frame,
			uint32_t role, struct um_page *match)
{
	BASE(mmu, page_wanted, vcpu, frame, role, match);
}

static void page_linked(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *parent,
			unsigned int index, struct um_page *child)
{
	BASE(mmu, page_linked, vcpu, parent, index, child);
}

static void entry_filled(struct um_mmu *mmu, struct um_page *page, unsigned int index)
{
	BASE(mmu, entry_filled, page, index);
}

static enum um_verdict want_writable(struct um_mmu *mmu, struct um_vcpu *vcpu,
				     struct um_frame *frame, bool write, bool prefetch)
{
	struct um_base *base = &((struct pf *)mmu->state)->base;
	enum um_verdict verdict;

	um_base_swap(mmu, base);
	verdict = mmu->model->want_writable(mmu, vcpu, frame, write, prefetch);
	um_base_swap(mmu, base);
	return verdict;
}

static void table_written(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_frame *frame,
			  const struct ut_write *w)
{
	BASE(mmu, table_written, vcpu, frame, w);
}

static void fault_reflected(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_fault *f)
{
	reflected(mmu, vcpu, f);
	BASE(mmu, fault_reflected, vcpu, f);
}

static void page_used(struct um_mmu *mmu, struct um_page *page)
{
	BASE(mmu, page_used, page);
}

static void fault_done(struct um_mmu *mmu, struct um_vcpu *vcpu)
{
	BASE(mmu, fault_done, vcpu);
}

static void cr3_written(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t old, uint64_t value)
{
	BASE(mmu, cr3_written, vcpu, old, value);
}

static void cr0_written(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t old)
{
	BASE(mmu, cr0_written, vcpu, old);
}

static void cr4_written(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t old)
{
	BASE(mmu, cr4_written, vcpu, old);
}

static void invlpg(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t gva)
{
	BASE(mmu, invlpg, vcpu, gva);
}

static void invpcid(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_invpcid *inv)
{
	BASE(mmu, invpcid, vcpu, inv);
}

static void pv_flush(struct um_mmu *mmu, struct um_vcpu *vcpu)
{
	BASE(mmu, pv_flush, vcpu);
}

static void resync_lasts(struct um_mmu *mmu, struct um_vcpu *vcpu)
{
	BASE(mmu, resync_lasts, vcpu);
}

UM_MODEL(prefault) = {
	UM_MODEL_HEAD,
	.name = "prefault",
	.summary = "an entry that the guest's fault handler made is filled when it returns (PVM, "
		   "2023)",
	.options = options,
	.counters = counters,
	.state_bytes = sizeof(struct pf),
	.page_bytes = sizeof(struct pf_page),
	.vcpu_bytes = sizeof(struct pf_vcpu),
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
	.prefilled = prefilled,
	.fault_reflected = fault_reflected,
	.page_used = page_used,
	.fault_done = fault_done,
	.cr3_written = cr3_written,
	.cr0_written = cr0_written,
	.cr4_written = cr4_written,
	.invlpg = invlpg,
	.invpcid = invpcid,
	.resync_lasts = resync_lasts,
	.pv_flush = pv_flush,
};
