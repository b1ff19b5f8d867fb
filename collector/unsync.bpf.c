// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The hooks on KVM. Each one notes a fact in the state of its vCPU or puts a record into the ring;
 * what the facts mean is for collector/assemble.c to say.
 *
 * Every hook is optional: collector/host.c knows which ones a kernel has and what a trace lacks
 * without one. Only the vCPU's own thread runs most of them, so its state, found by thread id, is
 * also how events without a vCPU argument are attributed, and is never touched from two sides.
 *
 * Pointer arguments of tracepoints are checked for NULL because kernels from 6.12 on demand it.
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "kvm_types.h"
#include "ring.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define PAGE_SHIFT 12
#define TABLE_BYTES 4096
#define PF_EXITING 0x4 /* task_struct.flags */
#define ISA_UNKNOWN 0
#define SLOT_TREE_DEPTH 24 /* of an rbtree with as many slots as KVM allows (32764) and to spare */
#define WAKE_INTERVAL 2000000 /* ns */

/* Set before loading. */
const volatile __u64 wake_bytes = 1 << 20; /* queued bytes at which the consumer is woken */
const volatile bool attached = false;	   /* the guest ran before: its tables are not known yet */
const volatile __u32 role_direct = 0;	   /* bits of a page's role, as this kernel has them */
const volatile __u32 role_passthrough = 0;
const volatile __u32 role_invalid = 0;
const volatile __u32 role_smm = 0;
const volatile int ret_fixed = -1; /* what fast_page_fault reports on success */
const volatile int ret_spurious = -1;

/* The page fault that a vCPU is having. */
struct fault {
	__u64 begin, gva;
	__u64 walk[8]; /* UT_MAX_LEVELS, rounded up so that an index can be masked */
	__u32 error;
	__u8 top, bottom;
	__u8 goal; /* level at which the host decided to map the page */
	__u8 set;  /* level at which it did, where that is traced */
	bool active;
	bool walked;  /* its own walk has begun */
	bool walking; /* and no other has begun since */
	bool reflected;
	bool mmio;
	bool fast;
	bool emulated;
};

struct vcpu {
	__u64 vcpu, kvm; /* addresses, for comparing */
	__u64 cr0, cr3, cr4, efer;
	__u64 exit_ns;
	__u64 resync_ns;
	__u32 resync_pages;
	__u32 tgid; /* thread ids are used again */
	__u32 exit_reason, exit_isa;
	__u16 vm, id;
	bool state_known;
	bool invpcid; /* an INVPCID of type 1 is being executed */
	struct fault fault;
};

struct vm {
	__u64 zapping; /* unsync page that was zapped last: its sync event belongs to that */
	__u64 rezaps;  /* pages zapped once more, after having been roots in use */
	__u32 tgid;
	__u16 id;
	__u16 pad;
};

struct process {
	__u64 vms; /* how many it has */
	__u64 sum; /* of their addresses: of a single one, its address */
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

/* Processes whose VMs are recorded. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u8);
} targets SEC(".maps");

/* By address of struct kvm. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct vm);
} vms SEC(".maps");

/* By process that has VMs. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct process);
} processes SEC(".maps");

/* By thread id. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, struct vcpu);
} vcpus SEC(".maps");

/* All zero: what a new element is made from. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vcpu);
} blank SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct exit_key);
	__type(value, struct exit_sum);
} exits SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, REC_LOST_SLOTS);
	__type(key, __u32);
	__type(value, __u64);
} lost SEC(".maps");

__u32 next_vm;	    /* number of the VM that is seen next */
__u32 lost_pending; /* records that found no room since one did */
__u32 lost_kind;
__u64 last_wake;

/*
 * Hooks are taken away one after the other, which may take seconds. With some of them gone the
 * others would tell half of the story, so all fall silent first.
 */
volatile bool stopped;

/* ---- the ring ---- */

static __always_inline void count_lost(__u32 cause, __u32 kind)
{
	__u32 slot = cause * REC_KINDS + kind;
	__u64 *n = bpf_map_lookup_elem(&lost, &slot);

	if (n)
		(*n)++;
}

static __always_inline void note_full(__u32 kind)
{
	count_lost(UT_LOST_RING_FULL, kind);
	if (!lost_pending)
		lost_kind = kind;
	else if (lost_kind != kind)
		lost_kind = 0;
	__sync_fetch_and_add(&lost_pending, 1);
}

static __always_inline void fill_head(struct rec_head *head, __u32 kind, __u32 vm, __u32 vcpu)
{
	head->time = bpf_ktime_get_ns();
	head->lost = 0;
	head->lost_kind = 0;
	head->kind = kind;
	head->vm = vm;
	head->vcpu = vcpu;
	head->pad[0] = head->pad[1] = head->pad[2] = 0;
	if (lost_pending) {
		head->lost_kind = lost_kind;
		head->lost = __sync_lock_test_and_set(&lost_pending, 0);
	}
}

/* The size must be a constant for the verifier. */
#define RESERVE(type, kind, vm, vcpu)                                                              \
	({                                                                                         \
		type *_rec = bpf_ringbuf_reserve(&ring, sizeof(type), 0);                          \
		if (_rec)                                                                          \
			fill_head((struct rec_head *)_rec, kind, vm, vcpu);                        \
		else                                                                               \
			note_full(kind);                                                           \
		_rec;                                                                              \
	})

/* Waking the consumer is what makes a ring slow, so it is done by bytes queued, never by default. */
static __always_inline void submit(void *rec)
{
	__u64 flags = BPF_RB_NO_WAKEUP, now;

	if (bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) >= wake_bytes) {
		now = ((struct rec_head *)rec)->time;
		if (now - last_wake > WAKE_INTERVAL) {
			last_wake = now;
			flags = BPF_RB_FORCE_WAKEUP;
		}
	}
	bpf_ringbuf_submit(rec, flags);
}

