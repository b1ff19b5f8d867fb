/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The records that the BPF program puts into the ring for collector/assemble.c: a contract between
 * these two parts of one build, never written to a file.
 *
 * A record tells what a hook saw, raw: assemble.c turns the page's role into ours, compares tables
 * with what it last knew of them, and drops what no reader of a trace wants.
 *
 * Every byte of a record is set, padding included: a reserved record holds old ring content.
 */
#ifndef UNSYNC_COLLECTOR_RING_H
#define UNSYNC_COLLECTOR_RING_H

#include <stdint.h>

#include "trace/event.h"

/* Kinds of record that are no kind of event. They fit below REC_KINDS, as do all events of ours. */
enum {
	REC_VM_STATS = UT_KIND_END, /* KVM's own counters of a VM or a vCPU */
	REC_RUNNING_VCPU,	    /* registers of a vCPU that was there before the capture */
	REC_RUNNING_PAGE,	    /* a shadow page that was there before the capture */
	REC_KINDS = 32,
};

#define REC_FINAL 0x01u	      /* REC_VM_STATS: at the end of the VM, the vCPU or the capture */
#define REC_STATE_KNOWN 0x02u /* UT_FAULT: all that changed the vCPU's registers was told */

/*
 * What every record begins with. The entries that a walk reads are no records of their own: they are
 * gathered in the fault.
 */
struct rec_head {
	uint64_t time; /* CLOCK_MONOTONIC, ns */
	uint8_t kind;
	uint8_t flags;
	uint16_t vm;
	uint16_t vcpu;
	uint16_t pad;
};

/* UT_STATE, REC_RUNNING_VCPU */
struct rec_state {
	struct rec_head head;
	uint64_t cr0, cr3, cr4, efer;
};

/*
 * UT_CR: value, register. UT_INVLPG: address. UT_INVPCID: address, type and PCID << 8.
 * UT_PV_FLUSH: mask of vCPUs, 1 if it holds for the issuer alone. UT_AD: gfn, index | size << 16 |
 * dirty << 24. UT_HOST_RESYNC: ns, pages. UT_VM_GONE: nothing.
 */
struct rec_value {
	struct rec_head head;
	uint64_t a, b;
};

/*
 * UT_LOST: what was lost since the record before, by kind. It stands where records began to come
 * through again. Of one VM if the cause is UT_LOST_RATE.
 */
struct rec_lost {
	struct rec_head head;
	uint32_t cause; /* enum ut_lost_cause */
	uint32_t pad;
	uint32_t counts[REC_KINDS];
};

/* UT_FAULT */
struct rec_fault {
	struct rec_head head;
	uint64_t begin; /* when the host began to handle it, CLOCK_MONOTONIC, ns */
	uint64_t gva;
	uint64_t walk[UT_MAX_LEVELS];
	uint32_t error;
	uint8_t top, bottom;
	uint8_t outcome;
	uint8_t map_level;
};

#define REC_WRITE_MAX 64

/* UT_WRITE, trapped */
struct rec_write {
	struct rec_head head;
	uint64_t gpa;
	uint32_t bytes; /* may exceed REC_WRITE_MAX; then the rest of data is not known */
	uint32_t pad;
	uint8_t data[REC_WRITE_MAX];
};

#define REC_PAGE_UNSYNC 0x01u
#define REC_PAGE_READ 0x02u	  /* a struct rec_table: words hold the guest's table */
#define REC_PAGE_UNREADABLE 0x04u /* it could not be read although the guest lives */

/*
 * UT_PAGE_*, UT_HOST_UNSYNC, UT_HOST_SYNC, REC_RUNNING_PAGE. The time of a REC_RUNNING_PAGE is that
 * at which its table had been read.
 */
struct rec_page {
	struct rec_head head;
	uint64_t sp; /* address of the shadow page's descriptor: who it is, while it lives */
	uint64_t gfn;
	uint32_t role; /* as KVM has it */
	uint32_t flags;
};

struct rec_table {
	struct rec_page page;
	uint64_t words[UT_TABLE_ENTRIES];
};

/* UT_VM */
struct rec_vm {
	struct rec_head head;
	uint32_t pid;
	uint32_t pad;
	char comm[16];
};

/*
 * The counters of KVM that are stored, in the order of rec_stats.values; collector/assemble.c
 * names them in the same order. One that a kernel lacks is REC_STAT_ABSENT.
 */
#define REC_STAT_ABSENT UINT64_MAX
#define REC_VM_STATS_LIST(X)                                                                       \
	X(mmu_shadow_zapped)                                                                       \
	X(mmu_pte_write)                                                                           \
	X(mmu_pde_zapped)                                                                          \
	X(mmu_flooded)                                                                             \
	X(mmu_recycled)                                                                            \
	X(mmu_cache_miss)                                                                          \
	X(mmu_unsync)
#define REC_VCPU_STATS_LIST(X)                                                                     \
	X(exits)                                                                                   \
	X(pf_taken)                                                                                \
	X(pf_fixed)                                                                                \
	X(pf_emulate)                                                                              \
	X(pf_spurious)                                                                             \
	X(pf_fast)                                                                                 \
	X(pf_mmio_spte_created)                                                                    \
	X(pf_guest)                                                                                \
	X(tlb_flush)                                                                               \
	X(invlpg)                                                                                  \
	X(insn_emulation)
#define REC_STATS_MAX 12

/*
 * REC_VM_STATS: of the VM if head.vcpu is UT_NO_VCPU; then three more values follow, counted by the
 * BPF program. What collector/assemble.c calls them stands beside them.
 *
 * Without REC_FINAL it tells where counting began: the VM ran before the capture, and from here on
 * nothing of it (or of the vCPU) is missing from the trace.
 */
#define REC_OWN_STATS_LIST(X)                                                                      \
	X(rezaps)	  /* pages zapped once more, having been roots in use: counted twice */    \
	X(unsync_calls)	  /* times KVM asked if tables in a page may go out of sync */             \
	X(unsync_refused) /* of these, answered with no */

struct rec_stats {
	struct rec_head head;
	uint64_t values[REC_STATS_MAX];
};

/* What was lost and not told yet, by kind. */
struct losses {
	uint32_t pending; /* there are some */
	uint32_t counts[REC_KINDS];
};

/* A VM's rate: records are due one interval after the other; next is when the next one is. */
struct rate {
	uint64_t next;
	uint32_t closed; /* none is taken before the next is due */
	struct losses dropped;
};

/*
 * Of a capture. Counters of KVM are told twice: where the trace of a VM that ran before begins, and
 * at the end of the capture.
 */
enum phase { PHASE_READING, PHASE_RUNNING, PHASE_ENDING };

/* Key and value of the map of exits, summed by the BPF program. */
struct exit_key {
	uint16_t vm;
	uint16_t vcpu;
	uint32_t reason;
	uint32_t isa;
};

struct exit_sum {
	uint64_t count;
	uint64_t ns;
};

/* An element of the array of exits: unused if its count is 0. */
#define REC_NEAR_EXITS                                                                             \
	64u /* for each vCPU: the common reasons of either make of CPU differ there */
struct exit_entry {
	struct exit_key key;
	uint32_t pad;
	struct exit_sum sum;
};

#endif
