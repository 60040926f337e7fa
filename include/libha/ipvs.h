/* SPDX-License-Identifier: MIT */
/*
 * Virtual services in the kernel's IP Virtual Server, over generic netlink (linux/ip_vs.h). The
 * model and the order of calls are in libha/service.h.
 *
 * IPVS holds one set of services for each network namespace, shared with everybody in it (ipvsadm,
 * keepalived, a container runtime). Nothing is removed that was not claimed (ha_service_claim()).
 * The kernel tells nobody when somebody else changes something: dump, plan and apply again from
 * time to time.
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
 * Goes the steps of a plan, hundreds per system call. A failing step does not stop the others:
 * `ops` (may be NULL) hears of each.
 *
 * Returns 0 when all steps are done; a positive number when they are, but that many found the
 * kernel different from what the plan assumed (a service to add was there, one to edit was gone:
 * both are repaired): dump and plan again to be sure. Else the error of the first step in the plan
 * that failed (-EOPNOTSUPP for one that ha_ipvs_check() refuses: nothing is sent for it); -EBUSY
 * inside a callback.
 */
LIBHA_API int ha_ipvs_apply(struct ha_ipvs *v, const struct ha_service_plan *p,
			    const struct ha_service_apply_ops *ops, void *userdata);

#ifdef __cplusplus
}
#endif
#endif
