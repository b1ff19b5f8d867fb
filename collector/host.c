// SPDX-License-Identifier: GPL-2.0-only
#include "collector/host.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

/* Reasons of exits, as the processors have them. */
#define SVM_EXIT_PAGE_FAULT 0x4e
#define VMX_EXIT_EXCEPTION 0

/*
 * The programs of collector/unsync.bpf.c. A fallback stands after the one that it replaces.
 */
const struct hook collector_hooks[] = {
	{ "vm_entry", "kvm_entry", "p", HOOK_TP_BTF, NULL,
	  "exits, and changes of control registers by the host", NEED_ALWAYS },
	{ "vm_exit_direct", "kvm_exit", "pi", HOOK_TP_BTF, NULL, "reasons of exits", NEED_NEVER,
	  UT_EXITS },
	{ "vm_exit", "kvm_exit", "", HOOK_TP, "vm_exit_direct", "reasons of exits", NEED_NEVER,
	  UT_EXITS },
	{ "vm_exit_tp", "kvm_exit", "pi", HOOK_TP_BTF, "vm_exit", "exits", NEED_NEVER, UT_EXITS },
	{ "get_page", "kvm_mmu_get_page", "pi", HOOK_TP_BTF, NULL, "shadow pages", NEED_ALWAYS },
	{ "zap_page", "__kvm_mmu_prepare_zap_page", "pp", HOOK_FENTRY, NULL,
	  "zaps by kernel threads", NEED_NEVER, UT_PAGE_ZAP },
	{ "zap_page_tp", "kvm_mmu_prepare_zap_page", "p", HOOK_TP_BTF, "zap_page",
	  "ends of shadow pages", NEED_ALWAYS, UT_PAGE_ZAP },
	{ "unsync_page", "kvm_mmu_unsync_page", "p", HOOK_TP_BTF, NULL, "tables going out of sync",
	  NEED_ALWAYS, UT_HOST_UNSYNC },
	{ "sync_page", "kvm_mmu_sync_page", "p", HOOK_TP_BTF, NULL,
	  "syncs, and writes to tables that were out of sync", NEED_ALWAYS, UT_HOST_SYNC },
	{ "walk64", "paging64_walk_addr_generic", "pppii", HOOK_FEXIT, NULL, "guest walks",
	  NEED_NEVER },
	{ "walk32", "paging32_walk_addr_generic", "pppii", HOOK_FEXIT, NULL,
	  "walks of 32-bit guests", NEED_NEVER },
	{ "pagetable_walk", "kvm_mmu_pagetable_walk", "ii", HOOK_TP_BTF, "walk64", "guest walks",
	  NEED_NEVER },
	{ "paging_element", "kvm_mmu_paging_element", "ii", HOOK_TP_BTF, "walk64", "guest walks",
	  NEED_NEVER },
	{ "walker_error", "kvm_mmu_walker_error", "i", HOOK_TP_BTF, "walk64",
	  "which faults were the guest's own", NEED_NEVER },
	{ "set_accessed", "kvm_mmu_set_accessed_bit", "iii", HOOK_TP_BTF, NULL,
	  "accessed bits: they will look like guest writes", NEED_NEVER, UT_AD },
	{ "set_dirty", "kvm_mmu_set_dirty_bit", "iii", HOOK_TP_BTF, NULL,
	  "dirty bits: they will look like guest writes", NEED_NEVER, UT_AD },
	{ "page_fault_tp", "kvm_page_fault", "pii", HOOK_TP_BTF, NULL, "faults", NEED_NEVER,
	  UT_FAULT },
	{ "page_fault", "kvm_mmu_page_fault", "pi", HOOK_FENTRY, "page_fault_tp", "faults",
	  NEED_NEVER, UT_FAULT },
	{ "spte_requested", "kvm_mmu_spte_requested", "p", HOOK_TP_BTF, NULL,
	  "levels at which faults were mapped", NEED_NEVER },
	{ "set_spte", "kvm_mmu_set_spte", "i", HOOK_TP_BTF, "spte_requested",
	  "levels at which faults were mapped", NEED_NEVER },
	{ "mark_mmio", "mark_mmio_spte", "", HOOK_TP_BTF, NULL, "which faults hit no memory",
	  NEED_NEVER },
	{ "fast_fault", "fast_page_fault", "pppii", HOOK_TP_BTF, NULL,
	  "which faults were repaired without a lock", NEED_NEVER },
	{ "emulate_insn", "kvm_emulate_insn", "", HOOK_TP_BTF, NULL, "which faults were emulated",
	  NEED_NEVER },
	{ "set_cr0", "kvm_set_cr0", "pi", HOOK_FENTRY, NULL, "writes to CR0", NEED_NEVER, UT_CR },
	{ "set_cr3", "kvm_set_cr3", "pi", HOOK_FENTRY, NULL, "writes to CR3", NEED_NEVER, UT_CR },
	{ "set_cr4", "kvm_set_cr4", "pi", HOOK_FENTRY, NULL, "writes to CR4", NEED_NEVER, UT_CR },
	{ "invlpg", "kvm_mmu_invlpg", "pi", HOOK_FENTRY, NULL, "INVLPG", NEED_NEVER, UT_INVLPG },
	{ "handle_invpcid", "kvm_handle_invpcid", "pii", HOOK_FENTRY, NULL, "INVPCID", NEED_NEVER,
	  UT_INVPCID },
	{ "invpcid_gva", "kvm_mmu_invpcid_gva", "pii", HOOK_FENTRY, NULL,
	  "INVPCID of single addresses", NEED_NEVER, UT_INVPCID },
	{ "invalidate_pcid", "kvm_invalidate_pcid", "pi", HOOK_FENTRY, NULL,
	  "INVPCID of single contexts", NEED_NEVER, UT_INVPCID },
	{ "pv_tlb_flush", "kvm_pv_tlb_flush", "ii", HOOK_TP_BTF, NULL, "flushes by KVM's interface",
	  NEED_NEVER, UT_PV_FLUSH },
	{ "hv_flush_tlb", "kvm_hv_flush_tlb", "iii", HOOK_TP_BTF, NULL,
	  "flushes by Hyper-V's interface", NEED_NEVER, UT_PV_FLUSH },
	{ "hv_flush_tlb_ex", "kvm_hv_flush_tlb_ex", "", HOOK_TP_BTF, NULL,
	  "flushes by Hyper-V's interface", NEED_NEVER, UT_PV_FLUSH },
	{ "pte_write", "kvm_mmu_pte_write", "pipi", HOOK_FENTRY, NULL, "emulated guest writes",
	  NEED_EXACT, UT_WRITE },
	{ "track_write", "kvm_mmu_track_write", "pipi", HOOK_FENTRY, "pte_write",
	  "emulated guest writes", NEED_EXACT, UT_WRITE },
	{ "sync_roots", "kvm_mmu_sync_roots", "p", HOOK_FENTRY, NULL, "time of resyncs", NEED_NEVER,
	  UT_HOST_RESYNC },
	{ "sync_roots_done", "kvm_mmu_sync_roots", "p", HOOK_FEXIT, NULL, "time of resyncs",
	  NEED_NEVER, UT_HOST_RESYNC },
	{ "mmu_load", "kvm_mmu_load", "p", HOOK_FENTRY, NULL, "a vCPU's very first root",
	  NEED_NEVER },
	{ "process_fork", "sched_process_fork", "pp", HOOK_TP_BTF, NULL,
	  "VMs of the command's children", NEED_NEVER },
	{ "process_exit", "sched_process_exit", "p", HOOK_TP_BTF, NULL,
	  "nothing, but a process number that is used again is taken for the same process",
	  NEED_NEVER },
	{ "init_vm", "kvm_arch_init_vm", "p", HOOK_FENTRY, NULL, "VMs before they run", NEED_NEVER,
	  UT_VM },
	{ "destroy_vm", "kvm_arch_destroy_vm", "p", HOOK_FEXIT, NULL, "ends and counters of VMs",
	  NEED_NEVER, UT_VM_GONE },
	{ "destroy_vcpu", "kvm_arch_vcpu_destroy", "p", HOOK_FENTRY, NULL,
	  "ends and counters of vCPUs", NEED_NEVER, UT_VM_GONE },
	{ "try_unsync", "mmu_try_to_unsync_pages", "ppiii", HOOK_FEXIT, NULL,
	  "an independent count of what an exact capture refused", NEED_NEVER },
	{ "read_running", "task_file", "", HOOK_ITER, NULL,
	  "what was there of a VM that ran before, and counters of one that runs on", NEED_NEVER },
};

