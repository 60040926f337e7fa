/* SPDX-License-Identifier: MIT */
#include "listen_unix.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* A socket that a crash left behind: nobody answers there. Anything else stays. */
static bool is_stale(const struct sockaddr_un *at)
{
	struct stat st;
	bool stale;
	int fd;

	if (lstat(at->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	stale = fd >= 0 && connect(fd, (const void *)at, sizeof(*at)) < 0 && errno == ECONNREFUSED;
	if (fd >= 0)
		close(fd);
	return stale;
}

/* bind follows no link, and the mask makes it its owner's from the first moment. */
static int listen_at(const struct sockaddr_un *at, int backlog)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t mask;
	int r;

	if (fd < 0)
		return -errno;
	mask = umask(0177);
	r = bind(fd, (const void *)at, sizeof(*at)) < 0 ? -errno : 0;
	if (r == -EADDRINUSE && is_stale(at) && !unlink(at->sun_path))
		r = bind(fd, (const void *)at, sizeof(*at)) < 0 ? -errno : 0;
	umask(mask);
	if (r >= 0 && listen(fd, backlog) < 0)
		r = -errno;
	if (r >= 0)
		return fd;
	close(fd);
	return r;
}

int listen_unix(const char *path, int backlog)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(at.sun_path))
		return -ENAMETOOLONG;
	strcpy(at.sun_path, path);
	return listen_at(&at, backlog);
}
