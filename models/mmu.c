// SPDX-License-Identifier: GPL-2.0-only
/*
 * An instance: a model with its options on a shadow MMU, and what each event of a trace does to it.
 */
#include "models/history.h"
#include "models/shadow.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const counter_names[] = {
#define X(name, help) #name,
	UM_COUNTERS(X)
#undef X
};

static const char *const counter_helps[] = {
#define X(name, help) help,
	UM_COUNTERS(X)
#undef X
};

static const char *const cause_names[] = {
#define X(name, help) #name,
	UM_CAUSES(X)
#undef X
};

static const char *const cause_helps[] = {
#define X(name, help) help,
	UM_CAUSES(X)
#undef X
};

const char *um_counter_name(enum um_counter c)
{
	return counter_names[c];
}

const char *um_counter_help(enum um_counter c)
{
	return counter_helps[c];
}

const char *um_cause_name(enum um_cause c)
{
	return cause_names[c];
}

const char *um_cause_help(enum um_cause c)
{
	return cause_helps[c];
}

int um_fail(struct um_mmu *mmu, const char *fmt, ...)
{
	struct um_shadow *s = um_shadow(mmu);
	va_list ap;

	if (!s->failed) {
		s->failed = true;
		va_start(ap, fmt);
		vsnprintf(s->failure, sizeof(s->failure), fmt, ap);
		va_end(ap);
	}
	return -1;
}

const char *um_mmu_failure(const struct um_mmu *mmu)
{
	const struct um_shadow *s = um_shadow(mmu);

	return s->failed ? s->failure : NULL;
}

void um_mmu_observe(struct um_mmu *mmu, uint64_t (*clock)(void),
		    void (*done)(void *ctx, const struct um_resync *r), void *ctx)
{
	struct um_shadow *s = um_shadow(mmu);

	s->clock = clock;
	s->resync_done = done;
	s->resync_ctx = ctx;
}

void um_mmu_watch(struct um_mmu *mmu,
		  void (*happens)(void *ctx, enum um_happening what, const struct um_page *page),
		  void *ctx)
{
	struct um_shadow *s = um_shadow(mmu);

	s->happens = happens;
	s->happens_ctx = ctx;
}

const struct um_page *um_mmu_oldest(const struct um_mmu *mmu)
{
	return um_shadow(mmu)->oldest;
}

const struct um_frame *um_mmu_frame(const struct um_mmu *mmu, uint64_t gfn)
{
	return um_frame_find(&um_shadow(mmu)->frames, gfn);
}

int64_t um_mmu_bookkeeping(const struct um_mmu *mmu)
{
	return um_shadow(mmu)->bookkeeping;
}

void um_bookkeeping(struct um_mmu *mmu, int64_t bytes)
{
	struct um_shadow *s = um_shadow(mmu);

	s->bookkeeping += bytes;
	if (s->bookkeeping > (int64_t)mmu->count[UM_bookkeeping_peak])
		mmu->count[UM_bookkeeping_peak] = (uint64_t)s->bookkeeping;
}

/* ---- vCPUs and their modes ---- */

struct um_vcpu *um_vcpu_at(const struct um_mmu *mmu, unsigned int position)
{
	struct um_shadow *s = um_shadow(mmu);

	return position < s->n_vcpus ? &s->vcpus[position] : NULL;
}

static struct um_vcpu *get_vcpu(struct um_shadow *s, uint16_t id)
{
	struct um_vcpu *vcpu;

	for (unsigned int i = 0; i < s->n_vcpus; i++) {
		if (s->vcpus[i].id == id)
			return &s->vcpus[i];
	}
	if (s->n_vcpus == UM_MAX_VCPUS) {
		um_fail(&s->pub, "more than %d vCPUs in a VM", UM_MAX_VCPUS);
		return NULL;
	}
	vcpu = &s->vcpus[s->n_vcpus];
	if (s->pub.model->vcpu_bytes) {
		vcpu->priv = calloc(1, s->pub.model->vcpu_bytes);
		if (!vcpu->priv) {
			um_fail(&s->pub, "out of memory for a vCPU");
			return NULL;
		}
	}
	vcpu->id = id;
	s->n_vcpus++;
	return vcpu;
}

