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
#include <stddef.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "kvm_file.h"
#include "kvm_types.h"
#include "ring.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define PAGE_SHIFT 12
#define TABLE_BYTES 4096
#define PF_EXITING 0x4 /* task_struct.flags */
#define ISA_UNKNOWN 0
#define SLOT_TREE_DEPTH 24 /* of an rbtree with as many slots as KVM allows (32764) and to spare */
#define WAKE_INTERVAL 2000000	/* ns */
#define RATE_BURST 100000000ull /* ns: how far a VM's records may run ahead of its rate */
#define RATE_SLOTS 1024
#define NEAR_VCPUS 1024 /* a power of two */
#define FREED (~0u)
#define PAE_LEVELS 3
#define AD_MAX 8 /* for one walk: accessed on each level, dirty on the last */

/* Set before loading. */
const volatile __u64 wake_bytes = 1 << 20; /* queued bytes at which the consumer is woken */
const volatile __u64 rate_interval = 0;	   /* ns between a VM's records; 0: no cap */
const volatile bool exact = false;	   /* refusals are counted */
const volatile __u32 role_direct = 0;	   /* bits of a page's role, as this kernel has them */
const volatile __u32 role_passthrough = 0;
const volatile __u32 role_invalid = 0;
const volatile __u32 role_smm = 0;
const volatile int ret_fixed = -1; /* what fast_page_fault reports on success */
const volatile int ret_spurious = -1;
const volatile int exit_pointer = -1;	/* where a vCPU has the reason of its last exit: see */
const volatile int exit_offset = -1;	/* struct host */
const volatile bool exit_stays = false; /* it is still there when the guest is entered again */
const volatile int exit_fault = -1; /* the reason of an exit that was a page fault, -1: unknown */

/* The page fault that a vCPU is having. */
struct fault {
	__u64 begin, gva;
	__u64 emulations; /* that its vCPU had done before, as KVM counts them */
	__u64 walk[8];	  /* UT_MAX_LEVELS, rounded up so that an index can be masked */
	__u64 ad[AD_MAX]; /* accessed and dirty bits that its walk set: see note_ad() */
	__u32 error;
	/* From here on zero when it begins. */
	bool active;
	bool walked;  /* its own walk has begun */
	bool walking; /* and no other has begun since */
	bool reflected;
	__u8 top, bottom;
	__u8 goal; /* level at which the host decided to map the page */
	__u8 set;  /* level at which it did, where that is traced */
	bool mmio;
	bool fast;
	bool emulated;
	__u8 n_ad;
};

/* What is known of the exit from which a vCPU comes back. */
enum exit_state {
	EXIT_TOLD,   /* its reason was noted, or there was none */
	EXIT_UNREAD, /* its reason was not needed yet */
	EXIT_FAULT,  /* nothing but a page fault */
};

/* A stretch of guest memory. */
struct slot {
	__u64 set, generation; /* the VM's slots as they were, address and number */
	__u64 base, pages;     /* in frames */
	__u64 addr;	       /* in the VM's process */
};

struct vcpu {
	__u32 tid; /* of a near one: whose it is; 0 nobody's yet, FREED nobody's any more */
	__u32 pad;
	__u64 vcpu, kvm; /* addresses, for comparing */
	__u64 cr0, cr3, cr4, efer;
	__u64 exit_ns;
	__u64 exit_from; /* where its reason is, but for exit_offset; 0 if not looked up yet */
	__u64 resync_ns;
	__u32 resync_pages;
	__u32 tgid;	/* thread ids are used again */
	__u32 vms_gone; /* the global of that name, when its VM was last found */
	__u32 exit_reason, exit_isa;
	__u16 vm, id;
	bool state_known; /* the registers above are as told */
	bool invpcid;	  /* an INVPCID of type 1 is being executed */
	__u8 exit_state;  /* enum exit_state */
	__u8 told;	  /* enum phase: up to which one its counters were told */
	struct slot slot; /* the last that was looked for */
	struct fault fault;
};

struct vm {
	__u64 rezaps; /* pages zapped once more, after having been roots in use */
	__u64 unsync_calls, unsync_refused;
	__u64 changes; /* while somebody watches: times that its pages or tables changed */
	__u32 bucket;  /* of its pages, where reading them goes on */
	__u32 tgid;
	__u16 id;
	bool announced; /* UT_VM was told */
	bool ran;	/* it was there before the capture */
	__u8 told;	/* enum phase: up to which one its counters were told */
	__u8 pad[3];
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

/*
 * vCPUs by thread id. Nearly all have a place of their own here, at tid modulo the size, where they
 * are found at once; so do threads that are no vCPUs. Those that find their place taken are below.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NEAR_VCPUS);
	__type(key, __u32);
	__type(value, struct vcpu);
} near_vcpus SEC(".maps");

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

/*
 * The page out of sync that was zapped last on this CPU: its sync event belongs to that. Both happen
 * under a VM's MMU lock, whoever zaps, so nothing comes between them.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} zapping SEC(".maps");

/*
 * Exits of the vCPUs that have a place in near_vcpus, at that place times REC_NEAR_EXITS plus the low
 * bits of the reason. Whoever comes first keeps it, the others are below.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NEAR_VCPUS *REC_NEAR_EXITS);
	__type(key, __u32);
	__type(value, struct exit_entry);
} near_exits SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct exit_key);
	__type(value, struct exit_sum);
} exits SEC(".maps");

/* By number of the VM, modulo the size; a single one if there is no cap. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RATE_SLOTS);
	__type(key, __u32);
	__type(value, struct rate);
} rates SEC(".maps");

__u32 next_vm;	/* number of the VM that is seen next */
__u32 vms_gone; /* VMs that ended */
__u64 last_wake;
__u64 queued;		/* bytes since then; an addition that is lost between CPUs does no harm */
volatile bool every_vm; /* all VMs of the host are targets */

/* Told before the next record that finds room. */
struct losses full;   /* UT_LOST_RING_FULL */
struct losses astray; /* UT_LOST_NO_CONTEXT */
struct losses unread; /* UT_LOST_UNREADABLE, where no record says so by itself */
volatile bool losses_pending;

volatile __u32 phase; /* enum phase, set by user space */

/* Somebody reads pages or counters of VMs from outside: hooks say that something changes. */
volatile bool watched;

/*
 * Hooks are taken away one after the other, which may take seconds. With some of them gone the
 * others would tell half of the story, so all fall silent first.
 */
volatile bool stopped;

/* ---- the ring ---- */

static __always_inline void init_head(struct rec_head *head, __u64 time, __u32 kind, __u32 vm,
				      __u32 vcpu)
{
	head->time = time;
	head->kind = kind;
	head->flags = 0;
	head->vm = vm;
	head->vcpu = vcpu;
	head->pad = 0;
}

static __always_inline void note_loss(struct losses *losses, __u32 kind)
{
	__sync_fetch_and_add(&losses->counts[kind & (REC_KINDS - 1)], 1);
	*(volatile __u32 *)&losses->pending = 1;
	losses_pending = true;
}

static __always_inline bool tell_losses(struct losses *losses, __u32 cause, __u32 vm)
{
	struct rec_lost *r;

	if (!losses->pending)
		return true;
	r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);
	if (!r)
		return false;
	*(volatile __u32 *)&losses->pending = 0;
	init_head(&r->head, bpf_ktime_get_ns(), UT_LOST, vm, UT_NO_VCPU);
	r->cause = cause;
	r->pad = 0;
	for (int i = 0; i < REC_KINDS; i++)
		r->counts[i] = __sync_lock_test_and_set(&losses->counts[i], 0);
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	return true;
}

