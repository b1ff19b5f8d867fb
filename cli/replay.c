// SPDX-License-Identifier: GPL-2.0-only
/* unsync replay: run traces through models, count and measure. */
#define _GNU_SOURCE
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/predict.h"
#include "replay/report.h"
#include "replay/results.h"

#define DEFAULT_PASSES 7
#define MAX_THREADS 1024

enum format { FORMAT_DEFAULT, FORMAT_TABLE, FORMAT_JSON, FORMAT_CSV };

struct request {
	struct ur_spec *specs;
	size_t n_specs;
	char **texts; /* what the specs point into */
	size_t n_texts;
	const char *output;
	const char *predict; /* the native twin of the exact trace, or NULL */
	enum format format;
	uint64_t passes, mismatches;
	uint64_t threads; /* that count */
	bool quiet, verify;
	char **files;
	size_t n_files;
	/* For progress: which file is under way, and how many bytes there are. */
	size_t number;
	double bytes_before, bytes_now, bytes_all;
};

static void print_help(void)
{
	printf("usage: unsync replay FILE... [options]\n\n"
	       "Runs traces through models of shadow-paging designs. Counts what each design does\n"
	       "(exact, the same in every run) and measures how long it takes.\n\n"
	       "  -m, --model LIST    which models (default: all); may be given more than once\n"
	       "                        all          every built-in model\n"
	       "                        a,b          these, with their defaults\n"
	       "                        a:x=1,y=2    this one, with options (commas separate "
	       "options\n"
	       "                                     after a colon, models without one)\n"
	       "                        ./mine.so    a model of your own, with options as above;\n"
	       "                                     a name with a slash or .so at its end is a "
	       "file\n"
	       "  -o, --output FILE   write results as JSON; - is standard output\n"
	       "      --passes N      measured passes, 1 to %d (default %d), after %d to warm up\n"
	       "      --no-measure    count only: no clock, the same bytes in every run\n"
	       "      --verify        hold every model to what a TLB may hold and to the structure "
	       "of "
	       "its\n"
	       "                      shadow, at every event (slower); exit status 1 if one is "
	       "violated\n"
	       "      --mismatches N  list the first N differences from what the recorded host "
	       "did\n"
	       "                      itself, one by one, for each model that predicts that\n"
	       "      --predict NATIVE  the file is an exact trace, NATIVE its native twin of the "
	       "same\n"
	       "                      guests: does a model predict from the one what the host did "
	       "in\n"
	       "                      the other? (default: models of KVM, the host's version)\n"
	       "  -j, --jobs N        count N models at a time (default: as many as there are "
	       "processors;\n"
	       "                      the counts are the same); measured passes have one thread "
	       "whatever N is\n"
	       "      --format F      table (default), json or csv on standard output\n"
	       "  -q, --quiet         no progress bar; no table unless --format asks for it\n"
	       "  -h, --help          this text\n\n"
	       "Example: unsync replay fork.utrace --model all --model oos-per-root:globals=0 -o "
	       "fork.json\n"
	       "'unsync models' lists the models and their options.\n",
	       UR_MAX_PASSES, DEFAULT_PASSES, UR_WARMUP);
}

/* ---- models ---- */

static char *keep_text(struct request *rq, char *text)
{
	char **grown = realloc(rq->texts, (rq->n_texts + 1) * sizeof(*grown));

	if (grown)
		rq->texts = grown;
	if (!grown || !text) {
		free(text);
		return NULL;
	}
	return rq->texts[rq->n_texts++] = text;
}

/* The same choice twice is one. @options NULL: defaults. */
static int add_spec(struct request *rq, const struct um_model *model, char *options)
{
	struct ur_spec spec = { .model = model, .options = options, .label = model->name };
	struct ur_spec *grown;

	if (options) {
		char *label = NULL;

		if (asprintf(&label, "%s(%s)", model->name, options) < 0)
			label = NULL;
		spec.label = keep_text(rq, label);
		if (!spec.label)
			return cli_fail("out of memory");
	}
	for (size_t i = 0; i < rq->n_specs; i++) {
		if (!strcmp(rq->specs[i].label, spec.label))
			return EXIT_OK;
	}
	grown = realloc(rq->specs, (rq->n_specs + 1) * sizeof(*grown));
	if (!grown)
		return cli_fail("out of memory");
	rq->specs = grown;
	rq->specs[rq->n_specs++] = spec;
	return EXIT_OK;
}

