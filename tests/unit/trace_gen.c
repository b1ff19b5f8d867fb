// SPDX-License-Identifier: GPL-2.0-only
#include "tests/unit/trace_gen.h"

#include <stdlib.h>
#include <string.h>

/* splitmix64, a public-domain generator by Sebastiano Vigna. */
uint64_t gen_number(struct gen *g)
{
	uint64_t v = g->state += 0x9e3779b97f4a7c15ull;

	v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9ull;
	v = (v ^ v >> 27) * 0x94d049bb133111ebull;
	return v ^ v >> 31;
}

static uint64_t below(struct gen *g, uint64_t n)
{
	return gen_number(g) % n;
}

/* Numbers of every length, and often the same few. */
static uint64_t any(struct gen *g)
{
	switch (below(g, 4)) {
	case 0:
		return gen_number(g) >> below(g, 64);
	case 1:
		return below(g, 4) << 12;
	case 2:
		return (below(g, 64) << 12) | 0x67;
	}
	return below(g, 2) ? ~0ull : 0;
}

static uint64_t any_gfn(struct gen *g)
{
	return any(g) >> 12;
}

static void any_fault(struct gen *g, struct ut_fault *f)
{
	f->gva = any(g);
	f->error = (uint32_t)any(g);
	f->top = (uint8_t)below(g, UT_MAX_LEVELS + 1);
	f->bottom = f->top ? (uint8_t)(1 + below(g, f->top)) : 0;
	f->outcome = (uint8_t)below(g, UT_OUT_FAST + 1);
	f->map_level = (uint8_t)below(g, UT_MAX_LEVELS + 1);
	for (unsigned int level = f->bottom; level && level <= f->top; level++)
		f->walk[level - 1] = any(g);
	if (f->top == 2 && below(g, 2)) {
		f->walk[0] &= f->bottom == 1 ? 0xffffffff : 0;
		f->walk[1] &= 0xffffffff;
	}
}

static void any_write(struct gen *g, struct ut_write *w)
{
	uint64_t mask;

	w->gfn = any_gfn(g);
	w->size = (uint8_t)(below(g, 2) ? 8 : 1 + below(g, 8));
	w->offset = (uint16_t)below(g, 4097u - w->size);
	w->how = (uint8_t)(1 + below(g, 3));
	w->old_known = below(g, 2);
	mask = ~0ull >> (64 - 8 * w->size);
	w->old = w->old_known ? any(g) & mask : 0;
	w->val = any(g) & mask;
}

static void any_page(struct gen *g, unsigned int kind, struct ut_page *p)
{
	unsigned int sparse = 1 + (unsigned int)below(g, 40);

	p->gfn = any_gfn(g);
	p->role = (uint32_t)any(g);
	p->unsync = below(g, 2);
	if (kind != UT_PAGE_NEW || (p->role & UT_ROLE_DIRECT) || !below(g, 3))
		return;
	p->known = true;
	p->entries = g->entries;
	for (unsigned int i = 0; i < UT_TABLE_ENTRIES; i++) {
		if (below(g, sparse))
			continue;
		g->entries[p->n].index = (uint16_t)i;
		g->entries[p->n++].value = any(g) | 1ull << below(g, 64);
	}
}

static void any_text(struct gen *g, struct ut_text *t)
{
	t->value = any(g);
	t->final = below(g, 2);
	t->len = (uint16_t)below(g, sizeof(g->text));
	for (unsigned int i = 0; i < t->len; i++)
		g->text[i] = (char)gen_number(g);
	t->text = g->text;
}

