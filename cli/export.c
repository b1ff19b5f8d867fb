// SPDX-License-Identifier: GPL-2.0-only
/* unsync export: a trace, or the timelines of its replay, for Perfetto's viewer. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/perfetto.h"
#include "replay/results.h"
#include "replay/survey.h"

static const char help[] =
	"usage: unsync export [FILE] [--replay RESULTS.json] -o OUT.json [options]\n\n"
	"Writes a trace as Trace Event JSON, which ui.perfetto.dev and chrome://tracing open: "
	"what\n"
	"each vCPU did, one track each, tables out of sync as slices and as a counter, the host's\n"
	"resyncs with their time. With --replay, the timeline of every model is beside it as\n"
	"counters: tables out of sync, exits, tables synced, time in resyncs. FILE may be - for\n"
	"standard input.\n\n"
	"  -o, --output OUT      where to; - is standard output\n"
	"  -r, --replay RESULTS  of 'unsync replay -o' for FILE; without FILE, the timelines "
	"alone\n"
	"      --from T          from this time on, e.g. 1.5s, 300ms; a bare number is seconds\n"
	"      --to T            up to this time\n"
	"  -q, --quiet           no progress bar\n"
	"  -h, --help            this text\n\n"
	"An event of a trace takes 100 to 200 bytes in OUT; --from and --to make it smaller.\n";

struct request {
	const char *file, *replay, *output;
	struct pf_range range;
};

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

/* The first Ctrl-C cleans up, a second one ends the program at once. */
static void catch_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESETHAND };

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}

/* ---- the trace ---- */

static int add_block(const struct request *rq, struct pf *pf, const struct ut_block *b, bool *past)
{
	struct ut_error err;

	for (size_t i = 0; i < b->n; i++) {
		if (pf_event(pf, &b->events[i], &err))
			return cli_fail("%s: %s", rq->file, err.text);
		*past = pf_is_past(pf, &b->events[i]);
		if (*past)
			break;
	}
	return EXIT_OK;
}

/* Return: EXIT_OK also for a trace that is damaged further on: what can be read is exported. */
static int add_trace(const struct request *rq, struct pf *pf, struct ut_reader *r, FILE *out)
{
	uint64_t done, total, unknown = 0;
	struct ut_block b;
	struct ut_error err;
	bool past = false;
	int ret = EXIT_OK, end = 0;

	while (!ret && !past && !stop && !ferror(out) && (end = ut_reader_next(r, &b, &err)) == 1) {
		unknown += b.unknown;
		ret = add_block(rq, pf, &b, &past);
		ut_reader_progress(r, &done, &total);
		if (done < total)
			cli_progress(rq->file, done, total);
	}
	cli_progress("", 1, 1);
	if (ret)
		return ret;
	if (end < 0)
		cli_warn("%s; what came before is exported", err.text);
	else if (!end && ut_reader_warning(r))
		cli_warn("%s", ut_reader_warning(r));
	if (unknown)
		cli_warn("%s: %" PRIu64
			 " events of kinds that this unsync does not know were left out",
			 rq->file, unknown);
	pf_trace_ends(pf);
	return EXIT_OK;
}

/* ---- replays ---- */

/* A replay of another trace beside this one would be a picture of something that never was. */
static int check_match(const struct request *rq, const struct pl_results *set, size_t *number)
{
	uint64_t hash, bytes;
	struct ut_error err;
	char text[17];

	if (ur_hash_file(rq->file, &hash, &bytes, &err))
		return cli_fail("%s", err.text);
	snprintf(text, sizeof(text), "%016" PRIx64, hash);
	for (*number = 0; *number < set->n_traces; (*number)++) {
		if (!strcmp(set->traces[*number].xxh64, text))
			return EXIT_OK;
	}
	return cli_fail("%s: holds no replay of %s (xxh64 %s); replay that file again", rq->replay,
			rq->file, text);
}

