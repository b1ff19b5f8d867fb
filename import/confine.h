/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A process that reads what nobody vouches for, and should not be able to do more than that: libraries
 * take part in the reading that were not written for hostile files.
 */
#ifndef UNSYNC_IMPORT_CONFINE_H
#define UNSYNC_IMPORT_CONFINE_H

#include <stdint.h>
#include <sys/types.h>

/* Is this a build with a sanitizer, which has wishes and messages of its own? */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CONFINE_SANITIZED 1
#elif defined(__has_feature)
#define CONFINE_SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define CONFINE_SANITIZED 0
#endif

#define CONFINE_MEMORY (4ull << 30) /* bytes that such a process may take */

/**
 * confine() - give up what reading a file does not need; there is no way back
 * @parent: when it ends, so does this process
 * @cpu_seconds: of CPU time that it may take, then SIGXCPU ends it; 0: as much as it wants
 *
 * What stays: reading and writing what is open, opening files for reading, memory. A limit that this
 * kernel does not know is left out.
 */
void confine(pid_t parent, uint64_t cpu_seconds);

#endif
