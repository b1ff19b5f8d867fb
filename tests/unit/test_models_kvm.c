// SPDX-License-Identifier: GPL-2.0-only
/* kvm: what its versions do with the same guest, event by event. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "bed.h"

enum { OLD28, OLD36, NEW61, NEW612, VERSIONS };

static const char *const version[VERSIONS] = { "version=2.6.28", "version=2.6.36", "version=6.1",
					       "version=6.12" };

#define IS_OLD(v) ((v) <= OLD36)
#define READ_ONLY (~UT_PTE_W)

static void lay(struct bed *b, unsigned int v, unsigned int vcpus)
{
	bed_lay(b, "kvm", version[v], vcpus);
}

/* The leaf table at BED_VA is shadowed, and goes out of sync by a write of another entry. */
static void let_go(struct bed *b)
{
	bed_read(b, BED_VA);
	bed_set(b, BED_FILLED - 1, 0);
	assert_int_equal(bed_count(b, UM_unsyncs), 1);
	assert_true(bed_page(b, b->l1)->unsync);
}

static void assert_synced(const struct bed *b, uint64_t tables)
{
	assert_int_equal(bed_count(b, UM_tables_synced), tables);
}

/* ---- faults ---- */

static void fault_around(void **state)
{
	struct bed b;

	(void)state;
	for (unsigned int v = 0; v < VERSIONS; v++) {
		lay(&b, v, 1);
		assert_false(bed_read(&b, BED_VA));
		assert_int_equal(bed_read(&b, bed_va(7)), !IS_OLD(v));
		assert_false(bed_read(&b, bed_va(8)));
		/* Entries 1 to 7 and 9 to 15, and once more without 0 if 7 was a fault of its own. */
		assert_int_equal(bed_count(&b, UM_refaults_max), IS_OLD(v) ? 7 + 6 + 7 : 0);
		assert_int_equal(bed_count(&b, UM_entries_prefetched), IS_OLD(v) ? 0 : 14);
		bed_lift(&b);
	}
}

/* It begins at the start of the group of eight, and ends at the first that may not be taken. */
static void fault_around_ends_at_the_first_absent(void **state)
{
	struct bed b;

	(void)state;
	lay(&b, NEW61, 1);
	*guest_entry(&b.g, b.l1, 3) = 0;
	*guest_entry(&b.g, b.l1, 9) &= ~UT_PTE_A;
	assert_false(bed_read(&b, bed_va(5)));
	assert_true(bed_read(&b, bed_va(0)));
	assert_true(bed_read(&b, bed_va(2)));
	assert_false(bed_read(&b, bed_va(4)));
	assert_false(bed_read(&b, bed_va(12)));
	assert_true(bed_read(&b, bed_va(8)));
	assert_false(bed_read(&b, bed_va(10)));
	bed_lift(&b);
}

/* ---- what goes out of sync, and what is marked ---- */

static void two_roles(void **state)
{
	uint64_t fresh = (BED_DATA + 40) << 12 | BED_USER;
	struct bed b;

	(void)state;
	for (unsigned int v = 0; v < VERSIONS; v++) {
		lay(&b, v, 1);
		bed_hang(&b, guest_root(&b.g, 1), b.l1, READ_ONLY);
		bed_read(&b, BED_VA);
		bed_switch(&b, 1);
		bed_read(&b, BED_VA);
		bed_set(&b, 0, fresh);
		assert_int_equal(bed_count(&b, UM_unsyncs), v == OLD28 ? 0 : 2);
		assert_int_equal(bed_count(&b, UM_writes_emulated), v == OLD28);
		/* What is emulated is installed at once, in both pages. */
		assert_int_equal(bed_count(&b, UM_entries_reinstalled), v == OLD28 ? 2 : 0);
		bed_lift(&b);
	}
}

