/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtual machines that run on this host, found without any probe on KVM: a BPF iterator goes
 * through the open files of all processes, and KVM's own structures hang on two kinds of them.
 */
#ifndef UNSYNC_COLLECTOR_RUNNING_H
#define UNSYNC_COLLECTOR_RUNNING_H

#include <stdint.h>
#include <sys/types.h>

#include "collector/host.h"
#include "trace/trace.h"

struct running_vm {
	pid_t pid;	       /* the process that made it, as the kernel numbers it */
	char comm[16];	       /* its name, terminated */
	char name[64];	       /* from the monitor's -name option; "" if it has none */
	unsigned int vcpus;    /* that exist now */
	const char *paging;    /* "shadow", "EPT", "NPT", or "none yet": no vCPU has run; static */
	uint64_t shadow_pages; /* that exist now */
};

/**
 * running_list() - go through the VMs of this host
 * @host: after host_probe()
 * @each: called for each VM, in order of process ids; what it gets is valid during the call;
 *	  returns 0, or anything else to stop
 * @arg: passed on to @each
 * @err: set if -1 is returned by this function itself, with a remedy
 *
 * Needs the privileges of a capture, but attaches nothing to KVM. A process with several VMs is
 * reported once for each.
 *
 * Return: 0, what @each returned, or -1.
 */
int running_list(const struct host *host, int (*each)(void *arg, const struct running_vm *vm),
		 void *arg, struct ut_error *err);

#endif
