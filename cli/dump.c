// SPDX-License-Identifier: GPL-2.0-only
/* unsync dump: the events of a trace, one a line, as text, JSON or CSV. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/text.h"
#include "plots/text.h"
#include "trace/trace.h"

typedef unsigned long long ull;

struct request {
	enum cli_format format;
	bool verbose;
	bool kinds[UT_KIND_END];
	uint64_t vm, vcpu; /* ANY: all */
	uint64_t from, to;
	uint64_t limit;
	const char *file;
};

#define ANY (~0ull)
#define FEW_ENTRIES 4u /* of a page, when not verbose */

static void print_help(void)
{
	printf("usage: unsync dump FILE [options]\n\n"
	       "Prints the events of a trace, one a line. FILE may be - for standard input.\n\n"
	       "  -k, --kind LIST   only these kinds, e.g. fault,write\n"
	       "      --vm N        only this VM\n"
	       "      --vcpu N      only this vCPU\n"
	       "      --from T      from this time on, e.g. 1.5s, 300ms; a bare number is seconds\n"
	       "      --to T        up to this time\n"
	       "  -n, --limit N     at most N events\n"
	       "      --format F    table (default), json (an object a line; addresses and "
	       "entries\n"
	       "                    are hex strings) or csv (a column for every field of any "
	       "kind)\n"
	       "  -j, --json        short for --format json\n"
	       "  -v, --verbose     every entry of new shadow pages, not only the first %u\n"
	       "  -q, --quiet       no progress bar\n"
	       "  -h, --help        this text\n\n"
	       "Columns: time in seconds, VM/vCPU, kind, fields. Kinds:",
	       FEW_ENTRIES);
	for (unsigned int k = 1; k < UT_KIND_END; k++)
		printf("%s%s", k % 8 == 1 ? "\n  " : " ", ut_kind_name(k));
	printf("\n");
}

/* ---- names ---- */

static const char *const outcomes[] = {
	[UT_OUT_UNKNOWN] = "unknown",	  [UT_OUT_FILLED] = "filled",
	[UT_OUT_REFLECTED] = "reflected", [UT_OUT_EMULATED] = "emulated",
	[UT_OUT_MMIO] = "mmio",		  [UT_OUT_FAST] = "fast",
};

static const char *const hows[] = {
	[UT_HOW_TRAPPED] = "trapped",
	[UT_HOW_WINDOW] = "window",
	[UT_HOW_WALK] = "walk",
};

struct flag {
	uint32_t bit;
	const char *name;
};

static const struct flag error_flags[] = {
	{ UT_PF_PRESENT, "present" },	{ UT_PF_WRITE, "write" }, { UT_PF_USER, "user" },
	{ UT_PF_RESERVED, "reserved" }, { UT_PF_FETCH, "fetch" },
};

static const struct flag role_flags[] = {
	{ UT_ROLE_4BYTE, "4byte" },
	{ UT_ROLE_DIRECT, "direct" },
	{ UT_ROLE_EXEC, "x" },
	{ UT_ROLE_WRITE, "w" },
	{ UT_ROLE_USER, "u" },
	{ UT_ROLE_EFER_NX, "nx" },
	{ UT_ROLE_CR0_WP, "wp" },
	{ UT_ROLE_SMEP_NOT_WP, "smep-not-wp" },
	{ UT_ROLE_SMAP_NOT_WP, "smap-not-wp" },
	{ UT_ROLE_AD_DISABLED, "no-ad" },
	{ UT_ROLE_GUEST_MODE, "guest-mode" },
	{ UT_ROLE_SMM, "smm" },
	{ UT_ROLE_PASSTHROUGH, "passthrough" },
	{ UT_ROLE_INVALID, "invalid" },
};

static const char *name_of(const char *const *names, size_t n, unsigned int i)
{
	return i < n && names[i] ? names[i] : "unknown";
}

#define NAME_OF(names, i) name_of(names, sizeof(names) / sizeof((names)[0]), i)

/* "write,user"; bits without a name as one number. */
static const char *flag_names(const struct flag *flags, size_t n, uint32_t value, char *buf,
			      size_t room)
{
	size_t len = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		if (!(value & flags[i].bit))
			continue;
		value &= ~flags[i].bit;
		len += (size_t)snprintf(buf + len, room - len, "%s%s", len ? "," : "",
					flags[i].name);
	}
	if (value)
		snprintf(buf + len, room - len, "%s0x%x", len ? "," : "", value);
	return buf;
}

