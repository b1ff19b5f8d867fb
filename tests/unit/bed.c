// SPDX-License-Identifier: GPL-2.0-only
#include "bed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

uint64_t bed_va(unsigned int i)
{
	return BED_VA + ((uint64_t)i << 12);
}

uint64_t bed_leaf(struct bed *b)
{
	uint64_t l1 = guest_new_table(&b->g, 1);

	for (unsigned int i = 0; i < BED_FILLED; i++)
		*guest_entry(&b->g, l1, i) = (BED_DATA + i) << 12 | BED_USER;
	return l1;
}

uint64_t bed_hang(struct bed *b, uint64_t root, uint64_t l1, uint64_t flags)
{
	uint64_t l3 = guest_new_table(&b->g, 3), l2 = guest_new_table(&b->g, 2);

	*guest_entry(&b->g, root, 0) = l3 << 12 | BED_USER;
	*guest_entry(&b->g, l3, 0) = l2 << 12 | BED_USER;
	*guest_entry(&b->g, l2, BED_ENTRY) = l1 << 12 | (BED_USER & flags);
	return l2;
}

void bed_lay(struct bed *b, const char *model, const char *options, unsigned int vcpus)
{
	bed_lay_model(b, um_model_find(model), options, vcpus);
}

void bed_lay_model(struct bed *b, const struct um_model *model, const char *options,
		   unsigned int vcpus)
{
	char error[256] = "";
	struct um_mmu *mmu = um_mmu_create(model, options, error, sizeof(error));

	if (!mmu)
		fail_msg("%s", error);
	guest_init(&b->g, mmu, 2, vcpus);
	b->l1 = bed_leaf(b);
	b->l2 = bed_hang(b, guest_root(&b->g, 0), b->l1, ~0ull);
	b->l3 = b->l2 - 1;
}

void bed_lift(struct bed *b)
{
	assert_null(um_mmu_failure(b->g.mmu));
	um_mmu_destroy(b->g.mmu);
}

void bed_set(struct bed *b, unsigned int i, uint64_t value)
{
	guest_write(&b->g, 0, b->l1, i, value);
}

bool bed_read(struct bed *b, uint64_t gva)
{
	return guest_access(&b->g, 0, gva, UT_PF_USER);
}

void bed_switch(struct bed *b, unsigned int root)
{
	guest_cr3(&b->g, 0, guest_root(&b->g, root) << 12);
}

uint64_t bed_count(const struct bed *b, enum um_counter c)
{
	return b->g.mmu->count[c];
}

struct um_page *bed_page(const struct bed *b, uint64_t gfn)
{
	const struct um_frame *frame = um_mmu_frame(b->g.mmu, gfn);

	return frame ? frame->pages : NULL;
}
