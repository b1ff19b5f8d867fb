/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside of the shadow MMU: what its files share and models do not see.
 */
#ifndef UNSYNC_MODELS_SHADOW_H
#define UNSYNC_MODELS_SHADOW_H

#include "models/mmu.h"

#define UM_FRAME_SHIFT 12
#define UM_LEVEL_BITS 9
#define UM_PSE_FRAMES 1024u /* of a large page in 32-bit tables */
/* What a trace may make an instance hold: a few bytes of it are enough to ask for a table. */
#define UM_MAX_PAGES (1u << 17)
#define UM_MAX_TABLES (1u << 17)
#define UM_PREFETCH_GROUP 8u /* entries; commit 957ed9effd8, Linux 2.6.37 */

#define UM_TOP_LEVEL 3u /* of a page that stands for four root entries */

#define UM_TOP_ENTRIES 4

/* Roots of PAE that the recorded host told of since the guest was last seen, in order. */
struct um_told {
	uint64_t gfn[UM_TOP_ENTRIES];
	unsigned int n;
	bool left; /* the vCPU gave up its roots, see um_leave_top() */
};

struct um_frame_table {
	struct um_frame **slots; /* open addressing, power of two */
	size_t size, used;
};

struct um_shadow {
	struct um_mmu pub; /* first: models hold a pointer to it */
	struct um_frame_table frames;
	struct um_frame_table
		large;		/* first frames of large mappings, for their writable entries */
	struct um_page **pages; /* by id */
	uint32_t *free_ids;
	uint32_t n_ids, cap_ids, n_free_ids, n_pages;
	struct um_page *oldest, *newest;
	size_t page_bytes; /* of the model's that the instance was made for; it may rest on another */
	struct um_page *graveyard; /* zapped during the event under way */
	/* Given up, to be used again: a run allocates for its peak only. */
	struct um_page *spare_pages; /* linked by next_of_gfn */
	uint64_t *spare_tables;	     /* each begins with the address of the next */
	struct um_vcpu vcpus[UM_MAX_VCPUS];
	struct um_told told[UM_MAX_VCPUS]; /* as vcpus */
	uint16_t n_vcpus;
	uint64_t resync_until; /* the last of the vCPUs' */
	char **options;	       /* effective values */
	uint32_t n_tables;     /* frames with content */
	int64_t bookkeeping;
	uint64_t visit;	 /* number of the last um_for_each_page() */
	bool tops;	 /* this is or was a guest with 32-bit tables or PAE */
	bool partial;	 /* the host shadowed tables whose content the trace did not give */
	bool empty_tops; /* there may be tops that nothing hangs off any more */

	/* bounds.c: tables given up during the run of writes under way */
	struct um_frame **unsettled;
	uint32_t n_unsettled, cap_unsettled;
	const struct um_frame *written_last; /* during the run of writes under way */
	const struct um_vcpu *written_by;
	const struct um_vcpu *writer; /* of the write that is being emulated, or NULL */

	bool failed;
	char failure[256];

	/* the resync under way */
	unsigned int resync_depth;
	struct um_resync resync;
	uint64_t resync_start;
	uint64_t (*clock)(void);
	void (*resync_done)(void *ctx, const struct um_resync *r);
	void *resync_ctx;

	void (*happens)(void *ctx, enum um_happening what, const struct um_page *page);
	void *happens_ctx;
};

static inline struct um_shadow *um_shadow(const struct um_mmu *mmu)
{
	return (struct um_shadow *)mmu;
}

static inline void um_tell(const struct um_mmu *mmu, enum um_happening what,
			   const struct um_page *page)
{
	const struct um_shadow *s = um_shadow(mmu);

	if (s->happens && !(page->role & UT_ROLE_DIRECT))
		s->happens(s->happens_ctx, what, page);
}

/* ---- mmu.c ---- */

/* Asks the model, at least one of the frame's pages being in sync; an answer that cannot be fails it. */
bool um_ask_writable(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_frame *frame, bool write,
		     bool prefetch);

/* ---- frames.c: guest frames, the content of tables, who maps them writable ---- */

