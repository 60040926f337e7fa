/* SPDX-License-Identifier: MIT */
/*
 * Where a server is in every array that has one entry for each: chunk << 16 | index in the chunk. Chunks
 * never move, so that pickers read while the editor adds some. The first holds 16, then they double up to
 * 1024: a small group costs little, a great one wastes little.
 */
#ifndef LIBSCHED_SLOT_H
#define LIBSCHED_SLOT_H

#include <stdint.h>

#include <libsched/lb.h>

#define SLOT_CHUNK_MIN 16
#define SLOT_CHUNK_MAX 1024
#define SLOT_CHUNKS_GROWING 7	       /* 16 + 16 + 32 + … + 512 is SLOT_CHUNK_MAX */
#define SLOTS_MAX (2 * LB_SERVERS_MAX) /* forgotten servers that a snapshot shows included */
#define SLOT_CHUNKS (SLOT_CHUNKS_GROWING - 1 + SLOTS_MAX / SLOT_CHUNK_MAX)
#define SLOT_NONE UINT32_MAX

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
	uint32_t log2;

	if (n >= SLOT_CHUNK_MAX)
		return (SLOT_CHUNKS_GROWING - 1 + n / SLOT_CHUNK_MAX) << 16 | n % SLOT_CHUNK_MAX;
	if (n < SLOT_CHUNK_MIN)
		return n;
	log2 = 31 - (uint32_t)__builtin_clz(n);
	return (log2 - 3) << 16 | (n - (UINT32_C(1) << log2));
}

/* How many the chunk of this slot has. */
static inline uint32_t slot_chunk_size(uint32_t slot)
{
	const uint32_t chunk = slot_chunk(slot);

	if (chunk >= SLOT_CHUNKS_GROWING)
		return SLOT_CHUNK_MAX;
	return chunk ? SLOT_CHUNK_MIN << (chunk - 1) : SLOT_CHUNK_MIN;
}

#endif
