// SPDX-License-Identifier: GPL-2.0-only
#include "plots/text.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

const char *pl_group(char *buf, uint64_t value)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);
	char *out = buf;

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			*out++ = ',';
		*out++ = digits[i];
	}
	*out = '\0';
	return buf;
}

const char *pl_time(char *buf, double ns)
{
	static const struct {
		double factor;
		const char *unit;
	} units[] = { { 1, "ns" }, { 1e3, "µs" }, { 1e6, "ms" }, { 1e9, "s" } };
	size_t u = 0;
	double v;
	int decimals;

	/* 999.5 would be printed as 1000. */
	while (u < 3 && ns / units[u].factor >= 999.5)
		u++;
	v = ns / units[u].factor;
	decimals = v >= 99.95 || v == 0 ? 0 : v >= 9.995 ? 1 : 2;
	if (u == 0 && v == floor(v))
		decimals = 0;
	snprintf(buf, PL_NUMBER, "%.*f %s", decimals, v, units[u].unit);
	return buf;
}

const char *pl_factor(char *buf, double ratio)
{
	int decimals = ratio >= 9.95 ? 0 : 1;

	/* Near 1 the difference is what counts: 1.0003. */
	if (ratio < 1.095)
		decimals = 2;
	while (ratio != 1 && decimals < 6 && fabs(ratio - 1) * pow(10, decimals) < 1)
		decimals++;
	snprintf(buf, PL_NUMBER, "%.*f", decimals, ratio);
	return buf;
}

void pl_csv(FILE *out, const char *text)
{
	if (text[0] && strchr("=+-@", text[0])) {
		fputs("\"'", out);
	} else if (strpbrk(text, ",\"\r\n") || text[0] == ' ') {
		fputc('"', out);
	} else {
		fputs(text, out);
		return;
	}
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

void pl_html(FILE *out, const char *text)
{
	pl_html_part(out, text, strlen(text));
}

void pl_html_part(FILE *out, const char *text, size_t len)
{
	for (const char *end = text + len; text < end; text++) {
		switch (*text) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		case '\'':
			fputs("&#39;", out);
			break;
		default:
			fputc(iscntrl((unsigned char)*text) ? '?' : *text, out);
		}
	}
}

void pl_shell(FILE *out, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "@%+=:,./-_";

	if (*word && word[strspn(word, plain)] == '\0') {
		fputs(word, out);
		return;
	}
	fputc('\'', out);
	for (; *word; word++) {
		if (*word == '\'')
			fputs("'\\''", out);
		else
			fputc(*word, out);
	}
	fputc('\'', out);
}

const char *pl_slug(char *buf, const char *text)
{
	size_t n = 0;

	for (; *text && n < 80; text++) {
		unsigned char c = (unsigned char)*text;

		if (isascii(c) && (isalnum(c) || c == '-' || c == '_' || (c == '.' && n)))
			buf[n++] = (char)c;
		else if (n && buf[n - 1] != '-')
			buf[n++] = '-';
	}
	if (!n)
		buf[n++] = 'x';
	buf[n] = '\0';
	return buf;
}

const char *pl_short(char *buf, const char *text, size_t max)
{
	size_t chars = 0, n = 0, cut = 0;

	for (const char *s = text; *s; s++) {
		bool first = ((unsigned char)*s & 0xc0) != 0x80;

		if (first && chars == max) {
			strcpy(buf + cut, "…");
			return buf;
		}
		if (first) {
			if (chars == max - 1)
				cut = n;
			chars++;
		}
		buf[n++] = *s == '"' ? '\'' : iscntrl((unsigned char)*s) ? '?' : *s;
	}
	buf[n] = '\0';
	return buf;
}
