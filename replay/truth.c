// SPDX-License-Identifier: GPL-2.0-only
#include "replay/truth.h"

#include <stdlib.h>
#include <string.h>

/* More deeds of one page that wait at once come from no real host. */
#define WAITING_MAX 64

enum state { ABSENT, IN_SYNC, OUT_OF_SYNC };

/* A shadow page, on both sides. */
struct table {
	uint64_t gfn;
	uint32_t role;
	uint8_t state[UR_SIDE_END]; /* enum state */
	bool refreshed;		    /* the model compared it in the step under way */
	uint32_t n_waiting;
	struct deed *waiting; /* oldest first */
};

/* Something done by one side that waits for its counterpart. */
struct deed {
	struct table *table;
	struct deed *next_of_table, *next_of_vcpu;
	uint64_t time;
	uint64_t first, last; /* gaps between steps in which the counterpart may be */
	uint16_t vcpu;
	enum ur_deed what;
	enum ur_side side;
	enum ur_why why; /* if it stays alone */
	bool settled;	 /* matched, or counted as alone: only its vCPU's list holds it */
};

struct vcpu {
	uint16_t id;
	uint64_t steps;
	struct deed *oldest, **end;
};

struct ur_truth {
	struct ur_agreement *out;
	uint16_t vm;
	struct table **slots; /* open addressing, power of two */
	size_t size, used;
	struct vcpu **vcpus;
	size_t n_vcpus;
	const struct ut_event *event; /* under way in the instance */
	struct table **touched;	      /* refreshed in this step */
	size_t n_touched, cap_touched;
	bool failed;
};

const char *ur_deed_name(enum ur_deed deed)
{
	return deed == UR_UNSYNC ? "unsync" : "sync";
}

const char *ur_side_name(enum ur_side side)
{
	return side == UR_HOST ? "host" : "model";
}

const char *ur_why_name(enum ur_why why)
{
	static const char *const names[] = { "absent", "already", "refreshed", "not" };

	return names[why];
}

const char *ur_why_help(enum ur_why why)
{
	static const char *const helps[] = {
		"the other side had no such page",
		"the other side's page was in that state already: an earlier difference goes on",
		"the other side compared the page, but left it out of sync",
		"the other side could have done so, and did not",
	};

	return helps[why];
}

static double share(uint64_t part, uint64_t all)
{
	return all ? (double)part / (double)all : 1;
}

double ur_agreement_recall(const struct ur_deeds *d)
{
	return share(d->matched, d->total[UR_HOST]);
}

double ur_agreement_precision(const struct ur_deeds *d)
{
	return share(d->matched, d->total[UR_MODEL]);
}

/* ---- pages ---- */

static size_t slot_of(const struct ur_truth *t, uint64_t gfn, uint32_t role)
{
	return ((gfn << 5 ^ role) * 0x9e3779b97f4a7c15ull >> 20) & (t->size - 1);
}

static void insert(struct ur_truth *t, struct table *table)
{
	size_t i = slot_of(t, table->gfn, table->role);

	while (t->slots[i])
		i = (i + 1) & (t->size - 1);
	t->slots[i] = table;
}

static int grow(struct ur_truth *t)
{
	struct table **old = t->slots;
	size_t n = t->size;

	t->slots = calloc(n ? 2 * n : 256, sizeof(struct table *));
	if (!t->slots) {
		t->slots = old;
		return -1;
	}
	t->size = n ? 2 * n : 256;
	for (size_t i = 0; i < n; i++) {
		if (old[i])
			insert(t, old[i]);
	}
	free(old);
	return 0;
}

static struct table *get_table(struct ur_truth *t, uint64_t gfn, uint32_t role)
{
	struct table *table;

	if (4 * (t->used + 1) > 3 * t->size && grow(t)) {
		t->failed = true;
		return NULL;
	}
	for (size_t i = slot_of(t, gfn, role); t->slots[i]; i = (i + 1) & (t->size - 1)) {
		if (t->slots[i]->gfn == gfn && t->slots[i]->role == role)
			return t->slots[i];
	}
	table = calloc(1, sizeof(*table));
	if (!table) {
		t->failed = true;
		return NULL;
	}
	table->gfn = gfn;
	table->role = role;
	insert(t, table);
	t->used++;
	return table;
}

/* ---- vCPUs ---- */

static struct vcpu *get_vcpu(struct ur_truth *t, uint16_t id)
{
	struct vcpu **more, *vcpu;

	for (size_t i = 0; i < t->n_vcpus; i++) {
		if (t->vcpus[i]->id == id)
			return t->vcpus[i];
	}
	more = realloc(t->vcpus, (t->n_vcpus + 1) * sizeof(struct vcpu *));
	if (more)
		t->vcpus = more;
	vcpu = more ? calloc(1, sizeof(*vcpu)) : NULL;
	if (!vcpu) {
		t->failed = true;
		return NULL;
	}
	vcpu->id = id;
	vcpu->end = &vcpu->oldest;
	t->vcpus[t->n_vcpus++] = vcpu;
	return vcpu;
}

