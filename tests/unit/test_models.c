// SPDX-License-Identifier: GPL-2.0-only
/* What each design does, event by event, on a small guest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "guest.h"

#define USER (UT_PTE_P | UT_PTE_W | UT_PTE_U | UT_PTE_A | UT_PTE_D)
#define READ (UT_PF_USER)
#define VA 0x400000ull /* entry 0 of the leaf table under test */
#define DATA 0x10ull   /* a frame that is no table */

struct bed {
	struct guest g;
	uint64_t l1; /* leaf table at VA in root 0 */
};

/* Address of entry i of the leaf table. */
static uint64_t va(unsigned int i)
{
	return VA + ((uint64_t)i << 12);
}

/* Hang a leaf table at VA under a root; returns the level-2 table. */
static uint64_t hang(struct guest *g, uint64_t root, uint64_t l1, uint64_t flags)
{
	uint64_t l3 = guest_new_table(g, 3), l2 = guest_new_table(g, 2);

	*guest_entry(g, root, 0) = l3 << 12 | USER;
	*guest_entry(g, l3, 0) = l2 << 12 | USER;
	*guest_entry(g, l2, 2) = l1 << 12 | (USER & flags);
	return l2;
}

static void lay(struct bed *b, const char *model, const char *options)
{
	char error[256] = "";
	struct um_mmu *mmu = um_mmu_create(um_model_find(model), options, error, sizeof(error));

	if (!mmu)
		fail_msg("%s", error);
	guest_init(&b->g, mmu, 2, 1);
	b->l1 = guest_new_table(&b->g, 1);
	for (unsigned int i = 0; i < 16; i++)
		*guest_entry(&b->g, b->l1, i) = (DATA + i) << 12 | USER;
	hang(&b->g, guest_root(&b->g, 0), b->l1, ~0ull);
}

static void lift(struct bed *b)
{
	assert_null(um_mmu_failure(b->g.mmu));
	um_mmu_destroy(b->g.mmu);
}

static uint64_t count(const struct bed *b, enum um_counter c)
{
	return b->g.mmu->count[c];
}

static void set(struct bed *b, unsigned int i, uint64_t value)
{
	guest_write(&b->g, 0, b->l1, i, value);
}

static void switch_to(struct bed *b, unsigned int root)
{
	guest_cr3(&b->g, 0, guest_root(&b->g, root) << 12);
}

/* ---- sync on write ---- */

static void sow_each_write_exits(void **state)
{
	struct bed b;

	(void)state;
	lay(&b, "sync-on-write", "flood=off");
	guest_access(&b.g, 0, VA, READ);
	for (unsigned int i = 0; i < 10; i++)
		set(&b, i, (DATA + 20 + i) << 12 | USER);
	assert_int_equal(count(&b, UM_exit_table_write), 10);
	assert_int_equal(count(&b, UM_writes_emulated), 10);
	assert_int_equal(count(&b, UM_unsyncs), 0);
	/* Reinstalled at once: no fault to use the new entry. */
	assert_true(guest_access(&b.g, 0, va(3), READ));
	guest_invlpg(&b.g, 0, VA);
	assert_int_equal(count(&b, UM_exit_invlpg), 0);
	lift(&b);
}

static void sow_invlpg_exits_if_wanted(void **state)
{
	struct bed b;

	(void)state;
	lay(&b, "sync-on-write", "invlpg=exit");
	guest_access(&b.g, 0, VA, READ);
	guest_invlpg(&b.g, 0, VA);
	assert_int_equal(count(&b, UM_exit_invlpg), 1);
	/* There is nothing to repair. */
	assert_true(guest_access(&b.g, 0, VA, READ));
	lift(&b);
}

