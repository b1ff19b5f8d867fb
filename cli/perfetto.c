// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "cli/perfetto.h"

#include <inttypes.h>
#include <jansson.h>
#include <search.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/text.h"

/* Above anything that a host does; a file that claims more may not have our memory for it. */
#define MAX_OPEN (1u << 20)
#define MAX_SOURCES (1u << 16)
/* vCPUs of several threads tell of one moment a little late; nobody tells of one this much later. */
#define LATE_NS 1000000000u

typedef unsigned long long ull;

/* A vCPU, or with UT_NO_VCPU what no vCPU did. */
struct source {
	uint16_t vm, vcpu;
	unsigned int pid, tid, resync_tid; /* resync_tid: 0 until there was a resync */
	uint64_t last, resync_last;	   /* latest time written on the track */
	bool rooted, open;		   /* the address space is known; its slice is open */
	uint64_t cr3;
};

struct vm {
	uint16_t number;
	unsigned int pid;
	unsigned int unsync_tid; /* the track of tables out of sync; 0 until there was one */
	uint64_t unsync;	 /* tables out of sync */
	uint64_t last;		 /* latest time of the counter */
};

/* A table out of sync. */
struct window {
	uint16_t vm;
	uint32_t role;
	uint64_t gfn;
	uint64_t id;	/* of the slice */
	uint64_t since; /* when it was written */
	bool open;	/* written */
};

struct pf {
	FILE *out;
	struct pf_range range;
	void *sources, *vms, *windows; /* trees */
	size_t n_sources, n_windows;
	unsigned int last_id; /* of processes and threads, which share their numbers */
	uint64_t last_window;
	bool any, seen, inside; /* wrote, saw an event, reached the range */
	uint64_t first, latest; /* times in the trace */
};

/* ---- one object a line ---- */

static void begin(struct pf *pf, const char *ph, const char *name)
{
	fprintf(pf->out, "%s\n{\"ph\":\"%s\",\"name\":", pf->any ? "," : "", ph);
	text_json(pf->out, name, strlen(name));
	pf->any = true;
}

static void put_ids(struct pf *pf, unsigned int pid, unsigned int tid)
{
	fprintf(pf->out, ",\"pid\":%u", pid);
	if (tid)
		fprintf(pf->out, ",\"tid\":%u", tid);
}

/* The format's unit is the microsecond. */
static void put_us(struct pf *pf, const char *key, uint64_t ns)
{
	fprintf(pf->out, ",\"%s\":%" PRIu64 ".%03u", key, ns / 1000, (unsigned int)(ns % 1000));
}

