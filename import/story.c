// SPDX-License-Identifier: GPL-2.0-only
#include "import/story.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/assemble.h"
#include "import/formats.h"
#include "import/guests.h"
#include "import/placing.h"
#include "import/roots.h"

#define PAGE_SHIFT 12
#define FACT_BYTES 1024u
#define HELD_RECORDS 256u
#define HELD_BYTES 64u

/* Exits that mean something here; the vendors' manuals and KVM's asm/svm.h and asm/vmx.h number them. */
#define SVM_WRITE_CR0 0x010u
#define SVM_CR0_SEL_WRITE 0x065u
#define SVM_INVLPG 0x079u
#define SVM_INVPCID 0x0a2u
#define SVM_NPF 0x400u
#define VMX_INVLPG 14u
#define VMX_CR_ACCESS 28u
#define VMX_EPT_VIOLATION 48u
#define VMX_INVPCID 58u
#define VMX_REASON 0xffffu
/* What to do about a recording that lacks what is needed. */
#define STORY_REMEDY                                                                               \
	"record with: perf record -a -k CLOCK_MONOTONIC -e 'kvm:*' -e 'kvmmmu:*', or trace-cmd "   \
	"record -C mono -e kvm -e kvmmmu"
#define INVPCID_ALL 2u
#define INVPCID_ALL_BUT_GLOBAL 3u

/* A page that a vCPU looked up before it first entered its guest, when nobody knows the vCPU yet. */
struct held {
	const struct format *format;
	uint32_t tid;
	uint8_t data[HELD_BYTES];
};

struct story {
	struct import_sink sink;
	struct story_options opt;
	struct story_counts counts;
	struct formats *formats;
	struct guests *guests;
	struct assembler *assembler; /* NULL before the first record */
	struct placing *placing;
	struct ut_error bad_format; /* the first that could not be used */
	char *facts[IMPORT_FACTS];
	uint64_t last;	 /* time of the last record */
	uint64_t nested; /* exits that only EPT or NPT has */
	uint64_t tables; /* shadow pages with a guest table behind them */
	uint64_t pages;	 /* others */
	bool refused;	 /* emit() wants no more */
	struct held held[HELD_RECORDS];
	unsigned int n_held;
	uint64_t unseen; /* emulated writes to tables, of which no record has the value */
};

/* One record on its way. */
struct now {
	const struct format *format;
	const void *data;
	struct guest_thread *thread; /* NULL: of no vCPU, and not known */
	struct guest_vcpu *vcpu;     /* NULL: the thread runs none */
	uint64_t time;
	uint32_t tid, pid; /* of the thread; pid 0: unknown */
};

static int fail(struct story *s, const char *what)
{
	return ut_error_set(&s->sink.err, "%s", what);
}

static int out_of_memory(struct story *s)
{
	return fail(s, "out of memory");
}

static uint64_t get(const struct now *n, unsigned int field)
{
	return field_get(n->format->field[field], n->data);
}

/* ---- towards the assembler ---- */

static struct rec_head head_of(const struct guest_vcpu *c, uint64_t time, unsigned int kind)
{
	return (struct rec_head){
		.time = time, .kind = (uint8_t)kind, .vm = c->vm->id, .vcpu = c->id
	};
}

static int put(struct story *s, const void *record, size_t size)
{
	if (!assembler_record(s->assembler, record, size))
		return 0;
	/* What emit() has to say is its own. */
	return s->refused ? -1 : out_of_memory(s);
}

static int put_value(struct story *s, const struct guest_vcpu *c, uint64_t time, unsigned int kind,
		     uint64_t a, uint64_t b)
{
	struct rec_value r = { .head = head_of(c, time, kind), .a = a, .b = b };

	return put(s, &r, sizeof(r));
}

/* Something happened, but the recording has not what. */
static int put_gap(struct story *s, const struct guest_vcpu *c, uint64_t time, unsigned int kind)
{
	struct rec_lost r = { .head = head_of(c, time, UT_LOST), .cause = UT_LOST_IMPORT };

	r.head.vcpu = UT_NO_VCPU;
	r.counts[kind] = 1;
	return put(s, &r, sizeof(r));
}

static int put_state(struct story *s, struct guest_vcpu *c, uint64_t time)
{
	struct rec_state r = { .head = head_of(c, time, UT_STATE),
			       .cr0 = c->state.cr0,
			       .cr3 = c->state.cr3,
			       .cr4 = c->state.cr4,
			       .efer = c->state.efer };

	c->told = true;
	return put(s, &r, sizeof(r));
}

