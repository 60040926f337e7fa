/* SPDX-License-Identifier: MIT */
/* What a virtual router accepts: RFC 9568 section 7.1, RFC 3768 section 7.1. */
#include "vrrp/auth.h"

#include <string.h>
#include <sys/socket.h>

static bool is_none(const struct ha_ip *ip)
{
	const struct ha_ip none = {.family = ip->family};

	return ip_equal(ip, &none);
}

/* Its place in a list; n: it is not there. */
static size_t place_of(const struct ha_ip *ip, const struct ha_ip *list, size_t n)
{
	size_t i = 0;

	while (i < n && !ip_equal(ip, &list[i]))
		i++;
	return i;
}

static bool is_among(const struct ha_ip *ip, const struct ha_ip *list, size_t n)
{
	return place_of(ip, list, n) < n;
}

static bool takes_ttl(const struct ha_vrrp_opts *o, const struct ha_vrrp_meta *m)
{
	const struct ha_vrrp_ttls *t;

	if (!o->n_peers || !o->peer_ttls)
		return m->ttl >= o->min_ttl;
	t = &o->peer_ttls[place_of(&m->source, o->peers, o->n_peers)];
	return m->ttl >= t->least && (!t->most || m->ttl <= t->most);
}

/* The IP header: who sends, to whom, from how far. */
static enum ha_vrrp_drop check_meta(const struct ha_vrrp *v, const struct ha_vrrp_meta *m)
{
	const struct ha_vrrp_opts *o = &v->opts;

	if (m->source.family != o->family || is_none(&m->source) ||
	    vrrp_ip_is_multicast(&m->source))
		return HA_VRRP_DROP_SOURCE;
	if (ip_equal(&m->source, &o->source))
		return HA_VRRP_DROP_OWN_ADDRESS;
	if (o->n_peers) {
		if (!is_among(&m->source, o->peers, o->n_peers))
			return HA_VRRP_DROP_SOURCE;
		if (m->destination.family != o->family || vrrp_ip_is_multicast(&m->destination))
			return HA_VRRP_DROP_DESTINATION;
	} else {
		if (o->family == AF_INET6 && !vrrp_ip_is_link_local(&m->source))
			return HA_VRRP_DROP_SOURCE;
		if (!ip_equal(&m->destination, &o->group))
			return HA_VRRP_DROP_DESTINATION;
	}
	return takes_ttl(o, m) ? HA_VRRP_DROP_NONE : HA_VRRP_DROP_TTL;
}

static size_t times_in_advert(const struct vrrp_advert *adv, const struct ha_ip *ip)
{
	size_t len = ha_ip_len(ip), n = 0;

	for (size_t i = 0; i < adv->n_addresses; i++)
		n += !memcmp(adv->addresses + i * len, ip->bytes, len);
	return n;
}

static size_t times_in_list(const struct ha_ip *ip, const struct ha_ip *list, size_t n)
{
	size_t times = 0;

	while (n--)
		times += ip_equal(ip, &list[n]);
	return times;
}

/* In any order, each as often as it stands in ours. */
bool vrrp_check_same_addresses(const struct ha_vrrp *v, const struct vrrp_advert *adv)
{
	const struct ha_ip *own = v->opts.addresses;
	size_t n = v->opts.n_addresses, len, same = 0;

	if (adv->n_addresses != n)
		return false;
	len = n ? ha_ip_len(own) : 0;
	while (same < n && !memcmp(adv->addresses + same * len, own[same].bytes, len))
		same++; /* mostly all */
	for (size_t i = same; i < n; i++)
		if (times_in_advert(adv, &own[i]) != times_in_list(&own[i], own, n))
			return false;
	return true;
}

static enum ha_vrrp_drop check_addresses(const struct ha_vrrp *v, const struct vrrp_advert *adv)
{
	const struct ha_vrrp_opts *o = &v->opts;
	struct ha_ip first = {.family = o->family};

	if (o->family == AF_INET6 && !o->any_first_address && adv->n_addresses) { /* erratum 8300 */
		memcpy(first.bytes, adv->addresses, 16);
		if (!vrrp_ip_is_link_local(&first))
			return HA_VRRP_DROP_ADDRESS_LIST;
	}
	if (adv->version == 2 && !o->any_addresses && adv->priority != HA_VRRP_PRIORITY_OWNER &&
	    !vrrp_check_same_addresses(v, adv))
		return HA_VRRP_DROP_ADDRESS_LIST;
	return HA_VRRP_DROP_NONE;
}

static const struct vrrp_wire *wire_of(const struct ha_vrrp *v, const struct vrrp_sealed *sealed)
{
	bool two = v->opts.v2_too && sealed->len && sealed->message[0] >> 4 == 2;

	return two ? &v->wire2 : &v->wire;
}

enum ha_vrrp_drop vrrp_check(const struct ha_vrrp *v, const struct ha_vrrp_meta *m, const void *pkt,
			     size_t len, struct vrrp_heard *ret)
{
	const struct ha_vrrp_opts *o = &v->opts;
	struct vrrp_advert *adv = &ret->advert;
	struct vrrp_sealed sealed;
	enum ha_vrrp_drop drop;

	if (v->state != HA_VRRP_BACKUP && v->state != HA_VRRP_ACTIVE)
		return HA_VRRP_DROP_NOT_RUNNING;
	if (o->deaf_owner && v->priority == HA_VRRP_PRIORITY_OWNER)
		return HA_VRRP_DROP_IGNORED;
	drop = check_meta(v, m);
	if (drop)
		return drop;
	drop = vrrp_auth_open(v, m, pkt, len, &sealed);
	if (!drop)
		drop = vrrp_wire_decode(wire_of(v, &sealed), m, sealed.message, sealed.len, adv);
	if (drop)
		return drop;
	/* Only the owner of an address sends from it. */
	if (adv->priority != HA_VRRP_PRIORITY_OWNER &&
	    is_among(&m->source, o->addresses, o->n_addresses))
		return HA_VRRP_DROP_SOURCE;
	if (o->version == 2 && adv->interval_cs != o->advert_interval_cs)
		return HA_VRRP_DROP_ADVERT_INTERVAL;
	drop = check_addresses(v, adv);
	if (drop)
		return drop;
	if (adv->version != o->version && vrrp_senders_speaks3(v, &m->source))
		return HA_VRRP_DROP_OTHER_VERSION;
	ret->sequence = sealed.sequence;
	return vrrp_auth_verify(v, m, &sealed);
}
