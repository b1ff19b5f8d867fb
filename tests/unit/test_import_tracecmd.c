// SPDX-License-Identifier: GPL-2.0-only
/* Holds our reader of trace.dat to libtracecmd: the same records of each CPU, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <trace-cmd.h>
#include <unistd.h>
#include <xxhash.h>

#include "import/tracedat.h"

#define CPUS 64

/* Sums, for those of several buffers of one CPU come in an order of their own. */
struct seen {
	uint64_t records[CPUS], hash[CPUS], lost, last;
};

static char **files;
static int n_files;

static uint64_t hash_record(uint64_t time, const void *data, size_t size)
{
	return XXH64(data, size, time);
}

static int take_format(void *arg, const char *system, const char *text, size_t size)
{
	(void)arg;
	(void)system;
	(void)text;
	(void)size;
	return 0;
}

static int take_record(void *arg, const struct import_record *r)
{
	struct seen *s = arg;

	assert_true(r->cpu < CPUS);
	assert_true(r->time >= s->last);
	s->last = r->time;
	s->records[r->cpu]++;
	s->hash[r->cpu] += hash_record(r->time, r->data, r->size);
	return 0;
}

static int take_lost(void *arg, uint64_t time, uint32_t cpu, uint64_t count)
{
	struct seen *s = arg;

	(void)time;
	(void)cpu;
	(void)count;
	s->lost++;
	return 0;
}

static int take_thread(void *arg, uint32_t tid, uint32_t pid, const char *name)
{
	(void)arg;
	(void)tid;
	(void)pid;
	assert_true(*name);
	return 0;
}

static int take_fact(void *arg, enum import_fact fact, const char *value)
{
	(void)arg;
	(void)fact;
	assert_true(*value);
	return 0;
}

static void read_ours(const char *path, struct seen *s)
{
	struct import_sink sink = { .format = take_format,
				    .record = take_record,
				    .lost = take_lost,
				    .thread = take_thread,
				    .fact = take_fact,
				    .arg = s };
	struct ut_error err = { "" };
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	if (tracedat_read(fd, path, &sink, &err))
		fail_msg("%s", err.text);
	close(fd);
}

static void read_buffer(struct tracecmd_input *t, struct seen *s)
{
	struct tep_record *r;

	for (int cpu = 0; cpu < CPUS; cpu++) {
		while ((r = tracecmd_read_data(t, cpu))) {
			s->records[cpu]++;
			s->hash[cpu] += hash_record(r->ts, r->data, (size_t)r->size);
			s->lost += r->missed_events != 0;
			tracecmd_free_record(r);
		}
	}
}

static void read_theirs(const char *path, struct seen *s)
{
	struct tracecmd_input *t = tracecmd_open(path, TRACECMD_FL_LOAD_NO_PLUGINS), *buffer;

	assert_non_null(t);
	read_buffer(t, s);
	for (int i = 0; i < tracecmd_buffer_instances(t); i++) {
		buffer = tracecmd_buffer_instance_handle(t, i);
		assert_non_null(buffer);
		read_buffer(buffer, s);
		tracecmd_close(buffer);
	}
	tracecmd_close(t);
}

static void test_same(void **state)
{
	(void)state;
	assert_true(n_files > 5);
	for (int i = 0; i < n_files; i++) {
		struct seen ours = { .lost = 0 }, theirs = { .lost = 0 };
		uint64_t all = 0;

		read_ours(files[i], &ours);
		read_theirs(files[i], &theirs);
		for (int cpu = 0; cpu < CPUS; cpu++) {
			if (ours.records[cpu] != theirs.records[cpu] ||
			    ours.hash[cpu] != theirs.hash[cpu])
				fail_msg(
					"%s: CPU %d: %llu records, libtracecmd has %llu, or others",
					files[i], cpu, (unsigned long long)ours.records[cpu],
					(unsigned long long)theirs.records[cpu]);
			all += ours.records[cpu];
		}
		assert_true(all > 10);
		/* Ours has a word more where counts say what no page does. */
		assert_true(ours.lost >= theirs.lost);
		assert_true(!ours.lost == !theirs.lost);
	}
}

/* What these two do not free is theirs; of us, the sanitizer shall tell. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libtracecmd.so\nleak:libtraceevent.so\nleak:__vfscanf_internal\n";
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_same) };

	files = argv + 1;
	n_files = argc - 1;
	tracecmd_set_loglevel(TEP_LOG_NONE);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
