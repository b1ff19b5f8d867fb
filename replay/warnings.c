// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "replay/warnings.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PLACES 6 /* named; of more it is said how many */

void ur_warn(struct ur_warnings *w, const char *where, const char *fmt, ...)
{
	struct ur_warning one = { .where = where ? strdup(where) : NULL };
	struct ur_warning *grown = realloc(w->of, (w->n + 1) * sizeof(*grown));
	va_list ap;

	if (grown)
		w->of = grown;
	va_start(ap, fmt);
	if (vasprintf(&one.what, fmt, ap) < 0)
		one.what = NULL;
	va_end(ap);
	if (asprintf(&one.line, "%s%s%s", one.where ? one.where : "", one.where ? ": " : "",
		     one.what ? one.what : "") < 0)
		one.line = NULL;
	if (grown && one.what && one.line) {
		w->of[w->n++] = one;
		return;
	}
	free(one.where);
	free(one.what);
	free(one.line);
}

static bool seen(const struct ur_warnings *const *from, size_t list, size_t at)
{
	const char *what = from[list]->of[at].what;

	for (size_t i = 0; i <= list; i++) {
		size_t end = i == list ? at : from[i]->n;

		for (size_t k = 0; k < end; k++) {
			if (!strcmp(from[i]->of[k].what, what))
				return true;
		}
	}
	return false;
}

/* All places where @what holds, as a text to be freed; NULL if there is none to name. */
static char *places(const struct ur_warnings *const *from, size_t n, const char *what)
{
	size_t len = 0, total = 0;
	char *text = NULL;
	FILE *f = open_memstream(&text, &len);

	for (size_t i = 0; f && i < n; i++) {
		for (size_t k = 0; k < from[i]->n; k++) {
			const struct ur_warning *one = &from[i]->of[k];

			if (strcmp(one->what, what) || !one->where)
				continue;
			if (total++ < MAX_PLACES)
				fprintf(f, "%s%s", total > 1 ? ", " : "", one->where);
		}
	}
	if (f && total > MAX_PLACES)
		fprintf(f, " and %zu more", total - MAX_PLACES);
	if (f && fclose(f)) {
		free(text);
		text = NULL;
	}
	if (total)
		return text;
	free(text);
	return NULL;
}

void ur_warn_merged(struct ur_warnings *w, const struct ur_warnings *const *from, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < from[i]->n; k++) {
			const char *what = from[i]->of[k].what;
			char *where;

			if (seen(from, i, k))
				continue;
			where = places(from, n, what);
			ur_warn(w, where, "%s", what);
			free(where);
		}
	}
}

void ur_warnings_free(struct ur_warnings *w)
{
	for (size_t i = 0; i < w->n; i++) {
		free(w->of[i].where);
		free(w->of[i].what);
		free(w->of[i].line);
	}
	free(w->of);
	*w = (struct ur_warnings){ 0 };
}
