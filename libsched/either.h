/* SPDX-License-Identifier: MIT */
/* Choosing by chance, or by load: a branch would be guessed wrong half the time. */
#ifndef LIBSCHED_EITHER_H
#define LIBSCHED_EITHER_H

#include <stdbool.h>
#include <stdint.h>

/* `b` if `second`, else `a`. That both are in registers leaves the compiler nothing to save by a branch. */
static inline __attribute__((always_inline)) uint64_t either(bool second, uint64_t a, uint64_t b)
{
	__asm__("" : "+r"(a), "+r"(b));
	return __builtin_expect_with_probability(second, 1, 0.5) ? b : a;
}

/* Likewise, to choose several by `&`. */
static inline __attribute__((always_inline)) uint64_t all_ones_if(bool yes)
{
	uint64_t mask = -(uint64_t)yes;

	__asm__("" : "+r"(mask));
	return mask;
}

/* To choose by `&`. The compiler cannot make a branch of it. */
static inline __attribute__((always_inline)) uint64_t all_ones_if_below_0(int64_t n)
{
	uint64_t mask = -((uint64_t)n >> 63);

	__asm__("" : "+r"(mask));
	return mask;
}

#endif
