// SPDX-License-Identifier: GPL-2.0-only
#include "models/marks.h"
#include "models/history.h"

#include <stdlib.h>
#include <string.h>

#define BATCH 16  /* KVM_PAGE_ARRAY_NR: inner nodes on the way are held in it, too */
#define GROUP 8u  /* entries that share a bit of a word */
#define CHUNK 128 /* cells allocated at a time */

struct um_marks_chunk {
	struct um_marks_chunk *next;
	uint64_t cells[];
};

static struct um_page_marks *marks_of(const struct um_page *page)
{
	return page->priv;
}

static void scanned(const struct um_marks *m, unsigned int entries)
{
	if (m->scanned)
		*m->scanned += entries;
}

/* ---- what is kept beside the descriptors ---- */

void um_marks_init(struct um_marks *m, enum um_marks_kind kind, uint64_t *counter)
{
	memset(m, 0, sizeof(*m));
	m->kind = kind;
	m->scanned = counter;
	if (kind == UM_MARKS_EXTERNAL)
		m->cell = UM_MARKS_WORDS * sizeof(uint64_t);
	else if (kind == UM_MARKS_LIST)
		m->cell = sizeof(struct um_mark);
}

void um_marks_fini(struct um_marks *m)
{
	while (m->chunks) {
		struct um_marks_chunk *chunk = m->chunks;

		m->chunks = chunk->next;
		free(chunk);
	}
	m->free = NULL;
}

static int more_cells(struct um_mmu *mmu, struct um_marks *m)
{
	struct um_marks_chunk *chunk = malloc(sizeof(*chunk) + CHUNK * m->cell);

	if (!chunk)
		return um_fail(mmu, "out of memory for marks");
	chunk->next = m->chunks;
	m->chunks = chunk;
	for (unsigned int i = 0; i < CHUNK; i++) {
		void **cell = (void **)((char *)chunk->cells + i * m->cell);

		*cell = m->free;
		m->free = cell;
	}
	return 0;
}

/* A zeroed cell, or NULL if memory is short (the instance has failed then). */
static void *take_cell(struct um_mmu *mmu, struct um_marks *m)
{
	void **cell;

	if (!m->free && more_cells(mmu, m))
		return NULL;
	cell = m->free;
	if (!cell)
		return NULL;
	m->free = *cell;
	memset(cell, 0, m->cell);
	um_bookkeeping(mmu, (int64_t)m->cell);
	return cell;
}

static void give_cell(struct um_mmu *mmu, struct um_marks *m, void *cell)
{
	*(void **)cell = m->free;
	m->free = cell;
	um_bookkeeping(mmu, -(int64_t)m->cell);
}

void um_marks_release(struct um_mmu *mmu, struct um_marks *m, struct um_page *page)
{
	struct um_page_marks *p = marks_of(page);

	if (m->kind == UM_MARKS_EXTERNAL && p->external) {
		give_cell(mmu, m, p->external);
	} else if (m->kind == UM_MARKS_LIST) {
		while (p->list) {
			struct um_mark *mark = p->list;

			p->list = mark->next;
			give_cell(mmu, m, mark);
		}
	}
	memset(p, 0, sizeof(*p));
}

uint32_t um_marks_cost(const struct um_marks *m, const struct um_page *page)
{
	if (page->role & UT_ROLE_DIRECT)
		return 0;
	switch (m->kind) {
	case UM_MARKS_BITMAP:
		return UM_MARKS_WORDS * 8 + 8;
	case UM_MARKS_NONE:
		return 8;
	default: /* a pointer or a word */
		return 8 + 8;
	}
}

/* ---- single marks ---- */

static uint64_t bit_of(unsigned int index)
{
	return 1ull << (index & 63);
}

static uint64_t *bits_of(const struct um_marks *m, struct um_page_marks *p)
{
	return m->kind == UM_MARKS_BITMAP ? p->bits : p->external;
}

static void set_bit(struct um_page_marks *p, uint64_t *word, uint64_t bit)
{
	p->marked += !(*word & bit);
	*word |= bit;
}

static void clear_bit(struct um_page_marks *p, uint64_t *word, uint64_t bit)
{
	p->marked -= !!(*word & bit);
	*word &= ~bit;
}

/* The link that leads to the mark of an entry; to the list's end if there is none. */
static struct um_mark **find_mark(const struct um_marks *m, struct um_page_marks *p,
				  unsigned int index)
{
	struct um_mark **link = &p->list;

	while (*link && (scanned(m, 1), (*link)->index != index))
		link = &(*link)->next;
	return link;
}

