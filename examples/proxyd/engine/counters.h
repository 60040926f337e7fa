/* SPDX-License-Identifier: MIT */
/*
 * What is counted of frontends, listeners, backends and servers. Each worker counts for itself, in memory that
 * no other thread writes, allocated when it first has something to count there; who reads adds them up. So
 * counting costs an addition and no cache line travels.
 */
#ifndef PROXYD_ENGINE_COUNTERS_H
#define PROXYD_ENGINE_COUNTERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNTED_TIMES 1024u /* averages of times are over about so many, as HAProxy's */

/* Events of one calendar second of the monotonic clock. */
struct counted_rate {
	_Atomic uint64_t second, now, before, max;
};

enum counted_time {
	TIME_QUEUE,
	TIME_CONNECT,
	TIME_RESPONSE,
	TIME_TOTAL,
	TIME_COUNT_,
};

/* Sums; what they mean is in HAProxy's management guide, "Statistics and monitoring". */
enum counted {
	COUNT_CONNECTIONS,
	COUNT_SESSIONS,
	COUNT_REQUESTS,
	COUNT_BYTES_IN,
	COUNT_BYTES_OUT,
	COUNT_DENIED_CONNECTIONS, /* tcp-request connection, and session */
	COUNT_DENIED_SESSIONS,
	COUNT_DENIED_REQUESTS,
	COUNT_DENIED_RESPONSES,
	COUNT_REQUEST_ERRORS,
	COUNT_CONNECT_ERRORS,
	COUNT_RESPONSE_ERRORS,
	COUNT_RETRIES,
	COUNT_REDISPATCHES,
	COUNT_INTERNAL_ERRORS,
	COUNT_CLIENT_ABORTS,
	COUNT_SERVER_ABORTS,
	COUNT_PICKED,
	COUNT_INTERCEPTED,
	COUNT_CONNECTS,
	COUNT_REUSES,
	COUNT_STATUS_OTHER,
	COUNT_STATUS_1XX,
	COUNT_STATUS_2XX,
	COUNT_STATUS_3XX,
	COUNT_STATUS_4XX,
	COUNT_STATUS_5XX,
	COUNT_TLS_SESSIONS, /* handshakes that began a session; _REUSED: that went on with an older one */
	COUNT_TLS_REUSED,
	COUNT_TLS_FAILED,
	COUNT_COMPRESS_IN, /* bytes of answers before, and after; answers */
	COUNT_COMPRESS_OUT,
	COUNT_COMPRESSED,
	COUNT_H2_HEADERS, /* frames of HTTP/2 that came; faults; what was sent */
	COUNT_H2_DATA,
	COUNT_H2_SETTINGS,
	COUNT_H2_RST_STREAM,
	COUNT_H2_GOAWAY,
	COUNT_H2_CONNECTION_ERRORS,
	COUNT_H2_STREAM_ERRORS,
	COUNT_H2_RST_STREAM_SENT,
	COUNT_H2_GOAWAY_SENT,
	COUNT_H2_CONNECTIONS, /* ever, and those that are over */
	COUNT_H2_CONNECTIONS_OVER,
	COUNT_H2_STREAMS,
	COUNT_H2_STREAMS_OVER,
	COUNT_H2_BYTES_IN, /* of streams that are over */
	COUNT_H2_BYTES_OUT,
	COUNT_COUNT_,
};

struct counters {
	_Atomic uint64_t n[COUNT_COUNT_];
	_Atomic uint64_t sessions_max, queue_max; /* that this worker has seen */
	_Atomic uint64_t open;			  /* of a listener: connections now */
	_Atomic uint64_t last_ns;		  /* when a server was last chosen; 0: never */
	struct counted_rate connections, sessions, requests;
	/* of times in ms: a sliding sum of about COUNTED_TIMES of them, and how many it holds */
	_Atomic uint64_t time_sum[TIME_COUNT_], time_n, time_max[TIME_COUNT_];
};

/* One object's: of each worker its own, NULL where nothing was counted yet. */
struct tally {
	unsigned n_workers;
	struct counters *since; /* "clear counters all": what the sums were then; NULL: 0 */
	_Atomic(struct counters *) of[];
};

/* NULL: no memory. */
struct tally *tally_new(unsigned n_workers);
void tally_free(struct tally *t);

/* Control thread: all workers' counters in one; rates are of the second before `now_ns` to now. */
struct tally_sum {
	uint64_t n[COUNT_COUNT_];
	uint64_t sessions_max, queue_max, open, last_ns;
	uint64_t connection_rate, session_rate, request_rate;
	uint64_t connection_rate_max, session_rate_max, request_rate_max;
	uint64_t time_sum[TIME_COUNT_], time_n, time_max[TIME_COUNT_];
};
void tally_read(const struct tally *t, uint64_t now_ns, struct tally_sum *ret);

enum tally_rate {
	TALLY_CONNECTIONS,
	TALLY_SESSIONS,
	TALLY_REQUESTS,
};
/* Of the second before `now_ns`. Any thread. */
uint64_t tally_rate(const struct tally *t, enum tally_rate of, uint64_t now_ns);
/* One worker's share of that. */
uint64_t tally_rate_of(const struct tally *t, unsigned worker, enum tally_rate of, uint64_t now_ns);

/* How many are open now. Any thread. */
int64_t tally_open(const struct tally *t);

/* Adds what is told of times in `from`: those of a backend are its servers'. */
void tally_add_times(struct tally_sum *to, const struct tally_sum *from);

static inline uint64_t tally_average(const struct tally_sum *s, enum counted_time t)
{
	return s->time_n ? (s->time_sum[t] + s->time_n / 2) / s->time_n : 0;
}

/* Highest values only, or everything. False: no memory. */
bool tally_clear(struct tally *t, bool all);

/* ---- Workers ---- */

/* Takes the counters' first page; when there is no memory, one that nobody reads. */
struct counters *counters_first(struct tally *t, unsigned worker);

static inline struct counters *counters_of(struct tally *t, unsigned worker)
{
	struct counters *c = atomic_load_explicit(&t->of[worker], memory_order_relaxed);

	return __builtin_expect(c != NULL, 1) ? c : counters_first(t, worker);
}

/* One writer: no locked instruction is needed, only that a reader sees whole numbers. */
static inline void counter_add(_Atomic uint64_t *to, uint64_t n)
{
	atomic_store_explicit(to, atomic_load_explicit(to, memory_order_relaxed) + n, memory_order_relaxed);
}

static inline void counter_inc(struct counters *c, enum counted what)
{
	counter_add(&c->n[what], 1);
}

static inline void counter_max(_Atomic uint64_t *to, uint64_t n)
{
	if (n > atomic_load_explicit(to, memory_order_relaxed))
		atomic_store_explicit(to, n, memory_order_relaxed);
}

/* A new second began. */
void counted_rate_turn(struct counted_rate *r, uint64_t second);

static inline void count_rate_add(struct counted_rate *r, uint64_t second, uint64_t n)
{
	if (__builtin_expect(atomic_load_explicit(&r->second, memory_order_relaxed) != second, 0))
		counted_rate_turn(r, second);
	counter_add(&r->now, n);
}

static inline void count_rate_at(struct counted_rate *r, uint64_t second)
{
	count_rate_add(r, second, 1);
}

/* The four of one request, in ms. */
void count_times(struct counters *c, const uint64_t ms[TIME_COUNT_]);

#endif
