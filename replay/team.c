// SPDX-License-Identifier: GPL-2.0-only
#include "replay/team.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct ur_team {
	pthread_mutex_t lock;
	pthread_cond_t begin, end;
	pthread_t *threads;
	unsigned int n_threads; /* beside the caller */
	/* The round under way; all under the lock. */
	void (*job)(void *ctx, size_t i);
	void *ctx;
	size_t n, next, done;
	bool over; /* no more rounds */
};

/* Return: whether there was a job left. */
static bool do_one(struct ur_team *t)
{
	size_t i;

	if (t->next >= t->n)
		return false;
	i = t->next++;
	pthread_mutex_unlock(&t->lock);
	t->job(t->ctx, i);
	pthread_mutex_lock(&t->lock);
	if (++t->done == t->n)
		pthread_cond_signal(&t->end);
	return true;
}

static void *work(void *ctx)
{
	struct ur_team *t = ctx;

	pthread_mutex_lock(&t->lock);
	while (!t->over) {
		if (!do_one(t))
			pthread_cond_wait(&t->begin, &t->lock);
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

struct ur_team *ur_team_create(unsigned int threads)
{
	struct ur_team *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->threads = calloc(threads, sizeof(*t->threads));
	if (!t->threads) {
		free(t);
		return NULL;
	}
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->begin, NULL);
	pthread_cond_init(&t->end, NULL);
	while (t->n_threads + 1 < threads &&
	       !pthread_create(&t->threads[t->n_threads], NULL, work, t))
		t->n_threads++;
	return t;
}

void ur_team_free(struct ur_team *t)
{
	if (!t)
		return;
	pthread_mutex_lock(&t->lock);
	t->over = true;
	pthread_cond_broadcast(&t->begin);
	pthread_mutex_unlock(&t->lock);
	for (unsigned int i = 0; i < t->n_threads; i++)
		pthread_join(t->threads[i], NULL);
	pthread_cond_destroy(&t->begin);
	pthread_cond_destroy(&t->end);
	pthread_mutex_destroy(&t->lock);
	free(t->threads);
	free(t);
}

void ur_team_run(struct ur_team *t, void (*job)(void *ctx, size_t i), size_t n,
		 void (*after)(void *ctx), void *ctx)
{
	pthread_mutex_lock(&t->lock);
	t->job = job;
	t->ctx = ctx;
	t->next = t->done = 0;
	t->n = n;
	pthread_cond_broadcast(&t->begin);
	while (do_one(t)) {
		if (!after)
			continue;
		pthread_mutex_unlock(&t->lock);
		after(ctx);
		pthread_mutex_lock(&t->lock);
	}
	while (t->done < t->n)
		pthread_cond_wait(&t->end, &t->lock);
	pthread_mutex_unlock(&t->lock);
}
