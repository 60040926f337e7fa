/* SPDX-License-Identifier: MIT */
/*
 * One counter carries HAProxy, keepalived and Envoy: `left`, how many verdicts against the present state
 * it still takes to leave it. A verdict against counts it down, one for the state refills it. A start
 * that hangs by a thread (HAProxy's "up, but the first failure drops it") is left = 1. F5 has a clock
 * instead: with silence_ns failures do not count, only the time since the last success does.
 */
#include <errno.h>

#include <libhealth/filter.h>

#include "base/sized.h"

#define NEVER UINT64_MAX

struct filter {
	struct health_filter_opts o; /* with defaults filled in */
	enum health_state state;
	enum health_state rising_to; /* what the last success would make of it */
	enum health_reason reason;
	enum health_verdict last;
	uint32_t left;
	uint32_t ok_run, fail_run;
	bool held; /* manual_resume */
	bool edge; /* no verdict since the state came up or went down */
	uint64_t changes, since_ns, last_ok_ns;
	uint64_t quiet_from_ns; /* silence_ns counts from here */
	uint64_t settled_at_ns; /* settle_ns ends here; NEVER: it does not run */
};

_Static_assert(sizeof(struct filter) <= sizeof(struct health_filter),
	       "the public room is too small");

static struct filter *own(struct health_filter *f)
{
	return (struct filter *)(void *)f;
}

static const struct filter *own_const(const struct health_filter *f)
{
	return (const struct filter *)(const void *)f;
}

bool health_verdict_is_ok(enum health_verdict verdict)
{
	return verdict == HEALTH_OK || verdict == HEALTH_OK_DRAIN || verdict == HEALTH_DEGRADED;
}

bool health_state_is_up(enum health_state state)
{
	return state >= HEALTH_STATE_DRAIN && state <= HEALTH_STATE_UP;
}

int health_filter_preset(enum health_school school, struct health_filter_opts *ret)
{
	const uint64_t s = UINT64_C(1000000000);
	struct health_filter_opts o = {0};

	switch (school) {
	case HEALTH_SCHOOL_HAPROXY:
		o.rise = HEALTH_RISE_DEFAULT;
		o.fall = HEALTH_FALL_DEFAULT;
		o.interval_ns = o.fast_ns = o.down_ns = HEALTH_INTERVAL_DEFAULT_NS;
		break;
	case HEALTH_SCHOOL_KEEPALIVED:
		o.rise = 1;
		o.fall = 2;
		o.interval_ns = o.down_ns = 60 * s;
		o.retry_ns = s;
		break;
	case HEALTH_SCHOOL_F5:
		o.rise = o.fall = 1;
		o.start = HEALTH_START_UNKNOWN;
		o.interval_ns = o.fast_ns = o.down_ns = 5 * s;
		o.silence_ns = 16 * s;
		break;
	case HEALTH_SCHOOL_ENVOY:
		o.rise = 2;
		o.fall = 3;
		o.start = HEALTH_START_UNKNOWN;
		o.interval_ns = o.down_ns = 5 * s;
		break;
	default:
		return -EINVAL;
	}
	return sized_out(ret, &o, sizeof(o));
}

static bool is_interval(uint64_t ns)
{
	return !ns || (ns >= HEALTH_INTERVAL_MIN_NS && ns <= HEALTH_TIME_MAX_NS);
}

static bool opts_valid(const struct health_filter_opts *o)
{
	return o->rise <= HEALTH_COUNT_MAX && o->fall <= HEALTH_COUNT_MAX &&
	       (unsigned int)o->start <= HEALTH_START_UNKNOWN && is_interval(o->interval_ns) &&
	       is_interval(o->fast_ns) && is_interval(o->down_ns) && is_interval(o->retry_ns) &&
	       is_interval(o->up_edge_ns) && is_interval(o->down_edge_ns) &&
	       o->silence_ns <= HEALTH_TIME_MAX_NS && o->settle_ns <= HEALTH_TIME_MAX_NS;
}

static void fill_defaults(struct health_filter_opts *o)
{
	if (!o->rise)
		o->rise = HEALTH_RISE_DEFAULT;
	if (!o->fall)
		o->fall = HEALTH_FALL_DEFAULT;
	if (!o->interval_ns)
		o->interval_ns = HEALTH_INTERVAL_DEFAULT_NS;
	if (!o->down_ns)
		o->down_ns = o->interval_ns;
}

