// SPDX-License-Identifier: GPL-2.0-only
/* What records of the ring become: made-up records in, events out, no kernel needed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "collector/assemble.h"
#include "trace/trace.h"

#define START 1000000u
#define MAX_EVENTS 4096u

/* As Linux 6.1 has it. */
static const struct role_layout layout = {
	.level = { 0, 4 },
	.entry_size = { 4, 1 },
	.quadrant = { 5, 2 },
	.direct = { 7, 1 },
	.access = { 8, 3 },
	.invalid = { 11, 1 },
	.efer_nx = { 12, 1 },
	.cr0_wp = { 13, 1 },
	.ad_disabled = { 16, 1 },
	.guest_mode = { 17, 1 },
	.passthrough = { 18, 1 },
	.smm = { 24, 8 },
};

#define ROLE_L1 0x701u
#define ROLE_L2 0x702u
#define ROLE_L4 0x704u
#define ROLE_L1_READ_ONLY 0x501u
#define ROLE_L1_NARROW 0x711u
#define ROLE_L1_DIRECT 0x781u

static struct ut_event seen[MAX_EVENTS];
static struct ut_entry first_entries[UT_TABLE_ENTRIES]; /* of the last PAGE_NEW */
static unsigned int n_seen;
static struct assembler *a;
static uint64_t now;

static int take(void *arg, const struct ut_event *e)
{
	(void)arg;
	assert_null(ut_event_check(e));
	assert_true(n_seen < MAX_EVENTS);
	seen[n_seen++] = *e;
	if (e->kind == UT_PAGE_NEW)
		memcpy(first_entries, e->page.entries, e->page.n * sizeof(*e->page.entries));
	return 0;
}

static int setup(void **state)
{
	struct assembler_options options = { .role = &layout, .start = START, .emit = take };

	(void)state;
	n_seen = 0;
	now = START;
	a = assembler_new(&options);
	return a ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	assembler_free(a);
	return 0;
}

static struct rec_head head(unsigned int kind)
{
	now += 100;
	return (struct rec_head){ .time = now, .kind = (uint8_t)kind };
}

static void page(unsigned int kind, uint64_t sp, uint64_t gfn, uint32_t role, uint32_t flags)
{
	struct rec_page r = {
		.head = head(kind), .sp = sp, .gfn = gfn, .role = role, .flags = flags
	};

	assert_int_equal(assembler_record(a, &r, sizeof(r)), 0);
}

static uint64_t words[UT_TABLE_ENTRIES];

/* With the content of words. */
static void table(unsigned int kind, uint64_t sp, uint64_t gfn, uint32_t role, uint32_t flags)
{
	struct rec_table r = { .page = { .head = head(kind),
					 .sp = sp,
					 .gfn = gfn,
					 .role = role,
					 .flags = flags | REC_PAGE_READ } };

	memcpy(r.words, words, sizeof(words));
	assert_int_equal(assembler_record(a, &r, sizeof(r)), 0);
}

static void written(uint64_t gpa, const void *data, uint32_t bytes)
{
	struct rec_write r = { .head = head(UT_WRITE), .gpa = gpa, .bytes = bytes };

	memcpy(r.data, data, bytes > REC_WRITE_MAX ? REC_WRITE_MAX : bytes);
	assert_int_equal(assembler_record(a, &r, sizeof(r)), 0);
}

static void value(unsigned int kind, uint64_t first, uint64_t second)
{
	struct rec_value r = { .head = head(kind), .a = first, .b = second };

	assert_int_equal(assembler_record(a, &r, sizeof(r)), 0);
}

static void state_of(unsigned int vcpu, uint64_t cr0, uint64_t cr3, uint64_t cr4, uint64_t efer)
{
	struct rec_state r = {
		.head = head(UT_STATE), .cr0 = cr0, .cr3 = cr3, .cr4 = cr4, .efer = efer
	};

	r.head.vcpu = (uint16_t)vcpu;
	assert_int_equal(assembler_record(a, &r, sizeof(r)), 0);
}

static void expect(const unsigned int *kinds, unsigned int n)
{
	assert_int_equal(n_seen, n);
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(seen[i].kind, kinds[i]);
}

#define EXPECT(...)                                                                                \
	do {                                                                                       \
		static const unsigned int kinds[] = { __VA_ARGS__ };                               \
		expect(kinds, sizeof(kinds) / sizeof(kinds[0]));                                   \
	} while (0)

static void expect_write(unsigned int i, unsigned int how, uint64_t gfn, unsigned int offset,
			 unsigned int size, uint64_t old, uint64_t val)
{
	const struct ut_write *w = &seen[i].write;

	assert_int_equal(seen[i].kind, UT_WRITE);
	assert_int_equal(w->how, how);
	assert_int_equal(w->gfn, gfn);
	assert_int_equal(w->offset, offset);
	assert_int_equal(w->size, size);
	assert_true(w->old_known);
	assert_int_equal(w->old, old);
	assert_int_equal(w->val, val);
}

static void clear_words(void)
{
	memset(words, 0, sizeof(words));
}

/* ---- tests ---- */

static void new_page_holds_its_table(void **state)
{
	(void)state;
	clear_words();
	words[0] = 0x1067;
	words[511] = 0x2067;
	table(UT_PAGE_NEW, 0xffff1000, 0x77, ROLE_L2 | 1u << 24, 0);
	EXPECT(UT_PAGE_NEW);
	assert_int_equal(seen[0].time, 100);
	assert_int_equal(seen[0].page.gfn, 0x77);
	assert_int_equal(seen[0].page.role, 2 | UT_ROLE_ACCESS | UT_ROLE_SMM);
	assert_true(seen[0].page.known);
	assert_int_equal(seen[0].page.n, 2);
	assert_int_equal(first_entries[1].index, 511);
	assert_int_equal(first_entries[1].value, 0x2067);
}

static void direct_page_has_no_table(void **state)
{
	(void)state;
	page(UT_PAGE_NEW, 0xffff1000, 0x77, ROLE_L1_DIRECT, 0);
	written(0x77000, "12345678", 8);
	EXPECT(UT_PAGE_NEW);
	assert_false(seen[0].page.known);
	assert_int_equal(assembler_counts(a)->stray, 1);
}

