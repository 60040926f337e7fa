/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

#include "net/codec.h"
#include "net/rule_codec.h"

/* -- building ------------------------------------------------------------------------------------ */

static uint8_t family_of(const struct ha_net_rule *r)
{
	return r->family ? r->family : r->from.family ? r->from.family : r->to.family;
}

static uint8_t action_of(const struct ha_net_rule *r)
{
	return r->action ? r->action : FR_ACT_TO_TBL;
}

static bool is_prefix(const struct ha_ip *ip, uint8_t len, uint8_t family)
{
	return (!ip->family || ip->family == family) && len <= ha_ip_len(ip) * 8;
}

static bool is_range(uint16_t first, uint16_t last)
{
	return !last || (first && first <= last);
}

static bool is_name(const char *name)
{
	return strnlen(name, HA_NET_NAME_SIZE) < HA_NET_NAME_SIZE;
}

int rule_codec_check(const struct ha_net_rule *r)
{
	uint8_t family = family_of(r), action = action_of(r);

	if (family != AF_INET && family != AF_INET6)
		return -EINVAL;
	if (!is_prefix(&r->from, r->from_len, family) || !is_prefix(&r->to, r->to_len, family))
		return -EINVAL;
	if (!is_name(r->iif) || !is_name(r->oif))
		return -EINVAL;
	if (!is_range(r->sport_first, r->sport_last) || !is_range(r->dport_first, r->dport_last))
		return -EINVAL;
	if (r->by_uid && r->uid_first > r->uid_last)
		return -EINVAL;
	if (r->l3mdev && (r->table || action != FR_ACT_TO_TBL))
		return -EINVAL;
	if ((action == FR_ACT_GOTO) != !!r->goto_priority || r->suppress_prefix_len > INT32_MAX)
		return -EINVAL;
	return 0;
}

static void put_ports(struct writer *w, uint16_t type, uint16_t first, uint16_t last)
{
	struct fib_rule_port_range range = {.start = first, .end = last ? last : first};

	if (first)
		nl_attr_put(w, type, &range, sizeof(range));
}

static uint32_t table_of(const struct ha_net_rule *r)
{
	if (r->table || r->l3mdev || action_of(r) != FR_ACT_TO_TBL)
		return r->table;
	return RT_TABLE_MAIN;
}

static void put_header(struct writer *w, const struct ha_net_rule *r)
{
	uint32_t table = table_of(r);

	write_u8(w, family_of(r));
	write_u8(w, net_codec_prefix(&r->to, r->to_len));
	write_u8(w, net_codec_prefix(&r->from, r->from_len));
	write_u8(w, r->tos);
	write_u8(w, table < 256 ? (uint8_t)table : RT_TABLE_UNSPEC);
	write_zero(w, 2);
	write_u8(w, action_of(r));
	write_host32(w, r->invert ? FIB_RULE_INVERT : 0);
	if (table)
		nl_attr_put_u32(w, FRA_TABLE, table);
	nl_attr_put_u8(w, FRA_PROTOCOL, r->protocol ? r->protocol : HA_NET_PROTO_VIP);
}

static void put_conditions(struct writer *w, const struct ha_net_rule *r)
{
	if (r->from.family)
		net_codec_put_ip(w, FRA_SRC, &r->from);
	if (r->to.family)
		net_codec_put_ip(w, FRA_DST, &r->to);
	if (r->iif[0])
		nl_attr_put_str(w, FRA_IIFNAME, r->iif);
	if (r->oif[0])
		nl_attr_put_str(w, FRA_OIFNAME, r->oif);
	if (r->fwmark || r->fwmask) {
		nl_attr_put_u32(w, FRA_FWMARK, r->fwmark);
		nl_attr_put_u32(w, FRA_FWMASK, r->fwmask ? r->fwmask : UINT32_MAX);
	}
	if (r->by_uid) {
		struct fib_rule_uid_range range = {.start = r->uid_first, .end = r->uid_last};

		nl_attr_put(w, FRA_UID_RANGE, &range, sizeof(range));
	}
	if (r->ip_proto)
		nl_attr_put_u8(w, FRA_IP_PROTO, r->ip_proto);
	put_ports(w, FRA_SPORT_RANGE, r->sport_first, r->sport_last);
	put_ports(w, FRA_DPORT_RANGE, r->dport_first, r->dport_last);
	if (r->tun_id)
		nl_attr_put_be64(w, FRA_TUN_ID, r->tun_id);
}

void rule_codec_put(struct writer *w, const struct ha_net_rule *r)
{
	put_header(w, r);
	put_conditions(w, r);
	if (r->priority)
		nl_attr_put_u32(w, FRA_PRIORITY, r->priority);
	if (r->l3mdev)
		nl_attr_put_u8(w, FRA_L3MDEV, 1);
	if (r->goto_priority)
		nl_attr_put_u32(w, FRA_GOTO, r->goto_priority);
	if (r->suppress_prefix)
		nl_attr_put_u32(w, FRA_SUPPRESS_PREFIXLEN, r->suppress_prefix_len);
	if (r->suppress_group)
		nl_attr_put_u32(w, FRA_SUPPRESS_IFGROUP, r->suppress_ifgroup);
	if (r->realms)
		nl_attr_put_u32(w, FRA_FLOW, r->realms);
}

void rule_codec_put_dump(struct writer *w, int family)
{
	write_u8(w, (uint8_t)family);
	write_zero(w, 11);
}

/* -- reading ------------------------------------------------------------------------------------- */

static bool read_ports(const struct nl_attr *a, uint16_t *first, uint16_t *last)
{
	struct fib_rule_port_range range;

	if (!nl_attr_bytes(a, &range, sizeof(range)))
		return false;
	*first = range.start;
	*last = range.end;
	return true;
}

