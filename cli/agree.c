// SPDX-License-Identifier: GPL-2.0-only
#include "cli/agree.h"

#include <stdlib.h>
#include <string.h>

#define MAX_SOURCES 65536u /* VMs and vCPUs; what is beyond is not compared */

/* The counters, by where KVM keeps them. */
enum stat {
	/* of a vCPU */
	S_exits,
	S_pf_taken,
	S_pf_fixed,
	S_pf_emulate,
	S_pf_spurious,
	S_pf_fast,
	S_pf_mmio_spte_created,
	S_pf_guest,
	S_tlb_flush,
	S_invlpg,
	S_insn_emulation,
	/* of a VM */
	S_mmu_shadow_zapped,
	S_mmu_pte_write,
	S_mmu_pde_zapped,
	S_mmu_flooded,
	S_mmu_recycled,
	S_mmu_cache_miss,
	S_mmu_unsync,
	S_rezaps,
	S_stray_writes,
	/* of a VM or of the whole capture */
	S_unsync_calls,
	S_unsync_refused,
	S_exact_calls,
	S_exact_denied,
	S_exact_missed,
	STATS
};

static const char *const stat_names[STATS] = {
	[S_exits] = "kvm.exits",
	[S_pf_taken] = "kvm.pf_taken",
	[S_pf_fixed] = "kvm.pf_fixed",
	[S_pf_emulate] = "kvm.pf_emulate",
	[S_pf_spurious] = "kvm.pf_spurious",
	[S_pf_fast] = "kvm.pf_fast",
	[S_pf_mmio_spte_created] = "kvm.pf_mmio_spte_created",
	[S_pf_guest] = "kvm.pf_guest",
	[S_tlb_flush] = "kvm.tlb_flush",
	[S_invlpg] = "kvm.invlpg",
	[S_insn_emulation] = "kvm.insn_emulation",
	[S_mmu_shadow_zapped] = "kvm.mmu_shadow_zapped",
	[S_mmu_pte_write] = "kvm.mmu_pte_write",
	[S_mmu_pde_zapped] = "kvm.mmu_pde_zapped",
	[S_mmu_flooded] = "kvm.mmu_flooded",
	[S_mmu_recycled] = "kvm.mmu_recycled",
	[S_mmu_cache_miss] = "kvm.mmu_cache_miss",
	[S_mmu_unsync] = "kvm.mmu_unsync",
	[S_rezaps] = "collector.rezaps",
	[S_stray_writes] = "collector.stray_writes",
	[S_unsync_calls] = "collector.unsync_calls",
	[S_unsync_refused] = "collector.unsync_refused",
	[S_exact_calls] = "exact.calls",
	[S_exact_denied] = "exact.denied",
	[S_exact_missed] = "exact.missed",
};

/* What is counted in the trace. */
enum tally {
	T_NEW,
	T_ZAP,
	T_ZAP_UNSYNC,
	T_UNSYNC,
	T_SYNC,
	T_PTE_WRITE, /* emulated writes; one that was cut into several events is one */
	T_FLOODED,
	T_INVLPG,
	T_INVPCID_ADDRESS,
	T_FAULT,
	T_FILLED,
	T_FAST,
	T_EMULATED,
	T_REFLECTED,
	T_MMIO_NEW,
	T_MMIO_CACHED,
	T_CR0,
	T_CR3,
	T_CR4,
	TALLIES
};

/* Sums of exits by what interests here. */
enum exit_sum {
	X_ALL,
	X_FAULT,
	X_CR0,
	X_CR3,
	X_CR4,
	X_CR_ANY,
	X_INVLPG,
	X_RSM,
	X_EXCEPTION,
	EXIT_SUMS
};

/* A VM, or one of its vCPUs. */
struct source {
	uint64_t count[TALLIES];
	uint64_t at[2][TALLIES]; /* as it was when KVM's counters were read: first, last */
	uint64_t stat[2][STATS];
	uint32_t has[2]; /* bits: which of them are there */
	uint64_t exits[EXIT_SUMS];
	uint64_t write_time, write_end, write_gfn; /* the emulated write under way */
	bool writing, gone, vmx;
	uint16_t vm, vcpu;
};

struct agree {
	struct source *sources; /* in order of VM and vCPU when finished */
	size_t n, room;
	uint32_t slots[2 * MAX_SOURCES]; /* place in sources plus one, by hash of VM and vCPU */
	uint64_t lost[UT_KIND_MAX + 1];
	struct agree_check *checks;
	size_t n_checks;
	bool failed;
};

