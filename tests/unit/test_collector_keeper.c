// SPDX-License-Identifier: GPL-2.0-only
/* Files get their names and vanish as they should, also when the process that wants that is killed. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "collector/control.h"
#include "collector/keeper.h"

static char folder[] = "/tmp/unsync-keeper.XXXXXX";
static struct ut_error err;

static void put(const char *name, const char *text)
{
	FILE *f = fopen(name, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void expect(const char *name, const char *text)
{
	char found[64] = "";
	FILE *f = fopen(name, "re");

	if (!text) {
		assert_null(f);
		return;
	}
	assert_non_null(f);
	assert_true(fread(found, 1, sizeof(found) - 1, f) > 0);
	fclose(f);
	assert_string_equal(found, text);
}

static int set_up(void **state)
{
	(void)state;
	put("temporary", "new");
	put("socket", "socket");
	unlink("final");
	return 0;
}

static void leaves_nothing_if_it_cannot_start(void **state)
{
	struct rlimit before, none;
	struct keeper k;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(keeper_start(&k, "temporary", "final", false, "socket", &err), -1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	expect("temporary", NULL);
	expect("socket", NULL);
}

static void removes_what_was_not_placed(void **state)
{
	struct keeper k;

	(void)state;
	assert_int_equal(keeper_start(&k, "temporary", "final", false, "socket", &err), 0);
	expect("temporary", "new");
	keeper_end(&k);
	expect("temporary", NULL);
	expect("final", NULL);
	expect("socket", NULL);
	keeper_end(&k);
}

static void places(void **state)
{
	struct keeper k;

	(void)state;
	assert_int_equal(keeper_start(&k, "temporary", "final", false, NULL, &err), 0);
	assert_int_equal(keeper_place(&k, &err), 0);
	expect("final", "new");
	assert_int_equal(keeper_place(&k, &err), -1);
	keeper_end(&k);
	expect("final", "new");
	expect("temporary", NULL);
	expect("socket", "socket");
}

static void replaces_only_if_asked(void **state)
{
	struct keeper k;

	(void)state;
	put("final", "old");
	assert_int_equal(keeper_start(&k, "temporary", "final", false, NULL, &err), 0);
	assert_int_equal(keeper_place(&k, &err), -1);
	assert_non_null(strstr(err.text, "exists"));
	keeper_end(&k);
	expect("final", "old");
	expect("temporary", NULL);

	put("temporary", "new");
	assert_int_equal(keeper_start(&k, "temporary", "final", true, NULL, &err), 0);
	expect("final", "old");
	assert_int_equal(keeper_place(&k, &err), 0);
	keeper_end(&k);
	expect("final", "new");
}

static void works_without_files(void **state)
{
	struct keeper k;

	(void)state;
	assert_int_equal(keeper_start(&k, NULL, NULL, false, NULL, &err), 0);
	assert_int_equal(keeper_place(&k, &err), -1);
	keeper_end(&k);
}

/* Its end of a pipe that the keeper must not hold tells when the killed process is gone. */
static void outlives_its_process(void **state)
{
	pid_t child, keeper = 0;
	int told[2];

	(void)state;
	assert_int_equal(pipe(told), 0);
	child = fork();
	if (!child) {
		struct keeper k;

		if (keeper_start(&k, "temporary", "final", false, "socket", &err) ||
		    write(told[1], &k.pid, sizeof(k.pid)) != sizeof(k.pid))
			_exit(1);
		pause();
	}
	close(told[1]);
	assert_int_equal(read(told[0], &keeper, sizeof(keeper)), sizeof(keeper));
	assert_int_equal(getsid(keeper), keeper);
	/* What ends the others in a terminal does not end it. */
	assert_int_equal(kill(keeper, SIGINT) | kill(keeper, SIGTERM) | kill(keeper, SIGHUP), 0);
	expect("temporary", "new");
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	/* The pipe ends although the keeper may still run: it holds nothing of others. */
	assert_int_equal(read(told[0], &keeper, 1), 0);
	close(told[0]);
	for (int i = 0; i < 500 && !access("socket", F_OK); i++)
		usleep(10000);
	expect("temporary", NULL);
	expect("socket", NULL);
	expect("final", NULL);
}

static void marks_are_plain_text(void **state)
{
	static char text[CONTROL_MARK_BYTES + 1];

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_null(control_check_mark("a", 1));
	assert_null(control_check_mark("\xe2\x82\xac 5", 5));
	assert_null(control_check_mark(text, CONTROL_MARK_BYTES));
	assert_non_null(control_check_mark(text, CONTROL_MARK_BYTES + 1));
	assert_non_null(control_check_mark("", 0));
	assert_non_null(control_check_mark("a\0b", 3));
	assert_non_null(control_check_mark("\x7f", 1));
	assert_non_null(control_check_mark("\xc2\x80", 2));
	assert_non_null(control_check_mark("\xe2\x82", 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(leaves_nothing_if_it_cannot_start, set_up),
		cmocka_unit_test_setup(removes_what_was_not_placed, set_up),
		cmocka_unit_test_setup(places, set_up),
		cmocka_unit_test_setup(replaces_only_if_asked, set_up),
		cmocka_unit_test_setup(works_without_files, set_up),
		cmocka_unit_test_setup(outlives_its_process, set_up),
		cmocka_unit_test(marks_are_plain_text),
	};
	int failed;

	if (!mkdtemp(folder) || chdir(folder))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink("temporary");
	unlink("socket");
	unlink("final");
	if (chdir("/") || rmdir(folder))
		return 1;
	return failed;
}
