/* SPDX-License-Identifier: GPL-2.0-only */
/* Texts from outside are bytes; what is shown to people or put into JSON must be UTF-8. */
#ifndef UNSYNC_TRACE_UTF8_H
#define UNSYNC_TRACE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/**
 * ut_utf8_length() - length of the UTF-8 character at the start of a text
 * @text: bytes
 * @len: how many there are
 *
 * Return: 1 to 4; 0 if there is no valid character (over-long, surrogate, beyond U+10FFFF, cut off).
 */
static inline size_t ut_utf8_length(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;
	uint32_t code, least;
	size_t n;

	if (!len)
		return 0;
	if (p[0] < 0x80)
		return 1;
	n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4 || n > len)
		return 0;
	code = p[0] & (0xffu >> (n + 1));
	least = n == 4 ? 0x10000 : n == 3 ? 0x800 : 0x80;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3fu);
	}
	if (code < least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return 0;
	return n;
}

#endif
