/* SPDX-License-Identifier: MIT */
/* The block vrrp_instance, and what never moves. */
#include <linux/if_link.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "conf/route.h"
#include "conf/words.h"

#define INSTANCE(member) offsetof(struct conf_instance, member)
#define DAY 86400.0

const char *conf_block_name(struct conf_parse *p, const struct conf_node *n, size_t already)
{
	const struct conf_word *w = &n->word[1];

	if (already == CONF_INSTANCES_MAX) {
		conf_warn(p, &n->word->at, "more than %d of \"%s\": skipped", CONF_INSTANCES_MAX,
			  n->word->text);
		return NULL;
	}
	if (n->n < 2) {
		conf_warn(p, &n->word->at,
			  "\"%s\" needs a name before its block: the block is skipped",
			  n->word->text);
		return NULL;
	}
	if (strlen(w->text) > CONF_NAME_MAX || !*w->text || strpbrk(w->text, "/\n")) {
		conf_warn(p, &w->at,
			  "\"%s\" is no name: 1 to %d characters without a slash. Its block is "
			  "skipped",
			  w->text, CONF_NAME_MAX);
		return NULL;
	}
	return conf_keep(p, w->text);
}

/* ---- Values of an instance ---- */

/* What is no priority is 100 with state MASTER, too, as in keepalived. */
static void set_priority(struct conf_parse *p, const struct conf_node *n,
			 const struct conf_keyword *k, void *target)
{
	const struct conf_word *w = conf_argument(p, n);
	double v = 100;

	if (!w)
		return;
	conf_number(p, w, k->min, k->max, true, &v);
	((struct conf_instance *)target)->priority = (int)v;
}

static void set_interface(struct conf_parse *p, const struct conf_node *n,
			  const struct conf_keyword *k, void *target)
{
	struct conf_instance *i = target;

	conf_set_name(p, n, k, target);
	if (i->interface && n->n > 1)
		i->interface_at = n->word[1].at;
}

static void set_state(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		      void *target)
{
	struct conf_instance *i = target;
	const struct conf_word *w = conf_argument(p, n);

	if (!w)
		return;
	if (i->master) {
		conf_warn(p, &w->at, "the state is MASTER already: skipped");
		return;
	}
	i->master = !strcmp(w->text, "MASTER");
	if (!strcmp(w->text, "SLAVE"))
		conf_note(p, &w->at, "state SLAVE is taken as BACKUP, the word of keepalived");
	else if (!i->master && strcmp(w->text, "BACKUP"))
		conf_warn(p, &w->at,
			  "unknown state \"%s\": write MASTER or BACKUP. BACKUP is taken", w->text);
}

static void set_advert(struct conf_parse *p, const struct conf_node *n,
		       const struct conf_keyword *k, void *target)
{
	conf_set_seconds(p, n, k, target);
	if (((struct conf_instance *)target)->advert_ms == 0)
		((struct conf_instance *)target)->advert_ms = CONF_UNSET;
}

static void set_auth_type(struct conf_parse *p, const struct conf_node *n,
			  const struct conf_keyword *k, void *target)
{
	struct conf_instance *i = target;
	const struct conf_word *w = conf_argument(p, n);

	if (!w)
		return;
	i->auth_ah = !strcmp(w->text, "AH");
	i->auth_typed = i->auth_ah || !strcmp(w->text, "PASS");
	if (!i->auth_typed)
		conf_warn(p, &w->at, "unknown auth_type \"%s\": write PASS or AH", w->text);
}

static void set_auth_pass(struct conf_parse *p, const struct conf_node *n,
			  const struct conf_keyword *k, void *target)
{
	struct conf_instance *i = target;
	const struct conf_word *w = conf_argument(p, n);

	if (!w)
		return;
	if (strlen(w->text) > 8)
		conf_warn(p, &w->at, "auth_pass is longer than 8 characters: the first 8 are used");
	i->auth_pass = *w->text ? conf_strndup(p->memory, w->text, strnlen(w->text, 8)) : NULL;
}

