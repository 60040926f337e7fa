/* SPDX-License-Identifier: MIT */
/* The options of a virtual router: defaults and ranges. */
#include "vrrp/object.h"

#include <string.h>
#include <sys/socket.h>

#include "base/sized.h"

static const struct ha_ip group4 = {.family = AF_INET, .bytes = {224, 0, 0, 18}};
static const struct ha_ip group6 = {.family = AF_INET6, .bytes = {0xff, 2, [15] = 0x12}};

void vrrp_opts_default(struct ha_vrrp_opts *o)
{
	uint16_t longest;

	if (!o->version)
		o->version = 3;
	longest = o->version == 2 ? HA_VRRP_MAX_INTERVAL_V2_CS : HA_VRRP_MAX_INTERVAL_CS;
	if (!o->priority)
		o->priority = HA_VRRP_PRIORITY_DEFAULT;
	if (!o->advert_interval_cs)
		o->advert_interval_cs = 100;
	if (!o->learn_min_cs)
		o->learn_min_cs = 1;
	if (!o->learn_max_cs)
		o->learn_max_cs = longest;
	if (!o->down_timer_adverts)
		o->down_timer_adverts = 3;
	if (!o->group.family)
		o->group = o->family == AF_INET6 ? group6 : group4;
	if (!o->min_ttl && !o->n_peers)
		o->min_ttl = 255;
	if (!o->garp_repeat)
		o->garp_repeat = 5;
	if (!o->garp_refresh_repeat)
		o->garp_refresh_repeat = 1;
	if (!o->garp_lower_repeat)
		o->garp_lower_repeat = o->garp_repeat;
	if (!o->auth_window_ns)
		o->auth_window_ns = 60 * VRRP_NS_PER_S;
	if (!o->unicast_ttl)
		o->unicast_ttl = 255;
	if (!o->garp_delay_ns)
		o->garp_delay_ns = 5 * VRRP_NS_PER_S;
}

static const char *check_interval(const struct ha_vrrp_opts *o)
{
	if (o->v2_too && (o->version != 3 || o->family != AF_INET || o->auth))
		return "v2_too: is for version 3 over IPv4 without authentication";
	if (o->v2_too && o->advert_interval_cs % 100)
		return "advert_interval_cs: version 2 (v2_too) counts whole seconds: give 100, 200 "
		       ".. 4000";
	if (o->version == 2 &&
	    (o->advert_interval_cs % 100 || o->advert_interval_cs > HA_VRRP_MAX_INTERVAL_V2_CS))
		return "advert_interval_cs: VRRP version 2 counts whole seconds: give 100, 200 .. "
		       "25500, or use version 3";
	if (o->version == 3 && o->advert_interval_cs > HA_VRRP_MAX_INTERVAL_CS)
		return "advert_interval_cs: VRRP version 3 carries 1 .. 4095 centiseconds (10 ms "
		       ".. "
		       "40.95 s)";
	if (o->learn_min_cs > o->advert_interval_cs || o->learn_max_cs < o->advert_interval_cs)
		return "learn_min_cs, learn_max_cs: the router's own advert_interval_cs must lie "
		       "between them";
	return NULL;
}

static const char *check_addresses(const struct ha_vrrp_opts *o)
{
	size_t most = o->family == AF_INET6 ? HA_VRRP_MAX_ADDRESSES_IPV6 : HA_VRRP_MAX_ADDRESSES;

	if (o->family == AF_INET6 && o->auth == HA_VRRP_AUTH_HMAC)
		most -= 3; /* the room of the trailer */
	if (!o->n_addresses && o->no_addresses)
		return NULL;
	if (!o->n_addresses || !o->addresses)
		return "addresses: an advert names at least one virtual address";
	if (o->n_addresses > most)
		return o->family == AF_INET6 ? "addresses: an IPv6 advert holds at most 77, 74 "
					       "with an HMAC trailer"
					     : "addresses: an IPv4 advert holds at most 255";
	for (size_t i = 0; i < o->n_addresses; i++) {
		const struct ha_ip *a = &o->addresses[i];
		struct ha_ip none = {.family = o->family};

		if (a->family != o->family)
			return "addresses: all must be of the router's family; make a second "
			       "router for the other one";
		if (ip_equal(a, &none) || vrrp_ip_is_multicast(a))
			return "addresses: a virtual address is a unicast address";
	}
	if (o->family == AF_INET6 && !o->any_first_address &&
	    !vrrp_ip_is_link_local(&o->addresses[0]))
		return "addresses: the first of an IPv6 router must be link-local (RFC 9568 "
		       "section 5.2.9); put one in front, or set any_first_address";
	return NULL;
}

