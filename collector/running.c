// SPDX-License-Identifier: GPL-2.0-only
#include "collector/running.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "collector/running_record.h"
#include "running.skel.h"

struct records {
	struct running_record *all;
	size_t n;
};

/* What libbpf has to say is no help to whoever asks for a list. */
static __attribute__((format(printf, 2, 0))) int say_nothing(enum libbpf_print_level level,
							     const char *fmt, va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
	return 0;
}

static int read_all(int fd, struct records *records, struct ut_error *err)
{
	size_t have = 0, room = 0;
	char *bytes = NULL, *more;
	ssize_t got;

	for (;;) {
		if (have == room) {
			room = room ? 2 * room : 256 * sizeof(struct running_record);
			more = realloc(bytes, room);
			if (!more) {
				free(bytes);
				return ut_error_set(err, "out of memory");
			}
			bytes = more;
		}
		got = read(fd, bytes + have, room - have);
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got <= 0)
			break;
		have += (size_t)got;
	}
	if (got < 0) {
		free(bytes);
		return ut_error_set(err, "cannot go through the open files of all processes: %s",
				    strerror(errno));
	}
	records->all = (struct running_record *)bytes;
	records->n = have / sizeof(*records->all);
	return 0;
}

static int collect(struct records *records, struct ut_error *err)
{
	libbpf_print_fn_t before = libbpf_set_print(say_nothing);
	struct running_bpf *skel = running_bpf__open_and_load();
	struct bpf_link *link = NULL;
	int fd = -1, e = errno, r = -1;

	if (skel) {
		link = bpf_program__attach(skel->progs.list_running);
		if (link)
			fd = bpf_iter_create(bpf_link__fd(link));
		e = errno;
	}
	libbpf_set_print(before);
	if (fd >= 0)
		r = read_all(fd, records, err);
	else if (e == EPERM || e == EACCES)
		ut_error_set(err, "the kernel does not permit BPF programs; run as root");
	else
		ut_error_set(err,
			     "this kernel does not let open files be gone through (%s); "
			     "'unsync doctor' says what is missing",
			     strerror(e));
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
	running_bpf__destroy(skel);
	return r;
}

/* By process, then VM, then vCPU; the file of the VM itself comes first. */
static int compare(const void *x, const void *y)
{
	const struct running_record *a = x, *b = y;

	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	if (a->kvm != b->kvm)
		return a->kvm < b->kvm ? -1 : 1;
	return a->vcpu < b->vcpu ? -1 : a->vcpu > b->vcpu;
}

static const char *paging_of(const struct host *host, bool ran)
{
	if (!ran)
		return "none yet";
	if (!host->nested_paging)
		return "shadow";
	return strcmp(host->backend, "kvm_amd") ? "EPT" : "NPT";
}

/* Of records from @first on that are about one VM; returns how many these are. */
static size_t sum_up(const struct host *host, const struct records *records, size_t first,
		     struct running_vm *vm)
{
	const struct running_record *r = records->all + first;
	uint64_t vcpu = 0;
	bool ran = false;
	size_t n;

	memset(vm, 0, sizeof(*vm));
	for (n = 0; first + n < records->n && r[n].kvm == r->kvm && r[n].pid == r->pid; n++) {
		/* A file that is open twice is one. */
		vm->vcpus += r[n].vcpu != vcpu;
		vcpu = r[n].vcpu;
		ran |= r[n].ran;
	}
	vm->pid = (pid_t)r->pid;
	memcpy(vm->comm, r->comm, sizeof(vm->comm) - 1);
	host_vm_name(r->pid, "", vm->name, sizeof(vm->name));
	vm->paging = paging_of(host, ran);
	vm->shadow_pages = r->shadow_pages;
	return n;
}

int running_list(const struct host *host, int (*each)(void *arg, const struct running_vm *vm),
		 void *arg, struct ut_error *err)
{
	struct records records = { 0 };
	struct running_vm vm;
	int r = 0;

	if (!host->kvm_has_btf)
		return ut_error_set(err,
				    "the types of KVM cannot be read; load kvm, run as root, and "
				    "use a kernel with CONFIG_DEBUG_INFO_BTF_MODULES");
	if (collect(&records, err))
		return -1;
	if (records.n)
		qsort(records.all, records.n, sizeof(*records.all), compare);
	for (size_t i = 0; i < records.n && !r;) {
		i += sum_up(host, &records, i, &vm);
		r = each(arg, &vm);
	}
	free(records.all);
	return r;
}
