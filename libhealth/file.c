/* SPDX-License-Identifier: MIT */
/* A run by reading a file: done when it has begun. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine.h"
#include "filestate.h"

/* How much was read, or -errno. A pipe or a device could block for ever, so only regular files. */
static ssize_t read_file(const char *path, void *buf, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		n = -errno;
	else if (!S_ISREG(st.st_mode))
		n = -EINVAL;
	else if ((n = read(fd, buf, cap)) < 0)
		n = -errno;
	close(fd);
	return n;
}

static void file_start(struct health_check *c, uint64_t now_ns)
{
	const struct filestate *f = c->probe->config;
	struct health_probe_io answer;
	ssize_t n = read_file(f->path, c->engine->received, HEALTH_FILE_BYTES_MAX);

	c->condition = TALK;
	if (n == -EMFILE || n == -ENFILE || n == -ENOMEM) {
		check_finish_local(c, "file", (int)-n, now_ns);
		return;
	}
	if (n < 0)
		filestate_judge_missing(f, (int)-n, &answer);
	else
		filestate_judge(f, c->engine->received, (size_t)n, &answer);
	check_finish(c, &answer, n < 0 ? (int)-n : 0, now_ns);
}

static void nothing(struct health_check *c)
{
}

const struct hand file_hand = {.start = file_start, .close = nothing};
