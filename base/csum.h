/* SPDX-License-Identifier: MIT */
/* The Internet checksum (RFC 1071), summed piece by piece. */
#ifndef BASE_CSUM_H
#define BASE_CSUM_H

#include <stddef.h>
#include <stdint.h>

/*
 * Adds `len` bytes to a running sum that starts at 0. Every piece but the last must have an even length.
 * The sum does not overflow below 2^48 bytes.
 */
static inline uint64_t csum_add(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (; len > 1; p += 2, len -= 2)
		sum += (uint64_t)p[0] << 8 | p[1];
	if (len)
		sum += (uint64_t)p[0] << 8;
	return sum;
}

/* The checksum in host order: write it as big endian. 0 over data that already holds a right one. */
static inline uint16_t csum_finish(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

#endif
