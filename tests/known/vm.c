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
#define GDT_CODE_32 0x00cf9b000000ffffull
#define GDT_DATA_32 0x00cf93000000ffffull

extern const char known_code[], known_code_end[], known_code_fault[], known_code_trap[];
extern const char known_code32[], known_code32_end[], known_code32_fault[], known_code32_trap[];

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
		else if (e->function == 7 && e->index == 0) {
			host->features.invpcid = e->ebx >> 10 & 1;
			host->features.la57 = e->ecx >> 16 & 1;
		} else if (e->function == 0x80000001)
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
	return ram;
}

/* An interrupt gate; @to: distance of the handler from the interpreter's start. */
static void set_gate(uint64_t *idt, const struct paging *paging, unsigned int vector, uint64_t to)
{
	uint64_t *gate = idt + (paging->word == 8 ? 2 : 1) * vector;

	to += paging->direct + KNOWN_CODE;
	gate[0] = (to & 0xffff) | SELECTOR_CODE << 16 | 0x8eull << 40 | (to >> 16 & 0xffff) << 48;
	if (paging->word == 8)
		gate[1] = to >> 32;
}

static void set_code(uint8_t *ram, const struct paging *paging)
{
	bool wide = paging->word == 8;
	const char *code = wide ? known_code : known_code32;
	const char *end = wide ? known_code_end : known_code32_end;
	const char *fault = wide ? known_code_fault : known_code32_fault;
	const char *trap = wide ? known_code_trap : known_code32_trap;
	uint64_t *gdt = vm_table(ram, KNOWN_GDT >> 12);

	memcpy(ram + KNOWN_CODE, code, (size_t)(end - code));
	for (unsigned int i = 0; i < VECTORS; i++)
		set_gate(vm_table(ram, KNOWN_IDT >> 12), paging, i,
			 (uint64_t)((i == VECTOR_PF ? fault : trap) - code));
	gdt[SELECTOR_CODE / 8] = wide ? GDT_CODE : GDT_CODE_32;
	gdt[SELECTOR_DATA / 8] = wide ? GDT_DATA : GDT_DATA_32;
}

/* The rest of an entry of 4 bytes is its neighbour, or still zero. */
static void set_entry(void *ram, uint64_t gpa, uint64_t entry)
{
	vm_table(ram, gpa >> 12)[gpa >> 3 & 511] |= entry << 8 * (gpa & 7);
}

void vm_ram_reset(uint8_t *ram, const struct paging *paging)
{
	memset(ram, 0, KNOWN_OPS);
	memset(vm_table(ram, KNOWN_POOL_FRAME), 0, KNOWN_POOL * 4096);
	memset(vm_table(ram, KNOWN_DATA_FRAME), 0, KNOWN_DATA * 4096);
	set_code(ram, paging);
	vm_tables(paging, set_entry, ram);
}

void vm_load(uint8_t *ram, unsigned int vcpu, const struct known_op *ops, size_t n)
{
	_Static_assert(sizeof(*ops) == 1u << KNOWN_OP_SHIFT, "what the interpreter expects");
	_Static_assert(offsetof(struct known_op, extra) == KNOWN_OP_EXTRA, "what it expects");

	memcpy(ram + KNOWN_OPS + vcpu * KNOWN_OPS_BYTES, ops, n * sizeof(*ops));
}

static void set_segments(struct kvm_sregs *s, const struct paging *paging)
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
	s->cs.db = paging->word != 8;
	s->cs.l = paging->word == 8;
	s->tr = (struct kvm_segment){ .base = paging->direct + KNOWN_TSS,
				      .selector = SELECTOR_TSS,
				      .limit = 0x67,
				      .type = 11,
				      .present = 1 };
	s->gdt.base = paging->direct + KNOWN_GDT;
	s->gdt.limit = 8 * 5 - 1;
	s->idt.base = paging->direct + KNOWN_IDT;
	s->idt.limit = VECTORS * (paging->word == 8 ? 16 : 8) - 1;
}

/* What an interpreter of few registers keeps in memory. */
static void set_run(uint8_t *ram, unsigned int vcpu, const struct kvm_regs *regs)
{
	uint32_t run[KNOWN_RUN_BYTES / 4] = { [KNOWN_RUN_TURN / 4] = (uint32_t)regs->r13,
					      [KNOWN_RUN_OPS / 4] = (uint32_t)regs->r14,
					      [KNOWN_RUN_VCPU / 4] = vcpu };

	memcpy(ram + KNOWN_STACK + (size_t)4096 * (vcpu + 1) - sizeof(run), run, sizeof(run));
}

static int set_registers(struct vm *vm, const struct paging *paging, unsigned int vcpu, bool turns,
			 uint64_t cr3, uint64_t cr4)
{
	unsigned int own = turns ? 0 : vcpu;
	uint64_t stack = paging->direct + KNOWN_STACK + 4096 * (vcpu + 1) - KNOWN_RUN_BYTES;
	struct kvm_sregs sregs;
	struct kvm_regs regs = {
		.rip = paging->direct + KNOWN_CODE,
		.rflags = 2,
		.rsp = stack,
		.rbp = stack,
		.r13 = paging->direct + KNOWN_TURN + 4096 * own,
		.r14 = paging->direct + KNOWN_OPS + KNOWN_OPS_BYTES * own,
		.r15 = vcpu,
	};

	if (ioctl(vm->vcpu_fd[vcpu], KVM_GET_SREGS, &sregs))
		return failed("KVM_GET_SREGS");
	set_segments(&sregs, paging);
	set_run(vm->ram, vcpu, &regs);
	sregs.cr0 = VM_CR0;
	sregs.cr3 = cr3;
	sregs.cr4 = cr4;
	sregs.efer = paging->efer;
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

int vm_create(struct vm *vm, const struct vm_host *host, uint8_t *ram, const struct paging *paging,
	      unsigned int vcpus, bool turns, uint64_t cr3, uint64_t cr4)
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
		if (create_vcpu(vm, i) || set_registers(vm, paging, i, turns, cr3, cr4))
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
