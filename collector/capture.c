// SPDX-License-Identifier: GPL-2.0-only
#include "collector/capture.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "unsync.skel.h"

#define SECOND 1000000000u
#define SETTLE_MS 100 /* in which a vCPU that runs enters its guest */
#define REST_MS 2     /* between passes that get nowhere for want of rest */
#define REST_TRIES 500

struct hook_state {
	struct bpf_program *program;
	struct bpf_link *link;
	const char *missing; /* why it is not in use; NULL: it is */
	uint64_t misses;     /* told so far */
};

struct capture {
	struct capture_options opt;
	const struct host *host;
	struct unsync_bpf *skel;
	struct ring_buffer *ring;
	struct hook_state *hooks; /* as many as collector_hooks */
	int last_pass;		  /* made while that is permitted; -1: there is none */
	bool refused;		  /* record() returned -1 */
	size_t taken;		  /* bytes of records in this capture_poll() */
};

static bool libbpf_talks;

/* The kernel's own words on the last failure, for the one line that the user gets. */
static char libbpf_said[160];

static __attribute__((format(printf, 2, 0))) int hear_libbpf(enum libbpf_print_level level,
							     const char *fmt, va_list ap)
{
	char line[1024];

	if (level == LIBBPF_DEBUG && !libbpf_talks)
		return 0;
	vsnprintf(line, sizeof(line), fmt, ap);
	if (level == LIBBPF_WARN && !libbpf_said[0])
		snprintf(libbpf_said, sizeof(libbpf_said), "%.150s", line);
	return libbpf_talks ? fputs(line, stderr) : 0;
}

/* ---- loading ---- */

static uint64_t ring_size(uint64_t wanted)
{
	uint64_t size = (uint64_t)sysconf(_SC_PAGESIZE);

	while (size < wanted && size < 1ull << 31)
		size *= 2;
	return size;
}

static void configure(struct capture *c)
{
	const struct role_layout *role = &c->host->role;
	uint64_t size = c->opt.ring_bytes;
	struct unsync_bpf__rodata *ro = c->skel->rodata;

	bpf_map__set_max_entries(c->skel->maps.ring, (uint32_t)size);
	ro->wake_bytes = size / 4 < 1 << 20 ? size / 4 : 1 << 20;
	ro->exact = c->opt.exact;
	if (c->opt.max_rate)
		ro->rate_interval = SECOND / c->opt.max_rate;
	else
		bpf_map__set_max_entries(c->skel->maps.rates, 1);
	c->skel->bss->phase = c->opt.attached ? PHASE_READING : PHASE_RUNNING;
	c->skel->bss->watched = c->opt.attached;
	c->skel->bss->ring_room = size / 4;
	ro->role_direct = role_mask(role->direct);
	ro->role_passthrough = role_mask(role->passthrough);
	ro->role_invalid = role_mask(role->invalid);
	ro->role_smm = role_mask(role->smm);
	ro->ret_fixed = c->host->ret_fixed;
	ro->ret_spurious = c->host->ret_spurious;
	ro->exit_pointer = c->host->exit_pointer;
	ro->exit_offset = c->host->exit_offset;
	ro->exit_stays = c->host->exit_stays;
	ro->exit_fault = c->host->exit_fault;
}

static bool is_function(const struct hook *hook)
{
	return hook->type == HOOK_FENTRY || hook->type == HOOK_FEXIT;
}

/*
 * A kernel refuses either all programs or none, so some are left out if need be: first those that
 * know how the host's walker looks inside, then all that hook functions.
 */
enum load_stage { LOAD_ALL, LOAD_NO_WALKERS, LOAD_NO_FUNCTIONS, LOAD_STAGES };

static bool is_left_out(const struct hook *hook, enum load_stage stage)
{
	return is_function(hook) &&
	       (stage == LOAD_NO_FUNCTIONS ||
		(stage == LOAD_NO_WALKERS && !strncmp(hook->program, "walk", 4)));
}

static size_t hook_index(const char *program)
{
	size_t i = 0;

	while (i < collector_n_hooks && strcmp(collector_hooks[i].program, program))
		i++;
	return i;
}

