// SPDX-License-Identifier: GPL-2.0-only
/* unsync scrub: a copy of a trace that does not tell the guest's layout. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/text.h"
#include "trace/scrub.h"

typedef unsigned long long ull;

struct request {
	const char *in, *out;
	struct ut_scrub_options options;
	bool seeded, force, quiet;
};

static void print_help(void)
{
	printf("usage: unsync scrub FILE -o OUT [options]\n\n"
	       "Writes a copy of a trace that can be shared: guest frames and addresses are "
	       "renumbered by a\n"
	       "secret that is kept nowhere, texts are taken out, times stay. A replay of the copy "
	       "counts\n"
	       "the same. docs/sharing-traces.md says what is hidden and what still shows.\n\n"
	       "  -o, --output OUT   where to; - is standard output\n"
	       "  -f, --force        replace OUT if it is there\n"
	       "      --keep-texts   keep marks and the name of the workload\n"
	       "      --seed N       renumber by this number instead of a secret: for tests\n"
	       "  -q, --quiet        no progress bar, no summary\n"
	       "  -h, --help         this text\n");
}

static void progress(void *ctx, uint64_t done, uint64_t total)
{
	(void)ctx;
	cli_progress("scrubbing", done, total);
}

static int draw_key(struct request *rq)
{
	ssize_t n;

	if (rq->seeded)
		return 0;
	n = getrandom(rq->options.key, sizeof(rq->options.key), 0);
	if (n == (ssize_t)sizeof(rq->options.key))
		return 0;
	return cli_fail("no random numbers: %s", n < 0 ? strerror(errno) : "too few");
}

static void tell(const struct request *rq, const struct ut_scrub_report *r)
{
	char events[32];

	if (r->damage[0])
		cli_warn("%s; what came before is scrubbed", r->damage);
	if (r->leaf_kept)
		cli_warn("%s: a guest table is used at the last level and above, as by a guest "
			 "whose tables map themselves: indices in tables had to stay, most of an "
			 "address shows",
			 rq->in);
	if (r->inexact)
		cli_warn("%s: %llu events could not be renumbered exactly: a replay may count "
			 "differently",
			 rq->in, (ull)r->inexact);
	if (r->dropped)
		cli_warn("%s: %llu events of kinds that this version does not know are left out",
			 rq->in, (ull)r->dropped);
	if (!rq->quiet && strcmp(rq->out, "-") != 0)
		printf("%s: %s events\n", rq->out, text_count(events, r->events));
}

static int run(struct request *rq)
{
	struct ut_scrub_report report;
	struct ut_error err;
	int ret;

	ret = cli_check_trace_output(rq->out, rq->force);
	if (!ret)
		ret = draw_key(rq);
	if (ret)
		return ret;
	ret = ut_scrub_file(rq->in, rq->out, &rq->options, &report, progress, rq, &err);
	progress(rq, 1, 1);
	if (ret)
		return cli_fail("%s", err.text);
	tell(rq, &report);
	if (fflush(stdout) || ferror(stdout))
		return cli_fail("standard output: cannot be written");
	return EXIT_OK;
}

enum { OPT_SEED = 256, OPT_KEEP_TEXTS };

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
		rq->quiet = true;
		cli_progress_off();
		return EXIT_OK;
	case OPT_KEEP_TEXTS:
		rq->options.keep_texts = true;
		return EXIT_OK;
	case OPT_SEED:
		rq->seeded = true;
		if (cli_parse_number(optarg, 0, UINT64_MAX, &rq->options.key[0]))
			return cli_usage("scrub", "--seed %s: give a number", optarg);
		return EXIT_OK;
	case ':':
		return cli_usage("scrub", "%s needs a value", argv[optind - 1]);
	default:
		return cli_usage("scrub", "no option '%s'", argv[optind - 1]);
	}
}

int cli_scrub(int argc, char **argv)
{
	static const struct option options[] = {
		{ "output", required_argument, NULL, 'o' },
		{ "force", no_argument, NULL, 'f' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "keep-texts", no_argument, NULL, OPT_KEEP_TEXTS },
		{ "seed", required_argument, NULL, OPT_SEED },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct request rq = { 0 };
	int opt, ret;

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
	if (optind + 1 != argc)
		return cli_usage("scrub", optind == argc ? "no file given" : "one file at a time");
	if (!rq.out)
		return cli_usage("scrub", "where to? give -o OUT");
	rq.in = argv[optind];
	return run(&rq);
}
