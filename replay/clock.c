// SPDX-License-Identifier: GPL-2.0-only
#include "replay/clock.h"

#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#include <x86intrin.h>
#define HAVE_TSC 1
#endif

#define CALIBRATION_NS 50000000
#define BATCHES 501
#define BATCH 64
#define PAIR_TRIES 32

static uint64_t read_monotonic(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

#ifdef HAVE_TSC
/* Fenced on both sides: neither may earlier work still run, nor later work have begun. */
static uint64_t read_tsc(void)
{
	uint64_t t;

	_mm_lfence();
	t = __rdtsc();
	_mm_lfence();
	return t;
}

/* CPUID 8000_0007h EDX bit 8: the counter's rate does not change with frequency or sleep. */
static bool tsc_is_invariant(void)
{
	unsigned int a, b, c, d;

	return __get_cpuid(0x80000007, &a, &b, &c, &d) && (d & (1u << 8));
}
#endif

/* Both clocks at the same moment: of several tries, the one with the least time in between. */
static void read_pair(uint64_t (*read)(void), uint64_t *ticks, uint64_t *ns)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < PAIR_TRIES; i++) {
		uint64_t before = read_monotonic();
		uint64_t t = read();
		uint64_t after = read_monotonic();

		if (after - before < best) {
			best = after - before;
			*ticks = t;
			*ns = before + (after - before) / 2;
		}
	}
}

static double calibrate(uint64_t (*read)(void))
{
	struct timespec pause = { .tv_nsec = CALIBRATION_NS };
	uint64_t t0 = 0, t1 = 0, ns0 = 0, ns1 = 0;

	read_pair(read, &t0, &ns0);
	while (nanosleep(&pause, &pause))
		;
	read_pair(read, &t1, &ns1);
	return t1 > t0 ? (double)(ns1 - ns0) / (double)(t1 - t0) : 0;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/*
 * A counter may advance in steps of more than one tick. The smallest difference between two times
 * that passed shows the step even if a reading takes longer than that.
 */
static void measure_cost(struct ur_clock *clock)
{
	uint64_t batches[BATCHES];
	uint64_t step = UINT64_MAX, before = 0, median;

	for (int i = 0; i < BATCHES; i++) {
		uint64_t first = clock->read();
		uint64_t last = first;

		for (int k = 0; k < BATCH; k++) {
			uint64_t now = clock->read();
			uint64_t passed = now - last;
			uint64_t apart = passed > before ? passed - before : before - passed;

			if (apart && apart < step)
				step = apart;
			before = passed;
			last = now;
		}
		batches[i] = last - first;
	}
	qsort(batches, BATCHES, sizeof(batches[0]), compare_u64);
	median = batches[BATCHES / 2];
	clock->overhead_ticks = (double)median / BATCH;
	clock->resolution_ticks = step == UINT64_MAX ? 1 : (double)step;
}

void ur_clock_init(struct ur_clock *clock)
{
	*clock = (struct ur_clock){ .source = "monotonic",
				    .read = read_monotonic,
				    .ns_per_tick = 1 };
#ifdef HAVE_TSC
	if (tsc_is_invariant()) {
		double rate = calibrate(read_tsc);

		/* From 100 MHz to 20 GHz; anything else is an emulator that does not mean it. */
		if (rate > 0.05 && rate < 10)
			*clock = (struct ur_clock){ .source = "tsc",
						    .read = read_tsc,
						    .ns_per_tick = rate };
	}
#endif
	measure_cost(clock);
}

uint64_t ur_clock_net(const struct ur_clock *clock, uint64_t ticks)
{
	int64_t net = (int64_t)ticks - (int64_t)(clock->overhead_ticks + 0.5);

	return (int64_t)ticks > 0 && net > 0 ? (uint64_t)net : 0;
}
