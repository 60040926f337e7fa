/* SPDX-License-Identifier: MIT */
/*
 * What a keepalived.conf says, as data. The supervisor reads it once; the other processes inherit it
 * by fork, so nothing here changes after conf_load.
 *
 * Memory belongs to the struct conf as a whole. Times are milliseconds, -1: not said.
 */
#ifndef VIPD_CONF_H
#define VIPD_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <linux/rtnetlink.h>

#include <libha/ip.h>
#include <libha/route.h>
#include <libha/vrrp.h>

#include "diag.h"

#define CONF_UNSET (-1)
#define CONF_FOREVER (-2)
#define CONF_NO_WEIGHT INT32_MIN /* a tracker without a weight: its failure is a fault */
#define CONF_NAME_MAX 63	 /* characters of an instance, group or script name */
#define CONF_ARGS_MAX 31	 /* words of a script */
#define CONF_MAILBOX_MAX 254	 /* characters (RFC 5321 section 4.5.3.1.3) */
#define CONF_RECIPIENTS_MAX 64
#define CONF_INSTANCES_MAX 16384 /* vrrp_instance; also of vrrp_sync_group and vrrp_script */

/* A program to run. argv[0] NULL: none. */
struct conf_script {
	const char *const *argv;  /* NULL: no script; ends with NULL */
	const char *user, *group; /* NULL: script_user */
	struct diag_place at;
};

/* Of something that few have. */
struct conf_up_down {
	struct conf_script up, down;
};

struct conf_notify {
	struct conf_script master, backup, fault, stop;
	struct conf_script any; /* gets type, name, state and priority as arguments */
	/* Of few instances; NULL: none. */
	struct conf_script *deleted, *rx_lower;
};

/* A macvlan that addresses of an instance are on, up while it is MASTER only. */
struct conf_vmac {
	struct conf_vmac *next;
	const char *name;   /* of the macvlan; set when all is read */
	const char *parent; /* the interface below it */
	uint8_t family;	    /* whose virtual router MAC address it has */
	uint8_t mac[6];	    /* instead of that one; all zero: none */
};

/* use_ipvlan: a link with an address of its own that adverts leave from and arrive on; the addresses are below it. */
struct conf_ipvlan {
	const char *name;   /* set when all is read */
	const char *parent; /* likewise: the interface that was written */
	struct ha_ip ip;    /* none: IPv6's link-local one, which the kernel makes */
	uint8_t prefix;
	uint16_t flags; /* IPVLAN_F_*; 0: bridge */
};

/* A virtual address. */
struct conf_address {
	struct ha_ip ip;
	uint8_t prefix;
	uint8_t scope;	   /* RT_SCOPE_… */
	const char *dev;   /* NULL: the instance's interface */
	const char *label; /* NULL: none */
	struct ha_ip broadcast;
	struct ha_ip peer;	 /* the other end of a point-to-point link */
	uint32_t flags;		 /* IFA_F_... that were asked for */
	int64_t preferred_s;	 /* CONF_UNSET: for ever, but 0 of an IPv6 /128; or CONF_FOREVER */
	bool advertised;	 /* false: virtual_ipaddress_excluded */
	const char *track_group; /* of a static one; NULL: none */
	bool use_vmac;
	const struct conf_vmac *vmac; /* that it is on; NULL: on `dev` itself */
	bool no_track;
	bool dad; /* -nodad: IPv6 looks for others that have it */
	struct diag_place at;
};

/* A route or a rule that is there while its instance is MASTER. */
struct conf_hop {
	struct ha_net_nexthop hop;
	const char *dev; /* NULL: none */
};

enum conf_route_how { CONF_ROUTE_PREPEND, CONF_ROUTE_ADD, CONF_ROUTE_APPEND };

struct conf_route {
	struct ha_net_route route; /* without ifindex and nexthops */
	const char *dev;	   /* NULL: none */
	const char *vrf;	   /* into whose table; NULL: into that of the route */
	struct conf_hop *hops;
	size_t n_hops;
	enum conf_route_how how; /* among routes to the same destination */
	bool no_track;		 /* whoever removes it has removed it */
	const char *track_group; /* of a static one; NULL: none */
	uint32_t index;		 /* of all routes and rules of the file */
	const char *text;	 /* as it was written */
	struct diag_place at;
};

