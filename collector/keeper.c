// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE /* close_range(), renameat2() */
#include "collector/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collector/privileges.h"

/* A file that appeared meanwhile is not replaced, as far as the file system can promise that. */
static int place(const char *from, const char *to, bool replace)
{
	if (replace)
		return rename(from, to) ? errno : 0;
	if (!renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE))
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return errno;
	if (!access(to, F_OK))
		return EEXIST;
	return rename(from, to) ? errno : 0;
}

static void remove_files(const char *temporary, const char *other)
{
	if (temporary)
		unlink(temporary);
	if (other)
		unlink(other);
}

static void let_go_of_everything(int fd)
{
	static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGTSTP };
	int null = open("/dev/null", O_RDWR);

	for (int i = 0; i < 3 && null >= 0; i++)
		dup2(null, i);
	/* Whoever waits for the end of a pipe must not wait for this process. */
	if (fd > 3)
		close_range(3, (unsigned int)fd - 1, 0);
	close_range((unsigned int)fd + 1, ~0u, 0);
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	setsid();
	prctl(PR_SET_NAME, "unsync-keeper");
	/* Folders and files may belong to others. */
	privileges_limit(1ull << CAP_DAC_OVERRIDE | 1ull << CAP_FOWNER);
}

static __attribute__((noreturn)) void keep(int fd, const char *temporary, const char *final,
					   bool replace, const char *other)
{
	char byte;
	int answer = 0;
	ssize_t n;

	let_go_of_everything(fd);
	/* The first answer says that it is out of reach of whatever ends the others. */
	while (send(fd, &answer, sizeof(answer), 0) == sizeof(answer)) {
		do
			n = recv(fd, &byte, 1, 0);
		while (n < 0 && errno == EINTR);
		if (n != 1)
			break;
		answer = temporary ? place(temporary, final, replace) : ENOENT;
		if (!answer)
			temporary = NULL;
	}
	remove_files(temporary, other);
	_exit(0);
}

/* Returns 0 or an errno. */
static int hear(int fd)
{
	int answer;
	ssize_t n;

	do
		n = recv(fd, &answer, sizeof(answer), 0);
	while (n < 0 && errno == EINTR);
	return n == sizeof(answer) ? answer : EPIPE;
}

int keeper_start(struct keeper *k, const char *temporary, const char *final, bool replace,
		 const char *other, struct ut_error *err)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends)) {
		ut_error_set(err, "cannot make a socket: %s", strerror(errno));
		remove_files(temporary, other);
		return -1;
	}
	k->pid = fork();
	if (k->pid < 0) {
		ut_error_set(err, "cannot fork: %s", strerror(errno));
		k->pid = 0;
		close(ends[0]);
		close(ends[1]);
		remove_files(temporary, other);
		return -1;
	}
	if (!k->pid)
		keep(ends[1], temporary, final, replace, other);
	close(ends[1]);
	k->fd = ends[0];
	if (hear(k->fd))
		return ut_error_set(err, "the process that keeps files in order does not run");
	return 0;
}

int keeper_place(struct keeper *k, struct ut_error *err)
{
	int e = send(k->fd, "", 1, MSG_NOSIGNAL) == 1 ? hear(k->fd) : EPIPE;

	return e ? ut_error_set(err, "%s", strerror(e)) : 0;
}

void keeper_end(struct keeper *k)
{
	if (!k->pid)
		return;
	close(k->fd);
	while (waitpid(k->pid, NULL, 0) < 0 && errno == EINTR)
		;
	k->pid = 0;
}
