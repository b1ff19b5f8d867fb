// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ground truth: a recorded trace of which the model does exactly what the host did, spoilt in one
 * place at a time; and the order into which events are put before that.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "replay/order.h"
#include "replay/predict.h"
#include "replay/truth.h"

#define TRACE UNSYNC_TRACES "/boot-native.utrace"
#define NTH 5000 /* which event of its kind is spoilt */

/* ---- the recorded trace ---- */

struct list {
	struct ut_event *at;
	void **contents; /* one for each event; NULL: it has none */
	size_t n, cap;
};

static void *or_die(void *p)
{
	if (!p)
		abort();
	return p;
}

static void add(struct list *l, const struct ut_event *e)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 1024;
		l->at = or_die(realloc(l->at, l->cap * sizeof(*l->at)));
		l->contents = or_die(realloc(l->contents, l->cap * sizeof(void *)));
	}
	l->at[l->n] = *e;
	l->contents[l->n] = NULL;
	if (e->kind == UT_PAGE_NEW && e->page.n) {
		size_t size = e->page.n * sizeof(*e->page.entries);
		void *copy = or_die(malloc(size));

		memcpy(copy, e->page.entries, size);
		l->contents[l->n] = copy;
		l->at[l->n].page.entries = copy;
	}
	l->n++;
}

static void free_list(struct list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->contents[i]);
	free(l->contents);
	free(l->at);
	*l = (struct list){ 0 };
}

/* The trace in the order in which it is replayed. Texts are of no use here. */
static struct list read_trace(void)
{
	struct ut_reader *r = ut_reader_open(TRACE, NULL);
	struct ur_order *order = ur_order_create();
	struct list l = { 0 };
	struct ut_block block;
	int got;

	assert_non_null(r);
	assert_non_null(order);
	do {
		got = ut_reader_next(r, &block, NULL);
		assert_true(got >= 0);
		assert_int_equal(ur_order_block(order, got ? &block : NULL, &block), 0);
		for (size_t i = 0; i < block.n; i++) {
			if (block.events[i].vm == 0)
				add(&l, &block.events[i]);
		}
	} while (got);
	ur_order_free(order);
	ut_reader_close(r);
	return l;
}

static struct ur_agreement hold_against(const struct list *l, size_t max)
{
	struct ur_agreement a = { .max_list = max };
	char why[256];
	struct um_mmu *mmu = um_mmu_create(um_model_find("unsync-bitmap"), NULL, why, sizeof(why));
	struct ur_truth *t;

	assert_non_null(mmu);
	t = ur_truth_create(mmu, 0, &a);
	assert_non_null(t);
	for (size_t i = 0; i < l->n; i++) {
		ur_truth_before(t, &l->at[i]);
		um_mmu_event(mmu, &l->at[i]);
		ur_truth_after(t, &l->at[i]);
	}
	assert_int_equal(ur_truth_end(t), 0);
	assert_null(um_mmu_failure(mmu));
	um_mmu_destroy(mmu);
	return a;
}

static uint64_t alone(const struct ur_deeds *d, enum ur_side side)
{
	uint64_t n = 0;

	for (unsigned int why = 0; why < UR_WHY_END; why++)
		n += d->alone[side][why];
	return n;
}

/* Whatever was not matched is counted as alone, once. */
static void adds_up(const struct ur_agreement *a)
{
	for (unsigned int deed = 0; deed < UR_DEED_END; deed++) {
		const struct ur_deeds *d = &a->of[deed];

		for (unsigned int side = 0; side < UR_SIDE_END; side++)
			assert_int_equal(d->matched + alone(d, side), d->total[side]);
	}
}

static size_t nth(const struct list *l, uint8_t kind)
{
	unsigned int seen = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (l->at[i].kind == kind && ++seen == NTH)
			return i;
	}
	fail_msg("%s holds fewer than %d events of kind %u", TRACE, NTH, kind);
	return 0;
}

