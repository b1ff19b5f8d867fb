// SPDX-License-Identifier: GPL-2.0-only
#include "trace/trace.h"

#include <stdarg.h>
#include <stdio.h>

int ut_error_set(struct ut_error *err, const char *fmt, ...)
{
	va_list ap;

	if (err) {
		va_start(ap, fmt);
		vsnprintf(err->text, sizeof(err->text), fmt, ap);
		va_end(ap);
	}
	return -1;
}
