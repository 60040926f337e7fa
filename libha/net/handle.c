/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/netlink.h>

#include "base/mem.h"
#include "base/sized.h"
#include "net/handle.h"

int ha_net_new(const struct ha_net_opts *opts, struct ha_net **ret)
{
	struct ha_net_opts o = {.size = sizeof(o)};
	struct ha_net *n;
	int r;

	if (!ret)
		return -EINVAL;
	r = opts ? sized_in(&o, sizeof(o), opts) : 0;
	if (r < 0)
		return r;
	n = mem_zalloc(sizeof(*n));
	if (!n)
		return -ENOMEM;
	r = nl_channel_open(&n->c, NETLINK_ROUTE, o.transport, o.timeout_ms);
	if (r < 0) {
		mem_free(n);
		return r;
	}
	*ret = n;
	return 0;
}

void ha_net_free(struct ha_net *n)
{
	if (!n)
		return;
	nl_batch_fini(&n->b);
	nl_channel_close(&n->c);
	mem_free(n);
}

const char *ha_net_error_text(const struct ha_net *n)
{
	return n ? n->text : "";
}

void net_list_restart(void *list)
{
	((struct net_list *)list)->n = 0;
}

int net_list_add(struct net_list *l, const void *item)
{
	if (l->n == l->max)
		return -EOVERFLOW;
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 64;
		uint8_t *items = mem_regrow(l->items, cap, l->item_bytes);

		if (!items)
			return -ENOMEM;
		l->items = items;
		l->cap = cap;
	}
	memcpy(l->items + l->n++ * l->item_bytes, item, l->item_bytes);
	return 0;
}

int net_ask(struct ha_net *n, const struct nl_query_ops *ops, void *userdata)
{
	int r;

	nl_batch_end(&n->b);
	r = nl_query(&n->c, &n->b, ops, userdata);
	memcpy(n->text, n->c.text, sizeof(n->text));
	return r;
}
