// SPDX-License-Identifier: GPL-2.0-only
/* xen-oos: slots, snapshots, other vCPUs' tables, and when a table is taken for none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "bed.h"

static uint64_t own(const struct bed *b, const char *name)
{
	const struct um_own_counter *c = b->g.mmu->model->counters;

	for (unsigned int i = 0; c[i].name; i++) {
		if (!strcmp(c[i].name, name))
			return b->g.mmu->own[i];
	}
	fail_msg("no counter %s", name);
	return 0;
}

static bool is_out(const struct bed *b, uint64_t table)
{
	const struct um_page *page = bed_page(b, table);

	return page && page->unsync;
}

static void lay(struct bed *b, const char *options, unsigned int vcpus)
{
	bed_lay(b, "xen-oos", options, vcpus);
}

/* The kernel writes to a table, without a flush. */
static void write_zero(struct bed *b, uint64_t table, unsigned int i)
{
	guest_write(&b->g, 0, table, i, 0);
}

/* ---- out of sync and back ---- */

static void a_write_lets_go_at_once(void **state)
{
	struct bed b;

	(void)state;
	lay(&b, NULL, 1);
	bed_read(&b, bed_va(0));
	/* Not so a read of the table. */
	guest_access(&b.g, 0, GUEST_DIRECT_MAP + (b.l1 << 12), 0);
	assert_false(is_out(&b, b.l1));
	for (unsigned int i = 0; i < 4; i++)
		bed_set(&b, i, 0);
	assert_int_equal(bed_count(&b, UM_unsyncs), 1);
	assert_int_equal(bed_count(&b, UM_writes_emulated), 0);
	assert_true(bed_read(&b, bed_va(0)));
	bed_switch(&b, 0);
	assert_false(is_out(&b, b.l1));
	assert_int_equal(bed_count(&b, UM_tables_synced), 1);
	assert_false(bed_read(&b, bed_va(0)));
	bed_lift(&b);
}

static void upper_tables_are_emulated(void **state)
{
	struct bed b;

	(void)state;
	lay(&b, NULL, 1);
	bed_read(&b, bed_va(0));
	guest_write(&b.g, 0, b.l2, 9, 0);
	assert_int_equal(bed_count(&b, UM_writes_emulated), 1);
	assert_int_equal(bed_count(&b, UM_unsyncs_refused), 1);
	bed_lift(&b);
}

static void paging_off_somewhere(void **state)
{
	struct ut_event e = { .kind = UT_CR, .vcpu = 1, .cr = { .cr = 0, .value = 1 } };
	struct bed b;

	(void)state;
	lay(&b, NULL, 2);
	bed_read(&b, bed_va(0));
	guest_event(&b.g, &e);
	bed_set(&b, 0, 0);
	assert_false(is_out(&b, b.l1));
	assert_int_equal(bed_count(&b, UM_writes_emulated), 1);
	bed_lift(&b);
}

static void two_shadows_stay_in_step(void **state)
{
	struct bed b;

	(void)state;
	lay(&b, NULL, 1);
	bed_hang(&b, guest_root(&b.g, 1), b.l1, ~UT_PTE_W);
	bed_read(&b, bed_va(0));
	bed_set(&b, 0, 0);
	assert_true(is_out(&b, b.l1));
	bed_switch(&b, 0);
	bed_switch(&b, 1);
	bed_read(&b, bed_va(1));
	bed_set(&b, 1, 0);
	assert_int_equal(bed_count(&b, UM_unsyncs), 1);
	assert_int_equal(bed_count(&b, UM_writes_emulated), 1);
	bed_lift(&b);
}

