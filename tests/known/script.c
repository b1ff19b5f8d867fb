// SPDX-License-Identifier: GPL-2.0-only
#include "script.h"

#include <stdlib.h>
#include <string.h>

#define MAX_OPS (KNOWN_OPS_BYTES / sizeof(struct known_op))
#define MIN_LENGTH 120
#define MORE_LENGTH 240
#define HISTORY 32
#define SELF_SLOT 5 /* where roots and tables name themselves */
#define LAST_ADDRESS 0x7ffffffff000ull
#define LAST_ADDRESS_32 0x7ffff000ull

/* When a vCPU flushed one address, in one PCID. */
struct flush {
	uint64_t page;
	uint32_t when;
	uint16_t pcid;
	uint8_t vcpu;
};

struct maker {
	struct script *s;
	struct machine *m;
	uint64_t random;
	struct vm_features features;
	unsigned int vcpu;  /* whose operation comes next */
	unsigned int array; /* where it goes */
	const uint8_t *weights;
	uint32_t now;
	/* When a word was changed last that was a present entry then; and one with the global bit. */
	uint32_t changed[MACHINE_FRAMES][512], changed_global[MACHINE_FRAMES][512];
	uint32_t flushed_all[VM_VCPUS]; /* globals, too */
	uint32_t flushed[VM_VCPUS][1 << 12];
	struct flush *flushes;
	size_t n_flushes;
	uint64_t history[VM_VCPUS][HISTORY]; /* addresses that were mapped */
};

/* ---- chance ---- */

