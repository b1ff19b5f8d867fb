/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The roots that a vCPU had before the present one (mainline since 4.19, commit 208320ba103): going back
 * to one of them needs no look-up. An LRU list, keyed by the CR3 value with its PCID.
 *
 * A model keeps a struct um_roots *first* in the private memory of each vCPU.
 */
#ifndef UNSYNC_MODELS_ROOTS_H
#define UNSYNC_MODELS_ROOTS_H

#include "models/model.h"

#define UM_ROOTS_MAX 64

struct um_prev_root {
	struct um_page *root; /* counts in its root_count; NULL: empty */
	uint64_t cr3;	      /* that it was entered with, without the no-flush bit */
};

struct um_roots {
	struct um_prev_root prev[UM_ROOTS_MAX]; /* most recent first */
};

/**
 * um_roots_of() - a vCPU's
 */
static inline struct um_roots *um_roots_of(const struct um_vcpu *vcpu)
{
	return vcpu->priv;
}

/**
 * um_roots_switch() - the vCPU's CR3 has another value: its root becomes the first of the previous ones,
 * and the one for the new value is taken from there, or is looked up or created
 * @keep: how many previous roots are remembered
 * @old_cr3: value that the present root was entered with
 *
 * Roots of guests with four root entries are not remembered. (fast_pgd_switch() of Linux 6.1.)
 *
 * Return: whether it was one of the previous ones.
 */
bool um_roots_switch(struct um_mmu *mmu, struct um_vcpu *vcpu, unsigned int keep, uint64_t old_cr3);

/**
 * um_roots_drop() - forget a vCPU's previous roots
 * @which: NULL: all; otherwise those for which it says yes
 * @ctx: given to @which
 */
void um_roots_drop(struct um_vcpu *vcpu, bool (*which)(const struct um_prev_root *, uint64_t ctx),
		   uint64_t ctx);

/**
 * um_roots_drop_pcid() - forget those that were entered with a PCID
 */
void um_roots_drop_pcid(struct um_vcpu *vcpu, uint64_t pcid);

/**
 * um_roots_drop_dirty() - forget those that something out of sync is marked in (see marks.h)
 */
void um_roots_drop_dirty(struct um_vcpu *vcpu);

/**
 * um_roots_forget() - a page goes: no vCPU may remember it
 *
 * For the model's page_zapping().
 */
void um_roots_forget(struct um_mmu *mmu, const struct um_page *page);

#endif