static int put_vm(struct story *s, const struct guest_vcpu *c, const struct guest_thread *t,
		  uint64_t time)
{
	struct rec_vm r = { .head = head_of(c, time, UT_VM), .pid = t->pid ? t->pid : t->tid };
	struct guest_thread *main = t->pid ? guests_thread(s->guests, t->pid, t->pid, false) : NULL;

	r.head.vcpu = UT_NO_VCPU;
	/* Of QEMU's threads the first has the name of the program. */
	memcpy(r.comm, main && main->name[0] ? main->name : t->name, sizeof(r.comm));
	return put(s, &r, sizeof(r));
}

static int take_event(void *arg, const struct ut_event *e)
{
	struct story *s = arg;

	if (!placing_event(s->placing, e))
		return 0;
	return s->refused ? -1 : out_of_memory(s);
}

static int emit_event(void *arg, const struct ut_event *e)
{
	struct story *s = arg;

	s->counts.events++;
	s->refused = s->opt.emit(s->opt.arg, e);
	return s->refused ? -1 : 0;
}

/* ---- registers, as far as they can be told ---- */

/*
 * What a walk shows of them: the number of levels. What a root's role shows: whether the kernel may write what
 * is read-only, and whether entries can forbid execution. Long mode is taken to have global pages, as
 * all common guests use them there, unless kvm_cr told what CR4 is.
 */
static struct ut_state with_levels(const struct guest_vcpu *c, unsigned int levels)
{
	struct ut_state st = c->state;

	st.cr0 |= UT_CR0_PG | 1;
	if (!c->cr4_told) {
		st.cr4 &= ~(UT_CR4_PAE | UT_CR4_LA57);
		if (levels >= 3)
			st.cr4 |= UT_CR4_PAE;
		if (levels >= 4)
			st.cr4 |= UT_CR4_PGE;
		if (levels == 5)
			st.cr4 |= UT_CR4_LA57;
	}
	st.efer &= ~(UT_EFER_LME | UT_EFER_LMA);
	if (levels >= 4)
		st.efer |= UT_EFER_LME | UT_EFER_LMA;
	return st;
}

static unsigned int levels_of(const struct ut_state *st)
{
	if (!(st->cr0 & UT_CR0_PG))
		return 0;
	if (!(st->cr4 & UT_CR4_PAE))
		return 2;
	if (!(st->efer & UT_EFER_LMA))
		return 3;
	return st->cr4 & UT_CR4_LA57 ? 5 : 4;
}

static int become(struct story *s, struct guest_vcpu *c, const struct ut_state *st, uint64_t time)
{
	if (c->told && !memcmp(&c->state, st, sizeof(*st)))
		return 0;
	c->state = *st;
	return put_state(s, c, time);
}

/* The root that the vCPU is on has another frame than was believed. */
static int be_on_root(struct story *s, struct guest_vcpu *c, uint64_t gfn, uint64_t time)
{
	struct ut_state st = c->state;

	st.cr3 = gfn << PAGE_SHIFT | (st.cr4 & UT_CR4_PCIDE ? st.cr3 & UT_CR3_PCID : 0);
	if (roots_use(c->vm, gfn))
		return out_of_memory(s);
	return become(s, c, &st, time);
}

static uint64_t root_of(const struct guest_vcpu *c)
{
	return (c->state.cr3 & UT_PTE_FRAME) >> PAGE_SHIFT;
}

/* Of four and five levels: a root that KVM looked up for the vCPU. */
static int see_root(struct story *s, const struct now *n, uint64_t gfn, uint32_t role)
{
	struct guest_vcpu *c = n->vcpu;
	struct ut_state st = with_levels(c, ut_role_level(role));

	st.cr0 = role & UT_ROLE_CR0_WP ? st.cr0 | UT_CR0_WP : st.cr0 & ~UT_CR0_WP;
	st.efer = role & UT_ROLE_EFER_NX ? st.efer | UT_EFER_NX : st.efer & ~UT_EFER_NX;
	c->exit.loads = gfn;
	if (roots_use(c->vm, gfn))
		return out_of_memory(s);
	/* A write to CR3 that is under way is told by itself, see end_cr(). */
	if (root_of(c) != gfn && !c->exit.open)
		st.cr3 = gfn << PAGE_SHIFT;
	if (!c->told)
		st.cr3 = gfn << PAGE_SHIFT;
	return become(s, c, &st, n->time);
}

/* ---- faults ---- */

