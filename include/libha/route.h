/* SPDX-License-Identifier: MIT */
/*
 * Routes, policy rules and neighbours of this machine, over rtnetlink (rtnetlink(7), ip-route(8), ip-rule(8),
 * ip-neighbour(8)). The handle is struct ha_net of libha/net.h, and what is said there of arrays, states
 * and errors holds here: an array's elements are each a->size bytes apart, many are one system call, one
 * that is refused does not stop those after it, and ret_status (or NULL) tells each one's fate. Changes
 * need CAP_NET_ADMIN.
 *
 * Everything carries the mark of who put it there (RTPROT_*): so an owner finds again, after a crash, what is
 * his, and a call never removes what is a stranger's.
 */
#ifndef LIBHA_ROUTE_H
#define LIBHA_ROUTE_H

#include <libha/net.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The most next hops of one route, and the most elements in a list. */
#define HA_NET_NEXTHOPS_MAX 256
#define HA_NET_ROUTES_MAX (1u << 22)
#define HA_NET_RULES_MAX 65536
#define HA_NET_NEIGHBOURS_MAX (1u << 20)

/* Elements of ha_net_route.metrics: RTAX_* of linux/rtnetlink.h up to RTAX_FASTOPEN_NO_COOKIE. */
#define HA_NET_METRICS 18

/* The most MPLS labels of one encapsulation. */
#define HA_NET_LABELS_MAX 16

/* -- routes ---------------------------------------------------------------------------------------- */

/* What is put around the packets on their way ("encap"); zero: nothing. It stands inside others: its size is fixed. */
struct ha_net_encap {
	/*
	 * LWTUNNEL_ENCAP_* of linux/lwtunnel.h: MPLS, IP, IP6 or ILA. Read, it may be another one, of which
	 * no more is told.
	 */
	uint16_t type;
	uint16_t flags;	     /* IP, IP6: TUNNEL_* of linux/if_tunnel.h, host order */
	uint8_t ttl;	     /* MPLS, IP, IP6's hop limit; 0: the packet's or the system's */
	uint8_t tos;	     /* IP, IP6's traffic class */
	uint8_t n_labels;    /* MPLS: how many of u.labels */
	uint8_t reserved[5]; /* 0 */
	union {
		uint32_t labels[HA_NET_LABELS_MAX]; /* MPLS: the outermost first; 20 bits each */
		struct {
			uint64_t id;	       /* the tunnel's key; 0: none */
			struct ha_ip src, dst; /* none: the system chooses */
		} ip;
		struct {
			uint64_t locator; /* the upper half of the address, host order */
			/* ILA_CSUM_*, ILA_ATYPE_* (0: ILA_ATYPE_USE_FORMAT), ILA_HOOK_* of linux/ila.h */
			uint8_t csum_mode, ident_type, hook_type;
			uint8_t reserved[5]; /* 0 */
		} ila;
	} u;
};

/* One way of a route with several ("nexthop"). */
struct ha_net_nexthop {
	size_t size;	  /* sizeof(struct ha_net_nexthop); one size in an array */
	struct ha_ip via; /* the next router; none: on the link. IPv6's may serve IPv4 (RFC 5549) */
	uint32_t ifindex; /* the link; 0: the one that `via` is on */
	uint32_t flags;	  /* RTNH_F_ONLINK; read also RTNH_F_DEAD, RTNH_F_LINKDOWN, ... */
	uint32_t weight;  /* share of the flows, 1 to 256; 0: 1 */
	uint32_t realms;  /* source << 16 | destination; 0: none */
	uint32_t reserved; /* 0 */
	struct ha_net_encap encap;
};

/*
 * A route. Zero is the default of every field but the family, which any address may give. The kernel
 * tells routes apart by table, destination, tos and priority; what is beyond that is its content.
 */
