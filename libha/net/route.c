/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "base/mem.h"
#include "base/sized.h"
#include "net/handle.h"
#include "net/route_codec.h"

_Static_assert(sizeof(struct ha_net_route) <= NET_ITEM_BYTES, "a route fits net_change()");

static int check(const void *item)
{
	return route_codec_check(item);
}

static void put(struct writer *w, const void *item)
{
	route_codec_put(w, item);
}

static void put_name(struct writer *w, const void *item)
{
	route_codec_put_name(w, item);
}

static bool is_there(int error)
{
	return error == -EEXIST;
}

/* Perhaps with its link. */
static bool is_gone(int error)
{
	return error == -ESRCH || error == -ENODEV;
}

static int change(struct ha_net *n, bool add, uint16_t flags, const struct ha_net_route *a,
		  size_t count, int *ret_status)
{
	const struct net_change how = {.type = add ? RTM_NEWROUTE : RTM_DELROUTE,
				       .flags = flags,
				       .bytes = sizeof(*a),
				       .check = check,
				       .put = add ? put : put_name,
				       .is_already = add ? is_there : is_gone};

	return net_change(n, &how, a, count, ret_status);
}

int ha_net_route_add(struct ha_net *n, const struct ha_net_route *a, size_t count, int *ret_status)
{
	return change(n, true, NLM_F_CREATE | NLM_F_EXCL, a, count, ret_status);
}

int ha_net_route_replace(struct ha_net *n, const struct ha_net_route *a, size_t count,
			 int *ret_status)
{
	return change(n, true, NLM_F_CREATE | NLM_F_REPLACE, a, count, ret_status);
}

int ha_net_route_append(struct ha_net *n, const struct ha_net_route *a, size_t count,
			int *ret_status)
{
	return change(n, true, NLM_F_CREATE | NLM_F_APPEND, a, count, ret_status);
}

int ha_net_route_prepend(struct ha_net *n, const struct ha_net_route *a, size_t count,
			 int *ret_status)
{
	return change(n, true, NLM_F_CREATE, a, count, ret_status);
}

int ha_net_route_remove(struct ha_net *n, const struct ha_net_route *a, size_t count,
			int *ret_status)
{
	return change(n, false, 0, a, count, ret_status);
}

/* -- list ---------------------------------------------------------------------------------------- */

/* Routes, and beside them the next hops of all of them in the same order. */
struct wanted {
	struct ha_net_route_filter f;
	struct net_list routes, nexthops;
	struct ha_net_nexthop room[HA_NET_NEXTHOPS_MAX];
};

static void begin_again(void *userdata)
{
	struct wanted *w = userdata;

	net_list_restart(&w->routes);
	net_list_restart(&w->nexthops);
}

static int take_route(void *userdata, const struct nl_msg *msg)
{
	struct wanted *w = userdata;
	struct ha_net_route route;
	int r;

	if (msg->type != RTM_NEWROUTE)
		return 0;
	r = route_codec_read(msg, w->room, &route);
	if (r)
		return r == -ENOMSG ? 0 : r;
	/* A kernel without strict checking filters by nothing but the family. */
	if ((w->f.table && route.table != w->f.table) ||
	    (w->f.family && route.family != w->f.family) ||
	    (w->f.protocol && route.protocol != w->f.protocol))
		return 0;
	for (size_t i = 0; !r && i < route.n_nexthops; i++)
		r = net_list_add(&w->nexthops, &w->room[i]);
	return r ? r : net_list_add(&w->routes, &route);
}

static int give(const struct wanted *w, ha_net_route_fn *each, void *userdata)
{
	struct ha_net_route *route = (void *)w->routes.items;
	const struct ha_net_nexthop *nexthop = (const void *)w->nexthops.items;
	int r = 0;

	for (size_t i = 0; !r && i < w->routes.n; i++) {
		if (route[i].n_nexthops)
			route[i].nexthops = nexthop;
		nexthop += route[i].n_nexthops;
		r = each(userdata, &route[i]);
	}
	return r;
}

int ha_net_route_list(struct ha_net *n, const struct ha_net_route_filter *f, ha_net_route_fn *each,
		      void *userdata)
{
	static const struct nl_query_ops ops = {.message = take_route, .restart = begin_again};
	struct wanted *w;
	int r;

	if (!n || !each)
		return -EINVAL;
	w = mem_zalloc(sizeof(*w));
	if (!w)
		return -ENOMEM;
	r = f ? sized_in(&w->f, sizeof(w->f), f) : 0;
	if (!r && ((w->f.family && w->f.family != AF_INET && w->f.family != AF_INET6) ||
		   !sized_unused(w->f.reserved, sizeof(w->f.reserved))))
		r = -EINVAL;
	if (r < 0) {
		mem_free(w);
		return r;
	}
	w->routes.item_bytes = sizeof(struct ha_net_route);
	w->routes.max = HA_NET_ROUTES_MAX;
	w->nexthops.item_bytes = sizeof(struct ha_net_nexthop);
	w->nexthops.max = HA_NET_ROUTES_MAX;
	nl_batch_reset(&n->b);
	route_codec_put_dump(nl_batch_begin(&n->b, RTM_GETROUTE, NLM_F_DUMP), w->f.family,
			     w->f.table, w->f.protocol);
	r = net_ask(n, &ops, w);
	if (r == -ENOENT && w->f.table)
		r = 0; /* a table is there as long as a route is in it */
	if (!r)
		r = give(w, each, userdata);
	mem_free(w->nexthops.items);
	mem_free(w->routes.items);
	mem_free(w);
	return r;
}
