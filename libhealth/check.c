/* SPDX-License-Identifier: MIT */
/* One check: made from its options, judged, planned, told to the host, asked and changed by it. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/mem.h"
#include "base/sized.h"
#include "engine.h"

/* ---- the host is told ---- */

/* What the host will be told, on the stack: a callback may change or remove the check. */
struct news {
	bool has_result, has_transition;
	struct health_result result;
	struct health_transition transition;
	char text[HEALTH_TEXT_MAX];
};

static void note_result(struct news *n, const struct health_check *c)
{
	n->has_result = true;
	n->result = c->last;
	memcpy(n->text, c->text, sizeof(n->text));
	n->result.text = n->text;
}

static void note_transition(struct news *n, const struct health_check *c, enum health_state before,
			    uint64_t now_ns)
{
	struct health_filter_status f = {.size = sizeof(f)};

	health_filter_status(&c->filter, &f);
	if (f.state == before)
		return;
	c->engine->stats.transitions++;
	n->has_transition = true;
	n->transition = (struct health_transition){
	    .size = sizeof(n->transition),
	    .from = before,
	    .to = f.state,
	    .reason = f.reason,
	    .code = c->last.code,
	    .now_ns = now_ns,
	    .ok_run = f.ok_run,
	    .fail_run = f.fail_run,
	    .rise = f.rise,
	    .fall = f.fall,
	};
}

/* The last act of a call, when everything is in order again. */
static void tell(struct health_check *c, const struct news *n)
{
	struct health_engine *e = c->engine;

	engine_enter(e);
	if (n->has_result && e->ops.result)
		e->ops.result(c, &n->result, c->userdata);
	if (n->has_transition && e->ops.transition && !c->removed)
		e->ops.transition(c, &n->transition, c->userdata);
	engine_leave(e);
}

/* ---- judging and planning ---- */

void check_arm_filter(struct health_check *c)
{
	uint64_t deadline = health_filter_deadline(&c->filter);
	int r = 0;

	if (deadline == HEAP_NEVER || c->condition == PAUSED || c->condition == FRESH)
		heap_disarm(&c->engine->filters, &c->filter_timer);
	else if (!c->filter_timer.place || c->filter_timer.deadline_ns != deadline)
		r = heap_arm(&c->engine->filters, &c->filter_timer, deadline);
	assert(r == 0); /* health_check_add reserved the room */
	(void)r;
}

static uint64_t next_interval(const struct health_check *c)
{
	return spread_jitter(c->engine->seed, c->id, c->starts,
			     health_filter_interval_ns(&c->filter), c->jitter_percent);
}

/* After a run: the next slot of the plan that is not past. What could not be kept is counted. */
static void plan(struct health_check *c, uint64_t now_ns)
{
	uint64_t interval = next_interval(c), missed = 0;
	bool from_end = c->flags & HEALTH_CHECK_FROM_END ||
			health_filter_interval(&c->filter) == HEALTH_INTERVAL_RETRY;

	c->planned_ns = (from_end ? now_ns : c->planned_ns) + interval;
	if (c->planned_ns < now_ns)
		missed = (now_ns - c->planned_ns + interval - 1) / interval;
	c->planned_ns += missed * interval;
	c->skipped += missed;
	c->engine->stats.skipped += missed;
	c->condition = IDLE;
	check_arm(c, c->planned_ns);
}

/* The filter changed outside of a run: an idle check whose interval became shorter starts earlier. */
static void hasten(struct health_check *c, uint64_t now_ns)
{
	uint64_t next = now_ns + next_interval(c);

	if (c->condition != IDLE || next >= c->planned_ns)
		return;
	c->planned_ns = next;
	check_arm(c, next);
}

static void count_result(struct health_check *c)
{
	struct health_engine_stats *s = &c->engine->stats;

	c->runs++;
	if (health_verdict_is_ok(c->last.verdict)) {
		s->ok++;
	} else if (c->last.verdict == HEALTH_NEUTRAL) {
		s->neutral++;
	} else {
		c->failures++;
		s->failed++;
		s->timeouts += c->last.error == ETIMEDOUT;
	}
}

static enum health_phase phase_of(const struct health_check *c)
{
	if (c->fd < 0)
		return HEALTH_PHASE_SOCKET;
	if (c->condition == CONNECT || probe_only_connects(c->probe))
		return HEALTH_PHASE_CONNECT;
	return HEALTH_PHASE_TALK;
}

void check_finish(struct health_check *c, const struct health_probe_io *answer, int error,
		  uint64_t now_ns)
{
	enum health_state before = health_check_state(c);
	struct news news = {0};

	assert(check_in_flight(c));
	c->last = (struct health_result){
	    .size = sizeof(c->last),
	    .verdict = answer->verdict,
	    .code = answer->code,
	    .phase = phase_of(c),
	    .error = error,
	    .status = answer->status,
	    .start_ns = c->start_ns,
	    .late_ns = c->late_ns,
	    .connect_ns = c->connect_ns,
	    .total_ns = now_ns - c->start_ns,
	};
	if (answer->code == HEALTH_CODE_L4CON && c->flags & HEALTH_CHECK_REFUSED_NOW &&
	    (error == ECONNREFUSED || error == ECONNRESET))
		c->last.verdict = HEALTH_FAIL_NOW;
	memcpy(c->text, answer->text, sizeof(c->text));
	check_halt(c);
	count_result(c);
	health_filter_feed(&c->filter, c->last.verdict, now_ns);
	plan(c, now_ns);
	check_arm_filter(c);
	note_result(&news, c);
	note_transition(&news, c, before, now_ns);
	tell(c, &news);
}