/* SplitMix64, by Sebastiano Vigna. */
static uint64_t draw(struct maker *k)
{
	uint64_t z = k->random += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static unsigned int below(struct maker *k, unsigned int n)
{
	return (unsigned int)(draw(k) % n);
}

static bool chance(struct maker *k, unsigned int percent)
{
	return below(k, 100) < percent;
}

static unsigned int pick(struct maker *k, const uint8_t *weights, unsigned int n)
{
	unsigned int sum = 0, i;

	for (i = 0; i < n; i++)
		sum += weights[i];
	sum = below(k, sum);
	for (i = 0; sum >= weights[i]; i++)
		sum -= weights[i];
	return i;
}

/* ---- frames, addresses, entries ---- */

static bool is_root(uint64_t gfn)
{
	return gfn >= KNOWN_POOL_FRAME && gfn < KNOWN_POOL_FRAME + KNOWN_ROOTS;
}

static const struct paging *paging(const struct maker *k)
{
	return k->s->paging;
}

static uint64_t root_frame(struct maker *k)
{
	return KNOWN_POOL_FRAME + below(k, KNOWN_ROOTS);
}

/* A frame's entries that are loaded into registers: most bits are reserved in these. */
static bool is_pdpt(const struct maker *k, uint64_t gfn)
{
	return paging(k)->registers && is_root(gfn);
}

static bool is_32bit(const struct maker *k)
{
	return paging(k)->word == 4;
}

/* Few frames are used much, so that they meet in many roles. */
static uint64_t table_frame(struct maker *k)
{
	unsigned int n = chance(k, 70) ? 12 : KNOWN_POOL - KNOWN_ROOTS;

	if (chance(k, 3))
		return root_frame(k);
	return KNOWN_POOL_FRAME + KNOWN_ROOTS + below(k, n);
}

static uint64_t leaf_frame(struct maker *k)
{
	return chance(k, 25) ? table_frame(k) : KNOWN_DATA_FRAME + below(k, KNOWN_DATA);
}

static bool is_free(const struct maker *k)
{
	return k->s->flavour == SCRIPT_FREE;
}

static unsigned int pick_index(struct maker *k)
{
	static const uint16_t indices[] = { 0, 1, 2, 3, SELF_SLOT, 96, 8, 511 };
	/* In all four quarters of a table of 1024. */
	static const uint16_t wide_indices[] = { 0, 1, 515, 300, SELF_SLOT, 600, 514, 1023 };
	static const uint8_t weights[] = { 30, 25, 15, 10, 8, 4, 4, 4 };

	if (is_free(k))
		return indices[pick(k, weights, 6)] + 8 * k->vcpu;
	return (paging(k)->bits == 10 ? wide_indices : indices)[pick(k, weights, 8)];
}

/* Of an address on a level. The last of four top entries is the interpreter's. */
static unsigned int pick_index_at(struct maker *k, unsigned int level)
{
	return level > machine_top(k->m) ? below(k, 3) : pick_index(k);
}

/* A place in a table, as CR3 or an index of an address leads there. */
static uint64_t pick_entry(struct maker *k, uint64_t frame)
{
	uint64_t at = frame << 12;

	if (is_pdpt(k, frame) && chance(k, 60))
		return at + KNOWN_PDPT_OFFSET + KNOWN_PDPT_BYTES * below(k, KNOWN_PDPTS) +
		       8 * below(k, 3);
	return at + (uint64_t)paging(k)->entry * pick_index(k);
}

static unsigned int self_slot(const struct maker *k)
{
	return SELF_SLOT + (is_free(k) ? 8 * k->vcpu : 0);
}

/* A word of a page; one that this vCPU may change, and the next one, too. */
static uint64_t pick_offset(struct maker *k)
{
	if (is_free(k))
		return (below(k, 32) * 16 + 8 * k->vcpu + below(k, 7)) * 8ull;
	return below(k, 512) * 8ull;
}

static uint64_t address_of(const struct maker *k, const unsigned int index[VM_LEVELS])
{
	const struct paging *p = paging(k);
	unsigned int top = 11 + p->bits * p->levels;
	uint64_t gva = 0;

	for (unsigned int level = p->levels; level; level--)
		gva = gva << p->bits | index[level - 1];
	gva <<= 12;
	return !is_32bit(k) && gva >> top ? gva | ~0ull << top : gva;
}

static uint64_t random_address(struct maker *k)
{
	unsigned int index[VM_LEVELS];

	for (unsigned int level = 1; level <= paging(k)->levels; level++)
		index[level - 1] = pick_index_at(k, level);
	return address_of(k, index) | pick_offset(k);
}

static uint64_t known_address(struct maker *k)
{
	uint64_t gva = k->history[k->vcpu][below(k, HISTORY)];

	if (!gva || chance(k, 10))
		return random_address(k);
	return (gva & ~0xfffull) | pick_offset(k);
}

static uint64_t direct(const struct maker *k, uint64_t gpa)
{
	return paging(k)->direct + gpa;
}

static uint8_t flag_byte(struct maker *k)
{
	static const uint8_t flags[] = { 0x07, 0x27, 0x67, 0x03, 0x63, 0x05, 0x25,
					 0x01, 0x23, 0x00, 0x06, 0x1f, 0x87, 0xe7 };
	static const uint8_t weights[] = { 20, 10, 10, 15, 10, 6, 4, 6, 4, 6, 3, 2, 2, 2 };

	return flags[pick(k, weights, sizeof(weights))];
}

/* Bit 8 is reserved on levels 4 and 5 of some CPUs and not of others. */
static bool may_be_global(const struct maker *k, bool root)
{
	return !root && paging(k)->levels < 5;
}

/*
 * A byte for place @at of an entry, such that bytes put together in any way make entries which lead
 * only to frames that machine.c knows.
 */
static uint8_t entry_byte(struct maker *k, unsigned int at, bool root)
{
	static const uint8_t frames[] = { 0x20, 0x21, 0x22, 0x40, 0x00 };
	static const uint8_t frame_weights[] = { 40, 15, 10, 30, 5 };

	if (root && paging(k)->registers && (at == 0 || at > 2))
		return at || chance(k, 20) ? 0 : chance(k, 20) ? 0x19 : 0x01;
	switch (at % paging(k)->entry) {
	case 0:
		return flag_byte(k);
	case 1:
		return (uint8_t)(draw(k) & (may_be_global(k, root) && chance(k, 20) ? 0xf3 : 0xf2));
	case 2:
		return frames[pick(k, frame_weights, sizeof(frame_weights))];
	/* Entries of 4 bytes have neither of these. */
	case 6:
		return chance(k, 3) ? 0x08 : chance(k, 10) ? 0x50 : 0;
	case 7:
		return chance(k, 20) ? 0x80 : 0;
	default:
		return 0;
	}
}

static uint64_t entry_bytes(struct maker *k, uint64_t gpa, unsigned int size)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < size; i++) {
		uint64_t at = gpa + i;

		value |= (uint64_t)entry_byte(k, at & 7, is_root(at >> 12)) << 8 * i;
	}
	return value;
}

