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

static uint64_t root_frame(struct maker *k)
{
	return KNOWN_POOL_FRAME + below(k, KNOWN_ROOTS);
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
	static const uint8_t weights[] = { 30, 25, 15, 10, 8, 4, 4, 4 };

	if (is_free(k))
		return indices[pick(k, weights, 6)] + 8 * k->vcpu;
	return indices[pick(k, weights, 8)];
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

static uint64_t address_of(const unsigned int index[4])
{
	uint64_t gva = 0;

	for (unsigned int level = 4; level; level--)
		gva = gva << 9 | index[level - 1];
	gva <<= 12;
	return gva >> 47 ? gva | 0xffff000000000000ull : gva;
}

static uint64_t random_address(struct maker *k)
{
	unsigned int index[4];

	for (unsigned int i = 0; i < 4; i++)
		index[i] = pick_index(k);
	return address_of(index) | pick_offset(k);
}

static uint64_t known_address(struct maker *k)
{
	uint64_t gva = k->history[k->vcpu][below(k, HISTORY)];

	if (!gva || chance(k, 10))
		return random_address(k);
	return (gva & ~0xfffull) | pick_offset(k);
}

static uint64_t direct(uint64_t gpa)
{
	return KNOWN_DIRECT + gpa;
}

static uint8_t flag_byte(struct maker *k)
{
	static const uint8_t flags[] = { 0x07, 0x27, 0x67, 0x03, 0x63, 0x05, 0x25,
					 0x01, 0x23, 0x00, 0x06, 0x1f, 0x87, 0xe7 };
	static const uint8_t weights[] = { 20, 10, 10, 15, 10, 6, 4, 6, 4, 6, 3, 2, 2, 2 };

	return flags[pick(k, weights, sizeof(weights))];
}

/*
 * A byte for place @at of an entry, such that bytes put together in any way make entries which lead
 * only to frames that machine.c knows. Bit 8 is reserved in roots on some CPUs and not on others.
 */
static uint8_t entry_byte(struct maker *k, unsigned int at, bool root)
{
	static const uint8_t frames[] = { 0x20, 0x21, 0x22, 0x40, 0x00 };
	static const uint8_t frame_weights[] = { 40, 15, 10, 30, 5 };

	switch (at) {
	case 0:
		return flag_byte(k);
	case 1:
		return (uint8_t)(draw(k) & (root ? 0xf2 : chance(k, 20) ? 0xf3 : 0xf2));
	case 2:
		return frames[pick(k, frame_weights, sizeof(frame_weights))];
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

	for (unsigned int level = 4; level >= w->bottom; level--) {
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
	for (uint64_t at = s->gpa & ~7ull; at < s->gpa + s->size; at += 8) {
		int frame = machine_index(at >> 12);
		uint64_t entry = machine_read(k->m, at, 8);

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
	for (unsigned int part = 0; part < machine_steps(&op) && !fault; part++) {
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

/*
 * How a write may be done; whatever looks at the old value changes only bits that keep the entry
 * sane. @at: the physical address, of which the script is sure; all of the bytes are there.
 */
static void add_write(struct maker *k, uint64_t gva, uint64_t at)
{
	static const uint64_t bits[] = { 0, 1, 2, 5, 6, 9, 10, 63 };
	static const uint8_t codes[] = { KNOWN_WRITE1,	KNOWN_WRITE2,	    KNOWN_WRITE4,
					 KNOWN_WRITE8,	KNOWN_MOVS,	    KNOWN_XCHG,
					 KNOWN_CMPXCHG, KNOWN_CMPXCHG_FAIL, KNOWN_OR,
					 KNOWN_AND,	KNOWN_BTS,	    KNOWN_BTR,
					 KNOWN_XOR };
	static const uint8_t weights[] = { 10, 4, 8, 40, 5, 8, 8, 3, 4, 4, 4, 4, 3 };
	uint8_t code = codes[pick(k, weights, sizeof(weights))];
	uint64_t bit = bits[below(k, sizeof(bits) / sizeof(bits[0]))], value;
	bool plain = code <= KNOWN_WRITE8;

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
	default:
		value = entry_bytes(k, at, 8);
		break;
	}
	add_simple(k, code, gva, value);
}

/* What crosses a page ends in the frame that follows in memory. */
static bool may_write(uint64_t at, uint64_t bytes)
{
	uint64_t slot = (at & ~0xfffull) + 8 * KNOWN_DIRECT_SLOT;

	/* The interpreter lives behind this one. */
	if (is_root(at >> 12) && at < slot + 8 && at + bytes > slot)
		return false;
	return machine_is_writable(at >> 12) && machine_is_writable((at + bytes - 1) >> 12);
}

static void write_word(struct maker *k, uint64_t at, uint64_t value)
{
	static const uint8_t codes[] = { KNOWN_WRITE8, KNOWN_MOVS, KNOWN_XCHG, KNOWN_CMPXCHG };
	static const uint8_t weights[] = { 70, 10, 10, 10 };

	if (is_root(at >> 12))
		value &= ~UT_PTE_G;
	if (chance(k, 5)) {
		add_simple(k, KNOWN_WRITE4, direct(at), (uint32_t)value);
		add_simple(k, KNOWN_WRITE4, direct(at + 4), value >> 32);
		return;
	}
	add_simple(k, codes[pick(k, weights, sizeof(weights))], direct(at), value);
}

static void touch(struct maker *k, uint64_t gva, bool write)
{
	struct machine_walk w;

	make_fresh(k, gva);
	w = machine_walk(k->m, k->vcpu, gva, write);
	if (w.fault && write) {
		add_simple(k, KNOWN_WRITE8, gva & ~7ull, 0);
	} else if (write && may_write(w.gpa & ~7ull, 16) && (gva & 4095) <= 4080) {
		add_write(k, gva & ~7ull, w.gpa & ~7ull);
	} else {
		add_simple(k, KNOWN_READ, gva & ~7ull, 0);
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
	unsigned int level = w.bottom + below(k, 5 - w.bottom);

	return w.at[level - 1];
}

static uint64_t some_entry(struct maker *k)
{
	if (chance(k, 60))
		return used_entry(k);
	return table_frame(k) << 12 | pick_index(k) << 3;
}

static void write_entry(struct maker *k)
{
	uint64_t at = some_entry(k);

	if (may_write(at, 16))
		add_write(k, direct(at), at);
}

/* Like a kernel that takes a page away: a change, then the flush. */
static void unmap_address(struct maker *k)
{
	uint64_t gva = known_address(k);
	struct machine_walk w = machine_walk(k->m, k->vcpu, gva, false);
	uint64_t at = w.at[w.bottom - 1];

	if (w.fault || !may_write(at, 8))
		return;
	if (chance(k, 60))
		write_word(k, at, 0);
	else
		add_simple(k, KNOWN_BTR, direct(at), chance(k, 50) ? 1 : 6);
	if (chance(k, 70))
		flush_address(k, gva);
	if (chance(k, 50))
		touch(k, gva, chance(k, 50));
}

static void change_root(struct maker *k)
{
	uint64_t value = root_frame(k) << 12;

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
	flush_address(k, chance(k, 85) ? gva : direct(table_frame(k) << 12));
}

/* A run as of a table that is cleared, or filled with equal entries. */
static void store_run(struct maker *k)
{
	uint64_t at = some_entry(k), index = at >> 3 & 511, n = 2 + below(k, 24);

	if (index + n > 512)
		n = 512 - index;
	if (is_free(k) && (index & 7) + n > 8)
		n = 8 - (index & 7);
	if (!may_write(at, 8 * n))
		return;
	add(k, (struct known_op){ .code = KNOWN_STOS,
				  .gva = direct(at),
				  .value = chance(k, 60) ? 0 : entry_bytes(k, at, 8),
				  .extra = n });
}

/* A table is let go of, flushed away, and becomes a page of data; or is cleared for its next use. */
static void free_table(struct maker *k)
{
	uint64_t gva = known_address(k);
	struct machine_walk w = machine_walk(k->m, k->vcpu, gva, false);
	unsigned int level = w.bottom + 1 + below(k, 3);
	uint64_t table;

	if (level > 4 || !may_write(w.at[level - 1], 8))
		return;
	table = w.entry[level - 1] >> 12 & 0xffffffffff;
	if (!machine_is_writable(table) || is_root(table))
		return;
	write_word(k, w.at[level - 1], 0);
	add_simple(k, KNOWN_CR3, 0, k->m->cpu[k->vcpu].cr3);
	for (unsigned int i = 1 + below(k, 10); i; i--) {
		uint64_t at = table << 12 | pick_index(k) << 3;

		if (may_write(at, 16))
			add_write(k, direct(at), at);
	}
}

/* The same table below two roots, or in two places, or at two levels. */
static void share_entry(struct maker *k)
{
	uint64_t from = used_entry(k), to;
	uint64_t entry = machine_read(k->m, from, 8);

	if (chance(k, 50))
		to = root_frame(k) << 12 | (from & 4095);
	else
		to = some_entry(k);
	if (!may_write(to, 8))
		return;
	write_word(k, to, entry);
}

static void map_itself(struct maker *k)
{
	uint64_t root = k->m->cpu[k->vcpu].cr3 & UT_PTE_FRAME, table = root;
	unsigned int index[4] = { pick_index(k), pick_index(k), pick_index(k), self_slot(k) };
	unsigned int depth = 1 + below(k, 3);

	if (chance(k, 30))
		table = some_entry(k) & ~0xfffull;
	if (!may_write(table, 8))
		return;
	write_word(k, table + 8 * self_slot(k), table_entry(k, table >> 12));
	for (unsigned int i = 0; i < depth; i++)
		index[3 - i] = self_slot(k);
	k->history[k->vcpu][below(k, HISTORY)] = address_of(index);
	touch(k, address_of(index) | (uint64_t)pick_index(k) << 3, chance(k, 60));
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

static void make_free(struct maker *k, unsigned int length)
{
	for (k->vcpu = 0; k->vcpu < k->s->vcpus; k->vcpu++) {
		k->array = k->vcpu;
		while (k->s->n[k->array] < length)
			deeds[pick(k, k->weights, DEEDS)](k);
		add_simple(k, KNOWN_INVLPG, LAST_ADDRESS, 0);
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
	/* So that a trace shows that everything before was done. */
	for (k->vcpu = 0; k->vcpu < s->vcpus; k->vcpu++)
		add_simple(k, KNOWN_INVLPG, LAST_ADDRESS, 0);
	for (k->vcpu = 0; k->vcpu < s->vcpus; k->vcpu++)
		add_simple(k, KNOWN_END, 0, 0);
}

static int make(struct maker *k, uint64_t seed)
{
	struct script *s = k->s;
	unsigned int length;

	k->random = seed * 0xd1342543de82ef95ull + 1;
	s->flavour = seed % 4 != 3 ? SCRIPT_ALONE : seed % 8 == 3 ? SCRIPT_TURNS : SCRIPT_FREE;
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
	machine_init(&s->start, KNOWN_POOL_FRAME << 12,
		     VM_CR4 | (k->features.pcid && chance(k, 70) ? UT_CR4_PCIDE : 0));
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

struct script *script_make(uint64_t seed, struct vm_features features)
{
	struct script *s = calloc(1, sizeof(*s));
	struct maker *k = calloc(1, sizeof(*k));
	int err = -1;

	if (s && k) {
		s->seed = seed;
		k->s = s;
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
