// SPDX-License-Identifier: GPL-2.0-only
/*
 * The columns of a block. Whatever both sides can work out from what they have already seen in the
 * block is not stored: a byte says which prediction holds, and only surprises are spelled out.
 *
 * Each kind of event has one function, which writes when it is called with enc = true and reads when
 * it is called with enc = false. It is inlined into both, so there is no cost, and no second place
 * that could disagree. Everything that a function passes through x_...() is returned: the same value
 * when writing, the stored value when reading.
 *
 * Reading past the end of a column returns zeros and sets the failed flag: the loops are bounded by the
 * number of events, so nothing needs to stop early.
 */
#include "trace/codec.h"
#include "trace/format.h"

#include <stdlib.h>
#include <string.h>

#define both static inline __attribute__((always_inline))

#define CACHE_BITS 15
#define SOURCES 64
#define CTX_BITS 12
#define VALUE_BITS 13

struct column {
	uint8_t *p;    /* encoder: next byte */
	uint8_t *end;  /* of the room or of the data */
	uint8_t *base; /* encoder: owned */
	uint64_t bits; /* COL_BITS: not yet written, or read and not yet used */
	unsigned int n_bits;
};

struct cached {
	uint64_t tag; /* address | 1; 0: empty */
	uint64_t word;
};

/* What is remembered of each vCPU. */
struct source {
	uint32_t id; /* vm << 16 | vcpu */
	bool used;
	bool rooted;	    /* root is known */
	uint64_t root;	    /* CR3 */
	uint64_t gva, gva2; /* of the last two faults */
	uint64_t data_gva;  /* of the last fault that was not an emulated table write */
	uint64_t leaf;	    /* where the last entry of that fault's walk lies, guest-physical */
	uint64_t
		gpa; /* what the last fault's address translates to, or the end of the last write */
	uint64_t shape; /* of the last fault */
	uint64_t cr[5]; /* last value written */
	uint64_t invlpg;
};

/* Everything that predictions are made from; all zero at the start of a block. */
struct memory {
	struct cached cache[1u << CACHE_BITS];
	struct source sources[SOURCES];
	uint64_t gva_after[1u << CTX_BITS];	/* the fault address that followed two others */
	uint64_t data_after[1u << CTX_BITS];	/* ... among faults that are not table writes */
	uint64_t step_after[1u << CTX_BITS];	/* the step that followed an offset and a step */
	uint64_t value_after[1u << VALUE_BITS]; /* the entry that was written after another */
	uint64_t value_at[1u << VALUE_BITS]; /* the entry last written at this offset of a table */
	uint64_t shape_of[1u << 10];	     /* of a fault, by region and last shape */
	uint64_t gfn_after[1u << CTX_BITS];  /* the page that followed another, by kind */
	uint64_t cr_after[1u << 8];	     /* the register value that followed another */
	uint32_t role_of[1u << CTX_BITS];    /* last role of a page, by frame */
	uint32_t role_last[UT_KIND_END];
	uint64_t shapes[256]; /* dictionaries: by hash */
	uint64_t roles[256];
	uint64_t flags[256];
	uint64_t physmap;   /* guest-virtual minus guest-physical of the last emulated write */
	uint64_t frame;	    /* of the last entry that was spelled out */
	uint64_t value;	    /* last written */
	uint64_t change;    /* old ^ new of the last write */
	uint64_t write_end; /* guest-physical, of the last write */
	uint64_t page_gfn;
	uint64_t ad_gpa;
	uint8_t write_shape;
};

struct ut_codec {
	struct column col[COL_COUNT];
	bool failed; /* out of memory, or read past an end */
	struct source *src;
	struct memory m;

	/* encoder */
	uint64_t last_root[SOURCES]; /* CR3 of each vCPU, kept from block to block */
	uint32_t last_root_id[SOURCES];
	uint64_t *times;
	size_t n_events;
	size_t n_words;

	/* decoder */
	struct ut_event *events;
	struct ut_entry *entries;
	size_t n_entries;
	const char *wrong;
};

/* ---- bytes, numbers and bits ---- */

static __attribute__((noinline)) void column_grow(struct ut_codec *c, struct column *s, size_t need)
{
	size_t used = (size_t)(s->p - s->base);
	size_t room = (size_t)(s->end - s->base);
	uint8_t *p;

	while (room - used < need)
		room = room ? room * 2 : 4096;
	p = realloc(s->base, room);
	if (!p) {
		/* Go on over what is there: the block is lost, and its writer is told. */
		c->failed = true;
		s->p = s->base;
		return;
	}
	s->base = p;
	s->p = p + used;
	s->end = p + room;
}

both unsigned int x_byte(struct ut_codec *c, bool enc, enum ut_column col, unsigned int v)
{
	struct column *s = &c->col[col];

	if (enc) {
		if (__builtin_expect(s->p == s->end, 0))
			column_grow(c, s, 1);
		if (s->p != s->end)
			*s->p++ = (uint8_t)v;
		return v;
	}
	if (__builtin_expect(s->p == s->end, 0)) {
		c->failed = true;
		return 0;
	}
	return *s->p++;
}

/* Seven bits a byte, lowest first, the high bit set on all but the last. */
both uint64_t x_varint(struct ut_codec *c, bool enc, enum ut_column col, uint64_t v)
{
	uint64_t out = 0;
	unsigned int byte;

	if (enc) {
		for (uint64_t rest = v;; rest >>= 7) {
			if (rest < 0x80) {
				x_byte(c, enc, col, (unsigned int)rest);
				return v;
			}
			x_byte(c, enc, col, (unsigned int)(rest & 0x7f) | 0x80);
		}
	}
	for (unsigned int shift = 0; shift < 70; shift += 7) {
		byte = x_byte(c, enc, col, 0);
		if (shift == 63 && byte > 1)
			break;
		out |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return out;
	}
	c->failed = true;
	return 0;
}

