// SPDX-License-Identifier: GPL-2.0-only
/* Jobs shared out among threads: each is done once, and none is left when the caller goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "replay/team.h"

#define MAX_JOBS 300

struct round {
	atomic_uint times[MAX_JOBS], own; /* jobs; of these, done by the caller's own thread */
	pthread_t caller;
	unsigned int told; /* how often the caller was called back */
};

static void job(void *ctx, size_t i)
{
	struct round *r = ctx;

	r->times[i]++;
	if (pthread_equal(pthread_self(), r->caller))
		r->own++;
}

static void after(void *ctx)
{
	struct round *r = ctx;

	assert_true(pthread_equal(pthread_self(), r->caller));
	r->told++;
}

static void play(struct ur_team *team, size_t n)
{
	struct round r = { .caller = pthread_self() };

	ur_team_run(team, job, n, after, &r);
	for (size_t i = 0; i < MAX_JOBS; i++)
		assert_int_equal(r.times[i], i < n);
	assert_int_equal(r.told, r.own);
}

static void test_each_once(void **state)
{
	static const size_t jobs[] = { 0, 1, 2, 7, MAX_JOBS };
	static const unsigned int threads[] = { 1, 2, 9 };

	(void)state;
	for (size_t t = 0; t < sizeof(threads) / sizeof(threads[0]); t++) {
		struct ur_team *team = ur_team_create(threads[t]);

		assert_non_null(team);
		for (unsigned int round = 0; round < 200; round++)
			play(team, jobs[round % (sizeof(jobs) / sizeof(jobs[0]))]);
		ur_team_free(team);
	}
	ur_team_free(NULL);
}

/* With one thread, it is the caller's, and the jobs come in order. */
static void in_order(void *ctx, size_t i)
{
	size_t *next = ctx;

	assert_int_equal(i, *next);
	(*next)++;
}

static void test_alone(void **state)
{
	struct ur_team *team = ur_team_create(1);
	size_t next = 0;

	(void)state;
	assert_non_null(team);
	ur_team_run(team, in_order, 20, NULL, &next);
	assert_int_equal(next, 20);
	ur_team_free(team);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_once),
		cmocka_unit_test(test_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