/* Does the guest make the hypervisor act? */
static bool is_step(const struct ut_event *e)
{
	switch (e->kind) {
	case UT_STATE:
	case UT_CR:
	case UT_INVLPG:
	case UT_INVPCID:
	case UT_PV_FLUSH:
	case UT_FAULT:
		return true;
	default:
		return false;
	}
}

/* ---- deeds ---- */

static void unlist(struct deed *d)
{
	struct deed **link = &d->table->waiting;

	while (*link != d)
		link = &(*link)->next_of_table;
	*link = d->next_of_table;
	d->table->n_waiting--;
	d->settled = true;
}

static void note(struct ur_truth *t, const struct deed *d)
{
	struct ur_agreement *a = t->out;

	if (a->n_list == a->max_list)
		return;
	if (!(a->n_list & (a->n_list + 1))) {
		size_t cap = 2 * (a->n_list + 1);
		struct ur_mismatch *more = realloc(a->list, cap * sizeof(*more));

		if (!more) {
			t->failed = true;
			return;
		}
		a->list = more;
	}
	a->list[a->n_list++] = (struct ur_mismatch){ .time = d->time,
						     .gfn = d->table->gfn,
						     .role = d->table->role,
						     .vm = t->vm,
						     .vcpu = d->vcpu,
						     .deed = d->what,
						     .side = d->side,
						     .why = d->why };
}

static void leave_alone(struct ur_truth *t, struct deed *d)
{
	unlist(d);
	t->out->of[d->what].alone[d->side][d->why]++;
	note(t, d);
}

static struct deed *find(const struct table *table, enum ur_deed what, enum ur_side side)
{
	for (struct deed *d = table->waiting; d; d = d->next_of_table) {
		if (d->what == what && d->side == side)
			return d;
	}
	return NULL;
}

static bool match(struct ur_truth *t, const struct deed *d)
{
	struct deed *other = find(d->table, d->what, !d->side);
	struct ur_deeds *sum = &t->out->of[d->what];

	/* Whatever is over has left the list: of one vCPU, only neighbours are in it. */
	if (!other)
		return false;
	if (other->vcpu == d->vcpu && (other->last < d->first || other->first > d->last))
		return false;
	sum->matched++;
	if (other->vcpu != d->vcpu)
		sum->other_vcpu++;
	unlist(other);
	return true;
}

static enum ur_why why_alone(const struct deed *d)
{
	switch (d->table->state[!d->side]) {
	case ABSENT:
		return UR_WHY_ABSENT;
	case IN_SYNC:
		return d->what == UR_SYNC ? UR_WHY_ALREADY : UR_WHY_NOT;
	default:
		return d->what == UR_UNSYNC ? UR_WHY_ALREADY : UR_WHY_NOT;
	}
}

static void wait(struct ur_truth *t, struct vcpu *vcpu, const struct deed *d)
{
	struct table *table = d->table;
	struct deed **link = &table->waiting;
	struct deed *copy;

	if (table->n_waiting == WAITING_MAX)
		leave_alone(t, table->waiting);
	copy = malloc(sizeof(*copy));
	if (!copy) {
		t->failed = true;
		return;
	}
	*copy = *d;
	while (*link)
		link = &(*link)->next_of_table;
	*link = copy;
	table->n_waiting++;
	*vcpu->end = copy;
	vcpu->end = &copy->next_of_vcpu;
}

static void done(struct ur_truth *t, const struct ut_event *e, struct table *table,
		 enum ur_side side, enum ur_deed what)
{
	struct vcpu *vcpu = get_vcpu(t, e->vcpu);
	struct deed d = {
		.table = table, .time = e->time, .vcpu = e->vcpu, .what = what, .side = side
	};

	if (!vcpu)
		return;
	t->out->of[what].total[side]++;
	d.first = d.last = vcpu->steps;
	if (side == UR_MODEL && is_step(e))
		d.first--;
	d.why = why_alone(&d);
	if (!match(t, &d))
		wait(t, vcpu, &d);
}

/* ---- what the host does ---- */

static void host_did(struct ur_truth *t, const struct ut_event *e)
{
	struct table *table;

	if (e->page.role & UT_ROLE_DIRECT)
		return;
	table = get_table(t, e->page.gfn, e->page.role & UM_ROLE_MODELLED);
	if (!table)
		return;
	switch (e->kind) {
	case UT_PAGE_NEW:
		table->state[UR_HOST] = IN_SYNC;
		break;
	case UT_PAGE_FOUND:
		table->state[UR_HOST] = e->page.unsync ? OUT_OF_SYNC : IN_SYNC;
		break;
	case UT_PAGE_ZAP:
		table->state[UR_HOST] = ABSENT;
		break;
	case UT_HOST_UNSYNC:
		done(t, e, table, UR_HOST, UR_UNSYNC);
		table->state[UR_HOST] = OUT_OF_SYNC;
		break;
	default:
		done(t, e, table, UR_HOST, UR_SYNC);
		table->state[UR_HOST] = IN_SYNC;
		break;
	}
}