static void set_authentication(struct conf_parse *p, const struct conf_node *n,
			       const struct conf_keyword *k, void *target)
{
	struct conf_instance *i = target;

	conf_walk(p, n->child, k->block, target);
	if (i->auth_typed && i->auth_pass)
		return;
	conf_warn(p, &n->word->at,
		  "no authentication, for there is no %s: its peers must have none, either",
		  i->auth_typed ? "auth_pass STRING" : "auth_type PASS or AH");
	i->auth_pass = NULL;
}

/* "ADDRESS [min_ttl N] [max_ttl N]" */
static void read_ttls(struct conf_parse *p, const struct conf_node *n, struct ha_vrrp_ttls *ret)
{
	double v;

	for (size_t w = 1; w < n->n; w += 2) {
		bool min = !strcmp(n->word[w].text, "min_ttl"),
		     max = !strcmp(n->word[w].text, "max_ttl");

		if ((!min && !max) || w + 1 == n->n) {
			conf_warn(p, &n->word[w].at,
				  "\"%s\" is not \"min_ttl NUMBER\" or \"max_ttl NUMBER\": skipped",
				  n->word[w].text);
			return;
		}
		if (!conf_number(p, &n->word[w + 1], 0, 255, true, &v))
			return;
		*(min ? &ret->least : &ret->most) = (uint8_t)v;
	}
	if (ret->most && ret->most < ret->least) {
		conf_warn(
		    p, &n->word->at,
		    "max_ttl %u is below min_ttl %u, and nothing would be heard: both are skipped",
		    ret->most, ret->least);
		*ret = (struct ha_vrrp_ttls){0};
	}
}

static void set_unicast_ttl(struct conf_parse *p, const struct conf_node *n,
			    const struct conf_keyword *k, void *target)
{
	const struct conf_word *w = conf_argument(p, n);
	double v;

	if (w && conf_number(p, w, 1, 255, true, &v))
		((struct conf_instance *)target)->unicast_ttl = (uint8_t)v;
}

static void add_peer(struct conf_parse *p, struct conf_instance *i, const struct conf_node *n)
{
	const struct conf_word *w = n->word;
	struct ha_vrrp_ttls ttls = {0};
	struct ha_ip ip;

	if (ha_ip_parse(w->text, &ip) < 0) {
		conf_warn(p, &w->at, "\"%s\" is not an address: skipped", w->text);
		return;
	}
	read_ttls(p, n, &ttls);
	i->peer_ttls = conf_grow(p->memory, i->peer_ttls, i->n_peers, sizeof(ttls));
	i->peer_ttls[i->n_peers] = ttls;
	i->peers = conf_grow(p->memory, i->peers, i->n_peers, sizeof(*i->peers));
	i->peers[i->n_peers++] = ip;
}

static void set_peers(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		      void *target)
{
	for (const struct conf_node *c = n->child; c; c = c->next)
		add_peer(p, target, c);
}

/* ---- Addresses ---- */

static void set_addresses(struct conf_parse *p, const struct conf_node *n,
			  const struct conf_keyword *k, void *target)
{
	for (const struct conf_node *c = n->child; c; c = c->next)
		conf_address_line(p, c, target, k->min == 0);
}

/* ---- Routes and rules, also those that never move ---- */

static void set_routes(struct conf_parse *p, const struct conf_node *n,
		       const struct conf_keyword *k, void *target)
{
	for (const struct conf_node *c = n->child; c; c = c->next)
		conf_route_line(p, c, target);
}

static void set_rules(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		      void *target)
{
	for (const struct conf_node *c = n->child; c; c = c->next)
		conf_rule_line(p, c, target);
}

static struct conf_instance *fixed(struct conf_parse *p)
{
	struct conf *c = p->conf;

	if (!c->fixed) {
		c->fixed = conf_alloc(p->memory, sizeof(*c->fixed));
		c->fixed->name = "static addresses";
	}
	return c->fixed;
}

void conf_static_addresses(struct conf_parse *p, const struct conf_node *n,
			   const struct conf_keyword *k, void *target)
{
	for (const struct conf_node *c = n->child; c; c = c->next)
		conf_address_line(p, c, fixed(p), false);
}

void conf_static_routes(struct conf_parse *p, const struct conf_node *n,
			const struct conf_keyword *k, void *target)
{
	set_routes(p, n, k, fixed(p));
}

void conf_static_rules(struct conf_parse *p, const struct conf_node *n,
		       const struct conf_keyword *k, void *target)
{
	set_rules(p, n, k, fixed(p));
}

