/* SPDX-License-Identifier: MIT */
/* Which services make sense at all, whatever the backend. Ranges: linux/ip_vs.h, ipvsadm(8). */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/sized.h"
#include "service/model.h"

static bool name_ok(const char *name)
{
	size_t n = 0;

	for (; n < HA_SERVICE_NAME_SIZE && name[n]; n++) {
		char c = name[n];

		if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-')
			return false;
	}
	return n > 0 && n < HA_SERVICE_NAME_SIZE;
}

static bool is_zero(const struct ha_ip *ip)
{
	static const uint8_t zero[16];

	return !memcmp(ip->bytes, zero, sizeof(zero));
}

static bool family_ok(unsigned int family)
{
	return family == AF_INET || family == AF_INET6;
}

/* What is wrong with the part that names the service, or NULL. */
static const char *key_fault(const struct ha_service_opts *s)
{
	if (s->fwmark) {
		if (s->address.family != AF_UNSPEC && !family_ok(s->address.family))
			return "the family of a fwmark service must be AF_INET or AF_INET6";
		if (s->protocol || s->port || !is_zero(&s->address))
			return "a fwmark service has no address, protocol or port: give one or the "
			       "other";
		return NULL;
	}
	if (!family_ok(s->address.family) || is_zero(&s->address))
		return "the service needs an IPv4 or IPv6 address other than zero, or a fwmark";
	if (s->protocol != IPPROTO_TCP && s->protocol != IPPROTO_UDP && s->protocol != IPPROTO_SCTP)
		return "the protocol must be TCP, UDP or SCTP";
	if (!s->port && !s->persistence_s)
		return "port 0 (every port) needs persistence, which keeps a client's ports "
		       "together";
	return NULL;
}

static const char *service_fault(const struct ha_service_opts *s)
{
	bool udp = s->fwmark || s->protocol == IPPROTO_UDP;
	unsigned int prefix_max = s->address.family == AF_INET6 ? 128 : 32;
	const char *fault = key_fault(s);

	if (fault)
		return fault;
	if (s->scheduler && !name_ok(s->scheduler))
		return "a scheduler's name has 1 to 15 characters of a-z, 0-9, _ and -, like "
		       "\"wrr\"";
	if (s->flags & ~HA_SERVICE_FLAGS)
		return "unknown bits in the service's flags";
	if (s->flags & HA_SERVICE_ONE_PACKET && !udp)
		return "one-packet scheduling is for UDP only";
	if (s->persistence_s > HA_PERSISTENCE_MAX_S)
		return "persistence lasts at most 31 days (2678400 seconds)";
	if (s->persistence_prefix && !s->persistence_s)
		return "a persistence prefix needs a persistence timeout";
	if (s->persistence_prefix > prefix_max)
		return "the persistence prefix is longer than an address (32 bits, IPv6 128)";
	if (s->persistence_engine && !name_ok(s->persistence_engine))
		return "a persistence engine's name has 1 to 15 characters, like \"sip\"";
	if (s->persistence_engine && !s->persistence_s)
		return "a persistence engine needs a persistence timeout";
	return NULL;
}

static const char *tunnel_fault(const struct ha_dest_opts *d)
{
	if (d->forward != HA_FORWARD_TUN) {
		if (d->tunnel != HA_TUNNEL_IPIP || d->tunnel_port || d->tunnel_flags)
			return "tunnel type, port and flags belong to forwarding by tunnel (TUN)";
		return NULL;
	}
	switch (d->tunnel) {
	case HA_TUNNEL_IPIP:
		if (d->tunnel_port || d->tunnel_flags)
			return "an IPIP tunnel has neither port nor flags";
		return NULL;
	case HA_TUNNEL_GUE:
		if (!d->tunnel_port)
			return "a GUE tunnel needs its UDP port";
		if (d->tunnel_flags & ~(HA_TUNNEL_CSUM | HA_TUNNEL_REMCSUM))
			return "unknown bits in the tunnel's flags";
		return NULL;
	case HA_TUNNEL_GRE:
		if (d->tunnel_port)
			return "a GRE tunnel has no port";
		if (d->tunnel_flags & ~HA_TUNNEL_CSUM)
			return "a GRE tunnel knows the checksum flag only";
		return NULL;
	}
	return "the tunnel must be IPIP, GUE or GRE";
}

static const char *dest_fault(const struct ha_service_opts *s, const struct ha_dest_opts *d)
{
	unsigned int family = s->address.family == AF_INET6 ? AF_INET6 : AF_INET;

	if (!family_ok(d->address.family) || is_zero(&d->address))
		return "a destination needs an IPv4 or IPv6 address other than zero";
	if (d->forward != HA_FORWARD_NAT && d->forward != HA_FORWARD_DR &&
	    d->forward != HA_FORWARD_TUN)
		return "forwarding must be NAT, DR or TUN";
	if (d->address.family != family && d->forward != HA_FORWARD_TUN)
		return "only a tunnel (TUN) reaches a destination of the other IP version";
	if (d->weight > HA_WEIGHT_MAX)
		return "a weight is 0 to 2147483647";
	if (d->lower_threshold > d->upper_threshold)
		return "the lower threshold must not be above the upper one";
	return tunnel_fault(d);
}

static int check(const struct ha_service_opts *s, const struct ha_dest_opts *d,
		 const char **ret_reason)
{
	const char *fault = service_fault(s);

	if (!fault && d)
		fault = dest_fault(s, d);
	if (fault && ret_reason)
		*ret_reason = fault;
	return fault ? -EINVAL : 0;
}

int service_check_sized(const struct ha_service_opts *s, const struct ha_dest_opts *d,
			struct ha_service_opts *ret_s, struct ha_dest_opts *ret_d,
			const char **ret_reason)
{
	int r = sized_in(ret_s, sizeof(*ret_s), s);

	if (!r && d)
		r = sized_in(ret_d, sizeof(*ret_d), d);
	if (r < 0) {
		if (ret_reason)
			*ret_reason = r == -E2BIG
					  ? "the options ask for something newer than this libha"
					  : "the options' size is not set";
		return r;
	}
	return check(ret_s, d ? ret_d : NULL, ret_reason);
}

int service_check_limits(const struct ha_service_opts *s, const struct ha_dest_opts *d,
			 const struct service_limits *limits, const char **ret_reason)
{
	struct ha_service_opts own_s;
	struct ha_dest_opts own_d;
	const char *fault;
	int r = service_check_sized(s, d, &own_s, &own_d, ret_reason);

	if (r < 0)
		return r;
	service_normalize(&own_s);
	fault = limits->service(&own_s);
	if (!fault && d && limits->dest)
		fault = limits->dest(&own_s, &own_d);
	if (fault && ret_reason)
		*ret_reason = fault;
	return fault ? -EOPNOTSUPP : 0;
}

int ha_service_check(const struct ha_service_opts *s, const struct ha_dest_opts *d,
		     const char **ret_reason)
{
	struct ha_service_opts own_s;
	struct ha_dest_opts own_d;

	return service_check_sized(s, d, &own_s, &own_d, ret_reason);
}
