/* SPDX-License-Identifier: MIT */
/*
 * use_ipvlan: where a second MAC address is not allowed, adverts leave from a link that shares the interface's and has
 * an IP address of its own. It is there and up whatever the instance's state is.
 */
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "kernel/kernel.h"
#include "log.h"

#define MARK "vipd ipvlan" /* the alias of those that vipd made */

/* One for adverts over IPv4, or with an address that was written, has no link-local one of its own. */
static int make(struct kernel *k, const struct conf_ipvlan *v, uint8_t family, uint32_t parent,
		struct ha_net_link *ret)
{
	struct ha_net_ipvlan opts = {.size = sizeof(opts), .parent = parent, .flags = v->flags};
	int r;

	strncpy(opts.name, v->name, sizeof(opts.name) - 1);
	r = ha_net_ipvlan_add(k->net, &opts, ret);
	if (r >= 0 && (family == AF_INET || v->ip.family))
		ha_net_link_set_addr_gen(k->net, ret->ifindex, IN6_ADDR_GEN_MODE_NONE);
	if (r >= 0)
		r = ha_net_link_set_alias(k->net, ret->ifindex, MARK);
	return r;
}

/*
 * Its address is made of the parent's MAC address and a number of the kernel's own, so nobody else has it; to ask
 * whether somebody has takes longer than an advert may wait. As on a macvlan of use_vmac.
 */
static void skip_duplicate_detection(const struct conf_ipvlan *v)
{
	static const char *const word[] = {"accept_dad", "dad_transmits"};
	char path[128];

	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/%s", v->name, word[i]);
		setting_put(path, '0'); /* a kernel without IPv6 has none */
	}
}

static bool is_right(const struct ha_net_link *l, const struct conf_ipvlan *v, uint32_t parent)
{
	return !strcmp(l->kind, "ipvlan") && l->parent == parent && !l->ipvlan_mode &&
	       l->ipvlan_flags == v->flags;
}

static int put_address(struct kernel *k, const struct conf_ipvlan *v, uint32_t ifindex)
{
	struct ha_net_address a = {.size = sizeof(a),
				   .ifindex = ifindex,
				   .ip = v->ip,
				   .prefix_len = v->prefix,
				   .flags = v->ip.family == AF_INET6 ? IFA_F_NODAD : 0};
	int status = 0;

	if (!v->ip.family)
		return 0;
	return ha_net_address_add(k->net, &a, 1, &status) < 0 ? status : 0;
}

/* The view of all links follows a moment later: what the kernel said now counts until then. */
static int ensure(struct kernel *k, const struct conf_instance *i, struct watched *w,
		  uint32_t parent)
{
	const struct conf_ipvlan *v = i->ipvlan;
	struct ha_net_link l = {.size = sizeof(l)};
	int r = ha_net_link_by_name(k->net, v->name, &l);

	if (r == -ENODEV)
		r = make(k, v, i->family, parent, &l);
	else if (r >= 0 && !is_right(&l, v, parent))
		r = -EEXIST;
	if (r >= 0 && !(l.flags & IFF_UP))
		skip_duplicate_detection(v);
	if (r >= 0 && !(l.flags & IFF_UP))
		r = ha_net_link_set_up(k->net, l.ifindex, true);
	if (r >= 0)
		r = put_address(k, v, l.ifindex);
	if (r >= 0 && w->link.ifindex != l.ifindex)
		w->link = l;
	return r < 0 ? r : 0;
}

static bool has_address(struct kernel *k, const struct conf_ipvlan *v, uint32_t ifindex)
{
	struct ha_net_address there = {.size = sizeof(there)};

	return !v->ip.family || !ha_net_monitor_address(k->monitor, ifindex, &v->ip, &there);
}

void ipvlan_settle(struct kernel *k, const struct conf_instance *i)
{
	const struct watched *parent = i->ipvlan ? watched_find(k, i->ipvlan->parent) : NULL;
	const char *detail;
	struct watched *w;
	int r;

	if (!parent || !parent->link.ifindex)
		return; /* it is not there: vrrp is in FAULT */
	w = watched_find(k, i->ipvlan->name);
	if (w->link.ifindex && w->link.flags & IFF_UP &&
	    is_right(&w->link, i->ipvlan, parent->link.ifindex) &&
	    has_address(k, i->ipvlan, w->link.ifindex))
		return;
	r = ensure(k, i, w, parent->link.ifindex);
	detail = r == -EEXIST ? "another link has this name: remove it or choose another"
			      : ha_net_error_text(k->net);
	if (r < 0 && !w->failed)
		log_err("(%s) cannot make ipvlan %s on %s: %s%s%s", i->name, i->ipvlan->name,
			i->ipvlan->parent, strerror(-r), *detail ? ": " : "", detail);
	w->failed = r < 0;
}

void ipvlan_remove(struct kernel *k, const struct conf_instance *i)
{
	struct ha_net_link l = {.size = sizeof(l)};
	int r = i->ipvlan ? ha_net_link_by_name(k->net, i->ipvlan->name, &l) : -ENODEV;

	if (r >= 0 && !strcmp(l.alias, MARK))
		r = ha_net_link_remove(k->net, l.ifindex);
	if (r < 0 && r != -ENODEV)
		log_err("(%s) cannot remove ipvlan %s: %s", i->name, i->ipvlan->name, strerror(-r));
}

void ipvlan_remove_old(struct kernel *k, const struct conf_instance *old)
{
	const struct conf_ipvlan *o = old->ipvlan;

	for (const struct conf_instance *i = k->conf->instances; i && o; i = i->next)
		if (i->ipvlan && !strcmp(i->ipvlan->name, o->name) &&
		    !strcmp(i->ipvlan->parent, o->parent) && i->ipvlan->flags == o->flags &&
		    !ha_ip_compare(&i->ipvlan->ip, &o->ip) && i->ipvlan->prefix == o->prefix)
			return;
	ipvlan_remove(k, old);
}
