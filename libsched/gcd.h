/* SPDX-License-Identifier: MIT */
#ifndef LIBSCHED_GCD_H
#define LIBSCHED_GCD_H

#include <stdint.h>

/* The greatest common divisor; of 0 and b it is b. */
static inline uint32_t gcd(uint32_t a, uint32_t b)
{
	while (b) {
		uint32_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

#endif
