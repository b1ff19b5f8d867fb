/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory of a made-up plug-in, as the fuzzer of descriptors takes it: this head, then the bytes of
 * two segments, one after the other. A word at a multiple of 8 in a segment whose upper 16 bits are
 * IMAGE_POINTER or the next number is a pointer: its lower bits are a place in the first or second segment.
 */
#ifndef UNSYNC_TESTS_FUZZ_PLUGIN_IMAGE_H
#define UNSYNC_TESTS_FUZZ_PLUGIN_IMAGE_H

#include <stdint.h>

#define IMAGE_POINTER 0x5e90ull

struct image_head {
	uint16_t at;	/* of the symbol in the first segment */
	uint16_t bytes; /* of the symbol */
	uint16_t first; /* bytes of the first segment */
	uint16_t spare;
};

#endif
