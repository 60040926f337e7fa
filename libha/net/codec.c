/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "net/codec.h"

#define FOREVER UINT32_MAX /* INFINITY_LIFE_TIME */

#define FLAGS_TO_CHOOSE                                                              \
	(IFA_F_NODAD | IFA_F_OPTIMISTIC | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR | \
	 IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN)

/* -- building ------------------------------------------------------------------------------------ */

static uint8_t prefix_of(const struct ha_net_address *a)
{
	return a->prefix_len ? a->prefix_len : (uint8_t)(ha_ip_len(&a->ip) * 8);
}

int net_codec_check(const struct ha_net_address *a)
{
	bool v4 = a->ip.family == AF_INET;

	if (!a->ifindex || a->ifindex > INT32_MAX || !ha_ip_len(&a->ip) ||
	    a->prefix_len > ha_ip_len(&a->ip) * 8)
		return -EINVAL;
	if (a->peer.family && a->peer.family != a->ip.family)
		return -EINVAL;
	if (a->broadcast.family && (!v4 || a->broadcast.family != AF_INET))
		return -EINVAL;
	if (a->label[0] && (!v4 || strnlen(a->label, sizeof(a->label)) == sizeof(a->label)))
		return -EINVAL;
	if (a->valid_lft_s && a->preferred_lft_s > a->valid_lft_s)
		return -EINVAL;
	return 0;
}

void net_codec_put_ip(struct writer *w, uint16_t type, const struct ha_ip *ip)
{
	nl_attr_put(w, type, ip->bytes, ha_ip_len(ip));
}

uint8_t net_codec_prefix(const struct ha_ip *ip, uint8_t len)
{
	static const uint8_t zero[sizeof(ip->bytes)];

	if (len || !memcmp(ip->bytes, zero, sizeof(zero)))
		return len;
	return (uint8_t)(ha_ip_len(ip) * 8);
}

static void put_header(struct writer *w, int family, uint8_t prefix, uint8_t scope,
		       uint32_t ifindex)
{
	write_u8(w, (uint8_t)family);
	write_u8(w, prefix);
	write_u8(w, 0); /* flags: IFA_FLAGS has room for all */
	write_u8(w, scope);
	write_host32(w, ifindex);
}

void net_codec_put_address_name(struct writer *w, const struct ha_net_address *a)
{
	put_header(w, a->ip.family, prefix_of(a), a->scope, a->ifindex);
	net_codec_put_ip(w, IFA_LOCAL, &a->ip);
	net_codec_put_ip(w, IFA_ADDRESS, a->peer.family ? &a->peer : &a->ip);
}

static void put_lifetimes(struct writer *w, const struct ha_net_address *a)
{
	uint32_t valid = a->valid_lft_s ? a->valid_lft_s : FOREVER;
	uint32_t preferred = a->preferred_lft_s ? a->preferred_lft_s : valid;
	struct ifa_cacheinfo info = {
	    .ifa_prefered = a->flags & IFA_F_DEPRECATED ? 0 : preferred,
	    .ifa_valid = valid,
	};

	nl_attr_put(w, IFA_CACHEINFO, &info, sizeof(info));
}

void net_codec_put_address(struct writer *w, const struct ha_net_address *a)
{
	net_codec_put_address_name(w, a);
	if (a->broadcast.family)
		net_codec_put_ip(w, IFA_BROADCAST, &a->broadcast);
	if (a->label[0])
		nl_attr_put_str(w, IFA_LABEL, a->label);
	nl_attr_put_u32(w, IFA_FLAGS, a->flags & FLAGS_TO_CHOOSE);
	put_lifetimes(w, a);
	if (a->proto)
		nl_attr_put_u8(w, IFA_PROTO, a->proto);
}

/* struct rtmsg: family, destination's length, six more, flags. The address itself on its link. */
void net_codec_put_address_route(struct writer *w, const struct ha_net_address *a)
{
	write_u8(w, a->ip.family);
	write_u8(w, (uint8_t)(ha_ip_len(&a->ip) * 8));
	write_zero(w, 10);
	net_codec_put_ip(w, RTA_DST, &a->ip);
	nl_attr_put_u32(w, RTA_OIF, a->ifindex);
}

bool net_codec_read_is_local(const struct nl_msg *msg)
{
	struct reader r = msg->body;

	read_bytes(&r, 7);
	return read_u8(&r) == RTN_LOCAL;
}

