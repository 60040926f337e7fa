/* SPDX-License-Identifier: MIT */
#include "tcp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/format.h"
#include "rules/regex.h"
#include "rules/vars.h"

/* Sends in a row are one. */
struct step {
	struct cfg_step is;
	char *bytes; /* is.data */
	struct regex *regex;
};

struct script {
	struct check_of of;
	unsigned n;
	struct step step[];
};

struct state {
	unsigned at;    /* the step to be done next */
	unsigned hop;   /* the connection */
	bool connected; /* it was asked for, or used */
	bool talked;    /* anything but a connection was asked for */
	struct vars vars;
	char *out; /* what was sent, when it is not one step's bytes */
	size_t out_cap;
};

static void teardown(void *config)
{
	struct script *s = config;

	for (unsigned i = 0; s && i < s->n; i++) {
		regex_free(s->step[i].regex);
		free(s->step[i].bytes);
	}
	free(s);
}

static bool append(struct step *to, const struct cfg_step *from)
{
	char *bytes = realloc(to->bytes, to->is.len + from->len + 1);

	if (!bytes)
		return false;
	if (from->len)
		memcpy(bytes + to->is.len, from->data, from->len);
	to->bytes = bytes;
	to->is.len += from->len;
	bytes[to->is.len] = '\0';
	return true;
}

static int add_step(struct script *s, const struct cfg_step *from)
{
	struct step *last = s->n ? &s->step[s->n - 1] : NULL;
	struct rule_error e = {""};

	if (last && last->is.action == CFG_STEP_SEND && from->action == CFG_STEP_SEND && !last->is.format && !from->format)
		return append(last, from) ? 0 : -ENOMEM;
	last = &s->step[s->n++];
	last->is = *from;
	last->is.len = 0;
	if (!append(last, from))
		return -ENOMEM;
	if (from->is_regex)
		last->regex = regex_new(last->bytes, false, &e);
	return from->is_regex && !last->regex ? -EINVAL : 0;
}

static int setup(const void *opts, void **ret)
{
	const struct tcp_check_opts *o = opts;
	struct script *s = calloc(1, sizeof(*s) + o->n * sizeof(s->step[0]));
	int e = s ? 0 : -ENOMEM;

	if (s)
		s->of = o->of;
	for (unsigned i = 0; !e && i < o->n; i++)
		e = add_step(s, &o->step[i]);
	if (e)
		teardown(s);
	else
		*ret = s;
	return e;
}

/* ---- Variables and formats ---- */

/* What an evaluation needs; on the stack of a step. */
struct evaluation {
	struct run run;
	char scratch[RUN_SCRATCH];
};

