/* SPDX-License-Identifier: MIT */
/* When checks may start: even spreading, jitter, and the token bucket. Pure. */
#ifndef LIBHEALTH_SPREAD_H
#define LIBHEALTH_SPREAD_H

#include <stdbool.h>
#include <stdint.h>

#define SPREAD_RATE_MAX \
	10000000u /* starts per second; beyond, a token would cost less than 100 ns */

/* A place in [0, span_ns) for check `id`. Consecutive ids fill the span evenly at every length. */
uint64_t spread_offset(uint64_t seed, uint64_t id, uint64_t span_ns);

/* interval_ns, up to `percent` (<= 100) shorter or longer; from (seed, id, run) alone. */
uint64_t spread_jitter(uint64_t seed, uint64_t id, uint64_t run, uint64_t interval_ns,
		       uint32_t percent);

/* When a start planned for then happens, if starts wait up to slack_ns (> 0) for one another. */
uint64_t spread_shared(uint64_t planned_ns, uint64_t slack_ns);

/* A number for this run, unlike that of any other; no secret. */
uint64_t spread_nonce(uint64_t seed, uint64_t id, uint64_t run);

/* What `demand` (starts in 10^9 seconds) needs: a quarter more, so that a backlog goes away. */
uint32_t spread_rate(uint64_t demand, uint32_t least);
/*
 * Starts that may come at once within `rate`: those of 5.5 ms. So no 10 ms see twice the demand (1.25 * 15.5 ms), and a
 * host that dispatches every 7 ms still delivers all.
 */
uint32_t spread_burst(uint32_t rate, uint32_t least);

/* `rate` starts per second, of which up to `burst` may come at once. */
struct bucket {
	uint64_t cost_ns;  /* one token */
	uint64_t depth_ns; /* what a full bucket holds, less one token */
	uint64_t empty_ns; /* when everything taken so far is paid for */
};

/* From zero, or with another rate than before. */
void bucket_set(struct bucket *b, uint32_t rate, uint32_t burst);
bool bucket_take(struct bucket *b, uint64_t now_ns);
uint64_t bucket_ready_ns(const struct bucket *b); /* when the next token is there */

#endif
