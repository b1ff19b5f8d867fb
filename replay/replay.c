// SPDX-License-Identifier: GPL-2.0-only
#include "replay/replay.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/order.h"

/*
 * A pass shorter than this says little: one timer interrupt with its cache misses costs some
 * microseconds, a percent of it.
 */
#define SHORT_NS 1e6

/* One model during one pass: its instances and where its time line stands. */
struct seat {
	struct ur_run *run;
	struct um_mmu *mmu[UR_MAX_VMS]; /* NULL for VMs that the trace has not */
	uint64_t ticks;			/* spent so far, the clock's own cost taken off */
	/* Counted pass. */
	struct ur_resyncs *resyncs;  /* the run's, for the observer */
	uint32_t unsync[UR_MAX_VMS]; /* gauge of each VM */
	uint64_t gauge;		     /* their sum */
	unsigned int bin;
	uint64_t exits, tables;		      /* at the beginning of this bin */
	struct ur_truth *truth[UR_MAX_VMS];   /* NULL: nothing to hold it against */
	struct ur_oracle *oracle[UR_MAX_VMS]; /* NULL: not verified */
};

/* Events of a block that lie in one bin of the time line. Worked out before the clock runs. */
struct stretch {
	size_t end; /* the first event behind it */
	unsigned int bin;
	size_t samples; /* resyncs timed when it was over */
};

/* One replay of one trace. */
struct session {
	const char *path;
	const struct ur_plan *plan;
	struct ut_reader *reader;
	struct ur_order *order; /* of the pass under way */
	struct ur_trace *trace;
	struct seat *seats;	   /* one for each run */
	uint64_t done, work;	   /* events fed to models: so far, in all passes */
	struct stretch *stretches; /* of the block in hand, if it is timed */
	size_t n_stretches, cap_stretches;
};

