// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest frames: the content of those that are tables, and for each frame the shadow entries that map
 * it writable (what KVM calls the rmap; entries without write permission need not be found again).
 */
#include "models/shadow.h"

#include <stdlib.h>
#include <string.h>

static size_t slot_of(const struct um_frame_table *t, uint64_t gfn)
{
	return (gfn * 0x9e3779b97f4a7c15ull >> 20) & (t->size - 1);
}

struct um_frame *um_frame_find(const struct um_frame_table *t, uint64_t gfn)
{
	if (!t->size)
		return NULL;
	for (size_t i = slot_of(t, gfn);; i = (i + 1) & (t->size - 1)) {
		if (!t->slots[i])
			return NULL;
		if (t->slots[i]->gfn == gfn)
			return t->slots[i];
	}
}

static void insert(struct um_frame_table *t, struct um_frame *frame)
{
	size_t i = slot_of(t, frame->gfn);

	while (t->slots[i])
		i = (i + 1) & (t->size - 1);
	t->slots[i] = frame;
}

static int grow(struct um_frame_table *t)
{
	struct um_frame_table bigger = { .size = t->size ? t->size * 2 : 1024, .used = t->used };

	bigger.slots = calloc(bigger.size, sizeof(struct um_frame *));
	if (!bigger.slots)
		return -1;
	for (size_t i = 0; i < t->size; i++) {
		if (t->slots[i])
			insert(&bigger, t->slots[i]);
	}
	free(t->slots);
	*t = bigger;
	return 0;
}

struct um_frame *um_frame_get(struct um_mmu *mmu, struct um_frame_table *t, uint64_t gfn)
{
	struct um_frame *frame = um_frame_find(t, gfn);

	if (frame)
		return frame;
	if ((t->used + 1) * 4 > t->size * 3 && grow(t)) {
		um_fail(mmu, "out of memory for guest frames");
		return NULL;
	}
	frame = calloc(1, sizeof(*frame) + mmu->model->frame_bytes);
	if (!frame) {
		um_fail(mmu, "out of memory for a guest frame");
		return NULL;
	}
	frame->gfn = gfn;
	frame->priv = frame + 1;
	insert(t, frame);
	t->used++;
	return frame;
}

void um_frame_spare_free(struct um_shadow *s)
{
	while (s->spare_tables) {
		uint64_t *table = s->spare_tables;

		memcpy(&s->spare_tables, table, sizeof(s->spare_tables));
		free(table);
	}
}

void um_frame_table_free(struct um_frame_table *t)
{
	for (size_t i = 0; i < t->size; i++) {
		if (!t->slots[i])
			continue;
		free(t->slots[i]->table);
		free(t->slots[i]->writable);
		free(t->slots[i]);
	}
	free(t->slots);
}

/* Make room for a table's content. */
bool um_frame_know(struct um_mmu *mmu, struct um_frame *frame)
{
	struct um_shadow *s = um_shadow(mmu);

	if (frame->table)
		return true;
	if (s->n_tables == UM_MAX_TABLES) {
		um_fail(mmu, "more than %u guest tables at once", UM_MAX_TABLES);
		return false;
	}
	frame->table = s->spare_tables;
	if (frame->table) {
		memcpy(&s->spare_tables, frame->table, sizeof(s->spare_tables));
		memset(frame->table, 0, UM_ENTRIES * sizeof(uint64_t));
	} else {
		frame->table = calloc(UM_ENTRIES, sizeof(uint64_t));
	}
	if (!frame->table) {
		um_fail(mmu, "out of memory for a guest table");
		return false;
	}
	s->n_tables++;
	return true;
}

void um_frame_forget(struct um_mmu *mmu, struct um_frame *frame)
{
	struct um_shadow *s = um_shadow(mmu);

	if (frame->table) {
		s->n_tables--;
		memcpy(frame->table, &s->spare_tables, sizeof(s->spare_tables));
		s->spare_tables = frame->table;
	}
	frame->table = NULL;
	frame->announced = false;
	frame->partial = false;
	memset(frame->host_has, 0, sizeof(frame->host_has));
	um_bounds_known(frame);
}