static int try_load(struct capture *c, enum load_stage stage)
{
	c->skel = unsync_bpf__open();
	if (!c->skel)
		return -errno;
	configure(c);
	for (size_t i = 0; i < collector_n_hooks; i++) {
		const struct hook *hook = &collector_hooks[i];
		struct hook_state *s = &c->hooks[i];

		s->program = bpf_object__find_program_by_name(c->skel->obj, hook->program);
		s->missing = NULL;
		if (!s->program)
			s->missing = "not built in";
		else if (!host_has_hook(c->host, hook))
			s->missing = "this kernel has none that fits";
		else if (is_left_out(hook, stage))
			s->missing = "this kernel refuses programs on functions";
		else
			bpf_program__set_autoload(s->program, true);
	}
	/* Else registers must be looked at after every exit. */
	if (c->hooks[hook_index("mmu_load")].missing)
		c->skel->rodata->exit_fault = -1;
	return unsync_bpf__load(c->skel);
}

static int load(struct capture *c, struct ut_error *err)
{
	int r = -EINVAL;

	for (enum load_stage stage = LOAD_ALL; stage < LOAD_STAGES; stage++) {
		unsync_bpf__destroy(c->skel);
		c->skel = NULL;
		r = try_load(c, stage);
		if (!r)
			return 0;
	}
	if (r == -EPERM)
		return ut_error_set(err, "the kernel does not permit BPF programs; run as root");
	libbpf_said[strcspn(libbpf_said, "\n")] = '\0';
	return ut_error_set(err,
			    "the kernel refuses the collector's BPF programs (%s); "
			    "'unsync doctor -v' shows why",
			    libbpf_said);
}

/* ---- attaching ---- */

/*
 * Levels may be lowered after they were decided upon only where huge pages are split. And KVM, too,
 * goes through the end of an INVPCID for other reasons, often.
 */
static bool is_wanted(const struct capture *c, const struct hook *hook)
{
	const char *why;
	size_t first;

	if (!strcmp(hook->program, "try_unsync"))
		return c->opt.exact;
	if (!strcmp(hook->program, "emulate_insn"))
		return !c->host->counts_emulations;
	if (hook->kind == UT_INVPCID && c->host->no_invpcid)
		return false;
	if (!hook->fallback_of)
		return true;
	first = hook_index(hook->fallback_of);
	if (first == collector_n_hooks)
		return true;
	why = c->hooks[first].missing;
	if (!why)
		return !strcmp(hook->program, "set_spte") && c->host->nx_huge_pages;
	/* One that is not wanted itself is made up for already. */
	return why[0];
}

static void attach(struct capture *c, size_t i)
{
	const struct hook *hook = &collector_hooks[i];
	struct hook_state *s = &c->hooks[i];

	if (s->missing)
		return;
	if (!is_wanted(c, hook)) {
		s->missing = "";
		return;
	}
	s->link = bpf_program__attach(s->program);
	if (s->link)
		return;
	if (hook->type == HOOK_TP)
		s->missing = "cannot be attached; is tracefs mounted and readable?";
	else
		s->missing = "cannot be attached";
}

const char *capture_missing(const struct capture *c, size_t i)
{
	const char *why = c->hooks[i].missing;

	if (!why || !why[0])
		return NULL;
	/* What a fallback of this one makes up for is not missing. */
	for (size_t k = 0; k < collector_n_hooks; k++) {
		if (collector_hooks[k].fallback_of && !c->hooks[k].missing &&
		    !strcmp(collector_hooks[k].fallback_of, collector_hooks[i].program))
			return NULL;
	}
	if (collector_hooks[i].fallback_of) {
		size_t first = hook_index(collector_hooks[i].fallback_of);

		if (first < collector_n_hooks && !c->hooks[first].missing)
			return NULL;
	}
	return why;
}

static int check_needed(const struct capture *c, struct ut_error *err)
{
	enum hook_need least = c->opt.exact ? NEED_EXACT : NEED_ALWAYS;
	char name[HOST_TEXT];

	for (size_t i = 0; i < collector_n_hooks; i++) {
		const struct hook *hook = &collector_hooks[i];

		if (hook->need >= least && capture_missing(c, i))
			return ut_error_set(err, "%s: %s; without it a trace would lack %s",
					    host_hook_name(hook, name), capture_missing(c, i),
					    hook->without);
	}
	return 0;
}

