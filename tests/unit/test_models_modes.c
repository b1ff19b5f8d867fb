// SPDX-License-Identifier: GPL-2.0-only
/* The shadow MMU in paging modes other than four-level, event by event. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "models/shadow.h"

#define FLAGS (UT_PTE_P | UT_PTE_W | UT_PTE_U | UT_PTE_A | UT_PTE_D)
#define ROOT 0x100ull /* frames of tables */
#define DIRECTORY 0x101ull
#define TABLE 0x102ull
#define OTHER 0x103ull
#define DATA 0x10ull /* a frame that is no table */
#define ROLE (UT_ROLE_ACCESS | UT_ROLE_CR0_WP)
#define NARROW (ROLE | UT_ROLE_4BYTE)

static const char *const designs[] = { "sync-on-write", "oos-per-root", "unsync-bitmap" };
#define DESIGNS (sizeof(designs) / sizeof(designs[0]))

/* A guest whose tables are words, and a host that shadows what it is told to. */
struct bed {
	struct um_mmu *mmu;
	uint64_t words[4][UM_ENTRIES];
	uint64_t cr3;
};

static void emit(struct bed *b, struct ut_event *e)
{
	um_mmu_event(b->mmu, e);
	assert_null(um_mmu_failure(b->mmu));
}

static void lay(struct bed *b, const char *model, const char *options, uint64_t cr4, uint64_t efer)
{
	struct ut_event e = { .kind = UT_STATE };
	char error[256] = "";

	memset(b, 0, sizeof(*b));
	b->mmu = um_mmu_create(um_model_find(model), options, error, sizeof(error));
	if (!b->mmu)
		fail_msg("%s", error);
	b->cr3 = ROOT << 12;
	e.state = (struct ut_state){
		.cr0 = UT_CR0_PG | UT_CR0_WP | 1, .cr3 = b->cr3, .cr4 = cr4, .efer = efer
	};
	emit(b, &e);
}

static void lift(struct bed *b)
{
	um_mmu_destroy(b->mmu);
}

static uint64_t count(const struct bed *b, enum um_counter c)
{
	return b->mmu->count[c];
}

/* The host says what a table holds. */
static void tell(struct bed *b, uint64_t gfn, uint32_t role)
{
	struct ut_entry entries[UM_ENTRIES];
	struct ut_event e = { .kind = UT_PAGE_NEW,
			      .page = { .gfn = gfn, .role = role, .known = true } };

	e.page.entries = entries;
	for (unsigned int i = 0; i < UM_ENTRIES; i++) {
		if (b->words[gfn - ROOT][i])
			entries[e.page.n++] =
				(struct ut_entry){ (uint16_t)i, b->words[gfn - ROOT][i] };
	}
	emit(b, &e);
}

static uint64_t read_entry(const struct bed *b, uint64_t gfn, unsigned int index, unsigned int size)
{
	uint64_t value = 0;

	memcpy(&value, (const char *)b->words[gfn - ROOT] + (size_t)index * size, size);
	return value;
}

/* Before anybody looks. */
static void put(struct bed *b, uint64_t gfn, unsigned int index, unsigned int size, uint64_t value)
{
	memcpy((char *)b->words[gfn - ROOT] + (size_t)index * size, &value, size);
}

/* The guest writes, and the host has seen it. */
static void write_bytes(struct bed *b, uint64_t gfn, unsigned int offset, unsigned int size,
			uint64_t value)
{
	struct ut_event e = { .kind = UT_WRITE,
			      .write = { .gfn = gfn,
					 .offset = (uint16_t)offset,
					 .size = (uint8_t)size,
					 .how = UT_HOW_TRAPPED,
					 .val = value } };

	memcpy((char *)b->words[gfn - ROOT] + offset, &value, size);
	emit(b, &e);
}

static void write_cr(struct bed *b, uint8_t cr, uint64_t value)
{
	struct ut_event e = { .kind = UT_CR, .cr = { .cr = cr, .value = value } };

	if (cr == 3)
		b->cr3 = value;
	emit(b, &e);
}

static void invlpg(struct bed *b, uint64_t gva)
{
	struct ut_event e = { .kind = UT_INVLPG, .invlpg = { .gva = gva } };

	emit(b, &e);
}

