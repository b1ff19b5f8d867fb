// SPDX-License-Identifier: GPL-2.0-only
/* unsync mark: put a text into captures that run. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "collector/control.h"

static void print_help(void)
{
	puts("usage: unsync mark [--pid RECORDER] TEXT\n\n"
	     "Puts TEXT into every capture that runs on this host, between what was recorded "
	     "before\n"
	     "and after, and returns once it is there. 'unsync dump' shows it as an event "
	     "'mark'.\n\n"
	     "  -p, --pid RECORDER  only into the capture of this 'unsync record' process\n"
	     "  -h, --help          this text\n\n"
	     "TEXT is UTF-8 of up to 4096 bytes without control characters.\n\n"
	     "Exit status: 0; 1 no capture runs, or one did not take it; 2 wrong usage.");
}

int cli_mark(int argc, char **argv)
{
	static const struct option longs[] = { { "pid", 1, NULL, 'p' },
					       { "help", 0, NULL, 'h' },
					       { NULL, 0, NULL, 0 } };
	const char *wrong;
	struct ut_error err;
	uint64_t pid = 0;
	int c, n;

	opterr = 0;
	optind = 1;
	while ((c = getopt_long(argc, argv, ":p:h", longs, NULL)) != -1) {
		switch (c) {
		case 'p':
			if (cli_parse_number(optarg, 1, 1 << 22, &pid))
				return cli_usage("mark", "'%s' is no process id", optarg);
			break;
		case 'h':
			print_help();
			return EXIT_OK;
		case ':':
			return cli_usage("mark", "option '%s' needs a value", argv[optind - 1]);
		default:
			return cli_usage("mark", "unknown option '%s'", argv[optind - 1]);
		}
	}
	if (argc - optind != 1)
		return cli_usage("mark", optind == argc ? "which text?"
							: "one text, please; put it in quotes");
	wrong = control_check_mark(argv[optind], strlen(argv[optind]));
	if (wrong)
		return cli_usage("mark", "%s", wrong);
	n = control_send((pid_t)pid, argv[optind], strlen(argv[optind]), &err);
	if (n < 0)
		return cli_fail("%s", err.text);
	if (!n && pid)
		return cli_fail("process %d records nothing; without --pid every capture gets it",
				(int)pid);
	if (!n)
		return cli_fail("no capture runs; 'unsync record' starts one");
	return EXIT_OK;
}