struct agree *agree_new(void)
{
	return calloc(1, sizeof(struct agree));
}

void agree_free(struct agree *a)
{
	if (!a)
		return;
	free(a->sources);
	free(a->checks);
	free(a);
}

const char *agree_status_name(enum agree_status status)
{
	static const char *const names[AGREE_STATUS_END] = {
		[AGREE_SAME] = "agrees",     [AGREE_EXPLAINED] = "explained", [AGREE_LOST] = "lost",
		[AGREE_DIFFERS] = "differs", [AGREE_NO_EVENT] = "no-event",
	};

	return names[status];
}

/* ---- counting ---- */

static struct source *find_source(struct agree *a, uint16_t vm, uint16_t vcpu)
{
	uint32_t slot = ((uint32_t)vm << 16 | vcpu) * 0x9e3779b1u >> 15;
	struct source *s;

	for (; a->slots[slot]; slot = (slot + 1) % (2 * MAX_SOURCES)) {
		s = &a->sources[a->slots[slot] - 1];
		if (s->vm == vm && s->vcpu == vcpu)
			return s;
	}
	if (a->n == a->room) {
		size_t room = a->room ? 2 * a->room : 16;
		struct source *grown;

		grown = a->n < MAX_SOURCES ? realloc(a->sources, room * sizeof(*grown)) : NULL;
		if (!grown) {
			a->failed = true;
			return NULL;
		}
		a->sources = grown;
		a->room = room;
	}
	s = &a->sources[a->n++];
	a->slots[slot] = (uint32_t)a->n;
	memset(s, 0, sizeof(*s));
	s->vm = vm;
	s->vcpu = vcpu;
	return s;
}

/*
 * KVM zaps a page for being flooded while it handles an emulated write to it: the zap follows the
 * write at once, except for tables out of sync below it.
 */
static void follow_write(struct source *s, const struct ut_event *e, uint64_t *tally)
{
	const struct ut_write *w = &e->write;
	uint64_t gpa;

	switch (e->kind) {
	case UT_WRITE:
		if (w->how != UT_HOW_TRAPPED)
			return;
		gpa = (w->gfn << 12) + w->offset;
		if (!s->writing || s->write_time != e->time || s->write_end != gpa)
			tally[T_PTE_WRITE]++;
		s->writing = true;
		s->write_time = e->time;
		s->write_end = gpa + w->size;
		s->write_gfn = w->gfn;
		return;
	case UT_PAGE_ZAP:
		if (s->writing && s->write_gfn == e->page.gfn)
			tally[T_FLOODED]++;
		return;
	case UT_HOST_SYNC:
		return;
	default:
		s->writing = false;
	}
}

static void tally_fault(const struct ut_fault *f, uint64_t *tally)
{
	tally[T_FAULT]++;
	switch (f->outcome) {
	case UT_OUT_FAST:
		tally[T_FAST]++;
		break;
	case UT_OUT_FILLED:
		tally[T_FILLED]++;
		break;
	case UT_OUT_EMULATED:
		tally[T_EMULATED]++;
		break;
	case UT_OUT_REFLECTED:
		tally[T_REFLECTED]++;
		break;
	case UT_OUT_MMIO:
		/* An address known to have no memory is answered from a cache, without a walk. */
		tally[!f->top && (f->error & UT_PF_RESERVED) ? T_MMIO_CACHED : T_MMIO_NEW]++;
		break;
	default:
		break;
	}
}

static void tally_event(const struct ut_event *e, uint64_t *tally)
{
	switch (e->kind) {
	case UT_PAGE_NEW:
		tally[T_NEW]++;
		break;
	case UT_PAGE_ZAP:
		tally[T_ZAP]++;
		tally[T_ZAP_UNSYNC] += e->page.unsync;
		break;
	case UT_HOST_UNSYNC:
		tally[T_UNSYNC]++;
		break;
	case UT_HOST_SYNC:
		tally[T_SYNC]++;
		break;
	case UT_INVLPG:
		tally[T_INVLPG]++;
		break;
	case UT_INVPCID:
		tally[T_INVPCID_ADDRESS] += e->invpcid.type == 0;
		break;
	case UT_FAULT:
		tally_fault(&e->fault, tally);
		break;
	case UT_CR:
		tally[e->cr.cr == 0 ? T_CR0 : e->cr.cr == 3 ? T_CR3 : T_CR4]++;
		break;
	default:
		break;
	}
}

