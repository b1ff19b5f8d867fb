// SPDX-License-Identifier: GPL-2.0-only
/* The designs that are not of 2008, event by event: two bounds, a virtual TLB, prefault, adaptive. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "bed.h"

#define GROUP 8u      /* entries that one fault fills */
#define EMPTY 20u     /* an entry of the leaf table that maps nothing */
#define FRESH 0x30ull /* a frame that nothing maps to begin with */
#define VALUE(n) ((FRESH + (n)) << 12 | BED_USER)

/* A counter of the model's own. */
static uint64_t own(const struct bed *b, const char *name)
{
	const struct um_own_counter *c = b->g.mmu->model->counters;

	for (size_t i = 0; c && c[i].name; i++) {
		if (!strcmp(c[i].name, name))
			return b->g.mmu->own[i];
	}
	fail_msg("no counter %s", name);
	return 0;
}

/* The frame that the shadow maps for an entry of the leaf table; 0: none. */
static uint64_t mapped(const struct bed *b, unsigned int i)
{
	const struct um_page *page = bed_page(b, b->l1);

	return page && (page->spt[i] & UM_SPTE_P) ? (page->spt[i] & UM_SPTE_FRAME) >> 12 : 0;
}

static bool read_entry(struct bed *b, unsigned int i)
{
	return bed_read(b, bed_va(i));
}

/* ---- ideal ---- */

static void ideal_compares_what_was_written_once(void **state)
{
	struct bed b;

	(void)state;
	bed_lay(&b, "ideal", NULL, 1);
	read_entry(&b, 0);
	for (unsigned int n = 0; n < 10; n++)
		bed_set(&b, 0, VALUE(n));
	assert_int_equal(bed_count(&b, UM_exit_table_write), 0);
	/* What was never in the shadow cannot be stale. */
	bed_set(&b, EMPTY, VALUE(0));
	/* The TLB might still hold what was there; so may the shadow. */
	assert_int_equal(mapped(&b, 0), BED_DATA);
	bed_switch(&b, 0);
	assert_int_equal(bed_count(&b, UM_entries_compared), 1);
	assert_int_equal(bed_count(&b, UM_entries_retargeted), 1);
	assert_int_equal(bed_count(&b, UM_tables_synced), 0);
	assert_true(read_entry(&b, 1));
	assert_false(read_entry(&b, 0));
	bed_switch(&b, 0);
	assert_int_equal(bed_count(&b, UM_entries_compared), 1);
	bed_lift(&b);
}

static void ideal_invlpg_is_for_one_address(void **state)
{
	struct bed b;

	(void)state;
	bed_lay(&b, "ideal", NULL, 1);
	read_entry(&b, 0);
	bed_set(&b, 0, VALUE(0));
	bed_set(&b, 1, VALUE(1));
	guest_invlpg(&b.g, 0, bed_va(0));
	assert_int_equal(bed_count(&b, UM_entries_compared), 1);
	assert_int_equal(mapped(&b, 0), 0);
	assert_int_equal(mapped(&b, 1), BED_DATA + 1);
	bed_switch(&b, 0);
	assert_int_equal(bed_count(&b, UM_entries_compared), 2);
	assert_int_equal(mapped(&b, 1), 0);
	bed_lift(&b);
}

/* The guest changes a table that nothing leads to, and links it again: no flush is due for that. */
static void ideal_in_step_before_it_is_linked(void **state)
{
	uint64_t link;
	struct bed b;

	(void)state;
	bed_lay(&b, "ideal", NULL, 1);
	link = *guest_entry(&b.g, b.l2, BED_ENTRY);
	read_entry(&b, 0);
	guest_write(&b.g, 0, b.l2, BED_ENTRY, 0);
	bed_switch(&b, 0);
	bed_set(&b, 0, VALUE(0));
	guest_write(&b.g, 0, b.l2, BED_ENTRY, link);
	/* Another group: the fault links the table, and fills nothing near the entry. */
	assert_false(read_entry(&b, GROUP));
	assert_int_equal(mapped(&b, 0), 0);
	assert_false(read_entry(&b, 0));
	assert_int_equal(mapped(&b, 0), FRESH);
	bed_lift(&b);
}

