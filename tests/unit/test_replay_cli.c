// SPDX-License-Identifier: GPL-2.0-only
/* Wrong use of 'unsync replay' and 'unsync models': one line that says what to do, exit status 2. */
#define _GNU_SOURCE
#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/cli.h"

#define MAX_ARGS 8

struct wrong {
	const char *args[MAX_ARGS]; /* after the verb */
	int status;
	const char *says;
};

/* Runs a verb with its messages caught; the caller frees them. */
static char *run(int (*verb)(int argc, char **argv), const char *name, const char *const *args,
		 int *status)
{
	char *argv[MAX_ARGS + 2] = { strdup(name) };
	char *text = calloc(1, 4096);
	int argc = 1, saved = dup(STDERR_FILENO);
	FILE *messages = tmpfile();

	assert_non_null(messages);
	assert_non_null(text);
	for (; args[argc - 1]; argc++)
		argv[argc] = strdup(args[argc - 1]);
	fflush(stderr);
	dup2(fileno(messages), STDERR_FILENO);
	optind = 0; /* GNU: start anew */
	*status = verb(argc, argv);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(messages);
	if (fread(text, 1, 4095, messages) == 0)
		text[0] = '\0';
	fclose(messages);
	/* getopt may have moved the arguments about, but they are all still there. */
	for (int i = 0; i < argc; i++)
		free(argv[i]);
	return text;
}

static void check(int (*verb)(int argc, char **argv), const char *name, const struct wrong *w)
{
	int status;
	char *text = run(verb, name, w->args, &status);
	char *newline = strchr(text, '\n');

	if (status != w->status || !strstr(text, w->says) || !newline || newline[1])
		fail_msg("%s %s %s ...: status %d, said '%s'", name, w->args[0] ? w->args[0] : "",
			 w->args[0] && w->args[1] ? w->args[1] : "", status, text);
	free(text);
}

static void wrong_replays(void **state)
{
	static const struct wrong cases[] = {
		{ { NULL }, EXIT_USAGE, "which trace" },
		{ { "x", "--model", "nobody" }, EXIT_USAGE, "'unsync models' lists them" },
		{ { "x", "--model", "" }, EXIT_USAGE, "no model ''" },
		{ { "x", "--model", "," }, EXIT_USAGE, "no model ''" },
		{ { "x", "--model", "null,nobody" }, EXIT_USAGE, "no model 'nobody'" },
		{ { "x", "--model", ":" }, EXIT_USAGE, "no model ''" },
		{ { "x", "--model", "null:" }, EXIT_USAGE, "no options after" },
		{ { "x", "--model", "null:x=1" }, EXIT_USAGE, "x" },
		{ { "x", "--model", "oos-per-root:globals=seven" }, EXIT_USAGE, "globals" },
		{ { "x", "--model", "null,oos-per-root:globals=7" }, EXIT_USAGE, "no model" },
		{ { "x", "--model" }, EXIT_USAGE, "needs a value" },
		{ { "x", "--passes", "0" }, EXIT_USAGE, "from 1 to" },
		{ { "x", "--passes", "-3" }, EXIT_USAGE, "from 1 to" },
		{ { "x", "--passes", "99999999999999999999" }, EXIT_USAGE, "from 1 to" },
		{ { "x", "--mismatches", "0" }, EXIT_USAGE, "from 1 to" },
		{ { "x", "--mismatches", "many" }, EXIT_USAGE, "from 1 to" },
		{ { "x", "--predict" }, EXIT_USAGE, "needs a value" },
		{ { "--predict", "y" }, EXIT_USAGE, "which trace" },
		{ { "x", "y", "--predict", "z" }, EXIT_USAGE, "one exact trace" },
		{ { "x", "--predict", "y", "--format", "json" }, EXIT_USAGE, "prints text" },
		{ { "/nowhere/x", "--predict", "y" }, EXIT_FAILED, "/nowhere/x" },
		{ { "x", "--format", "xml" }, EXIT_USAGE, "table, json or csv" },
		{ { "x", "-o", "-", "--format", "csv" }, EXIT_USAGE, "standard output" },
		{ { "x", "--wrong" }, EXIT_USAGE, "no option '--wrong'" },
		{ { "x", "-o", "/nowhere/r.json" }, EXIT_FAILED, "/nowhere" },
		{ { "/nowhere/x.utrace" }, EXIT_FAILED, "/nowhere/x.utrace" },
		{ { "-", "--no-measure" }, EXIT_FAILED, "save it to a file" },
		{ { "/dev/null" }, EXIT_FAILED, "/dev/null" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check(cli_replay, "replay", &cases[i]);
}

static void wrong_models(void **state)
{
	static const struct wrong cases[] = {
		{ { "nobody" }, EXIT_USAGE, "no model 'nobody'" },
		{ { "--wrong" }, EXIT_USAGE, "no option '--wrong'" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check(cli_models, "models", &cases[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_replays),
		cmocka_unit_test(wrong_models),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
