/* SPDX-License-Identifier: MIT */
/* Keys: each function is defined by the program it is named after. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "libsched/crc32.h"
#include <libsched/lb_hash.h>

/* ---- XXH64 ---- */

#define PRIME_1 0x9e3779b185ebca87u
#define PRIME_2 0xc2b2ae3d27d4eb4fu
#define PRIME_3 0x165667b19e3779f9u
#define PRIME_4 0x85ebca77c2b2ae63u
#define PRIME_5 0x27d4eb2f165667c5u

static uint64_t rotate_64(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

/* n bytes, the least significant first. */
static uint64_t little_endian(const uint8_t *byte, unsigned n)
{
	uint64_t x = 0;

	while (n--)
		x = x << 8 | byte[n];
	return x;
}

static uint64_t xxh64_round(uint64_t lane, uint64_t word)
{
	return rotate_64(lane + word * PRIME_2, 31) * PRIME_1;
}

/* Four lanes over all whole blocks of 32 bytes. */
static uint64_t xxh64_blocks(const uint8_t *byte, size_t len, uint64_t seed)
{
	uint64_t lane[4] = {seed + PRIME_1 + PRIME_2, seed + PRIME_2, seed, seed - PRIME_1}, h;

	for (; len >= 32; byte += 32, len -= 32)
		for (int i = 0; i < 4; i++)
			lane[i] = xxh64_round(lane[i], little_endian(byte + 8 * i, 8));
	h = rotate_64(lane[0], 1) + rotate_64(lane[1], 7) + rotate_64(lane[2], 12) +
	    rotate_64(lane[3], 18);
	for (int i = 0; i < 4; i++)
		h = (h ^ xxh64_round(0, lane[i])) * PRIME_1 + PRIME_4;
	return h;
}

uint64_t lb_hash_bytes(const void *key, size_t len, uint64_t seed)
{
	const uint8_t *byte = key;
	uint64_t h = (len >= 32 ? xxh64_blocks(byte, len, seed) : seed + PRIME_5) + len;

	byte = len >= 32 ? byte + len / 32 * 32 : byte;
	len %= 32;
	for (; len >= 8; byte += 8, len -= 8)
		h = rotate_64(h ^ xxh64_round(0, little_endian(byte, 8)), 27) * PRIME_1 + PRIME_4;
	if (len >= 4) {
		h = rotate_64(h ^ little_endian(byte, 4) * PRIME_1, 23) * PRIME_2 + PRIME_3;
		byte += 4;
		len -= 4;
	}
	for (; len; byte++, len--)
		h = rotate_64(h ^ *byte * PRIME_5, 11) * PRIME_1;
	h = (h ^ h >> 33) * PRIME_2;
	h = (h ^ h >> 29) * PRIME_3;
	return h ^ h >> 32;
}

/* ---- HAProxy ---- */

static uint32_t rotate_32(uint32_t x, unsigned n)
{
	return x << n | x >> (-n & 31);
}

uint32_t lb_hash_sdbm(const void *key, size_t len)
{
	const uint8_t *byte = key;
	uint32_t h = 0;

	for (size_t i = 0; i < len; i++)
		h = h * 65599 + byte[i];
	return h;
}

uint32_t lb_hash_djb2(const void *key, size_t len)
{
	const uint8_t *byte = key;
	uint32_t h = 5381;

	for (size_t i = 0; i < len; i++)
		h = h * 33 + byte[i];
	return h;
}

/* Two words, turned by as many bits as they themselves say, and exchanged. */
uint32_t lb_hash_wt6(const void *key, size_t len)
{
	const uint8_t *byte = key;
	uint32_t a = 0xa53c965a, b = 0x5ca6953a;
	unsigned turn_b = 6, turn_a = 18;

	for (size_t i = 0; i < len; i++) {
		uint32_t next_a = rotate_32(~(b + byte[i]), turn_b);
		uint32_t mixed;

		b = rotate_32(~(a ^ byte[i]), turn_a);
		a = next_a;
		mixed = (a >> 16 ^ b) & 0xffff;
		turn_b = mixed & 31;
		turn_a = mixed >> 11;
	}
	return a ^ b;
}

uint32_t lb_hash_crc32(const void *key, size_t len)
{
	return crc32_more(0, key, len);
}

/* Bob Jenkins's mixing of 32 bits in six shifts, times a prime near 3/4 of 2^32. */
uint32_t lb_hash_avalanche(uint32_t h)
{
	h = h + 0x7ed55d16 + (h << 12);
	h = h ^ 0xc761c23c ^ h >> 19;
	h = h + 0x165667b1 + (h << 5);
	h = (h + 0xd3a2646c) ^ h << 9;
	h = h + 0xfd7046c5 + (h << 3);
	h = h ^ 0xb55a4f09 ^ h >> 16;
	return h * 3221225473u;
}

/* ---- Addresses ---- */

int lb_hash_ipvs(const void *addr, size_t addr_len, uint16_t port, uint64_t *ret_key64)
{
	const uint8_t *byte = addr;
	uint32_t fold = 0;

	if (!addr || !ret_key64 || (addr_len != 4 && addr_len != 16))
		return -EINVAL;
	for (size_t i = 0; i < addr_len; i += 4)
		fold ^= (uint32_t)byte[i] << 24 | (uint32_t)byte[i + 1] << 16 |
			(uint32_t)byte[i + 2] << 8 | byte[i + 3];
	*ret_key64 = fold + port; /* modulo 2^32, as there */
	return 0;
}

/*
 * nginx hashes h = (h * 113 + byte) % 6271 over the address, and for each further try over the address
 * again. All bytes together are one step h * a + b: that is the key, a above b.
 */
int lb_hash_nginx_ip(const void *addr, size_t addr_len, uint64_t *ret_key64)
{
	const uint8_t *byte = addr;
	uint32_t a = 1, b = 0;

	if (!addr || !ret_key64 || (addr_len != 4 && addr_len != 16))
		return -EINVAL;
	for (size_t i = 0; i < (addr_len == 4 ? 3 : addr_len); i++) {
		a = a * 113 % 6271;
		b = (b * 113 + byte[i]) % 6271;
	}
	*ret_key64 = (uint64_t)a << 32 | b;
	return 0;
}

/* ---- nginx's hash ---- */

/* The length above the CRC: enough to put more text before it, as nginx does for a further try. */
uint64_t lb_hash_nginx(const void *key, size_t len)
{
	return (uint64_t)len << 32 | lb_hash_crc32(key, len);
}

/* Where the colon before the port stands, or the end: nothing but digits may follow it. */
static size_t colon_of(const char *name, size_t len)
{
	size_t i = len;

	while (i && name[i - 1] >= '0' && name[i - 1] <= '9')
		i--;
	return i && name[i - 1] == ':' ? i - 1 : len;
}

/* The CRC of host, NUL, port: ketama hashes on from there. */
uint64_t lb_hash_ketama_server(const char *name)
{
	bool is_unix = !strncmp(name, "unix:", 5);
	size_t len, colon, port;
	uint32_t crc;

	if (is_unix)
		name += 5;
	len = strlen(name);
	colon = is_unix ? len : colon_of(name, len);
	port = colon < len ? colon + 1 : len;
	crc = crc32_more(0, name, colon);
	crc = crc32_more(crc, "", 1);
	return crc32_more(crc, name + port, len - port);
}
