/* SPDX-License-Identifier: MIT */
/* What destination NAT in nftables can express. */
#include <string.h>

#include "nft/handle.h"
#include "service/model.h"

#define CAPS                                                                          \
	(HA_CAP_NAT | HA_CAP_STATEFUL | HA_CAP_PERSISTENCE | HA_CAP_ATOMIC |          \
	 HA_CAP_DEST_COUNTERS | HA_CAP_FWMARK | HA_CAP_ANY_PORT | HA_CAP_MASQUERADE | \
	 HA_CAP_SLOTS)

uint32_t ha_nft_caps(const struct ha_nft *n)
{
	if (!n)
		return 0;
	return n->has_conntrack && !n->skip_connections ? CAPS | HA_CAP_ACTIVE_CONNS : CAPS;
}

/* Why a scheduler is refused, or NULL. */
static const char *scheduler_fault(const char *name)
{
	static const char *const known[] = {"rr", "wrr", "random", "sh", "dh", "mh", "fo"};
	static const char *const counting[] = {"lc",   "wlc",	"sed", "nq",
					       "lblc", "lblcr", "ovf", "twos"};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (!strcmp(name, known[i]))
			return NULL;
	for (size_t i = 0; i < sizeof(counting) / sizeof(*counting); i++)
		if (!strcmp(name, counting[i]))
			return "this scheduler needs the number of live connections, which "
			       "nftables "
			       "does not know: use rr, wrr, random or sh, or the IPVS backend";
	return "nftables balances with rr, wrr, random, sh, dh, mh or fo: use one of these, or the "
	       "IPVS backend";
}

static const char *service_fault(const struct ha_service_opts *s)
{
	const char *fault = scheduler_fault(s->scheduler);

	if (fault)
		return fault;
	if (s->flags & HA_SERVICE_ONE_PACKET)
		return "one-packet scheduling needs the IPVS backend: here connection tracking "
		       "keeps "
		       "the packets of a flow together";
	if (s->flags & HA_SERVICE_SCHED_3)
		return "no scheduler here knows the third scheduler flag";
	if (!strcmp(s->scheduler, "mh") && !(s->flags & HA_SERVICE_SLOTS))
		return "mh needs the caller's table of slots here (HA_SERVICE_SLOTS): use sh, or "
		       "the IPVS backend";
	/* What sh does without the fallback flag, IPVS alone does: here it always falls back. */
	if (s->flags & (HA_SERVICE_SCHED_PORT | HA_SERVICE_SCHED_FALLBACK) &&
	    strcmp(s->scheduler, "sh") != 0 && strcmp(s->scheduler, "mh") != 0)
		return "the scheduler flags port and fallback belong to sh and mh";
	if (s->flags & HA_SERVICE_SLOTS &&
	    (!strcmp(s->scheduler, "fo") || !strcmp(s->scheduler, "dh")))
		return "a table of slots is drawn from by rr, wrr, random, sh or mh";
	if (s->persistence_engine)
		return "persistence engines need the IPVS backend: here a client is its address";
	return NULL;
}

static const char *dest_fault(const struct ha_service_opts *s, const struct ha_dest_opts *d)
{
	if (d->forward != HA_FORWARD_NAT)
		return "nftables forwards by NAT here: DR is for ha_dsr or the IPVS backend, TUN "
		       "for IPVS";
	if (d->upper_threshold)
		return "connection thresholds need the IPVS backend";
	if (!s->port && d->port)
		return "in a service for every port or a fwmark the destination's port must be 0: "
		       "the "
		       "client's choice stays; another port needs the IPVS backend";
	return NULL;
}

int ha_nft_check(const struct ha_service_opts *s, const struct ha_dest_opts *d,
		 const char **ret_reason)
{
	static const struct service_limits limits = {service_fault, dest_fault};

	return service_check_limits(s, d, &limits, ret_reason);
}