static void sow_flood_gives_the_table_up(void **state)
{
	struct bed b;

	(void)state;
	lay(&b, "sync-on-write", NULL);
	guest_access(&b.g, 0, VA, READ);
	for (unsigned int i = 0; i < 10; i++)
		set(&b, i, 0);
	assert_int_equal(count(&b, UM_pages_zapped_flood), 1);
	/* The third write is the last to be emulated; the fourth only makes the frame writable. */
	assert_int_equal(count(&b, UM_writes_emulated), 3);
	assert_int_equal(count(&b, UM_writes_silent), 7);
	/* It may have been used since: then a fault brought it back, and this write exits. */
	guest_access(&b.g, 0, va(20), READ);
	assert_int_equal(count(&b, UM_rewrites_max), 0);
	lift(&b);
}

static void sow_use_between_writes_is_no_flood(void **state)
{
	struct bed b;

	(void)state;
	lay(&b, "sync-on-write", NULL);
	guest_access(&b.g, 0, VA, READ);
	for (unsigned int i = 0; i < 10; i++) {
		set(&b, i, (DATA + 20 + i) << 12 | USER);
		guest_access(&b.g, 0, va(i), READ);
	}
	assert_int_equal(count(&b, UM_pages_zapped_flood), 0);
	assert_int_equal(count(&b, UM_writes_emulated), 10);
	lift(&b);
}

static void sow_byte_write_zaps_unless_allowed(void **state)
{
	struct ut_event e = { .kind = UT_WRITE,
			      .write = { .size = 1, .how = UT_HOW_TRAPPED, .val = 0x63 } };
	struct bed b;

	(void)state;
	for (int allowed = 0; allowed < 2; allowed++) {
		lay(&b, "sync-on-write", allowed ? "byte_writes=yes" : "byte_writes=no");
		guest_access(&b.g, 0, VA, READ);
		e.write.gfn = b.l1;
		um_mmu_event(b.g.mmu, &e);
		assert_int_equal(count(&b, UM_pages_zapped), allowed ? 0 : 1);
		lift(&b);
	}
}

/* ---- out of sync per root ---- */

static void oos_second_write_is_free(void **state)
{
	struct bed b;

	(void)state;
	lay(&b, "oos-per-root", NULL);
	guest_access(&b.g, 0, VA, READ);
	for (unsigned int i = 0; i < 10; i++)
		set(&b, i, (DATA + 20 + i) << 12 | USER);
	assert_int_equal(count(&b, UM_unsyncs), 1);
	assert_int_equal(count(&b, UM_writes_emulated), 0);
	/* The old translation lives until a flush, then goes. */
	assert_true(guest_access(&b.g, 0, va(0), READ));
	switch_to(&b, 0);
	assert_int_equal(count(&b, UM_tables_synced), 1);
	assert_int_equal(b.g.mmu->unsync_now, 0);
	assert_false(guest_access(&b.g, 0, va(0), READ));
	lift(&b);
}

static void oos_root_entered_or_left(void **state)
{
	static const char *const variants[] = { "sync=entered", "sync=left", "sync=both" };
	static const unsigned int after_leaving[] = { 0, 1, 1 };
	struct bed b;

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		lay(&b, "oos-per-root", variants[i]);
		guest_access(&b.g, 0, VA, READ);
		set(&b, 0, 0);
		switch_to(&b, 1);
		assert_int_equal(count(&b, UM_tables_synced), after_leaving[i]);
		switch_to(&b, 0);
		assert_int_equal(count(&b, UM_tables_synced), 1);
		lift(&b);
	}
}

static void oos_shared_table_is_emulated(void **state)
{
	struct bed b;

	(void)state;
	lay(&b, "oos-per-root", NULL);
	hang(&b.g, guest_root(&b.g, 1), b.l1, ~0ull);
	guest_access(&b.g, 0, VA, READ);
	set(&b, 0, 0);
	assert_int_equal(count(&b, UM_unsyncs), 1);
	switch_to(&b, 1);
	guest_access(&b.g, 0, va(1), READ);
	/* Reached from a second root: back in step, and never again out of it. */
	assert_int_equal(b.g.mmu->unsync_now, 0);
	assert_int_equal(count(&b, UM_tables_synced), 1);
	set(&b, 2, 0);
	assert_int_equal(count(&b, UM_unsyncs), 1);
	assert_int_equal(count(&b, UM_writes_emulated), 1);
	lift(&b);
}

