// SPDX-License-Identifier: GPL-2.0-only
#include "trace/codec.h"
#include "trace/format.h"
#include "trace/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

/* The columns leave little to find: slower levels gain a few percent only. */
#define DEFAULT_LEVEL 3

/* Columns shorter than this share their entropy tables with the next. */
#define OWN_TABLES 1024

/* Bytes that one event takes at most, its text aside: every word of a page spelled out. */
#define EVENT_BYTES (64u + 32u * UT_TABLE_ENTRIES)

struct index_entry {
	uint64_t offset, first_ns, last_ns;
};

struct ut_writer {
	int fd;
	char *path;
	struct ut_codec *codec;
	ZSTD_CCtx *zstd;
	uint8_t *out; /* header and compressed columns of a block */
	uint64_t offset;
	uint64_t first_ns, last_ns; /* of the block in hand */
	struct ut_summary sum;
	struct index_entry *index;
	size_t n_index;
	uint64_t stride; /* blocks for each index entry */
	struct ut_error error;
	bool broken;
};

static int fail(struct ut_writer *w, struct ut_error *err)
{
	w->broken = true;
	if (err)
		*err = w->error;
	return -1;
}

static int write_all(struct ut_writer *w, const void *bytes, size_t len, struct ut_error *err)
{
	const uint8_t *p = bytes;
	ssize_t n;

	while (len) {
		n = write(w->fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			ut_error_set(&w->error, "%s: offset %llu: cannot write: %s%s", w->path,
				     (unsigned long long)w->offset, strerror(n ? errno : ENOSPC),
				     !n || errno == ENOSPC ? "; make room and record again" : "");
			return fail(w, err);
		}
		p += n;
		len -= (size_t)n;
		w->offset += (uint64_t)n;
	}
	return 0;
}

/* ---- header ---- */

static bool key_is_good(const char *key)
{
	return *key && strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789_.") == strlen(key);
}

/*
 * Values keep every byte: what is no printable UTF-8 becomes \xHH, a backslash too. Returns the end of
 * the text, or NULL if there is no room.
 */
static char *put_value(char *p, const char *end, const char *value)
{
	static const char hex[] = "0123456789abcdef";
	size_t left = strlen(value), n;

	for (; left; value += n, left -= n) {
		unsigned char byte = (unsigned char)*value;

		if (end - p < 5)
			return NULL;
		n = ut_utf8_length(value, left);
		if (n && byte >= 0x20 && byte != 0x7f && byte != '\\') {
			memcpy(p, value, n);
			p += n;
			continue;
		}
		n = 1;
		*p++ = '\\';
		*p++ = 'x';
		*p++ = hex[byte >> 4];
		*p++ = hex[byte & 15];
	}
	return p;
}

static char *put_meta(char *p, const char *end, const struct ut_meta *meta)
{
	size_t len = strlen(meta->key);

	if ((size_t)(end - p) < len + 2)
		return NULL;
	memcpy(p, meta->key, len);
	p += len;
	*p++ = '=';
	p = put_value(p, end - 1, meta->value);
	if (p)
		*p++ = '\n';
	return p;
}

static int write_header(struct ut_writer *w, const struct ut_header *h, struct ut_error *err)
{
	size_t room = UT_FILE_HEADER_BYTES + UT_HEADER_BYTES, len;
	uint8_t *head = malloc(room + UT_CHECKSUM_BYTES);
	char *text, *p;
	int ret = -1;

	if (!head)
		return ut_error_set(err, "%s: out of memory", w->path);
	p = text = (char *)head + UT_FILE_HEADER_BYTES;
	for (size_t i = 0; i < h->n_meta; i++) {
		if (!key_is_good(h->meta[i].key)) {
			ut_error_set(err, "%s: metadata key '%s' is not of a-z 0-9 _ .", w->path,
				     h->meta[i].key);
			goto out;
		}
		p = put_meta(p, (char *)head + room, &h->meta[i]);
		if (!p) {
			ut_error_set(err, "%s: metadata of more than %u bytes; shorten '%s'",
				     w->path, UT_HEADER_BYTES, h->meta[i].key);
			goto out;
		}
	}
	memcpy(head, ut_file_magic, UT_MAGIC_BYTES);
	ut_put16(head + 8, UT_VERSION_MAJOR);
	ut_put16(head + 10, UT_VERSION_MINOR);
	ut_put32(head + 12, h->mode);
	ut_put32(head + 16, (uint32_t)(p - text));
	len = (size_t)(p - (char *)head);
	ut_put64(head + len, XXH64(head, len, 0));
	ret = write_all(w, head, len + UT_CHECKSUM_BYTES, err);
out:
	free(head);
	return ret;
}

