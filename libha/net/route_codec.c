/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/rtnetlink.h>

#include "base/sized.h"
#include "net/codec.h"
#include "net/encap_codec.h"
#include "net/route_codec.h"

/* What RTA_CACHEINFO counts time in, for every program of every machine that libha runs on (USER_HZ). */
#define TICKS_PER_S 100

/* struct rtnexthop: length, flags, weight - 1, link. */
#define NEXTHOP_BYTES 8

#define WEIGHT_MAX 256

/* -- building ------------------------------------------------------------------------------------ */

/* The next hop `i`; false when it is not of the first one's size or asks for what is not known. */
static bool nexthop_at(const struct ha_net_route *r, size_t i, struct ha_net_nexthop *ret)
{
	const size_t stride = r->nexthops->size;
	const void *given = (const uint8_t *)r->nexthops + i * stride;

	return !sized_in(ret, sizeof(*ret), given) && !ret->reserved &&
	       ((const struct ha_net_nexthop *)given)->size == stride;
}

static uint8_t family_of(const struct ha_net_route *r)
{
	struct ha_net_nexthop nh;

	if (r->family)
		return r->family;
	if (r->dst.family)
		return r->dst.family;
	if (r->src.family)
		return r->src.family;
	if (r->prefsrc.family)
		return r->prefsrc.family;
	if (r->n_nexthops && nexthop_at(r, 0, &nh))
		return nh.via.family;
	return r->via.family;
}

static bool is_of(const struct ha_ip *ip, uint8_t family)
{
	return !ip->family || ip->family == family;
}

static bool is_way(const struct ha_ip *via, uint32_t ifindex, uint8_t family)
{
	return ifindex <= INT32_MAX &&
	       (is_of(via, family) || (family == AF_INET && via->family == AF_INET6));
}

static bool nexthops_are_right(const struct ha_net_route *r, uint8_t family)
{
	struct ha_net_nexthop nh;

	if (!r->n_nexthops)
		return true;
	if (!r->nexthops || r->n_nexthops > HA_NET_NEXTHOPS_MAX || r->via.family || r->ifindex ||
	    r->encap.type)
		return false;
	for (size_t i = 0; i < r->n_nexthops; i++)
		if (!nexthop_at(r, i, &nh) || nh.weight > WEIGHT_MAX ||
		    !is_way(&nh.via, nh.ifindex, family) || !encap_codec_is_right(&nh.encap))
			return false;
	return true;
}

int route_codec_check(const struct ha_net_route *r)
{
	uint8_t family = r->n_nexthops && !r->nexthops ? 0 : family_of(r);
	bool v4 = family == AF_INET;

	if (!v4 && family != AF_INET6)
		return -EINVAL;
	if (!is_of(&r->dst, family) || !is_of(&r->src, family) || !is_of(&r->prefsrc, family) ||
	    !is_way(&r->via, r->ifindex, family))
		return -EINVAL;
	if (r->dst_len > ha_ip_len(&r->dst) * 8 || r->src_len > ha_ip_len(&r->src) * 8)
		return -EINVAL;
	if (v4 ? r->src.family || r->pref || r->expires_s : r->tos)
		return -EINVAL; /* the other family's */
	if (strnlen(r->congestion, sizeof(r->congestion)) == sizeof(r->congestion))
		return -EINVAL;
	return encap_codec_is_right(&r->encap) && nexthops_are_right(r, family) ? 0 : -EINVAL;
}

/* What ip-route(8) takes when nothing is said: how far the route leads. */
static uint8_t scope_of(const struct ha_net_route *r)
{
	if (r->scope || family_of(r) == AF_INET6)
		return r->scope;
	switch (r->type) {
	case RTN_LOCAL:
	case RTN_NAT:
		return RT_SCOPE_HOST;
	case RTN_BROADCAST:
	case RTN_MULTICAST:
	case RTN_ANYCAST:
		return RT_SCOPE_LINK;
	case RTN_UNSPEC:
	case RTN_UNICAST:
		return r->via.family || r->n_nexthops ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	default:
		return RT_SCOPE_UNIVERSE;
	}
}

