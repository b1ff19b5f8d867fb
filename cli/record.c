// SPDX-License-Identifier: GPL-2.0-only
/* unsync record: from a running guest to a trace. */
#define _GNU_SOURCE /* pipe2(), strchrnul() */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "collector/assemble.h"
#include "collector/capture.h"
#include "collector/exact.h"
#include "collector/host.h"
#include "trace/trace.h"

#define POLL_MS 100
#define SECOND 1000000000ull
#define RING_DEFAULT (64ull << 20)
#define RING_LEAST (64ull << 10)
#define RING_MOST (1ull << 30)
#define MAX_PIDS 64

struct options {
	const char *output;
	bool force, exact, verbose, quiet;
	pid_t pid;
	uint64_t ring_bytes;
	char **command; /* NULL: attach to pid */
};

/* A command that waits to be let go. */
struct child {
	pid_t pid;   /* 0: none, or it has ended */
	int go;	     /* writing here lets it start */
	int failure; /* tells errno if it could not */
	int status;  /* as wait() has it, once it has ended */
	bool ended;
};

struct recording {
	const struct options *opt;
	struct host host;
	struct capture *capture;
	struct assembler *assembler;
	struct ut_writer *writer;
	struct child child;
	int exact;	      /* descriptor, or -1 */
	pid_t pids[MAX_PIDS]; /* processes that are kept in step */
	unsigned int n_pids;
	unsigned int vms;
	uint64_t start;
	bool started;
	struct ut_error err;
};

static volatile sig_atomic_t interrupted;

static void print_help(void)
{
	puts("usage: unsync record -o FILE [options] -- COMMAND [ARGUMENT...]\n"
	     "       unsync record -o FILE [options] -p PID\n\n"
	     "Records what the guests of COMMAND, or of the process PID, do to their page tables,\n"
	     "until it ends or Ctrl-C. The guest goes on when the capture ends first.\n\n"
	     "  -o, --output FILE   the trace; '-' is standard output\n"
	     "  -f, --force         replace FILE if it exists\n"
	     "  -p, --pid PID       attach to a virtual machine that runs: tables that the host\n"
	     "                      shadowed before are unknown until it uses them again\n"
	     "      --exact         record every write: keep the guest's shadow tables in step, "
	     "with\n"
	     "                      the module of collector/exact; the guest runs up to four times "
	     "slower\n"
	     "  -m, --ring SIZE     room for events not yet written, 64k to 1G (default 64M)\n"
	     "  -v, --verbose       say which hooks are missing, and what libbpf says\n"
	     "  -q, --quiet         print nothing but errors\n"
	     "  -h, --help          this text\n\n"
	     "Exit status: 0; 1 failed, or COMMAND did; 2 wrong usage; 3 events were lost.");
}

static bool stop(int *status, int value)
{
	*status = value;
	return false;
}

/* Returns whether to go on; else @status is the exit status. */
static bool parse(int argc, char **argv, struct options *opt, int *status)
{
	static const struct option longs[] = {
		{ "output", 1, NULL, 'o' }, { "force", 0, NULL, 'f' }, { "pid", 1, NULL, 'p' },
		{ "exact", 0, NULL, 'x' },  { "ring", 1, NULL, 'm' },  { "verbose", 0, NULL, 'v' },
		{ "quiet", 0, NULL, 'q' },  { "help", 0, NULL, 'h' },  { NULL, 0, NULL, 0 }
	};
	uint64_t number;
	int c;

	*opt = (struct options){ .ring_bytes = RING_DEFAULT };
	opterr = 0;
	optind = 1;
	while ((c = getopt_long(argc, argv, "+:o:fp:m:vqh", longs, NULL)) != -1) {
		switch (c) {
		case 'o':
			opt->output = optarg;
			break;
		case 'f':
			opt->force = true;
			break;
		case 'p':
			if (cli_parse_number(optarg, 1, 1 << 22, &number))
				return stop(status,
					    cli_usage("record", "'%s' is no process id", optarg));
			opt->pid = (pid_t)number;
			break;
		case 'x':
			opt->exact = true;
			break;
		case 'm':
			if (cli_parse_size(optarg, &opt->ring_bytes) ||
			    opt->ring_bytes < RING_LEAST || opt->ring_bytes > RING_MOST)
				return stop(status,
					    cli_usage("record", "'%s' is no size from 64k to 1G",
						      optarg));
			break;
		case 'v':
			opt->verbose = true;
			break;
		case 'q':
			opt->quiet = true;
			break;
		case 'h':
			print_help();
			return stop(status, EXIT_OK);
		case ':':
			return stop(status, cli_usage("record", "option '%s' needs a value",
						      argv[optind - 1]));
		default:
			return stop(status,
				    cli_usage("record", "unknown option '%s'", argv[optind - 1]));
		}
	}
	if (optind < argc)
		opt->command = argv + optind;
	if (!opt->output)
		return stop(status, cli_usage("record", "say where the trace goes: -o FILE"));
	if (!opt->command && !opt->pid)
		return stop(status,
			    cli_usage("record", "say what to record: -- COMMAND, or -p PID"));
	if (opt->command && opt->pid)
		return stop(status, cli_usage("record", "either a command or -p PID, not both"));
	return true;
}

