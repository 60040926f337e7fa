/* SPDX-License-Identifier: MIT */
#include "tcp_check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../rules/regex.h"

/* Sends in a row are one. */
struct step {
	struct cfg_step is;
	char *bytes; /* is.data */
	struct regex *regex;
};

struct script {
	unsigned n;
	struct step step[];
};

struct state {
	unsigned at; /* the step to be done next */
	bool talked; /* anything but a connection was asked for */
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

	if (last && last->is.action == CFG_STEP_SEND && from->action == CFG_STEP_SEND)
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

	for (unsigned i = 0; !e && i < o->n; i++)
		e = add_step(s, &o->step[i]);
	if (e)
		teardown(s);
	else
		*ret = s;
	return e;
}

static bool found(const struct step *s, const char *data, size_t len)
{
	if (s->regex)
		return regex_match(s->regex, text_of(data, len), NULL);
	return memmem(data, len, s->bytes, s->is.len) != NULL;
}

static enum health_step fail(const struct step *s, unsigned number, struct health_probe_io *io)
{
	io->verdict = HEALTH_FAIL;
	io->code = HEALTH_CODE_L7RSP;
	if (s->is.on_failure)
		snprintf(io->text, sizeof(io->text), "%s", s->is.on_failure);
	else
		snprintf(io->text, sizeof(io->text), "step %u: %s%.60s", number + 1,
			 s->is.not ? "there is what must not be: " : "there is not: ", s->bytes);
	return HEALTH_STEP_DONE;
}

enum answer { ANSWER_WAIT, ANSWER_NEXT, ANSWER_FAIL };

static enum answer judge(const struct step *s, const char *data, size_t len, bool last)
{
	if (!last && len < s->is.min_bytes)
		return ANSWER_WAIT;
	if (len && found(s, data, len))
		return s->is.not ? ANSWER_FAIL : ANSWER_NEXT;
	if (!last && !s->is.min_bytes)
		return ANSWER_WAIT; /* it may still come */
	return s->is.not ? ANSWER_NEXT : ANSWER_FAIL;
}

/*
 * All steps that can be done now. `last`: no more bytes come. What goes out leaves with the step that
 * follows, so that one call sends at most once.
 */
static enum health_step go_on(struct state *st, const struct script *s, const char *data,
			      size_t len, bool last, struct health_probe_io *io)
{
	io->consumed = 0;
	for (; st->at < s->n; st->at++) {
		const struct step *step = &s->step[st->at];

		switch (step->is.action) {
		case CFG_STEP_CONNECT:
			if (!st->at)
				break;
			io->port = (uint16_t)step->is.port;
			io->consumed = len;
			st->at++;
			return HEALTH_STEP_RECONNECT;
		case CFG_STEP_SEND:
			st->talked = true;
			io->send = step->bytes;
			io->send_len = step->is.len;
			io->consumed = len;
			len = 0; /* what is expected from now on comes behind it */
			break;
		case CFG_STEP_EXPECT:
			st->talked = true;
			switch (judge(step, data, len, last)) {
			case ANSWER_WAIT:
				return HEALTH_STEP_MORE;
			case ANSWER_FAIL:
				return fail(step, st->at, io);
			case ANSWER_NEXT:
				break;
			}
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
	(void)error;
	return go_on(state, config, NULL, 0, true, io);
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
};

const struct health_probe_ops *tcp_check_ops(void)
{
	return &ops;
}
