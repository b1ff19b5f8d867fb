// SPDX-License-Identifier: GPL-2.0-only
#include "replay/predict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More differences than this in one VM are not worth counting one by one. */
#define DIFFERENCES_MAX 4096

#define VM_NUMBERS 0x10000u

/* A VM of the exact trace while it is replayed. */
struct seat {
	struct um_mmu *mmu;
	struct ur_steps *steps;
	const struct ut_event *event;
	bool out_of_memory;
};

struct job {
	const struct um_model *model;
	const char *options;
	struct ur_prediction *out;
	struct ur_vm_prediction *by_number[VM_NUMBERS];
	struct seat *seats[VM_NUMBERS];
	void (*progress)(void *ctx, const char *what, uint64_t done, uint64_t total);
	void *ctx;
};

static int append(struct ur_steps *steps, const struct ur_step *step)
{
	if (steps->n == steps->cap) {
		size_t cap = steps->cap ? 2 * steps->cap : 32;
		struct ur_step *more = realloc(steps->at, cap * sizeof(*more));

		if (!more)
			return -1;
		steps->at = more;
		steps->cap = cap;
	}
	steps->at[steps->n++] = *step;
	return 0;
}

static struct ur_vm_prediction *get_vm(struct job *job, uint16_t number, enum ur_side side)
{
	struct ur_vm_prediction *vm = job->by_number[number];

	if (!vm) {
		vm = calloc(1, sizeof(*vm));
		if (!vm)
			return NULL;
		vm->vm = number;
		job->by_number[number] = vm;
	}
	vm->seen[side] = true;
	return vm;
}

/* ---- what the host did ---- */

static int take_host(struct job *job, const struct ut_event *e)
{
	struct ur_vm_prediction *vm;
	struct ur_step step;

	if (e->vm == UT_NO_VM)
		return 0;
	vm = get_vm(job, e->vm, UR_HOST);
	if (!vm)
		return -1;
	if ((e->kind != UT_HOST_UNSYNC && e->kind != UT_HOST_SYNC) ||
	    (e->page.role & UT_ROLE_DIRECT))
		return 0;
	step = (struct ur_step){ .gfn = e->page.gfn,
				 .time = e->time,
				 .role = e->page.role & UM_ROLE_MODELLED,
				 .vcpu = e->vcpu,
				 .deed = e->kind == UT_HOST_UNSYNC ? UR_UNSYNC : UR_SYNC };
	return append(&vm->steps[UR_HOST], &step);
}

/* ---- what the model does ---- */

static void model_did(void *ctx, enum um_happening what, const struct um_page *page)
{
	struct seat *seat = ctx;
	struct ur_step step = { .gfn = page->gfn,
				.time = seat->event->time,
				.role = page->role & UM_ROLE_MODELLED,
				.vcpu = seat->event->vcpu,
				.deed = what == UM_WENT_UNSYNC ? UR_UNSYNC : UR_SYNC };

	if (what != UM_WENT_UNSYNC && (what != UM_GETS_SYNCED || !page->unsync))
		return;
	if (append(seat->steps, &step))
		seat->out_of_memory = true;
}

static void leave(struct job *job, uint16_t vm)
{
	struct seat *seat = job->seats[vm];
	const char *why;

	if (!seat)
		return;
	why = seat->mmu ? um_mmu_failure(seat->mmu) : NULL;
	if (why && !job->out->failed[0])
		snprintf(job->out->failed, sizeof(job->out->failed), "VM %u: %s", vm, why);
	if (seat->mmu)
		um_mmu_destroy(seat->mmu);
	free(seat);
	job->seats[vm] = NULL;
}

static struct seat *get_seat(struct job *job, uint16_t number)
{
	struct ur_vm_prediction *vm = get_vm(job, number, UR_MODEL);
	struct seat *seat = job->seats[number];

	if (!vm || seat)
		return seat;
	seat = calloc(1, sizeof(*seat));
	if (!seat)
		return NULL;
	job->seats[number] = seat;
	seat->steps = &vm->steps[UR_MODEL];
	seat->mmu =
		um_mmu_create(job->model, job->options, job->out->failed, sizeof(job->out->failed));
	if (!seat->mmu)
		return NULL;
	um_mmu_watch(seat->mmu, model_did, seat);
	return seat;
}

static int take_model(struct job *job, const struct ut_event *e)
{
	struct seat *seat;

	/* What concerns no model needs no instance. */
	if (e->vm == UT_NO_VM || (e->kind >= UT_HOST_UNSYNC && !job->seats[e->vm]))
		return 0;
	seat = get_seat(job, e->vm);
	if (!seat)
		return -1;
	seat->event = e;
	um_mmu_event(seat->mmu, e);
	if (seat->out_of_memory)
		return -1;
	/* Instances of VMs that are gone would only take up memory. */
	if (e->kind == UT_VM_GONE && e->vcpu == UT_NO_VCPU)
		leave(job, e->vm);
	return 0;
}

/* ---- traces ---- */

static int read_trace(struct job *job, const char *path, enum ut_mode mode,
		      int (*take)(struct job *job, const struct ut_event *e), struct ut_error *err)
{
	struct ut_reader *r = ut_reader_open(path, err);
	struct ut_block block;
	uint64_t done, total;
	int got, ret = -1;

	if (!r)
		return -1;
	if (ut_reader_header(r)->mode != mode) {
		ut_error_set(err, "%s: is no %s trace", path,
			     mode == UT_MODE_EXACT ? "exact" : "native");
		goto out;
	}
	while ((got = ut_reader_next(r, &block, err)) == 1) {
		for (size_t i = 0; i < block.n; i++) {
			if (take(job, &block.events[i])) {
				ut_error_set(err, "%s: %s", path,
					     job->out->failed[0] ? job->out->failed
								 : "out of memory");
				goto out;
			}
		}
		ut_reader_progress(r, &done, &total);
		if (job->progress)
			job->progress(job->ctx, path, done, total);
	}
	ret = got;
out:
	ut_reader_close(r);
	return ret;
}

