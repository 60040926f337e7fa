/* SPDX-License-Identifier: MIT */
/*
 * ip_hash, nginx-hash, ketama: nginx's `ip_hash`, `hash KEY` and `hash KEY consistent`. When the key's server may
 * not be chosen they hash on; after 21 tries, and without a key, they go round as smooth-wrr does. Servers that
 * are down keep their part, so that the others' keys stay.
 */
#include "libsched/algos.h"
#include "libsched/crc32.h"
#include "libsched/ring.h"
#include "libsched/smooth.h"

#define TRIES 21
#define KETAMA_POINTS 160 /* a unit of weight */

/* ---- By weight ---- */

/* The table: sums of the weights up to each place. */
static size_t sums_size(const struct lb_snapshot *s)
{
	return s->n * sizeof(uint64_t);
}

static int sums_build(const struct lb_snapshot *s, const struct lb_snapshot *old, void *table)
{
	uint64_t *upto = table, sum = 0;

	for (size_t i = 0; i < s->n; i++)
		upto[i] = sum += s->at[i].set_weight;
	return 0;
}

/* The place in whose part of the weights the hash falls. O(log n). */
static size_t place_of(const struct lb_snapshot *s, uint64_t hash)
{
	const uint64_t *upto = s->table;
	uint64_t number = hash % upto[s->n - 1]; /* someone may be chosen: a weight is not 0 */
	size_t low = 0, high = s->n - 1;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (upto[middle] > number)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static ssize_t ip_hash_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	/* Of lb_hash_nginx_ip(): one more round over the address is h * a + b. */
	const uint32_t a = (uint32_t)(q->request->key64 >> 32) % 6271;
	const uint32_t b = (uint32_t)q->request->key64 % 6271;
	uint32_t h = 89;

	for (int i = 0; i < TRIES && !(q->request->flags & LB_REQUEST_KEYLESS); i++) {
		size_t place;

		h = (h * a + b) % 6271;
		place = place_of(s, h);
		if (query_eligible(q, place))
			return (ssize_t)place;
	}
	return smooth_pick(s, cursor, q);
}

/* The CRC of the number of the try in digits, then the key; the first try has no number. */
static uint32_t crc_of_try(int number, uint64_t key)
{
	char digit[2] = {(char)('0' + number / 10), (char)('0' + number % 10)};
	size_t len = number >= 10 ? 2 : 1;

	if (!number)
		return (uint32_t)key;
	return crc32_join(crc32_more(0, digit + 2 - len, len), (uint32_t)key,
			  (uint32_t)(key >> 32));
}

static ssize_t nginx_hash_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	uint32_t h = 0;

	for (int i = 0; i < TRIES && !(q->request->flags & LB_REQUEST_KEYLESS); i++) {
		size_t place;

		h += crc_of_try(i, q->request->key64) >> 16 & 0x7fff;
		place = place_of(s, h);
		if (query_eligible(q, place))
			return (ssize_t)place;
	}
	return smooth_pick(s, cursor, q);
}

const struct lb_algo algo_ip_hash = {
    .size = sizeof(algo_ip_hash),
    .name = "ip_hash",
    .flags = LB_ALGO_STEADY_WEIGHTS,
    .table_size = sums_size,
    .build = sums_build,
    .cursor_size = smooth_size,
    .adopt = smooth_adopt,
    .pick = ip_hash_pick,
};

const struct lb_algo algo_nginx_hash = {
    .size = sizeof(algo_nginx_hash),
    .name = "nginx-hash",
    .flags = LB_ALGO_STEADY_WEIGHTS,
    .table_size = sums_size,
    .build = sums_build,
    .cursor_size = smooth_size,
    .adopt = smooth_adopt,
    .pick = nginx_hash_pick,
};

/* ---- ketama ---- */

static uint64_t ketama_count(const struct lb_snapshot *s, size_t place)
{
	uint32_t points = s->setup.opts.points ? s->setup.opts.points : KETAMA_POINTS;

	return (uint64_t)s->at[place].set_weight * points;
}

/* Each point is the CRC of the server and of the point before it, the least significant byte first. */
static void ketama_points(const struct lb_snapshot *s, size_t place, uint32_t n,
			  void (*put)(struct ring *r, uint32_t hash, uint32_t place),
			  struct ring *r)
{
	uint32_t server = (uint32_t)lb_snapshot_key(s, place), hash = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint8_t byte[4] = {(uint8_t)hash, (uint8_t)(hash >> 8), (uint8_t)(hash >> 16),
				   (uint8_t)(hash >> 24)};

		hash = crc32_more(server, byte, sizeof(byte));
		put(r, hash, (uint32_t)place);
	}
}

static const struct ring_rule ketama_rule = {.count_of = ketama_count, .points_of = ketama_points};

static size_t ketama_size(const struct lb_snapshot *s)
{
	return ring_size(s, &ketama_rule);
}

static int ketama_build(const struct lb_snapshot *s, const struct lb_snapshot *old, void *table)
{
	ring_build(s, &ketama_rule, table);
	return 0;
}

static ssize_t ketama_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	const struct ring *r = s->table;
	uint32_t i;

	if (q->request->flags & LB_REQUEST_KEYLESS)
		return smooth_pick(s, cursor, q);
	i = ring_after(r, (uint32_t)q->request->key64);
	for (int try = 0; try < TRIES; try++, i++) {
		uint32_t place = r->at[i % r->n].place;

		if (query_eligible(q, place))
			return place;
	}
	return smooth_pick(s, cursor, q);
}

const struct lb_algo algo_ketama = {
    .size = sizeof(algo_ketama),
    .name = "ketama",
    .flags = LB_ALGO_STEADY_WEIGHTS,
    .table_size = ketama_size,
    .build = ketama_build,
    .cursor_size = smooth_size,
    .adopt = smooth_adopt,
    .pick = ketama_pick,
};
