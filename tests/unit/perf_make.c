// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "tests/unit/perf_make.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zstd.h>

/* ---- bytes ---- */

void put_bytes(struct bytes *b, const void *p, size_t n)
{
	if (b->n + n > b->room) {
		b->room = 2 * (b->n + n) + 256;
		b->p = realloc(b->p, b->room);
		if (!b->p)
			abort();
	}
	if (n)
		memcpy(b->p + b->n, p, n);
	b->n += n;
}

void put_u16(struct bytes *b, uint16_t v)
{
	put_bytes(b, &v, sizeof(v));
}

void put_u32(struct bytes *b, uint32_t v)
{
	put_bytes(b, &v, sizeof(v));
}

void put_u64(struct bytes *b, uint64_t v)
{
	put_bytes(b, &v, sizeof(v));
}

void put_padding(struct bytes *b, size_t multiple)
{
	static const uint8_t zero[64];

	put_bytes(b, zero, (multiple - b->n % multiple) % multiple);
}

/* ---- records ---- */

uint64_t id_of(unsigned int event, uint32_t cpu)
{
	return FIRST_ID + event * CPUS + cpu;
}

static size_t begin(struct bytes *b, uint32_t type, uint16_t flags)
{
	put_u32(b, type);
	put_u16(b, flags);
	put_u16(b, 0);
	return b->n - 8;
}

static void end(struct bytes *b, size_t at)
{
	uint16_t size = (uint16_t)(b->n - at);

	memcpy(b->p + at + 6, &size, sizeof(size));
}

static void put_tail(struct make *m, unsigned int event, uint64_t time, uint32_t cpu, uint64_t id)
{
	const struct shape *s = &m->shapes[event];
	struct bytes *b = &m->records;

	if (s->no_tails)
		return;
	if (s->samples & S_TID)
		put_u64(b, 0);
	if (s->samples & S_TIME)
		put_u64(b, time);
	if (s->samples & S_ID)
		put_u64(b, id);
	if (s->samples & S_STREAM)
		put_u64(b, id);
	if (s->samples & S_CPU)
		put_u64(b, cpu);
	if (s->samples & S_IDENTIFIER)
		put_u64(b, id);
}

static void put_values(struct bytes *b, uint64_t values, uint64_t id, uint64_t lost)
{
	unsigned int n = values & V_GROUP ? 2 : 1;

	put_u64(b, n);
	if (values & V_ENABLED)
		put_u64(b, 77);
	if (values & V_RUNNING)
		put_u64(b, 78);
	for (unsigned int i = 0; i < n; i++) {
		if (values & V_GROUP)
			put_u64(b, 1);
		if (values & V_ID)
			put_u64(b, i ? 0 : id);
		if (values & V_LOST)
			put_u64(b, lost);
	}
}

static void put_raw(struct bytes *b, const struct sample *s)
{
	struct bytes raw = { 0 };

	put_u16(&raw, (uint16_t)(FIRST_TYPE + s->event));
	put_u16(&raw, 0);
	put_u32(&raw, s->tid);
	put_u32(&raw, s->number);
	for (uint32_t i = 0; i < s->number % 5; i++)
		put_u64(&raw, s->number + i);
	put_u32(b, (uint32_t)raw.n);
	put_bytes(b, raw.p, raw.n);
	free(raw.p);
}

void add_sample(struct make *m, const struct sample *s)
{
	const struct shape *shape = &m->shapes[s->event];
	struct bytes *b = &m->records;
	size_t at = begin(b, 9, 1);
	uint64_t id = id_of(s->event, s->cpu), bits = shape->samples;

	if (bits & S_IDENTIFIER)
		put_u64(b, id);
	if (bits & S_IP)
		put_u64(b, 0xffffffff81000000);
	if (bits & S_TID) {
		put_u32(b, s->pid);
		put_u32(b, s->tid);
	}
	if (bits & S_TIME)
		put_u64(b, s->time);
	if (bits & S_ADDR)
		put_u64(b, 5);
	if (bits & S_ID)
		put_u64(b, id);
	if (bits & S_STREAM)
		put_u64(b, id);
	if (bits & S_CPU)
		put_u64(b, s->cpu);
	if (bits & S_PERIOD)
		put_u64(b, 1);
	if (bits & S_READ)
		put_values(b, shape->values, id, 0);
	if (bits & S_CALLCHAIN) {
		put_u64(b, shape->chain);
		for (unsigned int i = 0; i < shape->chain; i++)
			put_u64(b, 0xffffffff81000000 + i);
	}
	if (bits & S_RAW)
		put_raw(b, s);
	if (bits & S_BRANCHES)
		for (int i = 0; i < 7; i++)
			put_u64(b, 2);
	end(b, at);
}

