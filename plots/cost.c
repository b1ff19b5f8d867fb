// SPDX-License-Identifier: GPL-2.0-only
#include "plots/cost.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "plots/answer.h"

static bool counter_of(const void *run, const char *name, uint64_t *value)
{
	const struct pl_run *r = run;
	json_t *v = json_object_get(r->counted, name);

	if (!v)
		v = json_object_get(r->own, name);
	*value = (uint64_t)json_integer_value(v);
	return v != NULL;
}

/* Of a VM; where they differ, on average and rather too many. */
static uint64_t vcpus_of(const struct pl_trace *t)
{
	return t->vms ? (t->vcpus + t->vms - 1) / t->vms : t->vcpus;
}

/* False: the model has no result for one of the traces. */
static bool bill_of(const struct pl_results *r, size_t trace, size_t model, struct co_bill *bill)
{
	struct co_bill one;
	bool any = false;

	memset(bill, 0, sizeof(*bill));
	for (size_t t = 0; t < r->n_traces; t++) {
		const struct pl_run *run = pl_run_of(r, t, model);

		if (trace == PL_ALL_TRACES ? !pl_compared(r, t) : t != trace)
			continue;
		if (!run)
			return false;
		co_bill(&one, counter_of, run, vcpus_of(&r->traces[t]));
		co_bill_add(bill, &one);
		any = true;
	}
	return any;
}

static bool is_exact(const struct pl_results *r, size_t trace)
{
	for (size_t t = 0; t < r->n_traces; t++) {
		if (trace == PL_ALL_TRACES ? pl_compared(r, t) : t == trace)
			return pl_ranked(&r->traces[t]);
	}
	return false;
}

int pl_bills(const struct pl_results *results, size_t trace, struct pl_bills *bills)
{
	bool exact = is_exact(results, trace);

	*bills = (struct pl_bills){
		.n = results->n_models,
		.bill = calloc(results->n_models + 1, sizeof(*bills->bill)),
		.there = calloc(results->n_models + 1, sizeof(*bills->there)),
		.ranked = calloc(results->n_models + 1, sizeof(const struct co_bill *)),
	};
	if (!bills->bill || !bills->there || !bills->ranked) {
		pl_bills_free(bills);
		return -1;
	}
	for (size_t m = 0; m < bills->n; m++) {
		const struct pl_model *model = &results->models[m];

		bills->there[m] = !model->null && bill_of(results, trace, m, &bills->bill[m]);
		if (bills->there[m] && !model->bound && !model->bystander && exact)
			bills->ranked[m] = &bills->bill[m];
	}
	return 0;
}

void pl_bills_free(struct pl_bills *bills)
{
	free(bills->bill);
	free(bills->there);
	free(bills->ranked);
	memset(bills, 0, sizeof(*bills));
}
