// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mistakes of KVM's out-of-sync tables, one by one: with each brought back (models/history.h) a guest
 * that does nothing but what the architecture allows gets a translation that it must not get, or the
 * structure breaks; as the models are now it does not.
 *
 * Where KVM's mistake needed two CPUs at the same time, or something that a model does not have, the
 * nearest thing to it is done; the test says what differs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "bed.h"
#include "models/history.h"
#include "models/marks.h"
#include "models/shadow.h"
#include "replay/oracle.h"

#define MODEL "unsync-bitmap"
#define READ_ONLY (BED_USER & ~UT_PTE_W)
#define FRESH (BED_DATA + 100) /* a frame that nothing maps to begin with */
#define TABLE_REGION (1ull << 21)
#define UPPER_REGION (1ull << 30)

/* ---- the oracle looks on ---- */

static struct ur_oracle *oracle;

static void oracle_looks(struct um_mmu *mmu, const struct ut_event *e)
{
	if (!e) {
		oracle = ur_oracle_create(mmu, 1);
		assert_non_null(oracle);
	} else {
		assert_int_equal(ur_oracle_event(oracle, e), 0);
	}
}

/* The end of a scenario's guest, and how often the oracle objected. */
static uint64_t end(struct bed *b)
{
	struct ur_verified v = { 0 };

	assert_int_equal(ur_oracle_finish(oracle, &v), 0);
	ur_verified_free(&v);
	bed_lift(b);
	return v.violations;
}

/* How a scenario ended. */
struct ending {
	bool bad; /* as the scenario itself sees it */
	uint64_t objections;
};

/*
 * In a model some mistakes break neither the TLB contract nor the structure: they cost, or there is nobody
 * to suffer. Those the oracle need not see.
 */
enum seen { UNSEEN_BY_ORACLE, SEEN_BY_ORACLE };

static void once_wrong(enum um_relapse what, struct ending (*scenario)(void), enum seen seen)
{
	struct ending now, then;

	guest_observer = oracle_looks;
	um_relapse(UM_RELAPSE_NONE);
	now = scenario();
	um_relapse(what);
	then = scenario();
	um_relapse(UM_RELAPSE_NONE);
	guest_observer = NULL;
	assert_false(now.bad);
	assert_int_equal(now.objections, 0);
	assert_true(then.bad);
	if (seen == SEEN_BY_ORACLE)
		assert_true(then.objections > 0);
}

/* ---- what must never be ---- */

/* Does the shadow let a read through, and to another frame than the guest's tables say? */
static bool stale(struct bed *b, uint64_t gva)
{
	const struct um_vcpu *vcpu = um_vcpu_at(b->g.mmu, 0);
	const struct um_page *page;
	unsigned int index;

	if (!bed_read(b, gva))
		return false;
	page = um_leaf_of(b->g.mmu, vcpu->root, gva, &index);
	return um_spte_gfn(page->spt[index]) != guest_walk(&b->g, 0, gva).gfn;
}

static bool maps_writable(const struct um_page *page, uint64_t gfn)
{
	const uint64_t bits = UM_SPTE_P | UM_SPTE_LEAF | UM_SPTE_W;

	for (unsigned int i = 0; i < UM_ENTRIES; i++) {
		if ((page->spt[i] & bits) == bits && um_spte_gfn(page->spt[i]) == gfn)
			return true;
	}
	return false;
}

/* Is a table in step, yet writable? Then a write to it would go unseen. */
static bool writable_in_step(const struct bed *b, uint64_t gfn)
{
	const struct um_frame *frame = um_mmu_frame(b->g.mmu, gfn);

	if (!frame->n_synced)
		return false;
	for (const struct um_page *p = um_mmu_oldest(b->g.mmu); p; p = p->newer) {
		if (maps_writable(p, gfn))
			return true;
	}
	return false;
}

/* Does a page name a parent whose entry does not lead to it? */
static bool parent_unknown(const struct bed *b)
{
	for (const struct um_page *p = um_mmu_oldest(b->g.mmu); p; p = p->newer) {
		for (uint32_t i = 0; i < p->n_parents; i++) {
			const struct um_page *parent = um_page_by_id(b->g.mmu, p->parents[i].page);

			if (!parent || um_child(b->g.mmu, parent, p->parents[i].index) != p)
				return true;
		}
	}
	return false;
}