/* A destination on the link is on the instance's link, when no other is named. */
static inline bool conf_route_at_home(const struct conf_route *r)
{
	return !r->dev && !r->n_hops && !r->route.via.family && (!r->route.type || r->route.type == RTN_UNICAST);
}

struct conf_rule {
	struct ha_net_rule rule;
	bool no_track;
	uint32_t index; /* of all routes and rules of the file */
	const char *text; /* as it was written, and with its preference */
	struct diag_place at;
};

struct conf_track_interface {
	const char *name;
	int32_t weight; /* CONF_NO_WEIGHT, or -254..254 */
	int reverse;	/* 0, 1 */
	struct diag_place at;
};

/* A vrrp_script: run again and again, its exit status is a tracker. */
struct conf_vrrp_script {
	struct conf_vrrp_script *next;
	const char *name;
	struct conf_script script;
	int64_t interval_ms, timeout_ms;
	int64_t retry_ms;  /* from a failure that is borne to the next run; 0: interval_ms */
	bool log_failures; /* each of them */
	bool dynamic;	   /* misc_dynamic: exit codes 2 to 255 are successes, and weights */
	int64_t spread_ms; /* the first run lies within this time */
	int32_t weight;	   /* CONF_NO_WEIGHT or -254..254 */
	bool reverse;
	int rise, fall;
	bool init_fail;
	bool off;	/* conf/secure.c: it cannot be run, or nobody may */
	bool unused;	/* a vrrp_script that nobody tracks: it is not run, as in keepalived */
	unsigned index; /* in the order of the file; MISC_CHECKs are counted on behind */
	struct diag_place at;
};

struct conf_track_script {
	const char *name;
	const struct conf_vrrp_script *script; /* found after loading */
	int32_t weight;
	int reverse; /* 0, 1; CONF_UNSET while it is read: the script's */
	struct diag_place at;
};

/* A file, processes or a neighbour, whose number or being there is a tracker. */
enum conf_watch_kind { CONF_WATCH_FILE, CONF_WATCH_PROCESS, CONF_WATCH_BFD };
enum conf_match { CONF_MATCH_EXACT, CONF_MATCH_PARTIAL, CONF_MATCH_INITIAL };

struct conf_watch {
	struct conf_watch *next;
	enum conf_watch_kind kind;
	const char *name;
	uint32_t index; /* in the order of the file, of all kinds */
	int32_t weight; /* 0: it alone is a fault */
	bool reverse;
	struct {
		const char *path;
		bool init, overwrite; /* init_file */
		int32_t first;
	} file;
	struct {
		const char **argv;
		size_t n_argv;
		bool whole; /* the command line is compared, not the name of the process */
		enum conf_match match;
		int quorum, quorum_max; /* quorum_max CONF_UNSET: any */
		int64_t fork_ms, terminate_ms;
	} process;
	struct {
		struct ha_ip peer, local;
		uint32_t rx_us, tx_us, idle_us;
		int multiplier, max_hops;
		bool passive, multihop;
		bool checked;	       /* a BFD_CHECK names it */
		const char *interface; /* of the first instance that tracks it; NULL: the route's */
	} bfd;
	struct diag_place at;
};

struct conf_track_watch {
	enum conf_watch_kind kind;
	const char *name;
	struct conf_watch *watch; /* found after loading */
	int32_t weight;		  /* 0: it alone is a fault */
	int reverse;		  /* 0, 1; CONF_UNSET while it is read: the watch's */
	struct diag_place at;
};

struct conf_tracks {
	struct conf_track_watch *at;
	size_t n;
};

/* GARP and NA: of the globals the defaults, of an instance its own. */
struct conf_garp {
	int64_t delay_ms, refresh_ms, lower_delay_ms;
	int repeat, refresh_repeat, lower_repeat;
	int64_t extra_ms; /* garp_extra_if; 0: not */
	int extra_all;	  /* on all interfaces, not on macvlans only */
};

/* Nothing of it was said. */
#define CONF_GARP_UNSET                                                                 \
	{                                                                               \
		CONF_UNSET, CONF_UNSET, CONF_UNSET, CONF_UNSET, CONF_UNSET, CONF_UNSET, \
		    CONF_UNSET, CONF_UNSET                                              \
	}

