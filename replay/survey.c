// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "replay/survey.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define SUFFIX ".utrace"
#define CHUNK (256u << 10)
#define VCPU_WORDS (65536 / 64)

/* Which vCPUs were seen, a bit each; allocated for the VMs that are there. */
struct vcpu_sets {
	uint64_t *bits[UR_MAX_VMS];
};

int ur_hash_file(const char *path, uint64_t *xxh64, uint64_t *bytes, struct ut_error *err)
{
	XXH64_state_t *state = XXH64_createState();
	unsigned char *chunk = malloc(CHUNK);
	FILE *f = fopen(path, "rb");
	int ret = -1;
	size_t n;

	if (!f) {
		ut_error_set(err, "%s: %s", path, strerror(errno));
		goto out;
	}
	if (!state || !chunk) {
		ut_error_set(err, "%s: out of memory", path);
		goto out;
	}
	XXH64_reset(state, 0);
	*bytes = 0;
	while ((n = fread(chunk, 1, CHUNK, f))) {
		XXH64_update(state, chunk, n);
		*bytes += n;
	}
	if (ferror(f)) {
		ut_error_set(err, "%s: offset %" PRIu64 ": %s", path, *bytes, strerror(errno));
		goto out;
	}
	*xxh64 = XXH64_digest(state);
	ret = 0;
out:
	free(chunk);
	XXH64_freeState(state);
	if (f)
		fclose(f);
	return ret;
}

static char *id_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *id = strdup(slash ? slash + 1 : path);
	size_t len = id ? strlen(id) : 0;

	if (len > strlen(SUFFIX) && !strcmp(id + len - strlen(SUFFIX), SUFFIX))
		id[len - strlen(SUFFIX)] = '\0';
	return id;
}

/* A trace that was made up says so, and how, in lines of the header of their own. */
static int note_parameters(struct ur_survey *s, const struct ut_header *header)
{
	const size_t prefix = strlen(UT_META_SYNTHETIC);

	s->synthetic = calloc(header->n_meta + 1, sizeof(*s->synthetic));
	if (!s->synthetic)
		return -1;
	for (size_t i = 0; i < header->n_meta; i++) {
		const struct ut_meta *m = &header->meta[i];

		if (strncmp(m->key, UT_META_SYNTHETIC, prefix) != 0)
			continue;
		if (asprintf(&s->synthetic[s->n_synthetic], "%s=%s", m->key + prefix, m->value) < 0)
			return -1;
		s->n_synthetic++;
	}
	return 0;
}

static int name_it(struct ur_survey *s, const char *path, const struct ut_header *header,
		   struct ut_error *err)
{
	const char *title = ut_header_get(header, "workload");
	const char *kernel = ut_header_get(header, "kernel");

	s->mode = header->mode;
	s->path = strdup(path);
	s->id = id_of(path);
	s->kernel = strdup(kernel ? kernel : "");
	if (s->id)
		s->title = strdup(title && *title ? title : s->id);
	if (!s->path || !s->id || !s->title || !s->kernel || note_parameters(s, header))
		return ut_error_set(err, "%s: out of memory", path);
	return 0;
}

static int note_vcpu(struct ur_survey *s, struct vcpu_sets *sets, const struct ut_event *e)
{
	uint64_t *bits;
	uint64_t bit;

	if (!s->vm[e->vm]) {
		s->vm[e->vm] = true;
		s->vms++;
	}
	if (e->vcpu == UT_NO_VCPU)
		return 0;
	/* Freed with all others by ur_survey_run(), which the analyzer does not follow. */
	if (!sets->bits[e->vm])
		sets->bits[e->vm] = calloc(VCPU_WORDS, sizeof(uint64_t));
	bits = sets->bits[e->vm]; // NOLINT(clang-analyzer-unix.Malloc)
	if (!bits)
		return -1;
	bit = 1ull << (e->vcpu % 64);
	if (!(bits[e->vcpu / 64] & bit)) {
		bits[e->vcpu / 64] |= bit;
		s->vcpus++;
	}
	return 0;
}

static void note_kind(struct ur_survey *s, const struct ut_event *e)
{
	switch (e->kind) {
	case UT_WRITE:
		s->writes[e->write.how <= UT_HOW_WALK ? e->write.how : 0]++;
		break;
	case UT_LOST:
		s->lost += e->lost.count;
		s->losses[e->lost.cause][e->lost.kind < UT_KIND_END ? e->lost.kind : 0] +=
			e->lost.count;
		break;
	case UT_HOST_UNSYNC:
		s->host_unsync++;
		break;
	case UT_HOST_SYNC:
		s->host_sync++;
		break;
	case UT_HOST_RESYNC:
		s->host_resync_ns += e->resync.ns;
		break;
	}
}

