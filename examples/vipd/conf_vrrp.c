/* SPDX-License-Identifier: MIT */
/* The blocks of VRRP: vrrp_instance, vrrp_sync_group, vrrp_script. */
#include <limits.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <linux/rtnetlink.h>

#include "conf_words.h"

#define INSTANCE(member) offsetof(struct conf_instance, member)
#define GROUP(member) offsetof(struct conf_group, member)
#define SCRIPT(member) offsetof(struct conf_vrrp_script, member)
#define DAY 86400.0

static const struct conf_garp garp_unset = {CONF_UNSET, CONF_UNSET, CONF_UNSET, CONF_UNSET,
					    CONF_UNSET};

/* The name after a block's keyword; NULL, said, when it may not be. `already`: how many there are. */
static const char *block_name(struct conf_parse *p, const struct conf_node *n, size_t already)
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
	return w->text;
}

/* ---- Values of an instance ---- */

static void set_state(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		      void *target)
{
	struct conf_instance *i = target;
	const struct conf_word *w = conf_argument(p, n);

	(void)k;
	if (!w)
		return;
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
	const struct conf_word *w = conf_argument(p, n);

	(void)k;
	if (!w)
		return;
	((struct conf_instance *)target)->auth_ah = !strcmp(w->text, "AH");
	if (strcmp(w->text, "AH") && strcmp(w->text, "PASS"))
		conf_warn(p, &w->at, "unknown auth_type \"%s\": write PASS or AH", w->text);
}

static void set_auth_pass(struct conf_parse *p, const struct conf_node *n,
			  const struct conf_keyword *k, void *target)
{
	struct conf_instance *i = target;
	const struct conf_word *w = conf_argument(p, n);

	(void)k;
	if (!w)
		return;
	if (strlen(w->text) > 8)
		conf_note(p, &w->at, "auth_pass is longer than 8 characters: the first 8 are used");
	i->auth_pass = conf_strndup(p->memory, w->text, strnlen(w->text, 8));
}

static void set_authentication(struct conf_parse *p, const struct conf_node *n,
			       const struct conf_keyword *k, void *target)
{
	const struct conf_instance *i = target;

	conf_walk(p, n->child, k->block, target);
	if (i->auth_ah && !i->auth_pass)
		conf_warn(p, &n->word->at, "auth_type AH without auth_pass: no authentication");
}

static void add_peer(struct conf_parse *p, struct conf_instance *i, const struct conf_word *w)
{
	struct ha_ip ip;

	if (ha_ip_parse(w->text, &ip) < 0) {
		conf_warn(p, &w->at, "\"%s\" is not an address: skipped", w->text);
		return;
	}
	i->peers = conf_grow(p->memory, i->peers, i->n_peers, sizeof(*i->peers));
	i->peers[i->n_peers++] = ip;
}

static void set_peers(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		      void *target)
{
	(void)k;
	for (const struct conf_node *c = n->child; c; c = c->next)
		add_peer(p, target, c->word);
}

/* ---- Addresses ---- */

static bool read_prefix(struct conf_parse *p, const struct conf_word *w, const char *slash,
			struct conf_address *a)
{
	unsigned max = a->ip.family == AF_INET ? 32 : 128;
	char *end;
	unsigned long v;

	a->prefix = (uint8_t)max;
	if (!slash)
		return true;
	v = strtoul(slash + 1, &end, 10);
	if (end == slash + 1 || *end || v > max) {
		conf_warn(p, &w->at, "\"%s\" is no prefix length from 0 to %u: skipped", slash,
			  max);
		return false;
	}
	a->prefix = (uint8_t)v;
	return true;
}

