/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * unsync replay --predict: an exact trace says what the host did in its native twin.
 */
#ifndef UNSYNC_CLI_PREDICT_H
#define UNSYNC_CLI_PREDICT_H

#include <stddef.h>
#include <stdint.h>

#include "replay/replay.h"

/**
 * cli_predict() - predict, compare and print
 * @native: path of the native trace
 * @exact: path of the exact one
 * @specs: models; none: those that are meant to do what KVM does, in the version of the recorded host
 * @n_specs: how many
 * @mismatches: how many VMs that differ to show
 *
 * Return: EXIT_OK if all VMs are alike for every model, else EXIT_FAILED.
 */
int cli_predict(const char *native, const char *exact, const struct ur_spec *specs, size_t n_specs,
		uint64_t mismatches);

#endif