/* ---- 1 to 3: what a sync grants, and when it is due ---- */

/*
 * An entry that maps the table itself becomes writable in the sync of that table, as this does not yet
 * count as in step: then it is in step and writable.
 */
static struct ending maps_itself(void)
{
	struct bed b;
	bool bad;

	bed_lay(&b, MODEL, NULL, 1);
	*guest_entry(&b.g, b.l1, 9) = b.l1 << 12 | READ_ONLY;
	bed_read(&b, BED_VA);
	bed_read(&b, bed_va(9));
	bed_set(&b, 9, b.l1 << 12 | BED_USER);
	bed_switch(&b, 0);
	assert_int_equal(bed_count(&b, UM_tables_synced), 1);
	bad = writable_in_step(&b, b.l1);
	return (struct ending){ bad, end(&b) };
}

static void bug_1_table_that_maps_itself(void **state)
{
	(void)state;
	once_wrong(UM_RELAPSE_SELF_MAP, maps_itself, SEEN_BY_ORACLE);
}

/* The same with two tables in one batch: the first makes the second writable, which is synced then. */
static struct ending map_each_other(void)
{
	struct bed b;
	uint64_t other;
	bool bad;

	bed_lay(&b, MODEL, NULL, 1);
	other = bed_leaf(&b);
	*guest_entry(&b.g, b.l2, BED_ENTRY + 1) = other << 12 | BED_USER;
	*guest_entry(&b.g, b.l1, 9) = other << 12 | READ_ONLY;
	*guest_entry(&b.g, other, 9) = b.l1 << 12 | READ_ONLY;
	bed_read(&b, bed_va(9));
	bed_read(&b, bed_va(9) + TABLE_REGION);
	bed_set(&b, 9, other << 12 | BED_USER);
	guest_write(&b.g, 0, other, 9, b.l1 << 12 | BED_USER);
	assert_int_equal(b.g.mmu->unsync_now, 2);
	bed_switch(&b, 0);
	assert_int_equal(bed_count(&b, UM_tables_synced), 2);
	bad = writable_in_step(&b, b.l1) || writable_in_step(&b, other);
	return (struct ending){ bad, end(&b) };
}

static void bug_2_tables_that_map_each_other(void **state)
{
	(void)state;
	once_wrong(UM_RELAPSE_MUTUAL_MAP, map_each_other, SEEN_BY_ORACLE);
}

/*
 * A leaf table is changed, then its parent hung where nothing was: the guest need not flush, as no CPU
 * can have cached anything of the new place. KVM linked the parent at once and asked for a sync before
 * this vCPU's next entry, too late for another on the same tables. Here the sync is left out.
 */
static struct ending hung_where_nothing_was(void)
{
	struct bed b;
	bool bad;

	bed_lay(&b, MODEL, NULL, 1);
	bed_read(&b, BED_VA);
	bed_set(&b, 0, FRESH << 12 | BED_USER);
	guest_write(&b.g, 0, b.l3, 1, b.l2 << 12 | BED_USER);
	bed_read(&b, bed_va(1) + UPPER_REGION);
	bad = stale(&b, BED_VA + UPPER_REGION);
	return (struct ending){ bad, end(&b) };
}

static void bug_3_parent_linked_before_its_children_are_synced(void **state)
{
	(void)state;
	once_wrong(UM_RELAPSE_LINK_FIRST, hung_where_nothing_was, SEEN_BY_ORACLE);
}

/* ---- 4 to 7: what entries and pointers lead to ---- */

/*
 * KVM took a page into hand for a walk whose guest entry then had changed, and dropped the page, but not
 * the parent pointer in it. Events here are not torn apart, so the pointer is left by dropping a link;
 * what follows is the same: the page's end clears an entry that meanwhile leads to another.
 */
static struct ending pointer_outlives_link(void)
{
	struct bed b;
	uint64_t other;
	bool bad;

	bed_lay(&b, MODEL, NULL, 1);
	other = bed_leaf(&b);
	bed_read(&b, BED_VA);
	guest_write(&b.g, 0, b.l2, BED_ENTRY, other << 12 | BED_USER);
	bed_switch(&b, 0);
	bed_read(&b, BED_VA);
	guest_zap(&b.g, b.l1);
	bad = parent_unknown(&b);
	return (struct ending){ bad, end(&b) };
}

