/* SPDX-License-Identifier: MIT */
/* The next process of a node takes over what the last one froze, or what was kept before a crash (I11). */
#include "world.h"

#include <string.h>

/* What a thawed router does not know: told before, as the header asks for. */
static void tell_trackers(struct router *r, uint64_t now)
{
	for (unsigned i = 0; i < SIM_TRACKERS; i++)
		if (r->weight[i])
			ha_vrrp_track(r->v, now, i, r->weight[i], r->weight[i] > 0);
}

/* Before the thaw; a new configuration may find its link up again, or another one down. */
static void tell_faults(struct router *r, uint32_t faults, uint64_t now, bool reconfigured)
{
	if (reconfigured && r->node->w->chaos)
		faults = faults ? 0 : r->part.more && !r->part.no_preempt;
	if (faults)
		ha_vrrp_set_fault(r->v, now, faults, true);
}

/* From what was kept, for a successor that may be one after a crash; the same configuration. */
static int thaw_kept(struct router *r, uint64_t now)
{
	uint64_t alive_ns = planted == PLANT_STALE ? 0 : r->served_ns;

	return ha_vrrp_thaw(r->v, now, alive_ns, r->kept, (size_t)r->kept_len);
}

static bool is_frozen_as(const struct ha_vrrp *v, const uint8_t *cold, ssize_t len)
{
	uint8_t again[HA_VRRP_FREEZE_SIZE];

	return ha_vrrp_freeze(v, again, sizeof(again)) == len && !memcmp(again, cold, (size_t)len);
}

/* A router of the process that ends. */
struct last {
	uint8_t cold[HA_VRRP_FREEZE_SIZE];
	ssize_t len;
	struct ha_vrrp_status was;
	uint64_t deadline;
};

static void look_at(const struct ha_vrrp *v, struct last *ret)
{
	ret->was.size = sizeof(ret->was);
	ha_vrrp_status(v, &ret->was);
	ret->deadline = ha_vrrp_deadline(v);
	ret->len = ha_vrrp_freeze(v, ret->cold, sizeof(ret->cold));
}

static int thaw(struct router *r, const struct last *last, uint64_t now, bool reconfigured)
{
	if (planted == PLANT_FORGETS)
		return ha_vrrp_start(r->v, now);
	if (!reconfigured && r->kept_len > 0)
		return thaw_kept(r, now);
	return last->len < 0 ? -1 : ha_vrrp_thaw(r->v, now, 0, last->cold, (size_t)last->len);
}

/* I11: nobody outside notices. */
static void check_unnoticed(struct router *r, const struct last *last, uint64_t now,
			    bool reconfigured)
{
	struct world *w = r->node->w;
	unsigned id = r->node->id, vr = r->vr;
	uint64_t own = r->part.interval_cs * NS_PER_CS, deadline = ha_vrrp_deadline(r->v);
	bool same = !reconfigured && !last->was.faults;

	if (ha_vrrp_state(r->v) != last->was.state)
		broken(w, I11, "node %u vr %u noticed its upgrade", id, vr);
	else if (same && deadline != last->deadline)
		broken(w, I11, "node %u vr %u: an upgrade moved a timer", id, vr);
	else if (last->was.state == HA_VRRP_ACTIVE && deadline > now + own)
		broken(w, I11, "node %u vr %u: an upgrade made an advert late", id, vr);
	else if (same && !is_frozen_as(r->v, last->cold, last->len))
		broken(w, I11, "node %u vr %u: what was kept is not what was", id, vr);
}

static void take_over(struct router *r, const struct last *last, uint64_t now, bool reconfigured)
{
	struct world *w = r->node->w;
	int got = thaw(r, last, now, reconfigured);

	w->actives[r->vr] += ha_vrrp_state(r->v) == HA_VRRP_ACTIVE;
	if (got < 0)
		broken(w, I11, "node %u vr %u cannot be thawed", r->node->id, r->vr);
	else
		check_unnoticed(r, last, now, reconfigured);
	r->kept_len = 0;
	coverage_stay(r, last->was.state, CAUSE_THAW);
	if (reconfigured) {
		r->model.on = false;
		r->reconfigured = true;
		r->last_sent_ns = now; /* the beat is another one */
	}
	host_arm(r);
}

#define for_each_router(r, n)                                                           \
	for (struct router *r = (n)->router; r < (n)->router + (n)->w->plan.n_vrs; r++) \
		if (r->v)

/* Perhaps with another configuration. */
void host_upgrade(struct node *n, bool reconfigured)
{
	uint64_t now = local_ns(n, n->w->now_ns);
	struct last last[SIM_VRS];

	note(n->w, NOTE_NODE, NULL, n->id, NODE_UPGRADED);
	for_each_router(r, n) look_at(r->v, &last[r->vr]);
	host_free(n);
	host_make(n);
	for_each_router(r, n)
	    tell_faults(r, last[r->vr].was.faults & ~HA_VRRP_FAULT_GROUP, now, reconfigured);
	for_each_router(r, n) tell_trackers(r, now);
	for_each_router(r, n) take_over(r, &last[r->vr], now, reconfigured);
	if (reconfigured)
		for_each_router(r, n)
		    host_serve(r); /* what the new configuration found is due at once */
}
