// SPDX-License-Identifier: GPL-2.0-only
#include "replay/replay.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "replay/order.h"
#include "replay/team.h"

#define NULL_MODEL "null"
#define GLANCE_EVENTS 256 /* between two glances at the clock: some tens of microseconds */

/* Sees which tables a model syncs, to find out how many different ones it does in a block. */
struct visitor {
	struct seat *seat;
	uint32_t *seen; /* by number of the page: the block in which it was synced last, from 1 */
	uint32_t cap;
};

/* One model during one pass: its instances and where its time line stands. */
struct seat {
	struct ur_run *run;
	struct um_mmu *mmu[UR_MAX_VMS]; /* NULL for VMs that the trace has not */
	double ticks, away; /* spent so far, the clock's own cost taken off; without a processor */
	struct ur_hardware_sum counted; /* by the processor, so far */
	/* Warm-up. */
	struct visitor *visitor; /* for each VM; NULL in other passes */
	struct ur_visit visit;	 /* of the block in hand */
	uint32_t block;		 /* its number, from 1 */
	/* Counted pass. */
	uint32_t unsync[UR_MAX_VMS]; /* gauge of each VM */
	uint64_t gauge;		     /* their sum */
	unsigned int bin;
	uint64_t exits, tables;		      /* at the beginning of this bin */
	struct ur_truth *truth[UR_MAX_VMS];   /* NULL: nothing to hold it against */
	struct ur_oracle *oracle[UR_MAX_VMS]; /* NULL: not verified */
};

/* One replay of one trace. */
struct session {
	const char *path;
	const struct ur_plan *plan;
	struct ut_reader *reader;
	struct ur_order *order;	      /* of the pass under way */
	const struct ut_block *block; /* that is counted */
	struct ur_trace *trace;
	struct seat *seats;   /* one for each run */
	struct ur_team *team; /* counts; NULL in measured passes */
	/* Work so far and in all, as far as can be told: an event through a model is 1, roughly. */
	atomic_uint_fast64_t done;
	uint64_t work;
	struct ur_stretches stretches;
	struct ur_turns turns;
	struct ur_away away; /* in measured passes */
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

struct ur_resyncs ur_resyncs_of(const struct ur_run *run)
{
	struct ur_resyncs sum = { 0 };

