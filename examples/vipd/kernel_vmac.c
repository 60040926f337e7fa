/* SPDX-License-Identifier: MIT */
/*
 * Virtual MAC addresses: an instance with use_vmac holds its addresses on a macvlan, which is up while it
 * is MASTER only.
 */
#include <errno.h>
#include <net/if.h>
#include <string.h>

#include <libha/vrrp_vmac.h>

#include "kernel.h"
#include "log.h"

static struct ha_vrrp_vmac_opts opts_of(struct kernel *k, const struct conf_instance *i)
{
	const struct watched *parent = watched_find(k, i->interface);
	struct ha_vrrp_vmac_opts o = {.size = sizeof(o),
				      .parent = parent ? parent->link.ifindex : 0,
				      .family = i->family,
				      .vrid = (uint8_t)i->vrid};

	memcpy(o.mac, i->vmac_mac, sizeof(o.mac));
	strncpy(o.name, i->vmac_name, sizeof(o.name) - 1);
	return o;
}

static int say_failure(struct kernel *k, const struct conf_instance *i, const char *what, int error)
{
	const char *detail = ha_net_error_text(k->net);

	log_err("%s: cannot %s the virtual MAC address (%s): %s%s%s", i->name, what, i->vmac_name,
		strerror(-error), *detail ? ": " : "", detail);
	return error;
}

/* The view of all links follows a moment later: what the kernel said now counts until then. */
int vmac_audit(struct kernel *k, const struct conf_instance *i)
{
	struct ha_net_link l = {.size = sizeof(l)};
	struct ha_vrrp_vmac_opts o;
	struct watched *w;
	int r;

	if (!i->vmac)
		return 0;
	o = opts_of(k, i);
	if (!o.parent)
		return 0; /* its interface is not there: vrrp is in FAULT */
	r = ha_vrrp_vmac_ensure(k->net, &o, &l);
	if (r < 0)
		return say_failure(k, i, "make", r);
	w = watched_find(k, i->vmac_name);
	w->link = l;
	w->right_ifindex = l.ifindex;
	return 0;
}

int vmac_set(struct kernel *k, const struct conf_instance *i, bool up)
{
	struct watched *w = i->vmac ? watched_find(k, i->vmac_name) : NULL;
	int r = 0;

	if (!w)
		return 0;
	/* A takeover does not look at twenty settings again. */
	if (!w->link.ifindex || w->link.ifindex != w->right_ifindex)
		r = vmac_audit(k, i);
	if (r < 0)
		return r;
	if (!w->link.ifindex)
		return up ? -ENODEV : 0;
	r = ha_net_link_set_up(k->net, w->link.ifindex, up);
	if (r < 0)
		return say_failure(k, i, up ? "use" : "leave", r);
	w->link.flags = up ? w->link.flags | IFF_UP : w->link.flags & ~(uint32_t)IFF_UP;
	return 0;
}

bool vmac_is_up(struct kernel *k, const struct conf_instance *i)
{
	const struct watched *w = i->vmac ? watched_find(k, i->vmac_name) : NULL;

	return !i->vmac || (w->link.ifindex && w->link.flags & IFF_UP);
}

void vmac_remove(struct kernel *k, const struct conf_instance *i)
{
	const struct ha_vrrp_vmac_opts o = opts_of(k, i);
	int r = o.parent ? ha_vrrp_vmac_remove(k->net, &o) : 0;

	if (r < 0)
		say_failure(k, i, "remove", r);
}