static void bug_4_unreachable_page_keeps_a_parent(void **state)
{
	(void)state;
	once_wrong(UM_RELAPSE_STALE_PARENT, pointer_outlives_link, SEEN_BY_ORACLE);
}

#define LARGE_ENTRY 20

/* A fault on a large guest page that the host maps as such. */
static void fault_large(struct bed *b, uint64_t l3, uint64_t l2)
{
	struct ut_event e = { .kind = UT_FAULT,
			      .fault = { .gva = LARGE_ENTRY * TABLE_REGION,
					 .error = UT_PF_USER,
					 .top = 4,
					 .bottom = 2,
					 .map_level = 2,
					 .outcome = UT_OUT_FILLED } };

	e.fault.walk[3] = *guest_entry(&b->g, guest_root(&b->g, 1), 0);
	e.fault.walk[2] = *guest_entry(&b->g, l3, 0);
	e.fault.walk[1] = *guest_entry(&b->g, l2, LARGE_ENTRY);
	guest_event(&b->g, &e);
}

/*
 * The mark of an entry outlives its link, and the entry comes to map a large page: walks must not go on
 * below it. KVM read guest memory as if it were a shadow page; here the frame number is taken for that
 * of a page, and to be that of one it must be 0, the number of the first page that was made.
 */
static struct ending walk_enters_large_page(void)
{
	uint64_t l2, leaf, fixed;
	struct bed b;
	bool bad;

	bed_lay(&b, MODEL, NULL, 1);
	bed_read(&b, BED_VA);
	l2 = bed_hang(&b, guest_root(&b.g, 1), bed_leaf(&b), ~0ull);
	leaf = bed_leaf(&b);
	*guest_entry(&b.g, l2, LARGE_ENTRY) = leaf << 12 | BED_USER;
	bed_switch(&b, 1);
	bed_read(&b, BED_VA);
	guest_zap(&b.g, guest_root(&b.g, 0));
	bed_read(&b, LARGE_ENTRY * TABLE_REGION);
	assert_int_equal(bed_page(&b, leaf)->id, 0);
	guest_write(&b.g, 0, leaf, 0, 0);
	guest_write(&b.g, 0, l2, LARGE_ENTRY, READ_ONLY | UT_PTE_PS);
	fault_large(&b, l2 - 1, l2);
	fixed = bed_count(&b, UM_entries_fixed);
	guest_invlpg(&b.g, 0, LARGE_ENTRY * TABLE_REGION);
	bad = bed_count(&b, UM_entries_fixed) > fixed;
	bed_switch(&b, 1);
	assert_int_equal(bed_count(&b, UM_tables_synced), bad);
	return (struct ending){ bad, end(&b) };
}

static void bug_5_walk_below_a_large_entry(void **state)
{
	(void)state;
	once_wrong(UM_RELAPSE_LARGE_ENTRY, walk_enters_large_page, UNSEEN_BY_ORACLE);
}

/*
 * A sync gives write permission without a word to those who keep book of it. In KVM the host lost track of
 * dirty pages. There are none here; what is kept is who maps a frame writable, and what is lost is that
 * the frame, when it becomes a table, must be protected there.
 */
static struct ending grant_goes_unnoticed(void)
{
	struct bed b;
	uint64_t table;
	bool bad;

	bed_lay(&b, MODEL, NULL, 1);
	table = bed_leaf(&b);
	*guest_entry(&b.g, b.l1, 0) = table << 12 | READ_ONLY;
	bed_read(&b, BED_VA);
	bed_set(&b, 0, table << 12 | BED_USER);
	bed_switch(&b, 0);
	assert_int_equal(bed_count(&b, UM_entries_permission), 1);
	guest_write(&b.g, 0, b.l2, BED_ENTRY + 1, table << 12 | BED_USER);
	bed_read(&b, BED_VA + TABLE_REGION);
	bad = writable_in_step(&b, table);
	return (struct ending){ bad, end(&b) };
}

static void bug_6_write_permission_toggled_in_a_sync(void **state)
{
	(void)state;
	once_wrong(UM_RELAPSE_W_TOGGLE, grant_goes_unnoticed, SEEN_BY_ORACLE);
}

