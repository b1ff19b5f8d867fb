// SPDX-License-Identifier: GPL-2.0-only
#include "plots/cost_text.h"

#include <stdlib.h>

#include "plots/text.h"

void pl_put_price(FILE *out, const struct co_platform *platform, double ns)
{
	char time[PL_NUMBER], cycles[PL_NUMBER];

	fputs(pl_time(time, ns), out);
	if (platform->ghz > 0)
		fprintf(out, " (%s cycles)",
			pl_group(cycles, (uint64_t)(ns * platform->ghz + 0.5)));
}

/* "a, b and c" */
static void put_set(FILE *out, const struct pl_results *r, uint64_t set)
{
	int left = __builtin_popcountll(set);

	for (size_t m = 0; m < r->n_models; m++) {
		if (!(set >> m & 1))
			continue;
		left--;
		fputs(r->models[m].label, out); /* checked: printable */
		fputs(left > 1 ? ", " : left ? " and " : "", out);
	}
}

void pl_put_ahead(FILE *out, const struct pl_results *results, uint64_t set)
{
	put_set(out, results, set);
	fputs(__builtin_popcountll(set) > 1 ? " are not told apart" : " costs least", out);
}

/* Nobody asks for an exit of a second. */
double pl_swept_to(const struct co_platform *platform, enum co_price price)
{
	return 10 * platform->prices[price].high;
}

void pl_put_regions(FILE *out, const struct pl_results *results, const struct co_platform *platform,
		    const struct co_region *regions, size_t n, double end)
{
	while (n > 1 && regions[n - 1].from >= end)
		n--;
	if (n == 1) {
		pl_put_ahead(out, results, regions[0].ahead);
		fputs(" throughout", out);
	}
	for (size_t i = 0; n > 1 && i < n; i++) {
		if (i + 1 < n) {
			fputs(i ? "; up to " : "below ", out);
			pl_put_price(out, platform, regions[i].to);
			fputs(i ? ", " : " ", out);
		} else {
			fputs("; above, ", out);
		}
		pl_put_ahead(out, results, regions[i].ahead);
	}
}

int pl_put_sweep(FILE *out, const struct pl_results *results, const struct co_platform *platform,
		 const struct co_bill *const *ranked, enum co_price price)
{
	double end = pl_swept_to(platform, price);
	struct co_region *regions;
	size_t n;

	if (co_sweep(ranked, results->n_models, platform, price, &regions, &n))
		return -1;
	fprintf(out, "%s, 0 to ", co_price_name(price));
	pl_put_price(out, platform, end);
	fputs(": ", out);
	pl_put_regions(out, results, platform, regions, n, end);
	free(regions);
	return 0;
}
