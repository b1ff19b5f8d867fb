// SPDX-License-Identifier: GPL-2.0-only
/* oos-per-root, option by option: what must happen, and what no option may let happen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "bed.h"

#define GLOBAL (BED_USER | UT_PTE_G)
#define TOP_SIZE (1ull << 39) /* what one entry of a root spans */
#define DIRECT_INDEX 273      /* of GUEST_DIRECT_MAP in a root */

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

static uint64_t new_root(struct bed *b)
{
	uint64_t root = guest_new_table(&b->g, 4);

	*guest_entry(&b->g, root, DIRECT_INDEX) =
		*guest_entry(&b->g, guest_root(&b->g, 0), DIRECT_INDEX);
	return root;
}

/* The leaf table of the bed maps global pages only. */
static void make_global(struct bed *b)
{
	for (unsigned int i = 0; i < BED_FILLED; i++)
		*guest_entry(&b->g, b->l1, i) |= UT_PTE_G;
}

static bool read_by(struct bed *b, unsigned int vcpu, uint64_t gva)
{
	return guest_access(&b->g, vcpu, gva, UT_PF_USER);
}

/* Flush all that a vCPU's TLB holds, global or not. */
static void flush_globals(struct bed *b, unsigned int vcpu)
{
	guest_cr4(&b->g, vcpu, b->g.cr4[vcpu] ^ UT_CR4_PGE);
	guest_cr4(&b->g, vcpu, b->g.cr4[vcpu] ^ UT_CR4_PGE);
}

/* vCPU 0 runs on a root; the host has shadowed it, so that the trace tells what is in it. */
static void enter(struct bed *b, uint64_t root)
{
	guest_cr3(&b->g, 0, root << 12);
	guest_access(&b->g, 0, GUEST_DIRECT_MAP, 0);
}

/* Root 1 leads where root 0 does. */
static void two_alike(struct bed *b)
{
	*guest_entry(&b->g, guest_root(&b->g, 1), 0) = *guest_entry(&b->g, guest_root(&b->g, 0), 0);
	enter(b, guest_root(&b->g, 1));
	bed_switch(b, 0);
}

/* ---- which global tables stay out of sync ---- */

#define MANY 20

struct many {
	struct bed b;
	uint64_t l1[MANY];
};

static void lay_many(struct many *m, const char *options)
{
	bed_lay(&m->b, "oos-per-root", options, 1);
	for (unsigned int t = 0; t < MANY; t++) {
		m->l1[t] = guest_new_table(&m->b.g, 1);
		/* One to a group of eight, so that none is filled beside another. */
		for (unsigned int i = 0; i < 64; i++)
			*guest_entry(&m->b.g, m->l1[t], i * 8) = (BED_DATA + i) << 12 | GLOBAL;
		*guest_entry(&m->b.g, m->b.l2, 10 + t) = m->l1[t] << 12 | BED_USER;
	}
}

static uint64_t many_va(unsigned int t, unsigned int group)
{
	return (10ull + t) << 21 | (uint64_t)group * 8 << 12;
}

static void let_go(struct many *m, unsigned int t)
{
	bed_read(&m->b, many_va(t, 0));
	guest_write(&m->b.g, 0, m->l1[t], 1, 0x1000 | GLOBAL);
	assert_true(is_out(&m->b, m->l1[t]));
}

/* A fault goes through the table. */
static void use(struct many *m, unsigned int t, unsigned int group)
{
	assert_false(bed_read(&m->b, many_va(t, group)));
}

/* Exactly these of the first tables are out of sync: a bit for each. */
static void assert_out(const struct many *m, unsigned int set)
{
	for (unsigned int t = 0; t < MANY; t++)
		assert_int_equal(is_out(&m->b, m->l1[t]), set >> t & 1);
}

static void fifo_evicts_in_turn(void **state)
{
	struct many m;

	(void)state;
	lay_many(&m, "globals=2");
	let_go(&m, 0);
	let_go(&m, 1);
	use(&m, 0, 1);
	let_go(&m, 2);
	assert_out(&m, 6);
	let_go(&m, 3);
	assert_out(&m, 12);
	assert_int_equal(own(&m.b, "globals_evicted"), 2);
	bed_lift(&m.b);
}

