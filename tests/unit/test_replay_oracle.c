// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a vCPU's TLB may hold, flush by flush; and that the oracle tells when a shadow is tampered with.
 * That it catches models that are wrong is what tests/mutations is for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guest.h"
#include "replay/guest.h"
#include "replay/oracle.h"

#define ALL (UT_PTE_P | UT_PTE_W | UT_PTE_U | UT_PTE_A | UT_PTE_D)
#define GVA 0x3000ull
#define LARGE_GVA 0x200000ull
#define FIRST 0x50ull /* frames that GVA leads to, one after the other */
#define SECOND 0x60ull
#define LARGE 0x400ull

/* Two roots, 1 and 2, that share all below: 3 (level 3), 4 (level 2), 5 (leaf). */
struct bed {
	struct ur_guest *g;
	uint64_t time;
};

static void feed(struct bed *b, struct ut_event e)
{
	e.time = ++b->time;
	assert_int_equal(ur_guest_event(b->g, &e), 0);
}

static void table(struct bed *b, uint64_t gfn, unsigned int level, uint16_t index, uint64_t value,
		  uint16_t second_index, uint64_t second)
{
	const struct ut_entry entries[] = { { index, value }, { second_index, second } };

	feed(b, (struct ut_event){ .kind = UT_PAGE_NEW,
				   .page = { .gfn = gfn,
					     .role = level | UT_ROLE_ACCESS,
					     .known = true,
					     .n = second ? 2 : 1,
					     .entries = entries } });
}

static void write_word(struct bed *b, uint64_t gfn, unsigned int index, uint64_t value)
{
	feed(b, (struct ut_event){ .kind = UT_WRITE,
				   .write = { .gfn = gfn,
					      .offset = (uint16_t)(index * 8),
					      .size = 8,
					      .how = UT_HOW_TRAPPED,
					      .val = value } });
}

static void write_cr(struct bed *b, uint8_t cr, uint64_t value)
{
	feed(b, (struct ut_event){ .kind = UT_CR, .cr = { .cr = cr, .value = value } });
}

static void invlpg(struct bed *b, uint64_t gva)
{
	feed(b, (struct ut_event){ .kind = UT_INVLPG, .invlpg = { .gva = gva } });
}

static void invpcid(struct bed *b, uint8_t type, uint16_t pcid, uint64_t gva)
{
	feed(b, (struct ut_event){ .kind = UT_INVPCID,
				   .invpcid = { .gva = gva, .pcid = pcid, .type = type } });
}

#define CR4 (UT_CR4_PAE | UT_CR4_PGE | UT_CR4_PCIDE)

/* The entry of GVA is changed, so that what it was is past. */
static void lay(struct bed *b, uint64_t leaf_bits)
{
	memset(b, 0, sizeof(*b));
	b->g = ur_guest_create();
	assert_non_null(b->g);
	feed(b, (struct ut_event){ .kind = UT_STATE,
				   .state = { UT_CR0_PG | UT_CR0_WP, 1 << 12 | 1, CR4,
					      UT_EFER_LME | UT_EFER_LMA | UT_EFER_NX } });
	table(b, 1, 4, 0, 3 << 12 | ALL, 0, 0);
	table(b, 2, 4, 0, 3 << 12 | ALL, 0, 0);
	table(b, 3, 3, 0, 4 << 12 | ALL, 0, 0);
	table(b, 4, 2, 0, 5 << 12 | ALL, 1, LARGE << 12 | ALL | UT_PTE_PS);
	table(b, 5, 1, 3, FIRST << 12 | ALL | leaf_bits, 0, 0);
	write_word(b, 5, 3, SECOND << 12 | ALL | leaf_bits);
}

static enum ur_answer ask(const struct bed *b, uint64_t gva, uint64_t gfn)
{
	const struct ur_translation t = { .gva = gva, .gfn = gfn, .level = 1, .exec = true };

	return ur_guest_may_use(b->g, 0, &t);
}

/* Does what GVA led to before still count? What it leads to now does always. */
static bool lives(const struct bed *b)
{
	enum ur_answer now = ask(b, GVA, SECOND), past = ask(b, GVA, FIRST);

	assert_int_equal(now, UR_NOW);
	assert_int_equal(ask(b, GVA, FIRST + 1), UR_NO);
	assert_true(past == UR_PAST || past == UR_NO);
	return past == UR_PAST;
}