static const char *error_names(uint32_t error, char *buf, size_t room)
{
	return flag_names(error_flags, sizeof(error_flags) / sizeof(error_flags[0]), error, buf,
			  room);
}

static const char *role_names(uint32_t role, char *buf, size_t room)
{
	return flag_names(role_flags, sizeof(role_flags) / sizeof(role_flags[0]),
			  role & ~(UT_ROLE_LEVEL | UT_ROLE_QUADRANT), buf, room);
}

/* ---- text ---- */

static void text_fault(const struct ut_fault *f)
{
	char buf[128];

	printf("gva %#llx %s [%s]", (ull)f->gva, NAME_OF(outcomes, f->outcome),
	       error_names(f->error, buf, sizeof(buf)));
	if (f->map_level)
		printf(" mapped at L%u", f->map_level);
	for (unsigned int level = f->top; level && level >= f->bottom; level--)
		printf(" L%u:%#llx", level, (ull)f->walk[level - 1]);
}

static void text_write(const struct ut_write *w)
{
	printf("gfn %#llx+%03x size %u ", (ull)w->gfn, w->offset, w->size);
	if (w->old_known)
		printf("%#llx", (ull)w->old);
	else
		printf("?");
	printf(" -> %#llx %s", (ull)w->val, NAME_OF(hows, w->how));
}

static void text_page(const struct request *rq, const struct ut_page *p, bool fresh)
{
	char buf[256];
	unsigned int show = rq->verbose ? p->n : p->n < FEW_ENTRIES ? p->n : FEW_ENTRIES;

	printf("gfn %#llx L%u", (ull)p->gfn, ut_role_level(p->role));
	if (p->role & UT_ROLE_QUADRANT)
		printf(" quadrant %u", (p->role & UT_ROLE_QUADRANT) >> UT_ROLE_QUADRANT_SHIFT);
	printf(" [%s]%s", role_names(p->role, buf, sizeof(buf)), p->unsync ? " unsync" : "");
	if (!fresh)
		return;
	if (!p->known) {
		printf(" content unknown");
		return;
	}
	printf(" words %u%s", p->n, p->n ? ":" : "");
	for (unsigned int i = 0; i < show; i++)
		printf(" %u=%#llx", p->entries[i].index, (ull)p->entries[i].value);
	if (show < p->n)
		printf(" and %u more", p->n - show);
}

static void text_exits(const struct ut_exits *x)
{
	const char *name = ut_exit_name(x->isa, x->reason);

	printf("reason %#x (%s) count %llu time %llu ns", x->reason, name ? name : "unknown",
	       (ull)x->count, (ull)x->ns);
}

static void text_fields(const struct request *rq, const struct ut_event *e)
{
	switch (e->kind) {
	case UT_STATE:
		printf("cr0 %#llx cr3 %#llx cr4 %#llx efer %#llx", (ull)e->state.cr0,
		       (ull)e->state.cr3, (ull)e->state.cr4, (ull)e->state.efer);
		break;
	case UT_CR:
		printf("cr%u %#llx", e->cr.cr, (ull)e->cr.value);
		break;
	case UT_INVLPG:
		printf("gva %#llx", (ull)e->invlpg.gva);
		break;
	case UT_INVPCID:
		printf("type %u pcid %u gva %#llx", e->invpcid.type, e->invpcid.pcid,
		       (ull)e->invpcid.gva);
		break;
	case UT_FAULT:
		text_fault(&e->fault);
		break;
	case UT_WRITE:
		text_write(&e->write);
		break;
	case UT_AD:
		printf("gfn %#llx entry %u of %u bytes, %s set", (ull)e->ad.gfn, e->ad.index,
		       e->ad.entry_size, e->ad.dirty ? "dirty" : "accessed");
		break;
	case UT_PAGE_NEW:
	case UT_PAGE_FOUND:
	case UT_PAGE_ZAP:
	case UT_HOST_UNSYNC:
	case UT_HOST_SYNC:
		text_page(rq, &e->page, e->kind == UT_PAGE_NEW);
		break;
	case UT_HOST_RESYNC:
		printf("pages %u time %llu ns", e->resync.pages, (ull)e->resync.ns);
		break;
	case UT_EXITS:
		text_exits(&e->exits);
		break;
	case UT_VM:
		printf("pid %llu name ", (ull)e->text.value);
		text_plain(stdout, e->text.text, e->text.len);
		break;
	case UT_MARK:
		text_plain(stdout, e->text.text, e->text.len);
		break;
	case UT_STAT:
		text_plain(stdout, e->text.text, e->text.len);
		printf(" %llu at the %s", (ull)e->text.value, e->text.final ? "end" : "start");
		break;
	case UT_LOST:
		printf("count %llu cause %s of %s", (ull)e->lost.count,
		       ut_cause_name(e->lost.cause),
		       e->lost.kind ? ut_kind_name(e->lost.kind) : "any kind");
		break;
	default:
		break;
	}
}

