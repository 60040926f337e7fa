/* SPDX-License-Identifier: MIT */
/*
 * VRRP version 2 (RFC 3768) and 3 (RFC 9568, RFC 5798), for IPv4 and IPv6: the protocol without I/O.
 *
 * One struct ha_vrrp is one virtual router: one VRID of one family on one link. It is fed received
 * messages and the time, and answers through callbacks: send this advert, hold or drop the
 * addresses, announce them. It makes no system call and reads no clock. <libha/vrrp_link.h> is a
 * ready-made Linux hand for it; a host may as well bring its own.
 *
 *	start ----> deadline() --time passes--> tick()          any packet --> receive()
 *
 * Times are CLOCK_MONOTONIC nanoseconds; one before the latest that was given counts as that one. 0 is
 * success; errors are -errno, and each function names its own. A bad packet is no error: it is dropped,
 * counted and told by ops->dropped. In a struct that begins with `size` the caller sets it to sizeof the
 * struct, also where the library fills in the rest.
 *
 * Callbacks run at the end of the call that caused them, when the object is whole again, in the
 * order the RFC lists the actions. Inside one, every function here may be called on the same object
 * but ha_vrrp_receive, ha_vrrp_saw and ha_vrrp_tick (-EBUSY) and ha_vrrp_free (asserts); what they cause is told
 * after the callback returned. Calls that mutate give -EBUSY when one round of callbacks caused more
 * than HA_VRRP_MAX_ROUND events, so that a loop of callbacks ends.
 *
 * Threads: an object, and a group with all its members, belongs to one thread at a time. After
 * ha_vrrp_start nothing is allocated.
 */
#ifndef LIBHA_VRRP_H
#define LIBHA_VRRP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <libha/ip.h>
#include <libha/version.h>

