// SPDX-License-Identifier: GPL-2.0-only
/* unsync record: virtual machines that run already. */
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/record.h"
#include "collector/running.h"
#include "plots/text.h"
#include "trace/utf8.h"

struct machines {
	struct running_vm *list;
	size_t n, room;
};

/* Names come from the command lines of others: they must not steer a terminal. */
static void make_plain(char *text)
{
	size_t n;

	for (char *p = text; *p; p += n) {
		n = ut_utf8_length(p, strlen(p));
		if (!n || (n == 1 && ((unsigned char)*p < 0x20 || *p == 0x7f)) ||
		    (n == 2 && (unsigned char)p[0] == 0xc2 && (unsigned char)p[1] < 0xa0)) {
			n = n ? n : 1;
			memset(p, '?', n);
		}
	}
}

static int add(void *arg, const struct running_vm *vm)
{
	struct machines *m = arg;
	struct running_vm *list;

	if (m->n == m->room) {
		list = realloc(m->list, (m->room * 2 + 16) * sizeof(*list));
		if (!list)
			return 1;
		m->list = list;
		m->room = m->room * 2 + 16;
	}
	m->list[m->n++] = *vm;
	return 0;
}

static int find_machines(struct machines *m, const struct host *host, struct ut_error *err)
{
	int ret = running_list(host, add, m, err);

	return ret > 0 ? ut_error_set(err, "out of memory") : ret;
}

/* ---- the table ---- */

/* Characters, as far as each takes one place. */
static int width(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static const char *name_of(struct running_vm *vm, char *text, size_t size)
{
	make_plain(vm->name);
	make_plain(vm->comm);
	snprintf(text, size, vm->name[0] ? "%s" : "(%s)", vm->name[0] ? vm->name : vm->comm);
	return text;
}

static void print_table(struct machines *m)
{
	char name[sizeof(m->list->name) + 4];
	int widest = 4;

	for (size_t i = 0; i < m->n; i++) {
		int w = width(name_of(&m->list[i], name, sizeof(name)));

		widest = w > widest ? w : widest;
	}
	printf("%-*s %9s %6s %9s %13s\n", widest, "NAME", "PID", "VCPUS", "PAGING", "SHADOW PAGES");
	for (size_t i = 0; i < m->n; i++) {
		const struct running_vm *vm = &m->list[i];

		name_of(&m->list[i], name, sizeof(name));
		printf("%s%*s %9d %6u %9s %13llu\n", name, widest - width(name), "", (int)vm->pid,
		       vm->vcpus, vm->paging, (unsigned long long)vm->shadow_pages);
	}
}

static void print_csv(struct machines *m)
{
	char name[sizeof(m->list->name) + 4];

	puts("name,pid,vcpus,paging,shadow_pages");
	for (size_t i = 0; i < m->n; i++) {
		const struct running_vm *vm = &m->list[i];

		pl_csv(stdout, name_of(&m->list[i], name, sizeof(name)));
		printf(",%d,%u,%s,%llu\n", (int)vm->pid, vm->vcpus, vm->paging,
		       (unsigned long long)vm->shadow_pages);
	}
}

static int print_json(struct machines *m)
{
	char name[sizeof(m->list->name) + 4];
	json_t *list = json_array();
	int ret = EXIT_OK;

	for (size_t i = 0; i < m->n; i++) {
		const struct running_vm *vm = &m->list[i];

		json_array_append_new(list, json_pack("{ss,si,si,ss,sI}", "name",
						      name_of(&m->list[i], name, sizeof(name)),
						      "pid", (int)vm->pid, "vcpus", (int)vm->vcpus,
						      "paging", vm->paging, "shadow_pages",
						      (json_int_t)vm->shadow_pages));
	}
	if (json_dumpf(list, stdout, JSON_INDENT(1)) || putchar('\n') == EOF)
		ret = cli_fail("the list could not be written");
	json_decref(list);
	return ret;
}

int targets_list(const struct host *host, enum cli_format format)
{
	struct machines m = { 0 };
	struct ut_error err;
	int status = EXIT_OK;

	if (find_machines(&m, host, &err))
		status = cli_fail("%s", err.text);
	else if (format == CLI_JSON)
		status = print_json(&m);
	else if (format == CLI_CSV)
		print_csv(&m);
	else if (!m.n)
		puts("no virtual machine runs");
	else
		print_table(&m);
	free(m.list);
	return status;
}

/* ---- finding ---- */

static int add_target(struct record_targets *t, const struct running_vm *vm, struct ut_error *err)
{
	if (!strcmp(vm->paging, "EPT") || !strcmp(vm->paging, "NPT"))
		return ut_error_set(
			err,
			"the virtual machine of process %d uses %s, so it has no shadow "
			"pages; load KVM's module with %s, then start it again",
			(int)vm->pid, vm->paging, strcmp(vm->paging, "EPT") ? "npt=0" : "ept=0");
	for (unsigned int i = 0; i < t->n; i++) {
		if (t->pids[i] == vm->pid)
			return 0;
	}
	t->fds[t->n] = (int)syscall(SYS_pidfd_open, vm->pid, 0);
	if (t->fds[t->n] < 0)
		return ut_error_set(err, "process %d: %s", (int)vm->pid, strerror(errno));
	t->pids[t->n++] = vm->pid;
	return 0;
}

static int find_pid(struct record_targets *t, const struct machines *m, pid_t pid,
		    struct ut_error *err)
{
	for (size_t i = 0; i < m->n; i++) {
		if (m->list[i].pid == pid)
			return add_target(t, &m->list[i], err);
	}
	return ut_error_set(err,
			    "process %d has no virtual machine; 'unsync record --list' shows "
			    "which do",
			    (int)pid);
}

/* "web (4711), db (4712)", as far as it fits; @wanted: only of that name. */
static void list_candidates(struct machines *m, const char *wanted, char *text, size_t size)
{
	char name[sizeof(m->list->name) + 4];
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; i < m->n && n < size; i++) {
		if (wanted && strcmp(m->list[i].name, wanted))
			continue;
		name_of(&m->list[i], name, sizeof(name));
		n += (size_t)snprintf(text + n, size - n, "%s%s (%d)", n ? ", " : "", name,
				      (int)m->list[i].pid);
	}
}