static uint32_t role_of(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	uint32_t role = UT_ROLE_ACCESS;

	if (!(cr0 & UT_CR0_PG))
		return 0;
	if (!(cr4 & UT_CR4_PAE))
		role |= UM_TOP_LEVEL | UT_ROLE_DIRECT | UT_ROLE_4BYTE;
	else if (!(efer & (UT_EFER_LME | UT_EFER_LMA)))
		role |= UM_TOP_LEVEL | UT_ROLE_DIRECT;
	else
		role |= cr4 & UT_CR4_LA57 ? 5 : 4;
	if (efer & UT_EFER_NX)
		role |= UT_ROLE_EFER_NX;
	if (cr0 & UT_CR0_WP)
		return role | UT_ROLE_CR0_WP;
	if (cr4 & UT_CR4_SMEP)
		role |= UT_ROLE_SMEP_NOT_WP;
	if (cr4 & UT_CR4_SMAP)
		role |= UT_ROLE_SMAP_NOT_WP;
	return role;
}

uint32_t um_root_role(const struct um_vcpu *vcpu)
{
	return role_of(vcpu->cr0, vcpu->cr4, vcpu->efer);
}

uint64_t um_root_gfn(const struct um_vcpu *vcpu, uint64_t cr3)
{
	if (!(um_root_role(vcpu) & UT_ROLE_DIRECT))
		return um_cr3_gfn(cr3);
	/* PAE's four entries may lie anywhere in a page, aligned to their size. */
	return UM_TOP_GFN | (cr3 & (vcpu->cr4 & UT_CR4_PAE ? 0xffffffe0u : 0xfffff000u)) >> 5;
}

bool um_context_changed(const struct um_vcpu *vcpu, uint64_t cr0, uint64_t cr4)
{
	return um_root_role(vcpu) != role_of(cr0, cr4, vcpu->efer);
}

/* ---- events ---- */

static void on_state(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_state *st)
{
	bool same = vcpu->cr3 == st->cr3 && vcpu->cr0 == st->cr0 && vcpu->cr4 == st->cr4 &&
		    vcpu->efer == st->efer;
	uint64_t old = vcpu->cr3;

	vcpu->cr0 = st->cr0;
	vcpu->cr3 = st->cr3;
	vcpu->cr4 = st->cr4;
	vcpu->efer = st->efer;
	/* Not a write of the guest's: what follows is as after one, but no exit is charged. */
	if (same)
		return;
	um_set_root(mmu, vcpu, NULL);
	if (mmu->model->cr3_written)
		mmu->model->cr3_written(mmu, vcpu, old, st->cr3);
}

static void on_cr(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_cr *cr)
{
	const struct um_model *model = mmu->model;
	uint64_t old;

	switch (cr->cr) {
	case 0:
		mmu->count[UM_exit_cr0]++;
		old = vcpu->cr0;
		vcpu->cr0 = cr->value;
		if (model->cr0_written)
			model->cr0_written(mmu, vcpu, old);
		break;
	case 3:
		mmu->count[UM_exit_cr3]++;
		old = vcpu->cr3;
		vcpu->cr3 = cr->value & ~UT_CR3_NOFLUSH;
		if (model->cr3_written)
			model->cr3_written(mmu, vcpu, old, cr->value);
		break;
	case 4:
		mmu->count[UM_exit_cr4]++;
		old = vcpu->cr4;
		vcpu->cr4 = cr->value;
		if (model->cr4_written)
			model->cr4_written(mmu, vcpu, old);
		break;
	default:
		break;
	}
}

static void on_flush(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_event *e)
{
	const struct um_model *model = mmu->model;

	switch (e->kind) {
	case UT_INVLPG:
		if (!model->invlpg || mmu->invlpg_free ||
		    (model->invlpg_exits && !model->invlpg_exits(mmu, vcpu)))
			return;
		mmu->count[UM_exit_invlpg]++;
		model->invlpg(mmu, vcpu, e->invlpg.gva);
		break;
	case UT_INVPCID:
		mmu->count[UM_exit_invpcid]++;
		if (model->invpcid)
			model->invpcid(mmu, vcpu, &e->invpcid);
		break;
	default:
		mmu->count[UM_exit_pv_flush]++;
		if (model->pv_flush)
			model->pv_flush(mmu, vcpu);
		break;
	}
}