static uint64_t table_entry(struct maker *k, uint64_t frame)
{
	static const uint8_t flags[] = { 0x07, 0x27, 0x67, 0x03, 0x23, 0x05 };
	static const uint8_t weights[] = { 40, 20, 20, 10, 5, 5 };

	return frame << 12 | flags[pick(k, weights, sizeof(weights))] |
	       (chance(k, 4) ? UT_PTE_NX : 0);
}

static uint64_t leaf_entry(struct maker *k, uint64_t frame)
{
	uint64_t global = chance(k, 10) ? UT_PTE_G : 0;

	return table_entry(k, frame) | global | (chance(k, 20) ? 0x200 : 0);
}

/* ---- flushes ---- */

static uint16_t pcid_of(const struct maker *k)
{
	const struct machine_cpu *cpu = &k->m->cpu[k->vcpu];

	return cpu->cr4 & UT_CR4_PCIDE ? cpu->cr3 & UT_CR3_PCID : 0;
}

static void note_flush(struct maker *k, uint64_t gva, uint16_t pcid)
{
	struct flush *f = &k->flushes[k->n_flushes++];

	*f = (struct flush){
		.page = gva >> 12, .when = k->now, .pcid = pcid, .vcpu = (uint8_t)k->vcpu
	};
}

/* @global: that of translations which a change of CR3 leaves alone. */
static uint32_t last_flush(const struct maker *k, uint64_t gva, bool global)
{
	uint16_t pcid = pcid_of(k);
	uint32_t when = k->flushed_all[k->vcpu];

	if (!global && k->flushed[k->vcpu][pcid] > when)
		when = k->flushed[k->vcpu][pcid];
	for (size_t i = k->n_flushes; i--;) {
		const struct flush *f = &k->flushes[i];

		if (f->when <= when)
			break;
		if (f->page == gva >> 12 && f->vcpu == k->vcpu && f->pcid == pcid)
			return f->when;
	}
	return when;
}

/* Is what the CPU may still hold for an address what the tables say? */
static bool is_fresh(struct maker *k, const struct machine_walk *w)
{
	uint32_t any = last_flush(k, w->gva, false), global = last_flush(k, w->gva, true);

	for (unsigned int level = machine_top(k->m); level >= w->bottom; level--) {
		uint64_t at = w->at[level - 1];
		int frame = machine_index(at >> 12);

		if (frame < 0)
			continue;
		if (k->changed[frame][at >> 3 & 511] > any ||
		    k->changed_global[frame][at >> 3 & 511] > global)
			return false;
	}
	return true;
}

static void note_change(struct maker *k, const struct machine_step *s)
{
	unsigned int size = paging(k)->entry;

	for (uint64_t at = s->gpa & ~(size - 1ull); at < s->gpa + s->size; at += size) {
		int frame = machine_index(at >> 12);
		uint64_t entry = machine_read(k->m, at, size);

		if (frame < 0 || !(entry & UT_PTE_P))
			continue;
		k->changed[frame][at >> 3 & 511] = k->now;
		if (entry & UT_PTE_G)
			k->changed_global[frame][at >> 3 & 511] = k->now;
	}
}

static void note_control(struct maker *k, const struct known_op *op)
{
	switch (op->code) {
	case KNOWN_CR3:
		if (!(op->value & UT_CR3_NOFLUSH))
			k->flushed[k->vcpu][pcid_of(k)] = k->now;
		break;
	case KNOWN_CR4:
		k->flushed_all[k->vcpu] = k->now;
		break;
	case KNOWN_INVLPG:
		note_flush(k, op->gva, pcid_of(k));
		break;
	case KNOWN_INVPCID:
		if (op->type == 0)
			note_flush(k, op->extra, (uint16_t)op->value);
		else if (op->type == 1)
			k->flushed[k->vcpu][op->value] = k->now;
		else if (op->type == 2)
			k->flushed_all[k->vcpu] = k->now;
		else
			for (unsigned int i = 0; i < 1 << 12; i++)
				k->flushed[k->vcpu][i] = k->now;
		break;
	}
}

/* ---- operations ---- */

