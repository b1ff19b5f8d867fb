// SPDX-License-Identifier: GPL-2.0-only
#include "collector/assemble.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096u /* chains stay short: tens of thousands of pages at most in practice */
#define AD_REMEMBERED 16u
#define WORD_BITS 64u
#define HALVES (2 * UT_TABLE_ENTRIES)

struct shadow_page;

struct vm {
	struct vm *next;
	uint64_t stray;	 /* emulated writes to pages that are no shadowed tables */
	uint64_t pages;	 /* known now */
	uint32_t losses; /* counted up whenever events that tell of tables may have been lost */
	uint16_t id;
	bool ran;   /* it was there before the capture */
	bool ended; /* its last counters were told */
};

/* A guest frame that is shadowed, as a table or by direct pages. */
struct frame {
	struct frame *next;
	struct shadow_page *pages;
	uint64_t gfn;
	struct vm *vm;
	uint64_t changed; /* time of the record that last told something about its content */
	uint64_t read;	  /* time of the record that last held all of it */
	uint64_t *words;  /* the mirror; NULL: content unknown */
	uint64_t known[UT_TABLE_ENTRIES / WORD_BITS]; /* words that hold what the guest's do */
	uint64_t held[HALVES / WORD_BITS];	      /* halves of words that ever did */
	uint32_t losses;			      /* of the VM, when that was last so */
	uint32_t tables; /* of its pages, those that shadow a guest table */
	uint32_t unsync; /* of these, those out of sync */
};

struct shadow_page {
	struct shadow_page *next;
	struct shadow_page *sibling; /* of the same frame */
	struct frame *frame;
	uint64_t sp;
	uint32_t role; /* normalised */
	bool unsync;
};

/* Accessed or dirty set in an entry since a walk may have read it. */
struct ad {
	uint64_t gfn;
	uint64_t bits;
	uint16_t offset;
};

struct vcpu {
	struct vcpu *next;
	struct ut_state state;
	struct ad ad[AD_REMEMBERED];
	unsigned int n_ad;
	uint64_t last;	   /* time of the last record of it */
	uint8_t last_kind; /* of that record */
	uint16_t vm, id;
	bool state_known;
	bool counting; /* its counters were told as they were when its trace began */
	bool ended;    /* its last counters were told */
};

struct assembler {
	struct assembler_options opt;
	struct assembler_counts counts;
	struct frame *frames[BUCKETS];
	struct shadow_page *pages[BUCKETS];
	uint64_t latest; /* time of the last event */
	struct vm *vms;
	struct vcpu *vcpus;
	struct ut_entry entries[UT_TABLE_ENTRIES];
	uint64_t settled[UT_TABLE_ENTRIES];
};

struct assembler *assembler_new(const struct assembler_options *options)
{
	struct assembler *a = calloc(1, sizeof(*a));

	if (a)
		a->opt = *options;
	return a;
}

const struct assembler_counts *assembler_counts(const struct assembler *a)
{
	return &a->counts;
}

/* ---- emitting ---- */

static struct ut_event event_at(const struct assembler *a, uint64_t time, unsigned int kind,
				unsigned int vm, unsigned int vcpu)
{
	struct ut_event e = { .time = time > a->opt.start ? time - a->opt.start : 0,
			      .kind = (uint8_t)kind,
			      .vm = (uint16_t)vm,
			      .vcpu = (uint16_t)vcpu };

	return e;
}

static struct ut_event event_of(const struct assembler *a, const struct rec_head *h)
{
	return event_at(a, h->time, h->kind, h->vm, h->vcpu);
}

static int emit(struct assembler *a, const struct ut_event *e)
{
	struct ut_event in_order = *e;

	/*
	 * A hook takes its place in the ring before it looks at the clock, and may be interrupted in
	 * between. The place counts.
	 */
	if (in_order.time < a->latest)
		in_order.time = a->latest;
	a->latest = in_order.time;
	a->counts.events++;
	if (e->kind == UT_LOST)
		a->counts.lost += e->lost.count;
	if (e->kind == UT_WRITE)
		a->counts.writes[e->write.how & 3]++;
	return a->opt.emit(a->opt.arg, &in_order);
}

int assembler_exits(struct assembler *a, uint64_t now, const struct exit_key *key,
		    const struct exit_sum *sum)
{
	struct ut_event e = event_at(a, now, UT_EXITS, key->vm, key->vcpu);

	e.exits.count = sum->count;
	e.exits.ns = sum->ns;
	e.exits.reason = key->reason;
	e.exits.isa = (uint8_t)(key->isa <= 2 ? key->isa : 0);
	return emit(a, &e);
}

static int emit_stat(struct assembler *a, struct ut_event *e, const char *name, uint64_t value,
		     bool final)
{
	e->kind = UT_STAT;
	e->text.value = value;
	e->text.text = name;
	e->text.len = (uint16_t)strlen(name);
	e->text.final = final;
	return emit(a, e);
}

int assembler_stat(struct assembler *a, uint64_t now, const char *name, uint64_t value)
{
	struct ut_event e = event_at(a, now, UT_STAT, UT_NO_VM, UT_NO_VCPU);

	return emit_stat(a, &e, name, value, true);
}

