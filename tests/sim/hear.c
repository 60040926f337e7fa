/* SPDX-License-Identifier: MIT */
/* A packet arrives: the engine is asked, and must have said what the packet deserves. */
#include "host.h"

#include <string.h>

static uint64_t counted(const struct ha_vrrp *v)
{
	struct ha_vrrp_stats s = {.size = sizeof(s)};
	uint64_t n = 0;

	ha_vrrp_stats(v, &s);
	n = s.adverts_received + s.adverts_sent + s.send_errors + s.replies_withheld;
	for (unsigned i = 0; i < HA_VRRP_STATS_SLOTS; i++)
		n += s.dropped[i] + s.remarks[i];
	return n;
}

/* I7: nothing moved but one counter. */
static void check_dropped(struct router *r, const struct ha_vrrp_status *was, uint64_t deadline,
			  uint64_t count)
{
	struct ha_vrrp_status is = {.size = sizeof(is)};
	struct world *w = r->node->w;

	ha_vrrp_status(r->v, &is);
	if (memcmp(&is, was, sizeof(is)) || deadline != ha_vrrp_deadline(r->v))
		broken(w, I7, "node %u vr %u: a bad packet changed something", r->node->id, r->vr);
	if (counted(r->v) != count + 1)
		broken(w, I7, "node %u vr %u: a bad packet moved %d counters", r->node->id, r->vr,
		       (int)(counted(r->v) - count));
}

/* A right advert may be dropped: by who does not run, twice or out of order, in the other dress. */
static bool is_excused(const struct vr_plan *vr, int drop)
{
	return drop == HA_VRRP_DROP_NOT_RUNNING || (vr->auth && drop == HA_VRRP_DROP_REPLAY) ||
	       (vr->migrates &&
		(drop == HA_VRRP_DROP_VERSION || drop == HA_VRRP_DROP_OTHER_VERSION));
}

/* For who plays it again. */
static void capture(struct router *r, const struct packet *p)
{
	struct packet *copy = r->captured ? r->captured : packet_new(r->node->w);

	if (!copy)
		return;
	*copy = *p;
	copy->meta.header = p->meta.header ? copy->header : NULL;
	r->captured = copy;
}

int host_receive(struct router *r, const struct packet *p)
{
	struct world *w = r->node->w;
	struct ha_vrrp_status was = {.size = sizeof(was)};
	const struct vr_plan *vr = &w->plan.vr[r->vr];
	bool doubtful = p->mark != PACKET_GOOD || w->inconsistent || vr->auth || vr->migrates;
	uint64_t deadline = 0, count = 0;
	int drop;

	if (planted == PLANT_DEAF && !network_message(w, r->vr, p)[2])
		return 0;
	if (planted == PLANT_TWINS && ha_vrrp_state(r->v) == HA_VRRP_ACTIVE && r->vr == 0)
		return 0;
	call_begin(r, CAUSE_ADVERT);
	if (doubtful) {
		ha_vrrp_status(r->v, &was);
		deadline = ha_vrrp_deadline(r->v);
		count = counted(r->v);
	}
	drop = ha_vrrp_receive(r->v, now_of(r), &p->meta, p->bytes, p->len);
	if (drop > 0 && planted == PLANT_GULLIBLE)
		ha_vrrp_set_priority(r->v, now_of(r), 9);
	if (drop > 0)
		w->cause = CAUSE_BAD;
	if (drop > 0 && doubtful)
		check_dropped(r, &was, deadline, count);
	if (drop > 0 && p->mark == PACKET_GOOD && !w->inconsistent && !is_excused(vr, drop))
		broken(w, I7, "node %u vr %u dropped a good advert: %s", r->node->id, r->vr,
		       ha_vrrp_drop_name(drop));
	if (!drop) {
		note(w, NOTE_HEARD, r, network_message(w, r->vr, p)[2], 0);
		invariants_heard(r, p);
		if (vr->auth && p->mark == PACKET_GOOD)
			capture(r, p);
		if (p->mark == PACKET_FLIPPED)
			broken(w, I7, "node %u vr %u accepted a bad packet", r->node->id, r->vr);
	}
	if (p->expect >= 0 && drop != p->expect && drop != HA_VRRP_DROP_NOT_RUNNING)
		broken(w, I7, "node %u vr %u: \"%s\" where \"%s\" is due", r->node->id, r->vr,
		       ha_vrrp_drop_name(drop), ha_vrrp_drop_name(p->expect));
	call_end(r, p);
	return drop;
}

/* A packet is there: read now, or waits in the socket of a process that stands still. */
void host_hears(struct packet *p)
{
	struct node *n = p->to->node;
	struct world *w = n->w;

	if (!n->alive || !p->to->v || (n->stalled && n->queued == SIM_QUEUE)) {
		packet_free(w, p);
		return;
	}
	if (n->stalled) {
		n->queue[n->queued++] = p;
		return;
	}
	host_receive(p->to, p);
	packet_free(w, p);
}
