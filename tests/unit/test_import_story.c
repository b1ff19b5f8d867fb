// SPDX-License-Identifier: GPL-2.0-only
/* What records of KVM's tracepoints become: made-up records in, events out; no recording needed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "import/story.h"
#include "trace/event.h"

#define MAX_EVENTS 4096u
#define SVM_WRITE_CR3 0x13u
#define SVM_PF 0x4eu
#define SVM_INVLPG 0x79u
#define SVM_NPF 0x400u
#define VMX_INVLPG 14u
#define VMX_EPT 48u
#define P_W_U_A (UT_PTE_P | UT_PTE_W | UT_PTE_U | UT_PTE_A)

/* ---- formats, as kernels have them ---- */

#define COMMON                                                                                     \
	"format:\n\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"            \
	"\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n"                     \
	"\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n"             \
	"\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"
#define U64(name, at) "\tfield:u64 " name ";\toffset:" at ";\tsize:8;\tsigned:0;\n"
#define U32(name, at) "\tfield:unsigned int " name ";\toffset:" at ";\tsize:4;\tsigned:0;\n"
#define U8(name, at) "\tfield:bool " name ";\toffset:" at ";\tsize:1;\tsigned:0;\n"
#define PRINT "\nprint fmt: \"%u\", REC->a\n"
#define PRINT_ROLE(bit)                                                                            \
	"\nprint fmt: \"%s\", ({ union kvm_mmu_page_role role; role." bit                          \
	" ? 4 : 8; role.ad_disabled ? \"!\" : \"\"; })\n"
#define PAGE_FIELDS                                                                                \
	U8("mmu_valid_gen", "8")                                                                   \
	U64("gfn", "16") U32("role", "24") U32("root_count", "28") U8("unsync", "32")

enum {
	EXIT = 100,
	ENTRY,
	FAULT,
	CR,
	EMULATE,
	WALK,
	ELEMENT,
	WALKER_ERROR,
	SET_ACCESSED,
	GET_PAGE,
	SYNC,
	UNSYNC,
	ZAP,
	REQUESTED,
	SET_SPTE,
	MMIO,
	PV_FLUSH
};

static const struct {
	const char *system, *text;
} formats[] = {
	{ "kvm", "name: kvm_exit\nID: 100\n" COMMON U32("exit_reason", "8") U64("guest_rip", "16")
			 U32("isa", "24") U64("info1", "32") U64("info2", "40") U32("vcpu_id", "48")
				 PRINT },
	{ "kvm", "name: kvm_entry\nID: 101\n" COMMON U32("vcpu_id", "8") PRINT },
	{ "kvm", "name: kvm_page_fault\nID: 102\n" COMMON U32("vcpu_id", "8")
			 U64("fault_address", "16") U64("error_code", "24") PRINT },
	{ "kvm",
	  "name: kvm_cr\nID: 103\n" COMMON U32("rw", "8") U32("cr", "12") U64("val", "16") PRINT },
	{ "kvm",
	  "name: kvm_emulate_insn\nID: 104\n" COMMON U64("rip", "8")
		  U8("len", "16") "\tfield:__u8 insn[15];\toffset:17;\tsize:15;\tsigned:0;\n" U8(
			  "failed", "32") PRINT },
	{ "kvmmmu", "name: kvm_mmu_pagetable_walk\nID: 105\n" COMMON U64("addr", "8")
			    U32("pferr", "16") PRINT },
	{ "kvmmmu", "name: kvm_mmu_paging_element\nID: 106\n" COMMON U64("pte", "8")
			    U32("level", "16") PRINT },
	{ "kvmmmu", "name: kvm_mmu_walker_error\nID: 107\n" COMMON U32("pferr", "8") PRINT },
	{ "kvmmmu", "name: kvm_mmu_set_accessed_bit\nID: 108\n" COMMON U64("gpa", "8") PRINT },
	{ "kvmmmu", "name: kvm_mmu_sync_page\nID: 110\n" COMMON PAGE_FIELDS PRINT },
	{ "kvmmmu", "name: kvm_mmu_unsync_page\nID: 111\n" COMMON PAGE_FIELDS PRINT },
	{ "kvmmmu", "name: kvm_mmu_prepare_zap_page\nID: 112\n" COMMON PAGE_FIELDS PRINT },
	{ "kvmmmu", "name: kvm_mmu_spte_requested\nID: 113\n" COMMON U64("gfn", "8")
			    U8("level", "24") PRINT },
	{ "kvmmmu",
	  "name: kvm_mmu_set_spte\nID: 114\n" COMMON U64("gfn", "8") U8("level", "32") PRINT },
	{ "kvmmmu", "name: mark_mmio_spte\nID: 115\n" COMMON U64("gfn", "8") PRINT },
	{ "kvm", "name: kvm_pv_tlb_flush\nID: 116\n" COMMON U32("vcpu_id", "8")
			 U8("need_flush_tlb", "12") PRINT },
};
static const char get_page_6_1[] =
	"name: kvm_mmu_get_page\nID: 109\n" COMMON PAGE_FIELDS U8("created", "33")
		PRINT_ROLE("has_4_byte_gpte");
static const char get_page_5_10[] =
	"name: kvm_mmu_get_page\nID: 109\n" COMMON PAGE_FIELDS U8("created", "33")
		PRINT_ROLE("gpte_is_8_bytes");
