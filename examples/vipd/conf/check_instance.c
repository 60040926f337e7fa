/* SPDX-License-Identifier: MIT */
/* A vrrp_instance when all is read: defaults, what excludes each other, and whether the library takes it. */
#include <libha/vrrp.h>

#include "auth.h"
#include "conf/words.h"
#include "model.h"

/* One address may be on several interfaces; but twice on one is a slip of the pen. A peer has the same file, so it stays. */
static void note_double(struct conf_parse *p, const struct conf_address *list, size_t n,
			const struct conf_address *a)
{
	for (size_t i = 0; i < n; i++) {
		const char *one = list[i].dev ? list[i].dev : "", *other = a->dev ? a->dev : "";

		if (ha_ip_compare(&list[i].ip, &a->ip) || list[i].prefix != a->prefix || strcmp(one, other) != 0)
			continue;
		conf_note(p, &a->at, "this address is in line %u, too: adverts name it twice", list[i].at.line);
		return;
	}
}

/* The first advertised address says which family; others of another family are not advertised. */
static void sort_addresses(struct conf_parse *p, struct conf_instance *i)
{
	struct conf_address *sorted = conf_alloc(p->memory, (i->n_addresses + 1) * sizeof(*sorted));
	size_t n = 0;

	for (size_t a = 0; a < i->n_addresses; a++) {
		struct conf_address *at = &i->addresses[a];

		if (!at->advertised)
			continue;
		if (!i->family)
			i->family = at->ip.family;
		if (at->ip.family != i->family) {
			conf_warn(p, &at->at,
				  "an instance advertises addresses of one family: this one is "
				  "taken as virtual_ipaddress_excluded");
			at->advertised = false;
			continue;
		}
		/* More than the library takes are its to refuse. */
		if (n <= HA_VRRP_MAX_ADDRESSES)
			note_double(p, sorted, n, at);
		sorted[n++] = *at;
	}
	i->n_advertised = n;
	for (size_t a = 0; a < i->n_addresses; a++)
		if (!i->addresses[a].advertised)
			sorted[n++] = i->addresses[a];
	i->addresses = sorted;
	i->n_addresses = n;
}

static void complete_version(struct conf_parse *p, struct conf_instance *i)
{
	bool said = i->version != CONF_UNSET;

	conf_default_int(&i->version, p->conf->globals.version, i->family == AF_INET6 ? 3 : 2);
	if (i->version == 2 && i->family == AF_INET6) {
		if (said)
			conf_warn(p, &i->at, "vrrp_instance \"%s\": IPv6 needs version 3: taken",
				  i->name);
		i->version = 3;
	}
	if (i->version == 3 && i->auth_pass) {
		conf_note(p, &i->at,
			  "vrrp_instance \"%s\": version 3 has no authentication: left out",
			  i->name);
		i->auth_pass = NULL;
	}
}

static void complete_advert(struct conf_parse *p, struct conf_instance *i)
{
	int64_t said, unit = i->version == 2 ? 1000 : 10, max = i->version == 2 ? 255000 : 40950;

	conf_default_ms(&i->advert_ms, CONF_UNSET, 1000);
	said = i->advert_ms;
	i->advert_ms = (said + unit / 2) / unit * unit;
	if (i->advert_ms < unit)
		i->advert_ms = unit;
	if (i->advert_ms > max)
		i->advert_ms = max;
	if (i->advert_ms != said)
		conf_warn(p, &i->at, "vrrp_instance \"%s\": advert_int %g is rounded to %g%s",
			  i->name, (double)said / 1000, (double)i->advert_ms / 1000,
			  i->version == 2 ? ", version 2 knows whole seconds: use version 3 for "
					    "less"
					  : ", version 3 knows 0.01 to 40.95");
}

/* Of the globals, which keepalived.data has, too. */
static void complete_global_garp(struct conf_globals *g)
{
	conf_default_ms(&g->garp.delay_ms, CONF_UNSET, g->min_garp ? 0 : 5000);
	conf_default_int(&g->garp.repeat, CONF_UNSET, g->min_garp ? 1 : 5);
	conf_default_ms(&g->garp.refresh_ms, CONF_UNSET, 0);
	conf_default_int(&g->garp.refresh_repeat, CONF_UNSET, !g->min_garp);
	conf_default_ms(&g->garp.lower_delay_ms, CONF_UNSET, g->garp.delay_ms);
	conf_default_int(&g->garp.lower_repeat, CONF_UNSET, g->garp.repeat);
	conf_default_ms(&g->garp.extra_ms, CONF_UNSET, 0);
	conf_default_int(&g->garp.extra_all, CONF_UNSET, 0);
}