static bool read_uids(const struct nl_attr *a, struct ha_net_rule *r)
{
	struct fib_rule_uid_range range;

	if (!nl_attr_bytes(a, &range, sizeof(range)))
		return false;
	r->by_uid = true;
	r->uid_first = range.start;
	r->uid_last = range.end;
	return true;
}

/* An attribute whose value for "none" is all ones. */
static bool read_suppress(const struct nl_attr *a, bool *is_set, uint32_t *value)
{
	uint32_t v;

	if (!nl_attr_u32(a, &v))
		return false;
	*is_set = v <= INT32_MAX;
	*value = *is_set ? v : 0;
	return true;
}

static bool read_l3mdev(const struct nl_attr *a, struct ha_net_rule *r)
{
	uint8_t v;

	if (!nl_attr_u8(a, &v))
		return false;
	r->l3mdev = v;
	return true;
}

/* A flat switch over the attributes. */
static bool read_attr(const struct nl_attr *a, struct ha_net_rule *r)
{
	switch (a->type) {
	case FRA_SRC:
		return net_codec_read_ip(a, r->family, &r->from);
	case FRA_DST:
		return net_codec_read_ip(a, r->family, &r->to);
	case FRA_IIFNAME:
		return nl_attr_str(a, r->iif, sizeof(r->iif));
	case FRA_OIFNAME:
		return nl_attr_str(a, r->oif, sizeof(r->oif));
	case FRA_FWMARK:
		return nl_attr_u32(a, &r->fwmark);
	case FRA_FWMASK:
		return nl_attr_u32(a, &r->fwmask);
	case FRA_UID_RANGE:
		return read_uids(a, r);
	case FRA_IP_PROTO:
		return nl_attr_u8(a, &r->ip_proto);
	case FRA_SPORT_RANGE:
		return read_ports(a, &r->sport_first, &r->sport_last);
	case FRA_DPORT_RANGE:
		return read_ports(a, &r->dport_first, &r->dport_last);
	case FRA_TUN_ID:
		return nl_attr_be64(a, &r->tun_id);
	case FRA_PRIORITY:
		return nl_attr_u32(a, &r->priority);
	case FRA_TABLE:
		return nl_attr_u32(a, &r->table);
	case FRA_GOTO:
		return nl_attr_u32(a, &r->goto_priority);
	case FRA_SUPPRESS_PREFIXLEN:
		return read_suppress(a, &r->suppress_prefix, &r->suppress_prefix_len);
	case FRA_SUPPRESS_IFGROUP:
		return read_suppress(a, &r->suppress_group, &r->suppress_ifgroup);
	case FRA_FLOW:
		return nl_attr_u32(a, &r->realms);
	case FRA_L3MDEV:
		return read_l3mdev(a, r);
	case FRA_PROTOCOL:
		return nl_attr_u8(a, &r->protocol);
	default:
		return true;
	}
}

int rule_codec_read(const struct nl_msg *msg, struct ha_net_rule *ret)
{
	struct ha_net_rule rule = {.size = sizeof(rule)};
	struct reader r = msg->body;
	struct nl_attr a;
	uint8_t bits;

	rule.family = read_u8(&r);
	rule.to_len = read_u8(&r);
	rule.from_len = read_u8(&r);
	rule.tos = read_u8(&r);
	rule.table = read_u8(&r);
	read_bytes(&r, 2);
	rule.action = read_u8(&r);
	rule.flags = read_host32(&r);
	if (r.bad)
		return -EBADMSG;
	if (rule.family != AF_INET && rule.family != AF_INET6)
		return -ENOMSG;
	while (nl_attr_next(&r, &a))
		if (!read_attr(&a, &rule))
			return -EBADMSG;
	bits = rule.family == AF_INET ? 32 : 128;
	if (r.bad || rule.from_len > bits || rule.to_len > bits ||
	    (rule.from_len && !rule.from.family) || (rule.to_len && !rule.to.family))
		return -EBADMSG;
	rule.invert = rule.flags & FIB_RULE_INVERT;
	*ret = rule;
	return 0;
}

/* -- comparing ------------------------------------------------------------------------------------ */

static bool same_conditions(const struct ha_net_rule *a, const struct ha_net_rule *b)
{
	return !ha_ip_compare(&a->from, &b->from) && !ha_ip_compare(&a->to, &b->to) &&
	       a->from_len == b->from_len && a->to_len == b->to_len && a->family == b->family &&
	       a->tos == b->tos && a->ip_proto == b->ip_proto && a->invert == b->invert &&
	       a->by_uid == b->by_uid && a->l3mdev == b->l3mdev && !strcmp(a->iif, b->iif) &&
	       !strcmp(a->oif, b->oif) && a->fwmark == b->fwmark && a->fwmask == b->fwmask &&
	       a->uid_first == b->uid_first && a->uid_last == b->uid_last &&
	       a->sport_first == b->sport_first && a->sport_last == b->sport_last &&
	       a->dport_first == b->dport_first && a->dport_last == b->dport_last &&
	       a->tun_id == b->tun_id;
}

bool rule_codec_same(const struct ha_net_rule *a, const struct ha_net_rule *b)
{
	return same_conditions(a, b) && a->action == b->action && a->protocol == b->protocol &&
	       a->suppress_prefix == b->suppress_prefix && a->suppress_group == b->suppress_group &&
	       a->suppress_prefix_len == b->suppress_prefix_len &&
	       a->suppress_ifgroup == b->suppress_ifgroup && a->priority == b->priority &&
	       a->table == b->table && a->goto_priority == b->goto_priority &&
	       a->realms == b->realms;
}