/* ---- Trackers ---- */

bool conf_read_weight(struct conf_parse *p, const struct conf_node *n, int max, int32_t *weight,
		      int *reverse)
{
	for (size_t i = 1; i < n->n; i++) {
		double v;

		if (!strcmp(n->word[i].text, "reverse") || !strcmp(n->word[i].text, "noreverse")) {
			*reverse = n->word[i].text[0] == 'r';
		} else if (!strcmp(n->word[i].text, "weight") && i + 1 < n->n) {
			if (!conf_number(p, &n->word[++i], -max, max, true, &v))
				return false;
			*weight = v != 0 || max > 253 ? (int32_t)v : CONF_NO_WEIGHT;
		} else {
			conf_warn(p, &n->word[i].at,
				  "\"%s\" is not \"weight NUMBER\" or "
				  "\"reverse\": skipped",
				  n->word[i].text);
		}
	}
	return true;
}

void conf_read_interfaces(struct conf_parse *p, const struct conf_node *n,
			  struct conf_track_interface **list, size_t *count)
{
	for (const struct conf_node *c = n->child; c; c = c->next) {
		struct conf_track_interface t = {
		    .name = conf_keep_word(p, c, 0), .weight = CONF_NO_WEIGHT, .at = c->word->at};

		if (strlen(t.name) >= IFNAMSIZ) {
			conf_warn(p, &c->word->at,
				  "\"%s\" is not the name of an interface: "
				  "skipped",
				  t.name);
			continue;
		}
		conf_read_weight(p, c, 253, &t.weight, &t.reverse);
		*list = conf_grow(p->memory, *list, *count, sizeof(t));
		(*list)[(*count)++] = t;
	}
}

void conf_warn_twice(struct conf_parse *p, const struct diag_place *at, const char *name)
{
	conf_warn(p, at, "\"%s\" is tracked already, further up: skipped", name);
}

static bool is_tracked(const struct conf_track_interface *list, size_t n, const char *name)
{
	while (n && strcmp(list[n - 1].name, name) != 0)
		n--;
	return n;
}

size_t conf_find_interfaces(struct conf_parse *p, struct conf_track_interface *list, size_t count,
			    const char *own)
{
	size_t n = 0;

	for (size_t t = 0; t < count; t++) {
		if (own && !strcmp(list[t].name, own))
			conf_warn(p, &list[t].at,
				  "\"%s\" is the instance's own interface, which is not tracked a "
				  "second time: skipped, with its weight",
				  own);
		else if (is_tracked(list, n, list[t].name))
			conf_warn_twice(p, &list[t].at, list[t].name);
		else
			list[n++] = list[t];
	}
	return n;
}

void conf_read_scripts(struct conf_parse *p, const struct conf_node *n,
		       struct conf_track_script **list, size_t *count)
{
	for (const struct conf_node *c = n->child; c; c = c->next) {
		struct conf_track_script t = {
		    .name = conf_keep_word(p, c, 0),
		    .weight = INT32_MAX,
		    .reverse = CONF_UNSET,
		    .at = c->word->at};

		conf_read_weight(p, c, 253, &t.weight, &t.reverse);
		*list = conf_grow(p->memory, *list, *count, sizeof(t));
		(*list)[(*count)++] = t;
	}
}

static void set_track_interface(struct conf_parse *p, const struct conf_node *n,
				const struct conf_keyword *k, void *target)
{
	struct conf_instance *i = target;

	conf_read_interfaces(p, n, &i->interfaces, &i->n_interfaces);
}

static void set_track_script(struct conf_parse *p, const struct conf_node *n,
			     const struct conf_keyword *k, void *target)
{
	struct conf_instance *i = target;

	conf_read_scripts(p, n, &i->scripts, &i->n_scripts);
}

/* Bytes in hex, with colons between: how many, at most six; 0: it is not that. */
static int read_mac(const char *text, uint8_t ret[6])
{
	for (int i = 0; i < 6; i++) {
		char *end;
		unsigned long v = strtoul(text, &end, 16);

		if (end == text || end > text + 2 || v > 0xff || (*end && *end != ':'))
			return 0;
		ret[i] = (uint8_t)v;
		if (!*end)
			return i + 1;
		text = end + 1;
	}
	return 0;
}