static void lru_spares_what_was_used(void **state)
{
	struct many m;

	(void)state;
	lay_many(&m, "globals=3,replace=lru");
	for (unsigned int t = 0; t < 3; t++)
		let_go(&m, t);
	use(&m, 0, 1);
	use(&m, 1, 1);
	let_go(&m, 3);
	assert_out(&m, 1 | 2 | 8);
	let_go(&m, 4); /* the use of 0 is the oldest now */
	assert_out(&m, 2 | 8 | 16);
	bed_lift(&m.b);
}

static void second_chance_is_one(void **state)
{
	struct many m;

	(void)state;
	lay_many(&m, "globals=3,replace=second-chance");
	for (unsigned int t = 0; t < 3; t++)
		let_go(&m, t);
	use(&m, 0, 1);
	let_go(&m, 3); /* the hand passes over 0 and takes 1 */
	assert_out(&m, 1 | 4 | 8);
	let_go(&m, 4); /* then 2 */
	assert_out(&m, 1 | 8 | 16);
	let_go(&m, 5); /* 0 had its chance */
	assert_out(&m, 8 | 16 | 32);
	bed_lift(&m.b);
}

static void random_lot(struct many *m, const char *options, unsigned int out[MANY])
{
	lay_many(m, options);
	for (unsigned int t = 0; t < MANY; t++) {
		let_go(m, t);
		out[t] = 0;
		for (unsigned int i = 0; i < MANY; i++)
			out[t] |= (unsigned int)is_out(&m->b, m->l1[i]) << i;
		assert_int_equal(__builtin_popcount(out[t]), t < 3 ? t + 1 : 3);
	}
	bed_lift(&m->b);
}

static void random_is_the_seeds(void **state)
{
	unsigned int one[MANY], again[MANY], two[MANY];
	struct many m;

	(void)state;
	random_lot(&m, "globals=3,replace=random", one);
	random_lot(&m, "globals=3,replace=random,seed=1", again);
	random_lot(&m, "globals=3,replace=random,seed=2", two);
	assert_memory_equal(one, again, sizeof(one));
	assert_memory_not_equal(one, two, sizeof(one));
}

static void a_list_has_no_bound(void **state)
{
	struct many m;

	(void)state;
	lay_many(&m, "globals=0,globals_list=yes");
	for (unsigned int t = 0; t < MANY; t++)
		let_go(&m, t);
	assert_out(&m, (1u << MANY) - 1);
	/* One is linked anew, and leaves from the middle. */
	guest_write(&m.b.g, 0, m.b.l2, 10 + MANY, m.l1[3] << 12 | BED_USER);
	bed_read(&m.b, many_va(MANY, 0));
	bed_switch(&m.b, 0);
	assert_out(&m, ((1u << MANY) - 1) & ~8u);
	guest_cr4(&m.b.g, 0, m.b.g.cr4[0]);
	assert_out(&m, 0);
	bed_lift(&m.b);
}

/* ---- what is global ---- */

static void global_by_flag_or_by_count(void **state)
{
	static const char *const rules[] = { "global=sticky", "global=count" };
	struct bed b;

	(void)state;
	for (unsigned int count = 0; count < 2; count++) {
		bed_lay(&b, "oos-per-root", rules[count], 1);
		make_global(&b);
		*guest_entry(&b.g, b.l1, 0) &= ~UT_PTE_G;
		/* Shared: it goes out of sync if it is global, and else never. */
		bed_hang(&b, guest_root(&b.g, 1), b.l1, ~0ull);
		bed_read(&b, bed_va(0));
		bed_switch(&b, 1);
		bed_read(&b, bed_va(0));
		assert_int_equal(own(&b, "globals_lost"), 1);
		bed_set(&b, 0, 0);
		assert_false(is_out(&b, b.l1));
		bed_read(&b, bed_va(8));
		/* All that is present is global again; a flag has forgotten that it could be. */
		bed_set(&b, 9, 0);
		assert_int_equal(is_out(&b, b.l1), count);
		bed_lift(&b);
	}
}

