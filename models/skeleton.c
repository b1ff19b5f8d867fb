// SPDX-License-Identifier: GPL-2.0-only
/*
 * A model to begin with: write-protect every table, but let one that is written again and again go out
 * of sync, and bring all such tables back in step at every flush.
 *
 * Build it as a shared object, look it over, run it:
 *
 *	cc -shared -fPIC $(pkg-config --cflags unsync) skeleton.c -o skeleton.so
 *	unsync models --check ./skeleton.so
 *	unsync replay TRACE --model sync-on-write --model ./skeleton.so:patience=4
 *
 * To make it yours: change the name at the end of this file, then the answers of the hooks. The shadow
 * MMU keeps shadow pages, parent links, reverse mappings and write protection; a model only decides
 * when a table may go out of sync, and when which tables are brought back. What each hook and helper
 * promises is in <unsync/model.h>. The one rule that must not be broken: after a guest has flushed,
 * no address may be translated by an entry that is older than the flush.
 */
#include <unsync/model.h>

/*
 * Memory of the model comes in three kinds, all zeroed when they are made and freed by the shadow MMU:
 * of the instance (mmu->state), of a shadow page (page->priv), of a vCPU (vcpu->priv). How large each is
 * stands in the table at the end. No global variables: there may be several instances at once.
 */
struct skeleton {
	uint64_t patience;	/* writes in a row to one table before it goes out of sync */
	struct um_page *unsync; /* tables out of sync, in a list through their private memory */
};

struct skeleton_page {
	struct um_page *next; /* in the list of tables out of sync */
	uint64_t writes;      /* in a row, without a flush in between */
};

/*
 * Options: the user writes NAME:patience=8. Every option has a default, which must be allowed itself.
 * The empty row ends the table.
 */
static const struct um_option options[] = {
	{ .name = "patience",
	  .help = "emulated writes to a table since the last flush before it goes out of sync",
	  .type = UM_OPT_NUMBER,
	  .min = 0,
	  .max = 1000000,
	  .def = "4" },
	{ 0 }
};

/* Counters of our own: mmu->own[] in this order; results show them under the model's name. */
enum { OWN_PATIENT, OWN_LISTS };

static const struct um_own_counter counters[] = {
	{ .name = "patient", .help = "writes emulated although the table might have gone" },
	{ .name = "lists_synced", .help = "flushes that found a table out of sync" },
	{ 0 }
};

/* Options are checked already when this is called; reading them by name here keeps the hooks fast. */
static int create(struct um_mmu *mmu)
{
	struct skeleton *s = mmu->state;

	s->patience = um_option_number(mmu, "patience");
	return 0;
}

/* ---- going out of sync ---- */

/*
 * Only leaf tables may go, and only if the frame is not also used as an upper table: an upper table out
 * of sync would have links that lead to the wrong tables.
 */
static bool may_go(const struct um_frame *frame)
{
	for (const struct um_page *p = frame->pages; p; p = p->next_of_gfn) {
		if (!(p->role & UT_ROLE_DIRECT) && ut_role_level(p->role) > 1)
			return false;
	}
	return true;
}

static bool patient(const struct skeleton *s, const struct um_frame *frame)
{
	for (const struct um_page *p = frame->pages; p; p = p->next_of_gfn) {
		const struct skeleton_page *own = p->priv;

		if (own->writes >= s->patience)
			return false;
	}
	return true;
}

/*
 * The guest wants to write to a table that is write-protected (or, if !write, a mapping of it would be
 * writable if we agreed). UM_WRITABLE promises that every shadow page of the frame is out of sync.
 */
static enum um_verdict want_writable(struct um_mmu *mmu, struct um_vcpu *vcpu,
				     struct um_frame *frame, bool write, bool prefetch)
{
	struct skeleton *s = mmu->state;

	(void)vcpu;
	if (!write || prefetch)
		return UM_EMULATE;
	if (!may_go(frame)) {
		mmu->count[UM_unsyncs_refused]++;
		return UM_EMULATE;
	}
	if (patient(s, frame)) {
		mmu->own[OWN_PATIENT]++;
		return UM_EMULATE;
	}
	for (struct um_page *p = frame->pages; p; p = p->next_of_gfn) {
		struct skeleton_page *own = p->priv;

		if ((p->role & UT_ROLE_DIRECT) || p->unsync)
			continue;
		um_mark_unsync(mmu, p);
		own->next = s->unsync;
		s->unsync = p;
	}
	return UM_WRITABLE;
}

/* A write that was emulated; guest memory has the new value already. */
static void table_written(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_frame *frame,
			  const struct ut_write *w)
{
	static const struct um_write_rule rule = { .byte_ok = true };

	for (struct um_page *p = frame->pages; p; p = p->next_of_gfn)
		((struct skeleton_page *)p->priv)->writes++;
	um_write_frame(mmu, vcpu, frame, w, &rule);
}