/* `data` is what the server has sent, for res.payload. */
static void begin_evaluation(struct evaluation *v, const struct script *s, struct state *st, struct text data, uint64_t now_ns)
{
	check_run_prepare(&s->of, &st->vars, now_ns, (struct scratch){v->scratch, 0, sizeof(v->scratch)}, &v->run);
	v->run.payload[1] = data;
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* Two digits are a byte; in place. False: they are none. */
static bool from_hex(struct text *t)
{
	char *to = (char *)(uintptr_t)t->at; /* in our scratch */

	if (t->len % 2)
		return false;
	for (size_t i = 0; i < t->len; i += 2) {
		int high = hex(t->at[i]), low = hex(t->at[i + 1]);

		if (high < 0 || low < 0)
			return false;
		to[i / 2] = (char)(high << 4 | low);
	}
	t->len /= 2;
	return true;
}

/* The bytes of the step. False: its format has none. */
static bool bytes_of(const struct step *step, struct evaluation *v, struct text *ret)
{
	*ret = text_of(step->bytes, step->is.len);
	if (!step->is.format)
		return true;
	if (!format_write(step->is.format, &v->run, ret) || !ret->len || ret->len > 2 * CFG_STEP_BYTES_MAX)
		return false;
	if (!step->is.is_hex)
		return true;
	if (v->run.scratch.used == 0) { /* a constant: not ours to change */
		char *copy = scratch_take(&v->run.scratch, ret->len);

		if (!copy)
			return false;
		ret->at = memcpy(copy, ret->at, ret->len);
	}
	return from_hex(ret);
}

/* Behind what this call sends already. False: no memory. */
static bool send_also(struct state *st, struct health_probe_io *io, struct text t)
{
	char *out = st->out;

	if (io->send_len + t.len > st->out_cap) {
		out = malloc(io->send_len + t.len);
		if (!out)
			return false;
	}
	if (io->send_len && io->send != out)
		memcpy(out, io->send, io->send_len);
	if (out != st->out) {
		free(st->out);
		st->out = out;
		st->out_cap = io->send_len + t.len;
	}
	if (t.len)
		memcpy(out + io->send_len, t.at, t.len);
	io->send = out;
	io->send_len += t.len;
	return true;
}

static bool found(const struct step *s, struct text wanted, const char *data, size_t len)
{
	if (s->regex)
		return regex_match(s->regex, text_of(data, len), NULL);
	return memmem(data, len, wanted.at, wanted.len) != NULL;
}

static void fail(const struct step *s, unsigned number, struct health_probe_io *io)
{
	io->verdict = HEALTH_FAIL;
	io->code = HEALTH_CODE_L7RSP;
	if (s->is.on_failure)
		snprintf(io->text, sizeof(io->text), "%s", s->is.on_failure);
	else
		snprintf(io->text, sizeof(io->text), "step %u: %s%.60s", number + 1,
			 s->is.not ? "there is what must not be: " : "there is not: ", s->bytes);
}

enum answer { ANSWER_WAIT, ANSWER_NEXT, ANSWER_FAIL };

static enum answer judge(const struct step *s, struct text wanted, const char *data, size_t len, bool last)
{
	if (!last && len < s->is.min_bytes)
		return ANSWER_WAIT;
	if (len && found(s, wanted, data, len))
		return s->is.not ? ANSWER_FAIL : ANSWER_NEXT;
	if (!last && !s->is.min_bytes)
		return ANSWER_WAIT; /* it may still come */
	return s->is.not ? ANSWER_NEXT : ANSWER_FAIL;
}

/* One call of the dialogue. `last`: no more bytes come. */
struct turn {
	struct state *st;
	const struct script *s;
	const char *data; /* not consumed yet */
	size_t len;
	bool last;
	struct health_probe_io *io;
};

/* What goes out leaves when a step has to wait, so that one call sends at most once. */
static enum answer do_send(struct turn *t, const struct step *step, struct text bytes)
{
	if (t->len) { /* what is expected from now on comes behind it */
		t->io->consumed = t->len;
		t->len = 0;
	}
	if (!t->io->send_len && !step->is.format) {
		t->io->send = bytes.at;
		t->io->send_len = bytes.len;
		return ANSWER_NEXT;
	}
	if (send_also(t->st, t->io, bytes))
		return ANSWER_NEXT;
	t->io->verdict = HEALTH_NEUTRAL;
	t->io->code = HEALTH_CODE_SOCKERR;
	snprintf(t->io->text, sizeof(t->io->text), "out of memory");
	return ANSWER_FAIL;
}

static enum answer do_step(struct turn *t, const struct step *step, struct text bytes)
{
	enum answer answer;

	t->st->connected = t->st->talked = true;
	if (step->is.action == CFG_STEP_SEND)
		return do_send(t, step, bytes);
	answer = judge(step, bytes, t->data, t->len, t->last);
	if (answer == ANSWER_FAIL)
		fail(step, t->st->at, t->io);
	return answer;
}

/* With variables or formats. */
static enum answer do_live_step(struct turn *t, const struct step *step)
{
	struct evaluation v;
	struct text bytes;

	begin_evaluation(&v, t->s, t->st, text_of(t->data, t->len), t->io->now_ns);
	if (step->is.action == CFG_STEP_SET) {
		check_run_rules(step->is.set, &v.run);
		return ANSWER_NEXT;
	}
	if (bytes_of(step, &v, &bytes))
		return do_step(t, step, bytes);
	fail(step, t->st->at, t->io);
	snprintf(t->io->text, sizeof(t->io->text), "step %u: what it writes is nothing, too long or no bytes", t->st->at + 1);
	return ANSWER_FAIL;
}

/* All steps that can be done now. */
static enum health_step go_on(struct state *st, const struct script *s, const char *data,
			      size_t len, bool last, struct health_probe_io *io)
{
	struct turn t = {st, s, data, len, last, io};

	io->consumed = 0;
	for (; st->at < s->n; st->at++) {
		const struct step *step = &s->step[st->at];

		if (step->is.action == CFG_STEP_CONNECT) {
			if (!st->connected) {
				st->connected = true;
				continue;
			}
			io->port = step->is.port ? (uint16_t)step->is.port : check_run_port(&s->of);
			if (s->of.server)
				io->port = check_via_next(s->of.server->check_via, ++st->hop, io->port);
			io->consumed = len;
			st->at++;
			return HEALTH_STEP_RECONNECT;
		}
		switch (step->is.format || step->is.set ? do_live_step(&t, step) : do_step(&t, step, text_of(step->bytes, step->is.len))) {
		case ANSWER_WAIT:
			return HEALTH_STEP_MORE;
		case ANSWER_FAIL:
			return HEALTH_STEP_DONE;
		case ANSWER_NEXT:
			break;
		}
	}
	io->verdict = HEALTH_OK;
	io->code = st->talked ? HEALTH_CODE_L7OK : HEALTH_CODE_L4OK;
	return HEALTH_STEP_DONE;
}

static enum health_step on_open(void *state, const void *config, struct health_probe_io *io)
{
	return go_on(state, config, NULL, 0, false, io);
}

static enum health_step on_received(void *state, const void *config, const void *data, size_t len,
				    struct health_probe_io *io)
{
	return go_on(state, config, data, len, false, io);
}

static enum health_step on_closed(void *state, const void *config, int error,
				  struct health_probe_io *io)
{
	return go_on(state, config, NULL, 0, true, io);
}

static void on_end(void *state, const void *config)
{
	struct state *st = state;

	vars_clear(&st->vars);
	free(st->out);
}

static const struct health_probe_ops ops = {
    .size = sizeof(ops),
    .name = "tcp-check",
    .state_size = sizeof(struct state),
    .setup = setup,
    .teardown = teardown,
    .open = on_open,
    .received = on_received,
    .closed = on_closed,
    .end = on_end,
};

const struct health_probe_ops *tcp_check_ops(void)
{
	return &ops;
}