static void add(struct maker *k, struct known_op op)
{
	struct script *s = k->s;
	bool fault = false;

	op.vcpu = (uint8_t)k->vcpu;
	s->op[k->array][s->n[k->array]++] = op;
	k->now++;
	for (unsigned int part = 0; part < machine_steps(k->m, &op) && !fault; part++) {
		struct machine_step step = machine_look(k->m, &op, part);

		fault = step.access && step.walk.fault;
		if (step.size)
			note_change(k, &step);
		machine_do(k->m, &step);
	}
	note_control(k, &op);
	if (fault)
		s->faults[k->array]++;
}

static void add_simple(struct maker *k, uint8_t code, uint64_t gva, uint64_t value)
{
	add(k, (struct known_op){ .code = code, .gva = gva, .value = value });
}

static void flush_address(struct maker *k, uint64_t gva)
{
	add_simple(k, KNOWN_INVLPG, gva, 0);
}

/* An address may only be used after its flush; sometimes another flush will do. */
static void make_fresh(struct maker *k, uint64_t gva)
{
	struct machine_walk w = machine_walk(k->m, k->vcpu, gva, false);

	if (is_fresh(k, &w))
		return;
	if (chance(k, 25))
		add_simple(k, KNOWN_CR3, 0, k->m->cpu[k->vcpu].cr3);
	if (!is_fresh(k, &w))
		flush_address(k, gva);
}

/* A bit of the word at @at that may be one or zero and leaves the entry sane. */
static uint64_t pick_bit(struct maker *k, uint64_t at)
{
	static const uint8_t bits[] = { 0, 1, 2, 5, 6, 9, 10, 63 };
	static const uint8_t pdpt_bits[] = { 0, 9, 10 };

	/* The high half of an entry has only NX, which narrow ones do not have. */
	if (is_32bit(k) && paging(k)->entry == 8 && at & 4)
		return 31;
	if (is_pdpt(k, at >> 12))
		return pdpt_bits[below(k, sizeof(pdpt_bits))];
	return bits[below(k, sizeof(bits) - is_32bit(k))];
}

/* Is the word at @at an entry of the walk to its own address? */
static bool maps_itself(const struct maker *k, uint64_t gva, uint64_t at)
{
	struct machine_walk w = machine_walk(k->m, k->vcpu, gva, true);
	bool on_way = false;

	for (unsigned int level = machine_top(k->m); level >= w.bottom; level--)
		on_way |= (w.at[level - 1] ^ at) < 8;
	return on_way;
}

/*
 * How a write may be done; whatever looks at the old value changes only bits that keep the entry
 * sane. @at: the physical address, of which the script is sure; all of the bytes are there.
 */
static void add_write(struct maker *k, uint64_t gva, uint64_t at)
{
	static const uint8_t codes[] = { KNOWN_WRITE1,	KNOWN_WRITE2,	    KNOWN_WRITE4,
					 KNOWN_WRITE8,	KNOWN_MOVS,	    KNOWN_XCHG,
					 KNOWN_CMPXCHG, KNOWN_CMPXCHG_FAIL, KNOWN_OR,
					 KNOWN_AND,	KNOWN_BTS,	    KNOWN_BTR,
					 KNOWN_XOR };
	static const uint8_t weights[] = { 10, 4, 8, 40, 5, 8, 8, 3, 4, 4, 4, 4, 3 };
	uint8_t code = codes[pick(k, weights, sizeof(weights))];
	unsigned int word = paging(k)->word;
	bool plain = code <= KNOWN_WRITE8;
	uint64_t bit, value;
	uint16_t type = 0;

	/* Of an entry of two words either may be written. */
	if (word < paging(k)->entry && chance(k, 35) && !is_pdpt(k, at >> 12)) {
		gva += word;
		at += word;
	}
	bit = pick_bit(k, at);
	/* Setting dirty there would come between its look at the old value and the comparison. */
	if (code == KNOWN_CMPXCHG && maps_itself(k, gva, at))
		code = KNOWN_WRITE8;
	if (code == KNOWN_WRITE8 && word == 4)
		code = KNOWN_WRITE4;
	if (plain && chance(k, code == KNOWN_WRITE1 ? 40 : 12)) {
		uint64_t shift = below(k, 8);

		/* Roots keep the entry that the interpreter lives in: no index of ours is near it. */
		gva += shift;
		at += shift;
	}
	switch (code) {
	case KNOWN_WRITE1:
		value = entry_bytes(k, at, 1);
		break;
	case KNOWN_WRITE2:
		value = entry_bytes(k, at, 2);
		break;
	case KNOWN_WRITE4:
		value = entry_bytes(k, at, 4);
		break;
	case KNOWN_OR:
	case KNOWN_XOR:
		value = 1ull << bit;
		break;
	case KNOWN_AND:
		value = ~(1ull << bit);
		break;
	case KNOWN_BTS:
	case KNOWN_BTR:
		value = bit;
		break;
	case KNOWN_CMPXCHG:
	case KNOWN_CMPXCHG_FAIL:
		if (word < paging(k)->entry && !(at & 4))
			type = 8;
		value = entry_bytes(k, at, type ? type : word);
		break;
	default:
		value = entry_bytes(k, at, word);
		break;
	}
	add(k, (struct known_op){ .code = code, .type = type, .gva = gva, .value = value });
}