static const char get_page_4_4[] = "name: kvm_mmu_get_page\nID: 109\n" COMMON PAGE_FIELDS U8(
	"created", "33") "\nprint fmt: \"%s\", role.cr4_pae ? \" pae\" : \"\"\n";

/* ---- the bench ---- */

struct bench {
	struct story *s;
	struct ut_event events[MAX_EVENTS];
	char text[MAX_EVENTS][32];
	unsigned int n;
	uint64_t time;
	uint32_t tid, pid, cpu;
};

static int keep(void *arg, const struct ut_event *e)
{
	struct bench *b = arg;

	assert_true(b->n < MAX_EVENTS);
	assert_null(ut_event_check(e));
	if (e->kind == UT_VM || e->kind == UT_STAT)
		snprintf(b->text[b->n], sizeof(b->text[0]), "%.*s", e->text.len, e->text.text);
	b->events[b->n++] = *e;
	return 0;
}

static void add_format(struct bench *b, const char *system, const char *text)
{
	struct import_sink *sink = story_sink(b->s);

	if (sink->format(sink->arg, system, text, strlen(text)))
		fail_msg("%s", sink->err.text);
}

static struct bench *begin_with(const char *get_page)
{
	struct bench *b = calloc(1, sizeof(*b));
	const struct story_options options = { .emit = keep, .arg = b };

	assert_non_null(b);
	b->s = story_new(&options);
	assert_non_null(b->s);
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		add_format(b, formats[i].system, formats[i].text);
	add_format(b, "kvmmmu", get_page);
	b->time = 1000000;
	b->tid = 501;
	b->pid = 500;
	return b;
}

static struct bench *begin(void)
{
	return begin_with(get_page_6_1);
}

static void end(struct bench *b)
{
	struct ut_error err = { "" };

	if (story_end(b->s, &err))
		fail_msg("%s", err.text);
}

static void done(struct bench *b)
{
	story_free(b->s);
	free(b);
}

/* A record: 8 bytes that all have, then numbers by place. */
struct raw {
	uint8_t data[64];
};

static void put(struct raw *r, unsigned int at, unsigned int size, uint64_t value)
{
	memcpy(r->data + at, &value, size);
}

static void send(struct bench *b, unsigned int type, struct raw *r)
{
	struct import_sink *sink = story_sink(b->s);
	struct import_record record = { .time = b->time += 100,
					.cpu = b->cpu,
					.tid = b->tid,
					.pid = b->pid,
					.size = sizeof(r->data),
					.data = r->data };

	put(r, 0, 2, type);
	if (sink->record(sink->arg, &record))
		fail_msg("%s", sink->err.text);
}

static void kvm_exit(struct bench *b, unsigned int isa, unsigned int reason, uint64_t info1)
{
	struct raw r = { 0 };

	put(&r, 8, 4, reason);
	put(&r, 24, 4, isa);
	put(&r, 32, 8, info1);
	send(b, EXIT, &r);
}

static void kvm_entry(struct bench *b)
{
	send(b, ENTRY, &(struct raw){ 0 });
}

static void kvm_entry_of(struct bench *b, unsigned int vcpu)
{
	struct raw r = { 0 };

	put(&r, 8, 4, vcpu);
	send(b, ENTRY, &r);
}

static void page_fault(struct bench *b, uint64_t gva, unsigned int error)
{
	struct raw r = { 0 };

	put(&r, 16, 8, gva);
	put(&r, 24, 8, error);
	send(b, FAULT, &r);
}

static void walk(struct bench *b, uint64_t gva, unsigned int error)
{
	struct raw r = { 0 };

	put(&r, 8, 8, gva);
	put(&r, 16, 4, error);
	send(b, WALK, &r);
}

static void element(struct bench *b, uint64_t pte, unsigned int level)
{
	struct raw r = { 0 };

	put(&r, 8, 8, pte);
	put(&r, 16, 4, level);
	send(b, ELEMENT, &r);
}

static void page(struct bench *b, unsigned int type, uint64_t gfn, uint32_t role, bool flag)
{
	struct raw r = { 0 };

	put(&r, 16, 8, gfn);
	put(&r, 24, 4, role);
	put(&r, type == GET_PAGE ? 33 : 32, 1, flag);
	send(b, type, &r);
}

/* Roles as Linux 6.1 has them. */
#define ROLE(level) ((level) | 7u << 8 | 1u << 12 | 1u << 13)
#define ROLE_4BYTE (1u << 4)
#define ROLE_DIRECT (1u << 7)
#define ROLE_INVALID (1u << 11)

static void number(struct bench *b, unsigned int type, unsigned int at, unsigned int size,
		   uint64_t value)
{
	struct raw r = { 0 };

	put(&r, at, size, value);
	send(b, type, &r);
}

static void kvm_cr(struct bench *b, unsigned int cr, uint64_t value)
{
	struct raw r = { 0 };

	put(&r, 8, 4, 1);
	put(&r, 12, 4, cr);
	put(&r, 16, 8, value);
	send(b, CR, &r);
}

static uint64_t link_to(uint64_t gfn)
{
	return gfn << 12 | P_W_U_A;
}

/*
 * A root with one leaf table: frames root, root + 1, root + 2, root + 3, of which the last is the table; as
 * KVM builds the shadow of it in the first fault.
 */
static void build(struct bench *b, uint64_t root)
{
	page(b, GET_PAGE, root, ROLE(4), true);
	for (unsigned int level = 3; level; level--)
		page(b, GET_PAGE, root + 4 - level, ROLE(level), true);
}

