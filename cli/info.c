// SPDX-License-Identifier: GPL-2.0-only
/* unsync info: what a trace holds, and how complete it is. */
#define _GNU_SOURCE
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/agree.h"
#include "cli/cli.h"
#include "cli/text.h"
#include "plots/text.h"
#include "trace/trace.h"

typedef unsigned long long ull;

/* More of these than any host has are counted, not listed: memory stays bounded. */
#define MAX_VMS 1024u
#define MAX_VCPUS 4096u
#define MAX_EXITS 512u
#define MAX_STATS 512u
#define NAME_BYTES 128u

struct vm {
	uint16_t id;
	bool named, gone;
	uint64_t pid, events;
	char name[NAME_BYTES];
	size_t name_len;
	unsigned int n_vcpus;
	uint8_t vcpus[MAX_VCPUS / 8];
};

struct stat_value {
	uint16_t vm;
	bool has[2]; /* at the start, at the end */
	uint64_t value[2];
	char name[NAME_BYTES];
	size_t name_len;
};

/* Losses of one cause and kind: how many, and when. */
struct loss {
	uint64_t count, first_ns, last_ns;
};

struct tally {
	uint64_t all, events, unknown, kinds[UT_KIND_END];
	uint64_t blocks, bytes, words;
	uint64_t first_ns, last_ns;
	uint64_t how[UT_HOW_WALK + 1], old_unknown;
	uint64_t outcome[UT_OUT_FAST + 1];
	uint64_t lost, lost_by[UT_LOST_CAUSE_END];
	struct loss losses[UT_LOST_CAUSE_END][UT_KIND_END]; /* kind 0: any */
	uint64_t previous_ns;
	struct agree *agree;
	const struct agree_check *checks;
	size_t n_checks;
	enum agree_status verdict;
	uint16_t vm_slot[UINT16_MAX + 1]; /* place in vms plus one */
	struct vm *vms;
	size_t n_vms;
	struct ut_exits exits[MAX_EXITS];
	size_t n_exits;
	struct stat_value *stats;
	size_t n_stats;
	uint64_t unlisted; /* VMs, exit reasons and statistics beyond the bounds */
};

/* ---- counting ---- */

static void keep_name(char *to, size_t *len, const struct ut_text *t)
{
	*len = t->len < NAME_BYTES ? t->len : NAME_BYTES;
	if (*len)
		memcpy(to, t->text, *len);
}

static struct vm *find_vm(struct tally *t, uint16_t id)
{
	struct vm *grown;

	if (t->vm_slot[id])
		return &t->vms[t->vm_slot[id] - 1];
	if (t->n_vms == MAX_VMS) {
		t->unlisted++;
		return NULL;
	}
	grown = realloc(t->vms, (t->n_vms + 1) * sizeof(*grown));
	if (!grown)
		return NULL;
	t->vms = grown;
	memset(&grown[t->n_vms], 0, sizeof(*grown));
	grown[t->n_vms].id = id;
	t->vm_slot[id] = (uint16_t)++t->n_vms;
	return &grown[t->n_vms - 1];
}

static void count_source(struct tally *t, const struct ut_event *e)
{
	struct vm *v;

	if (e->vm == UT_NO_VM)
		return;
	v = find_vm(t, e->vm);
	if (!v)
		return;
	v->events++;
	if (e->vcpu < MAX_VCPUS && !(v->vcpus[e->vcpu / 8] >> (e->vcpu % 8) & 1)) {
		v->vcpus[e->vcpu / 8] |= (uint8_t)(1u << (e->vcpu % 8));
		v->n_vcpus++;
	}
	if (e->kind == UT_VM_GONE && e->vcpu == UT_NO_VCPU)
		v->gone = true;
	if (e->kind != UT_VM)
		return;
	v->named = true;
	v->pid = e->text.value;
	keep_name(v->name, &v->name_len, &e->text);
}

static void count_exits(struct tally *t, const struct ut_exits *x)
{
	size_t i;

	for (i = 0; i < t->n_exits; i++) {
		if (t->exits[i].isa == x->isa && t->exits[i].reason == x->reason)
			break;
	}
	if (i == MAX_EXITS) {
		t->unlisted++;
		return;
	}
	if (i == t->n_exits) {
		t->exits[t->n_exits++] = *x;
		return;
	}
	t->exits[i].count += x->count;
	t->exits[i].ns += x->ns;
}

