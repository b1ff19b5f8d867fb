// SPDX-License-Identifier: GPL-2.0-only
#include "collector/control.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "trace/utf8.h"

#define FOLDER "/run/unsync"
#define PREFIX "record."
#define ANSWER_MS 10000

/* ---- texts ---- */

/* Those above 127, too: some terminals obey them. */
static bool is_control(const char *text, size_t n)
{
	const unsigned char *p = (const unsigned char *)text;

	return n == 1 ? *p < 0x20 || *p == 0x7f : n == 2 && p[0] == 0xc2 && p[1] < 0xa0;
}

const char *control_check_mark(const char *text, size_t len)
{
	static const char rule[] =
		"a mark is a text of 1 to 4096 bytes of UTF-8, without control characters";
	size_t n;

	if (!len || len > CONTROL_MARK_BYTES)
		return rule;
	for (; len; text += n, len -= n) {
		n = ut_utf8_length(text, len);
		if (!n || is_control(text, n))
			return rule;
	}
	return NULL;
}

/* ---- sockets ---- */

static struct sockaddr_un address(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	return a;
}

/* A socket with a name that the kernel chose, so that it can be answered. */
static int connect_to(const char *path)
{
	struct sockaddr_un to = address(path), from = { .sun_family = AF_UNIX };
	const struct timeval patience = { .tv_sec = ANSWER_MS / 1000 };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), e;

	if (fd < 0)
		return -1;
	/* One that is stopped takes no more marks than its queue holds. */
	if (!bind(fd, (struct sockaddr *)&from, sizeof(from.sun_family)) &&
	    !setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) &&
	    !connect(fd, (struct sockaddr *)&to, sizeof(to)))
		return fd;
	e = errno;
	close(fd);
	errno = e;
	return -1;
}

/* One that nobody listens to was left by a recorder that was killed. */
static void remove_stale(const char *path)
{
	int fd = connect_to(path);

	if (fd >= 0)
		close(fd);
	else if (errno == ECONNREFUSED)
		unlink(path);
}

/* The process id in the name of a socket; 0 if it is none. */
static pid_t socket_pid(const char *name)
{
	char *end;
	long pid;

	if (strncmp(name, PREFIX, sizeof(PREFIX) - 1))
		return 0;
	pid = strtol(name + sizeof(PREFIX) - 1, &end, 10);
	return *end || pid <= 0 || pid > 1 << 22 ? 0 : (pid_t)pid;
}

static void socket_path(char *path, size_t size, pid_t pid)
{
	snprintf(path, size, FOLDER "/" PREFIX "%d", (int)pid);
}

/* ---- the recorder's side ---- */

static int make_folder(struct ut_error *err)
{
	struct stat st;

	if (mkdir(FOLDER, 0700) && errno != EEXIST)
		return ut_error_set(err, FOLDER ": %s", strerror(errno));
	if (lstat(FOLDER, &st))
		return ut_error_set(err, FOLDER ": %s", strerror(errno));
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || st.st_mode & 022)
		return ut_error_set(err, FOLDER ": not a folder that only root can write to; "
						"remove it");
	return 0;
}

static void clean_folder(void)
{
	DIR *dir = opendir(FOLDER);
	const struct dirent *entry;
	char path[64];

	while (dir && (entry = readdir(dir))) {
		if (!socket_pid(entry->d_name))
			continue;
		socket_path(path, sizeof(path), socket_pid(entry->d_name));
		remove_stale(path);
	}
	if (dir)
		closedir(dir);
}

int control_open(struct control *c, struct ut_error *err)
{
	struct sockaddr_un a;
	mode_t mask;
	int failed;

	c->fd = -1;
	c->path[0] = '\0';
	if (make_folder(err))
		return -1;
	clean_folder();
	socket_path(c->path, sizeof(c->path), getpid());
	a = address(c->path);
	c->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mask = umask(0177);
	failed = c->fd < 0 || bind(c->fd, (struct sockaddr *)&a, sizeof(a));
	umask(mask);
	if (!failed)
		return 0;
	ut_error_set(err, "%s: %s", c->path, strerror(errno));
	c->path[0] = '\0';
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	return -1;
}

void control_serve(const struct control *c,
		   int (*mark)(void *arg, const char *text, size_t len, struct ut_error *err),
		   void *arg)
{
	char text[CONTROL_MARK_BYTES + 1]; /* one more: a longer one must show */
	struct sockaddr_un from;
	struct ut_error err;
	const char *wrong;
	socklen_t size;
	ssize_t n;

	while (c->fd >= 0) {
		size = sizeof(from);
		n = recvfrom(c->fd, text, sizeof(text), 0, (struct sockaddr *)&from, &size);
		if (n < 0)
			return;
		wrong = control_check_mark(text, (size_t)n);
		if (!wrong && mark(arg, text, (size_t)n, &err))
			wrong = err.text;
		if (size > sizeof(from.sun_family))
			sendto(c->fd, wrong ? wrong : "", wrong ? strlen(wrong) : 0, MSG_DONTWAIT,
			       (struct sockaddr *)&from, size);
	}
}

/* ---- the other side ---- */

/* Returns 1 if the mark is in, 0 if there is no such recorder, -1 on failure. */
static int send_one(pid_t pid, const char *text, size_t len, struct ut_error *err)
{
	struct pollfd ready = { .events = POLLIN };
	char path[64], answer[sizeof(err->text)];
	ssize_t n = -1;

	socket_path(path, sizeof(path), pid);
	ready.fd = connect_to(path);
	if (ready.fd < 0) {
		if (errno == ECONNREFUSED)
			unlink(path);
		if (errno == ECONNREFUSED || errno == ENOENT)
			return 0;
		return ut_error_set(err, "%s: %s%s", path, strerror(errno),
				    errno == EACCES ? "; run as root" : "");
	}
	if (send(ready.fd, text, len, MSG_NOSIGNAL) == (ssize_t)len &&
	    poll(&ready, 1, ANSWER_MS) == 1)
		n = recv(ready.fd, answer, sizeof(answer) - 1, 0);
	close(ready.fd);
	if (n < 0)
		return ut_error_set(err, "the capture of process %d does not answer", (int)pid);
	answer[n] = '\0';
	return n ? ut_error_set(err, "the capture of process %d: %s", (int)pid, answer) : 1;
}

static int send_all(const char *text, size_t len, struct ut_error *err)
{
	DIR *dir = opendir(FOLDER);
	const struct dirent *entry;
	struct ut_error ignored;
	bool failed = false;
	int got = 0, ret;

	if (!dir && errno == ENOENT)
		return 0;
	if (!dir)
		return ut_error_set(err, FOLDER ": %s%s", strerror(errno),
				    errno == EACCES ? "; run as root" : "");
	while ((entry = readdir(dir))) {
		if (!socket_pid(entry->d_name))
			continue;
		ret = send_one(socket_pid(entry->d_name), text, len, failed ? &ignored : err);
		got += ret > 0;
		failed |= ret < 0;
	}
	closedir(dir);
	return failed ? -1 : got;
}

int control_send(pid_t pid, const char *text, size_t len, struct ut_error *err)
{
	return pid ? send_one(pid, text, len, err) : send_all(text, len, err);
}