static __always_inline void put_value(__u32 kind, __u32 vm, __u32 vcpu, __u64 a, __u64 b)
{
	struct rec_value *r = RESERVE(struct rec_value, kind, vm, vcpu);

	if (!r)
		return;
	r->a = a;
	r->b = b;
	submit(r);
}

/* ---- who ---- */

static __always_inline bool is_target(__u32 tgid)
{
	return !stopped && bpf_map_lookup_elem(&targets, &tgid);
}

static __always_inline struct vcpu *this_vcpu(void)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 tid = id;
	struct vcpu *c = stopped ? NULL : bpf_map_lookup_elem(&vcpus, &tid);

	return c && c->tgid == id >> 32 ? c : NULL;
}

static __always_inline struct vm *known_vm(__u64 kvm)
{
	return stopped ? NULL : bpf_map_lookup_elem(&vms, &kvm);
}

static __always_inline void count_vm(__u32 tgid, __u64 kvm)
{
	struct process first = { .vms = 1, .sum = kvm }, *p;

	if (!bpf_map_update_elem(&processes, &tgid, &first, BPF_NOEXIST))
		return;
	p = bpf_map_lookup_elem(&processes, &tgid);
	if (!p)
		return;
	__sync_fetch_and_add(&p->vms, 1);
	__sync_fetch_and_add(&p->sum, kvm);
}

static __always_inline void uncount_vm(__u32 tgid, __u64 kvm)
{
	struct process *p = bpf_map_lookup_elem(&processes, &tgid);

	if (!p)
		return;
	__sync_fetch_and_add(&p->sum, -kvm);
	if (__sync_fetch_and_add(&p->vms, -1ull) == 1)
		bpf_map_delete_elem(&processes, &tgid);
}

/* The VM with this address, made known if it is new and belongs to a target. */
static __noinline struct vm *vm_of(__u64 kvm)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct vm *vm = bpf_map_lookup_elem(&vms, &kvm), new = {};
	struct rec_vm *r;

	if (vm || !is_target(tgid))
		return vm;
	new.tgid = tgid;
	new.id = __sync_fetch_and_add(&next_vm, 1);
	if (new.id == UT_NO_VM || bpf_map_update_elem(&vms, &kvm, &new, BPF_NOEXIST)) {
		/* Another thread was faster, or there are too many. */
		return bpf_map_lookup_elem(&vms, &kvm);
	}
	count_vm(tgid, kvm);

	r = RESERVE(struct rec_vm, UT_VM, new.id, UT_NO_VCPU);
	if (r) {
		r->pid = tgid;
		r->pad = 0;
		bpf_get_current_comm(r->comm, sizeof(r->comm));
		/* Whoever keeps the guest in step must hear of it before it runs. */
		bpf_ringbuf_submit(r, BPF_RB_FORCE_WAKEUP);
	}
	return bpf_map_lookup_elem(&vms, &kvm);
}

static __noinline struct vcpu *adopt(struct kvm_vcpu *vcpu)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 tid = id, zero = 0;
	struct vcpu *c, *empty;
	struct vm *vm;

	if (!is_target(id >> 32))
		return NULL;
	vm = vm_of((__u64)vcpu->kvm);
	empty = bpf_map_lookup_elem(&blank, &zero);
	if (!vm || !empty || bpf_map_update_elem(&vcpus, &tid, empty, BPF_ANY)) {
		count_lost(UT_LOST_NO_CONTEXT, UT_VM);
		return NULL;
	}
	c = bpf_map_lookup_elem(&vcpus, &tid);
	if (!c)
		return NULL;
	c->vcpu = (__u64)vcpu;
	c->kvm = (__u64)vcpu->kvm;
	c->tgid = id >> 32;
	c->vm = vm->id;
	c->id = vcpu->vcpu_id;
	return c;
}

