// SPDX-License-Identifier: GPL-2.0-only
#include "plots/charts.h"

#include <stdlib.h>
#include <string.h>

#include "cost/platform.h"
#include "plots/answer.h"
#include "plots/cost_csv.h"
#include "plots/csv.h"
#include "plots/text.h"

static bool any_run(const struct pl_results *r, size_t trace)
{
	for (size_t m = 0; m < r->n_models; m++) {
		if (pl_shown(r, trace, m))
			return true;
	}
	return false;
}

static bool any_measured(const struct pl_results *r, size_t trace)
{
	for (size_t i = 0; i < r->n_runs; i++) {
		if (!r->models[r->runs[i].model].null && r->runs[i].measured &&
		    r->runs[i].measured->count &&
		    (trace == SIZE_MAX ? pl_compared(r, r->runs[i].trace)
				       : r->runs[i].trace == trace))
			return true;
	}
	return false;
}

static bool has_timeline(const struct pl_results *r, size_t trace)
{
	for (size_t m = 0; m < r->n_models; m++) {
		if (pl_shown(r, trace, m))
			return pl_run_of(r, trace, m)->timeline.n > 0;
	}
	return false;
}

static bool growth_measured(const struct pl_results *r, size_t trace)
{
	return r->growth && any_measured(r->growth, trace);
}

static bool growth_writes(const struct pl_results *r, size_t trace)
{
	(void)trace;
	for (size_t i = 0; r->growth && i < r->growth->n_runs; i++) {
		if (pl_count(&r->growth->runs[i], "exit_table_write"))
			return true;
	}
	return false;
}

static bool any_compared(const struct pl_results *r, size_t trace)
{
	(void)trace;
	for (size_t t = 0; t < r->n_traces; t++) {
		if (pl_compared(r, t) && any_run(r, t))
			return true;
	}
	return false;
}

/* The set that a chart is about. */
static const struct pl_results *shown_set(const struct pl_results *r, const struct pl_chart *chart)
{
	return chart->kind->growth ? r->growth : r;
}

/* A bound is no measure for others. */
static bool any_design(const struct pl_results *r, size_t trace)
{
	(void)trace;
	for (size_t i = 0; i < r->n_runs; i++) {
		const struct pl_model *m = &r->models[r->runs[i].model];

		if (!m->null && !m->bound && pl_compared(r, r->runs[i].trace))
			return true;
	}
	return false;
}

static bool any_floor(const struct pl_results *r, size_t trace)
{
	(void)trace;
	for (size_t i = 0; i < r->n_runs; i++) {
		if (r->runs[i].measured && r->runs[i].measured->has_floor &&
		    pl_compared(r, r->runs[i].trace))
			return true;
	}
	return false;
}

static bool any_agreement(const struct pl_results *r, size_t trace)
{
	(void)trace;
	for (size_t i = 0; i < r->n_runs; i++) {
		if (r->runs[i].has_agreement)
			return true;
	}
	return false;
}