void check_tick(struct health_check *c, uint64_t now_ns)
{
	enum health_state before = health_check_state(c);
	struct news news = {0};

	health_filter_tick(&c->filter, now_ns);
	check_arm_filter(c);
	hasten(c, now_ns);
	note_transition(&news, c, before, now_ns);
	tell(c, &news);
}

/* ---- made and removed ---- */

static bool address_valid(const struct sockaddr *sa, socklen_t len)
{
	if (len < sizeof(sa->sa_family) || len > sizeof(struct sockaddr_storage))
		return false;
	switch (sa->sa_family) {
	case AF_INET:
		return len >= sizeof(struct sockaddr_in);
	case AF_INET6:
		return len >= sizeof(struct sockaddr_in6);
	case AF_UNIX:
		return len > offsetof(struct sockaddr_un, sun_path) &&
		       len <= sizeof(struct sockaddr_un);
	default:
		return false;
	}
}

static int opts_check(const struct health_check_opts *o)
{
	const uint32_t known = HEALTH_CHECK_AT_ONCE | HEALTH_CHECK_FROM_END |
			       HEALTH_CHECK_REFUSED_NOW | HEALTH_CHECK_PAUSED;
	sa_family_t family;

	if (!o->destination || o->destination_len < sizeof(family))
		return -EINVAL;
	family = o->destination->sa_family;
	if (family != AF_INET && family != AF_INET6 && family != AF_UNIX)
		return -EAFNOSUPPORT;
	if (!address_valid(o->destination, o->destination_len))
		return -EINVAL;
	if (family != AF_UNIX && !address_port(o->destination))
		return -EINVAL;
	if (o->source &&
	    (!address_valid(o->source, o->source_len) || o->source->sa_family != family))
		return -EINVAL;
	if (o->device && strnlen(o->device, HEALTH_DEVICE_MAX + 1) > HEALTH_DEVICE_MAX)
		return -EINVAL;
	if (o->flags & ~known || o->jitter_percent > HEALTH_JITTER_MAX_PERCENT)
		return -EINVAL;
	if (o->timeout_ns > HEALTH_TIME_MAX_NS || o->connect_timeout_ns > HEALTH_TIME_MAX_NS ||
	    o->start_within_ns > HEALTH_TIME_MAX_NS)
		return -EINVAL;
	return 0;
}

/* The interval a filter of these options settles at while up. */
static uint64_t settled_interval(const struct health_filter_opts *given)
{
	struct health_filter_opts o = {0};

	if (given)
		sized_in(&o, sizeof(o), given);
	return o.interval_ns ? o.interval_ns : HEALTH_INTERVAL_DEFAULT_NS;
}

static int fill(struct health_check *c, const struct health_check_opts *o)
{
	uint64_t interval;
	int r = health_filter_init(&c->filter, o->filter, 0);

	if (r < 0)
		return r;
	if (o->source) {
		c->source = mem_dup(o->source, o->source_len);
		if (!c->source)
			return -ENOMEM;
		c->source_len = o->source_len;
	}
	memcpy(&c->destination, o->destination, o->destination_len);
	c->destination_len = o->destination_len;
	if (o->device)
		snprintf(c->device, sizeof(c->device), "%s", o->device);
	c->fwmark = o->fwmark;
	c->flags = o->flags;
	c->jitter_percent = o->jitter_percent;
	interval = settled_interval(o->filter);
	c->timeout_ns = o->timeout_ns ? o->timeout_ns : interval;
	c->connect_timeout_ns = c->timeout_ns;
	if (o->connect_timeout_ns && o->connect_timeout_ns < c->timeout_ns)
		c->connect_timeout_ns = o->connect_timeout_ns;
	c->start_within_ns = o->start_within_ns ? o->start_within_ns : interval;
	return 0;
}

/* Room in both heaps, so that arming a timer never fails later. */
static int reserve_timers(struct health_engine *e)
{
	int r;

	if (e->stats.checks >= HEALTH_CHECKS_MAX)
		return -ENOSPC;
	r = heap_reserve(&e->timers, e->stats.checks + 1);
	return r < 0 ? r : heap_reserve(&e->filters, e->stats.checks + 1);
}

int health_check_add(struct health_engine *e, const struct health_check_opts *opts, void *userdata,
		     struct health_check **ret)
{
	struct health_check_opts o;
	struct health_probe *probe;
	struct health_check *c;
	int r;

