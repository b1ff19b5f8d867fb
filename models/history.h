/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mistakes that KVM's out-of-sync tables once had, each mended by a commit of its own. The tests bring
 * one back at a time, to show that it breaks the contract and that what mended it does mend it.
 *
 * Only the build that the tests have of this library knows them (UNSYNC_HISTORY). They are no options of
 * a model: whoever compares designs should not be offered one that is known to be wrong.
 */
#ifndef UNSYNC_MODELS_HISTORY_H
#define UNSYNC_MODELS_HISTORY_H

#include "models/model.h"

enum um_relapse {
	UM_RELAPSE_NONE,
	UM_RELAPSE_SELF_MAP,   /* a table counts as in step only after its sync (0c0f40bdbe4) */
	UM_RELAPSE_MUTUAL_MAP, /* a sync makes tables writable that are out of sync (36a2e6774bf) */
	UM_RELAPSE_LINK_FIRST, /* a page is linked with children out of sync (65855ed8b034) */
	UM_RELAPSE_STALE_PARENT, /* an unreachable page keeps its parent pointer (6c475352e87) */
	UM_RELAPSE_LARGE_ENTRY,	 /* walks take a large entry for a link (87917239204) */
	UM_RELAPSE_W_TOGGLE,	 /* a sync changes W behind the reverse map's back (9ed5520dd3c) */
	UM_RELAPSE_KEEP_LINK, /* a link is taken as it is, wherever the walk led (fixed in 7.1) */
	UM_RELAPSE_ENTRY_FIRST, /* the entry is writable before the marks are there (barriers in 6.1) */
	UM_RELAPSE_QUADRANT,   /* INVLPG reads the entry of the first quadrant (22c9b2d166a) */
	UM_RELAPSE_PV_FLUSH,   /* paravirtual flushes do not sync (6ad9f15c948) */
	UM_RELAPSE_ROLE,       /* a sync goes by the mode of the vCPU, not of the page (2.6.28) */
	UM_RELAPSE_STALE_MARK, /* a walk leaves a mark that led to nothing (7a8f1a74e41) */
	UM_RELAPSE_NO_FLUSH,   /* a sync that dropped entries does not flush (a4ee1ca4a36) */
};

#ifdef UNSYNC_HISTORY

/**
 * um_relapse() - from now on every instance makes a mistake; UM_RELAPSE_NONE: none
 */
void um_relapse(enum um_relapse what);

/**
 * um_relapsed() - is this mistake to be made?
 */
bool um_relapsed(enum um_relapse what);

/**
 * um_history_runs() - an event of this vCPU begins
 */
void um_history_runs(const struct um_vcpu *vcpu);

/**
 * um_history_role() - the role by which permissions are computed
 * @role: of the page: returned as it is, unless UM_RELAPSE_ROLE
 */
uint32_t um_history_role(uint32_t role);

#else

static inline bool um_relapsed(enum um_relapse what)
{
	(void)what;
	return false;
}

static inline void um_history_runs(const struct um_vcpu *vcpu)
{
	(void)vcpu;
}

static inline uint32_t um_history_role(uint32_t role)
{
	return role;
}

#endif
#endif
