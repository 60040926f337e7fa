/* SPDX-License-Identifier: MIT */
#include <linux/ip_vs.h>
#include <string.h>

#include "ipvs/codec.h"
#include "service/model.h"

/* ---- Flags and netmasks ---- */

static const struct {
	uint32_t ours, kernels;
} flag_map[] = {
    {HA_SERVICE_ONE_PACKET, IP_VS_SVC_F_ONEPACKET},
    {HA_SERVICE_SCHED_FALLBACK, IP_VS_SVC_F_SCHED_SH_FALLBACK},
    {HA_SERVICE_SCHED_PORT, IP_VS_SVC_F_SCHED_SH_PORT},
    {HA_SERVICE_SCHED_3, IP_VS_SVC_F_SCHED3},
};

#define N_FLAGS (sizeof(flag_map) / sizeof(*flag_map))

static uint32_t flags_to_kernel(const struct ha_service_opts *s)
{
	uint32_t flags = s->persistence_s ? IP_VS_SVC_F_PERSISTENT : 0;

	for (size_t i = 0; i < N_FLAGS; i++)
		if (s->flags & flag_map[i].ours)
			flags |= flag_map[i].kernels;
	return flags;
}

static uint32_t flags_from_kernel(uint32_t kernels)
{
	uint32_t flags = 0;

	for (size_t i = 0; i < N_FLAGS; i++)
		if (kernels & flag_map[i].kernels)
			flags |= flag_map[i].ours;
	return flags;
}

/* IPv4: the mask in network order; IPv6: the prefix length in host order, 1 to 128 always. */
static void put_netmask(struct writer *w, const struct ha_service_opts *s)
{
	bool v6 = s->address.family == AF_INET6;
	unsigned int prefix = s->persistence_prefix ? s->persistence_prefix : v6 ? 128 : 32;

	if (v6)
		nl_attr_put_u32(w, IPVS_SVC_ATTR_NETMASK, prefix);
	else
		nl_attr_put_be32(w, IPVS_SVC_ATTR_NETMASK,
				 (uint32_t)(UINT64_C(0xffffffff) << (32 - prefix)));
}

static uint8_t prefix_of(struct reader netmask, uint8_t family)
{
	struct reader r = netmask;
	uint32_t mask;

	if (family == AF_INET6) {
		uint32_t prefix = read_host32(&r);

		return prefix >= 1 && prefix <= 128 ? (uint8_t)prefix : SERVICE_PREFIX_ODD;
	}
	mask = read_be32(&r);
	for (uint8_t prefix = 1; prefix <= 32; prefix++)
		if (mask == (uint32_t)(UINT64_C(0xffffffff) << (32 - prefix)))
			return prefix;
	return SERVICE_PREFIX_ODD;
}

/* ---- Writing ---- */

static void put_key_attributes(struct writer *w, const struct ha_service_opts *s)
{
	nl_attr_put_u16(w, IPVS_SVC_ATTR_AF, s->address.family);
	if (s->fwmark) {
		nl_attr_put_u32(w, IPVS_SVC_ATTR_FWMARK, s->fwmark);
		return;
	}
	nl_attr_put_u16(w, IPVS_SVC_ATTR_PROTOCOL, s->protocol);
	nl_attr_put(w, IPVS_SVC_ATTR_ADDR, s->address.bytes, sizeof(s->address.bytes));
	nl_attr_put_be16(w, IPVS_SVC_ATTR_PORT, s->port);
}

void ipvs_codec_put_key(struct writer *w, uint8_t cmd, const struct ha_service_opts *s)
{
	size_t nest;

	nl_genl_put(w, cmd, IPVS_GENL_VERSION);
	nest = nl_nest_begin(w, IPVS_CMD_ATTR_SERVICE);
	put_key_attributes(w, s);
	nl_nest_end(w, nest);
}

