// SPDX-License-Identifier: GPL-2.0-only
#include "replay/conform.h"

#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/descriptor.h"
#include "replay/exercise.h"
#include "replay/oracle.h"

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif

#define SEEDS 4 /* of guests; with PCID and without */
#define STEPS 4000
#define ODD_EVENTS 60000
#define FEW_STEPS 300
#define BLOCK 64
#define ROUNDS 4 /* lives that are looked at for leaks */

/* What came out of a model, all of it. */
struct outcome {
	uint64_t count[UM_COUNTER_END];
	uint64_t *own;
	size_t n_own;
	uint64_t resyncs; /* a hash over each of them in turn */
};

struct why {
	char *text;
	size_t len;
};

static int fails(const struct why *why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int fails(const struct why *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why->text, why->len, fmt, ap);
	va_end(ap);
	return -1;
}

static int no_memory(const struct why *why)
{
	return fails(why, "out of memory");
}

/* ---- instances and what comes out of them ---- */

static void note_resync(void *ctx, const struct um_resync *r)
{
	const uint64_t values[] = { r->cause, r->tables, r->compared, r->changed, r->unsync };
	struct outcome *o = ctx;

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		o->resyncs = (o->resyncs ^ values[i]) * 0x100000001b3ull;
}

static size_t count_own(const struct um_model *model)
{
	size_t n = 0;

	while (model->counters && model->counters[n].name)
		n++;
	return n;
}

static struct um_mmu *create(const struct um_model *model, const char *options, struct outcome *o,
			     const struct why *why)
{
	char error[256] = "no reason given";
	struct um_mmu *mmu;

	memset(o, 0, sizeof(*o));
	o->n_own = count_own(model);
	o->own = calloc(o->n_own + 1, sizeof(*o->own));
	if (!o->own) {
		no_memory(why);
		return NULL;
	}
	mmu = um_mmu_create(model, options, error, sizeof(error));
	if (mmu)
		um_mmu_observe(mmu, NULL, note_resync, o);
	else
		fails(why, "refuses %s: %s", options ? options : "its defaults", error);
	return mmu;
}

static void keep_counts(const struct um_mmu *mmu, struct outcome *o)
{
	memcpy(o->count, mmu->count, sizeof(o->count));
	memcpy(o->own, mmu->own, o->n_own * sizeof(*o->own));
}

/* @a and @b: what was done in each case. */
static int same(const struct um_model *model, const struct outcome *a, const struct outcome *b,
		const char *first, const char *second, const struct why *why)
{
	for (unsigned int i = 0; i < UM_COUNTER_END; i++) {
		if (a->count[i] != b->count[i])
			return fails(why, "%s is %" PRIu64 " %s and %" PRIu64 " %s",
				     um_counter_name(i), a->count[i], first, b->count[i], second);
	}
	for (size_t i = 0; i < a->n_own; i++) {
		if (a->own[i] != b->own[i])
			return fails(why, "%s is %" PRIu64 " %s and %" PRIu64 " %s",
				     model->counters[i].name, a->own[i], first, b->own[i], second);
	}
	if (a->resyncs != b->resyncs)
		return fails(why, "resyncs are not the same %s and %s", first, second);
	return 0;
}

static int alive(const struct um_mmu *mmu, const struct why *why)
{
	const char *failure = um_mmu_failure(mmu);

	return failure ? fails(why, "gave up: %s", failure) : 0;
}

/* One life: created, fed with all events, destroyed. */
static int live(const struct um_model *model, const char *options, const struct ur_exercise *x,
		struct outcome *o, const struct why *why)
{
	struct um_mmu *mmu = create(model, options, o, why);
	int ret;

	if (!mmu)
		return -1;
	for (size_t i = 0; i < x->n; i++)
		um_mmu_event(mmu, &x->events[i]);
	keep_counts(mmu, o);
	ret = alive(mmu, why);
	um_mmu_destroy(mmu);
	return ret;
}