static void a_second_shadow_brings_it_back(void **state)
{
	struct bed b;
	uint64_t l2;

	(void)state;
	lay(&b, NULL, 2);
	l2 = bed_hang(&b, guest_root(&b.g, 1), b.l1, ~UT_PTE_W);
	*guest_entry(&b.g, l2, BED_ENTRY + 1) = bed_leaf(&b) << 12 | BED_USER;
	guest_cr3(&b.g, 1, guest_root(&b.g, 1) << 12);
	/* So that the level-2 table is linked already. */
	guest_access(&b.g, 1, bed_va(UM_ENTRIES), UT_PF_USER);
	bed_read(&b, bed_va(0));
	bed_set(&b, 0, 0);
	assert_true(is_out(&b, b.l1));
	guest_access(&b.g, 1, bed_va(1), UT_PF_USER);
	assert_int_equal(b.g.mmu->unsync_now, 0);
	assert_false(bed_read(&b, bed_va(0)));
	bed_lift(&b);
}

static void invlpg_drops_one_entry(void **state)
{
	struct bed b;

	(void)state;
	lay(&b, NULL, 1);
	bed_read(&b, bed_va(0));
	bed_set(&b, 0, 0);
	bed_set(&b, 1, 0);
	guest_invlpg(&b.g, 0, bed_va(0));
	assert_false(bed_read(&b, bed_va(0)));
	assert_true(bed_read(&b, bed_va(1)));
	assert_true(is_out(&b, b.l1));
	bed_lift(&b);
}

/* A new link above the leaf tables, of a table that may lead to any of them. */
static void a_link_above_resyncs_all(void **state)
{
	struct bed b;

	(void)state;
	lay(&b, NULL, 1);
	bed_read(&b, bed_va(0));
	bed_set(&b, 0, 0);
	guest_write(&b.g, 0, b.l3, 1, b.l2 << 12 | BED_USER);
	assert_true(is_out(&b, b.l1));
	bed_read(&b, bed_va(1) + (1ull << 30));
	assert_false(is_out(&b, b.l1));
	assert_false(bed_read(&b, bed_va(0) + (1ull << 30)));
	bed_lift(&b);
}

/* ---- snapshots ---- */

static void only_what_changed_is_looked_into(void **state)
{
	static const char *const options[] = { "snapshot=yes", "snapshot=no" };
	static const unsigned int looked[] = { 1, BED_FILLED };
	struct bed b;

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		lay(&b, options[i], 1);
		bed_read(&b, bed_va(0));
		bed_read(&b, bed_va(8));
		bed_set(&b, 3, (BED_DATA + 40) << 12 | BED_USER);
		bed_switch(&b, 0);
		assert_int_equal(own(&b, "entries_looked_into"), looked[i]);
		assert_int_equal(bed_count(&b, UM_entries_compared), BED_FILLED);
		/* It is there as the guest has it now: no fault. */
		assert_int_equal(bed_count(&b, UM_entries_reinstalled), 1);
		assert_true(bed_read(&b, bed_va(3)));
		bed_lift(&b);
	}
}

/* There and back: what a fault filled in between is not what the snapshot was taken of. */
static void a_fault_goes_into_the_snapshot(void **state)
{
	struct bed b;

	(void)state;
	lay(&b, NULL, 1);
	bed_read(&b, bed_va(0));
	bed_set(&b, 30, BED_DATA << 12 | BED_USER);
	bed_read(&b, bed_va(30));
	assert_true(bed_read(&b, bed_va(30)));
	bed_set(&b, 30, 0);
	bed_switch(&b, 0);
	assert_false(bed_read(&b, bed_va(30)));
	bed_lift(&b);
}

/* In a native trace a write may come without a fault of its own, when it has happened already. */
static void a_net_write_is_not_in_the_snapshot(void **state)
{
	struct ut_event e = { .kind = UT_WRITE, .write = { .size = 8, .how = UT_HOW_WINDOW } };
	struct bed b;

	(void)state;
	lay(&b, NULL, 1);
	bed_read(&b, bed_va(0));
	e.write.gfn = b.l1;
	*guest_entry(&b.g, b.l1, 0) = 0;
	guest_event(&b.g, &e);
	assert_true(is_out(&b, b.l1));
	bed_switch(&b, 0);
	assert_int_equal(own(&b, "entries_looked_into"), 1);
	assert_false(bed_read(&b, bed_va(0)));
	bed_lift(&b);
}