void gen_any(struct gen *g, struct ut_event *e)
{
	memset(e, 0, sizeof(*e));
	g->time += below(g, 50) ? below(g, 5000) : any(g);
	e->time = g->time;
	e->vm = below(g, 9) ? (uint16_t)below(g, 2) : (uint16_t)any(g);
	e->vcpu = below(g, 9) ? (uint16_t)below(g, 3) : (uint16_t)any(g);
	e->kind = (uint8_t)(below(g, 100) ? 1 + below(g, UT_KIND_END - 1)
					  : UT_KIND_EXT + below(g, 256 - UT_KIND_EXT));
	switch (e->kind) {
	case UT_STATE:
		e->state = (struct ut_state){ any(g), any(g), any(g), any(g) };
		break;
	case UT_CR:
		e->cr.cr = (uint8_t) "\0\3\4"[below(g, 3)];
		e->cr.value = any(g);
		break;
	case UT_INVLPG:
		e->invlpg.gva = any(g);
		break;
	case UT_INVPCID:
		e->invpcid.gva = any(g);
		e->invpcid.pcid = (uint16_t)any(g);
		e->invpcid.type = (uint8_t)below(g, 4);
		break;
	case UT_FAULT:
		any_fault(g, &e->fault);
		break;
	case UT_WRITE:
		any_write(g, &e->write);
		break;
	case UT_AD:
		e->ad.gfn = any_gfn(g);
		e->ad.entry_size = below(g, 2) ? 8 : 4;
		e->ad.index = (uint16_t)below(g, 4096 / e->ad.entry_size);
		e->ad.dirty = below(g, 2);
		break;
	case UT_PAGE_NEW:
	case UT_PAGE_FOUND:
	case UT_PAGE_ZAP:
	case UT_HOST_UNSYNC:
	case UT_HOST_SYNC:
		any_page(g, e->kind, &e->page);
		break;
	case UT_HOST_RESYNC:
		e->resync.ns = any(g);
		e->resync.pages = (uint32_t)any(g);
		break;
	case UT_EXITS:
		e->exits.count = any(g);
		e->exits.ns = any(g);
		e->exits.reason = (uint32_t)any(g);
		e->exits.isa = (uint8_t)below(g, 3);
		break;
	case UT_VM:
	case UT_MARK:
	case UT_STAT:
		any_text(g, &e->text);
		break;
	case UT_LOST:
		e->lost.count = any(g);
		e->lost.cause = (uint8_t)(1 + below(g, UT_LOST_CAUSE_END - 1));
		e->lost.kind = (uint8_t)any(g);
		break;
	default:
		break;
	}
}

static int same_fault(const struct ut_fault *a, const struct ut_fault *b)
{
	if (a->gva != b->gva || a->error != b->error || a->top != b->top ||
	    a->bottom != b->bottom || a->outcome != b->outcome || a->map_level != b->map_level)
		return 0;
	for (unsigned int level = a->bottom; level && level <= a->top; level++) {
		if (a->walk[level - 1] != b->walk[level - 1])
			return 0;
	}
	return 1;
}

static int same_write(const struct ut_write *a, const struct ut_write *b)
{
	return a->gfn == b->gfn && a->old == b->old && a->val == b->val && a->offset == b->offset &&
	       a->size == b->size && a->how == b->how && a->old_known == b->old_known;
}

static int same_page(const struct ut_page *a, const struct ut_page *b)
{
	if (a->gfn != b->gfn || a->role != b->role || a->unsync != b->unsync ||
	    a->known != b->known || a->n != b->n)
		return 0;
	for (unsigned int i = 0; i < a->n; i++) {
		if (a->entries[i].index != b->entries[i].index ||
		    a->entries[i].value != b->entries[i].value)
			return 0;
	}
	return 1;
}

static int same_text(const struct ut_text *a, const struct ut_text *b)
{
	return a->value == b->value && a->final == b->final && a->len == b->len &&
	       (!a->len || !memcmp(a->text, b->text, a->len));
}

int gen_same(const struct ut_event *a, const struct ut_event *b)
{
	if (a->time != b->time || a->vm != b->vm || a->vcpu != b->vcpu || a->kind != b->kind)
		return 0;
	switch (a->kind) {
	case UT_STATE:
		return a->state.cr0 == b->state.cr0 && a->state.cr3 == b->state.cr3 &&
		       a->state.cr4 == b->state.cr4 && a->state.efer == b->state.efer;
	case UT_CR:
		return a->cr.cr == b->cr.cr && a->cr.value == b->cr.value;
	case UT_INVLPG:
		return a->invlpg.gva == b->invlpg.gva;
	case UT_INVPCID:
		return a->invpcid.gva == b->invpcid.gva && a->invpcid.pcid == b->invpcid.pcid &&
		       a->invpcid.type == b->invpcid.type;
	case UT_FAULT:
		return same_fault(&a->fault, &b->fault);
	case UT_WRITE:
		return same_write(&a->write, &b->write);
	case UT_AD:
		return a->ad.gfn == b->ad.gfn && a->ad.index == b->ad.index &&
		       a->ad.entry_size == b->ad.entry_size && a->ad.dirty == b->ad.dirty;
	case UT_PAGE_NEW:
	case UT_PAGE_FOUND:
	case UT_PAGE_ZAP:
	case UT_HOST_UNSYNC:
	case UT_HOST_SYNC:
		return same_page(&a->page, &b->page);
	case UT_HOST_RESYNC:
		return a->resync.ns == b->resync.ns && a->resync.pages == b->resync.pages;
	case UT_EXITS:
		return a->exits.count == b->exits.count && a->exits.ns == b->exits.ns &&
		       a->exits.reason == b->exits.reason && a->exits.isa == b->exits.isa;
	case UT_VM:
	case UT_MARK:
	case UT_STAT:
		return same_text(&a->text, &b->text);
	case UT_LOST:
		return a->lost.count == b->lost.count && a->lost.cause == b->lost.cause &&
		       a->lost.kind == b->lost.kind;
	}
	return 1;
}

