// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scrubbed traces: every model counts the same on them, and nothing of the layout is left but what
 * docs/sharing-traces.md says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "models/mmu.h"
#include "trace/scrub.h"
#include "trace_gen.h"

#define FRAMES 24 /* that are tables now and then */
#define FIRST_FRAME 0x12340ull
#define STEPS 4000

static const char plain[] = "scrub-test.utrace", hidden[] = "scrub-test-hidden.utrace";
static const struct ut_meta meta[] = { { "tool", "test" },
				       { "command", "secret command" },
				       { "workload", "secret workload" } };

/* ---- files ---- */

static struct ut_writer *begin(void)
{
	struct ut_header header = { .mode = UT_MODE_EXACT, .meta = meta, .n_meta = 3 };
	struct ut_error err;
	struct ut_writer *w = ut_writer_open(plain, &header, &err);

	assert_non_null(w);
	return w;
}

static int add(void *arg, const struct ut_event *e)
{
	struct ut_error err;

	if (ut_writer_add(arg, e, &err))
		fail_msg("%s", err.text);
	return 0;
}

static void end(struct ut_writer *w)
{
	struct ut_error err;

	if (ut_writer_close(w, &err))
		fail_msg("%s", err.text);
}

static struct ut_scrub_report scrub(uint64_t seed)
{
	struct ut_scrub_options options = { .key = { seed, 1 } };
	struct ut_scrub_report report;
	struct ut_error err;

	if (ut_scrub_file(plain, hidden, &options, &report, NULL, NULL, &err))
		fail_msg("%s", err.text);
	assert_string_equal(report.damage, "");
	return report;
}

static void remove_files(void)
{
	unlink(plain);
	unlink(hidden);
}

/* ---- the same counts ---- */

static void count(const char *file, const char *model, const char *options, uint64_t *counts)
{
	struct ut_error err;
	struct ut_reader *r = ut_reader_open(file, &err);
	char error[256];
	struct um_mmu *mmu = um_mmu_create(um_model_find(model), options, error, sizeof(error));
	struct ut_block b;

	assert_non_null(r);
	assert_non_null(mmu);
	while (ut_reader_next(r, &b, &err) > 0) {
		for (size_t i = 0; i < b.n; i++)
			um_mmu_event(mmu, &b.events[i]);
	}
	memcpy(counts, mmu->count, sizeof(mmu->count));
	um_mmu_destroy(mmu);
	ut_reader_close(r);
}

static void check_counts(unsigned int seed)
{
	static const char *const models[][2] = {
		{ "sync-on-write", NULL },
		{ "sync-on-write", "flood=page,reinstall=no,byte_writes=yes" },
		{ "sync-on-write", "flood=off" },
		{ "oos-per-root", NULL },
		{ "oos-per-root", "globals=0" },
		{ "oos-per-root", "globals=1,sync=both" },
		{ "oos-per-root", "sync=left" },
		{ "unsync-bitmap", NULL },
		{ "unsync-bitmap", "reads=no,prev_roots=0" },
		{ "null", NULL },
	};

	for (size_t m = 0; m < sizeof(models) / sizeof(models[0]); m++) {
		uint64_t before[UM_COUNTER_END], after[UM_COUNTER_END];

		count(plain, models[m][0], models[m][1], before);
		count(hidden, models[m][0], models[m][1], after);
		for (unsigned int c = 0; c < UM_COUNTER_END; c++) {
			if (before[c] != after[c])
				fail_msg("seed %u, %s (%s): %s was %llu, is %llu", seed,
					 models[m][0], models[m][1] ? models[m][1] : "",
					 um_counter_name(c), (unsigned long long)before[c],
					 (unsigned long long)after[c]);
		}
	}
}

static void guests_count_the_same(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= 6; seed++) {
		struct ut_writer *w = begin();
		struct ut_scrub_report report;

		assert_int_equal(gen_guest(seed, 12, add, w), 0);
		end(w);
		report = scrub(seed);
		assert_int_equal(report.inexact, 0);
		assert_int_equal(report.dropped, 0);
		check_counts(seed);
	}
	remove_files();
}