/* A whole fault of four levels that ends in @pte. */
static void fault_in(struct bench *b, uint64_t root, uint64_t gva, unsigned int error, uint64_t pte)
{
	kvm_exit(b, UT_ISA_SVM, SVM_PF, 0);
	page_fault(b, gva, error);
	walk(b, gva, error);
	element(b, link_to(root + 1), 4);
	element(b, link_to(root + 2), 3);
	element(b, link_to(root + 3), 2);
	element(b, pte, 1);
	if (pte & UT_PTE_P)
		number(b, REQUESTED, 24, 1, 1);
	else
		number(b, WALKER_ERROR, 8, 4, error);
	kvm_entry(b);
}

static const struct ut_event *nth(const struct bench *b, unsigned int kind, unsigned int n)
{
	for (unsigned int i = 0; i < b->n; i++) {
		if (b->events[i].kind == kind && !n--)
			return &b->events[i];
	}
	fail_msg("no such %s", ut_kind_name(kind));
	return NULL;
}

static unsigned int count(const struct bench *b, unsigned int kind)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < b->n; i++)
		n += b->events[i].kind == kind;
	return n;
}

/* The kinds of events from one on, in a row; statistics at the end left out. */
static void expect_from(const struct bench *b, const struct ut_event *first, const uint8_t *kinds,
			unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		if (first[i].kind != kinds[i])
			fail_msg("event %u is %s, not %s", i, ut_kind_name(first[i].kind),
				 ut_kind_name(kinds[i]));
	}
	(void)b;
}

/* ---- tests ---- */

static void faults(void **state)
{
	struct bench *b = begin();
	const struct ut_event *e;

	(void)state;
	kvm_entry(b);
	build(b, 0x100);
	fault_in(b, 0x100, 0x5000, UT_PF_USER, link_to(0x900));
	fault_in(b, 0x100, 0x6000, UT_PF_WRITE, 0);
	/* KVM throws the entry away that it has of a page that the guest is to fault on, and looks again. */
	kvm_exit(b, UT_ISA_SVM, SVM_PF, 0);
	page_fault(b, 0x7000, UT_PF_WRITE | UT_PF_PRESENT);
	walk(b, 0x7000, UT_PF_WRITE | UT_PF_PRESENT);
	element(b, link_to(0x101), 4);
	number(b, WALKER_ERROR, 8, 4, UT_PF_WRITE | UT_PF_PRESENT);
	number(b, SET_SPTE, 32, 1, 1);
	kvm_entry(b);
	kvm_exit(b, UT_ISA_SVM, SVM_PF, 0);
	page_fault(b, 0xfee00000, UT_PF_RESERVED | UT_PF_PRESENT);
	number(b, MMIO, 8, 8, 0xfee00);
	kvm_entry(b);
	end(b);

	assert_int_equal(count(b, UT_FAULT), 4);
	e = nth(b, UT_FAULT, 0);
	assert_int_equal(e->fault.gva, 0x5000);
	assert_int_equal(e->fault.error, UT_PF_USER);
	assert_int_equal(e->fault.top, 4);
	assert_int_equal(e->fault.bottom, 1);
	assert_int_equal(e->fault.walk[0], link_to(0x900));
	assert_int_equal(e->fault.walk[3], link_to(0x101));
	assert_int_equal(e->fault.outcome, UT_OUT_FILLED);
	assert_int_equal(e->fault.map_level, 1);
	assert_int_equal(nth(b, UT_FAULT, 1)->fault.outcome, UT_OUT_REFLECTED);
	assert_int_equal(nth(b, UT_FAULT, 2)->fault.outcome, UT_OUT_REFLECTED);
	assert_int_equal(nth(b, UT_FAULT, 2)->fault.map_level, 0);
	assert_int_equal(nth(b, UT_FAULT, 3)->fault.outcome, UT_OUT_MMIO);
	assert_int_equal(nth(b, UT_FAULT, 3)->fault.top, 0);
	/* What walk and root tell of the registers came before. */
	e = nth(b, UT_STATE, 0);
	assert_int_equal(e->state.cr3, 0x100000);
	assert_true(e->state.cr0 & UT_CR0_PG && e->state.cr0 & UT_CR0_WP);
	assert_true(e->state.efer & UT_EFER_LMA && e->state.efer & UT_EFER_NX);
	assert_int_equal(count(b, UT_STATE), 1);
	assert_int_equal(count(b, UT_LOST), 0);
	done(b);
}

static void exits_are_summed(void **state)
{
	struct bench *b = begin();

	(void)state;
	kvm_entry(b);
	build(b, 0x100);
	for (int i = 0; i < 3; i++) {
		kvm_exit(b, UT_ISA_VMX, 10, 0);
		kvm_entry(b);
	}
	end(b);
	assert_int_equal(count(b, UT_EXITS), 1);
	assert_int_equal(nth(b, UT_EXITS, 0)->exits.count, 3);
	assert_int_equal(nth(b, UT_EXITS, 0)->exits.ns, 300);
	assert_int_equal(nth(b, UT_EXITS, 0)->exits.reason, 10);
	assert_int_equal(nth(b, UT_EXITS, 0)->exits.isa, UT_ISA_VMX);
	done(b);
}