/*
 * The state of a vCPU whose thread this is; NULL if its process is no target. Addresses are used
 * again when a VM follows another, its number is not.
 */
static __always_inline struct vcpu *enter(struct kvm_vcpu *vcpu)
{
	struct vcpu *c = this_vcpu();
	struct vm *vm;

	if (c && c->vcpu == (__u64)vcpu) {
		vm = known_vm((__u64)vcpu->kvm);
		if (vm && vm->id == c->vm)
			return c;
	}
	return adopt(vcpu);
}

/* Who causes an event that names neither VM nor vCPU. */
struct who {
	__u64 kvm;
	__u16 vm, vcpu;
};

static __always_inline bool find_who(struct who *who, __u32 kind)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct vcpu *c = this_vcpu();
	struct process *p;
	struct vm *vm;
	__u64 kvm;

	if (c) {
		who->kvm = c->kvm;
		who->vm = c->vm;
		who->vcpu = c->id;
		return true;
	}
	if (!is_target(tgid))
		return false;
	p = bpf_map_lookup_elem(&processes, &tgid);
	kvm = p && p->vms == 1 ? p->sum : 0;
	vm = kvm ? bpf_map_lookup_elem(&vms, &kvm) : NULL;
	if (!vm) {
		count_lost(UT_LOST_NO_CONTEXT, kind);
		return false;
	}
	who->kvm = kvm;
	who->vm = vm->id;
	who->vcpu = UT_NO_VCPU;
	return true;
}

/* ---- control registers ---- */

/* Other bits do not change how addresses are translated; some of them belong to the guest alone. */
#define CR0_BITS (UT_CR0_PG | UT_CR0_WP | 1)
#define CR4_BITS                                                                                   \
	(UT_CR4_PSE | UT_CR4_PAE | UT_CR4_PGE | UT_CR4_LA57 | UT_CR4_PCIDE | UT_CR4_SMEP |         \
	 UT_CR4_SMAP | 1ull << 22)
#define EFER_BITS (1ull << 8 | UT_EFER_LMA | UT_EFER_NX)

static __always_inline void check_state(struct vcpu *c, struct kvm_vcpu *vcpu)
{
	__u64 cr0 = vcpu->arch.cr0, cr3 = vcpu->arch.cr3, cr4 = vcpu->arch.cr4;
	__u64 efer = vcpu->arch.efer;
	struct rec_state *r;

	if (c->state_known && c->cr3 == cr3 && !((c->cr0 ^ cr0) & CR0_BITS) &&
	    !((c->cr4 ^ cr4) & CR4_BITS) && !((c->efer ^ efer) & EFER_BITS))
		return;
	r = RESERVE(struct rec_state, UT_STATE, c->vm, c->id);
	if (!r)
		return;
	c->state_known = true;
	c->cr0 = r->cr0 = cr0;
	c->cr3 = r->cr3 = cr3;
	c->cr4 = r->cr4 = cr4;
	c->efer = r->efer = efer;
	submit(r);
}

/*
 * The functions that every write by a guest runs through, and nothing else: the host's own setting
 * of registers takes other ways. A write that faults is noted too; the next check_state() then puts
 * the truth right.
 */
SEC("?fentry/kvm_set_cr0")
int BPF_PROG(set_cr0, struct kvm_vcpu *vcpu, unsigned long value)
{
	struct vcpu *c = enter(vcpu);

	if (!c)
		return 0;
	check_state(c, vcpu);
	c->cr0 = value;
	put_value(UT_CR, c->vm, c->id, value, 0);
	return 0;
}

SEC("?fentry/kvm_set_cr3")
int BPF_PROG(set_cr3, struct kvm_vcpu *vcpu, unsigned long value)
{
	struct vcpu *c = enter(vcpu);

	if (!c)
		return 0;
	check_state(c, vcpu);
	c->cr3 = value & ~UT_CR3_NOFLUSH;
	put_value(UT_CR, c->vm, c->id, value, 3);
	return 0;
}

SEC("?fentry/kvm_set_cr4")
int BPF_PROG(set_cr4, struct kvm_vcpu *vcpu, unsigned long value)
{
	struct vcpu *c = enter(vcpu);

	if (!c)
		return 0;
	check_state(c, vcpu);
	c->cr4 = value;
	put_value(UT_CR, c->vm, c->id, value, 4);
	return 0;
}

/* ---- invalidation ---- */