const size_t collector_n_hooks = sizeof(collector_hooks) / sizeof(collector_hooks[0]);

/* ---- small files ---- */

/* First line of a file, without its end. */
static bool read_line(const char *path, char *line, size_t size)
{
	FILE *f = fopen(path, "re");
	bool ok;

	if (!f)
		return false;
	ok = fgets(line, (int)size, f);
	fclose(f);
	if (ok)
		line[strcspn(line, "\n")] = '\0';
	return ok;
}

static bool read_flag(const char *path)
{
	char line[16];

	return read_line(path, line, sizeof(line)) && (line[0] == 'Y' || line[0] == '1');
}

static void add_parameter(struct host *h, const char *module, const char *name)
{
	char path[128], line[32];
	size_t used = strlen(h->kvm);

	snprintf(path, sizeof(path), "/sys/module/%s/parameters/%s", module, name);
	if (read_line(path, line, sizeof(line)))
		snprintf(h->kvm + used, sizeof(h->kvm) - used, " %s=%s", name, line);
}

static void probe_cpu(struct host *h)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[8192], *value;

	snprintf(h->cpu, sizeof(h->cpu), "unknown");
	while (f && fgets(line, sizeof(line), f)) {
		value = strchr(line, ':');
		if (!value)
			break; /* the end of the first CPU's lines */
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "model name", 10))
			snprintf(h->cpu, sizeof(h->cpu), "%.150s",
				 value + 1 + strspn(value + 1, " "));
		else if (!strncmp(line, "flags", 5))
			h->no_invpcid = !strstr(value, " invpcid");
	}
	if (f)
		fclose(f);
}

