/* SPDX-License-Identifier: MIT */
/* How soon to put right what somebody else undoes: at once, and ever more seldom when it is undone again and again. */
#ifndef VIPD_KERNEL_PATIENCE_H
#define VIPD_KERNEL_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

#define PATIENCE_GAP_NS UINT64_C(1000000000)
#define PATIENCE_GAP_MAX_NS (60 * PATIENCE_GAP_NS)
#define PATIENCE_CALM_NS (2 * PATIENCE_GAP_MAX_NS) /* who rests so long has given up */

/* `at_ns`: when it was undone last; 0: never. */
static inline bool patience_is_calm(uint64_t at_ns, uint64_t now_ns)
{
	return !at_ns || now_ns - at_ns > PATIENCE_CALM_NS;
}

/* The time to the next repair, from that to this one. Neither `undone` nor `calm`: it may go on. */
static inline uint64_t patience_next(uint64_t gap_ns, bool undone, bool calm)
{
	if (undone)
		return gap_ns < PATIENCE_GAP_MAX_NS / 2 ? 2 * gap_ns : PATIENCE_GAP_MAX_NS;
	return calm ? PATIENCE_GAP_NS : gap_ns;
}

#endif
