/* SPDX-License-Identifier: MIT */
/* What hashes and random numbers are made of: wide products. */
#ifndef LIBSCHED_MUL_H
#define LIBSCHED_MUL_H

#include <stdint.h>

__extension__ typedef unsigned __int128 uint128;

/* Both halves of the product, one over the other: each bit of the result depends on most of a and b. */
static inline uint64_t mul_fold(uint64_t a, uint64_t b)
{
	const uint128 product = (uint128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

#endif