/*
 * A write to a table. If the frame is write-protected here the write exits, unless the fault that led
 * to it was counted already; a write without a fault of its own (known by its net effect) may find
 * the model willing to let the table go.
 */
static void silent_write(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_frame *frame,
			 const struct ut_write *w)
{
	mmu->count[UM_writes_silent]++;
	if (frame && mmu->model->table_changed)
		mmu->model->table_changed(mmu, vcpu, frame, w);
}

bool um_ask_writable(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_frame *frame, bool write,
		     bool prefetch)
{
	enum um_verdict v = mmu->model->want_writable(mmu, vcpu, frame, write, prefetch);

	if (v == UM_EMULATE)
		return false;
	if (v != UM_WRITABLE)
		um_fail(mmu, "want_writable() answered %u, which is no verdict", (unsigned int)v);
	else if (frame->n_synced)
		um_fail(mmu,
			"want_writable() gave table %#llx away while %u of its shadow pages are in "
			"sync",
			(unsigned long long)frame->gfn, frame->n_synced);
	return true;
}

static void on_write(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_write *w)
{
	struct um_frame *frame = um_frame_find(&um_shadow(mmu)->frames, w->gfn);
	bool announced;

	mmu->count[UM_writes]++;
	if (!frame || !frame->table) {
		silent_write(mmu, vcpu, NULL, w);
		return;
	}
	um_frame_write(frame, w->offset, w->size, w->val);
	um_bounds_written(mmu, vcpu, frame, w);
	announced = frame->announced;
	frame->announced = false;
	if (!frame->n_synced) {
		silent_write(mmu, vcpu, frame, w);
		return;
	}
	if (!announced) {
		mmu->count[UM_exit_table_write]++;
		if (um_ask_writable(mmu, vcpu, frame, true, false)) {
			silent_write(mmu, vcpu, frame, w);
			return;
		}
	}
	mmu->count[UM_writes_emulated]++;
	um_shadow(mmu)->writer = vcpu;
	um_resync_begin(mmu, UM_CAUSE_write);
	mmu->model->table_written(mmu, vcpu, frame, w);
	um_resync_end(mmu);
	um_shadow(mmu)->writer = NULL;
}

static void on_ad(struct um_mmu *mmu, const struct ut_ad *ad)
{
	struct um_frame *frame = um_frame_find(&um_shadow(mmu)->frames, ad->gfn);
	unsigned int byte = ad->index * ad->entry_size;

	if (frame && frame->table && byte < UM_ENTRIES * 8)
		frame->table[byte / 8] |= (ad->dirty ? UT_PTE_D : UT_PTE_A) << (byte % 8 * 8);
}

/* A word of a table is something else now: each of its entries that differs is a write. */
static void learn_word(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_frame *frame,
		       unsigned int i, uint64_t value, uint8_t size)
{
	uint64_t mask = size == 8 ? ~0ull : 0xffffffffu;

	for (unsigned int at = 0; at < 8; at += size) {
		struct ut_write w = { .gfn = frame->gfn,
				      .offset = (uint16_t)(i * 8 + at),
				      .val = value >> at * 8 & mask,
				      .size = size,
				      .how = UT_HOW_WINDOW };

		if ((frame->table[i] >> at * 8 & mask) == w.val)
			continue;
		if (frame->n_synced) {
			on_write(mmu, vcpu, &w);
			continue;
		}
		/* Nobody expected it to be as it was: no write to count. */
		um_frame_write(frame, w.offset, w.size, w.val);
		if (mmu->model->table_changed)
			mmu->model->table_changed(mmu, vcpu, frame, &w);
	}
}

/*
 * New content for a table that the model may already shadow in step: differences are writes that went
 * unseen (the host's copy was out of sync), known by their net effect.
 */
