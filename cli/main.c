// SPDX-License-Identifier: GPL-2.0-only
/* unsync: verbs and nothing else. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
};

#ifndef UNSYNC_HAVE_COLLECTOR
static int no_collector(int argc, char **argv)
{
	(void)argc;
	return cli_fail("%s: this build has no collector; install libbpf-dev, bpftool and clang, "
			"then configure and build again; or record with: " CLI_PERF_RECORD
			", then unsync import perf.data",
			argv[0]);
}
#define cli_record no_collector
#define cli_doctor no_collector
#define cli_mark no_collector
#endif

#ifndef UNSYNC_HAVE_IMPORT
static int no_import(int argc, char **argv)
{
	(void)argc;
	return cli_fail("%s: this build reads no recordings of others; install libtraceevent-dev, "
			"libtracecmd-dev and libtracefs-dev, then configure and build again",
			argv[0]);
}
#define cli_import no_import
#endif

static const struct verb verbs[] = {
	{ "doctor", cli_doctor, "can this host capture? what is missing?" },
	{ "record", cli_record, "record a guest's page-table activity to a trace" },
	{ "import", cli_import, "make a trace of what perf or trace-cmd recorded" },
	{ "mark", cli_mark, "put a text into captures that run" },
	{ "info", cli_info, "what a trace holds and how complete it is" },
	{ "dump", cli_dump, "print the events of a trace" },
	{ "scrub", cli_scrub, "make a copy of a trace that can be shared" },
	{ "gen", cli_gen, "make up a trace, to see what costs grow with" },
	{ "models", cli_models, "list the models and their options" },
	{ "replay", cli_replay, "run a trace through models, count and measure" },
	{ "compare", cli_compare, "tell two results of replay apart" },
	{ "cost", cli_cost, "what each design costs on a platform, and where the ranking turns" },
	{ "plot", cli_plot, "draw charts and a page from replay results" },
	{ "export", cli_export, "write a trace or a replay for Perfetto's viewer" },
};

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	}
	return NULL;
}

static void print_help(FILE *out)
{
	fprintf(out, "usage: unsync VERB [options]\n\n"
		     "Records what guests do to their page tables, replays it through models of\n"
		     "shadow-paging designs, and compares what keeping in step costs.\n\n");
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		fprintf(out, "  %-8s %s\n", verbs[i].name, verbs[i].summary);
	fprintf(out, "\n'unsync VERB --help' says more; 'unsync --version' names the version.\n");
}

int main(int argc, char **argv)
{
	const struct verb *verb;

	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		print_help(stdout);
		return EXIT_OK;
	}
	if (!strcmp(argv[1], "--version")) {
		printf("unsync %s\n", UNSYNC_VERSION);
		return EXIT_OK;
	}
	verb = find_verb(argv[1]);
	if (!verb) {
		fprintf(stderr, "unsync: no verb '%s'; 'unsync --help' lists them\n", argv[1]);
		return EXIT_USAGE;
	}
	return verb->run(argc - 1, argv + 1);
}