static void oos_second_role_is_emulated(void **state)
{
	struct bed b;

	(void)state;
	lay(&b, "oos-per-root", NULL);
	/* The same leaf table under a read-only entry as well: another role. */
	hang(&b.g, guest_root(&b.g, 1), b.l1, ~UT_PTE_W);
	guest_access(&b.g, 0, VA, READ);
	switch_to(&b, 1);
	guest_access(&b.g, 0, VA, READ);
	set(&b, 0, 0);
	assert_int_equal(count(&b, UM_unsyncs), 0);
	assert_int_equal(count(&b, UM_writes_emulated), 1);
	lift(&b);
}

static void oos_globals_evict_in_turn(void **state)
{
	uint64_t l1[4];
	struct bed b;
	uint64_t l2;

	(void)state;
	lay(&b, "oos-per-root", "globals=2");
	l2 = hang(&b.g, guest_root(&b.g, 1), b.l1, ~0ull);
	for (unsigned int t = 0; t < 4; t++) {
		l1[t] = guest_new_table(&b.g, 1);
		*guest_entry(&b.g, l1[t], 0) = (DATA + t) << 12 | USER | UT_PTE_G;
		*guest_entry(&b.g, l2, 10 + t) = l1[t] << 12 | USER;
	}
	switch_to(&b, 1);
	for (unsigned int t = 0; t < 4; t++) {
		guest_access(&b.g, 0, (10ull + t) << 21, READ);
		guest_write(&b.g, 0, l1[t], 1, 0x1000 | USER | UT_PTE_G);
	}
	assert_int_equal(count(&b, UM_unsyncs), 4);
	assert_int_equal(b.g.mmu->unsync_now, 2);
	switch_to(&b, 1);
	assert_int_equal(b.g.mmu->unsync_now, 2); /* CR3 leaves global tables alone */
	guest_cr4(&b.g, 0, b.g.cr4[0]);
	assert_int_equal(b.g.mmu->unsync_now, 0);
	lift(&b);
}

/* ---- bitmap of unsync children ---- */

static void bitmap_marks_and_descends(void **state)
{
	struct bed b;

	(void)state;
	lay(&b, "unsync-bitmap", NULL);
	guest_access(&b.g, 0, VA, READ);
	set(&b, 0, 0);
	set(&b, 1, 0);
	assert_int_equal(count(&b, UM_unsyncs), 1);
	assert_int_equal(count(&b, UM_parents_marked), 3);
	switch_to(&b, 0);
	assert_int_equal(count(&b, UM_nodes_visited), 3);
	assert_int_equal(count(&b, UM_bitmap_words), 24);
	assert_int_equal(count(&b, UM_tables_synced), 1);
	assert_int_equal(b.g.mmu->unsync_now, 0);
	/* Nothing is marked any more. */
	switch_to(&b, 0);
	assert_int_equal(count(&b, UM_nodes_visited), 3);
	lift(&b);
}

static void bitmap_two_parents_leave_a_stale_bit(void **state)
{
	struct bed b;

	(void)state;
	lay(&b, "unsync-bitmap", NULL);
	hang(&b.g, guest_root(&b.g, 1), b.l1, ~0ull);
	guest_access(&b.g, 0, VA, READ);
	switch_to(&b, 1);
	guest_access(&b.g, 0, VA, READ);
	set(&b, 0, 0);
	assert_int_equal(count(&b, UM_parents_marked), 6);
	switch_to(&b, 1); /* synced by way of root 1: the path from root 0 stays marked */
	assert_int_equal(count(&b, UM_stale_bits), 0);
	switch_to(&b, 0);
	assert_int_equal(count(&b, UM_stale_bits), 3);
	assert_int_equal(count(&b, UM_tables_synced), 1);
	lift(&b);
}