static const struct pl_chart_kind kinds[] = {
	{
		.name = "matrix",
		.script = "matrix.gp",
		.title = "How many times the least",
		.caption = "Each design against the one that takes least on that trace. ✓ with a "
			   "frame: "
			   "ahead of all others; ≈: bounds or intervals do not tell these apart. "
			   "Where "
			   "two figures stand, the truth lies between them. Bounds have no colour: "
			   "they "
			   "are yardsticks.",
		.overview = true,
		.place = PL_MATRIX,
		.timed = true,
		.applies = any_design,
		.csv = pl_csv_matrix,
	},
	{
		.name = "exits-overview",
		.script = "overview.gp",
		.title = "Exits of each design, trace by trace",
		.caption =
			"All exits that a design takes, for every 1000 events of the trace. The "
			"bar "
			"ends at what is certain; the line beyond it reaches to the upper bound, "
			"where faults are counted that the trace cannot rule out.",
		.overview = true,
		.place = PL_SIDE_BY_SIDE,
		.applies = any_run,
		.csv = pl_csv_exits_overview,
		.axis = "exits per 1000 trace events",
		.line = "up to the upper bound",
	},
	{
		.name = "resync-overview",
		.script = "overview.gp",
		.title = "Time spent keeping tables in step, trace by trace",
		.caption =
			"Measured time in resyncs (emulated writes included, exits not) for every "
			"1000 events of the trace: the median of the passes, and the 95 % interval "
			"of that median.",
		.overview = true,
		.place = PL_SIDE_BY_SIDE,
		.timed = true,
		.applies = any_measured,
		.csv = pl_csv_resync_overview,
		.axis = "µs in resyncs per 1000 trace events",
		.line = "95 % interval of the median",
	},
	{
		.name = "total-overview",
		.script = "total.gp",
		.title = "Total cost of all traces together, platform by platform",
		.caption =
			"What was counted, times what that takes on a platform; no time measured "
			"here is in it. The bar shows the components by the platform's own "
			"figures; the hatched end is what the trace cannot rule out. The line is "
			"what the ranges of the prices allow. A star marks who may cost "
			"least: by these figures, no other design surely costs less.",
		.overview = true,
		.place = PL_COST,
		.priced = true,
		.applies = pl_priced,
		.csv = pl_csv_total_overview,
	},
	{
		.name = "turns-overview",
		.script = "turns.gp",
		.title = "Who costs least, by the price of an exit and of an emulated write",
		.caption = "One price is varied, the others are the platform's. The colour is the "
			   "design that costs least; where several are not told apart, they share "
			   "the strip. The bracket is the price's range on that platform, its "
			   "middle mark the value. Where the colour changes is solved for, not "
			   "sampled: a cost is linear in each price.",
		.overview = true,
		.place = PL_COST,
		.priced = true,
		.applies = pl_priced,
		.csv = pl_csv_turns,
	},
	{
		.name = "floor-overview",
		.script = "overview.gp",
		.title = "Resyncs against the physical floor",
		.caption = "How many times as long the resyncs that compare tables take as only "
			   "reading "
			   "the same bytes once, in the same run, from the cache level where they "
			   "lie: the "
			   "median of the passes and its 95 % interval. Designs that compare no "
			   "table have "
			   "no floor.",
		.overview = true,
		.place = PL_SIDE_BY_SIDE,
		.timed = true,
		.applies = any_floor,
		.csv = pl_csv_floor,
		.axis = "times as long as reading the same bytes once",
		.line = "95 % interval of the median",
	},
	{
		.name = "growth-resync",
		.script = "growth.gp",
		.title = "What time spent keeping tables in step grows with",
		.caption =
			"Synthetic traces, each panel with one thing varied: measured time in "
			"resyncs "
			"(emulated writes included, exits not) for each CR3 write, the median of "
			"the passes, and the 95 % interval of that median. Scales are "
			"logarithmic where they span much; the dotted line is growth in "
			"proportion. Designs that take no such time are not shown.",
		.overview = true,
		.place = PL_SIDE_BY_SIDE,
		.growth = true,
		.timed = true,
		.applies = growth_measured,
		.csv = pl_csv_growth_resync,
		.hover = "growth-times",
		.hover_data = pl_hover_growth_resync,
		.axis = "µs in resyncs for each CR3 write",
	},
	{
		.name = "growth-writes",
		.script = "growth.gp",
		.title = "What exits on writes to tables grow with",
		.caption = "The same synthetic traces, counted: exits because the guest wrote a "
			   "table, for "
			   "each CR3 write. It is what resyncs spare. Where a design gives up a "
			   "table that is written several times in a row, further writes are free, "
			   "and faults follow that are not in here. Designs that take no such exit "
			   "are not shown.",
		.overview = true,
		.place = PL_SIDE_BY_SIDE,
		.growth = true,
		.applies = growth_writes,
		.csv = pl_csv_growth_writes,
		.hover = "growth-counts",
		.hover_data = pl_hover_growth_writes,
		.axis = "exits on table writes for each CR3 write",
	},
	{
		.name = "bookkeeping-overview",
		.script = "overview.gp",
		.title = "Memory for bookkeeping",
		.caption = "What a design keeps besides the shadow pages themselves, to know what "
			   "is out "
			   "of step: KiB at its peak, counted. With several VMs the sum of their "
			   "peaks.",
		.overview = true,
		.place = PL_SIDE_BY_SIDE,
		.applies = any_compared,
		.csv = pl_csv_bookkeeping,
		.axis = "KiB of bookkeeping at peak",
		.line = "",
	},
	{
		.name = "pages-overview",
		.script = "overview.gp",
		.title = "Memory for shadow pages",
		.caption =
			"Shadow pages of 4 KiB, at the peak, counted. With several VMs the sum of "
			"their peaks.",
		.overview = true,
		.place = PL_SIDE_BY_SIDE,
		.applies = any_compared,
		.csv = pl_csv_pages,
		.axis = "KiB of shadow pages at peak",
		.line = "",
	},
	{
		.name = "agreement",
		.script = "agreement.gp",
		.title = "Agreement with the recorded host",
		.caption = "Native traces tell which tables the recorded host let go out of sync "
			   "and which "
			   "it synced. A model that is meant to do what it does is held to that, "
			   "table by "
			   "table, between the same two events.",
		.overview = true,
		.place = PL_TRUST,
		.applies = any_agreement,
		.csv = pl_csv_agreement,
	},
	{
		.name = "cost",
		.place = PL_TRACE,
		.script = "cost.gp",
		.title = "Cost by component",
		.caption = "What each design makes the guest or the host pay, each component on "
			   "its own "
			   "scale. Five are counts; the last is a measured time. They are not "
			   "added up: "
			   "what a count costs depends on the machine.",
		.timed = true,
		.applies = any_run,
		.csv = pl_csv_cost,
	},
	{
		.name = "total",
		.place = PL_TRACE,
		.script = "total.gp",
		.title = "Total cost by component, platform by platform",
		.caption =
			"What was counted, times what that takes on a platform; no time measured "
			"here is in it. The bar shows the components by the platform's own "
			"figures; the hatched end is what the trace cannot rule out. The line is "
			"what the ranges of the prices allow. A star marks who may cost least.",
		.priced = true,
		.applies = pl_priced,
		.csv = pl_csv_total,
	},
	{
		.name = "crossing",
		.place = PL_TRACE,
		.script = "crossing.gp",
		.title = "Where the ranking turns",
		.caption =
			"Total cost over the price of an exit and of an emulated write, the other "
			"prices being the platform's. A line is what is certain, the dotted line "
			"of the same colour the upper bound. The strip below shows who costs "
			"least; where several are not told apart, they share it, and each price at "
			"which that changes is marked by a dotted line. A circle is where two "
			"designs change places by what is certain.",
		.priced = true,
		.one_price = true,
		.applies = pl_priced,
		.csv = pl_csv_crossing,
		.extra = "regions",
		.extra_csv = pl_csv_crossing_regions,
	},
	{
		.name = "exits",
		.place = PL_TRACE,
		.script = "exits.gp",
		.title = "Exits by cause",
		.caption =
			"Every exit from guest to host, by what caused it. The hatched end is the "
			"further exits that the trace cannot rule out: the true figure lies "
			"between "
			"the solid bar and its end.",
		.applies = any_run,
		.csv = pl_csv_exits,
	},
	{
		.name = "latency",
		.hover = "latency",
		.hover_data = pl_hover_latency,
		.place = PL_TRACE,
		.script = "latency.gp",
		.title = "Resync latency",
		.caption = "How long a single resync takes: the share of resyncs that took at most "
			   "that "
			   "long, and below it the percentiles of each design. n is the number of "
			   "resyncs in all passes together; the clock's own cost is taken off.",
		.timed = true,
		.applies = any_measured,
		.csv = pl_csv_latency,
		.extra = "percentiles",
		.extra_csv = pl_csv_percentiles,
	},
	{
		.name = "timeline",
		.hover = "timeline",
		.hover_data = pl_hover_timeline,
		.place = PL_TRACE,
		.script = "timeline.gp",
		.title = "Over the trace's time",
		.caption = "Time as recorded. For each design: the most tables that were out of "
			   "sync at once, "
			   "the exits, and the time in resyncs (median of the passes), bin by bin. "
			   "A guest "
			   "that is recorded exactly runs slower than it does otherwise.",
		.timed = true,
		.applies = has_timeline,
		.csv = pl_csv_timeline,
	},
	{
		.name = "synced",
		.place = PL_TRACE,
		.script = "synced.gp",
		.title = "What resyncs looked at, and how much had changed",
		.caption =
			"Tables that were compared with the guest's, and how many of them had not "
			"changed; then the entries compared in them, and what became of each.",
		.applies = any_run,
		.csv = pl_csv_synced,
	},
};

