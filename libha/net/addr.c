/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "base/mem.h"
#include "base/sized.h"
#include "net/codec.h"
#include "net/handle.h"

/* Outcomes of a batch on their way into the caller's array of states. */
struct outcome {
	struct ha_net *n;
	uint16_t type;	 /* RTM_NEWADDR or RTM_DELADDR */
	int *status;	 /* the caller's, or NULL */
	size_t at;	 /* the address of message `message` */
	size_t message;	 /* addresses that could not be sent have no message */
	int first;	 /* the first error that is one, */
	size_t first_at; /* and its message */
};

/* Nothing was to do: the address is there, or it is gone, perhaps with its link. */
static bool is_already(uint16_t type, int error)
{
	if (type == RTM_NEWADDR)
		return error == -EEXIST;
	return error == -EADDRNOTAVAIL || error == -ENODEV || error == -ENXIO;
}

/* The place in the caller's array of the message `index`; they are asked for in ascending order. */
static int *status_of(struct outcome *o, size_t index)
{
	for (;; o->at++) {
		if (o->status[o->at] == -EINVAL)
			continue;
		if (o->message == index)
			return &o->status[o->at];
		o->message++;
	}
}

static void take_failure(void *userdata, size_t index, int error, const char *text)
{
	struct outcome *o = userdata;
	bool already = is_already(o->type, error);
	int *status = o->status ? status_of(o, index) : NULL;

	if (status) {
		*status = already ? HA_NET_ALREADY : error;
		o->at++;
		o->message++;
	}
	if (already || o->first)
		return;
	o->first = error;
	o->first_at = index;
	memcpy(o->n->text, text, strlen(text) + 1);
}

/* The place of the first address that cannot be asked for, or SIZE_MAX. */
static size_t build(struct ha_net *n, uint16_t type, uint16_t flags, const void *a, size_t count,
		    int *status)
{
	const size_t stride = ((const struct ha_net_address *)a)->size;
	size_t invalid = SIZE_MAX;

	nl_batch_reset(&n->b);
	for (size_t i = 0; i < count; i++) {
		const struct ha_net_address *given = (const void *)((const char *)a + i * stride);
		struct ha_net_address own;
		struct writer *w;
		int r = given->size == stride ? sized_in(&own, sizeof(own), given) : -EINVAL;

		if (!r)
			r = net_codec_check(&own);
		if (status)
			status[i] = r ? -EINVAL : 0;
		if (r) {
			invalid = invalid < i ? invalid : i;
			continue;
		}
		w = nl_batch_begin(&n->b, type, flags);
		if (type == RTM_NEWADDR)
			net_codec_put_address(w, &own);
		else
			net_codec_put_address_name(w, &own);
		nl_batch_end(&n->b);
	}
	return invalid;
}

static int change(struct ha_net *n, uint16_t type, uint16_t flags, const struct ha_net_address *a,
		  size_t count, int *ret_status)
{
	struct outcome o = {.n = n, .type = type, .status = ret_status};
	size_t invalid;
	int r;

	if (!n || (count && !a) || count > HA_NET_BATCH_MAX)
		return -EINVAL;
	n->text[0] = 0;
	if (!count)
		return 0;
	if (a->size < sizeof(a->size))
		return -EINVAL;
	invalid = build(n, type, flags, a, count, ret_status);
	r = nl_call(&n->c, &n->b, take_failure, &o);
	if (r < 0) {
		for (size_t i = 0; ret_status && i < count; i++)
			ret_status[i] = r;
		return r;
	}
	/* Before the first invalid address every address has its message: their places are the same. */
	if (invalid == SIZE_MAX || (o.first && o.first_at < invalid))
		return o.first;
	n->text[0] = 0;
	return -EINVAL;
}

int ha_net_address_add(struct ha_net *n, const struct ha_net_address *a, size_t count,
		       int *ret_status)
{
	return change(n, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, a, count, ret_status);
}

int ha_net_address_set(struct ha_net *n, const struct ha_net_address *a, size_t count,
		       int *ret_status)
{
	return change(n, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, a, count, ret_status);
}

int ha_net_address_remove(struct ha_net *n, const struct ha_net_address *a, size_t count,
			  int *ret_status)
{
	return change(n, RTM_DELADDR, 0, a, count, ret_status);
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
	nl_batch_end(&n->b);
	r = nl_query(&n->c, &n->b, &ops, &w);
	memcpy(n->text, n->c.text, sizeof(n->text));
	a = (const struct ha_net_address *)(const void *)w.list.items;
	for (size_t i = 0; !r && i < w.list.n; i++)
		r = each(userdata, &a[i]);
	mem_free(w.list.items);
	return r;
}
