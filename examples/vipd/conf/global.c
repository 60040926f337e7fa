/* SPDX-License-Identifier: MIT */
/* The block global_defs. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf/words.h"

#define GLOBAL(member) offsetof(struct conf_globals, member)
#define DAY 86400.0

/* Why whole families of keywords have no effect. */
#define WHY_SNMP "there is no SNMP: read the metrics or the JSON of the control socket"
#define WHY_DBUS "there is no D-Bus: ask the control socket"
#define WHY_NFT "packets to addresses with no_accept are dropped by nftables, also beside iptables"
#define WHY_BFD "there is no process for BFD"

static void set_lvs_id(struct conf_parse *p, const struct conf_node *n,
		       const struct conf_keyword *k, void *target)
{
	conf_note(p, &n->word->at, "\"lvs_id\" is an old word for router_id: taken as that");
	conf_set_string(p, n, k, target);
}

static void set_script_user(struct conf_parse *p, const struct conf_node *n,
			    const struct conf_keyword *k, void *target)
{
	struct conf_globals *g = target;

	if (!conf_argument(p, n))
		return;
	g->script_user = conf_keep_word(p, n, 1);
	g->script_group = conf_keep_word(p, n, 2);
}

static void set_backend(struct conf_parse *p, const struct conf_node *n,
			const struct conf_keyword *k, void *target)
{
	static const char *const name[] = {"auto", "ipvs", "nft"};
	const struct conf_word *w = conf_argument(p, n);

	for (int i = 0; w && i < 3; i++) {
		if (!strcmp(w->text, name[i])) {
			((struct conf_globals *)target)->backend = (enum conf_backend)i;
			return;
		}
	}
	if (w)
		conf_warn(p, &w->at, "\"%s\" is no backend: write auto, ipvs or nft. Skipped",
			  w->text);
}

/* PATH [USER [GROUP]] of the FIFO at the keyword's offset. */
static void set_fifo(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		     void *target)
{
	struct conf_fifo *f = (void *)((char *)target + k->offset);

	if (!conf_argument(p, n))
		return;
	if (*n->word[1].text != '/') {
		conf_warn(p, &n->word[1].at, "\"%s\" is not a whole path: begin it with /. Skipped",
			  n->word[1].text);
		return;
	}
	f->path = conf_keep_word(p, n, 1);
	f->user = conf_keep_word(p, n, 2);
	f->group = conf_keep_word(p, n, 3);
}

static void set_reload_file(struct conf_parse *p, const struct conf_node *n,
			    const struct conf_keyword *k, void *target)
{
	const char *path = n->n > 1 ? n->word[1].text : "/run/keepalived.reload";

	if (*path != '/')
		conf_warn(p, &n->word[1].at, "\"%s\" is not a whole path: begin it with /. Skipped",
			  path);
	else
		((struct conf_globals *)target)->reload_file = conf_keep(p, path);
}

static void set_whole_path(struct conf_parse *p, const struct conf_node *n,
			   const struct conf_keyword *k, void *target)
{
	const struct conf_word *w = conf_argument(p, n);

	if (w && *w->text != '/')
		conf_warn(p, &w->at, "\"%s\" is not a whole path: begin it with /. Skipped",
			  w->text);
	else if (w)
		*(const char **)(void *)((char *)target + k->offset) = conf_keep(p, w->text);
}

/* The keyword's offset is that of the flag; VS: services only, whose servers go with them. */
static void set_flush(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		      void *target)
{
	*(bool *)(void *)((char *)target + k->offset) = true;
}

/* "tcp SECONDS" and the like, in any order. */
static void set_timeouts(struct conf_parse *p, const struct conf_node *n,
			 const struct conf_keyword *k, void *target)
{
	struct conf_globals *g = target;
	double v;

	conf_argument(p, n);
	for (size_t i = 1; i + 1 < n->n; i += 2) {
		const char *what = n->word[i].text;

		if (!conf_number(p, &n->word[i + 1], 1, 31 * DAY, true, &v))
			continue;
		if (!strcmp(what, "tcp"))
			g->lvs_timeout.tcp_s = (uint32_t)v;
		else if (!strcmp(what, "tcpfin"))
			g->lvs_timeout.tcp_fin_s = (uint32_t)v;
		else if (!strcmp(what, "udp"))
			g->lvs_timeout.udp_s = (uint32_t)v;
		else
			conf_warn(p, &n->word[i].at, "\"%s\" is not tcp, tcpfin or udp: skipped",
				  what);
	}
}

