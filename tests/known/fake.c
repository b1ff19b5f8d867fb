// SPDX-License-Identifier: GPL-2.0-only
#include "fake.h"

#include <stdlib.h>
#include <string.h>

#define MAX_PAGES 4096
#define STEP_NS 1000
#define EXIT_SVM_PF 0x4e

struct fake_page {
	uint64_t gfn;
	uint32_t role;
	bool unsync;
};

struct fake {
	const struct script *s;
	struct recording *r;
	bool exact, failed, started[VM_VCPUS];
	struct machine m;
	uint64_t view[MACHINE_FRAMES][512];
	struct fake_page pages[MAX_PAGES];
	size_t n_pages;
	uint64_t time, faults[VM_VCPUS];
	unsigned int vcpu;
};

/* ---- events ---- */

static struct ut_event event(const struct fake *f, unsigned int kind)
{
	return (struct ut_event){ .kind = (uint8_t)kind, .vcpu = (uint16_t)f->vcpu };
}

static void put(struct fake *f, struct ut_event *e)
{
	e->time = f->time += STEP_NS;
	if (recording_add(f->r, e))
		f->failed = true;
}

static void put_page(struct fake *f, unsigned int kind, const struct fake_page *p, bool unsync)
{
	struct ut_event e = event(f, kind);

	e.page.gfn = p->gfn;
	e.page.role = p->role;
	e.page.unsync = unsync;
	put(f, &e);
}

static void put_text(struct fake *f, const char *name, uint64_t value)
{
	struct ut_event e = event(f, UT_STAT);

	e.text.text = name;
	e.text.len = (uint16_t)strlen(name);
	e.text.value = value;
	put(f, &e);
}

static void put_state(struct fake *f)
{
	const struct machine_cpu *cpu = &f->m.cpu[f->vcpu];
	struct ut_event e = event(f, UT_STATE);

	e.state = (struct ut_state){ cpu->cr0, cpu->cr3, cpu->cr4, f->s->paging->efer };
	put(f, &e);
}

static void put_write(struct fake *f, uint64_t gpa, unsigned int size, uint64_t value,
		      unsigned int how, bool old_known)
{
	char *at = (char *)f->view[machine_index(gpa >> 12)] + (gpa & 4095);
	struct ut_event e = event(f, UT_WRITE);

	e.write.gfn = gpa >> 12;
	e.write.offset = gpa & 4095;
	e.write.size = (uint8_t)size;
	e.write.val = value;
	e.write.how = (uint8_t)how;
	e.write.old_known = old_known;
	if (old_known)
		memcpy(&e.write.old, at, size);
	memcpy(at, &value, size);
	put(f, &e);
}

/* ---- pages ---- */

static bool is_shadow_of(const struct fake_page *p, uint64_t gfn)
{
	return p->gfn == gfn && !(p->role & UT_ROLE_DIRECT);
}

/* Tells what changed in a table out of sync. */
static void put_windows(struct fake *f, uint64_t gfn)
{
	int frame = machine_index(gfn);
	unsigned int size = f->s->paging->entry;

	for (uint64_t at = gfn << 12; at < (gfn + 1) << 12; at += size) {
		uint64_t now = machine_read(&f->m, at, size);

		if (memcmp((char *)f->view[frame] + (at & 4095), &now, size))
			put_write(f, at, size, now, UT_HOW_WINDOW, true);
	}
}

static void put_new(struct fake *f, uint64_t gfn, uint32_t role)
{
	struct ut_event e = event(f, UT_PAGE_NEW);
	struct ut_entry entries[512];
	int frame = machine_index(gfn);
	bool known = false;

	for (size_t i = 0; i < f->n_pages; i++)
		known |= is_shadow_of(&f->pages[i], gfn);
	e.page.gfn = gfn;
	e.page.role = role;
	e.page.entries = entries;
	e.page.known = !(role & UT_ROLE_DIRECT);
	if (e.page.known && known)
		put_windows(f, gfn);
	for (uint16_t i = 0; e.page.known && i < 512; i++) {
		f->view[frame][i] = f->m.word[frame][i];
		if (f->view[frame][i])
			entries[e.page.n++] = (struct ut_entry){ i, f->view[frame][i] };
	}
	put(f, &e);
	if (f->n_pages < MAX_PAGES)
		f->pages[f->n_pages++] = (struct fake_page){ .gfn = gfn, .role = role };
	else
		f->failed = true;
}

static void need_page(struct fake *f, uint64_t gfn, uint32_t role)
{
	for (size_t i = 0; i < f->n_pages; i++) {
		if (f->pages[i].gfn != gfn || f->pages[i].role != role)
			continue;
		if (f->pages[i].unsync)
			put_windows(f, gfn);
		put_page(f, UT_PAGE_FOUND, &f->pages[i], f->pages[i].unsync);
		return;
	}
	put_new(f, gfn, role);
}

static uint32_t registers_role(const struct fake *f)
{
	return UT_ROLE_EFER_NX | (f->s->paging->entry == 4 ? UT_ROLE_4BYTE : 0) |
	       (f->m.cpu[f->vcpu].cr0 & UT_CR0_WP ? UT_ROLE_CR0_WP : 0);
}

