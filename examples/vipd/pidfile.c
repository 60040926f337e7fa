/* SPDX-License-Identifier: MIT */
#include "pidfile.h"

#include <errno.h>
#include <stdbool.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

static int open_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
	struct stat st;

	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
		close(fd);
		fd = -1;
		errno = EEXIST; /* a device, a pipe */
	}
	if (fd < 0)
		log_warn("cannot write %s: %s. Name another pid file with -p, -r or -c", path,
			 strerror(errno));
	return fd < 0 ? -errno : fd;
}

/* It locks no file: without this both would hold the same addresses, and the one that ends would take them from the other. */
static bool is_keepalived(const char *pid)
{
	char link[64], program[256], *name;
	ssize_t n;

	if (!*pid || strspn(pid, "0123456789") != strlen(pid))
		return false;
	/* A container starts again with the old file and the old numbers, and this may be called keepalived there. */
	if (strtol(pid, NULL, 10) == getpid())
		return false;
	snprintf(link, sizeof(link), "/proc/%s/exe", pid);
	n = readlink(link, program, sizeof(program) - 1);
	program[n > 0 ? n : 0] = '\0';
	name = strrchr(program, '/');
	return name && !strncmp(name + 1, "keepalived", strlen("keepalived"));
}

int pidfile_lock(const char *path)
{
	int fd = open_file(path);
	char other[32] = "";
	bool locked;
	ssize_t n;

	if (fd < 0)
		return fd;
	locked = !flock(fd, LOCK_EX | LOCK_NB);
	n = pread(fd, other, sizeof(other) - 1, 0);
	other[n > 0 ? strcspn(other, "\n") : 0] = '\0';
	if (locked && !is_keepalived(other))
		return fd;
	if (locked)
		log_err("keepalived is running: process %s, by %s. Stop it first (systemctl stop "
			"keepalived), or name another file with -p",
			other, path);
	else
		log_err(
		    "already running: process %s holds %s. Stop it, or name another file with -p",
		    *other ? other : "?", path);
	close(fd);
	return -EEXIST;
}

void pidfile_write(const char *path, int fd, pid_t pid)
{
	bool own = fd < 0;
	char text[32];
	int len = snprintf(text, sizeof(text), "%d\n", (int)pid);

	if (own)
		fd = open_file(path);
	if (fd < 0)
		return;
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)len, 0) != len)
		log_warn("cannot write the pid file %s: %s. The daemon goes on without it", path,
			 strerror(errno));
	if (own)
		close(fd);
}

void pidfile_empty(const char *path)
{
	int fd = open_file(path);

	if (fd >= 0 && ftruncate(fd, 0) < 0)
		log_warn("cannot empty %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

void pidfile_remove(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return; /* not what we made */
	if (unlink(path) < 0)
		log_warn("cannot remove the pid file %s: %s", path, strerror(errno));
}
