/* SPDX-License-Identifier: MIT */
/*
 * One state of many: all of a server's monitors, so many of a pool's servers, so much weight of them. Pure: no
 * I/O, no clock, no heap; a member is nothing but a state and a weight, told when it changes.
 *
 *	all of    F5 "monitor a and b", Envoy's several health checks, keepalived's several checkers
 *	min of    F5 "min N of { … }"
 *	weight    keepalived's quorum and hysteresis
 *
 * The result is the best state for which enough members are as good or better: with "min 2 of" the states UP,
 * DEGRADED, DOWN make DEGRADED. Members whose state is not known yet count as worse than draining ones and better than those
 * that are down.
 */
#ifndef LIBHEALTH_COMPOSE_H
#define LIBHEALTH_COMPOSE_H

#include <libhealth/filter.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HEALTH_COMPOSE_WEIGHT_MAX 1000000000u /* of one member; the sum of all stays below 2^63 */
#define HEALTH_COMPOSE_MEMBERS_MAX 1000000u

enum health_rule {
	HEALTH_RULE_ALL = 0,
	HEALTH_RULE_MIN = 1,	/* `need` members */
	HEALTH_RULE_WEIGHT = 2, /* members of a weight of `need` together */
};

/* Zero: all of. */
struct health_compose_opts {
	size_t size;
	enum health_rule rule;
	uint32_t
	    starts_up; /* not 0: what comes first is judged as if it had been up (keepalived) */
	uint64_t need; /* of MIN and WEIGHT, at least 1 */
	/* Once up it goes down only below need - hysteresis, once down it comes up only from need + hysteresis
	 * on (keepalived); below `need`. Not with ALL. */
	uint64_t hysteresis;
};

/* The caller's memory. Only the functions below look inside. */
struct health_compose {
	uint64_t opaque[20];
};

/*
 * Makes a composition without members: its state is UNKNOWN, or UP with starts_up. Nothing to free. `o` NULL: all
 * of. 0; -EINVAL: an unknown rule, `need` 0 with MIN or WEIGHT, hysteresis out of its range; -E2BIG.
 */
LIBHEALTH_API int health_compose_init(struct health_compose *c,
				      const struct health_compose_opts *o);

/*
 * A member comes, changes its state or its weight, or goes; the caller remembers what it said of it before.
 * Weights are of no interest to ALL and MIN. True: health_compose_state changed. A state or a weight out of range, or
 * a member that never came, does nothing.
 */
LIBHEALTH_API bool health_compose_add(struct health_compose *c, enum health_state state,
				      uint32_t weight);
LIBHEALTH_API bool health_compose_change(struct health_compose *c, enum health_state from,
					 uint32_t from_weight, enum health_state to,
					 uint32_t to_weight);
LIBHEALTH_API bool health_compose_remove(struct health_compose *c, enum health_state state,
					 uint32_t weight);

/* The state of all together. */
LIBHEALTH_API enum health_state health_compose_state(const struct health_compose *c);

/* What it is made of. */
struct health_compose_status {
	size_t size;
	enum health_state state;
	uint32_t members;
	uint32_t up;	   /* of these, by health_state_is_up */
	uint32_t reserved; /* 0 */
	uint64_t have;	   /* members or weight that are up */
	uint64_t need;	   /* of these, for the present state to change or stay: with hysteresis */
};

/* Copies out. 0; -EINVAL: an argument is NULL, or ret is too small for its size field. */
LIBHEALTH_API int health_compose_status(const struct health_compose *c,
					struct health_compose_status *ret);

#ifdef __cplusplus
}
#endif
#endif
