/* SPDX-License-Identifier: MIT */
/* Neighbours are told where addresses are: with which MAC address, on which interface, and how often. */
#include <errno.h>
#include <string.h>

#include "log.h"
#include "vrrp/vrrp.h"

#define NS_PER_MS UINT64_C(1000000)

/* The virtual MAC address of a macvlan of an instance. */
void vmac_of(const struct conf_instance *i, const struct conf_vmac *m, uint8_t ret[6])
{
	static const uint8_t none[6];

	if (memcmp(m->mac, none, sizeof(none)) != 0)
		memcpy(ret, m->mac, sizeof(none));
	else
		ha_vrrp_mac(m->family, (uint8_t)i->vrid, ret);
}

bool sends_from_vmac(const struct conf_instance *i)
{
	return i->vmac && !i->vmac_xmit_base && !i->n_peers;
}

static void announce_one(struct router *r, const struct conf_address *a, unsigned repeat)
{
	const struct conf_instance *i = r->conf;
	const struct device *d = device_find(r->vrrp, a->dev ? a->dev : i->home);
	struct ha_vrrp_announcement what = {
	    .size = sizeof(what),
	    .address = a->ip,
	    .ifindex = d ? d->link.ifindex : 0,
	    .repeat = (uint8_t)repeat,
	    .router = r->engine,
	};
	int e;

	if (!what.ifindex)
		return; /* it is not there */
	/* The frame leaves on the interface below the macvlan. */
	if (a->vmac)
		vmac_of(i, a->vmac, what.mac);
	e = ha_vrrp_link_announce(r->speaker->link, &what);
	if (e < 0 && e != -ENETDOWN)
		log_warn("(%s) cannot announce an address: %s", i->name, strerror(-e));
}

void router_announce(struct router *r, unsigned repeat)
{
	for (size_t a = 0; r->linked && a < r->conf->n_addresses; a++)
		announce_one(r, &r->conf->addresses[a], repeat);
}

/* ---- garp_extra_if ---- */

/* Switches forget a MAC address that sends nothing: of all devices but the one that adverts leave from. */
static bool needs_extra(const struct conf_instance *i, const struct conf_address *a)
{
	if (a->vmac)
		return a->vmac != i->vmac || !sends_from_vmac(i);
	return i->garp.extra_all && (i->vmac || (a->dev && strcmp(a->dev, i->home) != 0));
}

/* Is it the first address of its device? */
static bool is_first(const struct conf_instance *i, size_t a)
{
	const char *device = conf_address_device(i, &i->addresses[a]);

	for (size_t n = 0; n < a; n++)
		if (!strcmp(conf_address_device(i, &i->addresses[n]), device))
			return false;
	return true;
}

static void arm(struct router *r)
{
	loop_arm(r->extra,
		 loop_now_ns(r->vrrp->loop) + (uint64_t)r->conf->garp.extra_ms * NS_PER_MS);
}

static void on_extra(struct loop *l, void *userdata)
{
	struct router *r = userdata;
	const struct conf_instance *i = r->conf;

	if (ha_vrrp_state(r->engine) != HA_VRRP_ACTIVE)
		return;
	for (size_t a = 0; r->linked && !r->awaits && a < i->n_addresses; a++)
		if (needs_extra(i, &i->addresses[a]) && is_first(i, a))
			announce_one(r, &i->addresses[a], 1);
	arm(r);
}

void router_announce_extra(struct router *r)
{
	if (r->conf->garp.extra_ms <= 0)
		return;
	if (r->extra || loop_add_timer(r->vrrp->loop, on_extra, r, &r->extra) >= 0)
		arm(r);
}
