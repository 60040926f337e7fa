/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "base/mem.h"
#include "net/handle.h"
#include "net/rule_codec.h"

_Static_assert(sizeof(struct ha_net_rule) <= NET_ITEM_BYTES, "a rule fits net_change()");

static int check(const void *item)
{
	return rule_codec_check(item);
}

static void put(struct writer *w, const void *item)
{
	rule_codec_put(w, item);
}

static bool is_there(int error)
{
	return error == -EEXIST;
}

/* A kernel without rules, or without IPv6, has none. */
static bool is_gone(int error)
{
	return error == -ENOENT || error == -EOPNOTSUPP || error == -EAFNOSUPPORT;
}

int ha_net_rule_add(struct ha_net *n, const struct ha_net_rule *a, size_t count, int *ret_status)
{
	static const struct net_change how = {
	    RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, sizeof(*a), check, put, is_there};

	return net_change(n, &how, a, count, ret_status);
}

int ha_net_rule_remove(struct ha_net *n, const struct ha_net_rule *a, size_t count, int *ret_status)
{
	static const struct net_change how = {RTM_DELRULE, 0, sizeof(*a), check, put, is_gone};

	return net_change(n, &how, a, count, ret_status);
}

/* -- list ---------------------------------------------------------------------------------------- */

struct wanted {
	struct net_list list; /* first: restart takes it */
	int family;
	uint8_t protocol;
};

static int take_rule(void *userdata, const struct nl_msg *msg)
{
	struct wanted *w = userdata;
	struct ha_net_rule rule;
	int r;

	if (msg->type != RTM_NEWRULE)
		return 0;
	r = rule_codec_read(msg, &rule);
	if (r)
		return r == -ENOMSG ? 0 : r;
	if ((w->family && rule.family != w->family) ||
	    (w->protocol && rule.protocol != w->protocol))
		return 0;
	return net_list_add(&w->list, &rule);
}

int ha_net_rule_list(struct ha_net *n, int family, uint8_t protocol, ha_net_rule_fn *each,
		     void *userdata)
{
	static const struct nl_query_ops ops = {.message = take_rule, .restart = net_list_restart};
	struct wanted w = {
	    .list = {.item_bytes = sizeof(struct ha_net_rule), .max = HA_NET_RULES_MAX},
	    .family = family,
	    .protocol = protocol};
	const struct ha_net_rule *rule;
	int r;

	if (!n || !each || (family != AF_UNSPEC && family != AF_INET && family != AF_INET6))
		return -EINVAL;
	nl_batch_reset(&n->b);
	rule_codec_put_dump(nl_batch_begin(&n->b, RTM_GETRULE, NLM_F_DUMP), family);
	r = net_ask(n, &ops, &w);
	rule = (const void *)w.list.items;
	for (size_t i = 0; !r && i < w.list.n; i++)
		r = each(userdata, &rule[i]);
	mem_free(w.list.items);
	return r;
}