	if (!e || !ret)
		return -EINVAL;
	r = sized_in(&o, sizeof(o), opts);
	if (r == 0)
		r = opts_check(&o);
	if (r == 0)
		r = reserve_timers(e);
	if (r < 0)
		return r;
	probe = o.probe ? o.probe : e->tcp;
	c = mem_zalloc(sizeof(*c) + probe->ops.state_size);
	if (!c)
		return -ENOMEM;
	c->engine = e;
	c->userdata = userdata;
	c->fd = -1;
	c->probe = probe_use(probe);
	list_init(&c->queue);
	list_init(&c->all);
	r = fill(c, &o);
	if (r < 0) {
		check_free(c);
		return r;
	}
	c->id = o.id ? o.id : ++e->next_id;
	c->last = (struct health_result){.size = sizeof(c->last), .code = HEALTH_CODE_INI};
	list_add_tail(&e->checks, &c->all);
	e->stats.checks++;
	if (!(o.flags & HEALTH_CHECK_PAUSED))
		check_refresh(c, o.flags & HEALTH_CHECK_AT_ONCE);
	*ret = c;
	return 0;
}

void check_free(struct health_check *c)
{
	list_remove(&c->all);
	health_probe_free(c->probe);
	mem_free(c->source);
	mem_free(c);
}

void health_check_remove(struct health_check *c)
{
	struct health_engine *e;

	if (!c || c->removed)
		return;
	e = c->engine;
	check_halt(c);
	c->removed = true;
	e->stats.checks--;
	list_remove(&c->all);
	if (e->depth)
		list_add_tail(&e->graves, &c->all);
	else
		check_free(c);
}

/* ---- changed by the host ---- */

void health_check_set_paused(struct health_check *c, bool paused)
{
	if (!c || c->removed || paused == (c->condition == PAUSED))
		return;
	if (paused)
		check_halt(c);
	else
		check_refresh(c, false);
}

void health_check_run_now(struct health_check *c)
{
	if (!c || c->removed)
		return;
	if (c->condition == FRESH)
		c->at_once = true;
	if (c->condition != IDLE)
		return;
	c->planned_ns = UNPLANNED;
	check_enqueue(c);
}

void health_check_report(struct health_check *c, enum health_verdict verdict, uint64_t now_ns)
{
	struct news news = {0};
	enum health_state before;

	if (!c || c->removed || c->condition == PAUSED)
		return;
	if ((unsigned int)verdict > HEALTH_FAIL_NOW)
		verdict = HEALTH_NEUTRAL; /* as the filter takes it */
	before = health_check_state(c);
	c->last = (struct health_result){
	    .size = sizeof(c->last),
	    .verdict = verdict,
	    .code = verdict >= HEALTH_FAIL ? HEALTH_CODE_HANA : HEALTH_CODE_UNK,
	    .phase = HEALTH_PHASE_PASSIVE,
	    .start_ns = now_ns,
	};
	snprintf(c->text, sizeof(c->text), "seen in traffic");
	health_filter_feed(&c->filter, verdict, now_ns);
	check_arm_filter(c);
	hasten(c, now_ns);
	note_result(&news, c);
	note_transition(&news, c, before, now_ns);
	tell(c, &news);
}

void health_check_set(struct health_check *c, enum health_start start, uint64_t now_ns)
{
	struct news news = {0};
	enum health_state before;

	if (!c || c->removed)
		return;
	before = health_check_state(c);
	health_filter_set(&c->filter, start, now_ns);
	check_arm_filter(c);
	hasten(c, now_ns);
	note_transition(&news, c, before, now_ns);
	tell(c, &news);
}

void health_check_resume(struct health_check *c, uint64_t now_ns)
{
	struct news news = {0};
	enum health_state before;

	if (!c || c->removed)
		return;
	before = health_check_state(c);
	health_filter_resume(&c->filter, now_ns);
	check_arm_filter(c);
	hasten(c, now_ns);
	note_transition(&news, c, before, now_ns);
	tell(c, &news);
}

/* ---- asked by the host ---- */

void *health_check_userdata(const struct health_check *c)
{
	return c ? c->userdata : NULL;
}

enum health_state health_check_state(const struct health_check *c)
{
	return c ? health_filter_state(&c->filter) : HEALTH_STATE_UNKNOWN;
}

int health_check_filter_status(const struct health_check *c, struct health_filter_status *ret)
{
	return c ? health_filter_status(&c->filter, ret) : -EINVAL;
}

int health_check_status(const struct health_check *c, struct health_check_status *ret)
{
	struct health_check_status s;

	if (!c)
		return -EINVAL;
	s = (struct health_check_status){
	    .id = c->id,
	    .paused = c->condition == PAUSED,
	    .running = check_in_flight(c),
	    .state = health_check_state(c),
	    .verdict = c->last.verdict,
	    .code = c->last.code,
	    .phase = c->last.phase,
	    .error = c->last.error,
	    .status = c->last.status,
	    .last_start_ns = c->last.start_ns,
	    .last_total_ns = c->last.total_ns,
	    .next_ns = c->condition == IDLE ? c->planned_ns : HEAP_NEVER,
	    .runs = c->runs,
	    .failures = c->failures,
	    .late = c->late,
	    .skipped = c->skipped,
	};
	memcpy(s.text, c->text, sizeof(s.text));
	return sized_out(ret, &s, sizeof(s));
}