static void complete_garp(const struct conf_garp *global, struct conf_garp *own)
{
	conf_default_ms(&own->delay_ms, CONF_UNSET, global->delay_ms);
	conf_default_ms(&own->refresh_ms, CONF_UNSET, global->refresh_ms);
	conf_default_ms(&own->extra_ms, CONF_UNSET, global->extra_ms);
	conf_default_int(&own->extra_all, CONF_UNSET, global->extra_all);
	conf_default_int(&own->repeat, CONF_UNSET, global->repeat);
	conf_default_int(&own->refresh_repeat, CONF_UNSET, global->refresh_repeat);
	conf_default_int(&own->lower_repeat, CONF_UNSET, global->lower_repeat);
	conf_default_ms(&own->lower_delay_ms, CONF_UNSET, global->lower_delay_ms);
}

/* Where the first weight of its trackers stands; NULL: they have none. */
static const struct diag_place *first_weight(const struct conf_instance *i)
{
	for (size_t t = 0; t < i->n_scripts; t++)
		if (i->scripts[t].weight != CONF_NO_WEIGHT)
			return &i->scripts[t].at;
	for (size_t t = 0; t < i->watches.n; t++)
		if (i->watches.at[t].weight)
			return &i->watches.at[t].at;
	for (size_t t = 0; t < i->n_interfaces; t++)
		if (i->interfaces[t].weight != CONF_NO_WEIGHT)
			return &i->at;
	return NULL;
}

/* As in keepalived: a file with weight 1, which is none, counts as one with weight 0, others not at all. */
static void weigh_owner(struct conf_parse *p, struct conf_instance *i, const struct diag_place *at)
{
	size_t n = 0;

	conf_warn(p, at,
		  "vrrp_instance \"%s\": a weight moves nothing with priority 255, and a track_file "
		  "with weight 1 is a fault by any number but 0. Write a lower priority",
		  i->name);
	for (size_t t = 0; t < i->watches.n; t++) {
		struct conf_track_watch w = i->watches.at[t];

		if (w.kind == CONF_WATCH_FILE && w.weight == 1)
			w.weight = 0;
		if (w.kind != CONF_WATCH_FILE || !w.weight)
			i->watches.at[n++] = w;
	}
	i->watches.n = n;
}

static void complete_preempt(struct conf_parse *p, struct conf_instance *i)
{
	const struct diag_place *weighted;

	conf_default_ms(&i->preempt_delay_ms, CONF_UNSET, 0);
	if (i->master && i->auth_ah && i->auth_pass && i->priority != HA_VRRP_PRIORITY_OWNER) {
		conf_warn(p, &i->at,
			  "vrrp_instance \"%s\": with auth_type AH it may not begin as MASTER: BACKUP "
			  "is taken. Write state BACKUP",
			  i->name);
		i->master = false;
	}
	if (i->no_preempt && i->master) {
		conf_warn(p, &i->at,
			  "vrrp_instance \"%s\": nopreempt has no effect with state MASTER: write "
			  "state BACKUP",
			  i->name);
		i->no_preempt = false;
	}
	if (i->master && i->preempt_delay_ms) {
		conf_warn(p, &i->at,
			  "vrrp_instance \"%s\": preempt_delay has no effect with state MASTER: write "
			  "state BACKUP",
			  i->name);
		i->preempt_delay_ms = 0;
	}
	if (i->no_preempt && i->preempt_delay_ms) {
		conf_note(p, &i->at,
			  "vrrp_instance \"%s\": preempt_delay has no meaning with nopreempt",
			  i->name);
		i->preempt_delay_ms = 0;
	}
	weighted = first_weight(i);
	if (weighted && i->priority == HA_VRRP_PRIORITY_OWNER)
		weigh_owner(p, i, weighted);
	else if (weighted && i->no_preempt)
		conf_note(p, weighted,
			  "vrrp_instance \"%s\": a weight moves nothing with nopreempt: the other "
			  "node does not take over from a lower priority. Without a weight a "
			  "failure is a fault, which does",
			  i->name);
}

