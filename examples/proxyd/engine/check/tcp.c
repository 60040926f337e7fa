/* SPDX-License-Identifier: MIT */
#include "tcp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"
#include "rules/format.h"
#include "rules/vars.h"

#define INPUT_MAX 16384 /* bytes that an expect looks at: HAProxy's buffer */

struct script {
	struct check_of of;
	unsigned n;
	const struct cfg_step *step;
};

struct state {
	unsigned at;	/* the step to be done next */
	unsigned hop;	/* the connection */
	bool connected; /* it was asked for, or used */
	bool talked;	/* over that connection */
	struct vars vars;
	struct cfg_addr to; /* of that connection, when it is not the check's */
	char *in; /* what came since the last send */
	size_t in_len, in_cap;
	char *out; /* what was sent, when it is not one step's bytes */
	size_t out_cap;
};

static int setup(const void *opts, void **ret)
{
	const struct tcp_check_opts *o = opts;
	struct script *s = malloc(sizeof(*s));

	if (!s)
		return -ENOMEM;
	*s = (struct script){.of = o->of, .n = o->n, .step = o->step};
	*ret = s;
	return 0;
}

static void teardown(void *config)
{
	free(config);
}

/* ---- Buffers ---- */

static bool out_of_memory(struct health_probe_io *io)
{
	io->verdict = HEALTH_NEUTRAL;
	io->code = HEALTH_CODE_SOCKERR;
	snprintf(io->text, sizeof(io->text), "out of memory");
	return false;
}

