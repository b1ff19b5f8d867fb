// SPDX-License-Identifier: GPL-2.0-only
/* Time without a processor: found, given to whom it hit, and not found where there was none. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

#include "replay/measured.h"

/* ---- a world in which time passes as the test wants: two ticks to a nanosecond ---- */

static uint64_t wall, processor;
static unsigned int asked;
static uint64_t creeps; /* what each question takes; 0 but during calibration */

static uint64_t read_wall(void)
{
	return wall;
}

static uint64_t read_processor(void)
{
	asked++;
	processor += creeps;
	wall += 2 * creeps;
	return processor;
}

static const struct ur_clock test_clock = { .read = read_wall, .ns_per_tick = 0.5 };

static void work(uint64_t ns)
{
	wall += 2 * ns;
	processor += ns;
}

static void absent(uint64_t ns)
{
	wall += 2 * ns;
}

static bool near(double ticks, double ns)
{
	return fabs(ticks / 2 - ns) < 1e-6;
}

static struct ur_away begin(void)
{
	struct ur_away a;

	creeps = 300;
	ur_away_init(&a, &test_clock, read_processor);
	creeps = 0;
	assert_false(a.blind);
	assert_true(near(a.look_ticks, 300));
	ur_away_begin(&a);
	asked = 0;
	return a;
}

/* ---- tests ---- */

static void nobody_was_away(void **state)
{
	struct ur_away a = begin();

	(void)state;
	for (int i = 0; i < 1000; i++) {
		work(20000);
		ur_away_glance(&a);
		assert_true(near(ur_away_during(&a, 2 * 700), 0));
	}
	assert_int_equal(asked, 0); /* nothing took long */
	assert_true(near(ur_away_end(&a), 0));
}

static void something_long_is_not_an_absence(void **state)
{
	struct ur_away a = begin();

	(void)state;
	work(10000);
	ur_away_glance(&a);
	work(3000000);
	assert_true(near(ur_away_during(&a, 2 * 3000000), 0));
	work(400000);
	ur_away_glance(&a);
	assert_int_equal(asked, 2);
	assert_true(near(ur_away_end(&a), 0));
}

static void an_absence_during_a_resync_is_its_own(void **state)
{
	struct ur_away a = begin();

	(void)state;
	work(40000);
	ur_away_glance(&a);
	work(20000);
	/* 1 us, of which the second half comes four milliseconds later */
	work(500);
	absent(4000000);
	work(500);
	assert_true(near(ur_away_during(&a, 2 * 4001000), 4000000));
	assert_true(near(ur_away_end(&a), 4000000));
}

static void an_absence_between_resyncs_is_nobodys(void **state)
{
	struct ur_away a = begin();

	(void)state;
	work(40000);
	ur_away_glance(&a);
	work(20000);
	absent(4000000);
	work(300000); /* a resync that takes so long by itself */
	assert_true(near(ur_away_during(&a, 2 * 300000), 0));
	absent(150000);
	ur_away_glance(&a);
	assert_true(near(ur_away_end(&a), 4150000));
}

static void one_after_the_other(void **state)
{
	struct ur_away a = begin();

	(void)state;
	for (int i = 0; i < 5; i++) {
		absent(1000000);
		assert_true(near(ur_away_during(&a, 2 * 1000000), 1000000));
	}
	assert_true(near(ur_away_end(&a), 5000000));
	ur_away_begin(&a);
	assert_true(near(ur_away_end(&a), 0));
}

/* The clocks are read one after the other, so they never agree to the nanosecond. */
static void noise_is_no_absence(void **state)
{
	struct ur_away a = begin();

	(void)state;
	for (int i = 0; i < 100; i++) {
		work(60000);
		absent(3000);
		ur_away_glance(&a);
	}
	assert_int_equal(asked, 100);
	assert_true(near(ur_away_end(&a), 0));
}

static void looking_has_its_price(void **state)
{
	struct ur_clock c = test_clock;
	struct ur_away a;

	(void)state;
	c.overhead_ticks = 40;
	ur_away_init(&a, &c, read_processor);
	a.look_ticks = 900;
	ur_away_begin(&a);
	assert_true(ur_away_cost(&a) == 0);
	ur_away_glance(&a);
	work(60000);
	ur_away_glance(&a);
	ur_away_end(&a);
	assert_true(fabs(ur_away_cost(&a) - (2 * 40 + 2 * 900)) < 1e-9);
}

/* A system that counts by its timer: what it says is the last tick's. */
static uint64_t read_ticks(void)
{
	work(300);
	return processor / 4000000 * 4000000;
}

static void a_coarse_account_is_not_gone_by(void **state)
{
	struct ur_away a;

	(void)state;
	ur_away_init(&a, &test_clock, read_ticks);
	assert_true(a.blind);
	ur_away_begin(&a);
	for (int i = 0; i < 100; i++) {
		work(1000000);
		assert_true(near(ur_away_during(&a, 2 * 1000000), 0));
	}
	assert_true(near(ur_away_end(&a), 0));
}

static void samples_have_it_taken_off(void **state)
{
	struct ur_measured *m = ur_measured_new(1, false);
	struct ur_stretch stretch = { .samples = 2 };
	const struct ur_stretches stretches = { .of = &stretch, .n = 1 };
	struct um_resync r = { .cause = UM_CAUSE_cr3, .tables = 1, .ticks = 2 * 2000800 };
	struct ur_away a = begin();

	(void)state;
	m->away = &a;
	work(800);
	absent(2000000);
	assert_int_equal(ur_measured_sample(m, &r), 0);
	r.ticks = 2 * 600;
	work(600);
	assert_int_equal(ur_measured_sample(m, &r), 0);
	ur_measured_block(m, &stretches, &test_clock, 0);
	assert_int_equal(m->interrupted[0], 1);
	assert_int_equal(m->resync.max, 2 * 800);
	assert_true(fabs(m->resync_ns[0] - 1400) < 1e-6);
	ur_measured_free(m);
}

/* On this machine: asleep is as good as without a processor. */
static void sleep_is_seen(void **state)
{
	struct timespec pause = { .tv_nsec = 3000000 };
	struct ur_clock clock;
	struct ur_away a;
	uint64_t start;
	double away;

	(void)state;
	ur_clock_init(&clock);
	ur_away_init(&a, &clock, NULL);
	assert_true(a.look_ticks > 0);
	ur_away_begin(&a);
	start = clock.read();
	nanosleep(&pause, NULL);
	away = ur_away_during(&a, clock.read() - start);
	assert_true(away * clock.ns_per_tick > 2.9e6);
	assert_true(away <= (double)(clock.read() - start));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_was_away),
		cmocka_unit_test(something_long_is_not_an_absence),
		cmocka_unit_test(an_absence_during_a_resync_is_its_own),
		cmocka_unit_test(an_absence_between_resyncs_is_nobodys),
		cmocka_unit_test(one_after_the_other),
		cmocka_unit_test(noise_is_no_absence),
		cmocka_unit_test(looking_has_its_price),
		cmocka_unit_test(a_coarse_account_is_not_gone_by),
		cmocka_unit_test(samples_have_it_taken_off),
		cmocka_unit_test(sleep_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