void add_comm(struct make *m, uint64_t time, uint32_t pid, uint32_t tid, const char *name)
{
	struct bytes *b = &m->records;
	size_t at = begin(b, 3, 0);

	put_u32(b, pid);
	put_u32(b, tid);
	put_bytes(b, name, strlen(name) + 1);
	put_padding(b, 8);
	put_tail(m, 0, time, 0, id_of(0, 0));
	end(b, at);
}

void add_fork(struct make *m, uint64_t time, uint32_t pid, uint32_t tid)
{
	struct bytes *b = &m->records;
	size_t at = begin(b, 7, 0);

	put_u32(b, pid);
	put_u32(b, 1);
	put_u32(b, tid);
	put_u32(b, 1);
	put_u64(b, time);
	put_tail(m, 0, time, 0, id_of(0, 0));
	end(b, at);
}

void add_lost(struct make *m, uint64_t time, uint32_t cpu, uint64_t count)
{
	struct bytes *b = &m->records;
	size_t at = begin(b, 2, 0);

	put_u64(b, id_of(0, cpu));
	put_u64(b, count);
	put_tail(m, 0, time, cpu, id_of(0, cpu));
	end(b, at);
}

void add_lost_samples(struct make *m, uint64_t time, uint64_t id, uint64_t count, uint16_t flags)
{
	struct bytes *b = &m->records;
	size_t at = begin(b, 13, flags);

	put_u64(b, count);
	put_tail(m, 0, time, 0, id);
	end(b, at);
}

void add_throttle(struct make *m, uint64_t time, uint64_t id)
{
	struct bytes *b = &m->records;
	size_t at = begin(b, 5, 0);

	put_u64(b, time);
	put_u64(b, id);
	put_u64(b, id);
	put_tail(m, 0, time, 1, id);
	end(b, at);
}

void add_read(struct make *m, unsigned int event, uint32_t cpu, uint64_t lost)
{
	struct bytes *b = &m->records;
	size_t at = begin(b, 8, 0);

	put_u64(b, 0);
	put_values(b, m->shapes[event].values, id_of(event, cpu), lost);
	put_tail(m, event, 0, cpu, id_of(event, cpu));
	end(b, at);
}

void add_plain(struct make *m, uint32_t type, const void *data, size_t n)
{
	size_t at = begin(&m->records, type, 0);

	put_bytes(&m->records, data, n);
	end(&m->records, at);
}

void add_round(struct make *m)
{
	add_plain(m, 68, NULL, 0);
}

void add_id_index(struct make *m)
{
	struct bytes *b = &m->records;
	size_t at = begin(b, 69, 0);

	put_u64(b, EVENTS * CPUS);
	for (unsigned int event = 0; event < EVENTS; event++) {
		for (uint32_t cpu = 0; cpu < CPUS; cpu++) {
			put_u64(b, id_of(event, cpu));
			put_u64(b, 0);
			put_u64(b, cpu);
			put_u64(b, UINT64_MAX);
		}
	}
	end(b, at);
}

/* ---- compression ---- */

struct packer {
	ZSTD_CStream *zstd;
	struct bytes out;
	uint32_t type;
	size_t most; /* bytes of compressed data in a record */
	size_t kept; /* bytes that are compressed but had no room */
};

static void put_packed(struct packer *p, ZSTD_inBuffer *in)
{
	uint8_t room[65519];
	ZSTD_outBuffer out = { room, p->most, 0 };
	size_t at = begin(&p->out, p->type, 0);

	ZSTD_compressStream(p->zstd, &out, in);
	p->kept = ZSTD_flushStream(p->zstd, &out);
	if (p->type == 83)
		put_u64(&p->out, p->most == sizeof(room) ? 0x5a5a5a5a5a5a5a5a : out.pos);
	put_bytes(&p->out, room, out.pos);
	if (p->type == 83 && p->most < sizeof(room))
		put_padding(&p->out, 8);
	end(&p->out, at);
}