static void ideal_refill_spares_the_fault(void **state)
{
	struct bed b;

	(void)state;
	bed_lay(&b, "ideal", "refill=yes", 1);
	read_entry(&b, 0);
	bed_set(&b, 0, VALUE(0));
	bed_set(&b, EMPTY, VALUE(1));
	bed_set(&b, 1, 0);
	assert_int_equal(mapped(&b, 0), FRESH);
	assert_true(read_entry(&b, 0));
	assert_true(read_entry(&b, EMPTY));
	assert_int_equal(mapped(&b, 1), 0);
	bed_switch(&b, 0);
	assert_int_equal(bed_count(&b, UM_entries_compared), 0);
	bed_lift(&b);
}

/* ---- virtual TLB ---- */

static void vtlb_flush_drops_what_is_not_global(void **state)
{
	static const struct {
		const char *options;
		bool global_stays;
	} variants[] = {
		{ "drop=entries", true },
		/* A leaf page with a mix goes as a whole. */
		{ "drop=pages", false },
		{ "drop=hierarchy", false },
		{ "drop=entries,keep_globals=no", false },
	};
	struct bed b;

	(void)state;
	for (unsigned int i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
		bed_lay(&b, "virtual-tlb", variants[i].options, 1);
		*guest_entry(&b.g, b.l1, 1) |= UT_PTE_G;
		read_entry(&b, 0);
		assert_true(read_entry(&b, 1));
		bed_switch(&b, 0);
		assert_int_equal(read_entry(&b, 1), variants[i].global_stays);
		bed_switch(&b, 0);
		assert_false(read_entry(&b, 0));
		guest_cr4(&b.g, 0, b.g.cr4[0] ^ UT_CR4_PGE);
		assert_false(read_entry(&b, 1));
		bed_lift(&b);
	}
}

static void vtlb_global_page_outlives_cr3(void **state)
{
	struct bed b;

	(void)state;
	bed_lay(&b, "virtual-tlb", "drop=pages", 1);
	for (unsigned int i = 0; i < BED_FILLED; i++)
		*guest_entry(&b.g, b.l1, i) |= UT_PTE_G;
	read_entry(&b, 0);
	bed_switch(&b, 0);
	assert_true(read_entry(&b, 0));
	guest_invlpg(&b.g, 0, bed_va(0));
	assert_int_equal(bed_count(&b, UM_exit_invlpg), 1);
	assert_true(read_entry(&b, 1));
	assert_false(read_entry(&b, 0));
	bed_lift(&b);
}

static void vtlb_writes_are_free_and_stale_until_a_flush(void **state)
{
	struct bed b;

	(void)state;
	bed_lay(&b, "virtual-tlb", NULL, 1);
	read_entry(&b, 0);
	bed_set(&b, 0, VALUE(0));
	bed_set(&b, 0, VALUE(1));
	guest_write(&b.g, 0, b.l2, BED_ENTRY, *guest_entry(&b.g, b.l2, BED_ENTRY) & ~UT_PTE_W);
	assert_int_equal(bed_count(&b, UM_exit_table_write), 0);
	assert_int_equal(mapped(&b, 0), BED_DATA);
	bed_switch(&b, 0);
	assert_false(read_entry(&b, 0));
	assert_int_equal(mapped(&b, 0), FRESH + 1);
	bed_lift(&b);
}

static void vtlb_upper_bound_counts_what_the_host_kept(void **state)
{
	uint64_t before;
	struct bed b;

	(void)state;
	bed_lay(&b, "virtual-tlb", "drop=entries", 1);
	read_entry(&b, 0);
	assert_int_equal(bed_count(&b, UM_refaults_max), 0);
	/* One group. It may have come back unseen, and gone again with the next flush. */
	for (unsigned int n = 1; n <= 3; n++) {
		bed_switch(&b, 0);
		assert_int_equal(bed_count(&b, UM_refaults_max), n);
	}
	/* Another address space does not lead there. */
	bed_switch(&b, 1);
	assert_int_equal(bed_count(&b, UM_refaults_max), 3);
	bed_switch(&b, 0);
	assert_int_equal(bed_count(&b, UM_refaults_max), 4);
	/* The host drops what is written: a use after that is in the trace. */
	for (unsigned int i = 0; i < GROUP; i++) {
		before = bed_count(&b, UM_refaults_max);
		bed_set(&b, i, VALUE(i));
		bed_switch(&b, 0);
		assert_int_equal(bed_count(&b, UM_refaults_max) - before, i + 1 < GROUP);
	}
	bed_lift(&b);
}