/* ---- opening ---- */

/*
 * Where the file is if @path is a link to it, so that what holds for a file holds for that one.
 * Returns NULL without memory.
 */
static char *follow(const char *path)
{
	char *where = realpath(path, NULL);

	return where ? where : strdup(path);
}

static int open_output(const char *path, struct ut_error *err)
{
	int fd, how = O_EXCL;
	struct stat st;

	if (!strcmp(path, "-")) {
		fd = dup(STDOUT_FILENO);
		if (fd < 0)
			ut_error_set(err, "standard output: %s", strerror(errno));
		return fd;
	}
	/* A new inode: an old file, or whoever has it open, keeps its own content and permissions. */
	if (!lstat(path, &st)) {
		if (!S_ISREG(st.st_mode)) {
			how = O_TRUNC; /* a device, or what has no name but this */
		} else if (unlink(path)) {
			ut_error_set(err, "%s: cannot replace: %s", path, strerror(errno));
			return -1;
		}
	}
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | how, 0600);
	if (fd < 0)
		ut_error_set(err, "%s: cannot create: %s", path, strerror(errno));
	return fd;
}

static void writer_free(struct ut_writer *w)
{
	if (w->fd >= 0)
		close(w->fd);
	ut_codec_free(w->codec);
	ZSTD_freeCCtx(w->zstd);
	free(w->out);
	free(w->index);
	free(w->path);
	free(w);
}

/* All that can fail before a file is touched. */
static struct ut_writer *writer_new(const char *name, const struct ut_header *header,
				    struct ut_error *err)
{
	struct ut_writer *w = calloc(1, sizeof(*w));

	if (!w) {
		ut_error_set(err, "%s: out of memory", name);
		return NULL;
	}
	w->fd = -1;
	w->stride = 1;
	w->path = strdup(!strcmp(name, "-") ? "standard output" : name);
	w->codec = ut_codec_new();
	w->zstd = ZSTD_createCCtx();
	w->out = malloc(UT_BLOCK_HEADER_BYTES + UT_COMPRESSED_BYTES);
	w->index = malloc(UT_INDEX_ENTRIES * sizeof(*w->index));
	if (!w->path || !w->codec || !w->zstd || !w->out || !w->index) {
		ut_error_set(err, "%s: out of memory", name);
	} else if (header->mode != UT_MODE_NATIVE && header->mode != UT_MODE_EXACT) {
		ut_error_set(err, "%s: a trace must be native or exact", name);
	} else {
		ut_encode_begin(w->codec);
		ut_writer_set_level(w, DEFAULT_LEVEL);
		return w;
	}
	writer_free(w);
	return NULL;
}

struct ut_writer *ut_writer_open(const char *path, const struct ut_header *header,
				 struct ut_error *err)
{
	struct ut_writer *w = writer_new(path, header, err);
	char *where = follow(path);
	struct stat st;

	if (!w || !where) {
		ut_error_set(w ? err : NULL, "%s: out of memory", path);
		goto fail;
	}
	w->fd = open_output(strcmp(path, "-") ? where : path, err);
	if (w->fd < 0)
		goto fail;
	if (!write_header(w, header, err)) {
		free(where);
		return w;
	}
	/* Nothing half written stays; devices and pipes do. */
	if (!fstat(w->fd, &st) && S_ISREG(st.st_mode) && strcmp(path, "-"))
		unlink(where);
fail:
	free(where);
	if (w)
		writer_free(w);
	return NULL;
}

struct ut_writer *ut_writer_attach(int fd, const char *name, const struct ut_header *header,
				   struct ut_error *err)
{
	struct ut_writer *w = writer_new(name, header, err);

	if (!w) {
		close(fd);
		return NULL;
	}
	w->fd = fd;
	if (!write_header(w, header, err))
		return w;
	writer_free(w);
	return NULL;
}

void ut_writer_set_level(struct ut_writer *w, int level)
{
	ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, level);
}

/* ---- blocks ---- */

static bool squeeze(struct ut_writer *w, ZSTD_outBuffer *out, const uint8_t *bytes, size_t len,
		    ZSTD_EndDirective how)
{
	ZSTD_inBuffer in = { bytes, len, 0 };
	size_t left;

	do {
		left = ZSTD_compressStream2(w->zstd, out, &in, how);
		if (ZSTD_isError(left))
			return false;
	} while (in.pos < in.size || (how != ZSTD_e_continue && left));
	return true;
}

