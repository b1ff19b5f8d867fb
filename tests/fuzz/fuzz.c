// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "tests/fuzz/fuzz.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SLOTS = 2 };

static struct {
	int fd;
	char path[40];
} slots[SLOTS] = { { .fd = -1 }, { .fd = -1 } };

_Noreturn void fuzz_broken(const char *fmt, ...)
{
	va_list ap;

	fputs("fuzz: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}

const char *fuzz_file(unsigned int slot, const void *data, size_t size)
{
	const char *bytes = data;
	ssize_t n;

	if (slots[slot].fd < 0) {
		slots[slot].fd = memfd_create("fuzz", MFD_CLOEXEC);
		snprintf(slots[slot].path, sizeof(slots[slot].path), "/proc/self/fd/%d",
			 slots[slot].fd);
	}
	if (slots[slot].fd < 0 || ftruncate(slots[slot].fd, 0) ||
	    lseek(slots[slot].fd, 0, SEEK_SET))
		fuzz_broken("no file in memory");
	for (; size; bytes += n, size -= (size_t)n) {
		n = write(slots[slot].fd, bytes, size);
		if (n <= 0)
			fuzz_broken("a file in memory cannot be written");
	}
	return slots[slot].path;
}

int fuzz_descriptor(unsigned int slot)
{
	lseek(slots[slot].fd, 0, SEEK_SET);
	return slots[slot].fd;
}

void fuzz_line(const char *text, size_t size)
{
	size_t len = strnlen(text, size);

	if (!len || len == size)
		fuzz_broken("an error without a text that ends");
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			fuzz_broken("a control character in a message: %s", text);
	}
}

uint64_t fuzz_draw(struct fuzz_chance *c, uint64_t below)
{
	uint64_t v = c->state += 0x9e3779b97f4a7c15ull;

	v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9ull;
	v = (v ^ v >> 27) * 0x94d049bb133111ebull;
	return (v ^ v >> 31) % below;
}