SEC("?fentry/kvm_mmu_invlpg")
int BPF_PROG(invlpg, struct kvm_vcpu *vcpu, unsigned long gva)
{
	struct vcpu *c = enter(vcpu);

	if (c)
		put_value(UT_INVLPG, c->vm, c->id, gva, 0);
	return 0;
}

/* Its operand lies in guest memory; only the functions below see it decoded. */
SEC("?fentry/kvm_handle_invpcid")
int BPF_PROG(handle_invpcid, struct kvm_vcpu *vcpu, unsigned long type)
{
	struct vcpu *c = enter(vcpu);

	if (!c)
		return 0;
	c->invpcid = type == 1;
	if (type == 2 || type == 3)
		put_value(UT_INVPCID, c->vm, c->id, 0, type);
	return 0;
}

SEC("?fentry/kvm_mmu_invpcid_gva")
int BPF_PROG(invpcid_gva, struct kvm_vcpu *vcpu, unsigned long gva, unsigned long pcid)
{
	struct vcpu *c = enter(vcpu);

	if (c)
		put_value(UT_INVPCID, c->vm, c->id, gva, (pcid & UT_CR3_PCID) << 8);
	return 0;
}

SEC("?fentry/kvm_invalidate_pcid")
int BPF_PROG(invalidate_pcid, struct kvm_vcpu *vcpu, unsigned long pcid)
{
	struct vcpu *c = enter(vcpu);

	if (c && c->invpcid) {
		c->invpcid = false;
		put_value(UT_INVPCID, c->vm, c->id, 0, (pcid & UT_CR3_PCID) << 8 | 1);
	}
	return 0;
}

SEC("?tp_btf/kvm_pv_tlb_flush")
int BPF_PROG(pv_tlb_flush, unsigned int vcpu_id, bool need_flush)
{
	struct vcpu *c = this_vcpu();

	if (c && need_flush)
		put_value(UT_PV_FLUSH, c->vm, c->id, 0, 1);
	return 0;
}

SEC("?tp_btf/kvm_hv_flush_tlb")
int BPF_PROG(hv_flush_tlb, __u64 processor_mask, __u64 address_space, __u64 flags)
{
	struct vcpu *c = this_vcpu();

	if (c) /* flag 0: all processors */
		put_value(UT_PV_FLUSH, c->vm, c->id, flags & 1 ? ~0ull : processor_mask, 0);
	return 0;
}

/* Which vCPUs the sparse set names is not known here: all of them. */
SEC("?tp_btf/kvm_hv_flush_tlb_ex")
int BPF_PROG(hv_flush_tlb_ex)
{
	struct vcpu *c = this_vcpu();

	if (c)
		put_value(UT_PV_FLUSH, c->vm, c->id, ~0ull, 0);
	return 0;
}

/* ---- faults ---- */

static __always_inline __u8 outcome_of(const struct fault *f)
{
	if (f->reflected)
		return UT_OUT_REFLECTED;
	/* A cached "no memory there" is answered before any walk. */
	if (f->mmio || (f->emulated && !f->walked && f->error & UT_PF_RESERVED))
		return UT_OUT_MMIO;
	if (f->fast)
		return UT_OUT_FAST;
	if (f->emulated)
		return UT_OUT_EMULATED;
	if (f->set || f->goal)
		return UT_OUT_FILLED;
	return UT_OUT_UNKNOWN;
}

/* Not at the fault's beginning: the record follows what the host did to pages because of it. */
static __noinline int finish_fault(struct vcpu *c)
{
	struct rec_fault *r;
	struct fault *f;

	if (!c || !c->fault.active)
		return 0;
	f = &c->fault;
	f->active = false;
	f->walking = false;
	r = RESERVE(struct rec_fault, UT_FAULT, c->vm, c->id);
	if (!r)
		return 0;
	r->begin = f->begin;
	r->gva = f->gva;
	for (int i = 0; i < UT_MAX_LEVELS; i++)
		r->walk[i] = f->walk[i];
	r->error = f->error;
	r->top = f->top;
	r->bottom = f->bottom;
	r->outcome = outcome_of(f);
	r->map_level = f->mmio ? 0 : f->set ? f->set : f->goal;
	submit(r);
	return 0;
}

static __always_inline void begin_fault(struct vcpu *c, struct kvm_vcpu *vcpu, __u64 gva,
					__u64 error)
{
	finish_fault(c);
	check_state(c, vcpu);
	__builtin_memset(&c->fault, 0, sizeof(c->fault));
	c->fault.begin = bpf_ktime_get_ns();
	c->fault.gva = gva;
	c->fault.error = error;
	c->fault.active = true;
}

SEC("?fentry/kvm_mmu_page_fault")
int BPF_PROG(page_fault, struct kvm_vcpu *vcpu, __u64 gva, __u64 error)
{
	struct vcpu *c = enter(vcpu);

	if (c)
		begin_fault(c, vcpu, gva, error);
	return 0;
}

