/* SPDX-License-Identifier: MIT */
/*
 * What a seed decides before the run begins: the nodes, the links, the virtual routers and their options,
 * and the list of faults. A plan is all there is: the same plan is the same run.
 */
#include "world.h"

#include <string.h>
#include <sys/socket.h>

const char *const evil_names[SIM_EVILS] = {
    [EVIL_LOSS] = "loss",
    [EVIL_BURST] = "burst",
    [EVIL_ONE_WAY] = "one-way",
    [EVIL_REORDER] = "reorder",
    [EVIL_DUPLICATE] = "duplicate",
    [EVIL_FLIP] = "flip",
    [EVIL_DRIFT] = "drift",
    [EVIL_LATE] = "late",
    [EVIL_TIMERS_FIRST] = "timers-first",
    [EVIL_SEND_ERRORS] = "send-errors",
    [EVIL_HALVES] = "halves",
};

const char *const fault_names[SIM_FAULTS] = {
    [FAULT_CUT] = "cut",
    [FAULT_PARTITION] = "partition",
    [FAULT_WHOLE] = "whole",
    [FAULT_DARK] = "dark",
    [FAULT_POWER_OFF] = "power-off",
    [FAULT_CRASH] = "crash",
    [FAULT_BOOT] = "boot",
    [FAULT_STOP] = "stop",
    [FAULT_START] = "start",
    [FAULT_STALL] = "stall",
    [FAULT_BIT] = "fault",
    [FAULT_PRIORITY] = "priority",
    [FAULT_UPGRADE] = "upgrade",
    [FAULT_RECONFIGURE] = "reconfigure",
    [FAULT_SOURCE] = "source",
    [FAULT_STRANGER] = "stranger",
    [FAULT_HOSTILE] = "hostile",
    [FAULT_ANNOUNCE] = "announce",
    [FAULT_HAND_OVER] = "hand-over",
    [FAULT_ADDRESSES] = "addresses",
    [FAULT_RESYNC] = "resync",
    [FAULT_PEER_DOWN] = "peer-down",
    [FAULT_SAW] = "saw",
    [FAULT_TRACK] = "track",
};

/* ---- dice ---- */

static uint64_t mix(uint64_t x) /* the end of SplitMix64 */
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

struct dice dice_for(uint64_t seed, enum purpose purpose, uint64_t index)
{
	return (struct dice){mix(mix(mix(seed) + purpose) + index)};
}

uint64_t dice_throw(struct dice *d)
{
	return mix(d->state += 0x9e3779b97f4a7c15u);
}

uint64_t dice_below(struct dice *d, uint64_t n)
{
	uint64_t x = dice_throw(d);

	return n ? x % n : 0;
}

bool dice_of_1000(struct dice *d, unsigned n)
{
	return dice_below(d, 1000) < n;
}

/* ---- drawing ---- */

bool plan_has(const struct plan *p, enum evil e)
{
	return p->evils >> e & 1;
}

static void draw_protocol(struct vr_plan *vr, struct dice *d)
{
	vr->family = dice_of_1000(d, 350) ? AF_INET6 : AF_INET;
	vr->version = vr->family == AF_INET && dice_of_1000(d, 300) ? 2 : 3;
	vr->password = vr->version == 2 && dice_of_1000(d, 300) ? "secret" : NULL;
	vr->unicast = dice_of_1000(d, 200);
	vr->learn_checksum = dice_of_1000(d, 300);
	if (SIM_CRYPTO && !vr->password && dice_of_1000(d, 200))
		vr->auth =
		    vr->version == 2 && dice_of_1000(d, 600) ? HA_VRRP_AUTH_AH : HA_VRRP_AUTH_HMAC;
	vr->n_addresses = (uint8_t)(1 + dice_below(d, 2));
	vr->any_first_address = vr->family == AF_INET6 && dice_of_1000(d, 200);
	vr->vmac = dice_of_1000(d, 500);
}