/* ---- the guest ---- */

enum {
	FRAMES = 32768,	   /* 128 MiB */
	CACHE_PAGES = 320, /* of the files that every process maps */
	ANON_PAGES = 60,
};

#define PHYSMAP 0xffff888000000000ull
#define TEXT_BASE 0x555555554000ull
#define LIB_BASE 0x7ffff7c00000ull
#define STACK_BASE 0x7ffffffde000ull
#define KERNEL_PTE 0x8000000000000063ull
#define TABLE_PTE 0x67ull

struct process {
	uint64_t pgd;
	uint64_t tables[16];
	unsigned int n_tables;
};

struct guest {
	struct gen g;
	gen_sink sink;
	void *arg;
	int stop;
	uint64_t *memory[FRAMES]; /* of frames used as tables */
	uint8_t shadowed[FRAMES];
	uint16_t users[FRAMES]; /* processes that map an anonymous page */
	uint32_t free[FRAMES];
	unsigned int n_free;
	uint64_t kernel_pud;
	uint64_t cache[CACHE_PAGES];
	struct process *now;
};

static void emit(struct guest *v, struct ut_event *e)
{
	e->time = v->g.time;
	if (!v->stop)
		v->stop = v->sink(v->arg, e);
}

/* Times with a long tail, as a real host's. */
static void pass(struct guest *v, uint64_t ns)
{
	v->g.time += ns + below(&v->g, ns / 4 + 1) + (below(&v->g, 16) ? 0 : below(&v->g, ns * 4));
}

static uint64_t take_frame(struct guest *v)
{
	return v->free[--v->n_free];
}

static void give_frame(struct guest *v, uint64_t frame)
{
	v->free[v->n_free++] = (uint32_t)frame;
}

#define ANON_PTE (UT_PTE_NX | 0x67)

static uint64_t take_anon(struct guest *v)
{
	uint64_t frame = take_frame(v);

	v->users[frame] = 1;
	return frame << 12 | ANON_PTE;
}

/* Another process maps what the entry points to, or one less does. */
static void share(struct guest *v, uint64_t entry, int users)
{
	uint64_t frame = (entry & UT_PTE_FRAME) >> 12;

	if (!(entry & UT_PTE_NX))
		return;
	v->users[frame] = (uint16_t)(v->users[frame] + users);
	if (!v->users[frame])
		give_frame(v, frame);
}

static uint64_t take_table(struct guest *v)
{
	uint64_t frame = take_frame(v);

	if (!v->memory[frame])
		v->memory[frame] = malloc(4096);
	if (!v->memory[frame])
		abort();
	memset(v->memory[frame], 0, 4096);
	return frame;
}

static unsigned int slot_of(uint64_t gva, unsigned int level)
{
	return gva >> (3 + 9 * level) & 511;
}

static void page_event(struct guest *v, unsigned int kind, uint64_t frame, unsigned int level)
{
	struct ut_event e = { .kind = (uint8_t)kind };

	e.page.gfn = frame;
	e.page.role = level | UT_ROLE_ACCESS | UT_ROLE_EFER_NX | UT_ROLE_CR0_WP;
	if (kind == UT_PAGE_NEW) {
		e.page.known = true;
		e.page.entries = v->g.entries;
		for (unsigned int i = 0; i < UT_TABLE_ENTRIES; i++) {
			if (!v->memory[frame][i])
				continue;
			v->g.entries[e.page.n].index = (uint16_t)i;
			v->g.entries[e.page.n++].value = v->memory[frame][i];
		}
	}
	emit(v, &e);
}

