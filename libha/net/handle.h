/* SPDX-License-Identifier: MIT */
/* The handle that asks and changes: its files are handle.c and those named after what is asked for. */
#ifndef LIBHA_NET_HANDLE_H
#define LIBHA_NET_HANDLE_H

#include <libha/net.h>

#include "nl/call.h"

struct ha_net {
	struct nl_channel c;
	struct nl_batch b; /* kept, so that a takeover needs no memory */
	char text[NL_TEXT_SIZE];
};

/* How one kind of thing (address, route, ...) is changed. */
struct net_change {
	uint16_t type, flags; /* of the message */
	size_t bytes; /* of our struct, which begins with its size; at most NET_ITEM_BYTES */
	int (*check)(const void *item); /* can the kernel be asked for it at all? 0 or -EINVAL */
	void (*put)(struct writer *w, const void *item); /* the message's body */
	bool (*is_already)(int error); /* nothing was to do: it is there, or it is gone */
};

#define NET_ITEM_BYTES 512

/*
 * Sends one request for each of the `count` elements of `a`, which are as far apart as the first one's size
 * says. What ret_status and the value mean stands with ha_net_address_add().
 */
int net_change(struct ha_net *n, const struct net_change *how, const void *a, size_t count,
	       int *ret_status);

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

/* In bytes. 0 or -errno. */
int net_link_set_mtu(struct ha_net *n, uint32_t ifindex, uint32_t mtu);

/* Sends the one request that was begun in n->b, and keeps the kernel's words. As nl_query(). */
int net_ask(struct ha_net *n, const struct nl_query_ops *ops, void *userdata);

#endif
