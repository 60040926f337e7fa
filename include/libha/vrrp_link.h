/* SPDX-License-Identifier: MIT */
/*
 * The Linux hand of <libha/vrrp.h>: the sockets of one interface and one family. It delivers what
 * arrives to the virtual routers added to it, serves their timers, sends their adverts and
 * announces their addresses. examples/hello/vrrp.c is a whole program of it.
 *
 *	poll(ha_vrrp_link_fd, POLLIN, until ha_vrrp_link_deadline) -> ha_vrrp_link_dispatch
 *
 * The sockets need CAP_NET_RAW when the link is made, and nothing after. A host without it lets
 * a privileged process open them: opts.open_socket asks, ha_vrrp_link_open_socket answers there.
 *
 * An interface that was deleted does not come back: free the link and make one for the new ifindex.
 * In a struct that begins with `size` the caller sets it to sizeof the struct, also where the library fills
 * in the rest.
 * Threads: a link and the routers added to it belong to one thread at a time.
 */
#ifndef LIBHA_VRRP_LINK_H
#define LIBHA_VRRP_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libha/ip.h>
#include <libha/version.h>
#include <libha/vrrp.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HA_VRRP_LINK_BATCH 64 /* packets that one dispatch reads at most from each socket */
#define HA_VRRP_LINK_WAITING \
	4096 /* announcements of a family that wait at most, see garp_interval_ns */

struct ha_vrrp_link;

enum ha_vrrp_socket_kind {
	HA_VRRP_SOCKET_ADVERT = 1, /* raw, IP protocol 112: sends and receives adverts */
	HA_VRRP_SOCKET_ANNOUNCE,   /* packet socket: sends ARP and NA frames, receives nothing */
	HA_VRRP_SOCKET_AH,	   /* as ADVERT with IP protocol 51; IPv4 only */
	HA_VRRP_SOCKET_SIGHT,	   /* packet socket: receives ARP, or IPv6 with AF_INET6 */
};

/* A wanted socket. Without pointers, so that it can go through a socketpair as it is. */
struct ha_vrrp_socket {
	size_t size;
	uint32_t kind;		       /* enum ha_vrrp_socket_kind */
	uint32_t family;	       /* AF_INET or AF_INET6; not used by ANNOUNCE */
	uint32_t ifindex;	       /* all but ANNOUNCE are bound to this interface; 0: to none,
					  ADVERT and AH without a group only */
	struct ha_ip group;	       /* ADVERT and AH join it; none: unicast only */
	uint8_t ttl;		       /* of what ADVERT sends; 0: 255 */
	uint32_t receive_buffer_bytes; /* of ADVERT and AH; 0: the system's default */
};

/*
 * Opens and fully configures a wanted socket: non-blocking, close-on-exec. For the process that has
 * CAP_NET_RAW; the descriptor may then be passed with SCM_RIGHTS. It lets nothing in until
 * ha_vrrp_link_new has it. Returns the descriptor or -errno:
 * -EINVAL for a request that says something else than the comments above, whoever wrote it.
 */
LIBHA_API int ha_vrrp_link_open_socket(const struct ha_vrrp_socket *want);

struct ha_vrrp_link_opts {
	size_t size;
	/*
	 * Of the interface; a VRF's with unicast_only. 0 with unicast_only: adverts leave as routing has it and
	 * come in anywhere, and there is no sight.
	 */
	uint32_t ifindex;
	uint8_t family;	  /* AF_INET or AF_INET6 */

	/* Default 224.0.0.18 or ff02::12: the one of the routers. */
	struct ha_ip group;
	bool unicast_only; /* join no group */

	/* Of adverts. Default 255, which multicast must have (RFC 9568 section 5.1.1.3). */
	uint8_t ttl;

	/* Default: the system's, which holds about 200 adverts. More than rmem_max with CAP_NET_ADMIN. */
	uint32_t receive_buffer_bytes;