static __noinline int tell_pending(void)
{
	losses_pending = false;
	if (!tell_losses(&full, UT_LOST_RING_FULL, UT_NO_VM) ||
	    !tell_losses(&astray, UT_LOST_NO_CONTEXT, UT_NO_VM) ||
	    !tell_losses(&unread, UT_LOST_UNREADABLE, UT_NO_VM))
		losses_pending = true;
	return 0;
}

/*
 * The cap is applied before room is taken in the ring. What it costs is told like other losses. Once
 * over it, a VM is silent until it may have a burst again: whole pieces of a trace are worth more
 * than single events, and there are fewer losses to be told.
 */
static __noinline int within_rate(__u32 vm, __u32 kind)
{
	__u32 slot = vm % RATE_SLOTS;
	struct rate *rate = bpf_map_lookup_elem(&rates, &slot);
	__u64 now = bpf_ktime_get_ns(), next;

	if (!rate)
		return 1;
	next = rate->next;
	if (next < now) {
		__sync_val_compare_and_swap(&rate->next, next, now);
		next = now;
	}
	if (next - now > RATE_BURST)
		rate->closed = 1;
	else if (next == now)
		rate->closed = 0;
	if (rate->closed) {
		__sync_fetch_and_add(&rate->dropped.counts[kind & (REC_KINDS - 1)], 1);
		*(volatile __u32 *)&rate->dropped.pending = 1;
		return 0;
	}
	__sync_fetch_and_add(&rate->next, rate_interval);
	tell_losses(&rate->dropped, UT_LOST_RATE, vm);
	return 1;
}

/* Few, and needed to understand the others. */
static __always_inline bool is_exempt(__u32 kind)
{
	return kind == UT_VM || kind == UT_VM_GONE || kind == REC_VM_STATS ||
	       kind == REC_RUNNING_VCPU;
}

static __always_inline bool admit(__u32 kind, __u32 vm)
{
	if (losses_pending)
		tell_pending();
	return !rate_interval || is_exempt(kind) || within_rate(vm, kind);
}

/* The size must be a constant for the verifier. The time is taken when there is room. */
#define RESERVE_AT(time, type, kind, vm, vcpu)                                                     \
	({                                                                                         \
		type *_rec = NULL;                                                                 \
		if (admit(kind, vm)) {                                                             \
			_rec = bpf_ringbuf_reserve(&ring, sizeof(type), 0);                        \
			if (_rec)                                                                  \
				init_head((struct rec_head *)_rec, time, kind, vm, vcpu);          \
			else                                                                       \
				note_loss(&full, kind);                                            \
		}                                                                                  \
		_rec;                                                                              \
	})
#define RESERVE(type, kind, vm, vcpu) RESERVE_AT(bpf_ktime_get_ns(), type, kind, vm, vcpu)

/* Waking the consumer is what makes a ring slow, so it is done by bytes queued, never by default. */
static __always_inline void submit_bytes(void *rec, __u32 bytes)
{
	__u64 flags = BPF_RB_NO_WAKEUP, now;

	queued += bytes;
	if (queued >= wake_bytes) {
		now = ((struct rec_head *)rec)->time;
		if (now - last_wake > WAKE_INTERVAL) {
			last_wake = now;
			queued = 0;
			flags = BPF_RB_FORCE_WAKEUP;
		}
	}
	bpf_ringbuf_submit(rec, flags);
}

#define submit(rec) submit_bytes(rec, sizeof(*(rec)))

static __always_inline bool put_value(__u32 kind, __u32 vm, __u32 vcpu, __u64 a, __u64 b)
{
	struct rec_value *r = RESERVE(struct rec_value, kind, vm, vcpu);

	if (!r)
		return false;
	r->a = a;
	r->b = b;
	submit(r);
	return true;
}

/* ---- who ---- */

static __always_inline bool is_target(__u32 tgid)
{
	return !stopped && (every_vm || bpf_map_lookup_elem(&targets, &tgid));
}

static __always_inline struct vcpu *find_vcpu(__u32 tid)
{
	__u32 place = tid & (NEAR_VCPUS - 1);
	struct vcpu *c = bpf_map_lookup_elem(&near_vcpus, &place);

	if (!c || c->tid == tid)
		return c;
	return c->tid ? bpf_map_lookup_elem(&vcpus, &tid) : NULL;
}

/* One that knows nothing, in place of another of that thread; NULL if there are too many. */
static __always_inline struct vcpu *new_vcpu(__u32 tid)
{
	__u32 place = tid & (NEAR_VCPUS - 1), zero = 0, owner;
	struct vcpu *c = bpf_map_lookup_elem(&near_vcpus, &place), *empty;

	if (!c || !tid)
		return NULL;
	owner = c->tid;
	if (owner == tid || ((!owner || owner == FREED) &&
			     __sync_val_compare_and_swap(&c->tid, owner, tid) == owner)) {
		__builtin_memset(&c->pad, 0, sizeof(*c) - sizeof(c->tid));
		return c;
	}
	empty = bpf_map_lookup_elem(&blank, &zero);
	if (!empty || bpf_map_update_elem(&vcpus, &tid, empty, BPF_ANY))
		return NULL;
	return bpf_map_lookup_elem(&vcpus, &tid);
}

static __always_inline void forget_vcpu(struct vcpu *c, __u32 tid)
{
	if (c->tid == tid)
		c->tid = FREED;
	else
		bpf_map_delete_elem(&vcpus, &tid);
}

static __always_inline struct vcpu *this_vcpu(void)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct vcpu *c = stopped ? NULL : find_vcpu(id);

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

/* What user space is told of a VM: who owns it. */
static __noinline int announce(struct vm *vm, struct task_struct *task)
{
	struct rec_vm *r = RESERVE(struct rec_vm, UT_VM, vm->id, UT_NO_VCPU);

	if (!r)
		return 0;
	vm->announced = true;
	r->pid = vm->tgid;
	r->pad = 0;
	__builtin_memset(r->comm, 0, sizeof(r->comm));
	bpf_probe_read_kernel_str(r->comm, sizeof(r->comm), task->comm);
	/* Whoever keeps the guest in step must hear of it before it runs. */
	bpf_ringbuf_submit(r, BPF_RB_FORCE_WAKEUP);
	return 0;
}

/*
 * The VM with this address, made known if it is new and belongs to a target. @ran: nobody saw it
 * being made.
 */
static __always_inline struct vm *meet_vm(__u64 kvm, __u32 tgid, struct task_struct *task, bool ran)
{
	struct vm *vm = bpf_map_lookup_elem(&vms, &kvm), new = {};
	__u32 number;

	if (!vm && is_target(tgid) && next_vm < UT_NO_VM) {
		number = __sync_fetch_and_add(&next_vm, 1);
		new.tgid = tgid;
		new.ran = ran;
		new.told = ran ? PHASE_READING : PHASE_RUNNING;
		new.id = number;
		/* Another thread may be faster, or there are too many. */
		if (number < UT_NO_VM && !bpf_map_update_elem(&vms, &kvm, &new, BPF_NOEXIST))
			count_vm(tgid, kvm);
		vm = bpf_map_lookup_elem(&vms, &kvm);
	}
	if (vm && !vm->announced)
		announce(vm, task);
	return vm;
}

static __noinline struct vm *vm_of(__u64 kvm, bool ran)
{
	return meet_vm(kvm, bpf_get_current_pid_tgid() >> 32, (void *)bpf_get_current_task(), ran);
}

