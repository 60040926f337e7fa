/* SPDX-License-Identifier: MIT */
/* Calls into the engine: what is noted before each, what must hold after it, and the events that are such a call. */
#include "host.h"

bool is_mate(const struct router *a, const struct router *b)
{
	const struct plan *p = &a->node->w->plan;

	return a == b || (p->vr[a->vr].group && p->vr[a->vr].group == p->vr[b->vr].group);
}

void call_begin(struct router *r, enum cause cause)
{
	struct world *w = r->node->w;

	w->target = r;
	w->cause = cause;
	for_each_mate(m, r)
	{
		m->calls = m->sent_at = m->resigned_at = m->up_at = m->down_at = m->announced_at =
		    m->changed_at = m->heirless_at = m->n_sent = 0;
		m->state_before = ha_vrrp_state(m->v);
	}
	w->allocations = allocations;
}

void host_arm(struct router *r)
{
	struct world *w = r->node->w;
	uint64_t deadline = ha_vrrp_deadline(r->v), late = 0, due;

	if (deadline == HA_VRRP_NEVER || r->node->stalled) {
		heap_disarm(&w->events, &r->timer.due);
		return;
	}
	if (w->chaos && plan_has(&w->plan, EVIL_LATE)) {
		struct dice d = dice_for(w->plan.seed ^ deadline, FOR_LATENESS, r->index);

		if (dice_of_1000(&d, 200))
			late = dice_below(&d, dice_of_1000(&d, 50) ? 10 * SECOND : 5 * MS);
	}
	due = true_ns(r->node, deadline);
	if (w->now_ns > due + late)
		late = w->now_ns - due;
	r->late_ns = late;
	if (planted == PLANT_STARVED && w->cause == CAUSE_BAD)
		late += r->part.interval_cs * NS_PER_CS;
	world_arm(w, &r->timer, due + late);
}

/* From here on no timer is late. */
void host_punctual(struct world *w)
{
	for (unsigned i = 0; i < w->plan.n_nodes; i++)
		for (unsigned v = 0; v < w->plan.n_vrs; v++)
			if (w->node[i].router[v].v) {
				w->node[i].router[v].last_sent_ns =
				    local_ns(&w->node[i], w->now_ns);
				w->node[i].router[v].was_late_ns = 0;
				host_arm(&w->node[i].router[v]);
			}
}

/* As a host does that must survive a crash: adverts on time are not worth a freezing. */
static void keep(struct router *r)
{
	if (r->kept_len > 0 && r->kept_revision == ha_vrrp_revision(r->v))
		return;
	r->kept_len = ha_vrrp_freeze(r->v, r->kept, sizeof(r->kept));
	r->kept_revision = ha_vrrp_revision(r->v);
}

void call_end(struct router *r, const struct packet *p)
{
	struct world *w = r->node->w;

	if (allocations != w->allocations)
		broken(w, I9, "node %u vr %u allocated while it ran", r->node->id, r->vr);
	for_each_mate(m, r)
	{
		bool target = m == r || !w->target;

		if (target && !m->changed_at)
			coverage_stay(m, m->state_before, w->cause);
		lockstep(m, target ? w->cause : CAUSE_GROUP, p);
		invariants_after(m);
		keep(m);
		host_arm(m);
	}
	w->target = NULL;
}

/* ---- events ---- */

void host_serve(struct router *r)
{
	call_begin(r, CAUSE_TIMER);
	r->was_late_ns += r->late_ns;
	ha_vrrp_status(r->v, &r->node->w->before);
	ha_vrrp_tick(r->v, now_of(r));
	r->served_ns = now_of(r);
	call_end(r, NULL);
}

void host_set_fault(struct router *r, uint32_t bit, bool on)
{
	call_begin(r, on ? CAUSE_FAULT : CAUSE_RECOVER);
	ha_vrrp_set_fault(r->v, now_of(r), bit, on);
	call_end(r, NULL);
}

/* Of one virtual router, or of all of its group: its members have one priority. */
void host_set_priority(struct node *n, unsigned group, unsigned vr, unsigned priority)
{
	for (unsigned i = 0; i < n->w->plan.n_vrs; i++) {
		struct router *r = &n->router[i];

		if (!r->v || (i != vr && (!group || n->w->plan.vr[i].group != group)))
			continue;
		call_begin(r, CAUSE_PRIORITY);
		ha_vrrp_set_priority(r->v, now_of(r), priority);
		call_end(r, NULL);
	}
}

