// SPDX-License-Identifier: GPL-2.0-only
/*
 * A bound from the other side: nested (two-dimensional) paging, the hardware that made shadow paging
 * the exception. The guest owns its tables, its CR3 and its TLB: none of that exits. What exits is the
 * first use of a guest frame that the host has not mapped yet, and an address without memory. The price
 * is paid at each TLB miss: every table of the guest's is itself found by a walk of the host's.
 *
 * What a trace can say of that is little, as hardware misses its TLB without telling anybody:
 *
 *   walks_min  accesses that must have walked whatever the TLB held: the walk found nothing present
 *              (a TLB holds no such thing), or an entry with A clear, or on a write a leaf with D clear
 *              (the processor walks to set them). A guest that clears A and does not flush may make this
 *              count one too many.
 *   walks_seen all recorded faults that walked. The shadow did not hold the translation, so the TLB
 *              under it did not either; but one that nested paging would have kept, say over a write that
 *              the shadow answered by dropping the entry, may have been there. Not an upper bound: misses
 *              for want of room are in no trace of page faults.
 *
 * The references are those of walks_min without paging-structure caches: for a walk through g guest
 * levels over h of the host's, g in one dimension, (g + 1)(h + 1) - 1 in two (24 for 4 and 4).
 *
 * First uses: exit_fault counts regions of 2 MiB, as a host that backs the guest with large pages would
 * map them; with pages of 4 KiB there are as many exits as frames, which is the upper bound. Memory that
 * was in use before the capture began was mapped then, and is counted all the same.
 */
#include "models/builtin.h"

#include <stdlib.h>

#define REGION_SHIFT 9
#define REGION_FRAMES (1u << REGION_SHIFT)
#define MAX_REGIONS (1u << 21) /* 4 TiB */
#define GROUP 8u	       /* entries that the recorded host filled with one fault */

enum {
	OWN_walks_min,
	OWN_walks_seen,
	OWN_refs_1d,
	OWN_refs_2d,
	OWN_frames_touched,
	OWN_guest_faults,
};

struct region {
	uint64_t number; /* gfn >> REGION_SHIFT, plus 1; 0: free slot */
	uint64_t frames[REGION_FRAMES / 64];
};

struct nested {
	struct region *regions; /* open addressing, a power of two */
	uint32_t n, size;
	unsigned int host_levels;
};

static const struct um_option options[] = { { .name = "host_levels",
					      .help = "levels of the host's own tables",
					      .type = UM_OPT_NUMBER,
					      .min = 2,
					      .max = 5,
					      .def = "4" },
					    { 0 } };

static const struct um_own_counter counters[] = {
	[OWN_walks_min] = { "walks_min", "TLB misses that the trace proves" },
	[OWN_walks_seen] = { "walks_seen", "recorded faults that walked the guest's tables" },
	[OWN_refs_1d] = { "refs_1d", "memory references of walks_min in one dimension" },
	[OWN_refs_2d] = { "refs_2d", "memory references of walks_min in two dimensions" },
	[OWN_frames_touched] = { "frames_touched",
				 "guest frames of 4 KiB used for the first time" },
	[OWN_guest_faults] = { "guest_faults",
			       "page faults of the guest's own, which do not exit" },
	{ 0 }
};

static int create(struct um_mmu *mmu)
{
	struct nested *s = mmu->state;

	s->host_levels = (unsigned int)um_option_number(mmu, "host_levels");
	return 0;
}

static void destroy(struct um_mmu *mmu)
{
	free(((struct nested *)mmu->state)->regions);
}

/* ---- which frames were used ---- */

static struct region *slot_of(const struct nested *s, uint64_t number)
{
	uint32_t i = (uint32_t)(number * 0x9e3779b97f4a7c15ull >> 32) & (s->size - 1);

	while (s->regions[i].number && s->regions[i].number != number)
		i = (i + 1) & (s->size - 1);
	return &s->regions[i];
}

static bool grow(struct um_mmu *mmu)
{
	struct nested *s = mmu->state;
	struct nested old = *s;

	if (s->n == MAX_REGIONS) {
		um_fail(mmu, "more than %u regions of 2 MiB in use", MAX_REGIONS);
		return false;
	}
	s->size = s->size ? s->size * 2 : 64;
	s->regions = calloc(s->size, sizeof(*s->regions));
	if (!s->regions) {
		*s = old;
		um_fail(mmu, "out of memory for the regions in use");
		return false;
	}
	for (uint32_t i = 0; i < old.size; i++) {
		if (old.regions[i].number)
			*slot_of(s, old.regions[i].number) = old.regions[i];
	}
	free(old.regions);
	return true;
}

