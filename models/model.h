/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The interface between a model of a shadow-paging design and the shadow MMU under it. Installed,
 * together with the event vocabulary, as the one header <unsync/model.h>: a model is built in or is
 * a shared object of its own, from the same source (docs/writing-a-model.md).
 *
 * All models share one shadow MMU (frames.c, pages.c, fault.c, sync.c, mmu.c): shadow pages found by guest frame and role, parent
 * links, the walk, the fill, the zap, write protection. A model decides only what the designs differ
 * in: whether a table may go out of sync, who remembers that, and what is brought back in step when.
 * So a difference between two models is a difference between two designs.
 *
 * Terms (see docs/models.md): gfn = guest frame number; spte = shadow page-table entry; gpte = guest
 * page-table entry; tracked gfn = a guest table that is write-protected, as at least one shadow page
 * of it is in sync.
 *
 * Guests in four- and five-level paging have one root. Those with 32-bit tables or PAE have four, which
 * hang off four root entries that no shadowed table of the guest's holds: a *top* (um_is_top()), direct,
 * of level 3, never protected, stands for them. So a vCPU has one root there, too, and walks, parent
 * links and marks are as ever. The pages below it are those that a host has: two for a table of 4-byte
 * entries, four for a directory of them, each for its quadrant.
 */
#ifndef UNSYNC_MODELS_MODEL_H
#define UNSYNC_MODELS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/event.h"

#define UM_MAGIC 0x756d6f64u /* "umod" */
#define UM_ABI 1
#define UM_ENTRIES 512
#define UM_MAX_VCPUS 1024 /* KVM_MAX_VCPUS of Linux 6.1 */

/*
 * A shadow entry. Bit positions are those of a guest entry where both have them. The frame bits hold
 * the guest frame that the entry maps (leaf), or the number of the child page (non-leaf).
 */
#define UM_SPTE_P UT_PTE_P
#define UM_SPTE_W UT_PTE_W
#define UM_SPTE_U UT_PTE_U
#define UM_SPTE_A UT_PTE_A	      /* the trace shows that the guest used it */
#define UM_SPTE_LEAF (1ull << 9)      /* maps memory: level 1, or a large page */
#define UM_SPTE_PREFETCH (1ull << 10) /* filled without having been asked for */
#define UM_SPTE_ALLOWED (1ull << 11)  /* with sync_keeps: W is allowed, granted or not */
#define UM_SPTE_NX UT_PTE_NX
#define UM_SPTE_FRAME UT_PTE_FRAME

