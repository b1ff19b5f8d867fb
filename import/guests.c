// SPDX-License-Identifier: GPL-2.0-only
#include "import/guests.h"

#include <stdlib.h>
#include <string.h>

#include "import/roots.h"

#define BUCKETS 1024u

struct guests {
	struct guest_thread *threads[BUCKETS];
	struct guest_vm *vms;
	unsigned int n_threads, n_vms;
};

struct guests *guests_new(void)
{
	return calloc(1, sizeof(struct guests));
}

static void free_vm(struct guest_vm *vm)
{
	struct guest_vcpu *next;

	roots_free(vm);
	for (struct guest_vcpu *c = vm->vcpus; c; c = next) {
		next = c->next;
		free(c);
	}
	free(vm);
}

void guests_free(struct guests *g)
{
	struct guest_thread *next_thread;
	struct guest_vm *next_vm;

	if (!g)
		return;
	for (unsigned int i = 0; i < BUCKETS; i++) {
		for (struct guest_thread *t = g->threads[i]; t; t = next_thread) {
			next_thread = t->next;
			free(t);
		}
	}
	for (struct guest_vm *vm = g->vms; vm; vm = next_vm) {
		next_vm = vm->next;
		free_vm(vm);
	}
	free(g);
}

/* Numbers of threads are used again, in other processes. */
static void begin_again(struct guest_thread *t, uint32_t pid)
{
	t->pid = pid;
	t->vcpu = NULL;
	t->zapping = 0;
	t->name[0] = '\0';
}

struct guest_thread *guests_thread(struct guests *g, uint32_t tid, uint32_t pid, bool create)
{
	struct guest_thread *t = g->threads[tid % BUCKETS];

	while (t && t->tid != tid)
		t = t->next;
	if (t && pid && t->pid != pid && t->pid)
		begin_again(t, pid);
	if (t && pid)
		t->pid = pid;
	if (t || !create || g->n_threads == GUESTS_MAX_THREADS)
		return t;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->tid = tid;
	t->pid = pid;
	t->next = g->threads[tid % BUCKETS];
	g->threads[tid % BUCKETS] = t;
	g->n_threads++;
	return t;
}

static struct guest_vcpu *find_vcpu(const struct guest_vm *vm, uint64_t id)
{
	struct guest_vcpu *c = vm->vcpus;

	while (c && c->id != id)
		c = c->next;
	return c;
}

static uint32_t distance(uint32_t a, uint32_t b)
{
	return a > b ? a - b : b - a;
}

/* The VM that the vCPU of a thread is of, perhaps one that has it already; NULL: one not seen yet. */
static struct guest_vm *find_vm(const struct guests *g, const struct guest_thread *t, uint64_t id)
{
	const uint32_t near = 64; /* threads of one VM lie that close, and one for each vCPU more */
	struct guest_vm *best = NULL;

	for (struct guest_vm *vm = g->vms; vm; vm = vm->next) {
		const struct guest_vcpu *c = find_vcpu(vm, id);

		if (vm->pid != t->pid)
			continue;
		if (c && c->tid == t->tid)
			return vm;
		if (c || (!t->pid && distance(vm->base, t->tid) > near + id))
			continue;
		if (!best || distance(vm->base, t->tid) < distance(best->base, t->tid))
			best = vm;
	}
	return best;
}

static struct guest_vm *add_vm(struct guests *g, const struct guest_thread *t)
{
	struct guest_vm *vm;

	if (g->n_vms == GUESTS_MAX_VMS)
		return NULL;
	vm = calloc(1, sizeof(*vm));
	if (!vm)
		return NULL;
	vm->id = (uint16_t)g->n_vms++;
	vm->pid = t->pid;
	vm->base = t->tid;
	vm->next = g->vms;
	g->vms = vm;
	return vm;
}

struct guest_vcpu *guests_vcpu(struct guests *g, struct guest_thread *t, uint64_t id, bool *is_new)
{
	struct guest_vcpu *c;
	struct guest_vm *vm;

	*is_new = false;
	if (t->vcpu && t->vcpu->id == id)
		return t->vcpu;
	if (id >= GUESTS_MAX_VCPUS)
		return NULL;
	vm = find_vm(g, t, id);
	if (!vm) {
		vm = add_vm(g, t);
		if (!vm)
			return NULL;
		*is_new = true;
	}
	c = find_vcpu(vm, id);
	if (!c) {
		c = calloc(1, sizeof(*c));
		if (!c)
			return NULL;
		c->vm = vm;
		c->tid = t->tid;
		c->id = (uint16_t)id;
		c->next = vm->vcpus;
		vm->vcpus = c;
	}
	t->vcpu = c;
	return c;
}

struct guest_vm *guests_vms(const struct guests *g)
{
	return g->vms;
}

struct guest_vm *guests_of_process(const struct guests *g, uint32_t pid)
{
	struct guest_vm *only = NULL;

	for (struct guest_vm *vm = g->vms; vm; vm = vm->next) {
		if (pid && vm->pid != pid)
			continue;
		if (only)
			return NULL;
		only = vm;
	}
	return only;
}

void guests_interrupt(struct guests *g, uint32_t cpu)
{
	for (unsigned int i = 0; i < BUCKETS; i++) {
		for (struct guest_thread *t = g->threads[i]; t; t = t->next) {
			if (t->cpu != cpu)
				continue;
			t->zapping = 0;
			if (!t->vcpu)
				continue;
			t->vcpu->fault.active = false;
			t->vcpu->fault.walking = false;
			t->vcpu->exit.open = false;
		}
	}
}
