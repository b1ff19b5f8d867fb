// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "trace/beside.h"

#include <fcntl.h>
#include <signal.h>
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

static const int endings[] = { SIGINT, SIGTERM, SIGHUP };

#define N_ENDINGS (sizeof(endings) / sizeof(endings[0]))

/* The file that is being written. */
static const char *volatile unfinished;

static void on_ending(int sig)
{
	if (unfinished)
		unlink(unfinished);
	/* The default action is back, and waits until this returns. */
	raise(sig);
}

/* @old: what was there before, to be given to release(). */
static void guard(const char *path, struct sigaction *old)
{
	struct sigaction sa = { .sa_handler = on_ending, .sa_flags = SA_RESETHAND };

	unfinished = path;
	for (size_t i = 0; i < N_ENDINGS; i++) {
		if (!sigaction(endings[i], NULL, &old[i]) && old[i].sa_handler == SIG_DFL)
			sigaction(endings[i], &sa, NULL);
	}
}

static void release(const struct sigaction *old)
{
	for (size_t i = 0; i < N_ENDINGS; i++)
		sigaction(endings[i], &old[i], NULL);
	unfinished = NULL;
}

int ut_write_beside(const char *out, int (*write)(void *ctx, int fd), void *ctx,
		    struct ut_error *err)
{
	char *place = place_of(out), *beside = NULL;
	struct sigaction old[N_ENDINGS];
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
	guard(beside, old);
	ret = write(ctx, fd);
	if (!ret && rename(beside, place))
		ret = ut_error_set(err, "%s: cannot create: %m", out);
	if (ret)
		unlink(beside);
	release(old);
out:
	free(beside);
	free(place);
	return ret;
}
