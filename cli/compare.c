// SPDX-License-Identifier: GPL-2.0-only
/* unsync compare: are two results the same, and if not, where not? */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "compare/compare.h"
#include "plots/text.h"

#define SCHEMA "unsync-comparison"
#define VERSION 1
#define MAX_NAMES 64
#define MAX_PERCENT 100000

static const char help[] =
	"usage: unsync compare A.json B.json [options]\n\n"
	"Tells two results of 'unsync replay -o' apart: A as it was, B to be judged. What was\n"
	"counted is the same or is not. Of what was measured, a Mann-Whitney test on all passes\n"
	"says whether a difference is shown, corrected for the number of tests (Holm).\n\n"
	"  -m, --model LABEL     only this model, as the results call it; may be given again\n"
	"  -t, --trace ID        only this trace; may be given again\n"
	"      --counted         leave measured times alone\n"
	"      --alpha P         a difference is shown below this p (default: 0.05)\n"
	"      --slower PERCENT  status 4 if B is proven to be slower by more than that\n"
	"      --format F        table (default), json or csv\n"
	"  -q, --quiet           print nothing: the exit status says it\n"
	"  -h, --help            this text\n\n"
	"Exit status: 0 what was counted is the same; 1 failure; 2 usage; 3 counted results "
	"differ,\n"
	"or B lacks some that A has; 4 only with --slower: the same, but proven to be slower.\n";

struct request {
	const char *models[MAX_NAMES], *traces[MAX_NAMES];
	struct uc_options options;
	enum cli_format format;
	bool quiet;
};

/* Both sets with what came out, for printing. */
struct sides {
	const struct pl_results *a, *b;
	const struct uc_options *options;
	const struct uc_comparison *result;
};

static const char *verdict_name(enum uc_verdict v)
{
	static const char *const names[] = { "no difference shown", "faster", "slower" };

	return names[v];
}

static int status_of(const struct uc_comparison *r)
{
	if (r->n_differences || r->n_missing)
		return EXIT_DIFFER;
	return r->too_slow ? EXIT_SLOWER : EXIT_OK;
}

static const char *status_name(const struct uc_comparison *r)
{
	int status = status_of(r);

	return status == EXIT_DIFFER ? "differ" : status == EXIT_SLOWER ? "slower" : "same";
}

static bool ratio_of(const struct uc_difference *d, double *ratio)
{
	double a = json_number_value(d->a);

	if (!json_is_number(d->a) || !json_is_number(d->b) || a == 0)
		return false;
	*ratio = json_number_value(d->b) / a;
	return true;
}

/* ---- table ---- */

/* A value of a results file, as text that cannot drive a terminal. */
static void value_text(char *buf, size_t len, const json_t *v)
{
	char group[PL_NUMBER];
	char *text;

	if (!v) {
		snprintf(buf, len, "-");
	} else if (json_is_integer(v) && json_integer_value(v) >= 0) {
		snprintf(buf, len, "%s", pl_group(group, (uint64_t)json_integer_value(v)));
	} else if (json_is_string(v)) {
		char shortened[4 * 40 + 4];

		snprintf(buf, len, "%s", pl_short(shortened, json_string_value(v), 40));
	} else {
		text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII |
					     JSON_REAL_PRECISION(6));
		snprintf(buf, len, "%.40s", text ? text : "?");
		free(text);
	}
}

static void print_difference(const struct uc_difference *d)
{
	char a[200], b[200];
	double ratio;

	value_text(a, sizeof(a), d->a);
	value_text(b, sizeof(b), d->b);
	printf("    %-32s %16s %16s", d->what, a, b);
	if (ratio_of(d, &ratio))
		printf("  %8.5g", ratio);
	if (d->differing > 1)
		printf("  (the first of %zu that differ, of %zu)", d->differing, d->bins);
	putchar('\n');
}

static void print_counted(const struct uc_comparison *r)
{
	const struct uc_difference *before = NULL;
	char runs[PL_NUMBER], values[PL_NUMBER];

	printf("\nCounted: %s results with %s values compared", pl_group(runs, r->runs),
	       pl_group(values, r->values));
	if (!r->n_differences) {
		printf(", all the same\n");
		return;
	}
	printf(", %zu of these results differ%s\n", r->differing, r->differing == 1 ? "s" : "");
	for (size_t i = 0; i < r->n_differences; i++) {
		const struct uc_difference *d = &r->differences[i];

		if (!before || strcmp(before->trace, d->trace) || strcmp(before->model, d->model)) {
			printf("  %s, %s\n", d->trace, d->model);
			printf("    %-32s %16s %16s  %8s\n", "", "A", "B", "B/A");
		}
		print_difference(d);
		before = d;
	}
}

