// SPDX-License-Identifier: GPL-2.0-only
#include "import/story_parts.h"

#include <string.h>

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
#define INVPCID_ALL 2u
#define INVPCID_ALL_BUT_GLOBAL 3u

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

unsigned int story_levels(const struct ut_state *st)
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
	return story_put_state(s, c, time);
}

/* The root that the vCPU is on has another frame than was believed. */
static int be_on_root(struct story *s, struct guest_vcpu *c, uint64_t gfn, uint64_t time)
{
	struct ut_state st = c->state;
	int result;

	st.cr3 = gfn << STORY_PAGE_SHIFT | (st.cr4 & UT_CR4_PCIDE ? st.cr3 & UT_CR3_PCID : 0);
	if (roots_use(c->vm, gfn))
		return story_no_memory(s);
	s->amended = c->root_guessed && placing_amend_cr3(s->placing, c->vm->id, c->id, st.cr3);
	c->root_guessed = false;
	result = become(s, c, &st, time);
	s->amended = false;
	return result;
}

static uint64_t root_of(const struct guest_vcpu *c)
{
	return (c->state.cr3 & UT_PTE_FRAME) >> STORY_PAGE_SHIFT;
}

/* Of four and five levels: a root that KVM looked up for the vCPU. */
int story_see_root(struct story *s, const struct now *n, uint64_t gfn, uint32_t role)
{
	struct guest_vcpu *c = n->vcpu;
	struct ut_state st = with_levels(c, ut_role_level(role));

	st.cr0 = role & UT_ROLE_CR0_WP ? st.cr0 | UT_CR0_WP : st.cr0 & ~UT_CR0_WP;
	st.efer = role & UT_ROLE_EFER_NX ? st.efer | UT_EFER_NX : st.efer & ~UT_EFER_NX;
	c->exit.loads = gfn;
	if (roots_use(c->vm, gfn))
		return story_no_memory(s);
	/* A write to CR3 that is under way is told by itself, see story_end_cr(). */
	if (root_of(c) != gfn && !c->exit.open)
		st.cr3 = gfn << STORY_PAGE_SHIFT;
	if (!c->told)
		st.cr3 = gfn << STORY_PAGE_SHIFT;
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
	return gva >> (STORY_PAGE_SHIFT + 9 * (level - 1)) & (UT_TABLE_ENTRIES - 1);
}

/* The table that a walk of four or five levels ended in, if it is one of the last level. */
static uint64_t leaf_of(const struct guest_fault *f)
{
	return f->bottom == 1 ? (f->walk[1] & UT_PTE_FRAME) >> STORY_PAGE_SHIFT : 0;
}

/* What a walk tells of the vCPU that had it. */
static int learn_walk(struct story *s, struct guest_vcpu *c, const struct guest_fault *f,
		      uint64_t time)
{
	struct ut_state st = with_levels(c, f->top);
	unsigned int index;
	uint64_t root;

	if (story_levels(&c->state) != f->top && become(s, c, &st, time))
		return -1;
	if (f->top < 4)
		return 0;
	index = top_index(f->gva, f->top);
	root = roots_by_entry(c->vm, root_of(c), index, f->walk[f->top - 1]);
	if (root != root_of(c) && be_on_root(s, c, root, time))
		return -1;
	if (roots_walked(c->vm, root, index, f->walk[f->top - 1], leaf_of(f)))
		return story_no_memory(s);
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
		return story_no_memory(s);
	return 0;
}

int story_end_fault(struct story *s, struct guest_vcpu *c, uint64_t time)
{
	struct guest_fault *f = &c->fault;
	struct rec_fault r;

	if (!f->active)
		return 0;
	f->active = f->walking = false;
	if (has_walk(f) && learn_walk(s, c, f, time))
		return -1;
	r = (struct rec_fault){ .head = story_head(c, time, UT_FAULT),
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
	return story_put(s, &r, sizeof(r)) ? -1 : note_emulated(s, c, &r);
}

static int begin_fault(struct story *s, const struct now *n)
{
	struct guest_vcpu *c = n->vcpu;

	if (story_end_fault(s, c, n->time))
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
	unsigned int levels = f->walking && f->top ? f->top : story_levels(&n->vcpu->state);
	uint64_t gpa = get(n, AD_GPA), size = levels == 2 ? 4 : 8;

	return story_put_value(s, n->vcpu, n->time, UT_AD, gpa >> STORY_PAGE_SHIFT,
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

	if (cr != 3 || story_levels(&c->state) < 4 || !root)
		return story_put_gap(s, c, time, UT_CR);
	root = c->exit.loads ? c->exit.loads : roots_entered(c->vm, root, c->exit.syncs);
	c->root_guessed = !c->exit.loads;
	c->state.cr3 = root << STORY_PAGE_SHIFT;
	if (roots_use(c->vm, root))
		return story_no_memory(s);
	return story_put_value(s, c, time, UT_CR, c->state.cr3, 3);
}

/* The write to a control register that is under way, if nobody has told of it. */
int story_end_cr(struct story *s, struct guest_vcpu *c, uint64_t time)
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
		return e->emulated ? story_put_gap(s, c, time, UT_INVLPG)
				   : story_put_value(s, c, time, UT_INVLPG, e->info1, 0);
	if (svm ? e->reason != SVM_INVPCID : (e->reason & VMX_REASON) != VMX_INVPCID)
		return 0;
	/* AMD's processors tell the type; what it concerns is in guest memory. */
	if (svm && (e->info2 == INVPCID_ALL || e->info2 == INVPCID_ALL_BUT_GLOBAL))
		return story_put_value(s, c, time, UT_INVPCID, 0, e->info2);
	return story_put_gap(s, c, time, UT_INVPCID);
}

/* All that the exit led to has been seen. */
static int end_exit(struct story *s, struct guest_vcpu *c, uint64_t time)
{
	if (story_end_fault(s, c, time) || story_end_cr(s, c, time))
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
		c->root_guessed = false;
		if (story_levels(&c->state) >= 4 && roots_use(c->vm, root_of(c)))
			return story_no_memory(s);
	}
	return story_put_value(s, c, n->time, UT_CR, value, cr);
}

static int take_hv_flush(struct story *s, const struct now *n, bool known)
{
	/* Flag 0: all processors. */
	uint64_t mask = known && !(get(n, HV_FLAGS) & 1) ? get(n, HV_MASK) : ~0ull;

	return story_put_value(s, n->vcpu, n->time, UT_PV_FLUSH, mask, 0);
}

static int begin_emulation(struct story *s, const struct now *n)
{
	struct guest_vcpu *c = n->vcpu;

	c->exit.emulated = true;
	if (!c->fault.active)
		return 0;
	c->fault.emulated = true;
	return story_end_fault(s, c, n->time);
}

int story_take_vcpu_record(struct story *s, const struct now *n)
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
		return get(n, PV_NEED_FLUSH)
			       ? story_put_value(s, n->vcpu, n->time, UT_PV_FLUSH, 0, 1)
			       : 0;
	case TP_HV_FLUSH:
	case TP_HV_FLUSH_EX:
		return take_hv_flush(s, n, n->format->tracepoint == TP_HV_FLUSH);
	default:
		return 0;
	}
}
