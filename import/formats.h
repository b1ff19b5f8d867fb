/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which tracepoint a record is of, and where its fields are. Both differ between kernels, so both are
 * taken from the formats that come with a recording, through libtraceevent.
 *
 * That library was not written for hostile input: a format is checked and written anew before it gets
 * it, with the fields alone, and what is meant for printing is left out.
 */
#ifndef UNSYNC_IMPORT_FORMATS_H
#define UNSYNC_IMPORT_FORMATS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "collector/role.h"
#include "trace/trace.h"

struct tep_event;

/* Tracepoints that are understood. */
enum tracepoint {
	TP_NONE,
	TP_EXIT,
	TP_ENTRY,
	TP_PAGE_FAULT,
	TP_CR,
	TP_EMULATE,
	TP_WALK,
	TP_ELEMENT,
	TP_WALKER_ERROR,
	TP_SET_ACCESSED,
	TP_SET_DIRTY,
	TP_GET_PAGE,
	TP_SYNC_PAGE,
	TP_UNSYNC_PAGE,
	TP_ZAP_PAGE,
	TP_SPTE_REQUESTED,
	TP_SET_SPTE,
	TP_FAST_FAULT,
	TP_MARK_MMIO,
	TP_HANDLE_MMIO,
	TP_PV_FLUSH,
	TP_HV_FLUSH,
	TP_HV_FLUSH_EX,
	TRACEPOINTS
};

#define TP_FIELDS 5

/* Where a number is in a record. */
struct field {
	uint16_t offset;
	uint8_t size; /* 1, 2, 4 or 8 bytes; 0: there is none */
	bool is_signed;
};

struct format {
	uint8_t tracepoint;	       /* enum tracepoint */
	uint16_t bytes;		       /* that a record must have at least */
	struct field field[TP_FIELDS]; /* in the order of the tracepoint's names in formats.c */
};

/* The fields of each, by place in format.field. */
enum { EXIT_REASON, EXIT_ISA, EXIT_INFO1, EXIT_INFO2, EXIT_VCPU };
enum { ENTRY_VCPU };
enum { FAULT_ADDRESS, FAULT_ERROR, FAULT_VCPU };
enum { CR_RW, CR_NUMBER, CR_VALUE };
enum { WALK_ADDRESS, WALK_ERROR };
enum { ELEMENT_PTE, ELEMENT_LEVEL };
enum { AD_GPA };
enum { PAGE_GFN, PAGE_ROLE, PAGE_UNSYNC, PAGE_CREATED };
enum { REQUESTED_LEVEL };
enum { SET_LEVEL };
enum { PV_NEED_FLUSH };
enum { HV_MASK, HV_FLAGS };

struct formats;

/**
 * formats_new() - Return: an empty set, or NULL if out of memory
 */
struct formats *formats_new(void);

/**
 * formats_add() - a tracepoint's format
 * @system: that it belongs to: "kvm", "kvmmmu"; others are passed over
 * @text: of the file "format" in tracefs; need not be terminated
 * @size: its bytes
 * @err: set on failure: which tracepoint, what is wrong
 *
 * Return: 0 or -1. A tracepoint that is not understood is no failure.
 */
int formats_add(struct formats *f, const char *system, const char *text, size_t size,
		struct ut_error *err);

/**
 * formats_add_tep() - the same for a format that libtraceevent has read already
 */
int formats_add_tep(struct formats *f, const struct tep_event *event, struct ut_error *err);

/**
 * formats_find() - what a record is
 * @data: begins with the number of its tracepoint
 * @size: its bytes
 *
 * Return: NULL if it is of no tracepoint that is understood, or too short for it.
 */
const struct format *formats_find(const struct formats *f, const void *data, size_t size);

/**
 * formats_has() - has the recording such a tracepoint?
 */
bool formats_has(const struct formats *f, enum tracepoint tracepoint);

/**
 * formats_kvm() - how many of KVM's tracepoints it has, understood or not
 */
unsigned int formats_kvm(const struct formats *f);

/**
 * formats_role() - where the bits of a page's role are, as the formats describe it
 *
 * The bit that tells the size of entries was turned round once and renamed; the other fields have kept
 * their places since Linux 4.13, from when on the format names ad_disabled. Return: NULL if no format
 * told.
 */
const struct role_layout *formats_role(const struct formats *f);

/**
 * formats_free() - NULL is allowed
 */
void formats_free(struct formats *f);

/**
 * field_get() - a number of a record
 * @field: of the record's format, whose length was checked by formats_find()
 * @data: the record
 *
 * Return: 0 if the format has no such field.
 */
static inline uint64_t field_get(struct field field, const void *data)
{
	const char *at = (const char *)data + field.offset;
	uint64_t value = 0;

	switch (field.size) {
	case 1:
		return *(const uint8_t *)at;
	case 2: {
		uint16_t v;

		memcpy(&v, at, sizeof(v));
		return v;
	}
	case 4: {
		uint32_t v;

		memcpy(&v, at, sizeof(v));
		return field.is_signed ? (uint64_t)(int64_t)(int32_t)v : v;
	}
	case 8:
		memcpy(&value, at, sizeof(value));
		return value;
	default:
		return 0;
	}
}

#endif