static void put_header(struct writer *w, const struct ha_net_route *r, uint8_t scope, uint8_t type)
{
	uint32_t table = r->table ? r->table : RT_TABLE_MAIN;

	write_u8(w, family_of(r));
	write_u8(w, net_codec_prefix(&r->dst, r->dst_len));
	write_u8(w, net_codec_prefix(&r->src, r->src_len));
	write_u8(w, r->tos);
	write_u8(w, table < 256 ? (uint8_t)table : RT_TABLE_COMPAT);
	write_u8(w, r->protocol ? r->protocol : HA_NET_PROTO_VIP);
	write_u8(w, scope);
	write_u8(w, type);
	write_host32(w, r->flags & RTNH_F_ONLINK);
	nl_attr_put_u32(w, RTA_TABLE, table);
}

/* struct rtvia when the next router's family is not the route's. */
static void put_via(struct writer *w, uint8_t family, const struct ha_ip *via)
{
	uint8_t bytes[2 + sizeof(via->bytes)];
	uint16_t host = via->family;

	if (!via->family)
		return;
	if (via->family == family) {
		net_codec_put_ip(w, RTA_GATEWAY, via);
		return;
	}
	memcpy(bytes, &host, sizeof(host));
	memcpy(bytes + sizeof(host), via->bytes, ha_ip_len(via));
	nl_attr_put(w, RTA_VIA, bytes, sizeof(host) + ha_ip_len(via));
}

static void put_nexthop(struct writer *w, uint8_t family, const struct ha_net_nexthop *nh)
{
	uint8_t *head = write_room(w, NEXTHOP_BYTES);
	struct rtnexthop h = {.rtnh_flags = nh->flags & RTNH_F_ONLINK,
			      .rtnh_hops = (uint8_t)(nh->weight ? nh->weight - 1 : 0),
			      .rtnh_ifindex = (int)nh->ifindex};

	put_via(w, family, &nh->via);
	encap_codec_put(w, &nh->encap);
	if (nh->realms)
		nl_attr_put_u32(w, RTA_FLOW, nh->realms);
	if (!head || w->bad)
		return;
	h.rtnh_len = (uint16_t)(w->at - head);
	memcpy(head, &h, sizeof(h));
}

static void put_ways(struct writer *w, const struct ha_net_route *r)
{
	struct ha_net_nexthop nh;
	size_t nest;

	put_via(w, family_of(r), &r->via);
	encap_codec_put(w, &r->encap);
	if (r->ifindex)
		nl_attr_put_u32(w, RTA_OIF, r->ifindex);
	if (!r->n_nexthops)
		return;
	nest = nl_nest_begin(w, RTA_MULTIPATH);
	for (size_t i = 0; i < r->n_nexthops; i++)
		if (nexthop_at(r, i, &nh))
			put_nexthop(w, family_of(r), &nh);
	nl_nest_end(w, nest);
}

void route_codec_put_name(struct writer *w, const struct ha_net_route *r)
{
	bool any_scope = !r->scope && family_of(r) == AF_INET;

	put_header(w, r, any_scope ? RT_SCOPE_NOWHERE : r->scope, r->type);
	if (r->dst.family)
		net_codec_put_ip(w, RTA_DST, &r->dst);
	if (r->src.family)
		net_codec_put_ip(w, RTA_SRC, &r->src);
	if (r->priority)
		nl_attr_put_u32(w, RTA_PRIORITY, r->priority);
	put_ways(w, r);
}

static void put_metrics(struct writer *w, const struct ha_net_route *r)
{
	size_t nest;
	bool any = r->congestion[0];

	for (uint16_t i = 0; i < HA_NET_METRICS; i++)
		any |= r->metrics[i] && i != RTAX_CC_ALGO;
	if (!any)
		return;
	nest = nl_nest_begin(w, RTA_METRICS);
	for (uint16_t i = 1; i < HA_NET_METRICS; i++)
		if (r->metrics[i] && i != RTAX_CC_ALGO)
			nl_attr_put_u32(w, i, r->metrics[i]);
	if (r->congestion[0])
		nl_attr_put_str(w, RTAX_CC_ALGO, r->congestion);
	nl_nest_end(w, nest);
}

void route_codec_put(struct writer *w, const struct ha_net_route *r)
{
	put_header(w, r, scope_of(r), r->type ? r->type : RTN_UNICAST);
	if (r->dst.family)
		net_codec_put_ip(w, RTA_DST, &r->dst);
	if (r->src.family)
		net_codec_put_ip(w, RTA_SRC, &r->src);
	if (r->prefsrc.family)
		net_codec_put_ip(w, RTA_PREFSRC, &r->prefsrc);
	if (r->priority)
		nl_attr_put_u32(w, RTA_PRIORITY, r->priority);
	put_ways(w, r);
	put_metrics(w, r);
	if (r->realms)
		nl_attr_put_u32(w, RTA_FLOW, r->realms);
	if (r->pref)
		nl_attr_put_u8(w, RTA_PREF, r->pref);
	if (r->expires_s)
		nl_attr_put_u32(w, RTA_EXPIRES, r->expires_s);
}

