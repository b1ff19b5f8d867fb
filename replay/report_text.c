// SPDX-License-Identifier: GPL-2.0-only
#include "replay/report_text.h"

#include <math.h>
#include <stdio.h>

static struct ur_text show(double v, const char *const *units, const double *limits, size_t n)
{
	struct ur_text t;
	size_t i = 0;

	while (i + 1 < n && v >= limits[i + 1])
		i++;
	v /= limits[i];
	snprintf(t.s, sizeof(t.s), "%.*f%s",
		 limits[i] == 1 || v >= 100 ? 0
		 : v >= 10		    ? 1
					    : 2,
		 v, units[i]);
	return t;
}

struct ur_text ur_show_ns(double ns)
{
	static const char *const units[] = { " ns", " us", " ms", " s" };
	static const double limits[] = { 1, 1e3, 1e6, 1e9 };

	return show(ns, units, limits, 4);
}

struct ur_text ur_show_cost(double ns)
{
	struct ur_text t, of = ur_show_ns(fabs(ns));

	if (fabs(ns) < 100)
		snprintf(of.s, sizeof(of.s), "%.1f ns", fabs(ns));
	snprintf(t.s, sizeof(t.s), "%s%.30s", ns < 0 ? "-" : "", of.s);
	return t;
}

struct ur_text ur_show_rate(double rate)
{
	static const char *const units[] = { "", " k", " M", " G" };
	static const double limits[] = { 1, 1e3, 1e6, 1e9 };

	return show(rate, units, limits, 4);
}

struct ur_text ur_show_bytes(double bytes)
{
	static const char *const units[] = { " B", " KiB", " MiB", " GiB" };
	static const double limits[] = { 1, 1024, 1048576, 1073741824 };

	return show(bytes, units, limits, 4);
}
