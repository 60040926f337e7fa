/* SPDX-License-Identifier: MIT */
#include "health/quorum.h"

int64_t quorum_live_weight(const struct quorum_real *r, size_t n)
{
	int64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		if (r[i].alive && r[i].admin == ORDER_READY)
			sum += r[i].weight;
	return sum;
}

bool quorum_update(struct quorum *q, const struct quorum_real *r, size_t n)
{
	int64_t live = quorum_live_weight(r, n);
	bool up = q->up ? live > 0 && live >= q->quorum - q->hysteresis
			: live > 0 && live >= q->quorum + q->hysteresis;
	bool changed = up != q->up;

	q->up = up;
	return changed;
}

void quorum_weights(const struct quorum *q, const struct quorum_real *r, size_t n, int32_t *ret)
{
	bool sorry = q->has_sorry && !q->up;

	for (size_t i = 0; i < n; i++) {
		bool in_use = r[i].alive && !sorry;

		if (r[i].admin == ORDER_DISABLED)
			ret[i] = QUORUM_ABSENT;
		else if (r[i].admin == ORDER_DRAIN)
			ret[i] = r[i].alive || r[i].inhibit
				     ? 0
				     : QUORUM_ABSENT; /* beside a sorry server, too */
		else
			ret[i] = in_use ? r[i].weight : r[i].inhibit ? 0 : QUORUM_ABSENT;
	}
	ret[n] = sorry ? q->sorry_weight : q->has_sorry && q->sorry_inhibit ? 0 : QUORUM_ABSENT;
}
