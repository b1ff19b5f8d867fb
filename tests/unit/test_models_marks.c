// SPDX-License-Identifier: GPL-2.0-only
/* unsync-bitmap and what remembers for it: each option, event by event. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "bed.h"
#include "models/shadow.h"

#define MODEL "unsync-bitmap"
#define SCANNED 0 /* position of its own counter entries_scanned */

/* What remembering costs when one leaf table goes out of sync and is synced by a CR3 write. */
struct costs {
	const char *options;
	uint64_t nodes, words, scanned;
	int64_t upper, leaf; /* bytes for a page, at most, and at the end for a leaf */
};

static const struct costs costs[] = {
	/* Three nodes of eight words. */
	{ "marks=bitmap", 3, 24, 0, 72, 72 },
	{ "marks=external", 3, 24, 0, 80, 16 },
	/* All entries of three nodes; and once more, to find that nothing is left. */
	{ "marks=none", 6, 0, 6ull * UM_ENTRIES, 8, 8 },
	/* A group in each node, to find the entry and to see that it was the only one. */
	{ "marks=word", 3, 3, 3ull * 8 * 2, 16, 16 },
	/* One entry in each list, to find it and to take it out. */
	{ "marks=list", 3, 0, 3ull * 2, 32, 16 },
};

static int64_t bookkeeping(const struct bed *b)
{
	return um_shadow(b->g.mmu)->bookkeeping;
}

/* Shadow pages: those on the way to the leaf table, and those of the direct map. */
#define PAGES 7
#define MARKED 3

static void one_table_costs(const struct costs *c)
{
	struct bed b;

	bed_lay(&b, MODEL, c->options, 1);
	bed_read(&b, BED_VA);
	bed_set(&b, 0, 0);
	bed_set(&b, 1, 0);
	assert_int_equal(bed_count(&b, UM_unsyncs), 1);
	assert_int_equal(bed_count(&b, UM_parents_marked), 3);
	assert_int_equal(um_shadow(b.g.mmu)->n_pages, PAGES);
	assert_int_equal(bookkeeping(&b), MARKED * c->upper + (PAGES - MARKED) * c->leaf);
	bed_switch(&b, 0);
	assert_int_equal(bed_count(&b, UM_tables_synced), 1);
	assert_int_equal(b.g.mmu->unsync_now, 0);
	assert_int_equal(bed_count(&b, UM_nodes_visited), c->nodes);
	assert_int_equal(bed_count(&b, UM_bitmap_words), c->words);
	assert_int_equal(b.g.mmu->own[SCANNED], c->scanned);
	/* Nothing is marked any more. */
	bed_switch(&b, 0);
	assert_int_equal(bed_count(&b, UM_nodes_visited), c->nodes);
	bed_lift(&b);
}

static void marks_cost_what_they_are(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(costs) / sizeof(costs[0]); i++)
		one_table_costs(&costs[i]);
}

/* Cells of a list or bitmaps beside the descriptors do not outlive the page. */
static void marks_are_given_back(void **state)
{
	static const char *const options[] = { "marks=list", "marks=external" };
	struct bed b;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		bed_lay(&b, MODEL, options[i], 1);
		bed_read(&b, BED_VA);
		bed_set(&b, 0, 0);
		guest_zap(&b.g, b.l1);
		guest_zap(&b.g, b.l2);
		guest_zap(&b.g, b.l3);
		guest_zap(&b.g, guest_root(&b.g, 0));
		assert_int_equal(bookkeeping(&b), 16 * um_shadow(b.g.mmu)->n_pages);
		bed_lift(&b);
	}
}

#define MANY 40

static void lay_many(struct bed *b, const char *options, uint64_t *l1)
{
	bed_lay(b, MODEL, options, 1);
	/* Some share a group of eight entries, some do not. */
	for (unsigned int t = 0; t < MANY; t++) {
		l1[t] = bed_leaf(b);
		*guest_entry(&b->g, b->l2, 8 + t * 3) = l1[t] << 12 | BED_USER;
		bed_read(b, (8 + t * 3ull) << 21);
	}
}