	/*
	 * Adverts of VRIDs that no router of the link has are kept out by the kernel: a neighbour's
	 * thousand cost no wake-up. True: they come in, and stats.unknown_vrid counts them.
	 */
	bool no_filter;

	bool ah;    /* IPv4: routers with HA_VRRP_AUTH_AH can be added */
	bool sight; /* hands ARP or neighbour advertisements about the addresses to ha_vrrp_saw */

	/*
	 * Least time between two gratuitous ARP frames, and between two NAs, of this link, as
	 * keepalived's vrrp_garp_interval and vrrp_gna_interval. Default 0: all leave at once. Else they
	 * leave by ha_vrrp_link_dispatch, and what waits of a router that is no longer Active is dropped.
	 */
	uint64_t garp_interval_ns, gna_interval_ns;

	/*
	 * Opens the sockets elsewhere. Returns a descriptor, which the link owns from then on, or
	 * -errno. Called inside ha_vrrp_link_new only. NULL: ha_vrrp_link_open_socket here.
	 */
	int (*open_socket)(const struct ha_vrrp_socket *want, void *userdata);
	void *userdata; /* for open_socket and unknown_vrid */

	/*
	 * With no_filter: an advert came for a VRID that no router of the link has, from `source`. Called inside
	 * ha_vrrp_link_dispatch, as often as somebody sends: log it seldom. NULL: it is only counted.
	 */
	void (*unknown_vrid)(uint8_t vrid, const struct ha_ip *source, void *userdata);

	/*
	 * Other links of this interface and family have routers of the same VRIDs: what is not addressed to a
	 * router of this one, which is its group, or its source by one of its peers, is no business of it and
	 * counted in stats.elsewhere only.
	 */
	bool shares_vrids;
};

/*
 * In the network namespace of the calling thread; `opts` is copied. 0 or -errno: -EINVAL, -E2BIG, -ENOMEM, -EPERM without CAP_NET_RAW, or
 * what the sockets said.
 */
LIBHA_API int ha_vrrp_link_new(const struct ha_vrrp_link_opts *opts, struct ha_vrrp_link **ret);

/* Closes the sockets; the routers stay. NULL is fine. Not inside its dispatch: asserts. */
LIBHA_API void ha_vrrp_link_free(struct ha_vrrp_link *l);

/*
 * From now on the router gets its packets and its ticks; take it out before it is freed. Both calls are allowed in
 * callbacks. -EINVAL: another family, or AH without opts.ah; -EEXIST: the link has a router of this VRID, or another
 * link has this router; -ENOMEM.
 */
LIBHA_API int ha_vrrp_link_add(struct ha_vrrp_link *l, struct ha_vrrp *v);
LIBHA_API int ha_vrrp_link_remove(struct ha_vrrp_link *l, struct ha_vrrp *v); /* -ENOENT */

/* Poll it for reading. Constant, owned by the link. */
LIBHA_API int ha_vrrp_link_fd(const struct ha_vrrp_link *l);

/* The earliest deadline of the routers and of what waits to be announced, absolute; HA_VRRP_NEVER: none. */
LIBHA_API uint64_t ha_vrrp_link_deadline(const struct ha_vrrp_link *l);

/*
 * Reads at most HA_VRRP_LINK_BATCH packets of each socket, then serves the timers that are due: after a
 * stall what waited is heard first. Only the adverts of an Active that are on time leave without that.
 * Never blocks. 0, or -errno of the socket (-ENETDOWN: the interface is down; no reason to stop); -EBUSY
 * inside itself.
 */
LIBHA_API int ha_vrrp_link_dispatch(struct ha_vrrp_link *l, uint64_t now_ns);

/*
 * What a router's ops->send needs: sends from the router's source address, AH too. 0 or -errno. To a group the address may be one that
 * the host does not have; to a peer without AH that is -EINVAL.
 */
LIBHA_API int ha_vrrp_link_send(struct ha_vrrp_link *l, const struct ha_vrrp *v,
				const struct ha_ip *destination, const void *advert, size_t len);