/* ---- slots ---- */

#define LEAVES 6

static void lay_leaves(struct bed *b, const char *options, uint64_t l1[LEAVES])
{
	lay(b, options, 1);
	for (unsigned int t = 0; t < LEAVES; t++) {
		l1[t] = bed_leaf(b);
		*guest_entry(&b->g, b->l2, 10 + t) = l1[t] << 12 | BED_USER;
		bed_read(b, (10ull + t) << 21);
	}
}

static unsigned int out_set(const struct bed *b, const uint64_t l1[LEAVES])
{
	unsigned int set = 0;

	for (unsigned int t = 0; t < LEAVES; t++)
		set |= (unsigned int)is_out(b, l1[t]) << t;
	return set;
}

/* Tables follow each other: 0 and 3 have the same slot, 1 and 4 the next, 2 and 5 the last. */
static void a_slot_and_the_next(void **state)
{
	uint64_t l1[LEAVES];
	struct bed b;

	(void)state;
	lay_leaves(&b, NULL, l1);
	write_zero(&b, l1[0], 0);
	write_zero(&b, l1[3], 0); /* 0 moves to the next slot */
	assert_int_equal(out_set(&b, l1), 1 | 8);
	write_zero(&b, l1[1], 0); /* which is 1's own: 0 is resynced */
	assert_int_equal(out_set(&b, l1), 8 | 2);
	write_zero(&b, l1[4], 0); /* 1 moves on */
	assert_int_equal(out_set(&b, l1), 8 | 2 | 16);
	write_zero(&b, l1[0], 1); /* 3 moves to 4's slot, and 4 is resynced */
	assert_int_equal(out_set(&b, l1), 8 | 2 | 1);
	assert_int_equal(own(&b, "slots_evicted"), 2);
	/* The content of the snapshots has moved with them. */
	bed_switch(&b, 0);
	assert_int_equal(out_set(&b, l1), 0);
	for (unsigned int t = 0; t < 5; t++)
		assert_int_equal(bed_read(&b, (10ull + t) << 21), t == 2);
	bed_lift(&b);
}

static void one_slot_and_none(void **state)
{
	uint64_t l1[LEAVES];
	struct bed b;

	(void)state;
	lay_leaves(&b, "slots=1", l1);
	write_zero(&b, l1[0], 0);
	write_zero(&b, l1[1], 0);
	assert_int_equal(out_set(&b, l1), 2);
	bed_lift(&b);
	lay_leaves(&b, "slots=0", l1);
	write_zero(&b, l1[0], 0);
	assert_int_equal(out_set(&b, l1), 0);
	assert_int_equal(bed_count(&b, UM_writes_emulated), 1);
	assert_int_equal(bed_count(&b, UM_bookkeeping_peak), 0);
	bed_lift(&b);
}

static void slots_cost_memory(void **state)
{
	struct bed b;

	(void)state;
	lay(&b, NULL, 2);
	assert_true(bed_count(&b, UM_bookkeeping_peak) >= 2 * 3 * 4096);
	bed_lift(&b);
	lay(&b, "snapshot=no", 2);
	assert_true(bed_count(&b, UM_bookkeeping_peak) < 1024);
	bed_lift(&b);
}