/* ---- the command ---- */

static void run_child(const struct options *opt, const int go[2], const int failure[2])
{
	char byte;
	int e;

	close(go[1]);
	close(failure[0]);
	/* If nothing is read, the recorder has given up. */
	if (read(go[0], &byte, 1) != 1)
		_exit(EXIT_FAILED);
	/* The trace has standard output for itself. */
	if (!strcmp(opt->output, "-") && dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		_exit(EXIT_FAILED);
	execvp(opt->command[0], opt->command);
	e = errno;
	if (write(failure[1], &e, sizeof(e)) != sizeof(e))
		_exit(EXIT_FAILED);
	_exit(EXIT_FAILED);
}

static int prepare_child(struct child *child, const struct options *opt, struct ut_error *err)
{
	int go[2] = { -1, -1 }, failure[2] = { -1, -1 };

	if (pipe2(go, O_CLOEXEC) || pipe2(failure, O_CLOEXEC))
		return ut_error_set(err, "cannot make a pipe: %s", strerror(errno));
	child->pid = fork();
	if (child->pid < 0) {
		child->pid = 0;
		return ut_error_set(err, "cannot fork: %s", strerror(errno));
	}
	if (!child->pid)
		run_child(opt, go, failure);
	close(go[0]);
	close(failure[1]);
	child->go = go[1];
	child->failure = failure[0];
	return 0;
}

static void reap_child(struct child *child, int flags)
{
	if (child->pid && waitpid(child->pid, &child->status, flags) == child->pid) {
		child->pid = 0;
		child->ended = true;
	}
}

static int release_child(struct child *child, const char *name, struct ut_error *err)
{
	int e = 0;
	ssize_t n;

	if (write(child->go, "", 1) != 1)
		return ut_error_set(err, "cannot start '%s': %s", name, strerror(errno));
	close(child->go);
	child->go = -1;
	do
		n = read(child->failure, &e, sizeof(e));
	while (n < 0 && errno == EINTR);
	close(child->failure);
	child->failure = -1;
	if (n != sizeof(e))
		return 0;
	reap_child(child, 0);
	return ut_error_set(err, "cannot run '%s': %s", name, strerror(e));
}

/* One that was never let go ends by itself when its pipe closes. */
static void drop_child(struct child *child)
{
	if (child->failure >= 0)
		close(child->failure);
	if (child->go >= 0) {
		close(child->go);
		reap_child(child, 0);
	}
	child->go = child->failure = -1;
}

/* ---- the file ---- */

static void join(char *text, size_t size, char **words)
{
	size_t n = 0;

	text[0] = '\0';
	for (; words && *words && n + 1 < size; words++)
		n += (size_t)snprintf(text + n, size - n, "%s%s", n ? " " : "", *words);
	/* The header holds a line for each fact. */
	for (char *c = text; *c; c++) {
		if (*c == '\n' || *c == '\r')
			*c = ' ';
	}
}

static int open_writer(struct recording *r)
{
	char command[8192], options[64], created[32], start[32];
	const struct ut_meta meta[] = {
		{ "tool", "unsync " UNSYNC_VERSION },
		{ "created", created },
		{ "kernel", r->host.kernel },
		{ "cpu", r->host.cpu },
		{ "kvm", r->host.kvm },
		{ "command", command },
		{ "options", options },
		{ "start_ns", start },
	};
	struct ut_header header = { .mode = r->opt->exact ? UT_MODE_EXACT : UT_MODE_NATIVE,
				    .meta = meta,
				    .n_meta = sizeof(meta) / sizeof(meta[0]) };
	time_t now = time(NULL);
	struct tm tm;

	strftime(created, sizeof(created), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	snprintf(start, sizeof(start), "%llu", (unsigned long long)r->start);
	snprintf(options, sizeof(options), "%sring=%llu%s", r->opt->exact ? "exact " : "",
		 (unsigned long long)r->opt->ring_bytes, r->opt->pid ? " attached" : "");
	if (r->opt->command)
		join(command, sizeof(command), r->opt->command);
	else
		snprintf(command, sizeof(command), "process %d", (int)r->opt->pid);
	r->writer = ut_writer_open(r->opt->output, &header, &r->err);
	return r->writer ? 0 : -1;
}

static void forget_ended(struct recording *r)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < r->n_pids; i++) {
		if (!kill(r->pids[i], 0) || errno != ESRCH)
			r->pids[n++] = r->pids[i];
	}
	r->n_pids = n;
}

