// SPDX-License-Identifier: GPL-2.0-only
#include "import/tracedat_pages.h"

#include <stdlib.h>
#include <string.h>

typedef unsigned long long ull;

#define CHUNK_BYTES (4u << 20) /* of pages; trace-cmd compresses ten at a time */
#define CHUNK_HEAD 8

/* A page: time of its first record, bytes in use with two flags, records. See the kernel's
 * events/header_page and events/header_event. */
#define PAGE_HEAD 16
#define PAGE_USED 0x07ffffffu
#define PAGE_LOST (1u << 31)	   /* records are missing before this page */
#define PAGE_LOST_COUNT (1u << 30) /* and their number follows the page's records */

/* Length, in words; or what it is instead of a record. */
#define RECORD_LONG 0u
#define RECORD_PADDING 29u
#define RECORD_TIME_EXTEND 30u
#define RECORD_TIME_STAMP 31u
#define DELTA_SHIFT 5
#define EXTEND_SHIFT 27
#define STAMP_KEEPS (0xf8ull << 56) /* bits of the time that a time stamp has no room for */

static uint32_t word(const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

static uint64_t words(const uint8_t *at)
{
	uint64_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

static int damaged(const struct tracedat_pages *p, const char *what, struct ut_error *err)
{
	ut_error_set(err, "%s: before offset %llu: CPU %u: %s; the file is damaged: record again",
		     p->f->path, (ull)p->next, p->cpu->cpu, what);
	return -1;
}

static int reserve(uint8_t **bytes, size_t *room, size_t size)
{
	uint8_t *more;

	if (size <= *room)
		return 0;
	more = realloc(*bytes, size);
	if (!more)
		return -1;
	*bytes = more;
	*room = size;
	return 0;
}

/* ---- blocks ---- */

static int read_chunk(struct tracedat_pages *p, struct ut_error *err)
{
	uint32_t head[2];
	size_t got;

	if (p->end - p->next < CHUNK_HEAD)
		return damaged(p, "chunks end too early", err);
	if (tracedat_read_at(p->f, head, sizeof(head), p->next, err))
		return -1;
	p->next += CHUNK_HEAD;
	if (head[0] > p->end - p->next)
		return damaged(p, "a chunk ends too late", err);
	if (head[1] > CHUNK_BYTES || head[0] > ZSTD_compressBound(CHUNK_BYTES))
		return damaged(p, "a chunk of more than 4 MiB", err);
	if (reserve(&p->packed, &p->packed_room, head[0]) ||
	    reserve(&p->block, &p->block_room, head[1]))
		return ut_error_set(err, "%s: out of memory", p->f->path);
	if (tracedat_read_at(p->f, p->packed, head[0], p->next, err))
		return -1;
	got = ZSTD_decompressDCtx(p->zstd, p->block, head[1], p->packed, head[0]);
	if (ZSTD_isError(got))
		return damaged(p, "a chunk that cannot be decompressed", err);
	p->next += head[0];
	p->chunks--;
	p->block_size = got;
	return 1;
}

static int read_plain(struct tracedat_pages *p, struct ut_error *err)
{
	uint64_t left = p->end - p->next;
	size_t n = left < p->block_room ? (size_t)left : p->block_room;

	if (tracedat_read_at(p->f, p->block, n, p->next, err))
		return -1;
	p->next += n;
	p->block_size = n;
	return 1;
}

/* Return: 1 there is a page or more, 0 there are no more, -1 failure. */
static int next_block(struct tracedat_pages *p, struct ut_error *err)
{
	p->page = 0;
	if (p->cpu->compressed)
		return p->chunks ? read_chunk(p, err) : 0;
	return p->next < p->end ? read_plain(p, err) : 0;
}

/* ---- pages ---- */

static int next_page(struct tracedat_pages *p, struct ut_error *err)
{
	const uint8_t *page;
	uint32_t used;
	size_t bytes;
	int ret;

	while (p->block_size - p->page < PAGE_HEAD) {
		ret = next_block(p, err);
		if (ret <= 0)
			return ret;
	}
	page = p->block + p->page;
	bytes = p->block_size - p->page;
	if (bytes > p->cpu->page_bytes)
		bytes = p->cpu->page_bytes;
	p->page += bytes;
	p->time = words(page);
	used = word(page + 8);
	p->at = page + PAGE_HEAD;
	if ((used & PAGE_USED) > bytes - PAGE_HEAD)
		return damaged(p, "a page with more in it than it has room for", err);
	p->page_end = p->at + (used & PAGE_USED);
	if (used & PAGE_LOST) {
		p->lost_some = true;
		/* How many it was is told if there was room for that. */
		if (used & PAGE_LOST_COUNT && (size_t)(page + bytes - p->page_end) >= 8)
			p->lost += words(p->page_end);
	}
	return 1;
}

/*
 * What is next in the page, a record or something about time. Return: 1 a record, 0 something else, -1
 * failure.
 */
static int step(struct tracedat_pages *p, struct ut_error *err)
{
	size_t left = (size_t)(p->page_end - p->at), length;
	uint32_t head, kind, more;
	uint64_t delta;

	if (left < 4)
		return damaged(p, "a record that ends too late", err);
	head = word(p->at);
	kind = head & ((1u << DELTA_SHIFT) - 1);
	delta = head >> DELTA_SHIFT;
	p->at += 4;
	left -= 4;
	if (kind == RECORD_PADDING && !delta) {
		p->at = p->page_end;
		return 0;
	}
	if (kind == RECORD_LONG || kind >= RECORD_PADDING) {
		if (left < 4)
			return damaged(p, "a record that ends too late", err);
		more = word(p->at);
	} else {
		more = 0;
	}
	switch (kind) {
	case RECORD_TIME_EXTEND:
		p->time += ((uint64_t)more << EXTEND_SHIFT) + delta;
		p->at += 4;
		return 0;
	case RECORD_TIME_STAMP:
		p->time = (p->time & STAMP_KEEPS) | (((uint64_t)more << EXTEND_SHIFT) + delta);
		p->at += 4;
		return 0;
	case RECORD_PADDING:
	case RECORD_LONG:
		/* The length has itself in it. */
		length = more;
		if (length < 4 || length > left)
			return damaged(p, "a record that ends too late", err);
		length = (length + 3) & ~(size_t)3;
		break;
	default:
		length = kind * (size_t)4;
	}
	if (length > left)
		return damaged(p, "a record that ends too late", err);
	p->time += delta;
	p->data = kind == RECORD_LONG ? p->at + 4 : p->at;
	p->size = (uint32_t)(kind == RECORD_LONG ? length - 4 : length);
	p->at += length;
	return kind != RECORD_PADDING;
}

int tracedat_pages_next(struct tracedat_pages *p, struct ut_error *err)
{
	int ret;

	p->lost = 0;
	p->lost_some = false;
	for (;;) {
		if (p->at == p->page_end) {
			ret = next_page(p, err);
			if (ret <= 0)
				return ret;
			continue;
		}
		ret = step(p, err);
		if (ret)
			return ret;
	}
}

int tracedat_pages_open(struct tracedat_pages *p, const struct tracedat_file *f,
			const struct tracedat_cpu *cpu, ZSTD_DCtx *zstd, size_t ahead,
			struct ut_error *err)
{
	*p = (struct tracedat_pages){ .f = f,
				      .cpu = cpu,
				      .zstd = zstd,
				      .next = cpu->offset,
				      .end = cpu->offset + cpu->size };
	if (!cpu->compressed) {
		if (cpu->page_bytes > ahead)
			ahead = cpu->page_bytes;
		if (reserve(&p->block, &p->block_room, ahead - ahead % cpu->page_bytes))
			return ut_error_set(err, "%s: out of memory", f->path);
		return 0;
	}
	/* The size does not count the number of chunks, which stands first and says where they end. */
	p->end = f->size;
	if (tracedat_read_at(f, &p->chunks, sizeof(p->chunks), p->next, err))
		return -1;
	p->next += sizeof(p->chunks);
	return 0;
}

void tracedat_pages_close(struct tracedat_pages *p)
{
	free(p->block);
	free(p->packed);
	p->block = p->packed = NULL;
}
