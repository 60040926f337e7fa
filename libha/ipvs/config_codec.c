/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/ip_vs.h>
#include <string.h>

#include "base/sized.h"
#include "ipvs/config_codec.h"

int ipvs_codec_check_sync(const struct ha_ipvs_sync *s)
{
	const uint8_t *b = s->group.bytes;

	if ((s->role != HA_IPVS_SYNC_MASTER && s->role != HA_IPVS_SYNC_BACKUP) ||
	    !sized_unused(s->reserved, sizeof(s->reserved)))
		return -EINVAL;
	if (!s->interface[0] || strnlen(s->interface, sizeof(s->interface)) == sizeof(s->interface))
		return -EINVAL;
	switch (s->group.family) {
	case AF_UNSPEC:
		return 0;
	case AF_INET:
		return b[0] >> 4 == 0xe ? 0 : -EINVAL; /* 224.0.0.0/4 */
	case AF_INET6:
		return b[0] == 0xff ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}

void ipvs_codec_put_sync(struct writer *w, const struct ha_ipvs_sync *s)
{
	size_t nest;

	nl_genl_put(w, IPVS_CMD_NEW_DAEMON, IPVS_GENL_VERSION);
	nest = nl_nest_begin(w, IPVS_CMD_ATTR_DAEMON);
	nl_attr_put_u32(w, IPVS_DAEMON_ATTR_STATE, s->role);
	nl_attr_put_str(w, IPVS_DAEMON_ATTR_MCAST_IFN, s->interface);
	nl_attr_put_u32(w, IPVS_DAEMON_ATTR_SYNC_ID, s->sync_id);
	if (s->max_len)
		nl_attr_put_u16(w, IPVS_DAEMON_ATTR_SYNC_MAXLEN, s->max_len);
	if (s->group.family == AF_INET)
		nl_attr_put(w, IPVS_DAEMON_ATTR_MCAST_GROUP, s->group.bytes, 4);
	if (s->group.family == AF_INET6)
		nl_attr_put(w, IPVS_DAEMON_ATTR_MCAST_GROUP6, s->group.bytes, 16);
	if (s->port)
		nl_attr_put_u16(w, IPVS_DAEMON_ATTR_MCAST_PORT, s->port);
	if (s->ttl)
		nl_attr_put_u8(w, IPVS_DAEMON_ATTR_MCAST_TTL, s->ttl);
	nl_nest_end(w, nest);
}

void ipvs_codec_put_sync_stop(struct writer *w, enum ha_ipvs_sync_role role)
{
	size_t nest;

	nl_genl_put(w, IPVS_CMD_DEL_DAEMON, IPVS_GENL_VERSION);
	nest = nl_nest_begin(w, IPVS_CMD_ATTR_DAEMON);
	nl_attr_put_u32(w, IPVS_DAEMON_ATTR_STATE, role);
	nl_nest_end(w, nest);
}

void ipvs_codec_put_timeouts(struct writer *w, const struct ha_ipvs_timeouts *t)
{
	nl_genl_put(w, IPVS_CMD_SET_CONFIG, IPVS_GENL_VERSION);
	if (t->tcp_s)
		nl_attr_put_u32(w, IPVS_CMD_ATTR_TIMEOUT_TCP, t->tcp_s);
	if (t->tcp_fin_s)
		nl_attr_put_u32(w, IPVS_CMD_ATTR_TIMEOUT_TCP_FIN, t->tcp_fin_s);
	if (t->udp_s)
		nl_attr_put_u32(w, IPVS_CMD_ATTR_TIMEOUT_UDP, t->udp_s);
}

/* ---- Reading ---- */

static bool read_group(const struct nl_attr *a, uint8_t family, struct ha_ip *ret)
{
	struct ha_ip ip = {.family = family};

	if (!nl_attr_bytes(a, ip.bytes, ha_ip_len(&ip)))
		return false;
	*ret = ip;
	return true;
}

static bool read_role(const struct nl_attr *a, struct ha_ipvs_sync *s)
{
	uint32_t role;

	if (!nl_attr_u32(a, &role) || (role != HA_IPVS_SYNC_MASTER && role != HA_IPVS_SYNC_BACKUP))
		return false;
	s->role = role;
	return true;
}

static bool read_sync_id(const struct nl_attr *a, struct ha_ipvs_sync *s)
{
	uint32_t id;

	if (!nl_attr_u32(a, &id))
		return false;
	s->sync_id = (uint8_t)id;
	return true;
}

static bool read_sync_attr(const struct nl_attr *a, struct ha_ipvs_sync *s)
{
	switch (a->type) {
	case IPVS_DAEMON_ATTR_STATE:
		return read_role(a, s);
	case IPVS_DAEMON_ATTR_MCAST_IFN:
		return nl_attr_str(a, s->interface, sizeof(s->interface));
	case IPVS_DAEMON_ATTR_SYNC_ID:
		return read_sync_id(a, s);
	case IPVS_DAEMON_ATTR_SYNC_MAXLEN:
		return nl_attr_u16(a, &s->max_len);
	case IPVS_DAEMON_ATTR_MCAST_GROUP:
		return read_group(a, AF_INET, &s->group);
	case IPVS_DAEMON_ATTR_MCAST_GROUP6:
		return read_group(a, AF_INET6, &s->group);
	case IPVS_DAEMON_ATTR_MCAST_PORT:
		return nl_attr_u16(a, &s->port);
	case IPVS_DAEMON_ATTR_MCAST_TTL:
		return nl_attr_u8(a, &s->ttl);
	default:
		return true;
	}
}

bool ipvs_codec_read_sync(struct reader body, struct ha_ipvs_sync *ret)
{
	struct ha_ipvs_sync s = {.size = sizeof(s)};
	struct nl_genl genl;
	struct nl_attr a, inner;

	if (!nl_genl_take(&body, &genl))
		return false;
	while (nl_attr_next(&body, &a)) {
		if (a.type != IPVS_CMD_ATTR_DAEMON)
			continue;
		while (nl_attr_next(&a.data, &inner))
			if (!read_sync_attr(&inner, &s))
				return false;
		if (a.data.bad)
			return false;
	}
	if (body.bad || !s.role || !s.interface[0])
		return false;
	*ret = s;
	return true;
}

bool ipvs_codec_read_timeouts(struct reader body, struct ha_ipvs_timeouts *ret)
{
	struct ha_ipvs_timeouts t = {.size = sizeof(t)};
	struct nl_genl genl;
	struct nl_attr a;
	bool good = nl_genl_take(&body, &genl);

	while (good && nl_attr_next(&body, &a)) {
		if (a.type == IPVS_CMD_ATTR_TIMEOUT_TCP)
			good = nl_attr_u32(&a, &t.tcp_s);
		if (a.type == IPVS_CMD_ATTR_TIMEOUT_TCP_FIN)
			good = nl_attr_u32(&a, &t.tcp_fin_s);
		if (a.type == IPVS_CMD_ATTR_TIMEOUT_UDP)
			good = nl_attr_u32(&a, &t.udp_s);
	}
	if (!good || body.bad)
		return false;
	*ret = t;
	return true;
}
