/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A running capture: BPF programs loaded and attached, records coming in.
 *
 * Everything that it puts into the kernel hangs on file descriptors of this process and is gone
 * with it, however it ends.
 */
#ifndef UNSYNC_COLLECTOR_CAPTURE_H
#define UNSYNC_COLLECTOR_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "collector/host.h"
#include "collector/ring.h"
#include "trace/trace.h"

struct capture_options {
	uint64_t ring_bytes; /* rounded up to a power of two of pages */
	uint64_t max_rate;   /* events a second of each VM, 0: any; what exceeds it is lost */
	bool exact;	     /* refuse to start without what an exact capture needs */
	bool attached;	     /* the targets may have been running for a while */
	bool verbose;	     /* pass on what libbpf says */
	/* Takes a record; returns 0, or -1 to make capture_poll() return at once. */
	int (*record)(void *arg, const void *data, size_t size);
	void *arg;
};

struct capture;

/**
 * capture_check_host() - has this kernel what every capture needs, as far as looking tells?
 * @host: after host_probe()
 * @err: set on failure, with a remedy
 *
 * Return: 0 or -1.
 */
int capture_check_host(const struct host *host, struct ut_error *err);

/**
 * capture_start() - load the programs and attach as many as this kernel takes
 * @host: after host_probe(); outlives the capture
 * @options: copied
 * @err: set on failure, with a remedy
 *
 * Nothing is recorded before a target is added. Return: a capture, or NULL.
 */
struct capture *capture_start(const struct host *host, const struct capture_options *options,
			      struct ut_error *err);

/**
 * capture_missing() - why a hook is not in use
 * @c: the capture
 * @hook: index into collector_hooks
 *
 * Return: NULL if it is in use, or if the hook that it would replace is; else a short reason.
 */
const char *capture_missing(const struct capture *c, size_t hook);

/**
 * capture_add_target() - record the VMs of a process, and of those that it forks from now on
 * @pid: of the process
 *
 * Return: 0 or -1.
 */
int capture_add_target(struct capture *c, pid_t pid, struct ut_error *err);

/**
 * capture_add_all() - record every VM of this host
 *
 * Return: 0 or -1.
 */
int capture_add_all(struct capture *c, struct ut_error *err);

/**
 * capture_read_running() - tell what the targets' VMs that run already are like
 * @c: the capture
 *
 * To be called once, after the targets were added. For each VM records tell its process, its
 * vCPUs' registers, its shadow pages with the guest tables behind them, and KVM's counters so far.
 *
 * Return: the number of VMs, or -1.
 */
int capture_read_running(struct capture *c, struct ut_error *err);

/**
 * capture_read_stats() - tell KVM's counters of the VMs that are recorded and still there
 * @c: the capture
 *
 * To be called before capture_stop(). A VM that ended has told its counters by itself.
 *
 * Return: 0 or -1.
 */
int capture_read_stats(struct capture *c, struct ut_error *err);

/**
 * capture_poll() - hand over the records that are there
 * @timeout_ms: how long to wait if none are
 *
 * At least all that were there when it was called, and not many more than the ring holds: it returns
 * even if guests add records faster than they can be taken.
 *
 * Return: 0, also if a signal came; -1 if record() returned -1 or the ring is broken.
 */
int capture_poll(struct capture *c, int timeout_ms, struct ut_error *err);

/**
 * capture_fd() - a descriptor that becomes readable when records wait; owned by the capture
 *
 * A few records wake nobody, so capture_poll() must be called from time to time nevertheless.
 */
int capture_fd(const struct capture *c);

/**
 * capture_readable() - can what is not in the ring be read with the privileges of now?
 */
bool capture_readable(const struct capture *c);

/**
 * capture_run_ns() - time that the BPF programs took so far, ns
 *
 * Counted by the kernel only while kernel.bpf_stats_enabled is 1. Return: 0 if it was not.
 */
uint64_t capture_run_ns(const struct capture *c);

/**
 * capture_stop() - detach all programs and hand over what is left in the ring
 */
int capture_stop(struct capture *c, struct ut_error *err);

/**
 * capture_losses() - what was lost since the last call and is in no record
 * @c: the capture
 * @lost: called with cause (enum ut_lost_cause), kind (0: any) and count
 *
 * Full rings are told by the records themselves, except for those after which none came:
 * @final asks for these, once, after capture_stop().
 */
int capture_losses(struct capture *c, bool final,
		   int (*lost)(void *arg, unsigned int cause, unsigned int kind, uint64_t count),
		   void *arg);

/**
 * capture_exits() - go through the exits summed so far
 */
int capture_exits(struct capture *c,
		  int (*add)(void *arg, const struct exit_key *key, const struct exit_sum *sum),
		  void *arg);

/**
 * capture_free() - detach and unload; NULL is allowed
 */
void capture_free(struct capture *c);

#endif