static void flushes(void **state)
{
	struct bed b;

	(void)state;
	for (unsigned int global = 0; global < 2; global++) {
		uint64_t bits = global ? UT_PTE_G : 0;

#define AFTER(flush, expected)                                                                     \
	do {                                                                                       \
		lay(&b, bits);                                                                     \
		flush;                                                                             \
		assert_int_equal(lives(&b), expected);                                             \
		ur_guest_destroy(b.g);                                                             \
	} while (0)
		AFTER((void)0, true);
		AFTER(write_cr(&b, 3, 1 << 12 | 1), global);
		AFTER(write_cr(&b, 3, (1 << 12 | 1) | UT_CR3_NOFLUSH), true);
		/* Another PCID has only what is global. */
		AFTER(write_cr(&b, 3, 2 << 12 | 2), global);
		AFTER(invlpg(&b, GVA), false);
		AFTER(invlpg(&b, GVA + 0x1000), true);
		AFTER(invpcid(&b, 0, 1, GVA), global);
		AFTER(invpcid(&b, 0, 2, GVA), true);
		AFTER(invpcid(&b, 1, 1, 0), global);
		AFTER(invpcid(&b, 1, 2, 0), true);
		AFTER(invpcid(&b, 2, 0, 0), false);
		AFTER(invpcid(&b, 3, 0, 0), global);
		AFTER(feed(&b, (struct ut_event){ .kind = UT_PV_FLUSH }), false);
		AFTER(write_cr(&b, 4, CR4 & ~UT_CR4_PGE), false);
		AFTER(write_cr(&b, 4, CR4 | UT_CR4_SMAP), true);
		AFTER(write_cr(&b, 4, CR4 | UT_CR4_SMEP), global);
		AFTER(write_cr(&b, 0, UT_CR0_PG), true);
#undef AFTER
	}
}

/* Of what is global INVLPG takes all PCIDs', of the rest its own. */
static void invlpg_elsewhere(void **state)
{
	struct bed b;

	(void)state;
	for (unsigned int global = 0; global < 2; global++) {
		lay(&b, global ? UT_PTE_G : 0);
		write_cr(&b, 3, (2 << 12 | 2) | UT_CR3_NOFLUSH);
		invlpg(&b, GVA);
		write_cr(&b, 3, (1 << 12 | 1) | UT_CR3_NOFLUSH);
		assert_int_equal(lives(&b), !global);
		ur_guest_destroy(b.g);
	}
}

static enum ur_answer ask_access(const struct bed *b, bool write, bool user, bool exec)
{
	const struct ur_translation t = {
		.gva = GVA, .gfn = SECOND, .level = 1, .write = write, .user = user, .exec = exec
	};

	return ur_guest_may_use(b->g, 0, &t);
}

static void permissions(void **state)
{
	struct bed b;

	(void)state;
	lay(&b, 0);
	assert_int_equal(ask_access(&b, true, true, true), UR_NOW);
	write_word(&b, 5, 3, SECOND << 12 | (ALL & ~UT_PTE_D));
	invlpg(&b, GVA);
	assert_int_equal(ask_access(&b, true, false, false), UR_NO);
	assert_int_equal(ask_access(&b, false, true, true), UR_NOW);
	/* An upper entry narrows what is below. */
	write_word(&b, 5, 3, SECOND << 12 | ALL);
	write_word(&b, 4, 0, 5 << 12 | ((ALL & ~UT_PTE_W & ~UT_PTE_U) | UT_PTE_NX));
	write_cr(&b, 3, 1 << 12 | 1);
	assert_int_equal(ask_access(&b, true, false, false), UR_NO);
	assert_int_equal(ask_access(&b, false, true, false), UR_NO);
	assert_int_equal(ask_access(&b, false, false, true), UR_NO);
	assert_int_equal(ask_access(&b, false, false, false), UR_NOW);
	/* With CR0.WP off the supervisor writes; users get nothing by that, nor is SMEP got round. */
	write_cr(&b, 0, UT_CR0_PG);
	assert_int_equal(ask_access(&b, true, false, false), UR_NOW);
	assert_int_equal(ask_access(&b, true, true, false), UR_NO);
	/* Not accessed: a processor would set the bit first, and the hypervisor would have to know. */
	write_word(&b, 5, 3, SECOND << 12 | (ALL & ~UT_PTE_A));
	write_cr(&b, 3, 1 << 12 | 1);
	assert_int_equal(ask_access(&b, false, false, false), UR_NO);
	ur_guest_destroy(b.g);
}

