/* SPDX-License-Identifier: MIT */
/*
 * What must hold. I1 .. I13 are the project's list:
 *	I1  calm settles on one Active of the highest priority
 *	I2  two Actives do not last in calm
 *	I3  a silent death is noticed neither early nor late
 *	I4  the members of a group are Active together
 *	I5  addresses are held exactly while Active
 *	I6  to Active: advert, addresses, announcement; away from it: addresses first
 *	I7  a rejected packet changes one counter and nothing else (hear.c)
 *	I8  adverts keep their beat, whatever is received, and answers to it are few
 *	I9  nothing is allocated while it runs (call.c)
 *	I10 a client's packets reach the Active
 *	I11 an upgrade is not noticed (upgrade.c)
 *	I12 nobody is displaced before preempt_delay
 *	I13 without preemption nobody is displaced but by an owner
 * I9 says "bounded work", too: HA_VRRP_MAX_ROUND and the queue assert it inside the engine.
 */
#include "world.h"

#include <sys/socket.h>

const char *invariant_name(enum invariant i)
{
	static const char *const name[] = {
	    "nothing", "I1", "I2",  "I3",  "I4",  "I5",	 "I6",	  "I7",
	    "I8",      "I9", "I10", "I11", "I12", "I13", "model", "simulator",
	};

	return name[i];
}

uint64_t invariants_slack_ns(const struct world *w, uint64_t length_ns)
{
	return 1000 + (plan_has(&w->plan, EVIL_DRIFT) ? length_ns / 500 : 0);
}

/* Active_Down_Interval */
uint64_t invariants_down_ns(const struct world *w, unsigned vr, unsigned priority,
			    uint16_t interval_cs)
{
	const struct vr_plan *p = &w->plan.vr[vr];
	uint64_t interval = interval_cs * NS_PER_CS;

	return p->down_timer_adverts * interval +
	       (256 - priority) * (p->version == 2 ? SECOND : interval) / 256;
}

static uint64_t now_of(const struct router *r)
{
	return local_ns(r->node, r->node->w->now_ns);
}

/* ---- I8 ---- */

void invariants_sent(struct router *r, uint8_t priority)
{
	struct world *w = r->node->w;
	uint64_t now = now_of(r);
	bool reply = w->target == r && (w->cause == CAUSE_ADVERT || w->cause == CAUSE_BAD);

	if (reply && priority && r->n_sent > 1)
		broken(w, I8, "node %u vr %u answers one packet with %u adverts", r->node->id,
		       r->vr, r->n_sent);
	/* A loser's last advert is no answer; whether it lost shows later, so it is told by options. */
	if (reply && priority && !r->heirless_at && !w->plan.vr[r->vr].last_advert) {
		if (r->last_reply_ns && now < r->last_reply_ns + 10 * MS)
			broken(w, I8, "node %u vr %u answers twice in 10 ms", r->node->id, r->vr);
		r->last_reply_ns = now;
	}
	r->last_sent_ns = now;
	r->was_late_ns = 0;
}

static void check_beat(struct router *r)
{
	struct world *w = r->node->w;
	uint64_t interval = r->part.interval_cs * NS_PER_CS, now = now_of(r), late;

	if (ha_vrrp_state(r->v) != HA_VRRP_ACTIVE || r->node->stalled || r->lost)
		return;
	late = r->late_ns + r->was_late_ns;
	late += invariants_slack_ns(w, late);
	if (r->was_late_ns) /* it may have listened first */
		late += interval;
	if (now > r->last_sent_ns + interval + late)
		broken(w, I8, "node %u vr %u has been silent for %.3f ms", r->node->id, r->vr,
		       (double)(now_of(r) - r->last_sent_ns) / (double)MS);
}

/* ---- I2, I4, I5 ---- */

static uint64_t longest_interval_ns(const struct world *w, unsigned vr)
{
	uint64_t longest = 0;

	for (unsigned i = 0; i < w->plan.n_nodes; i++)
		if (w->plan.vr[vr].part[i].interval_cs * NS_PER_CS > longest)
			longest = w->plan.vr[vr].part[i].interval_cs * NS_PER_CS;
	return longest;
}

static void check_duel(struct world *w, unsigned vr)
{
	uint64_t most = longest_interval_ns(w, vr) + 2 * w->plan.delay_ns;

	if (w->actives[vr] < 2 || w->chaos) {
		w->duel_ns[vr] = 0;
		return;
	}
	if (!w->duel_ns[vr])
		w->duel_ns[vr] = w->now_ns;
	if (w->now_ns - w->duel_ns[vr] > most + invariants_slack_ns(w, most))
		broken(w, I2, "vr %u has %u Actives for %.3f ms", vr, w->actives[vr],
		       (double)(w->now_ns - w->duel_ns[vr]) / (double)MS);
}

