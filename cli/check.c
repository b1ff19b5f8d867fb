// SPDX-License-Identifier: GPL-2.0-only
/*
 * unsync models --check: each test in a process of its own, which loads the model by itself. So a
 * crash, a hang or an exit is what came out of that test, and the next one begins afresh.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "models/plugin.h"
#include "replay/conform.h"

#define PASSED '+'
#define FAILED '-'

/* A first byte that says which, then a line for the author. */
struct verdict {
	char text[1024];
	size_t len;
};

static const struct um_model *find_model(const char *name, char *why, size_t len)
{
	return um_plugin_named(name) ? um_plugin_load(name, why, len) : um_model_find(name);
}

/* ---- in the process of the test ---- */

static void limit(void)
{
	const struct rlimit none = { 0, 0 };

	setpgid(0, 0);
	setrlimit(RLIMIT_CORE, &none);
	/* What the model prints is not part of our output. */
	dup2(STDERR_FILENO, STDOUT_FILENO);
}

static void say(int fd, char first, const char *text)
{
	char line[1024];
	int n = snprintf(line, sizeof(line), "%c%s", first, text);
	size_t len = n < (int)sizeof(line) ? (size_t)n : sizeof(line) - 1;

	if (write(fd, line, len) != (ssize_t)len)
		_exit(EXIT_FAILED);
}

/* Without a test, loading is the test. */
static void run_test(const char *name, const struct ur_conform_test *test, int fd)
{
	const struct um_model *model;
	char why[1000] = "no reason given";

	limit();
	model = find_model(name, why, sizeof(why));
	if (!model || (test && test->run(model, why, sizeof(why))))
		say(fd, FAILED, why);
	else
		say(fd, PASSED, model->name);
	_exit(EXIT_OK);
}

/* ---- outside ---- */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Read until the process closes its end, or time runs out. */
static void listen_to(int fd, struct verdict *v, int64_t end)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = end - now_ms();
		ssize_t n;

		if (left <= 0 || !poll(&p, 1, (int)left))
			return;
		n = read(fd, v->text + v->len, sizeof(v->text) - 1 - v->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		v->len += (size_t)n;
	}
}

/*
 * The process may have closed its end and gone on. It is not waited for yet, so its number is still
 * its own when what it has started is killed with it. Return: false if time ran out.
 */
static bool ends_in_time(pid_t pid, int64_t end)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	siginfo_t info = { 0 };

	while (!waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) && !info.si_pid) {
		if (now_ms() >= end)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

static void set_verdict(struct verdict *v, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void set_verdict(struct verdict *v, const char *fmt, ...)
{
	va_list ap;

	v->text[0] = FAILED;
	va_start(ap, fmt);
	vsnprintf(v->text + 1, sizeof(v->text) - 1, fmt, ap);
	va_end(ap);
}

/* @who: begins the line. */
static void judge(struct verdict *v, int status, bool in_time, unsigned int seconds,
		  const char *who)
{
	v->text[v->len] = '\0';
	if (!in_time)
		set_verdict(v, "%sdid not end within %u s", who, seconds);
	else if (WIFSIGNALED(status))
		set_verdict(v, "%scrashed: signal %d (%s)", who, WTERMSIG(status),
			    strsignal(WTERMSIG(status)));
	else if (!v->len || WEXITSTATUS(status))
		set_verdict(v, "%sended the process with exit status %d", who, WEXITSTATUS(status));
}

static void supervise(pid_t pid, int fd, struct verdict *v, unsigned int seconds, const char *who)
{
	int64_t end = now_ms() + (int64_t)seconds * 1000;
	bool in_time;
	int status;

	listen_to(fd, v, end);
	in_time = ends_in_time(pid, end);
	kill(-pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	judge(v, status, in_time, seconds, who);
}

/* Return: whether the model passed. */
static bool passes(const char *name, const struct ur_conform_test *test, unsigned int seconds,
		   struct verdict *v)
{
	char who[512] = "";
	int fd[2];
	pid_t pid;

	/* Of a test, the line has its name in front. */
	if (!test)
		snprintf(who, sizeof(who), "%s: ", name);
	memset(v, 0, sizeof(*v));
	fflush(stdout);
	if (pipe2(fd, O_CLOEXEC)) {
		set_verdict(v, "not tried: %s", strerror(errno));
		return false;
	}
	pid = fork();
	if (!pid) {
		close(fd[0]);
		run_test(name, test, fd[1]);
	}
	close(fd[1]);
	if (pid < 0) {
		set_verdict(v, "not tried: %s", strerror(errno));
	} else {
		setpgid(pid, pid); /* whoever is first */
		supervise(pid, fd[0], v, seconds, who);
	}
	close(fd[0]);
	return v->text[0] == PASSED;
}

int cli_check(const char *name, unsigned int seconds)
{
	unsigned int passed = 0, failed = 0;
	struct verdict v;

	if (!passes(name, NULL, seconds, &v))
		return cli_fail("%s", v.text + 1);
	printf("%s (model %s)\n", name, v.text + 1);
	for (const struct ur_conform_test *t = ur_conform_tests(); t->name; t++) {
		if (passes(name, t, seconds, &v)) {
			passed++;
			printf("passed  %-12s %s\n", t->name, t->what);
		} else {
			failed++;
			printf("FAILED  %-12s %s\n", t->name, v.text + 1);
		}
	}
	printf("%u passed, %u failed\n", passed, failed);
	if (fflush(stdout) || ferror(stdout))
		return cli_fail("standard output: cannot be written");
	return failed ? EXIT_FAILED : EXIT_OK;
}
