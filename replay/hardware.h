/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The processor's own counters, around the measured work of each model. Many machines do not give them:
 * virtual machines without a PMU, kernels that keep them for root. Then it is known which are missing and
 * why, and everything else goes on without.
 */
#ifndef UNSYNC_REPLAY_HARDWARE_H
#define UNSYNC_REPLAY_HARDWARE_H

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UR_HARDWARE(X)                                                                             \
	X(cycles, "processor cycles")                                                              \
	X(instructions, "instructions retired")                                                    \
	X(llc_misses, "loads that missed the last-level cache")                                    \
	X(dtlb_misses, "loads that missed the TLB for data")

enum ur_hardware_event {
#define X(name, help) UR_HW_##name,
	UR_HARDWARE(X)
#undef X
		UR_HW_END
};

/* As the kernel hands it out: the count, and for how long the event was wanted and had a counter. */
struct ur_reading {
	uint64_t value, enabled, running;
};

/* How the kernel is asked; tests put something else in its place. */
struct ur_hardware_ops {
	/* Return: a handle for read() and close(), or -1 with errno set. */
	int (*open)(const struct perf_event_attr *attr);
	/* Return: 0 or -1. */
	int (*read)(int fd, struct ur_reading *r);
	void (*close)(int fd);
};

struct ur_hardware {
	const struct ur_hardware_ops *ops;
	int fd[UR_HW_END];	  /* -1: not available, because: */
	char why[UR_HW_END][256]; /* a line with a remedy, where there is one */
	unsigned int n;		  /* that are available */
};

/* What was counted in a stretch of time, or in several. */
struct ur_hardware_sum {
	struct ur_reading of[UR_HW_END];
};

/**
 * ur_hardware_open() - open what opens, for this thread, what it does in user space only
 * @hw: filled in; to be closed with ur_hardware_close()
 * @ops: NULL: the kernel's
 */
void ur_hardware_open(struct ur_hardware *hw, const struct ur_hardware_ops *ops);

void ur_hardware_close(struct ur_hardware *hw);

/**
 * ur_hardware_read() - how far the counters have come. Of one that cannot be read, 0.
 */
void ur_hardware_read(const struct ur_hardware *hw, struct ur_hardware_sum *now);

/**
 * ur_hardware_add() - add what was counted between two readings
 */
void ur_hardware_add(struct ur_hardware_sum *sum, const struct ur_hardware_sum *before,
		     const struct ur_hardware_sum *after);

/**
 * ur_hardware_count() - what a counter shows, extrapolated to the time it was not on the processor
 * @r: a sum
 * @count: set to it
 *
 * Processors have few counters; events take turns on them if others count, too. Return: false if it never
 * had its turn.
 */
bool ur_hardware_count(const struct ur_reading *r, double *count);

/**
 * ur_hardware_name(), ur_hardware_help() - as results show an event
 */
const char *ur_hardware_name(enum ur_hardware_event e);
const char *ur_hardware_help(enum ur_hardware_event e);

#endif
