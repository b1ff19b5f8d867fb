// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "replay/hardware.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CACHE_MISS(cache)                                                                          \
	((cache) | (PERF_COUNT_HW_CACHE_OP_READ << 8) | (PERF_COUNT_HW_CACHE_RESULT_MISS << 16))

static const struct {
	uint32_t type;
	uint64_t config;
} kernel_names[UR_HW_END] = {
	[UR_HW_cycles] = { PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES },
	[UR_HW_instructions] = { PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS },
	[UR_HW_llc_misses] = { PERF_TYPE_HW_CACHE, CACHE_MISS(PERF_COUNT_HW_CACHE_LL) },
	[UR_HW_dtlb_misses] = { PERF_TYPE_HW_CACHE, CACHE_MISS(PERF_COUNT_HW_CACHE_DTLB) },
};

const char *ur_hardware_name(enum ur_hardware_event e)
{
	static const char *const names[] = {
#define X(name, help) #name,
		UR_HARDWARE(X)
#undef X
	};

	return names[e];
}

const char *ur_hardware_help(enum ur_hardware_event e)
{
	static const char *const helps[] = {
#define X(name, help) help,
		UR_HARDWARE(X)
#undef X
	};

	return helps[e];
}

/* ---- the kernel's ---- */

static int kernel_open(const struct perf_event_attr *attr)
{
	return (int)syscall(SYS_perf_event_open, attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static int kernel_read(int fd, struct ur_reading *r)
{
	uint64_t words[3];

	if (read(fd, words, sizeof(words)) != sizeof(words))
		return -1;
	*r = (struct ur_reading){ .value = words[0], .enabled = words[1], .running = words[2] };
	return 0;
}

static void kernel_close(int fd)
{
	close(fd);
}

static const struct ur_hardware_ops kernel = { .open = kernel_open,
					       .read = kernel_read,
					       .close = kernel_close };

/* ---- why not ---- */

static int paranoid(void)
{
	FILE *f = fopen("/proc/sys/kernel/perf_event_paranoid", "r");
	char line[16];
	int level = -1;

	if (!f)
		return -1;
	if (fgets(line, sizeof(line), f) && sscanf(line, "%d", &level) != 1)
		level = -1;
	fclose(f);
	return level;
}

static void explain(char *why, size_t len, int error)
{
	const char *name = strerrorname_np(error);

	name = name ? name : "unknown error";
	switch (error) {
	case ENOENT:
	case ENODEV:
	case EOPNOTSUPP:
		snprintf(why, len,
			 "the processor does not show this counter here (%s); in a virtual machine "
			 "its host "
			 "must pass the counters on (QEMU: -cpu host,pmu=on)",
			 name);
		break;
	case EACCES:
	case EPERM:
		snprintf(why, len,
			 "not permitted (%s, kernel.perf_event_paranoid is %d); as root: sysctl "
			 "kernel.perf_event_paranoid=2; in a container, allow perf_event_open as "
			 "well",
			 name, paranoid());
		break;
	case ENOSYS:
		snprintf(why, len,
			 "the kernel has no perf_event_open (%s); it needs CONFIG_PERF_EVENTS",
			 name);
		break;
	case EBUSY:
		snprintf(why, len,
			 "another program has reserved the counters (%s); on a host, the NMI "
			 "watchdog may: sysctl kernel.nmi_watchdog=0",
			 name);
		break;
	default:
		snprintf(why, len, "perf_event_open: %s (%s)", strerror(error), name);
	}
}

/* ---- counting ---- */

void ur_hardware_open(struct ur_hardware *hw, const struct ur_hardware_ops *ops)
{
	*hw = (struct ur_hardware){ .ops = ops ? ops : &kernel };
	for (unsigned int e = 0; e < UR_HW_END; e++) {
		struct perf_event_attr attr = {
			.size = sizeof(attr),
			.type = kernel_names[e].type,
			.config = kernel_names[e].config,
			.read_format =
				PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
			.exclude_kernel = 1,
			.exclude_hv = 1,
		};

		hw->fd[e] = hw->ops->open(&attr);
		if (hw->fd[e] >= 0)
			hw->n++;
		else
			explain(hw->why[e], sizeof(hw->why[e]), errno);
	}
}

void ur_hardware_close(struct ur_hardware *hw)
{
	for (unsigned int e = 0; hw->ops && e < UR_HW_END; e++) {
		if (hw->fd[e] >= 0)
			hw->ops->close(hw->fd[e]);
		hw->fd[e] = -1;
	}
	hw->n = 0;
}

void ur_hardware_read(const struct ur_hardware *hw, struct ur_hardware_sum *now)
{
	for (unsigned int e = 0; e < UR_HW_END; e++) {
		if (hw->fd[e] < 0 || hw->ops->read(hw->fd[e], &now->of[e]))
			now->of[e] = (struct ur_reading){ 0 };
	}
}

void ur_hardware_add(struct ur_hardware_sum *sum, const struct ur_hardware_sum *before,
		     const struct ur_hardware_sum *after)
{
	for (unsigned int e = 0; e < UR_HW_END; e++) {
		const struct ur_reading *b = &before->of[e], *a = &after->of[e];

		/* Counting began when it was opened: 0 is a reading that failed. */
		if (!b->enabled || a->enabled < b->enabled)
			continue;
		sum->of[e].value += a->value - b->value;
		sum->of[e].enabled += a->enabled - b->enabled;
		sum->of[e].running += a->running - b->running;
	}
}

bool ur_hardware_count(const struct ur_reading *r, double *count)
{
	*count = 0;
	if (!r->running)
		return false;
	*count = (double)r->value * (double)r->enabled / (double)r->running;
	return true;
}
