/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Numbers with units, for the tables on the terminal.
 */
#ifndef UNSYNC_REPLAY_REPORT_TEXT_H
#define UNSYNC_REPLAY_REPORT_TEXT_H

struct ur_text {
	char s[32];
};

/**
 * ur_show_ns() - "38 ns", "2.81 us"; whole nanoseconds
 */
struct ur_text ur_show_ns(double ns);

/**
 * ur_show_cost() - as ur_show_ns(), with a decimal below 100 ns, for what is a mean over many; may be
 * negative
 */
struct ur_text ur_show_cost(double ns);

/**
 * ur_show_rate() - "17.3 M"; also for counts
 */
struct ur_text ur_show_rate(double rate);

/**
 * ur_show_bytes() - "54.8 KiB"
 */
struct ur_text ur_show_bytes(double bytes);

#endif