/* Counted results. Order and names are part of the results format; append only. */
#define UM_COUNTERS(X)                                                                             \
	X(exit_fault, "page-fault exits that filled the shadow")                                   \
	X(exit_reflect, "page-fault exits reflected into the guest")                               \
	X(exit_table_write, "exits because a write-protected table was written")                   \
	X(exit_mmio, "page-fault exits on addresses without memory")                               \
	X(exit_cr0, "CR0 write exits")                                                             \
	X(exit_cr3, "CR3 write exits")                                                             \
	X(exit_cr4, "CR4 write exits")                                                             \
	X(exit_invlpg, "INVLPG exits")                                                             \
	X(exit_invpcid, "INVPCID exits")                                                           \
	X(exit_pv_flush, "paravirtual flush exits")                                                \
	X(faults_spared, "recorded faults that this model does not take")                          \
	X(refaults_max, "further exits that the trace cannot rule out (upper bound)")              \
	X(writes, "guest writes to tables in the trace")                                           \
	X(writes_emulated, "of these, emulated")                                                   \
	X(writes_silent, "of these, not noticed when they happened")                               \
	X(unsyncs, "tables gone out of sync")                                                      \
	X(unsyncs_refused, "times a table was refused to go out of sync")                          \
	X(resyncs, "resync operations")                                                            \
	X(tables_synced, "tables compared with the guest's")                                       \
	X(tables_in_vain, "of these, nothing had changed")                                         \
	X(entries_compared, "present entries compared")                                            \
	X(entries_kept, "of these, unchanged")                                                     \
	X(entries_permission, "of these, permissions changed")                                     \
	X(entries_dropped, "of these, dropped")                                                    \
	X(entries_retargeted, "of these, dropped because they pointed elsewhere")                  \
	X(entries_fixed, "single entries brought in step by an emulated write or INVLPG")          \
	X(parents_marked, "parent entries marked")                                                 \
	X(marks_cut, "marking stopped early at a marked parent")                                   \
	X(bitmap_words, "64-bit words of bitmaps read")                                            \
	X(nodes_visited, "non-leaf pages visited on the way to a resync")                          \
	X(stale_bits, "stale marks cleared")                                                       \
	X(pages_created, "shadow pages created")                                                   \
	X(pages_reused, "shadow pages found and linked")                                           \
	X(pages_zapped, "shadow pages zapped by the design")                                       \
	X(pages_zapped_flood, "of these, by the flood detector")                                   \
	X(pages_zapped_host, "shadow pages zapped because the recorded host did")                  \
	X(roots_loaded, "roots looked up or created for a vCPU")                                   \
	X(roots_cached, "root switches answered from the cache of previous roots")                 \
	X(write_protects, "guest frames write-protected")                                          \
	X(rmap_visited, "writable entries visited for that")                                       \
	X(hash_lookups, "look-ups by guest frame")                                                 \
	X(flush_local, "local TLB flushes")                                                        \
	X(flush_remote, "remote TLB flushes")                                                      \
	X(entries_filled, "shadow entries filled by a fault")                                      \
	X(entries_prefetched, "shadow entries filled beside one")                                  \
	X(entries_reinstalled, "shadow entries installed by an emulated write or INVLPG")          \
	X(unknown_tables, "tables compared whose content the trace did not hold")                  \
	X(unmodelled_faults, "faults in a paging mode that the shadow MMU does not model")         \
	X(unsync_peak, "most tables out of sync at once")                                          \
	X(pages_peak, "most shadow pages at once")                                                 \
	X(bookkeeping_peak, "bytes of the design's own bookkeeping at peak")                       \
	X(faults_prefilled, "faults spared because the design had filled the entry by itself")     \
	X(exit_other, "exits of a kind that only this design has")                                 \
	X(rewrites_max, "of refaults_max, writes that would have been emulated again")

enum um_counter {
#define X(name, help) UM_##name,
	UM_COUNTERS(X)
#undef X
		UM_COUNTER_END
};

/* What made a resync necessary. */
#define UM_CAUSES(X)                                                                               \
	X(write, "emulated write")                                                                 \
	X(cr3, "CR3 write")                                                                        \
	X(cr0, "CR0 write")                                                                        \
	X(cr4, "CR4 write")                                                                        \
	X(invlpg, "INVLPG")                                                                        \
	X(flush, "INVPCID or paravirtual flush")                                                   \
	X(link, "table linked or shared")                                                          \
	X(evict, "bookkeeping full")

enum um_cause {
#define X(name, help) UM_CAUSE_##name,
	UM_CAUSES(X)
#undef X
		UM_CAUSE_END
};

struct um_model;

/* An instance: one model on one shadow MMU with its own copy of the guest's tables. */
struct um_mmu {
	const struct um_model *model;
	void *state;	     /* the model's: state_bytes bytes, zeroed */
	uint64_t *own;	     /* the model's own counters, in the order of its table */
	uint32_t unsync_now; /* tables out of sync */
	bool invlpg_free;    /* the model's: INVLPG does not exit now, see invlpg() */
	/*
	 * The model's, set by create(): a fault fills only its own entry (KVM before 2.6.37). The trace's
	 * host fills up to 8, so faults on the others are missing there: counted in refaults_max.
	 */
	bool no_prefetch;
	/*
	 * The model's, set by create(): a sync leaves an entry alone that leads where the guest's does and
	 * was filled with the same permissions (KVM since 6.4), also if it could be made writable by now.
	 */
	bool sync_keeps;
	uint64_t count[UM_COUNTER_END]; /* last: grows without moving anything */
};

