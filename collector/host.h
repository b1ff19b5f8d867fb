/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What this host's kernel offers a collector. Everything is found in the kernel's own type
 * information (BTF) and in sysfs, never concluded from a version number.
 */
#ifndef UNSYNC_COLLECTOR_HOST_H
#define UNSYNC_COLLECTOR_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/role.h"
#include "trace/event.h"
#include "trace/trace.h"

struct btf;

enum hook_type { HOOK_TP_BTF, HOOK_TP, HOOK_FENTRY, HOOK_FEXIT, HOOK_ITER };

/* Without which kind of capture is worth nothing. */
enum hook_need { NEED_NEVER, NEED_EXACT, NEED_ALWAYS };

/* One BPF program of the collector and the place in the kernel that it wants. */
struct hook {
	const char *program;	/* its name in collector/unsync.bpf.c */
	const char *target;	/* tracepoint, function, or what is iterated over */
	const char *parameters; /* how the prototype must begin: p pointer, i integer; "" any */
	enum hook_type type;
	const char *fallback_of; /* used only if this program could not be */
	const char *without;	 /* what a trace lacks if neither can */
	enum hook_need need;
	uint8_t kind; /* enum ut_kind of what is lost when it does not run; 0: of several kinds */
};

extern const struct hook collector_hooks[];
extern const size_t collector_n_hooks;

#define HOST_TEXT 192

struct host {
	char kernel[HOST_TEXT]; /* release and version */
	char cpu[HOST_TEXT];	/* model name */
	char kvm[HOST_TEXT];	/* "kvm_amd npt=0 nested=0, kvm tdp_mmu=0" */
	char backend[32];	/* "kvm_amd", "kvm_intel", "" if unknown */
	bool has_btf;		/* the kernel has type information */
	bool has_kvm;		/* kvm is there, loaded or built in */
	bool kvm_has_btf;	/* and so are its types */
	bool nested_paging;	/* EPT or NPT in use: no guest has shadow pages */
	bool tdp_mmu;		/* the TDP MMU is on; without consequence for shadow paging */
	bool nx_huge_pages;	/* huge pages are split where code is fetched */
	bool known_memslots;	/* guest memory can be found: slots are in trees */
	struct role_layout role;
	bool has_role;		     /* role is filled in */
	int ret_fixed, ret_spurious; /* KVM's results of fast_page_fault; -1 unknown */
	char exact_parameter[32];    /* "can_unsync", "synchronizing", or "" if not understood */
	/*
	 * Where the reason of a vCPU's last exit is: this many bytes behind struct kvm_vcpu, or, if
	 * exit_pointer is not -1, behind what the pointer there points to; -1 unknown.
	 */
	int exit_pointer, exit_offset;
	bool exit_stays;	   /* and is until the vCPU enters its guest again */
	int exit_fault;		   /* the reason that every page fault of a guest has; -1 unknown */
	bool counts_emulations;	   /* KVM counts the instructions that it emulates for a vCPU */
	bool no_invpcid;	   /* the CPU lacks INVPCID, so no guest can have it */
	const struct btf *kvm_btf; /* where KVM's types are: the kernel's or the module's */
	struct btf *vmlinux_btf, *module_btf;
};

/**
 * host_probe() - find out about the running kernel; never fails, what is missing is marked so
 * @host: filled in; free with host_release()
 */
void host_probe(struct host *host);

/**
 * host_release() - free what host_probe() loaded
 */
void host_release(struct host *host);

/**
 * host_has_hook() - does this kernel have the place that a hook wants, with fitting parameters?
 * @host: after host_probe()
 * @hook: one of collector_hooks
 *
 * Whether the kernel lets a program be attached there is known only once it is tried.
 */
bool host_has_hook(const struct host *host, const struct hook *hook);

/**
 * host_exact_parameter() - the parameter of mmu_try_to_unsync_pages() that the exact module sets
 * @btf: KVM's types
 *
 * The fourth parameter, a bool, says whether KVM may let a table go out of sync. Its name tells which
 * value means that it may not.
 *
 * Return: "can_unsync", "synchronizing", or "" if the function is not there or not understood.
 */
const char *host_exact_parameter(const struct btf *btf);

/**
 * host_exit_reason() - where the reason of a vCPU's last exit is
 * @btf: types of kvm_amd or kvm_intel
 * @pointer: set to host.exit_pointer
 * @offset: set to host.exit_offset
 *
 * Return: 0, or -1 if that is not understood.
 */
int host_exit_reason(const struct btf *btf, int *pointer, int *offset);

/**
 * host_hook_name() - "tracepoint kvm_mmu_get_page", "function kvm_set_cr3"
 * @hook: one of collector_hooks
 * @text: at least HOST_TEXT bytes
 *
 * Return: @text.
 */
const char *host_hook_name(const struct hook *hook, char *text);

/**
 * role_layout_from_btf() - find the role's bit fields
 * @btf: holds union kvm_mmu_page_role, alone or in its base
 * @layout: filled in
 *
 * Return: 0, or -1 if there is no such union or it lacks a field that is needed.
 */
int role_layout_from_btf(const struct btf *btf, struct role_layout *layout);

/**
 * host_vm_name() - what a VM is called: the VMM's -name option, else its program
 * @pid: process that owns it
 * @comm: its name as the kernel has it, used if its command line cannot be read
 * @name: result, always terminated
 * @size: of @name, bytes
 */
void host_vm_name(uint32_t pid, const char *comm, char *name, size_t size);

#endif