static void count_stat(struct tally *t, const struct ut_event *e)
{
	struct stat_value s = { .vm = e->vm }, *grown;
	size_t i;

	keep_name(s.name, &s.name_len, &e->text);
	for (i = 0; i < t->n_stats; i++) {
		if (t->stats[i].vm == s.vm && t->stats[i].name_len == s.name_len &&
		    !memcmp(t->stats[i].name, s.name, s.name_len))
			break;
	}
	if (i == t->n_stats) {
		grown = i < MAX_STATS ? realloc(t->stats, (i + 1) * sizeof(*grown)) : NULL;
		if (!grown) {
			t->unlisted++;
			return;
		}
		t->stats = grown;
		t->stats[t->n_stats++] = s;
	}
	t->stats[i].has[e->text.final] = true;
	if (e->vcpu == UT_NO_VCPU)
		t->stats[i].value[e->text.final] = e->text.value;
	else
		t->stats[i].value[e->text.final] += e->text.value; /* of all vCPUs */
}

/* They happened between the event before and this one. */
static void count_loss(struct tally *t, const struct ut_event *e)
{
	uint8_t kind = e->lost.kind < UT_KIND_END ? e->lost.kind : 0;
	struct loss *l = &t->losses[e->lost.cause][kind];

	t->lost += e->lost.count;
	t->lost_by[e->lost.cause] += e->lost.count;
	if (!l->count || t->previous_ns < l->first_ns)
		l->first_ns = t->previous_ns;
	if (e->time > l->last_ns)
		l->last_ns = e->time;
	l->count += e->lost.count;
}

static void count_event(struct tally *t, const struct ut_event *e)
{
	if (!t->events || e->time < t->first_ns)
		t->first_ns = e->time;
	if (!t->events || e->time > t->last_ns)
		t->last_ns = e->time;
	t->events++;
	t->kinds[e->kind]++;
	count_source(t, e);
	switch (e->kind) {
	case UT_FAULT:
		t->outcome[e->fault.outcome]++;
		break;
	case UT_WRITE:
		t->how[e->write.how]++;
		t->old_unknown += !e->write.old_known;
		break;
	case UT_PAGE_NEW:
		t->words += e->page.n;
		break;
	case UT_EXITS:
		count_exits(t, &e->exits);
		break;
	case UT_STAT:
		count_stat(t, e);
		break;
	case UT_LOST:
		count_loss(t, e);
		break;
	default:
		break;
	}
	agree_event(t->agree, e);
	t->previous_ns = e->time;
}

static int by_count(const void *a, const void *b)
{
	const struct ut_exits *x = a, *y = b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return x->reason < y->reason ? -1 : x->reason > y->reason;
}

static int by_id(const void *a, const void *b)
{
	return ((const struct vm *)a)->id - ((const struct vm *)b)->id;
}

/* Reads the whole file. Returns NULL, or one line that says what is wrong with it. */
static const char *count_all(const char *file, struct tally *t, struct ut_reader *r,
			     struct ut_error *err)
{
	struct ut_block b;
	const char *wrong;
	uint64_t total;
	int ret;

	while ((ret = ut_reader_next(r, &b, err)) == 1) {
		t->blocks++;
		t->unknown += b.unknown;
		for (size_t i = 0; i < b.n; i++)
			count_event(t, &b.events[i]);
		ut_reader_progress(r, &t->bytes, &total);
		cli_progress(file, t->bytes, total);
	}
	cli_progress("", 1, 1);
	t->all = t->events + t->unknown;
	/* Of a damaged file only what was read has to do with the events. */
	ut_reader_progress(r, &t->bytes, &total);
	wrong = ret < 0 ? err->text : ut_reader_warning(r);
	if (!wrong && total)
		t->bytes = total;
	t->checks = agree_finish(t->agree, &t->n_checks);
	t->verdict = agree_worst(t->checks, t->n_checks);
	qsort(t->exits, t->n_exits, sizeof(t->exits[0]), by_count);
	if (t->n_vms)
		qsort(t->vms, t->n_vms, sizeof(t->vms[0]), by_id);
	return wrong;
}

/* ---- names ---- */

