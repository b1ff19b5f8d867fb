// SPDX-License-Identifier: GPL-2.0-only
/* What is read out of a kernel's type information: role layouts, hooks. The types are made here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/btf.h>
#include <cmocka.h>

#include "collector/host.h"

struct bits {
	const char *name;
	unsigned int width;
};

static struct btf *btf;
static int type_u32, type_u64, type_bool, type_struct, type_pointer;

static int setup(void **state)
{
	(void)state;
	btf = btf__new_empty();
	if (!btf)
		return -1;
	type_u32 = btf__add_int(btf, "unsigned int", 4, 0);
	type_u64 = btf__add_int(btf, "unsigned long", 8, 0);
	type_bool = btf__add_int(btf, "_Bool", 1, BTF_INT_BOOL);
	type_struct = btf__add_struct(btf, "kvm_mmu_page", 8);
	type_pointer = btf__add_ptr(btf, type_struct);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	btf__free(btf);
	return 0;
}

/* A union of a word and a nameless struct of bit fields, as KVM has it. */
static void add_role(const struct bits *fields)
{
	unsigned int at = 0;
	int inner = btf__add_struct(btf, NULL, 4);

	for (; fields->width; fields++) {
		if (fields->name)
			assert_int_equal(
				btf__add_field(btf, fields->name, type_u32, at, fields->width), 0);
		at += fields->width;
	}
	assert_true(btf__add_union(btf, "kvm_mmu_page_role", 4) > 0);
	assert_int_equal(btf__add_field(btf, "word", type_u32, 0, 0), 0);
	assert_int_equal(btf__add_field(btf, NULL, inner, 0, 0), 0);
}

static const struct bits role_6_1[] = { { "level", 4 },
					{ "has_4_byte_gpte", 1 },
					{ "quadrant", 2 },
					{ "direct", 1 },
					{ "access", 3 },
					{ "invalid", 1 },
					{ "efer_nx", 1 },
					{ "cr0_wp", 1 },
					{ "smep_andnot_wp", 1 },
					{ "smap_andnot_wp", 1 },
					{ "ad_disabled", 1 },
					{ "guest_mode", 1 },
					{ "passthrough", 1 },
					{ NULL, 5 },
					{ "smm", 8 },
					{ NULL, 0 } };

/* The fifth bit meant the opposite, and NX had another name. */
static const struct bits role_5_10[] = { { "level", 4 },
					 { "gpte_is_8_bytes", 1 },
					 { "quadrant", 2 },
					 { "direct", 1 },
					 { "access", 3 },
					 { "invalid", 1 },
					 { "nxe", 1 },
					 { "cr0_wp", 1 },
					 { "smep_andnot_wp", 1 },
					 { "smap_andnot_wp", 1 },
					 { "ad_disabled", 1 },
					 { "guest_mode", 1 },
					 { NULL, 6 },
					 { "smm", 8 },
					 { NULL, 0 } };

static void role_of_today(void **state)
{
	struct role_layout l;

	(void)state;
	add_role(role_6_1);
	assert_int_equal(role_layout_from_btf(btf, &l), 0);
	assert_int_equal(role_mask(l.invalid), 1 << 11);
	assert_int_equal(role_mask(l.smm), 0xff000000);
	assert_int_equal(role_normalise(&l, 0x3704),
			 4 | UT_ROLE_ACCESS | UT_ROLE_EFER_NX | UT_ROLE_CR0_WP);
	assert_int_equal(role_normalise(&l, 0x711), 1 | UT_ROLE_4BYTE | UT_ROLE_ACCESS);
	assert_int_equal(role_normalise(&l, 0x731),
			 1 | UT_ROLE_4BYTE | UT_ROLE_ACCESS | 1u << UT_ROLE_QUADRANT_SHIFT);
	assert_int_equal(role_normalise(&l, 0x181), 1 | UT_ROLE_DIRECT | UT_ROLE_EXEC);
	assert_int_equal(role_normalise(&l, 0x0105cc01),
			 1 | UT_ROLE_USER | UT_ROLE_INVALID | UT_ROLE_SMEP_NOT_WP |
				 UT_ROLE_SMAP_NOT_WP | UT_ROLE_AD_DISABLED | UT_ROLE_PASSTHROUGH |
				 UT_ROLE_SMM);
}

