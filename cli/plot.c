// SPDX-License-Identifier: GPL-2.0-only
/* unsync plot: charts and a page from results files. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/platforms.h"
#include "plots/growth.h"
#include "plots/report.h"
#include "plots/text.h"

static const char help[] =
	"usage: unsync plot RESULTS.json... -o DIR [options]\n\n"
	"Draws charts from the results of 'unsync replay -o' and writes one page with all of "
	"them:\n"
	"DIR/index.html, which needs no other file, and DIR/charts/ with each chart, its data as "
	"CSV\n"
	"and the gnuplot scripts. Needs gnuplot (apt-get install gnuplot-nox).\n\n"
	"  -o, --output DIR     where to; an earlier report there is replaced\n"
	"  -f, --force          write into DIR even if it holds other files (they are left alone)\n"
	"  -p, --platform P     tell total costs for this platform: a built-in one or a file, as "
	"for\n"
	"                       'unsync cost'; may be given again; the first is the one whose\n"
	"                       crossings are drawn (default: all that are built in)\n"
	"      --format F       svg, png or both (default): the files in DIR/charts\n"
	"  -q, --quiet          no progress bar, and do not print the path of the page\n"
	"  -h, --help           this text\n";

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

static bool cancelled(void)
{
	return stop;
}

/* The first Ctrl-C cleans up, a second one ends the program at once. */
static void catch_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESETHAND };

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}

static int parse_format(const char *text, struct pl_options *o)
{
	o->svg = !strcmp(text, "svg") || !strcmp(text, "both");
	o->png = !strcmp(text, "png") || !strcmp(text, "both");
	return o->svg || o->png ? 0 : -1;
}

static char *command_line(int argc, char **argv)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	fputs("unsync", f);
	for (int i = 0; i < argc; i++) {
		fputc(' ', f);
		pl_shell(f, argv[i]);
	}
	return fclose(f) ? NULL : text;
}

static int read_files(char **files, int n, struct pl_results *results)
{
	char error[1024];

	for (int i = 0; i < n; i++) {
		if (pl_read(results, files[i], error, sizeof(error)))
			return cli_fail("%s", error);
	}
	if (pl_growth_apart(results))
		return cli_fail("out of memory");
	if (!results->n_runs)
		return cli_fail("%s: holds no run of any model; replay a trace with '--model all'",
				files[0]);
	return EXIT_OK;
}

struct request {
	const char *platforms[MAX_PLATFORMS];
	size_t n_platforms;
	bool quiet;
};

static int plot(char **files, int n, const struct pl_options *options, const struct request *rq)
{
	struct pl_results results = { 0 };
	struct platforms platforms = { .n = 0 };
	char error[1024];
	int ret = read_files(files, n, &results);

	if (!ret)
		ret = platforms_get(&platforms, rq->platforms, rq->n_platforms);
	results.platforms = platforms.list;
	results.n_platforms = platforms.n;
	if (!ret) {
		catch_signals();
		if (pl_report(&results, options, error, sizeof(error)))
			ret = cli_fail("%s", error);
		else if (!rq->quiet)
			printf("%s%sindex.html\n", options->dir,
			       options->dir[strlen(options->dir) - 1] == '/' ? "" : "/");
	}
	pl_free(&results);
	platforms_free(&platforms);
	return ret;
}

int cli_plot(int argc, char **argv)
{
	static const struct option longs[] = { { "output", required_argument, NULL, 'o' },
					       { "force", no_argument, NULL, 'f' },
					       { "platform", required_argument, NULL, 'p' },
					       { "format", required_argument, NULL, 'F' },
					       { "quiet", no_argument, NULL, 'q' },
					       { "help", no_argument, NULL, 'h' },
					       { 0 } };
	struct pl_options options = { .svg = true,
				      .png = true,
				      .version = UNSYNC_VERSION,
				      .cancelled = cancelled,
				      .progress = cli_progress,
				      .warn = cli_warn };
	char *command = command_line(argc, argv);
	struct request rq = { .quiet = false };
	int c, ret;

	options.command = command ? command : "unsync plot";
	opterr = 0;
	optind = 0;
	while ((c = getopt_long(argc, argv, ":o:p:fqh", longs, NULL)) != -1) {
		switch (c) {
		case 'o':
			options.dir = optarg;
			break;
		case 'f':
			options.force = true;
			break;
		case 'p':
			if (rq.n_platforms < MAX_PLATFORMS) {
				rq.platforms[rq.n_platforms++] = optarg;
				break;
			}
			ret = cli_usage("plot", "more than %d platforms", MAX_PLATFORMS);
			goto out;
		case 'F':
			if (!parse_format(optarg, &options))
				break;
			ret = cli_usage("plot", "'%s' is no format: svg, png or both", optarg);
			goto out;
		case 'q':
			rq.quiet = true;
			cli_progress_off();
			break;
		case 'h':
			fputs(help, stdout);
			ret = EXIT_OK;
			goto out;
		case ':':
			ret = cli_usage("plot", "option '%s' needs a value", argv[optind - 1]);
			goto out;
		default:
			ret = cli_usage("plot", "no option '%s'", argv[optind - 1]);
			goto out;
		}
	}
	if (optind == argc)
		ret = cli_usage("plot", "give at least one results file");
	else if (!options.dir || !*options.dir)
		ret = cli_usage("plot", "say where to with -o DIR");
	else
		ret = plot(argv + optind, argc - optind, &options, &rq);
out:
	free(command);
	return ret;
}
