// SPDX-License-Identifier: GPL-2.0-only
#include "import/perf_file.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "import/perf_tracing.h"

#define RECORD_MOST (64u << 10) /* no record is as long */
#define PACKED_HEADER 16u
#define PACKED_MOST 65519u /* bytes that perf compresses to at most at a time */

/* Kinds of records: those below RECORD_USER are the kernel's, the others perf's own. */
enum {
	RECORD_USER = 64,
	RECORD_ATTR = 64,
	RECORD_TRACING_DATA = 66,
	RECORD_FINISHED_ROUND = 68,
	RECORD_ID_INDEX = 69,
	RECORD_AUXTRACE = 71,
	RECORD_PART = 80,
	RECORD_COMPRESSED = 81,
	RECORD_COMPRESSED2 = 83,
};

/* ---- bytes ---- */

/* Room for at least one record behind what the feed holds. */
static int feed_room(struct perf *p, struct perf_feed *f)
{
	size_t rest = f->end - f->at;
	struct perf_chunk *next;

	if (f->chunk && PERF_CHUNK_BYTES - f->end >= 2 * RECORD_MOST)
		return 0;
	next = perf_window_chunk(&p->window, p->err);
	if (!next)
		return -1;
	if (rest)
		memcpy(next->bytes, f->chunk->bytes + f->at, rest);
	perf_window_filled(&p->window, f->chunk);
	f->chunk = next;
	f->offset += f->at;
	f->at = 0;
	f->end = rest;
	return 0;
}

/* Return: 1, 0 at the end, or -1. */
static int feed_read(struct perf *p)
{
	struct perf_feed *f = &p->file;
	uint64_t most;
	ssize_t got;

	if (feed_room(p, f))
		return -1;
	most = PERF_CHUNK_BYTES - f->end;
	if (most > p->left)
		most = p->left;
	do
		got = read(p->fd, f->chunk->bytes + f->end, most);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return ut_error_set(p->err, "%s: offset %llu: cannot read: %s", p->path,
				    (unsigned long long)f->offset + f->end, strerror(errno));
	f->end += (size_t)got;
	p->left -= (uint64_t)got;
	return got > 0;
}

/* ---- compressed records ---- */

struct packed {
	uint32_t size; /* in the file */
	uint32_t data; /* bytes of compressed data in it */
	uint64_t lump; /* bytes of the same lump that follow */
};

/*
 * How long a record with compressed data is. perf of Linux 6.16 and some after it wrote lengths
 * that do not fit into their fields: then the first record of a lump says, modulo 65536 and rounded
 * up, how long the lump is; each of the others has its own length, but not that of its data.
 * Return: whether it makes sense.
 */
static bool measure_packed(const struct perf *p, const uint8_t *record, struct packed *k)
{
	uint64_t size = perf_u16(record + 6), data = perf_u64(record + 8), all;

	k->lump = 0;
	k->size = (uint32_t)size;
	if (p->lump) {
		k->data = k->size - PACKED_HEADER;
		k->lump = p->lump - size;
		return perf_u32(record) == RECORD_COMPRESSED2 && size >= PACKED_HEADER &&
		       size <= p->lump;
	}
	if (size >= PACKED_HEADER && data <= size - PACKED_HEADER) {
		k->data = (uint32_t)data;
		return true;
	}
	if (data > UINT32_MAX)
		return false;
	all = PACKED_HEADER + data;
	k->data = data < PACKED_MOST ? (uint32_t)data : PACKED_MOST;
	k->size = PACKED_HEADER + k->data;
	k->lump = all - k->size;
	return (uint16_t)((all + 7) & ~7ull) == size;
}

static int walk_unpacked(struct perf *p)
{
	struct perf_feed *f = &p->unpacked;
	const uint8_t *record;
	uint32_t type, size;

	for (; f->end - f->at >= PERF_RECORD_HEADER; f->at += size) {
		record = f->chunk->bytes + f->at;
		type = perf_u32(record);
		size = perf_u16(record + 6);
		if (size < PERF_RECORD_HEADER || type >= RECORD_USER)
			return perf_damaged(p, perf_place(p),
					    "compressed data that are no records of the kernel's");
		if (f->end - f->at < size)
			break;
		if (perf_read_kernel(p, f->chunk, record, size, type))
			return -1;
	}
	return 0;
}