/*
 * No guest does this: tables of any level anywhere, walks that make no sense, frames that are tables
 * of two levels, that map themselves, that come and go.
 */
struct odd {
	struct gen gen;
	struct ut_writer *w;
	uint64_t time;
	bool wild;		    /* writes of any size at any place, and unseen ones, too */
	unsigned int pages[FRAMES]; /* that the host has of each frame */
	bool untold[FRAMES];	    /* its content was not told with the first of them */
};

static uint64_t rnd(struct odd *o, uint64_t below)
{
	return gen_number(&o->gen) % below;
}

static uint64_t frame(struct odd *o)
{
	return rnd(o, 12) ? FIRST_FRAME + 37 * rnd(o, FRAMES) : rnd(o, 1u << 20);
}

static uint64_t entry(struct odd *o)
{
	uint64_t flags = UT_PTE_P | rnd(o, 256) | (rnd(o, 2) ? UT_PTE_A | UT_PTE_U | UT_PTE_W : 0) |
			 (rnd(o, 8) ? 0 : UT_PTE_NX) | (rnd(o, 3) ? 0 : UT_PTE_G);

	if (!rnd(o, 6))
		return gen_number(&o->gen) & ~UT_PTE_P;
	return rnd(o, 6) ? frame(o) << 12 | flags : 0;
}

static uint64_t address(struct odd *o)
{
	static const uint64_t places[] = { 0, 0x7f5612345000ull, 0xffff888000000000ull,
					   0xffffffff81000000ull, 0x400000 };

	return places[rnd(o, 5)] + (rnd(o, 24) << 12) + (rnd(o, 12) << 21) + (rnd(o, 2) << 30);
}

static void put(struct odd *o, struct ut_event *e)
{
	e->time = o->time += 100;
	e->vcpu = (uint16_t)rnd(o, 2);
	add(o->w, e);
}

/* How many shadow pages the host has of a frame; NULL if nobody counts. */
static unsigned int *pages_of(struct odd *o, uint64_t gfn)
{
	uint64_t n = (gfn - FIRST_FRAME) / 37;

	return n < FRAMES && gfn == FIRST_FRAME + 37 * n ? &o->pages[n] : NULL;
}

static bool is_untold(struct odd *o, uint64_t gfn)
{
	const unsigned int *pages = pages_of(o, gfn);

	return pages && o->untold[pages - o->pages];
}

static void odd_page(struct odd *o)
{
	unsigned int *pages;
	struct ut_entry entries[UT_TABLE_ENTRIES];
	struct ut_event e = { .kind = UT_PAGE_NEW };
	struct ut_page *p = &e.page;

	p->gfn = frame(o);
	p->role = (uint32_t)(1 + (rnd(o, 2) ? 0 : rnd(o, 4))) | UT_ROLE_ACCESS | UT_ROLE_CR0_WP |
		  UT_ROLE_EFER_NX | (rnd(o, 12) ? 0 : UT_ROLE_DIRECT);
	pages = pages_of(o, p->gfn);
	p->known = !(p->role & UT_ROLE_DIRECT) && rnd(o, 12) && (o->wild || (pages && !*pages));
	if (pages && !(p->role & UT_ROLE_DIRECT) && !(*pages)++)
		o->untold[pages - o->pages] = !p->known;
	p->entries = entries;
	for (unsigned int i = 0; p->known && i < UT_TABLE_ENTRIES;
	     i += 1 + (unsigned int)rnd(o, 9)) {
		uint64_t v = entry(o);

		if (v)
			entries[p->n++] = (struct ut_entry){ (uint16_t)i, v };
	}
	put(o, &e);
}

static void odd_zap(struct odd *o)
{
	struct ut_event e = { .kind = UT_PAGE_ZAP };
	unsigned int *pages;

	e.page.gfn = frame(o);
	pages = pages_of(o, e.page.gfn);
	if (pages && *pages)
		--*pages;
	e.page.role = (uint32_t)(1 + rnd(o, 4)) | UT_ROLE_ACCESS;
	put(o, &e);
}

