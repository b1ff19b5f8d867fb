// SPDX-License-Identifier: GPL-2.0-only
#include "replay/notes.h"

#include <stdio.h>
#include <stdlib.h>

#include "replay/stats.h"

/*
 * A pass shorter than this says little: one timer interrupt with its cache misses costs some
 * microseconds, a percent of it.
 */
#define SHORT_NS 1e6
#define FINE_STEPS 4	  /* of the clock: a resync as short as that has rough percentiles */
#define MAX_MODELS 3	  /* named for one trace; of more it is said how many */
#define SLOW_TIMES 1.25	  /* the median, for a pass that stands out to be worth a note */
#define WAITED_SHARE 0.02 /* of the time of all passes, without a processor */

void ur_note_build(struct ur_warnings *w)
{
	bool slow = false;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
	slow = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
	slow = true;
#endif
#endif
	if (slow)
		ur_warn(w, NULL,
			"this build (%s) is slow by design; times mean nothing, configure a "
			"Release build",
			UNSYNC_BUILD);
}

void ur_note_load(struct ur_warnings *w, const struct ur_load *load)
{
	if (load->before <= load->cores / 2 && load->after <= load->cores / 2 + 1)
		return;
	ur_warn(w, NULL,
		"the machine was busy (load %.1f when it began, %.1f at the end, %.0f cores); "
		"times "
		"are less certain",
		load->before < 0 ? 0 : load->before, load->after < 0 ? 0 : load->after,
		load->cores);
}

void ur_note_passes(struct ur_warnings *w, unsigned int passes)
{
	if (passes && !ur_stats_rank(passes, NULL))
		ur_warn(w, NULL,
			"%u pass%s: fewer than 6 give no 95 %% interval, so no two models are told "
			"apart",
			passes, passes == 1 ? "" : "es");
}

/* ---- models, named ---- */

/* "messaging (kvm, xen-oos and 3 more)" */
struct place {
	char text[512];
	size_t len;
	unsigned int models;
};

static void place_begin(struct place *p, const struct ur_trace *trace)
{
	int len = snprintf(p->text, sizeof(p->text), "%.200s (", trace->survey.id);

	p->len = len < 0 ? 0 : (size_t)len;
	p->models = 0;
}

static void place_add(struct place *p, const char *label)
{
	int len;

	if (p->models++ >= MAX_MODELS)
		return;
	len = snprintf(p->text + p->len, sizeof(p->text) - p->len, "%s%.60s",
		       p->models > 1 ? ", " : "", label);
	p->len += len < 0 ? 0 : (size_t)len;
}

static const char *place_end(struct place *p)
{
	size_t room = sizeof(p->text) - p->len;

	if (p->models > MAX_MODELS)
		snprintf(p->text + p->len, room, " and %u more)", p->models - MAX_MODELS);
	else
		snprintf(p->text + p->len, room, ")");
	return p->text;
}

static bool was_measured(const struct ur_run *run)
{
	return !run->failed[0] && run->measured;
}

/* ---- one trace ---- */

static void note_if_short(struct ur_warnings *w, const struct ur_trace *trace)
{
	double longest = 0;
	char where[320];

	for (size_t i = 0; i < trace->n_runs; i++) {
		const struct ur_run *run = &trace->runs[i];

		for (unsigned int p = 0; was_measured(run) && p < run->measured->passes; p++) {
			if (run->measured->total_ns[p] > longest)
				longest = run->measured->total_ns[p];
		}
	}
	if (longest >= SHORT_NS)
		return;
	snprintf(where, sizeof(where), "%.200s (longest pass %.0f us)", trace->survey.id,
		 longest / 1000);
	ur_warn(w, where, "too short to measure: times mean little");
}

/* Percentiles of what is as short as the clock's own step are rough, sums are not. */
static void note_if_fine(struct ur_warnings *w, const struct ur_trace *trace,
			 const struct ur_clock *clock)
{
	struct place p;

	place_begin(&p, trace);
	for (size_t i = 0; i < trace->n_runs; i++) {
		const struct ur_run *run = &trace->runs[i];

		if (was_measured(run) && run->measured->resync.n &&
		    (double)ur_hist_quantile(&run->measured->resync, 0.5) <
			    FINE_STEPS * clock->resolution_ticks)
			place_add(&p, run->spec->label);
	}
	if (p.models)
		ur_warn(w, place_end(&p),
			"a resync takes about as long as the clock's step of %.0f ns; percentiles "
			"are rough, sums are not",
			clock->resolution_ticks * clock->ns_per_tick);
}

/* Of a pass, how many times its median the slowest model took; 0 if no model's stands out. */
static double slowest(const struct ur_trace *trace, unsigned int pass, unsigned int *models)
{
	double worst = 0;

	*models = 0;
	for (size_t i = 0; i < trace->n_runs; i++) {
		const struct ur_measured *m = trace->runs[i].measured;
		struct ur_stats s;
		double times;

		if (!was_measured(&trace->runs[i]) || ur_stats_of(m->total_ns, m->passes, &s) ||
		    s.median <= 0)
			continue;
		times = m->total_ns[pass] / s.median;
		if (times < SLOW_TIMES ||
		    !ur_stats_outlier(m->total_ns[pass], m->total_ns, m->passes, &s))
			continue;
		++*models;
		if (times > worst)
			worst = times;
	}
	return worst;
}

static void note_if_slow_once(struct ur_warnings *w, const struct ur_trace *trace)
{
	struct place p;

	place_begin(&p, trace);
	for (unsigned int pass = 0; pass < trace->passes.n; pass++) {
		unsigned int models;
		double times = slowest(trace, pass, &models);
		char text[96];

		if (!models)
			continue;
		snprintf(text, sizeof(text), "pass %u: %u model%s, up to %.1f times", pass + 1,
			 models, models == 1 ? "" : "s", times);
		place_add(&p, text);
	}
	if (p.models)
		ur_warn(w, place_end(&p),
			"single passes took far longer than the median of their model; they are "
			"kept and flagged as outliers");
}

static void note_if_blind(struct ur_warnings *w, const struct ur_trace *trace)
{
	if (trace->passes.blind)
		ur_warn(w, trace->survey.id,
			"this system does not say how long others had the processor; that is in "
			"the "
			"times");
}

static void note_if_waited(struct ur_warnings *w, const struct ur_trace *trace)
{
	double wall = 0, cpu = 0;
	char where[320];

	for (unsigned int pass = 0; pass < trace->passes.n; pass++) {
		wall += trace->passes.wall_ns[pass];
		cpu += trace->passes.cpu_ns[pass];
	}
	if (trace->passes.blind || wall <= 0 || 1 - cpu / wall < WAITED_SHARE)
		return;
	snprintf(where, sizeof(where), "%.200s (%.0f %%)", trace->survey.id,
		 100 * (1 - cpu / wall));
	ur_warn(w, where,
		"for part of the time others had the processor; that is not in the times, but they "
		"left caches colder: leave one free");
}

void ur_note_trace(struct ur_warnings *w, const struct ur_trace *trace,
		   const struct ur_clock *clock)
{
	note_if_short(w, trace);
	note_if_fine(w, trace, clock);
	note_if_slow_once(w, trace);
	note_if_blind(w, trace);
	note_if_waited(w, trace);
}
