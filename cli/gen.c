// SPDX-License-Identifier: GPL-2.0-only
/* unsync gen: synthetic traces, to see what costs grow with. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "gen/gen.h"

#define MAX_LONG 20
#define FIRST_PARAMETER 256

struct request {
	const char *out;
	struct ug_options options;
	bool force;
};

static void print_help(void)
{
	struct ug_options def;

	ug_defaults(&def);
	printf("usage: unsync gen -o OUT [options]\n\n"
	       "Writes a synthetic trace: a guest that in each round changes entries of "
	       "last-level\n"
	       "tables, writes CR3, and uses what it had changed. Everything can be varied by "
	       "itself, so\n"
	       "that one sees what the cost of a design grows with. Such a trace says nothing of "
	       "how often\n"
	       "guests do that. The same options give the same bytes.\n\n"
	       "  -o, --output OUT   where to; - is standard output\n"
	       "  -f, --force        replace OUT if it is there\n");
	for (const struct ug_parameter *p = ug_parameters(); p->name; p++)
		printf("      --%s N%*s %s (%" PRIu64 ")\n", p->name, 9 - (int)strlen(p->name), "",
		       p->help, p->def);
	printf("      --change HOW   what becomes of an entry:");
	for (unsigned int i = 0; ug_change_name(i); i++)
		printf(" %s%s", ug_change_name(i), i == def.change ? " (default)" : "");
	printf("\n"
	       "                       protect  loses its write permission, or gets it back\n"
	       "                       move     maps another page\n"
	       "                       unmap    maps nothing, or a page again\n"
	       "  -q, --quiet        no progress bar\n"
	       "  -h, --help         this text\n\n"
	       "Example: unsync gen --tables 64 -o 64.utrace; unsync replay 64.utrace\n"
	       "scripts/growth makes many of them and replays them all.\n");
}

static void progress(void *ctx, uint64_t done, uint64_t total)
{
	(void)ctx;
	cli_progress("making up", done, total);
}

static int run(struct request *rq)
{
	struct ut_error err;
	int ret;

	if (ug_check(&rq->options, &err))
		return cli_usage("gen", "%s", err.text);
	ret = cli_check_trace_output(rq->out, rq->force);
	if (ret)
		return ret;
	ret = ug_write(rq->out, &rq->options, "unsync " UNSYNC_VERSION, progress, rq, &err);
	progress(rq, 1, 1);
	return ret ? cli_fail("%s", err.text) : EXIT_OK;
}

static int take_parameter(struct request *rq, const struct ug_parameter *p)
{
	uint64_t *value = (uint64_t *)((char *)&rq->options + p->offset);

	if (cli_parse_number(optarg, p->min, p->max, value))
		return cli_usage("gen", "--%s %s: give a number from %" PRIu64 " to %" PRIu64,
				 p->name, optarg, p->min, p->max);
	return EXIT_OK;
}

static int take_change(struct request *rq)
{
	for (unsigned int i = 0; ug_change_name(i); i++) {
		if (!strcmp(optarg, ug_change_name(i))) {
			rq->options.change = (enum ug_change)i;
			return EXIT_OK;
		}
	}
	return cli_usage("gen", "no change '%s'; choose protect, move or unmap", optarg);
}

static int take_option(struct request *rq, int opt, char **argv)
{
	switch (opt) {
	case 'o':
		rq->out = optarg;
		return EXIT_OK;
	case 'f':
		rq->force = true;
		return EXIT_OK;
	case 'q':
		cli_progress_off();
		return EXIT_OK;
	case 'c':
		return take_change(rq);
	case ':':
		return cli_usage("gen", "%s needs a value", argv[optind - 1]);
	case '?':
		return cli_usage("gen", "no option '%s'", argv[optind - 1]);
	default:
		return take_parameter(rq, &ug_parameters()[opt - FIRST_PARAMETER]);
	}
}

static void list_options(struct option *list)
{
	static const struct option plain[] = {
		{ "output", required_argument, NULL, 'o' }, { "force", no_argument, NULL, 'f' },
		{ "change", required_argument, NULL, 'c' }, { "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
	};
	size_t n = sizeof(plain) / sizeof(plain[0]);

	memcpy(list, plain, sizeof(plain));
	for (int i = 0; ug_parameters()[i].name; i++)
		list[n++] = (struct option){ ug_parameters()[i].name, required_argument, NULL,
					     FIRST_PARAMETER + i };
	list[n] = (struct option){ 0 };
}

int cli_gen(int argc, char **argv)
{
	struct option options[MAX_LONG];
	struct request rq = { 0 };
	int opt, ret;

	ug_defaults(&rq.options);
	list_options(options);
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":o:fqh", options, NULL)) != -1) {
		if (opt == 'h') {
			print_help();
			return EXIT_OK;
		}
		ret = take_option(&rq, opt, argv);
		if (ret)
			return ret;
	}
	if (optind < argc)
		return cli_usage("gen", "'%s' is no option; it takes no files", argv[optind]);
	if (!rq.out)
		return cli_usage("gen", "where to? give -o OUT");
	return run(&rq);
}
