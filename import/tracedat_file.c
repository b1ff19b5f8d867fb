// SPDX-License-Identifier: GPL-2.0-only
#include "import/tracedat_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "import/tracedat.h"

typedef unsigned long long ull;

#define SECTION_BYTES (64u << 20) /* of the head, decompressed */
#define OPTION_BYTES (64u << 10)  /* of an option that is looked into */
#define NAME_BYTES 256		  /* of a system, a buffer, a compression */
#define OPTION_SECTIONS 64	  /* in the chain of them */
#define TAG_BYTES 10		  /* "options  ", "flyrecord", "latency  " */
#define BUFFERS 256
#define PAGE_LEAST 4096u
#define PAGE_MOST 65536u

/* Sections and options of version 7, options of version 6. */
enum {
	OPT_DONE = 0,
	OPT_CPUSTAT = 2,
	OPT_BUFFER = 3,
	OPT_TRACECLOCK = 4,
	OPT_UNAME = 5,
	OPT_CPUCOUNT = 8,
	OPT_VERSION = 9,
	OPT_PROCMAPS = 10,
	OPT_TSC2NSEC = 14,
	OPT_HEADER_INFO = 16,
	OPT_FTRACE_EVENTS = 17,
	OPT_EVENT_FORMATS = 18,
	OPT_KALLSYMS = 19,
	OPT_PRINTK = 20,
	OPT_CMDLINES = 21,
	OPT_BUFFER_TEXT = 22,
};

#define SECTION_HEAD 16
#define SECTION_COMPRESSED 1

/* ---- bytes in a row, of the file or of a section that was decompressed ---- */

struct in {
	const struct tracedat_file *f;
	uint8_t *memory;   /* NULL: of the file */
	uint64_t pos, end; /* in memory, or in the file */
	uint64_t place;	   /* of the section, for messages */
	struct ut_error *err;
	uint64_t have_at; /* what of the file is in hand */
	size_t have;
	uint8_t hand[4096];
};

static int damaged(const struct tracedat_file *f, uint64_t place, const char *what,
		   struct ut_error *err)
{
	ut_error_set(err, "%s: offset %llu: %s; the file is damaged: record again", f->path,
		     (ull)place, what);
	return -1;
}

static int cut_off(const struct tracedat_file *f, const char *what, struct ut_error *err)
{
	ut_error_set(err,
		     "%s: is cut off: %s at or after its end (%llu bytes); copy it anew or "
		     "record again; 'trace-cmd restore' may help if trace-cmd was killed",
		     f->path, what, (ull)f->size);
	return -1;
}

int tracedat_read_at(const struct tracedat_file *f, void *buf, size_t n, uint64_t offset,
		     struct ut_error *err)
{
	char *p = buf;
	ssize_t got;

