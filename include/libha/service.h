/* SPDX-License-Identifier: MIT */
/*
 * Virtual services, declared. The caller writes down which services shall exist (the wanted table),
 * a backend reads what the kernel holds (the table it has), ha_service_plan() finds the shortest way
 * from one to the other as a list of steps, and the backend carries them out:
 *
 *	ha_ipvs_dump(ipvs, &have);              or ha_nft_dump(): libha/ipvs.h, libha/nft.h
 *	ha_service_claim(have, previous);       which of these services are mine to remove
 *	ha_service_plan(want, have, &plan);     pure; print it, count it, or stop here: a dry run
 *	ha_ipvs_apply(ipvs, plan, NULL, NULL);  no steps: nothing is sent
 *
 * The same four calls start a daemon (what runs already is adopted, not torn down), reload it (what
 * did not change is not touched) and repair what a stranger changed behind its back.
 *
 * Nothing here makes a system call, reads a clock or keeps a global. A table belongs to one thread
 * at a time; different tables are independent.
 */
#ifndef LIBHA_SERVICE_H
#define LIBHA_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <libha/ip.h>
#include <libha/version.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Limits. -E2BIG when a table would pass one. */
#define HA_SERVICES_MAX 65536	     /* services of a table */
#define HA_DESTS_MAX 8192	     /* destinations of a service */
#define HA_WEIGHT_MAX 2147483647     /* as IPVS and keepalived; ipvsadm sets up to 65535 */
#define HA_SLOTS_MAX 65537	     /* slots of a service's own table */
#define HA_PERSISTENCE_MAX_S 2678400 /* 31 days, as ipvsadm and keepalived */
/* Of the names of scheduler and persistence engine, with the NUL (linux/ip_vs.h). */
#define HA_SERVICE_NAME_SIZE 16
/* Always enough for ha_service_format, ha_dest_format and ha_service_step_format. */
#define HA_SERVICE_TEXT_SIZE 512

/* ---- What a service is ---- */

/* Bits of ha_service_opts.flags. */
#define HA_SERVICE_ONE_PACKET 0x01u /* UDP: schedule every packet by itself */
/* sh, mh: another destination when the hashed one has weight 0. */
#define HA_SERVICE_SCHED_FALLBACK 0x02u
#define HA_SERVICE_SCHED_PORT 0x04u /* sh, mh: the client's port goes into the hash */
#define HA_SERVICE_SCHED_3 0x08u    /* the kernel's third scheduler flag; unused in 6.1 */
/*
 * Destinations see the load balancer as the client, so that replies come back through it although
 * it is not their router. nftables only; IPVS refuses it.
 */
#define HA_SERVICE_MASQUERADE 0x10u
/* The caller says which destination each slot is: ha_service_set_slots(). nftables only; IPVS refuses it. */
#define HA_SERVICE_SLOTS 0x20u
#define HA_SERVICE_FLAGS 0x3fu

/*
 * A virtual service. Its key is (family, fwmark) when fwmark is not 0, else (address, protocol,
 * port); the rest can be changed. Facts: linux/ip_vs.h, ipvsadm(8).
 */
struct ha_service_opts {
	size_t size; /* sizeof(struct ha_service_opts) */
	/* The virtual address. With a fwmark only its family counts (AF_UNSPEC: AF_INET). */
	struct ha_ip address;
	/* IPPROTO_TCP (6), IPPROTO_UDP (17) or IPPROTO_SCTP (132); 0 with a fwmark. */
	uint8_t protocol;
	/* Host order. 0: every port, only with persistence. 0 with a fwmark. */
	uint16_t port;
	/* The packets that carry this firewall mark, instead of an address. 0: none. */
	uint32_t fwmark;
	/* IPVS's name of it: "rr", "wrr", "lc", "sh", …; nftables also knows "random". NULL: "wlc". Copied. */
	const char *scheduler;
	uint32_t flags; /* HA_SERVICE_… */
	/* Seconds a client stays with its destination after its last new connection; 0: none. */
	uint32_t persistence_s;
	/* Clients whose first so many bits agree are one client. 0: the whole address. */
	uint8_t persistence_prefix;
	/* Persistence engine ("sip"). NULL: none. Copied. */
	const char *persistence_engine;
};

