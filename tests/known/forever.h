/* SPDX-License-Identifier: GPL-2.0-only */
/* Guests that go on until they are stopped, at a modest rate. */
#ifndef UNSYNC_TESTS_KNOWN_FOREVER_H
#define UNSYNC_TESTS_KNOWN_FOREVER_H

#include "vm.h"

#define FOREVER_VMS 64

struct forever {
	unsigned int vms, vcpus; /* how many (FOREVER_VMS at most), and how many each has */
	unsigned int rate;	 /* passes through the script per second and vCPU */
};

/**
 * forever() - run guests until the process is killed, or one of them fails
 *
 * Prints the number of passes that all vCPUs made so far, once a second. Return: -1.
 */
int forever(const struct vm_host *host, const struct forever *how);

#endif