/*
 * The guest re-points an upper entry. Its write is emulated, and between the change of memory and that of
 * the shadow another vCPU faults: its walk follows the new entry, the shadow still has the old link, and
 * what the new table holds is filled into the shadow of the old one, where other roots find it.
 */
static struct ending filled_by_old_link(void)
{
	struct bed b;
	uint64_t other;
	bool bad;

	bed_lay(&b, MODEL, NULL, 1);
	other = bed_leaf(&b);
	*guest_entry(&b.g, other, 12) = FRESH << 12 | BED_USER;
	bed_hang(&b, guest_root(&b.g, 1), b.l1, ~0ull);
	bed_read(&b, BED_VA);
	*guest_entry(&b.g, b.l2, BED_ENTRY) = other << 12 | BED_USER;
	bed_read(&b, bed_va(12));
	guest_write(&b.g, 0, b.l2, BED_ENTRY, other << 12 | BED_USER);
	bed_switch(&b, 1);
	bed_read(&b, BED_VA);
	bad = stale(&b, bed_va(12));
	return (struct ending){ bad, end(&b) };
}

static void bug_7_link_taken_though_it_leads_elsewhere(void **state)
{
	(void)state;
	once_wrong(UM_RELAPSE_KEEP_LINK, filled_by_old_link, SEEN_BY_ORACLE);
}

/* ---- 8: order ---- */

static uint64_t observed;
static bool seen_too_early;

/* Another vCPU could run here: it may use the entry, and ask whether its root is dirty. */
static void entry_appears(struct um_mmu *mmu, struct um_page *page, unsigned int index)
{
	const struct um_frame *frame = um_mmu_frame(mmu, observed);

	if (!(page->spt[index] & UM_SPTE_W) || um_spte_gfn(page->spt[index]) != observed)
		return;
	if (frame->n_synced || !um_marks_below(um_vcpu_at(mmu, 0)->root))
		seen_too_early = true;
}

/*
 * KVM's stores were in order in the program, and barriers keep them so for others. Here it is the order in
 * the program that is turned round, and the other vCPU looks on from a hook.
 */
static struct ending entry_before_marks(void)
{
	struct um_model watched = *um_model_find(MODEL);
	struct bed b;

	watched.entry_filled = entry_appears;
	bed_lay_model(&b, &watched, NULL, 1);
	bed_read(&b, BED_VA);
	observed = b.l1;
	seen_too_early = false;
	bed_set(&b, 0, 0);
	assert_int_equal(b.g.mmu->unsync_now, 1);
	return (struct ending){ seen_too_early, end(&b) };
}

static void bug_8_entry_writable_before_the_marks(void **state)
{
	(void)state;
	once_wrong(UM_RELAPSE_ENTRY_FIRST, entry_before_marks, UNSEEN_BY_ORACLE);
}

/* ---- 9: 32-bit guests ---- */

#define NARROW_ROOT 0x200ull
#define NARROW_TABLE 0x201ull
#define NARROW_VA 0x80a05000ull /* entry 517 of the table: in its second half */
#define NARROW_ROLE (UT_ROLE_ACCESS | UT_ROLE_CR0_WP | UT_ROLE_4BYTE)

static void narrow_table(struct guest *g, uint64_t gfn, uint32_t role,
			 const struct ut_entry *entries, uint16_t n)
{
	struct ut_event e = { .kind = UT_PAGE_NEW,
			      .page = { .gfn = gfn,
					.role = role | NARROW_ROLE,
					.known = true,
					.n = n,
					.entries = entries } };

	guest_event(g, &e);
}

/* A 32-bit guest of one directory and one table, whose entries are numbered frames. */
static void narrow_guest(struct guest *g)
{
	static struct ut_entry entries[UM_ENTRIES];
	struct ut_entry directory = { NARROW_VA >> 23, NARROW_TABLE << 12 | BED_USER };
	struct ut_event e = { .kind = UT_STATE,
			      .state = { .cr0 = UT_CR0_PG | UT_CR0_WP | 1,
					 .cr3 = NARROW_ROOT << 12,
					 .cr4 = UT_CR4_PSE } };

	for (uint64_t i = 0; i < UM_ENTRIES; i++)
		entries[i] = (struct ut_entry){ (uint16_t)i, ((2 * i) << 12 | BED_USER) |
								     ((2 * i + 1) << 12 | BED_USER)
									     << 32 };
	guest_event(g, &e);
	for (unsigned int q = 0; q < 4; q++)
		narrow_table(g, NARROW_ROOT, 2 | um_quadrant(q), &directory, 1);
	for (unsigned int q = 0; q < 2; q++)
		narrow_table(g, NARROW_TABLE, 1 | um_quadrant(q), entries, UM_ENTRIES);
}

