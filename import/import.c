// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE /* tee(), pipe2() */
#include "import/import.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "import/confine.h"
#include "import/perf.h"
#include "import/tracedat.h"

typedef unsigned long long ull;

#define HEAD_BYTES 64
#define POLL_MS 100
#define FEW_EVENTS 4096 /* after so many, others are told how many there are */

/* CPU time that a file may take: many times what the slowest takes per byte, sanitizers included. */
#define CPU_SECONDS(bytes) (120 + ((bytes) >> 20))

/* What the child tells its parent at its end. */
struct report {
	bool done;
	struct import_result result;
	struct ut_error err; /* unless it is done */
};

struct job {
	int in, out;
	const char *path, *out_name;
	const struct import_options *options;
	unsigned int kind;
	uint64_t cpu_seconds; /* 0: no limit */
	uint64_t *shared;     /* events so far, for both processes */

	/* In the child. */
	struct story *story;
	struct ut_writer *writer;
	uint64_t events, bytes;
	struct ut_error *err;
};

const char *import_kind_name(unsigned int kind)
{
	return kind == IMPORT_PERF_DATA ? "perf.data" : kind == IMPORT_TRACE_DAT ? "trace.dat" : "";
}

/* ---- what kind of file it is ---- */

/* What stands at the head of a pipe, without taking it out. */
static ssize_t peek_pipe(int in, char *head, size_t size)
{
	ssize_t n = 0;
	int p[2];

	if (pipe2(p, O_CLOEXEC))
		return -1;
	do
		n = tee(in, p[1], size, 0);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		n = read(p[0], head, (size_t)n);
	close(p[0]);
	close(p[1]);
	return n;
}

static int recognise(struct job *j)
{
	char head[HEAD_BYTES];
	struct stat st;
	ssize_t n = -1;

	if (fstat(j->in, &st))
		return ut_error_set(j->err, "%s: %s", j->path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return ut_error_set(
			j->err,
			"%s: is a folder; if perf record --threads made it, record without "
			"--threads",
			j->path);
	errno = EINVAL;
	if (S_ISREG(st.st_mode))
		n = pread(j->in, head, sizeof(head), lseek(j->in, 0, SEEK_CUR));
	else if (S_ISFIFO(st.st_mode))
		n = peek_pipe(j->in, head, sizeof(head));
	if (n < 0)
		return ut_error_set(j->err, "%s: cannot be read: %s", j->path,
				    errno == EINVAL ? "neither a file nor a pipe"
						    : strerror(errno));
	if (perf_recognise(head, (size_t)n))
		j->kind = IMPORT_PERF_DATA;
	else if (tracedat_recognise(head, (size_t)n))
		j->kind = IMPORT_TRACE_DAT;
	else
		return ut_error_set(
			j->err,
			"%s: %s; a perf.data or a trace.dat is wanted, as 'perf record' "
			"and 'trace-cmd record' write them",
			j->path, n ? "holds something else" : "is empty");
	if (S_ISREG(st.st_mode))
		j->cpu_seconds = CPU_SECONDS((uint64_t)st.st_size);
	return 0;
}

/* ---- the child ---- */

/* The header comes first, and what it tells comes before the first event. */
static int open_writer(struct job *j)
{
	static const struct {
		const char *key;
		enum import_fact fact;
	} told[] = { { "kernel", IMPORT_RELEASE },
		     { "cpu", IMPORT_CPU },
		     { "command", IMPORT_COMMAND },
		     { "recorder", IMPORT_RECORDER },
		     { "clock", IMPORT_CLOCK } };
	struct ut_meta meta[3 + sizeof(told) / sizeof(told[0])];
	struct ut_header header = { .mode = UT_MODE_NATIVE, .meta = meta };
	time_t now = time(NULL);
	char created[32];
	struct tm tm;
	int fd = j->out;

	strftime(created, sizeof(created), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	meta[header.n_meta++] = (struct ut_meta){ "tool", j->options->tool };
	meta[header.n_meta++] = (struct ut_meta){ "created", created };
	meta[header.n_meta++] = (struct ut_meta){ UT_META_IMPORTED, import_kind_name(j->kind) };
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		const char *value = story_fact(j->story, told[i].fact);

		if (value)
			meta[header.n_meta++] = (struct ut_meta){ told[i].key, value };
	}
	j->out = -1;
	j->writer = ut_writer_attach(fd, j->out_name, &header, j->err);
	return j->writer ? 0 : -1;
}

static int take_event(void *arg, const struct ut_event *e)
{
	struct job *j = arg;

	if (!j->writer && open_writer(j))
		return -1;
	if (++j->events % FEW_EVENTS == 0)
		__atomic_store_n(j->shared, j->events, __ATOMIC_RELAXED);
	return ut_writer_add(j->writer, e, j->err);
}

static int read_recording(struct job *j, struct ut_error *err)
{
	if (j->kind == IMPORT_PERF_DATA)
		return perf_read(j->in, j->path, story_sink(j->story), err);
#ifdef UNSYNC_HAVE_TRACECMD
	return tracedat_read(j->in, j->path, story_sink(j->story), err);
#else
	return ut_error_set(
		err,
		"%s: a trace.dat, which this build does not read; install libtracecmd-dev "
		"and libtracefs-dev, then configure and build again",
		j->path);
#endif
}

/* The readers know the name of the file, the story does not. */
static void take_error(struct job *j, const struct ut_error *err)
{
	size_t n = strlen(j->path);

	if (j->err->text[0]) /* the trace could not be written, which stopped the rest */
		return;
	if (!strncmp(err->text, j->path, n) && err->text[n] == ':')
		*j->err = *err;
	else
		ut_error_set(j->err, "%s: %s", j->path, err->text);
}

static int make_trace(struct job *j)
{
	const struct story_options options = { .emit = take_event, .arg = j };
	struct ut_error err = { "" };
	struct ut_writer *w;

	j->story = story_new(&options);
	if (!j->story)
		return ut_error_set(j->err, "%s: out of memory", j->path);
	if (read_recording(j, &err) || story_end(j->story, &err) ||
	    (!j->writer && open_writer(j))) {
		take_error(j, &err);
		return -1;
	}
	w = j->writer;
	j->writer = NULL;
	if (!ut_writer_flush(w, j->err)) {
		j->bytes = ut_writer_bound(w);
		return ut_writer_close(w, j->err);
	}
	ut_writer_close(w, NULL);
	return -1;
}

/* Libraries say there what users cannot make use of; sanitizers, what developers can. */
static void silence(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (CONFINE_SANITIZED || null < 0)
		return;
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	close(null);
}

/* Does not return. @j->out: its own */
static void child(struct job *j, int to_parent, pid_t parent)
{
	struct report report = { .done = false };
	const char *clock;

	/* What the parent does then is to remove the file. */
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	silence();
	confine(parent, j->cpu_seconds);
	j->err = &report.err;
	if (!make_trace(j)) {
		clock = story_fact(j->story, IMPORT_CLOCK);
		report.done = true;
		report.result.kind = j->kind;
		report.result.bytes = j->bytes;
		report.result.counts = *story_counts(j->story);
		snprintf(report.result.clock, sizeof(report.result.clock), "%s",
			 clock ? clock : "");
	}
	_exit(write(to_parent, &report, sizeof(report)) != sizeof(report));
}

/* ---- the parent ---- */

/* What the child says may come from the file, and is shown: it must not drive a terminal. */
static void defuse(char *text, size_t size)
{
	text[size - 1] = '\0';
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
	}
}