static void vtlb_invlpg_may_cost_a_refault(void **state)
{
	struct bed b;

	(void)state;
	bed_lay(&b, "virtual-tlb", NULL, 1);
	read_entry(&b, 0);
	guest_invlpg(&b.g, 0, bed_va(0));
	assert_int_equal(bed_count(&b, UM_refaults_max), 1);
	bed_set(&b, 1, 0);
	guest_invlpg(&b.g, 0, bed_va(1));
	assert_int_equal(bed_count(&b, UM_refaults_max), 1);
	bed_lift(&b);
}

static void vtlb_a_hierarchy_for_each_pcid(void **state)
{
	static const char *const options[] = { "pcid=yes", "pcid=no" };
	struct bed b;

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		bed_lay(&b, "virtual-tlb", options[i], 1);
		guest_cr4(&b.g, 0, b.g.cr4[0] | UT_CR4_PCIDE);
		guest_cr3(&b.g, 0, guest_root(&b.g, 0) << 12 | 1);
		read_entry(&b, 0);
		guest_cr3(&b.g, 0, guest_root(&b.g, 1) << 12 | 2);
		guest_cr3(&b.g, 0, guest_root(&b.g, 0) << 12 | 1 | UT_CR3_NOFLUSH);
		assert_int_equal(read_entry(&b, 0), i == 0);
		guest_cr3(&b.g, 0, guest_root(&b.g, 0) << 12 | 1);
		assert_false(read_entry(&b, 0));
		assert_int_equal(own(&b, "hierarchies"), i == 0 ? 3 : 1);
		bed_lift(&b);
	}
}

static void vtlb_vcpus_share_nothing(void **state)
{
	struct bed b;

	(void)state;
	bed_lay(&b, "virtual-tlb", NULL, 2);
	read_entry(&b, 0);
	assert_false(guest_access(&b.g, 1, bed_va(0), UT_PF_USER));
	bed_switch(&b, 0);
	assert_true(guest_access(&b.g, 1, bed_va(0), UT_PF_USER));
	bed_lift(&b);
}

/* ---- nested ---- */

static uint64_t exits(const struct bed *b)
{
	uint64_t sum = 0;

	for (unsigned int c = 0; c < UM_COUNTER_END; c++) {
		if (!strncmp(um_counter_name((enum um_counter)c), "exit_", 5))
			sum += b->g.mmu->count[c];
	}
	return sum;
}

static void nested_only_first_uses_exit(void **state)
{
	struct bed b;

	(void)state;
	bed_lay(&b, "nested", NULL, 1);
	read_entry(&b, 0);
	/* All frames of this guest are in one region of 2 MiB: four tables, a group of eight pages. */
	assert_int_equal(bed_count(&b, UM_exit_fault), 1);
	assert_int_equal(own(&b, "frames_touched"), 4 + GROUP);
	assert_int_equal(bed_count(&b, UM_refaults_max), 4 + GROUP - 1);
	bed_set(&b, 0, (uint64_t)1 << 21 | BED_USER);
	bed_set(&b, 1, 0);
	bed_switch(&b, 0);
	guest_invlpg(&b.g, 0, bed_va(0));
	guest_cr4(&b.g, 0, b.g.cr4[0] ^ UT_CR4_PGE);
	assert_int_equal(exits(&b), 1);
	read_entry(&b, 0);
	assert_int_equal(exits(&b), 2);
	read_entry(&b, 1);
	assert_int_equal(exits(&b), 2);
	assert_int_equal(own(&b, "guest_faults"), 1);
	bed_lift(&b);
}

static void nested_walks_are_dearer(void **state)
{
	struct bed b;

	(void)state;
	bed_lay(&b, "nested", NULL, 1);
	*guest_entry(&b.g, b.l1, 5) &= ~UT_PTE_A;
	read_entry(&b, 0);
	assert_int_equal(own(&b, "walks_seen"), 1);
	assert_int_equal(own(&b, "walks_min"), 0);
	/* Accessed was clear: the processor walked to set it. */
	read_entry(&b, 5);
	assert_int_equal(own(&b, "walks_min"), 1);
	assert_int_equal(own(&b, "refs_1d"), 4);
	assert_int_equal(own(&b, "refs_2d"), 24);
	/* Nothing there: no frame to find at the end. */
	read_entry(&b, EMPTY);
	assert_int_equal(own(&b, "walks_min"), 2);
	assert_int_equal(own(&b, "refs_1d"), 8);
	assert_int_equal(own(&b, "refs_2d"), 24 + 20);
	bed_lift(&b);
	bed_lay(&b, "nested", "host_levels=5", 1);
	*guest_entry(&b.g, b.l1, 5) &= ~UT_PTE_A;
	read_entry(&b, 5);
	assert_int_equal(own(&b, "refs_2d"), 29);
	bed_lift(&b);
}

