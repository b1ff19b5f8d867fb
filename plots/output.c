// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "plots/output.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIST "files.txt"

__attribute__((format(printf, 1, 2))) static char *format(const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		s = NULL;
	va_end(ap);
	return s;
}

static void release(struct pl_output *out)
{
	free(out->dir);
	free(out->temp);
	free(out->charts);
	*out = (struct pl_output){ 0 };
}

static bool is_dot(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

static bool empty(const char *dir)
{
	DIR *d = opendir(dir);
	const struct dirent *e;
	bool found = false;

	if (!d)
		return false;
	while (!found && (e = readdir(d)))
		found = !is_dot(e->d_name);
	closedir(d);
	return !found;
}

static bool earlier_output(const char *dir)
{
	char *path = format("%s/index.html", dir), head[1024];
	FILE *f = path ? fopen(path, "re") : NULL;

	free(path);
	if (!f)
		return false;
	head[fread(head, 1, sizeof(head) - 1, f)] = '\0';
	fclose(f);
	return strstr(head, PL_GENERATOR) != NULL;
}

/* mkdtemp() makes folders that only their owner can read. */
static int ordinary_mode(const char *dir)
{
	mode_t mask = umask(0);

	umask(mask);
	return chmod(dir, 0777 & ~mask);
}

static int look_at_target(struct pl_output *out, bool force, char *error, size_t error_len)
{
	struct stat st;

	if (stat(out->dir, &st)) {
		if (errno == ENOENT)
			return 0;
		snprintf(error, error_len, "%s: %s", out->dir, strerror(errno));
		return -1;
	}
	if (!S_ISDIR(st.st_mode)) {
		snprintf(error, error_len, "%s: is not a folder; give another one with -o",
			 out->dir);
		return -1;
	}
	out->existed = true;
	if (!force && !empty(out->dir) && !earlier_output(out->dir)) {
		snprintf(error, error_len,
			 "%s: holds other files than an earlier report; give another folder, or -f "
			 "to "
			 "write into this one",
			 out->dir);
		return -1;
	}
	return 0;
}

int pl_output_begin(struct pl_output *out, const char *dir, bool force, char *error,
		    size_t error_len)
{
	size_t len = strlen(dir);

	*out = (struct pl_output){ 0 };
	while (len > 1 && dir[len - 1] == '/')
		len--;
	out->dir = format("%.*s", (int)len, dir);
	if (!out->dir)
		goto no_memory;
	if (look_at_target(out, force, error, error_len))
		goto fail;
	out->temp = format(out->existed ? "%s/.unsync-XXXXXX" : "%s.XXXXXX", out->dir);
	if (!out->temp)
		goto no_memory;
	if (!mkdtemp(out->temp)) {
		snprintf(error, error_len, "%s: cannot write there: %s", out->dir, strerror(errno));
		goto fail;
	}
	out->charts = format("%s/charts", out->temp);
	if (!out->charts || mkdir(out->charts, 0777) || ordinary_mode(out->temp)) {
		snprintf(error, error_len, "%s: %s", out->temp, strerror(errno));
		pl_output_abort(out);
		return -1;
	}
	return 0;
no_memory:
	snprintf(error, error_len, "%s: out of memory", dir);
fail:
	release(out);
	return -1;
}

FILE *pl_output_open(const struct pl_output *out, const char *sub, const char *name)
{
	char *path = format("%s/%s%s%s", out->temp, sub, *sub ? "/" : "", name);
	FILE *f = path ? fopen(path, "we") : NULL;

	free(path);
	return f;
}

/* Removes the files of a folder, and the folder. No folders below: those are not made here. */
static void remove_flat(const char *dir)
{
	DIR *d = opendir(dir);
	const struct dirent *e;

	while (d && (e = readdir(d))) {
		if (!is_dot(e->d_name))
			unlinkat(dirfd(d), e->d_name, 0);
	}
	if (d)
		closedir(d);
	rmdir(dir);
}

void pl_output_abort(struct pl_output *out)
{
	if (out->charts)
		remove_flat(out->charts);
	if (out->temp)
		remove_flat(out->temp);
	release(out);
}

/* files.txt is a file like any other: a name in it must be that of a file in this folder. */
static bool plain_name(const char *name)
{
	return name[0] && name[0] != '.' && !strchr(name, '/');
}

/* Of the earlier output's charts, those that the new one does not have. */
static void remove_stale(const char *charts, FILE *old_list)
{
	char *line = NULL;
	size_t cap = 0;
	DIR *d = opendir(charts);
	char *list = format("%s/" LIST, charts);
	FILE *f = list ? fopen(list, "re") : NULL;
	char *now = NULL;
	size_t now_len = 0;

	if (f && getdelim(&now, &now_len, '\0', f) < 0) {
		free(now);
		now = NULL;
	}
	while (d && now && old_list && getline(&line, &cap, old_list) > 0) {
		char *there;

		line[strcspn(line, "\n")] = '\0';
		if (!plain_name(line))
			continue;
		/* Every name stands in a line of its own. */
		there = now;
		while ((there = strstr(there, line))) {
			if ((there == now || there[-1] == '\n') && there[strlen(line)] == '\n')
				break;
			there++;
		}
		if (!there)
			unlinkat(dirfd(d), line, 0);
	}
	free(now);
	free(line);
	free(list);
	if (f)
		fclose(f);
	if (d)
		closedir(d);
}

static int write_list(const struct pl_output *out)
{
	DIR *d = opendir(out->charts);
	FILE *f = d ? pl_output_open(out, "charts", LIST) : NULL;
	const struct dirent *e;
	int ret = -1;

	while (f && (e = readdir(d))) {
		if (!is_dot(e->d_name))
			fprintf(f, "%s\n", e->d_name);
	}
	if (f) {
		ret = ferror(f) ? -1 : 0;
		if (fclose(f))
			ret = -1;
	}
	if (d)
		closedir(d);
	return ret;
}

static int move_into(const char *from, const char *to)
{
	DIR *source = opendir(from), *target = opendir(to);
	const struct dirent *e;
	int ret = source && target ? 0 : -1;

	while (!ret && (e = readdir(source))) {
		if (!is_dot(e->d_name) &&
		    renameat(dirfd(source), e->d_name, dirfd(target), e->d_name))
			ret = -1;
	}
	if (source)
		closedir(source);
	if (target)
		closedir(target);
	return ret;
}

static int move_over(const struct pl_output *out)
{
	char *charts = format("%s/charts", out->dir), *list = format("%s/charts/" LIST, out->dir);
	char *page = format("%s/index.html", out->temp),
	     *target = format("%s/index.html", out->dir);
	FILE *old_list = NULL;
	int ret = -1;

	if (charts && list && page && target && (!mkdir(charts, 0777) || errno == EEXIST)) {
		old_list = fopen(list, "re"); /* stays readable when the new one takes its name */
		if (!move_into(out->charts, charts) && !rename(page, target)) {
			remove_stale(charts, old_list);
			ret = 0;
		}
	}
	if (old_list)
		fclose(old_list);
	free(charts);
	free(list);
	free(page);
	free(target);
	return ret;
}

int pl_output_publish(struct pl_output *out, char *error, size_t error_len)
{
	int ret = write_list(out);

	if (!ret)
		ret = out->existed ? move_over(out) : rename(out->temp, out->dir);
	if (ret)
		snprintf(error, error_len, "%s: %s", out->dir, strerror(errno));
	if (ret || out->existed)
		pl_output_abort(out); /* what is left of the temporary folder */
	else
		release(out);
	return ret;
}