static void pages(void **state)
{
	static const uint8_t order[] = { UT_PAGE_NEW,	 UT_PAGE_NEW,  UT_PAGE_FOUND,
					 UT_HOST_UNSYNC, UT_HOST_SYNC, UT_HOST_UNSYNC,
					 UT_PAGE_ZAP,	 UT_PAGE_ZAP };
	struct bench *b = begin();

	(void)state;
	kvm_entry(b);
	page(b, GET_PAGE, 0x100, ROLE(2) | ROLE_DIRECT, true);
	page(b, GET_PAGE, 0x101, ROLE(1), true);
	page(b, GET_PAGE, 0x101, ROLE(1), false);
	page(b, UNSYNC, 0x101, ROLE(1), false);
	page(b, SYNC, 0x101, ROLE(1), true);
	page(b, UNSYNC, 0x101, ROLE(1), false);
	page(b, ZAP, 0x101, ROLE(1), true);
	page(b, SYNC, 0x101, ROLE(1), true); /* is part of that */
	page(b, ZAP, 0x100, ROLE(2) | ROLE_DIRECT, false);
	page(b, ZAP, 0x100, ROLE(2) | ROLE_DIRECT | ROLE_INVALID, false); /* once more */
	end(b);
	expect_from(b, nth(b, UT_PAGE_NEW, 0), order, sizeof(order));
	assert_int_equal(count(b, UT_PAGE_ZAP), 2);
	assert_int_equal(count(b, UT_HOST_SYNC), 1);
	assert_true(nth(b, UT_PAGE_ZAP, 0)->page.unsync);
	assert_false(nth(b, UT_PAGE_NEW, 1)->page.known);
	done(b);
}

/* One that was there before the recording began is new with its first event. */
static void page_from_before(void **state)
{
	static const uint8_t order[] = { UT_PAGE_NEW, UT_HOST_UNSYNC };
	struct bench *b = begin();

	(void)state;
	kvm_entry(b);
	page(b, UNSYNC, 0x101, ROLE(1), false);
	end(b);
	expect_from(b, nth(b, UT_PAGE_NEW, 0), order, sizeof(order));
	done(b);
}

/* KVM looks a root up before the vCPU enters its guest for the first time, and names itself. */
static void pages_before_the_first_entry(void **state)
{
	static const uint8_t kinds[] = { UT_VM, UT_STATE, UT_PAGE_NEW, UT_STATE, UT_PAGE_FOUND };
	struct bench *b = begin();

	(void)state;
	page(b, GET_PAGE, 0x100, ROLE(4), true);
	b->tid = 502;
	page(b, GET_PAGE, 0x100, ROLE(4), false);
	assert_int_equal(b->n, 0);
	b->tid = 501;
	kvm_entry(b);
	b->tid = 502;
	kvm_entry_of(b, 1);
	/* Of a thread that never says who it is. */
	b->tid = 503;
	page(b, GET_PAGE, 0x200, ROLE(4), true);
	end(b);
	expect_from(b, b->events, kinds, sizeof(kinds));
	assert_int_equal(nth(b, UT_PAGE_NEW, 0)->vcpu, 0);
	assert_int_equal(nth(b, UT_PAGE_FOUND, 0)->vcpu, 1);
	assert_int_equal(nth(b, UT_STATE, 0)->state.cr3, 0x100000);
	assert_int_equal(count(b, UT_PAGE_NEW), 1);
	assert_int_equal(story_counts(b->s)->astray, 1);
	done(b);
}

static void roles_of(const char *get_page, uint32_t bit, bool narrow)
{
	struct bench *b = begin_with(get_page);

	kvm_entry(b);
	page(b, GET_PAGE, 0x100, ROLE(1) | bit, true);
	end(b);
	assert_int_equal(!!(nth(b, UT_PAGE_NEW, 0)->page.role & UT_ROLE_4BYTE), narrow);
	assert_int_equal(nth(b, UT_PAGE_NEW, 0)->page.role & UT_ROLE_ACCESS, UT_ROLE_ACCESS);
	done(b);
}

/* The bit that tells the size of entries was turned round. */
static void roles(void **state)
{
	(void)state;
	roles_of(get_page_6_1, ROLE_4BYTE, true);
	roles_of(get_page_6_1, 0, false);
	roles_of(get_page_5_10, ROLE_4BYTE, false);
	roles_of(get_page_5_10, 0, true);
}

static void registers_told(void **state)
{
	struct bench *b = begin();

	(void)state;
	kvm_entry(b);
	build(b, 0x100);
	kvm_exit(b, UT_ISA_SVM, SVM_WRITE_CR3, 0);
	kvm_cr(b, 3, 0x200000);
	kvm_entry(b);
	end(b);
	assert_int_equal(count(b, UT_CR), 1);
	assert_int_equal(nth(b, UT_CR, 0)->cr.value, 0x200000);
	assert_int_equal(nth(b, UT_CR, 0)->cr.cr, 3);
	done(b);
}

static void write_cr3(struct bench *b)
{
	kvm_exit(b, UT_ISA_SVM, SVM_WRITE_CR3, 0);
	send(b, EMULATE, &(struct raw){ 0 });
}

