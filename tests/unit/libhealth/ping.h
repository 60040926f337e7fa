/* SPDX-License-Identifier: MIT */
/*
 * A probe for tests, as a host would write one: sends "ping\r\n", wants lines until "pong". Its options
 * are an int that setup doubles; a line "drain" passes under a condition, "lost" makes it say nonsense, any other than "wait" fails.
 */
#ifndef PING_H
#define PING_H

#include <stdlib.h>
#include <string.h>

#include <libhealth/probe.h>

struct ping_state {
	unsigned int lines;
};

static enum health_step ping_open(void *state, const void *config, struct health_probe_io *io)
{
	io->send = "ping\r\n";
	io->send_len = 6;
	return HEALTH_STEP_MORE;
}

static enum health_step ping_received(void *state, const void *config, const void *data, size_t len,
				      struct health_probe_io *io)
{
	struct ping_state *s = state;
	const char *line = data, *end = memchr(data, '\n', len);

	io->consumed = 0;
	if (!end)
		return HEALTH_STEP_MORE;
	s->lines++;
	io->status = s->lines;
	io->consumed = (size_t)(end - line) + 1;
	if (!strncmp(line, "wait", 4)) {
		io->send = "still here?\r\n";
		io->send_len = 13;
		return HEALTH_STEP_MORE;
	}
	if (!strncmp(line, "pong", 4))
		io->verdict = HEALTH_OK;
	else if (!strncmp(line, "drain", 5))
		io->verdict = HEALTH_OK_DRAIN;
	else if (!strncmp(line, "lost", 4))
		io->verdict = (enum health_verdict)77;
	else
		io->verdict = HEALTH_FAIL;
	memcpy(io->text, line, io->consumed < sizeof(io->text) ? io->consumed : sizeof(io->text));
	return HEALTH_STEP_DONE;
}

static const struct health_probe_ops ping_ops = {
    .size = sizeof(ping_ops),
    .name = "ping",
    .state_size = sizeof(struct ping_state),
    .open = ping_open,
    .received = ping_received,
};

#endif