void net_codec_put_address_dump(struct writer *w, int family, uint32_t ifindex)
{
	put_header(w, family, 0, 0, ifindex);
}

/* struct ifinfomsg: family, padding, type, index, flags, change. */
void net_codec_put_link_flags(struct writer *w, uint32_t ifindex, uint32_t flags, uint32_t change)
{
	write_zero(w, 4);
	write_host32(w, ifindex);
	write_host32(w, flags);
	write_host32(w, change);
}

void net_codec_put_link_name(struct writer *w, uint32_t ifindex)
{
	net_codec_put_link_flags(w, ifindex, 0, 0);
}

void net_codec_put_link_dump(struct writer *w)
{
	net_codec_put_link_name(w, 0);
	nl_attr_put_u32(w, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
}

void net_codec_put_link_get(struct writer *w, uint32_t ifindex, const char *name)
{
	net_codec_put_link_name(w, ifindex);
	nl_attr_put_u32(w, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	if (name)
		nl_attr_put_str(w, IFLA_IFNAME, name);
}

void net_codec_put_link_alias(struct writer *w, uint32_t ifindex, const char *alias)
{
	net_codec_put_link_name(w, ifindex);
	nl_attr_put(w, IFLA_IFALIAS, alias, strlen(alias));
}

void net_codec_put_link_master(struct writer *w, uint32_t ifindex, uint32_t master)
{
	net_codec_put_link_name(w, ifindex);
	nl_attr_put_u32(w, IFLA_MASTER, master);
}

void net_codec_put_link_mtu(struct writer *w, uint32_t ifindex, uint32_t mtu)
{
	net_codec_put_link_name(w, ifindex);
	nl_attr_put_u32(w, IFLA_MTU, mtu);
}

void net_codec_put_link_addr_gen(struct writer *w, uint32_t ifindex, uint8_t mode)
{
	size_t spec, family;

	net_codec_put_link_name(w, ifindex);
	spec = nl_nest_begin(w, IFLA_AF_SPEC);
	family = nl_nest_begin(w, AF_INET6);
	nl_attr_put(w, IFLA_INET6_ADDR_GEN_MODE, &mode, sizeof(mode));
	nl_nest_end(w, family);
	nl_nest_end(w, spec);
}

void net_codec_put_macvlan(struct writer *w, const struct ha_net_macvlan *m)
{
	size_t info, data;

	net_codec_put_link_name(w, 0);
	nl_attr_put_str(w, IFLA_IFNAME, m->name);
	nl_attr_put_u32(w, IFLA_LINK, m->parent);
	nl_attr_put(w, IFLA_ADDRESS, m->mac, sizeof(m->mac));
	info = nl_nest_begin(w, IFLA_LINKINFO);
	nl_attr_put_str(w, IFLA_INFO_KIND, "macvlan");
	data = nl_nest_begin(w, IFLA_INFO_DATA);
	nl_attr_put_u32(w, IFLA_MACVLAN_MODE, m->mode ? m->mode : MACVLAN_MODE_BRIDGE);
	nl_nest_end(w, data);
	nl_nest_end(w, info);
}

void net_codec_put_ipvlan(struct writer *w, const struct ha_net_ipvlan *v)
{
	size_t info, data;

	net_codec_put_link_name(w, 0);
	nl_attr_put_str(w, IFLA_IFNAME, v->name);
	nl_attr_put_u32(w, IFLA_LINK, v->parent);
	info = nl_nest_begin(w, IFLA_LINKINFO);
	nl_attr_put_str(w, IFLA_INFO_KIND, "ipvlan");
	data = nl_nest_begin(w, IFLA_INFO_DATA);
	nl_attr_put(w, IFLA_IPVLAN_MODE, &v->mode, sizeof(v->mode));
	nl_attr_put(w, IFLA_IPVLAN_FLAGS, &v->flags, sizeof(v->flags));
	nl_nest_end(w, data);
	nl_nest_end(w, info);
}

/* -- reading ------------------------------------------------------------------------------------- */

bool net_codec_read_ip(const struct nl_attr *attr, uint8_t family, struct ha_ip *ret)
{
	struct ha_ip ip = {.family = family};

	if (!nl_attr_bytes(attr, ip.bytes, ha_ip_len(&ip)))
		return false;
	*ret = ip;
	return true;
}

static bool read_lifetimes(const struct nl_attr *attr, struct ha_net_address *a)
{
	struct ifa_cacheinfo info;

	if (!nl_attr_bytes(attr, &info, sizeof(info)))
		return false;
	a->preferred_lft_s = info.ifa_prefered == FOREVER ? 0 : info.ifa_prefered;
	/* Whole seconds: one that expires in less has 0 left, which here would mean never. */
	a->valid_lft_s = info.ifa_valid == FOREVER ? 0 : info.ifa_valid ? info.ifa_valid : 1;
	return true;
}

/* One attribute of an address; `near` and `far` are IFA_LOCAL and IFA_ADDRESS. */
static bool read_address_attr(const struct nl_attr *attr, struct ha_net_address *a,
			      struct ha_ip *near, struct ha_ip *far)
{
	switch (attr->type) {
	case IFA_LOCAL:
		return net_codec_read_ip(attr, a->ip.family, near);
	case IFA_ADDRESS:
		return net_codec_read_ip(attr, a->ip.family, far);
	case IFA_BROADCAST:
		return net_codec_read_ip(attr, a->ip.family, &a->broadcast);
	case IFA_LABEL:
		return nl_attr_str(attr, a->label, sizeof(a->label));
	case IFA_FLAGS:
		return nl_attr_u32(attr, &a->flags);
	case IFA_CACHEINFO:
		return read_lifetimes(attr, a);
	case IFA_PROTO:
		return nl_attr_u8(attr, &a->proto);
	default:
		return true;
	}
}

int net_codec_read_address(const struct nl_msg *msg, struct ha_net_address *ret)
{
	struct ha_net_address a = {.size = sizeof(a)};
	struct ha_ip near = {0}, far = {0};
	struct reader r = msg->body;
	struct nl_attr attr;

	a.ip.family = read_u8(&r);
	a.prefix_len = read_u8(&r);
	a.flags = read_u8(&r);
	a.scope = read_u8(&r);
	a.ifindex = read_host32(&r);
	if (r.bad)
		return -EBADMSG;
	if (!ha_ip_len(&a.ip))
		return -ENOMSG;
	while (nl_attr_next(&r, &attr))
		if (!read_address_attr(&attr, &a, &near, &far))
			return -EBADMSG;
	if (r.bad || !a.ifindex || a.prefix_len > ha_ip_len(&a.ip) * 8 ||
	    !(near.family || far.family))
		return -EBADMSG;
	/* Without a peer, IPv4 gives the address twice and IPv6 only as IFA_ADDRESS. */
	a.ip = near.family ? near : far;
	if (near.family && far.family && ha_ip_compare(&near, &far))
		a.peer = far;
	*ret = a;
	return 0;
}

static bool read_mac(const struct nl_attr *attr, struct ha_net_link *l)
{
	struct reader data = attr->data;
	size_t len = reader_left(&data);

	if (len > sizeof(l->mac))
		return false;
	read_copy(&data, l->mac, len);
	l->mac_len = (uint8_t)len;
	return true;
}

/* A text that others chose the length of: what fits. */
static void read_text(const struct nl_attr *attr, char *ret, size_t cap)
{
	struct reader data = attr->data;
	size_t len = reader_left(&data);

	if (len > cap - 1)
		len = cap - 1;
	read_copy(&data, ret, len);
	ret[len] = 0;
}

static bool read_macvlan(struct reader data, struct ha_net_link *l)
{
	struct nl_attr a;

	while (nl_attr_next(&data, &a))
		if (a.type == IFLA_MACVLAN_MODE && !nl_attr_u32(&a, &l->macvlan_mode))
			return false;
	return !data.bad;
}

static bool read_ipvlan(struct reader data, struct ha_net_link *l)
{
	struct nl_attr a;

	while (nl_attr_next(&data, &a)) {
		if (a.type == IFLA_IPVLAN_MODE && !nl_attr_u16(&a, &l->ipvlan_mode))
			return false;
		if (a.type == IFLA_IPVLAN_FLAGS && !nl_attr_u16(&a, &l->ipvlan_flags))
			return false;
	}
	return !data.bad;
}

static bool read_vrf(struct reader data, struct ha_net_link *l)
{
	struct nl_attr a;

	while (nl_attr_next(&data, &a))
		if (a.type == IFLA_VRF_TABLE && !nl_attr_u32(&a, &l->vrf_table))
			return false;
	return !data.bad;
}

/* IFLA_LINKINFO: what a virtual link is. The data mean something else for each kind. */
static bool read_link_info(struct reader info, struct ha_net_link *l)
{
	struct reader data = {0};
	struct nl_attr a;

	while (nl_attr_next(&info, &a)) {
		if (a.type == IFLA_INFO_KIND)
			read_text(&a, l->kind, sizeof(l->kind));
		else if (a.type == IFLA_INFO_DATA)
			data = a.data;
	}
	if (info.bad)
		return false;
	if (!strcmp(l->kind, "vrf"))
		return read_vrf(data, l);
	if (!strcmp(l->kind, "ipvlan"))
		return read_ipvlan(data, l);
	return strcmp(l->kind, "macvlan") != 0 || read_macvlan(data, l);
}

static bool read_link_attr(const struct nl_attr *attr, struct ha_net_link *l)
{
	switch (attr->type) {
	case IFLA_IFNAME:
		return nl_attr_str(attr, l->name, sizeof(l->name));
	case IFLA_ADDRESS:
		return read_mac(attr, l);
	case IFLA_MTU:
		return nl_attr_u32(attr, &l->mtu);
	case IFLA_LINK:
		return nl_attr_u32(attr, &l->parent);
	case IFLA_MASTER:
		return nl_attr_u32(attr, &l->master);
	case IFLA_OPERSTATE:
		return nl_attr_u8(attr, &l->operstate);
	case IFLA_IFALIAS:
		return read_text(attr, l->alias, sizeof(l->alias)), true;
	case IFLA_LINKINFO:
		return read_link_info(attr->data, l);
	default:
		return true;
	}
}

int net_codec_read_link(const struct nl_msg *msg, struct ha_net_link *ret)
{
	struct ha_net_link l = {.size = sizeof(l)};
	struct reader r = msg->body;
	struct nl_attr attr;
	uint8_t family = read_u8(&r);
	bool half = false, parent_elsewhere = false;

	read_u8(&r);
	l.type = read_host16(&r);
	l.ifindex = read_host32(&r);
	l.flags = read_host32(&r);
	read_host32(&r); /* which flags changed */
	if (r.bad)
		return -EBADMSG;
	/* A port that leaves its bridge is told as RTM_DELLINK of AF_BRIDGE: the link stays. */
	if (family != AF_UNSPEC)
		return -ENOMSG;
	while (nl_attr_next(&r, &attr)) {
		/* Wireless events come in the clothes of RTM_NEWLINK, without most attributes. */
		half |= attr.type == IFLA_WIRELESS;
		/* IFLA_LINK is then an index of that namespace; ours may have the same number. */
		parent_elsewhere |= attr.type == IFLA_LINK_NETNSID;
		if (!read_link_attr(&attr, &l))
			return -EBADMSG;
	}
	if (r.bad || !l.ifindex)
		return -EBADMSG;
	if (half)
		return -ENOMSG;
	if (parent_elsewhere)
		l.parent = 0;
	*ret = l;
	return 0;
}

bool net_codec_same_address(const struct ha_net_address *a, const struct ha_net_address *b)
{
	return a->ifindex == b->ifindex && !ha_ip_compare(&a->ip, &b->ip) &&
	       !ha_ip_compare(&a->peer, &b->peer) && !ha_ip_compare(&a->broadcast, &b->broadcast) &&
	       a->prefix_len == b->prefix_len && a->scope == b->scope && a->proto == b->proto &&
	       a->flags == b->flags && !strcmp(a->label, b->label);
}

bool net_codec_same_link(const struct ha_net_link *a, const struct ha_net_link *b)
{
	return a->ifindex == b->ifindex && a->flags == b->flags && a->mtu == b->mtu &&
	       a->parent == b->parent && a->master == b->master && a->type == b->type &&
	       a->operstate == b->operstate && a->mac_len == b->mac_len &&
	       !memcmp(a->mac, b->mac, sizeof(a->mac)) && !strcmp(a->name, b->name) &&
	       !strcmp(a->alias, b->alias) && a->macvlan_mode == b->macvlan_mode &&
	       a->vrf_table == b->vrf_table && a->ipvlan_mode == b->ipvlan_mode &&
	       a->ipvlan_flags == b->ipvlan_flags;
}

bool ha_net_address_is_marked(const struct ha_net_address *a, uint8_t proto, const char *label)
{
	if (a->proto)
		return a->proto == proto;
	return label && label[0] && !strncmp(a->label, label, sizeof(a->label));
}