/* Nobody told the value: the root that is looked up, the table that is synced, or is not, the next walk. */
static void registers_concluded(void **state)
{
	struct bench *b = begin();

	(void)state;
	kvm_entry(b);
	build(b, 0x100);
	fault_in(b, 0x100, 0x5000, UT_PF_USER, link_to(0x900));
	write_cr3(b);
	build(b, 0x200);
	kvm_entry(b);
	fault_in(b, 0x200, 0x5000, UT_PF_USER, link_to(0x901));
	page(b, UNSYNC, 0x203, ROLE(1), false);
	/* Of 0x200 it would have been synced. */
	write_cr3(b);
	kvm_entry(b);
	write_cr3(b);
	page(b, SYNC, 0x203, ROLE(1), true);
	kvm_entry(b);
	/* As far as can be seen nothing changes; but then a walk begins elsewhere, and tells what was written. */
	write_cr3(b);
	kvm_entry(b);
	fault_in(b, 0x100, 0x5000, UT_PF_USER, link_to(0x900));
	end(b);

	assert_int_equal(count(b, UT_CR), 4);
	assert_int_equal(nth(b, UT_CR, 0)->cr.value, 0x200000);
	assert_int_equal(nth(b, UT_CR, 1)->cr.value, 0x100000);
	assert_int_equal(nth(b, UT_CR, 2)->cr.value, 0x200000);
	assert_int_equal(nth(b, UT_CR, 2)[1].kind, UT_HOST_SYNC);
	assert_int_equal(nth(b, UT_CR, 3)->cr.value, 0x100000);
	assert_int_equal(nth(b, UT_CR, 3)[1].kind, UT_FAULT);
	assert_int_equal(count(b, UT_STATE), 1);
	assert_int_equal(count(b, UT_LOST), 0);
	done(b);
}

/* A walk from another root, and nobody wrote CR3: that was lost, or is one of the host's own doings. */
static void root_changed_unseen(void **state)
{
	struct bench *b = begin();

	(void)state;
	kvm_entry(b);
	build(b, 0x100);
	fault_in(b, 0x100, 0x5000, UT_PF_USER, link_to(0x900));
	kvm_exit(b, UT_ISA_SVM, SVM_WRITE_CR3, 0);
	kvm_cr(b, 3, 0x200000);
	build(b, 0x200);
	kvm_entry(b);
	fault_in(b, 0x200, 0x5000, UT_PF_USER, link_to(0x901));
	fault_in(b, 0x100, 0x5000, UT_PF_USER, link_to(0x900));
	end(b);
	assert_int_equal(nth(b, UT_CR, 0)->cr.value, 0x200000);
	assert_int_equal(count(b, UT_STATE), 2);
	assert_int_equal(nth(b, UT_STATE, 1)->state.cr3, 0x100000);
	assert_ptr_equal(nth(b, UT_STATE, 1) + 1, nth(b, UT_FAULT, 2));
	done(b);
}

static void invalidations(void **state)
{
	struct bench *b = begin();

	(void)state;
	kvm_entry(b);
	build(b, 0x100);
	kvm_exit(b, UT_ISA_SVM, SVM_INVLPG, 0x7000);
	kvm_entry(b);
	kvm_exit(b, UT_ISA_VMX, VMX_INVLPG, 0x8000);
	kvm_entry(b);
	kvm_exit(b, UT_ISA_SVM, SVM_INVLPG, 0);
	send(b, EMULATE, &(struct raw){ 0 });
	kvm_entry(b);
	number(b, PV_FLUSH, 12, 1, 0);
	number(b, PV_FLUSH, 12, 1, 1);
	end(b);
	assert_int_equal(count(b, UT_INVLPG), 2);
	assert_int_equal(nth(b, UT_INVLPG, 0)->invlpg.gva, 0x7000);
	assert_int_equal(nth(b, UT_INVLPG, 1)->invlpg.gva, 0x8000);
	/* Emulated: its address is nowhere. */
	assert_int_equal(count(b, UT_LOST), 1);
	assert_int_equal(nth(b, UT_LOST, 0)->lost.kind, UT_INVLPG);
	assert_int_equal(nth(b, UT_LOST, 0)->lost.cause, UT_LOST_IMPORT);
	assert_int_equal(count(b, UT_PV_FLUSH), 1);
	done(b);
}

/* What a walk reads first may have been there before; what it reads then was written. */
static void writes_of_tables_in_sync(void **state)
{
	struct bench *b = begin();
	const struct ut_event *e;

	(void)state;
	kvm_entry(b);
	build(b, 0x100);
	fault_in(b, 0x100, 0x5000, UT_PF_USER, link_to(0x900));
	page(b, UNSYNC, 0x103, ROLE(1), false);
	kvm_exit(b, UT_ISA_SVM, SVM_WRITE_CR3, 0);
	kvm_cr(b, 3, 0x100000);
	page(b, SYNC, 0x103, ROLE(1), true);
	kvm_entry(b);
	fault_in(b, 0x100, 0x5000, UT_PF_USER, link_to(0x901));
	end(b);
	assert_int_equal(count(b, UT_WRITE), 1);
	e = nth(b, UT_WRITE, 0);
	assert_int_equal(e->write.gfn, 0x103);
	assert_int_equal(e->write.offset, 5 * 8);
	assert_int_equal(e->write.size, 8);
	assert_int_equal(e->write.old, link_to(0x900));
	assert_int_equal(e->write.val, link_to(0x901));
	assert_int_equal(e->write.how, UT_HOW_WALK);
	/* It happened while the table was out of sync. */
	assert_int_equal(e[-1].kind, UT_CR);
	assert_int_equal(e[1].kind, UT_HOST_SYNC);
	done(b);
}

