// SPDX-License-Identifier: GPL-2.0-only
/* unsync import: a trace from a recording of perf or trace-cmd. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "import/import.h"
#include "trace/beside.h"

typedef unsigned long long ull;

/* A share that is worth a word: one in so many. Some of KVM's threads work for no VM in particular. */
#define FEW_ASTRAY 50

struct request {
	const char *in, *path, *out;
	bool force, quiet;
	int fd;
	struct import_result result;
	struct ut_error err;
};

static void print_help(void)
{
	fputs("usage: unsync import FILE -o OUT [options]\n\n"
	      "Makes a trace of what perf or trace-cmd recorded of KVM's tracepoints, on a host\n"
	      "where BPF is not to be had, or long ago. FILE is a perf.data or a trace.dat,\n"
	      "whatever its name; - is standard input, for perf.data alone. The trace is a native\n"
	      "one, with less in it than one of 'unsync record': docs/importing.md says what, and\n"
	      "how to record.\n\n"
	      "  -o, --output OUT   where to; - is standard output\n"
	      "  -f, --force        replace OUT if it is there\n"
	      "  -q, --quiet        no progress, no summary\n"
	      "  -h, --help         this text\n\n"
	      "Exit status: 0 finished, 1 failed, 2 wrong usage, 3 finished, but the recording\n"
	      "had lost records.\n",
	      stdout);
}

static void progress(void *ctx, uint64_t events)
{
	(void)ctx;
	cli_progress("importing, events:", events, 0);
}

static int write_trace(void *ctx, int fd)
{
	const struct import_options options = { .tool = "unsync " UNSYNC_VERSION,
						.progress = progress };
	struct request *rq = ctx;
	int ret;

	if (fd < 0)
		fd = strcmp(rq->out, "-") != 0 ? open(rq->out, O_WRONLY | O_CLOEXEC)
					       : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return ut_error_set(&rq->err, "%s: cannot be written: %s", rq->out,
				    strerror(errno));
	ret = import_run(rq->fd, rq->path, fd, rq->out, &options, &rq->result, &rq->err);
	cli_progress("importing, events:", 1, 1);
	close(fd);
	return ret;
}

static void warn_clock(const struct request *rq)
{
	static const char *const good[] = { "",	    "mono",   "mono_raw", "boot",	   "tai",
					    "perf", "global", "realtime", "x86-tsc, as ns" };
	const char *clock = rq->result.clock;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (!strcmp(clock, good[i]))
			return;
	}
	if (!strcmp(clock, "local"))
		cli_warn(
			"%s: by the clock 'local' each CPU has a time of its own: what happened on "
			"different CPUs may stand in the wrong order; record with -C mono",
			rq->path);
	else
		cli_warn("%s: its times are by the clock '%s', so they may be no nanoseconds; "
			 "record "
			 "with %s",
			 rq->path, clock,
			 rq->result.kind == IMPORT_TRACE_DAT ? "-C mono" : "-k CLOCK_MONOTONIC");
}

static void warn(const struct request *rq)
{
	const struct story_counts *n = &rq->result.counts;

	warn_clock(rq);
	if (n->lost)
		cli_warn("%s: %llu records were lost when it was recorded; larger buffers (%s) may "
			 "help, 'unsync info' says where it shows",
			 rq->path, (ull)n->lost, rq->result.kind == IMPORT_TRACE_DAT ? "-b" : "-m");
	if (n->astray > n->kvm / FEW_ASTRAY)
		cli_warn(
			"%s: %llu of KVM's records are left out: no VM could be found for their "
			"threads; record all events of kvm and kvmmmu from before the guest starts",
			rq->path, (ull)n->astray);
}

static int tell(const struct request *rq)
{
	const struct import_result *r = &rq->result;
	double per_event = r->counts.events ? (double)r->bytes / (double)r->counts.events : 0;

	warn(rq);
	if (!rq->quiet)
		fprintf(stderr,
			"unsync: %s: %llu events, %llu bytes (%.2f an event); %s: %llu records, "
			"%llu "
			"of KVM and understood, %llu of these of no VM, %llu lost\n",
			rq->out, (ull)r->counts.events, (ull)r->bytes, per_event,
			import_kind_name(r->kind), (ull)r->counts.records, (ull)r->counts.kvm,
			(ull)r->counts.astray, (ull)r->counts.lost);
	return r->counts.lost ? EXIT_LOSSES : EXIT_OK;
}

/* -f is meant for traces. */
static bool is_itself(const struct request *rq)
{
	struct stat in, out;

	return !fstat(rq->fd, &in) && !stat(rq->out, &out) && in.st_dev == out.st_dev &&
	       in.st_ino == out.st_ino && S_ISREG(in.st_mode);
}

static int run(struct request *rq)
{
	bool in_is_stdin = !strcmp(rq->in, "-");
	int ret;

	ret = cli_check_trace_output(rq->out, rq->force);
	if (ret)
		return ret;
	rq->path = in_is_stdin ? "standard input" : rq->in;
	rq->fd = in_is_stdin ? STDIN_FILENO : open(rq->in, O_RDONLY | O_CLOEXEC);
	if (rq->fd < 0)
		return cli_fail("%s: %s", rq->in, strerror(errno));
	ret = is_itself(rq) ? ut_error_set(&rq->err,
					   "%s: is the recording itself; choose another name for "
					   "the trace",
					   rq->out)
			    : ut_write_beside(rq->out, write_trace, rq, &rq->err);
	if (!in_is_stdin)
		close(rq->fd);
	if (ret)
		return cli_fail("%s", rq->err.text);
	return tell(rq);
}

static int take_option(struct request *rq, int opt, char **argv)
{
	switch (opt) {
	case 'o':
		rq->out = optarg;
		return EXIT_OK;
	case 'f':
		rq->force = true;
		return EXIT_OK;
	case 'q':
		rq->quiet = true;
		cli_progress_off();
		return EXIT_OK;
	case ':':
		return cli_usage("import", "%s needs a value", argv[optind - 1]);
	default:
		return cli_usage("import", "no option '%s'", argv[optind - 1]);
	}
}

int cli_import(int argc, char **argv)
{
	static const struct option options[] = {
		{ "output", required_argument, NULL, 'o' },
		{ "force", no_argument, NULL, 'f' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct request rq = { 0 };
	int opt, ret;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":o:fqh", options, NULL)) != -1) {
		if (opt == 'h') {
			print_help();
			return EXIT_OK;
		}
		ret = take_option(&rq, opt, argv);
		if (ret)
			return ret;
	}
	if (optind + 1 != argc)
		return cli_usage("import", optind == argc ? "no file given" : "one file at a time");
	if (!rq.out)
		return cli_usage("import", "where to? give -o OUT");
	rq.in = argv[optind];
	return run(&rq);
}
