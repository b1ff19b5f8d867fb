// SPDX-License-Identifier: GPL-2.0-only
#include "cli/cli.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
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

int cli_check_trace_output(const char *out, bool force)
{
	if (strcmp(out, "-") != 0 && !force && !access(out, F_OK))
		return cli_fail("%s: is there already; choose another name, or replace it with -f",
				out);
	if (!strcmp(out, "-") && isatty(STDOUT_FILENO))
		return cli_fail("standard output: is a terminal; a trace is no text");
	return EXIT_OK;
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

/* ---- progress ---- */

#define BAR 30 /* cells */
#define NAME 24

static struct {
	double started, drawn; /* 0: not */
	bool off, shown;
} line;

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static int terminal_width(void)
{
	struct winsize w;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) || !w.ws_col ? 80 : w.ws_col;
}

/* @buf: at least 32 bytes */
static const char *time_left(char *buf, double seconds)
{
	uint64_t s = (uint64_t)(seconds + 0.5);

	if (s < 60)
		snprintf(buf, 32, "%" PRIu64 " s left", s);
	else if (s < 3600)
		snprintf(buf, 32, "%" PRIu64 " min %" PRIu64 " s left", s / 60, s % 60);
	else if (s < 360000)
		snprintf(buf, 32, "%" PRIu64 " h %" PRIu64 " min left", s / 3600, s % 3600 / 60);
	else
		snprintf(buf, 32, "days left");
	return buf;
}

/* @left: seconds; below 0: too early to tell */
static void draw_bar(const char *what, double share, double left)
{
	static const char full[] = "##############################";
	static const char empty[] = "..............................";
	char end[32] = "";
	int cells = (int)(share * BAR);

	if (left >= 0)
		time_left(end, left);
	/* A line that wraps cannot be wiped. */
	if (terminal_width() < NAME + BAR + 28)
		fprintf(stderr, "\r\033[K%.0f %% %.18s", share * 100, end);
	else
		fprintf(stderr, "\r\033[K%-*.*s [%.*s%.*s] %3.0f %%  %s", NAME, NAME, what, cells,
			full, BAR - cells, empty, share * 100, end);
}

void cli_progress_off(void)
{
	line.off = true;
}

void cli_progress_wipe(void)
{
	if (line.shown)
		fputs("\r\033[K", stderr);
	line.shown = false;
	line.drawn = 0;
}

void cli_progress(const char *what, uint64_t done, uint64_t total)
{
	double now = now_s(), share;

	if (line.off || !isatty(STDERR_FILENO))
		return;
	if (total && done >= total) {
		cli_progress_wipe();
		line.started = 0;
		return;
	}
	if (line.started == 0)
		line.started = now;
	if (now - line.started < 0.5 || now - line.drawn < 0.1)
		return;
	line.drawn = now;
	line.shown = true;
	if (!total) {
		fprintf(stderr, "\r\033[K%.*s %" PRIu64, NAME, what, done);
		return;
	}
	share = (double)done / (double)total;
	draw_bar(what, share,
		 now - line.started > 1 && share > 0.001
			 ? (now - line.started) * (1 - share) / share
			 : -1);
}
