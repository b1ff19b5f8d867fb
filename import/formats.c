// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "import/formats.h"

#include <stdio.h>
#include <stdlib.h>

#include <event-parse.h>

#include "import/record.h"

#define TYPES 65536u /* numbers that a tracepoint may have */
#define NAME_BYTES 64u
#define LINE_BYTES 256u
#define MAX_PARSED 256u
#define REMEDY "; the file is damaged, or not of a Linux kernel: record again"

struct formats {
	struct tep_handle *tep;
	struct format known[TRACEPOINTS]; /* a number of its own each; by tracepoint */
	uint8_t of_type[TYPES];		  /* enum tracepoint */
	unsigned int kvm, parsed;
	struct role_layout role;
	bool has_role;
};

struct known_field {
	const char *name;
	bool needed;
};

static const struct known_tracepoint {
	const char *name;
	struct known_field fields[TP_FIELDS];
} known_tracepoints[TRACEPOINTS] = {
	[TP_EXIT] = { "kvm_exit",
		      { { "exit_reason", true },
			{ "isa", false },
			{ "info1", false },
			{ "info2", false },
			{ "vcpu_id", false } } },
	[TP_ENTRY] = { "kvm_entry", { { "vcpu_id", true } } },
	[TP_PAGE_FAULT] = { "kvm_page_fault",
			    { { "fault_address", true },
			      { "error_code", true },
			      { "vcpu_id", false } } },
	[TP_CR] = { "kvm_cr", { { "rw", true }, { "cr", true }, { "val", true } } },
	[TP_EMULATE] = { "kvm_emulate_insn", { { 0 } } },
	[TP_WALK] = { "kvm_mmu_pagetable_walk", { { "addr", true }, { "pferr", true } } },
	[TP_ELEMENT] = { "kvm_mmu_paging_element", { { "pte", true }, { "level", true } } },
	[TP_WALKER_ERROR] = { "kvm_mmu_walker_error", { { 0 } } },
	[TP_SET_ACCESSED] = { "kvm_mmu_set_accessed_bit", { { "gpa", true } } },
	[TP_SET_DIRTY] = { "kvm_mmu_set_dirty_bit", { { "gpa", true } } },
	[TP_GET_PAGE] = { "kvm_mmu_get_page",
			  { { "gfn", true },
			    { "role", true },
			    { "unsync", true },
			    { "created", true } } },
	[TP_SYNC_PAGE] = { "kvm_mmu_sync_page",
			   { { "gfn", true }, { "role", true }, { "unsync", true } } },
	[TP_UNSYNC_PAGE] = { "kvm_mmu_unsync_page",
			     { { "gfn", true }, { "role", true }, { "unsync", true } } },
	[TP_ZAP_PAGE] = { "kvm_mmu_prepare_zap_page",
			  { { "gfn", true }, { "role", true }, { "unsync", true } } },
	[TP_SPTE_REQUESTED] = { "kvm_mmu_spte_requested", { { "level", true } } },
	[TP_SET_SPTE] = { "kvm_mmu_set_spte", { { "level", true } } },
	[TP_FAST_FAULT] = { "fast_page_fault", { { 0 } } },
	[TP_MARK_MMIO] = { "mark_mmio_spte", { { 0 } } },
	[TP_HANDLE_MMIO] = { "handle_mmio_page_fault", { { 0 } } },
	[TP_PV_FLUSH] = { "kvm_pv_tlb_flush", { { "need_flush_tlb", true } } },
	[TP_HV_FLUSH] = { "kvm_hv_flush_tlb", { { "processor_mask", true }, { "flags", true } } },
	[TP_HV_FLUSH_EX] = { "kvm_hv_flush_tlb_ex", { { 0 } } },
};

struct formats *formats_new(void)
{
	struct formats *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->tep = tep_alloc();
	if (!f->tep) {
		free(f);
		return NULL;
	}
	/* What it would say names neither file nor remedy. */
	tep_set_loglevel(TEP_LOG_NONE);
	return f;
}

void formats_free(struct formats *f)
{
	if (!f)
		return;
	tep_free(f->tep);
	free(f);
}

/* ---- the role ---- */

static void learn_role(struct formats *f, const char *print, size_t size)
{
	static const struct role_layout since_4_13 = {
		.level = { 0, 4 },
		.entry_size = { 4, 1 },
		.quadrant = { 5, 2 },
		.direct = { 7, 1 },
		.access = { 8, 3 },
		.invalid = { 11, 1 },
		.efer_nx = { 12, 1 },
		.cr0_wp = { 13, 1 },
		.smep_not_wp = { 14, 1 },
		.smap_not_wp = { 15, 1 },
		.ad_disabled = { 16, 1 },
		.guest_mode = { 17, 1 },
		.passthrough = { 18, 1 },
		.smm = { 24, 8 },
	};
	/* Whoever said that entries have 8 bytes said it of the same bit. */
	bool four = memmem(print, size, "has_4_byte_gpte", 15);
	bool eight =
		memmem(print, size, "gpte_is_8_bytes", 15) || memmem(print, size, "cr4_pae", 7);

	if (f->has_role || four == eight || !memmem(print, size, "ad_disabled", 11))
		return;
	f->role = since_4_13;
	f->role.entry_size_means_8 = eight;
	f->has_role = true;
}