static const char *const how_names[] = {
	[UT_HOW_TRAPPED] = "trapped",
	[UT_HOW_WINDOW] = "window",
	[UT_HOW_WALK] = "walk",
};

static const char *const how_help[] = {
	[UT_HOW_TRAPPED] = "emulated by the host: exact",
	[UT_HOW_WINDOW] = "tables compared at both ends of an out-of-sync window: net effect",
	[UT_HOW_WALK] = "a later walk read another value",
};

static const char *const outcome_names[] = {
	[UT_OUT_UNKNOWN] = "unknown",	  [UT_OUT_FILLED] = "filled",
	[UT_OUT_REFLECTED] = "reflected", [UT_OUT_EMULATED] = "emulated",
	[UT_OUT_MMIO] = "mmio",		  [UT_OUT_FAST] = "fast",
};

static const char *const cause_help[] = {
	[UT_LOST_RING_FULL] = "the collector was too slow; give it a larger ring",
	[UT_LOST_UNREADABLE] = "guest memory could not be read",
	[UT_LOST_RECURSION] = "a probe hit while it was running",
	[UT_LOST_NO_CONTEXT] = "events without a VM or vCPU",
	[UT_LOST_IMPORT] = "not in the recording that was imported, or lost by it",
	[UT_LOST_RATE] = "beyond the rate that was asked for",
};

static const char *mode_name(uint32_t mode)
{
	return mode == UT_MODE_EXACT ? "exact" : "native";
}

static const char *mode_help(uint32_t mode)
{
	return mode == UT_MODE_EXACT ? "every write to a shadowed table is in it, in order"
				     : "writes to out-of-sync tables are known by net effect: "
				       "counts are lower bounds";
}

static const char *cpu_name(unsigned int isa)
{
	return isa == UT_ISA_VMX ? "VMX" : isa == UT_ISA_SVM ? "SVM" : "?";
}

static double seconds(const struct tally *t)
{
	return (double)(t->last_ns - t->first_ns) * 1e-9;
}

static double bytes_per_event(const struct tally *t)
{
	return t->all ? (double)t->bytes / (double)t->all : 0;
}

/* ---- text ---- */

static void line(const char *name, uint64_t n, const char *rest)
{
	char buf[32];

	printf("  %-24s %15s%s%s\n", name, text_count(buf, n), *rest ? "  " : "", rest);
}

static void print_header(const struct ut_header *h)
{
	printf("  %-12s %u.%u, %s: %s\n", "format", h->major, h->minor, mode_name(h->mode),
	       mode_help(h->mode));
	for (size_t i = 0; i < h->n_meta; i++) {
		printf("  ");
		text_plain(stdout, h->meta[i].key, strlen(h->meta[i].key));
		printf("%*s ", (int)(strlen(h->meta[i].key) < 12 ? 12 - strlen(h->meta[i].key) : 0),
		       "");
		text_plain(stdout, h->meta[i].value, strlen(h->meta[i].value));
		printf("\n");
	}
	if (ut_header_get(h, UT_META_IMPORTED))
		printf("  an import: guest tables, and writes to them, are known from walks alone, "
		       "where a "
		       "later walk\n  read another value; times are those of the recorder. "
		       "docs/importing.md says what is missing.\n");
}

static void print_size(const struct tally *t)
{
	char events[32], blocks[32];

	printf("  %-12s %.2f MiB, %s events in %s blocks, %.2f bytes an event\n", "size",
	       (double)t->bytes / (1 << 20), text_count(events, t->all),
	       text_count(blocks, t->blocks), bytes_per_event(t));
	if (t->events)
		printf("  %-12s %.3f s\n", "duration", seconds(t));
}

static void print_kinds(const struct tally *t)
{
	char share[48];

	printf("events\n");
	for (unsigned int k = 1; k < UT_KIND_END; k++) {
		if (!t->kinds[k])
			continue;
		snprintf(share, sizeof(share), "%5.1f %%",
			 100 * (double)t->kinds[k] / (double)t->events);
		line(ut_kind_name(k), t->kinds[k], share);
	}
	if (t->unknown)
		line("unknown", t->unknown, "of kinds that this unsync does not know");
	if (t->words)
		line("(page words)", t->words, "in page-new events");
}