static void marking_stops_early(void **state)
{
	uint64_t second, flushes;
	struct bed b;

	(void)state;
	for (unsigned int v = 0; v < VERSIONS; v++) {
		lay(&b, v, 1);
		second = bed_leaf(&b);
		*guest_entry(&b.g, b.l2, BED_ENTRY + 1) = second << 12 | BED_USER;
		let_go(&b);
		bed_read(&b, BED_VA + (1ull << 21));
		guest_write(&b.g, 0, second, 0, 0);
		assert_int_equal(bed_count(&b, UM_unsyncs), 2);
		assert_int_equal(bed_count(&b, UM_parents_marked), v == OLD28 ? 6 : 4);
		assert_int_equal(bed_count(&b, UM_marks_cut), v != OLD28);
		flushes = bed_count(&b, UM_flush_local);
		bed_switch(&b, 0);
		assert_synced(&b, 2);
		assert_int_equal(b.g.mmu->unsync_now, 0);
		/* One by one, or both for one flush, beside that of the CR3 write itself. */
		assert_int_equal(bed_count(&b, UM_flush_local) - flushes, v == OLD28 ? 3 : 1);
		bed_lift(&b);
	}
}

/* ---- sync ---- */

static void a_page_left_empty(void **state)
{
	struct bed b;

	(void)state;
	for (unsigned int v = 0; v < VERSIONS; v++) {
		lay(&b, v, 1);
		bed_read(&b, BED_VA);
		for (unsigned int i = 0; i < BED_FILLED; i++)
			bed_set(&b, i, 0);
		bed_switch(&b, 0);
		assert_synced(&b, 1);
		assert_int_equal(!bed_page(&b, b.l1), IS_OLD(v));
		assert_int_equal(bed_count(&b, UM_pages_zapped), IS_OLD(v));
		bed_lift(&b);
	}
}

/* An entry that maps a table of the guest's, which is none any more when its own table is synced. */
static void what_is_the_same_is_left_alone(void **state)
{
	struct bed b;
	uint64_t l2;

	(void)state;
	for (unsigned int v = 0; v < VERSIONS; v++) {
		lay(&b, v, 1);
		l2 = bed_hang(&b, guest_root(&b.g, 1), bed_leaf(&b), ~0ull);
		*guest_entry(&b.g, b.l1, 1) = l2 << 12 | BED_USER;
		bed_switch(&b, 1);
		bed_read(&b, BED_VA);
		bed_switch(&b, 0);
		let_go(&b);
		bed_read(&b, bed_va(1));
		guest_zap(&b.g, l2);
		bed_switch(&b, 0);
		assert_int_equal(guest_access(&b.g, 0, bed_va(1), UT_PF_USER | UT_PF_WRITE),
				 v != NEW612);
		bed_lift(&b);
	}
}

/* ---- look-up ---- */

static void found_while_out_of_sync(void **state)
{
	struct bed b;

	(void)state;
	for (unsigned int v = 0; v < VERSIONS; v++) {
		lay(&b, v, 1);
		*guest_entry(&b.g, b.l2, BED_ENTRY + 1) = b.l1 << 12 | BED_USER;
		let_go(&b);
		assert_false(bed_read(&b, BED_VA + (1ull << 21) + (8ull << 12)));
		assert_synced(&b, 1);
		assert_int_equal(bed_page(&b, b.l1)->unsync, v != OLD28);
		assert_int_equal(bed_page(&b, b.l1)->n_parents, 2);
		bed_lift(&b);
	}
}

static void becomes_an_upper_table(void **state)
{
	struct bed b;
	uint64_t leaf;

	(void)state;
	for (unsigned int v = 0; v < VERSIONS; v++) {
		lay(&b, v, 1);
		leaf = bed_leaf(&b);
		*guest_entry(&b.g, b.l1, 0) = leaf << 12 | BED_USER;
		*guest_entry(&b.g, b.l3, 1) = b.l1 << 12 | BED_USER;
		let_go(&b);
		assert_false(bed_read(&b, 1ull << 30));
		assert_synced(&b, IS_OLD(v));
		assert_int_equal(bed_count(&b, UM_pages_zapped), !IS_OLD(v));
		assert_int_equal(b.g.mmu->unsync_now, 0);
		/* From now on it is emulated. */
		bed_set(&b, 1, 0);
		assert_int_equal(bed_count(&b, UM_unsyncs), 1);
		assert_int_equal(bed_count(&b, UM_writes_emulated), 1);
		bed_lift(&b);
	}
}

