/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whose a record is: tracepoints know threads of the host, a trace knows VMs and vCPUs. A thread is a
 * vCPU's once a record of it names the vCPU (kvm_entry, kvm_exit ...); vCPUs of one process are of one VM.
 *
 * trace.dat does not tell processes. There a vCPU goes with the VM that lacks one of its number and whose
 * first thread is nearest, as hypervisors start the threads of a VM one after the other.
 */
#ifndef UNSYNC_IMPORT_GUESTS_H
#define UNSYNC_IMPORT_GUESTS_H

#include <stdbool.h>
#include <stdint.h>

#include "trace/event.h"

#define GUESTS_MAX_VMS 1024u
#define GUESTS_MAX_VCPUS 4096u /* KVM_MAX_VCPUS is at most that */
#define GUESTS_MAX_THREADS 65536u
#define GUESTS_EXIT_REASONS 128u

/* A page fault of a guest, as far as it has come. */
struct guest_fault {
	uint64_t begin, gva;
	uint64_t walk[UT_MAX_LEVELS];
	uint32_t error;
	bool active;
	bool walked;  /* its own walk has begun */
	bool walking; /* and no other has begun since */
	bool reflected, mmio, fast, emulated;
	uint8_t top, bottom;
	uint8_t goal; /* level at which the host decided to map the page */
	uint8_t set;  /* level at which it did */
};

struct guest_exits {
	uint32_t reason, isa;
	uint64_t count, ns;
};

/* The exit that a vCPU has had and not come back from. */
struct guest_exit {
	uint64_t time, info1, info2;
	uint32_t reason, isa;
	bool open;
	bool emulated;	/* an instruction was emulated since */
	bool cr_told;	/* kvm_cr told what was written */
	uint64_t loads; /* root that was looked up since, 0: none */
	uint64_t syncs; /* the last table that was synced since, 0: none */
};

struct guest_vm;

struct guest_vcpu {
	struct guest_vcpu *next; /* of the VM */
	struct guest_vm *vm;
	uint32_t tid;
	uint16_t id;
	struct ut_state state; /* as far as it is known */
	bool told;	       /* the trace has it */
	bool cr4_told;	       /* CR4 is as kvm_cr told it, not concluded */
	bool root_guessed;     /* what was written to CR3 last was concluded from little */
	struct guest_fault fault;
	struct guest_exit exit;
	struct guest_exits exits[GUESTS_EXIT_REASONS];
	unsigned int n_exits;
};

struct guest_root;
struct guest_home;

struct guest_vm {
	struct guest_vm *next;
	struct guest_vcpu *vcpus;
	struct guest_root *roots;  /* see import/roots.h */
	struct guest_home **homes; /* by frame */
	uint32_t n_roots, n_homes;
	uint32_t pid;  /* 0: unknown */
	uint32_t base; /* the first of its threads that was seen */
	uint16_t id;
};

struct guest_thread {
	struct guest_thread *next;
	struct guest_vcpu *vcpu; /* NULL: it runs none */
	uint32_t tid, pid;
	uint32_t cpu; /* where it was last */
	uint64_t
		zapping; /* the page out of sync that it zapped last: a sync of that is part of it */
	char name[16];
};

struct guests;

/**
 * guests_new() - Return: nobody is known, or NULL if out of memory
 */
struct guests *guests_new(void);

/**
 * guests_thread() - the thread of a record
 * @pid: its process, 0: unknown
 *
 * Return: NULL if it is not known and @create is false, or if memory or its limit ran out.
 */
struct guest_thread *guests_thread(struct guests *g, uint32_t tid, uint32_t pid, bool create);

/**
 * guests_vcpu() - a record of the thread names the vCPU that it runs
 * @id: KVM's number of it
 * @is_new: set to whether its VM was not known before
 *
 * Return: NULL if memory or a limit ran out.
 */
struct guest_vcpu *guests_vcpu(struct guests *g, struct guest_thread *t, uint64_t id, bool *is_new);

/**
 * guests_vms() - the VMs, the latest first
 */
struct guest_vm *guests_vms(const struct guests *g);

/**
 * guests_of_process() - the VM of a process that has only one, else NULL
 * @pid: 0: any; then the one of the recording if it has only one
 */
struct guest_vm *guests_of_process(const struct guests *g, uint32_t pid);

/**
 * guests_interrupt() - records of a CPU of the host are missing: what began there has no end
 */
void guests_interrupt(struct guests *g, uint32_t cpu);

/**
 * guests_free() - NULL is allowed
 */
void guests_free(struct guests *g);

#endif