/* INTERFACE, then pairs; a word alone is the instance, as of old. */
static void set_sync(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		     void *target)
{
	struct conf_sync *s = &((struct conf_globals *)target)->sync;
	double v;

	conf_set_name(p, n,
		      &(struct conf_keyword){.word = k->word,
					     .offset = offsetof(struct conf_sync, interface)},
		      s);
	s->at = n->word->at;
	for (size_t i = 2; i < n->n; i++) {
		const struct conf_word *w = &n->word[i], *next = i + 1 < n->n ? w + 1 : NULL;

		if (next && !strcmp(w->text, "inst")) {
			s->instance = conf_keep(p, next->text);
		} else if (next && !strcmp(w->text, "id")) {
			if (conf_number(p, next, 0, 255, true, &v))
				s->id = (int)v;
		} else if (next && !strcmp(w->text, "maxlen")) {
			if (conf_number(p, next, 1, 65507, true, &v))
				s->max_len = (uint16_t)v;
		} else if (next && !strcmp(w->text, "port")) {
			conf_read_port(p, next, &s->port);
		} else if (next && !strcmp(w->text, "ttl")) {
			if (conf_number(p, next, 1, 255, true, &v))
				s->ttl = (uint8_t)v;
		} else if (next && !strcmp(w->text, "group")) {
			if (ha_ip_parse(next->text, &s->group) < 0)
				conf_warn(p, &next->at, "\"%s\" is not an address: skipped",
					  next->text);
		} else {
			s->instance = conf_keep(p, w->text);
			continue;
		}
		i++;
	}
}

/* The kernel keeps 15 characters of a name. */
static void set_name(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		     void *target)
{
	const struct conf_word *w = conf_argument(p, n);

	if (w && strlen(w->text) > 15)
		conf_warn(p, &w->at,
			  "\"%s\" is longer than 15 characters: some tools show the first 15",
			  w->text);
	if (w)
		*(const char **)(void *)((char *)target + k->offset) = conf_keep(p, w->text);
}

/* As libha takes it. */
static bool is_table_name(const char *name)
{
	size_t len = strlen(name);

	return len && len <= 31 && isalpha((unsigned char)*name) &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") ==
		   len;
}

/* The name of its own, or keepalived's. */
static void set_nft(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		    void *target)
{
	struct conf_globals *g = target;
	struct conf_nft *t = (void *)((char *)target + k->offset);
	const char *name =
	    n->n > 1 ? n->word[1].text : (t == &g->nft ? "keepalived" : "keepalived_ipvs");

	if (is_table_name(name))
		*t = (struct conf_nft){.wanted = true,
				       .named = n->n > 1,
				       .name = conf_keep(p, name),
				       .priority = t->priority};
	else
		conf_warn(p, &n->word[1].at,
			  "\"%s\" is no name of a table: at most 31 letters, digits, _ - and ., a "
			  "letter first. Skipped",
			  name);
}

static void set_first_mark(struct conf_parse *p, const struct conf_node *n,
			   const struct conf_keyword *k, void *target)
{
	const struct conf_word *w = conf_argument(p, n);
	double v;

	if (w && conf_number(p, w, 1, INT32_MAX, true, &v))
		((struct conf_globals *)target)->first_mark = (uint32_t)v;
}

static void set_rx_policy(struct conf_parse *p, const struct conf_node *n,
			  const struct conf_keyword *k, void *target)
{
	struct conf_globals *g = target;
	const struct conf_word *w = conf_argument(p, n);
	double v;

	if (!w)
		return;
	if (!strcasecmp(w->text, "MTU")) {
		g->rx_policy = CONF_RX_MTU;
	} else if (!strcasecmp(w->text, "ADVERT")) {
		g->rx_policy = CONF_RX_ADVERT;
	} else if (conf_number(p, w, 1, 1 << 30, true, &v)) {
		g->rx_policy = CONF_RX_BYTES;
		g->rx_bytes = (int)v;
	}
}

static void set_auto_priority(struct conf_parse *p, const struct conf_node *n,
			      const struct conf_keyword *k, void *target)
{
	struct conf_globals *g = target;
	double v = 99;

	if (n->n > 1 && !conf_number(p, &n->word[1], -1, 99, true, &v))
		return;
	g->vrrp.auto_priority = g->checker.auto_priority = v < 0 ? 0 : (int)v;
}

static void set_auto_delay(struct conf_parse *p, const struct conf_node *n,
			   const struct conf_keyword *k, void *target)
{
	struct conf_globals *g = target;
	const struct conf_word *w = conf_argument(p, n);
	double v;

	if (w && conf_number(p, w, 1, 10000000, true, &v))
		g->vrrp.auto_delay_us = g->checker.auto_delay_us = (int)v;
}

static void set_names(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		      void *target)
{
	struct conf_names *names = &((struct conf_globals *)target)->names;

	*names = (struct conf_names){"keepalived", "keepalived_kernel", "keepalived_vrrp",
				     "keepalived_ipvs"};
}

