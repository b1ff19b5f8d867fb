// SPDX-License-Identifier: GPL-2.0-only
#include "trace/trace.h"

static const char *const kind_names[UT_KIND_END] = {
	[UT_STATE] = "state",	      [UT_CR] = "cr",
	[UT_INVLPG] = "invlpg",	      [UT_INVPCID] = "invpcid",
	[UT_PV_FLUSH] = "pv-flush",   [UT_FAULT] = "fault",
	[UT_WRITE] = "write",	      [UT_AD] = "ad",
	[UT_PAGE_NEW] = "page-new",   [UT_PAGE_FOUND] = "page-found",
	[UT_PAGE_ZAP] = "page-zap",   [UT_HOST_UNSYNC] = "host-unsync",
	[UT_HOST_SYNC] = "host-sync", [UT_HOST_RESYNC] = "host-resync",
	[UT_EXITS] = "exits",	      [UT_VM] = "vm",
	[UT_VM_GONE] = "vm-gone",     [UT_MARK] = "mark",
	[UT_LOST] = "lost",	      [UT_STAT] = "stat",
};

const char *ut_kind_name(unsigned int kind)
{
	if (kind >= UT_KIND_END || !kind_names[kind])
		return "unknown";
	return kind_names[kind];
}

const char *ut_cause_name(unsigned int cause)
{
	static const char *const names[UT_LOST_CAUSE_END] = {
		[UT_LOST_RING_FULL] = "ring-full", [UT_LOST_UNREADABLE] = "unreadable",
		[UT_LOST_RECURSION] = "recursion", [UT_LOST_NO_CONTEXT] = "no-context",
		[UT_LOST_IMPORT] = "import",	   [UT_LOST_RATE] = "rate",
	};

	return cause < UT_LOST_CAUSE_END && names[cause] ? names[cause] : "unknown";
}

/* Frame numbers of 52 bits keep every byte address within 64. */
static bool bad_gfn(uint64_t gfn)
{
	return gfn >> 52 != 0;
}

static const char *check_cr(const struct ut_cr *c)
{
	return c->cr == 0 || c->cr == 3 || c->cr == 4 ? NULL : "no such control register";
}

static const char *check_fault(const struct ut_fault *f)
{
	if (f->top > UT_MAX_LEVELS || f->map_level > UT_MAX_LEVELS)
		return "a fault with too many levels";
	if (f->bottom > f->top || (f->top && !f->bottom))
		return "a walk that ends above its start";
	if (f->outcome > UT_OUT_FAST)
		return "a fault with an unknown outcome";
	return NULL;
}

static const char *check_write(const struct ut_write *w)
{
	uint64_t excess;

	if (w->size < 1 || w->size > 8)
		return "a write of no possible size";
	if (w->offset + w->size > 4096)
		return "a write across the end of its page";
	if (bad_gfn(w->gfn))
		return "a frame number out of range";
	if (w->how < UT_HOW_TRAPPED || w->how > UT_HOW_WALK)
		return "a write known by no known means";
	excess = w->size == 8 ? 0 : ~0ull << (8 * w->size);
	if ((w->val | w->old) & excess)
		return "a written value wider than the write";
	if (!w->old_known && w->old)
		return "an old value that is said to be unknown";
	return NULL;
}

static const char *check_ad(const struct ut_ad *a)
{
	if (a->entry_size != 4 && a->entry_size != 8)
		return "an entry of no possible size";
	if (a->index >= 4096u / a->entry_size)
		return "an entry outside its table";
	return bad_gfn(a->gfn) ? "a frame number out of range" : NULL;
}

static const char *check_page(unsigned int kind, const struct ut_page *p)
{
	if (bad_gfn(p->gfn))
		return "a frame number out of range";
	if (kind != UT_PAGE_NEW || !p->known) {
		if (p->n || p->known)
			return "page content where there can be none";
		return NULL;
	}
	if (p->role & UT_ROLE_DIRECT)
		return "page content of a direct page";
	if (p->n > UT_TABLE_ENTRIES)
		return "a page with too many entries";
	for (unsigned int i = 0; i < p->n; i++) {
		if (p->entries[i].index >= UT_TABLE_ENTRIES)
			return "an entry outside its page";
		if (i && p->entries[i].index <= p->entries[i - 1].index)
			return "page entries out of order";
		if (!p->entries[i].value)
			return "a page entry that is zero";
	}
	return NULL;
}

static const char *check_lost(const struct ut_lost *l)
{
	if (l->cause < UT_LOST_RING_FULL || l->cause >= UT_LOST_CAUSE_END)
		return "a loss without a known cause";
	return NULL;
}

const char *ut_event_check(const struct ut_event *e)
{
	switch (e->kind) {
	case UT_CR:
		return check_cr(&e->cr);
	case UT_INVPCID:
		return e->invpcid.type > 3 ? "no such type of INVPCID" : NULL;
	case UT_FAULT:
		return check_fault(&e->fault);
	case UT_WRITE:
		return check_write(&e->write);
	case UT_AD:
		return check_ad(&e->ad);
	case UT_PAGE_NEW:
	case UT_PAGE_FOUND:
	case UT_PAGE_ZAP:
	case UT_HOST_UNSYNC:
	case UT_HOST_SYNC:
		return check_page(e->kind, &e->page);
	case UT_EXITS:
		return e->exits.isa > UT_ISA_SVM ? "exits of an unknown kind of CPU" : NULL;
	case UT_LOST:
		return check_lost(&e->lost);
	case UT_STATE:
	case UT_INVLPG:
	case UT_PV_FLUSH:
	case UT_HOST_RESYNC:
	case UT_VM:
	case UT_VM_GONE:
	case UT_MARK:
	case UT_STAT:
		return NULL;
	}
	return e->kind >= UT_KIND_EXT ? NULL : "an event of a reserved kind";
}
