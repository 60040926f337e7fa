/* SPDX-License-Identifier: MIT */
/*
 * The Linux hand of <libha/bfd.h>: the sockets of BFD sessions of one family, either over one hop
 * on one interface (RFC 5881) or over several (RFC 5883). It delivers what arrives to the sessions
 * added to it, serves their timers and sends their packets. examples/hello/bfd.c is a whole program
 * of it.
 *
 *	poll(ha_bfd_link_fd, POLLIN, until ha_bfd_link_deadline) -> ha_bfd_link_dispatch
 *
 * One socket receives for all sessions; each session sends from a socket, and so a source port, of
 * its own (RFC 5881 section 4). They are UDP sockets and need no privilege since Linux 5.7; a host
 * that may open none lets another process do it: opts.open_socket asks, ha_bfd_link_open_socket
 * answers.
 *
 * An interface that was deleted does not come back: free the link and make one for the new ifindex.
 * In a struct that begins with `size` the caller sets it to sizeof the struct, also where the library fills
 * in the rest.
 * Threads: a link and the sessions added to it belong to one thread at a time.
 */
#ifndef LIBHA_BFD_LINK_H
#define LIBHA_BFD_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libha/bfd.h>
#include <libha/ip.h>
#include <libha/version.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HA_BFD_LINK_BATCH 512	      /* packets that one dispatch reads at most */
#define HA_BFD_LINK_MAX_SESSIONS 4096 /* of one link */

struct ha_bfd_link;

enum ha_bfd_socket_kind {
	HA_BFD_SOCKET_RECEIVE = 1, /* bound to the port of BFD: receives for all sessions */
	HA_BFD_SOCKET_SEND,	   /* connected to one neighbour: sends, receives nothing */
};

/* A wanted socket. Without pointers, so that it can go through a socketpair as it is. */
struct ha_bfd_socket {
	size_t size;
	uint32_t kind;		       /* enum ha_bfd_socket_kind */
	uint32_t family;	       /* AF_INET or AF_INET6 */
	uint32_t ifindex;	       /* bound to this interface; 0: to none, with multihop only */
	uint32_t multihop;	       /* 0 or 1: which port */
	uint32_t receive_buffer_bytes; /* of RECEIVE; 0: the system's default */
	struct ha_ip peer, local;      /* of SEND; local may be none */
	uint16_t source_port;	       /* of SEND; 0: a free one of HA_BFD_SOURCE_PORT_MIN..MAX */
};

/*
 * Opens and fully configures a wanted socket: non-blocking, close-on-exec. The descriptor may then
 * be passed with SCM_RIGHTS. Returns the descriptor or -errno: -EINVAL for a request that says
 * something else than the comments above, whoever wrote it.
 */
LIBHA_API int ha_bfd_link_open_socket(const struct ha_bfd_socket *want);

struct ha_bfd_link_opts {
	size_t size;
	uint8_t family;	  /* AF_INET or AF_INET6 */
	bool multihop;	  /* RFC 5883 instead of 5881 */
	uint32_t ifindex; /* of the interface, > 0; with multihop 0: any */

	/*
	 * For the packets that arrive while this process does not run. Default 1 MiB; the kernel
	 * gives at most net.core.rmem_max, without saying so.
	 */
	uint32_t receive_buffer_bytes;

	/*
	 * Opens the sockets elsewhere. Returns a descriptor, which the link owns from then on, or
	 * -errno. Called inside ha_bfd_link_new and ha_bfd_link_add. NULL: ha_bfd_link_open_socket
	 * here.
	 */
	int (*open_socket)(const struct ha_bfd_socket *want, void *userdata);
	void *userdata; /* for open_socket */
};

/*
 * In the network namespace of the calling thread; `opts` is copied. 0 or -errno: -EINVAL, -E2BIG, -ENOMEM, or what the socket said: -EADDRINUSE when another program receives BFD
 * there, -ENXIO when there is no such interface.
 */
LIBHA_API int ha_bfd_link_new(const struct ha_bfd_link_opts *opts, struct ha_bfd_link **ret);

/* Takes the sessions out and closes the sockets; the sessions stay. NULL is fine. In a callback:
 * asserts. */
LIBHA_API void ha_bfd_link_free(struct ha_bfd_link *l);

/*
 * Fills in what is to be drawn at random: `discriminator`, one that no session of this link has,
 * and `seed`, each where it is 0. For the time before ha_bfd_new. -EINVAL.
 */
LIBHA_API int ha_bfd_link_draw(const struct ha_bfd_link *l, struct ha_bfd_opts *o);

/*
 * From now on the session gets its packets and its ticks. -EINVAL: another family, or one hop and
 * several; -EALREADY: it is in a link; -EEXIST: a session has its discriminator or its addresses;
 * -ENOSPC; -ENOMEM; or what the socket said: -EADDRNOTAVAIL when `local` is not there, -ENETUNREACH
 * when the neighbour cannot be reached: try again later. Take it out before it is freed. In
 * callbacks, too.
 */
LIBHA_API int ha_bfd_link_add(struct ha_bfd_link *l, struct ha_bfd *s);
LIBHA_API int ha_bfd_link_remove(struct ha_bfd_link *l, struct ha_bfd *s); /* -ENOENT */

/* Poll it for reading. Constant, owned by the link. */
LIBHA_API int ha_bfd_link_fd(const struct ha_bfd_link *l);

/* The earliest deadline of the sessions, absolute; HA_BFD_NEVER: none. */
LIBHA_API uint64_t ha_bfd_link_deadline(const struct ha_bfd_link *l);

/*
 * Reads at most HA_BFD_LINK_BATCH packets, then serves the timers that are due: after a stall what
 * waited is heard first. Never blocks. 0, or -errno of the socket (-ENETDOWN: the interface is
 * down; no reason to stop); -EBUSY inside itself.
 */
LIBHA_API int ha_bfd_link_dispatch(struct ha_bfd_link *l, uint64_t now_ns);

/* What a session's ops->send needs. 0 or -errno; -ENOENT: it is not in this link. */
LIBHA_API int ha_bfd_link_send(struct ha_bfd_link *l, const struct ha_bfd *s, const void *pkt,
			       size_t len);

/*
 * The UDP source port that the session sends from, for opts.source_port of the next process: all
 * packets of a session come from one (RFC 5881 section 4). -ENOENT, or what the socket said.
 */
LIBHA_API int ha_bfd_link_source_port(const struct ha_bfd_link *l, const struct ha_bfd *s,
				      uint16_t *ret);

struct ha_bfd_link_stats {
	size_t size;
	uint64_t received; /* packets read from the socket */
	uint64_t sent;
	uint64_t errors; /* of sending, and of reading other than "nothing there" */
	uint64_t
	    unknown_discriminator; /* Your Discriminator of no session (RFC 5880 section 6.8.6) */
	uint64_t unknown_address;  /* Your Discriminator 0, or cut, and from no neighbour of ours */
	uint64_t no_meta;	   /* longer than BFD can say, or without TTL: dropped */
};
/* Copies out, since ha_bfd_link_new. -EINVAL: ret->size is not set. */
LIBHA_API int ha_bfd_link_stats(const struct ha_bfd_link *l, struct ha_bfd_link_stats *ret);

#ifdef __cplusplus
}
#endif
#endif