/* More than fit a batch, and more than one to a group: all are found, each is synced once. */
static void every_representation_syncs_the_same(void **state)
{
	uint64_t l1[MANY];
	struct bed b;

	(void)state;
	for (size_t i = 0; i < sizeof(costs) / sizeof(costs[0]); i++) {
		lay_many(&b, costs[i].options, l1);
		for (unsigned int t = 0; t < MANY; t++)
			guest_write(&b.g, 0, l1[t], t % 8, 0);
		assert_int_equal(bed_count(&b, UM_unsyncs), MANY);
		assert_int_equal(b.g.mmu->unsync_now, MANY);
		bed_switch(&b, 0);
		assert_int_equal(b.g.mmu->unsync_now, 0);
		assert_int_equal(bed_count(&b, UM_tables_synced), MANY);
		assert_int_equal(bed_count(&b, UM_entries_dropped), MANY);
		bed_lift(&b);
	}
}

static void marking_stops_at_a_marked_parent(void **state)
{
	static const char *const options[] = { "stop=yes", "stop=no" };
	static const unsigned int marked[] = { 3 + MANY - 1, 3 * MANY }, cut[] = { MANY - 1, 0 };
	uint64_t l1[MANY];
	struct bed b;

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		lay_many(&b, options[i], l1);
		for (unsigned int t = 0; t < MANY; t++)
			guest_write(&b.g, 0, l1[t], 0, 0);
		assert_int_equal(bed_count(&b, UM_parents_marked), marked[i]);
		assert_int_equal(bed_count(&b, UM_marks_cut), cut[i]);
		bed_switch(&b, 0);
		assert_int_equal(b.g.mmu->unsync_now, 0);
		bed_lift(&b);
	}
}

/* The leaf table again below root 1, where it is read-only: a second role. */
static void lay_two_roles(struct bed *b, const char *options)
{
	bed_lay(b, MODEL, options, 1);
	bed_hang(b, guest_root(&b->g, 1), b->l1, ~UT_PTE_W);
	bed_read(b, BED_VA);
}

static void several_roles_go_together_or_not_at_all(void **state)
{
	static const char *const options[] = { "roles=all", "roles=one" };
	static const unsigned int unsyncs[] = { 2, 0 };
	struct bed b;

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		lay_two_roles(&b, options[i]);
		bed_switch(&b, 1);
		bed_read(&b, BED_VA);
		bed_set(&b, 0, 0);
		assert_int_equal(bed_count(&b, UM_unsyncs), unsyncs[i]);
		assert_int_equal(bed_count(&b, UM_writes_emulated), unsyncs[i] ? 0 : 1);
		bed_lift(&b);
	}
}

static void second_role_brings_the_first_back(void **state)
{
	struct bed b;

	(void)state;
	lay_two_roles(&b, "roles=one");
	bed_set(&b, 0, 0);
	assert_int_equal(b.g.mmu->unsync_now, 1);
	bed_switch(&b, 1);
	bed_read(&b, bed_va(1));
	assert_int_equal(b.g.mmu->unsync_now, 0);
	assert_int_equal(bed_count(&b, UM_tables_synced), 1);
	bed_lift(&b);
}

/* ---- the end of a parent ---- */

/* Two leaf tables below one page: the one at BED_VA is out of sync, the other is not. */
static void lay_family(struct bed *b, const char *options, uint64_t *other)
{
	bed_lay(b, MODEL, options, 1);
	*other = bed_leaf(b);
	*guest_entry(&b->g, b->l2, BED_ENTRY + 1) = *other << 12 | BED_USER;
	bed_read(b, BED_VA);
	bed_read(b, BED_VA + (1 << 21));
	bed_set(b, 0, 0);
	assert_int_equal(b->g.mmu->unsync_now, 1);
}

