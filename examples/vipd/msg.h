/* SPDX-License-Identifier: MIT */
/*
 * What the four processes say to each other: fixed messages over socketpairs that keep message
 * borders. A receiver takes a message only in full length and checks each number in it; there are
 * no pointers, no lengths, no text but interface names.
 *
 * The pairs are made once, before the first fork, and the supervisor keeps both ends: a process that
 * is started again takes up its predecessor's end, with what waits in it, and its neighbours notice
 * nothing.
 */
#ifndef VIPD_MSG_H
#define VIPD_MSG_H

#include <stdbool.h>
#include <stdint.h>

#include <libha/ip.h>
#include <libha/vrrp_link.h>

#include "control/why.h"

enum msg_type {
	/* supervisor to the others */
	MSG_STOP =
	    1,	    /* end. To vrrp and health: value is what becomes of the rest, enum msg_stop */
	MSG_RESYNC, /* kernel was started again: tell it all */
	MSG_TRACK, /* to vrrp: vrrp_script `index` succeeds (value 1) or not (0); to health: a MISC_CHECK,
		      extra: its exit code */
	MSG_WATCH, /* to vrrp and health: the track_file or vrrp_track_process `index` of conf.watches
		      is `value` */
	MSG_STATS, /* to vrrp and kernel: write down where each instance stands and what services
		      count (control/live.h), then answer with MSG_STATS */
	MSG_ORDER, /* an administrator's. To vrrp: for instance `index`, value: enum msg_order. To health:
		      real server `index2` of virtual server `index` is in use as value (enum
		      order_admin) says, extra: its weight or ORDER_NO_WEIGHT */
	MSG_CHECK, /* to health: check that real server now */

	/* vrrp to kernel; MSG_OPEN health to kernel, too; supervisor to kernel, when vrrp is away */
	MSG_HOLD, /* instance `index` has its addresses (value 1), or not (0) */
	MSG_OPEN, /* open `socket` for link `index`; of health: open `probe`, question `index` */

	/* kernel to vrrp; MSG_SOCKET to health, too */
	MSG_HELD, /* the addresses of `index` are there, which changed `index2` of them; extra: 0, or -errno:
		     they are not. For MSG_HOLD with value 1, and whenever they cannot be kept */
	MSG_SOCKET, /* for MSG_OPEN: index, index2 = kind, extra: 0 with a descriptor, or -errno */
	MSG_LINK,   /* `link` is so now */
	MSG_SOURCE, /* of instance `index`, with track_src_ip or unicast: its source is there (value 1), or not */

	/* health to kernel */
	MSG_COMMIT, /* real servers are wanted as health/weights.h says now */

	/* vrrp and health to supervisor */
	MSG_STATE, /* instance `index` is in state `value` (enum ha_vrrp_state), extra: priority, why */
	MSG_GROUP, /* sync group `index` likewise; extra 1: it was so before */
	MSG_REAL, /* virtual server `index`, real server `index2`: up (value 1) or down; extra 1: from the
		       start on */
	MSG_QUORUM, /* virtual server `index`: quorum gained (value 1) or lost; extra: live weight; index2 1: from
		       the start on */
	MSG_PAUSE, /* MISC_CHECK `index`, counted on from the vrrp_scripts: rests (value 1) or goes on */
	/* MSG_WATCH of vrrp: a bfd_instance that a BFD_CHECK names is up (value 1) or not */
	MSG_PRIORITY, /* the trackers of instance `index`, which is in state `extra`, make `value` of its
			 priority; only when that is to be told */
	MSG_RX_LOWER, /* instance `index`, MASTER with priority `value`, heard a lower one: once a second */
	MSG_REMARK, /* instance `index`: value is an enum ha_vrrp_remark; said once a minute */

	MSG_LATE, /* of health, too: a timer was served `value` ms late: max_auto_priority */
	MSG_LEFT, /* of health, too: after MSG_STOP_RELOAD all is written down, and nothing will be done any more but to exit */

	/* kernel to supervisor */
	MSG_BACKEND, /* virtual servers are served by `value`, enum msg_backend */
	MSG_SERVED, /* what was before it is dealt with: virtual servers are as health wants them, or at the very
			first as weights_begin does, or cannot be */
};

enum msg_stop {
	MSG_STOP_RELEASE, /* take everything back: addresses, services */
	MSG_STOP_KEEP,	  /* leave it: -V, -I */
	MSG_STOP_RELOAD,  /* a successor goes on: only what it will not have is taken back */
};

enum msg_order {
	ORDER_FAILOVER, /* hand over to another node, once */
	ORDER_HOLD, /* hand over, then be in FAULT until released; extra 1: without an heir, too */
	ORDER_RELEASE,
	ORDER_ANNOUNCE, /* gratuitous ARP or NA again */
	ORDER_CLEAR,	/* counters begin at 0 */
};

#define MSG_LINK_BY_ROUTE UINT32_MAX

enum msg_backend { BACKEND_NONE, BACKEND_IPVS, BACKEND_NFT };

struct msg_link {
	char name[16];
	uint32_t ifindex; /* 0: there is none of this name; CONF_BY_ROUTE: MSG_LINK_BY_ROUTE */
	uint32_t mtu;
	bool running;
	struct ha_ip source4, source6; /* where adverts leave from, or none */
};

/* A socket for a check. */
struct msg_probe {
	uint32_t family, type, protocol;
	uint32_t fwmark;
};

struct msg {
	uint32_t type;
	uint32_t index, index2;
	int32_t value, extra;
	union {
		struct ha_vrrp_socket socket;
		struct msg_link link;
		struct msg_probe probe;
		struct why why;
	};
};

/* Makes a pair: non-blocking, close-on-exec, with room for thousands of messages. 0 or -errno. */
int msg_pair(int ret_fd[2]);

/* Sends without waiting; `fd_to_pass` -1: none. 0, or -EAGAIN when the other side does not read. */
int msg_send(int fd, const struct msg *m, int fd_to_pass);

/* The same, but waits for room: for processes that may. */
int msg_send_wait(int fd, const struct msg *m);

/*
 * The next message: 1; 0: none; -EPIPE: the other side is gone; -errno. What is not of the right
 * length is dropped. *ret_fd is a passed descriptor or -1; it may be NULL when none is expected.
 */
int msg_receive(int fd, struct msg *ret, int *ret_fd);

#endif
