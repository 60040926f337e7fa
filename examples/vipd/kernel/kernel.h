/* SPDX-License-Identifier: MIT */
/* Inside the process that changes the kernel. */
#ifndef VIPD_KERNEL_H
#define VIPD_KERNEL_H

#include <net/if.h>

#include <libha/net.h>
#include <libha/nl_transport.h>

#include "loop.h"
#include "msg.h"
#include "process.h"

/* An interface that the configuration names. */
struct watched {
	char name[IF_NAMESIZE];
	struct ha_net_link link; /* ifindex 0: not there */
	struct msg_link told;	 /* what vrrp knows */
	bool was_told;
	bool is_vmac;		   /* our own: vrrp need not know it */
	bool failed;		   /* of an ipvlan, or of a macvlan that is to go down: it was said */
	int error;		   /* of a macvlan, as was said; 0: it could be made */
	bool lacks_settings;	   /* of a macvlan: it was said */
	bool lacks_ipv6;	   /* likewise, of any */
	bool had_ipv6;		   /* an IPv6 address could be set there once */
	uint32_t right_ifindex;	   /* of a macvlan, when it was looked at last and right */
	uint32_t alias_parent;	   /* likewise, on which interface; 0: it was never there */
	char alias[HA_NET_ALIAS_SIZE]; /* likewise: what it knew */
	uint32_t promoted_ifindex; /* promote_secondaries was looked at */
};

/* A route or rule. */
struct line {
	int error;	     /* why the kernel refused it, as was said; 0: it did not */
	uint64_t restored_ns; /* when it was put back last; 0: never */
};

/* Stuck: it should be down, and the kernel refused. */
enum held { HELD_UNKNOWN, HELD_UP, HELD_DOWN, HELD_STUCK };

struct services;
struct filter;
struct marks;
struct nft_watch;
struct sync;
struct again;

#define KERNEL_IPVS_SOCKETS 2 /* for services, for lvs_sync_daemon and lvs_timeouts */

struct ha_ipvs;

struct kernel {
	const struct birth *birth;
	const struct conf *conf;
	struct loop *loop;
	struct ha_net *net;
	struct ha_net_monitor *monitor;
	struct loop_source *settle; /* timer: look at links and addresses when a burst is over */
	struct loop_source *commit; /* timer: what health said goes into the table */
	bool commit_waits;
	uint64_t commit_again_ns;  /* after one that failed; 0: the last one did not */
	uint64_t commit_after_ns;  /* not before: others shall have their turn */
	struct again *again;
	struct loop_source *audit; /* timer: compare with the kernel from time to time */
	struct watched *watched;
	size_t n_watched;
	uint8_t *held; /* enum held, of each instance */
	uint8_t *
	    source_told; /* likewise, what vrrp knows of its track_src_ip: 0 nothing, 1 not there, 2 there */
	struct ha_ip *vips;
	size_t n_vips;
	struct line *lines;	   /* of each route and rule */
	const char *undone;	   /* the route or rule that was put back again last, soon after it was before; NULL: none */
	uint64_t undone_ns;	   /* when; 0: never */
	const struct watched *leaving; /* in routes_leave(): what had the name until now */
	struct services *services; /* NULL: none are configured */
	struct filter *filter;
	struct marks *marks; /* NULL: no group has one */
	struct nft_watch *nft_watch; /* NULL: no table of ours */
	struct ha_nl_transport
	    ipvs[KERNEL_IPVS_SOCKETS]; /* of net_namespace_ipvs, not yet used: n_ipvs */
	size_t n_ipvs;
	int no_ipvs; /* 0, or why there is none in that namespace */
	bool igmp_was_asked;
	bool old_is_gone;  /* what was before is dealt with, and birth->old freed */
	struct sync *sync; /* NULL: neither lvs_sync_daemon nor lvs_timeouts */
};

/* kernel/address.c */
int addresses_init(struct kernel *k);
/* After a reload: what the old configuration held and this one does not know. */
void addresses_remove_old(struct kernel *k);
/* Those that do not move, when the kernel's view is there. */
void addresses_set_fixed(struct kernel *k);
void addresses_hold(struct kernel *k, uint32_t index, bool up);
void addresses_tell_again(struct kernel *k); /* vrrp is new: at the next addresses_settle */
/* After changes of links and addresses: tells vrrp, restores what others removed. */
void addresses_settle(struct kernel *k);
/* What is ours goes from an interface that is about to lose its name: another node gets it. `w->link` is it still. */
void addresses_leave(struct kernel *k, const struct watched *w);
/* At the end: takes back what is held. */
void addresses_release(struct kernel *k);
/* From time to time: are the macvlans and their settings as they should be? */
void addresses_audit(struct kernel *k);
struct watched *watched_find(struct kernel *k, const char *name);

/* Of instances that are HELD_STUCK. True: there is none any more. */
bool addresses_give_up_again(struct kernel *k);

/* kernel/again.c: what the kernel refuses to remove is asked for again each second */
int again_new(struct kernel *k);
void again_soon(struct kernel *k);				      /* an instance is HELD_STUCK */
void again_old(struct kernel *k, const struct ha_net_address *a); /* in no configuration any more */
bool again_old_gone(struct kernel *k);				      /* tries it now. True: there is none any more */
void again_old_leave(struct kernel *k);				      /* likewise, for the last time: a successor knows one configuration before */

