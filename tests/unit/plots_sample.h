/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Made-up results of the shape that a replay gives: three designs and null on a handful of traces. The
 * figures come from a seeded generator and stand for nothing.
 */
#ifndef UNSYNC_TESTS_PLOTS_SAMPLE_H
#define UNSYNC_TESTS_PLOTS_SAMPLE_H

#include <jansson.h>
#include <stdbool.h>

/**
 * plots_sample() - a results document
 * @traces: how many, 1 to 5
 * @exact: mode of the traces
 * @passes: measured passes; 0: nothing measured
 *
 * Return: a document, to be given back with json_decref().
 */
json_t *plots_sample(unsigned int traces, bool exact, unsigned int passes);

#endif
