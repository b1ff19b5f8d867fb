// SPDX-License-Identifier: GPL-2.0-only
/* unsync models: which models there are, and what can be set in each. */
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "models/mmu.h"
#include "models/plugin.h"
#include "plots/text.h"

#define CHECK_SECONDS 60
#define MAX_SECONDS 3600

static void print_help(void)
{
	printf("usage: unsync models [NAME|FILE.so...] [--format F]\n"
	       "       unsync models --check NAME|FILE.so...\n\n"
	       "Lists the models of shadow-paging designs with their options, defaults and "
	       "ranges,\n"
	       "and the counters that only they have. Without names, all that are built in.\n\n"
	       "      --format F    table (default), json, or csv (a line for each option and "
	       "counter)\n"
	       "      --json        short for --format json\n"
	       "      --check       look a model over: made-up guests run through it, in "
	       "processes\n"
	       "                    of its own, so that a crash is a result; exits 1 if a test "
	       "fails\n"
	       "      --seconds N   time that each test may take, 1 to %d (default %d)\n"
	       "  -h, --help        this text\n\n"
	       "A name with a slash or .so at its end is the file of a model of your own.\n"
	       "Options are set with 'unsync replay --model NAME:option=value,option=value'.\n",
	       MAX_SECONDS, CHECK_SECONDS);
}

int cli_model(const char *verb, const char *name, const struct um_model **model)
{
	char why[1024];

	if (um_plugin_named(name)) {
		*model = um_plugin_load(name, why, sizeof(why));
		return *model ? EXIT_OK : cli_fail("%s", why);
	}
	*model = um_model_find(name);
	if (*model)
		return EXIT_OK;
	return cli_usage(verb, "no model '%s'; 'unsync models' lists them", name);
}

static const char *type_name(enum um_option_type type)
{
	switch (type) {
	case UM_OPT_BOOL:
		return "bool";
	case UM_OPT_CHOICE:
		return "choice";
	default:
		return "number";
	}
}

static void print_option(const struct um_option *o)
{
	printf("    %s=%s  ", o->name, o->def);
	if (o->type == UM_OPT_NUMBER)
		printf("(%" PRIu64 " to %" PRIu64 ")", o->min, o->max);
	else
		printf("(%s)", o->type == UM_OPT_CHOICE ? o->choices : "yes or no");
	printf("\n        %s\n", o->help);
}

static void print_model(const struct um_model *m)
{
	printf("%s\n    %s\n", m->name, m->summary);
	for (const struct um_option *o = m->options; o && o->name; o++)
		print_option(o);
	for (const struct um_own_counter *c = m->counters; c && c->name; c++)
		printf("    counts %s\n        %s\n", c->name, c->help);
}

static json_t *choices_json(const char *choices)
{
	json_t *array = json_array();

	while (*choices) {
		size_t len = strcspn(choices, "|");

		json_array_append_new(array, json_stringn(choices, len));
		choices += len + (choices[len] == '|');
	}
	return array;
}

static json_t *option_json(const struct um_option *o)
{
	json_t *json = json_pack("{ss,ss,ss,ss}", "name", o->name, "type", type_name(o->type),
				 "default", o->def, "help", o->help);

	if (o->type == UM_OPT_NUMBER) {
		json_object_set_new(json, "min", json_integer((json_int_t)o->min));
		json_object_set_new(json, "max", json_integer((json_int_t)o->max));
	} else if (o->type == UM_OPT_CHOICE) {
		json_object_set_new(json, "choices", choices_json(o->choices));
	}
	return json;
}

static json_t *model_json(const struct um_model *m)
{
	json_t *options = json_array(), *counters = json_array();
	json_t *json;

	for (const struct um_option *o = m->options; o && o->name; o++)
		json_array_append_new(options, option_json(o));
	for (const struct um_own_counter *c = m->counters; c && c->name; c++)
		json_array_append_new(counters,
				      json_pack("{ss,ss}", "name", c->name, "help", c->help));
	json = json_pack("{ss,ss,so,so}", "name", m->name, "summary", m->summary, "options",
			 options, "counters", counters);
	if (um_plugin_path(m))
		json_object_set_new(json, "plugin", json_string(um_plugin_path(m)));
	return json;
}

static void csv_line(const char *const *texts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (i)
			putchar(',');
		pl_csv(stdout, texts[i]);
	}
	putchar('\n');
}

#define CSV_LINE(...)                                                                              \
	csv_line((const char *const[]){ __VA_ARGS__ },                                             \
		 sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))