static void load_root(struct fake *f)
{
	const struct paging *p = f->s->paging;
	const struct machine_cpu *cpu = &f->m.cpu[f->vcpu];
	uint32_t role = p->root | UT_ROLE_ACCESS | registers_role(f);

	for (uint32_t i = 0; i < 4; i++) {
		if (p->registers && cpu->pdpte[i] & UT_PTE_P)
			need_page(f, (cpu->pdpte[i] & UT_PTE_FRAME) >> 12, role);
		else if (p->entry == 4 || (!p->registers && !i))
			need_page(f, (cpu->cr3 & UT_PTE_FRAME) >> 12,
				  role | i << UT_ROLE_QUADRANT_SHIFT);
	}
}

static void sync_all(struct fake *f)
{
	struct ut_event e = event(f, UT_HOST_RESYNC);

	for (size_t i = 0; i < f->n_pages; i++) {
		if (!f->pages[i].unsync)
			continue;
		put_windows(f, f->pages[i].gfn);
		f->pages[i].unsync = false;
		put_page(f, UT_HOST_SYNC, &f->pages[i], false);
		e.resync.pages++;
	}
	if (e.resync.pages)
		put(f, &e);
}

/* ---- accesses ---- */

static void set_bit(struct fake *f, uint64_t gpa, uint64_t bit)
{
	uint64_t *word = &f->m.word[machine_index(gpa >> 12)][gpa >> 3 & 511];
	unsigned int size = f->s->paging->entry, shift = gpa % 8 * 8;
	struct ut_event e = event(f, UT_AD);

	if (*word >> shift & bit)
		return;
	*word |= bit << shift;
	f->view[machine_index(gpa >> 12)][gpa >> 3 & 511] |= bit << shift;
	e.ad.gfn = gpa >> 12;
	e.ad.index = (gpa & 4095) / size;
	e.ad.entry_size = (uint8_t)size;
	e.ad.dirty = bit == UT_PTE_D;
	put(f, &e);
}

/* The shadow pages on the way; returns nothing below a large page but one direct page. */
static void need_way(struct fake *f, const struct machine_walk *w)
{
	uint32_t access = UT_ROLE_ACCESS, quadrant = 0;

	if (f->s->paging->entry == 4)
		quadrant = (w->gva >> 21 & 1) << UT_ROLE_QUADRANT_SHIFT;
	for (unsigned int level = f->s->paging->root; level; level--) {
		uint64_t entry = w->entry[level - 1];

		if (level < f->s->paging->root)
			need_page(f, w->at[level - 1] >> 12,
				  level | access | quadrant | registers_role(f));
		if (!(entry & UT_PTE_W))
			access &= ~UT_ROLE_WRITE;
		if (!(entry & UT_PTE_U))
			access &= ~UT_ROLE_USER;
		if (entry & UT_PTE_NX)
			access &= ~UT_ROLE_EXEC;
		if (level == w->bottom)
			break;
	}
	if (w->bottom != 2)
		return;
	if (!(machine_read(&f->m, w->at[1], f->s->paging->entry) & UT_PTE_D))
		access &= ~UT_ROLE_WRITE;
	need_page(f, w->gpa >> 12 & ~511ull,
		  1 | UT_ROLE_DIRECT | access | quadrant | (registers_role(f) & ~UT_ROLE_4BYTE));
}

/* A walk that sees another entry than the host knew shows a write that nobody saw. */
static void put_walk_writes(struct fake *f, const struct machine_walk *w)
{
	unsigned int size = f->s->paging->entry;

	for (unsigned int level = machine_top(&f->m); level >= w->bottom; level--) {
		uint64_t at = w->at[level - 1], now = machine_read(&f->m, at, size);
		const char *known = (const char *)f->view[machine_index(at >> 12)] + (at & 4095);

		for (size_t i = 0; i < f->n_pages; i++) {
			if (is_shadow_of(&f->pages[i], at >> 12) && f->pages[i].unsync &&
			    memcmp(known, &now, size))
				put_write(f, at, size, now, UT_HOW_WALK, true);
		}
	}
}

/* Returns whether the write will be emulated. */
static bool protect(struct fake *f, uint64_t gfn)
{
	bool shadowed = false, low = !f->exact;

	for (size_t i = 0; i < f->n_pages; i++) {
		if (!is_shadow_of(&f->pages[i], gfn))
			continue;
		shadowed = true;
		low &= ut_role_level(f->pages[i].role) == 1;
	}
	if (!shadowed || !low)
		return shadowed;
	for (size_t i = 0; i < f->n_pages; i++) {
		if (!is_shadow_of(&f->pages[i], gfn) || f->pages[i].unsync)
			continue;
		f->pages[i].unsync = true;
		put_page(f, UT_HOST_UNSYNC, &f->pages[i], false);
	}
	return false;
}

static bool is_unsync(const struct fake *f, uint64_t gfn)
{
	for (size_t i = 0; i < f->n_pages; i++) {
		if (is_shadow_of(&f->pages[i], gfn) && f->pages[i].unsync)
			return true;
	}
	return false;
}

