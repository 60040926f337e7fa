/* SPDX-License-Identifier: MIT */
/*
 * The macvlan with the virtual router MAC address. All that must be known later, by this process or
 * its successor, is in the kernel: whose it is and what the interface's settings were stands in its
 * alias.
 */
#include <libha/vrrp_vmac.h>

#include <errno.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <libha/vrrp.h>

#include "base/sized.h"
#include "net/handle.h"
#include "net/sysctl.h"

/* What an alias begins with; behind it a digit for each setting of the interface, as it was. */
#define MARK "libha vrrp "
#define N_INTERFACE_SETTINGS 2

static const struct setting {
	const char *family, *key;
	int value;
} macvlan_settings[] =
    {
	{"ipv6", "addr_gen_mode", 1}, /* none; refused at creation by some kernels */
	{"ipv6", "autoconf", 0},
	{"ipv6", "accept_ra", 0},
	{"ipv6", "accept_dad", 0},
	{"ipv6", "dad_transmits", 0},
	{"ipv6", "router_solicitations", 0},
	{"ipv4", "arp_ignore", 1},
	{"ipv4", "arp_announce", 2},
	{"ipv4", "promote_secondaries", 1},
	{"ipv4", "send_redirects", 0},
},
  interface_settings[N_INTERFACE_SETTINGS] = {
      {"ipv4", "arp_ignore", 1},
      {"ipv4", "arp_announce", 2},
};