static void put(struct pf *pf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(struct pf *pf, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(pf->out, fmt, ap);
	va_end(ap);
}

static void name_track(struct pf *pf, const char *what, unsigned int pid, unsigned int tid,
		       const char *name)
{
	begin(pf, "M", what);
	put_ids(pf, pid, tid);
	put(pf, ",\"args\":{\"name\":");
	text_json(pf->out, name, strlen(name));
	put(pf, "}}");
}

static void order_track(struct pf *pf, const char *what, unsigned int pid, unsigned int tid,
			unsigned int place)
{
	begin(pf, "M", what);
	put_ids(pf, pid, tid);
	put(pf, ",\"args\":{\"sort_index\":%u}}", place);
}

/* ---- who ---- */

static int compare_sources(const void *a, const void *b)
{
	const struct source *x = a, *y = b;

	if (x->vm != y->vm)
		return x->vm < y->vm ? -1 : 1;
	return (x->vcpu > y->vcpu) - (x->vcpu < y->vcpu);
}

static int compare_vms(const void *a, const void *b)
{
	const struct vm *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

static int compare_windows(const void *a, const void *b)
{
	const struct window *x = a, *y = b;

	if (x->gfn != y->gfn)
		return x->gfn < y->gfn ? -1 : 1;
	if (x->vm != y->vm)
		return x->vm < y->vm ? -1 : 1;
	return (x->role > y->role) - (x->role < y->role);
}

/*
 * What is like @key in a tree, or a copy of it that is put there. Return: NULL without memory; *@fresh
 * tells whether it is new.
 */
static void *find_or_add(void **tree, const void *key, size_t size,
			 int (*compare)(const void *, const void *), bool *fresh)
{
	void **node = tfind(key, tree, compare);
	void *copy;

	*fresh = !node;
	if (node)
		return *node;
	copy = malloc(size);
	if (!copy)
		return NULL;
	memcpy(copy, key, size);
	if (!tsearch(copy, tree, compare)) {
		free(copy);
		return NULL;
	}
	return copy;
}

static struct vm *vm_of(struct pf *pf, uint16_t number)
{
	struct vm key = { .number = number };
	char name[32];
	bool fresh;
	struct vm *vm = find_or_add(&pf->vms, &key, sizeof(key), compare_vms, &fresh);

	if (!vm || !fresh)
		return vm;
	vm->pid = ++pf->last_id;
	if (number == UT_NO_VM)
		snprintf(name, sizeof(name), "capture");
	else
		snprintf(name, sizeof(name), "VM %u", number);
	name_track(pf, "process_name", vm->pid, 0, name);
	order_track(pf, "process_sort_index", vm->pid, 0, number == UT_NO_VM ? 0 : number + 1u);
	return vm;
}

static struct source *source_of(struct pf *pf, uint16_t vm_number, uint16_t vcpu,
				struct ut_error *err)
{
	struct source key = { .vm = vm_number, .vcpu = vcpu };
	struct vm *vm = vm_of(pf, vm_number);
	struct source *s;
	char name[32];
	bool fresh;

	s = vm ? find_or_add(&pf->sources, &key, sizeof(key), compare_sources, &fresh) : NULL;
	if (!s) {
		ut_error_set(err, "out of memory");
		return NULL;
	}
	if (!fresh)
		return s;
	if (++pf->n_sources > MAX_SOURCES) {
		ut_error_set(err, "has more than %u vCPUs, which no host has", MAX_SOURCES);
		return NULL;
	}
	s->pid = vm->pid;
	s->tid = ++pf->last_id;
	if (vcpu == UT_NO_VCPU)
		snprintf(name, sizeof(name), "no vCPU");
	else
		snprintf(name, sizeof(name), "vCPU %u", vcpu);
	name_track(pf, "thread_name", s->pid, s->tid, name);
	order_track(pf, "thread_sort_index", s->pid, s->tid,
		    vcpu == UT_NO_VCPU ? 1u << 20 : 2u * vcpu);
	return s;
}

/* Resyncs have a track of their own: one may begin before the slice in which it is told ends. */
static unsigned int resync_track(struct pf *pf, struct source *s)
{
	char name[48];

	if (s->resync_tid)
		return s->resync_tid;
	s->resync_tid = ++pf->last_id;
	snprintf(name, sizeof(name), "vCPU %u: host resyncs", s->vcpu);
	name_track(pf, "thread_name", s->pid, s->resync_tid, name);
	order_track(pf, "thread_sort_index", s->pid, s->resync_tid, 2u * s->vcpu + 1);
	return s->resync_tid;
}

/* ---- tracks ---- */

/* On a track time never goes back. */
static uint64_t moment(struct source *s, uint64_t time)
{
	if (time > s->last)
		s->last = time;
	return s->last;
}

static void open_root(struct pf *pf, struct source *s, uint64_t time)
{
	char name[48];

	if (!s->rooted || s->open || !pf->inside)
		return;
	snprintf(name, sizeof(name), "CR3 %#llx", (ull)(s->cr3 & UT_PTE_FRAME));
	begin(pf, "B", name);
	put_ids(pf, s->pid, s->tid);
	put_us(pf, "ts", moment(s, time));
	put(pf, ",\"cat\":\"cr3\",\"args\":{\"value\":\"%#llx\",\"pcid\":%u,\"noflush\":%s}}",
	    (ull)s->cr3, (unsigned int)(s->cr3 & UT_CR3_PCID),
	    s->cr3 & UT_CR3_NOFLUSH ? "true" : "false");
	s->open = true;
}

static void close_root(struct pf *pf, struct source *s, uint64_t time)
{
	if (!s->open)
		return;
	begin(pf, "E", "");
	put_ids(pf, s->pid, s->tid);
	put_us(pf, "ts", moment(s, time));
	put(pf, "}");
	s->open = false;
}

static void set_root(struct pf *pf, struct source *s, uint64_t cr3, uint64_t time)
{
	close_root(pf, s, time);
	s->cr3 = cr3;
	s->rooted = true;
	open_root(pf, s, time);
}

/* Begins a moment on a vCPU's track; the caller adds arguments and calls end_instant(). */
static void begin_instant(struct pf *pf, struct source *s, const struct ut_event *e,
			  const char *name, const char *scope)
{
	begin(pf, "i", name);
	put_ids(pf, s->pid, s->tid);
	put_us(pf, "ts", moment(s, e->time));
	put(pf, ",\"s\":\"%s\",\"cat\":\"%s\",\"args\":{", scope, ut_kind_name(e->kind));
}

static void end_instant(struct pf *pf)
{
	put(pf, "}}");
}

static void count_unsync(struct pf *pf, struct vm *vm, uint64_t time)
{
	if (time > vm->last)
		vm->last = time;
	if (!pf->inside)
		return;
	begin(pf, "C", "tables out of sync");
	put_ids(pf, vm->pid, 0);
	put_us(pf, "ts", vm->last);
	put(pf, ",\"args\":{\"tables\":%llu}}", (ull)vm->unsync);
}

static unsigned int unsync_track(struct pf *pf, struct vm *vm)
{
	if (vm->unsync_tid)
		return vm->unsync_tid;
	vm->unsync_tid = ++pf->last_id;
	name_track(pf, "thread_name", vm->pid, vm->unsync_tid, "out of sync");
	order_track(pf, "thread_sort_index", vm->pid, vm->unsync_tid, 1u << 19);
	return vm->unsync_tid;
}

static void write_window(struct pf *pf, struct window *w, const char *ph, struct vm *vm,
			 uint64_t time)
{
	unsigned int tid = unsync_track(pf, vm);

	begin(pf, ph, "out of sync");
	put_ids(pf, vm->pid, tid);
	put_us(pf, "ts", time);
	put(pf, ",\"cat\":\"unsync\",\"id\":\"0x%llx\"", (ull)w->id);
	if (*ph == 'b')
		put(pf, ",\"args\":{\"gfn\":\"%#llx\",\"level\":%u,\"role\":\"%#x\"}", (ull)w->gfn,
		    ut_role_level(w->role), w->role);
	put(pf, "}");
}

static void open_window(struct pf *pf, struct window *w, struct vm *vm, uint64_t time)
{
	if (w->open || !pf->inside)
		return;
	w->since = time;
	w->open = true;
	write_window(pf, w, "b", vm, time);
}

static int begins_unsync(struct pf *pf, const struct ut_event *e, struct ut_error *err)
{
	struct window key = { .vm = e->vm, .role = e->page.role, .gfn = e->page.gfn }, *w;
	struct vm *vm = vm_of(pf, e->vm);
	bool fresh;

	w = vm ? find_or_add(&pf->windows, &key, sizeof(key), compare_windows, &fresh) : NULL;
	if (!w)
		return ut_error_set(err, "out of memory");
	if (!fresh)
		return 0;
	if (++pf->n_windows > MAX_OPEN)
		return ut_error_set(err,
				    "more than %u tables out of sync at once, which no host has",
				    MAX_OPEN);
	w->id = ++pf->last_window;
	open_window(pf, w, vm, e->time);
	vm->unsync++;
	count_unsync(pf, vm, e->time);
	return 0;
}

/* It was synced, or its shadow page went away. */
static int ends_unsync(struct pf *pf, const struct ut_event *e, struct ut_error *err)
{
	struct window key = { .vm = e->vm, .role = e->page.role, .gfn = e->page.gfn }, *w;
	void **node = tfind(&key, &pf->windows, compare_windows);
	struct vm *vm;

	if (!node)
		return 0;
	vm = vm_of(pf, e->vm);
	if (!vm)
		return ut_error_set(err, "out of memory");
	w = *node;
	if (w->open)
		write_window(pf, w, "e", vm, e->time > w->since ? e->time : w->since);
	tdelete(w, &pf->windows, compare_windows);
	free(w);
	pf->n_windows--;
	vm->unsync--;
	count_unsync(pf, vm, e->time);
	return 0;
}

/* ---- events ---- */

static const char *outcome_name(unsigned int outcome)
{
	static const char *const names[] = {
		[UT_OUT_UNKNOWN] = "fault",
		[UT_OUT_FILLED] = "fault, filled",
		[UT_OUT_REFLECTED] = "fault, reflected",
		[UT_OUT_EMULATED] = "fault, emulated",
		[UT_OUT_MMIO] = "fault, no memory",
		[UT_OUT_FAST] = "fault, fast",
	};

	return outcome < sizeof(names) / sizeof(names[0]) ? names[outcome] : names[0];
}

static void write_fault(struct pf *pf, struct source *s, const struct ut_event *e)
{
	const struct ut_fault *f = &e->fault;

	begin_instant(pf, s, e, outcome_name(f->outcome), "t");
	put(pf, "\"gva\":\"%#llx\",\"error\":%u,\"bottom\":%u,\"mapped\":%u", (ull)f->gva, f->error,
	    f->bottom, f->map_level);
	end_instant(pf);
}

static void write_write(struct pf *pf, struct source *s, const struct ut_event *e)
{
	static const char *const names[] = { [UT_HOW_TRAPPED] = "write",
					     [UT_HOW_WINDOW] = "write, seen at sync",
					     [UT_HOW_WALK] = "write, seen in a walk" };
	const struct ut_write *w = &e->write;

	begin_instant(pf, s, e,
		      w->how < sizeof(names) / sizeof(names[0]) && names[w->how]
			      ? names[w->how]
			      : names[UT_HOW_TRAPPED],
		      "t");
	put(pf, "\"gfn\":\"%#llx\",\"offset\":%u,\"size\":%u,\"value\":\"%#llx\"", (ull)w->gfn,
	    w->offset, w->size, (ull)w->val);
	if (w->old_known)
		put(pf, ",\"old\":\"%#llx\"", (ull)w->old);
	end_instant(pf);
}

static void write_page(struct pf *pf, struct source *s, const struct ut_event *e)
{
	begin_instant(pf, s, e, ut_kind_name(e->kind), "t");
	put(pf, "\"gfn\":\"%#llx\",\"level\":%u,\"role\":\"%#x\"", (ull)e->page.gfn,
	    ut_role_level(e->page.role), e->page.role);
	end_instant(pf);
}

static void write_resync(struct pf *pf, struct source *s, const struct ut_event *e)
{
	unsigned int tid = resync_track(pf, s);
	uint64_t start = e->time > e->resync.ns ? e->time - e->resync.ns : 0;
	uint64_t end = e->time > s->resync_last ? e->time : s->resync_last;

	/* The event is told at the end. What began before the track's last one ended begins there. */
	if (start < s->resync_last)
		start = s->resync_last;
	s->resync_last = end;
	begin(pf, "X", "resync");
	put_ids(pf, s->pid, tid);
	put_us(pf, "ts", start);
	put_us(pf, "dur", end - start);
	put(pf, ",\"cat\":\"host-resync\",\"args\":{\"tables\":%u,\"ns\":%llu}}", e->resync.pages,
	    (ull)e->resync.ns);
}

static void write_invalidation(struct pf *pf, struct source *s, const struct ut_event *e)
{
	begin_instant(pf, s, e, ut_kind_name(e->kind), "t");
	if (e->kind == UT_INVLPG)
		put(pf, "\"gva\":\"%#llx\"", (ull)e->invlpg.gva);
	else if (e->kind == UT_INVPCID)
		put(pf, "\"type\":%u,\"pcid\":%u,\"gva\":\"%#llx\"", e->invpcid.type,
		    e->invpcid.pcid, (ull)e->invpcid.gva);
	end_instant(pf);
}

/* Texts of a trace are bytes that somebody else chose. */
static void write_mark(struct pf *pf, struct source *s, const struct ut_event *e)
{
	begin_instant(pf, s, e, "mark", "g");
	put(pf, "\"text\":");
	text_json(pf->out, e->text.text, e->text.len);
	end_instant(pf);
}

static void write_lost(struct pf *pf, struct source *s, const struct ut_event *e)
{
	begin_instant(pf, s, e, "events lost", "g");
	put(pf, "\"count\":%llu,\"cause\":\"%s\"", (ull)e->lost.count,
	    ut_cause_name(e->lost.cause));
	end_instant(pf);
}

static void name_vm(struct pf *pf, struct source *s, const struct ut_event *e)
{
	begin(pf, "M", "process_name");
	put_ids(pf, s->pid, 0);
	put(pf, ",\"args\":{\"name\":");
	text_json(pf->out, e->text.text, e->text.len);
	put(pf, "}}");
	begin(pf, "M", "process_labels");
	put_ids(pf, s->pid, 0);
	put(pf, ",\"args\":{\"labels\":\"VM %u (process %llu of the host)\"}}", e->vm,
	    (ull)e->text.value);
}

/* What stands on a track by itself; control registers, windows and names are told before. */
static void write_event(struct pf *pf, struct source *s, const struct ut_event *e)
{
	switch (e->kind) {
	case UT_FAULT:
		write_fault(pf, s, e);
		break;
	case UT_WRITE:
		write_write(pf, s, e);
		break;
	case UT_CR:
		if (e->cr.cr == 3)
			break;
		begin_instant(pf, s, e, e->cr.cr ? "CR4" : "CR0", "t");
		put(pf, "\"value\":\"%#llx\"", (ull)e->cr.value);
		end_instant(pf);
		break;
	case UT_INVLPG:
	case UT_INVPCID:
	case UT_PV_FLUSH:
		write_invalidation(pf, s, e);
		break;
	case UT_PAGE_NEW:
	case UT_PAGE_FOUND:
	case UT_PAGE_ZAP:
		write_page(pf, s, e);
		break;
	case UT_HOST_RESYNC:
		write_resync(pf, s, e);
		break;
	case UT_MARK:
		write_mark(pf, s, e);
		break;
	case UT_LOST:
		write_lost(pf, s, e);
		break;
	default:
		break; /* summaries have no moment; accessed and dirty bits go with their fault */
	}
}

/* Keeps what is open up to date, in the range or before it. */
static int follow(struct pf *pf, struct source *s, const struct ut_event *e, struct ut_error *err)
{
	switch (e->kind) {
	case UT_STATE:
		set_root(pf, s, e->state.cr3, e->time);
		return 0;
	case UT_CR:
		if (e->cr.cr == 3)
			set_root(pf, s, e->cr.value, e->time);
		return 0;
	case UT_VM:
		name_vm(pf, s, e);
		return 0;
	case UT_VM_GONE:
		close_root(pf, s, e->time);
		s->rooted = false;
		return 0;
	case UT_HOST_UNSYNC:
		return begins_unsync(pf, e, err);
	case UT_HOST_SYNC:
	case UT_PAGE_ZAP:
		return ends_unsync(pf, e, err);
	default:
		return 0;
	}
}

/* ---- the range ---- */

static void enter_source(const void *node, VISIT visit, void *arg)
{
	struct pf *pf = arg;

	if (visit == postorder || visit == leaf)
		open_root(pf, *(struct source *const *)node, pf->range.from);
}

static void enter_window(const void *node, VISIT visit, void *arg)
{
	struct window *w = *(struct window *const *)node;
	struct pf *pf = arg;

	if (visit == postorder || visit == leaf)
		open_window(pf, w, vm_of(pf, w->vm), pf->range.from);
}

static void enter_vm(const void *node, VISIT visit, void *arg)
{
	struct vm *vm = *(struct vm *const *)node;

	if ((visit == postorder || visit == leaf) && vm->unsync)
		count_unsync(arg, vm, ((struct pf *)arg)->range.from);
}

/* What was open already when the range begins begins with it. */
static void enter(struct pf *pf)
{
	pf->inside = true;
	twalk_r(pf->sources, enter_source, pf);
	twalk_r(pf->windows, enter_window, pf);
	twalk_r(pf->vms, enter_vm, pf);
}

struct pf *pf_begin(FILE *out, const struct pf_range *range)
{
	struct pf *pf = calloc(1, sizeof(*pf));

	if (!pf)
		return NULL;
	pf->out = out;
	pf->range = *range;
	fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[", out);
	return pf;
}

bool pf_is_past(const struct pf *pf, const struct ut_event *e)
{
	return e->time > pf->range.to && e->time - pf->range.to > LATE_NS;
}

int pf_event(struct pf *pf, const struct ut_event *e, struct ut_error *err)
{
	struct source *s;

	if (!pf->seen || e->time < pf->first)
		pf->first = e->time;
	pf->seen = true;
	if (e->time > pf->range.to)
		return 0;
	if (!pf->inside && e->time >= pf->range.from)
		enter(pf);
	if (e->time > pf->latest)
		pf->latest = e->time;
	s = source_of(pf, e->vm, e->vcpu, err);
	if (!s || follow(pf, s, e, err))
		return -1;
	if (e->time >= pf->range.from)
		write_event(pf, s, e);
	return 0;
}

static void leave_source(const void *node, VISIT visit, void *arg)
{
	struct pf *pf = arg;

	if (visit == postorder || visit == leaf)
		close_root(pf, *(struct source *const *)node, pf->latest);
}

static void leave_window(const void *node, VISIT visit, void *arg)
{
	struct window *w = *(struct window *const *)node;
	struct pf *pf = arg;

	if ((visit == postorder || visit == leaf) && w->open)
		write_window(pf, w, "e", vm_of(pf, w->vm),
			     pf->latest > w->since ? pf->latest : w->since);
}

void pf_trace_ends(struct pf *pf)
{
	twalk_r(pf->sources, leave_source, pf);
	twalk_r(pf->windows, leave_window, pf);
}

/* ---- replays ---- */

static void write_bins(struct pf *pf, unsigned int pid, const char *name, const char *unit,
		       double bin_ns, size_t n, const double *values)
{
	bool before = false;

	for (size_t i = 0; i <= n; i++) {
		uint64_t time = pf->first + (uint64_t)((double)i * bin_ns);
		double value = i < n ? values[i] : 0;
		bool within =
			time <= pf->range.to && (double)time + bin_ns > (double)pf->range.from;

		/* One more than there are bins: where the last one ends, the counter does. */
		if (!within && !before)
			continue;
		begin(pf, "C", name);
		put_ids(pf, pid, 0);
		put_us(pf, "ts", time < pf->range.from ? pf->range.from : time);
		put(pf, ",\"args\":{\"%s\":%.10g}}", unit, within ? value : 0);
		before = within;
	}
}

static void write_counts(struct pf *pf, unsigned int pid, const char *name, const char *unit,
			 const struct pl_timeline *t, const uint64_t *counts)
{
	double *values = calloc(t->n + 1, sizeof(*values));

	for (size_t i = 0; values && i < t->n; i++)
		values[i] = (double)counts[i];
	if (values)
		write_bins(pf, pid, name, unit, t->bin_ns, t->n, values);
	free(values);
}

/* Only if the times were kept bin by bin. */
static void write_times(struct pf *pf, unsigned int pid, const char *name, const struct pl_run *run)
{
	const json_t *list = json_object_get(json_object_get(run->json, "measured"), "timeline_ns");
	const struct pl_timeline *t = &run->timeline;
	double *values = json_array_size(list) == t->n ? calloc(t->n + 1, sizeof(*values)) : NULL;

	for (size_t i = 0; values && i < t->n; i++)
		values[i] = json_number_value(json_array_get(list, i)) / 1000;
	if (values)
		write_bins(pf, pid, name, "us", t->bin_ns, t->n, values);
	free(values);
}

void pf_run(struct pf *pf, const char *trace, const char *model, const struct pl_run *run)
{
	unsigned int pid = ++pf->last_id;
	double ms = run->timeline.bin_ns / 1e6;
	char name[512];

	snprintf(name, sizeof(name), "replay%s%s: %s", trace ? " of " : "", trace ? trace : "",
		 model);
	name_track(pf, "process_name", pid, 0, name);
	order_track(pf, "process_sort_index", pid, 0, (1u << 20) + pid);
	snprintf(name, sizeof(name), "tables out of sync, most in %.3g ms", ms);
	write_counts(pf, pid, name, "tables", &run->timeline, run->timeline.unsync);
	snprintf(name, sizeof(name), "exits in %.3g ms", ms);
	write_counts(pf, pid, name, "exits", &run->timeline, run->timeline.exits);
	snprintf(name, sizeof(name), "tables synced in %.3g ms", ms);
	write_counts(pf, pid, name, "tables", &run->timeline, run->timeline.tables_synced);
	snprintf(name, sizeof(name), "time in resyncs in %.3g ms (us)", ms);
	write_times(pf, pid, name, run);
}

void pf_end(struct pf *pf, const char *const *about)
{
	fputs("\n],\"otherData\":{", pf->out);
	for (size_t i = 0; about[i]; i += 2) {
		fprintf(pf->out, "%s\"%s\":", i ? "," : "", about[i]);
		text_json(pf->out, about[i + 1], strlen(about[i + 1]));
	}
	fputs("}}\n", pf->out);
	pf_abort(pf);
}

void pf_abort(struct pf *pf)
{
	if (!pf)
		return;
	tdestroy(pf->sources, free);
	tdestroy(pf->vms, free);
	tdestroy(pf->windows, free);
	free(pf);
}