SEC("?fexit/kvm_mmu_page_fault")
int BPF_PROG(page_fault_done, struct kvm_vcpu *vcpu)
{
	return finish_fault(this_vcpu());
}

/* Where functions cannot be hooked. The fault then ends with the next exit or entry. */
SEC("?tp_btf/kvm_page_fault")
int BPF_PROG(page_fault_tp, struct kvm_vcpu *vcpu, __u64 gva, __u64 error)
{
	struct vcpu *c = vcpu ? enter(vcpu) : NULL;

	if (c)
		begin_fault(c, vcpu, gva, error);
	return 0;
}

/*
 * The first walk of the faulting address with the fault's own error code is the fault's; what the
 * instruction emulator walks later differs in either, or comes second.
 */
SEC("?tp_btf/kvm_mmu_pagetable_walk")
int BPF_PROG(pagetable_walk, __u64 gva, __u32 access)
{
	const __u32 bits = UT_PF_PRESENT | UT_PF_WRITE | UT_PF_USER | UT_PF_FETCH;
	struct vcpu *c = this_vcpu();
	struct fault *f;

	if (!c || !c->fault.active)
		return 0;
	f = &c->fault;
	f->walking = !f->walked && gva == f->gva && !((access ^ f->error) & bits);
	if (f->walking)
		f->walked = true;
	return 0;
}

/* A walk that KVM repeats because an entry changed under it starts again at the top. */
SEC("?tp_btf/kvm_mmu_paging_element")
int BPF_PROG(paging_element, __u64 pte, int level)
{
	struct vcpu *c = this_vcpu();
	struct fault *f;

	if (!c || !c->fault.walking || level < 1 || level > UT_MAX_LEVELS)
		return 0;
	f = &c->fault;
	if (!f->top || level >= f->bottom)
		f->top = level;
	f->bottom = level;
	f->walk[(level - 1) & 7] = pte;
	return 0;
}

SEC("?tp_btf/kvm_mmu_walker_error")
int BPF_PROG(walker_error)
{
	struct vcpu *c = this_vcpu();

	if (c && c->fault.walking)
		c->fault.reflected = true;
	return 0;
}

SEC("?tp_btf/kvm_mmu_spte_requested")
int BPF_PROG(spte_requested, struct kvm_page_fault *fault)
{
	struct vcpu *c = this_vcpu();

	if (c && c->fault.active && fault)
		c->fault.goal = fault->goal_level;
	return 0;
}

/* Only needed where the host may still lower the level after spte_requested. */
SEC("?tp_btf/kvm_mmu_set_spte")
int BPF_PROG(set_spte, int level)
{
	struct vcpu *c = this_vcpu();

	if (c && c->fault.active && !c->fault.set)
		c->fault.set = level;
	return 0;
}

/* Fires for pages that are synced, too; those come before the fault's own entry is requested. */
SEC("?tp_btf/mark_mmio_spte")
int BPF_PROG(mark_mmio)
{
	struct vcpu *c = this_vcpu();

	if (c && c->fault.active && c->fault.goal)
		c->fault.mmio = true;
	return 0;
}

SEC("?tp_btf/fast_page_fault")
int BPF_PROG(fast_fault, struct kvm_vcpu *vcpu, struct kvm_page_fault *fault, __u64 *sptep,
	     __u64 old, int ret)
{
	struct vcpu *c = this_vcpu();

	if (c && c->fault.active && (ret == ret_fixed || ret == ret_spurious))
		c->fault.fast = true;
	return 0;
}

/*
 * The fault is over for the host's MMU: what follows is the write, or, for an instruction that is
 * not one to write tables with, the zap of the table, upon which the guest does it by itself.
 */
SEC("?tp_btf/kvm_emulate_insn")
int BPF_PROG(emulate_insn)
{
	struct vcpu *c = this_vcpu();

	if (c && c->fault.active) {
		c->fault.emulated = true;
		finish_fault(c);
	}
	return 0;
}

/* ---- writes ---- */

static __always_inline int table_write(struct kvm_vcpu *vcpu, __u64 gpa, const void *data,
				       int bytes)
{
	struct vcpu *c = enter(vcpu);
	struct rec_write *r;
	__u32 n = bytes;

	if (!c || bytes <= 0)
		return 0;
	c->fault.emulated = true;
	finish_fault(c);
	/* Before the first table is shadowed, KVM looks no further either. */
	if (bpf_core_field_exists(vcpu->kvm->arch.indirect_shadow_pages) &&
	    !vcpu->kvm->arch.indirect_shadow_pages)
		return 0;
	r = RESERVE(struct rec_write, UT_WRITE, c->vm, c->id);
	if (!r)
		return 0;
	__builtin_memset(r->data, 0, sizeof(r->data));
	r->gpa = gpa;
	r->bytes = n;
	r->pad = 0;
	if (n > REC_WRITE_MAX)
		n = REC_WRITE_MAX;
	bpf_probe_read_kernel(r->data, n, data);
	submit(r);
	return 0;
}

