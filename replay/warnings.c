// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "replay/warnings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void ur_warn(struct ur_warnings *w, const char *fmt, ...)
{
	char **grown = realloc(w->text, (w->n + 1) * sizeof(*grown));
	va_list ap;
	int len;

	if (!grown)
		return;
	w->text = grown;
	va_start(ap, fmt);
	len = vasprintf(&grown[w->n], fmt, ap);
	va_end(ap);
	if (len >= 0)
		w->n++;
}

void ur_warnings_free(struct ur_warnings *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->text[i]);
	free(w->text);
	*w = (struct ur_warnings){ 0 };
}
