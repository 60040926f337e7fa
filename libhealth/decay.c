/* SPDX-License-Identifier: MIT */
#include "decay.h"

/* 2^-(1/2), 2^-(1/4), 2^-(1/8) ... as fractions of 2^32: a binary fraction of a half-life is a product. */
static const uint64_t root[] = {
    3037000500, 3611622603, 3938502376, 4112874773, 4202935003, 4248701965, 4271771996, 4283353945,
    4289156690, 4292061010, 4293513907, 4294240540, 4294603903, 4294785595, 4294876445, 4294921870,
};

#define ROOTS (sizeof(root) / sizeof(root[0]))

uint64_t decay(uint32_t value, uint64_t age_ns, uint64_t half_life_ns)
{
	uint64_t halves = age_ns / half_life_ns, left = age_ns % half_life_ns, half = half_life_ns;
	uint64_t scaled; /* in 2^-32 of the value */

	if (halves >= 32)
		return 0;
	scaled = ((uint64_t)value << 32) >> halves;
	for (unsigned int i = 0; i < ROOTS; i++) {
		half /= 2;
		if (left >= half && half) {
			left -= half;
			/* value < 2^20: 32 bits of it are multiplied, 20 are lost in the noise */
			scaled = (scaled >> 20) * root[i] >> 12;
		}
	}
	return scaled >> 32;
}

uint64_t decay_until(uint32_t value, uint32_t goal, uint64_t half_life_ns)
{
	uint64_t low = 0, high = 32 * half_life_ns; /* nothing is left then */

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (decay(value, middle, half_life_ns) <= goal)
			high = middle;
		else
			low = middle + 1;
	}
	return high;
}
