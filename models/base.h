/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A model that rests on another: the base decides what it always did, the model on top adds to it. Both
 * are called for one shadow MMU. The base's hooks find their own state, options and counters in the
 * instance while they run; its memory of a page or a vCPU is the first part of what the model on top
 * has of each, which must be large enough for it.
 */
#ifndef UNSYNC_MODELS_BASE_H
#define UNSYNC_MODELS_BASE_H

#include "models/model.h"

struct um_base {
	const struct um_model *model;
	void *state;
	uint64_t *own;
	char **options;
};

/**
 * um_base_create() - a base with its options' defaults, for create() of the model on top
 * @mmu: the instance
 * @base: zeroed; to be kept until um_base_destroy()
 * @model: neither without a shadow nor without protection; kept, not copied
 * @page_room: bytes that the model on top leaves to it in each page
 * @vcpu_room: the same for each vCPU
 *
 * The base's wish that INVLPG be free is met.
 *
 * Return: 0, or -1 with um_fail(); um_base_destroy() is due in both cases.
 */
int um_base_create(struct um_mmu *mmu, struct um_base *base, const struct um_model *model,
		   size_t page_room, size_t vcpu_room);

/**
 * um_base_destroy() - for destroy() of the model on top
 */
void um_base_destroy(struct um_mmu *mmu, struct um_base *base);

/**
 * um_base_swap() - let the instance be the base's, before one of its hooks is called, and back after it
 */
void um_base_swap(struct um_mmu *mmu, struct um_base *base);

#endif