static void print_named(const char *title, const char *const *names, const char *const *help,
			const uint64_t *counts, size_t n)
{
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		if (!counts[i])
			continue;
		if (!any)
			printf("%s\n", title);
		any = true;
		line(names[i], counts[i], help ? help[i] : "");
	}
}

static void print_vms(const struct tally *t)
{
	char buf[32];

	if (t->n_vms)
		printf("virtual machines\n");
	for (size_t i = 0; i < t->n_vms; i++) {
		const struct vm *v = &t->vms[i];

		printf("  %-4u ", v->id);
		if (v->named) {
			printf("pid %llu, ", (ull)v->pid);
			text_plain(stdout, v->name, v->name_len);
			printf(", ");
		}
		printf("%u vCPU%s, %s events%s\n", v->n_vcpus, v->n_vcpus == 1 ? "" : "s",
		       text_count(buf, v->events), v->gone ? ", ended" : "");
	}
}

static void print_exits(const struct tally *t)
{
	char rest[64], number[64];

	if (t->n_exits)
		printf("exits by reason\n");
	for (size_t i = 0; i < t->n_exits; i++) {
		const struct ut_exits *x = &t->exits[i];
		const char *name = ut_exit_name(x->isa, x->reason);

		snprintf(number, sizeof(number), "%s %#x", cpu_name(x->isa), x->reason);
		snprintf(rest, sizeof(rest), "%10.3f s, %.2f us each", (double)x->ns * 1e-9,
			 x->count ? (double)x->ns / (double)x->count * 1e-3 : 0.0);
		line(name ? name : number, x->count, rest);
	}
}

static void print_stat_side(const struct stat_value *s, int side)
{
	char buf[32];

	printf(" %15s", s->has[side] ? text_count(buf, s->value[side]) : "-");
}

static void print_stats(const struct tally *t)
{
	char buf[32];

	if (t->n_stats)
		printf("the host's own statistics %*s %15s %15s\n", 16, "at start", "at end",
		       "change");
	for (size_t i = 0; i < t->n_stats; i++) {
		const struct stat_value *s = &t->stats[i];
		int pad = s->name_len < 20 ? 20 - (int)s->name_len : 0;

		if (s->vm == UT_NO_VM)
			printf("  -    ");
		else
			printf("  %-4u ", s->vm);
		text_plain(stdout, s->name, s->name_len);
		printf("%*s", pad, "");
		print_stat_side(s, 0);
		print_stat_side(s, 1);
		if (s->has[0] && s->has[1] && s->value[1] >= s->value[0])
			printf(" %15s", text_count(buf, s->value[1] - s->value[0]));
		printf("\n");
	}
}

/* ---- how complete it is ---- */

static const char *loss_kind(unsigned int kind)
{
	return kind ? ut_kind_name(kind) : "any";
}

static void print_losses(const struct tally *t)
{
	char what[128];

	if (!t->lost) {
		printf("nothing lost\n");
		return;
	}
	printf("LOST\n");
	for (unsigned int c = UT_LOST_RING_FULL; c < UT_LOST_CAUSE_END; c++) {
		if (t->lost_by[c])
			line(ut_cause_name(c), t->lost_by[c], cause_help[c]);
	}
	for (unsigned int c = 0; c < UT_LOST_CAUSE_END; c++) {
		for (unsigned int k = 0; k < UT_KIND_END; k++) {
			const struct loss *l = &t->losses[c][k];

			if (!l->count)
				continue;
			snprintf(what, sizeof(what), "of kind %s, from %.6f s to %.6f s",
				 loss_kind(k), (double)l->first_ns * 1e-9,
				 (double)l->last_ns * 1e-9);
			line(ut_cause_name(c), l->count, what);
		}
	}
}

static void print_missing(const struct ut_header *h)
{
	const char *missing = ut_header_get(h, "missing");

	if (!missing || !*missing)
		return;
	printf("hooks that the recorded host did not allow; what they tell is not in the trace\n "
	       " ");
	text_plain(stdout, missing, strlen(missing));
	printf("\n");
}

