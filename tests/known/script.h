/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random scripts for the mini guest: a seed, the mode of paging and what the vCPU can do determine all
 * of it.
 *
 * A script never depends on what the architecture leaves open. An address is used only if no entry
 * that translates it was changed, while it was present, after the vCPU's last flush of that address;
 * so the guest does the same on every host, whatever its TLB or its shadow still holds.
 */
#ifndef UNSYNC_TESTS_KNOWN_SCRIPT_H
#define UNSYNC_TESTS_KNOWN_SCRIPT_H

#include "machine.h"

enum script_flavour {
	SCRIPT_ALONE, /* one vCPU */
	SCRIPT_TURNS, /* two, of which one at a time executes the next operation */
	SCRIPT_FREE,  /* two at once; each uses entries of its own in tables of both */
};

struct script {
	uint64_t seed;
	const struct paging *paging;
	enum script_flavour flavour;
	unsigned int vcpus;
	unsigned int arrays; /* of operations: one if they take turns */
	struct known_op *op[VM_VCPUS];
	size_t n[VM_VCPUS];
	uint64_t faults[VM_VCPUS]; /* how many of each array's operations fault */
	struct machine start, end; /* start holds what is put into memory before */
};

/**
 * script_make() - make the script of a seed
 * @paging: the mode that the guest is in, always
 * @features: what the vCPU has; 32-bit modes use none of it
 *
 * Return: the script, or NULL if there is no memory; the caller frees it.
 */
struct script *script_make(uint64_t seed, const struct paging *paging, struct vm_features features);
void script_free(struct script *s);

/* Which of two vCPUs that run freely may change the words of a table with this index. */
static inline unsigned int script_owner(unsigned int index)
{
	return index >> 3 & 1;
}

/* "alone", "turns", "free". */
const char *script_flavour_name(const struct script *s);

/* What an operation is called; NULL for a number that is none. */
const char *script_op_name(unsigned int code);

#endif