/* Held to the TLB contract and to the structure of a shadow, at every event. */
static int verify(const struct um_model *model, const char *options, const struct ur_exercise *x,
		  const struct why *why)
{
	struct ur_verified v = { 0 };
	struct ur_oracle *oracle = NULL;
	struct outcome out;
	struct um_mmu *mmu = create(model, options, &out, why);
	int ret = -1;

	free(out.own);
	out.own = NULL;
	if (!mmu)
		return -1;
	um_mmu_observe(mmu, NULL, NULL, NULL);
	oracle = ur_oracle_create(mmu, 0);
	ret = oracle ? 0 : no_memory(why);
	for (size_t i = 0; i < x->n && !ret; i++) {
		um_mmu_event(mmu, &x->events[i]);
		if (ur_oracle_event(oracle, &x->events[i]))
			ret = no_memory(why);
		else
			ret = alive(mmu, why);
	}
	if (oracle && ur_oracle_finish(oracle, &v) && !ret)
		ret = no_memory(why);
	if (!ret && v.violations)
		ret = fails(why, "%" PRIu64 " violations, the first: %s", v.violations,
			    v.n_first ? v.first[0] : "not kept");
	ur_verified_free(&v);
	um_mmu_destroy(mmu);
	return ret;
}

/* ---- each test ---- */

static int test_tables(const struct um_model *model, char *text, size_t len)
{
	return um_tables_check(model, text, len);
}

static int try_value(const struct um_model *model, const struct um_option *o, const char *value,
		     const struct ur_exercise *x, const struct why *why)
{
	char setting[128], said[512];
	struct why inner = { said, sizeof(said) };
	int ret;

	snprintf(setting, sizeof(setting), "%s=%s", o->name, value);
	ret = verify(model, setting, x, &inner);
	return ret ? fails(why, "with %s, which its table allows: %s", setting, said) : 0;
}

static int try_choices(const struct um_model *model, const struct um_option *o,
		       const struct ur_exercise *x, const struct why *why)
{
	const char *c = o->choices;
	char value[64];

	while (*c) {
		size_t n = strcspn(c, "|");

		snprintf(value, sizeof(value), "%.*s", (int)n, c);
		if (try_value(model, o, value, x, why))
			return -1;
		c += n + (c[n] == '|');
	}
	return 0;
}

static int try_option(const struct um_model *model, const struct um_option *o,
		      const struct ur_exercise *x, const struct why *why)
{
	char value[32];

	switch (o->type) {
	case UM_OPT_BOOL:
		return try_value(model, o, "yes", x, why) || try_value(model, o, "no", x, why);
	case UM_OPT_CHOICE:
		return try_choices(model, o, x, why);
	default:
		snprintf(value, sizeof(value), "%" PRIu64, o->min);
		if (try_value(model, o, value, x, why))
			return -1;
		snprintf(value, sizeof(value), "%" PRIu64, o->max);
		return try_value(model, o, value, x, why);
	}
}

/* What the table does not allow must not reach the model. */
static int try_bad(const struct um_model *model, const struct um_option *o, const struct why *why)
{
	struct um_mmu *mmu;
	char setting[128], error[256] = "";

	snprintf(setting, sizeof(setting), "%s=!", o->name);
	mmu = um_mmu_create(model, setting, error, sizeof(error));
	um_mmu_destroy(mmu);
	return mmu || !error[0] ? fails(why, "takes %s", setting) : 0;
}

static int test_options(const struct um_model *model, char *text, size_t len)
{
	const struct why why = { text, len };
	struct ur_exercise x;
	int ret = 0;

	if (ur_exercise_guest(&x, 1, FEW_STEPS)) {
		ret = no_memory(&why);
		goto out;
	}
	for (const struct um_option *o = model->options; o && o->name && !ret; o++)
		ret = try_option(model, o, &x, &why) || try_bad(model, o, &why) ? -1 : 0;
out:
	ur_exercise_free(&x);
	return ret;
}

typedef int (*guest_test)(const struct um_model *model, const struct ur_exercise *x,
			  const struct why *why);

/* A test with each of the guests in turn. */
static int with_guests(const struct um_model *model, guest_test test, const struct why *why)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct ur_exercise x;
		int ret =
			ur_exercise_guest(&x, seed, STEPS) ? no_memory(why) : test(model, &x, why);

		ur_exercise_free(&x);
		if (ret)
			return -1;
	}
	return 0;
}