struct um_parent {
	uint32_t page; /* number of the parent page */
	uint16_t index;
};

/* A shadow page. Models read everything, and write only what is marked. */
struct um_page {
	uint64_t gfn;
	uint32_t role;	  /* UT_ROLE_* */
	uint32_t space;	  /* um_vcpu.space of the vCPU that it was made for */
	uint32_t id;	  /* um_page_by_id() */
	uint64_t *spt;	  /* UM_ENTRIES shadow entries */
	uint32_t present; /* of these, present */
	uint32_t
		root_count; /* vCPU registers, and the model's root caches if it counts them here */
	struct um_parent *parents;
	uint32_t n_parents, cap_parents;
	struct um_frame
		*frame; /* the guest frame that it shadows, or of its first page if direct */
	struct um_page *next_of_gfn;   /* next shadow page of the same frame */
	struct um_page *older, *newer; /* all pages in order of creation */
	bool unsync;		       /* the model's: see um_mark_unsync() */
	bool gone;		       /* zapped; the memory lives until the event is over */
	uint64_t visit;		       /* um_for_each_page()'s */
	void *priv;		       /* the model's: page_bytes bytes, zeroed at creation */
};

/* A guest frame that is or may be a table. */
struct um_frame {
	uint64_t gfn;
	uint64_t *
		table; /* its content, UM_ENTRIES words; NULL if the trace did not give any of it */
	struct um_page *pages; /* shadow pages of it, direct ones included */
	uint64_t *writable;    /* leaf entries that map it writable: page id << 16 | index */
	uint32_t n_writable, cap_writable;
	void *priv;	   /* the model's: frame_bytes bytes, zeroed when the frame is first seen */
	uint32_t n_pages;  /* of these, not direct */
	uint32_t n_synced; /* of those, in sync: the frame is write-protected if not 0 */
	uint32_t host_pages; /* non-direct shadow pages that the recorded host had of it */

	/* What a trace cannot tell (bounds.c); words of a leaf table are a bit each. */
	uint64_t
		host_has[UM_ENTRIES / 64]; /* the host may have had them: using one left no trace */
	uint64_t given_up[UM_ENTRIES / 64]; /* the model had them when it gave the table up */
	uint32_t links_given_up;	    /* the same of an upper table, a number */
	uint32_t run;			    /* writes in a row since the table may be back */
	uint8_t group_words;		    /* of a leaf table: what one fault brings back */
	bool by_flood;			    /* a flood detector gave it up */
	bool returned;			    /* a use without a trace may have brought it back */
	bool unsettled;			    /* on the list of those that will be asked about */

	bool announced; /* a fault of the next write to it was counted already */
	bool partial;	/* of its content only what walks showed is known; the rest is zero */
};

struct um_vcpu {
	uint16_t id; /* as the trace numbers it */
	uint64_t cr0, cr3, cr4, efer;
	struct um_page *root; /* NULL until the first fault after a change of mode or root */
	uint32_t space; /* the model's: vCPUs of another space have shadow pages of their own */
	void *priv;	/* the model's: vcpu_bytes bytes, zeroed at first use */
	uint64_t
		resync_until; /* by the trace's times the resync of its last event takes until then */
	uint32_t fault_error; /* UT_PF_* of the fault under way; 0: there is none */
};

/* A counter that only this model has; results show it under the model's name. */
struct um_own_counter {
	const char *name; /* small letters, digits, underscores */
	const char *help;
};

enum um_option_type { UM_OPT_NUMBER, UM_OPT_BOOL, UM_OPT_CHOICE };

struct um_option {
	const char *name;
	const char *help;
	const char *def;     /* default, as the user would write it */
	const char *choices; /* UM_OPT_CHOICE: "a|b|c" */
	uint64_t min, max;   /* UM_OPT_NUMBER */
	enum um_option_type type;
};