/* How packets reach a destination. The numbers are the kernel's (IP_VS_CONN_F_…, linux/ip_vs.h). */
enum ha_forward {
	HA_FORWARD_NAT = 0,    /* rewrite address and port; replies must pass the load balancer */
	HA_FORWARD_LOCAL = 1,  /* the load balancer itself; seen in dumps */
	HA_FORWARD_TUN = 2,    /* encapsulate; the destination answers the client itself */
	HA_FORWARD_DR = 3,     /* rewrite the Ethernet address only; likewise; same link and port */
	HA_FORWARD_BYPASS = 4, /* past all destinations, straight on (a cache's cluster); seen in dumps */
};

/* The encapsulation of HA_FORWARD_TUN (IP_VS_CONN_F_TUNNEL_TYPE_…). */
enum ha_tunnel {
	HA_TUNNEL_IPIP = 0,
	HA_TUNNEL_GUE = 1, /* needs tunnel_port */
	HA_TUNNEL_GRE = 2,
};

/* Bits of ha_dest_opts.tunnel_flags, for GUE and GRE (IP_VS_TUNNEL_ENCAP_FLAG_…). */
#define HA_TUNNEL_CSUM 0x1u
#define HA_TUNNEL_REMCSUM 0x2u /* GUE only */

/* A destination (real server) of a service. Its key is (address, port). */
struct ha_dest_opts {
	size_t size; /* sizeof(struct ha_dest_opts) */
	/* The family may differ from the service's with HA_FORWARD_TUN only. */
	struct ha_ip address;
	/* Host order. 0: the service's port; of a service without one, the client's choice. */
	uint16_t port;
	enum ha_forward forward;
	/*
	 * Share of the connections, 0 to HA_WEIGHT_MAX. 0: no new ones, established ones go on.
	 * There is no other default than 0: say what you mean (ipvsadm and keepalived mean 1).
	 */
	uint32_t weight;
	/* No new ones from `upper` connections on (0: no limit) until below `lower` (0: 3/4 of it). */
	uint32_t upper_threshold, lower_threshold;
	enum ha_tunnel tunnel;
	uint16_t tunnel_port;  /* UDP port of GUE, host order */
	uint32_t tunnel_flags; /* HA_TUNNEL_… */
};

/*
 * What the kernel counted, at the time of the dump; all zero in a table that is no dump. A field
 * the backend cannot tell is 0: ask its caps for HA_CAP_DEST_COUNTERS and HA_CAP_ACTIVE_CONNS.
 */
struct ha_service_stats {
	size_t size; /* sizeof(struct ha_service_stats), set by the caller */
	/* Since the service or destination was added. 64 bits wide where the kernel's are (4.1). */
	uint64_t conns, in_packets, out_packets, in_bytes, out_bytes;
	/* Per second, the kernel's running averages. */
	uint64_t conn_rate, in_packet_rate, out_packet_rate, in_byte_rate, out_byte_rate;
	/* Now. Of a service: the sum over its destinations. */
	uint32_t active_conns, inactive_conns, persistent_conns;
};

/* ---- Checks and texts of single services ---- */

/*
 * Whether a service, and with `d` not NULL a destination in it, makes sense at all: ranges, names,
 * combinations. ha_service_add() and ha_dest_set() refuse what this refuses. 0; or -EINVAL, or
 * -E2BIG for options this library is too old for, with *ret_reason (may be NULL) set to a static
 * English text that says what is wrong and what is right, without the service's name: the caller
 * knows it. Whether a backend can do it is asked of the backend: ha_ipvs_check(), ha_nft_check().
 */
