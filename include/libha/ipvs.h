/* SPDX-License-Identifier: MIT */
/*
 * Virtual services in the kernel's IP Virtual Server, over generic netlink (linux/ip_vs.h). The
 * model and the order of calls are in libha/service.h.
 *
 * IPVS holds one set of services for each network namespace, shared with everybody in it (ipvsadm,
 * keepalived, a container runtime). Nothing is removed that was not claimed (ha_service_claim()).
 * The kernel tells nobody when somebody else changes something: dump, plan and apply again from
 * time to time, and look at single services more often.
 *
 * Every call waits for the kernel, which works netlink requests off at once: about 20 µs for a
 * step, so a host with tens of thousands of destinations and a busy loop gives these calls a thread
 * or process of their own. An object belongs to one thread at a time. Changes need CAP_NET_ADMIN in
 * the user namespace that owns the network namespace, and so does reading.
 */
#ifndef LIBHA_IPVS_H
#define LIBHA_IPVS_H

#include <libha/nl_transport.h>
#include <libha/service.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ha_ipvs;

struct ha_ipvs_opts {
	size_t size; /* sizeof(struct ha_ipvs_opts) */
	/*
	 * A NETLINK_GENERIC transport of the host's own, which the object then owns and closes;
	 * NULL: an own socket in the network namespace of the calling thread.
	 */
	const struct ha_nl_transport *transport;
};

/*
 * Whether IPVS can express a service, and with `d` not NULL a destination in it; asks no kernel and
 * needs no object. 0, or -EOPNOTSUPP with *ret_reason (may be NULL) set to a static text that says
 * what cannot be done and what can; -EINVAL, -E2BIG with a reason as ha_service_check().
 */
LIBHA_API int ha_ipvs_check(const struct ha_service_opts *s, const struct ha_dest_opts *d,
			    const char **ret_reason);

/*
 * Opens IPVS, in the network namespace of the calling thread, and stays there. `o` may be NULL. When
 * it fails, a transport in `o` is left alone. Asking loads the module ip_vs where the kernel can
 * load modules; schedulers load themselves likewise. 0; -EOPNOTSUPP: this kernel has no IPVS (or
 * try: modprobe ip_vs); -EPERM; -EINVAL, -E2BIG: the options; -ENOMEM; -errno of socket().
 */
LIBHA_API int ha_ipvs_open(const struct ha_ipvs_opts *o, struct ha_ipvs **ret);
/* The services stay in the kernel; claim them and want none to remove them. NULL is fine. */
LIBHA_API void ha_ipvs_close(struct ha_ipvs *v);

/* HA_CAP_… bits. Every kernel with generic netlink IPVS has these; 0 for NULL. */
LIBHA_API uint32_t ha_ipvs_caps(const struct ha_ipvs *v);
/* The kernel's IPVS version, 0x010201 for 1.2.1, and its connection table's size. 0 or -errno. */
LIBHA_API int ha_ipvs_info(struct ha_ipvs *v, uint32_t *ret_version, uint32_t *ret_conn_table_size);

/*
 * Reads all services of the namespace with their destinations and counters into a new table, which
 * the caller frees. One request per service: about 0.1 ms each. 0; -EBUSY inside a callback;
 * -EAGAIN: others changed services faster than they could be read, several times; -EBADMSG: the
 * kernel's answer makes no sense; -ENOMEM, -EPERM, -errno.
 */
LIBHA_API int ha_ipvs_dump(struct ha_ipvs *v, struct ha_service_table **ret);
/*
 * The same of one service, found by its key: the table is empty when there is none. Two requests. -EINVAL, -E2BIG as
 * ha_service_check(), else as ha_ipvs_dump().
 */
LIBHA_API int ha_ipvs_dump_service(struct ha_ipvs *v, const struct ha_service_opts *service,
				   struct ha_service_table **ret);

/*
 * Carries out the steps of a plan, hundreds per system call. A failing step does not stop the others:
 * `ops` (may be NULL) hears of each.
 *
 * Returns 0 when all steps are done; a positive number when they are, but that many found the
 * kernel different from what the plan assumed (a service to add was there, one to edit was gone:
 * both are repaired): dump and plan again to be sure. Else the error of the first step in the plan
 * that failed (-EOPNOTSUPP for one that ha_ipvs_check() refuses: nothing is sent for it); -EBUSY
 * inside a callback. When answers were lost (-ENOBUFS, -ETIMEDOUT, -EBADMSG) the rest of the plan is not
 * sent, and `ops` hears that error of every step that is not known to be done: dump and plan again.
 */