static int unpack(struct perf *p, const uint8_t *data, size_t size)
{
	struct perf_feed *f = &p->unpacked;
	ZSTD_inBuffer in = { data, size, 0 };
	ZSTD_outBuffer out;
	size_t rc;

	if (!p->zstd)
		p->zstd = ZSTD_createDCtx();
	if (!p->zstd)
		return perf_out_of_memory(p);
	do {
		if (feed_room(p, f))
			return -1;
		out = (ZSTD_outBuffer){ f->chunk->bytes, PERF_CHUNK_BYTES, f->end };
		rc = ZSTD_decompressStream(p->zstd, &out, &in);
		if (ZSTD_isError(rc))
			return perf_damaged(p, perf_place(p),
					    "compressed records that cannot be unpacked");
		f->end = out.pos;
		if (walk_unpacked(p))
			return -1;
	} while (in.pos < in.size || out.pos == out.size);
	return 0;
}

/* Return: 1 if it was read, 0 if more bytes are needed, or -1. */
static int read_packed(struct perf *p, const uint8_t *record, size_t there)
{
	struct packed k;

	if (there < PACKED_HEADER)
		return 0;
	if (!measure_packed(p, record, &k))
		return perf_damaged(p, perf_place(p),
				    "a length of compressed records that is wrong");
	if (there < k.size)
		return 0;
	if (unpack(p, record + PACKED_HEADER, k.data))
		return -1;
	p->lump = k.lump;
	p->file.at += k.size;
	return 1;
}

/* ---- records of perf's own ---- */

static int read_attr(struct perf *p, const uint8_t *record, uint32_t size)
{
	uint32_t attr_size =
		size >= PERF_RECORD_HEADER + PERF_ATTR_LEAST ? perf_u32(record + 12) : 0;
	const char *wrong;

	if (!attr_size)
		attr_size = PERF_ATTR_LEAST;
	if (attr_size < PERF_ATTR_LEAST || attr_size > size - PERF_RECORD_HEADER)
		return perf_damaged(p, perf_place(p), "attributes of an event that are too short");
	if (perf_add_event(p, record + PERF_RECORD_HEADER, attr_size, perf_place(p)))
		return -1;
	size -= PERF_RECORD_HEADER + attr_size;
	wrong = perf_events_add_ids(&p->events, record + PERF_RECORD_HEADER + attr_size, size / 8);
	return wrong ? perf_wrong(p, perf_place(p), wrong) : 0;
}

/* On which CPU each event was opened. */
static int read_id_index(struct perf *p, const uint8_t *record, uint32_t size)
{
	uint64_t n = size >= 16 ? perf_u64(record + 8) : UINT64_MAX;
	struct perf_id *id;

	if (n > (size - 16) / 32)
		return perf_damaged(p, perf_place(p), "a table of ids that is too short");
	for (uint64_t i = 0; i < n; i++) {
		id = perf_events_id(&p->events, perf_u64(record + 16 + 32 * i));
		if (id)
			id->cpu = (uint32_t)perf_u64(record + 16 + 32 * i + 16);
	}
	return 0;
}

static int begin_tracing(struct perf *p, const uint8_t *record, uint32_t size)
{
	if (size < 12)
		return perf_damaged(p, perf_place(p), "formats of events without a size");
	p->payload = perf_u32(record + 8);
	if (!p->payload || p->payload > PERF_TRACING_BYTES)
		return perf_damaged(p, perf_place(p), "formats of events of an impossible size");
	/* Its memory grows with what is really there. */
	p->tracing_room = 64u << 10;
	free(p->tracing);
	p->tracing = malloc(p->tracing_room);
	p->tracing_size = 0;
	p->tracing_offset = perf_place(p) + size;
	return p->tracing ? 0 : perf_out_of_memory(p);
}

static int begin_auxtrace(struct perf *p, const uint8_t *record, uint32_t size)
{
	if (size < 16)
		return perf_damaged(p, perf_place(p), "data of a processor's trace without a size");
	p->payload = perf_u64(record + 8);
	return 0;
}