	while (n) {
		got = pread(f->fd, p, n, (off_t)offset);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			ut_error_set(err, "%s: offset %llu: %s", f->path, (ull)offset,
				     strerror(errno));
			return -1;
		}
		if (!got)
			return cut_off(f, "there should be more", err);
		p += got;
		offset += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

static void in_file(struct in *in, const struct tracedat_file *f, uint64_t from, uint64_t to,
		    struct ut_error *err)
{
	in->f = f;
	in->memory = NULL;
	in->pos = in->place = from;
	in->end = to;
	in->err = err;
	in->have_at = in->have = 0;
}

static void in_close(struct in *in)
{
	free(in->memory);
	in->memory = NULL;
}

static int ends(const struct in *in)
{
	if (!in->memory && in->end == in->f->size)
		return cut_off(in->f, "its head ends", in->err);
	return damaged(in->f, in->place, "a section that ends too early", in->err);
}

static int get_of_file(struct in *in, void *buf, size_t n)
{
	uint64_t off = in->pos - in->have_at;

	if (n > sizeof(in->hand) / 4)
		return tracedat_read_at(in->f, buf, n, in->pos, in->err);
	if (!in->have || in->pos < in->have_at || off > in->have || n > in->have - off) {
		in->have = in->end - in->pos < sizeof(in->hand) ? (size_t)(in->end - in->pos)
								: sizeof(in->hand);
		in->have_at = in->pos;
		off = 0;
		if (tracedat_read_at(in->f, in->hand, in->have, in->pos, in->err)) {
			in->have = 0;
			return -1;
		}
	}
	memcpy(buf, in->hand + off, n);
	return 0;
}

static int get(struct in *in, void *buf, size_t n)
{
	if (n > in->end - in->pos)
		return ends(in);
	if (in->memory)
		memcpy(buf, in->memory + in->pos, n);
	else if (get_of_file(in, buf, n))
		return -1;
	in->pos += n;
	return 0;
}

static int skip(struct in *in, uint64_t n)
{
	if (n > in->end - in->pos)
		return ends(in);
	in->pos += n;
	return 0;
}

static int get2(struct in *in, uint16_t *v)
{
	return get(in, v, sizeof(*v));
}

static int get4(struct in *in, uint32_t *v)
{
	return get(in, v, sizeof(*v));
}

static int get8(struct in *in, uint64_t *v)
{
	return get(in, v, sizeof(*v));
}

/* @room: with the 0 at its end, which must be there */
static int get_string(struct in *in, char *text, size_t room)
{
	for (size_t i = 0; i < room; i++) {
		if (get(in, text + i, 1))
			return -1;
		if (!text[i])
			return 0;
	}
	return damaged(in->f, in->memory ? in->place : in->pos, "a name without an end", in->err);
}

/* Skips bytes that begin with their own number, of four or eight bytes. */
static int skip4(struct in *in)
{
	uint32_t n = 0;

	return get4(in, &n) || skip(in, n) ? -1 : 0;
}

static int skip8(struct in *in)
{
	uint64_t n = 0;

	return get8(in, &n) || skip(in, n) ? -1 : 0;
}

/* ---- sections of version 7 ---- */

static int decompress(struct in *in)
{
	const struct tracedat_file *f = in->f;
	uint32_t packed_size = 0, size = 0;
	uint8_t *packed, *bytes;
	size_t got;

	if (!f->has_zstd)
		return damaged(f, in->place, "compressed, in a file without compression", in->err);
	if (get4(in, &packed_size) || get4(in, &size))
		return -1;
	if (packed_size > f->size - in->pos)
		return cut_off(f, "a section ends", in->err);
	if (size > SECTION_BYTES)
		return damaged(f, in->place, "a section of more than 64 MiB", in->err);
	packed = malloc(packed_size + 1);
	bytes = malloc(size + 1);
	if (!packed || !bytes) {
		ut_error_set(in->err, "%s: out of memory", f->path);
		goto fail;
	}
	if (tracedat_read_at(f, packed, packed_size, in->pos, in->err))
		goto fail;
	got = ZSTD_decompress(bytes, size, packed, packed_size);
	if (ZSTD_isError(got)) {
		damaged(f, in->place, "a section that cannot be decompressed", in->err);
		goto fail;
	}
	free(packed);
	in->memory = bytes;
	in->pos = 0;
	in->end = got;
	return 0;
fail:
	free(packed);
	free(bytes);
	return -1;
}

/* Goes to what a section holds; in_close() also after a failure. */
static int in_section(struct in *in, const struct tracedat_file *f, uint64_t offset,
		      unsigned int wanted, struct ut_error *err)
{
	uint16_t id = 0, flags = 0;
	uint64_t size = 0;

	in_file(in, f, offset, f->size, err);
	if (offset > f->size - SECTION_HEAD)
		return cut_off(f, "a section begins", err);
	if (get2(in, &id) || get2(in, &flags) || skip(in, 4) || get8(in, &size))
		return -1;
	if (id != wanted)
		return damaged(f, offset, "another section than its options say", err);
	if (size > f->size - in->pos)
		return cut_off(f, "a section ends", err);
	in->end = in->pos + size;
	return flags & SECTION_COMPRESSED ? decompress(in) : 0;
}

/* libtracecmd goes from one to the next, and a size that is not true would lead it astray. */
static int check_row(const struct tracedat_file *f, uint64_t offset, struct ut_error *err)
{
	struct in in;
	uint64_t size = 0;

	in_file(&in, f, offset, f->size, err);
	while (in.end - in.pos >= SECTION_HEAD) {
		if (skip(&in, 8) || get8(&in, &size))
			return -1;
		if (size > in.end - in.pos)
			return cut_off(f, "a section ends", err);
		in.pos += size;
	}
	return 0;
}

/* ---- options ---- */

/* Of a text that a file holds: printable, and no longer than there is room for. */
static void keep_text(char *to, const char *from, size_t n)
{
	size_t used = 0;

	for (size_t i = 0; i < n && from[i] && used + 1 < TRACEDAT_TEXT; i++)
		to[used++] = from[i] >= ' ' && from[i] <= '~' ? from[i] : '?';
	to[used] = '\0';
}

/* "Linux HOST 6.1.0-42-amd64 x86_64" */
static void take_uname(struct tracedat_file *f, const char *text, size_t n)
{
	char all[TRACEDAT_TEXT], *save = NULL, *word[4] = { NULL };
	unsigned int i = 0;

	keep_text(all, text, n);
	for (char *w = strtok_r(all, " ", &save); w && i < 4; w = strtok_r(NULL, " ", &save))
		word[i++] = w;
	if (word[3]) {
		keep_text(f->release, word[2], TRACEDAT_TEXT);
		keep_text(f->machine, word[3], TRACEDAT_TEXT);
	}
}

/* "local global [mono] boot" */
static void take_clock(struct tracedat_file *f, const char *text, size_t n)
{
	const char *from = memchr(text, '[', n), *to;

	to = from ? memchr(from, ']', n - (size_t)(from - text)) : NULL;
	if (to && !f->clock[0])
		keep_text(f->clock, from + 1, (size_t)(to - from) - 1);
}

static void take_version(struct tracedat_file *f, const char *text, size_t n)
{
	const char *space = memchr(text, ' ', n);

	keep_text(f->recorder, text, space ? (size_t)(space - text) : n);
}

/* What the kernel counted: records that were overwritten, and those that never got into the buffer. */
static void take_stats(struct tracedat_file *f, char *text)
{
	unsigned int cpu = TRACEDAT_CPUS;
	char *save = NULL;
	ull n;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "CPU: %llu", &n) == 1)
			cpu = n < TRACEDAT_CPUS ? (unsigned int)n : TRACEDAT_CPUS;
		else if (cpu < TRACEDAT_CPUS && (sscanf(line, "overrun: %llu", &n) == 1 ||
						 sscanf(line, "commit overrun: %llu", &n) == 1 ||
						 sscanf(line, "dropped events: %llu", &n) == 1))
			f->lost[cpu] += n;
	}
}