static void a_global_table_that_is_none_leaves(void **state)
{
	struct bed b;

	(void)state;
	bed_lay(&b, "oos-per-root", NULL, 1);
	make_global(&b);
	bed_read(&b, bed_va(0));
	bed_set(&b, 20, BED_DATA << 12 | BED_USER);
	assert_true(is_out(&b, b.l1));
	bed_switch(&b, 0);
	assert_true(is_out(&b, b.l1));
	bed_read(&b, bed_va(20));
	assert_int_equal(own(&b, "globals_lost_unsync"), 1);
	assert_true(is_out(&b, b.l1)); /* on its root's list now */
	bed_switch(&b, 0);
	assert_false(is_out(&b, b.l1));
	bed_lift(&b);
}

/*
 * With sync=left a root's list is looked at by whoever leaves. INVLPG finds a global table of root 0 to
 * be global no more while nobody is there.
 */
static void nobody_would_sync_it(void **state)
{
	struct bed b;

	(void)state;
	bed_lay(&b, "oos-per-root", "sync=left", 1);
	make_global(&b);
	two_alike(&b);
	bed_read(&b, bed_va(0));
	bed_read(&b, bed_va(8));
	bed_set(&b, 0, BED_DATA << 12 | BED_USER);
	bed_set(&b, 8, 0);
	bed_switch(&b, 1);
	assert_true(is_out(&b, b.l1));
	guest_invlpg(&b.g, 0, bed_va(0));
	flush_globals(&b, 0);
	bed_switch(&b, 0);
	assert_false(bed_read(&b, bed_va(8)));
	bed_lift(&b);
}

/* ---- vCPUs that come to see a global table ---- */

/*
 * vCPU 1 changes a global table below root 0; vCPU 0 has flushed all it had of it, and runs on a root
 * that does not lead there. Whichever way it comes to see the table, it must see it as it is.
 */
static void change_behind(struct bed *b, uint64_t root)
{
	enter(b, root);
	flush_globals(b, 0);
	read_by(b, 1, bed_va(0));
	guest_write(&b->g, 1, b->l1, 0, 0);
}

static void seen_from_another_root(void **state)
{
	struct bed b;

	(void)state;
	bed_lay(&b, "oos-per-root", NULL, 2);
	make_global(&b);
	bed_hang(&b, guest_root(&b.g, 1), b.l1, ~0ull);
	bed_switch(&b, 1);
	bed_read(&b, bed_va(0));
	change_behind(&b, new_root(&b));
	assert_true(is_out(&b, b.l1));
	bed_switch(&b, 1);
	assert_int_equal(own(&b, "globals_exposed"), 1);
	assert_false(bed_read(&b, bed_va(0)));
	bed_lift(&b);
}

static void same_branch_is_left_alone(void **state)
{
	struct bed b;

	(void)state;
	bed_lay(&b, "oos-per-root", NULL, 1);
	make_global(&b);
	two_alike(&b);
	bed_read(&b, bed_va(0));
	bed_set(&b, 1, 0);
	bed_switch(&b, 1);
	assert_true(is_out(&b, b.l1));
	/* Linked below the new root, at the entry where it is known to be. */
	assert_false(bed_read(&b, bed_va(0)));
	assert_true(bed_read(&b, bed_va(1)));
	assert_true(is_out(&b, b.l1));
	assert_int_equal(own(&b, "globals_exposed"), 0);
	bed_lift(&b);
}

static void seen_by_a_link(void **state)
{
	struct bed b;
	uint64_t l2, l3;

	(void)state;
	bed_lay(&b, "oos-per-root", NULL, 2);
	make_global(&b);
	l2 = bed_hang(&b, guest_root(&b.g, 1), bed_leaf(&b), ~0ull);
	l3 = l2 - 1;
	bed_switch(&b, 1);
	bed_read(&b, bed_va(0));
	change_behind(&b, guest_root(&b.g, 1));
	assert_true(is_out(&b, b.l1));
	/* At an entry that was absent: nothing need be flushed. */
	guest_write(&b.g, 0, l3, 1, b.l2 << 12 | BED_USER);
	assert_false(bed_read(&b, bed_va(1) + (1ull << 30)));
	assert_false(bed_read(&b, bed_va(0) + (1ull << 30)));
	bed_lift(&b);
}

static void seen_by_a_write_to_the_root(void **state)
{
	struct bed b;

	(void)state;
	bed_lay(&b, "oos-per-root", NULL, 2);
	make_global(&b);
	change_behind(&b, guest_root(&b.g, 1));
	assert_true(is_out(&b, b.l1));
	guest_write(&b.g, 0, guest_root(&b.g, 1), 0, b.l3 << 12 | BED_USER);
	assert_false(bed_read(&b, bed_va(1)));
	assert_false(bed_read(&b, bed_va(0)));
	bed_lift(&b);
}