struct ha_net_route {
	size_t size;	      /* sizeof(struct ha_net_route) */
	struct ha_ip dst;     /* none: the default route */
	struct ha_ip src;     /* "from", IPv6: packets of this source only; none: of any */
	struct ha_ip prefsrc; /* "src": the machine's own address on this route; none: it chooses */
	struct ha_ip via;     /* the next router; as in struct ha_net_nexthop */
	uint8_t dst_len;   /* bits of dst; 0: a host route, but 0.0.0.0 or :: the default route */
	uint8_t src_len;   /* bits of src; likewise */
	uint8_t family;	   /* AF_INET, AF_INET6; 0: that of dst, src, prefsrc or a next hop */
	uint8_t type;	   /* RTN_*: unicast, blackhole, unreachable, prohibit, throw, ...; 0: */
			   /* unicast, in a removal any */
	uint8_t scope;	   /* RT_SCOPE_*, IPv4; 0: global with a next hop, link without, host for */
			   /* RTN_LOCAL: as ip-route(8), in a removal any */
	uint8_t protocol;  /* RTPROT_*, the owner's mark; 0: HA_NET_PROTO_VIP */
	uint8_t tos;	   /* "dsfield", IPv4 */
	uint8_t pref;	   /* IPv6: RFC 4191: 0 medium, 1 high, 3 low */
	uint32_t table;	   /* 0: RT_TABLE_MAIN */
	uint32_t priority; /* "metric": the smallest wins; 0: 0 for IPv4, 1024 for IPv6 */
	uint32_t ifindex;  /* "dev"; 0: the one that `via` is on, or none */
	uint32_t flags;	   /* RTNH_F_ONLINK; read also RTNH_F_DEAD, RTNH_F_LINKDOWN, RTM_F_* */
	uint32_t realms;   /* source << 16 | destination; 0: none */
	uint32_t expires_s; /* IPv6: seconds until the kernel removes it; 0: never */
	/*
	 * By RTAX_*, in the kernel's units: mtu, advmss, window, initcwnd, ...; 0: not set. rtt is in
	 * 1/8 ms, rttvar in 1/4 ms. [RTAX_LOCK] has the bit 1 << RTAX_* for each that is locked.
	 */
	uint32_t metrics[HA_NET_METRICS];
	char congestion[HA_NET_NAME_SIZE]; /* "congctl": tcp_congestion_control; "": the system's */
	/*
	 * Several next hops, instead of `via` and `ifindex`. Given, they are copied; read, they are
	 * valid as long as the route is.
	 */
	const struct ha_net_nexthop *nexthops;
	size_t n_nexthops;	   /* 0: none; at most HA_NET_NEXTHOPS_MAX */
	struct ha_net_encap encap; /* with several next hops it is theirs */
};

/*
 * Adds routes. Status: 0: added; HA_NET_ALREADY: one with the same table, destination, tos and priority
 * is there and stays as it is, with whatever content and whoever's; or -errno: -EINVAL (no family or
 * two, a prefix too long, more than one of via and nexthops, too many of these, an encapsulation that makes
 * no sense; or what the kernel says so of: ha_net_error_text()), -ENETUNREACH (no way to `via`), -ENODEV (no
 * such link), -ENETDOWN (it is down), -EOPNOTSUPP (a kernel without this encapsulation), -EPERM. Value and
 * errors else as ha_net_address_add().
 */
LIBHA_API int ha_net_route_add(struct ha_net *n, const struct ha_net_route *a, size_t count,
			       int *ret_status);

/*
 * As ha_net_route_add(), but the one that is there, whoever's, is replaced without a moment without a
 * route. Status 0 in both cases.
 */
LIBHA_API int ha_net_route_replace(struct ha_net *n, const struct ha_net_route *a, size_t count,
				   int *ret_status);

/*
 * Adds IPv4 routes behind those with the same table, destination, tos and priority, and next hops to an
 * IPv6 one. HA_NET_ALREADY: exactly this is there.
 */
LIBHA_API int ha_net_route_append(struct ha_net *n, const struct ha_net_route *a, size_t count,
				  int *ret_status);

/*
 * As ha_net_route_append(), but before those that are there: the new one is taken. IPv6 knows no order.
 */
LIBHA_API int ha_net_route_prepend(struct ha_net *n, const struct ha_net_route *a, size_t count,
				   int *ret_status);

/*
 * Removes routes: those of this mark, table, destination, tos and, where given, type, scope, priority and next
 * hops; the other fields do not count. HA_NET_ALREADY: there is none.
 */
LIBHA_API int ha_net_route_remove(struct ha_net *n, const struct ha_net_route *a, size_t count,
				  int *ret_status);

/* Gets one route. Not 0 ends the walk with that value. `r` is valid during the call. */
typedef int ha_net_route_fn(void *userdata, const struct ha_net_route *r);

