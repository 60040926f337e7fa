/* SPDX-License-Identifier: MIT */
/*
 * One sum for each state. From the best state down, sums add up; where they reach what is needed, that state
 * is the result. "All of" needs as much as there is.
 */
#include <errno.h>
#include <string.h>

#include <libhealth/compose.h>

#include "base/sized.h"

#define STATES (HEALTH_STATE_UP + 1)

struct compose {
	struct health_compose_opts o;
	enum health_state state;
	uint32_t members[STATES];
	uint64_t sum[STATES]; /* members, or their weight */
};

_Static_assert(sizeof(struct compose) <= sizeof(struct health_compose),
	       "the public room is too small");

/* Better comes first. */
static const enum health_state order[STATES] = {
    HEALTH_STATE_UP,	  HEALTH_STATE_DEGRADED, HEALTH_STATE_DRAIN,
    HEALTH_STATE_UNKNOWN, HEALTH_STATE_DOWN,
};

static struct compose *own(struct health_compose *c)
{
	return (struct compose *)(void *)c;
}

static const struct compose *own_const(const struct health_compose *c)
{
	return (const struct compose *)(const void *)c;
}

int health_compose_init(struct health_compose *pub, const struct health_compose_opts *o)
{
	const struct health_compose_opts defaults = {.size = sizeof(defaults)};
	struct compose c = {0};
	int r;

	if (!pub)
		return -EINVAL;
	r = sized_in(&c.o, sizeof(c.o), o ? o : &defaults);
	if (r < 0)
		return r;
	if ((unsigned int)c.o.rule > HEALTH_RULE_WEIGHT ||
	    (c.o.rule == HEALTH_RULE_ALL
		 ? c.o.need || c.o.hysteresis
		 : !c.o.need || c.o.hysteresis >= c.o.need || c.o.need > INT64_MAX))
		return -EINVAL;
	c.state = c.o.starts_up ? HEALTH_STATE_UP : HEALTH_STATE_UNKNOWN;
	memset(pub, 0, sizeof(*pub));
	memcpy(pub, &c, sizeof(c));
	return 0;
}

static uint64_t all(const struct compose *c)
{
	uint64_t sum = 0;

	for (int i = 0; i < STATES; i++)
		sum += c->sum[i];
	return sum;
}

static uint64_t needed(const struct compose *c)
{
	if (c->o.rule == HEALTH_RULE_ALL)
		return all(c);
	return health_state_is_up(c->state) ? c->o.need - c->o.hysteresis
					    : c->o.need + c->o.hysteresis;
}

static bool judge(struct compose *c)
{
	enum health_state before = c->state;
	uint64_t have = 0, need = needed(c);

	c->state = HEALTH_STATE_DOWN;
	if (!all(c) && c->o.rule == HEALTH_RULE_ALL) {
		c->state = HEALTH_STATE_UNKNOWN; /* nobody says anything */
		return c->state != before;
	}
	for (int i = 0; i < STATES; i++) {
		have += c->sum[order[i]];
		if (have >= need) {
			c->state = order[i];
			break;
		}
	}
	return c->state != before;
}

static bool is_member(enum health_state state, uint32_t weight)
{
	return (unsigned int)state < STATES && weight <= HEALTH_COMPOSE_WEIGHT_MAX;
}

static uint64_t share(const struct compose *c, uint32_t weight)
{
	return c->o.rule == HEALTH_RULE_WEIGHT ? weight : 1;
}

static void come(struct compose *c, enum health_state state, uint32_t weight)
{
	c->members[state]++;
	c->sum[state] += share(c, weight);
}

static bool go(struct compose *c, enum health_state state, uint32_t weight)
{
	if (!is_member(state, weight) || !c->members[state] || c->sum[state] < share(c, weight))
		return false;
	c->members[state]--;
	c->sum[state] -= share(c, weight);
	return true;
}

static uint32_t count(const struct compose *c)
{
	uint32_t n = 0;

	for (int i = 0; i < STATES; i++)
		n += c->members[i];
	return n;
}

bool health_compose_add(struct health_compose *pub, enum health_state state, uint32_t weight)
{
	struct compose *c = own(pub);

	if (!is_member(state, weight) || count(c) >= HEALTH_COMPOSE_MEMBERS_MAX)
		return false;
	come(c, state, weight);
	return judge(c);
}

bool health_compose_change(struct health_compose *pub, enum health_state from, uint32_t from_weight,
			   enum health_state to, uint32_t to_weight)
{
	struct compose *c = own(pub);

	if (!is_member(to, to_weight) || !go(c, from, from_weight))
		return false;
	come(c, to, to_weight);
	return judge(c);
}

bool health_compose_remove(struct health_compose *pub, enum health_state state, uint32_t weight)
{
	struct compose *c = own(pub);

	return go(c, state, weight) && judge(c);
}

enum health_state health_compose_state(const struct health_compose *pub)
{
	return own_const(pub)->state;
}

int health_compose_status(const struct health_compose *pub, struct health_compose_status *ret)
{
	const struct compose *c = own_const(pub);
	struct health_compose_status s;

	if (!pub)
		return -EINVAL;
	s = (struct health_compose_status){
	    .state = c->state, .members = count(c), .need = needed(c)};
	for (int i = 0; i < STATES; i++) {
		if (!health_state_is_up((enum health_state)i))
			continue;
		s.up += c->members[i];
		s.have += c->sum[i];
	}
	return sized_out(ret, &s, sizeof(s));
}