static void probe_kvm(struct host *h)
{
	h->has_kvm = !access("/sys/module/kvm", F_OK) || !access("/dev/kvm", F_OK);
	if (!h->has_kvm)
		return;
	if (!access("/sys/module/kvm_amd", F_OK)) {
		strcpy(h->backend, "kvm_amd");
		strcpy(h->kvm, h->backend);
		add_parameter(h, "kvm_amd", "npt");
		add_parameter(h, "kvm_amd", "nested");
		h->nested_paging = read_flag("/sys/module/kvm_amd/parameters/npt");
		/* A nested guest has a control block of its own. */
		h->exit_stays = !read_flag("/sys/module/kvm_amd/parameters/nested");
		h->exit_fault = h->nested_paging ? -1 : SVM_EXIT_PAGE_FAULT;
	} else if (!access("/sys/module/kvm_intel", F_OK)) {
		strcpy(h->backend, "kvm_intel");
		strcpy(h->kvm, h->backend);
		add_parameter(h, "kvm_intel", "ept");
		add_parameter(h, "kvm_intel", "nested");
		h->nested_paging = read_flag("/sys/module/kvm_intel/parameters/ept");
		h->exit_stays = true;
		h->exit_fault = h->nested_paging ? -1 : VMX_EXIT_EXCEPTION;
	} else {
		strcpy(h->kvm, "kvm without kvm_amd or kvm_intel");
	}
	add_parameter(h, "kvm", "tdp_mmu");
	add_parameter(h, "kvm", "nx_huge_pages");
	h->tdp_mmu = read_flag("/sys/module/kvm/parameters/tdp_mmu");
	h->nx_huge_pages = read_flag("/sys/module/kvm/parameters/nx_huge_pages");
}

/* ---- type information ---- */

static int32_t find_type(const struct btf *btf, const char *name, uint32_t kind)
{
	return btf ? btf__find_by_name_kind(btf, name, kind) : -ENOENT;
}

static const char *name_at(const struct btf *btf, uint32_t offset)
{
	const char *name = btf__name_by_offset(btf, offset);

	return name ? name : "";
}

struct named_field {
	const char *name;
	size_t where; /* in struct role_layout */
	bool needed;
};

#define FIELD(theirs, ours, needed)                                                                \
	{                                                                                          \
		theirs, offsetof(struct role_layout, ours), needed                                 \
	}

static const struct named_field role_fields[] = {
	FIELD("level", level, true),
	FIELD("quadrant", quadrant, true),
	FIELD("direct", direct, true),
	FIELD("access", access, true),
	FIELD("invalid", invalid, true),
	FIELD("efer_nx", efer_nx, false),
	FIELD("nxe", efer_nx, false), /* its name before 5.15 */
	FIELD("cr0_wp", cr0_wp, false),
	FIELD("smep_andnot_wp", smep_not_wp, false),
	FIELD("smap_andnot_wp", smap_not_wp, false),
	FIELD("ad_disabled", ad_disabled, false),
	FIELD("guest_mode", guest_mode, false),
	FIELD("passthrough", passthrough, false),
	FIELD("smm", smm, false),
	FIELD("has_4_byte_gpte", entry_size, false),
	FIELD("gpte_is_8_bytes", entry_size, false), /* its opposite, before 5.17 */
};