static uint8_t outcome_of(const struct guest_fault *f)
{
	if (f->reflected)
		return UT_OUT_REFLECTED;
	/* A cached "no memory there" is answered before any walk. */
	if (f->mmio || (f->emulated && !f->walked && f->error & UT_PF_RESERVED))
		return UT_OUT_MMIO;
	if (f->fast && !f->walked)
		return UT_OUT_FAST;
	if (f->emulated)
		return UT_OUT_EMULATED;
	if (f->set || f->goal)
		return UT_OUT_FILLED;
	return UT_OUT_UNKNOWN;
}

static unsigned int top_index(uint64_t gva, unsigned int level)
{
	return gva >> (PAGE_SHIFT + 9 * (level - 1)) & (UT_TABLE_ENTRIES - 1);
}

/* The table that a walk of four or five levels ended in, if it is one of the last level. */
static uint64_t leaf_of(const struct guest_fault *f)
{
	return f->bottom == 1 ? (f->walk[1] & UT_PTE_FRAME) >> PAGE_SHIFT : 0;
}

/* What a walk tells of the vCPU that had it. */
static int learn_walk(struct story *s, struct guest_vcpu *c, const struct guest_fault *f,
		      uint64_t time)
{
	struct ut_state st = with_levels(c, f->top);
	unsigned int index;
	uint64_t root;

	if (levels_of(&c->state) != f->top && become(s, c, &st, time))
		return -1;
	if (f->top < 4)
		return 0;
	index = top_index(f->gva, f->top);
	root = roots_by_entry(c->vm, root_of(c), index, f->walk[f->top - 1]);
	if (root != root_of(c) && be_on_root(s, c, root, time))
		return -1;
	if (roots_walked(c->vm, root, index, f->walk[f->top - 1], leaf_of(f)))
		return out_of_memory(s);
	return 0;
}

static bool has_walk(const struct guest_fault *f)
{
	return f->walked && f->top >= 2 && f->bottom && f->bottom <= f->top;
}

/* One that goes to the guest may have KVM look at the entry again, and set another of its shadow. */
static uint8_t mapped_at(const struct guest_fault *f)
{
	if (f->mmio || f->reflected)
		return 0;
	return f->set ? f->set : f->goal;
}

/* What the host wrote for the guest is in no record; a later walk may show it. */
static int note_emulated(struct story *s, const struct guest_vcpu *c, const struct rec_fault *r)
{
	struct ut_fault f = { .gva = r->gva,
			      .error = r->error,
			      .top = r->top,
			      .bottom = r->bottom,
			      .outcome = r->outcome };

	memcpy(f.walk, r->walk, sizeof(f.walk));
	if (!placing_emulates(&f))
		return 0;
	s->unseen++;
	if (assembler_touched(s->assembler, c->vm->id, placing_gpa(&f), f.top == 2 ? 4 : 8))
		return out_of_memory(s);
	return 0;
}

static int end_fault(struct story *s, struct guest_vcpu *c, uint64_t time)
{
	struct guest_fault *f = &c->fault;
	struct rec_fault r;

	if (!f->active)
		return 0;
	f->active = f->walking = false;
	if (has_walk(f) && learn_walk(s, c, f, time))
		return -1;
	r = (struct rec_fault){ .head = head_of(c, time, UT_FAULT),
				.begin = f->begin,
				.gva = f->gva,
				.error = f->error,
				.outcome = outcome_of(f),
				.map_level = mapped_at(f) };
	if (has_walk(f)) {
		memcpy(r.walk, f->walk, sizeof(r.walk));
		r.top = f->top;
		r.bottom = f->bottom;
	}
	if (c->told)
		r.head.flags = REC_STATE_KNOWN;
	return put(s, &r, sizeof(r)) ? -1 : note_emulated(s, c, &r);
}

static int begin_fault(struct story *s, const struct now *n)
{
	struct guest_vcpu *c = n->vcpu;

	if (end_fault(s, c, n->time))
		return -1;
	c->fault = (struct guest_fault){ .begin = c->exit.open ? c->exit.time : n->time,
					 .gva = get(n, FAULT_ADDRESS),
					 .error = (uint32_t)get(n, FAULT_ERROR),
					 .active = true };
	return 0;
}

/*
 * The first walk of the faulting address with the fault's own error code is the fault's; what the
 * instruction emulator walks later differs in either, or comes second.
 */
static void begin_walk(const struct now *n)
{
	const uint64_t bits = UT_PF_PRESENT | UT_PF_WRITE | UT_PF_USER | UT_PF_FETCH;
	struct guest_fault *f = &n->vcpu->fault;

	if (!f->active)
		return;
	f->walking = !f->walked && get(n, WALK_ADDRESS) == f->gva &&
		     !((get(n, WALK_ERROR) ^ f->error) & bits);
	if (f->walking)
		f->walked = true;
}