static void put_fault(struct fake *f, const struct machine_walk *w, bool write)
{
	struct ut_event e = event(f, UT_FAULT);
	bool emulated = false;

	e.fault.gva = w->gva;
	e.fault.error = write ? UT_PF_WRITE : 0;
	e.fault.top = (uint8_t)f->s->paging->levels;
	e.fault.bottom = (uint8_t)w->bottom;
	memcpy(e.fault.walk, w->entry, sizeof(w->entry));
	if (w->fault) {
		e.fault.outcome = UT_OUT_REFLECTED;
	} else {
		for (unsigned int level = machine_top(&f->m); level >= w->bottom; level--)
			set_bit(f, w->at[level - 1], UT_PTE_A);
		if (write)
			set_bit(f, w->at[w->bottom - 1], UT_PTE_D);
		need_way(f, w);
		emulated = write && protect(f, w->gpa >> 12);
		e.fault.outcome = emulated ? UT_OUT_EMULATED : UT_OUT_FILLED;
		e.fault.map_level = emulated ? 0 : 1;
	}
	put_walk_writes(f, w);
	put(f, &e);
	f->faults[f->vcpu]++;
}

/* Return: whether it faulted in the guest. */
static bool access_memory(struct fake *f, const struct known_op *op, unsigned int part)
{
	struct machine_step step = machine_look(&f->m, op, part);

	put_fault(f, &step.walk, step.write);
	if (step.walk.fault)
		return true;
	/* The bits that were set meanwhile may be in the word. */
	step = machine_look(&f->m, op, part);
	if (step.write && protect(f, step.gpa >> 12))
		put_write(f, step.gpa, step.size, step.value, UT_HOW_TRAPPED,
			  !is_unsync(f, step.gpa >> 12));
	machine_do(&f->m, &step);
	return false;
}

static void control(struct fake *f, const struct known_op *op)
{
	struct machine_step step = machine_look(&f->m, op, 0);
	struct ut_event e = event(f, UT_CR);

	if (op->code == KNOWN_INVLPG) {
		e.kind = UT_INVLPG;
		e.invlpg.gva = op->gva;
	} else if (op->code == KNOWN_INVPCID) {
		e.kind = UT_INVPCID;
		e.invpcid.type = (uint8_t)op->type;
		e.invpcid.pcid = (uint16_t)op->value;
		e.invpcid.gva = op->extra;
	} else {
		e.cr.cr = op->code == KNOWN_CR0 ? 0 : op->code == KNOWN_CR3 ? 3 : 4;
		e.cr.value = op->value;
	}
	put(f, &e);
	machine_do(&f->m, &step);
	if (op->code == KNOWN_CR3)
		sync_all(f);
	if (e.kind == UT_CR)
		load_root(f);
}

/* ---- a machine's life ---- */

static void end(struct fake *f)
{
	struct ut_event e;
	uint64_t made = 0;

	for (f->vcpu = 0; f->vcpu < f->s->vcpus; f->vcpu++) {
		e = event(f, UT_VM_GONE);
		put(f, &e);
	}
	f->vcpu = UT_NO_VCPU;
	for (size_t i = 0; i < f->n_pages; i++) {
		if (f->pages[i].unsync)
			put_windows(f, f->pages[i].gfn);
		put_page(f, UT_PAGE_ZAP, &f->pages[i], f->pages[i].unsync);
		made++;
	}
	put_text(f, "kvm.mmu_cache_miss", made);
	put_text(f, "kvm.mmu_shadow_zapped", made);
	e = event(f, UT_VM_GONE);
	put(f, &e);
	for (f->vcpu = 0; f->vcpu < f->s->vcpus; f->vcpu++) {
		e = event(f, UT_EXITS);
		e.exits = (struct ut_exits){ .count = f->faults[f->vcpu],
					     .reason = EXIT_SVM_PF,
					     .isa = UT_ISA_SVM };
		put(f, &e);
	}
}

/* When a vCPU first runs. */
static void start(struct fake *f)
{
	if (f->started[f->vcpu])
		return;
	f->started[f->vcpu] = true;
	put_state(f);
	load_root(f);
}

static void play(struct fake *f)
{
	for (size_t i = 0; i < f->s->n[0]; i++) {
		const struct known_op *op = &f->s->op[0][i];

		f->vcpu = op->vcpu;
		start(f);
		if (op->code >= KNOWN_CR0) {
			control(f, op);
			continue;
		}
		if (op->code < KNOWN_READ)
			continue;
		for (unsigned int part = 0; part < machine_steps(&f->m, op); part++) {
			if (access_memory(f, op, part))
				break;
		}
	}
}

int fake_record(const struct script *s, unsigned int mode, struct recording *r)
{
	struct fake *f = calloc(1, sizeof(*f));
	bool failed;

	if (!f)
		return -1;
	f->s = s;
	f->r = r;
	f->exact = mode == UT_MODE_EXACT;
	f->m = s->start;
	play(f);
	end(f);
	failed = f->failed;
	free(f);
	return failed ? -1 : 0;
}
