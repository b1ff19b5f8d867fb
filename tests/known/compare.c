// SPDX-License-Identifier: GPL-2.0-only
#include "compare.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PAGES 4096
#define MAX_AD 64
#define MAX_CHOICES 16
#define MAX_TRIES 64
#define NOT_YET SIZE_MAX
#define EXIT_SVM_PF 0x4e

/* Of the registers, what decides how addresses are translated. */
#define CR0_BITS (UT_CR0_PG | UT_CR0_WP | 1)
#define CR4_BITS (UT_CR4_PAE | UT_CR4_PGE | UT_CR4_PCIDE | UT_CR4_LA57 | UT_CR4_PSE)
#define EFER_BITS (UT_EFER_LME | UT_EFER_LMA | UT_EFER_NX)

/* A shadow page that the host has, by the trace. */
struct page {
	uint64_t gfn;
	uint32_t role;
	bool alive, unsync;
	size_t made;  /* number of the event that told so */
	uint16_t by;  /* the vCPU that made it, or brought it back into sync */
	size_t since; /* by then: number of the event that ends that group */
};

struct ad {
	uint64_t gpa;
	uint64_t bit;
};

struct cpu {
	bool state; /* its registers were told */
	bool gone;
	bool emulated;	    /* its last closing event was a fault that led to emulation */
	bool in_fault;	    /* the events that come belong to a fault, and the script is there */
	size_t closed;	    /* number of its last closing event, plus one */
	unsigned int syncs; /* since then */
	unsigned int slot;  /* of the top entry that is loaded next */
	struct ad ad[MAX_AD];
	unsigned int n_ad;
	unsigned long faults;
};

struct comparison {
	const struct script *s;
	const struct recording *r;
	bool exact;
	bool choice[MAX_CHOICES]; /* see choose() */
	unsigned int given;
	/* From here on: of this try. */
	struct compare_counts counts;
	struct ut_error err;
	unsigned int n_choices;
	struct machine m, trial;
	size_t op
		[VM_VCPUS]; /* each array of the script is at this operation, and this step of it */
	unsigned int part[VM_VCPUS];
	bool unseen[VM_VCPUS]; /* the table was zapped because of this operation: see take_zap() */
	struct cpu cpu[VM_VCPUS];
	uint64_t view[MACHINE_FRAMES][512]; /* tables as the trace tells them */
	bool viewed[MACHINE_FRAMES];
	uint64_t root_of[MACHINE_FRAMES]; /* below which a table was seen last */
	struct page pages[MAX_PAGES];
	size_t n_pages;
	size_t *closing; /* of each event: number of the one that its group ends with */
	size_t at;	 /* number of the event in hand */
	uint64_t n_new, n_zap, stat_new, stat_zap, stat_rezap;
	bool gone;
};

/* ---- the script's place ---- */

/* Which array of operations a vCPU executes. */
static unsigned int lane_of(const struct comparison *c, unsigned int vcpu)
{
	return c->s->flavour == SCRIPT_FREE ? vcpu % VM_VCPUS : 0;
}

static const struct known_op *op_now(const struct comparison *c, unsigned int lane)
{
	return c->op[lane] < c->s->n[lane] ? &c->s->op[lane][c->op[lane]] : NULL;
}

