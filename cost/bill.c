// SPDX-License-Identifier: GPL-2.0-only
#include "cost/bill.h"

#include <string.h>

static const struct {
	const char *key, *name;
} components[] = {
#define X(key, name) { #key, name },
	CO_COMPONENTS(X)
#undef X
};

/* What is done for each of something counted, and where that is shown. */
static const struct {
	const char *counter;
	enum co_component component;
	enum co_price price;
} rows[] = {
	{ "exit_fault", CO_OF_exits, CO_exit },
	{ "exit_reflect", CO_OF_exits, CO_exit },
	{ "exit_table_write", CO_OF_exits, CO_exit },
	{ "exit_mmio", CO_OF_exits, CO_exit },
	{ "exit_cr0", CO_OF_exits, CO_exit },
	{ "exit_cr3", CO_OF_exits, CO_exit },
	{ "exit_cr4", CO_OF_exits, CO_exit },
	{ "exit_invlpg", CO_OF_exits, CO_exit },
	{ "exit_invpcid", CO_OF_exits, CO_exit },
	{ "exit_pv_flush", CO_OF_exits, CO_exit },
	{ "exit_other", CO_OF_exits, CO_exit },
	{ "exit_fault", CO_OF_faults, CO_fill },
	{ "exit_reflect", CO_OF_faults, CO_reflect },
	{ "faults_prefilled", CO_OF_faults, CO_fill },
	{ "writes_emulated", CO_OF_writes, CO_emulate },
	{ "exit_cr0", CO_OF_registers, CO_cr3 },
	{ "exit_cr3", CO_OF_registers, CO_cr3 },
	{ "exit_cr4", CO_OF_registers, CO_cr3 },
	{ "exit_invpcid", CO_OF_registers, CO_cr3 },
	{ "exit_pv_flush", CO_OF_registers, CO_cr3 },
	{ "exit_invlpg", CO_OF_registers, CO_invlpg },
	{ "unsyncs", CO_OF_syncs, CO_unsync },
	{ "tables_synced", CO_OF_syncs, CO_table },
	{ "entries_compared", CO_OF_syncs, CO_entry },
	{ "entries_fixed", CO_OF_writes, CO_fix },
	{ "entries_reinstalled", CO_OF_writes, CO_fix },
	{ "pages_created", CO_OF_pages, CO_page },
};

const char *co_component_key(enum co_component component)
{
	return components[component].key;
}

const char *co_component_name(enum co_component component)
{
	return components[component].name;
}

static double count(co_counter *counter, const void *run, const char *name)
{
	uint64_t v;

	return counter(run, name, &v) ? (double)v : 0;
}

static void add(struct co_bill *bill, enum co_component c, enum co_price p, double least,
		double most)
{
	bill->amount[c][p].least += least;
	bill->amount[c][p].most += most;
}

/*
 * Exits that the trace cannot rule out: faults, and writes to what the fault brought back. Results from
 * before these were told apart do not say how many of each, so each is charged as both.
 */
static void add_refaults(struct co_bill *bill, co_counter *counter, const void *run)
{
	double all = count(counter, run, "refaults_max"), writes = all, faults = all;
	uint64_t v;

	if (counter(run, "rewrites_max", &v)) {
		writes = (double)v < all ? (double)v : all;
		faults = all - writes;
	}
	add(bill, CO_OF_further, CO_exit, 0, all);
	add(bill, CO_OF_further, CO_fill, 0, faults);
	add(bill, CO_OF_further, CO_emulate, 0, writes);
	add(bill, CO_OF_further, CO_fix, 0, writes);
}

/* A flush that the design asks for goes to every vCPU. */
static void add_flushes(struct co_bill *bill, co_counter *counter, const void *run, uint64_t vcpus)
{
	double flushes = count(counter, run, "flush_remote");
	double kicks = vcpus > 1 ? flushes * (double)(vcpus - 1) : 0;

	add(bill, CO_OF_flushes, CO_flush, flushes, flushes);
	add(bill, CO_OF_flushes, CO_kick, kicks, kicks);
}

void co_bill(struct co_bill *bill, co_counter *counter, const void *run, uint64_t vcpus)
{
	double walks;

	memset(bill, 0, sizeof(*bill));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		double n = count(counter, run, rows[i].counter);

		add(bill, rows[i].component, rows[i].price, n, n);
	}
	walks = count(counter, run, "refs_2d") - count(counter, run, "refs_1d");
	if (walks > 0)
		add(bill, CO_OF_walks, CO_reference, walks, walks);
	add_refaults(bill, counter, run);
	add_flushes(bill, counter, run, vcpus);
}

void co_bill_add(struct co_bill *sum, const struct co_bill *bill)
{
	for (int c = 0; c < CO_COMPONENT_END; c++) {
		for (int p = 0; p < CO_PRICE_END; p++)
			add(sum, (enum co_component)c, (enum co_price)p, bill->amount[c][p].least,
			    bill->amount[c][p].most);
	}
}

struct co_cost co_cost(const struct co_bill *bill, const struct co_platform *platform,
		       enum co_component component)
{
	struct co_cost cost = { 0 };

	for (int c = 0; c < CO_COMPONENT_END; c++) {
		if (component != CO_COMPONENT_END && c != (int)component)
			continue;
		for (int p = 0; p < CO_PRICE_END; p++) {
			const struct co_figure *f = &platform->prices[p];
			const struct co_amount *a = &bill->amount[c][p];

			cost.value_least += a->least * f->value;
			cost.value_most += a->most * f->value;
			cost.low += a->least * f->low;
			cost.high += a->most * f->high;
		}
	}
	return cost;
}

struct co_amount co_amount(const struct co_bill *bill, enum co_price price)
{
	struct co_amount sum = { 0 };

	for (int c = 0; c < CO_COMPONENT_END; c++) {
		sum.least += bill->amount[c][price].least;
		sum.most += bill->amount[c][price].most;
	}
	return sum;
}
