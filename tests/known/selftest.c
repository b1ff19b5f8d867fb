// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does the comparison find what is wrong with a recording? Right recordings are made for some
 * scripts; each must pass. Then one thing in them is spoilt at a time; each time it must be found.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"

#define SEEDS 12
#define TRIES 6 /* of each kind of spoiling, for each recording */

static uint64_t random_state = 1;

static size_t draw(size_t n)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return (size_t)(random_state >> 33) % n;
}

/* ---- ways to spoil an event; each says whether this one can be spoilt so ---- */

static bool is_control(const struct ut_event *e)
{
	return e->kind == UT_CR || e->kind == UT_INVLPG || e->kind == UT_INVPCID;
}

static bool is_trapped(const struct ut_event *e)
{
	return e->kind == UT_WRITE && e->write.how == UT_HOW_TRAPPED;
}

static bool drop_control(struct ut_event *e)
{
	return is_control(e);
}

static bool drop_trapped(struct ut_event *e)
{
	return is_trapped(e);
}

static bool drop_found(struct ut_event *e)
{
	return e->kind == UT_WRITE && e->write.how != UT_HOW_TRAPPED;
}

static bool drop_fault(struct ut_event *e)
{
	return e->kind == UT_FAULT;
}

static bool drop_ad(struct ut_event *e)
{
	return e->kind == UT_AD;
}

static bool drop_new(struct ut_event *e)
{
	return e->kind == UT_PAGE_NEW;
}

static bool drop_zap(struct ut_event *e)
{
	return e->kind == UT_PAGE_ZAP;
}

static bool drop_unsync(struct ut_event *e)
{
	return e->kind == UT_HOST_UNSYNC;
}

static bool drop_sync(struct ut_event *e)
{
	return e->kind == UT_HOST_SYNC;
}

static bool drop_state(struct ut_event *e)
{
	return e->kind == UT_STATE;
}

static bool drop_gone(struct ut_event *e)
{
	return e->kind == UT_VM_GONE;
}

static bool spoil_control(struct ut_event *e)
{
	if (e->kind == UT_CR)
		e->cr.value ^= 0x8;
	else if (e->kind == UT_INVLPG)
		e->invlpg.gva ^= 0x1000;
	else if (e->kind == UT_INVPCID)
		e->invpcid.pcid ^= 1;
	return is_control(e);
}

static bool spoil_register(struct ut_event *e)
{
	if (e->kind != UT_CR)
		return false;
	e->cr.cr = e->cr.cr ? 0 : 3;
	return true;
}

static bool spoil_value(struct ut_event *e)
{
	if (e->kind != UT_WRITE)
		return false;
	e->write.val ^= 1ull << draw(8 * e->write.size);
	return true;
}

static bool spoil_old(struct ut_event *e)
{
	if (e->kind != UT_WRITE || !e->write.old_known)
		return false;
	e->write.old ^= 1ull << draw(8 * e->write.size);
	return true;
}

static bool forget_old(struct ut_event *e)
{
	/* Of a table out of sync it need not be known. */
	if (e->kind != UT_WRITE || !e->write.old_known)
		return false;
	e->write.old_known = false;
	e->write.old = 0;
	return true;
}

static bool spoil_size(struct ut_event *e)
{
	if (!is_trapped(e))
		return false;
	e->write.size = e->write.size == 8 ? 4 : (uint8_t)(e->write.size + 1);
	if (e->write.size < 8)
		e->write.val &= (1ull << 8 * e->write.size) - 1;
	return true;
}

static bool spoil_offset(struct ut_event *e)
{
	if (e->kind != UT_WRITE)
		return false;
	e->write.offset ^= 8;
	return true;
}

static bool spoil_table(struct ut_event *e)
{
	if (e->kind != UT_WRITE)
		return false;
	e->write.gfn ^= 1;
	return true;
}

static bool spoil_how(struct ut_event *e)
{
	if (e->kind != UT_WRITE)
		return false;
	e->write.how = e->write.how == UT_HOW_TRAPPED ? UT_HOW_WINDOW : UT_HOW_TRAPPED;
	return true;
}

static bool spoil_address(struct ut_event *e)
{
	size_t bit;

	if (e->kind != UT_FAULT)
		return false;
	/* An instruction may access neighbours; and with pages of 4 MiB the interpreter is near. */
	bit = 8 + draw(e->fault.top > 3 ? 39 : 24);
	e->fault.gva ^= 1ull << bit;
	return e->fault.top > 2 || bit != 21;
}