static void role_whose_bit_was_turned_round(void **state)
{
	struct role_layout l;

	(void)state;
	add_role(role_5_10);
	assert_int_equal(role_layout_from_btf(btf, &l), 0);
	assert_int_equal(role_normalise(&l, 0x3714),
			 4 | UT_ROLE_ACCESS | UT_ROLE_EFER_NX | UT_ROLE_CR0_WP);
	assert_int_equal(role_normalise(&l, 0x701), 1 | UT_ROLE_4BYTE | UT_ROLE_ACCESS);
	/* A direct page has no entries to be wide or narrow. */
	assert_int_equal(role_normalise(&l, 0x781), 1 | UT_ROLE_DIRECT | UT_ROLE_ACCESS);
	assert_int_equal(role_mask(l.passthrough), 0);
}

static void role_that_is_not_understood(void **state)
{
	static const struct bits no_width[] = { { "level", 4 },	 { "quadrant", 2 }, { "direct", 1 },
						{ "access", 3 }, { "invalid", 1 },  { NULL, 0 } };
	struct role_layout l;

	(void)state;
	assert_int_equal(role_layout_from_btf(btf, &l), -1);
	add_role(no_width);
	assert_int_equal(role_layout_from_btf(btf, &l), -1);
}

static void add_prototype(const char *tracepoint, const int *types, unsigned int n)
{
	char name[64];
	int data = btf__add_ptr(btf, 0), proto, pointer;

	proto = btf__add_func_proto(btf, 0);
	if (tracepoint)
		btf__add_func_param(btf, NULL, data);
	for (unsigned int i = 0; i < n; i++)
		btf__add_func_param(btf, "p", types[i]);
	if (!tracepoint) {
		btf__add_func(btf, "kvm_set_cr3", BTF_FUNC_STATIC, proto);
		return;
	}
	pointer = btf__add_ptr(btf, proto);
	snprintf(name, sizeof(name), "btf_trace_%s", tracepoint);
	btf__add_typedef(btf, name, pointer);
}

/* The kernel's function, with a fourth parameter of this name and type. */
static void add_asked(const char *name, int type)
{
	int proto = btf__add_func_proto(btf, type_u32);

	assert_true(proto > 0);
	btf__add_func_param(btf, "kvm", type_pointer);
	btf__add_func_param(btf, "slot", type_pointer);
	btf__add_func_param(btf, "gfn", type_u64);
	btf__add_func_param(btf, name, type);
	btf__add_func_param(btf, "prefetch", type_bool);
	assert_true(btf__add_func(btf, "mmu_try_to_unsync_pages", BTF_FUNC_GLOBAL, proto) > 0);
}

static void exact_in_6_1(void **state)
{
	(void)state;
	assert_string_equal(host_exact_parameter(btf), "");
	add_asked("can_unsync", type_bool);
	assert_string_equal(host_exact_parameter(btf), "can_unsync");
}

static void exact_in_6_18(void **state)
{
	(void)state;
	add_asked("synchronizing", type_bool);
	assert_string_equal(host_exact_parameter(btf), "synchronizing");
}

static void exact_by_another_name(void **state)
{
	(void)state;
	add_asked("speculative", type_bool);
	assert_string_equal(host_exact_parameter(btf), "");
}

static void exact_that_is_no_bool(void **state)
{
	(void)state;
	add_asked("can_unsync", type_u32);
	assert_string_equal(host_exact_parameter(btf), "");
}

/* In 5.15 the function had a vCPU and a frame, then the flag. */
static void exact_in_another_place(void **state)
{
	int proto = btf__add_func_proto(btf, type_u32);

	(void)state;
	btf__add_func_param(btf, "vcpu", type_pointer);
	btf__add_func_param(btf, "gfn", type_u64);
	btf__add_func_param(btf, "can_unsync", type_bool);
	assert_true(btf__add_func(btf, "mmu_try_to_unsync_pages", BTF_FUNC_GLOBAL, proto) > 0);
	assert_string_equal(host_exact_parameter(btf), "");
}

static bool has(const char *program)
{
	struct host h = { .kvm_btf = btf, .exit_pointer = -1, .exit_offset = -1 };

	for (size_t i = 0; i < collector_n_hooks; i++) {
		if (!strcmp(collector_hooks[i].program, program))
			return host_has_hook(&h, &collector_hooks[i]);
	}
	fail_msg("no hook %s", program);
	return false;
}

