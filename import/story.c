// SPDX-License-Identifier: GPL-2.0-only
#include "import/story_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FACT_BYTES 1024u

/* What to do about a recording that lacks what is needed. */
#define STORY_REMEDY                                                                               \
	"record with: perf record -a -k CLOCK_MONOTONIC -e 'kvm:*' -e 'kvmmmu:*', or trace-cmd "   \
	"record -C mono -e kvm -e kvmmmu"

/* ---- whose a record is ---- */

static bool is_page_event(unsigned int tracepoint)
{
	return tracepoint == TP_GET_PAGE || tracepoint == TP_SYNC_PAGE ||
	       tracepoint == TP_UNSYNC_PAGE || tracepoint == TP_ZAP_PAGE;
}

/* Where a record names its vCPU; -1: it does not. */
static int vcpu_field(unsigned int tracepoint)
{
	switch (tracepoint) {
	case TP_EXIT:
		return EXIT_VCPU;
	case TP_ENTRY:
		return ENTRY_VCPU;
	case TP_PAGE_FAULT:
		return FAULT_VCPU;
	default:
		return -1;
	}
}

/* The thread has said which vCPU it is: what was held goes where it belongs, as of now. */
static int release(struct story *s, const struct now *n)
{
	unsigned int kept = 0;
	int result = 0;

	for (unsigned int i = 0; i < s->n_held; i++) {
		const struct held *h = &s->held[i];
		struct now then = *n;

		if (h->tid != n->tid) {
			s->held[kept++] = *h;
			continue;
		}
		then.format = h->format;
		then.data = h->data;
		if (!result)
			result = story_take_page(s, &then);
	}
	s->n_held = kept;
	return result;
}

/* Which vCPU it is about. Returns -1 only if memory ran out. */
static int attribute(struct story *s, const struct import_record *r, struct now *n)
{
	int field = vcpu_field(n->format->tracepoint);
	bool names = field >= 0 && n->format->field[field].size, is_new;

	n->thread = guests_thread(s->guests, r->tid, r->pid, names);
	if (!n->thread)
		return 0;
	n->thread->cpu = r->cpu;
	n->vcpu = n->thread->vcpu;
	if (!names)
		return 0;
	n->vcpu = guests_vcpu(s->guests, n->thread, get(n, (unsigned int)field), &is_new);
	if (is_new && story_put_vm(s, n->vcpu, n->thread, n->time))
		return -1;
	return n->vcpu && s->n_held ? release(s, n) : 0;
}

/* ---- records and events ---- */

static int take_event(void *arg, const struct ut_event *e)
{
	struct story *s = arg;

	if (s->amended && e->kind == UT_STATE)
		return 0;
	if (!placing_event(s->placing, e))
		return 0;
	return s->refused ? -1 : story_no_memory(s);
}

static int emit_event(void *arg, const struct ut_event *e)
{
	struct story *s = arg;
	const char *wrong = ut_event_check(e);

	if (wrong) {
		s->refused = -1;
		return ut_error_set(&s->sink.err,
				    "%.6f s after its first record it tells of %s; it is damaged: "
				    "record again",
				    (double)e->time / 1e9, wrong);
	}
	s->counts.events++;
	s->refused = s->opt.emit(s->opt.arg, e);
	return s->refused ? -1 : 0;
}

/* Is there all that it takes to understand it? */
static int check_recording(struct story *s)
{
	const char *machine = s->facts[IMPORT_MACHINE];

	if (machine && strcmp(machine, "x86_64") != 0)
		return ut_error_set(
			&s->sink.err,
			"recorded on %.32s; only recordings of x86-64 hosts can be read", machine);
	if (s->bad_format.text[0])
		return story_fail(s, s->bad_format.text);
	if (!formats_kvm(s->formats))
		return story_fail(s, "it has no events of KVM; " STORY_REMEDY);
	if (!formats_has(s->formats, TP_GET_PAGE))
		return story_fail(s, "it has no kvmmmu:kvm_mmu_get_page events; " STORY_REMEDY);
	if (!formats_has(s->formats, TP_PAGE_FAULT))
		return story_fail(s, "it has no kvm:kvm_page_fault events; " STORY_REMEDY);
	if (!formats_role(s->formats))
		return story_fail(
			s, "its formats do not tell how roles of shadow pages are to be read: it "
			   "was recorded on Linux before 4.13");
	return 0;
}

/* Only now, as the assembler wants to know when time began, and where roles have their bits. */
static int begin(struct story *s, uint64_t time)
{
	struct assembler_options options = { .role = formats_role(s->formats),
					     .start = time,
					     .emit = take_event,
					     .arg = s,
					     .learn = true };

	if (check_recording(s))
		return -1;
	s->assembler = assembler_new(&options);
	return s->assembler ? 0 : story_no_memory(s);
}