/* Two writable mappings at most; a third costs the first its permission. */
static void mappings_take_turns(void **state)
{
	static const uint64_t user[] = { 5, 6 };
	struct bed b;
	uint64_t t;

	(void)state;
	for (unsigned int bound = 0; bound < 2; bound++) {
		lay(&b, bound ? "fixups=2" : "fixups=0", 1);
		t = bed_leaf(&b);
		*guest_entry(&b.g, b.l2, 10) = t << 12 | BED_USER;
		for (unsigned int i = 0; i < 2; i++)
			*guest_entry(&b.g, b.l1, user[i] * 8) = t << 12 | BED_USER;
		bed_read(&b, 10ull << 21);
		write_zero(&b, t, 0);
		for (unsigned int i = 0; i < 2; i++)
			guest_access(&b.g, 0, bed_va((unsigned int)user[i] * 8), UT_PF_WRITE);
		assert_int_equal(own(&b, "fixups_evicted"), bound);
		assert_true(is_out(&b, t));
		assert_int_equal(guest_access(&b.g, 0, GUEST_DIRECT_MAP + (t << 12), UT_PF_WRITE),
				 !bound);
		bed_lift(&b);
	}
}

/* ---- whose tables a CR3 write looks at ---- */

/* vCPU 1 has let the table below root 0 go; vCPU 0 writes CR3. */
static void let_go_elsewhere(struct bed *b, const char *options, unsigned int root)
{
	lay(b, options, 2);
	bed_switch(b, 1);
	guest_access(&b->g, 1, bed_va(0), UT_PF_USER);
	guest_write(&b->g, 1, b->l1, 0, 0);
	assert_true(is_out(b, b->l1));
	bed_switch(b, root);
}

static void others_are_updated_or_skipped(void **state)
{
	struct bed b;

	(void)state;
	let_go_elsewhere(&b, NULL, 1);
	assert_int_equal(own(&b, "foreign_skipped"), 1);
	assert_int_equal(bed_count(&b, UM_tables_synced), 0);
	bed_switch(&b, 0);
	assert_int_equal(own(&b, "foreign_updated"), 1);
	assert_true(is_out(&b, b.l1));
	assert_false(bed_read(&b, bed_va(0)));
	bed_lift(&b);

	let_go_elsewhere(&b, "foreign=update", 1);
	assert_int_equal(own(&b, "foreign_updated"), 1);
	assert_true(is_out(&b, b.l1));
	bed_lift(&b);

	let_go_elsewhere(&b, "foreign=resync", 1);
	assert_false(is_out(&b, b.l1));
	bed_lift(&b);
}

/* Two ways lead there: nothing is proven. */
static void two_parents_prove_nothing(void **state)
{
	struct bed b;

	(void)state;
	lay(&b, NULL, 2);
	bed_hang(&b, guest_root(&b.g, 1), b.l1, ~0ull);
	bed_read(&b, bed_va(0));
	guest_cr3(&b.g, 1, guest_root(&b.g, 1) << 12);
	guest_access(&b.g, 1, bed_va(0), UT_PF_USER);
	guest_write(&b.g, 1, b.l1, 0, 0);
	bed_switch(&b, 1);
	assert_int_equal(own(&b, "foreign_updated"), 1);
	assert_false(bed_read(&b, bed_va(0)));
	bed_lift(&b);
}

static void leaving_or_entering(void **state)
{
	struct bed b;

	(void)state;
	for (unsigned int enter = 0; enter < 2; enter++) {
		lay(&b, enter ? "sync_on=enter" : "sync_on=leave", 1);
		bed_read(&b, bed_va(0));
		bed_set(&b, 0, 0);
		bed_switch(&b, 1);
		assert_int_equal(is_out(&b, b.l1), enter);
		bed_switch(&b, 0);
		assert_false(is_out(&b, b.l1));
		assert_false(bed_read(&b, bed_va(0)));
		assert_int_equal(bed_count(&b, UM_tables_synced), 1);
		bed_lift(&b);
	}
}

/* ---- tables that are none any more ---- */