/* Walks; what level 3 of PAE holds is given, as no table has it. */
static struct ut_event walk(struct bed *b, uint64_t gva, uint32_t error, unsigned int top,
			    uint64_t pdpte)
{
	unsigned int bits = top == 2 ? 10 : 9, size = top == 2 ? 4 : 8;
	struct ut_event e = { .kind = UT_FAULT,
			      .fault = { .gva = gva,
					 .error = error,
					 .top = (uint8_t)top,
					 .outcome = UT_OUT_FILLED,
					 .map_level = 1 } };
	uint64_t gfn = b->cr3 >> 12;

	for (unsigned int level = top; level; level--) {
		unsigned int index = gva >> (12 + bits * (level - 1)) & ((1u << bits) - 1);
		uint64_t gpte = level == 3 && pdpte ? pdpte : read_entry(b, gfn, index, size);

		e.fault.walk[level - 1] = gpte;
		e.fault.bottom = (uint8_t)level;
		if (!(gpte & UT_PTE_P))
			e.fault.outcome = UT_OUT_REFLECTED;
		if (!(gpte & UT_PTE_P) || (level > 1 && (gpte & UT_PTE_PS)))
			break;
		gfn = (gpte & UT_PTE_FRAME) >> 12;
	}
	return e;
}

/* Return: whether the model's shadow let it through. */
static bool access_as(struct bed *b, uint64_t gva, uint32_t error, unsigned int top, uint64_t pdpte)
{
	struct ut_event e = walk(b, gva, error, top, pdpte);
	uint64_t before = count(b, UM_faults_spared);

	emit(b, &e);
	return count(b, UM_faults_spared) > before;
}

static bool narrow_access(struct bed *b, uint64_t gva)
{
	return access_as(b, gva, UT_PF_USER, 2, 0);
}

/* The frame that an address leads to in the shadow; 0: none. */
static uint64_t shadowed_at(struct bed *b, uint64_t gva)
{
	unsigned int index;
	struct um_page *page = um_leaf_of(b->mmu, um_vcpu_at(b->mmu, 0)->root, gva, &index);

	return page && page->spt[index] & UM_SPTE_P ? um_spte_gfn(page->spt[index]) : 0;
}

static const struct um_page *page_of(const struct bed *b, uint64_t gfn, uint32_t role)
{
	const struct um_frame *frame = um_mmu_frame(b->mmu, gfn);
	const struct um_page *p = frame ? frame->pages : NULL;

	while (p && (p->role & ~UT_ROLE_EFER_NX) != role)
		p = p->next_of_gfn;
	return p;
}

/* ---- 32-bit tables ---- */

#define VA_LOW 0x80805000ull  /* first half of a table: entry 5 of quadrant 0 */
#define VA_HIGH 0x80a05000ull /* second half: entry 517 of the guest's, 5 of quadrant 1 */

static void lay_narrow(struct bed *b, const char *model, const char *options)
{
	lay(b, model, options, UT_CR4_PSE, 0);
	put(b, ROOT, VA_LOW >> 22, 4, TABLE << 12 | FLAGS);
	put(b, ROOT, 0xc0000000u >> 22, 4, 0x00800000 | FLAGS | UT_PTE_PS);
	for (unsigned int i = 0; i < 1024; i++)
		put(b, TABLE, i, 4, (DATA + i) << 12 | FLAGS);
	for (unsigned int q = 0; q < 4; q++)
		tell(b, ROOT, NARROW | 2 | um_quadrant(q));
	tell(b, TABLE, NARROW | 1);
	tell(b, TABLE, NARROW | 1 | um_quadrant(1));
}

static void narrow_quadrants(void **state)
{
	(void)state;
	for (unsigned int d = 0; d < DESIGNS; d++) {
		struct bed b;

		lay_narrow(&b, designs[d], NULL);
		assert_false(narrow_access(&b, VA_LOW));
		/* The neighbours came with it; the other half of the table is another page. */
		assert_true(narrow_access(&b, VA_LOW + 0x1000));
		assert_false(narrow_access(&b, VA_HIGH));
		assert_int_equal(shadowed_at(&b, VA_LOW), DATA + 5);
		assert_int_equal(shadowed_at(&b, VA_HIGH), DATA + 512 + 5);
		/* Four of the directory, two of the table. */
		assert_int_equal(count(&b, UM_pages_created), 6);
		assert_int_equal(count(&b, UM_roots_loaded), 4);
		assert_int_equal(count(&b, UM_unmodelled_faults), 0);
		for (unsigned int q = 0; q < 4; q++)
			assert_non_null(page_of(&b, ROOT, NARROW | 2 | um_quadrant(q)));
		assert_non_null(page_of(&b, TABLE, NARROW | 1));
		assert_non_null(page_of(&b, TABLE, NARROW | 1 | um_quadrant(1)));
		lift(&b);
	}
}

