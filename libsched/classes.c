/* SPDX-License-Identifier: MIT */
#include "libsched/classes.h"

size_t classes_size(const struct lb_snapshot *s)
{
	return sizeof(struct classes) + 2 * s->n * sizeof(uint32_t);
}

static uint32_t class_of(const struct classes *c, uint32_t weight)
{
	uint32_t low = 0, high = c->n - 1;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (c->weight[middle] < weight)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void classes_build_in(const struct lb_snapshot *s, struct classes *c, uint32_t *room)
{
	uint64_t exists[(LB_WEIGHT_MAX + 1) / 64]; /* a bit for each weight */
	const uint32_t n = s->max_weight / 64 + 1; /* words that may have one */

	c->weight = room;
	c->of = c->weight + s->n;
	memset(exists, 0, n * sizeof(exists[0]));
	for (size_t i = 0; i < s->n; i++)
		exists[s->at[i].weight / 64] |= UINT64_C(1) << s->at[i].weight % 64;
	exists[0] &= ~UINT64_C(1);
	for (uint32_t i = 0; i < n; i++)
		for (uint64_t bits = exists[i]; bits; bits &= bits - 1)
			c->weight[c->n++] = i * 64 + (uint32_t)__builtin_ctzll(bits);
	for (size_t i = 0; i < s->n; i++)
		c->of[i] = s->at[i].weight ? class_of(c, s->at[i].weight) : c->n;
}

void classes_build(const struct lb_snapshot *s, struct classes *c)
{
	classes_build_in(s, c, (uint32_t *)(c + 1));
}
