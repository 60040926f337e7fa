/* SPDX-License-Identifier: MIT */
/*
 * What can only be judged when all is read: defaults, inheritance, names that point elsewhere, and
 * whether the libraries would take it. What cannot run is taken out of the model, said once.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include <libha/service.h>
#include <libha/vrrp.h>

#include "auth.h"
#include "conf_words.h"
#include "model.h"

#define UNCHECKED_NAMED 3 /* real servers without a check; the others are counted */

static void default_int(int *v, int first, int second)
{
	if (*v == CONF_UNSET)
		*v = first != CONF_UNSET ? first : second;
}

static void default_ms(int64_t *v, int64_t first, int64_t second)
{
	if (*v == CONF_UNSET)
		*v = first != CONF_UNSET ? first : second;
}

/* ---- Instances ---- */

static bool has_address(const struct conf_address *a, size_t n, const struct ha_ip *ip)
{
	while (n--)
		if (!ha_ip_compare(&a[n].ip, ip))
			return true;
	return false;
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
		if (n <= HA_VRRP_MAX_ADDRESSES && has_address(sorted, n, &at->ip))
			conf_warn(p, &at->at, "this address is there already: skipped");
		else
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

	default_int(&i->version, p->conf->globals.version, i->family == AF_INET6 ? 3 : 2);
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

	default_ms(&i->advert_ms, CONF_UNSET, 1000);
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

static void complete_garp(const struct conf_garp *global, struct conf_garp *own)
{
	default_ms(&own->delay_ms, global->delay_ms, 5000);
	default_ms(&own->refresh_ms, global->refresh_ms, 0);
	default_int(&own->repeat, global->repeat, 5);
	default_int(&own->refresh_repeat, global->refresh_repeat, 1);
	default_int(&own->lower_repeat, global->lower_repeat, own->repeat);
}

static bool is_behind(const struct diag_place *a, const struct diag_place *b)
{
	return a->file == b->file && a->line > b->line;
}

/* Trackers that name no vrrp_script are left out. */
static size_t find_scripts(struct conf_parse *p, struct conf_track_script *list, size_t count)
{
	size_t n = 0;

	for (size_t t = 0; t < count; t++) {
		struct conf_track_script track = list[t];

		track.script = conf_index_find_name(&p->scripts, track.name);
		if (!track.script) {
			conf_warn(p, &track.at, "there is no vrrp_script \"%s\": not tracked",
				  track.name);
			continue;
		}
		if (is_behind(&track.script->at, &track.at))
			conf_warn(
			    p, &track.at,
			    "vrrp_script \"%s\" is written further down, where keepalived does not "
			    "find it: move it up. Here it is tracked",
			    track.name);
		if (track.weight == INT32_MAX) {
			track.weight = track.script->weight;
			track.reverse = track.script->reverse;
		}
		list[n++] = track;
	}
	return n;
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

static void complete_preempt(struct conf_parse *p, struct conf_instance *i)
{
	const struct diag_place *weighted;

	default_ms(&i->preempt_delay_ms, CONF_UNSET, 0);
	if (i->no_preempt && i->master) {
		conf_warn(p, &i->at,
			  "vrrp_instance \"%s\": nopreempt has no effect with state MASTER: write "
			  "state BACKUP",
			  i->name);
		i->no_preempt = false;
	}
	weighted = first_weight(i);
	if (weighted && i->priority == HA_VRRP_PRIORITY_OWNER)
		conf_note(
		    p, weighted,
		    "vrrp_instance \"%s\": a weight moves nothing with priority 255: an owner is "
		    "always MASTER. Write a lower priority",
		    i->name);
	else if (weighted && i->no_preempt)
		conf_note(p, weighted,
			  "vrrp_instance \"%s\": a weight moves nothing with nopreempt: the other "
			  "node does not take over from a lower priority. Without a weight a "
			  "failure is a fault, which does",
			  i->name);
}

/* As keepalived has it: what the RFC does not know is taken out, or keeps the instance from running. */
static bool complete_strict(struct conf_parse *p, struct conf_instance *i)
{
	default_int(&i->strict, p->conf->globals.strict, 0);
	default_int(&i->accept, CONF_UNSET, !i->strict || i->priority == HA_VRRP_PRIORITY_OWNER);
	i->no_accept = !i->accept;
	if (!i->strict)
		return true;
	if (i->n_peers) {
		conf_warn(
		    p, &i->at,
		    "vrrp_instance \"%s\": strict mode knows no unicast: leave vrrp_strict or "
		    "unicast_peer out. Skipped",
		    i->name);
		return false;
	}
	if (i->master && i->priority != HA_VRRP_PRIORITY_OWNER) {
		conf_warn(p, &i->at,
			  "vrrp_instance \"%s\": in strict mode state MASTER is the owner of the "
			  "addresses: priority 255 is taken. Write state BACKUP",
			  i->name);
		i->priority = HA_VRRP_PRIORITY_OWNER;
		i->no_accept = false;
	}
	if (i->auth_pass) {
		conf_warn(p, &i->at,
			  "vrrp_instance \"%s\": strict mode knows no authentication: left out",
			  i->name);
		i->auth_pass = NULL;
	}
	i->no_reply = true;
	if (i->no_accept)
		conf_note(
		    p, &i->at,
		    "vrrp_instance \"%s\": in strict mode packets to the addresses are dropped, "
		    "pings too: write accept, or leave vrrp_strict out",
		    i->name);
	return true;
}

static bool complete_instance(struct conf_parse *p, struct conf_instance *i)
{
	const struct conf_globals *g = &p->conf->globals;

	if (!i->interface)
		i->interface = g->default_interface;
	if (!i->interface) {
		conf_warn(p, &i->at, "vrrp_instance \"%s\" lacks \"interface NAME\": skipped",
			  i->name);
		return false;
	}
	if (i->vrid == CONF_UNSET) {
		conf_warn(p, &i->at,
			  "vrrp_instance \"%s\" lacks \"virtual_router_id 1..255\": skipped",
			  i->name);
		return false;
	}
	sort_addresses(p, i);
	if (!i->n_advertised) {
		conf_warn(p, &i->at,
			  "vrrp_instance \"%s\" has no address to hold: write virtual_ipaddress { "
			  "ADDRESS }. Skipped",
			  i->name);
		return false;
	}
	default_int(&i->priority, CONF_UNSET, 100);
	default_int(&i->down_timer_adverts, g->down_timer_adverts, 3);
	complete_version(p, i);
	complete_advert(p, i);
	complete_garp(&g->garp, &i->garp);
	i->n_scripts = find_scripts(p, i->scripts, i->n_scripts);
	conf_find_watches(p, &i->watches);
	if (!complete_strict(p, i))
		return false;
	complete_preempt(p, i);
	default_int(&i->bare_checksum, g->bare_checksum, 0);
	i->any_addresses |= g->any_addresses;
	i->no_reply |= g->no_reply;
	i->last_advert |= g->last_advert;
	if (!i->group_address.family)
		i->group_address = i->family == AF_INET ? g->group4 : g->group6;
	return true;
}

/* The same virtual router twice on one link would talk to itself. */
static bool is_double(struct conf_parse *p, struct conf_instance *i)
{
	const struct conf_instance *o = conf_index_add_name(
	    p->scratch, &p->routers,
	    conf_printf(p->scratch, "%s/%d/%d", i->interface, i->family, i->vrid), i);

	if (o)
		conf_warn(
		    p, &i->at,
		    "vrrp_instance \"%s\" has the interface and virtual_router_id of \"%s\" in "
		    "line %u: give it another id. Skipped",
		    i->name, o->name, o->at.line);
	return o;
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

/* keepalived's names: vrrp.51, for IPv6 then vrrp6.51, and a number where one id is on two links. */
static void name_vmac(struct conf_parse *p, struct conf_instance *i)
{
	const char *prefix = p->conf->globals.vmac_prefix;
	const char *name;

	if (!prefix)
		prefix = "vrrp";
	name = conf_printf(p->memory, "%s.%d", prefix, i->vrid);
	if (conf_index_find_name(&p->vmacs, name) && i->family == AF_INET6)
		name = conf_printf(p->memory, "%s6.%d", prefix, i->vrid);
	for (int n = 7; conf_index_find_name(&p->vmacs, name) && n < 7 + CONF_INSTANCES_MAX; n++)
		name = conf_printf(p->memory, "%s%d.%d", prefix, n, i->vrid);
	i->vmac_name = name;
}

/* Names that were written are taken before names are made up. */
static void take_vmac_name(struct conf_parse *p, struct conf_instance *i)
{
	if (!i->vmac || !i->vmac_name)
		return;
	if (conf_index_add_name(p->scratch, &p->vmacs, i->vmac_name, i)) {
		conf_warn(p, &i->at,
			  "vrrp_instance \"%s\": another instance has use_vmac %s already: the "
			  "default name is taken",
			  i->name, i->vmac_name);
		i->vmac_name = NULL;
	}
}

static void complete_vmac(struct conf_parse *p, struct conf_instance *i)
{
	if (!i->vmac)
		return;
	if (!i->vmac_name) {
		name_vmac(p, i);
		conf_index_add_name(p->scratch, &p->vmacs, i->vmac_name, i);
	}
	if (i->n_peers && !i->vmac_xmit_base)
		conf_note(p, &i->at,
			  "vrrp_instance \"%s\": unicast adverts leave from the interface's own "
			  "MAC address, as with vmac_xmit_base",
			  i->name);
}

static void check_instances(struct conf_parse *p)
{
	struct conf_instance **at = &p->conf->instances;

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
	for (struct conf_instance *i = p->conf->instances; i; i = i->next)
		take_vmac_name(p, i);
	for (struct conf_instance *i = p->conf->instances; i; i = i->next)
		complete_vmac(p, i);
}

/* ---- Groups and scripts ---- */

static struct conf_instance *find_instance(struct conf_parse *p, const char *name)
{
	struct conf_instance *i = conf_index_find_name(&p->instances, name);

	return i && i->usable ? i : NULL;
}

/*
 * In a group all must have the same priority on the node that shall win: weights of one member move
 * nothing, its failures are faults, as in keepalived.
 */
static void drop_weights(struct conf_parse *p, const struct conf_group *g, struct conf_instance *i)
{
	bool any = false;

	for (size_t t = 0; t < i->n_scripts; t++) {
		any |= i->scripts[t].weight != CONF_NO_WEIGHT;
		i->scripts[t].weight = CONF_NO_WEIGHT;
	}
	for (size_t t = 0; t < i->watches.n; t++) {
		any |= i->watches.at[t].weight != 0;
		i->watches.at[t].weight = 0;
	}
	for (size_t t = 0; t < i->n_interfaces; t++) {
		any |= i->interfaces[t].weight != CONF_NO_WEIGHT;
		i->interfaces[t].weight = CONF_NO_WEIGHT;
	}
	if (any)
		conf_note(
		    p, &i->at,
		    "vrrp_instance \"%s\": in vrrp_sync_group \"%s\" its weights count as 0, a "
		    "failure is a fault: track in the group, or write sync_group_tracking_weight",
		    i->name, g->name);
}

/* What the group tracks, each member does. */
static void add_trackers(struct conf_parse *p, const struct conf_group *g, struct conf_instance *i)
{
	if (!g->tracking_weight)
		drop_weights(p, g, i);
	for (size_t t = 0; t < g->n_scripts; t++) {
		i->scripts = conf_grow(p->memory, i->scripts, i->n_scripts, sizeof(*i->scripts));
		i->scripts[i->n_scripts++] = g->scripts[t];
	}
	for (size_t t = 0; t < g->watches.n; t++) {
		i->watches.at =
		    conf_grow(p->memory, i->watches.at, i->watches.n, sizeof(*i->watches.at));
		i->watches.at[i->watches.n++] = g->watches.at[t];
	}
	for (size_t t = 0; t < g->n_interfaces; t++) {
		i->interfaces =
		    conf_grow(p->memory, i->interfaces, i->n_interfaces, sizeof(*i->interfaces));
		i->interfaces[i->n_interfaces++] = g->interfaces[t];
	}
}

static void check_group(struct conf_parse *p, struct conf_group *g)
{
	size_t n = 0;

	g->n_scripts = find_scripts(p, g->scripts, g->n_scripts);
	conf_find_watches(p, &g->watches);
	for (size_t m = 0; m < g->n_members; m++) {
		struct conf_instance *i = find_instance(p, g->members[m]);

		if (!i) {
			conf_warn(p, &g->member_at[m],
				  "there is no vrrp_instance \"%s\" that could be in the group",
				  g->members[m]);
		} else if (i->group) {
			conf_warn(p, &g->member_at[m],
				  "vrrp_instance \"%s\" is in group \"%s\" "
				  "already",
				  i->name, i->group->name);
		} else {
			i->group = g;
			add_trackers(p, g, i);
			n++;
		}
	}
	if (n == 1)
		conf_note(p, &g->at,
			  "vrrp_sync_group \"%s\" has one member: a group ties several instances "
			  "of this node together",
			  g->name);
}

static void check_scripts(struct conf_parse *p)
{
	for (struct conf_vrrp_script *s = p->conf->scripts; s; s = s->next) {
		if (!s->script.argv)
			conf_warn(
			    p, &s->at,
			    "vrrp_script \"%s\" lacks \"script COMMAND\": it counts as failed",
			    s->name);
		default_ms(&s->interval_ms, CONF_UNSET, 1000);
		default_ms(&s->timeout_ms, CONF_UNSET, s->interval_ms);
	}
}

/* ---- Services ---- */

static void inherit(struct conf_check_common *own, const struct conf_check_common *from)
{
	default_ms(&own->delay_loop_ms, from->delay_loop_ms, CONF_UNSET);
	default_ms(&own->connect_timeout_ms, from->connect_timeout_ms, CONF_UNSET);
	default_ms(&own->delay_before_retry_ms, from->delay_before_retry_ms, CONF_UNSET);
	default_ms(&own->warmup_ms, from->warmup_ms, CONF_UNSET);
	default_int(&own->retry, from->retry, CONF_UNSET);
	default_int(&own->alpha, from->alpha, CONF_UNSET);
}

static void complete_common(struct conf_check_common *c)
{
	default_ms(&c->delay_loop_ms, CONF_UNSET, 60000);
	default_ms(&c->connect_timeout_ms, CONF_UNSET, 5000);
	default_ms(&c->delay_before_retry_ms, CONF_UNSET, 1000);
	default_ms(&c->warmup_ms, CONF_UNSET, c->delay_loop_ms);
	default_int(&c->retry, CONF_UNSET, 1);
	default_int(&c->alpha, CONF_UNSET, 0);
}

/* keepalived's defaults of one kind of check. */
static void complete_kind(struct conf_check *c)
{
	if (c->kind == CONF_CHECK_HTTP)
		default_ms(&c->common.delay_before_retry_ms, CONF_UNSET, 3000);
	if (c->kind == CONF_CHECK_MISC)
		default_int(&c->common.retry, CONF_UNSET, 0);
	if (c->kind != CONF_CHECK_DNS)
		return;
	default_int(&c->common.retry, CONF_UNSET, 3);
	default_ms(&c->common.delay_loop_ms, CONF_UNSET, 60000);
	default_ms(&c->common.delay_before_retry_ms, CONF_UNSET, c->common.delay_loop_ms);
}

/* A script beside those of vrrp_script, with a check's times. */
static void complete_misc(struct conf_parse *p, const struct conf_virtual *v,
			  const struct conf_real *r, struct conf_check *c, unsigned place)
{
	struct conf_vrrp_script *s = c->misc;
	char ip[HA_IP_TEXT_SIZE] = "";

	ha_ip_format(&r->ip, ip, sizeof(ip));
	s->name =
	    conf_printf(p->memory, "MISC_CHECK %u of %s %u of %s", place, ip, r->port, v->name);
	s->interval_ms = c->common.delay_loop_ms;
	s->spread_ms = c->common.warmup_ms;
	default_ms(&s->timeout_ms, CONF_UNSET, s->interval_ms);
	s->rise = 1;
	s->fall = c->common.retry + 1;
	s->retry_ms = c->common.delay_before_retry_ms;
	s->log_failures = c->log_all_failures == 1;
	if (!s->script.argv)
		conf_warn(p, &c->at, "MISC_CHECK lacks \"misc_path COMMAND\": it counts as failed");
}

/* A FILE_CHECK or BFD_CHECK of something that there is. */
static bool finds_its_watch(struct conf_parse *p, struct conf_check *c)
{
	struct conf_tracks one = {c->track, 1};

	if (c->kind != CONF_CHECK_FILE && c->kind != CONF_CHECK_BFD)
		return true;
	conf_find_watches(p, &one);
	if (one.n && c->kind == CONF_CHECK_BFD)
		c->track->watch->bfd.checked = true;
	return one.n;
}

static void drop_lost_checks(struct conf_parse *p, struct conf_real *r)
{
	struct conf_check **at = &r->checks;

	while (*at) {
		if (finds_its_watch(p, *at))
			at = &(*at)->next;
		else
			*at = (*at)->next;
	}
}

static void complete_real(struct conf_parse *p, const struct conf_virtual *v, struct conf_real *r)
{
	unsigned place = 0;

	default_int(&r->weight, CONF_UNSET, v->weight);
	default_int(&r->inhibit, v->inhibit, 0);
	if (r->forward.method == CONF_UNSET)
		r->forward = v->forward;
	default_int(&r->forward.method, CONF_UNSET, HA_FORWARD_NAT);
	inherit(&r->common, &v->common);
	if (!r->host)
		r->host = v->host;
	drop_lost_checks(p, r);
	for (struct conf_check *c = r->checks; c; c = c->next) {
		inherit(&c->common, &r->common);
		default_int(&c->log_all_failures, CONF_UNSET, p->conf->globals.log_all_failures);
		complete_kind(c);
		complete_common(&c->common);
		if (c->misc)
			complete_misc(p, v, r, c, place);
		place++;
	}
	complete_common(&r->common);
}

static bool find_group(struct conf_parse *p, struct conf_virtual *v)
{
	const struct conf_virtual_group *g;

	if (!v->group_name)
		return true;
	g = conf_index_find_name(&p->virtual_groups, v->group_name);
	if (!g) {
		conf_warn(p, &v->at, "there is no virtual_server_group \"%s\": skipped",
			  v->group_name);
		return false;
	}
	v->listen = g->listen;
	v->n_listen = g->n_listen;
	if (!g->n_listen)
		conf_warn(p, &v->at, "virtual_server_group \"%s\" is empty: skipped", g->name);
	return g->n_listen;
}

/* ip_family says what a mark of its own does not; the lines of a group say it themselves. */
static void complete_family(struct conf_virtual *v)
{
	if (v->family && !v->group_name && v->n_listen && v->listen[0].fwmark)
		v->listen[0].ip.family = v->family;
}

/* What is not said is said, as keepalived does: it is seldom what was meant. */
static void complete_forwarding(struct conf_parse *p, struct conf_virtual *v)
{
	bool all = true;

	for (const struct conf_real *r = v->reals; r; r = r->next)
		all &= r->forward.method != CONF_UNSET;
	if (!v->scheduler)
		conf_warn(p, &v->at, "virtual_server %s has no lb_algo: wlc is taken", v->name);
	if (v->forward.method == CONF_UNSET && !all)
		conf_warn(p, &v->at, "virtual_server %s has no lb_kind: NAT is taken", v->name);
}

static void complete_protocol(struct conf_parse *p, struct conf_virtual *v)
{
	bool needs = false;

	for (size_t i = 0; i < v->n_listen; i++)
		needs |= !v->listen[i].fwmark;
	if (!v->group_name && !needs && v->protocol != CONF_UNSET)
		conf_warn(
		    p, &v->at,
		    "virtual_server %s: a firewall mark has no protocol: the line has no effect",
		    v->name);
	if (needs && v->protocol == CONF_UNSET)
		conf_warn(p, &v->at,
			  "virtual_server %s has no protocol: UDP is taken, as keepalived does. "
			  "Write protocol TCP, UDP or SCTP",
			  v->name);
	default_int(&v->protocol, CONF_UNSET, IPPROTO_UDP);
}

/* DR sends the packet as it is. */
static void check_ports(struct conf_parse *p, const struct conf_virtual *v,
			const struct conf_real *r)
{
	for (size_t i = 0; i < v->n_listen; i++) {
		const struct conf_listen *l = &v->listen[i];

		if (l->fwmark && r->port) {
			conf_warn(
			    p, &r->at,
			    "port %u is not used with fwmark %u: the server gets the port that the "
			    "client chose",
			    r->port, l->fwmark);
			return;
		}
		if (r->forward.method != HA_FORWARD_NAT && !l->fwmark && l->port && r->port &&
		    l->port != r->port) {
			conf_warn(p, &r->at,
				  "port %u is not used: only NAT translates ports, the server gets "
				  "port %u",
				  r->port, l->port);
			return;
		}
	}
}

/* Whether the library has a name for it at all; a backend may still refuse it. */
static bool service_makes_sense(struct conf_parse *p, struct conf_virtual *v)
{
	struct ha_service_opts s;
	struct ha_dest_opts d;
	const char *why;

	for (size_t i = 0; i < v->n_listen; i++) {
		model_service(v, &v->listen[i], &s);
		if (ha_service_check(&s, NULL, &why) < 0) {
			conf_warn(p, &v->listen[i].at, "virtual_server %s: %s. Skipped", v->name,
				  why);
			return false;
		}
	}
	for (struct conf_real **at = &v->reals; *at && v->n_listen;) {
		model_service(v, &v->listen[0], &s);
		model_dest(*at, (*at)->weight, &d);
		if (ha_service_check(&s, &d, &why) < 0) {
			conf_warn(p, &(*at)->at, "this real_server of %s: %s. Skipped", v->name,
				  why);
			*at = (*at)->next;
			v->n_reals--;
		} else {
			at = &(*at)->next;
		}
	}
	return true;
}

/* Each address, port and protocol belongs to one virtual server. */
static bool is_double_service(struct conf_parse *p, const struct conf_virtual *v)
{
	struct ha_service_opts o;
	int r = 0;

	for (size_t i = 0; i < v->n_listen && r >= 0; i++) {
		model_service(v, &v->listen[i], &o);
		r = ha_service_add(p->services, &o, NULL);
	}
	if (r == -EEXIST)
		conf_warn(p, &v->at,
			  "virtual_server %s has an address, port and protocol that another one "
			  "has already: skipped",
			  v->name);
	else if (r < 0)
		conf_warn(p, &v->at, "virtual_server %s: %s: skipped", v->name, strerror(-r));
	return r < 0;
}

/* There must be an address to wait for. */
static void check_suspend(struct conf_parse *p, struct conf_virtual *v)
{
	bool any = false;

	for (size_t i = 0; i < v->n_listen; i++)
		any |= !v->listen[i].fwmark;
	if (!v->ha_suspend || any)
		return;
	conf_warn(p, &v->at, "virtual_server %s has no address: ha_suspend has no effect", v->name);
	v->ha_suspend = false;
}

static bool complete_virtual(struct conf_parse *p, struct conf_virtual *v)
{
	if (!find_group(p, v))
		return false;
	default_int(&v->sorry_inhibit, v->inhibit, 0);
	check_suspend(p, v);
	complete_family(v);
	complete_protocol(p, v);
	complete_forwarding(p, v);
	for (struct conf_real *r = v->reals; r; r = r->next) {
		complete_real(p, v, r);
		check_ports(p, v, r);
	}
	if (v->sorry) {
		v->sorry->forward = v->sorry_forward;
		complete_real(p, v, v->sorry);
	}
	if (!v->n_reals && !v->sorry)
		conf_warn(p, &v->at, "virtual_server %s has no real_server", v->name);
	return service_makes_sense(p, v) && !is_double_service(p, v);
}

static void note_unchecked_one(struct conf_parse *p, const struct conf_real *r)
{
	conf_note(p, &r->at, "this real_server has no check: it is always taken as alive");
}

/* Thousands without a check must not fill the log at each reload: the first are named, the rest counted. */
static void note_unchecked(struct conf_parse *p)
{
	const struct conf_real *next = NULL;
	size_t n = 0;

	for (const struct conf_virtual *v = p->conf->virtuals; v; v = v->next) {
		for (const struct conf_real *r = v->reals; r; r = r->next) {
			if (r->checks)
				continue;
			if (++n <= UNCHECKED_NAMED)
				note_unchecked_one(p, r);
			else if (n == UNCHECKED_NAMED + 1)
				next = r;
		}
	}
	if (n == UNCHECKED_NAMED + 1)
		note_unchecked_one(p, next);
	else if (next)
		conf_note(p, &next->at,
			  "this real_server and %zu more below have no check either: they are "
			  "always taken as alive",
			  n - UNCHECKED_NAMED - 1);
}

/* The scripts of those checks that are left. */
static void collect_misc(struct conf *c)
{
	struct conf_vrrp_script **end = &c->misc;

	for (const struct conf_virtual *v = c->virtuals; v; v = v->next) {
		for (const struct conf_real *r = v->reals; r; r = r->next) {
			for (const struct conf_check *k = r->checks; k; k = k->next) {
				if (!k->misc)
					continue;
				k->misc->index = (unsigned)(c->n_scripts + c->n_misc++);
				*end = k->misc;
				end = &k->misc->next;
			}
		}
	}
}

/* lvs_sync_daemon follows an instance, which is told by its place. */
static void find_sync_instance(struct conf_parse *p)
{
	struct conf_sync *s = &p->conf->globals.sync;
	const struct conf_instance *i;

	if (!s->interface || !s->instance)
		return;
	for (i = p->conf->instances; i && strcmp(i->name, s->instance); i = i->next)
		s->index++;
	if (i) {
		default_int(&s->id, CONF_UNSET, i->vrid);
		return;
	}
	conf_warn(p, &s->at,
		  "lvs_sync_daemon: there is no vrrp_instance \"%s\": no connections are copied",
		  s->instance);
	s->interface = NULL;
}

/* Over one hop a neighbour is on one link: that of the instance. */
static void find_bfd_interfaces(struct conf *c)
{
	for (const struct conf_instance *i = c->instances; i; i = i->next)
		for (size_t t = 0; t < i->watches.n; t++)
			if (!i->watches.at[t].watch->bfd.interface)
				i->watches.at[t].watch->bfd.interface = i->interface;
}

/* keepalived's default of their interface is eth0, too. */
static void complete_fixed(struct conf *c)
{
	if (!c->fixed)
		return;
	c->fixed->interface = c->globals.default_interface ? c->globals.default_interface : "eth0";
	c->fixed->next = c->instances;
	/* Like an owner's: what was there before vipd stays behind. */
	c->fixed->priority = HA_VRRP_PRIORITY_OWNER;
}

void conf_check(struct conf_parse *p)
{
	struct conf_virtual **at = &p->conf->virtuals;

	check_scripts(p);
	check_instances(p);
	complete_fixed(p->conf);
	for (struct conf_group *g = p->conf->groups; g; g = g->next)
		check_group(p, g);
	while (*at) {
		if (complete_virtual(p, *at)) {
			at = &(*at)->next;
		} else {
			*at = (*at)->next;
			p->conf->n_virtuals--;
		}
	}
	note_unchecked(p);
	find_bfd_interfaces(p->conf);
	collect_misc(p->conf);
	conf_complete_mail(p);
	find_sync_instance(p);
	if (!p->conf->n_instances && !p->conf->n_virtuals)
		conf_warn(p, NULL,
			  "there is nothing to do: no usable vrrp_instance and no usable "
			  "virtual_server");
}