/* ---- buffers ---- */

static int add_cpu(struct tracedat_file *f, const struct tracedat_cpu *cpu, struct ut_error *err)
{
	if (!cpu->size)
		return 0;
	if (cpu->offset > f->size || cpu->size > f->size - cpu->offset)
		return cut_off(f, "the records of a CPU end", err);
	if (f->n_cpus == TRACEDAT_CPUS)
		return ut_error_set(err, "%s: more than %u CPUs", f->path, TRACEDAT_CPUS);
	f->cpus[f->n_cpus++] = *cpu;
	return 0;
}

static int check_page_size(const struct tracedat_file *f, uint32_t bytes, struct ut_error *err)
{
	if (bytes >= PAGE_LEAST && bytes <= PAGE_MOST && !(bytes & (bytes - 1)))
		return 0;
	return ut_error_set(err,
			    "%s: pages of %u bytes; the file is damaged, or not of an x86 host",
			    f->path, bytes);
}

/* What an option of version 7 says of a buffer: section, name, clock, size of pages, CPUs. */
static int take_buffer(struct tracedat_file *f, struct in *in)
{
	char name[NAME_BYTES], clock[NAME_BYTES];
	struct tracedat_cpu cpu = { 0 };
	uint64_t offset = 0;
	uint32_t n = 0;
	uint16_t head[2];
	size_t had = f->n_cpus;

	if (get8(in, &offset) || get_string(in, name, sizeof(name)) ||
	    get_string(in, clock, sizeof(clock)) || get4(in, &cpu.page_bytes) || get4(in, &n))
		return -1;
	if (!n)
		return 0;
	if (offset > f->size - SECTION_HEAD)
		return cut_off(f, "a buffer begins", in->err);
	if (check_page_size(f, cpu.page_bytes, in->err) ||
	    tracedat_read_at(f, head, sizeof(head), offset, in->err))
		return -1;
	cpu.compressed = head[1] & SECTION_COMPRESSED;
	if (cpu.compressed && !f->has_zstd)
		return damaged(f, offset, "compressed, in a file without compression", in->err);
	while (n--) {
		if (get4(in, &cpu.cpu) || get8(in, &cpu.offset) || get8(in, &cpu.size) ||
		    add_cpu(f, &cpu, in->err))
			return -1;
	}
	if (f->n_cpus == had)
		return 0;
	if (had && strcmp(f->clock, clock) != 0)
		return ut_error_set(
			in->err,
			"%s: its buffers go by different clocks, '%s' and '%.*s'; record "
			"with -C mono before the first -e and after each -B",
			f->path, f->clock, TRACEDAT_TEXT, clock);
	keep_text(f->clock, clock, sizeof(clock));
	return 0;
}