#ifdef __cplusplus
extern "C" {
#endif

/* IP protocol number, and the priorities with a meaning of their own (RFC 9568 section 5.2.4). */
#define HA_VRRP_PROTOCOL 112
#define HA_VRRP_PRIORITY_RESIGN 0  /* on the wire: the sender stops being Active */
#define HA_VRRP_PRIORITY_OWNER 255 /* the addresses are the sender's own */
#define HA_VRRP_PRIORITY_DEFAULT 100

/* Limits. An IPv6 advert stays below the smallest MTU of IPv6; an IPv4 one can name 255. */
#define HA_VRRP_MAX_ADDRESSES 255
#define HA_VRRP_MAX_ADDRESSES_IPV6 77
#define HA_VRRP_MAX_PEERS 64
#define HA_VRRP_MAX_GROUP 255
#define HA_VRRP_MAX_ADVERT 1240		 /* bytes of the longest advert */
#define HA_VRRP_MAX_INTERVAL_CS 4095	 /* 12 bits on the wire of version 3 */
#define HA_VRRP_MAX_INTERVAL_V2_CS 25500 /* 8 bits of seconds on the wire of version 2 */
#define HA_VRRP_AUTH_SIZE 8
#define HA_VRRP_MAX_KEYS 8
#define HA_VRRP_MAX_SECRET 64	/* bytes of a key */
#define HA_VRRP_MAX_SENDERS 8	/* other routers of this VRID that are remembered */
#define HA_VRRP_MAX_WEIGHT 254	/* of a tracker, up or down */
#define HA_VRRP_MAX_TRACKERS 64 /* that add to the priority */
#define HA_VRRP_FREEZE_SIZE 512 /* bytes that ha_vrrp_freeze needs */
#define HA_VRRP_MAX_ROUND 16	/* events the callbacks of one call may cause; of a group: in all */
#define HA_VRRP_NEVER UINT64_MAX /* "no deadline", and "none" for a time that has a default */

struct ha_vrrp;
struct ha_vrrp_group;

enum ha_vrrp_state {
	HA_VRRP_INITIALIZE, /* not started, or stopped */
	HA_VRRP_BACKUP,
	HA_VRRP_ACTIVE, /* keepalived's MASTER */
	HA_VRRP_FAULT,	/* started, but something it needs is missing: ha_vrrp_set_fault */
};

/* Why the state changed. Append only. */
enum ha_vrrp_reason {
	HA_VRRP_STARTED,	 /* ha_vrrp_start */
	HA_VRRP_STOPPED,	 /* ha_vrrp_stop */
	HA_VRRP_OWNER,		 /* priority 255 does not wait for a timer */
	HA_VRRP_TIMEOUT,	 /* Active_Down_Timer: nobody was heard */
	HA_VRRP_RESIGNED,	 /* the timer, shortened by the Active's priority 0 */
	HA_VRRP_PREEMPTED,	 /* the timer, while only lower priorities were heard */
	HA_VRRP_HIGHER_PRIORITY, /* another Active has a higher one */
	HA_VRRP_HIGHER_ADDRESS,	 /* another Active has the same one and a higher address */
	HA_VRRP_FAULTED,	 /* the first fault bit was set */
	HA_VRRP_RECOVERED,	 /* the last fault bit was cleared */
	HA_VRRP_FOLLOWED,	 /* the sync group moved it */
	HA_VRRP_HANDED_OVER,	 /* ha_vrrp_hand_over, and the heir was heard */
	HA_VRRP_PEER_DOWN,	 /* the timer, shortened by ha_vrrp_peer_down */
	HA_VRRP_OVERSLEPT, /* an Active was away for so long that another one may be: rival_priority */
	HA_VRRP_N_REASONS,
};

/*
 * Why a packet was dropped; in parentheses the counter of RFC 6527 or 2787, if there is one. The
 * checks run in this order but for DESTINATION, which is asked with SOURCE. Append only.
 */
enum ha_vrrp_drop {
	HA_VRRP_DROP_NONE,	  /* it was accepted */
	HA_VRRP_DROP_NOT_RUNNING, /* in Initialize or Fault: no error of the sender */
	HA_VRRP_DROP_SOURCE,	  /* an address that cannot send: none, multicast, a stranger to
				     the unicast peers, not link-local (IPv6), one of the virtual
				     addresses without being the owner */
	HA_VRRP_DROP_DESTINATION, /* unicast without peers, multicast with; other family */
	HA_VRRP_DROP_OWN_ADDRESS, /* our own source: a loop, or a duplicate address */
	HA_VRRP_DROP_TTL,      /* below 255, or not what min_ttl or peer_ttls allow (IpTtlErrors) */
	HA_VRRP_DROP_LENGTH,   /* cut, or longer than its own count says (PacketLengthErrors) */
	HA_VRRP_DROP_VERSION,  /* (VersionErrors) */
	HA_VRRP_DROP_TYPE,     /* not an advertisement (RcvdInvalidType) */
	HA_VRRP_DROP_VRID,     /* (VrIdErrors) */
	HA_VRRP_DROP_CHECKSUM, /* (ChecksumErrors) */
	HA_VRRP_DROP_AUTH_TYPE,	      /* unknown (InvalidAuthType); version 2 */
	HA_VRRP_DROP_AUTH_MISMATCH,   /* known, but not ours (AuthTypeMismatch) */
	HA_VRRP_DROP_AUTH_FAILURE,    /* the password differs (AuthFailures) */
	HA_VRRP_DROP_ADVERT_INTERVAL, /* 0 in version 3, other than ours in 2 (AdvIntervalErrors) */
	HA_VRRP_DROP_ADDRESS_LIST,    /* differs in version 2; first one not link-local in IPv6
					 (AddressListErrors) */
	HA_VRRP_DROP_REPLAY,	      /* authenticated, but not newer than what was heard before,
					 or not of our time: see auth_window_ns */
	HA_VRRP_DROP_OTHER_VERSION,   /* version 2 of a router whose version 3 is heard: v2_too */
	HA_VRRP_DROP_IGNORED,	      /* an owner that hears nobody: deaf_owner */
	HA_VRRP_N_DROPS,
};

/* What a host should tell its administrator. None changes what the engine does. Append only. */
enum ha_vrrp_remark {
	HA_VRRP_REMARK_INTERVAL,       /* version 3: the Active's interval is not ours; learned */
	HA_VRRP_REMARK_ADDRESS_LIST,   /* version 3: its addresses are not ours; accepted */
	HA_VRRP_REMARK_EQUAL_PRIORITY, /* two routers have one priority: give each its own */
	HA_VRRP_REMARK_SECOND_OWNER,   /* an owner hears another one (RFC 9568 erratum 8298) */
	HA_VRRP_REMARK_LOSING_ADVERT,  /* Active heard a lower one: a second Active, for a moment */
	HA_VRRP_REMARK_CHECKSUM_FORM,  /* a right checksum, but not in the form we send */
	HA_VRRP_REMARK_LATE,	       /* a timer was served late: this process was not running */
	HA_VRRP_REMARK_NO_SOURCE,      /* an advert was due, and there is no source address */
	HA_VRRP_REMARK_SEND_FAILED,    /* ops->send returned an error */
	HA_VRRP_REMARK_MISSED,	  /* two or more adverts in a row of the Active did not come: loss,
					  queues (RFC 9568 2.5); one more and this Backup takes over */
	HA_VRRP_REMARK_DUPLICATE, /* ARP or ND of another machine claims an address that this
					  Active holds; meta has the address as source, and the MAC */
	HA_VRRP_REMARK_ADDRESS_LOST, /* Active, but the addresses are gone: asked for again */
	HA_VRRP_REMARK_NO_HEIR,	     /* handed over, but nobody came: goes on as Active */
	HA_VRRP_N_REMARKS,
};

/* How the checksum of version 3 over IPv4 is made. All are accepted on receive. */
enum ha_vrrp_checksum {
	HA_VRRP_CHECKSUM_PSEUDO,       /* with the pseudo-header: RFC 5798 to keepalived and FRR */
	HA_VRRP_CHECKSUM_MESSAGE,      /* the message only: RFC 9568 section 5.2.8 */
	HA_VRRP_CHECKSUM_PSEUDO_GROUP, /* unicast, but the group in it: old keepalived */
	HA_VRRP_N_CHECKSUMS,
};

/* How adverts are authenticated, beside version 2's auth_pass. docs/vrrp-authentication.md. */
enum ha_vrrp_auth {
	HA_VRRP_AUTH_NONE,
	HA_VRRP_AUTH_AH, /* version 2: IP Authentication Header, HMAC-MD5-96 (RFC 2338), as keepalived */
	HA_VRRP_AUTH_HMAC, /* a trailer with HMAC-SHA256; Hawser's own, both versions and families */
};

enum ha_vrrp_hash { HA_VRRP_HASH_MD5 = 1, HA_VRRP_HASH_SHA256 };
#define HA_VRRP_HASH_MAX 32 /* bytes of the longest result; MD5: 16 */

/* A key: `id` stands in the trailer, AH has none. `secret`: 1..HA_VRRP_MAX_SECRET bytes. */
struct ha_vrrp_key {
	uint8_t id;
	const void *secret;
	size_t len;
};

/* A range of TTLs or hop limits, both ends in it. most 0: 255. */
struct ha_vrrp_ttls {
	uint8_t least, most;
};

/*
 * What a virtual router is. Zero is the default of each field but vrid and family. Everything is
 * copied.
 */
struct ha_vrrp_opts {
	size_t size;	 /* sizeof(struct ha_vrrp_opts) */
	uint8_t vrid;	 /* 1..255 */
	uint8_t family;	 /* AF_INET or AF_INET6 */
	uint8_t version; /* 2 (IPv4 only) or 3; default 3 */

	/* 1..254; 255: the router owns the addresses, starts as Active and takes over at once. */
	uint8_t priority; /* default HA_VRRP_PRIORITY_DEFAULT */

	/*
	 * Between adverts, in centiseconds: 1..HA_VRRP_MAX_INTERVAL_CS; in version 2 whole seconds
	 * (100, 200 ..) up to HA_VRRP_MAX_INTERVAL_V2_CS. Default 100.
	 */
	uint16_t advert_interval_cs;

	/*
	 * Version 3: what may be learned from another Active's adverts; beyond it the bound is
	 * used. advert_interval_cs lies within. Default: all that the wire can say,
	 * 1..HA_VRRP_MAX_INTERVAL_CS.
	 */
	uint16_t learn_min_cs, learn_max_cs;

	/* Adverts that may be missed: Active_Down_Interval is so many intervals plus Skew_Time. */
	uint8_t down_timer_adverts; /* 1..100; default 3, as in the RFC */

	bool no_preempt; /* do not displace an Active of lower priority. An owner always does */

	/*
	 * How long an Active of lower priority is left in peace after it was first heard; 0: not at
	 * all. No meaning with no_preempt or for an owner.
	 */
	uint64_t preempt_delay_ns;

	/*
	 * Accept_Mode is false (RFC 9568 section 6.1): as Active, when not the owner, the host
	 * shall drop packets to the addresses, neighbour discovery excepted. Only passed on to
	 * ops->addresses. keepalived's default, and so the default here, is to accept.
	 */
	bool no_accept;

	/* An Active that hears a losing advert does not answer it at once (RFC 9568 does). */
	bool no_reply;

	/*
	 * An Active that hears a winning advert sends one more, so that the winner learns of the
	 * split and announces the addresses. The RFC is silent; off by default.
	 */
	bool last_advert;

	/* Version 2: accept another address list. Version 3 always does (RFC 9568 section 7.1). */
	bool any_addresses;

	/*
	 * The address adverts leave from: the primary IPv4 address of the interface, or its
	 * link-local IPv6 address (any IPv6 one with peers). It breaks ties of priority and is part
	 * of the checksum. May be none and set later by ha_vrrp_set_source; until then nothing is
	 * sent.
	 */
	struct ha_ip source;

	/* The multicast group. Default 224.0.0.18 or ff02::12. Not used with peers. */
	struct ha_ip group;

	/*
	 * The virtual addresses, as they stand in adverts: 1..HA_VRRP_MAX_ADDRESSES (0: see no_addresses) of `family`,
	 * in IPv6 at most HA_VRRP_MAX_ADDRESSES_IPV6, the first one link-local (keepalived does not insist and so,
	 * with any_first_address, neither does this). One may stand there twice: a peer must have it as often.
	 */
	const struct ha_ip *addresses;
	size_t n_addresses;
	bool any_first_address;

	/* Unicast instead of multicast: up to HA_VRRP_MAX_PEERS routers; others are not heard. */
	const struct ha_ip *peers;
	size_t n_peers;

	/* The least TTL or hop limit taken. Default: 255 with multicast, any with peers. */
	uint8_t min_ttl;

	/*
	 * Version 2 only: simple text authentication (RFC 2338 section 10.2), up to
	 * HA_VRRP_AUTH_SIZE bytes, NULL for none; longer is -EINVAL. It goes over the wire in clear
	 * and keeps out mistakes, nobody else.
	 */
	const char *auth_pass;

	enum ha_vrrp_checksum checksum; /* what is sent in version 3 over IPv4 */

	/*
	 * Gratuitous ARP or unsolicited NA, as keepalived does it: garp_repeat frames for each
	 * address at once (default 5), again garp_repeat after garp_delay_ns (default 5 s,
	 * HA_VRRP_NEVER: no second time), then garp_refresh_repeat (default 1) every
	 * garp_refresh_ns (default 0: never). After a losing advert garp_lower_repeat frames
	 * (default as garp_repeat), at most once a second; likewise a second after a lower priority was preempted, whose
	 * own announcements may have come last.
	 */
	uint8_t garp_repeat, garp_refresh_repeat, garp_lower_repeat;
	uint64_t garp_delay_ns, garp_refresh_ns;

	/*
	 * Version 3 over IPv4: send the checksum in the form that the other side sends: a unicast peer
	 * in its own, the group in that of the Active heard last. `checksum` until one was heard.
	 */
	bool learn_checksum;

	/*
	 * With another one than NONE: ops->hmac must be there, auth_pass not. The first key seals what is
	 * sent, each of them opens what is received: to rotate, add the new key behind on all routers, then
	 * put it in front, then leave the old one out. Copied, and wiped at the end. With HMAC an IPv6
	 * router has at most 74 addresses.
	 */
	enum ha_vrrp_auth auth;
	const struct ha_vrrp_key *keys; /* 1..HA_VRRP_MAX_KEYS, ids all different with HMAC */
	size_t n_keys;

	/*
	 * HMAC: the sequence numbers are times, so that they grow over restarts. CLOCK_REALTIME minus
	 * CLOCK_MONOTONIC, in ns. A sender that is not known yet must be within auth_window_ns (default
	 * 60 s) of it, so keep the clocks of the nodes together, and tell a new offset, as after a suspended
	 * machine woke up, by ha_vrrp_set_realtime_offset.
	 */
	uint64_t realtime_offset_ns;
	uint64_t auth_window_ns;

	/*
	 * Version 3 over IPv4, while the other routers of the link are migrated (RFC 9568 section 8.4): every
	 * advert is sent in version 2 as well, and version 2 is heard from routers that do not send 3.
	 * advert_interval_cs must then be whole seconds, and auth NONE.
	 */
	bool v2_too;

	/*
	 * n_addresses 0: adverts name no address, and such adverts are taken. The RFC knows no such router (RFC 9568
	 * erratum 8299), keepalived does: an election for whatever the host does with its result.
	 */
	bool no_addresses;

	/* TTL or hop limit of adverts to `peers`, which they must take (min_ttl): 1..255, default 255. Not with AH. */
	uint8_t unicast_ttl;

	/* After a losing advert garp_lower_repeat frames for each address once more, so much later; 0: not. */
	uint64_t garp_lower_delay_ns;

	/* The TTLs or hop limits taken of each of `peers`, n_peers of them; NULL: min_ttl holds for all. */
	const struct ha_vrrp_ttls *peer_ttls;

	/*
	 * With no_preempt, for an Active that did not run for a while (a suspended machine): when its last advert lies so
	 * far back that a Backup of this priority (1..254) has taken over by now, it becomes a Backup instead of displacing
	 * that one. 0: it listens for one interval, then goes on.
	 */
	uint8_t rival_priority;

	/* An owner does not look at adverts, and so finds no second owner. keepalived's owner_ignore_adverts. */
	bool deaf_owner;
};

/* What is known of a received message beside its bytes. All of it is needed, unless it says otherwise. */
struct ha_vrrp_meta {
	size_t size;
	struct ha_ip source, destination;
	uint8_t ttl;	  /* or hop limit */
	uint8_t mac[6];	  /* of the sender, as far as known; only passed on */
	uint8_t protocol; /* 0 or 112; 51: the bytes begin with the Authentication Header */

	/* The IPv4 header as it came, 20 bytes or it is refused. Only needed with protocol 51. */
	const void *header;
	size_t header_len;
};

/* A change of state. `peer` and `peer_priority` are those of the advert that caused it, or none. */
struct ha_vrrp_change {
	enum ha_vrrp_state from, to;
	enum ha_vrrp_reason reason;
	struct ha_ip peer;
	uint8_t peer_priority;
};

/*
 * What the host does for a virtual router. Only `send` must be there. Pointers passed in are valid
 * during the call. On the way to Active the order is send, addresses, announce, changed; on the way
 * out addresses, send (priority 0, if it leaves by itself), changed (RFC 9568 section 6.4).
 */
struct ha_vrrp_ops {
	size_t size;

	/*
	 * Sends one advert of `len` bytes: IP protocol 112 (51 with HA_VRRP_AUTH_AH), TTL or hop limit
	 * 255, from the router's source address to `destination` (the group, or one peer: a call for
	 * each). 0 or -errno, which is counted and told as HA_VRRP_REMARK_SEND_FAILED; the next one
	 * leaves when due.
	 */
	int (*send)(struct ha_vrrp *v, const struct ha_ip *destination, const void *advert,
		    size_t len, void *userdata);

	/* Hold the addresses (up) or give them up. `accept`: packets to them may be taken. */
	void (*addresses)(struct ha_vrrp *v, bool up, bool accept, void *userdata);

	/* Tell the neighbours: `repeat` gratuitous ARP requests or unsolicited NAs per address. */
	void (*announce)(struct ha_vrrp *v, unsigned repeat, void *userdata);

	void (*changed)(struct ha_vrrp *v, const struct ha_vrrp_change *change, void *userdata);

	/* Called for every dropped packet: a host that logs limits its rate (RFC 9568 7.1). */
	void (*dropped)(struct ha_vrrp *v, enum ha_vrrp_drop reason, const struct ha_vrrp_meta *m,
			void *userdata);

	/* `m` is the packet that gave rise to it, NULL if none did. Limit the rate here, too. */
	void (*remark)(struct ha_vrrp *v, enum ha_vrrp_remark what, const struct ha_vrrp_meta *m,
		       void *userdata);

	/*
	 * HMAC of `data` with `key` (RFC 2104) into `ret`, HA_VRRP_HASH_MAX bytes of room. 0 or -errno. Only
	 * with opts.auth; must not call this library. examples/adapters/hmac_openssl.h is one.
	 */
	int (*hmac)(enum ha_vrrp_hash hash, const void *key, size_t key_len, const void *data,
		    size_t len, uint8_t *ret, void *userdata);
};

/*
 * Makes a virtual router in Initialize. `userdata` goes to every callback and is never touched.
 * -EINVAL: a field is out of its range (ha_vrrp_check says which), or opts.auth without ops->hmac; -E2BIG: opts or ops ask for
 * something this version of the library does not know; -ENOMEM.
 */
LIBHA_API int ha_vrrp_new(const struct ha_vrrp_opts *opts, const struct ha_vrrp_ops *ops,
			  void *userdata, struct ha_vrrp **ret);

/*
 * Why ha_vrrp_new would say -EINVAL to these options: a static sentence that names the field, the
 * range and what to do; NULL when they are right. Pure; any thread.
 */
LIBHA_API const char *ha_vrrp_check(const struct ha_vrrp_opts *opts);

/*
 * Leaves its group, wipes password and keys and frees. Sends and tells nothing: ha_vrrp_stop first,
 * unless another process took over. NULL is fine. Not inside a callback of it or its group: asserts.
 */
LIBHA_API void ha_vrrp_free(struct ha_vrrp *v);

/*
 * Initialize -> Backup, Active (owner) or Fault (a fault bit is set), RFC 9568 section 6.4.1.
 * -EALREADY when it runs, -EBUSY: see the top.
 */
LIBHA_API int ha_vrrp_start(struct ha_vrrp *v, uint64_t now_ns);

/* Any state -> Initialize; an Active drops the addresses, sends priority 0. -EALREADY, -EBUSY. */
LIBHA_API int ha_vrrp_stop(struct ha_vrrp *v, uint64_t now_ns);

/*
 * Takes one received message: the `len` bytes after the IP header, of which none needs to be right.
 * Returns an enum ha_vrrp_drop (HA_VRRP_DROP_NONE is 0: accepted), or -EINVAL when `m` is NULL or
 * not sized, -EBUSY inside a callback. A dropped packet changes nothing but its counter.
 */
LIBHA_API int ha_vrrp_receive(struct ha_vrrp *v, uint64_t now_ns, const struct ha_vrrp_meta *m,
			      const void *pkt, size_t len);

/* When ha_vrrp_tick is due, absolute; HA_VRRP_NEVER: not at all. Changes with every other call. */
LIBHA_API uint64_t ha_vrrp_deadline(const struct ha_vrrp *v);

/*
 * Serves the timers that are due; early calls do nothing. -EBUSY inside a callback. Hand over
 * the packets that wait first: after a stall they may stop the timer. Who was kept from it for long
 * (a Backup for half an interval, an Active for down_timer_adverts of them) listens for one interval
 * more before it asserts anything; an Active may step back: rival_priority.
 */
LIBHA_API int ha_vrrp_tick(struct ha_vrrp *v, uint64_t now_ns);

/*
 * The effective priority (the configured one with weights of trackers added), 1..254. A running
 * timer keeps its start and takes the new Skew_Time; an Active sends it with its next advert.
 * -EINVAL: out of range, or the router is the owner, whose priority is 255 whatever else; -EBUSY.
 */
LIBHA_API int ha_vrrp_set_priority(struct ha_vrrp *v, uint64_t now_ns, unsigned priority);

/*
 * Sets or clears fault bits: what they stand for is the host's (link down, no address, a script
 * that failed). While any is set a started router is in Fault: an Active gives up the addresses and
 * sends priority 0. When the last is cleared it becomes Backup, or Active when it is the owner. Bits
 * may be set before the start. -EINVAL: no bit, or the group's HA_VRRP_FAULT_GROUP; -EBUSY.
 */
#define HA_VRRP_FAULT_GROUP 0x80000000u /* another member of the sync group is in Fault */
#define HA_VRRP_FAULT_ADDRESS \
	0x40000000u /* set by the engine: ha_vrrp_set_held; cleared by the host */
LIBHA_API int ha_vrrp_set_fault(struct ha_vrrp *v, uint64_t now_ns, uint32_t bits, bool on);

/*
 * Priority tracking as keepalived does it: while `up`, a positive weight is added to the configured
 * priority; while not, a negative one. The sum over all trackers, bounded to 1..254, is the effective
 * priority: use this or ha_vrrp_set_priority. `tracker` is a number of the host's, below
 * HA_VRRP_MAX_TRACKERS; the weight is within HA_VRRP_MAX_WEIGHT of 0, 0 forgets the tracker. In every state, also before the
 * start; not thawed, so tell them first. -EINVAL: out of range, or an owner; -EBUSY.
 */
LIBHA_API int ha_vrrp_track(struct ha_vrrp *v, uint64_t now_ns, unsigned tracker, int weight,
			    bool up);

/*
 * The host found that the addresses of an Active are gone (somebody deleted them, events were lost),
 * or that they are there again. Without them no advert leaves. When told so first, the engine asks
 * for them once more (ops->addresses, up); when they are not there HA_VRRP_RESTORE_NS later it resigns
 * into Fault with HA_VRRP_FAULT_ADDRESS, which the host clears when it wants another try. In other
 * states nothing happens. -EBUSY.
 */
#define HA_VRRP_RESTORE_NS UINT64_C(50000000)
LIBHA_API int ha_vrrp_set_held(struct ha_vrrp *v, uint64_t now_ns, bool held);

/*
 * Graceful handover, make before break: the Active resigns with priority 0 but keeps its addresses
 * until it hears the first advert of another router, then becomes Backup (HA_VRRP_HANDED_OVER), and
 * leaves that one in peace, whatever its priority, until it fails. When nobody came within its own
 * Active_Down_Interval it goes on as Active (HA_VRRP_REMARK_NO_HEIR); at once, when it hears that another
 * one with a lower address hands over, too. -EALREADY: not Active, or handing over; -EBUSY.
 */
LIBHA_API int ha_vrrp_hand_over(struct ha_vrrp *v, uint64_t now_ns);

/*
 * Something faster, BFD for one, knows that a neighbour is gone: a Backup whose Active it is waits
 * Skew_Time instead of the rest of Active_Down_Interval (draft-ietf-rtgwg-vrrp-bfd-p2p); an advert of
 * the neighbour undoes it. Never a change of state by itself. 0, also when nothing followed; -EBUSY.
 */
LIBHA_API int ha_vrrp_peer_down(struct ha_vrrp *v, uint64_t now_ns, const struct ha_ip *peer);

/*
 * Evidence from ARP or neighbour discovery: a frame claimed `address` for `mac`. When it is one of the
 * addresses of this Active, and the MAC is neither ours (`own_mac`) nor the virtual router's, that is a
 * second Active or a stranger: told as HA_VRRP_REMARK_DUPLICATE, and the addresses are announced again,
 * once a second at most. 0, also when nothing followed; -EINVAL, -E2BIG, -EBUSY inside a callback.
 */
struct ha_vrrp_sighting {
	size_t size;
	struct ha_ip address;
	uint8_t mac[6];	    /* that the frame claims it for */
	uint8_t own_mac[6]; /* of the interface it came in by */
};
LIBHA_API int ha_vrrp_saw(struct ha_vrrp *v, uint64_t now_ns, const struct ha_vrrp_sighting *s);

/*
 * The source address has changed; AF_UNSPEC: there is none, and nothing is sent. -EINVAL: it is of the
 * other family, or an IPv6 address that is not link-local, without peers.
 */
LIBHA_API int ha_vrrp_set_source(struct ha_vrrp *v, const struct ha_ip *source);

/* opts.realtime_offset_ns has changed. Own sequence numbers go on growing, even if it went back. -EINVAL: v is NULL. */
LIBHA_API int ha_vrrp_set_realtime_offset(struct ha_vrrp *v, uint64_t offset_ns);

/* Announces the addresses now, garp_repeat times, when Active; else nothing. -EBUSY. */
LIBHA_API int ha_vrrp_announce(struct ha_vrrp *v, uint64_t now_ns);

/* The state it is in, and the userdata of ha_vrrp_new. `v` is not NULL. */
LIBHA_API enum ha_vrrp_state ha_vrrp_state(const struct ha_vrrp *v);
LIBHA_API void *ha_vrrp_userdata(const struct ha_vrrp *v);

/* What it was made of, with defaults, without password and keys; valid while the router lives. */
LIBHA_API const struct ha_vrrp_opts *ha_vrrp_opts(const struct ha_vrrp *v);

/* Where it stands. Intervals are the ones in use; all zero where a state has none. */
struct ha_vrrp_status {
	size_t size;
	enum ha_vrrp_state state;
	uint8_t priority;	     /* effective */
	uint64_t since_ns;	     /* of this state */
	uint32_t faults;	     /* bits that are set */
	struct ha_ip active;	     /* Backup: the Active that was accepted last, or none */
	uint8_t active_priority;     /* and its priority */
	uint16_t active_interval_cs; /* Active_Adver_Interval: learned as Backup, else our own */
	uint64_t skew_ns, down_ns;   /* Skew_Time, Active_Down_Interval */
	uint64_t timer_ns;	     /* Adver_Timer or Active_Down_Timer, absolute; HA_VRRP_NEVER */
	bool waits_for_group;	     /* could be Active, but another member of its group cannot */
};
/* -EINVAL: ret->size is not set. */
LIBHA_API int ha_vrrp_status(const struct ha_vrrp *v, struct ha_vrrp_status *ret);

/* Counters since ha_vrrp_new; thawing does not carry them over. */
#define HA_VRRP_STATS_SLOTS 32
struct ha_vrrp_stats {
	size_t size;
	uint64_t became_active; /* vrrpv3StatisticsMasterTransitions */
	uint64_t left_active;
	uint64_t adverts_sent, adverts_received; /* received: accepted ones */
	uint64_t priority_zero_sent, priority_zero_received;
	uint64_t replies_sent;	   /* adverts sent at once to a losing one */
	uint64_t replies_withheld; /* by the limit of one in 10 ms */
	uint64_t send_errors;
	uint64_t worst_late_ns;		       /* how late ha_vrrp_tick served a timer, at most */
	uint64_t dropped[HA_VRRP_STATS_SLOTS]; /* by enum ha_vrrp_drop */
	uint64_t remarks[HA_VRRP_STATS_SLOTS]; /* by enum ha_vrrp_remark */
	uint64_t checksums[4];		       /* version 3 over IPv4: by enum ha_vrrp_checksum */
};
/* -EINVAL: ret->size is not set. */
LIBHA_API int ha_vrrp_stats(const struct ha_vrrp *v, struct ha_vrrp_stats *ret);

/*
 * A router whose adverts were accepted, or was until HA_VRRP_MAX_SENDERS others were heard after it.
 * Missed adverts are those of an Active that this Backup waited for: `missed_in_row` 2 of
 * down_timer_adverts 3 is one step from a takeover by loss.
 */
struct ha_vrrp_sender {
	size_t size;
	struct ha_ip address;
	uint8_t priority; /* as last heard; 0: it resigned */
	uint8_t version;
	enum ha_vrrp_checksum checksum; /* the form it uses; version 3 over IPv4 */
	uint16_t interval_cs;
	uint64_t first_ns, last_ns; /* heard */
	uint64_t adverts;
	uint64_t missed;       /* adverts */
	uint64_t longest_ns;   /* between two adverts that followed each other as Active's */
	uint8_t missed_in_row; /* at most */
};
/* The index-th, 0.., in no order. -ENOENT: there are no more; -EINVAL: ret->size is not set. */
LIBHA_API int ha_vrrp_sender(const struct ha_vrrp *v, unsigned index, struct ha_vrrp_sender *ret);

/*
 * Hitless restart and reload. Freeze writes the state (not the options) with its absolute timers
 * into `buf`: the number of bytes, at most HA_VRRP_FREEZE_SIZE; -ENOSPC. Thaw puts it into a router
 * in Initialize, made with the same vrid and family on the same machine since the same boot,
 * instead of ha_vrrp_start: no callback runs, nobody on the link notices, and the next advert
 * leaves when it was due. Options may differ: new ones are in force. The effective priority comes
 * along when the configured one is unchanged. -EINVAL: not such a buffer; -ESTALE: of another
 * router, or its times lie beyond all timers; -EALREADY: not in Initialize. The buffer is checked
 * like a packet.
 *
 * Adverts that leave on time need no new freezing: `alive_ns` is when the predecessor had served
 * what was due, such as the end of its last turn. What was due until then has left, and the beat
 * goes on from there; an advert that was not served by then was late. 0: nothing has left since
 * the freezing. Beyond now_ns: -ESTALE.
 */
LIBHA_API ssize_t ha_vrrp_freeze(const struct ha_vrrp *v, void *buf, size_t cap);
LIBHA_API int ha_vrrp_thaw(struct ha_vrrp *v, uint64_t now_ns, uint64_t alive_ns, const void *buf,
			   size_t len);

/*
 * Another number whenever what ha_vrrp_freeze writes has changed by more than an Active's adverts
 * that left on time: it is time to freeze again. With authentication each advert changes it. In a
 * callback it counts what led to it.
 */
LIBHA_API uint32_t ha_vrrp_revision(const struct ha_vrrp *v);

/*
 * Sync group: virtual routers of this node that are Active together or not at all. It becomes
 * Active when each member is or could be; when one falls to Backup all do (and resign with priority
 * 0), and while one is in Fault all are. It has no timer and no I/O: its members are served as ever.
 * Ties of priority between two Actives are decided by the source addresses of one link for all members: that of
 * the member whose first virtual address is the lowest; another link decides only when that one has not within
 * Active_Down_Interval. If each link decided by itself, node A could lose on one and node B on the other: both
 * would give up everything, again and again.
 * Inside a callback of one member its group counts as one object: see the top.
 */
struct ha_vrrp_group_ops {
	size_t size;
	/* After the members' own callbacks. May be NULL. */
	void (*changed)(struct ha_vrrp_group *g, enum ha_vrrp_state from, enum ha_vrrp_state to,
			void *userdata);
};

/* `ops` may be NULL. -ENOMEM, -E2BIG, -EINVAL. */
LIBHA_API int ha_vrrp_group_new(const struct ha_vrrp_group_ops *ops, void *userdata,
				struct ha_vrrp_group **ret);

/* Its members become single routers and stay as they are. NULL is fine. In a callback it asserts. */
LIBHA_API void ha_vrrp_group_free(struct ha_vrrp_group *g);

/*
 * Adds a router in Initialize; the group does not own it. -EINVAL: not in Initialize; -EALREADY: in
 * a group; -ENOSPC: HA_VRRP_MAX_GROUP; -EBUSY: in a callback of either; -ENOMEM.
 */
LIBHA_API int ha_vrrp_group_add(struct ha_vrrp_group *g, struct ha_vrrp *v);

/* Takes a router out; it and the group stay as they are. -ENOENT, -EBUSY. */
LIBHA_API int ha_vrrp_group_remove(struct ha_vrrp_group *g, struct ha_vrrp *v);

/* Start or stop of every member as one step: nobody sees a part of it. -EALREADY, -EBUSY. */
LIBHA_API int ha_vrrp_group_start(struct ha_vrrp_group *g, uint64_t now_ns);
LIBHA_API int ha_vrrp_group_stop(struct ha_vrrp_group *g, uint64_t now_ns);

/* ha_vrrp_hand_over of every member. The first that hears its heir takes the others along. */
LIBHA_API int ha_vrrp_group_hand_over(struct ha_vrrp_group *g, uint64_t now_ns);

/* Initialize while a member is; else Fault when one is, Active when all are, and Backup. */
LIBHA_API enum ha_vrrp_state ha_vrrp_group_state(const struct ha_vrrp_group *g);

/* The virtual router MAC address (RFC 9568 section 7.3): 00:00:5e:00:01:VRID, :02: for AF_INET6. */
LIBHA_API void ha_vrrp_mac(uint8_t family, uint8_t vrid, uint8_t ret[6]);

/* Short static names, such as "active" or "ttl"; "?" for an unknown value. Any thread. */
LIBHA_API const char *ha_vrrp_state_name(enum ha_vrrp_state state);
LIBHA_API const char *ha_vrrp_reason_name(enum ha_vrrp_reason reason);
LIBHA_API const char *ha_vrrp_drop_name(enum ha_vrrp_drop drop);
LIBHA_API const char *ha_vrrp_remark_name(enum ha_vrrp_remark remark);

#ifdef __cplusplus
}
#endif
#endif
