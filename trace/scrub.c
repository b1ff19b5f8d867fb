// SPDX-License-Identifier: GPL-2.0-only
/*
 * What must stay as it is, so that no model of a design can tell the difference:
 *
 * - which entry of which table an address goes through, whoever shares the table, at whatever level;
 * - in each table above the last level, the order of the entries that are walked: designs descend in it;
 * - in last-level tables, the groups of eight entries, which are filled together;
 * - two entries that one write touches are neighbours;
 * - large pages: which frames lie in the same 2 MiB and 1 GiB, and that the last digits of the
 *   address choose the frame in them;
 * - what entries of tables say apart from the frame, if they are present.
 *
 * So a frame number is cut into digits like an address: bits 0 to 8 are permuted as the indices of
 * last-level tables are, bits 9 to 17 as those of level 2 below a 1 GiB page, the rest at will. Entry 0 of
 * both stays where it is, as it stands for the first frame of a large page. Tables above the last level
 * have a permutation of their own for each place of an address space, unless they share tables.
 */
#include "trace/scrub.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trace/beside.h"

#define ENTRIES UT_TABLE_ENTRIES
#define GROUP 8u
#define WORDS (ENTRIES / 64)
#define LEVELS UT_MAX_LEVELS
#define FRAME_BITS 40
#define HIGH_BITS 20 /* of a frame number: those in the upper half of an 8-byte entry */
#define NONE UINT32_MAX

/* What a small file can ask for is bounded. */
#define MAX_NODES (1u << 20)
#define MAX_TABLES (1u << 17)

/*
 * A node is a place of an address space where a table may be, or a table that is shadowed. Nodes that
 * must have one permutation are united.
 */
enum { LEAF, HUGE, FIXED_NODES }; /* every last-level table; places below a 1 GiB page */

struct node {
	uint32_t parent;
	uint32_t first; /* of a set: node with walked entries; NONE: there is none */
	uint32_t above; /* of a place: the one that leads to it, by entry @index; else NONE */
	uint16_t index;
	uint32_t next;		/* with walked entries, of the same set; NONE: the last */
	uint16_t *map;		/* of the node that stands for all; NULL: not made yet */
	uint64_t walked[WORDS]; /* of one table */
	uint64_t tied[WORDS];	/* with the next entry */
	bool halves;		/* the halves of an address space stay apart */
	bool fixed;		/* nothing may move */
};

struct table {
	uint32_t node;	/* NONE: not shadowed, nor walked through */
	uint32_t walks; /* node of its own, for what is walked of it above the last level */
	uint32_t host_pages;
	uint64_t *words; /* its content; NULL: not known */
	uint64_t *shown; /* the same as the result tells it, at the old places */
};

enum { KEY_TABLE, KEY_PLACE, KEY_VCPU, KEY_BELOW };

struct slot {
	uint64_t a, b;
	uint32_t value;
	bool used;
};

/* Neighbours that stay together. */
struct block {
	uint16_t first, n;
};

/* Which blocks must come after which: a design goes through a table in the order of its entries. */
struct order {
	struct block blocks[ENTRIES];
	unsigned int n;
	uint16_t block_of[ENTRIES];
	uint64_t after[ENTRIES][WORDS];
	uint16_t before[ENTRIES]; /* how many are not laid out yet */
};

struct scrub {
	struct ut_scrub_options opt;
	struct ut_scrub_report *report;
	const char *failed;
	bool second; /* time through the trace */
	struct slot *slots;
	size_t n_slots, used;
	struct node *nodes;
	uint32_t n_nodes, room_nodes, next_node;
	struct table *tables;
	uint32_t n_tables, room_tables, known_tables;
	uint64_t *cr3;
	uint32_t n_cr3, room_cr3;
	uint64_t random; /* counter */
	uint16_t leaf[ENTRIES], huge[ENTRIES], same[ENTRIES];
	uint8_t middle[4];
	uint32_t *high; /* 2^HIGH_BITS */
	struct ut_entry entries[ENTRIES];
	struct order order;
};

/* ---- randomness: SipHash-2-4 (Aumasson, Bernstein 2012) of one or two words ---- */

static uint64_t rotate(uint64_t v, unsigned int n)
{
	return v << n | v >> (64 - n);
}

static void sip_rounds(uint64_t v[4], unsigned int n)
{
	while (n--) {
		v[0] += v[1];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[0] = rotate(v[0], 32);
		v[2] += v[3];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[2] = rotate(v[2], 32);
	}
}

