// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "plots/gnuplot.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_ARGS 16
#define MAX_WORDS 8192 /* of what gnuplot says; the rest is read and dropped */

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static bool unwanted(const char *variable)
{
	return !strncmp(variable, "LC_", 3) || !strncmp(variable, "LANG", 4) ||
	       !strncmp(variable, "GNUPLOT", 7) || !strncmp(variable, "GNUTERM", 7) ||
	       !strncmp(variable, "GDFONTPATH", 10);
}

/* The user's environment without what would change a chart. To be freed, its strings not. */
static char **plain_environment(void)
{
	size_t n = 0, out = 0;
	char **env;

	while (environ[n])
		n++;
	env = calloc(n + 2, sizeof(*env));
	if (!env)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (!unwanted(environ[i]))
			env[out++] = environ[i];
	}
	env[out] = (char *)"LC_ALL=C.UTF-8";
	return env;
}

static int start(const char *program, const char *dir, const char *const *args, int err,
		 pid_t *child)
{
	const char *argv[MAX_ARGS + 4] = { program, "-d", "-c" };
	posix_spawn_file_actions_t actions;
	char **env = plain_environment();
	int ret;

	for (size_t i = 0; i < MAX_ARGS && args[i]; i++)
		argv[3 + i] = args[i];
	if (!env)
		return ENOMEM;
	ret = posix_spawn_file_actions_init(&actions);
	if (ret)
		goto out;
	ret = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	if (!ret)
		ret = posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	if (!ret)
		ret = posix_spawn_file_actions_adddup2(&actions, err, 2);
	if (!ret)
		ret = posix_spawn_file_actions_addchdir_np(&actions, dir);
	if (!ret)
		ret = posix_spawnp(child, program, &actions, NULL, (char *const *)argv, env);
	posix_spawn_file_actions_destroy(&actions);
out:
	free(env);
	return ret;
}

enum outcome { ENDED, TOO_LONG, CANCELLED };

/* Collect what it says until it closes its end. */
static enum outcome listen_to(int fd, int limit_ms, bool (*cancelled)(void), char *words)
{
	int64_t deadline = now_ms() + limit_ms;
	size_t len = 0;

	words[0] = '\0';
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		char buf[1024];
		ssize_t n;

		if (cancelled && cancelled())
			return CANCELLED;
		if (now_ms() >= deadline)
			return TOO_LONG;
		if (poll(&p, 1, 100) <= 0)
			continue;
		n = read(fd, buf, sizeof(buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return ENDED;
		if ((size_t)n > MAX_WORDS - 1 - len)
			n = (ssize_t)(MAX_WORDS - 1 - len);
		memcpy(words + len, buf, (size_t)n);
		len += (size_t)n;
		words[len] = '\0';
	}
}

/*
 * gnuplot says where it stopped in the last line, after the statement and a caret. Warnings are lines
 * of their own.
 */
static void last_line(char *words, char *message, size_t len)
{
	char *line = words + strlen(words);

	while (line > words && isspace((unsigned char)line[-1]))
		*--line = '\0';
	while (line > words && line[-1] != '\n')
		line--;
	while (isspace((unsigned char)*line))
		line++;
	for (char *c = line; *c; c++) {
		if (iscntrl((unsigned char)*c))
			*c = ' ';
	}
	snprintf(message, len, "%s", line);
}

static int judge(enum outcome outcome, int status, const char *script, int limit_ms, char *words,
		 char *message, size_t len)
{
	char line[512];

	last_line(words, line, sizeof(line));
	message[0] = '\0';
	if (outcome == CANCELLED)
		snprintf(message, len, "interrupted");
	else if (outcome == TOO_LONG)
		snprintf(message, len, "gnuplot took longer than %d s for %s", limit_ms / 1000,
			 script);
	else if (WIFSIGNALED(status))
		snprintf(message, len, "gnuplot was ended by signal %d in %s", WTERMSIG(status),
			 script);
	else if (WEXITSTATUS(status))
		snprintf(message, len, "gnuplot failed: %s", line[0] ? line : "it did not say why");
	else if (line[0])
		snprintf(message, len, "gnuplot: %s", line);
	return outcome == ENDED && WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -1;
}

int pl_gnuplot(const char *program, const char *dir, const char *const *args, int limit_ms,
	       bool (*cancelled)(void), char *message, size_t message_len)
{
	char *words = calloc(1, MAX_WORDS);
	enum outcome outcome;
	int pipes[2], status = 0, ret;
	pid_t child;

	if (!words || pipe2(pipes, O_CLOEXEC)) {
		snprintf(message, message_len, "cannot start gnuplot: %s", strerror(errno));
		free(words);
		return -1;
	}
	ret = start(program, dir, args, pipes[1], &child);
	close(pipes[1]);
	if (ret) {
		snprintf(message, message_len, "cannot start %s: %s%s", program, strerror(ret),
			 ret == ENOENT ? "; apt-get install gnuplot-nox" : "");
		close(pipes[0]);
		free(words);
		return -1;
	}
	outcome = listen_to(pipes[0], limit_ms, cancelled, words);
	if (outcome != ENDED)
		kill(child, SIGKILL);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	ret = judge(outcome, status, args[0], limit_ms, words, message, message_len);
	close(pipes[0]);
	free(words);
	return ret;
}
