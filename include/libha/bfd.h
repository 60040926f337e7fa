/* SPDX-License-Identifier: MIT */
/*
 * Bidirectional Forwarding Detection (RFC 5880) over one hop (RFC 5881) or several (RFC 5883), for
 * IPv4 and IPv6, in asynchronous mode: the protocol without I/O.
 *
 * One struct ha_bfd is one session with one neighbour. It is fed received packets and the time, and
 * answers through callbacks: send this packet, the state changed. It makes no system call and reads
 * no clock. <libha/bfd_link.h> is a ready-made Linux hand for it; a host may as well bring its own.
 *
 *	start ----> deadline() --time passes--> tick()          any packet --> receive()
 *
 * Times are CLOCK_MONOTONIC nanoseconds; one before the latest that was given counts as that one. 0 is
 * success; errors are -errno, and each function names its own. A bad packet is no error: it is dropped,
 * counted and told by ops->dropped. In a struct that begins with `size` the caller sets it to sizeof the
 * struct, also where the library fills in the rest.
 *
 * Callbacks run at the end of the call that caused them, when the object is whole again. Inside
 * one, every function here may be called on the same object but ha_bfd_receive and ha_bfd_tick
 * (-EBUSY) and ha_bfd_free (asserts); what they cause is told after the callback returned. Calls
 * that mutate give -EBUSY when one round of callbacks caused more than HA_BFD_MAX_ROUND events.
 *
 * What a session is good for (RFC 5882): it tells that a neighbour is gone long before the protocol
 * between the two does. For VRRP, a session with the router that is Active lets a Backup take over
 * after the Detection Time and its Skew_Time instead of Active_Down_Interval. Such a changed
 * callback:
 *
 *	if (c->from == HA_BFD_UP && c->to == HA_BFD_DOWN && c->reason != HA_BFD_NEIGHBOR_ADMIN_DOWN)
 *		ha_vrrp_peer_down(router, now_ns, &ha_bfd_opts(s)->peer);
 *
 * A neighbour in AdminDown says that BFD was switched off, not that the path failed (RFC 5882
 * section 3.2): wait for the other protocol as if there were no session.
 *
 * Not offered: the Echo function, Demand mode of our own (the neighbour's is honoured), and
 * authentication: packets with it are dropped and counted (HA_BFD_DROP_AUTH). Over several hops
 * everyone on the way may forge packets; keep the path private. There is no congestion control
 * either (RFC 5880 section 7): a host that sees congestion slows a session by ha_bfd_set_timers.
 *
 * Threads: an object belongs to one thread at a time. After ha_bfd_start nothing is allocated.
 */
#ifndef LIBHA_BFD_H
#define LIBHA_BFD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <libha/ip.h>
#include <libha/version.h>

