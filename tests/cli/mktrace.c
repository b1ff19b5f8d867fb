// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes a small trace for the command-line tests: two guest processes that map and unmap pages in
 * turn, under four-level paging. Same arguments, same bytes.
 *
 *   mktrace native|exact ROUNDS LOST FILE [KIND N]
 *
 * What KVM would have counted goes into it, too. N events of a KIND are then left out, as if a hook
 * had missed them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace/trace.h"

#define GFN_ROOT 0x100u	 /* of process 0; process 1's tables follow 16 frames later */
#define GFN_DIRECT 0x90u /* level-3 table of the kernel's map of all memory */
#define GFN_DATA 0x1000u
#define DIRECT_BASE 0xffff880000000000ull
#define USER_BASE 0x400000ull
#define PAGES 200u /* that each process maps and unmaps */

#define TABLE (UT_PTE_P | UT_PTE_W | UT_PTE_U | UT_PTE_A)
#define KERNEL_LARGE (UT_PTE_P | UT_PTE_W | UT_PTE_A | UT_PTE_D | UT_PTE_PS | UT_PTE_G)
#define ROLE(level) ((level) | UT_ROLE_ACCESS | UT_ROLE_EFER_NX | UT_ROLE_CR0_WP)

struct guest {
	struct ut_writer *w;
	struct ut_error err;
	bool exact;
	uint64_t time;
	uint64_t leaf[2][UT_TABLE_ENTRIES]; /* content of each process's last-level table */
	uint64_t seen[2][UT_TABLE_ENTRIES]; /* the same, as it last was in sync */
	bool unsync[2];
	uint64_t count[UT_KIND_END]; /* of each kind, as KVM would */
	uint64_t faults[UT_OUT_FAST + 1];
	uint64_t zapped_unsync, trapped;
	const char *drop; /* kind to leave out */
	unsigned long drop_n;
};

static uint64_t gfn_of(unsigned int process, unsigned int level)
{
	return GFN_ROOT + 16 * process + (4 - level);
}

static void add(struct guest *g, struct ut_event e)
{
	g->time += 700;
	e.time = g->time;
	if (e.kind == UT_VM || e.kind == UT_MARK)
		e.vcpu = UT_NO_VCPU;
	g->count[e.kind]++;
	if (e.kind == UT_FAULT)
		g->faults[e.fault.outcome]++;
	g->zapped_unsync += e.kind == UT_PAGE_ZAP && e.page.unsync;
	g->trapped += e.kind == UT_WRITE && e.write.how == UT_HOW_TRAPPED;
	if (g->drop_n && !strcmp(ut_kind_name(e.kind), g->drop)) {
		g->drop_n--;
		return;
	}
	if (ut_writer_add(g->w, &e, &g->err)) {
		fprintf(stderr, "mktrace: %s\n", g->err.text);
		exit(1);
	}
}

static void add_text(struct guest *g, uint8_t kind, const char *text, uint64_t value)
{
	struct ut_event e = { .kind = kind };

	e.text.text = text;
	e.text.len = (uint16_t)strlen(text);
	e.text.value = value;
	add(g, e);
}

static void add_page(struct guest *g, uint8_t kind, unsigned int process, unsigned int level)
{
	struct ut_entry entries[UT_TABLE_ENTRIES];
	struct ut_event e = { .kind = kind };

	e.page.gfn = gfn_of(process, level);
	e.page.role = ROLE(level);
	e.page.unsync = kind == UT_PAGE_ZAP && level == 1 && g->unsync[process];
	if (kind == UT_PAGE_NEW) {
		e.page.known = true;
		e.page.entries = entries;
		if (level == 1) {
			for (uint16_t i = 0; i < UT_TABLE_ENTRIES; i++) {
				if (g->leaf[process][i])
					entries[e.page.n++] =
						(struct ut_entry){ i, g->leaf[process][i] };
			}
		} else {
			entries[e.page.n++] =
				(struct ut_entry){ level == 2 ? 2 : 0,
						   gfn_of(process, level - 1) << 12 | TABLE };
			if (level == 4)
				entries[e.page.n++] =
					(struct ut_entry){ 272,
							   (uint64_t)GFN_DIRECT << 12 | TABLE };
		}
	}
	add(g, e);
}

static void add_direct_map(struct guest *g)
{
	struct ut_entry first = { 0, KERNEL_LARGE };
	struct ut_event e = { .kind = UT_PAGE_NEW };

	e.page.gfn = GFN_DIRECT;
	e.page.role = ROLE(3);
	e.page.known = true;
	e.page.entries = &first;
	e.page.n = 1;
	add(g, e);
}

static void add_cr3(struct guest *g, unsigned int process)
{
	struct ut_event e = { .kind = UT_CR };

	e.cr.cr = 3;
	e.cr.value = gfn_of(process, 4) << 12;
	add(g, e);
}