static void narrow_write_fixes_one_entry(void **state)
{
	struct bed b;

	(void)state;
	lay_narrow(&b, "sync-on-write", "flood=off,reinstall=no");
	narrow_access(&b, VA_LOW);
	narrow_access(&b, VA_HIGH);
	write_bytes(&b, TABLE, 4 * 517, 4, 0x55 << 12 | FLAGS);
	assert_int_equal(count(&b, UM_entries_fixed), 1);
	assert_int_equal(shadowed_at(&b, VA_LOW), DATA + 5);
	assert_int_equal(shadowed_at(&b, VA_HIGH), 0);
	assert_int_equal(shadowed_at(&b, VA_HIGH + 0x1000), DATA + 512 + 6);
	/* A byte in the middle of an entry, or an entry too many, and the pages go. */
	write_bytes(&b, TABLE, 4 * 6, 8, 0);
	assert_int_equal(count(&b, UM_pages_zapped), 2);
	lift(&b);
}

static void narrow_directory_entry_has_two_shadows(void **state)
{
	struct bed b;

	(void)state;
	lay_narrow(&b, "sync-on-write", "flood=off");
	narrow_access(&b, VA_LOW);
	narrow_access(&b, VA_HIGH);
	assert_int_equal(page_of(&b, ROOT, NARROW | 2 | um_quadrant(2))->present, 2);
	write_bytes(&b, ROOT, 4 * (VA_LOW >> 22), 4, OTHER << 12 | FLAGS);
	assert_int_equal(page_of(&b, ROOT, NARROW | 2 | um_quadrant(2))->present, 0);
	assert_int_equal(count(&b, UM_entries_fixed), 2);
	assert_int_equal(count(&b, UM_pages_zapped), 0);
	lift(&b);
}

static void narrow_reinstall_takes_the_right_half(void **state)
{
	struct bed b;

	(void)state;
	lay_narrow(&b, "sync-on-write", "flood=off,reinstall=yes");
	narrow_access(&b, VA_LOW);
	narrow_access(&b, VA_HIGH);
	write_bytes(&b, TABLE, 4 * 517, 4, 0x55 << 12 | FLAGS);
	assert_int_equal(shadowed_at(&b, VA_HIGH), 0x55);
	assert_int_equal(shadowed_at(&b, VA_LOW), DATA + 5);
	lift(&b);
}

/* An INVLPG in the second half must read the guest's entry there, not that of the first half. */
static void narrow_invlpg_adds_the_quadrant(void **state)
{
	struct bed b;

	(void)state;
	lay_narrow(&b, "unsync-bitmap", NULL);
	narrow_access(&b, VA_LOW);
	narrow_access(&b, VA_HIGH);
	/* Goes out of sync, both halves of it. */
	write_bytes(&b, TABLE, 4 * 517, 4, 0x55 << 12 | FLAGS);
	assert_int_equal(count(&b, UM_unsyncs), 2);
	assert_int_equal(shadowed_at(&b, VA_HIGH), DATA + 512 + 5);
	invlpg(&b, VA_HIGH);
	assert_int_equal(shadowed_at(&b, VA_HIGH), 0x55);
	assert_int_equal(shadowed_at(&b, VA_LOW), DATA + 5);
	lift(&b);
}

static void narrow_sync(void **state)
{
	(void)state;
	for (unsigned int d = 1; d < DESIGNS; d++) {
		struct bed b;

		lay_narrow(&b, designs[d], NULL);
		/* One half only: else oos-per-root has two pages of one table, and refuses. */
		narrow_access(&b, VA_HIGH);
		write_bytes(&b, TABLE, 4 * 517, 4, 0x55 << 12 | FLAGS);
		write_bytes(&b, TABLE, 4 * 518, 4, 0);
		assert_int_equal(count(&b, UM_unsyncs), 1);
		assert_int_equal(count(&b, UM_writes_silent), 2);
		write_cr(&b, 3, b.cr3);
		assert_int_equal(count(&b, UM_tables_synced), 1);
		assert_int_equal(count(&b, UM_entries_dropped), 2);
		assert_int_equal(count(&b, UM_entries_retargeted), 1);
		assert_int_equal(shadowed_at(&b, VA_HIGH), 0);
		assert_int_equal(shadowed_at(&b, VA_HIGH + 0x2000), DATA + 512 + 7);
		assert_false(narrow_access(&b, VA_HIGH));
		assert_int_equal(shadowed_at(&b, VA_HIGH), 0x55);
		lift(&b);
	}
}