int assembler_mark(struct assembler *a, uint64_t now, const char *text, size_t len)
{
	struct ut_event e = event_at(a, now, UT_MARK, UT_NO_VM, UT_NO_VCPU);

	e.text.text = text;
	e.text.len = (uint16_t)len;
	return emit(a, &e);
}

/* ---- VMs and losses ---- */

static struct vm *need_vm(struct assembler *a, unsigned int id)
{
	struct vm *vm = a->vms;

	while (vm && vm->id != id)
		vm = vm->next;
	if (vm)
		return vm;
	vm = calloc(1, sizeof(*vm));
	if (!vm)
		return NULL;
	vm->id = (uint16_t)id;
	vm->next = a->vms;
	a->vms = vm;
	return vm;
}

static bool tells_of_tables(unsigned int kind)
{
	switch (kind) {
	case UT_STATE:
	case UT_CR:
	case UT_INVLPG:
	case UT_INVPCID:
	case UT_PV_FLUSH:
	case UT_HOST_RESYNC:
	case UT_EXITS:
	case UT_VM:
	case UT_VM_GONE:
	case REC_VM_STATS:
	case REC_RUNNING_VCPU:
		return false;
	default:
		return true;
	}
}

/*
 * What the mirrors hold may be out of date from here on, until the tables are read again. Nobody
 * may be told an old value from there, and a difference is no proof of a write in a window.
 */
static int lose(struct assembler *a, uint64_t now, unsigned int id, unsigned int cause,
		unsigned int kind, uint64_t count)
{
	struct ut_event e = event_at(a, now, UT_LOST, id, UT_NO_VCPU);

	for (struct vm *vm = tells_of_tables(kind) ? a->vms : NULL; vm; vm = vm->next) {
		if (id == UT_NO_VM || vm->id == id)
			vm->losses++;
	}
	e.lost.count = count;
	e.lost.cause = (uint8_t)cause;
	e.lost.kind = (uint8_t)(kind < UT_KIND_END ? kind : 0);
	return emit(a, &e);
}

int assembler_lost(struct assembler *a, uint64_t now, unsigned int cause, unsigned int kind,
		   uint64_t count)
{
	return lose(a, now, UT_NO_VM, cause, kind, count);
}

static int take_lost(struct assembler *a, const struct rec_lost *r)
{
	if (r->cause < UT_LOST_RING_FULL || r->cause >= UT_LOST_CAUSE_END)
		return 0;
	for (unsigned int kind = 0; kind < REC_KINDS; kind++) {
		if (r->counts[kind] &&
		    lose(a, r->head.time, r->head.vm, r->cause, kind, r->counts[kind]))
			return -1;
	}
	return 0;
}

/* ---- frames and pages ---- */

static unsigned int hash(uint64_t key)
{
	return (unsigned int)(key * 0x9e3779b97f4a7c15ull >> 40) % BUCKETS;
}

/* To be used whenever a frame is come upon: what losses made doubtful is known no longer. */
static struct frame *fresh(struct frame *f)
{
	if (f->losses != f->vm->losses) {
		memset(f->known, 0, sizeof(f->known));
		f->losses = f->vm->losses;
	}
	return f;
}

static bool knows_word(const struct frame *f, unsigned int i)
{
	return f->known[i / WORD_BITS] >> i % WORD_BITS & 1;
}

static void know_word(struct frame *f, unsigned int i)
{
	f->known[i / WORD_BITS] |= 1ull << i % WORD_BITS;
}

/* Of an entry. */
static bool holds(const struct frame *f, unsigned int offset, unsigned int size)
{
	uint64_t bits = (size == 8 ? 3ull : 1ull) << offset / 4 % WORD_BITS;

	return (f->held[offset / 4 / WORD_BITS] & bits) == bits;
}

static void hold(struct frame *f, unsigned int offset, unsigned int size)
{
	f->held[offset / 4 / WORD_BITS] |= (size == 8 ? 3ull : 1ull) << offset / 4 % WORD_BITS;
}

static bool knows(const struct frame *f, unsigned int offset, unsigned int size)
{
	return f->words && knows_word(f, offset / 8) && knows_word(f, (offset + size - 1) / 8);
}

static struct frame *find_frame(const struct assembler *a, unsigned int vm, uint64_t gfn)
{
	struct frame *f = a->frames[hash(gfn)];

	while (f && (f->gfn != gfn || f->vm->id != vm))
		f = f->next;
	return f ? fresh(f) : NULL;
}

/* The frame if it is a guest table that is shadowed. */
static struct frame *find_table(const struct assembler *a, unsigned int vm, uint64_t gfn)
{
	struct frame *f = find_frame(a, vm, gfn);

	return f && f->tables ? f : NULL;
}

static struct frame *need_frame(struct assembler *a, unsigned int vm, uint64_t gfn)
{
	struct frame *f = find_frame(a, vm, gfn);

	if (f)
		return f;
	f = calloc(1, sizeof(*f));
	if (f)
		f->vm = need_vm(a, vm);
	if (!f || !f->vm) {
		free(f);
		return NULL;
	}
	f->losses = f->vm->losses;
	f->gfn = gfn;
	f->next = a->frames[hash(gfn)];
	a->frames[hash(gfn)] = f;
	return f;
}

