// SPDX-License-Identifier: GPL-2.0-only
/* Keeps the guest's tables and shadows nothing: what the harness itself costs. */
#include "models/builtin.h"

UM_MODEL(null) = {
	UM_MODEL_HEAD,
	.name = "null",
	.summary = "no shadow paging: the cost of the harness itself",
	.no_shadow = true,
};
