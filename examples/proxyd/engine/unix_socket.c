/* SPDX-License-Identifier: MIT */
#include "unix_socket.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

int unix_set_access(const struct cfg_addr *addr, const struct cfg_access *access)
{
	const char *path = addr->unix_path.sun_path;

	if (!*path)
		return 0;
	if (access->mode >= 0 && chmod(path, (mode_t)access->mode) < 0)
		return -errno;
	if ((access->uid >= 0 || access->gid >= 0) && chown(path, (uid_t)access->uid, (gid_t)access->gid) < 0)
		return -errno;
	return 0;
}

/* The name under which it is made, behind which nobody waits: PATH.PID. */
static int name_for_now(const struct cfg_addr *addr, struct cfg_addr *ret)
{
	char *path = ret->unix_path.sun_path;
	int n;

	*ret = *addr;
	n = snprintf(path, sizeof(ret->unix_path.sun_path), "%s.%d", addr->unix_path.sun_path, (int)getpid());
	if (n < 0 || (size_t)n >= sizeof(ret->unix_path.sun_path))
		return -ENAMETOOLONG;
	ret->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n + 1);
	unlink(path); /* left by a crash */
	return 0;
}

static int bind_to(int fd, const struct cfg_addr *addr, const struct cfg_access *access)
{
	mode_t old = 0;
	int e = 0;

	if (access->mode >= 0) /* never open to more people than wanted, not even for a moment */
		old = umask(~(mode_t)access->mode & 0777);
	if (bind(fd, &addr->sa, addr->len) < 0)
		e = -errno;
	if (access->mode >= 0)
		umask(old);
	return e ? e : unix_set_access(addr, access);
}

/* What is no socket stays. */
static int take_place(const char *from, const char *path)
{
	struct stat s;

	if (lstat(path, &s) == 0 && !S_ISSOCK(s.st_mode))
		return -EADDRINUSE;
	return rename(from, path) < 0 ? -errno : 0;
}

static int open_at(const struct cfg_addr *addr, const struct cfg_access *access, int type, int backlog)
{
	bool is_file = *addr->unix_path.sun_path;
	struct cfg_addr now = *addr;
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), e;

	if (fd < 0)
		return -errno;
	e = is_file ? name_for_now(addr, &now) : 0;
	if (!e) {
		e = bind_to(fd, &now, access);
		if (!e && type == SOCK_STREAM && listen(fd, backlog) < 0)
			e = -errno;
		if (!e && is_file)
			e = take_place(now.unix_path.sun_path, addr->unix_path.sun_path);
		if (e < 0 && is_file)
			unlink(now.unix_path.sun_path);
	}
	if (!e)
		return fd;
	close(fd);
	return e;
}

int unix_listen(const struct cfg_addr *addr, const struct cfg_access *access, int backlog)
{
	return open_at(addr, access, SOCK_STREAM, backlog);
}

int unix_receive(const struct cfg_addr *addr, const struct cfg_access *access)
{
	return open_at(addr, access, SOCK_DGRAM, 0);
}

struct kept_name {
	char text[sizeof(((struct sockaddr_un *)0)->sun_path) + 32];
};

static struct kept_name kept_name(const char *path)
{
	struct kept_name n;

	snprintf(n.text, sizeof(n.text), "%s.%d.kept", path, (int)getpid());
	return n;
}

void unix_remember(const char *path, struct unix_file *ret)
{
	struct stat s;

	*ret = lstat(path, &s) == 0 ? (struct unix_file){s.st_dev, s.st_ino} : (struct unix_file){0};
}

void unix_remove(const char *path, const struct unix_file *f)
{
	struct stat s;

	if (lstat(path, &s) < 0 || s.st_dev != f->dev || s.st_ino != f->ino)
		return;
	if (rename(kept_name(path).text, path) < 0)
		unlink(path);
}

void unix_keep(const char *path)
{
	const struct kept_name kept = kept_name(path);

	if (!*path) /* an abstract one is no file */
		return;
	unlink(kept.text); /* left by a crash */
	(void)!link(path, kept.text); /* usually there is none */
}

void unix_settle(const char *path)
{
	if (*path)
		unlink(kept_name(path).text);
}
