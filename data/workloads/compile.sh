#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# TITLE: boot, then gcc compiles and links a C program, which runs
# GUEST: full
# VCPUS: 1
# MEMORY: 512
# TIMEOUT: 600
# PACKAGES: gcc libc6-dev

set -e
cd /tmp
cat >sieve.c <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Counts the primes below argv[1]. */
int main(int argc, char **argv)
{
	size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000, count = 0;
	char *composite = calloc(n, 1);

	if (!composite)
		return 1;
	for (size_t i = 2; i < n; i++) {
		if (composite[i])
			continue;
		count++;
		for (size_t j = i * i; j < n; j += i)
			composite[j] = 1;
	}
	printf("%zu\n", count);
	free(composite);
	return 0;
}
END
gcc -O2 -Wall -o sieve sieve.c
[ "$(./sieve 100000)" = 9592 ]