static void print_source(char *buf, size_t room, unsigned int id, unsigned int none)
{
	if (id == none)
		snprintf(buf, room, "-");
	else
		snprintf(buf, room, "%u", id);
}

static void print_text(const struct request *rq, const struct ut_event *e)
{
	char vm[8], vcpu[8];

	print_source(vm, sizeof(vm), e->vm, UT_NO_VM);
	print_source(vcpu, sizeof(vcpu), e->vcpu, UT_NO_VCPU);
	printf("%6llu.%09llu %2s/%-2s %-11s ", (ull)(e->time / 1000000000u),
	       (ull)(e->time % 1000000000u), vm, vcpu, ut_kind_name(e->kind));
	text_fields(rq, e);
	putchar('\n');
}

/* ---- JSON and CSV ---- */

/* Every field that an event of some kind has: the columns of CSV. JSON has those that there are. */
static const char *const fields[] = {
	"gva",	      "gfn",   "level", "role",	 "role_flags", "unsync",  "entries",   "offset",
	"size",	      "old",   "value", "how",	 "error",      "outcome", "map_level", "walk",
	"cr",	      "cr0",   "cr3",	"cr4",	 "efer",       "type",	  "pcid",      "index",
	"entry_size", "dirty", "pages", "ns",	 "isa",	       "reason",  "name",      "count",
	"pid",	      "text",  "final", "cause", "of",
};

#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

/* One event on its way out. */
struct row {
	bool csv;
	char *cells[N_FIELDS]; /* CSV only */
	bool failed;	       /* out of memory */
};

/* Takes @text over. */
static void put_cell(struct row *row, const char *key, char *text)
{
	for (size_t i = 0; i < N_FIELDS; i++) {
		if (!strcmp(fields[i], key)) {
			row->cells[i] = text;
			row->failed |= !text;
			return;
		}
	}
	free(text);
	row->failed = true;
}