static void free_frame(struct assembler *a, struct frame *f)
{
	struct frame **at = &a->frames[hash(f->gfn)];

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	free(f->words);
	free(f);
}

static struct shadow_page *find_page(const struct assembler *a, uint64_t sp)
{
	struct shadow_page *p = a->pages[hash(sp)];

	while (p && p->sp != sp)
		p = p->next;
	return p;
}

bool assembler_has_page(const struct assembler *a, uint64_t sp)
{
	return find_page(a, sp);
}

static bool has_table(uint32_t role)
{
	return !(role & (UT_ROLE_DIRECT | UT_ROLE_PASSTHROUGH));
}

static struct shadow_page *add_page(struct assembler *a, struct frame *f, uint64_t sp,
				    uint32_t role)
{
	struct shadow_page *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->sp = sp;
	p->role = role;
	p->frame = f;
	p->next = a->pages[hash(sp)];
	a->pages[hash(sp)] = p;
	p->sibling = f->pages;
	f->pages = p;
	f->vm->pages++;
	if (has_table(role))
		f->tables++;
	return p;
}

static void set_unsync(struct shadow_page *p, bool unsync)
{
	if (p->unsync == unsync)
		return;
	p->unsync = unsync;
	if (unsync)
		p->frame->unsync++;
	else
		p->frame->unsync--;
}

static void remove_page(struct assembler *a, struct shadow_page *p)
{
	struct shadow_page **at;
	struct frame *f = p->frame;

	set_unsync(p, false);
	f->vm->pages--;
	for (at = &a->pages[hash(p->sp)]; *at != p; at = &(*at)->next)
		;
	*at = p->next;
	for (at = &f->pages; *at != p; at = &(*at)->sibling)
		;
	*at = p->sibling;
	if (has_table(p->role) && !--f->tables) {
		free(f->words);
		f->words = NULL;
	}
	free(p);
	if (!f->pages)
		free_frame(a, f);
}

static void forget_vm(struct assembler *a, unsigned int id)
{
	struct shadow_page *p, *next;
	struct vcpu **c = &a->vcpus, *vcpu;
	struct vm **at = &a->vms, *vm;

	for (unsigned int i = 0; i < BUCKETS; i++) {
		for (p = a->pages[i]; p; p = next) {
			next = p->next;
			if (p->frame->vm->id == id)
				remove_page(a, p);
		}
	}
	while ((vcpu = *c)) {
		if (vcpu->vm != id) {
			c = &vcpu->next;
			continue;
		}
		*c = vcpu->next;
		free(vcpu);
	}
	while ((vm = *at)) {
		if (vm->id != id) {
			at = &vm->next;
			continue;
		}
		*at = vm->next;
		free(vm);
	}
}

void assembler_free(struct assembler *a)
{
	struct vcpu *c, *next;

	if (!a)
		return;
	while (a->vms)
		forget_vm(a, a->vms->id);
	for (c = a->vcpus; c; c = next) {
		next = c->next;
		free(c);
	}
	free(a);
}

/* ---- vCPUs ---- */

static struct vcpu *need_vcpu(struct assembler *a, unsigned int vm, unsigned int id)
{
	struct vcpu **at = &a->vcpus, *c;

	while (*at && ((*at)->vm != vm || (*at)->id != id))
		at = &(*at)->next;
	c = *at;
	if (c) {
		/* To the front: most records come from the vCPU that the last one came from. */
		*at = c->next;
		c->next = a->vcpus;
		a->vcpus = c;
		return c;
	}
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->vm = (uint16_t)vm;
	c->id = (uint16_t)id;
	c->next = a->vcpus;
	a->vcpus = c;
	return c;
}

static int take_state(struct assembler *a, const struct rec_state *r)
{
	struct ut_event e = event_of(a, &r->head);
	struct vcpu *c = need_vcpu(a, r->head.vm, r->head.vcpu);

	if (!c)
		return -1;
	/* Read from outside, perhaps in the middle of a change. */
	if (r->head.kind == REC_RUNNING_VCPU && c->state_known)
		return 0;
	e.kind = UT_STATE;
	e.state = (struct ut_state){ .cr0 = r->cr0, .cr3 = r->cr3, .cr4 = r->cr4, .efer = r->efer };
	/* A vCPU that changed threads is seen for the first time once more. */
	if (c->state_known && !memcmp(&c->state, &e.state, sizeof(e.state)))
		return 0;
	c->state = e.state;
	c->state_known = true;
	return emit(a, &e);
}

static int take_cr(struct assembler *a, const struct rec_value *r)
{
	struct ut_event e = event_of(a, &r->head);
	struct vcpu *c = need_vcpu(a, r->head.vm, r->head.vcpu);

	if (!c)
		return -1;
	e.cr.value = r->a;
	e.cr.cr = (uint8_t)r->b;
	if (r->b == 0)
		c->state.cr0 = r->a;
	else if (r->b == 3)
		c->state.cr3 = r->a & ~UT_CR3_NOFLUSH;
	else
		c->state.cr4 = r->a;
	return emit(a, &e);
}

static int take_flush(struct assembler *a, const struct rec_value *r)
{
	struct ut_event e = event_of(a, &r->head);

	if (r->b)
		return emit(a, &e);
	for (struct vcpu *c = a->vcpus; c; c = c->next) {
		if (c->vm != r->head.vm || (c->id < 64 ? !(r->a >> c->id & 1) : r->a != ~0ull))
			continue;
		e.vcpu = c->id;
		if (emit(a, &e))
			return -1;
	}
	return 0;
}

