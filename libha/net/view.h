/* SPDX-License-Identifier: MIT */
/*
 * What a monitor knows: links, addresses, neighbours, routes and rules, each found by what names it. Pure.
 *
 * An element is the struct of the public header (struct ha_net_link, ...); of a route with its next hops
 * behind it. Every element carries the generation it was last heard of in.
 */
#ifndef LIBHA_NET_VIEW_H
#define LIBHA_NET_VIEW_H

#include <libha/route.h>

#include "base/hmap.h"
#include "base/list.h"

/* In the order they are read: an address never comes before its link. */
enum view_kind { VIEW_LINKS, VIEW_ADDRESSES, VIEW_NEIGHBOURS, VIEW_ROUTES, VIEW_RULES, VIEW_KINDS };

struct view_table {
	struct hmap by_key;
	struct list all;
};

struct view {
	struct view_table table[VIEW_KINDS];
	uint64_t seed, generation;
	uint64_t over_limit; /* elements beyond a kind's maximum; ignored */

	/* After the change. `before` NULL: it came; `now` NULL: it went. */
	void (*tell)(void *userdata, enum view_kind kind, const void *now, const void *before);
	void *userdata;
};

void view_init(struct view *v, uint64_t seed);
void view_fini(struct view *v);

/* Adds or updates; marked with the present generation. 0 or -ENOMEM. */
int view_put(struct view *v, enum view_kind kind, const void *item);

/* Removes it, and of a link first what is on it. False when it is not there. */
bool view_remove(struct view *v, enum view_kind kind, const void *key);

/* Removes what is of an older generation. */
void view_sweep(struct view *v);

/* The element with that name, or NULL. */
const void *view_find(const struct view *v, enum view_kind kind, const void *key);

/* An address of a link whatever its prefix length, or NULL. */
const struct ha_net_address *view_find_address(const struct view *v, uint32_t ifindex,
					       const struct ha_ip *ip);

/* Gives each of a kind, in no order, until `each` returns not 0: that. */
int view_walk(const struct view *v, enum view_kind kind,
	      int (*each)(void *userdata, const void *item), void *userdata);

#endif
