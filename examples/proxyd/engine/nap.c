/* SPDX-License-Identifier: MIT */
#include "nap.h"

#include <stddef.h>

#define SECOND_NS UINT64_C(1000000000)
#define MANY 200u
#define BATCH_MAX 256u /* more connections than one batch holds */
#define RATE 20000u    /* events per second */
#define RATE_WINDOW_NS UINT64_C(5000000)
#define SEEN_WINDOW_NS UINT64_C(50000000) /* longer than most answers take */
#define PAUSE_NS UINT64_C(500000)	  /* between two bursts */
#define BURST_EVENTS 8u

/* Lengths, in steps. */
#define STEP_US 50
#define FEW 3u	/* at first */
#define MOST 4u /* of many at first, too */
#define BURST 1u
#define BURST_MOST 2u
#define WAITING 6u /* fewer than one in so many wait for a server: they ask when they like */

/* A trial compares pairs of periods, with either length. The more were lost, the longer is the rest to the next one. */
#define PERIOD_NS UINT64_C(4000000)
#define PERIOD_EVENTS 128u
#define WIN 10	  /* pairs ahead; in noise equal ones would often come to less */
#define LOSE 6	  /* behind */
#define TRIAL 64u /* periods at most: no difference */
#define REST 32u
#define LOST_MAX 6u

void nap_init(struct nap *n, uint64_t now_ns)
{
	*n = (struct nap){.rate_since_ns = now_ns};
	n->few = (struct nap_search){.length = FEW, .most = MOST};
	n->many = (struct nap_search){.length = MOST, .most = MOST, .other = NAP_SHORTER};
	n->burst = (struct nap_search){.length = BURST, .most = BURST_MOST};
}

/* ---- The best length ---- */

static bool is_trying(const struct nap_search *s)
{
	return !s->rests && s->periods % 2;
}

static unsigned other_length(const struct nap_search *s)
{
	switch (s->other) {
	case NAP_LONGER:
		return s->length < s->most ? s->length + 1u : s->most;
	case NAP_SHORTER:
		return s->length ? s->length - 1u : 0;
	default:
		return 0; /* short ones may cost more than none, and long ones */
	}
}

static unsigned present_length(const struct nap_search *s)
{
	return is_trying(s) ? other_length(s) : s->length;
}

/* CPU and time count the same: a hundredth less of one is worth a hundredth more of the other. */
static double burden(const struct nap_cost *c)
{
	return (double)c->cpu_ns * (double)c->busy_ns / ((double)c->events * (double)c->events);
}

static void begin_trial(struct nap_search *s)
{
	s->rests = false;
	s->periods = 0;
	s->lead = 0;
	while (other_length(s) == s->length)
		s->other = (s->other + 1) % NAP_OTHERS;
}

static void lose_trial(struct nap_search *s)
{
	s->rests = true;
	s->periods = 0;
	s->other = (s->other + 1) % NAP_OTHERS;
	if (s->lost < LOST_MAX)
		s->lost++;
}

static void win_trial(struct nap_search *s)
{
	s->length = (uint8_t)other_length(s);
	s->lost = 0;
	begin_trial(s); /* on that way */
}

/* In doubt the shorter one: others feel it whose requests do not wait for answers. */
static bool is_better(const struct nap_search *s, double other)
{
	return other < s->burden * (s->other == NAP_SHORTER ? 1.01 : 0.98);
}

static void end_period(struct nap_search *s, double burden)
{
	s->periods++;
	if (s->rests) {
		if (s->periods >= REST << s->lost)
			begin_trial(s);
		return;
	}
	if (s->periods % 2) {
		s->burden = burden;
		return;
	}
	s->lead = (int8_t)(s->lead + (is_better(s, burden) ? 1 : -1));
	if (s->lead == WIN)
		win_trial(s);
	else if (s->lead == -LOSE || s->periods >= TRIAL)
		lose_trial(s);
}

void nap_measure(struct nap *n, uint64_t cpu_ns)
{
	n->cost.cpu_ns = cpu_ns - n->cpu_ns;
	/* where nobody wanted to nap, lengths do not differ */
	if (n->search && n->cpu_ns && n->naps * 4 >= n->turns)
		end_period(n->search, burden(&n->cost));
	n->search = NULL;
	n->cpu_ns = cpu_ns;
	n->cost = (struct nap_cost){0};
	n->turns = n->naps = 0;
}

/* ---- When ---- */

static void count_busy(struct nap *n, uint64_t now_ns)
{
	if (now_ns - n->seen_since_ns < SEEN_WINDOW_NS)
		return;
	n->n_busy = n->n_seen;
	n->n_seen = 0;
	n->window++;
	n->seen_since_ns = now_ns;
}

static void count_rate(struct nap *n, uint64_t now_ns)
{
	uint64_t passed = now_ns - n->rate_since_ns;

	if (passed < RATE_WINDOW_NS)
		return;
	/* half the past, half the last window */
	n->rate = (n->rate + n->rate_events * SECOND_NS / passed) / 2;
	n->rate_events = 0;
	n->rate_since_ns = now_ns;
}

bool nap_turn(struct nap *n, unsigned events, uint64_t now_ns, uint64_t end_ns)
{
	count_busy(n, now_ns);
	if (now_ns - n->slept_ns > PAUSE_NS) {
		n->burst_since_ns = now_ns;
		n->burst_events = 0;
	} else {
		n->cost.busy_ns += now_ns - n->turn_ns;
	}
	n->turn_ns = now_ns;
	n->slept_ns = end_ns;
	n->last_batch = events;
	n->burst_events += events;
	n->rate_events += events;
	count_rate(n, now_ns);
	n->cost.events += events;
	n->turns++;
	return n->cost.events >= PERIOD_EVENTS && n->cost.busy_ns >= PERIOD_NS;
}

/* Events come fast since a moment ago, though not over longer times. */
static bool in_burst(const struct nap *n)
{
	return n->burst_events >= BURST_EVENTS &&
	       n->burst_events * SECOND_NS >= RATE * (n->turn_ns - n->burst_since_ns);
}

/* Little's law: so many of the busy ones wait for a server. A request is two events. */
static bool are_free(const struct nap *n, unsigned busy)
{
	return (double)n->rate / 2 * (double)n->answer_ns * WAITING < (double)(busy * SECOND_NS);
}

/* It is to be of this search; another one than before makes the period void. */
static int length_us(struct nap *n, struct nap_search *s)
{
	if (n->search != s)
		n->search = n->naps ? NULL : s;
	n->naps++;
	return (int)present_length(s) * STEP_US;
}

int nap_us(struct nap *n, unsigned open, int wanted)
{
	unsigned busy = n->n_busy < open ? n->n_busy : open;
	unsigned many = busy < BATCH_MAX ? busy : BATCH_MAX;

	if (!wanted || busy < NAP_CONNECTIONS || n->last_batch * 2 >= many)
		return 0;
	if (n->rate < RATE && !in_burst(n))
		return 0;
	if (n->rate < RATE)
		return wanted < 0 ? length_us(n, &n->burst) : wanted < STEP_US ? wanted : STEP_US;
	if (wanted > 0)
		return wanted;
	if (are_free(n, busy))
		return 0;
	return length_us(n, busy >= MANY ? &n->many : &n->few);
}