/* The net change of a table that went out of sync, and that it is back in step. */
static void add_sync(struct guest *g, unsigned int process)
{
	uint32_t changed = 0;

	if (!g->unsync[process])
		return;
	for (uint16_t i = 0; i < UT_TABLE_ENTRIES; i++) {
		struct ut_event e = { .kind = UT_WRITE };

		if (g->leaf[process][i] == g->seen[process][i])
			continue;
		e.write.gfn = gfn_of(process, 1);
		e.write.offset = (uint16_t)(i * 8);
		e.write.size = 8;
		e.write.how = UT_HOW_WINDOW;
		e.write.old_known = true;
		e.write.old = g->seen[process][i];
		e.write.val = g->leaf[process][i];
		add(g, e);
		changed++;
	}
	add_page(g, UT_HOST_SYNC, process, 1);
	g->unsync[process] = false;
	if (changed) {
		struct ut_event e = { .kind = UT_HOST_RESYNC };

		e.resync.ns = 900 + 12 * changed;
		e.resync.pages = 1;
		add(g, e);
	}
}

/* The kernel stores an entry through its map of all memory. */
static void write_entry(struct guest *g, unsigned int process, uint16_t index, uint64_t value)
{
	uint64_t gfn = gfn_of(process, 1);
	uint64_t old = g->leaf[process][index];
	struct ut_event fault = { .kind = UT_FAULT };
	struct ut_event write = { .kind = UT_WRITE };

	g->leaf[process][index] = value;
	if (g->unsync[process])
		return;
	fault.fault.gva = DIRECT_BASE + (gfn << 12) + index * 8u;
	fault.fault.walk[3] = (uint64_t)GFN_DIRECT << 12 | TABLE;
	fault.fault.walk[2] = KERNEL_LARGE;
	fault.fault.error = UT_PF_PRESENT | UT_PF_WRITE;
	fault.fault.top = 4;
	fault.fault.bottom = 3;
	fault.fault.outcome = g->exact ? UT_OUT_EMULATED : UT_OUT_FILLED;
	fault.fault.map_level = g->exact ? 0 : 1;
	if (!g->exact) {
		memcpy(g->seen[process], g->leaf[process], sizeof(g->seen[process]));
		g->seen[process][index] = old;
		g->unsync[process] = true;
		add_page(g, UT_HOST_UNSYNC, process, 1);
		add(g, fault);
		return;
	}
	add(g, fault);
	write.write.gfn = gfn;
	write.write.offset = (uint16_t)(index * 8);
	write.write.size = 8;
	write.write.how = UT_HOW_TRAPPED;
	write.write.old_known = true;
	write.write.old = old;
	write.write.val = value;
	add(g, write);
}

static void touch(struct guest *g, unsigned int process, uint16_t index)
{
	struct ut_event e = { .kind = UT_FAULT };

	e.fault.gva = USER_BASE + ((uint64_t)index << 12);
	for (unsigned int level = 4; level > 1; level--)
		e.fault.walk[level - 1] = gfn_of(process, level - 1) << 12 | TABLE;
	e.fault.walk[0] = g->leaf[process][index];
	e.fault.error = UT_PF_WRITE | UT_PF_USER;
	e.fault.top = 4;
	e.fault.bottom = 1;
	e.fault.outcome = UT_OUT_FILLED;
	e.fault.map_level = 1;
	add(g, e);
}

static void start(struct guest *g)
{
	struct ut_event e = { .kind = UT_STATE };

	add_text(g, UT_VM, "mktrace", 4711);
	e.state.cr0 = UT_CR0_PG | UT_CR0_WP | 1;
	e.state.cr3 = gfn_of(0, 4) << 12;
	e.state.cr4 = UT_CR4_PAE | UT_CR4_PGE;
	e.state.efer = UT_EFER_LMA | UT_EFER_NX | 0x101;
	add(g, e);
	for (unsigned int process = 0; process < 2; process++) {
		for (unsigned int level = 4; level >= 1; level--)
			add_page(g, UT_PAGE_NEW, process, level);
	}
	add_direct_map(g);
	add_text(g, UT_MARK, "both processes are there", 0);
}

/* A process maps pages one by one, changes its mind about some, and unmaps all of them. */
static void run_round(struct guest *g, unsigned int round)
{
	unsigned int process = round & 1;
	struct ut_event e = { .kind = UT_INVLPG };

	add_cr3(g, process);
	for (uint16_t i = 0; i < PAGES; i++) {
		uint64_t frame = GFN_DATA + PAGES * process + (i * 7u + round) % PAGES;

		write_entry(g, process, i, frame << 12 | UT_PTE_P | UT_PTE_W | UT_PTE_U);
		touch(g, process, i);
	}
	for (uint16_t i = 0; i < PAGES; i += 50) {
		write_entry(g, process, i, g->leaf[process][i] & ~UT_PTE_W);
		e.invlpg.gva = USER_BASE + ((uint64_t)i << 12);
		add_sync(g, process);
		add(g, e);
	}
	for (uint16_t i = 0; i < PAGES; i++)
		write_entry(g, process, i, 0);
	add_sync(g, process);
}