/* Return: the report is whole. */
static bool await_report(const struct job *j, int from_child, struct report *report)
{
	struct pollfd p = { .fd = from_child, .events = POLLIN };
	size_t have = 0;
	ssize_t n;

	while (have < sizeof(*report)) {
		if (poll(&p, 1, POLL_MS) == 0) {
			if (j->options->progress)
				j->options->progress(j->options->ctx,
						     __atomic_load_n(j->shared, __ATOMIC_RELAXED));
			continue;
		}
		n = read(from_child, (char *)report + have, sizeof(*report) - have);
		if (n > 0)
			have += (size_t)n;
		else if (!n || errno != EINTR)
			return false;
	}
	return true;
}

/* What became of a child that did not say so itself. */
static int explain(const struct job *j, int status)
{
	int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

	if (sig == SIGXCPU)
		return ut_error_set(j->err,
				    "%s: reading it took more than %llu s; the file is damaged: "
				    "record again",
				    j->path, (ull)j->cpu_seconds);
	if (sig == SIGKILL || sig == SIGTERM || sig == SIGINT || sig == SIGHUP)
		return ut_error_set(j->err, "%s: its import was killed (%s)%s", j->path,
				    strsignal(sig), sig == SIGKILL ? "; out of memory?" : "");
	return ut_error_set(
		j->err,
		"%s: reading it ended in a crash (%s), of which nothing is left; the file "
		"is damaged: record again",
		j->path, sig ? strsignal(sig) : "no signal");
}

static int run_child(struct job *j, struct report *report)
{
	pid_t parent = getpid(), pid;
	int status, p[2];
	bool whole;

	if (pipe2(p, O_CLOEXEC))
		return ut_error_set(j->err, "%s: %s", j->path, strerror(errno));
	pid = fork();
	if (!pid)
		child(j, p[1], parent);
	close(p[1]);
	if (pid < 0) {
		close(p[0]);
		return ut_error_set(j->err, "%s: %s", j->path, strerror(errno));
	}
	whole = await_report(j, p[0], report);
	close(p[0]);
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return ut_error_set(j->err, "%s: %s", j->path, strerror(errno));
	}
	if (!whole)
		return explain(j, status);
	if (report->done)
		return 0;
	defuse(report->err.text, sizeof(report->err.text));
	*j->err = report->err;
	return -1;
}

int import_run(int in, const char *path, int out, const char *out_name,
	       const struct import_options *options, struct import_result *result,
	       struct ut_error *err)
{
	struct job j = { .in = in,
			 .out = out,
			 .path = path,
			 .out_name = out_name,
			 .options = options,
			 .err = err };
	struct report report;
	int ret;

	if (recognise(&j))
		return -1;
	j.shared = mmap(NULL, sizeof(*j.shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	if (j.shared == MAP_FAILED)
		return ut_error_set(err, "%s: %s", path, strerror(errno));
	ret = run_child(&j, &report);
	if (!ret) {
		*result = report.result;
		defuse(result->clock, sizeof(result->clock));
	}
	munmap(j.shared, sizeof(*j.shared));
	return ret;
}
