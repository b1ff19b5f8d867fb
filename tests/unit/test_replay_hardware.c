// SPDX-License-Identifier: GPL-2.0-only
/* The processor's counters: where they open, where they do not, and where only some do. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "replay/measured.h"

/* ---- a kernel of our own ---- */

static int refuse_with;	       /* errno of every open; 0: they succeed */
static uint64_t refuse_config; /* of only this one, if there is one */
static unsigned int opened, closed;
static struct ur_reading shown; /* by every counter; its value times the handle */

static int fake_open(const struct perf_event_attr *attr)
{
	assert_int_equal(attr->size, sizeof(*attr));
	assert_true(attr->exclude_kernel && attr->exclude_hv);
	assert_int_equal(attr->read_format,
			 PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING);
	if (refuse_with && (!refuse_config || refuse_config == attr->config)) {
		errno = refuse_with;
		return -1;
	}
	return (int)++opened;
}

static int fake_read(int fd, struct ur_reading *r)
{
	*r = shown;
	r->value *= (uint64_t)fd;
	return shown.enabled ? 0 : -1;
}

static void fake_close(int fd)
{
	assert_in_range(fd, 1, opened);
	closed++;
}

static const struct ur_hardware_ops fake = { .open = fake_open,
					     .read = fake_read,
					     .close = fake_close };

static int start_anew(void **state)
{
	(void)state;
	refuse_with = 0;
	refuse_config = 0;
	opened = closed = 0;
	shown = (struct ur_reading){ 0 };
	return 0;
}

/* ---- tests ---- */

static void all_open(void **state)
{
	struct ur_hardware hw;

	(void)state;
	ur_hardware_open(&hw, &fake);
	assert_int_equal(hw.n, UR_HW_END);
	for (unsigned int e = 0; e < UR_HW_END; e++) {
		assert_true(hw.fd[e] > 0);
		assert_string_equal(hw.why[e], "");
	}
	ur_hardware_close(&hw);
	assert_int_equal(closed, UR_HW_END);
	assert_int_equal(hw.n, 0);
}

