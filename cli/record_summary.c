// SPDX-License-Identifier: GPL-2.0-only
/* unsync record: what the user is told, meanwhile and at the end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/record.h"

typedef unsigned long long ull;

/* ---- counting ---- */

static int add_vcpu(struct record_counts *n, uint16_t vm, uint16_t vcpu)
{
	void *vcpus;

	for (size_t i = 0; i < n->n_vcpus; i++) {
		if (n->vcpus[i].vm == vm && n->vcpus[i].vcpu == vcpu)
			return 0;
	}
	if (n->n_vcpus == n->room) {
		vcpus = realloc(n->vcpus, (n->room * 2 + 16) * sizeof(*n->vcpus));
		if (!vcpus)
			return -1;
		n->vcpus = vcpus;
		n->room = n->room * 2 + 16;
	}
	n->vcpus[n->n_vcpus].vm = vm;
	n->vcpus[n->n_vcpus++].vcpu = vcpu;
	return 0;
}

/* @vcpu: UT_NO_VCPU for all of the VM. */
static void remove_vcpus(struct record_counts *n, uint16_t vm, uint16_t vcpu)
{
	size_t kept = 0;

	for (size_t i = 0; i < n->n_vcpus; i++) {
		if (n->vcpus[i].vm != vm || (vcpu != UT_NO_VCPU && n->vcpus[i].vcpu != vcpu))
			n->vcpus[kept++] = n->vcpus[i];
	}
	n->n_vcpus = kept;
}

int counts_take(struct record_counts *n, const struct ut_event *e)
{
	n->events++;
	switch (e->kind) {
	case UT_LOST:
		n->lost += e->lost.count;
		break;
	case UT_VM:
		n->seen++;
		n->vms++;
		break;
	case UT_VM_GONE:
		remove_vcpus(n, e->vm, e->vcpu);
		if (e->vcpu == UT_NO_VCPU && n->vms)
			n->vms--;
		break;
	case UT_STATE:
		return add_vcpu(n, e->vm, e->vcpu);
	}
	return 0;
}

void counts_free(struct record_counts *n)
{
	free(n->vcpus);
	n->vcpus = NULL;
}

/* ---- meanwhile ---- */

void status_draw(struct record_status *s, const struct record_counts *n, uint64_t bytes,
		 uint64_t elapsed)
{
	double seconds = (double)(elapsed - s->time) / (double)SECOND;
	double rate = seconds > 0 ? (double)(n->events - s->events) / seconds : 0;

	if (!s->wanted)
		return;
	s->time = elapsed;
	s->events = n->events;
	s->drawn = true;
	fprintf(stderr, "\r\033[K%4llu s  ", (ull)(elapsed / SECOND));
	if (!n->seen)
		fputs("no virtual machine yet", stderr);
	else
		fprintf(stderr, "%u VM%s  %zu vCPU%s  %.0f events/s  %llu lost  %.1f MB", n->vms,
			n->vms == 1 ? "" : "s", n->n_vcpus, n->n_vcpus == 1 ? "" : "s", rate,
			(ull)n->lost, (double)bytes / 1e6);
	fflush(stderr);
}

void status_wipe(struct record_status *s)
{
	if (s->drawn)
		fputs("\r\033[K", stderr);
	s->drawn = false;
}

/* Several hooks may stand for the same thing. */
static bool said_before(const struct capture *c, size_t hook)
{
	for (size_t i = 0; i < hook; i++) {
		if (capture_missing(c, i) &&
		    !strcmp(collector_hooks[i].without, collector_hooks[hook].without))
			return true;
	}
	return false;
}

void summary_hooks(const struct capture *c, const struct record_options *opt)
{
	char name[HOST_TEXT], lacks[1024] = "";
	unsigned int missing = 0;
	size_t n = 0;

	for (size_t i = 0; i < collector_n_hooks; i++) {
		const char *why = capture_missing(c, i);

		if (!why)
			continue;
		missing++;
		if (opt->verbose)
			cli_warn("%s: %s; the trace will lack %s",
				 host_hook_name(&collector_hooks[i], name), why,
				 collector_hooks[i].without);
		else if (n < sizeof(lacks) && !said_before(c, i))
			n += (size_t)snprintf(lacks + n, sizeof(lacks) - n, "%s%s", n ? ", " : "",
					      collector_hooks[i].without);
	}
	if (missing && !opt->verbose)
		cli_warn("%u of %zu hooks are missing (-v says why); the trace will "
			 "lack %s",
			 missing, collector_n_hooks, lacks);
}

/* ---- at the end ---- */

/* What makes an exact trace less than that. */
static void warn_exact(const struct assembler_counts *n)
{
	if (n->host_unsync)
		cli_warn("%llu tables went out of sync before they could be kept in step",
			 (ull)n->host_unsync);
	if (n->silent)
		cli_warn("%llu table entries changed although no write to them was seen",
			 (ull)n->silent);
}

static double seconds_of(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec * 1e-6;
}

static void print_cost(const struct record_summary *s)
{
	double mib = 1 << 20, ring = (double)s->opt->ring_bytes / mib, memory;
	struct rusage use;

	if (getrusage(RUSAGE_SELF, &use))
		return;
	fprintf(stderr, "unsync: the collector took %.2f s of CPU time (%.2f user, %.2f system)",
		seconds_of(use.ru_utime) + seconds_of(use.ru_stime), seconds_of(use.ru_utime),
		seconds_of(use.ru_stime));
	if (s->bpf_ns)
		fprintf(stderr, ", its BPF programs %.2f s", (double)s->bpf_ns / (double)SECOND);
	/* A ring that was filled is there once, but mapped, and counted, twice in a row. */
	memory = (double)use.ru_maxrss / 1024;
	if (memory > 2 * ring)
		memory -= ring;
	fprintf(stderr, ", and at most %.1f MiB of memory; the ring may take %.1f of it\n", memory,
		ring);
}

void summary_print(const struct record_summary *s)
{
	const struct record_counts *n = s->counts;
	double per_event = n->events ? (double)s->bytes / (double)n->events : 0;

	if (s->opt->exact)
		warn_exact(s->assembled);
	if (n->cut)
		cli_warn("%llu events had no room in %llu bytes; a larger --max-size may help",
			 (ull)n->cut, (ull)s->opt->max_size);
	if (n->lost > n->cut)
		cli_warn("%llu event%s lost; %s, 'unsync info' says which", (ull)(n->lost - n->cut),
			 n->lost - n->cut == 1 ? "" : "s",
			 s->opt->max_rate ? "--max-rate or a small ring (-m) may be why"
					  : "a larger ring (-m) may help");
	if (s->opt->quiet)
		return;
	fprintf(stderr, "unsync: %s: %llu events, %llu bytes (%.2f an event), %llu lost%s\n",
		s->opt->output, (ull)n->events, (ull)s->bytes, per_event, (ull)n->lost,
		s->full ? "; ended by --max-size" : "");
	print_cost(s);
}
