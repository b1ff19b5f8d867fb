// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes a trace where it matters: in its metadata, in a column of an unpacked block, in the numbers of a
 * block's head or of the index. What was changed is packed again and all checksums are put right, so that
 * the reader gets as far as the change.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include <zstd.h>

#include "trace/format.h"

#define MAX_RAW (128u << 10) /* of a block that is unpacked: larger ones only cost time */
#define MAX_PARTS 64
#define GROWTH 256 /* bytes that one change may add */

enum part_kind { HEADER, BLOCK, END, TRAILER, REST };

/* A stretch of a trace, as far as its lengths can be believed. */
struct part {
	enum part_kind kind;
	size_t at, len;
};

struct trace {
	uint8_t *bytes;
	size_t len, room;
	struct part part[MAX_PARTS];
	size_t n;
	struct fuzz_chance chance;
};

/* ---- where what is ---- */

static struct part part_at(const uint8_t *p, size_t at, size_t left)
{
	struct part none = { REST, at, left };
	uint64_t len;

	p += at;
	if (!at && left >= UT_FILE_HEADER_BYTES + UT_CHECKSUM_BYTES) {
		len = UT_FILE_HEADER_BYTES + (uint64_t)ut_get32(p + 16) + UT_CHECKSUM_BYTES;
		return len > left ? none : (struct part){ HEADER, at, len };
	}
	if (left >= UT_BLOCK_HEADER_BYTES && ut_get32(p) == UT_BLOCK_MAGIC) {
		len = UT_BLOCK_HEADER_BYTES + (uint64_t)ut_get32(p + 4);
		return len > left ? none : (struct part){ BLOCK, at, len };
	}
	if (left >= UT_END_HEADER_BYTES && ut_get32(p) == UT_END_MAGIC) {
		len = UT_END_HEADER_BYTES + (uint64_t)ut_get32(p + 4) + UT_CHECKSUM_BYTES;
		return len > left ? none : (struct part){ END, at, len };
	}
	if (left >= UT_TRAILER_BYTES && ut_get32(p) == UT_TRAILER_MAGIC)
		return (struct part){ TRAILER, at, UT_TRAILER_BYTES };
	return none;
}

static void find_parts(struct trace *t)
{
	size_t at = 0;

	for (t->n = 0; at < t->len && t->n < MAX_PARTS; at += t->part[t->n++].len)
		t->part[t->n] = part_at(t->bytes, at, t->len - at);
}

/* One of a kind, or NULL. */
static const struct part *choose(struct trace *t, enum part_kind kind)
{
	size_t first = t->n ? fuzz_draw(&t->chance, t->n) : 0;

	for (size_t i = 0; i < t->n; i++) {
		const struct part *p = &t->part[(first + i) % t->n];

		if (p->kind == kind)
			return p;
	}
	return NULL;
}

/* ---- putting right ---- */

static void seal(struct trace *t)
{
	uint64_t end = 0;
	size_t end_len = 0;

	find_parts(t);
	for (size_t i = 0; i < t->n; i++) {
		const struct part *p = &t->part[i];
		uint8_t *b = t->bytes + p->at;

		switch (p->kind) {
		case BLOCK:
			ut_put64(b + 32, XXH64(b + UT_BLOCK_HEADER_BYTES,
					       p->len - UT_BLOCK_HEADER_BYTES, 0));
			ut_put64(b + 40, XXH64(b, 40, 0));
			break;
		case END:
			end = p->at;
			end_len = p->len;
			/* fall through */
		case HEADER:
			ut_put64(b + p->len - UT_CHECKSUM_BYTES,
				 XXH64(b, p->len - UT_CHECKSUM_BYTES, 0));
			break;
		case TRAILER:
			if (end && fuzz_draw(&t->chance, 16)) {
				ut_put32(b + 4, (uint32_t)end_len);
				ut_put64(b + 8, end);
			}
			ut_put64(b + 16, XXH64(b, 16, 0));
			break;
		case REST:
			break;
		}
	}
}