/* A write that reads first may be told as a read. */
static bool spoil_error(struct ut_event *e)
{
	static const uint32_t bits[] = { UT_PF_USER, UT_PF_FETCH, UT_PF_WRITE };

	if (e->kind != UT_FAULT)
		return false;
	e->fault.error ^= bits[draw(e->fault.error & UT_PF_WRITE ? 2 : 3)];
	return true;
}

static bool spoil_walk(struct ut_event *e)
{
	size_t level, bit;

	if (e->kind != UT_FAULT)
		return false;
	level = e->fault.bottom + draw(e->fault.top + 1u - e->fault.bottom);
	bit = draw(e->fault.top == 2 ? 32 : 64);
	e->fault.walk[level - 1] ^= 1ull << bit;
	/* Perhaps the host has set these by now. */
	return (1ull << bit & (UT_PTE_A | UT_PTE_D)) == 0;
}

static bool spoil_bottom(struct ut_event *e)
{
	if (e->kind != UT_FAULT)
		return false;
	e->fault.bottom =
		(uint8_t)(e->fault.bottom == e->fault.top ? e->fault.top - 1 : e->fault.bottom + 1);
	return true;
}

static bool spoil_outcome(struct ut_event *e)
{
	if (e->kind != UT_FAULT)
		return false;
	e->fault.outcome = e->fault.outcome == UT_OUT_REFLECTED ? UT_OUT_FILLED : UT_OUT_REFLECTED;
	return true;
}

static bool spoil_map_level(struct ut_event *e)
{
	if (e->kind != UT_FAULT || e->fault.outcome != UT_OUT_FILLED)
		return false;
	e->fault.map_level = (uint8_t)(e->fault.bottom == e->fault.top ? 0 : e->fault.bottom + 1);
	return true;
}

static bool spoil_index(struct ut_event *e)
{
	if (e->kind != UT_AD)
		return false;
	e->ad.index ^= 1;
	return true;
}

static bool spoil_bit(struct ut_event *e)
{
	if (e->kind != UT_AD)
		return false;
	e->ad.dirty = !e->ad.dirty;
	return true;
}

static bool is_page(const struct ut_event *e)
{
	return e->kind >= UT_PAGE_NEW && e->kind <= UT_HOST_SYNC;
}

static bool spoil_frame(struct ut_event *e)
{
	if (!is_page(e))
		return false;
	e->page.gfn ^= 1;
	return true;
}

static bool spoil_role(struct ut_event *e)
{
	static const uint32_t bits[] = { 1,
					 2,
					 UT_ROLE_DIRECT,
					 UT_ROLE_WRITE,
					 UT_ROLE_USER,
					 UT_ROLE_EXEC,
					 UT_ROLE_CR0_WP,
					 UT_ROLE_EFER_NX };

	if (!is_page(e))
		return false;
	e->page.role ^= bits[draw(sizeof(bits) / sizeof(bits[0]))];
	return true;
}

static bool spoil_unsync(struct ut_event *e)
{
	if (e->kind != UT_PAGE_FOUND && e->kind != UT_PAGE_ZAP)
		return false;
	e->page.unsync = !e->page.unsync;
	return true;
}

static bool spoil_content(struct ut_event *e)
{
	if (e->kind != UT_PAGE_NEW || !e->page.n)
		return false;
	((struct ut_entry *)e->page.entries)[draw(e->page.n)].value ^= 1ull << draw(64);
	return true;
}

static bool forget_word(struct ut_event *e)
{
	if (e->kind != UT_PAGE_NEW || !e->page.n)
		return false;
	e->page.n--;
	return true;
}

static bool forget_content(struct ut_event *e)
{
	if (e->kind != UT_PAGE_NEW || !e->page.known)
		return false;
	e->page.known = false;
	return true;
}

static bool spoil_vcpu(struct ut_event *e)
{
	if (!is_control(e) && !is_trapped(e) && e->kind != UT_FAULT)
		return false;
	e->vcpu ^= 1;
	return true;
}

static bool spoil_state(struct ut_event *e)
{
	if (e->kind != UT_STATE)
		return false;
	e->state.cr3 ^= 0x1000;
	return true;
}

enum how { SPOIL, DROP, DOUBLE, SWAP };

static bool any_act(struct ut_event *e)
{
	return is_control(e) || is_trapped(e);
}

