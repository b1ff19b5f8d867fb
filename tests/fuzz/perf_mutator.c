// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes a perf.data where it stays one: bytes of a stretch, keeping its length; a record twice or not at
 * all; or what is in compressed records, which are packed anew. Places that the header names move along.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define MAX_RECORDS 512
#define MAX_RAW (64u << 10) /* unpacked bytes; more only cost time */
#define GROWTH 256

enum { PIPE_HEADER = 16, FILE_HEADER = 104, RECORD_HEADER = 8 };
enum { TRACING_DATA = 66, COMPRESSED = 81, COMPRESSED2 = 83 };

struct record {
	uint32_t type;
	size_t at, size;
};

struct recording {
	uint8_t *bytes;
	size_t len, room;
	bool piped;
	size_t data, data_end;
	struct record record[MAX_RECORDS];
	size_t n;
	struct fuzz_chance *chance;
};

static uint64_t number(const uint8_t *p, size_t size)
{
	uint64_t v = 0;

	memcpy(&v, p, size);
	return v;
}

static void set(uint8_t *p, uint64_t v, size_t size)
{
	memcpy(p, &v, size);
}

/* ---- where what is ---- */

static void find_records(struct recording *r)
{
	size_t at = r->data, size;

	for (r->n = 0; r->n < MAX_RECORDS && r->data_end - at >= RECORD_HEADER; at += size) {
		size = number(r->bytes + at + 6, 2);
		if (size < RECORD_HEADER || size > r->data_end - at)
			return;
		r->record[r->n++] = (struct record){ (uint32_t)number(r->bytes + at, 4), at, size };
		if (r->record[r->n - 1].type == TRACING_DATA && size >= 12)
			size += number(r->bytes + at + 8, 4);
		if (size > r->data_end - at)
			return;
	}
}

static bool find_data(struct recording *r)
{
	uint64_t data, size;

	r->piped = r->len >= PIPE_HEADER && number(r->bytes + 8, 8) == PIPE_HEADER;
	r->data = PIPE_HEADER;
	r->data_end = r->len;
	if (r->piped)
		return true;
	if (r->len < FILE_HEADER)
		return false;
	data = number(r->bytes + 40, 8);
	size = number(r->bytes + 48, 8);
	if (data > r->len || size > r->len - data)
		return false;
	r->data = data;
	r->data_end = data + size;
	return true;
}

/* @old bytes within the records become @len other ones; what the header says follows. */
static bool replace(struct recording *r, size_t at, size_t old, const uint8_t *bytes, size_t len)
{
	size_t table = r->data_end - old + len;

	if (r->len - old + len > r->room)
		return false;
	memmove(r->bytes + at + len, r->bytes + at + old, r->len - at - old);
	if (len)
		memcpy(r->bytes + at, bytes, len);
	r->len += len - old;
	r->data_end = table;
	if (r->piped)
		return true;
	set(r->bytes + 48, table - r->data, 8);
	for (unsigned int part = 0; part < 256 && r->len - table >= 16; part++) {
		if (!(r->bytes[72 + part / 8] >> part % 8 & 1))
			continue;
		if (number(r->bytes + table, 8) >= at)
			set(r->bytes + table, number(r->bytes + table, 8) + len - old, 8);
		table += 16;
	}
	return true;
}

/* ---- what is changed ---- */

/* Nothing moves. */
static bool change_stretch(struct recording *r, size_t from, size_t to)
{
	uint8_t bytes[64 + 8];
	size_t at, n;

	if (to <= from)
		return false;
	at = from + fuzz_draw(r->chance, to - from);
	n = 1 + fuzz_draw(r->chance, 64);
	n = n > to - at ? to - at : n;
	memcpy(bytes, r->bytes + at, n);
	LLVMFuzzerMutate(bytes, n, n);
	memcpy(r->bytes + at, bytes, n);
	return true;
}

static bool change_record(struct recording *r)
{
	const struct record *one;

	if (!r->n)
		return false;
	one = &r->record[fuzz_draw(r->chance, r->n)];
	return change_stretch(r, one->at + (fuzz_draw(r->chance, 8) ? RECORD_HEADER : 0),
			      one->at + one->size);
}

/* One goes, or comes again somewhere else. */
static bool change_order(struct recording *r)
{
	struct record one, other;
	uint8_t *bytes;
	bool ok;

	if (!r->n)
		return false;
	one = r->record[fuzz_draw(r->chance, r->n)];
	other = r->record[fuzz_draw(r->chance, r->n)];
	if (!fuzz_draw(r->chance, 2))
		return replace(r, one.at, one.size, NULL, 0);
	bytes = malloc(one.size);
	if (!bytes)
		return false;
	memcpy(bytes, r->bytes + one.at, one.size);
	ok = replace(r, other.at, 0, bytes, one.size);
	free(bytes);
	return ok;
}

