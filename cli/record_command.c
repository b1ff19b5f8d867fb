// SPDX-License-Identifier: GPL-2.0-only
/* unsync record: the command that it starts, and the signals that end it. */
#define _GNU_SOURCE /* pipe2(), strchrnul() */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/record.h"

/* ---- signals ---- */

static const int caught[] = { SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGPIPE };
#define N_CAUGHT (sizeof(caught) / sizeof(caught[0]))
static struct sigaction before[N_CAUGHT];
static volatile sig_atomic_t interrupted;

/* A second one, of any kind, kills. */
static void on_end(int signal)
{
	struct sigaction by_default = { .sa_handler = SIG_DFL };

	interrupted = signal;
	sigaction(SIGINT, &by_default, NULL);
	sigaction(SIGTERM, &by_default, NULL);
	sigaction(SIGHUP, &by_default, NULL);
}

static void on_child(int signal)
{
	(void)signal; /* it only ends a wait */
}

void command_catch_signals(void)
{
	struct sigaction action;

	for (size_t i = 0; i < N_CAUGHT; i++) {
		action = (struct sigaction){ .sa_handler = caught[i] == SIGPIPE	  ? SIG_IGN
							   : caught[i] == SIGCHLD ? on_child
										  : on_end };
		sigaction(caught[i], NULL, &before[i]);
		/* nohup(1) asks to go on; a shell that ignores SIGINT for its jobs means itself. */
		if (caught[i] != SIGHUP || before[i].sa_handler != SIG_IGN)
			sigaction(caught[i], &action, NULL);
	}
}

int command_interrupted(void)
{
	return interrupted;
}

/* ---- looking for it ---- */

/* As execvp() looks for it. Returns 0 or an errno. */
static int find(const char *name)
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

int command_check(char *const *argv, struct ut_error *err)
{
	int e = argv ? find(argv[0]) : 0;

	return e ? ut_error_set(err, "cannot run '%s': %s", argv[0], strerror(e)) : 0;
}

/* ---- running it ---- */

static __attribute__((noreturn)) void become(char *const *argv, bool own_stdout, const int go[2],
					     const int failure[2])
{
	char byte;
	int e;

	close(go[1]);
	close(failure[0]);
	/* If nothing is read, the recorder has given up. */
	if (read(go[0], &byte, 1) != 1)
		_exit(EXIT_FAILED);
	/* The trace has standard output for itself. */
	if (own_stdout && dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		_exit(EXIT_FAILED);
	for (size_t i = 0; i < N_CAUGHT; i++)
		sigaction(caught[i], &before[i], NULL);
	execvp(argv[0], argv);
	e = errno;
	if (write(failure[1], &e, sizeof(e)) != sizeof(e))
		_exit(EXIT_FAILED);
	_exit(EXIT_FAILED);
}

int command_prepare(struct record_command *c, char *const *argv, bool own_stdout,
		    struct ut_error *err)
{
	int go[2] = { -1, -1 }, failure[2] = { -1, -1 };

	if (pipe2(go, O_CLOEXEC) || pipe2(failure, O_CLOEXEC))
		return ut_error_set(err, "cannot make a pipe: %s", strerror(errno));
	c->pid = fork();
	if (c->pid < 0) {
		c->pid = 0;
		return ut_error_set(err, "cannot fork: %s", strerror(errno));
	}
	if (!c->pid)
		become(argv, own_stdout, go, failure);
	close(go[0]);
	close(failure[1]);
	c->go = go[1];
	c->failure = failure[0];
	return 0;
}

void command_reap(struct record_command *c, int flags)
{
	if (c->pid && waitpid(c->pid, &c->status, flags) == c->pid) {
		c->pid = 0;
		c->ended = true;
	}
}

int command_release(struct record_command *c, const char *name, struct ut_error *err)
{
	int e = 0;
	ssize_t n;

	if (write(c->go, "", 1) != 1)
		return ut_error_set(err, "cannot start '%s': %s", name, strerror(errno));
	close(c->go);
	c->go = -1;
	do
		n = read(c->failure, &e, sizeof(e));
	while (n < 0 && errno == EINTR);
	close(c->failure);
	c->failure = -1;
	if (n != sizeof(e))
		return 0;
	command_reap(c, 0);
	/* That it is there was seen before. */
	return ut_error_set(err, "cannot run '%s': %s", name,
			    e == ENOENT ? "the interpreter that it names is not there"
					: strerror(e));
}

void command_drop(struct record_command *c)
{
	if (c->failure >= 0)
		close(c->failure);
	if (c->go >= 0) {
		close(c->go);
		command_reap(c, 0);
	}
	c->go = c->failure = -1;
}
