/* SPDX-License-Identifier: MIT */
/*
 * Links and addresses of this machine, over rtnetlink (rtnetlink(7)).
 *
 * struct ha_net asks and changes, synchronously: the kernel has answered when a call returns.
 * struct ha_net_monitor keeps a view of all links and addresses, and on request of neighbours, routes and
 * rules (libha/route.h), and tells what changes, asynchronously;
 * events the kernel had to drop are made up for by reading everything again and telling the differences,
 * so that the view is never stale for long. Both live in the network namespace of the thread that
 * creates them. Changes need CAP_NET_ADMIN.
 */
#ifndef LIBHA_NET_H
#define LIBHA_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libha/ip.h>
#include <libha/nl_transport.h>
#include <libha/version.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Room for an interface name or an address label with its NUL (IFNAMSIZ). */
#define HA_NET_NAME_SIZE 16

/* The longest link-layer address (MAX_ADDR_LEN of the kernel). */
#define HA_NET_MAC_BYTES 32

/* Room for the kind of a link ("macvlan", "bridge") and for its alias, with the NUL. */
#define HA_NET_KIND_SIZE 16
#define HA_NET_ALIAS_SIZE 64

/* The most addresses in one call, and the most links and addresses a list or a monitor holds. */
#define HA_NET_BATCH_MAX 65536
#define HA_NET_LINKS_MAX 65536
#define HA_NET_ADDRESSES_MAX (1u << 20)

/*
 * The mark of an address that a VRRP router put there: VRRP's protocol number, in the attribute
 * IFA_PROTO that rtnetlink has for this (linux/if_addr.h). The kernel's own marks are 1 to 3.
 */
#define HA_NET_PROTO_VIP 112

/* A link (network interface). Filled by the library. */
struct ha_net_link {
	size_t size;	   /* sizeof(struct ha_net_link), set by the caller of a getter */
	uint32_t ifindex;  /* 1 or more */
	uint32_t flags;	   /* IFF_*: IFF_UP administratively, IFF_RUNNING operationally, */
			   /* IFF_LOWER_UP (0x10000) carrier */
	uint32_t mtu;	   /* bytes */
	uint32_t parent;   /* ifindex of the link below (VLAN, macvlan, veth's peer), 0: none, or */
			   /* it is in another network namespace */
	uint32_t master;   /* ifindex of the bridge, bond or VRF it belongs to, or 0 */
	uint16_t type;	   /* ARPHRD_* of linux/if_arp.h */
	uint8_t operstate; /* IF_OPER_* of linux/if.h (RFC 2863 ifOperStatus) */
	uint8_t mac_len;   /* bytes used in mac, 0: none */
	uint8_t mac[HA_NET_MAC_BYTES]; /* link-layer address */
	char name[HA_NET_NAME_SIZE];
	char kind[HA_NET_KIND_SIZE];   /* of a virtual link ("macvlan"), else "" */
	char alias[HA_NET_ALIAS_SIZE]; /* what somebody noted on it (IFLA_IFALIAS), cut to fit */
	uint32_t macvlan_mode;	       /* MACVLAN_MODE_* of linux/if_link.h; 0: it is none */
	uint32_t vrf_table;	       /* of a VRF: the table of its routes; 0: it is none */
	uint16_t ipvlan_mode;  /* of an ipvlan (see kind): IPVLAN_MODE_* of linux/if_link.h */
	uint16_t ipvlan_flags; /* likewise: IPVLAN_F_*; 0: bridge mode */
	uint32_t reserved;     /* 0 */
};