void host_set_source(struct router *r, const struct ha_ip *source)
{
	r->source = *source;
	if (ha_vrrp_set_source(r->v, source) < 0)
		broken(r->node->w, I_SIMULATOR, "the source was refused");
}

void host_announce(struct router *r)
{
	call_begin(r, CAUSE_ANNOUNCE);
	ha_vrrp_announce(r->v, now_of(r));
	call_end(r, NULL);
}

void host_hand_over(struct router *r)
{
	struct node *n = r->node;
	unsigned group = n->w->plan.vr[r->vr].group;
	bool active = ha_vrrp_state(r->v) == HA_VRRP_ACTIVE;

	call_begin(r, CAUSE_HAND_OVER);
	r->model.on = false; /* the RFC knows nothing like it */
	for_each_mate(m, r) m->handing |= active;
	if (group && planted != PLANT_TORN) {
		n->w->target = NULL;
		ha_vrrp_group_hand_over(n->group[group], now_of(r));
	} else {
		ha_vrrp_hand_over(r->v, now_of(r));
	}
	call_end(r, NULL);
}

/* What netlink says: they are gone, and, when the kernel took them back, that they are there. */
static void tell_held(struct router *r)
{
	if (!r->told_ns) {
		r->told_ns = now_of(r);
		r->model.on = false;
		call_begin(r, CAUSE_HELD);
		ha_vrrp_set_held(r->v, now_of(r), false);
		call_end(r, NULL);
	}
	if (!r->holds)
		return;
	r->lost = false;
	r->told_ns = 0;
	call_begin(r, CAUSE_HELD);
	ha_vrrp_set_held(r->v, now_of(r), true);
	call_end(r, NULL);
}

/* Somebody removes the addresses, once or each time; netlink tells, or its buffer overran. */
void host_lose_addresses(struct router *r, bool told, bool stubborn)
{
	if (ha_vrrp_state(r->v) == HA_VRRP_ACTIVE && r->holds) {
		r->holds = false;
		r->lost = true;
		r->stubborn = stubborn;
		r->told_ns = 0;
	}
	if (told)
		tell_held(r);
}

void host_resync(struct node *n)
{
	for (unsigned i = 0; i < n->w->plan.n_vrs; i++)
		if (n->router[i].v && n->router[i].lost)
			tell_held(&n->router[i]);
}

void host_peer_down(struct router *r, const struct ha_ip *peer)
{
	call_begin(r, CAUSE_PEER_DOWN);
	r->model.on = false;
	r->peer_down_ns = now_of(r);
	ha_vrrp_peer_down(r->v, now_of(r), peer);
	call_end(r, NULL);
}

void host_saw(struct router *r, const struct ha_vrrp_sighting *s)
{
	call_begin(r, CAUSE_SAW);
	ha_vrrp_saw(r->v, now_of(r), s);
	call_end(r, NULL);
}

static int bounded(int priority)
{
	return priority < 1 ? 1 : priority > 254 ? 254 : priority;
}

/* The sum of keepalived's rules, added by hand. */
static void check_sum(struct router *r)
{
	struct ha_vrrp_status s = {.size = sizeof(s)};
	int sum = r->part.priority;

	for (unsigned i = 0; i < SIM_TRACKERS; i++)
		sum += r->weight[i];
	ha_vrrp_status(r->v, &s);
	if (s.priority != bounded(sum))
		broken(r->node->w, I_MODEL, "node %u vr %u has priority %u, by its trackers %d",
		       r->node->id, r->vr, s.priority, bounded(sum));
}

void host_track(struct node *n, unsigned group, unsigned vr, unsigned tracker, int weight, bool up)
{
	for (unsigned i = 0; i < n->w->plan.n_vrs; i++) {
		struct router *r = &n->router[i];

		if (!r->v || r->part.priority == HA_VRRP_PRIORITY_OWNER ||
		    (i != vr && (!group || n->w->plan.vr[i].group != group)))
			continue;
		call_begin(r, CAUSE_PRIORITY);
		r->weight[tracker] = up == (weight > 0) ? weight : 0;
		ha_vrrp_track(r->v, now_of(r), tracker, weight, up);
		check_sum(r);
		call_end(r, NULL);
	}
}
