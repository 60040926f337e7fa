/* SPDX-License-Identifier: MIT */
/* What goes wrong at one moment: each step of a plan is one fault, its details decided by the step's dice. */
#include "world.h"

#include <string.h>

void faults_init(struct world *w)
{
	for (unsigned i = 0; i < SIM_VRS; i++)
		w->stranger[i] = (struct stranger){.beat.kind = EVENT_BEAT, .vr = i};
	for (unsigned i = 0; i < SIM_EVILS; i++)
		if (plan_has(&w->plan, (enum evil)i))
			coverage_evil((enum evil)i);
}

static void cut(struct world *w, unsigned link, struct dice *d)
{
	unsigned i = (unsigned)dice_below(d, w->plan.n_nodes),
		 j = (unsigned)dice_below(d, w->plan.n_nodes);

	w->cut[link][i][j] = true;
	if (dice_of_1000(d, 600))
		w->cut[link][j][i] = true;
}

/* Two sides; one node may be in both, and then sees two Actives. */
static void partition(struct world *w, unsigned link, struct dice *d)
{
	uint64_t side = dice_throw(d);
	unsigned both = dice_of_1000(d, 300) ? (unsigned)dice_below(d, w->plan.n_nodes) : SIM_NODES;

	for (unsigned i = 0; i < w->plan.n_nodes; i++)
		for (unsigned j = 0; j < w->plan.n_nodes; j++)
			w->cut[link][i][j] =
			    i != both && j != both && ((side >> i ^ side >> j) & 1);
}

static void stall(struct node *n, struct dice *d)
{
	static const uint64_t longest[] = {100 * MS, SECOND, 10 * SECOND, 60 * SECOND};
	uint64_t length = 10 * MS + dice_below(d, longest[dice_below(d, 4)]);

	host_stall(n, length, dice_of_1000(d, 400));
}

/* Another configuration for the next process; all members of a group get the same one. */
static void reconfigure(struct node *n, struct dice *d)
{
	struct world *w = n->w;
	uint8_t priority = (uint8_t)(1 + dice_below(d, 254));
	unsigned factor = 1 + (unsigned)dice_below(d, 3);
	bool change_priority = dice_of_1000(d, 300), change_interval = dice_of_1000(d, 300);
	bool more = dice_of_1000(d, 300), flip = dice_of_1000(d, 300);

	for (unsigned i = 0; i < w->plan.n_vrs; i++) {
		struct part *part = &n->router[i].part;

		if (change_priority && part->priority != 255)
			part->priority = priority;
		if (change_interval)
			part->interval_cs =
			    (uint16_t)(w->plan.vr[i].part[n->id].interval_cs * factor);
		part->more = more;
		part->no_preempt ^= flip;
		part->checksum = (int)dice_below(d, HA_VRRP_N_CHECKSUMS);
	}
	w->inconsistent = true;
	host_upgrade(n, true);
}

static void source(struct router *r, struct dice *d)
{
	struct world *w = r->node->w;
	struct ha_ip to = host_source(&w->plan, r->vr, r->node->id);

	if (dice_of_1000(d, 400)) {
		to = (struct ha_ip){0};
	} else if (dice_of_1000(d, 500)) {
		to.bytes[ha_ip_len(&to) - 1] ^= 0x20;
	}
	w->inconsistent = true;
	host_set_source(r, &to);
}

static void invite(struct world *w, unsigned vr, struct dice *d)
{
	struct stranger *s = &w->stranger[vr];

	s->left = 1 + (unsigned)dice_below(d, 20);
	s->priority = (uint8_t)dice_below(d, 256);
	s->interval_cs = w->plan.vr[vr].part[dice_below(d, w->plan.n_nodes)].interval_cs;
	world_arm(w, &s->beat, w->now_ns);
}

static void on_link(struct world *w, enum fault f, unsigned link, struct dice *d)
{
	switch (f) {
	case FAULT_CUT:
		cut(w, link, d);
		break;
	case FAULT_PARTITION:
		partition(w, link, d);
		break;
	case FAULT_WHOLE:
		memset(w->cut[link], 0, sizeof(w->cut[link]));
		w->dark[link] = 0;
		break;
	default:
		w->dark[link] = (uint8_t)(1 + dice_below(d, 3));
		break;
	}
}

static void peer_down(struct router *r, struct dice *d)
{
	struct ha_vrrp_status s = {.size = sizeof(s)};

	ha_vrrp_status(r->v, &s);
	if (dice_of_1000(d, 200))
		s.active = host_source(&r->node->w->plan, r->vr, r->node->id);
	host_peer_down(r, &s.active);
}

static void saw(struct router *r, struct dice *d)
{
	struct ha_vrrp_sighting s = {
	    .size = sizeof(s),
	    .address = host_address(&r->node->w->plan, r->vr, (unsigned)dice_below(d, 3)),
	    .mac = {2, 0, 0, 0, 0, (uint8_t)dice_below(d, 3)},
	    .own_mac = {2}};

	host_saw(r, &s);
}