static uint64_t keyed(const struct scrub *s, uint64_t a, uint64_t b)
{
	const uint64_t m[3] = { a, b, 16ull << 56 };
	uint64_t v[4] = { s->opt.key[0] ^ 0x736f6d6570736575ull,
			  s->opt.key[1] ^ 0x646f72616e646f6dull,
			  s->opt.key[0] ^ 0x6c7967656e657261ull,
			  s->opt.key[1] ^ 0x7465646279746573ull };

	for (unsigned int i = 0; i < 3; i++) {
		v[3] ^= m[i];
		sip_rounds(v, 2);
		v[0] ^= m[i];
	}
	v[2] ^= 0xff;
	sip_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* A number below @n; the error of the remainder is below 2^-40. */
static uint32_t below(struct scrub *s, uint32_t n)
{
	return (uint32_t)(keyed(s, s->random++, 1) % n);
}

/* ---- what is where ---- */

static size_t find_slot(const struct scrub *s, uint64_t a, uint64_t b)
{
	size_t i = (size_t)((a ^ rotate(b, 23)) * 0x9e3779b97f4a7c15ull >> 20) & (s->n_slots - 1);

	while (s->slots[i].used && (s->slots[i].a != a || s->slots[i].b != b))
		i = (i + 1) & (s->n_slots - 1);
	return i;
}

static bool grow_slots(struct scrub *s)
{
	struct slot *old = s->slots;
	size_t n = s->n_slots;

	if (4 * (s->used + 1) < 3 * n)
		return true;
	s->n_slots = n ? 2 * n : 1024;
	s->slots = calloc(s->n_slots, sizeof(*old));
	if (!s->slots) {
		s->slots = old;
		s->n_slots = n;
		s->failed = "out of memory";
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		if (old[i].used)
			s->slots[find_slot(s, old[i].a, old[i].b)] = old[i];
	}
	free(old);
	return true;
}

/* NULL: failed. A new one has the value NONE. */
static uint32_t *value_of(struct scrub *s, unsigned int what, uint16_t vm, uint64_t a, uint16_t x)
{
	uint64_t b = (uint64_t)what << 32 | (uint64_t)vm << 16 | x;
	struct slot *slot;

	if (!grow_slots(s))
		return NULL;
	slot = &s->slots[find_slot(s, a, b)];
	if (!slot->used) {
		*slot = (struct slot){ .a = a, .b = b, .value = NONE, .used = true };
		s->used++;
	}
	return &slot->value;
}

/* Room for one more in an array. */
static void *more(struct scrub *s, void *array, uint32_t n, uint32_t *room, size_t size)
{
	uint32_t bigger = *room ? 2 * *room : 256;
	void *grown;

	if (n < *room)
		return array;
	grown = n < MAX_NODES ? realloc(array, bigger * size) : NULL;
	if (!grown) {
		s->failed = n < MAX_NODES ? "out of memory" : "it has too many guest tables";
		return NULL;
	}
	*room = bigger;
	return grown;
}

/* The second time, nodes are asked for in the same order as the first. */
static uint32_t new_node(struct scrub *s)
{
	struct node *grown;

	if (s->second) {
		if (s->next_node < s->n_nodes)
			return s->next_node++;
		s->failed = "it changed while it was read";
		return LEAF;
	}
	grown = more(s, s->nodes, s->n_nodes, &s->room_nodes, sizeof(*grown));
	if (!grown)
		return LEAF;
	s->nodes = grown;
	grown[s->n_nodes] = (struct node){ .parent = s->n_nodes, .next = NONE, .above = NONE };
	return s->n_nodes++;
}

static uint32_t find_node(struct scrub *s, uint32_t n)
{
	while (s->nodes[n].parent != n) {
		s->nodes[n].parent = s->nodes[s->nodes[n].parent].parent;
		n = s->nodes[n].parent;
	}
	return n;
}

static void unite(struct scrub *s, uint32_t a, uint32_t b)
{
	struct node *to, *from;

	a = find_node(s, a);
	b = find_node(s, b);
	if (a == b)
		return;
	if (s->second) {
		s->failed = "it changed while it was read";
		return;
	}
	to = &s->nodes[a < b ? a : b];
	from = &s->nodes[a < b ? b : a];
	from->parent = a < b ? a : b;
	for (unsigned int i = 0; i < WORDS; i++) {
		to->tied[i] |= from->tied[i];
	}
	to->halves |= from->halves;
	to->fixed |= from->fixed;
}

static unsigned int digit(uint64_t gva, unsigned int level)
{
	return (gva >> (12 + 9 * (level - 1))) & (ENTRIES - 1);
}

/* The node of the table that an address goes through at a level above the last. */
static uint32_t place(struct scrub *s, uint16_t vm, uint64_t gva, unsigned int level)
{
	uint64_t prefix = level == LEVELS ? 0 : (gva << 7) >> (7 + 12 + 9 * level);
	uint32_t above = level == LEVELS ? NONE : place(s, vm, gva, level + 1);
	uint32_t *at = value_of(s, KEY_PLACE, vm, prefix, (uint16_t)level);
	struct node *node;

	if (!at)
		return LEAF;
	if (*at != NONE)
		return *at;
	*at = new_node(s);
	node = &s->nodes[*at];
	if (s->second || s->failed)
		return *at;
	node->halves = level >= 4;
	/* Until a walk of five levels is seen. */
	node->fixed = level == LEVELS;
	node->above = above;
	node->index = above == NONE ? 0 : (uint16_t)digit(gva, level + 1);
	return *at;
}

static struct table *table_at(struct scrub *s, uint16_t vm, uint64_t gfn)
{
	uint32_t *at = value_of(s, KEY_TABLE, vm, gfn, 0);
	struct table *grown;

	if (!at)
		return NULL;
	if (*at != NONE)
		return &s->tables[*at];
	grown = more(s, s->tables, s->n_tables, &s->room_tables, sizeof(*grown));
	if (!grown)
		return NULL;
	s->tables = grown;
	*at = s->n_tables;
	grown[s->n_tables] = (struct table){ .node = NONE, .walks = NONE };
	return &grown[s->n_tables++];
}

/* A table is used at a level. */
static struct table *use_table(struct scrub *s, uint16_t vm, uint64_t gfn, unsigned int level)
{
	struct table *t = table_at(s, vm, gfn);

	if (!t)
		return NULL;
	if (level > 1 && t->walks == NONE) {
		t->walks = new_node(s);
		if (t->node != NONE)
			unite(s, t->node, t->walks);
	}
	if (t->node == NONE)
		t->node = level == 1 ? LEAF : t->walks;
	else if (level == 1)
		unite(s, t->node, LEAF);
	return t;
}

static void forget_content(struct scrub *s, struct table *t)
{
	if (t->words)
		s->known_tables--;
	free(t->words);
	free(t->shown);
	t->words = t->shown = NULL;
}

static uint64_t *cr3_of(struct scrub *s, const struct ut_event *e)
{
	uint32_t *at = value_of(s, KEY_VCPU, e->vm, 0, e->vcpu);
	uint64_t *grown;

	if (!at)
		return NULL;
	if (*at == NONE) {
		grown = more(s, s->cr3, s->n_cr3, &s->room_cr3, sizeof(*grown));
		if (!grown)
			return NULL;
		s->cr3 = grown;
		*at = s->n_cr3;
		grown[s->n_cr3++] = 0;
	}
	return &s->cr3[*at];
}

static uint64_t frame_of(uint64_t entry)
{
	return (entry & UT_PTE_FRAME) >> 12;
}

/* ---- what happens, the same both times ---- */

static void walk_entry(struct scrub *s, const struct table *t, unsigned int index)
{
	s->nodes[t->walks].walked[index / 64] |= 1ull << (index % 64);
}

static void follow_fault(struct scrub *s, const struct ut_event *e)
{
	const struct ut_fault *f = &e->fault;
	const uint64_t *cr3;
	uint64_t gfn;

	if (!f->top)
		return;
	if (f->top < 4) {
		s->failed =
			"the guest used 32-bit paging (two or three levels), which scrub cannot "
			"renumber";
		return;
	}
	for (unsigned int level = LEVELS; level >= 2; level--) {
		uint32_t n = find_node(s, place(s, e->vm, f->gva, level));

		s->nodes[n].walked[digit(f->gva, level) / 64] |= 1ull
								 << (digit(f->gva, level) % 64);
		if (level == LEVELS && f->top == LEVELS && !s->second)
			s->nodes[n].fixed = false;
	}
	cr3 = cr3_of(s, e);
	if (!cr3)
		return;
	gfn = frame_of(*cr3);
	for (unsigned int level = f->top; level >= f->bottom && !s->failed; level--) {
		struct table *t = use_table(s, e->vm, gfn, level);

		if (t && level > 1) {
			unite(s, t->node, place(s, e->vm, f->gva, level));
			walk_entry(s, t, digit(f->gva, level));
		}
		gfn = frame_of(f->walk[level - 1]);
	}
	if (f->bottom == 3 && f->outcome != UT_OUT_REFLECTED)
		unite(s, HUGE, place(s, e->vm, f->gva, 2));
}

static void follow_page_new(struct scrub *s, const struct ut_event *e)
{
	struct table *t;

	if (e->page.role & UT_ROLE_DIRECT)
		return;
	if (e->page.role & UT_ROLE_4BYTE) {
		s->failed = "the guest used 32-bit paging (4-byte entries), which scrub cannot "
			    "renumber";
		return;
	}
	t = use_table(s, e->vm, e->page.gfn, ut_role_level(e->page.role));
	if (t)
		t->host_pages++;
}

/* With the recorded host's last shadow page of a table every model forgets it, and so does this. */
static void follow_page_zap(struct scrub *s, const struct ut_event *e)
{
	struct table *t;

	if (e->page.role & UT_ROLE_DIRECT)
		return;
	t = table_at(s, e->vm, e->page.gfn);
	if (!t || (t->host_pages && --t->host_pages))
		return;
	t->node = t->walks = NONE;
	forget_content(s, t);
}

static void follow_write(struct scrub *s, const struct ut_event *e)
{
	const struct ut_write *w = &e->write;
	struct table *t = table_at(s, e->vm, w->gfn);
	unsigned int first = w->offset / 8, last = (w->offset + w->size - 1u) / 8;
	uint32_t n;

	if (!t || first == last)
		return;
	n = find_node(s, t->node == NONE ? LEAF : t->node);
	s->nodes[n].tied[first / 64] |= 1ull << (first % 64);
}

static void touch(struct scrub *s, uint16_t vm, uint64_t gva)
{
	for (unsigned int level = LEVELS; level >= 2; level--)
		place(s, vm, gva, level);
}

static void follow(struct scrub *s, const struct ut_event *e)
{
	uint64_t *cr3 = NULL;

	switch (e->kind) {
	case UT_STATE:
		cr3 = cr3_of(s, e);
		if (cr3)
			*cr3 = e->state.cr3;
		break;
	case UT_CR:
		cr3 = e->cr.cr == 3 ? cr3_of(s, e) : NULL;
		if (cr3)
			*cr3 = e->cr.value;
		break;
	case UT_INVLPG:
		touch(s, e->vm, e->invlpg.gva);
		break;
	case UT_INVPCID:
		touch(s, e->vm, e->invpcid.gva);
		break;
	case UT_FAULT:
		follow_fault(s, e);
		break;
	case UT_PAGE_NEW:
		follow_page_new(s, e);
		break;
	case UT_WRITE:
		follow_write(s, e);
		break;
	default:
		break;
	}
}

/* ---- between the two times: permutations ---- */

static unsigned int cut_blocks(struct block *blocks, unsigned int from, unsigned int to,
			       const uint64_t *tied, unsigned int step)
{
	unsigned int n = 0;

	while (from < to) {
		unsigned int end = from + step;

		while (end < to && tied[(end - 1) / 64] >> ((end - 1) % 64) & 1)
			end += step;
		blocks[n++] = (struct block){ (uint16_t)from, (uint16_t)(end - from) };
		from = end;
	}
	return n;
}

static unsigned int lay_out(uint16_t *map, const struct block *b, unsigned int at)
{
	for (unsigned int i = 0; i < b->n; i++)
		map[b->first + i] = (uint16_t)(at + i);
	return at + b->n;
}

static void add_chain(struct order *o, const uint64_t *walked, unsigned int from, unsigned int to)
{
	unsigned int last = NONE;

	for (unsigned int i = from; i < to; i++) {
		unsigned int b = o->block_of[i];

		if (!(walked[i / 64] >> (i % 64) & 1) || b == last)
			continue;
		if (last != NONE && !(o->after[last][b / 64] >> (b % 64) & 1)) {
			o->after[last][b / 64] |= 1ull << (b % 64);
			o->before[b]++;
		}
		last = b;
	}
}

static void find_order(const struct scrub *s, const struct node *node, struct order *o,
		       unsigned int from, unsigned int to, unsigned int step)
{
	memset(o, 0, sizeof(*o));
	o->n = cut_blocks(o->blocks, from, to, node->tied, step);
	for (unsigned int b = 0; b < o->n; b++) {
		for (unsigned int i = 0; i < o->blocks[b].n; i++)
			o->block_of[o->blocks[b].first + i] = (uint16_t)b;
	}
	for (uint32_t n = node->first; n != NONE; n = s->nodes[n].next)
		add_chain(o, s->nodes[n].walked, from, to);
}

/* Any order that keeps to it. With @stay the first block does not move. */
static void mix(struct scrub *s, const struct node *node, uint16_t *map, unsigned int from,
		unsigned int to, unsigned int step, bool stay)
{
	struct order *o = &s->order;
	uint16_t ready[ENTRIES] = { 0 };
	unsigned int n_ready = 0, at = from, pick;

	find_order(s, node, o, from, to, step);
	for (unsigned int b = 0; b < o->n; b++) {
		if (!o->before[b])
			ready[n_ready++] = (uint16_t)b;
	}
	while (n_ready) {
		/* Nothing comes before the first block, so it is the first that is ready. */
		unsigned int i = stay ? 0 : below(s, n_ready);

		stay = false;
		pick = ready[i];
		ready[i] = ready[--n_ready];
		at = lay_out(map, &o->blocks[pick], at);
		for (unsigned int b = pick + 1; b < o->n; b++) {
			if (o->after[pick][b / 64] >> (b % 64) & 1 && !--o->before[b])
				ready[n_ready++] = (uint16_t)b;
		}
	}
}

static void make_map(struct scrub *s, const struct node *node, uint16_t *map, unsigned int step,
		     bool stay)
{
	if (node->fixed) {
		memcpy(map, s->same, sizeof(s->same));
	} else if (node->halves) {
		mix(s, node, map, 0, ENTRIES / 2, step, stay);
		mix(s, node, map, ENTRIES / 2, ENTRIES, step, false);
	} else {
		mix(s, node, map, 0, ENTRIES, step, stay);
	}
}

static const uint16_t *map_of(struct scrub *s, uint32_t n)
{
	struct node *node;

	n = find_node(s, n);
	node = &s->nodes[n];
	if (n == LEAF)
		return s->leaf;
	if (n == HUGE)
		return s->huge;
	if (node->map)
		return node->map;
	node->map = malloc(ENTRIES * sizeof(uint16_t));
	if (!node->map) {
		s->failed = "out of memory";
		return s->same;
	}
	make_map(s, node, node->map, 1, false);
	return node->map;
}

/* Does most of the last level have to stay in order? The longest chain tells. */
static bool mostly_ordered(struct scrub *s, const struct node *leaf)
{
	struct order *o = &s->order;
	unsigned int length[ENTRIES], longest = 0;

	find_order(s, leaf, o, 0, ENTRIES, GROUP);
	for (unsigned int b = o->n; b-- > 0;) {
		length[b] = 1;
		for (unsigned int c = b + 1; c < o->n; c++) {
			if (o->after[b][c / 64] >> (c % 64) & 1 && length[c] + 1 > length[b])
				length[b] = length[c] + 1;
		}
		longest = length[b] > longest ? length[b] : longest;
	}
	return 2 * longest > o->n;
}

/*
 * If two places have the same table, so have the places to which the same entry leads: an address may
 * go there through what was linked for another.
 */
static void unite_below(struct scrub *s)
{
	bool changed = true;

	for (uint16_t turn = 0; changed && !s->failed; turn++) {
		changed = false;
		for (uint32_t n = 0; n < s->n_nodes; n++) {
			const struct node *node = &s->nodes[n];
			uint64_t key = (uint64_t)turn << 48 | (uint64_t)node->index << 32;
			uint32_t *first;

			if (node->above == NONE)
				continue;
			first = value_of(s, KEY_BELOW, 0, key | find_node(s, node->above), 0);
			if (!first)
				return;
			if (*first == NONE)
				*first = n;
			changed |= find_node(s, *first) != find_node(s, n);
			unite(s, *first, n);
		}
	}
}

/* Which tables belong together. */
static void list_walks(struct scrub *s)
{
	for (uint32_t n = 0; n < s->n_nodes; n++)
		s->nodes[n].first = NONE;
	for (uint32_t n = 0; n < s->n_nodes; n++) {
		uint64_t any = 0;

		for (unsigned int i = 0; i < WORDS; i++)
			any |= s->nodes[n].walked[i];
		if (!any)
			continue;
		s->nodes[n].next = s->nodes[find_node(s, n)].first;
		s->nodes[find_node(s, n)].first = n;
	}
}

static int settle(struct scrub *s)
{
	/* The lowest number of a set stands for it, so LEAF does, and HUGE but for LEAF. */
	const struct node *leaf;
	uint32_t huge;

	unite_below(s);
	if (s->failed)
		return -1;
	leaf = &s->nodes[find_node(s, LEAF)];
	huge = find_node(s, HUGE);
	for (unsigned int i = 0; i < ENTRIES; i++)
		s->same[i] = (uint16_t)i;
	list_walks(s);
	s->report->leaf_kept = leaf->fixed || mostly_ordered(s, leaf);
	make_map(s, leaf, s->leaf, GROUP, true);
	if (huge == LEAF)
		memcpy(s->huge, s->leaf, sizeof(s->huge));
	else
		make_map(s, &s->nodes[huge], s->huge, 1, true);
	for (unsigned int i = 0; i < 4; i++)
		s->middle[i] = (uint8_t)i;
	for (unsigned int i = 4; i > 1; i--) {
		unsigned int other = below(s, i);
		uint8_t v = s->middle[i - 1];

		s->middle[i - 1] = s->middle[other];
		s->middle[other] = v;
	}
	s->high = malloc(sizeof(uint32_t) << HIGH_BITS);
	if (!s->high)
		return -1;
	for (uint32_t i = 0; i < 1u << HIGH_BITS; i++) {
		uint32_t other = below(s, i + 1);

		s->high[i] = s->high[other];
		s->high[other] = i;
	}
	return 0;
}

/* Forget what happened, keep what was learnt. */
static void begin_again(struct scrub *s)
{
	memset(s->slots, 0, s->n_slots * sizeof(*s->slots));
	s->used = 0;
	s->n_tables = s->n_cr3 = 0;
	s->next_node = FIXED_NODES;
	s->second = true;
}

/* ---- renumbering ---- */

/* Bits that no frame number of a real guest has stay. */
static uint64_t new_gfn(const struct scrub *s, uint64_t gfn)
{
	return (gfn >> FRAME_BITS << FRAME_BITS) |
	       (uint64_t)s->high[gfn >> 20 & ((1u << HIGH_BITS) - 1)] << 20 |
	       (uint64_t)s->middle[gfn >> 18 & 3] << 18 |
	       (uint64_t)s->huge[gfn >> 9 & (ENTRIES - 1)] << 9 | s->leaf[gfn & (ENTRIES - 1)];
}

static uint64_t new_frame(const struct scrub *s, uint64_t entry)
{
	return (entry & ~UT_PTE_FRAME) | new_gfn(s, frame_of(entry)) << 12;
}

/*
 * What is not present may be anything: a place in a swap file, or no entry at all. The global bit
 * stays, as a model asks for it where a walk has read another entry than the table is known to hold.
 */
static uint64_t new_word(const struct scrub *s, uint64_t word)
{
	uint64_t other;

	if (!word || word & UT_PTE_P)
		return word ? new_frame(s, word) : 0;
	other = (keyed(s, word, 2) & ~(UT_PTE_P | UT_PTE_G)) | (word & UT_PTE_G);
	return other ? other : UT_PTE_W;
}

static uint64_t new_gva(struct scrub *s, uint16_t vm, uint64_t gva)
{
	uint64_t result = gva & ~0ull << (12 + 9 * LEVELS);

	for (unsigned int level = LEVELS; level >= 2; level--) {
		const uint16_t *map = map_of(s, place(s, vm, gva, level));

		result |= (uint64_t)map[digit(gva, level)] << (12 + 9 * (level - 1));
	}
	return result | (uint64_t)s->leaf[digit(gva, 1)] << 12;
}

static void scrub_fault(struct scrub *s, struct ut_event *e)
{
	struct ut_fault *f = &e->fault;

	if (!f->top) {
		f->gva = new_gfn(s, f->gva >> 12) << 12;
		return;
	}
	f->gva = new_gva(s, e->vm, f->gva);
	for (unsigned int level = 1; level <= LEVELS; level++) {
		uint64_t *entry = &f->walk[level - 1];

		if (level < f->bottom || level > f->top)
			*entry = 0;
		else if (*entry && f->outcome != UT_OUT_REFLECTED)
			*entry = new_frame(s, *entry);
		else
			*entry = new_word(s, *entry);
	}
	/* The frame would come from more of the address than a frame number keeps. */
	if (f->bottom > 3 && f->outcome != UT_OUT_REFLECTED && f->outcome != UT_OUT_MMIO)
		s->report->inexact++;
}

static const uint16_t *map_of_table(struct scrub *s, const struct table *t)
{
	return map_of(s, t->node == NONE ? LEAF : t->node);
}

static uint64_t take_bytes(const uint64_t *words, unsigned int offset, unsigned int size)
{
	uint64_t v = 0;

	for (unsigned int i = 0; i < size; i++)
		v |= (words[(offset + i) / 8] >> ((offset + i) % 8 * 8) & 0xff) << (8 * i);
	return v;
}

static void put_bytes(uint64_t *words, unsigned int offset, unsigned int size, uint64_t v)
{
	for (unsigned int i = 0; i < size; i++) {
		unsigned int shift = (offset + i) % 8 * 8;
		uint64_t *word = &words[(offset + i) / 8];

		*word = (*word & ~(0xffull << shift)) | (v >> (8 * i) & 0xff) << shift;
	}
}

static uint64_t low_bytes(uint64_t v, unsigned int size)
{
	return size == 8 ? v : v & ((1ull << 8 * size) - 1);
}

/* Bytes of a table whose content was not told. */
static uint64_t new_bytes(const struct scrub *s, uint64_t v, unsigned int offset, unsigned int size)
{
	if (size == 8 && !(offset % 8))
		return new_word(s, v);
	return v ? low_bytes(keyed(s, v, 3), size) : 0;
}

/*
 * The words that the write touches become what they should; of each, only the bytes written can change.
 * What the others are then is remembered, as a reader will have it so.
 */
static void write_known(struct scrub *s, struct table *t, struct ut_write *w)
{
	unsigned int first = w->offset / 8, last = (w->offset + w->size - 1u) / 8;
	uint64_t target[2] = { 0 }, val;

	if (w->old_known)
		w->old = take_bytes(t->shown, w->offset, w->size);
	put_bytes(t->words, w->offset, w->size, w->val);
	for (unsigned int i = first; i <= last; i++)
		target[i - first] = new_word(s, t->words[i]);
	val = take_bytes(target, w->offset % 8, w->size);
	put_bytes(t->shown, w->offset, w->size, val);
	w->val = val;
	for (unsigned int i = first; i <= last; i++)
		s->report->inexact += (t->words[i] & UT_PTE_P) && t->shown[i] != target[i - first];
}

static void scrub_write(struct scrub *s, struct ut_event *e)
{
	struct ut_write *w = &e->write;
	struct table *t = table_at(s, e->vm, w->gfn);
	const uint16_t *map;
	unsigned int first = w->offset / 8, last = (w->offset + w->size - 1u) / 8;

	if (!t)
		return;
	map = map_of_table(s, t);
	if (t->words) {
		write_known(s, t, w);
	} else {
		/* Its words may be known one by one, from walks; not what parts of them become. */
		s->report->inexact += t->host_pages && (w->size != 8 || w->offset % 8);
		w->val = new_bytes(s, w->val, w->offset, w->size);
		w->old = new_bytes(s, w->old, w->offset, w->size);
	}
	if (map[last] != map[first] + (last - first))
		s->report->inexact++;
	w->offset = (uint16_t)(map[first] * 8 + w->offset % 8);
	/* Only at the border between two halves of an address space can this be. */
	if (w->offset + w->size > 4096)
		w->offset = (uint16_t)(4096 - w->size);
	w->gfn = new_gfn(s, w->gfn);
}

static void scrub_ad(struct scrub *s, struct ut_event *e)
{
	struct ut_ad *ad = &e->ad;
	struct table *t = table_at(s, e->vm, ad->gfn);
	unsigned int byte = ad->index * ad->entry_size, word = byte / 8;
	uint64_t bit = (ad->dirty ? UT_PTE_D : UT_PTE_A) << (byte % 8 * 8);

	if (!t)
		return;
	if (t->words) {
		t->words[word] |= bit;
		t->shown[word] |= bit;
	}
	word = map_of_table(s, t)[word];
	ad->index = (uint16_t)((word * 8 + byte % 8) / ad->entry_size);
	ad->gfn = new_gfn(s, ad->gfn);
}

static bool know(struct scrub *s, struct table *t)
{
	if (t->words)
		return true;
	if (s->known_tables == MAX_TABLES) {
		s->failed = "it has too many guest tables at once";
		return false;
	}
	t->words = calloc(ENTRIES, sizeof(uint64_t));
	t->shown = calloc(ENTRIES, sizeof(uint64_t));
	if (!t->words || !t->shown) {
		free(t->words);
		free(t->shown);
		t->words = t->shown = NULL;
		s->failed = "out of memory";
		return false;
	}
	s->known_tables++;
	return true;
}

/*
 * A word that is as it was known must not look changed. One that is not was written unseen: models
 * make up for that in the order of the entries, which is another now.
 */
static void learn(struct scrub *s, struct table *t, const struct ut_page *p, bool fresh)
{
	unsigned int next = 0;

	for (unsigned int i = 0; i < ENTRIES; i++) {
		uint64_t word = 0;

		if (next < p->n && p->entries[next].index == i)
			word = p->entries[next++].value;
		if (word == t->words[i])
			continue;
		t->words[i] = word;
		t->shown[i] = new_word(s, word);
		s->report->inexact += !fresh;
	}
}

static void scrub_page_new(struct scrub *s, struct ut_event *e)
{
	struct ut_page *p = &e->page;
	struct table *t = table_at(s, e->vm, p->gfn);
	uint64_t sorted[ENTRIES];
	const uint16_t *map;
	uint16_t n = 0;
	bool fresh;

	p->gfn = new_gfn(s, p->gfn);
	if (!t || !p->known)
		return;
	fresh = !t->words;
	if (!know(s, t))
		return;
	learn(s, t, p, fresh);
	map = map_of_table(s, t);
	for (unsigned int i = 0; i < ENTRIES; i++)
		sorted[map[i]] = t->shown[i];
	for (unsigned int i = 0; i < ENTRIES; i++) {
		if (sorted[i])
			s->entries[n++] = (struct ut_entry){ (uint16_t)i, sorted[i] };
	}
	p->entries = s->entries;
	p->n = n;
}

/* Statistics that are counts. */
static bool known_stat(const struct ut_text *t)
{
	static const char *const families[] = { "kvm.", "collector.", "exact.", "attach." };

	for (unsigned int i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		size_t n = strlen(families[i]);

		if (t->len > n && !memcmp(t->text, families[i], n))
			return true;
	}
	return false;
}

/* False: the event is left out. */
static bool scrub_event(struct scrub *s, struct ut_event *e)
{
	struct ut_event was = *e;

	follow(s, &was);
	switch (e->kind) {
	case UT_STATE:
		e->state.cr3 = new_frame(s, e->state.cr3);
		return true;
	case UT_CR:
		if (e->cr.cr == 3)
			e->cr.value = new_frame(s, e->cr.value);
		return true;
	case UT_INVLPG:
		e->invlpg.gva = new_gva(s, e->vm, e->invlpg.gva);
		return true;
	case UT_INVPCID:
		e->invpcid.gva = e->invpcid.type ? 0 : new_gva(s, e->vm, e->invpcid.gva);
		return true;
	case UT_FAULT:
		scrub_fault(s, e);
		return true;
	case UT_WRITE:
		scrub_write(s, e);
		return true;
	case UT_AD:
		scrub_ad(s, e);
		return true;
	case UT_PAGE_NEW:
		scrub_page_new(s, e);
		return true;
	case UT_PAGE_ZAP:
		follow_page_zap(s, &was);
		e->page.gfn = new_gfn(s, e->page.gfn);
		return true;
	case UT_PAGE_FOUND:
	case UT_HOST_UNSYNC:
	case UT_HOST_SYNC:
		e->page.gfn = new_gfn(s, e->page.gfn);
		return true;
	case UT_VM:
		e->text.value = 0;
		e->text.len = 0;
		return true;
	case UT_MARK:
		if (!s->opt.keep_texts)
			e->text.len = 0;
		return true;
	case UT_STAT:
		return known_stat(&e->text);
	case UT_PV_FLUSH:
	case UT_HOST_RESYNC:
	case UT_EXITS:
	case UT_VM_GONE:
	case UT_LOST:
		return true;
	default:
		return false;
	}
}

/* ---- the file ---- */

struct job {
	struct scrub *s;
	struct ut_reader *reader;
	struct ut_writer *writer;
	const char *in, *out;
	void (*progress)(void *ctx, uint64_t done, uint64_t total);
	void *ctx;
	struct ut_error *err;
};

static int survey_block(struct job *j, const struct ut_block *b)
{
	struct scrub *s = j->s;

	for (size_t i = 0; i < b->n && !s->failed; i++) {
		follow(s, &b->events[i]);
		if (b->events[i].kind == UT_PAGE_ZAP)
			follow_page_zap(s, &b->events[i]);
	}
	return 0;
}

static int scrub_block(struct job *j, const struct ut_block *b)
{
	struct scrub *s = j->s;

	s->report->dropped += b->unknown;
	for (size_t i = 0; i < b->n && !s->failed; i++) {
		struct ut_event e = b->events[i];

		if (!scrub_event(s, &e)) {
			s->report->dropped++;
			continue;
		}
		if (!s->failed && ut_writer_add(j->writer, &e, j->err))
			return -1;
		s->report->events++;
	}
	return 0;
}

static int all_blocks(struct job *j, int (*each)(struct job *j, const struct ut_block *b))
{
	struct ut_error damage;
	struct ut_block block;
	uint64_t done, total;
	const char *wrong;
	int ret;

	while ((ret = ut_reader_next(j->reader, &block, &damage)) > 0) {
		if (each(j, &block))
			return -1;
		if (j->s->failed)
			return ut_error_set(j->err, "%s: %s", j->in, j->s->failed);
		ut_reader_progress(j->reader, &done, &total);
		if (j->progress)
			j->progress(j->ctx, done / 2 + (j->s->second ? total / 2 : 0), total);
	}
	wrong = ret < 0 ? damage.text : ut_reader_warning(j->reader);
	snprintf(j->s->report->damage, sizeof(j->s->report->damage), "%s", wrong ? wrong : "");
	return 0;
}

static bool keep_meta(const struct ut_scrub_options *o, const char *key)
{
	static const char *const keep[] = { "tool",    "kernel",   "cpu",      "kvm",  "options",
					    "missing", "imported", "recorder", "clock" };

	for (unsigned int i = 0; i < sizeof(keep) / sizeof(keep[0]); i++) {
		if (!strcmp(key, keep[i]))
			return true;
	}
	if (!strncmp(key, UT_META_SYNTHETIC, strlen(UT_META_SYNTHETIC)))
		return true;
	return o->keep_texts && !strcmp(key, "workload");
}

/* @fd: of the file if it is open, else -1; closed in any case. */
static struct ut_writer *open_writer(const struct job *j, const char *path, int fd)
{
	const struct ut_header *from = ut_reader_header(j->reader);
	struct ut_meta *meta = calloc(from->n_meta + 1, sizeof(*meta));
	struct ut_header header = { .mode = from->mode, .meta = meta };
	struct ut_writer *w;

	if (!meta) {
		ut_error_set(j->err, "%s: out of memory", path);
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	for (size_t i = 0; i < from->n_meta; i++) {
		if (keep_meta(&j->s->opt, from->meta[i].key))
			meta[header.n_meta++] = from->meta[i];
	}
	meta[header.n_meta++] = (struct ut_meta){ "scrubbed", "frames, addresses, texts" };
	w = fd < 0 ? ut_writer_open(path, &header, j->err)
		   : ut_writer_attach(fd, path, &header, j->err);
	free(meta);
	return w;
}

static void free_scrub(struct scrub *s)
{
	for (uint32_t i = 0; i < s->n_tables; i++) {
		free(s->tables[i].words);
		free(s->tables[i].shown);
	}
	for (uint32_t i = 0; i < s->n_nodes; i++)
		free(s->nodes[i].map);
	free(s->slots);
	free(s->nodes);
	free(s->tables);
	free(s->cr3);
	free(s->high);
	free(s);
}

static struct scrub *new_scrub(const struct ut_scrub_options *options,
			       struct ut_scrub_report *report)
{
	struct scrub *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->opt = *options;
	s->report = report;
	memset(report, 0, sizeof(*report));
	for (unsigned int i = 0; i < FIXED_NODES; i++)
		new_node(s);
	if (!s->failed && grow_slots(s))
		return s;
	free_scrub(s);
	return NULL;
}

static int write_result(void *ctx, int fd)
{
	struct job *j = ctx;
	int ret;

	j->writer = open_writer(j, j->out, fd);
	if (!j->writer)
		return -1;
	ret = all_blocks(j, scrub_block);
	/* The first thing that went wrong is what is told. */
	if (ut_writer_close(j->writer, ret ? NULL : j->err))
		ret = -1;
	return ret;
}

int ut_scrub_file(const char *in, const char *out, const struct ut_scrub_options *options,
		  struct ut_scrub_report *report,
		  void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx,
		  struct ut_error *err)
{
	struct job j = { .in = in, .out = out, .progress = progress, .ctx = ctx, .err = err };
	int ret = -1;

	j.s = new_scrub(options, report);
	if (!j.s)
		return ut_error_set(err, "%s: out of memory", in);
	j.reader = ut_reader_open(in, err);
	/* A pipe shows before it has been read. */
	if (!j.reader || ut_reader_rewind(j.reader, err))
		goto out;
	if (all_blocks(&j, survey_block))
		goto out;
	if (settle(j.s)) {
		ut_error_set(err, "%s: %s", in, j.s->failed ? j.s->failed : "out of memory");
		goto out;
	}
	if (ut_reader_rewind(j.reader, err))
		goto out;
	begin_again(j.s);
	ret = ut_write_beside(out, write_result, &j, err);
out:
	ut_reader_close(j.reader);
	free_scrub(j.s);
	return ret;
}
