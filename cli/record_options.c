// SPDX-License-Identifier: GPL-2.0-only
/* unsync record: what was asked for. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/record.h"

#define RING_DEFAULT (64ull << 20)
#define RING_LEAST (64ull << 10)
#define RING_MOST (1ull << 30)
#define SIZE_LEAST (256ull << 10)
#define RATE_MOST 1000000000ull

enum { OPT_EXACT = 256, OPT_VM, OPT_LIST, OPT_DURATION, OPT_MAX_SIZE, OPT_MAX_RATE, OPT_FORMAT };

static void print_help(void)
{
	puts("usage: unsync record -o FILE [options] -- COMMAND [ARGUMENT...]\n"
	     "       unsync record -o FILE [options] -p PID | --vm NAME | -a\n"
	     "       unsync record --list [--format F]\n\n"
	     "Records what guests do to their page tables: those of COMMAND, or those that run\n"
	     "already; until these end, a limit is reached, or Ctrl-C. The guests go on.\n\n"
	     "  -o, --output FILE     the trace; '-' is standard output\n"
	     "  -f, --force           replace FILE if it exists, once there is a guest to record\n"
	     "  -p, --pid PID         attach to the virtual machine of a process; may be repeated\n"
	     "      --vm NAME         the same, by the name that its monitor was given (-name)\n"
	     "  -a, --all             every virtual machine of this host, now and later\n"
	     "      --list            which run: name, process, vCPUs, paging, shadow pages\n"
	     "      --format F        of that list: table (default), json or csv\n"
	     "      --exact           record every write: keep the guest's shadow tables in step,\n"
	     "                        with the module of collector/exact; the guest runs up to\n"
	     "                        four times slower\n"
	     "      --duration TIME   end after that long: 30s, 5m, 1h\n"
	     "      --max-size SIZE   end before FILE is larger; at least 256k\n"
	     "      --max-rate N      at most so many events a second of each machine (20k, 1M);\n"
	     "                        the rest is lost, and counted as such\n"
	     "  -m, --ring SIZE       room for events not yet written, 64k to 1G (default 64M)\n"
	     "  -v, --verbose         say which hooks are missing, and what libbpf says\n"
	     "  -q, --quiet           print nothing but warnings and errors\n"
	     "  -h, --help            this text\n\n"
	     "Exit status: 0; 1 failed, no machine was seen, or COMMAND failed; 2 wrong usage;\n"
	     "3 events were lost.");
}

static int add_pid(struct record_options *opt, const char *text)
{
	uint64_t pid;

	if (cli_parse_number(text, 1, 1 << 22, &pid))
		return cli_usage("record", "'%s' is no process id", text);
	for (unsigned int i = 0; i < opt->n_pids; i++) {
		if (opt->pids[i] == (pid_t)pid)
			return EXIT_OK;
	}
	if (opt->n_pids + opt->n_names == RECORD_TARGETS)
		return cli_usage("record", "more than %d machines; -a takes all", RECORD_TARGETS);
	opt->pids[opt->n_pids++] = (pid_t)pid;
	return EXIT_OK;
}

static int add_name(struct record_options *opt, const char *text)
{
	if (!*text)
		return cli_usage("record", "'' is no name of a virtual machine");
	if (opt->n_pids + opt->n_names == RECORD_TARGETS)
		return cli_usage("record", "more than %d machines; -a takes all", RECORD_TARGETS);
	opt->names[opt->n_names++] = text;
	return EXIT_OK;
}

/* The kernel takes powers of two. */
static int take_ring(struct record_options *opt, const char *text)
{
	uint64_t wanted;

	if (cli_parse_size(text, &wanted) || wanted < RING_LEAST || wanted > RING_MOST)
		return cli_usage("record", "'%s' is no size from 64k to 1G", text);
	opt->ring_bytes = RING_LEAST;
	while (opt->ring_bytes < wanted)
		opt->ring_bytes *= 2;
	return EXIT_OK;
}