LIBHA_API int ha_service_check(const struct ha_service_opts *s, const struct ha_dest_opts *d,
			       const char **ret_reason);

/*
 * Bits of what a backend can do: ha_ipvs_caps(), ha_nft_caps(). A planner of backends asks these;
 * one service is asked with the backend's _check().
 */
#define HA_CAP_NAT (1u << 0)
#define HA_CAP_DR (1u << 1)
#define HA_CAP_TUN_IPIP (1u << 2)
#define HA_CAP_TUN_GUE (1u << 3)
#define HA_CAP_TUN_GRE (1u << 4)
#define HA_CAP_STATEFUL (1u << 5)	   /* connections survive changes of the destinations */
#define HA_CAP_PERSISTENCE (1u << 6)	   /* with prefix */
#define HA_CAP_LEAST_CONNS (1u << 7)	   /* lc wlc sed nq lblc lblcr ovf: need live counts */
#define HA_CAP_CONSISTENT_HASH (1u << 8)   /* mh */
#define HA_CAP_ATOMIC (1u << 9)		   /* a plan happens as a whole or not at all */
#define HA_CAP_CONN_SYNC (1u << 10)	   /* connections can be copied to a backup */
#define HA_CAP_DEST_COUNTERS (1u << 11)	   /* connections of each destination are counted */
#define HA_CAP_TRAFFIC_COUNTERS (1u << 12) /* and packets and bytes, and the rates */
#define HA_CAP_ACTIVE_CONNS (1u << 13)	   /* and the connections that exist now */
#define HA_CAP_FWMARK (1u << 14)
#define HA_CAP_ANY_PORT (1u << 15) /* service port 0 */
#define HA_CAP_ONE_PACKET (1u << 16)
#define HA_CAP_THRESHOLDS (1u << 17)
#define HA_CAP_MIXED_FAMILY (1u << 18) /* IPv4 behind an IPv6 service and back, by tunnel */
#define HA_CAP_MASQUERADE (1u << 19)
#define HA_CAP_SLOTS (1u << 20) /* the caller's own table: HA_SERVICE_SLOTS */

/* ---- Tables ---- */

struct ha_service_table; /* services in the order they were added */
struct ha_service;	 /* one of them; belongs to its table */
struct ha_dest;		 /* a destination; belongs to its service */

/* An empty table. 0 or -ENOMEM. */
LIBHA_API int ha_service_table_new(struct ha_service_table **ret);
/* A deep copy, without the counters. 0, -EINVAL, -ENOMEM. */
LIBHA_API int ha_service_table_copy(const struct ha_service_table *t,
				    struct ha_service_table **ret);
/* Frees the table with all in it. NULL is fine. */
LIBHA_API void ha_service_table_free(struct ha_service_table *t);
/* How many services it holds; 0 for NULL. */
LIBHA_API size_t ha_service_table_count(const struct ha_service_table *t);

/*
 * Adds a service without destinations. *ret_service (ret_service may be NULL) is valid until the
 * service is removed or the table freed. -EEXIST: its key is there already; -EINVAL, -E2BIG: as
 * ha_service_check(), or the table is full (-E2BIG); -ENOMEM.
 */
LIBHA_API int ha_service_add(struct ha_service_table *t, const struct ha_service_opts *o,
			     struct ha_service **ret_service);
/* Changes all but the key, which must be the same; the destinations stay. 0, -EINVAL, -E2BIG. */
LIBHA_API int ha_service_set(struct ha_service *s, const struct ha_service_opts *o);
/*
 * Gives a service with HA_SERVICE_SLOTS its table, Maglev's for instance: `n` slots, 1 to HA_SLOTS_MAX, each the number
 * of a destination in the order of ha_dest_next(), from 0. The scheduler says how a client comes to a slot: "rr" and
 * "wrr" one after the other, "random", "sh" and "mh" by a hash of the client modulo `n`. Weights do not count. Copied.
 * Adding or removing a destination forgets the table, and a backend refuses the service until it has another.
 * 0, -EINVAL (also: not such a service), -ENOMEM.
 */