/* At most 32 bits at once. */
both uint64_t x_bits(struct ut_codec *c, bool enc, unsigned int n, uint64_t v)
{
	uint64_t mask = (1ull << n) - 1;
	struct column *s = &c->col[COL_BITS];

	if (enc) {
		s->bits |= (v & mask) << s->n_bits;
		s->n_bits += n;
		for (; s->n_bits >= 8; s->n_bits -= 8, s->bits >>= 8)
			x_byte(c, enc, COL_BITS, (unsigned int)(s->bits & 0xff));
		return v;
	}
	for (; s->n_bits < n; s->n_bits += 8)
		s->bits |= (uint64_t)x_byte(c, enc, COL_BITS, 0) << s->n_bits;
	v = s->bits & mask;
	s->bits >>= n;
	s->n_bits -= n;
	return v;
}

/*
 * A number of any size as a class, which compresses, and bits, which do not: below 16 the class is the
 * number; above, it names the highest bit and the two after it, and the rest are bits.
 */
both uint64_t x_number(struct ut_codec *c, bool enc, enum ut_column col, uint64_t v)
{
	unsigned int class = 0, top = 0, low;

	if (enc) {
		if (v < 16)
			return x_byte(c, enc, col, (unsigned int)v), v;
		top = 63 - (unsigned int)__builtin_clzll(v);
		class = 16 + (top - 4) * 4 + (unsigned int)(v >> (top - 2) & 3);
	}
	class = x_byte(c, enc, col, class);
	if (class < 16)
		return class;
	top = (class - 16) / 4 + 4;
	low = top - 2;
	if (!enc)
		v = (4 | (class & 3ull)) << low;
	if (low <= 32)
		return enc ? x_bits(c, enc, low, v), v : (v | x_bits(c, enc, low, 0));
	v |= x_bits(c, enc, 32, v);
	return v | x_bits(c, enc, low - 32, v >> 32) << 32;
}

static inline uint64_t zigzag(uint64_t v)
{
	return v << 1 ^ (uint64_t)((int64_t)v >> 63);
}

static inline uint64_t unzigzag(uint64_t v)
{
	return v >> 1 ^ -(v & 1);
}

/* A number near a base. */
both uint64_t x_near(struct ut_codec *c, bool enc, enum ut_column col, uint64_t base, uint64_t v)
{
	return base + unzigzag(x_number(c, enc, col, enc ? zigzag(v - base) : 0));
}

/* ---- predictions ---- */

static inline unsigned int hash(uint64_t v, unsigned int bits)
{
	return (unsigned int)(v * 0x9e3779b97f4a7c15ull >> (64 - bits));
}

static inline unsigned int hash2(uint64_t a, uint64_t b, unsigned int bits)
{
	return hash(a ^ b * 0xbf58476d1ce4e5b9ull, bits);
}

/* Entries of one table stay near each other. */
static inline struct cached *cache_slot(struct memory *m, uint64_t addr)
{
	unsigned int slot = hash(addr >> 12, CACHE_BITS) ^ (unsigned int)(addr >> 3 & 511);

	return &m->cache[slot];
}

static inline uint64_t cache_word(struct memory *m, uint64_t addr)
{
	const struct cached *k = cache_slot(m, addr);

	return k->tag == (addr | 1) ? k->word : 0;
}

static inline void cache_set_word(struct memory *m, uint64_t addr, uint64_t word)
{
	struct cached *k = cache_slot(m, addr);

	if (k->tag != (addr | 1)) {
		/* Zero is what an absent word is taken for anyway. */
		if (!word)
			return;
		k->tag = addr | 1;
	}
	k->word = word;
}

static inline uint64_t size_mask(unsigned int size)
{
	return ~0ull >> (64 - 8 * size);
}

/* @size bytes, which may lie across two words. */
static inline uint64_t cache_read(struct memory *m, uint64_t addr, unsigned int size)
{
	unsigned int skip = 8 * (addr & 7);
	uint64_t v = cache_word(m, addr & ~7ull) >> skip;

	if (skip + 8 * size > 64)
		v |= cache_word(m, (addr & ~7ull) + 8) << (64 - skip);
	return v & size_mask(size);
}

static inline void cache_write(struct memory *m, uint64_t addr, unsigned int size, uint64_t v)
{
	unsigned int skip = 8 * (addr & 7);
	uint64_t mask = size_mask(size);
	uint64_t at = addr & ~7ull;

	cache_set_word(m, at, (cache_word(m, at) & ~(mask << skip)) | v << skip);
	if (skip + 8 * size <= 64)
		return;
	skip = 64 - skip;
	cache_set_word(m, at + 8, (cache_word(m, at + 8) & ~(mask >> skip)) | v >> skip);
}

/* The first of n candidates that is v, or n. */
static inline unsigned int pick(const uint64_t *candidates, unsigned int n, uint64_t v)
{
	for (unsigned int i = 0; i < n; i++) {
		if (candidates[i] == v)
			return i;
	}
	return n;
}