static int find_name(struct record_targets *t, struct machines *m, const char *name,
		     struct ut_error *err)
{
	const struct running_vm *found = NULL;
	char text[300], wanted[sizeof(found->name)];
	bool several = false;

	/* As much of it as is known of others. */
	snprintf(wanted, sizeof(wanted), "%s", name);
	for (size_t i = 0; i < m->n; i++) {
		if (strcmp(m->list[i].name, wanted))
			continue;
		several |= found && found->pid != m->list[i].pid;
		found = &m->list[i];
	}
	if (found && !several)
		return add_target(t, found, err);
	list_candidates(m, several ? wanted : NULL, text, sizeof(text));
	make_plain(wanted);
	if (several)
		return ut_error_set(err, "'%s' is ambiguous: %s; choose one with -p", wanted, text);
	if (!m->n)
		return ut_error_set(err, "no virtual machine is called '%s': none runs", wanted);
	return ut_error_set(err, "no virtual machine is called '%s'; there are: %s", wanted, text);
}

int targets_find(struct record_targets *t, const struct record_options *opt,
		 const struct host *host, struct ut_error *err)
{
	struct machines m = { 0 };
	int ret = 0;

	if (opt->n_pids || opt->n_names)
		ret = find_machines(&m, host, err);
	for (unsigned int i = 0; i < opt->n_pids && !ret; i++)
		ret = find_pid(t, &m, opt->pids[i], err);
	for (unsigned int i = 0; i < opt->n_names && !ret; i++)
		ret = find_name(t, &m, opt->names[i], err);
	free(m.list);
	return ret;
}

bool targets_ended(struct record_targets *t)
{
	struct pollfd end;
	unsigned int left = 0;

	for (unsigned int i = 0; i < t->n; i++) {
		if (t->fds[i] < 0)
			continue;
		end = (struct pollfd){ .fd = t->fds[i], .events = POLLIN };
		if (poll(&end, 1, 0) == 1) {
			close(t->fds[i]);
			t->fds[i] = -1;
		} else {
			left++;
		}
	}
	return t->n && !left;
}

void targets_close(struct record_targets *t)
{
	for (unsigned int i = 0; i < t->n; i++) {
		if (t->fds[i] >= 0)
			close(t->fds[i]);
	}
	t->n = 0;
}