/* @quote: what is a string in JSON. */
static void put(struct row *row, const char *key, bool quote, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static void put(struct row *row, const char *key, bool quote, const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	if (row->csv) {
		put_cell(row, key, text);
		return;
	}
	row->failed |= !text;
	if (text)
		printf(quote ? ",\"%s\":\"%s\"" : ",\"%s\":%s", key, text);
	free(text);
}

static void put_hex(struct row *row, const char *key, uint64_t value)
{
	put(row, key, true, "0x%llx", (ull)value);
}

static void put_number(struct row *row, const char *key, uint64_t value)
{
	put(row, key, false, "%llu", (ull)value);
}

static void put_name(struct row *row, const char *key, const char *name)
{
	put(row, key, true, "%s", name);
}

static void put_bool(struct row *row, const char *key, bool value)
{
	put(row, key, false, "%s", value ? "true" : "false");
}

static void put_text(struct row *row, const char *key, const struct ut_text *t)
{
	char *text = NULL;
	size_t len;
	FILE *f;

	if (!row->csv) {
		printf(",\"%s\":", key);
		text_json(stdout, t->text, t->len);
		return;
	}
	f = open_memstream(&text, &len);
	if (!f) {
		row->failed = true;
		return;
	}
	text_plain(f, t->text, t->len);
	row->failed |= fclose(f) != 0;
	put_cell(row, key, text);
}

/* A list of pairs; in a cell of CSV "4:0x1063;3:0x2067". */
struct pairs {
	FILE *f; /* NULL: out of memory */
	char *text;
	size_t len;
	bool any;
};

static void begin_pairs(struct row *row, struct pairs *p)
{
	*p = (struct pairs){ 0 };
	p->f = open_memstream(&p->text, &p->len);
	row->failed |= !p->f;
}

static void put_pair(const struct row *row, struct pairs *p, const char *json, unsigned int key,
		     uint64_t value)
{
	if (!p->f)
		return;
	if (p->any)
		fputc(row->csv ? ';' : ',', p->f);
	fprintf(p->f, row->csv ? "%u:0x%llx" : json, key, (ull)value);
	p->any = true;
}

static void end_pairs(struct row *row, struct pairs *p, const char *key, const char *brackets)
{
	if (!p->f)
		return;
	row->failed |= fclose(p->f) != 0;
	if (row->csv) {
		put_cell(row, key, p->text);
		return;
	}
	printf(",\"%s\":%c%s%c", key, brackets[0], p->text ? p->text : "", brackets[1]);
	free(p->text);
}

static void field_fault(struct row *row, const struct ut_fault *f)
{
	struct pairs walk;

	put_hex(row, "gva", f->gva);
	put_number(row, "error", f->error);
	put_name(row, "outcome", NAME_OF(outcomes, f->outcome));
	put_number(row, "map_level", f->map_level);
	begin_pairs(row, &walk);
	for (unsigned int level = f->top; level && level >= f->bottom; level--)
		put_pair(row, &walk, "\"%u\":\"0x%llx\"", level, f->walk[level - 1]);
	end_pairs(row, &walk, "walk", "{}");
}

static void field_write(struct row *row, const struct ut_write *w)
{
	put_hex(row, "gfn", w->gfn);
	put_number(row, "offset", w->offset);
	put_number(row, "size", w->size);
	if (w->old_known)
		put_hex(row, "old", w->old);
	else if (!row->csv)
		put(row, "old", false, "null");
	put_hex(row, "value", w->val);
	put_name(row, "how", NAME_OF(hows, w->how));
}

static void field_page(struct row *row, const struct ut_page *p, bool fresh)
{
	struct pairs entries;
	char buf[256];

	put_hex(row, "gfn", p->gfn);
	put_number(row, "level", ut_role_level(p->role));
	put_number(row, "role", p->role);
	put_name(row, "role_flags", role_names(p->role, buf, sizeof(buf)));
	put_bool(row, "unsync", p->unsync);
	if (!fresh)
		return;
	if (!p->known) {
		if (!row->csv)
			put(row, "entries", false, "null");
		return;
	}
	begin_pairs(row, &entries);
	for (unsigned int i = 0; i < p->n; i++)
		put_pair(row, &entries, "[%u,\"0x%llx\"]", p->entries[i].index,
			 p->entries[i].value);
	end_pairs(row, &entries, "entries", "[]");
}

static void field_exits(struct row *row, const struct ut_exits *x)
{
	const char *name = ut_exit_name(x->isa, x->reason);

	put_number(row, "isa", x->isa);
	put_number(row, "reason", x->reason);
	if (name)
		put_name(row, "name", name);
	put_number(row, "count", x->count);
	put_number(row, "ns", x->ns);
}

static void put_fields(struct row *row, const struct ut_event *e)
{
	switch (e->kind) {
	case UT_STATE:
		put_hex(row, "cr0", e->state.cr0);
		put_hex(row, "cr3", e->state.cr3);
		put_hex(row, "cr4", e->state.cr4);
		put_hex(row, "efer", e->state.efer);
		break;
	case UT_CR:
		put_number(row, "cr", e->cr.cr);
		put_hex(row, "value", e->cr.value);
		break;
	case UT_INVLPG:
		put_hex(row, "gva", e->invlpg.gva);
		break;
	case UT_INVPCID:
		put_number(row, "type", e->invpcid.type);
		put_number(row, "pcid", e->invpcid.pcid);
		put_hex(row, "gva", e->invpcid.gva);
		break;
	case UT_FAULT:
		field_fault(row, &e->fault);
		break;
	case UT_WRITE:
		field_write(row, &e->write);
		break;
	case UT_AD:
		put_hex(row, "gfn", e->ad.gfn);
		put_number(row, "index", e->ad.index);
		put_number(row, "entry_size", e->ad.entry_size);
		put_bool(row, "dirty", e->ad.dirty);
		break;
	case UT_PAGE_NEW:
	case UT_PAGE_FOUND:
	case UT_PAGE_ZAP:
	case UT_HOST_UNSYNC:
	case UT_HOST_SYNC:
		field_page(row, &e->page, e->kind == UT_PAGE_NEW);
		break;
	case UT_HOST_RESYNC:
		put_number(row, "pages", e->resync.pages);
		put_number(row, "ns", e->resync.ns);
		break;
	case UT_EXITS:
		field_exits(row, &e->exits);
		break;
	case UT_VM:
		put_number(row, "pid", e->text.value);
		put_text(row, "name", &e->text);
		break;
	case UT_MARK:
		put_text(row, "text", &e->text);
		break;
	case UT_STAT:
		put_text(row, "name", &e->text);
		put_number(row, "value", e->text.value);
		put_bool(row, "final", e->text.final);
		break;
	case UT_LOST:
		put_number(row, "count", e->lost.count);
		put_name(row, "cause", ut_cause_name(e->lost.cause));
		if (e->lost.kind)
			put_name(row, "of", ut_kind_name(e->lost.kind));
		break;
	default:
		break;
	}
}

static bool print_json(const struct ut_event *e)
{
	struct row row = { .csv = false };

	printf("{\"time\":%llu", (ull)e->time);
	if (e->vm != UT_NO_VM)
		printf(",\"vm\":%u", e->vm);
	if (e->vcpu != UT_NO_VCPU)
		printf(",\"vcpu\":%u", e->vcpu);
	printf(",\"kind\":\"%s\"", ut_kind_name(e->kind));
	put_fields(&row, e);
	printf("}\n");
	return !row.failed;
}

static void print_heads(void)
{
	fputs("time,vm,vcpu,kind", stdout);
	for (size_t i = 0; i < N_FIELDS; i++)
		printf(",%s", fields[i]);
	putchar('\n');
}

static bool print_csv(const struct ut_event *e)
{
	struct row row = { .csv = true };

	put_fields(&row, e);
	printf("%llu,", (ull)e->time);
	if (e->vm != UT_NO_VM)
		printf("%u", e->vm);
	putchar(',');
	if (e->vcpu != UT_NO_VCPU)
		printf("%u", e->vcpu);
	printf(",%s", ut_kind_name(e->kind));
	for (size_t i = 0; i < N_FIELDS; i++) {
		putchar(',');
		if (row.cells[i])
			pl_csv(stdout, row.cells[i]);
		free(row.cells[i]);
	}
	putchar('\n');
	return !row.failed;
}

/* ---- reading ---- */

static bool wanted(const struct request *rq, const struct ut_event *e)
{
	return rq->kinds[e->kind] && e->time >= rq->from && e->time <= rq->to &&
	       (rq->vm == ANY || rq->vm == e->vm) && (rq->vcpu == ANY || rq->vcpu == e->vcpu);
}

static bool print_event(const struct request *rq, const struct ut_event *e)
{
	switch (rq->format) {
	case CLI_JSON:
		return print_json(e);
	case CLI_CSV:
		return print_csv(e);
	default:
		print_text(rq, e);
		return true;
	}
}

/*
 * Prints what is wanted of a block. Returns 1, 0 when there is no point in going on, or -1 without
 * memory.
 */
static int print_block(const struct request *rq, const struct ut_block *b, uint64_t *printed)
{
	for (size_t i = 0; i < b->n; i++) {
		if (!wanted(rq, &b->events[i]))
			continue;
		if (*printed == rq->limit)
			return 0;
		(*printed)++;
		if (!print_event(rq, &b->events[i]))
			return -1;
	}
	return *printed < rq->limit && !ferror(stdout);
}

/* Whoever reads our output may stop when they have seen enough. */
static int finish_output(void)
{
	if (!fflush(stdout) && !ferror(stdout))
		return EXIT_OK;
	if (errno == EPIPE)
		return EXIT_OK;
	return cli_fail("standard output: cannot write: %s", strerror(errno));
}

/* Not among the events on a terminal. */
static void show_progress(const struct request *rq, const struct ut_reader *r)
{
	uint64_t done, total;

	ut_reader_progress(r, &done, &total);
	if (done < total && !isatty(STDOUT_FILENO))
		cli_progress(rq->file, done, total);
}

static int dump(const struct request *rq, struct ut_reader *r)
{
	struct ut_error err;
	struct ut_block b;
	uint64_t printed = 0, unknown = 0;
	int ret = 1, more = 1, status;

	if (rq->from && ut_reader_seek_time(r, rq->from, &err))
		return cli_fail("%s", err.text);
	if (rq->format == CLI_CSV)
		print_heads();
	while (rq->limit && more == 1 && (ret = ut_reader_next(r, &b, &err)) == 1) {
		unknown += b.unknown;
		more = print_block(rq, &b, &printed);
		show_progress(rq, r);
	}
	cli_progress("", 1, 1);
	if (more < 0)
		return cli_fail("out of memory");
	status = finish_output();
	if (unknown)
		cli_warn("%s: %llu events of kinds that this unsync does not know were left out",
			 rq->file, (ull)unknown);
	if (ret < 0)
		return cli_fail("%s", err.text);
	if (ret == 0 && ut_reader_warning(r)) {
		cli_warn("%s", ut_reader_warning(r));
		return EXIT_FAILED;
	}
	return status;
}

/* ---- arguments ---- */

static int parse_kinds(struct request *rq, const char *list)
{
	size_t len;
	unsigned int k;

	for (;; list += len + 1) {
		len = strcspn(list, ",");
		for (k = 1; k < UT_KIND_END; k++) {
			if (strlen(ut_kind_name(k)) == len && !memcmp(ut_kind_name(k), list, len))
				break;
		}
		if (k == UT_KIND_END)
			return cli_usage("dump", "no kind of event '%.*s'", (int)len, list);
		rq->kinds[k] = true;
		if (!list[len])
			return EXIT_OK;
	}
}

static int parse_id(const char *option, const char *text, uint64_t *id)
{
	if (cli_parse_number(text, 0, UINT16_MAX - 1, id))
		return cli_usage("dump", "%s '%s' is no number from 0 to %u", option, text,
				 UINT16_MAX - 1);
	return EXIT_OK;
}

static int parse_time(const char *option, const char *text, uint64_t *ns)
{
	if (cli_parse_time(text, ns))
		return cli_usage("dump", "%s '%s' is no time; write 1.5s, 300ms, 20us", option,
				 text);
	return EXIT_OK;
}

enum { OPT_VM = 256, OPT_VCPU, OPT_FROM, OPT_TO, OPT_FORMAT };

static int parse_option(struct request *rq, int opt, char **argv)
{
	switch (opt) {
	case 'k':
		return parse_kinds(rq, optarg);
	case OPT_VM:
		return parse_id("--vm", optarg, &rq->vm);
	case OPT_VCPU:
		return parse_id("--vcpu", optarg, &rq->vcpu);
	case OPT_FROM:
		return parse_time("--from", optarg, &rq->from);
	case OPT_TO:
		return parse_time("--to", optarg, &rq->to);
	case 'n':
		if (cli_parse_number(optarg, 0, UINT64_MAX - 1, &rq->limit))
			return cli_usage("dump", "--limit '%s' is no number", optarg);
		return EXIT_OK;
	case 'j':
		rq->format = CLI_JSON;
		return EXIT_OK;
	case OPT_FORMAT:
		return cli_parse_format("dump", optarg, &rq->format);
	case 'v':
		rq->verbose = true;
		return EXIT_OK;
	case 'q':
		cli_progress_off();
		return EXIT_OK;
	case ':':
		return cli_usage("dump", "%s needs a value", argv[optind - 1]);
	}
	return cli_usage("dump", "no option '%s'", argv[optind - 1]);
}

static int parse(struct request *rq, int argc, char **argv)
{
	static const struct option options[] = {
		{ "kind", required_argument, NULL, 'k' },
		{ "vm", required_argument, NULL, OPT_VM },
		{ "vcpu", required_argument, NULL, OPT_VCPU },
		{ "from", required_argument, NULL, OPT_FROM },
		{ "to", required_argument, NULL, OPT_TO },
		{ "limit", required_argument, NULL, 'n' },
		{ "format", required_argument, NULL, OPT_FORMAT },
		{ "json", no_argument, NULL, 'j' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	bool chosen = false;
	int opt, ret;

	opterr = 0;
	optind = 0;
	while ((opt = getopt_long(argc, argv, ":k:n:jvqh", options, NULL)) != -1) {
		if (opt == 'h') {
			print_help();
			exit(EXIT_OK);
		}
		chosen |= opt == 'k';
		ret = parse_option(rq, opt, argv);
		if (ret)
			return ret;
	}
	for (unsigned int k = 0; k < UT_KIND_END && !chosen; k++)
		rq->kinds[k] = true;
	if (optind + 1 != argc)
		return cli_usage("dump", optind == argc ? "no file given" : "one file at a time");
	if (rq->to < rq->from)
		return cli_usage("dump", "--to is before --from");
	rq->file = argv[optind];
	return EXIT_OK;
}

int cli_dump(int argc, char **argv)
{
	struct request rq = { .vm = ANY, .vcpu = ANY, .to = UINT64_MAX, .limit = UINT64_MAX };
	struct ut_error err;
	struct ut_reader *r;
	int ret = parse(&rq, argc, argv);

	if (ret)
		return ret;
	signal(SIGPIPE, SIG_IGN);
	r = ut_reader_open(rq.file, &err);
	if (!r)
		return cli_fail("%s", err.text);
	ret = dump(&rq, r);
	ut_reader_close(r);
	return ret;
}