#ifdef __cplusplus
extern "C" {
#endif

/* UDP destination ports, and the range of source ports (RFC 5881 section 4, RFC 5883 section 5). */
#define HA_BFD_PORT 3784
#define HA_BFD_PORT_MULTIHOP 4784
#define HA_BFD_SOURCE_PORT_MIN 49152
#define HA_BFD_SOURCE_PORT_MAX 65535

/* Limits. */
#define HA_BFD_PACKET_SIZE 24	    /* bytes of what is sent */
#define HA_BFD_MIN_INTERVAL_US 1000 /* of our own; a neighbour may say any */
#define HA_BFD_MAX_INTERVAL_US 60000000
#define HA_BFD_SLOW_INTERVAL_US 1000000 /* the least while not Up (RFC 5880 section 6.8.3) */
#define HA_BFD_FREEZE_SIZE 160		/* bytes that ha_bfd_freeze needs */
#define HA_BFD_MAX_ROUND 8		/* events the callbacks of one call may cause */
#define HA_BFD_NEVER UINT64_MAX		/* "no deadline" */

struct ha_bfd;

/* bfd.SessionState, as on the wire (RFC 5880 section 4.1). A stopped session is AdminDown. */
enum ha_bfd_state {
	HA_BFD_ADMIN_DOWN,
	HA_BFD_DOWN,
	HA_BFD_INIT,
	HA_BFD_UP,
};

/* Diagnostic codes, as on the wire (RFC 5880 section 4.1). A neighbour may say others, up to 31. */
enum ha_bfd_diag {
	HA_BFD_DIAG_NONE,
	HA_BFD_DIAG_TIME_EXPIRED,
	HA_BFD_DIAG_ECHO_FAILED,
	HA_BFD_DIAG_NEIGHBOR_DOWN,
	HA_BFD_DIAG_FORWARDING_RESET,
	HA_BFD_DIAG_PATH_DOWN,
	HA_BFD_DIAG_CONCATENATED_PATH_DOWN,
	HA_BFD_DIAG_ADMIN_DOWN,
	HA_BFD_DIAG_REVERSE_CONCATENATED_PATH_DOWN,
	HA_BFD_N_DIAGS,
};

/* Why the state changed. Append only. */
enum ha_bfd_reason {
	HA_BFD_STARTED,		    /* ha_bfd_start */
	HA_BFD_STOPPED,		    /* ha_bfd_stop */
	HA_BFD_HANDSHAKE,	    /* the neighbour answers: on the way to Up, and Up */
	HA_BFD_TIMEOUT,		    /* nothing was heard for the Detection Time */
	HA_BFD_NEIGHBOR_DOWN,	    /* the neighbour says Down: it lost us, or started anew */
	HA_BFD_NEIGHBOR_ADMIN_DOWN, /* the neighbour was switched off: no word about the path */
	HA_BFD_ADMIN,		    /* ha_bfd_set_admin_down, either way */
	HA_BFD_FORWARDING_RESET,    /* ha_bfd_reset */
	HA_BFD_N_REASONS,
};

/* Why a packet was dropped, in the order of the checks (RFC 5880 section 6.8.6). Append only. */
enum ha_bfd_drop {
	HA_BFD_DROP_NONE,		/* it was accepted */
	HA_BFD_DROP_NOT_RUNNING,	/* not started: no error of the sender */
	HA_BFD_DROP_TTL,		/* below min_ttl (RFC 5881 section 5) */
	HA_BFD_DROP_VERSION,		/* not 1 */
	HA_BFD_DROP_LENGTH,		/* cut, or a Length that cannot be */
	HA_BFD_DROP_DETECT_MULT,	/* 0 */
	HA_BFD_DROP_MULTIPOINT,		/* the M bit is set */
	HA_BFD_DROP_MY_DISCRIMINATOR,	/* 0 */
	HA_BFD_DROP_YOUR_DISCRIMINATOR, /* not ours */
	HA_BFD_DROP_STATE,		/* Your Discriminator 0, but neither Down nor AdminDown */
	HA_BFD_DROP_ADDRESS,	/* Your Discriminator 0, and not between our two addresses */
	HA_BFD_DROP_AUTH,	/* the A bit is set: authentication is not in use */
	HA_BFD_DROP_ADMIN_DOWN, /* heard while we are AdminDown: its values were noted */
	HA_BFD_N_DROPS,
};

/* What a host should tell its administrator. None changes what the engine does. Append only. */
enum ha_bfd_remark {
	HA_BFD_REMARK_TIMERS,	     /* Up, and an interval or the Detection Time became another */
	HA_BFD_REMARK_DISCRIMINATOR, /* the neighbour's became another: it started anew */
	HA_BFD_REMARK_SEND_FAILED,   /* ops->send returned an error */
	HA_BFD_N_REMARKS,
};

/*
 * What a session is. Zero is the default of each field but family, discriminator and peer.
 * Everything is copied.
 */
struct ha_bfd_opts {
	size_t size;	/* sizeof(struct ha_bfd_opts) */
	uint8_t family; /* AF_INET or AF_INET6 */

	bool multihop; /* RFC 5883 instead of 5881 */

	/* Silent until the neighbour speaks (RFC 5880 section 6.1). With multihop only. */
	bool passive;

	/* The only neighbour on a link of two: its address may be any (RFC 5881 section 6). */
	bool point_to_point;

	/* This process outlives a failed control plane: the C bit (RFC 5882 section 4.3). */
	bool independent;

	/* Intervals that may be missed by the neighbour. Default 3. */
	uint8_t detect_mult;

	/* The least TTL or hop limit taken. Default: 255, several hops: any. */
	uint8_t min_ttl;

	/* The UDP source port, HA_BFD_SOURCE_PORT_MIN..MAX; 0: the link finds a free one. */
	uint16_t source_port;

	/*
	 * bfd.LocalDiscr: not 0, and no other session of this system has it. Let it be random, for
	 * it is all that a packet of the neighbour is known by (RFC 5880 section 6.8.1).
	 */
	uint32_t discriminator;

	/*
	 * How often we would send and how often we can take it, while Up, in microseconds:
	 * HA_BFD_MIN_INTERVAL_US..MAX. Default 100000 (100 ms).
	 */
	uint32_t desired_min_tx_us, required_min_rx_us;

	/* How often we would send while not Up; HA_BFD_SLOW_INTERVAL_US or more. Default: that. */
	uint32_t idle_tx_us;

	/* The neighbour and ourselves. `local` may be none: the route decides. */
	struct ha_ip peer, local;

	/*
	 * Seeds the jitter of transmissions (RFC 5880 section 6.8.7). Let it be random, so that the
	 * sessions of two systems do not beat in time.
	 */
	uint64_t seed;
};

/* What is known of a received packet beside its bytes. */
struct ha_bfd_meta {
	size_t size;
	struct ha_ip source;	  /* needed while the neighbour does not know our discriminator */
	struct ha_ip destination; /* may be none */
	uint8_t ttl;		  /* or hop limit; needed */
};

/* A change of state. */
struct ha_bfd_change {
	enum ha_bfd_state from, to;
	enum ha_bfd_reason reason;
	enum ha_bfd_state remote_state; /* what the neighbour said last; Down: nothing */
	uint8_t diag, remote_diag;	/* enum ha_bfd_diag: ours, and the neighbour's */
};

/* What the host does. Only `send` must be there. Pointers are valid during the call. */
struct ha_bfd_ops {
	size_t size;

	/*
	 * Sends one packet to the neighbour: UDP, TTL or hop limit 255, from the session's source
	 * port to HA_BFD_PORT or HA_BFD_PORT_MULTIHOP. 0 or -errno, which is counted and told as
	 * HA_BFD_REMARK_SEND_FAILED; the next one leaves when due.
	 */
	int (*send)(struct ha_bfd *s, const void *pkt, size_t len, void *userdata);

	/* After the packet that tells the neighbour. */
	void (*changed)(struct ha_bfd *s, const struct ha_bfd_change *change, void *userdata);

	/* Called for every dropped packet: a host that logs limits its rate. */
	void (*dropped)(struct ha_bfd *s, enum ha_bfd_drop reason, const struct ha_bfd_meta *m,
			void *userdata);

	/* What an administrator should know. Limit the rate here, too. */
	void (*remark)(struct ha_bfd *s, enum ha_bfd_remark what, void *userdata);
};

/*
 * Makes a session that is not started. `userdata` goes to every callback and is never touched.
 * -EINVAL: a field is out of its range (ha_bfd_check says which); -E2BIG: opts or ops ask for
 * something this version of the library does not know; -ENOMEM.
 */
LIBHA_API int ha_bfd_new(const struct ha_bfd_opts *opts, const struct ha_bfd_ops *ops,
			 void *userdata, struct ha_bfd **ret);

/*
 * Why ha_bfd_new would say -EINVAL to these options: a static sentence that names the field, the
 * range and what to do; NULL when they are right. Pure; any thread.
 */
LIBHA_API const char *ha_bfd_check(const struct ha_bfd_opts *opts);

/*
 * Sends and tells nothing: ha_bfd_stop first, unless another process took over. NULL is fine. Not
 * inside a callback of it, nor while it is in a link: asserts.
 */
LIBHA_API void ha_bfd_free(struct ha_bfd *s);

/* -> Down, or AdminDown when that was set before; begins to speak. -EALREADY, -EBUSY. */
LIBHA_API int ha_bfd_start(struct ha_bfd *s, uint64_t now_ns);

/*
 * -> AdminDown, says so once and is silent. When that packet is lost the neighbour takes it for a
 * failure: a host with time to spare calls ha_bfd_set_admin_down first and serves the session for a
 * Detection Time of the neighbour more (RFC 5880 section 6.8.16). -EALREADY, -EBUSY.
 */
LIBHA_API int ha_bfd_stop(struct ha_bfd *s, uint64_t now_ns);

/*
 * Takes one received packet: the `len` bytes after the UDP header, of which none needs to be right.
 * Returns an enum ha_bfd_drop (HA_BFD_DROP_NONE is 0: accepted), or -EINVAL when `m` is NULL or not
 * sized, -EBUSY inside a callback. A dropped packet changes nothing but its counter; in AdminDown
 * it also notes the neighbour's values, as the RFC has it.
 */
LIBHA_API int ha_bfd_receive(struct ha_bfd *s, uint64_t now_ns, const struct ha_bfd_meta *m,
			     const void *pkt, size_t len);

/*
 * Which session a packet belongs to: its Your Discriminator, 0 when the addresses decide or when
 * the packet is too short to have one. Pure; any thread.
 */
LIBHA_API uint32_t ha_bfd_your_discriminator(const void *pkt, size_t len);

/* When ha_bfd_tick is due, absolute; HA_BFD_NEVER: not at all. Changes with every other call. */
LIBHA_API uint64_t ha_bfd_deadline(const struct ha_bfd *s);

/*
 * Serves the timers that are due; early calls do nothing. -EBUSY inside a callback. Hand over the
 * packets that wait first: after a stall they stop the detection timer.
 */
LIBHA_API int ha_bfd_tick(struct ha_bfd *s, uint64_t now_ns);

/* What ha_bfd_set_timers changes; a field that is 0 stays as it is. */
struct ha_bfd_timers {
	size_t size;
	uint32_t desired_min_tx_us, required_min_rx_us;
	uint8_t detect_mult;
};

/*
 * New intervals, at any time and without touching the state (RFC 5880 section 6.8.3): a Poll
 * Sequence tells the neighbour; until its end what would make either side detect falsely stays in
 * use. A new detect_mult is in force at once. -EINVAL: out of range; -EBUSY.
 */
LIBHA_API int ha_bfd_set_timers(struct ha_bfd *s, uint64_t now_ns, const struct ha_bfd_timers *t);

/*
 * Holds the session in AdminDown, or lets it go (RFC 5880 section 6.8.16); remembered when not
 * started. `diag` is what the neighbour is told: 0 means HA_BFD_DIAG_ADMIN_DOWN; PATH_DOWN and the
 * concatenated ones say that a path behind us failed (6.8.17). Unused with false. -EINVAL, -EBUSY.
 */
LIBHA_API int ha_bfd_set_admin_down(struct ha_bfd *s, uint64_t now_ns, bool down, uint8_t diag);

/*
 * The forwarding plane was reset, so that what the neighbour relied on is gone (RFC 5880 section
 * 6.8.15): Init and Up -> Down. -EBUSY.
 */
LIBHA_API int ha_bfd_reset(struct ha_bfd *s, uint64_t now_ns);

/* The state it is in, and the userdata of ha_bfd_new. `s` is not NULL. */
LIBHA_API enum ha_bfd_state ha_bfd_state(const struct ha_bfd *s);
LIBHA_API void *ha_bfd_userdata(const struct ha_bfd *s);

/* What it was made of, with defaults and with new timers; valid while the session lives. */
LIBHA_API const struct ha_bfd_opts *ha_bfd_opts(const struct ha_bfd *s);

/* Where it stands. The neighbour's values are zero when nothing was heard for a Detection Time. */
struct ha_bfd_status {
	size_t size;
	enum ha_bfd_state state;
	bool running;			/* started and not stopped */
	bool polling;			/* a Poll Sequence is going on */
	bool remote_demand;		/* the neighbour's D bit */
	uint8_t diag;			/* bfd.LocalDiag */
	uint64_t since_ns;		/* of this state */
	enum ha_bfd_state remote_state; /* what the neighbour said last; Down: nothing */
	uint8_t remote_diag, remote_detect_mult;
	uint32_t remote_discriminator;
	uint32_t remote_desired_min_tx_us, remote_required_min_rx_us;
	uint32_t desired_min_tx_us, required_min_rx_us; /* what we say at present */
	uint64_t tx_interval_ns; /* between our packets before jitter; 0: none leave regularly */
	uint64_t detect_ns;	 /* Detection Time; 0: nothing was heard */
	uint64_t detect_at_ns;	 /* when it ends, absolute; HA_BFD_NEVER */
};
/* -EINVAL: ret->size is not set. */
LIBHA_API int ha_bfd_status(const struct ha_bfd *s, struct ha_bfd_status *ret);

/* Counters since ha_bfd_new; thawing does not carry them over. */
#define HA_BFD_STATS_SLOTS 32
struct ha_bfd_stats {
	size_t size;
	uint64_t became_up;
	uint64_t left_up;
	uint64_t sent, received; /* received: accepted ones */
	uint64_t polls_sent;	 /* with the P bit; also in `sent` */
	uint64_t finals_sent;	 /* answers to the neighbour's; also in `sent` */
	uint64_t send_errors;
	uint64_t worst_late_ns;		      /* how late ha_bfd_tick served a timer, at most */
	uint64_t longest_gap_ns;	      /* between two accepted packets while Up */
	uint64_t dropped[HA_BFD_STATS_SLOTS]; /* by enum ha_bfd_drop */
	uint64_t remarks[HA_BFD_STATS_SLOTS]; /* by enum ha_bfd_remark */
};
/* -EINVAL: ret->size is not set. */
LIBHA_API int ha_bfd_stats(const struct ha_bfd *s, struct ha_bfd_stats *ret);

/*
 * Hitless restart and reload. Freeze writes the state (not the options) with its absolute timers
 * into `buf`: the number of bytes, at most HA_BFD_FREEZE_SIZE; -ENOSPC. Thaw puts it into a session
 * that is not started, made with the same discriminator and peer on the same machine since the same
 * boot, instead of ha_bfd_start: no callback runs, the neighbour does not notice, and the next
 * packet leaves when it was due. Give the new session the old source port. Timers may differ: a
 * Poll Sequence tells the neighbour. -EINVAL: not such a buffer; -ESTALE: of another session, or
 * its times lie in the future; -EALREADY: running. The buffer is checked like a packet.
 */
LIBHA_API ssize_t ha_bfd_freeze(const struct ha_bfd *s, void *buf, size_t cap);
LIBHA_API int ha_bfd_thaw(struct ha_bfd *s, uint64_t now_ns, const void *buf, size_t len);

/* Short static names, such as "up" or "ttl"; "?" for an unknown value. Any thread. */
LIBHA_API const char *ha_bfd_state_name(enum ha_bfd_state state);
LIBHA_API const char *ha_bfd_diag_name(uint8_t diag);
LIBHA_API const char *ha_bfd_reason_name(enum ha_bfd_reason reason);
LIBHA_API const char *ha_bfd_drop_name(enum ha_bfd_drop drop);
LIBHA_API const char *ha_bfd_remark_name(enum ha_bfd_remark remark);

#ifdef __cplusplus
}
#endif
#endif