/* The fields sit in a nameless struct inside the union. */
static void collect_fields(const struct btf *btf, const struct btf_type *t, uint32_t base,
			   struct role_layout *layout)
{
	for (uint32_t i = 0; i < btf_vlen(t); i++) {
		const struct btf_member *m = btf_members(t) + i;
		const char *name = name_at(btf, m->name_off);
		uint32_t at = base + btf_member_bit_offset(t, i);
		const struct btf_type *inner = btf__type_by_id(btf, m->type);
		struct role_field field = { .shift = (uint8_t)at };

		if (!name[0] && inner && btf_is_composite(inner)) {
			collect_fields(btf, inner, at, layout);
			continue;
		}
		field.width = (uint8_t)btf_member_bitfield_size(t, i);
		/* One of a whole byte may be stored as an ordinary member. */
		if (!field.width && inner)
			field.width = (uint8_t)(btf__resolve_size(btf, m->type) * 8);
		for (size_t k = 0; k < sizeof(role_fields) / sizeof(role_fields[0]); k++) {
			if (at < 32 && field.width && at + field.width <= 32 &&
			    !strcmp(role_fields[k].name, name)) {
				memcpy((char *)layout + role_fields[k].where, &field,
				       sizeof(field));
				if (!strcmp(name, "gpte_is_8_bytes"))
					layout->entry_size_means_8 = true;
			}
		}
	}
}

int role_layout_from_btf(const struct btf *btf, struct role_layout *layout)
{
	int32_t id = find_type(btf, "kvm_mmu_page_role", BTF_KIND_UNION);
	const struct role_field *field;

	memset(layout, 0, sizeof(*layout));
	if (id < 0)
		return -1;
	collect_fields(btf, btf__type_by_id(btf, (uint32_t)id), 0, layout);
	for (size_t k = 0; k < sizeof(role_fields) / sizeof(role_fields[0]); k++) {
		field = (const void *)((const char *)layout + role_fields[k].where);
		if (role_fields[k].needed && !field->width)
			return -1;
	}
	return layout->entry_size.width ? 0 : -1;
}

static int find_enumerator(const struct btf *btf, const char *name)
{
	if (!btf)
		return -1;
	for (uint32_t id = 1; id < btf__type_cnt(btf); id++) {
		const struct btf_type *t = btf__type_by_id(btf, id);

		if (!btf_is_enum(t))
			continue;
		for (uint32_t i = 0; i < btf_vlen(t); i++) {
			if (!strcmp(name_at(btf, btf_enum(t)[i].name_off), name))
				return btf_enum(t)[i].val;
		}
	}
	return -1;
}

static bool has_member(const struct btf *btf, const char *type, const char *member)
{
	int32_t id = find_type(btf, type, BTF_KIND_STRUCT);
	const struct btf_type *t;

	if (id < 0)
		return false;
	t = btf__type_by_id(btf, (uint32_t)id);
	for (uint32_t i = 0; i < btf_vlen(t); i++) {
		if (!strcmp(name_at(btf, btf_members(t)[i].name_off), member))
			return true;
	}
	return false;
}

/* In bytes, and the member's type; -1 if it is not there. */
static int member_offset(const struct btf *btf, const char *type, const char *member,
			 uint32_t *inner)
{
	int32_t id = find_type(btf, type, BTF_KIND_STRUCT);
	const struct btf_type *t;

	if (id < 0)
		return -1;
	t = btf__type_by_id(btf, (uint32_t)id);
	for (uint32_t i = 0; i < btf_vlen(t); i++) {
		if (strcmp(name_at(btf, btf_members(t)[i].name_off), member) ||
		    btf_member_bit_offset(t, i) % 8)
			continue;
		*inner = btf_members(t)[i].type;
		return (int)btf_member_bit_offset(t, i) / 8;
	}
	return -1;
}

