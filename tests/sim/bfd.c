/* SPDX-License-Identifier: MIT */
/*
 * Deterministic simulation of one BFD session: its two ends, a network between them, a virtual
 * clock, and one seed that decides everything. A run has four acts: chaos (loss, delay, reordering,
 * duplicates, flipped bits, one-way cuts, restarts, upgrades, new timers, AdminDown), calm (the
 * session must come Up and stay), new timers in the calm, and the death of one end.
 *
 *	sim_bfd            every seed of the suite
 *	sim_bfd SEED       one seed, with its trace
 *	sim_bfd FROM TO    a range
 *
 * What is held, after every event:
 *   B1 calm brings both ends Up in bounded time, and they stay
 *   B2 detection is neither early nor late, reckoned anew from the packets that were let in
 *   B3 in calm, new timers end up in force at both ends without a flap, and the Poll Sequence ends
 *   B4 no packet has P and F; none that is not Up wishes for more than one a second (6.8.3)
 *   B5 regular packets keep 75 % of the negotiated distance (6.8.7)
 *   B6 in calm each end knows the other's state
 *   B7 an upgrade (freeze, thaw) is not noticed
 *   B8 a dropped packet changes nothing
 */
#include <libha/bfd.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/heap.h"
#include "base/list.h"

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)
#define S (1000 * MS)
#define MAX_FLYING 1024 /* packets on their way */
#define SEEDS 3000
#define MAX_EVENTS 2000000

enum { P = 0x20, F = 0x10 };

struct world;

/* What a packet says, read here and not by the code under test. */
struct said {
	uint8_t state, flags, mult;
	uint32_t my, your, desired_us, required_us;
};

struct end {
	struct world *w;
	unsigned id;
	struct ha_bfd *s; /* NULL: dead */
	uint32_t discriminator;
	struct ha_bfd_timers timers;
	bool admin_down;

	struct said sent;		/* last */
	uint64_t sent_ns, changes_sent; /* how many changes there had been */
	bool has_sent;

	struct said heard; /* the last accepted */
	uint64_t heard_ns;
	bool has_heard;
	/* Said by us since the last Poll Sequence ended. */
	uint32_t desired_low_us, required_low_us, required_high_us;
	uint64_t changes;
};

struct packet {
	struct heap_node due;
	bool used, flipped;
	struct end *to;
	uint8_t bytes[24];
};

struct world {
	uint64_t random, seed, now_ns, calm_ns;
	bool trace, calm;
	unsigned loss, duplicate, flip; /* per mille */
	uint64_t delay_min_ns, delay_max_ns;
	bool cut[2]; /* towards end i */
	struct end end[2];
	struct packet packet[MAX_FLYING];
	struct heap flying;
	unsigned overflow;
};

/* Kept over all seeds: a fault that never happened was not tested. */
static struct {
	uint64_t ups, timeouts, neighbor_downs, admin_downs, polls, upgrades, restarts, changes,
	    drops;
} seen;

static uint64_t draw(struct world *w, uint64_t n)
{
	uint64_t x = w->random += 0x9e3779b97f4a7c15u; /* SplitMix64 */

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return (x ^ x >> 31) % n;
}

