/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every model must do, whatever its design: tests for models that somebody else wrote. A model
 * that misbehaves may crash or hang in one of them, so run each in a process of its own.
 */
#ifndef UNSYNC_REPLAY_CONFORM_H
#define UNSYNC_REPLAY_CONFORM_H

#include <stddef.h>

#include "models/mmu.h"

struct ur_conform_test {
	const char *name;
	const char *what; /* it holds the model to */
	/* Return: 0 if the model passed, else -1 with @why set to a line for its author. */
	int (*run)(const struct um_model *model, char *why, size_t len);
};

/**
 * ur_conform_tests() - all of them, in the order in which they should run; ends with a NULL name
 */
const struct ur_conform_test *ur_conform_tests(void);

#endif