/* A record becomes longer or shorter, and says so. */
static bool change_length(struct recording *r)
{
	struct record one;
	uint8_t *bytes;
	size_t n;
	bool ok;

	if (!r->n)
		return false;
	one = r->record[fuzz_draw(r->chance, r->n)];
	bytes = malloc(one.size + GROWTH);
	if (!bytes)
		return false;
	memcpy(bytes, r->bytes + one.at, one.size);
	n = RECORD_HEADER + LLVMFuzzerMutate(bytes + RECORD_HEADER, one.size - RECORD_HEADER,
					     one.size - RECORD_HEADER + GROWTH);
	if (n < 65536)
		set(bytes + 6, n, 2);
	ok = replace(r, one.at, one.size, bytes, n);
	free(bytes);
	return ok;
}

static const uint8_t *packed_bytes(const struct recording *r, const struct record *one, size_t *n)
{
	size_t head = one->type == COMPRESSED ? RECORD_HEADER : RECORD_HEADER + 8;

	if ((one->type != COMPRESSED && one->type != COMPRESSED2) || one->size < head)
		return NULL;
	*n = one->size - head;
	if (one->type == COMPRESSED2 && number(r->bytes + one->at + 8, 8) < *n)
		*n = number(r->bytes + one->at + 8, 8);
	return r->bytes + one->at + head;
}

/* All compressed records are one stream. */
static uint8_t *unpack(const struct recording *r, size_t *len)
{
	ZSTD_DCtx *zstd = ZSTD_createDCtx();
	uint8_t *raw = malloc(MAX_RAW + GROWTH);
	ZSTD_outBuffer out = { raw, MAX_RAW, 0 };

	for (size_t i = 0; i < r->n && zstd && raw; i++) {
		ZSTD_inBuffer in = { 0 };

		in.src = packed_bytes(r, &r->record[i], &in.size);
		while (in.src && in.pos < in.size && out.pos < out.size) {
			if (ZSTD_isError(ZSTD_decompressStream(zstd, &out, &in)))
				break;
		}
	}
	ZSTD_freeDCtx(zstd);
	*len = out.pos;
	if (raw && out.pos)
		return raw;
	free(raw);
	return NULL;
}

/* The first of them gets all of it, the others go. */
static bool pack(struct recording *r, const uint8_t *raw, size_t len)
{
	size_t room = ZSTD_compressBound(len), n, first = r->n;
	uint8_t *record = malloc(room + RECORD_HEADER);
	bool ok = false;

	n = record ? ZSTD_compress(record + RECORD_HEADER, room, raw, len, 1) : 0;
	for (size_t i = 0; i < r->n; i++) {
		if (r->record[i].type == COMPRESSED || r->record[i].type == COMPRESSED2)
			first = first == r->n ? i : first;
	}
	if (n && !ZSTD_isError(n) && n + RECORD_HEADER < 65536 && first < r->n) {
		set(record, COMPRESSED, 4);
		set(record + 4, 0, 2);
		set(record + 6, n + RECORD_HEADER, 2);
		for (size_t i = r->n; i-- > first + 1;) {
			if (r->record[i].type == COMPRESSED || r->record[i].type == COMPRESSED2)
				replace(r, r->record[i].at, r->record[i].size, NULL, 0);
		}
		ok = replace(r, r->record[first].at, r->record[first].size, record,
			     n + RECORD_HEADER);
	}
	free(record);
	return ok;
}

static bool change_records(struct recording *r)
{
	switch (fuzz_draw(r->chance, 4)) {
	case 0:
		return change_order(r);
	case 1:
		return change_length(r);
	default:
		return change_record(r);
	}
}

/* What is unpacked is changed as a recording that is piped. */
static bool change_packed(struct recording *r)
{
	size_t len = 0;
	uint8_t *raw = unpack(r, &len);
	struct recording in = { .bytes = raw,
				.len = len,
				.room = MAX_RAW + GROWTH,
				.piped = true,
				.data_end = len,
				.chance = r->chance };
	bool ok = false;

	if (!raw)
		return false;
	find_records(&in);
	if (change_records(&in) || change_stretch(&in, 0, in.len))
		ok = pack(r, raw, in.len);
	free(raw);
	return ok;
}

static bool change_some(struct recording *r)
{
	switch (fuzz_draw(r->chance, 8)) {
	case 0:
		return change_stretch(r, 0, r->data);
	case 1:
		return change_stretch(r, r->data_end, r->len);
	case 2:
		return change_stretch(r, 0, r->len);
	case 3:
	case 4:
		return change_packed(r) || change_records(r);
	default:
		return change_records(r);
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	struct fuzz_chance chance = { seed };
	struct recording r = { .bytes = data, .len = size, .room = max_size, .chance = &chance };
	bool changed = false;

	if (!fuzz_draw(&chance, 24) || !find_data(&r))
		return LLVMFuzzerMutate(data, size, max_size);
	find_records(&r);
	for (int tries = 0; tries < 4 && !changed; tries++)
		changed = change_some(&r);
	return changed ? r.len : LLVMFuzzerMutate(data, size, max_size);
}