/* ---- writes ---- */

static uint64_t low_bytes(uint64_t value, unsigned int size)
{
	return size == 8 ? value : value & ((1ull << 8 * size) - 1);
}

static uint64_t mirror_read(const struct frame *f, unsigned int offset, unsigned int size)
{
	uint64_t value = 0;

	memcpy(&value, (const char *)f->words + offset, size);
	return value;
}

static void mirror_write(struct frame *f, unsigned int offset, unsigned int size, uint64_t value)
{
	memcpy((char *)f->words + offset, &value, size);
}

/*
 * Was the table perhaps read between an emulated write and the record of it? It is in memory before
 * KVM tells of it. Then the vCPU has been at it since before the table was read.
 */
static bool is_in_flight(struct assembler *a, const struct ut_event *e, const struct frame *f)
{
	const struct ut_write *w = &e->write;
	struct vcpu *c;

	if (w->how != UT_HOW_TRAPPED || mirror_read(f, w->offset, w->size) != w->val)
		return false;
	c = need_vcpu(a, e->vm, e->vcpu);
	return !c || c->last < f->read;
}

static int emit_write(struct assembler *a, const struct ut_event *from, struct frame *f,
		      unsigned int how, unsigned int offset, unsigned int size, uint64_t value)
{
	bool known = knows(f, offset, size);
	struct ut_event e = *from;

	e.kind = UT_WRITE;
	memset(&e.write, 0, sizeof(e.write));
	e.write.gfn = f->gfn;
	e.write.val = value;
	e.write.offset = (uint16_t)offset;
	e.write.size = (uint8_t)size;
	e.write.how = (uint8_t)how;
	/* While the table is out of sync, an emulated write may follow ones that nobody saw. */
	if (known && (how != UT_HOW_TRAPPED || !f->unsync) && !is_in_flight(a, &e, f)) {
		e.write.old = mirror_read(f, offset, size);
		e.write.old_known = true;
	}
	if (f->words)
		mirror_write(f, offset, size, value);
	if (f->words && size == 8 && !(offset & 7))
		know_word(f, offset / 8);
	if (how != UT_HOW_TRAPPED && !f->unsync && known)
		a->counts.silent++;
	return emit(a, &e);
}

static int count_stray(struct assembler *a, unsigned int id)
{
	struct vm *vm = need_vm(a, id);

	if (!vm)
		return -1;
	vm->stray++;
	a->counts.stray++;
	return 0;
}

/*
 * One event for each run of up to 8 bytes. A write of up to 8 bytes stays whole even if it touches
 * two entries, since that is what a host sees; a longer one is cut where entries end. What was not
 * recorded of a long one is a loss only in a table: a block that is read from a disk word by word
 * comes here, too. KVM cuts writes where pages end.
 */
static int take_write(struct assembler *a, const struct rec_write *r)
{
	struct ut_event e = event_of(a, &r->head);
	uint32_t bytes = r->bytes > REC_WRITE_MAX ? REC_WRITE_MAX : r->bytes;
	uint32_t done = 0;
	bool known = false;

	if (r->bytes > bytes && find_table(a, r->head.vm, (r->gpa + bytes) >> 12) &&
	    lose(a, r->head.time, r->head.vm, UT_LOST_UNREADABLE, UT_WRITE, 1))
		return -1;
	while (done < bytes) {
		uint64_t gpa = r->gpa + done, value = 0;
		unsigned int offset = gpa & 4095, size = bytes - done;
		struct frame *f = find_table(a, r->head.vm, gpa >> 12);

		if (size > 8)
			size = 8 - (offset & 7);
		if (offset + size > 4096)
			size = 4096 - offset;
		memcpy(&value, r->data + done, size);
		done += size;
		if (!f)
			continue;
		known = true;
		if (emit_write(a, &e, f, UT_HOW_TRAPPED, offset, size, value))
			return -1;
		f->changed = r->head.time;
	}
	return known ? 0 : count_stray(a, r->head.vm);
}

static int compare_word(struct assembler *a, const struct ut_event *at, struct frame *f,
			unsigned int i, uint64_t word, unsigned int entry)
{
	/* After a loss nobody knows when it was written, or how. */
	unsigned int how = knows_word(f, i) ? UT_HOW_WINDOW : UT_HOW_WALK;

	for (unsigned int offset = 0; offset < 8; offset += entry) {
		uint64_t value = low_bytes(word >> 8 * offset, entry);

		if (value != mirror_read(f, i * 8 + offset, entry) &&
		    emit_write(a, at, f, how, i * 8 + offset, entry, value))
			return -1;
	}
	return 0;
}

/*
 * The table as it was read, with the accessed and dirty bits that KVM had announced and perhaps not
 * set yet: a vCPU whose last record is such an announcement.
 */