/* May a guest frame with shadow pages be mapped writable? */
enum um_verdict {
	UM_EMULATE, /* no: it stays read-only; a write to it exits and is emulated */
	UM_WRITABLE /* yes: the model has let all its shadow pages go out of sync */
};

/*
 * A model. Hooks may be NULL unless marked required; the shadow MMU then does nothing in their place.
 * Every hook gets the instance, whose ->state is the model's own memory.
 */
struct um_model {
	uint32_t magic;	 /* UM_MAGIC */
	uint32_t abi;	 /* UM_ABI */
	uint32_t size;	 /* sizeof(struct um_model) */
	uint32_t layout; /* UM_LAYOUT */
	const char *name;
	const char *summary;		       /* one line */
	const struct um_option *options;       /* ends with a NULL name; NULL: none */
	const struct um_own_counter *counters; /* ends with a NULL name; NULL: none */
	/* private memory of an instance, a shadow page, a vCPU, a guest frame */
	size_t state_bytes, page_bytes, vcpu_bytes, frame_bytes;

	/* true: no shadow paging at all; only guest memory is kept. For the harness's own cost. */
	bool no_shadow;
	/* true: a yardstick for designs, not one of them: it is shown, but is never said to be ahead. */
	bool bound;
	/*
	 * true: the guest's tables are never write-protected, so no write to one exits and
	 * want_writable() and table_written() are never called; see table_changed().
	 */
	bool no_protect;
	/*
	 * true: meant to do what KVM does, so a replay says how far it does what the recorded host did
	 * itself, where the trace tells of that.
	 */
	bool predicts_host;
	/*
	 * true: after a CR3 write that flushes, no table is out of sync that the vCPU's root leads to; a
	 * replay that verifies holds the model to that, too.
	 */
	bool syncs_root;

	/* Options are set (um_option_*()); prepare the state. Return 0, or -1 with um_fail(). */
	int (*create)(struct um_mmu *mmu);
	/* Free what the hooks allocated, also after a create() that failed. Only if state_bytes. */
	void (*destroy)(struct um_mmu *mmu);

	/* Bytes of bookkeeping that the design keeps in the descriptor of this page. */
	uint32_t (*page_cost)(const struct um_mmu *mmu, const struct um_page *page);

	/* A page has come into being (its frame is write-protected), or is about to go (still linked). */
	void (*page_created)(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *page);
	void (*page_zapping)(struct um_mmu *mmu, struct um_page *page);

	/*
	 * A walk on @vcpu wants the shadow page (@frame, @role) and found @match in the hash, or NULL.
	 * The model may sync or zap pages, @match too; if @match is gone after this, a new one is made.
	 */
	void (*page_wanted)(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_frame *frame,
			    uint32_t role, struct um_page *match);

	/* @child is now linked from @parent's entry @index; parent NULL: it became @vcpu's root. */
	void (*page_linked)(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *parent,
			    unsigned int index, struct um_page *child);

	/* A leaf entry was installed in @page or changed, or a sync found it good. */
	void (*entry_filled)(struct um_mmu *mmu, struct um_page *page, unsigned int index);

	/*
	 * Required unless no_shadow or no_protect. A writable mapping of @frame is wanted, at least one
	 * of its shadow pages is in sync. @write: the guest is writing now (else: a read fault on a
	 * writable page, or an entry met by a prefetch if @prefetch).
	 */
	enum um_verdict (*want_writable)(struct um_mmu *mmu, struct um_vcpu *vcpu,
					 struct um_frame *frame, bool write, bool prefetch);

	/*
	 * Required unless no_shadow or no_protect. An emulated write: guest memory is already changed.
	 * Must leave no shadow page of @frame that is in sync different from it. um_write_frame() is
	 * the usual body.
	 */
	void (*table_written)(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_frame *frame,
			      const struct ut_write *w);

	/*
	 * A write to a frame that did not exit: guest memory is already changed. No hypervisor could know;
	 * for bounds, and for what the design finds out later at a cost. The frame may have no shadow page.
	 */
	void (*table_changed)(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_frame *frame,
			      const struct ut_write *w);

