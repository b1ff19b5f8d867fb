// SPDX-License-Identifier: GPL-2.0-only
#include "collector/assemble.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096u /* chains stay short: tens of thousands of pages at most in practice */
#define AD_REMEMBERED 16u

struct shadow_page;

/* A guest frame that is shadowed, as a table or by direct pages. */
struct frame {
	struct frame *next;
	struct shadow_page *pages;
	uint64_t gfn;
	uint64_t changed; /* time of the record that last told something about its content */
	uint64_t *words;  /* the mirror; NULL: content unknown */
	uint32_t tables;  /* of its pages, those that shadow a guest table */
	uint32_t unsync;  /* of these, those out of sync */
	uint16_t vm;
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
	uint16_t vm, id;
	bool state_known;
};

struct assembler {
	struct assembler_options opt;
	struct assembler_counts counts;
	struct frame *frames[BUCKETS];
	struct shadow_page *pages[BUCKETS];
	struct vcpu *vcpus;
	struct ut_entry entries[UT_TABLE_ENTRIES];
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
	a->counts.events++;
	if (e->kind == UT_LOST)
		a->counts.lost += e->lost.count;
	if (e->kind == UT_WRITE)
		a->counts.writes[e->write.how & 3]++;
	return a->opt.emit(a->opt.arg, e);
}

