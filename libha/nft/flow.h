/* SPDX-License-Identifier: MIT */
/*
 * A tracked connection as ctnetlink tells it (linux/netfilter/nfnetlink_conntrack.h): read, found in a table of
 * services, and the message that makes the kernel forget it. Pure.
 */
#ifndef LIBHA_NFT_FLOW_H
#define LIBHA_NFT_FLOW_H

#include "nl/call.h"
#include "service/model.h"

struct flow {
	uint8_t family, protocol;
	struct ha_ip asked;  /* the address and port the client asked for */
	struct ha_ip server; /* and those that answer it */
	uint16_t asked_port, server_port;
	uint16_t zone;
	uint32_t id;
	bool rewritten;	     /* destination NAT has chosen the server */
	bool active;	     /* the protocol says that it is in use: never of UDP */
	struct reader tuple; /* of the original direction, as the kernel told it */
};

/* From a message's body. False when it is cut short or makes no sense, or has neither ports nor addresses. */
bool flow_read(struct reader body, struct flow *ret);

/* Asks for all of them: only those that destination NAT has rewritten, where the kernel (5.19) can tell apart. */
void flow_put_dump(struct nl_batch *b, bool rewritten);
/* Asks the kernel to forget one; -ENOENT when it has gone by itself. */
void flow_put_delete(struct nl_batch *b, const struct flow *f);

/*
 * The services of a table by the flows that belong to them. Conntrack does not know by which firewall mark a flow was
 * chosen: the services of marks are found by the server alone, and two that share a server share its flows.
 */
struct flow_index {
	const struct ha_service_table *table;
	struct ha_dest **marked; /* the destinations of all services of marks, by address */
	size_t n_marked;
};

/* 0 or -ENOMEM. The table must not change meanwhile. */
int flow_index_init(struct flow_index *i, const struct ha_service_table *t);
void flow_index_fini(struct flow_index *i);

/*
 * The destinations that a flow belongs to, one after the other: `at` is 0 at first. NULL: no more. A service of an
 * address has precedence over those of marks.
 */
struct ha_dest *flow_dest(const struct flow_index *i, const struct flow *f, size_t *at);
/* Whether the flow's address, protocol and port are a service's. */
bool flow_is_asked_of(const struct ha_service_table *t, const struct flow *f);

#endif
