/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest's page tables as a trace tells of them, with their past, and what each vCPU did to its TLB:
 * so that for any translation one can say whether the architecture lets a vCPU use it now.
 *
 * It shares no code with the models' shadow MMU, so that it can judge them.
 *
 * A vCPU may use a translation if its tables hold it, or held it at some time since the last flush on
 * that vCPU which covers it. "Hold" means: from the root that its CR3 names down to the leaf, every entry
 * present and accessed. A processor may also keep upper entries in its paging-structure caches and read
 * a lower entry later; so the moments at which the entries of a path were read need not be one, but must
 * follow each other downwards, with no flush of those caches between an upper entry's end and the
 * reading of a lower one. Intel SDM vol. 3A, 4.10: caching translation information.
 *
 * Time is the number of the event. A flush at event n leaves what is valid at n.
 */
#ifndef UNSYNC_REPLAY_GUEST_H
#define UNSYNC_REPLAY_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/event.h"

struct ur_guest;

/* A translation as some shadow entry gives it. */
struct ur_translation {
	uint64_t gva;	    /* first address that it is asked for */
	uint64_t gfn;	    /* guest frame there */
	unsigned int level; /* of the entry: 1 = 4 KiB, 2 = 2 MiB, 3 = 1 GiB */
	bool write, user, exec;
};

enum ur_answer {
	UR_NO,	  /* no flush since allows it */
	UR_NOW,	  /* the tables hold it */
	UR_PAST,  /* they did, and no flush since covers it */
	UR_CANNOT /* the trace does not tell enough */
};

/* What is known of one entry. */
enum ur_knowledge {
	UR_UNKNOWN, /* the trace never gave the table's content */
	/*
	 * The trace contradicts itself: a walk read something else, and no write explains it. Lasts until
	 * the whole table is told, as what designs remember may rest on either.
	 */
	UR_DOUBTFUL,
	UR_KNOWN
};

/**
 * ur_guest_create() - a guest of which nothing is known
 *
 * Return: NULL if out of memory.
 */
struct ur_guest *ur_guest_create(void);
void ur_guest_destroy(struct ur_guest *g);

/**
 * ur_guest_event() - let one event happen
 * @g: the guest
 * @event: of this guest's VM
 *
 * Return: 0, or -1 if out of memory; then the guest is of no use any more.
 */
int ur_guest_event(struct ur_guest *g, const struct ut_event *event);

/**
 * ur_guest_entry() - the 8-byte word of a table
 * @gfn: frame of the table
 * @index: of the word
 * @value: set if the content is known
 */
enum ur_knowledge ur_guest_entry(const struct ur_guest *g, uint64_t gfn, unsigned int index,
				 uint64_t *value);

/**
 * ur_guest_may_use() - may a vCPU's TLB hold a translation?
 * @vcpu: its number in the trace
 * @t: the translation
 */
enum ur_answer ur_guest_may_use(const struct ur_guest *g, uint16_t vcpu,
				const struct ur_translation *t);

/**
 * ur_guest_now() - where an address leads by the tables as they are
 * @vcpu: its number in the trace
 * @gva: the address
 * @gfn: set to the guest frame
 * @entry: set to the entry on which the walk ended
 *
 * Return: whether it leads anywhere.
 */
bool ur_guest_now(const struct ur_guest *g, uint16_t vcpu, uint64_t gva, uint64_t *gfn,
		  uint64_t *entry);

/**
 * ur_guest_paged() - is the vCPU in a paging mode whose tables are understood here?
 */
bool ur_guest_paged(const struct ur_guest *g, uint16_t vcpu);

/*
 * Words that the last event changed, in the order in which they changed: (gfn, index). Valid until the
 * next event.
 */
struct ur_change {
	uint64_t gfn;
	uint16_t index;
};
const struct ur_change *ur_guest_changes(const struct ur_guest *g, size_t *n);

/**
 * ur_guest_contradictions() - entries that walks read otherwise than the trace had told
 */
uint64_t ur_guest_contradictions(const struct ur_guest *g);

#endif