static int differ(struct comparison *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int differ(struct comparison *c, const char *fmt, ...)
{
	const struct ut_event *e = c->at < c->r->n ? &c->r->events[c->at] : NULL;
	unsigned int lane = lane_of(c, e && e->vcpu < VM_VCPUS ? e->vcpu : 0);
	const struct known_op *op = op_now(c, lane);
	char what[256], where[128] = "at its end";
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	if (op)
		snprintf(where, sizeof(where),
			 "operation %zu step %u: vCPU %u %s address %#" PRIx64 " value %#" PRIx64,
			 c->op[lane], c->part[lane], op->vcpu, script_op_name(op->code), op->gva,
			 op->value);
	return ut_error_set(&c->err,
			    "seed %" PRIu64 " (%s, %s): event %zu (%s, vCPU %u): %s; script: %s",
			    c->s->seed, script_flavour_name(c->s), c->exact ? "exact" : "native",
			    c->at, e ? ut_kind_name(e->kind) : "end", e ? e->vcpu : 0, what, where);
}

static struct machine_step step_now(const struct comparison *c, unsigned int lane)
{
	return machine_look(&c->m, op_now(c, lane), c->part[lane]);
}

static void next_op(struct comparison *c, unsigned int lane)
{
	c->op[lane]++;
	c->part[lane] = 0;
	c->unseen[lane] = false;
}

/* Executes the step that the script is at. */
static void do_step(struct comparison *c, const struct machine_step *step)
{
	unsigned int lane = lane_of(c, step->op->vcpu);

	machine_do(&c->m, step);
	if (++c->part[lane] >= machine_steps(&c->m, step->op))
		next_op(c, lane);
}

/*
 * Does the host see writes to this frame, as far as the vCPU can have noticed? Pages that another
 * vCPU made since this one was last seen may be younger than what this one did.
 */
static bool is_trapped(const struct comparison *c, uint64_t gfn, unsigned int vcpu)
{
	for (size_t i = 0; i < c->n_pages; i++) {
		const struct page *p = &c->pages[i];

		if (p->alive && !p->unsync && p->gfn == gfn && !(p->role & UT_ROLE_DIRECT) &&
		    (p->by == vcpu || p->since < c->cpu[vcpu].closed))
			return true;
	}
	return false;
}

/* Must the step that the script is at have an event of its own? Why, or NULL if not. */
static const char *must_show(const struct comparison *c, const struct machine_step *step)
{
	unsigned int code = step->op->code;

	if (code >= KNOWN_CR0)
		return "this operation is not in the trace";
	if (step->access && step->walk.fault)
		return "the page fault that the guest gets is not in the trace";
	if (step->size && !c->unseen[lane_of(c, step->op->vcpu)] &&
	    is_trapped(c, step->gpa >> 12, step->op->vcpu))
		return "this write to a table that is shadowed and in sync is not in the trace";
	return NULL;
}

static bool is_shadowed(const struct comparison *c, uint64_t gfn)
{
	for (size_t i = 0; i < c->n_pages; i++) {
		if (c->pages[i].alive && c->pages[i].gfn == gfn &&
		    !(c->pages[i].role & UT_ROLE_DIRECT))
			return true;
	}
	return false;
}

/* Goes on by one step that nobody saw. */
static int pass_step(struct comparison *c, unsigned int lane, const char *otherwise)
{
	struct machine_step step;
	const char *why;

	if (!op_now(c, lane))
		return differ(c, "%s", otherwise);
	step = step_now(c, lane);
	why = must_show(c, &step);
	if (why)
		return differ(c, "%s (%s)", why, otherwise);
	if (step.size) {
		if (!c->unseen[lane] && is_shadowed(c, step.gpa >> 12))
			c->counts.silent++;
		else
			c->counts.hidden++;
	}
	do_step(c, &step);
	return 0;
}

/* ---- tables ---- */

static bool same_table(const uint64_t *a, const uint64_t *b)
{
	return !memcmp(a, b, 4096);
}

/*
 * The first word in which two tables differ, 512 if none does. Of vCPUs that run freely each changes
 * words of its own; how far the others are nobody can say.
 */
static unsigned int find_difference(const struct comparison *c, unsigned int lane,
				    const uint64_t *a, const uint64_t *b)
{
	unsigned int i;

	for (i = 0; i < 512; i++) {
		if (a[i] != b[i] && (c->s->flavour != SCRIPT_FREE || script_owner(i) == lane))
			break;
	}
	return i;
}

/*
 * Is a table as memory has it, or as it will be after some more steps which nobody sees? The guest
 * may be further than the last event showed.
 */
static bool is_true(struct comparison *c, unsigned int lane, int frame, const uint64_t *words)
{
	size_t op = c->op[lane];
	unsigned int part = c->part[lane];

	if (find_difference(c, lane, c->m.word[frame], words) == 512)
		return true;
	c->trial = c->m;
	while (op < c->s->n[lane] && c->s->op[lane][op].code < KNOWN_CR0) {
		struct machine_step step = machine_look(&c->trial, &c->s->op[lane][op], part);

		if (step.access && step.walk.fault)
			return false;
		machine_do(&c->trial, &step);
		if (++part >= machine_steps(&c->m, step.op)) {
			part = 0;
			op++;
		}
		if (step.size && find_difference(c, lane, c->trial.word[frame], words) == 512)
			return true;
	}
	return false;
}

static int differ_table(struct comparison *c, int frame, unsigned int i)
{
	return differ(c,
		      "word %u of table %#" PRIx64 " is %#" PRIx64 " by the trace and %#" PRIx64
		      " by the script",
		      i, machine_gfn((unsigned int)frame), c->view[frame][i], c->m.word[frame][i]);
}

/* @vcpu: who was looked at; none if the machine is going away. */
static int check_view(struct comparison *c, unsigned int vcpu, int frame)
{
	unsigned int lane = lane_of(c, vcpu < VM_VCPUS ? vcpu : 0);
	unsigned int i = find_difference(c, lane, c->m.word[frame], c->view[frame]);
	/* During a fault the guest is where the fault shows it to be, and no further. */
	bool stands = vcpu < VM_VCPUS && c->cpu[vcpu].in_fault;

	if (i == 512 || (!stands && is_true(c, lane, frame, c->view[frame])))
		return 0;
	return differ_table(c, frame, i);
}

static bool is_over(const struct comparison *c)
{
	for (unsigned int lane = 0; lane < c->s->arrays; lane++) {
		const struct known_op *op = op_now(c, lane);

		if (op && op->code != KNOWN_END)
			return false;
	}
	return true;
}

/* Every table that is in sync must now be what the script made of it. */
static int check_tables(struct comparison *c, unsigned int vcpu)
{
	unsigned int lane = lane_of(c, vcpu), i;
	bool over = is_over(c);

	for (const struct page *p = c->pages; p < c->pages + c->n_pages; p++) {
		int frame = machine_index(p->gfn);

		if (!p->alive || p->unsync || p->role & UT_ROLE_DIRECT || !c->viewed[frame])
			continue;
		i = find_difference(c, lane, c->m.word[frame], c->view[frame]);
		if (i == 512 && over && !same_table(c->m.word[frame], c->view[frame]))
			i = find_difference(c, !lane, c->m.word[frame], c->view[frame]);
		if (i < 512)
			return differ_table(c, frame, i);
	}
	return 0;
}

/* ---- faults ---- */

static bool is_own(const struct comparison *c, uint64_t gva)
{
	uint64_t direct = c->s->paging->direct;

	return gva >= direct + KNOWN_CODE && gva < direct + (KNOWN_POOL_FRAME << 12);
}

/* The CPU says "write" for all of these but the plain load of CMPXCHG; an emulator need not. */
static bool reads_first(const struct known_op *op)
{
	return op->code >= KNOWN_XCHG && op->code <= KNOWN_XOR;
}

/* May the step that the script is at cause a fault at this address, with this error code? */
static bool may_fault(const struct comparison *c, const struct ut_event *e)
{
	unsigned int lane = lane_of(c, e->vcpu);
	const struct known_op *op = op_now(c, lane);
	bool write = e->fault.error & UT_PF_WRITE;

	if (!op || op->vcpu != e->vcpu || e->fault.error & (UT_PF_USER | UT_PF_FETCH))
		return false;
	for (unsigned int part = c->part[lane]; part < machine_steps(&c->m, op); part++) {
		struct machine_step step = machine_look(&c->m, op, part);

		if (!step.access || step.walk.gva != e->fault.gva)
			continue;
		if (step.write == write || (step.write && reads_first(op)))
			return true;
	}
	return false;
}

/* What the host itself set in an entry during this fault. */
static uint64_t set_by_host(const struct cpu *cpu, uint64_t gpa)
{
	uint64_t bits = 0;

	for (unsigned int i = 0; i < cpu->n_ad; i++) {
		if (cpu->ad[i].gpa == gpa)
			bits |= cpu->ad[i].bit;
	}
	return bits;
}

/* @ahead: its accessed and dirty bits are not set yet, the events come only now. */
static const char *check_walk(const struct comparison *c, const struct ut_event *e, bool ahead)
{
	bool write = e->fault.error & UT_PF_WRITE;
	struct machine_walk w = machine_walk(&c->m, e->vcpu, e->fault.gva, write);

	unsigned int levels = c->s->paging->levels;

	if (e->fault.top != levels)
		return "the walk does not begin at the root";
	if (e->fault.bottom != w.bottom)
		return "the walk ends at another level";
	for (unsigned int level = levels; level >= w.bottom; level--) {
		uint64_t free = ahead ? UT_PTE_A | UT_PTE_D
				      : set_by_host(&c->cpu[e->vcpu], w.at[level - 1]);

		if (level > machine_top(&c->m))
			free = 0;
		if ((e->fault.walk[level - 1] ^ w.entry[level - 1]) & ~free)
			return "the walk read an entry that is not in the table";
	}
	if (w.fault != (e->fault.outcome == UT_OUT_REFLECTED))
		return w.fault ? "the guest gets a page fault, but the trace says otherwise"
			       : "the guest's tables permit this access, but the trace says "
				 "otherwise";
	return NULL;
}

/* Brings the script to the operation that caused a fault. */
static int go_to_fault(struct comparison *c, const struct ut_event *e)
{
	const char *why = "no operation of the script causes this page fault", *wrong;

	if (is_own(c, e->fault.gva)) {
		wrong = check_walk(c, e, true);
		return wrong ? differ(c, "interpreter: %s", wrong) : 0;
	}
	for (;;) {
		if (may_fault(c, e)) {
			wrong = check_walk(c, e, true);
			if (!wrong)
				return 0;
			why = wrong;
		}
		if (pass_step(c, lane_of(c, e->vcpu), why))
			return -1;
	}
}

/* A walk that succeeds leaves accessed set everywhere, and dirty in the last entry of a write. */
static const char *check_bits(const struct comparison *c, const struct ut_event *e)
{
	bool write = e->fault.error & UT_PF_WRITE;
	struct machine_walk w = machine_walk(&c->m, e->vcpu, e->fault.gva, write);

	for (unsigned int level = machine_top(&c->m); level >= w.bottom; level--) {
		if (!(w.entry[level - 1] & UT_PTE_A))
			return "an entry of the walk was never marked accessed";
	}
	if (write && !(w.entry[w.bottom - 1] & UT_PTE_D))
		return "the entry of the page was never marked dirty";
	return NULL;
}

static const char *check_map_level(const struct ut_event *e)
{
	unsigned int level = e->fault.map_level;

	if (e->fault.outcome == UT_OUT_FILLED)
		return level >= 1 && level <= e->fault.bottom
			       ? NULL
			       : "the page was mapped larger than the guest has it";
	return e->fault.outcome == UT_OUT_REFLECTED && level ? "reflected, but mapped" : NULL;
}

/* How tables are used, only to be counted. */
static void count_walk(struct comparison *c, const struct ut_event *e)
{
	struct machine_walk w = machine_walk(&c->m, e->vcpu, e->fault.gva, false);
	unsigned int top = machine_top(&c->m);
	uint64_t root = w.at[top - 1] >> 12;
	bool loop = false;

	for (unsigned int level = top - 1; level && level >= w.bottom; level--) {
		int frame = machine_index(w.at[level - 1] >> 12);

		for (unsigned int above = top; above > level; above--)
			loop |= w.at[above - 1] >> 12 == w.at[level - 1] >> 12;
		if (frame < 0)
			continue;
		if (c->root_of[frame] && c->root_of[frame] != root)
			c->counts.two_roots++;
		c->root_of[frame] = root;
	}
	c->counts.loops += loop;
}

static int take_fault(struct comparison *c, const struct ut_event *e)
{
	struct cpu *cpu = &c->cpu[e->vcpu];
	const char *wrong;

	cpu->faults++;
	if (e->fault.outcome <= UT_OUT_FAST)
		c->counts.outcome[e->fault.outcome]++;
	wrong = check_walk(c, e, false);
	if (!wrong)
		wrong = check_map_level(e);
	if (!wrong && e->fault.outcome != UT_OUT_REFLECTED)
		wrong = check_bits(c, e);
	if (wrong)
		return differ(c, "%s", wrong);
	if (is_own(c, e->fault.gva)) {
		if (e->fault.outcome == UT_OUT_EMULATED || e->fault.outcome == UT_OUT_MMIO)
			return differ(c, "the interpreter's memory is no table");
		return 0;
	}
	count_walk(c, e);
	if (e->fault.outcome == UT_OUT_EMULATED && !(e->fault.error & UT_PF_WRITE))
		return differ(c, "no write, but emulated");
	if (e->fault.outcome == UT_OUT_MMIO)
		return differ(c, "there is memory, but the trace says otherwise");
	if (e->fault.outcome == UT_OUT_REFLECTED)
		next_op(c, lane_of(c, e->vcpu));
	return 0;
}

/* ---- pages ---- */

static struct page *find_page(struct comparison *c, const struct ut_event *e)
{
	for (size_t i = 0; i < c->n_pages; i++) {
		struct page *p = &c->pages[i];

		if (p->alive && p->gfn == e->page.gfn && p->role == e->page.role)
			return p;
	}
	return NULL;
}

/* Which part of a table of 1024 entries a shadow page of 512 is that an address leads through. */
static uint32_t quadrant_of(uint64_t gva, unsigned int level)
{
	return level > 1 ? gva >> 30 & 3 : gva >> 21 & 1;
}

/* A root, which needs no fault to be made or found. */
static bool is_root(const struct comparison *c, uint32_t role)
{
	return ut_role_level(role) == c->s->paging->root && !(role & UT_ROLE_DIRECT);
}

/* What a page's role says of registers, and of the entries that lead to it. */
static uint32_t role_of(const struct comparison *c, const struct ut_event *e,
			const struct machine_walk *w, unsigned int level)
{
	uint64_t all = UT_PTE_W | UT_PTE_U, nx = 0;
	uint32_t role = level | UT_ROLE_EFER_NX;

	if (c->m.cpu[e->vcpu].cr0 & UT_CR0_WP)
		role |= UT_ROLE_CR0_WP;
	/* Registers grant everything. */
	for (unsigned int above = machine_top(&c->m); above > level && above >= w->bottom;
	     above--) {
		all &= w->entry[above - 1];
		nx |= w->entry[above - 1];
	}
	/* A large page that is clean is mapped read-only until it is written. */
	if (level < w->bottom) {
		role |= UT_ROLE_DIRECT;
		if (!(w->entry[w->bottom - 1] & UT_PTE_D))
			all &= ~UT_PTE_W;
	}
	if (c->s->paging->entry == 4)
		role |= quadrant_of(w->gva, level) << UT_ROLE_QUADRANT_SHIFT;
	if (c->s->paging->entry == 4 && !(role & UT_ROLE_DIRECT))
		role |= UT_ROLE_4BYTE;
	return role | (all & UT_PTE_W ? UT_ROLE_WRITE : 0) | (all & UT_PTE_U ? UT_ROLE_USER : 0) |
	       (nx & UT_PTE_NX ? 0 : UT_ROLE_EXEC);
}

static const char *check_root(const struct comparison *c, const struct ut_event *e)
{
	const struct machine_cpu *cpu = &c->m.cpu[e->vcpu];
	struct machine_walk nowhere = { .bottom = c->s->paging->root };

	/* The directory that CR3 names is four roots. */
	if (c->s->paging->entry == 4)
		nowhere.gva = (uint64_t)(e->page.role & UT_ROLE_QUADRANT)
			      << (30 - UT_ROLE_QUADRANT_SHIFT);
	if (e->page.role != role_of(c, e, &nowhere, c->s->paging->root))
		return "the root's role is not what registers say";
	if (!c->s->paging->registers && e->page.gfn != (cpu->cr3 & UT_PTE_FRAME) >> 12)
		return "the page is not the vCPU's root";
	return NULL;
}

/* A page that is made or found because of a fault shadows a table of that walk. */
static const char *check_place(const struct comparison *c, const struct ut_event *e)
{
	const struct ut_event *f = &c->r->events[c->closing[c->at]];
	unsigned int level = ut_role_level(e->page.role);
	struct machine_walk w;

	if (!level || level > c->s->paging->root)
		return "no such level";
	if (is_root(c, e->page.role))
		return check_root(c, e);
	if (f->kind != UT_FAULT)
		return "a page below the root without a fault";
	w = machine_walk(&c->m, e->vcpu, f->kind == UT_FAULT ? f->fault.gva : 0, false);
	if (e->page.role != role_of(c, e, &w, level))
		return "the page's role is not what tables and registers say";
	if (!(e->page.role & UT_ROLE_DIRECT))
		return level >= w.bottom && w.at[level - 1] >> 12 == e->page.gfn
			       ? NULL
			       : "the page is not on the way to the address that faulted";
	if (w.bottom <= level)
		return "a direct page where the guest has no large one";
	return (w.gpa >> 12 & ~((1ull << 9 * level) - 1)) == e->page.gfn
		       ? NULL
		       : "the direct page is not part of the guest's large page";
}

static int take_new(struct comparison *c, const struct ut_event *e)
{
	int frame = machine_index(e->page.gfn);
	const char *wrong = check_place(c, e);
	static uint64_t words[512];
	struct page *p;

	if (wrong)
		return differ(c, "%s", wrong);
	if (find_page(c, e))
		return differ(c, "this page is there already");
	for (p = c->pages; p < c->pages + c->n_pages && p->alive; p++)
		;
	if (p == c->pages + MAX_PAGES)
		return differ(c, "too many pages");
	if (p == c->pages + c->n_pages)
		c->n_pages++;
	*p = (struct page){ .gfn = e->page.gfn,
			    .role = e->page.role,
			    .alive = true,
			    .made = c->at,
			    .by = e->vcpu,
			    .since = c->closing[c->at] };
	c->n_new++;
	if (e->page.role & UT_ROLE_DIRECT)
		return e->page.known ? differ(c, "a direct page has no table") : 0;
	if (frame < 0)
		return differ(c, "no table of the script");
	if (!e->page.known)
		return differ(c, "its content is missing");
	memset(words, 0, sizeof(words));
	for (unsigned int i = 0; i < e->page.n; i++)
		words[e->page.entries[i].index] = e->page.entries[i].value;
	for (const struct page *q = c->pages; q < c->pages + c->n_pages; q++) {
		if (q->alive && q->gfn == p->gfn && !(q->role & UT_ROLE_DIRECT) &&
		    ut_role_level(q->role) != ut_role_level(p->role)) {
			c->counts.two_levels++;
			break;
		}
	}
	if (c->viewed[frame] && !same_table(c->view[frame], words))
		return differ(c, "its content is not what the trace said before");
	memcpy(c->view[frame], words, sizeof(words));
	c->viewed[frame] = true;
	return check_view(c, e->vcpu, frame);
}

static bool is_target(const struct comparison *c, unsigned int lane, uint64_t gfn)
{
	const struct known_op *op = op_now(c, lane);

	for (unsigned int part = c->part[lane]; op && part < machine_steps(&c->m, op); part++) {
		struct machine_step step = machine_look(&c->m, op, part);

		if (step.size && step.gpa >> 12 == gfn)
			return true;
	}
	return false;
}

/*
 * If the instruction is not one to write tables with, the host zaps the table instead. Then either
 * the guest executes the instruction again, or the host emulates it nevertheless; in neither case
 * does the write show, even if the table is shadowed again before the next event.
 */
static int take_zap(struct comparison *c, const struct ut_event *e, struct page *p)
{
	unsigned int lane = lane_of(c, e->vcpu);
	int frame = machine_index(p->gfn);

	c->n_zap++;
	p->alive = false;
	if (p->role & UT_ROLE_DIRECT)
		return 0;
	if (e->vcpu < VM_VCPUS && c->cpu[e->vcpu].emulated && is_target(c, lane, p->gfn))
		c->unseen[lane] = true;
	if (p->unsync && check_view(c, e->vcpu, frame))
		return -1;
	if (!is_shadowed(c, e->page.gfn))
		c->viewed[frame] = false;
	return 0;
}

static int take_page(struct comparison *c, const struct ut_event *e)
{
	struct page *p = find_page(c, e);
	const char *wrong = NULL;

	if (!p)
		return differ(c, "no such page, by the trace");
	if ((e->kind == UT_PAGE_FOUND || e->kind == UT_PAGE_ZAP) && e->page.unsync != p->unsync)
		return differ(c, "out of sync or not: the trace contradicts itself");
	switch (e->kind) {
	case UT_PAGE_FOUND:
		wrong = check_place(c, e);
		if (wrong)
			return differ(c, "%s", wrong);
		return p->unsync ? check_view(c, e->vcpu, machine_index(p->gfn)) : 0;
	case UT_PAGE_ZAP:
		return take_zap(c, e, p);
	case UT_HOST_UNSYNC:
		if (c->exact)
			return differ(c, "out of sync in an exact capture");
		if (p->unsync || ut_role_level(p->role) != 1 || p->role & UT_ROLE_DIRECT)
			return differ(c, "this page cannot go out of sync");
		p->unsync = true;
		return 0;
	default:
		if (!p->unsync)
			return differ(c, "this page is not out of sync");
		p->unsync = false;
		p->by = e->vcpu;
		p->since = c->closing[c->at];
		c->cpu[e->vcpu].syncs++;
		return check_view(c, e->vcpu, machine_index(p->gfn));
	}
}

/* ---- accessed and dirty ---- */

static int take_ad(struct comparison *c, const struct ut_event *e)
{
	const struct ut_event *f = &c->r->events[c->closing[c->at]];
	struct cpu *cpu = &c->cpu[e->vcpu];
	uint64_t bit = e->ad.dirty ? UT_PTE_D : UT_PTE_A, *word;
	unsigned int size = c->s->paging->entry, shift = e->ad.index * size % 8 * 8;
	uint64_t gpa = e->ad.gfn << 12 | e->ad.index * size;
	int frame = machine_index(e->ad.gfn);
	unsigned int lane = lane_of(c, e->vcpu);
	const struct known_op *op = op_now(c, lane);
	struct machine_walk w;
	bool on_way = false;

	if (frame < 0 || e->ad.entry_size != size)
		return differ(c, "no entry of the script");
	if (f->kind != UT_FAULT && !op)
		return differ(c, "nobody walks the tables now");
	w = machine_walk(&c->m, e->vcpu,
			 f->kind == UT_FAULT ? f->fault.gva
					     : machine_look(&c->m, op, c->part[lane]).walk.gva,
			 false);
	for (unsigned int level = machine_top(&c->m); level >= w.bottom; level--)
		on_way |= w.at[level - 1] == gpa && (!e->ad.dirty || level == w.bottom);
	if (!on_way)
		return differ(c, "the entry is not on the way to the address that faulted");
	word = &c->m.word[frame][gpa >> 3 & 511];
	if (!(*word >> shift & UT_PTE_P))
		return differ(c, "the entry is not present");
	if (*word >> shift & bit && !(set_by_host(cpu, gpa) & bit))
		return differ(c, "the bit was set already");
	*word |= bit << shift;
	if (c->viewed[frame])
		c->view[frame][gpa >> 3 & 511] |= bit << shift;
	if (cpu->n_ad < MAX_AD)
		cpu->ad[cpu->n_ad++] = (struct ad){ .gpa = gpa, .bit = bit };
	return 0;
}

/* ---- writes ---- */

static uint64_t bytes_at(const uint64_t *words, unsigned int offset, unsigned int size)
{
	uint64_t value = 0;

	memcpy(&value, (const char *)words + offset, size);
	return value;
}

static void set_view(struct comparison *c, int frame, const struct ut_event *e)
{
	if (c->viewed[frame])
		memcpy((char *)c->view[frame] + e->write.offset, &e->write.val, e->write.size);
}

static bool has_unsync(const struct comparison *c, uint64_t gfn)
{
	for (size_t i = 0; i < c->n_pages; i++) {
		if (c->pages[i].alive && c->pages[i].unsync && c->pages[i].gfn == gfn)
			return true;
	}
	return false;
}

/*
 * Was the table read by another vCPU since this one was seen last? An emulated write is in memory before
 * it is told, so what was read may have been the new value.
 */
static bool was_read_since(const struct comparison *c, const struct ut_event *e)
{
	for (size_t i = 0; i < c->n_pages; i++) {
		const struct page *p = &c->pages[i];

		if (p->alive && p->gfn == e->write.gfn && p->by != e->vcpu &&
		    p->made >= c->cpu[e->vcpu].closed)
			return true;
	}
	return false;
}

static bool is_that_write(const struct machine_step *step, const struct ut_event *e)
{
	return step->op->vcpu == e->vcpu && step->size == e->write.size &&
	       step->gpa == (e->write.gfn << 12 | e->write.offset) && step->value == e->write.val;
}

/* One that the host emulated: a step of the script. */
static int take_trapped(struct comparison *c, const struct ut_event *e, int frame)
{
	unsigned int lane = lane_of(c, e->vcpu);
	struct machine_step step;

	for (;;) {
		if (!op_now(c, lane))
			return differ(c, "no operation of the script writes this");
		step = step_now(c, lane);
		if (is_that_write(&step, e))
			break;
		if (pass_step(c, lane, "no operation of the script writes this"))
			return -1;
	}
	if (e->write.old_known && e->write.old != step.old)
		return differ(c,
			      "the old value is %#" PRIx64 " by the trace and %#" PRIx64
			      " by the script",
			      e->write.old, step.old);
	if (!e->write.old_known && !has_unsync(c, e->write.gfn) && !was_read_since(c, e))
		return differ(c, "the old value is missing");
	c->counts.trapped[step.op->code]++;
	do_step(c, &step);
	set_view(c, frame, e);
	return 0;
}

/* Found by comparing: what memory holds now. */
static int take_found(struct comparison *c, const struct ut_event *e, int frame)
{
	uint64_t before = bytes_at(c->view[frame], e->write.offset, e->write.size);
	uint64_t now = bytes_at(c->m.word[frame], e->write.offset, e->write.size);

	if (c->exact || !has_unsync(c, e->write.gfn))
		return differ(c, "an entry changed unseen though its table was in sync");
	if (!e->write.old_known || e->write.old != before)
		return differ(c, "the old value is not what the trace said before");
	if (before == e->write.val)
		return differ(c, "nothing changed");
	/* A table as a whole is compared when its last change was told. */
	if (e->write.how == UT_HOW_WALK && now != e->write.val)
		return differ(c, "the walk found another value than the script left");
	set_view(c, frame, e);
	return 0;
}

static int take_write(struct comparison *c, const struct ut_event *e)
{
	int frame = machine_index(e->write.gfn);

	c->counts.how[e->write.how & 3]++;
	if (frame < 0 || !c->viewed[frame])
		return differ(c, "frame %#" PRIx64 " is no table that is known", e->write.gfn);
	return e->write.how == UT_HOW_TRAPPED ? take_trapped(c, e, frame) : take_found(c, e, frame);
}

/* ---- control ---- */

static bool is_that_control(const struct known_op *op, const struct ut_event *e)
{
	if (op->vcpu != e->vcpu)
		return false;
	switch (e->kind) {
	case UT_CR:
		return op->value == e->cr.value && op->code == (e->cr.cr == 0	? KNOWN_CR0
								: e->cr.cr == 3 ? KNOWN_CR3
										: KNOWN_CR4);
	case UT_INVLPG:
		return op->code == KNOWN_INVLPG && op->gva == e->invlpg.gva;
	default:
		return op->code == KNOWN_INVPCID && op->type == e->invpcid.type &&
		       op->extra == e->invpcid.gva && op->value == e->invpcid.pcid;
	}
}

static int take_control(struct comparison *c, const struct ut_event *e)
{
	unsigned int lane = lane_of(c, e->vcpu);
	struct machine_step step;

	while (op_now(c, lane) && !is_that_control(op_now(c, lane), e)) {
		if (pass_step(c, lane, "no operation of the script does this"))
			return -1;
	}
	if (!op_now(c, lane))
		return differ(c, "no operation of the script does this");
	step = step_now(c, lane);
	do_step(c, &step);
	return check_tables(c, e->vcpu);
}

static int take_state(struct comparison *c, const struct ut_event *e)
{
	const struct machine_cpu *cpu = &c->m.cpu[e->vcpu];

	if (c->cpu[e->vcpu].state)
		return differ(c, "the registers did not change otherwise than by the guest");
	c->cpu[e->vcpu].state = true;
	if ((e->state.cr0 ^ cpu->cr0) & CR0_BITS || e->state.cr3 != cpu->cr3 ||
	    (e->state.cr4 ^ cpu->cr4) & CR4_BITS ||
	    (e->state.efer ^ c->s->paging->efer) & EFER_BITS)
		return differ(c, "the registers are others");
	return 0;
}

/* ---- the end ---- */

static int take_stat(struct comparison *c, const struct ut_event *e)
{
	if (!strcmp(e->text.text, "kvm.mmu_cache_miss"))
		c->stat_new += e->text.value;
	else if (!strcmp(e->text.text, "kvm.mmu_shadow_zapped"))
		c->stat_zap += e->text.value;
	else if (!strcmp(e->text.text, "collector.rezaps"))
		c->stat_rezap += e->text.value;
	return 0;
}

static int take_exits(struct comparison *c, const struct ut_event *e)
{
	if (e->exits.isa == UT_ISA_SVM && e->exits.reason == EXIT_SVM_PF &&
	    e->exits.count != c->cpu[e->vcpu].faults)
		return differ(c, "%" PRIu64 " page fault exits, but %lu faults", e->exits.count,
			      c->cpu[e->vcpu].faults);
	return 0;
}

static int take_gone(struct comparison *c, const struct ut_event *e)
{
	if (e->vcpu != UT_NO_VCPU) {
		if (c->cpu[e->vcpu].gone)
			return differ(c, "the vCPU was gone already");
		c->cpu[e->vcpu].gone = true;
		return 0;
	}
	for (unsigned int lane = 0; lane < c->s->arrays; lane++) {
		while (op_now(c, lane)) {
			if (pass_step(c, lane, "the VM is gone"))
				return -1;
		}
	}
	for (size_t i = 0; i < c->n_pages; i++) {
		if (c->pages[i].alive)
			return differ(c, "page %#" PRIx64 " was never zapped", c->pages[i].gfn);
	}
	c->gone = true;
	return 0;
}

static int check_end(struct comparison *c)
{
	c->at = c->r->n;
	if (!c->gone)
		return differ(c, "the VM did not end");
	for (unsigned int i = 0; i < c->s->vcpus; i++) {
		if (!c->cpu[i].state)
			return differ(c, "the registers of vCPU %u were never told", i);
		if (!c->cpu[i].gone)
			return differ(c, "vCPU %u did not end", i);
	}
	if (c->n_new != c->stat_new)
		return differ(c, "%" PRIu64 " pages made, but KVM counts %" PRIu64, c->n_new,
			      c->stat_new);
	if (c->n_zap + c->stat_rezap != c->stat_zap)
		return differ(c, "%" PRIu64 " pages zapped, but KVM counts %" PRIu64,
			      c->n_zap + c->stat_rezap, c->stat_zap);
	return 0;
}

/* ---- events ---- */

/* An event that shows where the script is. */
static bool is_closing(const struct ut_event *e)
{
	switch (e->kind) {
	case UT_CR:
	case UT_INVLPG:
	case UT_INVPCID:
	case UT_FAULT:
		return true;
	case UT_WRITE:
		return e->write.how == UT_HOW_TRAPPED;
	default:
		return false;
	}
}

/* Of a vCPU's events after one that shows where it is, those up to the next such are a group. */
static int find_groups(struct comparison *c)
{
	size_t next[VM_VCPUS] = { NOT_YET, NOT_YET };

	c->closing = calloc(c->r->n + 1, sizeof(*c->closing));
	if (!c->closing)
		return ut_error_set(&c->err, "no memory");
	for (size_t i = c->r->n; i--;) {
		const struct ut_event *e = &c->r->events[i];

		if (e->vcpu < VM_VCPUS && is_closing(e))
			next[e->vcpu] = i;
		c->closing[i] = e->vcpu < VM_VCPUS ? next[e->vcpu] : NOT_YET;
		/* Then there is nothing to look forward to: the event stands for itself. */
		if (c->closing[i] == NOT_YET)
			c->closing[i] = i;
	}
	return 0;
}

static bool resync_follows(const struct comparison *c, size_t i)
{
	for (size_t j = i + 1; j < c->closing[i]; j++) {
		if (c->r->events[j].vcpu == c->r->events[i].vcpu &&
		    c->r->events[j].kind == UT_HOST_RESYNC)
			return true;
	}
	return false;
}

/*
 * Does an event tell what the host did while it handled the fault that ends its group, so that the
 * guest was already there? Loading and syncing a root belongs to what came before; and pages are
 * zapped after writes.
 */
static bool is_part_of_fault(const struct comparison *c, const struct ut_event *e)
{
	if (c->r->events[c->closing[c->at]].kind != UT_FAULT)
		return false;
	switch (e->kind) {
	case UT_AD:
	case UT_FAULT:
	case UT_HOST_UNSYNC:
		return true;
	case UT_PAGE_NEW:
	case UT_PAGE_FOUND:
		return !is_root(c, e->page.role);
	case UT_HOST_SYNC:
		return !resync_follows(c, c->at);
	case UT_WRITE:
		return e->write.how == UT_HOW_WALK;
	default:
		return false;
	}
}

/* Where a recording does not tell which of two things happened: the one to be tried now. */
static bool choose(struct comparison *c)
{
	if (c->n_choices == c->given && c->given < MAX_CHOICES)
		c->choice[c->given++] = true;
	return c->n_choices < MAX_CHOICES && c->choice[c->n_choices++];
}

/* Would a new page's content be that of memory when the operation in hand is done? And before? */
static void match_content(struct comparison *c, unsigned int lane, const struct ut_event *e,
			  bool *before, bool *after)
{
	const struct known_op *op = op_now(c, lane);
	int frame = machine_index(e->page.gfn);
	static uint64_t words[512];

	memset(words, 0, sizeof(words));
	for (unsigned int i = 0; i < e->page.n; i++)
		words[e->page.entries[i].index] = e->page.entries[i].value;
	*before = find_difference(c, lane, c->m.word[frame], words) == 512;
	c->trial = c->m;
	for (unsigned int part = c->part[lane]; part < machine_steps(&c->m, op); part++) {
		struct machine_step step = machine_look(&c->trial, op, part);

		machine_do(&c->trial, &step);
	}
	*after = find_difference(c, lane, c->trial.word[frame], words) == 512;
}

/*
 * A root is loaded on the way back into the guest, when an instruction that the host emulates is
 * done, though its table may have been zapped in the midst of it.
 */
static int finish_instruction(struct comparison *c, const struct ut_event *e)
{
	unsigned int lane = lane_of(c, e->vcpu);
	const struct known_op *op = op_now(c, lane);
	bool done = c->part[lane] > 0, before, after;

	if (!op || op->vcpu != e->vcpu)
		return 0;
	/* The others of a directory's four quadrants tell nothing new. */
	if (e->page.role & UT_ROLE_QUADRANT)
		return 0;
	if (!done && e->page.known && c->unseen[lane] && is_target(c, lane, e->page.gfn)) {
		match_content(c, lane, e, &before, &after);
		done = after && (!before || choose(c));
	}
	while (done && op == op_now(c, lane)) {
		if (pass_step(c, lane, "the instruction is not finished, but the guest goes on"))
			return -1;
	}
	return 0;
}

/*
 * The registers are loaded with roots in order, so they are told in order: the next one that is present,
 * or the first one once more.
 */
static bool is_next_root(struct cpu *cpu, const struct machine_cpu *m, uint64_t gfn)
{
	for (unsigned int tries = 0; tries < 2; tries++) {
		while (cpu->slot < 4 && !(m->pdpte[cpu->slot] & UT_PTE_P))
			cpu->slot++;
		if (cpu->slot < 4 && (m->pdpte[cpu->slot] & UT_PTE_FRAME) >> 12 == gfn) {
			cpu->slot++;
			return true;
		}
		cpu->slot = 0;
	}
	return false;
}

static bool is_load_of_root(const struct comparison *c, const struct ut_event *e)
{
	return (e->kind == UT_PAGE_NEW || e->kind == UT_PAGE_FOUND) && is_root(c, e->page.role);
}

static int take_resync(struct comparison *c, const struct ut_event *e)
{
	unsigned int synced = c->cpu[e->vcpu].syncs;

	/* A root may be loaded and synced more than once before the guest goes on. */
	c->cpu[e->vcpu].syncs = 0;
	if (e->resync.pages != synced)
		return differ(c, "%u pages, but %u were synced", e->resync.pages, synced);
	return 0;
}

static int take(struct comparison *c, const struct ut_event *e)
{
	switch (e->kind) {
	case UT_STATE:
		return take_state(c, e);
	case UT_CR:
	case UT_INVLPG:
	case UT_INVPCID:
		return take_control(c, e);
	case UT_FAULT:
		return take_fault(c, e);
	case UT_WRITE:
		return take_write(c, e);
	case UT_AD:
		return take_ad(c, e);
	case UT_PAGE_NEW:
		return take_new(c, e);
	case UT_PAGE_FOUND:
	case UT_PAGE_ZAP:
	case UT_HOST_UNSYNC:
	case UT_HOST_SYNC:
		return take_page(c, e);
	case UT_HOST_RESYNC:
		return take_resync(c, e);
	case UT_EXITS:
		return take_exits(c, e);
	case UT_STAT:
		return take_stat(c, e);
	case UT_VM_GONE:
		return take_gone(c, e);
	case UT_VM:
	case UT_MARK:
		return 0;
	case UT_LOST:
		return differ(c, "events were lost");
	default:
		return differ(c, "nothing in the script causes such an event");
	}
}

static bool is_window(const struct ut_event *e)
{
	return e->kind == UT_WRITE && e->write.how == UT_HOW_WINDOW;
}

static int take_event(struct comparison *c, const struct ut_event *e)
{
	struct cpu *cpu = e->vcpu < VM_VCPUS ? &c->cpu[e->vcpu] : NULL;

	if (e->kind < UT_KIND_END)
		c->counts.events[e->kind]++;
	if (cpu && e->vcpu >= c->s->vcpus)
		return differ(c, "no such vCPU");
	if (!cpu && ((e->kind < UT_PAGE_ZAP && !is_window(e)) || e->kind == UT_HOST_UNSYNC ||
		     e->kind == UT_HOST_SYNC || e->kind == UT_HOST_RESYNC))
		return differ(c, "without a vCPU");
	if (cpu && !cpu->in_fault && is_part_of_fault(c, e)) {
		if (go_to_fault(c, &c->r->events[c->closing[c->at]]))
			return -1;
		cpu->in_fault = true;
	}
	if (cpu && is_load_of_root(c, e) && finish_instruction(c, e))
		return -1;
	if (cpu && is_load_of_root(c, e) && c->s->paging->registers &&
	    !is_next_root(cpu, &c->m.cpu[e->vcpu], e->page.gfn))
		return differ(c, "the page is not the root that comes next");
	if (take(c, e))
		return -1;
	if (cpu && is_closing(e)) {
		cpu->closed = c->at + 1;
		cpu->in_fault = false;
		cpu->emulated = e->kind == UT_FAULT && e->fault.outcome == UT_OUT_EMULATED;
		cpu->n_ad = 0;
		cpu->syncs = 0;
		cpu->slot = 0;
	}
	return 0;
}

static int compare_once(struct comparison *c)
{
	if (find_groups(c))
		return -1;
	for (c->at = 0; c->at < c->r->n; c->at++) {
		if (take_event(c, &c->r->events[c->at]))
			return -1;
	}
	return check_end(c);
}

/* The next way to choose; false if all were tried. */
static bool choose_otherwise(struct comparison *c)
{
	while (c->given && !c->choice[c->given - 1])
		c->given--;
	if (!c->given)
		return false;
	c->choice[c->given - 1] = false;
	return true;
}

static void add_counts(struct compare_counts *to, const struct compare_counts *from)
{
	const unsigned long *add = (const unsigned long *)from;
	unsigned long *sum = (unsigned long *)to;

	for (size_t i = 0; i < sizeof(*to) / sizeof(*sum); i++)
		sum[i] += add[i];
}

static void start_again(struct comparison *c, const struct script *s)
{
	size_t keep = offsetof(struct comparison, counts);

	free(c->closing);
	memset((char *)c + keep, 0, sizeof(*c) - keep);
	c->m = s->start;
	c->counts.scripts = 1;
	for (unsigned int i = 0; i < s->arrays; i++) {
		for (size_t j = 0; j < s->n[i]; j++)
			c->counts.ops[s->op[i][j].code]++;
	}
}

int compare(const struct script *s, const struct recording *r, unsigned int mode,
	    struct compare_counts *counts, struct ut_error *err)
{
	struct comparison *c = calloc(1, sizeof(*c));
	struct ut_error farthest;
	size_t at;
	int ret;

	if (!c)
		return ut_error_set(err, "no memory");
	c->s = s;
	c->r = r;
	c->exact = mode == UT_MODE_EXACT;
	start_again(c, s);
	ret = compare_once(c);
	farthest = c->err;
	at = c->at;
	for (unsigned int tries = 0; ret && tries < MAX_TRIES && choose_otherwise(c); tries++) {
		start_again(c, s);
		ret = compare_once(c);
		if (c->at > at) {
			farthest = c->err;
			at = c->at;
		}
	}
	if (ret && err)
		*err = farthest;
	add_counts(counts, &c->counts);
	free(c->closing);
	free(c);
	return ret;
}