static void add_exits(struct source *s, const struct ut_exits *x)
{
	static const struct {
		uint32_t reason;
		enum exit_sum sum;
	} svm[] = { { 0x4e, X_FAULT }, { 0x10, X_CR0 },	   { 0x65, X_CR0 }, { 0x13, X_CR3 },
		    { 0x14, X_CR4 },   { 0x79, X_INVLPG }, { 0x73, X_RSM } },
	  vmx[] = { { 0, X_EXCEPTION }, { 28, X_CR_ANY }, { 14, X_INVLPG }, { 17, X_RSM } };
	size_t n =
		x->isa == UT_ISA_VMX ? sizeof(vmx) / sizeof(vmx[0]) : sizeof(svm) / sizeof(svm[0]);

	s->exits[X_ALL] += x->count;
	s->vmx |= x->isa == UT_ISA_VMX;
	for (size_t i = 0; i < n && x->isa != UT_ISA_UNKNOWN; i++) {
		if ((x->isa == UT_ISA_VMX ? vmx[i].reason : svm[i].reason) == x->reason)
			s->exits[x->isa == UT_ISA_VMX ? vmx[i].sum : svm[i].sum] += x->count;
	}
}

static void add_stat(struct source *s, const struct ut_text *t)
{
	unsigned int side = t->final;

	for (unsigned int i = 0; i < STATS; i++) {
		if (strlen(stat_names[i]) != t->len || memcmp(stat_names[i], t->text, t->len))
			continue;
		s->stat[side][i] = t->value;
		s->has[side] |= 1u << i;
		memcpy(s->at[side], s->count, sizeof(s->count));
	}
}

static void count_in(struct source *s, const struct ut_event *e)
{
	if (!s)
		return;
	tally_event(e, s->count);
	if (e->kind == UT_EXITS)
		add_exits(s, &e->exits);
}

void agree_event(struct agree *a, const struct ut_event *e)
{
	uint64_t before[2];
	struct source *s;

	/* A page that could not be read is an event all the same. */
	if (e->kind == UT_LOST && e->lost.cause != UT_LOST_UNREADABLE)
		a->lost[e->lost.kind] += e->lost.count;
	if (e->kind == UT_LOST || (e->vm == UT_NO_VM && e->kind != UT_STAT))
		return;
	s = find_source(a, e->vm, e->vcpu);
	if (!s)
		return;
	if (e->kind == UT_STAT) {
		add_stat(s, &e->text);
		return;
	}
	s->gone |= e->kind == UT_VM_GONE;
	before[0] = s->count[T_PTE_WRITE];
	before[1] = s->count[T_FLOODED];
	count_in(s, e);
	follow_write(s, e, s->count);
	if (e->vcpu == UT_NO_VCPU)
		return;
	before[0] = s->count[T_PTE_WRITE] - before[0];
	before[1] = s->count[T_FLOODED] - before[1];
	s = find_source(a, e->vm, UT_NO_VCPU);
	if (!s)
		return;
	count_in(s, e);
	s->count[T_PTE_WRITE] += before[0];
	s->count[T_FLOODED] += before[1];
}

/* ---- comparing ---- */

/* A VM with all that is known of it: its own counters, and its vCPUs' added up. */
struct sum {
	uint64_t stat[STATS];	 /* change from start to end */
	uint64_t trace[TALLIES]; /* events between the two readings */
	uint64_t whole[TALLIES]; /* events up to the last reading */
	uint64_t exits[EXIT_SUMS];
	uint64_t gauge; /* mmu_unsync at the end */
	uint32_t has;
	unsigned int vcpus;
	unsigned int live; /* readings of counters while vCPUs may have run: 0 to 2 */
	bool vmx;
	uint16_t vm;
};

static bool of_vcpu(unsigned int stat)
{
	return stat <= S_insn_emulation;
}

/* Which tallies belong to counters of a vCPU; the others to those of the VM. */
static bool tally_of_vcpu(unsigned int tally)
{
	return tally >= T_INVLPG;
}