/* One byte for a value that was seen before; 255 and a varint for a new one. */
both uint64_t x_dictionary(struct ut_codec *c, bool enc, enum ut_column col, uint64_t *dictionary,
			   uint64_t v)
{
	unsigned int slot = 0;

	if (enc) {
		slot = hash(v, 8);
		if (slot == 255 || dictionary[slot] != v)
			slot = 255;
	}
	slot = x_byte(c, enc, col, slot);
	if (slot != 255)
		return dictionary[slot];
	v = x_varint(c, enc, COL_MISC, v);
	dictionary[hash(v, 8)] = v;
	return v;
}

/* A page-table entry that nothing predicted: permission bits by dictionary, frame by its distance. */
both uint64_t x_entry(struct ut_codec *c, bool enc, uint64_t v)
{
	uint64_t flags =
		x_dictionary(c, enc, COL_ENTRY_FLAGS, c->m.flags, (v & 0xfff) | v >> 52 << 12);
	uint64_t frame = x_near(c, enc, COL_ENTRY_FRAME, c->m.frame, v >> 12 & 0xffffffffff);

	c->m.frame = frame & 0xffffffffff;
	return (flags & 0xfff) | c->m.frame << 12 | flags >> 12 << 52;
}

/* What the next written or newly seen entry may be, given what stands there as far as known. */
enum { ENTRY_CANDIDATES = 8 };

static inline void entry_candidates(struct ut_codec *c, uint64_t addr, uint64_t known,
				    uint64_t *out)
{
	struct memory *m = &c->m;

	out[0] = known;
	out[1] = 0;
	out[2] = m->value_after[hash(m->value, VALUE_BITS)];
	out[3] = m->value;
	out[4] = known ^ m->change;
	out[5] = m->value_at[hash2(addr & 0xfff, m->value & 0xfff, VALUE_BITS)];
	out[6] = m->value + 4096;
	out[7] = known | UT_PTE_A;
}

/* An entry that stands at an address: a byte for the candidate it is, or it is spelled out. */
both uint64_t x_word(struct ut_codec *c, bool enc, enum ut_column col, uint64_t addr,
		     uint64_t known, uint64_t v)
{
	uint64_t guess[ENTRY_CANDIDATES];
	unsigned int sel;

	entry_candidates(c, addr, known, guess);
	sel = x_byte(c, enc, col, enc ? pick(guess, ENTRY_CANDIDATES, v) : 0);
	return sel < ENTRY_CANDIDATES ? guess[sel] : x_entry(c, enc, v);
}

static inline void entry_learn(struct ut_codec *c, uint64_t addr, uint64_t v)
{
	struct memory *m = &c->m;

	m->value_after[hash(m->value, VALUE_BITS)] = v;
	m->value_at[hash2(addr & 0xfff, m->value & 0xfff, VALUE_BITS)] = v;
	m->value = v;
}

/* ---- one function for each kind ---- */

both void x_state(struct ut_codec *c, bool enc, struct ut_event *e)
{
	struct ut_state *s = &e->state;

	s->cr0 = x_varint(c, enc, COL_MISC, s->cr0);
	s->cr3 = x_varint(c, enc, COL_MISC, s->cr3);
	s->cr4 = x_varint(c, enc, COL_MISC, s->cr4);
	s->efer = x_varint(c, enc, COL_MISC, s->efer);
	c->src->cr[0] = s->cr0;
	c->src->cr[3] = s->cr3;
	c->src->cr[4] = s->cr4;
	c->src->root = s->cr3;
	c->src->rooted = true;
}

/* COL_CONTROL: bits 0-1 which register, bit 2 value as predicted. */
both void x_cr(struct ut_codec *c, bool enc, struct ut_event *e)
{
	static const uint8_t number[4] = { 0, 3, 4, 0xff };
	struct ut_cr *r = &e->cr;
	unsigned int sel = 0;
	uint64_t *guess;

	if (enc) {
		sel = r->cr == 0 ? 0 : r->cr - 2u;
		guess = &c->m.cr_after[hash2(c->src->cr[r->cr], sel, 8)];
		sel |= (*guess == r->value) << 2;
	}
	sel = x_byte(c, enc, COL_CONTROL, sel);
	r->cr = number[sel & 3];
	if (r->cr > 4) {
		c->wrong = "no such control register";
		r->cr = 0;
	}
	guess = &c->m.cr_after[hash2(c->src->cr[r->cr], sel & 3, 8)];
	r->value = sel & 4 ? *guess : x_varint(c, enc, COL_MISC, r->value);
	*guess = r->value;
	c->src->cr[r->cr] = r->value;
	if (r->cr == 3) {
		c->src->root = r->value;
		c->src->rooted = true;
	}
}

/* COL_CONTROL: 0 the page of the last fault, 1 the page after the last one, 2 the same, 3 other. */
both void x_invlpg(struct ut_codec *c, bool enc, struct ut_event *e)
{
	struct source *s = c->src;
	uint64_t guess[3] = { s->data_gva & ~0xfffull, s->invlpg + 4096, s->invlpg };
	unsigned int sel;

	sel = x_byte(c, enc, COL_CONTROL, enc ? pick(guess, 3, e->invlpg.gva) : 0);
	e->invlpg.gva =
		sel < 3 ? guess[sel] : x_near(c, enc, COL_FAULT_GVA, s->invlpg, e->invlpg.gva);
	s->invlpg = e->invlpg.gva;
}

both void x_invpcid(struct ut_codec *c, bool enc, struct ut_event *e)
{
	struct ut_invpcid *i = &e->invpcid;

	i->type = (uint8_t)x_byte(c, enc, COL_CONTROL, i->type);
	i->pcid = (uint16_t)x_varint(c, enc, COL_MISC, i->pcid);
	i->gva = x_near(c, enc, COL_FAULT_GVA, c->src->invlpg, i->gva);
	c->src->invlpg = i->gva;
}

