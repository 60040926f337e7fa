/* SPDX-License-Identifier: MIT */
#include "quorum.h"

static uint64_t weight_alive(const struct quorum *q)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < q->n; i++)
		if (q->real[i].alive)
			sum += q->real[i].weight;
	return sum;
}

void quorum_start(struct quorum *q)
{
	q->up = true;
	quorum_judge(q);
}

bool quorum_judge(struct quorum *q)
{
	uint64_t alive = weight_alive(q);
	bool was = q->up;

	if (q->up)
		q->up = alive && alive + q->hysteresis >= q->quorum;
	else
		q->up = alive && alive >= (uint64_t)q->quorum + q->hysteresis;
	return q->up != was;
}

static struct quorum_dest dest(bool in, bool inhibit, uint32_t weight)
{
	return (struct quorum_dest){.present = in || inhibit, .weight = in ? weight : 0};
}

struct quorum_dest quorum_real_dest(const struct quorum *q, size_t i)
{
	const struct quorum_real *r = &q->real[i];

	return dest(r->alive && (q->up || !q->has_sorry), r->inhibit, r->weight);
}

struct quorum_dest quorum_sorry_dest(const struct quorum *q)
{
	return dest(q->has_sorry && !q->up, q->has_sorry && q->sorry_inhibit, q->sorry_weight);
}