/* ---- prefault ---- */

static void prefault_spares_the_second_fault(void **state)
{
	uint64_t faults;
	struct bed b;

	(void)state;
	bed_lay(&b, "prefault", "base=bitmap", 1);
	read_entry(&b, 0);
	assert_false(read_entry(&b, EMPTY));
	assert_int_equal(bed_count(&b, UM_exit_reflect), 1);
	bed_set(&b, EMPTY, VALUE(0));
	faults = bed_count(&b, UM_exit_fault);
	assert_false(read_entry(&b, EMPTY));
	assert_int_equal(bed_count(&b, UM_exit_fault), faults);
	assert_int_equal(bed_count(&b, UM_faults_prefilled), 1);
	assert_int_equal(mapped(&b, EMPTY), FRESH);
	/* Once: what came in has been used up. */
	guest_invlpg(&b.g, 0, bed_va(EMPTY));
	bed_set(&b, EMPTY, VALUE(1));
	bed_switch(&b, 0);
	read_entry(&b, EMPTY);
	assert_int_equal(bed_count(&b, UM_faults_prefilled), 1);
	assert_int_equal(bed_count(&b, UM_exit_other), 0);
	bed_lift(&b);
}

static void prefault_remembers_one_address(void **state)
{
	struct bed b;

	(void)state;
	bed_lay(&b, "prefault", "base=bitmap,iret=exit", 1);
	read_entry(&b, 0);
	read_entry(&b, EMPTY);
	/* Far enough away for a group of its own. */
	read_entry(&b, EMPTY + GROUP);
	bed_set(&b, EMPTY, VALUE(0));
	bed_set(&b, EMPTY + GROUP, VALUE(1));
	read_entry(&b, EMPTY);
	assert_int_equal(bed_count(&b, UM_faults_prefilled), 0);
	read_entry(&b, EMPTY + GROUP);
	assert_int_equal(bed_count(&b, UM_faults_prefilled), 1);
	assert_int_equal(bed_count(&b, UM_exit_other), 2);
	assert_int_equal(own(&b, "fault_returns"), 2);
	bed_lift(&b);
}

static void prefault_fills_for_what_was_asked(void **state)
{
	struct bed b;

	(void)state;
	bed_lay(&b, "prefault", "base=bitmap", 1);
	read_entry(&b, 0);
	read_entry(&b, EMPTY);
	bed_set(&b, EMPTY, VALUE(0));
	/* A read came back; this is a write. */
	guest_access(&b.g, 0, bed_va(EMPTY), UT_PF_USER | UT_PF_WRITE);
	assert_int_equal(bed_count(&b, UM_faults_prefilled), 0);
	bed_lift(&b);
}

static void prefault_leaves_the_rest_to_its_base(void **state)
{
	static const char *const bases[] = { "sync-on-write", "unsync-bitmap" };
	static const char *const options[] = { "base=write", "base=bitmap" };
	struct bed over, base;

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		bed_lay(&over, "prefault", options[i], 1);
		bed_lay(&base, bases[i], NULL, 1);
		for (unsigned int n = 0; n < 40; n++) {
			struct bed *each[] = { &over, &base };

			for (unsigned int k = 0; k < 2; k++) {
				read_entry(each[k], n % BED_FILLED);
				bed_set(each[k], n * 7 % BED_FILLED, VALUE(n));
				guest_invlpg(&each[k]->g, 0, bed_va(n * 7 % BED_FILLED));
				if (n % 5 == 0)
					bed_switch(each[k], n / 5 % 2);
			}
		}
		for (unsigned int c = 0; c < UM_COUNTER_END; c++) {
			/* Reflected faults are followed by others in neither. */
			if (c != UM_faults_prefilled && c != UM_exit_fault)
				assert_int_equal(over.g.mmu->count[c], base.g.mmu->count[c]);
		}
		assert_int_equal(bed_count(&over, UM_exit_fault) +
					 bed_count(&over, UM_faults_prefilled),
				 bed_count(&base, UM_exit_fault));
		bed_lift(&over);
		bed_lift(&base);
	}
}