static void trapped_write_knows_the_old_value(void **state)
{
	uint64_t v = 0x5067;

	(void)state;
	clear_words();
	words[3] = 0x4067;
	table(UT_PAGE_NEW, 0xffff1000, 0x77, ROLE_L2, 0);
	written(0x77018, &v, 8);
	v = 0x25;
	written(0x77018, &v, 1);
	v = 0;
	written(0x78000, &v, 8);
	EXPECT(UT_PAGE_NEW, UT_WRITE, UT_WRITE);
	expect_write(1, UT_HOW_TRAPPED, 0x77, 24, 8, 0x4067, 0x5067);
	expect_write(2, UT_HOW_TRAPPED, 0x77, 24, 1, 0x67, 0x25);
	assert_int_equal(assembler_counts(a)->stray, 1);
}

static void wide_and_crossing_writes_are_cut(void **state)
{
	uint8_t data[24];

	(void)state;
	for (unsigned int i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i + 1);
	clear_words();
	table(UT_PAGE_NEW, 0xffff1000, 0x77, ROLE_L2, 0);
	table(UT_PAGE_NEW, 0xffff2000, 0x78, ROLE_L2, 0);
	written(0x77010, data, 16);
	written(0x77024, data, 8);
	written(0x77ffc, data, 8);
	EXPECT(UT_PAGE_NEW, UT_PAGE_NEW, UT_WRITE, UT_WRITE, UT_WRITE, UT_WRITE, UT_WRITE);
	expect_write(2, UT_HOW_TRAPPED, 0x77, 16, 8, 0, 0x0807060504030201);
	expect_write(3, UT_HOW_TRAPPED, 0x77, 24, 8, 0, 0x100f0e0d0c0b0a09);
	/* Over two entries, but one write. */
	expect_write(4, UT_HOW_TRAPPED, 0x77, 36, 8, 0, 0x0807060504030201);
	expect_write(5, UT_HOW_TRAPPED, 0x77, 0xffc, 4, 0, 0x04030201);
	expect_write(6, UT_HOW_TRAPPED, 0x78, 0, 4, 0, 0x08070605);
}

static void write_too_long_to_record_is_a_loss(void **state)
{
	uint8_t data[REC_WRITE_MAX] = { 1 };

	(void)state;
	clear_words();
	table(UT_PAGE_NEW, 0xffff1000, 0x77, ROLE_L2, 0);
	written(0x77000, data, 512);
	assert_int_equal(seen[1].kind, UT_LOST);
	assert_int_equal(seen[1].lost.cause, UT_LOST_UNREADABLE);
	assert_int_equal(n_seen, 2 + REC_WRITE_MAX / 8);
}

static void long_write_to_no_table_is_no_loss(void **state)
{
	const uint8_t data[REC_WRITE_MAX] = { 1 };

	(void)state;
	clear_words();
	table(UT_PAGE_NEW, 0xa0, 0x10, ROLE_L1, REC_PAGE_READ);
	written(0x20000, data, 512);
	assert_int_equal(n_seen, 1);
	assert_int_equal(assembler_counts(a)->lost, 0);
	assert_int_equal(assembler_counts(a)->stray, 1);
}

static void window_shows_net_effect_before_the_sync(void **state)
{
	(void)state;
	clear_words();
	words[1] = 0x1067;
	words[2] = 0x2067;
	table(UT_PAGE_NEW, 0xffff1000, 0x77, ROLE_L1, 0);
	page(UT_HOST_UNSYNC, 0xffff1000, 0x77, ROLE_L1, 0);
	words[1] = 0;
	words[9] = 0x9067;
	table(UT_HOST_SYNC, 0xffff1000, 0x77, ROLE_L1, REC_PAGE_UNSYNC);
	EXPECT(UT_PAGE_NEW, UT_HOST_UNSYNC, UT_WRITE, UT_WRITE, UT_HOST_SYNC);
	expect_write(2, UT_HOW_WINDOW, 0x77, 8, 8, 0x1067, 0);
	expect_write(3, UT_HOW_WINDOW, 0x77, 72, 8, 0, 0x9067);
	assert_int_equal(assembler_counts(a)->silent, 0);
	assert_false(seen[4].page.unsync);
}

static void zap_of_an_unsync_table_ends_its_window(void **state)
{
	(void)state;
	clear_words();
	table(UT_PAGE_NEW, 0xffff1000, 0x77, ROLE_L1, 0);
	page(UT_HOST_UNSYNC, 0xffff1000, 0x77, ROLE_L1, 0);
	words[4] = 0x4025;
	table(UT_PAGE_ZAP, 0xffff1000, 0x77, ROLE_L1, REC_PAGE_UNSYNC);
	EXPECT(UT_PAGE_NEW, UT_HOST_UNSYNC, UT_WRITE, UT_PAGE_ZAP);
	expect_write(2, UT_HOW_WINDOW, 0x77, 32, 8, 0, 0x4025);
	assert_true(seen[3].page.unsync);
	/* And its mirror is gone with it. */
	written(0x77000, "12345678", 8);
	assert_int_equal(n_seen, 4);
}

static void found_while_unsync_is_a_window_that_stays_open(void **state)
{
	uint64_t v = 1;

	(void)state;
	clear_words();
	table(UT_PAGE_NEW, 0xffff1000, 0x77, ROLE_L1, 0);
	page(UT_HOST_UNSYNC, 0xffff1000, 0x77, ROLE_L1, 0);
	words[4] = 0x4025;
	table(UT_PAGE_FOUND, 0xffff1000, 0x77, ROLE_L1, REC_PAGE_UNSYNC);
	written(0x77000, &v, 8);
	EXPECT(UT_PAGE_NEW, UT_HOST_UNSYNC, UT_WRITE, UT_PAGE_FOUND, UT_WRITE);
	assert_true(seen[3].page.unsync);
	/* What was there before, nobody can tell. */
	assert_false(seen[4].write.old_known);
	assert_int_equal(seen[4].write.old, 0);
}

