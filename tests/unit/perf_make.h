/* SPDX-License-Identifier: GPL-2.0-only */
/* Makes recordings as perf record writes them, and remembers what the reader hands on. */
#ifndef UNSYNC_TESTS_PERF_MAKE_H
#define UNSYNC_TESTS_PERF_MAKE_H

#include "import/perf.h"

enum { EVENTS = 3, CPUS = 4, FIRST_ID = 100, FIRST_TYPE = 1400 };

/* Fields of samples, by the numbers of the kernel's interface. */
enum {
	S_IP = 1 << 0,
	S_TID = 1 << 1,
	S_TIME = 1 << 2,
	S_ADDR = 1 << 3,
	S_READ = 1 << 4,
	S_CALLCHAIN = 1 << 5,
	S_ID = 1 << 6,
	S_CPU = 1 << 7,
	S_PERIOD = 1 << 8,
	S_STREAM = 1 << 9,
	S_RAW = 1 << 10,
	S_BRANCHES = 1 << 11,
	S_IDENTIFIER = 1 << 16,
	S_USUAL = S_IP | S_TID | S_TIME | S_ID | S_CPU | S_PERIOD | S_RAW,
};

/* What stands beside a counter's value. */
enum { V_ENABLED = 1, V_RUNNING = 2, V_ID = 4, V_GROUP = 8, V_LOST = 16 };

struct bytes {
	uint8_t *p;
	size_t n, room;
};

void put_bytes(struct bytes *b, const void *p, size_t n);
void put_u16(struct bytes *b, uint16_t v);
void put_u32(struct bytes *b, uint32_t v);
void put_u64(struct bytes *b, uint64_t v);
/* Zero bytes up to a multiple of so many. */
void put_padding(struct bytes *b, size_t multiple);

/* An event: on each CPU its id is another. */
struct shape {
	uint32_t type; /* 2: a tracepoint */
	uint64_t samples, values;
	bool no_tails;
	int clock;	    /* -1: the usual one */
	unsigned int chain; /* length of call chains */
};

struct make {
	struct shape shapes[EVENTS];
	uint32_t attr_size;
	struct bytes records;
	bool no_formats, long_is_4;
	struct bytes
		tracing; /* the part with the formats, if not the usual one; its maker frees it */
	uint8_t swapped; /* byte order of the formats */
	int compressed;	 /* kind of compression; 0: none */
	bool threads;
	unsigned int more_formats; /* of events that do not matter */
	size_t long_format;	   /* bytes of the first of these */
	size_t long_part;	   /* bytes of something else that does not matter */
};

/* A recording with tracepoints alone, in the layout that perf uses. */
void make_usual(struct make *m);
/* As it stands in a file, or as it is piped. */
void make_file(const struct make *m, struct bytes *file);
void make_piped(const struct make *m, struct bytes *file);
void make_free(struct make *m);

/* Records. The sample's data holds a number by which it is known again. */
struct sample {
	uint64_t time;
	uint32_t cpu, pid, tid;
	unsigned int event;
	uint32_t number;
};

uint64_t id_of(unsigned int event, uint32_t cpu);
void add_sample(struct make *m, const struct sample *s);
void add_comm(struct make *m, uint64_t time, uint32_t pid, uint32_t tid, const char *name);
void add_fork(struct make *m, uint64_t time, uint32_t pid, uint32_t tid);
void add_lost(struct make *m, uint64_t time, uint32_t cpu, uint64_t count);
void add_lost_samples(struct make *m, uint64_t time, uint64_t id, uint64_t count, uint16_t flags);
void add_throttle(struct make *m, uint64_t time, uint64_t id);
void add_read(struct make *m, unsigned int event, uint32_t cpu, uint64_t lost);
void add_round(struct make *m);
void add_id_index(struct make *m);
/* Something that the recording says of itself, in a recording that is piped. */
void add_part(struct make *m, int part);
/* Any record without a tail. */
void add_plain(struct make *m, uint32_t type, const void *data, size_t n);

/*
 * The records so far become compressed ones.
 * @type: 81 or 83
 * @step: bytes that are compressed at a time
 * @overflow: lengths of type 83 as Linux 6.16 wrote them; @step is then what perf reads at a time
 *
 * As with perf, what has no room in the last record stays with the compressor. Return: bytes of it.
 */
size_t compress(struct make *m, uint32_t type, size_t step, bool overflow);

/* What was handed on. */
enum { GOT_RECORD = 1, GOT_LOST, GOT_THREAD };

struct got {
	int kind;
	uint64_t time, count;
	uint32_t cpu, pid, tid;
	uint16_t type;
	uint32_t number;
	char name[32];
};

struct taken {
	struct import_sink sink;
	struct got *got;
	size_t n, room;
	char facts[IMPORT_FACTS][256];
	int told[IMPORT_FACTS];
	char formats[16][64]; /* system:name */
	size_t n_formats;
	bool wrong;  /* a sample's data are not what they were made of */
	int stop_at; /* fail at this call, counted from 1 */
	int calls;
};

void taken_init(struct taken *t);
void taken_free(struct taken *t);
/* Read it from a file in memory. */
int take_file(struct taken *t, const struct bytes *file, struct ut_error *err);
/* Read it from a pipe into which so many bytes are written at a time. */
int take_pipe(struct taken *t, const struct bytes *file, size_t step, struct ut_error *err);

#endif