static void parent_takes_children_along(void **state)
{
	static const struct {
		const char *options;
		unsigned int zapped;
		bool leaf, other;
	} cases[] = {
		{ "parent_zap=unsync", 1, false, true },
		{ "parent_zap=all", 2, false, false },
		{ "parent_zap=orphan", 0, true, true },
		{ "parent_zap=forbid", 1, false, true },
	};
	struct bed b;
	uint64_t other;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		lay_family(&b, cases[i].options, &other);
		guest_zap(&b.g, b.l2);
		assert_int_equal(bed_count(&b, UM_pages_zapped_host), 1);
		assert_int_equal(bed_count(&b, UM_pages_zapped), cases[i].zapped);
		assert_int_equal(!!bed_page(&b, b.l1), cases[i].leaf);
		assert_int_equal(!!bed_page(&b, other), cases[i].other);
		bed_lift(&b);
	}
}

static void orphan_is_looked_through_when_linked(void **state)
{
	uint64_t other;
	struct bed b;

	(void)state;
	lay_family(&b, "parent_zap=orphan", &other);
	guest_zap(&b.g, b.l2);
	assert_int_equal(b.g.mmu->unsync_now, 1);
	assert_int_equal(bed_count(&b, UM_tables_synced), 0);
	bed_read(&b, bed_va(1));
	assert_int_equal(bed_count(&b, UM_tables_synced), 1);
	assert_int_equal(bed_count(&b, UM_entries_dropped), 1);
	/* It may go on being out of sync, and is found again. */
	assert_int_equal(b.g.mmu->unsync_now, 1);
	bed_switch(&b, 0);
	assert_int_equal(b.g.mmu->unsync_now, 0);
	bed_lift(&b);
}

static void flood_waits_while_children_live(void **state)
{
	static const char *const options[] = { "parent_zap=unsync", "parent_zap=forbid" };
	uint64_t other;
	struct bed b;

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		lay_family(&b, options[i], &other);
		for (unsigned int n = 0; n < 5; n++)
			guest_write(&b.g, 0, b.l2, 100 + n, 0);
		assert_int_equal(bed_count(&b, UM_pages_zapped_flood), 1 - i);
		assert_int_equal(b.g.mmu->unsync_now, i);
		/* With the last child the reason to stay goes. */
		guest_write(&b.g, 0, b.l2, BED_ENTRY, 0);
		guest_write(&b.g, 0, b.l2, BED_ENTRY + 1, 0);
		assert_int_equal(bed_count(&b, UM_pages_zapped_flood), 1 - i);
		guest_write(&b.g, 0, b.l2, 100, 0);
		assert_int_equal(bed_count(&b, UM_pages_zapped_flood), 1);
		bed_lift(&b);
	}
}

/* ---- upper tables out of sync ---- */

static void upper_table_is_written_freely(void **state)
{
	struct bed b;

	(void)state;
	bed_lay(&b, MODEL, "upper=yes", 1);
	bed_read(&b, BED_VA);
	for (unsigned int n = 0; n < 5; n++)
		guest_write(&b.g, 0, b.l2, 100 + n, 0);
	assert_int_equal(bed_count(&b, UM_unsyncs), 1);
	assert_int_equal(bed_count(&b, UM_writes_emulated), 0);
	assert_int_equal(bed_count(&b, UM_pages_zapped), 0);
	/* Level 3 stays protected. */
	guest_write(&b.g, 0, b.l3, 100, 0);
	assert_int_equal(bed_count(&b, UM_writes_emulated), 1);
	bed_switch(&b, 0);
	assert_int_equal(bed_count(&b, UM_tables_synced), 1);
	assert_int_equal(b.g.mmu->unsync_now, 0);
	assert_true(bed_read(&b, BED_VA));
	bed_lift(&b);
}