static void add_source(struct sum *sum, const struct source *s)
{
	bool vcpu = s->vcpu != UT_NO_VCPU;
	unsigned int live;

	for (unsigned int i = 0; i < STATS; i++) {
		if (of_vcpu(i) != vcpu || !(s->has[1] >> i & 1))
			continue;
		sum->has |= 1u << i;
		sum->stat[i] += s->stat[1][i] - s->stat[0][i];
	}
	for (unsigned int i = 0; i < TALLIES; i++) {
		uint64_t at_end = s->has[1] ? s->at[1][i] : s->count[i];

		if (tally_of_vcpu(i) != vcpu)
			continue;
		sum->trace[i] += at_end - s->at[0][i];
		/* Nothing is out of sync as a trace begins that it does not tell. */
		sum->whole[i] += at_end;
	}
	live = !!s->has[0] + (s->has[1] && !s->gone);
	sum->live = live > sum->live ? live : sum->live;
	if (vcpu) {
		sum->vcpus++;
		return;
	}
	sum->gauge = s->stat[1][S_mmu_unsync];
	memcpy(sum->exits, s->exits, sizeof(sum->exits));
	sum->vmx = s->vmx;
}

#define KIND(k) (1u << (k))

static uint64_t lost_of(const struct agree *a, uint32_t kinds)
{
	uint64_t n = a->lost[0];

	for (unsigned int k = 1; k < UT_KIND_END; k++)
		n += kinds >> k & 1 ? a->lost[k] : 0;
	return n;
}

static struct agree_check *new_check(struct agree *a, uint16_t vm, const char *counter,
				     const char *events)
{
	struct agree_check *grown = realloc(a->checks, (a->n_checks + 1) * sizeof(*grown)), *c;

	if (!grown) {
		a->failed = true;
		return NULL;
	}
	a->checks = grown;
	c = &grown[a->n_checks++];
	*c = (struct agree_check){ .counter = counter, .events = events, .vm = vm };
	return c;
}

/* How far apart the two may be, and why; a positive difference is what KVM has more. */
struct slack {
	uint64_t more, less;
	const char *why;
};

static void judge(const struct agree *a, struct agree_check *c, uint32_t kinds, struct slack slack)
{
	uint64_t more = c->kvm > c->trace ? c->kvm - c->trace : 0;
	uint64_t less = c->trace > c->kvm ? c->trace - c->kvm : 0;

	if (c->bound > 0)
		more = 0;
	else if (c->bound < 0)
		less = 0;
	if (!more && !less) {
		c->status = AGREE_SAME;
	} else if (more <= slack.more && less <= slack.less) {
		c->status = AGREE_EXPLAINED;
		c->why = slack.why;
	} else if (more + less <= lost_of(a, kinds)) {
		c->status = AGREE_LOST;
	} else {
		c->status = AGREE_DIFFERS;
	}
}

static void compare(struct agree *a, const struct sum *s, const char *counter, const char *events,
		    uint64_t kvm, uint64_t trace, uint32_t kinds, struct slack slack)
{
	struct agree_check *c = new_check(a, s->vm, counter, events);

	if (!c)
		return;
	c->kvm = kvm;
	c->trace = trace;
	judge(a, c, kinds, slack);
}

static void compare_bound(struct agree *a, const struct sum *s, const char *counter,
			  const char *events, uint64_t kvm, uint64_t trace, uint32_t kinds,
			  signed char bound)
{
	struct agree_check *c = new_check(a, s->vm, counter, events);

	if (!c)
		return;
	c->kvm = kvm;
	c->trace = trace;
	c->bound = bound;
	judge(a, c, kinds, (struct slack){ 0 });
}

static void no_event(struct agree *a, const struct sum *s, unsigned int stat, const char *reason)
{
	struct agree_check *c;

	if (!(s->has >> stat & 1))
		return;
	c = new_check(a, s->vm, stat_names[stat], reason);
	if (!c)
		return;
	c->kvm = s->stat[stat];
	c->status = AGREE_NO_EVENT;
}

/* With each reading of a running guest's counters, each vCPU may be in the middle of something. */
static struct slack in_flight(const struct sum *s)
{
	uint64_t n = (uint64_t)s->live * s->vcpus;

	return (struct slack){ .more = n, .less = n, .why = "read while the guest ran" };
}

/* One counter against tallies that are given as a sum. */
static void compare_stat(struct agree *a, const struct sum *s, unsigned int stat,
			 const char *events, uint64_t trace, uint32_t kinds)
{
	if (s->has >> stat & 1)
		compare(a, s, stat_names[stat], events, s->stat[stat], trace, kinds, in_flight(s));
}

