// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that never rests: maps pages, touches them, unmaps them, switches roots, and writes to an
 * upper-level table often enough for KVM to zap it; then it begins again. So all kinds of events go
 * on for as long as a test needs them. It is its own monitor, so that a test can say how many VMs
 * and vCPUs a process has, when they come and go, and when a table cannot be read for a moment.
 *
 * usage: guest [options], all of them with a number unless said otherwise
 *	-name TEXT	for `unsync record --vm`; nothing else is done with it
 *	--beat FILE	where the number of rounds so far is kept, for a test to see it grow
 *	--rounds N	each first vCPU ends after so many (default: never)
 *	--pace US	rest after each round, microseconds (default: 8000)
 *	--vms N		VMs at a time, in this process (default: 1)
 *	--lives N	VMs that follow one another in each place (default: 1)
 *	--vcpus N	of each VM (default: 1)
 *	--late N	each further vCPU is made only after so many rounds more
 *	--hide N	every so many rounds the host drops its own mapping of a guest table that is
 *			out of sync: KVM can bring it back, a BPF program cannot read it
 */
#define _GNU_SOURCE /* memfd_create() */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_VMS 8
#define MAX_VCPUS 8
#define PAGE 4096ull
#define MEMORY (2ull << 20)
#define LARGE (2ull << 20) /* what a last-level table maps */

/* Where things are in the guest's memory. Its first 2 MiB are mapped one to one. */
#define ROOT_A 0x1000ull
#define ROOT_B 0x2000ull
#define PDPT 0x3000ull
#define PD 0x4000ull
#define PT_LOW 0x5000ull /* maps everything here */
#define CODE 0x8000ull
#define PT_OWN 0x10000ull /* one page for each vCPU */
#define DATA 0x20000ull	  /* one page for each vCPU */
#define FIRST_SLOT 8	  /* of a vCPU's own table in PD */

#define ENTRY 7ull /* present, writable, user */

/*
 * rdi: the vCPU's own table; rsi: what it maps; r8, r9: roots; r10: entry of an upper-level table
 * that maps nothing; r11: entry to put into the own table.
 */
extern const uint8_t guest_start[], guest_end[];
asm(".pushsection .rodata\n"
    "guest_start:\n"
    "1:	xor %ebx, %ebx\n"
    "	mov %rsi, %rdx\n"
    "2:	mov %r11, (%rdi, %rbx, 8)\n"
    "	mov %ebx, (%rdx)\n"
    "	add $4096, %rdx\n"
    "	inc %ebx\n"
    "	cmp $16, %ebx\n"
    "	jb 2b\n"
    "	out %al, $0x10\n" /* a round; the own table is out of sync */
    "	mov %r8, %cr3\n"
    "	xor %ebx, %ebx\n"
    "	mov %rsi, %rdx\n"
    "3:	movq $0, (%rdi, %rbx, 8)\n"
    "	invlpg (%rdx)\n"
    "	add $4096, %rdx\n"
    "	inc %ebx\n"
    "	cmp $16, %ebx\n"
    "	jb 3b\n"
    "	mov %r9, %cr3\n"
    "	mov $4, %ebx\n"
    "4:	mov %rbx, %rax\n"
    "	shl $12, %rax\n"
    "	mov %rax, (%r10)\n"
    "	dec %ebx\n"
    "	jnz 4b\n"
    "	movw %ax, (%r10)\n" /* no entry is that small: KVM zaps the table */
    "	jmp 1b\n"
    "guest_end:\n"
    ".popsection\n");

struct vcpu {
	struct vm *vm;
	unsigned int number;
	pthread_t thread;
	bool running;
};

/* A place for VMs that follow one another. */
struct vm {
	int fd, memory_fd;
	uint8_t *memory;
	atomic_ullong rounds; /* of the first vCPU */
	atomic_bool over;
	struct vcpu vcpus[MAX_VCPUS];
};

static unsigned long long rounds_wanted, pace = 8000, n_vms = 1, lives = 1, n_vcpus = 1, late, hide;
static int kvm, beat = -1;
static atomic_ullong beats;