char *ur_kernel_of(const char *path, struct ut_error *err)
{
	struct ut_reader *r = ut_reader_open(path, err);
	const char *kernel;
	char *copy;

	if (!r)
		return NULL;
	kernel = ut_header_get(ut_reader_header(r), "kernel");
	copy = strdup(kernel ? kernel : "");
	if (!copy)
		ut_error_set(err, "%s: out of memory", path);
	ut_reader_close(r);
	return copy;
}

/* ---- the comparison ---- */

static bool same(const struct ur_step *a, const struct ur_step *b)
{
	return a->deed == b->deed && a->gfn == b->gfn && a->role == b->role;
}

/*
 * Length of the longest common subsequence, from the number of steps that only one side has: Myers, "An
 * O(ND) Difference Algorithm and Its Variations", 1986. With more than DIFFERENCES_MAX of those the
 * common beginning is all that is counted. Return: 0, or -1 if out of memory.
 */
static int count_common(struct ur_vm_prediction *vm)
{
	const struct ur_steps *a = &vm->steps[UR_HOST], *b = &vm->steps[UR_MODEL];
	long n = (long)a->n, m = (long)b->n;
	long *row = calloc(2 * DIFFERENCES_MAX + 3, sizeof(*row));
	long *far = row + DIFFERENCES_MAX + 1;

	if (!row)
		return -1;
	vm->common = vm->first_difference;
	for (long d = 0; d <= DIFFERENCES_MAX; d++) {
		for (long k = -d; k <= d; k += 2) {
			bool down = k == -d || (k != d && far[k - 1] < far[k + 1]);
			long x = down ? far[k + 1] : far[k - 1] + 1;

			while (x < n && x - k < m && x - k >= 0 && same(&a->at[x], &b->at[x - k]))
				x++;
			far[k] = x;
			if (x >= n && x - k >= m) {
				vm->common = (size_t)(n + m - d) / 2;
				free(row);
				return 0;
			}
		}
	}
	free(row);
	return 0;
}

static int compare(struct ur_vm_prediction *vm)
{
	const struct ur_steps *a = &vm->steps[UR_HOST], *b = &vm->steps[UR_MODEL];
	size_t i = 0;

	while (i < a->n && i < b->n && same(&a->at[i], &b->at[i]))
		i++;
	vm->first_difference = i;
	vm->alike = i == a->n && i == b->n;
	return count_common(vm);
}

static int gather(struct job *job)
{
	struct ur_prediction *p = job->out;
	size_t n = 0;

	for (uint32_t i = 0; i < VM_NUMBERS; i++)
		n += !!job->by_number[i];
	p->vms = calloc(n + 1, sizeof(*p->vms));
	if (!p->vms)
		return -1;
	for (uint32_t i = 0; i < VM_NUMBERS; i++) {
		if (!job->by_number[i])
			continue;
		p->vms[p->n_vms++] = *job->by_number[i];
		free(job->by_number[i]);
		job->by_number[i] = NULL;
		if (compare(&p->vms[p->n_vms - 1]))
			return -1;
	}
	return 0;
}

static void free_job(struct job *job)
{
	for (uint32_t i = 0; i < VM_NUMBERS; i++) {
		leave(job, (uint16_t)i);
		if (!job->by_number[i])
			continue;
		free(job->by_number[i]->steps[UR_HOST].at);
		free(job->by_number[i]->steps[UR_MODEL].at);
		free(job->by_number[i]);
	}
	free(job);
}

static int predict(struct job *job, const char *native, const char *exact, struct ut_error *err)
{
	job->out->kernel = ur_kernel_of(exact, err);
	if (!job->out->kernel || read_trace(job, native, UT_MODE_NATIVE, take_host, err) ||
	    read_trace(job, exact, UT_MODE_EXACT, take_model, err))
		return -1;
	for (uint32_t i = 0; i < VM_NUMBERS; i++)
		leave(job, (uint16_t)i);
	return gather(job) ? ut_error_set(err, "%s: out of memory", exact) : 0;
}

int ur_predict(const char *native, const char *exact, const struct um_model *model,
	       const char *options,
	       void (*progress)(void *ctx, const char *what, uint64_t done, uint64_t total),
	       void *ctx, struct ur_prediction **out, struct ut_error *err)
{
	struct job *job = calloc(1, sizeof(*job));
	struct ur_prediction *p = calloc(1, sizeof(*p));
	int ret;

	*out = NULL;
	if (!job || !p) {
		free(job);
		free(p);
		return ut_error_set(err, "%s: out of memory", exact);
	}
	job->model = model;
	job->options = options;
	job->progress = progress;
	job->ctx = ctx;
	job->out = p;
	ret = predict(job, native, exact, err);
	free_job(job);
	if (ret)
		ur_prediction_free(p);
	else
		*out = p;
	return ret;
}

void ur_prediction_free(struct ur_prediction *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n_vms; i++) {
		free(p->vms[i].steps[UR_HOST].at);
		free(p->vms[i].steps[UR_MODEL].at);
	}
	free(p->vms);
	free(p->kernel);
	free(p);
}