/* A ring full of records is enough at a time: guests may be faster for as long as they run. */
static int take(void *arg, void *data, size_t size)
{
	struct capture *c = arg;

	if (c->opt.record(c->opt.arg, data, size)) {
		c->refused = true;
		return -1;
	}
	c->taken += size;
	return c->taken < c->opt.ring_bytes ? 0 : -EAGAIN;
}

/* Goes once through all open files of the host. */
static int run_pass(int fd, struct ut_error *err)
{
	char text[64];
	ssize_t n;

	do
		n = read(fd, text, sizeof(text));
	while (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)));
	if (n < 0)
		return ut_error_set(err, "cannot go through the open files of all processes: %s",
				    strerror(errno));
	return 0;
}

static int open_pass(const struct capture *c)
{
	size_t i = hook_index("read_running");

	if (i == collector_n_hooks || !c->hooks[i].link)
		return -1;
	return bpf_iter_create(bpf_link__fd(c->hooks[i].link));
}

int capture_check_host(const struct host *host, struct ut_error *err)
{
	if (!host->has_kvm)
		return ut_error_set(err, "KVM is not there; load kvm_amd or kvm_intel");
	if (!host->has_btf)
		return ut_error_set(err,
				    "the kernel has no type information (/sys/kernel/btf/vmlinux); "
				    "use a kernel with CONFIG_DEBUG_INFO_BTF");
	if (!host->kvm_has_btf)
		return ut_error_set(err,
				    "the types of KVM cannot be read; load kvm, run as root, and "
				    "use a kernel with CONFIG_DEBUG_INFO_BTF_MODULES");
	if (!host->has_role || !host->known_memslots)
		return ut_error_set(err,
				    "this kernel's KVM keeps its shadow pages in a way that is not "
				    "understood; Linux 5.17 or later is needed");
	return 0;
}

struct capture *capture_start(const struct host *host, const struct capture_options *options,
			      struct ut_error *err)
{
	struct capture *c;

	if (capture_check_host(host, err))
		return NULL;
	c = calloc(1, sizeof(*c));
	if (c)
		c->hooks = calloc(collector_n_hooks, sizeof(*c->hooks));
	if (!c || !c->hooks) {
		ut_error_set(err, "out of memory");
		free(c);
		return NULL;
	}
	c->opt = *options;
	c->opt.ring_bytes = ring_size(options->ring_bytes);
	c->host = host;
	c->last_pass = -1;
	libbpf_talks = options->verbose;
	libbpf_said[0] = '\0';
	libbpf_set_print(hear_libbpf);
	if (load(c, err))
		goto fail;
	for (size_t i = 0; i < collector_n_hooks; i++)
		attach(c, i);
	if (check_needed(c, err))
		goto fail;
	c->ring = ring_buffer__new(bpf_map__fd(c->skel->maps.ring), take, c, NULL);
	if (!c->ring) {
		ut_error_set(err, "cannot map the ring of %llu bytes: %s; ask for a smaller one",
			     (unsigned long long)c->opt.ring_bytes, strerror(errno));
		goto fail;
	}
	c->last_pass = open_pass(c);
	return c;
fail:
	capture_free(c);
	return NULL;
}

int capture_add_target(struct capture *c, pid_t pid, struct ut_error *err)
{
	uint32_t tgid = (uint32_t)pid;
	uint8_t yes = 1;

	if (bpf_map__update_elem(c->skel->maps.targets, &tgid, sizeof(tgid), &yes, sizeof(yes),
				 BPF_ANY))
		return ut_error_set(err, "cannot record process %d: %s", (int)pid, strerror(errno));
	return 0;
}

int capture_add_all(struct capture *c, struct ut_error *err)
{
	(void)err;
	c->skel->bss->every_vm = true;
	return 0;
}