static void narrow_entries_are_compared_one_by_one(void **state)
{
	(void)state;
	clear_words();
	words[0] = 0x1111106700000000;
	table(UT_PAGE_NEW, 0xffff1000, 0x77, ROLE_L1_NARROW, 0);
	page(UT_HOST_UNSYNC, 0xffff1000, 0x77, ROLE_L1_NARROW, 0);
	words[0] = 0x2222206700000000;
	table(UT_HOST_SYNC, 0xffff1000, 0x77, ROLE_L1_NARROW, REC_PAGE_UNSYNC);
	EXPECT(UT_PAGE_NEW, UT_HOST_UNSYNC, UT_WRITE, UT_HOST_SYNC);
	expect_write(2, UT_HOW_WINDOW, 0x77, 4, 4, 0x11111067, 0x22222067);
}

static void bits_set_by_the_host_are_no_writes(void **state)
{
	(void)state;
	clear_words();
	words[5] = 0x5007;
	table(UT_PAGE_NEW, 0xffff1000, 0x77, ROLE_L1, 0);
	page(UT_HOST_UNSYNC, 0xffff1000, 0x77, ROLE_L1, 0);
	value(UT_AD, 0x77, 5 | 8 << 16);
	value(UT_AD, 0x77, 5 | 8 << 16 | 1 << 24);
	words[5] |= UT_PTE_A | UT_PTE_D;
	table(UT_HOST_SYNC, 0xffff1000, 0x77, ROLE_L1, REC_PAGE_UNSYNC);
	EXPECT(UT_PAGE_NEW, UT_HOST_UNSYNC, UT_AD, UT_AD, UT_HOST_SYNC);
	assert_false(seen[2].ad.dirty);
	assert_true(seen[3].ad.dirty);
	assert_int_equal(seen[3].ad.index, 5);
}

static void two_roles_share_one_mirror(void **state)
{
	uint64_t v = 0x6067;

	(void)state;
	clear_words();
	table(UT_PAGE_NEW, 0xffff1000, 0x77, ROLE_L1, 0);
	page(UT_HOST_UNSYNC, 0xffff1000, 0x77, ROLE_L1, 0);
	words[1] = 0x1067;
	/* Creating the other page reads the table: that is where the write shows. */
	table(UT_PAGE_NEW, 0xffff2000, 0x77, ROLE_L1_READ_ONLY, 0);
	table(UT_HOST_SYNC, 0xffff1000, 0x77, ROLE_L1, REC_PAGE_UNSYNC);
	page(UT_PAGE_ZAP, 0xffff1000, 0x77, ROLE_L1, 0);
	written(0x77008, &v, 8);
	EXPECT(UT_PAGE_NEW, UT_HOST_UNSYNC, UT_WRITE, UT_PAGE_NEW, UT_HOST_SYNC, UT_PAGE_ZAP,
	       UT_WRITE);
	expect_write(2, UT_HOW_WINDOW, 0x77, 8, 8, 0, 0x1067);
	expect_write(6, UT_HOW_TRAPPED, 0x77, 8, 8, 0x1067, 0x6067);
}

static void change_that_nothing_announced_is_counted(void **state)
{
	(void)state;
	clear_words();
	table(UT_PAGE_NEW, 0xffff1000, 0x77, ROLE_L1, 0);
	words[1] = 0x1067;
	table(UT_PAGE_NEW, 0xffff2000, 0x77, ROLE_L1_READ_ONLY, 0);
	assert_int_equal(assembler_counts(a)->silent, 1);
}

static void obsolete_twin_is_zapped_once(void **state)
{
	(void)state;
	clear_words();
	table(UT_PAGE_NEW, 0xffff1000, 0x77, ROLE_L1, 0);
	table(UT_PAGE_NEW, 0xffff2000, 0x77, ROLE_L1, 0);
	page(UT_PAGE_ZAP, 0xffff1000, 0x77, ROLE_L1, 0);
	page(UT_PAGE_ZAP, 0xffff2000, 0x77, ROLE_L1, 0);
	EXPECT(UT_PAGE_NEW, UT_PAGE_ZAP, UT_PAGE_NEW, UT_PAGE_ZAP);
	assert_int_equal(assembler_counts(a)->unknown, 1);
}

static void page_whose_end_was_lost_is_ended(void **state)
{
	(void)state;
	clear_words();
	table(UT_PAGE_NEW, 0xffff1000, 0x77, ROLE_L1, 0);
	table(UT_PAGE_NEW, 0xffff1000, 0x99, ROLE_L2, 0);
	EXPECT(UT_PAGE_NEW, UT_PAGE_ZAP, UT_PAGE_NEW);
	assert_int_equal(seen[1].page.gfn, 0x77);
}

static void page_from_before_the_capture_is_new(void **state)
{
	(void)state;
	clear_words();
	words[7] = 0x7067;
	table(UT_PAGE_FOUND, 0xffff1000, 0x77, ROLE_L1, REC_PAGE_UNSYNC);
	page(UT_PAGE_ZAP, 0xffff3000, 0x99, ROLE_L1, 0);
	EXPECT(UT_PAGE_NEW, UT_HOST_UNSYNC, UT_PAGE_FOUND);
	assert_int_equal(seen[0].page.n, 1);
	assert_int_equal(assembler_counts(a)->unknown, 1);
}

/* ---- walks ---- */

#define GVA 0x00007f1234567000ull
#define INDEX(level) (GVA >> (12 + 9 * ((level)-1)) & 511)

static struct rec_fault fault_of(uint64_t begin)
{
	struct rec_fault r = { .head = head(UT_FAULT),
			       .begin = begin,
			       .gva = GVA,
			       .error = UT_PF_USER,
			       .top = 4,
			       .bottom = 1,
			       .outcome = UT_OUT_FILLED,
			       .map_level = 1 };

