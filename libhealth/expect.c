/* SPDX-License-Identifier: MIT */
/* The send/expect probe: fixed bytes out, texts and expressions sought in what comes back. */
#include <errno.h>

#include <libhealth/probe_expect.h>

#include "base/mem.h"
#include "base/sized.h"
#include "match.h"
#include "regex_ops.h"
#include "reply.h"

/* Sends first, then waits; only the last may wait for nothing. */
struct step {
	uint8_t *send;
	size_t send_len;
	void *regex; /* sought in what is left unread; NULL: `expect` is sought */
	struct match expect;
	bool absent;	  /* it must not come … */
	size_t min_bytes; /* … in so many; never 0 */
};

struct expect_config {
	struct health_regex regex;
	size_t reply_max, n_steps;
	bool has_drain;
	struct match drain;
	struct step step[HEALTH_EXPECT_STEPS_MAX];
};

struct expect_state {
	size_t at;	    /* the step that waits */
	size_t reply_bytes; /* read for it */
	uint8_t matched, drain_matched;
	size_t text_len;
	char text[HEALTH_TEXT_MAX]; /* the beginning of what was read for it */
};

/* ---- the options ---- */

static void expect_teardown(void *config)
{
	struct expect_config *c = config;

	for (size_t i = 0; i < HEALTH_EXPECT_STEPS_MAX; i++) {
		mem_free(c->step[i].send);
		if (c->step[i].regex)
			c->regex.free(c->step[i].regex);
	}
	mem_free(c);
}

static size_t reply_max(const struct health_expect_opts *o)
{
	return o->reply_max_bytes ? o->reply_max_bytes : HEALTH_EXPECT_REPLY_DEFAULT_BYTES;
}

static bool absence_valid(const struct health_expect_step *s, size_t max)
{
	if (!(s->flags & HEALTH_EXPECT_ABSENT))
		return !s->flags && !s->min_bytes;
	return s->flags == HEALTH_EXPECT_ABSENT && (s->expect_len || s->expect_regex) &&
	       s->min_bytes <= max;
}

static bool step_valid(const struct health_expect_step *s, bool has_regex)
{
	if (s->expect_regex && (s->expect || !has_regex ||
				strnlen(s->expect_regex, HEALTH_REGEX_MAX + 1) > HEALTH_REGEX_MAX))
		return false;
	return s->send_len <= HEALTH_EXPECT_SEND_MAX && s->expect_len <= HEALTH_EXPECT_TEXT_MAX &&
	       !s->send == !s->send_len && !s->expect == !s->expect_len &&
	       (s->send_len || s->expect_len || s->expect_regex);
}

static bool opts_valid(const struct health_expect_opts *o)
{
	bool expects = false;

	if (!o->steps || !o->n_steps || o->n_steps > HEALTH_EXPECT_STEPS_MAX ||
	    o->reply_max_bytes > HEALTH_EXPECT_REPLY_MAX_BYTES ||
	    o->drain_len > HEALTH_EXPECT_TEXT_MAX || !o->drain != !o->drain_len)
		return false;
	for (size_t i = 0; i < o->n_steps; i++) {
		if (!step_valid(&o->steps[i], o->regex) ||
		    !absence_valid(&o->steps[i], reply_max(o)))
			return false;
		expects |= o->steps[i].expect_len || o->steps[i].expect_regex;
	}
	return expects;
}

static int add_send(struct step *s, const void *send, size_t len)
{
	uint8_t *all = mem_regrow(s->send, s->send_len + len, 1);

	if (!all)
		return -ENOMEM;
	memcpy(all + s->send_len, send, len);
	s->send = all;
	s->send_len += len;
	return 0;
}

static int add_regex(struct expect_config *c, struct step *to, const char *pattern)
{
	size_t from, end;
	int r = c->regex.compile(pattern, &to->regex);

	if (r < 0)
		return r;
	return c->regex.search(to->regex, "", 0, 0, &from, &end) ? -EINVAL : 0;
}

/* Sends with nothing to wait for between them become one. */
static int compile(struct expect_config *c, const struct health_expect_opts *o)
{
	struct step *to = c->step;
	int r = 0;

	for (size_t i = 0; i < o->n_steps; i++) {
		const struct health_expect_step *s = &o->steps[i];

		if (s->send_len && add_send(to, s->send, s->send_len) < 0)
			return -ENOMEM;
		to->absent = s->flags & HEALTH_EXPECT_ABSENT;
		to->min_bytes = s->min_bytes ? s->min_bytes : c->reply_max;
		if (s->expect_regex)
			r = add_regex(c, to++, s->expect_regex);
		else if (s->expect_len)
			r = match_init(&to++->expect, s->expect, s->expect_len);
		if (r < 0)
			return r;
	}
	c->n_steps = (size_t)(to - c->step);
	return 0;
}

static int expect_setup(const void *opts, void **ret_config)
{
	struct health_expect_opts o;
	struct expect_config *c;
	int r = sized_in(&o, sizeof(o), opts);

	if (r < 0)
		return r;
	if (!opts_valid(&o))
		return -EINVAL;
	c = mem_zalloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	if (o.regex)
		r = regex_ops_copy(&c->regex, o.regex);
	c->reply_max = reply_max(&o);
	c->has_drain = o.drain_len;
	if (r == 0 && c->has_drain)
		r = match_init(&c->drain, o.drain, o.drain_len);
	if (r == 0)
		r = compile(c, &o);
	if (r < 0) {
		expect_teardown(c);
		return r;
	}
	*ret_config = c;
	return 0;
}

