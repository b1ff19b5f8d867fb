// SPDX-License-Identifier: GPL-2.0-only
#include "gen/gen.h"

#include <inttypes.h>
#include <stddef.h>

#include "gen/guest.h"

#define AT(name) offsetof(struct ug_options, name)

/* By default every table is like those of the recorded traces: a few entries changed of some dozens. */
static const struct ug_parameter parameters[] = {
	{ "tables", "last-level tables changed before each CR3 write", 1, 16384, 8, AT(tables) },
	{ "changed", "entries changed in each of them", 1, 1024, 4, AT(changed) },
	{ "entries", "entries in use in each last-level table", 1, 1024, 64, AT(entries) },
	{ "roots", "roots that take turns", 1, 1024, 1, AT(roots) },
	{ "share", "level up to which tables are the same for all roots; 0: none are", 0, 4, 1,
	  AT(share) },
	{ "levels", "of paging: 2 (32 bit), 3 (PAE), 4 or 5", 2, 5, 4, AT(levels) },
	{ "branch", "level at which the ways to the last-level tables part", 2, 5, 2, AT(branch) },
	{ "rounds", "CR3 writes", 1, UG_MAX_ROUNDS, 64, AT(rounds) },
	{ "seed", "for which entries, which order, which pages", 0, UINT64_MAX, 1, AT(seed) },
	{ 0 }
};

static const char *const changes[] = {
	[UG_PROTECT] = "protect",
	[UG_MOVE] = "move",
	[UG_UNMAP] = "unmap",
};

const struct ug_parameter *ug_parameters(void)
{
	return parameters;
}

const char *ug_change_name(unsigned int change)
{
	return change < UG_CHANGE_END ? changes[change] : NULL;
}

void ug_defaults(struct ug_options *o)
{
	*o = (struct ug_options){ .change = UG_PROTECT };
	for (const struct ug_parameter *p = parameters; p->name; p++)
		*(uint64_t *)((char *)o + p->offset) = p->def;
}

int ug_check(const struct ug_options *o, struct ut_error *err)
{
	const struct ug_mode *m = ug_mode((unsigned int)o->levels);
	uint64_t room = ug_room(m, (unsigned int)o->branch);

	if (o->entries > 1ull << m->bits)
		return ut_error_set(err,
				    "--entries %" PRIu64
				    ": with %u levels a table has %u entries; give fewer",
				    o->entries, m->levels, 1u << m->bits);
	if (o->changed > o->entries)
		return ut_error_set(
			err, "--changed %" PRIu64 ": only %" PRIu64 " are in use, see --entries",
			o->changed, o->entries);
	if (o->branch > m->levels)
		return ut_error_set(err, "--branch %" PRIu64 ": there are %u levels; give fewer",
				    o->branch, m->levels);
	if (o->share >= m->levels)
		return ut_error_set(
			err, "--share %" PRIu64 ": roots are at level %u; give a lower level",
			o->share, m->levels);
	if (o->tables > room)
		return ut_error_set(err,
				    "--tables %" PRIu64 ": there is room for %" PRIu64
				    " with %u levels and --branch %" PRIu64 "; give fewer of them",
				    o->tables, room, m->levels, o->branch);
	if (ug_count_tables(o) > UG_MAX_TABLES)
		return ut_error_set(err,
				    "the guest would have %" PRIu64
				    " tables, at most %u will do; give fewer --tables or --roots, "
				    "or a lower --branch",
				    ug_count_tables(o), UG_MAX_TABLES);
	return 0;
}
