/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The event vocabulary: what a guest did to its page tables, and what the recorded host did about
 * it, independent of any design.
 *
 * Every enumerator with an explicit value reaches the disk: append only, never renumber.
 */
#ifndef UNSYNC_TRACE_EVENT_H
#define UNSYNC_TRACE_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#define UT_MAX_LEVELS 5
#define UT_TABLE_ENTRIES 512 /* 8-byte words of a guest table page, whatever its entry size */
#define UT_NO_VCPU 0xffff    /* the event belongs to the VM, or to the whole capture */
#define UT_NO_VM 0xffff	     /* the event belongs to the whole capture */

enum ut_kind {
	UT_STATE = 1,	     /* control registers of a vCPU when first seen, or found changed */
	UT_CR = 2,	     /* the guest wrote CR0, CR3 or CR4 */
	UT_INVLPG = 3,	     /* the guest executed INVLPG */
	UT_INVPCID = 4,	     /* the guest executed INVPCID */
	UT_PV_FLUSH = 5,     /* the guest asked for a TLB flush by a paravirtual interface */
	UT_FAULT = 6,	     /* a page fault exit, with the guest walk and how it ended */
	UT_WRITE = 7,	     /* the guest wrote into a shadowed table */
	UT_AD = 8,	     /* the hypervisor set accessed or dirty in a guest table */
	UT_PAGE_NEW = 9,     /* the host created a shadow page; holds the guest table's content */
	UT_PAGE_FOUND = 10,  /* the host found an existing shadow page for a walk or a root */
	UT_PAGE_ZAP = 11,    /* the host zapped a shadow page */
	UT_HOST_UNSYNC = 12, /* the host let a table go out of sync */
	UT_HOST_SYNC = 13,   /* the host synced a table */
	UT_HOST_RESYNC = 14, /* the host finished syncing a root: how long that took */
	UT_EXITS = 15,	     /* summary: exits of one reason, count and time */
	UT_VM = 16,	     /* a VM was seen: process and name */
	UT_VM_GONE = 17,     /* a VM or (with a vCPU) one of its vCPUs ended */
	UT_MARK = 18,	     /* text put in by the user */
	UT_LOST = 19,	     /* events lost between the previous event and this one */
	UT_STAT = 20,	     /* one of the host's own statistics of the VM */
	UT_KIND_END	     /* kinds from here to UT_KIND_EXT - 1 are reserved */
};

/* Kinds from here on carry a length on disk, so that a reader which does not know them skips them. */
#define UT_KIND_EXT 32
#define UT_KIND_MAX 255

/*
 * Role of a shadow page, normalised: the bit layout of KVM's union kvm_mmu_page_role differs between
 * kernels, ours does not.
 */
#define UT_ROLE_LEVEL 0x0000000fu    /* 1 = last level */
#define UT_ROLE_4BYTE 0x00000010u    /* guest entries are 4 bytes wide */
#define UT_ROLE_QUADRANT 0x00000060u /* which part of a 4-byte-entry table */
#define UT_ROLE_QUADRANT_SHIFT 5
#define UT_ROLE_DIRECT 0x00000080u /* no guest table behind it */
#define UT_ROLE_EXEC 0x00000100u   /* access inherited along the walk */
#define UT_ROLE_WRITE 0x00000200u
#define UT_ROLE_USER 0x00000400u
#define UT_ROLE_ACCESS 0x00000700u
#define UT_ROLE_EFER_NX 0x00000800u
#define UT_ROLE_CR0_WP 0x00001000u
#define UT_ROLE_SMEP_NOT_WP 0x00002000u /* SMEP on while CR0.WP is off */
#define UT_ROLE_SMAP_NOT_WP 0x00004000u
#define UT_ROLE_AD_DISABLED 0x00008000u
#define UT_ROLE_GUEST_MODE 0x00010000u /* shadows a nested guest's tables */
#define UT_ROLE_SMM 0x00020000u
#define UT_ROLE_PASSTHROUGH 0x00040000u
#define UT_ROLE_INVALID 0x00080000u /* zapped, but still a root in use */