/* 4 MiB are mapped by direct pages of 2 MiB each, or by two large entries. */
static void narrow_large_page(void **state)
{
	struct bed b;
	struct ut_event e;

	(void)state;
	lay_narrow(&b, "unsync-bitmap", NULL);
	assert_false(narrow_access(&b, 0xc0003000));
	assert_false(narrow_access(&b, 0xc0203000));
	assert_int_equal(shadowed_at(&b, 0xc0003000), 0x803);
	assert_int_equal(shadowed_at(&b, 0xc0203000), 0xa03);
	assert_non_null(page_of(&b, 0x800, NARROW | 1 | UT_ROLE_DIRECT));
	assert_non_null(page_of(&b, 0xa00, NARROW | 1 | UT_ROLE_DIRECT | um_quadrant(1)));
	lift(&b);

	lay_narrow(&b, "unsync-bitmap", NULL);
	e = walk(&b, 0xc0203000, UT_PF_USER, 2, 0);
	e.fault.map_level = 2;
	emit(&b, &e);
	assert_int_equal(shadowed_at(&b, 0xc0300000), 0xa00);
	assert_int_equal(shadowed_at(&b, 0xc0003000), 0);
	lift(&b);
}

/* PSE-36: bits 13 to 16 of the entry are bits 32 to 35 of the address. */
static void narrow_high_large_page(void **state)
{
	struct bed b;

	(void)state;
	lay_narrow(&b, "sync-on-write", NULL);
	put(&b, ROOT, 0x300, 4, 0x00800000 | 3 << 13 | FLAGS | UT_PTE_PS);
	narrow_access(&b, 0xc0003000);
	assert_int_equal(shadowed_at(&b, 0xc0003000), 0x300803);
	lift(&b);
}

/* The host's page of the first half goes: the model's, too, and only that. */
static void narrow_zap(void **state)
{
	struct bed b;
	struct ut_event e = { .kind = UT_PAGE_ZAP,
			      .page = { .gfn = TABLE,
					.role = NARROW | 1 | UT_ROLE_EFER_NX | UT_ROLE_USER } };

	(void)state;
	lay_narrow(&b, "unsync-bitmap", NULL);
	narrow_access(&b, VA_LOW);
	narrow_access(&b, VA_HIGH);
	emit(&b, &e);
	assert_int_equal(shadowed_at(&b, VA_LOW), 0);
	assert_int_equal(shadowed_at(&b, VA_HIGH), DATA + 512 + 5);
	lift(&b);
}

/* Content that turns up later is compared entry by entry: here, one of 4 bytes. */
static void narrow_content_told_again(void **state)
{
	struct bed b;

	(void)state;
	lay_narrow(&b, "sync-on-write", "flood=off");
	narrow_access(&b, VA_LOW);
	put(&b, TABLE, 5, 4, 0x55 << 12 | FLAGS);
	tell(&b, TABLE, NARROW | 1);
	assert_int_equal(count(&b, UM_writes), 1);
	assert_int_equal(count(&b, UM_pages_zapped), 0);
	assert_int_equal(shadowed_at(&b, VA_LOW), 0x55);
	lift(&b);
}

/* Roots that nobody has any more take their top with them. */
static void tops_do_not_pile_up(void **state)
{
	struct bed b;
	unsigned int tops = 0;

	(void)state;
	lay_narrow(&b, "sync-on-write", NULL);
	narrow_access(&b, VA_LOW);
	for (unsigned int i = 0; i < 50; i++) {
		uint64_t gfn = 0x1000 + i;

		for (unsigned int q = 0; q < 4; q++) {
			struct ut_event e = { .kind = UT_PAGE_NEW,
					      .page = { .gfn = gfn,
							.role = NARROW | 2 | um_quadrant(q) } };

			emit(&b, &e);
		}
		write_cr(&b, 3, gfn << 12);
		write_cr(&b, 3, ROOT << 12);
		for (unsigned int q = 0; q < 4; q++) {
			struct ut_event e = { .kind = UT_PAGE_ZAP,
					      .page = { .gfn = gfn,
							.role = NARROW | 2 | um_quadrant(q) } };

			emit(&b, &e);
		}
	}
	for (const struct um_page *p = um_mmu_oldest(b.mmu); p; p = p->newer)
		tops += um_is_top(p);
	assert_int_equal(tops, 1);
	assert_true(narrow_access(&b, VA_LOW));
	lift(&b);
}