	r.head.flags = REC_STATE_KNOWN;
	r.walk[3] = 0x72027;
	r.walk[2] = 0x73027;
	r.walk[1] = 0x74027;
	r.walk[0] = 0x99027;
	return r;
}

/* A long-mode vCPU whose tables 0x71 to 0x74 are shadowed and hold the walk above. */
static void four_levels(void)
{
	static const uint64_t entries[] = { 0x99027, 0x74027, 0x73027, 0x72027 };

	state_of(0, UT_CR0_PG | 1, 0x71000, UT_CR4_PAE, UT_EFER_LMA);
	for (unsigned int level = 4; level; level--) {
		clear_words();
		words[INDEX(level)] = entries[level - 1];
		table(UT_PAGE_NEW, 0xffff0000 + level * 0x1000, 0x75 - level, 0x700 | level, 0);
	}
	n_seen = 0;
}

static void walk_as_expected_says_nothing(void **state)
{
	struct rec_fault r;

	(void)state;
	four_levels();
	r = fault_of(now + 1);
	assert_int_equal(assembler_record(a, &r, sizeof(r)), 0);
	EXPECT(UT_FAULT);
	assert_int_equal(seen[0].fault.gva, GVA);
	assert_int_equal(seen[0].fault.walk[3], 0x72027);
	assert_int_equal(seen[0].fault.walk[4], 0);
}

static void walk_shows_a_silent_write_before_the_fault(void **state)
{
	struct rec_fault r;

	(void)state;
	four_levels();
	page(UT_HOST_UNSYNC, 0xffff1000, 0x74, ROLE_L1, 0);
	r = fault_of(now + 1);
	r.walk[0] = 0x88067;
	assert_int_equal(assembler_record(a, &r, sizeof(r)), 0);
	r = fault_of(now + 1);
	r.walk[0] = 0x88067;
	assert_int_equal(assembler_record(a, &r, sizeof(r)), 0);
	EXPECT(UT_HOST_UNSYNC, UT_WRITE, UT_FAULT, UT_FAULT);
	expect_write(1, UT_HOW_WALK, 0x74, (unsigned int)INDEX(1) * 8, 8, 0x99027, 0x88067);
	assert_int_equal(assembler_counts(a)->silent, 0);
}

static void walk_from_before_a_change_is_not_compared(void **state)
{
	uint64_t v = 0x88067;
	struct rec_fault r;

	(void)state;
	four_levels();
	r = fault_of(now + 1);
	written(0x74000 + INDEX(1) * 8, &v, 8);
	r.head.time = now += 100;
	assert_int_equal(assembler_record(a, &r, sizeof(r)), 0);
	EXPECT(UT_WRITE, UT_FAULT);
}

static void bits_set_after_the_walk_are_allowed_for(void **state)
{
	struct rec_fault r;

	(void)state;
	four_levels();
	r = fault_of(now + 1);
	value(UT_AD, 0x74, INDEX(1) | 8 << 16 | 1 << 24);
	assert_int_equal(assembler_record(a, &r, sizeof(r)), 0);
	EXPECT(UT_AD, UT_FAULT);
	r = fault_of(now + 1);
	r.walk[0] |= UT_PTE_D;
	assert_int_equal(assembler_record(a, &r, sizeof(r)), 0);
	assert_int_equal(n_seen, 3);
}

static void pae_root_entries_are_no_table(void **state)
{
	struct rec_fault r = { .head = head(UT_FAULT), .gva = 0xc0101000, .top = 3, .bottom = 1 };

	(void)state;
	state_of(0, UT_CR0_PG | 1, 0x71020, UT_CR4_PAE, 0);
	clear_words();
	table(UT_PAGE_NEW, 0xffff1000, 0x71, ROLE_L2, 0); /* what CR3 happens to lie in */
	clear_words();
	words[0] = 0x73027;
	table(UT_PAGE_NEW, 0xffff2000, 0x72, ROLE_L2, 0);
	r.head = head(UT_FAULT);
	r.head.flags = REC_STATE_KNOWN;
	r.begin = now;
	r.walk[2] = 0x72001;
	r.walk[1] = 0x73027;
	r.walk[0] = 0x99027;
	n_seen = 0;
	assert_int_equal(assembler_record(a, &r, sizeof(r)), 0);
	EXPECT(UT_FAULT);
}

static void two_level_walk_reads_narrow_entries(void **state)
{
	struct rec_fault r;

	(void)state;
	state_of(0, UT_CR0_PG | 1, 0x71000, 0, 0);
	clear_words();
	memcpy((char *)words + 4 * 0x301, &(uint32_t){ 0x72027 }, 4);
	table(UT_PAGE_NEW, 0xffff1000, 0x71, 0x712, 0);
	r = (struct rec_fault){ .head = head(UT_FAULT), .gva = 0xc0401000, .top = 2, .bottom = 1 };
	r.head.flags = REC_STATE_KNOWN;
	r.begin = now;
	r.walk[1] = 0x73027;
	n_seen = 0;
	assert_int_equal(assembler_record(a, &r, sizeof(r)), 0);
	EXPECT(UT_WRITE, UT_FAULT);
	expect_write(0, UT_HOW_WALK, 0x71, 4 * 0x301, 4, 0x72027, 0x73027);
	assert_int_equal(assembler_counts(a)->silent, 1);
}

/* ---- the rest ---- */

static void same_state_is_told_once(void **state)
{
	(void)state;
	state_of(0, 1, 2, 3, 4);
	state_of(0, 1, 2, 3, 4);
	state_of(1, 1, 2, 3, 4);
	value(UT_CR, 0x5000 | UT_CR3_NOFLUSH, 3);
	state_of(0, 1, 0x5000, 3, 4);
	state_of(0, 1, 0x6000, 3, 4);
	EXPECT(UT_STATE, UT_STATE, UT_CR, UT_STATE);
	assert_int_equal(seen[2].cr.value, 0x5000 | UT_CR3_NOFLUSH);
	assert_int_equal(seen[3].state.cr3, 0x6000);
}