/* A fault with its walk; shadows the tables on the way that are not yet. */
static void fault(struct guest *v, uint64_t gva, uint32_t error, unsigned int outcome)
{
	struct ut_event e = { .kind = UT_FAULT }, ad = { .kind = UT_AD };
	struct ut_fault *f = &e.fault;
	uint64_t table = v->now->pgd, *entry;

	f->gva = gva;
	f->error = error;
	f->top = 4;
	f->outcome = (uint8_t)outcome;
	f->map_level = outcome == UT_OUT_FILLED;
	for (unsigned int level = 4; level; level--) {
		entry = &v->memory[table][slot_of(gva, level)];
		if (!v->shadowed[table]) {
			v->shadowed[table] = (uint8_t)level;
			page_event(v, UT_PAGE_NEW, table, level);
		}
		f->walk[level - 1] = *entry;
		f->bottom = (uint8_t)level;
		if (!(*entry & UT_PTE_P) || (*entry & UT_PTE_PS))
			break;
		if (!(*entry & UT_PTE_A)) {
			ad.ad = (struct ut_ad){ table, (uint16_t)slot_of(gva, level), 8, false };
			emit(v, &ad);
			*entry |= UT_PTE_A;
		}
		table = (*entry & UT_PTE_FRAME) >> 12;
	}
	pass(v, 900);
	emit(v, &e);
}

/* The kernel stores an entry through its direct map: an exit if the table is shadowed. */
static void set_entry(struct guest *v, uint64_t frame, unsigned int index, uint64_t value)
{
	struct ut_event e = { .kind = UT_WRITE };
	uint64_t *entry = &v->memory[frame][index];

	if (v->shadowed[frame]) {
		pass(v, 2500);
		fault(v, PHYSMAP + (frame << 12) + index * 8, UT_PF_WRITE | UT_PF_PRESENT,
		      UT_OUT_EMULATED);
		pass(v, 600);
		e.write = (struct ut_write){ frame, *entry,	    value, (uint16_t)(index * 8),
					     8,	    UT_HOW_TRAPPED, true };
		emit(v, &e);
	}
	*entry = value;
}

/* The last-level table for an address, made if need be. */
static uint64_t table_for(struct guest *v, struct process *p, uint64_t gva)
{
	uint64_t table = p->pgd, fresh;

	for (unsigned int level = 4; level > 1; level--) {
		uint64_t entry = v->memory[table][slot_of(gva, level)];

		if (!(entry & UT_PTE_P)) {
			fresh = take_table(v);
			p->tables[p->n_tables++] = fresh;
			set_entry(v, table, slot_of(gva, level), fresh << 12 | TABLE_PTE);
			entry = fresh << 12;
		}
		table = (entry & UT_PTE_FRAME) >> 12;
	}
	return table;
}

static struct process *new_process(struct guest *v)
{
	struct process *p = calloc(1, sizeof(*p));

	if (!p)
		abort();
	p->pgd = take_table(v);
	v->memory[p->pgd][slot_of(PHYSMAP, 4)] = v->kernel_pud << 12 | TABLE_PTE;
	return p;
}

static void switch_to(struct guest *v, struct process *p)
{
	struct ut_event e = { .kind = UT_CR };

	if (v->now == p)
		return;
	v->now = p;
	pass(v, 8000);
	e.cr.cr = 3;
	e.cr.value = p->pgd << 12;
	emit(v, &e);
	if (v->shadowed[p->pgd])
		page_event(v, UT_PAGE_FOUND, p->pgd, 4);
}

/* The process touches a page: the guest's handler fills in sixteen of a file, or one of its own. */
static void touch(struct guest *v, uint64_t gva, bool file, bool write)
{
	struct process *p = v->now;
	uint64_t table, page, first, user = gva + below(&v->g, 4096);

	pass(v, 5000);
	table = table_for(v, p, gva);
	if (!(v->memory[table][slot_of(gva, 1)] & UT_PTE_P)) {
		fault(v, user, UT_PF_USER | (write ? UT_PF_WRITE : 0), UT_OUT_REFLECTED);
		first = file ? gva & ~0xffffull : gva;
		for (unsigned int i = 0; i < (file ? 16 : 1); i++) {
			page = first + i * 4096ull;
			if (v->memory[table][slot_of(page, 1)])
				continue;
			set_entry(v, table, slot_of(page, 1),
				  file ? v->cache[(page >> 12) % CACHE_PAGES] << 12 | 0x25
				       : take_anon(v));
		}
	} else if (write && !(v->memory[table][slot_of(gva, 1)] & UT_PTE_W)) {
		fault(v, user, UT_PF_USER | UT_PF_WRITE | UT_PF_PRESENT, UT_OUT_REFLECTED);
		share(v, v->memory[table][slot_of(gva, 1)], -1);
		set_entry(v, table, slot_of(gva, 1), take_anon(v));
	}
	fault(v, user, UT_PF_USER | (write ? UT_PF_WRITE : 0), UT_OUT_FILLED);
}

