/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the story share: story.c takes records and says whose they are, story_vcpu.c tells
 * what a vCPU does (its registers, faults and exits), story_pages.c what becomes of shadow pages, and
 * story_tell.c puts it into the records that the assembler understands.
 *
 * Functions that return int: 0, or -1 with the sink's error set.
 */
#ifndef UNSYNC_IMPORT_STORY_PARTS_H
#define UNSYNC_IMPORT_STORY_PARTS_H

#include "collector/assemble.h"
#include "import/formats.h"
#include "import/guests.h"
#include "import/placing.h"
#include "import/roots.h"
#include "import/story.h"

#define STORY_PAGE_SHIFT 12
#define HELD_RECORDS 256u
#define HELD_BYTES 64u

/* A page that a vCPU looked up before it first entered its guest, when nobody knows the vCPU yet. */
struct held {
	const struct format *format;
	uint32_t tid;
	uint8_t data[HELD_BYTES];
};

struct story {
	struct import_sink sink;
	struct story_options opt;
	struct story_counts counts;
	struct formats *formats;
	struct guests *guests;
	struct assembler *assembler; /* NULL before the first record */
	struct placing *placing;
	struct ut_error bad_format; /* the first that could not be used */
	char *facts[IMPORT_FACTS];
	uint64_t last;	 /* time of the last record */
	uint64_t nested; /* exits that only EPT or NPT has */
	uint64_t tables; /* shadow pages with a guest table behind them */
	uint64_t pages;	 /* others */
	bool refused;	 /* emit() wants no more */
	bool amended;	 /* the registers about to be told were put right where they were written */
	struct held held[HELD_RECORDS];
	unsigned int n_held;
	uint64_t unseen; /* emulated writes to tables, of which no record has the value */
};

/* One record on its way. */
struct now {
	const struct format *format;
	const void *data;
	struct guest_thread *thread; /* NULL: of no vCPU, and not known */
	struct guest_vcpu *vcpu;     /* NULL: the thread runs none */
	uint64_t time;
	uint32_t tid, pid; /* of the thread; pid 0: unknown */
};

/**
 * get() - a field of the record, by its place in struct format
 */
static inline uint64_t get(const struct now *n, unsigned int field)
{
	return field_get(n->format->field[field], n->data);
}

/* ---- story_tell.c ---- */

/**
 * story_fail() - the recording cannot be used: @what is missing. Return: -1.
 */
int story_fail(struct story *s, const char *what);
int story_no_memory(struct story *s);

/**
 * story_put() - hand a record of collector/ring.h to the assembler
 */
int story_put(struct story *s, const void *record, size_t size);
struct rec_head story_head(const struct guest_vcpu *c, uint64_t time, unsigned int kind);
int story_put_value(struct story *s, const struct guest_vcpu *c, uint64_t time, unsigned int kind,
		    uint64_t a, uint64_t b);

/**
 * story_put_gap() - something of a kind happened, but the recording has not what
 */
int story_put_gap(struct story *s, const struct guest_vcpu *c, uint64_t time, unsigned int kind);

/**
 * story_put_state() - the vCPU's registers are as its state says
 */
int story_put_state(struct story *s, struct guest_vcpu *c, uint64_t time);

/**
 * story_put_vm() - a VM was seen for the first time, by @t, a thread of its vCPU @c
 */
int story_put_vm(struct story *s, const struct guest_vcpu *c, const struct guest_thread *t,
		 uint64_t time);

/* ---- story_vcpu.c ---- */

/**
 * story_take_vcpu_record() - a record of a thread that runs a vCPU, but for those of pages
 */
int story_take_vcpu_record(struct story *s, const struct now *n);

/**
 * story_end_fault() - nothing more belongs to the vCPU's fault, if it has one: it is told
 */
int story_end_fault(struct story *s, struct guest_vcpu *c, uint64_t time);

/**
 * story_end_cr() - the write to a control register that is under way is told, unless kvm_cr has told it
 */
int story_end_cr(struct story *s, struct guest_vcpu *c, uint64_t time);

/**
 * story_see_root() - KVM looked up a root of four or five levels for the vCPU: what that tells of its registers
 */
int story_see_root(struct story *s, const struct now *n, uint64_t gfn, uint32_t role);

/**
 * story_levels() - levels of tables that registers say; 0: no paging
 */
unsigned int story_levels(const struct ut_state *st);

/* ---- story_pages.c ---- */

/**
 * story_take_page() - a record of a shadow page
 */
int story_take_page(struct story *s, const struct now *n);

#endif
