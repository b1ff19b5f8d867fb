// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that does nothing but what a script says to its page tables.
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
#include "vm.h"

static int usage(void)
{
	fprintf(stderr, "usage: known-guest --forever [--vms N] [--vcpus 1|2] [--rate N] "
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

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "forever", no_argument, NULL, 'f' },	   { "vms", required_argument, NULL, 'v' },
		{ "vcpus", required_argument, NULL, 'c' }, { "rate", required_argument, NULL, 'r' },
		{ "name", required_argument, NULL, 'n' },  {}
	};
	struct forever how = { .vms = 1, .vcpus = 1, .rate = 50 };
	bool endless = false;
	struct vm_host host;
	int c, err;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'f':
			endless = true;
			break;
		case 'v':
			how.vms = number(optarg, 64);
			break;
		case 'c':
			how.vcpus = number(optarg, VM_VCPUS);
			break;
		case 'r':
			how.rate = number(optarg, 100000);
			break;
		case 'n':
			break;
		default:
			return usage();
		}
	}
	if (optind != argc || !endless || !how.vms || !how.vcpus || !how.rate)
		return usage();
	if (vm_host_open(&host))
		return 1;
	err = forever(&host, &how);
	vm_host_close(&host);
	return err ? 1 : 0;
}
