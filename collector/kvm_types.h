/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The few kernel types that the BPF program touches, each with only the fields it reads. Their
 * offsets are filled in when the program is loaded, from the type information of the kernel and
 * of its kvm module; so nothing here depends on a kernel version. A field that only some kernels
 * have is asked for with bpf_core_field_exists() before it is read.
 */
#ifndef UNSYNC_COLLECTOR_KVM_TYPES_H
#define UNSYNC_COLLECTOR_KVM_TYPES_H

#include <stdbool.h>
#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct mm_struct;

struct hlist_node {
	struct hlist_node *next;
};

struct hlist_head {
	struct hlist_node *first;
};

/* Of a lock that threads may spin on; kernels for real-time use have another. */
struct qrwlock {
	__u8 wlocked;
};

typedef struct {
	struct qrwlock raw_lock;
} rwlock_t;

struct upid {
	int nr;
};

struct pid {
	struct upid numbers[1]; /* the first is the number that the host itself knows it by */
};

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct qstr d_name;
};

struct path {
	struct dentry *dentry;
};

struct seq_file;

struct super_block {
	unsigned long s_magic;
};

struct inode {
	struct super_block *i_sb;
};

struct file {
	struct path f_path;
	struct inode *f_inode;
	void *private_data;
};

struct task_struct;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

struct task_struct {
	int pid;
	int tgid;
	unsigned int flags;
	struct mm_struct *mm;
	char comm[16];
};

struct rb_node {
	struct rb_node *rb_right;
	struct rb_node *rb_left;
};

struct rb_root {
	struct rb_node *rb_node;
};

/* Since 5.17 the slots of an address space hang in trees, two generations of nodes in each slot. */
struct kvm_memory_slot {
	struct rb_node gfn_node[2];
	__u64 base_gfn;
	unsigned long npages;
	unsigned long userspace_addr;
};

struct kvm_memslots {
	__u64 generation;
	struct rb_root gfn_tree;
	int node_idx;
};

struct kvm_vm_stat {
	__u64 mmu_shadow_zapped;
	__u64 mmu_pte_write;
	__u64 mmu_pde_zapped;
	__u64 mmu_flooded;
	__u64 mmu_recycled;
	__u64 mmu_cache_miss;
	__u64 mmu_unsync;
};

struct kvm_vcpu_stat {
	__u64 pf_taken;
	__u64 pf_fixed;
	__u64 pf_emulate;
	__u64 pf_spurious;
	__u64 pf_fast;
	__u64 pf_mmio_spte_created;
	__u64 pf_guest;
	__u64 tlb_flush;
	__u64 invlpg;
	__u64 exits;
	__u64 insn_emulation;
};

struct kvm_arch {
	unsigned long n_used_mmu_pages;
	unsigned int indirect_shadow_pages; /* those with a guest table behind them */
	__u8 mmu_valid_gen;
};

/* Where all shadow pages can be found, by frame: within the structure, or beside it. */
struct kvm_arch___within {
	struct hlist_head mmu_page_hash[1];
};

struct kvm_arch___beside {
	struct hlist_head *mmu_page_hash;
};

struct kvm {
	rwlock_t mmu_lock;
	struct mm_struct *mm;
	struct kvm_memslots *memslots[1]; /* one or two address spaces: never indexed directly */
	struct kvm_vm_stat stat;
	struct kvm_arch arch;
};

struct kvm_vcpu_arch {
	unsigned long cr0;
	unsigned long cr3;
	unsigned long cr4;
	__u64 efer;
};

struct kvm_vcpu {
	struct kvm *kvm;
	int vcpu_id;
	struct pid *pid; /* of the thread that ran it last */
	struct kvm_vcpu_arch arch;
	struct kvm_vcpu_stat stat;
};

union kvm_mmu_page_role {
	__u32 word; /* its bits are sorted out in user space, see collector/host.h */
};

struct kvm_mmu_page {
	struct hlist_node hash_link;
	bool unsync;
	__u8 mmu_valid_gen;
	union kvm_mmu_page_role role;
	__u64 gfn;
};

struct kvm_page_fault {
	bool prefetch; /* on behalf of no vCPU's exit */
	__u8 goal_level;
};

struct kvm_mmu {
	__u64 pdptrs[4];
};

struct x86_exception {
	__u16 error_code;
};

/* What a walk of guest tables leaves behind, by kind of table. */
struct guest_walker64 {
	int level;
	unsigned int max_level;
	__u64 ptes[5];
	__u64 pte_gpa[5];
	void *ptep_user[5];
	struct x86_exception fault;
};

struct guest_walker32 {
	int level;
	unsigned int max_level;
	__u32 ptes[2];
	__u64 pte_gpa[2];
	void *ptep_user[2];
	struct x86_exception fault;
};

struct trace_event_raw_kvm_exit {
	unsigned int exit_reason;
	__u32 isa;
};

#pragma clang attribute pop

#endif
