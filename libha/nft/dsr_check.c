/* SPDX-License-Identifier: MIT */
/* What direct server return without a memory can express. */
#include <string.h>

#include <libha/dsr.h>

#include "service/model.h"

static const char *service_fault(const struct ha_service_opts *s)
{
	bool mh = !strcmp(s->scheduler, "mh");

	if (s->fwmark)
		return "packets get their firewall marks after they are sent on here: name an "
		       "address";
	if (strcmp(s->scheduler, "sh") != 0 && !mh)
		return "without a memory a client finds its server by a hash only: use sh, or mh "
		       "with "
		       "HA_SERVICE_SLOTS";
	if (mh && !(s->flags & HA_SERVICE_SLOTS))
		return "mh needs the caller's table of slots here (HA_SERVICE_SLOTS): use sh";
	if (s->flags & (HA_SERVICE_ONE_PACKET | HA_SERVICE_SCHED_3 | HA_SERVICE_MASQUERADE))
		return "one-packet scheduling, the third scheduler flag and masquerading do not go "
		       "with "
		       "direct server return by nftables";
	if (s->persistence_engine)
		return "persistence engines need the IPVS backend: here a client is its address";
	if (s->persistence_s && (s->port || s->flags & HA_SERVICE_SCHED_PORT ||
				 s->persistence_prefix < ha_ip_len(&s->address) * 8))
		return "nothing is remembered: sh without the port flag keeps a client with its "
		       "server, "
		       "and persistence is for services of every port, with whole addresses";
	return NULL;
}

static const char *dest_fault(const struct ha_service_opts *s, const struct ha_dest_opts *d)
{
	if (d->forward != HA_FORWARD_DR)
		return "only DR is direct server return: NAT is for ha_nft, TUN for the IPVS "
		       "backend";
	if (d->upper_threshold)
		return "connection thresholds need the IPVS backend";
	if (d->port && d->port != s->port)
		return "the packet is sent on as it is: the destination's port must be the "
		       "service's";
	return NULL;
}

int ha_dsr_check(const struct ha_service_opts *s, const struct ha_dest_opts *d,
		 const char **ret_reason)
{
	static const struct service_limits limits = {service_fault, dest_fault};

	return service_check_limits(s, d, &limits, ret_reason);
}