LIBHA_API int ha_service_set_slots(struct ha_service *s, const uint16_t *dests, size_t n);
/* Removes a service with its destinations; every pointer to them dies. NULL is fine. */
LIBHA_API void ha_service_remove(struct ha_service *s);

/* The service whose key `key` has, or NULL. Only the fields of the key are looked at. O(1). */
LIBHA_API struct ha_service *ha_service_find(const struct ha_service_table *t,
					     const struct ha_service_opts *key);
/* The service after `s`, or the first for NULL; NULL at the end. */
LIBHA_API struct ha_service *ha_service_next(const struct ha_service_table *t,
					     const struct ha_service *s);
/*
 * Fills *ret up to its size with what the service is: defaults are filled in (scheduler "wlc",
 * the family of a fwmark, with persistence the prefix 32 or 128). The strings live as long as the
 * service and until ha_service_set(). 0 or -EINVAL.
 */
LIBHA_API int ha_service_get(const struct ha_service *s, struct ha_service_opts *ret);
/* What the kernel counted; ret->size set by the caller. 0 or -EINVAL. */
LIBHA_API int ha_service_stats(const struct ha_service *s, struct ha_service_stats *ret);

/*
 * Adds a destination, or changes the one with the same key. -EINVAL, -E2BIG: as ha_service_check(),
 * or the service is full (-E2BIG); -ENOMEM. *ret_dest (ret_dest may be NULL) is valid until the
 * destination or its service is removed.
 */
LIBHA_API int ha_dest_set(struct ha_service *s, const struct ha_dest_opts *o,
			  struct ha_dest **ret_dest);
/* Removes a destination. NULL is fine. */
LIBHA_API void ha_dest_remove(struct ha_dest *d);
/* The destination whose key `key` has, or NULL. Only address and port are looked at. O(1). */
LIBHA_API struct ha_dest *ha_dest_find(const struct ha_service *s, const struct ha_dest_opts *key);
/* The destination after `d`, or the first for NULL; NULL at the end. */
LIBHA_API struct ha_dest *ha_dest_next(const struct ha_service *s, const struct ha_dest *d);
/* How many destinations a service has; 0 for NULL. */
LIBHA_API size_t ha_dest_count(const struct ha_service *s);
/* Fills *ret up to its size, defaults filled in. 0 or -EINVAL. */
LIBHA_API int ha_dest_get(const struct ha_dest *d, struct ha_dest_opts *ret);
/* What the kernel counted of it; ret->size set by the caller. 0 or -EINVAL. */
LIBHA_API int ha_dest_stats(const struct ha_dest *d, struct ha_service_stats *ret);

/*
 * The key and scheduler as text, "tcp 192.0.2.1:80 wrr", "fwmark 7 ipv6 rr"; of a destination
 * "10.0.0.1:80 NAT weight 3". As snprintf, but: the length without the NUL, -ENOSPC when it does
 * not fit (HA_SERVICE_TEXT_SIZE always suffices), -EINVAL.
 */
LIBHA_API ssize_t ha_service_format(const struct ha_service *s, char *buf, size_t cap);
LIBHA_API ssize_t ha_dest_format(const struct ha_dest *d, char *buf, size_t cap);

/* ---- Plans ---- */

/*
 * Whose a service is. Services the caller added are his; those in a dump of the nftables table are,
 * since the table is the library's own; those in a dump of IPVS are nobody's until claimed, since
 * IPVS holds one set of services for the whole network namespace. A plan removes only services that
 * are owned. A service that is in the wanted table is changed to what is wanted, whoever made it,
 * with all of its destinations.
 *
 * Claims the services of `have` that are in `previous` too: the table that was wanted before. With
 * `previous` NULL claims all: "everything in this namespace is mine" (keepalived's lvs_flush).
 * 0 or -EINVAL.
 */
