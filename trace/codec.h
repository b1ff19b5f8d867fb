/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Events to columns of bytes and back: what is inside a block before it is compressed. Writer and
 * reader only.
 */
#ifndef UNSYNC_TRACE_CODEC_H
#define UNSYNC_TRACE_CODEC_H

#include "trace/trace.h"

/* Columns of a block. The number is the position on disk: append only. */
enum ut_column {
	COL_MISC,	/* fields of rare events, texts, whatever no dictionary holds */
	COL_KIND,	/* one byte for each event */
	COL_SOURCE,	/* VM and vCPU where they change */
	COL_TIME_FAULT, /* size classes of time deltas, by the kind of the event */
	COL_TIME_WRITE,
	COL_TIME_OTHER,
	COL_FAULT,	 /* what is as predicted in a fault */
	COL_FAULT_SHAPE, /* error, levels and outcome, where not as predicted */
	COL_FAULT_GVA,	 /* size classes of address deltas */
	COL_WALK,	 /* which levels are not as predicted, and how */
	COL_WRITE,	 /* what is as predicted in a write */
	COL_WRITE_SHAPE, /* size and how known */
	COL_WRITE_PLACE, /* size classes of offsets and frames */
	COL_PAGE,	 /* what is as predicted in a shadow page */
	COL_PAGE_ROLE,
	COL_PAGE_GFN,
	COL_PAGE_RUN,	 /* lengths of runs of entries as predicted */
	COL_PAGE_VALUE,	 /* which prediction holds for the others */
	COL_CONTROL,	 /* register writes, INVLPG, INVPCID, A/D updates */
	COL_ENTRY_FLAGS, /* permission bits of entries that nothing predicted */
	COL_ENTRY_FRAME, /* size classes of their frame deltas */
	COL_CLOCK,	 /* time of the first event, unit of time */
	COL_BITS,	 /* the low bits of everything that has a size class */
	COL_COUNT
};

/* Either encodes or decodes, never both. */
struct ut_codec;

struct ut_codec *ut_codec_new(void);
void ut_codec_free(struct ut_codec *c);

/* What the block in hand holds: bytes before compression (at most), events, words of page content. */
size_t ut_encode_bytes(const struct ut_codec *c);
size_t ut_encode_events(const struct ut_codec *c);
size_t ut_encode_words(const struct ut_codec *c);

/**
 * ut_encode_begin() - start a block: forget everything
 */
void ut_encode_begin(struct ut_codec *c);

/**
 * ut_encode_event() - append an event that ut_event_check() has passed
 *
 * Return: 0, or -1 out of memory.
 */
int ut_encode_event(struct ut_codec *c, const struct ut_event *e);

/**
 * ut_encode_end() - finish the columns of the block
 *
 * Return: 0, or -1 out of memory.
 */
int ut_encode_end(struct ut_codec *c);

/**
 * ut_encode_column() - bytes of a column, after ut_encode_end(); owned by the codec
 */
const uint8_t *ut_encode_column(const struct ut_codec *c, enum ut_column col, size_t *len);

/**
 * ut_decode() - columns to events
 * @c: the codec; owns the events
 * @raw: decompressed block; texts point into it
 * @len: bytes
 * @count: events in it, as the block's header says; at most UT_BLOCK_EVENTS
 * @block: events, n and unknown are filled in
 *
 * Return: NULL, or a static text that says what is wrong with the block.
 */
const char *ut_decode(struct ut_codec *c, uint8_t *raw, size_t len, size_t count,
		      struct ut_block *block);

#endif