/* ---- coming back ---- */

/*
 * Bring every table out of sync in step. The resync is counted and timed between begin and end. Write
 * protection comes first, so that no write slips in between comparing and protecting; mappings that
 * lost write permission may be in other vCPUs' TLBs, hence the remote flush.
 */
static void sync_all(struct um_mmu *mmu, enum um_cause cause)
{
	struct skeleton *s = mmu->state;
	unsigned int lost = 0, changed = 0;

	if (!s->unsync)
		return;
	um_resync_begin(mmu, cause);
	for (struct um_page *p = s->unsync; p; p = ((struct skeleton_page *)p->priv)->next)
		lost += um_write_protect(mmu, p->frame);
	while (s->unsync) {
		struct um_page *page = s->unsync;
		struct skeleton_page *own = page->priv;

		s->unsync = own->next;
		own->next = NULL;
		own->writes = 0;
		changed += um_sync_page(mmu, page, UM_SYNC_PROTECTED);
	}
	if (lost || changed)
		mmu->count[UM_flush_remote]++;
	mmu->own[OWN_LISTS]++;
	um_resync_end(mmu);
}

/* A page goes, for whatever reason: nothing of ours may point to it afterwards. */
static void page_zapping(struct um_mmu *mmu, struct um_page *page)
{
	struct skeleton *s = mmu->state;
	struct um_page **link = &s->unsync;

	while (*link && *link != page)
		link = &((struct skeleton_page *)(*link)->priv)->next;
	if (*link)
		*link = ((struct skeleton_page *)page->priv)->next;
}

/*
 * A table is about to be linked somewhere. What was not reachable before needs no flush from the guest,
 * so nothing out of sync may become reachable in a new place; and a frame that becomes an upper table,
 * or gets a second shadow page, is write-protected, so none of its pages may stay out of sync.
 */
static void page_wanted(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_frame *frame,
			uint32_t role, struct um_page *match)
{
	(void)vcpu;
	(void)role;
	(void)match;
	for (const struct um_page *p = frame->pages; p; p = p->next_of_gfn) {
		if (p->unsync) {
			sync_all(mmu, UM_CAUSE_link);
			return;
		}
	}
}

/* ---- flushes: an exit was counted already, what the design does then is ours ---- */

static void flush(struct um_mmu *mmu, enum um_cause cause)
{
	sync_all(mmu, cause);
	mmu->count[UM_flush_local]++;
}

/* vcpu->cr3 has the new value, @old is what it had. */
static void cr3_written(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t old, uint64_t value)
{
	(void)value;
	if (!vcpu->root || um_cr3_gfn(old) != um_cr3_gfn(vcpu->cr3))
		um_load_root(mmu, vcpu);
	flush(mmu, UM_CAUSE_cr3);
}

static void cr0_written(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t old)
{
	if (um_context_changed(vcpu, old, vcpu->cr4))
		um_load_root(mmu, vcpu);
	flush(mmu, UM_CAUSE_cr0);
}

static void cr4_written(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t old)
{
	if (um_context_changed(vcpu, vcpu->cr0, old))
		um_load_root(mmu, vcpu);
	flush(mmu, UM_CAUSE_cr4);
}

/* Without this hook INVLPG would not exit; with tables out of sync it must. */
static void invlpg(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t gva)
{
	(void)vcpu;
	(void)gva;
	flush(mmu, UM_CAUSE_invlpg);
}

static void invpcid(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_invpcid *inv)
{
	(void)vcpu;
	(void)inv;
	flush(mmu, UM_CAUSE_flush);
}

static void pv_flush(struct um_mmu *mmu, struct um_vcpu *vcpu)
{
	(void)vcpu;
	flush(mmu, UM_CAUSE_flush);
}

/* Bookkeeping beside what every design has: the link of the list, for tables that may go. */
static uint32_t page_cost(const struct um_mmu *mmu, const struct um_page *page)
{
	(void)mmu;
	return ut_role_level(page->role) == 1 && !(page->role & UT_ROLE_DIRECT) ? 16 : 0;
}

/* Hooks that are not set do nothing; which ones must be set is in <unsync/model.h>. */
UM_MODEL(skeleton) = {
	UM_MODEL_HEAD,
	.name = "skeleton",
	.summary = "tables written again and again go out of sync; every flush syncs all of them",
	.options = options,
	.counters = counters,
	.state_bytes = sizeof(struct skeleton),
	.page_bytes = sizeof(struct skeleton_page),
	.create = create,
	.page_cost = page_cost,
	.page_zapping = page_zapping,
	.page_wanted = page_wanted,
	.want_writable = want_writable,
	.table_written = table_written,
	.cr3_written = cr3_written,
	.cr0_written = cr0_written,
	.cr4_written = cr4_written,
	.invlpg = invlpg,
	.invpcid = invpcid,
	.pv_flush = pv_flush,
};