static _Noreturn void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("guest: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

static uint64_t *entry(struct vm *vm, uint64_t table, unsigned int index)
{
	return (uint64_t *)(vm->memory + table) + index;
}

static void fill_memory(struct vm *vm)
{
	*entry(vm, ROOT_A, 0) = PDPT | ENTRY;
	*entry(vm, ROOT_B, 0) = PDPT | ENTRY;
	*entry(vm, PDPT, 0) = PD | ENTRY;
	*entry(vm, PD, 0) = PT_LOW | ENTRY;
	for (unsigned int i = 0; i < MEMORY / PAGE; i++)
		*entry(vm, PT_LOW, i) = i * PAGE | ENTRY;
	for (unsigned int i = 0; i < n_vcpus; i++)
		*entry(vm, PD, FIRST_SLOT + i) = (PT_OWN + i * PAGE) | ENTRY;
	memcpy(vm->memory + CODE, guest_start, (size_t)(guest_end - guest_start));
}

static void make_vm(struct vm *vm)
{
	struct kvm_userspace_memory_region region = { .memory_size = MEMORY };

	vm->fd = ioctl(kvm, KVM_CREATE_VM, 0);
	vm->memory_fd = memfd_create("guest", MFD_CLOEXEC);
	if (vm->fd < 0 || vm->memory_fd < 0 || ftruncate(vm->memory_fd, MEMORY))
		die("cannot make a VM: %s", strerror(errno));
	vm->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, vm->memory_fd, 0);
	if (vm->memory == MAP_FAILED)
		die("cannot map memory: %s", strerror(errno));
	fill_memory(vm);
	region.userspace_addr = (uintptr_t)vm->memory;
	if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region))
		die("cannot give the VM memory: %s", strerror(errno));
	vm->rounds = 0;
	vm->over = false;
}

/* Long mode must be something that the CPU has. */
static void set_cpuid(int fd)
{
	struct kvm_cpuid2 *cpuid;
	unsigned int room = 256;

	cpuid = calloc(1, sizeof(*cpuid) + room * sizeof(cpuid->entries[0]));
	if (!cpuid)
		die("out of memory");
	cpuid->nent = room;
	if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid) || ioctl(fd, KVM_SET_CPUID2, cpuid))
		die("cannot tell the vCPU what it is: %s", strerror(errno));
	free(cpuid);
}

static void set_registers(int fd, unsigned int number)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs = { .rip = CODE,
				 .rflags = 2,
				 .rdi = PT_OWN + number * PAGE,
				 .rsi = (FIRST_SLOT + number) * LARGE,
				 .r8 = ROOT_A,
				 .r9 = ROOT_B,
				 .r10 = PD + 511 * 8,
				 .r11 = (DATA + number * PAGE) | ENTRY };
	const struct kvm_segment code = { .limit = 0xffffffff,
					  .selector = 8,
					  .type = 11,
					  .present = 1,
					  .s = 1,
					  .l = 1,
					  .g = 1 },
				 data = { .limit = 0xffffffff,
					  .selector = 16,
					  .type = 3,
					  .present = 1,
					  .db = 1,
					  .s = 1,
					  .g = 1 };

	if (ioctl(fd, KVM_GET_SREGS, &sregs))
		die("cannot read registers: %s", strerror(errno));
	sregs.cr0 = 0x80010031; /* PG, WP, NE, ET, PE */
	sregs.cr3 = ROOT_B;
	sregs.cr4 = 0x20;    /* PAE */
	sregs.efer |= 0x500; /* LME, LMA */
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
	if (ioctl(fd, KVM_SET_SREGS, &sregs) || ioctl(fd, KVM_SET_REGS, &regs))
		die("cannot set registers: %s", strerror(errno));
}

static void tell_beat(void)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%020llu\n", ++beats);

	if (beat >= 0 && pwrite(beat, text, (size_t)n, 0) != n)
		die("cannot write the beat: %s", strerror(errno));
}

