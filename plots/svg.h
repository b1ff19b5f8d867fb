/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Puts an SVG file of gnuplot's into an HTML page: smaller than gnuplot writes it, and in the page's
 * colours, so that one chart is right on a light and on a dark page.
 */
#ifndef UNSYNC_PLOTS_SVG_H
#define UNSYNC_PLOTS_SVG_H

#include <stddef.h>
#include <stdio.h>

/* What the page has a name for. Greys become var(--fg) and the like. */
struct pl_svg_palette {
	const unsigned int *rgb; /* 0xrrggbb: rgb[i] becomes var(--mI) */
	size_t n;
	double font_px; /* of ordinary text, in the picture's own pixels: page.css has it */
};

/**
 * pl_svg_inline() - write the <svg> element of a file
 * @out: the page
 * @path: the file
 * @prefix: goes in front of every id and every reference to one, as ids must be unique in a page;
 *          letters, digits, '-', '_' and '.'
 * @label: what the picture shows, for those who do not see it; plain text
 * @palette: the page's colours
 *
 * Left out is what does not show: gnuplot's own titles ("gnuplot_plot_1"), fonts, defaults, empty
 * groups, points of a line that lie on it. Coordinates are rounded to a tenth of a pixel.
 *
 * Return: 0, or -1: the file cannot be read or is not what gnuplot writes (errno is set).
 */
int pl_svg_inline(FILE *out, const char *path, const char *prefix, const char *label,
		  const struct pl_svg_palette *palette);

#endif