static void csv_option(const char *model, const struct um_option *o)
{
	char min[24] = "", max[24] = "";

	if (o->type == UM_OPT_NUMBER) {
		snprintf(min, sizeof(min), "%" PRIu64, o->min);
		snprintf(max, sizeof(max), "%" PRIu64, o->max);
	}
	CSV_LINE(model, "option", o->name, o->help, type_name(o->type), o->def, min, max,
		 o->type == UM_OPT_CHOICE ? o->choices : "");
}

static void csv_model(const struct um_model *m)
{
	CSV_LINE(m->name, "model", m->name, m->summary, "", "", "", "", "");
	for (const struct um_option *o = m->options; o && o->name; o++)
		csv_option(m->name, o);
	for (const struct um_own_counter *c = m->counters; c && c->name; c++)
		CSV_LINE(m->name, "counter", c->name, c->help, "", "", "", "", "");
}

static int list(const struct um_model *const *models, size_t n, enum cli_format format)
{
	json_t *array = format == CLI_JSON ? json_array() : NULL;
	int ret = EXIT_OK;

	if (format == CLI_CSV)
		puts("model,what,name,help,type,default,min,max,choices");
	for (size_t i = 0; i < n; i++) {
		if (format == CLI_JSON)
			json_array_append_new(array, model_json(models[i]));
		else if (format == CLI_CSV)
			csv_model(models[i]);
		else
			print_model(models[i]);
	}
	if (format == CLI_JSON &&
	    (json_dumpf(array, stdout, JSON_INDENT(1)) || putchar('\n') == EOF))
		ret = cli_fail("the list could not be written");
	json_decref(array);
	if (fflush(stdout) || ferror(stdout))
		ret = cli_fail("standard output: cannot be written");
	return ret;
}

/* Naming a model twice is naming it once. */
static void add_once(const struct um_model **models, size_t *n, const struct um_model *model)
{
	for (size_t i = 0; i < *n; i++) {
		if (models[i] == model)
			return;
	}
	models[(*n)++] = model;
}

static size_t count_models(void)
{
	size_t n = 0;

	while (um_models()[n])
		n++;
	return n;
}

static int list_named(char **names, int n, enum cli_format format)
{
	const struct um_model **models = calloc((size_t)n, sizeof(struct um_model *));
	const struct um_model *model;
	size_t found = 0;
	int ret = EXIT_OK;

	if (!models)
		return cli_fail("out of memory");
	for (int i = 0; i < n && !ret; i++) {
		ret = cli_model("models", names[i], &model);
		if (!ret)
			add_once(models, &found, model);
	}
	if (!ret)
		ret = list(models, found, format);
	free(models);
	return ret;
}

static int check_named(char **names, int n, unsigned int seconds)
{
	int ret = EXIT_OK;

	for (int i = 0; i < n; i++) {
		if (!um_plugin_named(names[i]) && !um_model_find(names[i]))
			return cli_usage("models", "no model '%s'; 'unsync models' lists them",
					 names[i]);
	}
	for (int i = 0; i < n; i++) {
		if (cli_check(names[i], seconds))
			ret = EXIT_FAILED;
	}
	return ret;
}

int cli_models(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },  { "format", required_argument, NULL, 'f' },
		{ "check", no_argument, NULL, 'c' }, { "seconds", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },  { 0 }
	};
	enum cli_format format = CLI_TABLE;
	bool check = false, chosen = false;
	uint64_t seconds = CHECK_SECONDS;
	int c, n;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		if (c == 'h') {
			print_help();
			return EXIT_OK;
		}
		if (c == ':')
			return cli_usage("models", "%s needs a value", argv[optind - 1]);
		if (c == '?')
			return cli_usage("models", "no option '%s'", argv[optind - 1]);
		if (c == 's' && cli_parse_number(optarg, 1, MAX_SECONDS, &seconds))
			return cli_usage("models", "--seconds %s: give a number from 1 to %d",
					 optarg, MAX_SECONDS);
		if (c == 'f' && cli_parse_format("models", optarg, &format))
			return EXIT_USAGE;
		if (c == 'j')
			format = CLI_JSON;
		chosen |= c == 'f' || c == 'j';
		check |= c == 'c';
	}
	n = argc - optind;
	if (check && chosen)
		return cli_usage("models", "--check prints lines of text and takes no format");
	if (check)
		return n ? check_named(argv + optind, n, (unsigned int)seconds)
			 : cli_usage("models", "--check which? name a model or a file");
	return n ? list_named(argv + optind, n, format) : list(um_models(), count_models(), format);
}