/* A walk that KVM repeats because an entry changed under it starts again at the top. */
static void add_element(const struct now *n)
{
	struct guest_fault *f = &n->vcpu->fault;
	uint64_t level;

	if (!f->walking)
		return;
	level = get(n, ELEMENT_LEVEL);
	if (level < 1 || level > UT_MAX_LEVELS)
		return;
	if (!f->top || level >= f->bottom)
		f->top = (uint8_t)level;
	f->bottom = (uint8_t)level;
	f->walk[level - 1] = get(n, ELEMENT_PTE);
}

/* Without the vCPU's own mode a walk's first level tells how wide entries are. */
static int take_ad(struct story *s, const struct now *n, bool dirty)
{
	const struct guest_fault *f = &n->vcpu->fault;
	unsigned int levels = f->walking && f->top ? f->top : levels_of(&n->vcpu->state);
	uint64_t gpa = get(n, AD_GPA), size = levels == 2 ? 4 : 8;

	return put_value(s, n->vcpu, n->time, UT_AD, gpa >> PAGE_SHIFT,
			 (gpa & 4095) / size | size << 16 | (dirty ? 1u << 24 : 0));
}

/* ---- exits ---- */

static void count_exit(struct guest_vcpu *c, uint64_t now)
{
	const struct guest_exit *exit = &c->exit;
	struct guest_exits *e = c->exits;

	while (e < c->exits + c->n_exits && (e->reason != exit->reason || e->isa != exit->isa))
		e++;
	if (e == c->exits + GUESTS_EXIT_REASONS)
		return;
	if (e == c->exits + c->n_exits) {
		*e = (struct guest_exits){ .reason = exit->reason, .isa = exit->isa };
		c->n_exits++;
	}
	e->count++;
	e->ns += now > exit->time ? now - exit->time : 0;
}

/* The control register that an exit is a write to; -1: it is none, or not known. */
static int written_cr(const struct guest_exit *e)
{
	if (e->isa == UT_ISA_SVM && e->reason >= SVM_WRITE_CR0 && e->reason <= SVM_WRITE_CR0 + 4)
		return (int)(e->reason - SVM_WRITE_CR0);
	if (e->isa == UT_ISA_SVM && e->reason == SVM_CR0_SEL_WRITE)
		return 0;
	/* Number of the register, then the kind of access: 0 is a write. */
	if (e->isa == UT_ISA_VMX && (e->reason & VMX_REASON) == VMX_CR_ACCESS && !(e->info1 & 0x30))
		return (int)(e->info1 & 15);
	return -1;
}

/* What was written is not in the recording. For CR3 it can be concluded which root it was. */
static int guess_cr(struct story *s, struct guest_vcpu *c, int cr, uint64_t time)
{
	uint64_t root = root_of(c);

	if (cr != 3 || levels_of(&c->state) < 4 || !root)
		return put_gap(s, c, time, UT_CR);
	root = c->exit.loads ? c->exit.loads : roots_entered(c->vm, root, c->exit.syncs);
	c->state.cr3 = root << PAGE_SHIFT;
	if (roots_use(c->vm, root))
		return out_of_memory(s);
	return put_value(s, c, time, UT_CR, c->state.cr3, 3);
}

/* The write to a control register that is under way, if nobody has told of it. */
static int end_cr(struct story *s, struct guest_vcpu *c, uint64_t time)
{
	int cr = c->exit.open && !c->exit.cr_told ? written_cr(&c->exit) : -1;

	c->exit.cr_told = true;
	return cr == 0 || cr == 3 || cr == 4 ? guess_cr(s, c, cr, time) : 0;
}

/* Without decode assists an INVLPG is emulated, and its address is in no record. */
static int end_invalidation(struct story *s, struct guest_vcpu *c, uint64_t time)
{
	const struct guest_exit *e = &c->exit;
	bool svm = e->isa == UT_ISA_SVM;

	if (svm ? e->reason == SVM_INVLPG : (e->reason & VMX_REASON) == VMX_INVLPG)
		return e->emulated ? put_gap(s, c, time, UT_INVLPG)
				   : put_value(s, c, time, UT_INVLPG, e->info1, 0);
	if (svm ? e->reason != SVM_INVPCID : (e->reason & VMX_REASON) != VMX_INVPCID)
		return 0;
	/* AMD's processors tell the type; what it concerns is in guest memory. */
	if (svm && (e->info2 == INVPCID_ALL || e->info2 == INVPCID_ALL_BUT_GLOBAL))
		return put_value(s, c, time, UT_INVPCID, 0, e->info2);
	return put_gap(s, c, time, UT_INVPCID);
}

