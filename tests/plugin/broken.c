// SPDX-License-Identifier: GPL-2.0-only
/*
 * A plug-in that is right but for one thing, which FLAW names: those of the first group must not be
 * loaded, those of the second not pass 'unsync models --check'. What only the preprocessor can do is
 * asked for by WITHOUT_..., WITH_... and AS_... instead.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <unsync/model.h>

enum {
	NONE,
	/* refused */
	MAGIC,
	ABI,
	SIZE,
	LAYOUT,
	NO_WANT_WRITABLE,
	NO_TABLE_WRITTEN,
	NO_CR3_WRITTEN,
	NO_NAME,
	WILD_NAME,
	ODD_NAME,
	NAME_ALL,
	NAME_TAKEN,
	NO_SUMMARY,
	TWO_LINES,
	GREEDY,
	OPTION_TYPE,
	OPTION_NO_HELP,
	OPTION_NO_DEFAULT,
	OPTION_DEFAULT,
	OPTION_RANGE,
	OPTION_NO_CHOICES,
	OPTION_CHOICES,
	OPTION_TWICE,
	OPTIONS_WILD,
	COUNTER_NAME,
	COUNTER_NO_HELP,
	COUNTER_SHARED,
	COUNTER_TWICE,
	CRASH_LOADING,
	/* loaded, but fails a test */
	CRASH,
	HANG,
	EXIT,
	DEAF,
	CHATTER,
	RANDOM,
	GLOBAL,
	LEAK,
	FALLS,
	VERDICT,
	LIE,
	NO_OPTION,
	OPTION_REFUSED,
	OPTION_AS_BOOL,
	NO_END,
	BOOKS,
	UNSOUND,
};

struct state {
	uint64_t limit;
	unsigned int writes;
};

static const struct um_option options[] = {
	{ .name = FLAW == OPTIONS_WILD ? (const char *)0x10 : "limit",
	  .help = FLAW == OPTION_NO_HELP ? NULL : "writes",
	  .type = FLAW == OPTION_TYPE ? (enum um_option_type)7 : UM_OPT_NUMBER,
	  .min = FLAW == OPTION_RANGE ? 100 : 1,
	  .max = 9,
	  .def = FLAW == OPTION_NO_DEFAULT ? NULL
		 : FLAW == OPTION_DEFAULT  ? "10"
					   : "3" },
	{ .name = FLAW == OPTION_TWICE ? "limit" : "how",
	  .help = "in which way",
	  .type = FLAW == OPTION_TWICE ? UM_OPT_BOOL : UM_OPT_CHOICE,
	  .choices = FLAW == OPTION_NO_CHOICES ? NULL
		     : FLAW == OPTION_CHOICES  ? "a||b"
					       : "a|b",
	  .def = FLAW == OPTION_TWICE ? "no" : "a" },
#ifndef WITHOUT_OPTIONS_END
	{ 0 }
#endif
};

static const struct um_own_counter counters[] = {
	{ .name = FLAW == COUNTER_NAME	   ? "Two Words"
		  : FLAW == COUNTER_SHARED ? "writes"
					   : "one",
	  .help = FLAW == COUNTER_NO_HELP ? NULL : "what is counted" },
	{ .name = FLAW == COUNTER_TWICE ? "one" : "two", .help = "what else" },
#ifndef WITHOUT_COUNTERS_END
	{ 0 }
#endif
};

static int *volatile nowhere;
static unsigned int created; /* of all instances, which a model must not know */

static int create(struct um_mmu *mmu)
{
	struct state *s = mmu->state;

	s->limit = um_option_number(mmu, FLAW == NO_OPTION ? "limits" : "limit");
	if (FLAW == OPTION_AS_BOOL)
		um_option_bool(mmu, "limit");
	if (FLAW == OPTION_REFUSED && s->limit == 9)
		return um_fail(mmu, "9 is too much");
	if (FLAW == CHATTER)
		puts("hello");
	created++;
	return 0;
}

static void destroy(struct um_mmu *mmu)
{
	(void)mmu;
	if (FLAW == LEAK)
		mmu->state = malloc(1000);
}