/* The state and the counter of a start; the rest of a fresh filter is the same for all. */
static void begin(struct filter *f, enum health_start start, uint64_t now_ns)
{
	switch (start) {
	case HEALTH_START_UP:
		f->state = HEALTH_STATE_UP;
		f->left = 1;
		break;
	case HEALTH_START_FULLY_UP:
		f->state = HEALTH_STATE_UP;
		f->left = f->o.fall;
		break;
	case HEALTH_START_DOWN:
		f->state = HEALTH_STATE_DOWN;
		f->left = 1;
		break;
	case HEALTH_START_FULLY_DOWN:
		f->state = HEALTH_STATE_DOWN;
		f->left = f->o.rise;
		break;
	case HEALTH_START_UNKNOWN:
		f->state = HEALTH_STATE_UNKNOWN;
		f->left = 1;
		break;
	}
	f->rising_to = HEALTH_STATE_UP;
	f->ok_run = f->fail_run = 0;
	f->held = f->edge = false;
	f->quiet_from_ns = now_ns;
	f->settled_at_ns = NEVER;
}

int health_filter_init(struct health_filter *pub, const struct health_filter_opts *o,
		       uint64_t now_ns)
{
	const struct health_filter_opts defaults = {.size = sizeof(defaults)};
	struct filter f = {0};
	int r;

	if (!pub)
		return -EINVAL;
	r = sized_in(&f.o, sizeof(f.o), o ? o : &defaults);
	if (r < 0)
		return r;
	if (!opts_valid(&f.o))
		return -EINVAL;
	fill_defaults(&f.o);
	begin(&f, f.o.start, now_ns);
	f.since_ns = now_ns;
	memset(pub, 0, sizeof(*pub));
	memcpy(pub, &f, sizeof(f));
	return 0;
}

/* Every change of state goes through here. */
static bool change(struct filter *f, enum health_state to, enum health_reason reason,
		   uint64_t now_ns)
{
	bool up = health_state_is_up(to);

	if (to == f->state)
		return false;
	if (!up || !health_state_is_up(f->state)) {
		f->edge = true;
		f->left = up ? f->o.fall : f->o.rise;
		f->held = !up && f->o.manual_resume && reason != HEALTH_REASON_OPERATOR;
		f->settled_at_ns = NEVER;
	}
	f->state = to;
	f->reason = reason;
	f->since_ns = now_ns;
	f->changes++;
	return true;
}

/* Comes up when nothing is missing: successes, the settling time, an operator's word. */
static bool try_rise(struct filter *f, enum health_reason reason, uint64_t now_ns)
{
	if (f->left)
		return false;
	if (f->o.settle_ns && f->settled_at_ns == NEVER)
		f->settled_at_ns = now_ns + f->o.settle_ns;
	if (f->held || (f->o.settle_ns && now_ns < f->settled_at_ns))
		return false;
	return change(f, f->rising_to, reason, now_ns);
}

static bool success(struct filter *f, enum health_state to, uint64_t now_ns)
{
	f->fail_run = 0;
	if (f->ok_run < UINT32_MAX)
		f->ok_run++;
	f->last_ok_ns = f->quiet_from_ns = now_ns;
	f->rising_to = to;
	if (health_state_is_up(f->state)) {
		f->left = f->o.fall;
		return change(f, to, HEALTH_REASON_SAYS_SO, now_ns);
	}
	if (f->left)
		f->left--;
	return try_rise(f, f->o.settle_ns ? HEALTH_REASON_SETTLED : HEALTH_REASON_RISE, now_ns);
}

static uint64_t silent_at(const struct filter *f)
{
	if (!f->o.silence_ns || f->state == HEALTH_STATE_DOWN)
		return NEVER;
	return f->quiet_from_ns + f->o.silence_ns;
}

static bool failure(struct filter *f, bool now, uint64_t now_ns)
{
	f->ok_run = 0;
	if (f->fail_run < UINT32_MAX)
		f->fail_run++;
	f->settled_at_ns = NEVER;
	if (f->state == HEALTH_STATE_DOWN) {
		f->left = f->o.rise;
		return false;
	}
	if (now)
		return change(f, HEALTH_STATE_DOWN, HEALTH_REASON_FAIL_NOW, now_ns);
	if (f->o.silence_ns) {
		if (f->state == HEALTH_STATE_UNKNOWN)
			f->left = 1;
		return now_ns >= silent_at(f) &&
		       change(f, HEALTH_STATE_DOWN, HEALTH_REASON_SILENCE, now_ns);
	}
	if (f->state == HEALTH_STATE_UNKNOWN || f->left <= 1)
		return change(f, HEALTH_STATE_DOWN, HEALTH_REASON_FALL, now_ns);
	f->left--;
	return false;
}

