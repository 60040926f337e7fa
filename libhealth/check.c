/* SPDX-License-Identifier: MIT */
/* One check: judged, planned, told to the host, asked and changed by it. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/sized.h"
#include "adaptive.h"
#include "engine.h"

/* ---- the host is told ---- */

/* What the host will be told, on the stack: a callback may change or remove the check. */
struct news {
	bool has_result, has_transition;
	struct health_result result;
	struct health_transition transition;
	char text[HEALTH_TEXT_MAX];
};

/* Mostly it is the one there was, or none. Without memory it is told, and not kept. */
static void keep_text(struct health_check *c, const char *text)
{
	if (!strcmp(c->text ? c->text : "", text))
		return;
	mem_free(c->text);
	c->text = *text ? mem_strdup(text) : NULL;
}

/* The result and its text stand in the news: the check keeps what there is to remember of it. */
static void note_result(struct news *n, struct health_check *c)
{
	n->has_result = true;
	n->result.size = sizeof(n->result);
	n->result.text = n->text;
	keep_text(c, n->text);
	c->last = (struct health_past){
	    .start_ns = n->result.start_ns,
	    .total_ns = n->result.total_ns,
	    .status = n->result.status,
	    .error = n->result.error,
	    .verdict = (uint16_t)n->result.verdict,
	    .code = (uint16_t)n->result.code,
	    .phase = (uint16_t)n->result.phase,
	};
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
	    .code = (enum health_code)c->last.code,
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
	watchers_tell(c, n->has_result ? &n->result : NULL,
		      n->has_transition ? &n->transition : NULL);
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

static uint64_t next_interval(struct health_check *c)
{
	uint64_t interval = health_filter_interval_ns(&c->filter);

	check_demand(c, interval);
	return spread_jitter(c->engine->seed, c->id, c->starts, interval, c->jitter_percent);
}

#define LATE_PART 8 /* of an interval may be made up for: two checks never come close */

/*
 * From when the interval counts: of FROM_END as if the run had begun on time, or the engine's own lateness would add up, and checks that were
 * late together would stay together.
 */
static uint64_t counted_from(const struct health_check *c, uint64_t interval, uint64_t now_ns)
{
	if (health_filter_interval(&c->filter) == HEALTH_INTERVAL_RETRY)
		return now_ns;
	if (!(c->flags & HEALTH_CHECK_FROM_END))
		return c->planned_ns;
	return now_ns - (c->late_ns < interval / LATE_PART ? c->late_ns : interval / LATE_PART);
}

/* After a run: the next slot of the plan that is not past. What could not be kept is counted. */
static void plan(struct health_check *c, uint64_t now_ns)
{
	uint64_t interval = next_interval(c), missed = 0;

	c->planned_ns = counted_from(c, interval, now_ns) + interval;
	if (c->planned_ns < now_ns)
		missed = (now_ns - c->planned_ns + interval - 1) / interval;
	c->planned_ns += missed * interval;
	c->skipped += missed;
	c->engine->stats.skipped += missed;
	c->condition = IDLE;
	check_arm_start(c);
}

/* The filter changed outside of a run: an idle check whose interval became shorter starts earlier. */
static void hasten(struct health_check *c, uint64_t now_ns)
{
	uint64_t next;

	if (c->condition != IDLE)
		return;
	next = now_ns + next_interval(c);
	if (next >= c->planned_ns)
		return;
	c->planned_ns = next;
	check_arm_start(c);
}

static void count_result(struct health_check *c)
{
	struct health_engine_stats *s = &c->engine->stats;

	c->runs++;
	if (health_verdict_is_ok((enum health_verdict)c->last.verdict)) {
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
	const struct run *r = c->run;

	if (c->hand != &conn_hand)
		return HEALTH_PHASE_TALK;
	if (!r || r->fd < 0)
		return c->condition == NAME ? HEALTH_PHASE_NAME : HEALTH_PHASE_SOCKET;
	if (c->condition == HANDSHAKE || (r->channel && probe_only_connects(c->probe)))
		return HEALTH_PHASE_TLS;
	if (c->condition == CONNECT || probe_only_connects(c->probe))
		return HEALTH_PHASE_CONNECT;
	return HEALTH_PHASE_TALK;
}

/* After the filter has judged. */
static void remember(struct health_check *c)
{
	struct history *h = c->history;

	c->last.state = (uint16_t)health_check_state(c);
	if (!h)
		return;
	h->past[h->n % h->cap] = c->last;
	/* Counts to twice its size and then by turns: never over, and the ring stays known as full. */
	if (++h->n == 2 * h->cap)
		h->n = h->cap;
}

static bool is_silence(enum health_code code)
{
	return code == HEALTH_CODE_L4CON || code == HEALTH_CODE_L4TOUT ||
	       code == HEALTH_CODE_L6TOUT || code == HEALTH_CODE_L6RSP ||
	       code == HEALTH_CODE_L7TOUT;
}

static enum health_code too_late(enum health_code ok)
{
	switch (ok) {
	case HEALTH_CODE_L4OK:
		return HEALTH_CODE_L4TOUT;
	case HEALTH_CODE_L6OK:
		return HEALTH_CODE_L6TOUT;
	case HEALTH_CODE_PROCOK:
		return HEALTH_CODE_PROCTOUT;
	default:
		return HEALTH_CODE_L7TOUT;
	}
}

/* A good answer may have come too late for this server. */
static void judge_time(struct health_check *c, struct news *n, uint64_t now_ns)
{
	struct health_result *r = &n->result;
	uint64_t limit;

	if (!c->adaptive || !health_verdict_is_ok(r->verdict))
		return;
	limit = adaptive_judge(c->adaptive, r->total_ns, now_ns);
	if (!limit)
		return;
	r->verdict = HEALTH_FAIL;
	r->code = too_late(r->code);
	snprintf(n->text, sizeof(n->text), "took %.1f ms, more than %.1f ms",
		 (double)r->total_ns / 1e6, (double)limit / 1e6);
}

/* A verdict for the filter, as the options of check and probe turn it. */
static void judge(const struct health_check *c, const struct health_probe_io *answer, int error,
		  struct news *n)
{
	struct health_result *r = &n->result;

	r->verdict = answer->verdict;
	r->code = answer->code;
	memcpy(n->text, answer->text, sizeof(n->text) - 1); /* a host's probe may have forgotten its 0 */
	if (answer->code == HEALTH_CODE_L4CON && c->flags & HEALTH_CHECK_REFUSED_NOW &&
	    (error == ECONNREFUSED || error == ECONNRESET || c->probe->ops.flags & PROBE_RAW_TCP))
		r->verdict = HEALTH_FAIL_NOW;
	if (c->probe->ops.flags & HEALTH_PROBE_OPTIONAL &&
	    (is_silence(answer->code) || answer->code == HEALTH_CODE_L7RSP))
		r->verdict = HEALTH_NEUTRAL;
	if (answer->verdict == HEALTH_OK && c->run->at_best) {
		r->verdict = (enum health_verdict)c->run->at_best;
		if (!health_verdict_is_ok(r->verdict))
			r->code = HEALTH_CODE_L6RSP;
		memcpy(n->text, c->run->warning, sizeof(n->text));
	}
}

static void note_run(struct health_result *to, const struct run *r)
{
	to->connect_ns = r->times.connect_ns;
	to->name_ns = r->times.name_ns;
	to->tls_ns = r->times.tls_ns;
	to->first_byte_ns = r->times.first_byte_ns;
	to->tls_expires_s = r->tls_expires_s;
	to->tls_resumed = r->tls_resumed;
}

void check_finish(struct health_check *c, const struct health_probe_io *answer, int error,
		  uint64_t now_ns)
{
	enum health_state before = health_check_state(c);
	struct news news = {0};

	assert(check_in_flight(c));
	news.result = (struct health_result){
	    .phase = phase_of(c),
	    .error = error,
	    .status = answer->status,
	    .start_ns = c->start_ns,
	    .late_ns = c->late_ns,
	    .total_ns = now_ns - c->start_ns,
	    .advice = answer->advice,
	};
	if (c->run)
		note_run(&news.result, c->run);
	judge(c, answer, error, &news);
	judge_time(c, &news, now_ns);
	note_result(&news, c);
	check_halt(c);
	count_result(c);
	health_filter_feed(&c->filter, news.result.verdict, now_ns);
	remember(c);
	plan(c, now_ns);
	check_arm_filter(c);
	note_transition(&news, c, before, now_ns);
	tell(c, &news);
}

void check_finish_local(struct health_check *c, const char *where, int error, uint64_t now_ns)
{
	struct health_probe_io answer = {.verdict = HEALTH_NEUTRAL, .code = HEALTH_CODE_SOCKERR};

	snprintf(answer.text, sizeof(answer.text), "%s: %s", where, strerrordesc_np(error));
	check_finish(c, &answer, error, now_ns);
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

/* ---- changed by the host ---- */

void health_check_set_paused(struct health_check *c, bool paused)
{
	if (!c || c->removed || paused == (c->condition == PAUSED))
		return;
	c->thawed = c->delayed = false; /* its times are of before the pause */
	if (paused) {
		check_halt(c);
		check_demand(c, 0);
	} else {
		check_refresh(c, false);
	}
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
	news.result = (struct health_result){
	    .verdict = verdict,
	    .code = verdict >= HEALTH_FAIL ? HEALTH_CODE_HANA : HEALTH_CODE_UNK,
	    .phase = HEALTH_PHASE_PASSIVE,
	    .start_ns = now_ns,
	};
	snprintf(news.text, sizeof(news.text), "seen in traffic");
	note_result(&news, c);
	health_filter_feed(&c->filter, verdict, now_ns);
	remember(c);
	check_arm_filter(c);
	hasten(c, now_ns);
	note_transition(&news, c, before, now_ns);
	tell(c, &news);
}

/* The host spoke to the filter, whose state was `before`. */
static void tell_order(struct health_check *c, enum health_state before, uint64_t now_ns)
{
	struct news news = {0};

	note_transition(&news, c, before, now_ns);
	tell(c, &news);
}

void health_check_set(struct health_check *c, enum health_start start, uint64_t now_ns)
{
	enum health_state before = health_check_state(c);

	if (!c || c->removed)
		return;
	health_filter_set(&c->filter, start, now_ns);
	check_arm_filter(c);
	hasten(c, now_ns);
	tell_order(c, before, now_ns);
}

void health_check_resume(struct health_check *c, uint64_t now_ns)
{
	enum health_state before = health_check_state(c);

	if (!c || c->removed)
		return;
	health_filter_resume(&c->filter, now_ns);
	check_arm_filter(c);
	hasten(c, now_ns);
	tell_order(c, before, now_ns);
}

void health_check_override(struct health_check *c, enum health_override o, uint64_t now_ns)
{
	enum health_state before = health_check_state(c);

	if (!c || c->removed)
		return;
	health_filter_override(&c->filter, o, now_ns);
	tell_order(c, before, now_ns);
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
	    .verdict = (enum health_verdict)c->last.verdict,
	    .code = (enum health_code)c->last.code,
	    .phase = (enum health_phase)c->last.phase,
	    .error = c->last.error,
	    .status = c->last.status,
	    .last_start_ns = c->last.start_ns,
	    .last_total_ns = c->last.total_ns,
	    .next_ns = c->condition == IDLE || (c->condition == FRESH && c->thawed) ? c->planned_ns
										    : HEAP_NEVER,
	    .runs = c->runs,
	    .failures = c->failures,
	    .late = c->late,
	    .skipped = c->skipped,
	};
	if (c->text)
		memcpy(s.text, c->text, strlen(c->text)); /* shorter: it was one of ours */
	return sized_out(ret, &s, sizeof(s));
}

ssize_t health_check_history(const struct health_check *c, struct health_past *ret, size_t max)
{
	const struct history *h = c ? c->history : NULL;
	size_t n = 0;

	if (!c || (!ret && max))
		return -EINVAL;
	for (; h && n < max && n < h->n && n < h->cap; n++)
		ret[n] = h->past[(h->n - 1 - n) % h->cap];
	return (ssize_t)n;
}
