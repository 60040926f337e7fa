/* SPDX-License-Identifier: MIT */
/*
 * fo and ovf: weighted failover and overflow, as IPVS has them (Linux net/netfilter/ipvs/ip_vs_fo.c,
 * ip_vs_ovf.c). The greatest weight takes everything, the first in the list among equals, newest first;
 * with ovf the weight is a capacity as well, and what is beyond it goes to the next. O(log n), see
 * least.h.
 */
#include <inttypes.h>
#include <stdio.h>

#include "libsched/algos.h"
#include "libsched/least.h"

static uint64_t fo_key(const struct lb_snapshot *s, size_t place, const struct least *t,
		       struct least_seen seen)
{
	return s->max_weight - s->at[place].weight;
}

/* The kernel compares before it counts, so one more than the weight fits. */
static uint64_t ovf_key(const struct lb_snapshot *s, size_t place, const struct least *t,
			struct least_seen seen)
{
	return seen.active > s->at[place].weight ? LEAST_NEVER : fo_key(s, place, t, seen);
}

static void fo_note(const struct lb_snapshot *s, const void *cursor, const struct lb_query *q,
		    size_t place, ssize_t chosen, char *buf, size_t cap)
{
	if ((ssize_t)place == chosen)
		snprintf(buf, cap, "no usable weight is above its %" PRIu32, s->at[place].weight);
	else if (chosen >= 0 && s->at[place].weight < s->at[chosen].weight)
		snprintf(buf, cap, "its weight %" PRIu32 " is below %" PRIu32, s->at[place].weight,
			 s->at[chosen].weight);
	else if (chosen >= 0)
		snprintf(buf, cap, "the same weight, later in the list");
}

static void ovf_note(const struct lb_snapshot *s, const void *cursor, const struct lb_query *q,
		     size_t place, ssize_t chosen, char *buf, size_t cap)
{
	const uint32_t active = least_seen(cursor)[place].active;

	if ((ssize_t)place != chosen && active > s->at[place].weight)
		snprintf(buf, cap, "%" PRIu32 " connections exceed its weight %" PRIu32, active,
			 s->at[place].weight);
	else
		fo_note(s, cursor, q, place, chosen, buf, cap);
}

LEAST_HOOKS(fo, false)
LEAST_HOOKS(ovf, false)

const struct lb_algo algo_fo = {
    .size = sizeof(algo_fo),
    .name = "fo",
    .flags = LB_ALGO_NEWEST_FIRST | LB_ALGO_STEADY_WEIGHTS,
    .note = fo_note,
    LEAST_OPS(fo),
};

const struct lb_algo algo_ovf = {
    .size = sizeof(algo_ovf),
    .name = "ovf",
    .flags = LB_ALGO_NEWEST_FIRST | LB_ALGO_STEADY_WEIGHTS,
    .note = ovf_note,
    LEAST_OPS(ovf),
};