/* As keepalived has it: what the RFC does not know is taken out, but for unicast. */
static void complete_strict(struct conf_parse *p, struct conf_instance *i)
{
	conf_default_int(&i->strict, p->conf->globals.strict, 0);
	conf_default_int(&i->accept, CONF_UNSET,
			 !i->strict || i->priority == HA_VRRP_PRIORITY_OWNER);
	i->no_accept = !i->accept;
	if (!i->strict)
		return;
	if (i->n_peers)
		conf_note(p, &i->at,
			  "vrrp_instance \"%s\": unicast is not the RFC's, in strict mode neither",
			  i->name);
	if (i->master && i->priority != HA_VRRP_PRIORITY_OWNER) {
		conf_warn(p, &i->at,
			  "vrrp_instance \"%s\": in strict mode state MASTER is the owner's alone, "
			  "which has priority 255: BACKUP is taken. Write state BACKUP",
			  i->name);
		i->master = false;
	}
	if (i->auth_pass) {
		conf_warn(p, &i->at,
			  "vrrp_instance \"%s\": strict mode knows no authentication: left out",
			  i->name);
		i->auth_pass = NULL;
	}
	if (i->preempt_delay_ms > 0) {
		conf_warn(p, &i->at,
			  "vrrp_instance \"%s\": strict mode knows no preempt_delay: left out", i->name);
		i->preempt_delay_ms = 0;
	}
	i->no_reply = i->deaf_owner = true;
	i->garp.lower_repeat = 0;
	i->garp.lower_delay_ms = 0;
	if (i->no_accept)
		conf_note(
		    p, &i->at,
		    "vrrp_instance \"%s\": in strict mode packets to the addresses are dropped, "
		    "pings too: write accept, or leave vrrp_strict out",
		    i->name);
}

static uint8_t family_of_none(const struct conf_instance *i)
{
	if (i->native_ipv6)
		return AF_INET6;
	return i->source.family ? i->source.family : i->n_peers ? i->peers[0].family : AF_INET;
}

/* As in keepalived: version 3 wants to be told. */
static bool may_have_no_address(struct conf_parse *p, const struct conf_instance *i)
{
	if (i->n_advertised || i->no_addresses)
		return true;
	if (i->version == 3 || i->strict == 1 || (i->strict != 0 && p->conf->globals.strict)) {
		conf_warn(p, &i->at,
			  "vrrp_instance \"%s\" has no address to hold: write virtual_ipaddress { "
			  "ADDRESS }, or no_virtual_ipaddress when that is meant. Skipped",
			  i->name);
		return false;
	}
	conf_note(
	    p, &i->at,
	    "vrrp_instance \"%s\" has no address to hold: write no_virtual_ipaddress when that "
	    "is meant",
	    i->name);
	return true;
}

/* Of a list of both families those that the instance can send to. */
static void drop_foreign_peers(struct conf_parse *p, struct conf_instance *i)
{
	size_t n = 0;

	for (size_t k = 0; k < i->n_peers; k++) {
		if (i->peers[k].family == i->family) {
			i->peers[n] = i->peers[k];
			i->peer_ttls[n++] = i->peer_ttls[k];
		}
	}
	if (n && n < i->n_peers) {
		conf_warn(p, &i->at,
			  "vrrp_instance \"%s\": a unicast_peer is of another family than the "
			  "addresses: skipped",
			  i->name);
		i->n_peers = n;
	}
}

/* What the library would refuse the whole instance for, and keepalived passes over; it sends from any IPv6 source. */
static void complete_ends(struct conf_parse *p, struct conf_instance *i)
{
	const struct conf_globals *g = &p->conf->globals;

	if (i->source.family && i->source.family != i->family) {
		conf_warn(p, &i->at,
			  "vrrp_instance \"%s\": its source is of another family than its "
			  "addresses: skipped",
			  i->name);
		i->source = (struct ha_ip){0};
		i->track_source = false;
	}
	if (i->group_address.family &&
	    (i->group_address.family != i->family || !conf_is_multicast(&i->group_address))) {
		conf_warn(p, &i->at,
			  "vrrp_instance \"%s\": mcast_dst_ip is no multicast address of its "
			  "family: skipped",
			  i->name);
		i->group_address = (struct ha_ip){0};
	}
	if (!i->group_address.family)
		i->group_address = i->family == AF_INET ? g->group4 : g->group6;
	if (i->source.family == AF_INET6 && !i->n_peers && !conf_is_link_local(&i->source)) {
		conf_warn(p, &i->at,
			  "vrrp_instance \"%s\": IPv6 adverts to the group leave from a link-local "
			  "address (RFC 9568 section 5.1.2.1): mcast_src_ip is skipped",
			  i->name);
		i->source = (struct ha_ip){0};
		i->track_source = false;
	}
}

