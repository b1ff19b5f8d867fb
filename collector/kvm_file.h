/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * For BPF iterators over open files: which of them are KVM's. The names are given by KVM when it
 * makes these files, and they lie on a file system where nobody else can name one.
 */
#ifndef UNSYNC_COLLECTOR_KVM_FILE_H
#define UNSYNC_COLLECTOR_KVM_FILE_H

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "kvm_types.h"

#define ANON_INODE_MAGIC 0x09041934

enum kvm_file {
	KVM_FILE_OTHER,
	KVM_FILE_VM,   /* private_data is a struct kvm */
	KVM_FILE_VCPU, /* private_data is a struct kvm_vcpu */
};

static __always_inline bool begins_with(const char *text, const char *with, __u32 n)
{
	for (__u32 i = 0; i < n; i++) {
		if (text[i] != with[i])
			return false;
	}
	return true;
}

static __always_inline enum kvm_file kvm_file(struct file *file)
{
	const unsigned char *at;
	char name[16] = {};

	if (BPF_CORE_READ(file, f_inode, i_sb, s_magic) != ANON_INODE_MAGIC)
		return KVM_FILE_OTHER;
	at = BPF_CORE_READ(file, f_path.dentry, d_name.name);
	bpf_probe_read_kernel_str(name, sizeof(name), at);
	if (begins_with(name, "kvm-vm", sizeof("kvm-vm")))
		return KVM_FILE_VM;
	if (begins_with(name, "kvm-vcpu:", sizeof("kvm-vcpu:") - 1))
		return KVM_FILE_VCPU;
	return KVM_FILE_OTHER;
}

#endif
