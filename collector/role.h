/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The role of a shadow page: which bits KVM's union kvm_mmu_page_role has where differs between kernels,
 * and one of them was turned round. What says how it is, is for who reads the kernel's types or the
 * format of its tracepoints.
 */
#ifndef UNSYNC_COLLECTOR_ROLE_H
#define UNSYNC_COLLECTOR_ROLE_H

#include <stdbool.h>
#include <stdint.h>

#include "trace/event.h"

/* Where a bit field of the role lies. */
struct role_field {
	uint8_t shift;
	uint8_t width; /* 0: this kernel has no such field */
};

struct role_layout {
	struct role_field level, quadrant, direct, access, invalid, efer_nx, cr0_wp;
	struct role_field smep_not_wp, smap_not_wp, ad_disabled, guest_mode, passthrough, smm;
	struct role_field entry_size; /* one bit that tells 4-byte from 8-byte entries */
	bool entry_size_means_8;      /* what it means if set; it was turned round once */
};

/**
 * role_normalise() - a page's role as KVM has it, as UT_ROLE_* bits
 */
uint32_t role_normalise(const struct role_layout *layout, uint32_t raw);

/**
 * role_mask() - the bits of a field in place; 0 if the kernel has no such field
 */
uint32_t role_mask(struct role_field field);

#endif
