// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE /* setresuid(), setgroups() */
#include "collector/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BIT(capability) (1ull << (capability))
#define LOCKDOWN "/sys/kernel/security/lockdown"
#define NOBODY 65534

/* ---- capabilities ---- */

struct sets {
	uint64_t effective, permitted;
};

static int get_sets(struct sets *sets)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data))
		return -1;
	sets->effective = data[0].effective | (uint64_t)data[1].effective << 32;
	sets->permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	return 0;
}

static int set_sets(const struct sets *sets)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = (uint32_t)sets->effective, .permitted = (uint32_t)sets->permitted },
		{ .effective = (uint32_t)(sets->effective >> 32),
		  .permitted = (uint32_t)(sets->permitted >> 32) },
	};

	return syscall(SYS_capset, &head, data) ? -1 : 0;
}

int privileges_limit(uint64_t capabilities)
{
	struct sets sets;

	if (get_sets(&sets))
		return -1;
	sets.effective &= capabilities;
	sets.permitted &= capabilities;
	return set_sets(&sets);
}

/* ---- before ---- */

/* Capabilities count only in the first user namespace, where ids are what they seem to be. */
static bool in_user_namespace(void)
{
	unsigned long inside = 0, outside = 0, count = 0;
	FILE *f = fopen("/proc/self/uid_map", "re");
	int n;

	if (!f)
		return false;
	n = fscanf(f, "%lu %lu %lu", &inside, &outside, &count);
	fclose(f);
	return n == 3 && (inside || outside || count != UINT32_MAX);
}

static bool is_locked_down(void)
{
	char line[128] = "";
	FILE *f = fopen(LOCKDOWN, "re");

	if (!f)
		return false;
	if (!fgets(line, sizeof(line), f))
		line[0] = '\0';
	fclose(f);
	return strstr(line, "[confidentiality]");
}

static void list_missing(uint64_t effective, bool module, char *text, size_t size)
{
	static const struct {
		unsigned int bit;
		const char *name;
	} wanted[] = {
		{ CAP_BPF, "CAP_BPF" },
		{ CAP_PERFMON, "CAP_PERFMON" },
		{ CAP_SYS_ADMIN, "CAP_SYS_ADMIN" },
	};
	size_t n = 0;

	text[0] = '\0';
	/* This one stands for both others, too. */
	if (effective & BIT(CAP_SYS_ADMIN))
		return;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (effective & BIT(wanted[i].bit) || (wanted[i].bit == CAP_SYS_ADMIN && !module))
			continue;
		n += (size_t)snprintf(text + n, size - n, "%s%s", n ? ", " : "", wanted[i].name);
	}
}

int privileges_check(bool module, struct ut_error *err)
{
	struct sets sets;
	char missing[80];

	if (get_sets(&sets))
		return ut_error_set(err, "cannot read the capabilities: %s", strerror(errno));
	list_missing(sets.effective, module, missing, sizeof(missing));
	if (missing[0])
		return ut_error_set(err,
				    "BPF programs are not permitted: no %s; run as root, outside "
				    "of containers",
				    missing);
	if (in_user_namespace())
		return ut_error_set(err, "BPF programs are not permitted in a user namespace; run "
					 "on the host itself, as root");
	if (is_locked_down())
		return ut_error_set(err, "the kernel is locked down (" LOCKDOWN
					 "): BPF programs may not read it; boot with "
					 "lockdown=integrity");
	return 0;
}

/* ---- afterwards ---- */

/* Groups first: they take the privileges that the user id takes away. */
static int change_user(void)
{
	const struct passwd *nobody = getpwnam("nobody");
	uid_t uid = nobody ? nobody->pw_uid : NOBODY;
	gid_t gid = nobody ? nobody->pw_gid : NOBODY;

	if (setgroups(0, NULL) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
		return -1;
	return 0;
}

int privileges_drop(bool (*works)(void *arg), void *arg, struct ut_error *err)
{
	uid_t real, effective, saved;

	if (getresuid(&real, &effective, &saved) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
		goto fail;
	if ((!real || !effective || !saved) && change_user())
		goto fail;
	/* The change of user has emptied the effective set, but for KEEPCAPS not the permitted one. */
	if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		goto fail;
	if (set_sets(&(struct sets){ .permitted = BIT(CAP_BPF) }) && privileges_limit(0))
		goto fail;
	if (works(arg))
		return privileges_limit(0)
			       ? ut_error_set(err, "cannot drop CAP_BPF: %s", strerror(errno))
			       : 0;
	if (!set_sets(&(struct sets){ .permitted = BIT(CAP_BPF), .effective = BIT(CAP_BPF) }) &&
	    works(arg))
		return 0;
	return ut_error_set(err, "the collector's maps cannot be read without privileges");
fail:
	return ut_error_set(err, "cannot drop privileges: %s", strerror(errno));
}
