// SPDX-License-Identifier: GPL-2.0-only
/* unsync record: from running guests to a trace. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/record.h"
#include "collector/control.h"
#include "collector/exact.h"
#include "collector/privileges.h"

#define POLL_MS 100
#define MAX_EXACT 64

/* Of --max-size: for what a capture tells of itself at its end; and for what is still in the ring. */
#define SIZE_FOR_END(size) ((size) / 8 < 128u << 10 ? (size) / 8 : 128u << 10)
#define SIZE_FOR_RING(size) ((size) / 8 < 4u << 20 ? (size) / 8 : 4u << 20)
#define WORTH_A_BLOCK 256 /* events */

struct recording {
	const struct record_options *opt;
	struct host host;
	struct record_targets targets;
	struct record_output output;
	struct control control;
	struct keeper keeper;
	struct record_command command;
	struct capture *capture;
	struct assembler *assembler;
	struct ut_writer *writer;
	struct record_counts counts;
	struct record_status status;
	int exact;		     /* descriptor, or -1 */
	pid_t exact_pids[MAX_EXACT]; /* processes that are kept in step */
	unsigned int n_exact;
	uint64_t start;
	unsigned int in_hand; /* events since the last flush, at most */
	bool started;	      /* all is attached, and the command let go */
	bool full;	      /* --max-size is near */
	struct ut_error err;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

/* ---- from records to the file ---- */

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

static void describe_source(const struct recording *r, char *text, size_t size)
{
	size_t n = 0;

	if (r->opt->command) {
		join(text, size, r->opt->command);
	} else if (r->opt->all) {
		snprintf(text, size, "all virtual machines");
	} else {
		for (unsigned int i = 0; i < r->targets.n && n < size; i++)
			n += (size_t)snprintf(text + n, size - n, "%s%d", n ? ", " : "process ",
					      (int)r->targets.pids[i]);
	}
}

static void describe_options(const struct recording *r, char *text, size_t size)
{
	const struct record_options *opt = r->opt;
	size_t n;

	n = (size_t)snprintf(text, size, "%sring=%llu%s", opt->exact ? "exact " : "",
			     (unsigned long long)opt->ring_bytes, opt->command ? "" : " attached");
	if (opt->max_rate)
		n += (size_t)snprintf(text + n, size - n, " max-rate=%llu",
				      (unsigned long long)opt->max_rate);
	if (opt->max_size)
		snprintf(text + n, size - n, " max-size=%llu", (unsigned long long)opt->max_size);
}

/* The hooks that are not in use, "function kvm_set_cr3, tracepoint kvm_cr". */
static void describe_missing(const struct recording *r, char *text, size_t size)
{
	char name[HOST_TEXT];
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; i < collector_n_hooks && n < size; i++) {
		if (capture_missing(r->capture, i))
			n += (size_t)snprintf(text + n, size - n, "%s%s", n ? ", " : "",
					      host_hook_name(&collector_hooks[i], name));
	}
}

