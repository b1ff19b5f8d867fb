// SPDX-License-Identifier: GPL-2.0-only
/* unsync doctor: can this host capture, and if not, what to do about it. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "collector/capture.h"
#include "collector/exact.h"
#include "collector/host.h"
#include "collector/privileges.h"
#include "plots/text.h"

#define RING_BYTES (64u << 10)

/* What was found, on its way out. */
struct report {
	enum cli_format format;
	json_t *rows; /* JSON only */
};

static void tell(struct report *rp, const char *status, const char *what, const char *state,
		 const char *remedy)
{
	const char *const cells[] = { status, what, state, remedy };

	if (rp->format == CLI_TABLE) {
		printf("%-8s %-18s %s%s%s\n", status, what, state, *remedy ? "; " : "", remedy);
	} else if (rp->format == CLI_JSON) {
		json_array_append_new(rp->rows, json_pack("{ss,ss,ss,ss}", "status", status, "what",
							  what, "state", state, "remedy", remedy));
	} else {
		for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++) {
			if (i)
				putchar(',');
			pl_csv(stdout, cells[i]);
		}
		putchar('\n');
	}
}

/* One line: what was looked at, how it is, and what helps. Returns @ok. */
static bool say(struct report *rp, bool ok, const char *what, const char *state, const char *remedy)
{
	tell(rp, ok ? "ok" : "missing", what, state, !ok && remedy ? remedy : "");
	return ok;
}

static bool check_device(struct report *rp)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC), e = errno;
	char state[64];

	if (fd >= 0) {
		close(fd);
		return say(rp, true, "/dev/kvm", "can be opened", NULL);
	}
	snprintf(state, sizeof(state), "%.60s", strerror(e));
	return say(rp, false, "/dev/kvm", state, "needed to run guests, not to record them");
}

static bool check_paging(struct report *rp, const struct host *h)
{
	if (!h->has_kvm)
		return false;
	if (!strcmp(h->backend, "kvm_amd"))
		return say(rp, !h->nested_paging, "shadow paging",
			   h->nested_paging ? "NPT is in use" : "yes",
			   "load kvm_amd with npt=0 while no guest runs");
	if (!strcmp(h->backend, "kvm_intel"))
		return say(rp, !h->nested_paging, "shadow paging",
			   h->nested_paging ? "EPT is in use" : "yes",
			   "load kvm_intel with ept=0 while no guest runs");
	return say(rp, true, "shadow paging",
		   "not told by this KVM; whether guests have shadow pages "
		   "is seen when one runs",
		   NULL);
}

static int no_record(void *arg, const void *data, size_t size)
{
	(void)arg;
	(void)data;
	(void)size;
	return 0;
}

static const char *hook_remedy(const struct host *h, const struct hook *hook)
{
	if (!host_has_hook(h, hook))
		return "use a kernel that has it";
	if (hook->type == HOOK_FENTRY || hook->type == HOOK_FEXIT)
		return "use a kernel with CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS";
	return hook->type == HOOK_TP ? "mount tracefs on /sys/kernel/tracing, run as root" : NULL;
}

/* The only proof that a hook works is to attach it. No process is a target, so nothing is recorded. */
static bool check_hooks(struct report *rp, const struct host *h, bool verbose, size_t *missing)
{
	struct capture_options options = { .ring_bytes = RING_BYTES,
					   .verbose = verbose,
					   .record = no_record };
	struct capture *c;
	struct ut_error err;
	char name[HOST_TEXT], text[HOST_TEXT * 2];

	c = capture_start(h, &options, &err);
	if (!c)
		return say(rp, false, "BPF programs", err.text, NULL);
	for (size_t i = 0; i < collector_n_hooks; i++) {
		const char *why = capture_missing(c, i);

		if (!why)
			continue;
		++*missing;
		snprintf(text, sizeof(text), "%s: %s; traces will lack %s",
			 host_hook_name(&collector_hooks[i], name), why,
			 collector_hooks[i].without);
		say(rp, false, "hook", text, hook_remedy(h, &collector_hooks[i]));
	}
	snprintf(text, sizeof(text), "%zu of %zu hooks attached", collector_n_hooks - *missing,
		 collector_n_hooks);
	say(rp, true, "BPF programs", text, NULL);
	capture_free(c);
	return true;
}

static void check_exact(struct report *rp, const struct host *h)
{
	if (!h->exact_parameter[0])
		say(rp, false, "exact captures",
		    "this KVM's mmu_try_to_unsync_pages() is not understood",
		    "record without --exact");
	else
		say(rp, exact_loaded(), "exact captures",
		    exact_loaded() ? "module unsync_exact is loaded"
				   : "module unsync_exact is not loaded",
		    exact_remedy());
}

/* The message says what is missing, and what helps. */
static bool check_privileges(struct report *rp)
{
	struct ut_error err;

	if (privileges_check(!access("/sys/kernel/btf/kvm", F_OK), &err))
		return say(rp, false, "privileges", err.text, NULL);
	return say(rp, true, "privileges", "BPF programs are permitted", NULL);
}