static void add_replay(const struct request *rq, struct pf *pf, const struct pl_results *set,
		       size_t number)
{
	for (size_t i = 0; i < set->n_runs; i++) {
		const struct pl_run *run = &set->runs[i];

		if (!rq->file)
			pf_run(pf, set->traces[run->trace].id, set->models[run->model].label, run);
		else if (run->trace == number)
			pf_run(pf, NULL, set->models[run->model].label, run);
	}
}

/* ---- the document ---- */

struct inputs {
	struct ut_reader *reader; /* NULL: no trace */
	struct pl_results set;
	size_t number; /* of the trace in the set */
};

static const char *known(const char *text)
{
	return text ? text : "not told";
}

static const char tool[] = "unsync " UNSYNC_VERSION;

static int write_document(const struct request *rq, struct inputs *in, FILE *out)
{
	const struct ut_header *h = in->reader ? ut_reader_header(in->reader) : NULL;
	const char *about[] = { "tool",
				tool,
				h ? "trace" : "replay",
				h ? rq->file : rq->replay,
				h ? "mode" : NULL,
				h && h->mode == UT_MODE_EXACT ? "exact" : "native",
				"workload",
				h ? known(ut_header_get(h, "workload")) : NULL,
				"kernel",
				h ? known(ut_header_get(h, "kernel")) : NULL,
				NULL };
	struct pf *pf = pf_begin(out, &rq->range);
	int ret = EXIT_OK;

	if (!pf)
		return cli_fail("out of memory");
	if (in->reader)
		ret = add_trace(rq, pf, in->reader, out);
	if (!ret && stop)
		ret = cli_fail("interrupted; nothing was written");
	if (!ret) {
		add_replay(rq, pf, &in->set, in->number);
		pf_end(pf, about);
	} else {
		pf_abort(pf);
	}
	return ret;
}

static int finish(FILE *out, const char *name)
{
	if (fflush(out) || ferror(out))
		return cli_fail("%s: cannot be written: %s", name, strerror(errno));
	return EXIT_OK;
}

/* A pipe or a device is written to, never replaced. */
static int write_special(const struct request *rq, struct inputs *in)
{
	FILE *out = fopen(rq->output, "w");
	int ret;

	if (!out)
		return cli_fail("%s: %s", rq->output, strerror(errno));
	ret = write_document(rq, in, out);
	if (!ret)
		ret = finish(out, rq->output);
	if (fclose(out) && !ret)
		ret = cli_fail("%s: cannot be written: %s", rq->output, strerror(errno));
	return ret;
}

static bool is_special(const char *path)
{
	struct stat st;

	return !stat(path, &st) && !S_ISREG(st.st_mode);
}

static int write_file(const struct request *rq, struct inputs *in)
{
	char *temp = NULL;
	FILE *out = NULL;
	int fd, ret;

	if (asprintf(&temp, "%s.XXXXXX", rq->output) < 0)
		return cli_fail("out of memory");
	fd = mkstemp(temp); /* mode 0600: the trace tells of a guest's memory */
	out = fd < 0 ? NULL : fdopen(fd, "w");
	if (!out) {
		ret = cli_fail("%s: %s", rq->output, strerror(errno));
		if (fd >= 0) {
			close(fd);
			unlink(temp);
		}
		free(temp);
		return ret;
	}
	ret = write_document(rq, in, out);
	if (!ret)
		ret = finish(out, rq->output);
	if (fclose(out) && !ret)
		ret = cli_fail("%s: cannot be written: %s", rq->output, strerror(errno));
	if (!ret && rename(temp, rq->output))
		ret = cli_fail("%s: %s", rq->output, strerror(errno));
	if (ret)
		unlink(temp);
	free(temp);
	return ret;
}

static int write_output(const struct request *rq, struct inputs *in)
{
	int ret;

	if (is_special(rq->output))
		return write_special(rq, in);
	if (strcmp(rq->output, "-") != 0)
		return write_file(rq, in);
	ret = write_document(rq, in, stdout);
	return ret ? ret : finish(stdout, "standard output");
}