/* Where a fault may be. */
enum { GVA_CANDIDATES = 7, FAULT_SHAPE_OK = 8, FAULT_WALK_OK = 16 };

static inline void gva_candidates(struct ut_codec *c, uint64_t *out)
{
	struct memory *m = &c->m;
	struct source *s = c->src;

	out[0] = m->gva_after[hash2(s->gva, s->gva2, CTX_BITS)];
	out[1] = s->gva + m->step_after[hash2(s->gva & 0xfff, s->gva - s->gva2, CTX_BITS)];
	out[2] = s->gva + 8;
	out[3] = s->data_gva;
	out[4] = m->physmap + s->leaf;
	out[5] = s->gva2 + 8;
	out[6] = m->data_after[hash(s->data_gva, CTX_BITS)];
}

static inline void gva_learn(struct ut_codec *c, uint64_t gva, bool table_write)
{
	struct memory *m = &c->m;
	struct source *s = c->src;

	m->gva_after[hash2(s->gva, s->gva2, CTX_BITS)] = gva;
	m->step_after[hash2(s->gva & 0xfff, s->gva - s->gva2, CTX_BITS)] = gva - s->gva;
	s->gva2 = s->gva;
	s->gva = gva;
	if (table_write)
		return;
	m->data_after[hash(s->data_gva, CTX_BITS)] = gva;
	s->data_gva = gva;
}

/* Guest-physical address of the entry that a walk reads at a level. */
static inline uint64_t entry_address(uint64_t table, uint64_t gva, unsigned int level,
				     unsigned int top)
{
	if (top == 2)
		return (table & 0xfffff000) + (gva >> (2 + 10 * level) & 0x3ff) * 4;
	if (top == 3 && level == 3)
		return (table & 0xffffffe0) + (gva >> 30 & 3) * 8;
	return (table & UT_PTE_FRAME) + (gva >> (3 + 9 * level) & 511) * 8;
}

static bool walk_as_predicted(struct ut_codec *c, const struct ut_fault *f)
{
	unsigned int size = f->top == 2 ? 4 : 8;
	uint64_t table = c->src->root;

	for (unsigned int level = f->top; level && level >= f->bottom; level--) {
		if (cache_read(&c->m, entry_address(table, f->gva, level, f->top), size) !=
		    f->walk[level - 1])
			return false;
		table = f->walk[level - 1];
	}
	return true;
}

/* The walk, from the root down; remembers entries, where the last one lies, and the translation. */
both void x_walk(struct ut_codec *c, bool enc, struct ut_fault *f, bool as_predicted)
{
	unsigned int size = f->top == 2 ? 4 : 8;
	uint64_t table = c->src->root, addr = 0, known, v = 0, span;

	for (unsigned int level = f->top; level && level >= f->bottom; level--) {
		addr = entry_address(table, f->gva, level, f->top);
		known = cache_read(&c->m, addr, size);
		v = known;
		if (!as_predicted) {
			v = x_word(c, enc, COL_WALK, addr, known, f->walk[level - 1]);
			if (v != known)
				cache_write(&c->m, addr, size, v & size_mask(size));
		}
		f->walk[level - 1] = v;
		table = v;
	}
	c->src->gpa = 0;
	if (!f->top)
		return;
	span = f->top == 2 ? 1ull << (2 + 10 * f->bottom) : 1ull << (3 + 9 * f->bottom);
	c->src->gpa = (v & UT_PTE_FRAME & ~(span - 1)) | (f->gva & (span - 1));
	if (f->outcome == UT_OUT_EMULATED)
		c->m.physmap = f->gva - c->src->gpa;
	else
		c->src->leaf = addr;
}

static inline uint64_t fault_shape(const struct ut_fault *f)
{
	return f->error | (uint64_t)f->top << 32 | (uint64_t)f->bottom << 35 |
	       (uint64_t)f->map_level << 38 | (uint64_t)f->outcome << 41;
}

static inline uint64_t *predicted_shape(struct ut_codec *c, uint64_t gva, unsigned int sel)
{
	return &c->m.shape_of[hash2(gva >> 39, c->src->shape ^ (uint64_t)(sel & 7) << 60, 10)];
}

/* COL_FAULT: bits 0-2 address, bit 3 shape as predicted, bit 4 the whole walk as predicted. */
both void x_fault(struct ut_codec *c, bool enc, struct ut_event *e)
{
	struct source *s = c->src;
	struct ut_fault *f = &e->fault;
	uint64_t guess[GVA_CANDIDATES], shape = 0, *likely;
	unsigned int sel = 0, slot;

	if (!s->rooted) {
		slot = (unsigned int)(s - c->m.sources);
		s->root = enc && c->last_root_id[slot] == s->id ? c->last_root[slot] : 0;
		s->root = x_varint(c, enc, COL_MISC, s->root);
		s->rooted = true;
	}
	gva_candidates(c, guess);
	if (enc) {
		shape = fault_shape(f);
		sel = pick(guess, GVA_CANDIDATES, f->gva);
		if (*predicted_shape(c, f->gva, sel) == shape)
			sel |= FAULT_SHAPE_OK;
		if (walk_as_predicted(c, f))
			sel |= FAULT_WALK_OK;
	}
	sel = x_byte(c, enc, COL_FAULT, sel);
	if ((sel & 7) < GVA_CANDIDATES)
		f->gva = guess[sel & 7];
	else
		f->gva = x_near(c, enc, COL_FAULT_GVA, s->gva, f->gva);

	likely = predicted_shape(c, f->gva, sel);
	shape = sel & FAULT_SHAPE_OK ? *likely
				     : x_dictionary(c, enc, COL_FAULT_SHAPE, c->m.shapes, shape);
	*likely = shape;
	s->shape = shape;
	if (!enc) {
		f->error = (uint32_t)shape;
		f->top = shape >> 32 & 7;
		f->bottom = shape >> 35 & 7;
		f->map_level = shape >> 38 & 7;
		f->outcome = (uint8_t)(shape >> 41);
		/* The walk below relies on its levels. */
		c->wrong = c->wrong ? c->wrong : ut_event_check(e);
		if (c->wrong)
			return;
	}
	x_walk(c, enc, f, sel & FAULT_WALK_OK);
	gva_learn(c, f->gva, f->outcome == UT_OUT_EMULATED);
}