static void unspoilt(void **state)
{
	struct list l = read_trace();
	struct ur_agreement a = hold_against(&l, 10);

	(void)state;
	adds_up(&a);
	for (unsigned int deed = 0; deed < UR_DEED_END; deed++) {
		assert_true(a.of[deed].matched > NTH);
		assert_int_equal(a.of[deed].matched, a.of[deed].total[UR_HOST]);
		assert_int_equal(a.of[deed].matched, a.of[deed].total[UR_MODEL]);
		assert_int_equal(a.of[deed].other_vcpu, 0);
		assert_true(ur_agreement_recall(&a.of[deed]) == 1);
		assert_true(ur_agreement_precision(&a.of[deed]) == 1);
	}
	assert_int_equal(a.n_list, 0);
	free_list(&l);
}

/* ---- one place spoilt ---- */

enum spoil { DROP, OTHER_FRAME, OTHER_ROLE, OTHER_VCPU, TWICE, LATER };

static struct list spoil(const struct list *l, size_t at, enum spoil how)
{
	struct list out = { 0 };
	struct ut_event e;
	bool due = false;

	e = ((struct ut_event *)or_die(l->at))[at];
	e.page.gfn ^= how == OTHER_FRAME ? 1ull << 40 : 0;
	e.page.role ^= how == OTHER_ROLE ? UT_ROLE_WRITE : 0;
	e.vcpu += how == OTHER_VCPU;
	for (size_t i = 0; i < l->n; i++) {
		if (i != at)
			add(&out, &l->at[i]);
		if (i == at && how != DROP && how != LATER)
			add(&out, &e);
		if (i == at && how == TWICE)
			add(&out, &e);
		/* After two more faults, nothing of that time is a neighbour. */
		if (how == LATER && i > at && l->at[i].kind == UT_FAULT) {
			if (due)
				add(&out, &e);
			how = due ? DROP : how;
			due = true;
		}
	}
	return out;
}

struct expected {
	enum spoil how;
	uint64_t host, model; /* alone on either side */
	uint64_t other_vcpu;
};

static void check_spoilt(uint8_t kind, enum ur_deed deed)
{
	static const struct expected cases[] = {
		{ DROP, 0, 1, 0 },	 { OTHER_FRAME, 1, 1, 0 }, { OTHER_ROLE, 1, 1, 0 },
		{ OTHER_VCPU, 0, 0, 1 }, { TWICE, 1, 0, 0 },	   { LATER, 1, 1, 0 },
	};
	struct list l = read_trace();
	size_t at = nth(&l, kind);

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct list spoilt = spoil(&l, at, cases[i].how);
		struct ur_agreement a = hold_against(&spoilt, 10);
		const struct ur_deeds *d = &a.of[deed], *other = &a.of[!deed];

		adds_up(&a);
		assert_int_equal(alone(d, UR_HOST), cases[i].host);
		assert_int_equal(alone(d, UR_MODEL), cases[i].model);
		assert_int_equal(d->other_vcpu, cases[i].other_vcpu);
		assert_int_equal(other->matched, other->total[UR_HOST]);
		assert_int_equal(a.n_list, cases[i].host + cases[i].model);
		for (size_t n = 0; n < a.n_list; n++) {
			assert_int_equal(a.list[n].deed, deed);
			assert_int_equal(a.list[n].role & UT_ROLE_LEVEL, 1);
		}
		if (cases[i].how == OTHER_FRAME)
			assert_int_equal(d->alone[UR_HOST][UR_WHY_ABSENT], 1);
		free(a.list);
		free_list(&spoilt);
	}
	free_list(&l);
}

static void spoilt_unsync(void **state)
{
	(void)state;
	check_spoilt(UT_HOST_UNSYNC, UR_UNSYNC);
}

static void spoilt_sync(void **state)
{
	(void)state;
	check_spoilt(UT_HOST_SYNC, UR_SYNC);
}