	for (unsigned int i = 0; i < UM_CAUSE_END; i++) {
		sum.count += run->resyncs[i].count;
		sum.tables += run->resyncs[i].tables;
		sum.compared += run->resyncs[i].compared;
		sum.changed += run->resyncs[i].changed;
	}
	return sum;
}

const struct ur_run *ur_null_run(const struct ur_trace *trace)
{
	for (size_t i = 0; i < trace->n_runs; i++) {
		if (!strcmp(trace->runs[i].spec->model->name, NULL_MODEL) &&
		    !trace->runs[i].failed[0])
			return &trace->runs[i];
	}
	return NULL;
}

/* ---- what the observers do ---- */

static void add_resync(struct ur_resyncs *c, const struct um_resync *r)
{
	c->count++;
	c->tables += r->tables;
	c->compared += r->compared;
	c->changed += r->changed;
}

static void count_resync(void *ctx, const struct um_resync *r)
{
	struct ur_run *run = ctx;

	add_resync(&run->resyncs[r->cause], r);
	if (r->tables)
		add_resync(&run->synced, r);
}

/* Runs inside the model's total time, so it only notes; the histograms come after the block. */
static void time_resync(void *ctx, const struct um_resync *r)
{
	struct ur_run *run = ctx;

	if (ur_measured_sample(run->measured, r))
		fail_run(run, "out of memory");
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

static void free_visitors(struct seat *seat)
{
	for (unsigned int vm = 0; seat->visitor && vm < UR_MAX_VMS; vm++)
		free(seat->visitor[vm].seen);
	free(seat->visitor);
	seat->visitor = NULL;
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
	free_visitors(seat);
}

/* Fresh instances, so that every pass begins from the same state. Outside the clock. */
static void sit_down(struct session *s, struct seat *seat, struct ur_run *run, bool timed)
{
	const struct ur_survey *survey = &s->trace->survey;

	memset(seat, 0, sizeof(*seat));
	seat->run = run;
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
			um_mmu_observe(seat->mmu[vm], NULL, count_resync, run);
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

/* ---- the warm-up: which tables are synced ---- */

static int make_room(struct visitor *v, uint32_t id)
{
	uint32_t cap = v->cap ? v->cap : 1024;
	uint32_t *grown;

	while (cap <= id)
		cap *= 2;
	grown = realloc(v->seen, cap * sizeof(*grown));
	if (!grown)
		return -1;
	memset(grown + v->cap, 0, (cap - v->cap) * sizeof(*grown));
	v->seen = grown;
	v->cap = cap;
	return 0;
}

static void see_table(void *ctx, enum um_happening what, const struct um_page *page)
{
	struct visitor *v = ctx;
	struct seat *seat = v->seat;

	if (what != UM_GETS_SYNCED && what != UM_IS_REFRESHED)
		return;
	if (page->id >= v->cap && make_room(v, page->id)) {
		fail_run(seat->run, "out of memory");
		return;
	}
	seat->visit.syncs++;
	seat->visit.tables += v->seen[page->id] != seat->block;
	v->seen[page->id] = seat->block;
}

static void watch_tables(struct seat *seat)
{
	if (seat->run->failed[0])
		return;
	seat->visitor = calloc(UR_MAX_VMS, sizeof(*seat->visitor));
	if (!seat->visitor) {
		fail_run(seat->run, "out of memory");
		stand_up(seat);
		return;
	}
	for (unsigned int vm = 0; vm < UR_MAX_VMS; vm++) {
		seat->visitor[vm].seat = seat;
		if (seat->mmu[vm])
			um_mmu_watch(seat->mmu[vm], see_table, &seat->visitor[vm]);
	}
}

static void end_visit(struct seat *seat)
{
	if (seat->visit.syncs && ur_measured_visit(seat->run->measured, seat->visit))
		fail_run(seat->run, "out of memory");
	seat->visit = (struct ur_visit){ 0 };
}

/* ---- the measured passes ---- */

/* Ticks on a processor, with what reading the clock and looking at the system's time cost. */
static double work_block(struct session *s, struct seat *seat, const struct ut_block *block)
{
	const struct ur_clock *clock = s->plan->clock;
	uint64_t start;
	double away;
	size_t i = 0;

	ur_away_begin(&s->away);
	start = clock->read();
	for (size_t k = 0; k < s->stretches.n; k++) {
		for (; i < s->stretches.of[k].end; i++) {
			const struct ut_event *e = &block->events[i];

			if (i % GLANCE_EVENTS == 0)
				ur_away_glance(&s->away);
			if (e->vm != UT_NO_VM)
				um_mmu_event(seat->mmu[e->vm], e);
		}
		s->stretches.of[k].samples = seat->run->measured->n_samples;
	}
	away = ur_away_end(&s->away);
	seat->away += away;
	return (double)(clock->read() - start) - away;
}

static void time_block(struct session *s, struct seat *seat, const struct ut_block *block,
		       unsigned int pass)
{
	const struct ur_clock *clock = s->plan->clock;
	const struct ur_hardware *hw = s->plan->hardware;
	struct ur_measured *m = seat->run->measured;
	struct ur_hardware_sum before, after;
	double ticks, own;

	m->n_samples = 0;
	seat->block++;
	if (m->hardware)
		ur_hardware_read(hw, &before);
	ticks = work_block(s, seat, block);
	if (m->hardware) {
		ur_hardware_read(hw, &after);
		ur_hardware_add(&seat->counted, &before, &after);
	}
	/* Each timed resync read the clock twice within this time, and the block once. */
	own = clock->overhead_ticks * (2 * (double)m->n_samples + 1) + ur_away_cost(&s->away);
	seat->ticks += ticks > own ? ticks - own : 0;
	if (pass >= UR_WARMUP)
		ur_measured_block(m, &s->stretches, clock, pass - UR_WARMUP);
	else
		end_visit(seat);
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
	pass -= UR_WARMUP;
	run->measured->total_ns[pass] = seat->ticks * s->plan->clock->ns_per_tick;
	run->measured->away_ns[pass] = seat->away * s->plan->clock->ns_per_tick;
	/* A sum of next to nothing may have come out below it. */
	if (run->measured->resync_ns[pass] < 0)
		run->measured->resync_ns[pass] = 0;
	if (run->measured->table_ns[pass] < 0)
		run->measured->table_ns[pass] = 0;
	if (run->measured->hardware)
		run->measured->hardware[pass] = seat->counted;
}

/* ---- passes ---- */

/* The oracle looks at many entries for each event: from 3 to 30 times a model's own work. */
#define VERIFY_WORK 10

static void show_progress(void *ctx)
{
	struct session *s = ctx;
	uint64_t done = s->done;

	if (s->plan->progress)
		s->plan->progress(s->plan->ctx, s->trace->survey.id,
				  done < s->work ? done : s->work - 1, s->work);
}

static unsigned int counting_threads(const struct ur_plan *plan)
{
	unsigned int n = plan->threads ? plan->threads : 1;

	return n < plan->n_specs ? n : (unsigned int)plan->n_specs;
}

/* Of an event through a model, in the counted pass. */
static uint64_t counting_work(const struct ur_plan *plan)
{
	return plan->verify ? VERIFY_WORK : 1;
}

/* For each event: it is decoded in each pass, and once before; models that count share the time out. */
static uint64_t work_of_event(const struct ur_plan *plan)
{
	uint64_t passes = plan->passes ? UR_WARMUP + plan->passes : 0;

	return 1 + (1 + plan->n_specs * counting_work(plan)) + passes * (1 + plan->n_specs);
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

static void count_one(void *ctx, size_t i)
{
	struct session *s = ctx;
	struct seat *seat = &s->seats[i];

	if (!seat->run->failed[0]) {
		count_block(seat, s->block);
		check_alive(seat);
	}
	s->done += s->block->n * counting_work(s->plan);
}

static void time_all(struct session *s, const struct ut_block *block, unsigned int pass)
{
	ur_turns_next(&s->turns);
	for (size_t i = 0; i < s->turns.n; i++) {
		struct seat *seat = &s->seats[s->turns.of[i]];

		if (!seat->run->failed[0]) {
			time_block(s, seat, block, pass);
			check_alive(seat);
		}
		s->done += block->n;
	}
	show_progress(s);
}

static int feed_block(struct session *s, const struct ut_block *block, bool timed,
		      unsigned int pass, struct ut_error *err)
{
	s->done += block->n;
	if (!timed) {
		s->block = block;
		ur_team_run(s->team, count_one, s->trace->n_runs, show_progress, s);
		return 0;
	}
	if (ur_stretches_of(&s->stretches, &s->trace->runs[0].timeline, block))
		return ut_error_set(err, "%s: out of memory", s->path);
	time_all(s, block, pass);
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
	for (size_t i = 0; timed && pass < UR_WARMUP && i < s->trace->n_runs; i++)
		watch_tables(&s->seats[i]);
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

static double time_of(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static int measure_floor(struct session *s, unsigned int pass, struct ut_error *err)
{
	struct ur_trace *trace = s->trace;

	ur_floor_round(s->plan->floor, trace->passes.floor_ns + (size_t)pass * UR_FLOOR_LEVELS);
	for (size_t i = 0; i < trace->n_runs; i++) {
		if (ur_measure_floor(trace->runs[i].measured, s->plan->floor, pass))
			return ut_error_set(err, "%s: out of memory", s->path);
	}
	return 0;
}

/* A pass that counts, and beside it what tells how far it is to be believed. */
static int measure_pass(struct session *s, unsigned int pass, struct ut_error *err)
{
	struct ur_passes *to = &s->trace->passes;
	double wall = time_of(CLOCK_MONOTONIC), cpu = time_of(CLOCK_THREAD_CPUTIME_ID);

	if (run_pass(s, true, UR_WARMUP + pass, err))
		return -1;
	to->wall_ns[pass] = time_of(CLOCK_MONOTONIC) - wall;
	to->cpu_ns[pass] = time_of(CLOCK_THREAD_CPUTIME_ID) - cpu;
	return to->floor_ns ? measure_floor(s, pass, err) : 0;
}

static int make_passes(struct session *s, struct ut_error *err)
{
	struct ur_passes *p = &s->trace->passes;

	p->n = s->plan->passes;
	p->wall_ns = calloc(p->n, sizeof(*p->wall_ns));
	p->cpu_ns = calloc(p->n, sizeof(*p->cpu_ns));
	if (s->plan->floor)
		p->floor_ns = calloc((size_t)p->n * UR_FLOOR_LEVELS, sizeof(*p->floor_ns));
	for (size_t i = 0; i < s->trace->n_runs; i++) {
		s->trace->runs[i].measured =
			ur_measured_new(p->n, s->plan->hardware && s->plan->hardware->n);
		if (!s->trace->runs[i].measured)
			return ut_error_set(err, "%s: out of memory", s->path);
		s->trace->runs[i].measured->away = &s->away;
	}
	ur_away_init(&s->away, s->plan->clock, NULL);
	p->blind = s->away.blind;
	s->turns.n = s->trace->n_runs;
	s->turns.of = calloc(s->turns.n, sizeof(*s->turns.of));
	if (p->wall_ns && p->cpu_ns && s->turns.of && (p->floor_ns || !s->plan->floor))
		return 0;
	return ut_error_set(err, "%s: out of memory", s->path);
}

static int measure(struct session *s, struct ut_error *err)
{
	/*
	 * Memory that a pass frees is kept for the next one, so that after the warm-up the kernel's
	 * page faults are not part of what is measured.
	 */
	mallopt(M_MMAP_THRESHOLD, 32 << 20);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	if (make_passes(s, err))
		return -1;
	for (unsigned int p = 0; p < UR_WARMUP; p++) {
		if (run_pass(s, true, p, err))
			return -1;
	}
	for (unsigned int p = 0; p < s->trace->passes.n; p++) {
		if (measure_pass(s, p, err))
			return -1;
	}
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

/* How many events there are is not known yet, but its share of the work is. */
static void survey_progress(void *ctx, uint64_t done, uint64_t total)
{
	struct session *s = ctx;

	if (s->plan->progress && done < total)
		s->plan->progress(s->plan->ctx, s->trace->survey.id, done,
				  total * work_of_event(s->plan));
}

static int count(struct session *s, struct ut_error *err)
{
	int ret;

	s->team = ur_team_create(counting_threads(s->plan));
	if (!s->team)
		return ut_error_set(err, "%s: out of memory", s->path);
	ret = run_pass(s, false, 0, err);
	ur_team_free(s->team);
	s->team = NULL;
	return ret;
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
	s->done = trace->survey.events;
	s->work = trace->survey.events * work_of_event(plan);
	if (count(s, err) || (plan->passes && measure(s, err)))
		return -1;
	if (plan->progress)
		plan->progress(plan->ctx, trace->survey.id, s->work, s->work);
	return 0;
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
	free(s.stretches.of);
	free(s.turns.of);
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
	ur_measured_free(run->measured);
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
	free(trace->passes.wall_ns);
	free(trace->passes.cpu_ns);
	free(trace->passes.floor_ns);
	ur_survey_free(&trace->survey);
	ur_warnings_free(&trace->warnings);
	free(trace);
}