static int add_with_options(struct request *rq, char *text, char *colon)
{
	const struct um_model *model;
	struct um_mmu *mmu;
	char why[256] = "";
	int ret;

	*colon = '\0';
	ret = cli_model("replay", text, &model);
	if (ret)
		return ret;
	if (!colon[1])
		return cli_usage("replay", "no options after '%s:'", text);
	/* Whether the options are right only the model can tell. */
	mmu = um_mmu_create(model, colon + 1, why, sizeof(why));
	if (!mmu)
		return cli_usage("replay", "%s", why);
	um_mmu_destroy(mmu);
	return add_spec(rq, model, colon + 1);
}

static int add_all(struct request *rq)
{
	int ret = EXIT_OK;

	for (const struct um_model *const *m = um_models(); *m && !ret; m++)
		ret = add_spec(rq, *m, NULL);
	return ret;
}

static int add_models(struct request *rq, const char *list)
{
	char *text = keep_text(rq, strdup(list));
	char *colon, *name;
	int ret = EXIT_OK;

	if (!text)
		return cli_fail("out of memory");
	colon = strchr(text, ':');
	if (colon)
		return add_with_options(rq, text, colon);
	while (!ret && (name = strsep(&text, ","))) {
		const struct um_model *model;

		if (!strcmp(name, "all")) {
			ret = add_all(rq);
			continue;
		}
		ret = cli_model("replay", name, &model);
		if (!ret)
			ret = add_spec(rq, model, NULL);
	}
	return ret;
}

/* ---- command line ---- */

static int parse_format(struct request *rq, const char *name)
{
	static const char *const names[] = { "", "table", "json", "csv" };

	for (int i = FORMAT_TABLE; i <= FORMAT_CSV; i++) {
		if (!strcmp(name, names[i])) {
			rq->format = (enum format)i;
			return EXIT_OK;
		}
	}
	return cli_usage("replay", "no format '%s'; choose table, json or csv", name);
}

static int check_prediction(const struct request *rq)
{
	if (rq->verify)
		return cli_usage("replay", "--predict and --verify do not go together");
	if (rq->n_files > 1)
		return cli_usage("replay", "--predict takes one exact trace, not %zu files",
				 rq->n_files);
	if (rq->output || rq->format != FORMAT_DEFAULT)
		return cli_usage("replay",
				 "--predict prints text; it takes neither -o nor --format");
	return EXIT_OK;
}

static int check_request(struct request *rq)
{
	bool to_stdout = rq->output && !strcmp(rq->output, "-");
	struct ut_error err;

	if (!rq->n_files)
		return cli_usage("replay", "which trace? name at least one file");
	if (rq->predict)
		return check_prediction(rq);
	if (to_stdout && rq->format != FORMAT_DEFAULT && rq->format != FORMAT_JSON)
		return cli_usage("replay", "-o - and --format both want standard output");
	if (to_stdout) {
		rq->format = FORMAT_JSON;
		rq->output = NULL;
	}
	if (rq->output && ur_results_check_path(rq->output, &err))
		return cli_fail("%s", err.text);
	return rq->n_specs ? EXIT_OK : add_all(rq);
}

enum { OPT_PASSES = 256, OPT_NO_MEASURE, OPT_FORMAT, OPT_MISMATCHES, OPT_PREDICT, OPT_VERIFY };