void route_codec_put_dump(struct writer *w, uint8_t family, uint32_t table, uint8_t protocol)
{
	write_u8(w, family);
	write_zero(w, 4);
	write_u8(w, protocol);
	write_zero(w, 6);
	if (table)
		nl_attr_put_u32(w, RTA_TABLE, table);
}

/* -- reading ------------------------------------------------------------------------------------- */

static bool read_via(const struct nl_attr *attr, struct ha_ip *ret)
{
	struct reader data = attr->data;
	struct ha_ip ip = {.family = (uint8_t)read_host16(&data)};

	if (!ha_ip_len(&ip) || reader_left(&data) != ha_ip_len(&ip))
		return false;
	read_copy(&data, ip.bytes, ha_ip_len(&ip));
	*ret = ip;
	return true;
}

static bool read_metrics(struct reader r, struct ha_net_route *route)
{
	struct nl_attr a;

	while (nl_attr_next(&r, &a)) {
		if (a.type == RTAX_CC_ALGO) {
			if (!nl_attr_str(&a, route->congestion, sizeof(route->congestion)))
				return false;
		} else if (a.type < HA_NET_METRICS && !nl_attr_u32(&a, &route->metrics[a.type])) {
			return false;
		}
	}
	return !r.bad;
}

static bool read_nexthop_attr(const struct nl_attr *a, uint8_t family, struct ha_net_nexthop *nh,
			      struct encap_attrs *encap)
{
	switch (a->type) {
	case RTA_GATEWAY:
		return net_codec_read_ip(a, family, &nh->via);
	case RTA_VIA:
		return read_via(a, &nh->via);
	case RTA_FLOW:
		return nl_attr_u32(a, &nh->realms);
	case RTA_ENCAP:
	case RTA_ENCAP_TYPE:
		return encap_codec_keep(a, encap);
	default:
		return true;
	}
}

static bool read_nexthop(struct reader *r, uint8_t family, struct ha_net_nexthop *nh)
{
	uint16_t len = read_host16(r);
	struct encap_attrs encap = {0};
	struct reader attrs;
	struct nl_attr a;

	*nh = (struct ha_net_nexthop){.size = sizeof(*nh)};
	nh->flags = read_u8(r);
	nh->weight = read_u8(r) + 1u;
	nh->ifindex = read_host32(r);
	if (r->bad || len < NEXTHOP_BYTES)
		return false;
	attrs = read_part(r, len - NEXTHOP_BYTES);
	while (nl_attr_next(&attrs, &a))
		if (!read_nexthop_attr(&a, family, nh, &encap))
			return false;
	if (!encap_codec_read(&encap, &nh->encap))
		return false;
	/* The last one need not be padded. */
	if (reader_left(r) >= (size_t)(-len & (NL_ALIGN - 1)))
		read_bytes(r, (size_t)(-len & (NL_ALIGN - 1)));
	return !attrs.bad && !r->bad;
}

static int read_nexthops(struct reader r, struct ha_net_nexthop *room, struct ha_net_route *route)
{
	route->n_nexthops = 0;
	while (reader_left(&r)) {
		if (route->n_nexthops == HA_NET_NEXTHOPS_MAX)
			return -EOVERFLOW;
		if (!read_nexthop(&r, route->family, &room[route->n_nexthops]))
			return -EBADMSG;
		route->n_nexthops++;
	}
	route->nexthops = route->n_nexthops ? room : NULL;
	return 0;
}

static bool read_expiry(const struct nl_attr *a, struct ha_net_route *r)
{
	struct rta_cacheinfo info;

	if (!nl_attr_bytes(a, &info, sizeof(info)))
		return false;
	/* Whole seconds, upwards: 0 would mean never. */
	if (r->family == AF_INET6 && info.rta_expires > 0)
		r->expires_s = ((uint32_t)info.rta_expires + TICKS_PER_S - 1) / TICKS_PER_S;
	return true;
}