/* Each reason names the error, for whoever looks it up, and what to do. */
static void none_opens(void **state)
{
	static const struct {
		int error;
		const char *name, *remedy;
	} cases[] = {
		{ ENOENT, "ENOENT", "pmu=on" },
		{ EOPNOTSUPP, "NOTSUP", "pmu=on" },
		{ EACCES, "EACCES", "sysctl kernel.perf_event_paranoid=2" },
		{ EPERM, "EPERM", "sysctl kernel.perf_event_paranoid=2" },
		{ ENOSYS, "ENOSYS", "CONFIG_PERF_EVENTS" },
		{ EBUSY, "EBUSY", "nmi_watchdog" },
		{ EMFILE, "EMFILE", "Too many open files" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ur_hardware hw;

		refuse_with = cases[i].error;
		ur_hardware_open(&hw, &fake);
		assert_int_equal(hw.n, 0);
		for (unsigned int e = 0; e < UR_HW_END; e++) {
			assert_int_equal(hw.fd[e], -1);
			assert_non_null(strstr(hw.why[e], cases[i].name));
			assert_non_null(strstr(hw.why[e], cases[i].remedy));
			assert_null(strchr(hw.why[e], '\n'));
		}
		ur_hardware_close(&hw);
	}
	assert_int_equal(closed, 0);
}

static void some_open(void **state)
{
	struct ur_hardware_sum now;
	struct ur_hardware hw;

	(void)state;
	refuse_with = ENOENT;
	refuse_config = PERF_COUNT_HW_INSTRUCTIONS;
	ur_hardware_open(&hw, &fake);
	assert_int_equal(hw.n, UR_HW_END - 1);
	assert_int_equal(hw.fd[UR_HW_instructions], -1);
	assert_non_null(strstr(hw.why[UR_HW_instructions], "ENOENT"));
	shown = (struct ur_reading){ .value = 10, .enabled = 7, .running = 7 };
	ur_hardware_read(&hw, &now);
	assert_int_equal(now.of[UR_HW_cycles].value, 10 * hw.fd[UR_HW_cycles]);
	assert_int_equal(now.of[UR_HW_instructions].value, 0);
	assert_int_equal(now.of[UR_HW_instructions].enabled, 0);
	ur_hardware_close(&hw);
	assert_int_equal(closed, UR_HW_END - 1);
}

static void differences_add_up(void **state)
{
	struct ur_hardware_sum before, after, sum = { 0 };
	struct ur_hardware hw;
	double count;

	(void)state;
	ur_hardware_open(&hw, &fake);
	for (unsigned int i = 0; i < 3; i++) {
		shown = (struct ur_reading){ .value = 1000 + 100 * i,
					     .enabled = 5000 + 100 * i,
					     .running = 2000 + 50 * i };
		ur_hardware_read(&hw, &before);
		shown.value += 20;
		shown.enabled += 40;
		shown.running += 10;
		ur_hardware_read(&hw, &after);
		ur_hardware_add(&sum, &before, &after);
	}
	for (unsigned int e = 0; e < UR_HW_END; e++) {
		assert_int_equal(sum.of[e].value, 3 * 20 * (uint64_t)hw.fd[e]);
		/* On the processor for a quarter of the time only. */
		assert_true(ur_hardware_count(&sum.of[e], &count));
		assert_true(fabs(count - 4.0 * 60 * hw.fd[e]) < 1e-9);
	}
	ur_hardware_close(&hw);
}

/* A reading that fails at either end of a stretch leaves the stretch out, it does not count it from 0. */
static void failed_readings_are_left_out(void **state)
{
	const struct ur_hardware_sum ok = { .of = { { 500, 400, 400 } } };
	const struct ur_hardware_sum later = { .of = { { 600, 500, 500 } } };
	const struct ur_hardware_sum failed = { 0 };
	struct ur_hardware_sum sum = { 0 };
	double count;

	(void)state;
	ur_hardware_add(&sum, &failed, &later);
	ur_hardware_add(&sum, &ok, &failed);
	assert_int_equal(sum.of[0].value, 0);
	assert_false(ur_hardware_count(&sum.of[0], &count));
	ur_hardware_add(&sum, &ok, &later);
	assert_true(ur_hardware_count(&sum.of[0], &count));
	assert_true(fabs(count - 100) < 1e-9);
}

static void no_turn_in_a_pass_is_no_count(void **state)
{
	struct ur_measured *m = ur_measured_new(2, true);
	double v[2];

	(void)state;
	assert_non_null(m);
	m->hardware[0].of[UR_HW_cycles] = (struct ur_reading){ 50, 10, 5 };
	assert_false(ur_hardware_counts(m, UR_HW_cycles, v));
	m->hardware[1].of[UR_HW_cycles] = (struct ur_reading){ 70, 10, 10 };
	assert_true(ur_hardware_counts(m, UR_HW_cycles, v));
	assert_true(fabs(v[0] - 100) < 1e-9 && fabs(v[1] - 70) < 1e-9);
	assert_false(ur_hardware_counts(m, UR_HW_llc_misses, v));
	ur_measured_free(m);
	m = ur_measured_new(2, false);
	assert_false(ur_hardware_counts(m, UR_HW_cycles, v));
	ur_measured_free(m);
}

/* ---- the real kernel, with a counter that needs no hardware ---- */

static int open_software(const struct perf_event_attr *attr)
{
	struct perf_event_attr software = *attr;

	software.type = PERF_TYPE_SOFTWARE;
	software.config = PERF_COUNT_SW_TASK_CLOCK;
	return (int)syscall(SYS_perf_event_open, &software, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static void the_kernel_counts(void **state)
{
	struct ur_hardware_sum before, after, sum = { 0 };
	struct ur_hardware kernel, hw;
	struct ur_hardware_ops ops;
	struct ur_hardware_sum work;
	double count;

	(void)state;
	ur_hardware_open(&kernel, NULL);
	ops = *kernel.ops;
	ur_hardware_close(&kernel);
	ops.open = open_software;
	ur_hardware_open(&hw, &ops);
	if (!hw.n) {
		print_message("not even software events open here: %s\n", hw.why[0]);
		skip();
	}
	ur_hardware_read(&hw, &before);
	for (unsigned int i = 0; i < 1000; i++)
		ur_hardware_read(&hw, &work);
	ur_hardware_read(&hw, &after);
	ur_hardware_add(&sum, &before, &after);
	for (unsigned int e = 0; e < UR_HW_END; e++) {
		assert_true(ur_hardware_count(&sum.of[e], &count));
		/* Nanoseconds of this thread: four thousand readings are some milliseconds. */
		assert_true(count > 100000 && count < 1e11);
	}
	ur_hardware_close(&hw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(all_open, start_anew),
		cmocka_unit_test_setup(none_opens, start_anew),
		cmocka_unit_test_setup(some_open, start_anew),
		cmocka_unit_test_setup(differences_add_up, start_anew),
		cmocka_unit_test_setup(failed_readings_are_left_out, start_anew),
		cmocka_unit_test_setup(no_turn_in_a_pass_is_no_count, start_anew),
		cmocka_unit_test_setup(the_kernel_counts, start_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
