// SPDX-License-Identifier: GPL-2.0-only
#include "cli/text.h"

#include <string.h>

#include "trace/utf8.h"

/* U+0080 to U+009F are control characters too: some terminals obey them. */
static int is_control(const char *text, size_t n)
{
	const unsigned char *p = (const unsigned char *)text;

	return n == 1 ? *p < 0x20 || *p == 0x7f : n == 2 && p[0] == 0xc2 && p[1] < 0xa0;
}

void text_plain(FILE *out, const char *text, size_t len)
{
	size_t n;

	for (; len; text += n, len -= n) {
		n = ut_utf8_length(text, len);
		if (n && !is_control(text, n)) {
			fwrite(text, 1, n, out);
			continue;
		}
		n = n ? n : 1;
		for (size_t i = 0; i < n; i++)
			fprintf(out, "\\x%02x", (unsigned char)text[i]);
	}
}

void text_json(FILE *out, const char *text, size_t len)
{
	size_t n;

	putc('"', out);
	for (; len; text += n, len -= n) {
		n = ut_utf8_length(text, len);
		if (!n) {
			fputs("\\ufffd", out);
			n = 1;
		} else if (*text == '"' || *text == '\\') {
			putc('\\', out);
			putc(*text, out);
		} else if ((unsigned char)*text < 0x20) {
			fprintf(out, "\\u%04x", (unsigned char)*text);
		} else {
			fwrite(text, 1, n, out);
		}
	}
	putc('"', out);
}

const char *text_count(char *buf, uint64_t n)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
	char *p = buf;

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			*p++ = ',';
		*p++ = digits[i];
	}
	*p = '\0';
	return buf;
}
