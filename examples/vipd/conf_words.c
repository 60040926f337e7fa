/* SPDX-License-Identifier: MIT */
#include "conf_words.h"

#include <string.h>

/* ---- The outermost blocks ---- */

#define GLOBAL(member) offsetof(struct conf_globals, member)
#define DAY 86400.0

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

	(void)k;
	if (!conf_argument(p, n))
		return;
	g->script_user = n->word[1].text;
	g->script_group = n->n > 2 ? n->word[2].text : NULL;
}

static const struct conf_keyword global_words[] = {
    {"router_id", conf_set_string, GLOBAL(router_id)},
    {"lvs_id", set_lvs_id, GLOBAL(router_id)},
    {"script_user", set_script_user},
    {"enable_script_security", conf_set_flag, GLOBAL(script_security)},
    {"default_interface", conf_set_name, GLOBAL(default_interface)},
    {"vrrp_version", conf_set_int, GLOBAL(version), 2, 3},
    {"vrrp_garp_master_delay", conf_set_seconds, GLOBAL(garp.delay_ms), 0, DAY},
    {"vrrp_garp_master_repeat", conf_set_int, GLOBAL(garp.repeat), 1, 255},
    {"vrrp_garp_master_refresh", conf_set_seconds, GLOBAL(garp.refresh_ms), 0, DAY},
    {"vrrp_garp_master_refresh_repeat", conf_set_int, GLOBAL(garp.refresh_repeat), 1, 255},
    {"vrrp_garp_lower_prio_repeat", conf_set_int, GLOBAL(garp.lower_repeat), 0, 255},
    {"vrrp_garp_interval", conf_set_seconds, GLOBAL(garp_interval_ms), 0, 60},
    {"vrrp_gna_interval", conf_set_seconds, GLOBAL(gna_interval_ms), 0, 60},
    {"vrrp_mcast_group4", conf_set_ip, GLOBAL(group4), 4},
    {"vrrp_mcast_group6", conf_set_ip, GLOBAL(group6), 6},
    {"vrrp_skip_check_adv_addr", conf_set_flag, GLOBAL(any_addresses)},
    {"vrrp_lower_prio_no_advert", conf_set_flag, GLOBAL(no_reply)},
    {"vrrp_higher_prio_send_advert", conf_set_flag, GLOBAL(last_advert)},
    {"vrrp_down_timer_adverts", conf_set_int, GLOBAL(down_timer_adverts), 1, 100},
    {"vrrp_rt_priority", conf_set_int, GLOBAL(vrrp_rt_priority), 0, 99},
    {"lvs_flush", conf_set_flag, GLOBAL(flush)},
    {"lvs_flush_on_stop", conf_set_flag, GLOBAL(flush_on_stop)},
    {"lvs_flush_onstop", conf_set_flag, GLOBAL(flush_on_stop)},
    {0}};

static const struct conf_block global_block = {
    .name = "global_defs",
    .keyword = global_words,
    .known =
	"notification_email{ notification_email_from smtp_server smtp_connect_timeout "
	"smtp_helo_name smtp_alert smtp_alert_vrrp smtp_alert_checker no_email_faults vrrp_strict "
	"vrrp_check_unicast_src max_auto_priority "
	"dynamic_interfaces notify_fifo notify_fifo_script vrrp_notify_fifo lvs_sync_daemon "
	"process_names process_name vrrp_process_name checker_process_name lvs_process_name "
	"bfd_process_name min_auto_priority_delay vrrp_priority checker_priority bfd_priority "
	"vrrp_no_swap checker_no_swap bfd_no_swap checker_rt_priority bfd_rt_priority "
	"vrrp_cpu_affinity checker_cpu_affinity bfd_cpu_affinity vrrp_rlimit_rttime "
	"checker_rlimit_rttime bfd_rlimit_rttime vrrp_rlimit_rtime checker_rlimit_rtime "
	"bfd_rlimit_rtime umask random_seed use_symlink_paths set_supplementary_groups "
	"startup_script startup_script_timeout shutdown_script shutdown_script_timeout "
	"vrrp_notify_fifo_script lvs_notify_fifo lvs_notify_fifo_script "
	"vrrp_notify_priority_changes fifo_write_vrrp_states_on_reload vrrp_garp_lower_prio_delay "
	"vrrp_min_garp vrrp_garp_extra_if vrrp_vmac_garp_intvl v3_checksum_as_v2 "
	"vrrp_startup_delay vrrp_delay_after_boot log_unknown_vrids vrrp_owner_ignore_adverts "
	"vmac_prefix vmac_addr_prefix disable_local_igmp vrrp_rx_bufs_policy "
	"vrrp_rx_bufs_multiplier vrrp_iptables vrrp_ipsets vrrp_nftables nftables "
	"nftables_priority nftables_counters nftables_ifindex nftables_ipvs "
	"nftables_ipvs_priority nftables_ipvs_start_fwmark lvs_timeouts rs_init_notifies "
	"no_checker_emails checker_log_all_failures vrrp_netlink_cmd_rcv_bufs "
	"vrrp_netlink_cmd_rcv_bufs_force vrrp_netlink_monitor_rcv_bufs "
	"vrrp_netlink_monitor_rcv_bufs_force lvs_netlink_cmd_rcv_bufs "
	"lvs_netlink_cmd_rcv_bufs_force lvs_netlink_monitor_rcv_bufs "
	"lvs_netlink_monitor_rcv_bufs_force process_monitor_rcv_bufs "
	"process_monitor_rcv_bufs_force snmp_socket enable_traps enable_snmp_vrrp "
	"enable_snmp_keepalived enable_snmp_checker enable_snmp_rfc enable_snmp_rfcv2 "
	"enable_snmp_rfcv3 snmp_vs_stats_update_interval snmp_rs_stats_update_interval "
	"enable_dbus dbus_service_name dbus_no_interface_name reload_check_config "
	"reload_time_file reload_repeat reload_file include_check config_save_dir "
	"tmp_config_directory data_use_instance json_version state_dump_file stats_dump_file "
	"json_dump_file state_file_location stats_file_location json_file_location "
	"iproute_usr_dir iproute_etc_dir"};

