/* SPDX-License-Identifier: MIT */
/* From "which real servers are alive" to "which are in use": quorum, sorry server, inhibit. Pure. */
#ifndef VIPD_QUORUM_H
#define VIPD_QUORUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "orders.h"

#define QUORUM_ABSENT (-1) /* a weight: the real server is not in the kernel's table */

struct quorum_real {
	int32_t weight;
	bool alive;
	bool inhibit;  /* out of use: weight 0 instead of absent */
	uint8_t admin; /* enum order_admin: who is not ready counts as without weight */
};

struct quorum {
	int64_t quorum, hysteresis;
	bool has_sorry, sorry_inhibit; /* inhibit: weight 0 instead of absent while not needed */
	int32_t sorry_weight;
	bool up;
};

/* The sum of the weights of those that live. */
int64_t quorum_live_weight(const struct quorum_real *r, size_t n);

/*
 * Up is lost when the live weight falls below quorum - hysteresis or to 0, and gained from
 * quorum + hysteresis on. True: q->up changed.
 */
bool quorum_update(struct quorum *q, const struct quorum_real *r, size_t n);

/* The weight of each in the kernel's table, n + 1 of them: the sorry server's is the last. */
void quorum_weights(const struct quorum *q, const struct quorum_real *r, size_t n, int32_t *ret);

#endif
