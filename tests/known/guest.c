// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that does nothing but what a script says to its page tables.
 *
 *	known-guest --seeds FIRST-LAST
 *
 * Runs the scripts of these seeds, each in a virtual machine of its own, and checks that the guest
 * did what they say. Prints first what the vCPU has, as known-compare takes it.
 *
 *	known-guest --forever [--vms N] [--vcpus N] [--rate N] [--name NAME]
 *
 * Runs N virtual machines (default 1) of N vCPUs each (1 or 2, default 1) until it is killed. Every
 * vCPU builds, uses and takes down an address space, about 115 operations a pass, RATE times a
 * second (default 50). Prints a line each second: the number of passes that all vCPUs made so far.
 * NAME is only there to be seen in the command line, as that of a monitor.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forever.h"
#include "play.h"
#include "seeds.h"

struct arguments {
	struct forever how;
	bool endless;
	uint64_t first, last;
};

static int usage(void)
{
	fprintf(stderr, "usage: known-guest --seeds FIRST-LAST\n"
			"       known-guest --forever [--vms N] [--vcpus 1|2] [--rate N] "
			"[--name NAME]\n");
	return 2;
}

/* Return: a number from 1 to @max; 0 if it is none. */
static unsigned int number(const char *text, unsigned int max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	return *text >= '0' && *text <= '9' && !*end && n <= max ? (unsigned int)n : 0;
}

static bool read_arguments(int argc, char **argv, struct arguments *a)
{
	static const struct option options[] = { { "forever", no_argument, NULL, 'f' },
						 { "vms", required_argument, NULL, 'v' },
						 { "vcpus", required_argument, NULL, 'c' },
						 { "rate", required_argument, NULL, 'r' },
						 { "name", required_argument, NULL, 'n' },
						 { "seeds", required_argument, NULL, 's' },
						 {} };
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'f':
			a->endless = true;
			break;
		case 'v':
			a->how.vms = number(optarg, FOREVER_VMS);
			break;
		case 'c':
			a->how.vcpus = number(optarg, VM_VCPUS);
			break;
		case 'r':
			a->how.rate = number(optarg, 100000);
			break;
		case 'n':
			break;
		case 's':
			if (!seeds_read(optarg, &a->first, &a->last))
				return false;
			break;
		default:
			return false;
		}
	}
	return optind == argc && a->endless != (a->last > 0) && a->how.vms && a->how.vcpus &&
	       a->how.rate;
}

int main(int argc, char **argv)
{
	struct arguments a = { .how = { .vms = 1, .vcpus = 1, .rate = 50 } };
	struct vm_host host;
	uint8_t *ram;
	int err;

	if (!read_arguments(argc, argv, &a))
		return usage();
	if (vm_host_open(&host))
		return 1;
	if (a.endless) {
		err = forever(&host, &a.how);
	} else {
		printf("%s\n", host.features.pcid && host.features.invpcid ? "pcid,invpcid"
			       : host.features.pcid			   ? "pcid"
			       : host.features.invpcid			   ? "invpcid"
									   : "none");
		fflush(stdout);
		ram = vm_ram();
		err = ram ? play(&host, ram, a.first, a.last) : -1;
	}
	vm_host_close(&host);
	return err ? 1 : 0;
}