struct conf_group;

/* The interface of unicast that has none: no interface has a name with a space. */
#define CONF_BY_ROUTE "by route"

struct conf_instance {
	struct conf_instance *next;
	const char *name;
	bool master; /* `state MASTER`: only a wish, priority decides */
	const char *interface; /* of adverts: an interface, a VRF or CONF_BY_ROUTE */
	struct diag_place interface_at; /* where it is written; line 0: nowhere */
	const char *home;      /* the interface of addresses that name none */
	const char *vrf;       /* as written; NULL: none */
	bool shares_vrid;      /* another one on `interface` has the same vrid and family ... */
	bool is_second;	       /* ... and stands before it */
	int vrid, priority, version;
	int64_t advert_ms;
	const char *auth_pass; /* NULL: none. At most 8 characters */
	bool auth_ah;	       /* auth_pass is the key of an Authentication Header */
	bool auth_typed;       /* a known auth_type was written */
	bool no_preempt;
	int64_t preempt_delay_ms;
	struct conf_garp garp;
	int down_timer_adverts;
	bool no_accept, any_addresses, no_reply, last_advert, dont_track_primary, deaf_owner;
	bool promote_secondaries, track_source;
	int rival_priority;  /* timer_expired_backup; 0: not */
	int old_checksum;    /* old_unicast_checksum: 0 never, 1; CONF_UNSET: as the peer does */
	int rx_buffer_bytes; /* kernel_rx_buf_size; 0: vrrp_rx_bufs_policy */
	int strict;	     /* strict_mode: 0, 1, CONF_UNSET */
	int accept;	     /* likewise; !no_accept when the file is read */
	bool usable;	     /* used by conf_check: it was not taken out */
	int bare_checksum;
	uint8_t unicast_ttl; /* 0: 255 */
	bool fault_no_peer, no_addresses, native_ipv6;
	bool vmac_xmit_base, vmac_addresses; /* use_vmac_addr */
	bool vmac_vrid;			     /* the last byte of its MAC address is the vrid */
	struct conf_ipvlan *ipvlan;	     /* NULL: none */
	struct conf_vmac *vmac;		     /* use_vmac; NULL: none */
	struct conf_vmac *vmacs;	     /* all: that one, and those of addresses elsewhere */
	struct ha_ip source;		     /* mcast_src_ip or unicast_src_ip */
	struct ha_ip group_address;
	struct ha_ip *peers;
	struct ha_vrrp_ttls *peer_ttls; /* of each of them */
	size_t n_peers;
	struct conf_address *addresses; /* advertised ones first */
	size_t n_addresses, n_advertised;
	struct conf_route *routes;
	size_t n_routes;
	struct conf_rule *rules;
	size_t n_rules;
	struct conf_track_interface *interfaces;
	size_t n_interfaces;
	struct conf_track_script *scripts;
	size_t n_scripts;
	struct conf_tracks watches;
	struct conf_notify notify;
	int smtp_alert;			/* mail about it: 0, 1, CONF_UNSET */
	bool tell_deleted;		/* DELETED, not STOP, when a reload removes it */
	int priority_changes;		/* told to FIFOs: 0, 1, CONF_UNSET */
	const struct conf_group *group; /* NULL: none */
	uint8_t family;			/* of the advertised addresses */
	struct diag_place at;
};

/* vrrp_sync_group */
struct conf_group {
	struct conf_group *next;
	const char *name;
	const char **members; /* as written; those that exist point back by conf_instance.group */
	struct diag_place *member_at;
	size_t n_members;
	struct conf_track_interface *interfaces; /* which its members track, too */
	size_t n_interfaces;
	struct conf_track_script *scripts;
	size_t n_scripts;
	struct conf_tracks watches;
	bool tracking_weight; /* weights of its members count */
	bool priority_changes;
	struct conf_notify notify;
	int smtp_alert;
	struct diag_place at;
};

/* Of checks: a real server inherits from its virtual server, a check from its real server. */
struct conf_check_common {
	int delay_loop_ms, connect_timeout_ms, delay_before_retry_ms, warmup_ms; /* at most a day */
	int retry;
	int alpha; /* 0, 1, CONF_UNSET */
};