#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* Different traces must not end up with the same file name. */
static void name_chart(struct pl_chart *charts, size_t n, const struct pl_results *r)
{
	struct pl_chart *c = &charts[n];
	char slug[81];

	if (c->kind->overview) {
		snprintf(c->name, sizeof(c->name), "%s", c->kind->name);
		return;
	}
	snprintf(c->name, sizeof(c->name), "%s-%s", c->kind->name,
		 pl_slug(slug, r->traces[c->trace].id));
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(charts[i].name, c->name)) {
			snprintf(c->name, sizeof(c->name), "%s-%s.%zu", c->kind->name, slug,
				 c->trace);
			break;
		}
	}
}

int pl_charts(const struct pl_results *results, struct pl_chart **charts, size_t *n)
{
	*n = 0;
	*charts = calloc(N_KINDS * (results->n_traces + 1), sizeof(**charts));
	if (!*charts)
		return -1;
	for (size_t k = 0; k < N_KINDS; k++) {
		if (!kinds[k].overview || !kinds[k].applies(results, SIZE_MAX))
			continue;
		(*charts)[*n].kind = &kinds[k];
		name_chart(*charts, (*n)++, results);
	}
	for (size_t t = 0; t < results->n_traces; t++) {
		for (size_t k = 0; k < N_KINDS; k++) {
			if (kinds[k].overview || !kinds[k].applies(results, t))
				continue;
			(*charts)[*n].kind = &kinds[k];
			(*charts)[*n].trace = t;
			name_chart(*charts, (*n)++, results);
		}
	}
	return 0;
}

