// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sync on write (KVM 2.6.20 to 2.6.27): every shadowed table is write-protected, each guest write to
 * one exits, is emulated, and repairs the shadow at that moment. Nothing is ever out of sync, so a CR3
 * write has nothing to bring in step and INVLPG need not exit at all (commit 5f015a5b28c).
 *
 * The price is an exit for each write; the safety valve is the flood detector, which gives up the
 * shadow of a table that is being written in bulk. Two are modelled:
 *
 *   vcpu  the detector of 2007 (flood.h);
 *   page  each non-leaf shadow page counts emulated writes since a fault passed through it; zapped at
 *         the third. Leaf tables are never zapped (2011).
 */
#include "models/builtin.h"
#include "models/flood.h"

enum { FLOOD_VCPU, FLOOD_PAGE, FLOOD_OFF };
enum { INVLPG_FREE, INVLPG_EXIT };

struct sow {
	unsigned int flood;
	bool reinstall;
	bool byte_writes;
};

static const struct um_option options[] = {
	{ .name = "flood",
	  .help = "flood detector: of a vCPU (2007), of a page (2011), none",
	  .type = UM_OPT_CHOICE,
	  .choices = "vcpu|page|off",
	  .def = "vcpu" },
	{ .name = "reinstall",
	  .help = "an emulated write installs the new entry at once (2007 to 2011)",
	  .type = UM_OPT_BOOL,
	  .def = "yes" },
	{ .name = "byte_writes",
	  .help = "a one-byte write at the start of an entry is emulated (2011), not a reason to "
		  "zap",
	  .type = UM_OPT_BOOL,
	  .def = "no" },
	{ .name = "invlpg",
	  .help = "INVLPG: free, as nothing can be stale; or an exit, as in the designs that need "
		  "it",
	  .type = UM_OPT_CHOICE,
	  .choices = "free|exit",
	  .def = "free" },
	{ 0 }
};

static int create(struct um_mmu *mmu)
{
	struct sow *s = mmu->state;

	s->flood = um_option_choice(mmu, "flood");
	s->reinstall = um_option_bool(mmu, "reinstall");
	s->byte_writes = um_option_bool(mmu, "byte_writes");
	mmu->invlpg_free = um_option_choice(mmu, "invlpg") == INVLPG_FREE;
	return 0;
}

static enum um_verdict want_writable(struct um_mmu *mmu, struct um_vcpu *vcpu,
				     struct um_frame *frame, bool write, bool prefetch)
{
	(void)mmu;
	(void)vcpu;
	(void)frame;
	(void)write;
	(void)prefetch;
	return UM_EMULATE;
}

static bool page_flooded(struct um_page *page)
{
	return um_page_flood_written(page->priv, page);
}

static void table_written(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_frame *frame,
			  const struct ut_write *w)
{
	const struct sow *s = mmu->state;
	struct um_write_rule rule = { .byte_ok = s->byte_writes, .reinstall = s->reinstall };

	if (s->flood == FLOOD_VCPU)
		rule.flooded = um_flood_written(mmu, vcpu->priv, frame->gfn);
	else if (s->flood == FLOOD_PAGE)
		rule.page_flooded = page_flooded;
	um_write_frame(mmu, vcpu, frame, w, &rule);
	um_flood_installed(vcpu->priv, frame, w);
}

static void page_used(struct um_mmu *mmu, struct um_page *page)
{
	(void)mmu;
	((struct um_page_flood *)page->priv)->writes = 0;
}

static void fault_done(struct um_mmu *mmu, struct um_vcpu *vcpu)
{
	(void)mmu;
	um_flood_reset(vcpu->priv);
}

static void cr3_written(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t old, uint64_t value)
{
	(void)old;
	(void)value;
	if (!vcpu->root || vcpu->root->gfn != um_root_gfn(vcpu, vcpu->cr3))
		um_load_root(mmu, vcpu);
	mmu->count[UM_flush_local]++;
}

static void cr0_written(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t old)
{
	if (um_context_changed(vcpu, old, vcpu->cr4))
		um_load_root(mmu, vcpu);
	mmu->count[UM_flush_local]++;
}

/* Any CR4 write resets the context in 2.6.27: the roots are looked up again. */
static void cr4_written(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t old)
{
	(void)old;
	um_load_root(mmu, vcpu);
	mmu->count[UM_flush_local]++;
}

/* Only if it exits: there is nothing to repair. */
static void invlpg(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t gva)
{
	(void)vcpu;
	(void)gva;
	mmu->count[UM_flush_local]++;
}

static void invpcid(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_invpcid *inv)
{
	(void)vcpu;
	(void)inv;
	mmu->count[UM_flush_local]++;
}

static void pv_flush(struct um_mmu *mmu, struct um_vcpu *vcpu)
{
	(void)vcpu;
	mmu->count[UM_flush_local]++;
}

UM_MODEL(sync_on_write) = {
	UM_MODEL_HEAD,
	.name = "sync-on-write",
	.summary = "every write to a shadowed table exits and is emulated (KVM before 2.6.28)",
	.options = options,
	.state_bytes = sizeof(struct sow),
	.vcpu_bytes = sizeof(struct um_flood),
	.page_bytes = sizeof(struct um_page_flood),
	.create = create,
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
