/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Texts out of a trace are bytes that somebody else chose: they must not steer a terminal and must not
 * break JSON.
 */
#ifndef UNSYNC_CLI_TEXT_H
#define UNSYNC_CLI_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/**
 * text_plain() - print a text for people
 * @out: where to
 * @text: bytes, not terminated
 * @len: how many
 *
 * Control characters and what is no UTF-8 come out as \xHH.
 */
void text_plain(FILE *out, const char *text, size_t len);

/**
 * text_json() - print a text as a JSON string, quotes included
 *
 * Each byte that is no UTF-8 comes out as U+FFFD.
 */
void text_json(FILE *out, const char *text, size_t len);

/**
 * text_count() - a number with its thousands set apart: "1,234,567"
 * @buf: at least 27 bytes
 * @n: the number
 *
 * Return: @buf.
 */
const char *text_count(char *buf, uint64_t n);

#endif