static void draw_options(const struct plan *p, struct vr_plan *vr, struct dice *d)
{
	vr->down_timer_adverts = dice_of_1000(d, 100) ? 2 + (uint8_t)dice_below(d, 4) : 3;
	vr->no_preempt = dice_of_1000(d, 200);
	vr->no_reply = dice_of_1000(d, 100);
	vr->last_advert = dice_of_1000(d, 200);
	vr->garp_delay_ns =
	    dice_of_1000(d, 300) ? HA_VRRP_NEVER : (1 + dice_below(d, 50)) * 100 * MS;
	vr->garp_refresh_ns = dice_of_1000(d, 300) ? (1 + dice_below(d, 3)) * SECOND : 0;
	if (!p->modelled && dice_of_1000(d, 400))
		vr->preempt_delay_ns = (1 + dice_below(d, 50)) * 100 * MS;
}

static void draw_parts(const struct plan *p, struct vr_plan *vr, struct dice *d)
{
	static const uint16_t intervals[] = {1, 10, 100};
	uint16_t interval = vr->version == 2 ? 100 : intervals[dice_below(d, 3)];
	bool own_intervals = vr->version == 3 && dice_of_1000(d, 150);
	bool forms = dice_of_1000(d, 200), owner = dice_of_1000(d, 150);
	bool equal = dice_of_1000(d, 250);

	for (unsigned i = 0; i < SIM_NODES; i++) {
		struct part *part = &vr->part[i];

		part->priority = (uint8_t)(equal ? 100 : 1 + dice_below(d, 254));
		part->interval_cs = interval;
		if (own_intervals)
			part->interval_cs = (uint16_t)(interval * (1 + dice_below(d, 3)));
		part->checksum = forms ? (int)dice_below(d, HA_VRRP_N_CHECKSUMS) : 0;
		part->no_preempt = vr->no_preempt;
	}
	if (owner)
		vr->part[dice_below(d, p->n_nodes)].priority = 255;
}

/* A VRID is unique on a link and in a family, and only there. */
static uint8_t draw_vrid(const struct plan *p, unsigned i)
{
	uint8_t vrid = 7;

	for (unsigned j = 0; j < i; j++)
		if (p->vr[j].link == p->vr[i].link && p->vr[j].family == p->vr[i].family)
			vrid++;
	return vrid;
}

/* Members have the same order of nodes and one beat: else no node can win all elections. */
static void align_group(struct plan *p, unsigned i, unsigned j)
{
	struct vr_plan *vr = &p->vr[i];
	const struct vr_plan *first = &p->vr[j];

	vr->group = first->group;
	vr->version = vr->family == AF_INET6 ? 3 : first->version;
	vr->password = vr->version == 2 ? vr->password : NULL;
	if (vr->auth == HA_VRRP_AUTH_AH && (vr->version != 2 || vr->family != AF_INET))
		vr->auth = HA_VRRP_AUTH_NONE;
	vr->down_timer_adverts = first->down_timer_adverts;
	vr->no_preempt = first->no_preempt;
	vr->preempt_delay_ns = first->preempt_delay_ns;
	vr->no_reply = first->no_reply;
	for (unsigned n = 0; n < SIM_NODES; n++) {
		vr->part[n].priority = first->part[n].priority;
		vr->part[n].interval_cs = first->part[n].interval_cs;
		vr->part[n].no_preempt = first->part[n].no_preempt;
	}
}

static void draw_groups(struct plan *p, struct dice *d)
{
	unsigned groups = 0;

	for (unsigned i = 1; i < p->n_vrs; i++) {
		unsigned j = (unsigned)dice_below(d, i);

		if (!dice_of_1000(d, 500))
			continue;
		if (!p->vr[j].group)
			p->vr[j].group = ++groups;
		align_group(p, i, j);
		p->modelled = false;
	}
	/* The hardest tie: each of the best wins on one link and loses on the other. */
	p->crossed = groups && dice_of_1000(d, 500);
	for (unsigned n = 0; p->crossed && n < p->n_nodes; n++)
		if (dice_of_1000(d, 700))
			for (unsigned i = 0; i < p->n_vrs; i++)
				if (p->vr[i].group)
					p->vr[i].part[n].priority = 200;
}

