// SPDX-License-Identifier: GPL-2.0-only
#include "trace/codec.h"
#include "trace/format.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#define READ_AHEAD (256u << 10)

enum reader_state { READING, AT_END, DAMAGED };

struct index_entry {
	uint64_t offset, last_ns;
};

struct ut_reader {
	FILE *in;
	char *path;
	char *buffer;	       /* of the stream */
	uint64_t offset, size; /* size 0: unknown */
	bool seekable;
	struct ut_header header;
	char *text; /* of the metadata; keys and values point into it */
	uint64_t first_block;

	enum reader_state state;
	struct ut_error error; /* DAMAGED: what next() says again */
	struct ut_error warning;
	bool has_warning;
	uint64_t skip_before; /* blocks that end before this time are stepped over */
	bool whole;	      /* nothing was stepped over: the summary's counts can be checked */
	uint64_t events, blocks;

	uint64_t end_offset; /* of the summary, if the trailer says; else 0 */
	bool has_summary;
	struct ut_summary sum;
	struct index_entry *index;
	size_t n_index;

	struct ut_codec *codec;
	ZSTD_DCtx *zstd;
	uint8_t *packed, *raw;
	size_t packed_room, raw_room;
};

/* ---- bytes ---- */

/* As many bytes as there are, up to len; -1 on a read error. */
static ssize_t read_some(struct ut_reader *r, void *to, size_t len, struct ut_error *err)
{
	size_t n = fread(to, 1, len, r->in);

	r->offset += n;
	if (n < len && ferror(r->in))
		return ut_error_set(err, "%s: offset %llu: cannot read: %s", r->path,
				    (unsigned long long)r->offset, strerror(errno));
	return (ssize_t)n;
}

static int go_to(struct ut_reader *r, uint64_t offset, struct ut_error *err)
{
	if (fseeko(r->in, (off_t)offset, SEEK_SET))
		return ut_error_set(err, "%s: cannot seek: %s", r->path, strerror(errno));
	r->offset = offset;
	return 0;
}

/* Room that follows what the file needs, so that memory stays in proportion. */
static bool make_room(uint8_t **buffer, size_t *room, size_t need)
{
	uint8_t *p;

	if (need <= *room)
		return true;
	p = realloc(*buffer, need);
	if (!p)
		return false;
	*buffer = p;
	*room = need;
	return true;
}

/* ---- header ---- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* \xHH back to bytes, in place; a zero byte stays spelled out. */
static void unescape(char *value)
{
	char *out = value;
	int byte;

	for (const char *p = value; *p; p++) {
		if (p[0] == '\\' && p[1] == 'x' && hex_digit(p[2]) >= 0 && hex_digit(p[3]) >= 0) {
			byte = hex_digit(p[2]) << 4 | hex_digit(p[3]);
			if (byte) {
				*out++ = (char)byte;
				p += 3;
				continue;
			}
		}
		*out++ = *p;
	}
	*out = '\0';
}

static int parse_meta(struct ut_reader *r, size_t len, struct ut_error *err)
{
	struct ut_meta *meta;
	size_t n = 0;
	char *line, *next, *equals;

	for (size_t i = 0; i < len; i++)
		n += r->text[i] == '\n';
	meta = calloc(n + 1, sizeof(*meta));
	if (!meta)
		return ut_error_set(err, "%s: out of memory", r->path);
	r->header.meta = meta;
	for (line = r->text; line < r->text + len; line = next) {
		next = memchr(line, '\n', (size_t)(r->text + len - line));
		equals = memchr(line, '=', (size_t)(r->text + len - line));
		if (!next || !equals || equals > next || memchr(line, '\0', (size_t)(next - line)))
			return ut_error_set(err,
					    "%s: offset %zu: metadata without sense; "
					    "the file was not written by unsync",
					    r->path,
					    UT_FILE_HEADER_BYTES + (size_t)(line - r->text));
		*next++ = '\0';
		*equals++ = '\0';
		unescape(equals);
		meta[r->header.n_meta++] = (struct ut_meta){ line, equals };
	}
	return 0;
}

static int not_a_trace(struct ut_reader *r, const uint8_t *head, size_t n, struct ut_error *err)
{
	if (n >= 4 && (!memcmp(head, ut_file_magic, 4) || !memcmp(head, "\x09utr", 4)))
		return ut_error_set(err,
				    "%s: offset 0: an unsync trace that was changed on its way, as "
				    "text-mode transfers do; fetch it again in binary mode",
				    r->path);
	if (!n)
		return ut_error_set(err,
				    "%s: offset 0: empty, not an unsync trace; record one with "
				    "'unsync record'",
				    r->path);
	return ut_error_set(
		err, "%s: offset 0: not an unsync trace; record one with 'unsync record'", r->path);
}

