/* SPDX-License-Identifier: MIT */
#include "counters.h"

#include <stdlib.h>
#include <string.h>

#define LINE 64
#define SECOND_NS UINT64_C(1000000000)

static _Thread_local struct counters nowhere; /* memory ran out: it is counted here, and lost */

struct tally *tally_new(unsigned n_workers)
{
	struct tally *t = calloc(1, sizeof(*t) + n_workers * sizeof(t->of[0]));

	if (t)
		t->n_workers = n_workers;
	return t;
}

void tally_free(struct tally *t)
{
	if (!t)
		return;
	for (unsigned i = 0; i < t->n_workers; i++)
		free(atomic_load(&t->of[i]));
	free(t->since);
	free(t);
}

static struct counters *counters_new(void)
{
	/* whole cache lines, so that no other thread's data shares one */
	size_t size = (sizeof(struct counters) + LINE - 1) / LINE * LINE;
	struct counters *c = aligned_alloc(LINE, size);

	return c ? memset(c, 0, size) : NULL;
}

struct counters *counters_first(struct tally *t, unsigned worker)
{
	struct counters *c = counters_new();

	if (!c)
		return &nowhere;
	atomic_store_explicit(&t->of[worker], c, memory_order_release);
	return c;
}

void counted_rate_turn(struct counted_rate *r, uint64_t second)
{
	uint64_t last = atomic_load_explicit(&r->second, memory_order_relaxed);
	uint64_t n = atomic_load_explicit(&r->now, memory_order_relaxed);

	counter_max(&r->max, n);
	atomic_store_explicit(&r->before, second == last + 1 ? n : 0, memory_order_relaxed);
	atomic_store_explicit(&r->now, 0, memory_order_relaxed);
	atomic_store_explicit(&r->second, second, memory_order_relaxed);
}

void count_times(struct counters *c, const uint64_t ms[TIME_COUNT_])
{
	uint64_t n = atomic_load_explicit(&c->time_n, memory_order_relaxed);
	bool full = n == COUNTED_TIMES;

	if (!full)
		atomic_store_explicit(&c->time_n, n + 1, memory_order_relaxed);
	for (unsigned i = 0; i < TIME_COUNT_; i++) {
		uint64_t sum = atomic_load_explicit(&c->time_sum[i], memory_order_relaxed);

		/* full: one average share leaves, rounded up so that it ends at 0 */
		sum += ms[i] - (full ? (sum + COUNTED_TIMES - 1) / COUNTED_TIMES : 0);
		atomic_store_explicit(&c->time_sum[i], sum, memory_order_relaxed);
		counter_max(&c->time_max[i], ms[i]);
	}
}

/* ---- Reading ---- */

/* What is left of the last second's events, and this second's. */
static uint64_t read_rate(const struct counted_rate *r, uint64_t now_ns, uint64_t *max)
{
	uint64_t second = atomic_load_explicit(&r->second, memory_order_relaxed), today = now_ns / SECOND_NS;
	uint64_t now = atomic_load_explicit(&r->now, memory_order_relaxed);
	uint64_t before = atomic_load_explicit(&r->before, memory_order_relaxed);
	uint64_t peak = atomic_load_explicit(&r->max, memory_order_relaxed);

	*max += now > peak ? now : peak;
	if (today == second + 1) {
		before = now;
		now = 0;
	} else if (today != second) {
		return 0;
	}
	return now + before * (SECOND_NS - now_ns % SECOND_NS) / SECOND_NS;
}

