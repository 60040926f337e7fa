/* SPDX-License-Identifier: MIT */
/* Log lines of others, any bytes: what is taken lies within them, and a stream is cut in parts as in one. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "engine/log/syslog_line.h"

#define LINE_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(struct text t, const char *data, size_t size)
{
	assert(!t.len || (t.at >= data && t.at + t.len <= data + size));
}

/* The bytes of the stream that were lines. */
static size_t cut(const char *data, size_t size)
{
	struct text line;
	size_t at = 0;
	ssize_t n;

	while ((n = syslog_frame(data + at, size - at, LINE_MAX, &line)) > 0) {
		assert((size_t)n <= size - at && line.len <= LINE_MAX && line.len <= (size_t)n);
		inside(line, data + at, (size_t)n);
		at += (size_t)n;
	}
	return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char *data = malloc(size ? size : 1); /* whoever reads behind it is found */
	struct syslog_line l;
	size_t at = 0, whole;

	assert(data);
	if (size)
		memcpy(data, bytes, size);
	syslog_parse(data, size, &l);
	assert(l.facility >= -1 && l.facility <= LOG_FACMASK && l.level >= 0 && l.level <= LOG_DEBUG);
	for (const struct text *t = &l.date; t <= &l.text; t++)
		inside(*t, data, size);
	assert(!l.date.len || l.is_5424 || l.date.len == 15);
	whole = cut(data, size);
	for (size_t n = 1; n <= size && at < whole; n++) /* byte by byte no line is another */
		at += cut(data + at, n > at ? n - at : 0);
	assert(at == whole || size == 0);
	free(data);
	return 0;
}
