// SPDX-License-Identifier: GPL-2.0-only
/* unsync models: which models there are, and what can be set in each. */
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "models/mmu.h"

static void print_help(void)
{
	printf("usage: unsync models [NAME...] [--json]\n\n"
	       "Lists the models of shadow-paging designs with their options, defaults and "
	       "ranges.\n\n"
	       "      --json   as JSON\n"
	       "  -h, --help   this text\n\n"
	       "Options are set with 'unsync replay --model NAME:option=value,option=value'.\n");
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
	json_t *options = json_array();

	for (const struct um_option *o = m->options; o && o->name; o++)
		json_array_append_new(options, option_json(o));
	return json_pack("{ss,ss,so}", "name", m->name, "summary", m->summary, "options", options);
}

/* Is a model among those asked for? Without names all are. */
static bool asked_for(const struct um_model *m, char **names, int n)
{
	for (int i = 0; i < n; i++) {
		if (!strcmp(names[i], m->name))
			return true;
	}
	return n == 0;
}

static int list(char **names, int n, bool json)
{
	json_t *array = json ? json_array() : NULL;
	int ret = EXIT_OK;

	for (const struct um_model *const *m = um_models(); *m; m++) {
		if (!asked_for(*m, names, n))
			continue;
		if (json)
			json_array_append_new(array, model_json(*m));
		else
			print_model(*m);
	}
	if (json && (json_dumpf(array, stdout, JSON_INDENT(1)) || putchar('\n') == EOF))
		ret = cli_fail("the list could not be written");
	json_decref(array);
	if (fflush(stdout) || ferror(stdout))
		ret = cli_fail("standard output: cannot be written");
	return ret;
}

int cli_models(int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' },
						 { "help", no_argument, NULL, 'h' },
						 { 0 } };
	bool json = false;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'h') {
			print_help();
			return EXIT_OK;
		}
		if (c != 'j')
			return cli_usage("models", "no option '%s'", argv[optind - 1]);
		json = true;
	}
	for (int i = optind; i < argc; i++) {
		if (!um_model_find(argv[i]))
			return cli_usage("models", "no model '%s'; 'unsync models' lists them",
					 argv[i]);
	}
	return list(argv + optind, argc - optind, json);
}
