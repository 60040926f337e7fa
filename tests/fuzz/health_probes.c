/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: each probe reads any answer. The first byte chooses the probe and how the server ends, the
 * second the size of the pieces. Held: however an answer is cut, the verdict is the same.
 */
#include <stdint.h>

#include <libhealth/probe_dns.h>
#include <libhealth/probe_expect.h>
#include <libhealth/probe_http.h>
#include <libhealth/probe_smtp.h>

#include "tests/support/talk.h"

#define PROBES 5

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct health_probe *made(const struct health_probe_ops *ops, const void *opts)
{
	struct health_probe *p = NULL;

	if (health_probe_new(ops, opts, &p) < 0)
		abort();
	return p;
}

static struct health_probe *choose(unsigned int which)
{
	const struct health_http_opts text = {
	    .size = sizeof(text), .body = "abab", .body_max_bytes = 512};
	const struct health_expect_step steps[] = {
	    {.send = "a", .send_len = 1, .expect = "+OK", .expect_len = 3},
	    {.send = "b", .send_len = 1, .expect = "aab", .expect_len = 3},
	};
	const struct health_expect_opts expect = {
	    .size = sizeof(expect), .steps = steps, .n_steps = 2, .reply_max_bytes = 64};

	switch (which) {
	case 0:
		return made(health_probe_http(), NULL);
	case 1:
		return made(health_probe_http(), &text);
	case 2:
		return made(health_probe_expect(), &expect);
	case 3:
		return made(health_probe_smtp(), NULL);
	default:
		return made(health_probe_dns(), NULL);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct talk whole, pieces;
	struct health_probe *p;
	enum talk_end end;
	size_t chunk;

	if (len < 2)
		return 0;
	p = choose(data[0] % PROBES);
	end = (enum talk_end)(data[0] / PROBES % 3);
	chunk = p->ops.flags & HEALTH_PROBE_DATAGRAM ? 0 : 1u + data[1];
	talk(&whole, p, data + 2, len - 2, 0, end);
	talk(&pieces, p, data + 2, len - 2, chunk, end);
	if (whole.io.verdict != pieces.io.verdict || whole.io.code != pieces.io.code ||
	    whole.io.status != pieces.io.status || whole.sent_len != pieces.sent_len)
		abort();
	if (memchr(whole.io.text, 0, sizeof(whole.io.text)) == NULL)
		abort();
	health_probe_free(p);
	return 0;
}
