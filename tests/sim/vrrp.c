/* SPDX-License-Identifier: MIT */
/*
 * Deterministic simulation: some nodes, one or two links, a virtual clock, and one seed that decides
 * everything. A run has three acts: chaos (loss, delay, duplicates, flipped bits, partitions, kills,
 * stalls, faults, upgrades, strangers), calm (the election must settle), and the end of the Active.
 * With two links a node's routers are a sync group.
 *
 *	sim_vrrp            every seed of the suite
 *	sim_vrrp SEED       one seed, with its trace
 *	sim_vrrp FROM TO    a range
 *
 * What is held, after every single event (names of the project's list of invariants):
 *   I1 calm settles on one Active of the highest priority     I2 two Actives do not last in calm
 *   I3 a silent death is noticed neither early nor late       I4 a group's members move together
 *   I5 addresses are held exactly while Active                I7 rejected packets change nothing
 *   I8 an Active's adverts keep their beat                    I11 an upgrade is not noticed
 */
#include <libha/vrrp.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/heap.h"

#define MS UINT64_C(1000000)
#define MAX_NODES 5
#define MAX_LINKS 2
#define MAX_FLYING 2048 /* packets on their way */
#define SEEDS 4000

struct world;

struct router {
	struct ha_vrrp *v;
	struct node *node;
	unsigned link;
	struct ha_ip source;
	bool holds; /* the kernel's view: the addresses are there */
	uint64_t last_sent_ns;
};

struct node {
	struct world *w;
	unsigned id;
	uint8_t priority;
	bool alive, stalled;
	struct router router[MAX_LINKS];
	struct ha_vrrp_group *group;
};

struct packet {
	struct heap_node due;
	bool used, flipped;
	struct router *to;
	struct ha_vrrp_meta meta;
	uint8_t bytes[64];
	size_t len;
};

/* Over all seeds: a generator that never does something proves nothing about it. */
static struct coverage {
	unsigned long adverts, took_over, preempted, resigned, lost, tied, faulted, followed,
	    flipped, replies, withheld, late, upgraded, duels, crossed;
} covered;

struct world {
	uint64_t seed, random, now_ns, hash;
	bool trace, chaos, failed;
	unsigned n_nodes, n_links, loss, duplicate, flip; /* of 1000 */
	uint16_t interval_cs;
	uint8_t version;
	bool no_preempt;
	bool crossed; /* on the second link the order of addresses is the other way round */
	uint64_t interval_ns, delay_ns, preempt_delay_ns, calm_ns, duel_ns[MAX_LINKS];
	bool cut[MAX_LINKS][MAX_NODES][MAX_NODES]; /* from, to */
	struct node node[MAX_NODES];
	struct heap flying;
	struct packet packet[MAX_FLYING];
};

/* ---- chance, trace ---- */

