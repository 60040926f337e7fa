/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "base/mem.h"
#include "base/sized.h"
#include "net/codec.h"
#include "net/handle.h"

static int check(const void *item)
{
	return net_codec_check(item);
}

static void put(struct writer *w, const void *item)
{
	net_codec_put_address(w, item);
}

static void put_name(struct writer *w, const void *item)
{
	net_codec_put_address_name(w, item);
}

static bool is_there(int error)
{
	return error == -EEXIST;
}

/* Perhaps with its link; and a kernel without IPv6 has none of it. */
static bool is_gone(int error)
{
	return error == -EADDRNOTAVAIL || error == -ENODEV || error == -ENXIO ||
	       error == -EOPNOTSUPP;
}

static int change(struct ha_net *n, bool add, uint16_t flags, const struct ha_net_address *a,
		  size_t count, int *ret_status)
{
	const struct net_change how = {.type = add ? RTM_NEWADDR : RTM_DELADDR,
				       .flags = flags,
				       .bytes = sizeof(*a),
				       .check = check,
				       .put = add ? put : put_name,
				       .is_already = add ? is_there : is_gone};

	return net_change(n, &how, a, count, ret_status);
}

int ha_net_address_add(struct ha_net *n, const struct ha_net_address *a, size_t count,
		       int *ret_status)
{
	return change(n, true, NLM_F_CREATE | NLM_F_EXCL, a, count, ret_status);
}

int ha_net_address_set(struct ha_net *n, const struct ha_net_address *a, size_t count,
		       int *ret_status)
{
	return change(n, true, NLM_F_CREATE | NLM_F_REPLACE, a, count, ret_status);
}

int ha_net_address_remove(struct ha_net *n, const struct ha_net_address *a, size_t count,
			  int *ret_status)
{
	return change(n, false, 0, a, count, ret_status);
}

/* -- is it ready? -------------------------------------------------------------------------------- */

static int take_route(void *userdata, const struct nl_msg *msg)
{
	bool *is_local = userdata;

	*is_local = msg->type == RTM_NEWROUTE && net_codec_read_is_local(msg);
	return 0;
}

int ha_net_address_is_ready(struct ha_net *n, const struct ha_net_address *given)
{
	static const struct nl_query_ops ops = {.message = take_route};
	struct ha_net_address a;
	bool is_local = false;
	int r = sized_in(&a, sizeof(a), given);

	if (!r && (!n || net_codec_check(&a) < 0))
		r = -EINVAL;
	if (r < 0 || a.ip.family == AF_INET)
		return r < 0 ? r : 1;
	/* The last thing the kernel does is its route to itself. */
	nl_batch_reset(&n->b);
	net_codec_put_address_route(nl_batch_begin(&n->b, RTM_GETROUTE, 0), &a);
	r = net_ask(n, &ops, &is_local);
	if (r == -ENETUNREACH || r == -EHOSTUNREACH || r == -ENODEV)
		return 0;
	return r < 0 ? r : is_local;
}

/* -- list ---------------------------------------------------------------------------------------- */

struct wanted {
	struct net_list list; /* first: restart takes it */
	uint32_t ifindex;
	int family;
};

static int take_address(void *userdata, const struct nl_msg *msg)
{
	struct wanted *w = userdata;
	struct ha_net_address a;
	int r;

	if (msg->type != RTM_NEWADDR)
		return 0;
	r = net_codec_read_address(msg, &a);
	if (r)
		return r == -ENOMSG ? 0 : r;
	/* A kernel without strict checking does not filter by link. */
	if ((w->ifindex && a.ifindex != w->ifindex) || (w->family && a.ip.family != w->family))
		return 0;
	return net_list_add(&w->list, &a);
}

int ha_net_address_list(struct ha_net *n, uint32_t ifindex, int family, ha_net_address_fn *each,
			void *userdata)
{
	static const struct nl_query_ops ops = {.message = take_address,
						.restart = net_list_restart};
	struct wanted w = {
	    .list = {.item_bytes = sizeof(struct ha_net_address), .max = HA_NET_ADDRESSES_MAX},
	    .ifindex = ifindex,
	    .family = family};
	const struct ha_net_address *a;
	int r;

	if (!n || !each || (family != AF_UNSPEC && family != AF_INET && family != AF_INET6))
		return -EINVAL;
	nl_batch_reset(&n->b);
	net_codec_put_address_dump(nl_batch_begin(&n->b, RTM_GETADDR, NLM_F_DUMP), family, ifindex);
	r = net_ask(n, &ops, &w);
	a = (const struct ha_net_address *)(const void *)w.list.items;
	for (size_t i = 0; !r && i < w.list.n; i++)
		r = each(userdata, &a[i]);
	mem_free(w.list.items);
	return r;
}
