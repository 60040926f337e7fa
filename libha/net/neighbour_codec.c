/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "base/sized.h"
#include "net/codec.h"
#include "net/neighbour_codec.h"

#define FLAGS_TO_CHOOSE (NTF_USE | NTF_PROXY | NTF_ROUTER | NTF_EXT_LEARNED)

int neighbour_codec_check(const struct ha_net_neighbour *a)
{
	if (!a->ifindex || a->ifindex > INT32_MAX || !ha_ip_len(&a->ip) ||
	    a->mac_len > sizeof(a->mac) || !sized_unused(a->reserved, sizeof(a->reserved)))
		return -EINVAL;
	return 0;
}

static uint16_t state_of(const struct ha_net_neighbour *a)
{
	return a->state ? a->state : a->mac_len ? NUD_PERMANENT : NUD_NONE;
}

static void put_header(struct writer *w, int family, uint32_t ifindex, uint16_t state,
		       uint8_t flags)
{
	write_u8(w, (uint8_t)family);
	write_zero(w, 3);
	write_host32(w, ifindex);
	write_host16(w, state);
	write_u8(w, flags);
	write_u8(w, 0);
}

void neighbour_codec_put(struct writer *w, const struct ha_net_neighbour *a)
{
	put_header(w, a->ip.family, a->ifindex, state_of(a), a->flags & FLAGS_TO_CHOOSE);
	net_codec_put_ip(w, NDA_DST, &a->ip);
	if (a->mac_len)
		nl_attr_put(w, NDA_LLADDR, a->mac, a->mac_len);
	if (a->mac_len || !(a->flags & NTF_USE)) /* who only asks leaves no mark */
		nl_attr_put_u8(w, NDA_PROTOCOL, a->protocol ? a->protocol : HA_NET_PROTO_VIP);
}

void neighbour_codec_put_name(struct writer *w, const struct ha_net_neighbour *a)
{
	put_header(w, a->ip.family, a->ifindex, 0, a->flags & NTF_PROXY);
	net_codec_put_ip(w, NDA_DST, &a->ip);
}

void neighbour_codec_put_dump(struct writer *w, int family, uint32_t ifindex)
{
	put_header(w, family, 0, 0, 0);
	if (ifindex)
		nl_attr_put_u32(w, NDA_IFINDEX, ifindex);
}

static bool read_mac(const struct nl_attr *attr, struct ha_net_neighbour *a)
{
	struct reader data = attr->data;
	size_t len = reader_left(&data);

	if (len > sizeof(a->mac))
		return false;
	read_copy(&data, a->mac, len);
	a->mac_len = (uint8_t)len;
	return true;
}

static bool read_attr(const struct nl_attr *attr, struct ha_net_neighbour *a)
{
	switch (attr->type) {
	case NDA_DST:
		return net_codec_read_ip(attr, a->ip.family, &a->ip);
	case NDA_LLADDR:
		return read_mac(attr, a);
	case NDA_PROTOCOL:
		return nl_attr_u8(attr, &a->protocol);
	default:
		return true;
	}
}

int neighbour_codec_read(const struct nl_msg *msg, struct ha_net_neighbour *ret)
{
	struct ha_net_neighbour a = {.size = sizeof(a)};
	struct reader r = msg->body;
	struct nl_attr attr;
	bool named = false;

	a.ip.family = read_u8(&r);
	read_bytes(&r, 3);
	a.ifindex = read_host32(&r);
	a.state = read_host16(&r);
	a.flags = read_u8(&r);
	read_u8(&r);
	if (r.bad)
		return -EBADMSG;
	if (!ha_ip_len(&a.ip) || a.flags & NTF_PROXY)
		return -ENOMSG;
	while (nl_attr_next(&r, &attr)) {
		if (!read_attr(&attr, &a))
			return -EBADMSG;
		named |= attr.type == NDA_DST;
	}
	if (r.bad || !named || !a.ifindex)
		return -EBADMSG;
	*ret = a;
	return 0;
}

bool ha_net_neighbour_is_valid(const struct ha_net_neighbour *a)
{
	return a->state &
	       (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY);
}

bool neighbour_codec_same(const struct ha_net_neighbour *a, const struct ha_net_neighbour *b)
{
	return a->ifindex == b->ifindex && !ha_ip_compare(&a->ip, &b->ip) &&
	       a->mac_len == b->mac_len && !memcmp(a->mac, b->mac, sizeof(a->mac)) &&
	       a->flags == b->flags && a->protocol == b->protocol &&
	       ha_net_neighbour_is_valid(a) == ha_net_neighbour_is_valid(b);
}
