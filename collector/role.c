// SPDX-License-Identifier: GPL-2.0-only
#include "collector/role.h"

#include <stddef.h>

uint32_t role_mask(struct role_field field)
{
	return field.width ? (uint32_t)((1ull << field.width) - 1) << field.shift : 0;
}

static uint32_t get(struct role_field field, uint32_t raw)
{
	return (raw & role_mask(field)) >> field.shift;
}

uint32_t role_normalise(const struct role_layout *l, uint32_t raw)
{
	uint32_t role = get(l->level, raw) & UT_ROLE_LEVEL;
	bool direct = get(l->direct, raw);
	uint32_t access = get(l->access, raw);
	const struct {
		struct role_field field;
		uint32_t bit;
	} flags[] = {
		{ l->efer_nx, UT_ROLE_EFER_NX },
		{ l->cr0_wp, UT_ROLE_CR0_WP },
		{ l->smep_not_wp, UT_ROLE_SMEP_NOT_WP },
		{ l->smap_not_wp, UT_ROLE_SMAP_NOT_WP },
		{ l->ad_disabled, UT_ROLE_AD_DISABLED },
		{ l->guest_mode, UT_ROLE_GUEST_MODE },
		{ l->smm, UT_ROLE_SMM },
		{ l->passthrough, UT_ROLE_PASSTHROUGH },
		{ l->invalid, UT_ROLE_INVALID },
	};

	role |= get(l->quadrant, raw) << UT_ROLE_QUADRANT_SHIFT & UT_ROLE_QUADRANT;
	if (direct)
		role |= UT_ROLE_DIRECT;
	/* Without a guest table there are no entries, whatever the bit says. */
	else if (!!get(l->entry_size, raw) != l->entry_size_means_8)
		role |= UT_ROLE_4BYTE;
	/* KVM's access bits: 1 execute, 2 write, 4 user */
	role |= access << 8 & UT_ROLE_ACCESS;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (get(flags[i].field, raw))
			role |= flags[i].bit;
	}
	return role;
}
