/* SPDX-License-Identifier: MIT */
/* What IPVS can express. */
#include <libha/ipvs.h>

#include "service/model.h"

/* Facts: linux/ip_vs.h, net/netfilter/ipvs of Linux 6.1. */
#define CAPS                                                                                       \
	(HA_CAP_NAT | HA_CAP_DR | HA_CAP_TUN_IPIP | HA_CAP_TUN_GUE | HA_CAP_TUN_GRE |              \
	 HA_CAP_STATEFUL | HA_CAP_PERSISTENCE | HA_CAP_LEAST_CONNS | HA_CAP_CONSISTENT_HASH |      \
	 HA_CAP_CONN_SYNC | HA_CAP_DEST_COUNTERS | HA_CAP_TRAFFIC_COUNTERS | HA_CAP_ACTIVE_CONNS | \
	 HA_CAP_FWMARK | HA_CAP_ANY_PORT | HA_CAP_ONE_PACKET | HA_CAP_THRESHOLDS |                 \
	 HA_CAP_MIXED_FAMILY)

uint32_t ha_ipvs_caps(const struct ha_ipvs *v)
{
	return v ? CAPS : 0;
}

static const char *service_fault(const struct ha_service_opts *s)
{
	if (s->flags & HA_SERVICE_SLOTS)
		return "IPVS fills its own table (mh): a table of slots needs the nftables backend";
	if (s->flags & HA_SERVICE_MASQUERADE)
		return "IPVS keeps the client's address: masquerading needs the nftables backend";
	return NULL;
}

int ha_ipvs_check(const struct ha_service_opts *s, const struct ha_dest_opts *d,
		  const char **ret_reason)
{
	static const struct service_limits limits = {service_fault, NULL};

	return service_check_limits(s, d, &limits, ret_reason);
}