/* On a node that runs. */
static void on_router(struct router *r, enum fault f, struct dice *d)
{
	struct node *n = r->node;
	struct world *w = n->w;
	uint32_t bit;

	switch (f) {
	case FAULT_STOP:
		host_stop(n);
		break;
	case FAULT_START:
		host_start(n);
		break;
	case FAULT_STALL:
		stall(n, d);
		break;
	case FAULT_BIT:
		bit = 1u << dice_below(d, 2);
		if (dice_of_1000(d, 500))
			host_set_fault(r, bit, true);
		else
			host_set_fault(r, bit | HA_VRRP_FAULT_ADDRESS, false);
		break;
	case FAULT_HAND_OVER:
		host_hand_over(r);
		break;
	case FAULT_ADDRESSES:
		host_lose_addresses(r, dice_of_1000(d, 500), dice_of_1000(d, 300));
		break;
	case FAULT_RESYNC:
		host_resync(n);
		break;
	case FAULT_PEER_DOWN:
		peer_down(r, d);
		break;
	case FAULT_SAW:
		saw(r, d);
		break;
	case FAULT_TRACK:
		host_track(n, w->plan.vr[r->vr].group, r->vr, (unsigned)dice_below(d, SIM_TRACKERS),
			   (int)dice_below(d, 509) - 254, dice_of_1000(d, 500));
		break;
	case FAULT_PRIORITY:
		host_set_priority(n, w->plan.vr[r->vr].group, r->vr,
				  1 + (unsigned)dice_below(d, 254));
		break;
	case FAULT_UPGRADE:
		host_upgrade(n, false);
		break;
	case FAULT_RECONFIGURE:
		reconfigure(n, d);
		break;
	case FAULT_SOURCE:
		source(r, d);
		break;
	case FAULT_HOSTILE:
		for (uint64_t i = 1 + dice_below(d, 8); i; i--)
			if (w->plan.vr[r->vr].auth)
				hostile_replay(w, r, d);
			else
				hostile_packet(w, r, d);
		break;
	default:
		host_announce(r);
		break;
	}
}

void faults_step(struct world *w, const struct step *s)
{
	struct dice d = {s->dice};
	struct node *n = &w->node[dice_below(&d, w->plan.n_nodes)];
	unsigned vr = (unsigned)dice_below(&d, w->plan.n_vrs);

	note(w, NOTE_FAULT, NULL, (uint64_t)(s - w->plan.step), s->fault);
	coverage_fault(s->fault);
	if (s->fault <= FAULT_DARK)
		on_link(w, s->fault, w->plan.vr[vr].link, &d);
	else if (s->fault == FAULT_STRANGER && world_has_vr(w, vr))
		invite(w, vr, &d);
	else if (!world_has_node(w, n->id) || !world_has_vr(w, vr))
		return;
	else if (s->fault == FAULT_POWER_OFF && n->alive)
		host_power_off(n);
	else if (s->fault == FAULT_CRASH && n->alive)
		host_crash(n);
	else if (s->fault == FAULT_BOOT && !n->alive) {
		host_boot(n);
		host_start(n);
	} else if (n->alive && !n->stalled && s->fault > FAULT_BOOT)
		on_router(&n->router[vr], s->fault, &d);
}

static bool is_same(const struct part *a, const struct part *b)
{
	return a->priority == b->priority && a->interval_cs == b->interval_cs &&
	       a->checksum == b->checksum && a->no_preempt == b->no_preempt && a->more == b->more;
}

/* Everything works again, and everybody has the configuration of the plan. */
static void mend_node(struct node *n)
{
	struct world *w = n->w;
	bool differs = false;

	if (!n->alive)
		host_boot(n);
	host_wake(n);
	for (unsigned i = 0; i < w->plan.n_vrs; i++) {
		struct router *r = &n->router[i];
		struct ha_ip source = host_source(&w->plan, i, n->id);

		differs |= !is_same(&r->part, &w->plan.vr[i].part[n->id]);
		r->part = w->plan.vr[i].part[n->id];
		if (r->v)
			host_set_source(r, &source);
	}
	if (differs)
		host_upgrade(n, true);
	for (unsigned i = 0; i < w->plan.n_vrs; i++) {
		struct router *r = &n->router[i];

		if (!r->v)
			continue;
		for (unsigned t = 0; t < SIM_TRACKERS; t++)
			host_track(n, w->plan.vr[i].group, i, t, 0, false);
		if (r->part.priority != 255)
			host_set_priority(n, w->plan.vr[i].group, i, r->part.priority);
		host_set_fault(r, 3 | HA_VRRP_FAULT_ADDRESS, false);
		r->stubborn = false;
		r->holds |=
		    r->lost && r->told_ns; /* the host tries again, and nobody is against it */
	}
	host_start(n);
	host_resync(n);
}

void faults_mend(struct world *w)
{
	memset(w->cut, 0, sizeof(w->cut));
	memset(w->dark, 0, sizeof(w->dark));
	for (unsigned i = 0; i < SIM_STEPS; i++)
		heap_disarm(&w->events, &w->step[i].due);
	for (unsigned i = 0; i < SIM_VRS; i++)
		heap_disarm(&w->events, &w->stranger[i].beat.due);
	for (unsigned i = 0; i < w->plan.n_nodes && !w->failed; i++)
		if (world_has_node(w, i))
			mend_node(&w->node[i]);
	/* What differs is on its way still; calm ends that. */
}