static void hook_needs_a_fitting_prototype(void **state)
{
	(void)state;
	assert_false(has("get_page"));
	add_prototype("kvm_mmu_get_page", (int[]){ type_pointer, type_bool }, 2);
	assert_true(has("get_page"));
	/* One parameter more than in older kernels does no harm. */
	add_prototype("kvm_entry", (int[]){ type_pointer, type_bool }, 2);
	assert_true(has("vm_entry"));
	/* Before 5.16 it had an address, a level and a frame where there is one pointer now. */
	add_prototype("kvm_mmu_spte_requested", (int[]){ type_u64, type_u32, type_u64 }, 3);
	assert_false(has("spte_requested"));
	/* And this one had no vCPU. */
	add_prototype("kvm_page_fault", (int[]){ type_u64, type_u32 }, 2);
	assert_false(has("page_fault_tp"));
	assert_false(has("set_cr3"));
	add_prototype(NULL, (int[]){ type_pointer, type_u64 }, 2);
	assert_true(has("set_cr3"));
}

static void add_vcpu(const char *name, const char *where, int type, uint32_t bit)
{
	int vcpu = btf__add_struct(btf, "kvm_vcpu", 64);

	assert_true(btf__add_struct(btf, name, 512) > 0);
	assert_int_equal(btf__add_field(btf, "vcpu", vcpu, 0, 0), 0);
	assert_int_equal(btf__add_field(btf, where, type, bit, 0), 0);
}

/* The processor writes it into a control block. */
static void exit_reason_of_svm(void **state)
{
	int pointer, offset, area;

	(void)state;
	add_vcpu("vcpu_svm", "vmcb", type_pointer, 100 * 8);
	assert_int_equal(host_exit_reason(btf, &pointer, &offset), -1);
	area = btf__add_struct(btf, "vmcb_control_area", 1024);
	assert_int_equal(btf__add_field(btf, "exit_code", type_u32, 112 * 8, 0), 0);
	assert_true(btf__add_struct(btf, "vmcb", 2048) > 0);
	assert_int_equal(btf__add_field(btf, "control", area, 16 * 8, 0), 0);
	assert_int_equal(host_exit_reason(btf, &pointer, &offset), 0);
	assert_int_equal(pointer, 100);
	assert_int_equal(offset, 128);
}

static void exit_reason_of_vmx(void **state)
{
	int pointer, offset;

	(void)state;
	add_vcpu("vcpu_vmx", "exit_reason", type_u32, 200 * 8);
	assert_int_equal(host_exit_reason(btf, &pointer, &offset), 0);
	assert_int_equal(pointer, -1);
	assert_int_equal(offset, 200);
}

/* Where it is not known the tracepoint's own record is used. */
static void exit_reason_of_another_size(void **state)
{
	int pointer, offset;

	(void)state;
	add_vcpu("vcpu_vmx", "exit_reason", type_u64, 200 * 8);
	assert_int_equal(host_exit_reason(btf, &pointer, &offset), -1);
	assert_int_equal(offset, -1);
	add_prototype("kvm_exit", (int[]){ type_pointer, type_u32 }, 2);
	assert_false(has("vm_exit_direct"));
	assert_true(has("vm_exit_tp"));
}

/* Every fallback names a hook that stands before it. */
static void hooks_are_in_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < collector_n_hooks; i++) {
		const char *first = collector_hooks[i].fallback_of;
		size_t k = 0;

		if (!first)
			continue;
		while (k < i && strcmp(collector_hooks[k].program, first))
			k++;
		assert_true(k < i);
	}
}

/* This process has no -name option, so it goes by what the kernel calls it. */
static void vm_without_a_name(void **state)
{
	char name[32];

	(void)state;
	host_vm_name((uint32_t)getpid(), "qemu", name, sizeof(name));
	assert_string_equal(name, "qemu");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(role_of_today),
		TEST(role_whose_bit_was_turned_round),
		TEST(role_that_is_not_understood),
		TEST(hook_needs_a_fitting_prototype),
		TEST(hooks_are_in_order),
		TEST(exit_reason_of_svm),
		TEST(exit_reason_of_vmx),
		TEST(exit_reason_of_another_size),
		TEST(exact_in_6_1),
		TEST(exact_in_6_18),
		TEST(exact_by_another_name),
		TEST(exact_that_is_no_bool),
		TEST(exact_in_another_place),
		TEST(vm_without_a_name),
	};

	return cmocka_run_group_tests_name("collector: what a kernel offers", tests, NULL, NULL);
}