/* "IWGRP": a bit by its name in sys/stat.h, without S_. 0: no such bit. */
static int bit_of(const char *name, size_t len)
{
	static const char *const who[] = {"USR", "GRP", "OTH"};
	const char *right = len == 5 ? memchr("RWX", name[1], 3) : NULL;

	for (int i = 0; right && name[0] == 'I' && i < 3; i++)
		if (!strncmp(name + 2, who[i], 3))
			return (*right == 'R' ? 4 : *right == 'W' ? 2 : 1) << 3 * (2 - i);
	return 0;
}

/* Words: "IWGRP|IWOTH", "IWGRP | IWOTH". -1: not that. */
static int read_bits(const struct conf_node *n)
{
	int mask = 0;

	for (size_t i = 1; i < n->n; i++) {
		for (const char *at = n->word[i].text; *at;) {
			size_t len = strcspn(at, "|");
			int bit = bit_of(at, len);

			if (len && !bit)
				return -1;
			mask |= bit;
			at += len + (at[len] == '|');
		}
	}
	return mask;
}

static void set_umask(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		      void *target)
{
	const struct conf_word *w = conf_argument(p, n);
	char *end;
	long mask;

	if (!w)
		return;
	mask = strtol(w->text, &end, 0);
	if (*end || end == w->text)
		mask = read_bits(n);
	if (mask < 0 || mask > 0777)
		conf_warn(p, &w->at, "\"%s\" is no umask: write 022, or IWGRP|IWOTH. Skipped",
			  w->text);
	else
		((struct conf_globals *)target)->umask = (int)mask;
}

/* conf/read.c has used it already: it must come before the first ${_RANDOM}. */
static void seed_was_taken(struct conf_parse *p, const struct conf_node *n,
			   const struct conf_keyword *k, void *target)
{
	conf_argument(p, n);
}