/* All that the exit led to has been seen. */
static int end_exit(struct story *s, struct guest_vcpu *c, uint64_t time)
{
	if (end_fault(s, c, time) || end_cr(s, c, time))
		return -1;
	if (!c->exit.open)
		return 0;
	if ((c->exit.isa == UT_ISA_SVM || c->exit.isa == UT_ISA_VMX) &&
	    end_invalidation(s, c, time))
		return -1;
	count_exit(c, time);
	c->exit.open = false;
	return 0;
}

static int begin_exit(struct story *s, const struct now *n)
{
	struct guest_vcpu *c = n->vcpu;

	/* Its entry was lost. */
	if (end_exit(s, c, n->time))
		return -1;
	c->exit = (struct guest_exit){ .time = n->time,
				       .reason = (uint32_t)get(n, EXIT_REASON),
				       .isa = (uint32_t)get(n, EXIT_ISA),
				       .info1 = get(n, EXIT_INFO1),
				       .info2 = get(n, EXIT_INFO2),
				       .open = true };
	if (c->exit.isa == UT_ISA_SVM ? c->exit.reason == SVM_NPF
				      : (c->exit.reason & VMX_REASON) == VMX_EPT_VIOLATION)
		s->nested++;
	return 0;
}

static int take_cr(struct story *s, const struct now *n)
{
	struct guest_vcpu *c = n->vcpu;
	uint64_t cr = get(n, CR_NUMBER), value = get(n, CR_VALUE);

	if (!get(n, CR_RW) || (cr != 0 && cr != 3 && cr != 4))
		return 0;
	c->exit.cr_told = true;
	if (cr == 0) {
		c->state.cr0 = value;
	} else if (cr == 4) {
		c->state.cr4 = value;
		c->cr4_told = true;
	} else {
		c->state.cr3 = value & ~UT_CR3_NOFLUSH;
		if (levels_of(&c->state) >= 4 && roots_use(c->vm, root_of(c)))
			return out_of_memory(s);
	}
	return put_value(s, c, n->time, UT_CR, value, cr);
}

/* ---- shadow pages ---- */

/* Who a page is, while it lives: no record has its address. */
static uint64_t name_page(unsigned int vm, uint64_t gfn, uint32_t role)
{
	uint64_t name = (gfn << 10 ^ vm) * 0x9e3779b97f4a7c15ull;

	return (name ^ name >> 29 ^ role) * 0xbf58476d1ce4e5b9ull;
}

/* Not only vCPUs zap pages. */
static struct guest_vm *vm_of(struct story *s, const struct now *n, uint64_t gfn, uint32_t role)
{
	struct guest_vm *found;

	if (n->vcpu)
		return n->vcpu->vm;
	found = guests_of_process(s->guests, n->pid);
	for (struct guest_vm *vm = found ? NULL : guests_vms(s->guests); vm; vm = vm->next) {
		if (!assembler_has_page(s->assembler, name_page(vm->id, gfn, role)))
			continue;
		if (found)
			return NULL;
		found = vm;
	}
	return found;
}

static bool is_root(const struct guest_vcpu *c, uint32_t role)
{
	unsigned int level = ut_role_level(role), levels = c ? levels_of(&c->state) : 0;

	return !(role & UT_ROLE_DIRECT) && (level == 5 || (level == 4 && levels != 5));
}

static unsigned int page_kind(const struct now *n)
{
	switch (n->format->tracepoint) {
	case TP_GET_PAGE:
		return get(n, PAGE_CREATED) ? UT_PAGE_NEW : UT_PAGE_FOUND;
	case TP_ZAP_PAGE:
		return UT_PAGE_ZAP;
	case TP_SYNC_PAGE:
		return UT_HOST_SYNC;
	default:
		return UT_HOST_UNSYNC;
	}
}

/* What pages tell about roots, before the assembler hears of them. */
static int page_and_roots(struct story *s, const struct now *n, struct guest_vm *vm, uint64_t gfn,
			  uint32_t role, unsigned int kind)
{
	struct guest_vcpu *c = n->vcpu;
	bool root = is_root(c, role);

	if (kind == UT_HOST_SYNC && c && c->exit.open) {
		c->exit.syncs = gfn;
		if (end_cr(s, c, n->time))
			return -1;
	}
	if (kind == UT_HOST_SYNC || kind == UT_HOST_UNSYNC)
		roots_unsync(vm, gfn, kind == UT_HOST_UNSYNC);
	if (kind == UT_PAGE_ZAP && (root || ut_role_level(role) == 1))
		roots_zapped(vm, gfn, root);
	if (!root || !c || (kind != UT_PAGE_NEW && kind != UT_PAGE_FOUND))
		return 0;
	if (see_root(s, n, gfn, role))
		return -1;
	return end_cr(s, c, n->time);
}