/* Which routes; zero is all of both families in all tables. */
struct ha_net_route_filter {
	size_t size;	     /* sizeof(struct ha_net_route_filter) */
	uint32_t table;	     /* 0: every one, `local` too */
	uint8_t family;	     /* AF_INET, AF_INET6; 0: both */
	uint8_t protocol;    /* the mark, RTPROT_*; 0: any */
	uint8_t reserved[2]; /* 0 */
};

/*
 * Gives the routes to `each` once the list is complete. `f` may be NULL. 0; what `each` returned; or
 * -errno as ha_net_address_list(), -EOVERFLOW: more than HA_NET_ROUTES_MAX, or one has more than
 * HA_NET_NEXTHOPS_MAX next hops. What was put in IPv6 with via or several ways may be read back with one
 * next hop in `via`, and a host route has its length in dst_len.
 */
LIBHA_API int ha_net_route_list(struct ha_net *n, const struct ha_net_route_filter *f,
				ha_net_route_fn *each, void *userdata);

/* -- rules ------------------------------------------------------------------------------------------ */

/*
 * A policy rule: packets to which all of the conditions apply take its action. Zero is the default of every
 * field but the family, which an address may give.
 */
struct ha_net_rule {
	size_t size; /* sizeof(struct ha_net_rule) */
	/* Conditions. */
	struct ha_ip from, to; /* none: any */
	uint8_t from_len;      /* bits; 0: all, but of 0.0.0.0 or :: none */
	uint8_t to_len;
	uint8_t family;	  /* AF_INET, AF_INET6; 0: that of from or to */
	uint8_t tos;	  /* 0: any */
	uint8_t ip_proto; /* IPPROTO_*; 0: any */
	bool invert;	  /* "not": if they do not all apply */
	bool by_uid;	  /* uid_first and uid_last count */
	bool l3mdev;	  /* the action is the table of the VRF that the packet belongs to */
	char iif[HA_NET_NAME_SIZE], oif[HA_NET_NAME_SIZE]; /* "": any */
	uint32_t fwmark,
	    fwmask; /* (mark & fwmask) == fwmark; fwmask 0: all bits if fwmark is not 0 */
	uint32_t uid_first, uid_last;
	uint16_t sport_first, sport_last; /* host order; first 0: any; last 0: that of first */
	uint16_t dport_first, dport_last;
	uint64_t tun_id; /* "tunnel-id"; 0: any */
	/* What to do. */
	uint8_t action;	      /* FR_ACT_* of linux/fib_rules.h; 0: FR_ACT_TO_TBL, look in `table` */
	uint8_t protocol;     /* RTPROT_*, the owner's mark; 0: HA_NET_PROTO_VIP */
	bool suppress_prefix; /* suppress_prefix_len counts: */
	bool suppress_group;  /* suppress_ifgroup counts: */
	uint32_t suppress_prefix_len; /* do not take a route found with at most so many bits, */
	uint32_t suppress_ifgroup;    /* or over a link of this group */
	uint32_t
	    priority; /* the smallest is asked first; 0: before the first rule but that of `local` */
	uint32_t table;		/* of FR_ACT_TO_TBL; 0: RT_TABLE_MAIN, with l3mdev none */
	uint32_t goto_priority; /* of FR_ACT_GOTO: the rule to go on with, a larger priority */
	uint32_t realms;	/* source << 16 | destination; 0: none */
	uint32_t
	    flags; /* read: FIB_RULE_UNRESOLVED, FIB_RULE_IIF_DETACHED, FIB_RULE_OIF_DETACHED */
};

/*
 * Adds rules. Status: 0; HA_NET_ALREADY: the very same is there; -EINVAL (no family or two, a prefix too
 * long, a name without end, FR_ACT_GOTO not ahead; or the kernel's), -EAFNOSUPPORT, -EPERM. Else as
 * ha_net_address_add().
 */
LIBHA_API int ha_net_rule_add(struct ha_net *n, const struct ha_net_rule *a, size_t count,
			      int *ret_status);

/*
 * Removes rules: of each the first that has this mark, action and table and all that is given here.
 * HA_NET_ALREADY: there is none, perhaps as the kernel knows no rules, or none of the family.
 */
LIBHA_API int ha_net_rule_remove(struct ha_net *n, const struct ha_net_rule *a, size_t count,
				 int *ret_status);

