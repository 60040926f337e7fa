/* SPDX-License-Identifier: MIT */
/* Exponential decay in whole numbers, for damping (RFC 2439 §4.2). Pure; no math library. */
#ifndef LIBHEALTH_DECAY_H
#define LIBHEALTH_DECAY_H

#include <stdint.h>

/* `value` after `age_ns`, halved every `half_life_ns` (> 0). Exact to 1 in 2^16 of the value. */
uint64_t decay(uint32_t value, uint64_t age_ns, uint64_t half_life_ns);

/* The least age at which `value` has decayed to `goal` (> 0) or less. */
uint64_t decay_until(uint32_t value, uint32_t goal, uint64_t half_life_ns);

#endif