LIBHA_API int ha_ipvs_apply(struct ha_ipvs *v, const struct ha_service_plan *p,
			    const struct ha_service_apply_ops *ops, void *userdata);

/* ---- Connections copied to another load balancer ---- */

/*
 * The kernel's two sync daemons of a network namespace: the master multicasts its connections, the backup
 * takes in those of others. Both may run at once, so that either node can take over. They belong to nobody:
 * whoever finds one running asks ha_ipvs_sync_get() what it does.
 */
enum ha_ipvs_sync_role {
	HA_IPVS_SYNC_MASTER = 1, /* IP_VS_STATE_MASTER of linux/ip_vs.h */
	HA_IPVS_SYNC_BACKUP = 2, /* IP_VS_STATE_BACKUP */
};

struct ha_ipvs_sync {
	size_t size; /* sizeof(struct ha_ipvs_sync) */
	enum ha_ipvs_sync_role role;
	char interface[16]; /* a link that is up, with its NUL */
	struct ha_ip group; /* multicast; none: 224.0.0.81 */
	uint16_t max_len; /* bytes of UDP payload; 0: what the link's MTU allows. The backup must */
			  /* take what the master sends */
	uint16_t port;	  /* host order; 0: 8848 */
	uint8_t ttl;	  /* of the master's packets; 0: 1 */
	uint8_t sync_id;  /* a backup takes in those of this id only; 0: any */
	uint8_t reserved[4]; /* 0 */
};

/*
 * Starts a daemon. 0; -EEXIST: one of this role runs (stop it to change it); -ENODEV: no such link;
 * -EINVAL: no role or interface, no multicast group, or the kernel's; -EBUSY inside a callback; -ENOMEM,
 * -EPERM. Of several daemons for one role (net.ipv4.vs.sync_ports) it starts all.
 */
LIBHA_API int ha_ipvs_sync_start(struct ha_ipvs *v, const struct ha_ipvs_sync *s);
/* Stops it. 0; -ESRCH: it does not run; as ha_ipvs_sync_start(). */
LIBHA_API int ha_ipvs_sync_stop(struct ha_ipvs *v, enum ha_ipvs_sync_role role);
/* What runs, ret->size set by the caller. 0; -ESRCH: it does not run; as ha_ipvs_dump(). */
LIBHA_API int ha_ipvs_sync_get(struct ha_ipvs *v, enum ha_ipvs_sync_role role,
			       struct ha_ipvs_sync *ret);

/* ---- Timeouts and counters ---- */

/* How long an idle connection is kept, in seconds, for all services of the namespace. */
struct ha_ipvs_timeouts {
	size_t size;	    /* sizeof(struct ha_ipvs_timeouts) */
	uint32_t tcp_s;	    /* established; the kernel's default is 900 */
	uint32_t tcp_fin_s; /* after a FIN; 120 */
	uint32_t udp_s;	    /* 300 */
	uint32_t reserved;  /* 0 */
};

/* Those that are not 0. 0; -EINVAL: beyond what the kernel can count; -EBUSY, -EPERM, -errno. */
LIBHA_API int ha_ipvs_timeouts_set(struct ha_ipvs *v, const struct ha_ipvs_timeouts *t);
/* ret->size set by the caller; 0 of a protocol the kernel lacks. 0; as ha_ipvs_dump(). */
LIBHA_API int ha_ipvs_timeouts_get(struct ha_ipvs *v, struct ha_ipvs_timeouts *ret);

/*
 * Sets the counters of one service and its destinations to zero, found by its key, or for NULL those of all;
 * connections stay counted. 0; -ESRCH: no such service; -EINVAL, -E2BIG as ha_service_check(); -EBUSY,
 * -EPERM, -errno.
 */
LIBHA_API int ha_ipvs_zero(struct ha_ipvs *v, const struct ha_service_opts *service);

#ifdef __cplusplus
}
#endif
#endif