static void narrow_access(struct guest *g)
{
	struct ut_event e = { .kind = UT_FAULT,
			      .fault = { .gva = NARROW_VA,
					 .error = UT_PF_USER,
					 .top = 2,
					 .bottom = 1,
					 .map_level = 1,
					 .outcome = UT_OUT_FILLED } };

	e.fault.walk[1] = NARROW_TABLE << 12 | BED_USER;
	e.fault.walk[0] = 517ull << 12 | BED_USER;
	guest_event(g, &e);
}

/* INVLPG in the second half of a table reads the entry of the first. */
static struct ending invlpg_in_wrong_half(void)
{
	struct ut_event write = { .kind = UT_WRITE,
				  .write = { .gfn = NARROW_TABLE,
					     .offset = 517 * 4,
					     .size = 4,
					     .how = UT_HOW_TRAPPED,
					     .val = FRESH << 12 | BED_USER } };
	struct ut_event invlpg = { .kind = UT_INVLPG, .invlpg = { .gva = NARROW_VA } };
	const struct um_page *page;
	unsigned int index;
	struct bed b;
	bool bad;

	bed_lay(&b, MODEL, NULL, 1);
	narrow_guest(&b.g);
	narrow_access(&b.g);
	guest_event(&b.g, &write);
	assert_int_equal(b.g.mmu->unsync_now, 1);
	guest_event(&b.g, &invlpg);
	page = um_leaf_of(b.g.mmu, um_vcpu_at(b.g.mmu, 0)->root, NARROW_VA, &index);
	assert_non_null(page);
	bad = um_spte_gfn(page->spt[index]) != FRESH;
	return (struct ending){ bad, end(&b) };
}

static void bug_9_invlpg_without_the_quadrant(void **state)
{
	(void)state;
	once_wrong(UM_RELAPSE_QUADRANT, invlpg_in_wrong_half, SEEN_BY_ORACLE);
}

/* ---- 10 to 13: flushes, modes, marks ---- */

static struct ending flushed_by_hypercall(void)
{
	struct ut_event e = { .kind = UT_PV_FLUSH };
	struct bed b;
	bool bad;

	bed_lay(&b, MODEL, NULL, 1);
	bed_read(&b, BED_VA);
	bed_set(&b, 0, FRESH << 12 | BED_USER);
	guest_event(&b.g, &e);
	bad = stale(&b, BED_VA);
	return (struct ending){ bad, end(&b) };
}

static void bug_10_paravirtual_flush_does_not_sync(void **state)
{
	(void)state;
	once_wrong(UM_RELAPSE_PV_FLUSH, flushed_by_hypercall, SEEN_BY_ORACLE);
}

/*
 * A vCPU without EFER.NX wants a table of which there is a shadow page for those that have it, out of
 * sync: with one role only it is synced first. By the mode of that vCPU, its entries lose no-execute.
 * (2.6.28 gave up a page of another mode instead; here a page is synced by the mode in its role.)
 */
static struct ending synced_in_other_mode(void)
{
	struct ut_event e = { .kind = UT_STATE, .vcpu = 1 };
	struct bed b;
	bool bad;

	bed_lay(&b, MODEL, "roles=one", 2);
	e.state = (struct ut_state){ .cr0 = UT_CR0_PG | UT_CR0_WP | 1,
				     .cr3 = b.g.cr3[1],
				     .cr4 = b.g.cr4[1],
				     .efer = UT_EFER_LME | UT_EFER_LMA };
	guest_event(&b.g, &e);
	*guest_entry(&b.g, b.l1, 0) |= UT_PTE_NX;
	bed_read(&b, BED_VA);
	bed_set(&b, 9, 0);
	assert_int_equal(b.g.mmu->unsync_now, 1);
	guest_access(&b.g, 1, bed_va(1), UT_PF_USER);
	assert_int_equal(b.g.mmu->unsync_now, 0);
	assert_true(bed_read(&b, BED_VA));
	bad = guest_access(&b.g, 0, BED_VA, UT_PF_USER | UT_PF_FETCH);
	return (struct ending){ bad, end(&b) };
}

