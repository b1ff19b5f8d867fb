// SPDX-License-Identifier: GPL-2.0-only
/* unsync cost: what each design costs in all on a platform, and where the ranking turns. */
#define _GNU_SOURCE
#include "cli/cost.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/platforms.h"
#include "cli/text.h"
#include "plots/text.h"
#include "trace/beside.h"

#define DEFAULT_BASE "xeon-2023"

static const char help[] =
	"usage: unsync cost RESULTS.json... [options]\n"
	"       unsync cost --prices [-p PLATFORM]...\n"
	"       unsync cost --profile-from TRACE [-p BASE] [-o FILE.json]\n\n"
	"Multiplies what 'unsync replay' counted by what that takes on a platform: the total cost "
	"of\n"
	"each design, at least and at most, which one costs least, and at which price of an exit "
	"or\n"
	"of an emulated write that turns. No time measured on this machine is in it.\n\n"
	"  -p, --platform P     a built-in profile, or a file (*.json); may be given again\n"
	"                       (default: all that are built in)\n"
	"  -m, --among LABEL    only these designs compete for the least; may be given again\n"
	"      --ranges         table: over the ranges of the prices, not by their values\n"
	"      --components     table: by component, trace by trace, with what the trace may hide\n"
	"      --crossings      table: also every two designs that change places as a price rises\n"
	"      --format F       table (default), json or csv\n"
	"  -o, --output FILE    write to FILE; - is standard output (default)\n"
	"      --prices         print the prices of platforms, their ranges and sources\n"
	"      --list           print the names of the built-in profiles\n"
	"      --profile-from TRACE\n"
	"                       write a profile of the machine that TRACE was captured on, from "
	"its\n"
	"                       exit summary; what such a summary does not tell comes from BASE\n"
	"                       (default: " DEFAULT_BASE "), stretched as the exits are\n"
	"      --name NAME      of that profile (default: captured)\n"
	"  -h, --help           this text\n";

struct options {
	const char *platforms[MAX_PLATFORMS];
	size_t n_platforms;
	const char *among[CO_MAX_DESIGNS];
	size_t n_among;
	const char *output, *trace, *name;
	enum cli_format format;
	bool ranges, components, crossings, prices, list;
};

/* ---- output ---- */

/* Printed to memory first: nothing is written half. */
struct sink {
	FILE *f;
	char *text;
	size_t len;
	const char *path; /* in the end */
	struct ut_error *err;
};

static int sink_open(struct sink *s)
{
	*s = (struct sink){ 0 };
	s->f = open_memstream(&s->text, &s->len);
	return s->f ? EXIT_OK : cli_fail("out of memory");
}