/* ---- adaptive ---- */

#define FLUSHES_APART 10

static void adaptive_lonely_writes_are_emulated(void **state)
{
	struct bed b;

	(void)state;
	bed_lay(&b, "adaptive", NULL, 1);
	read_entry(&b, 0);
	for (unsigned int n = 0; n < 20; n++) {
		bed_set(&b, 0, VALUE(n));
		for (unsigned int i = 0; i < FLUSHES_APART; i++)
			bed_switch(&b, 0);
	}
	assert_int_equal(bed_count(&b, UM_writes_emulated), 20);
	assert_int_equal(bed_count(&b, UM_unsyncs), 0);
	assert_int_equal(bed_count(&b, UM_tables_synced), 0);
	bed_lift(&b);
}

/* Write until the table has been let go. */
static void burst(struct bed *b)
{
	for (unsigned int n = 0; n < 10; n++)
		bed_set(b, n, VALUE(n));
	assert_int_equal(b->g.mmu->unsync_now, 1);
}

static void adaptive_bursts_are_not(void **state)
{
	struct bed b;

	(void)state;
	bed_lay(&b, "adaptive", NULL, 1);
	read_entry(&b, 0);
	burst(&b);
	assert_in_range(bed_count(&b, UM_writes_emulated), 1, 4);
	assert_int_equal(bed_count(&b, UM_writes_silent), 10 - bed_count(&b, UM_writes_emulated));
	bed_lift(&b);
}

static void adaptive_prices_decide(void **state)
{
	struct bed b;

	(void)state;
	bed_lay(&b, "adaptive", "cost_unsync=1000000", 1);
	read_entry(&b, 0);
	for (unsigned int n = 0; n < 50; n++)
		bed_set(&b, n % BED_FILLED, VALUE(n));
	assert_int_equal(bed_count(&b, UM_writes_emulated), 50);
	bed_lift(&b);
}

static void adaptive_stays_out_of_sync_while_it_pays(void **state)
{
	uint64_t exits_before;
	struct bed b;

	(void)state;
	bed_lay(&b, "adaptive", NULL, 1);
	read_entry(&b, 0);
	burst(&b);
	for (unsigned int n = 0; n < 10; n++) {
		read_entry(&b, 0);
		exits_before = exits(&b);
		bed_set(&b, 0, VALUE(n));
		assert_int_equal(exits(&b), exits_before);
		bed_switch(&b, 0);
	}
	assert_int_equal(own(&b, "tables_protected"), 0);
	assert_int_equal(own(&b, "tables_refreshed"), 10);
	/* Replaced, not only dropped. */
	assert_int_equal(mapped(&b, 0), FRESH + 9);
	/* Two comparisons for nothing are borne, the next one is the last. */
	for (unsigned int n = 0; n < 5; n++)
		bed_switch(&b, 0);
	assert_int_equal(own(&b, "tables_protected"), 1);
	assert_int_equal(own(&b, "tables_refreshed"), 12);
	assert_int_equal(b.g.mmu->unsync_now, 0);
	/* Wrongly so, as it turns out: next time more is borne. */
	bed_set(&b, 0, VALUE(0));
	assert_int_equal(b.g.mmu->unsync_now, 1);
	bed_switch(&b, 0);
	for (unsigned int n = 0; n < 3; n++)
		bed_switch(&b, 0);
	assert_int_equal(own(&b, "tables_protected"), 1);
	bed_lift(&b);
}

static void adaptive_nothing_in_it_costs_nothing(void **state)
{
	uint64_t synced;
	struct bed b;

	(void)state;
	bed_lay(&b, "adaptive", NULL, 1);
	read_entry(&b, 0);
	burst(&b);
	for (unsigned int i = 0; i < BED_FILLED; i++)
		bed_set(&b, i, 0);
	bed_switch(&b, 0);
	synced = bed_count(&b, UM_tables_synced);
	for (unsigned int n = 0; n < 10; n++)
		bed_switch(&b, 0);
	guest_invlpg(&b.g, 0, bed_va(0));
	assert_int_equal(bed_count(&b, UM_tables_synced), synced);
	assert_int_equal(bed_count(&b, UM_exit_invlpg), 0);
	assert_int_equal(b.g.mmu->unsync_now, 1);
	/* An entry that comes in can be stale. */
	bed_set(&b, 0, VALUE(0));
	read_entry(&b, 0);
	bed_set(&b, 0, VALUE(1));
	guest_invlpg(&b.g, 0, bed_va(0));
	assert_int_equal(bed_count(&b, UM_exit_invlpg), 1);
	assert_int_equal(mapped(&b, 0), FRESH + 1);
	bed_lift(&b);
}