/* Until its thread says which vCPU it is. */
static void hold(struct story *s, const struct now *n)
{
	struct held *h = &s->held[s->n_held];

	if (s->n_held == HELD_RECORDS || n->format->bytes > sizeof(h->data)) {
		s->counts.astray++;
		return;
	}
	*h = (struct held){ .format = n->format, .tid = n->tid };
	memcpy(h->data, n->data, n->format->bytes);
	s->n_held++;
}

static int take_page(struct story *s, const struct now *n)
{
	const struct role_layout *layout = formats_role(s->formats);
	struct rec_page r = { .gfn = get(n, PAGE_GFN), .role = (uint32_t)get(n, PAGE_ROLE) };
	unsigned int kind = page_kind(n);
	uint32_t role = role_normalise(layout, r.role);
	struct guest_vm *vm;

	/* It was zapped when it was made invalid; now it goes, no vCPU having it as its root any more. */
	if (role & UT_ROLE_INVALID)
		return 0;
	/* Only vCPUs look pages up. */
	if (!n->vcpu && (kind == UT_PAGE_NEW || kind == UT_PAGE_FOUND)) {
		hold(s, n);
		return 0;
	}
	vm = vm_of(s, n, r.gfn, role);
	if (!vm) {
		s->counts.astray++;
		return 0;
	}
	if (role & UT_ROLE_DIRECT)
		s->pages++;
	else
		s->tables++;
	r.sp = name_page(vm->id, r.gfn, role);
	/* Zapping a page that is out of sync ends that, and KVM tells so. */
	if (kind == UT_HOST_SYNC && n->thread && n->thread->zapping == r.sp)
		return 0;
	if (n->thread)
		n->thread->zapping = kind == UT_PAGE_ZAP && get(n, PAGE_UNSYNC) ? r.sp : 0;
	if (page_and_roots(s, n, vm, r.gfn, role, kind))
		return -1;
	r.head = (struct rec_head){ .time = n->time,
				    .vm = vm->id,
				    .vcpu = n->vcpu ? n->vcpu->id : UT_NO_VCPU };
	r.flags = get(n, PAGE_UNSYNC) ? REC_PAGE_UNSYNC : 0;
	if ((kind == UT_HOST_SYNC || kind == UT_HOST_UNSYNC) &&
	    !assembler_has_page(s->assembler, r.sp)) {
		/* It was there before the recording. */
		r.head.kind = REC_RUNNING_PAGE;
		if (put(s, &r, sizeof(r)))
			return -1;
	}
	r.head.kind = (uint8_t)kind;
	return put(s, &r, sizeof(r));
}

/* ---- records ---- */

static int take_hv_flush(struct story *s, const struct now *n, bool known)
{
	/* Flag 0: all processors. */
	uint64_t mask = known && !(get(n, HV_FLAGS) & 1) ? get(n, HV_MASK) : ~0ull;

	return put_value(s, n->vcpu, n->time, UT_PV_FLUSH, mask, 0);
}

static int begin_emulation(struct story *s, const struct now *n)
{
	struct guest_vcpu *c = n->vcpu;

	c->exit.emulated = true;
	if (!c->fault.active)
		return 0;
	c->fault.emulated = true;
	return end_fault(s, c, n->time);
}

static int take_vcpu_record(struct story *s, const struct now *n)
{
	struct guest_fault *f = &n->vcpu->fault;

	switch (n->format->tracepoint) {
	case TP_EXIT:
		return begin_exit(s, n);
	case TP_ENTRY:
		return end_exit(s, n->vcpu, n->time);
	case TP_PAGE_FAULT:
		return begin_fault(s, n);
	case TP_CR:
		return take_cr(s, n);
	case TP_EMULATE:
		return begin_emulation(s, n);
	case TP_WALK:
		begin_walk(n);
		return 0;
	case TP_ELEMENT:
		add_element(n);
		return 0;
	case TP_WALKER_ERROR:
		f->reflected |= f->walking;
		return 0;
	case TP_SET_ACCESSED:
	case TP_SET_DIRTY:
		return take_ad(s, n, n->format->tracepoint == TP_SET_DIRTY);
	case TP_SPTE_REQUESTED:
		f->goal = (uint8_t)get(n, REQUESTED_LEVEL);
		return 0;
	case TP_SET_SPTE:
		if (!f->set)
			f->set = (uint8_t)get(n, SET_LEVEL);
		return 0;
	case TP_FAST_FAULT:
		f->fast = true;
		return 0;
	case TP_MARK_MMIO:
	case TP_HANDLE_MMIO:
		f->mmio = true;
		return 0;
	case TP_PV_FLUSH:
		return get(n, PV_NEED_FLUSH) ? put_value(s, n->vcpu, n->time, UT_PV_FLUSH, 0, 1)
					     : 0;
	case TP_HV_FLUSH:
	case TP_HV_FLUSH_EX:
		return take_hv_flush(s, n, n->format->tracepoint == TP_HV_FLUSH);
	default:
		return 0;
	}
}

