// SPDX-License-Identifier: GPL-2.0-only
#include "import/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static void limit(int what, rlim_t value)
{
	struct rlimit old;

	if (getrlimit((__rlimit_resource_t)what, &old))
		return;
	if (old.rlim_max < value)
		value = old.rlim_max;
	setrlimit((__rlimit_resource_t)what,
		  &(struct rlimit){ .rlim_cur = value, .rlim_max = value });
}

#ifdef __x86_64__
/* Whatever else is asked for fails with EPERM, as where a user may not do a thing. */
static const uint16_t allowed[] = {
	SYS_read,	  SYS_pread64,	     SYS_readv,	      SYS_write,	SYS_pwrite64,
	SYS_writev,	  SYS_lseek,	     SYS_close,	      SYS_fstat,	SYS_newfstatat,
	SYS_statx,	  SYS_poll,	     SYS_readlink,    SYS_mmap,		SYS_munmap,
	SYS_mremap,	  SYS_mprotect,	     SYS_madvise,     SYS_brk,		SYS_futex,
	SYS_getpid,	  SYS_gettid,	     SYS_getrandom,   SYS_uname,	SYS_sysinfo,
	SYS_gettimeofday, SYS_clock_gettime, SYS_sched_yield, SYS_rt_sigaction, SYS_rt_sigprocmask,
	SYS_rt_sigreturn, SYS_sigaltstack,   SYS_exit,	      SYS_exit_group,
};

#define N_ALLOWED (sizeof(allowed) / sizeof(allowed[0]))
#define LOAD(field)                                                                                \
	(struct sock_filter)                                                                       \
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define ALLOW (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define REFUSE (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)

/* Jumps are counted in instructions from the next one on. */
static struct sock_filter jump(uint16_t how, uint32_t value, unsigned int yes, unsigned int no)
{
	return (struct sock_filter)BPF_JUMP(BPF_JMP | how | BPF_K, value, (uint8_t)yes,
					    (uint8_t)no);
}

static void filter_calls(void)
{
	struct sock_filter code[N_ALLOWED + 10];
	unsigned short n = 0;

	code[n++] = LOAD(arch);
	code[n++] = jump(BPF_JEQ, AUDIT_ARCH_X86_64, 1, 0);
	code[n++] = REFUSE;
	code[n++] = LOAD(nr);
	for (size_t i = 0; i < N_ALLOWED; i++)
		code[n++] = jump(BPF_JEQ, allowed[i], (unsigned int)(N_ALLOWED - i + 4), 0);
	/* Files may be opened to be read, no more. */
	code[n++] = jump(BPF_JEQ, SYS_openat, 1, 0);
	code[n++] = REFUSE;
	code[n++] = LOAD(args[2]);
	code[n++] = jump(BPF_JSET, O_ACCMODE | O_CREAT | O_TRUNC, 0, 1);
	code[n++] = REFUSE;
	code[n++] = ALLOW;
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER,
	      &(struct sock_fprog){ .len = n, .filter = code });
}
#else
static void filter_calls(void)
{
}
#endif

void confine(pid_t parent, uint64_t cpu_seconds)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	limit(RLIMIT_CORE, 0);
	if (cpu_seconds)
		limit(RLIMIT_CPU, (rlim_t)cpu_seconds);
	/* A sanitizer takes most of the address space for itself. */
	if (!CONFINE_SANITIZED)
		limit(RLIMIT_AS, CONFINE_MEMORY);
	if (!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		filter_calls();
}