static int cut_header(struct ut_reader *r, struct ut_error *err)
{
	return ut_error_set(err,
			    "%s: offset %llu: cut off within the header: nothing can be read; "
			    "fetch or record it again",
			    r->path, (unsigned long long)r->offset);
}

static int check_version(struct ut_reader *r, struct ut_error *err)
{
	const struct ut_header *h = &r->header;

	if (h->major > UT_VERSION_MAJOR)
		return ut_error_set(err,
				    "%s: offset 8: format version %u.%u is newer than this unsync, "
				    "which reads %u.x; use a newer unsync",
				    r->path, h->major, h->minor, UT_VERSION_MAJOR);
	if (h->major < UT_VERSION_MAJOR)
		return ut_error_set(
			err,
			"%s: offset 8: format version %u.%u is not read by this unsync, "
			"which reads %u.x; record it again",
			r->path, h->major, h->minor, UT_VERSION_MAJOR);
	return 0;
}

static int read_header(struct ut_reader *r, struct ut_error *err)
{
	uint8_t head[UT_FILE_HEADER_BYTES] = { 0 }, sum[UT_CHECKSUM_BYTES] = { 0 };
	struct ut_header *h = &r->header;
	XXH64_state_t *hash;
	uint64_t have = 0;
	uint32_t len;
	ssize_t n = read_some(r, head, sizeof(head), err);

	if (n < 0)
		return -1;
	if (!n ||
	    memcmp(head, ut_file_magic, (size_t)n < UT_MAGIC_BYTES ? (size_t)n : UT_MAGIC_BYTES))
		return not_a_trace(r, head, (size_t)n, err);
	if ((size_t)n < sizeof(head))
		return cut_header(r, err);
	h->major = ut_get16(head + 8);
	h->minor = ut_get16(head + 10);
	h->mode = ut_get32(head + 12);
	len = ut_get32(head + 16);
	if (check_version(r, err))
		return -1;
	if (len > UT_HEADER_BYTES)
		return ut_error_set(err,
				    "%s: offset 16: damaged header: %u bytes of metadata; fetch it "
				    "again",
				    r->path, len);
	r->text = malloc(len + 1);
	hash = XXH64_createState();
	if (!r->text || !hash) {
		XXH64_freeState(hash);
		return ut_error_set(err, "%s: out of memory", r->path);
	}
	n = read_some(r, r->text, len, err);
	if (n == (ssize_t)len) {
		XXH64_reset(hash, 0);
		XXH64_update(hash, head, sizeof(head));
		XXH64_update(hash, r->text, len);
		have = XXH64_digest(hash);
		n = read_some(r, sum, sizeof(sum), err);
	}
	XXH64_freeState(hash);
	if (n < 0)
		return -1;
	if (r->offset != sizeof(head) + len + sizeof(sum))
		return cut_header(r, err);
	if (have != ut_get64(sum))
		return ut_error_set(err,
				    "%s: offset 0: damaged header: the checksum does not match; "
				    "fetch it again",
				    r->path);
	if (h->mode != UT_MODE_NATIVE && h->mode != UT_MODE_EXACT)
		return ut_error_set(err,
				    "%s: offset 12: a kind of capture that this unsync does not "
				    "know (%u); use a newer one",
				    r->path, h->mode);
	r->first_block = r->offset;
	return parse_meta(r, len, err);
}

const char *ut_header_get(const struct ut_header *h, const char *key)
{
	for (size_t i = 0; i < h->n_meta; i++) {
		if (!strcmp(h->meta[i].key, key))
			return h->meta[i].value;
	}
	return NULL;
}

/* ---- summary and index ---- */

static void parse_summary(struct ut_reader *r, const uint8_t *p, uint64_t at)
{
	struct ut_summary *s = &r->sum;

	s->events = ut_get64(p);
	s->blocks = ut_get64(p + 8);
	s->lost = ut_get64(p + 16);
	s->first_ns = ut_get64(p + 24);
	s->last_ns = ut_get64(p + 32);
	for (size_t i = 0; i <= UT_KIND_MAX; i++)
		s->kinds[i] = ut_get64(p + 40 + 8 * i);
	r->has_summary = true;
	r->end_offset = at;
}

