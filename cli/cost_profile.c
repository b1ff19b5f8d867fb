// SPDX-License-Identifier: GPL-2.0-only
/* unsync cost --profile-from: what a capture's own exits took, as a platform profile. */
#include "cli/cost.h"

#include "cli/cli.h"
#include "trace/trace.h"

/* Exit reasons as the processors' makers number them. */
enum { VMX_EXCEPTION = 0, VMX_CPUID = 10, VMX_INVLPG = 14, VMX_CONTROL_REGISTER = 28 };
enum { SVM_WRITE_CR3 = 0x13, SVM_PAGE_FAULT = 0x4e, SVM_CPUID = 0x72, SVM_INVLPG = 0x79 };

static struct co_exits *slot(struct co_capture *c, const struct ut_exits *x)
{
	if (x->isa == UT_ISA_VMX) {
		switch (x->reason) {
		case VMX_EXCEPTION:
			return &c->fault;
		case VMX_CPUID:
			return &c->cpuid;
		case VMX_INVLPG:
			return &c->invlpg;
		case VMX_CONTROL_REGISTER:
			c->cr3_is_all = true;
			return &c->cr3;
		}
	} else if (x->isa == UT_ISA_SVM) {
		switch (x->reason) {
		case SVM_WRITE_CR3:
			return &c->cr3;
		case SVM_PAGE_FAULT:
			return &c->fault;
		case SVM_CPUID:
			return &c->cpuid;
		case SVM_INVLPG:
			return &c->invlpg;
		}
	}
	return NULL;
}

static void take(struct co_capture *c, const struct ut_event *e)
{
	struct co_exits *s;

	switch (e->kind) {
	case UT_EXITS:
		s = slot(c, &e->exits);
		if (s) {
			s->count += e->exits.count;
			s->ns += (double)e->exits.ns;
		}
		break;
	case UT_HOST_RESYNC:
		c->resync_ns += (double)e->resync.ns;
		c->synced += e->resync.pages;
		break;
	default:
		break;
	}
}

static int read_capture(struct co_capture *c, struct ut_reader *r, struct ut_error *err)
{
	struct ut_block b;
	int ret;

	while ((ret = ut_reader_next(r, &b, err)) == 1) {
		uint64_t done, total;

		for (size_t i = 0; i < b.n; i++)
			take(c, &b.events[i]);
		ut_reader_progress(r, &done, &total);
		cli_progress("reading", done, total);
	}
	cli_progress("reading", 1, 1);
	return ret;
}

static void warn_slow(const struct co_capture *c)
{
	double ns = c->cpuid.ns / (double)c->cpuid.count;

	if (ns > CO_SLOWEST_EXIT_NS)
		cli_warn("%s: an exit took %.1f us there, a processor takes 0.3 to 5: the host was "
			 "emulated or overloaded, and this profile is about that, not about a "
			 "machine",
			 c->file, ns / 1000);
}

int cost_profile(const char *trace, const struct co_platform *base, const char *name, FILE *out)
{
	struct co_capture c = { .file = trace };
	struct ut_reader *r;
	struct ut_error err;
	char error[1024];
	int ret = EXIT_OK;

	r = ut_reader_open(trace, &err);
	if (!r)
		return cli_fail("%s", err.text);
	if (read_capture(&c, r, &err))
		ret = cli_fail("%s", err.text);
	else if (co_profile_write(out, name, &c, base, error, sizeof(error)))
		ret = cli_fail("%s", error);
	else
		warn_slow(&c);
	ut_reader_close(r);
	return ret;
}