	/*
	 * An event of the trace, after the shadow MMU has dealt with it; also without one (no_shadow). Not
	 * called for what concerns no model: ground truth, summaries, marks.
	 */
	void (*event)(struct um_mmu *mmu, const struct ut_event *event);

	/*
	 * The recorded host gave up its last shadow page of a table, or (@direct) a direct page that begins
	 * at @frame: nothing is known of what it maps from here on. The model's own pages are gone by then.
	 */
	void (*host_gave_up)(struct um_mmu *mmu, struct um_frame *frame, bool direct);

	/*
	 * The shadow does not permit an access that the recorded host filled. Had the design filled the
	 * entry by itself before? Then the fault fills it all the same, but no exit is counted.
	 */
	bool (*prefilled)(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_fault *f);
	/* A fault that the guest's own tables cause was reflected into the guest. */
	void (*fault_reflected)(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_fault *f);

	/* A fault passed through these pages on its way (flood detectors care). */
	void (*page_used)(struct um_mmu *mmu, struct um_page *page);
	/* A fault that filled the shadow or was reflected (not one that led to an emulated write). */
	void (*fault_done)(struct um_mmu *mmu, struct um_vcpu *vcpu);

	/*
	 * Required unless no_shadow. @vcpu has the new value already, @old is what it had; @value is what
	 * the guest wrote (for CR3 with the no-flush bit). An exit was counted.
	 */
	void (*cr3_written)(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t old, uint64_t value);
	void (*cr0_written)(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t old);
	void (*cr4_written)(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t old);
	/* NULL, or um_mmu.invlpg_free set: INVLPG does not exit in this design. */
	void (*invlpg)(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t gva);
	/* Does it exit on this vCPU now? NULL: always. A design may intercept it only while it must. */
	bool (*invlpg_exits)(struct um_mmu *mmu, struct um_vcpu *vcpu);
	/*
	 * Another vCPU's event is over, and by the trace's times @vcpu's resync was still under way then:
	 * a design that goes on until nothing is out of sync meets what that event has let go.
	 */
	void (*resync_lasts)(struct um_mmu *mmu, struct um_vcpu *vcpu);
	void (*invpcid)(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_invpcid *inv);
	void (*pv_flush)(struct um_mmu *mmu, struct um_vcpu *vcpu);
};

/*
 * How a model makes itself known:
 *
 *	UM_MODEL(my_design) = {
 *		UM_MODEL_HEAD,
 *		.name = "my-design",
 *		...
 *	};
 *
 * In a shared object this is its one exported symbol; built in (with UNSYNC_BUILT_IN defined) it is
 * um_my_design, for the list in builtin.h.
 */
#ifdef UNSYNC_BUILT_IN
#define UM_MODEL(name)                                                                             \
	extern const struct um_model um_##name;                                                    \
	const struct um_model um_##name
#else
#define UM_MODEL(name)                                                                             \
	extern const struct um_model unsync_model __attribute__((visibility("default")));          \
	const struct um_model unsync_model
#endif

/* Differs, in all likelihood, if a structure that models look into was changed but UM_ABI was not. */
#define UM_LAYOUT                                                                                  \
	((uint32_t)((((sizeof(struct um_page) * 37 + sizeof(struct um_frame)) * 37 +               \
		      sizeof(struct um_vcpu)) *                                                    \
			     37 +                                                                  \
		     sizeof(struct ut_event)) *                                                    \
			    37 +                                                                   \
		    offsetof(struct um_mmu, count)))

/* What is looked at before anything else in a model is believed. */
#define UM_MODEL_HEAD                                                                              \
	.magic = UM_MAGIC, .abi = UM_ABI, .size = sizeof(struct um_model), .layout = UM_LAYOUT

/*
 * ---- for models: what the shadow MMU does for them ----
 *
 * Plug-ins find these functions in the program that loads them.
 */
#pragma GCC visibility push(default)

/**
 * um_fail() - give up: the instance ignores all further events
 * @mmu: the instance
 * @fmt: printf format of a line for the user; the first failure is kept
 *
 * Return: always -1.
 */