static int note_block(struct ur_survey *s, struct vcpu_sets *sets, const struct ut_block *block,
		      struct ut_error *err)
{
	for (size_t i = 0; i < block->n; i++) {
		const struct ut_event *e = &block->events[i];

		if (e->vm != UT_NO_VM && e->vm >= UR_MAX_VMS)
			return ut_error_set(err,
					    "%s: offset %" PRIu64
					    ": VM number %u; at most %d VMs of "
					    "one trace can be replayed, record fewer at a time",
					    s->path, block->offset, e->vm, UR_MAX_VMS);
		if (e->vm != UT_NO_VM && note_vcpu(s, sets, e))
			return ut_error_set(err, "%s: out of memory", s->path);
		if (!s->events || e->time < s->first_ns)
			s->first_ns = e->time;
		if (!s->events || e->time > s->last_ns)
			s->last_ns = e->time;
		s->events++;
		note_kind(s, e);
	}
	s->unknown += block->unknown;
	s->blocks++;
	return 0;
}

/* "ring-full: 10 fault, 2 of any kind; rate: 7 write" */
static void describe_losses(const struct ur_survey *s, char *text, size_t len)
{
	unsigned int last = 0;
	size_t at = 0;

	*text = '\0';
	for (unsigned int c = 0; c < UT_LOST_CAUSE_END; c++) {
		for (unsigned int k = 0; k < UT_KIND_END && at < len; k++) {
			if (!s->losses[c][k])
				continue;
			at += (size_t)snprintf(text + at, len - at, "%s%s%s%" PRIu64 " %s",
					       !last	   ? ""
					       : last == c ? ", "
							   : "; ",
					       last == c ? "" : ut_cause_name(c),
					       last == c ? "" : ": ", s->losses[c][k],
					       k ? ut_kind_name(k) : "of any kind");
			last = c;
		}
	}
}

static void warn_of(const struct ur_survey *s, const struct ut_error *damage, int end,
		    struct ur_warnings *w)
{
	char losses[512];

	if (end < 0)
		ur_warn(w, NULL, "%s; the results rest on %" PRIu64 " events", damage->text,
			s->events);
	else if (!s->complete)
		ur_warn(w, s->path, "the capture was not finished; its last events may be missing");
	describe_losses(s, losses, sizeof(losses));
	if (s->lost)
		ur_warn(w, s->path,
			"%" PRIu64
			" events were lost while it was captured (%s); counts are too low",
			s->lost, losses);
	if (s->unknown)
		ur_warn(w, s->path,
			"skipped %" PRIu64 " events of kinds that this version does not know",
			s->unknown);
	if (s->mode == UT_MODE_NATIVE)
		ur_warn(w, s->path,
			"native trace: writes to out-of-sync tables are known by their net effect "
			"only, so all counts of writes are lower bounds");
}

int ur_survey_run(struct ur_survey *s, const char *path, struct ut_reader *reader,
		  struct ur_warnings *warnings,
		  void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx,
		  struct ut_error *err)
{
	struct vcpu_sets sets = { 0 };
	struct ut_error damage;
	struct ut_block block;
	uint64_t done, total;
	int ret = -1, end;

	memset(s, 0, sizeof(*s));
	if (name_it(s, path, ut_reader_header(reader), err) ||
	    ur_hash_file(s->path, &s->xxh64, &s->bytes, err))
		goto out;
	while ((end = ut_reader_next(reader, &block, &damage)) > 0) {
		if (note_block(s, &sets, &block, err))
			goto out;
		ut_reader_progress(reader, &done, &total);
		if (progress)
			progress(ctx, done, total);
	}
	if (!s->events) {
		if (end < 0)
			ut_error_set(err, "%s; nothing before that to replay", damage.text);
		else
			ut_error_set(err, "%s: holds no events; record it again", path);
		goto out;
	}
	s->complete = end == 0 && ut_reader_summary(reader);
	warn_of(s, &damage, end, warnings);
	ret = 0;
out:
	for (unsigned int i = 0; i < UR_MAX_VMS; i++)
		free(sets.bits[i]);
	return ret;
}

void ur_survey_free(struct ur_survey *s)
{
	free(s->path);
	free(s->id);
	free(s->title);
	free(s->kernel);
	for (size_t i = 0; i < s->n_synthetic; i++)
		free(s->synthetic[i]);
	free(s->synthetic);
	memset(s, 0, sizeof(*s));
}