/*
 * The ring is emptied between passes, so a pass needs no more room than a quarter of it. One that
 * gets nowhere with an empty ring never will; one that gets nowhere because the guest keeps changing
 * what it reads, or a thread that holds KVM's lock waits for a CPU, may after a moment.
 */
static bool is_hopeless(const struct unsync_bpf__bss *bss, unsigned int *waits)
{
	const struct timespec moment = { .tv_nsec = REST_MS * 1000000L };

	if (!bss->unfinished || bss->progress) {
		*waits = 0;
		return false;
	}
	if (!bss->restless || ++*waits > REST_TRIES)
		return true;
	nanosleep(&moment, NULL);
	return false;
}

int capture_read_running(struct capture *c, struct ut_error *err)
{
	struct unsync_bpf__bss *bss = c->skel->bss;
	unsigned int waits = 0;
	int fd, r;

	bss->watched = true;
	bss->phase = PHASE_READING;
	do {
		bss->unfinished = bss->restless = false;
		bss->progress = 0;
		fd = open_pass(c);
		if (fd < 0)
			return ut_error_set(err, "this kernel does not let VMs that run already be "
						 "read; 'unsync doctor' says why");
		r = run_pass(fd, err);
		close(fd);
		if (r || capture_poll(c, 0, err))
			return -1;
		bss->give_up = is_hopeless(bss, &waits);
	} while (bss->unfinished);
	bss->watched = false;
	bss->phase = PHASE_RUNNING;
	return (int)bss->vms_read;
}

/* vCPUs that run tell their counters as they enter their guests, the others are read. */
int capture_read_stats(struct capture *c, struct ut_error *err)
{
	struct unsync_bpf__bss *bss = c->skel->bss;
	int r;

	if (c->last_pass < 0)
		return 0;
	bss->watched = true;
	bss->phase = PHASE_ENDING;
	if (capture_poll(c, SETTLE_MS, err))
		return -1;
	r = run_pass(c->last_pass, err);
	bss->watched = false;
	return r ? r : capture_poll(c, 0, err);
}

/* ---- running ---- */

/* The ring wakes nobody for a few records, so it is looked into after every wait. */
int capture_poll(struct capture *c, int timeout_ms, struct ut_error *err)
{
	int r;

	c->taken = 0;
	r = ring_buffer__poll(c->ring, timeout_ms);
	if (r >= 0 && !c->refused)
		r = ring_buffer__consume(c->ring);
	if (c->refused)
		return -1;
	if (r < 0 && r != -EINTR && r != -EAGAIN)
		return ut_error_set(err, "cannot read the ring: %s", strerror(-r));
	return 0;
}

int capture_fd(const struct capture *c)
{
	return ring_buffer__epoll_fd(c->ring);
}

static void detach(struct capture *c)
{
	for (size_t i = 0; c->hooks && i < collector_n_hooks; i++) {
		bpf_link__destroy(c->hooks[i].link);
		c->hooks[i].link = NULL;
	}
}

int capture_stop(struct capture *c, struct ut_error *err)
{
	c->skel->bss->stopped = true;
	detach(c);
	return capture_poll(c, 0, err);
}

static struct bpf_prog_info program_info(const struct capture *c, size_t i)
{
	struct bpf_prog_info info = {};
	uint32_t len = sizeof(info);

	if (c->hooks[i].missing ||
	    bpf_obj_get_info_by_fd(bpf_program__fd(c->hooks[i].program), &info, &len))
		memset(&info, 0, sizeof(info));
	return info;
}

uint64_t capture_run_ns(const struct capture *c)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < collector_n_hooks; i++)
		sum += program_info(c, i).run_time_ns;
	return sum;
}

/* Times that a program did not run because on that CPU it was running already. */
static int tell_misses(struct capture *c, int (*lost)(void *, unsigned int, unsigned int, uint64_t),
		       void *arg)
{
	for (size_t i = 0; i < collector_n_hooks; i++) {
		uint64_t now = program_info(c, i).recursion_misses, before = c->hooks[i].misses;

		if (now <= before)
			continue;
		c->hooks[i].misses = now;
		if (lost(arg, UT_LOST_RECURSION, collector_hooks[i].kind, now - before))
			return -1;
	}
	return 0;
}