static __always_inline void fill_vcpu(struct vcpu *c, struct vm *vm, struct kvm_vcpu *vcpu,
				      __u32 tgid)
{
	c->vcpu = (__u64)vcpu;
	c->kvm = (__u64)BPF_CORE_READ(vcpu, kvm);
	c->tgid = tgid;
	c->vm = vm->id;
	c->vms_gone = vms_gone - 1;
	c->id = BPF_CORE_READ(vcpu, vcpu_id);
	c->told = vm->ran ? PHASE_READING : PHASE_RUNNING;
}

static __noinline struct vcpu *adopt(struct kvm_vcpu *vcpu)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct vcpu *c;
	struct vm *vm;

	if (!is_target(id >> 32))
		return NULL;
	vm = vm_of((__u64)vcpu->kvm, phase == PHASE_READING);
	c = vm ? new_vcpu(id) : NULL;
	if (!c) {
		note_loss(&astray, UT_VM);
		return NULL;
	}
	fill_vcpu(c, vm, vcpu, id >> 32);
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
		if (c->vms_gone == vms_gone)
			return c;
		vm = known_vm((__u64)vcpu->kvm);
		if (vm && vm->id == c->vm && vm->announced) {
			c->vms_gone = vms_gone;
			return c;
		}
	}
	return adopt(vcpu);
}

static __always_inline bool has_several_vms(void)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct process *p = bpf_map_lookup_elem(&processes, &tgid);

	return p && p->vms > 1;
}

/* Who causes an event that names neither VM nor vCPU. */
struct who {
	struct vcpu *c; /* whose thread it is, if it is a vCPU of that VM */
	__u64 kvm;
	__u16 vm, vcpu;
};

static __always_inline bool who_is(struct who *who, struct vcpu *c, __u32 kind)
{
	struct process *p;
	struct vm *vm;
	__u32 tgid;
	__u64 kvm;

	if (c) {
		who->c = c;
		who->kvm = c->kvm;
		who->vm = c->vm;
		who->vcpu = c->id;
		return true;
	}
	tgid = bpf_get_current_pid_tgid() >> 32;
	if (!is_target(tgid))
		return false;
	p = bpf_map_lookup_elem(&processes, &tgid);
	kvm = p && p->vms == 1 ? p->sum : 0;
	vm = kvm ? bpf_map_lookup_elem(&vms, &kvm) : NULL;
	if (!vm) {
		/* What runs already is read later. */
		if (phase != PHASE_READING)
			note_loss(&astray, kind);
		return false;
	}
	who->c = NULL;
	who->kvm = kvm;
	who->vm = vm->id;
	who->vcpu = UT_NO_VCPU;
	return true;
}

static __always_inline bool find_who(struct who *who, __u32 kind)
{
	return who_is(who, this_vcpu(), kind);
}

static __noinline int note_change(__u64 kvm)
{
	struct vm *vm = bpf_map_lookup_elem(&vms, &kvm);

	if (vm)
		__sync_fetch_and_add(&vm->changes, 1);
	return 0;
}

/* Before the record that tells of the change gets its place in the ring: see "pages that were there". */
static __always_inline void changes(__u64 kvm)
{
	if (watched)
		note_change(kvm);
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
	c->state_known = r;
	if (!r)
		return;
	c->cr0 = r->cr0 = cr0;
	c->cr3 = r->cr3 = cr3;
	c->cr4 = r->cr4 = cr4;
	c->efer = r->efer = efer;
	submit(r);
}

/*
 * In the middle of an exit: only the guest itself can have changed them since it was entered, and
 * there are hooks on that.
 */
static __always_inline void know_state(struct vcpu *c, struct kvm_vcpu *vcpu)
{
	if (!c->state_known)
		check_state(c, vcpu);
}

/* One that is lost is made up for by the next check_state(). */
static __always_inline void put_cr(struct vcpu *c, __u64 value, __u64 reg)
{
	if (!put_value(UT_CR, c->vm, c->id, value, reg))
		c->state_known = false;
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
	know_state(c, vcpu);
	c->cr0 = value;
	put_cr(c, value, 0);
	return 0;
}

SEC("?fentry/kvm_set_cr3")
int BPF_PROG(set_cr3, struct kvm_vcpu *vcpu, unsigned long value)
{
	struct vcpu *c = enter(vcpu);

	if (!c)
		return 0;
	know_state(c, vcpu);
	c->cr3 = value & ~UT_CR3_NOFLUSH;
	put_cr(c, value, 3);
	return 0;
}

SEC("?fentry/kvm_set_cr4")
int BPF_PROG(set_cr4, struct kvm_vcpu *vcpu, unsigned long value)
{
	struct vcpu *c = enter(vcpu);

	if (!c)
		return 0;
	know_state(c, vcpu);
	c->cr4 = value;
	put_cr(c, value, 4);
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
	struct vcpu *c = this_vcpu();

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
	struct vcpu *c = this_vcpu();

	if (c)
		put_value(UT_INVPCID, c->vm, c->id, gva, (pcid & UT_CR3_PCID) << 8);
	return 0;
}