static const uint64_t *settle(struct assembler *a, const struct rec_table *r)
{
	const uint64_t *words = r->words;

	for (const struct vcpu *c = a->vcpus; c; c = c->next) {
		const struct ad *ad = &c->ad[(c->n_ad - 1) % AD_REMEMBERED];

		if (c->vm != r->page.head.vm || c->last_kind != UT_AD || !c->n_ad ||
		    ad->gfn != r->page.gfn)
			continue;
		if (words == r->words)
			memcpy(a->settled, r->words, sizeof(a->settled));
		words = a->settled;
		a->settled[ad->offset / 8] |= ad->bits << ad->offset % 8 * 8;
	}
	return words;
}

/* Tells what changed in a table since something was last heard of it. */
static int compare_table(struct assembler *a, const struct rec_table *r, struct frame *f,
			 uint32_t role)
{
	struct ut_event at = event_of(a, &r->page.head);
	unsigned int entry = role & UT_ROLE_4BYTE ? 4 : 8;
	const uint64_t *words = settle(a, r);

	for (unsigned int i = 0; i < UT_TABLE_ENTRIES; i++) {
		if (f->words[i] != words[i] && compare_word(a, &at, f, i, words[i], entry))
			return -1;
	}
	memset(f->known, 0xff, sizeof(f->known));
	f->changed = f->read = r->page.head.time;
	return 0;
}

/* Of a table that is about to be told whole nothing needs to be said that was not known before. */
static int take_table(struct assembler *a, const struct rec_table *r, struct frame *f,
		      uint32_t role)
{
	const uint64_t *words = settle(a, r);

	if (!f->words) {
		f->words = malloc(sizeof(r->words));
		if (!f->words)
			return -1;
		memset(f->known, 0, sizeof(f->known));
	}
	memset(f->held, 0xff, sizeof(f->held));
	for (unsigned int i = 0; i < UT_TABLE_ENTRIES; i++) {
		if (!knows_word(f, i))
			f->words[i] = words[i];
	}
	return compare_table(a, r, f, role);
}

/* ---- shadow pages ---- */

static int emit_page(struct assembler *a, const struct rec_head *h, unsigned int kind,
		     const struct shadow_page *p, bool unsync)
{
	struct ut_event e = event_of(a, h);

	e.kind = (uint8_t)kind;
	e.page.gfn = p->frame->gfn;
	e.page.role = p->role;
	e.page.unsync = unsync;
	return emit(a, &e);
}

static bool knows_all(const struct frame *f)
{
	for (unsigned int i = 0; i < UT_TABLE_ENTRIES / WORD_BITS; i++) {
		if (~f->known[i])
			return false;
	}
	return true;
}

static int emit_new(struct assembler *a, const struct rec_head *h, const struct shadow_page *p)
{
	struct ut_event e = event_of(a, h);
	const uint64_t *words = p->frame->words;
	uint16_t n = 0;

	e.kind = UT_PAGE_NEW;
	e.page.gfn = p->frame->gfn;
	e.page.role = p->role;
	e.page.known = words && has_table(p->role) && knows_all(p->frame);
	for (unsigned int i = 0; e.page.known && i < UT_TABLE_ENTRIES; i++) {
		if (words[i]) {
			a->entries[n].index = (uint16_t)i;
			a->entries[n++].value = words[i];
		}
	}
	e.page.n = n;
	e.page.entries = a->entries;
	return emit(a, &e);
}

/*
 * Pages that the host has given up but not zapped yet, after a change of its memory slots, may
 * already have a successor. For a reader there is one page of a frame and role at a time.
 */
static int retire_twins(struct assembler *a, const struct rec_head *h, struct shadow_page *of)
{
	struct shadow_page *p, *next;

	for (p = of->frame->pages; p; p = next) {
		next = p->sibling;
		if (p == of || p->role != of->role)
			continue;
		if (emit_page(a, h, UT_PAGE_ZAP, p, p->unsync))
			return -1;
		remove_page(a, p);
	}
	return 0;
}

/* @r holds the table's content if its flags say so. */
static int take_new(struct assembler *a, const struct rec_table *r, uint32_t role)
{
	const struct rec_page *h = &r->page;
	struct shadow_page *p = find_page(a, h->sp);
	struct frame *f;

	/* Its end was lost. */
	if (p) {
		if (emit_page(a, &h->head, UT_PAGE_ZAP, p, p->unsync))
			return -1;
		remove_page(a, p);
	}
	f = need_frame(a, h->head.vm, h->gfn);
	if (!f)
		return -1;
	/* Before the page is there: what was written so far does not concern it. */
	if (h->flags & REC_PAGE_READ && take_table(a, r, f, role))
		return -1;
	p = add_page(a, f, h->sp, role);
	if (!p)
		return -1;
	if (retire_twins(a, &h->head, p))
		return -1;
	return emit_new(a, &h->head, p);
}

/* One that was there before it is told: it may be out of sync. */
static int take_existing(struct assembler *a, const struct rec_table *r, uint32_t role)
{
	const struct rec_page *h = &r->page;
	struct shadow_page *p;

	if (take_new(a, r, role))
		return -1;
	p = find_page(a, h->sp);
	if (!p || !(h->flags & REC_PAGE_UNSYNC))
		return 0;
	set_unsync(p, true);
	return emit_page(a, &h->head, UT_HOST_UNSYNC, p, false);
}

/*
 * Told when the capture was attached. A page that is known already was told twice, because what it
 * is chained to had to be read again, or was told by an event of its own.
 */