static void retargeted_link_goes_with_the_flush(void **state)
{
	uint64_t other;
	struct bed b;

	(void)state;
	bed_lay(&b, MODEL, "upper=yes", 1);
	other = bed_leaf(&b);
	*guest_entry(&b.g, other, 0) = (BED_DATA + 50) << 12 | BED_USER;
	bed_read(&b, BED_VA);
	bed_set(&b, 1, 0);
	guest_write(&b.g, 0, b.l2, BED_ENTRY, other << 12 | BED_USER);
	assert_int_equal(b.g.mmu->unsync_now, 2);
	/* No flush yet: the old link is as good as the CPU's cache of it. */
	assert_true(bed_read(&b, BED_VA));
	bed_switch(&b, 0);
	assert_int_equal(b.g.mmu->unsync_now, 0);
	assert_int_equal(bed_count(&b, UM_entries_retargeted), 1);
	assert_false(bed_read(&b, BED_VA));
	assert_true(bed_read(&b, BED_VA));
	bed_lift(&b);
}

/* What hangs off both ways is marked through a node that is itself out of sync. */
static void marks_pass_through_a_table_out_of_sync(void **state)
{
	struct bed b;

	(void)state;
	bed_lay(&b, MODEL, "upper=yes", 1);
	bed_read(&b, BED_VA);
	guest_write(&b.g, 0, b.l2, 100, 0);
	assert_int_equal(bed_count(&b, UM_parents_marked), 2);
	bed_set(&b, 0, 0);
	assert_int_equal(b.g.mmu->unsync_now, 2);
	bed_switch(&b, 0);
	assert_int_equal(bed_count(&b, UM_tables_synced), 2);
	assert_int_equal(b.g.mmu->unsync_now, 0);
	bed_lift(&b);
}

/* INVLPG of any address drops what the CPU has cached of upper entries for all of them. */
static void invlpg_brings_upper_tables_in_step(void **state)
{
	uint64_t other;
	struct bed b;

	(void)state;
	bed_lay(&b, MODEL, "upper=yes", 1);
	other = bed_leaf(&b);
	bed_read(&b, BED_VA);
	bed_set(&b, 1, 0);
	guest_write(&b.g, 0, b.l2, BED_ENTRY, other << 12 | BED_USER);
	guest_invlpg(&b.g, 0, BED_VA + (8ull << 21));
	assert_int_equal(b.g.mmu->unsync_now, 1); /* the leaf, which no link leads to */
	assert_false(bed_page(&b, b.l2)->unsync);
	assert_false(bed_read(&b, BED_VA));
	bed_lift(&b);
}

/* ---- INVLPG ---- */

static void invlpgs_add_up_to_a_resync(void **state)
{
	struct bed b;

	(void)state;
	bed_lay(&b, MODEL, "resync_after=2", 1);
	bed_read(&b, BED_VA);
	for (unsigned int round = 1; round <= 2; round++) {
		bed_set(&b, 0, 0);
		guest_invlpg(&b.g, 0, BED_VA);
		assert_int_equal(b.g.mmu->unsync_now, 1);
		guest_invlpg(&b.g, 0, bed_va(1));
		assert_int_equal(b.g.mmu->unsync_now, 0);
		assert_int_equal(bed_count(&b, UM_tables_synced), round);
	}
	assert_int_equal(bed_count(&b, UM_unsyncs), 2);
	bed_lift(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(marks_cost_what_they_are),
		cmocka_unit_test(marks_are_given_back),
		cmocka_unit_test(every_representation_syncs_the_same),
		cmocka_unit_test(marking_stops_at_a_marked_parent),
		cmocka_unit_test(several_roles_go_together_or_not_at_all),
		cmocka_unit_test(second_role_brings_the_first_back),
		cmocka_unit_test(parent_takes_children_along),
		cmocka_unit_test(orphan_is_looked_through_when_linked),
		cmocka_unit_test(flood_waits_while_children_live),
		cmocka_unit_test(upper_table_is_written_freely),
		cmocka_unit_test(retargeted_link_goes_with_the_flush),
		cmocka_unit_test(marks_pass_through_a_table_out_of_sync),
		cmocka_unit_test(invlpg_brings_upper_tables_in_step),
		cmocka_unit_test(invlpgs_add_up_to_a_resync),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