/* One option of either version; @in holds no more than it. */
static int take_option(struct tracedat_file *f, unsigned int id, struct in *in)
{
	char text[OPTION_BYTES + 1];
	size_t n = (size_t)(in->end - in->pos);

	switch (id) {
	case OPT_BUFFER:
		return take_buffer(f, in);
	case OPT_CPUCOUNT:
		return get4(in, &f->cpu_count);
	case OPT_TSC2NSEC:
		return get4(in, &f->clock_mult) || get4(in, &f->clock_shift) ? -1 : 0;
	case OPT_HEADER_INFO:
	case OPT_FTRACE_EVENTS:
	case OPT_EVENT_FORMATS:
	case OPT_KALLSYMS:
	case OPT_PRINTK:
	case OPT_CMDLINES:
		return get8(in, &f->sections[id - OPT_HEADER_INFO]);
	case OPT_BUFFER_TEXT:
		f->has_text = true;
		return 0;
	case OPT_CPUSTAT:
	case OPT_TRACECLOCK:
	case OPT_UNAME:
	case OPT_VERSION:
		break;
	case OPT_PROCMAPS:
		return skip(in, 1); /* libtracecmd looks at its last byte */
	default:
		return 0;
	}
	if (!n)
		return damaged(f, in->place, "an empty option", in->err);
	if (n > OPTION_BYTES)
		n = OPTION_BYTES;
	if (get(in, text, n))
		return -1;
	text[n] = '\0';
	if (id == OPT_CPUSTAT)
		take_stats(f, text);
	else if (id == OPT_TRACECLOCK)
		take_clock(f, text, n);
	else if (id == OPT_UNAME)
		take_uname(f, text, n);
	else
		take_version(f, text, n);
	return 0;
}

/* ---- what the head holds, in sections or in a row ---- */

static int expect(struct in *in, const char *tag, size_t n)
{
	char bytes[16];

	if (get(in, bytes, n))
		return -1;
	return memcmp(bytes, tag, n) ? damaged(in->f, in->pos - n, tag, in->err) : 0;
}

/* The formats of ftrace itself: texts, each with its size. */
static int skip_texts(struct in *in)
{
	uint32_t n = 0;

	if (get4(in, &n))
		return -1;
	while (n--) {
		if (skip8(in))
			return -1;
	}
	return 0;
}

static int skip_formats(struct in *in)
{
	char name[NAME_BYTES];
	uint32_t n = 0;

	if (get4(in, &n))
		return -1;
	while (n--) {
		if (get_string(in, name, sizeof(name)) || skip_texts(in))
			return -1;
	}
	return 0;
}

static int skip_header_info(struct in *in)
{
	return expect(in, "header_page", 12) || skip8(in) || expect(in, "header_event", 13) ||
			       skip8(in)
		       ? -1
		       : 0;
}

/* ---- version 7 ---- */

/* Options up to the one that leads to the next section of them, if there is one. */
static int options_v7(struct tracedat_file *f, struct in *in, uint64_t *next)
{
	uint64_t end;
	uint16_t id = 0;
	uint32_t n = 0;
	int ret;

	for (;;) {
		if (get2(in, &id) || get4(in, &n))
			return -1;
		if (n > in->end - in->pos)
			return ends(in);
		if (id == OPT_DONE)
			return get8(in, next);
		end = in->end;
		in->end = in->pos + n;
		ret = take_option(f, id, in);
		if (ret)
			return ret;
		in->pos = in->end;
		in->end = end;
	}
}

/* libtracecmd asks for as much memory as the sizes in there say. */
static int check_section(const struct tracedat_file *f, unsigned int id, struct ut_error *err)
{
	/* In the order of their numbers. */
	static int (*const skips[TRACEDAT_SECTIONS])(struct in * in) = {
		skip_header_info, skip_texts, skip_formats, skip4, skip4, skip8,
	};
	uint64_t offset = f->sections[id - OPT_HEADER_INFO];
	struct in in;
	int ret;

	if (!offset)
		return 0;
	ret = in_section(&in, f, offset, id, err);
	if (!ret)
		ret = skips[id - OPT_HEADER_INFO](&in);
	in_close(&in);
	return ret;
}

static int check_compression(struct tracedat_file *f, const char *name, struct ut_error *err)
{
	f->has_zstd = !strcmp(name, "zstd");
	if (f->has_zstd || !strcmp(name, "none"))
		return 0;
	return ut_error_set(err,
			    "%s: compressed with '%s', which is not read here; 'trace-cmd convert "
			    "--compression zstd' helps",
			    f->path, name);
}