static bool is_page_event(unsigned int tracepoint)
{
	return tracepoint == TP_GET_PAGE || tracepoint == TP_SYNC_PAGE ||
	       tracepoint == TP_UNSYNC_PAGE || tracepoint == TP_ZAP_PAGE;
}

/* Where a record names its vCPU; -1: it does not. */
static int vcpu_field(unsigned int tracepoint)
{
	switch (tracepoint) {
	case TP_EXIT:
		return EXIT_VCPU;
	case TP_ENTRY:
		return ENTRY_VCPU;
	case TP_PAGE_FAULT:
		return FAULT_VCPU;
	default:
		return -1;
	}
}

/* The thread has said which vCPU it is: what was held goes where it belongs, as of now. */
static int release(struct story *s, const struct now *n)
{
	unsigned int kept = 0;
	int result = 0;

	for (unsigned int i = 0; i < s->n_held; i++) {
		const struct held *h = &s->held[i];
		struct now then = *n;

		if (h->tid != n->tid) {
			s->held[kept++] = *h;
			continue;
		}
		then.format = h->format;
		then.data = h->data;
		if (!result)
			result = take_page(s, &then);
	}
	s->n_held = kept;
	return result;
}

/* Which vCPU it is about. Returns -1 only if memory ran out. */
static int attribute(struct story *s, const struct import_record *r, struct now *n)
{
	int field = vcpu_field(n->format->tracepoint);
	bool names = field >= 0 && n->format->field[field].size, is_new;

	n->thread = guests_thread(s->guests, r->tid, r->pid, names);
	if (!n->thread)
		return 0;
	n->thread->cpu = r->cpu;
	n->vcpu = n->thread->vcpu;
	if (!names)
		return 0;
	n->vcpu = guests_vcpu(s->guests, n->thread, get(n, (unsigned int)field), &is_new);
	if (is_new && put_vm(s, n->vcpu, n->thread, n->time))
		return -1;
	return n->vcpu && s->n_held ? release(s, n) : 0;
}

/* Is there all that it takes to understand it? */
static int check_recording(struct story *s)
{
	const char *machine = s->facts[IMPORT_MACHINE];

	if (machine && strcmp(machine, "x86_64") != 0)
		return ut_error_set(
			&s->sink.err,
			"recorded on %.32s; only recordings of x86-64 hosts can be read", machine);
	if (s->bad_format.text[0])
		return fail(s, s->bad_format.text);
	if (!formats_kvm(s->formats))
		return fail(s, "it has no events of KVM; " STORY_REMEDY);
	if (!formats_has(s->formats, TP_GET_PAGE))
		return fail(s, "it has no kvmmmu:kvm_mmu_get_page events; " STORY_REMEDY);
	if (!formats_has(s->formats, TP_PAGE_FAULT))
		return fail(s, "it has no kvm:kvm_page_fault events; " STORY_REMEDY);
	if (!formats_role(s->formats))
		return fail(s,
			    "its formats do not tell how roles of shadow pages are to be read: it "
			    "was recorded on Linux before 4.13");
	return 0;
}

/* Only now, as the assembler wants to know when time began, and where roles have their bits. */
static int begin(struct story *s, uint64_t time)
{
	struct assembler_options options = { .role = formats_role(s->formats),
					     .start = time,
					     .emit = take_event,
					     .arg = s,
					     .learn = true };

	if (check_recording(s))
		return -1;
	s->assembler = assembler_new(&options);
	return s->assembler ? 0 : out_of_memory(s);
}

static int take_record(void *arg, const struct import_record *r)
{
	struct story *s = arg;
	struct now n = { .data = r->data, .time = r->time, .tid = r->tid, .pid = r->pid };

	s->counts.records++;
	s->last = r->time;
	n.format = formats_find(s->formats, r->data, r->size);
	if (!n.format)
		return 0;
	if (!s->assembler && begin(s, r->time))
		return -1;
	s->counts.kvm++;
	if (attribute(s, r, &n))
		return -1;
	if (is_page_event(n.format->tracepoint))
		return take_page(s, &n);
	if (n.vcpu)
		return take_vcpu_record(s, &n);
	s->counts.astray++;
	return 0;
}