int assembler_lost(struct assembler *a, uint64_t now, unsigned int cause, unsigned int kind,
		   uint64_t count)
{
	struct ut_event e = event_at(a, now, UT_LOST, UT_NO_VM, UT_NO_VCPU);

	e.lost.count = count;
	e.lost.cause = (uint8_t)cause;
	e.lost.kind = (uint8_t)(kind < UT_KIND_END ? kind : 0);
	return emit(a, &e);
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

static int emit_stat(struct assembler *a, struct ut_event *e, const char *name, uint64_t value)
{
	e->kind = UT_STAT;
	e->text.value = value;
	e->text.text = name;
	e->text.len = (uint16_t)strlen(name);
	e->text.final = true;
	return emit(a, e);
}

int assembler_stat(struct assembler *a, uint64_t now, const char *name, uint64_t value)
{
	struct ut_event e = event_at(a, now, UT_STAT, UT_NO_VM, UT_NO_VCPU);

	return emit_stat(a, &e, name, value);
}

/* ---- frames and pages ---- */

static unsigned int hash(uint64_t key)
{
	return (unsigned int)(key * 0x9e3779b97f4a7c15ull >> 40) % BUCKETS;
}

static struct frame *find_frame(const struct assembler *a, unsigned int vm, uint64_t gfn)
{
	struct frame *f = a->frames[hash(gfn)];

	while (f && (f->gfn != gfn || f->vm != vm))
		f = f->next;
	return f;
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
	if (!f)
		return NULL;
	f->vm = (uint16_t)vm;
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

static void forget_vm(struct assembler *a, unsigned int vm)
{
	struct shadow_page *p, *next;

	for (unsigned int i = 0; i < BUCKETS; i++) {
		for (p = a->pages[i]; p; p = next) {
			next = p->next;
			if (p->frame->vm == vm)
				remove_page(a, p);
		}
	}
}

void assembler_free(struct assembler *a)
{
	struct vcpu *c, *next;

	if (!a)
		return;
	for (unsigned int i = 0; i < BUCKETS; i++) {
		while (a->pages[i])
			remove_page(a, a->pages[i]);
	}
	for (c = a->vcpus; c; c = next) {
		next = c->next;
		free(c);
	}
	free(a);
}

/* ---- vCPUs ---- */

static struct vcpu *need_vcpu(struct assembler *a, unsigned int vm, unsigned int id)
{
	struct vcpu *c = a->vcpus;

	while (c && (c->vm != vm || c->id != id))
		c = c->next;
	if (c)
		return c;
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

static int emit_write(struct assembler *a, const struct ut_event *from, struct frame *f,
		      unsigned int how, unsigned int offset, unsigned int size, uint64_t value)
{
	struct ut_event e = *from;

	e.kind = UT_WRITE;
	memset(&e.write, 0, sizeof(e.write));
	e.write.gfn = f->gfn;
	e.write.val = value;
	e.write.offset = (uint16_t)offset;
	e.write.size = (uint8_t)size;
	e.write.how = (uint8_t)how;
	/* While the table is out of sync, an emulated write may follow ones that nobody saw. */
	if (f->words && (how != UT_HOW_TRAPPED || !f->unsync)) {
		e.write.old = mirror_read(f, offset, size);
		e.write.old_known = true;
	}
	if (f->words)
		mirror_write(f, offset, size, value);
	if (how != UT_HOW_TRAPPED && !f->unsync)
		a->counts.silent++;
	return emit(a, &e);
}

/*
 * One event for each run of up to 8 bytes. A write of up to 8 bytes stays whole even if it touches
 * two entries, since that is what a host sees; a longer one is cut where entries end.
 */
static int take_write(struct assembler *a, const struct rec_write *r)
{
	struct ut_event e = event_of(a, &r->head);
	uint32_t bytes = r->bytes > REC_WRITE_MAX ? REC_WRITE_MAX : r->bytes;
	uint32_t done = 0;
	bool known = false;

	if (r->bytes > REC_WRITE_MAX &&
	    assembler_lost(a, r->head.time, UT_LOST_UNREADABLE, UT_WRITE, 1))
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
	if (!known)
		a->counts.stray++;
	return 0;
}

static int compare_word(struct assembler *a, const struct ut_event *at, struct frame *f,
			unsigned int i, uint64_t word, unsigned int entry)
{
	for (unsigned int offset = 0; offset < 8; offset += entry) {
		uint64_t value = low_bytes(word >> 8 * offset, entry);

		if (value != mirror_read(f, i * 8 + offset, entry) &&
		    emit_write(a, at, f, UT_HOW_WINDOW, i * 8 + offset, entry, value))
			return -1;
	}
	return 0;
}

/* Tells what changed in a table since something was last heard of it. */
static int compare_table(struct assembler *a, const struct rec_table *r, struct frame *f,
			 uint32_t role)
{
	struct ut_event at = event_of(a, &r->page.head);
	unsigned int entry = role & UT_ROLE_4BYTE ? 4 : 8;

	for (unsigned int i = 0; i < UT_TABLE_ENTRIES; i++) {
		if (f->words[i] != r->words[i] && compare_word(a, &at, f, i, r->words[i], entry))
			return -1;
	}
	f->changed = r->page.head.time;
	return 0;
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

static int emit_new(struct assembler *a, const struct rec_head *h, const struct shadow_page *p)
{
	struct ut_event e = event_of(a, h);
	const uint64_t *words = p->frame->words;
	uint16_t n = 0;

	e.kind = UT_PAGE_NEW;
	e.page.gfn = p->frame->gfn;
	e.page.role = p->role;
	e.page.known = words && has_table(p->role);
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
	if (h->flags & REC_PAGE_READ && f->words && compare_table(a, r, f, role))
		return -1;
	p = add_page(a, f, h->sp, role);
	if (!p)
		return -1;
	if (retire_twins(a, &h->head, p))
		return -1;
	if (h->flags & REC_PAGE_READ && !f->words) {
		f->words = malloc(sizeof(r->words));
		if (!f->words)
			return -1;
		memcpy(f->words, r->words, sizeof(r->words));
		f->changed = h->head.time;
	}
	return emit_new(a, &h->head, p);
}

/* A page that was there before the capture, or whose beginning was lost, counts as new. */
static struct shadow_page *known_page(struct assembler *a, const struct rec_table *r, uint32_t role,
				      int *err)
{
	const struct rec_page *h = &r->page;
	struct shadow_page *p = find_page(a, h->sp);

	*err = 0;
	if (p && p->frame->vm == h->head.vm && p->frame->gfn == h->gfn)
		return p;
	if (!(h->flags & REC_PAGE_READ) && h->head.kind != UT_PAGE_FOUND) {
		a->counts.unknown++;
		return NULL;
	}
	*err = take_new(a, r, role);
	p = find_page(a, h->sp);
	if (!*err && p && h->flags & REC_PAGE_UNSYNC) {
		set_unsync(p, true);
		*err = emit_page(a, &h->head, UT_HOST_UNSYNC, p, false);
	}
	return *err ? NULL : p;
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
	if (h->flags & REC_PAGE_UNREADABLE &&
	    assembler_lost(a, h->head.time, UT_LOST_UNREADABLE,
			   h->head.kind == UT_PAGE_NEW ? UT_PAGE_NEW : UT_WRITE, 1))
		return -1;
	if (h->head.kind == UT_PAGE_NEW)
		return take_new(a, r, role);
	p = known_page(a, r, role, &err);
	if (!p)
		return err;
	if (h->flags & REC_PAGE_READ && p->frame->words && compare_table(a, r, p->frame, p->role))
		return -1;
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

		if (f && f->words && f->changed < r->begin) {
			uint64_t now = entry | set_since(c, gfn, offset);

			if (now != mirror_read(f, offset, size) &&
			    emit_write(a, &at, f, UT_HOW_WALK, offset, size, now))
				return -1;
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
	if (c->state_known && r->top <= UT_MAX_LEVELS && check_walk(a, r, c))
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

	host_vm_name(r->pid, r->comm, name, sizeof(name));
	e.text.value = r->pid;
	e.text.text = name;
	e.text.len = (uint16_t)strlen(name);
	return emit(a, &e);
}

#define STAT_NAME(name) "kvm." #name,

static int take_stats(struct assembler *a, const struct rec_stats *r)
{
	static const char *const of_vm[] = { REC_VM_STATS_LIST(STAT_NAME) "collector.rezaps" };
	static const char *const of_vcpu[] = { REC_VCPU_STATS_LIST(STAT_NAME) };
	bool vm = r->head.vcpu == UT_NO_VCPU;
	size_t n = vm ? sizeof(of_vm) / sizeof(of_vm[0]) : sizeof(of_vcpu) / sizeof(of_vcpu[0]);
	struct ut_event e = event_of(a, &r->head);

	for (size_t i = 0; i < n; i++) {
		if (r->values[i] != REC_STAT_ABSENT &&
		    emit_stat(a, &e, vm ? of_vm[i] : of_vcpu[i], r->values[i]))
			return -1;
	}
	return vm ? emit_stat(a, &e, "collector.stray_writes", a->counts.stray) : 0;
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
		[REC_VM_STATS] = sizeof(struct rec_stats),
	};
	const struct rec_head *h = data;

	if (size < sizeof(*h) || h->kind >= REC_KINDS || !sizes[h->kind] || size < sizes[h->kind])
		return 0;
	if (h->lost && assembler_lost(a, h->time, UT_LOST_RING_FULL, h->lost_kind, h->lost))
		return -1;
	switch (h->kind) {
	case UT_STATE:
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
		return take_page(a, data, size);
	case UT_VM:
		return take_vm(a, data);
	case REC_VM_STATS:
		return take_stats(a, data);
	default:
		return take_value(a, data);
	}
}
