/* SPDX-License-Identifier: MIT */
/*
 * Where a server is in every array that has one entry for each: chunk << 16 | index in the chunk. Chunks
 * never move, so that pickers read while the editor adds some. The first holds 4, then each doubles what there is, and
 * from 1024 on four of them do: a small group costs little, a great one wastes at most a fifth, and few chunks suffice.
 */
#ifndef LIBSCHED_SLOT_H
#define LIBSCHED_SLOT_H

#include <stdint.h>

#include <libsched/lb.h>

#define SLOT_CHUNK_MIN 4       /* counters of so many share a cache line */
#define SLOT_CHUNKS_DOUBLING 9 /* 4 + 4 + 8 + … + 512 are 1 << SLOT_LOG2_QUARTERS */
#define SLOT_LOG2_QUARTERS 10
#define SLOTS_MAX (2 * LB_SERVERS_MAX) /* forgotten servers that a snapshot shows included */
#define SLOT_CHUNKS (SLOT_CHUNKS_DOUBLING + 4 * 7)
#define SLOT_NONE UINT32_MAX

_Static_assert(SLOTS_MAX == 1 << (SLOT_LOG2_QUARTERS + 7), "seven more doublings");

static inline uint32_t slot_chunk(uint32_t slot)
{
	return slot >> 16;
}

static inline uint32_t slot_index(uint32_t slot)
{
	return slot & 0xffff;
}

/* The slot of the n-th server, from 0. */
static inline uint32_t slot_nth(uint32_t n)
{
	uint32_t log2, quarter;

	if (n < SLOT_CHUNK_MIN)
		return n;
	log2 = 31 - (uint32_t)__builtin_clz(n);
	if (log2 < SLOT_LOG2_QUARTERS)
		return (log2 - 1) << 16 | (n - (UINT32_C(1) << log2));
	quarter = n >> (log2 - 2) & 3;
	return (SLOT_CHUNKS_DOUBLING + 4 * (log2 - SLOT_LOG2_QUARTERS) + quarter) << 16 |
	       (n & ((UINT32_C(1) << (log2 - 2)) - 1));
}

/* How many the chunk of this slot has. */
static inline uint32_t slot_chunk_size(uint32_t slot)
{
	const uint32_t chunk = slot_chunk(slot);

	if (chunk < SLOT_CHUNKS_DOUBLING)
		return chunk ? SLOT_CHUNK_MIN << (chunk - 1) : SLOT_CHUNK_MIN;
	return UINT32_C(1) << (SLOT_LOG2_QUARTERS - 2 + (chunk - SLOT_CHUNKS_DOUBLING) / 4);
}

#endif