/* An upper entry goes, the leaf changes, the entry comes back: the leaf as it was is no way's end. */
static void relinked(void **state)
{
	struct bed b;

	(void)state;
	lay(&b, 0);
	write_word(&b, 4, 0, 0);
	write_cr(&b, 3, 1 << 12 | 1);
	write_word(&b, 5, 3, FIRST << 12 | ALL);
	write_word(&b, 5, 3, (SECOND + 1) << 12 | ALL);
	write_word(&b, 4, 0, 5 << 12 | ALL);
	assert_int_equal(ask(&b, GVA, FIRST), UR_NO);
	assert_int_equal(ask(&b, GVA, SECOND), UR_NO);
	assert_int_equal(ask(&b, GVA, SECOND + 1), UR_NOW);
	ur_guest_destroy(b.g);
}

/* What the caches of upper entries hold may lead to new leaves, until any INVLPG. */
static void upper_caches(void **state)
{
	struct bed b;

	(void)state;
	for (unsigned int flushed = 0; flushed < 2; flushed++) {
		lay(&b, 0);
		write_word(&b, 4, 0, 0);
		if (flushed)
			invlpg(&b, LARGE_GVA);
		write_word(&b, 5, 3, FIRST << 12 | ALL);
		assert_int_equal(ask(&b, GVA, SECOND), UR_PAST);
		write_word(&b, 5, 3, (SECOND + 1) << 12 | ALL);
		assert_int_equal(ask(&b, GVA, SECOND + 1), flushed ? UR_NO : UR_PAST);
		ur_guest_destroy(b.g);
	}
}

/* INVLPG of one address takes a large page as a whole. */
static void large(void **state)
{
	struct bed b;

	(void)state;
	lay(&b, 0);
	assert_int_equal(ask(&b, LARGE_GVA + 0x7000, LARGE + 7), UR_NOW);
	write_word(&b, 4, 1, 0);
	assert_int_equal(ask(&b, LARGE_GVA + 0x7000, LARGE + 7), UR_PAST);
	invlpg(&b, GVA);
	assert_int_equal(ask(&b, LARGE_GVA + 0x7000, LARGE + 7), UR_PAST);
	invlpg(&b, LARGE_GVA + 0x1000);
	assert_int_equal(ask(&b, LARGE_GVA + 0x7000, LARGE + 7), UR_NO);
	ur_guest_destroy(b.g);
}

/* Nothing is guessed of what the trace does not tell. */
static void unknown(void **state)
{
	struct bed b;

	(void)state;
	lay(&b, 0);
	write_cr(&b, 3, 1 << 12 | 1);
	feed(&b, (struct ut_event){ .kind = UT_PAGE_ZAP,
				    .page = { .gfn = 5, .role = 1 | UT_ROLE_ACCESS } });
	assert_int_equal(ask(&b, GVA, FIRST), UR_CANNOT);
	ur_guest_destroy(b.g);
	/* A walk that read what no write explains. */
	lay(&b, 0);
	write_cr(&b, 3, 1 << 12 | 1);
	feed(&b, (struct ut_event){ .kind = UT_FAULT,
				    .fault = { .gva = GVA,
					       .walk = { 0x77 << 12 | ALL, 5 << 12 | ALL,
							 4 << 12 | ALL, 3 << 12 | ALL },
					       .top = 4,
					       .bottom = 1,
					       .outcome = UT_OUT_FILLED,
					       .map_level = 1 } });
	assert_int_equal(ur_guest_contradictions(b.g), 1);
	assert_int_equal(ask(&b, GVA, FIRST), UR_CANNOT);
	assert_int_equal(ask(&b, GVA, 0x77), UR_NOW);
	ur_guest_destroy(b.g);
}

/* What a walk shows of a table whose content was not told is known, and no more. */
static void known_from_walks(void **state)
{
	struct bed b = { .g = ur_guest_create() };
	uint64_t word;

	(void)state;
	assert_non_null(b.g);
	feed(&b, (struct ut_event){ .kind = UT_STATE,
				    .state = { .cr0 = UT_CR0_PG | UT_CR0_WP | 1,
					       .cr3 = 2 << 12,
					       .cr4 = CR4,
					       .efer = UT_EFER_LMA | UT_EFER_LME | UT_EFER_NX } });
	for (unsigned int level = 4; level; level--)
		feed(&b, (struct ut_event){
				 .kind = UT_PAGE_NEW,
				 .page = { .gfn = 6 - level, .role = level | UT_ROLE_ACCESS } });
	assert_int_equal(ask(&b, GVA, FIRST), UR_CANNOT);
	feed(&b, (struct ut_event){ .kind = UT_FAULT,
				    .fault = { .gva = GVA,
					       .error = UT_PF_WRITE,
					       .walk = { FIRST << 12 | ALL, 5 << 12 | ALL,
							 4 << 12 | ALL, 3 << 12 | ALL },
					       .top = 4,
					       .bottom = 1,
					       .outcome = UT_OUT_FILLED,
					       .map_level = 1 } });
	assert_int_equal(ask(&b, GVA, FIRST), UR_NOW);
	assert_int_equal(ur_guest_entry(b.g, 5, GVA >> 12 & 511, &word), UR_KNOWN);
	assert_int_equal(ur_guest_entry(b.g, 5, (GVA >> 12 & 511) ^ 1, &word), UR_DOUBTFUL);
	write_word(&b, 5, GVA >> 12 & 511, SECOND << 12 | ALL);
	assert_int_equal(ask(&b, GVA, FIRST), UR_PAST);
	assert_int_equal(ask(&b, GVA, SECOND), UR_NOW);
	assert_int_equal(ur_guest_contradictions(b.g), 0);
	ur_guest_destroy(b.g);
}

