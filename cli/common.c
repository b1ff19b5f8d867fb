// SPDX-License-Identifier: GPL-2.0-only
#include "cli/cli.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int cli_usage(const char *verb, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "unsync %s: ", verb);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "; see 'unsync %s --help'\n", verb);
	return EXIT_USAGE;
}

int cli_fail(const char *fmt, ...)
{
	va_list ap;

	fputs("unsync: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return EXIT_FAILED;
}

void cli_warn(const char *fmt, ...)
{
	va_list ap;

	fputs("unsync: warning: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

struct unit {
	const char *name;
	double factor;
};

static int parse_with_unit(const char *text, const struct unit *units, size_t n, uint64_t *out)
{
	char *end;
	double value;

	if (!isdigit((unsigned char)text[0]))
		return -1;
	errno = 0;
	value = strtod(text, &end);
	if (errno || !isfinite(value))
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(end, units[i].name)) {
			value *= units[i].factor;
			if (value >= 9.0e18)
				return -1;
			*out = (uint64_t)(value + 0.5);
			return 0;
		}
	}
	return -1;
}

int cli_parse_time(const char *text, uint64_t *ns)
{
	static const struct unit units[] = { { "", 1e9 },    { "s", 1e9 }, { "ms", 1e6 },
					     { "us", 1e3 },  { "ns", 1 },  { "m", 60e9 },
					     { "h", 3600e9 } };

	return parse_with_unit(text, units, sizeof(units) / sizeof(units[0]), ns);
}

int cli_parse_size(const char *text, uint64_t *bytes)
{
	static const struct unit units[] = { { "", 1 },
					     { "k", 1u << 10 },
					     { "K", 1u << 10 },
					     { "M", 1u << 20 },
					     { "G", 1u << 30 } };

	return parse_with_unit(text, units, sizeof(units) / sizeof(units[0]), bytes);
}

int cli_parse_count(const char *text, uint64_t *count)
{
	static const struct unit units[] = { { "", 1 }, { "k", 1e3 }, { "K", 1e3 }, { "M", 1e6 } };

	return parse_with_unit(text, units, sizeof(units) / sizeof(units[0]), count);
}

int cli_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
	char *end;
	unsigned long long v;

	if (!isdigit((unsigned char)text[0]))
		return -1;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno || *end || v < min || v > max)
		return -1;
	*value = v;
	return 0;
}

int cli_parse_format(const char *verb, const char *text, enum cli_format *format)
{
	static const char *const names[] = { "table", "json", "csv" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(text, names[i])) {
			*format = (enum cli_format)i;
			return EXIT_OK;
		}
	}
	return cli_usage(verb, "no format '%s'; choose table, json or csv", text);
}

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

void cli_progress(const char *what, uint64_t done, uint64_t total)
{
	static double started, drawn;
	double now = now_s();
	double share;
	int cells;

	if (!isatty(STDERR_FILENO))
		return;
	if (total && done >= total) {
		fputs("\r\033[K", stderr);
		started = 0;
		return;
	}
	if (started == 0)
		started = now;
	if (now - drawn < 0.1)
		return;
	drawn = now;
	if (!total) {
		fprintf(stderr, "\r\033[K%s %llu", what, (unsigned long long)done);
		return;
	}
	share = (double)done / (double)total;
	cells = (int)(share * 30);
	fprintf(stderr, "\r\033[K%-24.24s [%.*s%.*s] %3.0f %%", what, cells,
		"##############################", 30 - cells, "..............................",
		share * 100);
	if (now - started > 1 && share > 0.01)
		fprintf(stderr, "  %.0f s left", (now - started) * (1 - share) / share);
}