int um_fail(struct um_mmu *mmu, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/**
 * um_option_number(), um_option_bool(), um_option_choice() - effective value of an option
 * @mmu: the instance
 * @name: as in the model's table
 *
 * A choice is answered by its position in the table's "a|b|c". A name that is not in it, or not of
 * that type, fails the instance.
 */
uint64_t um_option_number(const struct um_mmu *mmu, const char *name);
bool um_option_bool(const struct um_mmu *mmu, const char *name);
unsigned int um_option_choice(const struct um_mmu *mmu, const char *name);

/**
 * um_page_by_id() - the shadow page with a number, or NULL if it was zapped
 */
struct um_page *um_page_by_id(const struct um_mmu *mmu, uint32_t id);

/**
 * um_child() - the shadow page that an entry links to, or NULL (absent entry, leaf entry)
 */
struct um_page *um_child(const struct um_mmu *mmu, const struct um_page *page, unsigned int index);

/**
 * um_mmu_frame() - what is known of a guest frame that is or was a table, or NULL
 */
const struct um_frame *um_mmu_frame(const struct um_mmu *mmu, uint64_t gfn);

/**
 * um_find_page() - shadow page by guest frame and role, or NULL; counts a hash look-up
 */
struct um_page *um_find_page(struct um_mmu *mmu, uint64_t gfn, uint32_t role);

/**
 * um_vcpu_at() - vCPU by position among those seen so far, or NULL past the last
 */
struct um_vcpu *um_vcpu_at(const struct um_mmu *mmu, unsigned int position);

/**
 * um_root_role() - role of a root for the vCPU's present mode; 0 if no shadow root exists in it
 */
uint32_t um_root_role(const struct um_vcpu *vcpu);

/**
 * um_load_root() - look up or create the root for the vCPU's CR3 and mode, and make it current
 *
 * Drops the reference to the root it had; with paging off that is all.
 */
void um_load_root(struct um_mmu *mmu, struct um_vcpu *vcpu);

/**
 * um_load_root_at() - as um_load_root(), but the root is the shadow page of @gfn
 * @gfn: if the mode has a top (um_root_gfn() tells), with UM_TOP_GFN set
 *
 * For designs whose hierarchies are not tied to a guest's top-level table: a frame number that no guest
 * frame has.
 */
void um_load_root_at(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t gfn);

/**
 * um_set_root() - make a page, or nothing (NULL), the vCPU's root; moves root references
 */
void um_set_root(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *root);

/**
 * um_cr3_gfn() - frame of the top-level table that a CR3 value names
 *
 * In four- and five-level paging; see um_root_gfn().
 */
static inline uint64_t um_cr3_gfn(uint64_t cr3)
{
	return (cr3 & UT_PTE_FRAME) >> 12;
}

/* Set in um_page.gfn of a top: no frame of a guest's. */
#define UM_TOP_GFN (1ull << 52)

/**
 * um_is_top() - does a page stand for the four root entries of a guest with 32-bit tables or PAE?
 */
static inline bool um_is_top(const struct um_page *page)
{
	return page->gfn & UM_TOP_GFN;
}

/**
 * um_root_gfn() - um_page.gfn of the root that a CR3 value names in the vCPU's present mode
 *
 * The frame of the table, or what a top has instead. Two CR3 values of one mode name the same root if
 * it is the same for both.
 */
uint64_t um_root_gfn(const struct um_vcpu *vcpu, uint64_t cr3);

/**
 * um_gpte_in() - the guest's entry behind a shadow entry
 * @words: the guest's table, UM_ENTRIES words
 * @role: of the shadow page: entries of 4 bytes are found by its quadrant
 * @index: of the shadow entry
 */
static inline uint64_t um_gpte_in(const uint64_t *words, uint32_t role, unsigned int index)
{
	unsigned int at;

	if (!(role & UT_ROLE_4BYTE))
		return words[index];
	at = (role & UT_ROLE_QUADRANT) >> UT_ROLE_QUADRANT_SHIFT;
	at = at * UM_ENTRIES + index;
	/* A directory entry of 4 bytes covers 4 MiB, its shadow two times 2 MiB. */
	if (ut_role_level(role) > 1)
		at /= 2;
	return words[at / 2 % UM_ENTRIES] >> (at % 2 * 32) & 0xffffffffu;
}

/**
 * um_gpte() - as um_gpte_in(), of the table as it is now; its content must be known
 */
static inline uint64_t um_gpte(const struct um_page *page, unsigned int index)
{
	return um_gpte_in(page->frame->table, page->role, index);
}

/**
 * um_gpte_gfn() - the frame that a shadow entry leads to, by the guest's entry behind it
 * @page: of the shadow entry
 * @index: of it
 * @gpte: the guest's entry; taken for a large page if it says so
 */
uint64_t um_gpte_gfn(const struct um_page *page, unsigned int index, uint64_t gpte);

/**
 * um_written_entries() - the entries of a shadow page whose guest entries some bytes belong to
 * @page: not direct
 * @offset: of the first byte in the guest's table
 * @size: bytes
 * @first: set to the first of them
 *
 * Return: how many; 0 if all belong to other quadrants. One 4-byte entry of a directory is shadowed by
 * two. (get_written_sptes() of Linux 6.1.)
 */
unsigned int um_written_entries(const struct um_page *page, unsigned int offset, unsigned int size,
				unsigned int *first);

/**
 * um_context_changed() - did the role of the root change?
 * @vcpu: with its registers as they are now
 * @cr0: as it was before
 * @cr4: as it was before
 */
bool um_context_changed(const struct um_vcpu *vcpu, uint64_t cr0, uint64_t cr4);

/**
 * um_write_protect() - take write permission from every mapping of a frame
 *
 * Return: entries that lost it; if any, a remote TLB flush is due, which the caller counts, as it may
 * protect several frames for one.
 */
unsigned int um_write_protect(struct um_mmu *mmu, struct um_frame *frame);

/**
 * um_protect_entry() - take write permission from one leaf entry
 *
 * Return: whether it had it; if so, a remote TLB flush is due, which the caller counts.
 */
bool um_protect_entry(struct um_mmu *mmu, struct um_page *page, unsigned int index);

/**
 * um_mark_unsync() - a page in sync goes out of sync. The caller remembers it by its own means.
 */
void um_mark_unsync(struct um_mmu *mmu, struct um_page *page);

enum um_sync_kind {
	UM_SYNC_PROTECTED, /* the caller has write-protected the frame: the page is in sync afterwards */
	UM_SYNC_TRANSIENT /* bring entries up to date, stay out of sync */
};

/**
 * um_sync_page() - compare each present entry of a page with the guest's and repair it
 *
 * As KVM 6.1 does (FNAME(sync_page)): entries that the guest cleared, that lost their accessed bit or
 * point elsewhere are dropped, permissions are recomputed, new guest entries are left to faults. Write
 * permission is not granted to a mapping of a write-protected frame. In a page above the leaves an entry
 * that links to a page of another frame or role than the guest's entry now asks for is dropped. The page counts as in sync
 * before the first entry is compared, as a table may map itself (commit 0c0f40bdbe4).
 *
 * Return: entries that were not kept; if any, a TLB flush is due, which the caller counts.
 */
unsigned int um_sync_page(struct um_mmu *mmu, struct um_page *page, enum um_sync_kind kind);

/**
 * um_sync_changed() - as um_sync_page(), but only entries whose guest entry differs from a snapshot
 * @snapshot: UM_ENTRIES words, the guest's table as it was when the page went out of sync or was last
 *            brought up to date; not changed here
 *
 * All present entries count as compared, those not looked into as kept (Xen, mm/shadow/multi.c).
 */
unsigned int um_sync_changed(struct um_mmu *mmu, struct um_page *page, enum um_sync_kind kind,
			     const uint64_t *snapshot);

/**
 * um_sync_entry() - compare one present entry with the guest's and repair it
 *
 * By the rules of um_sync_page(); counts the entry, not a table. An absent entry stays absent. What
 * INVLPG does since 6.4.
 *
 * Return: whether it was not kept.
 */
bool um_sync_entry(struct um_mmu *mmu, struct um_page *page, unsigned int index);

/**
 * um_zap_page() - a page goes: unlinked from parents and children, dropped from roots, freed
 * @flood: for the counters: the flood detector wanted it
 */
void um_zap_page(struct um_mmu *mmu, struct um_page *page, bool flood);

/**
 * um_discard_page() - as um_zap_page(), but refaults_max is left to the model
 */
void um_discard_page(struct um_mmu *mmu, struct um_page *page);

/**
 * um_drop_entry() - clear one shadow entry; a child is unlinked, not freed
 */
void um_drop_entry(struct um_mmu *mmu, struct um_page *page, unsigned int index);

/**
 * um_install_entry() - fill a leaf entry from the guest's table, unasked: only if the guest entry is
 * present and accessed; read-only if the frame it maps is write-protected
 *
 * Return: whether an entry was installed.
 */
bool um_install_entry(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *page,
		      unsigned int index);

/* How a design emulates a write to a table. */
struct um_write_rule {
	bool flooded;	/* a flood detector has spoken: zap every page of the frame */
	bool byte_ok;	/* a one-byte write at the start of an entry is let through (since 2011) */
	bool reinstall; /* a new guest entry that is present and accessed is installed at once */
	bool (*page_flooded)(struct um_page *page); /* a detector of each page; NULL: none */
	/* A page that is not zapped, however it is written: the entries hit are dropped. NULL: none. */
	bool (*must_stay)(const struct um_mmu *mmu, const struct um_page *page);
};

/**
 * um_write_frame() - an emulated write: drop the entries that it touched in each shadow page of the
 * frame, or zap the page if it is flooded or the write hits no whole entry
 */
void um_write_frame(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_frame *frame,
		    const struct ut_write *w, const struct um_write_rule *rule);

/**
 * um_fix_entry() - bring one leaf entry in step: drop it, then install what the guest's table holds
 *
 * What INVLPG does to an entry of a table out of sync (2.6.29 to 6.3).
 */
void um_fix_entry(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_page *page,
		  unsigned int index);

/**
 * um_for_each_page() - call a function for each non-direct shadow page of a frame
 * @fn: may zap any page, but not begin another um_for_each_page() on the same frame
 */
void um_for_each_page(struct um_mmu *mmu, struct um_frame *frame,
		      void (*fn)(struct um_mmu *mmu, struct um_page *page, void *ctx), void *ctx);

/**
 * um_index() - which entry of a shadow page of @level an address goes through
 *
 * Shadow pages have 512 entries in every mode; um_gpte() finds the guest's entry behind one.
 */
static inline unsigned int um_index(uint64_t gva, unsigned int level)
{
	return (gva >> (12 + 9 * (level - 1))) & (UM_ENTRIES - 1);
}

/**
 * um_leaf_of() - walk from a root to the leaf entry for an address
 * @root: where to begin; NULL gives NULL
 * @gva: guest virtual address
 * @index: set to the entry's index
 *
 * Return: the page that holds the entry (leaf, present or not, of a level-1 page or a large one), or
 * NULL if the walk ends above.
 */
struct um_page *um_leaf_of(const struct um_mmu *mmu, struct um_page *root, uint64_t gva,
			   unsigned int *index);

/**
 * um_resync_begin(), um_resync_end() - bracket a resync: it is counted and, if wanted, timed
 *
 * May nest; the outermost pair counts, if at least one table or entry was compared or fixed in it.
 */
void um_resync_begin(struct um_mmu *mmu, enum um_cause cause);
void um_resync_end(struct um_mmu *mmu);

/**
 * um_bookkeeping() - account bytes that the design keeps beside the descriptors (negative: freed)
 */
void um_bookkeeping(struct um_mmu *mmu, int64_t bytes);

#pragma GCC visibility pop

#endif