static bool same_file(const char *a, const char *b)
{
	struct stat x, y;

	return a && !stat(a, &x) && !stat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static int open_inputs(const struct request *rq, struct inputs *in)
{
	struct ut_error err;
	char error[1024];
	int ret = EXIT_OK;

	if (rq->replay && pl_read(&in->set, rq->replay, error, sizeof(error)))
		return cli_fail("%s", error);
	if (rq->replay && !in->set.n_runs)
		return cli_fail("%s: holds no run of any model; replay a trace again", rq->replay);
	if (rq->file) {
		in->reader = ut_reader_open(rq->file, &err);
		if (!in->reader)
			return cli_fail("%s", err.text);
	}
	if (rq->replay && rq->file)
		ret = check_match(rq, &in->set, &in->number);
	return ret;
}

static int run(const struct request *rq)
{
	struct inputs in = { 0 };
	struct ut_error err;
	int ret;

	if (ur_results_check_path(rq->output, &err))
		return cli_fail("%s", err.text);
	if (same_file(rq->file, rq->output) || same_file(rq->replay, rq->output))
		return cli_fail("%s: is what is to be exported; name another file", rq->output);
	ret = open_inputs(rq, &in);
	if (!ret) {
		catch_signals();
		ret = write_output(rq, &in);
	}
	ut_reader_close(in.reader);
	pl_free(&in.set);
	return ret;
}

/* ---- command line ---- */

enum { OPT_FROM = 256, OPT_TO };

static int parse_time(const char *option, uint64_t *ns)
{
	if (cli_parse_time(optarg, ns))
		return cli_usage("export", "%s '%s' is no time; write 1.5s, 300ms, 20us", option,
				 optarg);
	return EXIT_OK;
}

static int take_option(struct request *rq, int c, char **argv)
{
	switch (c) {
	case 'o':
		rq->output = optarg;
		return EXIT_OK;
	case 'r':
		rq->replay = optarg;
		return EXIT_OK;
	case 'q':
		cli_progress_off();
		return EXIT_OK;
	case OPT_FROM:
		return parse_time("--from", &rq->range.from);
	case OPT_TO:
		return parse_time("--to", &rq->range.to);
	case ':':
		return cli_usage("export", "option '%s' needs a value", argv[optind - 1]);
	default:
		return cli_usage("export", "no option '%s'", argv[optind - 1]);
	}
}

static int check_request(struct request *rq, int argc, char **argv)
{
	if (argc - optind > 1)
		return cli_usage("export", "one trace at a time");
	rq->file = optind < argc ? argv[optind] : NULL;
	if (!rq->file && !rq->replay)
		return cli_usage("export", "what? name a trace, or results with --replay");
	if (rq->file && rq->replay && !strcmp(rq->file, "-"))
		return cli_usage("export", "--replay needs the trace as a file, to see that it is "
					   "the one");
	if (rq->range.to < rq->range.from)
		return cli_usage("export", "--to is before --from");
	return EXIT_OK;
}

int cli_export(int argc, char **argv)
{
	static const struct option longs[] = { { "output", required_argument, NULL, 'o' },
					       { "replay", required_argument, NULL, 'r' },
					       { "from", required_argument, NULL, OPT_FROM },
					       { "to", required_argument, NULL, OPT_TO },
					       { "quiet", no_argument, NULL, 'q' },
					       { "help", no_argument, NULL, 'h' },
					       { 0 } };
	struct request rq = { .range = { .to = UINT64_MAX } };
	int c, ret;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":o:r:qh", longs, NULL)) != -1) {
		if (c == 'h') {
			fputs(help, stdout);
			return EXIT_OK;
		}
		ret = take_option(&rq, c, argv);
		if (ret)
			return ret;
	}
	ret = check_request(&rq, argc, argv);
	if (ret)
		return ret;
	if (!rq.output)
		return cli_usage("export", "where to? give -o OUT.json");
	return run(&rq);
}