/* What crosses a page ends in the frame that follows in memory. */
static bool may_write(const struct maker *k, uint64_t at, uint64_t bytes)
{
	const struct paging *p = paging(k);
	unsigned int shift = 12 + p->bits * (p->levels - 1);
	uint64_t slot = p->direct >> shift & ((1u << p->bits) - 1), n = p->entry == 4 ? 2 : 1;

	/* The interpreter lives behind these. */
	for (unsigned int part = 0; part < (p->registers ? KNOWN_PDPTS : 1); part++) {
		uint64_t first = vm_root(p, 0, part) - (KNOWN_POOL_FRAME << 12) + (at & ~0xfffull) +
				 p->entry * slot;

		if (is_root(at >> 12) && at < first + n * p->entry && at + bytes > first)
			return false;
	}
	return machine_is_writable(at >> 12) && machine_is_writable((at + bytes - 1) >> 12);
}

/* An entry of two words, as a kernel that has no wider store writes it. */
static void write_halves(struct maker *k, uint64_t at, uint64_t value)
{
	bool low_first = paging(k)->word == 8 || chance(k, 50);

	for (unsigned int i = 0; i < 2; i++) {
		bool low = low_first == !i;

		add_simple(k, KNOWN_WRITE4, direct(k, low ? at : at + 4),
			   low ? (uint32_t)value : value >> 32);
	}
}

static void write_entry_at(struct maker *k, uint64_t at, uint64_t value)
{
	static const uint8_t codes[] = { KNOWN_WRITE8, KNOWN_MOVS, KNOWN_XCHG, KNOWN_CMPXCHG };
	static const uint8_t weights[] = { 70, 10, 10, 10 };
	bool two_words = paging(k)->word < paging(k)->entry;
	struct known_op op = { .gva = direct(k, at) };

	if (!may_be_global(k, is_root(at >> 12)))
		value &= ~UT_PTE_G;
	if (paging(k)->entry == 4)
		value = (uint32_t)value;
	if (is_pdpt(k, at >> 12))
		value &= 0xfffffe19u;
	if (paging(k)->entry == 8 && chance(k, two_words ? 60 : 5)) {
		write_halves(k, at, value);
		return;
	}
	op.value = value;
	op.code = two_words ? KNOWN_CMPXCHG : codes[pick(k, weights, sizeof(weights))];
	op.type = two_words ? 8 : 0;
	if (op.code == KNOWN_WRITE8 && paging(k)->word == 4)
		op.code = KNOWN_WRITE4;
	add(k, op);
}

/* As above; what stands in registers takes effect when they are loaded. */
static void write_word(struct maker *k, uint64_t at, uint64_t value)
{
	write_entry_at(k, at, value);
	if (is_pdpt(k, at >> 12) && chance(k, 80))
		add_simple(k, KNOWN_CR3, 0, k->m->cpu[k->vcpu].cr3);
}

static uint64_t word_of(const struct maker *k, uint64_t at)
{
	return at & ~(paging(k)->entry - 1ull);
}