static int twice(const struct um_model *model, const struct ur_exercise *x, const struct why *why)
{
	struct outcome a = { 0 }, b = { 0 };
	int ret = live(model, NULL, x, &a, why) || live(model, NULL, x, &b, why) ||
				  same(model, &a, &b, "the first time", "the second", why)
			  ? -1
			  : 0;

	free(a.own);
	free(b.own);
	return ret;
}

static int test_determinism(const struct um_model *model, char *text, size_t len)
{
	const struct why why = { text, len };

	return with_guests(model, twice, &why);
}

/* An instance after others, one of which was in the middle of something, is like the first of all. */
static int test_fresh(const struct um_model *model, char *text, size_t len)
{
	const struct why why = { text, len };
	struct outcome a = { 0 }, b = { 0 }, other = { 0 };
	struct ur_exercise x = { 0 }, y = { 0 };
	int ret = -1;

	if (ur_exercise_guest(&x, 1, STEPS) || ur_exercise_guest(&y, 2, STEPS)) {
		no_memory(&why);
		goto out;
	}
	y.n -= y.n / 3;
	if (live(model, NULL, &x, &a, &why) || live(model, NULL, &y, &other, &why) ||
	    live(model, NULL, &x, &b, &why))
		goto out;
	ret = same(model, &a, &b, "in the first instance", "in one after another guest's", &why);
out:
	ur_exercise_free(&x);
	ur_exercise_free(&y);
	free(a.own);
	free(b.own);
	free(other.own);
	return ret;
}

/* A block as a reader hands it out: memory that is used again for the next one. */
struct window {
	struct ut_event events[BLOCK];
	struct ut_entry *entries;
	size_t size;
};

static size_t copy_block(struct window *w, const struct ur_exercise *x, size_t from, size_t want)
{
	size_t n = x->n - from < want ? x->n - from : want, at = 0;

	memset(w->entries, 0xa5, w->size * sizeof(*w->entries));
	memcpy(w->events, x->events + from, n * sizeof(*w->events));
	for (size_t i = 0; i < n; i++) {
		struct ut_page *p = &w->events[i].page;

		if (w->events[i].kind != UT_PAGE_NEW || !p->n)
			continue;
		memcpy(w->entries + at, p->entries, p->n * sizeof(*p->entries));
		p->entries = w->entries + at;
		at += p->n;
	}
	return n;
}

/* Fed in blocks, while another instance lives the same life half a step behind. */
static int in_blocks(const struct um_model *model, const struct ur_exercise *x, size_t block,
		     struct window *w, struct outcome *o, const struct why *why)
{
	struct outcome beside = { 0 };
	struct um_mmu *other = NULL, *mmu = create(model, NULL, o, why);
	int ret = -1;

	if (mmu)
		other = create(model, NULL, &beside, why);
	if (!other)
		goto out;
	for (size_t at = 0; at < x->n;) {
		size_t n = copy_block(w, x, at, block);

		for (size_t i = 0; i < n; i++)
			um_mmu_event(mmu, &w->events[i]);
		for (size_t i = 0; i < (n + 1) / 2; i++)
			um_mmu_event(other, &w->events[i]);
		at += n;
	}
	keep_counts(mmu, o);
	ret = alive(mmu, why);
out:
	um_mmu_destroy(mmu);
	um_mmu_destroy(other);
	free(beside.own);
	return ret;
}

static int blocks(const struct um_model *model, const struct ur_exercise *x, const struct why *why)
{
	static const size_t sizes[] = { 1, 7, BLOCK };
	struct window w = { .size = (size_t)BLOCK * UT_TABLE_ENTRIES };
	struct outcome whole = { 0 }, parts = { 0 };
	char second[32];
	int ret;

	w.entries = calloc(w.size, sizeof(*w.entries));
	if (!w.entries)
		return no_memory(why);
	ret = live(model, NULL, x, &whole, why);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]) && !ret; i++) {
		snprintf(second, sizeof(second), "in blocks of %zu", sizes[i]);
		ret = in_blocks(model, x, sizes[i], &w, &parts, why) ||
				      same(model, &whole, &parts, "in one piece", second, why)
			      ? -1
			      : 0;
		free(parts.own);
		parts.own = NULL;
	}
	free(w.entries);
	free(whole.own);
	return ret;
}

