/* SPDX-License-Identifier: MIT */
/*
 * Naps. With many connections and small batches most of the time goes into falling asleep and being woken. A nap of some
 * tens of microseconds before epoll_wait lets events gather: fewer wake-ups, the same work. It is taken only when events
 * come fast, the last batch was small and there are connections enough that have events; a saturated worker has large
 * batches and never naps. In a burst, too, though little comes on the whole: many small batches take those who sent it
 * from their work.
 *
 * Who asks again as soon as he is answered waits for the next answer anyway, and the time that naps add is seen in the rate
 * of events. Who asks when he likes would feel it in each answer: where few of those who have events wait for a server,
 * there are no naps but in bursts.
 *
 * What a nap costs and saves differs from host to host and from hour to hour, so the best length is measured: a longer or
 * shorter one is tried by turns with the present one, now and then.
 */
#ifndef PROXYD_ENGINE_NAP_H
#define PROXYD_ENGINE_NAP_H

#include <stdbool.h>
#include <stdint.h>

#define NAP_CONNECTIONS 16u /* fewer that have something to do are better served at once */

/* Of many turns with naps of one length. */
struct nap_cost {
	uint64_t cpu_ns, busy_ns, events; /* busy: by the clock, without pauses */
};

/* Looks for the best length. */
struct nap_search {
	uint8_t length, most; /* in steps of 50 us */
	enum nap_other { NAP_LONGER, NAP_SHORTER, NAP_NONE, NAP_OTHERS } other; /* is tried */
	bool rests;
	uint16_t periods; /* of this trial, or rest */
	uint8_t lost;	  /* trials, since one was won */
	int8_t lead;	  /* pairs won by the other length, less those lost */
	double burden;	  /* of the present length, in this pair */
};

struct nap {
	unsigned last_batch;
	uint64_t rate_since_ns, rate_events, rate; /* events per second */
	uint64_t turn_ns, slept_ns;		   /* the last turn, and its end */
	uint64_t burst_since_ns, burst_events;
	uint64_t seen_since_ns;
	unsigned n_seen, n_busy; /* connections with events in this window, in the last one */
	uint8_t window;
	uint64_t answer_ns; /* that servers take, on average */
	struct nap_search few, many, burst;
	/* a period of one length */
	struct nap_search *search; /* NULL: it is void */
	struct nap_cost cost;
	uint64_t cpu_ns; /* of the thread, when it began */
	unsigned turns, naps;
};

void nap_init(struct nap *n, uint64_t now_ns);

/* A connection has an event; *seen is its own, 0 at first. Who has none for long is idle. */
static inline void nap_saw(struct nap *n, uint8_t *seen)
{
	n->n_seen += *seen != n->window;
	*seen = n->window;
}

/* A server has answered after so long. */
static inline void nap_answered(struct nap *n, uint64_t took_ns)
{
	n->answer_ns += took_ns / 16 - n->answer_ns / 16;
}

/* NAP_CONNECTIONS or more are open; a turn had so many events, from now_ns to end_ns. True: nap_measure() is due. */
bool nap_turn(struct nap *n, unsigned events, uint64_t now_ns, uint64_t end_ns);

/* The CPU that the thread has taken so far. */
void nap_measure(struct nap *n, uint64_t cpu_ns);

/* How long the next nap is, in us; 0: none. `wanted` as tune.coalesce-us: -1: as measured. */
int nap_us(struct nap *n, unsigned open, int wanted);

#endif