static uint64_t chance(struct world *w)
{
	uint64_t x = w->random += 0x9e3779b97f4a7c15u; /* SplitMix64 */

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static uint64_t below(struct world *w, uint64_t n)
{
	return n ? chance(w) % n : 0;
}

static bool of_1000(struct world *w, unsigned n)
{
	return below(w, 1000) < n;
}

static void note(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note(struct world *w, const char *format, ...)
{
	char line[256];
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	for (const char *p = line; *p; p++)
		w->hash = (w->hash ^ (uint8_t)*p) * 0x100000001b3u;
	w->hash ^= w->now_ns;
	if (w->trace)
		printf("%10.3f ms  %s\n", (double)w->now_ns / (double)MS, line);
}

static void broken(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void broken(struct world *w, const char *format, ...)
{
	va_list ap;

	if (w->failed)
		return;
	w->failed = true;
	printf("seed %" PRIu64 " at %.3f ms: ", w->seed, (double)w->now_ns / (double)MS);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	printf("\n");
}

/* ---- the link ---- */

static void fly(struct world *w, struct router *to, const struct ha_vrrp_meta *meta,
		const void *bytes, size_t len)
{
	struct packet *p = w->packet;

	while (p < w->packet + MAX_FLYING && p->used)
		p++;
	if (p == w->packet + MAX_FLYING || len > sizeof(p->bytes)) {
		broken(w, "too many packets in flight");
		return;
	}
	*p = (struct packet){.used = true, .to = to, .meta = *meta, .len = len};
	memcpy(p->bytes, bytes, len);
	if (w->chaos && of_1000(w, w->flip)) {
		p->flipped = true;
		if (of_1000(w, 800))
			p->bytes[below(w, len)] ^= (uint8_t)(1u << below(w, 8));
		else
			p->meta.ttl = (uint8_t)below(w, 255);
	}
	/* Chaos reorders; in calm a link is a queue, as Ethernet is. */
	if (heap_arm(&w->flying, &p->due,
		     w->now_ns + (w->chaos ? 1 + below(w, w->delay_ns) : w->delay_ns)) < 0)
		broken(w, "out of memory");
}

static int on_send(struct ha_vrrp *v, const struct ha_ip *destination, const void *advert,
		   size_t len, void *userdata)
{
	struct router *r = userdata;
	struct node *n = r->node;
	struct world *w = n->w;
	struct ha_vrrp_meta meta = {
	    .size = sizeof(meta), .source = r->source, .destination = *destination, .ttl = 255};

	(void)v;
	covered.adverts++;
	note(w, "node %u link %u sends priority %u", n->id, r->link, ((const uint8_t *)advert)[2]);
	if (r->last_sent_ns && !w->chaos && ha_vrrp_state(v) == HA_VRRP_ACTIVE && r->holds &&
	    w->now_ns - r->last_sent_ns > w->interval_ns && r->last_sent_ns > w->calm_ns)
		broken(w, "I8: node %u was silent for %.3f ms", n->id,
		       (double)(w->now_ns - r->last_sent_ns) / (double)MS);
	r->last_sent_ns = w->now_ns;
	for (unsigned i = 0; i < w->n_nodes; i++) {
		if (i == n->id || !w->node[i].alive || w->cut[r->link][n->id][i])
			continue;
		if (w->chaos && of_1000(w, w->loss))
			continue;
		fly(w, &w->node[i].router[r->link], &meta, advert, len);
		if (w->chaos && of_1000(w, w->duplicate))
			fly(w, &w->node[i].router[r->link], &meta, advert, len);
	}
	return 0;
}

static void on_addresses(struct ha_vrrp *v, bool up, bool accept, void *userdata)
{
	struct router *r = userdata;

	(void)v, (void)accept;
	if (r->holds == up)
		broken(r->node->w, "I5: node %u link %u is told twice", r->node->id, r->link);
	r->holds = up;
}

static void on_changed(struct ha_vrrp *v, const struct ha_vrrp_change *c, void *userdata)
{
	struct router *r = userdata;
	struct world *w = r->node->w;

	(void)v;
	note(w, "node %u link %u is %s: %s", r->node->id, r->link, ha_vrrp_state_name(c->to),
	     ha_vrrp_reason_name(c->reason));
	if (c->to == HA_VRRP_ACTIVE)
		r->last_sent_ns = w->now_ns;
	covered.took_over += c->reason == HA_VRRP_TIMEOUT;
	covered.preempted += c->reason == HA_VRRP_PREEMPTED;
	covered.resigned += c->reason == HA_VRRP_RESIGNED;
	covered.lost += c->reason == HA_VRRP_HIGHER_PRIORITY;
	covered.tied += c->reason == HA_VRRP_HIGHER_ADDRESS;
	covered.crossed += c->reason == HA_VRRP_HIGHER_ADDRESS && w->crossed && r->link;
	covered.faulted += c->reason == HA_VRRP_FAULTED;
	covered.followed += c->reason == HA_VRRP_FOLLOWED;
}

static const struct ha_vrrp_ops ops = {
    .size = sizeof(ops), .send = on_send, .addresses = on_addresses, .changed = on_changed};

/* ---- nodes ---- */

static struct ha_ip address(struct world *w, unsigned link, uint8_t last)
{
	struct ha_ip a = {.family = AF_INET, .bytes = {10, 9, (uint8_t)link, last}};

	(void)w;
	return a;
}

static void make_router(struct world *w, struct node *n, unsigned link)
{
	struct router *r = &n->router[link];
	const struct ha_ip vip = address(w, link, 200);
	struct ha_vrrp_opts o = {
	    .size = sizeof(o),
	    .vrid = 7,
	    .family = AF_INET,
	    .version = w->version,
	    .priority = n->priority,
	    .advert_interval_cs = w->interval_cs,
	    .no_preempt = w->no_preempt,
	    .preempt_delay_ns = w->preempt_delay_ns,
	    .addresses = &vip,
	    .n_addresses = 1,
	};

	r->node = n;
	r->link = link;
	r->source = o.source =
	    address(w, link, (uint8_t)(w->crossed && link ? MAX_NODES - n->id : n->id + 1));
	if (ha_vrrp_new(&o, &ops, r, &r->v) < 0)
		broken(w, "cannot make a router");
	if (n->group && ha_vrrp_group_add(n->group, r->v) < 0)
		broken(w, "cannot join the group");
}

static void make_node(struct world *w, struct node *n)
{
	n->w = w;
	n->alive = true;
	n->stalled = false;
	if (w->n_links > 1 && ha_vrrp_group_new(NULL, NULL, &n->group) < 0)
		broken(w, "cannot make a group");
	for (unsigned l = 0; l < w->n_links; l++)
		make_router(w, n, l);
}

static void count(const struct node *n)
{
	for (unsigned l = 0; l < n->w->n_links; l++) {
		struct ha_vrrp_stats s = {.size = sizeof(s)};

		ha_vrrp_stats(n->router[l].v, &s);
		covered.replies += s.replies_sent;
		covered.withheld += s.replies_withheld;
		covered.late += s.remarks[HA_VRRP_REMARK_LATE];
	}
}

static void free_node(struct node *n)
{
	count(n);
	ha_vrrp_group_free(n->group);
	n->group = NULL;
	for (unsigned l = 0; l < n->w->n_links; l++) {
		ha_vrrp_free(n->router[l].v);
		n->router[l].v = NULL;
		n->router[l].last_sent_ns = 0;
	}
}

static void start_node(struct node *n)
{
	if (n->group)
		ha_vrrp_group_start(n->group, n->w->now_ns);
	else
		ha_vrrp_start(n->router[0].v, n->w->now_ns);
}

static void stop_node(struct node *n)
{
	if (n->group)
		ha_vrrp_group_stop(n->group, n->w->now_ns);
	else
		ha_vrrp_stop(n->router[0].v, n->w->now_ns);
}

/* Power off: nothing is said, and what was in its queues is lost. */
static void kill_node(struct node *n)
{
	struct world *w = n->w;

	note(w, "node %u dies", n->id);
	n->alive = false;
	for (unsigned i = 0; i < MAX_FLYING; i++) {
		struct packet *p = &w->packet[i];

		if (p->used && p->to->node == n) {
			heap_disarm(&w->flying, &p->due);
			p->used = false;
		}
	}
	free_node(n);
	for (unsigned l = 0; l < w->n_links; l++)
		n->router[l].holds = false;
}

/* The next process takes over: same options, frozen state (I11). */
static void upgrade_node(struct node *n)
{
	struct world *w = n->w;
	uint8_t cold[MAX_LINKS][HA_VRRP_FREEZE_SIZE];
	ssize_t len[MAX_LINKS];
	uint64_t deadline[MAX_LINKS], sent[MAX_LINKS];
	enum ha_vrrp_state state[MAX_LINKS];

	note(w, "node %u is upgraded", n->id);
	covered.upgraded++;
	for (unsigned l = 0; l < w->n_links; l++) {
		state[l] = ha_vrrp_state(n->router[l].v);
		deadline[l] = ha_vrrp_deadline(n->router[l].v);
		sent[l] = n->router[l].last_sent_ns;
		len[l] = ha_vrrp_freeze(n->router[l].v, cold[l], sizeof(cold[l]));
	}
	free_node(n);
	make_node(w, n);
	for (unsigned l = 0; l < w->n_links; l++) {
		n->router[l].last_sent_ns = sent[l];
		if (len[l] < 0 ||
		    ha_vrrp_thaw(n->router[l].v, w->now_ns, cold[l], (size_t)len[l]) ||
		    ha_vrrp_state(n->router[l].v) != state[l] ||
		    (ha_vrrp_deadline(n->router[l].v) != deadline[l] && state[l] != HA_VRRP_FAULT))
			broken(w, "I11: node %u link %u noticed its upgrade", n->id, l);
	}
}

/* ---- invariants of every moment ---- */

static void check_moment(struct world *w)
{
	for (unsigned l = 0; l < w->n_links; l++) {
		unsigned actives = 0;

		for (unsigned i = 0; i < w->n_nodes; i++) {
			const struct node *n = &w->node[i];
			bool active;

			if (!n->alive)
				continue;
			active = ha_vrrp_state(n->router[l].v) == HA_VRRP_ACTIVE;
			actives += active;
			if (active != n->router[l].holds)
				broken(w, "I5: node %u link %u is %s and %s the addresses", i, l,
				       ha_vrrp_state_name(ha_vrrp_state(n->router[l].v)),
				       n->router[l].holds ? "holds" : "lacks");
			if (active != (ha_vrrp_state(n->router[0].v) == HA_VRRP_ACTIVE))
				broken(w, "I4: the group of node %u is torn", i);
		}
		if (actives < 2) {
			w->duel_ns[l] = 0;
			continue;
		}
		covered.duels++;
		if (!w->duel_ns[l] || w->chaos)
			w->duel_ns[l] = w->now_ns;
		if (w->now_ns - w->duel_ns[l] > w->interval_ns + 2 * w->delay_ns)
			broken(w, "I2: %u Actives for %.3f ms", actives,
			       (double)(w->now_ns - w->duel_ns[l]) / (double)MS);
	}
}

/* ---- events ---- */

/* Bad packets must change nothing: the whole status, the deadline and all counters but one (I7). */
static void check_rejected(struct router *r, const struct ha_vrrp_meta *m, const void *bytes,
			   size_t len)
{
	struct ha_vrrp_status before = {.size = sizeof(before)}, after = {.size = sizeof(after)};
	uint64_t deadline = ha_vrrp_deadline(r->v);
	struct world *w = r->node->w;

	ha_vrrp_status(r->v, &before);
	if (ha_vrrp_receive(r->v, w->now_ns, m, bytes, len) <= 0)
		broken(w, "I7: a bad packet was accepted");
	ha_vrrp_status(r->v, &after);
	if (memcmp(&before, &after, sizeof(before)) || deadline != ha_vrrp_deadline(r->v))
		broken(w, "I7: a bad packet changed something");
	covered.flipped++;
}

static void deliver(struct world *w, struct packet *p)
{
	if (p->flipped)
		check_rejected(p->to, &p->meta, p->bytes, p->len);
	else
		ha_vrrp_receive(p->to->v, w->now_ns, &p->meta, p->bytes, p->len);
	p->used = false;
}

static struct router *first_due(struct world *w)
{
	struct router *first = NULL;

	for (unsigned i = 0; i < w->n_nodes; i++)
		for (unsigned l = 0; l < w->n_links && w->node[i].alive && !w->node[i].stalled;
		     l++) {
			struct router *r = &w->node[i].router[l];

			if (!first || ha_vrrp_deadline(r->v) < ha_vrrp_deadline(first->v))
				first = r;
		}
	return first;
}

static void run(struct world *w, uint64_t until_ns)
{
	while (!w->failed) {
		struct router *r = first_due(w);
		uint64_t timer = r ? ha_vrrp_deadline(r->v) : HEAP_NEVER;
		uint64_t flight = heap_deadline(&w->flying);
		uint64_t next = timer < flight ? timer : flight;

		if (next > until_ns)
			break;
		if (next > w->now_ns)
			w->now_ns = next;
		if (flight <= timer) {
			struct heap_node *h = heap_pop_due(&w->flying, w->now_ns);
			struct packet *p =
			    (struct packet *)((char *)h - offsetof(struct packet, due));

			if (p->to->node->stalled) /* waits in the socket */
				heap_arm(&w->flying, &p->due, w->now_ns + w->interval_ns / 4);
			else
				deliver(w, p);
		} else {
			ha_vrrp_tick(r->v, w->now_ns);
		}
		check_moment(w);
	}
	w->now_ns = until_ns;
}

/* A stranger's packet: garbage, another TTL, or an advert that lies about its length. */
static void hostile(struct world *w, struct node *n)
{
	struct router *r = &n->router[below(w, w->n_links)];
	struct ha_vrrp_meta m = {.size = sizeof(m),
				 .source = address(w, r->link, 99),
				 .destination = {.family = AF_INET, .bytes = {224, 0, 0, 18}},
				 .ttl = 255};
	uint8_t bytes[64];
	size_t len = below(w, sizeof(bytes) + 1);

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)chance(w);
	if (of_1000(w, 700)) {
		bytes[0] = (uint8_t)(w->version << 4 | 1);
		bytes[1] = 7;
	}
	if (of_1000(w, 300))
		m.ttl = (uint8_t)below(w, 255);
	if (len > 9) /* a right checksum, one time in 65536, is no failure */
		bytes[3] = (uint8_t)(len > 12 ? 0 : 200);
	check_rejected(r, &m, bytes, len);
}

static void cut_at_random(struct world *w)
{
	unsigned l = (unsigned)below(w, w->n_links), i = (unsigned)below(w, w->n_nodes);
	unsigned j = (unsigned)below(w, w->n_nodes);
	bool on = of_1000(w, 500);

	note(w, "link %u from %u to %u is %s", l, i, j, on ? "cut" : "whole");
	w->cut[l][i][j] = on;
	if (of_1000(w, 700))
		w->cut[l][j][i] = on;
}

static void misfortune(struct world *w)
{
	struct node *n = &w->node[below(w, w->n_nodes)];
	struct router *r = &n->router[below(w, w->n_links)];

	if (!n->alive) {
		if (of_1000(w, 500)) {
			make_node(w, n);
			start_node(n);
		}
		return;
	}
	switch (below(w, 9)) {
	case 0:
		cut_at_random(w);
		break;
	case 1:
		kill_node(n);
		break;
	case 2:
		note(w, "node %u is stopped or started", n->id);
		if (ha_vrrp_state(r->v) == HA_VRRP_INITIALIZE)
			start_node(n);
		else
			stop_node(n);
		break;
	case 3:
		note(w, "node %u stalls or wakes", n->id);
		n->stalled = !n->stalled;
		break;
	case 4:
		ha_vrrp_set_fault(r->v, w->now_ns, 1, of_1000(w, 400));
		break;
	case 5:
		upgrade_node(n);
		break;
	case 6:
		for (unsigned l = 0; l < w->n_links; l++)
			ha_vrrp_set_priority(n->router[l].v, w->now_ns,
					     1 + (unsigned)below(w, 254));
		break;
	default:
		hostile(w, n);
		break;
	}
	check_moment(w);
}

/* ---- the three acts ---- */

static uint64_t down_ns(struct world *w, unsigned priority)
{
	return 3 * w->interval_ns +
	       (256 - priority) * (w->version == 2 ? 1000 * MS : w->interval_ns) / 256;
}

static void chaos(struct world *w)
{
	uint64_t end = w->now_ns + (20 + below(w, 40)) * w->interval_ns;

	w->chaos = true;
	while (w->now_ns < end && !w->failed) {
		run(w, w->now_ns + below(w, w->interval_ns));
		misfortune(w);
	}
}

/* Everything works again, and everybody has his configured priority. */
static void mend(struct world *w)
{
	memset(w->cut, 0, sizeof(w->cut));
	for (unsigned i = 0; i < w->n_nodes; i++) {
		struct node *n = &w->node[i];

		n->stalled = false;
		if (!n->alive)
			make_node(w, n);
		for (unsigned l = 0; l < w->n_links; l++) {
			ha_vrrp_set_priority(n->router[l].v, w->now_ns, n->priority);
			ha_vrrp_set_fault(n->router[l].v, w->now_ns, 1, false);
		}
		start_node(n);
	}
	/* What was sent in chaos arrives, flipped or not, before the calm begins. */
	run(w, w->now_ns + w->interval_ns + w->delay_ns);
	w->chaos = false;
	w->calm_ns = w->now_ns;
	note(w, "calm");
}

static struct node *the_active(struct world *w)
{
	struct node *active = NULL;

	for (unsigned i = 0; i < w->n_nodes; i++) {
		struct node *n = &w->node[i];

		if (!n->alive || ha_vrrp_state(n->router[0].v) != HA_VRRP_ACTIVE)
			continue;
		if (active)
			broken(w, "I1: nodes %u and %u are both Active", active->id, i);
		active = n;
	}
	if (!active)
		broken(w, "I1: nobody is Active");
	return active;
}

static unsigned best_priority(struct world *w)
{
	unsigned best = 0;

	for (unsigned i = 0; i < w->n_nodes; i++)
		if (w->node[i].alive && w->node[i].priority > best)
			best = w->node[i].priority;
	return best;
}

static struct node *calm(struct world *w)
{
	struct node *active;

	/* A router learned in chaos at most what all use: 2 * Down, and what preemption waits for. */
	run(w,
	    w->now_ns + 2 * down_ns(w, 1) + w->preempt_delay_ns + 4 * w->interval_ns + w->delay_ns);
	if (w->failed)
		return NULL;
	active = the_active(w);
	if (active && !w->no_preempt && active->priority != best_priority(w))
		broken(w, "I1: the Active has priority %u, but there is %u", active->priority,
		       best_priority(w));
	return active;
}

/* I3: the last Active dies silently, or resigns. */
static void finale(struct world *w, struct node *active)
{
	uint64_t first_sent = HEAP_NEVER, last_sent = 0, earliest, latest, took = 0;
	bool silent = of_1000(w, 700);

	run(w, w->now_ns + below(w, w->interval_ns));
	for (unsigned l = 0; l < w->n_links; l++) {
		uint64_t sent = active->router[l].last_sent_ns;

		first_sent = sent < first_sent ? sent : first_sent;
		last_sent = sent > last_sent ? sent : last_sent;
	}
	if (silent)
		kill_node(active);
	else
		stop_node(active);
	active->alive = false;
	earliest = silent ? first_sent + 3 * w->interval_ns : w->now_ns;
	latest = silent ? last_sent + w->delay_ns + down_ns(w, best_priority(w))
			: w->now_ns + 2 * w->delay_ns + down_ns(w, best_priority(w)) -
			      3 * w->interval_ns;
	while (!took && !w->failed && w->now_ns <= latest) {
		run(w, w->now_ns + w->interval_ns / 64 + 1);
		for (unsigned i = 0; i < w->n_nodes; i++)
			if (w->node[i].alive &&
			    ha_vrrp_state(w->node[i].router[0].v) == HA_VRRP_ACTIVE)
				took = w->now_ns;
	}
	if (!took)
		broken(w, "I3: nobody took over in time");
	else if (took < earliest)
		broken(w, "I3: took over %.3f ms early", (double)(earliest - took) / (double)MS);
	if (!silent) /* still an object, though nobody hears it */
		free_node(active);
}

static void draw_world(struct world *w)
{
	static const uint16_t intervals[] = {1, 10, 100};

	w->version = of_1000(w, 250) ? 2 : 3;
	w->interval_cs = w->version == 2 ? 100 : intervals[below(w, 3)];
	w->interval_ns = w->interval_cs * 10 * MS;
	w->n_nodes = 2 + (unsigned)below(w, MAX_NODES - 1);
	w->n_links = of_1000(w, 400) ? 2 : 1;
	w->delay_ns = below(w, w->interval_ns / 20) + 1;
	/* Swarm: each seed has its own mixture of evils. */
	w->loss = of_1000(w, 500) ? (unsigned)below(w, 500) : 0;
	w->duplicate = of_1000(w, 300) ? (unsigned)below(w, 300) : 0;
	w->flip = of_1000(w, 300) ? (unsigned)below(w, 300) : 0;
	w->no_preempt = of_1000(w, 200);
	w->preempt_delay_ns = of_1000(w, 200) ? below(w, 10) * w->interval_ns : 0;
	for (unsigned i = 0; i < w->n_nodes; i++) {
		w->node[i].id = i;
		w->node[i].priority = (uint8_t)(of_1000(w, 300) ? 100 : 1 + below(w, 254));
	}
	/* The hardest tie: each of the best wins on one link and loses on the other. */
	w->crossed = w->n_links > 1 && of_1000(w, 500);
	for (unsigned i = 0; w->crossed && i < w->n_nodes; i++)
		if (of_1000(w, 700))
			w->node[i].priority = 200;
}

/* 0 and the hash of the trace, or 1. */
static int play(uint64_t seed, bool trace, uint64_t *ret_hash)
{
	struct world *w = calloc(1, sizeof(*w));
	struct node *active;
	int r;

	if (!w)
		return 1;
	w->seed = w->random = seed;
	w->trace = trace;
	w->now_ns = 1000 * MS;
	draw_world(w);
	for (unsigned i = 0; i < w->n_nodes; i++) {
		make_node(w, &w->node[i]);
		start_node(&w->node[i]);
	}
	chaos(w);
	mend(w);
	active = calm(w);
	if (!w->failed && active)
		finale(w, active);
	for (unsigned i = 0; i < w->n_nodes; i++)
		if (w->node[i].router[0].v)
			free_node(&w->node[i]);
	heap_fini(&w->flying);
	*ret_hash = w->hash;
	r = w->failed;
	free(w);
	return r;
}

static int check_coverage(void)
{
	const struct {
		const char *what;
		unsigned long n;
	} want[] = {
	    {"adverts", covered.adverts},
	    {"takeovers", covered.took_over},
	    {"preemptions", covered.preempted},
	    {"resignations", covered.resigned},
	    {"defeats", covered.lost},
	    {"ties", covered.tied},
	    {"ties that another link decides otherwise", covered.crossed},
	    {"faults", covered.faulted},
	    {"groups moved", covered.followed},
	    {"bad packets", covered.flipped},
	    {"replies", covered.replies},
	    {"replies withheld", covered.withheld},
	    {"late timers", covered.late},
	    {"upgrades", covered.upgraded},
	    {"moments of two Actives", covered.duels},
	};
	int r = 0;

	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++) {
		printf("%10lu %s\n", want[i].n, want[i].what);
		if (!want[i].n) {
			printf("the generator never made this happen: %s\n", want[i].what);
			r = 1;
		}
	}
	return r;
}

int main(int argc, char **argv)
{
	uint64_t from = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	uint64_t to = argc > 2 ? strtoull(argv[2], NULL, 0) : argc > 1 ? from : SEEDS;
	uint64_t hash, again;
	int failures = 0;

	for (uint64_t seed = from; seed <= to && failures < 10; seed++) {
		failures += play(seed, argc == 2, &hash);
		if (seed % 100)
			continue;
		play(seed, false, &again); /* the same seed is the same run */
		if (again != hash) {
			printf("seed %" PRIu64 ": a second run differs\n", seed);
			failures++;
		}
	}
	if (argc == 1)
		failures += check_coverage();
	printf("%" PRIu64 " seeds, %d failures\n", to - from + 1, failures);
	if (failures)
		printf("replay one with: sim_vrrp SEED\n");
	return failures ? 1 : 0;
}
