// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that does nothing but what a script says to its page tables.
 *
 *	known-guest --seeds FIRST-LAST [--paging MODE] [--shadow-pages N]
 *
 * Runs the scripts of these seeds, each in a virtual machine of its own, and checks that the guest
 * did what they say. MODE is four (default) or five levels, pae, or two (32-bit tables); exit status
 * 77 says that the vCPU has no such mode. The host may keep N shadow pages for each (default: the
 * host's own limit, which for so small a guest is 64); with enough of them it never gives one up to
 * make room. Prints first what the vCPU has, as known-compare takes it.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "play.h"
#include "seeds.h"

static void print_features(const struct vm_features *f)
{
	printf("%s\n", f->pcid && f->invpcid ? "pcid,invpcid"
		       : f->pcid	     ? "pcid"
		       : f->invpcid	     ? "invpcid"
					     : "none");
	fflush(stdout);
}

struct arguments {
	const struct paging *paging;
	uint64_t first, last;
	unsigned int pages;
};

static bool read_arguments(int argc, char **argv, struct arguments *a)
{
	static const struct option options[] = { { "seeds", required_argument, NULL, 's' },
						 { "paging", required_argument, NULL, 'p' },
						 { "shadow-pages", required_argument, NULL, 'n' },
						 {} };
	char after;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 's' && seeds_read(optarg, &a->first, &a->last))
			continue;
		if (c == 'p' && (a->paging = paging_find(optarg)))
			continue;
		if (c != 'n' || sscanf(optarg, "%6u%c", &a->pages, &after) != 1)
			return false;
	}
	return optind == argc && a->last;
}

int main(int argc, char **argv)
{
	struct arguments a = { .paging = &paging_four };
	struct vm_host host;
	uint8_t *ram;
	int err = -1;

	if (!read_arguments(argc, argv, &a)) {
		fprintf(stderr,
			"usage: known-guest --seeds FIRST-LAST [--paging four|five|pae|two] "
			"[--shadow-pages N]\n");
		return 2;
	}
	if (vm_host_open(&host))
		return 1;
	host.shadow_pages = a.pages;
	print_features(&host.features);
	if (a.paging == &paging_five && !host.features.la57) {
		fprintf(stderr, "known-guest: this host's vCPUs have no five-level paging\n");
		vm_host_close(&host);
		return 77;
	}
	ram = vm_ram();
	if (ram)
		err = play(&host, ram, a.paging, a.first, a.last);
	vm_host_close(&host);
	return err ? 1 : 0;
}