/* The entry was there all along, but as nobody used it no processor has cached what is below. */
static void there_but_never_used(void **state)
{
	struct bed b;

	(void)state;
	bed_lay(&b, "oos-per-root", NULL, 2);
	make_global(&b);
	*guest_entry(&b.g, guest_root(&b.g, 1), 0) = b.l3 << 12 | (BED_USER & ~UT_PTE_A);
	change_behind(&b, guest_root(&b.g, 1));
	assert_true(is_out(&b, b.l1));
	assert_false(bed_read(&b, bed_va(1)));
	assert_false(bed_read(&b, bed_va(0)));
	bed_lift(&b);
}

/* The same, and on to a root where it was used. */
static void there_and_used_elsewhere(void **state)
{
	struct bed b;
	uint64_t third;

	(void)state;
	bed_lay(&b, "oos-per-root", NULL, 2);
	make_global(&b);
	third = new_root(&b);
	*guest_entry(&b.g, third, 0) = b.l3 << 12 | BED_USER;
	enter(&b, third);
	bed_read(&b, bed_va(0));
	*guest_entry(&b.g, guest_root(&b.g, 1), 0) = b.l3 << 12 | (BED_USER & ~UT_PTE_A);
	change_behind(&b, guest_root(&b.g, 1));
	assert_true(is_out(&b, b.l1));
	guest_cr3(&b.g, 0, third << 12);
	assert_false(bed_read(&b, bed_va(0)));
	bed_lift(&b);
}

static void found_below_two_entries(void **state)
{
	struct bed b;
	uint64_t third;

	(void)state;
	bed_lay(&b, "oos-per-root", NULL, 2);
	make_global(&b);
	third = new_root(&b);
	*guest_entry(&b.g, guest_root(&b.g, 1), 0) = b.l3 << 12 | BED_USER;
	*guest_entry(&b.g, guest_root(&b.g, 1), 1) = b.l3 << 12 | BED_USER;
	*guest_entry(&b.g, third, 0) = b.l3 << 12 | BED_USER;
	bed_switch(&b, 1);
	bed_read(&b, bed_va(0) + TOP_SIZE);
	bed_read(&b, bed_va(0));
	change_behind(&b, third);
	assert_false(is_out(&b, b.l1));
	bed_switch(&b, 1);
	assert_false(bed_read(&b, bed_va(0) + TOP_SIZE));
	bed_lift(&b);
}

/* ---- tables that become shared ---- */

static void shared_tree(struct bed *b, const char *options, uint64_t l1[3])
{
	bed_lay(b, "oos-per-root", options, 1);
	*guest_entry(&b->g, guest_root(&b->g, 1), 0) = *guest_entry(&b->g, guest_root(&b->g, 0), 0);
	for (unsigned int t = 0; t < 3; t++) {
		l1[t] = bed_leaf(b);
		*guest_entry(&b->g, b->l2, 10 + t) = l1[t] << 12 | BED_USER;
		bed_read(b, many_va(t, 0));
	}
	guest_write(&b->g, 0, l1[0], 0, 0);
	guest_write(&b->g, 0, l1[1], 0, 0);
	bed_switch(b, 1);
	assert_false(bed_read(b, many_va(0, 0)));
	/* One way or the other: shared now, and never out of sync again. */
	bed_read(b, many_va(0, 1));
	guest_write(&b->g, 0, l1[0], 1, 0);
	assert_false(is_out(b, l1[0]));
}

/* Nor what was in step then, not even from its old root. */
static void never_again(struct bed *b, uint64_t l1)
{
	bed_switch(b, 0);
	guest_write(&b->g, 0, l1, 0, 0);
	assert_false(is_out(b, l1));
}

static void share_syncs_the_tree(void **state)
{
	uint64_t l1[3];
	struct bed b;

	(void)state;
	shared_tree(&b, "share=tree", l1);
	assert_int_equal(bed_count(&b, UM_tables_synced), 2);
	assert_false(is_out(&b, l1[1]));
	never_again(&b, l1[2]);
	bed_lift(&b);
}