void ipvs_codec_put_service(struct writer *w, uint8_t cmd, const struct ha_service_opts *s)
{
	const struct ip_vs_flags flags = {.flags = flags_to_kernel(s), .mask = ~0u};
	size_t nest;

	nl_genl_put(w, cmd, IPVS_GENL_VERSION);
	nest = nl_nest_begin(w, IPVS_CMD_ATTR_SERVICE);
	put_key_attributes(w, s);
	nl_attr_put_str(w, IPVS_SVC_ATTR_SCHED_NAME, s->scheduler);
	if (s->persistence_engine)
		nl_attr_put_str(w, IPVS_SVC_ATTR_PE_NAME, s->persistence_engine);
	nl_attr_put(w, IPVS_SVC_ATTR_FLAGS, &flags, sizeof(flags));
	nl_attr_put_u32(w, IPVS_SVC_ATTR_TIMEOUT, s->persistence_s);
	put_netmask(w, s);
	nl_nest_end(w, nest);
}

static void put_dest_key_attributes(struct writer *w, const struct ha_dest_opts *d)
{
	nl_attr_put_u16(w, IPVS_DEST_ATTR_ADDR_FAMILY, d->address.family);
	nl_attr_put(w, IPVS_DEST_ATTR_ADDR, d->address.bytes, sizeof(d->address.bytes));
	nl_attr_put_be16(w, IPVS_DEST_ATTR_PORT, d->port);
}

void ipvs_codec_put_dest_key(struct writer *w, uint8_t cmd, const struct ha_service_opts *s,
			     const struct ha_dest_opts *d)
{
	size_t nest;

	ipvs_codec_put_key(w, cmd, s);
	nest = nl_nest_begin(w, IPVS_CMD_ATTR_DEST);
	put_dest_key_attributes(w, d);
	nl_nest_end(w, nest);
}

void ipvs_codec_put_dest(struct writer *w, uint8_t cmd, const struct ha_service_opts *s,
			 const struct ha_dest_opts *d)
{
	size_t nest;

	ipvs_codec_put_key(w, cmd, s);
	nest = nl_nest_begin(w, IPVS_CMD_ATTR_DEST);
	put_dest_key_attributes(w, d);
	nl_attr_put_u32(w, IPVS_DEST_ATTR_FWD_METHOD, d->forward);
	nl_attr_put_u32(w, IPVS_DEST_ATTR_WEIGHT, d->weight);
	nl_attr_put_u32(w, IPVS_DEST_ATTR_U_THRESH, d->upper_threshold);
	nl_attr_put_u32(w, IPVS_DEST_ATTR_L_THRESH, d->lower_threshold);
	if (d->forward == HA_FORWARD_TUN) {
		nl_attr_put_u8(w, IPVS_DEST_ATTR_TUN_TYPE, (uint8_t)d->tunnel);
		nl_attr_put_be16(w, IPVS_DEST_ATTR_TUN_PORT, d->tunnel_port);
		nl_attr_put_u16(w, IPVS_DEST_ATTR_TUN_FLAGS, (uint16_t)d->tunnel_flags);
	}
	nl_nest_end(w, nest);
}

/* ---- Reading ---- */

/* Finds the nest of `type` behind the generic netlink header. */
static bool open_nest(struct reader body, uint16_t type, struct reader *ret)
{
	struct nl_genl header;
	struct nl_attr a;

	if (!nl_genl_take(&body, &header))
		return false;
	while (nl_attr_next(&body, &a)) {
		if (a.type == type) {
			*ret = a.data;
			return true;
		}
	}
	return false;
}

/* The kernel sends 16 bytes for either family; a later one may send 4 for IPv4. */
static bool read_address(const struct nl_attr *a, struct ha_ip *ret)
{
	size_t len = reader_left(&a->data);
	struct reader r = a->data;

	if (len != 4 && len != sizeof(ret->bytes))
		return false;
	memset(ret->bytes, 0, sizeof(ret->bytes));
	read_copy(&r, ret->bytes, len);
	return true;
}

/* Only the family's bytes count: the family may come after the address. */
static void trim_address(struct ha_ip *ip)
{
	if (ip->family != AF_INET6)
		memset(ip->bytes + 4, 0, sizeof(ip->bytes) - 4);
}

static bool read_family(const struct nl_attr *a, uint8_t *ret)
{
	uint16_t family;

	if (!nl_attr_u16(a, &family) || (family != AF_INET && family != AF_INET6))
		return false;
	*ret = (uint8_t)family;
	return true;
}