/* An address of a link. Zero is the default of every field but ifindex and ip. */
struct ha_net_address {
	size_t size;		/* sizeof(struct ha_net_address) */
	uint32_t ifindex;	/* the link */
	struct ha_ip ip;	/* the address itself */
	struct ha_ip peer;	/* the other end of a point-to-point link; none: there is no peer */
	struct ha_ip broadcast; /* IPv4; none: no broadcast address */
	uint8_t prefix_len;	/* 0 to 32 or 128; given as 0: a host address, /32 or /128 */
	uint8_t
	    scope; /* RT_SCOPE_* of linux/rtnetlink.h; 0: global. The kernel sets IPv6's itself */
	uint8_t proto; /* mark (IFA_PROTO); 0: none. Kernels before 5.18 keep none: use a label */
	/*
	 * IFA_F_* of linux/if_addr.h. Given, those count that can be chosen: NODAD, OPTIMISTIC,
	 * HOMEADDRESS, DEPRECATED (preferred lifetime 0: not chosen as a source), MANAGETEMPADDR,
	 * NOPREFIXROUTE, MCAUTOJOIN. Read, the state counts too: TENTATIVE, DADFAILED, SECONDARY,
	 * PERMANENT.
	 */
	uint32_t flags;
	uint32_t valid_lft_s;	  /* seconds until the kernel removes it; 0: never */
	uint32_t preferred_lft_s; /* seconds until it is deprecated; 0: as long as it is valid */
	char label[HA_NET_NAME_SIZE]; /* IPv4; "": the name of the link */
};

/*
 * Is it marked: does it carry the mark `proto` or, where the kernel gave no mark at all, the label
 * `label` (NULL or "": no such fallback)? So an owner finds again, after a crash, what is his.
 */
LIBHA_API bool ha_net_address_is_marked(const struct ha_net_address *a, uint8_t proto,
					const char *label);

/* -- asking and changing ------------------------------------------------------------------------ */

struct ha_net;

struct ha_net_opts {
	size_t size;				 /* sizeof(struct ha_net_opts) */
	const struct ha_nl_transport *transport; /* NETLINK_ROUTE; NULL: an own socket. Copied */
	unsigned int timeout_ms;		 /* longest wait for an answer; 0: 5000 */
};

/*
 * A handle; it belongs to one thread at a time. `o` may be NULL. From then on it owns the transport;
 * on failure the caller keeps it. 0 or -errno: -ENOMEM, -EINVAL (a transport that lacks a function),
 * -E2BIG, those of ha_nl_mnl_open().
 */
LIBHA_API int ha_net_new(const struct ha_net_opts *o, struct ha_net **ret);

/* Closes the transport. The addresses stay. NULL is fine. */
LIBHA_API void ha_net_free(struct ha_net *n);

/* The status of an address that needed no change: added, it was there; removed, it was gone. */
#define HA_NET_ALREADY 1

/*
 * Adds `count` addresses in as few system calls as possible. `a` is an array whose elements are each
 * a->size bytes apart. One that is refused does not stop those after it.
 *
 * ret_status, `count` elements or NULL, gets for each address 0: added; HA_NET_ALREADY: it was on the
 * link before, and stays as it is (adopted); or -errno: -EINVAL (no ifindex, no address, prefix, peer
 * or label wrong for the family), -ENODEV (no such link), -EACCES (IPv6 is disabled on it), -EPERM.
 *
 * 0 when no status is an error, else the first that is. If what was done cannot be known, every
 * status and the value are that error: -ENOBUFS, -ETIMEDOUT, -EBADMSG, -ENOMEM or what the transport
 * says; list the addresses then. -EINVAL without any status: `count` above HA_NET_BATCH_MAX, an
 * element without size, NULL.
 */
LIBHA_API int ha_net_address_add(struct ha_net *n, const struct ha_net_address *a, size_t count,
				 int *ret_status);

/*
 * As ha_net_address_add(), but an address that is there gets these lifetimes, flags and mark: to
 * renew a lifetime, or to mark what was adopted. Status 0 in both cases. Of an IPv4 address that is
 * there the kernel changes no flag but DEPRECATED.
 */
LIBHA_API int ha_net_address_set(struct ha_net *n, const struct ha_net_address *a, size_t count,
				 int *ret_status);

/*
 * Removes addresses, found by ifindex, ip, prefix_len and peer; the other fields do not count. As
 * ha_net_address_add(); HA_NET_ALREADY: neither it nor perhaps the link is there, or the kernel knows
 * none of its family. Take note: an IPv6 address is on a link once; whoever adds it with another prefix
 * length adopts it with the one it has, and only under that one is it found here. And removing an IPv4 address that is not SECONDARY takes
 * the secondaries of its subnet along, unless net.ipv4.conf.*.promote_secondaries is set.
 */
LIBHA_API int ha_net_address_remove(struct ha_net *n, const struct ha_net_address *a, size_t count,
				    int *ret_status);