/*
 * kernel/vmac.c: the macvlans of an instance. All say what fails; 0 or -errno, and 0 for an instance
 * without.
 */
int vmac_set(struct kernel *k, const struct conf_instance *i, bool up);
int vmac_audit(struct kernel *k, const struct conf_instance *i);
/* An event about the link of that name; nothing when it is not one of ours, or not changed. */
void vmac_follow(struct watched *w, const struct ha_net_link *now, const struct ha_net_link *before);
/* Likewise about the interface below some; `before` NULL: it is new. */
void vmac_follow_parent(struct kernel *k, const struct ha_net_link *parent, const struct ha_net_link *before);
/* Are they there and up? True for an instance without. */
bool vmac_is_up(struct kernel *k, const struct conf_instance *i);
void vmac_remove(struct kernel *k, const struct conf_instance *i);
/* Those on an interface whose name is that of another now, or of none. */
void vmac_leave(struct kernel *k, const struct conf_instance *i, const struct watched *parent);
/* After a reload: those of an old instance that are in none of the new configuration. */
void vmac_remove_old(struct kernel *k, const struct conf_instance *old);

/* kernel/ipvlan.c: use_ipvlan. Makes what is not there and puts right what is; says what fails, once */
void ipvlan_settle(struct kernel *k, const struct conf_instance *i);
void ipvlan_remove(struct kernel *k, const struct conf_instance *i);
/* After a reload: that of an old instance which is in none of the new configuration. */
void ipvlan_remove_old(struct kernel *k, const struct conf_instance *old);

/* kernel/accept.c: the packet filter of no_accept; `always`: also when nothing changed that we know of */
int filter_new(struct kernel *k);
void filter_settle(struct kernel *k, bool always);
void filter_release(struct kernel *k);

/* kernel/setting.c: disable_local_igmp and promote_secondaries, also of an interface that has come */
int setting_put(const char *path, char value); /* below /proc/sys; 0 or -errno */
void settings_settle(struct kernel *k);
void settings_release(struct kernel *k);

/* kernel/route.c: routes and rules of an instance; what fails is said */
/* Not up: 0 or the first error. */
int routes_set(struct kernel *k, const struct conf_instance *i, bool up);
/* Those on an interface that is about to lose its name. */
void routes_leave(struct kernel *k, const struct conf_instance *i, const struct watched *w);
void routes_restore(struct kernel *k, const struct conf_instance *i);
/* After a reload: those of an old instance that are in none of the new configuration. */
void routes_remove_old(struct kernel *k, const struct conf_instance *old);

/* kernel/route_watch.c: addresses_settle() soon after somebody removed one. Says when it cannot. 0 or -ENOMEM */
int routes_watch(struct kernel *k);

/* kernel/sync.c: what IPVS does besides services; `up`: the instance holds its addresses */
int sync_new(struct kernel *k);
void sync_follow(struct kernel *k, uint32_t index, bool up);
void sync_release(struct kernel *k);

/* kernel/ipvs.c: before privileges go; 0, or -errno: this process must not go on. Then IPVS, where it is to be */
int ipvs_prepare(struct kernel *k);
int ipvs_open(struct kernel *k, struct ha_ipvs **ret);

/* kernel/probe.c: opens a socket for a check, if one of the configuration needs it */
void probe_open_socket(struct kernel *k, const struct msg *ask);

/* The name of a table that the configuration may name; `base`: when it does not. */
static inline const char *table_name(const struct birth *b, const struct conf_nft *t,
				     const char *base, char buf[OPTIONS_TABLE_SIZE])
{
	if (t->taken)
		return options_numbered_table(b->options, t->name, buf);
	return t->named ? t->name : options_table(b->options, t->name ? t->name : base, buf);
}

/* kernel/mark.c: nftables_ipvs */
int marks_new(struct kernel *k);
void marks_settle(struct kernel *k); /* puts right what somebody else changed */
void marks_release(struct kernel *k);

/*
 * kernel/nft_watch.c: opens one of our tables of nftables by `open`, which is given a netlink socket for it and takes it if it succeeds. Then
 * `changed` is called soon after somebody else changed that table; not more often than once a second, as long as this process lives. Says so
 * when it cannot. 0, or -errno of the socket or of `open`.
 */
typedef int nft_open_fn(const struct ha_nl_transport *socket, void *userdata);
typedef void nft_changed_fn(void *userdata);
int nft_open_watched(struct kernel *k, const char *table, nft_open_fn *open,
		     nft_changed_fn *changed, void *userdata);

/* kernel/service.c: virtual servers, over IPVS or nftables */
int services_new(struct kernel *k, struct services **ret);
/* What health wants now (health/weights.h). -errno, said: it is not known what of it is there. */
int services_commit(struct services *s);
void services_audit(struct services *s);
uint64_t services_audited_ns(
    const struct services *s); /* when it was audited last, by a predecessor perhaps */
void services_hand_over(struct services *s); /* before the end: a successor comes */
/* For those who look: what the kernel counted. */
void services_count(struct services *s, struct live *to);
void services_release(struct services *s);

#endif