/* Of five bytes the sixth is the virtual_router_id. */
static bool take_mac(struct conf_instance *i, const char *text)
{
	uint8_t mac[6] = {0};
	int n = read_mac(text, mac);

	if (n < 5 || mac[0] & 1)
		return false;
	memcpy(i->vmac->mac, mac, sizeof(mac));
	i->vmac_vrid = n == 5;
	return true;
}

/* use_vmac [NAME] [MAC]: the second alone is known by its colons. */
static void set_vmac(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		     void *target)
{
	struct conf_instance *i = target;

	if (!i->vmac)
		i->vmac = conf_alloc(p->memory, sizeof(*i->vmac));
	for (size_t w = 1; w < n->n; w++) {
		const char *text = n->word[w].text;

		if (strchr(text, ':')) {
			if (take_mac(i, text))
				continue;
			conf_warn(p, &n->word[w].at,
				  "\"%s\" is no MAC address of a host: the virtual router MAC "
				  "address is taken",
				  text);
		} else if (!*text || strlen(text) >= IFNAMSIZ || strchr(text, '/') ||
			   i->vmac->name) {
			conf_warn(p, &n->word[w].at,
				  "\"%s\" is not the name of an interface: skipped", text);
		} else {
			i->vmac->name = conf_keep(p, text);
		}
	}
}

/* use_ipvlan [NAME] [ADDRESS] [bridge|private|vepa], in any order. */
static void set_ipvlan(struct conf_parse *p, const struct conf_node *n,
		       const struct conf_keyword *k, void *target)
{
	struct conf_instance *i = target;
	struct conf_ipvlan *v = conf_alloc(p->memory, sizeof(*v));
	struct ha_ip ip;

	i->ipvlan = v;
	for (size_t w = 1; w < n->n; w++) {
		const char *text = n->word[w].text;
		size_t len = strcspn(text, "/");

		if (!strcmp(text, "bridge") || !strcmp(text, "private") || !strcmp(text, "vepa"))
			v->flags = *text == 'p'	  ? IPVLAN_F_PRIVATE
				   : *text == 'v' ? IPVLAN_F_VEPA
						  : 0;
		else if (text[len] || ha_ip_parse(text, &ip) >= 0)
			conf_read_address(p, &n->word[w], &v->ip, &v->prefix);
		else if (!*text || strlen(text) >= IFNAMSIZ || v->name)
			conf_warn(p, &n->word[w].at,
				  "\"%s\" is not the name of an interface: skipped", text);
		else
			v->name = conf_keep(p, text);
	}
}

/* Few instances have such a script. */
static struct conf_script *rare_script(struct conf_parse *p, const struct conf_node *n)
{
	struct conf_script *s = conf_alloc(p->memory, sizeof(*s));

	conf_script_of(p, &n->word[1], n->n - 1, s);
	return s;
}

static void set_deleted(struct conf_parse *p, const struct conf_node *n,
			const struct conf_keyword *k, void *target)
{
	struct conf_instance *i = target;

	i->tell_deleted = true;
	if (n->n > 1)
		i->notify.deleted = rare_script(p, n);
}

static void set_rx_lower(struct conf_parse *p, const struct conf_node *n,
			 const struct conf_keyword *k, void *target)
{
	if (conf_argument(p, n))
		((struct conf_instance *)target)->notify.rx_lower = rare_script(p, n);
}

static void set_old_checksum(struct conf_parse *p, const struct conf_node *n,
			     const struct conf_keyword *k, void *target)
{
	bool never = n->n > 1 && !strcmp(n->word[1].text, "never");

	if (n->n > 1 && !never)
		conf_warn(p, &n->word[1].at, "\"%s\" is not never: skipped", n->word[1].text);
	else
		((struct conf_instance *)target)->old_checksum = !never;
}

static void set_rival(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		      void *target)
{
	double v = HA_VRRP_PRIORITY_OWNER - 1;

	if (n->n < 2 || conf_number(p, &n->word[1], 1, v, true, &v))
		((struct conf_instance *)target)->rival_priority = (int)v;
}

