/* SPDX-License-Identifier: MIT */
/*
 * A whole dialogue without I/O: a server's answer, in pieces of any size, against a probe. For tests of the
 * probes and for fuzzers; it sees the library's own headers.
 */
#ifndef TESTS_SUPPORT_TALK_H
#define TESTS_SUPPORT_TALK_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "dialogue.h"

#define TALK_SENT_MAX 16384

enum talk_end { TALK_SILENCE, TALK_CLOSES, TALK_RESETS };

struct talk {
	enum health_step step; /* DONE before the server's end, MORE, or RECONNECT at its end */
	struct health_probe_io io;
	char sent[TALK_SENT_MAX]; /* all the probe sent, with a 0 behind it */
	size_t sent_len;
	bool reopened; /* on another channel: what was left of a piece is gone */
};

static inline void talk_note(struct talk *t)
{
	if (t->sent_len + t->io.send_len >= sizeof(t->sent))
		abort();
	if (t->io.send_len)
		memcpy(t->sent + t->sent_len, t->io.send, t->io.send_len);
	t->sent_len += t->io.send_len;
	t->sent[t->sent_len] = '\0';
}

/* One piece, as the engine gives it: in memory of its exact size, so that a sanitizer sees a read beyond. */
static inline void talk_piece(struct talk *t, struct dialogue *d, const void *data, size_t len)
{
	char *piece = malloc(len ? len : 1);

	if (!piece)
		abort();
	if (len)
		memcpy(piece, data, len);
	t->step = dialogue_received(d, piece, len, 1, &t->io);
	talk_note(t);
	while (t->step == HEALTH_STEP_MORE && d->again) {
		t->step = dialogue_received(d, NULL, 0, 1, &t->io);
		talk_note(t);
	}
	free(piece);
}

/* A new channel, as often as the probe asks for one. */
static inline void talk_reopen(struct talk *t, struct dialogue *d)
{
	for (int i = 0; t->step == HEALTH_STEP_TLS || t->step == HEALTH_STEP_RECONNECT; i++) {
		if (i > HEALTH_PROBE_RECONNECTS_MAX)
			abort();
		d->tls |= t->step == HEALTH_STEP_TLS;
		t->reopened = true;
		t->step = dialogue_open(d, 1, &t->io);
		talk_note(t);
	}
}

/* The answer's first piece of `first` bytes, then pieces of `chunk`, then the end. `t->io` holds the verdict. */
static inline void talk_pieces(struct talk *t, const struct health_probe *p, const void *answer,
			       size_t len, size_t first, size_t chunk, enum talk_end end)
{
	_Alignas(max_align_t) static char state[HEALTH_PROBE_STATE_MAX];
	struct dialogue d;

	memset(t, 0, sizeof(*t));
	dialogue_init(&d, p, state);
	t->step = dialogue_open(&d, 1, &t->io);
	talk_note(t);
	talk_reopen(t, &d);
	for (size_t at = 0, n = first; at < len && t->step == HEALTH_STEP_MORE; n = chunk) {
		n = n < len - at ? n : len - at;
		talk_piece(t, &d, (const char *)answer + at, n);
		talk_reopen(t, &d);
		at += n;
	}
	if (t->step == HEALTH_STEP_MORE && end == TALK_SILENCE)
		dialogue_timeout(&d, 1, &t->io);
	else if (t->step == HEALTH_STEP_MORE &&
		 dialogue_closed(&d, end == TALK_RESETS ? ECONNRESET : 0,
				 end == TALK_RESETS ? "reset" : "closed before an answer", 1,
				 &t->io) == HEALTH_STEP_RECONNECT)
		t->step = HEALTH_STEP_RECONNECT;
	dialogue_fini(&d);
}

/* The answer in pieces of `chunk` bytes; 0: whole. */
static inline void talk(struct talk *t, const struct health_probe *p, const void *answer,
			size_t len, size_t chunk, enum talk_end end)
{
	size_t size = chunk ? chunk : len;

	talk_pieces(t, p, answer, len, size, size, end);
}

/* The answer in two pieces, the first of `at` bytes, at least one. */
static inline void talk_cut(struct talk *t, const struct health_probe *p, const void *answer,
			    size_t len, size_t at, enum talk_end end)
{
	talk_pieces(t, p, answer, len, at, len - at ? len - at : 1, end);
}

#endif