/* Offsets must lie between header and end, and rise. */
static bool parse_index(struct ut_reader *r, const uint8_t *p, size_t n, uint64_t end)
{
	uint64_t before = r->first_block;
	struct index_entry *e;

	free(r->index);
	r->n_index = 0;
	r->index = malloc((n + 1) * sizeof(*r->index));
	if (!r->index)
		return false;
	for (size_t i = 0; i < n; i++, p += UT_INDEX_ENTRY_BYTES) {
		e = &r->index[i];
		e->offset = ut_get64(p);
		e->last_ns = ut_get64(p + 16);
		if (e->offset < before || e->offset >= end)
			return false;
		before = e->offset + 1;
	}
	r->n_index = n;
	return true;
}

/* The end section at @at, its magic already read into @head. False if damaged or cut off. */
static bool read_end(struct ut_reader *r, uint64_t at, uint8_t head[UT_END_HEADER_BYTES])
{
	uint8_t *section;
	size_t body, n, len;
	bool good = false;

	if (ut_get32(head) != UT_END_MAGIC ||
	    read_some(r, head + 4, UT_END_HEADER_BYTES - 4, NULL) != UT_END_HEADER_BYTES - 4)
		return false;
	body = ut_get32(head + 4);
	n = ut_get32(head + 8);
	if (n > UT_INDEX_ENTRIES || body != UT_SUMMARY_BYTES + n * UT_INDEX_ENTRY_BYTES)
		return false;
	len = UT_END_HEADER_BYTES + body;
	section = malloc(len + UT_CHECKSUM_BYTES);
	if (!section)
		return false;
	memcpy(section, head, UT_END_HEADER_BYTES);
	if (read_some(r, section + UT_END_HEADER_BYTES, body + UT_CHECKSUM_BYTES, NULL) !=
	    (ssize_t)(body + UT_CHECKSUM_BYTES))
		goto out;
	if (XXH64(section, len, 0) != ut_get64(section + len))
		goto out;
	if (!parse_index(r, section + UT_END_HEADER_BYTES + UT_SUMMARY_BYTES, n, at))
		goto out;
	parse_summary(r, section + UT_END_HEADER_BYTES, at);
	good = true;
out:
	free(section);
	return good;
}

static bool trailer_is_good(const uint8_t *t)
{
	return ut_get32(t) == UT_TRAILER_MAGIC && ut_get64(t + 16) == XXH64(t, 16, 0);
}

/* A file that can seek has its end looked at first, and is put back to the first block. */
static int find_end(struct ut_reader *r, struct ut_error *err)
{
	uint8_t trailer[UT_TRAILER_BYTES] = { 0 }, head[UT_END_HEADER_BYTES] = { 0 };
	uint64_t at, last = r->size - UT_TRAILER_BYTES;

	if (r->size < r->first_block + UT_TRAILER_BYTES)
		return 0;
	if (go_to(r, last, err))
		return -1;
	if (read_some(r, trailer, sizeof(trailer), NULL) == sizeof(trailer) &&
	    trailer_is_good(trailer)) {
		at = ut_get64(trailer + 8);
		if (at >= r->first_block && at < last && last - at == ut_get32(trailer + 4)) {
			r->end_offset = at;
			if (go_to(r, at, err))
				return -1;
			if (read_some(r, head, 4, NULL) == 4)
				read_end(r, at, head);
		}
	}
	return go_to(r, r->first_block, err);
}

/* ---- opening ---- */

struct ut_reader *ut_reader_open(const char *path, struct ut_error *err)
{
	bool standard = !strcmp(path, "-");
	struct ut_reader *r = calloc(1, sizeof(*r));
	struct stat st;
	int fd;

	if (!r)
		goto no_memory;
	r->path = strdup(standard ? "standard input" : path);
	r->buffer = malloc(READ_AHEAD);
	r->codec = ut_codec_new();
	r->zstd = ZSTD_createDCtx();
	if (!r->path || !r->buffer || !r->codec || !r->zstd)
		goto no_memory;
	r->whole = true;
	fd = standard ? dup(STDIN_FILENO) : -1;
	r->in = standard ? (fd < 0 ? NULL : fdopen(fd, "rb")) : fopen(path, "rbe");
	if (!r->in) {
		ut_error_set(err, "%s: cannot open: %s", r->path, strerror(errno));
		goto fail;
	}
	setvbuf(r->in, r->buffer, _IOFBF, READ_AHEAD);
	if (!standard && !fstat(fileno(r->in), &st) && S_ISREG(st.st_mode)) {
		r->seekable = true;
		r->size = (uint64_t)st.st_size;
	}
	if (read_header(r, err) || (r->seekable && find_end(r, err)))
		goto fail;
	return r;
no_memory:
	ut_error_set(err, "%s: out of memory", path);
fail:
	ut_reader_close(r);
	return NULL;
}

