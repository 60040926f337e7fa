/* SPDX-License-Identifier: MIT */
/* Trackers: without a weight a failure is a fault, with one it moves the priority. */
#include <stddef.h>

#include "log.h"
#include "vrrp.h"

struct verdict {
	bool interface_fault, script_fault;
	int32_t weight;
};

static void add(struct verdict *v, bool *fault, bool ok, int32_t weight, bool reverse)
{
	ok ^= reverse;
	if (weight == CONF_NO_WEIGHT)
		*fault |= !ok;
	else if (weight > 0 ? ok : !ok)
		v->weight += weight;
}

static struct verdict judge(const struct vrrp *v, const struct conf_instance *i)
{
	struct verdict j = {0};

	for (size_t t = 0; t < i->n_interfaces; t++) {
		const struct conf_track_interface *track = &i->interfaces[t];
		const struct device *d = device_find(v, track->name);

		add(&j, &j.interface_fault, d && d->link.running, track->weight, track->reverse);
	}
	for (size_t t = 0; t < i->n_scripts; t++) {
		const struct conf_track_script *track = &i->scripts[t];
		uint8_t state = v->track[track->script->index];

		/* No result yet: wait for it, and move no priority (as keepalived). */
		if (state == TRACK_INIT)
			j.script_fault |= track->weight == CONF_NO_WEIGHT;
		else
			add(&j, &j.script_fault, state == TRACK_OK, track->weight, track->reverse);
	}
	return j;
}

/* All of them as one tracker of the engine, so that no sum of a few is ever seen. */
static void track(struct router *r, uint64_t now, int32_t weight)
{
	int most = HA_VRRP_MAX_WEIGHT;

	weight = weight < -most ? -most : weight > most ? most : weight;
	ha_vrrp_track(r->engine, now, 0, weight, weight > 0);
}

void tracks_apply(struct vrrp *v)
{
	uint64_t now = loop_now_ns(v->loop);

	for (size_t n = 0; n < v->n_routers; n++) {
		struct router *r = &v->routers[n];
		const struct conf_instance *i = r->conf;
		struct ha_vrrp_status s = {.size = sizeof(s)};
		struct verdict j = judge(v, i);
		int before;

		ha_vrrp_set_fault(r->engine, now, FAULT_TRACK, j.interface_fault);
		ha_vrrp_set_fault(r->engine, now, FAULT_SCRIPT, j.script_fault);
		if (i->priority == HA_VRRP_PRIORITY_OWNER || (!i->n_interfaces && !i->n_scripts))
			continue;
		ha_vrrp_status(r->engine, &s);
		track(r, now, j.weight);
		before = s.priority;
		ha_vrrp_status(r->engine, &s);
		if (s.priority != before)
			log_info("%s: priority %d, was %d: trackers add %d to %d", i->name,
				 s.priority, before, j.weight, i->priority);
	}
}