static int test_blocks(const struct um_model *model, char *text, size_t len)
{
	const struct why why = { text, len };

	return with_guests(model, blocks, &why);
}

/* The counts, the gauge of tables out of sync and the bookkeeping, after each event. */
static int check_accounts(const struct um_mmu *mmu, const struct outcome *before, size_t event,
			  const struct why *why)
{
	for (unsigned int i = 0; i < UM_COUNTER_END; i++) {
		if (mmu->count[i] < before->count[i])
			return fails(why, "%s fell from %" PRIu64 " to %" PRIu64 " at event %zu",
				     um_counter_name(i), before->count[i], mmu->count[i], event);
	}
	for (size_t i = 0; i < before->n_own; i++) {
		if (mmu->own[i] < before->own[i])
			return fails(why, "%s fell from %" PRIu64 " to %" PRIu64 " at event %zu",
				     mmu->model->counters[i].name, before->own[i], mmu->own[i],
				     event);
	}
	if (um_mmu_bookkeeping(mmu) < 0)
		return fails(why,
			     "bookkeeping is %" PRId64 " bytes at event %zu; more was given "
			     "back than taken",
			     um_mmu_bookkeeping(mmu), event);
	return 0;
}

static int check_gauge(const struct um_mmu *mmu, size_t event, const struct why *why)
{
	uint32_t unsync = 0;

	for (const struct um_page *p = um_mmu_oldest(mmu); p; p = p->newer)
		unsync += p->unsync;
	if (unsync == mmu->unsync_now)
		return 0;
	return fails(why,
		     "%u pages are out of sync, unsync_now says %u at event %zu; only "
		     "um_mark_unsync() and syncs may change page->unsync",
		     unsync, mmu->unsync_now, event);
}

static int monotone(const struct um_model *model, const struct ur_exercise *x,
		    const struct why *why)
{
	struct outcome before = { 0 };
	struct um_mmu *mmu = create(model, NULL, &before, why);
	int ret = mmu ? 0 : -1;

	for (size_t i = 0; i < x->n && !ret; i++) {
		um_mmu_event(mmu, &x->events[i]);
		ret = alive(mmu, why) || check_accounts(mmu, &before, i, why) ||
				      check_gauge(mmu, i, why)
			      ? -1
			      : 0;
		keep_counts(mmu, &before);
	}
	um_mmu_destroy(mmu);
	free(before.own);
	return ret;
}

static int test_monotone(const struct um_model *model, char *text, size_t len)
{
	const struct why why = { text, len };

	return with_guests(model, monotone, &why);
}

static int sound(const struct um_model *model, const struct ur_exercise *x, const struct why *why)
{
	return verify(model, NULL, x, why);
}

static int test_sound(const struct um_model *model, char *text, size_t len)
{
	const struct why why = { text, len };

	return with_guests(model, sound, &why);
}

/* Between the events of @x, some that this version does not know, or that concern no model. */
static int strangers(const struct um_model *model, const struct ur_exercise *x,
		     const struct why *why)
{
	static const uint8_t kinds[] = { UT_KIND_END,	 UT_KIND_EXT - 1, UT_KIND_EXT,
					 UT_KIND_MAX,	 UT_HOST_UNSYNC,  UT_HOST_SYNC,
					 UT_HOST_RESYNC, UT_PAGE_FOUND,	  UT_EXITS,
					 UT_VM,		 UT_MARK,	  UT_LOST,
					 UT_STAT };
	struct outcome alone = { 0 }, among = { 0 };
	struct um_mmu *mmu = NULL;
	int ret = live(model, NULL, x, &alone, why);

	if (!ret)
		mmu = create(model, NULL, &among, why);
	for (size_t i = 0; mmu && i < x->n; i++) {
		struct ut_event e = { .time = x->events[i].time,
				      .vcpu = x->events[i].vcpu,
				      .kind = kinds[i % sizeof(kinds)] };

		um_mmu_event(mmu, &e);
		um_mmu_event(mmu, &x->events[i]);
	}
	if (mmu) {
		keep_counts(mmu, &among);
		ret = alive(mmu, why) || same(model, &alone, &among, "by itself",
					      "among events that concern no model", why)
			      ? -1
			      : 0;
	} else {
		ret = -1;
	}
	um_mmu_destroy(mmu);
	free(alone.own);
	free(among.own);
	return ret;
}

