// SPDX-License-Identifier: GPL-2.0-only
#include "plots/html.h"

#include "plots/text.h"

void pl_element(FILE *out, const char *tag, const char *attributes, const char *text)
{
	fprintf(out, "<%s%s%s>", tag, *attributes ? " " : "", attributes);
	pl_html(out, text);
	fprintf(out, "</%s>\n", tag);
}

void pl_count_cell(FILE *out, uint64_t n)
{
	char buf[PL_NUMBER];

	fprintf(out, "<td data-v=\"%llu\">%s</td>", (unsigned long long)n, pl_group(buf, n));
}

void pl_time_cell(FILE *out, double ns)
{
	char buf[PL_NUMBER];

	fprintf(out, "<td data-v=\"%.1f\">%s</td>", ns, pl_time(buf, ns));
}

void pl_interval(FILE *out, const struct pl_stat *s)
{
	char a[PL_NUMBER], b[PL_NUMBER];

	if (s->has_interval)
		fprintf(out, "<small>%s to %s</small> ", pl_time(a, s->lo), pl_time(b, s->hi));
	else
		fputs("<small>too few passes for an interval</small>", out);
}

void pl_model_label(FILE *out, const struct pl_results *r, size_t model)
{
	fprintf(out, "<i class=\"swatch m%zu\"></i>", model);
	for (const char *c = r->models[model].label; *c; c++) {
		pl_html(out, (char[]){ *c, '\0' });
		if (*c == ',' || c[1] == '(')
			fputs("<wbr>", out);
	}
}

void pl_trace_link(FILE *out, const struct pl_results *r, size_t trace)
{
	fprintf(out, "<a href=\"#t%zu\">", trace + 1);
	pl_html(out, r->traces[trace].id);
	fputs("</a>", out);
}

bool pl_in_table(const struct pl_results *r, size_t trace, size_t model, bool measured)
{
	if (!measured)
		return pl_shown(r, trace, model);
	return pl_run_of(r, trace, model) && pl_run_of(r, trace, model)->measured;
}

void pl_table_begin(FILE *out, const char *caption, const char *class)
{
	/* Not a <caption>: that would be as wide as the table, and scroll away with it. */
	pl_element(out, "p", "class=\"caption\"", caption);
	fputs("<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"", out);
	pl_html(out, caption);
	fputs("\"><table", out);
	if (*class)
		fprintf(out, " class=\"%s\"", class);
	fputs(" aria-label=\"", out);
	pl_html(out, caption);
	fputs("\">\n", out);
}

void pl_table_end(FILE *out)
{
	fputs("</tbody></table></div>\n", out);
}

void pl_columns(FILE *out, const char *const *names, size_t n_text)
{
	fputs("<thead><tr>", out);
	for (size_t i = 0; names[i]; i++)
		pl_element(out, "th", i < n_text ? "scope=\"col\" class=\"text\"" : "scope=\"col\"",
			   names[i]);
	fputs("</tr></thead><tbody>\n", out);
}

void pl_model_columns(FILE *out, const struct pl_results *r, size_t trace, bool measured,
		      const char *first)
{
	fputs("<thead><tr>", out);
	pl_element(out, "th", "scope=\"col\" class=\"text\"", first);
	for_each_column(r, trace, measured, m) {
		fprintf(out, "<th scope=\"col\" class=\"model\" data-m=\"%zu\">", m);
		pl_model_label(out, r, m);
		fputs("</th>", out);
	}
	fputs("</tr></thead><tbody>\n", out);
}
