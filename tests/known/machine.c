// SPDX-License-Identifier: GPL-2.0-only
#include "machine.h"

#include <string.h>

#define RESERVED 0x000fff0000000000ull	   /* address bits that vm.c's CPU does not have */
#define RESERVED_PAE 0x7fffff0000000000ull /* free in 64-bit modes, but for those */
#define PDPTE_FRAME 0x000000fffffff000ull

int machine_index(uint64_t gfn)
{
	unsigned int base = 0;

	if (gfn < MACHINE_LOW)
		return (int)gfn;
	base += MACHINE_LOW;
	if (gfn >= KNOWN_POOL_FRAME && gfn < KNOWN_POOL_FRAME + KNOWN_POOL)
		return (int)(base + gfn - KNOWN_POOL_FRAME);
	base += KNOWN_POOL;
	if (gfn >= KNOWN_DATA_FRAME && gfn < KNOWN_DATA_FRAME + KNOWN_DATA)
		return (int)(base + gfn - KNOWN_DATA_FRAME);
	base += KNOWN_DATA;
	if (gfn == KNOWN_PDPT >> 12)
		return (int)base;
	if (gfn == KNOWN_PD >> 12)
		return (int)base + 1;
	if (gfn == KNOWN_P4D >> 12)
		return (int)base + 2;
	return -1;
}

uint64_t machine_gfn(unsigned int index)
{
	if (index < MACHINE_LOW)
		return index;
	index -= MACHINE_LOW;
	if (index < KNOWN_POOL)
		return KNOWN_POOL_FRAME + index;
	index -= KNOWN_POOL;
	if (index < KNOWN_DATA)
		return KNOWN_DATA_FRAME + index;
	index -= KNOWN_DATA;
	return (index == 0 ? KNOWN_PDPT : index == 1 ? KNOWN_PD : KNOWN_P4D) >> 12;
}

uint64_t *machine_frame(struct machine *m, uint64_t gfn)
{
	int index = machine_index(gfn);

	return index < 0 ? NULL : m->word[index];
}

bool machine_is_writable(uint64_t gfn)
{
	int index = machine_index(gfn);

	return index >= 0 && index < MACHINE_FRAMES - MACHINE_TABLES;
}

uint64_t machine_read(const struct machine *m, uint64_t gpa, unsigned int size)
{
	int index = machine_index(gpa >> 12);
	uint64_t value = 0;

	if (index >= 0)
		memcpy(&value, (const char *)m->word[index] + (gpa & 4095), size);
	return value;
}

static void write_bytes(struct machine *m, uint64_t gpa, uint64_t value, unsigned int size)
{
	uint64_t *words = machine_frame(m, gpa >> 12);

	if (words)
		memcpy((char *)words + (gpa & 4095), &value, size);
}

static void set_entry(void *m, uint64_t gpa, uint64_t entry)
{
	machine_frame(m, gpa >> 12)[gpa >> 3 & 511] |= entry << 8 * (gpa & 7);
}

static void load_registers(struct machine *m, struct machine_cpu *cpu)
{
	for (unsigned int i = 0; i < 4 && m->paging->registers; i++)
		cpu->pdpte[i] = machine_read(m, (cpu->cr3 & 0xffffffe0u) + 8 * i, 8);
}

void machine_init(struct machine *m, const struct paging *paging, uint64_t cr3, uint64_t cr4)
{
	memset(m, 0, sizeof(*m));
	m->paging = paging;
	vm_tables(paging, set_entry, m);
	for (unsigned int i = 0; i < VM_VCPUS; i++) {
		m->cpu[i] = (struct machine_cpu){ .cr0 = VM_CR0, .cr3 = cr3, .cr4 = cr4 };
		load_registers(m, &m->cpu[i]);
	}
}

static bool is_large(const struct machine *m, uint64_t entry, unsigned int level)
{
	return level > 1 && level <= machine_top(m) && entry & UT_PTE_PS;
}

static bool is_reserved(const struct machine *m, uint64_t entry, unsigned int level)
{
	/* Of 4 MiB bits 13 to 16 are bits 32 to 35 of the address. */
	if (m->paging->entry == 4)
		return is_large(m, entry, level) && entry & 0x3e0000;
	if (entry & (m->paging->registers ? RESERVED_PAE : RESERVED))
		return true;
	if (!is_large(m, entry, level))
		return false;
	/* There are no pages of 1 GiB; vm.c saw to it. */
	return level > 2 || (level == 2 && entry & 0x1fe000);
}