/* Of old: as "lvs_sync_daemon INTERFACE INSTANCE" in global_defs. */
static void set_sync_interface(struct conf_parse *p, const struct conf_node *n,
			       const struct conf_keyword *k, void *target)
{
	struct conf_sync *s = &p->conf->globals.sync;

	if (s->interface) {
		conf_warn(p, &n->word->at, "\"%s\": there is a lvs_sync_daemon already: skipped",
			  k->word);
		return;
	}
	conf_set_name(p, n, &(struct conf_keyword){.offset = offsetof(struct conf_sync, interface)},
		      s);
	s->instance = ((struct conf_instance *)target)->name;
	s->at = n->word->at;
}

/* ---- Tables ---- */

static const struct conf_keyword auth_words[] = {
    {"auth_type", set_auth_type, .form = "PASS|AH",
     .doc = "Version 2: password in clear, or an Authentication Header with it as the key. Without "
	    "it there is no authentication."},
    {"auth_pass", set_auth_pass, .form = "STRING", .doc = "The password; 8 characters count."},
    {0}};
static const struct conf_block auth_block = {.name = "authentication", .keyword = auth_words};

#define WHY_HMAC "its trailer is not spoken: use auth_type AH in version 2, or a closed network"

static const struct conf_keyword hmac_words[] = {
    {CONF_REFUSED("key", "ID SECRET", "A key.", WHY_HMAC)},
    {CONF_REFUSED("active_key", "ID", "The key that seals.", WHY_HMAC)},
    {CONF_REFUSED("time_window", "SECONDS", "How far clocks may differ.", WHY_HMAC)},
    {CONF_REFUSED("anti_replay", "[on|off]", "Refuses old adverts.", WHY_HMAC)},
    {CONF_REFUSED("mode", "STRING", "How strict it is.", WHY_HMAC)},
    {0}};
static const struct conf_block hmac_block = {.name = "auth_hmac", .keyword = hmac_words};