static void touch(struct maker *k, uint64_t gva, bool write)
{
	struct machine_walk w;

	make_fresh(k, gva);
	w = machine_walk(k->m, k->vcpu, gva, write);
	/* Large pages may lead to where no memory is. */
	if (!w.fault && w.gpa >= KNOWN_RAM)
		return;
	if (w.fault && write) {
		add_simple(k, is_32bit(k) ? KNOWN_WRITE4 : KNOWN_WRITE8, word_of(k, gva), 0);
	} else if (write && may_write(k, word_of(k, w.gpa), 16) && (gva & 4095) <= 4080) {
		add_write(k, word_of(k, gva), word_of(k, w.gpa));
	} else {
		add_simple(k, KNOWN_READ, word_of(k, gva), 0);
	}
}

/* ---- what a kernel, or a madman, does ---- */

/* Fills in what is missing, then uses the address. */
static void map_address(struct maker *k)
{
	uint64_t gva = random_address(k);
	struct machine_walk w;

	if (chance(k, 30))
		touch(k, gva, chance(k, 50));
	for (unsigned int tries = 0; tries < 6; tries++) {
		w = machine_walk(k->m, k->vcpu, gva, false);
		if (!w.fault || !machine_is_writable(w.at[w.bottom - 1] >> 12))
			break;
		write_word(k, w.at[w.bottom - 1],
			   w.bottom > 1 ? table_entry(k, table_frame(k))
					: leaf_entry(k, leaf_frame(k)));
	}
	k->history[k->vcpu][below(k, HISTORY)] = gva;
	touch(k, gva, chance(k, 60));
}

static void use_address(struct maker *k)
{
	touch(k, known_address(k), chance(k, 50));
}

/* Where an entry is that some address goes through. */
static uint64_t used_entry(struct maker *k)
{
	struct machine_walk w = machine_walk(k->m, k->vcpu, known_address(k), false);
	unsigned int level = w.bottom + below(k, paging(k)->levels + 1 - w.bottom);

	return w.at[level - 1];
}

static uint64_t some_entry(struct maker *k)
{
	if (chance(k, 60))
		return used_entry(k);
	return pick_entry(k, table_frame(k));
}

static void write_entry(struct maker *k)
{
	uint64_t at = some_entry(k);

	if (may_write(k, at, 16))
		add_write(k, direct(k, at), at);
}

/* Like a kernel that takes a page away: a change, then the flush. */
static void unmap_address(struct maker *k)
{
	uint64_t gva = known_address(k);
	struct machine_walk w = machine_walk(k->m, k->vcpu, gva, false);
	uint64_t at = w.at[w.bottom - 1];

	if (w.fault || !may_write(k, at, 8))
		return;
	if (chance(k, 60))
		write_word(k, at, 0);
	else
		add_simple(k, KNOWN_BTR, direct(k, at), chance(k, 50) ? 1 : 6);
	if (chance(k, 70))
		flush_address(k, gva);
	if (chance(k, 50))
		touch(k, gva, chance(k, 50));
}

static void change_root(struct maker *k)
{
	uint64_t value = vm_root(paging(k), below(k, KNOWN_ROOTS),
				 paging(k)->registers ? below(k, KNOWN_PDPTS) : 0);

	if (chance(k, 15))
		value = k->m->cpu[k->vcpu].cr3;
	if (k->m->cpu[k->vcpu].cr4 & UT_CR4_PCIDE)
		value = (value & ~UT_CR3_PCID) | below(k, 4) | (chance(k, 40) ? UT_CR3_NOFLUSH : 0);
	else if (chance(k, 10))
		value |= 0x18;
	else
		value &= ~0x18ull;
	add_simple(k, KNOWN_CR3, 0, value);
}

static void toggle_protection(struct maker *k)
{
	add_simple(k, KNOWN_CR0, 0, k->m->cpu[k->vcpu].cr0 ^ UT_CR0_WP);
}

static void toggle_global(struct maker *k)
{
	add_simple(k, KNOWN_CR4, 0, k->m->cpu[k->vcpu].cr4 ^ UT_CR4_PGE);
}

static void invalidate(struct maker *k)
{
	uint64_t gva = known_address(k);

	if (k->features.invpcid && chance(k, 40)) {
		unsigned int type = below(k, 4);

		add(k, (struct known_op){ .code = KNOWN_INVPCID,
					  .type = (uint16_t)type,
					  .value = k->m->cpu[k->vcpu].cr4 & UT_CR4_PCIDE && type < 2
							   ? below(k, 4)
							   : 0,
					  .extra = type ? 0 : gva });
		return;
	}
	flush_address(k, chance(k, 85) ? gva : direct(k, table_frame(k) << 12));
}

