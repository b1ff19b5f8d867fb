// SPDX-License-Identifier: GPL-2.0-only
/*
 * A profile out of a capture. An exit summary has means over all exits of a reason, whatever was done about
 * them, taken by the host from exit to entry. So it tells some prices; the others are a known profile's,
 * stretched as the exits are.
 */
#define _GNU_SOURCE
#include "cost/platform.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>

#define SPREAD 2.0 /* a mean over unlike things: from half of it to twice as much */

static double mean(const struct co_exits *e)
{
	return e->count ? e->ns / (double)e->count : 0;
}

__attribute__((format(printf, 4, 5))) static json_t *figure(double value, double spread,
							    bool estimated, const char *fmt, ...)
{
	char *source = NULL;
	json_t *f = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&source, fmt, ap) >= 0)
		f = json_pack("{s:f,s:[f,f],s:s,s:b,s:s}", "value", value, "range", value / spread,
			      value * spread, "unit", "ns", "estimated", estimated, "source",
			      source);
	va_end(ap);
	free(source);
	return f;
}

/* What is left of an exit's mean when the way out and in is taken off. */
static double beyond(double all, double exit)
{
	return all > exit ? all - exit : 0;
}

/* Page faults: one mean for fills, for those passed on and for emulated writes. */
static void put_faults(json_t *prices, const struct co_capture *c, double exit)
{
	static const enum co_price all[] = { CO_fill, CO_reflect, CO_emulate };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		json_object_set_new(prices, co_price_key(all[i]),
				    figure(beyond(mean(&c->fault), exit), SPREAD, true,
					   "%s: mean of %llu page-fault exits, whatever was done "
					   "about them, less an exit",
					   c->file, (unsigned long long)c->fault.count));
}

/* Syncs happen at flushes; what they took would else be in twice. */
static void put_registers(json_t *prices, const struct co_capture *c, double exit)
{
	struct co_exits cr3 = c->cr3;

	if (cr3.count) {
		cr3.ns = cr3.ns > c->resync_ns ? cr3.ns - c->resync_ns : 0;
		json_object_set_new(
			prices, co_price_key(CO_cr3),
			figure(beyond(mean(&cr3), exit), SPREAD, true,
			       "%s: mean of %llu %s, less an exit and the host's own "
			       "time in syncs",
			       c->file, (unsigned long long)cr3.count,
			       c->cr3_is_all ? "exits for control registers" : "CR3 writes"));
	}
	if (c->invlpg.count)
		json_object_set_new(prices, co_price_key(CO_invlpg),
				    figure(beyond(mean(&c->invlpg), exit), SPREAD, true,
					   "%s: mean of %llu INVLPG exits, less an exit", c->file,
					   (unsigned long long)c->invlpg.count));
}

static void put_syncs(json_t *prices, const struct co_capture *c)
{
	if (!c->synced)
		return;
	json_object_set_new(prices, co_price_key(CO_table),
			    figure(c->resync_ns / (double)c->synced, SPREAD, true,
				   "%s: the host's own time in syncs, by %llu tables", c->file,
				   (unsigned long long)c->synced));
	json_object_set_new(prices, co_price_key(CO_entry),
			    figure(0, 1, false, "%s: part of a table's sync there", c->file));
}

/* Whatever the capture does not tell. */
static void put_rest(json_t *prices, const struct co_capture *c, const struct co_platform *base)
{
	double exit = mean(&c->cpuid), stretch = exit / base->prices[CO_exit].value;

	for (int p = 0; p < CO_PRICE_END; p++) {
		const char *key = co_price_key((enum co_price)p);
		const struct co_figure *f = &base->prices[p];
		json_t *out;

		if (json_object_get(prices, key))
			continue;
		out = figure(f->value * stretch, 1, true,
			     "not in a capture; as %s has it, times %.3g, which is the ratio of "
			     "the two exits",
			     base->name, stretch);
		json_object_set_new(out, "range",
				    json_pack("[f,f]", f->low * stretch, f->high * stretch));
		json_object_set_new(prices, key, out);
	}
}

