// SPDX-License-Identifier: GPL-2.0-only
#include "play.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static void load(uint8_t *ram, struct script *s)
{
	vm_ram_reset(ram, s->paging);
	for (unsigned int i = 0; i < MACHINE_FRAMES; i++)
		memcpy(vm_table(ram, machine_gfn(i)), s->start.word[i], 4096);
	for (unsigned int i = 0; i < s->arrays; i++)
		vm_load(ram, i, s->op[i], s->n[i]);
}

/* Accessed and dirty bits come and go as the host likes; in frames of data, too. */
static int check_memory(uint8_t *ram, const struct script *s)
{
	uint64_t ad = machine_ad(s->paging);

	for (unsigned int i = 0; i < MACHINE_FRAMES; i++) {
		const uint64_t *words = vm_table(ram, machine_gfn(i));

		for (unsigned int j = 0; j < 512; j++) {
			if (!((words[j] ^ s->end.word[i][j]) & ~ad))
				continue;
			fprintf(stderr,
				"known-guest: seed %llu: word %u of frame %#llx is %#llx, not "
				"%#llx\n",
				(unsigned long long)s->seed, j, (unsigned long long)machine_gfn(i),
				(unsigned long long)words[j],
				(unsigned long long)s->end.word[i][j]);
			return -1;
		}
	}
	return 0;
}

static int check_faults(const struct vm *vm, const struct script *s)
{
	for (unsigned int i = 0; i < s->arrays; i++) {
		if (vm_faults(vm, i) == s->faults[i])
			continue;
		fprintf(stderr, "known-guest: seed %llu: %llu page faults instead of %llu\n",
			(unsigned long long)s->seed, (unsigned long long)vm_faults(vm, i),
			(unsigned long long)s->faults[i]);
		return -1;
	}
	return 0;
}

static void *run_second(void *vm)
{
	return vm_run(vm, 1) ? vm : NULL;
}

static int run(struct vm *vm)
{
	pthread_t second;
	void *failed = NULL;
	int err;

	if (vm->vcpus == 1)
		return vm_run(vm, 0);
	if (pthread_create(&second, NULL, run_second, vm)) {
		fprintf(stderr, "known-guest: no thread for a vCPU\n");
		return -1;
	}
	err = vm_run(vm, 0);
	pthread_join(second, &failed);
	return err || failed ? -1 : 0;
}

static int play_script(const struct vm_host *host, uint8_t *ram, struct script *s)
{
	const struct machine_cpu *cpu = &s->start.cpu[0];
	struct vm vm;
	int err;

	load(ram, s);
	if (vm_create(&vm, host, ram, s->paging, s->vcpus, s->flavour == SCRIPT_TURNS, cpu->cr3,
		      cpu->cr4))
		return -1;
	err = run(&vm);
	if (err)
		fprintf(stderr, "known-guest: seed %llu: did not reach its end\n",
			(unsigned long long)s->seed);
	else if (check_memory(ram, s) || check_faults(&vm, s))
		err = -1;
	vm_destroy(&vm);
	return err;
}

int play(const struct vm_host *host, uint8_t *ram, const struct paging *paging, uint64_t first,
	 uint64_t last)
{
	for (uint64_t seed = first; seed <= last; seed++) {
		struct script *s = script_make(seed, paging, host->features);
		int err;

		if (!s) {
			fprintf(stderr, "known-guest: no memory for a script\n");
			return -1;
		}
		err = play_script(host, ram, s);
		script_free(s);
		if (err)
			return -1;
	}
	return 0;
}
