/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include <libsched/lb_hash.h>

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