enum conf_check_kind {
	CONF_CHECK_TCP,
	CONF_CHECK_PING,
	CONF_CHECK_HTTP, /* HTTP_GET and SSL_GET */
	CONF_CHECK_SMTP,
	CONF_CHECK_DNS,
	CONF_CHECK_UDP,
	CONF_CHECK_MISC, /* the supervisor runs its script */
	CONF_CHECK_FILE, /* the supervisor reads its track_file */
	CONF_CHECK_BFD,	 /* vrrp speaks with its bfd_instance */
	N_CONF_CHECKS
};

/* From where to where a check connects. */
struct conf_way {
	struct ha_ip connect_ip; /* none: the real server's */
	struct ha_ip bind_ip;
	int connect_port; /* CONF_UNSET: the real server's */
	int bind_port;
	const char *bind_device;
	uint32_t fwmark;
};
extern const struct conf_way conf_way_default;

#define CONF_URLS_MAX 32   /* of one HTTP_GET */
#define CONF_STATUS_MAX 16 /* words of status_code */

struct conf_status {
	uint16_t first, last;
};

struct conf_url {
	struct conf_url *next;
	const char *path, *host, *digest;
	const char *regex; /* as regex.h takes it: options and pattern in one */
	int regex_min, regex_max;
	bool regex_no_match;
	bool close_notify; /* of the check, too */
	const struct conf_status *status;
	size_t n_status; /* at most CONF_STATUS_MAX */
};

struct conf_http {
	struct conf_url *urls; /* asked in turn; at least one */
	unsigned n_urls;
	const char *host, *sni_name;
	bool version_1_1, tls, sni;
	bool close_notify; /* tls_compliant */
};

struct conf_dns {
	const char *name; /* NULL: the root */
	int type;	  /* 0: SOA */
};
const char *conf_dns_type_name(int type);

struct conf_udp {
	const uint8_t *payload; /* NULL: the library's */
	const uint8_t *reply, *reply_mask;
	size_t payload_len, reply_len; /* reply_len 0: any */
	int reply_min, reply_max;
	bool require_reply;
};

/* Real servers may share it. */
struct conf_check {
	struct conf_check *next;
	enum conf_check_kind kind;
	int log_all_failures; /* 0, 1; CONF_UNSET while it is read */
	struct conf_check_common common;
	const struct conf_way *way;
	union { /* of the kind */
		const struct conf_http *http;
		const struct conf_dns *dns;
		const struct conf_udp *udp;
		const char *helo;
		struct conf_track_watch *track; /* a track_file, a bfd_instance */
	};
	struct conf_vrrp_script *misc; /* MISC_CHECK; NULL: another kind */
	struct diag_place at;	       /* of the first of those that share it */
};

/* No packet is sent for it: the supervisor says how it stands. */
static inline bool conf_check_is_told(const struct conf_check *c)
{
	return c->kind == CONF_CHECK_MISC || c->kind == CONF_CHECK_FILE ||
	       c->kind == CONF_CHECK_BFD;
}

/* How packets get to a server. */
struct conf_forward {
	int method; /* enum ha_forward, or CONF_UNSET: the virtual server's */
	int tunnel; /* enum ha_tunnel */
	uint16_t tunnel_port;
	uint32_t tunnel_flags;
};

/* What thousands of real servers have in common: it is there once for all that are equal in it. */
struct conf_real_opts {
	struct conf_forward forward;
	struct conf_check_common common;
	const char *host;	     /* virtualhost of its HTTP checks */
	struct conf_up_down *notify; /* notify_up, notify_down; NULL: neither */
	int upper, lower;
	int inhibit; /* inhibit_on_failure: 0, 1 */
	int smtp_alert;
};

struct conf_real {
	struct conf_real *next;
	struct ha_ip ip;
	uint16_t port;
	int weight;
	struct conf_real_opts *opts;
	struct conf_check *checks; /* there once for all that have equal ones */
	struct diag_place at;
};

/* Where a virtual server listens: one, or many with a virtual_server_group. */
struct conf_listen {
	struct ha_ip ip; /* with a fwmark only the family */
	uint16_t port;
	uint32_t fwmark;
	struct diag_place at;
};