/* A frame is used, or (@maybe) may have been: then only the upper bound takes note. */
static void touch(struct um_mmu *mmu, uint64_t gfn, bool maybe)
{
	struct nested *s = mmu->state;
	uint64_t number = (gfn >> REGION_SHIFT) + 1, bit = 1ull << (gfn & 63);
	uint64_t *word;
	struct region *r;

	if (s->n * 2 >= s->size && !grow(mmu))
		return;
	r = slot_of(s, number);
	if (!r->number && maybe)
		return;
	word = &r->frames[(gfn & (REGION_FRAMES - 1)) / 64];
	if (!r->number) {
		r->number = number;
		s->n++;
		mmu->count[UM_exit_fault]++;
	} else if (!(*word & bit)) {
		mmu->count[UM_refaults_max]++;
	}
	if (!(*word & bit))
		mmu->own[OWN_frames_touched]++;
	*word |= bit;
}

/* What the recorded host filled beside the entry that was asked for shows no fault when it is used. */
static void touch_around(struct um_mmu *mmu, const struct ut_fault *f)
{
	const struct um_frame *frame = um_mmu_frame(mmu, (f->walk[1] & UT_PTE_FRAME) >> 12);
	unsigned int first = um_index(f->gva, 1) & ~(GROUP - 1);

	if (f->bottom != 1 || f->top < 2 || !frame || !frame->table)
		return;
	for (unsigned int i = first; i < first + GROUP; i++) {
		uint64_t gpte = frame->table[i];

		if ((gpte & UT_PTE_P) && (gpte & UT_PTE_A))
			touch(mmu, (gpte & UT_PTE_FRAME) >> 12, true);
	}
}

static void touch_walk(struct um_mmu *mmu, const struct ut_fault *f)
{
	uint64_t inside = f->bottom ? (1ull << (9 * (f->bottom - 1))) - 1 : 0;
	uint64_t gfn = f->gva >> 12;

	/* Paging is off: the address is physical. */
	if (!f->top) {
		touch(mmu, gfn, false);
		return;
	}
	for (unsigned int level = f->top; level >= f->bottom && level; level--) {
		uint64_t gpte = f->walk[level - 1];

		if (!(gpte & UT_PTE_P))
			return;
		if (level > f->bottom)
			touch(mmu, (gpte & UT_PTE_FRAME) >> 12, false);
		else if (f->outcome != UT_OUT_REFLECTED)
			touch(mmu, (((gpte & UT_PTE_FRAME) >> 12) & ~inside) | (gfn & inside),
			      false);
	}
	if (f->outcome != UT_OUT_REFLECTED)
		touch_around(mmu, f);
}

/* ---- walks ---- */

static bool proven(const struct ut_fault *f)
{
	for (unsigned int level = f->top; level >= f->bottom && level; level--) {
		if (!(f->walk[level - 1] & UT_PTE_P) || !(f->walk[level - 1] & UT_PTE_A))
			return true;
	}
	return (f->error & UT_PF_WRITE) && f->outcome != UT_OUT_REFLECTED && f->bottom &&
	       !(f->walk[f->bottom - 1] & UT_PTE_D);
}

static void count_walk(struct um_mmu *mmu, const struct ut_fault *f)
{
	const struct nested *s = mmu->state;
	unsigned int guest, host = s->host_levels;

	if (!f->top || f->bottom > f->top)
		return;
	mmu->own[OWN_walks_seen]++;
	if (!proven(f))
		return;
	guest = f->top - f->bottom + 1u;
	mmu->own[OWN_walks_min]++;
	mmu->own[OWN_refs_1d] += guest;
	mmu->own[OWN_refs_2d] += guest * (host + 1);
	/* The frame at the end has to be found, too. */
	if (f->walk[f->bottom ? f->bottom - 1 : 0] & UT_PTE_P)
		mmu->own[OWN_refs_2d] += host;
}

static void event(struct um_mmu *mmu, const struct ut_event *e)
{
	if (e->kind == UT_PAGE_NEW && !(e->page.role & UT_ROLE_DIRECT))
		touch(mmu, e->page.gfn, false);
	if (e->kind != UT_FAULT)
		return;
	count_walk(mmu, &e->fault);
	if (e->fault.outcome == UT_OUT_MMIO) {
		mmu->count[UM_exit_mmio]++;
		return;
	}
	if (e->fault.outcome == UT_OUT_REFLECTED)
		mmu->own[OWN_guest_faults]++;
	touch_walk(mmu, &e->fault);
}

UM_MODEL(nested) = {
	UM_MODEL_HEAD,
	.name = "nested",
	.bound = true,
	.summary =
		"bound: two-dimensional paging, no exits for the guest's tables, dearer TLB misses",
	.options = options,
	.counters = counters,
	.state_bytes = sizeof(struct nested),
	.no_shadow = true,
	.create = create,
	.destroy = destroy,
	.event = event,
};