static void end_of_round(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	unsigned long long n;

	tell_beat();
	if (!vcpu->number) {
		n = ++vm->rounds;
		if (hide && n % hide == 0 && madvise(vm->memory + PT_OWN, PAGE, MADV_DONTNEED))
			die("cannot hide a table: %s", strerror(errno));
		if (n == rounds_wanted)
			vm->over = true;
	}
	if (pace)
		usleep((useconds_t)pace);
}

static void *run_vcpu(void *arg)
{
	struct vcpu *vcpu = arg;
	struct vm *vm = vcpu->vm;
	int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	int fd = ioctl(vm->fd, KVM_CREATE_VCPU, vcpu->number);
	struct kvm_run *run;

	if (fd < 0 || size < 0)
		die("cannot make a vCPU: %s", strerror(errno));
	run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (run == MAP_FAILED)
		die("cannot map a vCPU: %s", strerror(errno));
	set_cpuid(fd);
	set_registers(fd, vcpu->number);
	while (!vm->over) {
		if (ioctl(fd, KVM_RUN, 0)) {
			if (errno == EINTR || errno == EAGAIN)
				continue;
			die("the guest cannot run: %s", strerror(errno));
		}
		if (run->exit_reason != KVM_EXIT_IO)
			die("the guest stopped for reason %u", run->exit_reason);
		end_of_round(vcpu);
	}
	munmap(run, (size_t)size);
	close(fd);
	return NULL;
}

static void start_vcpu(struct vm *vm, unsigned int i)
{
	struct vcpu *vcpu = &vm->vcpus[i];

	*vcpu = (struct vcpu){ .vm = vm, .number = i };
	if (pthread_create(&vcpu->thread, NULL, run_vcpu, vcpu))
		die("cannot make a thread");
	vcpu->running = true;
}

static void *live(void *arg)
{
	struct vm *vm = arg;

	for (unsigned long long life = 0; life < lives; life++) {
		make_vm(vm);
		for (unsigned int i = 0; i < n_vcpus; i++) {
			while (i && !vm->over && vm->rounds < i * late)
				usleep(1000);
			if (!i || !vm->over)
				start_vcpu(vm, i);
		}
		for (unsigned int i = 0; i < n_vcpus; i++) {
			if (vm->vcpus[i].running)
				pthread_join(vm->vcpus[i].thread, NULL);
			vm->vcpus[i].running = false;
		}
		close(vm->fd);
		munmap(vm->memory, MEMORY);
		close(vm->memory_fd);
	}
	return NULL;
}

static unsigned long long number(const char *text, unsigned long long most)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	if (end == text || *end || n > most)
		die("'%s' is no number up to %llu", text, most);
	return n;
}

static void parse(char **argv)
{
	for (; *argv; argv += 2) {
		if (!argv[1])
			die("'%s' needs a value", *argv);
		if (!strcmp(*argv, "--beat"))
			beat = open(argv[1], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		else if (!strcmp(*argv, "--rounds"))
			rounds_wanted = number(argv[1], UINT32_MAX);
		else if (!strcmp(*argv, "--pace"))
			pace = number(argv[1], 1000000);
		else if (!strcmp(*argv, "--vms"))
			n_vms = number(argv[1], MAX_VMS);
		else if (!strcmp(*argv, "--lives"))
			lives = number(argv[1], UINT32_MAX);
		else if (!strcmp(*argv, "--vcpus"))
			n_vcpus = number(argv[1], MAX_VCPUS);
		else if (!strcmp(*argv, "--late"))
			late = number(argv[1], UINT32_MAX);
		else if (!strcmp(*argv, "--hide"))
			hide = number(argv[1], UINT32_MAX);
		else if (strcmp(*argv, "-name") != 0)
			die("unknown option '%s'", *argv);
	}
}

int main(int argc, char **argv)
{
	static struct vm vms[MAX_VMS];
	pthread_t threads[MAX_VMS];

	(void)argc;
	parse(argv + 1);
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		die("/dev/kvm: %s", strerror(errno));
	for (unsigned long long i = 0; i < n_vms; i++) {
		if (pthread_create(&threads[i], NULL, live, &vms[i]))
			die("cannot make a thread");
	}
	for (unsigned long long i = 0; i < n_vms; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