static void learn(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_frame *frame,
		  const struct ut_page *p)
{
	bool fresh = !frame->table || frame->partial;
	unsigned int next = 0;

	if (!um_frame_know(mmu, frame))
		return;
	frame->partial = false;
	for (unsigned int i = 0; i < UM_ENTRIES; i++) {
		uint64_t value = 0;

		if (next < p->n && p->entries[next].index == i)
			value = p->entries[next++].value;
		if (frame->table[i] == value)
			continue;
		if (fresh)
			frame->table[i] = value;
		else
			learn_word(mmu, vcpu, frame, i, value, p->role & UT_ROLE_4BYTE ? 4 : 8);
	}
}

static void on_page_new(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_page *p)
{
	struct um_frame *frame;

	if (p->role & UT_ROLE_DIRECT)
		return;
	frame = um_frame_get(mmu, &um_shadow(mmu)->frames, p->gfn);
	if (!frame)
		return;
	frame->host_pages++;
	if (p->known)
		learn(mmu, vcpu, frame, p);
	else
		um_shadow(mmu)->partial = true;
}

/*
 * Is it the page that the recorded host means? Of a direct page no trace tells the size of the entries that
 * its table would have, nor do all hosts tell the quadrant.
 */
static bool is_recorded(const struct um_page *page, uint32_t role)
{
	uint32_t compared = UM_ROLE_MODELLED;

	if (role & UT_ROLE_DIRECT)
		compared &= ~(UT_ROLE_4BYTE | UT_ROLE_QUADRANT);
	return !((page->role ^ role) & compared);
}

static void host_gave_up(struct um_mmu *mmu, struct um_frame *frame, bool direct)
{
	if (mmu->model->host_gave_up)
		mmu->model->host_gave_up(mmu, frame, direct);
}

/*
 * A host may give up a page because it is in sync: a write to it was misaligned, or by an instruction
 * that is not known to write tables. To a page out of sync neither happens, as such writes do not exit.
 */
static bool outlives(const struct um_page *page, const struct ut_page *p)
{
	return page->unsync && !p->unsync && ut_role_level(page->role) == 1;
}

/* Of those that the host has, models have their own view; but where PAE's roots are only the host tells. */
static void on_page_found(struct um_mmu *mmu, const struct ut_event *e)
{
	struct um_shadow *s = um_shadow(mmu);

	if (mmu->model->no_shadow || !s->tops || ut_role_level(e->page.role) != UM_TOP_LEVEL - 1)
		return;
	for (unsigned int i = 0; i < s->n_vcpus; i++) {
		if (s->vcpus[i].id == e->vcpu)
			um_top_told(mmu, &s->vcpus[i], &e->page);
	}
}

static void zap_recorded(struct um_mmu *mmu, struct um_page *page, void *zap)
{
	if (!outlives(page, zap))
		um_zap_recorded(mmu, page);
}

/*
 * The recorded host gave a page up: no model may keep it in sync, as the trace tells nothing of it from
 * here on. With the host's last page of a frame its content becomes unknown. What is out of sync needs
 * no content until it is to be synced; see um_sync_page().
 */
static void on_page_zap(struct um_mmu *mmu, const struct ut_page *p)
{
	struct um_frame *frame = um_frame_find(&um_shadow(mmu)->frames, p->gfn);

	if (um_shadow(mmu)->tops && ut_role_level(p->role) == UM_TOP_LEVEL - 1)
		um_top_unsettle(mmu);
	if (!frame)
		return;
	for (struct um_page *page = frame->pages; page; page = page->next_of_gfn) {
		if (is_recorded(page, p->role)) {
			if (!outlives(page, p))
				um_zap_recorded(mmu, page);
			break;
		}
	}
	if (p->role & UT_ROLE_DIRECT) {
		host_gave_up(mmu, frame, true);
		return;
	}
	if (frame->host_pages && --frame->host_pages)
		return;
	um_for_each_page(mmu, frame, zap_recorded, (void *)p);
	um_frame_forget(mmu, frame);
	host_gave_up(mmu, frame, false);
}

/* @e has been dealt with; other vCPUs' resyncs went on meanwhile. */
static void go_on(struct um_mmu *mmu, const struct um_vcpu *vcpu, const struct ut_event *e)
{
	struct um_shadow *s = um_shadow(mmu);

	if (s->resync_until < e->time || !mmu->model->resync_lasts)
		return;
	/* Only known by its net effect: nobody was asked. */
	if (e->kind == UT_PAGE_NEW || (e->kind == UT_WRITE && e->write.how != UT_HOW_TRAPPED))
		return;
	for (unsigned int i = 0; i < s->n_vcpus; i++) {
		struct um_vcpu *other = &s->vcpus[i];

		if (other != vcpu && other->resync_until >= e->time)
			mmu->model->resync_lasts(mmu, other);
	}
}