/* ---- the dialogue ---- */

static void send_step(const struct expect_config *c, size_t at, struct health_probe_io *io)
{
	if (at == HEALTH_EXPECT_STEPS_MAX)
		return;
	io->send = c->step[at].send;
	io->send_len = c->step[at].send_len;
}

static enum health_step answer(const struct expect_state *s, enum health_verdict verdict,
			       enum health_code code, const char *otherwise,
			       struct health_probe_io *io)
{
	answer_set(io, verdict, code, s->text_len ? s->text : otherwise);
	io->status = (uint32_t)s->at + 1;
	return HEALTH_STEP_DONE;
}

/* Keeps the beginning of what the server says in this step, for people. */
static void note(struct expect_state *s, const struct reader *r)
{
	size_t room = sizeof(s->text) - 1 - s->text_len, len = reader_left(r);

	if (len > room)
		len = room;
	for (size_t i = 0; i < len; i++)
		s->text[s->text_len++] = r->at[i] ? (char)r->at[i] : ' ';
	s->text[s->text_len] = '\0';
}

static enum health_step expect_open(void *state, const void *config, struct health_probe_io *io)
{
	send_step(config, 0, io);
	return HEALTH_STEP_MORE;
}

/* The step is over, and good: the next one, or the end. */
static enum health_step pass(struct expect_state *s, const struct expect_config *c,
			     struct health_probe_io *io)
{
	send_step(c, s->at + 1, io);
	if (s->at + 1 == c->n_steps)
		return answer(s, HEALTH_OK, HEALTH_CODE_L7OK, "", io);
	*s = (struct expect_state){.at = s->at + 1};
	return HEALTH_STEP_MORE;
}

static enum health_step drains(const struct expect_state *s, struct health_probe_io *io)
{
	return answer(s, HEALTH_OK_DRAIN, HEALTH_CODE_L7OKC, "", io);
}

/* What was sought came, or did not and `is_enough` was read without it. */
static enum health_step decide(struct expect_state *s, const struct expect_config *c, bool seen,
			       bool is_enough, struct health_probe_io *io)
{
	if (!seen && !is_enough)
		return HEALTH_STEP_MORE;
	if (seen == c->step[s->at].absent)
		return answer(s, HEALTH_FAIL, HEALTH_CODE_L7RSP, "", io);
	return pass(s, c, io);
}

/* Nothing is consumed before the expression was found, so all of this step is here each time. */
static enum health_step seek_regex(struct expect_state *s, const struct expect_config *c,
				   const void *data, size_t len, struct health_probe_io *io)
{
	const struct step *step = &c->step[s->at];
	size_t enough = step->absent ? step->min_bytes : c->reply_max;
	size_t max = enough < HEALTH_PROBE_UNREAD_MAX ? enough : HEALTH_PROBE_UNREAD_MAX;
	struct reader all = reader_of(data, len < max ? len : max), again = all;
	size_t from, end;
	uint8_t none = 0;
	int r = c->regex.search(step->regex, data, reader_left(&all), 0, &from, &end);

	s->text_len = 0;
	note(s, &all);
	if (r < 0)
		return reply_broken(io, (uint32_t)s->at + 1, "the expression met its limit");
	if (!r && c->has_drain && match_feed(&c->drain, &none, &again))
		return drains(s, io);
	s->reply_bytes = reader_left(&all);
	io->consumed = r ? (end ? end : len) : len >= max ? max : 0;
	return decide(s, c, r, len >= max, io);
}

static enum health_step expect_received(void *state, const void *config, const void *data,
					size_t len, struct health_probe_io *io)
{
	struct expect_state *s = state;
	const struct expect_config *c = config;
	const struct step *step = &c->step[s->at];
	size_t enough = step->absent ? step->min_bytes : c->reply_max, room;
	struct reader r, all, again;
	bool seen;

	if (step->regex)
		return seek_regex(s, c, data, len, io);
	room = enough - s->reply_bytes;
	r = all = reader_of(data, len < room ? len : room);
	seen = match_feed(&step->expect, &s->matched, &r);
	io->consumed = (size_t)(r.at - all.at);
	all.end = r.at;
	again = all;
	note(s, &all);
	s->reply_bytes += io->consumed;
	if (c->has_drain && match_feed(&c->drain, &s->drain_matched, &again))
		return drains(s, io);
	return decide(s, c, seen, s->reply_bytes == enough, io);
}

static enum health_step expect_closed(void *state, const void *config, int error,
				      struct health_probe_io *io)
{
	const struct expect_config *c = config;
	struct expect_state *s = state;

	if (error)
		return HEALTH_STEP_MORE;
	if (s->reply_bytes && s->at + 1 == c->n_steps && c->step[s->at].absent)
		return decide(s, c, false, true, io);
	return answer(state, HEALTH_FAIL, HEALTH_CODE_L7RSP, "closed before an answer", io);
}

static enum health_step expect_timeout(void *state, const void *config, struct health_probe_io *io)
{
	return answer(state, HEALTH_FAIL, HEALTH_CODE_L7TOUT, "no answer in time", io);
}

const struct health_probe_ops *health_probe_expect(void)
{
	static const struct health_probe_ops ops = {
	    .size = sizeof(ops),
	    .name = "expect",
	    .state_size = sizeof(struct expect_state),
	    .setup = expect_setup,
	    .teardown = expect_teardown,
	    .open = expect_open,
	    .received = expect_received,
	    .closed = expect_closed,
	    .timeout = expect_timeout,
	};

	return &ops;
}