/* The bytes that perf read at a time become one record, or several. */
static void pack(struct packer *p, const uint8_t *data, size_t n, bool overflow)
{
	ZSTD_inBuffer in = { data, n, 0 };
	size_t lump = p->out.n;
	uint64_t all;
	uint16_t size;

	do
		put_packed(p, &in);
	while (in.pos < in.size);
	if (!overflow)
		return;
	/* Of all records together, into the first one's fields. */
	all = p->out.n - lump - 16;
	size = (uint16_t)((p->out.n - lump + 7) & ~7ull);
	memcpy(p->out.p + lump + 6, &size, sizeof(size));
	memcpy(p->out.p + lump + 8, &all, sizeof(all));
	if (size >= 16 + all)
		put_bytes(&p->out, "\0\0\0\0\0\0\0", size - 16 - all);
}

size_t compress(struct make *m, uint32_t type, size_t step, bool overflow)
{
	struct packer p = {
		.zstd = ZSTD_createCStream(),
		.type = type,
		.most = type == 83 && !overflow ? 65512 : 65519,
	};

	if (!p.zstd)
		abort();
	ZSTD_initCStream(p.zstd, 1);
	for (size_t at = 0; at < m->records.n; at += step)
		pack(&p, m->records.p + at, m->records.n - at < step ? m->records.n - at : step,
		     overflow);
	ZSTD_freeCStream(p.zstd);
	free(m->records.p);
	m->records = p.out;
	m->compressed = 1;
	return p.kept;
}

/* ---- files ---- */

void make_usual(struct make *m)
{
	*m = (struct make){ .attr_size = 128 };
	for (int i = 0; i < EVENTS; i++)
		m->shapes[i] = (struct shape){
			.type = 2,
			.samples = S_USUAL,
			.values = V_ID | V_LOST,
			.clock = 1,
		};
}

void make_free(struct make *m)
{
	free(m->records.p);
}

static void put_attr(struct bytes *b, const struct make *m, unsigned int event)
{
	const struct shape *s = &m->shapes[event];
	uint8_t attr[256] = { 0 };
	uint64_t flags = (s->no_tails ? 0ull : 1ull << 18) | (s->clock >= 0 ? 1ull << 25 : 0);
	uint64_t config = FIRST_TYPE + event;

	memcpy(attr, &s->type, 4);
	memcpy(attr + 4, &m->attr_size, 4);
	memcpy(attr + 8, &config, 8);
	memcpy(attr + 24, &s->samples, 8);
	memcpy(attr + 32, &s->values, 8);
	memcpy(attr + 40, &flags, 8);
	memcpy(attr + 92, &s->clock, 4);
	put_bytes(b, attr, m->attr_size);
}

static void put_ids(struct bytes *b, unsigned int event)
{
	for (uint32_t cpu = 0; cpu < CPUS; cpu++)
		put_u64(b, id_of(event, cpu));
}

static void put_format(struct bytes *b, const char *name, int id)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "name: %s\nID: %d\nformat:\n", name, id);

	put_u64(b, (uint64_t)n);
	put_bytes(b, text, (size_t)n);
}

/* A format that means nothing. */
static void put_filler(struct bytes *b, size_t n)
{
	put_u64(b, n);
	for (size_t i = 0; i < n; i++)
		put_bytes(b, "#", 1);
}

static void put_formats(struct bytes *b, const struct make *m)
{
	if (m->tracing.n) {
		put_bytes(b, m->tracing.p, m->tracing.n);
		return;
	}
	put_bytes(b, "\x17\x08\x44tracing0.6", 14);
	put_bytes(b, &m->swapped, 1);
	put_bytes(b, m->long_is_4 ? "\4" : "\10", 1);
	put_u32(b, 4096);
	put_bytes(b, "header_page", 12);
	put_u64(b, 3);
	put_bytes(b, "abc", 3);
	put_bytes(b, "header_event", 13);
	put_u64(b, 2);
	put_bytes(b, "de", 2);
	put_u32(b, 1);
	put_format(b, "print", 5);
	put_u32(b, 2);
	put_bytes(b, "kvm", 4);
	put_u32(b, 2);
	put_format(b, "kvm_exit", FIRST_TYPE);
	put_format(b, "kvm_entry", FIRST_TYPE + 1);
	put_bytes(b, "kvmmmu", 7);
	put_u32(b, 1 + m->more_formats);
	for (unsigned int i = 0; i < m->more_formats; i++)
		put_filler(b, i ? 1 : m->long_format);
	put_format(b, "kvm_mmu_get_page", FIRST_TYPE + 2);
	put_u32(b, 0);
	put_u32(b, 0);
	put_u64(b, 0);
}

