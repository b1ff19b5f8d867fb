/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A virtual machine of one or two vCPUs, driven straight through /dev/kvm, whose vCPUs execute
 * operations that lie in its memory (layout.h).
 */
#ifndef UNSYNC_TESTS_KNOWN_VM_H
#define UNSYNC_TESTS_KNOWN_VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layout.h"

#define VM_VCPUS 2
#define VM_LEVELS 5 /* at most */

/* How a guest translates addresses. */
struct paging {
	const char *name;
	unsigned int levels;
	unsigned int bits;  /* of an address for each level */
	unsigned int entry; /* bytes */
	unsigned int word;  /* bytes that most operations write */
	unsigned int root;  /* level of the shadow pages that roots are */
	uint64_t direct;    /* where physical address 0 is mapped */
	uint64_t cr4, efer; /* initial values */
	bool registers;	    /* the top level is four registers, loaded when CR3 is written */
};

extern const struct paging paging_four, paging_five, paging_pae, paging_two;

/**
 * paging_find() - "four", "five", "pae" or "two"; NULL if it is none of these
 */
const struct paging *paging_find(const char *name);

struct known_op {
	uint8_t code; /* KNOWN_* */
	uint8_t vcpu;
	uint16_t type; /* of INVPCID; bytes of CMPXCHG in 32-bit modes */
	uint32_t pad;
	uint64_t gva;
	uint64_t value;
	uint64_t extra;
};

struct vm_features {
	bool pcid, invpcid;
	bool la57; /* five-level paging; scripts do not ask */
};

/* What one thread that makes virtual machines shares between them. */
struct vm_host {
	int kvm; /* file descriptor of /dev/kvm */
	struct kvm_cpuid2 *cpuid;
	struct vm_features features;
	unsigned int shadow_pages; /* the host's limit for each machine; 0: its own */
};

struct vm {
	const struct vm_host *host;
	uint8_t *ram; /* KNOWN_RAM bytes */
	int fd;
	unsigned int vcpus;
	int vcpu_fd[VM_VCPUS];
	struct kvm_run *run[VM_VCPUS];
};

/**
 * vm_host_open() - open /dev/kvm and ask what it can do
 *
 * Return: 0, or -1 after a message on stderr.
 */
int vm_host_open(struct vm_host *host);
void vm_host_close(struct vm_host *host);

/**
 * vm_ram() - memory for a guest, all of it present; NULL after a message
 *
 * May serve one VM after another; vm_ram_reset() between them makes it like new.
 */
uint8_t *vm_ram(void);
void vm_ram_reset(uint8_t *ram, const struct paging *paging);

/**
 * vm_table() - the table (or other page) in a frame of guest memory, as 512 words
 */
static inline uint64_t *vm_table(uint8_t *ram, uint64_t frame)
{
	return (uint64_t *)(ram + (frame << 12));
}

/**
 * vm_load() - put operations into guest memory
 * @ram: guest memory
 * @vcpu: 0 or 1: whose array; if both vCPUs take turns there is only that of 0
 *
 * The last one must be KNOWN_END.
 */
void vm_load(uint8_t *ram, unsigned int vcpu, const struct known_op *ops, size_t n);

/**
 * vm_create() - a machine in its initial state
 * @paging: as the memory was reset for
 * @turns: both vCPUs execute the operations of vCPU 0's array, each those that name it
 * @cr3, @cr4: initial values, for all vCPUs
 *
 * Return: 0, or -1 after a message on stderr.
 */
int vm_create(struct vm *vm, const struct vm_host *host, uint8_t *ram, const struct paging *paging,
	      unsigned int vcpus, bool turns, uint64_t cr3, uint64_t cr4);

/**
 * vm_run() - run a vCPU to its next KNOWN_END
 *
 * Return: 0, or -1 after a message on stderr.
 */
int vm_run(struct vm *vm, unsigned int vcpu);

/* Until it is destroyed, the host still reads its memory. */
void vm_destroy(struct vm *vm);

/* Number of page faults that a vCPU had (both together, if they take turns: ask for vCPU 0). */
uint64_t vm_faults(const struct vm *vm, unsigned int vcpu);

#define VM_CR0 0x80010033ull /* initial value: PG, WP, NE, ET, MP, PE */

/**
 * vm_tables() - what every address space begins with
 * @paging: the mode
 * @set: called for each entry: where it is, and what it is
 * @ctx: given to it
 */
void vm_tables(const struct paging *paging, void (*set)(void *ctx, uint64_t gpa, uint64_t entry),
	       void *ctx);

/* CR3 of a root: @i below KNOWN_ROOTS; with PAE, of one of the several in its frame. */
uint64_t vm_root(const struct paging *paging, unsigned int i, unsigned int part);

#endif