/* What ut_write_beside() calls: to a file beside the place, or to what is no file. */
static int put_sink(void *ctx, int fd)
{
	const struct sink *s = ctx;
	bool to_stdout = fd < 0 && !strcmp(s->path, "-");
	FILE *f = to_stdout ? stdout : fd < 0 ? fopen(s->path, "we") : fdopen(fd, "w");
	bool bad;

	if (!f) {
		ut_error_set(s->err, "%s: %s", s->path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	bad = fwrite(s->text, 1, s->len, f) != s->len || fflush(f);
	if (bad)
		ut_error_set(s->err, "%s: %s", to_stdout ? "standard output" : s->path,
			     strerror(errno));
	if (!to_stdout)
		bad |= fclose(f) != 0;
	return bad ? -1 : 0;
}

/* Writes what was printed if that went well, and gives it back. */
static int sink_close(struct sink *s, int ret, const char *path)
{
	struct ut_error err = { "" };
	bool bad = ferror(s->f);

	s->path = path ? path : "-";
	s->err = &err;
	if ((fclose(s->f) || bad) && !ret)
		ret = cli_fail("out of memory");
	if (!ret && ut_write_beside(s->path, put_sink, s, &err))
		ret = cli_fail("%s", err.text);
	s->err = NULL;
	free(s->text);
	return ret;
}

/* ---- platforms ---- */

static void put_prices(FILE *out, const struct co_platform *p)
{
	char a[PL_NUMBER], b[PL_NUMBER], c[PL_NUMBER];

	fprintf(out, "%s: ", p->name);
	text_plain(out, p->title, strlen(p->title));
	fputc('\n', out);
	if (p->ghz > 0) {
		fprintf(out, "  %.3g GHz: ", p->ghz);
		text_plain(out, p->ghz_source, strlen(p->ghz_source));
		fputc('\n', out);
	}
	for (int i = 0; i < CO_PRICE_END; i++) {
		const struct co_figure *f = &p->prices[i];

		fprintf(out, "  %-10s %s, %s to %s%s\n             ",
			co_price_key((enum co_price)i), pl_time(a, f->value), pl_time(b, f->low),
			pl_time(c, f->high), f->estimated ? ", estimated" : "");
		text_plain(out, f->source, strlen(f->source));
		fputc('\n', out);
	}
}

static int print_prices(const struct options *o)
{
	struct platforms p = { .n = 0 };
	struct sink sink;
	int ret = sink_open(&sink);

	if (ret)
		return ret;
	ret = platforms_get(&p, o->platforms, o->n_platforms);
	for (int i = 0; i < CO_PRICE_END && !ret; i++)
		fprintf(sink.f, "%-10s %s\n", co_price_key((enum co_price)i),
			co_price_help((enum co_price)i));
	for (size_t i = 0; i < p.n && !ret; i++) {
		fputc('\n', sink.f);
		put_prices(sink.f, &p.list[i]);
	}
	platforms_free(&p);
	return sink_close(&sink, ret, o->output);
}

static int print_list(void)
{
	struct co_platform p;
	char error[1024];

	for (size_t i = 0; co_builtin(i); i++) {
		if (co_platform_get(&p, co_builtin(i), error, sizeof(error))) {
			co_platform_free(&p);
			return cli_fail("%s", error);
		}
		printf("%-12s %s\n", p.name, p.title);
		co_platform_free(&p);
	}
	return EXIT_OK;
}

static int make_profile(const struct options *o)
{
	struct platforms p = { .n = 0 };
	struct sink sink;
	int ret = sink_open(&sink);

	if (ret)
		return ret;
	ret = platforms_add(&p, o->n_platforms ? o->platforms[0] : DEFAULT_BASE);
	if (!ret)
		ret = cost_profile(o->trace, &p.list[0], o->name ? o->name : "captured", sink.f);
	platforms_free(&p);
	return sink_close(&sink, ret, o->output);
}

/* ---- costs ---- */

static int read_results(struct pl_results *results, char **files, int n)
{
	char error[1024];

	for (int i = 0; i < n; i++) {
		if (pl_read(results, files[i], error, sizeof(error)))
			return cli_fail("%s", error);
	}
	if (!results->n_runs)
		return cli_fail("%s: holds no run of any model; replay a trace with '--model all'",
				files[0]);
	return EXIT_OK;
}

/* The others are shown, and do not compete: as bounds. */
static int choose(struct pl_results *results, const struct options *o)
{
	for (size_t i = 0; i < o->n_among; i++) {
		size_t m = 0;

		while (m < results->n_models && strcmp(results->models[m].label, o->among[i]) != 0)
			m++;
		if (m == results->n_models)
			return cli_fail("--among %s: the results have no such design", o->among[i]);
	}
	for (size_t m = 0; m < results->n_models && o->n_among; m++) {
		bool named = false;

		for (size_t i = 0; i < o->n_among; i++)
			named |= !strcmp(results->models[m].label, o->among[i]);
		results->models[m].bystander = !named;
	}
	return EXIT_OK;
}

static int print_costs(char **files, int n, const struct options *o)
{
	struct pl_results results = { 0 };
	struct platforms p = { .n = 0 };
	struct cost_request request = { .ranges = o->ranges,
					.components = o->components,
					.crossings = o->crossings };
	struct sink sink;
	int ret = sink_open(&sink);

	if (ret)
		return ret;
	ret = read_results(&results, files, n);
	if (!ret)
		ret = choose(&results, o);
	if (!ret)
		ret = platforms_get(&p, o->platforms, o->n_platforms);
	request.platforms = p.list;
	request.n_platforms = p.n;
	if (!ret && (o->format == CLI_JSON  ? cost_json(sink.f, &results, &request)
		     : o->format == CLI_CSV ? cost_csv(sink.f, &results, &request)
					    : cost_table(sink.f, &results, &request)))
		ret = cli_fail("out of memory");
	platforms_free(&p);
	pl_free(&results);
	return sink_close(&sink, ret, o->output);
}

/* ---- options ---- */

static int add_name(const char **list, size_t *n, size_t max, const char *name)
{
	if (*n == max)
		return cli_usage("cost", "more than %zu are too many: '%s'", max, name);
	list[(*n)++] = name;
	return EXIT_OK;
}

enum {
	OPT_FORMAT = 256,
	OPT_RANGES,
	OPT_COMPONENTS,
	OPT_CROSSINGS,
	OPT_PRICES,
	OPT_LIST,
	OPT_FROM,
	OPT_NAME
};

static int take_option(struct options *o, int c, char **argv)
{
	switch (c) {
	case 'p':
		return add_name(o->platforms, &o->n_platforms, MAX_PLATFORMS, optarg);
	case 'm':
		return add_name(o->among, &o->n_among, CO_MAX_DESIGNS, optarg);
	case 'o':
		o->output = optarg;
		return EXIT_OK;
	case OPT_FORMAT:
		return cli_parse_format("cost", optarg, &o->format);
	case OPT_RANGES:
		o->ranges = true;
		return EXIT_OK;
	case OPT_COMPONENTS:
		o->components = true;
		return EXIT_OK;
	case OPT_CROSSINGS:
		o->crossings = true;
		return EXIT_OK;
	case OPT_PRICES:
		o->prices = true;
		return EXIT_OK;
	case OPT_LIST:
		o->list = true;
		return EXIT_OK;
	case OPT_FROM:
		o->trace = optarg;
		return EXIT_OK;
	case OPT_NAME:
		o->name = optarg;
		return EXIT_OK;
	case ':':
		return cli_usage("cost", "option '%s' needs a value", argv[optind - 1]);
	default:
		return cli_usage("cost", "no option '%s'", argv[optind - 1]);
	}
}

static int run(int argc, char **argv, const struct options *o)
{
	if (o->output && !*o->output)
		return cli_usage("cost", "-o needs the name of a file");
	if (o->prices + o->list + (o->trace != NULL) + (optind < argc) != 1)
		return cli_usage("cost", "give results files, or one of --prices, --list and "
					 "--profile-from");
	if (o->name && !o->trace)
		return cli_usage("cost", "--name goes with --profile-from");
	if (o->trace && o->n_platforms > 1)
		return cli_usage("cost", "--profile-from takes one platform to begin with");
	if (o->list)
		return print_list();
	if (o->prices)
		return print_prices(o);
	if (o->trace)
		return make_profile(o);
	return print_costs(argv + optind, argc - optind, o);
}

int cli_cost(int argc, char **argv)
{
	static const struct option longs[] = { { "platform", required_argument, NULL, 'p' },
					       { "among", required_argument, NULL, 'm' },
					       { "ranges", no_argument, NULL, OPT_RANGES },
					       { "components", no_argument, NULL, OPT_COMPONENTS },
					       { "crossings", no_argument, NULL, OPT_CROSSINGS },
					       { "format", required_argument, NULL, OPT_FORMAT },
					       { "output", required_argument, NULL, 'o' },
					       { "prices", no_argument, NULL, OPT_PRICES },
					       { "list", no_argument, NULL, OPT_LIST },
					       { "profile-from", required_argument, NULL,
						 OPT_FROM },
					       { "name", required_argument, NULL, OPT_NAME },
					       { "help", no_argument, NULL, 'h' },
					       { 0 } };
	struct options o = { .format = CLI_TABLE };
	int c, ret = EXIT_OK;

	opterr = 0;
	optind = 0;
	while (!ret && (c = getopt_long(argc, argv, ":p:m:o:h", longs, NULL)) != -1) {
		if (c == 'h') {
			fputs(help, stdout);
			return EXIT_OK;
		}
		ret = take_option(&o, c, argv);
	}
	return ret ? ret : run(argc, argv, &o);
}