struct conf_virtual_group {
	struct conf_virtual_group *next;
	const char *name;
	struct conf_listen *listen;
	size_t n_listen;
	struct diag_place at;
};

/* Where they were written; line 0: nowhere. */
struct conf_quorum_at {
	struct diag_place quorum, hysteresis;
};

struct conf_virtual {
	struct conf_virtual *next;
	const char *name;	/* as people know it: "10.0.0.1:80", "fwmark 7", "group web" */
	const char *group_name; /* NULL: no group */
	struct conf_listen *listen;
	size_t n_listen;
	/* nftables_ipvs: these get the mark that `listen` is about, instead of being services; none: n_marked 0 */
	struct conf_listen *marked;
	size_t n_marked;
	const char *scheduler; /* NULL: wlc */
	uint32_t flags;	       /* HA_SERVICE_… */
	uint32_t hash_flags;   /* of them what only sh and mh know, until it is known which it is */
	struct conf_forward forward, sorry_forward;
	int protocol;	  /* CONF_UNSET, or IPPROTO_… */
	uint8_t family;	  /* ip_family, of a fwmark; 0: not said */
	const char *host; /* virtualhost of HTTP checks */
	int64_t persistence_s; /* 0: none */
#define CONF_PERSISTENCE_S 360 /* without a value of its own */
	int persistence_prefix;
	const char *persistence_engine;
	int quorum, hysteresis;
	struct conf_quorum_at *quorum_at; /* while all is read; NULL: neither was written */
	int inhibit;
	bool omega, ha_suspend;
	bool nat_is_taken; /* by a real server, because nobody said how packets get to it */
	int weight;	   /* default of the real servers */
	struct conf_check_common common;
	struct conf_real *reals;
	size_t n_reals;
	struct conf_real *sorry; /* NULL: none */
	int sorry_inhibit;
	struct conf_up_down *quorum_notify; /* quorum_up, quorum_down; NULL: neither */
	int smtp_alert; /* of the quorum, and the default of its real servers */
	struct diag_place at;
};

/* Where a process runs, and when. */
struct conf_schedule {
	int nice;
	int rt_priority;   /* of SCHED_RR; 0: ordinary; CONF_UNSET: as the process thinks best */
	int auto_priority; /* max_auto_priority: how far rt_priority rises with each delay; 0: not */
	int auto_delay_us; /* of so long, at least */
	int rttime_us;	   /* 0: no limit */
	uint64_t cpus;	   /* a bit for each; 0: any */
	bool no_swap;	   /* all of it stays in memory */
};

/* What "ps" shows; NULL: vipd's own. */
struct conf_names {
	const char *parent, *kernel, *vrrp, *checker;
};

/* lvs_sync_daemon: connections of IPVS are copied to the other node. */
struct conf_sync {
	const char *interface; /* NULL: not at all */
	const char *instance;  /* whose state decides who sends; NULL: both do, always */
	int id;		       /* CONF_UNSET: the instance's virtual_router_id, or 0 */
	uint16_t max_len, port;
	uint8_t ttl;
	struct ha_ip group;
	unsigned index; /* of the instance, in the order of the file */
	struct diag_place at;
};

/* IPVS forgets idle connections after; 0: the kernel's default. */
struct conf_lvs_timeout {
	uint32_t tcp_s, tcp_fin_s, udp_s;
};

struct conf_garp_group {
	struct conf_garp_group *next;
	int64_t garp_interval_ms, gna_interval_ms; /* CONF_UNSET: the global one */
	const char **interfaces;
	size_t n_interfaces;
};

/* How long a link must be down, or up, before it counts. */
struct conf_link_delay {
	struct conf_link_delay *next;
	const char *interface;
	int64_t down_ms, up_ms;
};

/* notify_fifo and the like. */
struct conf_fifo {
	const char *path, *user, *group; /* path NULL: none */
	struct conf_script script;	 /* reads it */
};

/* Runs once, before or after all else, which waits for it. */
struct conf_hook {
	struct conf_script script;
	int64_t timeout_ms;
};