static void bitmap_roots_are_remembered(void **state)
{
	struct bed b;

	(void)state;
	lay(&b, "unsync-bitmap", NULL);
	guest_access(&b.g, 0, VA, READ);
	for (unsigned int i = 0; i < 6; i++)
		switch_to(&b, 1 - i % 2);
	assert_int_equal(count(&b, UM_roots_cached), 5);
	lift(&b);
	lay(&b, "unsync-bitmap", "prev_roots=0");
	for (unsigned int i = 0; i < 6; i++)
		switch_to(&b, 1 - i % 2);
	assert_int_equal(count(&b, UM_roots_cached), 0);
	lift(&b);
}

static void bitmap_noflush_keeps_stale_entries(void **state)
{
	struct bed b;

	(void)state;
	lay(&b, "unsync-bitmap", NULL);
	guest_access(&b.g, 0, VA, READ);
	guest_cr4(&b.g, 0, b.g.cr4[0] | UT_CR4_PCIDE);
	guest_access(&b.g, 0, VA, READ);
	switch_to(&b, 1);
	switch_to(&b, 0);
	guest_access(&b.g, 0, VA, READ);
	set(&b, 0, 0);
	guest_cr3(&b.g, 0, guest_root(&b.g, 0) << 12 | UT_CR3_NOFLUSH);
	assert_int_equal(b.g.mmu->unsync_now, 1);
	switch_to(&b, 0);
	assert_int_equal(b.g.mmu->unsync_now, 0);
	lift(&b);
}

static void bitmap_invlpg_mends_one_entry(void **state)
{
	struct bed b;

	(void)state;
	lay(&b, "unsync-bitmap", NULL);
	guest_access(&b.g, 0, VA, READ);
	set(&b, 0, (DATA + 30) << 12 | USER);
	guest_invlpg(&b.g, 0, VA);
	assert_int_equal(count(&b, UM_exit_invlpg), 1);
	assert_int_equal(count(&b, UM_entries_reinstalled), 1);
	assert_int_equal(b.g.mmu->unsync_now, 1); /* the table stays out of sync */
	assert_true(guest_access(&b.g, 0, VA, READ));
	lift(&b);
}

static void bitmap_upper_tables_stay_protected(void **state)
{
	struct bed b;
	uint64_t l2;

	(void)state;
	lay(&b, "unsync-bitmap", NULL);
	l2 = (*guest_entry(&b.g, (*guest_entry(&b.g, guest_root(&b.g, 0), 0) >> 12) & 0xfffff, 0) &
	      UT_PTE_FRAME) >>
	     12;
	guest_access(&b.g, 0, VA, READ);
	guest_write(&b.g, 0, l2, 5, 0);
	assert_int_equal(count(&b, UM_unsyncs), 0);
	assert_int_equal(count(&b, UM_writes_emulated), 1);
	assert_int_equal(count(&b, UM_unsyncs_refused), 1);
	lift(&b);
}

/* ---- every model ---- */

static void every_model_follows_the_host(void **state)
{
	struct bed b;

	(void)state;
	for (const struct um_model *const *m = um_models(); *m; m++) {
		uint64_t writes;

		if ((*m)->no_shadow)
			continue;
		lay(&b, (*m)->name, NULL);
		guest_access(&b.g, 0, VA, READ);
		assert_true(guest_access(&b.g, 0, VA, READ));
		guest_zap(&b.g, b.l1);
		assert_int_equal(count(&b, UM_pages_zapped_host), 1);
		assert_false(guest_access(&b.g, 0, VA, READ));
		writes = count(&b, UM_writes);
		set(&b, 0, 0);
		assert_int_equal(count(&b, UM_writes), writes + 1);
		lift(&b);
	}
}

static void feed(struct um_mmu *mmu, struct ut_event e)
{
	um_mmu_event(mmu, &e);
}

static void fault_at(struct um_mmu *mmu, uint64_t gva, uint64_t pte)
{
	feed(mmu, (struct ut_event){ .kind = UT_FAULT,
				     .fault = { .gva = gva,
						.error = UT_PF_USER,
						.walk = { pte, 4 << 12 | USER, 3 << 12 | USER,
							  2 << 12 | USER },
						.top = 4,
						.bottom = 1,
						.outcome = UT_OUT_FILLED,
						.map_level = 1 } });
}