/* ---- PAE ---- */

#define VA_PAE 0xc0605000ull /* slot 3, directory entry 3, table entry 5 */
#define PDPTE(gfn) ((gfn) << 12 | UT_PTE_P)

static void lay_pae(struct bed *b, const char *model, const char *options, uint64_t efer)
{
	lay(b, model, options, UT_CR4_PAE, efer);
	put(b, DIRECTORY, 3, 8, TABLE << 12 | FLAGS);
	put(b, OTHER, 3, 8, TABLE << 12 | FLAGS);
	for (unsigned int i = 0; i < 512; i++)
		put(b, TABLE, i, 8, (DATA + i) << 12 | FLAGS);
	tell(b, DIRECTORY, ROLE | 2);
	tell(b, OTHER, ROLE | 2);
	tell(b, TABLE, ROLE | 1);
}

static bool pae_access(struct bed *b, uint64_t gva, uint64_t pdpte)
{
	return access_as(b, gva, UT_PF_USER, 3, pdpte);
}

static void pae_roots(void **state)
{
	(void)state;
	for (unsigned int d = 0; d < DESIGNS; d++) {
		struct bed b;

		lay_pae(&b, designs[d], NULL, 0);
		assert_false(pae_access(&b, VA_PAE, PDPTE(DIRECTORY)));
		assert_true(pae_access(&b, VA_PAE, PDPTE(DIRECTORY)));
		assert_int_equal(shadowed_at(&b, VA_PAE), DATA + 5);
		/* The host told of two roots: both are there, though only one is known to hang somewhere. */
		assert_int_equal(count(&b, UM_pages_created), 3);
		assert_non_null(page_of(&b, DIRECTORY, ROLE | 2));
		/* One and the same root in two slots: the CPU had both when CR3 was written. */
		assert_true(pae_access(&b, VA_PAE - 0x40000000, PDPTE(DIRECTORY)));
		assert_int_equal(shadowed_at(&b, VA_PAE - 0x40000000), DATA + 5);
		assert_int_equal(count(&b, UM_pages_created), 3);
		/* CR3 is written, and an entry is another one now: what was there does not count. */
		write_cr(&b, 3, b.cr3);
		assert_false(pae_access(&b, VA_PAE, PDPTE(OTHER)));
		assert_non_null(page_of(&b, OTHER, ROLE | 2));
		assert_true(pae_access(&b, VA_PAE, PDPTE(OTHER)));
		assert_int_equal(count(&b, UM_unmodelled_faults), 0);
		lift(&b);
	}
}

/* Several tables of four entries fit into one page: each is a root of its own. */
static void pae_tables_in_one_page(void **state)
{
	struct bed b;

	(void)state;
	lay_pae(&b, "sync-on-write", NULL, 0);
	pae_access(&b, VA_PAE, PDPTE(DIRECTORY));
	write_cr(&b, 3, (ROOT << 12) + 0x20);
	assert_int_equal(shadowed_at(&b, VA_PAE), 0);
	assert_false(pae_access(&b, VA_PAE, PDPTE(OTHER)));
	write_cr(&b, 3, ROOT << 12);
	assert_true(pae_access(&b, VA_PAE, PDPTE(DIRECTORY)));
	lift(&b);
}

/* The top entries grant everything; one that is absent is the guest's own fault. */
static void pae_top_entries_have_no_permissions(void **state)
{
	struct bed b;

	(void)state;
	lay_pae(&b, "unsync-bitmap", NULL, UT_EFER_NX);
	assert_false(access_as(&b, VA_PAE, UT_PF_USER | UT_PF_WRITE, 3, PDPTE(DIRECTORY)));
	assert_true(access_as(&b, VA_PAE, UT_PF_USER | UT_PF_WRITE, 3, PDPTE(DIRECTORY)));
	/* SMAP, say: the tables permit it, and yet the guest got it. That is so in any design. */
	{
		struct ut_event e = walk(&b, VA_PAE, UT_PF_USER, 3, PDPTE(DIRECTORY));

		e.fault.outcome = UT_OUT_REFLECTED;
		emit(&b, &e);
		assert_int_equal(count(&b, UM_exit_reflect), 1);
	}
	assert_false(access_as(&b, VA_PAE, UT_PF_USER, 3, 1 << 12));
	assert_int_equal(count(&b, UM_exit_reflect), 2);
	lift(&b);
}