static const struct conf_keyword instance_words[] = {
    {"state", set_state, .form = "MASTER|BACKUP", .initial = "BACKUP",
     .doc = "The state to begin with; MASTER counts with priority 255 only, which it has when none is "
	    "written."},
    {"interface", set_interface, INSTANCE(interface), .form = "INTERFACE",
     .initial = "default_interface; unicast: as routing has it",
     .doc = "Where adverts are sent and heard, and addresses are held."},
    {"virtual_router_id", conf_set_int, INSTANCE(vrid), 1, 255,
     .doc = "Number of the virtual router, the same on all its nodes. Must be written."},
    {"priority", set_priority, INSTANCE(priority), 1, 255, .form = "1..255",
     .initial = "100; 255 with state MASTER",
     .doc = "The highest holds the addresses; 255: they are this node's own."},
    {"advert_int", set_advert, INSTANCE(advert_ms), 0.01, 255, .form = "SECONDS", .initial = "1",
     .doc = "Between adverts: whole seconds in version 2, hundredths up to 40.95 in version 3."},
    {"version", conf_set_int, INSTANCE(version), 2, 3, .once = true, .initial = "vrrp_version",
     .doc = "Version of VRRP."},
    {"authentication", set_authentication, .block = &auth_block,
     .doc = "Version 2: what other nodes must know."},
    {CONF_REFUSED("auth_hmac", "{ ... }", "Seals adverts with a secret.", WHY_HMAC),
     .block = &hmac_block},
    {"virtual_ipaddress", set_addresses, .min = 0, .block = &conf_list,
     .form = "{ ADDRESS[/PREFIX] [brd ADDRESS|+|-] [dev INTERFACE] [scope SCOPE] [label LABEL] "
	     "[use_vmac] [no_track] ... }",
     .doc = "The addresses that are held, and stand in adverts. One may be on several interfaces; adverts name it as often as it is written, as keepalived's do."},
    {"virtual_ipaddress_excluded", set_addresses, .min = 1, .block = &conf_list,
     .form = "{ as virtual_ipaddress }", .doc = "Addresses that are held, but stand in no advert."},
    {"virtual_routes", set_routes, .block = &conf_list,
     .form = "{ [TYPE] ADDRESS/PREFIX [via ADDRESS] [dev INTERFACE] [table TABLE] ... ... }",
     .doc = "Routes that are there while it is MASTER, in the words of ip-route(8)."},
    {"virtual_rules", set_rules, .block = &conf_list,
     .form = "{ [from ADDRESS/PREFIX] [to ADDRESS/PREFIX] [table TABLE] [preference N] ... ... }",
     .doc = "Routing rules that are there while it is MASTER, in the words of ip-rule(8)."},
    {"nopreempt", conf_set_flag, INSTANCE(no_preempt),
     .doc = "Does not take over from a lower priority. Needs state BACKUP."},
    {"preempt", conf_clear_flag, INSTANCE(no_preempt),
     .doc = "The opposite, which is the default."},
    {"preempt_delay", conf_set_seconds, INSTANCE(preempt_delay_ms), 0, 1000, .initial = "0",
     .doc = "How long a lower priority is left in peace."},
    {"track_interface", set_track_interface, .block = &conf_list,
     .form = "{ INTERFACE [weight -253..253] [reverse] ... }",
     .doc = "Other interfaces whose failure is a fault, or moves the priority. Those that addresses, "
	    "routes and rules without no_track are on are tracked anyhow."},
    {"track_script", set_track_script, .block = &conf_list,
     .form = "{ SCRIPT [weight -253..253] [reverse|noreverse] ... }",
     .doc = "A vrrp_script whose failure is a fault, or moves the priority. What is not written is "
	    "as the script says: reverse, too, when a weight is."},
    {"track_file", conf_set_track_file, INSTANCE(watches), .block = &conf_list,
     .form = "{ FILE [weight -254..254] [reverse|noreverse] ... }",
     .doc = "A track_file whose number moves the priority, or is a fault. What is not written is as "
	    "the track_file says."},
    {"track_process", conf_set_track_process, INSTANCE(watches), .block = &conf_list,
     .form = "{ NAME [weight -254..254] [reverse|noreverse] ... }",
     .doc = "A vrrp_track_process whose failure is a fault, or moves the priority. What is not "
	    "written is as the vrrp_track_process says."},
    {"track_bfd", conf_set_track_bfd, INSTANCE(watches), .block = &conf_list,
     .form = "{ NAME [weight -253..253] [reverse] ... }",
     .doc = "A bfd_instance whose loss is a fault, or moves the priority."},
    {"dont_track_primary", conf_set_flag, INSTANCE(dont_track_primary),
     .doc = "Goes on when its interface is down."},
    {"track_src_ip", conf_set_flag, INSTANCE(track_source), .form = "",
     .doc = "Is in FAULT while mcast_src_ip or unicast_src_ip is not on its interface."},
    {"unicast_src_ip", conf_set_ip, INSTANCE(source), .initial = "the interface's first address",
     .doc = "Address that unicast adverts leave from."},
    {"mcast_src_ip", conf_set_ip, INSTANCE(source), .initial = "the interface's first address",
     .doc = "Address that multicast adverts leave from."},
    {"mcast_dst_ip", conf_set_ip, INSTANCE(group_address), .initial = "vrrp_mcast_group4 or 6",
     .doc = "Multicast group of this instance."},
    {"unicast_peer", set_peers, .block = &conf_list,
     .form = "{ ADDRESS [min_ttl N] [max_ttl N] ... }",
     .doc =
	 "The other nodes; adverts go to each of them, and to no group. Theirs count with a TTL or "
	 "hop limit in the range."},
    {"unicast_ttl", set_unicast_ttl, .form = "1..255", .initial = "255",
     .doc = "TTL or hop limit of unicast adverts."},
    {"unicast_fault_no_peer", conf_set_flag, INSTANCE(fault_no_peer),
     .doc = "Is in FAULT while unicast_peer is empty, instead of using multicast."},
    {CONF_ALWAYS("check_unicast_src", "[on|off]", "Hears unicast_peer only.",
		 "nobody but unicast_peer is ever heard")},
    {"old_unicast_checksum", set_old_checksum, .form = "[never]",
     .initial = "each unicast_peer gets the form that it sends",
     .doc = "Version 3 over IPv4 with unicast_peer: sends the checksum as keepalived up to 1.3.6; "
	    "never: as "
	    "later ones, whatever a peer sends. All forms are taken."},
    {"v3_checksum_as_v2", conf_set_tristate, INSTANCE(bare_checksum),
     .initial = "v3_checksum_as_v2 of global_defs",
     .doc = "Version 3 over IPv4: checksum without the pseudo-header."},
    {"garp_master_delay", conf_set_seconds, INSTANCE(garp.delay_ms), 0, DAY,
     .initial = "vrrp_garp_master_delay",
     .doc = "When neighbours are told a second time; 0: never."},
    {"garp_master_repeat", conf_set_frames, INSTANCE(garp.repeat), 1, 255,
     .initial = "vrrp_garp_master_repeat", .doc = "Frames for each address and time."},
    {"garp_master_refresh", conf_set_seconds, INSTANCE(garp.refresh_ms), 0, DAY,
     .initial = "vrrp_garp_master_refresh",
     .doc = "How often a Master tells neighbours again; 0: never."},
    {"garp_master_refresh_repeat", conf_set_frames, INSTANCE(garp.refresh_repeat), 1, 255,
     .initial = "vrrp_garp_master_refresh_repeat", .doc = "Frames for each address then."},
    {"garp_lower_prio_repeat", conf_set_int, INSTANCE(garp.lower_repeat), 0, 255,
     .initial = "vrrp_garp_lower_prio_repeat",
     .doc = "Frames for each address after an advert of lower priority."},
    {"garp_lower_prio_delay", conf_set_seconds, INSTANCE(garp.lower_delay_ms), 0, DAY,
     .initial = "vrrp_garp_lower_prio_delay",
     .doc = "When neighbours are told a second time after an advert of lower priority; 0: never."},
    {"garp_extra_if", conf_set_garp_extra, INSTANCE(garp), 0, DAY, .form = "[all] SECONDS",
     .initial = "vrrp_garp_extra_if",
     .doc = "How often a Master tells of an address of each macvlan that sends no adverts; all: of "
	    "each other interface; 0: never."},
    {"vmac_garp_intvl", conf_set_garp_extra, INSTANCE(garp), 0, DAY, .form = "[all] SECONDS",
     .doc = "Old word for garp_extra_if."},
    {"down_timer_adverts", conf_set_int, INSTANCE(down_timer_adverts), 1, 100,
     .initial = "vrrp_down_timer_adverts", .doc = "Adverts that may be missed before a takeover."},
    {"lower_prio_no_advert", conf_set_flag, INSTANCE(no_reply),
     .doc = "A Master does not answer an advert of lower priority at once."},
    {"higher_prio_send_advert", conf_set_flag, INSTANCE(last_advert),
     .doc = "A Master that gives way sends one more advert."},
    {"skip_check_adv_addr", conf_set_flag, INSTANCE(any_addresses),
     .doc = "Version 2: takes adverts with other addresses."},
    {"strict_mode", conf_set_tristate, INSTANCE(strict), .initial = "vrrp_strict",
     .doc = "Holds the instance to the RFC: no authentication, no unicast, one family, no packets "
	    "to addresses of others."},
    {"owner_ignore_adverts", conf_set_flag, INSTANCE(deaf_owner),
     .initial = "vrrp_owner_ignore_adverts",
     .doc = "An owner (255) does not look at adverts of others: it answers none, and finds no "
	    "second owner."},
    {"accept", conf_set_tristate, INSTANCE(accept),
     .doc = "Takes packets to the addresses, which is the default."},
    {"no_accept", conf_clear_tristate, INSTANCE(accept),
     .doc = "Drops packets to the addresses, neighbour discovery excepted."},
    CONF_NOTIFY_WORDS(INSTANCE),
    {"notify_deleted", set_deleted, .form = "[COMMAND [USER [GROUP]]]",
     .initial = "FAULT is told, and notify_fault runs",
     .doc = "Tells DELETED when a reload removes the instance, and runs the command."},
    {"notify_master_rx_lower_pri", set_rx_lower, .once = true, .form = "COMMAND [USER [GROUP]]",
     .doc = "Runs when it is MASTER and hears an advert of lower priority, once a second at most."},
    {"notify_priority_changes", conf_set_tristate, INSTANCE(priority_changes),
     .initial = "vrrp_notify_priority_changes",
     .doc = "Tells FIFOs when trackers change its priority."},
    {"smtp_alert", conf_set_tristate, INSTANCE(smtp_alert), .initial = "smtp_alert_vrrp",
     .doc = "Mail at each change."},
    {"use_vmac", set_vmac, .form = "[NAME] [MAC]",
     .doc = "The addresses answer with a virtual MAC address of their own."},
    {"vmac_xmit_base", conf_set_flag, INSTANCE(vmac_xmit_base),
     .doc = "Adverts leave from the interface's own MAC address."},
    {"use_vmac_addr", conf_set_flag, INSTANCE(vmac_addresses), .form = "",
     .doc =
	 "Addresses on other interfaces, or of the other family, have virtual MAC addresses, too."},
    {"use_ipvlan", set_ipvlan, .form = "[NAME] [ADDRESS[/PREFIX]] [bridge|private|vepa]",
     .doc = "Adverts leave from an ipvlan on the interface, with this address (IPv6: its "
	    "link-local one); "
	    "the addresses are held on the interface."},
    {"vrf", conf_set_name, INSTANCE(vrf), .form = "INTERFACE",
     .doc = "The VRF whose routing unicast without an interface has."},
    {"lvs_sync_daemon_interface", set_sync_interface, .form = "INTERFACE",
     .doc = "Old word for lvs_sync_daemon with this instance."},
    {"native_ipv6", conf_set_flag, INSTANCE(native_ipv6),
     .doc = "Without virtual_ipaddress: adverts over IPv6."},
    {"no_virtual_ipaddress", conf_set_flag, INSTANCE(no_addresses),
     .doc =
	 "There is no virtual_ipaddress on purpose: adverts name no address, and the election is "
	 "for scripts, routes and addresses of virtual_ipaddress_excluded."},
    {"promote_secondaries", conf_set_flag, INSTANCE(promote_secondaries), .form = "",
     .doc = "While vipd runs, the other addresses of a subnet stay on the interface when the first "
	    "one goes."},
    {CONF_NOTED("linkbeat_use_polling", "", "Asks for the state of the link.",
		"the kernel tells of a link at once, and no driver of today has to be asked")},
    {CONF_NOTED("debug", "0..4", "Logs more.", "there are no levels: write log-detail (-D)")},
    {"timer_expired_backup", set_rival, .form = "[1..254]",
     .doc = "With nopreempt: a Master that did not run for so long that a node of this priority "
	    "(254) has taken over "
	    "is BACKUP then."},
    {"thread_timer_expired", set_rival, .form = "[1..254]",
     .doc = "Old word for timer_expired_backup."},
    {"kernel_rx_buf_size", conf_set_int, INSTANCE(rx_buffer_bytes), 1, 1 << 30, .form = "BYTES",
     .initial = "vrrp_rx_bufs_policy",
     .doc = "What this instance adds to the receive buffer of its adverts."},
    {0}};