static void share_unlinks_until_used(void **state)
{
	uint64_t l1[3];
	struct bed b;

	(void)state;
	shared_tree(&b, "share=lazy", l1);
	assert_int_equal(bed_count(&b, UM_tables_synced), 1);
	assert_true(is_out(&b, l1[1]));
	assert_false(bed_read(&b, many_va(1, 0)));
	bed_read(&b, many_va(1, 1));
	assert_int_equal(bed_count(&b, UM_tables_synced), 2);
	assert_false(is_out(&b, l1[1]));
	never_again(&b, l1[2]);
	bed_lift(&b);
}

static void a_root_goes(void **state)
{
	struct bed b;

	(void)state;
	bed_lay(&b, "oos-per-root", "root_gone=zap", 1);
	bed_read(&b, bed_va(0));
	bed_set(&b, 0, 0);
	guest_zap(&b.g, guest_root(&b.g, 0));
	assert_null(bed_page(&b, b.l1));
	bed_lift(&b);

	bed_lay(&b, "oos-per-root", "root_gone=sync", 1);
	bed_read(&b, bed_va(0));
	bed_set(&b, 0, 0);
	guest_zap(&b.g, guest_root(&b.g, 0));
	assert_non_null(bed_page(&b, b.l1));
	assert_false(is_out(&b, b.l1));
	assert_int_equal(bed_count(&b, UM_tables_synced), 1);
	assert_false(bed_read(&b, bed_va(0)));
	bed_lift(&b);
}

/* ---- tables above the leaves ---- */

static void upper_tables_go_too(void **state)
{
	struct bed b;
	uint64_t other;

	(void)state;
	bed_lay(&b, "oos-per-root", "levels=2", 1);
	other = bed_leaf(&b);
	bed_read(&b, bed_va(0));
	guest_write(&b.g, 0, b.l2, BED_ENTRY, other << 12 | BED_USER);
	guest_write(&b.g, 0, b.l2, BED_ENTRY + 1, 0);
	assert_true(is_out(&b, b.l2));
	assert_int_equal(own(&b, "unsyncs_upper"), 1);
	assert_int_equal(bed_count(&b, UM_writes_emulated), 0);
	/* What was there may be used until a flush. */
	assert_true(bed_read(&b, bed_va(0)));
	guest_write(&b.g, 0, b.l3, 5, 0);
	assert_int_equal(bed_count(&b, UM_writes_emulated), 1);
	bed_switch(&b, 0);
	assert_false(is_out(&b, b.l2));
	assert_false(bed_read(&b, bed_va(0)));
	bed_lift(&b);
}

static void a_root_out_of_sync(void **state)
{
	struct bed b;

	(void)state;
	bed_lay(&b, "oos-per-root", "levels=4", 1);
	bed_read(&b, bed_va(0));
	guest_write(&b.g, 0, guest_root(&b.g, 0), 0, 0);
	assert_true(is_out(&b, guest_root(&b.g, 0)));
	assert_true(bed_read(&b, bed_va(0)));
	bed_switch(&b, 0);
	assert_false(bed_read(&b, bed_va(0)));
	bed_lift(&b);
}

static void invlpg_mends_the_way_down(void **state)
{
	struct bed b;

	(void)state;
	bed_lay(&b, "oos-per-root", "levels=4", 1);
	bed_read(&b, bed_va(0));
	bed_read(&b, bed_va(8));
	guest_write(&b.g, 0, b.l2, BED_ENTRY, 0);
	assert_true(is_out(&b, b.l2));
	guest_invlpg(&b.g, 0, bed_va(0));
	assert_false(bed_read(&b, bed_va(0)));
	assert_true(is_out(&b, b.l2));
	bed_lift(&b);
}

/* Two ways to a leaf table; one is cut, unseen. What is new in the table must not be found that way. */
static void no_new_entry_below_a_stale_link(void **state)
{
	struct bed b;

	(void)state;
	bed_lay(&b, "oos-per-root", "levels=2", 1);
	*guest_entry(&b.g, b.l2, BED_ENTRY + 1) = *guest_entry(&b.g, b.l2, BED_ENTRY);
	bed_read(&b, bed_va(0));
	bed_read(&b, bed_va(UM_ENTRIES));
	guest_write(&b.g, 0, b.l2, BED_ENTRY, bed_leaf(&b) << 12 | BED_USER);
	assert_true(is_out(&b, b.l2));
	assert_true(bed_read(&b, bed_va(0)));
	bed_set(&b, 30, BED_DATA << 12 | BED_USER);
	bed_read(&b, bed_va(UM_ENTRIES + 30));
	assert_true(bed_read(&b, bed_va(UM_ENTRIES + 30)));
	assert_false(bed_read(&b, bed_va(30)));
	bed_lift(&b);
}

