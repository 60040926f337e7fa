/* SPDX-License-Identifier: MIT */
/* What a session accepts: RFC 5880 section 6.8.6, RFC 5881 sections 3, 5, 6, RFC 5883 section 3. */
#include "bfd/object.h"

/*
 * Before the neighbour has learned our discriminator the addresses tell whose packet it is; on a
 * link of two systems not even these do. Afterwards the discriminator alone counts (RFC 5880
 * section 6.3).
 */
static bool addresses_fit(const struct ha_bfd_opts *o, const struct ha_bfd_meta *m)
{
	if (m->source.family != o->family)
		return false;
	if (o->point_to_point)
		return true;
	if (ha_ip_compare(&m->source, &o->peer))
		return false;
	return !o->multihop || !o->local.family || !m->destination.family ||
	       !ha_ip_compare(&m->destination, &o->local);
}

enum ha_bfd_drop bfd_check(const struct ha_bfd *s, const struct ha_bfd_meta *m, const void *pkt,
			   size_t len, struct bfd_packet *ret)
{
	const struct ha_bfd_opts *o = &s->opts;
	enum ha_bfd_drop drop;

	if (!s->running)
		return HA_BFD_DROP_NOT_RUNNING;
	if (m->ttl < o->min_ttl)
		return HA_BFD_DROP_TTL;
	drop = bfd_wire_decode(pkt, len, ret);
	if (drop)
		return drop;
	if (ret->your_discriminator) {
		if (ret->your_discriminator != o->discriminator)
			return HA_BFD_DROP_YOUR_DISCRIMINATOR;
	} else {
		if (ret->state != HA_BFD_DOWN && ret->state != HA_BFD_ADMIN_DOWN)
			return HA_BFD_DROP_STATE;
		if (!addresses_fit(o, m))
			return HA_BFD_DROP_ADDRESS;
	}
	return ret->flags & BFD_AUTH ? HA_BFD_DROP_AUTH : HA_BFD_DROP_NONE;
}