static void print_check(const struct agree_check *c)
{
	char kvm[32], trace[32];
	uint64_t by = c->kvm > c->trace ? c->kvm - c->trace : c->trace - c->kvm;

	if (c->vm == UT_NO_VM)
		printf("  -    ");
	else
		printf("  %-4u ", c->vm);
	printf("%-32s %12s %12s  ", c->counter, text_count(kvm, c->kvm),
	       c->status == AGREE_NO_EVENT ? "-" : text_count(trace, c->trace));
	switch (c->status) {
	case AGREE_NO_EVENT:
		break;
	case AGREE_SAME:
		printf("agrees: ");
		break;
	case AGREE_EXPLAINED:
		printf("differs by %llu: %s: ", (ull)by, c->why);
		break;
	case AGREE_LOST:
		printf("differs by %llu, as many were lost: ", (ull)by);
		break;
	default:
		printf("DIFFERS by %llu: ", (ull)by);
	}
	printf("%s\n", c->events);
}

static const char *verdict_line(enum agree_status verdict)
{
	switch (verdict) {
	case AGREE_SAME:
		return "yes: every counter that can be compared is the trace's own to the last "
		       "digit";
	case AGREE_EXPLAINED:
		return "yes: where they differ the trace tells why";
	case AGREE_LOST:
		return "they differ by no more than what was lost";
	case AGREE_DIFFERS:
		return "NO: the trace does not tell why; see \"Checking a capture\" in "
		       "docs/capturing.md";
	default:
		return "unknown: the trace holds none of KVM's counters";
	}
}

static void print_agreement(const struct tally *t)
{
	if (t->n_checks)
		printf("%-39s %12s %12s\n", "agreement", "KVM", "trace");
	for (size_t i = 0; i < t->n_checks; i++)
		print_check(&t->checks[i]);
	printf("does KVM's own count agree? %s\n", verdict_line(t->verdict));
}

static void print_text(const char *file, const struct ut_header *h, const struct tally *t,
		       const char *wrong)
{
	printf("%s\n", file);
	print_header(h);
	print_size(t);
	printf("  %-12s %s\n", "complete", wrong ? "no:" : "yes");
	if (wrong)
		printf("  %s\n", wrong);
	print_kinds(t);
	print_named("faults by outcome", outcome_names, NULL, t->outcome, UT_OUT_FAST + 1);
	print_named("guest table writes by how they are known", how_names, how_help, t->how,
		    UT_HOW_WALK + 1);
	if (t->old_unknown)
		line("(old value unknown)", t->old_unknown, "");
	print_vms(t);
	print_exits(t);
	print_stats(t);
	print_agreement(t);
	print_losses(t);
	print_missing(h);
	if (t->unlisted)
		printf("%llu more values not listed\n", (ull)t->unlisted);
}

/* ---- JSON ---- */

static void put_string(FILE *out, const char *text)
{
	text_json(out, text, strlen(text));
}

static void json_header(FILE *out, const struct ut_header *h)
{
	fprintf(out, "\"format\":\"%u.%u\",\"mode\":\"%s\",\"metadata\":{", h->major, h->minor,
		mode_name(h->mode));
	for (size_t i = 0; i < h->n_meta; i++) {
		if (i)
			fprintf(out, ",");
		put_string(out, h->meta[i].key);
		fprintf(out, ":");
		put_string(out, h->meta[i].value);
	}
	fprintf(out, "}");
}

static void json_named(FILE *out, const char *key, const char *const *names, const uint64_t *counts,
		       size_t n)
{
	bool any = false;

	fprintf(out, ",\"%s\":{", key);
	for (size_t i = 0; i < n; i++) {
		if (!names[i])
			continue;
		fprintf(out, "%s\"%s\":%llu", any ? "," : "", names[i], (ull)counts[i]);
		any = true;
	}
	fprintf(out, "}");
}

static void json_kinds(FILE *out, const struct tally *t)
{
	fprintf(out, ",\"kinds\":{");
	for (unsigned int k = 1; k < UT_KIND_END; k++)
		fprintf(out, "%s\"%s\":%llu", k > 1 ? "," : "", ut_kind_name(k), (ull)t->kinds[k]);
	fprintf(out, "},\"unknown\":%llu", (ull)t->unknown);
}