/* @old bytes at @at become @len other ones. False: no room. */
static bool replace(struct trace *t, size_t at, size_t old, const uint8_t *bytes, size_t len)
{
	if (t->len - old + len > t->room)
		return false;
	memmove(t->bytes + at + len, t->bytes + at + old, t->len - at - old);
	if (len)
		memcpy(t->bytes + at, bytes, len);
	t->len += len - old;
	return true;
}

/* ---- what is changed ---- */

static bool change_metadata(struct trace *t)
{
	const struct part *p = choose(t, HEADER);
	uint8_t *text;
	size_t len;
	bool ok;

	if (!p)
		return false;
	len = p->len - UT_FILE_HEADER_BYTES - UT_CHECKSUM_BYTES;
	text = malloc(len + GROWTH);
	if (!text)
		return false;
	memcpy(text, t->bytes + p->at + UT_FILE_HEADER_BYTES, len);
	ut_put32(t->bytes + p->at + 16, 0);
	len = LLVMFuzzerMutate(text, len, len + GROWTH);
	ok = replace(t, p->at + UT_FILE_HEADER_BYTES,
		     p->len - UT_FILE_HEADER_BYTES - UT_CHECKSUM_BYTES, text, len);
	if (ok)
		ut_put32(t->bytes + p->at + 16, (uint32_t)len);
	free(text);
	return ok;
}

/* Numbers that stand in a part, apart from its checksums and its own length. */
static bool change_numbers(struct trace *t)
{
	static const struct {
		enum part_kind kind;
		unsigned int from, bytes;
	} where[] = { { HEADER, 8, 8 },
		      { BLOCK, 8, 24 },
		      { END, 8, 8 },
		      { END, UT_END_HEADER_BYTES, 40 },
		      { TRAILER, 4, 12 } };
	size_t i = fuzz_draw(&t->chance, sizeof(where) / sizeof(where[0]));
	const struct part *p = choose(t, where[i].kind);

	if (!p || p->len < where[i].from + where[i].bytes)
		return false;
	LLVMFuzzerMutate(t->bytes + p->at + where[i].from, where[i].bytes, where[i].bytes);
	return true;
}

static bool change_index(struct trace *t)
{
	const struct part *p = choose(t, END);
	size_t from = UT_END_HEADER_BYTES + UT_SUMMARY_BYTES, len;

	if (!p || p->len <= from + UT_CHECKSUM_BYTES)
		return false;
	len = p->len - from - UT_CHECKSUM_BYTES;
	LLVMFuzzerMutate(t->bytes + p->at + from, len, len);
	return true;
}

/* Bytes as they are packed. */
static bool change_packed(struct trace *t)
{
	const struct part *p = choose(t, BLOCK);
	size_t len;

	if (!p || p->len == UT_BLOCK_HEADER_BYTES)
		return false;
	len = p->len - UT_BLOCK_HEADER_BYTES;
	LLVMFuzzerMutate(t->bytes + p->at + UT_BLOCK_HEADER_BYTES, len, len);
	return true;
}

/* The unpacked bytes of a block, with room to grow; NULL: it cannot be unpacked. */
static uint8_t *unpack(const struct trace *t, const struct part *p, size_t *len)
{
	const uint8_t *packed = t->bytes + p->at + UT_BLOCK_HEADER_BYTES;
	size_t n = p->len - UT_BLOCK_HEADER_BYTES;
	unsigned long long size = ZSTD_getFrameContentSize(packed, n);
	uint8_t *raw;

	if (size > MAX_RAW) /* as are the values that stand for errors */
		return NULL;
	raw = malloc(MAX_RAW + GROWTH);
	*len = raw ? ZSTD_decompress(raw, MAX_RAW, packed, n) : 0;
	if (raw && !ZSTD_isError(*len) && *len)
		return raw;
	free(raw);
	return NULL;
}

static bool pack(struct trace *t, const struct part *p, const uint8_t *raw, size_t len)
{
	size_t room = ZSTD_compressBound(len), n;
	uint8_t *packed = malloc(room);
	struct part block = *p;
	bool ok = false;

	n = packed ? ZSTD_compress(packed, room, raw, len, 1) : 0;
	if (n && !ZSTD_isError(n))
		ok = replace(t, block.at + UT_BLOCK_HEADER_BYTES, block.len - UT_BLOCK_HEADER_BYTES,
			     packed, n);
	if (ok) {
		ut_put32(t->bytes + block.at + 4, (uint32_t)n);
		ut_put32(t->bytes + block.at + 8, (uint32_t)len);
	}
	free(packed);
	return ok;
}

