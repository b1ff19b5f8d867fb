// SPDX-License-Identifier: GPL-2.0-only
#include "models/base.h"
#include "models/shadow.h"

#include <stdlib.h>
#include <string.h>

static int allocate(struct um_base *base)
{
	const struct um_own_counter *c = base->model->counters;
	const struct um_option *o = base->model->options;
	size_t n = 0;

	while (c && c[n].name)
		n++;
	base->own = calloc(n + 1, sizeof(*base->own));
	base->state = calloc(1, base->model->state_bytes + 1);
	for (n = 0; o && o[n].name;)
		n++;
	base->options = calloc(n + 1, sizeof(*base->options));
	if (!base->own || !base->state || !base->options)
		return -1;
	for (size_t i = 0; i < n; i++) {
		base->options[i] = strdup(o[i].def);
		if (!base->options[i])
			return -1;
	}
	return 0;
}

void um_base_swap(struct um_mmu *mmu, struct um_base *base)
{
	struct um_shadow *s = um_shadow(mmu);
	struct um_base was = {
		.model = mmu->model, .state = mmu->state, .own = mmu->own, .options = s->options
	};

	mmu->model = base->model;
	mmu->state = base->state;
	mmu->own = base->own;
	s->options = base->options;
	*base = was;
}

int um_base_create(struct um_mmu *mmu, struct um_base *base, const struct um_model *model,
		   size_t page_room, size_t vcpu_room)
{
	int ret = 0;

	base->model = model;
	if (model->page_bytes > page_room || model->vcpu_bytes > vcpu_room)
		return um_fail(mmu, "no room for what %s keeps of a page or a vCPU", model->name);
	if (allocate(base))
		return um_fail(mmu, "out of memory for the state of %s", model->name);
	if (model->create) {
		um_base_swap(mmu, base);
		ret = model->create(mmu);
		um_base_swap(mmu, base);
	}
	mmu->invlpg_free = mmu->invlpg_free || !model->invlpg;
	return ret;
}

void um_base_destroy(struct um_mmu *mmu, struct um_base *base)
{
	if (base->model && base->state && base->model->destroy) {
		um_base_swap(mmu, base);
		mmu->model->destroy(mmu);
		um_base_swap(mmu, base);
	}
	for (size_t i = 0; base->options && base->options[i]; i++)
		free(base->options[i]);
	free(base->options);
	free(base->own);
	free(base->state);
}
