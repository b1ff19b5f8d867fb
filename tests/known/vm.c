// SPDX-License-Identifier: GPL-2.0-only
#include "vm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define CPUIDS 256
#define GDT_CODE 0x00209b0000000000ull /* 64-bit, present, accessed */
#define GDT_DATA 0x0000930000000000ull
#define SELECTOR_CODE 8
#define SELECTOR_DATA 16
#define SELECTOR_TSS 24
#define VECTORS 32
#define VECTOR_PF 14
#define TABLE_FLAGS 0x23ull /* present, writable, accessed */
#define LARGE_FLAGS 0xe3ull /* dirty and large in addition */

extern const char known_code[], known_code_end[], known_code_fault[], known_code_trap[];

static int failed(const char *what)
{
	fprintf(stderr, "known-guest: %s: %s\n", what, strerror(errno));
	return -1;
}

/*
 * What the machine may use is what this host's KVM offers, apart from what would make the answer
 * depend on the host: pages of 1 GiB, and how many address bits there are.
 */
static void choose_cpuid(struct vm_host *host)
{
	for (unsigned int i = 0; i < host->cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *e = &host->cpuid->entries[i];

		if (e->function == 1)
			host->features.pcid = e->ecx >> 17 & 1;
		else if (e->function == 7 && e->index == 0)
			host->features.invpcid = e->ebx >> 10 & 1;
		else if (e->function == 0x80000001)
			e->edx &= ~(1u << 26);
		else if (e->function == 0x80000008 && (e->eax & 0xff) > 40)
			e->eax = (e->eax & ~0xffu) | 40;
	}
}

int vm_host_open(struct vm_host *host)
{
	memset(host, 0, sizeof(*host));
	host->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (host->kvm < 0)
		return failed("/dev/kvm");
	host->cpuid = calloc(1, sizeof(*host->cpuid) + CPUIDS * sizeof(struct kvm_cpuid_entry2));
	if (!host->cpuid)
		return failed("memory");
	host->cpuid->nent = CPUIDS;
	if (ioctl(host->kvm, KVM_GET_SUPPORTED_CPUID, host->cpuid))
		return failed("KVM_GET_SUPPORTED_CPUID");
	choose_cpuid(host);
	return 0;
}

void vm_host_close(struct vm_host *host)
{
	free(host->cpuid);
	close(host->kvm);
}

