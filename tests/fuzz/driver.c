// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs a fuzzer without libFuzzer, whatever the compiler:
 *
 *	fuzz-NAME [--mutations N] FILE|FOLDER...
 *
 * Feeds it each file, and N changed copies of each. Which those are is the same every time.
 */
#define _GNU_SOURCE
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LARGEST (1u << 20)

#pragma weak LLVMFuzzerCustomMutator

static struct fuzz_chance chance;
static unsigned long mutations, files, runs;

/* A few bytes replaced, put in or taken out. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size)
{
	size_t at, n;

	for (uint64_t k = 1 + fuzz_draw(&chance, 3); k; k--) {
		at = size ? fuzz_draw(&chance, size) : 0;
		n = 1 + fuzz_draw(&chance, 8);
		if (!fuzz_draw(&chance, 4) && n <= size - at) {
			memmove(data + at, data + at + n, size - at - n);
			size -= n;
		} else if (!fuzz_draw(&chance, 4) && size + n <= max_size) {
			memmove(data + at + n, data + at, size - at);
			size += n;
		} else if (at < size) {
			data[at] = (uint8_t)fuzz_draw(&chance, 256);
		}
	}
	return size;
}

/* From memory of exactly its size, so that reading on is found. */
static void run(const uint8_t *data, size_t size)
{
	uint8_t *exact = malloc(size ? size : 1);

	if (!exact)
		fuzz_broken("out of memory");
	memcpy(exact, data, size);
	LLVMFuzzerTestOneInput(exact, size);
	free(exact);
	runs++;
}

static void run_mutations(const uint8_t *data, size_t size, uint8_t *room)
{
	for (unsigned long i = 0; i < mutations; i++) {
		size_t n;

		memcpy(room, data, size);
		chance.state = i;
		if (LLVMFuzzerCustomMutator)
			n = LLVMFuzzerCustomMutator(room, size, LARGEST, (unsigned int)i);
		else
			n = LLVMFuzzerMutate(room, size, LARGEST);
		run(room, n);
	}
}

static int run_file(const char *path)
{
	uint8_t *data = malloc(2 * (size_t)LARGEST);
	FILE *f = fopen(path, "re");
	size_t size = 0;
	int ret = -1;

	if (f && data) {
		size = fread(data, 1, LARGEST, f);
		ret = ferror(f) || getc(f) != EOF ? -1 : 0;
	}
	if (f)
		fclose(f);
	if (ret) {
		fprintf(stderr, "fuzz: %s: cannot be read, or is larger than %u KiB\n", path,
			LARGEST >> 10);
	} else {
		files++;
		run(data, size);
		run_mutations(data, size, data + LARGEST);
	}
	free(data);
	return ret;
}

static int not_hidden(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static int run_path(const char *path)
{
	struct dirent **names;
	struct stat st;
	int n, ret = 0;

	if (stat(path, &st) || !S_ISDIR(st.st_mode))
		return run_file(path);
	n = scandir(path, &names, not_hidden, alphasort);
	if (n < 0)
		return -1;
	for (int i = 0; i < n; i++) {
		char *file;

		if (asprintf(&file, "%s/%s", path, names[i]->d_name) < 0)
			fuzz_broken("out of memory");
		ret |= run_path(file);
		free(file);
		free(names[i]);
	}
	free(names);
	return ret;
}

int main(int argc, char **argv)
{
	int ret = 0, first = 1;

	if (argc > 2 && !strcmp(argv[1], "--mutations")) {
		mutations = strtoul(argv[2], NULL, 10);
		first = 3;
	}
	if (first == argc) {
		fprintf(stderr, "usage: %s [--mutations N] FILE|FOLDER...\n", argv[0]);
		return 2;
	}
	for (int i = first; i < argc; i++)
		ret |= run_path(argv[i]);
	printf("%lu files, %lu runs\n", files, runs);
	if (!files)
		fputs("fuzz: nothing was run\n", stderr);
	return ret || !files;
}
