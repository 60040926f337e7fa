/* SPDX-License-Identifier: MIT */
/* The options of a session: defaults and ranges. */
#include "bfd/object.h"

#include <sys/socket.h>

#include "base/sized.h"

#define DEFAULT_INTERVAL_US 100000 /* one of the common intervals of RFC 7419 */

void bfd_opts_default(struct ha_bfd_opts *o)
{
	if (!o->detect_mult)
		o->detect_mult = 3;
	if (!o->min_ttl && !o->multihop)
		o->min_ttl = 255;
	if (!o->desired_min_tx_us)
		o->desired_min_tx_us = DEFAULT_INTERVAL_US;
	if (!o->required_min_rx_us)
		o->required_min_rx_us = DEFAULT_INTERVAL_US;
	if (!o->idle_tx_us)
		o->idle_tx_us = HA_BFD_SLOW_INTERVAL_US;
}

bool bfd_interval_is_right(uint32_t us)
{
	return us >= HA_BFD_MIN_INTERVAL_US && us <= HA_BFD_MAX_INTERVAL_US;
}

static bool is_unicast(const struct ha_ip *ip)
{
	const struct ha_ip none = {.family = ip->family};

	if (!ha_ip_compare(ip, &none))
		return false;
	return ip->family == AF_INET6 ? ip->bytes[0] != 0xff : ip->bytes[0] < 0xe0;
}

static const char *check_intervals(const struct ha_bfd_opts *o)
{
	if (!bfd_interval_is_right(o->desired_min_tx_us))
		return "desired_min_tx_us: 1000 .. 60000000 microseconds (1 ms .. 60 s)";
	if (!bfd_interval_is_right(o->required_min_rx_us))
		return "required_min_rx_us: 1000 .. 60000000 microseconds (1 ms .. 60 s)";
	if (o->idle_tx_us < HA_BFD_SLOW_INTERVAL_US || o->idle_tx_us > HA_BFD_MAX_INTERVAL_US)
		return "idle_tx_us: 1000000 .. 60000000 microseconds; while not Up a session sends "
		       "at most once a second (RFC 5880 section 6.8.3)";
	return NULL;
}

static const char *check_addresses(const struct ha_bfd_opts *o)
{
	if (o->peer.family != o->family || !is_unicast(&o->peer))
		return "peer: a unicast address of the session's family";
	if (o->local.family && (o->local.family != o->family || !is_unicast(&o->local)))
		return "local: a unicast address of the session's family, or none";
	if (!ha_ip_compare(&o->local, &o->peer))
		return "local: the same as peer; a session is between two systems";
	return NULL;
}

/* Of options with their defaults filled in. */
const char *bfd_opts_check(const struct ha_bfd_opts *o)
{
	const char *wrong;

	if (o->family != AF_INET && o->family != AF_INET6)
		return "family: AF_INET or AF_INET6";
	if (!o->discriminator)
		return "discriminator: not 0, and unique among the sessions of this system (RFC "
		       "5880 "
		       "section 6.8.1); draw it at random";
	if (o->passive && !o->multihop)
		return "passive: over one hop both sides are active (RFC 5881 section 3); leave it "
		       "out";
	if (o->point_to_point && o->multihop)
		return "point_to_point: means one hop; leave it or multihop out";
	if (o->source_port && o->source_port < HA_BFD_SOURCE_PORT_MIN)
		return "source_port: 49152 .. 65535 (RFC 5881 section 4), or 0 for any of them";
	wrong = check_intervals(o);
	return wrong ? wrong : check_addresses(o);
}

const char *ha_bfd_check(const struct ha_bfd_opts *opts)
{
	struct ha_bfd_opts o;
	int r = sized_in(&o, sizeof(o), opts);

	if (r == -E2BIG)
		return "size: these options are of a newer libha than the one that runs";
	if (r < 0)
		return "size: must be sizeof(struct ha_bfd_opts)";
	bfd_opts_default(&o);
	return bfd_opts_check(&o);
}