struct machine_walk machine_walk(const struct machine *m, unsigned int vcpu, uint64_t gva,
				 bool write)
{
	const struct paging *p = m->paging;
	struct machine_walk w = { .gva = gva, .fault = true };
	uint64_t table = m->cpu[vcpu].cr3 & UT_PTE_FRAME, all = UT_PTE_W, entry = 0;
	unsigned int level = p->levels, shift = 0;

	if (p->registers) {
		unsigned int slot = gva >> 30 & 3;

		w.entry[level - 1] = m->cpu[vcpu].pdpte[slot];
		w.at[level - 1] = (m->cpu[vcpu].cr3 & 0xffffffe0u) + 8 * slot;
		w.bottom = level;
		if (!(w.entry[level - 1] & UT_PTE_P))
			return w;
		table = w.entry[level - 1] & PDPTE_FRAME;
		level--;
	}
	for (; level; level--) {
		shift = 12 + p->bits * (level - 1);
		w.at[level - 1] = table + p->entry * (gva >> shift & ((1u << p->bits) - 1));
		entry = machine_read(m, w.at[level - 1], p->entry);
		w.entry[level - 1] = entry;
		w.bottom = level;
		all &= entry;
		if (!(entry & UT_PTE_P) || is_reserved(m, entry, level))
			return w;
		if (level == 1 || is_large(m, entry, level))
			break;
		table = entry & UT_PTE_FRAME;
	}
	w.gpa = (entry & UT_PTE_FRAME & ~((1ull << shift) - 1)) | (gva & ((1ull << shift) - 1));
	if (p->entry == 4 && level > 1)
		w.gpa |= (entry & 0x1e000) << 19;
	w.fault = write && !all && m->cpu[vcpu].cr0 & UT_CR0_WP;
	return w;
}

static unsigned int op_size(const struct machine *m, const struct known_op *op)
{
	switch (op->code) {
	case KNOWN_WRITE1:
		return 1;
	case KNOWN_WRITE2:
		return 2;
	case KNOWN_WRITE4:
		return 4;
	case KNOWN_CMPXCHG:
	case KNOWN_CMPXCHG_FAIL:
		return op->type ? op->type : m->paging->word;
	default:
		return m->paging->word;
	}
}

static bool is_access(const struct known_op *op)
{
	return op->code >= KNOWN_READ && op->code <= KNOWN_XOR;
}

unsigned int machine_steps(const struct machine *m, const struct known_op *op)
{
	if (op->code == KNOWN_STOS)
		return (unsigned int)op->extra;
	if (op->code > KNOWN_READ && is_access(op) && (op->gva & 4095) + op_size(m, op) > 4096)
		return 2;
	return 1;
}

static uint64_t new_value(const struct known_op *op, uint64_t old)
{
	switch (op->code) {
	case KNOWN_CMPXCHG_FAIL:
		return old;
	case KNOWN_OR:
		return old | op->value;
	case KNOWN_AND:
		return old & op->value;
	case KNOWN_BTS:
		return old | 1ull << op->value;
	case KNOWN_BTR:
		return old & ~(1ull << op->value);
	case KNOWN_XOR:
		return old ^ op->value;
	default:
		return op->value;
	}
}

struct machine_step machine_look(const struct machine *m, const struct known_op *op,
				 unsigned int part)
{
	struct machine_step s = { .op = op, .part = part, .access = is_access(op) };
	uint64_t gva = op->gva, value;
	unsigned int size = op_size(m, op), first = 4096 - (gva & 4095);

	if (!s.access)
		return s;
	s.write = op->code != KNOWN_READ;
	if (op->code == KNOWN_STOS)
		gva += (uint64_t)size * part;
	else if (part)
		gva += first;
	s.walk = machine_walk(m, op->vcpu, gva, s.write);
	if (!s.write || s.walk.fault)
		return s;
	s.gpa = s.walk.gpa;
	s.size = size;
	value = op->value;
	/* Only instructions that do not look at the old value cross the end of a page. */
	if (op->code != KNOWN_STOS && first < size) {
		s.size = part ? size - first : first;
		value >>= part ? 8 * first : 0;
		s.value = value;
	} else {
		s.value = new_value(op, machine_read(m, s.gpa, size));
	}
	if (s.size < 8)
		s.value &= (1ull << 8 * s.size) - 1;
	s.old = machine_read(m, s.gpa, s.size);
	return s;
}

void machine_do(struct machine *m, const struct machine_step *s)
{
	struct machine_cpu *cpu = &m->cpu[s->op->vcpu];

	if (s->size)
		write_bytes(m, s->gpa, s->value, s->size);
	else if (s->op->code == KNOWN_CR0)
		cpu->cr0 = s->op->value;
	else if (s->op->code == KNOWN_CR3)
		cpu->cr3 = s->op->value & ~UT_CR3_NOFLUSH;
	else if (s->op->code == KNOWN_CR4)
		cpu->cr4 = s->op->value;
	/* Scripts change no bit of CR0 that has the four entries read, and of CR4 only such. */
	if (s->op->code == KNOWN_CR3 || s->op->code == KNOWN_CR4)
		load_registers(m, cpu);
}
