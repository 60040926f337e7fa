/* SPDX-License-Identifier: MIT */
#include "errorfile.h"

#include <string.h>
#include <strings.h>

static bool is_answer(const char *raw, size_t len)
{
	return len >= 13 && !memcmp(raw, "HTTP/1.", 7) && raw[8] == ' ' && raw[9] >= '1' && raw[9] <= '5' &&
	       raw[10] >= '0' && raw[10] <= '9' && raw[11] >= '0' && raw[11] <= '9';
}

/* Of the line at `at`, with its end. */
static size_t line_len(const char *at, size_t left)
{
	const char *end = memchr(at, '\n', left);

	return end ? (size_t)(end - at) + 1 : left;
}

static bool is_empty(const char *line, size_t len)
{
	return *line == '\n' || (len == 2 && !memcmp(line, "\r\n", 2));
}

/* The value of a field of this name, with its colon; NULL: it is another. */
static const char *value_in(const char *line, size_t len, const char *name)
{
	size_t n = strlen(name);

	return len > n && !strncasecmp(line, name, n) ? line + n : NULL;
}

static bool is_number(const char *at, const char *end, size_t wanted)
{
	size_t n = 0;

	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	for (; at < end && *at >= '0' && *at <= '9' && n <= wanted; at++)
		n = 10 * n + (size_t)(*at - '0');
	return n == wanted && at < end && strchr(" \t\r\n", *at);
}

const char *errorfile_fault(const char *raw, size_t len)
{
	const char *end = raw + len, *length = NULL, *value;
	const char *at = raw;
	size_t n;

	if (!len)
		return NULL;
	if (!is_answer(raw, len))
		return "is no HTTP answer: it must begin with a line such as \"HTTP/1.1 503 Service Unavailable\", then headers, an "
		       "empty line and the page";
	for (; at < end && !is_empty(at, n = line_len(at, (size_t)(end - at))); at += n) {
		if (value_in(at, n, "transfer-encoding:"))
			return "has a Transfer-Encoding: remove that line, and write the page as it is";
		value = value_in(at, n, "content-length:");
		length = value ? value : length;
	}
	at += at < end ? n : 0;
	/* else who reads it takes the rest from the next answer, or the next one from its rest */
	return length && !is_number(length, end, (size_t)(end - at)) ? "has a Content-Length that is not its page's: remove that line" : NULL;
}

size_t errorfile_copy(char *out, const char *raw, size_t len)
{
	bool head = true;
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		bool line_end = raw[i] == '\n';

		if (head && line_end && (!i || raw[i - 1] != '\r'))
			out[n++] = '\r';
		out[n++] = raw[i];
		if (head && line_end && n >= 4 && !memcmp(out + n - 4, "\r\n\r\n", 4))
			head = false;
	}
	return n;
}