LIBHA_API int ha_service_claim(struct ha_service_table *have,
			       const struct ha_service_table *previous);

enum ha_service_step_kind {
	HA_STEP_ADD_SERVICE = 1, /* its destinations follow as steps of their own */
	HA_STEP_EDIT_SERVICE,
	HA_STEP_REMOVE_SERVICE, /* with all its destinations */
	HA_STEP_ADD_DEST,
	HA_STEP_EDIT_DEST,
	HA_STEP_REMOVE_DEST,
};

/* One step of a plan. Pointers go into the two tables of the plan. */
struct ha_service_step {
	size_t size;  /* sizeof(struct ha_service_step), set by the caller */
	size_t index; /* 0 … ha_service_plan_count() - 1 */
	enum ha_service_step_kind kind;
	/* In the wanted table; of HA_STEP_REMOVE_SERVICE in the other. Never NULL. */
	const struct ha_service *service;
	/* The same service in the other table; NULL when that has none. */
	const struct ha_service *old_service;
	/* In the wanted table; of HA_STEP_REMOVE_DEST in the other. NULL: a step of a service. */
	const struct ha_dest *dest;
	/* HA_STEP_EDIT_DEST: what it was. Else NULL. */
	const struct ha_dest *old_dest;
};

struct ha_service_plan;

/*
 * The steps that turn `have` into `want`. Service by service in the order of `want`: add or edit
 * it, add and edit its destinations, and only then remove others, so that it is never without one
 * in between; last, services to remove. Time and memory grow with the tables' size. Both tables
 * must stay as they are until the plan is freed. 0, -EINVAL, -ENOMEM.
 */
LIBHA_API int ha_service_plan(const struct ha_service_table *want,
			      const struct ha_service_table *have, struct ha_service_plan **ret);
/* NULL is fine. */
LIBHA_API void ha_service_plan_free(struct ha_service_plan *p);
/* The number of steps; 0: there is nothing to do. 0 for NULL. */
LIBHA_API size_t ha_service_plan_count(const struct ha_service_plan *p);
/* Fills *ret with step `i`. 0, or -EINVAL when there is no such step. */
LIBHA_API int ha_service_plan_step(const struct ha_service_plan *p, size_t i,
				   struct ha_service_step *ret);
/*
 * A step as text for people: "add destination 10.0.0.1:80 NAT weight 3 to tcp 192.0.2.1:80", for an
 * edit with what it was. As ha_service_format().
 */
LIBHA_API ssize_t ha_service_step_format(const struct ha_service_step *step, char *buf, size_t cap);

/*
 * How a backend tells of each step while it applies a plan. Every member may be NULL. Called once
 * per step, in any order, after the kernel answered; inside, no call on the same backend object
 * (-EBUSY).
 */
struct ha_service_apply_ops {
	size_t size; /* sizeof(struct ha_service_apply_ops) */
	/*
	 * `error` is 0 when the kernel is as the step wants it, else -errno: -ENOENT of an added or
	 * edited service mostly means that the kernel lacks its scheduler; -ECANCELED: another step
	 * failed and the backend is atomic (HA_CAP_ATOMIC), so this one was undone. `step` lives
	 * until the return.
	 */
	void (*done)(void *userdata, const struct ha_service_step *step, int error);
};

/* ---- Sorry server ---- */

/*
 * Who answers when too few others can: a page that says sorry. Its rule is keepalived.conf's (sorry_server,
 * quorum, hysteresis): the quorum is lost when the weights of a service's destinations sum up to less than
 * quorum - hysteresis or to nothing, and found again when they reach quorum + hysteresis.
 */