static int take_option(struct request *rq, int c, char **argv)
{
	switch (c) {
	case 'm':
		return add_models(rq, optarg);
	case 'o':
		rq->output = optarg;
		return EXIT_OK;
	case 'q':
		rq->quiet = true;
		cli_progress_off();
		return EXIT_OK;
	case 'j':
		if (cli_parse_number(optarg, 1, MAX_THREADS, &rq->threads))
			return cli_usage("replay", "-j %s: give a number from 1 to %d", optarg,
					 MAX_THREADS);
		return EXIT_OK;
	case OPT_PASSES:
		if (cli_parse_number(optarg, 1, UR_MAX_PASSES, &rq->passes))
			return cli_usage("replay", "--passes %s: give a number from 1 to %d",
					 optarg, UR_MAX_PASSES);
		return EXIT_OK;
	case OPT_NO_MEASURE:
		rq->passes = 0;
		return EXIT_OK;
	case OPT_FORMAT:
		return parse_format(rq, optarg);
	case OPT_VERIFY:
		rq->verify = true;
		return EXIT_OK;
	case OPT_PREDICT:
		rq->predict = optarg;
		return EXIT_OK;
	case OPT_MISMATCHES:
		if (cli_parse_number(optarg, 1, UR_MISMATCHES_MAX, &rq->mismatches))
			return cli_usage("replay", "--mismatches %s: give a number from 1 to %d",
					 optarg, UR_MISMATCHES_MAX);
		return EXIT_OK;
	case ':':
		return cli_usage("replay", "%s needs a value", argv[optind - 1]);
	default:
		return cli_usage("replay", "no option '%s'", argv[optind - 1]);
	}
}

/* Return: -1 to go on, else the exit status. */
static int parse(struct request *rq, int argc, char **argv)
{
	static const struct option options[] = {
		{ "model", required_argument, NULL, 'm' },
		{ "output", required_argument, NULL, 'o' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ "passes", required_argument, NULL, OPT_PASSES },
		{ "no-measure", no_argument, NULL, OPT_NO_MEASURE },
		{ "mismatches", required_argument, NULL, OPT_MISMATCHES },
		{ "verify", no_argument, NULL, OPT_VERIFY },
		{ "predict", required_argument, NULL, OPT_PREDICT },
		{ "format", required_argument, NULL, OPT_FORMAT },
		{ "jobs", required_argument, NULL, 'j' },
		{ 0 }
	};
	int c, ret;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":m:o:j:qh", options, NULL)) != -1) {
		if (c == 'h') {
			print_help();
			return EXIT_OK;
		}
		ret = take_option(rq, c, argv);
		if (ret)
			return ret;
	}
	rq->files = argv + optind;
	rq->n_files = (size_t)(argc - optind);
	ret = check_request(rq);
	return ret ? ret : -1;
}

/* ---- the run ---- */

#define STEPS 1000000 /* of progress, from the first file to the last */

/* How far all files together are; what one of them takes goes by its size. */
static void progress(void *ctx, const char *what, uint64_t done, uint64_t total)
{
	const struct request *rq = ctx;
	double bytes = rq->bytes_before + rq->bytes_now * (double)done / (double)total;
	uint64_t steps = (uint64_t)(STEPS * bytes / rq->bytes_all);
	char text[64];

	if (rq->n_files > 1)
		snprintf(text, sizeof(text), "%zu/%zu %s", rq->number, rq->n_files, what);
	/* The last line is wiped by whoever has something to say. */
	cli_progress(rq->n_files > 1 ? text : what, steps < STEPS ? steps : STEPS - 1, STEPS);
}

static double size_of(const char *path)
{
	struct stat st;

	/* No trace is empty. */
	return stat(path, &st) || st.st_size < 1 ? 1 : (double)st.st_size;
}

static bool is_pipe(const char *path)
{
	struct stat st;

	return !strcmp(path, "-") ||
	       (!stat(path, &st) && (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)));
}

/* A file that cannot be opened should not come to light after the others took an hour. */
static int check_files(const struct request *rq)
{
	for (size_t i = 0; i < rq->n_files; i++) {
		struct ut_reader *reader;
		struct ut_error err;

		if (is_pipe(rq->files[i]))
			return cli_fail(
				"%s: a trace is read several times, which a pipe does not allow; "
				"save it to a file first",
				rq->files[i]);
		reader = ut_reader_open(rq->files[i], &err);
		if (!reader)
			return cli_fail("%s", err.text);
		ut_reader_close(reader);
	}
	return EXIT_OK;
}