void ut_reader_close(struct ut_reader *r)
{
	if (!r)
		return;
	if (r->in)
		fclose(r->in);
	ut_codec_free(r->codec);
	ZSTD_freeDCtx(r->zstd);
	free((void *)r->header.meta);
	free(r->text);
	free(r->index);
	free(r->packed);
	free(r->raw);
	free(r->buffer);
	free(r->path);
	free(r);
}

const struct ut_header *ut_reader_header(const struct ut_reader *r)
{
	return &r->header;
}

const struct ut_summary *ut_reader_summary(const struct ut_reader *r)
{
	return r->has_summary ? &r->sum : NULL;
}

const char *ut_reader_warning(const struct ut_reader *r)
{
	return r->has_warning ? r->warning.text : NULL;
}

void ut_reader_progress(const struct ut_reader *r, uint64_t *done, uint64_t *total)
{
	*done = r->offset;
	*total = r->size;
}

/* ---- blocks ---- */

struct block_header {
	uint32_t packed, raw, events;
	uint64_t last_ns, checksum;
};

/* The blocks end here, with something to say about the rest of the file. */
static int end_with_warning(struct ut_reader *r, uint64_t offset, const char *what)
{
	r->state = AT_END;
	r->has_warning = true;
	ut_error_set(&r->warning, "%s: offset %llu: %s", r->path, (unsigned long long)offset, what);
	return 0;
}

static int damaged(struct ut_reader *r, uint64_t offset, const char *what, struct ut_error *err)
{
	r->state = DAMAGED;
	ut_error_set(&r->error,
		     "%s: offset %llu: damaged: %s; the %llu events before it are good, what "
		     "follows is not read",
		     r->path, (unsigned long long)offset, what, (unsigned long long)r->events);
	if (err)
		*err = r->error;
	return -1;
}

static int cut_off(struct ut_reader *r, uint64_t at)
{
	return end_with_warning(
		r, at,
		r->offset == at
			? "cut off: the capture did not finish; all blocks written are read"
			: "cut off within a block, which is left out; the capture did not finish");
}

/* At the end section: the sequential way there tells whether blocks are missing. */
static int finish(struct ut_reader *r, uint64_t at, uint8_t *magic)
{
	uint8_t head[UT_END_HEADER_BYTES], trailer[UT_TRAILER_BYTES] = { 0 }, more;

	memcpy(head, magic, 4);
	if (!read_end(r, at, head))
		return end_with_warning(r, at,
					"the index at the end is damaged or cut off; the events "
					"are all there");
	if (read_some(r, trailer, sizeof(trailer), NULL) != sizeof(trailer) ||
	    !trailer_is_good(trailer) || ut_get64(trailer + 8) != at ||
	    ut_get32(trailer + 4) != r->offset - UT_TRAILER_BYTES - at)
		return end_with_warning(r, r->offset,
					"the trailer is damaged or cut off; the events are "
					"all there");
	if (read_some(r, &more, 1, NULL) != 0)
		return end_with_warning(r, r->offset - 1,
					"there are bytes behind the end, which are not "
					"read");
	if (r->whole && (r->events != r->sum.events || r->blocks != r->sum.blocks))
		return end_with_warning(r, at,
					"blocks are missing: fewer or more events than the "
					"summary says");
	r->state = AT_END;
	return 0;
}

