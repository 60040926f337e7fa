/* SPDX-License-Identifier: MIT */
/* What a dialogue says in one breath: the next bytes, or its last word. */
#ifndef LIBHEALTH_REPLY_H
#define LIBHEALTH_REPLY_H

#include "dialogue.h"

/* `data` stays where it is until the next call. */
static inline enum health_step reply_send(struct health_probe_io *io, const void *data, size_t len)
{
	io->send = data;
	io->send_len = len;
	return HEALTH_STEP_MORE;
}

static inline enum health_step reply_over(struct health_probe_io *io, enum health_verdict verdict,
					  enum health_code code, uint32_t status, const char *text)
{
	answer_set(io, verdict, code, text);
	io->status = status;
	return HEALTH_STEP_DONE;
}

static inline enum health_step reply_ok(struct health_probe_io *io, uint32_t status,
					const char *text)
{
	return reply_over(io, HEALTH_OK, HEALTH_CODE_L7OK, status, text);
}

/* The protocol, and it says no. */
static inline enum health_step reply_no(struct health_probe_io *io, uint32_t status,
					const char *text)
{
	return reply_over(io, HEALTH_FAIL, HEALTH_CODE_L7STS, status, text);
}

/* Not the protocol. */
static inline enum health_step reply_broken(struct health_probe_io *io, uint32_t status,
					    const char *text)
{
	return reply_over(io, HEALTH_FAIL, HEALTH_CODE_L7RSP, status, text);
}

#endif
