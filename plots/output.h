/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The folder that a report is written to. Everything is made in a temporary folder and moved into place
 * at the end, the page last; until then nothing of an earlier output is touched.
 *
 *   DIR/index.html   the page; it needs none of the other files
 *   DIR/charts/      the charts, their data, the scripts, and files.txt, which names all of these
 *
 * An earlier output is replaced: of DIR/charts, what files.txt names and nothing else is removed.
 */
#ifndef UNSYNC_PLOTS_OUTPUT_H
#define UNSYNC_PLOTS_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Every page says this near its beginning; a folder whose page does is taken for ours. */
#define PL_GENERATOR "<meta name=\"generator\" content=\"unsync plot"

struct pl_output {
	char *dir, *temp, *charts; /* charts: the folder in temp */
	bool existed;
};

/**
 * pl_output_begin() - make the temporary folder
 * @out: filled in; pl_output_publish() or pl_output_abort() frees it
 * @dir: where the report is to be in the end; its parent must exist
 * @force: write into @dir even if it holds something else than an earlier output
 * @error: a line for the user if it fails
 * @error_len: bytes there
 *
 * Return: 0, or -1 (then nothing needs to be freed).
 */
int pl_output_begin(struct pl_output *out, const char *dir, bool force, char *error,
		    size_t error_len);

/**
 * pl_output_open() - create a file to write to
 * @sub: "charts", or "" for the folder itself
 * @name: of the file
 *
 * Return: the file, or NULL with errno set.
 */
FILE *pl_output_open(const struct pl_output *out, const char *sub, const char *name);

/**
 * pl_output_publish() - move everything into place; frees @out, whether it fails or not
 *
 * Return: 0, or -1 with a line in @error.
 */
int pl_output_publish(struct pl_output *out, char *error, size_t error_len);

/**
 * pl_output_abort() - remove the temporary folder; frees @out
 */
void pl_output_abort(struct pl_output *out);

#endif
