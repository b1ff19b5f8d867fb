// SPDX-License-Identifier: GPL-2.0-only
/* unsync record: the file that the trace goes to. */
#define _GNU_SOURCE /* mkostemp(), asprintf() */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/record.h"

/* A name in the same folder that nobody else has: ".FILE.XXXXXX", without FILE if that is long. */
static char *temporary_name(const char *final)
{
	const char *slash = strrchr(final, '/'), *base = slash ? slash + 1 : final;
	char *name;

	if (asprintf(&name, "%.*s.%s.XXXXXX", (int)(base - final), final,
		     strlen(base) + 8 > NAME_MAX ? "unsync" : base) < 0)
		return NULL;
	return name;
}

/* A file that does not exist yet may hang on a link whose end does. */
static char *resolve(const char *path)
{
	char *where = realpath(path, NULL);

	return where ? where : strdup(path);
}

static int open_temporary(struct record_output *o, const char *path, struct ut_error *err)
{
	o->final = resolve(path);
	o->temporary = o->final ? temporary_name(o->final) : NULL;
	if (!o->temporary)
		return ut_error_set(err, "%s: out of memory", path);
	o->fd = mkostemp(o->temporary, O_CLOEXEC);
	if (o->fd >= 0)
		return 0;
	ut_error_set(err, "%s: cannot create: %s", path, strerror(errno));
	free(o->temporary);
	o->temporary = NULL;
	return -1;
}

int output_check(const char *path, bool force, struct ut_error *err)
{
	struct stat st;

	if (!strcmp(path, "-"))
		return 0;
	if (stat(path, &st)) {
		if (errno != ENOENT)
			return ut_error_set(err, "%s: cannot create: %s", path, strerror(errno));
		return lstat(path, &st)
			       ? 0
			       : ut_error_set(err, "%s: a link to nothing; remove it", path);
	}
	if (S_ISDIR(st.st_mode))
		return ut_error_set(err, "%s: is a folder; name a file", path);
	if (S_ISREG(st.st_mode) && !force)
		return ut_error_set(err, "%s: exists; -f replaces it", path);
	return 0;
}

int output_open(struct record_output *o, const char *path, struct ut_error *err)
{
	struct stat st;

	if (!strcmp(path, "-")) {
		o->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
		return o->fd >= 0 ? 0 : ut_error_set(err, "standard output: %s", strerror(errno));
	}
	if (stat(path, &st) || S_ISREG(st.st_mode))
		return open_temporary(o, path, err);
	o->fd = open(path, O_WRONLY | O_CLOEXEC);
	return o->fd >= 0 ? 0 : ut_error_set(err, "%s: %s", path, strerror(errno));
}

int output_place(struct record_output *o, const char *path, struct keeper *k, struct ut_error *err)
{
	struct ut_error why;

	if (o->placed || !o->temporary)
		return 0;
	if (keeper_place(k, &why))
		return ut_error_set(err, "%s: cannot create: %.200s", path, why.text);
	o->placed = true;
	return 0;
}

void output_close(struct record_output *o)
{
	if (o->fd >= 0)
		close(o->fd);
	free(o->temporary);
	free(o->final);
}