SEC("?fentry/kvm_invalidate_pcid")
int BPF_PROG(invalidate_pcid, struct kvm_vcpu *vcpu, unsigned long pcid)
{
	struct vcpu *c = this_vcpu();

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

/* ---- guest memory ---- */

/* The slot of that set with this frame; false if there is none. */
static __noinline bool find_slot(struct slot *s, __u64 gfn)
{
	__u64 in_slot = bpf_core_field_offset(struct kvm_memory_slot, gfn_node);
	struct kvm_memslots *slots = (void *)s->set;
	struct kvm_memory_slot *slot;
	struct rb_node *node;

	in_slot += (BPF_CORE_READ(slots, node_idx) & 1) * bpf_core_type_size(struct rb_node);
	node = BPF_CORE_READ(slots, gfn_tree.rb_node);
	for (int i = 0; i < SLOT_TREE_DEPTH && node; i++) {
		slot = (void *)node - in_slot;
		s->base = BPF_CORE_READ(slot, base_gfn);
		s->pages = BPF_CORE_READ(slot, npages);
		if (gfn < s->base) {
			node = BPF_CORE_READ(node, rb_left);
		} else if (gfn >= s->base + s->pages) {
			node = BPF_CORE_READ(node, rb_right);
		} else {
			s->addr = BPF_CORE_READ(slot, userspace_addr);
			return true;
		}
	}
	return false;
}

/* What find_frame() says, in this set of slots. Every change of slots makes another set or another generation. */
static __always_inline __u64 find_frame_in(struct vcpu *c, __u64 set, __u64 generation, __u64 gfn)
{
	struct slot s = { .set = set, .generation = generation };

	if (c && c->slot.set == s.set && c->slot.generation == s.generation &&
	    gfn - c->slot.base < c->slot.pages)
		return c->slot.addr + ((gfn - c->slot.base) << PAGE_SHIFT);
	if (!find_slot(&s, gfn))
		return 0;
	if (c)
		c->slot = s;
	return s.addr + ((gfn - s.base) << PAGE_SHIFT);
}

/*
 * Where the VM's process has a guest frame mapped; 0 if nowhere. @c: a vCPU of the VM, which
 * remembers the slot, or NULL.
 */
static __always_inline __u64 find_frame(struct vcpu *c, __u64 kvm, __u64 gfn, __u32 smm)
{
	__u64 where = kvm + bpf_core_field_offset(struct kvm, memslots);
	struct kvm_memslots *slots;

	/* The second address space is for system management mode, if the kernel has one. */
	if (smm && bpf_core_field_size(struct kvm, memslots) > sizeof(void *))
		where += sizeof(void *);
	if (bpf_probe_read_kernel(&slots, sizeof(slots), (void *)where))
		return 0;
	return find_frame_in(c, (__u64)slots, BPF_CORE_READ(slots, generation), gfn);
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

/*
 * Not at the fault's beginning: the record follows what the host did to pages because of it. A hook
 * at its end would cost more than all that is done here, so it is told before whatever comes next in
 * its vCPU: what the emulation does, a resync, another root, or the guest. @now: time, 0 if unknown
 */
static __noinline int finish_fault(struct vcpu *c, __u64 now)
{
	struct rec_fault *r;
	struct fault *f;

	if (!c || !c->fault.active)
		return 0;
	f = &c->fault;
	f->active = false;
	f->walking = false;
	r = RESERVE_AT(now ? now : bpf_ktime_get_ns(), struct rec_fault, UT_FAULT, c->vm, c->id);
	if (!r)
		return 0;
	r->head.flags = c->state_known ? REC_STATE_KNOWN : 0;
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

/* A hook on emulation would cost more; where KVM does not count, there is one. */
static __always_inline __u64 emulations_of(struct kvm_vcpu *vcpu)
{
	return bpf_core_field_exists(vcpu->stat.insn_emulation) ? vcpu->stat.insn_emulation : 0;
}

static __always_inline void end_fault(struct vcpu *c, struct kvm_vcpu *vcpu, __u64 now)
{
	if (!c->fault.active)
		return;
	if (emulations_of(vcpu) != c->fault.emulations)
		c->fault.emulated = true;
	finish_fault(c, now);
}

/*
 * For what may belong to the fault or to the emulation that follows it. @idle: the vCPU does nothing
 * at all. Returns 0: the verifier wants a value.
 */
static __noinline int end_if_emulated(struct vcpu *c, bool idle)
{
	struct kvm_vcpu *vcpu;

	if (!c || !c->fault.active)
		return 0;
	vcpu = (void *)c->vcpu;
	if (bpf_core_field_exists(vcpu->stat.insn_emulation) &&
	    BPF_CORE_READ(vcpu, stat.insn_emulation) != c->fault.emulations)
		c->fault.emulated = true;
	else if (!idle)
		return 0;
	return finish_fault(c, 0);
}

static __always_inline void begin_fault(struct vcpu *c, struct kvm_vcpu *vcpu, __u64 gva,
					__u64 error)
{
	const __u32 kept = offsetof(struct fault, active);

	end_fault(c, vcpu, 0);
	know_state(c, vcpu);
	__builtin_memset((void *)&c->fault + kept, 0, sizeof(c->fault) - kept);
	/* What other vCPUs change from the exit on may come before or after its walk. */
	c->fault.begin = c->exit_ns ? c->exit_ns : bpf_ktime_get_ns();
	c->fault.emulations = emulations_of(vcpu);
	c->fault.gva = gva;
	c->fault.error = error;
	c->fault.active = true;
}

static __always_inline int see_fault(struct kvm_vcpu *vcpu, __u64 gva, __u64 error)
{
	struct vcpu *c = enter(vcpu);

	if (!c)
		return 0;
	begin_fault(c, vcpu, gva, error);
	if (exit_fault >= 0 && c->exit_state == EXIT_UNREAD)
		c->exit_state = EXIT_FAULT;
	return 0;
}

SEC("?tp_btf/kvm_page_fault")
int BPF_PROG(page_fault_tp, struct kvm_vcpu *vcpu, __u64 gva, __u64 error)
{
	return vcpu ? see_fault(vcpu, gva, error) : 0;
}

/* Where the tracepoint has no vCPU. */
SEC("?fentry/kvm_mmu_page_fault")
int BPF_PROG(page_fault, struct kvm_vcpu *vcpu, __u64 gva, __u64 error)
{
	return see_fault(vcpu, gva, error);
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

/*
 * The same of a walk that is over, at a fraction of the price: its entries are still in the walker.
 */
static __always_inline bool is_walk_of(struct vcpu *c, __u64 gva, __u32 access)
{
	const __u32 bits = UT_PF_PRESENT | UT_PF_WRITE | UT_PF_USER | UT_PF_FETCH;

	return c && c->fault.active && !c->fault.walked && gva == c->fault.gva &&
	       !((access ^ c->fault.error) & bits);
}

/*
 * The entry that a walk stopped at is not kept, only where it is: left alone unless both ways agree,
 * and unless it is still present or not as the walk's error says. Another vCPU may have changed it.
 */
static __always_inline bool read_entry(struct vcpu *c, struct kvm_vcpu *vcpu, __u64 gpa,
				       void *entry, __u16 error, void *to, __u32 size)
{
	struct kvm_memslots *slots = vcpu->kvm->memslots[0];
	__u64 addr = find_frame_in(c, (__u64)slots, slots->generation, gpa >> PAGE_SHIFT);

	if (!addr)
		return false;
	addr |= gpa & (TABLE_BYTES - 1);
	return addr == (__u64)entry && !bpf_probe_read_user(to, size, entry) &&
	       !((*(__u8 *)to ^ error) & UT_PF_PRESENT);
}

/*
 * Walks are recorded as they were before they set accessed and dirty bits. An entry that is read on
 * two levels cannot have got its accessed bit in this walk: the second level would have found it
 * changed, and the walk begun again.
 */
static __noinline int take_back_ad(struct fault *f, const __u64 *gpa)
{
	for (int i = 0; i < AD_MAX && i < f->n_ad; i++) {
		__u64 bit = f->ad[i] & 1 ? UT_PTE_D : UT_PTE_A, entry = f->ad[i] & ~1ull;
		int level = 0, levels = 0;

		for (int k = 0; k < UT_MAX_LEVELS; k++) {
			if (k + 1 < f->bottom || k >= f->top || gpa[k] != entry)
				continue;
			if (!levels++)
				level = k;
		}
		if (levels == 1 || (levels && bit == UT_PTE_D))
			f->walk[level & 7] &= ~bit;
	}
	return 0;
}

/* Those few that set such a bit. */
#define TAKE_BACK_AD(f, walker, levels)                                                            \
	do {                                                                                       \
		__u64 _gpa[8] = {};                                                                \
		for (int _i = 0; _i < (levels); _i++)                                              \
			_gpa[_i] = (walker)->pte_gpa[_i];                                          \
		take_back_ad(f, _gpa);                                                             \
	} while (0)

static __always_inline void end_walk(struct fault *f, int bottom)
{
	f->bottom = bottom;
	if (f->bottom > f->top)
		f->top = f->bottom = 0;
}

SEC("?fexit/paging64_walk_addr_generic")
int BPF_PROG(walk64, struct guest_walker64 *walker, struct kvm_vcpu *vcpu, struct kvm_mmu *mmu,
	     __u64 gva, __u64 access, int found)
{
	struct vcpu *c = this_vcpu();
	__u64 gpa = 0, entry = 0;
	struct fault *f;
	int level;

	if (!is_walk_of(c, gva, access))
		return 0;
	f = &c->fault;
	f->walked = true;
	f->reflected = !found;
	for (int i = 0; i < UT_MAX_LEVELS; i++)
		f->walk[i] = walker->ptes[i];
	level = walker->level;
	f->top = walker->max_level;
	if (!(vcpu->arch.efer & UT_EFER_LMA)) {
		/* The top level of PAE paging is kept in registers. */
		f->top = PAE_LEVELS;
		bpf_probe_read_kernel(&f->walk[PAE_LEVELS - 1], sizeof(f->walk[0]),
				      &mmu->pdptrs[gva >> 30 & 3]);
	}
	if (level < 1 || level > UT_MAX_LEVELS || f->top > UT_MAX_LEVELS) {
		f->top = 0;
		return 0;
	}
	if (!found && (f->top != PAE_LEVELS || level < PAE_LEVELS)) {
		for (int i = 0; i < UT_MAX_LEVELS; i++) {
			if (i + 1 != level)
				continue;
			gpa = walker->pte_gpa[i];
			entry = (__u64)walker->ptep_user[i];
		}
		if (!read_entry(c, vcpu, gpa, (void *)entry, walker->fault.error_code,
				&f->walk[(level - 1) & 7], sizeof(__u64)))
			level++;
	}
	end_walk(f, level);
	if (f->n_ad)
		TAKE_BACK_AD(f, walker, UT_MAX_LEVELS);
	return 0;
}

SEC("?fexit/paging32_walk_addr_generic")
int BPF_PROG(walk32, struct guest_walker32 *walker, struct kvm_vcpu *vcpu, struct kvm_mmu *mmu,
	     __u64 gva, __u64 access, int found)
{
	struct vcpu *c = this_vcpu();
	int level = walker->level;
	__u64 gpa, entry;
	struct fault *f;
	__u32 last;

	if (!is_walk_of(c, gva, access) || level < 1 || level > 2)
		return 0;
	f = &c->fault;
	f->walked = true;
	f->reflected = !found;
	f->walk[0] = walker->ptes[0];
	f->walk[1] = walker->ptes[1];
	f->top = 2;
	if (!found) {
		gpa = level == 1 ? walker->pte_gpa[0] : walker->pte_gpa[1];
		entry = (__u64)(level == 1 ? walker->ptep_user[0] : walker->ptep_user[1]);
		if (read_entry(c, vcpu, gpa, (void *)entry, walker->fault.error_code, &last,
			       sizeof(last)))
			f->walk[(level - 1) & 1] = last;
		else
			level++;
	}
	end_walk(f, level);
	if (f->n_ad)
		TAKE_BACK_AD(f, walker, 2);
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

	if (!c || !c->fault.active || !fault)
		return 0;
	/* What was fetched from disk meanwhile is mapped outside of any fault. */
	if (bpf_core_field_exists(fault->prefetch) && fault->prefetch)
		return 0;
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
		finish_fault(c, 0);
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
	end_fault(c, vcpu, 0);
	/* Before the first table is shadowed, KVM looks no further either. */
	if (bpf_core_field_exists(vcpu->kvm->arch.indirect_shadow_pages) &&
	    !vcpu->kvm->arch.indirect_shadow_pages)
		return 0;
	changes(c->kvm);
	r = RESERVE(struct rec_write, UT_WRITE, c->vm, c->id);
	if (!r)
		return 0;
	__builtin_memset(r->data, 0, sizeof(r->data));
	r->gpa = gpa;
	r->bytes = n;
	r->pad = 0;
	barrier_var(n); /* the verifier must see all of the comparison */
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

/* If a walk sets a bit again it began again: what it had set before, it then read. */
static __always_inline void note_ad(struct vcpu *c, __u64 gpa, __u64 dirty)
{
	struct fault *f = &c->fault;
	__u64 note = gpa | dirty;

	if (!f->active || f->walked)
		return;
	for (int i = 0; i < AD_MAX && i < f->n_ad; i++) {
		if (f->ad[i] == note)
			f->n_ad = 0;
	}
	if (f->n_ad < AD_MAX)
		f->ad[f->n_ad++ & (AD_MAX - 1)] = note;
}

static __always_inline int set_bit(__u64 gfn, __u32 index, __u32 size, __u64 dirty)
{
	struct vcpu *c = this_vcpu();
	struct who who;

	end_if_emulated(c, false);
	if (c)
		note_ad(c, (gfn << PAGE_SHIFT) + index * size, dirty);
	if (who_is(&who, c, UT_AD))
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

	addr = find_frame(who->c, who->kvm, sp->gfn, sp->role.word & role_smm);
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
	if (created)
		changes(who.kvm);
	/*
	 * One that is out of sync was synced in passing: the host knows its content now. One that was
	 * there before the capture may not have been read yet.
	 */
	if (has_table(sp) && (created || sp->unsync || phase == PHASE_READING))
		put_table(kind, &who, sp);
	else
		put_page(kind, &who, sp);
	return 0;
}

SEC("?tp_btf/kvm_mmu_unsync_page")
int BPF_PROG(unsync_page, struct kvm_mmu_page *sp)
{
	struct who who;

	if (!sp || !find_who(&who, UT_HOST_UNSYNC))
		return 0;
	changes(who.kvm);
	put_page(UT_HOST_UNSYNC, &who, sp);
	return 0;
}

static __always_inline __u64 *last_zapped(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&zapping, &zero);
}

SEC("?tp_btf/kvm_mmu_sync_page")
int BPF_PROG(sync_page, struct kvm_mmu_page *sp)
{
	struct vcpu *c = this_vcpu();
	__u64 *zapped = last_zapped();
	struct who who;

	if (zapped && *zapped == (__u64)sp) {
		*zapped = 0;
		return 0;
	}
	/*
	 * Only vCPUs sync. What fires elsewhere is a part of a zap; in a process with several VMs
	 * nobody could say whose.
	 */
	if (!c && has_several_vms())
		return 0;
	if (!sp || !who_is(&who, c, UT_HOST_SYNC))
		return 0;
	changes(who.kvm);
	if (c && c->resync_ns)
		c->resync_pages++;
	put_table(UT_HOST_SYNC, &who, sp);
	return 0;
}

static __always_inline void zap(struct who *who, struct vm *vm, struct kvm_mmu_page *sp)
{
	__u64 *zapped = last_zapped();

	if (sp->role.word & role_invalid) {
		__sync_fetch_and_add(&vm->rezaps, 1);
		return;
	}
	end_if_emulated(who->c, false);
	changes(who->kvm);
	if (zapped)
		*zapped = sp->unsync ? (__u64)sp : 0;
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
	if (c && c->kvm == who.kvm) {
		who.c = c;
		who.vcpu = c->id;
	}
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

/* May be the first that is heard of a vCPU since its thread ran another one. */
SEC("?fentry/kvm_mmu_sync_roots")
int BPF_PROG(sync_roots, struct kvm_vcpu *vcpu)
{
	struct vcpu *c = enter(vcpu);

	if (c) {
		end_fault(c, vcpu, 0);
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

	if (c) {
		end_fault(c, vcpu, 0);
		check_state(c, vcpu);
	}
	return 0;
}

/* It is not among the arguments, but where the formatted record has it from, too. */
static __always_inline void read_reason(struct vcpu *c, struct kvm_vcpu *vcpu)
{
	/* Without nested guests the pointer stays as it is. */
	if (!c->exit_from || !exit_stays) {
		c->exit_from = (__u64)vcpu;
		if (exit_pointer >= 0)
			bpf_probe_read_kernel(&c->exit_from, sizeof(c->exit_from),
					      (void *)vcpu + exit_pointer);
	}
	bpf_probe_read_kernel(&c->exit_reason, sizeof(c->exit_reason),
			      (void *)c->exit_from + exit_offset);
}

/* The reason is left until the guest is entered again: most exits are page faults, which say so. */
SEC("?tp_btf/kvm_exit")
int BPF_PROG(vm_exit_direct, struct kvm_vcpu *vcpu, __u32 isa)
{
	struct vcpu *c = vcpu ? this_vcpu() : NULL;

	if (!c)
		return 0;
	c->exit_ns = bpf_ktime_get_ns();
	c->exit_isa = isa;
	c->exit_state = EXIT_UNREAD;
	if (!exit_stays) {
		read_reason(c, vcpu);
		c->exit_state = EXIT_TOLD;
	}
	return 0;
}

/* The classic tracepoint: the formatted record holds it, and costs as much again. */
SEC("?tp/kvm/kvm_exit")
int vm_exit(struct trace_event_raw_kvm_exit *ctx)
{
	struct vcpu *c = this_vcpu();

	if (!c)
		return 0;
	c->exit_ns = bpf_ktime_get_ns();
	c->exit_reason = ctx->exit_reason;
	c->exit_isa = ctx->isa;
	c->exit_state = EXIT_TOLD;
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
	c->exit_state = EXIT_TOLD;
	return 0;
}

static __always_inline struct exit_sum *near_exit(struct vcpu *c, const struct exit_key *key)
{
	__u32 at = (c->tid & (NEAR_VCPUS - 1)) * REC_NEAR_EXITS;
	struct exit_entry *e;

	if (!c->tid)
		return NULL;
	at += key->reason & (REC_NEAR_EXITS - 1);
	e = bpf_map_lookup_elem(&near_exits, &at);
	if (!e)
		return NULL;
	if (!e->sum.count)
		e->key = *key;
	return e->key.vm == key->vm && e->key.vcpu == key->vcpu && e->key.reason == key->reason &&
			       e->key.isa == key->isa
		       ? &e->sum
		       : NULL;
}

static __always_inline void count_exit(struct vcpu *c, __u64 now)
{
	struct exit_key key = {
		.vm = c->vm,
		.vcpu = c->id,
		.reason = c->exit_reason,
		.isa = c->exit_isa,
	};
	struct exit_sum *sum, first = { .count = 1 };

	/* Its counters were told: what follows is not in them. */
	if (!c->exit_ns || c->told == PHASE_ENDING)
		return;
	first.ns = now - c->exit_ns;
	c->exit_ns = 0;
	sum = near_exit(c, &key);
	if (!sum)
		sum = bpf_map_lookup_elem(&exits, &key);
	if (sum) {
		sum->count++;
		sum->ns += first.ns;
	} else if (bpf_map_update_elem(&exits, &key, &first, BPF_NOEXIST)) {
		note_loss(&astray, UT_EXITS);
	}
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
	if (from != to && !every_vm && is_target(from))
		bpf_map_update_elem(&targets, &to, &yes, BPF_ANY);
	return 0;
}

/* Numbers are used again. A process whose VMs are still to be taken down stays. */
SEC("?tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *task)
{
	__u32 tgid;

	if (!task)
		return 0;
	tgid = task->tgid;
	if ((__u32)task->pid == tgid && bpf_map_lookup_elem(&targets, &tgid) &&
	    !bpf_map_lookup_elem(&processes, &tgid))
		bpf_map_delete_elem(&targets, &tgid);
	return 0;
}

SEC("?fentry/kvm_arch_init_vm")
int BPF_PROG(init_vm, struct kvm *kvm)
{
	vm_of((__u64)kvm, false);
	return 0;
}

/* ---- KVM's own counters ---- */

#define READ_STAT(name)                                                                            \
	r->values[i++] =                                                                           \
		bpf_core_field_exists(stat->name) ? BPF_CORE_READ(stat, name) : REC_STAT_ABSENT;
#define READ_OWN_STAT(name) r->values[i++] = vm->name;

static __always_inline void fill_vm_stats(struct rec_stats *r, struct kvm *kvm, struct vm *vm)
{
	struct kvm_vm_stat *stat = &kvm->stat;
	int i = 0;

	__builtin_memset(r->values, 0, sizeof(r->values));
	REC_VM_STATS_LIST(READ_STAT)
	REC_OWN_STATS_LIST(READ_OWN_STAT)
	if (!exact)
		r->values[i - 1] = r->values[i - 2] = REC_STAT_ABSENT;
}

static __noinline int put_vcpu_stats(struct kvm_vcpu *vcpu, __u32 vm, __u32 id, __u32 flags)
{
	struct rec_stats *r = RESERVE(struct rec_stats, REC_VM_STATS, vm, id);
	struct kvm_vcpu_stat *stat = &vcpu->stat;
	int i = 0;

	if (!r)
		return 0;
	r->head.flags = flags;
	__builtin_memset(r->values, 0, sizeof(r->values));
	REC_VCPU_STATS_LIST(READ_STAT)
	submit(r);
	return 1;
}

/* By its own thread, about to enter the guest: all that it counted so far was told. */
static __noinline int tell_counters(struct vcpu *c, struct kvm_vcpu *vcpu)
{
	__u32 now = phase;

	if (!c || !vcpu || now == PHASE_READING)
		return 0;
	if (put_vcpu_stats(vcpu, c->vm, c->id, now == PHASE_ENDING ? REC_FINAL : 0))
		c->told = now;
	return 0;
}

/*
 * During a page fault registers change by hooked functions or not at all. If the VM's process set
 * them after it, so that the guest is translated otherwise, mmu_load() has told that.
 */
SEC("?tp_btf/kvm_entry")
int BPF_PROG(vm_entry, struct kvm_vcpu *vcpu)
{
	struct vcpu *c = vcpu ? enter(vcpu) : NULL;
	__u64 now;

	if (!c)
		return 0;
	now = bpf_ktime_get_ns();
	end_fault(c, vcpu, now);
	c->invpcid = false;
	if (c->exit_state == EXIT_FAULT) {
		c->exit_reason = exit_fault;
		know_state(c, vcpu);
	} else {
		if (c->exit_state == EXIT_UNREAD)
			read_reason(c, vcpu);
		check_state(c, vcpu);
	}
	c->exit_state = EXIT_TOLD;
	count_exit(c, now);
	if (c->told < phase)
		tell_counters(c, vcpu);
	return 0;
}

/* At the end of a VM, when nothing counts any more. */
SEC("?fexit/kvm_arch_destroy_vm")
int BPF_PROG(destroy_vm, struct kvm *kvm)
{
	__u64 key = (__u64)kvm;
	struct vm *vm = known_vm(key);
	struct rec_stats *r;
	__u32 tgid;

	if (!vm)
		return 0;
	r = RESERVE(struct rec_stats, REC_VM_STATS, vm->id, UT_NO_VCPU);
	if (r) {
		r->head.flags = REC_FINAL;
		fill_vm_stats(r, kvm, vm);
		submit(r);
	}
	put_value(UT_VM_GONE, vm->id, UT_NO_VCPU, 0, 0);
	tgid = vm->tgid;
	uncount_vm(tgid, key);
	bpf_map_delete_elem(&vms, &key);
	__sync_fetch_and_add(&vms_gone, 1);
	/* A process that ends gives up its VMs after process_exit(). */
	if (bpf_get_current_pid_tgid() >> 32 == tgid && guest_is_dying() &&
	    !bpf_map_lookup_elem(&processes, &tgid))
		bpf_map_delete_elem(&targets, &tgid);
	return 0;
}

static __always_inline __u32 thread_of(struct kvm_vcpu *vcpu)
{
	return BPF_CORE_READ(vcpu, pid, numbers[0].nr);
}

SEC("?fentry/kvm_arch_vcpu_destroy")
int BPF_PROG(destroy_vcpu, struct kvm_vcpu *vcpu)
{
	struct vm *vm = known_vm((__u64)vcpu->kvm);
	__u32 tid = thread_of(vcpu);
	struct vcpu *c;

	if (!vm)
		return 0;
	c = find_vcpu(tid);
	if (c && c->vcpu != (__u64)vcpu)
		c = NULL;
	if (c)
		end_fault(c, vcpu, 0);
	put_vcpu_stats(vcpu, vm->id, vcpu->vcpu_id, REC_FINAL);
	put_value(UT_VM_GONE, vm->id, vcpu->vcpu_id, 0, 0);
	if (c)
		forget_vcpu(c, tid);
	return 0;
}

/*
 * An independent count of what the module unsync_exact makes KVM refuse: only attached for exact
 * captures.
 */
SEC("?fexit/mmu_try_to_unsync_pages")
int BPF_PROG(try_unsync, struct kvm *kvm, void *slot, __u64 gfn, bool arg, bool prefetch, int ret)
{
	struct vm *vm = known_vm((__u64)kvm);

	if (!vm)
		return 0;
	__sync_fetch_and_add(&vm->unsync_calls, 1);
	if (ret == -1) /* EPERM */
		__sync_fetch_and_add(&vm->unsync_refused, 1);
	return 0;
}

/* ---- pages that were there ---- */

/*
 * A VM that runs already is read from outside, through its open files, by the thread that calls the
 * iterator below; so it does not matter whether any vCPU runs, and no thread of the VM waits. All
 * hooks are attached before.
 *
 * What is read must have a place among the events: before each event that came after it, and with
 * all that came before. The pages themselves change only under the VM's MMU lock, and hooks fire
 * under it. So a record takes its place in the ring first, then the page is read, and then it must
 * show that nothing changed meanwhile: vm->changes, which every hook counts up before its own record
 * takes its place, is as it was, and the lock is held by no writer, neither before nor after. Else
 * the record is discarded, and the bucket read again: a page may have been freed under our hands. A
 * page that is told twice is told once by collector/assemble.c. A kernel for real-time use has a lock
 * that does not show its writer; there a page may be missed that is being made at this moment, which
 * its own event tells.
 *
 * Two things happen outside of the lock. An emulated write is in memory before its hook fires; if
 * the table was read in between, the write does not know what it replaced. And an accessed or dirty
 * bit is announced before it is set. For both collector/assemble.c allows.
 *
 * From the record of the VM's counters on, which is the last, its trace is complete.
 */
#define PAGE_BUCKETS 4096 /* KVM_MMU_HASH_SHIFT has been 12 since 4.12 */
#define BUCKET_TRIES 1024
#define CHAIN_MAX 4096

/* The one reader there is. */
struct {
	__u64 kvm;
	__u64 node;    /* of the bucket's chain, the next to be read */
	__u64 changes; /* as they were when the bucket was begun */
	__u8 again; /* something changed; 0 or 1, no bool: the verifier takes nothing for granted */
	bool full;  /* the ring had no room */
} reader;

/* Set by user space before each pass, or set for it. */
__u64 ring_room;	  /* bytes queued at which a pass gives up */
volatile bool give_up;	  /* what finds no room, or no rest, is lost: it never will */
volatile bool unfinished; /* another pass is needed */
volatile bool restless;	  /* because what was to be read kept changing */
__u32 progress;		  /* pages and VMs told in this pass */
__u32 vms_read;

static __always_inline bool is_locked(struct kvm *kvm)
{
	return bpf_core_field_exists(kvm->mmu_lock.raw_lock.wlocked) &&
	       BPF_CORE_READ(kvm, mmu_lock.raw_lock.wlocked);
}

static __always_inline bool has_changed(struct kvm *kvm, struct vm *vm)
{
	return is_locked(kvm) || *(volatile __u64 *)&vm->changes != reader.changes;
}

static __always_inline __u64 bucket_at(struct kvm *kvm, __u32 i)
{
	__u64 arch = (__u64)kvm + bpf_core_field_offset(struct kvm, arch);

	if (bpf_core_field_exists(struct kvm_arch___within, mmu_page_hash))
		arch += bpf_core_field_offset(struct kvm_arch___within, mmu_page_hash);
	else
		arch = (__u64)BPF_CORE_READ((struct kvm_arch___beside *)arch, mmu_page_hash);
	return arch ? arch + i * sizeof(__u64) : 0;
}

struct pass {
	struct task_struct *task;
};

static __always_inline __u64 read_next(__u64 node)
{
	__u64 next = 0;

	bpf_probe_read_kernel(&next, sizeof(next), (void *)node);
	return next;
}

/* A copy of what is needed: the page itself may go away at any time. */
struct page_copy {
	__u64 sp, gfn, addr;
	__u32 role, flags;
	bool table, skip;
};

static __always_inline void copy_page(struct page_copy *p, struct kvm *kvm)
{
	__u64 link = bpf_core_field_offset(struct kvm_mmu_page, hash_link);
	struct kvm_mmu_page *sp = (void *)(reader.node - link);

	p->sp = (__u64)sp;
	p->gfn = BPF_CORE_READ(sp, gfn);
	p->role = BPF_CORE_READ(sp, role.word);
	p->flags = BPF_CORE_READ(sp, unsync) ? REC_PAGE_UNSYNC : 0;
	p->table = !(p->role & (role_direct | role_passthrough));
	p->addr = p->table ? find_frame(NULL, (__u64)kvm, p->gfn, p->role & role_smm) : 0;
	/* Zapped, or given up: no longer to be found by KVM itself. */
	p->skip = p->role & role_invalid ||
		  BPF_CORE_READ(sp, mmu_valid_gen) != BPF_CORE_READ(kvm, arch.mmu_valid_gen);
}

/* Returns whether the record was put. Taken out of the ring's order if anything changed. */
static __always_inline bool put_running(void *rec, struct page_copy *p, struct kvm *kvm,
					struct vm *vm)
{
	struct rec_page *r = rec;

	r->head.time = bpf_ktime_get_ns();
	r->sp = p->sp;
	r->gfn = p->gfn;
	r->role = p->role;
	r->flags = p->flags;
	if (has_changed(kvm, vm)) {
		reader.again = 1;
		bpf_ringbuf_discard(rec, BPF_RB_NO_WAKEUP);
		return false;
	}
	bpf_ringbuf_submit(rec, BPF_RB_NO_WAKEUP);
	return true;
}

static __always_inline bool put_running_direct(struct page_copy *p, struct kvm *kvm, struct vm *vm)
{
	struct rec_page *r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);

	if (!r) {
		reader.full = true;
		return false;
	}
	init_head(&r->head, 0, REC_RUNNING_PAGE, vm->id, UT_NO_VCPU);
	return put_running(r, p, kvm, vm);
}

static __always_inline bool put_running_table(struct pass *pass, struct page_copy *p,
					      struct kvm *kvm, struct vm *vm)
{
	struct rec_table *r;
	__u64 probe;

	/* What must be fetched from disk is, before it could keep others waiting for the ring. */
	if (p->addr)
		bpf_copy_from_user_task(&probe, sizeof(probe), (void *)p->addr, pass->task, 0);
	r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);
	if (!r) {
		reader.full = true;
		return false;
	}
	init_head(&r->page.head, 0, REC_RUNNING_PAGE, vm->id, UT_NO_VCPU);
	p->flags |= REC_PAGE_READ;
	/* Zeroes the words if it fails. */
	if (!p->addr ||
	    bpf_copy_from_user_task(r->words, sizeof(r->words), (void *)p->addr, pass->task, 0)) {
		p->flags ^= REC_PAGE_READ | REC_PAGE_UNREADABLE;
		if (!p->addr)
			bpf_probe_read_kernel(r->words, sizeof(r->words), NULL);
	}
	return put_running(r, p, kvm, vm);
}

/* For bpf_loop(): returns 1 to end it. */
static long read_page(__u32 i, struct pass *pass)
{
	struct kvm *kvm = (void *)reader.kvm;
	struct vm *vm = bpf_map_lookup_elem(&vms, &reader.kvm);
	struct page_copy p = {};
	__u64 next;
	bool put;

	if (!vm || !reader.node)
		return 1;
	copy_page(&p, kvm);
	next = read_next(reader.node);
	/* Here, too, since what is gone may be linked to anything. */
	if (has_changed(kvm, vm)) {
		reader.again = 1;
		return 1;
	}
	if (!p.skip) {
		if (p.table)
			put = put_running_table(pass, &p, kvm, vm);
		else
			put = put_running_direct(&p, kvm, vm);
		if (!put && reader.full && give_up)
			note_loss(&full, UT_PAGE_NEW);
		else if (!put)
			return 1;
		reader.full = false;
		progress++;
	}
	reader.node = next;
	return 0;
}

static long read_chain(__u32 i, struct pass *pass)
{
	struct kvm *kvm = (void *)reader.kvm;
	struct vm *vm = bpf_map_lookup_elem(&vms, &reader.kvm);
	__u64 head;

	if (!vm)
		return 1;
	reader.again = 0;
	reader.changes = *(volatile __u64 *)&vm->changes;
	head = bucket_at(kvm, vm->bucket);
	reader.node = head ? read_next(head) : 0;
	if (!reader.node)
		return 1;
	if (is_locked(kvm)) {
		reader.again = 1;
		return 0;
	}
	bpf_loop(CHAIN_MAX, read_page, pass, 0);
	return !(reader.again & 1);
}

static long read_bucket(__u32 i, struct pass *pass)
{
	struct vm *vm = bpf_map_lookup_elem(&vms, &reader.kvm);

	if (!vm || vm->bucket >= PAGE_BUCKETS)
		return 1;
	if (bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) >= ring_room) {
		unfinished = true;
		return 1;
	}
	bpf_loop(BUCKET_TRIES, read_chain, pass, 0);
	if (reader.full) {
		unfinished = true;
		return 1;
	}
	if (reader.again && !give_up) { /* whoever holds the lock may wait for this CPU */
		restless = unfinished = true;
		return 1;
	}
	if (reader.again)
		note_loss(&unread, UT_PAGE_NEW);
	vm->bucket++;
	return 0;
}

struct counters_ctx {
	__u32 flags;
	bool done;
};

/*
 * KVM counts under the MMU lock, too, so the counters agree with the trace up to here. Only of an
 * emulated write whose hook has fired, and that has not got to the lock yet, it is not known on
 * which side of this record KVM counts it: a matter of a few instructions.
 */
static long read_counters(__u32 i, struct counters_ctx *ctx)
{
	struct kvm *kvm = (void *)reader.kvm;
	struct vm *vm = bpf_map_lookup_elem(&vms, &reader.kvm);
	struct rec_stats *r;

	if (!vm)
		return 1;
	reader.changes = *(volatile __u64 *)&vm->changes;
	if (is_locked(kvm))
		return 0;
	r = RESERVE(struct rec_stats, REC_VM_STATS, vm->id, UT_NO_VCPU);
	if (!r)
		return 1;
	r->head.flags = ctx->flags;
	fill_vm_stats(r, kvm, vm);
	if (has_changed(kvm, vm) && i < BUCKET_TRIES - 1) {
		bpf_ringbuf_discard(r, BPF_RB_NO_WAKEUP);
		return 0;
	}
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	ctx->done = true;
	return 1;
}

static __always_inline void read_vm(struct vm *vm, struct task_struct *task)
{
	struct counters_ctx counters = { .flags = phase == PHASE_ENDING ? REC_FINAL : 0 };
	struct pass pass = { .task = task };

	/* Once each; and what was not read at the beginning has no counters to compare with. */
	if (vm->told != (phase == PHASE_ENDING ? PHASE_RUNNING : PHASE_READING))
		return;
	if (phase == PHASE_READING) {
		bpf_loop(PAGE_BUCKETS, read_bucket, &pass, 0);
		if (vm->bucket < PAGE_BUCKETS)
			return;
	}
	bpf_loop(BUCKET_TRIES, read_counters, &counters, 0);
	if (!counters.done) {
		unfinished = true;
		return;
	}
	vm->told = phase == PHASE_ENDING ? PHASE_ENDING : PHASE_RUNNING;
	progress++;
	if (phase == PHASE_READING)
		vms_read++;
}

/*
 * Events without a vCPU among their arguments are attributed by thread. Registers that are being
 * written may be told as they were: what the vCPU's own thread tells counts for more.
 */
static __always_inline void read_vcpu(struct kvm_vcpu *vcpu, struct vm *vm, __u32 tgid)
{
	__u32 tid = thread_of(vcpu), id = BPF_CORE_READ(vcpu, vcpu_id);
	struct vcpu *c = find_vcpu(tid);
	struct rec_state *r;

	if (phase == PHASE_ENDING) {
		/* One that has not entered its guest since it was asked, so it is idle. */
		if (!c || c->vcpu != (__u64)vcpu || c->told >= PHASE_ENDING)
			return;
		end_if_emulated(c, true);
		if (put_vcpu_stats(vcpu, vm->id, id, REC_FINAL))
			c->told = PHASE_ENDING;
		return;
	}
	if (c && c->vcpu == (__u64)vcpu)
		return;
	/* What is there already is the thread's own. */
	if (!c) {
		c = new_vcpu(tid);
		if (c)
			fill_vcpu(c, vm, vcpu, tgid);
	}
	r = RESERVE(struct rec_state, REC_RUNNING_VCPU, vm->id, id);
	if (!r)
		return;
	r->cr0 = BPF_CORE_READ(vcpu, arch.cr0);
	r->cr3 = BPF_CORE_READ(vcpu, arch.cr3);
	r->cr4 = BPF_CORE_READ(vcpu, arch.cr4);
	r->efer = BPF_CORE_READ(vcpu, arch.efer);
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
}

SEC("?iter.s/task_file")
int read_running(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct kvm_vcpu *vcpu = NULL;
	struct kvm *kvm;
	struct vm *vm;
	__u32 tgid;

	if (!task || !file)
		return 0;
	switch (kvm_file(file)) {
	case KVM_FILE_VM:
		kvm = file->private_data;
		break;
	case KVM_FILE_VCPU:
		vcpu = file->private_data;
		kvm = BPF_CORE_READ(vcpu, kvm);
		break;
	default:
		return 0;
	}
	/* A file may be passed on to another process, but a VM belongs to one. */
	tgid = task->tgid;
	if (!kvm || task->mm != BPF_CORE_READ(kvm, mm))
		return 0;
	reader.kvm = (__u64)kvm;
	if (phase == PHASE_READING)
		vm = meet_vm(reader.kvm, tgid, task, true);
	else
		vm = known_vm(reader.kvm);
	if (!vm)
		return 0;
	if (vcpu)
		read_vcpu(vcpu, vm, tgid);
	read_vm(vm, task);
	return 0;
}
