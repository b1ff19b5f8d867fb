// SPDX-License-Identifier: GPL-2.0-only
#include "cost/platform.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cost/files.h"

#define MAX_FILE (1u << 20)
#define MAX_TEXT 2000u
#define MAX_NAME 60u
#define MIN_GHZ 0.05
#define MAX_GHZ 20.0

struct reader {
	const char *file;
	char *error;
	size_t error_len;
	struct co_platform *out;
};

static const struct {
	const char *key, *name, *help;
} prices[] = {
#define X(key, name, help) { #key, name, help },
	CO_PRICES(X)
#undef X
};

const char *co_price_key(enum co_price price)
{
	return prices[price].key;
}

const char *co_price_name(enum co_price price)
{
	return prices[price].name;
}

const char *co_price_help(enum co_price price)
{
	return prices[price].help;
}

/* Says "file: place: what". File content may stand in a message; it must not drive the terminal. */
__attribute__((format(printf, 3, 4))) static int bad(struct reader *rd, const char *place,
						     const char *fmt, ...)
{
	va_list ap;
	int n;

	n = snprintf(rd->error, rd->error_len, "%s: %s%s", rd->file, place, *place ? ": " : "");
	if (n > 0 && (size_t)n < rd->error_len) {
		va_start(ap, fmt);
		vsnprintf(rd->error + n, rd->error_len - (size_t)n, fmt, ap);
		va_end(ap);
	}
	for (char *c = rd->error; *c; c++) {
		if (iscntrl((unsigned char)*c))
			*c = '?';
	}
	return -1;
}

/* A key that nobody knows is a mistyped one: its price would silently be another. */
static int only_known(struct reader *rd, const char *place, json_t *object, const char *const *keys)
{
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value) {
		size_t i = 0;

		while (keys[i] && strcmp(keys[i], key) != 0)
			i++;
		if (!keys[i])
			return bad(rd, place, "no key '%.40s' is known here", key);
	}
	return 0;
}

static int get_text(struct reader *rd, const char *place, json_t *object, const char *key,
		    size_t max, const char **out)
{
	json_t *v = json_object_get(object, key);

	if (!v)
		return bad(rd, place, "'%s' is missing", key);
	if (!json_is_string(v))
		return bad(rd, place, "'%s' is no text", key);
	if (!json_string_length(v))
		return bad(rd, place, "'%s' is empty", key);
	if (json_string_length(v) > max)
		return bad(rd, place, "'%s' is longer than %zu bytes", key, max);
	*out = json_string_value(v);
	return 0;
}

static int to_number(struct reader *rd, const char *place, const char *key, json_t *v, double *out)
{
	if (!v)
		return bad(rd, place, "'%s' is missing", key);
	if (!json_is_number(v))
		return bad(rd, place, "'%s' is no number", key);
	*out = json_number_value(v);
	if (!isfinite(*out))
		return bad(rd, place, "'%s' is no finite number", key);
	if (*out < 0)
		return bad(rd, place, "'%s' is negative (%g)", key, *out);
	return 0;
}

/* Nanoseconds for one of the unit. */
static int get_unit(struct reader *rd, const char *place, json_t *figure, double *ns)
{
	const char *unit = "";

	if (get_text(rd, place, figure, "unit", MAX_NAME, &unit))
		return -1;
	if (!strcmp(unit, "ns"))
		*ns = 1;
	else if (!strcmp(unit, "us"))
		*ns = 1000;
	else if (strcmp(unit, "cycles") != 0)
		return bad(rd, place, "unit '%.20s' is not known; it may be cycles, ns or us",
			   unit);
	else if (rd->out->ghz == 0)
		return bad(rd, place, "is in cycles, and the profile has no 'ghz'");
	else
		*ns = 1 / rd->out->ghz;
	return 0;
}

/* Without a range the figure is taken for exact. */
static int get_range(struct reader *rd, const char *place, json_t *figure, struct co_figure *f)
{
	json_t *range = json_object_get(figure, "range");

	f->low = f->high = f->value;
	if (!range)
		return 0;
	if (!json_is_array(range) || json_array_size(range) != 2)
		return bad(rd, place, "'range' is not [low, high]");
	if (to_number(rd, place, "range", json_array_get(range, 0), &f->low) ||
	    to_number(rd, place, "range", json_array_get(range, 1), &f->high))
		return -1;
	if (f->low > f->high)
		return bad(rd, place, "range from %g to %g is the wrong way round", f->low,
			   f->high);
	if (f->value < f->low || f->value > f->high)
		return bad(rd, place, "value %g lies outside of its range, %g to %g", f->value,
			   f->low, f->high);
	return 0;
}

static int read_figure(struct reader *rd, const char *key, json_t *json, struct co_figure *f)
{
	static const char *const known[] = {
		"value", "range", "unit", "estimated", "source", NULL
	};
	json_t *estimated;
	char place[64];
	double ns = 0;

	snprintf(place, sizeof(place), "prices.%s", key);
	if (!json)
		return bad(rd, place, "is missing; a profile has every price");
	if (!json_is_object(json))
		return bad(rd, place, "is no object with value, unit and source");
	if (only_known(rd, place, json, known) ||
	    to_number(rd, place, "value", json_object_get(json, "value"), &f->value) ||
	    get_range(rd, place, json, f) || get_unit(rd, place, json, &ns) ||
	    get_text(rd, place, json, "source", MAX_TEXT, &f->source))
		return -1;
	f->value *= ns;
	f->low *= ns;
	f->high *= ns;
	if (f->high > CO_MAX_NS)
		return bad(rd, place, "%g ns is beyond anything that can be (%g)", f->high,
			   CO_MAX_NS);
	estimated = json_object_get(json, "estimated");
	if (estimated && !json_is_boolean(estimated))
		return bad(rd, place, "'estimated' is neither true nor false");
	f->estimated = json_is_true(estimated);
	return 0;
}