static int take_limit(struct record_options *opt, int which, const char *text)
{
	switch (which) {
	case OPT_DURATION:
		if (cli_parse_time(text, &opt->duration) || !opt->duration)
			return cli_usage("record", "'%s' is no time such as 30s or 5m", text);
		break;
	case OPT_MAX_SIZE:
		if (cli_parse_size(text, &opt->max_size) || opt->max_size < SIZE_LEAST)
			return cli_usage("record", "'%s' is no size from 256k", text);
		break;
	default:
		if (cli_parse_count(text, &opt->max_rate) || !opt->max_rate ||
		    opt->max_rate > RATE_MOST)
			return cli_usage("record", "'%s' is no number of events from 1 to 1000M",
					 text);
	}
	return EXIT_OK;
}

/* Returns EXIT_OK, or the exit status. */
static int take_option(struct record_options *opt, int c, const char *word)
{
	switch (c) {
	case 'o':
		opt->output = optarg;
		break;
	case 'f':
		opt->force = true;
		break;
	case 'p':
		return add_pid(opt, optarg);
	case OPT_VM:
		return add_name(opt, optarg);
	case 'a':
		opt->all = true;
		break;
	case OPT_LIST:
		opt->list = true;
		break;
	case OPT_FORMAT:
		opt->formatted = true;
		return cli_parse_format("record", optarg, &opt->format);
	case OPT_EXACT:
		opt->exact = true;
		break;
	case OPT_DURATION:
	case OPT_MAX_SIZE:
	case OPT_MAX_RATE:
		return take_limit(opt, c, optarg);
	case 'm':
		return take_ring(opt, optarg);
	case 'v':
		opt->verbose = true;
		break;
	case 'q':
		opt->quiet = true;
		break;
	case ':':
		return cli_usage("record", "option '%s' needs a value", word);
	default:
		return cli_usage("record", "unknown option '%s'", word);
	}
	return EXIT_OK;
}

static int check(const struct record_options *opt)
{
	bool some = opt->n_pids || opt->n_names;

	if (opt->list)
		return opt->output || opt->command || opt->all || some
			       ? cli_usage("record", "--list goes with no output and no machine")
			       : EXIT_OK;
	if (opt->formatted)
		return cli_usage("record", "--format is for --list; a trace has one format");
	if (!opt->output)
		return cli_usage("record", "say where the trace goes: -o FILE");
	if (!opt->command && !opt->all && !some)
		return cli_usage("record", "say what to record: -- COMMAND, -p PID, --vm NAME "
					   "or -a");
	if ((opt->command != NULL) + opt->all + some > 1)
		return cli_usage("record", "either a command, or machines by -p and --vm, or all "
					   "by -a; not both");
	return EXIT_OK;
}

bool record_parse(int argc, char **argv, struct record_options *opt, int *status)
{
	static const struct option longs[] = { { "output", 1, NULL, 'o' },
					       { "force", 0, NULL, 'f' },
					       { "pid", 1, NULL, 'p' },
					       { "vm", 1, NULL, OPT_VM },
					       { "all", 0, NULL, 'a' },
					       { "list", 0, NULL, OPT_LIST },
					       { "format", 1, NULL, OPT_FORMAT },
					       { "exact", 0, NULL, OPT_EXACT },
					       { "duration", 1, NULL, OPT_DURATION },
					       { "max-size", 1, NULL, OPT_MAX_SIZE },
					       { "max-rate", 1, NULL, OPT_MAX_RATE },
					       { "ring", 1, NULL, 'm' },
					       { "verbose", 0, NULL, 'v' },
					       { "quiet", 0, NULL, 'q' },
					       { "help", 0, NULL, 'h' },
					       { NULL, 0, NULL, 0 } };
	int c;

	*opt = (struct record_options){ .ring_bytes = RING_DEFAULT };
	opterr = 0;
	optind = 1;
	*status = EXIT_OK;
	while ((c = getopt_long(argc, argv, "+:o:fp:am:vqh", longs, NULL)) != -1) {
		if (c == 'h') {
			print_help();
			return false;
		}
		*status = take_option(opt, c, argv[optind - 1]);
		if (*status)
			return false;
	}
	if (optind < argc)
		opt->command = argv + optind;
	*status = check(opt);
	return !*status;
}
