// SPDX-License-Identifier: GPL-2.0-only
#include "import/placing.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS 65536u
#define RECENT 8u /* emulated writes remembered of a table */
#define SHIFT 12
#define AMEND_BACK 4096u /* events since a write to CR3 that may turn out to have been another */
#define LOOK_BACK 32u	 /* events of others that may come between two of a vCPU */

/* A write that found its place later than the events around it came. */
struct late {
	struct late *next;
	struct ut_event e;
};

struct held {
	struct ut_event e;
	char *text;	  /* copied; NULL: it has none */
	bool writes_link; /* a fault whose emulation wrote an upper table */
	struct late *before, *behind;
	struct late **before_end, **behind_end;
};

struct table {
	struct table *next;
	uint64_t gfn;
	uint64_t synced; /* number of the event that synced it last; 0: none did */
	uint64_t emulated[RECENT];
	uint16_t word[RECENT];
	unsigned int n_emulated;
	uint32_t pages, unsync; /* shadow pages of it, and of these, out of sync */
	bool leaf;		/* of the last level, for one of them at least */
	uint16_t vm;
};

struct placing {
	int (*emit)(void *arg, const struct ut_event *e);
	void *arg;
	struct table *tables[BUCKETS];
	unsigned int n_tables;
	uint64_t first, next; /* numbers of the events held back: from, to but not with */
	struct held held[PLACING_EVENTS];
};

struct placing *placing_new(int (*emit)(void *arg, const struct ut_event *e), void *arg)
{
	struct placing *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->emit = emit;
	p->arg = arg;
	p->first = p->next = 1;
	return p;
}

static struct held *held_at(struct placing *p, uint64_t number)
{
	return &p->held[number % PLACING_EVENTS];
}

/* ---- tables ---- */

static unsigned int bucket(unsigned int vm, uint64_t gfn)
{
	return (unsigned int)((gfn + vm * 0x10001ull) * 0x9e3779b97f4a7c15ull >> 40) % BUCKETS;
}

static struct table *find_table(const struct placing *p, unsigned int vm, uint64_t gfn)
{
	struct table *t = p->tables[bucket(vm, gfn)];

	while (t && (t->gfn != gfn || t->vm != vm))
		t = t->next;
	return t;
}

/* One more page of it; returns -1 if out of memory. */
static int add_page(struct placing *p, const struct ut_event *e)
{
	struct table *t = find_table(p, e->vm, e->page.gfn);
	unsigned int b = bucket(e->vm, e->page.gfn);

	if (!t && p->n_tables == PLACING_TABLES)
		return 0;
	if (!t) {
		t = calloc(1, sizeof(*t));
		if (!t)
			return -1;
		t->gfn = e->page.gfn;
		t->vm = e->vm;
		t->next = p->tables[b];
		p->tables[b] = t;
		p->n_tables++;
	}
	t->pages++;
	t->leaf |= ut_role_level(e->page.role) == 1;
	return 0;
}

static void drop_table(struct placing *p, struct table *t)
{
	struct table **at = &p->tables[bucket(t->vm, t->gfn)];

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	free(t);
	p->n_tables--;
}

static void drop_page(struct placing *p, const struct ut_event *e)
{
	struct table *t = find_table(p, e->vm, e->page.gfn);

	if (!t)
		return;
	if (e->page.unsync && t->unsync)
		t->unsync--;
	if (!--t->pages)
		drop_table(p, t);
}

static void note_sync(struct placing *p, const struct ut_event *e, uint64_t number)
{
	struct table *t = find_table(p, e->vm, e->page.gfn);

	if (!t)
		return;
	if (e->kind == UT_HOST_UNSYNC) {
		t->unsync++;
	} else {
		t->unsync -= t->unsync > 0;
		t->synced = number;
	}
}

static void note_emulated(struct placing *p, const struct ut_event *e, uint64_t number)
{
	uint64_t gpa;
	struct table *t;

	if (!placing_emulates(&e->fault))
		return;
	gpa = placing_gpa(&e->fault);
	t = find_table(p, e->vm, gpa >> SHIFT);
	if (!t)
		return;
	held_at(p, number)->writes_link = !t->leaf;
	t->emulated[t->n_emulated % RECENT] = number;
	t->word[t->n_emulated % RECENT] = (gpa & 4095) / 8;
	t->n_emulated++;
}

/*
 * A host may give a page up instead of emulating the write to it, and let the guest try again
 * (kvm_mmu_unprotect_gfn_and_retry() and its predecessors): then the zap is what the vCPU does next.
 */
static void note_retry(struct placing *p, const struct ut_event *zap, uint64_t number)
{
	for (unsigned int i = 1; i <= LOOK_BACK && number - i >= p->first; i++) {
		struct held *h = held_at(p, number - i);

		if (h->e.vm != zap->vm || h->e.vcpu != zap->vcpu)
			continue;
		if (h->writes_link && placing_gpa(&h->e.fault) >> SHIFT == zap->page.gfn)
			h->writes_link = false;
		return;
	}
}

