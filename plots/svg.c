// SPDX-License-Identifier: GPL-2.0-only
#include "plots/svg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plots/text.h"

#define MAX_SVG (64l << 20)

static char *read_all(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	long size;

	if (!f)
		return NULL;
	if (!fseek(f, 0, SEEK_END) && (size = ftell(f)) >= 0 && size <= MAX_SVG) {
		rewind(f);
		text = malloc((size_t)size + 1);
		if (text)
			text[fread(text, 1, (size_t)size, f)] = '\0';
	}
	fclose(f);
	return text;
}

static int starts(const char *s, const char *with)
{
	return !strncmp(s, with, strlen(with));
}

/* Where an element that is to be left out ends; NULL if none begins here. */
static const char *skip_element(const char *s)
{
	static const char *const dropped[][2] = { { "<title>", "</title>" },
						  { "<desc>", "</desc>" } };

	for (size_t i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++) {
		const char *end;

		if (!starts(s, dropped[i][0]))
			continue;
		end = strstr(s, dropped[i][1]);
		return end ? end + strlen(dropped[i][1]) : NULL;
	}
	return NULL;
}

static void copy(FILE *out, const char *s, const char *prefix)
{
	static const char *const before_name[] = { " id='", " id=\"", "url(#", "href='#",
						   "href=\"#" };

	while (*s) {
		const char *end = skip_element(s);
		size_t i = 0;

		if (end) {
			s = end;
			continue;
		}
		while (i < 5 && !starts(s, before_name[i]))
			i++;
		if (i < 5) {
			fprintf(out, "%s%s", before_name[i], prefix);
			s += strlen(before_name[i]);
			continue;
		}
		fputc(*s++, out);
	}
}

int pl_svg_inline(FILE *out, const char *path, const char *prefix, const char *label)
{
	char *text = read_all(path);
	const char *svg = text ? strstr(text, "<svg") : NULL;

	/* gnuplot escapes all text, so a script could only come from its own interactive mode. */
	if (!svg || !strstr(svg, "</svg>") || strstr(svg, "<script")) {
		if (text)
			errno = EBADMSG;
		free(text);
		return -1;
	}
	fputs("<svg role=\"img\" aria-label=\"", out);
	pl_html(out, label);
	fputc('"', out);
	copy(out, svg + strlen("<svg"), prefix);
	free(text);
	return 0;
}
