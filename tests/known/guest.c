// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that does nothing but what a script says to its page tables.
 *
 *	known-guest --seeds FIRST-LAST [--shadow-pages N]
 *
 * Runs the scripts of these seeds, each in a virtual machine of its own, and checks that the guest
 * did what they say. The host may keep N shadow pages for each (default: the host's own limit, which
 * for so small a guest is 64); with enough of them it never gives one up to make room. Prints first what the vCPU has, as known-compare takes it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "play.h"
#include "seeds.h"

static bool read_arguments(int argc, char **argv, uint64_t *first, uint64_t *last,
			   unsigned int *pages)
{
	char after;

	*pages = 0;
	if (argc != 3 && argc != 5)
		return false;
	if (strcmp(argv[1], "--seeds") || !seeds_read(argv[2], first, last))
		return false;
	return argc == 3 ||
	       (!strcmp(argv[3], "--shadow-pages") && sscanf(argv[4], "%6u%c", pages, &after) == 1);
}

int main(int argc, char **argv)
{
	unsigned int pages;
	uint64_t first, last;
	struct vm_host host;
	uint8_t *ram;
	int err;

	if (!read_arguments(argc, argv, &first, &last, &pages)) {
		fprintf(stderr, "usage: known-guest --seeds FIRST-LAST [--shadow-pages N]\n");
		return 2;
	}
	if (vm_host_open(&host))
		return 1;
	host.shadow_pages = pages;
	printf("%s\n", host.features.pcid && host.features.invpcid ? "pcid,invpcid"
		       : host.features.pcid			   ? "pcid"
		       : host.features.invpcid			   ? "invpcid"
								   : "none");
	fflush(stdout);
	ram = vm_ram();
	err = ram ? play(&host, ram, first, last) : -1;
	vm_host_close(&host);
	return err ? 1 : 0;
}
