/* SPDX-License-Identifier: MIT */
/* Inside the process that speaks VRRP. */
#ifndef VIPD_VRRP_H
#define VIPD_VRRP_H

#include <libha/bfd_link.h>
#include <libha/vrrp.h>
#include <libha/vrrp_link.h>

#include "loop.h"
#include "msg.h"
#include "process.h"
#include "control/why.h"

/* An interface that the configuration names, as the kernel process tells it. */
struct device {
	struct vrrp *vrrp;
	char name[16];
	struct msg_link link;
	/* interface_up_down_delays; NULL: none. A change that has to last: `next` counts when the timer runs out. */
	const struct conf_link_delay *delay;
	struct loop_source *lasts;
	struct msg_link next;
	bool waits;
};

/* Sockets of one interface, family and group. */
struct speaker {
	struct vrrp *vrrp;
	const char *interface;
	uint8_t family;
	struct ha_ip group; /* none: unicast only */
	uint32_t index;
	uint32_t
	    ifindex; /* for which sockets were asked or are open; 0: none; or MSG_LINK_BY_ROUTE */
	bool ah;		   /* a router of it has auth_type AH */
	bool sole;		   /* for one router, whose vrid another speaker has, too */
	bool shares_vrids;	   /* with another speaker */
	bool refused;		   /* it was asked for sockets, and cannot have them */
	int fd[HA_VRRP_SOCKET_AH]; /* arrived, not yet used, by kind - 1 */
	struct ha_vrrp_link *link;
	struct loop_source *source;
	uint8_t unknown[32]; /* VRIDs that were logged, a bit for each; until then */
	uint64_t unknown_until_ns;
};

struct router {
	struct vrrp *vrrp;
	const struct conf_instance *conf;
	uint32_t index;
	struct ha_vrrp *engine;
	struct speaker *speaker;
	uint32_t kept;		   /* its revision that was frozen last */
	bool waits;		   /* to be started: routers_start_waiting */
	bool linked;		   /* the engine is served by the speaker's link */
	bool up, told;		   /* addresses: wanted; the kernel process knows */
	bool awaits;		   /* MSG_HELD */
	unsigned announce;	   /* to be done when the addresses are there */
	struct loop_source *extra; /* garp_extra_if; NULL: not yet Master, or without */
	struct loop_source *again; /* tries anew to hold addresses that could not be set */
	unsigned tries;
	bool state_waits;	    /* MSG_STATE likewise */
	struct why why;		    /* of the last change */
	bool no_source;		    /* track_src_ip is not on the interface */
	bool hold_waits;	    /* it hands over, and is held when somebody came */
	struct live_counters *base; /* of predecessors; NULL: there is nothing */
	uint64_t quiet_until_ns[HA_VRRP_N_REMARKS]; /* of log lines that repeat */
	uint64_t dropped_quiet_until_ns, lower_quiet_until_ns;
};

struct sync_group {
	struct vrrp *vrrp;
	const struct conf_group *conf;
	uint32_t index;
	struct ha_vrrp_group *engine;
	enum ha_vrrp_state state;
	bool goes_on;	  /* `state` is its predecessor's, and no news */
	bool state_waits; /* MSG_GROUP, for MSG_STATE of its members */
};

struct vrrp {
	const struct birth *birth;
	struct loop *loop;
	struct device *devices;
	size_t n_devices;
	struct speaker *speakers;
	size_t n_speakers;
	struct router *routers;
	size_t n_routers;
	struct sync_group *groups;
	size_t n_groups;
	uint8_t *track;	   /* enum track_state of each vrrp_script */
	int32_t *watch;	   /* of each in conf.watches */
	struct bfds *bfds; /* NULL: none */
	struct loop_source *retry;
	struct loop_source *begin; /* routers_start_waiting, after vrrp_startup_delay */
	uint64_t late_quiet_until_ns;
	uint64_t late_said_ns; /* of schedule_is_late */
	bool ending;
	struct loop_source *publish; /* the next few routers are written for the supervisor */
	size_t published;
};

/* vrrp/link.c: interfaces and sockets */
int speakers_init(struct vrrp *v);
void speakers_on_link(struct vrrp *v, const struct msg_link *l);
void routers_on_source(struct vrrp *v, const struct msg *m); /* track_src_ip */
/* For sockets that have not come: the kernel process is new. */
void speakers_ask_again(struct vrrp *v);
void speakers_on_socket(struct vrrp *v, const struct msg *m, int fd);
const struct device *device_find(const struct vrrp *v, const char *name);

/* vrrp/router.c: the engines */
int routers_init(struct vrrp *v);
void routers_start(struct vrrp *v);
/* Those that wait for the first results of their scripts. */
void routers_start_waiting(struct vrrp *v);
void router_join(struct router *r);
void router_leave(struct router *r);
void routers_on_held(struct vrrp *v, const struct msg *m);
/* The kernel process is new, or did not listen: says what is wanted. */
void routers_tell_kernel(struct vrrp *v, bool all);
/* What an administrator ordered: msg.h. */
void routers_on_order(struct vrrp *v, const struct msg *m);
void router_publish(struct router *r);

/* vrrp/announce.c: neighbours are told of all addresses; of those elsewhere from time to time */
void router_announce(struct router *r, unsigned repeat);
void router_announce_extra(struct router *r);
/* The virtual MAC address of a macvlan of an instance. */
void vmac_of(const struct conf_instance *i, const struct conf_vmac *m, uint8_t ret[6]);
/* Do its adverts leave from the virtual MAC address? */
bool sends_from_vmac(const struct conf_instance *i);

/* vrrp/bfd.c: neighbours that instances track */
int bfds_init(struct vrrp *v);
void bfds_on_link(struct vrrp *v);
void bfds_publish(struct vrrp *v); /* to control/live.h */
void bfds_end(struct vrrp *v, enum msg_stop how);

/* vrrp/track.c: interfaces and scripts that move priorities */
void tracks_apply(struct vrrp *v);
/* Each script whose failure is a fault has had a result. */
bool tracks_are_known(const struct vrrp *v, const struct conf_instance *i);

#endif