static const char *check_peers(const struct ha_vrrp_opts *o)
{
	if (o->n_peers > HA_VRRP_MAX_PEERS || (o->n_peers && !o->peers))
		return "peers: at most 64";
	for (size_t i = 0; i < o->n_peers; i++)
		if (o->peers[i].family != o->family || vrrp_ip_is_multicast(&o->peers[i]))
			return "peers: unicast addresses of the router's family";
	for (size_t i = 0; i < o->n_peers && o->peer_ttls; i++)
		if (o->peer_ttls[i].most && o->peer_ttls[i].most < o->peer_ttls[i].least)
			return "peer_ttls: the most is below the least: nothing would be taken";
	return NULL;
}

static const char *check_link(const struct ha_vrrp_opts *o)
{
	if (o->source.family && o->source.family != o->family)
		return "source: must be of the router's family";
	if (o->source.family == AF_INET6 && !o->n_peers && !vrrp_ip_is_link_local(&o->source))
		return "source: IPv6 adverts to the group leave from a link-local address (RFC "
		       "9568 section 5.1.2.1)";
	if (o->group.family != o->family || !vrrp_ip_is_multicast(&o->group))
		return "group: must be a multicast address of the router's family";
	return NULL;
}

static const char *check_keys(const struct ha_vrrp_opts *o)
{
	if (!o->n_keys || o->n_keys > HA_VRRP_MAX_KEYS || !o->keys)
		return "keys: authentication needs 1 to 8 keys";
	for (size_t i = 0; i < o->n_keys; i++) {
		if (!o->keys[i].secret || !o->keys[i].len || o->keys[i].len > HA_VRRP_MAX_SECRET)
			return "keys: a secret has 1 to 64 bytes";
		for (size_t j = 0; j < i && o->auth == HA_VRRP_AUTH_HMAC; j++)
			if (o->keys[i].id == o->keys[j].id)
				return "keys: each needs an id of its own";
	}
	return NULL;
}

static const char *check_auth(const struct ha_vrrp_opts *o)
{
	if ((unsigned)o->auth > HA_VRRP_AUTH_HMAC)
		return "auth: unknown kind";
	if (o->auth == HA_VRRP_AUTH_AH && o->version != 2)
		return "auth: the Authentication Header is of version 2 (RFC 2338); use an HMAC "
		       "trailer with version 3";
	if (o->auth && o->auth_pass)
		return "auth_pass: leave it out when adverts are authenticated by keys";
	if (o->auth)
		return check_keys(o);
	if (o->n_keys)
		return "keys: say with `auth` what they are for";
	if (!o->auth_pass)
		return NULL;
	if (o->version != 2)
		return "auth_pass: version 3 has no authentication (RFC 9568 section 9); leave it "
		       "out or use version 2";
	if (!*o->auth_pass || strnlen(o->auth_pass, HA_VRRP_AUTH_SIZE + 1) > HA_VRRP_AUTH_SIZE)
		return "auth_pass: 1 to 8 bytes";
	return NULL;
}

/* Of options with their defaults filled in. */
const char *vrrp_opts_check(const struct ha_vrrp_opts *o)
{
	const char *wrong;

	if (!o->vrid)
		return "vrid: 1 .. 255";
	if (o->family != AF_INET && o->family != AF_INET6)
		return "family: AF_INET or AF_INET6";
	if (o->version != 2 && o->version != 3)
		return "version: 2 or 3";
	if (o->version == 2 && o->family != AF_INET)
		return "version: IPv6 needs version 3";
	if (o->down_timer_adverts > 100)
		return "down_timer_adverts: 1 .. 100";
	if (o->rival_priority == HA_VRRP_PRIORITY_OWNER)
		return "rival_priority: 1 .. 254; an owner takes the addresses back anyhow";
	if ((unsigned)o->checksum >= HA_VRRP_N_CHECKSUMS)
		return "checksum: unknown form";
	wrong = check_interval(o);
	if (!wrong)
		wrong = check_peers(o);
	if (!wrong)
		wrong = check_link(o);
	if (!wrong)
		wrong = check_auth(o);
	return wrong ? wrong : check_addresses(o);
}

const char *ha_vrrp_check(const struct ha_vrrp_opts *opts)
{
	struct ha_vrrp_opts o;
	int r = sized_in(&o, sizeof(o), opts);

	if (r == -E2BIG)
		return "size: these options are of a newer libha than the one that runs";
	if (r < 0)
		return "size: must be sizeof(struct ha_vrrp_opts)";
	vrrp_opts_default(&o);
	return vrrp_opts_check(&o);
}