static void set_globals(struct conf_parse *p, const struct conf_node *n,
			const struct conf_keyword *k, void *target)
{
	struct conf *c = target;

	conf_walk(p, n->child, k->block, &c->globals);
}

static const struct conf_keyword root_words[] = {
    {"global_defs", set_globals, .block = &global_block},
    {"vrrp_instance", conf_instance_new, .block = &conf_block_instance},
    {"vrrp_sync_group", conf_group_new, .block = &conf_block_sync_group},
    {"vrrp_script", conf_vrrp_script_new, .block = &conf_block_vrrp_script},
    {"virtual_server", conf_virtual_new, .block = &conf_block_virtual},
    {"virtual_server_group", conf_virtual_group_new, .block = &conf_block_virtual_group},
    {0}};

const struct conf_block conf_root = {
    .name = "the file",
    .keyword = root_words,
    .known = "track_file{ vrrp_track_file{ vrrp_track_process{ static_ipaddress{ static_routes{ "
	     "static_rules{ net_namespace instance track_group{ garp_group{ bfd_instance{ "
	     "linkbeat_interfaces{ linkbeat_use_polling interface_up_down_delays{ SSL{ "
	     "net_namespace_ipvs namespace_with_ipsets use_pid_dir child_wait_time"};

/*
 * Blocks that are skipped as a whole; their words are known, so that one in the wrong place is
 * recognised.
 */
static const struct conf_block skipped_blocks[] = {
    {.name = "url",
     .known = "path digest status_code regex regex_no_match regex_options regex_min_offset "
	      "regex_max_offset regex_stack"},
    {.name = "UDP_CHECK", .known = "payload require_reply min_reply_length max_reply_length"},
    {.name = "FILE_CHECK", .known = "track_file weight dynamic"},
    {.name = "SSL", .known = "password ca certificate key"},
    {.name = "auth_hmac", .known = "key active_key time_window anti_replay mode"},
    {.name = "track_file", .known = "file weight init_file"},
    {.name = "vrrp_track_process",
     .known = "process weight quorum delay param_match quorum_max "
	      "terminate_delay fork_delay full_command"},
    {.name = "garp_group", .known = "garp_interval gna_interval interface interfaces"},
    {.name = "bfd_instance",
     .known = "neighbor_ip neighbour_ip source_ip min_rx min_tx idle_tx multiplier passive ttl "
	      "hoplimit max_hops multihop weight vrrp checker"},
};

/* ---- Looking words up ---- */

/* The next blank-separated word: its length, without the mark of a block; 0 at the end. */
static size_t next_known(const char **at, bool *ret_opens)
{
	size_t len;

	*at += strspn(*at, " ");
	len = strcspn(*at, " ");
	*ret_opens = len && (*at)[len - 1] == '{';
	return len - *ret_opens;
}

static bool in_known(const char *known, const char *word, bool *ret_opens)
{
	size_t want = strlen(word), len;

	for (const char *at = known ? known : ""; (len = next_known(&at, ret_opens));
	     at += len + *ret_opens)
		if (len == want && !memcmp(at, word, len))
			return true;
	return false;
}