void pl_chart_title(FILE *out, const struct pl_results *results, const struct pl_chart *chart)
{
	char buf[4 * 60 + 4];

	fputs(chart->kind->title, out);
	if (!chart->kind->overview)
		fprintf(out, ": %s", pl_short(buf, results->traces[chart->trace].id, 60));
}

/* Does the chart show figures of this trace? */
static bool drawn_from(const struct pl_results *r, const struct pl_chart *chart, size_t trace)
{
	if (chart->kind->place == PL_TRUST)
		return !r->traces[trace].exact;
	return chart->kind->overview ? pl_compared(r, trace) : trace == chart->trace;
}

/* Passes behind the times of a chart: ", 9 passes" or ", 7 to 9 passes". */
static void put_passes(FILE *out, const struct pl_results *r, const struct pl_chart *chart)
{
	uint64_t lo = UINT64_MAX, hi = 0;

	for (size_t i = 0; i < r->n_runs; i++) {
		const struct pl_run *run = &r->runs[i];

		if (!run->measured || r->models[run->model].null ||
		    !drawn_from(r, chart, run->trace))
			continue;
		lo = run->measured->passes < lo ? run->measured->passes : lo;
		hi = run->measured->passes > hi ? run->measured->passes : hi;
	}
	if (!hi)
		fputs(", times not measured", out);
	else if (lo == hi)
		fprintf(out, ", %llu pass%s", (unsigned long long)lo, lo == 1 ? "" : "es");
	else
		fprintf(out, ", %llu to %llu passes", (unsigned long long)lo,
			(unsigned long long)hi);
}

static void put_trace(FILE *out, const struct pl_trace *t)
{
	char a[PL_NUMBER], b[PL_NUMBER];

	fprintf(out, "%s trace, %s events in %s, %llu vCPU%s", t->exact ? "exact" : "native",
		pl_group(a, t->events), pl_time(b, (double)t->duration_ns),
		(unsigned long long)t->vcpus, t->vcpus == 1 ? "" : "s");
}