/* ---- the oracle on a shadow that somebody meddles with ---- */

static struct ur_oracle *oracle;

static void look_on(struct um_mmu *mmu, const struct ut_event *e)
{
	if (!e) {
		oracle = ur_oracle_create(mmu, 0);
		assert_non_null(oracle);
	} else {
		assert_int_equal(ur_oracle_event(oracle, e), 0);
	}
}

/* A guest has used GVA. */
static struct um_page *use_a_page(struct guest *g, unsigned int *index)
{
	struct um_page *page;
	char error[256];
	struct um_mmu *mmu =
		um_mmu_create(um_model_find("unsync-bitmap"), NULL, error, sizeof(error));
	uint64_t l3, l2, l1;

	assert_non_null(mmu);
	guest_observer = look_on;
	guest_init(g, mmu, 1, 1);
	l3 = guest_new_table(g, 3);
	l2 = guest_new_table(g, 2);
	l1 = guest_new_table(g, 1);
	*guest_entry(g, guest_root(g, 0), 0) = l3 << 12 | ALL;
	*guest_entry(g, l3, 0) = l2 << 12 | ALL;
	*guest_entry(g, l2, 0) = l1 << 12 | ALL;
	*guest_entry(g, l1, 3) = FIRST << 12 | (ALL & ~UT_PTE_W);
	guest_access(g, 0, GVA, UT_PF_USER);
	page = um_leaf_of(mmu, um_vcpu_at(mmu, 0)->root, GVA, index);
	assert_non_null(page);
	assert_true(page->spt[*index] & UM_SPTE_P);
	return page;
}

/* Which rules the oracle finds violated; one line of text for each violation. */
static unsigned int judge(struct guest *g)
{
	struct ur_verified v = { 0 };
	unsigned int rules = 0;

	guest_observer = NULL;
	assert_int_equal(ur_oracle_finish(oracle, &v), 0);
	for (unsigned int i = 0; i < UR_RULE_END; i++)
		rules |= v.by_rule[i] ? 1u << i : 0;
	assert_int_equal(!!rules, !!v.violations);
	assert_int_equal(v.n_first, v.violations < UR_SHOWN ? v.violations : UR_SHOWN);
	assert_true(v.checks > 0);
	ur_verified_free(&v);
	um_mmu_destroy(g->mmu);
	return rules;
}

#define RULE(name) (1u << UR_RULE_##name)

static void meddling(void **state)
{
	static struct guest g;
	struct um_page *page;
	unsigned int i;

	(void)state;
	use_a_page(&g, &i);
	assert_int_equal(judge(&g), 0);

	page = use_a_page(&g, &i);
	page->spt[i] ^= 1ull << 20;
	assert_int_equal(judge(&g), RULE(tlb) | RULE(in_sync));

	page = use_a_page(&g, &i);
	page->spt[i] |= UM_SPTE_W;
	assert_int_equal(judge(&g), RULE(tlb) | RULE(in_sync) | RULE(reverse));

	page = use_a_page(&g, &i);
	page->present++;
	assert_int_equal(judge(&g), RULE(counts));
	page = use_a_page(&g, &i);
	page->n_parents--;
	assert_int_equal(judge(&g), RULE(counts));
	page = use_a_page(&g, &i);
	page->parents[0].index++;
	assert_int_equal(judge(&g), RULE(links));
	page = use_a_page(&g, &i);
	page->frame->n_synced++;
	assert_int_equal(judge(&g), RULE(counts));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flushes),	cmocka_unit_test(invlpg_elsewhere),
		cmocka_unit_test(permissions),	cmocka_unit_test(relinked),
		cmocka_unit_test(upper_caches), cmocka_unit_test(large),
		cmocka_unit_test(unknown),	cmocka_unit_test(known_from_walks),
		cmocka_unit_test(meddling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