/* Bits of guest page-table entries and registers that everybody needs. */
#define UT_PTE_P 0x001ull
#define UT_PTE_W 0x002ull
#define UT_PTE_U 0x004ull
#define UT_PTE_A 0x020ull
#define UT_PTE_D 0x040ull
#define UT_PTE_PS 0x080ull /* large page, in levels above 1 */
#define UT_PTE_G 0x100ull
#define UT_PTE_NX (1ull << 63)
#define UT_PTE_FRAME 0x000ffffffffff000ull
#define UT_CR0_PG (1ull << 31)
#define UT_CR0_WP (1ull << 16)
#define UT_CR4_PSE (1ull << 4)
#define UT_CR4_PAE (1ull << 5)
#define UT_CR4_PGE (1ull << 7)
#define UT_CR4_LA57 (1ull << 12)
#define UT_CR4_PCIDE (1ull << 17)
#define UT_CR4_SMEP (1ull << 20)
#define UT_CR4_SMAP (1ull << 21)
#define UT_CR4_PKE (1ull << 22)
#define UT_CR3_NOFLUSH (1ull << 63)
#define UT_CR3_PCID 0xfffull
#define UT_EFER_LME (1ull << 8)
#define UT_EFER_LMA (1ull << 10)
#define UT_EFER_NX (1ull << 11)

/* Error code of a fault, as the x86 architecture numbers its bits. */
#define UT_PF_PRESENT 0x01u
#define UT_PF_WRITE 0x02u
#define UT_PF_USER 0x04u
#define UT_PF_RESERVED 0x08u
#define UT_PF_FETCH 0x10u

enum ut_outcome {
	UT_OUT_UNKNOWN = 0,
	UT_OUT_FILLED = 1,    /* the shadow was filled, the guest retries */
	UT_OUT_REFLECTED = 2, /* the guest's tables do not permit it: injected into the guest */
	UT_OUT_EMULATED = 3,  /* a write to a write-protected table: UT_WRITE events follow */
	UT_OUT_MMIO = 4,      /* no memory there */
	UT_OUT_FAST = 5,      /* repaired without the MMU lock */
};

enum ut_how {
	UT_HOW_TRAPPED = 1, /* the host emulated it: exact */
	UT_HOW_WINDOW =
		2,	 /* table compared at both ends of an out-of-sync window: net effect only */
	UT_HOW_WALK = 3, /* a later walk, or reading the table after a loss, showed another value */
};

enum ut_lost_cause {
	UT_LOST_RING_FULL = 1,	/* the consumer was too slow */
	UT_LOST_UNREADABLE = 2, /* guest memory could not be read */
	UT_LOST_RECURSION = 3,	/* a probe hit while the same probe was running */
	UT_LOST_NO_CONTEXT = 4, /* the event could not be attributed to a VM or vCPU */
	UT_LOST_IMPORT =
		5, /* the imported recording has not what it takes, or says that records were lost */
	UT_LOST_RATE = 6, /* the VM had more events than the capture was told to take */
	UT_LOST_CAUSE_END
};

#define UT_ISA_UNKNOWN 0
#define UT_ISA_VMX 1
#define UT_ISA_SVM 2

struct ut_state {
	uint64_t cr0, cr3, cr4, efer;
};

struct ut_cr {
	uint64_t value; /* as written: CR3 with PCID (bits 0-11) and no-flush (bit 63) */
	uint8_t cr;	/* 0, 3 or 4 */
};

struct ut_invlpg {
	uint64_t gva;
};

struct ut_invpcid {
	uint64_t gva; /* type 0 only */
	uint16_t pcid;
	uint8_t type; /* 0 address, 1 context, 2 all with globals, 3 all but globals */
};

/*
 * The event comes after the pages that the host created or found while it handled the fault, and
 * before the writes that were emulated because of it; so a reader knows every table of the walk.
 */