static void zeros_in_a_row(void **state)
{
	struct bed b;

	(void)state;
	lay(&b, NULL, 1);
	bed_read(&b, bed_va(0));
	write_zero(&b, b.l2, 20);
	assert_non_null(bed_page(&b, b.l2));
	write_zero(&b, b.l2, 21);
	assert_null(bed_page(&b, b.l2));
	assert_int_equal(own(&b, "unshadowed_early"), 1);
	bed_lift(&b);

	/* A value, or a fault, between them. */
	lay(&b, NULL, 1);
	bed_read(&b, bed_va(0));
	write_zero(&b, b.l2, 20);
	guest_write(&b.g, 0, b.l2, 20, BED_DATA << 12 | BED_USER);
	write_zero(&b, b.l2, 21);
	bed_read(&b, bed_va(8));
	write_zero(&b, b.l2, 22);
	assert_non_null(bed_page(&b, b.l2));
	bed_lift(&b);

	/* Another table's. */
	lay(&b, NULL, 1);
	bed_read(&b, bed_va(0));
	write_zero(&b, b.l2, 20);
	write_zero(&b, b.l3, 21);
	write_zero(&b, b.l2, 21);
	assert_int_equal(own(&b, "unshadowed_early"), 0);
	bed_lift(&b);

	lay(&b, "early_unshadow=no", 1);
	bed_read(&b, bed_va(0));
	write_zero(&b, b.l2, 20);
	write_zero(&b, b.l2, 21);
	assert_non_null(bed_page(&b, b.l2));
	bed_lift(&b);
}

/* It would take a search, and it is in use. */
static void a_root_in_use_does_not_go(void **state)
{
	struct bed b;

	(void)state;
	lay(&b, NULL, 1);
	bed_read(&b, bed_va(0));
	write_zero(&b, guest_root(&b.g, 0), 20);
	write_zero(&b, guest_root(&b.g, 0), 21);
	assert_non_null(bed_page(&b, guest_root(&b.g, 0)));
	bed_lift(&b);
}

static void user_mode_writes_no_tables(void **state)
{
	struct bed b;
	uint64_t t;

	(void)state;
	for (unsigned int rule = 0; rule < 2; rule++) {
		lay(&b, rule ? "user_unshadow=yes" : "user_unshadow=no", 1);
		t = bed_leaf(&b);
		*guest_entry(&b.g, b.l2, 10) = t << 12 | BED_USER;
		*guest_entry(&b.g, b.l1, 8) = t << 12 | BED_USER;
		bed_read(&b, 10ull << 21);
		guest_access(&b.g, 0, bed_va(8), UT_PF_USER | UT_PF_WRITE);
		assert_int_equal(!bed_page(&b, t), rule);
		assert_int_equal(own(&b, "unshadowed_user"), rule);
		assert_int_equal(is_out(&b, t), !rule);
		bed_lift(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_write_lets_go_at_once),
		cmocka_unit_test(upper_tables_are_emulated),
		cmocka_unit_test(paging_off_somewhere),
		cmocka_unit_test(two_shadows_stay_in_step),
		cmocka_unit_test(a_second_shadow_brings_it_back),
		cmocka_unit_test(invlpg_drops_one_entry),
		cmocka_unit_test(a_link_above_resyncs_all),
		cmocka_unit_test(only_what_changed_is_looked_into),
		cmocka_unit_test(a_fault_goes_into_the_snapshot),
		cmocka_unit_test(a_net_write_is_not_in_the_snapshot),
		cmocka_unit_test(a_slot_and_the_next),
		cmocka_unit_test(one_slot_and_none),
		cmocka_unit_test(slots_cost_memory),
		cmocka_unit_test(mappings_take_turns),
		cmocka_unit_test(others_are_updated_or_skipped),
		cmocka_unit_test(two_parents_prove_nothing),
		cmocka_unit_test(leaving_or_entering),
		cmocka_unit_test(zeros_in_a_row),
		cmocka_unit_test(a_root_in_use_does_not_go),
		cmocka_unit_test(user_mode_writes_no_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