static void run(struct guest *v, struct process *p)
{
	switch_to(v, p);
	for (unsigned int i = 0; i < 25; i++)
		touch(v, LIB_BASE + (i * 7 % 200) * 4096, true, false);
	for (unsigned int i = 0; i < ANON_PAGES; i += 1 + (unsigned int)below(&v->g, 3))
		touch(v, (i & 1 ? TEXT_BASE : STACK_BASE) + i * 4096ull, false, true);
}

/* Copy what the parent has, and take away its right to write. */
static struct process *copy_process(struct guest *v, struct process *parent)
{
	struct process *p = new_process(v);
	uint64_t bases[3] = { TEXT_BASE, LIB_BASE, STACK_BASE }, from, to, entry;

	for (unsigned int b = 0; b < 3; b++) {
		from = table_for(v, parent, bases[b]);
		to = table_for(v, p, bases[b]);
		for (unsigned int i = 0; i < UT_TABLE_ENTRIES; i++) {
			entry = v->memory[from][i];
			if (!entry)
				continue;
			if (entry & UT_PTE_W)
				set_entry(v, from, i, entry & ~UT_PTE_W);
			share(v, entry, 1);
			set_entry(v, to, i, entry & ~(UT_PTE_W | UT_PTE_A));
		}
	}
	return p;
}

static void end_process(struct guest *v, struct process *p)
{
	uint64_t frame, entry;

	for (unsigned int t = 0; t < p->n_tables; t++) {
		frame = p->tables[t];
		for (unsigned int i = 0; i < UT_TABLE_ENTRIES; i++) {
			entry = v->memory[frame][i];
			if (!entry)
				continue;
			set_entry(v, frame, i, 0);
			share(v, entry, -1);
		}
	}
	for (unsigned int t = 0; t < p->n_tables; t++) {
		if (v->shadowed[p->tables[t]])
			page_event(v, UT_PAGE_ZAP, p->tables[t], v->shadowed[p->tables[t]]);
		v->shadowed[p->tables[t]] = 0;
		give_frame(v, p->tables[t]);
	}
	if (v->shadowed[p->pgd])
		page_event(v, UT_PAGE_ZAP, p->pgd, 4);
	v->shadowed[p->pgd] = 0;
	give_frame(v, p->pgd);
	free(p);
}

static void start(struct guest *v)
{
	struct ut_event e = { .kind = UT_STATE };
	uint64_t pmd;

	/* Runs of 32 frames in order, the runs themselves in none. */
	for (unsigned int i = 0; i < FRAMES - 1024; i++)
		v->free[v->n_free++] =
			1024 + (((i / 32) * 397) % ((FRAMES - 1024) / 32)) * 32 + i % 32;
	v->kernel_pud = take_table(v);
	pmd = take_table(v);
	v->memory[v->kernel_pud][0] = pmd << 12 | TABLE_PTE;
	for (uint64_t i = 0; i < FRAMES / 512; i++)
		v->memory[pmd][i] = i << 21 | KERNEL_PTE | UT_PTE_PS | UT_PTE_A | UT_PTE_D;
	for (unsigned int i = 0; i < CACHE_PAGES; i++)
		v->cache[i] = take_frame(v);
	e.state = (struct ut_state){ 0x80050033, 0, 0x3406f0, 0xd01 };
	emit(v, &e);
}

int gen_guest(uint64_t seed, unsigned int forks, gen_sink sink, void *arg)
{
	struct guest *v = calloc(1, sizeof(*v));
	struct process *shell, *child;
	int stop;

	if (!v)
		abort();
	v->g.state = seed;
	v->sink = sink;
	v->arg = arg;
	start(v);
	shell = new_process(v);
	run(v, shell);
	for (unsigned int i = 0; i < forks && !v->stop; i++) {
		child = copy_process(v, shell);
		switch_to(v, child);
		run(v, child);
		switch_to(v, shell);
		end_process(v, child);
		run(v, shell);
	}
	end_process(v, shell);
	stop = v->stop;
	for (unsigned int i = 0; i < FRAMES; i++)
		free(v->memory[i]);
	free(v);
	return stop;
}
