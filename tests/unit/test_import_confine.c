// SPDX-License-Identifier: GPL-2.0-only
/* What a process that reads recordings can do, and what not. */
#define _GNU_SOURCE /* O_TMPFILE */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "import/confine.h"

static int reads(void)
{
	char byte;
	int fd = open("/proc/self/exe", O_RDONLY);

	return fd >= 0 && read(fd, &byte, 1) == 1 && !close(fd);
}

static int executes(void)
{
	char *argv[] = { "true", NULL };

	execve("/bin/true", argv, argv + 1);
	return errno != EPERM;
}

static int forks(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	return pid >= 0;
}

static int connects(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0) >= 0 || socket(AF_INET, SOCK_STREAM, 0) >= 0;
}

static int writes(void)
{
	return open("written-by-test-import-confine", O_WRONLY | O_CREAT, 0600) >= 0 ||
	       open(".", O_TMPFILE | O_RDWR, 0600) >= 0;
}

static int removes(void)
{
	return !unlink("/nonexistent/file") || errno != EPERM;
}

static int kills(void)
{
	return !kill(getppid(), 0);
}

static int traces(void)
{
	return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0;
}

static int takes_memory(void)
{
	void *volatile memory = malloc(CONFINE_MEMORY); /* volatile: or clang takes none */

	return memory != NULL;
}

static int regains(void)
{
	struct rlimit l = { RLIM_INFINITY, RLIM_INFINITY };

	return !setrlimit(RLIMIT_AS, &l);
}

/* Does something in a process that is confined. Return: what that returned; -1: it was ended. */
static int confined(int (*what)(void))
{
	pid_t parent = getpid(), pid = fork();
	int status;

	if (!pid) {
		confine(parent, 100);
		_exit(what() ? 1 : 0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_reads(void **state)
{
	(void)state;
	assert_int_equal(confined(reads), 1);
}

static void test_no_more(void **state)
{
	static int (*const all[])(void) = { executes, forks, connects, writes,
					    removes,  kills, traces,   regains };

	(void)state;
#ifndef __x86_64__
	skip();
#endif
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		assert_int_equal(confined(all[i]), 0);
	assert_int_equal(access("written-by-test-import-confine", F_OK), -1);
}

static void test_memory(void **state)
{
	(void)state;
	if (CONFINE_SANITIZED)
		skip();
	assert_int_equal(confined(takes_memory), 0);
}

static void spin(void)
{
	for (volatile unsigned int i = 0;; i++)
		;
}

static void test_time(void **state)
{
	pid_t parent = getpid(), pid = fork();
	int status;

	(void)state;
	if (!pid) {
		confine(parent, 1);
		spin();
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_true(WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL);
}

/* Whoever's parent is gone goes, too. */
static void test_parent(void **state)
{
	int p[2], status;
	char byte;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(p), 0);
	pid = fork();
	if (!pid) {
		pid_t parent = getpid();

		if (!fork()) {
			close(p[0]);
			confine(parent, 100);
			if (write(p[1], "x", 1) == 1)
				spin();
		}
		close(p[1]);
		_exit(read(p[0], &byte, 1) != 1);
	}
	close(p[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	/* The other end is closed when the last of them has ended. */
	assert_int_equal(read(p[0], &byte, 1), 0);
	close(p[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads),  cmocka_unit_test(test_no_more),
		cmocka_unit_test(test_memory), cmocka_unit_test(test_time),
		cmocka_unit_test(test_parent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