/* ---- what the model does ---- */

static void remember_refresh(struct ur_truth *t, struct table *table)
{
	struct table **more;
	size_t cap;

	if (table->refreshed)
		return;
	if (t->n_touched == t->cap_touched) {
		cap = t->cap_touched ? 2 * t->cap_touched : 16;
		more = realloc(t->touched, cap * sizeof(struct table *));
		if (!more) {
			t->failed = true;
			return;
		}
		t->touched = more;
		t->cap_touched = cap;
	}
	t->touched[t->n_touched++] = table;
	table->refreshed = true;
}

static void model_did(void *ctx, enum um_happening what, const struct um_page *page)
{
	struct ur_truth *t = ctx;
	struct table *table =
		t->event ? get_table(t, page->gfn, page->role & UM_ROLE_MODELLED) : NULL;

	if (!table)
		return;
	switch (what) {
	case UM_IS_CREATED:
		table->state[UR_MODEL] = IN_SYNC;
		break;
	case UM_IS_ZAPPED:
		table->state[UR_MODEL] = ABSENT;
		break;
	case UM_WENT_UNSYNC:
		done(t, t->event, table, UR_MODEL, UR_UNSYNC);
		table->state[UR_MODEL] = OUT_OF_SYNC;
		break;
	case UM_IS_REFRESHED:
		remember_refresh(t, table);
		break;
	case UM_GETS_SYNCED:
		if (!page->unsync)
			break;
		done(t, t->event, table, UR_MODEL, UR_SYNC);
		table->state[UR_MODEL] = IN_SYNC;
		break;
	}
}

/* ---- the harness's side ---- */

/*
 * A page that the model made only in this step was absent when the host's deed was noted: a fault is
 * told when the host is done with it.
 */
static void look_again(struct deed *d)
{
	if (d->side == UR_HOST && d->why == UR_WHY_ABSENT)
		d->why = why_alone(d);
	if (d->side == UR_HOST && d->what == UR_SYNC && d->why == UR_WHY_NOT && d->table->refreshed)
		d->why = UR_WHY_REFRESHED;
}

/* Of this vCPU's deeds, drop those that nothing from gap @from on can match. */
static void expire(struct ur_truth *t, struct vcpu *vcpu, uint64_t from)
{
	while (vcpu->oldest && (vcpu->oldest->settled || vcpu->oldest->last < from)) {
		struct deed *d = vcpu->oldest;

		if (!d->settled)
			leave_alone(t, d);
		vcpu->oldest = d->next_of_vcpu;
		if (!vcpu->oldest)
			vcpu->end = &vcpu->oldest;
		free(d);
	}
}

void ur_truth_before(struct ur_truth *t, const struct ut_event *e)
{
	struct vcpu *vcpu;

	t->event = e;
	switch (e->kind) {
	case UT_PAGE_NEW:
	case UT_PAGE_FOUND:
	case UT_PAGE_ZAP:
	case UT_HOST_UNSYNC:
	case UT_HOST_SYNC:
		host_did(t, e);
		return;
	default:
		break;
	}
	vcpu = is_step(e) ? get_vcpu(t, e->vcpu) : NULL;
	if (vcpu)
		vcpu->steps++;
}

void ur_truth_after(struct ur_truth *t, const struct ut_event *e)
{
	struct vcpu *vcpu;

	t->event = NULL;
	vcpu = is_step(e) ? get_vcpu(t, e->vcpu) : NULL;
	if (!vcpu)
		return;
	for (struct deed *d = vcpu->oldest; d; d = d->next_of_vcpu) {
		if (!d->settled)
			look_again(d);
	}
	for (size_t i = 0; i < t->n_touched; i++)
		t->touched[i]->refreshed = false;
	t->n_touched = 0;
	/* The gap before this step is over, on both sides. */
	expire(t, vcpu, vcpu->steps);
}

struct ur_truth *ur_truth_create(struct um_mmu *mmu, uint16_t vm, struct ur_agreement *out)
{
	struct ur_truth *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->vm = vm;
	t->out = out;
	um_mmu_watch(mmu, model_did, t);
	return t;
}

int ur_truth_end(struct ur_truth *t)
{
	int ret;

	if (!t)
		return 0;
	for (size_t i = 0; i < t->n_vcpus; i++) {
		expire(t, t->vcpus[i], UINT64_MAX);
		free(t->vcpus[i]);
	}
	for (size_t i = 0; i < t->size; i++)
		free(t->slots[i]);
	free(t->slots);
	free(t->vcpus);
	free(t->touched);
	ret = t->failed ? -1 : 0;
	free(t);
	return ret;
}