static int take_lost(void *arg, uint64_t time, uint32_t cpu, uint64_t count)
{
	struct story *s = arg;

	s->counts.lost += count ? count : 1;
	if (!s->assembler && begin(s, time))
		return -1;
	guests_interrupt(s->guests, cpu);
	if (assembler_lost(s->assembler, time, UT_LOST_IMPORT, 0, count ? count : 1))
		return s->refused ? -1 : out_of_memory(s);
	return 0;
}

static int take_format(void *arg, const char *system, const char *text, size_t size)
{
	struct story *s = arg;

	struct ut_error err;

	/* Of another machine's tracepoints something else is to be said first, see begin(). */
	if (formats_add(s->formats, system, text, size, &err) && !s->bad_format.text[0])
		s->bad_format = err;
	return 0;
}

static int take_thread(void *arg, uint32_t tid, uint32_t pid, const char *name)
{
	struct story *s = arg;
	struct guest_thread *t = guests_thread(s->guests, tid, pid, true);

	if (t)
		snprintf(t->name, sizeof(t->name), "%s", name);
	return 0;
}

static int take_fact(void *arg, enum import_fact fact, const char *value)
{
	struct story *s = arg;

	if (fact >= IMPORT_FACTS || s->facts[fact])
		return 0;
	s->facts[fact] = strndup(value, FACT_BYTES);
	if (!s->facts[fact])
		return out_of_memory(s);
	/* It may be shown on a terminal. */
	for (char *c = s->facts[fact]; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	}
	return 0;
}

/* ---- beginning and end ---- */

struct story *story_new(const struct story_options *options)
{
	struct story *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->opt = *options;
	s->sink = (struct import_sink){ .format = take_format,
					.record = take_record,
					.lost = take_lost,
					.thread = take_thread,
					.fact = take_fact,
					.arg = s };
	s->formats = formats_new();
	s->guests = guests_new();
	s->placing = placing_new(emit_event, s);
	if (s->formats && s->guests && s->placing)
		return s;
	story_free(s);
	return NULL;
}

struct import_sink *story_sink(struct story *s)
{
	return &s->sink;
}

static int tell_exits(struct story *s, const struct guest_vcpu *c)
{
	const struct exit_key key = { .vm = c->vm->id, .vcpu = c->id };

	for (unsigned int i = 0; i < c->n_exits; i++) {
		const struct exit_sum sum = { c->exits[i].count, c->exits[i].ns };
		struct exit_key this = key;

		this.reason = c->exits[i].reason;
		this.isa = c->exits[i].isa;
		if (assembler_exits(s->assembler, s->last, &this, &sum))
			return -1;
	}
	return 0;
}

static int finish(struct story *s)
{
	s->counts.astray += s->n_held;
	for (struct guest_vm *vm = guests_vms(s->guests); vm; vm = vm->next) {
		for (struct guest_vcpu *c = vm->vcpus; c; c = c->next) {
			if (end_fault(s, c, s->last) || tell_exits(s, c))
				return -1;
		}
	}
	if (assembler_stat(s->assembler, s->last, "import.records", s->counts.records) ||
	    assembler_stat(s->assembler, s->last, "import.unseen_writes", s->unseen))
		return -1;
	return placing_flush(s->placing);
}

/* Is it worth anything? */
static int judge(const struct story *s, struct ut_error *err)
{
	if (s->tables)
		return 0;
	if (s->nested)
		return ut_error_set(err,
				    "it is of a host with EPT or NPT (%" PRIu64
				    " exits say so), whose guests have no shadow pages; record on "
				    "a host with kvm_intel ept=0 or kvm_amd npt=0",
				    s->nested);
	return ut_error_set(err,
			    "it has no shadow page of a guest's table: no guest with paging ran "
			    "while it was recorded");
}

int story_end(struct story *s, struct ut_error *err)
{
	if (!s->assembler && begin(s, 0)) {
		*err = s->sink.err;
		return -1;
	}
	if (judge(s, err))
		return -1;
	if (!finish(s))
		return 0;
	*err = s->sink.err;
	return -1;
}

const char *story_fact(const struct story *s, enum import_fact fact)
{
	return s->facts[fact];
}

const struct story_counts *story_counts(const struct story *s)
{
	return &s->counts;
}

void story_free(struct story *s)
{
	if (!s)
		return;
	assembler_free(s->assembler);
	placing_free(s->placing);
	guests_free(s->guests);
	formats_free(s->formats);
	for (unsigned int i = 0; i < IMPORT_FACTS; i++)
		free(s->facts[i]);
	free(s);
}
