// SPDX-License-Identifier: GPL-2.0-only
/* The clock runs, forwards, at the rate that it says, and knows its own cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "replay/clock.h"

static struct ur_clock clk;

static int set_up(void **state)
{
	(void)state;
	ur_clock_init(&clk);
	return 0;
}

static uint64_t monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void it_is_filled_in(void **state)
{
	(void)state;
	assert_true(!strcmp(clk.source, "tsc") || !strcmp(clk.source, "monotonic"));
	assert_non_null(clk.read);
	assert_true(clk.ns_per_tick > 0.05 && clk.ns_per_tick < 10);
	assert_true(clk.overhead_ticks > 0);
	assert_true(clk.overhead_ticks * clk.ns_per_tick < 20000);
	assert_true(clk.resolution_ticks >= 1);
}

static void it_never_runs_backwards(void **state)
{
	uint64_t last = clk.read();

	(void)state;
	for (int i = 0; i < 100000; i++) {
		uint64_t now = clk.read();

		assert_true(now >= last);
		last = now;
	}
}

/* Best of several tries: somebody else may take the processor in between the two clocks. */
static void its_rate_is_right(void **state)
{
	struct timespec pause = { .tv_nsec = 20000000 };
	double best = 1;

	(void)state;
	for (int i = 0; i < 10 && best > 0.001; i++) {
		uint64_t ns = monotonic_ns(), ticks = clk.read();
		double error;

		nanosleep(&pause, NULL);
		ticks = clk.read() - ticks;
		ns = monotonic_ns() - ns;
		error = (double)ticks * clk.ns_per_tick / (double)ns - 1;
		if (error < 0)
			error = -error;
		if (error < best)
			best = error;
	}
	assert_true(best <= 0.001);
}

static void its_cost_is_taken_off(void **state)
{
	const struct ur_clock c = { .overhead_ticks = 40.4 };

	(void)state;
	assert_int_equal(ur_clock_net(&c, 1000), 960);
	assert_int_equal(ur_clock_net(&c, 40), 0);
	assert_int_equal(ur_clock_net(&c, 0), 0);
	assert_int_equal(ur_clock_net(&c, (uint64_t)-5), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_filled_in),
		cmocka_unit_test(it_never_runs_backwards),
		cmocka_unit_test(its_rate_is_right),
		cmocka_unit_test(its_cost_is_taken_off),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
