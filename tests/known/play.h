/* SPDX-License-Identifier: GPL-2.0-only */
/* Scripts, each run in a virtual machine of its own. */
#ifndef UNSYNC_TESTS_KNOWN_PLAY_H
#define UNSYNC_TESTS_KNOWN_PLAY_H

#include "script.h"

/**
 * play() - run the scripts of some seeds, one after the other
 * @ram: from vm_ram(); used for all of them
 * @paging: the mode that all of them are in
 *
 * A guest that did not do what its script says is an error: then either the host is broken or the
 * answer is. Return: 0, or -1 after a message on stderr.
 */
int play(const struct vm_host *host, uint8_t *ram, const struct paging *paging, uint64_t first,
	 uint64_t last);

#endif