static void json_vms(FILE *out, const struct tally *t)
{
	fprintf(out, ",\"vms\":[");
	for (size_t i = 0; i < t->n_vms; i++) {
		const struct vm *v = &t->vms[i];

		fprintf(out, "%s{\"vm\":%u,\"events\":%llu,\"vcpus\":%u,\"ended\":%s", i ? "," : "",
			v->id, (ull)v->events, v->n_vcpus, v->gone ? "true" : "false");
		if (v->named) {
			fprintf(out, ",\"pid\":%llu,\"name\":", (ull)v->pid);
			text_json(out, v->name, v->name_len);
		}
		fprintf(out, "}");
	}
	fprintf(out, "]");
}

static void json_exits(FILE *out, const struct tally *t)
{
	fprintf(out, ",\"exits\":[");
	for (size_t i = 0; i < t->n_exits; i++) {
		const struct ut_exits *x = &t->exits[i];
		const char *name = ut_exit_name(x->isa, x->reason);

		fprintf(out, "%s{\"isa\":\"%s\",\"reason\":%u,\"name\":", i ? "," : "",
			cpu_name(x->isa), x->reason);
		if (name)
			put_string(out, name);
		else
			fprintf(out, "null");
		fprintf(out, ",\"count\":%llu,\"ns\":%llu}", (ull)x->count, (ull)x->ns);
	}
	fprintf(out, "]");
}

static void json_stats(FILE *out, const struct tally *t)
{
	static const char *const sides[] = { "start", "end" };

	fprintf(out, ",\"host_statistics\":[");
	for (size_t i = 0; i < t->n_stats; i++) {
		const struct stat_value *s = &t->stats[i];

		fprintf(out, "%s{\"name\":", i ? "," : "");
		text_json(out, s->name, s->name_len);
		if (s->vm != UT_NO_VM)
			fprintf(out, ",\"vm\":%u", s->vm);
		for (int side = 0; side < 2; side++) {
			if (s->has[side])
				fprintf(out, ",\"%s\":%llu", sides[side], (ull)s->value[side]);
		}
		fprintf(out, "}");
	}
	fprintf(out, "]");
}

static void json_losses(FILE *out, const struct tally *t)
{
	bool any = false;

	fprintf(out, ",\"losses\":[");
	for (unsigned int c = 0; c < UT_LOST_CAUSE_END; c++) {
		for (unsigned int k = 0; k < UT_KIND_END; k++) {
			const struct loss *l = &t->losses[c][k];

			if (!l->count)
				continue;
			fprintf(out,
				"%s{\"cause\":\"%s\",\"kind\":\"%s\",\"count\":%llu,"
				"\"first_ns\":%llu,\"last_ns\":%llu}",
				any ? "," : "", ut_cause_name(c), loss_kind(k), (ull)l->count,
				(ull)l->first_ns, (ull)l->last_ns);
			any = true;
		}
	}
	fprintf(out, "]");
}

static void json_agreement(FILE *out, const struct tally *t)
{
	fprintf(out, ",\"agreement\":{\"verdict\":\"%s\",\"checks\":[",
		t->verdict == AGREE_NO_EVENT ? "unknown" : agree_status_name(t->verdict));
	for (size_t i = 0; i < t->n_checks; i++) {
		const struct agree_check *c = &t->checks[i];

		fprintf(out,
			"%s{\"counter\":\"%s\",\"events\":\"%s\",\"status\":\"%s\",\"kvm\":%llu",
			i ? "," : "", c->counter, c->events, agree_status_name(c->status),
			(ull)c->kvm);
		if (c->status != AGREE_NO_EVENT)
			fprintf(out, ",\"trace\":%llu,\"bound\":%d", (ull)c->trace, c->bound);
		if (c->vm != UT_NO_VM)
			fprintf(out, ",\"vm\":%u", c->vm);
		if (c->why)
			fprintf(out, ",\"why\":\"%s\"", c->why);
		fprintf(out, "}");
	}
	fprintf(out, "]}");
}

