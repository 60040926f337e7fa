/* SPDX-License-Identifier: MIT */
/* Who answers when nobody else can: keepalived's rule of quorum and hysteresis. */
#include <errno.h>

#include "base/sized.h"
#include "service/model.h"

/* 64 bits hold the sum of HA_DESTS_MAX weights. The sorry server itself does not count. */
static uint64_t live_weight(const struct ha_service *s, const struct ha_dest *sorry)
{
	uint64_t sum = 0;

	for (const struct ha_dest *d = NULL; (d = ha_dest_next(s, d));)
		if (d != sorry)
			sum += d->o.weight;
	return sum;
}

/* Those that drain have weight 0 and a deadline of their own: they stay. */
static void retire_others(struct ha_service *s, const struct ha_dest *sorry, bool keep)
{
	struct ha_dest *next;

	for (struct ha_dest *d = ha_dest_next(s, NULL); d; d = next) {
		next = ha_dest_next(s, d);
		if (d == sorry || d->draining)
			continue;
		if (keep)
			d->o.weight = 0;
		else
			ha_dest_remove(d);
	}
}

static int check(const struct ha_service *s, const struct ha_service_sorry *o)
{
	struct ha_service_opts service;
	struct ha_dest_opts dest;
	int r = service_check_sized(&s->o, o->dest, &service, &dest, NULL);

	if (r < 0 || !o->dest)
		return r < 0 ? r : -EINVAL;
	if (!dest.weight || o->hysteresis >= o->quorum)
		return -EINVAL;
	return sized_unused(o->reserved, sizeof(o->reserved)) ? 0 : -EINVAL;
}

int ha_service_sorry(struct ha_service *s, const struct ha_service_sorry *o, bool *in_use)
{
	struct ha_service_sorry own;
	struct ha_dest *sorry;
	uint64_t live;
	int r;

	if (!s || !in_use)
		return -EINVAL;
	r = sized_in(&own, sizeof(own), o);
	if (r < 0)
		return r;
	if (!own.quorum)
		own.quorum = 1;
	r = check(s, &own);
	if (r < 0)
		return r;
	sorry = ha_dest_find(s, own.dest);
	live = live_weight(s, sorry);
	if (live && live >= (*in_use ? (uint64_t)own.quorum + own.hysteresis
				     : own.quorum - own.hysteresis)) {
		ha_dest_remove(sorry);
		*in_use = false;
		return 0;
	}
	r = ha_dest_set(s, own.dest, &sorry);
	if (r < 0)
		return r;
	retire_others(s, sorry, own.keep);
	*in_use = true;
	return 0;
}