static bool has_link_local(const struct conf_instance *i)
{
	bool any = conf_is_link_local(&i->source);

	for (size_t n = 0; n < i->n_peers; n++)
		any |= conf_is_link_local(&i->peers[n]);
	return any;
}

/* Unicast without an interface: routing says where adverts leave, that of a VRF perhaps, which is an interface to a socket. */
static bool complete_by_route(struct conf_parse *p, struct conf_instance *i)
{
	const char *fallback = p->conf->globals.default_interface;

	if (!i->source.family) {
		conf_warn(p, &i->at,
			  "vrrp_instance \"%s\": unicast without an interface needs "
			  "unicast_src_ip ADDRESS, which adverts leave from. Skipped",
			  i->name);
		return false;
	}
	if (has_link_local(i)) {
		conf_warn(p, &i->at,
			  "vrrp_instance \"%s\": link-local peers are on a link: write interface "
			  "NAME. Skipped",
			  i->name);
		return false;
	}
	if (i->vmac || i->vmac_addresses || i->ipvlan)
		conf_warn(
		    p, &i->at,
		    "vrrp_instance \"%s\": use_vmac and use_ipvlan need an interface to be on: "
		    "left out",
		    i->name);
	i->vmac = NULL;
	i->ipvlan = NULL;
	i->vmac_addresses = false;
	i->interface = i->vrf ? i->vrf : CONF_BY_ROUTE;
	i->home = fallback ? fallback : "eth0";
	return true;
}

/* Where adverts leave, and where addresses are. */
static bool complete_place(struct conf_parse *p, struct conf_instance *i)
{
	if (i->vrf && (i->interface || !i->n_peers))
		conf_warn(
		    p, &i->at,
		    "vrrp_instance \"%s\": vrf is for unicast without an interface: left out. An "
		    "interface is in the VRF that it belongs to",
		    i->name);
	if (!i->interface && i->n_peers)
		return complete_by_route(p, i);
	if (!i->interface)
		i->interface = p->conf->globals.default_interface;
	if (!i->interface)
		conf_warn(p, &i->at, "vrrp_instance \"%s\" lacks \"interface NAME\": skipped",
			  i->name);
	i->home = i->interface;
	return i->interface;
}

/* As in keepalived. */
static void complete_priority(struct conf_parse *p, struct conf_instance *i)
{
	if (i->priority == CONF_UNSET && i->master)
		conf_note(p, &i->at,
			  "vrrp_instance \"%s\": state MASTER without a priority is the owner of the "
			  "addresses: 255 is taken. Write priority NUMBER",
			  i->name);
	conf_default_int(&i->priority, CONF_UNSET, i->master ? HA_VRRP_PRIORITY_OWNER : 100);
}

/* Without a weight, whatever a track_interface says of it. */
static void track_device(struct conf_parse *p, struct conf_instance *i, const char *name,
			 const struct diag_place *at)
{
	struct conf_track_interface one = {.name = name, .weight = CONF_NO_WEIGHT, .at = *at};

	if (!name || !*name || !strcmp(name, i->home))
		return;
	if (conf_index_find_name(&p->vmacs, name))
		return; /* ours, which is down while its instance is no MASTER */
	for (size_t t = 0; t < i->n_interfaces; t++) {
		struct conf_track_interface *k = &i->interfaces[t];

		if (strcmp(k->name, name) != 0)
			continue;
		if (k->weight != CONF_NO_WEIGHT)
			conf_note(p, &k->at,
				  "\"%s\" counts without a weight: line %u needs it. Write no_track there",
				  name, at->line);
		one.at = k->at;
		*k = one;
		return;
	}
	i->interfaces = conf_grow(p->memory, i->interfaces, i->n_interfaces, sizeof(one));
	i->interfaces[i->n_interfaces++] = one;
}

/* As in keepalived: the links that its addresses, routes and rules are on, unless they have no_track. */
static void track_devices(struct conf_parse *p, struct conf_instance *i)
{
	for (size_t a = 0; a < i->n_addresses; a++)
		if (!i->addresses[a].no_track)
			track_device(p, i, i->addresses[a].dev, &i->addresses[a].at);
	for (size_t r = 0; r < i->n_routes; r++)
		if (!i->routes[r].no_track)
			track_device(p, i, i->routes[r].dev, &i->routes[r].at);
	for (size_t r = 0; r < i->n_rules; r++) {
		const struct conf_rule *rule = &i->rules[r];

		if (rule->no_track)
			continue;
		track_device(p, i, rule->rule.iif, &rule->at);
		track_device(p, i, rule->rule.oif, &rule->at);
	}
}

