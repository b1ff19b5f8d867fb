// SPDX-License-Identifier: GPL-2.0-only
#include "collector/exact.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEVICE "/dev/unsync-exact"

bool exact_loaded(void)
{
	return !access(DEVICE, F_OK);
}

/* Returns 0 or a negative errno. */
static int tell(int fd, const char *text, struct ut_error *err)
{
	int e;

	if (write(fd, text, strlen(text)) >= 0)
		return 0;
	e = errno;
	ut_error_set(err, DEVICE ": %s: %s", text,
		     e == EEXIST   ? "another capture holds it"
		     : e == ENOENT ? "this kernel's KVM has no function that it knows"
		     : e == ENOSPC ? "too many processes with guests at a time"
				   : strerror(e));
	return -e;
}

int exact_open(const struct host *host, struct ut_error *err)
{
	char text[64];
	int fd;

	if (!host->exact_parameter[0])
		return ut_error_set(err,
				    "--exact: this kernel's mmu_try_to_unsync_pages() is not one "
				    "that the module understands; record without --exact");
	if (!exact_loaded())
		return ut_error_set(
			err, "--exact needs the module unsync_exact: make -C collector/exact, "
			     "then insmod collector/exact/unsync_exact.ko");
	fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return ut_error_set(err, DEVICE ": %s; run as root", strerror(errno));
	snprintf(text, sizeof(text), "arg=%s", host->exact_parameter);
	if (tell(fd, text, err)) {
		close(fd);
		return -1;
	}
	return fd;
}

int exact_add(int fd, pid_t pid, struct ut_error *err)
{
	char text[32];
	int ret;

	snprintf(text, sizeof(text), "pid=%d", (int)pid);
	ret = tell(fd, text, err);
	return ret == -ESRCH ? 1 : ret ? -1 : 0;
}

int exact_read(int fd, struct exact_counts *counts)
{
	char text[256], *at;
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	const struct {
		const char *key;
		uint64_t *value;
	} wanted[] = { { "calls ", &counts->calls },
		       { "refusals ", &counts->refusals },
		       { "denied ", &counts->denied },
		       { "missed ", &counts->missed } };

	if (n <= 0)
		return -1;
	text[n] = '\0';
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		at = strstr(text, wanted[i].key);
		if (!at)
			return -1;
		*wanted[i].value = strtoull(at + strlen(wanted[i].key), NULL, 10);
	}
	return 0;
}
