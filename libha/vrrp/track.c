/* SPDX-License-Identifier: MIT */
/* Priority tracking: the effective priority is the configured one and what the trackers add. */
#include "vrrp/object.h"

#include <errno.h>

static uint8_t sum(const struct ha_vrrp *v)
{
	int priority = v->opts.priority;

	for (size_t i = 0; i < HA_VRRP_MAX_TRACKERS; i++)
		priority += v->weight[i];
	return priority < 1
		   ? 1
		   : (uint8_t)(priority >= HA_VRRP_PRIORITY_OWNER ? HA_VRRP_PRIORITY_OWNER - 1
								  : priority);
}

int ha_vrrp_track(struct ha_vrrp *v, uint64_t now_ns, unsigned tracker, int weight, bool up)
{
	int16_t adds = (int16_t)((weight > 0) == up ? weight : 0), before;
	int r;

	if (!v || tracker >= HA_VRRP_MAX_TRACKERS || weight < -HA_VRRP_MAX_WEIGHT ||
	    weight > HA_VRRP_MAX_WEIGHT || v->opts.priority == HA_VRRP_PRIORITY_OWNER)
		return -EINVAL;
	before = v->weight[tracker];
	v->weight[tracker] = adds;
	r = ha_vrrp_set_priority(v, now_ns, sum(v));
	if (r < 0)
		v->weight[tracker] = before;
	return r;
}
