// SPDX-License-Identifier: GPL-2.0-only
#include "replay/order.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX
/* vCPUs that are told apart at once; a collision only leaves order as it is */
#define VCPU_SLOTS 256

/* The last step of a vCPU. */
struct last {
	uint32_t at; /* its place in the list; NONE: there was none, or nothing goes before it */
	uint32_t windows; /* where the writes begin that the vCPU's next event may be the sync of */
	uint16_t vm, vcpu;
	bool used;
	bool writes; /* the last events of the vCPU were such writes */
};

/* Events with memory of their own. */
struct events {
	struct ut_event *at;
	uint32_t n;
};

struct ur_order {
	/* Events in hand: what was held back, then the block. */
	struct ut_event *list;
	uint32_t n, cap;
	struct ut_event *sorted;
	uint32_t *first, *next; /* events that go before an event: a list for each */
	uint32_t *tail;
	uint32_t *resync; /* the resync that goes right after an event, or NONE */
	bool *moved;
	struct last last[VCPU_SLOTS];
	uint16_t used[VCPU_SLOTS], n_used; /* slots of vCPUs seen in this list */
	struct events held, given;	   /* until the next block; of the block before */
};

struct ur_order *ur_order_create(void)
{
	return calloc(1, sizeof(struct ur_order));
}

static bool has_entries(const struct ut_event *e)
{
	return e->kind == UT_PAGE_NEW && e->page.n;
}

static bool has_text(const struct ut_event *e)
{
	return (e->kind == UT_VM || e->kind == UT_MARK || e->kind == UT_STAT) && e->text.len;
}

static void free_events(struct events *list)
{
	for (uint32_t i = 0; i < list->n; i++) {
		if (has_entries(&list->at[i]))
			free((void *)list->at[i].page.entries);
		else if (has_text(&list->at[i]))
			free((void *)list->at[i].text.text);
	}
	free(list->at);
	*list = (struct events){ 0 };
}

static void free_lists(struct ur_order *o)
{
	free(o->list);
	free(o->sorted);
	free(o->first);
	free(o->next);
	free(o->tail);
	free(o->resync);
	free(o->moved);
}

void ur_order_free(struct ur_order *o)
{
	if (!o)
		return;
	free_events(&o->held);
	free_events(&o->given);
	free_lists(o);
	free(o);
}

static int make_room(struct ur_order *o, uint32_t n)
{
	if (n <= o->cap)
		return 0;
	free_lists(o);
	o->list = malloc(n * sizeof(*o->list));
	o->sorted = malloc(n * sizeof(*o->sorted));
	o->first = malloc(n * sizeof(*o->first));
	o->next = malloc(n * sizeof(*o->next));
	o->tail = malloc(n * sizeof(*o->tail));
	o->resync = malloc(n * sizeof(*o->resync));
	o->moved = malloc(n * sizeof(*o->moved));
	o->cap = o->list && o->sorted && o->first && o->next && o->tail && o->resync && o->moved
			 ? n
			 : 0;
	return o->cap ? 0 : -1;
}

/* ---- what goes where ---- */

static struct last *last_of(struct ur_order *o, const struct ut_event *e)
{
	uint16_t slot = (e->vm * 31u + e->vcpu) % VCPU_SLOTS;
	struct last *l = &o->last[slot];

	if (!l->used)
		o->used[o->n_used++] = slot;
	if (!l->used || l->vm != e->vm || l->vcpu != e->vcpu)
		*l = (struct last){ .at = NONE, .vm = e->vm, .vcpu = e->vcpu, .used = true };
	return l;
}

static bool flushes(const struct ut_event *e)
{
	return e->kind == UT_STATE || e->kind == UT_CR || e->kind == UT_INVLPG ||
	       e->kind == UT_INVPCID || e->kind == UT_PV_FLUSH;
}

/* What the host does about a step; it may need another root before it syncs. */
static bool of_host(const struct ut_event *e)
{
	return e->kind == UT_HOST_SYNC || e->kind == UT_PAGE_NEW || e->kind == UT_PAGE_FOUND ||
	       e->kind == UT_PAGE_ZAP;
}

static bool is_window(const struct ut_event *e)
{
	return e->kind == UT_WRITE && e->write.how != UT_HOW_TRAPPED;
}

/* Does an event between the step and the writes touch the same table? */
static bool touches(const struct ut_event *e, uint16_t vm, uint64_t gfn)
{
	if (e->vm != vm)
		return false;
	switch (e->kind) {
	case UT_WRITE:
		return e->write.gfn == gfn;
	case UT_AD:
		return e->ad.gfn == gfn;
	case UT_PAGE_NEW:
	case UT_PAGE_ZAP:
	case UT_HOST_UNSYNC:
	case UT_HOST_SYNC:
		return e->page.gfn == gfn;
	default:
		return false;
	}
}

/* May the writes of @l go before the event @at, as the table was out of sync since then? */
static bool may_move(const struct ur_order *o, const struct last *l, uint32_t sync, uint32_t at)
{
	const struct ut_event *s = &o->list[sync];

	if (sync - at > UR_ORDER_REACH)
		return false;
	for (uint32_t i = at + 1; i < sync; i++) {
		const struct ut_event *e = &o->list[i];
		bool own = i >= l->windows && e->vm == s->vm && e->vcpu == s->vcpu;

		/* All of the vCPU's own are writes to the table that is synced. */
		if (own ? e->write.gfn != s->page.gfn : touches(e, s->vm, s->page.gfn))
			return false;
	}
	return true;
}

