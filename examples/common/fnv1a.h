/* SPDX-License-Identifier: MIT */
/* FNV-1a, 32 bits: for names, and for tables whose places are bounded whatever is put in; not against attackers. */
#ifndef COMMON_FNV1A_H
#define COMMON_FNV1A_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t fnv1a(const void *bytes, size_t len)
{
	const uint8_t *b = bytes;
	uint32_t hash = 2166136261;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ b[i]) * 16777619;
	return hash;
}

static inline uint32_t fnv1a_text(const char *text)
{
	return fnv1a(text, strlen(text));
}

#endif
