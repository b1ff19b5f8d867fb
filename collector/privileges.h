/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a capture may do: which capabilities it lacks before it starts, and how it gives them up once
 * everything is attached.
 */
#ifndef UNSYNC_COLLECTOR_PRIVILEGES_H
#define UNSYNC_COLLECTOR_PRIVILEGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/trace.h"

/**
 * privileges_check() - is a capture permitted?
 * @module: KVM is a module, whose types take one capability more to read
 * @err: set on failure: which capability is missing, or what else forbids it, with a remedy
 *
 * Looks at the capabilities in effect, at the user namespace and at the kernel's lockdown, not at the
 * user id.
 *
 * Return: 0 or -1.
 */
int privileges_check(bool module, struct ut_error *err);

/**
 * privileges_drop() - become an unprivileged user for good
 * @works: tells whether what is needed from here on still works; called one or more times
 * @arg: passed on to @works
 * @err: set on failure
 *
 * The process becomes the user nobody (if it is root), without supplementary groups, without
 * capabilities, without ways to get any, and neither it nor a dump of it can be looked into by
 * others. Kernels before 5.19 let nobody read BPF maps without CAP_BPF: if @works says no without, that
 * one is kept.
 *
 * Return: 0 or -1. What could be given up before a failure is given up.
 */
int privileges_drop(bool (*works)(void *arg), void *arg, struct ut_error *err);

/**
 * privileges_limit() - keep no other capabilities than these, of those there are
 * @capabilities: bits by number (linux/capability.h)
 *
 * Return: 0 or -1, with errno.
 */
int privileges_limit(uint64_t capabilities);

#endif