static const struct spoiling {
	const char *name;
	bool (*apply)(struct ut_event *e);
	enum how how;
	bool native_only;
} spoilings[] = {
	{ "drop a control event", drop_control, DROP },
	{ "drop a trapped write", drop_trapped, DROP },
	{ "drop a write found", drop_found, DROP, true },
	{ "drop a fault", drop_fault, DROP },
	{ "drop an accessed or dirty bit", drop_ad, DROP },
	{ "drop a page made", drop_new, DROP },
	{ "drop a page zapped", drop_zap, DROP },
	{ "drop an unsync", drop_unsync, DROP, true },
	{ "drop a sync", drop_sync, DROP, true },
	{ "drop the registers", drop_state, DROP },
	{ "drop an end", drop_gone, DROP },
	{ "double a control event", drop_control, DOUBLE },
	{ "double a trapped write", drop_trapped, DOUBLE },
	{ "double a fault", drop_fault, DOUBLE },
	{ "double a page made", drop_new, DOUBLE },
	{ "swap a control event or write with the next", any_act, SWAP },
	{ "value of a control event", spoil_control, SPOIL },
	{ "register of a control event", spoil_register, SPOIL },
	{ "value of a write", spoil_value, SPOIL },
	{ "old value of a write", spoil_old, SPOIL },
	{ "old value of a write unknown", forget_old, SPOIL },
	{ "size of a write", spoil_size, SPOIL },
	{ "offset of a write", spoil_offset, SPOIL },
	{ "table of a write", spoil_table, SPOIL },
	{ "how a write is known", spoil_how, SPOIL },
	{ "address of a fault", spoil_address, SPOIL },
	{ "error code of a fault", spoil_error, SPOIL },
	{ "entry of a walk", spoil_walk, SPOIL },
	{ "depth of a walk", spoil_bottom, SPOIL },
	{ "outcome of a fault", spoil_outcome, SPOIL },
	{ "map level of a fault", spoil_map_level, SPOIL },
	{ "place of an accessed or dirty bit", spoil_index, SPOIL },
	{ "accessed for dirty", spoil_bit, SPOIL },
	{ "frame of a page", spoil_frame, SPOIL },
	{ "role of a page", spoil_role, SPOIL },
	{ "out of sync or not", spoil_unsync, SPOIL },
	{ "content of a page", spoil_content, SPOIL },
	{ "word of a page missing", forget_word, SPOIL },
	{ "content of a page missing", forget_content, SPOIL },
	{ "vCPU of an event", spoil_vcpu, SPOIL },
	{ "registers", spoil_state, SPOIL },
};
#define SPOILINGS (sizeof(spoilings) / sizeof(spoilings[0]))

/* ---- ---- */

static const struct vm_features features[] = { { .pcid = false },
					       { .pcid = true, .invpcid = true } };
static const struct paging *const pagings[] = { &paging_four, &paging_five, &paging_pae,
						&paging_two };

static int run_compare(const struct script *s, const struct recording *r, unsigned int mode,
		       struct ut_error *err)
{
	static struct compare_counts counts;

	memset(err, 0, sizeof(*err));
	return compare(s, r, mode, &counts, err);
}

static void copy_but(struct recording *to, const struct recording *from, size_t skip)
{
	for (size_t i = 0; i < from->n; i++) {
		if (i != skip)
			assert_int_equal(recording_add(to, &from->events[i]), 0);
	}
}

static bool is_same_act(const struct ut_event *a, const struct ut_event *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case UT_CR:
		return a->cr.cr == b->cr.cr && a->cr.value == b->cr.value;
	case UT_INVLPG:
		return a->invlpg.gva == b->invlpg.gva;
	case UT_INVPCID:
		return a->invpcid.type == b->invpcid.type && a->invpcid.pcid == b->invpcid.pcid &&
		       a->invpcid.gva == b->invpcid.gva;
	default:
		return a->write.gfn == b->write.gfn && a->write.offset == b->write.offset &&
		       a->write.size == b->write.size && a->write.val == b->write.val;
	}
}

/* The next act of the same vCPU, if it is not the same event again. */
static size_t next_act(const struct recording *r, size_t at)
{
	for (size_t i = at + 1; i < r->n; i++) {
		struct ut_event *a = &r->events[at], *b = &r->events[i];

		if (b->vcpu != a->vcpu || !any_act(b))
			continue;
		return is_same_act(a, b) ? 0 : i;
	}
	return 0;
}

