// SPDX-License-Identifier: GPL-2.0-only
/*
 * The check of what a shared object gives for a model. The object's memory is made up of the input
 * (plugin_image.h). What the check lets through must do for what comes next, which is that options are
 * set; hooks are code, which no check can tell anything about, and are not called.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "models/descriptor.h"
#include "models/mmu.h"
#include "tests/fuzz/plugin_image.h"

enum { SEGMENTS = 2 };

struct object {
	uint8_t *segment[SEGMENTS];
	size_t size[SEGMENTS];
	struct um_reach reach;
};

/* Each in memory of exactly its size, so that a step over its end is found. */
static void load(struct object *o, const uint8_t *data, size_t size, size_t first)
{
	o->size[0] = first < size ? first : size;
	o->size[1] = size - o->size[0];
	for (unsigned int i = 0; i < SEGMENTS; i++) {
		o->segment[i] = calloc(1, o->size[i] ? o->size[i] : 1);
		if (!o->segment[i])
			fuzz_broken("out of memory");
		memcpy(o->segment[i], data, o->size[i]);
		data += o->size[i];
		o->reach.part[i].from = (uintptr_t)o->segment[i];
		o->reach.part[i].to = o->reach.part[i].from + o->size[i];
	}
	o->reach.n = SEGMENTS;
}

static void relocate(struct object *o)
{
	uint64_t word, segment;

	for (unsigned int i = 0; i < SEGMENTS; i++) {
		for (size_t at = 0; at + sizeof(word) <= o->size[i]; at += sizeof(word)) {
			memcpy(&word, o->segment[i] + at, sizeof(word));
			segment = (word >> 48) - IMAGE_POINTER;
			if (segment >= SEGMENTS)
				continue;
			word = o->reach.part[segment].from + (word << 16 >> 16);
			memcpy(o->segment[i] + at, &word, sizeof(word));
		}
	}
}

/* As far as a model gets before any of its code runs. */
static void use(const struct um_model *model)
{
	struct um_model copy = { .magic = model->magic,
				 .abi = model->abi,
				 .size = model->size,
				 .layout = model->layout,
				 .name = model->name,
				 .summary = model->summary,
				 .options = model->options,
				 .counters = model->counters,
				 .state_bytes = model->state_bytes,
				 .page_bytes = model->page_bytes,
				 .vcpu_bytes = model->vcpu_bytes,
				 .frame_bytes = model->frame_bytes };
	char error[512];
	struct um_mmu *mmu;

	fuzz_line(copy.name, 41);
	fuzz_line(copy.summary, 241);
	if (um_tables_check(model, error, sizeof(error)))
		fuzz_broken("refused as a built-in one: %s", error);
	mmu = um_mmu_create(&copy, NULL, error, sizeof(error));
	if (!mmu)
		fuzz_broken("its defaults are refused: %s", error);
	for (size_t i = 0; copy.options && copy.options[i].name; i++) {
		const struct um_option *o = &copy.options[i];

		fuzz_line(o->name, 41);
		fuzz_line(o->help, 241);
		if (strcmp(um_mmu_options(mmu)[i], o->def) != 0)
			fuzz_broken("option %s is not its default", o->name);
		if (o->type == UM_OPT_CHOICE)
			um_option_choice(mmu, o->name);
	}
	for (size_t i = 0; copy.counters && copy.counters[i].name; i++) {
		fuzz_line(copy.counters[i].name, 41);
		fuzz_line(copy.counters[i].help, 241);
	}
	if (um_mmu_failure(mmu))
		fuzz_broken("it failed: %s", um_mmu_failure(mmu));
	um_mmu_destroy(mmu);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct object o = { .reach = { .n = 0 } };
	struct image_head head;
	char error[768] = "";
	const void *symbol;
	size_t bytes;

	if (size < sizeof(head))
		return 0;
	memcpy(&head, data, sizeof(head));
	load(&o, data + sizeof(head), size - sizeof(head), head.first);
	relocate(&o);
	symbol = o.segment[0] + (head.at < o.size[0] ? head.at : o.size[0]);
	bytes = um_reach_from(&o.reach, symbol);
	bytes = head.bytes < bytes ? head.bytes : bytes;
	/* Whoever finds the symbol sees to that. */
	if (bytes >= 3 * sizeof(uint32_t)) {
		if (um_descriptor_check(symbol, bytes, &o.reach, error, sizeof(error)))
			fuzz_line(error, sizeof(error));
		else
			use(symbol);
	}
	for (unsigned int i = 0; i < SEGMENTS; i++)
		free(o.segment[i]);
	return 0;
}