static bool read_attr(const struct nl_attr *a, struct ha_net_route *r, struct encap_attrs *encap)
{
	switch (a->type) {
	case RTA_DST:
		return net_codec_read_ip(a, r->family, &r->dst);
	case RTA_SRC:
		return net_codec_read_ip(a, r->family, &r->src);
	case RTA_PREFSRC:
		return net_codec_read_ip(a, r->family, &r->prefsrc);
	case RTA_GATEWAY:
		return net_codec_read_ip(a, r->family, &r->via);
	case RTA_VIA:
		return read_via(a, &r->via);
	case RTA_OIF:
		return nl_attr_u32(a, &r->ifindex);
	case RTA_PRIORITY:
		return nl_attr_u32(a, &r->priority);
	case RTA_TABLE:
		return nl_attr_u32(a, &r->table);
	case RTA_FLOW:
		return nl_attr_u32(a, &r->realms);
	case RTA_PREF:
		return nl_attr_u8(a, &r->pref);
	case RTA_METRICS:
		return read_metrics(a->data, r);
	case RTA_CACHEINFO:
		return read_expiry(a, r);
	case RTA_ENCAP:
	case RTA_ENCAP_TYPE:
		return encap_codec_keep(a, encap);
	default:
		return true;
	}
}

static void read_header(struct reader *r, struct ha_net_route *ret)
{
	ret->family = read_u8(r);
	ret->dst_len = read_u8(r);
	ret->src_len = read_u8(r);
	ret->tos = read_u8(r);
	ret->table = read_u8(r);
	ret->protocol = read_u8(r);
	ret->scope = read_u8(r);
	ret->type = read_u8(r);
	ret->flags = read_host32(r);
}

int route_codec_read(const struct nl_msg *msg, struct ha_net_nexthop *room,
		     struct ha_net_route *ret)
{
	struct ha_net_route route = {.size = sizeof(route)};
	struct encap_attrs encap = {0};
	struct reader r = msg->body;
	struct nl_attr a;
	uint8_t bits;

	read_header(&r, &route);
	if (r.bad)
		return -EBADMSG;
	if ((route.family != AF_INET && route.family != AF_INET6) || route.flags & RTM_F_CLONED)
		return -ENOMSG;
	while (nl_attr_next(&r, &a)) {
		int e = 0;

		if (a.type == RTA_MULTIPATH)
			e = read_nexthops(a.data, room, &route);
		else if (!read_attr(&a, &route, &encap))
			e = -EBADMSG;
		if (e)
			return e;
	}
	bits = route.family == AF_INET ? 32 : 128;
	if (r.bad || !encap_codec_read(&encap, &route.encap) || route.dst_len > bits ||
	    route.src_len > bits || (route.dst_len && !route.dst.family) ||
	    (route.src_len && !route.src.family))
		return -EBADMSG;
	*ret = route;
	return 0;
}

/* -- comparing ------------------------------------------------------------------------------------ */

bool route_codec_same_place(const struct ha_net_route *a, const struct ha_net_route *b)
{
	return a->family == b->family && a->table == b->table && a->tos == b->tos &&
	       a->priority == b->priority && a->dst_len == b->dst_len && a->src_len == b->src_len &&
	       !ha_ip_compare(&a->dst, &b->dst) && !ha_ip_compare(&a->src, &b->src);
}

bool route_codec_same_ways(const struct ha_net_route *a, const struct ha_net_route *b)
{
	if (a->ifindex != b->ifindex || a->n_nexthops != b->n_nexthops ||
	    ha_ip_compare(&a->via, &b->via) || !encap_codec_same(&a->encap, &b->encap))
		return false;
	for (size_t i = 0; i < a->n_nexthops; i++) {
		const struct ha_net_nexthop *x = &a->nexthops[i], *y = &b->nexthops[i];

		if (x->ifindex != y->ifindex || x->weight != y->weight ||
		    ha_ip_compare(&x->via, &y->via) || !encap_codec_same(&x->encap, &y->encap))
			return false;
	}
	return true;
}

bool route_codec_same(const struct ha_net_route *a, const struct ha_net_route *b)
{
	if (!route_codec_same_place(a, b) || !route_codec_same_ways(a, b) || a->type != b->type ||
	    a->scope != b->scope || a->protocol != b->protocol || a->pref != b->pref ||
	    a->flags != b->flags || a->realms != b->realms ||
	    ha_ip_compare(&a->prefsrc, &b->prefsrc) ||
	    memcmp(a->metrics, b->metrics, sizeof(a->metrics)) ||
	    strcmp(a->congestion, b->congestion))
		return false;
	for (size_t i = 0; i < a->n_nexthops; i++)
		if (a->nexthops[i].flags != b->nexthops[i].flags ||
		    a->nexthops[i].realms != b->nexthops[i].realms)
			return false;
	return true;
}