static void check_faults(struct agree *a, const struct sum *s)
{
	const uint64_t *t = s->trace;
	uint32_t kinds = KIND(UT_FAULT);

	compare_stat(a, s, S_pf_taken, "faults, without cached mmio", t[T_FAULT] - t[T_MMIO_CACHED],
		     kinds);
	if (s->has >> S_pf_fixed & 1)
		compare(a, s, "kvm.pf_fixed + kvm.pf_spurious", "faults filled, fast",
			s->stat[S_pf_fixed] + s->stat[S_pf_spurious], t[T_FILLED] + t[T_FAST],
			kinds, in_flight(s));
	compare_stat(a, s, S_pf_fast, "faults fast", t[T_FAST], kinds);
	compare_stat(a, s, S_pf_emulate, "faults emulated, mmio without cached",
		     t[T_EMULATED] + t[T_MMIO_NEW], kinds);
	compare_stat(a, s, S_pf_mmio_spte_created, "faults mmio, without cached", t[T_MMIO_NEW],
		     kinds);
	compare_stat(a, s, S_pf_guest, "faults reflected", t[T_REFLECTED], kinds);
	compare_stat(a, s, S_invlpg, "invlpg, invpcid of an address",
		     t[T_INVLPG] + t[T_INVPCID_ADDRESS], KIND(UT_INVLPG) | KIND(UT_INVPCID));
}

/* Exits are summed over the whole capture, the last of each vCPU perhaps without its end. */
static void check_exits(struct agree *a, const struct sum *s)
{
	static const char last_exit[] = "the last exit of a vCPU has no entry after it";
	static const char rsm[] = "RSM writes control registers, too";
	struct slack last = { .less = s->vcpus, .why = last_exit };
	struct slack smm = { .less = 2 * s->exits[X_RSM], .why = rsm };
	uint32_t cr = KIND(UT_CR) | KIND(UT_EXITS), fault = KIND(UT_FAULT) | KIND(UT_EXITS);
	const uint64_t *x = s->exits;
	uint64_t t[TALLIES];

	if (!x[X_ALL])
		return;
	memcpy(t, s->whole, sizeof(t));
	if (s->has & 1u << S_exits && !s->live)
		compare(a, s, stat_names[S_exits], "exits", s->stat[S_exits], x[X_ALL],
			KIND(UT_EXITS), (struct slack){ .more = s->vcpus, .why = last_exit });
	else
		no_event(a, s, S_exits, "exits are summed over the whole capture only");
	if (s->vmx) {
		compare_bound(a, s, "exits: exception or NMI", "fault, among others",
			      x[X_EXCEPTION] + s->vcpus, t[T_FAULT], fault, 1);
		compare_bound(a, s, "exits: control register", "cr, among others",
			      x[X_CR_ANY] + s->vcpus + 8 * x[X_RSM], t[T_CR0] + t[T_CR3] + t[T_CR4],
			      cr, 1);
		return;
	}
	compare(a, s, "exits: page fault", "fault", x[X_FAULT], t[T_FAULT], fault, last);
	if (!x[X_RSM])
		smm = last;
	compare(a, s, "exits: write CR0", "cr 0", x[X_CR0], t[T_CR0], cr, smm);
	compare(a, s, "exits: write CR3", "cr 3", x[X_CR3], t[T_CR3], cr, smm);
	smm.less = x[X_RSM] ? 4 * x[X_RSM] : smm.less;
	compare(a, s, "exits: write CR4", "cr 4", x[X_CR4], t[T_CR4], cr, smm);
}

static void check_pages(struct agree *a, const struct sum *s)
{
	const uint64_t *t = s->trace;
	uint32_t pages = KIND(UT_PAGE_NEW) | KIND(UT_PAGE_ZAP);
	uint64_t unsynced = s->whole[T_UNSYNC];
	uint64_t synced = s->whole[T_SYNC] + s->whole[T_ZAP_UNSYNC];

	compare_stat(a, s, S_mmu_cache_miss, "page-new", t[T_NEW], pages);
	compare_stat(a, s, S_mmu_shadow_zapped, "page-zap, and roots zapped twice",
		     t[T_ZAP] + s->stat[S_rezaps], pages);
	compare_stat(a, s, S_mmu_pte_write, "writes trapped, and those to other pages",
		     t[T_PTE_WRITE] + s->stat[S_stray_writes], KIND(UT_WRITE));
	compare_stat(a, s, S_mmu_flooded, "page-zap right after a write to the page", t[T_FLOODED],
		     pages | KIND(UT_WRITE));
	if (s->has >> S_mmu_unsync & 1)
		compare(a, s, "kvm.mmu_unsync + no longer", "host-unsync", s->gauge + synced,
			unsynced, pages | KIND(UT_HOST_UNSYNC) | KIND(UT_HOST_SYNC), in_flight(s));
	if (s->has >> S_mmu_recycled & 1)
		compare_bound(a, s, stat_names[S_mmu_recycled], "some of page-zap",
			      s->stat[S_mmu_recycled], t[T_ZAP] + s->stat[S_rezaps], pages, -1);
	no_event(a, s, S_mmu_pde_zapped, "no event: it follows from writes to upper tables");
	no_event(a, s, S_tlb_flush, "no event: the host's own TLB");
	no_event(a, s, S_insn_emulation, "no event: instructions emulated for whatever reason");
}