/* COL_WRITE: bits 0-1 place, bit 2 shape as before, bit 3 old value as known, bits 4-7 new value. */
enum { WRITE_SHAPE_OK = 4, WRITE_OLD_OK = 8 };

both void x_write(struct ut_codec *c, bool enc, struct ut_event *e)
{
	struct ut_write *w = &e->write;
	struct memory *m = &c->m;
	struct source *s = c->src;
	uint64_t guess[ENTRY_CANDIDATES], places[3], addr = 0, known, mask;
	unsigned int sel = 0, shape = 0;

	places[0] = s->gpa;
	places[1] = m->write_end;
	places[2] = (m->page_gfn << 12);
	if (enc) {
		addr = w->gfn << 12 | w->offset;
		shape = (w->size - 1u) | w->how << 3 | w->old_known << 5;
		sel = pick(places, 3, addr);
		if (shape == m->write_shape)
			sel |= WRITE_SHAPE_OK;
		known = cache_read(m, addr, w->size);
		if (w->old == (w->old_known ? known : 0))
			sel |= WRITE_OLD_OK;
		entry_candidates(c, addr, w->old_known ? w->old : known, guess);
		for (unsigned int i = 0; i < ENTRY_CANDIDATES; i++)
			guess[i] &= size_mask(w->size);
		sel |= pick(guess, ENTRY_CANDIDATES, w->val) << 4;
	}
	sel = x_byte(c, enc, COL_WRITE, sel);
	addr = (sel & 3) < 3 ? places[sel & 3]
			     : x_near(c, enc, COL_WRITE_PLACE, m->write_end, addr);
	shape = sel & WRITE_SHAPE_OK ? m->write_shape : x_byte(c, enc, COL_WRITE_SHAPE, shape);
	m->write_shape = (uint8_t)shape;
	w->gfn = addr >> 12;
	w->offset = addr & 0xfff;
	w->size = (shape & 7) + 1;
	w->how = shape >> 3 & 3;
	w->old_known = shape >> 5 & 1;
	mask = size_mask(w->size);

	known = cache_read(m, addr, w->size);
	if (sel & WRITE_OLD_OK)
		w->old = w->old_known ? known : 0;
	else
		w->old = x_entry(c, enc, w->old) & mask;
	if (w->old_known)
		known = w->old;
	entry_candidates(c, addr, known, guess);
	if (sel >> 4 < ENTRY_CANDIDATES)
		w->val = guess[sel >> 4] & mask;
	else
		w->val = x_entry(c, enc, w->val) & mask;
	m->change = known ^ w->val;
	if (w->size >= 4)
		entry_learn(c, addr, w->val);
	cache_write(m, addr, w->size, w->val);
	m->write_end = addr + w->size;
	m->page_gfn = w->gfn;
	s->gpa = addr + w->size;
}

/* COL_CONTROL: bit 0 dirty, bit 1 four-byte entry, bit 2 at the place of the last one. */
both void x_ad(struct ut_codec *c, bool enc, struct ut_event *e)
{
	struct ut_ad *a = &e->ad;
	struct memory *m = &c->m;
	uint64_t addr = 0, known;
	unsigned int sel = 0;

	if (enc) {
		addr = (a->gfn << 12) + a->index * a->entry_size;
		sel = (unsigned int)a->dirty | (a->entry_size == 4) << 1;
		if (addr == m->ad_gpa)
			sel |= 4;
	}
	sel = x_byte(c, enc, COL_CONTROL, sel);
	addr = sel & 4 ? m->ad_gpa : x_near(c, enc, COL_WRITE_PLACE, m->ad_gpa, addr);
	a->dirty = sel & 1;
	a->entry_size = sel & 2 ? 4 : 8;
	a->gfn = addr >> 12;
	a->index = (uint16_t)((addr & 0xfff) / a->entry_size);
	m->ad_gpa = addr;
	known = cache_read(m, addr & ~3ull, 4);
	if (known)
		cache_write(m, addr & ~3ull, 4, known | (a->dirty ? UT_PTE_D : UT_PTE_A));
}

/* How many words from index i on are what is known of them already? */
static unsigned int run_as_known(struct ut_codec *c, uint64_t base, const uint64_t *words,
				 unsigned int i)
{
	unsigned int run = 0;

	while (i + run < UT_TABLE_ENTRIES &&
	       words[i + run] == cache_word(&c->m, base + (i + run) * 8ull))
		run++;
	return run;
}

