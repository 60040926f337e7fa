/* SPDX-License-Identifier: MIT */
/* What the files of a node share: host.c, clock.c, call.c, callback.c, hear.c. */
#ifndef SIM_HOST_H
#define SIM_HOST_H

#include "world.h"

/* clock.c */
uint64_t true_ns(const struct node *n,
		 uint64_t local); /* the first moment at which its clock shows it */
uint64_t now_of(const struct router *r);
/* CLOCK_REALTIME is kept right: by NTP, and after a suspend from the machine's own clock. */
uint64_t realtime_offset_ns(const struct node *n);

/* call.c: around every call into the engine. `p` is what was received. */
void call_begin(struct router *r, enum cause cause);
void call_end(struct router *r, const struct packet *p);
bool is_mate(const struct router *a, const struct router *b);

/* All that a call to one may change: itself and the members of its group. */
#define for_each_mate(m, r)                                         \
	for (struct router *m = (r)->node->router;                  \
	     m < (r)->node->router + (r)->node->w->plan.n_vrs; m++) \
		if (m->v && is_mate(m, r))

/* callback.c */
extern const struct ha_vrrp_ops host_ops;

#endif