static int open_writer(struct recording *r)
{
	char command[8192], options[160], created[32], start[32], missing[4096];
	const struct ut_meta meta[] = {
		{ "tool", "unsync " UNSYNC_VERSION },
		{ "created", created },
		{ "kernel", r->host.kernel },
		{ "cpu", r->host.cpu },
		{ "kvm", r->host.kvm },
		{ "command", command },
		{ "options", options },
		{ "start_ns", start },
		{ "missing", missing }, /* last: left out if there is nothing to say */
	};
	struct ut_header header = { .mode = r->opt->exact ? UT_MODE_EXACT : UT_MODE_NATIVE,
				    .meta = meta,
				    .n_meta = sizeof(meta) / sizeof(meta[0]) };
	time_t now = time(NULL);
	struct tm tm;
	int fd = r->output.fd;

	strftime(created, sizeof(created), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	snprintf(start, sizeof(start), "%llu", (unsigned long long)r->start);
	describe_options(r, options, sizeof(options));
	describe_source(r, command, sizeof(command));
	describe_missing(r, missing, sizeof(missing));
	if (!missing[0])
		header.n_meta--;
	r->output.fd = -1;
	r->writer = ut_writer_attach(fd, r->opt->output, &header, &r->err);
	return r->writer ? 0 : -1;
}

static int flush(struct recording *r)
{
	r->in_hand = 0;
	return ut_writer_flush(r->writer, &r->err);
}

/* Is there room for so many bytes more? Compressing what is in hand may make some. */
static bool has_room(struct recording *r, uint64_t bytes)
{
	if (ut_writer_bound(r->writer) + bytes <= r->opt->max_size)
		return true;
	if (r->in_hand < WORTH_A_BLOCK || flush(r))
		return false;
	return ut_writer_bound(r->writer) + bytes <= r->opt->max_size;
}

static uint64_t event_bytes(const struct ut_event *e)
{
	switch (e->kind) {
	case UT_PAGE_NEW:
		return 64 + 32 * (uint64_t)e->page.n;
	case UT_VM:
	case UT_MARK:
	case UT_STAT:
		return 64 + (uint64_t)e->text.len;
	default:
		return 64;
	}
}

/* Does an event fit into --max-size? Asks for the end of the capture before none does. */
static bool within_size(struct recording *r, const struct ut_event *e)
{
	uint64_t need = event_bytes(e);

	if (!r->opt->max_size)
		return true;
	if (e->kind == UT_EXITS || e->kind == UT_STAT || e->kind == UT_LOST)
		return has_room(r, need + event_bytes(&(struct ut_event){ .kind = UT_LOST }));
	need += SIZE_FOR_END(r->opt->max_size);
	if (has_room(r, need + SIZE_FOR_RING(r->opt->max_size)))
		return true;
	r->full = true;
	return has_room(r, need);
}

static void forget_ended(struct recording *r)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < r->n_exact; i++) {
		if (!kill(r->exact_pids[i], 0) || errno != ESRCH)
			r->exact_pids[n++] = r->exact_pids[i];
	}
	r->n_exact = n;
}

/* A guest that starts in another process than expected is kept in step from here on. */
static int keep_in_step(struct recording *r, pid_t pid)
{
	int ret;

	if (r->exact < 0)
		return 0;
	forget_ended(r);
	for (unsigned int i = 0; i < r->n_exact; i++) {
		if (r->exact_pids[i] == pid)
			return 0;
	}
	if (r->n_exact == MAX_EXACT)
		return ut_error_set(&r->err,
				    "--exact: more than %d processes with guests at a time",
				    MAX_EXACT);
	ret = exact_add(r->exact, pid, &r->err);
	if (ret < 0)
		return ret;
	if (!ret) {
		r->exact_pids[r->n_exact++] = pid;
		return 0;
	}
	status_wipe(&r->status);
	cli_warn("process %d ended before its guest was kept in step", (int)pid);
	return 0;
}

static int place(struct recording *r)
{
	return output_place(&r->output, r->opt->output, &r->keeper, &r->err);
}

static int take_event(void *arg, const struct ut_event *e)
{
	struct recording *r = arg;

	/* While it starts, much may still fail; then there shall be no file. */
	if (e->kind == UT_VM && (keep_in_step(r, (pid_t)e->text.value) || (r->started && place(r))))
		return -1;
	if (!within_size(r, e)) {
		r->counts.cut++;
		return 0;
	}
	if (counts_take(&r->counts, e))
		return ut_error_set(&r->err, "out of memory");
	r->in_hand++;
	return ut_writer_add(r->writer, e, &r->err);
}

