// SPDX-License-Identifier: GPL-2.0-only
/* The modes of paging, and what is in memory before a script begins. */
#include <string.h>

#include "vm.h"

#define TABLE_FLAGS 0x23ull /* present, writable, accessed */
#define LARGE_FLAGS 0xe3ull /* dirty and large in addition */
#define PDPTE_FLAGS 0x01ull /* most others are reserved */

#define CR4_PSE 0x10ull
#define CR4_PAE 0x20ull
#define CR4_PGE 0x80ull
#define CR4_LA57 0x1000ull
#define EFER_64 0xd00ull /* LME, LMA, NX */
#define EFER_NX 0x800ull

const struct paging paging_four = { .name = "four",
				    .levels = 4,
				    .bits = 9,
				    .entry = 8,
				    .word = 8,
				    .root = 4,
				    .direct = KNOWN_DIRECT,
				    .cr4 = CR4_PAE | CR4_PGE,
				    .efer = EFER_64 };

const struct paging paging_five = { .name = "five",
				    .levels = 5,
				    .bits = 9,
				    .entry = 8,
				    .word = 8,
				    .root = 5,
				    .direct = KNOWN_DIRECT_FIVE,
				    .cr4 = CR4_PAE | CR4_PGE | CR4_LA57,
				    .efer = EFER_64 };

const struct paging paging_pae = { .name = "pae",
				   .levels = 3,
				   .bits = 9,
				   .entry = 8,
				   .word = 4,
				   .root = 2,
				   .direct = KNOWN_DIRECT_32,
				   .cr4 = CR4_PAE | CR4_PGE,
				   .efer = EFER_NX,
				   .registers = true };

const struct paging paging_two = { .name = "two",
				   .levels = 2,
				   .bits = 10,
				   .entry = 4,
				   .word = 4,
				   .root = 2,
				   .direct = KNOWN_DIRECT_32,
				   .cr4 = CR4_PSE | CR4_PGE };

const struct paging *paging_find(const char *name)
{
	static const struct paging *const all[] = { &paging_four, &paging_five, &paging_pae,
						    &paging_two };

	for (unsigned int i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (!strcmp(all[i]->name, name))
			return all[i];
	}
	return NULL;
}

uint64_t vm_root(const struct paging *paging, unsigned int i, unsigned int part)
{
	uint64_t gpa = (uint64_t)(KNOWN_POOL_FRAME + i) << 12;

	return paging->registers ? gpa + KNOWN_PDPT_OFFSET + KNOWN_PDPT_BYTES * part : gpa;
}

void vm_tables(const struct paging *paging, void (*set)(void *ctx, uint64_t gpa, uint64_t entry),
	       void *ctx)
{
	unsigned int shift = 12 + paging->bits * (paging->levels - 1);
	uint64_t slot = paging->direct >> shift & ((1u << paging->bits) - 1), large = 1u << 22;

	if (paging == &paging_five)
		set(ctx, KNOWN_P4D, KNOWN_PDPT | TABLE_FLAGS);
	if (paging->levels > 3)
		set(ctx, KNOWN_PDPT, KNOWN_PD | TABLE_FLAGS);
	for (uint64_t i = 0; i < KNOWN_RAM >> 21 && paging->entry == 8; i++)
		set(ctx, KNOWN_PD + 8 * i, i << 21 | LARGE_FLAGS);
	for (unsigned int i = 0; i < KNOWN_ROOTS; i++) {
		uint64_t root = vm_root(paging, i, 0);

		if (paging == &paging_five)
			set(ctx, root + 8 * slot, KNOWN_P4D | TABLE_FLAGS);
		else if (paging == &paging_four)
			set(ctx, root + 8 * slot, KNOWN_PDPT | TABLE_FLAGS);
		for (unsigned int part = 0; part < KNOWN_PDPTS && paging->registers; part++)
			set(ctx, vm_root(paging, i, part) + 8 * 3, KNOWN_PD | PDPTE_FLAGS);
		for (uint64_t at = 0; at < KNOWN_RAM && paging == &paging_two; at += large)
			set(ctx, root + 4 * (slot + at / large), at | LARGE_FLAGS);
	}
}