static int take_running(struct assembler *a, const struct rec_table *r, uint32_t role)
{
	const struct rec_page *h = &r->page;
	const struct shadow_page *p = find_page(a, h->sp);
	struct vm *vm = need_vm(a, h->head.vm);

	if (!vm)
		return -1;
	vm->ran = true;
	if (p && p->frame->vm == vm && p->frame->gfn == h->gfn && p->role == role)
		return 0;
	return take_existing(a, r, role);
}

/* A page that was there before the capture, or whose beginning was lost, counts as new. */
static struct shadow_page *known_page(struct assembler *a, const struct rec_table *r, uint32_t role,
				      int *err)
{
	const struct rec_page *h = &r->page;
	struct shadow_page *p = find_page(a, h->sp);

	*err = 0;
	if (p && p->frame->vm->id == h->head.vm && p->frame->gfn == h->gfn) {
		fresh(p->frame);
		return p;
	}
	if (!(h->flags & REC_PAGE_READ) && h->head.kind != UT_PAGE_FOUND) {
		a->counts.unknown++;
		return NULL;
	}
	*err = take_existing(a, r, role);
	return *err ? NULL : find_page(a, h->sp);
}

/* Other tables are known as before. */
static int lose_table(struct assembler *a, const struct rec_page *r)
{
	struct ut_event e = event_at(a, r->head.time, UT_LOST, r->head.vm, UT_NO_VCPU);
	bool is_new = r->head.kind == UT_PAGE_NEW || r->head.kind == REC_RUNNING_PAGE;
	struct frame *f = find_frame(a, r->head.vm, r->gfn);

	if (f)
		memset(f->known, 0, sizeof(f->known));
	e.lost.count = 1;
	e.lost.cause = UT_LOST_UNREADABLE;
	e.lost.kind = is_new ? UT_PAGE_NEW : UT_WRITE;
	return emit(a, &e);
}

static int take_page(struct assembler *a, const void *data, size_t size)
{
	const struct rec_table *r = data;
	const struct rec_page *h = data;
	uint32_t role = role_normalise(a->opt.role, h->role) & ~UT_ROLE_INVALID;
	bool unsync = h->flags & REC_PAGE_UNSYNC;
	struct shadow_page *p;
	int err;

	if (h->flags & REC_PAGE_READ && size < sizeof(*r))
		return 0;
	if (h->flags & REC_PAGE_UNREADABLE && lose_table(a, h))
		return -1;
	if (h->head.kind == REC_RUNNING_PAGE)
		return take_running(a, r, role);
	if (h->head.kind == UT_PAGE_NEW)
		return take_new(a, r, role);
	p = known_page(a, r, role, &err);
	if (!p)
		return err;
	if (h->flags & REC_PAGE_READ && p->frame->words && compare_table(a, r, p->frame, p->role))
		return -1;
	/* As it was just before, which differs from what is known only after a loss. */
	if (h->head.kind != UT_HOST_UNSYNC)
		set_unsync(p, unsync);
	if (h->head.kind == UT_HOST_UNSYNC) {
		a->counts.host_unsync++;
		set_unsync(p, true);
		unsync = false;
	} else if (h->head.kind == UT_HOST_SYNC) {
		set_unsync(p, false);
		unsync = false;
	}
	if (emit_page(a, &h->head, h->head.kind, p, unsync))
		return -1;
	if (h->head.kind == UT_PAGE_ZAP)
		remove_page(a, p);
	return 0;
}

/* ---- walks ---- */

static int take_ad(struct assembler *a, const struct rec_value *r)
{
	struct ut_event e = event_of(a, &r->head);
	struct frame *f = find_table(a, r->head.vm, r->a);
	struct vcpu *c = need_vcpu(a, r->head.vm, r->head.vcpu);
	unsigned int offset;
	struct ad *ad;
	uint64_t bit;

	if (!c)
		return -1;
	e.ad.gfn = r->a;
	e.ad.index = r->b & 0xffff;
	e.ad.entry_size = r->b >> 16 & 0xff;
	e.ad.dirty = r->b >> 24 & 1;
	if (e.ad.entry_size != 4 && e.ad.entry_size != 8)
		return 0;
	if (e.ad.index >= 4096u / e.ad.entry_size)
		return 0;
	offset = (unsigned int)e.ad.index * e.ad.entry_size;
	bit = e.ad.dirty ? UT_PTE_D : UT_PTE_A;
	ad = &c->ad[c->n_ad++ % AD_REMEMBERED];
	*ad = (struct ad){ .gfn = r->a, .offset = (uint16_t)offset, .bits = bit };
	if (f && f->words)
		mirror_write(f, offset, e.ad.entry_size,
			     mirror_read(f, offset, e.ad.entry_size) | bit);
	return emit(a, &e);
}

/* What the host itself has set in an entry since the walk read it. */
static uint64_t set_since(const struct vcpu *c, uint64_t gfn, unsigned int offset)
{
	uint64_t bits = 0;

	for (unsigned int i = 0; i < c->n_ad && i < AD_REMEMBERED; i++) {
		if (c->ad[i].gfn == gfn && c->ad[i].offset == offset)
			bits |= c->ad[i].bits;
	}
	return bits;
}