/* A guest that starts in another process than expected is kept in step from here on. */
static int keep_in_step(struct recording *r, pid_t pid)
{
	int ret;

	if (r->exact < 0)
		return 0;
	forget_ended(r);
	for (unsigned int i = 0; i < r->n_pids; i++) {
		if (r->pids[i] == pid)
			return 0;
	}
	if (r->n_pids == MAX_PIDS)
		return ut_error_set(
			&r->err, "--exact: more than %d processes with guests at a time", MAX_PIDS);
	ret = exact_add(r->exact, pid, &r->err);
	if (ret < 0)
		return ret;
	if (!ret) {
		r->pids[r->n_pids++] = pid;
		return 0;
	}
	cli_warn("process %d ended before its guest was kept in step", (int)pid);
	return 0;
}

static int take_event(void *arg, const struct ut_event *e)
{
	struct recording *r = arg;

	if (e->kind == UT_VM) {
		r->vms++;
		if (keep_in_step(r, (pid_t)e->text.value))
			return -1;
	}
	return ut_writer_add(r->writer, e, &r->err);
}

static int take_record(void *arg, const void *data, size_t size)
{
	struct recording *r = arg;

	return assembler_record(r->assembler, data, size);
}

/* ---- the capture ---- */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

static void on_signal(int signal)
{
	struct sigaction by_default = { .sa_handler = SIG_DFL };

	interrupted = signal;
	sigaction(signal, &by_default, NULL); /* a second one kills */
}

static void on_child(int signal)
{
	(void)signal; /* it only ends a wait */
}

