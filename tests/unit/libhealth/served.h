/* SPDX-License-Identifier: MIT */
/*
 * What every probe must bear, whatever its protocol. A test names the probe and what a good server says, byte
 * for byte, and the cases follow: cut at every place, ended at every place by silence, by a slow drip past the
 * timeout, by a close, by a reset, and followed by a flood. Include after cmocka.h.
 */
#ifndef SERVED_H
#define SERVED_H

#include "tests/support/talk.h"

#define SERVED_CHUNKS_MAX 400
#define SERVED_FLOOD (256 * 1024)
#define BYTES(text) (text), sizeof(text) - 1

static inline struct health_probe *served_probe(const struct health_probe_ops *ops,
						const void *opts)
{
	struct health_probe *p = NULL;

	assert_int_equal(health_probe_new(ops, opts, &p), 0);
	return p;
}

static inline void served_is(const struct talk *t, const char *how, size_t at,
			     enum health_verdict verdict, enum health_code code, uint32_t status)
{
	if (t->io.verdict != verdict || t->io.code != code || t->io.status != status)
		print_error("%s %zu: %s %s %u '%s', not %s %u\n", how, at,
			    health_verdict_name(t->io.verdict), health_code_name(t->io.code),
			    t->io.status, t->io.text, health_code_name(code), status);
	assert_int_equal(t->io.verdict, verdict);
	assert_int_equal(t->io.code, code);
	assert_int_equal(t->io.status, status);
}

/* The same verdict and the same bytes sent, in pieces of every size and in two cut at every place. */
static inline void served_pieces(const struct health_probe *p, const void *answer, size_t len,
				 enum talk_end end, enum health_verdict verdict,
				 enum health_code code, uint32_t status)
{
	static struct talk whole, t;

	talk(&whole, p, answer, len, 0, end);
	served_is(&whole, "whole", len, verdict, code, status);
	if (p->ops.flags & HEALTH_PROBE_DATAGRAM)
		return;
	if (p->ops.flags & HEALTH_PROBE_FIRST) { /* else the server learns late that it has a client */
		talk(&t, p, "", 0, 0, TALK_SILENCE);
		assert_true(t.sent_len > 0);
	}
	for (size_t chunk = 1; chunk < len && chunk < SERVED_CHUNKS_MAX; chunk++) {
		talk(&t, p, answer, len, chunk, end);
		served_is(&t, "by", chunk, verdict, code, status);
		assert_int_equal(t.sent_len, whole.sent_len);
		assert_memory_equal(t.sent, whole.sent, t.sent_len);
	}
	for (size_t at = 1; at < len && at < SERVED_CHUNKS_MAX; at++) {
		talk_cut(&t, p, answer, len, at, end);
		served_is(&t, "cut at", at, verdict, code, status);
		assert_int_equal(t.sent_len, whole.sent_len);
	}
}

static inline void served_no(const struct health_probe *p, const void *answer, size_t len,
			     enum talk_end end, enum health_code code, uint32_t status)
{
	served_pieces(p, answer, len, end, HEALTH_FAIL, code, status);
}

static inline void served_flood(const struct health_probe *p, const char *good, size_t len)
{
	static const char fill[] = {'A', '\n', 0, (char)0xff, ' ', '1'};
	static char flood[SERVED_FLOOD];
	static struct talk t;

	memcpy(flood, good, len);
	for (size_t i = 0; i < sizeof(fill); i++) {
		memset(flood + len, fill[i], sizeof(flood) - len);
		talk(&t, p, flood, sizeof(flood), 16000, TALK_SILENCE);
		if (t.step != HEALTH_STEP_DONE)
			print_error("a flood of '%c' behind %zu bytes has no end\n", fill[i], len);
		assert_int_equal(t.step, HEALTH_STEP_DONE);
	}
}

/* `good` is what is needed and no more: with a byte less it is no success. */
static inline void served_as(const struct health_probe *p, const void *good, size_t len,
			     enum health_code code, uint32_t status)
{
	bool datagram = p->ops.flags & HEALTH_PROBE_DATAGRAM;
	static struct talk t;

	served_pieces(p, good, len, TALK_SILENCE, HEALTH_OK, code, status);
	served_pieces(p, good, len, TALK_CLOSES, HEALTH_OK, code, status);
	for (size_t at = 0; at < len; at++) {
		for (enum talk_end end = TALK_SILENCE; end <= TALK_RESETS; end++) {
			talk(&t, p, good, at, 0, end);
			if (t.io.verdict != HEALTH_FAIL)
				print_error("%s after %zu of %zu bytes\n",
					    health_code_name(t.io.code), at, len);
			assert_int_equal(t.io.verdict, HEALTH_FAIL);
			if (!datagram && t.step == HEALTH_STEP_MORE)
				assert_int_equal(t.io.code, end == TALK_SILENCE
								? HEALTH_CODE_L7TOUT
								: HEALTH_CODE_L7RSP);
			talk(&t, p, good, at, 1, end); /* one byte at a time */
			assert_true(datagram || t.io.verdict == HEALTH_FAIL);
		}
		if (!datagram && at < 64)
			served_flood(p, good, at);
	}
}

static inline void served_ok(const struct health_probe *p, const void *good, size_t len,
			     uint32_t status)
{
	served_as(p, good, len, HEALTH_CODE_L7OK, status);
}

#endif