static int take_record(void *arg, const struct import_record *r)
{
	struct story *s = arg;
	struct now n = { .data = r->data, .time = r->time, .tid = r->tid, .pid = r->pid };

	s->counts.records++;
	s->last = r->time;
	n.format = formats_find(s->formats, r->data, r->size);
	if (!n.format)
		return 0;
	if (!s->assembler && begin(s, r->time))
		return -1;
	s->counts.kvm++;
	if (attribute(s, r, &n))
		return -1;
	if (is_page_event(n.format->tracepoint))
		return story_take_page(s, &n);
	if (n.vcpu)
		return story_take_vcpu_record(s, &n);
	s->counts.astray++;
	return 0;
}

static int take_lost(void *arg, uint64_t time, uint32_t cpu, uint64_t count)
{
	struct story *s = arg;

	s->counts.lost += count ? count : 1;
	if (!s->assembler && begin(s, time))
		return -1;
	guests_interrupt(s->guests, cpu);
	if (assembler_lost(s->assembler, time, UT_LOST_IMPORT, 0, count ? count : 1))
		return s->refused ? -1 : story_no_memory(s);
	return 0;
}

static int take_format(void *arg, const char *system, const char *text, size_t size)
{
	struct story *s = arg;

	struct ut_error err;

	/* Of another machine's tracepoints something else is to be said first, see begin(). */
	if (formats_add(s->formats, system, text, size, &err) && !s->bad_format.text[0])
		s->bad_format = err;
	return 0;
}

static int take_thread(void *arg, uint32_t tid, uint32_t pid, const char *name)
{
	struct story *s = arg;
	struct guest_thread *t = guests_thread(s->guests, tid, pid, true);

	if (t)
		snprintf(t->name, sizeof(t->name), "%s", name);
	return 0;
}

static int take_fact(void *arg, enum import_fact fact, const char *value)
{
	struct story *s = arg;

	if (fact >= IMPORT_FACTS || s->facts[fact])
		return 0;
	s->facts[fact] = strndup(value, FACT_BYTES);
	if (!s->facts[fact])
		return story_no_memory(s);
	/* It may be shown on a terminal. */
	for (char *c = s->facts[fact]; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	}
	return 0;
}

/* ---- beginning and end ---- */

struct story *story_new(const struct story_options *options)
{
	struct story *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->opt = *options;
	s->sink = (struct import_sink){ .format = take_format,
					.record = take_record,
					.lost = take_lost,
					.thread = take_thread,
					.fact = take_fact,
					.arg = s };
	s->formats = formats_new();
	s->guests = guests_new();
	s->placing = placing_new(emit_event, s);
	if (s->formats && s->guests && s->placing)
		return s;
	story_free(s);
	return NULL;
}

struct import_sink *story_sink(struct story *s)
{
	return &s->sink;
}

static int tell_exits(struct story *s, const struct guest_vcpu *c)
{
	const struct exit_key key = { .vm = c->vm->id, .vcpu = c->id };

	for (unsigned int i = 0; i < c->n_exits; i++) {
		const struct exit_sum sum = { c->exits[i].count, c->exits[i].ns };
		struct exit_key this = key;

		this.reason = c->exits[i].reason;
		this.isa = c->exits[i].isa;
		if (assembler_exits(s->assembler, s->last, &this, &sum))
			return -1;
	}
	return 0;
}

static int finish(struct story *s)
{
	s->counts.astray += s->n_held;
	for (struct guest_vm *vm = guests_vms(s->guests); vm; vm = vm->next) {
		for (struct guest_vcpu *c = vm->vcpus; c; c = c->next) {
			if (story_end_fault(s, c, s->last) || tell_exits(s, c))
				return -1;
		}
	}
	if (assembler_stat(s->assembler, s->last, "import.records", s->counts.records) ||
	    assembler_stat(s->assembler, s->last, "import.unseen_writes", s->unseen))
		return -1;
	return placing_flush(s->placing);
}

/* Is it worth anything? */
static int judge(const struct story *s, struct ut_error *err)
{
	if (s->tables)
		return 0;
	if (s->nested)
		return ut_error_set(err,
				    "it is of a host with EPT or NPT (%" PRIu64
				    " exits say so), whose guests have no shadow pages; record on "
				    "a host with kvm_intel ept=0 or kvm_amd npt=0",
				    s->nested);
	return ut_error_set(err,
			    "it has no shadow page of a guest's table: no guest with paging ran "
			    "while it was recorded");
}

int story_end(struct story *s, struct ut_error *err)
{
	if (!s->assembler && begin(s, 0)) {
		*err = s->sink.err;
		return -1;
	}
	if (judge(s, err))
		return -1;
	if (!finish(s))
		return 0;
	*err = s->sink.err;
	return -1;
}

const char *story_fact(const struct story *s, enum import_fact fact)
{
	return s->facts[fact];
}

const struct story_counts *story_counts(const struct story *s)
{
	return &s->counts;
}

void story_free(struct story *s)
{
	if (!s)
		return;
	assembler_free(s->assembler);
	placing_free(s->placing);
	guests_free(s->guests);
	formats_free(s->formats);
	for (unsigned int i = 0; i < IMPORT_FACTS; i++)
		free(s->facts[i]);
	free(s);
}
