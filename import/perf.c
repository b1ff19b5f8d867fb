// SPDX-License-Identifier: GPL-2.0-only
#include "import/perf.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "import/perf_file.h"

#define PIPE_HEADER 16u	 /* bytes of the header of a recording that was piped */
#define FILE_HEADER 104u /* and of any other */

/* What a file header says is where. */
enum {
	HEADER_SIZE = 8,
	HEADER_ATTR_SIZE = 16,
	HEADER_ATTRS = 24,
	HEADER_DATA = 40,
	HEADER_PARTS = 72,
};

int perf_damaged(struct perf *p, unsigned long long offset, const char *what)
{
	/* No wonder, if it is not whole. */
	if (*p->cut.text)
		return ut_error_set(p->err, "%s", p->cut.text);
	return ut_error_set(p->err,
			    "%s: offset %llu: %s; the file is damaged, copy or record it again",
			    p->path, offset, what);
}

int perf_refused(struct perf *p, unsigned long long offset, const char *what)
{
	return ut_error_set(p->err, "%s: offset %llu: %s", p->path, offset, what);
}

int perf_out_of_memory(struct perf *p)
{
	return ut_error_set(p->err, "%s: out of memory", p->path);
}

int perf_sink_error(struct perf *p)
{
	if (p->err)
		*p->err = p->sink->err;
	return -1;
}

void perf_cut_short(struct perf *p, unsigned long long offset, const char *what)
{
	if (!*p->cut.text)
		ut_error_set(&p->cut, "%s: offset %llu: %s", p->path, offset, what);
}

int perf_wrong(struct perf *p, unsigned long long offset, const char *wrong)
{
	return wrong == perf_events_no_memory ? perf_out_of_memory(p)
					      : perf_damaged(p, offset, wrong);
}

int perf_read_at(struct perf *p, void *to, size_t n, uint64_t offset)
{
	size_t done = 0;
	ssize_t got;

	while (done < n) {
		got = pread(p->fd, (char *)to + done, n - done, (off_t)(offset + done));
		if (got < 0 && errno != EINTR)
			return ut_error_set(p->err, "%s: offset %llu: cannot read: %s", p->path,
					    (unsigned long long)offset + done, strerror(errno));
		if (!got)
			return perf_refused(p, (unsigned long long)offset + done, PERF_ENDS_EARLY);
		done += got < 0 ? 0 : (size_t)got;
	}
	return 0;
}

bool perf_is_inside(const struct perf *p, uint64_t offset, uint64_t size)
{
	return offset <= p->size && size <= p->size - offset;
}

int perf_add_event(struct perf *p, const uint8_t *attr, size_t size, uint64_t offset)
{
	const char *wrong = perf_events_add(&p->events, attr, size);

	p->checked = false;
	return wrong ? perf_wrong(p, offset, wrong) : 0;
}

/* ---- the header of a file ---- */

#define PLACE 16u	/* bytes that say where a part is and how long */
#define ATTR_ROOM 4096u /* bytes that attributes may have */

static int read_ids(struct perf *p, uint64_t offset, uint64_t size)
{
	uint8_t ids[4096];
	const char *wrong;
	uint64_t n;

	if (!perf_is_inside(p, offset, size))
		return perf_refused(p, offset, PERF_ENDS_EARLY);
	/* No two events share ids, so all of them take less room than the file has. */
	p->ids_bytes += size;
	if (p->ids_bytes > p->size)
		return perf_damaged(p, offset, "ids of events that overlap");
	for (; size >= 8; offset += n, size -= n) {
		n = size < sizeof(ids) ? size & ~7ull : sizeof(ids);
		if (perf_read_at(p, ids, n, offset))
			return -1;
		wrong = perf_events_add_ids(&p->events, ids, n / 8);
		if (wrong)
			return perf_wrong(p, offset, wrong);
	}
	return 0;
}

static int read_attrs(struct perf *p, const uint8_t *header)
{
	uint64_t each = perf_u64(header + HEADER_ATTR_SIZE);
	uint64_t offset = perf_u64(header + HEADER_ATTRS);
	uint64_t size = perf_u64(header + HEADER_ATTRS + 8);
	uint8_t entry[ATTR_ROOM + PLACE];
	uint32_t attr;

	if (each < PERF_ATTR_LEAST + PLACE || each > sizeof(entry))
		return perf_damaged(p, HEADER_ATTR_SIZE,
				    "attributes of events of an impossible size");
	if (!perf_is_inside(p, offset, size))
		return perf_refused(p, offset, PERF_ENDS_EARLY);
	for (; size >= each; offset += each, size -= each) {
		if (perf_read_at(p, entry, each, offset))
			return -1;
		attr = perf_u32(entry + 4);
		if (attr > each - PLACE)
			attr = each - PLACE;
		if (attr < PERF_ATTR_LEAST)
			attr = PERF_ATTR_LEAST;
		if (perf_add_event(p, entry, attr, offset) ||
		    read_ids(p, perf_u64(entry + each - PLACE), perf_u64(entry + each - 8)))
			return -1;
	}
	return 0;
}