/* Makes a spoilt copy; returns whether there was something to spoil at @at. */
static bool spoil(const struct spoiling *how, const struct recording *from, size_t at,
		  struct recording *to)
{
	struct ut_event e = from->events[at], other;
	size_t next;

	if (how->how != SPOIL) {
		if (!how->apply(&e))
			return false;
	}
	if (how->how == DROP) {
		copy_but(to, from, at);
		return true;
	}
	copy_but(to, from, SIZE_MAX);
	if (how->how == SPOIL)
		return how->apply(&to->events[at]);
	next = how->how == SWAP ? next_act(to, at) : at;
	if (!next)
		return false;
	if (how->how == SWAP) {
		other = to->events[at];
		to->events[at] = to->events[next];
		to->events[next] = other;
		return true;
	}
	/* Doubled: what comes after moves by one; the copy owns its own words. */
	assert_int_equal(recording_add(to, &from->events[at]), 0);
	other = to->events[to->n - 1];
	memmove(&to->events[at + 2], &to->events[at + 1], (to->n - at - 2) * sizeof(other));
	to->events[at + 1] = other;
	return true;
}

static struct {
	unsigned long tried, missed;
} results[SPOILINGS];

static void try_spoilings(const struct script *s, const struct recording *right, unsigned int mode)
{
	for (size_t i = 0; i < SPOILINGS; i++) {
		unsigned int done = 0;

		for (unsigned int tries = 0; done < TRIES && tries < 400; tries++) {
			struct recording wrong = {};
			size_t at = draw(right->n);
			struct ut_error err;

			if (spoil(&spoilings[i], right, at, &wrong)) {
				done++;
				results[i].tried++;
				if (!run_compare(s, &wrong, mode, &err)) {
					results[i].missed++;
					printf("missed: %s: seed %llu, %s, %s, event %zu (%s)\n",
					       spoilings[i].name, (unsigned long long)s->seed,
					       s->paging->name,
					       mode == UT_MODE_EXACT ? "exact" : "native", at,
					       ut_kind_name(right->events[at].kind));
				}
			}
			recording_free(&wrong);
		}
	}
}

static void spoil_script(const struct script *s, unsigned int mode)
{
	struct recording right = {};
	struct ut_error err;

	assert_int_equal(fake_record(s, mode, &right), 0);
	if (run_compare(s, &right, mode, &err))
		fail_msg("a right recording, %s: %s", s->paging->name, err.text);
	try_spoilings(s, &right, mode);
	recording_free(&right);
}

static void spoil_scripts(const struct paging *paging)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct script *s = script_make(seed, paging, features[seed & 1]);

		assert_non_null(s);
		for (unsigned int mode = UT_MODE_NATIVE; mode <= UT_MODE_EXACT; mode++) {
			if (s->flavour != SCRIPT_FREE)
				spoil_script(s, mode);
		}
		script_free(s);
	}
}

static void test_spoilings(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(pagings) / sizeof(pagings[0]); i++)
		spoil_scripts(pagings[i]);
	for (size_t i = 0; i < SPOILINGS; i++) {
		printf("%-45s %4lu tried, %lu missed\n", spoilings[i].name, results[i].tried,
		       results[i].missed);
		assert_true(results[i].tried > 0);
	}
	for (size_t i = 0; i < SPOILINGS; i++)
		assert_int_equal(results[i].missed, 0);
}

/* The same seed, the same script; and nothing of it depends on what was made before. */
static void test_seeds(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 64; seed++) {
		const struct paging *p = pagings[seed & 3];
		struct script *a = script_make(seed, p, features[0]);
		struct script *other = script_make(seed + 1, p, features[0]);
		struct script *b = script_make(seed, p, features[0]);

		assert_true(a && b && other);
		assert_int_equal(a->arrays, b->arrays);
		for (unsigned int i = 0; i < a->arrays; i++) {
			assert_int_equal(a->n[i], b->n[i]);
			assert_memory_equal(a->op[i], b->op[i], a->n[i] * sizeof(*a->op[i]));
		}
		assert_memory_equal(&a->end, &b->end, sizeof(a->end));
		assert_memory_not_equal(a->op[0], other->op[0], 100 * sizeof(*a->op[0]));
		script_free(a);
		script_free(b);
		script_free(other);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seeds),
		cmocka_unit_test(test_spoilings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