static void writes_of_tables_out_of_sync(void **state)
{
	struct bench *b = begin();

	(void)state;
	kvm_entry(b);
	build(b, 0x100);
	fault_in(b, 0x100, 0x5000, UT_PF_USER, link_to(0x900));
	page(b, UNSYNC, 0x103, ROLE(1), false);
	fault_in(b, 0x100, 0x5000, UT_PF_USER, link_to(0x901));
	end(b);
	assert_int_equal(count(b, UT_WRITE), 1);
	assert_ptr_equal(nth(b, UT_WRITE, 0) + 1, nth(b, UT_FAULT, 1));
	done(b);
}

/* The kernel of the guest writes @gva, where it has the table of frame @gfn; the host emulates that. */
static void emulate(struct bench *b, uint64_t gva, uint64_t gfn)
{
	kvm_exit(b, UT_ISA_SVM, SVM_PF, 0);
	page_fault(b, gva, UT_PF_PRESENT | UT_PF_WRITE);
	walk(b, gva, UT_PF_PRESENT | UT_PF_WRITE);
	element(b, link_to(0x700), 4);
	element(b, link_to(0x701), 3);
	element(b, link_to(0x702), 2);
	element(b, link_to(gfn), 1);
	number(b, REQUESTED, 24, 1, 1);
	send(b, EMULATE, &(struct raw){ 0 });
}

/* The fault of an emulated write tells where, a later walk what. */
static void writes_emulated(void **state)
{
	struct bench *b = begin();
	const struct ut_event *e;
	uint64_t gva = 0xffff888000102000ull; /* where the guest's kernel has frame 0x102 */

	(void)state;
	kvm_entry(b);
	build(b, 0x100);
	fault_in(b, 0x100, 0x5000, UT_PF_USER, link_to(0x900));
	emulate(b, gva, 0x102);
	kvm_entry(b);
	page(b, GET_PAGE, 0x109, ROLE(1), true);
	kvm_exit(b, UT_ISA_SVM, SVM_PF, 0);
	page_fault(b, 0x5000, UT_PF_USER);
	walk(b, 0x5000, UT_PF_USER);
	element(b, link_to(0x101), 4);
	element(b, link_to(0x102), 3);
	element(b, link_to(0x109), 2);
	element(b, link_to(0x904), 1);
	number(b, REQUESTED, 24, 1, 1);
	kvm_entry(b);
	end(b);
	assert_int_equal(count(b, UT_WRITE), 1);
	e = nth(b, UT_WRITE, 0);
	assert_int_equal(e->write.gfn, 0x102);
	assert_int_equal(e->write.val, link_to(0x109));
	assert_int_equal(e[-1].kind, UT_FAULT);
	assert_int_equal(e[-1].fault.outcome, UT_OUT_EMULATED);
	done(b);
}

static void losses(void **state)
{
	struct bench *b = begin();
	struct import_sink *sink = story_sink(b->s);

	(void)state;
	kvm_entry(b);
	build(b, 0x100);
	kvm_exit(b, UT_ISA_SVM, SVM_PF, 0);
	page_fault(b, 0x5000, 0);
	assert_int_equal(sink->lost(sink->arg, b->time + 50, b->cpu, 7), 0);
	/* What it had begun is not told as if it had ended so. */
	kvm_entry(b);
	fault_in(b, 0x100, 0x6000, 0, link_to(0x900));
	end(b);
	assert_int_equal(nth(b, UT_LOST, 0)->lost.count, 7);
	assert_int_equal(nth(b, UT_LOST, 0)->lost.cause, UT_LOST_IMPORT);
	assert_int_equal(count(b, UT_FAULT), 1);
	assert_int_equal(nth(b, UT_FAULT, 0)->fault.gva, 0x6000);
	assert_int_equal(story_counts(b->s)->lost, 7);
	done(b);
}

static void several_vms(void **state)
{
	struct bench *b = begin();
	struct import_sink *sink = story_sink(b->s);

	(void)state;
	assert_int_equal(sink->thread(sink->arg, 500, 500, "qemu-one"), 0);
	kvm_entry_of(b, 0);
	page(b, GET_PAGE, 0x100, ROLE(1), true);
	b->tid = 502;
	kvm_entry_of(b, 1);
	b->tid = 601;
	b->pid = 600;
	kvm_entry_of(b, 0);
	page(b, GET_PAGE, 0x100, ROLE(1), true);
	/* A thread that is no vCPU, by its process. */
	b->tid = 600;
	page(b, ZAP, 0x100, ROLE(1), false);
	/* One of the host's own: nobody's. */
	b->tid = b->pid = 77;
	page(b, ZAP, 0x100, ROLE(1), false);
	end(b);
	assert_int_equal(count(b, UT_VM), 2);
	assert_string_equal(b->text[nth(b, UT_VM, 0) - b->events], "qemu-one");
	assert_int_equal(nth(b, UT_VM, 0)->text.value, 500);
	assert_int_equal(nth(b, UT_VM, 1)->text.value, 600);
	assert_int_equal(nth(b, UT_PAGE_NEW, 0)->vm, 0);
	assert_int_equal(nth(b, UT_PAGE_NEW, 1)->vm, 1);
	assert_int_equal(nth(b, UT_PAGE_ZAP, 0)->vm, 1);
	assert_int_equal(nth(b, UT_PAGE_ZAP, 0)->vcpu, UT_NO_VCPU);
	/* Only one VM has such a page left. */
	assert_int_equal(nth(b, UT_PAGE_ZAP, 1)->vm, 0);
	done(b);
}

