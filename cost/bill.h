/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What one run of a model has to pay for, before any price: how many of each thing, at least and at most,
 * by component. Times of this machine are not in it: what a design did is counted, what that takes is the
 * profile's to say. A cost is linear in every price, and all that is concluded from it rests on that.
 */
#ifndef UNSYNC_COST_BILL_H
#define UNSYNC_COST_BILL_H

#include <stdbool.h>
#include <stdint.h>

#include "cost/platform.h"

/* What costs are shown by. Each counter times each price stands in one of them. */
#define CO_COMPONENTS(X)                                                                           \
	X(exits, "exits and entries")                                                              \
	X(faults, "page faults handled")                                                           \
	X(writes, "writes emulated and entries fixed")                                             \
	X(registers, "CR3 and INVLPG handled")                                                     \
	X(syncs, "going out of sync and back")                                                     \
	X(pages, "shadow pages")                                                                   \
	X(flushes, "TLB flushes of the design")                                                    \
	X(walks, "longer TLB misses")                                                              \
	X(further, "what the trace may hide")

enum co_component {
#define X(key, name) CO_OF_##key,
	CO_COMPONENTS(X)
#undef X
		CO_COMPONENT_END
};

struct co_amount {
	double least, most;
};

struct co_bill {
	struct co_amount amount[CO_COMPONENT_END][CO_PRICE_END];
};

/* Looks a counter up. False: there is no such counter. */
typedef bool co_counter(const void *run, const char *name, uint64_t *value);

/* Nanoseconds. value_*: by the profile's figures; low and high: over all that their ranges allow. */
struct co_cost {
	double value_least, value_most;
	double low, high;
};

/**
 * co_component_key() - the name of a component in files: "exits"
 */
const char *co_component_key(enum co_component component);

/**
 * co_component_name() - the name of a component for people
 */
const char *co_component_name(enum co_component component);

/**
 * co_bill() - what a run has to pay for
 * @bill: result
 * @counter: looks up what was counted, and the model's own counters
 * @run: for @counter
 * @vcpus: of a VM
 *
 * docs/platforms.md says which counter stands where.
 */
void co_bill(struct co_bill *bill, co_counter *counter, const void *run, uint64_t vcpus);

/**
 * co_bill_add() - add another bill to one: for several traces together
 */
void co_bill_add(struct co_bill *sum, const struct co_bill *bill);

/**
 * co_cost() - what a bill comes to on a platform
 * @component: one of them, or CO_COMPONENT_END for all
 */
struct co_cost co_cost(const struct co_bill *bill, const struct co_platform *platform,
		       enum co_component component);

/**
 * co_amount() - how many of what one price is paid for are in a bill
 */
struct co_amount co_amount(const struct co_bill *bill, enum co_price price);

#endif