static bool read_address(struct conf_parse *p, const struct conf_word *w, struct conf_address *a)
{
	const char *slash = strchr(w->text, '/');
	const char *ip =
	    slash ? conf_strndup(p->memory, w->text, (size_t)(slash - w->text)) : w->text;

	a->at = w->at;
	if (ha_ip_parse(ip, &a->ip) < 0) {
		conf_warn(p, &w->at, "\"%s\" is not an address: write ADDRESS/PREFIX. Skipped",
			  w->text);
		return false;
	}
	return read_prefix(p, w, slash, a);
}

static void read_scope(struct conf_parse *p, const struct conf_word *w, struct conf_address *a)
{
	static const struct {
		const char *word;
		uint8_t value;
	} known[] = {{"global", RT_SCOPE_UNIVERSE}, {"universe", RT_SCOPE_UNIVERSE},
		     {"site", RT_SCOPE_SITE},	    {"link", RT_SCOPE_LINK},
		     {"host", RT_SCOPE_HOST},	    {"nowhere", RT_SCOPE_NOWHERE}};
	double v;

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (!strcmp(w->text, known[i].word)) {
			a->scope = known[i].value;
			return;
		}
	}
	if (conf_number(p, w, 0, 255, true, &v))
		a->scope = (uint8_t)v;
}

static void read_broadcast(struct conf_parse *p, const struct conf_word *w, struct conf_address *a)
{
	bool plus = !strcmp(w->text, "+"), minus = !strcmp(w->text, "-");
	uint32_t host;

	if (plus || minus) {
		if (a->ip.family != AF_INET || a->prefix > 30)
			return;
		host = UINT32_MAX >> a->prefix;
		a->broadcast = a->ip;
		for (int i = 0; i < 4; i++) {
			uint8_t bits = (uint8_t)(host >> (24 - 8 * i));

			a->broadcast.bytes[i] = plus ? a->broadcast.bytes[i] | bits
						     : a->broadcast.bytes[i] & (uint8_t)~bits;
		}
		return;
	}
	if (ha_ip_parse(w->text, &a->broadcast) < 0 || a->broadcast.family != AF_INET) {
		conf_warn(p, &w->at, "\"%s\" is not a broadcast address: skipped", w->text);
		a->broadcast = (struct ha_ip){0};
	}
}

/* An option of an address and its value; how many words it took. */
static size_t read_address_option(struct conf_parse *p, const struct conf_word *w, size_t n,
				  struct conf_address *a)
{
	static const char *const alone[] = {"-nodad",	     "home",	 "mngtmpaddr",
					    "noprefixroute", "autojoin", "use_vmac"};

	if (n > 1 && !strcmp(w->text, "dev"))
		a->dev = w[1].text;
	else if (n > 1 && !strcmp(w->text, "label"))
		a->label = w[1].text;
	else if (n > 1 && !strcmp(w->text, "scope"))
		read_scope(p, &w[1], a);
	else if (n > 1 && (!strcmp(w->text, "brd") || !strcmp(w->text, "broadcast")))
		read_broadcast(p, &w[1], a);
	else if (!strcmp(w->text, "no_track"))
		return a->no_track = true, (size_t)1;
	else if (n > 1 && (!strcmp(w->text, "peer") || !strcmp(w->text, "track_group") ||
			   !strcmp(w->text, "preferred_lft")))
		conf_warn(p, &w->at,
			  "\"%s\" of an address is known to keepalived but not supported by this "
			  "version: ignored",
			  w->text);
	else
		goto one;
	return 2;
one:
	for (size_t i = 0; i < sizeof(alone) / sizeof(*alone); i++) {
		if (!strcmp(w->text, alone[i])) {
			conf_warn(p, &w->at,
				  "\"%s\" of an address is known to keepalived but not supported "
				  "by this version: ignored",
				  w->text);
			return 1;
		}
	}
	conf_warn(p, &w->at, "\"%s\" is no option of an address, or lacks its value: skipped",
		  w->text);
	return 1;
}