struct ha_service_sorry {
	size_t size; /* sizeof(struct ha_service_sorry) */
	/* The sorry server. Its weight is 1 or more; as a destination of the service it does not count. */
	const struct ha_dest_opts *dest;
	uint32_t quorum;     /* 0: 1 */
	uint32_t hysteresis; /* less than quorum */
	/*
	 * While it is in use the others stay with weight 0, so that their connections go on (with IPVS a
	 * client that is remembered goes to them, too: see Draining); false: they leave.
	 */
	bool keep;
	uint8_t reserved[7]; /* 0 */
};

/*
 * Puts the sorry server into `s` instead of the others when the quorum is lost, and takes it out otherwise. For each
 * round: give each destination the weight that health thinks of it (0 or removed: down), call this, plan and
 * apply. It overwrites the weights, so keep them somewhere else: in a table of your own of which this one is an
 * ha_service_table_copy(). Those that drain are left alone.
 *
 * *in_use: whether it was in use the round before, and after the call whether it is; at the start whether
 * ha_dest_find() finds it in the dump. 0; -EINVAL, -E2BIG: the options, or `dest` as ha_dest_set(); -ENOMEM.
 * When it fails nothing has changed.
 */
LIBHA_API int ha_service_sorry(struct ha_service *s, const struct ha_service_sorry *o,
			       bool *in_use);

/* ---- Draining ---- */

/*
 * A destination on its way out. It stays in the wanted table with weight 0, so that no new connection comes
 * and none is cut, until its last connection is gone or a deadline has passed; then it leaves the table, and
 * the next plan removes it. A round of it: dump, ha_service_drain(), plan, apply.
 *
 * Of persistence: IPVS sends a client that it remembers to a destination of weight 0 too, unless
 * net.ipv4.vs.expire_quiescent_template is set. What becomes of connections whose destination went at the
 * deadline says net.ipv4.vs.expire_nodest_conn, and with nftables ha_nft_opts.cut_removed.
 */

/*
 * Begins: weight 0, until deadline_ns (CLOCK_MONOTONIC; UINT64_MAX: as long as it takes). ha_dest_set() of the
 * same destination takes it back. 0 or -EINVAL.
 */
LIBHA_API int ha_dest_drain(struct ha_dest *d, uint64_t deadline_ns);
/* False for NULL. */
LIBHA_API bool ha_dest_is_draining(const struct ha_dest *d);
/*
 * The connections that removing a destination of a dump would cut: the active ones, and where the protocol does
 * not tell (UDP, a fwmark) the inactive ones too. 0 or -EINVAL.
 */
LIBHA_API int ha_dest_connections(const struct ha_dest *d, uint32_t *ret);

/* Every member may be NULL. Inside, no change of the tables. `left`: connections it has in the dump. */
struct ha_service_drain_ops {
	size_t size; /* sizeof(struct ha_service_drain_ops) */
	/* It drains on. */
	void (*draining)(void *userdata, const struct ha_dest *d, uint32_t left);
	/* It is removed from the table right after. `left` is not 0 when the deadline has passed. */
	void (*drained)(void *userdata, const struct ha_dest *d, uint32_t left);
};

/*
 * Looks at all that drain in `want`, beside the fresh dump `have`: who has no connection and no weight there,
 * is not there at all, or is overdue at now_ns leaves `want`. Removes nothing else. *ret_left (may be NULL):
 * how many drain on. `ops` may be NULL. 0, -EINVAL, -E2BIG (ops newer than this library).
 */
LIBHA_API int ha_service_drain(struct ha_service_table *want, const struct ha_service_table *have,
			       uint64_t now_ns, const struct ha_service_drain_ops *ops,
			       void *userdata, size_t *ret_left);
/* The first deadline of those that drain; UINT64_MAX: none. */
LIBHA_API uint64_t ha_service_drain_deadline(const struct ha_service_table *want);

#ifdef __cplusplus
}
#endif
#endif