static void list_mark(struct um_mmu *mmu, struct um_marks *m, struct um_page_marks *p,
		      unsigned int index)
{
	struct um_mark *mark;

	if (*find_mark(m, p, index))
		return;
	mark = take_cell(mmu, m);
	if (!mark)
		return;
	*mark = (struct um_mark){ .next = p->list, .index = (uint16_t)index };
	p->list = mark;
	p->marked++;
}

static void set_mark(struct um_mmu *mmu, struct um_marks *m, struct um_page *page,
		     unsigned int index)
{
	struct um_page_marks *p = marks_of(page);

	switch (m->kind) {
	case UM_MARKS_EXTERNAL:
		if (!p->external)
			p->external = take_cell(mmu, m);
		if (!p->external)
			return;
		/* fall through */
	case UM_MARKS_BITMAP:
		set_bit(p, &bits_of(m, p)[index / 64], bit_of(index));
		break;
	case UM_MARKS_NONE:
		p->marked = 1;
		break;
	case UM_MARKS_WORD:
		set_bit(p, &p->word, 1ull << index / GROUP);
		break;
	case UM_MARKS_LIST:
		list_mark(mmu, m, p, index);
		break;
	}
}

static bool group_dirty(const struct um_mmu *mmu, const struct um_page *page, unsigned int index)
{
	unsigned int first = index & ~(GROUP - 1);

	for (unsigned int i = first; i < first + GROUP; i++) {
		const struct um_page *child = um_child(mmu, page, i);

		if (child && um_marks_dirty(child))
			return true;
	}
	return false;
}

/* Nothing is out of sync any more behind an entry. (With one flag only a walk can tell for all.) */
static void clear_mark(struct um_mmu *mmu, struct um_marks *m, struct um_page *page,
		       unsigned int index)
{
	struct um_page_marks *p = marks_of(page);
	struct um_mark **link, *mark;

	switch (m->kind) {
	case UM_MARKS_EXTERNAL:
		if (!p->external)
			return;
		/* fall through */
	case UM_MARKS_BITMAP:
		clear_bit(p, &bits_of(m, p)[index / 64], bit_of(index));
		break;
	case UM_MARKS_NONE:
		break;
	case UM_MARKS_WORD:
		scanned(m, GROUP);
		if (!group_dirty(mmu, page, index))
			clear_bit(p, &p->word, 1ull << index / GROUP);
		break;
	case UM_MARKS_LIST:
		link = find_mark(m, p, index);
		mark = *link;
		if (!mark)
			return;
		*link = mark->next;
		give_cell(mmu, m, mark);
		p->marked--;
		break;
	}
}

/* ---- marking ---- */

static void mark_parents(struct um_mmu *mmu, struct um_marks *m, const struct um_page *page);

/* The entry (@parent, @index) leads to something out of sync. */
static void mark_entry(struct um_mmu *mmu, struct um_marks *m, struct um_page *parent,
		       unsigned int index)
{
	bool marked = um_marks_below(parent);

	mmu->count[UM_parents_marked]++;
	set_mark(mmu, m, parent, index);
	/* A page with marks is marked in its own parents. */
	if (marked && !m->every_ancestor)
		mmu->count[UM_marks_cut]++;
	else
		mark_parents(mmu, m, parent);
}

static void mark_parents(struct um_mmu *mmu, struct um_marks *m, const struct um_page *page)
{
	for (uint32_t i = 0; i < page->n_parents; i++) {
		struct um_page *parent = um_page_by_id(mmu, page->parents[i].page);

		if (parent)
			mark_entry(mmu, m, parent, page->parents[i].index);
	}
}

void um_marks_unsync(struct um_mmu *mmu, struct um_marks *m, struct um_page *page)
{
	um_mark_unsync(mmu, page);
	mark_parents(mmu, m, page);
}

void um_marks_linked(struct um_mmu *mmu, struct um_marks *m, struct um_page *parent,
		     unsigned int index, const struct um_page *child)
{
	if (parent && um_marks_dirty(child))
		mark_entry(mmu, m, parent, index);
}

/* ---- walking along the marks ---- */

struct step {
	struct um_page *page;
	int parent;	    /* position in the batch; -1: the top of the walk */
	unsigned int index; /* entry of the parent that led here */
};

struct batch {
	struct step steps[BATCH];
	int n;
	bool full;
};