/* Padded by what is seen: a micro sign is two bytes. */
static void print_time(double ns)
{
	char buf[PL_NUMBER];
	int width = 0;

	pl_time(buf, ns);
	for (const char *c = buf; *c; c++)
		width += (*c & 0xc0) != 0x80;
	printf(" %*s%s", width < 9 ? 9 - width : 0, "", buf);
}

static void print_measure(const struct uc_measure *m)
{
	char interval[PL_NUMBER] = "-";

	if (m->ratio.has_interval)
		snprintf(interval, sizeof(interval), "%.3f to %.3f", m->ratio.low, m->ratio.high);
	printf("  %-16s %-16s %-6.*s", m->trace, m->model, (int)strcspn(m->what, "_"), m->what);
	print_time(m->median_a);
	print_time(m->median_b);
	printf(" %7.3f %-16s %6.2f %9.2g %9.2g  %s%s\n", m->ratio.estimate, interval, m->test.delta,
	       m->test.p, m->p_holm, verdict_name(m->verdict),
	       m->too_slow ? ", beyond --slower" : "");
}

static void print_measured(const struct sides *s)
{
	const struct uc_comparison *r = s->result;
	double alpha = s->options->alpha;
	char interval[32];

	if (!r->n_measures)
		return;
	printf("\nMeasured: %zu comparisons of passes (Mann-Whitney U, two-sided; p corrected for "
	       "that many by Holm)\n",
	       r->n_measures);
	if (r->shown)
		printf("a difference is shown in %zu of them (corrected p up to %g)\n", r->shown,
		       alpha);
	else
		printf("no difference shown (corrected p above %g in all of them)\n", alpha);
	snprintf(interval, sizeof(interval), "%g %% interval", 100 * (1 - alpha));
	printf("  %-16s %-16s %-6s %9s %9s %7s %-16s %6s %9s %9s\n", "trace", "model", "time", "A",
	       "B", "B/A", interval, "delta", "p", "corrected");
	for (size_t i = 0; i < r->n_measures; i++)
		print_measure(&r->measures[i]);
}

static void print_side(char name, const struct pl_results *set)
{
	const struct pl_context *c = &set->contexts[0];

	printf("%c  %s  (unsync %s%s%s)\n", name, c->file, c->tool, c->machine ? ", " : "",
	       c->machine ? c->created : "");
}

static void print_table(const struct sides *s)
{
	const struct uc_comparison *r = s->result;

	print_side('A', s->a);
	print_side('B', s->b);
	print_counted(r);
	print_measured(s);
	if (r->n_missing + r->n_notes)
		putchar('\n');
	for (size_t i = 0; i < r->n_missing; i++)
		printf("missing in B: %s\n", r->missing[i]);
	for (size_t i = 0; i < r->n_notes; i++)
		printf("note: %s\n", r->notes[i]);
}

/* ---- JSON ---- */

/* JSON knows no infinity. */
static json_t *real(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

static json_t *value_json(const json_t *v)
{
	return v ? json_incref((json_t *)v) : json_null();
}

static json_t *side_json(const struct pl_results *set)
{
	const struct pl_context *c = &set->contexts[0];

	return json_pack("{ss,ss,ss?}", "file", c->file, "tool", c->tool, "created",
			 c->machine ? c->created : NULL);
}

static json_t *difference_json(const struct uc_difference *d)
{
	double ratio;
	json_t *o = json_pack("{ss,ss,ss,so,so}", "trace", d->trace, "model", d->model, "what",
			      d->what, "a", value_json(d->a), "b", value_json(d->b));

	json_object_set_new(o, "ratio", ratio_of(d, &ratio) ? real(ratio) : json_null());
	if (d->bins) {
		json_object_set_new(o, "elements", json_integer((json_int_t)d->bins));
		json_object_set_new(o, "differing", json_integer((json_int_t)d->differing));
	}
	return o;
}

static json_t *measure_json(const struct uc_measure *m, bool slower)
{
	const struct uc_ratio *r = &m->ratio;
	json_t *o = json_pack("{ss,ss,ss,sI,sI,so,so,so,so,so,so,so,so,sb,ss}", "trace", m->trace,
			      "model", m->model, "what", m->what, "passes_a", (json_int_t)m->n,
			      "passes_b", (json_int_t)m->m, "median_a", real(m->median_a),
			      "median_b", real(m->median_b), "ratio", real(r->estimate), "interval",
			      r->has_interval ? json_pack("[o,o]", real(r->low), real(r->high))
					      : json_null(),
			      "u", real(m->test.u), "cliffs_delta", real(m->test.delta), "p",
			      real(m->test.p), "p_holm", real(m->p_holm), "exact", m->test.exact,
			      "verdict", verdict_name(m->verdict));

	if (slower) {
		json_object_set_new(o, "p_slower", real(m->p_slower));
		json_object_set_new(o, "too_slow", json_boolean(m->too_slow));
	}
	return o;
}

static json_t *texts_json(char *const *texts, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(texts[i]));
	return list;
}

