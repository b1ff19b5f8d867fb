// SPDX-License-Identifier: GPL-2.0-only
/* unsync replay --predict: from one kind of capture to the other. */
#include "cli/predict.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "replay/predict.h"

#define SHOWN 5 /* VMs that differ, unless told otherwise */

struct sums {
	uint64_t vms, alike, only[UR_SIDE_END];
	uint64_t deeds[UR_SIDE_END][UR_DEED_END], steps[UR_SIDE_END], common;
};

static void sum_up(const struct ur_prediction *p, struct sums *s)
{
	*s = (struct sums){ 0 };
	for (size_t i = 0; i < p->n_vms; i++) {
		const struct ur_vm_prediction *vm = &p->vms[i];

		s->vms++;
		s->alike += vm->alike;
		s->common += vm->common;
		for (unsigned int side = 0; side < UR_SIDE_END; side++) {
			const struct ur_steps *steps = &vm->steps[side];

			s->only[side] += !vm->seen[!side];
			s->steps[side] += steps->n;
			for (size_t k = 0; k < steps->n; k++)
				s->deeds[side][steps->at[k].deed]++;
		}
	}
}

static void print_step(const struct ur_vm_prediction *vm, enum ur_side side)
{
	const struct ur_step *step = &vm->steps[side].at[vm->first_difference];

	if (vm->first_difference == vm->steps[side].n) {
		printf(" the %s nothing more", ur_side_name(side));
		return;
	}
	printf(" the %s %s gfn %#" PRIx64 " role %#x (at %.9f, vCPU %u)", ur_side_name(side),
	       ur_deed_name(step->deed), step->gfn, step->role, (double)step->time / 1e9,
	       step->vcpu);
}

static void print_differences(const struct ur_prediction *p, uint64_t max)
{
	for (size_t i = 0; i < p->n_vms && max; i++) {
		const struct ur_vm_prediction *vm = &p->vms[i];

		if (vm->alike)
			continue;
		printf("  VM %u: %zu and %zu, %zu in common; number %zu differs:", vm->vm,
		       vm->steps[UR_HOST].n, vm->steps[UR_MODEL].n, vm->common,
		       vm->first_difference + 1);
		print_step(vm, UR_HOST);
		putchar(';');
		print_step(vm, UR_MODEL);
		putchar('\n');
		max--;
	}
}

static double percent(uint64_t part, uint64_t all)
{
	return all ? 100 * (double)part / (double)all : 100;
}

static void print_prediction(const struct ur_prediction *p, const struct ur_spec *spec,
			     uint64_t mismatches)
{
	struct sums s;

	sum_up(p, &s);
	printf("%s: %" PRIu64 " VMs, %" PRIu64 " alike event by event\n", spec->label, s.vms,
	       s.alike);
	if (s.only[UR_HOST] || s.only[UR_MODEL])
		printf("  VMs in the native trace only: %" PRIu64
		       ", in the exact one only: %" PRIu64 "\n",
		       s.only[UR_HOST], s.only[UR_MODEL]);
	for (unsigned int side = 0; side < UR_SIDE_END; side++)
		printf("  %-5s %8" PRIu64 " gone out of sync %8" PRIu64 " synced\n",
		       ur_side_name(side), s.deeds[side][UR_UNSYNC], s.deeds[side][UR_SYNC]);
	printf("  in common, in order: %" PRIu64 "; recall %.2f %%, precision %.2f %%\n", s.common,
	       percent(s.common, s.steps[UR_HOST]), percent(s.common, s.steps[UR_MODEL]));
	print_differences(p, mismatches ? mismatches : SHOWN);
}

static void progress(void *ctx, const char *what, uint64_t done, uint64_t total)
{
	(void)ctx;
	cli_progress(what, done, total);
}

/* Return: EXIT_OK, EXIT_FAILED if it does something else; -1: the traces cannot be used, which was said. */
static int predict_one(const char *native, const char *exact, const struct ur_spec *spec,
		       uint64_t mismatches)
{
	struct ur_prediction *p;
	struct ut_error err;
	int ret;

	ret = ur_predict(native, exact, spec->model, spec->options, progress, NULL, &p, &err);
	cli_progress_wipe();
	if (ret) {
		cli_fail("%s", err.text);
		return -1;
	}
	print_prediction(p, spec, mismatches);
	if (p->failed[0])
		ret = cli_fail("%s: %s", spec->label, p->failed);
	for (size_t i = 0; i < p->n_vms; i++) {
		if (!p->vms[i].alike)
			ret = EXIT_FAILED;
	}
	ur_prediction_free(p);
	return ret;
}

/* Is this one of "a|b|c"? */
static bool is_choice(const char *choices, const char *word, size_t len)
{
	for (const char *c = choices; c; c = strchr(c, '|')) {
		c += *c == '|';
		if (!strncmp(c, word, len) && (c[len] == '|' || !c[len]))
			return true;
	}
	return false;
}

/* The first two numbers of "6.12.117+deb12-amd64": a series. Return: its length. */
static size_t series_length(const char *kernel)
{
	size_t first = strspn(kernel, "0123456789");

	if (!first || kernel[first] != '.')
		return 0;
	return first + 1 + strspn(kernel + first + 1, "0123456789");
}

/* A model that has versions gets the host's, if it has that. */
static void choose_version(const struct um_model *model, const char *kernel, char *options,
			   size_t size)
{
	size_t len = series_length(kernel);

	options[0] = '\0';
	for (const struct um_option *o = model->options; o && o->name && len; o++) {
		if (!strcmp(o->name, "version") && o->type == UM_OPT_CHOICE &&
		    is_choice(o->choices, kernel, len))
			snprintf(options, size, "version=%.*s", (int)len, kernel);
	}
}

static int predict_all(const char *native, const char *exact, uint64_t mismatches)
{
	struct ut_error err;
	char *kernel = ur_kernel_of(exact, &err);
	int ret = EXIT_OK, one = 0;

	if (!kernel)
		return cli_fail("%s", err.text);
	for (const struct um_model *const *m = um_models(); *m && one >= 0; m++) {
		char options[64], label[128];
		struct ur_spec spec = { .model = *m, .label = label };

		if (!(*m)->predicts_host)
			continue;
		choose_version(*m, kernel, options, sizeof(options));
		spec.options = options[0] ? options : NULL;
		snprintf(label, sizeof(label), options[0] ? "%s(%s)" : "%s", (*m)->name, options);
		one = predict_one(native, exact, &spec, mismatches);
		if (one)
			ret = EXIT_FAILED;
	}
	free(kernel);
	return ret;
}

int cli_predict(const char *native, const char *exact, const struct ur_spec *specs, size_t n_specs,
		uint64_t mismatches)
{
	int ret = EXIT_OK, one = 0;

	if (!n_specs)
		return predict_all(native, exact, mismatches);
	for (size_t i = 0; i < n_specs && one >= 0; i++) {
		one = predict_one(native, exact, &specs[i], mismatches);
		if (one)
			ret = EXIT_FAILED;
	}
	return ret;
}
