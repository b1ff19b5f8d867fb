// SPDX-License-Identifier: GPL-2.0-only
#include "replay/measured.h"

#include <stdlib.h>

/* A table of the guest's and the shadow of it. */
#define PAIR_BYTES (2 * (uint64_t)UR_FLOOR_TABLE)

void ur_turns_next(struct ur_turns *t)
{
	for (size_t i = 0; i < t->n; i++) {
		size_t k;

		/* Knuth's linear congruential generator, of which the upper bits are good ones. */
		t->seed = t->seed * 6364136223846793005u + 1442695040888963407u;
		k = (t->seed >> 33) % (i + 1);
		t->of[i] = t->of[k];
		t->of[k] = i;
	}
}

struct ur_measured *ur_measured_new(unsigned int passes, bool hardware)
{
	struct ur_measured *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->passes = passes;
	m->total_ns = calloc(passes, sizeof(*m->total_ns));
	m->resync_ns = calloc(passes, sizeof(*m->resync_ns));
	m->table_ns = calloc(passes, sizeof(*m->table_ns));
	m->away_ns = calloc(passes, sizeof(*m->away_ns));
	m->interrupted = calloc(passes, sizeof(*m->interrupted));
	m->bin_ns = calloc((size_t)passes * UR_MAX_BINS, sizeof(*m->bin_ns));
	if (hardware)
		m->hardware = calloc(passes, sizeof(*m->hardware));
	if (m->total_ns && m->resync_ns && m->table_ns && m->away_ns && m->interrupted &&
	    m->bin_ns && (m->hardware || !hardware))
		return m;
	ur_measured_free(m);
	return NULL;
}

void ur_measured_free(struct ur_measured *m)
{
	if (!m)
		return;
	free(m->total_ns);
	free(m->resync_ns);
	free(m->table_ns);
	free(m->away_ns);
	free(m->interrupted);
	free(m->bin_ns);
	free(m->samples);
	free(m->hardware);
	free(m->visits);
	free(m->floor_ns);
	free(m);
}

int ur_measured_sample(struct ur_measured *m, const struct um_resync *r)
{
	uint64_t away = m->away ? (uint64_t)ur_away_during(m->away, r->ticks) : 0;

	if (m->n_samples == m->cap_samples) {
		size_t cap = m->cap_samples ? 2 * m->cap_samples : 4096;
		struct ur_sample *grown = realloc(m->samples, cap * sizeof(*grown));

		if (!grown)
			return -1;
		m->samples = grown;
		m->cap_samples = cap;
	}
	m->samples[m->n_samples++] = (struct ur_sample){ .ticks = r->ticks - away,
							 .cause = r->cause,
							 .tables = r->tables,
							 .interrupted = away };
	return 0;
}

static int add_stretch(struct ur_stretches *s, unsigned int bin)
{
	if (s->n == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 256;
		struct ur_stretch *grown = realloc(s->of, cap * sizeof(*grown));

		if (!grown)
			return -1;
		s->of = grown;
		s->cap = cap;
	}
	s->of[s->n++] = (struct ur_stretch){ .bin = bin };
	return 0;
}

int ur_stretches_of(struct ur_stretches *s, const struct ur_timeline *t,
		    const struct ut_block *block)
{
	s->n = 0;
	for (size_t i = 0; i < block->n; i++) {
		unsigned int bin = ur_timeline_bin(t, block->events[i].time);

		if ((!s->n || s->of[s->n - 1].bin != bin) && add_stretch(s, bin))
			return -1;
		s->of[s->n - 1].end = i + 1;
	}
	return 0;
}

void ur_measured_block(struct ur_measured *m, const struct ur_stretches *stretches,
		       const struct ur_clock *clock, unsigned int pass)
{
	double *bins = m->bin_ns + (size_t)pass * UR_MAX_BINS;
	size_t at = 0;

	for (size_t i = 0; i < m->n_samples; i++) {
		const struct ur_sample *sample = &m->samples[i];
		uint64_t net = ur_clock_net(clock, sample->ticks);
		/* Not rounded, and below 0 if need be: over many, such errors cancel out. */
		double exact = (double)(int64_t)sample->ticks - clock->overhead_ticks;
		double ns = exact * clock->ns_per_tick;

		while (stretches->of[at].samples <= i)
			at++;
		ur_hist_add(&m->resync, net);
		ur_hist_add(&m->by_cause[sample->cause], net);
		m->ticks[sample->cause] += exact;
		m->resync_ns[pass] += ns;
		bins[stretches->of[at].bin] += ns;
		if (sample->tables)
			m->table_ns[pass] += ns;
		m->interrupted[pass] += sample->interrupted;
	}
}

/* ---- the working set ---- */

