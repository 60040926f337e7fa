/* SPDX-License-Identifier: MIT */
#include "out.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool reserve(struct out *o, size_t more)
{
	size_t cap = o->cap ? o->cap : 4096;
	char *at;

	if (o->failed || more > OUT_MAX - o->len) {
		o->failed = true;
		return false;
	}
	while (cap < o->len + more)
		cap *= 2;
	if (cap == o->cap)
		return true;
	at = realloc(o->at, cap);
	if (!at) {
		o->failed = true;
		return false;
	}
	o->at = at;
	o->cap = cap;
	return true;
}

void out_put(struct out *o, const char *data, size_t len)
{
	if (!len || !reserve(o, len))
		return;
	memcpy(o->at + o->len, data, len);
	o->len += len;
}

void out_text(struct out *o, const char *text)
{
	out_put(o, text, strlen(text));
}

void out_number(struct out *o, uint64_t n)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + n % 10);
	while (n /= 10);
	out_put(o, digits + at, sizeof(digits) - at);
}

void out_printf(struct out *o, const char *format, ...)
{
	va_list args;
	int n;

	if (!reserve(o, 512))
		return;
	va_start(args, format);
	n = vsnprintf(o->at + o->len, o->cap - o->len, format, args);
	va_end(args);
	if (n < 0 || !reserve(o, (size_t)n + 1))
		return;
	if ((size_t)n >= 512) { /* it may have been cut */
		va_start(args, format);
		vsnprintf(o->at + o->len, o->cap - o->len, format, args);
		va_end(args);
	}
	o->len += (size_t)n;
}

void out_html(struct out *o, const char *text)
{
	for (; *text; text++)
		switch (*text) {
		case '<':
			out_text(o, "&lt;");
			break;
		case '>':
			out_text(o, "&gt;");
			break;
		case '&':
			out_text(o, "&amp;");
			break;
		case '"':
			out_text(o, "&quot;");
			break;
		case '\'':
			out_text(o, "&#39;");
			break;
		default:
			out_put(o, text, 1);
		}
}

void out_json(struct out *o, const char *text)
{
	for (; *text; text++)
		if (*text == '"' || *text == '\\')
			out_printf(o, "\\%c", *text);
		else if ((unsigned char)*text < 0x20)
			out_printf(o, "\\u%04x", (unsigned)*text);
		else
			out_put(o, text, 1);
}

void out_csv(struct out *o, const char *text)
{
	if (!strpbrk(text, ",\"\r\n")) {
		out_text(o, text);
		return;
	}
	out_text(o, "\"");
	for (; *text; text++)
		out_put(o, *text == '"' ? "\"\"" : text, *text == '"' ? 2 : 1);
	out_text(o, "\"");
}

void out_free(struct out *o)
{
	free(o->at);
	*o = (struct out){0};
}