static void print_json(FILE *out, const char *file, const struct ut_header *h,
		       const struct tally *t, const char *wrong)
{
	fprintf(out, "{\"file\":");
	put_string(out, file);
	fprintf(out, ",");
	json_header(out, h);
	fprintf(out, ",\"complete\":%s,\"problem\":", wrong ? "false" : "true");
	if (wrong)
		put_string(out, wrong);
	else
		fprintf(out, "null");
	fprintf(out, ",\"bytes\":%llu,\"blocks\":%llu,\"events\":%llu,\"bytes_per_event\":%.4f",
		(ull)t->bytes, (ull)t->blocks, (ull)t->all, bytes_per_event(t));
	fprintf(out, ",\"first_ns\":%llu,\"last_ns\":%llu,\"page_words\":%llu", (ull)t->first_ns,
		(ull)t->last_ns, (ull)t->words);
	json_kinds(out, t);
	json_named(out, "faults", outcome_names, t->outcome, UT_OUT_FAST + 1);
	json_named(out, "writes", how_names, t->how, UT_HOW_WALK + 1);
	fprintf(out, ",\"writes_old_unknown\":%llu", (ull)t->old_unknown);
	json_vms(out, t);
	json_exits(out, t);
	json_stats(out, t);
	fprintf(out, ",\"lost\":%llu", (ull)t->lost);
	fprintf(out, ",\"lost_by_cause\":{");
	for (unsigned int c = UT_LOST_RING_FULL; c < UT_LOST_CAUSE_END; c++)
		fprintf(out, "%s\"%s\":%llu", c > UT_LOST_RING_FULL ? "," : "", ut_cause_name(c),
			(ull)t->lost_by[c]);
	fprintf(out, "}");
	json_losses(out, t);
	json_agreement(out, t);
	fprintf(out, "}\n");
}

/* ---- CSV ---- */

static void csv_value(const char *file, const char *path, const json_t *value)
{
	pl_csv(stdout, file);
	putchar(',');
	pl_csv(stdout, path);
	putchar(',');
	if (json_is_string(value))
		pl_csv(stdout, json_string_value(value));
	else if (json_is_integer(value))
		printf("%lld", (long long)json_integer_value(value));
	else if (json_is_real(value))
		printf("%.10g", json_real_value(value));
	else if (!json_is_null(value))
		fputs(json_is_true(value) ? "true" : "false", stdout);
	putchar('\n');
}

/* A line for every value, named by the way to it: "kinds.fault", "vms.0.vcpus". */
static int csv_values(const char *file, const char *path, const json_t *value)
{
	const char *key;
	char *below;
	json_t *member;
	size_t i;
	int ret = 0;

	if (json_is_object(value)) {
		json_object_foreach((json_t *)value, key, member) {
			if (asprintf(&below, "%s%s%s", path, *path ? "." : "", key) < 0)
				return -1;
			ret |= csv_values(file, below, member);
			free(below);
		}
	} else if (json_is_array(value)) {
		json_array_foreach(value, i, member) {
			if (asprintf(&below, "%s.%zu", path, i) < 0)
				return -1;
			ret |= csv_values(file, below, member);
			free(below);
		}
	} else {
		csv_value(file, path, value);
	}
	return ret;
}

/* What JSON says, value by value. */
static int print_csv(const char *file, const struct ut_header *h, const struct tally *t,
		     const char *wrong)
{
	char *text = NULL;
	size_t len = 0;
	json_t *json = NULL;
	FILE *f = open_memstream(&text, &len);
	json_error_t why = { .text = "out of memory" };
	int ret = EXIT_OK;

	if (f) {
		print_json(f, file, h, t, wrong);
		if (!fclose(f))
			json = json_loadb(text, len, 0, &why);
	}
	if (!json) {
		ret = cli_fail("%s: cannot be told as CSV: %s; --format json tells it", file,
			       why.text);
	} else {
		json_object_del(json, "file");
		if (csv_values(file, "", json))
			ret = cli_fail("%s: out of memory", file);
	}
	json_decref(json);
	free(text);
	return ret;
}

/* ---- the verb ---- */

static const char *worst_counter(const struct tally *t)
{
	for (size_t i = 0; i < t->n_checks; i++) {
		if (t->checks[i].status == t->verdict)
			return t->checks[i].counter;
	}
	return "";
}

/* With --check: is the trace what KVM counted? */
static int judge(const char *file, const struct tally *t)
{
	if (t->verdict == AGREE_DIFFERS)
		return cli_fail("%s: %s is not what the trace holds; 'unsync info %s' compares all "
				"counters",
				file, worst_counter(t), file);
	if (t->verdict == AGREE_NO_EVENT)
		return cli_fail("%s: none of KVM's counters is in it, so nothing can be checked; "
				"record the VM to its end, or end 'unsync record' with Ctrl-C",
				file);
	if (t->lost) {
		cli_warn("%s: %llu events were lost while it was captured", file, (ull)t->lost);
		return EXIT_LOSSES;
	}
	return EXIT_OK;
}