/* What is told of a host's resync by others is how long it took, not what was in it. */
static void on_host_resync(struct um_mmu *mmu, const struct ut_event *e)
{
	struct um_shadow *s = um_shadow(mmu);
	struct um_vcpu *vcpu = get_vcpu(s, e->vcpu);

	if (!vcpu)
		return;
	vcpu->resync_until = e->time;
	if (s->resync_until < e->time)
		s->resync_until = e->time;
}

/* Is the event part of a run of writes by the guest's kernel? */
static bool of_writes(const struct ut_event *e)
{
	if (e->kind == UT_FAULT)
		return e->fault.outcome == UT_OUT_EMULATED && !(e->fault.error & UT_PF_USER);
	return e->kind == UT_WRITE || e->kind == UT_PAGE_NEW;
}

static void see_mode(struct um_mmu *mmu, const struct um_vcpu *vcpu)
{
	if (um_root_role(vcpu) & UT_ROLE_DIRECT)
		um_shadow(mmu)->tops = true;
}

/* What is due before a vCPU of a guest with tops is seen again. */
static void tops_before(struct um_mmu *mmu, struct um_vcpu *vcpu, const struct ut_event *e)
{
	if (!of_writes(e))
		um_top_reload(mmu, vcpu);
	if (e->kind != UT_PAGE_NEW)
		um_top_settle(mmu, vcpu);
}

static void vcpu_event(struct um_mmu *mmu, const struct ut_event *e)
{
	struct um_vcpu *vcpu = get_vcpu(um_shadow(mmu), e->vcpu);

	if (!vcpu)
		return;
	if (um_shadow(mmu)->tops)
		tops_before(mmu, vcpu, e);
	vcpu->resync_until = 0;
	um_history_runs(vcpu);
	if (!of_writes(e))
		um_bounds_settle(mmu);
	switch (e->kind) {
	case UT_STATE:
		on_state(mmu, vcpu, &e->state);
		see_mode(mmu, vcpu);
		break;
	case UT_CR:
		on_cr(mmu, vcpu, &e->cr);
		see_mode(mmu, vcpu);
		break;
	case UT_FAULT:
		vcpu->fault_error = e->fault.error;
		um_fault(mmu, vcpu, &e->fault);
		vcpu->fault_error = 0;
		break;
	case UT_WRITE:
		on_write(mmu, vcpu, &e->write);
		break;
	case UT_PAGE_NEW:
		on_page_new(mmu, vcpu, &e->page);
		if (um_shadow(mmu)->tops)
			um_top_told(mmu, vcpu, &e->page);
		break;
	default:
		on_flush(mmu, vcpu, e);
		break;
	}
	go_on(mmu, vcpu, e);
}

/* The harness's own cost: the guest's tables are kept, nothing is shadowed. */
static void null_event(struct um_mmu *mmu, const struct ut_event *e)
{
	struct um_frame *frame;

	if (e->kind == UT_WRITE) {
		mmu->count[UM_writes]++;
		mmu->count[UM_writes_silent]++;
		frame = um_frame_find(&um_shadow(mmu)->frames, e->write.gfn);
		if (frame && frame->table)
			um_frame_write(frame, e->write.offset, e->write.size, e->write.val);
	} else if (e->kind == UT_PAGE_NEW) {
		on_page_new(mmu, NULL, &e->page);
	}
}

