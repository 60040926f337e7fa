/* SPDX-License-Identifier: MIT */
/* Trackers: without a weight a failure is a fault, with one it moves the priority. */
#include <stddef.h>

#include "log.h"
#include "vrrp/vrrp.h"

struct verdict {
	uint32_t faults; /* FAULT_TRACK and the like */
	int32_t weight;
};

static void add(struct verdict *v, uint32_t fault, bool ok, int32_t weight, bool reverse)
{
	if (weight == CONF_NO_WEIGHT)
		v->faults |= ok != reverse ? 0 : fault;
	else if (weight > 0 ? ok : !ok)
		v->weight +=
		    reverse ? -weight : weight; /* keepalived's: the direction is reversed */
}

/* keepalived's: number times weight, of which -254 and less is a fault. */
static void add_number(struct verdict *v, int32_t number, int32_t weight, bool reverse)
{
	int64_t sum = (int64_t)number * weight * (reverse ? -1 : 1);

	if (!weight)
		v->faults |= (number != 0) != reverse ? FAULT_FILE : 0;
	else if (sum <= -HA_VRRP_MAX_WEIGHT)
		v->faults |= FAULT_FILE;
	else
		v->weight += sum > HA_VRRP_MAX_WEIGHT ? HA_VRRP_MAX_WEIGHT : (int32_t)sum;
}

static void add_watch(struct verdict *v, const struct conf_track_watch *t, int32_t value)
{
	int32_t weight = t->weight ? t->weight : CONF_NO_WEIGHT;

	if (t->kind == CONF_WATCH_FILE)
		add_number(v, value, t->weight, t->reverse);
	else
		add(v, t->kind == CONF_WATCH_BFD ? FAULT_BFD : FAULT_PROCESS, value != 0, weight,
		    t->reverse);
}

static struct verdict judge(const struct vrrp *v, const struct conf_instance *i)
{
	struct verdict j = {0};

	for (size_t t = 0; t < i->n_interfaces; t++) {
		const struct conf_track_interface *track = &i->interfaces[t];
		const struct device *d = device_find(v, track->name);

		add(&j, FAULT_TRACK, d && d->link.running, track->weight, track->reverse);
	}
	for (size_t t = 0; t < i->n_scripts; t++) {
		const struct conf_track_script *track = &i->scripts[t];
		uint8_t state = v->track[track->script->index];

		/* Without a result it moves nothing, and what runs goes on (as keepalived's). */
		if (state != TRACK_INIT)
			add(&j, FAULT_SCRIPT, state == TRACK_OK, track->weight, track->reverse);
	}
	for (size_t t = 0; t < i->watches.n; t++)
		add_watch(&j, &i->watches.at[t], v->watch[i->watches.at[t].watch->index]);
	return j;
}

bool tracks_are_known(const struct vrrp *v, const struct conf_instance *i)
{
	for (size_t t = 0; t < i->n_scripts; t++)
		if (i->scripts[t].weight == CONF_NO_WEIGHT &&
		    v->track[i->scripts[t].script->index] == TRACK_INIT)
			return false;
	return true;
}

/* All of them as one tracker of the engine, so that no sum of a few is ever seen. */
static void track(struct router *r, uint64_t now, int32_t weight)
{
	int most = HA_VRRP_MAX_WEIGHT;

	weight = weight < -most ? -most : weight > most ? most : weight;
	ha_vrrp_track(r->engine, now, 0, weight, weight > 0);
}

static void set_faults(struct router *r, uint64_t now, uint32_t faults)
{
	const uint32_t all = FAULT_TRACK | FAULT_SCRIPT | FAULT_FILE | FAULT_PROCESS | FAULT_BFD;

	/* New ones first: no step between shows an instance without any. */
	if (faults)
		ha_vrrp_set_fault(r->engine, now, faults, true);
	ha_vrrp_set_fault(r->engine, now, all & ~faults, false);
}

static void tell_priority(const struct router *r, int priority)
{
	const struct msg m = {.type = MSG_PRIORITY,
			      .index = r->index,
			      .value = priority,
			      .extra = (int32_t)ha_vrrp_state(r->engine)};

	if (r->conf->priority_changes && msg_send(r->vrrp->birth->ends.control, &m, -1) < 0)
		log_err("(%s) the supervisor does not listen: a line of FIFOs is lost",
			r->conf->name);
}

static void weigh(struct router *r, uint64_t now, int32_t weight)
{
	const struct conf_instance *i = r->conf;
	struct ha_vrrp_status s = {.size = sizeof(s)};
	int before;

	if (i->priority == HA_VRRP_PRIORITY_OWNER ||
	    (!i->n_interfaces && !i->n_scripts && !i->watches.n))
		return;
	ha_vrrp_status(r->engine, &s);
	track(r, now, weight);
	before = s.priority;
	ha_vrrp_status(r->engine, &s);
	if (s.priority == before)
		return;
	log_info("(%s) Changing effective priority from %d to %d: trackers add %d to %d", i->name,
		 before, s.priority, weight, i->priority);
	tell_priority(r, s.priority);
}

void tracks_apply(struct vrrp *v)
{
	uint64_t now = loop_now_ns(v->loop);

	for (size_t n = 0; n < v->n_routers; n++) {
		struct verdict j = judge(v, v->routers[n].conf);

		/* Weights first: who leaves FAULT tells the priority that it has from now on. */
		weigh(&v->routers[n], now, j.weight);
		set_faults(&v->routers[n], now, j.faults);
	}
}