static void put_text(struct bytes *b, const char *text)
{
	size_t n = (strlen(text) + 64) & ~63ull, have = b->n + 4;

	put_u32(b, (uint32_t)n);
	put_bytes(b, text, strlen(text));
	while (b->n < have + n)
		put_bytes(b, "", 1);
}

static const int parts[] = { 1, 4, 5, 6, 8, 11, 13, 24, 27 };

#define N_PARTS (sizeof(parts) / sizeof(*parts))

static bool has_part(const struct make *m, int part)
{
	return (part != 1 || !m->no_formats) && (part != 24 || m->threads) &&
	       (part != 27 || m->compressed);
}

static void put_part(struct bytes *b, const struct make *m, int part)
{
	static const char *const texts[] = { [4] = "6.1.0-test",
					     [5] = "6.1.99",
					     [6] = "x86_64",
					     [8] = "A Processor",
					     [13] = "not of interest" };

	if (part == 1) {
		put_formats(b, m);
	} else if (part == 11) {
		put_u32(b, 3);
		put_text(b, "/usr/bin/perf");
		put_text(b, "record");
		put_text(b, "-a");
	} else if (part == 24) {
		put_u64(b, 1);
	} else if (part == 27) {
		put_u32(b, 1);
		put_u32(b, (uint32_t)m->compressed);
		put_u32(b, 1);
		put_u32(b, 5);
		put_u32(b, 528384);
	} else {
		put_text(b, texts[part]);
	}
	for (size_t i = 0; part == 13 && i < m->long_part; i++)
		put_bytes(b, "#", 1);
}

static void put_parts(struct bytes *b, const struct make *m)
{
	size_t table = b->n;
	uint64_t place[2];

	for (size_t i = 0; i < N_PARTS; i++)
		if (has_part(m, parts[i]))
			put_bytes(b, (uint64_t[2]){ 0 }, 16);
	for (size_t i = 0; i < N_PARTS; i++) {
		if (!has_part(m, parts[i]))
			continue;
		place[0] = b->n;
		put_part(b, m, parts[i]);
		place[1] = b->n - place[0];
		memcpy(b->p + table, place, sizeof(place));
		table += sizeof(place);
	}
}

void make_file(const struct make *m, struct bytes *file)
{
	uint64_t ids = 104, attrs = ids + 8ull * EVENTS * CPUS, mask[4] = { 0 };
	uint64_t data = attrs + EVENTS * (m->attr_size + 16ull);

	for (size_t i = 0; i < N_PARTS; i++)
		if (has_part(m, parts[i]))
			mask[0] |= 1ull << parts[i];
	file->n = 0;
	put_bytes(file, "PERFILE2", 8);
	put_u64(file, 104);
	put_u64(file, m->attr_size + 16);
	put_u64(file, attrs);
	put_u64(file, data - attrs);
	put_u64(file, data);
	put_u64(file, m->records.n);
	put_u64(file, 0);
	put_u64(file, 0);
	put_bytes(file, mask, sizeof(mask));
	for (unsigned int i = 0; i < EVENTS; i++)
		put_ids(file, i);
	for (unsigned int i = 0; i < EVENTS; i++) {
		put_attr(file, m, i);
		put_u64(file, ids + 8ull * i * CPUS);
		put_u64(file, 8ull * CPUS);
	}
	put_bytes(file, m->records.p, m->records.n);
	put_parts(file, m);
}

static void put_tracing_record(struct bytes *b, const struct make *m)
{
	struct bytes formats = { 0 };
	size_t at = begin(b, 66, 0);

	put_formats(&formats, m);
	put_padding(&formats, 8);
	put_u32(b, (uint32_t)formats.n);
	put_u32(b, 0);
	end(b, at);
	put_bytes(b, formats.p, formats.n);
	free(formats.p);
}

static void put_part_record(struct bytes *b, const struct make *m, int part)
{
	size_t at = begin(b, 80, 0);

	put_u64(b, (uint64_t)part);
	put_part(b, m, part);
	end(b, at);
}

void add_part(struct make *m, int part)
{
	put_part_record(&m->records, m, part);
}

void make_piped(const struct make *m, struct bytes *file)
{
	size_t at;

	file->n = 0;
	put_bytes(file, "PERFILE2", 8);
	put_u64(file, 16);
	for (unsigned int i = 0; i < EVENTS; i++) {
		at = begin(file, 64, 0);
		put_attr(file, m, i);
		put_ids(file, i);
		end(file, at);
	}
	for (size_t i = 0; i < N_PARTS; i++)
		if (parts[i] != 1 && has_part(m, parts[i]))
			put_part_record(file, m, parts[i]);
	if (!m->no_formats)
		put_tracing_record(file, m);
	put_bytes(file, m->records.p, m->records.n);
}