static void add(const struct counters *c, uint64_t now_ns, struct tally_sum *s)
{
	uint64_t v;

	for (unsigned i = 0; i < COUNT_COUNT_; i++)
		s->n[i] += atomic_load_explicit(&c->n[i], memory_order_relaxed);
	s->open += atomic_load_explicit(&c->open, memory_order_relaxed);
	v = atomic_load_explicit(&c->sessions_max, memory_order_relaxed);
	s->sessions_max = v > s->sessions_max ? v : s->sessions_max;
	v = atomic_load_explicit(&c->queue_max, memory_order_relaxed);
	s->queue_max = v > s->queue_max ? v : s->queue_max;
	v = atomic_load_explicit(&c->last_ns, memory_order_relaxed);
	s->last_ns = v > s->last_ns ? v : s->last_ns;
	s->connection_rate += read_rate(&c->connections, now_ns, &s->connection_rate_max);
	s->session_rate += read_rate(&c->sessions, now_ns, &s->session_rate_max);
	s->request_rate += read_rate(&c->requests, now_ns, &s->request_rate_max);
	s->time_n += atomic_load_explicit(&c->time_n, memory_order_relaxed);
	for (unsigned i = 0; i < TIME_COUNT_; i++) {
		s->time_sum[i] += atomic_load_explicit(&c->time_sum[i], memory_order_relaxed);
		v = atomic_load_explicit(&c->time_max[i], memory_order_relaxed);
		s->time_max[i] = v > s->time_max[i] ? v : s->time_max[i];
	}
}

void tally_read(const struct tally *t, uint64_t now_ns, struct tally_sum *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (unsigned i = 0; i < t->n_workers; i++) {
		const struct counters *c = atomic_load_explicit(&t->of[i], memory_order_acquire);

		if (c)
			add(c, now_ns, ret);
	}
	for (unsigned i = 0; t->since && i < COUNT_COUNT_; i++)
		ret->n[i] -= t->since->n[i];
}

uint64_t tally_rate_of(const struct tally *t, unsigned worker, enum tally_rate of, uint64_t now_ns)
{
	const struct counters *c = atomic_load_explicit(&t->of[worker], memory_order_acquire);
	uint64_t unused = 0;

	if (!c)
		return 0;
	return read_rate(of == TALLY_CONNECTIONS ? &c->connections
			 : of == TALLY_SESSIONS	 ? &c->sessions
						 : &c->requests,
			 now_ns, &unused);
}

uint64_t tally_rate(const struct tally *t, enum tally_rate of, uint64_t now_ns)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < t->n_workers; i++)
		sum += tally_rate_of(t, i, of, now_ns);
	return sum;
}

int64_t tally_open(const struct tally *t)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < t->n_workers; i++) {
		const struct counters *c = atomic_load_explicit(&t->of[i], memory_order_acquire);

		if (c)
			n += atomic_load_explicit(&c->open, memory_order_relaxed);
	}
	return (int64_t)n;
}

void tally_add_times(struct tally_sum *to, const struct tally_sum *from)
{
	to->time_n += from->time_n;
	for (unsigned i = 0; i < TIME_COUNT_; i++) {
		to->time_sum[i] += from->time_sum[i];
		to->time_max[i] = from->time_max[i] > to->time_max[i] ? from->time_max[i] : to->time_max[i];
	}
}

/* Highest values: a worker that is about to write one may win; the next one is right again. */
static void clear_max(struct counters *c)
{
	struct counted_rate *rate[] = {&c->connections, &c->sessions, &c->requests};

	for (unsigned i = 0; i < sizeof(rate) / sizeof(rate[0]); i++)
		atomic_store_explicit(&rate[i]->max, 0, memory_order_relaxed);
	for (unsigned i = 0; i < TIME_COUNT_; i++)
		atomic_store_explicit(&c->time_max[i], 0, memory_order_relaxed);
	atomic_store_explicit(&c->sessions_max, 0, memory_order_relaxed);
	atomic_store_explicit(&c->queue_max, 0, memory_order_relaxed);
}

bool tally_clear(struct tally *t, bool all)
{
	struct tally_sum s;

	if (all && !t->since)
		t->since = counters_new();
	for (unsigned i = 0; i < t->n_workers; i++) {
		struct counters *c = atomic_load_explicit(&t->of[i], memory_order_acquire);

		if (c)
			clear_max(c);
	}
	if (!all)
		return true;
	if (!t->since)
		return false;
	/* Sums are not set back, since workers add to them: they are counted from here on. */
	tally_read(t, 0, &s);
	s.n[COUNT_H2_CONNECTIONS_OVER] = s.n[COUNT_H2_CONNECTIONS]; /* what lies between the two is open, and stays so */
	s.n[COUNT_H2_STREAMS_OVER] = s.n[COUNT_H2_STREAMS];
	for (unsigned i = 0; i < COUNT_COUNT_; i++)
		t->since->n[i] += s.n[i];
	return true;
}
