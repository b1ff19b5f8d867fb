/* SPDX-License-Identifier: GPL-2.0-only */
/* A story that is told to the end, whoever reads the recording: its events are held to their promises. */
#ifndef UNSYNC_TESTS_FUZZ_TOLD_H
#define UNSYNC_TESTS_FUZZ_TOLD_H

#include "import/story.h"

/**
 * told_begin() - a story whose events are looked at, written to a trace, and read again at the end
 */
struct import_sink *told_begin(void);

/**
 * told_end() - the recording is at its end, or could not be read further; gives everything back
 */
void told_end(void);

#endif