static void flush_reaches_the_vcpus_it_names(void **state)
{
	(void)state;
	for (unsigned int id = 0; id < 3; id++)
		state_of(id, 1, 2, 3, 4);
	n_seen = 0;
	value(UT_PV_FLUSH, 0, 1);
	value(UT_PV_FLUSH, 1 << 2 | 1 << 1, 0);
	value(UT_PV_FLUSH, ~0ull, 0);
	EXPECT(UT_PV_FLUSH, UT_PV_FLUSH, UT_PV_FLUSH, UT_PV_FLUSH, UT_PV_FLUSH, UT_PV_FLUSH);
	assert_int_equal(seen[0].vcpu, 0);
	assert_int_equal(seen[1].vcpu + seen[2].vcpu, 3);
}

static void invpcid_is_unpacked(void **state)
{
	(void)state;
	value(UT_INVPCID, 0x1234, 0xabc << 8);
	value(UT_INVPCID, 0, 0xabc << 8 | 1);
	EXPECT(UT_INVPCID, UT_INVPCID);
	assert_int_equal(seen[0].invpcid.gva, 0x1234);
	assert_int_equal(seen[0].invpcid.pcid, 0xabc);
	assert_int_equal(seen[1].invpcid.type, 1);
}

static void losses_stand_where_they_happened(void **state)
{
	struct rec_lost r = { .head = head(UT_LOST), .cause = UT_LOST_RATE };

	(void)state;
	r.head.vm = 3;
	r.counts[UT_FAULT] = 7;
	r.counts[REC_VM_STATS] = 2;
	assert_int_equal(assembler_record(a, &r, sizeof(r)), 0);
	value(UT_INVLPG, 0x1000, 0);
	page(UT_PAGE_NEW, 0xffff1000, 0x77, ROLE_L1, REC_PAGE_UNREADABLE);
	EXPECT(UT_LOST, UT_LOST, UT_INVLPG, UT_LOST, UT_PAGE_NEW);
	assert_int_equal(seen[0].lost.count, 7);
	assert_int_equal(seen[0].lost.cause, UT_LOST_RATE);
	assert_int_equal(seen[0].lost.kind, UT_FAULT);
	assert_int_equal(seen[0].vm, 3);
	assert_int_equal(seen[1].lost.count, 2);
	assert_int_equal(seen[1].lost.kind, 0);
	assert_int_equal(seen[3].lost.cause, UT_LOST_UNREADABLE);
	assert_int_equal(seen[3].lost.kind, UT_PAGE_NEW);
	assert_false(seen[4].page.known);
	assert_int_equal(assembler_counts(a)->lost, 10);
}

/* As the ring tells that it had been full. */
static void lose(unsigned int vm, unsigned int cause, unsigned int kind)
{
	struct rec_lost r = { .head = head(UT_LOST), .cause = cause };

	r.head.vm = (uint16_t)vm;
	r.head.vcpu = UT_NO_VCPU;
	r.counts[kind] = 1;
	assert_int_equal(assembler_record(a, &r, sizeof(r)), 0);
}

static void after_a_loss_old_values_are_not_known(void **state)
{
	uint64_t v = 0x5067;

	(void)state;
	clear_words();
	words[3] = 0x4067;
	table(UT_PAGE_NEW, 0xffff1000, 0x77, ROLE_L2, 0);
	lose(UT_NO_VM, UT_LOST_RING_FULL, UT_WRITE);
	written(0x77018, &v, 4);
	written(0x77018, &v, 8);
	v = 0x6067;
	written(0x77018, &v, 8);
	EXPECT(UT_PAGE_NEW, UT_LOST, UT_WRITE, UT_WRITE, UT_WRITE);
	assert_false(seen[2].write.old_known);
	assert_int_equal(seen[2].write.old, 0);
	/* Half of the word does not tell the other half. */
	assert_false(seen[3].write.old_known);
	expect_write(4, UT_HOW_TRAPPED, 0x77, 24, 8, 0x5067, 0x6067);
}

static void after_a_loss_there_is_no_window(void **state)
{
	(void)state;
	clear_words();
	words[1] = 0x1067;
	table(UT_PAGE_NEW, 0xffff1000, 0x77, ROLE_L1, 0);
	page(UT_HOST_UNSYNC, 0xffff1000, 0x77, ROLE_L1, 0);
	lose(UT_NO_VM, UT_LOST_RING_FULL, UT_AD);
	words[1] = 0x1087;
	table(UT_HOST_SYNC, 0xffff1000, 0x77, ROLE_L1, REC_PAGE_UNSYNC);
	page(UT_HOST_UNSYNC, 0xffff1000, 0x77, ROLE_L1, 0);
	words[1] = 0x2087;
	table(UT_HOST_SYNC, 0xffff1000, 0x77, ROLE_L1, REC_PAGE_UNSYNC);
	EXPECT(UT_PAGE_NEW, UT_HOST_UNSYNC, UT_LOST, UT_WRITE, UT_HOST_SYNC, UT_HOST_UNSYNC,
	       UT_WRITE, UT_HOST_SYNC);
	assert_int_equal(seen[3].write.how, UT_HOW_WALK);
	assert_false(seen[3].write.old_known);
	assert_int_equal(seen[3].write.val, 0x1087);
	/* It is known again since. */
	expect_write(6, UT_HOW_WINDOW, 0x77, 8, 8, 0x1087, 0x2087);
	assert_int_equal(assembler_counts(a)->silent, 0);
}

static void after_a_lost_zap_the_frame_begins_anew(void **state)
{
	(void)state;
	clear_words();
	words[1] = 0x1067;
	table(UT_PAGE_NEW, 0xffff1000, 0x77, ROLE_L1, 0);
	lose(UT_NO_VM, UT_LOST_RING_FULL, UT_PAGE_ZAP);
	/* Its page is gone, and it was used for other things meanwhile. */
	words[1] = 0x9999;
	words[2] = 0x8888;
	table(UT_PAGE_NEW, 0xffff2000, 0x77, ROLE_L2, 0);
	EXPECT(UT_PAGE_NEW, UT_LOST, UT_PAGE_NEW);
	assert_int_equal(seen[2].page.n, 2);
	assert_true(seen[2].page.known);
	assert_int_equal(first_entries[0].value, 0x9999);
}