static struct tally *new_tally(void)
{
	struct tally *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->agree = agree_new();
	if (t->agree)
		return t;
	free(t);
	return NULL;
}

static void free_tally(struct tally *t)
{
	agree_free(t->agree);
	free(t->vms);
	free(t->stats);
	free(t);
}

static int print(const char *file, enum cli_format format, const struct ut_header *h,
		 const struct tally *t, const char *wrong)
{
	int ret = EXIT_OK;

	if (format == CLI_CSV)
		ret = print_csv(file, h, t, wrong);
	else if (format == CLI_JSON)
		print_json(stdout, file, h, t, wrong);
	else
		print_text(file, h, t, wrong);
	fflush(stdout);
	return ret;
}

static int conclude(const char *file, const struct tally *t, const char *wrong, bool check)
{
	if (wrong) {
		cli_warn("%s", wrong);
		return EXIT_FAILED;
	}
	if (check)
		return judge(file, t);
	if (t->lost)
		cli_warn("%s: %llu events were lost while it was captured", file, (ull)t->lost);
	return EXIT_OK;
}

static int inform(const char *file, enum cli_format format, bool check)
{
	struct ut_error err;
	struct ut_reader *r = ut_reader_open(file, &err);
	struct tally *t;
	const char *wrong;
	int ret = EXIT_OK;

	if (!r)
		return cli_fail("%s", err.text);
	t = new_tally();
	if (!t) {
		ut_reader_close(r);
		return cli_fail("out of memory");
	}
	wrong = count_all(file, t, r, &err);
	ret = print(file, format, ut_reader_header(r), t, wrong);
	if (!ret)
		ret = conclude(file, t, wrong, check);
	free_tally(t);
	ut_reader_close(r);
	return ret;
}

static void print_help(void)
{
	printf("usage: unsync info FILE... [options]\n\n"
	       "Says what a trace holds: how it was captured, events by kind, VMs, exits by "
	       "reason, what\n"
	       "was lost, whether it is complete, and whether KVM's own counters agree with it. "
	       "FILE may be -\n"
	       "for standard input.\n\n"
	       "  -c, --check     fail unless KVM's counters agree with the events: status 1 if "
	       "they\n"
	       "                  do not or there are none, 3 if events were lost\n"
	       "      --format F  table (default), json (an object a line for each file) or csv "
	       "(a\n"
	       "                  line for each value)\n"
	       "  -j, --json      short for --format json\n"
	       "  -q, --quiet     no progress bar\n"
	       "  -h, --help      this text\n\n"
	       "Exit status: 0 good, 1 damaged or cut off (what can be read is counted), 2 "
	       "usage.\n");
}

int cli_info(int argc, char **argv)
{
	static const struct option options[] = {
		{ "check", no_argument, NULL, 'c' }, { "format", required_argument, NULL, 'F' },
		{ "json", no_argument, NULL, 'j' },  { "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },  { NULL, 0, NULL, 0 },
	};
	enum cli_format format = CLI_TABLE;
	bool check = false;
	int opt, one, ret = EXIT_OK;

	opterr = 0;
	optind = 0;
	while ((opt = getopt_long(argc, argv, ":cjqh", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			check = true;
			break;
		case 'j':
			format = CLI_JSON;
			break;
		case 'F':
			if (cli_parse_format("info", optarg, &format))
				return EXIT_USAGE;
			break;
		case ':':
			return cli_usage("info", "option '%s' needs a value", argv[optind - 1]);
		case 'q':
			cli_progress_off();
			break;
		case 'h':
			print_help();
			return EXIT_OK;
		default:
			return cli_usage("info", "no option '%s'", argv[optind - 1]);
		}
	}
	if (optind == argc)
		return cli_usage("info", "no file given");
	if (format == CLI_CSV)
		puts("file,key,value");
	for (int i = optind; i < argc; i++) {
		if (format == CLI_TABLE && i > optind)
			printf("\n");
		one = inform(argv[i], format, check);
		if (one && ret != EXIT_FAILED)
			ret = one;
	}
	if (fflush(stdout) || ferror(stdout))
		return cli_fail("standard output: cannot be written");
	return ret;
}
