/* SPDX-License-Identifier: MIT */
#include "net/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES 160
#define TEXT_BYTES 16

/* A name that the kernel gives has no slash; one from elsewhere shall not lead elsewhere. */
static int open_setting(const char *family, const char *interface, const char *key, int flags)
{
	char path[PATH_BYTES];
	int n = snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, interface, key);
	int fd;

	if (n < 0 || n >= (int)sizeof(path) || strchr(interface, '/') || !strcmp(interface, "..") ||
	    !strcmp(interface, "."))
		return -EINVAL;
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int net_sysctl_get(const char *family, const char *interface, const char *key, int *ret)
{
	char text[TEXT_BYTES], *end;
	int fd = open_setting(family, interface, key, O_RDONLY);
	ssize_t n;
	long v;

	if (fd < 0)
		return fd;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n < 0)
		return (int)n;
	text[n] = 0;
	v = strtol(text, &end, 10);
	if (end == text || v < -65536 || v > 65536)
		return -EBADMSG;
	*ret = (int)v;
	return 0;
}

int net_sysctl_set(const char *family, const char *interface, const char *key, int value)
{
	char text[TEXT_BYTES];
	int n = snprintf(text, sizeof(text), "%d\n", value), r = 0;
	int fd = open_setting(family, interface, key, O_WRONLY);

	if (fd < 0)
		return fd;
	if (write(fd, text, (size_t)n) < 0)
		r = -errno;
	close(fd);
	return r;
}