int host_exit_reason(const struct btf *btf, int *pointer, int *offset)
{
	uint32_t type;
	int control, code, vcpu;

	*pointer = *offset = -1;
	vcpu = member_offset(btf, "vcpu_svm", "vcpu", &type);
	*pointer = member_offset(btf, "vcpu_svm", "vmcb", &type);
	control = member_offset(btf, "vmcb", "control", &type);
	code = member_offset(btf, "vmcb_control_area", "exit_code", &type);
	if (!vcpu && *pointer > 0 && control >= 0 && code >= 0) {
		*offset = control + code;
		return 0;
	}
	*pointer = -1;
	vcpu = member_offset(btf, "vcpu_vmx", "vcpu", &type);
	code = member_offset(btf, "vcpu_vmx", "exit_reason", &type);
	if (vcpu || code <= 0 || btf__resolve_size(btf, type) != 4)
		return -1;
	*offset = code;
	return 0;
}

/* Prototype of a function, or of a tracepoint without its leading data pointer. */
static const struct btf_type *find_prototype(const struct btf *btf, const struct hook *hook,
					     uint32_t *first)
{
	char name[128];
	const struct btf_type *t;
	int32_t id;

	if (hook->type == HOOK_FENTRY || hook->type == HOOK_FEXIT) {
		id = find_type(btf, hook->target, BTF_KIND_FUNC);
		*first = 0;
	} else {
		snprintf(name, sizeof(name), "btf_trace_%s", hook->target);
		id = find_type(btf, name, BTF_KIND_TYPEDEF);
		*first = 1;
	}
	t = id < 0 ? NULL : btf__type_by_id(btf, (uint32_t)id);
	for (int hops = 0; t && hops < 8; hops++) {
		if (btf_is_func_proto(t))
			return t;
		t = btf__type_by_id(btf, t->type);
	}
	return NULL;
}

/* 'p', 'i', or '?' for anything else. */
static char parameter_kind(const struct btf *btf, uint32_t id)
{
	const struct btf_type *t = btf__type_by_id(btf, id);

	while (t && (btf_is_mod(t) || btf_is_typedef(t)))
		t = btf__type_by_id(btf, t->type);
	if (t && btf_is_ptr(t))
		return 'p';
	return t && (btf_is_int(t) || btf_is_any_enum(t)) ? 'i' : '?';
}

static bool prototype_fits(const struct btf *btf, const struct hook *hook)
{
	uint32_t first, n;
	const struct btf_type *proto = find_prototype(btf, hook, &first);
	size_t wanted = strlen(hook->parameters);

	if (!proto)
		return false;
	n = btf_vlen(proto);
	if (n < first + wanted)
		return false;
	for (uint32_t i = 0; i < wanted; i++) {
		if (parameter_kind(btf, btf_params(proto)[first + i].type) != hook->parameters[i])
			return false;
	}
	return true;
}

bool host_has_hook(const struct host *h, const struct hook *hook)
{
	char name[128];

	if (hook->type == HOOK_TP) {
		snprintf(name, sizeof(name), "trace_event_raw_%s", hook->target);
		return find_type(h->kvm_btf, name, BTF_KIND_STRUCT) >= 0;
	}
	if (hook->type == HOOK_ITER) {
		snprintf(name, sizeof(name), "bpf_iter_%s", hook->target);
		return find_type(h->vmlinux_btf, name, BTF_KIND_FUNC) >= 0;
	}
	if (!strcmp(hook->program, "vm_exit_direct") && h->exit_offset < 0)
		return false;
	return (h->kvm_btf && prototype_fits(h->kvm_btf, hook)) ||
	       (h->vmlinux_btf && prototype_fits(h->vmlinux_btf, hook));
}

const char *host_hook_name(const struct hook *hook, char *text)
{
	static const char *const kinds[] = { [HOOK_TP_BTF] = "tracepoint",
					     [HOOK_TP] = "tracepoint",
					     [HOOK_FENTRY] = "function",
					     [HOOK_FEXIT] = "function",
					     [HOOK_ITER] = "iterator" };

	snprintf(text, HOST_TEXT, "%s %s", kinds[hook->type], hook->target);
	return text;
}

static bool is_bool(const struct btf *btf, uint32_t id)
{
	const struct btf_type *t = btf__type_by_id(btf, id);

	while (t && (btf_is_mod(t) || btf_is_typedef(t)))
		t = btf__type_by_id(btf, t->type);
	return t && btf_is_int(t) && btf_int_encoding(t) & BTF_INT_BOOL;
}

