/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include "base/mem.h"
#include "base/sized.h"
#include "net/codec.h"
#include "net/handle.h"

static int take_link(void *userdata, const struct nl_msg *msg)
{
	struct ha_net_link l;
	int r;

	if (msg->type != RTM_NEWLINK)
		return 0;
	r = net_codec_read_link(msg, &l);
	if (r)
		return r == -ENOMSG ? 0 : r;
	return net_list_add(userdata, &l);
}

static int ask(struct ha_net *n, struct net_list *list)
{
	static const struct nl_query_ops ops = {.message = take_link, .restart = net_list_restart};

	list->item_bytes = sizeof(struct ha_net_link);
	return net_ask(n, &ops, list);
}

int ha_net_link_list(struct ha_net *n, ha_net_link_fn *each, void *userdata)
{
	struct net_list list = {.max = HA_NET_LINKS_MAX};
	const struct ha_net_link *l;
	int r;

	if (!n || !each)
		return -EINVAL;
	nl_batch_reset(&n->b);
	net_codec_put_link_dump(nl_batch_begin(&n->b, RTM_GETLINK, NLM_F_DUMP));
	r = ask(n, &list);
	l = (const struct ha_net_link *)(const void *)list.items;
	for (size_t i = 0; !r && i < list.n; i++)
		r = each(userdata, &l[i]);
	mem_free(list.items);
	return r;
}

static int get_link(struct ha_net *n, uint32_t ifindex, const char *name, struct ha_net_link *ret)
{
	struct net_list list = {.max = 1};
	int r;

	nl_batch_reset(&n->b);
	net_codec_put_link_get(nl_batch_begin(&n->b, RTM_GETLINK, 0), ifindex, name);
	r = ask(n, &list);
	if (!r)
		r = list.n ? sized_out(ret, list.items, sizeof(*ret)) : -ENODEV;
	mem_free(list.items);
	return r;
}

int ha_net_link_by_name(struct ha_net *n, const char *name, struct ha_net_link *ret)
{
	if (!n || !name || !ret || !name[0] || strnlen(name, HA_NET_NAME_SIZE) == HA_NET_NAME_SIZE)
		return -EINVAL;
	return get_link(n, 0, name, ret);
}

int ha_net_link_by_index(struct ha_net *n, uint32_t ifindex, struct ha_net_link *ret)
{
	if (!n || !ret || !ifindex || ifindex > INT32_MAX)
		return -EINVAL;
	return get_link(n, ifindex, NULL, ret);
}

/* -- changing ------------------------------------------------------------------------------------ */

static int ignore(void *userdata, const struct nl_msg *msg)
{
	return 0;
}

/* The request begun in n->b, which is answered by yes or no. */
static int change(struct ha_net *n)
{
	static const struct nl_query_ops ops = {.message = ignore};

	return net_ask(n, &ops, NULL);
}

int ha_net_macvlan_add(struct ha_net *n, const struct ha_net_macvlan *given,
		       struct ha_net_link *ret)
{
	static const uint8_t none[6];
	struct ha_net_macvlan m;
	int r = sized_in(&m, sizeof(m), given);

	if (r < 0)
		return r;
	if (!n || !ret || !m.parent || m.parent > INT32_MAX || !m.name[0] ||
	    strnlen(m.name, sizeof(m.name)) == sizeof(m.name) ||
	    !memcmp(m.mac, none, sizeof(none)) || m.mac[0] & 1)
		return -EINVAL;
	nl_batch_reset(&n->b);
	net_codec_put_macvlan(nl_batch_begin(&n->b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL), &m);
	r = change(n);
	return r < 0 ? r : ha_net_link_by_name(n, m.name, ret);
}

int ha_net_ipvlan_add(struct ha_net *n, const struct ha_net_ipvlan *given, struct ha_net_link *ret)
{
	struct ha_net_ipvlan v;
	int r = sized_in(&v, sizeof(v), given);

	if (r < 0)
		return r;
	if (!n || !ret || !v.parent || v.parent > INT32_MAX || !v.name[0] ||
	    strnlen(v.name, sizeof(v.name)) == sizeof(v.name))
		return -EINVAL;
	nl_batch_reset(&n->b);
	net_codec_put_ipvlan(nl_batch_begin(&n->b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL), &v);
	r = change(n);
	return r < 0 ? r : ha_net_link_by_name(n, v.name, ret);
}

int ha_net_link_set_up(struct ha_net *n, uint32_t ifindex, bool up)
{
	if (!n || !ifindex || ifindex > INT32_MAX)
		return -EINVAL;
	nl_batch_reset(&n->b);
	net_codec_put_link_flags(nl_batch_begin(&n->b, RTM_NEWLINK, 0), ifindex, up ? IFF_UP : 0,
				 IFF_UP);
	return change(n);
}

int ha_net_link_set_master(struct ha_net *n, uint32_t ifindex, uint32_t master)
{
	if (!n || !ifindex || ifindex > INT32_MAX || master > INT32_MAX)
		return -EINVAL;
	nl_batch_reset(&n->b);
	net_codec_put_link_master(nl_batch_begin(&n->b, RTM_NEWLINK, 0), ifindex, master);
	return change(n);
}

int net_link_set_mtu(struct ha_net *n, uint32_t ifindex, uint32_t mtu)
{
	nl_batch_reset(&n->b);
	net_codec_put_link_mtu(nl_batch_begin(&n->b, RTM_NEWLINK, 0), ifindex, mtu);
	return change(n);
}

int ha_net_link_set_addr_gen(struct ha_net *n, uint32_t ifindex, uint8_t mode)
{
	if (!n || !ifindex || ifindex > INT32_MAX)
		return -EINVAL;
	nl_batch_reset(&n->b);
	net_codec_put_link_addr_gen(nl_batch_begin(&n->b, RTM_NEWLINK, 0), ifindex, mode);
	return change(n);
}

int ha_net_link_set_alias(struct ha_net *n, uint32_t ifindex, const char *alias)
{
	if (!n || !ifindex || ifindex > INT32_MAX || !alias ||
	    strnlen(alias, HA_NET_ALIAS_SIZE) == HA_NET_ALIAS_SIZE)
		return -EINVAL;
	nl_batch_reset(&n->b);
	net_codec_put_link_alias(nl_batch_begin(&n->b, RTM_NEWLINK, 0), ifindex, alias);
	return change(n);
}

int ha_net_link_remove(struct ha_net *n, uint32_t ifindex)
{
	if (!n || !ifindex || ifindex > INT32_MAX)
		return -EINVAL;
	nl_batch_reset(&n->b);
	net_codec_put_link_name(nl_batch_begin(&n->b, RTM_DELLINK, 0), ifindex);
	return change(n);
}