/* Both nests have the same attributes; STATS64 has them all with 64 bits. */
static bool read_stats(struct reader nest, struct ha_service_stats *ret)
{
	uint64_t *const field[IPVS_STATS_ATTR_MAX + 1] = {
	    [IPVS_STATS_ATTR_CONNS] = &ret->conns,
	    [IPVS_STATS_ATTR_INPKTS] = &ret->in_packets,
	    [IPVS_STATS_ATTR_OUTPKTS] = &ret->out_packets,
	    [IPVS_STATS_ATTR_INBYTES] = &ret->in_bytes,
	    [IPVS_STATS_ATTR_OUTBYTES] = &ret->out_bytes,
	    [IPVS_STATS_ATTR_CPS] = &ret->conn_rate,
	    [IPVS_STATS_ATTR_INPPS] = &ret->in_packet_rate,
	    [IPVS_STATS_ATTR_OUTPPS] = &ret->out_packet_rate,
	    [IPVS_STATS_ATTR_INBPS] = &ret->in_byte_rate,
	    [IPVS_STATS_ATTR_OUTBPS] = &ret->out_byte_rate,
	};
	struct nl_attr a;

	while (nl_attr_next(&nest, &a)) {
		uint32_t narrow;

		if (a.type > IPVS_STATS_ATTR_MAX || !field[a.type])
			continue;
		if (nl_attr_u32(&a, &narrow))
			*field[a.type] = narrow;
		else if (!nl_attr_u64(&a, field[a.type]))
			return false;
	}
	return !nest.bad;
}

/* The wide nest wins, whichever comes first. */
static bool take_stats(const struct nl_attr *a, bool wide, bool *seen_wide,
		       struct ha_service_stats *stats)
{
	if (!wide && *seen_wide)
		return true;
	*seen_wide |= wide;
	return read_stats(a->data, stats);
}

static bool read_service_attr(const struct nl_attr *a, struct ipvs_service *s,
			      struct reader *netmask, bool *seen_wide)
{
	struct ip_vs_flags flags;
	uint16_t protocol;

	switch (a->type) {
	case IPVS_SVC_ATTR_AF:
		return read_family(a, &s->o.address.family);
	case IPVS_SVC_ATTR_PROTOCOL:
		if (!nl_attr_u16(a, &protocol) || protocol > UINT8_MAX)
			return false;
		s->o.protocol = (uint8_t)protocol;
		return true;
	case IPVS_SVC_ATTR_ADDR:
		return read_address(a, &s->o.address);
	case IPVS_SVC_ATTR_PORT:
		return nl_attr_be16(a, &s->o.port);
	case IPVS_SVC_ATTR_FWMARK:
		return nl_attr_u32(a, &s->o.fwmark);
	case IPVS_SVC_ATTR_SCHED_NAME:
		return nl_attr_str(a, s->scheduler, sizeof(s->scheduler));
	case IPVS_SVC_ATTR_PE_NAME:
		return nl_attr_str(a, s->engine, sizeof(s->engine));
	case IPVS_SVC_ATTR_FLAGS:
		if (!nl_attr_bytes(a, &flags, sizeof(flags)))
			return false;
		s->o.flags = flags.flags; /* the kernel's, for now */
		return true;
	case IPVS_SVC_ATTR_TIMEOUT:
		return nl_attr_u32(a, &s->o.persistence_s);
	case IPVS_SVC_ATTR_NETMASK:
		*netmask = a->data;
		return reader_left(netmask) == 4;
	case IPVS_SVC_ATTR_STATS:
	case IPVS_SVC_ATTR_STATS64:
		return take_stats(a, a->type == IPVS_SVC_ATTR_STATS64, seen_wide, &s->stats);
	default:
		return true;
	}
}

bool ipvs_codec_read_service(struct reader body, struct ipvs_service *ret)
{
	struct reader nest, netmask = {.bad = true};
	bool seen_wide = false;
	struct nl_attr a;
	uint32_t flags;

	*ret = (struct ipvs_service){.o.size = sizeof(ret->o)};
	ret->stats.size = sizeof(ret->stats);
	if (!open_nest(body, IPVS_CMD_ATTR_SERVICE, &nest))
		return false;
	while (nl_attr_next(&nest, &a))
		if (!read_service_attr(&a, ret, &netmask, &seen_wide))
			return false;
	if (nest.bad || !ret->o.address.family || !*ret->scheduler ||
	    (!ret->o.fwmark && !ret->o.protocol))
		return false;
	trim_address(&ret->o.address);
	flags = ret->o.flags;
	ret->o.flags = flags_from_kernel(flags);
	ret->o.scheduler = ret->scheduler;
	ret->o.persistence_engine = *ret->engine ? ret->engine : NULL;
	if (!(flags & IP_VS_SVC_F_PERSISTENT))
		ret->o.persistence_s = 0;
	else if (!netmask.bad)
		ret->o.persistence_prefix = prefix_of(netmask, ret->o.address.family);
	return true;
}

