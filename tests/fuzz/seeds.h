/* SPDX-License-Identifier: GPL-2.0-only */
/* Parts of fuzz-seeds. */
#ifndef UNSYNC_TESTS_FUZZ_SEEDS_H
#define UNSYNC_TESTS_FUZZ_SEEDS_H

#include <stddef.h>

/**
 * die() - say what went wrong, and end the program
 */
_Noreturn void die(const char *what);

/**
 * save() - one seed
 */
void save(const char *name, const void *bytes, size_t len);

/* Of recordings, cut out of the shipped ones. */
void seeds_perf(void);
void seeds_story(void);
void seeds_tracedat(void);

#endif
