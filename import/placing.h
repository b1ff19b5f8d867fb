/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where in a trace a write belongs that only a later walk has shown. A table that is in sync cannot have
 * been written unnoticed: the write was emulated, or it happened while the table was out of sync, before it
 * was synced last. So events are held back for a while, and such a write is put behind the fault that
 * was emulated there, or before the sync.
 *
 * Of an emulated write to an upper table that no walk shows in that time the value is taken to be zero:
 * who tears tables down clears entries that nobody reads again. That it was written is certain.
 */
#ifndef UNSYNC_IMPORT_PLACING_H
#define UNSYNC_IMPORT_PLACING_H

#include "trace/event.h"

#define PLACING_EVENTS 65536u  /* that are held back */
#define PLACING_TABLES 262144u /* of which it is remembered where they were synced and written */

struct placing;

/* Is it a write that the host emulated, and is known where? */
static inline bool placing_emulates(const struct ut_fault *f)
{
	return f->outcome == UT_OUT_EMULATED && f->error & UT_PF_WRITE && f->top >= 2;
}

/* Where an access went in guest memory, by its walk. */
static inline uint64_t placing_gpa(const struct ut_fault *f)
{
	unsigned int shift = f->top == 2 ? 2 + 10 * f->bottom : 3 + 9 * f->bottom;
	uint64_t inside = (1ull << shift) - 1;

	return (f->walk[f->bottom - 1] & UT_PTE_FRAME & ~inside) | (f->gva & inside);
}

/**
 * placing_new() - Return: nothing is held back yet, or NULL if out of memory
 * @emit: takes events in their places; returns 0, or -1 to stop
 */
struct placing *placing_new(int (*emit)(void *arg, const struct ut_event *e), void *arg);

/**
 * placing_event() - the next event
 * @e: of a page without content, so that nothing but texts has to be copied
 *
 * Return: 0; -1 if emit() returned that or memory ran out.
 */
int placing_event(struct placing *p, const struct ut_event *e);

/**
 * placing_amend_cr3() - the last write to CR3 that a vCPU was said to have made had another value
 * @value: as written
 *
 * Return: false if it is not held back any more, or the vCPU's registers were told since.
 */
bool placing_amend_cr3(struct placing *p, uint16_t vm, uint16_t vcpu, uint64_t value);

/**
 * placing_flush() - hand on what is held back
 *
 * Return: 0; -1 if emit() returned that.
 */
int placing_flush(struct placing *p);

/**
 * placing_free() - NULL is allowed
 */
void placing_free(struct placing *p);

#endif
