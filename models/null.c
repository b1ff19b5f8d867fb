// SPDX-License-Identifier: GPL-2.0-only
/* Keeps the guest's tables and shadows nothing: what the harness itself costs. */
#include "models/builtin.h"

const struct um_model um_null = {
	.magic = UM_MAGIC,
	.abi = UM_ABI,
	.size = sizeof(struct um_model),
	.name = "null",
	.summary = "no shadow paging: the cost of the harness itself",
	.no_shadow = true,
};