/* Results are told apart by the trace's id: files of one name from two folders get a number. */
static int make_id_unique(struct ur_trace **traces, size_t n)
{
	char *base = traces[n]->survey.id;
	char *id = base;
	unsigned int number = 1;

	for (size_t i = 0; i < n; i++) {
		if (strcmp(traces[i]->survey.id, id))
			continue;
		if (id != base)
			free(id);
		if (asprintf(&id, "%s-%u", base, ++number) < 0) {
			id = base;
			return -1;
		}
		i = (size_t)-1; /* from the first one again */
	}
	if (id != base)
		free(base);
	traces[n]->survey.id = id;
	return 0;
}

static bool wants_table(const struct request *rq)
{
	return rq->format == FORMAT_TABLE || (rq->format == FORMAT_DEFAULT && !rq->quiet);
}

static int print_table(const struct request *rq, const struct ur_trace *trace, bool first,
		       const struct ur_context *context)
{
	if (!wants_table(rq))
		return 0;
	if (!first)
		putchar('\n');
	return ur_report_table(stdout, trace, context);
}

static int report_failures(const struct ur_trace *trace)
{
	int ret = EXIT_OK;

	for (size_t i = 0; i < trace->n_runs; i++) {
		if (trace->runs[i].failed[0])
			ret = cli_fail("%s: %s: %s; the other models are not affected",
				       trace->survey.path, trace->runs[i].spec->label,
				       trace->runs[i].failed);
	}
	return ret;
}

/* What the oracle found, on stderr: first lines of each model, then how many. */
static int report_violations(const struct ur_trace *trace)
{
	int ret = EXIT_OK;

	for (size_t i = 0; i < trace->n_runs; i++) {
		const struct ur_run *run = &trace->runs[i];
		const struct ur_verified *v = &run->verified;

		for (unsigned int k = 0; k < v->n_first; k++)
			cli_warn("%s: %s: %s", trace->survey.path, run->spec->label, v->first[k]);
		if (v->violations)
			ret = cli_fail("%s: %s: %" PRIu64 " violation%s", trace->survey.path,
				       run->spec->label, v->violations,
				       v->violations == 1 ? "" : "s");
	}
	return ret;
}

/* Return: EXIT_FAILED also if only one model failed; then there are results nevertheless. */
static int replay_one(struct request *rq, struct ur_trace **traces, size_t i,
		      const struct ur_context *context)
{
	struct ur_plan plan = { .specs = rq->specs,
				.n_specs = rq->n_specs,
				.passes = (unsigned int)rq->passes,
				.clock = context->clock,
				.floor = context->floor,
				.hardware = context->hardware,
				.verify = rq->verify,
				.mismatches = rq->mismatches,
				.threads = (unsigned int)rq->threads,
				.progress = progress,
				.ctx = rq };
	struct ut_error err;
	int ret;

	rq->number = i + 1;
	rq->bytes_now = size_of(rq->files[i]);
	ret = ur_replay(rq->files[i], &plan, &traces[i], &err);
	rq->bytes_before += rq->bytes_now;
	cli_progress_wipe();
	if (ret)
		return cli_fail("%s", err.text);
	if (make_id_unique(traces, i))
		return cli_fail("out of memory");
	for (size_t k = 0; k < traces[i]->warnings.n; k++)
		cli_warn("%s", traces[i]->warnings.of[k].line);
	ret = report_failures(traces[i]);
	if (report_violations(traces[i]))
		ret = EXIT_FAILED;
	if (print_table(rq, traces[i], i == 0, context))
		return cli_fail("out of memory");
	return ret;
}

static int write_results(const struct request *rq, const struct ur_context *context,
			 struct ur_trace **traces)
{
	json_t *json = NULL;
	struct ut_error err;
	int ret = EXIT_OK;

	if (wants_table(rq))
		ur_report_notes(stdout, context);
	if (rq->output || rq->format == FORMAT_JSON) {
		json = ur_results_json(context, traces, rq->n_files);
		if (!json)
			return cli_fail("out of memory");
	}
	if (rq->output && ur_results_write(json, rq->output, &err))
		ret = cli_fail("%s", err.text);
	if (rq->format == FORMAT_JSON && ur_results_write(json, "-", &err))
		ret = cli_fail("%s", err.text);
	if (rq->format == FORMAT_CSV && ur_report_csv(stdout, traces, rq->n_files, context))
		ret = cli_fail("out of memory");
	if (fflush(stdout) || ferror(stdout))
		ret = cli_fail("standard output: cannot be written");
	json_decref(json);
	return ret;
}