/* trace.dat tells no processes. */
static void vms_by_their_threads(void **state)
{
	struct bench *b = begin();

	(void)state;
	b->pid = 0;
	b->tid = 1001;
	kvm_entry_of(b, 0);
	b->tid = 5001;
	kvm_entry_of(b, 0);
	b->tid = 5002;
	kvm_entry_of(b, 1);
	page(b, GET_PAGE, 0x100, ROLE(1), true);
	b->tid = 1002;
	kvm_entry_of(b, 1);
	page(b, GET_PAGE, 0x200, ROLE(1), true);
	end(b);
	assert_int_equal(count(b, UT_VM), 2);
	assert_int_equal(nth(b, UT_PAGE_NEW, 0)->vm, 1);
	assert_int_equal(nth(b, UT_PAGE_NEW, 0)->vcpu, 1);
	assert_int_equal(nth(b, UT_PAGE_NEW, 1)->vm, 0);
	done(b);
}

/* Links that nobody follows any more were cleared; of a leaf entry that is not so sure. */
static void writes_emulated_and_never_seen(void **state)
{
	struct bench *b = begin();
	const struct ut_event *e;

	(void)state;
	kvm_entry(b);
	build(b, 0x100);
	emulate(b, 0xffff888000102018ull, 0x102);
	kvm_entry(b);
	emulate(b, 0xffff888000103048ull, 0x103);
	kvm_entry(b);
	/* This one the host gave up instead. */
	emulate(b, 0xffff888000101008ull, 0x101);
	page(b, ZAP, 0x101, ROLE(3), false);
	kvm_entry(b);
	end(b);
	assert_int_equal(count(b, UT_FAULT), 3);
	assert_int_equal(count(b, UT_WRITE), 1);
	e = nth(b, UT_WRITE, 0);
	assert_int_equal(e->write.gfn, 0x102);
	assert_int_equal(e->write.offset, 0x18);
	assert_int_equal(e->write.size, 8);
	assert_int_equal(e->write.val, 0);
	assert_false(e->write.old_known);
	assert_int_equal(e->write.how, UT_HOW_WALK);
	assert_ptr_equal(e - 1, nth(b, UT_FAULT, 0));
	done(b);
}

/* That an entry was written is known, so what a walk reads there first is no news from before. */
static void writes_emulated_of_entries_not_seen(void **state)
{
	struct bench *b = begin();
	uint64_t gva = 0xffff888000103048ull; /* where the guest's kernel has frame 0x103 */

	(void)state;
	kvm_entry(b);
	build(b, 0x100);
	fault_in(b, 0x100, 0x5000, UT_PF_USER, link_to(0x900));
	emulate(b, gva, 0x103);
	kvm_entry(b);
	fault_in(b, 0x100, 0x9000, UT_PF_USER, link_to(0x903));
	end(b);
	assert_int_equal(count(b, UT_WRITE), 1);
	assert_int_equal(nth(b, UT_WRITE, 0)->write.offset, 0x48);
	assert_int_equal(nth(b, UT_WRITE, 0)->write.val, link_to(0x903));
	assert_false(nth(b, UT_WRITE, 0)->write.old_known);
	assert_int_equal(nth(b, UT_WRITE, 0)[-1].fault.outcome, UT_OUT_EMULATED);
	done(b);
}

/* Two levels of tables with entries of 4 bytes. */
static void narrow_tables(void **state)
{
	struct bench *b = begin();

	(void)state;
	kvm_entry(b);
	page(b, GET_PAGE, 0x100, ROLE(2) | ROLE_4BYTE, true);
	kvm_cr(b, 3, 0x100000);
	for (uint64_t frame = 0x900; frame < 0x902; frame++) {
		page_fault(b, 0x404000, UT_PF_WRITE);
		walk(b, 0x404000, UT_PF_WRITE);
		element(b, link_to(0x101), 2);
		element(b, link_to(frame), 1);
		number(b, SET_ACCESSED, 8, 8, 0x101010);
		number(b, REQUESTED, 24, 1, 1);
		kvm_entry(b);
		page(b, GET_PAGE, 0x101, ROLE(1) | ROLE_4BYTE, frame == 0x900);
	}
	page_fault(b, 0x404000, UT_PF_WRITE);
	walk(b, 0x404000, UT_PF_WRITE);
	element(b, link_to(0x101), 2);
	element(b, link_to(0x902), 1);
	kvm_entry(b);
	end(b);
	assert_int_equal(nth(b, UT_STATE, 0)->state.cr4 & UT_CR4_PAE, 0);
	assert_int_equal(nth(b, UT_AD, 0)->ad.entry_size, 4);
	assert_int_equal(nth(b, UT_AD, 0)->ad.index, 4);
	assert_int_equal(nth(b, UT_WRITE, 0)->write.size, 4);
	assert_int_equal(nth(b, UT_WRITE, 0)->write.offset, 4 * 4);
	done(b);
}

/* ---- what can't be ---- */

static void refuse(struct bench *b, const char *what)
{
	struct ut_error err = { "" };

	assert_int_equal(story_end(b->s, &err), -1);
	if (!strstr(err.text, what))
		fail_msg("'%s' does not say '%s'", err.text, what);
	done(b);
}

