// SPDX-License-Identifier: GPL-2.0-only
#include "forever.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define FLAGS 0x07ull /* present, writable, user */
#define PAGES 8
#define OPS 256

static atomic_ulong passes;
static atomic_bool broken;

struct runner {
	pthread_t thread;
	struct vm *vm;
	unsigned int vcpu, rate;
};

struct ops {
	struct known_op op[OPS];
	size_t n;
	uint8_t vcpu;
};

static void add(struct ops *ops, uint8_t code, uint64_t gva, uint64_t value)
{
	ops->op[ops->n++] =
		(struct known_op){ .code = code, .vcpu = ops->vcpu, .gva = gva, .value = value };
}

static uint64_t direct(uint64_t frame, unsigned int index)
{
	return KNOWN_DIRECT + (frame << 12) + 8 * index;
}

/*
 * Each vCPU has two roots and three tables of its own. A pass builds an address space, uses it,
 * changes to the other root and back, and takes the address space down: no pass depends on the one
 * before.
 */
static void make_ops(struct ops *ops, unsigned int vcpu)
{
	uint64_t root = KNOWN_POOL_FRAME + 2 * vcpu, table = KNOWN_POOL_FRAME + 8 + 3 * vcpu;

	ops->vcpu = (uint8_t)vcpu;
	ops->n = 0;
	for (unsigned int i = 0; i < 2; i++)
		add(ops, KNOWN_WRITE8, direct(root + i, 1), table << 12 | FLAGS);
	add(ops, KNOWN_WRITE8, direct(table, 2), (table + 1) << 12 | FLAGS);
	add(ops, KNOWN_WRITE8, direct(table + 1, 3), (table + 2) << 12 | FLAGS);
	for (unsigned int round = 0; round < 4; round++) {
		add(ops, KNOWN_CR3, 0, (root + (round & 1)) << 12);
		for (unsigned int i = 0; i < PAGES; i++) {
			uint64_t gva = 1ull << 39 | 2ull << 30 | 3ull << 21 | (uint64_t)i << 12;
			uint64_t frame = KNOWN_DATA_FRAME + (i + round) % KNOWN_DATA;

			add(ops, KNOWN_WRITE8, direct(table + 2, i), frame << 12 | FLAGS);
			add(ops, KNOWN_INVLPG, gva, 0);
			add(ops, KNOWN_WRITE8, gva + 8 * vcpu, round);
		}
	}
	for (unsigned int i = 0; i < PAGES; i++)
		add(ops, KNOWN_WRITE8, direct(table + 2, i), 0);
	add(ops, KNOWN_WRITE8, direct(table + 1, 3), 0);
	add(ops, KNOWN_CR3, 0, root << 12);
	add(ops, KNOWN_END, 0, 0);
}

static void *run(void *arg)
{
	struct runner *r = arg;
	uint64_t *turn = vm_table(r->vm->ram, (KNOWN_TURN >> 12) + r->vcpu);

	while (!vm_run(r->vm, r->vcpu)) {
		turn[KNOWN_TURN_NEXT / 8] = 0;
		atomic_fetch_add(&passes, 1);
		usleep(1000000 / r->rate);
	}
	atomic_store(&broken, true);
	return NULL;
}

static int create(struct vm *vm, const struct vm_host *host, const struct forever *how)
{
	uint8_t *ram = vm_ram();
	static struct ops ops;

	if (!ram)
		return -1;
	for (unsigned int i = 0; i < how->vcpus; i++) {
		make_ops(&ops, i);
		vm_load(ram, i, ops.op, ops.n);
	}
	return vm_create(vm, host, ram, how->vcpus, false, KNOWN_POOL_FRAME << 12, VM_CR4);
}

static int start(struct runner *r)
{
	if (!pthread_create(&r->thread, NULL, run, r))
		return 0;
	fprintf(stderr, "known-guest: no thread for a vCPU\n");
	return -1;
}

/* All that was started ends with the process. */
int forever(const struct vm_host *host, const struct forever *how)
{
	static struct runner runners[FOREVER_VMS][VM_VCPUS];
	static struct vm vms[FOREVER_VMS];

	for (unsigned int i = 0; i < how->vms; i++) {
		if (create(&vms[i], host, how))
			return -1;
		for (unsigned int j = 0; j < how->vcpus; j++) {
			runners[i][j] =
				(struct runner){ .vm = &vms[i], .vcpu = j, .rate = how->rate };
			if (start(&runners[i][j]))
				return -1;
		}
	}
	while (!atomic_load(&broken)) {
		printf("%lu\n", atomic_load(&passes));
		fflush(stdout);
		sleep(1);
	}
	return -1;
}
