/* SPDX-License-Identifier: MIT */
/*
 * Virtual services as destination NAT in nftables, for kernels without IPVS and where a change of
 * many services must happen as a whole. The model and the order of calls are in libha/service.h.
 *
 * All of it lives in one table of its own (family inet, name "hawser"); no other table is read or
 * written. The table describes itself, so that a restarted process reads back what it wanted
 * before: docs/decisions/nft-table.md. `nft list table inet hawser` shows it to people. It belongs
 * to one process at a time: two that apply to the same table undo each other's work.
 *
 * Can: NAT of TCP, UDP and SCTP, IPv4 and IPv6, fwmark and any-port services, rr, wrr, random, sh, dh, fo, any
 * table of slots the caller makes (mh and others, ha_service_set_slots()), persistence with prefix, masquerading,
 * clients on the load balancer itself. Cannot, and says so:
 * schedulers that count live connections, DR (libha/dsr.h) and TUN, thresholds, one-packet scheduling. Forwarding
 * must be on (net.ipv4.ip_forward, net.ipv6.conf.all.forwarding); replies must pass this host, or
 * HA_SERVICE_MASQUERADE be set.
 *
 * A destination of weight 0 or removed gets no new connections; those it has stay with it, connection
 * tracking knows them: cut_removed cuts them. Of UDP the flows of one that was removed are forgotten, or
 * a client that never changes its port would talk to it for ever; and so are flows that went past a new
 * service before it was there. A client that persistence bound to a destination stays with one of weight
 * 0, as in IPVS, and leaves one that was removed. A service without a destination of weight above 0
 * refuses connections (ICMP port unreachable), as IPVS does.
 *
 * Connections are counted by connection tracking as IPVS counts them: active is TCP from the SYN to the
 * first FIN, and SCTP while it is established; all others are inactive, UDP always. Which mark chose a
 * connection is not known: those of services by fwmark count for every one that has the server.
 *
 * Every call waits for the kernel. An object belongs to one thread at a time. All but
 * ha_nft_check() need CAP_NET_ADMIN in the user namespace that owns the network namespace.
 */
#ifndef LIBHA_NFT_H
#define LIBHA_NFT_H

#include <libha/nl_transport.h>
#include <libha/service.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ha_nft;

struct ha_nft_opts {
	size_t size; /* sizeof(struct ha_nft_opts) */
	/* The table's name: at most 31 of [A-Za-z0-9_.-], a letter first. NULL: "hawser". Copied. */
	const char *table;
	/*
	 * How many clients (or client networks) persistence remembers for one destination, at most
	 * HA_NFT_AFFINITY_LIMIT; beyond, new clients are balanced without it. 0: 65536. Counts for
	 * destinations that are added from now on.
	 */
	uint32_t affinity_max;
	/*
	 * A NETLINK_NETFILTER transport of the host's own, which the object then owns and closes;
	 * NULL: an own socket in the network namespace of the calling thread.
	 */
	const struct ha_nl_transport *transport;
	/*
	 * Cut every connection of a destination when it is removed: the kernel forgets it, and the next packet of
	 * the client is balanced anew, which ends a TCP connection with a reset. False: those of TCP and SCTP go
	 * on until they end. Flows of UDP, which have no end, are forgotten in any case.
	 */
	bool cut_removed;
	/*
	 * Do not count connections in dumps: active_conns and inactive_conns stay 0, so that nothing can be drained
	 * by them. For hosts with very many connections: counting reads all that are tracked.
	 */
	bool skip_connections;
	uint8_t reserved[6]; /* 0 */
};

#define HA_NFT_AFFINITY_LIMIT 16777216

/*
 * Whether nftables can express a service, and with `d` not NULL a destination in it; asks no kernel
 * and needs no object. 0, or -EOPNOTSUPP with *ret_reason (may be NULL) set to a static text that
 * says what cannot be done and what can; -EINVAL, -E2BIG with a reason as ha_service_check().
 */
LIBHA_API int ha_nft_check(const struct ha_service_opts *s, const struct ha_dest_opts *d,
			   const char **ret_reason);

/*
 * Opens nftables, in the network namespace of the calling thread, and stays there. Changes nothing
 * yet. `o` may be NULL. When it fails, a transport in `o` is left alone. 0; -EOPNOTSUPP: this kernel
 * has no nf_tables; -EPERM; -EINVAL, -E2BIG: the options; -ENOMEM; -errno of socket().
 */
LIBHA_API int ha_nft_open(const struct ha_nft_opts *o, struct ha_nft **ret);
/* The table stays in the kernel; a plan with an empty wanted table removes it. NULL is fine. */
LIBHA_API void ha_nft_close(struct ha_nft *n);

/* HA_CAP_… bits; 0 for NULL. HA_CAP_ACTIVE_CONNS where the kernel tells of connections (nf_conntrack_netlink). */
LIBHA_API uint32_t ha_nft_caps(const struct ha_nft *n);

/*
 * Reads our table back into a new table of services, all owned, with the connections each
 * destination was given (stats.conns) and those it has now (active_conns, inactive_conns); the caller
 * frees it. No table in the kernel: no services.
 * No services either when it is damaged (chains, rules or dispatch are missing or too many; the
 * insides of rules are not compared), or another version of the library made it: the next
 * ha_nft_apply() then replaces it whole (established connections stay, persistence and counts are
 * forgotten). 0; -EBUSY inside a callback; -EAGAIN: others changed nftables faster than it could be
 * read, several times; -EBADMSG: the kernel's answer makes no sense; -ENOMEM, -EPERM, -errno.
 */
LIBHA_API int ha_nft_dump(struct ha_nft *n, struct ha_service_table **ret);

/*
 * Carries out the steps of a plan in one transaction: all or nothing. The plan was made from what
 * ha_nft_dump() gave last. A plan whose wanted table is empty removes the kernel's table. Without
 * steps nothing is sent, unless that dump found damage. `ops` (may be NULL) hears of each step.
 *
 * 0 when all is done. Else nothing was changed, and the result is the first error, told for the
 * first step of the service it belongs to (-EOPNOTSUPP for a step that ha_nft_check() refuses);
 * `done` hears -ECANCELED for the others. -ENOENT, -EEXIST: somebody changed our table since the
 * dump (dump and plan again), or the kernel lacks a part of nftables (nft_nat, nft_numgen,
 * nft_hash ...). -ENOBUFS, -ETIMEDOUT: not known what was done, told for all steps: dump again.
 * -EBUSY inside a callback.
 */
LIBHA_API int ha_nft_apply(struct ha_nft *n, const struct ha_service_plan *p,
			   const struct ha_service_apply_ops *ops, void *userdata);

#ifdef __cplusplus
}
#endif
#endif
