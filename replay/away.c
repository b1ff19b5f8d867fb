// SPDX-License-Identifier: GPL-2.0-only
#include "replay/away.h"

#include <time.h>

#define CALIBRATIONS 101

static uint64_t thread_time(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Some systems count processor time by the timer's tick: of that, absences cannot be told. */
static bool is_coarse(const struct ur_away *a)
{
	for (int i = 0; i < CALIBRATIONS; i++) {
		uint64_t before = a->cpu_ns(), now = before;

		for (int k = 0; k < CALIBRATIONS && now == before; k++)
			now = a->cpu_ns();
		if (now != before && (double)(now - before) < UR_AWAY_NOISE_NS)
			return false;
	}
	return true;
}

/* The least of many: whatever made the others longer is no cost of looking. */
static double cost_of_looking(const struct ur_away *a)
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < CALIBRATIONS; i++) {
		uint64_t start = a->clock->read(), ticks;

		a->cpu_ns();
		ticks = a->clock->read() - start;
		if (ticks < least)
			least = ticks;
	}
	return (double)least;
}

void ur_away_init(struct ur_away *a, const struct ur_clock *clock, uint64_t (*cpu_ns)(void))
{
	*a = (struct ur_away){ .clock = clock, .cpu_ns = cpu_ns ? cpu_ns : thread_time };
	a->long_ticks = (uint64_t)(UR_AWAY_LONG_NS / clock->ns_per_tick);
	a->look_ticks = cost_of_looking(a);
	a->blind = is_coarse(a);
	ur_away_begin(a);
}

static double look(struct ur_away *a)
{
	uint64_t cpu = a->cpu_ns(), now = a->clock->read();
	double worked = (double)(cpu - a->cpu) / a->clock->ns_per_tick;
	double away = (double)(now - a->looked) - worked;

	a->cpu = cpu;
	a->looked = a->seen = now;
	a->looks++;
	if (a->blind || away * a->clock->ns_per_tick < UR_AWAY_NOISE_NS)
		return 0;
	a->sum += away;
	return away;
}

void ur_away_begin(struct ur_away *a)
{
	a->cpu = a->cpu_ns();
	a->looked = a->seen = a->clock->read();
	a->looks = a->glances = 0;
	a->sum = 0;
}

void ur_away_glance(struct ur_away *a)
{
	uint64_t now = a->clock->read();

	a->glances++;
	if (now - a->seen > a->long_ticks)
		look(a);
	else
		a->seen = now;
}

double ur_away_during(struct ur_away *a, uint64_t ticks)
{
	double around, away;

	if (ticks < a->long_ticks)
		return 0;
	around = (double)(a->clock->read() - a->seen) - (double)ticks;
	a->glances++;
	away = look(a);
	if (around >= away)
		return 0;
	return away < (double)ticks ? away : (double)ticks;
}

double ur_away_end(struct ur_away *a)
{
	look(a);
	return a->sum;
}

double ur_away_cost(const struct ur_away *a)
{
	return a->looks * a->look_ticks + a->glances * a->clock->overhead_ticks;
}