static enum um_verdict want_writable(struct um_mmu *mmu, struct um_vcpu *vcpu,
				     struct um_frame *frame, bool write, bool prefetch)
{
	(void)mmu;
	(void)vcpu;
	(void)frame;
	(void)prefetch;
	if (FLAW == VERDICT)
		return (enum um_verdict)5;
	return FLAW == LIE && write ? UM_WRITABLE : UM_EMULATE;
}

static void misbehave(struct um_mmu *mmu)
{
	struct timespec now;

	switch (FLAW) {
	case CRASH:
		*nowhere = 1;
		break;
	case HANG:
		for (;;)
			pause();
	case EXIT:
		exit(7);
	case DEAF:
		for (int fd = 3; fd < 100; fd++)
			close(fd);
		for (;;)
			pause();
	case RANDOM:
		clock_gettime(CLOCK_MONOTONIC, &now);
		mmu->own[0] += (uint64_t)now.tv_nsec % 7;
		break;
	case GLOBAL:
		mmu->own[0] += created;
		break;
	case FALLS:
		mmu->own[0] = mmu->own[0] ? 0 : 1;
		break;
	case NO_END:
		um_resync_begin(mmu, UM_CAUSE_write);
		break;
	case BOOKS:
		um_bookkeeping(mmu, -8);
		break;
	default:
		break;
	}
}

static void table_written(struct um_mmu *mmu, struct um_vcpu *vcpu, struct um_frame *frame,
			  const struct ut_write *w)
{
	static const struct um_write_rule rule = { .byte_ok = true };
	struct state *s = mmu->state;

	if (++s->writes == 20 || FLAW == GLOBAL || FLAW == RANDOM || FLAW == FALLS)
		misbehave(mmu);
	if (FLAW != UNSOUND)
		um_write_frame(mmu, vcpu, frame, w, &rule);
}

static void load_root(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t old, uint64_t value)
{
	(void)old;
	(void)value;
	um_load_root(mmu, vcpu);
}

static void reload_root(struct um_mmu *mmu, struct um_vcpu *vcpu, uint64_t old)
{
	(void)old;
	um_load_root(mmu, vcpu);
}

void there_is_no_such_function(void);

__attribute__((constructor)) static void when_loaded(void)
{
	if (FLAW == CRASH_LOADING)
		*nowhere = 1;
#ifdef WITH_UNDEFINED
	there_is_no_such_function();
#endif
}

#if defined(AS_FUNCTION)
void unsync_model(void)
{
}
#elif defined(AS_SHORT_OBJECT)
const uint32_t unsync_model[3] = { UM_MAGIC, UM_ABI, sizeof(struct um_model) };
#endif

#if defined(WITHOUT_SYMBOL) || defined(AS_FUNCTION) || defined(AS_SHORT_OBJECT)
__attribute__((used)) static const struct um_model model = {
#else
UM_MODEL(broken) = {
#endif
	.magic = FLAW == MAGIC ? 0x12345678 : UM_MAGIC,
	.abi = FLAW == ABI ? UM_ABI + 1 : UM_ABI,
	.size = FLAW == SIZE ? sizeof(struct um_model) + 8 : sizeof(struct um_model),
	.layout = FLAW == LAYOUT ? UM_LAYOUT + 8 : UM_LAYOUT,
	.name = FLAW == NO_NAME	     ? NULL
		: FLAW == WILD_NAME  ? (const char *)0x10
		: FLAW == ODD_NAME   ? "a,b:c"
		: FLAW == NAME_ALL   ? "all"
		: FLAW == NAME_TAKEN ? "null"
				     : "broken",
	.summary = FLAW == NO_SUMMARY  ? NULL
		   : FLAW == TWO_LINES ? "one\ntwo"
				       : "right but for one thing",
	.options = options,
	.counters = counters,
	.state_bytes = FLAW == GREEDY ? (size_t)-1 : sizeof(struct state),
	.create = create,
	.destroy = FLAW == LEAK ? destroy : NULL,
	.want_writable = FLAW == NO_WANT_WRITABLE ? NULL : want_writable,
	.table_written = FLAW == NO_TABLE_WRITTEN ? NULL : table_written,
	.cr3_written = FLAW == NO_CR3_WRITTEN ? NULL : load_root,
	.cr0_written = reload_root,
	.cr4_written = reload_root,
};