/* A table with something out of sync below is linked anew: in step before the guest goes on. */
static void linked_with_something_below(void **state)
{
	uint64_t marked;
	struct bed b;

	(void)state;
	for (unsigned int v = 0; v < VERSIONS; v++) {
		lay(&b, v, 1);
		let_go(&b);
		guest_write(&b.g, 0, b.l3, 0, 0);
		guest_write(&b.g, 0, b.l3, 1, b.l2 << 12 | BED_USER);
		marked = bed_count(&b, UM_parents_marked);
		assert_false(bed_read(&b, (1ull << 30) + bed_va(8)));
		assert_synced(&b, 1);
		assert_int_equal(b.g.mmu->unsync_now, 0);
		/* Synced first, or linked, marked up to where marks are, and synced from the root. */
		assert_int_equal(bed_count(&b, UM_parents_marked) - marked,
				 v == OLD28 ? 2 : v == OLD36);
		bed_lift(&b);
	}
}

/* ---- INVLPG ---- */

static void invlpg_in_step(void **state)
{
	struct bed b;

	(void)state;
	for (unsigned int v = 0; v < VERSIONS; v++) {
		lay(&b, v, 1);
		bed_read(&b, BED_VA);
		guest_invlpg(&b.g, 0, BED_VA);
		assert_int_equal(bed_read(&b, BED_VA), v != OLD28);
		bed_lift(&b);
	}
}

static void invlpg_out_of_sync(void **state)
{
	uint64_t fresh = (BED_DATA + 40) << 12 | BED_USER;
	struct bed b;

	(void)state;
	for (unsigned int v = 0; v < VERSIONS; v++) {
		lay(&b, v, 1);
		let_go(&b);
		/* An entry that is as it was, one that changed, and one that is new. */
		guest_invlpg(&b.g, 0, BED_VA);
		assert_int_equal(bed_count(&b, UM_entries_kept), v == NEW612);
		assert_int_equal(bed_count(&b, UM_entries_fixed), v != NEW612);
		assert_int_equal(bed_read(&b, BED_VA), v != OLD28);
		bed_set(&b, 0, fresh);
		guest_invlpg(&b.g, 0, BED_VA);
		assert_int_equal(bed_read(&b, BED_VA), v == OLD36 || v == NEW61);
		bed_set(&b, 20, fresh);
		guest_invlpg(&b.g, 0, bed_va(20));
		assert_int_equal(bed_read(&b, bed_va(20)), v == OLD36 || v == NEW61);
		assert_true(bed_page(&b, b.l1)->unsync);
		assert_synced(&b, 0);
		bed_lift(&b);
	}
}

/* The entry that INVLPG fills maps another table, which is in step. */
static void filled_unasked(void **state)
{
	uint64_t second;
	struct bed b;

	(void)state;
	for (unsigned int v = 0; v < VERSIONS; v++) {
		lay(&b, v, 1);
		second = bed_leaf(&b);
		*guest_entry(&b.g, b.l2, BED_ENTRY + 1) = second << 12 | BED_USER;
		bed_read(&b, BED_VA + (1ull << 21));
		let_go(&b);
		bed_set(&b, 20, second << 12 | BED_USER);
		guest_invlpg(&b.g, 0, bed_va(20));
		assert_int_equal(bed_count(&b, UM_unsyncs), v == OLD36 ? 2 : 1);
		assert_int_equal(bed_page(&b, second)->unsync, v == OLD36);
		bed_lift(&b);
	}
}

/* Only 2.6.36 reached the other shadow pages of the table, too. */
static void invlpg_in_every_role(void **state)
{
	uint64_t fresh = (BED_DATA + 40) << 12 | BED_USER;
	struct bed b;

	(void)state;
	for (unsigned int v = OLD36; v < VERSIONS; v++) {
		lay(&b, v, 1);
		bed_hang(&b, guest_root(&b.g, 1), b.l1, READ_ONLY);
		bed_switch(&b, 1);
		bed_read(&b, BED_VA);
		guest_cr3(&b.g, 0, guest_root(&b.g, 0) << 12);
		bed_read(&b, BED_VA);
		bed_set(&b, 20, fresh);
		assert_int_equal(bed_count(&b, UM_unsyncs), 2);
		guest_invlpg(&b.g, 0, bed_va(20));
		/* 6.1: one for the current root, one for the previous one. */
		assert_int_equal(bed_count(&b, UM_entries_reinstalled), v == NEW612 ? 0 : 2);
		bed_lift(&b);
	}
}

