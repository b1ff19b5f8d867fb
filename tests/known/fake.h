/* SPDX-License-Identifier: GPL-2.0-only */
/* What a recording of a script might look like: a right one, made without any hypervisor. */
#ifndef UNSYNC_TESTS_KNOWN_FAKE_H
#define UNSYNC_TESTS_KNOWN_FAKE_H

#include "compare.h"

/**
 * fake_record() - the recording of a host that forgets no shadow page and faults at every access
 * @s: a script whose vCPUs, if there are two, take turns
 * @mode: enum ut_mode; in a native one last-level tables go out of sync and are synced when CR3 is
 *        written
 * @r: appended to; the caller frees it
 *
 * Return: 0, or -1 if there is no memory.
 */
int fake_record(const struct script *s, unsigned int mode, struct recording *r);

#endif