static int print_json(const struct sides *s)
{
	const struct uc_comparison *r = s->result;
	json_t *differences = json_array(), *measures = json_array(), *o;
	int ret;

	for (size_t i = 0; i < r->n_differences; i++)
		json_array_append_new(differences, difference_json(&r->differences[i]));
	for (size_t i = 0; i < r->n_measures; i++)
		json_array_append_new(measures,
				      measure_json(&r->measures[i], s->options->slower >= 0));
	o = json_pack("{ss,si,ss,so,so,s{sI,sI,sI,so},s{so,so,sI,sI,so},so,so}", "schema", SCHEMA,
		      "version", VERSION, "status", status_name(r), "a", side_json(s->a), "b",
		      side_json(s->b), "counted", "results", (json_int_t)r->runs, "differing",
		      (json_int_t)r->differing, "values", (json_int_t)r->values, "differences",
		      differences, "measured", "alpha", real(s->options->alpha), "slower",
		      s->options->slower < 0 ? json_null() : real(s->options->slower), "shown",
		      (json_int_t)r->shown, "too_slow", (json_int_t)r->too_slow, "comparisons",
		      measures, "missing", texts_json(r->missing, r->n_missing), "notes",
		      texts_json(r->notes, r->n_notes));
	if (!o)
		return cli_fail(
			"the comparison cannot be told as JSON: out of memory, or a name in "
			"it is no UTF-8; --format table tells it");
	ret = json_dumpf(o, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
	json_decref(o);
	return ret || putchar('\n') == EOF ? cli_fail("the comparison could not be written") : 0;
}

/* ---- CSV ---- */

static void csv_texts(const char *class, const char *trace, const char *model, const char *what)
{
	const char *const fields[] = { class, trace, model, what };

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (i)
			putchar(',');
		pl_csv(stdout, fields[i]);
	}
}

static void csv_value(const json_t *v)
{
	char *text;

	putchar(',');
	if (!v)
		return;
	if (json_is_string(v)) {
		pl_csv(stdout, json_string_value(v));
		return;
	}
	text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9));
	if (json_is_number(v))
		fputs(text ? text : "", stdout);
	else
		pl_csv(stdout, text ? text : "");
	free(text);
}

static void csv_real(double v)
{
	printf(isfinite(v) ? ",%.9g" : ",inf", v);
}

static void csv_difference(const struct uc_difference *d)
{
	double ratio;

	csv_texts("counted", d->trace, d->model, d->what);
	csv_value(d->a);
	csv_value(d->b);
	fputs(",,", stdout);
	if (ratio_of(d, &ratio))
		csv_real(ratio);
	else
		putchar(',');
	fputs(",,,,,,,differs\n", stdout);
}

static void csv_measure(const struct uc_measure *m)
{
	csv_texts("measured", m->trace, m->model, m->what);
	fputs(",,", stdout);
	csv_real(m->median_a);
	csv_real(m->median_b);
	csv_real(m->ratio.estimate);
	if (m->ratio.has_interval) {
		csv_real(m->ratio.low);
		csv_real(m->ratio.high);
	} else {
		fputs(",,", stdout);
	}
	csv_real(m->test.u);
	csv_real(m->test.delta);
	csv_real(m->test.p);
	csv_real(m->p_holm);
	printf(",%s\n", verdict_name(m->verdict));
}

static void print_csv(const struct sides *s)
{
	const struct uc_comparison *r = s->result;

	puts("class,trace,model,what,a_count,b_count,a_median_ns,b_median_ns,ratio,ratio_low,"
	     "ratio_high,u,cliffs_delta,p,p_holm,verdict");
	for (size_t i = 0; i < r->n_differences; i++)
		csv_difference(&r->differences[i]);
	for (size_t i = 0; i < r->n_measures; i++)
		csv_measure(&r->measures[i]);
}

/* CSV has no place for remarks, and with --quiet nobody wants any. */
static void warn_beside(const struct uc_comparison *r)
{
	for (size_t i = 0; i < r->n_missing; i++)
		cli_warn("missing in B: %s", r->missing[i]);
	for (size_t i = 0; i < r->n_notes; i++)
		cli_warn("%s", r->notes[i]);
}

static int print(const struct request *rq, const struct sides *s)
{
	int ret = EXIT_OK;

	if (rq->quiet)
		return EXIT_OK;
	if (rq->format == CLI_JSON) {
		ret = print_json(s);
	} else if (rq->format == CLI_CSV) {
		print_csv(s);
		warn_beside(s->result);
	} else {
		print_table(s);
	}
	if (!ret && (fflush(stdout) || ferror(stdout)))
		ret = cli_fail("standard output: cannot be written");
	return ret;
}