void um_frame_write(struct um_frame *frame, unsigned int offset, unsigned int size, uint64_t val)
{
	/* As nearly all are. */
	if (size == 8 && !(offset & 7)) {
		frame->table[offset >> 3] = val;
		return;
	}
	for (unsigned int i = 0; i < size; i++) {
		unsigned int byte = offset + i;
		unsigned int shift = (byte & 7) * 8;
		uint64_t *word = &frame->table[byte >> 3];

		*word = (*word & ~(0xffull << shift)) | ((val >> (i * 8) & 0xff) << shift);
	}
}

static uint64_t rmap_ref(const struct um_page *page, unsigned int index)
{
	return (uint64_t)page->id << 16 | index;
}

/* Large mappings are found by level and first frame, in a table of their own. */
static uint64_t large_key(unsigned int level, uint64_t gfn)
{
	return (uint64_t)level << 56 | (gfn & ~(um_level_frames(level) - 1));
}

static struct um_frame_table *rmap_table(struct um_mmu *mmu, const struct um_page *page)
{
	return ut_role_level(page->role) == 1 ? &um_shadow(mmu)->frames : &um_shadow(mmu)->large;
}

static uint64_t rmap_key(const struct um_page *page, unsigned int index)
{
	unsigned int level = ut_role_level(page->role);
	uint64_t gfn = um_spte_gfn(page->spt[index]);

	return level == 1 ? gfn : large_key(level, gfn);
}

void um_rmap_add(struct um_mmu *mmu, struct um_page *page, unsigned int index)
{
	struct um_frame *frame = um_frame_get(mmu, rmap_table(mmu, page), rmap_key(page, index));

	if (!frame)
		return;
	if (frame->n_writable == frame->cap_writable) {
		uint32_t cap = frame->cap_writable ? frame->cap_writable * 2 : 2;
		uint64_t *more = realloc(frame->writable, cap * sizeof(uint64_t));

		if (!more) {
			um_fail(mmu, "out of memory for reverse mappings");
			return;
		}
		frame->writable = more;
		frame->cap_writable = cap;
	}
	frame->writable[frame->n_writable++] = rmap_ref(page, index);
}

void um_rmap_remove(struct um_mmu *mmu, struct um_page *page, unsigned int index)
{
	struct um_frame *frame = um_frame_find(rmap_table(mmu, page), rmap_key(page, index));
	uint64_t ref = rmap_ref(page, index);

	if (!frame)
		return;
	/* The newest mapping is the likeliest to go. */
	for (uint32_t i = frame->n_writable; i-- > 0;) {
		if (frame->writable[i] == ref) {
			frame->writable[i] = frame->writable[--frame->n_writable];
			return;
		}
	}
}

bool um_protect_entry(struct um_mmu *mmu, struct um_page *page, unsigned int index)
{
	const uint64_t writable = UM_SPTE_P | UM_SPTE_W | UM_SPTE_LEAF;

	if ((page->spt[index] & writable) != writable)
		return false;
	um_rmap_remove(mmu, page, index);
	page->spt[index] &= ~UM_SPTE_W;
	return true;
}

static unsigned int protect_list(struct um_mmu *mmu, struct um_frame *frame)
{
	unsigned int n = frame->n_writable;

	for (uint32_t i = 0; i < n; i++) {
		struct um_page *page = um_page_by_id(mmu, (uint32_t)(frame->writable[i] >> 16));

		if (page)
			page->spt[frame->writable[i] & 0xffff] &= ~UM_SPTE_W;
	}
	frame->n_writable = 0;
	mmu->count[UM_rmap_visited] += n;
	return n;
}

unsigned int um_write_protect(struct um_mmu *mmu, struct um_frame *frame)
{
	const struct um_frame_table *large = &um_shadow(mmu)->large;
	unsigned int lost = protect_list(mmu, frame);

	for (unsigned int level = 2; level <= 3; level++) {
		struct um_frame *big = um_frame_find(large, large_key(level, frame->gfn));

		if (big)
			lost += protect_list(mmu, big);
	}
	mmu->count[UM_write_protects]++;
	return lost;
}