/* Behind what this call sends already. False: no memory. */
static bool send_also(struct state *st, struct health_probe_io *io, struct text t)
{
	char *out = st->out;

	if (io->send_len + t.len > st->out_cap) {
		out = malloc(io->send_len + t.len);
		if (!out)
			return out_of_memory(io);
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

/* What does not fit is not looked at. False: no memory. */
static bool keep_input(struct state *st, struct health_probe_io *io, const void *data, size_t len)
{
	size_t room = INPUT_MAX - st->in_len, cap = st->in_len + (len < room ? len : room);

	if (cap > st->in_cap) {
		char *in = realloc(st->in, cap);

		if (!in)
			return out_of_memory(io);
		st->in = in;
		st->in_cap = cap;
	}
	if (cap > st->in_len)
		memcpy(st->in + st->in_len, data, cap - st->in_len);
	st->in_len = cap;
	return true;
}

/* ---- Steps ---- */

/* One call of the dialogue. `last`: no more bytes come. */
struct turn {
	struct state *st;
	const struct script *s;
	bool last;
	struct health_probe_io *io;
	struct run run;
	char *scratch; /* RUN_SCRATCH bytes */
};

static struct run *begin_run(struct turn *t)
{
	if (t->s->of.server)
		check_run_prepare(&t->s->of, &t->st->vars, t->io->now_ns, (struct scratch){t->scratch, 0, RUN_SCRATCH}, &t->run);
	t->run.payload[1] = text_of(t->st->in, t->st->in_len);
	return &t->run;
}

/* What is looked for, in HAProxy's words: they differ a little when it did not come in time. */
static void describe(const struct cfg_expect *x, bool late, char *buf, size_t cap)
{
	const struct cfg_pattern *p = &x->pattern;

	if (p->regex)
		snprintf(buf, cap, "%sregex", x->is_binary ? "binary " : "");
	else if (p->format)
		snprintf(buf, cap, "log-format %s", x->is_binary ? "binary" : "string");
	else if (late)
		snprintf(buf, cap, "%s '%.*s'", x->is_binary ? "binary" : "string", (int)p->len, p->data);
	else if (x->is_binary)
		snprintf(buf, cap, "binary");
	else
		snprintf(buf, cap, "'%.*s'", (int)p->len, p->data);
}

static void fail(struct turn *t, const struct cfg_step *step)
{
	struct cfg_expect usual = *step->expect;
	const struct cfg_expect *x = step->expect;
	char wanted[HEALTH_TEXT_MAX], text[2 * HEALTH_TEXT_MAX];

	usual.on_error = NULL;
	if (!t->st->in_len) /* HAProxy: on-error is not about that */
		x = &usual;
	describe(x, false, wanted, sizeof(wanted));
	if (!t->st->in_len)
		snprintf(text, sizeof(text), "TCPCHK got an empty response at step %u", step->number);
	else
		snprintf(text, sizeof(text), *wanted == '\'' ? "TCPCHK %s %s at step %u" : "TCPCHK %s (%s) at step %u",
			 x->not ? "matched unwanted content" : "did not match content", wanted, step->number);
	expect_failed(x, begin_run(t), HEALTH_CODE_L7RSP, text, t->io);
}

/* What goes out leaves when a step has to wait, so that one call sends at most once. */
static enum expect_found do_send(struct turn *t, const struct cfg_step *step)
{
	struct text bytes = {step->data, step->len};

	t->st->in_len = 0; /* what is expected from now on comes behind it */
	if (step->format && !expect_bytes(step->format, bytes, step->is_hex, begin_run(t), &bytes)) {
		t->io->verdict = HEALTH_FAIL;
		t->io->code = HEALTH_CODE_L7RSP;
		snprintf(t->io->text, sizeof(t->io->text), "step %u: what it writes is nothing, too long or no bytes", step->number);
		return ANSWER_FAIL;
	}
	if (t->io->send_len || step->format)
		return send_also(t->st, t->io, bytes) ? ANSWER_NEXT : ANSWER_FAIL;
	t->io->send = bytes.at;
	t->io->send_len = bytes.len;
	return ANSWER_NEXT;
}

static enum expect_found do_expect(struct turn *t, const struct cfg_step *step)
{
	struct text in = {t->st->in, t->st->in_len};
	enum expect_found answer = expect_in(step->expect, begin_run(t), in, t->last || in.len == INPUT_MAX);

	if (answer == ANSWER_NO_TEXT)
		expect_failed(step->expect, begin_run(t), HEALTH_CODE_L7RSP, EXPECT_NO_TEXT, t->io);
	else if (answer == ANSWER_FAIL)
		fail(t, step);
	return answer;
}

static enum expect_found do_step(struct turn *t, const struct cfg_step *step)
{
	if (step->action == CFG_STEP_SET) {
		check_run_rules(step->set, begin_run(t));
		return ANSWER_NEXT;
	}
	t->st->connected = t->st->talked = true;
	return step->action == CFG_STEP_SEND ? do_send(t, step) : do_expect(t, step);
}

static enum health_step connect_again(struct turn *t, const struct cfg_step *step)
{
	check_run_connect(&t->s->of, step->connect, &step->port, ++t->st->hop, &t->st->vars, &t->st->to, t->io);
	t->st->in_len = 0;
	t->st->talked = false;
	t->st->at++;
	return HEALTH_STEP_RECONNECT;
}

/* As HAProxy: what the last connection was for, and not those before. */
static enum health_code what_passed(const struct state *st, const struct script *s)
{
	const struct server *to = s->of.server;

	if (st->talked)
		return HEALTH_CODE_L7OK;
	return to && (to->check_via ? check_via_has_tls(to->check_via, st->hop) : to->check_tls != NULL) ? HEALTH_CODE_L6OK
												      : HEALTH_CODE_L4OK;
}

/* All steps that can be done now. */
static enum health_step go_on(struct state *st, const struct script *s, bool last, struct health_probe_io *io)
{
	char scratch[RUN_SCRATCH];
	struct turn t = {.st = st, .s = s, .last = last, .io = io, .scratch = scratch};
	const struct cfg_expect *x;

	for (; st->at < s->n; st->at++) {
		const struct cfg_step *step = &s->step[st->at];

		if (step->action == CFG_STEP_CONNECT && st->connected)
			return connect_again(&t, step);
		st->connected |= step->action == CFG_STEP_CONNECT;
		switch (step->action == CFG_STEP_CONNECT ? ANSWER_NEXT : do_step(&t, step)) {
		case ANSWER_WAIT:
			return HEALTH_STEP_MORE;
		case ANSWER_FAIL:
		case ANSWER_NO_TEXT:
			return HEALTH_STEP_DONE;
		case ANSWER_NEXT:
			break;
		}
	}
	x = s->n ? s->step[s->n - 1].expect : NULL;
	expect_passed(x, begin_run(&t), what_passed(st, s), st->connected ? "(tcp-check)" : "", io);
	return HEALTH_STEP_DONE;
}

static enum health_step on_open(void *state, const void *config, struct health_probe_io *io)
{
	return go_on(state, config, false, io);
}

static enum health_step on_received(void *state, const void *config, const void *data, size_t len, struct health_probe_io *io)
{
	return keep_input(state, io, data, len) ? go_on(state, config, false, io) : HEALTH_STEP_DONE;
}

static enum health_step on_closed(void *state, const void *config, int error, struct health_probe_io *io)
{
	return go_on(state, config, true, io);
}

static enum health_step on_timeout(void *state, const void *config, struct health_probe_io *io)
{
	const struct state *st = state;
	const struct script *s = config;
	const struct cfg_step *step = st->at < s->n ? &s->step[st->at] : NULL;
	char wanted[HEALTH_TEXT_MAX], text[2 * HEALTH_TEXT_MAX] = "";

	if (step && step->expect) {
		describe(step->expect, true, wanted, sizeof(wanted));
		snprintf(text, sizeof(text), " at step %u of tcp-check (expect %s)", step->number, wanted);
	}
	expect_late(step ? step->expect : NULL, text, io);
	return HEALTH_STEP_DONE;
}

static void on_end(void *state, const void *config)
{
	struct state *st = state;

	vars_clear(&st->vars);
	free(st->in);
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
    .timeout = on_timeout,
    .end = on_end,
};

const struct health_probe_ops *tcp_check_ops(void)
{
	return &ops;
}
