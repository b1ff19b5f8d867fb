/* SPDX-License-Identifier: GPL-2.0-only */
/* One line a built-in model; each is a file of its own. */
#ifndef UNSYNC_MODELS_BUILTIN_H
#define UNSYNC_MODELS_BUILTIN_H

#include "models/model.h"

extern const struct um_model um_null;
extern const struct um_model um_sync_on_write;
extern const struct um_model um_oos_per_root;
extern const struct um_model um_unsync_bitmap;
extern const struct um_model um_kvm;
extern const struct um_model um_xen_oos;
extern const struct um_model um_virtual_tlb;
extern const struct um_model um_ideal;
extern const struct um_model um_nested;
extern const struct um_model um_adaptive;
extern const struct um_model um_prefault;

#endif