/*
 * Has the kernel finished an address? An IPv6 one is joined to its solicited-node group, and packets to it
 * are taken, a moment after it was added (without duplicate address detection: when a worker got to it);
 * who announces it earlier invites packets that are lost. 1: it has; 0: not yet, or it is not there; -errno.
 * An IPv4 address is finished when it is added: 1.
 */
LIBHA_API int ha_net_address_is_ready(struct ha_net *n, const struct ha_net_address *a);

/*
 * What the kernel said about the first error of the last call, beyond its errno ("" if nothing).
 * Never NULL; valid until the next call.
 */
LIBHA_API const char *ha_net_error_text(const struct ha_net *n);

/* Gets one address. Not 0 ends the walk with that value. `a` is valid during the call. */
typedef int ha_net_address_fn(void *userdata, const struct ha_net_address *a);

/* Gets one link; as above. */
typedef int ha_net_link_fn(void *userdata, const struct ha_net_link *l);

/*
 * Gives all addresses of the link `ifindex` (0: of all links) and of `family` (AF_UNSPEC: both) to
 * `each`, once the list is complete, so that `each` may use the handle. 0; what `each` returned; or -errno: -ENODEV (no such link, on
 * kernels that filter), -EINTR (it changed faster than it could be read), -EOVERFLOW (more than
 * HA_NET_ADDRESSES_MAX), -ENOMEM, and those of the transport.
 */
LIBHA_API int ha_net_address_list(struct ha_net *n, uint32_t ifindex, int family,
				  ha_net_address_fn *each, void *userdata);

/* Gives all links to `each`. As ha_net_address_list(). */
LIBHA_API int ha_net_link_list(struct ha_net *n, ha_net_link_fn *each, void *userdata);

/*
 * Reads one link, by its name or by its index. ret->size is set by the caller. 0 or -errno: -ENODEV,
 * -EINVAL (index 0; a name that is empty or too long), -ENOMEM, and those of the transport.
 */
LIBHA_API int ha_net_link_by_name(struct ha_net *n, const char *name, struct ha_net_link *ret);
LIBHA_API int ha_net_link_by_index(struct ha_net *n, uint32_t ifindex, struct ha_net_link *ret);

/* A link with a MAC address of its own on top of another one: `ip link add type macvlan`. */
struct ha_net_macvlan {
	size_t size;	 /* sizeof(struct ha_net_macvlan) */
	uint32_t parent; /* ifindex of the Ethernet link below */
	uint32_t mode;	 /* MACVLAN_MODE_* of linux/if_link.h; 0: MACVLAN_MODE_BRIDGE */
	uint8_t mac[6];
	char name[HA_NET_NAME_SIZE];
};

/*
 * Makes a macvlan, which is down. *ret (size set by the caller) is what was made. 0 or -errno:
 * -EEXIST (a link of this name is there), -EINVAL (no parent, MAC or name; a parent that cannot
 * carry one), -ENODEV (no such parent), -EBUSY (the parent belongs to somebody who takes its
 * frames: a bridge port), -EADDRINUSE (another macvlan of the parent has the MAC and is up),
 * -EOPNOTSUPP (a kernel without macvlan), -EPERM, and those of the transport.
 */
LIBHA_API int ha_net_macvlan_add(struct ha_net *n, const struct ha_net_macvlan *m,
				 struct ha_net_link *ret);

/* A link with the MAC address of the one below, told from it by its IP addresses: `ip link add type ipvlan`. */
struct ha_net_ipvlan {
	size_t size;	 /* sizeof(struct ha_net_ipvlan) */
	uint32_t parent; /* ifindex of the Ethernet link below */
	uint16_t mode;	 /* IPVLAN_MODE_* of linux/if_link.h; 0: L2. All of a parent have one */
	uint16_t flags;	 /* IPVLAN_F_*; 0: bridge mode. Likewise */
	char name[HA_NET_NAME_SIZE];
};

/* Makes an ipvlan, which is down. As ha_net_macvlan_add(); a parent has either ipvlans or macvlans. */
LIBHA_API int ha_net_ipvlan_add(struct ha_net *n, const struct ha_net_ipvlan *v,
				struct ha_net_link *ret);