static void odd_fault(struct odd *o)
{
	struct ut_event e = { .kind = UT_FAULT };
	struct ut_fault *f = &e.fault;

	f->gva = address(o);
	f->error = (uint32_t)rnd(o, 32);
	f->top = 4;
	f->bottom = (uint8_t)(rnd(o, 6) ? 1 : 1 + rnd(o, 3));
	for (unsigned int level = f->bottom; level <= 4; level++)
		f->walk[level - 1] = frame(o) << 12 | UT_PTE_P | UT_PTE_W | UT_PTE_U | UT_PTE_A |
				     (rnd(o, 3) ? UT_PTE_D : 0);
	f->outcome = (uint8_t)(rnd(o, 4) ? UT_OUT_FILLED : rnd(o, UT_OUT_FAST + 1));
	if (f->outcome == UT_OUT_REFLECTED && rnd(o, 2))
		f->walk[f->bottom - 1] = gen_number(&o->gen) & ~UT_PTE_P;
	f->map_level = 1;
	put(o, &e);
}

static void odd_write(struct odd *o)
{
	struct ut_event e = { .kind = UT_WRITE };
	struct ut_write *w = &e.write;

	w->gfn = frame(o);
	w->size = 8;
	w->offset = (uint16_t)(8 * rnd(o, 511));
	w->val = entry(o);
	w->how = (uint8_t)(1 + rnd(o, 3));
	/* Of tables whose content was not told, what parts of words become cannot be kept. */
	if (!o->wild && is_untold(o, w->gfn))
		;
	else if (!rnd(o, 6)) {
		w->size = 1; /* flags; what was not present stays so */
		w->val = rnd(o, 256) & ~UT_PTE_P;
	} else if (!rnd(o, 8)) {
		w->offset += 7; /* high bits of one entry and flags of the next */
		w->size = 2;
		w->val = rnd(o, 65536) & ~(UT_PTE_P << 8);
	} else if (o->wild && rnd(o, 2)) {
		w->offset = (uint16_t)rnd(o, 4089);
		w->size = (uint8_t)(1 + rnd(o, 8));
		w->val = gen_number(&o->gen) >> (64 - 8 * w->size);
	}
	put(o, &e);
}

static void odd_rest(struct odd *o)
{
	struct ut_event e = { .kind = UT_CR };

	switch (rnd(o, 4)) {
	case 0:
		e.kind = UT_INVLPG;
		e.invlpg.gva = address(o);
		break;
	case 1:
		e.kind = UT_AD;
		e.ad.gfn = frame(o);
		e.ad.index = (uint16_t)rnd(o, 512);
		e.ad.entry_size = 8;
		break;
	case 2:
		e.kind = UT_INVPCID;
		e.invpcid.type = (uint8_t)rnd(o, 4);
		e.invpcid.gva = address(o);
		break;
	default:
		e.cr.cr = 3;
		e.cr.value = (FIRST_FRAME + 37 * rnd(o, 4)) << 12;
	}
	put(o, &e);
}

static void odd_guest(struct odd *o, unsigned int seed, bool wild)
{
	struct ut_event e = { .kind = UT_STATE };

	*o = (struct odd){ .gen = { .state = seed }, .w = begin(), .wild = wild };
	for (uint16_t vcpu = 0; vcpu < 2; vcpu++) {
		e.state.cr0 = UT_CR0_PG | UT_CR0_WP | 1;
		e.state.cr3 = FIRST_FRAME << 12;
		e.state.cr4 = UT_CR4_PAE | UT_CR4_PGE;
		e.state.efer = UT_EFER_LMA | UT_EFER_LME | UT_EFER_NX;
		e.vcpu = vcpu;
		add(o->w, &e);
	}
	for (unsigned int i = 0; i < STEPS; i++) {
		switch (rnd(o, 16)) {
		case 0:
			odd_page(o);
			break;
		case 1:
			odd_zap(o);
			break;
		case 2:
		case 3:
			odd_rest(o);
			break;
		case 4:
		case 5:
		case 6:
		case 7:
		case 8:
			odd_write(o);
			break;
		default:
			odd_fault(o);
		}
	}
	end(o->w);
}