static const struct conf_keyword global_words[] = {
    {"router_id", conf_set_string, GLOBAL(router_id), .form = "NAME", .initial = "the host name",
     .doc = "Names this node."},
    {"lvs_id", set_lvs_id, GLOBAL(router_id), .form = "NAME", .extra = true,
     .doc = "Old word for router_id."},
    {"script_user", set_script_user, .form = "USER [GROUP]",
     .initial = "keepalived_script if there is such a user, else root",
     .doc = "Who runs scripts that name no user."},
    {"enable_script_security", conf_set_flag, GLOBAL(script_security),
     .doc = "Does not run scripts that others than root may change; nobody tracks such a one."},
    {"default_interface", conf_set_name, GLOBAL(default_interface),
     .doc = "Interface of whatever names none."},

    /* Mail. */
    {"notification_email", conf_set_recipients, .block = &conf_list, .form = "{ ADDRESS ... }",
     .doc = "Who gets mail about changes."},
    {"notification_email_from", conf_set_sender, .form = "ADDRESS", .initial = "root@HOST",
     .doc = "Sender of mail."},
    {"smtp_server", conf_set_smtp_server, .form = "HOST [PORT]", .initial = "none: no mail",
     .doc = "Server that takes mail."},
    {"smtp_connect_timeout", conf_set_seconds, GLOBAL(mail.timeout_ms), 1, DAY, .initial = "30",
     .doc = "Patience with each answer of that server."},
    {"smtp_helo_name", conf_set_helo, .form = "NAME", .initial = "the host name",
     .doc = "How this node greets that server."},
    {"smtp_alert", conf_set_tristate, GLOBAL(mail.all), .initial = "off; on of real servers",
     .doc = "Mail about all that says nothing else."},
    {"smtp_alert_vrrp", conf_set_tristate, GLOBAL(mail.vrrp), .initial = "smtp_alert",
     .doc = "Mail about VRRP."},
    {"smtp_alert_checker", conf_set_tristate, GLOBAL(mail.checker), .initial = "smtp_alert",
     .doc = "Mail about virtual and real servers."},
    {"no_email_faults", conf_set_flag, GLOBAL(mail.no_faults), .doc = "No mail about FAULT."},
    {"no_checker_emails", conf_set_flag, GLOBAL(mail.no_checker),
     .doc = "No mail about virtual and real servers, whatever else is said."},

    /* VRRP: defaults of all instances. */
    {"vrrp_version", conf_set_int, GLOBAL(version), 2, 3, .initial = "2; 3 with IPv6 addresses",
     .doc = "Version of VRRP."},
    {"vrrp_strict", conf_set_flag, GLOBAL(strict),
     .doc = "Holds all instances to the RFC, see strict_mode."},
    {"vrrp_skip_check_adv_addr", conf_set_flag, GLOBAL(any_addresses),
     .doc = "Version 2: takes adverts with other addresses."},
    {"vrrp_garp_interval", conf_set_seconds, GLOBAL(garp_interval_ms), 0.000001, 60, .initial = "0",
     .doc = "Time between two gratuitous ARPs on an interface."},
    {"vrrp_gna_interval", conf_set_seconds, GLOBAL(gna_interval_ms), 0.000001, 60, .initial = "0",
     .doc = "Time between two unsolicited NAs on an interface."},
    {"vrrp_garp_master_delay", conf_set_seconds, GLOBAL(garp.delay_ms), 0, DAY, .initial = "5",
     .doc = "When neighbours are told a second time; 0: never."},
    {"vrrp_garp_master_repeat", conf_set_frames, GLOBAL(garp.repeat), 1, 255, .initial = "5",
     .doc = "Frames for each address and time."},
    {"vrrp_garp_master_refresh", conf_set_seconds, GLOBAL(garp.refresh_ms), 0, DAY, .initial = "0",
     .doc = "How often a Master tells neighbours again; 0: never."},
    {"vrrp_garp_master_refresh_repeat", conf_set_frames, GLOBAL(garp.refresh_repeat), 1, 255,
     .initial = "1", .doc = "Frames for each address then."},
    {"vrrp_garp_lower_prio_repeat", conf_set_int, GLOBAL(garp.lower_repeat), 0, 255,
     .initial = "as vrrp_garp_master_repeat",
     .doc = "Frames for each address after an advert of lower priority."},
    {"vrrp_garp_lower_prio_delay", conf_set_seconds, GLOBAL(garp.lower_delay_ms), 0, DAY,
     .initial = "as vrrp_garp_master_delay",
     .doc = "When neighbours are told a second time after an advert of lower priority; 0: never."},
    {"vrrp_min_garp", conf_set_flag, GLOBAL(min_garp),
     .doc = "One frame for each address, once, where nothing else is said."},
    {"vrrp_garp_extra_if", conf_set_garp_extra, GLOBAL(garp), 0, DAY, .form = "[all] SECONDS",
     .initial = "0",
     .doc = "How often a Master tells of an address of each macvlan that sends no adverts; all: of "
	    "each other interface; 0: never."},
    {"vrrp_vmac_garp_intvl", conf_set_garp_extra, GLOBAL(garp), 0, DAY, .form = "[all] SECONDS",
     .doc = "Old word for vrrp_garp_extra_if."},
    {"vrrp_mcast_group4", conf_set_ip, GLOBAL(group4), 4, .initial = "224.0.0.18",
     .doc = "Multicast group of IPv4."},
    {"vrrp_mcast_group6", conf_set_ip, GLOBAL(group6), 6, .initial = "ff02::12",
     .doc = "Multicast group of IPv6."},
    {CONF_ALWAYS("vrrp_check_unicast_src", "", "Takes adverts of unicast_peer only.",
		 "nobody but unicast_peer is ever heard")},
    {"vrrp_lower_prio_no_advert", conf_set_flag, GLOBAL(no_reply),
     .doc = "A Master does not answer an advert of lower priority at once."},
    {"vrrp_higher_prio_send_advert", conf_set_flag, GLOBAL(last_advert),
     .doc = "A Master that gives way sends one more advert."},
    {"vrrp_down_timer_adverts", conf_set_int, GLOBAL(down_timer_adverts), 1, 100, .initial = "3",
     .doc = "Adverts that may be missed before a takeover."},
    {"v3_checksum_as_v2", conf_set_flag, GLOBAL(bare_checksum),
     .doc = "Version 3 over IPv4: checksum without the pseudo-header."},
    {CONF_ALWAYS("dynamic_interfaces", "[allow_if_changes]", "Interfaces may come and go.",
		 "interfaces may come and go; without one an instance is in FAULT")},
    {"vrrp_startup_delay", conf_set_seconds, GLOBAL(startup_delay_ms), 0, 3600, .initial = "0",
     .doc = "How long no instance begins after vipd was started; not at a reload."},
    {"vrrp_delay_after_boot", conf_set_seconds, GLOBAL(boot_delay_ms), 0, 365 * DAY, .initial = "0",
     .doc = "How long no instance begins after the system was started; not at a reload."},
    {"log_unknown_vrids", conf_set_flag, GLOBAL(log_unknown_vrids),
     .doc = "Logs adverts of a virtual_router_id that no instance on the interface has."},
    {"vrrp_owner_ignore_adverts", conf_set_flag, GLOBAL(deaf_owner),
     .doc = "owner_ignore_adverts of all instances."},
    {"vmac_prefix", conf_set_name, GLOBAL(vmac_prefix), .once = true, .initial = "vrrp",
     .doc = "What names of virtual MAC interfaces begin with."},
    {"vmac_addr_prefix", conf_set_name, GLOBAL(vmac_addr_prefix), .once = true, .initial = "vmac_prefix",
     .doc =
	 "The same of addresses on other interfaces: use_vmac_addr, and use_vmac of an address."},
    {"disable_local_igmp", conf_set_flag, GLOBAL(no_local_igmp), .form = "",
     .doc = "While vipd runs, the kernel reports no groups of 224.0.0.0/24 by IGMP, on no "
	    "interface: "
	    "switches forward them anyhow (RFC 4541)."},
    {"vrrp_rx_bufs_policy", set_rx_policy, .form = "MTU|ADVERT|BYTES",
     .initial = "1 MiB for each interface",
     .doc = "Receive buffer of adverts on an interface: BYTES, or for each instance on it the MTU "
	    "or "
	    "the length of its advert, times vrrp_rx_bufs_multiplier."},
    {"vrrp_rx_bufs_multiplier", conf_set_int, GLOBAL(rx_multiplier), 1, 1000, .initial = "3",
     .doc = "See vrrp_rx_bufs_policy."},

    /* Processes. */
    {"vrrp_rt_priority", conf_set_int, GLOBAL(vrrp.rt_priority), 0, 99, .initial = "1 where it may",
     .doc = "Real-time priority (SCHED_RR) of the VRRP process; 0: ordinary scheduling."},
    {"checker_rt_priority", conf_set_int, GLOBAL(checker.rt_priority), 1, 99,
     .doc = "The same of the process that checks servers."},
    {CONF_NOTED("bfd_rt_priority", "1..99", "The same of BFD.", WHY_BFD)},
    {"vrrp_priority", conf_set_int, GLOBAL(vrrp.nice), -20, 19, .initial = "0",
     .doc = "Nice value of the VRRP process."},
    {"checker_priority", conf_set_int, GLOBAL(checker.nice), -20, 19, .initial = "0",
     .doc = "The same of the process that checks servers."},
    {CONF_NOTED("bfd_priority", "-20..19", "The same of BFD.", WHY_BFD)},
    {"vrrp_cpu_affinity", conf_set_cpus, GLOBAL(vrrp.cpus), 0, CONF_CPUS_MAX - 1, .form = "CPU ...",
     .doc = "Processors of the VRRP process."},
    {"checker_cpu_affinity", conf_set_cpus, GLOBAL(checker.cpus), 0, CONF_CPUS_MAX - 1,
     .form = "CPU ...", .doc = "The same of the process that checks servers."},
    {CONF_NOTED("bfd_cpu_affinity", "CPU ...", "The same of BFD.", WHY_BFD)},
    {"vrrp_rlimit_rttime", conf_set_int, GLOBAL(vrrp.rttime_us), 1, 10000000,
     .form = "MICROSECONDS",
     .doc = "How long the VRRP process may run without waiting, with vrrp_rt_priority."},
    {"vrrp_rlimit_rtime", conf_set_int, GLOBAL(vrrp.rttime_us), 1, 10000000, .form = "MICROSECONDS",
     .doc = "Old word for vrrp_rlimit_rttime."},
    {"checker_rlimit_rttime", conf_set_int, GLOBAL(checker.rttime_us), 1, 10000000,
     .form = "MICROSECONDS", .doc = "The same of the process that checks servers."},
    {"checker_rlimit_rtime", conf_set_int, GLOBAL(checker.rttime_us), 1, 10000000,
     .form = "MICROSECONDS", .doc = "Old word for checker_rlimit_rttime."},
    {CONF_NOTED("bfd_rlimit_rttime", "MICROSECONDS", "The same of BFD.", WHY_BFD)},
    {CONF_NOTED("bfd_rlimit_rtime", "MICROSECONDS", "Old word for bfd_rlimit_rttime.", WHY_BFD)},
    {CONF_ALWAYS("vrrp_no_swap", "", "Keeps the VRRP process in memory.",
		 "the VRRP process is always locked in memory")},
    {"checker_no_swap", conf_set_flag, GLOBAL(checker.no_swap),
     .doc = "Keeps the process that checks servers in memory."},
    {CONF_NOTED("bfd_no_swap", "", "Keeps BFD in memory.", WHY_BFD)},
    {"max_auto_priority", set_auto_priority, .form = "[-1..99]", .initial = "0: off",
     .doc = "A process of VRRP or of checks that runs late gets real-time scheduling, and one more "
	    "of priority "
	    "with each delay, up to this; without a number up to 99."},
    {"min_auto_priority_delay", set_auto_delay, .form = "1..10000000", .initial = "1000000",
     .doc = "How late, in microseconds."},
    {"process_names", set_names,
     .doc =
	 "Names the processes keepalived, keepalived_kernel, keepalived_vrrp and keepalived_ipvs."},
    {"process_name", set_name, GLOBAL(names.parent), .form = "NAME", .initial = "vipd",
     .doc = "Name of the parent."},
    {"vrrp_process_name", set_name, GLOBAL(names.vrrp), .form = "NAME", .initial = "vipd_vrrp",
     .doc = "Name of the VRRP process."},
    {"checker_process_name", set_name, GLOBAL(names.checker), .form = "NAME",
     .initial = "vipd_health", .doc = "Name of the process that checks servers."},
    {"lvs_process_name", set_name, GLOBAL(names.checker), .form = "NAME",
     .doc = "Old word for checker_process_name."},
    {CONF_NOTED("bfd_process_name", "NAME", "Name of the BFD process.", WHY_BFD)},
    {"umask", set_umask, .form = "NUMBER|BIT[|BIT]...", .initial = "that of vipd's parent",
     .doc = "Rights that files made by scripts lack: 022, or IWGRP|IWOTH. Files of vipd never have "
	    "more "
	    "rights than they need."},
    {"random_seed", seed_was_taken, .form = "NUMBER", .initial = "another one each time",
     .doc = "Makes ${_RANDOM} repeatable; write it before the first one."},

    /* Scripts and FIFOs. */
    {CONF_ALWAYS(
	"use_symlink_paths", "[on|off]", "Runs a script by the path that was written.",
	"a script always runs by the path that was written; what that leads to is checked")},
    {CONF_ALWAYS("set_supplementary_groups", "", "Gives scripts all groups of their user.",
		 "scripts always have all groups of their user")},
    {"startup_script", conf_set_script, GLOBAL(startup.script), .once = true, .form = "COMMAND [USER [GROUP]]",
     .doc = "Runs once, before all else."},
    {"startup_script_timeout", conf_set_seconds, GLOBAL(startup.timeout_ms), 1, 1000,
     .initial = "10", .doc = "How long it may take; then it is killed, and vipd goes on."},
    {"shutdown_script", conf_set_script, GLOBAL(shutdown.script), .once = true, .form = "COMMAND [USER [GROUP]]",
     .doc = "Runs once, after all else."},
    {"shutdown_script_timeout", conf_set_seconds, GLOBAL(shutdown.timeout_ms), 1, 1000,
     .initial = "10", .doc = "How long it may take."},
    {"notify_fifo", set_fifo, GLOBAL(fifo), .once = true, .form = "PATH [USER [GROUP]]",
     .doc = "Writes each change into a FIFO, which is made if it is not there."},
    {"notify_fifo_script", conf_set_script, GLOBAL(fifo.script), .once = true, .form = "COMMAND [USER [GROUP]]",
     .doc = "Runs, and reads that FIFO: its path is the last argument."},
    {"vrrp_notify_fifo", set_fifo, GLOBAL(vrrp_fifo), .once = true, .form = "PATH [USER [GROUP]]",
     .doc = "The same for VRRP only."},
    {"vrrp_notify_fifo_script", conf_set_script, GLOBAL(vrrp_fifo.script), .once = true,
     .form = "COMMAND [USER [GROUP]]",
     .doc = "Runs, and reads that FIFO: its path is the last argument."},
    {"lvs_notify_fifo", set_fifo, GLOBAL(lvs_fifo), .once = true, .form = "PATH [USER [GROUP]]",
     .doc = "The same for servers only."},
    {"lvs_notify_fifo_script", conf_set_script, GLOBAL(lvs_fifo.script), .once = true,
     .form = "COMMAND [USER [GROUP]]",
     .doc = "Runs, and reads that FIFO: its path is the last argument."},
    {"vrrp_notify_priority_changes", conf_set_flag, GLOBAL(priority_changes),
     .doc = "Tells FIFOs when trackers change a priority."},
    {"fifo_write_vrrp_states_on_reload", conf_set_flag, GLOBAL(fifo_on_reload),
     .doc = "Tells FIFOs all states again at a reload."},

    /* Firewall. */
    {CONF_NOTED("vrrp_iptables", "[CHAIN [CHAIN]]", "Filters with iptables.", WHY_NFT)},
    {CONF_NOTED("vrrp_ipsets", "[NAME ...]", "Filters with ipsets.", WHY_NFT)},
    {"nftables", set_nft, GLOBAL(nft), .form = "[TABLE]",
     .initial = "hawser-vrrp; without TABLE: keepalived",
     .doc = "Name of the table inet of nftables that drops packets to addresses with no_accept."},
    {"vrrp_nftables", set_nft, GLOBAL(nft), .form = "[TABLE]", .extra = true,
     .doc = "What the manual calls nftables."},
    {"nftables_priority", conf_set_int, GLOBAL(nft.priority), -2000, 2000, .initial = "-1",
     .doc = "Priority of its chain."},
    {"nftables_counters", conf_set_flag, GLOBAL(nft_counters), .form = "",
     .doc = "Rules of vipd's tables count what they drop or mark."},
    {CONF_ALWAYS("nftables_ifindex", "", "Names interfaces by number.",
		 "link-local addresses always stand with the number of their interface")},
    {"nftables_ipvs", set_nft, GLOBAL(nft_marks), .form = "[TABLE]",
     .initial = "each line of a group is a service; without TABLE: keepalived_ipvs",
     .doc = "Gives what goes to any address and port of a virtual_server_group one firewall mark, "
	    "by this table inet of "
	    "nftables: the group is one service of the kernel, and persistence holds for all of "
	    "it."},
    {"nftables_ipvs_priority", conf_set_int, GLOBAL(nft_marks.priority), -2000, 2000,
     .initial = "-150", .doc = "Priority of its chains; NAT of nftables comes at -100."},
    {"nftables_ipvs_start_fwmark", set_first_mark, .form = "NUMBER", .initial = "1000",
     .doc = "First of those marks; the next group has the next one that no virtual_server has."},

    /* Virtual servers. */
    {"lvs_sync_daemon", set_sync,
     .form = "INTERFACE [[inst] INSTANCE] [id N] [maxlen N] [port N] [ttl N] [group ADDRESS]",
     .doc = "Copies connections of IPVS to the other node."},
    {"lvs_timeouts", set_timeouts, .form = "[tcp SECONDS] [tcpfin SECONDS] [udp SECONDS]",
     .initial = "the kernel's", .doc = "How long IPVS remembers idle connections."},
    {"forwarding_backend", set_backend, .form = "auto|ipvs|nft", .initial = "auto",
     .doc = "Who serves virtual servers; auto: IPVS where the kernel has it, else nftables. "
	    "Not a word of keepalived."},
    {"lvs_flush", conf_set_flag, GLOBAL(flush), .doc = "Removes services of others at the start."},
    {"lvs_flush_on_stop", set_flush, GLOBAL(flush_on_stop), .form = "[VS]",
     .doc = "Removes all services at the stop."},
    {"lvs_flush_onstop", set_flush, GLOBAL(flush_on_stop), .form = "[VS]",
     .doc = "Old word for lvs_flush_on_stop."},
    {"rs_init_notifies", conf_set_flag, GLOBAL(init_notifies),
     .doc = "Runs notify_up of real servers that are up at the start, and tells FIFOs of them."},
    {"checker_log_all_failures", conf_set_flag, GLOBAL(log_all_failures),
     .doc = "Logs each failure of a check, not only the one that takes a server out."},
    {"drain_timeout", conf_set_seconds, GLOBAL(drain_ms), 0, 7 * 24 * 3600.0, .initial = "0",
     .doc = "A real server that a reload removes keeps its connections for so long at most. Not a "
	    "word of keepalived.",
     .extra = true},

    /* Buffers. */
    {"vrrp_netlink_cmd_rcv_bufs", conf_set_int, GLOBAL(vrrp_command.bytes), 1, 1 << 30,
     .form = "BYTES", .initial = "4194304",
     .doc = "Receive buffer of the netlink socket that sets addresses, routes and interfaces."},
    {"vrrp_netlink_cmd_rcv_bufs_force", conf_set_flag, GLOBAL(vrrp_command.force),
     .doc = "It may be larger than net.core.rmem_max."},
    {"vrrp_netlink_monitor_rcv_bufs", conf_set_int, GLOBAL(vrrp_monitor.bytes), 1, 1 << 30,
     .form = "BYTES", .initial = "4194304",
     .doc = "Receive buffer of the netlink socket that tells of links and addresses."},
    {"vrrp_netlink_monitor_rcv_bufs_force", conf_set_flag, GLOBAL(vrrp_monitor.force),
     .doc = "It may be larger than net.core.rmem_max."},
    {"lvs_netlink_cmd_rcv_bufs", conf_set_int, GLOBAL(lvs_command.bytes), 1, 1 << 30,
     .form = "BYTES", .initial = "4194304",
     .doc = "Receive buffer of the netlink socket for IPVS."},
    {"lvs_netlink_cmd_rcv_bufs_force", conf_set_flag, GLOBAL(lvs_command.force),
     .doc = "It may be larger than net.core.rmem_max."},
    {"lvs_netlink_monitor_rcv_bufs", conf_set_int, GLOBAL(lvs_monitor.bytes), 1, 1 << 30,
     .form = "BYTES", .initial = "4194304",
     .doc = "Receive buffer of the netlink socket that tells ha_suspend of addresses."},
    {"lvs_netlink_monitor_rcv_bufs_force", conf_set_flag, GLOBAL(lvs_monitor.force),
     .doc = "It may be larger than net.core.rmem_max."},
    {"process_monitor_rcv_bufs", conf_set_int, GLOBAL(processes.bytes), 1, 1 << 30, .form = "BYTES",
     .initial = "1048576",
     .doc = "Receive buffer of the netlink socket that tells vrrp_track_process of processes."},
    {"process_monitor_rcv_bufs_force", conf_set_flag, GLOBAL(processes.force),
     .doc = "It may be larger than net.core.rmem_max."},

    /* SNMP and D-Bus. */
    {CONF_REFUSED("snmp_socket", "ADDRESS", "Where the SNMP agent listens.", WHY_SNMP)},
    {CONF_REFUSED("enable_traps", "", "Sends SNMP traps.", WHY_SNMP)},
    {CONF_REFUSED("enable_snmp_vrrp", "", "SNMP about VRRP.", WHY_SNMP)},
    {CONF_REFUSED("enable_snmp_keepalived", "", "Old word for enable_snmp_vrrp.", WHY_SNMP)},
    {CONF_REFUSED("enable_snmp_checker", "", "SNMP about servers.", WHY_SNMP)},
    {CONF_REFUSED("enable_snmp_rfc", "", "SNMP by RFC 2787 and RFC 6527.", WHY_SNMP)},
    {CONF_REFUSED("enable_snmp_rfcv2", "", "SNMP by RFC 2787.", WHY_SNMP)},
    {CONF_REFUSED("enable_snmp_rfcv3", "", "SNMP by RFC 6527.", WHY_SNMP)},
    {CONF_REFUSED("snmp_vs_stats_update_interval", "SECONDS", "How old SNMP's numbers may be.",
		  WHY_SNMP)},
    {CONF_REFUSED("snmp_rs_stats_update_interval", "SECONDS", "How old SNMP's numbers may be.",
		  WHY_SNMP)},
    {CONF_REFUSED("enable_dbus", "", "Speaks D-Bus.", WHY_DBUS)},
    {CONF_REFUSED("dbus_service_name", "NAME", "Name on D-Bus.", WHY_DBUS)},
    {CONF_REFUSED("dbus_no_interface_name", "", "Names objects without interfaces.", WHY_DBUS)},

    /* Reload and files. */
    {CONF_ALWAYS("reload_check_config", "[FILE]", "Checks a file before it is taken.",
		 "a file that cannot run is always refused as a whole")},
    {"reload_time_file", set_whole_path, GLOBAL(reload_time_file), .form = "PATH",
     .doc = "When this file is there, vipd reloads at the time in its first line: HH:MM:SS, or "
	    "YYYY-MM-DD HH:MM:SS, with a Z behind it: UTC. Then the file is removed."},
    {"reload_repeat", conf_set_flag, GLOBAL(reload_repeat), .form = "",
     .doc = "It is not removed, and a time without a date counts each day."},
    {"reload_file", set_reload_file, .form = "[FILE]",
     .doc = "Is made, or emptied, before a reload reads files, and removed when they are read; "
	    "without FILE /run/keepalived.reload."},
    {CONF_ALWAYS("include_check", "[readable|match|wildcard_match|brace_match]",
		 "Checks of includes.", "an include that finds or reads nothing is always said")},
    {"config_save_dir", set_whole_path, GLOBAL(save_dir), .form = "FOLDER",
     .doc = "Keeps what was read at the start and at each reload there, as keepalived.conf.PID.N, "
	    "and what was known before and after a reload, as keepalived_vrrp.PID.N.pre and .post; "
	    "passwords are in it."},
    {CONF_NOTED("tmp_config_directory", "FOLDER", "Where the file is copied to.",
		"the file is read once, and not copied")},
    {"data_use_instance", conf_set_flag, GLOBAL(data_use_instance),
     .doc = "Puts instance and net_namespace into the names of keepalived.data and the like."},
    {"json_version", conf_set_int, GLOBAL(json_version), 1, 2, .initial = "1",
     .doc = "Shape of the JSON dump: a list of instances, or an object with it as \"vrrp\" and "
	    "\"track_process\"."},
    {"state_dump_file", conf_set_string, GLOBAL(state_dump), .form = "FILE",
     .initial = "keepalived.data", .doc = "Where SIGUSR1 writes; without a / in TMPDIR."},
    {"stats_dump_file", conf_set_string, GLOBAL(stats_dump), .form = "FILE",
     .initial = "keepalived.stats", .doc = "Where SIGUSR2 writes."},
    {"json_dump_file", conf_set_string, GLOBAL(json_dump), .form = "FILE",
     .initial = "keepalived.json", .doc = "Where the signal for JSON writes."},
    {CONF_REFUSED("state_file_location", "FILE", "What the manual calls state_dump_file.",
		  "keepalived knows state_dump_file only"),
     .extra = true},
    {CONF_REFUSED("stats_file_location", "FILE", "What the manual calls stats_dump_file.",
		  "keepalived knows stats_dump_file only"),
     .extra = true},
    {CONF_REFUSED("json_file_location", "FILE", "What the manual calls json_dump_file.",
		  "keepalived knows json_dump_file only"),
     .extra = true},
    {"iproute_usr_dir", conf_set_string, GLOBAL(iproute_usr), .form = "FOLDER",
     .initial = "/usr/share/iproute2", .doc = "Where names of routing tables stand."},
    {"iproute_etc_dir", conf_set_string, GLOBAL(iproute_etc), .form = "FOLDER",
     .initial = "/etc/iproute2", .doc = "Where the administrator's names of them stand."},
    {0}};

const struct conf_block conf_block_global = {.name = "global_defs", .keyword = global_words};

void conf_set_globals(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		      void *target)
{
	conf_walk(p, n->child, k->block, &((struct conf *)target)->globals);
}
