// SPDX-License-Identifier: GPL-2.0-only
#include "replay/floor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS (UR_FLOOR_TABLE / sizeof(uint64_t))
#define MAX_CACHES (UR_FLOOR_LEVELS - 1)
#define MAX_INDEX 16	/* caches that the system may list, those of instructions included */
#define STRETCHES 8u	/* of which the fastest counts */
#define FEW_READS 256u	/* tables in one, at least: long against the clock */
#define BEYOND 4u	/* times the last cache, where there is memory */
#define BEYOND_LEAST 2u /* times the last cache: what is read next is gone by then */
#define BEYOND_BYTES (256u << 20) /* enough for all but the largest caches */
#define GOLDEN 0.6180339887498949 /* of a set: steps that come back late and far apart */

/* What a cache is taken to have if nobody tells. */
static const uint64_t usual[] = { 32u << 10, 1u << 20, 16u << 20 };

/* ---- caches ---- */

static bool read_word(unsigned int index, const char *name, char *word, size_t len)
{
	char path[96];
	FILE *f;
	bool ok;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu0/cache/index%u/%s", index, name);
	f = fopen(path, "r");
	if (!f)
		return false;
	ok = fgets(word, (int)len, f);
	fclose(f);
	return ok;
}

static uint64_t parse_size(const char *word)
{
	char *end;
	unsigned long long n = strtoull(word, &end, 10);

	if (*end == 'K')
		return n << 10;
	return *end == 'M' ? n << 20 : n;
}

static void find_cache(uint64_t *sizes, unsigned int index)
{
	char type[32], level[16], size[32];
	unsigned long at;

	if (!read_word(index, "type", type, sizeof(type)) ||
	    !read_word(index, "level", level, sizeof(level)) ||
	    !read_word(index, "size", size, sizeof(size)) || !strncmp(type, "Instruction", 11))
		return;
	at = strtoul(level, NULL, 10);
	if (at >= 1 && at <= MAX_CACHES)
		sizes[at - 1] = parse_size(size);
}

/* A cache too small for a few tables, or no larger than the one before it, is not believed. */
static void add_cache(struct ur_floor *floor, unsigned int number, uint64_t bytes, bool assumed)
{
	struct ur_floor_level *l = &floor->level[floor->n];
	uint64_t before = floor->n ? l[-1].cache : 0;

	if (bytes < 4 * (uint64_t)UR_FLOOR_TABLE || bytes <= before || bytes > SIZE_MAX / 64)
		return;
	snprintf(l->name, sizeof(l->name), "L%u", number);
	l->cache = bytes;
	l->set = bytes / 2 / UR_FLOOR_TABLE * UR_FLOOR_TABLE;
	l->assumed = assumed;
	floor->n++;
}

static void add_caches(struct ur_floor *floor)
{
	uint64_t sizes[MAX_CACHES] = { 0 };

	for (unsigned int i = 0; i < MAX_INDEX; i++)
		find_cache(sizes, i);
	for (unsigned int i = 0; i < MAX_CACHES; i++)
		add_cache(floor, i + 1, sizes[i], false);
	if (floor->n)
		return;
	for (unsigned int i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		add_cache(floor, i + 1, usual[i], true);
}

static void add_memory(struct ur_floor *floor)
{
	struct ur_floor_level *l = &floor->level[floor->n];
	uint64_t last = floor->n ? l[-1].cache : 0;
	uint64_t pages = (uint64_t)sysconf(_SC_PHYS_PAGES), page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t set = BEYOND * last;

	if (set > BEYOND_BYTES)
		set = BEYOND_BYTES > BEYOND_LEAST * last ? BEYOND_BYTES : BEYOND_LEAST * last;
	if (set > pages * page / 4)
		return;
	strcpy(l->name, "memory");
	l->set = set / UR_FLOOR_TABLE * UR_FLOOR_TABLE;
	l->assumed = floor->n && l[-1].assumed;
	floor->n++;
}

/* ---- tables ---- */

struct ur_floor *ur_floor_create(const struct ur_clock *clock)
{
	struct ur_floor *floor = calloc(1, sizeof(*floor));

	if (!floor)
		return NULL;
	floor->clock = clock;
	add_caches(floor);
	add_memory(floor);
	for (unsigned int i = 0; i < floor->n; i++) {
		if (floor->level[i].set > floor->bytes)
			floor->bytes = floor->level[i].set;
	}
	floor->tables = aligned_alloc(UR_FLOOR_TABLE, floor->bytes);
	if (!floor->tables) {
		free(floor);
		return NULL;
	}
	/* Not zero: pages never written to would all be the same one. */
	memset(floor->tables, 0x5a, floor->bytes);
	return floor;
}

void ur_floor_free(struct ur_floor *floor)
{
	if (floor)
		free(floor->tables);
	free(floor);
}

/* ---- reading ---- */

static uint64_t read_table(const uint64_t *t)
{
	uint64_t sum[8] = { 0 };

	for (size_t i = 0; i < WORDS; i += 8) {
		for (size_t k = 0; k < 8; k++)
			sum[k] += t[i + k];
	}
	return sum[0] + sum[1] + sum[2] + sum[3] + sum[4] + sum[5] + sum[6] + sum[7];
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* From one table to the next, so that all of them are read before the first one is again. */
static uint64_t step_of(uint64_t n)
{
	uint64_t step = (uint64_t)((double)n * GOLDEN);

	while (common_divisor(step, n) != 1)
		step++;
	return step;
}

static void read_tables(struct ur_floor *floor, uint64_t n, uint64_t step, uint64_t reads,
			uint64_t *at)
{
	uint64_t table = *at % n;

	for (uint64_t i = 0; i < reads; i++) {
		floor->sum += read_table(floor->tables + table * WORDS);
		table += step;
		if (table >= n)
			table -= n;
	}
	*at = table;
}

static uint64_t last_cache(const struct ur_floor *floor)
{
	uint64_t last = 0;

	for (unsigned int i = 0; i < floor->n; i++) {
		if (floor->level[i].cache > last)
			last = floor->level[i].cache;
	}
	return last;
}

/*
 * Whatever else the machine does meanwhile can make reading longer, never shorter: so the fastest of
 * several stretches is what reading itself takes.
 */
double ur_floor_read(struct ur_floor *floor, uint64_t set, uint64_t *at)
{
	uint64_t n = (set < floor->bytes ? set : floor->bytes) / UR_FLOOR_TABLE;
	uint64_t step, reads = FEW_READS, best = UINT64_MAX;

	n = n ? n : 1;
	step = step_of(n);
	if (n * UR_FLOOR_TABLE < BEYOND_LEAST * last_cache(floor)) {
		read_tables(floor, n, step, n, at);
		reads = n / 4 > reads ? n / 4 : reads;
	}
	for (unsigned int i = 0; i < STRETCHES; i++) {
		uint64_t start = floor->clock->read(), ticks;

		read_tables(floor, n, step, reads, at);
		ticks = ur_clock_net(floor->clock, floor->clock->read() - start);
		if (ticks < best)
			best = ticks;
	}
	return (double)best * floor->clock->ns_per_tick / (double)reads;
}

void ur_floor_round(struct ur_floor *floor, double *ns)
{
	for (unsigned int i = 0; i < floor->n; i++) {
		struct ur_floor_level *l = &floor->level[i];

		ns[i] = ur_floor_read(floor, l->set, &l->at);
	}
}

unsigned int ur_floor_level(const struct ur_floor *floor, uint64_t bytes)
{
	unsigned int i = 0;

	while (i + 1 < floor->n && bytes > floor->level[i].cache)
		i++;
	return i;
}
