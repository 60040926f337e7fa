/* SPDX-License-Identifier: MIT */
#include "libsched/ring.h"

/* Half as many as wanted, and again, but at least one. */
static uint32_t count_of(const struct lb_snapshot *s, const struct ring_rule *rule, size_t place,
			 uint32_t halvings)
{
	uint64_t wanted = rule->count_of(s, place), n = wanted >> halvings;

	return wanted && !n ? 1 : (uint32_t)n;
}

static uint64_t total_of(const struct lb_snapshot *s, const struct ring_rule *rule,
			 uint32_t halvings)
{
	uint64_t total = 0;

	for (size_t i = 0; i < s->n; i++)
		total += count_of(s, rule, i, halvings);
	return total;
}

static uint32_t halvings_of(const struct lb_snapshot *s, const struct ring_rule *rule)
{
	uint32_t halvings = 0;

	while (total_of(s, rule, halvings) > RING_POINTS_MAX) /* ends: one each does fit */
		halvings++;
	return halvings;
}

/* The index has 2^bits entries, as many as points or up to twice that; at least 2. */
static uint32_t bits_of(uint64_t n)
{
	uint32_t bits = 1;

	while (UINT64_C(1) << bits < n)
		bits++;
	return bits;
}

size_t ring_size(const struct lb_snapshot *s, const struct ring_rule *rule)
{
	uint64_t n = total_of(s, rule, halvings_of(s, rule));

	return sizeof(struct ring) + n * sizeof(struct ring_point) +
	       ((UINT64_C(1) << bits_of(n)) + 1) * sizeof(uint32_t);
}

static void count_point(struct ring *r, uint32_t hash, uint32_t place)
{
	uint32_t *first = (uint32_t *)(r->at + r->n);

	first[(hash >> r->shift) + 1]++;
}

/* Into its entry's part of the array, sorted; of equal ones the first put comes first. */
static void put_point(struct ring *r, uint32_t hash, uint32_t place)
{
	uint32_t *first = (uint32_t *)(r->at + r->n), entry = hash >> r->shift;
	uint32_t i = first[entry]++;

	for (; i && r->at[i - 1].hash > hash; i--) /* places still free have hash 0 */
		r->at[i] = r->at[i - 1];
	r->at[i] = (struct ring_point){hash, place};
}

static void each_point(const struct lb_snapshot *s, const struct ring_rule *rule, uint32_t halvings,
		       void (*put)(struct ring *, uint32_t, uint32_t), struct ring *r)
{
	for (size_t i = 0; i < s->n; i++)
		rule->points_of(s, i, count_of(s, rule, i, halvings), put, r);
}

/*
 * A counting sort by index entry: count, sum up, put. Between the passes an entry is where its next point
 * goes; in the end that is where the next entry begins, so all move up by one.
 */
void ring_build(const struct lb_snapshot *s, const struct ring_rule *rule, struct ring *r)
{
	uint32_t halvings = halvings_of(s, rule), *first;
	size_t n_entries;

	r->n = (uint32_t)total_of(s, rule, halvings);
	r->shift = 32 - bits_of(r->n);
	n_entries = (size_t)1 << bits_of(r->n);
	first = (uint32_t *)(r->at + r->n);
	each_point(s, rule, halvings, count_point, r);
	for (size_t i = 0; i < n_entries; i++)
		first[i + 1] += first[i];
	each_point(s, rule, halvings, put_point, r);
	memmove(first + 1, first, n_entries * sizeof(*first));
	first[0] = 0;
}