/* ---- one format ---- */

static enum tracepoint find_known(const char *name)
{
	for (unsigned int i = TP_NONE + 1; i < TRACEPOINTS; i++) {
		if (!strcmp(known_tracepoints[i].name, name))
			return i;
	}
	return TP_NONE;
}

/* A number, where one can be. */
static bool is_place(const struct tep_format_field *from, struct field *to)
{
	const unsigned long other =
		TEP_FIELD_IS_ARRAY | TEP_FIELD_IS_DYNAMIC | TEP_FIELD_IS_RELATIVE;

	if (from->offset < 0 || from->offset > (int)IMPORT_RECORD_BYTES - 8 || from->flags & other)
		return false;
	if (from->size != 1 && from->size != 2 && from->size != 4 && from->size != 8)
		return false;
	to->offset = (uint16_t)from->offset;
	to->size = (uint8_t)from->size;
	to->is_signed = from->flags & TEP_FIELD_IS_SIGNED;
	return true;
}

static int use_event(struct formats *f, const struct tep_event *event, struct ut_error *err)
{
	enum tracepoint tp = find_known(event->name);
	struct format format = { .tracepoint = (uint8_t)tp, .bytes = 8 };

	if (event->id <= 0 || event->id >= (int)TYPES)
		return ut_error_set(
			err, "format of %s: its number %d is none that a tracepoint has" REMEDY,
			event->name, event->id);
	for (unsigned int i = 0; i < TP_FIELDS; i++) {
		const struct known_field *want = &known_tracepoints[tp].fields[i];
		struct tep_format_field *have;
		unsigned int end;

		if (!want->name)
			break;
		have = tep_find_field((struct tep_event *)event, want->name);
		if (have && is_place(have, &format.field[i])) {
			end = (unsigned int)format.field[i].offset + format.field[i].size;
			if (end > format.bytes)
				format.bytes = (uint16_t)end;
		} else if (want->needed) {
			return ut_error_set(
				err, "format of %s: it has no field '%s' that is a number" REMEDY,
				event->name, want->name);
		}
	}
	/* Records that are at hand rely on it. */
	if (f->known[tp].tracepoint)
		return ut_error_set(err, "format of %s: told twice" REMEDY, event->name);
	f->known[tp] = format;
	f->of_type[event->id] = (uint8_t)tp;
	return 0;
}

static bool is_kvm(const char *system)
{
	return !strcmp(system, "kvm") || !strcmp(system, "kvmmmu");
}

int formats_add_tep(struct formats *f, const struct tep_event *event, struct ut_error *err)
{
	const char *print = event->print_fmt.format;

	if (!is_kvm(event->system))
		return 0;
	f->kvm++;
	if (print && !strcmp(event->system, "kvmmmu"))
		learn_role(f, print, strlen(print));
	return find_known(event->name) ? use_event(f, event, err) : 0;
}

/* ---- its text ---- */

/* What is left of a text. */
struct text {
	const char *at, *end;
};

/* The next line, without its end; false if there is none. */
static bool next_line(struct text *t, const char **line, size_t *size)
{
	const char *end;

	if (t->at == t->end)
		return false;
	end = memchr(t->at, '\n', (size_t)(t->end - t->at));
	*line = t->at;
	*size = (size_t)((end ? end : t->end) - t->at);
	t->at = end ? end + 1 : t->end;
	return true;
}

static bool begins(const char *line, size_t size, const char *with)
{
	return size >= strlen(with) && !memcmp(line, with, strlen(with));
}

/* Letters, digits and underscores, a digit not first: how many. */
static size_t word_length(const char *s, size_t size)
{
	size_t n = 0;

	while (n < size && ((s[n] >= 'a' && s[n] <= 'z') || (s[n] >= 'A' && s[n] <= 'Z') ||
			    s[n] == '_' || (n && s[n] >= '0' && s[n] <= '9')))
		n++;
	return n;
}

/* "[N]", or nothing. */
static bool is_array_size(const char *s, size_t size)
{
	if (!size)
		return true;
	if (size < 3 || size > 7 || s[0] != '[' || s[size - 1] != ']')
		return false;
	for (size_t i = 1; i < size - 1; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
	}
	return true;
}

/*
 * What a field may be declared with: words of a type, perhaps stars, and a name, perhaps of an array; one
 * blank between them. libtraceevent loses memory over what is none of that.
 */
static bool is_declaration(const char *s, size_t size)
{
	size_t n, words = 0;

	for (;;) {
		n = word_length(s, size);
		if (n && ++words > 1 && (n == size || s[n] == '['))
			return is_array_size(s + n, size - n);
		if (!n && words)
			n = size && s[0] == '*';
		if (!n || n == size || s[n] != ' ')
			return false;
		s += n + 1;
		size -= n + 1;
	}
}