static void after_a_lost_sync_the_page_itself_tells(void **state)
{
	uint64_t v = 0x5067;

	(void)state;
	clear_words();
	table(UT_PAGE_NEW, 0xffff1000, 0x77, ROLE_L1, 0);
	page(UT_HOST_UNSYNC, 0xffff1000, 0x77, ROLE_L1, 0);
	lose(UT_NO_VM, UT_LOST_RING_FULL, UT_HOST_SYNC);
	page(UT_PAGE_FOUND, 0xffff1000, 0x77, ROLE_L1, 0);
	written(0x77018, &v, 8);
	v++;
	written(0x77018, &v, 8);
	assert_int_equal(n_seen, 6);
	expect_write(5, UT_HOW_TRAPPED, 0x77, 24, 8, 0x5067, 0x5068);
}

/* What a loss by the rate of one VM, or of other kinds, does not concern stays known. */
static void losses_elsewhere_change_nothing(void **state)
{
	uint64_t v = 0x5067;

	(void)state;
	clear_words();
	words[3] = 0x4067;
	table(UT_PAGE_NEW, 0xffff1000, 0x77, ROLE_L2, 0);
	lose(1, UT_LOST_RATE, UT_WRITE);
	lose(UT_NO_VM, UT_LOST_RING_FULL, UT_INVLPG);
	written(0x77018, &v, 8);
	expect_write(3, UT_HOW_TRAPPED, 0x77, 24, 8, 0x4067, 0x5067);
	lose(0, UT_LOST_RATE, UT_WRITE);
	written(0x77020, &v, 8);
	assert_false(seen[5].write.old_known);
}

static void unreadable_table_is_not_known(void **state)
{
	uint64_t v = 0x5067;

	(void)state;
	clear_words();
	words[3] = 0x4067;
	table(UT_PAGE_NEW, 0xffff1000, 0x77, ROLE_L1, 0);
	page(UT_HOST_UNSYNC, 0xffff1000, 0x77, ROLE_L1, 0);
	page(UT_HOST_SYNC, 0xffff1000, 0x77, ROLE_L1, REC_PAGE_UNSYNC | REC_PAGE_UNREADABLE);
	written(0x77018, &v, 8);
	EXPECT(UT_PAGE_NEW, UT_HOST_UNSYNC, UT_LOST, UT_HOST_SYNC, UT_WRITE);
	assert_int_equal(seen[2].lost.kind, UT_WRITE);
	assert_false(seen[4].write.old_known);
}

/* ---- VMs that ran before ---- */

static void running_page_is_told_once(void **state)
{
	(void)state;
	clear_words();
	words[7] = 0x7067;
	table(REC_RUNNING_PAGE, 0xffff1000, 0x77, ROLE_L1, REC_PAGE_UNSYNC);
	page(REC_RUNNING_PAGE, 0xffff2000, 0x88, ROLE_L1_DIRECT, 0);
	table(REC_RUNNING_PAGE, 0xffff1000, 0x77, ROLE_L1, REC_PAGE_UNSYNC);
	EXPECT(UT_PAGE_NEW, UT_HOST_UNSYNC, UT_PAGE_NEW);
	assert_int_equal(seen[0].page.n, 1);
	/* Nothing happened to it: that it went out of sync was before. */
	assert_int_equal(assembler_counts(a)->host_unsync, 0);
	/* Zapped, and another one in its place, before the chain was read again. */
	page(UT_PAGE_ZAP, 0xffff2000, 0x88, ROLE_L1_DIRECT, 0);
	table(UT_PAGE_NEW, 0xffff2000, 0x99, ROLE_L2, 0);
	table(REC_RUNNING_PAGE, 0xffff2000, 0x99, ROLE_L2, 0);
	EXPECT(UT_PAGE_NEW, UT_HOST_UNSYNC, UT_PAGE_NEW, UT_PAGE_ZAP, UT_PAGE_NEW);
}

static void running_page_is_compared_like_any_other(void **state)
{
	(void)state;
	clear_words();
	words[7] = 0x7067;
	table(REC_RUNNING_PAGE, 0xffff1000, 0x77, ROLE_L1, REC_PAGE_UNSYNC);
	words[7] = 0;
	table(UT_HOST_SYNC, 0xffff1000, 0x77, ROLE_L1, REC_PAGE_UNSYNC);
	EXPECT(UT_PAGE_NEW, UT_HOST_UNSYNC, UT_WRITE, UT_HOST_SYNC);
	expect_write(2, UT_HOW_WINDOW, 0x77, 56, 8, 0x7067, 0);
}

static void written_by(unsigned int vcpu, uint64_t gpa, uint64_t v)
{
	struct rec_write r = { .head = head(UT_WRITE), .gpa = gpa, .bytes = 8 };

	r.head.vcpu = (uint16_t)vcpu;
	memcpy(r.data, &v, sizeof(v));
	assert_int_equal(assembler_record(a, &r, sizeof(r)), 0);
}

/* The write was in memory when the table was read, or it was not: the same value tells. */
static void write_in_flight_does_not_know_what_it_replaced(void **state)
{
	struct rec_table r = { .page = { .sp = 0xffff1000, .gfn = 0x77, .role = ROLE_L2 } };

	(void)state;
	state_of(1, 1, 2, 3, 4);
	clear_words();
	r.words[3] = 0x5067;
	r.page.flags = REC_PAGE_READ;
	r.page.head = head(REC_RUNNING_PAGE);
	r.page.head.vcpu = UT_NO_VCPU;
	assert_int_equal(assembler_record(a, &r, sizeof(r)), 0);
	written_by(1, 0x77018, 0x5067);
	written_by(1, 0x77018, 0x5067);
	written_by(2, 0x77020, 0x6067);
	EXPECT(UT_STATE, UT_PAGE_NEW, UT_WRITE, UT_WRITE, UT_WRITE);
	assert_false(seen[2].write.old_known);
	expect_write(3, UT_HOW_TRAPPED, 0x77, 24, 8, 0x5067, 0x5067);
	expect_write(4, UT_HOW_TRAPPED, 0x77, 32, 8, 0, 0x6067);
}