static double load_now(void)
{
	double load;

	return getloadavg(&load, 1) == 1 ? load : -1;
}

/* Not having the floor or the processor's counters is no failure: results say what is not there. */
static void set_up(struct ur_context *context, struct ur_clock *clock, struct ur_hardware *hardware)
{
	context->load = (struct ur_load){ .before = load_now(),
					  .cores = (double)sysconf(_SC_NPROCESSORS_ONLN) };
	ur_clock_init(clock);
	ur_hardware_open(hardware, NULL);
	context->clock = clock;
	context->hardware = hardware;
	context->floor = ur_floor_create(clock);
	if (!context->floor)
		ur_warn(&context->notes, NULL,
			"no memory to measure what reading tables takes at least");
}

static int replay_all(struct request *rq, struct ur_trace **traces, const char *command)
{
	struct ur_context context = { .command = command };
	struct ur_hardware hardware = { 0 };
	struct ur_clock clock;
	int ret = EXIT_OK, status = EXIT_OK;

	if (rq->passes)
		set_up(&context, &clock, &hardware);
	for (size_t i = 0; i < rq->n_files && (!i || traces[i - 1]); i++) {
		ret = replay_one(rq, traces, i, &context);
		if (ret)
			status = ret;
	}
	if (traces[rq->n_files - 1]) {
		context.load.after = load_now();
		ur_context_note(&context, traces, rq->n_files);
		ret = write_results(rq, &context, traces);
	}
	ur_hardware_close(&hardware);
	ur_floor_free(context.floor);
	ur_warnings_free(&context.notes);
	return ret ? ret : status;
}

static int run(struct request *rq, const char *command)
{
	struct ur_trace **traces = calloc(rq->n_files + 1, sizeof(struct ur_trace *));
	int ret;

	if (!traces)
		return cli_fail("out of memory");
	ret = check_files(rq);
	for (size_t i = 0; i < rq->n_files; i++)
		rq->bytes_all += size_of(rq->files[i]);
	if (!ret)
		ret = replay_all(rq, traces, command);
	for (size_t i = 0; i < rq->n_files; i++)
		ur_trace_free(traces[i]);
	free(traces);
	return ret;
}

/* What to type to do it again. Arguments with anything unusual in them are quoted. */
static char *command_line(int argc, char **argv)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "-_=:,./+@%";
	char *line = NULL;
	size_t len;
	FILE *f = open_memstream(&line, &len);

	if (!f)
		return NULL;
	fputs("unsync", f);
	for (int i = 0; i < argc; i++) {
		fputc(' ', f);
		if (argv[i][0] && !argv[i][strspn(argv[i], plain)]) {
			fputs(argv[i], f);
			continue;
		}
		fputc('\'', f);
		for (const char *c = argv[i]; *c; c++) {
			if (*c == '\'')
				fputs("'\\''", f);
			else
				fputc(*c, f);
		}
		fputc('\'', f);
	}
	if (fclose(f)) {
		free(line);
		return NULL;
	}
	return line;
}

static uint64_t processors(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > MAX_THREADS ? MAX_THREADS : (uint64_t)n;
}

int cli_replay(int argc, char **argv)
{
	struct request rq = { .passes = DEFAULT_PASSES, .threads = processors() };
	char *command = command_line(argc, argv); /* before getopt moves the arguments about */
	int ret = command ? parse(&rq, argc, argv) : cli_fail("out of memory");

	if (ret < 0)
		ret = rq.predict ? cli_predict(rq.predict, rq.files[0], rq.specs, rq.n_specs,
					       rq.mismatches)
				 : run(&rq, command);
	for (size_t i = 0; i < rq.n_texts; i++)
		free(rq.texts[i]);
	free(rq.texts);
	free(rq.specs);
	free(command);
	return ret;
}