/* Nothing is known of the table, until walks show some of it. */
static int begin_mirror(struct frame *f)
{
	f->words = calloc(UT_TABLE_ENTRIES, sizeof(*f->words));
	memset(f->known, 0, sizeof(f->known));
	memset(f->held, 0, sizeof(f->held));
	return f->words ? 0 : -1;
}

int assembler_touched(struct assembler *a, unsigned int vm, uint64_t gpa, unsigned int size)
{
	const uint64_t no_entry = ~0ull; /* its bits that must be zero are not */
	unsigned int offset = gpa & 4095 & ~(size - 1);
	struct frame *f = a->opt.learn ? find_table(a, vm, gpa >> 12) : NULL;

	if (!f)
		return 0;
	if (!f->words && begin_mirror(f))
		return -1;
	mirror_write(f, offset, size, no_entry);
	hold(f, offset, size);
	f->known[offset / 8 / WORD_BITS] &= ~(1ull << offset / 8 % WORD_BITS);
	return 0;
}

/* A walk that read another entry than the mirror holds shows a write that nobody saw. */
static int check_walk(struct assembler *a, const struct rec_fault *r, const struct vcpu *c)
{
	struct ut_event at = event_of(a, &r->head);
	bool narrow = !(c->state.cr4 & UT_CR4_PAE);
	bool pae = !narrow && !(c->state.efer & UT_EFER_LMA);
	unsigned int bits = narrow ? 10 : 9, size = narrow ? 4 : 8;
	uint64_t frame_bits = narrow ? 0xfffff000ull : UT_PTE_FRAME;
	uint64_t gfn = (c->state.cr3 & (pae || narrow ? 0xfffff000ull : UT_PTE_FRAME)) >> 12;

	for (unsigned int level = r->top; level >= r->bottom && level; level--) {
		unsigned int offset =
			(r->gva >> (12 + bits * (level - 1)) & ((1u << bits) - 1)) * size;
		uint64_t entry = r->walk[level - 1];
		/* The four top entries of PAE paging live in registers, not in a shadowed table. */
		struct frame *f = pae && level == 3 ? NULL : find_table(a, r->head.vm, gfn);

		if (f && !f->words && a->opt.learn && begin_mirror(f))
			return -1;
		if (f && f->words && f->changed < r->begin) {
			uint64_t now = entry | set_since(c, gfn, offset);

			if (!holds(f, offset, size))
				mirror_write(f, offset, size, now);
			else if (now != mirror_read(f, offset, size) &&
				 emit_write(a, &at, f, UT_HOW_WALK, offset, size, now))
				return -1;
			hold(f, offset, size);
			if (size == 8)
				know_word(f, offset / 8);
		}
		gfn = (entry & frame_bits) >> 12;
	}
	return 0;
}

static int take_fault(struct assembler *a, const struct rec_fault *r)
{
	struct ut_event e = event_of(a, &r->head);
	struct vcpu *c = need_vcpu(a, r->head.vm, r->head.vcpu);

	if (!c)
		return -1;
	if (c->state_known && r->head.flags & REC_STATE_KNOWN && r->top <= UT_MAX_LEVELS &&
	    check_walk(a, r, c))
		return -1;
	c->n_ad = 0;
	e.fault.gva = r->gva;
	e.fault.error = r->error;
	e.fault.outcome = r->outcome;
	e.fault.map_level = r->map_level;
	if (r->top && r->top <= UT_MAX_LEVELS && r->bottom && r->bottom <= r->top) {
		e.fault.top = r->top;
		e.fault.bottom = r->bottom;
		for (unsigned int level = r->bottom; level <= r->top; level++)
			e.fault.walk[level - 1] = r->walk[level - 1];
	}
	return emit(a, &e);
}

/* ---- VMs ---- */

static int take_vm(struct assembler *a, const struct rec_vm *r)
{
	struct ut_event e = event_of(a, &r->head);
	char name[128];

	if (a->opt.vm_name)
		a->opt.vm_name(r->pid, r->comm, name, sizeof(name));
	else
		snprintf(name, sizeof(name), "%.*s", (int)sizeof(r->comm), r->comm);
	e.text.value = r->pid;
	e.text.text = name;
	e.text.len = (uint16_t)strlen(name);
	return emit(a, &e);
}

#define KVM_NAME(name) "kvm." #name,
#define OWN_NAME(name) "collector." #name,

static int emit_stats(struct assembler *a, const struct rec_stats *r, const char *const *names,
		      size_t n)
{
	struct ut_event e = event_of(a, &r->head);

	for (size_t i = 0; i < n; i++) {
		if (r->values[i] != REC_STAT_ABSENT &&
		    emit_stat(a, &e, names[i], r->values[i], r->head.flags & REC_FINAL))
			return -1;
	}
	return 0;
}

static int take_vm_stats(struct assembler *a, const struct rec_stats *r)
{
	static const char *const names[] = { REC_VM_STATS_LIST(KVM_NAME)
						     REC_OWN_STATS_LIST(OWN_NAME) };
	struct vm *vm = need_vm(a, r->head.vm);
	bool final = r->head.flags & REC_FINAL;
	struct ut_event e = event_of(a, &r->head);

	if (!vm)
		return -1;
	if (vm->ended)
		return 0;
	vm->ended = final;
	vm->ran |= !final;
	if (!final && emit_stat(a, &e, "attach.pages", vm->pages, false))
		return -1;
	if (emit_stats(a, r, names, sizeof(names) / sizeof(names[0])))
		return -1;
	return emit_stat(a, &e, "collector.stray_writes", vm->stray, final);
}