/* 1: a block header; 0: the end was reached; -1: damage. */
static int next_header(struct ut_reader *r, struct block_header *h, struct ut_error *err)
{
	uint8_t head[UT_BLOCK_HEADER_BYTES] = { 0 };
	uint64_t at = r->offset;
	ssize_t n;

	n = read_some(r, head, 4, err);
	if (n < 0)
		return -1;
	if (n < 4) /* too short to tell what it was to be */
		return cut_off(r, at);
	/* Where the trailer says, an end may be damaged; but what is a block is read. */
	if (ut_get32(head) == UT_END_MAGIC ||
	    (r->end_offset && at == r->end_offset && ut_get32(head) != UT_BLOCK_MAGIC))
		return finish(r, at, head);
	if (ut_get32(head) != UT_BLOCK_MAGIC)
		return damaged(r, at, "neither a block nor the end is here", err);
	n = read_some(r, head + 4, sizeof(head) - 4, err);
	if (n < 0)
		return -1;
	if (n < (ssize_t)sizeof(head) - 4)
		return cut_off(r, at);
	if (ut_get64(head + 40) != XXH64(head, 40, 0))
		return damaged(r, at, "the checksum of a block's header does not match", err);
	h->packed = ut_get32(head + 4);
	h->raw = ut_get32(head + 8);
	h->events = ut_get32(head + 12);
	h->last_ns = ut_get64(head + 24);
	h->checksum = ut_get64(head + 32);
	if (!h->packed || h->packed > UT_COMPRESSED_BYTES || !h->raw || h->raw > UT_BLOCK_BYTES ||
	    !h->events || h->events > UT_BLOCK_EVENTS)
		return damaged(r, at, "a block larger than allowed", err);
	return 1;
}

/* Decompress and decode what the header announces. Returns NULL, or what is wrong. */
static const char *unpack(struct ut_reader *r, const struct block_header *h, struct ut_block *block)
{
	size_t len;

	if (XXH64(r->packed, h->packed, 0) != h->checksum)
		return "the checksum of a block does not match";
	if (ZSTD_getFrameContentSize(r->packed, h->packed) != h->raw)
		return "a block that does not unpack to the size announced";
	if (!make_room(&r->raw, &r->raw_room, h->raw))
		return "out of memory";
	len = ZSTD_decompressDCtx(r->zstd, r->raw, h->raw, r->packed, h->packed);
	if (ZSTD_isError(len) || len != h->raw)
		return "a block that does not unpack to the size announced";
	return ut_decode(r->codec, r->raw, len, h->events, block);
}

/* 1: the block's packed bytes are in memory; 0: cut off; -1: error. */
static int load(struct ut_reader *r, uint64_t at, const struct block_header *h,
		struct ut_error *err)
{
	ssize_t n;

	if (!make_room(&r->packed, &r->packed_room, h->packed))
		return ut_error_set(err, "%s: out of memory", r->path);
	n = read_some(r, r->packed, h->packed, err);
	if (n < 0)
		return -1;
	return n < (ssize_t)h->packed ? cut_off(r, at) : 1;
}

int ut_reader_next(struct ut_reader *r, struct ut_block *block, struct ut_error *err)
{
	struct block_header h;
	uint64_t at;
	const char *wrong;
	int ret;

	if (r->state == AT_END)
		return 0;
	if (r->state == DAMAGED) {
		if (err)
			*err = r->error;
		return -1;
	}
	for (;;) {
		at = r->offset;
		ret = next_header(r, &h, err);
		if (ret <= 0)
			return ret;
		if (h.last_ns >= r->skip_before || !r->seekable || at + h.packed > r->size)
			break;
		if (go_to(r, r->offset + h.packed, err))
			return -1;
	}
	ret = load(r, at, &h, err);
	if (ret <= 0)
		return ret;
	memset(block, 0, sizeof(*block));
	block->offset = at;
	wrong = unpack(r, &h, block);
	if (wrong)
		return damaged(r, at, wrong, err);
	r->events += block->n + block->unknown;
	r->blocks++;
	return 1;
}

static int restart_at(struct ut_reader *r, uint64_t offset, struct ut_error *err)
{
	if (!r->seekable)
		return ut_error_set(err, "%s: cannot seek; give a file, not a pipe", r->path);
	if (go_to(r, offset, err))
		return -1;
	r->state = READING;
	r->has_warning = false;
	r->skip_before = 0;
	r->whole = offset == r->first_block;
	r->events = 0;
	r->blocks = 0;
	return 0;
}

int ut_reader_rewind(struct ut_reader *r, struct ut_error *err)
{
	return restart_at(r, r->first_block, err);
}

int ut_reader_seek_time(struct ut_reader *r, uint64_t ns, struct ut_error *err)
{
	uint64_t at = r->end_offset;

	if (!r->seekable || !r->n_index)
		return 0;
	for (size_t i = 0; i < r->n_index; i++) {
		if (r->index[i].last_ns >= ns) {
			at = r->index[i].offset;
			break;
		}
	}
	if (restart_at(r, at, err))
		return -1;
	r->skip_before = ns;
	r->whole = false;
	return 0;
}