static void say(const struct world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void say(const struct world *w, const char *format, ...)
{
	va_list ap;

	if (!w->trace)
		return;
	printf("%12.6f ", (double)w->now_ns / 1e9);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
}

static void hold_at(const struct world *w, bool truth, const char *what, int line)
{
	if (truth)
		return;
	printf("FAILED: seed %" PRIu64 " at %.6f s, line %d: %s\n", w->seed,
	       (double)w->now_ns / 1e9, line, what);
	exit(1);
}
#define HOLD(w, truth, what) hold_at((w), (truth), (what), __LINE__)

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static struct said read_said(const uint8_t *p)
{
	return (struct said){
	    .state = p[1] >> 6,
	    .flags = p[1] & 0x3f,
	    .mult = p[2],
	    .my = be32(p + 4),
	    .your = be32(p + 8),
	    .desired_us = be32(p + 12),
	    .required_us = be32(p + 16),
	};
}

/* Padding and all, so that two can be compared byte by byte. */
static void look_into(const struct end *e, struct ha_bfd_status *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->size = sizeof(*ret);
	ha_bfd_status(e->s, ret);
}

static struct ha_bfd_status look(const struct end *e)
{
	struct ha_bfd_status st;

	look_into(e, &st);
	return st;
}

/* ---- the network ---- */

static void fly(struct world *w, struct end *to, const uint8_t *bytes)
{
	struct packet *p = NULL;

	if (w->cut[to->id] || draw(w, 1000) < w->loss)
		return;
	for (unsigned i = 0; i < MAX_FLYING && !p; i++)
		if (!w->packet[i].used)
			p = &w->packet[i];
	if (!p) {
		w->overflow++;
		return;
	}
	p->used = true;
	p->to = to;
	memcpy(p->bytes, bytes, sizeof(p->bytes));
	p->flipped = draw(w, 1000) < w->flip;
	if (p->flipped) /* in what is checked: version, discriminator */
		p->bytes[draw(w, 2) ? 0 : 8 + draw(w, 4)] ^= (uint8_t)(0x20 << draw(w, 3));
	if (heap_arm(&w->flying, &p->due,
		     w->now_ns + w->delay_min_ns + draw(w, w->delay_max_ns - w->delay_min_ns + 1)) <
	    0)
		abort();
}

/* ---- B4, B5: what is sent ---- */

static void check_sent(struct end *e, const struct said *now)
{
	struct world *w = e->w;
	uint32_t required_us = now->your ? e->heard.required_us : 1; /* 0: forgotten */
	uint64_t gap_ns = w->now_ns - e->sent_ns, least_ns;

	HOLD(w, (now->flags & (P | F)) != (P | F), "B4: P and F together");
	HOLD(w, now->state == HA_BFD_UP || now->desired_us >= 1000000, "B4: too fast while not Up");
	HOLD(w, now->my == e->discriminator, "B4: another discriminator");
	if (now->flags & F)
		return; /* beside the beat */
	if (e->has_sent && now->state == e->sent.state && e->changes == e->changes_sent) {
		least_ns = larger(e->desired_low_us, required_us) * US * 3 / 4;
		HOLD(w, gap_ns >= least_ns, "B5: a regular packet came too soon");
	}
}

static int on_send(struct ha_bfd *s, const void *pkt, size_t len, void *userdata)
{
	struct end *e = userdata;
	struct world *w = e->w;
	struct said now;

	HOLD(w, len == 24, "B4: length");
	now = read_said(pkt);
	say(w, "%u sends %s%s%s, %u us, takes %u us", e->id, ha_bfd_state_name(now.state),
	    now.flags & P ? " P" : "", now.flags & F ? " F" : "", now.desired_us, now.required_us);
	if (now.desired_us < e->desired_low_us)
		e->desired_low_us = now.desired_us;
	check_sent(e, &now);
	if (now.flags & P)
		seen.polls++;
	if (now.required_us < e->required_low_us)
		e->required_low_us = now.required_us;
	if (now.required_us > e->required_high_us)
		e->required_high_us = now.required_us;
	if (!(now.flags & F) || now.state != e->sent.state) {
		e->sent_ns = w->now_ns;
		e->sent = now;
		e->changes_sent = e->changes;
		e->has_sent = true;
	}
	fly(w, &w->end[!e->id], pkt);
	if (draw(w, 1000) < w->duplicate)
		fly(w, &w->end[!e->id], pkt);
	return 0;
}

/* ---- B2: detection, reckoned from what was let in ---- */

static void check_timeout(const struct end *e)
{
	struct world *w = e->w;
	uint64_t silence_ns = w->now_ns - e->heard_ns, low_ns, high_ns;
	const struct said *h = &e->heard;

	HOLD(w, e->has_heard, "B2: a timeout, but nothing was ever heard");
	low_ns = h->mult * (larger(h->desired_us, e->required_low_us) * US);
	high_ns = h->mult * (larger(h->desired_us, e->required_high_us) * US);
	HOLD(w, silence_ns >= low_ns, "B2: detected too early");
	HOLD(w, silence_ns <= high_ns, "B2: detected too late");
	HOLD(w, !w->calm, "B1: a timeout in calm");
}

static void on_changed(struct ha_bfd *s, const struct ha_bfd_change *c, void *userdata)
{
	struct end *e = userdata;

	say(e->w, "%u is %s: %s", e->id, ha_bfd_state_name(c->to), ha_bfd_reason_name(c->reason));
	e->changes++;
	if (e->has_sent && e->sent_ns == e->w->now_ns && e->sent.state == c->to)
		e->changes_sent = e->changes; /* told just before */
	seen.ups += c->to == HA_BFD_UP;
	seen.neighbor_downs += c->reason == HA_BFD_NEIGHBOR_DOWN;
	seen.admin_downs += c->reason == HA_BFD_NEIGHBOR_ADMIN_DOWN;
	if (c->reason == HA_BFD_TIMEOUT) {
		seen.timeouts++;
		if (e->w->end[!e->id].s)
			check_timeout(e);
	}
}

static const struct ha_bfd_ops ops = {
    .size = sizeof(struct ha_bfd_ops), .send = on_send, .changed = on_changed};

/* The values of the present are those of the last Poll Sequence's end. */
static void note_wishes(struct end *e)
{
	struct ha_bfd_status st = look(e);

	if (st.polling)
		return;
	e->desired_low_us = st.desired_min_tx_us;
	e->required_low_us = e->required_high_us = st.required_min_rx_us;
}

/* ---- the ends ---- */

static struct ha_ip address_of(const struct end *e)
{
	return (struct ha_ip){.family = AF_INET, .bytes = {10, 9, 0, (uint8_t)(e->id + 1)}};
}

static void make(struct end *e)
{
	struct ha_bfd_opts o = {
	    .size = sizeof(o),
	    .family = AF_INET,
	    .discriminator = e->discriminator,
	    .detect_mult = e->timers.detect_mult,
	    .desired_min_tx_us = e->timers.desired_min_tx_us,
	    .required_min_rx_us = e->timers.required_min_rx_us,
	    .peer = address_of(&e->w->end[!e->id]),
	    .local = address_of(e),
	    .seed = draw(e->w, UINT64_MAX),
	};

	HOLD(e->w, ha_bfd_new(&o, &ops, e, &e->s) == 0, "memory");
}

static void begin(struct end *e)
{
	e->discriminator = (uint32_t)(1 + draw(e->w, UINT32_MAX));
	e->has_sent = e->has_heard = e->admin_down = false;
	make(e);
	note_wishes(e);
	ha_bfd_start(e->s, e->w->now_ns);
}

static void draw_timers(struct end *e)
{
	static const uint32_t interval_us[] = {3300,   10000,  20000,	50000,
					       100000, 300000, 1000000, 2000000};
	struct world *w = e->w;

	e->timers.size = sizeof(e->timers);
	e->timers.desired_min_tx_us = interval_us[draw(w, 8)];
	e->timers.required_min_rx_us = interval_us[draw(w, 8)];
	e->timers.detect_mult = (uint8_t)(2 + draw(w, 4));
}

static void set_timers(struct end *e)
{
	draw_timers(e);
	say(e->w, "%u shall send every %u us, take every %u us, times %u", e->id,
	    e->timers.desired_min_tx_us, e->timers.required_min_rx_us, e->timers.detect_mult);
	if (e->s)
		ha_bfd_set_timers(e->s, e->w->now_ns, &e->timers);
}

static void upgrade(struct end *e)
{
	uint8_t buf[HA_BFD_FREEZE_SIZE];
	struct ha_bfd_status before, after;
	uint64_t due = ha_bfd_deadline(e->s), changes = e->changes;
	ssize_t n = ha_bfd_freeze(e->s, buf, sizeof(buf));

	look_into(e, &before);
	say(e->w, "%u is upgraded", e->id);
	HOLD(e->w, n > 0, "B7: freeze");
	ha_bfd_free(e->s);
	make(e);
	HOLD(e->w, ha_bfd_thaw(e->s, e->w->now_ns, buf, (size_t)n) == 0, "B7: thaw");
	look_into(e, &after);
	HOLD(e->w, !memcmp(&before, &after, sizeof(before)), "B7: the status is another");
	HOLD(e->w, due == ha_bfd_deadline(e->s) && changes == e->changes,
	     "B7: an upgrade was noticed");
	seen.upgrades++;
}

/* A copy: the answer may take the place of the packet. */
static void deliver(struct world *w, struct packet packet)
{
	const struct packet *p = &packet;
	struct end *e = p->to;
	struct ha_bfd_meta m = {.size = sizeof(m), .ttl = 255};
	struct said now = read_said(p->bytes);
	struct ha_bfd_status before, after;
	uint64_t due;
	int drop;

	if (!e->s)
		return;
	m.source = address_of(&w->end[!e->id]);
	look_into(e, &before);
	due = ha_bfd_deadline(e->s);
	/* The acceptance is written down before the callbacks ask for it. */
	if (!p->flipped && (!now.your || now.your == e->discriminator) &&
	    (now.your || now.state <= HA_BFD_DOWN)) {
		e->heard = now;
		e->heard_ns = w->now_ns;
		e->has_heard = true;
	}
	drop = ha_bfd_receive(e->s, w->now_ns, &m, p->bytes, sizeof(p->bytes));
	HOLD(w, drop >= 0, "receive");
	if (drop && drop != HA_BFD_DROP_ADMIN_DOWN) {
		look_into(e, &after);
		HOLD(w, !memcmp(&before, &after, sizeof(before)) && due == ha_bfd_deadline(e->s),
		     "B8: a dropped packet changed something");
		seen.drops++;
	}
	HOLD(w, !p->flipped || drop, "B8: a damaged packet was let in");
	note_wishes(e);
}

/* ---- the run ---- */

static uint64_t next_due(const struct world *w)
{
	uint64_t due = heap_deadline(&w->flying);

	for (unsigned i = 0; i < 2; i++)
		if (ha_bfd_deadline(w->end[i].s) < due)
			due = ha_bfd_deadline(w->end[i].s);
	return due;
}

static void run_until(struct world *w, uint64_t until_ns)
{
	for (unsigned events = 0; next_due(w) <= until_ns; events++) {
		struct heap_node *node;

		HOLD(w, events < MAX_EVENTS, "the run does not end");
		if (next_due(w) > w->now_ns)
			w->now_ns = next_due(w);
		node = heap_pop_due(&w->flying, w->now_ns);
		if (node) {
			struct packet *p = container_of(node, struct packet, due);

			p->used = false;
			deliver(w, *p);
			continue;
		}
		for (unsigned i = 0; i < 2; i++)
			if (w->end[i].s && ha_bfd_deadline(w->end[i].s) <= w->now_ns) {
				ha_bfd_tick(w->end[i].s, w->now_ns);
				note_wishes(&w->end[i]);
			}
	}
	w->now_ns = until_ns;
}

static void trouble(struct world *w)
{
	struct end *e = &w->end[draw(w, 2)];

	switch (draw(w, 9)) {
	case 0:
		w->loss = (unsigned)draw(w, 700);
		break;
	case 1:
		w->cut[draw(w, 2)] = draw(w, 2);
		break;
	case 2:
		w->delay_min_ns = draw(w, 5 * MS);
		w->delay_max_ns = w->delay_min_ns + draw(w, draw(w, 2) ? 2 * MS : 50 * MS);
		break;
	case 3:
		set_timers(e);
		break;
	case 4:
		if (e->s && look(e).running)
			upgrade(e);
		break;
	case 5: /* dies without a word, or is there again */
		if (e->s) {
			say(w, "%u dies", e->id);
			ha_bfd_free(e->s);
			e->s = NULL;
		} else {
			begin(e);
			seen.restarts++;
		}
		break;
	case 6:
		if (e->s) {
			e->admin_down = !e->admin_down;
			ha_bfd_set_admin_down(e->s, w->now_ns, e->admin_down, 0);
		}
		break;
	case 7:
		if (e->s)
			ha_bfd_reset(e->s, w->now_ns);
		break;
	default:
		w->duplicate = (unsigned)draw(w, 200);
		w->flip = (unsigned)draw(w, 100);
	}
}

static void chaos(struct world *w)
{
	for (unsigned n = 5 + (unsigned)draw(w, 25); n; n--) {
		trouble(w);
		run_until(w, w->now_ns + draw(w, draw(w, 2) ? 2 * S : 50 * MS));
	}
}

/* The longest beat there can be, and so the time after which everything old is over. */
static uint64_t settle_ns(const struct world *w)
{
	uint64_t slowest_us = 1000000;

	for (unsigned i = 0; i < 2; i++) {
		slowest_us = larger((uint32_t)slowest_us, w->end[i].timers.desired_min_tx_us);
		slowest_us = larger((uint32_t)slowest_us, w->end[i].timers.required_min_rx_us);
	}
	return slowest_us * US;
}

static void calm_down(struct world *w)
{
	uint64_t round_ns = 2 * S + 60 * MS;

	say(w, "calm");
	w->loss = w->duplicate = w->flip = 0;
	w->cut[0] = w->cut[1] = false;
	w->delay_min_ns = 100 * US;
	w->delay_max_ns = 100 * US + draw(w, 400 * US);
	for (unsigned i = 0; i < 2; i++) {
		struct end *e = &w->end[i];

		if (!e->s)
			begin(e);
		else if (e->admin_down)
			ha_bfd_set_admin_down(e->s, w->now_ns, false, 0);
		e->admin_down = false;
	}
	/* Up with a neighbour that is another one by now may last a Detection Time. */
	run_until(w, w->now_ns + 5 * round_ns + 5 * settle_ns(w));
	for (unsigned i = 0; i < 2; i++)
		HOLD(w, ha_bfd_state(w->end[i].s) == HA_BFD_UP, "B1: calm, but not Up");
	w->calm = true;
}

/* B3: both directions, by the RFC's formulas from what was asked for. */
static void check_in_force(struct world *w)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct ha_bfd_timers *own = &w->end[i].timers, *far = &w->end[!i].timers;
		struct ha_bfd_status st = look(&w->end[i]);
		uint64_t tx_us = larger(own->desired_min_tx_us, far->required_min_rx_us);
		uint64_t rx_us = larger(own->required_min_rx_us, far->desired_min_tx_us);

		HOLD(w, st.state == HA_BFD_UP, "B3: new timers ended the session");
		HOLD(w, st.remote_state == HA_BFD_UP, "B6: a state was not told");
		HOLD(w, !st.polling, "B3: the Poll Sequence does not end");
		HOLD(w, st.tx_interval_ns == tx_us * US,
		     "B3: the interval is not what was negotiated");
		HOLD(w, st.detect_ns == far->detect_mult * rx_us * US,
		     "B3: nor is the Detection Time");
	}
}

