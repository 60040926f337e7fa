/* SPDX-License-Identifier: MIT */
/* The handle to IPVS: its files are ipvs.c (services) and config.c (sync daemons, timeouts). */
#ifndef LIBHA_IPVS_HANDLE_H
#define LIBHA_IPVS_HANDLE_H

#include <libha/ipvs.h>

#include "nl/call.h"

struct ha_ipvs {
	struct nl_channel channel;
	struct nl_batch batch;
	uint16_t type; /* message type of the family */
	bool busy;     /* in a callback */
};

/* A caller's service, as the kernel names it. 0; -EINVAL, -E2BIG as ha_service_check(). */
int ipvs_key(const struct ha_service_opts *service, struct ha_service_opts *ret);

/* Begins the one request of a query; its writer. */
struct writer *ipvs_begin(struct ha_ipvs *v, uint16_t flags);

/* Sends it and gives each message of the answer. As nl_query(), but -EAGAIN for -EINTR. */
int ipvs_ask(struct ha_ipvs *v, const struct nl_query_ops *ops, void *userdata);

#endif
