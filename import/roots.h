/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which address space a vCPU has switched to, where no record tells it: on AMD processors without
 * decode assists, KVM emulates writes to CR3 and the kvm_cr tracepoint does not see them.
 *
 * What shows it nevertheless: the root page that KVM looks up; the tables that it syncs, which belong to
 * the root that is entered; the tables that it does not sync, though they are out of sync, which do not; and the
 * next walk, whose first entry is that of one root and not of another.
 *
 * For guests with four or five levels of tables, whose tops are pages of their own.
 */
#ifndef UNSYNC_IMPORT_ROOTS_H
#define UNSYNC_IMPORT_ROOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "import/guests.h"

#define ROOTS_MAX 256u /* of a VM; the one that was not used for longest is forgotten */

/**
 * roots_use() - a vCPU is on a root
 * @gfn: frame of the top-level table
 *
 * Return: 0, or -1 if out of memory.
 */
int roots_use(struct guest_vm *vm, uint64_t gfn);

/**
 * roots_walked() - a walk went down from a root
 * @gfn: of the root
 * @index: of the first entry
 * @entry: its value
 * @leaf: frame of the last-level table that was reached; 0: none was
 *
 * Return: 0, or -1 if out of memory.
 */
int roots_walked(struct guest_vm *vm, uint64_t gfn, unsigned int index, uint64_t entry,
		 uint64_t leaf);

/**
 * roots_by_entry() - can a walk have begun at a root?
 * @now: where the vCPU is believed to be
 * @index: of the first entry
 * @entry: its value
 *
 * Return: @now, unless its entry is known to be another, or not known and in the guest's user space, and
 * exactly one root has this one.
 */
uint64_t roots_by_entry(const struct guest_vm *vm, uint64_t now, unsigned int index,
			uint64_t entry);

/**
 * roots_entered() - on which root a vCPU is after a write to CR3 that nobody told
 * @now: where it was
 * @synced: a table that was synced for it; 0: none was
 */
uint64_t roots_entered(const struct guest_vm *vm, uint64_t now, uint64_t synced);

/**
 * roots_unsync() - a last-level table went out of sync, or was synced
 */
void roots_unsync(struct guest_vm *vm, uint64_t gfn, bool unsync);

/**
 * roots_zapped() - a shadow page is gone
 * @root: whether it was of a top-level table
 */
void roots_zapped(struct guest_vm *vm, uint64_t gfn, bool root);

void roots_free(struct guest_vm *vm);

#endif