uint8_t *vm_ram(void)
{
	/* Populated: a capture cannot read what was never touched. */
	void *ram = mmap(NULL, KNOWN_RAM, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (ram == MAP_FAILED) {
		failed("guest memory");
		return NULL;
	}
	vm_ram_reset(ram);
	return ram;
}

static void set_gate(uint64_t *idt, unsigned int vector, const char *handler)
{
	uint64_t to = KNOWN_DIRECT + KNOWN_CODE + (uint64_t)(handler - known_code);

	idt[2 * vector] =
		(to & 0xffff) | SELECTOR_CODE << 16 | 0x8eull << 40 | (to >> 16 & 0xffff) << 48;
	idt[2 * vector + 1] = to >> 32;
}

void vm_ram_reset(uint8_t *ram)
{
	uint64_t *gdt = vm_table(ram, KNOWN_GDT >> 12);

	memset(ram, 0, KNOWN_OPS);
	memset(vm_table(ram, KNOWN_POOL_FRAME), 0, KNOWN_POOL * 4096);
	memset(vm_table(ram, KNOWN_DATA_FRAME), 0, KNOWN_DATA * 4096);
	memcpy(ram + KNOWN_CODE, known_code, (size_t)(known_code_end - known_code));
	for (unsigned int i = 0; i < VECTORS; i++)
		set_gate(vm_table(ram, KNOWN_IDT >> 12), i,
			 i == VECTOR_PF ? known_code_fault : known_code_trap);
	gdt[SELECTOR_CODE / 8] = GDT_CODE;
	gdt[SELECTOR_DATA / 8] = GDT_DATA;
	vm_table(ram, KNOWN_PDPT >> 12)[0] = KNOWN_PD | TABLE_FLAGS;
	for (uint64_t i = 0; i < KNOWN_RAM >> 21; i++)
		vm_table(ram, KNOWN_PD >> 12)[i] = i << 21 | LARGE_FLAGS;
	for (unsigned int i = 0; i < KNOWN_ROOTS; i++)
		vm_table(ram, KNOWN_POOL_FRAME + i)[KNOWN_DIRECT_SLOT] = KNOWN_PDPT | TABLE_FLAGS;
}

void vm_load(uint8_t *ram, unsigned int vcpu, const struct known_op *ops, size_t n)
{
	_Static_assert(sizeof(*ops) == 1u << KNOWN_OP_SHIFT, "what the interpreter expects");
	_Static_assert(offsetof(struct known_op, extra) == KNOWN_OP_EXTRA, "what it expects");

	memcpy(ram + KNOWN_OPS + vcpu * KNOWN_OPS_BYTES, ops, n * sizeof(*ops));
}

static void set_segments(struct kvm_sregs *s)
{
	struct kvm_segment data = { .selector = SELECTOR_DATA,
				    .limit = ~0u,
				    .type = 3,
				    .s = 1,
				    .present = 1,
				    .db = 1,
				    .g = 1 };

	s->ds = s->es = s->fs = s->gs = s->ss = data;
	s->cs = data;
	s->cs.selector = SELECTOR_CODE;
	s->cs.type = 11;
	s->cs.db = 0;
	s->cs.l = 1;
	s->tr = (struct kvm_segment){ .base = KNOWN_DIRECT + KNOWN_TSS,
				      .selector = SELECTOR_TSS,
				      .limit = 0x67,
				      .type = 11,
				      .present = 1 };
	s->gdt.base = KNOWN_DIRECT + KNOWN_GDT;
	s->gdt.limit = 8 * 5 - 1;
	s->idt.base = KNOWN_DIRECT + KNOWN_IDT;
	s->idt.limit = VECTORS * 16 - 1;
}

static int set_registers(struct vm *vm, unsigned int vcpu, bool turns, uint64_t cr3, uint64_t cr4)
{
	unsigned int own = turns ? 0 : vcpu;
	struct kvm_sregs sregs;
	struct kvm_regs regs = {
		.rip = KNOWN_DIRECT + KNOWN_CODE,
		.rflags = 2,
		.rsp = KNOWN_DIRECT + KNOWN_STACK + 4096 * (vcpu + 1),
		.rbp = KNOWN_DIRECT + KNOWN_STACK + 4096 * (vcpu + 1),
		.r13 = KNOWN_DIRECT + KNOWN_TURN + 4096 * own,
		.r14 = KNOWN_DIRECT + KNOWN_OPS + KNOWN_OPS_BYTES * own,
		.r15 = vcpu,
	};

	if (ioctl(vm->vcpu_fd[vcpu], KVM_GET_SREGS, &sregs))
		return failed("KVM_GET_SREGS");
	set_segments(&sregs);
	sregs.cr0 = VM_CR0;
	sregs.cr3 = cr3;
	sregs.cr4 = cr4;
	sregs.efer = VM_EFER;
	if (ioctl(vm->vcpu_fd[vcpu], KVM_SET_SREGS, &sregs))
		return failed("KVM_SET_SREGS");
	if (ioctl(vm->vcpu_fd[vcpu], KVM_SET_REGS, &regs))
		return failed("KVM_SET_REGS");
	return 0;
}

static int create_vcpu(struct vm *vm, unsigned int vcpu)
{
	int size = ioctl(vm->host->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	void *run;

	vm->vcpu_fd[vcpu] = ioctl(vm->fd, KVM_CREATE_VCPU, vcpu);
	if (vm->vcpu_fd[vcpu] < 0)
		return failed("KVM_CREATE_VCPU");
	vm->vcpus = vcpu + 1;
	run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vm->vcpu_fd[vcpu], 0);
	if (run == MAP_FAILED)
		return failed("the run page of a vCPU");
	vm->run[vcpu] = run;
	if (ioctl(vm->vcpu_fd[vcpu], KVM_SET_CPUID2, vm->host->cpuid))
		return failed("KVM_SET_CPUID2");
	return 0;
}

int vm_create(struct vm *vm, const struct vm_host *host, uint8_t *ram, unsigned int vcpus,
	      bool turns, uint64_t cr3, uint64_t cr4)
{
	struct kvm_userspace_memory_region slot = { .memory_size = KNOWN_RAM,
						    .userspace_addr = (uint64_t)ram };

	memset(vm, 0, sizeof(*vm));
	vm->host = host;
	vm->ram = ram;
	vm->fd = ioctl(host->kvm, KVM_CREATE_VM, 0);
	if (vm->fd < 0)
		return failed("KVM_CREATE_VM");
	/* Demanded on Intel only, in a place where nothing of ours lies. */
	ioctl(vm->fd, KVM_SET_TSS_ADDR, 0xfffbd000ul);
	if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &slot)) {
		failed("KVM_SET_USER_MEMORY_REGION");
		goto destroy;
	}
	if (host->shadow_pages && ioctl(vm->fd, KVM_SET_NR_MMU_PAGES, host->shadow_pages)) {
		failed("KVM_SET_NR_MMU_PAGES");
		goto destroy;
	}
	for (unsigned int i = 0; i < vcpus; i++) {
		if (create_vcpu(vm, i) || set_registers(vm, i, turns, cr3, cr4))
			goto destroy;
	}
	return 0;
destroy:
	vm_destroy(vm);
	return -1;
}

int vm_run(struct vm *vm, unsigned int vcpu)
{
	struct kvm_run *run = vm->run[vcpu];

	for (;;) {
		if (ioctl(vm->vcpu_fd[vcpu], KVM_RUN, 0)) {
			if (errno == EINTR || errno == EAGAIN)
				continue;
			return failed("KVM_RUN");
		}
		if (run->exit_reason == KVM_EXIT_IO && run->io.port == KNOWN_PORT_END)
			return 0;
		fprintf(stderr, "known-guest: vCPU %u stopped: exit reason %u%s\n", vcpu,
			run->exit_reason,
			run->exit_reason == KVM_EXIT_IO ? ", an exception that no script causes"
							: "");
		return -1;
	}
}

void vm_destroy(struct vm *vm)
{
	int size = ioctl(vm->host->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

	for (unsigned int i = 0; i < vm->vcpus; i++) {
		if (vm->run[i])
			munmap(vm->run[i], (size_t)size);
		close(vm->vcpu_fd[i]);
	}
	close(vm->fd);
}

uint64_t vm_faults(const struct vm *vm, unsigned int vcpu)
{
	return vm_table(vm->ram, (KNOWN_TURN >> 12) + vcpu)[KNOWN_TURN_FAULTS / 8];
}