static void bit_in_flight_is_no_write(void **state)
{
	struct rec_value ad = { .head = head(UT_AD), .a = 0x77, .b = 5 | 8 << 16 };

	(void)state;
	ad.head.vcpu = 1;
	assert_int_equal(assembler_record(a, &ad, sizeof(ad)), 0);
	clear_words();
	words[5] = 0x5007; /* not set yet */
	table(REC_RUNNING_PAGE, 0xffff1000, 0x77, ROLE_L1, REC_PAGE_UNSYNC);
	words[5] |= UT_PTE_A;
	table(UT_HOST_SYNC, 0xffff1000, 0x77, ROLE_L1, REC_PAGE_UNSYNC);
	EXPECT(UT_AD, UT_PAGE_NEW, UT_HOST_UNSYNC, UT_HOST_SYNC);
	assert_int_equal(first_entries[0].value, 0x5007 | UT_PTE_A);
}

static void running_vcpu(unsigned int vcpu, uint64_t cr3)
{
	struct rec_state r = { .head = head(REC_RUNNING_VCPU), .cr3 = cr3 };

	r.head.vcpu = (uint16_t)vcpu;
	assert_int_equal(assembler_record(a, &r, sizeof(r)), 0);
}

static void registers_from_outside_count_less(void **state)
{
	(void)state;
	running_vcpu(0, 0x1000);
	state_of(1, 0, 0x3000, 0, 0);
	value(UT_CR, 0x2000, 3);
	running_vcpu(0, 0x1000);
	running_vcpu(1, 0x1000);
	EXPECT(UT_STATE, UT_STATE, UT_CR);
	assert_int_equal(seen[0].state.cr3, 0x1000);
	assert_int_equal(seen[1].vcpu, 1);
}

static void stats(unsigned int vcpu, unsigned int flags, uint64_t first)
{
	struct rec_stats r = { .head = head(REC_VM_STATS) };

	r.head.vcpu = (uint16_t)vcpu;
	r.head.flags = (uint8_t)flags;
	for (unsigned int i = 0; i < REC_STATS_MAX; i++)
		r.values[i] = REC_STAT_ABSENT;
	r.values[0] = first;
	assert_int_equal(assembler_record(a, &r, sizeof(r)), 0);
}

static void expect_stat(unsigned int i, const char *name, uint64_t v, bool final)
{
	assert_int_equal(seen[i].kind, UT_STAT);
	assert_int_equal(seen[i].text.len, strlen(name));
	assert_memory_equal(seen[i].text.text, name, strlen(name));
	assert_int_equal(seen[i].text.value, v);
	assert_int_equal(seen[i].text.final, final);
}

static void counters_are_told_where_the_trace_begins(void **state)
{
	(void)state;
	clear_words();
	table(REC_RUNNING_PAGE, 0xffff1000, 0x77, ROLE_L1, 0);
	stats(UT_NO_VCPU, 0, 30);
	stats(0, 0, 100);
	stats(0, 0, 120); /* it has changed threads */
	stats(0, REC_FINAL, 150);
	stats(0, REC_FINAL, 160);
	stats(1, REC_FINAL, 7); /* never ran */
	stats(UT_NO_VCPU, REC_FINAL, 40);
	assert_int_equal(n_seen, 1 + 3 + 1 + 1 + 2);
	expect_stat(1, "attach.pages", 1, false);
	expect_stat(2, "kvm.mmu_shadow_zapped", 30, false);
	expect_stat(3, "collector.stray_writes", 0, false);
	expect_stat(4, "kvm.exits", 100, false);
	expect_stat(5, "kvm.exits", 150, true);
	expect_stat(6, "kvm.mmu_shadow_zapped", 40, true);
}

static void vms_are_kept_apart(void **state)
{
	struct rec_page r = { .head = head(UT_PAGE_NEW), .sp = 0xffff2000, .gfn = 0x77 };

	(void)state;
	clear_words();
	table(UT_PAGE_NEW, 0xffff1000, 0x77, ROLE_L2, 0);
	r.role = ROLE_L1_DIRECT;
	r.head.vm = 1;
	assert_int_equal(assembler_record(a, &r, sizeof(r)), 0);
	written(0x78000, "12345678", 8);
	stats(UT_NO_VCPU, REC_FINAL, 0);
	expect_stat(3, "collector.stray_writes", 1, true);
	n_seen = 0;
	{
		struct rec_stats other = { .head = head(REC_VM_STATS) };

		other.head.vm = 1;
		other.head.vcpu = UT_NO_VCPU;
		other.head.flags = REC_FINAL;
		assert_int_equal(assembler_record(a, &other, sizeof(other)), 0);
	}
	expect_stat(n_seen - 1, "collector.stray_writes", 0, true);
}

/* Of tables that nobody read; the assembler must have been told to believe walks. */
static void walks_of_tables_not_read(bool learn)
{
	struct assembler_options options = {
		.role = &layout, .start = START, .emit = take, .learn = learn
	};
	struct rec_fault r;

	assembler_free(a);
	a = assembler_new(&options);
	assert_non_null(a);
	state_of(0, UT_CR0_PG | 1, 0x71000, UT_CR4_PAE, UT_EFER_LMA);
	for (unsigned int level = 4; level; level--)
		page(UT_PAGE_NEW, 0xffff0000 + level * 0x1000, 0x75 - level, 0x700 | level, 0);
	n_seen = 0;
	r = fault_of(now + 1);
	assert_int_equal(assembler_record(a, &r, sizeof(r)), 0);
	r = fault_of(now + 1);
	r.walk[0] = 0x88067;
	assert_int_equal(assembler_record(a, &r, sizeof(r)), 0);
}

