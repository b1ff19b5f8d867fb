/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From one kind of capture to the other: a guest that does the same every time was recorded twice on one
 * host, exactly (nothing out of sync, every write known) and natively. What a model does with the exact
 * trace should be what the host did in the native one: the same shadow pages out of sync and synced, by
 * frame and role, in the same order. Each VM of the exact trace is compared with that of the same number.
 */
#ifndef UNSYNC_REPLAY_PREDICT_H
#define UNSYNC_REPLAY_PREDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "replay/truth.h"
#include "trace/trace.h"

/* Going out of sync or being synced, of one shadow page. */
struct ur_step {
	uint64_t gfn;
	uint64_t time; /* ns since the start of its own capture */
	uint32_t role; /* UT_ROLE_*, as far as modelled */
	uint16_t vcpu;
	enum ur_deed deed;
};

struct ur_steps {
	struct ur_step *at;
	size_t n, cap;
};

/* One VM. */
struct ur_vm_prediction {
	uint16_t vm;
	bool seen[UR_SIDE_END]; /* in the native trace (host), in the exact one (model) */
	struct ur_steps steps[UR_SIDE_END]; /* all of them, in order */
	size_t first_difference; /* steps before it are the same; both counts if there is none */
	size_t common;		 /* length of the longest common subsequence */
	bool alike;
};

struct ur_prediction {
	char *kernel; /* of the host of the exact trace; empty if its header does not say */
	struct ur_vm_prediction *vms; /* by number */
	size_t n_vms;
	char failed[256]; /* why the model gave up; empty: it did not */
};

/**
 * ur_kernel_of() - the kernel of the host that a trace was recorded on
 * @path: the trace
 * @err: set on failure
 *
 * Return: as its header says, or an empty string; to be freed. NULL if the trace cannot be opened.
 */
char *ur_kernel_of(const char *path, struct ut_error *err);

/**
 * ur_predict() - hold what a model does with an exact trace against its native twin
 * @native: path of a native trace
 * @exact: path of the exact trace of the same guests
 * @model: the model
 * @options: "name=value,name=value", or NULL
 * @progress: called for every block of either trace, with its path; may be NULL
 * @ctx: given to @progress
 * @out: the result, to be freed with ur_prediction_free(); NULL on failure
 * @err: set on failure: a trace that cannot be read, or is of the wrong kind
 *
 * Return: 0 or -1.
 */
int ur_predict(const char *native, const char *exact, const struct um_model *model,
	       const char *options,
	       void (*progress)(void *ctx, const char *what, uint64_t done, uint64_t total),
	       void *ctx, struct ur_prediction **out, struct ut_error *err);

void ur_prediction_free(struct ur_prediction *p);

#endif