/* Mail about changes. */
struct conf_mail {
	const char **to; /* mailboxes */
	size_t n_to;
	const char *from;
	const char *server; /* NULL: no mail */
	uint16_t port;
	const char *helo;
	int64_t timeout_ms;
	int all, vrrp, checker; /* smtp_alert and the like: 0, 1, CONF_UNSET */
	bool no_faults, no_checker;
};

/* Who serves virtual servers: the first that is there, or only this one. */
enum conf_backend { CONF_BACKEND_AUTO, CONF_BACKEND_IPVS, CONF_BACKEND_NFT };

/* vrrp_rx_bufs_policy: how large the receive buffer of adverts is. */
enum conf_rx_policy { CONF_RX_ROOMY, CONF_RX_MTU, CONF_RX_ADVERT, CONF_RX_BYTES };

/* Of netlink sockets; bytes 0: as the library has it. */
struct conf_netlink_buffer {
	int bytes;
	bool force; /* beyond the system's limit */
};

#define CONF_CPUS_MAX 64

/* A table of nftables. */
struct conf_nft {
	bool wanted;	  /* nftables_ipvs was written; of no_accept: without a meaning */
	bool named;	  /* TABLE was written: the name is that one ... */
	bool taken;	  /* ... unless another vipd on this host has it: supervisor/tables.c */
	const char *name; /* NULL: the library's */
	int priority;	  /* of its chains; CONF_NFT_PRIORITY: the library's */
};
#define CONF_NFT_PRIORITY INT32_MIN

struct conf_globals {
	const char *router_id;
	struct conf_names names;
	int umask;				 /* of scripts; CONF_UNSET: as it is */
	int64_t startup_delay_ms, boot_delay_ms; /* vrrp_delay_after_boot */
	const char *instance, *name_space;	 /* parts of file names; NULL: none */
	const char *ipvs_name_space;		 /* NULL: none; "": that of init */
	bool use_pid_dir, data_use_instance;
	const char *reload_file;      /* NULL: none */
	const char *save_dir;	      /* likewise */
	const char *reload_time_file; /* likewise; when to reload */
	bool reload_repeat;	      /* it stays */
	int json_version;
	const char *script_user, *script_group;
	bool script_security;
	const char *default_interface;
	int version;
	struct conf_garp garp;
	int64_t garp_interval_ms, gna_interval_ms; /* between two frames on an interface */
	struct ha_ip group4, group6;
	bool any_addresses, no_reply, last_advert, log_unknown_vrids, deaf_owner;
	bool min_garp; /* fewest frames where nothing else is said */
	bool no_local_igmp; /* disable_local_igmp */
	enum conf_rx_policy rx_policy;
	int rx_bytes, rx_multiplier;
	struct conf_netlink_buffer vrrp_command, vrrp_monitor, lvs_command, lvs_monitor, processes;
	int child_wait_s;
	struct conf_nft nft, nft_marks; /* of no_accept; nftables_ipvs */
	bool nft_counters;
	uint32_t first_mark; /* nftables_ipvs_start_fwmark */
	int down_timer_adverts;
	bool flush, flush_on_stop;
	enum conf_backend backend;
	struct conf_schedule vrrp, checker;
	bool strict;
	bool bare_checksum; /* version 3 over IPv4: without the pseudo-header */
	const char *vmac_prefix, *vmac_addr_prefix; /* NULL: "vrrp"; the former */
	struct conf_sync sync;
	struct conf_lvs_timeout lvs_timeout;
	const char *iproute_usr, *iproute_etc;
	struct conf_fifo fifo, vrrp_fifo, lvs_fifo;
	bool fifo_on_reload;   /* all states again */
	bool priority_changes; /* told to FIFOs, of instances that do not say */
	struct conf_hook startup, shutdown;
	struct conf_mail mail;
	const char *state_dump, *stats_dump, *json_dump; /* files; NULL: keepalived's names */
	bool log_all_failures;
	bool init_notifies; /* real servers that are up at the start are told as such */
	const char *ssl_certificate, *ssl_key, *ssl_password; /* that SSL_GET shows; NULL: none */
	const char *ssl_ca;				      /* completes its chain; NULL: none */
	int64_t drain_ms; /* drain_timeout; 0: real servers that a reload removes go at once */
};

