// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes a trace.dat without moving anything in it, as it says by offsets where things are: bytes of a
 * stretch; or what is in a compressed part, which is packed anew and filled up to its old length by a frame
 * that is skipped.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define MAX_PACKED 64
#define MAX_RAW (128u << 10)
#define FRAME_HEADER 8 /* of a frame that is skipped */

/* Two lengths stand in front of it: packed, unpacked. */
struct packed {
	size_t at, size, raw;
};

static uint32_t number(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static size_t find_packed(const uint8_t *data, size_t size, struct packed *all)
{
	size_t n = 0;

	for (size_t at = 8; at + 4 <= size && n < MAX_PACKED; at++) {
		struct packed one = { at, number(data + at - 8), number(data + at - 4) };

		if (number(data + at) != ZSTD_MAGICNUMBER || one.size > size - at ||
		    one.size < FRAME_HEADER || one.raw > MAX_RAW)
			continue;
		all[n++] = one;
	}
	return n;
}

/* Nothing moves. */
static bool change_stretch(struct fuzz_chance *c, uint8_t *data, size_t size)
{
	uint8_t bytes[64];
	size_t at, n;

	if (!size)
		return false;
	at = fuzz_draw(c, size);
	n = 1 + fuzz_draw(c, fuzz_draw(c, 2) ? 8 : sizeof(bytes));
	n = n > size - at ? size - at : n;
	memcpy(bytes, data + at, n);
	LLVMFuzzerMutate(bytes, n, n);
	memcpy(data + at, bytes, n);
	return true;
}

/* As it was long before, if it can be. */
static bool pack(uint8_t *to, size_t room, const uint8_t *raw, size_t len)
{
	uint8_t *packed = malloc(ZSTD_compressBound(len));
	size_t n = packed ? ZSTD_compress(packed, ZSTD_compressBound(len), raw, len, 12) : 0;
	bool fits = n && !ZSTD_isError(n) && (n == room || n + FRAME_HEADER <= room);

	if (fits) {
		memcpy(to, packed, n);
		if (n < room) {
			uint32_t skipped[2] = { ZSTD_MAGIC_SKIPPABLE_START,
						(uint32_t)(room - n - FRAME_HEADER) };

			memcpy(to + n, skipped, sizeof(skipped));
			memset(to + n + FRAME_HEADER, 0, room - n - FRAME_HEADER);
		}
	}
	free(packed);
	return fits;
}

static bool change_packed(struct fuzz_chance *c, uint8_t *data, size_t size)
{
	struct packed all[MAX_PACKED], one;
	size_t n = find_packed(data, size, all), len;
	uint8_t *raw;
	bool ok = false;

	if (!n)
		return false;
	one = all[fuzz_draw(c, n)];
	raw = malloc(MAX_RAW);
	len = raw ? ZSTD_decompress(raw, MAX_RAW, data + one.at, one.size) : 0;
	if (len && !ZSTD_isError(len)) {
		for (uint64_t k = 1 + fuzz_draw(c, 2); k; k--)
			change_stretch(c, raw, len);
		ok = pack(data + one.at, one.size, raw, len);
	}
	free(raw);
	return ok;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	struct fuzz_chance chance = { seed };

	switch (fuzz_draw(&chance, 8)) {
	case 0:
		return LLVMFuzzerMutate(data, size, max_size);
	case 1:
	case 2:
	case 3:
		return change_stretch(&chance, data, size) ? size
							   : LLVMFuzzerMutate(data, size, max_size);
	default:
		if (change_packed(&chance, data, size) || change_stretch(&chance, data, size))
			return size;
		return LLVMFuzzerMutate(data, size, max_size);
	}
}