/* ---- emulated writes ---- */

static void flood(void **state)
{
	struct bed b;

	(void)state;
	for (unsigned int v = 0; v < VERSIONS; v++) {
		/* In turns with another table: no bulk to a detector that remembers one table. */
		lay(&b, v, 1);
		bed_read(&b, BED_VA);
		for (unsigned int i = 0; i < 3; i++) {
			guest_write(&b.g, 0, b.l2, 100 + i, 0);
			if (i < 2)
				guest_write(&b.g, 0, b.l3, 100 + i, 0);
		}
		assert_int_equal(bed_count(&b, UM_pages_zapped_flood), !IS_OLD(v));
		assert_int_equal(!bed_page(&b, b.l2), !IS_OLD(v));
		/* In a row: to all. */
		for (unsigned int i = 0; i < 3; i++)
			guest_write(&b.g, 0, b.l3, 110 + i, 0);
		assert_null(bed_page(&b, b.l3));
		bed_lift(&b);
	}
}

static void write_byte(struct bed *b, uint64_t gfn, uint16_t offset)
{
	struct ut_event e = {
		.time = ++b->g.time,
		.kind = UT_WRITE,
		.write = { .gfn = gfn, .offset = offset, .size = 1, .how = UT_HOW_TRAPPED }
	};

	um_mmu_event(b->g.mmu, &e);
}

static void bytes(void **state)
{
	struct bed b;

	(void)state;
	for (unsigned int v = 0; v < VERSIONS; v++) {
		lay(&b, v, 1);
		bed_read(&b, BED_VA);
		write_byte(&b, b.l2, 800);
		assert_int_equal(!bed_page(&b, b.l2), IS_OLD(v));
		write_byte(&b, b.l3, 801);
		assert_null(bed_page(&b, b.l3));
		bed_lift(&b);
	}
}

/* ---- control registers ---- */

static uint64_t cached(const char *options)
{
	struct bed b;
	uint64_t n;

	bed_lay(&b, "kvm", options, 1);
	bed_read(&b, BED_VA);
	bed_switch(&b, 1);
	bed_switch(&b, 0);
	n = bed_count(&b, UM_roots_cached);
	bed_lift(&b);
	return n;
}

static void previous_roots(void **state)
{
	(void)state;
	assert_int_equal(cached("version=2.6.28"), 0);
	assert_int_equal(cached("version=2.6.36,prev_roots=7"), 0);
	assert_int_equal(cached("version=2.6.36,old_prev_roots=yes"), 1);
	assert_int_equal(cached("version=6.1"), 1);
	assert_int_equal(cached("version=6.12,prev_roots=0"), 0);
}

#define CR0_MP (1ull << 1)
#define CR0_CD (1ull << 30)

static void cr0_resets(unsigned int v, uint64_t bit, bool expected)
{
	struct ut_event e = { .kind = UT_CR,
			      .cr = { .cr = 0, .value = (UT_CR0_PG | UT_CR0_WP | 1) ^ bit } };
	uint64_t loaded;
	struct bed b;

	lay(&b, v, 1);
	let_go(&b);
	loaded = bed_count(&b, UM_roots_loaded);
	e.time = ++b.g.time;
	um_mmu_event(b.g.mmu, &e);
	assert_int_equal(bed_count(&b, UM_roots_loaded) - loaded, expected);
	/* Without CR0.WP the root is another one, that leads to nothing yet. */
	assert_synced(&b, expected && bit != UT_CR0_WP);
	bed_lift(&b);
}

static void cr0(void **state)
{
	(void)state;
	for (unsigned int v = 0; v < VERSIONS; v++) {
		cr0_resets(v, CR0_MP, v == OLD28);
		cr0_resets(v, CR0_CD, IS_OLD(v));
		cr0_resets(v, UT_CR0_WP, true);
	}
}