static void change_timers(struct world *w)
{
	for (unsigned n = 1 + (unsigned)draw(w, 4); n; n--) {
		uint64_t changes = w->end[0].changes + w->end[1].changes, old_ns = settle_ns(w);

		set_timers(&w->end[draw(w, 2)]);
		if (draw(w, 3) == 0) /* another one before the first is through */
			run_until(w, w->now_ns + draw(w, 100 * MS)),
			    set_timers(&w->end[draw(w, 2)]);
		run_until(w, w->now_ns + 3 * (settle_ns(w) + old_ns));
		check_in_force(w);
		HOLD(w, changes == w->end[0].changes + w->end[1].changes, "B3: a flap");
	}
}

/* B2 without slack: the last packet that was let in, and the Detection Time from there. */
static void die(struct world *w)
{
	struct end *e = &w->end[draw(w, 2)], *far = &w->end[!e->id];
	struct ha_bfd_status st;
	uint64_t due_ns;

	run_until(w, w->now_ns + draw(w, 3 * S));
	say(w, "%u dies", far->id);
	w->calm = false;
	ha_bfd_free(far->s);
	far->s = NULL;
	run_until(w, w->now_ns + w->delay_max_ns + 1); /* what was on its way arrives */
	st = look(e);
	HOLD(w, st.state == HA_BFD_UP, "B2: down at once");
	due_ns = e->heard_ns +
		 far->timers.detect_mult *
		     (larger(e->timers.required_min_rx_us, far->timers.desired_min_tx_us) * US);
	run_until(w, due_ns - 1);
	HOLD(w, ha_bfd_state(e->s) == HA_BFD_UP, "B2: a death was noticed early");
	run_until(w, due_ns);
	HOLD(w, ha_bfd_state(e->s) == HA_BFD_DOWN, "B2: a death was noticed late");
}