static void fail_run(struct ur_run *run, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void fail_run(struct ur_run *run, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(run->failed, sizeof(run->failed), fmt, ap);
	va_end(ap);
}

uint64_t ur_exits(const uint64_t *counters)
{
	uint64_t sum = 0;

#define X(name, help) sum += strncmp(#name, "exit_", 5) ? 0 : counters[UM_##name];
	UM_COUNTERS(X)
#undef X
	return sum;
}

/* ---- what the observers do ---- */

static void count_resync(void *ctx, const struct um_resync *r)
{
	struct seat *seat = ctx;
	struct ur_resyncs *c = &seat->resyncs[r->cause];

	c->count++;
	c->tables += r->tables;
	c->compared += r->compared;
	c->changed += r->changed;
}

/* Runs inside the model's total time, so it only notes; the histograms come after the block. */
static void time_resync(void *ctx, const struct um_resync *r)
{
	struct ur_run *run = ctx;
	struct ur_measured *m = run->measured;

	if (m->n_samples == m->cap_samples) {
		size_t cap = m->cap_samples ? 2 * m->cap_samples : 4096;
		struct ur_sample *grown = realloc(m->samples, cap * sizeof(*grown));

		if (!grown) {
			fail_run(run, "out of memory");
			return;
		}
		m->samples = grown;
		m->cap_samples = cap;
	}
	m->samples[m->n_samples++] = (struct ur_sample){ .ticks = r->ticks, .cause = r->cause };
}

/* ---- instances ---- */

static int keep_options(struct ur_run *run, const struct um_mmu *mmu)
{
	const struct um_option *o = run->spec->model->options;
	const char *const *values = um_mmu_options(mmu);
	size_t n = 0;

	while (o && o[n].name)
		n++;
	run->options = calloc(n + 1, sizeof(*run->options));
	if (!run->options)
		return -1;
	for (; run->n_options < n; run->n_options++) {
		run->options[run->n_options] = strdup(values[run->n_options]);
		if (!run->options[run->n_options])
			return -1;
	}
	return 0;
}

static void stand_up(struct seat *seat)
{
	for (unsigned int vm = 0; vm < UR_MAX_VMS; vm++) {
		if (ur_truth_end(seat->truth[vm]) && !seat->run->failed[0])
			fail_run(seat->run, "out of memory");
		seat->truth[vm] = NULL;
		if (seat->oracle[vm] && ur_oracle_finish(seat->oracle[vm], &seat->run->verified) &&
		    !seat->run->failed[0])
			fail_run(seat->run, "out of memory");
		seat->oracle[vm] = NULL;
		if (seat->mmu[vm])
			um_mmu_destroy(seat->mmu[vm]);
		seat->mmu[vm] = NULL;
	}
}

/* Fresh instances, so that every pass begins from the same state. Outside the clock. */
static void sit_down(struct session *s, struct seat *seat, struct ur_run *run, bool timed)
{
	const struct ur_survey *survey = &s->trace->survey;

	memset(seat, 0, sizeof(*seat));
	seat->run = run;
	seat->resyncs = run->resyncs;
	for (unsigned int vm = 0; vm < UR_MAX_VMS && !run->failed[0]; vm++) {
		if (!survey->vm[vm])
			continue;
		seat->mmu[vm] = um_mmu_create(run->spec->model, run->spec->options, run->failed,
					      sizeof(run->failed));
		if (!seat->mmu[vm]) {
			if (!run->failed[0])
				fail_run(run, "could not be created");
		} else if (timed) {
			um_mmu_observe(seat->mmu[vm], s->plan->clock->read, time_resync, run);
		} else {
			um_mmu_observe(seat->mmu[vm], NULL, count_resync, seat);
			if (!run->options && keep_options(run, seat->mmu[vm]))
				fail_run(run, "out of memory");
			if (run->has_agreement)
				seat->truth[vm] = ur_truth_create(seat->mmu[vm], (uint16_t)vm,
								  &run->agreement);
			if (run->is_verified)
				seat->oracle[vm] = ur_oracle_create(seat->mmu[vm], 0);
			if ((run->has_agreement && !seat->truth[vm]) ||
			    (run->is_verified && !seat->oracle[vm]))
				fail_run(run, "out of memory");
		}
	}
	if (run->failed[0])
		stand_up(seat);
}

static void check_alive(struct seat *seat)
{
	for (unsigned int vm = 0; vm < UR_MAX_VMS; vm++) {
		const char *why = seat->mmu[vm] ? um_mmu_failure(seat->mmu[vm]) : NULL;

		if (why && !seat->run->failed[0])
			fail_run(seat->run, "%s", why);
	}
	if (seat->run->failed[0])
		stand_up(seat);
}

/* The model's own counter @i over all VMs. */
static uint64_t sum_own(const struct seat *seat, size_t i)
{
	uint64_t sum = 0;

	for (unsigned int vm = 0; vm < UR_MAX_VMS; vm++)
		sum += seat->mmu[vm] ? seat->mmu[vm]->own[i] : 0;
	return sum;
}

static void sum_counters(const struct seat *seat, uint64_t *sum)
{
	memset(sum, 0, UM_COUNTER_END * sizeof(*sum));
	for (unsigned int vm = 0; vm < UR_MAX_VMS; vm++) {
		const uint64_t *c = seat->mmu[vm] ? seat->mmu[vm]->count : NULL;

		for (unsigned int i = 0; c && i < UM_COUNTER_END; i++)
			sum[i] += c[i];
	}
}

/* ---- the counted pass ---- */

/* Close the bin in hand: it gets what was counted since it began. */
static void close_bin(struct seat *seat)
{
	struct ur_timeline *t = &seat->run->timeline;
	uint64_t c[UM_COUNTER_END];
	uint64_t exits;

	sum_counters(seat, c);
	exits = ur_exits(c);
	t->exits[seat->bin] += exits - seat->exits;
	t->tables_synced[seat->bin] += c[UM_tables_synced] - seat->tables;
	seat->exits = exits;
	seat->tables = c[UM_tables_synced];
}

/* Tables stay out of sync while nothing happens: bins passed over get the gauge as it stands. */
static void move_to_bin(struct seat *seat, unsigned int bin)
{
	struct ur_timeline *t = &seat->run->timeline;

	close_bin(seat);
	for (unsigned int i = seat->bin + 1; i <= bin; i++)
		ur_timeline_gauge(t, i, seat->gauge);
	seat->bin = bin;
}

static void count_block(struct seat *seat, const struct ut_block *block)
{
	struct ur_timeline *t = &seat->run->timeline;

	for (size_t i = 0; i < block->n; i++) {
		const struct ut_event *e = &block->events[i];
		unsigned int bin = ur_timeline_bin(t, e->time);
		uint32_t unsync;

		if (e->vm == UT_NO_VM)
			continue;
		if (bin != seat->bin)
			move_to_bin(seat, bin);
		if (seat->truth[e->vm])
			ur_truth_before(seat->truth[e->vm], e);
		um_mmu_event(seat->mmu[e->vm], e);
		/* If its memory gives out, finishing it will tell. */
		if (seat->oracle[e->vm])
			ur_oracle_event(seat->oracle[e->vm], e);
		if (seat->truth[e->vm])
			ur_truth_after(seat->truth[e->vm], e);
		unsync = seat->mmu[e->vm]->unsync_now;
		seat->gauge += (uint64_t)unsync - seat->unsync[e->vm];
		seat->unsync[e->vm] = unsync;
		ur_timeline_gauge(t, bin, seat->gauge);
	}
}

static void end_counting(struct seat *seat)
{
	struct ur_run *run = seat->run;

	move_to_bin(seat, run->timeline.n - 1);
	sum_counters(seat, run->counters);
	for (size_t i = 0; i < run->n_own; i++)
		run->own[i] = sum_own(seat, i);
}

/* ---- the measured passes ---- */

static int add_stretch(struct session *s, unsigned int bin)
{
	if (s->n_stretches == s->cap_stretches) {
		size_t cap = s->cap_stretches ? 2 * s->cap_stretches : 256;
		struct stretch *grown = realloc(s->stretches, cap * sizeof(*grown));

		if (!grown)
			return -1;
		s->stretches = grown;
		s->cap_stretches = cap;
	}
	s->stretches[s->n_stretches++] = (struct stretch){ .bin = bin };
	return 0;
}

/* The bins are the same for all models of a trace. */
static int split_block(struct session *s, const struct ut_block *block)
{
	s->n_stretches = 0;
	for (size_t i = 0; i < block->n; i++) {
		unsigned int bin =
			ur_timeline_bin(&s->trace->runs[0].timeline, block->events[i].time);

		if ((!s->n_stretches || s->stretches[s->n_stretches - 1].bin != bin) &&
		    add_stretch(s, bin))
			return -1;
		s->stretches[s->n_stretches - 1].end = i + 1;
	}
	return 0;
}

/* The time of each resync goes to its pass, its cause, and its bin of the time line. */
static void keep_samples(struct session *s, struct ur_measured *m, unsigned int pass)
{
	const struct ur_clock *clock = s->plan->clock;
	double *bins = m->bin_ns + (size_t)pass * UR_MAX_BINS;
	size_t at = 0;

	for (size_t i = 0; i < m->n_samples; i++) {
		const struct ur_sample *sample = &m->samples[i];
		uint64_t net = ur_clock_net(clock, sample->ticks);
		/* Not rounded, and below 0 if need be: over many, such errors cancel out. */
		double exact = (double)(int64_t)sample->ticks - clock->overhead_ticks;

		while (s->stretches[at].samples <= i)
			at++;
		ur_hist_add(&m->resync, net);
		ur_hist_add(&m->by_cause[sample->cause], net);
		m->ticks[sample->cause] += exact;
		m->resync_ns[pass] += exact * clock->ns_per_tick;
		bins[s->stretches[at].bin] += exact * clock->ns_per_tick;
	}
}

static void time_block(struct session *s, struct seat *seat, const struct ut_block *block,
		       unsigned int pass)
{
	const struct ur_clock *clock = s->plan->clock;
	struct ur_measured *m = seat->run->measured;
	uint64_t start, ticks;
	double own;
	size_t i = 0;

	m->n_samples = 0;
	start = clock->read();
	for (size_t k = 0; k < s->n_stretches; k++) {
		for (; i < s->stretches[k].end; i++) {
			const struct ut_event *e = &block->events[i];

			if (e->vm != UT_NO_VM)
				um_mmu_event(seat->mmu[e->vm], e);
		}
		s->stretches[k].samples = m->n_samples;
	}
	ticks = clock->read() - start;
	/* Each timed resync read the clock twice within this time, and the block once. */
	own = clock->overhead_ticks * (2 * (double)m->n_samples + 1);
	seat->ticks += (double)ticks > own ? ticks - (uint64_t)own : 0;
	if (pass >= UR_WARMUP)
		keep_samples(s, m, pass - UR_WARMUP);
}

static bool counts_same(struct ur_run *run, const char *name, uint64_t counted, uint64_t now,
			unsigned int pass)
{
	if (counted == now)
		return true;
	fail_run(run,
		 "not deterministic: %s was %" PRIu64 " when counted and %" PRIu64 " in pass %u",
		 name, counted, now, pass);
	return false;
}

static void end_measuring(struct session *s, struct seat *seat, unsigned int pass)
{
	struct ur_run *run = seat->run;
	uint64_t c[UM_COUNTER_END];

	sum_counters(seat, c);
	for (unsigned int i = 0; i < UM_COUNTER_END; i++) {
		if (!counts_same(run, um_counter_name(i), run->counters[i], c[i], pass))
			return;
	}
	for (size_t i = 0; i < run->n_own; i++) {
		if (!counts_same(run, run->spec->model->counters[i].name, run->own[i],
				 sum_own(seat, i), pass))
			return;
	}
	if (pass < UR_WARMUP)
		return;
	run->measured->total_ns[pass - UR_WARMUP] =
		(double)seat->ticks * s->plan->clock->ns_per_tick;
	/* A sum of next to nothing may have come out below it. */
	if (run->measured->resync_ns[pass - UR_WARMUP] < 0)
		run->measured->resync_ns[pass - UR_WARMUP] = 0;
}

static struct ur_measured *new_measured(unsigned int passes)
{
	struct ur_measured *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->passes = passes;
	m->total_ns = calloc(passes, sizeof(*m->total_ns));
	m->resync_ns = calloc(passes, sizeof(*m->resync_ns));
	m->bin_ns = calloc((size_t)passes * UR_MAX_BINS, sizeof(*m->bin_ns));
	if (m->total_ns && m->resync_ns && m->bin_ns)
		return m;
	free(m->total_ns);
	free(m->resync_ns);
	free(m->bin_ns);
	free(m);
	return NULL;
}

static void free_measured(struct ur_measured *m)
{
	if (!m)
		return;
	free(m->total_ns);
	free(m->resync_ns);
	free(m->bin_ns);
	free(m->samples);
	free(m);
}

double *ur_rates(const struct ur_measured *m, uint64_t events)
{
	double *rate = calloc(m->passes, sizeof(*rate));

	for (unsigned int p = 0; rate && p < m->passes; p++)
		rate[p] = m->total_ns[p] > 0 ? (double)events * 1e9 / m->total_ns[p] : 0;
	return rate;
}

/* ---- passes ---- */

static void show_progress(struct session *s, size_t events)
{
	s->done += events * s->trace->n_runs;
	if (s->plan->progress)
		s->plan->progress(s->plan->ctx, s->trace->survey.id, s->done, s->work);
}

static int changed(const struct session *s, struct ut_error *err)
{
	return ut_error_set(err, "%s: changed while it was replayed; replay it again", s->path);
}

/* There are instances for the VMs of the survey only; somebody may have written the file since. */
static bool surveyed(const struct ur_survey *survey, const struct ut_block *block)
{
	for (size_t i = 0; i < block->n; i++) {
		uint16_t vm = block->events[i].vm;

		if (vm != UT_NO_VM && (vm >= UR_MAX_VMS || !survey->vm[vm]))
			return false;
	}
	return true;
}

static int feed_block(struct session *s, const struct ut_block *block, bool timed,
		      unsigned int pass, struct ut_error *err)
{
	size_t n = s->trace->n_runs;

	if (timed && split_block(s, block))
		return ut_error_set(err, "%s: out of memory", s->path);
	/* Another one begins in each pass, so that none always finds the caches of one other. */
	for (size_t i = 0; i < n; i++) {
		struct seat *seat = &s->seats[(i + pass) % n];

		if (seat->run->failed[0])
			continue;
		if (timed)
			time_block(s, seat, block, pass);
		else
			count_block(seat, block);
		check_alive(seat);
	}
	show_progress(s, block->n);
	return 0;
}

static int feed_blocks(struct session *s, bool timed, unsigned int pass, struct ut_error *err)
{
	const struct ur_survey *survey = &s->trace->survey;
	struct ut_block block;
	uint64_t events = 0;

	/* As many blocks as the survey could read: what comes after them is damaged, or not there. */
	for (uint64_t b = 0; b < survey->blocks; b++) {
		if (ut_reader_next(s->reader, &block, NULL) <= 0 || !surveyed(survey, &block))
			return changed(s, err);
		events += block.n;
		if (ur_order_block(s->order, &block, &block))
			return ut_error_set(err, "%s: out of memory", s->path);
		if (feed_block(s, &block, timed, pass, err))
			return -1;
	}
	if (ur_order_block(s->order, NULL, &block))
		return ut_error_set(err, "%s: out of memory", s->path);
	if (feed_block(s, &block, timed, pass, err))
		return -1;
	return events == survey->events ? 0 : changed(s, err);
}

static int run_pass(struct session *s, bool timed, unsigned int pass, struct ut_error *err)
{
	int ret;

	if (ut_reader_rewind(s->reader, err))
		return -1;
	for (size_t i = 0; i < s->trace->n_runs; i++)
		sit_down(s, &s->seats[i], &s->trace->runs[i], timed);
	s->order = ur_order_create();
	ret = s->order ? feed_blocks(s, timed, pass, err)
		       : ut_error_set(err, "%s: out of memory", s->path);
	ur_order_free(s->order);
	for (size_t i = 0; i < s->trace->n_runs; i++) {
		struct seat *seat = &s->seats[i];

		if (!ret && !seat->run->failed[0]) {
			if (timed)
				end_measuring(s, seat, pass);
			else
				end_counting(seat);
		}
		stand_up(seat);
	}
	return ret;
}

static void note_if_short(struct session *s)
{
	double longest = 0;

	for (size_t i = 0; i < s->trace->n_runs; i++) {
		const struct ur_run *run = &s->trace->runs[i];

		for (unsigned int p = 0; run->measured && p < run->measured->passes; p++) {
			if (run->measured->total_ns[p] > longest)
				longest = run->measured->total_ns[p];
		}
	}
	if (longest < SHORT_NS)
		ur_warn(&s->trace->notes,
			"%s: too short to measure: the longest pass took %.0f us; times mean "
			"little",
			s->path, longest / 1000);
}

/* Percentiles of what is as short as the clock's own step are rough, sums are not. */
static void note_if_fine(struct session *s)
{
	const struct ur_clock *clock = s->plan->clock;

	for (size_t i = 0; i < s->trace->n_runs; i++) {
		const struct ur_run *run = &s->trace->runs[i];
		uint64_t p50;

		if (run->failed[0] || !run->measured->resync.n)
			continue;
		p50 = ur_hist_quantile(&run->measured->resync, 0.5);
		if ((double)p50 < 4 * clock->resolution_ticks)
			ur_warn(&s->trace->notes,
				"%s: %s: a resync takes about as long as the clock's step of %.0f "
				"ns; "
				"percentiles are rough, sums are not",
				s->path, run->spec->label,
				clock->resolution_ticks * clock->ns_per_tick);
	}
}

static int measure(struct session *s, struct ut_error *err)
{
	unsigned int passes = s->plan->passes;

	/*
	 * Memory that a pass frees is kept for the next one, so that after the warm-up the kernel's
	 * page faults are not part of what is measured.
	 */
	mallopt(M_MMAP_THRESHOLD, 32 << 20);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	for (size_t i = 0; i < s->trace->n_runs; i++) {
		s->trace->runs[i].measured = new_measured(passes);
		if (!s->trace->runs[i].measured)
			return ut_error_set(err, "%s: out of memory", s->path);
	}
	for (unsigned int p = 0; p < UR_WARMUP + passes; p++) {
		if (run_pass(s, true, p, err))
			return -1;
	}
	note_if_short(s);
	note_if_fine(s);
	return 0;
}

/* Where the trace tells what the host did: exact ones do not, as nothing went out of sync. */
static bool has_truth(const struct ur_survey *survey, const struct um_model *model)
{
	return model->predicts_host && survey->mode == UT_MODE_NATIVE &&
	       (survey->host_unsync || survey->host_sync);
}

static void init_run(struct session *s, struct ur_run *run, const struct ur_spec *spec)
{
	const struct ur_survey *survey = &s->trace->survey;

	run->spec = spec;
	run->has_agreement = has_truth(survey, spec->model);
	run->is_verified = s->plan->verify;
	run->agreement.max_list = s->plan->mismatches;
	ur_timeline_init(&run->timeline, survey->first_ns, survey->last_ns);
}

static void survey_progress(void *ctx, uint64_t done, uint64_t total)
{
	struct session *s = ctx;

	if (s->plan->progress)
		s->plan->progress(s->plan->ctx, "reading", done, total);
}

static int make_own(struct ur_run *run)
{
	const struct um_own_counter *c = run->spec->model->counters;

	while (c && c[run->n_own].name)
		run->n_own++;
	run->own = calloc(run->n_own + 1, sizeof(*run->own));
	return run->own ? 0 : -1;
}

static int replay(struct session *s, struct ut_error *err)
{
	const struct ur_plan *plan = s->plan;
	struct ur_trace *trace = s->trace;

	if (ur_survey_run(&trace->survey, s->path, s->reader, &trace->warnings, survey_progress, s,
			  err))
		return -1;
	trace->runs = calloc(plan->n_specs, sizeof(*trace->runs));
	s->seats = calloc(plan->n_specs, sizeof(*s->seats));
	if (!trace->runs || !s->seats)
		return ut_error_set(err, "%s: out of memory", s->path);
	trace->n_runs = plan->n_specs;
	for (size_t i = 0; i < plan->n_specs; i++) {
		init_run(s, &trace->runs[i], &plan->specs[i]);
		if (make_own(&trace->runs[i]))
			return ut_error_set(err, "%s: out of memory", s->path);
	}
	s->work = trace->survey.events * plan->n_specs *
		  (1 + (plan->passes ? UR_WARMUP + plan->passes : 0));
	if (run_pass(s, false, 0, err))
		return -1;
	return plan->passes ? measure(s, err) : 0;
}

int ur_replay(const char *path, const struct ur_plan *plan, struct ur_trace **out,
	      struct ut_error *err)
{
	struct session s = { .path = path, .plan = plan };
	int ret = -1;

	*out = NULL;
	s.trace = calloc(1, sizeof(*s.trace));
	if (!s.trace)
		return ut_error_set(err, "%s: out of memory", path);
	s.reader = ut_reader_open(path, err);
	if (s.reader)
		ret = replay(&s, err);
	ut_reader_close(s.reader);
	free(s.seats);
	free(s.stretches);
	if (ret) {
		ur_trace_free(s.trace);
		return -1;
	}
	*out = s.trace;
	return 0;
}

static void free_run(struct ur_run *run)
{
	for (size_t i = 0; i < run->n_options; i++)
		free(run->options[i]);
	free(run->options);
	free(run->own);
	free_measured(run->measured);
	free(run->agreement.list);
	ur_verified_free(&run->verified);
}

void ur_trace_free(struct ur_trace *trace)
{
	if (!trace)
		return;
	for (size_t i = 0; i < trace->n_runs; i++)
		free_run(&trace->runs[i]);
	free(trace->runs);
	ur_survey_free(&trace->survey);
	ur_warnings_free(&trace->warnings);
	ur_warnings_free(&trace->notes);
	free(trace);
}