/*
 * Sets a link administratively up or down; as it is already is no error. 0 or -errno: -ENODEV, -EINVAL, -EPERM, -EADDRINUSE (a
 * macvlan, and another one on the same link has its MAC and is up), and those of the transport.
 */
LIBHA_API int ha_net_link_set_up(struct ha_net *n, uint32_t ifindex, bool up);

/* Puts a link into a bridge, bond or VRF by its index; 0: out of it. -EOPNOTSUPP: that is none; else as above. */
LIBHA_API int ha_net_link_set_master(struct ha_net *n, uint32_t ifindex, uint32_t master);

/*
 * Which IPv6 addresses the kernel makes on a link by itself, when it is up: IN6_ADDR_GEN_MODE_* of linux/if_link.h.
 * -EAFNOSUPPORT: a kernel without IPv6; -EINVAL: no such mode; else as above.
 */
LIBHA_API int ha_net_link_set_addr_gen(struct ha_net *n, uint32_t ifindex, uint8_t mode);

/* Notes a text on a link (IFLA_IFALIAS); "": none. -EINVAL: too long; else as above. */
LIBHA_API int ha_net_link_set_alias(struct ha_net *n, uint32_t ifindex, const char *alias);

/* Removes a virtual link. -EOPNOTSUPP: it is a real one; else as above. */
LIBHA_API int ha_net_link_remove(struct ha_net *n, uint32_t ifindex);

/* -- watching ------------------------------------------------------------------------------------ */

struct ha_net_monitor;
struct ha_net_neighbour; /* libha/route.h */
struct ha_net_route;
struct ha_net_rule;

/*
 * What the monitor tells; any may be NULL. The view has changed already when one is called. What is
 * passed is valid during the call. Inside one, everything may be called on the monitor but
 * ha_net_monitor_dispatch() (-EBUSY) and ha_net_monitor_free() (asserts).
 */
struct ha_net_monitor_ops {
	size_t size; /* sizeof(struct ha_net_monitor_ops) */

	/* A link came (`before` is NULL) or is not what it was: name, flags, MAC, MTU, ... */
	void (*link_changed)(void *userdata, const struct ha_net_link *now,
			     const struct ha_net_link *before);
	/* A link went; its addresses were told before. */
	void (*link_removed)(void *userdata, const struct ha_net_link *l);

	void (*address_added)(void *userdata, const struct ha_net_address *a);
	/* Flags (duplicate address detection), scope, label, mark, broadcast; lifetimes do not count. */
	void (*address_changed)(void *userdata, const struct ha_net_address *now,
				const struct ha_net_address *before);
	void (*address_removed)(void *userdata, const struct ha_net_address *a);

	/*
	 * Everything was read and every difference told: first after the start, then whenever events
	 * were lost, after ha_net_monitor_resync(), and once more when events crossed the reading.
	 */
	void (*resynced)(void *userdata);

	/* A neighbour came (`before` is NULL), or its mac, flags, mark or validity changed. */
	void (*neighbour_changed)(void *userdata, const struct ha_net_neighbour *now,
				  const struct ha_net_neighbour *before);
	void (*neighbour_removed)(void *userdata, const struct ha_net_neighbour *a);

	void (*route_added)(void *userdata, const struct ha_net_route *r);
	/*
	 * All but the place, type, mark and next hops, whose change is one route removed and another
	 * one added, in any order. before->nexthops is what it is now.
	 */
	void (*route_changed)(void *userdata, const struct ha_net_route *now,
			      const struct ha_net_route *before);
	void (*route_removed)(void *userdata, const struct ha_net_route *r);

	/* A rule is what it is: a change is one removed and another one added. Equal ones count as one. */
	void (*rule_added)(void *userdata, const struct ha_net_rule *r);
	void (*rule_removed)(void *userdata, const struct ha_net_rule *r);
};

struct ha_net_monitor_opts {
	size_t size;				 /* sizeof(struct ha_net_monitor_opts) */
	const struct ha_nl_transport *transport; /* NETLINK_ROUTE, with join; NULL: an own socket */
	size_t receive_bytes;			 /* own socket's queue; 0: HA_NL_RECEIVE_BYTES */
	/*
	 * Follow the neighbours too: who has which mac. The kernel tells of one when it learns or
	 * loses the mac, not when it begins to ask.
	 */
	bool neighbours;
	/*
	 * Follow the routes of all tables too. The kernel does not tell all that happens to those of
	 * IPv4; what it leaves out is made up for by reading everything, within half a second.
	 */
	bool routes;
	bool rules;	     /* Follow the policy rules too. */
	uint8_t reserved[5]; /* 0 */
};