static void odd_guests_count_the_same(void **state)
{
	static struct odd o;
	unsigned int exact = 0;

	(void)state;
	for (unsigned int seed = 1; seed <= 40; seed++) {
		odd_guest(&o, seed, false);
		/* A write across the middle of a top-level table: its halves stay apart. */
		if (scrub(seed).inexact)
			continue;
		exact++;
		check_counts(seed);
	}
	assert_true(exact > 20);
	remove_files();
}

/* Nothing but that it survives, and that what it writes can be read. */
static void wild_guests(void **state)
{
	static struct odd o;
	uint64_t counts[UM_COUNTER_END];

	(void)state;
	for (unsigned int seed = 1; seed <= 20; seed++) {
		odd_guest(&o, seed, true);
		assert_true(scrub(seed).inexact > 0);
		count(hidden, "unsync-bitmap", NULL, counts);
	}
	remove_files();
}

static void any_events(void **state)
{
	static struct gen g;
	struct ut_event e;

	(void)state;
	for (unsigned int seed = 1; seed <= 20; seed++) {
		struct ut_writer *w = begin();

		g = (struct gen){ .state = seed };
		for (unsigned int i = 0; i < 3000; i++) {
			gen_any(&g, &e);
			if (e.kind >= UT_PAGE_NEW && e.kind <= UT_HOST_SYNC)
				e.page.role &= ~UT_ROLE_4BYTE;
			if (e.kind == UT_FAULT &&
			    (e.fault.top == 2 || e.fault.top == 3 || e.fault.top == 1))
				continue;
			add(w, &e);
		}
		end(w);
		scrub(seed);
	}
	remove_files();
}

/* ---- nothing is left ---- */

static uint64_t frame_of(uint64_t v)
{
	return (v & UT_PTE_FRAME) >> 12;
}

static unsigned int compared;

/* The number of the GiB, and with it every frame number, is another; only the last three bits stay. */
static void other_frame(uint64_t was, uint64_t is)
{
	assert_int_not_equal(was >> 20, is >> 20);
	assert_int_equal(was & 7, is & 7);
	compared++;
}

static void other_event(const struct ut_event *was, const struct ut_event *is)
{
	assert_int_equal(was->kind, is->kind);
	assert_int_equal(was->time, is->time);
	assert_int_equal(was->vcpu, is->vcpu);
	switch (is->kind) {
	case UT_FAULT:
		assert_int_equal(is->fault.gva & 0xfff, 0);
		for (unsigned int l = is->fault.bottom; l && l <= is->fault.top; l++) {
			if (is->fault.walk[l - 1] & UT_PTE_P)
				other_frame(frame_of(was->fault.walk[l - 1]),
					    frame_of(is->fault.walk[l - 1]));
			else if (is->fault.walk[l - 1])
				assert_int_not_equal(was->fault.walk[l - 1] >> 12,
						     is->fault.walk[l - 1] >> 12);
		}
		break;
	case UT_WRITE:
		other_frame(was->write.gfn, is->write.gfn);
		assert_int_equal(was->write.offset & 7, is->write.offset & 7);
		break;
	case UT_CR:
		if (is->cr.cr == 3)
			other_frame(frame_of(was->cr.value), frame_of(is->cr.value));
		break;
	case UT_STATE:
		other_frame(frame_of(was->state.cr3), frame_of(is->state.cr3));
		break;
	case UT_INVLPG:
		assert_int_equal(is->invlpg.gva & 0xfff, 0);
		break;
	case UT_VM:
	case UT_MARK:
		assert_int_equal(is->text.len, 0);
		break;
	case UT_PAGE_NEW:
	case UT_PAGE_ZAP:
	case UT_PAGE_FOUND:
		other_frame(was->page.gfn, is->page.gfn);
		assert_int_equal(was->page.n, is->page.n);
		break;
	default:
		break;
	}
}