static int read_prices(struct reader *rd, json_t *top)
{
	const char *known[CO_PRICE_END + 1] = { NULL };
	json_t *all = json_object_get(top, "prices");

	for (int p = 0; p < CO_PRICE_END; p++)
		known[p] = prices[p].key;
	if (!json_is_object(all))
		return bad(rd, "prices", all ? "is no object" : "is missing");
	if (only_known(rd, "prices", all, known))
		return -1;
	for (int p = 0; p < CO_PRICE_END; p++) {
		if (read_figure(rd, prices[p].key, json_object_get(all, prices[p].key),
				&rd->out->prices[p]))
			return -1;
	}
	return 0;
}

static int read_clock(struct reader *rd, json_t *top)
{
	json_t *ghz = json_object_get(top, "ghz");

	if (!ghz)
		return 0;
	if (to_number(rd, "ghz", "ghz", ghz, &rd->out->ghz))
		return -1;
	if (rd->out->ghz < MIN_GHZ || rd->out->ghz > MAX_GHZ)
		return bad(rd, "ghz", "%g is no processor's clock; %g to %g make sense",
			   rd->out->ghz, MIN_GHZ, MAX_GHZ);
	return get_text(rd, "", top, "ghz_source", MAX_TEXT, &rd->out->ghz_source);
}

/* The name stands in tables, charts and file names. */
static int check_name(struct reader *rd)
{
	const char *name = rd->out->name;

	if (!isalnum((unsigned char)name[0]))
		return bad(rd, "name", "must begin with a letter or a digit");
	for (; *name; name++) {
		if (!isalnum((unsigned char)*name) && !strchr("-_.", *name))
			return bad(rd, "name", "may hold letters, digits, '-', '_' and '.'");
	}
	return 0;
}

static int read_document(struct reader *rd, json_t *top)
{
	static const char *const known[] = { "unsync-platform", "name",	  "title", "ghz",
					     "ghz_source",	"prices", NULL };
	json_t *version;

	if (!json_is_object(top))
		return bad(rd, "", "is no platform profile; docs/platforms.md tells its form");
	version = json_object_get(top, "unsync-platform");
	if (!version)
		return bad(rd, "",
			   "is no platform profile: 'unsync-platform' is missing; "
			   "docs/platforms.md tells its form");
	if (!json_is_integer(version) || json_integer_value(version) != CO_VERSION)
		return bad(rd, "unsync-platform", "this program reads version %d", CO_VERSION);
	return -(only_known(rd, "", top, known) ||
		 get_text(rd, "", top, "name", MAX_NAME, &rd->out->name) || check_name(rd) ||
		 get_text(rd, "", top, "title", MAX_TEXT, &rd->out->title) || read_clock(rd, top) ||
		 read_prices(rd, top));
}

static json_t *parse(struct reader *rd, FILE *f)
{
	json_error_t why = { 0 };
	json_t *json = json_loadf(f, JSON_REJECT_DUPLICATES, &why);

	if (!json)
		bad(rd, "", "line %d, column %d: %s; a platform profile is JSON", why.line,
		    why.column, why.text);
	return json;
}

static json_t *load_file(struct reader *rd)
{
	json_t *json = NULL;
	struct stat st;
	FILE *f;

	/* Before it is opened: opening a pipe would wait for a writer. */
	if (stat(rd->file, &st)) {
		bad(rd, "", "%s", strerror(errno));
		return NULL;
	}
	if (!S_ISREG(st.st_mode)) {
		bad(rd, "", "is %s, not a file; give a platform profile",
		    S_ISDIR(st.st_mode) ? "a directory" : "a device or a pipe");
		return NULL;
	}
	if (st.st_size > MAX_FILE) {
		bad(rd, "", "is larger than %u KiB: no platform profile", MAX_FILE >> 10);
		return NULL;
	}
	f = fopen(rd->file, "re");
	if (!f) {
		bad(rd, "", "%s", strerror(errno));
		return NULL;
	}
	json = parse(rd, f);
	fclose(f);
	return json;
}

static bool is_file(const char *name)
{
	size_t len = strlen(name);

	return strchr(name, '/') || (len > 5 && !strcmp(name + len - 5, ".json"));
}

const char *co_builtin(size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!co_files[i].name)
			return NULL;
	}
	return co_files[n].name;
}

static json_t *load_builtin(struct reader *rd)
{
	for (const struct co_file *f = co_files; f->name; f++) {
		json_error_t why;

		if (!strcmp(f->name, rd->file))
			return json_loadb((const char *)f->data, f->len, JSON_REJECT_DUPLICATES,
					  &why);
	}
	bad(rd, "",
	    "no platform profile of this name is built in; 'unsync cost --list' names them, "
	    "a file's name ends with .json");
	return NULL;
}

int co_platform_get(struct co_platform *platform, const char *name, char *error, size_t error_len)
{
	struct reader rd = { name, error, error_len, platform };

	memset(platform, 0, sizeof(*platform));
	platform->json = is_file(name) ? load_file(&rd) : load_builtin(&rd);
	return platform->json ? read_document(&rd, platform->json) : -1;
}

void co_platform_free(struct co_platform *platform)
{
	json_decref(platform->json);
	memset(platform, 0, sizeof(*platform));
}