/*
 * The same with `mac` as the frame's source, RFC 9568 section 7.3: ha_vrrp_mac(). `destination` is
 * a group: what goes to a peer leaves by ha_vrrp_link_send(), since the kernel finds out where that
 * one is. The TTL is 255. Packet filters of IP do not see the frame. 0 or -errno; -EINVAL: no
 * group; -ENETDOWN.
 */
LIBHA_API int ha_vrrp_link_send_from(struct ha_vrrp_link *l, const struct ha_vrrp *v,
				     const uint8_t mac[6], const struct ha_ip *destination,
				     const void *advert, size_t len);

/*
 * Sends a whole Ethernet frame, such as a router advertisement, on the link's interface. 0 or -errno; -EINVAL:
 * shorter than its header (14 bytes) or longer than 1514 bytes, or a link without an interface.
 */
LIBHA_API int ha_vrrp_link_send_frame(struct ha_vrrp_link *l, const void *frame, size_t len);

/* An address to be announced by gratuitous ARP or unsolicited NA (RFC 9568 section 6.4.1). */
struct ha_vrrp_announcement {
	size_t size;
	struct ha_ip address; /* of either family, whatever the link's */
	uint32_t ifindex;     /* where; 0: on the link's interface, if it has one */
	uint8_t mac[6];	 /* that answers for it: ha_vrrp_mac, or all zero: the interface's own */
	uint8_t repeat;	 /* frames; 0: one */
	bool not_router; /* NA: R flag 0. The RFC wants 1 */

	/* Whose address it is, or NULL. With a pace it must be a router of the link. */
	const struct ha_vrrp *router;
};

/*
 * Before an NA the link joins the address's solicited-node group, until the kernel, which does so when it
 * has the address, is a member for sure. 0, or the first -errno: -EAFNOSUPPORT: the interface's own MAC is
 * wanted, and it is not Ethernet; -ENOBUFS: HA_VRRP_LINK_WAITING; -EINVAL: no family or no interface.
 */
LIBHA_API int ha_vrrp_link_announce(struct ha_vrrp_link *l, const struct ha_vrrp_announcement *a);

/*
 * What a simple ops->announce needs: all addresses of the router, with the interface's own MAC, `repeat` frames each (0: one; at most 255). 0, or the first
 * -errno of ha_vrrp_link_announce().
 */
LIBHA_API int ha_vrrp_link_announce_all(struct ha_vrrp_link *l, const struct ha_vrrp *v,
					unsigned repeat);

/*
 * The address that adverts of this interface leave from: its primary IPv4 or its first link-local
 * IPv6 one (RFC 9568 section 5.1). Skips the addresses `not_these`, so that a virtual address
 * left over on the interface is not mistaken for its own. -EADDRNOTAVAIL: it has none; -ENODEV.
 */
LIBHA_API int ha_vrrp_link_source(uint32_t ifindex, uint8_t family, const struct ha_ip *not_these,
				  size_t n_not_these, struct ha_ip *ret);

struct ha_vrrp_link_stats {
	size_t size;
	uint64_t received;  /* packets of protocol 112 read from the socket */
	uint64_t sent;	    /* adverts */
	uint64_t announced; /* ARP and NA frames */
	uint64_t sighted;   /* claims of addresses, ours or not, that came through the filter */
	uint64_t errors;    /* of sending, and of reading other than "nothing there" */
	uint64_t
	    unknown_vrid; /* for none of our routers (vrrpv3RouterVrIdErrors); see opts.no_filter */
	uint64_t no_meta; /* cut, or without TTL or destination: dropped (PacketLengthErrors) */
	uint64_t elsewhere; /* of another link's router, see opts.shares_vrids */
};
/* Copies out, since ha_vrrp_link_new. -EINVAL: ret->size is not set. */
LIBHA_API int ha_vrrp_link_stats(const struct ha_vrrp_link *l, struct ha_vrrp_link_stats *ret);

#ifdef __cplusplus
}
#endif
#endif