struct um_frame *um_frame_find(const struct um_frame_table *t, uint64_t gfn);
struct um_frame *um_frame_get(struct um_mmu *mmu, struct um_frame_table *t, uint64_t gfn);
void um_frame_table_free(struct um_frame_table *t);
void um_frame_spare_free(struct um_shadow *s);
bool um_frame_know(struct um_mmu *mmu, struct um_frame *frame);
void um_frame_forget(struct um_mmu *mmu, struct um_frame *frame);
void um_frame_write(struct um_frame *frame, unsigned int offset, unsigned int size, uint64_t val);
void um_rmap_add(struct um_mmu *mmu, struct um_page *page, unsigned int index);
void um_rmap_remove(struct um_mmu *mmu, struct um_page *page, unsigned int index);

/* ---- pages.c: shadow pages and entries ---- */

struct um_page *um_get_page(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t gfn, uint32_t role);
void um_zap_recorded(struct um_mmu *mmu, struct um_page *page);
void um_link(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *parent, unsigned int index,
	     struct um_page *child);
void um_set_leaf(struct um_mmu *mmu, struct um_page *page, unsigned int index, uint64_t spte);
void um_bury(struct um_mmu *mmu);

/* ---- tops.c ---- */

/* The top has just become the vCPU's root: look up what hangs off it. */
void um_load_below_top(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *top);
/*
 * A root goes that a vCPU uses. Every vCPU gives up its four roots and looks them up anew, as nothing tells
 * whether it was one of them (is_obsolete_root() of Linux 6.1).
 */
void um_leave_top(struct um_mmu *mmu, struct um_page *top);
/* The vCPU is about to be seen: what it gave up it has looked up anew when it entered the guest. */
void um_top_reload(struct um_mmu *mmu, struct um_vcpu *vcpu);
/* The walk of a fault tells a top entry of PAE. */
void um_learn_top(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_fault *f);
/* The recorded host made or found a page: perhaps one of PAE's roots. */
void um_top_told(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_page *p);
/* The guest goes on: the roots told are all there are. */
void um_top_settle(struct um_mmu *mmu, struct um_vcpu *vcpu);
/* The recorded host gave up a root, and may begin anew to look them up. */
void um_top_unsettle(struct um_mmu *mmu);

/* ---- sync.c ---- */

/* What an entry remembers of a permission that is allowed but may not be granted. */
static inline uint64_t um_allowed(const struct um_mmu *mmu, uint64_t bits)
{
	return mmu->sync_keeps && (bits & UM_SPTE_W) ? UM_SPTE_ALLOWED : 0;
}

uint64_t um_leaf_bits(const struct um_page *page, uint64_t gpte, bool dirty);
uint32_t um_narrowed(uint32_t mode, uint32_t access, uint64_t gpte);

/* ---- bounds.c: what a trace cannot tell ---- */

void um_host_filled(struct um_frame *frame, uint64_t gva, bool four_byte);
void um_bounds_given_up(struct um_mmu *mmu, const struct um_page *page, bool flood);
void um_bounds_written(struct um_mmu *mmu, const struct um_vcpu *vcpu, struct um_frame *frame,
		       const struct ut_write *w);
void um_bounds_known(struct um_frame *frame);
void um_bounds_settle(struct um_mmu *mmu);

/* ---- fault.c ---- */

void um_fault(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_fault *f);

/* Which of the quadrants a table of 4-byte entries is shadowed by, as a part of a role. */
static inline uint32_t um_quadrant(unsigned int n)
{
	return n << UT_ROLE_QUADRANT_SHIFT & UT_ROLE_QUADRANT;
}

/* Role of the roots below a top with this role, the first one's quadrant. */
static inline uint32_t um_role_below_top(uint32_t top)
{
	return (top & ~(UT_ROLE_LEVEL | UT_ROLE_DIRECT)) | (UM_TOP_LEVEL - 1);
}

static inline uint64_t um_spte_gfn(uint64_t spte)
{
	return (spte & UM_SPTE_FRAME) >> UM_FRAME_SHIFT;
}

/* The first frame of a page of 4 MiB; bits 13 to 20 are bits 32 to 39 of its address (PSE-36). */
static inline uint64_t um_pse_gfn(uint64_t gpte)
{
	return (gpte & 0xffc00000u) >> UM_FRAME_SHIFT | (gpte & 0x1fe000u) << 7;
}

/* Frames mapped by one entry of a shadow page at a level. */
static inline uint64_t um_level_frames(unsigned int level)
{
	/* Levels begin at 1. */
	return 1ull << (UM_LEVEL_BITS * (level - 1)); // NOLINT(clang-analyzer-core.*)
}

#endif