enum conf_known conf_word_find(const struct conf_block *b, const char *word,
			       const struct conf_keyword **ret_keyword)
{
	bool opens;

	for (const struct conf_keyword *k = b->keyword; k && k->word; k++) {
		if (!strcmp(k->word, word)) {
			if (ret_keyword)
				*ret_keyword = k;
			return CONF_WORD_USED;
		}
	}
	return in_known(b->known, word, &opens) ? CONF_WORD_IGNORED : CONF_WORD_UNKNOWN;
}

bool conf_word_opens(const struct conf_block *b, const char *word)
{
	const struct conf_keyword *k;
	bool opens;

	if (!b)
		return false;
	if (conf_word_find(b, word, &k) == CONF_WORD_USED)
		return k->block;
	return in_known(b->known, word, &opens) && opens;
}

static const char *find_below(const struct conf_block *b, const struct conf_block *not_here,
			      const char *word, unsigned depth)
{
	if (b != not_here && conf_word_find(b, word, NULL) != CONF_WORD_UNKNOWN)
		return b->name;
	for (const struct conf_keyword *k = b->keyword; k && k->word && depth; k++) {
		const char *name =
		    k->block ? find_below(k->block, not_here, word, depth - 1) : NULL;

		if (name)
			return name;
	}
	return NULL;
}

const char *conf_word_elsewhere(const struct conf_block *not_here, const char *word)
{
	const char *name = find_below(&conf_root, not_here, word, CONF_DEPTH_MAX);

	for (size_t i = 0; !name && i < sizeof(skipped_blocks) / sizeof(*skipped_blocks); i++)
		if (conf_word_find(&skipped_blocks[i], word, NULL) != CONF_WORD_UNKNOWN)
			name = skipped_blocks[i].name;
	return name;
}

static const char *nearest_word(struct conf_parse *p, const struct conf_block *b, const char *word)
{
	char room[4096]; /* as long as the longest `known` and then some */
	const char *word_of[256], *nearest;
	size_t n = 0, used = 0, len;
	bool opens;

	for (const struct conf_keyword *k = b->keyword; k && k->word && n < 256; k++)
		word_of[n++] = k->word;
	for (const char *at = b->known ? b->known : "";
	     (len = next_known(&at, &opens)) && n < 256 && used + len < sizeof(room);
	     at += len + opens) {
		memcpy(room + used, at, len);
		room[used + len] = '\0';
		word_of[n++] = room + used;
		used += len + 1;
	}
	nearest = diag_nearest(word, word_of, n);
	return nearest ? conf_strdup(p->memory, nearest) : NULL;
}

/* ---- Walking ---- */

static void say_unknown(struct conf_parse *p, const struct conf_node *n, const struct conf_block *b)
{
	const char *word = n->word->text, *what = n->block ? ": its block is skipped" : ": skipped";
	const char *where, *nearest;

	if (diag_full(p->diag)) {
		conf_warn(p, &n->word->at, "unknown");
		return;
	}
	where = conf_word_elsewhere(b, word);
	if (where) {
		conf_warn(p, &n->word->at, "\"%s\" has no place in %s, but in %s%s", word, b->name,
			  where, what);
		return;
	}
	nearest = nearest_word(p, b, word);
	if (nearest)
		conf_warn(p, &n->word->at, "unknown keyword \"%s\": did you mean \"%s\"?%s", word,
			  nearest, n->block ? " Its block is skipped" : " Skipped");
	else
		conf_warn(p, &n->word->at, "unknown keyword \"%s\"%s", word, what);
}

static void walk_one(struct conf_parse *p, const struct conf_node *n, const struct conf_block *b,
		     void *target)
{
	const struct conf_keyword *k;

	if (n->word->quoted) {
		conf_warn(p, &n->word->at,
			  "a keyword must stand here, not \"%s\" in quotes: "
			  "skipped",
			  n->word->text);
		return;
	}
	if (n->word->text[0] == '{')
		return; /* said when the brace was read */
	switch (conf_word_find(b, n->word->text, &k)) {
	case CONF_WORD_UNKNOWN:
		say_unknown(p, n, b);
		return;
	case CONF_WORD_IGNORED:
		if (b->quiet)
			return;
		conf_warn(p, &n->word->at,
			  "keyword \"%s\" is known to keepalived but not supported by this "
			  "version: ignored",
			  n->word->text);
		return;
	case CONF_WORD_USED:
		break;
	}
	if (n->block && !k->block)
		conf_warn(p, &n->open, "\"%s\" takes no block: the block is skipped", k->word);
	if (!n->block && k->block)
		conf_warn(p, &n->word->at, "\"%s\" needs a block: write { after it. Skipped",
			  k->word);
	else
		k->fn(p, n, k, target);
}

void conf_walk(struct conf_parse *p, const struct conf_node *n, const struct conf_block *b,
	       void *target)
{
	for (; n; n = n->next)
		walk_one(p, n, b, target);
}
