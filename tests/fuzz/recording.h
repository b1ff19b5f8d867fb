/* SPDX-License-Identifier: GPL-2.0-only */
/* What a recording holds, as its reader hands it on: kept, to be told again or to be written anew. */
#ifndef UNSYNC_TESTS_FUZZ_RECORDING_H
#define UNSYNC_TESTS_FUZZ_RECORDING_H

#include "import/record.h"

#define RECORDING_FORMATS 32
#define RECORDING_RECORDS 400

struct recording {
	struct {
		char system[16];
		char *text;
		size_t size;
	} format[RECORDING_FORMATS];
	struct {
		struct import_record r;
		uint8_t *data;
	} record[RECORDING_RECORDS];
	size_t formats, records;
};

/**
 * recording_read() - the first records of KVM's tracepoints in a shipped perf.data, and their formats
 * @name: of a file in data/recordings
 *
 * Ends the program if it cannot be read.
 */
struct recording *recording_read(const char *name);

void recording_free(struct recording *rec);

#endif
