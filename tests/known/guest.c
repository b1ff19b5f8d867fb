// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that does nothing but what a script says to its page tables.
 *
 *	known-guest --seeds FIRST-LAST
 *
 * Runs the scripts of these seeds, each in a virtual machine of its own, and checks that the guest
 * did what they say. Prints first what the vCPU has, as known-compare takes it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "play.h"
#include "seeds.h"

int main(int argc, char **argv)
{
	uint64_t first, last;
	struct vm_host host;
	uint8_t *ram;
	int err;

	if (argc != 3 || strcmp(argv[1], "--seeds") || !seeds_read(argv[2], &first, &last)) {
		fprintf(stderr, "usage: known-guest --seeds FIRST-LAST\n");
		return 2;
	}
	if (vm_host_open(&host))
		return 1;
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