/* "\tfield:TYPE NAME;\toffset:N;\tsize:N;\tsigned:N;" is copied, in that form; others are left out. */
static void copy_field(const char *line, size_t size, FILE *out)
{
	unsigned int offset, bytes, is_signed;
	char copy[LINE_BYTES], end;
	char *semicolon;

	if (size >= sizeof(copy) || !begins(line, size, "\tfield:") || memchr(line, 0, size))
		return;
	memcpy(copy, line, size);
	copy[size] = '\0';
	semicolon = strchr(copy, ';');
	if (!semicolon || !is_declaration(copy + 7, (size_t)(semicolon - copy) - 7))
		return;
	if (sscanf(semicolon, ";\toffset:%5u;\tsize:%5u;\tsigned:%1u%c", &offset, &bytes,
		   &is_signed, &end) != 4 ||
	    end != ';')
		return;
	*semicolon = '\0';
	fprintf(out, "%s;\toffset:%u;\tsize:%u;\tsigned:%u;\n", copy, offset, bytes, is_signed);
}

/* A name: letters, digits and underscores. */
static bool take_name(const char *from, size_t size, char *name)
{
	if (!size || size >= NAME_BYTES)
		return false;
	for (size_t i = 0; i < size; i++) {
		bool good = (from[i] >= 'a' && from[i] <= 'z') ||
			    (from[i] >= 'A' && from[i] <= 'Z') ||
			    (from[i] >= '0' && from[i] <= '9') || from[i] == '_';

		if (!good)
			return false;
	}
	memcpy(name, from, size);
	name[size] = '\0';
	return true;
}

/* The fields, as libtraceevent wants to have them. Returns a text to be freed, or NULL: out of memory. */
static char *rewrite(const char *name, unsigned int id, struct text t, size_t *size)
{
	const char *line;
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, size);

	if (!out)
		return NULL;
	fprintf(out, "name: %s\nID: %u\nformat:\n", name, id);
	while (next_line(&t, &line, &length) && !begins(line, length, "print fmt:")) {
		/* An empty line ends the fields that all events have. */
		if (length)
			copy_field(line, length, out);
		else
			fputc('\n', out);
	}
	fputs("\nprint fmt: \"\"\n", out);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

static int parse(struct formats *f, const char *system, const char *name, unsigned int id,
		 const char *text, size_t size, struct ut_error *err)
{
	const struct tep_event *event;

	/* It keeps all that it ever read. */
	if (++f->parsed > MAX_PARSED)
		return ut_error_set(err, "format of %s: told again and again" REMEDY, name);
	if (tep_parse_event(f->tep, text, size, system))
		return ut_error_set(
			err, "format of %s: libtraceevent does not understand it" REMEDY, name);
	event = tep_find_event_by_name(f->tep, system, name);
	if (!event || event->id != (int)id)
		return ut_error_set(err, "format of %s: it stands there twice" REMEDY, name);
	return use_event(f, event, err);
}

static bool take_id(const char *line, size_t size, unsigned int *id)
{
	char copy[16], end;

	if (!begins(line, size, "ID: ") || size >= sizeof(copy))
		return false;
	memcpy(copy, line, size);
	copy[size] = '\0';
	return sscanf(copy, "ID: %5u%c", id, &end) == 1;
}

int formats_add(struct formats *f, const char *system, const char *text, size_t size,
		struct ut_error *err)
{
	struct text t = { text, text + size };
	char name[NAME_BYTES] = "";
	char *rewritten;
	const char *line;
	unsigned int id;
	size_t length;
	int result;

	if (!is_kvm(system))
		return 0;
	if (size > IMPORT_FORMAT_BYTES)
		return ut_error_set(err,
				    "format of a tracepoint of %s: %zu bytes are too long" REMEDY,
				    system, size);
	if (!next_line(&t, &line, &length) || !begins(line, length, "name: ") ||
	    !take_name(line + 6, length - 6, name))
		return ut_error_set(
			err, "format of a tracepoint of %s: it does not begin with its name" REMEDY,
			system);
	if (!next_line(&t, &line, &length) || !take_id(line, length, &id))
		return ut_error_set(err, "format of %s: it has no number" REMEDY, name);
	f->kvm++;
	if (!strcmp(system, "kvmmmu"))
		learn_role(f, t.at, (size_t)(t.end - t.at));
	if (!find_known(name))
		return 0;
	rewritten = rewrite(name, id, t, &size);
	if (!rewritten)
		return ut_error_set(err, "out of memory");
	result = parse(f, system, name, id, rewritten, size, err);
	free(rewritten);
	return result;
}

/* ---- looking up ---- */

const struct format *formats_find(const struct formats *f, const void *data, size_t size)
{
	const struct format *format;
	uint16_t type;

	if (size < sizeof(type))
		return NULL;
	memcpy(&type, data, sizeof(type));
	if (!f->of_type[type])
		return NULL;
	format = &f->known[f->of_type[type]];
	return size >= format->bytes ? format : NULL;
}

bool formats_has(const struct formats *f, enum tracepoint tracepoint)
{
	return f->known[tracepoint].tracepoint;
}

unsigned int formats_kvm(const struct formats *f)
{
	return f->kvm;
}

const struct role_layout *formats_role(const struct formats *f)
{
	return f->has_role ? &f->role : NULL;
}