/* Where there is KVM but no BPF, others can record. Nested paging leaves them nothing to record, either. */
static void suggest_others(struct report *rp, const struct host *h)
{
	if (!h->has_kvm || h->nested_paging)
		return;
	tell(rp, "instead", "perf", CLI_PERF_RECORD, "unsync import perf.data -o guest.utrace");
	tell(rp, "instead", "trace-cmd", CLI_TRACE_CMD_RECORD,
	     "unsync import trace.dat -o guest.utrace");
}

/* Can this host capture? @missing_hooks: what it can do without, at a loss. */
static bool examine(struct report *rp, const struct host *h, bool verbose, size_t *missing_hooks)
{
	bool ok, understood = h->has_role && h->known_memslots;

	tell(rp, "", "kernel", h->kernel, "");
	ok = check_privileges(rp);
	ok &= say(rp, h->has_btf, "kernel types", h->has_btf ? "BTF is there" : "no BTF",
		  "use a kernel with CONFIG_DEBUG_INFO_BTF");
	ok &= say(rp, h->has_kvm, "KVM", h->has_kvm ? h->kvm : "not loaded",
		  "load kvm_amd or kvm_intel; the CPU must have SVM or VMX");
	check_device(rp);
	ok &= check_paging(rp, h);
	/* Without privileges a module's types cannot be read, whatever they are. */
	if (ok && h->has_kvm && h->has_btf) {
		ok &= say(rp, h->kvm_has_btf, "KVM's types",
			  h->kvm_has_btf ? "BTF is there" : "no BTF",
			  "use a kernel with CONFIG_DEBUG_INFO_BTF_MODULES");
		ok &= say(rp, understood, "KVM's structures",
			  understood ? "understood" : "not understood",
			  "Linux 5.17 or later is needed");
	}
	if (ok)
		ok &= check_hooks(rp, h, verbose, missing_hooks);
	check_exact(rp, h);
	if (!ok)
		suggest_others(rp, h);
	return ok;
}

static void print_help(void)
{
	puts("usage: unsync doctor [options]\n\n"
	     "Says what this host lacks for recording guests, and what helps; if that is BPF, how "
	     "perf "
	     "or\ntrace-cmd can record instead. Changes nothing.\n\n"
	     "      --format F  table (default), json or csv\n"
	     "  -v, --verbose   show what libbpf and the kernel's verifier say\n"
	     "  -h, --help      this text\n\n"
	     "Exit status: 0 native captures work here, 1 they do not, 2 wrong usage.");
}

static void begin_report(struct report *rp)
{
	if (rp->format == CLI_JSON)
		rp->rows = json_array();
	else if (rp->format == CLI_CSV)
		puts("status,what,state,remedy");
}

/* Return: EXIT_OK if captures work here, and that could be said. */
static int end_report(struct report *rp, bool ok, size_t missing_hooks)
{
	int ret = ok ? EXIT_OK : EXIT_FAILED;
	json_t *o;

	if (rp->format == CLI_JSON) {
		o = json_pack("{sb,sI,so}", "captures", ok, "missing_hooks",
			      (json_int_t)missing_hooks, "checks", rp->rows);
		if (!o || json_dumpf(o, stdout, JSON_INDENT(1)) || putchar('\n') == EOF)
			ret = cli_fail("what was found could not be written");
		json_decref(o);
	} else if (rp->format == CLI_TABLE) {
		puts(!ok	     ? "Captures do not work on this host."
		     : missing_hooks ? "Native captures work on this host, but lack what the "
				       "missing hooks would tell."
				     : "Native captures work on this host.");
	}
	if (fflush(stdout) || ferror(stdout))
		ret = cli_fail("standard output: cannot be written");
	return ret;
}

int cli_doctor(int argc, char **argv)
{
	static const struct option longs[] = { { "format", 1, NULL, 'F' },
					       { "verbose", 0, NULL, 'v' },
					       { "help", 0, NULL, 'h' },
					       { NULL, 0, NULL, 0 } };
	bool verbose = false, ok;
	struct report rp = { .format = CLI_TABLE };
	size_t missing_hooks = 0;
	struct host host;
	int c;

	opterr = 0;
	optind = 1;
	while ((c = getopt_long(argc, argv, ":vh", longs, NULL)) != -1) {
		switch (c) {
		case 'F':
			if (cli_parse_format("doctor", optarg, &rp.format))
				return EXIT_USAGE;
			break;
		case 'v':
			verbose = true;
			break;
		case 'h':
			print_help();
			return EXIT_OK;
		case ':':
			return cli_usage("doctor", "option '%s' needs a value", argv[optind - 1]);
		default:
			return cli_usage("doctor", "unknown option '%s'", argv[optind - 1]);
		}
	}
	if (optind < argc)
		return cli_usage("doctor", "'%s' is not expected", argv[optind]);
	begin_report(&rp);
	host_probe(&host);
	ok = examine(&rp, &host, verbose, &missing_hooks);
	host_release(&host);
	return end_report(&rp, ok, missing_hooks) ? EXIT_FAILED : EXIT_OK;
}