void um_mmu_event(struct um_mmu *mmu, const struct ut_event *e)
{
	struct um_shadow *s = um_shadow(mmu);

	if (s->failed)
		return;
	switch (e->kind) {
	case UT_STATE:
	case UT_CR:
	case UT_FAULT:
	case UT_WRITE:
	case UT_PAGE_NEW:
	case UT_INVLPG:
	case UT_INVPCID:
	case UT_PV_FLUSH:
		if (mmu->model->no_shadow)
			null_event(mmu, e);
		else
			vcpu_event(mmu, e);
		break;
	case UT_AD:
		on_ad(mmu, &e->ad);
		break;
	case UT_PAGE_FOUND:
		on_page_found(mmu, e);
		break;
	case UT_PAGE_ZAP:
		on_page_zap(mmu, &e->page);
		break;
	case UT_HOST_RESYNC:
		on_host_resync(mmu, e);
		break;
	default:
		return;
	}
	if (mmu->model->event && !s->failed)
		mmu->model->event(mmu, e);
	if (s->resync_depth)
		um_fail(mmu, "um_resync_begin() without its um_resync_end()");
	um_bury(mmu);
}

/* ---- options ---- */

static size_t count_own(const struct um_model *model)
{
	size_t n = 0;

	while (model->counters && model->counters[n].name)
		n++;
	return n;
}

static size_t count_options(const struct um_model *model)
{
	size_t n = 0;

	while (model->options && model->options[n].name)
		n++;
	return n;
}

static int option_index(const struct um_model *model, const char *name, size_t len)
{
	for (size_t i = 0; i < count_options(model); i++) {
		if (strlen(model->options[i].name) == len &&
		    !strncmp(model->options[i].name, name, len))
			return (int)i;
	}
	return -1;
}

/* Position of a word in "a|b|c", or -1. */
static int choice_index(const char *choices, const char *word)
{
	size_t len = strlen(word);
	int i = 0;

	for (const char *c = choices; c; i++) {
		const char *bar = strchr(c, '|');
		size_t n = bar ? (size_t)(bar - c) : strlen(c);

		if (n == len && !strncmp(c, word, len))
			return i;
		c = bar ? bar + 1 : NULL;
	}
	return -1;
}

static int parse_number(const char *text, uint64_t *value)
{
	char *end;

	if (*text < '0' || *text > '9' || strlen(text) > 18)
		return -1;
	*value = strtoull(text, &end, 10);
	return *end ? -1 : 0;
}

int um_option_takes(const struct um_option *o, const char *value, char *error, size_t len)
{
	uint64_t n;

	switch (o->type) {
	case UM_OPT_NUMBER:
		if (!parse_number(value, &n) && n >= o->min && n <= o->max)
			return 0;
		snprintf(error, len, "option %s takes a number from %llu to %llu, not '%s'",
			 o->name, (unsigned long long)o->min, (unsigned long long)o->max, value);
		return -1;
	case UM_OPT_BOOL:
		if (!strcmp(value, "yes") || !strcmp(value, "no"))
			return 0;
		snprintf(error, len, "option %s takes yes or no, not '%s'", o->name, value);
		return -1;
	default:
		if (choice_index(o->choices, value) >= 0)
			return 0;
		snprintf(error, len, "option %s takes one of %s, not '%s'", o->name, o->choices,
			 value);
		return -1;
	}
}

static int set_option(struct um_shadow *s, const char *name, size_t name_len, const char *value,
		      size_t value_len, char *error, size_t len)
{
	const struct um_model *model = s->pub.model;
	int i = option_index(model, name, name_len);
	char *copy;

	if (i < 0) {
		snprintf(error, len, "model %s has no option '%.*s'; 'unsync models %s' lists them",
			 model->name, (int)name_len, name, model->name);
		return -1;
	}
	copy = strndup(value, value_len);
	if (!copy) {
		snprintf(error, len, "out of memory");
		return -1;
	}
	free(s->options[i]);
	s->options[i] = copy;
	return um_option_takes(&model->options[i], copy, error, len);
}

static int set_options(struct um_shadow *s, const char *text, char *error, size_t len)
{
	const struct um_model *model = s->pub.model;
	size_t n = count_options(model);

	s->options = calloc(n + 1, sizeof(char *));
	if (!s->options) {
		snprintf(error, len, "out of memory");
		return -1;
	}
	for (size_t i = 0; i < n; i++) {
		const struct um_option *o = &model->options[i];

		if (set_option(s, o->name, strlen(o->name), o->def, strlen(o->def), error, len))
			return -1;
	}
	while (text && *text) {
		size_t item = strcspn(text, ",");
		const char *eq = memchr(text, '=', item);

		if (!eq) {
			snprintf(error, len, "'%.*s' is not of the form option=value", (int)item,
				 text);
			return -1;
		}
		if (set_option(s, text, (size_t)(eq - text), eq + 1, item - (size_t)(eq + 1 - text),
			       error, len))
			return -1;
		text += item;
		if (*text == ',' && !*++text) {
			snprintf(error, len, "an option is missing after the last comma");
			return -1;
		}
	}
	return 0;
}