const char *host_exact_parameter(const struct btf *btf)
{
	static const struct hook asked = { .target = "mmu_try_to_unsync_pages",
					   .parameters = "ppii",
					   .type = HOOK_FENTRY };
	const struct btf_type *proto;
	const char *name;
	uint32_t first;

	if (!prototype_fits(btf, &asked))
		return "";
	proto = find_prototype(btf, &asked, &first);
	name = name_at(btf, btf_params(proto)[3].name_off);
	if (!is_bool(btf, btf_params(proto)[3].type))
		return "";
	return !strcmp(name, "can_unsync") || !strcmp(name, "synchronizing") ? name : "";
}

/* Its types are those of the module for this make of CPU. */
static void probe_exit_reason(struct host *h)
{
	struct btf *btf = h->backend[0] ? btf__load_module_btf(h->backend, h->vmlinux_btf) : NULL;

	host_exit_reason(btf ? btf : h->vmlinux_btf, &h->exit_pointer, &h->exit_offset);
	btf__free(btf);
}

static void probe_btf(struct host *h)
{
	/* What is missing is for others to say. */
	libbpf_print_fn_t before = libbpf_set_print(NULL);

	h->vmlinux_btf = btf__load_vmlinux_btf();
	libbpf_set_print(before);
	if (!h->vmlinux_btf)
		return;
	h->has_btf = true;
	h->kvm_btf = h->vmlinux_btf;
	h->module_btf = btf__load_module_btf("kvm", h->vmlinux_btf);
	if (h->module_btf)
		h->kvm_btf = h->module_btf;
	h->kvm_has_btf = find_type(h->kvm_btf, "kvm_mmu_page", BTF_KIND_STRUCT) >= 0;
	h->known_memslots = has_member(h->kvm_btf, "kvm_memslots", "gfn_tree") &&
			    has_member(h->kvm_btf, "kvm_memory_slot", "gfn_node");
	h->counts_emulations = has_member(h->kvm_btf, "kvm_vcpu_stat", "insn_emulation");
	h->has_role = !role_layout_from_btf(h->kvm_btf, &h->role);
	probe_exit_reason(h);
	h->ret_fixed = find_enumerator(h->kvm_btf, "RET_PF_FIXED");
	h->ret_spurious = find_enumerator(h->kvm_btf, "RET_PF_SPURIOUS");
	snprintf(h->exact_parameter, sizeof(h->exact_parameter), "%s",
		 host_exact_parameter(h->kvm_btf));
}

void host_probe(struct host *h)
{
	struct utsname u;

	memset(h, 0, sizeof(*h));
	h->ret_fixed = h->ret_spurious = -1;
	h->exit_pointer = h->exit_offset = h->exit_fault = -1;
	if (!uname(&u))
		snprintf(h->kernel, sizeof(h->kernel), "%.64s %.100s", u.release, u.version);
	probe_cpu(h);
	probe_kvm(h);
	probe_btf(h);
}

void host_release(struct host *h)
{
	btf__free(h->module_btf);
	btf__free(h->vmlinux_btf);
	h->module_btf = h->vmlinux_btf = NULL;
	h->kvm_btf = NULL;
}

/* ---- names of VMs ---- */

/* QEMU's "-name web,process=qemu" or "-name guest=web"; a comma in a name is doubled. */
static void parse_name(const char *option, char *name, size_t size)
{
	size_t n = 0;

	if (!strncmp(option, "guest=", 6))
		option += 6;
	for (; *option && n + 1 < size; option++) {
		if (*option == ',' && *++option != ',')
			break;
		name[n++] = *option;
	}
	name[n] = '\0';
}

void host_vm_name(uint32_t pid, const char *comm, char *name, size_t size)
{
	char path[64], args[16384];
	size_t got, at, next;
	FILE *f;

	snprintf(name, size, "%.16s", comm);
	snprintf(path, sizeof(path), "/proc/%u/cmdline", pid);
	f = fopen(path, "re");
	if (!f)
		return;
	got = fread(args, 1, sizeof(args) - 1, f);
	fclose(f);
	args[got] = '\0';
	for (at = 0; at < got; at = next) {
		next = at + strlen(args + at) + 1;
		if ((!strcmp(args + at, "-name") || !strcmp(args + at, "--name")) && next < got) {
			parse_name(args + next, name, size);
			return;
		}
	}
}