/* Bounds of a column within an unpacked block; false: it has none of that number. */
static bool find_column(const uint8_t *raw, size_t len, unsigned int column, size_t *from,
			size_t *size)
{
	size_t at = 1 + 4 * (size_t)raw[0];

	for (unsigned int i = 0; i <= column; i++) {
		if (i >= raw[0] || 5 + 4 * (size_t)i > len || at > len)
			return false;
		*from = at;
		*size = ut_get32(raw + 1 + 4 * i);
		at += *size;
	}
	return at <= len;
}

static bool change_column(struct trace *t)
{
	const struct part *p = choose(t, BLOCK);
	size_t len = 0, from = 0, size = 0, grown;
	uint8_t *raw = p ? unpack(t, p, &len) : NULL, *rest;
	unsigned int column = 0;
	bool ok = false;

	if (!raw)
		return false;
	/* One that holds something, if chance finds it soon. */
	for (int tries = 0; tries < 20 && (!size || !ok); tries++) {
		column = (unsigned int)fuzz_draw(&t->chance, raw[0] ? raw[0] : 1);
		ok = find_column(raw, len, column, &from, &size);
	}
	rest = ok ? malloc(len) : NULL;
	if (rest) {
		memcpy(rest, raw + from + size, len - from - size);
		grown = LLVMFuzzerMutate(raw + from, size, size + GROWTH);
		memcpy(raw + from + grown, rest, len - from - size);
		ut_put32(raw + 1 + 4 * column, (uint32_t)grown);
		len += grown - size;
		/* One byte for each event. */
		if (column == 1 && fuzz_draw(&t->chance, 8))
			ut_put32(t->bytes + p->at + 12, (uint32_t)grown);
	}
	ok = rest && pack(t, p, raw, len);
	free(rest);
	free(raw);
	return ok;
}

/* The lengths of the columns with the rest. */
static bool change_raw(struct trace *t)
{
	const struct part *p = choose(t, BLOCK);
	size_t len = 0;
	uint8_t *raw = p ? unpack(t, p, &len) : NULL;
	bool ok;

	if (!raw)
		return false;
	if (fuzz_draw(&t->chance, 2))
		len = LLVMFuzzerMutate(raw, len, len + GROWTH);
	else if (len > 93)
		LLVMFuzzerMutate(raw, 93, 93);
	ok = len && pack(t, p, raw, len);
	free(raw);
	return ok;
}

/* A part twice, or not at all. */
static bool change_order(struct trace *t)
{
	struct part p = t->part[fuzz_draw(&t->chance, t->n)];
	uint8_t *bytes;
	bool ok;

	if (fuzz_draw(&t->chance, 2))
		return p.at && replace(t, p.at, p.len, NULL, 0);
	bytes = malloc(p.len);
	if (!bytes)
		return false;
	memcpy(bytes, t->bytes + p.at, p.len);
	ok = replace(t, p.at, 0, bytes, p.len);
	free(bytes);
	return ok;
}

static bool change_some(struct trace *t)
{
	switch (fuzz_draw(&t->chance, 16)) {
	case 0:
		return change_metadata(t);
	case 1:
		return change_numbers(t);
	case 2:
		return change_index(t);
	case 3:
		return change_packed(t);
	case 4:
		return change_raw(t);
	case 5:
		return t->n && change_order(t);
	default:
		return change_column(t);
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	struct trace t = { .bytes = data, .len = size, .room = max_size, .chance = { seed } };
	bool changed = false;

	if (!fuzz_draw(&t.chance, 24))
		return LLVMFuzzerMutate(data, size, max_size);
	for (int tries = 0; tries < 4 && !changed; tries++) {
		find_parts(&t);
		changed = change_some(&t);
	}
	if (!changed)
		t.len = LLVMFuzzerMutate(data, size, max_size);
	seal(&t);
	return t.len;
}
