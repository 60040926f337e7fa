/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "base/mem.h"
#include "net/handle.h"
#include "net/neighbour_codec.h"

static int check(const void *item)
{
	return neighbour_codec_check(item);
}

static void put(struct writer *w, const void *item)
{
	neighbour_codec_put(w, item);
}

static void put_name(struct writer *w, const void *item)
{
	neighbour_codec_put_name(w, item);
}

static bool is_there(int error)
{
	return error == -EEXIST;
}

/* Perhaps with its link. */
static bool is_gone(int error)
{
	return error == -ENOENT || error == -ENODEV || error == -ENXIO;
}

int ha_net_neighbour_add(struct ha_net *n, const struct ha_net_neighbour *a, size_t count,
			 int *ret_status)
{
	static const struct net_change how = {
	    RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL, sizeof(*a), check, put, is_there};

	return net_change(n, &how, a, count, ret_status);
}

int ha_net_neighbour_set(struct ha_net *n, const struct ha_net_neighbour *a, size_t count,
			 int *ret_status)
{
	static const struct net_change how = {
	    RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, sizeof(*a), check, put, is_there};

	return net_change(n, &how, a, count, ret_status);
}

int ha_net_neighbour_remove(struct ha_net *n, const struct ha_net_neighbour *a, size_t count,
			    int *ret_status)
{
	static const struct net_change how = {RTM_DELNEIGH, 0,	      sizeof(*a),
					      check,	    put_name, is_gone};

	return net_change(n, &how, a, count, ret_status);
}

/* -- list ---------------------------------------------------------------------------------------- */

struct wanted {
	struct net_list list; /* first: restart takes it */
	uint32_t ifindex;
	int family;
};

static int take_neighbour(void *userdata, const struct nl_msg *msg)
{
	struct wanted *w = userdata;
	struct ha_net_neighbour a;
	int r;

	if (msg->type != RTM_NEWNEIGH)
		return 0;
	r = neighbour_codec_read(msg, &a);
	if (r)
		return r == -ENOMSG ? 0 : r;
	if ((w->ifindex && a.ifindex != w->ifindex) || (w->family && a.ip.family != w->family))
		return 0;
	return net_list_add(&w->list, &a);
}

int ha_net_neighbour_list(struct ha_net *n, uint32_t ifindex, int family, ha_net_neighbour_fn *each,
			  void *userdata)
{
	static const struct nl_query_ops ops = {.message = take_neighbour,
						.restart = net_list_restart};
	struct wanted w = {
	    .list = {.item_bytes = sizeof(struct ha_net_neighbour), .max = HA_NET_NEIGHBOURS_MAX},
	    .ifindex = ifindex,
	    .family = family};
	const struct ha_net_neighbour *a;
	int r;

	if (!n || !each || (family != AF_UNSPEC && family != AF_INET && family != AF_INET6))
		return -EINVAL;
	nl_batch_reset(&n->b);
	neighbour_codec_put_dump(nl_batch_begin(&n->b, RTM_GETNEIGH, NLM_F_DUMP), family, ifindex);
	r = net_ask(n, &ops, &w);
	a = (const void *)w.list.items;
	for (size_t i = 0; !r && i < w.list.n; i++)
		r = each(userdata, &a[i]);
	mem_free(w.list.items);
	return r;
}
