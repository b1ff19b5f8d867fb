/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Numbers and strings as people, CSV readers and browsers want them.
 */
#ifndef UNSYNC_PLOTS_TEXT_H
#define UNSYNC_PLOTS_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Room for any number that the functions below write. */
#define PL_NUMBER 48

/**
 * pl_group() - 1234567 as "1,234,567"
 * @buf: at least PL_NUMBER bytes
 *
 * Return: @buf.
 */
const char *pl_group(char *buf, uint64_t value);

/**
 * pl_time() - nanoseconds as "870 ns", "1.23 µs", "45.6 ms", "7.89 s": three digits
 * @buf: at least PL_NUMBER bytes
 *
 * Return: @buf.
 */
const char *pl_time(char *buf, double ns);

/**
 * pl_factor() - a ratio with two significant digits, none wasted: "1.2", "14", "350"
 */
const char *pl_factor(char *buf, double ratio);

/**
 * pl_csv() - write one field of a CSV line (RFC 4180), quoted where that is needed
 *
 * A field that a spreadsheet would take for a formula gets an apostrophe in front.
 */
void pl_csv(FILE *out, const char *text);

/**
 * pl_html() - write text so that it stands for itself in HTML, in content and in quoted attributes
 *
 * Control characters become question marks.
 */
void pl_html(FILE *out, const char *text);

/**
 * pl_html_part() - the first @len bytes of a text in the same way
 */
void pl_html_part(FILE *out, const char *text, size_t len);

/**
 * pl_shell() - write one word of a shell command, in single quotes where that is needed
 */
void pl_shell(FILE *out, const char *word);

/**
 * pl_slug() - text as part of a file name: letters, digits, '.', '_' and '-', at most 80 bytes
 * @buf: at least 81 bytes
 *
 * Never empty and never with a dot in front. Return: @buf.
 */
const char *pl_slug(char *buf, const char *text);

/**
 * pl_short() - text for a chart: at most @max characters (UTF-8), the rest an ellipsis; no quotes, no control
 * characters
 * @buf: at least 4 * @max + 4 bytes
 *
 * Return: @buf.
 */
const char *pl_short(char *buf, const char *text, size_t max);

#endif