static int read_v7(struct tracedat_file *f, struct in *in)
{
	char name[NAME_BYTES], version[NAME_BYTES];
	uint64_t offset = 0;
	struct in options;
	int ret;

	if (get_string(in, name, sizeof(name)) || get_string(in, version, sizeof(version)) ||
	    check_compression(f, name, in->err) || get8(in, &offset))
		return -1;
	if (!offset)
		return ut_error_set(in->err,
				    "%s: trace-cmd did not finish it; 'trace-cmd restore' may help",
				    f->path);
	if (check_row(f, in->pos, in->err))
		return -1;
	for (int i = 0; offset; i++) {
		if (i == OPTION_SECTIONS)
			return damaged(f, offset, "sections of options without an end", in->err);
		ret = in_section(&options, f, offset, OPT_DONE, in->err);
		if (!ret)
			ret = options_v7(f, &options, &offset);
		in_close(&options);
		if (ret)
			return ret;
	}
	for (unsigned int id = OPT_HEADER_INFO; id <= OPT_CMDLINES; id++) {
		if (check_section(f, id, in->err))
			return -1;
	}
	return 0;
}

/* ---- version 6 ---- */

struct buffers_v6 {
	uint64_t at[BUFFERS];
	unsigned int n;
};

static int options_v6(struct tracedat_file *f, struct in *in, struct buffers_v6 *buffers)
{
	struct in one;
	uint16_t id = 0;
	uint32_t n = 0;

	for (;;) {
		if (get2(in, &id))
			return -1;
		if (id == OPT_DONE)
			return 0;
		if (get4(in, &n))
			return -1;
		if (n > in->end - in->pos)
			return ends(in);
		in_file(&one, f, in->pos, in->pos + n, in->err);
		if (id != OPT_BUFFER) {
			if (take_option(f, id, &one))
				return -1;
		} else if (buffers) {
			if (buffers->n == BUFFERS)
				return damaged(f, in->pos, "more than 256 buffers", in->err);
			if (get8(&one, &buffers->at[buffers->n++]))
				return -1;
		}
		in->pos += n;
	}
}

/* Options, if they come now, and then where the records of each CPU are. */
static int buffer_v6(struct tracedat_file *f, struct in *in, struct buffers_v6 *buffers)
{
	struct tracedat_cpu cpu = { .page_bytes = f->page_bytes };
	char tag[TAG_BYTES];

	if (get(in, tag, sizeof(tag)))
		return -1;
	if (!memcmp(tag, "options", 7) && (options_v6(f, in, buffers) || get(in, tag, sizeof(tag))))
		return -1;
	if (!memcmp(tag, "latency", 7)) {
		f->has_text = true;
		return 0;
	}
	if (memcmp(tag, "flyrecord", 9) != 0)
		return damaged(f, in->pos - sizeof(tag), "records should begin", in->err);
	for (cpu.cpu = 0; cpu.cpu < f->cpu_count; cpu.cpu++) {
		if (get8(in, &cpu.offset) || get8(in, &cpu.size) || add_cpu(f, &cpu, in->err))
			return -1;
	}
	return 0;
}

static int read_v6(struct tracedat_file *f, struct in *in)
{
	struct buffers_v6 buffers = { .n = 0 };

	if (skip_header_info(in) || skip_texts(in))
		return -1;
	f->sections[OPT_EVENT_FORMATS - OPT_HEADER_INFO] = in->pos;
	/* Then symbols, formats of trace_printk(), names of threads. */
	if (skip_formats(in) || skip4(in) || skip4(in) || skip8(in) || get4(in, &f->cpu_count) ||
	    buffer_v6(f, in, &buffers))
		return -1;
	for (unsigned int i = 0; i < buffers.n; i++) {
		if (buffers.at[i] > f->size)
			return cut_off(f, "a buffer begins", in->err);
		in->pos = buffers.at[i];
		if (buffer_v6(f, in, NULL))
			return -1;
	}
	return 0;
}

/* ---- the whole ---- */