static void add_stat(struct guest *g, uint16_t vcpu, const char *name, uint64_t value)
{
	struct ut_event e = { .kind = UT_STAT, .vcpu = vcpu };

	e.text.text = name;
	e.text.len = (uint16_t)strlen(name);
	e.text.value = value;
	e.text.final = true;
	add(g, e);
}

static void add_exits(struct guest *g, uint32_t reason, uint64_t count)
{
	struct ut_event e = { .kind = UT_EXITS };

	e.exits.isa = UT_ISA_SVM;
	e.exits.reason = reason;
	e.exits.count = count;
	e.exits.ns = count * 1000;
	add(g, e);
}

/* What KVM counted, and the exits as the collector did. */
static void add_stats(struct guest *g)
{
	const uint64_t *n = g->count, *f = g->faults;

	add_stat(g, 0, "kvm.exits", n[UT_FAULT] + n[UT_CR] + n[UT_INVLPG] + 1);
	add_stat(g, 0, "kvm.pf_taken", n[UT_FAULT]);
	add_stat(g, 0, "kvm.pf_fixed", f[UT_OUT_FILLED]);
	add_stat(g, 0, "kvm.pf_spurious", 0);
	add_stat(g, 0, "kvm.pf_emulate", f[UT_OUT_EMULATED]);
	add_stat(g, 0, "kvm.pf_guest", f[UT_OUT_REFLECTED]);
	add_stat(g, 0, "kvm.invlpg", n[UT_INVLPG]);
	add_stat(g, 0, "kvm.tlb_flush", n[UT_CR]);
	add(g, (struct ut_event){ .kind = UT_VM_GONE });
	add_stat(g, UT_NO_VCPU, "kvm.mmu_cache_miss", n[UT_PAGE_NEW]);
	add_stat(g, UT_NO_VCPU, "kvm.mmu_shadow_zapped", n[UT_PAGE_ZAP]);
	add_stat(g, UT_NO_VCPU, "kvm.mmu_pte_write", g->trapped);
	add_stat(g, UT_NO_VCPU, "kvm.mmu_flooded", 0);
	add_stat(g, UT_NO_VCPU, "kvm.mmu_unsync",
		 n[UT_HOST_UNSYNC] - n[UT_HOST_SYNC] - g->zapped_unsync);
	add_exits(g, 0x4e, n[UT_FAULT]);
	add_exits(g, 0x13, n[UT_CR]);
	add_exits(g, 0x79, n[UT_INVLPG]);
}

static void finish(struct guest *g, uint64_t lost)
{
	struct ut_event e;

	if (lost) {
		struct ut_event gap = { .kind = UT_LOST };

		gap.vcpu = UT_NO_VCPU;
		gap.lost.count = lost;
		gap.lost.cause = UT_LOST_RING_FULL;
		add(g, gap);
	}
	add_cr3(g, 0);
	for (unsigned int level = 1; level <= 4; level++)
		add_page(g, UT_PAGE_ZAP, 1, level);
	add_stats(g);
	e = (struct ut_event){ .kind = UT_VM_GONE, .vcpu = UT_NO_VCPU };
	add(g, e);
}

int main(int argc, char **argv)
{
	static const struct ut_meta meta[] = {
		{ "tool", "mktrace" },
		{ "kernel", "6.1.0-test" },
		{ "command", "two processes" },
	};
	struct ut_header header = { .meta = meta, .n_meta = sizeof(meta) / sizeof(meta[0]) };
	static struct guest g;
	unsigned int rounds;
	uint64_t lost;

	if (argc != 5 && argc != 7) {
		fputs("usage: mktrace native|exact ROUNDS LOST FILE [KIND N]\n", stderr);
		return 2;
	}
	if (argc == 7) {
		g.drop = argv[5];
		g.drop_n = strtoul(argv[6], NULL, 10);
	}
	g.exact = !strcmp(argv[1], "exact");
	header.mode = g.exact ? UT_MODE_EXACT : UT_MODE_NATIVE;
	rounds = (unsigned int)strtoul(argv[2], NULL, 10);
	lost = strtoull(argv[3], NULL, 10);
	g.w = ut_writer_open(argv[4], &header, &g.err);
	if (!g.w) {
		fprintf(stderr, "mktrace: %s\n", g.err.text);
		return 1;
	}
	start(&g);
	for (unsigned int round = 0; round < rounds; round++)
		run_round(&g, round);
	finish(&g, lost);
	if (ut_writer_close(g.w, &g.err)) {
		fprintf(stderr, "mktrace: %s\n", g.err.text);
		return 1;
	}
	return 0;
}