/* Content of a page: runs of words as known, and between two runs one that is not. */
both void x_content(struct ut_codec *c, bool enc, struct ut_page *p)
{
	struct ut_entry *out;
	uint64_t words[UT_TABLE_ENTRIES] = { 0 }, base = p->gfn << 12, run;

	for (unsigned int k = 0; enc && k < p->n; k++)
		words[p->entries[k].index] = p->entries[k].value;
	for (unsigned int i = 0;; i++) {
		run = enc ? run_as_known(c, base, words, i) : 0;
		run = x_number(c, enc, COL_PAGE_RUN, run);
		if (run > UT_TABLE_ENTRIES - i) {
			c->failed = true;
			return;
		}
		for (; run; run--, i++)
			words[i] = cache_word(&c->m, base + i * 8ull);
		if (i == UT_TABLE_ENTRIES)
			break;
		words[i] = x_word(c, enc, COL_PAGE_VALUE, base + i * 8ull,
				  cache_word(&c->m, base + i * 8ull), words[i]);
		cache_set_word(&c->m, base + i * 8ull, words[i]);
		if (words[i])
			entry_learn(c, base + i * 8ull, words[i]);
	}
	if (enc)
		return;
	p->entries = out = c->entries + c->n_entries;
	for (unsigned int i = 0; i < UT_TABLE_ENTRIES; i++) {
		if (words[i])
			out[p->n++] = (struct ut_entry){ (uint16_t)i, words[i] };
	}
	c->n_entries += p->n;
}

/* COL_PAGE: bits 0-1 which frame, bits 2-3 which role, bit 4 unsync, bit 5 content known. */
both void x_page(struct ut_codec *c, bool enc, struct ut_event *e)
{
	struct memory *m = &c->m;
	struct ut_page *p = &e->page;
	uint64_t frames[3] = { m->gfn_after[hash2(m->page_gfn, e->kind, CTX_BITS)],
			       (c->src->root & UT_PTE_FRAME) >> 12, m->page_gfn };
	uint32_t roles[2];
	unsigned int sel = 0;

	roles[1] = m->role_last[e->kind];
	if (enc) {
		roles[0] = m->role_of[hash(p->gfn, CTX_BITS)];
		sel = pick(frames, 3, p->gfn);
		sel |= (roles[0] == p->role ? 0u : roles[1] == p->role ? 1u : 2u) << 2;
		sel |= (unsigned int)p->unsync << 4 | (unsigned int)p->known << 5;
	}
	sel = x_byte(c, enc, COL_PAGE, sel);
	p->gfn =
		(sel & 3) < 3 ? frames[sel & 3] : x_near(c, enc, COL_PAGE_GFN, m->page_gfn, p->gfn);
	roles[0] = m->role_of[hash(p->gfn, CTX_BITS)];
	if ((sel >> 2 & 3) < 2)
		p->role = roles[sel >> 2 & 3];
	else
		p->role = (uint32_t)x_dictionary(c, enc, COL_PAGE_ROLE, m->roles, p->role);
	p->unsync = sel >> 4 & 1;
	p->known = sel >> 5 & 1;
	m->gfn_after[hash2(m->page_gfn, e->kind, CTX_BITS)] = p->gfn;
	m->page_gfn = p->gfn;
	m->role_of[hash(p->gfn, CTX_BITS)] = p->role;
	m->role_last[e->kind] = p->role;
	if (!p->known)
		return;
	if (!enc && (e->kind != UT_PAGE_NEW || c->n_entries + UT_TABLE_ENTRIES > UT_BLOCK_WORDS)) {
		c->wrong = "page content where there can be none";
		return;
	}
	x_content(c, enc, p);
}

both void x_resync(struct ut_codec *c, bool enc, struct ut_event *e)
{
	e->resync.ns = x_number(c, enc, COL_CONTROL, e->resync.ns);
	e->resync.pages = (uint32_t)x_number(c, enc, COL_CONTROL, e->resync.pages);
}

both void x_exits(struct ut_codec *c, bool enc, struct ut_event *e)
{
	struct ut_exits *x = &e->exits;

	x->count = x_varint(c, enc, COL_MISC, x->count);
	x->ns = x_varint(c, enc, COL_MISC, x->ns);
	x->reason = (uint32_t)x_varint(c, enc, COL_MISC, x->reason);
	x->isa = (uint8_t)x_byte(c, enc, COL_MISC, x->isa);
}

both void x_lost(struct ut_codec *c, bool enc, struct ut_event *e)
{
	e->lost.count = x_varint(c, enc, COL_MISC, e->lost.count);
	e->lost.cause = (uint8_t)x_byte(c, enc, COL_MISC, e->lost.cause);
	e->lost.kind = (uint8_t)x_byte(c, enc, COL_MISC, e->lost.kind);
}

/* @len bytes of COL_MISC, taken out by their address when reading. */
both const char *x_bytes(struct ut_codec *c, bool enc, const char *bytes, size_t len)
{
	struct column *s = &c->col[COL_MISC];

	if ((size_t)(s->end - s->p) < len) {
		if (!enc) {
			c->failed = true;
			return NULL;
		}
		column_grow(c, s, len);
		if (c->failed)
			return bytes;
	}
	if (enc && bytes)
		memcpy(s->p, bytes, len);
	if (!enc)
		bytes = (const char *)s->p;
	s->p += len;
	return bytes;
}

both void x_text(struct ut_codec *c, bool enc, struct ut_event *e)
{
	struct ut_text *t = &e->text;
	uint64_t len = x_varint(c, enc, COL_MISC, (uint64_t)t->len << 1 | t->final);

	t->value = x_varint(c, enc, COL_MISC, t->value);
	t->final = len & 1;
	t->len = (uint16_t)(len >> 1);
	if (len >> 1 > UINT16_MAX)
		c->failed = true;
	t->text = x_bytes(c, enc, t->text, t->len);
	if (!t->text)
		t->len = 0;
}