/* One zstd frame; each column of some length starts a zstd block, with entropy tables of its own. */
static size_t compress_columns(struct ut_writer *w, size_t *raw)
{
	uint8_t head[1 + 4 * COL_COUNT] = { COL_COUNT };
	ZSTD_outBuffer out = { w->out + UT_BLOCK_HEADER_BYTES, UT_COMPRESSED_BYTES, 0 };
	const uint8_t *bytes;
	size_t len, pending = sizeof(head);

	*raw = sizeof(head);
	for (unsigned int i = 0; i < COL_COUNT; i++) {
		ut_encode_column(w->codec, i, &len);
		ut_put32(head + 1 + 4 * i, (uint32_t)len);
		*raw += len;
	}
	ZSTD_CCtx_reset(w->zstd, ZSTD_reset_session_only);
	ZSTD_CCtx_setPledgedSrcSize(w->zstd, *raw);
	if (!squeeze(w, &out, head, sizeof(head), ZSTD_e_continue))
		return 0;
	for (unsigned int i = 0; i < COL_COUNT; i++) {
		bytes = ut_encode_column(w->codec, i, &len);
		if (len >= OWN_TABLES && pending) {
			if (!squeeze(w, &out, NULL, 0, ZSTD_e_flush))
				return 0;
			pending = 0;
		}
		if (len && !squeeze(w, &out, bytes, len, ZSTD_e_continue))
			return 0;
		pending += len;
	}
	return squeeze(w, &out, NULL, 0, ZSTD_e_end) ? out.pos : 0;
}

static void index_add(struct ut_writer *w, uint64_t offset)
{
	struct index_entry *last;

	if (w->sum.blocks % w->stride) {
		last = &w->index[w->n_index - 1];
		if (w->first_ns < last->first_ns)
			last->first_ns = w->first_ns;
		if (w->last_ns > last->last_ns)
			last->last_ns = w->last_ns;
		return;
	}
	if (w->n_index == UT_INDEX_ENTRIES) {
		/* Two entries become one: half the resolution, the same memory. */
		for (size_t i = 0; i < w->n_index; i += 2) {
			const struct index_entry *a = &w->index[i], *b = &w->index[i + 1];

			w->index[i / 2] = (struct index_entry){
				a->offset, a->first_ns < b->first_ns ? a->first_ns : b->first_ns,
				a->last_ns > b->last_ns ? a->last_ns : b->last_ns
			};
		}
		w->n_index /= 2;
		w->stride *= 2;
	}
	w->index[w->n_index++] = (struct index_entry){ offset, w->first_ns, w->last_ns };
}

int ut_writer_flush(struct ut_writer *w, struct ut_error *err)
{
	uint64_t offset = w->offset;
	size_t raw, len, n = ut_encode_events(w->codec);
	uint8_t *p = w->out;

	if (w->broken)
		return fail(w, err);
	if (!n)
		return 0;
	len = ut_encode_end(w->codec) ? 0 : compress_columns(w, &raw);
	if (!len) {
		ut_error_set(&w->error, "%s: offset %llu: cannot compress a block: out of memory",
			     w->path, (unsigned long long)w->offset);
		return fail(w, err);
	}
	ut_put32(p, UT_BLOCK_MAGIC);
	ut_put32(p + 4, (uint32_t)len);
	ut_put32(p + 8, (uint32_t)raw);
	ut_put32(p + 12, (uint32_t)n);
	ut_put64(p + 16, w->first_ns);
	ut_put64(p + 24, w->last_ns);
	ut_put64(p + 32, XXH64(p + UT_BLOCK_HEADER_BYTES, len, 0));
	ut_put64(p + 40, XXH64(p, 40, 0));
	if (write_all(w, p, UT_BLOCK_HEADER_BYTES + len, err))
		return -1;
	index_add(w, offset);
	w->sum.blocks++;
	ut_encode_begin(w->codec);
	return 0;
}

/* Does the event still fit into the block in hand? */
static bool fits(const struct ut_writer *w, const struct ut_event *e)
{
	size_t text =
		e->kind == UT_VM || e->kind == UT_MARK || e->kind == UT_STAT ? e->text.len : 0;
	size_t words = e->kind == UT_PAGE_NEW ? UT_TABLE_ENTRIES : 0;

	return ut_encode_events(w->codec) < UT_BLOCK_EVENTS &&
	       ut_encode_bytes(w->codec) + EVENT_BYTES + text <= UT_BLOCK_BYTES &&
	       ut_encode_words(w->codec) + words <= UT_BLOCK_WORDS;
}