static void adaptive_invlpg_exits_if_something_can_be_stale(void **state)
{
	struct bed b;

	(void)state;
	bed_lay(&b, "adaptive", NULL, 2);
	guest_cr3(&b.g, 1, guest_root(&b.g, 1) << 12);
	read_entry(&b, 0);
	guest_invlpg(&b.g, 0, bed_va(0));
	assert_int_equal(bed_count(&b, UM_exit_invlpg), 0);
	burst(&b);
	assert_int_equal(own(&b, "kicks"), 0);
	guest_invlpg(&b.g, 0, bed_va(0));
	assert_int_equal(bed_count(&b, UM_exit_invlpg), 1);
	/* The other vCPU's root does not lead there. */
	guest_invlpg(&b.g, 1, bed_va(0));
	assert_int_equal(bed_count(&b, UM_exit_invlpg), 1);
	bed_switch(&b, 1);
	guest_invlpg(&b.g, 0, bed_va(0));
	assert_int_equal(bed_count(&b, UM_exit_invlpg), 1);
	assert_int_equal(b.g.mmu->unsync_now, 1);
	guest_cr3(&b.g, 1, guest_root(&b.g, 0) << 12);
	guest_invlpg(&b.g, 1, bed_va(0));
	assert_int_equal(bed_count(&b, UM_exit_invlpg), 2);
	bed_lift(&b);
	bed_lay(&b, "adaptive", "lazy_invlpg=no", 1);
	bed_switch(&b, 0);
	guest_invlpg(&b.g, 0, bed_va(0));
	assert_int_equal(bed_count(&b, UM_exit_invlpg), 1);
	bed_lift(&b);
}

static void adaptive_kicks_who_must_intercept(void **state)
{
	struct bed b;

	(void)state;
	bed_lay(&b, "adaptive", NULL, 2);
	read_entry(&b, 0);
	guest_access(&b.g, 1, bed_va(0), UT_PF_USER);
	burst(&b);
	assert_int_equal(own(&b, "kicks"), 1);
	bed_set(&b, 0, VALUE(20));
	guest_invlpg(&b.g, 1, bed_va(0));
	assert_int_equal(bed_count(&b, UM_exit_invlpg), 1);
	assert_int_equal(mapped(&b, 0), FRESH + 20);
	bed_lift(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ideal_compares_what_was_written_once),
		cmocka_unit_test(ideal_invlpg_is_for_one_address),
		cmocka_unit_test(ideal_in_step_before_it_is_linked),
		cmocka_unit_test(ideal_refill_spares_the_fault),
		cmocka_unit_test(vtlb_flush_drops_what_is_not_global),
		cmocka_unit_test(vtlb_global_page_outlives_cr3),
		cmocka_unit_test(vtlb_writes_are_free_and_stale_until_a_flush),
		cmocka_unit_test(vtlb_upper_bound_counts_what_the_host_kept),
		cmocka_unit_test(vtlb_invlpg_may_cost_a_refault),
		cmocka_unit_test(vtlb_a_hierarchy_for_each_pcid),
		cmocka_unit_test(vtlb_vcpus_share_nothing),
		cmocka_unit_test(nested_only_first_uses_exit),
		cmocka_unit_test(nested_walks_are_dearer),
		cmocka_unit_test(prefault_spares_the_second_fault),
		cmocka_unit_test(prefault_remembers_one_address),
		cmocka_unit_test(prefault_fills_for_what_was_asked),
		cmocka_unit_test(prefault_leaves_the_rest_to_its_base),
		cmocka_unit_test(adaptive_lonely_writes_are_emulated),
		cmocka_unit_test(adaptive_bursts_are_not),
		cmocka_unit_test(adaptive_prices_decide),
		cmocka_unit_test(adaptive_stays_out_of_sync_while_it_pays),
		cmocka_unit_test(adaptive_nothing_in_it_costs_nothing),
		cmocka_unit_test(adaptive_invlpg_exits_if_something_can_be_stale),
		cmocka_unit_test(adaptive_kicks_who_must_intercept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