/* COL_KIND: bits 0-4 the kind, 0 for those from UT_KIND_EXT on; bit 5 another VM or vCPU than before. */
enum { KIND_MASK = 31, KIND_SOURCE = 32 };

static inline struct source *find_source(struct ut_codec *c, uint32_t id)
{
	unsigned int slot = ((id >> 16) * 9 + id + 1) & (SOURCES - 1);
	struct source *s = &c->m.sources[slot];

	if (s->used && s->id == id)
		return s;
	memset(s, 0, sizeof(*s));
	s->used = true;
	s->id = id;
	return s;
}

/* Kind and source; an unknown kind is stepped over. */
both void x_head(struct ut_codec *c, bool enc, struct ut_event *e)
{
	unsigned int sel = 0;
	uint32_t id = (uint32_t)e->vm << 16 | e->vcpu;

	if (enc) {
		sel = e->kind < UT_KIND_EXT ? e->kind : 0;
		if (id != c->src->id)
			sel |= KIND_SOURCE;
	}
	sel = x_byte(c, enc, COL_KIND, sel);
	if (sel & KIND_SOURCE) {
		/* One more, so that "none" is zero. */
		id = (uint32_t)x_varint(c, enc, COL_SOURCE, (e->vcpu + 1u) & 0xffff) - 1;
		id = (id & 0xffff) |
		     ((uint32_t)x_varint(c, enc, COL_SOURCE, (e->vm + 1u) & 0xffff) - 1) << 16;
		c->src = find_source(c, id);
	}
	if (!enc) {
		e->vm = (uint16_t)(c->src->id >> 16);
		e->vcpu = (uint16_t)c->src->id;
		e->kind = sel & KIND_MASK;
		if (sel & ~(unsigned int)(KIND_MASK | KIND_SOURCE))
			c->failed = true;
	}
	if (!(sel & KIND_MASK)) {
		e->kind = (uint8_t)x_byte(c, enc, COL_MISC, e->kind);
		/* A known kind has its number in COL_KIND, by which times are given out. */
		if (!enc && e->kind < UT_KIND_EXT)
			c->wrong = "an event of a reserved kind";
		x_bytes(c, enc, NULL, x_varint(c, enc, COL_MISC, 0));
	}
}

both void x_body(struct ut_codec *c, bool enc, struct ut_event *e)
{
	switch (e->kind) {
	case UT_STATE:
		x_state(c, enc, e);
		break;
	case UT_CR:
		x_cr(c, enc, e);
		break;
	case UT_INVLPG:
		x_invlpg(c, enc, e);
		break;
	case UT_INVPCID:
		x_invpcid(c, enc, e);
		break;
	case UT_FAULT:
		x_fault(c, enc, e);
		break;
	case UT_WRITE:
		x_write(c, enc, e);
		break;
	case UT_AD:
		x_ad(c, enc, e);
		break;
	case UT_PAGE_NEW:
	case UT_PAGE_FOUND:
	case UT_PAGE_ZAP:
	case UT_HOST_UNSYNC:
	case UT_HOST_SYNC:
		x_page(c, enc, e);
		break;
	case UT_HOST_RESYNC:
		x_resync(c, enc, e);
		break;
	case UT_EXITS:
		x_exits(c, enc, e);
		break;
	case UT_VM:
	case UT_MARK:
	case UT_STAT:
		x_text(c, enc, e);
		break;
	case UT_LOST:
		x_lost(c, enc, e);
		break;
	default: /* UT_PV_FLUSH and UT_VM_GONE have no fields */
		break;
	}
}

/* ---- a block ---- */

struct ut_codec *ut_codec_new(void)
{
	return calloc(1, sizeof(struct ut_codec));
}

static void free_columns(struct ut_codec *c)
{
	for (unsigned int i = 0; i < COL_COUNT; i++)
		free(c->col[i].base);
}

void ut_codec_free(struct ut_codec *c)
{
	if (!c)
		return;
	free_columns(c);
	free(c->times);
	free(c->events);
	free(c->entries);
	free(c);
}

static void forget(struct ut_codec *c)
{
	memset(&c->m, 0, sizeof(c->m));
	c->src = find_source(c, (uint32_t)UT_NO_VM << 16 | UT_NO_VCPU);
	c->col[COL_BITS].bits = 0;
	c->col[COL_BITS].n_bits = 0;
	c->failed = false;
	c->wrong = NULL;
}

/* ---- encoding ---- */

void ut_encode_begin(struct ut_codec *c)
{
	forget(c);
	for (unsigned int i = 0; i < COL_COUNT; i++)
		c->col[i].p = c->col[i].base;
	c->n_events = 0;
	c->n_words = 0;
}

int ut_encode_event(struct ut_codec *c, const struct ut_event *event)
{
	struct ut_event e = *event;
	size_t slot;

	if (!c->times)
		c->times = malloc(UT_BLOCK_EVENTS * sizeof(*c->times));
	if (!c->times || c->n_events == UT_BLOCK_EVENTS)
		return -1;
	c->times[c->n_events++] = e.time;
	x_head(c, true, &e);
	x_body(c, true, &e);
	if (e.kind == UT_PAGE_NEW)
		c->n_words += e.page.n;
	if (e.kind == UT_STATE || e.kind == UT_CR) {
		slot = (size_t)(c->src - c->m.sources);
		c->last_root_id[slot] = c->src->id;
		c->last_root[slot] = c->src->root;
	}
	return c->failed ? -1 : 0;
}

