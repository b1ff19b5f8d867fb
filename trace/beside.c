// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "trace/beside.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a name leads to, if that is a file or nothing yet; NULL: a device, which has no neighbours. */
static char *place_of(const char *out)
{
	struct stat st;

	if (!strcmp(out, "-") || (!stat(out, &st) && !S_ISREG(st.st_mode)))
		return NULL;
	return access(out, F_OK) ? strdup(out) : realpath(out, NULL);
}

int ut_write_beside(const char *out, int (*write)(void *ctx, int fd), void *ctx,
		    struct ut_error *err)
{
	char *place = place_of(out), *beside = NULL;
	int fd, ret = -1;

	if (!place)
		return write(ctx, -1);
	if (asprintf(&beside, "%s.XXXXXX", place) < 0) {
		free(place);
		return ut_error_set(err, "%s: out of memory", out);
	}
	fd = mkostemp(beside, O_CLOEXEC);
	if (fd < 0) {
		ut_error_set(err, "%s: cannot create: %m", out);
		goto out;
	}
	ret = write(ctx, fd);
	if (!ret && rename(beside, place))
		ret = ut_error_set(err, "%s: cannot create: %m", out);
	if (ret)
		unlink(beside);
out:
	free(beside);
	free(place);
	return ret;
}