/* ---- order ---- */

static struct ut_event made(uint8_t kind, uint16_t vcpu, uint64_t gfn)
{
	struct ut_event e = { .kind = kind, .vcpu = vcpu };

	if (kind == UT_WRITE)
		e.write = (struct ut_write){ .gfn = gfn, .size = 8, .how = UT_HOW_WINDOW };
	else if (kind == UT_CR)
		e.cr = (struct ut_cr){ .cr = 3, .value = gfn };
	else if (kind == UT_HOST_SYNC || kind == UT_HOST_UNSYNC || kind == UT_PAGE_FOUND)
		e.page = (struct ut_page){ .gfn = gfn, .role = 1 };
	return e;
}

static void writes_go_before_their_cause(void **state)
{
	struct ut_event e[] = { made(UT_FAULT, 0, 0),	    made(UT_CR, 0, 7),
				made(UT_PAGE_FOUND, 0, 7),  made(UT_WRITE, 0, 5),
				made(UT_WRITE, 0, 5),	    made(UT_HOST_SYNC, 0, 5),
				made(UT_WRITE, 0, 6),	    made(UT_HOST_SYNC, 0, 6),
				made(UT_HOST_RESYNC, 0, 0), made(UT_FAULT, 0, 0) };
	struct ur_order *o = ur_order_create();
	static const uint8_t kinds[] = { UT_FAULT,     UT_WRITE,       UT_WRITE,      UT_WRITE,
					 UT_CR,	       UT_HOST_RESYNC, UT_PAGE_FOUND, UT_HOST_SYNC,
					 UT_HOST_SYNC, UT_FAULT };
	const size_t n = sizeof(e) / sizeof(*e);

	(void)state;
	assert_non_null(o);
	/* In one block, and each event in a block of its own. */
	for (size_t size = 1; size <= n; size += n - 1) {
		size_t to = 0;

		for (size_t i = 0; i <= n; i += size) {
			struct ut_block in = { .events = e + i, .n = size }, out;

			assert_int_equal(ur_order_block(o, i < n ? &in : NULL, &out), 0);
			for (size_t k = 0; k < out.n; k++)
				assert_int_equal(out.events[k].kind, kinds[to++]);
		}
		assert_int_equal(to, n);
	}
	ur_order_free(o);
}

/* Runs of kinds go through unchanged: nothing here may be moved. */
static void stays(struct ut_event *e, size_t n)
{
	struct ur_order *o = ur_order_create();
	struct ut_block in = { .events = e, .n = n }, out;
	size_t to = 0;

	assert_non_null(o);
	for (size_t i = 0; i < n; i++)
		e[i].time = i;
	for (unsigned int last = 0; last < 2; last++) {
		assert_int_equal(ur_order_block(o, last ? NULL : &in, &out), 0);
		for (size_t k = 0; k < out.n; k++, to++)
			assert_int_equal(out.events[k].time, to);
	}
	assert_int_equal(to, n);
	ur_order_free(o);
}

static void what_stays(void **state)
{
	/* told during a fault */
	struct ut_event fault[] = { made(UT_FAULT, 0, 0), made(UT_WRITE, 0, 5),
				    made(UT_HOST_SYNC, 0, 5), made(UT_FAULT, 0, 0) };
	/* it went out of sync only after the register was written */
	struct ut_event later[] = { made(UT_CR, 0, 7), made(UT_HOST_UNSYNC, 1, 5),
				    made(UT_WRITE, 0, 5), made(UT_HOST_SYNC, 0, 5) };
	/* another vCPU wrote there meanwhile */
	struct ut_event mixed[] = { made(UT_CR, 0, 7), made(UT_WRITE, 1, 5), made(UT_WRITE, 0, 5),
				    made(UT_HOST_SYNC, 0, 5) };
	/* no sync follows: the page is given up */
	struct ut_event zapped[] = { made(UT_CR, 0, 7), made(UT_WRITE, 0, 5),
				     made(UT_FAULT, 0, 0) };

	(void)state;
	stays(fault, 4);
	stays(later, 4);
	stays(mixed, 4);
	stays(zapped, 3);
}

