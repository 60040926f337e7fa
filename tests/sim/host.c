/* SPDX-License-Identifier: MIT */
/* A node: the process with the routers in it, from its start to its end, and while it stands still. */
#include "host.h"

#include <string.h>
#include <sys/socket.h>

/* ---- making ---- */

struct ha_ip host_source(const struct plan *p, unsigned vr, unsigned node)
{
	uint8_t link = (uint8_t)p->vr[vr].link;
	uint8_t last = (uint8_t)(p->crossed && (link & 1) ? SIM_NODES - node : node + 1);

	if (p->vr[vr].family == AF_INET6)
		return (struct ha_ip){AF_INET6, {0xfe, 0x80, [14] = link, last}};
	return (struct ha_ip){AF_INET, {10, link, 0, last}};
}

struct ha_ip host_address(const struct plan *p, unsigned vr, unsigned i)
{
	uint8_t link = (uint8_t)p->vr[vr].link, last = (uint8_t)(200 + i);

	if (p->vr[vr].family == AF_INET)
		return (struct ha_ip){AF_INET, {10, link, (uint8_t)(10 + vr), last}};
	if (i || p->vr[vr].any_first_address)
		return (struct ha_ip){AF_INET6,
				      {0x20, 1, 0xd, 0xb8, [13] = link, (uint8_t)vr, last}};
	return (struct ha_ip){AF_INET6, {0xfe, 0x80, [13] = link, (uint8_t)vr, last}};
}

static size_t list_peers(const struct world *w, const struct router *r, struct ha_ip *ret)
{
	size_t n = 0;

	for (unsigned i = 0; w->plan.vr[r->vr].unicast && i < w->plan.n_nodes; i++)
		if (i != r->node->id)
			ret[n++] = host_source(&w->plan, r->vr, i);
	return n;
}

static void make_router(struct router *r)
{
	struct world *w = r->node->w;
	const struct vr_plan *vr = &w->plan.vr[r->vr];
	static const struct ha_vrrp_key key = {.id = 1, .secret = "in a vault", .len = 10};
	struct ha_ip address[4], peer[SIM_NODES];
	struct ha_vrrp_opts o = {
	    .size = sizeof(o),
	    .vrid = vr->vrid,
	    .family = vr->family,
	    .version = r->part.version,
	    .v2_too = vr->migrates && r->part.version == 3,
	    .priority = r->part.priority,
	    .advert_interval_cs = r->part.interval_cs,
	    .down_timer_adverts = vr->down_timer_adverts,
	    .no_preempt = r->part.no_preempt,
	    .preempt_delay_ns = vr->preempt_delay_ns,
	    .no_reply = vr->no_reply,
	    .last_advert = vr->last_advert,
	    .source = r->source,
	    .addresses = address,
	    .n_addresses = vr->n_addresses + (r->part.more ? 1u : 0u),
	    .any_first_address = vr->any_first_address,
	    .peers = peer,
	    .n_peers = list_peers(w, r, peer),
	    .auth_pass = vr->password,
	    .checksum = r->part.checksum,
	    .learn_checksum = vr->learn_checksum,
	    .auth = vr->auth,
	    .keys = &key,
	    .n_keys = vr->auth ? 1 : 0,
	    .realtime_offset_ns = realtime_offset_ns(r->node),
	    .garp_delay_ns = vr->garp_delay_ns,
	    .garp_refresh_ns = vr->garp_refresh_ns,
	};

	for (unsigned i = 0; i < o.n_addresses; i++)
		address[i] = host_address(&w->plan, r->vr, i);
	if (planted == PLANT_HASTY)
		o.preempt_delay_ns = 0;
	if (planted == PLANT_PREEMPTS)
		o.no_preempt = false;
	if (planted == PLANT_MISCOUNTS)
		o.down_timer_adverts = (uint8_t)(vr->down_timer_adverts - 1);
	if (ha_vrrp_new(&o, &host_ops, r, &r->v) < 0)
		broken(w, I_SIMULATOR, "cannot make a router: %s", ha_vrrp_check(&o));
	if (vr->group && planted != PLANT_TORN &&
	    ha_vrrp_group_add(r->node->group[vr->group], r->v) < 0)
		broken(w, I_SIMULATOR, "cannot join the group");
}

/* The process: its objects, without a word on the wire. */
void host_make(struct node *n)
{
	struct world *w = n->w;

	n->alive = true;
	for (unsigned i = 0; i < w->plan.n_vrs; i++) {
		unsigned group = w->plan.vr[i].group;

		if (group && !n->group[group] &&
		    ha_vrrp_group_new(NULL, NULL, &n->group[group]) < 0)
			broken(w, I_SIMULATOR, "cannot make a group");
		if (world_has_vr(w, i))
			make_router(&n->router[i]);
	}
}

static void forget(struct router *r)
{
	if (r->captured)
		packet_free(r->node->w, r->captured);
	r->captured = NULL;
}