static void check_group(struct router *r)
{
	struct world *w = r->node->w;
	unsigned group = w->plan.vr[r->vr].group;
	bool active = ha_vrrp_state(r->v) == HA_VRRP_ACTIVE;

	for (unsigned i = 0; group && i < w->plan.n_vrs; i++) {
		const struct router *other = &r->node->router[i];

		if (other->v && w->plan.vr[i].group == group &&
		    (ha_vrrp_state(other->v) == HA_VRRP_ACTIVE) != active)
			broken(w, I4, "node %u: vr %u and %u of a group differ", r->node->id, r->vr,
			       i);
	}
}

/* After each call into the engine, for each router that it may have touched. */
void invariants_after(struct router *r)
{
	struct world *w = r->node->w;
	enum ha_vrrp_state state = ha_vrrp_state(r->v);

	if (r->lost && r->told_ns && !r->node->stalled &&
	    now_of(r) > r->told_ns + 100 * MS + r->late_ns + r->was_late_ns)
		broken(w, I5, "node %u vr %u goes on without its addresses", r->node->id, r->vr);
	if ((state == HA_VRRP_ACTIVE) != r->holds && !r->lost)
		broken(w, I5, "node %u vr %u is %s and %s the addresses", r->node->id, r->vr,
		       ha_vrrp_state_name(state), r->holds ? "holds" : "lacks");
	check_beat(r);
	check_group(r);
	check_duel(w, r->vr);
}

/* ---- what a Backup has heard: I3, I12, I13 ---- */

static uint8_t effective_priority(const struct router *r)
{
	struct ha_vrrp_status s = {.size = sizeof(s)};

	ha_vrrp_status(r->v, &s);
	return s.priority;
}

/* An accepted advert, after the engine took it. */
void invariants_heard(struct router *r, const struct packet *p)
{
	uint8_t priority = network_message(r->node->w, r->vr, p)[2], own = effective_priority(r);
	uint64_t now = now_of(r);

	if (ha_vrrp_state(r->v) != HA_VRRP_BACKUP || r->state_before != HA_VRRP_BACKUP)
		return;
	if (!priority) {
		r->resigned_ns = now;
		return;
	}
	if (priority >= own) {
		r->first_lower_ns = 0;
	} else if (!r->first_lower_ns) {
		r->first_lower_ns = now;
	}
	if (priority >= own || (r->part.no_preempt && own != HA_VRRP_PRIORITY_OWNER)) {
		r->last_heard_ns = now;
		r->resigned_ns = 0;
	}
}

/* I3: never before so many intervals without an advert that counts. */
static void check_takeover(struct router *r, const struct ha_vrrp_change *c)
{
	struct world *w = r->node->w;
	const struct vr_plan *vr = &w->plan.vr[r->vr];
	uint64_t since = r->last_heard_ns > r->backup_ns ? r->last_heard_ns : r->backup_ns;
	uint64_t least = vr->down_timer_adverts * (w->before.active_interval_cs * NS_PER_CS);

	if (effective_priority(r) == HA_VRRP_PRIORITY_OWNER)
		return;
	if (c->reason == HA_VRRP_RESIGNED) {
		if (!r->resigned_ns || now_of(r) < r->resigned_ns + w->before.skew_ns)
			broken(w, I3, "node %u vr %u: Skew_Time was cut short", r->node->id, r->vr);
		return;
	}
	if (c->reason == HA_VRRP_PEER_DOWN &&
	    (!r->peer_down_ns || now_of(r) < r->peer_down_ns + w->before.skew_ns))
		broken(w, I3, "node %u vr %u: Skew_Time was cut short", r->node->id, r->vr);
	if (c->reason != HA_VRRP_TIMEOUT && c->reason != HA_VRRP_PREEMPTED)
		return;
	if (now_of(r) < since + least)
		broken(w, I3, "node %u vr %u became Active %.3f ms after the last advert",
		       r->node->id, r->vr, (double)(now_of(r) - since) / (double)MS);
	if (c->reason != HA_VRRP_PREEMPTED || r->reconfigured)
		return;
	if (r->part.no_preempt)
		broken(w, I13, "node %u vr %u preempts", r->node->id, r->vr);
	if (vr->preempt_delay_ns && now_of(r) < r->first_lower_ns + vr->preempt_delay_ns)
		broken(w, I12, "node %u vr %u preempts %.3f ms early", r->node->id, r->vr,
		       (double)(r->first_lower_ns + vr->preempt_delay_ns - now_of(r)) / (double)MS);
}

/* ---- I6 ---- */

