/* SPDX-License-Identifier: MIT */
/* The handle that asks and changes: its files are handle.c, addr.c and link.c. */
#ifndef LIBHA_NET_HANDLE_H
#define LIBHA_NET_HANDLE_H

#include <libha/net.h>

#include "nl/call.h"

struct ha_net {
	struct nl_channel c;
	struct nl_batch b; /* kept, so that a takeover needs no memory */
	char text[NL_TEXT_SIZE];
};

/* Messages of a dump, decoded, until the dump is whole. */
struct net_list {
	size_t item_bytes, max;
	uint8_t *items;
	size_t n, cap;
};

/* Empties the list: a dump begins again. */
void net_list_restart(void *list);

/* A copy of `item` at the end. 0, -ENOMEM or -EOVERFLOW. */
int net_list_add(struct net_list *l, const void *item);

#endif