struct ut_fault {
	uint64_t gva;
	uint64_t walk[UT_MAX_LEVELS]; /* entry read at level i+1, before accessed/dirty were set */
	uint32_t error;		      /* UT_PF_* */
	uint8_t top;		      /* level of the first entry read; 0: paging off, no walk */
	uint8_t bottom;		      /* level of the last entry read */
	uint8_t outcome;	      /* enum ut_outcome */
	uint8_t map_level;	      /* level at which the host mapped the page; 0: it did not */
};

struct ut_write {
	uint64_t gfn;
	uint64_t old; /* meaningful if old_known; zero otherwise */
	uint64_t val; /* the bytes written, little endian, the rest zero */
	uint16_t offset;
	uint8_t size; /* bytes, 1 to 8; a write that crosses the page end is two events */
	uint8_t how;  /* enum ut_how */
	bool old_known;
};

struct ut_ad {
	uint64_t gfn;
	uint16_t index;	    /* of the entry */
	uint8_t entry_size; /* 4 or 8 bytes */
	bool dirty;	    /* false: accessed */
};

struct ut_entry {
	uint16_t index; /* of the 8-byte word */
	uint64_t value;
};

/* UT_PAGE_NEW, UT_PAGE_FOUND, UT_PAGE_ZAP, UT_HOST_UNSYNC, UT_HOST_SYNC */
struct ut_page {
	uint64_t gfn;
	uint32_t role;			/* UT_ROLE_* */
	bool unsync;			/* FOUND and ZAP: it was out of sync at that moment */
	bool known;			/* NEW: entries hold the content (never for direct pages) */
	uint16_t n;			/* NEW: words that are not zero, in rising order of index */
	const struct ut_entry *entries; /* owned by whoever made the event */
};

struct ut_resync {
	uint64_t ns;	/* host time from start to end */
	uint32_t pages; /* tables synced in it */
};

struct ut_exits {
	uint64_t count;
	uint64_t ns;	 /* from exit to the next entry, summed */
	uint32_t reason; /* the CPU vendor's number */
	uint8_t isa;	 /* UT_ISA_* */
};

struct ut_lost {
	uint64_t count;
	uint8_t cause; /* enum ut_lost_cause */
	uint8_t kind;  /* of what was lost; 0: any */
};

/* UT_VM (value: process id), UT_MARK, UT_STAT (value: the counter; final: at the end of the capture) */
struct ut_text {
	uint64_t value;
	const char *text; /* owned by whoever made the event; not terminated */
	uint16_t len;	  /* bytes */
	bool final;
};

struct ut_event {
	uint64_t time; /* ns since the start of the capture */
	uint16_t vm;   /* small number given by the capture */
	uint16_t vcpu; /* KVM's vCPU id */
	uint8_t kind;  /* enum ut_kind; a kind from UT_KIND_EXT on has no fields */
	union {
		struct ut_state state;
		struct ut_cr cr;
		struct ut_invlpg invlpg;
		struct ut_invpcid invpcid;
		struct ut_fault fault;
		struct ut_write write;
		struct ut_ad ad;
		struct ut_page page;
		struct ut_resync resync;
		struct ut_exits exits;
		struct ut_lost lost;
		struct ut_text text;
	};
};

/* Models in shared objects may call these, too. */
#pragma GCC visibility push(default)

/**
 * ut_kind_name() - short lower-case name of a kind, as dump prints it and filters take it
 * @kind: enum ut_kind, or any other number
 *
 * Return: a static string; "unknown" for a kind that this version does not know.
 */
const char *ut_kind_name(unsigned int kind);

/**
 * ut_cause_name() - short lower-case name of a cause of losses: "ring-full", "rate" ...
 * @cause: enum ut_lost_cause
 *
 * Return: a static string; "unknown" if there is no such cause.
 */
const char *ut_cause_name(unsigned int cause);

/**
 * ut_exit_name() - what people call an exit reason
 * @isa: UT_ISA_*
 * @reason: the CPU vendor's number
 *
 * Return: a static string; NULL if there is no name for it.
 */
const char *ut_exit_name(unsigned int isa, uint32_t reason);

#pragma GCC visibility pop

static inline unsigned int ut_role_level(uint32_t role)
{
	return role & UT_ROLE_LEVEL;
}

#endif