SEC("?fentry/kvm_mmu_pte_write")
int BPF_PROG(pte_write, struct kvm_vcpu *vcpu, __u64 gpa, const __u8 *data, int bytes)
{
	return table_write(vcpu, gpa, data, bytes);
}

/* Its name since 6.5. */
SEC("?fentry/kvm_mmu_track_write")
int BPF_PROG(track_write, struct kvm_vcpu *vcpu, __u64 gpa, const __u8 *data, int bytes)
{
	return table_write(vcpu, gpa, data, bytes);
}

static __always_inline int set_bit(__u64 gfn, __u32 index, __u32 size, __u64 dirty)
{
	struct who who;

	if (find_who(&who, UT_AD))
		put_value(UT_AD, who.vm, who.vcpu, gfn, index | size << 16 | dirty << 24);
	return 0;
}

SEC("?tp_btf/kvm_mmu_set_accessed_bit")
int BPF_PROG(set_accessed, unsigned long gfn, unsigned int index, unsigned int size)
{
	return set_bit(gfn, index, size, 0);
}

SEC("?tp_btf/kvm_mmu_set_dirty_bit")
int BPF_PROG(set_dirty, unsigned long gfn, unsigned int index, unsigned int size)
{
	return set_bit(gfn, index, size, 1);
}

/* ---- shadow pages ---- */

/* Where the VM's process has a guest frame mapped; 0 if nowhere. */
static __noinline __u64 find_frame(__u64 kvm, __u64 gfn, __u32 smm)
{
	__u64 where = kvm + bpf_core_field_offset(struct kvm, memslots);
	__u64 in_slot = bpf_core_field_offset(struct kvm_memory_slot, gfn_node);
	struct kvm_memory_slot *slot;
	struct kvm_memslots *slots;
	struct rb_node *node;
	__u64 base, pages;

	/* The second address space is for system management mode, if the kernel has one. */
	if (smm && bpf_core_field_size(struct kvm, memslots) > sizeof(void *))
		where += sizeof(void *);
	if (bpf_probe_read_kernel(&slots, sizeof(slots), (void *)where))
		return 0;
	in_slot += (BPF_CORE_READ(slots, node_idx) & 1) * bpf_core_type_size(struct rb_node);
	node = BPF_CORE_READ(slots, gfn_tree.rb_node);
	for (int i = 0; i < SLOT_TREE_DEPTH && node; i++) {
		slot = (void *)node - in_slot;
		base = BPF_CORE_READ(slot, base_gfn);
		pages = BPF_CORE_READ(slot, npages);
		if (gfn < base) {
			node = BPF_CORE_READ(node, rb_left);
		} else if (gfn >= base + pages) {
			node = BPF_CORE_READ(node, rb_right);
		} else {
			return BPF_CORE_READ(slot, userspace_addr) + ((gfn - base) << PAGE_SHIFT);
		}
	}
	return 0;
}

/* A guest whose process is on its way out has nothing left to be read, which is no loss. */
static __always_inline bool guest_is_dying(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return BPF_CORE_READ(task, flags) & PF_EXITING || !BPF_CORE_READ(task, mm);
}

static __always_inline void fill_page(struct rec_page *r, struct kvm_mmu_page *sp, __u32 flags)
{
	r->sp = (__u64)sp;
	r->gfn = sp->gfn;
	r->role = sp->role.word;
	r->flags = flags | (sp->unsync ? REC_PAGE_UNSYNC : 0);
}

static __always_inline void put_page(__u32 kind, struct who *who, struct kvm_mmu_page *sp)
{
	struct rec_page *r = RESERVE(struct rec_page, kind, who->vm, who->vcpu);

	if (!r)
		return;
	fill_page(r, sp, 0);
	submit(r);
}

/* With the content of the guest's table, as it is at this moment. */
static __always_inline void put_table(__u32 kind, struct who *who, struct kvm_mmu_page *sp)
{
	__u32 flags = REC_PAGE_READ;
	struct rec_table *r;
	__u64 addr;

	addr = find_frame(who->kvm, sp->gfn, sp->role.word & role_smm);
	r = RESERVE(struct rec_table, kind, who->vm, who->vcpu);
	if (!r)
		return;
	/* Zeroes the words if it fails. */
	if (!addr || bpf_probe_read_user(r->words, sizeof(r->words), (void *)addr)) {
		flags = guest_is_dying() ? 0 : REC_PAGE_UNREADABLE;
		if (!addr)
			bpf_probe_read_kernel(r->words, sizeof(r->words), NULL);
	}
	fill_page(&r->page, sp, flags);
	submit(r);
}