bool capture_readable(const struct capture *c)
{
	uint32_t slot = 0;
	struct rate rate;

	return !bpf_map_lookup_elem(bpf_map__fd(c->skel->maps.rates), &slot, &rate);
}

static int tell_pending(const struct losses *losses, unsigned int cause,
			int (*lost)(void *, unsigned int, unsigned int, uint64_t), void *arg)
{
	for (unsigned int kind = 0; kind < REC_KINDS; kind++) {
		if (losses->counts[kind] && lost(arg, cause, kind, losses->counts[kind]))
			return -1;
	}
	return 0;
}

static int tell_dropped(const struct capture *c,
			int (*lost)(void *, unsigned int, unsigned int, uint64_t), void *arg)
{
	uint32_t n = bpf_map__max_entries(c->skel->maps.rates);
	struct rate rate;

	for (uint32_t i = 0; i < n; i++) {
		if (!bpf_map_lookup_elem(bpf_map__fd(c->skel->maps.rates), &i, &rate) &&
		    tell_pending(&rate.dropped, UT_LOST_RATE, lost, arg))
			return -1;
	}
	return 0;
}

int capture_losses(struct capture *c, bool final,
		   int (*lost)(void *arg, unsigned int cause, unsigned int kind, uint64_t count),
		   void *arg)
{
	const struct unsync_bpf__bss *bss = c->skel->bss;

	if (tell_misses(c, lost, arg))
		return -1;
	if (!final)
		return 0;
	if (tell_pending(&bss->full, UT_LOST_RING_FULL, lost, arg) ||
	    tell_pending(&bss->astray, UT_LOST_NO_CONTEXT, lost, arg) ||
	    tell_pending(&bss->unread, UT_LOST_UNREADABLE, lost, arg))
		return -1;
	return tell_dropped(c, lost, arg);
}

/* All elements at once: there are many, and nearly all of them are unused. */
static int near_exits(struct capture *c,
		      int (*add)(void *arg, const struct exit_key *key, const struct exit_sum *sum),
		      void *arg)
{
	const struct bpf_map *map = c->skel->maps.near_exits;
	uint32_t n = bpf_map__max_entries(map), batch;
	struct exit_entry *entries = calloc(n, sizeof(*entries));
	uint32_t *keys = calloc(n, sizeof(*keys));
	int r = 0;

	/* What ends the loop is that there are no more, which is reported as an error. */
	if (!entries || !keys ||
	    (bpf_map_lookup_batch(bpf_map__fd(map), NULL, &batch, keys, entries, &n, NULL) &&
	     errno != ENOENT))
		n = 0;
	for (uint32_t i = 0; i < n && !r; i++) {
		if (entries[i].sum.count)
			r = add(arg, &entries[i].key, &entries[i].sum);
	}
	free(entries);
	free(keys);
	return r;
}

int capture_exits(struct capture *c,
		  int (*add)(void *arg, const struct exit_key *key, const struct exit_sum *sum),
		  void *arg)
{
	int cpus = libbpf_num_possible_cpus(), fd = bpf_map__fd(c->skel->maps.exits), r = 0;
	struct exit_key key, *previous = NULL;
	struct exit_sum *values, sum;

	if (cpus <= 0)
		return 0;
	values = calloc((size_t)cpus, sizeof(*values));
	if (!values)
		return 0;
	r = near_exits(c, add, arg);
	while (!r && !bpf_map_get_next_key(fd, previous, &key)) {
		previous = &key;
		if (bpf_map_lookup_elem(fd, &key, values))
			continue;
		sum = (struct exit_sum){ 0 };
		for (int i = 0; i < cpus; i++) {
			sum.count += values[i].count;
			sum.ns += values[i].ns;
		}
		r = add(arg, &key, &sum);
	}
	free(values);
	return r;
}

void capture_free(struct capture *c)
{
	if (!c)
		return;
	detach(c);
	if (c->last_pass >= 0)
		close(c->last_pass);
	ring_buffer__free(c->ring);
	unsync_bpf__destroy(c->skel);
	free(c->hooks);
	free(c);
}