static int take_record(void *arg, const void *data, size_t size)
{
	struct recording *r = arg;

	return assembler_record(r->assembler, data, size);
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

/* What happened before it comes before it. */
static int take_mark(void *arg, const char *text, size_t len, struct ut_error *err)
{
	struct recording *r = arg;
	const struct ut_event e = { .kind = UT_MARK, .text.len = (uint16_t)len };

	if (capture_poll(r->capture, 0, &r->err) == 0) {
		if (!within_size(r, &e))
			return ut_error_set(err, "it has reached its largest size");
		if (!assembler_mark(r->assembler, now_ns(), text, len))
			return 0;
	}
	*err = r->err;
	return -1;
}

/* ---- before ---- */

/* All that can be known before anything is attached, and before any file is touched. */
static int check_request(struct recording *r)
{
	const struct record_options *opt = r->opt;

	for (unsigned int i = 0; i < opt->n_pids; i++) {
		if (kill(opt->pids[i], 0) && errno == ESRCH)
			return ut_error_set(&r->err, "no process %d", (int)opt->pids[i]);
	}
	if (output_check(opt->output, opt->force, &r->err) || command_check(opt->command, &r->err))
		return -1;
	return 0;
}

/* Without privileges, the types of a KVM that is a module seem not to be there. */
static int check_capture(const struct host *h, struct ut_error *err)
{
	if (h->has_kvm && privileges_check(!access("/sys/kernel/btf/kvm", F_OK), err))
		return -1;
	return capture_check_host(h, err);
}

/* BPF is not to be had, but KVM is: so others can record. */
static int suggest_others(struct recording *r)
{
	struct ut_error why = r->err;

	if (r->host.has_kvm && !r->host.nested_paging)
		ut_error_set(&r->err,
			     "%.200s; or record without BPF: " CLI_PERF_RECORD
			     ", then unsync import perf.data",
			     why.text);
	return -1;
}

static int check_host(struct recording *r)
{
	const struct host *h = &r->host;

	if (check_capture(h, &r->err))
		return suggest_others(r);
	if (h->nested_paging)
		return ut_error_set(&r->err,
				    "%s uses nested paging, so guests have no shadow pages; load "
				    "it with %s while no guest runs",
				    h->backend, strcmp(h->backend, "kvm_amd") ? "ept=0" : "npt=0");
	if (r->opt->exact) {
		r->exact = exact_open(h, &r->err);
		if (r->exact < 0)
			return -1;
	}
	return targets_find(&r->targets, r->opt, h, &r->err);
}

/* The file, and the process that gives it its name and removes what must not stay. */
static int open_files(struct recording *r)
{
	struct ut_error why;

	if (output_open(&r->output, r->opt->output, &r->err))
		return -1;
	if (control_open(&r->control, &why) && r->opt->verbose)
		cli_warn("no marks can be put into this capture: %s", why.text);
	return keeper_start(&r->keeper, r->output.temporary, r->output.final, r->opt->force,
			    r->control.path[0] ? r->control.path : NULL, &r->err);
}

static int start_capture(struct recording *r)
{
	struct capture_options options = { .ring_bytes = r->opt->ring_bytes,
					   .max_rate = r->opt->max_rate,
					   .exact = r->opt->exact,
					   .attached = !r->opt->command,
					   .verbose = r->opt->verbose,
					   .record = take_record,
					   .arg = r };
	struct assembler_options assemble = { .role = &r->host.role, .emit = take_event, .arg = r };

	r->capture = capture_start(&r->host, &options, &r->err);
	if (!r->capture)
		return suggest_others(r);
	summary_hooks(r->capture, r->opt);
	r->start = now_ns();
	assemble.start = r->start;
	assemble.vm_name = host_vm_name;
	r->assembler = assembler_new(&assemble);
	if (!r->assembler)
		return ut_error_set(&r->err, "out of memory");
	return open_writer(r);
}

static int add_target(struct recording *r, pid_t pid)
{
	/* In step first, so that no table is seen to go out of sync. */
	return keep_in_step(r, pid) || capture_add_target(r->capture, pid, &r->err) ? -1 : 0;
}

static int attach(struct recording *r)
{
	int n;

	for (unsigned int i = 0; i < r->targets.n; i++) {
		if (add_target(r, r->targets.pids[i]))
			return -1;
	}
	if (r->opt->all && capture_add_all(r->capture, &r->err))
		return -1;
	n = capture_read_running(r->capture, &r->err);
	if (n < 0)
		return -1;
	if (!n && !r->opt->all)
		return ut_error_set(&r->err, "the virtual machine ended before it was recorded");
	if (!n && !r->opt->quiet)
		fputs("unsync: no virtual machine runs yet; waiting for one\n", stderr);
	return 0;
}

static bool can_read(void *arg)
{
	const struct recording *r = arg;

	return capture_readable(r->capture);
}

/* A command has been forked by then, and keeps what the caller may do. */
static int start_target(struct recording *r)
{
	char **argv = r->opt->command;

	if (!argv)
		return attach(r) || privileges_drop(can_read, r, &r->err) ? -1 : 0;
	if (command_prepare(&r->command, argv, !strcmp(r->opt->output, "-"), &r->err) ||
	    add_target(r, r->command.pid) || privileges_drop(can_read, r, &r->err))
		return -1;
	if (command_interrupted())
		return ut_error_set(&r->err, "interrupted before '%s' was started", argv[0]);
	return command_release(&r->command, argv[0], &r->err);
}

/* ---- meanwhile ---- */

static bool is_over(struct recording *r, uint64_t now)
{
	if (command_interrupted() || r->full)
		return true;
	if (r->opt->duration && now - r->start >= r->opt->duration)
		return true;
	command_reap(&r->command, WNOHANG);
	return r->opt->command ? r->command.ended : targets_ended(&r->targets);
}

/* Until there is something to do. The ring wakes nobody for a few records. */
static void wait_for_work(const struct recording *r, uint64_t now)
{
	struct pollfd fds[] = { { .fd = capture_fd(r->capture), .events = POLLIN },
				{ .fd = r->control.fd, .events = POLLIN } };
	uint64_t left = POLL_MS;

	if (r->opt->duration) {
		left = (r->start + r->opt->duration - now) / 1000000 + 1;
		left = left < POLL_MS ? left : POLL_MS;
	}
	poll(fds, sizeof(fds) / sizeof(fds[0]), (int)left);
}

/* Once a second everything so far goes to the file, so that a killed capture loses little. */
static int run(struct recording *r)
{
	uint64_t now = now_ns(), next = now + SECOND;

	if (r->counts.seen && place(r))
		return -1;
	while (!is_over(r, now)) {
		wait_for_work(r, now);
		if (capture_poll(r->capture, 0, &r->err))
			return -1;
		control_serve(&r->control, take_mark, r);
		now = now_ns();
		if (now < next)
			continue;
		next = now + SECOND;
		if (capture_losses(r->capture, false, take_loss, r) || flush(r))
			return -1;
		status_draw(&r->status, &r->counts, ut_writer_bytes(r->writer), now - r->start);
	}
	return 0;
}

/* ---- afterwards ---- */

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

static int finish_size(struct recording *r)
{
	if (!r->counts.cut)
		return 0;
	return assembler_lost(r->assembler, now_ns(), UT_LOST_RATE, 0, r->counts.cut);
}

static int finish(struct recording *r)
{
	return capture_read_stats(r->capture, &r->err) || capture_stop(r->capture, &r->err) ||
	       capture_losses(r->capture, true, take_loss, r) ||
	       capture_exits(r->capture, take_exit, r) || finish_exact(r) ||
	       assembler_stat(r->assembler, now_ns(), "collector.silent",
			      assembler_counts(r->assembler)->silent) ||
	       finish_size(r);
}

/* Closes the file; @failed: what was captured before is worth keeping. Returns whether all went well. */
static bool close_file(struct recording *r, bool failed, struct record_summary *s)
{
	struct ut_error first = r->err;

	if (!r->writer)
		return !failed;
	/* Of what did not even start nothing is worth keeping. */
	if (r->started && finish(r) && !failed) {
		failed = true;
		first = r->err;
	}
	if (!failed && flush(r)) {
		failed = true;
		first = r->err;
	}
	s->bytes = ut_writer_bytes(r->writer);
	if (ut_writer_close(r->writer, failed ? NULL : &first))
		failed = true;
	r->err = first;
	return !failed;
}

static void warn_command(const struct recording *r)
{
	const struct record_command *c = &r->command;

	if (c->ended && WIFSIGNALED(c->status))
		cli_warn("'%s' was ended by signal %d", r->opt->command[0], WTERMSIG(c->status));
	else if (c->ended && WEXITSTATUS(c->status))
		cli_warn("'%s' failed with status %d", r->opt->command[0], WEXITSTATUS(c->status));
}

/* Says how it ended; a failure in one line. Returns the exit status. */
static int conclude(struct recording *r, bool good, struct record_summary *s)
{
	const struct record_command *c = &r->command;
	char goes_on[200] = "";

	status_wipe(&r->status);
	/* One that was not let go has been reaped. */
	if (c->pid)
		snprintf(goes_on, sizeof(goes_on), "'%.100s' goes on as process %d",
			 r->opt->command[0], (int)c->pid);
	if (!good)
		return cli_fail("%s%s%s", r->err.text, c->pid ? "; " : "", goes_on);
	warn_command(r);
	if (!r->counts.seen)
		return cli_fail("no virtual machine was seen, so there is no trace%s%s",
				c->pid		  ? "; "
				: r->opt->command ? "; does the command use KVM?"
						  : "",
				goes_on);
	summary_print(s);
	if (c->pid && !r->opt->quiet)
		fprintf(stderr, "unsync: %s\n", goes_on);
	if (r->counts.lost)
		return EXIT_LOSSES;
	return c->ended && c->status ? EXIT_FAILED : EXIT_OK;
}

static void release(struct recording *r)
{
	capture_free(r->capture);
	assembler_free(r->assembler);
	counts_free(&r->counts);
	if (r->exact >= 0)
		close(r->exact);
	if (r->control.fd >= 0)
		close(r->control.fd);
	keeper_end(&r->keeper);
	targets_close(&r->targets);
	output_close(&r->output);
	host_release(&r->host);
}

static int list(enum cli_format format)
{
	struct ut_error err;
	struct host host;
	int status;

	host_probe(&host);
	status =
		check_capture(&host, &err) ? cli_fail("%s", err.text) : targets_list(&host, format);
	host_release(&host);
	return status;
}

int cli_record(int argc, char **argv)
{
	struct record_options opt;
	struct recording r = { .opt = &opt,
			       .exact = -1,
			       .output = { .fd = -1 },
			       .control = { .fd = -1 },
			       .command = { .go = -1, .failure = -1 } };
	struct record_summary summary = { .opt = &opt, .counts = &r.counts };
	bool good;
	int status;

	if (!record_parse(argc, argv, &opt, &status))
		return status;
	if (opt.list)
		return list(opt.format);
	r.status.wanted = !opt.quiet && isatty(STDERR_FILENO);
	if (check_request(&r))
		return cli_fail("%s", r.err.text);
	host_probe(&r.host);
	command_catch_signals();
	r.started = !check_host(&r) && !open_files(&r) && !start_capture(&r) && !start_target(&r);
	good = r.started && !run(&r);
	good = close_file(&r, !good, &summary);
	command_drop(&r.command);
	if (r.capture)
		summary.bpf_ns = capture_run_ns(r.capture);
	if (r.assembler)
		summary.assembled = assembler_counts(r.assembler);
	summary.full = r.full;
	status = conclude(&r, good, &summary);
	release(&r);
	return status;
}