static __always_inline bool has_table(struct kvm_mmu_page *sp)
{
	return !(sp->role.word & (role_direct | role_passthrough));
}

SEC("?tp_btf/kvm_mmu_get_page")
int BPF_PROG(get_page, struct kvm_mmu_page *sp, bool created)
{
	__u32 kind = created ? UT_PAGE_NEW : UT_PAGE_FOUND;
	struct who who;

	if (!sp || !find_who(&who, kind))
		return 0;
	/* One that is out of sync was synced in passing: the host knows its content now. */
	if (has_table(sp) && (created || sp->unsync || attached))
		put_table(kind, &who, sp);
	else
		put_page(kind, &who, sp);
	return 0;
}

SEC("?tp_btf/kvm_mmu_unsync_page")
int BPF_PROG(unsync_page, struct kvm_mmu_page *sp)
{
	struct who who;

	if (sp && find_who(&who, UT_HOST_UNSYNC))
		put_page(UT_HOST_UNSYNC, &who, sp);
	return 0;
}

SEC("?tp_btf/kvm_mmu_sync_page")
int BPF_PROG(sync_page, struct kvm_mmu_page *sp)
{
	struct vcpu *c = this_vcpu();
	struct who who;
	struct vm *vm;

	if (!sp || !find_who(&who, UT_HOST_SYNC))
		return 0;
	vm = known_vm(who.kvm);
	if (vm && vm->zapping == (__u64)sp) {
		vm->zapping = 0;
		return 0;
	}
	if (c && c->resync_ns)
		c->resync_pages++;
	put_table(UT_HOST_SYNC, &who, sp);
	return 0;
}

static __always_inline void zap(struct who *who, struct vm *vm, struct kvm_mmu_page *sp)
{
	if (sp->role.word & role_invalid) {
		__sync_fetch_and_add(&vm->rezaps, 1);
		return;
	}
	/* Pages are zapped under the VM's MMU lock, so one place to remember it is enough. */
	vm->zapping = sp->unsync ? (__u64)sp : 0;
	if (sp->unsync)
		put_table(UT_PAGE_ZAP, who, sp);
	else
		put_page(UT_PAGE_ZAP, who, sp);
}

/* Whoever zaps, a kernel thread perhaps: the VM is an argument. */
SEC("?fentry/__kvm_mmu_prepare_zap_page")
int BPF_PROG(zap_page, struct kvm *kvm, struct kvm_mmu_page *sp)
{
	struct who who = { .kvm = (__u64)kvm, .vcpu = UT_NO_VCPU };
	struct vm *vm = known_vm(who.kvm);
	struct vcpu *c;

	if (!vm)
		return 0;
	c = this_vcpu();
	who.vm = vm->id;
	if (c && c->kvm == who.kvm)
		who.vcpu = c->id;
	zap(&who, vm, sp);
	return 0;
}

SEC("?tp_btf/kvm_mmu_prepare_zap_page")
int BPF_PROG(zap_page_tp, struct kvm_mmu_page *sp)
{
	struct who who;
	struct vm *vm;

	if (!sp || !find_who(&who, UT_PAGE_ZAP))
		return 0;
	vm = known_vm(who.kvm);
	if (vm)
		zap(&who, vm, sp);
	return 0;
}

SEC("?fentry/kvm_mmu_sync_roots")
int BPF_PROG(sync_roots, struct kvm_vcpu *vcpu)
{
	struct vcpu *c = enter(vcpu);

	if (c) {
		c->resync_ns = bpf_ktime_get_ns();
		c->resync_pages = 0;
	}
	return 0;
}

SEC("?fexit/kvm_mmu_sync_roots")
int BPF_PROG(sync_roots_done, struct kvm_vcpu *vcpu)
{
	struct vcpu *c = this_vcpu();

	if (!c || !c->resync_ns)
		return 0;
	if (c->resync_pages)
		put_value(UT_HOST_RESYNC, c->vm, c->id, bpf_ktime_get_ns() - c->resync_ns,
			  c->resync_pages);
	c->resync_ns = 0;
	return 0;
}

/* ---- exits and entries ---- */

/* Makes a vCPU known before its first root is. */
SEC("?fentry/kvm_mmu_load")
int BPF_PROG(mmu_load, struct kvm_vcpu *vcpu)
{
	struct vcpu *c = enter(vcpu);

	if (c)
		check_state(c, vcpu);
	return 0;
}