static uint64_t divisor(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

static inline uint64_t magnitude(uint64_t step)
{
	return step >> 63 ? -step : step;
}

/* Clocks often tick in units of more than one nanosecond; then the steps are multiples of it. */
static uint64_t time_unit(const uint64_t *times, size_t n)
{
	uint64_t unit = 0;

	for (size_t i = 1; i < n && unit != 1; i++)
		unit = divisor(magnitude(times[i] - times[i - 1]), unit);
	return unit ? unit : 1;
}

static inline enum ut_column time_column(unsigned int kind)
{
	if (kind == UT_FAULT)
		return COL_TIME_FAULT;
	return kind == UT_WRITE ? COL_TIME_WRITE : COL_TIME_OTHER;
}

/* Times come last, so that their unit is known; the kinds are those of COL_KIND. */
int ut_encode_end(struct ut_codec *c)
{
	const uint8_t *kinds = c->col[COL_KIND].base;
	uint64_t unit = time_unit(c->times, c->n_events), step;

	x_varint(c, true, COL_CLOCK, c->times[0]);
	x_varint(c, true, COL_CLOCK, unit);
	for (size_t i = 1; i < c->n_events && !c->failed; i++) {
		step = c->times[i] - c->times[i - 1];
		if (unit > 1)
			step = step >> 63 ? -(-step / unit) : step / unit;
		x_number(c, true, time_column(kinds[i] & KIND_MASK), zigzag(step));
	}
	if (c->col[COL_BITS].n_bits)
		x_bits(c, true, 8 - c->col[COL_BITS].n_bits, 0);
	return c->failed ? -1 : 0;
}

size_t ut_encode_bytes(const struct ut_codec *c)
{
	/* A time is at most a class and 61 bits. */
	size_t bytes = 1 + 4 * COL_COUNT + 20 + 9 * c->n_events;

	for (unsigned int i = 0; i < COL_COUNT; i++)
		bytes += (size_t)(c->col[i].p - c->col[i].base);
	return bytes;
}

size_t ut_encode_events(const struct ut_codec *c)
{
	return c->n_events;
}

size_t ut_encode_words(const struct ut_codec *c)
{
	return c->n_words;
}

const uint8_t *ut_encode_column(const struct ut_codec *c, enum ut_column col, size_t *len)
{
	*len = (size_t)(c->col[col].p - c->col[col].base);
	return c->col[col].base;
}

/* ---- decoding ---- */

/* The lengths in front must add up to the block. Columns of a later minor version are left alone. */
static const char *split_columns(struct ut_codec *c, uint8_t *raw, size_t len)
{
	size_t n = len ? raw[0] : 0, at = 1 + 4 * n, size;

	if (!n || at > len)
		return "the block has no columns";
	for (size_t i = 0; i < COL_COUNT; i++)
		c->col[i].p = c->col[i].end = raw;
	for (size_t i = 0; i < n; i++) {
		size = ut_get32(raw + 1 + 4 * i);
		if (size > len - at)
			return "a column is longer than its block";
		if (i < COL_COUNT) {
			c->col[i].p = raw + at;
			c->col[i].end = raw + at + size;
		}
		at += size;
	}
	return at == len ? NULL : "there are bytes behind the last column";
}

static bool columns_used_up(const struct ut_codec *c)
{
	for (unsigned int i = 0; i < COL_COUNT; i++) {
		if (c->col[i].p != c->col[i].end)
			return false;
	}
	return c->col[COL_BITS].n_bits < 8 && !c->col[COL_BITS].bits;
}

static void decode_times(struct ut_codec *c, const uint8_t *kinds, size_t count)
{
	uint64_t time = x_varint(c, false, COL_CLOCK, 0);
	uint64_t unit = x_varint(c, false, COL_CLOCK, 0);
	struct ut_event *e = c->events;

	for (size_t i = 0; i < count; i++) {
		if (i)
			time += unit *
				unzigzag(x_number(c, false, time_column(kinds[i] & KIND_MASK), 0));
		if (kinds[i] & KIND_MASK)
			(e++)->time = time;
	}
}

const char *ut_decode(struct ut_codec *c, uint8_t *raw, size_t len, size_t count,
		      struct ut_block *block)
{
	const uint8_t *kinds;
	struct ut_event *e;
	const char *wrong;

	if (!c->events)
		c->events = malloc(UT_BLOCK_EVENTS * sizeof(*c->events));
	if (!c->entries)
		c->entries = malloc(UT_BLOCK_WORDS * sizeof(*c->entries));
	if (!c->events || !c->entries)
		return "out of memory";
	forget(c);
	c->n_entries = 0;
	wrong = split_columns(c, raw, len);
	if (wrong)
		return wrong;
	kinds = c->col[COL_KIND].p;
	if ((size_t)(c->col[COL_KIND].end - kinds) != count || !count || count > UT_BLOCK_EVENTS)
		return "another number of events than announced";
	e = c->events;
	for (size_t i = 0; i < count; i++) {
		memset(e, 0, sizeof(*e));
		x_head(c, false, e);
		if (e->kind >= UT_KIND_EXT)
			continue;
		if (c->wrong)
			return c->wrong;
		x_body(c, false, e);
		if (c->wrong || (c->wrong = ut_event_check(e)))
			return c->wrong;
		e++;
	}
	decode_times(c, kinds, count);
	if (c->failed || !columns_used_up(c))
		return "a column does not fit its events";
	block->events = c->events;
	block->n = (size_t)(e - c->events);
	block->unknown = count - block->n;
	return NULL;
}