static void check_device(struct conf_parse *p, const struct conf_word *w, struct conf_address *a)
{
	if (a->dev && (!*a->dev || strlen(a->dev) >= IFNAMSIZ)) {
		conf_warn(p, &w->at,
			  "\"%s\" is not the name of an interface: the instance's is "
			  "taken",
			  a->dev);
		a->dev = NULL;
	}
	if (a->label && strlen(a->label) >= IFNAMSIZ) {
		conf_warn(p, &w->at, "label \"%s\" is longer than %d characters: left out",
			  a->label, IFNAMSIZ - 1);
		a->label = NULL;
	}
}

/* Several plain addresses may stand in one line. */
static void read_address_line(struct conf_parse *p, const struct conf_node *n,
			      struct conf_instance *i, bool advertised)
{
	struct conf_address a = {.advertised = advertised};
	size_t at = 1;

	if (!read_address(p, n->word, &a))
		return;
	while (at < n->n)
		at += read_address_option(p, &n->word[at], n->n - at, &a);
	check_device(p, n->word, &a);
	i->addresses = conf_grow(p->memory, i->addresses, i->n_addresses, sizeof(a));
	i->addresses[i->n_addresses++] = a;
}

static void set_addresses(struct conf_parse *p, const struct conf_node *n,
			  const struct conf_keyword *k, void *target)
{
	for (const struct conf_node *c = n->child; c; c = c->next)
		read_address_line(p, c, target, k->min == 0);
}

/* ---- Trackers ---- */

/* "weight N" and "reverse" behind a name. True: as they should be. */
static bool read_weight(struct conf_parse *p, const struct conf_node *n, int32_t *weight,
			bool *reverse)
{
	for (size_t i = 1; i < n->n; i++) {
		double v;

		if (!strcmp(n->word[i].text, "reverse") || !strcmp(n->word[i].text, "noreverse")) {
			*reverse = n->word[i].text[0] == 'r';
		} else if (!strcmp(n->word[i].text, "weight") && i + 1 < n->n) {
			if (!conf_number(p, &n->word[++i], -253, 253, true, &v))
				return false;
			*weight = v != 0 ? (int32_t)v : CONF_NO_WEIGHT;
		} else {
			conf_warn(p, &n->word[i].at,
				  "\"%s\" is not \"weight NUMBER\" or "
				  "\"reverse\": skipped",
				  n->word[i].text);
		}
	}
	return true;
}

static void set_track_interface(struct conf_parse *p, const struct conf_node *n,
				const struct conf_keyword *k, void *target)
{
	struct conf_instance *i = target;

	(void)k;
	for (const struct conf_node *c = n->child; c; c = c->next) {
		struct conf_track_interface t = {.name = c->word->text, .weight = CONF_NO_WEIGHT};

		if (strlen(t.name) >= IFNAMSIZ) {
			conf_warn(p, &c->word->at,
				  "\"%s\" is not the name of an interface: "
				  "skipped",
				  t.name);
			continue;
		}
		read_weight(p, c, &t.weight, &t.reverse);
		i->interfaces = conf_grow(p->memory, i->interfaces, i->n_interfaces, sizeof(t));
		i->interfaces[i->n_interfaces++] = t;
	}
}

static void set_track_script(struct conf_parse *p, const struct conf_node *n,
			     const struct conf_keyword *k, void *target)
{
	struct conf_instance *i = target;

	(void)k;
	for (const struct conf_node *c = n->child; c; c = c->next) {
		struct conf_track_script t = {
		    .name = c->word->text, .weight = INT32_MAX, .at = c->word->at};

		read_weight(p, c, &t.weight, &t.reverse);
		i->scripts = conf_grow(p->memory, i->scripts, i->n_scripts, sizeof(t));
		i->scripts[i->n_scripts++] = t;
	}
}

/* Six bytes in hex, with colons between. */
static bool read_mac(const char *text, uint8_t ret[6])
{
	for (int i = 0; i < 6; i++) {
		char *end;
		unsigned long v = strtoul(text, &end, 16);

		if (end == text || end > text + 2 || v > 0xff || *end != (i < 5 ? ':' : 0))
			return false;
		ret[i] = (uint8_t)v;
		text = end + 1;
	}
	return true;
}

