// SPDX-License-Identifier: GPL-2.0-only
/* The page's section on total cost: what is concluded, platform by platform. The charts follow it. */
#define _GNU_SOURCE
#include "plots/page_parts.h"

#include <stdlib.h>

#include "plots/cost.h"
#include "plots/cost_text.h"
#include "plots/html.h"
#include "plots/text.h"

static void put_item(FILE *out, const char *tag, const char *text)
{
	fprintf(out, "<%s>", tag);
	pl_html(out, text);
	fprintf(out, "</%s>\n", tag);
}

/* Who costs least, by the platform's figures and over their ranges. */
static int put_least(FILE *out, const struct pl_results *r, const struct co_platform *p,
		     const struct pl_bills *bills)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return -1;
	fprintf(f, "%s (%s): ", p->name, p->title);
	pl_put_ahead(f, r, co_ahead(bills->ranked, bills->n, p));
	fputs(". Whatever the prices within their ranges: ", f);
	pl_put_ahead(f, r, co_ahead_anyhow(bills->ranked, bills->n, p));
	fputc('.', f);
	if (!fclose(f))
		put_item(out, "summary", text);
	free(text);
	return 0;
}

static int put_sweep(FILE *out, const struct pl_results *r, const struct co_platform *p,
		     const struct pl_bills *bills, enum co_price price)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	int ret;

	if (!f)
		return -1;
	fputs("Price of an ", f);
	ret = pl_put_sweep(f, r, p, bills->ranked, price);
	fputc('.', f);
	if (!fclose(f) && !ret)
		put_item(out, "li", text);
	free(text);
	return ret;
}

static int put_platform(FILE *out, const struct pl_results *r, const struct co_platform *p,
			const struct pl_bills *bills)
{
	int ret;

	fputs("<details>\n", out);
	ret = put_least(out, r, p, bills);
	fputs("<ul>\n", out);
	for (size_t i = 0; i < CO_SWEPT && !ret; i++)
		ret = put_sweep(out, r, p, bills, co_swept[i]);
	fputs("</ul>\n</details>\n", out);
	return ret;
}

int pl_cost_words(FILE *out, const struct pl_results *r)
{
	struct pl_bills bills;
	int ret = 0;

	pl_element(out, "p", "class=\"soft\"",
		   "What was counted, times what that takes on a platform. The prices are others' "
		   "measurements and stated guesses, with ranges; no time measured here is in it. "
		   "All traces that are compared, taken together:");
	if (pl_bills(r, PL_ALL_TRACES, &bills))
		return -1;
	for (size_t i = 0; i < r->n_platforms && !ret; i++)
		ret = put_platform(out, r, &r->platforms[i], &bills);
	pl_bills_free(&bills);
	return ret;
}
