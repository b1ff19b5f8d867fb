/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the fuzzers share. Each is one file with the two functions below; libFuzzer or driver.c calls them.
 */
#ifndef UNSYNC_TESTS_FUZZ_H
#define UNSYNC_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * LLVMFuzzerTestOneInput() - do with some bytes what the product does with a file of them
 *
 * Whatever they are, it comes back, having given back all it took; a promise that is not kept ends in
 * fuzz_broken(). Return: 0.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/**
 * LLVMFuzzerCustomMutator() - change an input in place, so that it stays worth reading
 * @max_size: bytes that there is room for
 * @seed: all that chance is drawn from
 *
 * For files with checksums and packed parts, which no other change would get past. Optional.
 *
 * Return: its new size.
 */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

/* From libFuzzer or driver.c: changes bytes, without knowing what they are. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/**
 * fuzz_file() - an input as a file that can be opened by name
 * @slot: 0 or 1: there may be two at once
 *
 * Return: its path; what it holds stays until the next call for that slot.
 */
const char *fuzz_file(unsigned int slot, const void *data, size_t size);

/**
 * fuzz_descriptor() - a descriptor of that file, at its beginning; not to be closed
 */
int fuzz_descriptor(unsigned int slot);

/**
 * fuzz_broken() - say which promise was not kept, and crash, which is how a fuzzer tells
 */
_Noreturn void fuzz_broken(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/**
 * fuzz_line() - is this one line for the user? Else fuzz_broken()
 * @text: terminated within @size bytes, not empty, no control characters
 */
void fuzz_line(const char *text, size_t size);

/* Chance for a mutator: splitmix64. */
struct fuzz_chance {
	uint64_t state;
};

uint64_t fuzz_draw(struct fuzz_chance *c, uint64_t below);

#endif
