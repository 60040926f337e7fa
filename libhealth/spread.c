/* SPDX-License-Identifier: MIT */
#include "base/hmap.h"
#include "spread.h"

/*
 * 2^64 divided by the golden ratio: multiples of it, modulo 1, are the most even sequence there is (Weyl,
 * Knuth 6.4). Hashed offsets would bunch like dice.
 */
#define GOLDEN UINT64_C(0x9e3779b97f4a7c15)

static uint64_t scale(uint64_t fraction, uint64_t span)
{
	__extension__ typedef unsigned __int128 wide;

	return (uint64_t)((wide)fraction * span >> 64);
}

uint64_t spread_offset(uint64_t seed, uint64_t id, uint64_t span_ns)
{
	return scale(hmap_mix(seed) + id * GOLDEN, span_ns);
}

uint64_t spread_jitter(uint64_t seed, uint64_t id, uint64_t run, uint64_t interval_ns,
		       uint32_t percent)
{
	uint64_t half = interval_ns / 100 * percent;

	if (!half)
		return interval_ns;
	return interval_ns - half +
	       scale(hmap_mix(hmap_mix(seed ^ hmap_mix(id)) ^ run), 2 * half + 1);
}

/* Multiples of the slack itself, so that all checks have the same. */
uint64_t spread_shared(uint64_t planned_ns, uint64_t slack_ns)
{
	uint64_t over = planned_ns % slack_ns;

	return over ? planned_ns + (slack_ns - over) : planned_ns;
}

uint64_t spread_nonce(uint64_t seed, uint64_t id, uint64_t run)
{
	return hmap_mix(hmap_mix(~seed ^ hmap_mix(id)) + run);
}

uint32_t spread_rate(uint64_t demand, uint32_t least)
{
	uint64_t rate = (demand + demand / 4) / UINT64_C(1000000000);

	if (rate > SPREAD_RATE_MAX)
		return SPREAD_RATE_MAX;
	return rate > least ? (uint32_t)rate : least;
}

uint32_t spread_burst(uint32_t rate, uint32_t least)
{
	uint32_t burst = (uint32_t)((uint64_t)rate * 11 / 2000);

	return burst > least ? burst : least;
}

/* A bucket is a promise: `empty_ns` runs ahead of the clock by what was taken, at most by its depth. */
void bucket_set(struct bucket *b, uint32_t rate, uint32_t burst)
{
	b->cost_ns = UINT64_C(1000000000) / rate;
	b->depth_ns = b->cost_ns * (burst - 1);
}

uint64_t bucket_ready_ns(const struct bucket *b)
{
	return b->empty_ns > b->depth_ns ? b->empty_ns - b->depth_ns : 0;
}

bool bucket_take(struct bucket *b, uint64_t now_ns)
{
	if (now_ns < bucket_ready_ns(b))
		return false;
	b->empty_ns = (b->empty_ns > now_ns ? b->empty_ns : now_ns) + b->cost_ns;
	return true;
}
