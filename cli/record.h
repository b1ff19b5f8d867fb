/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The parts of `unsync record`: what was asked for, the command that is started, the machines that
 * run already, the file, and what the user is told. cli/record.c puts them together.
 */
#ifndef UNSYNC_CLI_RECORD_H
#define UNSYNC_CLI_RECORD_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/cli.h"
#include "collector/assemble.h"
#include "collector/capture.h"
#include "collector/host.h"
#include "collector/keeper.h"
#include "trace/trace.h"

#define RECORD_TARGETS 64
#define SECOND 1000000000ull

/* ---- what was asked for (cli/record_options.c) ---- */

struct record_options {
	const char *output;
	bool force, exact, verbose, quiet, list, all, formatted;
	pid_t pids[RECORD_TARGETS];
	const char *names[RECORD_TARGETS]; /* of VMs */
	unsigned int n_pids, n_names;
	enum cli_format format; /* of the list */
	uint64_t ring_bytes;
	uint64_t duration; /* ns; 0: no limit, as with the next two */
	uint64_t max_size; /* bytes */
	uint64_t max_rate; /* events a second of each VM */
	char **command;	   /* NULL: attach to what runs */
};

/* Returns whether to go on; else @status is the exit status. */
bool record_parse(int argc, char **argv, struct record_options *opt, int *status);

/* ---- the command (cli/record_command.c) ---- */

/* A command that waits to be let go. */
struct record_command {
	pid_t pid;   /* 0: none, or it has ended */
	int go;	     /* writing here lets it start */
	int failure; /* tells errno if it could not */
	int status;  /* as wait() has it, once it has ended */
	bool ended;
};

/* Before anything is attached or touched: is there such a command? Returns 0 or -1. */
int command_check(char *const *argv, struct ut_error *err);

/* Catches the signals that end a recording, and says which came; 0: none. */
void command_catch_signals(void);
int command_interrupted(void);

/*
 * Forks, with the privileges of now and with the signals as they were before they were caught.
 * @own_stdout: it writes to standard error instead.
 */
int command_prepare(struct record_command *c, char *const *argv, bool own_stdout,
		    struct ut_error *err);
int command_release(struct record_command *c, const char *name, struct ut_error *err);
void command_reap(struct record_command *c, int flags);

/* One that was never let go ends. */
void command_drop(struct record_command *c);

/* ---- machines that run already (cli/record_targets.c) ---- */

struct record_targets {
	pid_t pids[RECORD_TARGETS];
	int fds[RECORD_TARGETS]; /* become readable when the process ends; -1: it has */
	unsigned int n;
};

/* unsync record --list. Returns the exit status. */
int targets_list(const struct host *host, enum cli_format format);

/*
 * Processes of the VMs that were asked for by process or name. Returns 0, or -1 if one is not there
 * or has no VM with shadow pages. Release with targets_close() in any case.
 */
int targets_find(struct record_targets *t, const struct record_options *opt,
		 const struct host *host, struct ut_error *err);

/* Have all of them ended? Never waits. */
bool targets_ended(struct record_targets *t);
void targets_close(struct record_targets *t);

/* ---- the file (cli/record_output.c) ---- */

/* A trace gets its name when there is something in it: until then what it replaces stays. */
struct record_output {
	int fd;		 /* -1 once it belongs to a writer */
	char *temporary; /* NULL: a device, a pipe, standard output */
	char *final;
	bool placed;
};

/* Can a trace be written there, as far as looking tells? Returns 0 or -1. */
int output_check(const char *path, bool force, struct ut_error *err);

int output_open(struct record_output *o, const char *path, struct ut_error *err);
int output_place(struct record_output *o, const char *path, struct keeper *k, struct ut_error *err);
void output_close(struct record_output *o);

/* ---- what the user is told (cli/record_summary.c) ---- */

struct record_counts {
	uint64_t events, lost;
	uint64_t cut;	   /* of the lost ones, those beyond --max-size */
	unsigned int seen; /* VMs in all */
	unsigned int vms;  /* VMs now */
	struct {
		uint16_t vm, vcpu;
	} * vcpus; /* now */
	size_t n_vcpus, room;
};

/* Takes what an event tells. Returns 0, or -1 without memory. */
int counts_take(struct record_counts *n, const struct ut_event *e);
void counts_free(struct record_counts *n);

/* The line that is drawn again and again, on a terminal only. */
struct record_status {
	bool wanted, drawn;
	uint64_t time, events; /* when it was drawn last */
};

void status_draw(struct record_status *s, const struct record_counts *n, uint64_t bytes,
		 uint64_t elapsed);
void status_wipe(struct record_status *s);

/* One line on all hooks that are missing, or with -v one for each. */
void summary_hooks(const struct capture *c, const struct record_options *opt);

struct record_summary {
	const struct record_options *opt;
	const struct record_counts *counts;
	const struct assembler_counts *assembled;
	uint64_t bytes;
	uint64_t bpf_ns; /* 0: the kernel does not count it */
	bool full;	 /* --max-size was reached */
};

void summary_print(const struct record_summary *s);

#endif