/* The first step that is not over, of any vCPU of the VM: whoever is first syncs for all. */
static uint32_t find_place(const struct ur_order *o, const struct last *l, uint32_t sync)
{
	uint32_t place = NONE;

	for (unsigned int i = 0; i < o->n_used; i++) {
		const struct last *other = &o->last[o->used[i]];

		if (other->vm == l->vm && other->at < place && may_move(o, l, sync, other->at))
			place = other->at;
	}
	return place;
}

static void move(struct ur_order *o, const struct last *l, uint32_t sync, uint32_t place)
{
	const struct ut_event *s = &o->list[sync];

	for (uint32_t i = l->windows; i < sync; i++) {
		if (o->list[i].vm != s->vm || o->list[i].vcpu != s->vcpu)
			continue;
		o->list[i].time = o->list[place].time;
		o->moved[i] = true;
		o->next[i] = NONE;
		if (o->first[place] == NONE)
			o->first[place] = i;
		else
			o->next[o->tail[place]] = i;
		o->tail[place] = i;
	}
}

static void end_writes(struct ur_order *o, struct last *l, uint32_t sync)
{
	uint32_t place = find_place(o, l, sync);

	if (place != NONE)
		move(o, l, sync, place);
	l->writes = false;
}

static void look_at(struct ur_order *o, uint32_t i)
{
	const struct ut_event *e = &o->list[i];
	struct last *l = last_of(o, e);

	if (flushes(e)) {
		*l = (struct last){ .at = i, .vm = e->vm, .vcpu = e->vcpu, .used = true };
		return;
	}
	if (l->at == NONE)
		return;
	if (is_window(e)) {
		if (!l->writes)
			l->windows = i;
		l->writes = true;
		return;
	}
	if (e->kind == UT_HOST_SYNC && l->writes)
		end_writes(o, l, i);
	l->writes = false;
	if (e->kind == UT_HOST_RESYNC && i - l->at <= UR_ORDER_REACH) {
		o->resync[l->at] = i;
		o->moved[i] = true;
	}
	if (!of_host(e))
		l->at = NONE;
}

/* ---- blocks ---- */

/* Return: where the event @from of the list now stands. */
static uint32_t sort(struct ur_order *o, uint32_t from)
{
	uint32_t to = 0, at = 0;

	for (uint32_t i = 0; i < o->n; i++) {
		if (o->moved[i])
			continue;
		if (i == from)
			at = to;
		for (uint32_t k = o->first[i]; k != NONE; k = o->next[k])
			o->sorted[to++] = o->list[k];
		o->sorted[to++] = o->list[i];
		if (o->resync[i] != NONE)
			o->sorted[to++] = o->list[o->resync[i]];
	}
	return from == o->n ? to : at;
}

/* Where the events begin that are to wait for the next block: the first step that is not over. */
static uint32_t held_from(const struct ur_order *o)
{
	uint32_t from = o->n;

	for (unsigned int i = 0; i < o->n_used; i++) {
		const struct last *l = &o->last[o->used[i]];

		if (l->at != NONE && l->at < from && o->n - l->at <= UR_ORDER_REACH)
			from = l->at;
	}
	return from;
}

/* The reader's memory goes with its block: what is held back needs its own. */
static int hold(struct ur_order *o, uint32_t from)
{
	o->held.at = calloc(o->n - from + 1, sizeof(*o->held.at));
	if (!o->held.at)
		return -1;
	for (uint32_t i = from; i < o->n; i++) {
		struct ut_event *e = &o->held.at[o->held.n];
		bool entries = has_entries(&o->sorted[i]);
		void *copy;
		size_t size;

		*e = o->sorted[i];
		if (entries || has_text(e)) {
			size = entries ? e->page.n * sizeof(*e->page.entries) : e->text.len;
			copy = malloc(size);
			if (!copy)
				return -1;
			memcpy(copy, entries ? (const void *)e->page.entries : e->text.text, size);
			if (entries)
				e->page.entries = copy;
			else
				e->text.text = copy;
		}
		o->held.n++;
	}
	return 0;
}

static void begin(struct ur_order *o, const struct ut_block *in)
{
	if (o->held.n)
		memcpy(o->list, o->held.at, o->held.n * sizeof(*o->list));
	if (in && in->n)
		memcpy(o->list + o->held.n, in->events, in->n * sizeof(*o->list));
	o->n = o->held.n + (in ? (uint32_t)in->n : 0);
	memset(o->moved, 0, o->n * sizeof(*o->moved));
	for (uint32_t i = 0; i < o->n; i++)
		o->first[i] = o->resync[i] = NONE;
	memset(o->last, 0, sizeof(o->last));
	o->n_used = 0;
}

int ur_order_block(struct ur_order *o, const struct ut_block *in, struct ut_block *out)
{
	uint32_t from;

	/* What was given out last time is no longer needed. */
	free_events(&o->given);
	if (make_room(o, o->held.n + (in ? (uint32_t)in->n : 0) + 1))
		return -1;
	begin(o, in);
	for (uint32_t i = 0; i < o->n; i++)
		look_at(o, i);
	from = sort(o, in ? held_from(o) : o->n);
	o->given = o->held;
	o->held = (struct events){ 0 };
	*out = in ? *in : (struct ut_block){ 0 };
	out->events = o->sorted;
	out->n = from;
	return hold(o, from);
}
