/* SPDX-License-Identifier: MIT */
/*
 * One counter carries HAProxy, keepalived and Envoy: `left`, how many verdicts against the present state
 * it still takes to leave it. A verdict against counts it down, one for the state refills it. A start
 * that hangs by a thread (HAProxy's "up, but the first failure drops it") is left = 1. F5 has a clock
 * instead: with silence_ns failures do not count, only the time since the last success does.
 */
#include <errno.h>

#include <libhealth/filter.h>

#include "base/cursor.h"
#include "base/sized.h"
#include "decay.h"

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
	uint8_t override;	/* enum health_override */
	uint32_t penalty;	/* for flapping, at penalty_ns */
	uint64_t penalty_ns;
	uint64_t damped_until_ns; /* 0: not damped */
	uint64_t overridden_ns;	  /* since when the override is what it is */
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

static bool damping_valid(const struct health_filter_opts *o)
{
	return o->damp_half_life_ns <= HEALTH_TIME_MAX_NS && o->damp_max_ns <= HEALTH_TIME_MAX_NS &&
	       o->damp_suppress <= HEALTH_DAMP_PENALTY_MAX && o->damp_reuse < o->damp_suppress;
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
	if (!o->damp_suppress)
		o->damp_suppress = HEALTH_DAMP_SUPPRESS_DEFAULT;
	if (!o->damp_reuse)
		o->damp_reuse = HEALTH_DAMP_REUSE_DEFAULT;
	if (!o->damp_max_ns)
		o->damp_max_ns = 4 * o->damp_half_life_ns;
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
	if (!damping_valid(&f.o))
		return -EINVAL;
	begin(&f, f.o.start, now_ns);
	f.since_ns = now_ns;
	memset(pub, 0, sizeof(*pub));
	memcpy(pub, &f, sizeof(f));
	return 0;
}

/* A fall: the penalty grows; with too much of it there is no way up for a while. */
static void penalize(struct filter *f, uint64_t now_ns)
{
	uint64_t penalty, wait;

	if (!f->o.damp_half_life_ns)
		return;
	penalty = decay(f->penalty, now_ns - f->penalty_ns, f->o.damp_half_life_ns);
	penalty += HEALTH_DAMP_FLAP;
	f->penalty =
	    (uint32_t)(penalty < HEALTH_DAMP_PENALTY_MAX ? penalty : HEALTH_DAMP_PENALTY_MAX);
	f->penalty_ns = now_ns;
	if (f->penalty < f->o.damp_suppress)
		return;
	wait = decay_until(f->penalty, f->o.damp_reuse, f->o.damp_half_life_ns);
	f->damped_until_ns = now_ns + (wait < f->o.damp_max_ns ? wait : f->o.damp_max_ns);
}

/* What the host sees. */
static enum health_state visible(const struct filter *f)
{
	switch (f->override) {
	case HEALTH_OVERRIDE_UP:
		return HEALTH_STATE_UP;
	case HEALTH_OVERRIDE_DRAIN:
		return HEALTH_STATE_DRAIN;
	case HEALTH_OVERRIDE_DOWN:
		return HEALTH_STATE_DOWN;
	default:
		return f->state;
	}
}

/* Every change of state goes through here. True: it can be seen. */
static bool change(struct filter *f, enum health_state to, enum health_reason reason,
		   uint64_t now_ns)
{
	bool up = health_state_is_up(to);

	if (to == f->state)
		return false;
	if (!up && health_state_is_up(f->state))
		penalize(f, now_ns);
	if (!up || !health_state_is_up(f->state)) {
		f->edge = true;
		f->left = up ? f->o.fall : f->o.rise;
		f->held = !up && f->o.manual_resume && reason != HEALTH_REASON_OPERATOR;
		f->settled_at_ns = NEVER;
	}
	f->state = to;
	f->reason = reason;
	f->since_ns = now_ns;
	if (f->override)
		return false;
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
	if (f->held || (f->o.settle_ns && now_ns < f->settled_at_ns) || now_ns < f->damped_until_ns)
		return false;
	f->damped_until_ns = 0;
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

/* When a target that has all its successes may come up; NEVER: not by time. */
static uint64_t risen_at(const struct filter *f)
{
	uint64_t settled = f->o.settle_ns ? f->settled_at_ns : 0;

	if (health_state_is_up(f->state) || f->held || f->left)
		return NEVER;
	return settled > f->damped_until_ns ? settled : f->damped_until_ns;
}

uint64_t health_filter_deadline(const struct health_filter *pub)
{
	const struct filter *f = own_const(pub);
	uint64_t silent = silent_at(f), risen = risen_at(f);

	return silent < risen ? silent : risen;
}

bool health_filter_tick(struct health_filter *pub, uint64_t now_ns)
{
	struct filter *f = own(pub);
	uint64_t risen = risen_at(f);

	if (now_ns < health_filter_deadline(pub))
		return false;
	if (silent_at(f) < risen)
		return change(f, HEALTH_STATE_DOWN, HEALTH_REASON_SILENCE, now_ns);
	return try_rise(
	    f, risen && risen == f->damped_until_ns ? HEALTH_REASON_DAMPED : HEALTH_REASON_SETTLED,
	    now_ns);
}

bool health_filter_set(struct health_filter *pub, enum health_start start, uint64_t now_ns)
{
	struct filter *f = own(pub);
	enum health_state before = f->state;

	if ((unsigned int)start > HEALTH_START_UNKNOWN)
		return false;
	begin(f, start, now_ns);
	f->damped_until_ns = f->penalty = 0;
	if (f->state == before)
		return false;
	f->reason = HEALTH_REASON_OPERATOR;
	f->since_ns = now_ns;
	if (f->override)
		return false;
	f->changes++;
	return true;
}

bool health_filter_override(struct health_filter *pub, enum health_override override,
			    uint64_t now_ns)
{
	struct filter *f = own(pub);
	enum health_state before = visible(f);

	if ((unsigned int) override > HEALTH_OVERRIDE_DOWN || override == f->override)
		return false;
	f->override = (uint8_t) override;
	f->overridden_ns = now_ns;
	if (visible(f) == before)
		return false;
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
	return visible(own_const(pub));
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
			     .state = visible(f),
			     .reason = f->override ? HEALTH_REASON_OPERATOR : f->reason,
			     .last = f->last,
			     .rise = f->o.rise,
			     .fall = f->o.fall,
			     .left = f->left,
			     .ok_run = f->ok_run,
			     .fail_run = f->fail_run,
			     .held = f->held,
			     .settling = f->settled_at_ns != NEVER,
			     .changes = f->changes,
			     .since_ns = f->override ? f->overridden_ns : f->since_ns,
			     .last_ok_ns = f->last_ok_ns,
			     .override = (enum health_override)f->override,
			     .checked = f->state,
			     .penalty = f->penalty,
			     .damped = f->damped_until_ns && !health_state_is_up(f->state),
			     .damped_until_ns = f->damped_until_ns,
			 },
			 sizeof(*ret));
}

