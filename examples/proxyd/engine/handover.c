/* SPDX-License-Identifier: MIT */
/*
 * Accepted connections that go to another worker. The kernel spreads them by a hash: of few that stay one worker has
 * twice as many as another. So who has more open than another gives him what it accepts, before anything of it was
 * read or made: a descriptor, and the line it came to. That costs a wake-up, and is left where it would not pay: where
 * connections come fast, and so end fast, each has its share without it.
 */
#include "worker.h"

#include <unistd.h>

#define LOOKS 8u      /* at so many others; at each by turns */
#define SOON 100u     /* part of a second: what comes and goes within it evens out by itself */
#define NOTICEABLE 8u /* part of the other's */

static uint64_t n_open(const struct worker *w)
{
	return atomic_load_explicit(&w->n_open, memory_order_relaxed);
}

static uint64_t soon(const struct worker *of, uint64_t now_ns)
{
	return tally_rate_of(of->engine->tally, of->index, TALLY_CONNECTIONS, now_ns) / SOON;
}

/* NULL: nobody has so little to do that it is worth a wake-up. */
static struct worker *lighter(struct worker *w)
{
	uint64_t spare = n_open(w), least = UINT64_MAX;
	const struct engine *e = w->engine;
	struct worker *to = NULL;

	for (unsigned i = 1; i < e->n_workers && i <= LOOKS; i++) {
		struct worker *other;

		w->next_look = (w->next_look + 1) % e->n_workers;
		if (w->next_look == w->index)
			w->next_look = (w->next_look + 1) % e->n_workers;
		other = e->worker[w->next_look];
		if (n_open(other) < least) {
			to = other;
			least = n_open(other);
		}
	}
	if (spare <= least + least / NOTICEABLE)
		return NULL;
	return spare > least + least / NOTICEABLE + soon(w, w->now_ns) + soon(to, w->now_ns) ? to : NULL;
}

/* False: it takes no more. */
static bool put(struct worker *to, const struct accepted *a)
{
	struct handed *h = &to->handed;
	bool ok, first = false;

	pthread_mutex_lock(&to->lock);
	ok = !h->closed && h->n < HANDED_MAX;
	if (ok) {
		first = !h->n;
		h->of[h->n++] = *a;
		atomic_fetch_add_explicit(&to->n_open, 1, memory_order_relaxed);
	}
	pthread_mutex_unlock(&to->lock);
	if (first)
		worker_ring(to);
	return ok;
}

bool handover_give(struct worker *w, const struct accepted *a)
{
	struct set *set = a->at->frontend->set;
	struct worker *to = lighter(w);

	if (!to)
		return false;
	atomic_fetch_add(&set->holders, 1);
	if (put(to, a))
		return true;
	atomic_fetch_sub(&set->holders, 1); /* we hold it ourselves */
	counter_add(&w->n_refused, 1);
	return false;
}

static unsigned take_all(struct worker *w, struct accepted of[HANDED_MAX])
{
	unsigned n;

	pthread_mutex_lock(&w->lock);
	n = w->handed.n;
	for (unsigned i = 0; i < n; i++)
		of[i] = w->handed.of[i];
	w->handed.n = 0;
	pthread_mutex_unlock(&w->lock);
	return n;
}

static void begin(struct worker *w, const struct accepted *a)
{
	struct set *set = a->at->frontend->set;
	struct set_worker *sw = &set->worker[w->index];
	bool had_left = sw->left && !sw->sessions; /* then the holder that came along is ours from here on */

	sw->sessions++;
	atomic_fetch_sub_explicit(&w->n_open, 1, memory_order_relaxed); /* it counts itself */
	accepted_begin(w, a);
	if (!had_left)
		set_drop(w, set);
	set_leave(w, set);
}

void handover_take(struct worker *w)
{
	struct accepted of[HANDED_MAX];
	unsigned n = w->engine->n_workers > 1 ? take_all(w, of) : 0;

	counter_add(&w->n_handed, n);
	for (unsigned i = 0; i < n; i++)
		begin(w, &of[i]);
}

void handover_end(struct worker *w)
{
	pthread_mutex_lock(&w->lock);
	w->handed.closed = true;
	pthread_mutex_unlock(&w->lock);
	handover_take(w);
}

void handover_drop(struct worker *w)
{
	for (unsigned i = 0; i < w->handed.n; i++)
		close(w->handed.of[i].fd);
	w->handed.n = 0;
}