static void count(struct ut_summary *s, const struct ut_event *e)
{
	if (!s->events || e->time < s->first_ns)
		s->first_ns = e->time;
	if (!s->events || e->time > s->last_ns)
		s->last_ns = e->time;
	s->events++;
	s->kinds[e->kind]++;
	if (e->kind == UT_LOST)
		s->lost += e->lost.count;
}

int ut_writer_add(struct ut_writer *w, const struct ut_event *e, struct ut_error *err)
{
	const char *wrong = ut_event_check(e);

	if (w->broken)
		return fail(w, err);
	if (wrong)
		return ut_error_set(err, "%s: event %llu (%s) is not well formed: %s", w->path,
				    (unsigned long long)w->sum.events, ut_kind_name(e->kind),
				    wrong);
	if (!fits(w, e) && ut_writer_flush(w, err))
		return -1;
	if (!ut_encode_events(w->codec)) {
		w->first_ns = e->time;
		w->last_ns = e->time;
	}
	if (e->time < w->first_ns)
		w->first_ns = e->time;
	if (e->time > w->last_ns)
		w->last_ns = e->time;
	if (ut_encode_event(w->codec, e)) {
		ut_error_set(&w->error, "%s: out of memory", w->path);
		return fail(w, err);
	}
	count(&w->sum, e);
	return 0;
}

uint64_t ut_writer_bytes(const struct ut_writer *w)
{
	return w->offset;
}

/* Bytes of the end of the file, with an index of @entries. */
static size_t end_bytes(size_t entries)
{
	return UT_END_HEADER_BYTES + UT_SUMMARY_BYTES + entries * UT_INDEX_ENTRY_BYTES +
	       UT_CHECKSUM_BYTES + UT_TRAILER_BYTES;
}

uint64_t ut_writer_bound(const struct ut_writer *w)
{
	size_t raw = ut_encode_bytes(w->codec);

	/* What zstd adds at its worst, as for a whole block; it may begin a block at each column. */
	return w->offset + UT_BLOCK_HEADER_BYTES + raw + raw / 64 + 16u * COL_COUNT + 512 +
	       end_bytes(w->n_index + 1);
}

/* ---- end ---- */

/* Counts by kind, then the index. */
static uint8_t *put_end(const struct ut_writer *w, uint8_t *p)
{
	const struct ut_summary *s = &w->sum;
	const uint64_t fields[] = { s->events, s->blocks, s->lost, s->first_ns, s->last_ns };

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++, p += 8)
		ut_put64(p, fields[i]);
	for (size_t i = 0; i <= UT_KIND_MAX; i++, p += 8)
		ut_put64(p, s->kinds[i]);
	for (size_t i = 0; i < w->n_index; i++, p += UT_INDEX_ENTRY_BYTES) {
		ut_put64(p, w->index[i].offset);
		ut_put64(p + 8, w->index[i].first_ns);
		ut_put64(p + 16, w->index[i].last_ns);
	}
	return p;
}

static int write_end(struct ut_writer *w, struct ut_error *err)
{
	size_t body = UT_SUMMARY_BYTES + w->n_index * UT_INDEX_ENTRY_BYTES;
	size_t len = UT_END_HEADER_BYTES + body + UT_CHECKSUM_BYTES;
	uint8_t *end = malloc(len + UT_TRAILER_BYTES), *trailer = end + len;
	int ret;

	if (!end)
		return ut_error_set(err, "%s: out of memory", w->path);
	ut_put32(end, UT_END_MAGIC);
	ut_put32(end + 4, (uint32_t)body);
	ut_put32(end + 8, (uint32_t)w->n_index);
	ut_put32(end + 12, 0);
	put_end(w, end + UT_END_HEADER_BYTES);
	ut_put64(trailer - UT_CHECKSUM_BYTES, XXH64(end, len - UT_CHECKSUM_BYTES, 0));
	ut_put32(trailer, UT_TRAILER_MAGIC);
	ut_put32(trailer + 4, (uint32_t)len);
	ut_put64(trailer + 8, w->offset);
	ut_put64(trailer + 16, XXH64(trailer, 16, 0));
	ret = write_all(w, end, len + UT_TRAILER_BYTES, err);
	free(end);
	return ret;
}

int ut_writer_close(struct ut_writer *w, struct ut_error *err)
{
	int ret = ut_writer_flush(w, err);

	if (!ret)
		ret = write_end(w, err);
	if (close(w->fd) && !ret)
		ret = ut_error_set(err, "%s: cannot write: %s", w->path, strerror(errno));
	w->fd = -1;
	writer_free(w);
	return ret;
}