static int read_head(struct tracedat_file *f, struct in *in)
{
	char magic[TRACEDAT_MAGIC_BYTES], version[8];
	uint8_t big = 0, word;

	if (get(in, magic, sizeof(magic)) || get_string(in, version, sizeof(version)) ||
	    get(in, &big, 1) || get(in, &word, 1))
		return -1;
	if (memcmp(magic, TRACEDAT_MAGIC, sizeof(magic)) != 0)
		return ut_error_set(in->err, "%s: no trace.dat", f->path);
	if (strcmp(version, "6") != 0 && strcmp(version, "7") != 0)
		return ut_error_set(in->err, "%s: version '%s'; versions 6 and 7 can be read",
				    f->path, version);
	f->version = (unsigned int)(version[0] - '0');
	if (big)
		return ut_error_set(in->err,
				    "%s: recorded on a big-endian machine; only recordings of "
				    "x86-64 hosts can be read",
				    f->path);
	if (get4(in, &f->page_bytes) || check_page_size(f, f->page_bytes, in->err))
		return -1;
	return f->version == 6 ? read_v6(f, in) : read_v7(f, in);
}

static int check_content(const struct tracedat_file *f, struct ut_error *err)
{
	if (!f->sections[OPT_EVENT_FORMATS - OPT_HEADER_INFO])
		return ut_error_set(err, "%s: holds no formats of events; the file is damaged",
				    f->path);
	if (f->clock_mult && f->clock_shift >= TRACEDAT_NS_SHIFT)
		return ut_error_set(err, "%s: its clock cannot be converted; the file is damaged",
				    f->path);
	if (f->n_cpus)
		return 0;
	return ut_error_set(err,
			    f->has_text
				    ? "%s: holds the text of a tracer, no records; record events: "
				      "trace-cmd record -C mono -e kvm -e kvmmmu"
				    : "%s: holds no records; start the guest while trace-cmd "
				      "records with -C mono -e kvm -e kvmmmu",
			    f->path);
}

bool tracedat_recognise(const void *head, size_t size)
{
	return size >= TRACEDAT_MAGIC_BYTES && !memcmp(head, TRACEDAT_MAGIC, TRACEDAT_MAGIC_BYTES);
}

int tracedat_file_open(struct tracedat_file *f, int fd, const char *path, struct ut_error *err)
{
	struct stat st;
	struct in in;

	*f = (struct tracedat_file){ .fd = fd, .path = path };
	if (fstat(fd, &st))
		return ut_error_set(err, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return ut_error_set(err,
				    "%s: a trace.dat must be a file, not a pipe: it is not read "
				    "from front to back",
				    path);
	f->size = (uint64_t)st.st_size;
	f->cpus = calloc(TRACEDAT_CPUS, sizeof(*f->cpus));
	if (!f->cpus)
		return ut_error_set(err, "%s: out of memory", path);
	in_file(&in, f, 0, f->size, err);
	/* Sections are looked for up to so far before the end. */
	if (f->size < TRACEDAT_MAGIC_BYTES + SECTION_HEAD)
		return ends(&in);
	if (read_head(f, &in))
		return -1;
	return check_content(f, err);
}

void tracedat_file_close(struct tracedat_file *f)
{
	free(f->cpus);
	f->cpus = NULL;
}

/* ---- formats ---- */

/* @text: IMPORT_FORMAT_BYTES */
static int hand_formats(struct in *in, char *text,
			int (*take)(void *arg, const char *system, const char *text, size_t size),
			void *arg)
{
	uint32_t systems = 0, events = 0;
	char system[NAME_BYTES];
	uint64_t n = 0;

	if (get4(in, &systems))
		return -1;
	while (systems--) {
		if (get_string(in, system, sizeof(system)) || get4(in, &events))
			return -1;
		while (events--) {
			if (get8(in, &n))
				return -1;
			if (n > IMPORT_FORMAT_BYTES) {
				if (skip(in, n))
					return -1;
				continue;
			}
			if (get(in, text, (size_t)n))
				return -1;
			if (take(arg, system, text, (size_t)n))
				return 1;
		}
	}
	return 0;
}

int tracedat_file_formats(const struct tracedat_file *f,
			  int (*take)(void *arg, const char *system, const char *text, size_t size),
			  void *arg, struct ut_error *err)
{
	uint64_t offset = f->sections[OPT_EVENT_FORMATS - OPT_HEADER_INFO];
	char *text = malloc(IMPORT_FORMAT_BYTES);
	struct in in;
	int ret = 0;

	if (!text)
		return ut_error_set(err, "%s: out of memory", f->path);
	if (f->version == 6)
		in_file(&in, f, offset, f->size, err);
	else
		ret = in_section(&in, f, offset, OPT_EVENT_FORMATS, err);
	if (!ret)
		ret = hand_formats(&in, text, take, arg);
	in_close(&in);
	free(text);
	return ret;
}
