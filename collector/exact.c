// SPDX-License-Identifier: GPL-2.0-only
#include "collector/exact.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define DEVICE "/dev/unsync-exact"

bool exact_loaded(void)
{
	return !access(DEVICE, F_OK);
}

/* Returns 0 or a negative errno. */
static int tell(int fd, const char *text)
{
	return write(fd, text, strlen(text)) >= 0 ? 0 : -errno;
}

/* Built and installed, so that modprobe finds it? */
static bool is_installed(void)
{
	char path[128], line[512];
	struct utsname u;
	bool found = false;
	FILE *f;

	if (uname(&u))
		return false;
	snprintf(path, sizeof(path), "/lib/modules/%.64s/modules.dep", u.release);
	f = fopen(path, "re");
	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, "/unsync_exact.ko");
	if (f)
		fclose(f);
	return found;
}

const char *exact_remedy(void)
{
	if (is_installed())
		return "modprobe unsync_exact";
	return "make -C collector/exact && insmod collector/exact/unsync_exact.ko, or to keep it: "
	       "dkms add collector/exact && dkms install unsync-exact/0.1 && modprobe unsync_exact";
}

int exact_open(const struct host *host, struct ut_error *err)
{
	char text[64];
	int fd, ret;

	if (!host->exact_parameter[0])
		return ut_error_set(err,
				    "--exact: this kernel's mmu_try_to_unsync_pages() is not one "
				    "that the module understands; record without --exact");
	if (!exact_loaded())
		return ut_error_set(err, "--exact: the module unsync_exact is not loaded; %s",
				    exact_remedy());
	fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return ut_error_set(err, DEVICE ": %s%s", strerror(errno),
				    errno == EACCES ? "; run as root" : "");
	snprintf(text, sizeof(text), "arg=%s", host->exact_parameter);
	ret = tell(fd, text);
	if (!ret)
		return fd;
	close(fd);
	if (ret == -ENOENT)
		return ut_error_set(err, "--exact: the module finds no mmu_try_to_unsync_pages() "
					 "in this kernel's KVM; record without --exact");
	return ut_error_set(err, DEVICE ": %s: %s", text, strerror(-ret));
}

int exact_add(int fd, pid_t pid, struct ut_error *err)
{
	char text[32];
	int ret;

	snprintf(text, sizeof(text), "pid=%d", (int)pid);
	ret = tell(fd, text);
	switch (ret) {
	case 0:
		return 0;
	case -ESRCH:
		ut_error_set(err, "no process %d", (int)pid);
		return 1;
	case -EEXIST:
		return ut_error_set(err,
				    "--exact: process %d is kept in step by another capture; end "
				    "that first, or record without --exact",
				    (int)pid);
	case -ENOSPC:
		return ut_error_set(err, "--exact: too many processes with guests at a time");
	case -ENODEV:
		return ut_error_set(err, "--exact: KVM's module is gone");
	default:
		return ut_error_set(err, DEVICE ": %s: %s", text, strerror(-ret));
	}
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