bool health_filter_feed(struct health_filter *pub, enum health_verdict verdict, uint64_t now_ns)
{
	struct filter *f = own(pub);

	if (verdict == HEALTH_NEUTRAL || (unsigned int)verdict > HEALTH_FAIL_NOW)
		return false;
	f->last = verdict;
	f->edge = false;
	if (verdict == HEALTH_OK_DRAIN && !health_state_is_up(f->state))
		return failure(f, false, now_ns);
	switch (verdict) {
	case HEALTH_OK:
		return success(f, HEALTH_STATE_UP, now_ns);
	case HEALTH_OK_DRAIN:
		return success(f, HEALTH_STATE_DRAIN, now_ns);
	case HEALTH_DEGRADED:
		return success(f, HEALTH_STATE_DEGRADED, now_ns);
	default:
		return failure(f, verdict == HEALTH_FAIL_NOW, now_ns);
	}
}

uint64_t health_filter_deadline(const struct health_filter *pub)
{
	const struct filter *f = own_const(pub);
	uint64_t silent = silent_at(f), settled = f->held ? NEVER : f->settled_at_ns;

	return silent < settled ? silent : settled;
}

bool health_filter_tick(struct health_filter *pub, uint64_t now_ns)
{
	struct filter *f = own(pub);

	if (now_ns < health_filter_deadline(pub))
		return false;
	if (silent_at(f) < f->settled_at_ns)
		return change(f, HEALTH_STATE_DOWN, HEALTH_REASON_SILENCE, now_ns);
	return try_rise(f, HEALTH_REASON_SETTLED, now_ns);
}

bool health_filter_set(struct health_filter *pub, enum health_start start, uint64_t now_ns)
{
	struct filter *f = own(pub);
	enum health_state before = f->state;

	if ((unsigned int)start > HEALTH_START_UNKNOWN)
		return false;
	begin(f, start, now_ns);
	if (f->state == before)
		return false;
	f->reason = HEALTH_REASON_OPERATOR;
	f->since_ns = now_ns;
	f->changes++;
	return true;
}

bool health_filter_resume(struct health_filter *pub, uint64_t now_ns)
{
	struct filter *f = own(pub);

	if (!f->held)
		return false;
	f->held = false;
	return try_rise(f, HEALTH_REASON_OPERATOR, now_ns);
}

void health_filter_rebase(struct health_filter *pub, uint64_t now_ns)
{
	struct filter *f = own(pub);

	f->quiet_from_ns = now_ns;
	if (f->settled_at_ns != NEVER)
		f->settled_at_ns = now_ns + f->o.settle_ns;
	if (!f->changes && !f->last)
		f->since_ns = now_ns;
}

enum health_state health_filter_state(const struct health_filter *pub)
{
	return own_const(pub)->state;
}

/* Some, but not enough, verdicts against the present state. */
static bool in_transition(const struct filter *f)
{
	if (health_state_is_up(f->state))
		return f->o.silence_ns ? f->fail_run > 0 : f->left < f->o.fall;
	return !f->held && f->left < f->o.rise;
}

enum health_interval health_filter_interval(const struct health_filter *pub)
{
	const struct filter *f = own_const(pub);
	bool up = health_state_is_up(f->state);

	if (f->edge && (up ? f->o.up_edge_ns : f->o.down_edge_ns))
		return HEALTH_INTERVAL_EDGE;
	if (up && f->fail_run && f->o.retry_ns)
		return HEALTH_INTERVAL_RETRY;
	if (f->o.fast_ns && (f->state == HEALTH_STATE_UNKNOWN || in_transition(f)))
		return HEALTH_INTERVAL_FAST;
	return f->state == HEALTH_STATE_DOWN ? HEALTH_INTERVAL_DOWN : HEALTH_INTERVAL_NORMAL;
}

uint64_t health_filter_interval_ns(const struct health_filter *pub)
{
	const struct filter *f = own_const(pub);

	switch (health_filter_interval(pub)) {
	case HEALTH_INTERVAL_EDGE:
		return health_state_is_up(f->state) ? f->o.up_edge_ns : f->o.down_edge_ns;
	case HEALTH_INTERVAL_RETRY:
		return f->o.retry_ns;
	case HEALTH_INTERVAL_FAST:
		return f->o.fast_ns;
	case HEALTH_INTERVAL_DOWN:
		return f->o.down_ns;
	default:
		return f->o.interval_ns;
	}
}

int health_filter_status(const struct health_filter *pub, struct health_filter_status *ret)
{
	const struct filter *f = own_const(pub);

	if (!pub)
		return -EINVAL;
	return sized_out(ret,
			 &(struct health_filter_status){
			     .state = f->state,
			     .reason = f->reason,
			     .last = f->last,
			     .rise = f->o.rise,
			     .fall = f->o.fall,
			     .left = f->left,
			     .ok_run = f->ok_run,
			     .fail_run = f->fail_run,
			     .held = f->held,
			     .settling = f->settled_at_ns != NEVER,
			     .changes = f->changes,
			     .since_ns = f->since_ns,
			     .last_ok_ns = f->last_ok_ns,
			 },
			 sizeof(*ret));
}