/* A run as of a table that is cleared, or filled with equal entries. */
static void store_run(struct maker *k)
{
	unsigned int word = paging(k)->word, words = 4096 / word;
	uint64_t at = some_entry(k), index = at / word % words, n = 2 + below(k, 24);

	if (index + n > words)
		n = words - index;
	if (is_free(k) && (index & 7) + n > 8)
		n = 8 - (index & 7);
	if (!may_write(k, at, word * n))
		return;
	/* One word is no entry everywhere. */
	add(k, (struct known_op){ .code = KNOWN_STOS,
				  .gva = direct(k, at),
				  .value = chance(k, 60) || word < paging(k)->entry
						   ? 0
						   : entry_bytes(k, at, word),
				  .extra = n });
}

/* A table is let go of, flushed away, and becomes a page of data; or is cleared for its next use. */
static void free_table(struct maker *k)
{
	uint64_t gva = known_address(k);
	struct machine_walk w = machine_walk(k->m, k->vcpu, gva, false);
	unsigned int level = w.bottom + 1 + below(k, 3);
	uint64_t table;

	if (level > paging(k)->levels || !may_write(k, w.at[level - 1], 8))
		return;
	table = w.entry[level - 1] >> 12 & 0xffffffffff;
	if (!machine_is_writable(table) || is_root(table))
		return;
	write_word(k, w.at[level - 1], 0);
	add_simple(k, KNOWN_CR3, 0, k->m->cpu[k->vcpu].cr3);
	for (unsigned int i = 1 + below(k, 10); i; i--) {
		uint64_t at = pick_entry(k, table);

		if (may_write(k, at, 16))
			add_write(k, direct(k, at), at);
	}
}

/* The same table below two roots, or in two places, or at two levels. */
static void share_entry(struct maker *k)
{
	uint64_t from = used_entry(k), to;
	uint64_t entry = machine_read(k->m, from, paging(k)->entry);

	if (!chance(k, 50))
		to = some_entry(k);
	else if (paging(k)->registers)
		to = pick_entry(k, root_frame(k));
	else
		to = root_frame(k) << 12 | (from & 4095);
	if (!may_write(k, to, 8))
		return;
	write_word(k, to, entry);
}

static void map_itself(struct maker *k)
{
	unsigned int top = machine_top(k->m), depth, index[VM_LEVELS] = { 0 };
	uint64_t table = k->m->cpu[k->vcpu].cr3 & UT_PTE_FRAME;

	for (unsigned int level = 1; level <= paging(k)->levels; level++)
		index[level - 1] = level == top ? self_slot(k) : pick_index_at(k, level);
	depth = 1 + below(k, top > 2 ? top - 1 : 2);
	/* What registers lead to, if they do. */
	if (paging(k)->registers)
		table = k->m->cpu[k->vcpu].pdpte[index[top]] & UT_PTE_FRAME;
	if (chance(k, 30))
		table = some_entry(k) & ~0xfffull;
	if (!may_write(k, table, 8) || is_pdpt(k, table >> 12))
		return;
	write_word(k, table + paging(k)->entry * self_slot(k), table_entry(k, table >> 12));
	for (unsigned int i = 0; i < depth; i++)
		index[top - 1 - i] = self_slot(k);
	k->history[k->vcpu][below(k, HISTORY)] = address_of(k, index);
	touch(k, address_of(k, index) | (uint64_t)pick_index(k) * paging(k)->entry, chance(k, 60));
}

static void (*const deeds[])(struct maker *k) = {
	map_address,   use_address, write_entry, unmap_address, change_root, toggle_protection,
	toggle_global, invalidate,  store_run,	 free_table,	share_entry, map_itself,
};
#define DEEDS (sizeof(deeds) / sizeof(deeds[0]))

static const uint8_t tempers[][DEEDS] = {
	{ 30, 20, 10, 15, 8, 2, 2, 5, 2, 3, 3, 1 },  /* a kernel */
	{ 15, 15, 15, 10, 10, 5, 5, 5, 5, 5, 5, 5 }, /* everything */
	{ 15, 10, 50, 5, 3, 2, 1, 2, 8, 2, 2, 2 },   /* writes */
	{ 20, 25, 8, 5, 25, 5, 3, 2, 1, 2, 4, 1 },   /* switches */
	{ 15, 15, 15, 5, 8, 3, 1, 5, 3, 8, 10, 15 }, /* loops and shares */
};