static void run_seed(uint64_t seed, bool trace)
{
	static struct world w;

	memset(&w, 0, sizeof(w));
	w.seed = w.random = seed;
	w.trace = trace;
	w.now_ns = 1000 * S;
	w.delay_min_ns = w.delay_max_ns = MS;
	heap_init(&w.flying);
	for (unsigned i = 0; i < 2; i++) {
		w.end[i].w = &w;
		w.end[i].id = i;
		draw_timers(&w.end[i]);
	}
	begin(&w.end[0]);
	begin(&w.end[1]);
	chaos(&w);
	calm_down(&w);
	check_in_force(&w);
	change_timers(&w);
	die(&w);
	HOLD(&w, !w.overflow, "the network of the simulation is too small");
	for (unsigned i = 0; i < 2; i++)
		ha_bfd_free(w.end[i].s);
	heap_fini(&w.flying);
}

int main(int argc, char **argv)
{
	uint64_t from = argc > 1 ? strtoull(argv[1], NULL, 10) : 1,
		 to = argc > 2	 ? strtoull(argv[2], NULL, 10)
		      : argc > 1 ? from
				 : SEEDS;

	for (uint64_t seed = from; seed <= to; seed++)
		run_seed(seed, argc == 2);
	printf("%" PRIu64 " seeds: up %" PRIu64 ", timeouts %" PRIu64 ", neighbour down %" PRIu64
	       ", admin down %" PRIu64 ", polls %" PRIu64 ", upgrades %" PRIu64
	       ", restarts %" PRIu64 ", drops %" PRIu64 "\n",
	       to - from + 1, seen.ups, seen.timeouts, seen.neighbor_downs, seen.admin_downs,
	       seen.polls, seen.upgrades, seen.restarts, seen.drops);
	if (argc == 1 && !(seen.ups && seen.timeouts && seen.neighbor_downs && seen.admin_downs &&
			   seen.polls && seen.upgrades && seen.restarts && seen.drops)) {
		printf("FAILED: something never happened\n");
		return 1;
	}
	return 0;
}