static void of_nested_paging(void **state)
{
	struct bench *b = begin();

	(void)state;
	kvm_exit(b, UT_ISA_SVM, SVM_NPF, 0);
	page(b, GET_PAGE, 0x100, ROLE(4) | ROLE_DIRECT, true);
	refuse(b, "npt=0");
	b = begin();
	kvm_exit(b, UT_ISA_VMX, VMX_EPT, 0);
	refuse(b, "ept=0");
}

static void without_guests(void **state)
{
	struct bench *b = begin();

	(void)state;
	kvm_entry(b);
	refuse(b, "no guest");
}

static struct bench *begin_empty(void)
{
	struct bench *b = calloc(1, sizeof(*b));
	const struct story_options options = { .emit = keep, .arg = b };

	assert_non_null(b);
	b->s = story_new(&options);
	assert_non_null(b->s);
	return b;
}

static void without_events(void **state)
{
	struct bench *b = begin_empty();

	(void)state;
	refuse(b, "no events of KVM");
	b = begin_empty();
	add_format(b, "kvm", formats[2].text);
	refuse(b, "kvmmmu:kvm_mmu_get_page");
	b = begin_empty();
	add_format(b, "kvmmmu", get_page_6_1);
	refuse(b, "kvm:kvm_page_fault");
	b = begin_with(get_page_4_4);
	refuse(b, "4.13");
}

static void of_another_machine(void **state)
{
	struct bench *b = begin();
	struct import_sink *sink = story_sink(b->s);

	(void)state;
	/* Whatever its formats are like. */
	add_format(b, "kvm", "name: kvm_entry\nID: 101\n" COMMON U64("vcpu_pc", "8") PRINT);
	assert_int_equal(sink->fact(sink->arg, IMPORT_MACHINE, "arm\033v8"), 0);
	refuse(b, "recorded on arm?v8; only");
}

static void bad_formats(void **state)
{
	static const char *const texts[] = {
		"",
		"name: \nID: 5\n",
		"name: kvm_exit\n",
		"name: kvm_exit\nID: 0\n",
		"name: kvm_exit\nID: 99999\n",
		"name: kvm_exit\nID: 100\nformat:\n\n\nprint fmt: \"\"\n",
		"name: kvm_exit\nID: 100\n" COMMON
		"\tfield:unsigned int exit_reason[3];\toffset:8;\tsize:12;\tsigned:0;\n",
		"name: kvm_exit\nID: 100\n" COMMON
		"\tfield:unsigned int exit_reason;\toffset:99999;\tsize:4;\tsigned:0;\n",
		"name: kvm_exit\nID: 100\n" COMMON
		"\tfield:unsigned int exit_reason;\toffset:8;\tsize:3;\tsigned:0;\n",
		"name: kvm_exit\nID: 100\n" COMMON
		"\tfield:unsigned (int exit_reason;\toffset:8;\tsize:4;\tsigned:0;\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct bench *b = begin_empty();
		struct import_sink *sink = story_sink(b->s);

		assert_int_equal(sink->format(sink->arg, "kvm", texts[i], strlen(texts[i])), 0);
		refuse(b, "format of ");
		/* Others are nobody's business. */
		b = begin();
		sink = story_sink(b->s);
		assert_int_equal(sink->format(sink->arg, "sched", texts[i], strlen(texts[i])), 0);
		refuse(b, "no guest");
	}
}

/* Shorter than its format says: of no tracepoint. */
static void short_records(void **state)
{
	struct bench *b = begin();
	struct import_sink *sink = story_sink(b->s);
	struct raw r = { 0 };

	(void)state;
	put(&r, 0, 2, EXIT);
	for (uint32_t size = 0; size < 52; size++) {
		uint8_t *exactly = malloc(size + 1u);
		struct import_record record = {
			.time = 1, .tid = 5, .size = size, .data = exactly
		};

		assert_non_null(exactly);
		memcpy(exactly, r.data, size);
		assert_int_equal(sink->record(sink->arg, &record), 0);
		free(exactly);
	}
	assert_int_equal(story_counts(b->s)->kvm, 0);
	assert_int_equal(story_counts(b->s)->records, 52);
	done(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(faults),
		cmocka_unit_test(exits_are_summed),
		cmocka_unit_test(pages),
		cmocka_unit_test(page_from_before),
		cmocka_unit_test(pages_before_the_first_entry),
		cmocka_unit_test(roles),
		cmocka_unit_test(registers_told),
		cmocka_unit_test(registers_concluded),
		cmocka_unit_test(root_changed_unseen),
		cmocka_unit_test(invalidations),
		cmocka_unit_test(writes_of_tables_in_sync),
		cmocka_unit_test(writes_of_tables_out_of_sync),
		cmocka_unit_test(writes_emulated),
		cmocka_unit_test(writes_emulated_of_entries_not_seen),
		cmocka_unit_test(writes_emulated_and_never_seen),
		cmocka_unit_test(losses),
		cmocka_unit_test(several_vms),
		cmocka_unit_test(vms_by_their_threads),
		cmocka_unit_test(narrow_tables),
		cmocka_unit_test(of_nested_paging),
		cmocka_unit_test(without_guests),
		cmocka_unit_test(without_events),
		cmocka_unit_test(of_another_machine),
		cmocka_unit_test(bad_formats),
		cmocka_unit_test(short_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