/* Position of an option that the model asks for; what its table does not have fails the instance. */
static int asked_option(const struct um_mmu *mmu, const char *name, enum um_option_type type)
{
	int i = option_index(mmu->model, name, strlen(name));

	if (i >= 0 && mmu->model->options[i].type == type)
		return i;
	um_fail(&um_shadow(mmu)->pub,
		"the model asks for an option '%s' that is not in its table%s", name,
		i >= 0 ? " as of that type" : "");
	return -1;
}

uint64_t um_option_number(const struct um_mmu *mmu, const char *name)
{
	int i = asked_option(mmu, name, UM_OPT_NUMBER);
	uint64_t value = 0;

	if (i >= 0)
		parse_number(um_shadow(mmu)->options[i], &value);
	return value;
}

bool um_option_bool(const struct um_mmu *mmu, const char *name)
{
	int i = asked_option(mmu, name, UM_OPT_BOOL);

	return i >= 0 && !strcmp(um_shadow(mmu)->options[i], "yes");
}

unsigned int um_option_choice(const struct um_mmu *mmu, const char *name)
{
	int i = asked_option(mmu, name, UM_OPT_CHOICE);

	if (i < 0)
		return 0;
	return (unsigned int)choice_index(mmu->model->options[i].choices,
					  um_shadow(mmu)->options[i]);
}

const char *const *um_mmu_options(const struct um_mmu *mmu)
{
	return (const char *const *)um_shadow(mmu)->options;
}

/* ---- life ---- */

struct um_mmu *um_mmu_create(const struct um_model *model, const char *options, char *error,
			     size_t error_len)
{
	struct um_shadow *s = calloc(1, sizeof(*s));

	if (!s) {
		snprintf(error, error_len, "out of memory");
		return NULL;
	}
	s->pub.model = model;
	s->page_bytes = model->page_bytes;
	if (set_options(s, options, error, error_len))
		goto fail;
	if (model->state_bytes) {
		s->pub.state = calloc(1, model->state_bytes);
		if (!s->pub.state) {
			snprintf(error, error_len, "out of memory");
			goto fail;
		}
	}
	s->pub.own = calloc(count_own(model) + 1, sizeof(uint64_t));
	if (!s->pub.own) {
		snprintf(error, error_len, "out of memory");
		goto fail;
	}
	if ((model->create && model->create(&s->pub)) || s->failed) {
		snprintf(error, error_len, "%s", s->failed ? s->failure : "the model refused");
		goto fail;
	}
	return &s->pub;
fail:
	um_mmu_destroy(&s->pub);
	return NULL;
}

static void free_page(struct um_page *page)
{
	free(page->parents);
	free(page);
}

void um_mmu_destroy(struct um_mmu *mmu)
{
	struct um_shadow *s;

	if (!mmu)
		return;
	s = um_shadow(mmu);
	if (mmu->model->destroy && mmu->state)
		mmu->model->destroy(mmu);
	/* Nothing is zapped any more: the model is gone. */
	s->empty_tops = false;
	um_bury(mmu);
	while (s->oldest) {
		struct um_page *page = s->oldest;

		s->oldest = page->newer;
		free_page(page);
	}
	while (s->spare_pages) {
		struct um_page *page = s->spare_pages;

		s->spare_pages = page->next_of_gfn;
		free_page(page);
	}
	for (unsigned int i = 0; i < s->n_vcpus; i++)
		free(s->vcpus[i].priv);
	for (size_t i = 0; s->options && i < count_options(mmu->model); i++)
		free(s->options[i]);
	free(s->options);
	um_frame_table_free(&s->frames);
	um_frame_table_free(&s->large);
	um_frame_spare_free(s);
	free(s->unsettled);
	free(s->pages);
	free(s->free_ids);
	free(mmu->state);
	free(mmu->own);
	free(s);
}