/* ---- scripts ---- */

/* So that a trace shows that everything before was done. */
static void add_last(struct maker *k)
{
	add_simple(k, KNOWN_INVLPG, is_32bit(k) ? LAST_ADDRESS_32 : LAST_ADDRESS, 0);
}

static void make_free(struct maker *k, unsigned int length)
{
	for (k->vcpu = 0; k->vcpu < k->s->vcpus; k->vcpu++) {
		k->array = k->vcpu;
		while (k->s->n[k->array] < length)
			deeds[pick(k, k->weights, DEEDS)](k);
		add_last(k);
		add_simple(k, KNOWN_END, 0, 0);
	}
}

static void make_shared(struct maker *k, unsigned int length)
{
	struct script *s = k->s;

	while (s->n[0] < length) {
		if (s->vcpus > 1 && chance(k, 20))
			k->vcpu ^= 1;
		deeds[pick(k, k->weights, DEEDS)](k);
	}
	for (k->vcpu = 0; k->vcpu < s->vcpus; k->vcpu++)
		add_last(k);
	for (k->vcpu = 0; k->vcpu < s->vcpus; k->vcpu++)
		add_simple(k, KNOWN_END, 0, 0);
}

static int make(struct maker *k, uint64_t seed)
{
	struct script *s = k->s;
	unsigned int length;

	k->random = seed * 0xd1342543de82ef95ull + 1;
	s->flavour = seed % 4 != 3 ? SCRIPT_ALONE : seed % 8 == 3 ? SCRIPT_TURNS : SCRIPT_FREE;
	if (s->flavour == SCRIPT_FREE && is_32bit(k))
		s->flavour = SCRIPT_TURNS;
	s->vcpus = s->flavour == SCRIPT_ALONE ? 1 : 2;
	s->arrays = s->flavour == SCRIPT_FREE ? 2 : 1;
	for (unsigned int i = 0; i < s->arrays; i++) {
		s->op[i] = calloc(MAX_OPS, sizeof(*s->op[i]));
		if (!s->op[i])
			return -1;
	}
	k->flushes = calloc(2 * MAX_OPS, sizeof(*k->flushes));
	if (!k->flushes)
		return -1;
	machine_init(&s->start, s->paging, vm_root(s->paging, 0, 0),
		     s->paging->cr4 | (k->features.pcid && chance(k, 70) ? UT_CR4_PCIDE : 0));
	s->end = s->start;
	k->m = &s->end;
	k->weights = tempers[below(k, sizeof(tempers) / sizeof(tempers[0]))];
	length = MIN_LENGTH + below(k, MORE_LENGTH);
	if (is_free(k))
		make_free(k, length);
	else
		make_shared(k, length);
	return 0;
}

struct script *script_make(uint64_t seed, const struct paging *paging, struct vm_features features)
{
	struct script *s = calloc(1, sizeof(*s));
	struct maker *k = calloc(1, sizeof(*k));
	int err = -1;

	if (s && k) {
		s->seed = seed;
		s->paging = paging;
		k->s = s;
		if (paging->word == 8)
			k->features = features;
		err = make(k, seed);
		free(k->flushes);
	}
	free(k);
	if (err) {
		script_free(s);
		return NULL;
	}
	return s;
}

void script_free(struct script *s)
{
	if (!s)
		return;
	for (unsigned int i = 0; i < VM_VCPUS; i++)
		free(s->op[i]);
	free(s);
}

const char *script_flavour_name(const struct script *s)
{
	static const char *const names[] = { "alone", "turns", "free" };

	return names[s->flavour];
}

const char *script_op_name(unsigned int code)
{
	static const char *const names[KNOWN_CODES] = {
		"nop",	"end",	"read",	   "write1",	   "write2", "write4", "write8", "movs",
		"stos", "xchg", "cmpxchg", "cmpxchg-fail", "or",     "and",    "bts",	 "btr",
		"xor",	"cr0",	"cr3",	   "cr4",	   "invlpg", "invpcid"
	};

	return code < KNOWN_CODES ? names[code] : NULL;
}