/* Of all VMs: what the hooks counted, and whether every VM told. */
static bool sum_of_vms(const struct agree *a, unsigned int stat, uint64_t *sum)
{
	bool all = false;

	*sum = 0;
	for (size_t i = 0; i < a->n; i++) {
		const struct source *s = &a->sources[i];

		if (s->vcpu != UT_NO_VCPU || s->vm == UT_NO_VM)
			continue;
		if (!(s->has[1] >> stat & 1))
			return false;
		*sum += s->stat[1][stat] - s->stat[0][stat];
		all = true;
	}
	return all;
}

/*
 * The module is switched on before a VM that runs is read, and asked for its counts after what outlives
 * the capture: these are then for longer than the trace.
 */
static struct slack module_was_on(const struct agree *a)
{
	for (size_t i = 0; i < a->n; i++) {
		const struct source *s = &a->sources[i];

		if (s->vcpu == UT_NO_VCPU && s->vm != UT_NO_VM && (s->has[0] || !s->gone))
			return (struct slack){ .more = UINT64_MAX,
					       .why = "counted for longer than it was recorded" };
	}
	return (struct slack){ 0 };
}

/* What the module for exact captures did, as itself and as the hooks counted it. */
static void check_exact(struct agree *a, const struct source *s)
{
	struct sum sum = { .vm = s->vm };
	uint64_t n, unsynced = 0;

	if (s->has[1] >> S_exact_calls & 1 && sum_of_vms(a, S_unsync_calls, &n))
		compare(a, &sum, "exact.calls", "collector.unsync_calls", s->stat[1][S_exact_calls],
			n, 0, module_was_on(a));
	if (s->has[1] >> S_exact_denied & 1 && sum_of_vms(a, S_unsync_refused, &n))
		compare(a, &sum, "exact.denied", "collector.unsync_refused",
			s->stat[1][S_exact_denied], n, 0, module_was_on(a));
	if (!(s->has[1] >> S_exact_missed & 1) || s->stat[1][S_exact_missed])
		return;
	/* What was out of sync as a VM was attached to was so before. */
	for (size_t i = 0; i < a->n; i++) {
		if (a->sources[i].vcpu == UT_NO_VCPU)
			unsynced += a->sources[i].count[T_UNSYNC] - a->sources[i].at[0][T_UNSYNC];
	}
	compare(a, &sum, "exact.missed", "host-unsync", 0, unsynced, 0, (struct slack){ 0 });
}

static int by_source(const void *x, const void *y)
{
	const struct source *a = x, *b = y;

	return a->vm != b->vm ? (int)a->vm - b->vm : (int)a->vcpu - b->vcpu;
}

const struct agree_check *agree_finish(struct agree *a, size_t *n)
{
	size_t i = 0;

	*n = 0;
	if (a->n)
		qsort(a->sources, a->n, sizeof(a->sources[0]), by_source);
	while (i < a->n) {
		struct sum sum = { .vm = a->sources[i].vm };

		if (sum.vm == UT_NO_VM) {
			check_exact(a, &a->sources[i++]);
			continue;
		}
		for (; i < a->n && a->sources[i].vm == sum.vm; i++)
			add_source(&sum, &a->sources[i]);
		if (!sum.has)
			continue;
		check_pages(a, &sum);
		check_faults(a, &sum);
		check_exits(a, &sum);
	}
	if (a->failed)
		return NULL;
	*n = a->n_checks;
	return a->checks;
}

enum agree_status agree_worst(const struct agree_check *checks, size_t n)
{
	enum agree_status worst = AGREE_NO_EVENT;

	for (size_t i = 0; i < n; i++) {
		if (checks[i].status == AGREE_NO_EVENT)
			continue;
		if (worst == AGREE_NO_EVENT || checks[i].status > worst)
			worst = checks[i].status;
	}
	return worst;
}