/* In the order in which the prices are told of everywhere. */
static json_t *sorted(json_t *prices)
{
	json_t *out = json_object();

	for (int p = 0; p < CO_PRICE_END; p++)
		json_object_set(out, co_price_key((enum co_price)p),
				json_object_get(prices, co_price_key((enum co_price)p)));
	json_decref(prices);
	return out;
}

static json_t *make_prices(const struct co_capture *c, const struct co_platform *base)
{
	double exit = mean(&c->cpuid);
	json_t *prices = json_object();

	json_object_set_new(prices, co_price_key(CO_exit),
			    figure(exit, SPREAD, true,
				   "%s: mean of %llu CPUID exits from exit to entry; the "
				   "processor's own part of an exit is missing, CPUID's handling "
				   "and the recorder are in it",
				   c->file, (unsigned long long)c->cpuid.count));
	put_faults(prices, c, exit);
	put_registers(prices, c, exit);
	put_syncs(prices, c);
	put_rest(prices, c, base);
	return sorted(prices);
}

/* A summary is read from a file that somebody else may have made. */
static int check(const struct co_capture *c, char *error, size_t error_len)
{
	double all[] = { mean(&c->cpuid), mean(&c->fault), mean(&c->cr3), mean(&c->invlpg),
			 c->synced ? c->resync_ns / (double)c->synced : 0 };

	if (mean(&c->cpuid) <= 0 || !c->fault.count) {
		snprintf(error, error_len,
			 "%s: its summary has no %s exits; a profile needs a capture that ran from "
			 "the guest's start to an orderly end",
			 c->file, c->fault.count ? "CPUID" : "page-fault");
		return -1;
	}
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (all[i] * SPREAD < CO_MAX_NS)
			continue;
		snprintf(error, error_len,
			 "%s: its summary has exits or syncs of %.3g s on average: no host is as "
			 "slow",
			 c->file, all[i] / 1e9);
		return -1;
	}
	return 0;
}

/* What is stretched must still be a price. */
static int check_base(const struct co_capture *c, const struct co_platform *base, char *error,
		      size_t error_len)
{
	double exit = base->prices[CO_exit].value;

	if (exit <= 0) {
		snprintf(error, error_len,
			 "%s: an exit costs nothing there, so no price can be told from it by the "
			 "exits of %s; take another profile",
			 base->name, c->file);
		return -1;
	}
	for (int p = 0; p < CO_PRICE_END; p++) {
		double high = base->prices[p].high * mean(&c->cpuid) / exit;

		if (high <= CO_MAX_NS)
			continue;
		snprintf(error, error_len,
			 "%s: prices.%s is so much dearer than an exit there that it would come to "
			 "%g s with the exits of %s; take another profile",
			 base->name, co_price_key((enum co_price)p), high / 1e9, c->file);
		return -1;
	}
	return 0;
}

int co_profile_write(FILE *out, const char *name, const struct co_capture *capture,
		     const struct co_platform *base, char *error, size_t error_len)
{
	const char *title = mean(&capture->cpuid) > CO_SLOWEST_EXIT_NS
				    ? "from a capture on an emulated or overloaded host"
				    : "from a capture";
	json_t *json;
	int ret;

	if (check(capture, error, error_len) || check_base(capture, base, error, error_len))
		return -1;
	json = json_pack("{s:i,s:s,s:s,s:o}", "unsync-platform", CO_VERSION, "name", name, "title",
			 title, "prices", make_prices(capture, base));
	ret = json ? json_dumpf(json, out, JSON_INDENT(2) | JSON_REAL_PRECISION(4)) : -1;
	if (ret)
		snprintf(error, error_len, "%s: the profile cannot be written", capture->file);
	else
		fputc('\n', out);
	json_decref(json);
	return ret ? -1 : 0;
}