static bool read_dest_attr(const struct nl_attr *a, struct ipvs_dest *d, bool *seen_wide)
{
	uint32_t number;
	uint16_t short_number;
	uint8_t byte;

	switch (a->type) {
	case IPVS_DEST_ATTR_ADDR_FAMILY:
		return read_family(a, &d->o.address.family);
	case IPVS_DEST_ATTR_ADDR:
		return read_address(a, &d->o.address);
	case IPVS_DEST_ATTR_PORT:
		return nl_attr_be16(a, &d->o.port);
	case IPVS_DEST_ATTR_FWD_METHOD:
		if (!nl_attr_u32(a, &number))
			return false;
		d->o.forward = (enum ha_forward)(number & IP_VS_CONN_F_FWD_MASK);
		return true;
	case IPVS_DEST_ATTR_WEIGHT:
		return nl_attr_u32(a, &d->o.weight);
	case IPVS_DEST_ATTR_U_THRESH:
		return nl_attr_u32(a, &d->o.upper_threshold);
	case IPVS_DEST_ATTR_L_THRESH:
		return nl_attr_u32(a, &d->o.lower_threshold);
	case IPVS_DEST_ATTR_TUN_TYPE:
		if (!nl_attr_u8(a, &byte))
			return false;
		d->o.tunnel = (enum ha_tunnel)byte;
		return true;
	case IPVS_DEST_ATTR_TUN_PORT:
		return nl_attr_be16(a, &d->o.tunnel_port);
	case IPVS_DEST_ATTR_TUN_FLAGS:
		if (!nl_attr_u16(a, &short_number))
			return false;
		d->o.tunnel_flags = short_number;
		return true;
	case IPVS_DEST_ATTR_ACTIVE_CONNS:
		return nl_attr_u32(a, &d->stats.active_conns);
	case IPVS_DEST_ATTR_INACT_CONNS:
		return nl_attr_u32(a, &d->stats.inactive_conns);
	case IPVS_DEST_ATTR_PERSIST_CONNS:
		return nl_attr_u32(a, &d->stats.persistent_conns);
	case IPVS_DEST_ATTR_STATS:
	case IPVS_DEST_ATTR_STATS64:
		return take_stats(a, a->type == IPVS_DEST_ATTR_STATS64, seen_wide, &d->stats);
	default:
		return true;
	}
}

bool ipvs_codec_read_dest(struct reader body, const struct ha_service_opts *s,
			  struct ipvs_dest *ret)
{
	bool seen_wide = false, seen_address = false;
	struct reader nest;
	struct nl_attr a;

	*ret = (struct ipvs_dest){.o.size = sizeof(ret->o)};
	ret->stats.size = sizeof(ret->stats);
	ret->o.address.family = s->address.family; /* kernels before 3.18 do not say */
	if (!open_nest(body, IPVS_CMD_ATTR_DEST, &nest))
		return false;
	while (nl_attr_next(&nest, &a)) {
		seen_address |= a.type == IPVS_DEST_ATTR_ADDR;
		if (!read_dest_attr(&a, ret, &seen_wide))
			return false;
	}
	trim_address(&ret->o.address);
	return !nest.bad && seen_address;
}

bool ipvs_codec_read_info(struct reader body, uint32_t *ret_version, uint32_t *ret_table_size)
{
	uint32_t version = 0, size = 0;
	struct nl_genl header;
	struct nl_attr a;

	if (!nl_genl_take(&body, &header))
		return false;
	while (nl_attr_next(&body, &a)) {
		if (a.type == IPVS_INFO_ATTR_VERSION && !nl_attr_u32(&a, &version))
			return false;
		if (a.type == IPVS_INFO_ATTR_CONN_TAB_SIZE && !nl_attr_u32(&a, &size))
			return false;
	}
	if (body.bad || !version)
		return false;
	*ret_version = version;
	*ret_table_size = size;
	return true;
}