/* use_vmac [NAME] [MAC]: the second alone is known by its colons. */
static void set_vmac(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		     void *target)
{
	struct conf_instance *i = target;

	(void)k;
	i->vmac = true;
	for (size_t w = 1; w < n->n; w++) {
		const char *text = n->word[w].text;

		if (strchr(text, ':')) {
			if (read_mac(text, i->vmac_mac) && !(i->vmac_mac[0] & 1))
				continue;
			conf_warn(p, &n->word[w].at,
				  "\"%s\" is no MAC address of a host: the virtual router MAC "
				  "address is taken",
				  text);
			memset(i->vmac_mac, 0, sizeof(i->vmac_mac));
		} else if (!*text || strlen(text) >= IFNAMSIZ || strchr(text, '/') ||
			   i->vmac_name) {
			conf_warn(p, &n->word[w].at,
				  "\"%s\" is not the name of an interface: skipped", text);
		} else {
			i->vmac_name = text;
		}
	}
}

static void refuse_vmac(struct conf_parse *p, const struct conf_node *n,
			const struct conf_keyword *k, void *target)
{
	(void)target;
	conf_warn(p, &n->word->at,
		  "\"%s\" is not supported by this version: the addresses answer with the "
		  "interface's own MAC address, and gratuitous ARP tells the neighbours",
		  k->word);
}

/* ---- Tables ---- */

static const struct conf_block list_block = {.name = "a list"};

static const struct conf_keyword auth_words[] = {
    {"auth_type", set_auth_type}, {"auth_pass", set_auth_pass}, {0}};
static const struct conf_block auth_block = {.name = "authentication", .keyword = auth_words};

static const struct conf_keyword instance_words[] = {
    {"state", set_state},
    {"interface", conf_set_name, INSTANCE(interface)},
    {"virtual_router_id", conf_set_int, INSTANCE(vrid), 1, 255},
    {"priority", conf_set_int, INSTANCE(priority), 1, 255},
    {"advert_int", set_advert, INSTANCE(advert_ms), 0.01, 255},
    {"version", conf_set_int, INSTANCE(version), 2, 3},
    {"authentication", set_authentication, .block = &auth_block},
    {"virtual_ipaddress", set_addresses, .min = 0, .block = &list_block},
    {"virtual_ipaddress_excluded", set_addresses, .min = 1, .block = &list_block},
    {"nopreempt", conf_set_flag, INSTANCE(no_preempt)},
    {"preempt", conf_clear_flag, INSTANCE(no_preempt)},
    {"preempt_delay", conf_set_seconds, INSTANCE(preempt_delay_ms), 0, 1000},
    {"track_interface", set_track_interface, .block = &list_block},
    {"track_script", set_track_script, .block = &list_block},
    {"dont_track_primary", conf_set_flag, INSTANCE(dont_track_primary)},
    {"unicast_src_ip", conf_set_ip, INSTANCE(source)},
    {"mcast_src_ip", conf_set_ip, INSTANCE(source)},
    {"mcast_dst_ip", conf_set_ip, INSTANCE(group_address)},
    {"unicast_peer", set_peers, .block = &list_block},
    {"garp_master_delay", conf_set_seconds, INSTANCE(garp.delay_ms), 0, DAY},
    {"garp_master_repeat", conf_set_int, INSTANCE(garp.repeat), 1, 255},
    {"garp_master_refresh", conf_set_seconds, INSTANCE(garp.refresh_ms), 0, DAY},
    {"garp_master_refresh_repeat", conf_set_int, INSTANCE(garp.refresh_repeat), 1, 255},
    {"garp_lower_prio_repeat", conf_set_int, INSTANCE(garp.lower_repeat), 0, 255},
    {"down_timer_adverts", conf_set_int, INSTANCE(down_timer_adverts), 1, 100},
    {"lower_prio_no_advert", conf_set_flag, INSTANCE(no_reply)},
    {"higher_prio_send_advert", conf_set_flag, INSTANCE(last_advert)},
    {"skip_check_adv_addr", conf_set_flag, INSTANCE(any_addresses)},
    {"accept", conf_clear_flag, INSTANCE(no_accept)},
    {"no_accept", conf_set_flag, INSTANCE(no_accept)},
    {"notify", conf_set_script, INSTANCE(notify.any)},
    {"notify_master", conf_set_script, INSTANCE(notify.master)},
    {"notify_backup", conf_set_script, INSTANCE(notify.backup)},
    {"notify_fault", conf_set_script, INSTANCE(notify.fault)},
    {"notify_stop", conf_set_script, INSTANCE(notify.stop)},
    {"use_vmac", set_vmac},
    {"vmac_xmit_base", conf_set_flag, INSTANCE(vmac_xmit_base)},
    {"use_vmac_addr", refuse_vmac},
    {"use_ipvlan", refuse_vmac},
    {0}};