/* ---- what else ---- */

static void read_faults_may_count(void **state)
{
	struct bed b;

	(void)state;
	for (unsigned int reads = 0; reads < 2; reads++) {
		bed_lay(&b, "oos-per-root", reads ? "reads=yes" : "reads=no", 1);
		bed_read(&b, bed_va(0));
		guest_access(&b.g, 0, GUEST_DIRECT_MAP + (b.l1 << 12), 0);
		assert_int_equal(is_out(&b, b.l1), reads);
		bed_lift(&b);
	}
}

static void pcid_switch(struct bed *b, unsigned int root, uint64_t flags)
{
	guest_cr3(&b->g, 0, guest_root(&b->g, root) << 12 | (root + 1) | flags);
}

/* Back and forth without a flush, table out of sync. */
static void lay_pcids(struct bed *b)
{
	bed_lay(b, "oos-per-root", NULL, 1);
	guest_cr4(&b->g, 0, b->g.cr4[0] | UT_CR4_PCIDE);
	pcid_switch(b, 1, 0);
	pcid_switch(b, 0, 0);
	bed_read(b, bed_va(0));
	bed_set(b, 0, 0);
	pcid_switch(b, 1, UT_CR3_NOFLUSH);
}

static void noflush_returns_to_what_it_had(void **state)
{
	struct ut_event e = { .kind = UT_INVPCID, .invpcid = { .pcid = 1, .type = 1 } };
	struct bed b;

	(void)state;
	lay_pcids(&b);
	pcid_switch(&b, 0, UT_CR3_NOFLUSH);
	assert_true(is_out(&b, b.l1));
	assert_true(bed_read(&b, bed_va(0)));
	/* Not so if that PCID was flushed meanwhile. */
	pcid_switch(&b, 1, UT_CR3_NOFLUSH);
	guest_event(&b.g, &e);
	assert_true(is_out(&b, b.l1));
	pcid_switch(&b, 0, UT_CR3_NOFLUSH);
	assert_false(bed_read(&b, bed_va(0)));
	bed_lift(&b);
}

static void invlpg_reaches_other_pcids(void **state)
{
	struct bed b;

	(void)state;
	lay_pcids(&b);
	/* It was global for all that the guest knows. */
	guest_invlpg(&b.g, 0, bed_va(0));
	pcid_switch(&b, 0, UT_CR3_NOFLUSH);
	assert_false(bed_read(&b, bed_va(0)));
	bed_lift(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fifo_evicts_in_turn),
		cmocka_unit_test(lru_spares_what_was_used),
		cmocka_unit_test(second_chance_is_one),
		cmocka_unit_test(random_is_the_seeds),
		cmocka_unit_test(a_list_has_no_bound),
		cmocka_unit_test(global_by_flag_or_by_count),
		cmocka_unit_test(a_global_table_that_is_none_leaves),
		cmocka_unit_test(nobody_would_sync_it),
		cmocka_unit_test(seen_from_another_root),
		cmocka_unit_test(same_branch_is_left_alone),
		cmocka_unit_test(seen_by_a_link),
		cmocka_unit_test(seen_by_a_write_to_the_root),
		cmocka_unit_test(there_but_never_used),
		cmocka_unit_test(there_and_used_elsewhere),
		cmocka_unit_test(found_below_two_entries),
		cmocka_unit_test(share_syncs_the_tree),
		cmocka_unit_test(share_unlinks_until_used),
		cmocka_unit_test(a_root_goes),
		cmocka_unit_test(upper_tables_go_too),
		cmocka_unit_test(a_root_out_of_sync),
		cmocka_unit_test(invlpg_mends_the_way_down),
		cmocka_unit_test(no_new_entry_below_a_stale_link),
		cmocka_unit_test(read_faults_may_count),
		cmocka_unit_test(noflush_returns_to_what_it_had),
		cmocka_unit_test(invlpg_reaches_other_pcids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
