/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The frame of a trace file: header, blocks, end. docs/trace-format.md describes every byte. Shared by
 * writer and reader; nobody else includes it.
 */
#ifndef UNSYNC_TRACE_FORMAT_H
#define UNSYNC_TRACE_FORMAT_H

#include <stdint.h>

/* A byte above 127, CR LF and a control character: text-mode transfers and 7-bit channels show. */
static const uint8_t ut_file_magic[8] = { 0x89, 'u', 't', 'r', '\r', '\n', 0x1a, '\n' };
#define UT_MAGIC_BYTES 8
#define UT_BLOCK_MAGIC 0x4b4c4255u   /* "UBLK" */
#define UT_END_MAGIC 0x444e4555u     /* "UEND" */
#define UT_TRAILER_MAGIC 0x4c525455u /* "UTRL" */

#define UT_FILE_HEADER_BYTES 20u /* magic, major, minor, mode, length of the text */
#define UT_BLOCK_HEADER_BYTES 48u
#define UT_END_HEADER_BYTES 16u
#define UT_SUMMARY_BYTES (8u * (5 + 256))
#define UT_INDEX_ENTRY_BYTES 24u
#define UT_TRAILER_BYTES 24u
#define UT_CHECKSUM_BYTES 8u

/* The index is thinned out, never longer than this: memory stays bounded, whatever the trace. */
#define UT_INDEX_ENTRIES 16384u

/* More than zstd makes of UT_BLOCK_BYTES at its worst. */
#define UT_COMPRESSED_BYTES (UT_BLOCK_BYTES + UT_BLOCK_BYTES / 64)

static inline void ut_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static inline void ut_put32(uint8_t *p, uint32_t v)
{
	ut_put16(p, (uint16_t)v);
	ut_put16(p + 2, (uint16_t)(v >> 16));
}

static inline void ut_put64(uint8_t *p, uint64_t v)
{
	ut_put32(p, (uint32_t)v);
	ut_put32(p + 4, (uint32_t)(v >> 32));
}

static inline uint16_t ut_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t ut_get32(const uint8_t *p)
{
	return ut_get16(p) | (uint32_t)ut_get16(p + 2) << 16;
}

static inline uint64_t ut_get64(const uint8_t *p)
{
	return ut_get32(p) | (uint64_t)ut_get32(p + 4) << 32;
}

#endif