void pl_chart_note(FILE *out, const struct pl_results *all, const struct pl_chart *chart)
{
	const struct pl_results *results = shown_set(all, chart);
	size_t n = 0;
	bool exact = results->traces[chart->trace].exact;

	for (size_t i = 0; chart->kind->overview && i < results->n_traces; i++) {
		n += drawn_from(results, chart, i);
		if (drawn_from(results, chart, i))
			exact = results->traces[i].exact;
	}
	if (!chart->kind->overview)
		put_trace(out, &results->traces[chart->trace]);
	else
		fprintf(out, "%zu %s%s trace%s", n, chart->kind->growth ? "synthetic " : "",
			exact ? "exact" : "native", n == 1 ? "" : "s");
	if (chart->kind->timed)
		put_passes(out, results, chart);
	else
		fputs(", counted", out);
	if (chart->kind->priced)
		fputs(", times the prices of ", out);
	if (chart->kind->one_price)
		fprintf(out, "%s", results->platforms[0].name);
	else if (chart->kind->priced)
		fputs("each platform", out);
	if (!exact && chart->kind->place != PL_TRUST)
		fputs("; writes are lower bounds", out);
}

bool pl_chart_shows(const struct pl_results *results, const struct pl_chart *chart, size_t model)
{
	return pl_shown(shown_set(results, chart), chart->kind->overview ? SIZE_MAX : chart->trace,
			model);
}

bool pl_shown(const struct pl_results *results, size_t trace, size_t model)
{
	if (results->models[model].null)
		return false;
	if (trace != SIZE_MAX)
		return pl_run_of(results, trace, model) != NULL;
	for (size_t t = 0; t < results->n_traces; t++) {
		if (pl_compared(results, t) && pl_run_of(results, t, model))
			return true;
	}
	return false;
}

/*
 * So that the built-in designs look the same on every page; all others take what is left, first what
 * stands first. The first eight are of Okabe and Ito.
 */
static const struct design_colour {
	const char *label, *light, *dark;
} palette[] = {
	{ "adaptive", "#E69F00", "#E69F00" },	  { "xen-oos", "#56B4E9", "#56B4E9" },
	{ "ideal", "#000000", "#F4F4F4" },	  { "sync-on-write", "#D55E00", "#EE7A26" },
	{ "oos-per-root", "#0072B2", "#2F8FD8" }, { "unsync-bitmap", "#009E73", "#1DB88C" },
	{ "kvm", "#CC79A7", "#E39CC4" },	  { NULL, "#F0E442", "#F0E442" },
	{ "virtual-tlb", "#882255", "#BE3F80" },  { "prefault", "#999933", "#B3B347" },
	{ "nested", "#332288", "#8A7CE6" },	  { NULL, "#AAAAAA", "#AAAAAA" },
};

static const struct design_colour null_colour = { PL_NULL_MODEL, "#767676", "#8A8F95" };

#define N_PALETTE (sizeof(palette) / sizeof(palette[0]))

static size_t reserved_colour(const char *label)
{
	for (size_t i = 0; i < N_PALETTE; i++) {
		if (palette[i].label && !strcmp(palette[i].label, label))
			return i;
	}
	return N_PALETTE;
}

static bool label_there(const struct pl_results *r, const char *label)
{
	for (size_t m = 0; label && m < r->n_models; m++) {
		if (!strcmp(r->models[m].label, label))
			return true;
	}
	return false;
}

/* When no colour is free any more they begin again; charts tell such designs apart by dashes and names. */
static const struct design_colour *colour_of(const struct pl_results *results, size_t model)
{
	size_t free_slots[N_PALETTE], n = 0, before = 0;
	size_t own = reserved_colour(results->models[model].label);

	if (results->models[model].null)
		return &null_colour;
	if (own < N_PALETTE)
		return &palette[own];
	for (size_t i = 0; i < N_PALETTE; i++) {
		if (!label_there(results, palette[i].label))
			free_slots[n++] = i;
	}
	for (size_t m = 0; m < model; m++)
		before += !results->models[m].null &&
			  reserved_colour(results->models[m].label) == N_PALETTE;
	return &palette[before < n ? free_slots[before] : before % N_PALETTE];
}

const char *pl_colour(const struct pl_results *results, size_t model)
{
	return colour_of(results, model)->light;
}

const char *pl_colour_dark(const struct pl_results *results, size_t model)
{
	return colour_of(results, model)->dark;
}

void pl_chart_colours(FILE *out, const struct pl_results *results, const struct pl_chart *chart)
{
	size_t n = 0;

	for (size_t m = 0; m < results->n_models; m++) {
		if (pl_chart_shows(results, chart, m))
			fprintf(out, "%s%s", n++ ? " " : "", pl_colour(results, m));
	}
}