void host_boot(struct node *n)
{
	struct world *w = n->w;

	note(w, NOTE_NODE, NULL, n->id, NODE_BOOTS);
	for (unsigned i = 0; i < w->plan.n_vrs; i++) {
		struct router *r = &n->router[i];

		r->part = w->plan.vr[i].part[n->id];
		r->source = host_source(&w->plan, i, n->id);
		r->holds = false; /* it removes what a crash left behind */
		r->last_sent_ns = r->backup_ns = r->last_heard_ns = r->resigned_ns =
		    r->first_lower_ns = r->last_reply_ns = 0;
		r->reconfigured = r->handing = r->stands_by = r->lost = false;
		r->told_ns = r->peer_down_ns = 0;
		memset(r->weight, 0, sizeof(r->weight));
		forget(r);
	}
	host_make(n);
	for (unsigned i = 0; i < w->plan.n_vrs; i++)
		if (n->router[i].v) {
			n->router[i].kept_len = 0;
			lockstep_init(&n->router[i]);
		}
}

void host_free(struct node *n)
{
	struct world *w = n->w;

	for (unsigned g = 0; g <= SIM_VRS; g++) {
		ha_vrrp_group_free(n->group[g]);
		n->group[g] = NULL;
	}
	for (unsigned i = 0; i < w->plan.n_vrs; i++) {
		struct router *r = &n->router[i];

		heap_disarm(&w->events, &r->timer.due);
		if (r->v && ha_vrrp_state(r->v) == HA_VRRP_ACTIVE)
			w->actives[i]--;
		ha_vrrp_free(r->v);
		r->v = NULL;
	}
}

static void end_process(struct node *n)
{
	for (; n->queued; n->queued--)
		packet_free(n->w, n->queue[n->queued - 1]);
	host_free(n);
	n->alive = n->stalled = n->suspended = false;
	heap_disarm(&n->w->events, &n->wake.due);
}

void host_power_off(struct node *n)
{
	note(n->w, NOTE_NODE, NULL, n->id, NODE_DIES);
	end_process(n);
	for (unsigned i = 0; i < n->w->plan.n_vrs; i++)
		n->router[i].holds = false;
}

void host_crash(struct node *n)
{
	note(n->w, NOTE_NODE, NULL, n->id, NODE_CRASHES);
	end_process(n);
}

/* ---- starting and stopping ---- */

/* Starts or stops every router, a group in one step. */
static void start_or_stop(struct node *n, bool start)
{
	struct world *w = n->w;
	uint64_t now = local_ns(n, w->now_ns);
	uint32_t done = 0;

	note(w, NOTE_NODE, NULL, n->id, start ? NODE_STARTS : NODE_STOPS);
	for (unsigned i = 0; i < w->plan.n_vrs; i++) {
		struct router *r = &n->router[i];
		unsigned group = w->plan.vr[i].group;

		if (!r->v || (done >> i & 1))
			continue;
		call_begin(r, start ? CAUSE_STARTUP : CAUSE_SHUTDOWN);
		if (group && planted != PLANT_TORN) {
			w->target = NULL;
			if (start)
				ha_vrrp_group_start(n->group[group], now);
			else
				ha_vrrp_group_stop(n->group[group], now);
		} else if (start) {
			ha_vrrp_start(r->v, now);
		} else {
			ha_vrrp_stop(r->v, now);
		}
		for_each_mate(m, r) done |= 1u << m->vr;
		call_end(r, NULL);
	}
}

void host_start(struct node *n)
{
	start_or_stop(n, true);
}

void host_stop(struct node *n)
{
	start_or_stop(n, false);
}

/* ---- stalls ---- */

void host_stall(struct node *n, uint64_t length_ns, bool suspended)
{
	if (n->stalled)
		return;
	note(n->w, NOTE_NODE, NULL, n->id, NODE_STALLS);
	n->stalled = true;
	n->suspended = suspended;
	n->stall_ns = n->w->now_ns;
	for (unsigned i = 0; i < n->w->plan.n_vrs; i++)
		heap_disarm(&n->w->events, &n->router[i].timer.due);
	n->wake.kind = EVENT_WAKE;
	world_arm(n->w, &n->wake, n->w->now_ns + length_ns);
}

static void read_all(struct node *n)
{
	for (unsigned i = 0; i < n->queued; i++) {
		host_receive(n->queue[i]->to, n->queue[i]);
		packet_free(n->w, n->queue[i]);
	}
	n->queued = 0;
}

void host_wake(struct node *n)
{
	struct world *w = n->w;
	bool timers_first = plan_has(&w->plan, EVIL_TIMERS_FIRST);

	if (!n->stalled)
		return;
	note(w, NOTE_NODE, NULL, n->id, NODE_WAKES);
	if (n->suspended) /* its clock stood still, too */
		n->shift_ns -= (int64_t)(local_ns(n, w->now_ns) - local_ns(n, n->stall_ns));
	n->stalled = n->suspended = false;
	heap_disarm(&w->events, &n->wake.due);
	for (unsigned i = 0; i < w->plan.n_vrs; i++)
		if (n->router[i].v)
			ha_vrrp_set_realtime_offset(n->router[i].v, realtime_offset_ns(n));
	for (unsigned i = 0; i < w->plan.n_vrs; i++) { /* nobody blames a sleeper */
		n->router[i].last_sent_ns = local_ns(n, w->now_ns);
		if (n->router[i].told_ns)
			n->router[i].told_ns = local_ns(n, w->now_ns);
	}
	if (!timers_first)
		read_all(n);
	for (unsigned i = 0; i < w->plan.n_vrs; i++)
		if (n->router[i].v)
			host_serve(&n->router[i]);
	read_all(n);
}
