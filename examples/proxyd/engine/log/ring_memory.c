/* SPDX-License-Identifier: MIT */
#include "ring_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What an earlier process left is kept once, for whoever wants to know why it ended. */
static void put_aside(const char *file)
{
	char old[PATH_MAX];
	struct stat st;

	if (stat(file, &st) == 0 && S_ISREG(st.st_mode) && st.st_size &&
	    (size_t)snprintf(old, sizeof(old), "%s.bak", file) < sizeof(old))
		rename(file, old);
}

static int map_file(const char *file, size_t size, struct ring_memory *ret)
{
	size_t whole = sizeof(struct ring_head) + size;
	void *at = MAP_FAILED;
	int fd, e;

	put_aside(file);
	fd = open(file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	e = posix_fallocate(fd, 0, (off_t)whole); /* else a full disk ends the process */
	if (!e)
		at = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (!e && at == MAP_FAILED)
		e = errno;
	close(fd);
	if (e)
		return -e;
	ret->head = at;
	*ret->head = (struct ring_head){.size = size};
	memcpy(ret->head->magic, "HawsRing", sizeof(ret->head->magic));
	ret->bytes = (char *)(ret->head + 1);
	return 0;
}

int ring_memory_new(const char *file, size_t size, struct ring_memory *ret)
{
	*ret = (struct ring_memory){0};
	if (file)
		return map_file(file, size, ret);
	ret->bytes = malloc(size);
	return ret->bytes ? 0 : -ENOMEM;
}

void ring_memory_free(struct ring_memory *m)
{
	if (m->head)
		munmap(m->head, sizeof(*m->head) + m->head->size);
	else
		free(m->bytes);
	*m = (struct ring_memory){0};
}
