/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Threads that share out jobs which have nothing to do with each other. Whoever asks takes part, and goes on
 * when all are done, so nothing outside of the jobs ever runs beside them.
 */
#ifndef UNSYNC_REPLAY_TEAM_H
#define UNSYNC_REPLAY_TEAM_H

#include <stddef.h>

struct ur_team;

/**
 * ur_team_create() - get threads ready
 * @threads: at least 1, the caller's among them; fewer come if the system gives no more
 *
 * Return: to be given to ur_team_free(); NULL if out of memory.
 */
struct ur_team *ur_team_create(unsigned int threads);

/**
 * ur_team_free() - end the threads; NULL is allowed
 */
void ur_team_free(struct ur_team *team);

/**
 * ur_team_run() - do jobs 0 to @n - 1, each once, by whatever thread is free
 * @team: the threads
 * @job: does one; runs beside others
 * @n: how many jobs
 * @after: called by the caller's own thread after each job that it did, while others may run; or NULL
 * @ctx: given to @job and @after
 */
void ur_team_run(struct ur_team *team, void (*job)(void *ctx, size_t i), size_t n,
		 void (*after)(void *ctx), void *ctx);

#endif
