/* SPDX-License-Identifier: MIT */
/* Base64 (RFC 4648 §4), for SCRAM and for HTTP's Basic. */
#ifndef LIBHEALTH_BASE64_H
#define LIBHEALTH_BASE64_H

#include "base/cursor.h"

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Without a 0 at its end. */
static inline void write_base64(struct writer *w, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i += 3) {
		uint32_t three = (uint32_t)data[i] << 16;

		if (i + 1 < len)
			three |= (uint32_t)data[i + 1] << 8;
		if (i + 2 < len)
			three |= data[i + 2];
		write_u8(w, (uint8_t)base64_digits[three >> 18]);
		write_u8(w, (uint8_t)base64_digits[three >> 12 & 63]);
		write_u8(w, (uint8_t)(i + 1 < len ? base64_digits[three >> 6 & 63] : '='));
		write_u8(w, (uint8_t)(i + 2 < len ? base64_digits[three & 63] : '='));
	}
}

/* The bytes, or -1. */
static inline int read_base64(struct reader text, uint8_t *ret, size_t size)
{
	struct writer w = writer_of(ret, size);
	uint32_t bits = 0;
	int have = 0;

	while (reader_left(&text) && *text.at != '=') {
		uint8_t c = read_u8(&text);
		const char *at = c ? strchr(base64_digits, c) : NULL;

		if (!at)
			return -1;
		bits = bits << 6 | (uint32_t)(at - base64_digits);
		have += 6;
		if (have >= 8) {
			have -= 8;
			write_u8(&w, (uint8_t)(bits >> have));
		}
	}
	return w.bad ? -1 : (int)writer_len(&w);
}

#endif