/*
 * A monitor; it belongs to one thread at a time. Nothing is told before the first dispatch, which is
 * due at once. `o` may be NULL. From then on it owns the transport; on failure the caller keeps it.
 * 0 or -errno: -ENOMEM, -EINVAL, -E2BIG, -EOPNOTSUPP (the transport cannot join groups), those of
 * ha_nl_mnl_open().
 */
LIBHA_API int ha_net_monitor_new(const struct ha_net_monitor_opts *o,
				 const struct ha_net_monitor_ops *ops, void *userdata,
				 struct ha_net_monitor **ret);

/* NULL is fine. Tells nothing. */
LIBHA_API void ha_net_monitor_free(struct ha_net_monitor *m);

/* The descriptor to poll for reading; constant. */
LIBHA_API int ha_net_monitor_fd(const struct ha_net_monitor *m);

/* When to dispatch even if the descriptor is not readable: CLOCK_MONOTONIC ns, UINT64_MAX: never. */
LIBHA_API uint64_t ha_net_monitor_deadline(const struct ha_net_monitor *m);

/*
 * Reads what is there, at most 64 datagrams, and tells. `now_ns`: CLOCK_MONOTONIC. Never blocks. 0 or -errno: -EBUSY (called from
 * one of its callbacks), -ENOMEM (the view is not whole; it is read again soon), or what the transport
 * says.
 */
LIBHA_API int ha_net_monitor_dispatch(struct ha_net_monitor *m, uint64_t now_ns);

/* Reads everything again at the next dispatch, which is due at once: an audit. */
LIBHA_API void ha_net_monitor_resync(struct ha_net_monitor *m);

/* Has the view been whole once, and are no lost events known that are not made up for? */
LIBHA_API bool ha_net_monitor_is_synced(const struct ha_net_monitor *m);

/* A link of the view. ret->size is set by the caller. 0, -ENODEV, -EINVAL. */
LIBHA_API int ha_net_monitor_link(const struct ha_net_monitor *m, uint32_t ifindex,
				  struct ha_net_link *ret);

/*
 * An address of the view, whatever its prefix length. `ret` may be NULL, else its size is set by the
 * caller. 0, -EADDRNOTAVAIL when the link does not have it, -EINVAL.
 */
LIBHA_API int ha_net_monitor_address(const struct ha_net_monitor *m, uint32_t ifindex,
				     const struct ha_ip *ip, struct ha_net_address *ret);

/*
 * All links or addresses of the view, in no order. Inside `each` the same holds as inside a callback of
 * the monitor. 0, what `each` returned, or -EINVAL.
 */
LIBHA_API int ha_net_monitor_links(struct ha_net_monitor *m, ha_net_link_fn *each, void *userdata);
LIBHA_API int ha_net_monitor_addresses(struct ha_net_monitor *m, ha_net_address_fn *each,
				       void *userdata);
/* Likewise for those that follow them: ha_net_monitor_neighbour(), _neighbours(), _routes(), _rules() in route.h. */

struct ha_net_monitor_stats {
	size_t size;	      /* sizeof(struct ha_net_monitor_stats), set by the caller */
	uint64_t links;	      /* in the view */
	uint64_t addresses;   /* in the view */
	uint64_t events;      /* messages of change received */
	uint64_t overruns;    /* times the kernel dropped events */
	uint64_t resyncs;     /* times everything was read, the first included */
	uint64_t interrupted; /* readings that were begun again */
	uint64_t malformed;   /* messages that made no sense; ignored */
	uint64_t over_limit;  /* links, addresses, ... beyond the maximum; ignored */
	uint64_t neighbours;  /* in the view */
	uint64_t routes;      /* in the view */
	uint64_t rules;	      /* in the view */
};

/* 0 or -EINVAL. */
LIBHA_API int ha_net_monitor_stats(const struct ha_net_monitor *m,
				   struct ha_net_monitor_stats *ret);

#ifdef __cplusplus
}
#endif
#endif