static int test_strangers(const struct um_model *model, char *text, size_t len)
{
	const struct why why = { text, len };

	return with_guests(model, strangers, &why);
}

/* Nothing to compare with: it must stay alive, and its accounts must add up. */
static int test_nonsense(const struct um_model *model, char *text, size_t len)
{
	const struct why why = { text, len };
	struct ur_exercise x;
	int ret = ur_exercise_nonsense(&x, 1, ODD_EVENTS) ? no_memory(&why)
							  : monotone(model, &x, &why);

	ur_exercise_free(&x);
	return ret;
}

#ifdef WITH_ASAN
int __lsan_do_recoverable_leak_check(void);

static int leaked(const struct why *why)
{
	return __lsan_do_recoverable_leak_check() ? fails(why, "LeakSanitizer found a leak") : 0;
}
#else
static size_t in_use(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

struct life {
	const struct um_model *model;
	const struct ur_exercise *x;
	const struct why *why;
	int ret;
};

static void *one_life(void *ctx)
{
	struct life *l = ctx;
	struct outcome out;

	l->ret = live(l->model, NULL, l->x, &out, l->why);
	free(out.own);
	return NULL;
}

/* In a thread: what the C library keeps back for the next allocation goes with it. */
static int live_apart(const struct um_model *model, const struct ur_exercise *x,
		      const struct why *why)
{
	struct life life = { model, x, why, -1 };
	pthread_t thread;

	if (pthread_create(&thread, NULL, one_life, &life))
		return no_memory(why);
	pthread_join(thread, NULL);
	return life.ret;
}
#endif

/* Memory in use must not grow from life to life; the first ones may set something up for good. */
static int check_leaks(const struct um_model *model, const struct ur_exercise *x,
		       const struct why *why)
{
#ifdef WITH_ASAN
	struct outcome out;
	int ret = live(model, NULL, x, &out, why);

	free(out.own);
	return ret ? ret : leaked(why);
#else
	size_t before = 0, after = 0;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		before = after;
		if (live_apart(model, x, why))
			return -1;
		after = in_use();
	}
	if (after <= before)
		return 0;
	return fails(why,
		     "each life of an instance leaves %zu bytes behind; what the hooks allocate "
		     "must be freed in page_zapping() and destroy()",
		     after - before);
#endif
}

static int test_leaks(const struct um_model *model, char *text, size_t len)
{
	const struct why why = { text, len };
	struct ur_exercise x;
	int ret = ur_exercise_guest(&x, 1, STEPS) ? no_memory(&why) : check_leaks(model, &x, &why);

	ur_exercise_free(&x);
	return ret;
}

const struct ur_conform_test *ur_conform_tests(void)
{
	static const struct ur_conform_test tests[] = {
		{ "tables", "name, hooks, options and counters are declared as they should be",
		  test_tables },
		{ "options",
		  "every option takes the values that it says, and no others, and is sound",
		  test_options },
		{ "determinism", "the same events twice, the same counts", test_determinism },
		{ "fresh", "an instance after others counts as the first one did", test_fresh },
		{ "blocks",
		  "counts do not depend on how events are cut into blocks, nor on other "
		  "instances",
		  test_blocks },
		{ "accounts", "counters never fall; what is out of sync is counted right",
		  test_monotone },
		{ "sound",
		  "no vCPU reaches what its TLB could not hold; tables in sync are as the guest's",
		  test_sound },
		{ "strangers", "unknown events, and those that concern no model, change nothing",
		  test_strangers },
		{ "nonsense", "events that no guest would cause do no harm", test_nonsense },
		{ "leaks", "all memory is given back", test_leaks },
		{ 0 }
	};

	return tests;
}