static bool batch_add(struct batch *b, struct um_page *page, int parent, unsigned int index)
{
	b->steps[b->n++] = (struct step){ .page = page, .parent = parent, .index = index };
	b->full = b->n == BATCH;
	return !b->full;
}

/* Entries of a page that may lead to something out of sync, one after the other. */
struct cursor {
	const struct um_page *page;
	unsigned int next;	    /* entry to look at */
	const struct um_mark *mark; /* list: the next one, as the present one may be taken back */
};

static void first_marked(struct um_mmu *mmu, const struct um_marks *m, struct cursor *c,
			 const struct um_page *page)
{
	*c = (struct cursor){ .page = page };
	mmu->count[UM_nodes_visited]++;
	if (m->kind == UM_MARKS_LIST)
		c->mark = marks_of(page)->list;
	else if (m->kind == UM_MARKS_WORD)
		mmu->count[UM_bitmap_words]++;
	else if (m->kind != UM_MARKS_NONE)
		mmu->count[UM_bitmap_words] += UM_MARKS_WORDS;
}

static int next_bit(const uint64_t *bits, struct cursor *c)
{
	while (c->next < UM_ENTRIES) {
		uint64_t left = bits[c->next / 64] >> (c->next & 63);

		if (left) {
			c->next += (unsigned int)__builtin_ctzll(left);
			return (int)c->next++;
		}
		c->next = (c->next | 63) + 1;
	}
	return -1;
}

static int next_in_groups(uint64_t word, struct cursor *c)
{
	while (c->next < UM_ENTRIES) {
		if (word >> c->next / GROUP & 1)
			return (int)c->next++;
		c->next = (c->next | (GROUP - 1)) + 1;
	}
	return -1;
}

/* The next entry, or -1 past the last. */
static int next_marked(const struct um_marks *m, struct cursor *c)
{
	struct um_page_marks *p = marks_of(c->page);
	int index = -1;

	switch (m->kind) {
	case UM_MARKS_BITMAP:
	case UM_MARKS_EXTERNAL:
		return next_bit(bits_of(m, p), c);
	case UM_MARKS_NONE:
		index = c->next < UM_ENTRIES ? (int)c->next++ : -1;
		break;
	case UM_MARKS_WORD:
		index = next_in_groups(p->word, c);
		break;
	case UM_MARKS_LIST:
		if (c->mark) {
			index = c->mark->index;
			c->mark = c->mark->next;
		}
		break;
	}
	scanned(m, index >= 0);
	return index;
}

/* A walk found nothing out of sync behind an entry: if that was marked by itself, the mark is stale. */
static void found_nothing(struct um_mmu *mmu, struct um_marks *m, struct um_page *node,
			  unsigned int index)
{
	struct um_page_marks *p = marks_of(node);

	if (m->kind == UM_MARKS_NONE || um_relapsed(UM_RELAPSE_STALE_MARK))
		return;
	if (m->kind != UM_MARKS_WORD) {
		clear_mark(mmu, m, node, index);
	} else {
		/* The walk has just seen the whole group. */
		if (index % GROUP != GROUP - 1 || group_dirty(mmu, node, index))
			return;
		clear_bit(p, &p->word, 1ull << index / GROUP);
	}
	mmu->count[UM_stale_bits]++;
}

static unsigned int gather(struct um_mmu *mmu, struct um_marks *m, struct batch *b, int at);

struct um_page *um_marks_child(const struct um_mmu *mmu, const struct um_page *page,
			       unsigned int index)
{
	uint64_t spte = page->spt[index];

	if (um_relapsed(UM_RELAPSE_LARGE_ENTRY) && (spte & UM_SPTE_P))
		return um_page_by_id(mmu, (uint32_t)((spte & UM_SPTE_FRAME) >> 12));
	return um_child(mmu, page, index);
}

/* Gather what is out of sync behind an entry of the node at @at. Return: how many. */
static unsigned int gather_behind(struct um_mmu *mmu, struct um_marks *m, struct batch *b, int at,
				  unsigned int index)
{
	struct um_page *child = um_marks_child(mmu, b->steps[at].page, index);
	unsigned int found;
	int here = b->n;

	if (!child || !um_marks_dirty(child))
		return 0;
	found = child->unsync;
	if (batch_add(b, child, at, index) && um_marks_below(child))
		found += gather(mmu, m, b, here);
	return found;
}