/* Of tables whose content was not told, what walks showed is compared; what they did not show is not there. */
static void tables_known_from_walks(void **state)
{
	char error[256];
	struct um_mmu *mmu =
		um_mmu_create(um_model_find("unsync-bitmap"), NULL, error, sizeof(error));

	(void)state;
	assert_non_null(mmu);
	feed(mmu, (struct ut_event){ .kind = UT_STATE,
				     .state = { .cr0 = UT_CR0_PG | UT_CR0_WP | 1,
						.cr3 = 1 << 12,
						.cr4 = UT_CR4_PAE,
						.efer = UT_EFER_LMA | UT_EFER_LME | UT_EFER_NX } });
	for (unsigned int level = 4; level; level--)
		feed(mmu, (struct ut_event){
				  .kind = UT_PAGE_NEW,
				  .page = { .gfn = 5 - level, .role = level | UT_ROLE_ACCESS } });
	fault_at(mmu, 0x1000, 0x10 << 12 | USER);
	fault_at(mmu, 0x2000, 0x11 << 12 | USER);
	feed(mmu, (struct ut_event){ .kind = UT_WRITE,
				     .write = { .gfn = 4,
						.offset = 16,
						.size = 8,
						.how = UT_HOW_WALK,
						.val = 0x12 << 12 | USER } });
	assert_int_equal(mmu->count[UM_unsyncs], 1);
	feed(mmu, (struct ut_event){ .kind = UT_CR, .cr = { .cr = 3, .value = 1 << 12 } });
	assert_null(um_mmu_failure(mmu));
	assert_int_equal(mmu->count[UM_tables_synced], 1);
	assert_int_equal(mmu->count[UM_entries_compared], 2);
	assert_int_equal(mmu->count[UM_entries_kept], 1);
	assert_int_equal(mmu->count[UM_entries_retargeted], 1);
	assert_int_equal(mmu->count[UM_unknown_tables], 0);
	um_mmu_destroy(mmu);
}

static void every_model_refuses_bad_options(void **state)
{
	static const char *const bad[] = { "nonsense=1", "nonsense", "=", "=1" };
	char error[256];

	(void)state;
	for (const struct um_model *const *m = um_models(); *m; m++) {
		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			error[0] = 0;
			assert_null(um_mmu_create(*m, bad[i], error, sizeof(error)));
			assert_int_not_equal(error[0], 0);
		}
	}
	assert_null(
		um_mmu_create(um_model_find("oos-per-root"), "globals=4097", error, sizeof(error)));
	assert_non_null(strstr(error, "from 0 to 4096"));
	assert_null(um_mmu_create(um_model_find("oos-per-root"), "sync=", error, sizeof(error)));
	assert_non_null(strstr(error, "entered|left|both"));
	assert_null(
		um_mmu_create(um_model_find("oos-per-root"), "globals=7,", error, sizeof(error)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sow_each_write_exits),
		cmocka_unit_test(sow_invlpg_exits_if_wanted),
		cmocka_unit_test(sow_flood_gives_the_table_up),
		cmocka_unit_test(sow_use_between_writes_is_no_flood),
		cmocka_unit_test(sow_byte_write_zaps_unless_allowed),
		cmocka_unit_test(oos_second_write_is_free),
		cmocka_unit_test(oos_root_entered_or_left),
		cmocka_unit_test(oos_shared_table_is_emulated),
		cmocka_unit_test(oos_second_role_is_emulated),
		cmocka_unit_test(oos_globals_evict_in_turn),
		cmocka_unit_test(bitmap_marks_and_descends),
		cmocka_unit_test(bitmap_two_parents_leave_a_stale_bit),
		cmocka_unit_test(bitmap_roots_are_remembered),
		cmocka_unit_test(bitmap_noflush_keeps_stale_entries),
		cmocka_unit_test(bitmap_invlpg_mends_one_entry),
		cmocka_unit_test(bitmap_upper_tables_stay_protected),
		cmocka_unit_test(every_model_follows_the_host),
		cmocka_unit_test(tables_known_from_walks),
		cmocka_unit_test(every_model_refuses_bad_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