const struct conf_block conf_block_instance = {
    .name = "vrrp_instance",
    .keyword = instance_words,
    .known = "virtual_routes{ virtual_rules{ smtp_alert lvs_sync_daemon_interface "
	     "native_ipv6 unicast_ttl unicast_fault_no_peer check_unicast_src old_unicast_checksum "
	     "vrf track_file{ "
	     "track_process{ track_bfd{ track_src_ip no_virtual_ipaddress promote_secondaries "
	     "linkbeat_use_polling v3_checksum_as_v2 strict_mode debug notify_deleted "
	     "notify_master_rx_lower_pri notify_priority_changes timer_expired_backup "
	     "thread_timer_expired garp_extra_if vmac_garp_intvl garp_lower_prio_delay "
	     "owner_ignore_adverts kernel_rx_buf_size auth_hmac{"};

void conf_instance_new(struct conf_parse *p, const struct conf_node *n,
		       const struct conf_keyword *k, void *target)
{
	struct conf *c = target;
	struct conf_instance *i, **end = &c->instances;
	const char *name = block_name(p, n, c->n_instances);

	if (!name)
		return;
	for (; *end; end = &(*end)->next) {
		if (!strcmp((*end)->name, name)) {
			conf_warn(p, &n->word[1].at,
				  "vrrp_instance \"%s\" is there already, in line %u: this one is "
				  "skipped",
				  name, (*end)->at.line);
			return;
		}
	}
	i = conf_alloc(p->memory, sizeof(*i));
	*i = (struct conf_instance){.name = name,
				    .vrid = CONF_UNSET,
				    .priority = CONF_UNSET,
				    .version = CONF_UNSET,
				    .advert_ms = CONF_UNSET,
				    .preempt_delay_ms = CONF_UNSET,
				    .garp = garp_unset,
				    .down_timer_adverts = CONF_UNSET,
				    .at = n->word->at};
	*end = i;
	c->n_instances++;
	conf_walk(p, n->child, k->block, i);
}

/* ---- vrrp_sync_group ---- */

/* One name a line, or several. */
static void set_members(struct conf_parse *p, const struct conf_node *n,
			const struct conf_keyword *k, void *target)
{
	struct conf_group *g = target;

	(void)k;
	for (const struct conf_node *c = n->child; c; c = c->next) {
		for (size_t i = 0; i < c->n; i++) {
			g->members =
			    conf_grow(p->memory, g->members, g->n_members, sizeof(*g->members));
			g->member_at =
			    conf_grow(p->memory, g->member_at, g->n_members, sizeof(*g->member_at));
			g->members[g->n_members] = c->word[i].text;
			g->member_at[g->n_members++] = c->word[i].at;
		}
	}
}

