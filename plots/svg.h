/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Puts an SVG file of gnuplot's into an HTML page.
 */
#ifndef UNSYNC_PLOTS_SVG_H
#define UNSYNC_PLOTS_SVG_H

#include <stdio.h>

/**
 * pl_svg_inline() - write the <svg> element of a file
 * @out: the page
 * @path: the file
 * @prefix: goes in front of every id and every reference to one, as ids must be unique in a page;
 *          letters, digits, '-', '_' and '.'
 * @label: what the picture shows, for those who do not see it; plain text
 *
 * Titles and descriptions of gnuplot's own ("gnuplot_plot_1") are left out.
 *
 * Return: 0, or -1: the file cannot be read or is not what gnuplot writes (errno is set).
 */
int pl_svg_inline(FILE *out, const char *path, const char *prefix, const char *label);

#endif