const struct conf_block conf_block_instance = {.name = "vrrp_instance", .keyword = instance_words};

void conf_instance_new(struct conf_parse *p, const struct conf_node *n,
		       const struct conf_keyword *k, void *target)
{
	struct conf *c = target;
	struct conf_instance *i;
	const char *name = conf_block_name(p, n, c->n_instances);

	if (!name)
		return;
	i = conf_index_find_name(&p->instances, name);
	if (i) {
		conf_warn(p, &n->word[1].at,
			  "vrrp_instance \"%s\" is there already, in line %u: this one is "
			  "skipped",
			  name, i->at.line);
		return;
	}
	i = conf_alloc(p->memory, sizeof(*i));
	*i = (struct conf_instance){.name = name,
				    .vrid = CONF_UNSET,
				    .priority = CONF_UNSET,
				    .version = CONF_UNSET,
				    .advert_ms = CONF_UNSET,
				    .preempt_delay_ms = CONF_UNSET,
				    .garp = CONF_GARP_UNSET,
				    .down_timer_adverts = CONF_UNSET,
				    .strict = CONF_UNSET,
				    .accept = CONF_UNSET,
				    .bare_checksum = CONF_UNSET,
				    .old_checksum = CONF_UNSET,
				    .smtp_alert = CONF_UNSET,
				    .priority_changes = CONF_UNSET,
				    .at = n->word->at};
	conf_index_add_name(p->scratch, &p->instances, name, i);
	*p->instances_end = i;
	p->instances_end = &i->next;
	c->n_instances++;
	conf_walk(p, n->child, k->block, i);
}