/* Gets one rule. Not 0 ends the walk with that value. `r` is valid during the call. */
typedef int ha_net_rule_fn(void *userdata, const struct ha_net_rule *r);

/*
 * Gives the rules of `family` (AF_UNSPEC: both) and of the mark `protocol` (0: any) to `each`, in the order
 * they are asked. As ha_net_route_list(), with HA_NET_RULES_MAX.
 */
LIBHA_API int ha_net_rule_list(struct ha_net *n, int family, uint8_t protocol, ha_net_rule_fn *each,
			       void *userdata);

/* -- neighbours -------------------------------------------------------------------------------------- */

/* Who an address on a link is: its link-layer address. Zero is the default of all but ifindex and ip. */
struct ha_net_neighbour {
	size_t size; /* sizeof(struct ha_net_neighbour) */
	struct ha_ip ip;
	uint32_t ifindex;
	uint16_t state; /* NUD_* of linux/neighbour.h, one; given as 0: NUD_PERMANENT with a mac, */
			/* NUD_NONE without */
	uint8_t flags; /* NTF_*: PROXY, ROUTER, EXT_LEARNED; USE: have the kernel ask for the mac */
	uint8_t
	    protocol; /* RTPROT_*, the owner's mark; 0: HA_NET_PROTO_VIP. Kernels before 5.0: none */
	uint8_t mac_len; /* bytes used in mac, 0: not known */
	uint8_t mac[HA_NET_MAC_BYTES];
	uint8_t reserved[3]; /* 0 */
};

/* Is its mac known and not found to be wrong: may it be sent to? */
LIBHA_API bool ha_net_neighbour_is_valid(const struct ha_net_neighbour *a);

/*
 * Adds neighbours. HA_NET_ALREADY: the address is known on the link, and stays as it is known. -EINVAL: no
 * ifindex or ip, a mac too long or of another length than the link's; -ENODEV, -EPERM, -ENOBUFS (the
 * kernel's table is full, net.ipv4.neigh.default.gc_thresh3). Else as ha_net_address_add().
 */
LIBHA_API int ha_net_neighbour_add(struct ha_net *n, const struct ha_net_neighbour *a, size_t count,
				   int *ret_status);

/*
 * As ha_net_neighbour_add(), but what is known of it is replaced. With NTF_USE and no mac nothing is
 * replaced: the kernel asks the network, if it does not know, and a monitor hears of the answer.
 */
LIBHA_API int ha_net_neighbour_set(struct ha_net *n, const struct ha_net_neighbour *a, size_t count,
				   int *ret_status);

/* Removes neighbours, found by ifindex, ip and NTF_PROXY. HA_NET_ALREADY: not there. */
LIBHA_API int ha_net_neighbour_remove(struct ha_net *n, const struct ha_net_neighbour *a,
				      size_t count, int *ret_status);

/* Gets one neighbour. Not 0 ends the walk with that value. `a` is valid during the call. */
typedef int ha_net_neighbour_fn(void *userdata, const struct ha_net_neighbour *a);

/*
 * Gives the neighbours on the link `ifindex` (0: all) of `family` (AF_UNSPEC: both) to `each`; proxies are
 * none of them. As ha_net_address_list(), with HA_NET_NEIGHBOURS_MAX.
 */
LIBHA_API int ha_net_neighbour_list(struct ha_net *n, uint32_t ifindex, int family,
				    ha_net_neighbour_fn *each, void *userdata);

/* -- watching ---------------------------------------------------------------------------------------- */

/* A neighbour of the view. ret->size is set by the caller. 0, -ENOENT, -EINVAL. */
LIBHA_API int ha_net_monitor_neighbour(const struct ha_net_monitor *m, uint32_t ifindex,
				       const struct ha_ip *ip, struct ha_net_neighbour *ret);

/* All of the view, in no order, as ha_net_monitor_addresses(); none when they are not followed. */
LIBHA_API int ha_net_monitor_neighbours(struct ha_net_monitor *m, ha_net_neighbour_fn *each,
					void *userdata);
LIBHA_API int ha_net_monitor_routes(struct ha_net_monitor *m, ha_net_route_fn *each,
				    void *userdata);
LIBHA_API int ha_net_monitor_rules(struct ha_net_monitor *m, ha_net_rule_fn *each, void *userdata);

#ifdef __cplusplus
}
#endif
#endif