static void walks_alone_teach_entries(void **state)
{
	(void)state;
	walks_of_tables_not_read(true);
	/* What is seen first may have been there all the time. */
	EXPECT(UT_FAULT, UT_WRITE, UT_FAULT);
	expect_write(1, UT_HOW_WALK, 0x74, (unsigned int)INDEX(1) * 8, 8, 0x99027, 0x88067);
	walks_of_tables_not_read(false);
	EXPECT(UT_FAULT, UT_FAULT);
}

static void walk_without_registers_is_not_compared(void **state)
{
	struct rec_fault r;

	(void)state;
	four_levels();
	r = fault_of(now + 1);
	r.walk[0] = 0x88067;
	r.head.flags = 0; /* a write to CR3 was lost */
	assert_int_equal(assembler_record(a, &r, sizeof(r)), 0);
	EXPECT(UT_FAULT);
}

static void mark_is_never_later_than_what_follows(void **state)
{
	(void)state;
	now += 1000;
	assert_int_equal(assembler_mark(a, now, "here", 4), 0);
	now -= 500;
	value(UT_INVLPG, 0x1000, 0);
	EXPECT(UT_MARK, UT_INVLPG);
	assert_true(seen[1].time >= seen[0].time);
}

static void counters_have_names(void **state)
{
	struct rec_stats r = { .head = head(REC_VM_STATS) };

	(void)state;
	r.head.vcpu = UT_NO_VCPU;
	r.head.flags = REC_FINAL;
	r.values[0] = REC_STAT_ABSENT;
	r.values[1] = 42;
	assert_int_equal(assembler_record(a, &r, sizeof(r)), 0);
	assert_int_equal(seen[0].kind, UT_STAT);
	assert_int_equal(seen[0].text.value, 42);
	assert_memory_equal(seen[0].text.text, "kvm.mmu_pte_write", seen[0].text.len);
	assert_true(seen[0].text.final);
}

static void vm_that_ends_leaves_nothing(void **state)
{
	(void)state;
	clear_words();
	table(UT_PAGE_NEW, 0xffff1000, 0x77, ROLE_L1, 0);
	{
		struct rec_value r = { .head = head(UT_VM_GONE) };

		r.head.vcpu = UT_NO_VCPU;
		assert_int_equal(assembler_record(a, &r, sizeof(r)), 0);
	}
	page(UT_PAGE_ZAP, 0xffff1000, 0x77, ROLE_L1, 0);
	EXPECT(UT_PAGE_NEW, UT_VM_GONE);
}

/* Records of nonsense do no harm: sanitizers watch. Frame numbers are those that a kernel can have. */
static void nonsense_is_survived(void **state)
{
	static uint64_t data[sizeof(struct rec_table) / 8];
	uint64_t x = 0x243f6a8885a308d3;
	struct rec_head *h = (struct rec_head *)data;

	(void)state;
	for (unsigned int i = 0; i < 20000; i++) {
		for (unsigned int k = 0; k < 40; k++) {
			x = x * 6364136223846793005ull + 1442695040888963407ull;
			data[k] = x >> (x & 1 ? 50 : 20);
		}
		h->kind = (uint8_t)(x >> 33) % (REC_KINDS + 3);
		h->vm = 0;
		if (h->kind == UT_FAULT)
			((struct rec_fault *)data)->outcome %= UT_OUT_FAST + 1;
		if (h->kind == UT_FAULT)
			((struct rec_fault *)data)->map_level %= UT_MAX_LEVELS + 1;
		if (h->kind == UT_CR)
			((struct rec_value *)data)->b = 3;
		n_seen = 0;
		assert_int_equal(assembler_record(a, data, x >> 40 & 1 ? sizeof(data) : x >> 60),
				 0);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(new_page_holds_its_table),
		TEST(direct_page_has_no_table),
		TEST(trapped_write_knows_the_old_value),
		TEST(wide_and_crossing_writes_are_cut),
		TEST(write_too_long_to_record_is_a_loss),
		TEST(long_write_to_no_table_is_no_loss),
		TEST(window_shows_net_effect_before_the_sync),
		TEST(zap_of_an_unsync_table_ends_its_window),
		TEST(found_while_unsync_is_a_window_that_stays_open),
		TEST(narrow_entries_are_compared_one_by_one),
		TEST(bits_set_by_the_host_are_no_writes),
		TEST(two_roles_share_one_mirror),
		TEST(change_that_nothing_announced_is_counted),
		TEST(obsolete_twin_is_zapped_once),
		TEST(page_whose_end_was_lost_is_ended),
		TEST(page_from_before_the_capture_is_new),
		TEST(walk_as_expected_says_nothing),
		TEST(walk_shows_a_silent_write_before_the_fault),
		TEST(walk_from_before_a_change_is_not_compared),
		TEST(bits_set_after_the_walk_are_allowed_for),
		TEST(pae_root_entries_are_no_table),
		TEST(two_level_walk_reads_narrow_entries),
		TEST(same_state_is_told_once),
		TEST(flush_reaches_the_vcpus_it_names),
		TEST(invpcid_is_unpacked),
		TEST(losses_stand_where_they_happened),
		TEST(after_a_loss_old_values_are_not_known),
		TEST(after_a_loss_there_is_no_window),
		TEST(after_a_lost_zap_the_frame_begins_anew),
		TEST(after_a_lost_sync_the_page_itself_tells),
		TEST(losses_elsewhere_change_nothing),
		TEST(unreadable_table_is_not_known),
		TEST(walks_alone_teach_entries),
		TEST(walk_without_registers_is_not_compared),
		TEST(running_page_is_told_once),
		TEST(running_page_is_compared_like_any_other),
		TEST(write_in_flight_does_not_know_what_it_replaced),
		TEST(bit_in_flight_is_no_write),
		TEST(registers_from_outside_count_less),
		TEST(counters_are_told_where_the_trace_begins),
		TEST(vms_are_kept_apart),
		TEST(mark_is_never_later_than_what_follows),
		TEST(counters_have_names),
		TEST(vm_that_ends_leaves_nothing),
		TEST(nonsense_is_survived),
	};

	return cmocka_run_group_tests_name("collector: records to events", tests, NULL, NULL);
}