/* RFC 9568 section 8.4, on the way: the nodes of 3 send 2 as well. Not within a group. */
static void draw_versions(struct vr_plan *vr, struct dice *d)
{
	bool may = vr->version == 3 && vr->family == AF_INET && !vr->auth && !vr->group;

	for (unsigned i = 0; i < SIM_NODES; i++)
		may = may && vr->part[i].interval_cs == 100;
	vr->migrates = may && dice_of_1000(d, 500);
	for (unsigned i = 0; i < SIM_NODES; i++)
		vr->part[i].version = vr->migrates && dice_of_1000(d, 500) ? 2 : vr->version;
}

static void draw_steps(struct plan *p, struct dice *d)
{
	uint64_t longest = 0, at = 0;
	bool fast = dice_of_1000(d, 300);

	for (unsigned i = 0; i < p->n_vrs; i++)
		if (p->vr[i].part[0].interval_cs * NS_PER_CS > longest)
			longest = p->vr[i].part[0].interval_cs * NS_PER_CS;
	p->n_steps = 4 + (unsigned)dice_below(d, SIM_STEPS - 4); /* below 64 */
	for (unsigned i = 0; i < p->n_steps; i++) {
		struct step *s = &p->step[i];

		do
			s->fault = (enum fault)dice_below(d, SIM_FAULTS);
		while (!(p->faults >> s->fault & 1));
		at += dice_below(d, fast ? longest / 8 : 2 * longest);
		s->at_ns = at;
		s->dice = dice_throw(d);
	}
	p->chaos_ns = at + dice_below(d, 2 * longest);
}

void plan_draw(uint64_t seed, struct plan *p)
{
	struct dice d = dice_for(seed, FOR_SHAPE, 0);
	uint64_t shortest = UINT64_MAX;

	memset(p, 0, sizeof(*p));
	p->seed = seed;
	p->n_nodes = 2 + (unsigned)dice_below(&d, SIM_NODES - 1);
	p->n_links = 1 + (unsigned)dice_below(&d, SIM_LINKS);
	p->n_vrs = dice_of_1000(&d, 400) ? 1 : 1 + (unsigned)dice_below(&d, SIM_VRS);
	p->modelled = p->n_vrs == 1 || dice_of_1000(&d, 300);
	/* Swarm: each seed has its own mixture. */
	for (unsigned i = 0; i < SIM_EVILS; i++)
		p->evils |= (uint32_t)dice_of_1000(&d, 300) << i;
	for (unsigned i = 0; i < SIM_FAULTS; i++)
		p->faults |= (uint32_t)dice_of_1000(&d, 400) << i;
	p->faults |= 1u << dice_below(&d, SIM_FAULTS);
	for (unsigned i = 0; i < p->n_vrs; i++) {
		struct dice own = dice_for(seed, FOR_VR, i);
		struct vr_plan *vr = &p->vr[i];

		vr->link = (unsigned)dice_below(&own, p->n_links);
		draw_protocol(vr, &own);
		draw_options(p, vr, &own);
		draw_parts(p, vr, &own);
	}
	if (!p->modelled)
		draw_groups(p, &d);
	for (unsigned i = 0; i < p->n_vrs; i++) {
		p->vr[i].vrid = draw_vrid(p, i);
		draw_versions(&p->vr[i], &d);
		for (unsigned n = 0; n < p->n_nodes; n++)
			if (p->vr[i].part[n].interval_cs * NS_PER_CS < shortest)
				shortest = p->vr[i].part[n].interval_cs * NS_PER_CS;
	}
	p->delay_ns = 1 + dice_below(&d, shortest / 20);
	draw_steps(p, &d);
	p->nodes = (1u << p->n_nodes) - 1;
	p->vrs = (1u << p->n_vrs) - 1;
	p->steps = (UINT64_C(1) << p->n_steps) - 1;
}
