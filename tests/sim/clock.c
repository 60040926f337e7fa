/* SPDX-License-Identifier: MIT */
/* A node's clocks: shifted, and a little too fast or too slow. */
#include "host.h"

uint64_t local_ns(const struct node *n, uint64_t true_ns)
{
	int64_t since = (int64_t)(true_ns - n->w->start_ns);

	return true_ns + (uint64_t)n->shift_ns + (uint64_t)(since / 1000000 * n->drift_ppm) +
	       (uint64_t)(since % 1000000 * n->drift_ppm / 1000000);
}

uint64_t true_ns(const struct node *n, uint64_t local)
{
	int64_t since = (int64_t)(local - (uint64_t)n->shift_ns - n->w->start_ns);
	uint64_t t = n->w->start_ns + (uint64_t)since;
	int64_t rate = 1000000 + n->drift_ppm;

	if (!n->drift_ppm)
		return t;
	t -= (uint64_t)(since / rate * n->drift_ppm + since % rate * n->drift_ppm / rate);
	while (local_ns(n, t) > local)
		t--;
	while (local_ns(n, t) < local)
		t++;
	return t;
}

uint64_t realtime_offset_ns(const struct node *n)
{
	return UINT64_C(1700000000) * SECOND - (uint64_t)n->shift_ns;
}

uint64_t now_of(const struct router *r)
{
	return local_ns(r->node, r->node->w->now_ns);
}
