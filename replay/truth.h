/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ground truth: does a model do what the recorded host did?
 *
 * A native trace tells of each shadow page that the host let go out of sync, and of each that it
 * synced. While such a trace is replayed, what a model does is held against that, one by one.
 *
 * Each vCPU's history is cut into steps: an event by which the guest makes its hypervisor act (fault,
 * control register, INVLPG, INVPCID, paravirtual flush), or a change of state found. What the model
 * does happens while it is given such an event. What the host did about it stands in the trace just
 * before the event or just after it, as a fault is told when it is over, a register when it is
 * written. So two things that happen to a page are one and the same if
 *
 * - the VM, the frame and the role are the same (of it, UM_ROLE_MODELLED),
 * - both went out of sync, or both were synced,
 * - nothing earlier of that kind in this page's history still waits for its counterpart,
 * - the host's lies between the neighbours of the event during which the model's happened: after that
 *   vCPU's event before, and before that vCPU's event after it.
 *
 * The counterpart may be by another vCPU, if both are in such a place at the same point of the trace:
 * whoever gets KVM's lock first syncs for all. These are counted apart, too. A page that is compared
 * and stays out of sync is not synced, on neither side, nor one that is zapped.
 */
#ifndef UNSYNC_REPLAY_TRUTH_H
#define UNSYNC_REPLAY_TRUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/mmu.h"

#define UR_MISMATCHES_MAX 1000000

enum ur_deed { UR_UNSYNC, UR_SYNC, UR_DEED_END };

enum ur_side { UR_HOST, UR_MODEL, UR_SIDE_END };

/* What only one side did: how the page was on the other side. */
enum ur_why {
	UR_WHY_ABSENT,	  /* it had no such page */
	UR_WHY_ALREADY,	  /* it was there already: an earlier difference goes on */
	UR_WHY_REFRESHED, /* it compared the page, but left it out of sync */
	UR_WHY_NOT,	  /* it could have done so, and did not */
	UR_WHY_END
};

struct ur_mismatch {
	uint64_t time; /* ns since the start of the capture */
	uint64_t gfn;
	uint32_t role; /* UT_ROLE_*, as far as modelled */
	uint16_t vm, vcpu;
	enum ur_deed deed;
	enum ur_side side; /* who did it */
	enum ur_why why;
};

struct ur_deeds {
	uint64_t total[UR_SIDE_END];
	uint64_t matched;
	uint64_t other_vcpu; /* of these, by another vCPU */
	uint64_t alone[UR_SIDE_END][UR_WHY_END];
};

/* One model on one trace, all VMs. */
struct ur_agreement {
	struct ur_deeds of[UR_DEED_END];
	struct ur_mismatch *list; /* the first of them */
	size_t n_list, max_list;
};

struct ur_truth;

/**
 * ur_truth_create() - hold one instance against the host's events of its VM
 * @mmu: instance; watched from now on, for as long as it lives
 * @vm: for what is listed
 * @out: where matches are added up; max_list says how many mismatches are to be listed
 *
 * Return: to be ended with ur_truth_end(); NULL if out of memory.
 */
struct ur_truth *ur_truth_create(struct um_mmu *mmu, uint16_t vm, struct ur_agreement *out);

/**
 * ur_truth_before(), ur_truth_after() - around every event of the VM that the instance is given
 */
void ur_truth_before(struct ur_truth *t, const struct ut_event *e);
void ur_truth_after(struct ur_truth *t, const struct ut_event *e);

/**
 * ur_truth_end() - what still waits for a counterpart has none
 * @t: freed; NULL is allowed
 *
 * Return: 0, or -1 if memory ran out meanwhile, so that the agreement means nothing.
 */
int ur_truth_end(struct ur_truth *t);

/**
 * ur_agreement_recall(), ur_agreement_precision() - matched, as a share of what the host or the model did
 *
 * Return: 0 to 1; 1 if there was nothing.
 */
double ur_agreement_recall(const struct ur_deeds *d);
double ur_agreement_precision(const struct ur_deeds *d);

/**
 * ur_deed_name(), ur_side_name(), ur_why_name(), ur_why_help() - as results name them
 */
const char *ur_deed_name(enum ur_deed deed);
const char *ur_side_name(enum ur_side side);
const char *ur_why_name(enum ur_why why);
const char *ur_why_help(enum ur_why why);

#endif