static void nothing_is_left(void **state)
{
	struct ut_writer *w = begin();
	struct ut_block was, is;
	struct ut_reader *a, *b;
	unsigned int faults = 0, moved = 0;
	struct ut_error err;

	(void)state;
	assert_int_equal(gen_guest(3, 12, add, w), 0);
	end(w);
	scrub(99);
	a = ut_reader_open(plain, &err);
	b = ut_reader_open(hidden, &err);
	assert_non_null(a);
	assert_non_null(b);
	assert_null(ut_header_get(ut_reader_header(b), "command"));
	assert_null(ut_header_get(ut_reader_header(b), "workload"));
	assert_non_null(ut_header_get(ut_reader_header(b), "tool"));
	assert_non_null(ut_header_get(ut_reader_header(b), "scrubbed"));
	/* Blocks may be cut at other places. */
	was.n = is.n = 0;
	for (size_t i = 0, k = 0;; i++, k++) {
		if (i == was.n) {
			if (ut_reader_next(a, &was, &err) <= 0)
				break;
			i = 0;
		}
		if (k == is.n) {
			assert_int_equal(ut_reader_next(b, &is, &err), 1);
			k = 0;
		}
		other_event(&was.events[i], &is.events[k]);
		if (is.events[k].kind != UT_FAULT)
			continue;
		faults++;
		moved += (was.events[i].fault.gva ^ is.events[k].fault.gva) >> 15 != 0;
	}
	assert_true(compared > 10000);
	assert_true(faults > 1000);
	assert_true(moved > faults * 9 / 10);
	ut_reader_close(a);
	ut_reader_close(b);
	remove_files();
}

/* The key decides, and nothing else. */
static void same_key_same_bytes(void **state)
{
	struct ut_writer *w = begin();
	char *text[3];
	size_t len[3];

	(void)state;
	assert_int_equal(gen_guest(5, 3, add, w), 0);
	end(w);
	for (unsigned int i = 0; i < 3; i++) {
		FILE *f;

		scrub(i / 2);
		f = fopen(hidden, "rb");
		assert_non_null(f);
		text[i] = malloc(1 << 22);
		assert_non_null(text[i]);
		len[i] = fread(text[i], 1, 1 << 22, f);
		fclose(f);
	}
	assert_int_equal(len[0], len[1]);
	assert_memory_equal(text[0], text[1], len[0]);
	assert_true(len[0] != len[2] || memcmp(text[0], text[2], len[0]) != 0);
	for (unsigned int i = 0; i < 3; i++)
		free(text[i]);
	remove_files();
}

static void refused(void **state)
{
	struct ut_event fault = { .kind = UT_FAULT,
				  .fault = { .top = 2, .bottom = 1, .walk = { 1, 1 } } };
	struct ut_event page = { .kind = UT_PAGE_NEW, .page = { .role = 1 | UT_ROLE_4BYTE } };
	const struct ut_event *events[] = { &fault, &page };
	struct ut_scrub_options options = { .key = { 1, 1 } };
	struct ut_scrub_report report;
	struct ut_error err;

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct ut_writer *w = begin();

		add(w, events[i]);
		end(w);
		assert_int_equal(ut_scrub_file(plain, hidden, &options, &report, NULL, NULL, &err),
				 -1);
		assert_non_null(strstr(err.text, "32-bit paging"));
		assert_int_equal(access(hidden, F_OK), -1);
	}
	remove_files();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(guests_count_the_same),
		cmocka_unit_test(odd_guests_count_the_same),
		cmocka_unit_test(wild_guests),
		cmocka_unit_test(any_events),
		cmocka_unit_test(nothing_is_left),
		cmocka_unit_test(same_key_same_bytes),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