/* Does a CR4 write make the vCPU look its root up again? */
static void cr4_resets(unsigned int v, uint64_t bit, bool expected)
{
	uint64_t loaded;
	struct bed b;

	lay(&b, v, 1);
	let_go(&b);
	loaded = bed_count(&b, UM_roots_loaded);
	guest_cr4(&b.g, 0, b.g.cr4[0] ^ bit);
	assert_int_equal(bed_count(&b, UM_roots_loaded) - loaded, expected);
	assert_synced(&b, expected || bit == UT_CR4_PGE);
	bed_lift(&b);
}

#define CR4_OSFXSR (1ull << 9)

static void cr4(void **state)
{
	(void)state;
	for (unsigned int v = 0; v < VERSIONS; v++) {
		cr4_resets(v, UT_CR4_PGE, IS_OLD(v));
		cr4_resets(v, CR4_OSFXSR, v == OLD28);
		cr4_resets(v, UT_CR4_PSE, true);
		/* 2.6.36 does not know it: to be on the safe side. */
		cr4_resets(v, UT_CR4_SMEP, true);
	}
}

/* A CR3 write that flushes nothing: what it goes back to stays as it is, if KVM still has it. */
static void no_flush(void **state)
{
	struct bed b;

	(void)state;
	for (unsigned int v = 0; v < VERSIONS; v++) {
		lay(&b, v, 1);
		guest_cr4(&b.g, 0, b.g.cr4[0] | UT_CR4_PCIDE);
		let_go(&b);
		guest_cr3(&b.g, 0, guest_root(&b.g, 1) << 12 | 1);
		assert_synced(&b, 0);
		guest_cr3(&b.g, 0, guest_root(&b.g, 0) << 12 | UT_CR3_NOFLUSH);
		assert_synced(&b, IS_OLD(v));
		guest_cr3(&b.g, 0, guest_root(&b.g, 0) << 12);
		assert_synced(&b, 1);
		bed_lift(&b);
	}
}

/* A flush of everything: what previous roots lead to is found again by a look-up, and is in step then. */
static void invpcid_of_all(void **state)
{
	struct ut_event e = { .kind = UT_INVPCID, .invpcid = { .type = 2 } };
	struct bed b;

	(void)state;
	for (unsigned int v = NEW61; v < VERSIONS; v++) {
		lay(&b, v, 1);
		guest_cr4(&b.g, 0, b.g.cr4[0] | UT_CR4_PCIDE);
		let_go(&b);
		guest_cr3(&b.g, 0, guest_root(&b.g, 1) << 12 | 1);
		e.time = ++b.g.time;
		um_mmu_event(b.g.mmu, &e);
		assert_synced(&b, 0);
		guest_cr3(&b.g, 0, guest_root(&b.g, 0) << 12 | UT_CR3_NOFLUSH);
		assert_int_equal(bed_count(&b, UM_roots_cached), 0);
		assert_synced(&b, 1);
		bed_lift(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fault_around),
		cmocka_unit_test(fault_around_ends_at_the_first_absent),
		cmocka_unit_test(two_roles),
		cmocka_unit_test(marking_stops_early),
		cmocka_unit_test(a_page_left_empty),
		cmocka_unit_test(what_is_the_same_is_left_alone),
		cmocka_unit_test(found_while_out_of_sync),
		cmocka_unit_test(becomes_an_upper_table),
		cmocka_unit_test(linked_with_something_below),
		cmocka_unit_test(invlpg_in_step),
		cmocka_unit_test(invlpg_out_of_sync),
		cmocka_unit_test(filled_unasked),
		cmocka_unit_test(invlpg_in_every_role),
		cmocka_unit_test(flood),
		cmocka_unit_test(bytes),
		cmocka_unit_test(previous_roots),
		cmocka_unit_test(cr0),
		cmocka_unit_test(cr4),
		cmocka_unit_test(no_flush),
		cmocka_unit_test(invpcid_of_all),
	};

	return cmocka_run_group_tests_name("kvm", tests, NULL, NULL);
}
