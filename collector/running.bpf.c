// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Lists VMs and vCPUs: one fixed record for each open file of KVM, see collector/running.c, which
 * sorts them out.
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "kvm_file.h"
#include "kvm_types.h"
#include "running_record.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("iter/task_file")
int list_running(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct running_record r = {};
	struct file *file = ctx->file;
	struct kvm_vcpu *vcpu;
	struct kvm *kvm;

	if (!task || !file)
		return 0;
	switch (kvm_file(file)) {
	case KVM_FILE_VM:
		kvm = file->private_data;
		break;
	case KVM_FILE_VCPU:
		vcpu = file->private_data;
		kvm = BPF_CORE_READ(vcpu, kvm);
		r.vcpu = (__u64)vcpu;
		r.ran = BPF_CORE_READ(vcpu, stat.exits) != 0;
		break;
	default:
		return 0;
	}
	/* A file may be passed on to another process, but a VM belongs to one. */
	if (!kvm || task->mm != BPF_CORE_READ(kvm, mm))
		return 0;
	r.kvm = (__u64)kvm;
	r.shadow_pages = BPF_CORE_READ(kvm, arch.n_used_mmu_pages);
	r.pid = task->tgid;
	bpf_probe_read_kernel_str(r.comm, sizeof(r.comm), task->comm);
	bpf_seq_write(ctx->meta->seq, &r, sizeof(r));
	return 0;
}
