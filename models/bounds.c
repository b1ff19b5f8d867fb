// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a trace cannot tell: a model gave a table up that the recorded host kept, so the guest may have
 * used it without a trace, and in this design that would have been a fault, which brings the table back;
 * and writes to it, which the trace has, would then have been exits again. UM_refaults_max counts as
 * many of both as can have been.
 *
 * Three things in the trace keep the number down. An entry that the host did not have either faulted
 * when it was used, and that is in the trace (host_has). One fault brings a group of eight entries
 * back. And a run of emulated writes with nothing else between them is one loop of the guest's kernel
 * over its tables: that the loop uses the tables which it is writing is the one thing assumed not to
 * happen, so what it overwrote when it is over was not used; unless another vCPU runs on the table.
 */
#include "models/shadow.h"

#include <stdlib.h>
#include <string.h>

/* Writes of one vCPU to one table, nothing else between them, at which a flood detector gives it up. */
#define WRITES_BEFORE_FLOOD 3

/* Tables are looked at by words of 8 bytes, of which one holds two entries of a 32-bit guest. */
static unsigned int group_words(uint32_t role)
{
	return role & UT_ROLE_4BYTE ? UM_PREFETCH_GROUP / 2 : UM_PREFETCH_GROUP;
}

static unsigned int word_of(uint32_t role, unsigned int index)
{
	if (!(role & UT_ROLE_4BYTE))
		return index;
	index += ((role & UT_ROLE_QUADRANT) >> UT_ROLE_QUADRANT_SHIFT) * UM_ENTRIES;
	return index / 2 % UM_ENTRIES;
}

static bool was_used(uint64_t gpte)
{
	return (gpte & UT_PTE_P) && (gpte & UT_PTE_A);
}

/* The recorded host filled an entry and, as it does, maybe the neighbours that were used before. */
void um_host_filled(struct um_frame *frame, uint64_t gva, bool four_byte)
{
	unsigned int word = four_byte ? (gva >> 13) % UM_ENTRIES : um_index(gva, 1);
	unsigned int n = group_words(four_byte ? UT_ROLE_4BYTE : 0);
	uint64_t bits = 1ull << (word & 63);

	for (unsigned int i = word & ~(n - 1); frame->table && i < (word | (n - 1)) + 1; i++) {
		if (was_used(frame->table[i]) || (four_byte && was_used(frame->table[i] >> 32)))
			bits |= 1ull << (i & 63);
	}
	frame->host_has[word / 64] |= bits;
}

/* A write that the host saw: the entries that it touches left the host's shadow. */
static void host_dropped(struct um_frame *frame, const struct ut_write *w)
{
	unsigned int last = (w->offset + w->size - 1u) / 8;

	for (unsigned int i = w->offset / 8; i <= last && i < UM_ENTRIES; i++)
		frame->host_has[i / 64] &= ~(1ull << (i & 63));
}

/* Does an address space that another vCPU has loaded lead to the page? */
static bool runs_elsewhere(const struct um_mmu *mmu, const struct um_vcpu *vcpu,
			   const struct um_page *page)
{
	const struct um_vcpu *other;

	for (unsigned int i = 0; (other = um_vcpu_at(mmu, i)); i++) {
		if (other != vcpu && other->root == page)
			return true;
	}
	for (uint32_t i = 0; i < page->n_parents; i++) {
		const struct um_page *parent = um_page_by_id(mmu, page->parents[i].page);

		/* A table may map itself: go up in levels only. */
		if (parent && ut_role_level(parent->role) > ut_role_level(page->role) &&
		    runs_elsewhere(mmu, vcpu, parent))
			return true;
	}
	return false;
}

static unsigned int groups_left(const struct um_frame *frame)
{
	unsigned int n = frame->group_words, groups = 0;

	for (unsigned int i = 0; n && i < UM_ENTRIES; i += n) {
		uint64_t bits = frame->given_up[i / 64] & frame->host_has[i / 64];

		groups += !!(bits >> (i & 63) & ((1u << n) - 1));
	}
	return groups;
}

/* The guest did something else than writing: it may have used what was given up. */
static void may_return(struct um_mmu *mmu, struct um_frame *frame)
{
	unsigned int exits = groups_left(frame) + frame->links_given_up;

	mmu->count[UM_refaults_max] += exits;
	frame->returned = exits;
	frame->run = 0;
}

void um_bounds_settle(struct um_mmu *mmu)
{
	struct um_shadow *s = um_shadow(mmu);

	for (uint32_t i = 0; i < s->n_unsettled; i++) {
		s->unsettled[i]->unsettled = false;
		may_return(mmu, s->unsettled[i]);
	}
	s->n_unsettled = 0;
	/* An ordinary fault makes flood detectors begin anew. */
	s->written_last = NULL;
}

static void unsettle(struct um_mmu *mmu, struct um_frame *frame)
{
	struct um_shadow *s = um_shadow(mmu);

	if (frame->unsettled)
		return;
	if (s->n_unsettled == s->cap_unsettled) {
		uint32_t cap = s->cap_unsettled ? s->cap_unsettled * 2 : 64;
		struct um_frame **more = realloc(s->unsettled, cap * sizeof(struct um_frame *));

		if (!more) {
			um_fail(mmu, "out of memory for tables given up");
			return;
		}
		s->unsettled = more;
		s->cap_unsettled = cap;
	}
	frame->unsettled = true;
	s->unsettled[s->n_unsettled++] = frame;
}

void um_bounds_given_up(struct um_mmu *mmu, const struct um_page *page, bool flood)
{
	struct um_shadow *s = um_shadow(mmu);
	struct um_frame *frame = page->frame;

	if (page->role & UT_ROLE_DIRECT)
		return;
	frame->by_flood = flood;
	if (ut_role_level(page->role) > 1) {
		frame->links_given_up += page->present;
	} else {
		frame->group_words = (uint8_t)group_words(page->role);
		for (unsigned int i = 0; i < UM_ENTRIES; i++) {
			unsigned int word = word_of(page->role, i);

			if (page->spt[i] & UM_SPTE_P)
				frame->given_up[word / 64] |= 1ull << (word & 63);
		}
	}
	if (s->writer && !runs_elsewhere(mmu, s->writer, page))
		unsettle(mmu, frame);
	else
		may_return(mmu, frame);
}

void um_bounds_written(struct um_mmu *mmu, const struct um_vcpu *vcpu, struct um_frame *frame,
		       const struct ut_write *w)
{
	struct um_shadow *s = um_shadow(mmu);

	host_dropped(frame, w);
	if (s->written_last != frame || s->written_by != vcpu)
		frame->run = 0;
	s->written_last = frame;
	s->written_by = vcpu;
	if (!frame->returned || frame->n_pages)
		return;
	mmu->count[UM_refaults_max]++;
	mmu->count[UM_rewrites_max]++;
	if (++frame->run < WRITES_BEFORE_FLOOD || !frame->by_flood)
		return;
	/* By now it would have been given up again. */
	frame->returned = false;
	unsettle(mmu, frame);
}

void um_bounds_known(struct um_frame *frame)
{
	memset(frame->given_up, 0, sizeof(frame->given_up));
	frame->links_given_up = 0;
	frame->returned = false;
	frame->run = 0;
}
