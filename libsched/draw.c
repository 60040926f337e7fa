/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "libsched/draw.h"

size_t draw_table_size(const struct lb_snapshot *s)
{
	return sizeof(struct draw_table) + s->n * sizeof(struct draw_slot);
}

/*
 * Every slot holds the same: total/n, or `total` when weights count n times. Who has less is filled up by
 * one who has more, until nobody has.
 */
static void fill(const struct lb_snapshot *s, size_t favoured, uint64_t *left, uint32_t *poor,
		 uint32_t *rich, struct draw_slot *slot)
{
	const uint64_t full = s->total_weight + (favoured < s->n);
	size_t n_poor = 0, n_rich = 0;

	for (size_t i = 0; i < s->n; i++) {
		left[i] = ((uint64_t)s->at[i].weight + (i == favoured)) * s->n;
		slot[i] = (struct draw_slot){UINT32_MAX, (uint32_t)i};
		if (left[i] < full)
			poor[n_poor++] = (uint32_t)i;
		else
			rich[n_rich++] = (uint32_t)i;
	}
	while (n_poor && n_rich) {
		uint32_t p = poor[--n_poor], r = rich[n_rich - 1];

		slot[p] = (struct draw_slot){(uint32_t)((left[p] << 32) / full), r};
		left[r] -= full - left[p];
		if (left[r] < full) {
			n_rich--;
			poor[n_poor++] = r;
		}
	}
}

int draw_table_build_for(const struct lb_snapshot *s, size_t favoured, void *table)
{
	struct draw_table *t = table;
	uint64_t *left;

	if (!s->n_usable)
		return 0;
	left = mem_array(s->n, sizeof(*left) + 2 * sizeof(uint32_t));
	if (!left)
		return -ENOMEM;
	fill(s, favoured, left, (uint32_t *)(left + s->n), (uint32_t *)(left + s->n) + s->n,
	     t->slot);
	t->even = favoured == s->n && s->total_weight == (uint64_t)s->max_weight * s->n;
	mem_free(left);
	return 0;
}

int draw_table_build(const struct lb_snapshot *s, const struct lb_snapshot *old, void *table)
{
	return draw_table_build_for(s, s->n, table);
}
