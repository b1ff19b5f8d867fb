/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The shadow MMU from the outside: instances of models, what goes into them and what comes out. For
 * whatever replays traces; models see model.h only.
 */
#ifndef UNSYNC_MODELS_MMU_H
#define UNSYNC_MODELS_MMU_H

#include "models/model.h"

/*
 * Role bits by which a recorded page and a model's are known to be the same; the rest is left out. Hosts
 * since 2022 say EFER.NX whatever the guest has, models as the guest has it.
 */
#define UM_ROLE_MODELLED                                                                           \
	(UT_ROLE_LEVEL | UT_ROLE_4BYTE | UT_ROLE_QUADRANT | UT_ROLE_DIRECT | UT_ROLE_ACCESS |      \
	 UT_ROLE_CR0_WP | UT_ROLE_SMEP_NOT_WP | UT_ROLE_SMAP_NOT_WP)

/* One finished resync, for the clock's owner. */
struct um_resync {
	enum um_cause cause;
	uint32_t tables;   /* compared in it */
	uint32_t compared; /* entries */
	uint32_t changed;  /* of these, not kept */
	uint32_t unsync;   /* tables out of sync when it began */
	uint64_t ticks;	   /* of the clock; 0 if no clock was set */
};

/* What um_mmu_watch() tells of. */
enum um_happening {
	UM_WENT_UNSYNC,	 /* a page went out of sync */
	UM_GETS_SYNCED,	 /* a page is about to be compared with the guest's table */
	UM_IS_REFRESHED, /* the same, but it stays out of sync */
	UM_IS_CREATED,
	UM_IS_ZAPPED,
};

/**
 * um_mmu_create() - a model on a shadow MMU of its own
 * @model: kept, not copied
 * @options: "name=value,name=value", or NULL; unnamed options have their defaults
 * @error: a line for the user if it fails
 * @error_len: bytes there
 *
 * Return: an instance, or NULL.
 */
struct um_mmu *um_mmu_create(const struct um_model *model, const char *options, char *error,
			     size_t error_len);
void um_mmu_destroy(struct um_mmu *mmu);

/**
 * um_mmu_event() - let one event of a trace happen
 *
 * Events that concern no model (ground truth, summaries, marks) are ignored. Only one VM's events go
 * to an instance.
 */
void um_mmu_event(struct um_mmu *mmu, const struct ut_event *event);

/**
 * um_mmu_failure() - NULL, or why the instance gave up (out of memory, a model's um_fail())
 *
 * After that every event is ignored.
 */
const char *um_mmu_failure(const struct um_mmu *mmu);

/**
 * um_mmu_observe() - be told of every finished resync
 * @clock: read before and after; NULL: no time is taken
 * @done: called after each; NULL: nobody is told
 * @ctx: given to @done
 */
void um_mmu_observe(struct um_mmu *mmu, uint64_t (*clock)(void),
		    void (*done)(void *ctx, const struct um_resync *r), void *ctx);

/**
 * um_mmu_watch() - be told what happens to shadow pages that are not direct, when it happens
 * @happens: called; the page is as it is before a sync or zap, after a creation or unsync
 * @ctx: given to it
 */
void um_mmu_watch(struct um_mmu *mmu,
		  void (*happens)(void *ctx, enum um_happening what, const struct um_page *page),
		  void *ctx);

/**
 * um_mmu_oldest() - the first of all shadow pages; ->newer leads to the next. NULL: there is none
 */
const struct um_page *um_mmu_oldest(const struct um_mmu *mmu);

/**
 * um_mmu_bookkeeping() - bytes that the design keeps now, of which the counter holds the peak
 */
int64_t um_mmu_bookkeeping(const struct um_mmu *mmu);

/**
 * um_mmu_options() - effective value of each option, in the order of model->options
 *
 * Return: an array of strings as long as the option table; owned by the instance.
 */
const char *const *um_mmu_options(const struct um_mmu *mmu);

/**
 * um_option_takes() - may an option have this value?
 * @option: of a table that is as it should be
 * @value: as the user wrote it
 * @error: a line for the user if not
 * @error_len: bytes there
 *
 * Return: 0 or -1.
 */
int um_option_takes(const struct um_option *option, const char *value, char *error,
		    size_t error_len);

/**
 * um_counter_name(), um_counter_help(), um_cause_name(), um_cause_help() - as results show them
 */
const char *um_counter_name(enum um_counter c);
const char *um_counter_help(enum um_counter c);
const char *um_cause_name(enum um_cause c);
const char *um_cause_help(enum um_cause c);

/**
 * um_models() - the built-in models, in the order in which they are shown; ends with NULL
 */
const struct um_model *const *um_models(void);

/**
 * um_model_find() - a built-in model by name, or NULL
 */
const struct um_model *um_model_find(const char *name);

#endif
