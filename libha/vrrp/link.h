/* SPDX-License-Identifier: MIT */
/*
 * The link as its own files see it: link.c (sockets, routers, timers, adverts), link_announce.c (ARP and
 * NA frames, their pace), link_sight.c (who else claims the addresses).
 */
#ifndef VRRP_LINK_H
#define VRRP_LINK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <libha/vrrp_link.h>

#include "vrrp/clock.h"
#include "vrrp/filter.h"

#define LINK_PACKET_SIZE (HA_VRRP_MAX_ADVERT + 60 + 4) /* IPv4 options, and to see "too long" */
#define LINK_CONTROL_SIZE 128
#define LINK_CHUNK 16 /* packets of one recvmmsg */

/* An announcement that waits for its turn. */
struct link_waiting {
	struct ha_ip address;
	uint32_t ifindex;
	const struct ha_vrrp *router; /* or NULL */
	uint8_t mac[6];
	uint8_t left; /* frames */
	bool not_router;
};

/* Announcements of one family, a frame each interval_ns. A ring; `at` is NULL when they need not wait. */
struct link_pace {
	uint64_t interval_ns, next_ns;
	struct link_waiting *at;
	size_t first, n;
};

struct ha_vrrp_link {
	uint8_t family;
	uint32_t ifindex;
	int fd, ah_fd, announce_fd, sight_fd; /* -1: there is none */
	int poll_fd;			      /* of all that are read, when it is more than one */
	bool busy, skipped;		      /* skipped: this turn read nothing */
	struct ha_vrrp *by_vrid[256];
	struct vrrp_clock clock; /* what ha_vrrp_deadline says of each router */
	bool no_filter, shares_vrids;
	void (*unknown_vrid)(uint8_t vrid, const struct ha_ip *source, void *userdata);
	void *userdata;		    /* for it */
	bool filter_stale;	    /* lets in more than there are routers */
	struct vrrp_byte_set vrids; /* that the kernel lets in */
	struct link_pace arp, na;
	int groups_fd; /* member of solicited-node groups, until the kernel is by itself */
	uint64_t groups_until_ns;
	struct ha_vrrp_link_stats stats;

	/* What one recvmmsg fills; of IPv4 the packets alone. */
	struct mmsghdr message[LINK_CHUNK];
	struct iovec iov[LINK_CHUNK];
	struct sockaddr_in6 from[LINK_CHUNK];
	uint8_t control[LINK_CHUNK][LINK_CONTROL_SIZE]
	    __attribute__((aligned(__alignof__(struct cmsghdr))));
	uint8_t packet[LINK_CHUNK][LINK_PACKET_SIZE];
};

/* link.c */
int link_send_frame(struct ha_vrrp_link *l, uint32_t ifindex, const uint8_t *frame, size_t len);
int link_attach(int fd, const struct vrrp_filter *f);

/* link_announce.c. What waits of a router that leaves is forgotten. */
int link_announce_init(struct ha_vrrp_link *l, const struct ha_vrrp_link_opts *o);
void link_announce_fini(struct ha_vrrp_link *l);
void link_announce_forget(struct ha_vrrp_link *l, const struct ha_vrrp *v);
uint64_t link_announce_deadline(const struct ha_vrrp_link *l);
void link_announce_serve(struct ha_vrrp_link *l, uint64_t now_ns);
int link_interface_mac(int fd, uint32_t ifindex, uint8_t ret[6]);

/* link_sight.c */
int link_sight_refresh(struct ha_vrrp_link *l);
void link_sight_read(struct ha_vrrp_link *l, uint64_t now_ns);

#endif