/* ---- what is handed on ---- */

static int count_call(struct taken *t)
{
	if (++t->calls != t->stop_at)
		return 0;
	return ut_error_set(&t->sink.err, "the sink has had enough");
}

static struct got *next(struct taken *t, int kind)
{
	if (t->n == t->room) {
		t->room = t->room ? 2 * t->room : 64;
		t->got = realloc(t->got, t->room * sizeof(*t->got));
		if (!t->got)
			abort();
	}
	t->got[t->n] = (struct got){ .kind = kind };
	return &t->got[t->n++];
}

static int take_format(void *arg, const char *system, const char *text, size_t size)
{
	struct taken *t = arg;
	char name[32] = "";

	if (size > 6)
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(text + 6, "\n"), text + 6);
	if (t->n_formats < 16)
		snprintf(t->formats[t->n_formats++], sizeof(t->formats[0]), "%.24s:%s", system,
			 name);
	return count_call(t);
}

static int take_record(void *arg, const struct import_record *r)
{
	const uint8_t *data = r->data;
	struct taken *t = arg;
	struct got *g = next(t, GOT_RECORD);
	uint64_t v;

	g->time = r->time;
	g->cpu = r->cpu;
	g->pid = r->pid;
	g->tid = r->tid;
	if (r->size >= 12) {
		memcpy(&g->type, data, 2);
		memcpy(&g->number, data + 8, 4);
	}
	if (r->size != 12 + g->number % 5 * 8)
		t->wrong = true;
	for (uint32_t i = 0; i < g->number % 5 && !t->wrong; i++) {
		memcpy(&v, data + 12 + 8 * i, 8);
		if (v != g->number + i)
			t->wrong = true;
	}
	return count_call(t);
}

static int take_lost(void *arg, uint64_t time, uint32_t cpu, uint64_t count)
{
	struct got *g = next(arg, GOT_LOST);

	g->time = time;
	g->cpu = cpu;
	g->count = count;
	return count_call(arg);
}

static int take_thread(void *arg, uint32_t tid, uint32_t pid, const char *name)
{
	struct got *g = next(arg, GOT_THREAD);

	g->tid = tid;
	g->pid = pid;
	snprintf(g->name, sizeof(g->name), "%s", name ? name : "(none)");
	return count_call(arg);
}

static int take_fact(void *arg, enum import_fact fact, const char *value)
{
	struct taken *t = arg;

	snprintf(t->facts[fact], sizeof(t->facts[fact]), "%s", value);
	t->told[fact]++;
	return count_call(arg);
}

void taken_init(struct taken *t)
{
	memset(t, 0, sizeof(*t));
	t->sink = (struct import_sink){
		.format = take_format,
		.record = take_record,
		.lost = take_lost,
		.thread = take_thread,
		.fact = take_fact,
		.arg = t,
	};
}

void taken_free(struct taken *t)
{
	free(t->got);
}

/* One file in memory, for all. */
int take_file(struct taken *t, const struct bytes *file, struct ut_error *err)
{
	static int memory = -1;

	if (memory < 0)
		memory = memfd_create("perf.data", 0);
	if (memory < 0 || ftruncate(memory, 0) ||
	    pwrite(memory, file->p, file->n, 0) != (ssize_t)file->n || lseek(memory, 0, SEEK_SET))
		abort();
	return perf_read(memory, "perf.data", &t->sink, err);
}

static void write_in_steps(int fd, const struct bytes *file, size_t step)
{
	size_t n;

	for (size_t at = 0; at < file->n; at += n) {
		n = file->n - at < step ? file->n - at : step;
		if (write(fd, file->p + at, n) != (ssize_t)n)
			_exit(1);
	}
	_exit(0);
}

int take_pipe(struct taken *t, const struct bytes *file, size_t step, struct ut_error *err)
{
	int ends[2], ret;
	pid_t child;

	if (pipe(ends))
		abort();
	child = fork();
	if (!child) {
		close(ends[0]);
		write_in_steps(ends[1], file, step);
	}
	close(ends[1]);
	ret = perf_read(ends[0], "-", &t->sink, err);
	close(ends[0]);
	waitpid(child, NULL, 0);
	return ret;
}