static bool complete_instance(struct conf_parse *p, struct conf_instance *i)
{
	const struct conf_globals *g = &p->conf->globals;

	if (!complete_place(p, i))
		return false;
	if (i->vrid == CONF_UNSET) {
		conf_warn(p, &i->at,
			  "vrrp_instance \"%s\" lacks \"virtual_router_id 1..255\": skipped",
			  i->name);
		return false;
	}
	sort_addresses(p, i);
	if (!i->family)
		i->family = family_of_none(i);
	complete_priority(p, i);
	conf_default_int(&i->down_timer_adverts, g->down_timer_adverts, 3);
	complete_version(p, i);
	if (!may_have_no_address(p, i))
		return false;
	complete_advert(p, i);
	complete_garp(&g->garp, &i->garp);
	i->n_interfaces = conf_find_interfaces(p, i->interfaces, i->n_interfaces, i->home);
	i->n_scripts = conf_find_scripts(p, i->scripts, i->n_scripts);
	conf_find_watches(p, &i->watches);
	complete_strict(p, i);
	complete_preempt(p, i);
	conf_default_int(&i->bare_checksum, g->bare_checksum, 0);
	conf_default_int(&i->priority_changes, g->priority_changes, 0);
	i->any_addresses |= g->any_addresses;
	i->no_reply |= g->no_reply;
	i->last_advert |= g->last_advert;
	i->deaf_owner |= g->deaf_owner;
	drop_foreign_peers(p, i);
	complete_ends(p, i);
	return true;
}

/* What tells apart the virtual routers of an interface, a family and an id: the group, or source and peer `n`. */
static const char *place_of(struct conf_parse *p, const struct conf_instance *i, size_t n)
{
	char source[HA_IP_TEXT_SIZE] = "", peer[HA_IP_TEXT_SIZE] = "";

	if (i->source.family && i->n_peers)
		ha_ip_format(&i->source, source, sizeof(source));
	if (i->n_peers)
		ha_ip_format(&i->peers[n], peer, sizeof(peer));
	else if (i->group_address.family)
		ha_ip_format(&i->group_address, peer, sizeof(peer));
	return conf_printf(p->scratch, "%s/%d/%d/%s/%s", i->interface, i->family, i->vrid, source,
			   peer);
}

/* The same virtual router twice on one link would talk to itself. As keepalived: another group or other peers make another one. */
static bool is_double(struct conf_parse *p, struct conf_instance *i)
{
	const char *link = conf_printf(p->scratch, "%s/%d/%d", i->interface, i->family, i->vrid);
	size_t places = i->n_peers ? i->n_peers : 1;
	struct conf_instance *first;
	const struct conf_instance *o = NULL;

	for (size_t n = 0; n < places && !o; n++)
		o = conf_index_find_name(&p->places, place_of(p, i, n));
	if (o) {
		conf_warn(
		    p, &i->at,
		    "vrrp_instance \"%s\" has the interface%s and virtual_router_id of \"%s\" in "
		    "line %u: give it another id. Skipped",
		    i->name, i->n_peers ? ", a unicast_peer" : "", o->name, o->at.line);
		return true;
	}
	for (size_t n = 0; n < places; n++)
		conf_index_add_name(p->scratch, &p->places, place_of(p, i, n), i);
	first = conf_index_add_name(p->scratch, &p->routers, link, i);
	if (first)
		first->shares_vrid = i->shares_vrid = i->is_second = true;
	return false;
}

static bool library_takes(struct conf_parse *p, const struct conf_instance *i)
{
	struct model_vrrp room;
	const char *why;

	model_vrrp(i, &room);
	why = ha_vrrp_check(&room.opts);
	if (room.opts.auth && !auth_is_built())
		why = "auth_type AH needs OpenSSL, and this vipd was built without";
	if (why)
		conf_warn(p, &i->at, "vrrp_instance \"%s\": %s. Skipped", i->name, why);
	return !why;
}

void conf_check_instances(struct conf_parse *p)
{
	struct conf_instance **at = &p->conf->instances;

	complete_global_garp(&p->conf->globals);
	while (*at) {
		struct conf_instance *i = *at;

		i->usable = complete_instance(p, i) && !is_double(p, i) && library_takes(p, i);
		if (i->usable) {
			at = &i->next;
		} else {
			*at = i->next;
			p->conf->n_instances--;
		}
	}
	conf_check_vmacs(p);
	for (struct conf_instance *i = p->conf->instances; i; i = i->next)
		track_devices(p, i);
}
