/* SPDX-License-Identifier: MIT */
/* CRC-32 of IEEE 802.3, as zlib computes it; `crc` is what came before, 0 to begin with. */
#ifndef LIBSCHED_CRC32_H
#define LIBSCHED_CRC32_H

#include <stddef.h>
#include <stdint.h>

#define CRC32_POLYNOMIAL 0xedb88320u /* reflected */

static inline uint32_t crc32_more(uint32_t crc, const void *data, size_t len)
{
	static const uint32_t of_nibble[16] = {
	    0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
	    0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
	    0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};
	const uint8_t *byte = data;

	crc = ~crc;
	for (size_t i = 0; i < len; i++) {
		crc ^= byte[i];
		crc = crc >> 4 ^ of_nibble[crc & 15];
		crc = crc >> 4 ^ of_nibble[crc & 15];
	}
	return ~crc;
}

/* a * b modulo the polynomial; bit 31 is x^0. */
static inline uint32_t crc32_multiply(uint32_t a, uint32_t b)
{
	uint32_t product = 0;

	for (; a; a <<= 1) {
		if (a >> 31)
			product ^= b;
		b = b >> 1 ^ (b & 1 ? CRC32_POLYNOMIAL : 0);
	}
	return product;
}

/* The CRC of two texts one after the other, from their CRCs and the length of the second. */
static inline uint32_t crc32_join(uint32_t first, uint32_t second, uint32_t second_len)
{
	uint32_t power = UINT32_C(1) << 23; /* x^8: one byte further */

	for (; second_len; second_len >>= 1) {
		if (second_len & 1)
			first = crc32_multiply(power, first);
		power = crc32_multiply(power, power);
	}
	return first ^ second;
}

#endif