static int read_side(struct pl_results *set, const char *file)
{
	char error[1024];

	if (pl_read(set, file, error, sizeof(error)))
		return cli_fail("%s", error);
	return set->n_runs ? EXIT_OK
			   : cli_fail("%s: holds no run of any model; replay a trace again", file);
}

/* A gate that could never close is no gate. */
static int check_gate(const struct sides *s)
{
	const struct uc_comparison *r = s->result;

	if (s->options->slower < 0)
		return EXIT_OK;
	if (!r->n_measures)
		return cli_fail(
			"--slower: %s and %s have no measured result in common; replay without "
			"--no-measure",
			s->a->contexts[0].file, s->b->contexts[0].file);
	if (r->smallest_p > s->options->alpha)
		return cli_fail("--slower: with so few passes none of %zu comparisons can prove "
				"anything; replay with more --passes, or name a --model or --trace",
				r->n_measures);
	return EXIT_OK;
}

static int compare(struct request *rq, char **files)
{
	struct pl_results a = { 0 }, b = { 0 };
	struct uc_comparison result = { 0 };
	struct sides sides = { &a, &b, &rq->options, &result };
	char error[1024];
	int ret = read_side(&a, files[0]);

	rq->options.models = rq->models;
	rq->options.traces = rq->traces;
	if (!ret)
		ret = read_side(&b, files[1]);
	if (!ret && uc_compare(&a, &b, &rq->options, &result, error, sizeof(error)))
		ret = cli_fail("%s", error);
	if (!ret)
		ret = check_gate(&sides);
	if (!ret)
		ret = print(rq, &sides);
	if (!ret)
		ret = status_of(&result);
	uc_free(&result);
	pl_free(&a);
	pl_free(&b);
	return ret;
}

/* ---- command line ---- */

enum { OPT_COUNTED = 256, OPT_ALPHA, OPT_SLOWER, OPT_FORMAT };

static int add_name(const char **names, size_t *n, const char *what)
{
	if (*n == MAX_NAMES)
		return cli_usage("compare", "more than %d names for --%s", MAX_NAMES, what);
	names[(*n)++] = optarg;
	return EXIT_OK;
}

static int parse_real(const char *what, double min, double max, double *out)
{
	char *end;
	double v;

	errno = 0;
	v = strtod(optarg, &end);
	if (errno || end == optarg || *end || !(v >= min && v <= max))
		return cli_usage("compare", "--%s %s: give a number from %g to %g", what, optarg,
				 min, max);
	*out = v;
	return EXIT_OK;
}

static int take_option(struct request *rq, int c, char **argv)
{
	double percent = 0;
	int ret;

	switch (c) {
	case 'm':
		return add_name(rq->models, &rq->options.n_models, "model");
	case 't':
		return add_name(rq->traces, &rq->options.n_traces, "trace");
	case 'q':
		rq->quiet = true;
		return EXIT_OK;
	case OPT_COUNTED:
		rq->options.counted = true;
		return EXIT_OK;
	case OPT_ALPHA:
		return parse_real("alpha", 1e-9, 0.5, &rq->options.alpha);
	case OPT_SLOWER:
		ret = parse_real("slower", 0, MAX_PERCENT, &percent);
		if (!ret)
			rq->options.slower = percent / 100;
		return ret;
	case OPT_FORMAT:
		return cli_parse_format("compare", optarg, &rq->format);
	case ':':
		return cli_usage("compare", "option '%s' needs a value", argv[optind - 1]);
	default:
		return cli_usage("compare", "no option '%s'", argv[optind - 1]);
	}
}

int cli_compare(int argc, char **argv)
{
	static const struct option longs[] = { { "model", required_argument, NULL, 'm' },
					       { "trace", required_argument, NULL, 't' },
					       { "counted", no_argument, NULL, OPT_COUNTED },
					       { "alpha", required_argument, NULL, OPT_ALPHA },
					       { "slower", required_argument, NULL, OPT_SLOWER },
					       { "format", required_argument, NULL, OPT_FORMAT },
					       { "quiet", no_argument, NULL, 'q' },
					       { "help", no_argument, NULL, 'h' },
					       { 0 } };
	struct request rq = { .options = { .alpha = 0.05, .slower = -1 } };
	int c, ret;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":m:t:qh", longs, NULL)) != -1) {
		if (c == 'h') {
			fputs(help, stdout);
			return EXIT_OK;
		}
		ret = take_option(&rq, c, argv);
		if (ret)
			return ret;
	}
	if (argc - optind != 2)
		return cli_usage("compare", "give two results files, the old one and the new one");
	if (rq.options.counted && rq.options.slower >= 0)
		return cli_usage("compare", "--slower judges times, which --counted leaves alone");
	return compare(&rq, argv + optind);
}