/* Gather what is out of sync below the node at @at. Return: how many pages. */
static unsigned int gather(struct um_mmu *mmu, struct um_marks *m, struct batch *b, int at)
{
	struct um_page *node = b->steps[at].page;
	unsigned int found = 0;
	struct cursor c;
	int index;

	first_marked(mmu, m, &c, node);
	while ((index = next_marked(m, &c)) >= 0) {
		unsigned int behind = gather_behind(mmu, m, b, at, (unsigned int)index);

		found += behind;
		if (b->full)
			return found;
		if (!behind)
			found_nothing(mmu, m, node, (unsigned int)index);
	}
	if (!found && m->kind == UM_MARKS_NONE)
		marks_of(node)->marked = 0;
	return found;
}

static bool next_batch(struct um_mmu *mmu, struct um_marks *m, struct batch *b, struct um_page *top)
{
	b->n = 0;
	b->full = false;
	if (top->gone || !um_marks_below(top))
		return false;
	batch_add(b, top, -1, 0);
	return gather(mmu, m, b, 0) || b->full;
}

/* The page at @at is dealt with: take its mark back, and upward while nothing else is marked. */
static void clear_path(struct um_mmu *mmu, struct um_marks *m, const struct batch *b, int at)
{
	while (b->steps[at].parent >= 0) {
		struct um_page *parent = b->steps[b->steps[at].parent].page;

		if (parent->gone || (!b->steps[at].page->gone && um_marks_dirty(b->steps[at].page)))
			return;
		clear_mark(mmu, m, parent, b->steps[at].index);
		at = b->steps[at].parent;
	}
}

static void protect_batch(struct um_mmu *mmu, const struct batch *b)
{
	unsigned int lost = 0;

	for (int i = 1; i < b->n; i++) {
		if (b->steps[i].page->unsync)
			lost += um_write_protect(mmu, b->steps[i].page->frame);
	}
	if (lost)
		mmu->count[UM_flush_remote]++;
}

unsigned int um_marks_sync_page(struct um_mmu *mmu, const struct um_marks *m, struct um_page *page,
				enum um_sync_kind kind)
{
	unsigned int changed = um_sync_page(mmu, page, kind);

	if (m->zap_empty && !page->present)
		um_zap_page(mmu, page, false);
	return changed;
}

static unsigned int sync_batch(struct um_mmu *mmu, struct um_marks *m, const struct batch *b)
{
	unsigned int changed = 0;

	if (!m->one_by_one)
		protect_batch(mmu, b);
	for (int i = 1; i < b->n; i++) {
		struct um_page *page = b->steps[i].page;

		if (page->gone || !page->unsync)
			continue;
		if (m->one_by_one && um_write_protect(mmu, page->frame))
			mmu->count[UM_flush_remote]++;
		changed += um_marks_sync_page(mmu, m, page, UM_SYNC_PROTECTED);
		if (m->one_by_one)
			mmu->count[UM_flush_local]++;
		clear_path(mmu, m, b, i);
	}
	return changed;
}

void um_marks_sync_children(struct um_mmu *mmu, struct um_marks *m, struct um_page *top)
{
	unsigned int changed = 0;
	struct batch b;

	while (next_batch(mmu, m, &b, top))
		changed += sync_batch(mmu, m, &b);
	if (changed && !um_relapsed(UM_RELAPSE_NO_FLUSH))
		mmu->count[UM_flush_remote]++;
}

void um_marks_sync_upper(struct um_mmu *mmu, struct um_marks *m, struct um_page *top)
{
	struct cursor c;
	int index;

	if (!um_marks_below(top))
		return;
	first_marked(mmu, m, &c, top);
	while ((index = next_marked(m, &c)) >= 0) {
		struct um_page *child = um_child(mmu, top, (unsigned int)index);
		unsigned int level = child ? ut_role_level(child->role) : 1;
		unsigned int lost;

		if (level == 1)
			continue;
		if (child->unsync) {
			lost = um_write_protect(mmu, child->frame);
			if (um_marks_sync_page(mmu, m, child, UM_SYNC_PROTECTED) || lost)
				mmu->count[UM_flush_remote]++;
		}
		if (level > 2 && !child->gone)
			um_marks_sync_upper(mmu, m, child);
	}
}

void um_marks_zap_below(struct um_mmu *mmu, struct um_marks *m, struct um_page *top)
{
	struct batch b;

	while (next_batch(mmu, m, &b, top)) {
		for (int i = 1; i < b.n; i++) {
			if (b.steps[i].page->gone || !b.steps[i].page->unsync)
				continue;
			um_zap_page(mmu, b.steps[i].page, false);
			clear_path(mmu, m, &b, i);
		}
	}
}