#define KILLED                                                                                     \
	"perf record was killed before it finished, so the formats of the events are missing; "    \
	"record again and end perf record with Ctrl-C"

static int read_file(struct perf *p)
{
	uint8_t header[FILE_HEADER];
	uint64_t offset, size;

	if (perf_read_at(p, header, sizeof(header), 0))
		return -1;
	offset = perf_u64(header + HEADER_DATA);
	size = perf_u64(header + HEADER_DATA + 8);
	if (offset < FILE_HEADER)
		return perf_damaged(p, HEADER_DATA, "records in the header");
	if (read_attrs(p, header))
		return -1;
	if (size && perf_is_inside(p, offset, size)) {
		if (perf_read_parts(p, header + HEADER_PARTS, offset + size))
			return -1;
	} else {
		perf_cut_short(p, size ? p->size : HEADER_DATA, size ? PERF_ENDS_EARLY : KILLED);
		if (offset > p->size)
			offset = p->size;
		size = p->size - offset;
	}
	if (lseek(p->fd, (off_t)offset, SEEK_SET) < 0)
		return ut_error_set(p->err, "%s: cannot seek: %s", p->path, strerror(errno));
	p->file.offset = offset;
	p->left = size;
	return perf_read_records(p);
}

static int read_piped(struct perf *p)
{
	if (p->size && lseek(p->fd, PIPE_HEADER, SEEK_SET) < 0)
		return ut_error_set(p->err, "%s: cannot seek: %s", p->path, strerror(errno));
	p->file.offset = PIPE_HEADER;
	p->left = UINT64_MAX;
	return perf_read_records(p);
}

/* ---- which kind of file ---- */

static const uint8_t magic[] = { 'P', 'E', 'R', 'F', 'I', 'L', 'E', '2' };
static const uint8_t magic_first[] = { 'P', 'E', 'R', 'F', 'F', 'I', 'L', 'E' };

/* On a machine of the other byte order, the same number is written the other way round. */
static bool is_swapped(const uint8_t *head)
{
	for (size_t i = 0; i < sizeof(magic); i++)
		if (head[i] != magic[sizeof(magic) - 1 - i])
			return false;
	return true;
}

bool perf_recognise(const void *head, size_t size)
{
	return size >= sizeof(magic) &&
	       (!memcmp(head, magic, sizeof(magic)) ||
		!memcmp(head, magic_first, sizeof(magic_first)) || is_swapped(head));
}

/* Return: bytes of the head, fewer only if the file has no more; or -1. */
static ssize_t read_head(struct perf *p, uint8_t *head, size_t size)
{
	size_t n = 0;
	ssize_t got;

	do {
		got = p->size ? pread(p->fd, head + n, size - n, (off_t)n)
			      : read(p->fd, head + n, size - n);
		if (got > 0)
			n += (size_t)got;
	} while ((got > 0 && n < size) || (got < 0 && errno == EINTR));
	if (got < 0)
		return ut_error_set(p->err, "%s: cannot read: %s", p->path, strerror(errno));
	return (ssize_t)n;
}

#define SWAPPED                                                                                    \
	"it was recorded on a machine with the other byte order, which is none that is known "     \
	"here; record on x86-64"
#define TOO_OLD "it is of a perf of before Linux 3.4, which cannot be read; record with a newer one"

static int read_any(struct perf *p)
{
	uint8_t head[PIPE_HEADER];
	ssize_t n = read_head(p, head, sizeof(head));

	if (n < 0)
		return -1;
	if (!perf_recognise(head, (size_t)n))
		return ut_error_set(p->err, "%s: is not a recording of perf", p->path);
	if (is_swapped(head))
		return perf_refused(p, 0, SWAPPED);
	if (memcmp(head, magic, sizeof(magic)) != 0)
		return perf_refused(p, 0, TOO_OLD);
	if (n < (ssize_t)sizeof(head))
		return perf_refused(p, (unsigned long long)n, PERF_ENDS_EARLY);
	if (perf_u64(head + HEADER_SIZE) == PIPE_HEADER)
		return read_piped(p);
	if (perf_u64(head + HEADER_SIZE) != FILE_HEADER)
		return perf_damaged(p, HEADER_SIZE, "a header of an impossible size");
	if (!p->size)
		return perf_refused(p, 0, "such a file cannot be read from a pipe; give its name");
	return read_file(p);
}

int perf_read(int fd, const char *path, struct import_sink *sink, struct ut_error *err)
{
	struct perf p = {
		.fd = fd,
		.path = path,
		.sink = sink,
		.err = err,
		.window = { .path = path, .sink = sink, .most = PERF_WINDOW_BYTES },
	};
	struct stat st;
	int ret;

	if (fstat(fd, &st))
		return ut_error_set(err, "%s: cannot be examined: %s", path, strerror(errno));
	if (S_ISREG(st.st_mode))
		p.size = (uint64_t)st.st_size;
	ret = read_any(&p);
	perf_window_free(&p.window);
	perf_events_free(&p.events);
	ZSTD_freeDCtx(p.zstd);
	free(p.tracing);
	free(p.losses.cpus);
	return ret;
}
