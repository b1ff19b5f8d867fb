// SPDX-License-Identifier: GPL-2.0-only
/*
 * The import of trace.dat as a user has it: libtracecmd reads in a confined child. That library was not
 * written for hostile files, so it may crash there; the parent must say so in a line, and what is read must
 * be a good trace. Whose the code is that crashes is told from the sanitizer's report: ours must not.
 *
 * What the child ran through counts as covered: its counters lie in memory that the parent sees.
 */
#define _GNU_SOURCE
#include "tests/fuzz/fuzz.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "import/import.h"
#include "import/tracedat.h"

/* libFuzzer's counters, if there are any; this file has none, as the compiler would use these names itself. */
extern uint8_t counters_begin[] __asm__("__start___sancov_cntrs")
	__attribute__((weak, visibility("hidden")));
extern uint8_t counters_end[] __asm__("__stop___sancov_cntrs")
	__attribute__((weak, visibility("hidden")));
/* What only sanitizers have. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));
void __sanitizer_symbolize_pc(void *pc, const char *fmt, char *out, size_t size)
	__attribute__((weak));

pid_t __real_fork(void);
pid_t __wrap_fork(void);

static struct {
	uint8_t *from; /* pages in which the counters are */
	size_t size;
	int fd; /* of the memory that stands in for these in the child */
	uint8_t *theirs;
	int report; /* what the child says on its standard error */
} child;

static void prepare(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t from = (uintptr_t)counters_begin, to = (uintptr_t)counters_end;

	child.report = memfd_create("report", MFD_CLOEXEC);
	if (child.report < 0)
		fuzz_broken("no file in memory");
	if (from == to)
		return;
	child.from = counters_begin - from % page;
	child.size = (to - (uintptr_t)child.from + page - 1) / page * page;
	child.fd = memfd_create("counters", MFD_CLOEXEC);
	if (child.fd < 0 || ftruncate(child.fd, (off_t)child.size))
		fuzz_broken("no file in memory");
	child.theirs = mmap(NULL, child.size, PROT_READ | PROT_WRITE, MAP_SHARED, child.fd, 0);
	if (child.theirs == MAP_FAILED)
		fuzz_broken("no memory to share");
}

/* A child that crashes is no finding of the fuzzer's own, and leaves nothing on the screen. */
static void become_child(void)
{
	static const int signals[] = { SIGABRT, SIGALRM, SIGUSR1, SIGUSR2, SIGXCPU, SIGXFSZ };

	if (child.size && mmap(child.from, child.size, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_FIXED, child.fd, 0) == MAP_FAILED)
		_exit(1);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], SIG_DFL);
	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(NULL);
	dup2(child.report, STDERR_FILENO);
}

/* Whole pages, with what else is in them: word by word, as memcpy() would ask whose they are. */
__attribute__((no_sanitize("address"))) static void copy_pages(void)
{
	const volatile uint64_t *from = (const volatile uint64_t *)child.from;
	volatile uint64_t *to = (volatile uint64_t *)child.theirs;

	for (size_t i = 0; i < child.size / sizeof(*from); i++)
		to[i] = from[i];
}

/* In place of fork(), which the linker sees to. */
pid_t __wrap_fork(void)
{
	pid_t pid;

	copy_pages();
	pid = __real_fork();
	if (!pid)
		become_child();
	return pid;
}

static void take_counters(void)
{
	const uint8_t *theirs;

	if (!child.size)
		return;
	theirs = child.theirs + (counters_begin - child.from);
	for (uint8_t *own = counters_begin; own < counters_end; own++, theirs++)
		*own = *theirs > *own ? *theirs : *own;
}

/* ---- whose fault ---- */

/* "    #3 0x55d0c1a2b3c4 (/usr/lib/libtracecmd.so.1+0x1234)": 1 ours, -1 theirs, 0 neither. */
static int whose(const char *line)
{
	char text[1024] = "";
	uintptr_t pc;
	const char *at;

	if (strstr(line, "libtracecmd") || strstr(line, "libtraceevent"))
		return -1;
	at = strstr(line, " 0x");
	if (!at || !__sanitizer_symbolize_pc)
		return 0;
	pc = strtoul(at + 1, NULL, 16);
	__sanitizer_symbolize_pc((void *)pc, "%f %s", text, sizeof(text));
	return strstr(text, UNSYNC_SOURCE) ? 1 : 0;
}

/* The innermost frame that is of either. */
static void judge_report(char *report)
{
	char *save = NULL, *copy;
	int verdict = 0;

	if (strstr(report, "runtime error:"))
		fuzz_broken("in the child: %s", report);
	if (!strstr(report, "ERROR: "))
		return;
	copy = strdup(report);
	for (char *line = copy ? strtok_r(copy, "\n", &save) : NULL; line && !verdict;
	     line = strtok_r(NULL, "\n", &save)) {
		if (strstr(line, "    #"))
			verdict = whose(line);
	}
	free(copy);
	if (verdict >= 0)
		fuzz_broken("in the child: %s", report);
}

static void read_report(void)
{
	char report[16384];
	ssize_t n = pread(child.report, report, sizeof(report) - 1, 0);

	if (n <= 0)
		return;
	report[n] = '\0';
	judge_report(report);
	if (ftruncate(child.report, 0) || lseek(child.report, 0, SEEK_SET))
		fuzz_broken("no report");
}

/* ---- the trace ---- */

static void read_trace(const char *path, const struct import_result *result)
{
	struct ut_error err = { "" };
	struct ut_reader *r = ut_reader_open(path, &err);
	struct ut_block block;
	uint64_t events = 0;
	int ret;

	if (!r)
		fuzz_broken("the trace cannot be read: %s", err.text);
	while ((ret = ut_reader_next(r, &block, &err)) == 1)
		events += block.n;
	if (ret || ut_reader_warning(r) || events != result->counts.events)
		fuzz_broken("the trace is damaged");
	ut_reader_close(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct import_options options = { .tool = "fuzz" };
	struct import_result result = { 0 };
	struct ut_error err = { "" };
	const char *out;
	int ret;

	if (!child.report)
		prepare();
	if (!tracedat_recognise(data, size))
		return 0;
	fuzz_file(0, data, size);
	out = fuzz_file(1, "", 0);
	ret = import_run(fuzz_descriptor(0), "recording", fuzz_descriptor(1), "trace", &options,
			 &result, &err);
	take_counters();
	read_report();
	if (ret)
		fuzz_line(err.text, sizeof(err.text));
	else
		read_trace(out, &result);
	return 0;
}
