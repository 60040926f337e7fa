/* SPDX-License-Identifier: MIT */
/* What holds for the findings on any configuration, and a file that is only in memory. */
#ifndef FUZZ_FINDINGS_H
#define FUZZ_FINDINGS_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "diag.h"

struct memory_file {
	int fd;
	char path[32];
};

static inline struct memory_file memory_file_open(const uint8_t *data, size_t size)
{
	struct memory_file f = {.fd = memfd_create("input", MFD_CLOEXEC)};

	assert(f.fd >= 0);
	assert(write(f.fd, data, size) == (ssize_t)size);
	snprintf(f.path, sizeof(f.path), "/proc/self/fd/%d", f.fd);
	return f;
}

/* The bytes of a line of the input; false: it has no such line. */
static inline bool line_exists(const uint8_t *data, size_t size, unsigned line, size_t *ret_len)
{
	const uint8_t *at = data, *end = data + size, *stop;

	while (--line && at < end) {
		at = memchr(at, '\n', (size_t)(end - at));
		if (!at)
			return false;
		at++;
	}
	stop = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
	*ret_len = (size_t)((stop ? stop : end) - at);
	return !line;
}

/* A finding says what is wrong, and where: in a line that exists, at a column in it or just behind it. */
static inline void findings_are_placed(const struct diag *d, const char *file, const uint8_t *data,
				       size_t size)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct diag_message *m = &d->message[i];
		size_t len;

		assert(m->text && *m->text);
		assert(m->level != DIAG_ERROR || m->at.file);
		if (!m->at.file || strcmp(m->at.file, file) || !m->at.line)
			continue;
		assert(line_exists(data, size, m->at.line, &len));
		assert(m->at.column <= len + 1);
	}
}

/* The same file gives the same findings. */
static inline void findings_are_equal(const struct diag *a, const struct diag *b)
{
	assert(a->n == b->n);
	assert(!memcmp(a->count, b->count, sizeof(a->count)));
	for (size_t i = 0; i < a->n; i++) {
		assert(a->message[i].level == b->message[i].level);
		assert(a->message[i].at.line == b->message[i].at.line);
		assert(a->message[i].at.column == b->message[i].at.column);
		assert(!strcmp(a->message[i].text, b->message[i].text));
	}
}

#endif