static const struct conf_keyword group_words[] = {
    {"group", set_members, .block = &list_block},
    {"notify", conf_set_script, GROUP(notify.any)},
    {"notify_master", conf_set_script, GROUP(notify.master)},
    {"notify_backup", conf_set_script, GROUP(notify.backup)},
    {"notify_fault", conf_set_script, GROUP(notify.fault)},
    {"notify_stop", conf_set_script, GROUP(notify.stop)},
    {0}};

const struct conf_block conf_block_sync_group = {
    .name = "vrrp_sync_group",
    .keyword = group_words,
    .known = "smtp_alert track_interface{ track_script{ global_tracking track_file{ "
	     "track_process{ track_bfd{ sync_group_tracking_weight notify_priority_changes"};

void conf_group_new(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		    void *target)
{
	struct conf *c = target;
	struct conf_group *g, **end = &c->groups;
	const char *name = block_name(p, n, c->n_groups);

	if (!name)
		return;
	while (*end)
		end = &(*end)->next;
	g = conf_alloc(p->memory, sizeof(*g));
	g->name = name;
	g->at = n->word->at;
	*end = g;
	c->n_groups++;
	conf_walk(p, n->child, k->block, g);
}

/* ---- vrrp_script ---- */

static void set_script_weight(struct conf_parse *p, const struct conf_node *n,
			      const struct conf_keyword *k, void *target)
{
	struct conf_vrrp_script *s = target;
	const struct conf_word *w = conf_argument(p, n);
	double v;

	(void)k;
	if (!w || !conf_number(p, w, -253, 253, true, &v))
		return;
	s->weight = v != 0 ? (int32_t)v : CONF_NO_WEIGHT;
	s->reverse = n->n > 2 && !strcmp(n->word[2].text, "reverse");
}

static void set_user(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		     void *target)
{
	struct conf_vrrp_script *s = target;

	(void)k;
	if (!conf_argument(p, n))
		return;
	s->script.user = n->word[1].text;
	s->script.group = n->n > 2 ? n->word[2].text : NULL;
}

/* The user may stand before the script. */
static void set_program(struct conf_parse *p, const struct conf_node *n,
			const struct conf_keyword *k, void *target)
{
	struct conf_vrrp_script *s = target;
	struct conf_script old = s->script;

	conf_set_script(p, n, k, target);
	if (!s->script.user) {
		s->script.user = old.user;
		s->script.group = old.group;
	}
}

static const struct conf_keyword script_words[] = {
    {"script", set_program, SCRIPT(script)},
    {"interval", conf_set_seconds, SCRIPT(interval_ms), 0.01, DAY},
    {"timeout", conf_set_seconds, SCRIPT(timeout_ms), 0.01, DAY},
    {"weight", set_script_weight},
    {"rise", conf_set_int, SCRIPT(rise), 1, 65535},
    {"fall", conf_set_int, SCRIPT(fall), 1, 65535},
    {"user", set_user},
    {"init_fail", conf_set_flag, SCRIPT(init_fail)},
    {0}};

const struct conf_block conf_block_vrrp_script = {.name = "vrrp_script", .keyword = script_words};

void conf_vrrp_script_new(struct conf_parse *p, const struct conf_node *n,
			  const struct conf_keyword *k, void *target)
{
	struct conf *c = target;
	struct conf_vrrp_script *s, **end = &c->scripts;
	const char *name = block_name(p, n, c->n_scripts);

	if (!name)
		return;
	while (*end)
		end = &(*end)->next;
	s = conf_alloc(p->memory, sizeof(*s));
	*s = (struct conf_vrrp_script){.name = name,
				       .interval_ms = CONF_UNSET,
				       .timeout_ms = CONF_UNSET,
				       .weight = CONF_NO_WEIGHT,
				       .rise = 1,
				       .fall = 1,
				       .index = (unsigned)c->n_scripts,
				       .at = n->word->at};
	*end = s;
	c->n_scripts++;
	conf_walk(p, n->child, k->block, s);
}
