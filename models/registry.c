// SPDX-License-Identifier: GPL-2.0-only
/* The built-in models, in the order in which tables and charts show them. */
#include "models/builtin.h"
#include "models/mmu.h"

#include <string.h>

static const struct um_model *const builtin[] = {
	&um_null,	 &um_sync_on_write, &um_oos_per_root, &um_unsync_bitmap,
	&um_kvm,	 &um_xen_oos,	    &um_prefault,     &um_adaptive,
	&um_virtual_tlb, &um_ideal,	    &um_nested,	      NULL,
};

const struct um_model *const *um_models(void)
{
	return builtin;
}

const struct um_model *um_model_find(const char *name)
{
	for (size_t i = 0; builtin[i]; i++) {
		if (!strcmp(builtin[i]->name, name))
			return builtin[i];
	}
	return NULL;
}
