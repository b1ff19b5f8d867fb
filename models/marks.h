/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who remembers which children are out of sync: the marking that mainline has had since 2.6.28, for the
 * models that descend from the roots to what must be synced.
 *
 * Each shadow page above the leaves remembers which of its entries lead to something out of sync. When a
 * page goes out of sync, the entry that leads to it is marked in each of its parents, and so on up to the
 * roots. A walk follows the marks down, gathers what is out of sync, brings it in step, and takes the
 * marks back. The invariant is one-sided: what is out of sync, or has something below that is, is marked
 * in every parent; a mark may be stale, as the child may have been synced by way of another parent. A
 * walk that meets a stale mark takes it back. (mmu_unsync_walk(), mmu_sync_children(), kvm_mmu_mark_parents_unsync()
 * of Linux 2.6.28 to 6.12.)
 *
 * A model keeps a struct um_marks in its state and a struct um_page_marks *first* in the private memory
 * of each shadow page, calls um_marks_init() when it is created and um_marks_fini() when it is destroyed,
 * and tells of the events below. Pages out of sync need not be leaves.
 */
#ifndef UNSYNC_MODELS_MARKS_H
#define UNSYNC_MODELS_MARKS_H

#include "models/model.h"

#define UM_MARKS_WORDS (UM_ENTRIES / 64)

/* How a page remembers. Positions in UM_MARKS_CHOICES. */
enum um_marks_kind {
	UM_MARKS_BITMAP,   /* a bit for each entry, in the descriptor (0074ff63ebc, 2.6.28) */
	UM_MARKS_EXTERNAL, /* the same, allocated beside it by the first mark, kept until the zap */
	UM_MARKS_NONE,	   /* one flag; a walk looks at each entry (4731d4c7a07, the first form) */
	UM_MARKS_WORD,	   /* 64 bits, one for each 8 entries */
	UM_MARKS_LIST	   /* a linked list of the entries, newest first */
};
#define UM_MARKS_CHOICES "bitmap|external|none|word|list"

struct um_marks_chunk;

/* A model's configuration and memory. um_marks_init() sets all of it; the rules may be changed then. */
struct um_marks {
	enum um_marks_kind kind;
	bool every_ancestor; /* marking goes on past a marked parent (to 2.6.35) */
	bool zap_empty;	     /* a page that a sync leaves with nothing present goes (to 5.15) */
	bool one_by_one;     /* protect and flush for each table synced, not for a batch (2.6.28) */
	uint64_t *scanned;   /* counts entries looked at to find the marked ones; NULL: do not */

	/* marks.c's: cells for what is kept beside the descriptors */
	size_t cell;
	void *free;
	struct um_marks_chunk *chunks;
};

/* One entry of a list. */
struct um_mark {
	struct um_mark *next;
	uint16_t index;
};

/* What a page remembers; marks.c's. Must be first in the model's private memory of a page. */
struct um_page_marks {
	union {
		uint64_t bits[UM_MARKS_WORDS];
		uint64_t *external;
		uint64_t word;
		struct um_mark *list;
	};
	uint32_t marked; /* how many: entries, or groups of them; NONE: 0 or 1 */
};

/**
 * um_marks_init() - prepare, with today's rules: stop early, keep empty pages, batches of 16
 * @m: in the model's state
 * @kind: how pages remember
 * @scanned: where to count entries looked at (e.g. a counter of the model's own), or NULL
 */
void um_marks_init(struct um_marks *m, enum um_marks_kind kind, uint64_t *scanned);

/**
 * um_marks_fini() - free everything; the model's destroy() calls it
 */
void um_marks_fini(struct um_marks *m);

/**
 * um_marks_cost() - bytes that a page's descriptor holds for this, flag and counter included
 *
 * For the model's page_cost(). What is kept beside descriptors is accounted by um_bookkeeping() here.
 */
uint32_t um_marks_cost(const struct um_marks *m, const struct um_page *page);

/**
 * um_marks_below() - is anything marked in this page?
 */
static inline bool um_marks_below(const struct um_page *page)
{
	return ((const struct um_page_marks *)page->priv)->marked;
}

/**
 * um_marks_dirty() - is this page out of sync, or something marked in it?
 */
static inline bool um_marks_dirty(const struct um_page *page)
{
	return page->unsync || um_marks_below(page);
}

/**
 * um_marks_child() - the page that a marked entry leads to now: NULL if it is absent, or maps memory
 *
 * A mark may outlive the link that it was made for.
 */
struct um_page *um_marks_child(const struct um_mmu *mmu, const struct um_page *page,
			       unsigned int index);

/**
 * um_marks_unsync() - a page in sync goes out of sync: um_mark_unsync(), then its parents are marked
 */
void um_marks_unsync(struct um_mmu *mmu, struct um_marks *m, struct um_page *page);

/**
 * um_marks_linked() - a child now hangs off an entry: mark it if there is something to find below
 * @parent: NULL (the child is a vCPU's root) is allowed
 *
 * For the model's page_linked(). One whose tables go out of sync must call it for every link.
 */
void um_marks_linked(struct um_mmu *mmu, struct um_marks *m, struct um_page *parent,
		     unsigned int index, const struct um_page *child);

/**
 * um_marks_sync_page() - um_sync_page(), and the end of the page if rules and outcome say so
 *
 * The caller has write-protected the frame if @kind is UM_SYNC_PROTECTED. The page may be gone after it.
 *
 * Return: entries that were not kept; if any, a flush is due.
 */
unsigned int um_marks_sync_page(struct um_mmu *mmu, const struct um_marks *m, struct um_page *page,
				enum um_sync_kind kind);

/**
 * um_marks_sync_children() - bring everything below a page in step (mmu_sync_children())
 *
 * In batches of 16 pages and nodes, one remote flush for each that took write permission from anybody, and
 * one at the end if an entry changed; with one_by_one, for each table. The page itself is left alone.
 * Counts flushes; does not bracket itself as a resync.
 */
void um_marks_sync_children(struct um_mmu *mmu, struct um_marks *m, struct um_page *top);

/**
 * um_marks_sync_upper() - bring the tables above the leaves in step that are out of sync below a page
 *
 * One by one. Leaves and marks are left as they are: marks may be stale afterwards.
 */
void um_marks_sync_upper(struct um_mmu *mmu, struct um_marks *m, struct um_page *top);

/**
 * um_marks_zap_below() - zap what is out of sync below a page (mmu_zap_unsync_children())
 *
 * For the model's page_zapping().
 */
void um_marks_zap_below(struct um_mmu *mmu, struct um_marks *m, struct um_page *top);

/**
 * um_marks_release() - a page goes: give back what is kept beside its descriptor
 *
 * Every model calls it at the end of page_zapping().
 */
void um_marks_release(struct um_mmu *mmu, struct um_marks *m, struct um_page *page);

#endif