/* What an event tells of tables. Returns -1 if out of memory. */
static int note(struct placing *p, const struct ut_event *e, uint64_t number)
{
	switch (e->kind) {
	case UT_PAGE_NEW:
		return e->page.role & UT_ROLE_DIRECT ? 0 : add_page(p, e);
	case UT_PAGE_ZAP:
		note_retry(p, e, number);
		if (!(e->page.role & UT_ROLE_DIRECT))
			drop_page(p, e);
		return 0;
	case UT_HOST_SYNC:
	case UT_HOST_UNSYNC:
		note_sync(p, e, number);
		return 0;
	case UT_FAULT:
		note_emulated(p, e, number);
		return 0;
	default:
		return 0;
	}
}

/* ---- what is held back ---- */

static int emit_late(struct placing *p, struct late **list)
{
	struct late *l = *list;
	int result = 0;

	while (l) {
		struct late *next = l->next;

		if (!result)
			result = p->emit(p->arg, &l->e);
		free(l);
		l = next;
	}
	*list = NULL;
	return result;
}

static int emit_cleared(struct placing *p, const struct ut_event *fault)
{
	uint64_t gpa = placing_gpa(&fault->fault);
	struct ut_event e = {
		.time = fault->time, .vm = fault->vm, .vcpu = fault->vcpu, .kind = UT_WRITE
	};

	e.write.gfn = gpa >> SHIFT;
	e.write.size = fault->fault.top == 2 ? 4 : 8;
	e.write.offset = (uint16_t)(gpa & 4095 & ~(e.write.size - 1u));
	e.write.how = UT_HOW_WALK;
	return p->emit(p->arg, &e);
}

static int emit_first(struct placing *p)
{
	struct held *h = held_at(p, p->first);
	int result = emit_late(p, &h->before);

	if (!result)
		result = p->emit(p->arg, &h->e);
	if (!result && h->writes_link && !h->behind)
		result = emit_cleared(p, &h->e);
	if (!result)
		result = emit_late(p, &h->behind);
	if (result)
		return -1;
	free(h->text);
	h->text = NULL;
	p->first++;
	return 0;
}

int placing_flush(struct placing *p)
{
	while (p->first != p->next) {
		if (emit_first(p))
			return -1;
	}
	return 0;
}

static int hold(struct placing *p, const struct ut_event *e)
{
	struct held *h;

	if (p->next - p->first == PLACING_EVENTS && emit_first(p))
		return -1;
	h = held_at(p, p->next);
	*h = (struct held){ .e = *e };
	h->before_end = &h->before;
	h->behind_end = &h->behind;
	if (e->kind == UT_VM || e->kind == UT_MARK || e->kind == UT_STAT) {
		h->text = malloc(e->text.len + 1u);
		if (!h->text)
			return -1;
		memcpy(h->text, e->text.text, e->text.len);
		h->e.text.text = h->text;
	}
	return note(p, e, p->next++);
}

/* The number of the event that a write belongs to; 0: its place is here. */
static uint64_t place_of(const struct placing *p, const struct ut_event *e, bool *behind)
{
	const struct table *t = find_table(p, e->vm, e->write.gfn);
	uint64_t place;

	*behind = false;
	if (!t || t->unsync)
		return 0;
	place = t->synced;
	for (unsigned int i = 0; i < RECENT; i++) {
		if (t->word[i] != e->write.offset / 8 || t->emulated[i] <= place)
			continue;
		place = t->emulated[i];
		*behind = true;
	}
	return place >= p->first ? place : 0;
}

static int put_late(struct placing *p, const struct ut_event *e, uint64_t place, bool behind)
{
	struct held *h = held_at(p, place);
	struct late *l = malloc(sizeof(*l));
	struct late ***end = behind ? &h->behind_end : &h->before_end;

	if (!l)
		return -1;
	*l = (struct late){ .e = *e };
	l->e.time = h->e.time;
	l->e.vcpu = h->e.vcpu == UT_NO_VCPU ? e->vcpu : h->e.vcpu;
	**end = l;
	*end = &l->next;
	return 0;
}

int placing_event(struct placing *p, const struct ut_event *e)
{
	uint64_t place = 0;
	bool behind = false;

	if (e->kind == UT_WRITE && e->write.how == UT_HOW_WALK)
		place = place_of(p, e, &behind);
	return place ? put_late(p, e, place, behind) : hold(p, e);
}

bool placing_amend_cr3(struct placing *p, uint16_t vm, uint16_t vcpu, uint64_t value)
{
	uint64_t held = p->next - p->first;

	for (uint64_t i = 1; i <= AMEND_BACK && i <= held; i++) {
		struct ut_event *e = &held_at(p, p->next - i)->e;

		if (e->vm != vm || e->vcpu != vcpu)
			continue;
		if (e->kind == UT_STATE)
			return false;
		if (e->kind == UT_CR && e->cr.cr == 3) {
			e->cr.value = value;
			return true;
		}
	}
	return false;
}

static void free_late(struct late *l)
{
	struct late *next;

	for (; l; l = next) {
		next = l->next;
		free(l);
	}
}

void placing_free(struct placing *p)
{
	struct table *next;

	if (!p)
		return;
	for (; p->first != p->next; p->first++) {
		struct held *h = held_at(p, p->first);

		free(h->text);
		free_late(h->before);
		free_late(h->behind);
	}
	for (unsigned int i = 0; i < BUCKETS; i++) {
		for (struct table *t = p->tables[i]; t; t = next) {
			next = t->next;
			free(t);
		}
	}
	free(p);
}