static int finish_tracing(struct perf *p)
{
	int ret = perf_read_formats(p, p->tracing, p->tracing_size, p->tracing_offset);

	free(p->tracing);
	p->tracing = NULL;
	return ret;
}

static int add_tracing(struct perf *p, const uint8_t *data, size_t n)
{
	size_t room = p->tracing_room;
	uint8_t *bigger;

	while (room - p->tracing_size < n)
		room *= 2;
	if (room > p->tracing_room) {
		bigger = realloc(p->tracing, room);
		if (!bigger)
			return perf_out_of_memory(p);
		p->tracing = bigger;
		p->tracing_room = room;
	}
	memcpy(p->tracing + p->tracing_size, data, n);
	p->tracing_size += n;
	return 0;
}

/* As much as there is of what follows a record. */
static int take_payload(struct perf *p, struct perf_feed *f)
{
	uint64_t n = f->end - f->at;

	if (n > p->payload)
		n = p->payload;
	if (p->tracing && add_tracing(p, f->chunk->bytes + f->at, n))
		return -1;
	f->at += n;
	p->payload -= n;
	return !p->payload && p->tracing ? finish_tracing(p) : 0;
}

static int finish_round(struct perf *p)
{
	if (perf_end_gap(p))
		return -1;
	return perf_window_round(&p->window, p->err);
}

static int read_user(struct perf *p, const uint8_t *record, uint32_t size, uint32_t type)
{
	switch (type) {
	case RECORD_ATTR:
		return read_attr(p, record, size);
	case RECORD_TRACING_DATA:
		return begin_tracing(p, record, size);
	case RECORD_FINISHED_ROUND:
		return finish_round(p);
	case RECORD_ID_INDEX:
		return read_id_index(p, record, size);
	case RECORD_AUXTRACE:
		return begin_auxtrace(p, record, size);
	case RECORD_PART:
		if (size < 16)
			return perf_damaged(p, perf_place(p),
					    "a part of the header that is too short");
		return perf_read_part(p, perf_u64(record + 8), record + 16, size - 16,
				      perf_place(p) + 16);
	case RECORD_COMPRESSED:
		return unpack(p, record + PERF_RECORD_HEADER, size - PERF_RECORD_HEADER);
	default:
		return 0;
	}
}

/* ---- the records of a file ---- */

static int read_record(struct perf *p, const uint8_t *record, uint32_t size, uint32_t type)
{
	if (type >= RECORD_USER)
		return read_user(p, record, size, type);
	return perf_read_kernel(p, p->file.chunk, record, size, type);
}

/* Return: 0 if more bytes are needed, or -1. */
static int walk_file(struct perf *p)
{
	struct perf_feed *f = &p->file;
	const uint8_t *record;
	uint32_t type, size;
	int rc;

	for (;;) {
		if (p->payload && take_payload(p, f))
			return -1;
		if (p->payload || f->end - f->at < PERF_RECORD_HEADER)
			return 0;
		record = f->chunk->bytes + f->at;
		type = perf_u32(record);
		size = perf_u16(record + 6);
		if (type == RECORD_COMPRESSED2 || p->lump) {
			rc = read_packed(p, record, f->end - f->at);
			if (rc <= 0)
				return rc;
			continue;
		}
		if (size < PERF_RECORD_HEADER)
			return perf_damaged(p, perf_place(p), "a record that is too short");
		if (f->end - f->at < size)
			return 0;
		if (read_record(p, record, size, type))
			return -1;
		f->at += size;
	}
}

int perf_read_records(struct perf *p)
{
	int rc;

	while ((rc = feed_read(p)) > 0)
		if (walk_file(p))
			return -1;
	if (rc)
		return -1;
	if (p->file.at < p->file.end || p->payload || p->lump)
		perf_cut_short(p, perf_place(p), PERF_ENDS_EARLY);
	if (perf_end_gap(p) || perf_window_end(&p->window, p->err) || perf_tell_dropped(p))
		return -1;
	/* What perf's compressor had no room for when perf came to its end is not in the file. */
	if (p->unpacked.at < p->unpacked.end &&
	    p->sink->lost(p->sink->arg, p->window.now, IMPORT_NO_CPU, 0))
		return perf_sink_error(p);
	if (!*p->cut.text)
		return 0;
	if (p->err)
		*p->err = p->cut;
	return -1;
}
