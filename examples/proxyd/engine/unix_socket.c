/* SPDX-License-Identifier: MIT */
#include "unix_socket.h"

#include <errno.h>
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

/* What is no socket stays, and bind says that the name is taken. */
static void remove_socket(const char *path)
{
	struct stat s;

	if (*path && lstat(path, &s) == 0 && S_ISSOCK(s.st_mode))
		unlink(path);
}

int unix_listen(const struct cfg_addr *addr, const struct cfg_access *access, int backlog)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), e = 0;
	mode_t old = 0;

	if (fd < 0)
		return -errno;
	remove_socket(addr->unix_path.sun_path);
	if (access->mode >= 0) /* never open to more people than wanted, not even for a moment */
		old = umask(~(mode_t)access->mode & 0777);
	if (bind(fd, &addr->sa, addr->len) < 0)
		e = -errno;
	if (access->mode >= 0)
		umask(old);
	if (!e)
		e = unix_set_access(addr, access);
	if (!e && listen(fd, backlog) < 0)
		e = -errno;
	if (!e)
		return fd;
	close(fd);
	return e;
}