/* Whoever is first syncs for all: the writes go before the first step that is not over. */
static void two_vcpus(void **state)
{
	struct ut_event e[] = { made(UT_CR, 0, 7), made(UT_CR, 1, 7), made(UT_WRITE, 1, 5),
				made(UT_HOST_SYNC, 1, 5), made(UT_FAULT, 0, 0) };
	struct ur_order *o = ur_order_create();
	struct ut_block in = { .events = e, .n = 5 }, out;

	(void)state;
	assert_non_null(o);
	assert_int_equal(ur_order_block(o, &in, &out), 0);
	/* vCPU 1 may still be at it. */
	assert_int_equal(out.n, 2);
	assert_int_equal(out.events[0].kind, UT_WRITE);
	assert_int_equal(out.events[1].kind, UT_CR);
	assert_int_equal(out.events[1].vcpu, 0);
	assert_int_equal(ur_order_block(o, NULL, &out), 0);
	assert_int_equal(out.n, 3);
	assert_int_equal(out.events[0].kind, UT_CR);
	assert_int_equal(out.events[2].kind, UT_FAULT);
	ur_order_free(o);
}

/* ---- prediction ---- */

static void predicted(void **state)
{
	const struct um_model *bitmap = um_model_find("unsync-bitmap");
	const struct um_model *sow = um_model_find("sync-on-write");
	struct ur_prediction *p;
	struct ut_error err;

	(void)state;
	assert_int_equal(ur_predict(UNSYNC_PAIRS "/linux-6.1-native.utrace",
				    UNSYNC_PAIRS "/linux-6.1-exact.utrace", bitmap, NULL, NULL,
				    NULL, &p, &err),
			 0);
	assert_int_equal(p->n_vms, 6);
	assert_string_equal(p->failed, "");
	for (size_t i = 0; i < p->n_vms; i++) {
		assert_true(p->vms[i].alike);
		assert_true(p->vms[i].common > 1);
		assert_int_equal(p->vms[i].common, p->vms[i].steps[UR_HOST].n);
		assert_int_equal(p->vms[i].common, p->vms[i].first_difference);
	}
	ur_prediction_free(p);

	/* A design without anything out of sync predicts nothing. */
	assert_int_equal(ur_predict(UNSYNC_PAIRS "/linux-6.1-native.utrace",
				    UNSYNC_PAIRS "/linux-6.1-exact.utrace", sow, NULL, NULL, NULL,
				    &p, &err),
			 0);
	for (size_t i = 0; i < p->n_vms; i++) {
		assert_false(p->vms[i].alike);
		assert_int_equal(p->vms[i].common, 0);
		assert_int_equal(p->vms[i].steps[UR_MODEL].n, 0);
	}
	ur_prediction_free(p);

	assert_int_equal(ur_predict(UNSYNC_PAIRS "/linux-6.1-exact.utrace",
				    UNSYNC_PAIRS "/linux-6.1-exact.utrace", bitmap, NULL, NULL,
				    NULL, &p, &err),
			 -1);
	assert_non_null(strstr(err.text, "no native trace"));
	assert_null(p);
	assert_int_equal(ur_predict(UNSYNC_PAIRS "/linux-6.1-native.utrace",
				    UNSYNC_PAIRS "/linux-6.1-native.utrace", bitmap, NULL, NULL,
				    NULL, &p, &err),
			 -1);
	assert_non_null(strstr(err.text, "no exact trace"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unspoilt),    cmocka_unit_test(spoilt_unsync),
		cmocka_unit_test(spoilt_sync), cmocka_unit_test(writes_go_before_their_cause),
		cmocka_unit_test(what_stays),  cmocka_unit_test(two_vcpus),
		cmocka_unit_test(predicted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