int ur_measured_visit(struct ur_measured *m, struct ur_visit v)
{
	if (m->n_visits == m->cap_visits) {
		size_t cap = m->cap_visits ? 2 * m->cap_visits : 64;
		struct ur_visit *grown = realloc(m->visits, cap * sizeof(*grown));

		if (!grown)
			return -1;
		m->visits = grown;
		m->cap_visits = cap;
	}
	m->visits[m->n_visits++] = v;
	return 0;
}

static int compare_visits(const void *a, const void *b)
{
	const struct ur_visit *x = a, *y = b;

	return (x->tables > y->tables) - (x->tables < y->tables);
}

uint64_t ur_working_set(const struct ur_measured *m)
{
	uint64_t syncs = 0, seen = 0;

	if (!m->n_visits)
		return 0;
	qsort(m->visits, m->n_visits, sizeof(*m->visits), compare_visits);
	for (size_t i = 0; i < m->n_visits; i++)
		syncs += m->visits[i].syncs;
	for (size_t i = 0; i < m->n_visits; i++) {
		seen += m->visits[i].syncs;
		if (2 * seen >= syncs)
			return syncs ? m->visits[i].tables * PAIR_BYTES : 0;
	}
	return 0;
}

/* ---- what follows ---- */

double *ur_rates(const struct ur_measured *m, uint64_t events)
{
	double *rate = calloc(m->passes, sizeof(*rate));

	for (unsigned int p = 0; rate && p < m->passes; p++)
		rate[p] = m->total_ns[p] > 0 ? (double)events * 1e9 / m->total_ns[p] : 0;
	return rate;
}

void ur_above_null(const struct ur_measured *m, const struct ur_measured *null, double *ns)
{
	for (unsigned int p = 0; p < m->passes; p++)
		ns[p] = m->total_ns[p] - null->total_ns[p];
}

bool ur_costs(const struct ur_measured *m, enum ur_cost what, const struct ur_resyncs *all,
	      const struct ur_resyncs *synced, double *ns)
{
	const uint64_t things[UR_COST_END] = {
		[UR_COST_resync] = all->count,
		[UR_COST_table] = synced->tables,
		[UR_COST_compared] = synced->compared,
		[UR_COST_changed] = synced->changed,
	};

	if (!things[what])
		return false;
	for (unsigned int p = 0; p < m->passes; p++) {
		double time = what == UR_COST_resync ? m->resync_ns[p] : m->table_ns[p];

		ns[p] = time / (double)things[what];
	}
	return true;
}

uint64_t ur_floor_bytes(const struct ur_resyncs *synced)
{
	return synced->tables * UR_FLOOR_TABLE + synced->compared * sizeof(uint64_t);
}

const char *ur_cost_name(enum ur_cost what)
{
	static const char *const names[] = {
#define X(name) #name,
		UR_COST(X)
#undef X
	};

	return names[what];
}

int ur_measure_floor(struct ur_measured *m, struct ur_floor *floor, unsigned int pass)
{
	uint64_t set = ur_working_set(m);

	if (!set)
		return 0;
	if (!m->floor_ns)
		m->floor_ns = calloc(m->passes, sizeof(*m->floor_ns));
	if (!m->floor_ns)
		return -1;
	m->floor_ns[pass] = ur_floor_read(floor, set, &m->floor_at);
	return 0;
}

int ur_against_floor(struct ur_against_floor *f, const struct ur_measured *m,
		     const struct ur_resyncs *synced, const struct ur_floor *floor)
{
	*f = (struct ur_against_floor){ .set = ur_working_set(m), .bytes = ur_floor_bytes(synced) };
	f->level = ur_floor_level(floor, f->set);
	f->ns = calloc(m->passes, sizeof(*f->ns));
	f->ratio = calloc(m->passes, sizeof(*f->ratio));
	if (!f->ns || !f->ratio) {
		ur_against_floor_free(f);
		return -1;
	}
	for (unsigned int p = 0; p < m->passes; p++) {
		f->ns[p] = m->floor_ns[p] * (double)f->bytes / UR_FLOOR_TABLE;
		f->ratio[p] = f->ns[p] > 0 ? m->table_ns[p] / f->ns[p] : 0;
	}
	return 0;
}

void ur_against_floor_free(struct ur_against_floor *f)
{
	free(f->ns);
	free(f->ratio);
	f->ns = f->ratio = NULL;
}

bool ur_hardware_counts(const struct ur_measured *m, enum ur_hardware_event e, double *v)
{
	for (unsigned int p = 0; p < m->passes; p++) {
		if (!m->hardware || !ur_hardware_count(&m->hardware[p].of[e], &v[p]))
			return false;
	}
	return true;
}
