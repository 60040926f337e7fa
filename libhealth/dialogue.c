/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "dialogue.h"

void dialogue_init(struct dialogue *d, const struct health_probe *probe, void *state)
{
	*d = (struct dialogue){.probe = probe, .state = state};
	if (probe->ops.state_size)
		memset(state, 0, probe->ops.state_size);
}

static void forget_unread(struct dialogue *d)
{
	mem_free(d->unread);
	d->unread = NULL;
	d->unread_len = 0;
	d->again = false;
}

void dialogue_fini(struct dialogue *d)
{
	forget_unread(d);
	if (d->entered && d->probe->ops.end)
		d->probe->ops.end(d->state, d->probe->config);
	d->entered = false;
}

/* Before every call of an op. */
static const struct health_probe_ops *enter(struct dialogue *d, uint64_t now_ns,
					    struct health_probe_io *io)
{
	*io = (struct health_probe_io){
	    .now_ns = now_ns,
	    .family = d->family,
	    .tls = d->tls,
	    .alpn = d->alpn ? d->alpn : "",
	    .nonce = d->nonce,
	    .local = d->local,
	    .remote = d->remote,
	};
	d->entered = true;
	return &d->probe->ops;
}

void answer_set(struct health_probe_io *io, enum health_verdict verdict, enum health_code code,
		const char *text)
{
	size_t len = strnlen(text, sizeof(io->text) - 1);

	io->verdict = verdict;
	io->code = code;
	memcpy(io->text, text, len);
	io->text[len] = '\0';
}

void answer_clean(struct health_probe_io *io)
{
	io->text[sizeof(io->text) - 1] = '\0';
	for (char *p = io->text; *p; p++)
		if (*p < 0x20 || *p > 0x7e)
			*p = '.';
}

/* What a probe left unsaid. */
static void complete(struct health_probe_io *io)
{
	if ((unsigned int)io->verdict > HEALTH_FAIL_NOW)
		io->verdict = HEALTH_NEUTRAL; /* as the filter takes it */
	answer_clean(io);
	if (io->code != HEALTH_CODE_UNK)
		return;
	if (io->verdict == HEALTH_OK_DRAIN)
		io->code = HEALTH_CODE_L7OKC;
	else if (health_verdict_is_ok(io->verdict))
		io->code = HEALTH_CODE_L7OK;
	else if (io->verdict != HEALTH_NEUTRAL)
		io->code = HEALTH_CODE_L7STS;
}

/* `rest` bytes stand behind what the probe has consumed. */
static enum health_step leave(struct dialogue *d, enum health_step step, size_t rest,
			      struct health_probe_io *io)
{
	switch (step) {
	case HEALTH_STEP_MORE:
		return step;
	case HEALTH_STEP_TLS:
		if (rest) {
			answer_set(io, HEALTH_FAIL, HEALTH_CODE_L7RSP,
				   "bytes before the handshake");
			io->send_len = 0;
			step = HEALTH_STEP_DONE;
		}
		break;
	case HEALTH_STEP_RECONNECT:
		break;
	default:
		step = HEALTH_STEP_DONE;
		break;
	}
	if (step == HEALTH_STEP_DONE)
		complete(io);
	forget_unread(d);
	return step;
}

enum health_step dialogue_open(struct dialogue *d, uint64_t now_ns, struct health_probe_io *io)
{
	const struct health_probe_ops *ops = enter(d, now_ns, io);

	if (ops->open)
		return leave(d, ops->open(d->state, d->probe->config, io), 0, io);
	if (ops->received)
		return HEALTH_STEP_MORE;
	answer_set(io, HEALTH_OK, d->tls ? HEALTH_CODE_L6OK : HEALTH_CODE_L4OK, "");
	return HEALTH_STEP_DONE;
}

/* Puts `data` behind what is unread. */
static int append(struct dialogue *d, const void *data, size_t len)
{
	uint8_t *all = mem_regrow(d->unread, d->unread_len + len, 1);

	if (!all)
		return -ENOMEM;
	memcpy(all + d->unread_len, data, len);
	d->unread = all;
	d->unread_len += len;
	return 0;
}

/* Keeps what is left for the next time; it may lie within the unread bytes themselves. */
static int keep(struct dialogue *d, const uint8_t *rest, size_t len)
{
	if (!d->unread_len)
		return len ? append(d, rest, len) : 0;
	memmove(d->unread, rest, len);
	d->unread_len = len;
	if (!len)
		forget_unread(d);
	return 0;
}

static enum health_step out_of_memory(struct health_probe_io *io)
{
	answer_set(io, HEALTH_NEUTRAL, HEALTH_CODE_SOCKERR, "out of memory");
	return HEALTH_STEP_DONE;
}

enum health_step dialogue_received(struct dialogue *d, const void *data, size_t len,
				   uint64_t now_ns, struct health_probe_io *io)
{
	const struct health_probe_ops *ops = enter(d, now_ns, io);
	const uint8_t *at = data;
	enum health_step step;

	if (!ops->received)
		return HEALTH_STEP_MORE;
	if (d->unread_len) {
		if (len && append(d, data, len) < 0)
			return out_of_memory(io);
		at = d->unread;
		len = d->unread_len;
	}
	do { /* a probe may take one line at a time, though more are there */
		enter(d, now_ns, io);
		io->consumed = len;
		step = ops->received(d->state, d->probe->config, at, len, io);
		if (io->consumed > len)
			io->consumed = len;
		if (step != HEALTH_STEP_MORE)
			return leave(d, step, len - io->consumed, io);
		if (ops->flags & HEALTH_PROBE_DATAGRAM)
			return HEALTH_STEP_MORE;
		at += io->consumed;
		len -= io->consumed;
		d->again = io->consumed && len;
	} while (d->again && !io->send_len);
	if (!d->again && len > HEALTH_PROBE_UNREAD_MAX) {
		answer_set(io, HEALTH_FAIL, HEALTH_CODE_L7RSP, "reply too long");
		return HEALTH_STEP_DONE;
	}
	return keep(d, at, len) < 0 ? out_of_memory(io) : HEALTH_STEP_MORE;
}

enum health_step dialogue_closed(struct dialogue *d, int error, const char *reason, uint64_t now_ns,
				 struct health_probe_io *io)
{
	const struct health_probe_ops *ops = enter(d, now_ns, io);
	enum health_step step = HEALTH_STEP_MORE;

	if (ops->closed)
		step = ops->closed(d->state, d->probe->config, error, io);
	if (step == HEALTH_STEP_RECONNECT)
		return leave(d, step, 0, io);
	if (step != HEALTH_STEP_DONE)
		answer_set(io, HEALTH_FAIL,
			   error == ECONNREFUSED ? HEALTH_CODE_L4CON : HEALTH_CODE_L7RSP, reason);
	return leave(d, HEALTH_STEP_DONE, 0, io);
}

void dialogue_timeout(struct dialogue *d, uint64_t now_ns, struct health_probe_io *io)
{
	const struct health_probe_ops *ops = enter(d, now_ns, io);

	if (!ops->timeout || ops->timeout(d->state, d->probe->config, io) != HEALTH_STEP_DONE)
		answer_set(io, HEALTH_FAIL, HEALTH_CODE_L7TOUT, "no answer in time");
	leave(d, HEALTH_STEP_DONE, 0, io);
}