static int explain(struct ha_net *n, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int explain(struct ha_net *n, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(n->text, sizeof(n->text), format, args);
	va_end(args);
	return error;
}

/* ---- Settings ---- */

/* Writes what differs only: a read-only /proc/sys whose settings are right is no obstacle. */
static int put_right(struct ha_net *n, const char *interface, const struct setting *s, int value)
{
	int now, r = net_sysctl_get(s->family, interface, s->key, &now);

	if (r == -ENOENT && !strcmp(s->family, "ipv6"))
		return 0; /* a kernel without IPv6 */
	if (!r && now != value)
		r = net_sysctl_set(s->family, interface, s->key, value);
	if (r < 0)
		return explain(n, r, "cannot set net.%s.conf.%s.%s to %d", s->family, interface,
			       s->key, value);
	return 0;
}

/* What it can do without: where /proc/sys is read-only, the first of these is told, and the rest goes on. */
static int put_right_if_possible(struct ha_net *n, const char *interface, const struct setting *s, int value)
{
	char told[sizeof(n->text)];
	int r;

	memcpy(told, n->text, sizeof(told));
	r = put_right(n, interface, s, value);
	if (r != -EROFS && r != -EACCES && r != -EPERM)
		return r;
	if (*told)
		memcpy(n->text, told, sizeof(told));
	return 0;
}

/* Strict is the larger of the interface's and conf/all's: only 2 overrides a 1 there. */
static int put_rp_filter_right(struct ha_net *n, const char *interface)
{
	static const struct setting rp_filter = {"ipv4", "rp_filter", 0};
	int all = 0;

	net_sysctl_get("ipv4", "all", "rp_filter", &all);
	return put_right(n, interface, &rp_filter, all ? 2 : 0);
}

static int put_macvlan_right(struct ha_net *n, const char *name, uint8_t family)
{
	static const struct setting router = {"ipv6", "forwarding", 1},
				    enabled = {"ipv6", "disable_ipv6", 0};
	int r = put_rp_filter_right(n, name);

	for (size_t i = 0; !r && i < sizeof(macvlan_settings) / sizeof(*macvlan_settings); i++)
		r = put_right_if_possible(n, name, &macvlan_settings[i], macvlan_settings[i].value);
	if (!r && family == AF_INET6)
		r = put_right(n, name, &enabled, enabled.value);
	if (!r && family == AF_INET6)
		r = put_right_if_possible(n, name, &router, router.value);
	return r;
}

/* Values other than 0 were somebody's choice, and stronger ones do as well. */
static int put_interface_right(struct ha_net *n, const char *interface)
{
	int r = 0;

	for (size_t i = 0; !r && i < N_INTERFACE_SETTINGS; i++) {
		const struct setting *s = &interface_settings[i];
		int now = 0;

		net_sysctl_get(s->family, interface, s->key, &now);
		if (now < s->value)
			r = put_right_if_possible(n, interface, s, s->value);
	}
	return r;
}

/* ---- The mark ---- */

static bool is_marked(const struct ha_net_link *l)
{
	size_t len = strlen(MARK);

	if (strncmp(l->alias, MARK, len) != 0 || strlen(l->alias) != len + N_INTERFACE_SETTINGS)
		return false;
	for (const char *c = l->alias + len; *c; c++)
		if (*c < '0' || *c > '9')
			return false;
	return true;
}

struct sibling {
	uint32_t parent;
	bool there;
	char mark[HA_NET_ALIAS_SIZE];
};

static int find_sibling(void *userdata, const struct ha_net_link *l)
{
	struct sibling *s = userdata;

	if (l->parent == s->parent && is_marked(l)) {
		s->there = true;
		memcpy(s->mark, l->alias, sizeof(s->mark));
	}
	return 0;
}

/* The interface's settings before the first macvlan: a sibling knows, or they are so now. */
static int make_mark(struct ha_net *n, const struct ha_net_link *parent,
		     char ret[HA_NET_ALIAS_SIZE])
{
	struct sibling s = {.parent = parent->ifindex};
	size_t len = strlen(MARK);
	int r = ha_net_link_list(n, find_sibling, &s);

	if (r < 0)
		return r;
	memcpy(ret, s.there ? s.mark : MARK, s.there ? sizeof(s.mark) : len + 1);
	for (size_t i = 0; !s.there && i < N_INTERFACE_SETTINGS; i++) {
		int now = 0;

		net_sysctl_get(interface_settings[i].family, parent->name,
			       interface_settings[i].key, &now);
		ret[len + i] = now >= 0 && now <= 9 ? (char)('0' + now) : '9';
		ret[len + i + 1] = 0;
	}
	return 0;
}

/* What we set, and nobody changed since, goes back. */
static int restore_interface(struct ha_net *n, const struct ha_net_link *parent, const char *mark)
{
	int r = 0;

	for (size_t i = 0; !r && i < N_INTERFACE_SETTINGS; i++) {
		const struct setting *s = &interface_settings[i];
		int before = mark[strlen(MARK) + i] - '0', now = before;

		net_sysctl_get(s->family, parent->name, s->key, &now);
		if (now == s->value && before < s->value)
			r = put_right(n, parent->name, s, before);
	}
	return r;
}

/* ---- The macvlan ---- */

static int take_opts(struct ha_vrrp_vmac_opts *own, const struct ha_vrrp_vmac_opts *o)
{
	static const uint8_t none[6];
	int r = sized_in(own, sizeof(*own), o);

	if (r < 0)
		return r;
	if (!own->parent || !own->vrid || (own->family != AF_INET && own->family != AF_INET6) ||
	    strnlen(own->name, sizeof(own->name)) == sizeof(own->name))
		return -EINVAL;
	if (!memcmp(own->mac, none, sizeof(none)))
		ha_vrrp_mac(own->family, own->vrid, own->mac);
	if (!own->name[0])
		snprintf(own->name, sizeof(own->name), "vrrp.%u", own->vrid);
	return 0;
}

static int find_parent(struct ha_net *n, uint32_t ifindex, struct ha_net_link *ret)
{
	int r;

	ret->size = sizeof(*ret);
	r = ha_net_link_by_index(n, ifindex, ret);
	if (r < 0)
		return explain(n, r, "there is no interface %u", ifindex);
	if (ret->type != ARPHRD_ETHER)
		return explain(n, -EINVAL, "%s is not Ethernet: no virtual MAC address there",
			       ret->name);
	return 0;
}

static bool is_right(const struct ha_net_link *l, const struct ha_vrrp_vmac_opts *o)
{
	return !strcmp(l->kind, "macvlan") && l->macvlan_mode == MACVLAN_MODE_BRIDGE &&
	       l->parent == o->parent && l->mac_len == 6 && !memcmp(l->mac, o->mac, 6);
}

/*
 * The macvlan that ha_vrrp_vmac_ensure() made, although somebody changed its mode, and its name or its MAC address: which no other
 * one can have beside it while it is up.
 */
struct own {
	const struct ha_vrrp_vmac_opts *o;
	uint32_t ifindex; /* 0: there is none */
	char mark[HA_NET_ALIAS_SIZE];
};

static bool is_own(const struct ha_net_link *l, const struct ha_vrrp_vmac_opts *o)
{
	bool named = !strcmp(l->name, o->name), has_mac = l->mac_len == 6 && !memcmp(l->mac, o->mac, 6);

	return !strcmp(l->kind, "macvlan") && l->parent == o->parent && is_marked(l) && (named || has_mac);
}

static int find_own(void *userdata, const struct ha_net_link *l)
{
	struct own *own = userdata;

	if (is_own(l, own->o)) {
		own->ifindex = l->ifindex;
		memcpy(own->mark, l->alias, sizeof(own->mark));
	}
	return 0;
}

/* 0, HA_NET_ALREADY: there was none, or -errno; ret_mark (may be NULL): its mark. */
static int remove_own(struct ha_net *n, const struct ha_vrrp_vmac_opts *o, char ret_mark[HA_NET_ALIAS_SIZE])
{
	int removed = HA_NET_ALREADY;

	for (;;) {
		struct own own = {.o = o};
		int r = ha_net_link_list(n, find_own, &own);

		if (!r && !own.ifindex)
			return removed;
		if (!r)
			r = ha_net_link_remove(n, own.ifindex);
		if (r < 0)
			return r;
		if (ret_mark)
			memcpy(ret_mark, own.mark, sizeof(own.mark));
		removed = 0;
	}
}

static int make(struct ha_net *n, const struct ha_vrrp_vmac_opts *o,
		const struct ha_net_link *parent, struct ha_net_link *ret)
{
	struct ha_net_macvlan m = {
	    .size = sizeof(m), .parent = parent->ifindex, .mode = MACVLAN_MODE_BRIDGE};
	char mark[HA_NET_ALIAS_SIZE];
	int r = make_mark(n, parent, mark); /* the one that goes may be the last that knows */

	if (!r)
		r = remove_own(n, o, NULL);
	if (r < 0)
		return r;
	memcpy(m.mac, o->mac, sizeof(m.mac));
	memcpy(m.name, o->name, sizeof(m.name));
	r = ha_net_macvlan_add(n, &m, ret);
	if (r < 0 && !n->text[0])
		explain(n, r, "the kernel does not make macvlan %s on %s", o->name, parent->name);
	if (r < 0)
		return r;
	r = ha_net_link_set_alias(n, ret->ifindex, mark);
	if (r < 0)
		ha_net_link_remove(n, ret->ifindex);
	else
		memcpy(ret->alias, mark, sizeof(ret->alias));
	return r;
}

/* In the VRF of the interface: else its addresses would be in another table than the interface's. */
static int put_vrf_right(struct ha_net *n, const struct ha_net_link *parent, struct ha_net_link *l)
{
	struct ha_net_link master = {.size = sizeof(master)};
	uint32_t want = 0;
	int r;

	if (parent->master && !ha_net_link_by_index(n, parent->master, &master) && master.vrf_table)
		want = parent->master;
	if (l->master == want)
		return 0;
	r = ha_net_link_set_master(n, l->ifindex, want);
	if (r < 0)
		return explain(n, r, "cannot put %s into the VRF of %s", l->name, parent->name);
	l->master = want;
	return 0;
}

/*
 * The kernel lowers the MTU of a macvlan with that of its interface, and never raises it again. Below 1280 bytes it takes IPv6 away, and
 * gives it back with default settings: those are put right after this.
 */
static int put_mtu_right(struct ha_net *n, const struct ha_net_link *parent, struct ha_net_link *l)
{
	int r;

	if (!is_marked(l) || l->mtu >= parent->mtu)
		return 0;
	r = net_link_set_mtu(n, l->ifindex, parent->mtu);
	if (r < 0)
		return explain(n, r, "cannot set the MTU of %s to that of %s", l->name, parent->name);
	l->mtu = parent->mtu;
	return 0;
}

int ha_vrrp_vmac_ensure(struct ha_net *n, const struct ha_vrrp_vmac_opts *given,
			struct ha_net_link *ret)
{
	struct ha_net_link parent, l = {.size = sizeof(l)};
	struct ha_vrrp_vmac_opts o;
	bool made = false;
	int r;

	if (!n || !ret || ret->size < sizeof(ret->size))
		return -EINVAL;
	n->text[0] = 0;
	r = take_opts(&o, given);
	if (!r)
		r = find_parent(n, o.parent, &parent);
	if (r < 0)
		return r;
	r = ha_net_link_by_name(n, o.name, &l);
	if (!r && !is_right(&l, &o) && !is_own(&l, &o))
		return explain(n, -EEXIST,
			       "%s is there and is no macvlan in bridge mode on %s with "
			       "%02x:%02x:%02x:%02x:%02x:%02x: remove it or choose another name",
			       o.name, parent.name, o.mac[0], o.mac[1], o.mac[2], o.mac[3],
			       o.mac[4], o.mac[5]);
	if (r == -ENODEV || (!r && !is_right(&l, &o))) {
		r = make(n, &o, &parent, &l);
		made = !r;
	}
	if (!r)
		r = put_vrf_right(n, &parent, &l);
	if (!r)
		r = put_mtu_right(n, &parent, &l);
	if (!r)
		n->text[0] = 0; /* of a question before */
	if (!r)
		r = put_macvlan_right(n, o.name, o.family);
	if (!r)
		r = put_interface_right(n, parent.name);
	if (!r)
		return sized_out(ret, &l, sizeof(l));
	if (made) {
		char why[sizeof(n->text)];

		memcpy(why, n->text, sizeof(why));
		ha_vrrp_vmac_remove(n, &o);
		memcpy(n->text, why, sizeof(why));
	}
	return r;
}

int ha_vrrp_vmac_remember(struct ha_net *n, struct ha_net_link *macvlan, const char *alias)
{
	struct ha_net_link before = {0};
	int r;

	if (!n || !macvlan || !alias || strnlen(alias, sizeof(before.alias)) == sizeof(before.alias))
		return -EINVAL;
	memcpy(before.alias, alias, strlen(alias));
	if (!is_marked(macvlan) || !is_marked(&before) || !strcmp(macvlan->alias, alias))
		return HA_NET_ALREADY;
	r = ha_net_link_set_alias(n, macvlan->ifindex, alias);
	if (!r)
		memcpy(macvlan->alias, before.alias, sizeof(before.alias));
	return r;
}

int ha_vrrp_vmac_remove(struct ha_net *n, const struct ha_vrrp_vmac_opts *given)
{
	struct ha_net_link parent, l = {.size = sizeof(l)};
	char mark[HA_NET_ALIAS_SIZE];
	struct ha_vrrp_vmac_opts o;
	struct sibling s = {0};
	int r;

	if (!n)
		return -EINVAL;
	n->text[0] = 0;
	r = take_opts(&o, given);
	if (r < 0)
		return r;
	r = ha_net_link_by_name(n, o.name, &l);
	if (r < 0 && r != -ENODEV)
		return r;
	if (!r && is_right(&l, &o) && !is_marked(&l))
		return ha_net_link_set_up(n, l.ifindex, false);
	r = remove_own(n, &o, mark);
	s.parent = o.parent;
	if (!r)
		r = ha_net_link_list(n, find_sibling, &s);
	if (r || s.there)
		return r;
	r = find_parent(n, o.parent, &parent);
	return r < 0 ? r : restore_interface(n, &parent, mark);
}
