/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Is what a shared object gives for a model one? It was compiled elsewhere, perhaps against another header
 * or by mistake, so nothing in it is believed before it was looked at.
 */
#ifndef UNSYNC_MODELS_DESCRIPTOR_H
#define UNSYNC_MODELS_DESCRIPTOR_H

#include <stddef.h>
#include <stdint.h>

#include "models/model.h"

#define UM_REACH_PARTS 16 /* readable segments of an object that are looked at */

/* Where the pointers of a model's tables may lead: the memory that its object brought. */
struct um_reach {
	struct {
		uintptr_t from, to;
	} part[UM_REACH_PARTS];
	unsigned int n;
};

/**
 * um_reach_from() - bytes that can be read from a pointer on
 * @reach: NULL: no end is known, of a model that is built in
 * @pointer: from a descriptor
 *
 * Return: 0 if it leads out of the object.
 */
size_t um_reach_from(const struct um_reach *reach, const void *pointer);

/**
 * um_descriptor_check() - is this a model that can be used?
 * @at: the object's symbol, all of whose bytes can be read
 * @bytes: of the symbol, at least the three numbers that a model begins with
 * @reach: the object's memory
 * @error: what is wrong and what to do; begins with no name
 * @error_len: bytes there
 *
 * Magic, version and size come first; only if they are right is anything else looked at, as
 * um_tables_check() does.
 *
 * Return: 0 or -1.
 */
int um_descriptor_check(const void *at, size_t bytes, const struct um_reach *reach, char *error,
			size_t error_len);

/**
 * um_tables_check() - are a model's name, hooks and tables of options and counters as they should be?
 * @model: magic, ABI and size are right; its pointers may lead anywhere
 * @error: what is wrong and what to do; begins with no name
 * @error_len: bytes there
 *
 * Return: 0 or -1.
 */
int um_tables_check(const struct um_model *model, char *error, size_t error_len);

#endif