/* The classic tracepoint: the reason is not among the arguments, only in the formatted record. */
SEC("?tp/kvm/kvm_exit")
int vm_exit(struct trace_event_raw_kvm_exit *ctx)
{
	struct vcpu *c = this_vcpu();

	if (!c)
		return 0;
	c->exit_ns = bpf_ktime_get_ns();
	c->exit_reason = ctx->exit_reason;
	c->exit_isa = ctx->isa;
	return 0;
}

SEC("?tp_btf/kvm_exit")
int BPF_PROG(vm_exit_tp, struct kvm_vcpu *vcpu, __u32 isa)
{
	struct vcpu *c = this_vcpu();

	if (!c)
		return 0;
	c->exit_ns = bpf_ktime_get_ns();
	c->exit_reason = ~0u;
	c->exit_isa = isa;
	return 0;
}

static __always_inline void count_exit(struct vcpu *c)
{
	struct exit_key key = {
		.vm = c->vm,
		.vcpu = c->id,
		.reason = c->exit_reason,
		.isa = c->exit_isa,
	};
	struct exit_sum *sum, first = { .count = 1 };

	if (!c->exit_ns)
		return;
	first.ns = bpf_ktime_get_ns() - c->exit_ns;
	c->exit_ns = 0;
	sum = bpf_map_lookup_elem(&exits, &key);
	if (sum) {
		sum->count++;
		sum->ns += first.ns;
	} else if (bpf_map_update_elem(&exits, &key, &first, BPF_NOEXIST)) {
		count_lost(UT_LOST_NO_CONTEXT, UT_EXITS);
	}
}

SEC("?tp_btf/kvm_entry")
int BPF_PROG(vm_entry, struct kvm_vcpu *vcpu)
{
	struct vcpu *c = vcpu ? enter(vcpu) : NULL;

	if (!c)
		return 0;
	finish_fault(c);
	c->invpcid = false;
	check_state(c, vcpu);
	count_exit(c);
	return 0;
}

/* ---- coming and going ---- */

SEC("?tp_btf/sched_process_fork")
int BPF_PROG(process_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 from, to;
	__u8 yes = 1;

	if (!parent || !child)
		return 0;
	from = parent->tgid;
	to = child->tgid;
	if (from != to && is_target(from))
		bpf_map_update_elem(&targets, &to, &yes, BPF_ANY);
	return 0;
}

SEC("?fentry/kvm_arch_init_vm")
int BPF_PROG(init_vm, struct kvm *kvm)
{
	vm_of((__u64)kvm);
	return 0;
}

#define READ_STAT(name)                                                                            \
	r->values[i++] =                                                                           \
		bpf_core_field_exists(stat->name) ? BPF_CORE_READ(stat, name) : REC_STAT_ABSENT;

/* At the end of a VM, when nothing counts any more. */
SEC("?fexit/kvm_arch_destroy_vm")
int BPF_PROG(destroy_vm, struct kvm *kvm)
{
	__u64 key = (__u64)kvm;
	struct vm *vm = known_vm(key);
	struct kvm_vm_stat *stat = &kvm->stat;
	struct rec_stats *r;
	int i = 0;

	if (!vm)
		return 0;
	r = RESERVE(struct rec_stats, REC_VM_STATS, vm->id, UT_NO_VCPU);
	if (r) {
		__builtin_memset(r->values, 0, sizeof(r->values));
		REC_VM_STATS_LIST(READ_STAT)
		r->values[i] = vm->rezaps;
		submit(r);
	}
	put_value(UT_VM_GONE, vm->id, UT_NO_VCPU, 0, 0);
	uncount_vm(vm->tgid, key);
	bpf_map_delete_elem(&vms, &key);
	return 0;
}

SEC("?fentry/kvm_arch_vcpu_destroy")
int BPF_PROG(destroy_vcpu, struct kvm_vcpu *vcpu)
{
	__u64 key = (__u64)vcpu->kvm;
	struct vm *vm = known_vm(key);
	struct kvm_vcpu_stat *stat = &vcpu->stat;
	__u32 tid = bpf_get_current_pid_tgid();
	struct vcpu *c = this_vcpu();
	struct rec_stats *r;
	int i = 0;

	if (!vm)
		return 0;
	r = RESERVE(struct rec_stats, REC_VM_STATS, vm->id, vcpu->vcpu_id);
	if (r) {
		__builtin_memset(r->values, 0, sizeof(r->values));
		REC_VCPU_STATS_LIST(READ_STAT)
		submit(r);
	}
	put_value(UT_VM_GONE, vm->id, vcpu->vcpu_id, 0, 0);
	/* Another thread's state stays, and is found out of date when that thread runs a vCPU again. */
	if (c && c->vcpu == (__u64)vcpu)
		bpf_map_delete_elem(&vcpus, &tid);
	return 0;
}
