// SPDX-License-Identifier: GPL-2.0-only
#include "tests/fuzz/told.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

static struct {
	struct story *story;
	struct ut_writer *writer;
	uint64_t events;
	char path[64];
} told;

static int take(void *arg, const struct ut_event *e)
{
	const char *wrong = ut_event_check(e);
	struct ut_error err = { "" };

	(void)arg;
	if (wrong)
		fuzz_broken("an event of kind %u is told that is %s", e->kind, wrong);
	if (ut_writer_add(told.writer, e, &err))
		fuzz_broken("an event of kind %u cannot be written: %s", e->kind, err.text);
	told.events++;
	return 0;
}

struct import_sink *told_begin(void)
{
	const struct story_options options = { .emit = take };
	const struct ut_header header = { .mode = UT_MODE_NATIVE };
	struct ut_error err = { "" };

	told.events = 0;
	snprintf(told.path, sizeof(told.path), "%s", fuzz_file(1, "", 0));
	told.writer = ut_writer_attach(dup(fuzz_descriptor(1)), "trace", &header, &err);
	told.story = story_new(&options);
	if (!told.writer || !told.story)
		fuzz_broken("no story: %s", err.text);
	ut_writer_set_level(told.writer, 1);
	return story_sink(told.story);
}

static void read_again(void)
{
	struct ut_error err = { "" };
	struct ut_reader *r = ut_reader_open(told.path, &err);
	struct ut_block block;
	uint64_t events = 0;
	int ret;

	if (!r)
		fuzz_broken("the trace cannot be read: %s", err.text);
	while ((ret = ut_reader_next(r, &block, &err)) == 1)
		events += block.n;
	if (ret || ut_reader_warning(r) || events != told.events)
		fuzz_broken("the trace is damaged");
	ut_reader_close(r);
}

void told_end(void)
{
	struct ut_error err = { "" };

	if (story_end(told.story, &err))
		fuzz_line(err.text, sizeof(err.text));
	if (story_counts(told.story)->events != told.events)
		fuzz_broken("it counts other events than it told");
	if (ut_writer_close(told.writer, &err))
		fuzz_broken("the trace cannot be written: %s", err.text);
	story_free(told.story);
	if (told.events)
		read_again();
}