static void bug_11_sync_in_a_mode_that_is_not_the_page_s(void **state)
{
	(void)state;
	once_wrong(UM_RELAPSE_ROLE, synced_in_other_mode, SEEN_BY_ORACLE);
}

/*
 * Two parents share a table of level 2. What is out of sync below it is synced by way of one of them, and
 * the other's mark leads to nothing from then on. If it stays, each later sync of that root searches in
 * vain.
 */
static struct ending searched_for_ever(void)
{
	struct bed b;
	uint64_t l3, nodes;
	bool bad;

	bed_lay(&b, MODEL, NULL, 1);
	l3 = guest_new_table(&b.g, 3);
	*guest_entry(&b.g, guest_root(&b.g, 1), 0) = l3 << 12 | BED_USER;
	*guest_entry(&b.g, l3, 0) = b.l2 << 12 | BED_USER;
	bed_read(&b, BED_VA);
	bed_switch(&b, 1);
	bed_read(&b, BED_VA);
	bed_set(&b, 0, 0);
	bed_switch(&b, 1);
	bed_switch(&b, 0);
	assert_int_equal(b.g.mmu->unsync_now, 0);
	nodes = bed_count(&b, UM_nodes_visited);
	bed_switch(&b, 0);
	bad = bed_count(&b, UM_nodes_visited) > nodes;
	return (struct ending){ bad, end(&b) };
}

static void bug_12_mark_that_leads_to_nothing_stays(void **state)
{
	(void)state;
	once_wrong(UM_RELAPSE_STALE_MARK, searched_for_ever, UNSEEN_BY_ORACLE);
}

#define DIRECT_MAP_TABLE (GUEST_FIRST_TABLE + 4)

/*
 * An entry that a sync drops may still be in other CPUs' TLBs. KVM's host took the frame away, found no
 * entry that maps it any more, and did not flush. The host's side is not in a model: that the sync counts
 * a flush of its own is. (The direct map goes first, so that the write protection has nothing to flush for.)
 */
static struct ending dropped_without_flush(void)
{
	struct bed b;
	uint64_t flushes;
	bool bad;

	bed_lay(&b, MODEL, NULL, 1);
	bed_read(&b, BED_VA);
	bed_set(&b, 0, FRESH << 12 | BED_USER);
	guest_zap(&b.g, DIRECT_MAP_TABLE);
	flushes = bed_count(&b, UM_flush_remote);
	bed_switch(&b, 0);
	assert_int_equal(bed_count(&b, UM_entries_dropped), 1);
	bad = bed_count(&b, UM_flush_remote) == flushes;
	return (struct ending){ bad, end(&b) };
}

static void bug_13_sync_drops_entries_without_a_flush(void **state)
{
	(void)state;
	once_wrong(UM_RELAPSE_NO_FLUSH, dropped_without_flush, UNSEEN_BY_ORACLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bug_1_table_that_maps_itself),
		cmocka_unit_test(bug_2_tables_that_map_each_other),
		cmocka_unit_test(bug_3_parent_linked_before_its_children_are_synced),
		cmocka_unit_test(bug_4_unreachable_page_keeps_a_parent),
		cmocka_unit_test(bug_5_walk_below_a_large_entry),
		cmocka_unit_test(bug_6_write_permission_toggled_in_a_sync),
		cmocka_unit_test(bug_7_link_taken_though_it_leads_elsewhere),
		cmocka_unit_test(bug_8_entry_writable_before_the_marks),
		cmocka_unit_test(bug_9_invlpg_without_the_quadrant),
		cmocka_unit_test(bug_10_paravirtual_flush_does_not_sync),
		cmocka_unit_test(bug_11_sync_in_a_mode_that_is_not_the_page_s),
		cmocka_unit_test(bug_12_mark_that_leads_to_nothing_stays),
		cmocka_unit_test(bug_13_sync_drops_entries_without_a_flush),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