static void catch_signals(void)
{
	struct sigaction stop = { .sa_handler = on_signal }, child = { .sa_handler = on_child };

	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGHUP, &stop, NULL);
	sigaction(SIGCHLD, &child, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void warn_missing(const struct recording *r)
{
	char name[HOST_TEXT];
	unsigned int n = 0;

	for (size_t i = 0; i < collector_n_hooks; i++) {
		const char *why = capture_missing(r->capture, i);

		if (!why)
			continue;
		n++;
		if (r->opt->verbose)
			cli_warn("%s: %s; the trace will lack %s",
				 host_hook_name(&collector_hooks[i], name), why,
				 collector_hooks[i].without);
	}
	if (n && !r->opt->verbose && !r->opt->quiet)
		cli_warn("%u of %zu hooks are missing; 'unsync doctor' says what the trace will "
			 "lack",
			 n, collector_n_hooks);
}

static int take_loss(void *arg, unsigned int cause, unsigned int kind, uint64_t count)
{
	struct recording *r = arg;

	return assembler_lost(r->assembler, now_ns(), cause, kind, count);
}

static int take_exit(void *arg, const struct exit_key *key, const struct exit_sum *sum)
{
	struct recording *r = arg;

	return assembler_exits(r->assembler, now_ns(), key, sum);
}

static void show_status(const struct recording *r, uint64_t elapsed)
{
	const struct assembler_counts *n = assembler_counts(r->assembler);

	if (r->opt->quiet || !isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r\033[K%4llu s  %u VM%s  %llu events  %llu lost  %.1f MB",
		(unsigned long long)(elapsed / SECOND), r->vms, r->vms == 1 ? "" : "s",
		(unsigned long long)n->events, (unsigned long long)n->lost,
		(double)ut_writer_bytes(r->writer) / 1e6);
	fflush(stderr);
}

static bool is_over(struct recording *r)
{
	if (interrupted)
		return true;
	reap_child(&r->child, WNOHANG);
	if (r->opt->command)
		return r->child.ended;
	return kill(r->opt->pid, 0) && errno == ESRCH;
}

/* Once a second everything so far goes to the file, so that a killed capture loses little. */
static int run(struct recording *r)
{
	uint64_t next = r->start + SECOND, now;

	while (!is_over(r)) {
		if (capture_poll(r->capture, POLL_MS, &r->err))
			return -1;
		now = now_ns();
		if (now < next)
			continue;
		next = now + SECOND;
		if (capture_losses(r->capture, false, take_loss, r) ||
		    ut_writer_flush(r->writer, &r->err))
			return -1;
		show_status(r, now - r->start);
	}
	return 0;
}

static int finish_exact(struct recording *r)
{
	struct exact_counts n;

	if (r->exact < 0)
		return 0;
	if (exact_read(r->exact, &n))
		return ut_error_set(&r->err, "the module unsync_exact does not tell its counts");
	if (n.missed &&
	    assembler_lost(r->assembler, now_ns(), UT_LOST_RECURSION, UT_WRITE, n.missed))
		return -1;
	return assembler_stat(r->assembler, now_ns(), "exact.calls", n.calls) ||
	       assembler_stat(r->assembler, now_ns(), "exact.refusals", n.refusals) ||
	       assembler_stat(r->assembler, now_ns(), "exact.denied", n.denied) ||
	       assembler_stat(r->assembler, now_ns(), "exact.missed", n.missed);
}

static int finish(struct recording *r)
{
	int failed;

	failed = capture_stop(r->capture, &r->err) ||
		 capture_losses(r->capture, true, take_loss, r) ||
		 capture_exits(r->capture, take_exit, r) || finish_exact(r) ||
		 assembler_stat(r->assembler, now_ns(), "collector.silent",
				assembler_counts(r->assembler)->silent);
	if (!r->opt->quiet && isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	return failed;
}

/* What makes an exact trace less than that. */
static void check_exact(const struct recording *r)
{
	const struct assembler_counts *n = assembler_counts(r->assembler);

	if (n->host_unsync)
		cli_warn("%llu tables went out of sync before they could be kept in step",
			 (unsigned long long)n->host_unsync);
	if (n->silent)
		cli_warn("%llu table entries changed although no write to them was seen",
			 (unsigned long long)n->silent);
}

static void summarise(const struct recording *r, uint64_t bytes)
{
	const struct assembler_counts *n = assembler_counts(r->assembler);
	double per_event = n->events ? (double)bytes / (double)n->events : 0;

	if (r->opt->exact)
		check_exact(r);
	if (!r->vms && !r->opt->quiet)
		cli_warn("no virtual machine was seen");
	if (n->lost)
		cli_warn("%llu events lost; a larger ring (-m) may help, 'unsync info' says which",
			 (unsigned long long)n->lost);
	if (!r->opt->quiet)
		fprintf(stderr, "unsync: %s: %llu events, %llu bytes (%.2f an event), %llu lost\n",
			r->opt->output, (unsigned long long)n->events, (unsigned long long)bytes,
			per_event, (unsigned long long)n->lost);
}

static void say_goes_on(const struct recording *r)
{
	if (r->child.pid && !r->opt->quiet)
		fprintf(stderr, "unsync: '%s' goes on as process %d\n", r->opt->command[0],
			(int)r->child.pid);
}

static int judge(const struct recording *r)
{
	const struct child *c = &r->child;

	if (c->ended && WIFSIGNALED(c->status))
		cli_warn("'%s' was ended by signal %d", r->opt->command[0], WTERMSIG(c->status));
	else if (c->ended && WEXITSTATUS(c->status))
		cli_warn("'%s' failed with status %d", r->opt->command[0], WEXITSTATUS(c->status));
	if (assembler_counts(r->assembler)->lost)
		return EXIT_LOSSES;
	return c->ended && c->status ? EXIT_FAILED : EXIT_OK;
}

static int start_capture(struct recording *r)
{
	struct capture_options options = { .ring_bytes = r->opt->ring_bytes,
					   .exact = r->opt->exact,
					   .attached = r->opt->pid != 0,
					   .verbose = r->opt->verbose,
					   .record = take_record,
					   .arg = r };
	struct assembler_options assemble = { .role = &r->host.role, .emit = take_event, .arg = r };

	if (r->host.nested_paging)
		return ut_error_set(
			&r->err,
			"%s uses nested paging, so guests have no shadow pages; load it with %s",
			r->host.backend, strcmp(r->host.backend, "kvm_amd") ? "ept=0" : "npt=0");
	if (r->opt->exact) {
		r->exact = exact_open(&r->host, &r->err);
		if (r->exact < 0)
			return -1;
	}
	r->capture = capture_start(&r->host, &options, &r->err);
	if (!r->capture)
		return -1;
	warn_missing(r);
	r->start = now_ns();
	assemble.start = r->start;
	r->assembler = assembler_new(&assemble);
	return r->assembler ? 0 : ut_error_set(&r->err, "out of memory");
}

/* The file comes last: until all else is ready, the one that it replaces stays. */
static int start_target(struct recording *r)
{
	pid_t pid = r->opt->pid;

	if (r->opt->command) {
		if (prepare_child(&r->child, r->opt, &r->err))
			return -1;
		pid = r->child.pid;
	}
	if (capture_add_target(r->capture, pid, &r->err) || keep_in_step(r, pid) || open_writer(r))
		return -1;
	return r->opt->command ? release_child(&r->child, r->opt->command[0], &r->err) : 0;
}

/* As execvp() looks for it. Returns 0 or an errno. */
static int find_command(const char *name)
{
	const char *path = getenv("PATH"), *end;
	char file[PATH_MAX];
	struct stat st;
	int ret = ENOENT;

	if (!*name)
		return ENOENT;
	if (!path)
		path = "/bin:/usr/bin";
	if (strchr(name, '/'))
		path = "";
	for (;; path = end + 1) {
		end = strchrnul(path, ':');
		if ((size_t)snprintf(file, sizeof(file), "%.*s%s%s", (int)(end - path), path,
				     end > path ? "/" : "", name) < sizeof(file) &&
		    !stat(file, &st)) {
			if (S_ISREG(st.st_mode) && !access(file, X_OK))
				return 0;
			ret = EACCES;
		}
		if (!*end)
			return ret;
	}
}

/* Before anything is replaced. */
static int check_files(const struct options *opt)
{
	int e;

	if (opt->pid && kill(opt->pid, 0) && errno == ESRCH)
		return cli_fail("no process %d", (int)opt->pid);
	if (strcmp(opt->output, "-") && !opt->force && !access(opt->output, F_OK))
		return cli_fail("%s: exists; -f replaces it", opt->output);
	e = opt->command ? find_command(opt->command[0]) : 0;
	if (e)
		return cli_fail("cannot run '%s': %s", opt->command[0], strerror(e));
	return 0;
}

/* A device or pipe stays; a link to a file does, too, without the file. */
static void remove_output(const char *path)
{
	char *where = realpath(path, NULL);
	struct stat st;

	if (where && !stat(where, &st) && S_ISREG(st.st_mode))
		unlink(where);
	free(where);
}

int cli_record(int argc, char **argv)
{
	struct options opt;
	struct recording r = { .opt = &opt, .exact = -1, .child = { .go = -1, .failure = -1 } };
	uint64_t bytes = 0;
	int status;
	bool failed;

	if (!parse(argc, argv, &opt, &status))
		return status;
	if (check_files(&opt))
		return EXIT_FAILED;
	host_probe(&r.host);
	catch_signals();
	failed = start_capture(&r) || start_target(&r);
	r.started = !failed;
	failed = failed || run(&r);
	/* What was captured before a failure is worth keeping. */
	if (r.writer) {
		failed = finish(&r) || failed;
		if (!failed) {
			failed = ut_writer_flush(r.writer, &r.err);
			bytes = ut_writer_bytes(r.writer);
		}
		failed = ut_writer_close(r.writer, failed ? NULL : &r.err) || failed;
	}
	drop_child(&r.child);
	/* Of a command that did not even start there is nothing to keep. */
	if (failed && r.writer && !r.started && strcmp(opt.output, "-"))
		remove_output(opt.output);
	if (failed) {
		status = cli_fail("%s", r.err.text);
	} else {
		summarise(&r, bytes);
		status = judge(&r);
	}
	say_goes_on(&r);
	capture_free(r.capture);
	assembler_free(r.assembler);
	if (r.exact >= 0)
		close(r.exact);
	host_release(&r.host);
	return status;
}