static void check_order(struct router *r, const struct ha_vrrp_change *c)
{
	struct world *w = r->node->w;

	if (c->to == HA_VRRP_ACTIVE &&
	    !(r->sent_at && r->sent_at < r->up_at && r->up_at < r->announced_at))
		broken(w, I6, "node %u vr %u became Active in another order", r->node->id, r->vr);
	if (c->from == HA_VRRP_ACTIVE &&
	    (!r->down_at || (r->resigned_at && r->resigned_at < r->down_at)))
		broken(w, I6, "node %u vr %u spoke before it gave up the addresses", r->node->id,
		       r->vr);
}

void invariants_changed(struct router *r, const struct ha_vrrp_change *c)
{
	struct world *w = r->node->w;
	bool alone = !w->plan.vr[r->vr].group && w->target == r && w->cause == CAUSE_TIMER;

	check_order(r, c);
	if (c->to == HA_VRRP_ACTIVE) {
		if (alone)
			check_takeover(r, c);
		w->actives[r->vr]++;
	} else if (c->from == HA_VRRP_ACTIVE) {
		w->actives[r->vr]--;
	}
	if (c->to == HA_VRRP_BACKUP)
		r->backup_ns = now_of(r);
	r->stands_by = c->reason == HA_VRRP_HANDED_OVER ||
		       (c->reason == HA_VRRP_FOLLOWED && r->handing && c->to == HA_VRRP_BACKUP);
	r->handing = r->lost = false;
	r->told_ns = r->peer_down_ns = 0;
	r->last_heard_ns = r->resigned_ns = r->first_lower_ns = 0;
	r->reconfigured = false;
}

/* ---- I1, I10: at the end of calm ---- */

/* Who handed over leaves the heir in peace, with its whole group; an owner never does. */
static bool stands_by(const struct world *w, const struct node *n, unsigned vr)
{
	unsigned group = w->plan.vr[vr].group;
	bool any = n->router[vr].stands_by;

	for (unsigned i = 0; group && i < w->plan.n_vrs; i++)
		any |= w->plan.vr[i].group == group && n->router[i].stands_by;
	return any && w->plan.vr[vr].part[n->id].priority != HA_VRRP_PRIORITY_OWNER;
}

static unsigned best_priority(const struct world *w, unsigned vr)
{
	unsigned best = 0;

	for (unsigned i = 0; i < w->plan.n_nodes; i++)
		if (w->node[i].alive && w->plan.vr[vr].part[i].priority > best &&
		    !stands_by(w, &w->node[i], vr))
			best = w->plan.vr[vr].part[i].priority;
	return best;
}

static void check_client(struct world *w, unsigned vr, const struct node *active)
{
	const struct vr_plan *p = &w->plan.vr[vr];
	const struct router *r = &active->router[vr];
	struct ha_vrrp_status s = {.size = sizeof(s)};
	int reached = network_client_reaches(w, vr);

	ha_vrrp_status(r->v, &s);
	/*
	 * With the physical address a client may believe a loser that died unheard, until it asks again or the
	 * next refresh; a client that knows nothing asks. Whoever became Active in calm has told it.
	 */
	if (s.since_ns < local_ns(active, w->calm_ns) &&
	    (reached == CLIENT_NONE || (!p->vmac && !p->garp_refresh_ns)))
		return;
	if (reached != (int)active->id)
		broken(w, I10, "vr %u: the client reaches node %d, the Active is node %u", vr,
		       reached, active->id);
}

static void check_settled(struct world *w, unsigned vr)
{
	const struct node *active = NULL;
	unsigned best = best_priority(w, vr), priority;

	for (unsigned i = 0; i < w->plan.n_nodes; i++) {
		const struct node *n = &w->node[i];

		if (!n->alive || ha_vrrp_state(n->router[vr].v) != HA_VRRP_ACTIVE)
			continue;
		if (active)
			broken(w, I1, "vr %u: nodes %u and %u are both Active", vr, active->id, i);
		active = n;
	}
	if (!active) {
		broken(w, I1, "vr %u: nobody is Active", vr);
		return;
	}
	priority = w->plan.vr[vr].part[active->id].priority;
	if (priority < best && (!w->plan.vr[vr].no_preempt || best == HA_VRRP_PRIORITY_OWNER))
		broken(w, best == HA_VRRP_PRIORITY_OWNER ? I13 : I1,
		       "vr %u: the Active has priority %u, but there is %u", vr, priority, best);
	check_client(w, vr, active);
}

void invariants_calm(struct world *w)
{
	for (unsigned i = 0; i < w->plan.n_vrs; i++)
		if (world_has_vr(w, i))
			check_settled(w, i);
	/* Nobody is silent, also who had no event. */
	for (unsigned i = 0; i < w->plan.n_nodes; i++)
		for (unsigned v = 0; v < w->plan.n_vrs && w->node[i].alive; v++)
			if (w->node[i].router[v].v)
				check_beat(&w->node[i].router[v]);
}