static void pae_write_in_two_halves(void **state)
{
	struct bed b;

	(void)state;
	lay_pae(&b, "sync-on-write", "flood=off", 0);
	pae_access(&b, VA_PAE, PDPTE(DIRECTORY));
	write_bytes(&b, TABLE, 8 * 5 + 4, 4, 0x1);
	write_bytes(&b, TABLE, 8 * 5, 4, 0x55 << 12 | FLAGS);
	assert_int_equal(count(&b, UM_pages_zapped), 0);
	assert_int_equal(count(&b, UM_entries_fixed), 2);
	assert_int_equal(shadowed_at(&b, VA_PAE), 0x100055);
	lift(&b);
}

static void pae_sync(void **state)
{
	(void)state;
	for (unsigned int d = 1; d < DESIGNS; d++) {
		struct bed b;

		lay_pae(&b, designs[d], NULL, 0);
		pae_access(&b, VA_PAE, PDPTE(DIRECTORY));
		write_bytes(&b, TABLE, 8 * 5, 8, 0x55 << 12 | FLAGS);
		assert_int_equal(count(&b, UM_unsyncs), 1);
		invlpg(&b, VA_PAE);
		assert_int_equal(shadowed_at(&b, VA_PAE), 0x55);
		write_bytes(&b, TABLE, 8 * 6, 8, 0);
		write_cr(&b, 3, b.cr3);
		assert_int_equal(count(&b, UM_tables_synced), 1);
		assert_int_equal(shadowed_at(&b, VA_PAE + 0x1000), 0);
		lift(&b);
	}
}

/* ---- five levels ---- */

static void five_levels(void **state)
{
	const uint64_t gva = 0xff00000000605000ull;

	(void)state;
	for (unsigned int d = 0; d < DESIGNS; d++) {
		struct bed b;

		lay(&b, designs[d], NULL, UT_CR4_PAE | UT_CR4_LA57, UT_EFER_LMA | UT_EFER_LME);
		/* The same table on three levels, and then the last one. */
		put(&b, ROOT, 256, 8, DIRECTORY << 12 | FLAGS);
		put(&b, DIRECTORY, 0, 8, DIRECTORY << 12 | FLAGS);
		put(&b, DIRECTORY, 3, 8, TABLE << 12 | FLAGS);
		put(&b, TABLE, 5, 8, DATA << 12 | FLAGS);
		tell(&b, ROOT, ROLE | 5);
		for (unsigned int level = 4; level > 1; level--)
			tell(&b, DIRECTORY, ROLE | level);
		tell(&b, TABLE, ROLE | 1);
		assert_false(access_as(&b, gva, UT_PF_USER, 5, 0));
		assert_true(access_as(&b, gva, UT_PF_USER, 5, 0));
		assert_int_equal(shadowed_at(&b, gva), DATA);
		assert_int_equal(count(&b, UM_pages_created), 5);
		assert_non_null(page_of(&b, ROOT, ROLE | 5));
		assert_non_null(page_of(&b, DIRECTORY, ROLE | 4));
		/* With four levels it is another address space. */
		write_cr(&b, 4, UT_CR4_PAE);
		assert_int_equal(shadowed_at(&b, gva), 0);
		lift(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(narrow_quadrants),
		cmocka_unit_test(narrow_write_fixes_one_entry),
		cmocka_unit_test(narrow_directory_entry_has_two_shadows),
		cmocka_unit_test(narrow_reinstall_takes_the_right_half),
		cmocka_unit_test(narrow_invlpg_adds_the_quadrant),
		cmocka_unit_test(narrow_sync),
		cmocka_unit_test(narrow_large_page),
		cmocka_unit_test(narrow_high_large_page),
		cmocka_unit_test(narrow_zap),
		cmocka_unit_test(narrow_content_told_again),
		cmocka_unit_test(tops_do_not_pile_up),
		cmocka_unit_test(pae_roots),
		cmocka_unit_test(pae_tables_in_one_page),
		cmocka_unit_test(pae_top_entries_have_no_permissions),
		cmocka_unit_test(pae_write_in_two_halves),
		cmocka_unit_test(pae_sync),
		cmocka_unit_test(five_levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
