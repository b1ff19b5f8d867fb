/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Holds a model to what it must not do, at every event of a trace.
 *
 * The TLB contract: whatever a running vCPU can reach through the model's shadow is a translation that
 * its TLB might hold (replay/guest.h says what that is). It is checked for each access that the trace
 * tells of; and for every translation whose guest entry has changed, whenever a flush, a new root, a
 * link or a sync could have made it wrong or reachable.
 *
 * The structure: what the audit in the kernel's shadow MMU used to check. The entries behind a change
 * at once, everything every so often and at the end.
 *
 * The model's shadow is only read, and only by what models/mmu.h offers. docs/verifying.md explains
 * each rule.
 */
#ifndef UNSYNC_REPLAY_ORACLE_H
#define UNSYNC_REPLAY_ORACLE_H

#include <stdint.h>

#include "models/mmu.h"

#define UR_SHOWN 8 /* violations that are kept as text */

#define UR_RULES(X)                                                                                \
	X(tlb, "a vCPU reaches a translation that its TLB cannot hold")                            \
	X(writable, "a table in sync is mapped writable")                                          \
	X(in_sync, "an entry of a table in sync is not as the guest's")                            \
	X(reverse, "a writable entry is missing in the reverse map, or one there is wrong")        \
	X(links, "parent and child do not agree")                                                  \
	X(counts, "a count is wrong")                                                              \
	X(shape, "an entry that cannot be: role, level or frame do not fit")                       \
	X(left, "a table out of sync is left below a root that was synced")

enum ur_rule {
#define X(name, help) UR_RULE_##name,
	UR_RULES(X)
#undef X
		UR_RULE_END
};

/* What came out; sums over several instances can be formed with ur_verified_add(). */
struct ur_verified {
	uint64_t events;     /* seen */
	uint64_t checks;     /* translations and entries looked at */
	uint64_t undecided;  /* of these, those that the trace tells too little of */
	uint64_t violations; /* each counted once, however long it lasts */
	uint64_t by_rule[UR_RULE_END];
	char *first[UR_SHOWN]; /* lines for people; owned */
	unsigned int n_first;
};

struct ur_oracle;

/**
 * ur_oracle_create() - watch an instance that has seen no event yet
 * @mmu: not owned; must outlive the oracle
 * @audit_every: events between complete audits; 0: as often as costs little
 *
 * Return: NULL if out of memory.
 */
struct ur_oracle *ur_oracle_create(const struct um_mmu *mmu, unsigned int audit_every);

/**
 * ur_oracle_event() - check; called when the instance has dealt with the event
 *
 * Return: 0, or -1 if out of memory: then nothing further is checked.
 */
int ur_oracle_event(struct ur_oracle *o, const struct ut_event *event);

/**
 * ur_oracle_finish() - last audit, and what came out
 * @o: freed
 * @out: what came out is added
 *
 * Return: 0, or -1 if the oracle had run out of memory on the way.
 */
int ur_oracle_finish(struct ur_oracle *o, struct ur_verified *out);

void ur_verified_free(struct ur_verified *v);

const char *ur_rule_name(enum ur_rule rule);
const char *ur_rule_help(enum ur_rule rule);

#endif