/* ---- freeze and thaw ---- */

#define FREEZE_MAGIC 0x68654c46u /* "heLF" */
#define FREEZE_VERSION 1

/* A time in the past becomes an age; NEVER and 0 stay what they are. */
static void write_age(struct writer *w, uint64_t then_ns, uint64_t now_ns)
{
	write_u8(w, then_ns != 0 && then_ns != NEVER);
	write_be64(w, now_ns - then_ns);
}

static uint64_t read_age(struct reader *r, uint64_t now_ns, uint64_t none)
{
	bool known = read_u8(r);
	uint64_t age = read_be64(r);

	return known ? now_ns - age : none;
}

ssize_t health_filter_freeze(const struct health_filter *pub, uint64_t now_ns, void *buf,
			     size_t cap)
{
	const struct filter *f = own_const(pub);
	struct writer w;

	if (!pub || !buf)
		return -EINVAL;
	w = writer_of(buf, cap);
	write_be32(&w, FREEZE_MAGIC);
	write_u8(&w, FREEZE_VERSION);
	write_u8(&w, (uint8_t)f->state);
	write_u8(&w, (uint8_t)f->rising_to);
	write_u8(&w, (uint8_t)f->reason);
	write_u8(&w, (uint8_t)f->last);
	write_u8(&w, f->override);
	write_u8(&w, (uint8_t)(f->held | f->edge << 1));
	write_be32(&w, f->left);
	write_be32(&w, f->ok_run);
	write_be32(&w, f->fail_run);
	write_be64(&w, f->changes);
	write_be32(&w, f->penalty);
	write_age(&w, f->since_ns, now_ns);
	write_age(&w, f->last_ok_ns, now_ns);
	write_age(&w, f->quiet_from_ns, now_ns);
	write_age(&w, f->settled_at_ns, now_ns);
	write_age(&w, f->penalty_ns, now_ns);
	write_age(&w, f->damped_until_ns, now_ns);
	write_age(&w, f->overridden_ns, now_ns);
	return w.bad ? -ENOBUFS : (ssize_t)writer_len(&w);
}

/* What these numbers can be, they are; the counter fits the options that are in force now. */
static bool thawed_valid(struct filter *f)
{
	uint32_t most = health_state_is_up(f->state) ? f->o.fall : f->o.rise;

	if (f->left > most)
		f->left = most;
	if (health_state_is_up(f->state) && !f->left)
		return false;
	return (unsigned int)f->state <= HEALTH_STATE_UP && health_state_is_up(f->rising_to) &&
	       (unsigned int)f->reason <= HEALTH_REASON_DAMPED &&
	       (unsigned int)f->last <= HEALTH_FAIL_NOW && f->override <= HEALTH_OVERRIDE_DOWN &&
	       f->penalty <= HEALTH_DAMP_PENALTY_MAX;
}

int health_filter_thaw(struct health_filter *pub, uint64_t now_ns, const void *buf, size_t len)
{
	struct filter f;
	struct reader r;
	uint8_t flags;

	if (!pub || !buf)
		return -EINVAL;
	f = *own(pub);
	r = reader_of(buf, len);
	if (read_be32(&r) != FREEZE_MAGIC || read_u8(&r) != FREEZE_VERSION)
		return -EBADMSG;
	f.state = (enum health_state)read_u8(&r);
	f.rising_to = (enum health_state)read_u8(&r);
	f.reason = (enum health_reason)read_u8(&r);
	f.last = (enum health_verdict)read_u8(&r);
	f.override = read_u8(&r);
	flags = read_u8(&r);
	f.held = flags & 1 && f.o.manual_resume;
	f.edge = flags & 2;
	f.left = read_be32(&r);
	f.ok_run = read_be32(&r);
	f.fail_run = read_be32(&r);
	f.changes = read_be64(&r);
	f.penalty = read_be32(&r);
	f.since_ns = read_age(&r, now_ns, 0);
	f.last_ok_ns = read_age(&r, now_ns, 0);
	f.quiet_from_ns = read_age(&r, now_ns, now_ns);
	f.settled_at_ns = read_age(&r, now_ns, NEVER);
	f.penalty_ns = read_age(&r, now_ns, 0);
	f.damped_until_ns = read_age(&r, now_ns, 0);
	f.overridden_ns = read_age(&r, now_ns, 0);
	if (r.bad || reader_left(&r) || !thawed_valid(&f))
		return -EBADMSG;
	*own(pub) = f;
	return 0;
}