/* A vCPU that never ran since the capture was attached has no beginning to compare its end with. */
static int take_vcpu_stats(struct assembler *a, const struct rec_stats *r)
{
	static const char *const names[] = { REC_VCPU_STATS_LIST(KVM_NAME) };
	struct vm *vm = need_vm(a, r->head.vm);
	struct vcpu *c = need_vcpu(a, r->head.vm, r->head.vcpu);
	bool final = r->head.flags & REC_FINAL;

	if (!vm || !c)
		return -1;
	/* One that changed threads tells them once more. */
	if (c->ended || (final ? vm->ran && !c->counting : c->counting))
		return 0;
	c->counting = true;
	c->ended = final;
	return emit_stats(a, r, names, sizeof(names) / sizeof(names[0]));
}

static int take_gone(struct assembler *a, const struct rec_value *r)
{
	struct ut_event e = event_of(a, &r->head);

	if (r->head.vcpu == UT_NO_VCPU)
		forget_vm(a, r->head.vm);
	return emit(a, &e);
}

/* ---- records ---- */

static int take_value(struct assembler *a, const struct rec_value *r)
{
	struct ut_event e = event_of(a, &r->head);

	switch (r->head.kind) {
	case UT_CR:
		return take_cr(a, r);
	case UT_PV_FLUSH:
		return take_flush(a, r);
	case UT_AD:
		return take_ad(a, r);
	case UT_VM_GONE:
		return take_gone(a, r);
	case UT_INVLPG:
		e.invlpg.gva = r->a;
		break;
	case UT_INVPCID:
		e.invpcid.gva = r->a;
		e.invpcid.type = r->b & 3;
		e.invpcid.pcid = r->b >> 8 & UT_CR3_PCID;
		break;
	case UT_HOST_RESYNC:
		e.resync.ns = r->a;
		e.resync.pages = (uint32_t)r->b;
		break;
	default:
		return 0;
	}
	return emit(a, &e);
}

static int take_record(struct assembler *a, const void *data, size_t size)
{
	const struct rec_head *h = data;

	switch (h->kind) {
	case UT_STATE:
	case REC_RUNNING_VCPU:
		return take_state(a, data);
	case UT_FAULT:
		return take_fault(a, data);
	case UT_WRITE:
		return take_write(a, data);
	case UT_PAGE_NEW:
	case UT_PAGE_FOUND:
	case UT_PAGE_ZAP:
	case UT_HOST_UNSYNC:
	case UT_HOST_SYNC:
	case REC_RUNNING_PAGE:
		return take_page(a, data, size);
	case UT_VM:
		return take_vm(a, data);
	case UT_LOST:
		return take_lost(a, data);
	case REC_VM_STATS:
		return h->vcpu == UT_NO_VCPU ? take_vm_stats(a, data) : take_vcpu_stats(a, data);
	default:
		return take_value(a, data);
	}
}

int assembler_record(struct assembler *a, const void *data, size_t size)
{
	static const uint16_t sizes[REC_KINDS] = {
		[UT_STATE] = sizeof(struct rec_state),
		[UT_CR] = sizeof(struct rec_value),
		[UT_INVLPG] = sizeof(struct rec_value),
		[UT_INVPCID] = sizeof(struct rec_value),
		[UT_PV_FLUSH] = sizeof(struct rec_value),
		[UT_FAULT] = sizeof(struct rec_fault),
		[UT_WRITE] = sizeof(struct rec_write),
		[UT_AD] = sizeof(struct rec_value),
		[UT_PAGE_NEW] = sizeof(struct rec_page),
		[UT_PAGE_FOUND] = sizeof(struct rec_page),
		[UT_PAGE_ZAP] = sizeof(struct rec_page),
		[UT_HOST_UNSYNC] = sizeof(struct rec_page),
		[UT_HOST_SYNC] = sizeof(struct rec_page),
		[UT_HOST_RESYNC] = sizeof(struct rec_value),
		[UT_VM] = sizeof(struct rec_vm),
		[UT_VM_GONE] = sizeof(struct rec_value),
		[UT_LOST] = sizeof(struct rec_lost),
		[REC_VM_STATS] = sizeof(struct rec_stats),
		[REC_RUNNING_VCPU] = sizeof(struct rec_state),
		[REC_RUNNING_PAGE] = sizeof(struct rec_page),
	};
	const struct rec_head *h = data;
	struct vcpu *c;

	if (size < sizeof(*h) || h->kind >= REC_KINDS || !sizes[h->kind] || size < sizes[h->kind])
		return 0;
	if (take_record(a, data, size))
		return -1;
	/* Only what the vCPU's own thread told says how far it has come. */
	if (h->vcpu == UT_NO_VCPU || h->kind == REC_RUNNING_VCPU || h->kind == REC_VM_STATS ||
	    h->kind == UT_VM_GONE)
		return 0;
	c = need_vcpu(a, h->vm, h->vcpu);
	if (!c)
		return -1;
	c->last = h->time;
	c->last_kind = h->kind;
	return 0;
}