struct conf {
	struct conf_globals globals;
	struct conf_instance *instances;
	/* static_ipaddress, _routes and _rules, as an instance that always is MASTER; its `next` are the
	 * instances. NULL: none. */
	struct conf_instance *fixed;
	struct conf_group *groups;
	struct conf_group
	    *track_groups; /* of static addresses and routes: names and members only */
	struct conf_vrrp_script *scripts, *misc; /* vrrp_script; those of MISC_CHECKs */
	struct conf_virtual_group *virtual_groups;
	struct conf_virtual *virtuals;
	struct conf_garp_group *garp_groups;
	struct conf_link_delay *link_delays;
	struct conf_watch *watches; /* track_file, vrrp_track_process, bfd_instance */
	size_t n_track_groups;
	size_t n_reals, n_checks; /* of all virtual servers */
	size_t n_instances, n_groups, n_scripts, n_misc, n_virtuals, n_watches;
	uint32_t n_lines;	   /* routes and rules */
	bool ends_within;	   /* its file ends in the middle of a block */
	struct conf_chunk *memory; /* all of the above, in conf/memory.c */
};

struct conf_source {
	const char *file;
	const char *config_id; /* -i: what lines that begin with @ID are for; NULL: the host name */
	uint64_t random_seed;  /* of ${_RANDOM}; 0: another one each time */
	FILE *copy; /* gets what was read, without comments, conditions and macros; NULL: nobody */
};

/*
 * Reads a file, and says in `d` what is wrong with it. 0: *ret can run unless `d` has a DIAG_ERROR.
 * -errno: it could not be read; *ret is set, but for -ENOMEM of the first allocation, where it is
 * NULL. The places in `d` point into *ret: free `d` first.
 */
int conf_load(const struct conf_source *source, struct diag *d, struct conf **ret);
void conf_free(struct conf *c);

/* All that have addresses, routes or rules: `fixed`, then the instances. */
static inline const struct conf_instance *conf_holders(const struct conf *c)
{
	return c->fixed ? c->fixed : c->instances;
}

static inline bool conf_is_multicast(const struct ha_ip *ip)
{
	return ip->family == AF_INET6 ? ip->bytes[0] == 0xff : ip->bytes[0] >> 4 == 0xe;
}

static inline bool conf_is_link_local(const struct ha_ip *ip)
{
	return ip->family == AF_INET6 && ip->bytes[0] == 0xfe && (ip->bytes[1] & 0xc0) == 0x80;
}

/* The name of the device that an address of an instance is on. */
static inline const char *conf_address_device(const struct conf_instance *i,
					      const struct conf_address *a)
{
	return a->vmac ? a->vmac->name : a->dev ? a->dev : i->home;
}

/* The device of its addresses that name none. */
static inline const char *conf_home_device(const struct conf_instance *i)
{
	return i->vmac ? i->vmac->name : i->home;
}

/* After a reload: is it the same virtual router? */
static inline bool conf_same_instance(const struct conf_instance *a, const struct conf_instance *b)
{
	return a->vrid == b->vrid && a->family == b->family &&
	       !strcmp(a->interface, b->interface) &&
	       ((!a->shares_vrid && !b->shares_vrid) || !strcmp(a->name, b->name));
}

/* Between two gratuitous ARPs and two NAs on an interface: of its garp_group, else the global ones. */
void conf_garp_intervals(const struct conf *c, const char *interface, int64_t *ret_garp_ms,
			 int64_t *ret_gna_ms);

/*
 * True when a script is in it that may be changed by others than root; says so in `d`. With enable_script_security such a script
 * is taken out, with all that tracks or checks by it.
 */
bool conf_scripts_insecure(struct conf *c, struct diag *d);

/* No instance and no virtual server that can be used is in it. */
static inline bool conf_is_empty(const struct conf *c)
{
	return !c->n_instances && !c->n_virtuals;
}
#define CONF_EMPTY_TEXT \
	"there is nothing to do: no usable vrrp_instance and no usable virtual_server"

/* Notes in `d` which interfaces it names that this host, here and now, does not have: each once, and the first 20. */
void conf_note_interfaces(const struct conf *c, struct diag *d);

#endif
