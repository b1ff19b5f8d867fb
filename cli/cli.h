/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the verbs share: usage, messages, numbers with units, progress.
 */
#ifndef UNSYNC_CLI_H
#define UNSYNC_CLI_H

#include <stdbool.h>
#include <stdint.h>

enum {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_LOSSES = 3, /* a capture that finished, but lost events */
	EXIT_DIFFER = 3, /* results that were compared, and are not the same */
	EXIT_SLOWER = 4, /* the same, but proven to be slower */
};

/* How to record without BPF, as root, from before a guest starts until after it ends. */
#define CLI_PERF_RECORD                                                                            \
	"perf record -a -k CLOCK_MONOTONIC -m 4096 -e 'kvm:*' -e 'kvmmmu:*' -- sleep 60"
#define CLI_TRACE_CMD_RECORD "trace-cmd record -C mono -b 16384 -e kvm -e kvmmmu sleep 60"

/* What a verb prints its data as. */
enum cli_format { CLI_TABLE, CLI_JSON, CLI_CSV };

/* A verb: main() of its own, argv[0] is the verb's name. Returns the exit status. */
int cli_record(int argc, char **argv);
int cli_doctor(int argc, char **argv);
int cli_mark(int argc, char **argv);
int cli_info(int argc, char **argv);
int cli_dump(int argc, char **argv);
int cli_replay(int argc, char **argv);
int cli_models(int argc, char **argv);
int cli_plot(int argc, char **argv);
int cli_cost(int argc, char **argv);
int cli_scrub(int argc, char **argv);
int cli_compare(int argc, char **argv);
int cli_gen(int argc, char **argv);
int cli_export(int argc, char **argv);
int cli_import(int argc, char **argv);

/**
 * cli_usage() - print "unsync VERB: message; see 'unsync VERB --help'" on stderr
 *
 * Return: EXIT_USAGE.
 */
int cli_usage(const char *verb, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/**
 * cli_fail() - print "unsync: message" on stderr. Return: EXIT_FAILED.
 */
int cli_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/**
 * cli_warn() - print "unsync: warning: message" on stderr
 */
void cli_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

struct um_model;

/**
 * cli_model() - a built-in model by its name, or the model of a plug-in by its file
 * @verb: for the message
 * @name: as the user wrote it
 * @model: result
 *
 * Return: EXIT_OK, or the exit status if there is no such model; the user was told.
 */
int cli_model(const char *verb, const char *name, const struct um_model **model);

/**
 * cli_check() - put a model to the tests that every model must pass, and print a line for each
 * @name: of a built-in model that exists, or the file of a plug-in
 * @seconds: that each test may take
 *
 * Return: EXIT_OK if it passed all, else EXIT_FAILED.
 */
int cli_check(const char *name, unsigned int seconds);

/**
 * cli_parse_time() - "10s", "1.5ms", "200us", "7ns", "2m"; a bare number is seconds
 * @text: what the user wrote
 * @ns: result
 *
 * Return: 0, or -1 if it is no time.
 */
int cli_parse_time(const char *text, uint64_t *ns);

/**
 * cli_parse_size() - "64M", "4k", "1G" (powers of 1024); a bare number is bytes. Return: 0 or -1.
 */
int cli_parse_size(const char *text, uint64_t *bytes);

/**
 * cli_parse_count() - "20k", "1.5M" (powers of 1000), or a bare number. Return: 0 or -1.
 */
int cli_parse_count(const char *text, uint64_t *count);

/**
 * cli_parse_number() - a decimal number from @min to @max. Return: 0 or -1.
 */
int cli_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *value);

/**
 * cli_parse_format() - "table", "json" or "csv"
 * @verb: for the message
 * @text: what the user wrote
 * @format: result
 *
 * Return: EXIT_OK, or EXIT_USAGE if it is none of these; the user was told.
 */
int cli_parse_format(const char *verb, const char *text, enum cli_format *format);

/**
 * cli_check_trace_output() - may a trace be written there?
 * @out: a file, which must not be there unless @force; or "-", standard output, if it is no terminal
 *
 * Return: EXIT_OK, or EXIT_FAILED after a message.
 */
int cli_check_trace_output(const char *out, bool force);

/**
 * cli_progress() - draw a progress bar on stderr if it is a terminal
 * @what: short text in front
 * @done: so far
 * @total: in all; 0 unknown
 *
 * Not before half a second has passed, and at most ten times a second; from the first second on with
 * the time left. Call with done == total to wipe it; what comes after begins anew.
 */
void cli_progress(const char *what, uint64_t done, uint64_t total);

/**
 * cli_progress_wipe() - wipe the bar for now, to print something else
 */
void cli_progress_wipe(void);

/**
 * cli_progress_off() - draw no bar from now on, as -q asks
 */
void cli_progress_off(void);

#endif
